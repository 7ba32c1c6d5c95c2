//! A local clock that is wrong: it neither makes a command fail nor a key be used that has expired, or the error names it.

use chrono::{DateTime, TimeDelta};
use yc_emulator::Fault;

use crate::route::{EXCHANGE, ISSUE};
use crate::support::{Ran, User};

const PROCESS: &str = "iam access-key issue-ephemeral --duration 1h --export process";

/// How far the server is ahead, in seconds: just beyond a tolerance, hours, and more than is corrected.
const OFFSETS: [i64; 12] =
    [-30, 30, -61, 61, -3600, 3600, -12 * 3600, 12 * 3600, -25 * 3600, 25 * 3600, -100 * 3600, 100 * 3600];

const COMMANDS: [&str; 13] = [
    "iam access-key list",
    "iam access-key list --unused-for 90d",
    "iam access-key create --description x",
    "iam access-key issue-ephemeral --duration 1h",
    "iam access-key issue-ephemeral --duration 1h --min-ttl 1h",
    "iam access-key issue-ephemeral --cache",
    PROCESS,
    "iam access-key issue-ephemeral --duration 1h --aws-profile p",
    "iam access-key exec --duration 1h -- true",
    "iam create-token",
    "iam whoami",
    "iam service-account list",
    "sts assume-role --format json",
];

/// A user with the key of a service account, and with a static key, whose cloud is this far ahead.
fn user(offset: i64) -> User {
    let mut user = User::new().with_key().over_https();
    let key = user.cloud.add_access_key(yc_emulator::ADMIN_ID, "");
    user.set("AWS_ACCESS_KEY_ID", &key.key_id);
    user.set("AWS_SECRET_ACCESS_KEY", &key.secret);
    let url = user.cloud.https_url().to_owned();
    user.set("YC_ENDPOINT_URL_STS", url);
    user.cloud.set_clock_offset(TimeDelta::seconds(offset));
    user
}

fn direction(offset: i64) -> &'static str {
    if offset > 0 { "behind" } else { "ahead" }
}

fn issued(user: &User) -> usize {
    user.cloud.ephemeral_keys().len() + user.cloud.access_keys().len()
}

/// The command worked, or the error names the clock; a clock that is less than 25 hours off is corrected.
#[track_caller]
fn works_or_names_the_clock(ran: &Ran, line: &str, offset: i64) {
    if ran.code != 0 {
        let named = ran.err.contains("the local clock is ") && ran.err.contains(direction(offset));
        assert!(named && offset.abs() >= 25 * 3600, "{line} at {offset}: {ran:#?}");
    }
}

#[test]
fn a_wrong_clock_does_not_matter_or_is_named_and_no_run_issues_two_keys() {
    for offset in OFFSETS {
        for line in COMMANDS {
            let user = user(offset);
            for _cold_then_warm in 0..2 {
                let before = issued(&user);
                works_or_names_the_clock(&user.run(line), line, offset);
                assert!(issued(&user) <= before + 1, "{line} at {offset}");
            }
        }
    }
}

#[test]
fn a_wrong_clock_issues_one_key_for_any_number_of_processes() {
    for offset in [-24, -12, -1, 1, 12, 24] {
        let user = user(offset * 3600);
        let first = user.run(PROCESS).ok();
        for _ in 0..3 {
            assert_eq!(user.run(PROCESS).ok(), first, "{offset}");
        }
        assert_eq!((user.count(ISSUE), user.cloud.ephemeral_keys().len()), (1, 1), "{offset}");
    }
}

#[test]
fn a_key_that_has_expired_is_not_used_whatever_the_clock_shows() {
    for offset in [-24, -12, -1, 0, 1, 12, 24] {
        let user = user(offset * 3600);
        user.run(PROCESS).ok();
        user.age_cache("keys", TimeDelta::minutes(43));
        user.run(PROCESS).ok();
        assert_eq!(user.count(ISSUE), 1, "{offset}");
        user.age_cache("keys", TimeDelta::minutes(2));
        user.run(PROCESS).ok();
        assert_eq!(user.count(ISSUE), 2, "{offset}");
    }
}

