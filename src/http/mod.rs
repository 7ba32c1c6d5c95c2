//! The only user of the network: one request with its time-outs, retries, request IDs and debug log.
//!
//! What is asked and what the answer means is for the callers; so are the access token and the addresses.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
pub use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use self::client::Client;
use self::failure::Failure;
pub use self::response::Response;
use self::retry::Next;
use crate::env::Env;
use crate::error::{Error, RequestIds, Result};
use crate::log::Log;
use crate::text::percent;

mod client;
mod debug;
mod failure;
mod proxy;
mod response;
mod retry;
#[cfg(test)]
mod tests;
mod tls;

/// No answer is read past this many bytes.
const LARGEST_BODY: usize = 64 << 20;

const REQUEST_ID: &str = "x-request-id";
const TRACE_ID: &str = "x-client-trace-id";
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// How connections are made and how patient the program is.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many times a request is sent at most.
    pub attempts: Attempts,
    /// The limit for name resolution, connection, proxy and TLS together; a shorter read time-out limits them too.
    pub connect_timeout: Duration,
    /// The limit for the first byte of an answer, counted from the start of the attempt, and for each pause within it.
    pub read_timeout: Duration,
    /// PEM roots that are trusted in addition to the system's.
    pub ca_bundle: Option<PathBuf>,
    /// Whether the server's certificate is checked.
    pub verify: bool,
}

impl Options {
    /// The limit that a connection really has.
    ///
    /// `reqwest` does not tell when the connection is there, so the read time-out counts from the start of the
    /// attempt. Connecting has to end no later: whatever exceeds the read time-out was then connected, and a request
    /// that was never sent does not pass for one that may have been processed. Where connecting starts late, because
    /// a kept connection turned out to be dead, the mistake is on the safe side.
    fn connect_limit(&self) -> Duration {
        self.connect_timeout.min(self.read_timeout)
    }
}

/// How many times a request is sent at most; a retry never starts later than two minutes after the first attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempts {
    /// So many times in all; 0 counts as 1.
    AtMost(u32),
    /// As often as fits into the two minutes.
    Unlimited,
}

/// The client of all calls of one run.
///
/// Nothing is read, parsed or connected before the first request is sent.
pub struct Http {
    options: Options,
    env: Env,
    log: Log,
    trace_id: String,
    client: OnceCell<Client>,
    /// The origins that a request over TLS has gone to, each with a channel that closes when the first one has been
    /// answered or has failed.
    origins: RefCell<BTreeMap<String, watch::Receiver<()>>>,
    /// How many requests are under way that must not be sent again.
    unrepeatable: Cell<u32>,
}

/// A request.
#[derive(Clone)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The full address, with the query.
    pub url: &'a str,
    /// The token of the `Authorization` header.
    pub bearer: Option<&'a SecretString>,
    /// Further headers; they replace the usual ones of the same name.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
    /// Whether the request may be sent again.
    pub repeat: Repeat,
}

/// The body of a request.
#[derive(Clone)]
pub enum Body {
    /// None.
    Empty,
    /// JSON.
    Json(Value),
    /// `application/x-www-form-urlencoded`: names and values, not yet encoded.
    Form(Vec<(&'static str, String)>),
    /// Anything, sent as it is.
    Bytes {
        /// The `Content-Type`.
        content_type: &'static str,
        /// The content.
        content: Vec<u8>,
    },
}

/// Whether a request may be sent again after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Always: it reads, or doing it twice is the same as doing it once.
    Always,
    /// Only when the server has certainly not processed it: doing it twice would make a second secret.
    Unprocessed,
}

impl<'a> Request<'a> {
    /// A request that has no body and may be repeated.
    pub fn new(method: Method, url: &'a str) -> Self {
        Self { method, url, bearer: None, headers: vec![], body: Body::Empty, repeat: Repeat::Always }
    }
}

impl Http {
    /// A client that makes its connections as `options` and the variables of `env` say.
    pub fn new(options: Options, env: &Env, log: Log) -> Self {
        Self {
            options,
            env: env.clone(),
            log,
            trace_id: Uuid::new_v4().to_string(),
            client: OnceCell::new(),
            origins: RefCell::default(),
            unrepeatable: Cell::new(0),
        }
    }

    /// A client in the same trace for a service of this very machine: one attempt, time-outs of its own, no proxy.
    #[must_use]
    pub fn direct(&self, connect_timeout: Duration, read_timeout: Duration) -> Self {
        let options = Options { attempts: Attempts::AtMost(1), connect_timeout, read_timeout, ..self.options.clone() };
        Self { trace_id: self.trace_id.clone(), ..Self::new(options, &Env::default(), self.log.clone()) }
    }

    /// Whether a request is under way that must not be sent again: whoever stops waiting now does not know
    /// whether it has taken effect.
    pub fn awaits_unrepeatable(&self) -> bool {
        self.unrepeatable.get() > 0
    }

