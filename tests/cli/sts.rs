//! `sts assume-role`: temporary credentials for a static key.

use chrono::{DateTime, TimeDelta};
use serde_json::Value;
use yc_emulator::{ADMIN_ID, AccessKey, Emulator, Fault};

use crate::support::{Ran, User};

const STS: &str = "POST /";

/// A user with a static key in the variables of AWS, and without any credential of IAM.
fn user() -> (User, AccessKey) {
    with_key(User::new())
}

fn with_key(mut user: User) -> (User, AccessKey) {
    let key = user.cloud.add_access_key(ADMIN_ID, "");
    user.set("AWS_ACCESS_KEY_ID", key.key_id.clone());
    user.set("AWS_SECRET_ACCESS_KEY", key.secret.clone());
    let url = user.cloud.http_url().to_owned();
    user.set("YC_ENDPOINT_URL_STS", url);
    (user, key)
}

fn over_https(cloud: Emulator) -> (User, AccessKey) {
    let (mut user, key) = with_key(User::of(cloud).over_https());
    let url = user.cloud.https_url().to_owned();
    user.set("YC_ENDPOINT_URL_STS", url);
    (user, key)
}

fn assume(user: &User, more: &[&str]) -> Ran {
    user.run_args(["sts", "assume-role"].iter().chain(more))
}

fn refused_unsent(user: &User, more: &[&str], code: i32, reason: &str) {
    let message = assume(user, more).failed(code);
    assert!(message.contains(reason), "{message}");
    assert_eq!(user.sent(), [] as [&str; 0]);
}

#[test]
fn a_static_key_is_enough() {
    for (user, key) in [user(), over_https(Emulator::start())] {
        let printed = assume(&user, &["--format", "json"]).json();
        let issued = user.cloud.sts_keys().pop().unwrap();
        let fields: Vec<_> = printed.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["access_key_id", "secret", "session_token", "expires_at"]);
        assert_eq!(printed["access_key_id"], *key.key_id);
        assert_eq!(printed["secret"], *issued.secret);
        assert_eq!(printed["session_token"], *issued.session_token);
        assert_eq!(issued.role_arn, "yc-rs-temporary-access-key");
        assert!(issued.role_session_name.starts_with("yc-rs-tester-"), "{}", issued.role_session_name);
        assert_eq!((issued.duration.unwrap().as_secs(), issued.policy), (3600, None));
        assert_eq!(user.sent(), ["POST /"]);
    }
}

#[test]
fn every_flag_reaches_the_server() {
    let (user, _) = user();
    let policy = r#"{ "Statement": [ {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "arn:aws:s3:::ж +&=/*"} ] }"#;
    let arn = "a1234567890_1234567-890";
    assume(
        &user,
        &[
            "--role-arn",
            arn,
            "--role-session-name",
            "s-_1",
            "--policy",
            policy,
            "--duration-seconds",
            "900",
            "--region",
            "ru-central1",
        ],
    )
    .ok();
    let issued = user.cloud.sts_keys().pop().unwrap();
    assert_eq!((issued.role_arn.as_str(), issued.role_session_name.as_str()), (arn, "s-_1"));
    assert_eq!(issued.policy.unwrap(), policy.replace(' ', "").replace("ж+", "ж +"));
    assert_eq!(issued.duration.unwrap().as_secs(), 900);
    assume(&user, &["--duration", "1h30m"]).ok();
    assert_eq!(user.cloud.sts_keys().pop().unwrap().duration.unwrap().as_secs(), 5400);
    let file = user.write_file("policy.json", policy);
    assume(&user, &["--policy", &format!("file://{}", file.display())]).ok();
    assert!(user.run_with_input(["sts", "assume-role", "--policy", "-"], policy).code == 0);
}

