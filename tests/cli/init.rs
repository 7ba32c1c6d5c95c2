//! Setting up a profile: by questions at a terminal, or by flags alone.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use yc_emulator::ADMIN_ID;

use crate::programs::require_program;
use crate::support::User;
use crate::terminal::line_broken_within_a_word;

fn config_text(user: &User) -> String {
    std::fs::read_to_string(user.config_dir().join("config.toml")).unwrap_or_default()
}

fn key_file(user: &User) -> String {
    user.write_file("key.json", &user.cloud.admin_key().file()).to_str().unwrap().to_owned()
}

#[test]
fn with_flags_alone_nothing_is_asked_and_nothing_is_sent() {
    let user = User::new();
    let key = key_file(&user);
    let ran = user.run_args(["init", "--profile", "ci", "--service-account-key", &key, "--folder-id", "b1gf"]);
    assert!(ran.code == 0 && ran.out.is_empty(), "{ran:#?}");
    assert_eq!(ran.err, "Profile 'ci' created and activated\n");
    assert_eq!(user.sent(), [""; 0]);
    assert_eq!(user.run("config profile list").ok(), "ci ACTIVE\n");
    assert_eq!(user.run("config get folder-id").ok(), "b1gf\n");
    assert!(user.run("iam create-token").ok().starts_with("t1."));
}

#[test]
fn every_credential_can_be_given_by_a_flag() {
    let table: [(&[&str], &str); 4] = [
        (&["--token", "y0_a"], "token: y0_a\n"),
        (&["--instance-service-account"], "instance-service-account: true\n"),
        (&["--token-command", "[\"x\", \"y\"]"], "token-command:\n  - x\n  - \"y\"\n"),
        (&["--token", "-"], "token: y0_stdin\n"),
    ];
    for (flags, listed) in table {
        let user = User::new();
        let args = ["init", "--no-user-output", "--folder-id", "b1gf"].iter().chain(flags);
        user.run_with_input(args, "y0_stdin\n").ok();
        assert_eq!(user.run("config list").ok(), format!("{listed}folder-id: b1gf\n"));
        assert_eq!(user.run("config profile list").ok(), "default ACTIVE\n");
    }
    let user = User::new();
    let key = key_file(&user);
    user.run_args(["init", "--no-user-output", "--folder-id", "b1gf", "--service-account-key-file", &key]).ok();
    assert_eq!(user.run("config get service-account-key-file").ok(), format!("{key}\n"));
}

#[test]
fn flags_for_endpoints_are_stored_in_the_profile() {
    let user = User::new();
    let bundle = user.write_file("ca.pem", user.cloud.ca_pem());
    let line = format!(
        "init --profile x --instance-service-account --folder-id f --endpoint api.yandexcloud.kz:443 --ca-bundle {} \
         --impersonate-service-account-id aje",
        bundle.display()
    );
    assert_eq!(user.run(&line).code, 0);
    for (key, value) in [
        ("endpoint", "api.yandexcloud.kz:443"),
        ("ca-bundle", bundle.to_str().unwrap()),
        ("impersonate-service-account-id", "aje"),
    ] {
        assert_eq!(user.run(&format!("config get {key}")).ok().trim_end(), value);
    }
}

#[test]
fn without_a_terminal_the_missing_flags_are_named_and_nothing_is_written() {
    let user = User::new();
    user.configure("[profiles.a]\nregion = 'r'\n");
    let error = user.run("init").failed(2);
    for flag in ["--profile", "--token", "--service-account-key", "--folder-id"] {
        assert!(error.contains(flag), "{error}");
    }
    let error = user.run("init --profile a --token y0_a").failed(2);
    assert!(error.contains("these are missing: --folder-id\n"), "{error}");
    let error = user.run("init --profile a --token y0_a --folder-name my-folder").failed(2);
    assert!(error.contains("--cloud-id"), "{error}");
    let error = user.run("init --profile a --token y0_a --instance-service-account --folder-id b1gf").failed(2);
    assert!(error.contains("--token and --instance-service-account"), "{error}");
    let error = user.run("init --profile B --token y0_a --folder-id b1gf").failed(2);
    assert!(error.contains("lower-case"), "{error}");
    assert_eq!(config_text(&user), "[profiles.a]\nregion = 'r'\n");
    assert_eq!(user.sent(), [""; 0]);
}

