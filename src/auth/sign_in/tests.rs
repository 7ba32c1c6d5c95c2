use proptest::prelude::*;

use super::*;
use crate::config::Config;

fn env(vars: &[(&str, &str)]) -> Env {
    Env { vars: vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(), ..Env::default() }
}

fn profile(lines: &str) -> Profile {
    let config = Config::from_text(&format!("current = 'p'\n[profiles.p]\n{lines}\n")).unwrap();
    config.profile(None).unwrap()
}

fn resolve(flag: Option<&str>, vars: &[(&str, &str)], lines: &str) -> Result<SignIn> {
    let flag = flag.map(SecretString::from);
    let inputs = Inputs { token: flag.as_ref(), env: &env(vars), profile: &profile(lines) };
    SignIn::resolve(inputs, None, &Log::default())
}

#[test]
fn the_first_configured_source_decides() {
    let source = |flag, vars: &[_], lines| resolve(flag, vars, lines).unwrap().source.to_string();
    let vars = [("YC_IAM_TOKEN", "t1.i"), ("YC_TOKEN", "y0_o")];
    assert_eq!(source(Some("t1.f"), &vars, "token = 't1.p'"), "--token");
    assert_eq!(source(None, &vars, "token = 't1.p'"), "YC_IAM_TOKEN");
    assert_eq!(source(None, &vars[1..], "token = 't1.p'"), "'token' of profile 'p'");
    assert_eq!(source(None, &vars[1..], ""), "YC_TOKEN");
    assert_eq!(resolve(None, &[], "").unwrap().source, Source::MetadataService);
}

#[test]
fn every_source_is_listed_with_what_becomes_of_it() {
    let (env, profile) = (env(&[("YC_TOKEN", "y0_o")]), profile("token-command = ['true']"));
    let sources = Inputs { token: None, env: &env, profile: &profile }.sources().unwrap();
    let lines: Vec<_> = sources.iter().map(|(source, status)| format!("{source}: {status}")).collect();
    assert_eq!(
        lines,
        [
            "--token: not set",
            "YC_IAM_TOKEN: not set",
            "'token' of profile 'p': not set",
            "'service-account-key' of profile 'p': not set",
            "'service-account-key-file' of profile 'p': not set",
            "'instance-service-account' of profile 'p': not set",
            "'token-command' of profile 'p': used",
            "'workload-identity' of profile 'p': not set",
            "'login' of profile 'p': not set",
            "YC_SERVICE_ACCOUNT_KEY_FILE: not set",
            "YC_TOKEN: set, not used",
            "YC_WORKLOAD_IDENTITY: not set",
            "YC_SA_ID: not set",
        ]
    );
}

#[test]
fn yc_iam_token_always_holds_an_iam_token() {
    let sign_in = resolve(None, &[("YC_IAM_TOKEN", "anything")], "").unwrap();
    assert!(sign_in.credential.is_iam_token());
}

#[test]
fn mistakes_are_named_and_not_quoted() {
    for (token, expected) in [
        (
            "{\"id\": 1}",
            "--token holds JSON, not a token; the key of a service account goes into 'service-account-key' of a \
             profile",
        ),
        ("YCAJEsecret", "--token holds a key for S3, not a token; an IAM token begins with t1."),
        ("a b", "--token holds white space or other characters that no token has"),
        (" ", "--token is empty, but must hold a token"),
    ] {
        let error = resolve(Some(token), &[], "").unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(!error.to_text().contains("secret"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn a_profile_with_two_credentials_is_refused() {
    let error = resolve(None, &[], "token = 't1.p'\nservice-account-key = { id = 'x' }").unwrap_err();
    assert_eq!(
        error.to_string(),
        "'profiles.p.service-account-key' is set together with 'token', but a profile has one credential; remove \
         one of them"
    );
    let off = resolve(None, &[], "token = 't1.p'\ninstance-service-account = false").unwrap();
    assert!(off.credential.is_iam_token());
}

#[test]
fn a_credential_that_names_its_subject_tells_it() {
    let identity = "workload-identity = { service-account-id = 'aje', subject-token = 'env:T' }";
    assert_eq!(resolve(None, &[], identity).unwrap().subject_id(), Some("aje"));
    let bare = resolve(Some("t1.a"), &[], "").unwrap();
    assert_eq!(bare.subject_id(), None);
    assert_eq!(SignIn { impersonate: Some("sa".into()), ..bare }.subject_id(), Some("sa"));
}

#[test]
fn a_browser_profile_is_one_without_any_credential() {
    assert_eq!(browser_key(&profile("federation-id = 'x'\nsubject-id = 'y'")), Some("federation-id"));
    assert_eq!(browser_key(&profile("subject-id = 'y'\nusername = 'u'")), Some("username"));
    assert_eq!(browser_key(&profile("federation-id = 'x'\ntoken = 'y0_a'")), None);
    assert_eq!(browser_key(&profile("folder-id = 'x'")), None);
}

#[test]
fn variables_that_hold_a_credential_can_be_left_out() {
    let env = env(&[("YC_TOKEN", "a"), ("YC_IAM_TOKEN", "b"), ("YC_SERVICE_ACCOUNT_KEY_FILE", "c"), ("HOME", "d")]);
    assert_eq!(without_env_credentials(&env).vars.into_keys().collect::<Vec<_>>(), ["HOME"]);
}

proptest! {
    #[test]
    fn a_token_is_never_quoted_in_an_error(token in "canary\\PC{0,20}") {
        if let Err(error) = resolve(Some(&token), &[], "") {
            prop_assert!(!error.to_text().contains("canary"));
        }
    }
}
