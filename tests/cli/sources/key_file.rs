//! A key file, named by `YC_SERVICE_ACCOUNT_KEY_FILE` or by the profile.

use std::fs::File;
use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use yc_emulator::{ADMIN_KEY_ID, EC_PRIVATE_KEY, Grant, PrivateKey};

use super::{CREATE_TOKEN, newest_grant};
use crate::support::User;

const VARIABLE: &str = "YC_SERVICE_ACCOUNT_KEY_FILE";

fn admin_file(user: &User) -> String {
    user.write_file("admin.json", &user.cloud.admin_key().file()).to_str().unwrap().to_owned()
}

fn signed_by(key_id: &str) -> Grant {
    Grant::Jwt { key_id: key_id.to_owned() }
}

#[test]
fn a_path_is_relative_to_the_working_directory() {
    let mut user = User::new();
    admin_file(&user);
    user.set(VARIABLE, "admin.json");
    user.run(CREATE_TOKEN).ok();
    assert_eq!(newest_grant(&user), signed_by(ADMIN_KEY_ID));
}

#[test]
fn what_is_not_a_key_file_is_refused_by_file_and_field_and_never_quoted() {
    let mut user = User::new();
    let pem = PrivateKey::Rsa2048.pem();
    let key = |private: &str| serde_json::json!({"id": "a", "service_account_id": "b", "private_key": private});
    let half = &pem[..pem.len() / 2];
    let cases = [
        ("empty", String::new(), "empty"),
        ("blank", " \n".to_owned(), "empty"),
        ("no JSON", pem.to_owned(), "JSON"),
        ("cut", user.cloud.admin_key().file()[..200].to_owned(), "JSON"),
        ("a list", "[]".to_owned(), "key"),
        ("no fields", "{}".to_owned(), "'id'"),
        ("no owner", serde_json::json!({"id": "a", "private_key": pem}).to_string(), "service_account_id"),
        ("no PEM", key("canary").to_string(), "private_key"),
        ("half", key(half).to_string(), "private_key"),
        ("PKCS#1", key(&pem.replace("PRIVATE", "RSA PRIVATE")).to_string(), "another kind of key"),
        ("EC", key(EC_PRIVATE_KEY).to_string(), "private_key"),
    ];
    let secrets = || half.lines().chain(EC_PRIVATE_KEY.lines()).filter(|line| !line.starts_with('-'));
    for (case, text, field) in cases {
        let path = user.write_file("bad.json", &text).to_str().unwrap().to_owned();
        user.use_profile(&format!("service-account-key-file = '{path}'"));
        let by_profile = user.run(CREATE_TOKEN).failed(2);
        user.use_profile("");
        user.set(VARIABLE, &path);
        let by_variable = user.run(CREATE_TOKEN).failed(2);
        user.unset(VARIABLE);
        for (error, place) in [(by_profile, "profiles.p.service-account-key-file"), (by_variable, VARIABLE)] {
            for word in [&path, place, field] {
                assert!(error.contains(word), "{case}: no {word} in: {error}");
            }
            assert!(!secrets().chain(["canary"]).any(|secret| error.contains(secret)), "{case}: {error}");
        }
    }
    assert!(user.cloud.requests().is_empty());
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_nothing_else_is_tried() {
    let mut user = User::new();
    let token = user.cloud.issue_token(yc_emulator::ADMIN_ID);
    user.set("YC_TOKEN", token);
    let latin = user.home().join("latin.json");
    File::create(&latin).unwrap().write_all(b"{\"id\": \"\xe9\"}").unwrap();
    let missing = user.home().join("missing.json");
    for path in [missing, user.home().to_owned(), latin] {
        let path = path.to_str().unwrap();
        user.set(VARIABLE, path);
        let error = user.run("iam access-key list").failed(2);
        assert!(error.contains(VARIABLE) && error.contains(path), "{error}");
    }
    assert!(user.cloud.requests().is_empty());
}

#[test]
fn a_bad_key_file_comes_with_the_command_that_makes_a_good_one() {
    let mut user = User::new();
    let bad = user.write_file("bad.json", "{}").to_str().unwrap().to_owned();
    for path in [bad.as_str(), "missing.json"] {
        user.set(VARIABLE, path);
        let error = user.run(CREATE_TOKEN).failed(2);
        assert!(super::hint(&error).contains("yc iam key create"), "{error}");
    }
}

/// The administrator's key in the forms in which users have it, each with what it is called.
fn forms(user: &User) -> Vec<(&'static str, String)> {
    let file = user.cloud.admin_key().file();
    let fields: Value = serde_json::from_str(&file).unwrap();
    let response = json!({
        "key": {
            "id": fields["id"], "serviceAccountId": fields["service_account_id"], "createdAt": fields["created_at"],
            "keyAlgorithm": fields["key_algorithm"], "publicKey": fields["public_key"],
        },
        "privateKey": fields["private_key"],
    });
    let base64 = STANDARD.encode(&file);
    let lines: Vec<_> = base64.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    user.use_profile("");
    let path = user.write_file("for-config.json", &file);
    user.run_args(["config", "set", "service-account-key", path.to_str().unwrap()]).ok();
    let printed = user.run("config get service-account-key").ok();
    assert!(printed.starts_with("id: "), "{printed}");
    let as_json = user.run("config get service-account-key --format json").ok();
    user.use_profile("");
    vec![
        ("JSON", file.clone()),
        ("JSON in which a shell made line breaks of \\n", file.replace("\\n", "\n")),
        ("base64", base64.clone()),
        ("base64 in lines", format!("{}\n", lines.join("\n"))),
        ("base64 for URLs", URL_SAFE_NO_PAD.encode(&file)),
        ("the response that creates a key", response.to_string()),
        ("what config get prints", printed),
        ("what config get prints as JSON", as_json),
    ]
}

#[test]
fn the_variable_takes_a_key_itself_in_every_form() {
    let mut user = User::new().without_cache();
    for (form, text) in forms(&user) {
        user.set(VARIABLE, text);
        let ran = user.run(CREATE_TOKEN);
        assert!(ran.code == 0 && ran.err.is_empty(), "{form}: {ran:#?}");
        assert_eq!(newest_grant(&user), signed_by(ADMIN_KEY_ID), "{form}");
    }
}

#[test]
fn a_key_file_holds_a_key_in_every_form() {
    let user = User::new().without_cache();
    for (form, text) in forms(&user) {
        let path = user.write_file("key", &text);
        user.use_profile(&format!("service-account-key-file = '{}'", path.display()));
        let ran = user.run(CREATE_TOKEN);
        assert!(ran.code == 0 && ran.err.is_empty(), "{form}: {ran:#?}");
    }
}

#[test]
fn config_set_takes_a_key_itself_in_every_form_and_stores_the_same() {
    let user = User::new().without_cache();
    let mut stored = Vec::new();
    for (form, text) in forms(&user) {
        for input in [None, Some(text.as_str())] {
            user.use_profile("");
            let value = if input.is_some() { "-" } else { text.as_str() };
            let ran = user.run_with_input(["config", "set", "service-account-key", value], input.unwrap_or_default());
            assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""), "{form}");
            stored.push((form, user.run("config get service-account-key --format json").json()));
            user.run(CREATE_TOKEN).ok();
        }
    }
    for (form, fields) in &stored {
        assert_eq!(fields, &stored[0].1, "{form}");
    }
}