#[test]
fn a_profile_that_is_set_up_again_keeps_its_other_values() {
    let user = User::new();
    user.configure(
        "current = 'b'\n[profiles.a]\nregion = 'r' # mine\ntoken = 'y0_old'\nfolder-name = 'x'\n[profiles.b]\n",
    );
    let ran = user.run("init --profile a --instance-service-account --folder-id b1gf");
    assert!(ran.code == 0 && ran.err == "Profile 'a' updated and activated\n", "{ran:#?}");
    let expected = "current = \"a\"\n[profiles.a]\nregion = 'r' # mine\ninstance-service-account = true\nfolder-id = \"b1gf\"\n\
                    [profiles.b]\n";
    assert_eq!(config_text(&user), expected);
}

/// A program on a terminal of its own, and what has been shown there.
struct Conversation {
    child: Child,
    keyboard: ChildStdin,
    screen: BufReader<ChildStdout>,
    shown: String,
}

impl Conversation {
    /// Starts `yc-rs init` on a terminal; `None` where the machine has no `script` to make one with.
    fn start(user: &User, flags: &str) -> Option<Self> {
        Self::start_command(user, &format!("yc-rs init {flags}"))
    }

    /// Starts a command of a shell on a terminal.
    fn start_command(user: &User, command: &str) -> Option<Self> {
        if !require_program("script") {
            return None;
        }
        let mut script = user.program("script");
        script.env("NO_COLOR", "1").args(["-qec", command, "/dev/null"]);
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = script.spawn().unwrap();
        let (keyboard, screen) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Some(Self { child, keyboard, screen, shown: String::new() })
    }

    /// Waits until the question is on the screen, then types the answer.
    fn answer(&mut self, question: &str, answer: &str) {
        let asked_at = self.shown.len();
        while !self.shown[asked_at..].contains(question) {
            let mut byte = [0];
            let count = self.screen.read(&mut byte).unwrap();
            assert!(count > 0, "no question {question:?} in:\n{}", self.shown);
            self.shown.push(char::from(byte[0]));
        }
        self.keyboard.write_all(answer.as_bytes()).unwrap();
    }

    /// Waits for the end and returns the exit status and everything that was shown.
    fn end(mut self) -> (i32, String) {
        let mut rest = Vec::new();
        // On Linux the end of a terminal shows as an error.
        let _ = self.screen.read_to_end(&mut rest);
        self.shown.push_str(&String::from_utf8_lossy(&rest));
        assert_eq!(line_broken_within_a_word(&self.shown), None, "{}", self.shown);
        (self.child.wait().unwrap().code().unwrap(), self.shown.replace('\r', ""))
    }
}

/// A resource manager with these clouds and folders; it records the requests, each with its token.
struct ResourceManager {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ResourceManager {
    fn start(clouds: Value, folders: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let notes = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &clouds, &folders, &notes);
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, clouds: &Value, folders: &Value, notes: &Mutex<Vec<String>>) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let lines: Vec<_> = lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    let target = lines[0].split(' ').nth(1).unwrap().to_owned();
    let bearer = lines.iter().find_map(|line| line.strip_prefix("authorization: Bearer ")).unwrap_or("none");
    notes.lock().unwrap().push(format!("{target} {bearer}"));
    let body = if target.contains("/clouds") { clouds } else { folders }.to_string();
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).unwrap();
}

fn resource_manager(user: &mut User) -> ResourceManager {
    let manager = ResourceManager::start(
        json!({"clouds": [{"id": "b1gc1", "name": "first"}, {"id": "b1gc2", "name": "second\u{1b}[2J"}]}),
        json!({"folders": [{"id": "b1gf1", "name": "default"}, {"id": "b1gf2", "name": "tests"}]}),
    );
    user.set("YC_ENDPOINT_URL_RESOURCE_MANAGER", &manager.url);
    manager
}

