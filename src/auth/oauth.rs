//! An OAuth token of a Yandex account, exchanged for an IAM token.

use chrono::{DateTime, Utc};
use futures_util::future::LocalBoxFuture;
use secrecy::{ExposeSecret, SecretString};

use super::credential::{Credential, Services, Source};
use super::iam_token::{self, IamToken, Proof};
use crate::endpoints::Service;
use crate::env::Env;
use crate::error::Result;
use crate::text::digest::fingerprint;

/// An OAuth token.
#[derive(Debug)]
pub struct OauthToken(pub SecretString);

impl Credential for OauthToken {
    fn secret(&self) -> Option<&SecretString> {
        Some(&self.0)
    }

    fn name(&self, _env: &Env) -> Result<String> {
        Ok(format!("OAuth token {}", fingerprint(&[self.0.expose_secret()])))
    }

    fn obtain<'a>(&'a self, services: Services<'a>, _now: DateTime<Utc>) -> LocalBoxFuture<'a, Result<IamToken>> {
        Box::pin(exchange(&self.0, services))
    }

    fn hint(&self, source: &Source) -> String {
        format!(
            "the OAuth token of {source} may have expired or been revoked; no newly issued OAuth tokens are accepted \
             since 2026-06-01: use the key of a service account"
        )
    }
}

/// Exchanges an OAuth token for an IAM token.
///
/// # Errors
/// The server refuses the token, or cannot be reached.
pub async fn exchange(token: &SecretString, services: Services<'_>) -> Result<IamToken> {
    let iam = services.endpoints.base(Service::Iam, services.http).await?;
    iam_token::from_response(iam_token::create(services.http, &iam, &Proof::OauthToken(token)).await?)
}
