//! A key file, named by `YC_SERVICE_ACCOUNT_KEY_FILE` or by the profile.

use std::fs::File;
use std::io::Write;

use yc_emulator::{ADMIN_KEY_ID, EC_PRIVATE_KEY, Grant, NARROW_KEY_ID, PrivateKey};

use super::{CREATE_TOKEN, newest_grant};
use crate::support::User;

const VARIABLE: &str = "YC_SERVICE_ACCOUNT_KEY_FILE";

fn admin_file(user: &User) -> String {
    user.write_file("admin.json", &user.cloud.admin_key().file()).to_str().unwrap().to_owned()
}

fn narrow_file(user: &User) -> String {
    user.write_file("narrow.json", &user.cloud.narrow_key().file()).to_str().unwrap().to_owned()
}

fn signed_by(key_id: &str) -> Grant {
    Grant::Jwt { key_id: key_id.to_owned() }
}

#[test]
fn the_variable_and_the_profile_name_a_key_file_and_the_variable_wins() {
    let mut user = User::new();
    user.use_profile(&format!("service-account-key-file = '{}'", admin_file(&user)));
    user.run(CREATE_TOKEN).ok();
    assert_eq!(newest_grant(&user), signed_by(ADMIN_KEY_ID));
    let narrow = narrow_file(&user);
    user.set(VARIABLE, narrow);
    user.run(CREATE_TOKEN).ok();
    assert_eq!(newest_grant(&user), signed_by(NARROW_KEY_ID));
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
fn a_token_variable_beats_the_key_file() {
    for variable in ["YC_IAM_TOKEN", "YC_TOKEN"] {
        let mut user = User::new();
        let (file, token) = (admin_file(&user), user.cloud.issue_token(yc_emulator::NARROW_ID));
        user.set(VARIABLE, file);
        user.set(variable, &token);
        assert_eq!(user.run(CREATE_TOKEN).ok(), format!("{token}\n"), "{variable}");
    }
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
    user.use_profile(&format!("token = '{token}'"));
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
