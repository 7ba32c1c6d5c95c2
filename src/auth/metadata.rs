//! The metadata service of a virtual machine, function or container, which hands out tokens of the service account
//! that is attached to it.
//!
//! Source: yandex-cloud/docs, `en/compute/operations/vm-connect/auth-inside-vm.md`; yandex-cloud/go-sdk,
//! `credentials/metadata_service.go`, for the limits.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::iam_token::IamToken;
use crate::error::{Error, Kind, Result};
use crate::http::{Http, Method, Request};
use crate::status::{Code, Status};

const ADDRESS: &str = "169.254.169.254";
const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";

/// How long a connection may take: on a machine without the service nobody answers at all.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long an answer may take.
pub const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// A token is kept no longer than this, so that another account attached to the machine soon takes effect.
pub const LONGEST_USE: TimeDelta = TimeDelta::seconds(60);

/// The URL of the token; `address` replaces the usual one.
pub fn url(address: Option<&str>) -> String {
    let address = address.unwrap_or(ADDRESS);
    let base = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    format!("{}{PATH}", base.trim_end_matches('/'))
}

/// Asks for a token.
///
/// # Errors
/// Nobody answers, no service account is attached, or the answer is from another cloud's service, which has the same
/// address.
pub async fn token(http: &Http, url: &str, now: DateTime<Utc>) -> Result<IamToken> {
    let mut request = Request::new(Method::GET, url);
    request.headers.push(("metadata-flavor", "Google".to_owned()));
    let answer = http.send(request).await?;
    match answer.status {
        200 => read(answer.body(), now),
        status @ 500.. => {
            let message = format!("the metadata service answers with HTTP status {status}");
            let status = Status { code: Code::from_http(status), message, details: Vec::new() };
            Err(Error::refused(Some(answer.status), status).ids(answer.ids.clone()))
        }
        404 => Err(Error::new(Kind::NoCredentials, "no service account is attached to this machine")),
        status => {
            Err(Error::new(Kind::NoCredentials, format!("the metadata service answers with HTTP status {status}")))
        }
    }
}

fn read(body: &[u8], now: DateTime<Utc>) -> Result<IamToken> {
    #[derive(Deserialize)]
    struct Wire {
        access_token: SecretString,
        expires_in: i64,
    }
    let foreign = || Error::new(Kind::NoCredentials, "the metadata service that answers is not Yandex Cloud's");
    let wire: Wire = serde_json::from_slice(body).map_err(|_| foreign())?;
    if !wire.access_token.expose_secret().starts_with("t1.") {
        return Err(foreign());
    }
    let expires_at = TimeDelta::try_seconds(wire.expires_in).and_then(|rest| now.checked_add_signed(rest));
    let expires_at = expires_at.ok_or_else(foreign)?.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let keep_until = Some(now + LONGEST_USE);
    Ok(IamToken { value: wire.access_token, expires_at: Some(expires_at), obtained_at: now, keep_until, cached: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z").unwrap().to_utc()
    }

    #[test]
    fn the_address_can_be_replaced() {
        assert_eq!(url(None), format!("http://169.254.169.254{PATH}"));
        assert_eq!(url(Some("127.0.0.1:8080")), format!("http://127.0.0.1:8080{PATH}"));
        assert_eq!(url(Some("http://127.0.0.1:8080/")), format!("http://127.0.0.1:8080{PATH}"));
    }

    #[test]
    fn the_rest_of_the_life_becomes_a_time() {
        let token = read(br#"{"access_token":"t1.a","expires_in":39944,"token_type":"Bearer"}"#, now()).unwrap();
        assert_eq!(token.expires_at.as_deref(), Some("2026-01-01T11:05:44Z"));
    }

    #[test]
    fn another_clouds_answer_is_refused() {
        for body in [
            r#"{"access_token":"ya29.x","expires_in":1}"#,
            "<html>",
            "{}",
            r#"{"access_token":"t1.a","expires_in":9223372036854775807}"#,
        ] {
            let error = read(body.as_bytes(), now()).unwrap_err();
            assert!(error.to_string().contains("not Yandex Cloud's"), "{body}: {error}");
        }
    }
}