#[test]
fn bad_input_is_refused_before_anything_is_sent() {
    let (user, _) = user();
    for (args, reason) in [
        (&["--role-arn", "too-short"][..], "a role ARN has 20 to 2048 printable characters"),
        (&["--role-arn", "a role ARN with a\ttabulator"], "a role ARN has 20 to 2048 printable characters"),
        (&["--role-arn", &"x".repeat(2049)], "a role ARN has 20 to 2048 printable characters"),
        (&["--role-session-name", "a b"], "a role session name has 2 to 64 ASCII letters"),
        (&["--role-session-name", "a"], "a role session name has 2 to 64 ASCII letters"),
        (&["--role-session-name", &"x".repeat(65)], "a role session name has 2 to 64 ASCII letters"),
        (&["--duration-seconds", "899"], "900..=43200"),
        (&["--duration-seconds", "43201"], "900..=43200"),
        (&["--duration", "14m"], "15m and 12h"),
        (&["--duration", "1h1ms"], "whole seconds"),
        (&["--duration", "1h", "--duration-seconds", "3600"], "cannot be used with"),
        (&["--policy", "{"], "--policy is not JSON"),
        (&["--region", "a/b"], "--region is 'a/b'"),
        (&["--export", "env", "--format", "json"], "--format"),
        (&["--export", "process", "--duration", "15m"], "16m"),
        (&["--access-key-id", "x"], "--secret-access-key-file"),
        (&["--secret-access-key-file", "x"], "--access-key-id"),
        (&["--access-key-id", "x", "--secret-access-key-file", "none"], "the file 'none' cannot be read"),
        (&["--source-aws-profile", "x"], "cannot be read"),
    ] {
        refused_unsent(&user, args, 2, reason);
    }
}

#[test]
fn the_first_source_of_a_key_decides() {
    let (mut user, by_aws) = user();
    let [by_flag, by_profile, by_yc] = [1, 2, 3].map(|_| user.cloud.add_access_key(ADMIN_ID, ""));
    user.set("YC_STORAGE_ACCESS_KEY", by_yc.key_id.clone());
    user.set("YC_STORAGE_SECRET_KEY", by_yc.secret.clone());
    std::fs::create_dir(user.home().join(".aws")).unwrap();
    let profile =
        format!("[p]\naws_access_key_id={}\naws_secret_access_key={}\n", by_profile.key_id, by_profile.secret);
    user.write_file(".aws/credentials", &profile);
    user.write_file("secret", &format!("{}\n", by_flag.secret));

    let key_of = |user: &User, more: &[&str]| {
        assume(user, &[&["--format", "json"], more].concat()).json()["access_key_id"].clone()
    };
    assert_eq!(
        key_of(&user, &["--access-key-id", &by_flag.key_id, "--secret-access-key-file", "secret"]),
        by_flag.key_id
    );
    assert_eq!(key_of(&user, &["--source-aws-profile", "p"]), by_profile.key_id);
    assert_eq!(key_of(&user, &[]), by_aws.key_id);
    let ran = user.run_with_input(
        ["sts", "assume-role", "--format", "json", "--access-key-id", &by_flag.key_id, "--secret-access-key-file", "-"],
        &by_flag.secret,
    );
    assert_eq!(ran.json()["access_key_id"], by_flag.key_id);
    user.unset("AWS_ACCESS_KEY_ID");
    user.unset("AWS_SECRET_ACCESS_KEY");
    user.set("AWS_SESSION_TOKEN", "s1.of.nothing");
    assert_eq!(key_of(&user, &[]), by_yc.key_id);
    user.unset("YC_STORAGE_ACCESS_KEY");
    user.cloud.clear_requests();
    refused_unsent(&user, &[], 3, "YC_STORAGE_SECRET_KEY is set, but YC_STORAGE_ACCESS_KEY is not");
    user.unset("YC_STORAGE_SECRET_KEY");
    refused_unsent(&user, &[], 3, "there is no static key to sign with");
    user.set("AWS_PROFILE", "p");
    assert_eq!(key_of(&user, &[]), by_profile.key_id);
    user.set("AWS_PROFILE", "q");
    user.cloud.clear_requests();
    refused_unsent(&user, &[], 2, "AWS_PROFILE names the key to sign with: the AWS credentials file ");
}