    /// Sends a request, again where that is safe and may help, and returns the last answer, whatever its status.
    ///
    /// A redirect is not followed. Source of the headers: yandex-cloud/go-sdk, `pkg/transport/middleware`.
    ///
    /// # Errors
    /// No answer arrived, or it is a redirect or of more than 64 MiB; the settings do not allow to connect at all.
    /// The error is marked [`outcome_unknown`](Error::outcome_unknown) when a request that must not be repeated may
    /// have been processed.
    pub async fn send(&self, request: Request<'_>) -> Result<Response> {
        let client = self.client()?;
        let call = Call::new(request, &self.trace_id, &self.log)?;
        self.send_repeatedly(client, &call).await
    }

    fn client(&self) -> Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::new(&self.options, &self.env, &self.log.masks)?;
        Ok(self.client.get_or_init(|| client))
    }

    async fn send_repeatedly(&self, client: &Client, call: &Call) -> Result<Response> {
        let started = Instant::now();
        let mut attempt = 0;
        let mut resent = false;
        loop {
            attempt += 1;
            let outcome = self.attempt(client, call, attempt).await;
            let report = Report::of(&outcome);
            let next = if report.may_help && (call.repeat == Repeat::Always || !report.processed) {
                retry::next(self.options.attempts, attempt, started.elapsed(), report.asked, random())
            } else {
                Next::Stop
            };
            match next {
                Next::After(pause) => {
                    self.log.request(|| format!("#{attempt} trying again in {} ms", pause.as_millis()));
                    resent |= report.processed;
                    sleep(pause).await;
                }
                Next::Stop => return call.finish(outcome, resent, None),
                Next::TooLong(asked) => return call.finish(outcome, resent, Some(asked)),
            }
        }
    }

    async fn attempt(&self, client: &Client, call: &Call, attempt: u32) -> Result<Response, Failure> {
        let first = self.wait_for_first(&call.url).await;
        let request_id = Uuid::new_v4().to_string();
        let request = call.to_reqwest(&request_id).map_err(Failure::hopeless)?;
        debug::sent(&self.log, attempt, &request, call.body.as_deref());
        let ids = RequestIds {
            client_request: Some(request_id),
            client_trace: Some(self.trace_id.clone()),
            ..RequestIds::default()
        };
        let started = Instant::now();
        let unrepeatable = u32::from(call.repeat == Repeat::Unprocessed);
        // Nothing counts down when the future is dropped: then the request stays under way.
        self.unrepeatable.update(|count| count + unrepeatable);
        let outcome = self.exchange(client, call, request, ids.clone(), first).await;
        self.unrepeatable.update(|count| count - unrepeatable);
        debug::received(&self.log, attempt, outcome.as_ref(), started.elapsed());
        outcome.map_err(|failure| failure.with_ids(ids))
    }

    async fn exchange(
        &self,
        client: &Client,
        call: &Call,
        request: reqwest::Request,
        ids: RequestIds,
        first: Option<watch::Sender<()>>,
    ) -> Result<Response, Failure> {
        let explain = |error| Failure::new(error, &call.host, &self.options, client.proxy.as_ref());
        let silence = || Failure::silence(&call.host, &self.options);
        let response = self.execute(client, request).await.ok_or_else(silence)?.map_err(explain)?;
        // The connection is there to be shared; the body may take long.
        drop(first);
        if response.status().is_redirection() {
            return Err(redirect(&response, &call.host));
        }
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = read_body(response, LARGEST_BODY, self.options.read_timeout).await.map_err(|cut| match cut {
            Cut::Broken(error) => explain(error),
            Cut::Silence => silence(),
            Cut::TooLarge => Failure::too_large(status, &call.host, LARGEST_BODY),
        })?;
        let mut answer = Response::new(status, headers, body, ids, call.repeat == Repeat::Unprocessed);
        // A clock that nobody vouches for must not set ours.
        answer.date = answer.date.filter(|_| self.options.verify && call.url.scheme() == "https");
        Ok(answer)
    }

    /// The first request to an origin goes alone, so that those made at the same time share its connection:
    /// a TLS handshake costs more than waiting for one answer. The first one gets what the others wait for to be
    /// dropped, be it after an answer, after a failure or because nobody wants the answer any more; from then on
    /// none waits, since what comes after a failure gains nothing from going one by one.
    async fn wait_for_first(&self, url: &Url) -> Option<watch::Sender<()>> {
        if url.scheme() != "https" {
            return None;
        }
        let origin = url.origin().ascii_serialization();
        let known = self.origins.borrow().get(&origin).cloned();
        let Some(mut under_way) = known else {
            let (first, under_way) = watch::channel(());
            self.origins.borrow_mut().insert(origin, under_way);
            return Some(first);
        };
        // Nothing is ever sent: this is an error, as soon as the sender is gone.
        _ = under_way.changed().await;
        None
    }

    /// `None` when no answer has begun within the read time-out.
    async fn execute(&self, client: &Client, request: reqwest::Request) -> Option<reqwest::Result<reqwest::Response>> {
        // Where both limits are the same, connecting must be the one that fails. So the timer is made after that for
        // connecting, when the request has been polled once, and is looked at only after the request, every time.
        let late = pin!(async { sleep(self.options.read_timeout).await });
        match select(pin!(client.http.execute(request)), late).await {
            Either::Left((outcome, _)) => Some(outcome),
            Either::Right(_) => None,
        }
    }
}

