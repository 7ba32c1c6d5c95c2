//! The response of a server.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use serde_json::Value;
use tokio::time::timeout;

use super::{REQUEST_ID, retry};
use crate::error::{Error, RequestIds, Result};
use crate::status::{Code, Status};
use crate::text::duration::CLOCK_TOLERANCE;
use crate::text::quote;

/// The response to a request, whatever its status.
pub struct Response {
    pub status: u16,
    /// The IDs of the attempt that got this response.
    pub ids: RequestIds,
    /// The server's clock, where it can be trusted: `None` when certificates are not verified.
    pub date: Option<DateTime<Utc>>,
    /// Whether the server may have processed an earlier attempt of the same request.
    pub resent: bool,
    headers: HeaderMap,
    body: Vec<u8>,
    refusal: Option<Status>,
    /// Whether the request must not be sent again unless the server has certainly not processed it.
    unrepeatable: bool,
}

impl Response {
    pub(super) fn new(status: u16, headers: HeaderMap, body: Vec<u8>, ids: RequestIds, unrepeatable: bool) -> Self {
        let refusal = (!(200..300).contains(&status)).then(|| refusal(status, &body));
        let ids = with_server_ids(ids, &headers, refusal.as_ref());
        let date = header_text(&headers, DATE.as_str()).and_then(retry::parse_http_date);
        Self { status, ids, date, resent: false, headers, body, refusal, unrepeatable }
    }

    /// The body as received.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Why the server refused; `None` when it did not.
    pub fn refusal(&self) -> Option<&Status> {
        self.refusal.as_ref()
    }

    /// The server's time, when it refused with one of these statuses and our clock differs by more than a minute, which
    /// explains the refusal, and less than 25 hours: a larger difference is not trusted.
    pub fn corrected_time(&self, refusals: &[u16], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let theirs = self.date.filter(|_| refusals.contains(&self.status))?;
        let skew = (theirs - now).abs().to_std().ok()?;
        (skew > CLOCK_TOLERANCE && skew < Duration::from_secs(25 * 60 * 60)).then_some(theirs)
    }

    /// The body as JSON: an object, as every method of the API returns.
    ///
    /// # Errors
    /// The server refused, or the body is something else; the error is marked
    /// [`outcome_unknown`](Error::outcome_unknown) when a request that must not be repeated may have been processed.
    pub fn into_json(self) -> Result<Value> {
        if let Some(status) = &self.refusal {
            return Err(self.error(status.clone()));
        }
        serde_json::from_slice(&self.body).ok().filter(Value::is_object).ok_or_else(|| self.not_json())
    }

    /// The error for a body that is not JSON.
    pub fn not_json(&self) -> Error {
        let message = format!("the server returned {} with a body that is not JSON", status_text(self.status));
        self.error(Status { code: Code::Unknown, message, details: vec![] })
    }

    /// The error for a refusal, or a body that cannot be used, that the caller has parsed itself.
    pub fn error(&self, status: Status) -> Error {
        let error = Error::refused(Some(self.status), status).ids(self.ids.clone());
        let processed = self.refusal.is_none() || retry::may_be_processed(self.status);
        if self.unrepeatable && processed { error.outcome_unknown() } else { error }
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub(super) fn requested_delay(&self) -> Option<Duration> {
        let now = self.date.unwrap_or_else(Utc::now);
        retry::requested_delay(header_text(&self.headers, RETRY_AFTER.as_str()), now, self.refusal.as_ref()?)
    }

    /// The response of the last attempt. A refusal says when the server asks for a delay that is too long.
    pub(super) fn into_final(mut self, resent: bool, excessive_delay: Option<Duration>) -> Self {
        self.resent = resent;
        if let (Some(delay), Some(status)) = (excessive_delay, &mut self.refusal) {
            let delay = humantime::format_duration(Duration::from_secs(delay.as_secs()));
            status.message = format!("{} (the server asks to wait {delay} before the next attempt)", status.message);
        }
        self
    }
}

/// The body is left out, since it may hold a secret.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).field("ids", &self.ids).finish_non_exhaustive()
    }
}

/// Why the server refused, from whatever it sent with the refusal.
fn refusal(http: u16, body: &[u8]) -> Status {
    Status::from_json(body).unwrap_or_else(|| {
        let message = match error_text(body) {
            Some(text) => format!("the server returned {}: {text}", status_text(http)),
            None => format!("the server returned {}", status_text(http)),
        };
        Status { code: Code::from_http(http), message, details: vec![] }
    })
}

/// The message of an error that is JSON of another shape than `google.rpc.Status`.
///
/// Source: RFC 6749, section 5.2, for `error` and `error_description`.
fn error_text(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    ["error_description", "message", "error"].iter().find_map(|name| body[name].as_str().map(quote::bare))
}

/// The status with its standard reason, e.g. `502 Bad Gateway`.
fn status_text(http: u16) -> String {
    let known = StatusCode::from_u16(http).ok().and_then(|status| status.canonical_reason());
    known.map_or_else(|| http.to_string(), |reason| format!("{http} {reason}"))
}

