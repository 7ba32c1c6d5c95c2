//! The metadata service of a virtual machine, function or container, which gives out tokens of the service account that
//! is attached to it.
//!
//! Source: yandex-cloud/docs, `en/compute/operations/vm-connect/auth-inside-vm.md`; yandex-cloud/go-sdk,
//! `credentials/metadata_service.go`, for the limits.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::LocalBoxFuture;
use secrecy::SecretString;
use serde::Deserialize;

use super::credential::{Credential, Services, Source};
use super::iam_token::{self, IamToken};
use super::token_cache::Identity;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::http::{Attempts, Http, Method, Request, ServerClock};
use crate::status::{Code, Status};

const HOST: &str = "169.254.169.254";
const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";

/// How long a connection may take: on a machine without the service there is no reply at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a response may take.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// A token is cached no longer than this, so that another account attached to the machine soon takes effect.
const LONGEST_USE: TimeDelta = TimeDelta::seconds(60);

/// The service account that is attached to this machine.
#[derive(Debug)]
pub struct Metadata {
    /// The sources that are not set, where the metadata service was not chosen but is the last that is tried.
    not_set: Option<String>,
}

impl Metadata {
    /// The metadata service, chosen by the profile.
    pub fn configured() -> Self {
        Self { not_set: None }
    }

    /// The metadata service, asked because no source is set; `not_set` lists them for the error.
    pub fn unconfigured(not_set: String) -> Self {
        Self { not_set: Some(not_set) }
    }
}

impl Credential for Metadata {
    fn may_change_subject(&self) -> bool {
        true
    }

    fn name(&self, env: &Env) -> Result<String> {
        Ok(format!("instance service account of {}", url(env)))
    }

    fn identity<'a>(&'a self, services: Services<'a>) -> LocalBoxFuture<'a, Result<Option<Identity>>> {
        Box::pin(async move { Ok(Some(Identity { issuer: url(services.env), subject: self.name(services.env)? })) })
    }

    fn obtain<'a>(&'a self, services: Services<'a>, _now: DateTime<Utc>) -> LocalBoxFuture<'a, Result<IamToken>> {
        Box::pin(async move {
            // On a machine that is not one of the cloud the error must not take long.
            let attempts = if self.not_set.is_some() { Attempts::AtMost(1) } else { services.http.attempts() };
            let direct = services.http.direct(attempts, CONNECT_TIMEOUT, READ_TIMEOUT);
            request_token(&direct, &url(services.env)).await
        })
    }

    fn hint(&self, _source: &Source) -> String {
        "the service account of this machine may have been detached or deleted".to_owned()
    }

    fn explain(&self, error: Error, _source: &Source) -> Error {
        match &self.not_set {
            Some(not_set) => {
                Error::no_credentials(format!("no credentials were found: {not_set}; metadata service: {error}")).hint(
                    "set one up: yc-rs init (asks what it needs), or yc-rs config set service-account-key <FILE>, or \
                     export YC_IAM_TOKEN=<token> for an IAM token of 12 hours; newly issued OAuth tokens are not \
                     accepted since 2026-06-01",
                )
            }
            None => error.context("cannot get an IAM token from the metadata service").replace_hint(
                "check that this is a machine of the cloud with a service account attached, or use another credential",
            ),
        }
    }
}

/// The URL of the token; `YC_METADATA_ADDR` replaces the host.
fn url(env: &Env) -> String {
    let host = env.var("YC_METADATA_ADDR").unwrap_or(HOST);
    let base = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
    format!("{}{PATH}", base.trim_end_matches('/'))
}

/// Fails also when the response is from another cloud's service, which has the same address.
async fn request_token(http: &Http, url: &str) -> Result<IamToken> {
    let mut request = Request::new(Method::GET, url);
    request.headers.push(("metadata-flavor", "Google".to_owned()));
    let response = http.send(request).await?;
    match response.status {
        200 => parse_token(response.body(), response.clock),
        status @ 500.. => {
            let message = format!("the metadata service responds with HTTP status {status}");
            let status = Status { code: Code::from_http(status), message, details: Vec::new() };
            Err(Error::refused(Some(response.status), status).ids(response.ids.clone()))
        }
        404 => Err(Error::new(Kind::NoCredentials, "no service account is attached to this machine")),
        status => {
            Err(Error::new(Kind::NoCredentials, format!("the metadata service responds with HTTP status {status}")))
        }
    }
}

fn parse_token(body: &[u8], clock: ServerClock) -> Result<IamToken> {
    #[derive(Deserialize)]
    struct Wire {
        access_token: SecretString,
        expires_in: i64,
    }
    let foreign = || Error::new(Kind::NoCredentials, "the metadata service that responds is not Yandex Cloud's");
    let wire: Wire = serde_json::from_slice(body).map_err(|_| foreign())?;
    let value = iam_token::checked(wire.access_token).map_err(|_| foreign())?;
    if wire.expires_in <= 0 {
        return Err(Error::new(Kind::NoCredentials, "the token that the metadata service responds with has expired"));
    }
    let (expires_at, lifetime) = clock.lifetime_of(wire.expires_in).ok_or_else(foreign)?;
    Ok(IamToken {
        expires_at: Some(expires_at),
        lifetime,
        cache_until: Some(lifetime.received_at + LONGEST_USE),
        ..IamToken::given(value, lifetime.received_at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> ServerClock {
        let now = DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z").unwrap().to_utc();
        ServerClock::new(None, false, now)
    }

    #[test]
    fn the_host_can_be_replaced() {
        let with_host = |host: &str| {
            url(&Env { vars: [("YC_METADATA_ADDR".to_owned(), host.to_owned())].into(), ..Env::default() })
        };
        assert_eq!(url(&Env::default()), format!("http://169.254.169.254{PATH}"));
        assert_eq!(with_host("127.0.0.1:8080"), format!("http://127.0.0.1:8080{PATH}"));
        assert_eq!(with_host("http://127.0.0.1:8080/"), format!("http://127.0.0.1:8080{PATH}"));
    }

    #[test]
    fn the_remaining_lifetime_becomes_a_time() {
        let token = parse_token(br#"{"access_token":"t1.a","expires_in":39944,"token_type":"Bearer"}"#, now()).unwrap();
        assert_eq!(token.expires_at.as_deref(), Some("2026-01-01T11:05:44Z"));
    }

    #[test]
    fn a_token_that_has_expired_is_refused() {
        for seconds in [0, -1] {
            let body = format!(r#"{{"access_token":"t1.a","expires_in":{seconds}}}"#);
            let error = parse_token(body.as_bytes(), now()).unwrap_err();
            assert_eq!(error.to_string(), "the token that the metadata service responds with has expired");
        }
    }

    #[test]
    fn the_response_of_another_cloud_is_refused() {
        for body in [
            r#"{"access_token":"ya29.x","expires_in":1}"#,
            r#"{"access_token":"t1.","expires_in":1}"#,
            r#"{"access_token":"t1.a\nb","expires_in":1}"#,
            "<html>",
            "{}",
            r#"{"access_token":"t1.a","expires_in":9223372036854775807}"#,
        ] {
            let error = parse_token(body.as_bytes(), now()).unwrap_err();
            assert_eq!(error.to_string(), "the metadata service that responds is not Yandex Cloud's", "{body}");
        }
    }
}
