//! `--debug` and `--debug-grpc`: what the log of requests tells, and what it keeps to itself.

use yc_emulator::{ADMIN_ID, Fault, Request};

use crate::route::{CREATE, KEYS, LIST};
use crate::support::{Ran, User};

const DESCRIPTION: &str = "nightly-backup";

fn server_ids(log: &str) -> Vec<&str> {
    let words: Vec<_> = log.split(|c: char| c.is_whitespace() || "(),".contains(c)).collect();
    words.windows(2).filter(|pair| pair[0] == "server-request-id").map(|pair| pair[1]).collect()
}

/// Makes a key with everything on the way that is secret.
fn create(user: &User, flag: &str) -> Ran {
    let ran = user.run(&format!("iam access-key create --description {DESCRIPTION} {flag}"));
    assert_eq!(ran.code, 0, "{ran:#?}");
    ran
}

#[test]
fn debug_tells_each_request_and_its_response() {
    let user = User::new().with_key();
    let log = create(&user, "--debug").err;
    let requests = user.cloud.requests();
    for Request { method, path, body, headers, .. } in &requests {
        let id = &headers.iter().find(|(name, _)| name == "x-request-id").unwrap().1;
        let url = format!("{method} {}{path}", user.cloud.http_url());
        let size = format!("{} bytes", body.len());
        let line = log.lines().find(|line| line.contains(id)).unwrap_or_else(|| panic!("{id} is missing in\n{log}"));
        assert!(line.contains(&url) && line.contains(&size), "{line}");
    }
    let answers: Vec<_> = log.lines().filter(|line| line.contains(" 200 ")).collect();
    assert!(answers.len() == 2 && answers.iter().all(|line| line.contains(" ms") && line.contains("bytes")), "{log}");
    assert_eq!(server_ids(&log).len(), 2, "{log}");
}

#[test]
fn debug_tells_attempts_apart() {
    let user = User::signed_in();
    user.cloud.fault(LIST, Fault::unavailable());
    user.cloud.fault(LIST, Fault::Close);
    let ran = user.run("iam access-key list --debug --format json");
    assert_eq!((ran.code, ran.out.as_str()), (0, "[]\n"));
    for (attempt, outcome) in [("#1", " 503 "), ("#2", "failed"), ("#3", " 200 ")] {
        let lines: Vec<_> = ran.err.lines().filter(|line| line.contains(attempt)).collect();
        assert!(lines.iter().any(|line| line.contains(LIST.split(' ').next().unwrap())), "{}", ran.err);
        assert!(lines.iter().any(|line| line.contains(outcome)), "{}", ran.err);
    }
}

#[test]
fn debug_leaves_out_headers_and_bodies() {
    let user = User::signed_in();
    let log = create(&user, "--debug").err;
    for part in [DESCRIPTION, "content-type", "user-agent", "keyId"] {
        assert!(!log.contains(part), "{part}:\n{log}");
    }
}

#[test]
fn debug_grpc_adds_headers_and_bodies() {
    let user = User::signed_in();
    let log = create(&user, "--debug-grpc").err;
    let key = &user.cloud.access_keys()[0];
    let url = format!("POST {}{KEYS}", user.cloud.http_url());
    for part in [&url, "x-client-trace-id", "idempotency-key", "x-server-trace-id", DESCRIPTION, &key.key_id, &key.id] {
        assert!(log.contains(part), "{part} is missing in\n{log}");
    }
}

#[test]
fn no_secret_is_in_the_log() {
    for flag in ["--debug", "--debug-grpc", "--debug --debug-grpc"] {
        let user = User::new().with_key().without_cache();
        let ran = create(&user, flag);
        let ephemeral = user.run(&format!("iam access-key issue-ephemeral {flag}"));
        assert_eq!(ephemeral.code, 0);
        let log = ran.err + &ephemeral.err;

        let mut secrets = vec![user.cloud.access_keys()[0].secret.clone()];
        secrets.extend(user.cloud.tokens().iter().map(|token| token.value.clone()));
        let key = &user.cloud.ephemeral_keys()[0];
        secrets.extend([key.secret.clone(), key.session_token.clone()]);
        let exchanges = user.cloud.requests().into_iter().filter(|request| request.path == "/iam/v1/tokens");
        secrets.extend(exchanges.map(|request| request.json()["jwt"].as_str().unwrap().to_owned()));
        assert_eq!(secrets.len(), 7);
        for secret in &secrets {
            assert!(!log.contains(&secret[..secret.len() / 2]), "{secret} is in\n{log}");
        }
        assert!(ran.out.contains(&secrets[0]), "the result itself is not masked");
    }
}

#[test]
fn a_refusal_is_logged_without_the_secrets_it_repeats() {
    let user = User::signed_in();
    user.cloud.fault(CREATE, Fault::EchoSecrets);
    let ran = user.run("iam access-key create --debug-grpc");
    assert_eq!(ran.code, 1);
    let token = &user.cloud.tokens()[0].value;
    assert!(ran.err.contains("Cannot handle the request") && !ran.err.contains(token), "{}", ran.err);
}

#[test]
fn silence_for_people_does_not_silence_the_log() {
    let user = User::signed_in();
    user.cloud.add_access_key(ADMIN_ID, "");
    let ran = user.run("iam access-key list --debug --no-user-output");
    assert!(ran.code == 0 && ran.err.contains(LIST.split(' ').next().unwrap()), "{ran:#?}");
}
