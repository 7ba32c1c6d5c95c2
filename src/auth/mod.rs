//! Signing in: which credential is used, and the IAM token it comes to.
//!
//! The first source that is configured decides; when it fails, that is the error. Choosing the credential is the matter
//! of this file, making a token of it that of [`token_source`].

pub mod cache;
pub mod iam_token;
pub mod jwt;
pub mod key;
pub mod metadata;
pub mod token_command;
pub mod token_source;
pub mod workload_identity;

use std::fmt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use toml::Table;

use crate::config::{CREDENTIALS, Profile};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::log::Log;
use crate::private_file;
use key::ServiceAccountKey;
use workload_identity::WorkloadIdentity;

/// What the program signs in with.
#[derive(Debug)]
pub enum Credential {
    /// An IAM token, used as it is.
    IamToken(SecretString),
    /// An OAuth token of a Yandex account, exchanged for an IAM token.
    OauthToken(SecretString),
    /// The authorized key of a service account: it signs a JWT that is exchanged for an IAM token.
    ServiceAccountKey(Box<ServiceAccountKey>),
    /// The service account that is attached to this machine.
    Metadata,
    /// The token of another system, exchanged for an IAM token of a service account.
    WorkloadIdentity(WorkloadIdentity),
    /// A program that prints a token.
    TokenCommand(Vec<String>),
}

/// A credential, where it came from, and on whose behalf it is used.
#[derive(Debug)]
pub struct SignIn {
    /// The credential.
    pub credential: Credential,
    /// Where it came from.
    pub source: Source,
    /// The service account to act as.
    pub impersonate: Option<String>,
}

/// Where a credential came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The flag `--token`.
    Flag,
    /// The environment variable of this name.
    Variable(&'static str),
    /// A key of the profile in use.
    Profile {
        /// The profile, as it is called in messages.
        title: String,
        /// The key.
        key: &'static str,
    },
    /// Nothing is configured, and the machine may have a service account.
    Machine {
        /// What was looked for in vain, for the message when the machine has none.
        tried: String,
    },
}

impl SignIn {
    /// Chooses the credential: `--token`, `YC_IAM_TOKEN`, `YC_TOKEN`, `YC_SERVICE_ACCOUNT_KEY_FILE`, the profile's own,
    /// and when there is none of them the metadata service.
    ///
    /// # Errors
    /// The first source that is configured holds no credential.
    pub fn resolve(flag: Option<&SecretString>, env: &Env, profile: &Profile, log: &Log) -> Result<Self> {
        let impersonate = None;
        let (credential, source) = match given(flag, env, log)? {
            Some((credential, source)) => {
                if let (Source::Variable(name), Some(key)) = (&source, profile_key(profile)?) {
                    log.note(&format!("{name} is used instead of the '{key}' of {}", profile.title()));
                }
                (credential, source)
            }
            None => match profile_key(profile)? {
                Some(key) => {
                    let source = Source::Profile { title: profile.title(), key };
                    (from_profile(key, profile, log)?, source)
                }
                None => match profile.browser_login() {
                    Some(key) => return Err(no_browser(profile, key)),
                    None => (Credential::Metadata, Source::Machine { tried: tried(profile) }),
                },
            },
        };
        match &credential {
            Credential::IamToken(token) | Credential::OauthToken(token) => log.masks.add(token),
            Credential::ServiceAccountKey(key) => log.masks.add(key.private_key()),
            Credential::Metadata | Credential::WorkloadIdentity(_) | Credential::TokenCommand(_) => {}
        }
        Ok(Self { credential, source, impersonate })
    }

    /// Has the credential act as this service account.
    #[must_use]
    pub fn impersonating(self, service_account_id: Option<String>) -> Self {
        Self { impersonate: service_account_id, ..self }
    }

    /// The ID of the subject that the credential names; `None` for one that does not tell.
    pub fn subject_id(&self) -> Option<&str> {
        match (&self.impersonate, &self.credential) {
            (Some(id), _) => Some(id),
            (None, Credential::ServiceAccountKey(key)) => Some(&key.service_account_id),
            (None, Credential::WorkloadIdentity(identity)) => Some(&identity.service_account_id),
            (None, _) => None,
        }
    }

