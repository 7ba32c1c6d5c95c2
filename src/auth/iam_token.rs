//! `IamTokenService`: IAM tokens are created and revoked by it.
//!
//! Source: `yandex/cloud/iam/v1/iam_token_service.proto`.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::http::{Body, Http, Method, Request, Response};
use crate::lifetime::Lifetime;
use crate::message::{Field, Message};
use crate::text::duration::CLOCK_TOLERANCE;

/// An IAM token, and when it expires.
#[derive(Debug, Clone)]
pub struct IamToken {
    /// The token: opaque, for `Authorization: Bearer`.
    pub value: SecretString,
    /// When it expires, as received; `None` for a token that was given rather than obtained.
    pub expires_at: Option<String>,
    /// How long it is valid; not known of one that was given.
    pub lifetime: Lifetime,
    /// Until when it may be used from the cache, if not until it expires.
    pub cache_until: Option<DateTime<Utc>>,
    /// The ID of the subject that it was issued to, where the server was asked and the answer is cached.
    pub subject_id: Option<String>,
    /// Whether it comes from the cache.
    pub cached: bool,
}

impl IamToken {
    /// A token that was given rather than obtained, so that it is not known when it expires.
    pub fn given(value: SecretString, now: DateTime<Utc>) -> Self {
        Self {
            value,
            expires_at: None,
            lifetime: Lifetime::unknown(now),
            cache_until: None,
            subject_id: None,
            cached: false,
        }
    }

    /// Whether it was obtained just now, so that there is none with a longer lifetime. One that was obtained in the
    /// future, before the clock was set back, is not.
    pub fn is_new(&self, now: DateTime<Utc>) -> bool {
        (now - self.lifetime.received_at).abs().to_std().is_ok_and(|age| age < CLOCK_TOLERANCE)
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

/// Who makes a call that may be made once more with another token.
#[derive(Debug)]
pub struct Caller<'a> {
    /// The IAM token of the caller.
    pub token: &'a SecretString,
    /// The same each time that the call is made.
    pub idempotency_key: &'a str,
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
pub async fn create_for_service_account(http: &Http, iam: &str, caller: &Caller<'_>, id: &str) -> Result<IamToken> {
    let url = format!("{iam}/iam/v1/tokens:createForServiceAccount");
    from_response(post(http, &url, Some(caller), json!({"serviceAccountId": id})).await?)
}

/// Revokes a token and returns the response, whatever its status: `Revoke`.
///
/// # Errors
/// The server cannot be reached.
pub async fn revoke(http: &Http, iam: &str, caller: &Caller<'_>, token: &SecretString) -> Result<Response> {
    let body = json!({"iamToken": token.expose_secret()});
    post(http, &format!("{iam}/iam/v1/tokens:revoke"), Some(caller), body).await
}

/// These calls may be repeated: unlike an orphaned key, a second token does no harm, since it soon expires.
async fn post(http: &Http, url: &str, caller: Option<&Caller<'_>>, body: Value) -> Result<Response> {
    let mut request = Request::new(Method::POST, url);
    request.bearer = caller.map(|caller| caller.token);
    request.idempotency_key = caller.map(|caller| caller.idempotency_key);
    request.body = Body::Json(body);
    http.send(request).await
}

/// The token that a server has issued, if it is one: nothing else is used, printed or cached.
///
/// Source: yandex-cloud/docs, `en/iam/concepts/authorization/iam-token.md`, "Token representation"; yandex-cloud/go-sdk,
/// `pkg/transport/middleware/grpcdebug/sanitizer.go`, for the second prefix.
///
/// # Errors
/// It does not begin as IAM tokens do, or an HTTP header cannot carry it.
pub fn checked(token: SecretString) -> Result<SecretString> {
    let text = token.expose_secret();
    let body = ["t1.", "c1."].iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or_default();
    if body.is_empty() || !body.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::internal("the token in the server's response is not an IAM token, which begins with t1."));
    }
    Ok(token)
}

/// The token in a response.
///
/// # Errors
/// The response is a refusal, or holds no IAM token.
pub fn from_response(response: Response) -> Result<IamToken> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire {
        iam_token: SecretString,
        expires_at: Option<String>,
    }
    let clock = response.clock;
    let wire = Wire::deserialize(response.into_json()?);
    let wire = wire.map_err(|_| Error::internal("the server's response holds no IAM token"))?;
    let mut token = IamToken::given(checked(wire.iam_token)?, clock.received_at);
    if let Some(time) = wire.expires_at.as_deref().and_then(|time| DateTime::parse_from_rfc3339(time).ok()) {
        token.lifetime = clock.lifetime_until(time.to_utc());
    }
    token.expires_at = wire.expires_at;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_an_iam_token_is_refused() {
        for token in ["", "t1.", "x", "t1.a b", "t1.a\nb", "t1.\u{e9}", " t1.a", "y0_a"] {
            let error = checked(token.into()).unwrap_err().to_string();
            assert_eq!(
                error, "the token in the server's response is not an IAM token, which begins with t1.",
                "{token}"
            );
        }
        for token in ["t1.a", "t1.a==.b", "c1.a.b"] {
            assert_eq!(checked(token.into()).unwrap().expose_secret(), token);
        }
    }
}
