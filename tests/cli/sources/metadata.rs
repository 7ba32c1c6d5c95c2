//! The service account that is attached to the machine.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use yc_emulator::{ADMIN_ID, Fault, Grant, NARROW_ID, OAUTH_TOKEN};

use super::{CREATE_TOKEN, cached, hint, newest_grant};
use crate::support::User;

const PATH: &str = "GET /computeMetadata/v1/instance/service-accounts/default/token";
const LIST: &str = "iam access-key list";

/// A user on a machine with a metadata service; no service account is attached yet.
fn on_machine() -> User {
    let mut user = User::new();
    let address = user.cloud.http_url().trim_start_matches("http://").to_owned();
    user.set("YC_METADATA_ADDR", address);
    user
}

/// The same with the administrator attached.
fn attached() -> User {
    let user = on_machine();
    user.cloud.attach_service_account(ADMIN_ID);
    user
}

/// The profiles under which the metadata service is asked.
const PROFILES: [&str; 3] =
    ["", "current = 'p'\n[profiles.p]\n", "current = 'p'\n[profiles.p]\ninstance-service-account = true\n"];

#[test]
fn the_machines_account_is_used_when_the_profile_says_so_or_nothing_is_configured() {
    for profile in PROFILES {
        let user = attached();
        user.configure(profile);
        user.run(LIST).ok();

        let [token, list] = &user.cloud.requests()[..] else { panic!("{:#?}", user.cloud.requests()) };
        assert_eq!(token.line(), PATH);
        assert_eq!((token.header("metadata-flavor"), token.header("authorization")), (Some("Google"), None));
        let issued = user.cloud.tokens().pop().unwrap();
        assert_eq!((issued.grant, issued.subject_id.as_str()), (Grant::Metadata, ADMIN_ID));
        assert_eq!(list.header("authorization"), Some(format!("Bearer {}", issued.value).as_str()));
    }
}

#[test]
fn a_profile_that_says_false_has_no_credential() {
    let user = attached();
    let token = user.cloud.issue_token(ADMIN_ID);
    user.use_profile(&format!("instance-service-account = false\ntoken = '{token}'"));
    user.run(LIST).ok();
    assert_eq!(user.count(PATH), 0);
}

#[test]
fn instance_service_account_is_true_or_false() {
    let user = attached();
    user.use_profile("instance-service-account = 'yes'");
    let error = user.run(LIST).failed(2);
    assert!(error.contains("profiles.p.instance-service-account") && error.contains("true or false"), "{error}");
    assert!(user.cloud.requests().is_empty());
}

#[test]
fn a_machine_without_an_account_is_not_a_credential() {
    for profile in PROFILES {
        let user = on_machine();
        user.configure(profile);
        let error = user.run(LIST).failed(3);
        assert!(error.contains("no service account is attached"), "{error}");
        assert_eq!(user.sent(), [PATH]);
    }
}

#[test]
fn the_token_of_another_cloud_is_refused_and_sent_nowhere() {
    for profile in PROFILES {
        let user = on_machine();
        user.configure(profile);
        user.cloud.set_foreign_metadata_token("ya29.foreign-token-of-another-cloud");
        let error = user.run(LIST).failed(3);
        assert!(error.contains("not Yandex Cloud"), "{error}");
        assert!(!error.contains("ya29."), "{error}");
        assert_eq!(user.sent(), [PATH]);
        assert!(cached(&user).is_empty());
    }
}

#[test]
fn a_response_that_is_not_a_token_is_refused() {
    let user = on_machine();
    for body in ["<html>login</html>", "{}", r#"{"access_token":"t1.a","expires_in":"soon"}"#, ""] {
        user.cloud.fault(PATH, Fault::answer(200, "text/html", body));
        user.run(LIST).failed(3);
    }
}

#[test]
fn without_any_credential_the_error_lists_all_sources_and_what_to_type() {
    let user = User::new();
    let error = user.run(LIST).failed(3);
    for source in ["--token", "YC_IAM_TOKEN", "YC_TOKEN", "YC_SERVICE_ACCOUNT_KEY_FILE", "config", "metadata"] {
        assert!(error.contains(source), "no {source} in: {error}");
    }
    for command in ["yc-rs init", "yc-rs config set service-account-key", "export YC_IAM_TOKEN=", "2026-06-01"] {
        assert!(hint(&error).contains(command), "no {command} in: {error}");
    }
    let json: Value = serde_json::from_str(&user.run("iam access-key list --error-format json").err).unwrap();
    assert_eq!((&json["code"], &json["exit"]), (&"NO_CREDENTIALS".into(), &3.into()));
}

