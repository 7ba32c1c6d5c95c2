//! Security Token Service.

use std::process::Command;

use chrono::{DateTime, TimeDelta, Utc};
use ring::digest::{SHA256, digest};
use ring::hmac::{HMAC_SHA256, Key, sign};
use serde_json::Value;
use yc_emulator::{AccessKey, BACKUP_ID, Emulator};

use crate::client::{Call, Response, call, form};
use crate::programs::require_program;

const GOOD: [(&str, &str); 4] = [
    ("Action", "AssumeRole"),
    ("Version", "2011-06-15"),
    ("RoleArn", "a1234567891234567890"),
    ("RoleSessionName", "test-2"),
];
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}"#;

/// A request to sign, with everything that a test may want to get wrong.
struct Request<'a> {
    key_id: &'a str,
    secret: &'a str,
    body: String,
    time: DateTime<Utc>,
    scope: &'a str,
    signed: &'a [&'a str],
    extra: &'a [(&'a str, &'a str)],
}

impl<'a> Request<'a> {
    fn new(cloud: &Emulator, key: &'a AccessKey, fields: &[(&str, &str)]) -> Self {
        Self {
            key_id: &key.key_id,
            secret: &key.secret,
            body: form(fields),
            time: cloud.now(),
            scope: "ru-central1/sts",
            signed: &["content-type", "host", "x-amz-date"],
            extra: &[],
        }
    }

    fn authorization(&self) -> String {
        let time = self.time.format("%Y%m%dT%H%M%SZ").to_string();
        let date = self.time.format("%Y%m%d");
        let mut headers = vec![
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("host", "emulator"),
            ("x-amz-date", time.as_str()),
        ];
        headers.extend(self.extra);
        let lines: Vec<String> = self
            .signed
            .iter()
            .map(|name| format!("{name}:{}\n", headers.iter().find(|(known, _)| known == name).unwrap().1))
            .collect();
        let names = self.signed.join(";");
        let payload = hex(digest(&SHA256, self.body.as_bytes()).as_ref());
        let request = format!("POST\n/\n\n{}\n{names}\n{payload}", lines.concat());
        let scope = format!("{date}/{}/aws4_request", self.scope);
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(digest(&SHA256, request.as_bytes()).as_ref()));
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in scope.split('/') {
            key = sign(&Key::new(HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec();
        }
        let signature = hex(sign(&Key::new(HMAC_SHA256, &key), text.as_bytes()).as_ref());
        let credential = format!("{}/{scope}", self.key_id);
        format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}")
    }

    fn call(&self) -> Call {
        let call = call("POST", "/").header("X-Amz-Date", &self.time.format("%Y%m%dT%H%M%SZ").to_string());
        let call = self.extra.iter().fold(call, |call, (name, value)| call.header(name, value));
        call.header("Content-Type", "application/x-www-form-urlencoded; charset=utf-8").body(&self.body)
    }

    fn send(&self, cloud: &Emulator) -> Response {
        self.call().header("Authorization", &self.authorization()).send(cloud)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn tag<'a>(xml: &'a str, name: &str) -> &'a str {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{name} is missing in {xml}"));
    rest.split_once(&format!("</{name}>")).unwrap().0
}

#[track_caller]
fn refused(response: &Response, status: u16, code: &str, message: &str) {
    let xml = response.text();
    assert_eq!((response.status, tag(&xml, "Code")), (status, code), "{xml}");
    assert!(tag(&xml, "Message").contains(message), "{xml}");
    assert!(xml.starts_with("<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender<"));
    assert_eq!(tag(&xml, "RequestId"), response.header("x-request-id").unwrap());
}

fn with_key() -> (Emulator, AccessKey) {
    let cloud = Emulator::start();
    let key = cloud.add_access_key(BACKUP_ID, "");
    (cloud, key)
}

#[test]
fn a_signed_request_buys_a_temporary_key() {
    let (cloud, key) = with_key();
    let fields = [&GOOD[..], &[("DurationSeconds", "3600"), ("Policy", POLICY)]].concat();
    let response = Request::new(&cloud, &key, &fields).send(&cloud);
    let xml = response.text();
    assert_eq!((response.status, response.header("content-type")), (200, Some("text/xml")), "{xml}");
    let made = &cloud.sts_keys()[0];
    assert_eq!(tag(&xml, "AccessKeyId"), key.key_id);
    assert_eq!((tag(&xml, "SecretAccessKey"), tag(&xml, "SessionToken")), (&*made.secret, &*made.session_token));
    assert_eq!(tag(&xml, "Expiration"), made.expires_at.format("%Y-%m-%dT%H:%M:%SZ").to_string());
    assert_eq!(tag(&xml, "Arn"), "a1234567891234567890/test-2");
    assert_eq!(tag(&xml, "RequestId"), response.header("x-request-id").unwrap());
    assert!((TimeDelta::seconds(3595)..=TimeDelta::seconds(3600)).contains(&(made.expires_at - cloud.now())));
    assert_eq!((made.policy.as_deref(), made.service_account_id.as_str()), (Some(POLICY), BACKUP_ID));
    assert!(made.secret.starts_with("YC") && made.session_token.starts_with("s1.") && made.secret != key.secret);

    Request::new(&cloud, &key, &GOOD).send(&cloud);
    let made = &cloud.sts_keys()[1];
    assert_eq!((made.duration, &made.policy), (None, &None));
    assert!(made.expires_at - cloud.now() <= TimeDelta::minutes(15));
}

