//! The response of a server.

use std::fmt;
use std::time::Duration;

use http_body::Body as _;
use reqwest::Version;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

use super::clock::ServerClock;
use super::origin::{Origin, header_text, is_html, status_text};
use super::{REQUEST_ID, retry};
use crate::error::{Error, RequestIds, Result};
use crate::status::{Code, Status};
use crate::text::quote;

/// The response to a request, whatever its status.
pub struct Response {
    pub status: u16,
    /// The IDs of the attempt that got this response.
    pub ids: RequestIds,
    /// The server's clock.
    pub clock: ServerClock,
    /// Whether the server may have processed an earlier attempt of the same request.
    pub resent: bool,
    headers: HeaderMap,
    body: Vec<u8>,
    refusal: Option<Status>,
    /// Whether it refuses in a form that no service of the API uses.
    foreign_refusal: bool,
    origin: Origin,
    /// Whether the request must not be sent again unless the server has certainly not processed it.
    unrepeatable: bool,
}

impl Response {
    pub(super) fn new(
        status: u16,
        headers: HeaderMap,
        body: Vec<u8>,
        ids: RequestIds,
        clock: ServerClock,
        origin: Origin,
        unrepeatable: bool,
    ) -> Self {
        let refused = !(200..300).contains(&status);
        let api_refusal = if refused { api_refusal(status, &headers, &body) } else { None };
        let foreign_refusal = refused && api_refusal.is_none();
        let refusal = api_refusal.or_else(|| {
            let message = origin.describe_foreign(status, &headers);
            foreign_refusal.then(|| Status { code: Code::from_http(status), message, details: vec![] })
        });
        let ids = with_server_ids(ids, &headers, refusal.as_ref());
        Self { status, ids, clock, resent: false, headers, body, refusal, foreign_refusal, origin, unrepeatable }
    }

    /// Host and port of the proxy that the request went through.
    pub fn proxy(&self) -> Option<&str> {
        self.origin.proxy.as_ref().map(|proxy| proxy.address.as_str())
    }

    /// The body as received.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Why the server refused; `None` when it did not.
    pub fn refusal(&self) -> Option<&Status> {
        self.refusal.as_ref()
    }

    /// Whether the API refused the token of the request.
    pub fn refuses_token(&self) -> bool {
        self.status == 401 && !self.foreign_refusal
    }

    /// The body as JSON: an object, as every method of the API returns.
    ///
    /// # Errors
    /// The server refused, or the body is something else; the error is marked
    /// [`outcome_unknown`](Error::outcome_unknown) when a request that must not be repeated may have been processed.
    pub fn into_json(self) -> Result<Value> {
        if let Some(error) = self.refusal_error() {
            return Err(error);
        }
        serde_json::from_slice(&self.body).ok().filter(Value::is_object).ok_or_else(|| self.foreign_error())
    }

    /// As [`into_json`](Self::into_json), for a service outside the API, which may refuse in plain text: such a refusal
    /// is read by its HTTP status.
    ///
    /// # Errors
    /// Those of `into_json`.
    pub fn into_json_of_another_service(self) -> Result<Value> {
        match &self.refusal {
            Some(_) if self.foreign_refusal && !is_html(&self.headers) => Err(self.error(status_alone(self.status))),
            _ => self.into_json(),
        }
    }

    /// The error for a refusal; `None` when the server did not refuse.
    pub fn refusal_error(&self) -> Option<Error> {
        let status = self.refusal.as_ref()?;
        Some(if self.foreign_refusal { self.foreign_error() } else { self.error(status.clone()) })
    }

    /// The error for a refusal that the caller has parsed itself.
    pub fn error(&self, status: Status) -> Error {
        self.about_this(Error::refused(Some(self.status), status))
    }

    /// The error for a response that is not one of the API: the page of a proxy, or of another server. Where the
    /// status alone invites another attempt, it is a refusal like that of the API.
    pub fn foreign_error(&self) -> Error {
        let error = match &self.refusal {
            Some(status) if matches!(self.status, 429 | 502..=504) => Error::refused(Some(self.status), status.clone()),
            Some(status) => self.origin.foreign_error(self.status, status.message.clone(), !self.unrepeatable),
            None => {
                let message = self.origin.describe_foreign(self.status, &self.headers);
                self.origin.foreign_error(self.status, message, !self.unrepeatable)
            }
        };
        self.about_this(error)
    }

