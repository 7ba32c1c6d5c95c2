//! Workload identity: the token that another system gave to a job, exchanged for that of a service account.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta};
use percent_encoding::percent_decode_str;
use yc_emulator::{
    ADMIN_ID, EXTERNAL_AUDIENCE, EXTERNAL_ISSUER, ExternalToken, FOLDER_ID, Fault, GITHUB_AUDIENCE, GITHUB_ISSUER,
    GITHUB_SUBJECT, Grant, NARROW_ID,
};

use super::{CREATE_TOKEN, cached, hint, newest_grant};
use crate::route::ISSUE;
use crate::support::User;

const EXCHANGE: &str = "POST /oauth/token";
const GITHUB: &str = "GET /github/oidc";
const SUBJECT: &str = "job:nightly";
const LIST: &str = "iam access-key list";

fn table(account: &str, subject_token: &str, more: &str) -> String {
    format!(
        "folder-id = '{FOLDER_ID}'\n[profiles.p.workload-identity]\nservice-account-id = '{account}'\n\
         subject-token = '{subject_token}'\n{more}"
    )
}

/// A user whose job `SUBJECT` is bound to the administrator and has its token in `JOB_TOKEN`.
fn in_job() -> User {
    let mut user = User::new();
    let federation = user.cloud.add_federation(EXTERNAL_ISSUER, EXTERNAL_AUDIENCE);
    user.cloud.bind(&federation, SUBJECT, ADMIN_ID);
    user.use_profile(&table(ADMIN_ID, "env:JOB_TOKEN", ""));
    let token = user.cloud.external_token(SUBJECT);
    user.set("JOB_TOKEN", token);
    user
}

/// A user in a job of GitHub Actions whose repository is bound to the administrator; the federation wants `audience`.
fn in_github_job(audience: &str, more: &str) -> User {
    let mut user = User::new();
    let federation = user.cloud.add_federation(GITHUB_ISSUER, audience);
    user.cloud.bind(&federation, GITHUB_SUBJECT, ADMIN_ID);
    user.use_profile(&table(ADMIN_ID, "github-actions", more));
    let (url, token) = (user.cloud.github_oidc_url(), user.cloud.github_request_token());
    user.set("ACTIONS_ID_TOKEN_REQUEST_URL", url);
    user.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token);
    user.set("GITHUB_ACTIONS", "true");
    user
}

/// The fields of a form.
fn form(body: &str) -> BTreeMap<String, String> {
    let plain = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned();
    body.split('&').map(|pair| pair.split_once('=').unwrap()).map(|(k, v)| (plain(k), plain(v))).collect()
}

#[test]
fn the_token_of_a_variable_or_a_file_is_exchanged_as_documented() {
    let mut user = in_job().without_cache();
    let token = user.cloud.external_token(SUBJECT);
    let file = user.write_file("job-token", &format!("{token}\n"));
    for source in ["env:JOB_TOKEN".to_owned(), format!("file:{}", file.display())] {
        user.use_profile(&table(ADMIN_ID, &source, ""));
        user.set("JOB_TOKEN", &token);
        user.cloud.clear_requests();
        user.run(LIST).ok();

        let requests = user.cloud.requests();
        let [exchange, list] = &requests[..] else { panic!("{source}: {requests:#?}") };
        assert_eq!(exchange.line(), EXCHANGE, "{source}");
        assert_eq!(exchange.header("authorization"), None, "{source}");
        assert_eq!(exchange.header("content-type"), Some("application/x-www-form-urlencoded"), "{source}");
        let expected = [
            ("audience", ADMIN_ID),
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("subject_token", &token),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
        ];
        let sent = form(&exchange.text());
        assert_eq!(sent.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>(), expected, "{source}");
        let issued = user.cloud.tokens().pop().unwrap();
        assert_eq!(issued.grant, Grant::Federation { issuer: EXTERNAL_ISSUER.into(), subject: SUBJECT.into() });
        assert_eq!(list.header("authorization"), Some(format!("Bearer {}", issued.value).as_str()), "{source}");
    }
}

