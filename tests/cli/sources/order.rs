//! Which of two sources of a credential acts, seen by the subject of the token that the cloud gets.

use yc_emulator::{ADMIN_ID, NARROW_ID, PrivateKey};

use super::hint;
use crate::support::User;

const LIST: [&str; 3] = ["iam", "access-key", "list"];
const METADATA: &str = "GET /computeMetadata/v1/instance/service-accounts/default/token";

/// Gives a user the credential of a subject; returns the arguments that it takes.
type Setup = fn(&mut User, &str) -> Vec<String>;

fn with_profile(user: &User, lines: &str) -> Vec<String> {
    user.use_profile(lines);
    Vec::new()
}

fn key_file(user: &User, name: &str, subject: &str) -> String {
    let key = user.cloud.add_authorized_key(subject, PrivateKey::Rsa2048);
    user.write_file(name, &key.file()).to_str().unwrap().to_owned()
}

fn with_variable(user: &mut User, name: &str, value: String) -> Vec<String> {
    user.set(name, value);
    Vec::new()
}

/// The sources that are not in the profile, each with its place in the order; the profile is at 3.
const OUTSIDE: [(&str, u8, Setup); 5] = [
    ("--token", 1, |user, subject| vec!["--token".to_owned(), user.cloud.issue_token(subject)]),
    ("YC_IAM_TOKEN", 2, |user, subject| {
        let token = user.cloud.issue_token(subject);
        with_variable(user, "YC_IAM_TOKEN", token)
    }),
    ("YC_SERVICE_ACCOUNT_KEY_FILE", 4, |user, subject| {
        let path = key_file(user, "variable.json", subject);
        with_variable(user, "YC_SERVICE_ACCOUNT_KEY_FILE", path)
    }),
    ("YC_TOKEN", 5, |user, subject| {
        let token = user.cloud.add_oauth_token(subject);
        with_variable(user, "YC_TOKEN", token)
    }),
    ("metadata", 6, |user, subject| {
        user.cloud.attach_service_account(subject);
        let url = user.cloud.http_url().to_owned();
        with_variable(user, "YC_METADATA_ADDR", url)
    }),
];

/// The credentials that a profile may have.
fn in_profile() -> Vec<(&'static str, u8, Setup)> {
    let mut sources: Vec<(&str, u8, Setup)> = vec![
        ("token", 3, |user, subject| {
            let token = user.cloud.issue_token(subject);
            with_profile(user, &format!("token = '{token}'"))
        }),
        ("service-account-key", 3, |user, subject| {
            let key = user.cloud.add_authorized_key(subject, PrivateKey::Rsa2048);
            let key: toml::Table = serde_json::from_str(&key.file()).unwrap();
            with_profile(user, &format!("[profiles.p.service-account-key]\n{key}"))
        }),
        ("service-account-key-file", 3, |user, subject| {
            let path = key_file(user, "profile.json", subject);
            with_profile(user, &format!("service-account-key-file = '{path}'"))
        }),
        ("workload-identity", 3, |user, subject| {
            let federation = user.cloud.add_federation(yc_emulator::EXTERNAL_ISSUER, yc_emulator::EXTERNAL_AUDIENCE);
            user.cloud.bind(&federation, "job", subject);
            let token = user.cloud.external_token("job");
            user.set("JOB", token);
            let table = format!("{{ service-account-id = '{subject}', subject-token = 'env:JOB' }}");
            with_profile(user, &format!("workload-identity = {table}"))
        }),
    ];
    if cfg!(unix) {
        sources.push(("token-command", 3, |user, subject| {
            let token = user.cloud.issue_token(subject);
            with_profile(user, &format!("token-command = ['/bin/echo', '{token}']"))
        }));
    }
    sources
}

/// The subject of the token that the last request came with.
fn acted(user: &User) -> String {
    let requests = user.cloud.requests();
    let header = requests.last().and_then(|request| request.header("authorization")).expect("a token was sent");
    let value = header.strip_prefix("Bearer ").unwrap();
    user.cloud.tokens().into_iter().find(|token| token.value == value).unwrap().subject_id
}

