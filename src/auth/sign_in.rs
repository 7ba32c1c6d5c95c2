//! The sources of a credential, in order. The first that is configured decides; when it fails, that is the error.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::credential::{Configured, Credential, Source};
use super::metadata::Metadata;
use super::oauth::OauthToken;
use super::plain_token::PlainToken;
use super::service_account_key::ServiceAccountKey;
use super::token::{self, Token};
use super::token_command::TokenCommand;
use super::workload_identity::WorkloadIdentity;
use crate::config::Profile;
use crate::config::origin::Origin;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::log::Log;
use crate::text::quote;

/// A source of a credential.
struct Row {
    place: Place,
    /// Makes the credential of the value.
    read: fn(&Configured<'_>) -> Result<Box<dyn Credential>>,
}

/// Where the value of a source is.
#[derive(Clone, Copy)]
enum Place {
    Flag(&'static str),
    Variable(&'static str),
    ProfileKey(&'static str),
    /// A key of the profile that is `true` or counts as not set.
    ProfileSwitch(&'static str),
}

/// The sources in the order in which they are looked at. When none is configured, the metadata service is asked.
const SOURCES: [Row; 10] = [
    Row { place: Place::Flag("--token"), read: read_token },
    Row { place: Place::Variable("YC_IAM_TOKEN"), read: read_iam_token },
    Row { place: Place::Variable("YC_TOKEN"), read: read_token },
    Row { place: Place::Variable("YC_SERVICE_ACCOUNT_KEY_FILE"), read: ServiceAccountKey::read_file },
    Row { place: Place::ProfileKey("token"), read: read_token },
    Row { place: Place::ProfileKey("service-account-key"), read: ServiceAccountKey::read_table },
    Row { place: Place::ProfileKey("service-account-key-file"), read: ServiceAccountKey::read_file },
    Row { place: Place::ProfileSwitch("instance-service-account"), read: |_| Ok(Box::new(Metadata::configured())) },
    Row { place: Place::ProfileKey("token-command"), read: TokenCommand::read },
    Row { place: Place::ProfileKey("workload-identity"), read: WorkloadIdentity::read },
];

/// The keys by which a profile of `yc` signs a person in through a browser.
///
/// Source: yandex-cloud/docs, `en/_includes/cli/{auth-federated-user,passport-profile-create}.md`.
pub const BROWSER_KEYS: [&str; 4] = ["federation-id", "userpool-id", "username", "subject-id"];

/// A credential, where it comes from, and on whose behalf it is used.
#[derive(Debug)]
pub struct SignIn {
    /// The credential.
    pub credential: Box<dyn Credential>,
    /// Where it comes from.
    pub source: Source,
    /// The service account to act as.
    pub impersonate: Option<String>,
}

/// What becomes of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceStatus {
    /// Its credential is used.
    Used,
    /// It is set, but one before it is used.
    SetButNotUsed,
    /// It is not set.
    NotSet,
}

impl fmt::Display for SourceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Used => "used",
            Self::SetButNotUsed => "set, not used",
            Self::NotSet => "not set",
        })
    }
}

/// What the sources are looked up in.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The value of `--token`.
    pub token: Option<&'a SecretString>,
    /// The environment.
    pub env: &'a Env,
    /// The profile in use.
    pub profile: &'a Profile,
}

impl<'a> Inputs<'a> {
    /// Every source in order and what becomes of it; the metadata service, which is used when none is set, is left out.
    ///
    /// # Errors
    /// The profile has more than one credential, or a switch that is neither true nor false.
    pub fn sources(&self) -> Result<Vec<(Source, SourceStatus)>> {
        let statuses = self.statuses()?;
        Ok(SOURCES.iter().zip(statuses).map(|(row, status)| (Source::Configured(self.origin(row)), status)).collect())
    }