    /// What to do when the server refuses the credential, or the token made from it.
    pub fn hint(&self) -> String {
        let source = &self.source;
        match &self.credential {
            Credential::IamToken(_) => {
                let instead = match source {
                    Source::Variable(name) => format!("give {name} a new one, or unset it to use the profile"),
                    _ => "give a new one, or better use the key of a service account".to_owned(),
                };
                format!("the IAM token of {source} may have expired (they live 12 hours at most): {instead}")
            }
            Credential::OauthToken(_) => format!(
                "the OAuth token of {source} may have expired or been revoked; no newly issued OAuth tokens are accepted \
                 since 2026-06-01: use the key of a service account"
            ),
            Credential::ServiceAccountKey(key) => format!(
                "the key {} of the service account {} ({source}) may have been deleted, or the clock of this machine \
                 may be wrong",
                key.id, key.service_account_id
            ),
            Credential::Metadata => "the service account of this machine may have been detached or deleted".to_owned(),
            Credential::WorkloadIdentity(identity) => format!(
                "check that the federation accepts the issuer and audience of the token, and that its subject is bound \
                 to the service account {}",
                identity.service_account_id
            ),
            Credential::TokenCommand(command) => {
                format!("check what '{}' prints ({source})", command.first().map(String::as_str).unwrap_or_default())
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("--token"),
            Self::Variable(name) => f.write_str(name),
            Self::Profile { title, key } => write!(f, "'{key}' of {title}"),
            Self::Machine { .. } => f.write_str("the metadata service"),
        }
    }
}

/// How to come by a key file.
const KEY_FILE_HINT: &str = "make a key file with: yc iam key create --service-account-name <NAME> --output <FILE>";

/// A credential given by flag or variable.
fn given(flag: Option<&SecretString>, env: &Env, log: &Log) -> Result<Option<(Credential, Source)>> {
    let wrong = |source: &Source, rule: String| Error::usage(format!("{source} {rule}"));
    if let Some(token) = flag {
        let credential = classify(token.expose_secret()).map_err(|rule| wrong(&Source::Flag, rule))?;
        return Ok(Some((credential, Source::Flag)));
    }
    for name in ["YC_IAM_TOKEN", "YC_TOKEN", "YC_SERVICE_ACCOUNT_KEY_FILE"] {
        let Some(value) = env.var(name) else { continue };
        let source = Source::Variable(name);
        let credential = match name {
            "YC_IAM_TOKEN" => sendable(value).map(Credential::IamToken).map_err(|rule| wrong(&source, rule))?,
            "YC_TOKEN" => classify(value).map_err(|rule| wrong(&source, rule))?,
            _ => key_file(value, log)
                .map_err(|rule| wrong(&source, format!("('{value}') {rule}")).hint(KEY_FILE_HINT))?,
        };
        return Ok(Some((credential, source)));
    }
    Ok(None)
}

fn from_profile(key: &'static str, profile: &Profile, log: &Log) -> Result<Credential> {
    let wrong = |rule: String| profile.wrong(key, &rule);
    let text = || profile.text(key).map(Option::unwrap_or_default);
    let table = || -> Result<&Table> { profile.table(key)?.ok_or_else(|| wrong("must be a table".to_owned())) };
    let file = profile.path.as_deref();
    match key {
        "token" => {
            warn_if_readable(file, log);
            classify(text()?).map_err(wrong)
        }
        "service-account-key" => {
            warn_if_readable(file, log);
            let key = ServiceAccountKey::from_table(table()?).map_err(wrong)?;
            Ok(Credential::ServiceAccountKey(Box::new(key)))
        }
        "service-account-key-file" => {
            let path = text()?;
            key_file(path, log).map_err(|rule| wrong(format!("('{path}') {rule}")).hint(KEY_FILE_HINT))
        }
        "workload-identity" => WorkloadIdentity::from_table(table()?).map(Credential::WorkloadIdentity).map_err(wrong),
        "token-command" => {
            let mut places = file.into_iter().flat_map(|path| [Some(path), path.parent()]).flatten();
            if let Some(path) = places.find(|place| private_file::others_can_write(place)) {
                return Err(Error::config(format!(
                    "{} can be written by others, so its token-command is not run; type: chmod go-w {0}",
                    path.display()
                )));
            }
            Ok(Credential::TokenCommand(profile.texts(key)?))
        }
        _ => Ok(Credential::Metadata),
    }
}

fn key_file(path: &str, log: &Log) -> Result<Credential, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
    let text = SecretString::from(text);
    warn_if_readable(Some(Path::new(path)), log);
    let key = ServiceAccountKey::from_json(text.expose_secret())?;
    Ok(Credential::ServiceAccountKey(Box::new(key)))
}