#[test]
fn signatures_are_checked() {
    let (cloud, key) = with_key();
    let good = || Request::new(&cloud, &key, &GOOD);
    refused(&good().call().send(&cloud), 403, "MissingAuthenticationToken", "");
    let wrong = Request { secret: "YCwrong", ..good() };
    refused(&wrong.send(&cloud), 403, "SignatureDoesNotMatch", "does not match");
    let unknown = Request { key_id: "YCAJEunknown", ..good() };
    refused(&unknown.send(&cloud), 403, "InvalidClientTokenId", "invalid");
    for scope in ["us-east-1/sts", "ru-central1/s3"] {
        let elsewhere = Request { scope, ..good() };
        refused(&elsewhere.send(&cloud), 403, "SignatureDoesNotMatch", "scoped to region ru-central1 and service sts");
    }
    let unsigned = Request { signed: &["host", "x-amz-date"], ..good() };
    refused(&unsigned.send(&cloud), 403, "SignatureDoesNotMatch", "content-type is not signed");
    let unsorted = Request { signed: &["host", "content-type", "x-amz-date"], ..good() };
    refused(&unsorted.send(&cloud), 400, "IncompleteSignature", "sorted");
    for header in ["Bearer t1.x", "AWS4-HMAC-SHA256 Credential=x", "AWS4-HMAC-SHA256 Credential=a, Other=b"] {
        let response = good().call().header("Authorization", header).send(&cloud);
        refused(&response, 400, "IncompleteSignature", "");
    }
    // Signed for another body.
    let mut other = good();
    let authorization = other.authorization();
    other.body += "&DurationSeconds=900";
    let response = other.call().header("Authorization", &authorization).send(&cloud);
    refused(&response, 403, "SignatureDoesNotMatch", "");
    assert!(cloud.sts_keys().is_empty());
}

#[test]
fn headers_of_the_payload_and_of_a_session_are_looked_at() {
    let (cloud, key) = with_key();
    let good = || Request::new(&cloud, &key, &GOOD);
    let hash = hex(digest(&SHA256, good().body.as_bytes()).as_ref());
    let signed: &[&str] = &["content-type", "host", "x-amz-content-sha256", "x-amz-date"];
    let right = Request { signed, extra: &[("x-amz-content-sha256", &hash)], ..good() };
    assert_eq!(right.send(&cloud).status, 200);
    let wrong = Request { signed, extra: &[("x-amz-content-sha256", "UNSIGNED-PAYLOAD")], ..good() };
    refused(&wrong.send(&cloud), 400, "XAmzContentSHA256Mismatch", "");
    let forgotten = Request { extra: &[("x-amz-content-sha256", &hash)], ..good() };
    refused(&forgotten.send(&cloud), 403, "SignatureDoesNotMatch", "x-amz-content-sha256 is not signed");

    let session = cloud.sts_keys()[0].clone();
    let signed: &[&str] = &["content-type", "host", "x-amz-date", "x-amz-security-token"];
    let extra: &[(&str, &str)] = &[("x-amz-security-token", &session.session_token)];
    let temporary = Request { secret: &session.secret, signed, extra, ..good() };
    refused(&temporary.send(&cloud), 403, "InvalidClientTokenId", "");
}

#[test]
fn clocks_may_differ_by_a_quarter_of_an_hour() {
    let (cloud, key) = with_key();
    cloud.set_clock_offset(TimeDelta::hours(3));
    for (minutes, status) in [(-16, 403), (-14, 200), (14, 200), (16, 403)] {
        let request = Request { time: cloud.now() + TimeDelta::minutes(minutes), ..Request::new(&cloud, &key, &GOOD) };
        let response = request.send(&cloud);
        assert_eq!(response.status, status, "{minutes}");
        if status == 403 {
            refused(&response, 403, "RequestTimeTooSkewed", "too large");
            let date = DateTime::parse_from_rfc2822(response.header("date").unwrap()).unwrap();
            assert!((cloud.now() - date.to_utc()).abs() < TimeDelta::minutes(1));
        }
    }
}

