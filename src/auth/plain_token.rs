//! An IAM token that the user gives, used as it is.

use chrono::{DateTime, Utc};
use futures_util::future::LocalBoxFuture;
use secrecy::{ExposeSecret, SecretString};

use super::credential::{Credential, Services, Source};
use super::iam_token::IamToken;
use super::token;
use crate::config::origin::Origin;
use crate::env::Env;
use crate::error::Result;
use crate::text::digest::fingerprint;

/// An IAM token that the user gives.
#[derive(Debug)]
pub struct PlainToken {
    pub token: SecretString,
    /// Whether the profile has a credential that is used when the token is not given.
    pub is_instead_of_profile: bool,
}

impl Credential for PlainToken {
    fn secret(&self) -> Option<&SecretString> {
        Some(&self.token)
    }

    fn is_iam_token(&self) -> bool {
        true
    }

    fn name(&self, _env: &Env) -> Result<String> {
        Ok(format!("IAM token {}", fingerprint(&[self.token.expose_secret()])))
    }

    fn obtain<'a>(&'a self, _services: Services<'a>, now: DateTime<Utc>) -> LocalBoxFuture<'a, Result<IamToken>> {
        Box::pin(async move { Ok(IamToken::given(self.token.clone(), now)) })
    }

    fn hint(&self, source: &Source) -> String {
        if let Some(problem) = token::not_an_iam_token(&self.token) {
            return format!("the value of {source} {problem}");
        }
        match source {
            Source::Configured(Origin::Variable(name)) if self.is_instead_of_profile => format!(
                "the IAM token of {name} may have expired (an IAM token expires after 12 hours at most): set {name} to a \
                 new one, or unset it to use the profile"
            ),
            Source::Configured(Origin::Variable(name)) => format!(
                "the IAM token of {name} may have expired (an IAM token expires after 12 hours at most): set {name} to a \
                 new one, or better use the key of a service account"
            ),
            _ => format!(
                "the IAM token of {source} may have expired (an IAM token expires after 12 hours at most): give a new \
                 one, or better use the key of a service account"
            ),
        }
    }
}