#[test]
fn the_first_profile_is_set_up_by_questions() {
    let mut user = User::new();
    let manager = resource_manager(&mut user);
    let key = key_file(&user);
    // A variable must not decide which clouds are listed for the new credential.
    user.set("YC_IAM_TOKEN", "t1.other.token");
    let Some(mut conversation) = Conversation::start(&user, "") else { return };
    conversation.answer("Number [1]", "1\n");
    conversation.answer("key file", "/nowhere\n");
    conversation.answer("cannot be read", "");
    conversation.answer("key file", &format!("{key}\n"));
    conversation.answer("Number [1]", "9\n");
    conversation.answer("Number [1]", "2\n");
    conversation.answer("Number [1]", "tests\n");
    let (code, shown) = conversation.end();
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("[2] second\\u001b[2J (b1gc2)\n"), "{shown}");
    assert!(shown.contains("'9' is not one of 1 to 3"), "{shown}");
    assert!(shown.contains("Profile 'default' created and activated\n"), "{shown}");
    let values = user.run("config list --format json").json();
    assert_eq!(values["cloud-id"], "b1gc2");
    assert_eq!(values["folder-id"], "b1gf2");
    assert_eq!(values["service-account-key"]["service_account_id"], ADMIN_ID);
    let asked = manager.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[0].starts_with("/resource-manager/v1/clouds?pageSize=1000 t1."), "{asked:?}");
    assert!(asked[1].starts_with("/resource-manager/v1/folders?cloudId=b1gc2&pageSize=1000 t1."), "{asked:?}");
    assert!(!asked.concat().contains("other"), "{asked:?}");
}

#[test]
fn a_token_is_not_shown_while_it_is_typed() {
    let mut user = User::new();
    resource_manager(&mut user);
    user.configure("current = 'a'\n[profiles.a]\n[profiles.b]\n");
    let Some(mut conversation) = Conversation::start(&user, "") else { return };
    conversation.answer("Number [1]", "3\n");
    conversation.answer("Name of the new profile", "Bad\n");
    conversation.answer("lower-case", "");
    conversation.answer("Name of the new profile", "new\n");
    conversation.answer("Number [1]", "2\n");
    conversation.answer("(not shown): ", "t1.canary.x\n");
    conversation.answer("Number [1]", "\n");
    conversation.answer("Number [1]", "3\n");
    let (code, shown) = conversation.end();
    assert!(code == 0 && !shown.contains("canary"), "{shown}");
    assert!(shown.contains("12 hours"), "{shown}");
    assert_eq!(user.run("config list").ok(), "token: t1.canary.x\ncloud-id: b1gc1\n");
}

#[test]
fn a_secret_that_is_typed_for_standard_input_is_not_shown() {
    let user = User::new();
    for (command, question) in [
        ("yc-rs config set token -", "token (not shown): "),
        ("yc-rs init --profile p --folder-id b1g --token -", "--token"),
    ] {
        let Some(mut conversation) = Conversation::start_command(&user, command) else { return };
        conversation.answer(question, "t1.canary.x\n");
        let (code, shown) = conversation.end();
        assert!(code == 0 && !shown.contains("canary"), "{shown}");
        assert!(config_text(&user).contains("t1.canary.x"));
    }
}

#[test]
fn none_of_the_folders_takes_the_folder_of_the_profile_away() {
    let mut user = User::new();
    resource_manager(&mut user);
    let before = "current = 'p'\n[profiles.p]\ntoken = 't1.old.x'\ncloud-id = 'b1gold'\nfolder-id = 'b1gold'\n";
    user.configure(before);
    let Some(mut conversation) = Conversation::start(&user, "--profile p --token t1.new.x") else { return };
    conversation.answer("Which cloud?", "");
    conversation.answer("Number [1]", "\n");
    conversation.answer("Which folder?", "");
    conversation.answer("Number [1]", "3\n");
    let (code, shown) = conversation.end();
    assert_eq!(code, 0, "{shown}");
    assert_eq!(user.run("config list").ok(), "token: t1.new.x\ncloud-id: b1gc1\n");
}

