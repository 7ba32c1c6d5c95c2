//! `RefreshTokenService`: the refresh tokens of people who signed in through a browser.
//!
//! Source: `yandex/cloud/iam/v1/refresh_token_service.proto`.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::operation::Operation;
use super::{Call, Client};
use crate::endpoints::Service;
use crate::error::Result;
use crate::http::Method;

/// Starts to revoke this refresh token, and no other: `Revoke`. A call that names none would revoke every one of the caller.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn revoke(client: &Client<'_>, token: &SecretString) -> Result<Operation> {
    let call = Call::new(Service::Iam, Method::POST, "/iam/v1/refreshTokens:revoke".to_owned())
        .body(json!({"refreshToken": token.expose_secret()}));
    Ok(Operation::parse(client.call(call).await?))
}
