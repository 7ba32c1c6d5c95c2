//! The only user of the network: sends a request with its timeouts, retries, request IDs and debug log.
//!
//! What a request asks for and what the response means is for the callers; so are the access token and the endpoints.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use chrono::Utc;
use futures_util::future::{Either, select};
use reqwest::header::{DATE, LOCATION};
pub use reqwest::{Method, Url};
use tokio::sync::{OnceCell, watch};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

pub use self::clock::ServerClock;
use self::failure::Failure;
use self::origin::{Origin, header_text};
pub use self::request::{Body, Repeat, Request};
use self::request::{PreparedRequest, host_and_port};
pub use self::response::Response;
use self::response::{BodyError, read_body};
use self::retry::NextStep;
use self::transport::Transport;
use crate::env::Env;
use crate::error::{RequestIds, Result};
use crate::log::Log;
use crate::text::form;

mod clock;
mod debug;
mod failure;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub mod loopback;
mod origin;
mod proxy;
mod request;
mod response;
mod retry;
#[cfg(test)]
mod tests;
mod tls;
mod transport;

/// The most bytes of a response body that are read.
const MAX_BODY: usize = 32 << 20;

/// How long a response may take from the start of the attempt to its last byte, if the read timeout is not longer.
const RESPONSE_LIMIT: Duration = Duration::from_secs(120);

/// A wait before another attempt that is this long is shown to a person.
const SHOWN_DELAY: Duration = Duration::from_millis(500);

const REQUEST_ID: &str = "x-request-id";
const TRACE_ID: &str = "x-client-trace-id";
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// How connections are made, and the limits of a request.
#[derive(Debug, Clone)]
pub struct Options {
    pub attempts: Attempts,
    /// The limit for name resolution, connection, proxy and TLS together; a shorter read timeout limits them too.
    pub connect_timeout: Duration,
    /// The limit for the first byte of a response, counted from the start of the attempt, and for each pause within it.
    pub read_timeout: Duration,
    /// A file of PEM certificates that are trusted in addition to the system's roots.
    pub ca_bundle: Option<PathBuf>,
    /// Whether the server's certificate is checked.
    pub verify: bool,
}

impl Options {
    /// The effective limit for connecting.
    ///
    /// `reqwest` does not tell when the connection is established, so the read timeout counts from the start of the
    /// attempt. Connecting must not take longer: an attempt that exceeds the read timeout was then connected, and a
    /// request that was never sent is not taken for one that may have been processed. Where connecting starts late,
    /// because a pooled connection was dead, the error is on the safe side.
    fn connect_limit(&self) -> Duration {
        self.connect_timeout.min(self.read_timeout)
    }
}

/// The maximum number of times that a request is sent; a retry never starts later than two minutes after the first attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempts {
    /// This many; 0 counts as 1.
    AtMost(u32),
    /// As often as fits into the two minutes.
    Unlimited,
}

/// The client of all requests of one run.
///
/// Nothing is read, parsed or connected before the first request is sent.
pub struct Http {
    options: Options,
    env: Env,
    log: Log,
    trace_id: String,
    transport: OnceCell<Transport>,
    /// The origins that a request over TLS was sent to, each with a channel that closes when the first one has got its
    /// response or has failed.
    origins: RefCell<BTreeMap<String, watch::Receiver<()>>>,
    /// How many requests are in flight that must not be sent again.
    unrepeatable: Cell<u32>,
}

impl Http {
    /// A client with these options; `env` has the proxy and the roots that the user trusts.
    pub fn new(options: Options, env: &Env, log: Log) -> Self {
        Self {
            options,
            env: env.clone(),
            log,
            trace_id: Uuid::new_v4().to_string(),
            transport: OnceCell::new(),
            origins: RefCell::default(),
            unrepeatable: Cell::new(0),
        }
    }

    /// Where notes and the debug log go.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The maximum number of times that a request is sent.
    pub fn attempts(&self) -> Attempts {
        self.options.attempts
    }

    /// A client in the same trace that sends a request once, with timeouts that are not longer than these.
    #[must_use]
    pub fn once(&self, connect_timeout: Duration, read_timeout: Duration) -> Self {
        let connect_timeout = connect_timeout.min(self.options.connect_timeout);
        let read_timeout = read_timeout.min(self.options.read_timeout);
        self.with(Attempts::AtMost(1), connect_timeout, read_timeout, &self.env)
    }

    /// A client in the same trace for a service of this machine: other timeouts, no proxy.
    #[must_use]
    pub fn direct(&self, attempts: Attempts, connect_timeout: Duration, read_timeout: Duration) -> Self {
        self.with(attempts, connect_timeout, read_timeout, &Env::default())
    }

