//! Keys, policies, tokens and secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use clap::ValueEnum;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{Target, first_line, outcome, text};
use crate::auth::service_account_key::ServiceAccountKey;
use crate::auth::subject_jwt::SubjectJwt;
use crate::auth::{iam_token, key_document};
use crate::credentials::forms::ExportFormat;
use crate::credentials::{Credentials, Storage};
use crate::keys::policy::intent::{self, Intent};
use crate::keys::policy::{self, review};
use crate::secret::Masks;
use crate::text::{digest, escape, form, percent, quote};
use crate::{input, text as rules};

pub(super) const SERVICE_ACCOUNT_KEY: Target = Target {
    name: "service-account-key",
    run: service_account_key,
    seeds: &[
        include_str!("seeds/key.json"),
        "{\"key\": {\"id\": \"ajeq\", \"serviceAccountId\": \"ajea\"}, \"privateKey\": \"-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\"}",
        "eyJpZCI6ICJhamUiLCAic2VydmljZV9hY2NvdW50X2lkIjogImFqZSIsICJwcml2YXRlX2tleSI6ICJ4In0=",
        "id: aje\nservice_account_id: aje\nprivate_key: |\n  -----BEGIN PRIVATE KEY-----\n",
    ],
};

fn service_account_key(input: &[u8]) -> String {
    let Ok(text) = input::decode(input.to_vec()) else { return "not text".to_owned() };
    let is_document = key_document::is_document(&text);
    let key = ServiceAccountKey::from_text(&text);
    let fields = key_document::file_fields(&text);
    if let Ok(fields) = &fields {
        let table = serde_json::to_string(fields).expect("JSON");
        // A field that stands twice is refused in a file.
        assert!(key.is_err() || ServiceAccountKey::from_text(&table).is_ok());
    }
    format!("{} {is_document} {}", outcome(key), outcome(fields))
}

pub(super) const POLICY: Target = Target {
    name: "policy",
    run: policy,
    seeds: &[
        "{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\", \"Principal\": \"*\", \"Action\": [\"s3:GetObject\"], \"Resource\": \"arn:aws:s3:::b/*\"}]}",
        "\u{feff} { \"a\" : \"\\u0041 \\\" \\\\\" , \"a\" : [ 1.50 , -0 , 1e5 , null , true ] }\n",
        "file://policy.json",
        "{\"Statement\": {\"Action\": \"s3:Get*\", \"Resource\": [\"*\", 1], \"Condition\": {\"StringLikeIfExists\": {\"s3:prefix\": \"a\"}}}}",
        "read,list:my-bucket/logs/*",
        "all:b.1/a*${x}?*",
    ],
};

/// A policy that is sent means what the given one means, and has no white space to leave out.
fn policy(input: &[u8]) -> String {
    let text = text(input);
    let _ = policy::place(&text);
    let review = review::review(&text);
    assert_eq!(
        review.characters.is_some_and(|count| count <= review.limit),
        policy::compact(&text).is_ok() && review.characters.is_some()
    );
    if let Ok(rule) = Intent::denied(&text).or_else(|_| Intent::allowed(&text)) {
        let built =
            intent::build(std::slice::from_ref(&rule), &[]).map(|built| review::review(&built.to_string()).findings);
        // What is built has no mistakes.
        assert!(built.is_ok_and(|findings| findings.len() == 1) || text.len() > 300);
    }
    let compact = match policy::compact(&text) {
        Ok(compact) => compact,
        Err(error) => return error,
    };
    assert_eq!(policy::compact(&compact).as_deref(), Ok(compact.as_str()));
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    assert_eq!(value(&compact), value(text.trim_start_matches('\u{feff}')));
    "ok".to_owned()
}

pub(super) const TOKENS: Target = Target {
    name: "tokens",
    run: tokens,
    seeds: &[
        "t1.9euelZqWkZOQ.S0mEs1gNaTuRe-_==",
        "export YC_TOKEN='y0_AgAAAAAsecret'",
        "\"AQVNabcdefghijklmnopqrstuvwxyz0123456789ABC\"",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2kiLCJzdWIiOiJzIiwiYXVkIjpbImEiXSwiZXhwIjo0MTAyNDQ0ODAwfQ.c2ln",
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ==",
        "https://user:password@host/a?b#c",
    ],
};

/// A value that is shown is one short line without control characters, and no secret is shown.
fn tokens(input: &[u8]) -> String {
    let text = text(input);
    let shown = [quote::value(&text), quote::bare(&text), quote::line(&text), quote::request_id(&text)];
    for shown in &shown {
        assert!(!shown.chars().any(escape::is_hidden), "{shown:?}");
        assert!(shown.chars().count() <= quote::LONGEST_LINE, "{shown:?}");
    }
    let form = form::of(&text);
    // Whether characters are random is not certain.
    if form.is_some_and(|form| form.is_secret() && form != form::Form::Random) && text.len() > 40 {
        assert!(!shown[0].contains(text.as_ref()), "{}", shown[0]);
    }
    let _ = (
        form::assignment(&text),
        form::unquoted(&text),
        rules::ids::check_id(&text),
        rules::ids::check_name("name", &text),
    );
    let secret = input::secret(&text);
    if let Ok(secret) = &secret {
        assert!(!secret.expose_secret().contains(|c: char| c.is_whitespace() || c.is_control()));
    }
    let token = iam_token::checked(text.as_ref().into());
    if let Ok(token) = &token {
        assert!(token.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()));
    }
    let jwt = SubjectJwt::decode(text.as_ref().into(), DateTime::UNIX_EPOCH);
    if let Ok(jwt) = &jwt {
        assert!(!jwt.claims.to_string().chars().any(|c| escape::is_hidden(c) && c != '\n'), "{}", jwt.claims);
    }
    format!("{} {form:?} {} {}", outcome(token.map(drop)), outcome(secret.map(drop)), outcome(jwt.map(drop)))
}

