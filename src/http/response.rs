//! What a server answered.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::{REQUEST_ID, retry};
use crate::error::{Error, RequestIds, Result};
use crate::status::{Code, Status};

/// The answer to a request, whatever its status.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The IDs of the attempt that was answered.
    pub ids: RequestIds,
    /// The server's clock, as far as it can be believed: `None` when certificates are not verified.
    pub date: Option<DateTime<Utc>>,
    /// Whether the server may have processed an earlier attempt of the same request.
    pub resent: bool,
    headers: HeaderMap,
    body: Vec<u8>,
    /// Why the server refused, when it did.
    refusal: Option<Status>,
    /// Whether the request must not be sent again without knowing what became of it.
    unrepeatable: bool,
}

impl Response {
    pub(super) fn new(status: u16, headers: HeaderMap, body: Vec<u8>, ids: RequestIds, unrepeatable: bool) -> Self {
        let refusal = (!(200..300).contains(&status)).then(|| refusal(status, &body));
        let ids = with_server_ids(ids, &headers, refusal.as_ref());
        let date = text(&headers, DATE.as_str()).and_then(retry::http_date);
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

    /// The server's time, when it refused with one of these statuses and our clock differs by an amount that explains
    /// it: less is right, and more is not to be trusted.
    pub fn corrected_time(&self, refusals: &[u16], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let theirs = self.date.filter(|_| refusals.contains(&self.status))?;
        let skew = (theirs - now).abs();
        (skew > TimeDelta::seconds(60) && skew < TimeDelta::hours(25)).then_some(theirs)
    }

    /// The body as JSON: an object, as every method of the cloud answers with.
    ///
    /// # Errors
    /// The server refused, or the body is something else; the error is marked
    /// [`outcome_unknown`](Error::outcome_unknown) when a request that must not be repeated may have been processed.
    pub fn into_json(self) -> Result<Value> {
        if let Some(status) = &self.refusal {
            return Err(self.error(status.clone()));
        }
        serde_json::from_slice(&self.body).ok().filter(Value::is_object).ok_or_else(|| {
            let message = format!("the server answered {} with something that is not JSON", reason(self.status));
            self.error(Status { code: Code::Unknown, message, details: vec![] })
        })
    }

    /// The error for a refusal, or for a body that is of no use, that the caller has read by itself.
    pub fn error(&self, status: Status) -> Error {
        let error = Error::refused(Some(self.status), status).ids(self.ids.clone());
        let processed = self.refusal.is_none() || retry::may_be_processed(self.status);
        if self.unrepeatable && processed { error.outcome_unknown() } else { error }
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub(super) fn asked_wait(&self) -> Option<Duration> {
        let now = self.date.unwrap_or_else(Utc::now);
        retry::asked_wait(text(&self.headers, RETRY_AFTER.as_str()), now, self.refusal.as_ref()?)
    }

    /// The answer as the last one, which says in the refusal when the server asks for too long a wait.
    pub(super) fn finished(mut self, resent: bool, asked_too_long: Option<Duration>) -> Self {
        self.resent = resent;
        if let (Some(asked), Some(status)) = (asked_too_long, &mut self.refusal) {
            let asked = humantime::format_duration(Duration::from_secs(asked.as_secs()));
            status.message = format!("{} (the server asks to wait {asked} before the next attempt)", status.message);
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
        let message = match words(body) {
            Some(words) => format!("the server answered {}: {words}", reason(http)),
            None => format!("the server answered {}", reason(http)),
        };
        Status { code: Code::from_http(http), message, details: vec![] }
    })
}

/// The words of an error that is JSON of another shape than `google.rpc.Status`.
///
/// Source: RFC 6749, section 5.2, for `error` and `error_description`.
fn words(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    ["error_description", "message", "error"].iter().find_map(|name| body[name].as_str().map(str::to_owned))
}

fn reason(http: u16) -> String {
    let known = StatusCode::from_u16(http).ok().and_then(|status| status.canonical_reason());
    known.map_or_else(|| http.to_string(), |reason| format!("{http} {reason}"))
}

/// Source: yandex-cloud/go-sdk, `pkg/transport/middleware/requestid/interceptor.go`; the Terraform provider for
/// `x-server-request-id`.
fn with_server_ids(ids: RequestIds, headers: &HeaderMap, refusal: Option<&Status>) -> RequestIds {
    let header = |name| text(headers, name).map(str::to_owned);
    // A server that has no ID of its own sends ours back.
    let by_header = header("x-server-request-id")
        .or_else(|| header(REQUEST_ID).filter(|id| Some(id) != ids.client_request.as_ref()));
    let by_detail = || refusal?.detail("RequestInfo")?["requestId"].as_str().map(str::to_owned);
    RequestIds { server_request: by_header.or_else(by_detail), server_trace: header("x-server-trace-id"), ..ids }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::Kind;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str, unrepeatable: bool) -> Response {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let ids = RequestIds {
            client_request: Some("ours".into()),
            client_trace: Some("trace".into()),
            ..RequestIds::default()
        };
        Response::new(status, headers, body.into(), ids, unrepeatable)
    }

    fn server_request(headers: &[(&'static str, &str)], body: &str) -> Option<String> {
        answer(404, headers, body, false).ids.server_request
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

        let ids = answer(200, &[("x-server-trace-id", "t")], "{}", false).ids;
        assert_eq!(ids.server_trace.as_deref(), Some("t"));
        assert_eq!(ids.client_request.as_deref(), Some("ours"));
        assert_eq!(ids.client_trace.as_deref(), Some("trace"));
    }

    #[test]
    fn a_refusal_is_the_servers_status_or_made_from_the_http_status() {
        let status = |http, body| answer(http, &[], body, false).refusal.unwrap();
        let known = status(404, r#"{"code":5,"message":"no key"}"#);
        assert_eq!((known.code, known.message.as_str()), (Code::NotFound, "no key"));
        let page = status(502, "<html>");
        assert_eq!((page.code, page.message.as_str()), (Code::Unavailable, "the server answered 502 Bad Gateway"));
        let oauth = status(400, r#"{"error":"invalid_grant","error_description":"expired"}"#);
        assert_eq!(oauth.message, "the server answered 400 Bad Request: expired");
        assert_eq!(status(599, "").message, "the server answered 599");
    }

    #[test]
    fn json_comes_out_of_a_2xx_answer_only() {
        assert_eq!(answer(200, &[], r#"{"a":1}"#, true).into_json().unwrap(), json!({"a": 1}));
        let garbage = answer(200, &[], "<html>", false).into_json().unwrap_err();
        assert_eq!(garbage.to_string(), "the server answered 200 OK with something that is not JSON");
        assert_eq!(garbage.exit_code(), 1);
        let refused = answer(503, &[], "", false).into_json().unwrap_err();
        assert!(matches!(refused.kind(), Kind::Refused { http: Some(503), .. }), "{refused:?}");
        assert!(refused.to_text().contains("client-request-id: ours\n"), "{refused:?}");
    }

    #[test]
    fn an_answer_that_leaves_the_outcome_open_says_so_where_it_matters() {
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
            let error = |unrepeatable| answer(http, &[], body, unrepeatable).into_json().unwrap_err();
            assert_eq!(error(true).is_outcome_unknown(), open, "{http}");
            assert!(!error(false).is_outcome_unknown(), "{http}");
        }
    }

    #[test]
    fn a_wait_that_is_too_long_is_told() {
        let answer = answer(503, &[("retry-after", "300")], "", false);
        let asked = answer.asked_wait();
        assert_eq!(asked, Some(Duration::from_secs(300)));
        let error = answer.finished(false, asked).into_json().unwrap_err();
        assert!(error.to_string().ends_with("(the server asks to wait 5m before the next attempt)"), "{error}");
    }
}
