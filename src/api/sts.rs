//! Security Token Service: temporary credentials for a static key.
//!
//! Source: yandex-cloud/docs, `en/_includes/iam/create-sts-key.md`, which shows the AWS CLI at work; for the form of
//! requests and answers the AWS Security Token Service API Reference, `AssumeRole`.

use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::temporary_access_key::EphemeralKey;
use super::xml::Leaves;
use crate::api::sigv4::{self, Scope, SigningKey};
use crate::error::{Error, Result};
use crate::http::{Body, Http, Method, Repeat, Request, Response, Url};
use crate::log::Log;
use crate::status::{Code, Status};
use crate::text::percent;
use crate::text::quote;

/// How many characters a role ARN has. Any text of this length is accepted, and it names no role.
///
/// Source: AWS Security Token Service API Reference, `AssumeRole`.
pub const ROLE_ARN_LENGTH: RangeInclusive<usize> = 20..=2048;

/// How many characters a role session name has.
///
/// Source: the same page.
pub const ROLE_SESSION_NAME_LENGTH: RangeInclusive<usize> = 2..=64;

const CONTENT_TYPE: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// `AssumeRole`: the request.
#[derive(Debug, Clone)]
pub struct AssumeRole {
    /// Any text of [`ROLE_ARN_LENGTH`] printable characters.
    pub role_arn: String,
    /// The session name shown in audit logs.
    pub role_session_name: String,
    /// JSON that narrows the rights of the static key's owner.
    pub policy: Option<String>,
    /// The requested lifetime, in whole seconds.
    pub duration: Duration,
}

/// Gets temporary credentials: `AssumeRole`.
///
/// When the server refuses and our clock is wrong, the request is signed once more with the server's time.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn assume_role(
    http: &Http,
    base: &str,
    key: &SigningKey,
    region: &str,
    request: &AssumeRole,
    log: &Log,
) -> Result<EphemeralKey> {
    let send = async |time| http.send(signed(base, key, region, request, time)?.as_request()).await;
    let answer = send(Utc::now()).await?;
    let Some(difference) = answer.clock.difference().filter(|_| matches!(answer.status, 400 | 401 | 403)) else {
        return credentials(answer);
    };
    match answer.clock.correction() {
        Some(time) => {
            log.note(&format!("{difference}; the server's time is used"));
            credentials(send(time).await?)
        }
        None => credentials(answer).map_err(|error| error.hint(difference.hint())),
    }
}

/// A request with its signature.
struct Signed {
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Signed {
    fn as_request(&self) -> Request<'_> {
        Request {
            headers: self.headers.clone(),
            body: Body::Bytes { content_type: CONTENT_TYPE, content: self.body.clone() },
            // Credentials that nobody has do no harm: they end soon, and no quota counts them.
            repeat: Repeat::Always,
            ..Request::new(Method::POST, &self.url)
        }
    }
}

fn signed(base: &str, key: &SigningKey, region: &str, request: &AssumeRole, time: DateTime<Utc>) -> Result<Signed> {
    let url = format!("{base}/");
    let parsed = Url::parse(&url).map_err(|error| Error::config(format!("{}: {error}", quote::value(base))))?;
    let body = form(request).into_bytes();
    let to_sign = sigv4::SignableRequest {
        method: "POST",
        path: parsed.path(),
        query: &[],
        headers: &[("content-type", CONTENT_TYPE), ("host", &host(&parsed))],
        body: &body,
    };
    let signature = sigv4::sign(&to_sign, key, Scope { region, service: "sts" }, time);
    let headers = vec![
        // AWS answers in JSON to those who say that they accept it.
        ("accept", "text/xml".to_owned()),
        ("authorization", signature.authorization),
        ("x-amz-date", signature.date),
    ];
    Ok(Signed { url, headers, body })
}

/// The `Host` that is sent: with a port where that is not the usual one.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn form(request: &AssumeRole) -> String {
    let seconds = request.duration.as_secs().to_string();
    let fields = [
        ("Action", Some("AssumeRole")),
        ("DurationSeconds", Some(seconds.as_str())),
        ("Policy", request.policy.as_deref()),
        ("RoleArn", Some(&request.role_arn)),
        ("RoleSessionName", Some(&request.role_session_name)),
        ("Version", Some("2011-06-15")),
    ];
    let pair = |(name, value): (&str, Option<&str>)| Some(format!("{name}={}", percent::encode(value?)));
    fields.into_iter().filter_map(pair).collect::<Vec<_>>().join("&")
}

/// Reads the credentials, or why there are none, from a response.
pub(crate) fn credentials(mut response: Response) -> Result<EphemeralKey> {
    let leaves = Leaves::read(response.body());
    if let Some(error) = refusal(&mut response, leaves.as_ref()) {
        return Err(error);
    }
    let clock = response.clock;
    let key = leaves.and_then(|leaves| {
        let raw = json!({
            "accessKeyId": leaves.text("AccessKeyId")?,
            "secret": leaves.text("SecretAccessKey")?,
            "sessionToken": leaves.text("SessionToken")?,
            "expiresAt": leaves.text("Expiration")?,
        });
        EphemeralKey::parse(raw, |time| clock.lifetime_until(time)).ok()
    });
    key.ok_or_else(|| response.foreign_error())
}

/// Why the server refused; `None` when it did not.
fn refusal(response: &mut Response, leaves: Option<&Leaves>) -> Option<Error> {
    response.refusal()?;
    let text = |name| leaves.and_then(|leaves| leaves.text(name));
    if response.ids.server_request.is_none() {
        response.ids.server_request = text("RequestId").map(str::to_owned);
    }
    let (code, message) = (text("Code"), text("Message"));
    let Some(shown) = message.or(code) else { return response.refusal_error() };
    let status = Status { code: Code::from_http(response.status), message: shown.to_owned(), details: vec![] };
    let error = response.error(status);
    Some(match code {
        Some(code) => error.server_code(code),
        None => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(policy: Option<&str>) -> AssumeRole {
        AssumeRole {
            role_arn: "yc-rs-temporary-access-key".into(),
            role_session_name: "s_1".into(),
            policy: policy.map(str::to_owned),
            duration: Duration::from_secs(3600),
        }
    }

    #[test]
    fn the_form_is_sorted_and_encoded() {
        assert_eq!(
            form(&request(Some(r#"{"a":"ж +"}"#))),
            "Action=AssumeRole&DurationSeconds=3600&Policy=%7B%22a%22%3A%22%D0%B6%20%2B%22%7D&\
             RoleArn=yc-rs-temporary-access-key&RoleSessionName=s_1&Version=2011-06-15"
        );
        assert!(!form(&request(None)).contains("Policy"));
    }

    #[test]
    fn the_host_is_signed_as_it_is_sent() {
        for (url, sent) in [
            ("https://sts.yandexcloud.net/", "sts.yandexcloud.net"),
            ("https://sts.yandexcloud.net:443/", "sts.yandexcloud.net"),
            ("http://127.0.0.1:80/", "127.0.0.1"),
            ("http://[::1]:8080/", "[::1]:8080"),
        ] {
            assert_eq!(host(&Url::parse(url).unwrap()), sent);
        }
    }
}
