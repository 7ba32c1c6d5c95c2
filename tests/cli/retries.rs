//! What is sent again, how often and when; what is not.

use std::time::{Duration, Instant};

use serde_json::Value;
use yc_emulator::{ADMIN_ID, Emulator, Fault};

use crate::route::{CREATE, DELETE, EXCHANGE, GET, LIST, OPERATION, UPDATE};
use crate::support::User;

const LIST_KEYS: &str = "iam access-key list";

fn refusals() -> Vec<Fault> {
    [(8, 429), (14, 502), (14, 503), (4, 504)].map(|(code, http)| Fault::status(code, "busy").http(http).into()).into()
}

fn count(user: &User, verb: &str) -> usize {
    user.cloud.requests().iter().filter(|request| request.method == verb).count()
}

#[test]
fn passing_refusals_are_outlasted() {
    for fault in refusals().into_iter().chain([502, 503, 504].map(Fault::BadGateway)) {
        let user = User::signed_in();
        user.cloud.fault(LIST, fault.clone());
        user.cloud.fault(LIST, fault.clone());
        user.run(LIST_KEYS).ok();
        assert_eq!(user.cloud.requests().len(), 3, "{fault:?}");
    }
}

#[test]
fn broken_connections_are_outlasted() {
    for fault in [Fault::Close, Fault::LoseReply, Fault::CutReply] {
        for user in [User::signed_in(), User::signed_in().over_https()] {
            user.cloud.fault(LIST, fault.clone());
            user.run(LIST_KEYS).ok();
            assert_eq!(user.cloud.requests().len(), 2, "{fault:?}");
        }
    }
}

#[test]
fn connections_that_are_closed_at_once_are_outlasted() {
    for user in [User::new().with_key(), User::new().with_key().over_https()] {
        user.cloud.refuse_connections(3);
        user.run(LIST_KEYS).ok();
        assert_eq!(user.cloud.requests().len(), 2);
    }
}

#[test]
fn the_token_exchange_and_the_polls_of_an_operation_are_sent_again_too() {
    let user = User::new().with_key();
    let key = user.cloud.add_access_key(ADMIN_ID, "").id;
    for fault in [Fault::unavailable(), Fault::LoseReply] {
        user.cloud.fault(EXCHANGE, fault.clone());
        user.cloud.fault(OPERATION, fault);
    }
    user.run(&format!("iam access-key delete {key}")).ok();
    assert_eq!(user.cloud.access_keys().len(), 0);
    assert_eq!((count(&user, "POST"), count(&user, "DELETE")), (3, 1));
}

#[test]
fn changes_that_may_be_repeated_are_sent_again_after_an_ambiguous_failure() {
    let failures = || [Fault::LoseReply, Fault::CutReply, Fault::BadGateway(502), Fault::BadGateway(504)];
    for fault in refusals().into_iter().chain(failures()) {
        let user = User::signed_in();
        let key = user.cloud.add_access_key(ADMIN_ID, "old").id;

        user.cloud.fault(UPDATE, fault.clone());
        let shown = user.run(&format!("iam access-key update {key} --description new --format json")).json();
        assert_eq!(shown["description"], "new", "{fault:?}");
        assert_eq!((count(&user, "PATCH"), user.cloud.operations().len()), (2, 1), "{fault:?}");

        user.cloud.fault(DELETE, fault.clone());
        user.run(&format!("iam access-key delete {key}")).ok();
        assert_eq!((count(&user, "DELETE"), user.cloud.access_keys().len()), (2, 0), "{fault:?}");
    }
}

#[test]
fn a_key_that_is_gone_at_the_second_attempt_was_deleted_by_the_first() {
    let user = User::of(Emulator::builder().operation_polls(0).start()).with_token();
    let key = user.cloud.add_access_key(ADMIN_ID, "").id;
    user.cloud.fault(DELETE, Fault::LoseReply);
    user.cloud.fault(DELETE, Fault::status(5, "Access key not found"));
    user.run(&format!("iam access-key delete {key}")).ok();
    assert_eq!(user.cloud.access_keys().len(), 0);
}

#[test]
fn a_key_that_is_gone_after_a_mere_refusal_is_not_found() {
    let user = User::signed_in();
    user.cloud.fault(DELETE, Fault::unavailable());
    user.run("iam access-key delete ajenosuchkey").failed(4);
}

