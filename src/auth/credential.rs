//! What every credential can do, what it may use for that, and where it is configured.

use std::fmt;
use std::path::Path;

use chrono::{DateTime, Utc};
use futures_util::future::LocalBoxFuture;
use secrecy::SecretString;
use toml::Table;

use super::iam_token::IamToken;
use super::token_cache::Identity;
use crate::config::Profile;
use crate::config::origin::Origin;
use crate::endpoints::{Endpoints, Service};
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::http::Http;
use crate::log::Log;

/// A credential that IAM tokens are obtained with.
pub trait Credential: fmt::Debug {
    /// The secret that it holds, which is masked in everything that is logged or shown.
    fn secret(&self) -> Option<&SecretString> {
        None
    }

    /// The ID of the subject that it names; `None` for one that names none.
    fn subject_id(&self) -> Option<&str> {
        None
    }

    /// Whether it is an IAM token itself, so that there is nothing to exchange and nothing to cache.
    fn is_iam_token(&self) -> bool {
        false
    }

    /// A name for whoever authenticates and by what, found without asking any service. It holds no secret.
    ///
    /// # Errors
    /// The name depends on the token of another identity provider, which cannot be read.
    fn name(&self, env: &Env) -> Result<String>;

    /// What its tokens are cached under; `None` when they are not cached.
    ///
    /// # Errors
    /// The token of another identity provider, or the endpoint of a service, cannot be obtained.
    fn identity<'a>(&'a self, services: Services<'a>) -> LocalBoxFuture<'a, Result<Option<Identity>>> {
        Box::pin(async move {
            let issuer = services.endpoints.base(Service::Iam, services.http).await?;
            Ok(Some(Identity { issuer, subject: self.name(services.env)? }))
        })
    }

    /// Obtains an IAM token.
    ///
    /// # Errors
    /// The credential is refused, or a service cannot be reached.
    fn obtain<'a>(&'a self, services: Services<'a>, now: DateTime<Utc>) -> LocalBoxFuture<'a, Result<IamToken>>;

    /// What to do when the server refuses the credential, or a token that was obtained with it.
    fn hint(&self, source: &Source) -> String;

    /// Adds to an error of [`Credential::obtain`] what failed and what to do.
    fn explain(&self, error: Error, source: &Source) -> Error {
        let error = error.context(format!("cannot get an IAM token with {source}"));
        match error.kind() {
            Kind::Refused { .. } => error.hint(self.hint(source)),
            _ => error,
        }
    }
}

/// What a credential may use to obtain a token.
#[derive(Clone, Copy)]
pub struct Services<'a> {
    /// The connections.
    pub http: &'a Http,
    /// Where the services are.
    pub endpoints: &'a Endpoints,
    /// The state of the process.
    pub env: &'a Env,
    /// Where notes go, and which secrets are masked.
    pub log: &'a Log,
}

/// Where a credential comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A flag, a variable, or a key of the profile in use.
    Configured(Origin),
    /// The metadata service, which is asked when nothing is configured.
    MetadataService,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configured(origin) => origin.fmt(f),
            Self::MetadataService => f.write_str("the metadata service"),
        }
    }
}

/// The value of a source that is configured, from which its credential is made.
pub struct Configured<'a> {
    /// Where the value is.
    pub origin: &'a Origin,
    /// The value of a flag or a variable; the value of a profile is read from the profile.
    pub text: Option<&'a str>,
    /// The profile in use.
    pub profile: &'a Profile,
    /// The environment.
    pub env: &'a Env,
    /// Where warnings go.
    pub log: &'a Log,
}

impl<'a> Configured<'a> {
    /// The value as a string, which may be empty.
    ///
    /// # Errors
    /// The profile has a value of another type.
    pub fn text(&self) -> Result<&'a str> {
        match (self.text, self.profile_key()) {
            (None, Some(key)) => Ok(self.profile.string(key)?.unwrap_or_default()),
            (text, _) => Ok(text.unwrap_or_default()),
        }
    }

    /// The value as a table.
    ///
    /// # Errors
    /// The profile has a value of another type.
    pub fn table(&self) -> Result<&'a Table> {
        let table = self.profile_key().map(|key| self.profile.table(key)).transpose()?.flatten();
        table.ok_or_else(|| self.invalid("must be a table"))
    }

    /// The value as an array of strings.
    ///
    /// # Errors
    /// The profile has a value of another type.
    pub fn strings(&self) -> Result<Vec<String>> {
        self.profile_key().map_or_else(|| Ok(Vec::new()), |key| self.profile.strings(key))
    }

    /// The configuration file that holds the value.
    pub fn file(&self) -> Option<&'a Path> {
        self.profile_key().and(self.profile.path.as_deref())
    }

    /// The error for a value that breaks a rule.
    pub fn invalid(&self, rule: impl fmt::Display) -> Error {
        self.origin.invalid(rule)
    }

    /// Warns when the configuration file holds the credential and can be read by others.
    pub fn warn_if_readable(&self) {
        if let Some(path) = self.file() {
            self.log.warn_if_readable(path);
        }
    }

    fn profile_key(&self) -> Option<&'static str> {
        match self.origin {
            Origin::Profile { key, .. } => Some(key),
            _ => None,
        }
    }
}