    fn about_this(&self, error: Error) -> Error {
        let error = error.ids(self.ids.clone());
        let processed = self.refusal.is_none() || retry::may_be_processed(self.status);
        if self.unrepeatable && processed { error.outcome_unknown() } else { error }
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub(super) fn requested_delay(&self) -> Option<Duration> {
        retry::requested_delay(
            header_text(&self.headers, RETRY_AFTER.as_str()),
            self.clock.time(),
            self.refusal.as_ref()?,
        )
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

/// Why the API refused; `None` when the body has a form that no service of it uses.
fn api_refusal(http: u16, headers: &HeaderMap, body: &[u8]) -> Option<Status> {
    if let Some(status) = Status::from_json(body) {
        return Some(status);
    }
    let json = serde_json::from_slice(body).ok();
    let is_empty = body.trim_ascii().is_empty() && !is_html(headers);
    if json.is_none() && !is_empty {
        return None;
    }
    let status = status_alone(http);
    Some(match json.as_ref().and_then(error_text) {
        Some(text) => Status { message: format!("{}: {text}", status.message), ..status },
        None => status,
    })
}

/// What an HTTP status says without a body.
fn status_alone(http: u16) -> Status {
    let message = format!("the server returned {}", status_text(http));
    Status { code: Code::from_http(http), message, details: vec![] }
}

/// The message of an error that is JSON of another shape than `google.rpc.Status`.
///
/// Source: RFC 6749, section 5.2, for `error` and `error_description`.
fn error_text(body: &Value) -> Option<String> {
    ["error_description", "message", "error"].iter().find_map(|name| body[name].as_str().map(quote::bare))
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

/// Why a body could not be read.
pub(super) enum BodyError {
    Connection(reqwest::Error),
    /// Nothing arrived for longer than the pause that is allowed.
    Timeout,
    /// It was not complete at the deadline.
    TooSlow,
    /// It ended before its end.
    Incomplete,
    TooLarge,
    /// It would take much more memory than its size.
    TooDense,
}

/// Reads a body of at most `limit` bytes that has no longer pause than this and is complete at the deadline.
pub(super) async fn read_body(
    mut response: reqwest::Response,
    limit: usize,
    pause: Duration,
    deadline: Instant,
) -> Result<Vec<u8>, BodyError> {
    let announced = response.content_length().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced.is_some_and(|length| length > limit) {
        return Err(BodyError::TooLarge);
    }
    let mut body = Vec::with_capacity(announced.unwrap_or_default().min(1 << 20));
    loop {
        let chunk = timeout_at(deadline, timeout(pause, response.chunk())).await.map_err(|_| BodyError::TooSlow)?;
        let Some(chunk) = chunk.map_err(|_| BodyError::Timeout)?.map_err(BodyError::Connection)? else { break };
        if chunk.len() > limit - body.len() {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    // A stream of HTTP/2 can also be ended by a reset, which hyper takes for the end of the body when its reason is
    // NO_ERROR or CANCEL.
    let is_complete = match announced {
        Some(length) => body.len() == length,
        None => response.version() != Version::HTTP_2 || reqwest::Body::from(response).is_end_stream(),
    };
    if !is_complete {
        return Err(BodyError::Incomplete);
    }
    if is_dense(&body) { Err(BodyError::TooDense) } else { Ok(body) }
}

/// Whether a large body would take many times its size in memory once it is parsed: `[0],` takes ninety times its
/// length. A list of the API takes about three times its size, and a page of it is smaller than what is looked at here.
fn is_dense(body: &[u8]) -> bool {
    const LARGE: usize = 2 << 20;
    // About what a value, an array and an object take in memory, besides their text.
    let needed = |byte| match byte {
        b',' => 80,
        b'[' => 300,
        b'{' => 900,
        _ => 0,
    };
    body.len() > LARGE && body.iter().map(|byte| needed(*byte)).sum::<usize>() > 4 * body.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use reqwest::header::CONTENT_TYPE;

    use super::*;
    use crate::error::Kind;
    use crate::http::origin::OriginProxy;

    fn clock() -> ServerClock {
        ServerClock::new(None, true, chrono::DateTime::UNIX_EPOCH)
    }

    fn response(status: u16, headers: &[(&'static str, &str)], body: &str, unrepeatable: bool) -> Response {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let ids = RequestIds {
            client_request: Some("ours".into()),
            client_trace: Some("trace".into()),
            ..RequestIds::default()
        };
        let origin = Origin { host: "iam.example".into(), proxy: None };
        Response::new(status, headers, body.into(), ids, clock(), origin, unrepeatable)
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
        let empty = status(502, "");
        assert_eq!((empty.code, empty.message.as_str()), (Code::Unavailable, "the server returned 502 Bad Gateway"));
        let oauth = status(400, r#"{"error":"invalid_grant","error_description":"expired"}"#);
        assert_eq!(oauth.message, "the server returned 400 Bad Request: expired");
        assert_eq!(status(599, "").message, "the server returned 599");
    }

    #[test]
    fn json_comes_out_of_a_2xx_response_only() {
        assert_eq!(response(200, &[], r#"{"a":1}"#, true).into_json().unwrap(), json!({"a": 1}));
        for body in ["<html>", "", "[]", "1"] {
            let foreign = response(200, &[], body, false).into_json().unwrap_err();
            let message =
                "iam.example returned 200 OK with a body of no declared type, which is not a response of the API";
            assert_eq!((foreign.to_string().as_str(), foreign.exit_code()), (message, 1), "{body}");
        }
        let refused = response(503, &[], "", false).into_json().unwrap_err();
        assert!(matches!(refused.kind(), Kind::Refused { http: Some(503), .. }), "{refused:?}");
        assert!(refused.to_text().contains("client-request-id: ours\n"), "{refused:?}");
    }

    #[test]
    fn a_refusal_of_another_form_is_not_one_of_the_api() {
        let html = ("content-type", "text/html; charset=utf-8");
        for (http, headers, body, described) in [
            (403, &[html][..], "<html>", "403 Forbidden with a body of type text/html"),
            (401, &[html], "", "401 Unauthorized with a body of type text/html"),
            (404, &[("content-type", "Text/Plain")], "not found", "404 Not Found with a body of type text/plain"),
            (500, &[("content-type", "<script>")], "oops", "500 Internal Server Error with a body of no declared type"),
            (418, &[], "\u{1}", "418 I'm a teapot with a body of no declared type"),
        ] {
            let response = response(http, headers, body, false);
            assert!(!response.refuses_token());
            let error = response.into_json().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("iam.example returned {described}, which is not a response of the API")
            );
            assert!(matches!(error.kind(), Kind::ForeignResponse { http: status } if *status == http), "{error:?}");
        }
        assert!(response(401, &[], "", false).refuses_token());
    }

    #[test]
    fn a_status_that_invites_another_attempt_stays_retryable_whatever_the_body() {
        for (http, code) in [
            (429, Code::ResourceExhausted),
            (502, Code::Unavailable),
            (503, Code::Unavailable),
            (504, Code::DeadlineExceeded),
        ] {
            for body in ["<html>", "", "[]", r#"{"code":13,"message":"oops"}"#] {
                let error = response(http, &[], body, false).into_json().unwrap_err();
                assert_eq!(error.exit_code(), 5, "{http} {body}");
            }
            let error = response(http, &[], "<html>", false).into_json().unwrap_err();
            assert_eq!(error.code(), Some(code));
        }
    }

    #[test]
    fn the_proxy_in_use_is_named() {
        let proxy = OriginProxy { address: "proxy.example:3128".into(), variable: "https_proxy" };
        let origin = Origin { host: "iam.example".into(), proxy: Some(proxy) };
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, "text/html".parse().unwrap())]);
        let response = Response::new(200, headers, b"<html>".into(), RequestIds::default(), clock(), origin, false);
        assert_eq!(
            response.into_json().unwrap_err().to_text(),
            "ERROR: iam.example returned 200 OK through the proxy proxy.example:3128 with a body of type text/html, \
             which is not a response of the API\n\
             code: NETWORK\n\
             hint: the proxy, which comes from https_proxy, may have sent this response; NO_PROXY lists hosts to reach \
             without it; to see the response, add --debug-grpc\n"
        );
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
