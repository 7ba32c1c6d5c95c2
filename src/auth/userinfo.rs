//! Who an IAM token was issued to, by the userinfo endpoint of the authentication service.
//!
//! Source: OIDC Core 1.0, section 5.3; `https://auth.yandex.cloud/.well-known/openid-configuration` for the
//! endpoint.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;

use super::credential::Services;
use crate::endpoints::Service;
use crate::error::{Error, Result};
use crate::http::{Method, Request, Response};

/// How long a connection may take: the command works without the endpoint.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a response may take.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// What the endpoint says about a token.
#[derive(Debug)]
pub enum Userinfo {
    /// The ID of the subject that the token was issued to.
    Subject(String),
    /// The token is not valid (401).
    Refused(Error),
    /// Neither is known: the endpoint is not known, cannot be reached, or responds in another way.
    Unknown(Error),
}

/// Asks the endpoint, once.
pub async fn look_up(token: &SecretString, services: Services<'_>) -> Userinfo {
    let response = match request(token, services).await {
        Ok(response) => response,
        Err(error) => return Userinfo::Unknown(error),
    };
    let refused = response.status == 401;
    match response.into_json() {
        Ok(body) => match subject(&body) {
            Some(subject) => Userinfo::Subject(subject),
            None => Userinfo::Unknown(Error::internal("the server's response does not name the subject of the token")),
        },
        Err(error) if refused => Userinfo::Refused(error),
        Err(error) => Userinfo::Unknown(error),
    }
}

async fn request(token: &SecretString, services: Services<'_>) -> Result<Response> {
    let http = services.http.once(CONNECT_TIMEOUT, READ_TIMEOUT);
    let auth = services.endpoints.base(Service::Auth, &http).await?;
    let url = format!("{auth}/oauth/userinfo");
    let mut request = Request::new(Method::GET, &url);
    request.bearer = Some(token);
    http.send(request).await
}

fn subject(body: &Value) -> Option<String> {
    body["sub"].as_str().filter(|subject| !subject.is_empty()).map(str::to_owned)
}
