//! Acting as a service account, on top of every way to authenticate.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use yc_emulator::{ADMIN_ID, BACKUP_ID, Grant, NARROW_ID, OAUTH_TOKEN, USER_ID};

use super::{CREATE_TOKEN, cached, hint};
use crate::route::EXCHANGE;
use crate::support::User;

const IMPERSONATE: &str = "POST /iam/v1/tokens:createForServiceAccount";
const VARIABLE: &str = "YC_IMPERSONATE_SERVICE_ACCOUNT_ID";
const LIST: &str = "iam access-key list";

/// The account of the newest token, which must have been had by acting as it.
#[track_caller]
fn acted_as(user: &User, caller: &str) -> String {
    let token = user.cloud.tokens().pop().unwrap();
    assert_eq!(token.grant, Grant::Impersonation { subject_id: caller.to_owned() });
    token.subject_id
}

fn lacks_rights(user: &mut User) {
    let token = user.cloud.issue_token(NARROW_ID);
    user.set("YC_IAM_TOKEN", token);
}

#[test]
fn the_flag_beats_the_variable_beats_the_profile() {
    let mut user = User::signed_in();
    user.use_profile(&format!("impersonate-service-account-id = '{BACKUP_ID}'"));
    user.run(LIST).ok();
    assert_eq!(acted_as(&user, ADMIN_ID), BACKUP_ID);
    user.set(VARIABLE, NARROW_ID);
    user.run(LIST).ok();
    assert_eq!(acted_as(&user, ADMIN_ID), NARROW_ID);
    user.run(&format!("{LIST} --impersonate-service-account-id {ADMIN_ID}")).ok();
    assert_eq!(acted_as(&user, ADMIN_ID), ADMIN_ID);
}

#[test]
fn the_own_token_asks_and_the_accounts_token_calls() {
    let mut user = User::signed_in();
    user.set(VARIABLE, BACKUP_ID);
    user.run(LIST).ok();
    let [asked, listed] = &user.cloud.requests()[..] else { panic!("{:#?}", user.cloud.requests()) };
    let [own, acting] = &user.cloud.tokens()[..] else { panic!("{:#?}", user.cloud.tokens()) };
    let bearer = |token: &yc_emulator::Token| format!("Bearer {}", token.value);
    assert_eq!(asked.line(), IMPERSONATE);
    assert_eq!(asked.json(), json!({"serviceAccountId": BACKUP_ID}));
    assert_eq!(asked.header("authorization").unwrap(), bearer(own));
    assert_eq!(listed.header("authorization").unwrap(), bearer(acting));
}

#[test]
fn an_account_given_empty_is_refused_and_an_empty_variable_is_not_set() {
    let mut user = User::signed_in();
    let error = user.run(&format!("{LIST} --impersonate-service-account-id=")).failed(2);
    assert_eq!(
        error,
        "ERROR: invalid value '' for '--impersonate-service-account-id <ID>': '' is not an ID: it is empty\n"
    );
    assert_eq!(user.sent(), [] as [&str; 0]);
    user.set(VARIABLE, "");
    user.run(LIST).ok();
    assert_eq!(user.sent().len(), 1);
}

#[test]
fn it_works_on_top_of_every_source() {
    type Setup = fn(&mut User);
    let mut sources: Vec<(&str, &str, Setup)> = vec![
        ("YC_IAM_TOKEN", ADMIN_ID, |user| {
            let token = user.cloud.issue_token(ADMIN_ID);
            user.set("YC_IAM_TOKEN", token);
        }),
        ("YC_TOKEN", USER_ID, |user| user.set("YC_TOKEN", OAUTH_TOKEN)),
        ("key file", ADMIN_ID, |user| {
            let path = user.write_file("key.json", &user.cloud.admin_key().file());
            user.set("YC_SERVICE_ACCOUNT_KEY_FILE", path.to_str().unwrap());
        }),
        ("metadata", ADMIN_ID, |user| {
            user.cloud.attach_service_account(ADMIN_ID);
            let url = user.cloud.http_url().to_owned();
            user.set("YC_METADATA_ADDR", url);
        }),
        ("workload", ADMIN_ID, |user| {
            user.use_job();
        }),
    ];
    if cfg!(unix) {
        sources.push(("token-command", ADMIN_ID, |user| {
            let token = user.cloud.issue_token(ADMIN_ID);
            user.use_profile(&format!("token-command = ['/bin/echo', '{token}']"));
        }));
    }
    for (source, caller, set_up) in sources {
        let mut user = User::new();
        set_up(&mut user);
        user.set(VARIABLE, BACKUP_ID);
        let ran = user.run(LIST);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{source}");
        assert_eq!(acted_as(&user, caller), BACKUP_ID, "{source}");
    }
}

