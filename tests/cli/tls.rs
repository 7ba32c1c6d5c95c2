//! Which servers are trusted, and what is said of the others.

use std::path::Path;

use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;

use crate::support::User;

const LIST: &str = "iam access-key list";

/// A user whose cloud speaks HTTPS and is not trusted.
fn stranger() -> User {
    let mut user = User::signed_in();
    let url = user.cloud.https_url().to_owned();
    user.point_at(&url);
    user
}

fn ca_file(user: &User) -> String {
    text(&user.write_file("ca.pem", user.cloud.ca_pem()))
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// The certificate of another server.
fn other_ca() -> String {
    CertificateParams::new([]).unwrap().self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

#[test]
fn an_unknown_authority_is_refused_with_a_hint_on_the_flag() {
    let user = stranger();
    let address = user.cloud.https_url().strip_prefix("https://").unwrap();
    let error = user.run(LIST).failed(1);
    let lines: Vec<_> = error.lines().filter(|line| !line.contains("-id: ")).collect();
    assert_eq!(
        lines,
        [
            format!(
                "ERROR: cannot list access keys: cannot trust {address}: its certificate comes from the authority \
                 'yc-rs emulator CA', which is not trusted"
            )
            .as_str(),
            "hint: give the certificate of 'yc-rs emulator CA', not that of the server, with --ca-bundle FILE or \
             YC_CA_BUNDLE",
        ]
    );
    let ran = user.run("iam access-key list --error-format json");
    let error: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!((ran.code, &error["code"], &error["retryable"]), (1, &"NETWORK".into(), &false.into()));
    assert_eq!(user.cloud.requests().len(), 0);
}

#[test]
fn an_authority_is_trusted_by_flag_variable_and_profile() {
    let user = stranger();
    user.run(&format!("{LIST} --ca-bundle {}", ca_file(&user))).ok();

    let mut user = stranger();
    user.set("YC_CA_BUNDLE", ca_file(&user));
    user.run(LIST).ok();

    let user = stranger();
    user.configure(&format!("current = 'p'\n[profiles.p]\nca-bundle = '{}'\n", ca_file(&user)));
    user.run(LIST).ok();
}

#[test]
fn the_flag_beats_the_variable() {
    let mut user = stranger();
    user.set("YC_CA_BUNDLE", text(&user.home().join("missing.pem")));
    user.run(&format!("{LIST} --ca-bundle {}", ca_file(&user))).ok();
}

#[test]
fn a_bundle_may_hold_other_certificates_and_comments() {
    let user = stranger();
    let bundle = format!("# others\n{}\n# ours\n{}# end\n", other_ca(), user.cloud.ca_pem());
    let path = user.write_file("many.pem", &bundle);
    user.run(&format!("{LIST} --ca-bundle {}", text(&path))).ok();
}

#[test]
fn the_bundle_adds_to_the_roots_of_the_system_and_does_not_replace_them() {
    let mut user = stranger();
    user.set("SSL_CERT_FILE", ca_file(&user));
    let other = user.write_file("other.pem", &other_ca());
    user.run(&format!("{LIST} --ca-bundle {}", text(&other))).ok();
}

#[test]
fn somebody_elses_authority_does_not_help() {
    let user = stranger();
    let other = user.write_file("other.pem", &other_ca());
    user.run(&format!("{LIST} --ca-bundle {}", text(&other))).failed(1);
    assert_eq!(user.cloud.requests().len(), 0);
}

#[test]
fn a_bundle_that_is_of_no_use_is_an_error_of_the_configuration() {
    let user = stranger();
    let missing = user.home().join("missing.pem");
    let empty = user.write_file("empty.pem", "");
    let no_pem = user.write_file("no-pem.pem", "hello");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let broken = user.write_file("broken.pem", broken);
    for path in [&missing, &empty, &no_pem, &broken, &user.home().to_owned()] {
        let error = user.run(&format!("{LIST} --ca-bundle {}", text(path))).failed(2);
        assert!(error.contains(&text(path)), "{error}");
    }
    assert_eq!(user.cloud.requests().len(), 0);
}

#[test]
fn the_files_that_the_system_uses_can_be_named_by_the_usual_variable() {
    let mut user = stranger();
    user.set("SSL_CERT_FILE", ca_file(&user));
    user.run(LIST).ok();
}

#[test]
fn a_system_file_that_is_missing_is_named() {
    let mut user = stranger();
    let missing = text(&user.home().join("missing.pem"));
    user.set("SSL_CERT_FILE", missing.clone());
    let ran = user.run(LIST);
    assert!(ran.code != 0 && ran.err.contains(&missing), "{ran:#?}");
}

#[test]
fn without_verification_any_certificate_will_do_and_a_warning_is_printed() {
    for silence in ["", "--no-user-output"] {
        let user = stranger();
        let ran = user.run(&format!("{LIST} --no-verify-ssl --format json {silence}"));
        assert_eq!((ran.code, ran.out.as_str()), (0, "[]\n"));
        assert!(ran.err.contains("--no-verify-ssl") && ran.err.lines().count() == 1, "{}", ran.err);
    }
}
