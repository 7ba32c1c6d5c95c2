//! A program of the user's that prints a token.

use std::fs::{File, Permissions, set_permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use yc_emulator::{ADMIN_ID, Grant, OAUTH_TOKEN};

use super::{CREATE_TOKEN, cached, newest_grant};
use crate::programs::leave_out;
use crate::support::User;

/// A user whose profile runs this, and for whom the server says nothing about the tokens that it prints.
fn with_command(command: &[&str]) -> User {
    let mut user = User::new();
    user.set("YC_ENDPOINT_URL_AUTH", "http://127.0.0.1:1");
    run_instead(&user, command);
    user
}

fn run_instead(user: &User, command: &[&str]) {
    user.use_profile(&format!("token-command = {}", serde_json::to_string(command).unwrap()));
}

#[test]
fn an_iam_token_is_used_as_it_is() {
    let user = User::new();
    let token = user.cloud.issue_token(ADMIN_ID);
    for text in ["%s\\n", "  %s \\nsecond line\\n", "%s", "%s\\r\\n"] {
        run_instead(&user, &["/usr/bin/printf", text, &token]);
        assert_eq!(user.run(CREATE_TOKEN).ok(), format!("{token}\n"), "{text}");
    }
    assert_eq!((user.sent(), cached(&user).len()), (vec!["GET /oauth/userinfo".to_owned(); 4], 0));
    user.run("iam access-key list").ok();
}

#[test]
fn an_oauth_token_is_exchanged() {
    let user = with_command(&["/bin/echo", OAUTH_TOKEN]);
    user.run(CREATE_TOKEN).ok();
    assert_eq!(newest_grant(&user), Grant::Oauth);
}

#[test]
fn the_program_is_found_by_path_and_has_the_users_variables_and_no_input() {
    let mut user = with_command(&["sh", "-c", "cat; echo $OWN"]);
    user.set("PATH", "/bin:/usr/bin");
    user.set("OWN", "t1.own");
    assert_eq!(user.run_with_input(["iam", "create-token"], "t1.input\n").ok(), "t1.own\n");
}

#[test]
fn what_the_program_says_on_standard_error_is_shown_when_it_fails_only() {
    let user = with_command(&["/bin/sh", "-c", "echo noise >&2; echo t1.a"]);
    assert_eq!(user.run(CREATE_TOKEN).ok(), "t1.a\n");
    let script = user.write_file("script", "printf t1.half; echo the vault is sealed >&2; exit 7");
    run_instead(&user, &["/bin/sh", script.to_str().unwrap()]);
    let error = user.run(CREATE_TOKEN).failed(3);
    assert!(error.contains("the vault is sealed") && error.contains("token-command"), "{error}");
    assert!(!error.contains("t1.half"), "{error}");
}

#[test]
fn what_the_program_says_is_one_line_without_a_secret() {
    let user = User::new();
    let long = "a denial ".repeat(100);
    for (line, shown) in [
        ("expired: wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY1234", "(a secret of random characters, not shown)"),
        ("token t1.9euelZqXm5yLkpGRkZKRkpGR", "(an IAM token, not shown)"),
        ("\u{1b}[31mdenied", r"\u001b[31mdenied"),
        (&long, &format!("{}…", &long[..399])),
    ] {
        let script = user.write_file("script", &format!("cat >&2 <<'END'\n{line}\nEND\nexit 7"));
        run_instead(&user, &["/bin/sh", script.to_str().unwrap()]);
        let expected = format!(
            "ERROR: cannot get an IAM token with 'token-command' of profile 'p': token-command '/bin/sh' failed \
             (exit status: 7): {shown}\nhint: to check the set-up, type: yc-rs doctor\n"
        );
        assert_eq!(user.run(CREATE_TOKEN).failed(3), expected);
    }
}

#[test]
fn a_command_line_in_one_string_comes_with_the_form_of_the_array() {
    let user = with_command(&["yc iam create-token"]);
    let expected = "ERROR: cannot get an IAM token with 'token-command' of profile 'p': token-command \
                    'yc iam create-token' cannot be started: No such file or directory (os error 2)\n\
                    hint: write each argument as a string of its own, e.g. [\"yc\", \"iam\", \"create-token\"]\n";
    assert_eq!(user.run(CREATE_TOKEN).failed(2), expected);
}

#[test]
fn a_program_that_gives_no_token_is_the_error() {
    let user = User::new();
    for (case, command) in [
        ("nothing", &["/bin/sh", "-c", ""][..]),
        ("an empty line", &["/bin/echo"]),
        ("an empty first line", &["/usr/bin/printf", "\\nt1.second"]),
        ("JSON", &["/bin/echo", "{\"token\": 1}"]),
        ("an S3 key", &["/bin/echo", "YCAJEkey"]),
        ("words", &["/bin/echo", "please log in"]),
        ("failure", &["/bin/sh", "-c", "exit 1"]),
        ("a signal", &["/bin/sh", "-c", "kill -9 $$"]),
    ] {
        run_instead(&user, command);
        let error = user.run(CREATE_TOKEN).failed(3);
        assert!(error.contains("token-command"), "{case}: {error}");
    }
    assert!(user.cloud.requests().is_empty());
}

#[test]
fn a_program_that_cannot_be_started_is_a_mistake_in_the_configuration() {
    let user = User::new();
    for program in ["/missing/program", "no-such-program-anywhere", "/"] {
        run_instead(&user, &[program]);
        let error = user.run(CREATE_TOKEN).failed(2);
        assert!(error.contains("token-command") && error.contains(program), "{error}");
    }
}

#[test]
fn token_command_is_an_array_of_texts() {
    let user = User::new();
    for value in ["'yc iam create-token'", "[1]", "['yc', true]", "{}", "[]", "['']"] {
        user.use_profile(&format!("token-command = {value}"));
        let error = user.run(CREATE_TOKEN).failed(2);
        assert!(error.contains("token-command"), "{value}: {error}");
    }
}

#[test]
fn no_shell_reads_the_command() {
    let user = with_command(&[]);
    let text = "t1.a;touch${IFS}pwned;$(touch${IFS}pwned)`touch${IFS}pwned`|touch>pwned&&*";
    run_instead(&user, &["/bin/echo", text]);
    assert_eq!(user.run(CREATE_TOKEN).ok(), format!("{text}\n"));
    assert!(!user.home().join("pwned").exists());
    run_instead(&user, &["/bin/echo t1.a; touch pwned"]);
    user.run(CREATE_TOKEN).failed(2);
    assert!(!user.home().join("pwned").exists());
}

#[test]
fn a_configuration_that_others_can_write_runs_nothing() {
    let user = with_command(&["/bin/sh", "-c", "touch ran; echo t1.a"]);
    let file = user.config_dir().join("config.toml");
    let home = user.home().to_owned();
    for (path, mode) in [
        (&file, 0o620),
        (&file, 0o602),
        (&user.config_dir(), 0o770),
        (&user.config_dir(), 0o707),
        (&home, 0o720),
        (&home, 0o777),
    ] {
        let sound = path.metadata().unwrap().permissions();
        set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let error = user.run(CREATE_TOKEN).failed(2);
        let expected = format!(
            "ERROR: {0} can be written by others, so the token-command of {1} is not run\nhint: type: chmod go-w {0}\n",
            path.display(),
            file.display()
        );
        assert_eq!(error, expected, "{mode:o}");
        assert!(!user.home().join("ran").exists(), "{mode:o}");
        set_permissions(path, sound).unwrap();
    }
    set_permissions(&home, Permissions::from_mode(0o1777)).unwrap();
    user.run(CREATE_TOKEN).ok();
    assert!(user.home().join("ran").exists());
}

#[test]
fn a_configuration_that_is_a_link_is_trusted_by_what_it_leads_to() {
    let user = with_command(&["/bin/sh", "-c", "echo t1.a"]);
    let shared = user.home().join("shared");
    std::fs::create_dir(&shared).unwrap();
    set_permissions(&shared, Permissions::from_mode(0o777)).unwrap();
    let file = user.config_dir().join("config.toml");
    std::fs::rename(&file, shared.join("real.toml")).unwrap();
    std::os::unix::fs::symlink(shared.join("real.toml"), &file).unwrap();
    let error = user.run(CREATE_TOKEN).failed(2);
    assert!(error.starts_with(&format!("ERROR: {} can be written by others, ", shared.display())), "{error}");
    set_permissions(&shared, Permissions::from_mode(0o755)).unwrap();
    user.run(CREATE_TOKEN).ok();
}

#[test]
fn a_link_that_others_can_replace_on_the_way_to_the_configuration_runs_nothing() {
    let user = with_command(&["/bin/sh", "-c", "touch ran; echo t1.a"]);
    let shared = user.home().join("shared");
    std::fs::create_dir(&shared).unwrap();
    let file = user.config_dir().join("config.toml");
    let real = user.home().join("real.toml");
    std::fs::rename(&file, &real).unwrap();
    std::os::unix::fs::symlink(&real, shared.join("link.toml")).unwrap();
    std::os::unix::fs::symlink(shared.join("link.toml"), &file).unwrap();
    set_permissions(&shared, Permissions::from_mode(0o777)).unwrap();
    let expected = format!(
        "ERROR: {0} can be written by others, so the token-command of {1} is not run\nhint: type: chmod go-w {0}\n",
        shared.display(),
        file.display()
    );
    assert_eq!(user.run(CREATE_TOKEN).failed(2), expected);
    assert!(!user.home().join("ran").exists());
}

#[test]
fn a_configuration_of_another_user_runs_nothing() {
    let user = with_command(&["/bin/sh", "-c", "touch ran; echo t1.a"]);
    let file = user.config_dir().join("config.toml");
    for path in [file.clone(), user.config_dir()] {
        if std::os::unix::fs::chown(&path, Some(54321), None).is_err() {
            return leave_out("the right to give files away");
        }
        let error = user.run(CREATE_TOKEN).failed(2);
        let expected = format!(
            "ERROR: {} belongs to another user, so the token-command of {} is not run\n",
            path.display(),
            file.display()
        );
        assert_eq!(error, expected);
        std::os::unix::fs::chown(&path, Some(rustix::process::geteuid().as_raw()), None).unwrap();
    }
    assert!(!user.home().join("ran").exists());
}

/// A user for whom this program is installed under the name of `yc`.
fn installed_as_yc(command: &[&str]) -> User {
    let mut user = with_command(command);
    let directory = user.home().join("bin");
    std::fs::create_dir(&directory).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_yc-rs"), directory.join("yc")).unwrap();
    user.set("PATH", format!("{}:/bin:/usr/bin", directory.display()));
    user
}

#[test]
fn a_command_that_is_this_program_again_is_one_error() {
    let expected = "the token-command starts yc-rs again, which has a token-command too, and so on without end";
    for command in [
        &["yc", "iam", "create-token"][..],
        &["/bin/sh", "-c", "yc iam create-token"],
        &["/bin/sh", "-c", "sh -c 'yc iam create-token --format json' | cat; exit 7"],
    ] {
        let mut user = installed_as_yc(command);
        let error = user.run("iam access-key list").failed(2);
        assert_eq!(error.matches("ERROR: ").count(), 1, "{error}");
        assert!(error.lines().next().unwrap().ends_with(expected) && error.contains("\nhint: "), "{error}");
        user.set("YC_ERROR_FORMAT", "json");
        let ran = user.run("iam access-key list");
        let json: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
        assert_eq!((ran.code, &json["code"]), (2, &"CONFIG".into()), "{json}");
        assert!(user.cloud.requests().is_empty());
    }
}

#[test]
fn a_command_may_be_this_program_with_another_credential() {
    let user = User::new();
    let token = user.cloud.issue_token(ADMIN_ID);
    let user = installed_as_yc(&["/bin/sh", "-c", &format!("yc iam create-token --token {token}")]);
    assert_eq!(user.run(CREATE_TOKEN).ok(), format!("{token}\n"));
}

#[test]
fn a_command_that_hangs_ends_with_the_time_that_the_user_gives() {
    let user = with_command(&["/bin/sh", "-c", "exec sleep 600"]);
    user.run("iam create-token --timeout 300ms").failed(5);
}

#[test]
fn a_token_is_used_once_its_line_is_complete_and_the_program_is_then_ended() {
    let user = with_command(&["/bin/sh", "-c", "echo t1.own; exec sleep 600"]);
    let started = Instant::now();
    assert_eq!(user.run(CREATE_TOKEN).ok(), "t1.own\n");
    run_instead(&user, &["/bin/sh", "-c", "echo t1.own; exec yes"]);
    assert_eq!(user.run(CREATE_TOKEN).ok(), "t1.own\n");
    // Far less than the minute that the program may take.
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[test]
fn no_more_than_64_kibibytes_of_the_output_are_read() {
    let user = with_command(&["/bin/cat", "/dev/zero"]);
    let expected = "ERROR: cannot get an IAM token with 'token-command' of profile 'p': token-command '/bin/cat' printed \
                    more than 64 KiB, and no token first\nhint: to check the set-up, type: yc-rs doctor\n";
    let started = Instant::now();
    assert_eq!(user.run(CREATE_TOKEN).failed(3), expected);
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[cfg(target_os = "linux")]
#[test]
fn the_program_does_not_outlive_this_one() {
    let user = with_command(&["/bin/sh", "-c", "exec 3> pipe; echo started >&3; exec sleep 600"]);
    let pipe = user.make_pipe("pipe");
    let mut child = user.start(["iam", "create-token"]);
    // Opening waits until the program has opened it too.
    let mut from_program = BufReader::new(File::open(pipe).unwrap());
    let mut line = String::new();
    from_program.read_line(&mut line).unwrap();
    assert_eq!(line, "started\n");
    let started = Instant::now();
    // By SIGKILL, after which this program can do nothing any more.
    child.kill().unwrap();
    child.wait().unwrap();
    // The end of the pipe comes when the program is gone.
    from_program.read_to_string(&mut line).unwrap();
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}
