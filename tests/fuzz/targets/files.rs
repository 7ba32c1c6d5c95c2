//! Files of the user and of the system.

use toml::Value;

use super::{Target, outcome, text};
use crate::config::edit::Document;
use crate::config::settings::{GlobalFlags, Settings};
use crate::config::{Config, yc};
use crate::credentials::aws_file::with_profile;
use crate::credentials::{Credentials, Storage};
use crate::endpoints::Endpoints;
use crate::env::Env;
use crate::http::fuzzing::{Block, certificate_if_among, certificates};

pub(super) const CONFIGURATION: Target = Target { name: "configuration", run: configuration, seeds: CONFIGURATIONS };

pub(super) const EDIT_CONFIGURATION: Target =
    Target { name: "edit-configuration", run: edit_configuration, seeds: CONFIGURATIONS };

const CONFIGURATIONS: &[&str] = &[
    "current = 'p'\n\n# about\n[profiles.p] # header\nfolder-id = 'b1g'  # folder\nformat = \"json\"\n",
    "current = 'p'\r\n[profiles.p]\r\ncloud-id = '''b1g'''\r\nno-user-output = true\r\ntoken-command = ['a', \"b\"]\r\n",
    "current = 'p'\nprofiles.p = { folder-name = 'f', endpoint = 'api.cloud.yandex.net:443' }\n",
    "[profiles]\n[profiles.p]\n[profiles.p.endpoints]\niam = 'https://iam.api.cloud.yandex.net'\nstorage = 'http://localhost:1'\n",
    "[profiles.p]\n[profiles.p.service-account-key]\nid = 'a'\nprivate_key = \"\"\"\nx\"\"\"\n[profiles.'a b']\ntoken = 't1.a'\n",
];

fn configuration(input: &[u8]) -> String {
    let text = text(input);
    let config = match Config::from_text(&text) {
        Ok(config) => config,
        Err(error) => return error.to_string(),
    };
    let names = match config.names() {
        Ok(names) => names,
        Err(error) => return error.to_string(),
    };
    let mut result = outcome(config.profile(None));
    for name in names {
        let profile = match config.profile(Some(name)) {
            Ok(profile) => profile,
            Err(error) => return error.to_string(),
        };
        let _ = (profile.boolean("no-user-output"), profile.strings("token-command"), profile.title());
        result += &outcome(Endpoints::resolve(None, &Env::default(), &profile, None).map(drop));
        result += &outcome(Settings::with_profile(&GlobalFlags::default(), &Env::default(), profile).map(drop));
    }
    result
}

/// What is not edited stays as it is, to the byte, and the value that was set is read again.
fn edit_configuration(input: &[u8]) -> String {
    let text = text(input);
    let mut document = match Document::from_text(&text) {
        Ok(document) => document,
        Err(error) => return error,
    };
    let before = match document.config() {
        Ok(config) => config,
        Err(error) => return error.to_string(),
    };
    // A line break is added to a last line without one, of both kinds of line breaks one is kept, and a header may lose
    // spaces.
    let printed = |text: &str| text.replace('\u{feff}', "").split_whitespace().collect::<String>();
    assert_eq!(printed(&document.to_text()), printed(&text));
    if let Err(error) = before.profile(Some("p")) {
        return error.to_string();
    }
    let path = ["endpoints", "iam"];
    for (path, value) in [(&path[..], "https://new"), (&["folder-id"], "new")] {
        if let Err(error) = document.set("p", path, &Value::from(value), &["folder-name"]) {
            return error.to_string();
        }
    }
    let after = Config::from_text(&document.to_text()).expect("an edited configuration is one");
    let profile = after.profile(Some("p")).expect("the profile is there");
    assert_eq!(profile.string("folder-id").expect("a string"), Some("new"));
    assert_eq!(profile.table("endpoints").expect("a table").expect("there")["iam"].as_str(), Some("https://new"));
    for name in before.names().expect("profiles") {
        let profile =
            |config: &Config| config.profile(Some(name)).map(|profile| profile.values().clone()).unwrap_or_default();
        let (mut before, mut after) = (profile(&before), profile(&after));
        if name == "p" {
            for key in ["folder-id", "folder-name", "endpoints"] {
                before.remove(key);
                after.remove(key);
            }
        }
        assert_eq!(format!("{before:?}"), format!("{after:?}"), "{name}");
    }
    document.unset("p", &["folder-id"]).expect("the profile is there");
    document.unset("p", &path).expect("the profile is there");
    Config::from_text(&document.to_text()).expect("an edited configuration is one");
    "ok".to_owned()
}

