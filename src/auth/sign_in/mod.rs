//! The sources of a credential, in order. The first that is configured decides; when it fails, that is the error.
//!
//! A variable that `yc` does not read never overrides what the profile of a user of `yc` says.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::browser::{self, BrowserSession};
use super::credential::{Configured, Credential, Source};
use super::metadata::Metadata;
use super::oauth::OauthToken;
use super::plain_token::PlainToken;
use super::service_account_key::ServiceAccountKey;
use super::token::{self, Token};
use super::token_command::TokenCommand;
use super::workload_identity::{self, WorkloadIdentity};
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
    /// A variable that counts as set where a job has a token for the account that it names.
    JobAccount(&'static str),
    ProfileKey(&'static str),
    /// A key of the profile that is `true` or counts as not set.
    ProfileSwitch(&'static str),
}

/// The sources in the order in which they are looked at. When none is configured, the metadata service is asked.
const SOURCES: [Row; 13] = [
    Row { place: Place::Flag("--token"), read: read_token },
    Row { place: Place::Variable("YC_IAM_TOKEN"), read: read_iam_token },
    Row { place: Place::ProfileKey("token"), read: read_token },
    Row { place: Place::ProfileKey("service-account-key"), read: ServiceAccountKey::read_table },
    Row { place: Place::ProfileKey("service-account-key-file"), read: ServiceAccountKey::read_file },
    Row { place: Place::ProfileSwitch("instance-service-account"), read: |_| Ok(Box::new(Metadata::configured())) },
    Row { place: Place::ProfileKey("token-command"), read: TokenCommand::read },
    Row { place: Place::ProfileKey("workload-identity"), read: WorkloadIdentity::read },
    Row { place: Place::ProfileKey(browser::PROFILE_KEY), read: BrowserSession::read },
    Row { place: Place::Variable("YC_SERVICE_ACCOUNT_KEY_FILE"), read: ServiceAccountKey::read_key_or_file },
    Row { place: Place::Variable("YC_TOKEN"), read: read_token },
    Row { place: Place::Variable(workload_identity::SOURCE), read: WorkloadIdentity::read_variables },
    Row { place: Place::JobAccount(workload_identity::ACCOUNT), read: WorkloadIdentity::read_job },
];

/// The variables that hold a credential, or by which a job obtains one. A command that is to have narrower rights than
/// this program must not get them; nor the variable NAME of a profile whose `subject-token` is `env:NAME`.
///
/// Source: docs.github.com, `actions/reference/security/oidc`, and docs.gitlab.com, `ci/secrets/id_token_authentication`,
/// for the names that are not this program's.
pub const CREDENTIAL_VARIABLES: [&str; 10] = [
    "YC_IAM_TOKEN",
    "YC_TOKEN",
    "YC_SERVICE_ACCOUNT_KEY_FILE",
    "YC_WORKLOAD_IDENTITY",
    "YC_SA_ID",
    "YC_WORKLOAD_IDENTITY_AUDIENCE",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ID_TOKEN",
    "GITLAB_OIDC_TOKEN",
];

/// Variables in which users and other tools put a credential, and which are not read; each with the one that is.
const VARIABLES_NOT_READ: [(&str, &str); 11] = [
    ("YC_OAUTH_TOKEN", "YC_TOKEN"),
    ("YANDEX_OAUTH_TOKEN", "YC_TOKEN"),
    ("IAM_TOKEN", "YC_IAM_TOKEN"),
    ("YANDEX_IAM_TOKEN", "YC_IAM_TOKEN"),
    ("YC_KEY_FILE", "YC_SERVICE_ACCOUNT_KEY_FILE"),
    ("YC_SA_KEY", "YC_SERVICE_ACCOUNT_KEY_FILE"),
    ("YC_SA_KEY_FILE", "YC_SERVICE_ACCOUNT_KEY_FILE"),
    ("YC_SA_KEY_JSON", "YC_SERVICE_ACCOUNT_KEY_FILE"),
    ("YC_SA_JSON_CREDENTIALS", "YC_SERVICE_ACCOUNT_KEY_FILE"),
    ("YC_SERVICE_ACCOUNT_KEY", "YC_SERVICE_ACCOUNT_KEY_FILE"),
    ("YC_SERVICE_ACCOUNT_KEY_JSON", "YC_SERVICE_ACCOUNT_KEY_FILE"),
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
                Place::JobAccount(_) => self.text(row).is_some() && workload_identity::is_job(self.env),
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
            Place::Variable(name) | Place::JobAccount(name) => self.env.var(name),
            Place::ProfileKey(_) | Place::ProfileSwitch(_) => None,
        }
    }

    fn origin(&self, row: &Row) -> Origin {
        match row.place {
            Place::Flag(name) => Origin::Flag(name),
            Place::Variable(name) | Place::JobAccount(name) => Origin::Variable(name),
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
                return Err(no_browser(inputs.profile, key, inputs.env));
            }
            let credential = Box::new(Metadata::unconfigured(not_set(inputs.profile, inputs.env)));
            return Ok(Self { credential, source: Source::MetadataService, impersonate });
        };
        let origin = inputs.origin(row);
        let Inputs { profile, env, .. } = inputs;
        let credential = (row.read)(&Configured { origin: &origin, text: inputs.text(row), profile, env, log })?;
        if let Some(secret) = credential.secret() {
            log.masks.add(secret);
        }
        for (unused, _) in with_status(SourceStatus::SetButNotUsed) {
            match (&origin, inputs.origin(unused)) {
                (Origin::Variable(name), unused @ Origin::Profile { .. }) => {
                    log.note(&format!("{name} is used instead of {unused}"));
                }
                (_, Origin::Variable(name)) => log.note(&format!("{name} is set, not used: {origin} is used instead")),
                _ => {}
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
        Place::Flag(_) | Place::Variable(_) | Place::JobAccount(_) => None,
    })
}