#[test]
fn github_is_asked_once_for_a_token_for_the_audience() {
    for (audience, more) in [
        ("https://cloud.example.com/a b?c=d&e", "audience = 'https://cloud.example.com/a b?c=d&e'"),
        (GITHUB_AUDIENCE, ""),
    ] {
        let user = in_github_job(audience, more);
        user.run(LIST).ok();
        assert_eq!(user.sent(), [GITHUB, EXCHANGE, "GET /iam/aws-compatibility/v1/accessKeys"], "{audience}");
        let asked = user.cloud.requests().remove(0);
        assert!(asked.query.starts_with("api-version=2.0"), "{}", asked.query);
        let bearer = format!("Bearer {}", user.cloud.github_request_token());
        assert_eq!(asked.header("authorization"), Some(bearer.as_str()));
        let grant = Grant::Federation { issuer: GITHUB_ISSUER.into(), subject: GITHUB_SUBJECT.into() };
        assert_eq!(newest_grant(&user), grant, "{audience}");
    }
}

#[test]
fn a_ci_job_gets_an_ephemeral_key_without_any_stored_secret() {
    let user = in_github_job(GITHUB_AUDIENCE, "");
    let out = user.run("iam access-key issue-ephemeral --duration 1h --format json").json();
    let issued = user.cloud.ephemeral_keys().pop().unwrap();
    assert_eq!(out["secret"], issued.secret);
    assert_eq!(issued.subject_id, ADMIN_ID);
    assert_eq!(user.sent().last().unwrap(), ISSUE);
}

#[test]
fn what_a_job_of_github_lacks_is_named_with_the_permission_that_gives_it() {
    for variable in ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"] {
        for empty in [false, true] {
            let mut user = in_github_job(GITHUB_AUDIENCE, "");
            user.unset(variable);
            if empty {
                user.set(variable, "");
            }
            let error = user.run(LIST).failed(3);
            assert!(error.contains(variable) && hint(&error).contains("id-token: write"), "{error}");
            assert!(user.cloud.requests().is_empty());
        }
    }
}

#[test]
fn github_that_refuses_is_the_error() {
    let mut user = in_github_job(GITHUB_AUDIENCE, "");
    user.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "stale-request-token");
    let error = user.run(LIST).failed(3);
    assert!(error.contains("GitHub") && !error.contains("stale-request-token"), "{error}");
    assert_eq!(user.sent(), [GITHUB]);
    let user = in_github_job(GITHUB_AUDIENCE, "");
    user.cloud.fault(GITHUB, Fault::answer(200, "application/json", "{}"));
    user.run(LIST).failed(1);
}

#[test]
fn the_request_token_travels_in_clear_to_this_machine_only() {
    let mut user = in_github_job(GITHUB_AUDIENCE, "");
    let proxy = user.cloud.http_url().to_owned();
    user.set("HTTP_PROXY", proxy);
    user.set("ACTIONS_ID_TOKEN_REQUEST_URL", "http://github.example.com/oidc?api-version=2.0");
    let error = user.run(LIST).failed(2);
    assert!(error.contains("ACTIONS_ID_TOKEN_REQUEST_URL"), "{error}");
    assert!(user.cloud.requests().is_empty());
}

#[test]
fn a_token_that_is_not_there_is_named_and_nothing_is_sent() {
    let user = in_job();
    let empty = user.write_file("empty", " \n").display().to_string();
    let missing = user.home().join("missing").display().to_string();
    let folder = user.home().display().to_string();
    for (source, word) in [
        ("env:NOT_SET".to_owned(), "NOT_SET"),
        (format!("file:{missing}"), missing.as_str()),
        (format!("file:{folder}"), folder.as_str()),
        (format!("file:{empty}"), "empty"),
    ] {
        user.use_profile(&table(ADMIN_ID, &source, ""));
        let error = user.run(LIST).failed(3);
        assert!(error.contains(word) && error.contains("workload identity"), "{source}: {error}");
    }
    assert!(user.cloud.requests().is_empty());
}

#[test]
fn a_wrong_table_is_named_by_place_and_field() {
    let user = in_job();
    for (lines, word) in [
        ("workload-identity = 'x'", "table"),
        ("workload-identity = {}", "service-account-id"),
        ("workload-identity = { service-account-id = 'a' }", "subject-token"),
        ("workload-identity = { service-account-id = 'a', subject-token = 'gitlab' }", "github-actions"),
        ("workload-identity = { service-account-id = 'a', subject-token = 'env:' }", "env:NAME"),
        ("workload-identity = { service-account-id = 'a', subject-token = 'env:X', audiense = 'y' }", "audiense"),
        ("workload-identity = { service-account-id = 'a', subject-token = 'env:X', audience = 1 }", "audience"),
    ] {
        user.use_profile(lines);
        let error = user.run(LIST).failed(2);
        assert!(error.contains("profiles.p.workload-identity") && error.contains(word), "{lines}: {error}");
    }
    assert!(user.cloud.requests().is_empty());
}