pub(super) const YC_CONFIGURATION: Target = Target {
    name: "yc-configuration",
    run: yc_configuration,
    seeds: &[
        "current: default\nprofiles:\n  default:\n    token: t1.a\n    cloud-id: b1g\n    folder-id: b1g\n    format: json\n",
        "profiles:\n  p:\n    service-account-key:\n      id: aje\n      private_key: |\n        -----BEGIN PRIVATE KEY-----\n        AAAA\n",
        "current: &a p\nprofiles: {p: {compute-default-zone: ru-central1-a, n: 1e3, l: [1, two, ~]}, *a : {}}\n",
    ],
};

/// What is read can be written as `config.toml`.
fn yc_configuration(input: &[u8]) -> String {
    match yc::parse(&text(input)) {
        Ok(root) => {
            let text = toml::to_string_pretty(&root).expect("a table can be written");
            outcome(Config::from_text(&text).map(drop))
        }
        Err(error) => error,
    }
}

pub(super) const AWS_FILE: Target = Target {
    name: "aws-file",
    run: aws_file,
    seeds: &[
        "[default]\naws_access_key_id = a\naws_secret_access_key = b\nregion = ru-central1\n\n# end\n[p]\naws_session_token = c\n",
        "; a\r\n[p]\r\naws_access_key_id=a ; old\r\naws_secret_access_key : b\r\n\r\n[q]\r\nx = 1\r\n  s3 =\r\n    y = 2\r\n",
        "[ p ]\n[profile p]\nrole_arn = a\n[p]\nAWS_ACCESS_KEY_ID = a\n  continued\naws_security_token = t\n[DEFAULT]\na = b\n",
    ],
};

/// Only the lines of the key in the profile change, and writing it again changes nothing.
fn aws_file(input: &[u8]) -> String {
    let storage = Storage { region: "ru-central1".into(), endpoint: "https://storage".into() };
    let credentials = Credentials {
        access_key_id: "NEWID".into(),
        secret: "NEWSECRET".into(),
        session_token: Some("NEWTOKEN".into()),
        expires_at: None,
        storage: storage.clone(),
    };
    let written = match with_profile(input, "p", &credentials, Some(&storage)) {
        Ok(written) => written,
        Err(error) => return error,
    };
    let again = with_profile(&written, "p", &credentials, Some(&storage)).expect("what was written can be read");
    assert_eq!(written, again);
    let belongs_to_a_key = |line: &&[u8]| {
        let line = line.to_ascii_lowercase();
        line.starts_with(b"aws_") || line.first().is_none_or(u8::is_ascii_whitespace)
    };
    let without_bom = |text: &'_ [u8]| text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).to_vec();
    let (input, written) = (without_bom(input), without_bom(&written));
    let mut kept = written.split_inclusive(|byte| *byte == b'\n');
    for line in input.split_inclusive(|byte| *byte == b'\n').filter(|line| !belongs_to_a_key(line)) {
        let is_same = |other: &[u8]| other.trim_ascii_end() == line.trim_ascii_end();
        assert!(kept.any(is_same), "lost: {}", line.escape_ascii());
    }
    "ok".to_owned()
}

pub(super) const ROOTS: Target = Target {
    name: "roots",
    run: roots,
    seeds: &[
        include_str!("seeds/root.pem"),
        "-----BEGIN CERTIFICATE-----\r\nMAwwCjAIMAAwADAAMAA=\r\n-----END CERTIFICATE-----\r\n-----BEGIN CERTIFICATE-----MAA=-----END CERTIFICATE-----",
    ],
};

/// A root is found by its issuer if it is well-formed, and not by another name.
fn roots(input: &[u8]) -> String {
    let mut result = String::from("ok");
    for (at, Block { certificate, subject }) in certificates(input).into_iter().enumerate() {
        let Some(subject) = subject else { continue };
        result += " subject";
        // Of a text in lines of different lengths, or with white space in them, a root may be missed.
        let found = certificate_if_among(input, at, &subject);
        assert!(found == certificate || found.is_none() && !has_even_lines(input), "{at}");
        let other = [&subject[..], b"x"].concat();
        assert_eq!(certificate_if_among(input, at, &other), None);
    }
    result
}

/// Whether the text has lines of base64 of one length, and shorter ones only before the end of a certificate.
fn has_even_lines(text: &[u8]) -> bool {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let lines: Vec<_> = text.split(|byte| *byte == b'\n').collect();
    let bodies = lines.windows(2).filter(|lines| lines[0].iter().all(is_base64));
    let mut widths = bodies.filter(|lines| !lines[1].starts_with(b"-----END")).map(|lines| lines[0].len());
    let first = widths.next();
    let is_known = |line: &&[u8]| line.starts_with(b"-----") || line.starts_with(b"#") || line.iter().all(is_base64);
    widths.all(|width| Some(width) == first) && lines.iter().all(is_known)
}