    fn with(&self, attempts: Attempts, connect_timeout: Duration, read_timeout: Duration, env: &Env) -> Self {
        let options = Options { attempts, connect_timeout, read_timeout, ..self.options.clone() };
        Self { trace_id: self.trace_id.clone(), ..Self::new(options, env, self.log.clone()) }
    }

    /// Whether a request is in flight that must not be sent again: a caller that stops waiting now does not know whether
    /// it has taken effect.
    pub fn awaits_unrepeatable(&self) -> bool {
        self.unrepeatable.get() > 0
    }

    /// Sends a request, again where that is safe and may help, and returns the last response, whatever its status.
    ///
    /// A redirect is not followed. Source of the headers: yandex-cloud/go-sdk, `pkg/transport/middleware`.
    ///
    /// # Errors
    /// No response arrived, or it is a redirect or larger than 32 MiB; or the options or the request are malformed.
    /// The error is marked [`outcome_unknown`](crate::error::Error::outcome_unknown) when a request that must not be
    /// repeated may have been processed.
    pub async fn send(&self, request: Request<'_>) -> Result<Response> {
        let transport = self.transport().await?;
        let request = PreparedRequest::new(request, &self.trace_id, &self.log)?;
        self.send_with_retries(transport, &request).await
    }

    async fn transport(&self) -> Result<&Transport> {
        let make = async || {
            // It may be a pipe, which must not hold up signals.
            let ca_bundle = match &self.options.ca_bundle {
                Some(path) if self.options.verify => Some(tls::CaBundle::read(path).await?),
                _ => None,
            };
            Transport::new(&self.options, ca_bundle.as_ref(), &self.env, &self.log.masks)
        };
        self.transport.get_or_try_init(make).await
    }

    async fn send_with_retries(&self, transport: &Transport, request: &PreparedRequest) -> Result<Response> {
        let started = Instant::now();
        let mut attempt = 0;
        let mut resent = false;
        loop {
            attempt += 1;
            let result = self.attempt(transport, request, attempt).await;
            let outcome = AttemptOutcome::of(&result);
            let next = if outcome.retryable && (request.repeat == Repeat::Always || !outcome.may_be_processed) {
                let elapsed = started.elapsed();
                retry::next_step(self.options.attempts, attempt, elapsed, outcome.requested_delay, random_fraction())
            } else {
                NextStep::Stop
            };
            let excessive_delay = match next {
                NextStep::RetryAfter(delay) => {
                    self.log.request(|| format!("#{attempt} trying again in {} ms", delay.as_millis()));
                    resent |= outcome.may_be_processed;
                    let _waiting = (delay >= SHOWN_DELAY).then(|| self.log.waiting(&self.retry_text(delay, attempt)));
                    sleep(delay).await;
                    continue;
                }
                NextStep::Stop => None,
                NextStep::DelayTooLong(delay) => Some(delay),
            };
            return match result {
                Ok(response) => Ok(response.into_final(resent, excessive_delay)),
                Err(failure) if failure.may_be_processed && request.repeat == Repeat::Unprocessed => {
                    Err(failure.error.outcome_unknown())
                }
                Err(failure) => Err(failure.error),
            };
        }
    }

    fn retry_text(&self, delay: Duration, attempt: u32) -> String {
        let seconds = delay.as_secs_f64().round();
        match self.options.attempts {
            Attempts::AtMost(most) => format!("retrying in {seconds} s ({}/{most})", attempt + 1),
            Attempts::Unlimited => format!("retrying in {seconds} s (attempt {})", attempt + 1),
        }
    }

    async fn attempt(
        &self,
        transport: &Transport,
        request: &PreparedRequest,
        attempt: u32,
    ) -> Result<Response, Failure> {
        let first = self.wait_for_first(&request.url).await;
        let request_id = Uuid::new_v4().to_string();
        let to_send = request.to_reqwest(&request_id).map_err(Failure::permanent)?;
        debug::log_request(&self.log, attempt, &to_send, request.body.as_deref());
        let ids = RequestIds {
            client_request: Some(request_id),
            client_trace: Some(self.trace_id.clone()),
            ..RequestIds::default()
        };
        let started = Instant::now();
        let unrepeatable = u32::from(request.repeat == Repeat::Unprocessed);
        // Nothing counts down when the future is dropped: then the request stays in flight.
        self.unrepeatable.update(|count| count + unrepeatable);
        let result = self.exchange(transport, request, to_send, ids.clone(), first).await;
        self.unrepeatable.update(|count| count - unrepeatable);
        debug::log_response(&self.log, attempt, result.as_ref(), started.elapsed());
        result.map_err(|failure| failure.with_ids(ids))
    }