/// What makes a token of another system useless to the service.
fn bad_tokens(user: &User) -> Vec<(&'static str, String, &'static str)> {
    let token = || -> ExternalToken { user.cloud.external(SUBJECT) };
    vec![
        ("forged", token().forged().sign(), "signature"),
        ("another issuer", token().issuer("https://evil.example.com").sign(), "issuer"),
        ("another audience", token().audience("https://other.example.com").sign(), "aud"),
        ("no subject", token().without("sub").sign(), "sub"),
        ("another subject", user.cloud.external_token("job:other"), "job:other"),
    ]
}

#[test]
fn a_refusal_is_shown_in_the_servers_words_whatever_their_form() {
    for status_form in [false, true] {
        let mut user = in_job();
        user.cloud.set_federation_status_errors(status_form);
        for (case, token, word) in bad_tokens(&user) {
            user.set("JOB_TOKEN", &token);
            user.cloud.clear_requests();
            let error = user.run(LIST).failed(3);
            assert!(error.contains(word), "{case}, {status_form}: {error}");
            assert!(hint(&error).contains(ADMIN_ID), "{case}, {status_form}: {error}");
            assert!(!error.contains(&token), "{case}, {status_form}: {error}");
            assert_eq!(user.sent(), [EXCHANGE], "{case}, {status_form}");
        }
        assert!(cached(&user).is_empty());
    }
}