    fn statuses(&self) -> Result<[SourceStatus; SOURCES.len()]> {
        let in_profile = self.profile_key()?;
        let mut statuses = [SourceStatus::NotSet; SOURCES.len()];
        let mut used = false;
        for (status, row) in statuses.iter_mut().zip(&SOURCES) {
            let is_set = match row.place {
                Place::Flag(_) | Place::Variable(_) => self.text(row).is_some(),
                Place::ProfileKey(key) | Place::ProfileSwitch(key) => in_profile == Some(key),
            };
            if is_set {
                *status = if used { SourceStatus::SetButNotUsed } else { SourceStatus::Used };
                used = true;
            }
        }
        Ok(statuses)
    }

    /// The key of the profile's credential.
    fn profile_key(&self) -> Result<Option<&'static str>> {
        let mut keys = Vec::new();
        for row in &SOURCES {
            match row.place {
                Place::ProfileKey(key) if self.profile.has(key) => keys.push(key),
                Place::ProfileSwitch(key) if self.profile.boolean(key)? => keys.push(key),
                _ => {}
            }
        }
        match keys[..] {
            [one, other, ..] => Err(self.profile.invalid(
                other,
                &format!("is set together with '{one}', but a profile has one credential; remove one of them"),
            )),
            [key] => Ok(Some(key)),
            [] => Ok(None),
        }
    }

    /// The value of a flag or a variable.
    fn text(&self, row: &Row) -> Option<&'a str> {
        match row.place {
            Place::Flag(_) => self.token.map(SecretString::expose_secret),
            Place::Variable(name) => self.env.var(name),
            Place::ProfileKey(_) | Place::ProfileSwitch(_) => None,
        }
    }

    fn origin(&self, row: &Row) -> Origin {
        match row.place {
            Place::Flag(name) => Origin::Flag(name),
            Place::Variable(name) => Origin::Variable(name),
            Place::ProfileKey(key) | Place::ProfileSwitch(key) => self.profile.origin(key),
        }
    }
}

impl SignIn {
    /// Chooses the credential: that of the first source that is set, and when there is none the metadata service's.
    ///
    /// # Errors
    /// The first source that is set holds no credential, or the profile has more than one.
    pub fn resolve(inputs: Inputs<'_>, impersonate: Option<String>, log: &Log) -> Result<Self> {
        let statuses = inputs.statuses()?;
        let with_status = |status| SOURCES.iter().zip(&statuses).filter(move |(_, found)| **found == status);
        let used = with_status(SourceStatus::Used).map(|(row, _)| row).next();
        let Some(row) = used else {
            if let Some(key) = browser_key(inputs.profile) {
                return Err(no_browser(inputs.profile, key));
            }
            let credential = Box::new(Metadata::unconfigured(not_set(inputs.profile)));
            return Ok(Self { credential, source: Source::MetadataService, impersonate });
        };
        let origin = inputs.origin(row);
        let Inputs { profile, env, .. } = inputs;
        let credential = (row.read)(&Configured { origin: &origin, text: inputs.text(row), profile, env, log })?;
        if let Some(secret) = credential.secret() {
            log.masks.add(secret);
        }
        for (unused, _) in with_status(SourceStatus::SetButNotUsed) {
            let unused = inputs.origin(unused);
            if let (Origin::Variable(name), Origin::Profile { .. }) = (&origin, &unused) {
                log.note(&format!("{name} is used instead of {unused}"));
            }
        }
        Ok(Self { credential, source: Source::Configured(origin), impersonate })
    }

    /// The ID of the subject that the credential names; `None` for one that names none.
    pub fn subject_id(&self) -> Option<&str> {
        self.impersonate.as_deref().or_else(|| self.credential.subject_id())
    }

    /// Who makes the calls, as hints name it.
    pub fn acting_subject(&self) -> String {
        match &self.impersonate {
            Some(account) => format!("the service account {account}"),
            None => self.own_subject(),
        }
    }