/// A request made ready: what all its attempts have in common.
struct Call {
    method: Method,
    url: Url,
    /// Host and port, for messages.
    host: String,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
    repeat: Repeat,
}

impl Call {
    fn new(request: Request<'_>, trace_id: &str, log: &Log) -> Result<Self> {
        let url = Url::parse(request.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| Error::config(format!("`{}` is not an http or https address", request.url)))?;
        let host = host_of(&url);

        let mut headers = HeaderMap::new();
        set(&mut headers, "accept", "application/json")?;
        set(&mut headers, TRACE_ID, trace_id)?;
        if matches!(request.method, Method::POST | Method::PATCH | Method::DELETE) {
            set(&mut headers, IDEMPOTENCY_KEY, &Uuid::new_v4().to_string())?;
        }
        if let Some(token) = request.bearer {
            log.masks.add(token);
            let value = SecretString::from(format!("Bearer {}", token.expose_secret()));
            set(&mut headers, "authorization", value.expose_secret())?;
        }
        let (content_type, body) = request.body.encode();
        if let Some(content_type) = content_type {
            set(&mut headers, "content-type", content_type)?;
        }
        for (name, value) in request.headers {
            set(&mut headers, name, &value)?;
        }
        Ok(Self { method: request.method, url, host, headers, body, repeat: request.repeat })
    }

    fn to_reqwest(&self, request_id: &str) -> Result<reqwest::Request> {
        let mut request = reqwest::Request::new(self.method.clone(), self.url.clone());
        *request.headers_mut() = self.headers.clone();
        set(request.headers_mut(), REQUEST_ID, request_id)?;
        *request.body_mut() = self.body.clone().map(Into::into);
        Ok(request)
    }

    fn finish(
        &self,
        outcome: Result<Response, Failure>,
        resent: bool,
        asked_too_long: Option<Duration>,
    ) -> Result<Response> {
        match outcome {
            Ok(answer) => Ok(answer.finished(resent, asked_too_long)),
            Err(failure) if failure.processed && self.repeat == Repeat::Unprocessed => {
                Err(failure.error.outcome_unknown())
            }
            Err(failure) => Err(failure.error),
        }
    }
}

impl Body {
    fn encode(self) -> (Option<&'static str>, Option<Vec<u8>>) {
        match self {
            Self::Empty => (None, None),
            Self::Json(value) => (Some("application/json"), Some(value.to_string().into_bytes())),
            Self::Form(pairs) => (Some("application/x-www-form-urlencoded"), Some(form(&pairs).into_bytes())),
            Self::Bytes { content_type, content } => (Some(content_type), Some(content)),
        }
    }
}

fn form(pairs: &[(&str, String)]) -> String {
    let encode = |text| percent::encode(text).to_string();
    pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

fn set(headers: &mut HeaderMap, name: &str, value: &str) -> Result<()> {
    let header = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
    // The value is not shown, because it may be a secret.
    let (name, mut value) = header
        .ok_or_else(|| Error::usage(format!("the value for the header `{name}` has characters that cannot be sent")))?;
    value.set_sensitive(debug::is_secret_header(name.as_str()));
    headers.insert(name, value);
    Ok(())
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// What an attempt came to, as far as trying again is concerned.
struct Report {
    /// Whether another attempt may come to something else.
    may_help: bool,
    /// Whether the server may have processed the request.
    processed: bool,
    /// How long the server asks to wait.
    asked: Option<Duration>,
}

impl Report {
    fn of(outcome: &Result<Response, Failure>) -> Self {
        match outcome {
            Ok(answer) => Self {
                may_help: answer.refusal().is_some_and(|status| retry::may_help(answer.status, status)),
                processed: retry::may_be_processed(answer.status),
                asked: answer.asked_wait(),
            },
            Err(failure) => Self { may_help: failure.passing, processed: failure.processed, asked: None },
        }
    }
}

fn redirect(response: &reqwest::Response, host: &str) -> Failure {
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let target = location.and_then(|text| response.url().join(text).ok());
    Failure::redirect(response.status().as_u16(), host, target.as_ref().map(host_of).as_deref())
}

/// Why a body did not arrive.
enum Cut {
    Broken(reqwest::Error),
    Silence,
    TooLarge,
}

async fn read_body(mut response: reqwest::Response, limit: usize, pause: Duration) -> Result<Vec<u8>, Cut> {
    let announced = response.content_length().map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced > limit {
        return Err(Cut::TooLarge);
    }
    let mut body = Vec::with_capacity(announced.min(1 << 20));
    while let Some(chunk) = timeout(pause, response.chunk()).await.map_err(|_| Cut::Silence)?.map_err(Cut::Broken)? {
        if chunk.len() > limit - body.len() {
            return Err(Cut::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A number from 0 to 1.
fn random() -> f64 {
    f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}
