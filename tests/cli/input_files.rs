//! Text from files, variables and standard input: its encoding, what is refused in it, and the paths that lead to it.

use std::fs::OpenOptions;
use std::io::Write;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use yc_emulator::{ADMIN_ID, EXTERNAL_AUDIENCE, EXTERNAL_ISSUER};

use crate::support::{Ran, User};

/// The text as editors and shells of Windows write it.
fn encodings(text: &str) -> [Vec<u8>; 4] {
    let utf16 = |bytes: fn(u16) -> [u8; 2]| format!("\u{feff}{text}\r\n").encode_utf16().flat_map(bytes).collect();
    [
        text.as_bytes().to_vec(),
        format!("\u{feff}{text}\r\n \n").into_bytes(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
    ]
}

#[test]
fn a_text_is_read_in_every_encoding_from_files_and_standard_input() {
    let mut user = User::signed_in();
    let token = user.cloud.issue_token(ADMIN_ID);
    let key = user.cloud.admin_key().file();
    for bytes in encodings(&token) {
        let mut child = user.start(["--token", "-", "iam", "access-key", "list"]);
        child.stdin.take().unwrap().write_all(&bytes).unwrap();
        Ran::of(child).ok();
    }
    for bytes in encodings("{\"description\": \"Ключ\"}") {
        let path = user.write_bytes("request.json", &bytes);
        let created = user.run(&format!("iam access-key create --format json -r {}", path.display())).json();
        assert_eq!(created["access_key"]["description"], "Ключ");
    }
    for bytes in encodings("{\"Statement\": []}") {
        let path = user.write_bytes("policy.json", &bytes);
        user.run(&format!("iam access-key issue-ephemeral --policy {}", path.display())).ok();
    }
    for bytes in encodings(&format!("current = 'p'\n[profiles.p]\ntoken = '{token}'")) {
        user.write_bytes("config/config.toml", &bytes);
        assert_eq!(user.run("config get token").ok(), format!("{token}\n"));
    }
    user.unset("YC_IAM_TOKEN");
    for bytes in encodings(&key) {
        let path = user.write_bytes("key.json", &bytes);
        user.set("YC_SERVICE_ACCOUNT_KEY_FILE", path.to_str().unwrap());
        assert_eq!(user.run("iam whoami --jq .id").ok(), format!("{ADMIN_ID}\n"));
        user.run(&format!("config set service-account-key {}", path.display())).ok();
    }
}

#[test]
fn certificates_are_read_in_every_encoding() {
    let user = User::signed_in().over_https();
    for bytes in encodings(user.cloud.ca_pem()) {
        let path = user.write_bytes("bundle.pem", &bytes);
        user.run(&format!("iam access-key list --ca-bundle {}", path.display())).ok();
    }
}

#[test]
fn white_space_at_the_end_of_a_variable_does_not_matter() {
    let mut user = User::signed_in();
    let token = user.cloud.issue_token(ADMIN_ID);
    user.set("YC_IAM_TOKEN", format!("\u{feff}{token}\r\n"));
    user.set("YC_FOLDER_ID", "b1gfolder00000000001 \r");
    user.set("YC_FORMAT", "json\n");
    user.run("iam access-key list").ok();
}

#[test]
fn a_control_character_is_refused_and_shown_escaped() {
    let mut user = User::signed_in();
    let policy = user.write_bytes("policy.json", b"{\"Statement\": \"\x1b[2J\"}");
    let error = user.run(&format!("iam access-key issue-ephemeral --policy {}", policy.display())).failed(2);
    let shown = policy.display();
    assert_eq!(error, format!("ERROR: --policy: the file '{shown}' has the control character \\u001b\n"));
    let error = user.run_with_input(["--token", "-", "iam", "create-token"], "t1.\u{7}").failed(2);
    assert_eq!(error, "ERROR: --token: standard input has the control character \\u0007\n");
    let error = user.run_args(["iam", "access-key", "list", "--folder-id", "a\u{1b}b"]).failed(2);
    assert!(error.contains(r"'a\u001bb'"), "{error}");
    user.set("YC_FOLDER_ID", "a\u{1b}[2Jb");
    for line in ["iam access-key list", "config list", "cache clear"] {
        let error = user.run(line).failed(2);
        assert_eq!(error, "ERROR: the environment variable YC_FOLDER_ID has the control character \\u001b\n");
    }
    user.run("version").ok();
}

#[test]
fn a_secret_in_the_form_of_an_assignment_or_of_json_is_refused_with_what_it_looks_like() {
    let mut user = User::new();
    let line = "sts assume-role --access-key-id YCAJEkNuezZyt4b2abcdefghi --secret-access-key-file secret";
    for (text, rule) in [
        ("AWS_SECRET_ACCESS_KEY=YCsecret", "has the form NAME=VALUE"),
        ("export AWS_SECRET_ACCESS_KEY='YCsecret'", "has the form NAME=VALUE"),
        ("{\"secret\": \"YCsecret\"}", "is JSON"),
        ("\"YCsecret\"", "is in quotation marks"),
        ("YCAJE YCsecret", "has white space in it"),
    ] {
        user.write_file("secret", text);
        let message = format!(" {rule}, but must be the secret and nothing else\n");
        assert_eq!(user.run(line).failed(2), format!("ERROR: --secret-access-key-file: 'secret'{message}"));
        user.set("AWS_ACCESS_KEY_ID", "YCAJEkNuezZyt4b2abcdefghi");
        user.set("AWS_SECRET_ACCESS_KEY", text);
        assert_eq!(user.run("sts assume-role").failed(2), format!("ERROR: AWS_SECRET_ACCESS_KEY{message}"));
    }
}

/// Command lines with a place for a path.
const FLAGS: [&str; 11] = [
    "iam access-key list --ca-bundle PATH",
    "iam access-key create -r PATH",
    "iam access-key issue-ephemeral --policy PATH",
    "iam access-key issue-ephemeral --policy file://PATH",
    "iam access-key issue-ephemeral --aws-profile p --aws-credentials-file PATH",
    "sts assume-role --access-key-id YCAJEkNuezZyt4b2abcdefghi --secret-access-key-file PATH",
    "config set ca-bundle PATH",
    "config set service-account-key PATH",
    "config set workload-identity.subject-token file:PATH",
    "init --profile p --service-account-key-file PATH --folder-id b1g",
    "man PATH",
];

/// Variables that hold a path, each with a command that reads it.
const VARIABLES: [(&str, &str); 5] = [
    ("YC_CA_BUNDLE", "iam access-key list"),
    ("YC_SERVICE_ACCOUNT_KEY_FILE", "iam whoami"),
    ("YC_RS_CONFIG_DIR", "config list"),
    ("YC_RS_CACHE_DIR", "iam access-key list"),
    ("AWS_SHARED_CREDENTIALS_FILE", "iam access-key issue-ephemeral --aws-profile p"),
];

#[test]
fn a_path_that_a_shell_should_have_expanded_is_refused() {
    for (path, problem) in [
        ("$HOME/x", "begins with a variable, which is not expanded"),
        ("${HOME}/x", "begins with a variable, which is not expanded"),
        ("%USERPROFILE%/x", "begins with a variable, which is not expanded"),
        ("~you/x", "begins with the name of a user, which is not expanded"),
        ("C:\\x", "is one of Windows"),
    ] {
        let message = format!("the path '{path}' {problem}; write it in full\n");
        let user = User::signed_in();
        for flag in FLAGS {
            let line: Vec<_> = flag.split(' ').map(|word| word.replace("PATH", path)).collect();
            let error = user.run_args(&line).failed(2);
            assert!(error.contains(&message), "{line:?}: {error}");
        }
        for (variable, line) in VARIABLES {
            let mut user = User::signed_in();
            if variable == "YC_SERVICE_ACCOUNT_KEY_FILE" {
                user.unset("YC_IAM_TOKEN");
            }
            user.set(variable, path);
            let error = user.run(line).failed(2);
            assert!(error.contains(&message), "{variable}: {error}");
            assert_eq!(user.sent(), Vec::<String>::new());
            assert!(!user.home().join("$HOME").exists());
        }
        let user = User::new();
        for key in ["service-account-key-file", "ca-bundle"] {
            user.use_profile(&format!("{key} = '{path}'"));
            let error = user.run("iam whoami").failed(2);
            assert!(error.contains(&message), "{key}: {error}");
        }
    }
}

#[test]
fn a_tilde_at_the_beginning_of_a_path_is_the_home_directory() {
    let mut user = User::signed_in().over_https();
    let key = user.cloud.admin_key().file();
    user.write_file("key.json", &key);
    user.write_file("request.json", "{}");
    user.write_file("policy.json", "{}");
    for line in [
        "iam access-key list --ca-bundle ~/ca.pem",
        "iam access-key create -r ~/request.json",
        "iam access-key issue-ephemeral --policy ~/policy.json",
        "iam access-key issue-ephemeral --policy file://~/policy.json",
        "iam access-key issue-ephemeral --aws-profile p --aws-credentials-file ~/aws",
        "man ~/man",
    ] {
        user.run(line).ok();
    }
    assert!(user.home().join("aws").exists() && user.home().join("man").is_dir());
    user.run("config set ca-bundle ~/ca.pem");
    assert_eq!(user.run("config get ca-bundle").ok(), format!("{}/ca.pem\n", user.home().display()));
    user.unset("YC_IAM_TOKEN");
    for (variable, path) in [
        ("YC_SERVICE_ACCOUNT_KEY_FILE", "~/key.json"),
        ("YC_CA_BUNDLE", "~/ca.pem"),
        ("YC_RS_CONFIG_DIR", "~/config"),
        ("YC_RS_CACHE_DIR", "~/cache"),
    ] {
        user.set(variable, path);
        user.run("iam whoami").ok();
    }
    assert!(!user.home().join("~").exists());
}

/// Gives the program a pipe in the place of a file, and the text when it reads it.
fn run_with_pipe(user: &User, line: &str, text: &str) -> Ran {
    let pipe = user.home().join("pipe");
    let _ = std::fs::remove_file(&pipe);
    user.make_pipe("pipe");
    let text = text.to_owned();
    // To open it waits until the program does.
    let writer =
        thread::spawn(move || OpenOptions::new().write(true).open(pipe).unwrap().write_all(text.as_bytes()).unwrap());
    let ran = user.run(&line.replace("PIPE", "pipe"));
    writer.join().unwrap();
    ran
}

#[test]
fn a_pipe_that_is_typed_on_the_command_line_is_read() {
    let user = User::signed_in().over_https();
    let key = user.cloud.admin_key().file();
    let ca = user.cloud.ca_pem().to_owned();
    run_with_pipe(&user, "iam access-key list --ca-bundle PIPE", &ca).ok();
    run_with_pipe(&user, "iam access-key create -r PIPE", "{}").ok();
    run_with_pipe(&user, "iam access-key issue-ephemeral --policy PIPE", "{}").ok();
    run_with_pipe(&user, "config set service-account-key PIPE", &key);
    assert_eq!(user.run("config get service-account-key.id").ok(), format!("{}\n", user.cloud.admin_key().id));
}

/// Command lines that read a pipe from which nothing comes.
const WAITING: [&str; 7] = [
    "iam access-key list --ca-bundle pipe",
    "iam access-key create -r pipe",
    "iam access-key issue-ephemeral --policy pipe",
    "sts assume-role --access-key-id YCAJEkNuezZyt4b2abcdefghi --secret-access-key-file pipe",
    "config set service-account-key pipe",
    "config set ca-bundle pipe",
    "init --profile p --service-account-key pipe --folder-id b1g",
];

#[test]
fn a_pipe_holds_up_neither_the_timeout_nor_signals() {
    let user = User::signed_in().over_https();
    user.make_pipe("pipe");
    for line in WAITING {
        let error = user.run(&format!("{line} --timeout 300ms")).failed(5);
        assert_eq!(error, "ERROR: not done within the 300ms of --timeout\n", "{line}");
    }
    for (signal, exit) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        for line in WAITING {
            let child = user.start(line.split(' '));
            crate::interrupts::wait_until_listening(&child);
            kill_process(Pid::from_child(&child), signal).unwrap();
            Ran::of(child).failed(exit);
        }
    }
}