/// The emulator accepts what the documentation of Yandex Cloud names: letters, digits, `_` and `-`.
#[test]
fn names_that_aws_accepts_are_left_to_the_server() {
    for (arn, name, sent) in [
        (
            "arn:aws:iam::123456789012:role/x",
            "a@b",
            "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fx&RoleSessionName=a%40b",
        ),
        (
            "twenty printable characters",
            "a_+=,.@-9",
            "RoleArn=twenty%20printable%20characters&RoleSessionName=a_%2B%3D%2C.%40-9",
        ),
    ] {
        let (user, _) = user();
        let error = assume(&user, &["--role-arn", arn, "--role-session-name", name]).failed(1);
        assert!(error.contains("\ncode: ValidationError\n"), "{error}");
        let [request] = &user.cloud.requests()[..] else { panic!("{:?}", user.sent()) };
        let body = String::from_utf8(request.body.clone()).unwrap();
        assert!(body.contains(sent), "{body}");
    }
}

/// The content of an input of users, with the ID and the secret of a key in their places.
fn filled(content: &str, key: &AccessKey) -> String {
    content.replace("KEYID", &key.key_id).replace("SECRET", &key.secret)
}

#[test]
fn a_profile_is_read_as_the_sdks_read_it() {
    let mut user = User::new();
    let key = user.cloud.add_access_key(ADMIN_ID, "");
    for content in [
        include_str!("../data/F9-empty-session-token.credentials"),
        include_str!("../data/F10-inline-comments.credentials"),
    ] {
        let file = user.write_file("F", &filled(content, &key));
        user.set("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap());
        assert_eq!(
            assume(&user, &["--source-aws-profile", "p", "--format", "json"]).json()["access_key_id"],
            key.key_id
        );
    }
    let config = filled("[profile only-here]\naws_access_key_id = KEYID\naws_secret_access_key = SECRET\n", &key);
    let config = user.write_file("config-file", &config);
    user.set("AWS_CONFIG_FILE", config.to_str().unwrap());
    let printed = assume(&user, &["--source-aws-profile", "only-here", "--format", "json"]).json();
    assert_eq!(printed["access_key_id"], key.key_id);
}

#[test]
fn the_root_certificates_of_aws_clients_are_trusted_here_and_nowhere_else() {
    let (mut user, _) = over_https(Emulator::start());
    let bundle = user.home().join("ca.pem").to_str().unwrap().to_owned();
    user.unset("YC_CA_BUNDLE");
    assume(&user, &["--retry", "1"]).failed(1);
    user.set("AWS_CA_BUNDLE", &*bundle);
    assume(&user, &[]).ok();
    user.set("AWS_CA_BUNDLE", "~/ca.pem");
    assume(&user, &[]).ok();
    user.set("AWS_CA_BUNDLE", "$HOME/ca.pem");
    assert_eq!(
        assume(&user, &[]).failed(2),
        "ERROR: AWS_CA_BUNDLE is wrong: the path '$HOME/ca.pem' begins with a variable, which is not expanded; write it in full\n"
    );
    user.set("AWS_CA_BUNDLE", &*bundle);
    let token = user.cloud.issue_token(ADMIN_ID);
    user.set("YC_IAM_TOKEN", token);
    user.run("iam access-key list --retry 1").failed(1);
    user.set("YC_CA_BUNDLE", "/nonexistent");
    let error = assume(&user, &["--retry", "1"]).failed(2);
    assert!(error.contains("/nonexistent"), "{error}");
}

#[test]
fn a_bundle_of_aws_clients_that_cannot_be_a_file_is_refused_by_its_variable() {
    let (mut user, _) = user();
    for (path, problem) in [
        (
            "$HOME/ca.pem",
            "is wrong: the path '$HOME/ca.pem' begins with a variable, which is not expanded; write it in full",
        ),
        ("/tmp", "('/tmp') cannot be read: it is a directory"),
    ] {
        user.set("AWS_CA_BUNDLE", path);
        assert_eq!(assume(&user, &[]).failed(2), format!("ERROR: AWS_CA_BUNDLE {problem}\n"));
    }
    assert_eq!(user.sent(), [] as [&str; 0]);
}

#[test]
fn the_credentials_go_to_a_profile_of_the_aws_cli() {
    let (user, key) = user();
    assert_eq!(assume(&user, &["--aws-profile", "p"]).ok(), "");
    let issued = user.cloud.sts_keys().pop().unwrap();
    assert_eq!(
        std::fs::read_to_string(user.home().join(".aws/credentials")).unwrap(),
        format!(
            "[p]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\nregion = ru-central1\n\
             endpoint_url = https://storage.yandexcloud.net\n",
            key.key_id, issued.secret, issued.session_token
        )
    );
}

#[test]
fn a_filter_that_drops_the_secret_is_warned_of() {
    let (user, key) = user();
    let ran = assume(&user, &["--jq", ".expires_at"]);
    assert_eq!(
        (ran.code, ran.err),
        (
            0,
            format!(
                "WARNING: the output of --jq does not contain the secret of the key {}; the key expires at {}\n",
                key.key_id,
                ran.out.trim()
            )
        )
    );
}

#[test]
fn temporary_credentials_cannot_sign() {
    let (mut user, key) = user();
    let profile = format!("[p]\naws_access_key_id={}\naws_secret_access_key=x\naws_session_token=s1.x.y\n", key.key_id);
    std::fs::create_dir(user.home().join(".aws")).unwrap();
    user.write_file(".aws/credentials", &profile);
    refused_unsent(&user, &["--source-aws-profile", "p"], 3, "has a session token: these are temporary credentials");
    user.set("AWS_SESSION_TOKEN", "s1.x.y");
    refused_unsent(&user, &[], 3, "AWS_ACCESS_KEY_ID comes with AWS_SESSION_TOKEN: these are temporary credentials");
}

#[test]
fn the_servers_code_is_shown_as_it_is() {
    let (mut user, key) = user();
    user.set("AWS_SECRET_ACCESS_KEY", "YCwrong-secret-wrong-secret-wrong-secret");
    let message = assume(&user, &[]).failed(3);
    assert!(message.contains("cannot get temporary credentials: The request signature we calculated"), "{message}");
    assert!(
        message.contains("\ncode: SignatureDoesNotMatch\n") && message.contains("server-request-id: "),
        "{message}"
    );
    assert!(message.contains(&format!("signed with the key {} of AWS_ACCESS_KEY_ID", key.key_id)), "{message}");
    let ran = assume(&user, &["--error-format", "json"]);
    let error: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(
        (ran.code, &error["code"], &error["status"], &error["exit"]),
        (3, &"SignatureDoesNotMatch".into(), &403.into(), &3.into())
    );
    assert!(!ran.err.contains("YCwrong"), "{}", ran.err);
    user.set("AWS_ACCESS_KEY_ID", "YCAJEunknown");
    assert!(assume(&user, &[]).failed(3).contains("code: InvalidClientTokenId"));
}

#[test]
fn exit_statuses_follow_the_http_status() {
    for (http, exit) in [(400, 1), (401, 3), (403, 3), (404, 4), (500, 1)] {
        let (user, _) = user();
        let body =
            "<ErrorResponse><Error><Code>Some&amp;Code</Code><Message>m &lt; n</Message></Error></ErrorResponse>";
        user.cloud.fault(STS, Fault::answer(http, "text/xml", body));
        let message = assume(&user, &["--retry", "1"]).failed(exit);
        assert!(message.contains("m < n\ncode: Some&Code"), "{message}");
    }
    for (content_type, body) in [("text/html", "<html><p>busy</p>"), ("application/json", "{}"), ("text/xml", "")] {
        let (user, _) = user();
        for http in [200, 403] {
            user.cloud.fault(STS, Fault::answer(http, content_type, body));
            let error = assume(&user, &["--error-format", "json"]).err;
            let error: Value = serde_json::from_str(&error).unwrap();
            let (code, exit) =
                if http == 200 || content_type == "text/html" { ("NETWORK", 1) } else { ("PERMISSION_DENIED", 3) };
            assert_eq!((&error["code"], &error["exit"]), (&code.into(), &exit.into()), "{error}");
        }
        let (user, _) = self::user();
        user.cloud.fault(STS, Fault::answer(503, content_type, body));
        assume(&user, &["--retry", "1"]).failed(5);
    }
}

#[test]
fn passing_failures_are_outlasted() {
    for fault in [Fault::unavailable(), Fault::LoseReply, Fault::CutReply, Fault::BadGateway(502)] {
        let (user, _) = user();
        user.cloud.fault(STS, fault);
        assume(&user, &[]).ok();
        assert_eq!(user.sent().len(), 2);
    }
}

#[test]
fn a_clock_that_is_wrong_is_corrected_once() {
    for (offset, requests) in [(0, 1), (600, 1), (1200, 2), (-1200, 2), (24 * 3600, 2), (-24 * 3600, 2)] {
        let (user, _) = over_https(Emulator::start());
        user.cloud.set_clock_offset(TimeDelta::seconds(offset));
        let key = assume(&user, &["--format", "json"]).json();
        assert_eq!(user.sent().len(), requests, "{offset}");
        let life =
            DateTime::parse_from_rfc3339(key["expires_at"].as_str().unwrap()).unwrap().to_utc() - user.cloud.now();
        assert!((life.num_seconds() - 3600).abs() < 30, "{life}");
    }
    for (offset, flag) in [(26 * 3600, "--no-browser"), (1200, "--no-verify-ssl")] {
        let (user, _) = over_https(Emulator::start());
        user.cloud.set_clock_offset(TimeDelta::seconds(offset));
        let ran = assume(&user, &[flag]);
        assert_eq!((ran.code, user.sent().len()), (3, 1), "{ran:?}");
        assert!(ran.err.contains("RequestTimeTooSkewed"), "{ran:?}");
    }
}

#[test]
fn a_wrong_key_is_not_tried_twice() {
    let (mut user, _) = over_https(Emulator::start());
    user.set("AWS_SECRET_ACCESS_KEY", "YCwrong");
    assume(&user, &[]).failed(3);
    assert_eq!(user.sent().len(), 1);
}

#[test]
fn the_credentials_are_exported_like_others() {
    let (user, key) = user();
    let document = assume(&user, &["--export", "process"]).json();
    let issued = user.cloud.sts_keys().pop().unwrap();
    assert_eq!(document["AccessKeyId"], *key.key_id);
    assert_eq!(document["SessionToken"], *issued.session_token);
    assert_eq!(
        DateTime::parse_from_rfc3339(document["Expiration"].as_str().unwrap()).unwrap().timestamp(),
        issued.expires_at.timestamp()
    );
    let out = assume(&user, &["--export", "env", "--region", "ru-central1"]).ok();
    assert!(out.contains("export AWS_SESSION_TOKEN='s1."), "{out}");
}

#[test]
fn no_secret_is_in_the_log() {
    let (user, key) = user();
    let ran = assume(&user, &["--debug-grpc"]);
    let issued = user.cloud.sts_keys().pop().unwrap();
    assert_eq!(ran.code, 0);
    for secret in [&key.secret, &issued.secret, &issued.session_token] {
        assert!(!ran.err.contains(secret.as_str()), "{}", ran.err);
    }
    assert!(ran.err.contains("<AccessKeyId>"), "{}", ran.err);
}