#[test]
fn a_token_that_has_expired_is_not_used_whatever_the_clock_shows() {
    for offset in [-24, -12, -1, 0, 1, 12, 24] {
        let user = user(offset * 3600);
        user.run("iam access-key list").ok();
        let exchanges = user.count(EXCHANGE);
        user.age_cache("tokens", TimeDelta::hours(10));
        user.run("iam access-key list").ok();
        assert_eq!(user.count(EXCHANGE), exchanges, "{offset}");
        user.age_cache("tokens", TimeDelta::hours(1));
        user.run("iam access-key list").ok();
        assert!(user.count(EXCHANGE) > exchanges, "{offset}");
    }
}

#[test]
fn nothing_is_used_that_was_cached_later_than_the_clock_shows() {
    let user = user(0);
    user.run(PROCESS).ok();
    for kind in ["keys", "tokens"] {
        user.age_cache(kind, TimeDelta::hours(-1));
    }
    user.run(PROCESS).ok();
    assert_eq!((user.count(EXCHANGE), user.count(ISSUE)), (2, 2));
}

#[test]
fn the_caches_of_a_version_that_used_the_local_clock_count_as_absent() {
    let user = user(0);
    let first = user.run(PROCESS).ok();
    for kind in ["keys", "tokens"] {
        user.edit_cache(kind, |entry| {
            let lifetime = entry.as_object_mut().unwrap().remove("lifetime").unwrap();
            entry["obtained_at"] = lifetime["received_at"].clone();
        });
    }
    assert_ne!(user.run(PROCESS).ok(), first);
    assert_eq!((user.count(EXCHANGE), user.count(ISSUE)), (2, 2));
}

#[test]
fn a_server_that_is_not_verified_does_not_set_the_clock_but_the_error_names_it() {
    for (offset, named) in
        [(-7200, "the local clock is 2h ahead; set it"), (7200, "the local clock is 2h behind; set it")]
    {
        let plain = User::new().with_key();
        plain.cloud.set_clock_offset(TimeDelta::seconds(offset));
        let error = plain.run(PROCESS).failed(3);
        assert!(error.contains(named), "{error}");
        assert_eq!(plain.sent(), [EXCHANGE]);
    }
}

#[test]
fn without_a_date_that_can_be_right_the_local_clock_counts() {
    for date in ["", "yesterday", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 2999 23:59:59 GMT"] {
        let user = User::new().with_key();
        let headers = vec![("date".to_owned(), date.to_owned())];
        user.cloud.fault(EXCHANGE, Fault::Headers(headers.clone()));
        user.cloud.fault(ISSUE, Fault::Headers(headers));
        let first = user.run(PROCESS).ok();
        assert_eq!(user.run(PROCESS).ok(), first, "{date}");
        assert_eq!((user.count(EXCHANGE), user.count(ISSUE)), (1, 1), "{date}");
    }
}

#[test]
fn a_key_that_has_ended_by_every_clock_is_not_cached() {
    let user = User::new().with_key();
    user.cloud.set_clock_offset(TimeDelta::days(-30));
    let absurd = vec![("date".to_owned(), "Thu, 01 Jan 1970 00:00:00 GMT".to_owned())];
    let token = user.cloud.issue_token(yc_emulator::ADMIN_ID);
    user.cloud.fault(ISSUE, Fault::Headers(absurd));
    let mut user = user;
    user.set("YC_IAM_TOKEN", token);
    user.run("iam access-key issue-ephemeral --duration 1h --cache").ok();
    user.run("iam access-key issue-ephemeral --duration 1h --cache").ok();
    assert_eq!(user.count(ISSUE), 2);
}

#[test]
fn keys_are_unused_by_the_servers_clock() {
    let user = user(0);
    let key = user.cloud.access_keys().remove(0);
    user.cloud.set_created(&key.id, "2026-01-01T00:00:00Z".parse().unwrap());
    let at = |time: &str| {
        let time: DateTime<chrono::Utc> = time.parse().unwrap();
        user.cloud.set_clock_offset(time - chrono::Utc::now());
        let token = user.cloud.issue_token(yc_emulator::ADMIN_ID);
        user.run(&format!("iam access-key list --unused-for 90d --format json --jq length --token {token}")).ok()
    };
    assert_eq!((at("2026-03-31T23:59:00Z").trim(), at("2026-04-01T00:00:00Z").trim()), ("0", "1"));
}
