//! Calls that make a secret: sent again only when the server has certainly not made one.

use std::net::TcpListener;

use serde_json::Value;
use yc_emulator::{Fault, Request};

use crate::route::{CREATE, EXCHANGE, ISSUE};
use crate::support::User;

/// A command that makes a secret.
struct Maker {
    line: &'static str,
    pattern: &'static str,
    made: fn(&User) -> usize,
    /// What the advice on a lost key has to name.
    how_to_look: &'static str,
}

const MAKERS: [Maker; 2] = [
    Maker {
        line: "iam access-key create",
        pattern: CREATE,
        made: |user| user.cloud.access_keys().len(),
        how_to_look: "yc-rs iam access-key list",
    },
    Maker {
        line: "iam access-key issue-ephemeral",
        pattern: ISSUE,
        made: |user| user.cloud.ephemeral_keys().len(),
        how_to_look: "the key cannot be deleted and expires",
    },
];

impl Maker {
    fn attempts(&self, user: &User) -> usize {
        user.cloud.requests().iter().map(Request::line).filter(|line| line == self.pattern).count()
    }

    /// Runs the command, which fails without knowing whether there is a key now.
    #[track_caller]
    fn leaves_open(&self, user: &User, flags: &str, case: &str) {
        let ran = user.run(&format!("{} --error-format json {flags}", self.line));
        let error: Value = serde_json::from_str(&ran.err).unwrap_or_else(|_| panic!("{case}: {ran:#?}"));
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{case}: {error:#}");
        assert_eq!((&error["exit"], &error["retryable"]), (&1.into(), &false.into()), "{case}: {error:#}");
        let text = format!("{} {}", error["message"], error["hint"]);
        assert!(text.contains("a key may ") && text.contains(self.how_to_look), "{case}: {error:#}");
        assert_eq!(self.attempts(user), 1, "{case}");
    }
}

fn users() -> [User; 2] {
    [User::signed_in(), User::signed_in().over_https()]
}

#[test]
fn nothing_is_sent_again_when_the_response_to_a_processed_request_is_of_no_use() {
    let faults = [
        Fault::LoseReply,
        Fault::CutReply,
        Fault::Garbage,
        Fault::BadGateway(500),
        Fault::BadGateway(502),
        Fault::BadGateway(504),
    ];
    for maker in &MAKERS {
        for fault in &faults {
            for user in users() {
                user.cloud.fault(maker.pattern, fault.clone());
                maker.leaves_open(&user, "", &format!("{} {fault:?}", maker.line));
                assert_eq!((maker.made)(&user), 1, "{fault:?}");
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn lost_responses_make_no_second_key() {
    assert_eq!(crate::crashes::lost_replies(40), 0);
}

#[test]
fn refusals_and_lost_connections_that_may_hide_a_key_leave_it_open_too() {
    let refusal = |code, http| Fault::status(code, "something broke").http(http).into();
    for maker in &MAKERS {
        for fault in [refusal(13, 500), refusal(14, 502), refusal(4, 504), Fault::Close, Fault::Oversized] {
            for user in users() {
                user.cloud.fault(maker.pattern, fault.clone());
                maker.leaves_open(&user, "", &format!("{} {fault:?}", maker.line));
            }
        }
    }
}

#[test]
fn a_read_time_out_leaves_it_open() {
    for maker in &MAKERS {
        for user in users() {
            let hold = user.cloud.hold(maker.pattern);
            maker.leaves_open(&user, "--read-timeout 300ms", maker.line);
            hold.release();
        }
        let user = User::signed_in();
        let hold = user.cloud.hold(maker.pattern);
        let error = user.run(&format!("{} --read-timeout 300ms", maker.line)).failed(1);
        assert!(error.contains("a key may ") && error.contains("--read-timeout"), "{error}");
        hold.release();
    }
}

#[test]
fn the_time_limit_of_the_command_leaves_it_open_while_the_call_is_under_way() {
    for maker in &MAKERS {
        let user = User::signed_in();
        let hold = user.cloud.hold(maker.pattern);
        maker.leaves_open(&user, "--timeout 2s", maker.line);
        hold.release();
    }
}

#[test]
fn the_text_form_says_so_as_well() {
    for maker in &MAKERS {
        let user = User::signed_in();
        user.cloud.fault(maker.pattern, Fault::LoseReply);
        let error = user.run(maker.line).failed(1);
        assert!(error.contains("a key may ") && error.contains(maker.how_to_look), "{error}");
    }
}

#[test]
fn the_owner_is_named_in_the_command_that_looks_for_the_key() {
    let user = User::signed_in();
    user.cloud.fault(CREATE, Fault::LoseReply);
    let error = user.run(&format!("iam access-key create --service-account-id {}", yc_emulator::BACKUP_ID)).failed(1);
    assert!(error.contains(&format!("list --service-account-id {}", yc_emulator::BACKUP_ID)), "{error}");
}

#[test]
fn a_request_that_was_refused_unprocessed_is_sent_again() {
    for maker in &MAKERS {
        for (code, http) in [(8, 429), (14, 503)] {
            for user in users() {
                let refusal = Fault::status(code, "busy").http(http);
                user.cloud.fault(maker.pattern, refusal.clone());
                user.cloud.fault(maker.pattern, refusal);
                user.run(maker.line).ok();
                assert_eq!((maker.attempts(&user), (maker.made)(&user)), (3, 1), "{} {http}", maker.line);
            }
        }
    }
}

#[test]
fn a_request_that_was_never_sent_is_sent_again() {
    for maker in &MAKERS {
        let user = User::signed_in().over_https();
        user.cloud.refuse_connections(3);
        user.run(maker.line).ok();
        assert_eq!((maker.attempts(&user), (maker.made)(&user)), (1, 1), "{}", maker.line);
    }
}

#[test]
fn a_lost_token_exchange_is_sent_again_before_the_key_is_made() {
    for maker in &MAKERS {
        let user = User::new().with_key();
        user.cloud.fault(EXCHANGE, Fault::LoseReply);
        user.run(maker.line).ok();
        assert_eq!((maker.made)(&user), 1);
    }
}

/// An error that must not speak of a key: none can have been made.
#[track_caller]
fn certainly_nothing(user: &User, line: &str, exit: i32) {
    let error = user.run(line).failed(exit);
    assert!(!error.contains("a key may "), "{line}: {error}");
}

#[test]
fn a_refusal_that_stays_does_not_speak_of_a_key() {
    for maker in &MAKERS {
        for (code, exit) in [(14, 5), (8, 5), (7, 3), (16, 3), (3, 1)] {
            let user = User::signed_in();
            user.cloud.fault(maker.pattern, Fault::status(code, "no"));
            certainly_nothing(&user, &format!("{} --retry 1", maker.line), exit);
        }
    }
}

#[test]
fn a_connection_that_does_not_come_about_does_not_speak_of_a_key() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for maker in &MAKERS {
        let mut user = User::signed_in();
        let no_tls = user.cloud.http_url().replace("http://", "https://");
        let untrusted = user.cloud.https_url().to_owned();
        let unreachable = [format!("http://{closed}"), format!("https://{closed}"), no_tls].map(|address| (address, 5));
        for (address, code) in unreachable.into_iter().chain([(untrusted, 1)]) {
            user.point_at(&address);
            certainly_nothing(&user, &format!("{} --retry 2", maker.line), code);
        }
        assert_eq!(user.cloud.requests().len(), 0);
    }
}

#[test]
fn a_connection_time_out_does_not_speak_of_a_key() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for maker in &MAKERS {
        let mut user = User::signed_in();
        user.point_at(&format!("https://{}", silent.local_addr().unwrap()));
        certainly_nothing(&user, &format!("{} --retry 1 --connect-timeout 200ms", maker.line), 5);
    }
}

#[test]
fn a_token_exchange_that_fails_does_not_speak_of_a_key() {
    for maker in &MAKERS {
        let user = User::new().with_key();
        user.cloud.fault(EXCHANGE, Fault::LoseReply);
        certainly_nothing(&user, &format!("{} --retry 1", maker.line), 5);
        let hold = user.cloud.hold(EXCHANGE);
        certainly_nothing(&user, &format!("{} --retry 1 --read-timeout 300ms", maker.line), 5);
        hold.release();
        let hold = user.cloud.hold(EXCHANGE);
        certainly_nothing(&user, &format!("{} --timeout 2s", maker.line), 5);
        hold.release();
        assert_eq!((maker.made)(&user), 0);
    }
}

#[test]
fn the_time_limit_of_the_command_does_not_speak_of_a_key_between_attempts() {
    for maker in &MAKERS {
        let user = User::signed_in();
        user.cloud.fault(maker.pattern, Fault::status(14, "busy").header("retry-after", "100"));
        certainly_nothing(&user, &format!("{} --timeout 2s", maker.line), 5);
    }
}

#[test]
fn a_response_without_the_secret_is_an_error() {
    for maker in &MAKERS {
        for body in ["{}", r#"{"accessKeyId":"aje","accessKey":{"id":"aje","keyId":"YCA"}}"#, r#"{"secret":""}"#] {
            let user = User::signed_in();
            user.cloud.fault(maker.pattern, Fault::answer(200, "application/json", body));
            maker.leaves_open(&user, "", body);
        }
    }
}

#[test]
fn a_call_that_is_made_again_with_a_new_token_keeps_its_idempotency_key() {
    let user = User::new().with_key();
    let old = user.run("iam create-token").ok();
    user.cloud.revoke_token(old.trim());
    user.run("iam access-key create").ok();
    let requests = user.cloud.requests();
    let created = requests.iter().filter(|request| request.line() == CREATE);
    let keys: Vec<_> = created.map(|request| request.header("idempotency-key").unwrap()).collect();
    assert!(keys.len() == 2 && keys[0] == keys[1], "{keys:?}");
}