pub(super) const EXPORTS: Target = Target {
    name: "exports",
    run: exports,
    seeds: &["YCSecret0123456789\ns1.token==", "it's \"quoted\"\n$(x) `y` %PATH% !a^&|<>", "a#b\n;c\\"],
};

/// The forms that this program can read itself give the values that were exported.
fn exports(input: &[u8]) -> String {
    let text = text(input);
    let (secret, token) = first_line(&text);
    let credentials = Credentials {
        access_key_id: "YCA".into(),
        secret: secret.into(),
        session_token: Some(token.into()),
        expires_at: Some("2030-01-01T00:00:00Z".into()),
        storage: Storage { region: "ru-central1".into(), endpoint: "https://storage".into() },
    };
    let mut result = String::from("ok");
    for format in ExportFormat::value_variants() {
        let exported = match credentials.export(*format) {
            Ok(exported) => exported,
            Err(error) => {
                result = format!("{error} {result}");
                continue;
            }
        };
        assert!(exported.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n')), "{exported:?}");
        match format {
            ExportFormat::Process => {
                let read: Value = serde_json::from_str(&exported).expect("JSON");
                assert_eq!((&read["SecretAccessKey"], &read["SessionToken"]), (&secret.into(), &token.into()));
            }
            ExportFormat::Env | ExportFormat::EnvNoExport => {
                for (name, value) in [("AWS_SECRET_ACCESS_KEY", secret), ("AWS_SESSION_TOKEN", token)] {
                    assert_eq!(sh_value(&exported, name).as_deref(), Some(value), "{exported}");
                }
            }
            ExportFormat::Dotenv => {
                for (name, value) in [("AWS_SECRET_ACCESS_KEY", secret), ("AWS_SESSION_TOKEN", token)] {
                    let found = exported.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
                    assert_eq!(found, Some(value), "{exported}");
                }
            }
            ExportFormat::Fish | ExportFormat::Powershell | ExportFormat::WindowsCmd | ExportFormat::GithubActions => {}
        }
    }
    result
}

/// The value of `NAME='value'`, as a POSIX shell reads it: in single quotes nothing is special, and `\'` is a quote.
fn sh_value(script: &str, name: &str) -> Option<String> {
    let line =
        script.lines().find_map(|line| line.trim_start_matches("export ").strip_prefix(name)?.strip_prefix('='))?;
    let mut value = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('\'') {
            let (inside, after) = quoted.split_once('\'')?;
            value += inside;
            rest = after;
        } else {
            rest = rest.strip_prefix("\\'")?;
            value.push('\'');
        }
    }
    Some(value)
}

pub(super) const MASKS: Target = Target {
    name: "masks",
    run: masks,
    seeds: &[
        "t1.9euelZqWkZOQkZ.S0mEs1gNaTuReS0mEs1gNaTuRe\nthe token t1.9euel was refused: Bearer ",
        "YCSecretSecretSecretSecret012345678901234\n<Error>eyJhbGciOi.eyJpc3MiOi.c2ln</Error>",
        "hunter2-secret-with-a-tail\n{\"secret\": \"x\", \"token\":\"y\"} -----BEGIN PRIVATE KEY-----\nMIIE\n",
    ],
};

/// No 16 characters in a row of a secret are left, in any of the forms that are masked.
fn masks(input: &[u8]) -> String {
    let text = text(input);
    let (secret, around) = first_line(&text);
    let masks = Masks::default();
    masks.add(&SecretString::from(secret));
    let plain = masks.mask(around);
    // Documents and PEM are masked in parts; a secret of asterisks looks like a mask.
    let is_simple = secret.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*' && byte != b'{');
    if !is_simple || secret.len() < 16 || secret.contains("-----") {
        return format!("ok {}", plain == around);
    }
    let (head, tail) = secret.split_at(secret.len() / 2);
    let forms = [
        secret.to_owned(),
        secret.to_ascii_uppercase(),
        digest::hex(secret.as_bytes()),
        STANDARD.encode(secret),
        percent::encode(secret).to_string(),
        serde_json::to_string(secret).expect("JSON"),
        format!("{head}\n  {tail}"),
    ];
    for form in forms {
        let masked = masks.mask(&format!("{around}{form}{around}"));
        let compact: String = masked.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
        for part in secret.to_ascii_lowercase().as_bytes().windows(16) {
            let part = std::str::from_utf8(part).expect("ASCII");
            assert!(!compact.contains(part), "{part} of {secret} is left in {masked}");
        }
        assert!(form.len() < 24 || !masked.contains(&form), "{form} is left in {masked}");
    }
    "ok masked".to_owned()
}
