//! Object Storage, to find out whether it knows a key.
//!
//! Source: yandex-cloud/docs, `en/storage/s3/api-ref/bucket/list.md` for the request, and
//! `en/storage/s3/api-ref/response-codes.md` for the codes of refusals.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::sigv4::{self, Scope, SigningKey};
use super::sts::host;
use super::xml::Leaves;
use crate::error::{Error, Result};
use crate::http::{Http, Method, Request, Response, Url};
use crate::text::digest::sha256_hex;
use crate::text::quote;

/// What the storage says about a key.
#[derive(Debug)]
pub enum Verdict {
    /// It knows the key, and lists the buckets.
    Known,
    /// It knows the key, and refuses to list the buckets with `AccessDenied`.
    Denied,
    /// It may know the key later, or another attempt may succeed.
    NotYet(Error),
    /// The local clock is too far off; this is the time of the storage.
    WrongClock(DateTime<Utc>),
    /// It refuses for another reason.
    Refused(Error),
}

/// Requests the list of buckets with a key: `GET /`. Nothing of the list is read.
///
/// # Errors
/// The endpoint is malformed, or the storage cannot be reached.
pub async fn try_key(http: &Http, base: &str, region: &str, key: &SigningKey, time: DateTime<Utc>) -> Result<Verdict> {
    let url = format!("{base}/");
    let parsed = Url::parse(&url).map_err(|error| Error::config(format!("{}: {error}", quote::value(base))))?;
    let content = sha256_hex(b"");
    let headers = [("host", host(&parsed)), ("x-amz-content-sha256", content.clone())];
    let signature = sigv4::sign(
        &sigv4::SignableRequest {
            method: "GET",
            path: parsed.path(),
            query: &[],
            headers: &headers.each_ref().map(|(name, value)| (*name, value.as_str())),
            body: &[],
        },
        key,
        Scope { region, service: "s3" },
        time,
    );
    let request = Request {
        headers: vec![
            ("accept", "application/xml".to_owned()),
            ("authorization", signature.authorization),
            ("x-amz-content-sha256", content),
            ("x-amz-date", signature.date),
        ],
        ..Request::new(Method::GET, &url)
    };
    Ok(verdict(&http.send(request).await?))
}

/// Requests the list of buckets with an IAM token. Nothing of the list is read.
///
/// Source of the header: yandex-cloud/terraform-provider-yandex, `pkg/storage/s3/client.go`.
///
/// # Errors
/// The storage cannot be reached.
pub async fn try_token(http: &Http, base: &str, token: &SecretString) -> Result<Verdict> {
    let url = format!("{base}/");
    let request = Request {
        headers: vec![
            ("accept", "application/xml".to_owned()),
            ("x-yacloud-subjecttoken", token.expose_secret().to_owned()),
        ],
        ..Request::new(Method::GET, &url)
    };
    Ok(verdict(&http.send(request).await?))
}

fn verdict(response: &Response) -> Verdict {
    let Some(error) = response.refusal_error() else { return Verdict::Known };
    let leaves = Leaves::read(response.body());
    let text = |name| leaves.as_ref().and_then(|leaves| leaves.text(name));
    let code = text("Code");
    let error = match (response.refusal(), text("Message").or(code)) {
        (Some(status), Some(message)) => {
            response.error(crate::status::Status { message: message.to_owned(), ..status.clone() })
        }
        _ => error,
    };
    let error = match code {
        Some(code) => error.server_code(code),
        None => error,
    };
    match code {
        Some("AccessDenied") => Verdict::Denied,
        Some("RequestTimeTooSkewed") => Verdict::WrongClock(response.clock.time()),
        Some("InvalidAccessKeyId" | "SignatureDoesNotMatch") => Verdict::NotYet(error),
        _ if response.status == 429 || response.status >= 500 => Verdict::NotYet(error),
        _ => Verdict::Refused(error),
    }
}