fn warn_if_readable(path: Option<&Path>, log: &Log) {
    if let Some(path) = path.filter(|path| private_file::others_can_read(path)) {
        log.warn(&format!("{0} holds a credential and can be read by others; type: chmod 600 {0}", path.display()));
    }
}

/// The key under which the profile has its credential.
fn profile_key(profile: &Profile) -> Result<Option<&'static str>> {
    let mut keys = Vec::new();
    for key in CREDENTIALS.into_iter().filter(|key| profile.has(key)) {
        if key != "instance-service-account" || profile.flag(key)? {
            keys.push(key);
        }
    }
    match keys[..] {
        [one, other, ..] => {
            Err(profile.wrong(other, &format!("stands beside '{one}', but a profile has one credential; remove one")))
        }
        [key] => Ok(Some(key)),
        [] => Ok(None),
    }
}

/// Tells IAM tokens and OAuth tokens apart by how they begin. The message of an error never quotes the token.
///
/// Source: yandex-cloud/docs, `en/iam/concepts/authorization/{iam-token,oauth-token}.md`.
///
/// # Errors
/// The text is something else than a token.
pub fn classify(token: &str) -> Result<Credential, String> {
    if token.trim_start().starts_with('{') {
        let rule = "holds JSON, not a token; the key of a service account goes into 'service-account-key' of a profile";
        return Err(rule.to_owned());
    }
    let token = sendable(token)?;
    let text = token.expose_secret();
    if text.starts_with("t1.") {
        Ok(Credential::IamToken(token))
    } else if text.starts_with("YC") {
        Err("holds a key for S3, not a token; an IAM token begins with t1.".into())
    } else {
        Ok(Credential::OauthToken(token))
    }
}

/// The token without white space around it, if an HTTP header can carry it.
///
/// # Errors
/// The text is empty, or holds characters that no token has; the message never quotes it.
pub fn sendable(token: &str) -> Result<SecretString, String> {
    let token = token.trim();
    if token.is_empty() {
        return Err("is empty, but must hold a token".to_owned());
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("holds white space or other characters that no token has".to_owned());
    }
    Ok(token.into())
}

/// The error for a profile of `yc` whose user signs in through a browser.
fn no_browser(profile: &Profile, key: &str) -> Error {
    let title = profile.title();
    Error::no_credentials(format!("{title} signs in through a browser ('{key}'), which yc-rs does not do")).hint(
        "to have yc sign in, type: yc-rs config set token-command '[\"yc\", \"iam\", \"create-token\"]', which is \
         token-command = [\"yc\", \"iam\", \"create-token\"] in config.toml",
    )
}

/// The sources that are not configured.
fn tried(profile: &Profile) -> String {
    let place = match (&profile.name, &profile.path) {
        (Some(_), _) => format!("{} has no credential", profile.title()),
        (None, Some(path)) => format!("no profile is chosen in {}", path.display()),
        (None, None) => "there is no configuration file".to_owned(),
    };
    format!("--token is not given; YC_IAM_TOKEN, YC_TOKEN and YC_SERVICE_ACCOUNT_KEY_FILE are not set; {place}")
}