#[test]
fn nothing_but_an_empty_configuration_leads_to_the_metadata_service() {
    type Setup = fn(&mut User);
    let cases: [(&str, Setup); 7] = [
        ("YC_IAM_TOKEN", |user| user.set("YC_IAM_TOKEN", "t1.expired")),
        ("YC_TOKEN", |user| {
            user.cloud.delete_oauth_tokens();
            user.set("YC_TOKEN", OAUTH_TOKEN);
        }),
        ("key file", |user| user.set("YC_SERVICE_ACCOUNT_KEY_FILE", "missing.json")),
        ("token", |user| user.use_profile("token = 't1.expired'")),
        ("command", |user| user.use_profile("token-command = ['/missing/program']")),
        ("workload", |user| {
            user.use_profile("workload-identity = { service-account-id = 'aje', subject-token = 'env:MISSING' }");
        }),
        ("key", |user| user.use_profile("service-account-key = { id = 'aje' }")),
    ];
    for (case, set_up) in cases {
        let mut user = attached();
        set_up(&mut user);
        let ran = user.run(LIST);
        assert!(matches!(ran.code, 2 | 3) && ran.out.is_empty(), "{case}: {ran:#?}");
        assert_eq!(user.count(PATH), 0, "{case}");
    }
    let user = attached();
    user.run("iam access-key list --token t1.expired").failed(3);
    assert_eq!(user.count(PATH), 0);
}

#[test]
fn it_gets_one_request_whatever_it_responds_when_it_was_not_configured() {
    for profile in &PROFILES[..2] {
        let user = attached();
        user.configure(profile);
        user.cloud.fault(PATH, Fault::unavailable());
        let ran = user.run(LIST);
        assert!(ran.code != 0 && ran.out.is_empty() && ran.err.contains("metadata"), "{ran:#?}");
        assert_eq!(user.sent(), [PATH]);
    }
}

#[test]
fn it_is_retried_like_any_other_service_when_it_was_configured() {
    let user = attached();
    user.configure(PROFILES[2]);
    user.cloud.fault(PATH, Fault::unavailable());
    user.run(LIST).ok();
    assert_eq!(user.count(PATH), 2);

    let user = attached();
    user.configure(PROFILES[2]);
    user.cloud.fault(PATH, Fault::unavailable());
    user.run("iam access-key list --retry 1").failed(5);
    assert_eq!(user.sent(), [PATH]);
}

#[test]
fn no_proxy_is_used_for_it() {
    let mut user = attached();
    let proxy = user.cloud.http_url().to_owned();
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        user.set(variable, &proxy);
    }
    // Not a loopback address by name, and no server listens: only a proxy could respond.
    user.set("YC_METADATA_ADDR", "0.0.0.0:1");
    user.run(LIST).failed(3);
    assert!(user.sent().is_empty(), "{:?}", user.sent());
}

#[test]
fn its_token_is_cached_for_a_minute_at_most() {
    let user = attached();
    let before = Utc::now();
    user.run(LIST).ok();
    user.run(LIST).ok();
    assert_eq!(user.count(PATH), 1);

    let (_, entry) = cached(&user).remove(0);
    let keep_until: DateTime<Utc> = entry["keep_until"].as_str().unwrap().parse().unwrap();
    assert!(keep_until > before && keep_until <= Utc::now() + TimeDelta::seconds(60), "{entry}");
}

#[test]
fn another_account_takes_effect_when_the_minute_is_over() {
    let user = attached();
    user.run(LIST).ok();
    user.cloud.attach_service_account(NARROW_ID);
    let (path, mut entry) = cached(&user).remove(0);
    entry["keep_until"] = (Utc::now() - TimeDelta::seconds(1)).to_rfc3339().into();
    user.write_file(path.strip_prefix(user.home()).unwrap().to_str().unwrap(), &entry.to_string());
    user.run(LIST).ok();
    assert_eq!(user.cloud.tokens().pop().unwrap().subject_id, NARROW_ID);
    assert_eq!(user.count(PATH), 2);
}

#[test]
fn a_cached_token_that_is_refused_is_requested_anew() {
    let user = attached();
    let token = user.run(CREATE_TOKEN).ok();
    user.cloud.revoke_token(token.trim());
    user.run(LIST).ok();
    assert_eq!((user.count(PATH), newest_grant(&user)), (2, Grant::Metadata));
}

#[test]
fn two_machines_are_cached_separately() {
    let mut user = attached();
    user.run(LIST).ok();
    let other = on_machine();
    other.cloud.attach_service_account(NARROW_ID);
    user.set("YC_METADATA_ADDR", other.cloud.http_url());
    let token = user.run(CREATE_TOKEN).ok();
    assert_eq!(token.trim(), other.cloud.tokens().pop().unwrap().value);
}
