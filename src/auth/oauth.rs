//! An OAuth token of a Yandex account, exchanged for an IAM token.

use chrono::{DateTime, Utc};
use futures_util::future::LocalBoxFuture;
use secrecy::{ExposeSecret, SecretString};

use super::credential::{Credential, Services, Source};
use super::iam_token::{self, IamToken, Proof};
use crate::endpoints::Service;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::text::digest::fingerprint;
use crate::text::form::{self, Form};

/// An OAuth token.
#[derive(Debug)]
pub struct OauthToken(pub SecretString);

/// How OAuth tokens begin, whatever their length.
///
/// Source: yandex-cloud/go-sdk, `pkg/transport/middleware/grpcdebug/sanitizer.go`; yandex-cloud/docs,
/// `en/iam/concepts/authorization/oauth-token.md`.
const OAUTH_PREFIXES: [&str; 9] = ["y0_", "y1_", "y2_", "y3_", "y4_", "y5_", "y6_", "AQAAAA", "AgAAAA"];

/// What the server says about an account that has never accepted the terms of the cloud.
///
/// Source: yandex-cloud/docs, pull request 697.
const AGREEMENT: &str = "End User License Agreement";

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
        let text = self.0.expose_secret();
        if form::of(text) != Some(Form::OauthToken) && !OAUTH_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            return format!(
                "the value of {source} does not look like a token: an IAM token begins with t1., an OAuth token with \
                 y0_; no newly issued OAuth tokens are accepted since 2026-06-01: use the key of a service account"
            );
        }
        format!(
            "the OAuth token of {source} may have expired or been revoked; no newly issued OAuth tokens are accepted \
             since 2026-06-01: use the key of a service account"
        )
    }

    fn explain(&self, error: Error, source: &Source) -> Error {
        let error = error.context(format!("cannot get an IAM token with {source}"));
        explain_refusal(error, || self.hint(source))
    }
}

/// Adds to the error of an exchange what to do.
pub fn explain_refusal(error: Error, hint: impl FnOnce() -> String) -> Error {
    match error.kind() {
        Kind::Refused { status, .. } if status.message.contains(AGREEMENT) => error.hint(
            "the token is valid, but its account has never accepted the agreement: sign in to the management console \
             once, https://console.yandex.cloud",
        ),
        Kind::Refused { .. } => error.hint(hint()),
        _ => error,
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