/// The environment without the variables that hold a credential.
pub fn without_env_credentials(env: &Env) -> Env {
    let mut env = env.clone();
    for row in &SOURCES {
        if let Place::Variable(name) | Place::JobAccount(name) = row.place {
            env.vars.remove(name);
        }
    }
    env
}

fn read_token(configured: &Configured<'_>) -> Result<Box<dyn Credential>> {
    configured.warn_if_readable();
    match token::classify(configured.text()?).map_err(|rule| configured.invalid(rule))? {
        Token::Iam(token) => Ok(plain_token(token, configured)),
        Token::Oauth(token) => Ok(Box::new(OauthToken(token))),
    }
}

/// An IAM token, whatever it looks like, as long as it may be a token.
fn read_iam_token(configured: &Configured<'_>) -> Result<Box<dyn Credential>> {
    let token = token::one_token(configured.text()?).map_err(|rule| configured.invalid(rule))?;
    Ok(plain_token(token, configured))
}

fn plain_token(token: SecretString, configured: &Configured<'_>) -> Box<dyn Credential> {
    let is_instead_of_profile = configured.file().is_none() && has_credential(configured.profile);
    Box::new(PlainToken { token, is_instead_of_profile })
}

fn has_credential(profile: &Profile) -> bool {
    profile_keys().any(|key| profile.has(key))
}

/// The key by which the profile signs a person in through a browser, as `yc` does and this program cannot; `None` when
/// it has a credential of another kind, or none at all.
fn browser_key(profile: &Profile) -> Option<&'static str> {
    if has_credential(profile) {
        return None;
    }
    BROWSER_KEYS.into_iter().find(|key| profile.has(key))
}

fn no_browser(profile: &Profile, key: &str, env: &Env) -> Error {
    let title = profile.title();
    let not_read = not_read(env);
    Error::no_credentials(format!(
        "{title} signs in through a browser ('{key}'), there is no session of yc-rs login, and no variable holds a \
         credential{not_read}"
    ))
    .hint(
        "to sign in, type: yc-rs login; or to have yc sign in, type: yc-rs config set token-command '[\"yc\", \"iam\", \"create-token\"]', which is \
         token-command = [\"yc\", \"iam\", \"create-token\"] in config.toml",
    )
}

/// The list of the sources when none of them is set.
fn not_set(profile: &Profile, env: &Env) -> String {
    let [mut flags, mut variables] = [Vec::new(), Vec::new()];
    for row in &SOURCES {
        match row.place {
            Place::Flag(name) => flags.push(name),
            Place::Variable(name) | Place::JobAccount(name) => variables.push(name),
            Place::ProfileKey(_) | Place::ProfileSwitch(_) => {}
        }
    }
    let in_profile = match (&profile.name, &profile.path) {
        (Some(_), _) => format!("{} has no credential", profile.title()),
        (None, Some(path)) => format!("no profile is chosen in {}", quote::full_path(path)),
        (None, None) => "there is no configuration file".to_owned(),
    };
    let [flags, variables] = [flags, variables].map(|names| names.join(", "));
    let not_read = not_read(env);
    // Outside a job, the variable alone is nothing.
    let account = workload_identity::ACCOUNT;
    let ignored = if env.var(account).is_some() {
        format!("; {account} is set, but the job has no token")
    } else {
        String::new()
    };
    format!("{flags} is not given; not set: {variables}; {in_profile}{not_read}{ignored}")
}

/// The variables that are set, seem to hold a credential and are not read; each with the one that is.
pub fn variables_not_read(env: &Env) -> impl Iterator<Item = (&'static str, &'static str)> {
    VARIABLES_NOT_READ.into_iter().filter(|(name, _)| env.var(name).is_some())
}

/// The end of a list of sources that says which variables seem to hold a credential and are not read.
fn not_read(env: &Env) -> String {
    let mut text = String::new();
    for (name, read) in variables_not_read(env) {
        text.extend(["; ", name, " is set, but is not read: use ", read]);
    }
    text
}

#[cfg(test)]
mod tests;
