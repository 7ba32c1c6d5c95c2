//! Signing in: which credential is used, and the IAM token it comes to.
//!
//! The first source that is configured decides; when it fails, that is the error.

pub mod iam_token;
pub mod jwt;
pub mod key;

use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use crate::config::Profile;
use crate::endpoints::Endpoints;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::http::Http;
use crate::log::Log;
use iam_token::{IamToken, Identity};
use key::ServiceAccountKey;

/// What the program signs in with.
#[derive(Debug)]
pub enum Credential {
    /// An IAM token, used as it is.
    IamToken(SecretString),
    /// An OAuth token of a Yandex account, exchanged for an IAM token.
    OauthToken(SecretString),
    /// The authorized key of a service account: it signs a JWT that is exchanged for an IAM token.
    ServiceAccountKey(Box<ServiceAccountKey>),
}

/// A credential and where it came from.
#[derive(Debug)]
pub struct SignIn {
    /// The credential.
    pub credential: Credential,
    /// Where it came from.
    pub source: Source,
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
}

/// The keys of a profile that hold a credential; a profile has one of them.
const PROFILE_KEYS: [&str; 2] = ["token", "service-account-key"];

impl SignIn {
    /// Chooses the credential: `--token`, `YC_IAM_TOKEN`, `YC_TOKEN`, then the profile's own.
    ///
    /// # Errors
    /// No source is configured, or the first that is holds no credential.
    pub fn resolve(flag: Option<&SecretString>, env: &Env, profile: &Profile, log: &Log) -> Result<Self> {
        let sign_in = match given(flag, env)? {
            Some(sign_in) => {
                if let (Source::Variable(name), Some(key)) = (&sign_in.source, profile_key(profile)?) {
                    log.note(&format!("{name} is used instead of the '{key}' of {}", profile.title()));
                }
                sign_in
            }
            None => from_profile(profile, log)?.ok_or_else(|| nothing_found(profile))?,
        };
        match &sign_in.credential {
            Credential::IamToken(token) | Credential::OauthToken(token) => log.masks.add(token),
            Credential::ServiceAccountKey(key) => log.masks.add(key.private_key()),
        }
        Ok(sign_in)
    }

    /// The IAM token that the credential comes to; `now` dates the JWT of a service account's key.
    ///
    /// # Errors
    /// The server refuses the credential, or cannot be reached.
    pub async fn iam_token(
        &self,
        http: &Http,
        endpoints: &Endpoints,
        log: &Log,
        now: DateTime<Utc>,
    ) -> Result<IamToken> {
        let token = match &self.credential {
            Credential::IamToken(token) => return Ok(IamToken { value: token.clone(), expires_at: None }),
            Credential::OauthToken(token) => {
                iam_token::create(http, endpoints, &Identity::OauthToken(token.expose_secret())).await
            }
            Credential::ServiceAccountKey(key) => {
                let jwt = jwt::sign(key, jwt::AUDIENCE, now)?;
                log.masks.add(&jwt);
                iam_token::create(http, endpoints, &Identity::Jwt(jwt.expose_secret())).await
            }
        };
        let token = token.map_err(|error| {
            error.context(format!("cannot get an IAM token with {}", self.source)).hint(self.hint())
        })?;
        log.masks.add(&token.value);
        Ok(token)
    }

    /// What to do when the server refuses the credential, or the token made from it.
    pub fn hint(&self) -> String {
        let source = &self.source;
        match &self.credential {
            Credential::IamToken(_) => {
                let instead = match source {
                    Source::Variable(name) => format!("give {name} a new one, or unset it to use the profile"),
                    Source::Flag => "give a new one".to_owned(),
                    Source::Profile { .. } => "put a new one there, or better a 'service-account-key'".to_owned(),
                };
                format!("the IAM token of {source} may have expired (they live 12 hours at most): {instead}")
            }
            Credential::OauthToken(_) => format!(
                "the OAuth token of {source} may have expired or been revoked; no new OAuth tokens are accepted since \
                 2026-06-01: use the key of a service account"
            ),
            Credential::ServiceAccountKey(key) => format!(
                "the key {} of the service account {} ({source}) may have been deleted, or the clock of this machine \
                 may be wrong",
                key.id, key.service_account_id
            ),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("--token"),
            Self::Variable(name) => f.write_str(name),
            Self::Profile { title, key } => write!(f, "'{key}' of {title}"),
        }
    }
}