#[test]
fn a_pipe_in_a_variable_a_profile_or_the_configuration_is_refused_at_once() {
    let refused = "is not a regular file\n";
    let pipe = |user: &User| user.make_pipe("pipe").to_str().unwrap().to_owned();
    for (variable, line) in VARIABLES.into_iter().filter(|(variable, _)| !variable.ends_with("_DIR")) {
        let mut user = User::signed_in().over_https();
        if variable == "YC_SERVICE_ACCOUNT_KEY_FILE" {
            user.unset("YC_IAM_TOKEN");
        }
        let path = pipe(&user);
        user.set(variable, path);
        let error = user.run(line).failed(2);
        assert!(error.contains(refused), "{variable}: {error}");
    }
    let user = User::new();
    let path = pipe(&user);
    for key in ["service-account-key-file", "ca-bundle"] {
        user.use_profile(&format!("{key} = '{path}'"));
        let error = user.run("iam whoami").failed(2);
        assert!(error.contains(refused), "{key}: {error}");
    }
    let federation = user.cloud.add_federation(EXTERNAL_ISSUER, EXTERNAL_AUDIENCE);
    user.cloud.bind(&federation, "job", ADMIN_ID);
    user.use_profile(&format!(
        "workload-identity = {{ service-account-id = '{ADMIN_ID}', subject-token = 'file:{path}' }}"
    ));
    let error = user.run("iam create-token").failed(3);
    assert!(error.contains(refused), "{error}");
    std::fs::remove_file(user.config_dir().join("config.toml")).unwrap();
    user.make_pipe("config/config.toml");
    for line in
        ["iam create-token", "config list", "config set region x", "init --profile p --token t1.a --folder-id b"]
    {
        let error = user.run(line).failed(2);
        assert!(error.contains(refused), "{line}: {error}");
    }
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let user = User::signed_in();
    let path = user.write_bytes("large", &vec![b' '; 1024 * 1024 + 1]);
    let shown = path.display();
    let error = user.run(&format!("iam access-key create -r {shown}")).failed(2);
    assert_eq!(error, format!("ERROR: --request-file: the file '{shown}' cannot be read: it is larger than 1 MiB\n"));
    let error = user.run("iam access-key create -r /dev/zero").failed(2);
    assert_eq!(error, "ERROR: --request-file: the file '/dev/zero' cannot be read: it is larger than 1 MiB\n");
}