/// Source: yandex-cloud/go-sdk, `pkg/transport/middleware/requestid/interceptor.go`; the Terraform provider for
/// `x-server-request-id`.
fn with_server_ids(ids: RequestIds, headers: &HeaderMap, refusal: Option<&Status>) -> RequestIds {
    let header = |name| header_text(headers, name).map(str::to_owned);
    // A server that has no ID of its own sends ours back.
    let by_header = header("x-server-request-id")
        .or_else(|| header(REQUEST_ID).filter(|id| Some(id) != ids.client_request.as_ref()));
    let by_detail = || refusal?.detail("RequestInfo")?["requestId"].as_str().map(str::to_owned);
    RequestIds { server_request: by_header.or_else(by_detail), server_trace: header("x-server-trace-id"), ..ids }
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().filter(|text| !text.is_empty())
}

/// Why a body could not be read.
pub(super) enum BodyError {
    Connection(reqwest::Error),
    /// Nothing arrived for longer than the pause that is allowed.
    Timeout,
    TooLarge,
}

/// Reads a body of at most `limit` bytes that has no longer pause than this.
pub(super) async fn read_body(
    mut response: reqwest::Response,
    limit: usize,
    pause: Duration,
) -> Result<Vec<u8>, BodyError> {
    let announced = response.content_length().map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced > limit {
        return Err(BodyError::TooLarge);
    }
    let mut body = Vec::with_capacity(announced.min(1 << 20));
    loop {
        let chunk = timeout(pause, response.chunk()).await.map_err(|_| BodyError::Timeout)?;
        let Some(chunk) = chunk.map_err(BodyError::Connection)? else { return Ok(body) };
        if chunk.len() > limit - body.len() {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::Kind;

    fn response(status: u16, headers: &[(&'static str, &str)], body: &str, unrepeatable: bool) -> Response {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let ids = RequestIds {
            client_request: Some("ours".into()),
            client_trace: Some("trace".into()),
            ..RequestIds::default()
        };
        Response::new(status, headers, body.into(), ids, unrepeatable)
    }

    fn server_request(headers: &[(&'static str, &str)], body: &str) -> Option<String> {
        response(404, headers, body, false).ids.server_request
    }

    #[test]
    fn the_servers_request_id_is_found_in_three_places() {
        let info = json!({"code": 5, "details": [
            {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "in-detail"}
        ]})
        .to_string();
        let (named, plain, echoed) = (("x-server-request-id", "s"), ("x-request-id", "r"), ("x-request-id", "ours"));
        assert_eq!(server_request(&[named, plain], &info).as_deref(), Some("s"));
        assert_eq!(server_request(&[plain], &info).as_deref(), Some("r"));
        assert_eq!(server_request(&[echoed], &info).as_deref(), Some("in-detail"));
        assert_eq!(server_request(&[], &info).as_deref(), Some("in-detail"));
        assert_eq!(server_request(&[echoed], "{}"), None);

        let ids = response(200, &[("x-server-trace-id", "t")], "{}", false).ids;
        assert_eq!(ids.server_trace.as_deref(), Some("t"));
        assert_eq!(ids.client_request.as_deref(), Some("ours"));
        assert_eq!(ids.client_trace.as_deref(), Some("trace"));
    }

    #[test]
    fn a_refusal_is_the_servers_status_or_made_from_the_http_status() {
        let status = |http, body| response(http, &[], body, false).refusal.unwrap();
        let known = status(404, r#"{"code":5,"message":"no key"}"#);
        assert_eq!((known.code, known.message.as_str()), (Code::NotFound, "no key"));
        let page = status(502, "<html>");
        assert_eq!((page.code, page.message.as_str()), (Code::Unavailable, "the server returned 502 Bad Gateway"));
        let oauth = status(400, r#"{"error":"invalid_grant","error_description":"expired"}"#);
        assert_eq!(oauth.message, "the server returned 400 Bad Request: expired");
        assert_eq!(status(599, "").message, "the server returned 599");
    }

    #[test]
    fn json_comes_out_of_a_2xx_response_only() {
        assert_eq!(response(200, &[], r#"{"a":1}"#, true).into_json().unwrap(), json!({"a": 1}));
        let garbage = response(200, &[], "<html>", false).into_json().unwrap_err();
        assert_eq!(garbage.to_string(), "the server returned 200 OK with a body that is not JSON");
        assert_eq!(garbage.exit_code(), 1);
        let refused = response(503, &[], "", false).into_json().unwrap_err();
        assert!(matches!(refused.kind(), Kind::Refused { http: Some(503), .. }), "{refused:?}");
        assert!(refused.to_text().contains("client-request-id: ours\n"), "{refused:?}");
    }

    #[test]
    fn a_response_that_leaves_the_outcome_open_says_so_where_it_matters() {
        for (http, body, open) in [
            (200, "<html>", true),
            (200, "", true),
            (500, "", true),
            (502, "", true),
            (504, "", true),
            (503, "", false),
            (429, "", false),
            (403, "", false),
        ] {
            let error = |unrepeatable| response(http, &[], body, unrepeatable).into_json().unwrap_err();
            assert_eq!(error(true).is_outcome_unknown(), open, "{http}");
            assert!(!error(false).is_outcome_unknown(), "{http}");
        }
    }

    #[test]
    fn a_delay_that_is_too_long_is_shown() {
        let response = response(503, &[("retry-after", "300")], "", false);
        let delay = response.requested_delay();
        assert_eq!(delay, Some(Duration::from_secs(300)));
        let error = response.into_final(false, delay).into_json().unwrap_err();
        assert!(error.to_string().ends_with("(the server asks to wait 5m before the next attempt)"), "{error}");
    }
}