#[test]
fn nothing_is_written_when_the_conversation_is_left() {
    for key in ["\u{3}", "\u{4}"] {
        let user = User::new();
        user.configure("current = 'a'\n[profiles.a]\nregion = 'r'\n");
        for question in ["Number [1]", "(not shown): "] {
            let Some(mut conversation) = Conversation::start(&user, "--profile a --folder-id b1gf") else { return };
            if question != "Number [1]" {
                conversation.answer("Number [1]", "2\n");
            }
            conversation.answer(question, key);
            let (code, shown) = conversation.end();
            assert_eq!(code, if key == "\u{3}" { 130 } else { 2 }, "{shown}");
            assert!(shown.contains("ERROR: "), "{shown}");
            assert_eq!(config_text(&user), "current = 'a'\n[profiles.a]\nregion = 'r'\n");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_signal_in_the_middle_of_a_question_leaves_the_terminal_as_it_was() {
    use rustix::process::{Pid, Signal, kill_process};

    for (signal, exit, message) in [
        (Signal::INT, 130, "ERROR: interrupted\n"),
        (Signal::TERM, 143, "ERROR: interrupted by SIGTERM\n"),
        (Signal::HUP, 129, "ERROR: interrupted by SIGHUP\n"),
    ] {
        let user = User::new();
        let command = "sh -c 'echo $$ > pid; exec yc-rs init --profile a --folder-id b1gf'; echo exit $?; stty -a";
        let Some(mut conversation) = Conversation::start_command(&user, command) else { return };
        conversation.answer("Number [1]", "2\n");
        conversation.answer("(not shown): ", "");
        let pid = std::fs::read_to_string(user.home().join("pid")).unwrap();
        kill_process(Pid::from_raw(pid.trim().parse().unwrap()).unwrap(), signal).unwrap();
        let (_, shown) = conversation.end();
        assert!(shown.contains(&format!("{message}exit {exit}\n")), "{shown}");
        let settings: Vec<_> = shown.rsplit("exit").next().unwrap().split_whitespace().collect();
        for setting in ["echo", "icanon", "isig"] {
            assert!(settings.contains(&setting), "{setting}: {shown}");
        }
    }
}

#[test]
fn what_the_flags_give_is_not_asked() {
    let mut user = User::new();
    let manager = resource_manager(&mut user);
    user.configure("[profiles.a]\ntoken = 't1.old.x'\n");
    let Some(mut conversation) = Conversation::start(&user, "--profile a --cloud-id b1gmine") else { return };
    conversation.answer("the current one: token", "");
    conversation.answer("Number [1]", "\n");
    conversation.answer("Which folder?", "");
    conversation.answer("Number [1]", "b1gf1\n");
    let (code, shown) = conversation.end();
    assert_eq!(code, 0, "{shown}");
    assert_eq!(user.run("config list").ok(), "token: t1.old.x\ncloud-id: b1gmine\nfolder-id: b1gf1\n");
    assert_eq!(manager.asked(), ["/resource-manager/v1/folders?cloudId=b1gmine&pageSize=1000 t1.old.x"]);
}

#[test]
fn ids_are_typed_where_nothing_can_be_listed() {
    let mut user = User::new();
    let manager = ResourceManager::start(json!({}), json!({}));
    user.set("YC_ENDPOINT_URL_RESOURCE_MANAGER", &manager.url);
    let Some(mut conversation) = Conversation::start(&user, "--token t1.a.b") else { return };
    conversation.answer("ID of the cloud", "\n");
    conversation.answer("ID of the folder", "a/b\n");
    conversation.answer("is not an ID", "");
    conversation.answer("ID of the folder", "b1gf\n");
    let (code, shown) = conversation.end();
    assert_eq!(code, 0, "{shown}");
    assert_eq!(user.run("config list").ok(), "token: t1.a.b\nfolder-id: b1gf\n");
}

#[test]
fn with_flags_alone_nothing_is_asked_at_a_terminal_either() {
    let user = User::new();
    let Some(conversation) = Conversation::start(&user, "--token t1.a.b --folder-id b1gf") else { return };
    let (code, shown) = conversation.end();
    assert!(code == 0 && !shown.contains('['), "{shown}");
    assert!(shown.contains("Profile 'default' created and activated\n"), "{shown}");
}

#[test]
fn with_no_input_or_yes_nothing_is_asked_at_a_terminal() {
    for flag in ["--no-input", "--yes"] {
        let user = User::new();
        let Some(conversation) = Conversation::start(&user, &format!("--token t1.a.b {flag}")) else { return };
        let (code, shown) = conversation.end();
        assert_eq!(code, 2, "{shown}");
        assert!(
            shown.starts_with("ERROR: ")
                && shown.contains("init cannot ask without a terminal, and these are missing: --folder-id"),
            "{shown}"
        );
        assert_eq!(config_text(&user), "");
    }
}

#[test]
fn after_a_credential_that_is_refused_the_answers_are_kept() {
    let mut user = User::new();
    let manager = resource_manager(&mut user);
    let Some(mut conversation) = Conversation::start(&user, "--token y0_wrong --profile work") else { return };
    conversation.answer("The credential does not work yet: ", "");
    conversation.answer("Number [1]", "2\n");
    conversation.answer("Which credential", "1\n");
    conversation.answer("key file", &format!("{}\n", key_file(&user)));
    conversation.answer("Number [1]", "1\n");
    conversation.answer("Number [1]", "1\n");
    let (code, shown) = conversation.end();
    assert!(code == 0 && !shown.contains("y0_wrong"), "{shown}");
    assert!(shown.contains("Profile 'work' created and activated\n"), "{shown}");
    assert_eq!(manager.asked().len(), 2);
    let values = user.run("config list --format json").json();
    assert!(values["token"].is_null() && values["folder-id"] == "b1gf1", "{values}");
}

#[test]
fn a_profile_can_be_saved_although_the_check_fails() {
    let user = User::new();
    let Some(mut conversation) = Conversation::start(&user, "--token y0_wrong") else { return };
    conversation.answer("Number [1]", "1\n");
    conversation.answer("Number [1]", "3\n");
    let (code, shown) = conversation.end();
    assert!(code == 0 && shown.contains("Profile 'default' created and activated\n"), "{shown}");
    assert_eq!(user.run("config list").ok(), "token: y0_wrong\n");
}

#[test]
fn the_end_says_where_the_profile_is_what_comes_before_it_and_what_is_next() {
    let mut user = User::new();
    user.set("YC_FOLDER_ID", "b1gother");
    let flags = format!("--service-account-key {} --folder-id b1gf", key_file(&user));
    let Some(conversation) = Conversation::start(&user, &flags) else { return };
    let (code, shown) = conversation.end();
    assert_eq!(code, 0, "{shown}");
    let expected = format!(
        "Profile 'default' created and activated\nnote: the profile is in {}\nnote: the key is stored in the profile; the key \
         file is not needed any more\nnote: YC_FOLDER_ID is used instead of 'folder-id' in the profile; to use the\nprofile, \
         type: unset YC_FOLDER_ID\nnote: to check the set-up, type: yc-rs doctor\nnote: to issue a key for an hour, type:\n\
         yc-rs iam access-key issue-ephemeral --duration 1h\n",
        user.config_dir().join("config.toml").display()
    );
    assert_eq!(shown, expected);
}

#[test]
fn a_profile_in_which_yc_uses_a_browser_goes_on_with_its_command() {
    let user = User::new();
    user.configure("current = 'p'\n[profiles.p]\nfederation-id = 'bpf1'\nfolder-id = 'b1gf'\n");
    let Some(mut conversation) = Conversation::start(&user, "--profile p --folder-id b1gf") else { return };
    conversation.answer("[1] a command that prints a token", "");
    conversation.answer("Number [1]", "\n");
    conversation.answer("Command", "\n");
    let (code, shown) = conversation.end();
    assert_eq!(code, 0, "{shown}");
    assert_eq!(user.run("config get token-command").ok(), "- yc\n- iam\n- create-token\n");
}
