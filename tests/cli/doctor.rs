//! `doctor`: every check passes in a healthy set-up, and each can be made to fail.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use serde_json::{Value, json};
use yc_emulator::{ADMIN_ID, CLOUD_ID, Emulator, FOLDER_ID, Fault, NARROW_ID};

use crate::route::LIST;
use crate::support::User;
use crate::terminal::{Stream, at_terminal};

/// A healthy set-up: every service is the emulator's, over TLS.
fn user() -> User {
    let mut user = User::of(Emulator::start()).with_key().over_https();
    let url = user.cloud.https_url().to_owned();
    for service in ["STORAGE", "LOCKBOX"] {
        user.set(&format!("YC_ENDPOINT_URL_{service}"), &*url);
    }
    user
}

fn rows(user: &User, flags: &str) -> Vec<Value> {
    let ran = user.run(&format!("doctor --format json {flags}"));
    serde_json::from_str::<Value>(&ran.out).unwrap_or_else(|_| panic!("{ran:?}")).as_array().unwrap().clone()
}

/// The rows of a check that are not `ok`, as status, detail and hint.
fn problems(user: &User, check: &str) -> Vec<(String, String, String)> {
    let text = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    let rows = rows(user, "");
    let rows = rows.iter().filter(|row| row["check"] == check && row["status"] != "ok");
    rows.map(|row| (text(row, "status"), text(row, "detail"), text(row, "hint"))).collect()
}

/// The one row of a check, which is not `ok`.
fn problem(user: &User, check: &str) -> (String, String, String) {
    let problems = problems(user, check);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.into_iter().next().unwrap()
}

fn checks(rows: &[Value]) -> Vec<&str> {
    let mut names: Vec<_> = rows.iter().map(|row| row["check"].as_str().unwrap()).collect();
    names.dedup();
    names
}

const CHECKS: [&str; 12] = [
    "program",
    "configuration",
    "credentials",
    "identity",
    "clock",
    "endpoints",
    "context",
    "access",
    "storage",
    "cache",
    "aws",
    "shadowing",
];