/// The error when no source is configured and the machine has no service account either: what was tried, and what to
/// type to set one of them up.
fn nothing_found(tried: &str, metadata: &Error) -> Error {
    Error::no_credentials(format!("no credentials were found: {tried}; metadata service: {metadata}")).hint(
        "set one up: yc-rs init (asks what it needs), or yc-rs config set service-account-key <FILE>, or \
         export YC_IAM_TOKEN=<token> for an IAM token of 12 hours; newly issued OAuth tokens are not accepted since \
         2026-06-01",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Config;

    fn resolve(flag: Option<&str>, vars: &[(&str, &str)], profile: &str) -> Result<SignIn> {
        let env = Env {
            vars: vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..Env::default()
        };
        let config = Config::from_text(&format!("current = 'p'\n[profiles.p]\n{profile}\n")).unwrap();
        let flag = flag.map(SecretString::from);
        SignIn::resolve(flag.as_ref(), &env, &config.profile(None).unwrap(), &Log::default())
    }

    #[test]
    fn the_first_configured_source_decides() {
        let vars = [("YC_IAM_TOKEN", "t1.i"), ("YC_TOKEN", "y0_o")];
        assert_eq!(resolve(Some("t1.f"), &vars, "token = 't1.p'").unwrap().source, Source::Flag);
        assert_eq!(resolve(None, &vars, "token = 't1.p'").unwrap().source, Source::Variable("YC_IAM_TOKEN"));
        assert_eq!(resolve(None, &vars[1..], "token = 't1.p'").unwrap().source, Source::Variable("YC_TOKEN"));
        let source = resolve(None, &[], "token = 't1.p'").unwrap().source;
        assert_eq!(source.to_string(), "'token' of profile 'p'");
        assert!(matches!(resolve(None, &[], "").unwrap().source, Source::Machine { .. }));
    }

    #[test]
    fn iam_and_oauth_tokens_are_told_apart() {
        let is_iam = |token: &str| match resolve(Some(token), &[], "").unwrap().credential {
            Credential::IamToken(_) => true,
            Credential::OauthToken(_) => false,
            other => panic!("{other:?}"),
        };
        for token in ["y0_a", "y3_a", "y6_a", "AQAAAAb", "AgAAAAb", "anything-else"] {
            assert!(!is_iam(token), "{token}");
        }
        assert!(is_iam("t1.a.b"));
        assert!(is_iam(" t1.a.b\n"));
    }

    #[test]
    fn yc_iam_token_always_holds_an_iam_token() {
        let sign_in = resolve(None, &[("YC_IAM_TOKEN", "anything")], "").unwrap();
        assert!(matches!(sign_in.credential, Credential::IamToken(_)));
    }

    #[test]
    fn mistakes_are_named_and_not_quoted() {
        for (token, expected) in
            [("{\"id\": 1}", "holds JSON"), ("YCAJEsecret", "key for S3"), ("a b", "white space"), (" ", "is empty")]
        {
            let error = resolve(Some(token), &[], "").unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(!error.to_text().contains("secret"), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
    }

    #[test]
    fn a_profile_with_two_credentials_is_refused() {
        let error = resolve(None, &[], "token = 't1.p'\nservice-account-key = { id = 'x' }").unwrap_err();
        assert!(error.to_string().contains("a profile has one credential"), "{error}");
        let off = resolve(None, &[], "token = 't1.p'\ninstance-service-account = false").unwrap();
        assert!(matches!(off.credential, Credential::IamToken(_)));
    }

    #[test]
    fn a_credential_that_names_its_subject_tells_it() {
        let identity = "workload-identity = { service-account-id = 'aje', subject-token = 'env:T' }";
        assert_eq!(resolve(None, &[], identity).unwrap().subject_id(), Some("aje"));
        let bare = resolve(Some("t1.a"), &[], "").unwrap();
        assert_eq!(bare.subject_id(), None);
        assert_eq!(bare.impersonating(Some("sa".into())).subject_id(), Some("sa"));
    }

    proptest! {
        #[test]
        fn a_token_is_never_quoted_in_an_error(token in "canary\\PC{0,20}") {
            if let Err(error) = resolve(Some(&token), &[], "") {
                prop_assert!(!error.to_text().contains("canary"));
            }
        }
    }
}
