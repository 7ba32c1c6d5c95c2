//! Standard output that cannot be written, and filters that fail: harmless for what can be had again, an error for a
//! secret that cannot.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;

use serde_json::{Value, json};
use yc_emulator::ADMIN_ID;

use crate::support::{Ran, User};

fn run_into(stdout: impl Into<Stdio>, user: &User, line: &str) -> Ran {
    let mut command = user.command(line.split_whitespace());
    Ran::of(command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap())
}

/// A pipe whose reader has gone away.
fn closed_pipe() -> Stdio {
    std::io::pipe().unwrap().1.into()
}

#[cfg(target_os = "linux")]
fn full_disk() -> Stdio {
    std::fs::File::options().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn a_reader_that_went_away_is_no_error_when_the_result_can_be_had_again() {
    let user = User::signed_in();
    let key = user.cloud.add_access_key(ADMIN_ID, "").id;
    for line in [
        "--help",
        "--version",
        "version",
        "iam access-key list",
        "iam access-key list --format json",
        "iam create-token",
        &format!("iam access-key get {key} --jq .id"),
        &format!("iam access-key update {key} --description x"),
    ] {
        run_into(closed_pipe(), &user, line).ok();
    }
}

#[test]
fn a_reader_that_takes_one_line_of_many_is_no_error() {
    let user = User::signed_in();
    for _ in 0..3 {
        user.cloud.add_access_key(ADMIN_ID, "");
    }
    let (mut reader, writer) = std::io::pipe().unwrap();
    let filter = "range(0; 200000)";
    let mut command = user.command(["iam", "access-key", "list", "--jq", filter]);
    let child = command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    drop(command);
    reader.read_exact(&mut [0]).unwrap();
    drop(reader);
    Ran::of(child).ok();
}

/// The key that was made is named together with what to do about it, and its secret is not shown.
#[track_caller]
fn names_the_lost_key(user: &User, ran: Ran) {
    let error = ran.failed(1);
    if let Some(key) = user.cloud.access_keys().pop() {
        assert!(error.contains(&format!("yc-rs iam access-key delete {}", key.id)), "{error}");
        assert!(!error.contains(&key.secret), "{error}");
    }
    if let Some(key) = user.cloud.ephemeral_keys().pop() {
        assert!(
            error.contains(&key.access_key_id) && error.contains("the key cannot be deleted and expires at"),
            "{error}"
        );
        assert!(!error.contains(&key.secret) && !error.contains(&key.session_token), "{error}");
    }
}

const MAKERS: [&str; 2] = ["iam access-key create", "iam access-key issue-ephemeral"];

#[test]
fn a_new_secret_that_nobody_reads_is_an_error() {
    for line in MAKERS {
        for flags in ["", "--format json", "--jq .secret"] {
            let user = User::signed_in();
            names_the_lost_key(&user, run_into(closed_pipe(), &user, &format!("{line} {flags}")));
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_new_secret_that_does_not_fit_on_the_disk_is_an_error() {
    for line in MAKERS {
        let user = User::signed_in();
        names_the_lost_key(&user, run_into(full_disk(), &user, line));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_always_an_error() {
    let user = User::signed_in();
    user.cloud.add_access_key(ADMIN_ID, "");
    for line in ["iam access-key list", "iam create-token", "version", "--help", "--version"] {
        run_into(full_disk(), &user, line).failed(1);
    }
}

#[test]
fn a_filter_that_fails_on_a_new_secret_names_the_key() {
    for line in MAKERS {
        for filter in ["error", ".secret|error", ".secret+1", "{(.secret):1}|error", ".secret|tonumber", ".,error"] {
            let user = User::signed_in();
            let args = line.split(' ').chain(["--jq", filter]);
            names_the_lost_key(&user, user.run_args(args));
        }
    }
}

#[test]
fn a_filter_that_fails_on_a_list_is_a_failure_without_output() {
    let user = User::signed_in();
    user.cloud.add_access_key(ADMIN_ID, "");
    let ran = user.run("iam access-key list --error-format json --jq .[],error");
    let error: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!((ran.code, ran.out.as_str(), &error["code"]), (1, "", &"FILTER".into()));
}

/// Answers one request with this JSON.
fn serve_once(answer: &Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = answer.to_string();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut chunk = [0; 1024];
        while !request.ends_with(b"{}") {
            let count = client.read(&mut chunk).unwrap();
            request.extend_from_slice(&chunk[..count]);
        }
        write!(client, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    });
    url
}

#[test]
fn a_secret_of_an_unknown_shape_is_kept_out_of_the_error_too() {
    let secret = "0n8X6WY6S24N-JyTRFdqw8t1kh2";
    let mut user = User::signed_in();
    let answer = json!({"accessKey": {"id": "ajenewkey", "keyId": "0n8X6WY6S24N"}, "secret": secret});
    user.point_at(&serve_once(&answer));
    let error = user.run("iam access-key create --jq .secret|error").failed(1);
    assert!(error.contains("delete ajenewkey") && !error.contains(secret), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_filter_that_breaks_down_on_a_new_key_names_the_key() {
    for filter in ["def f: 1+f; f", "def f: [f]; f"] {
        let user = User::signed_in();
        let error = user.run_args(["iam", "access-key", "create", "--jq", filter]).failed(1);
        let key = &user.cloud.access_keys()[0];
        assert!(error.contains(&format!("yc-rs iam access-key delete {}", key.id)), "{error}");
        assert!(error.contains("the jq filter crashed (") && !error.contains(&key.secret), "{error}");
    }
}

#[test]
fn a_filter_on_a_new_key_yields_the_same_in_a_process_of_its_own() {
    let mut user = User::signed_in();
    user.set("NAME", "v");
    let create = |filter: &str| user.run_args(["iam", "access-key", "create", "--jq", filter]);
    let secret = create(".secret").ok();
    let quoted = create("[.secret, env.NAME] | @tsv").ok();
    let keys = user.cloud.access_keys();
    let made = |text: &str| keys.iter().any(|key| key.secret == text.trim_end());
    assert!(made(&secret) && made(quoted.strip_suffix("\tv\n").unwrap()), "{secret} {quoted}");
    let error = create(".secret | error(\"none\")").failed(1);
    assert!(error.starts_with("ERROR: jq filter: ") && error.contains("yc-rs iam access-key delete "), "{error}");
}