#[test]
fn a_healthy_set_up_is_all_ok() {
    let user = user();
    let rows = rows(&user, "");
    assert_eq!(checks(&rows), CHECKS);
    let others: Vec<_> = rows.iter().filter(|row| row["status"] != "ok" || !row["hint"].is_null()).collect();
    assert_eq!(others, Vec::<&Value>::new());
    let details = |check: &str| {
        let of_check = rows.iter().filter(|row| row["check"] == check);
        of_check.map(|row| row["detail"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(details("identity")[0].starts_with(&format!("{ADMIN_ID}; the token is valid until 20")));
    assert_eq!(details("context"), [format!("folder {FOLDER_ID} (default) in cloud {CLOUD_ID}")]);
    assert_eq!(details("endpoints").len(), 7);
    assert!(details("credentials").contains(&"'service-account-key' of profile 'test': used".to_owned()));
    assert!(user.cloud.ephemeral_keys().is_empty() && user.cloud.access_keys().is_empty());
    assert_eq!(user.run("doctor").code, 0);
}

#[test]
fn what_is_printed_has_no_secret() {
    let user = user();
    let ran = user.run("doctor --debug-grpc");
    let token = user.cloud.tokens().last().unwrap().value.clone();
    assert!(
        !ran.out.contains(&token) && !ran.err.contains(&token) && !ran.err.contains("PRIVATE KEY-----\\n"),
        "{ran:?}"
    );
}

#[test]
fn offline_sends_nothing() {
    let user = user();
    let rows = rows(&user, "--offline");
    assert_eq!(checks(&rows), CHECKS);
    let skipped: Vec<_> =
        rows.iter().filter(|row| row["status"] == "skipped").map(|row| row["check"].as_str().unwrap()).collect();
    assert_eq!(skipped, ["clock", "endpoints", "context", "access", "storage"]);
    assert_eq!(user.run("doctor --offline").code, 0);
    assert_eq!(user.sent(), Vec::<String>::new());
}

#[test]
fn a_failed_check_is_an_error_of_its_own_code() {
    let user = user();
    user.cloud.fault(LIST, Fault::status(7, "no"));
    let ran = user.run("doctor --error-format json");
    assert_eq!(ran.code, 1);
    let error: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!((error["code"].as_str(), error["message"].as_str()), (Some("FINDINGS"), Some("1 check failed")));
}

#[test]
fn a_broken_configuration_fails_and_the_other_rows_follow() {
    let user = user();
    user.configure("current = \n");
    let rows = rows(&user, "");
    assert_eq!(checks(&rows), CHECKS);
    let (status, detail, _) = problem(&user, "configuration");
    assert_eq!(status, "failed");
    assert!(detail.contains("config.toml:1:11"), "{detail}");
    let skipped = rows.iter().filter(|row| row["status"] == "skipped").map(|row| row["check"].as_str().unwrap());
    let expected = ["credentials", "identity", "clock", "endpoints", "context", "access", "storage", "shadowing"];
    assert_eq!(skipped.collect::<Vec<_>>(), expected);
    assert_eq!(user.run("doctor").code, 1);
    assert_eq!(user.sent(), Vec::<String>::new());
}

#[test]
fn a_key_that_nothing_reads_and_a_file_that_others_can_read_are_warnings() {
    let user = user();
    user.configure("current = 'p'\n[profiles.p]\nfolder = 'x'\n");
    let (status, detail, hint) = problem(&user, "configuration");
    assert!(status == "warning" && detail.ends_with("profile 'p', mode 0600; nothing reads folder"), "{detail}");
    assert!(hint.starts_with("the keys are token, "), "{hint}");

    let user = user.with_key();
    let file = user.config_dir().join("config.toml");
    std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let (status, detail, hint) = problem(&user, "configuration");
    assert!(status == "warning" && detail.ends_with(", mode 0644; others can read it"), "{detail}");
    assert_eq!(hint, format!("type: chmod 600 {}", file.display()));
    user.use_profile("folder = 'x'\ntoken = 't1.a'");
    std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let (_, detail, hint) = problem(&user, "configuration");
    assert!(detail.ends_with("others can read it; nothing reads folder"), "{detail}");
    assert!(hint.starts_with("type: chmod 600 ") && hint.contains("\nthe keys are token, "), "{hint}");
}

#[test]
fn a_command_to_type_has_its_path_quoted() {
    let mut user = user().with_key();
    let directory = user.home().join("it's mine");
    std::fs::rename(user.config_dir(), &directory).unwrap();
    user.set("YC_RS_CONFIG_DIR", directory.to_str().unwrap());
    std::fs::set_permissions(directory.join("config.toml"), Permissions::from_mode(0o644)).unwrap();
    let (_, _, hint) = problem(&user, "configuration");
    let home = user.home().display();
    assert_eq!(hint, format!(r"type: chmod 600 '{home}/it'\''s mine/config.toml'"));
}

#[test]
fn secrets_that_a_server_repeats_are_masked() {
    let mut user = user();
    let token = user.cloud.issue_token(ADMIN_ID);
    user.set("YC_IAM_TOKEN", &*token);
    for format in ["text", "json"] {
        user.cloud.fault("GET /oauth/userinfo", Fault::status(16, &format!("bad token {token} here")));
        let ran = user.run(&format!("doctor --format {format}"));
        assert!(ran.out.contains("bad token") && !ran.out.contains(&token), "{}", ran.out);
    }
}

#[test]
fn a_broken_configuration_leaves_the_format_of_the_variable() {
    let mut user = user();
    user.configure("current = ");
    user.set("YC_FORMAT", "json");
    let ran = user.run("doctor --offline");
    assert!(serde_json::from_str::<Value>(&ran.out).is_ok(), "{}", ran.out);
    user.set("YC_FORMAT", "xx");
    user.configure("");
    let ran = user.run("doctor --offline");
    assert!(ran.out.contains("\nfailed   configuration  YC_FORMAT is 'xx', but must be one of: "), "{}", ran.out);
    assert!(ran.out.contains("hint: correct it, or leave it out\n"), "{}", ran.out);
}

#[test]
fn a_session_that_is_not_there_fails() {
    let user = user();
    user.use_profile("login = { session = '6f1d0b0e-0000-4000-8000-000000000000' }");
    let rows = rows(&user, "--offline");
    let row = rows.iter().find(|row| row["check"] == "credentials" && row["status"] != "ok").unwrap();
    assert_eq!(row["detail"], "'login' of profile 'p': the session is not on this machine");
    assert_eq!(row["hint"], "sign in again: yc-rs login");
}

#[test]
fn a_key_file_that_others_can_read_is_a_warning() {
    let mut user = user();
    let key = user.write_file("key.json", &user.cloud.admin_key().file());
    std::fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    user.use_profile("folder-id = 'b1gfolder00000000001'");
    user.set("YC_SERVICE_ACCOUNT_KEY_FILE", key.to_str().unwrap());
    let (status, detail, hint) = problem(&user, "credentials");
    assert!(
        status == "warning" && detail.starts_with("YC_SERVICE_ACCOUNT_KEY_FILE: used; others can read "),
        "{detail}"
    );
    assert_eq!(hint, format!("type: chmod 600 {}", key.display()));
}

#[test]
fn a_credential_that_is_none_fails_and_what_needs_it_is_skipped() {
    let user = user();
    user.use_profile("service-account-key-file = '/missing.json'");
    let (status, detail, hint) = problem(&user, "credentials");
    assert!(status == "failed" && detail.contains("/missing.json") && !hint.is_empty(), "{detail}");
    for check in ["identity", "context", "access", "storage"] {
        assert_eq!(problem(&user, check).0, "skipped", "{check}");
    }
    assert!(problems(&user, "endpoints").is_empty());
}

#[test]
fn an_identity_that_is_refused_fails() {
    let mut user = user().without_cache();
    let key = user.cloud.admin_key();
    user.cloud.delete_authorized_key(&key.id);
    let (status, detail, hint) = problem(&user, "identity");
    assert!(status == "failed" && !detail.is_empty() && !hint.is_empty(), "{detail}: {hint}");
    user.set("YC_IAM_TOKEN", "t1.expired");
    assert_eq!(problem(&user, "identity").0, "failed");
}

#[test]
fn a_clock_that_is_off_is_a_warning_and_then_a_failure() {
    let user = user();
    for (offset, status, detail) in [
        (TimeDelta::seconds(-30), None, ""),
        (TimeDelta::minutes(-2), Some("warning"), "the local clock is 2m ahead"),
        (TimeDelta::hours(1), Some("failed"), "the local clock is 1h behind"),
    ] {
        user.cloud.set_clock_offset(offset);
        let found = problems(&user, "clock").into_iter().next();
        assert_eq!(
            found.as_ref().map(|(status, detail, _)| (status.as_str(), detail.as_str())),
            status.map(|status| (status, detail))
        );
    }
}

#[test]
fn an_endpoint_that_does_not_respond_fails_and_is_named() {
    let mut user = user();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    user.set("YC_ENDPOINT_URL_OPERATION", format!("http://{closed}"));
    let (status, detail, hint) = problem(&user, "endpoints");
    assert!(status == "failed" && detail.starts_with(&format!("operation: http://{closed}: ")), "{detail}");
    assert!(!hint.is_empty());
    assert!(problems(&user, "clock").is_empty());
}

#[test]
fn a_certificate_that_is_not_trusted_fails() {
    let mut user = user();
    user.unset("YC_CA_BUNDLE");
    let found = problems(&user, "endpoints");
    assert_eq!(found.len(), 7, "{found:?}");
    assert!(found.iter().all(|(_, _, hint)| hint.contains("--ca-bundle")), "{found:?}");
}

#[test]
fn a_folder_that_cannot_be_read_or_is_elsewhere_is_told() {
    let mut user = user();
    user.set("YC_FOLDER_ID", "b1gmissing0000000001");
    let (status, detail, hint) = problem(&user, "context");
    assert!(status == "failed" && detail.contains("b1gmissing0000000001"), "{detail}");
    assert!(hint.contains("YC_FOLDER_ID"), "{hint}");

    user.unset("YC_FOLDER_ID");
    user.cloud.fault("GET /resource-manager/v1/folders/{folderId}", Fault::status(7, "Permission denied"));
    assert_eq!(problem(&user, "context").0, "warning");

    user.set("YC_CLOUD_ID", "b1gother000000000001");
    let (status, detail, _) = problem(&user, "context");
    assert!(
        status == "warning" && detail.contains("not in b1gother000000000001, which comes from YC_CLOUD_ID"),
        "{detail}"
    );
}

#[test]
fn without_a_folder_the_context_is_skipped() {
    let user = user();
    let token = user.cloud.issue_token(ADMIN_ID);
    user.configure(&format!("current = 'p'\n[profiles.p]\ntoken = '{token}'\n"));
    assert_eq!(problem(&user, "context").0, "skipped");
}

#[test]
fn access_that_is_refused_names_the_role() {
    let user = user();
    user.cloud.fault(LIST, Fault::status(7, "Permission denied"));
    let (status, detail, hint) = problem(&user, "access");
    assert!(
        status == "failed" && detail.starts_with(&format!("cannot list the access keys of {ADMIN_ID}")),
        "{detail}"
    );
    assert!(hint.contains("iam.auditor"), "{hint}");
}

#[test]
fn a_storage_that_denies_the_list_is_a_warning_and_one_that_refuses_the_token_a_failure() {
    let mut user = user();
    let token = user.cloud.issue_token(NARROW_ID);
    user.set("YC_IAM_TOKEN", token);
    assert_eq!(problem(&user, "storage").0, "warning");
    let other = Emulator::start();
    user.set("YC_ENDPOINT_URL_STORAGE", other.http_url());
    let (status, detail, _) = problem(&user, "storage");
    assert!(status == "failed" && detail.contains("The provided token is not valid."), "{detail}");
}

#[test]
fn a_cache_that_others_can_write_is_a_warning() {
    let user = user();
    user.run("iam whoami").ok();
    std::fs::set_permissions(user.cache_dir().join("tokens"), Permissions::from_mode(0o777)).unwrap();
    let (status, detail, hint) = problem(&user, "cache");
    assert!(status == "warning" && detail.contains("is not used"), "{detail}");
    assert_eq!(hint, format!("type: chmod go-w {}", user.cache_dir().join("tokens").display()));
}

#[test]
fn the_aws_files_are_looked_at() {
    let user = user();
    std::fs::create_dir(user.home().join(".aws")).unwrap();
    let credentials = user.write_file(
        ".aws/credentials",
        "[static]\naws_access_key_id = YCAJE1\naws_secret_access_key = x\n[ci]\naws_access_key_id = ajeabc\n\
         aws_session_token = t\n[amazon]\naws_access_key_id = AKIA1\n",
    );
    let script = user.write_file("key.sh", "echo '{\"Version\": 1, \"ExpiresAt\": \"x\"}'\n");
    let endpoint = "endpoint_url = https://storage.yandexcloud.net\n";
    user.write_file(
        ".aws/config",
        &format!(
            "[profile static]\n{endpoint}[profile ci]\n{endpoint}role_arn = r\n[profile script]\ncredential_process = {}\n\
             [profile ours]\ncredential_process = yc-rs iam access-key issue-ephemeral --export process\n",
            script.display()
        ),
    );
    let rows = rows(&user, "--offline");
    let aws: Vec<_> = rows.iter().filter(|row| row["check"] == "aws").collect();
    let detail =
        format!("{} has keys of Yandex Cloud in: static (static), ci (temporary), mode 0600", credentials.display());
    assert_eq!(*aws[0], json!({"check": "aws", "status": "ok", "detail": detail}));
    let found = problems(&user, "aws");
    let starts = [
        "has 'role_arn' in line 5",
        "the credential_process of the profile 'script' prints ExpiresAt",
        "has no endpoint_url in the profile 'ours'",
    ];
    assert_eq!(found.len(), starts.len(), "{found:?}");
    for ((status, detail, hint), start) in found.iter().zip(starts) {
        assert!(status == "warning" && detail.contains(start) && !hint.is_empty(), "{detail}");
    }
    assert_eq!(found[2].2, format!("type: aws configure set endpoint_url {} --profile 'ours'", user.cloud.https_url()));
    std::fs::set_permissions(&credentials, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(problems(&user, "aws")[0].2, format!("type: chmod 600 {}", credentials.display()));
}

#[test]
fn variables_that_win_or_lose_are_told() {
    let mut user = user();
    let token = user.cloud.issue_token(ADMIN_ID);
    user.set("YC_TOKEN", &*token);
    user.set("YC_FOLDER_ID", FOLDER_ID);
    user.set("YC_OAUTH_TOKEN", "x");
    let found: Vec<_> = problems(&user, "shadowing").into_iter().map(|(_, detail, hint)| (detail, hint)).collect();
    let expected = [
        (
            "YC_TOKEN is set, not used: 'service-account-key' of profile 'test' is used instead",
            "unset YC_TOKEN, or remove the other credential",
        ),
        ("YC_OAUTH_TOKEN is set, and nothing reads it", "use YC_TOKEN"),
        ("YC_FOLDER_ID is used instead of 'folder-id' in the profile", "to use the profile, type: unset YC_FOLDER_ID"),
    ];
    assert_eq!(found, expected.map(|(detail, hint)| (detail.to_owned(), hint.to_owned())));
    user.set("YC_IAM_TOKEN", token);
    let first = problems(&user, "shadowing").remove(0);
    assert_eq!(first.1, "YC_IAM_TOKEN is used instead of 'service-account-key' of profile 'test'");
}

#[test]
fn each_variable_that_comes_before_a_key_of_the_profile_is_told() {
    let mut user = user();
    let bundle = user.write_file("other.pem", "-----BEGIN CERTIFICATE-----\n");
    user.use_profile(&format!(
        "token = 't1.profile'\nca-bundle = '{}'\nclient-id = 'mine'\nstorage-endpoint = 'storage.example.com'\n\
         endpoints.iam = 'https://iam.example.com'\nregion = 'ru-central1'\nformat = 'json'",
        bundle.display()
    ));
    for (name, value) in [("YC_CLIENT_ID", "other"), ("YC_REGION", "kz1"), ("YC_FORMAT", "yaml")] {
        user.set(name, value);
    }
    let rows = rows(&user, "--offline");
    let shadows = rows.iter().filter(|row| row["check"] == "shadowing" && row["status"] == "warning");
    let found: Vec<_> = shadows.map(|row| row["detail"].as_str().unwrap()).collect();
    let expected = [
        ("YC_FORMAT", "format"),
        ("YC_REGION", "region"),
        ("YC_CA_BUNDLE", "ca-bundle"),
        ("YC_CLIENT_ID", "client-id"),
        ("YC_ENDPOINT_URL_IAM", "endpoints.iam"),
        ("YC_ENDPOINT_URL_STORAGE", "storage-endpoint"),
    ];
    assert_eq!(found, expected.map(|(name, key)| format!("{name} is used instead of '{key}' in the profile")));
}

#[test]
fn variables_of_a_job_and_of_the_profile_that_have_no_effect_are_told() {
    let mut user = user();
    user.configure("current = 'p'\n[profiles.p]\ntoken = 't1.a'\n[profiles.q]\ntoken = 't1.b'\n");
    for (name, value) in [("YC_PROFILE", "q"), ("YC_SA_ID", "aje1"), ("YC_WORKLOAD_IDENTITY_AUDIENCE", "x")] {
        user.set(name, value);
    }
    let rows = rows(&user, "--offline");
    let shadows = rows.iter().filter(|row| row["check"] == "shadowing" && row["status"] == "warning");
    let found: Vec<_> = shadows.map(|row| row["detail"].as_str().unwrap()).collect();
    let expected = [
        "YC_SA_ID is set, not used: there is no token of a CI job",
        "YC_WORKLOAD_IDENTITY_AUDIENCE is set, not used: no token of a CI job is exchanged",
        "YC_PROFILE is used instead of the current profile 'p'",
    ];
    assert_eq!(found, expected);
}

#[test]
fn paths_keep_their_spaces_off_a_terminal() {
    let mut user = user();
    let directory = user.home().join("two  spaces");
    user.set("YC_RS_CACHE_DIR", directory.display().to_string());
    let ran = user.run("doctor --offline");
    assert!(ran.out.contains(&format!("cache          {};", directory.display())), "{}", ran.out);
}

#[test]
fn it_ends_in_time_where_nothing_responds() {
    let mut user = user();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    user.point_at(&url);
    for service in ["STORAGE", "LOCKBOX"] {
        user.set(&format!("YC_ENDPOINT_URL_{service}"), &*url);
    }
    let started = Instant::now();
    let rows = rows(&user, "");
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    assert_eq!(rows.iter().filter(|row| row["status"] == "failed").count(), 8);
}

#[test]
fn a_token_command_is_ended_when_it_takes_too_long() {
    let user = user();
    user.use_profile("token-command = ['sleep', '60']");
    let started = Instant::now();
    let (status, _, _) = problem(&user, "identity");
    assert!(status == "failed" && started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

#[test]
fn the_text_fits_a_terminal() {
    let mut user = user();
    user.set("TERM", "xterm");
    user.set("YC_FOLDER_ID", "b1gmissing0000000001");
    let ran = at_terminal(Stream::Out, &user, &["doctor"]);
    assert_eq!(ran.code, 1);
    let plain = ran.out.replace("\u{1b}[0m", "");
    let plain =
        ["31", "32", "33", "90"].iter().fold(plain, |text, color| text.replace(&format!("\u{1b}[{color}m"), ""));
    for line in plain.lines() {
        // A path cannot be broken.
        assert!(line.chars().count() <= 80 || !line[24..].contains(' '), "{line}");
    }
    assert!(ran.out.contains("\u{1b}[31mfailed   \u{1b}[0mcontext        "), "{}", ran.out);
    assert!(plain.contains("\n                        hint: "), "{plain}");
}