    /// Whose credential it is, as hints name it.
    pub fn own_subject(&self) -> String {
        match self.credential.subject_id() {
            Some(account) => format!("the service account {account}"),
            None => format!("the subject of {}", self.source),
        }
    }

    /// What to do when the server refuses the credential, or a token that was obtained with it.
    pub fn hint(&self) -> String {
        self.credential.hint(&self.source)
    }
}

/// The keys under which a profile may have its credential; it has one of them.
pub fn profile_keys() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().filter_map(|row| match row.place {
        Place::ProfileKey(key) | Place::ProfileSwitch(key) => Some(key),
        Place::Flag(_) | Place::Variable(_) => None,
    })
}

/// The environment without the variables that hold a credential.
pub fn without_env_credentials(env: &Env) -> Env {
    let mut env = env.clone();
    for row in &SOURCES {
        if let Place::Variable(name) = row.place {
            env.vars.remove(name);
        }
    }
    env
}

fn read_token(configured: &Configured<'_>) -> Result<Box<dyn Credential>> {
    configured.warn_if_readable();
    match token::classify(configured.text()?).map_err(|rule| configured.invalid(rule))? {
        Token::Iam(token) => Ok(Box::new(PlainToken(token))),
        Token::Oauth(token) => Ok(Box::new(OauthToken(token))),
    }
}

/// An IAM token, whatever it looks like.
fn read_iam_token(configured: &Configured<'_>) -> Result<Box<dyn Credential>> {
    let token = token::trimmed(configured.text()?).map_err(|rule| configured.invalid(rule))?;
    Ok(Box::new(PlainToken(token)))
}

/// The key by which the profile signs a person in through a browser, as `yc` does and this program cannot; `None` when
/// it has a credential of another kind, or none at all.
fn browser_key(profile: &Profile) -> Option<&'static str> {
    if profile_keys().any(|key| profile.has(key)) {
        return None;
    }
    BROWSER_KEYS.into_iter().find(|key| profile.has(key))
}

fn no_browser(profile: &Profile, key: &str) -> Error {
    let title = profile.title();
    Error::no_credentials(format!("{title} signs in through a browser ('{key}'), which yc-rs does not do")).hint(
        "to have yc sign in, type: yc-rs config set token-command '[\"yc\", \"iam\", \"create-token\"]', which is \
         token-command = [\"yc\", \"iam\", \"create-token\"] in config.toml",
    )
}

/// The list of the sources when none of them is set.
fn not_set(profile: &Profile) -> String {
    let [mut flags, mut variables] = [Vec::new(), Vec::new()];
    for row in &SOURCES {
        match row.place {
            Place::Flag(name) => flags.push(name),
            Place::Variable(name) => variables.push(name),
            Place::ProfileKey(_) | Place::ProfileSwitch(_) => {}
        }
    }
    let in_profile = match (&profile.name, &profile.path) {
        (Some(_), _) => format!("{} has no credential", profile.title()),
        (None, Some(path)) => format!("no profile is chosen in {}", quote::full_path(path)),
        (None, None) => "there is no configuration file".to_owned(),
    };
    let [flags, variables] = [flags, variables].map(|names| names.join(", "));
    format!("{flags} is not given; not set: {variables}; {in_profile}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Config;

    fn env(vars: &[(&str, &str)]) -> Env {
        Env {
            vars: vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..Env::default()
        }
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
        assert_eq!(source(None, &vars[1..], "token = 't1.p'"), "YC_TOKEN");
        assert_eq!(source(None, &[], "token = 't1.p'"), "'token' of profile 'p'");
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
                "YC_TOKEN: used",
                "YC_SERVICE_ACCOUNT_KEY_FILE: not set",
                "'token' of profile 'p': not set",
                "'service-account-key' of profile 'p': not set",
                "'service-account-key-file' of profile 'p': not set",
                "'instance-service-account' of profile 'p': not set",
                "'token-command' of profile 'p': set, not used",
                "'workload-identity' of profile 'p': not set",
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
}