#[test]
fn a_refused_token_is_shown_by_what_it_says_of_itself() {
    let mut user = in_job();
    let expires_at = DateTime::from_timestamp(user.cloud.now().timestamp() + 600, 0).unwrap();
    let token = user.cloud.external("job:other").expires_at(expires_at).sign();
    user.set("JOB_TOKEN", token);
    let error = user.run("iam create-token").failed(3);
    let expected = format!(
        "ERROR: cannot get an IAM token with 'workload-identity' of profile 'p' for the token with iss \
         '{EXTERNAL_ISSUER}', aud '{EXTERNAL_AUDIENCE}', sub 'job:other' and exp {}: invalid_target: job:other is not \
         bound to the service account {ADMIN_ID}\n",
        expires_at.to_rfc3339_opts(SecondsFormat::Secs, true)
    );
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn an_oauth_refusal_with_400_401_or_403_exits_3_whatever_its_code() {
    for status in [400, 401, 403] {
        let user = in_job();
        let body = r#"{"error": "some_later_code", "error_description": "some reason"}"#;
        user.cloud.fault(EXCHANGE, Fault::answer(status, "application/json", body));
        assert!(user.run(LIST).failed(3).contains(": some_later_code: some reason\n"), "{status}");
    }
}

#[test]
fn a_token_that_cannot_be_exchanged_is_not_sent() {
    let mut user = in_job();
    let expired = user.cloud.now() - TimeDelta::minutes(10);
    let expired = DateTime::from_timestamp(expired.timestamp(), 0).unwrap();
    let time = expired.to_rfc3339_opts(SecondsFormat::Secs, true);
    let iam_token = user.cloud.issue_token(ADMIN_ID);
    let jwt = user.cloud.external_token(SUBJECT);
    for (token, problem) in [
        (user.cloud.external(SUBJECT).expires_at(expired).sign(), format!("expired at {time}")),
        ("not-a-jwt".to_owned(), "is not a JWT".to_owned()),
        (format!("\"{jwt}\""), "is in quotation marks; give the token without them".to_owned()),
        (format!("CI_TOKEN={jwt}"), "has the form NAME=VALUE; give the token alone".to_owned()),
        (iam_token, "is not a JWT but looks like an IAM token".to_owned()),
    ] {
        user.set("JOB_TOKEN", &token);
        let error = user.run(LIST).failed(3);
        let expected =
            format!("ERROR: cannot list access keys: workload identity: the token of the variable JOB_TOKEN {problem}");
        assert!(
            error.strip_prefix(&expected).is_some_and(|end| end == "\n" || end.starts_with(", and it is now ")),
            "{error}"
        );
    }
    let file = user.write_file("job-token", "not-a-jwt");
    user.use_profile(&table(ADMIN_ID, "file:~/job-token", ""));
    let error = user.run(LIST).failed(3);
    assert!(error.ends_with(": the token of the file '~/job-token' is not a JWT\n"), "{file:?}: {error}");
    assert!(user.cloud.requests().is_empty());
}

#[test]
fn a_token_that_expired_less_than_a_minute_ago_is_left_to_the_server() {
    let mut user = in_job();
    let token = user.cloud.external(SUBJECT).expires_at(user.cloud.now() - TimeDelta::seconds(30)).sign();
    user.set("JOB_TOKEN", token);
    user.run(LIST).failed(3);
    assert_eq!(user.sent(), [EXCHANGE]);
}

#[test]
fn an_account_that_the_job_is_not_bound_to_is_refused() {
    let user = in_job();
    user.use_profile(&table(NARROW_ID, "env:JOB_TOKEN", ""));
    let error = user.run(LIST).failed(3);
    assert!(error.contains(SUBJECT) && hint(&error).contains(NARROW_ID), "{error}");
}

#[test]
fn a_service_that_is_away_is_asked_again() {
    let user = in_job();
    user.cloud.fault(EXCHANGE, Fault::unavailable());
    user.run(LIST).ok();
    assert_eq!(user.count(EXCHANGE), 2);
    let user = in_job();
    user.cloud.fault(EXCHANGE, Fault::unavailable());
    user.run("iam access-key list --retry 1").failed(5);
}

#[test]
fn a_second_run_makes_no_exchange_even_with_a_new_token_of_the_same_job() {
    let mut user = in_job();
    let first = user.run(CREATE_TOKEN).ok();
    let token = user.cloud.external_token(SUBJECT);
    user.set("JOB_TOKEN", token);
    assert_eq!(user.run(CREATE_TOKEN).ok(), first);
    assert_eq!(user.count(EXCHANGE), 1);
}

#[test]
fn whoever_has_no_token_of_the_job_gets_nothing_from_the_cache() {
    let mut user = in_job();
    user.run(CREATE_TOKEN).ok();
    user.unset("JOB_TOKEN");
    user.run(CREATE_TOKEN).failed(3);
    assert_eq!(user.count(EXCHANGE), 1);
}

#[test]
fn jobs_issuers_and_accounts_are_cached_separately() {
    let mut user = in_job();
    let second = "https://second.example.com";
    for (subject, issuer, account) in [
        (SUBJECT, EXTERNAL_ISSUER, ADMIN_ID),
        ("job:other", EXTERNAL_ISSUER, ADMIN_ID),
        (SUBJECT, second, ADMIN_ID),
        (SUBJECT, second, NARROW_ID),
    ] {
        // An audience of its own tells the binding of each case from those of the others.
        let audience = format!("https://{subject}.{account}.example.com");
        let federation = user.cloud.add_federation(issuer, &audience);
        user.cloud.bind(&federation, subject, account);
        let token = user.cloud.external(subject).issuer(issuer).audience(audience).sign();
        user.set("JOB_TOKEN", token);
        user.use_profile(&table(account, "env:JOB_TOKEN", ""));
        let printed = user.run(CREATE_TOKEN).ok();
        let issued = user.cloud.tokens().pop().unwrap();
        assert_eq!((printed.trim(), issued.subject_id.as_str()), (issued.value.as_str(), account));
        assert_eq!(issued.grant, Grant::Federation { issuer: issuer.into(), subject: subject.into() });
    }
    assert_eq!(user.count(EXCHANGE), 4);
}

#[test]
fn neither_the_jobs_tokens_nor_those_from_their_exchange_are_shown() {
    let user = in_github_job(GITHUB_AUDIENCE, "").without_cache();
    user.cloud.fault(EXCHANGE, Fault::EchoSecrets);
    let refused = user.run("iam access-key list --debug-grpc").err;
    let shown = user.run("iam access-key list --debug-grpc").err;
    let subjects: Vec<_> = user.cloud.requests().iter().filter(|request| request.line() == EXCHANGE).cloned().collect();
    assert_eq!(subjects.len(), 2);
    for exchange in subjects {
        let token = form(&exchange.text()).remove("subject_token").unwrap();
        for text in [&refused, &shown] {
            assert!(!text.contains(&token) && !text.contains(token.rsplit('.').next().unwrap()), "{text}");
        }
    }
    let issued = user.cloud.tokens().pop().unwrap().value;
    for secret in [user.cloud.github_request_token(), issued] {
        assert!(!refused.contains(&secret) && !shown.contains(&secret), "{shown}");
    }
}