#[test]
fn a_refusal_exits_3_and_names_the_role_that_it_takes() {
    let mut user = User::new();
    lacks_rights(&mut user);
    user.set(VARIABLE, BACKUP_ID);
    let error = user.run(LIST).failed(3);
    assert!(error.contains(BACKUP_ID) && error.contains("PERMISSION_DENIED"), "{error}");
    assert!(hint(&error).contains("iam.serviceAccounts.tokenCreator"), "{error}");
    assert_eq!(user.sent(), [IMPERSONATE]);

    let mut user = User::signed_in();
    user.cloud.deny_impersonation();
    user.set(VARIABLE, BACKUP_ID);
    user.run(LIST).failed(3);
}

#[test]
fn the_role_on_the_account_is_enough() {
    let mut user = User::new();
    lacks_rights(&mut user);
    user.cloud.grant_impersonation(NARROW_ID, BACKUP_ID);
    user.set(VARIABLE, BACKUP_ID);
    user.run(LIST).ok();
    assert_eq!(acted_as(&user, NARROW_ID), BACKUP_ID);
}

#[test]
fn an_account_that_does_not_exist_exits_4() {
    let mut user = User::signed_in();
    user.set(VARIABLE, "ajemissing");
    assert!(user.run(LIST).failed(4).contains("ajemissing"));
}

#[test]
fn an_own_token_that_is_refused_is_the_error_with_the_hint_on_its_source() {
    let mut user = User::signed_in();
    user.set(VARIABLE, BACKUP_ID);
    user.cloud.expire_tokens();
    let error = user.run(LIST).failed(3);
    assert!(error.contains("UNAUTHENTICATED") && hint(&error).contains("YC_IAM_TOKEN"), "{error}");
}

#[test]
fn a_second_run_asks_for_no_token_at_all() {
    let mut user = User::new().with_key();
    user.set(VARIABLE, BACKUP_ID);
    user.run(LIST).ok();
    user.run(LIST).ok();
    assert_eq!((user.count(EXCHANGE), user.count(IMPERSONATE)), (1, 1));
}

#[test]
fn whoever_may_not_act_as_an_account_does_not_get_the_token_of_one_who_may() {
    let mut user = User::signed_in();
    user.set(VARIABLE, BACKUP_ID);
    user.run(LIST).ok();
    lacks_rights(&mut user);
    user.run(LIST).failed(3);
    assert_eq!(user.count(IMPERSONATE), 2);
}

#[test]
fn the_own_token_and_those_of_accounts_are_cached_separately() {
    let user = User::new().with_key();
    let token = |flags: &str| user.run(&format!("{CREATE_TOKEN} {flags}")).ok();
    let flags = ["", &format!("--impersonate-service-account-id {BACKUP_ID}")];
    let other = format!("--impersonate-service-account-id {NARROW_ID}");
    let first = [token(flags[0]), token(flags[1]), token(&other)];
    let second = [token(flags[0]), token(flags[1]), token(&other)];
    assert_eq!(first, second);
    assert!(first[0] != first[1] && first[1] != first[2] && first[0] != first[2]);
    assert_eq!((user.count(EXCHANGE), user.count(IMPERSONATE)), (1, 2));
}

#[test]
fn cached_tokens_that_are_refused_are_dropped_both() {
    let mut user = User::new().with_key();
    user.set(VARIABLE, BACKUP_ID);
    user.run(LIST).ok();
    user.cloud.expire_tokens();
    user.run(LIST).ok();
    assert_eq!((user.count(EXCHANGE), acted_as(&user, ADMIN_ID)), (2, BACKUP_ID.to_owned()));
}

#[test]
fn a_token_had_through_the_machines_account_is_cached_for_a_minute_too() {
    let mut user = User::new();
    user.cloud.attach_service_account(ADMIN_ID);
    let url = user.cloud.http_url().to_owned();
    user.set("YC_METADATA_ADDR", url);
    user.set(VARIABLE, BACKUP_ID);
    user.run(LIST).ok();
    let entries = cached(&user);
    assert_eq!(entries.len(), 2);
    for (_, entry) in entries {
        let keep_until: Option<DateTime<Utc>> = entry["keep_until"].as_str().map(|time| time.parse().unwrap());
        assert!(keep_until.is_some_and(|end| end <= Utc::now() + TimeDelta::seconds(60)), "{entry}");
    }
}