fn run(user: &User, arguments: &[String]) -> crate::support::Ran {
    user.run_args(LIST.into_iter().map(str::to_owned).chain(arguments.iter().cloned()))
}

#[test]
fn of_any_two_sources_the_one_that_comes_first_acts() {
    let sources: Vec<_> = OUTSIDE.into_iter().chain(in_profile()).collect();
    let mut pairs = 0;
    for (first, place, set_first) in &sources {
        for (second, later, set_second) in &sources {
            if place >= later {
                continue;
            }
            let mut user = User::new();
            let mut arguments = set_second(&mut user, NARROW_ID);
            arguments.extend(set_first(&mut user, ADMIN_ID));
            let ran = run(&user, &arguments);
            assert_eq!((ran.code, ran.err.as_str(), acted(&user).as_str()), (0, "", ADMIN_ID), "{first} and {second}");
            pairs += 1;
        }
    }
    assert_eq!(pairs, if cfg!(unix) { 35 } else { 30 });
}

#[test]
fn the_service_account_of_the_machine_that_the_profile_chooses_comes_before_later_variables() {
    for (name, place, set) in OUTSIDE.into_iter().take(4) {
        let mut user = User::new();
        user.cloud.attach_service_account(ADMIN_ID);
        let url = user.cloud.http_url().to_owned();
        user.set("YC_METADATA_ADDR", url);
        user.use_profile("instance-service-account = true");
        let arguments = set(&mut user, NARROW_ID);
        run(&user, &arguments);
        assert_eq!(acted(&user), if place > 3 { ADMIN_ID } else { NARROW_ID }, "{name}");
    }
}

#[test]
fn a_variable_for_another_tool_does_not_act_in_the_place_of_a_chosen_profile() {
    let mut user = User::new();
    let key = user.cloud.admin_key();
    let key: toml::Table = serde_json::from_str(&key.file()).unwrap();
    user.configure(&format!("current = 'me'\n[profiles.me]\n[profiles.robot.service-account-key]\n{key}"));
    let other = user.cloud.issue_token(NARROW_ID);
    user.set("YC_TOKEN", other);
    let created = user.run("--profile robot iam access-key create --format json").json();
    assert_eq!(created["access_key"]["service_account_id"], ADMIN_ID);
}

#[test]
fn a_browser_profile_leaves_it_to_the_variables_and_never_to_the_machine() {
    for (name, place, set) in OUTSIDE {
        let mut user = User::new();
        user.use_profile("federation-id = 'bpf'");
        let arguments = set(&mut user, ADMIN_ID);
        let ran = run(&user, &arguments);
        if place == 6 {
            let error = ran.failed(3);
            assert!(error.starts_with("ERROR: profile 'p' signs in through a browser ('federation-id'), "), "{error}");
            assert_eq!(user.count(METADATA), 0);
        } else {
            assert_eq!((ran.code, acted(&user).as_str()), (0, ADMIN_ID), "{name}");
        }
    }
}

#[test]
fn without_a_credential_the_error_names_variables_that_are_not_read() {
    let mut user = User::new();
    for (name, read) in [
        ("YC_OAUTH_TOKEN", "YC_TOKEN"),
        ("YC_SA_KEY_JSON", "YC_SERVICE_ACCOUNT_KEY_FILE"),
        ("YANDEX_IAM_TOKEN", "YC_IAM_TOKEN"),
    ] {
        user.set(name, "canary");
        let expected = format!("; {name} is set, but is not read: use {read}");
        for profile in ["folder-id = 'b1g'", "federation-id = 'bpf'"] {
            user.use_profile(profile);
            let error = run(&user, &[]).failed(3);
            assert!(error.contains(&expected) && !error.contains("canary"), "{error}");
            assert!(!hint(&error).is_empty());
        }
        user.unset(name);
        let error = run(&user, &[]).failed(3);
        assert!(!error.contains("is not read"), "{error}");
    }
}