#[test]
fn a_tilde_at_the_start_of_a_path_is_the_home_directory() {
    let mut user = User::new().without_cache();
    let path = admin_file(&user);
    user.use_profile("service-account-key-file = '~/admin.json'");
    user.run(CREATE_TOKEN).ok();
    user.use_profile("");
    user.set(VARIABLE, "~/admin.json");
    user.run(CREATE_TOKEN).ok();
    user.unset(VARIABLE);
    user.run_args(["config", "set", "service-account-key-file", "~/admin.json"]).ok();
    assert_eq!(user.run("config get service-account-key-file").ok(), format!("{path}\n"));
    user.run_args(["config", "set", "service-account-key", "~/admin.json"]).ok();
    user.run(CREATE_TOKEN).ok();
}

#[test]
fn a_wrong_key_in_the_variable_is_described_and_not_shown() {
    let mut user = User::new();
    let pem = PrivateKey::Rsa2048.pem();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let fields = json!({"id": "aje", "private_key": pem});
    for (text, problem) in [
        (
            fields.to_string(),
            "holds a key that has no field 'service_account_id', so it is not a service account's key",
        ),
        (
            STANDARD.encode(fields.to_string()),
            "holds a key that has no field 'service_account_id', so it is not a service account's key",
        ),
        (
            pem.to_owned(),
            "holds a key that is a private key in PEM, but must be the JSON of a key file, which has the IDs of the key \
             and its account too",
        ),
        (
            body.clone(),
            "holds a key that is a private key without its PEM lines, but must be the JSON of a key file, which has the \
             IDs of the key and its account too",
        ),
        (
            "$HOME/key.json".to_owned(),
            "is wrong: the path '$HOME/key.json' begins with a variable, which is not expanded; write it in full",
        ),
        (
            "y0_AgAAAAABcdefGhijkLmnop".to_owned(),
            "(an OAuth token, not shown) cannot be read: No such file or directory (os error 2)",
        ),
    ] {
        user.set(VARIABLE, text);
        let error = user.run("iam whoami").failed(2);
        assert_eq!(error.lines().next().unwrap(), format!("ERROR: {VARIABLE} {problem}"));
        assert!(!error.contains(&body[..40]), "{error}");
    }
    assert!(user.cloud.requests().is_empty());
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_variable_is_not_waited_for() {
    let mut user = User::new();
    let path = user.home().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
    user.set(VARIABLE, path.to_str().unwrap());
    let error = user.run("iam whoami").failed(2);
    assert!(error.contains("cannot be read: it is not a regular file"), "{error}");
}
