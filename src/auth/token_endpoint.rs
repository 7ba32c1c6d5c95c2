//! `/oauth/token` of the authentication service: what it exchanges for an IAM token, and how it refuses.

use secrecy::SecretString;
use serde_json::Value;

use super::iam_token::{self, IamToken};
use crate::error::{Error, Result};
use crate::http::{Body, Http, Method, Request, Response, ServerClock};
use crate::status::{Code, Status};

/// What the endpoint issues.
#[derive(Debug)]
pub struct Tokens {
    /// The IAM token, or why it cannot be used: what came with it is not lost.
    pub access: Result<IamToken>,
    /// What the next IAM token is requested with, where one is granted.
    pub refresh: Option<SecretString>,
}

/// Sends a form, and reads the tokens of the response.
///
/// # Errors
/// The service refuses, cannot be reached, or its response is not JSON.
pub async fn request(fields: Vec<(&'static str, String)>, http: &Http, auth: &str) -> Result<Tokens> {
    let url = format!("{auth}/oauth/token");
    let mut request = Request::new(Method::POST, &url);
    request.body = Body::Form(fields);
    let response = http.send(request).await?;
    if let Some(error) = oauth_refusal(&response) {
        return Err(error);
    }
    let clock = response.clock;
    let body = response.into_json()?;
    let refresh = body["refresh_token"].as_str().filter(|token| !token.is_empty()).map(SecretString::from);
    Ok(Tokens { access: access_token(&body, clock), refresh })
}

/// A refusal in the form of RFC 6749, 5.2; the documentation does not say in which form refusals come.
fn oauth_refusal(response: &Response) -> Option<Error> {
    let body: Value = serde_json::from_slice(response.body()).ok()?;
    let error = body["error"].as_str().filter(|_| !(200..300).contains(&response.status))?;
    let code = match error {
        // Of an exchange, the first means that the token is not accepted, and `invalid_target` that it is not for
        // this account. Source: RFC 8693, 2.2.2.
        "invalid_request" | "invalid_grant" | "invalid_client" | "invalid_token" => Code::Unauthenticated,
        "invalid_target" | "unauthorized_client" | "access_denied" => Code::PermissionDenied,
        _ if matches!(response.status, 400 | 401 | 403) => Code::Unauthenticated,
        _ => Code::from_http(response.status),
    };
    let requires_dpop = |text: &str| text.to_ascii_lowercase().contains("dpop");
    if requires_dpop(error) || body["error_description"].as_str().is_some_and(requires_dpop) {
        return Some(Error::no_credentials(format!("the organization requires DPoP, which yc-rs does not support ({error})")).hint(
            "let yc sign in, which supports it: yc-rs config set token-command '[\"yc\", \"iam\", \"create-token\"]'",
        ));
    }
    let message = match body["error_description"].as_str() {
        Some(description) => format!("{error}: {description}"),
        None => error.to_owned(),
    };
    let status = Status { code, message, details: Vec::new() };
    Some(Error::refused(Some(response.status), status).ids(response.ids.clone()))
}

fn access_token(response: &Value, clock: ServerClock) -> Result<IamToken> {
    let token = response["access_token"].as_str();
    let token = token.ok_or_else(|| Error::internal("the server's response holds no IAM token"))?;
    let mut token = IamToken::given(iam_token::checked(token.into())?, clock.received_at);
    if let Some((expires_at, lifetime)) = response["expires_in"].as_i64().and_then(|seconds| clock.lifetime_of(seconds))
    {
        token.expires_at = Some(expires_at);
        token.lifetime = lifetime;
    }
    Ok(token)
}