    async fn exchange(
        &self,
        transport: &Transport,
        request: &PreparedRequest,
        to_send: reqwest::Request,
        ids: RequestIds,
        first: Option<watch::Sender<()>>,
    ) -> Result<Response, Failure> {
        let host = &request.host;
        let limit = RESPONSE_LIMIT.max(self.options.read_timeout);
        let deadline = Instant::now() + limit;
        let failed = |error| {
            let proxy = transport.proxy.as_ref().filter(|proxy| proxy.is_used_for(&request.url));
            Failure::from_reqwest(error, host, &self.options, proxy)
        };
        let timed_out = || Failure::read_timeout(host, &self.options);
        let response = self.execute(transport, to_send).await.ok_or_else(timed_out)?.map_err(failed)?;
        // The connection can be shared from now on; the body may take long.
        drop(first);
        if response.status().is_redirection() {
            return Err(redirect(&response, request, transport));
        }
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let is_verified = self.options.verify && request.url.scheme() == "https";
        let date = header_text(&headers, DATE.as_str()).and_then(retry::parse_http_date);
        let clock = ServerClock::new(date, is_verified, Utc::now());
        let body = read_body(response, MAX_BODY, self.options.read_timeout, deadline).await;
        let body = body.map_err(|error| match error {
            BodyError::Connection(error) => failed(error),
            BodyError::Timeout => timed_out(),
            BodyError::TooSlow => Failure::too_slow(host, limit),
            BodyError::Incomplete => Failure::incomplete(host),
            BodyError::TooLarge => Failure::too_large(status, host, MAX_BODY),
            BodyError::TooDense => Failure::too_dense(status, host),
        })?;
        let origin = Origin::new(&request.url, transport.proxy.as_ref());
        let unrepeatable = request.repeat == Repeat::Unprocessed;
        Ok(Response::new(status, headers, body, ids, clock, origin, unrepeatable))
    }

    /// The first request to an origin is sent alone, so that those made at the same time share its connection: a TLS
    /// handshake costs more than waiting for one response. The first one gets a sender, and the others wait until it is
    /// dropped: after a response, after a failure, or with the request. From then on no request waits, since after a
    /// failure nothing is gained by sending them one by one.
    async fn wait_for_first(&self, url: &Url) -> Option<watch::Sender<()>> {
        if url.scheme() != "https" {
            return None;
        }
        let origin = url.origin().ascii_serialization();
        let known = self.origins.borrow().get(&origin).cloned();
        let Some(mut in_flight) = known else {
            let (first, in_flight) = watch::channel(());
            self.origins.borrow_mut().insert(origin, in_flight);
            return Some(first);
        };
        // Nothing is ever sent: this returns an error as soon as the sender is dropped.
        _ = in_flight.changed().await;
        None
    }

    /// `None` when no response has begun within the read timeout.
    async fn execute(
        &self,
        transport: &Transport,
        request: reqwest::Request,
    ) -> Option<reqwest::Result<reqwest::Response>> {
        // Where both limits are the same, connecting must be the one that fails. So this timer is made after the one for
        // connecting, when the request has been polled once, and is polled after the request every time.
        let timer = pin!(async { sleep(self.options.read_timeout).await });
        match select(pin!(transport.client.execute(request)), timer).await {
            Either::Left((result, _)) => Some(result),
            Either::Right(_) => None,
        }
    }
}

/// What decides whether an attempt is followed by another one.
struct AttemptOutcome {
    /// Whether another attempt may succeed.
    retryable: bool,
    /// Whether the server may have processed the request.
    may_be_processed: bool,
    /// How long the server asks to wait.
    requested_delay: Option<Duration>,
}

impl AttemptOutcome {
    fn of(result: &Result<Response, Failure>) -> Self {
        match result {
            Ok(response) => Self {
                retryable: response.refusal().is_some_and(|status| retry::is_retryable(response.status, status)),
                may_be_processed: retry::may_be_processed(response.status),
                requested_delay: response.requested_delay(),
            },
            Err(failure) => {
                Self { retryable: failure.retryable, may_be_processed: failure.may_be_processed, requested_delay: None }
            }
        }
    }
}

fn redirect(response: &reqwest::Response, request: &PreparedRequest, transport: &Transport) -> Failure {
    let origin = Origin::new(&request.url, transport.proxy.as_ref());
    let may_repeat = request.repeat == Repeat::Always;
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    // A host is shown in lower case, in which a secret could not be recognized any more.
    let host_of =
        |text: &str| text.split("//").nth(1).and_then(|rest| rest.split(['/', '?', '#']).next()).map(str::to_owned);
    let location = location.filter(|text| host_of(text).is_none_or(|host| form::secret_in(&host).is_none()));
    let target = location.and_then(|text| response.url().join(text).ok());
    let target = target.as_ref().map(host_and_port);
    Failure::redirect(response.status().as_u16(), &origin, target.as_deref(), may_repeat)
}

/// A value for [`Request::idempotency_key`].
pub fn new_idempotency_key() -> String {
    Uuid::new_v4().to_string()
}

/// A random number from 0 to 1.
fn random_fraction() -> f64 {
    f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}
