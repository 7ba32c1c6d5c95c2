//! `IamTokenService`: what it takes to get an IAM token.
//!
//! Source: `yandex/cloud/iam/v1/iam_token_service.proto`.

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::endpoints::{Endpoints, Service};
use crate::error::{Error, Result};
use crate::http::{Body, Http, Method, Repeat, Request};
use crate::message::{Field, Message};

/// An IAM token, and when it ends.
#[derive(Debug, Clone)]
pub struct IamToken {
    /// The token: opaque, for `Authorization: Bearer`.
    pub value: SecretString,
    /// When it ends, as received; `None` for a token that was given rather than obtained.
    pub expires_at: Option<String>,
}

/// `CreateIamTokenResponse`.
pub const CREATE_RESPONSE: Message =
    Message { name: "CreateIamTokenResponse", fields: &[Field::scalar("iam_token"), Field::timestamp("expires_at")] };

/// What an IAM token is asked for with.
#[derive(Debug)]
pub enum Identity<'a> {
    /// An OAuth token of a Yandex account.
    OauthToken(&'a str),
    /// A JWT signed with the key of a service account.
    Jwt(&'a str),
}

/// Exchanges an identity for an IAM token: `Create`.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn create(http: &Http, endpoints: &Endpoints, identity: &Identity<'_>) -> Result<IamToken> {
    let body = match identity {
        Identity::OauthToken(token) => json!({"yandexPassportOauthToken": token}),
        Identity::Jwt(jwt) => json!({"jwt": jwt}),
    };
    let request = Request {
        method: Method::POST,
        url: &endpoints.url(Service::Iam, "/iam/v1/tokens"),
        bearer: None,
        headers: Vec::new(),
        body: Body::Json(body),
        repeat: Repeat::Always,
    };
    read(http.send(request).await?.into_json()?)
}

fn read(answer: Value) -> Result<IamToken> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire {
        iam_token: SecretString,
        expires_at: Option<String>,
    }
    let wire = Wire::deserialize(answer).map_err(|_| Error::internal("the server's answer holds no IAM token"))?;
    Ok(IamToken { value: wire.iam_token, expires_at: wire.expires_at })
}
