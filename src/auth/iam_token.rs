//! `IamTokenService`: IAM tokens are created and revoked by it.
//!
//! Source: `yandex/cloud/iam/v1/iam_token_service.proto`.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::http::{Body, Http, Method, Request, Response};
use crate::message::{Field, Message};

/// An IAM token, and when it expires.
#[derive(Debug, Clone)]
pub struct IamToken {
    /// The token: opaque, for `Authorization: Bearer`.
    pub value: SecretString,
    /// When it expires, as received; `None` for a token that was given rather than obtained.
    pub expires_at: Option<String>,
    /// When it was obtained.
    pub obtained_at: DateTime<Utc>,
    /// Until when it may be used from the cache, if not until it expires.
    pub cache_until: Option<DateTime<Utc>>,
    /// Whether it comes from the cache.
    pub cached: bool,
}

impl IamToken {
    /// A token that was given rather than obtained, so that it is not known when it expires.
    pub fn given(value: SecretString, now: DateTime<Utc>) -> Self {
        Self { value, expires_at: None, obtained_at: now, cache_until: None, cached: false }
    }
}

/// `CreateIamTokenResponse`.
pub const CREATE_RESPONSE: Message =
    Message { name: "CreateIamTokenResponse", fields: &[Field::scalar("iam_token"), Field::timestamp("expires_at")] };

/// `RevokeIamTokenResponse`.
pub const REVOKE_RESPONSE: Message = Message { name: "RevokeIamTokenResponse", fields: &[Field::scalar("subject_id")] };

/// What an IAM token is requested with.
#[derive(Debug)]
pub enum Proof<'a> {
    /// An OAuth token of a Yandex account.
    OauthToken(&'a SecretString),
    /// A JWT signed with the key of a service account.
    Jwt(&'a SecretString),
}

/// Exchanges a proof of identity for an IAM token and returns the response, whatever its status: `Create`.
///
/// # Errors
/// The server cannot be reached.
pub async fn create(http: &Http, iam: &str, proof: &Proof<'_>) -> Result<Response> {
    let body = match proof {
        Proof::OauthToken(token) => json!({"yandexPassportOauthToken": token.expose_secret()}),
        Proof::Jwt(jwt) => json!({"jwt": jwt.expose_secret()}),
    };
    post(http, &format!("{iam}/iam/v1/tokens"), None, body).await
}

/// An IAM token of a service account, for a caller that may act as it: `CreateForServiceAccount`.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn create_for_service_account(http: &Http, iam: &str, caller: &SecretString, id: &str) -> Result<IamToken> {
    let url = format!("{iam}/iam/v1/tokens:createForServiceAccount");
    from_response(post(http, &url, Some(caller), json!({"serviceAccountId": id})).await?)
}

/// Revokes a token and returns the response, whatever its status: `Revoke`.
///
/// # Errors
/// The server cannot be reached.
pub async fn revoke(http: &Http, iam: &str, caller: &SecretString, token: &SecretString) -> Result<Response> {
    let body = json!({"iamToken": token.expose_secret()});
    post(http, &format!("{iam}/iam/v1/tokens:revoke"), Some(caller), body).await
}

/// These calls may be repeated: unlike an orphaned key, a second token does no harm, since it soon expires.
async fn post(http: &Http, url: &str, bearer: Option<&SecretString>, body: Value) -> Result<Response> {
    let mut request = Request::new(Method::POST, url);
    request.bearer = bearer;
    request.body = Body::Json(body);
    http.send(request).await
}

/// The token in a response.
///
/// # Errors
/// The response is a refusal, or holds no token.
pub fn from_response(response: Response) -> Result<IamToken> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire {
        iam_token: SecretString,
        expires_at: Option<String>,
    }
    let wire = Wire::deserialize(response.into_json()?);
    let wire = wire.map_err(|_| Error::internal("the server's response holds no IAM token"))?;
    let mut token = IamToken::given(wire.iam_token, Utc::now());
    token.expires_at = wire.expires_at;
    Ok(token)
}