/// A token given by flag or variable.
fn given(flag: Option<&SecretString>, env: &Env) -> Result<Option<SignIn>> {
    let variable = |name| env.var(name).map(|value| (Source::Variable(name), value));
    let (source, token) = match flag {
        Some(token) => (Source::Flag, token.expose_secret()),
        None => match variable("YC_IAM_TOKEN").or_else(|| variable("YC_TOKEN")) {
            Some(given) => given,
            None => return Ok(None),
        },
    };
    let wrong = |rule: String| Error::usage(format!("{source} {rule}"));
    let credential = if source == Source::Variable("YC_IAM_TOKEN") {
        Credential::IamToken(sendable(token).map_err(wrong)?)
    } else {
        classify(token).map_err(wrong)?
    };
    Ok(Some(SignIn { credential, source }))
}

fn from_profile(profile: &Profile, log: &Log) -> Result<Option<SignIn>> {
    let Some(key) = profile_key(profile)? else { return Ok(None) };
    let wrong = |rule: String| profile.wrong(key, &rule);
    let credential = if key == "token" {
        classify(profile.text(key)?.unwrap_or_default()).map_err(wrong)?
    } else {
        let table = profile.table(key)?.cloned().unwrap_or_default();
        Credential::ServiceAccountKey(Box::new(ServiceAccountKey::from_table(&table).map_err(wrong)?))
    };
    if let Some(path) = profile.path.as_deref().filter(|path| others_can_read(path)) {
        log.warn(&format!("{0} holds a credential and can be read by others; type: chmod 600 {0}", path.display()));
    }
    Ok(Some(SignIn { credential, source: Source::Profile { title: profile.title(), key } }))
}

/// The key under which the profile has its credential.
fn profile_key(profile: &Profile) -> Result<Option<&'static str>> {
    let mut keys = PROFILE_KEYS.into_iter().filter(|key| profile.has(key));
    match (keys.next(), keys.next()) {
        (Some(one), Some(other)) => {
            Err(profile.wrong(other, &format!("stands beside '{one}', but a profile has one credential; remove one")))
        }
        (key, _) => Ok(key),
    }
}

/// Tells IAM tokens and OAuth tokens apart by how they begin. The message of an error never quotes the token.
///
/// Source: yandex-cloud/docs, `en/iam/concepts/authorization/{iam-token,oauth-token}.md`.
fn classify(token: &str) -> Result<Credential, String> {
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
fn sendable(token: &str) -> Result<SecretString, String> {
    let token = token.trim();
    if token.is_empty() {
        return Err("is empty, but must hold a token".to_owned());
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("holds white space or other characters that no token has".to_owned());
    }
    Ok(token.into())
}

fn nothing_found(profile: &Profile) -> Error {
    let missing = PROFILE_KEYS.map(|key| format!("'{key}'")).join(" or ");
    let place = match (&profile.name, &profile.path) {
        (Some(_), _) => format!("{} has no {missing}", profile.title()),
        (None, Some(path)) => format!("no profile is chosen ({} has no 'current')", path.display()),
        (None, None) => "there is no configuration file".to_owned(),
    };
    Error::no_credentials(format!(
        "no credentials: --token is not given, YC_IAM_TOKEN and YC_TOKEN are not set, and {place}"
    ))
    .hint(
        "to use an IAM token, type: export YC_IAM_TOKEN=<token>; to use the key of a service account, put its fields \
           into [profiles.NAME.service-account-key] of config.toml",
    )
}

#[cfg(unix)]
fn others_can_read(path: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn others_can_read(_path: &std::path::Path) -> bool {
    false
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
    }

    #[test]
    fn iam_and_oauth_tokens_are_told_apart() {
        let kind = |token: &str| match resolve(Some(token), &[], "").unwrap().credential {
            Credential::IamToken(_) => "iam",
            Credential::OauthToken(_) => "oauth",
            Credential::ServiceAccountKey(_) => "key",
        };
        for token in ["y0_a", "y3_a", "y6_a", "AQAAAAb", "AgAAAAb", "anything-else"] {
            assert_eq!(kind(token), "oauth", "{token}");
        }
        assert_eq!(kind("t1.a.b"), "iam");
        assert_eq!(kind(" t1.a.b\n"), "iam");
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
    }

    #[test]
    fn without_any_source_the_error_lists_what_was_tried() {
        let error = resolve(None, &[], "").unwrap_err();
        for name in ["--token", "YC_IAM_TOKEN", "YC_TOKEN", "profile 'p'", "service-account-key"] {
            assert!(error.to_text().contains(name), "{error}");
        }
        assert_eq!(error.exit_code(), 3);
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