#[test]
fn other_refusals_are_final() {
    for (code, http, exit) in
        [(3, 400, 1), (16, 401, 3), (7, 403, 3), (5, 404, 4), (6, 409, 1), (10, 409, 1), (13, 500, 1), (12, 501, 1)]
    {
        let user = User::signed_in();
        user.cloud.fault(GET, Fault::status(code, "no").http(http));
        user.run("iam access-key get abc").failed(exit);
        assert_eq!(user.cloud.requests().len(), 1, "{http}");
    }
}

#[test]
fn garbage_is_final() {
    let user = User::signed_in();
    user.cloud.fault(LIST, Fault::Garbage);
    user.run(LIST_KEYS).failed(1);
    assert_eq!(user.cloud.requests().len(), 1);
}

#[test]
fn a_request_is_tried_five_times_and_the_last_refusal_is_told() {
    for (fault, code) in [(Fault::unavailable(), "UNAVAILABLE"), (Fault::Close, "NETWORK")] {
        let user = User::signed_in();
        for _ in 0..5 {
            user.cloud.fault(LIST, fault.clone());
        }
        let ran = user.run("iam access-key list --error-format json");
        assert_eq!((ran.code, ran.out.as_str()), (5, ""));
        let error: Value = serde_json::from_str(&ran.err).unwrap();
        assert_eq!((&error["code"], &error["retryable"]), (&code.into(), &true.into()));
        assert_eq!(user.cloud.requests().len(), 5);
    }
}

#[test]
fn a_rate_limit_that_stays_is_worth_another_run() {
    let user = User::signed_in();
    user.cloud.fault(LIST, Fault::status(8, "too many requests"));
    let error = user.run("iam access-key list --retry 1").failed(5);
    assert!(error.contains("code: RESOURCE_EXHAUSTED"), "{error}");
}

#[test]
fn retry_limits_the_attempts() {
    for (given, attempts) in [("0", 1), ("1", 1), ("2", 2), ("3", 3)] {
        let user = User::signed_in();
        for _ in 0..attempts {
            user.cloud.fault(LIST, Fault::unavailable());
        }
        user.run(&format!("{LIST_KEYS} --retry {given}")).failed(5);
        assert_eq!(user.cloud.requests().len(), attempts, "--retry {given}");
    }
}

#[test]
fn a_negative_retry_means_more_than_five() {
    let user = User::signed_in();
    for _ in 0..5 {
        user.cloud.fault(LIST, Fault::unavailable());
    }
    user.run("iam access-key list --retry -1").ok();
    assert_eq!(user.cloud.requests().len(), 6);
}

#[test]
fn the_wait_that_the_server_asks_for_is_respected() {
    let by_header = Fault::status(14, "later").header("retry-after", "1");
    let by_detail = Fault::status(8, "later").retry_info(Duration::from_millis(1100));
    for refusal in [by_header, by_detail] {
        let user = User::signed_in();
        user.cloud.fault(LIST, refusal);
        let started = Instant::now();
        user.run(LIST_KEYS).ok();
        assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
        assert_eq!(user.cloud.requests().len(), 2);
    }
}

#[test]
fn a_wait_of_more_than_two_minutes_fails_at_once() {
    let by_header = Fault::status(14, "closed for today").header("retry-after", "3600");
    let by_detail = Fault::status(8, "closed for today").retry_info(Duration::from_secs(3600));
    for refusal in [by_header, by_detail] {
        for retry in ["5", "-1"] {
            let user = User::signed_in();
            user.cloud.fault(LIST, refusal.clone());
            let error = user.run(&format!("{LIST_KEYS} --retry {retry}")).failed(5);
            assert!(error.contains("closed for today") && error.contains("1h"), "{error}");
            assert_eq!(user.cloud.requests().len(), 1);
        }
    }
}

#[test]
fn a_used_up_quota_is_final_and_points_at_unused_keys() {
    let user = User::of(Emulator::builder().access_key_quota(0).start()).with_token();
    let error = user.run("iam access-key create").failed(1);
    assert!(error.contains("Quota limit iam.accessKeys.count exceeded"), "{error}");
    let hint = error.lines().find(|line| line.starts_with("hint: "));
    assert!(hint.is_some_and(|hint| hint.contains("list") && hint.contains("--unused-for")), "{error}");
    assert_eq!(user.cloud.requests().len(), 1);
}

#[test]
fn a_quota_is_known_by_its_message_alone() {
    let user = User::signed_in();
    user.cloud.fault(CREATE, Fault::status(8, "Quota limit iam.accessKeys.count exceeded"));
    let ran = user.run("iam access-key create --error-format json");
    let error: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!((ran.code, &error["retryable"]), (1, &false.into()));
    assert_eq!(user.cloud.requests().len(), 1);
}