#[test]
fn parameters_are_known_single_and_within_limits() {
    let (cloud, key) = with_key();
    let send = |fields: &[(&str, &str)]| Request::new(&cloud, &key, fields).send(&cloud);
    let long = "x".repeat(65);
    let spacious = POLICY.replace("s3:GetObject", &format!("s3:{}", "x".repeat(2000)));
    for (name, value) in [
        ("Version", "2010-01-01"),
        ("RoleArn", "a123456789012345678"),
        ("RoleArn", "arn:aws:iam::123456789012:role/x"),
        ("RoleSessionName", ""),
        ("RoleSessionName", "me@example"),
        ("RoleSessionName", &long),
        ("DurationSeconds", "899"),
        ("DurationSeconds", "43201"),
        ("DurationSeconds", "+900"),
        ("DurationSeconds", "1h"),
        ("Policy", ""),
        ("Policy", "file://policy.json"),
        ("Policy", r#"{"Statement":{"Effect":"Allow"}}"#),
        ("Policy", &spacious),
        ("ExternalId", "x"),
    ] {
        let mut fields: Vec<_> = GOOD.iter().filter(|(known, _)| *known != name).copied().collect();
        fields.push((name, value));
        refused(&send(&fields), 400, "ValidationError", name);
    }
    for at in 0..GOOD.len() {
        let (name, _) = GOOD[at];
        let missing: Vec<_> = GOOD.iter().filter(|(known, _)| *known != name).copied().collect();
        refused(&send(&missing), 400, "ValidationError", &format!("{name}: is required"));
        refused(
            &send(&[&GOOD[..], &GOOD[at..=at]].concat()),
            400,
            "ValidationError",
            &format!("{name}: is given twice"),
        );
    }
    let identity = [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")];
    refused(&send(&identity), 400, "InvalidAction", "GetCallerIdentity");
    for seconds in ["900", "43200"] {
        let fields = [&GOOD[..], &[("DurationSeconds", seconds)]].concat();
        assert_eq!(send(&fields).status, 200, "{seconds}");
    }
}

#[test]
fn a_deleted_key_signs_no_more() {
    let (cloud, key) = with_key();
    let target = format!("/iam/aws-compatibility/v1/accessKeys/{}", key.id);
    let operation = call("DELETE", &target).admin(&cloud).send(&cloud).ok();
    let poll = format!("/operations/{}", operation["id"].as_str().unwrap());
    assert_eq!(Request::new(&cloud, &key, &GOOD).send(&cloud).status, 200);
    while call("GET", &poll).admin(&cloud).send(&cloud).ok().get("done").is_none() {}
    refused(&Request::new(&cloud, &key, &GOOD).send(&cloud), 403, "InvalidClientTokenId", "");
}

/// The AWS CLI is a second opinion on signatures and on XML, where it is installed.
#[test]
fn the_aws_cli_gets_along_with_it() {
    if !require_program("aws") {
        return;
    }
    let (cloud, key) = with_key();
    let aws = |arguments: &[&str]| {
        let mut command = Command::new("aws");
        command.args(["--endpoint-url", cloud.http_url(), "--region", "ru-central1", "--output", "json"]);
        command.args(["sts", "assume-role", "--role-arn", "a1234567891234567890", "--role-session-name", "test-2"]);
        command.args(arguments).env("AWS_ACCESS_KEY_ID", &key.key_id).env("AWS_SECRET_ACCESS_KEY", &key.secret);
        for name in ["AWS_SESSION_TOKEN", "AWS_PROFILE"] {
            command.env_remove(name);
        }
        command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        command.env("AWS_CONFIG_FILE", "/nonexistent").env("AWS_MAX_ATTEMPTS", "1").output()
    };
    let output = aws(&["--duration-seconds", "3600", "--policy", POLICY]).unwrap();
    assert!(output.status.success(), "{output:?}");
    let response: Value = serde_json::from_slice(&output.stdout).unwrap();
    let made = &cloud.sts_keys()[0];
    assert_eq!(response["Credentials"]["AccessKeyId"], key.key_id);
    assert_eq!(response["Credentials"]["SessionToken"], made.session_token);
    // Version 2 writes `+00:00` for `Z`.
    let expiration = DateTime::parse_from_rfc3339(response["Credentials"]["Expiration"].as_str().unwrap()).unwrap();
    assert_eq!(expiration.timestamp(), made.expires_at.timestamp());
    assert_eq!(response["AssumedRoleUser"]["Arn"], "a1234567891234567890/test-2");
    assert_eq!((&response["PackedPolicySize"], &response["SourceIdentity"]), (&Value::from(0), &Value::from("")));

    let refusal = aws(&["--region", "us-east-1"]).unwrap();
    let text = String::from_utf8(refusal.stderr).unwrap();
    assert!(text.contains("(SignatureDoesNotMatch)") && text.contains("ru-central1"), "{text}");
}
