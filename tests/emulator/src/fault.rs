//! Faults: what goes wrong with the next request that matches a route.

use std::fmt;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::route::{self, Route};
use crate::status::Status;

/// What goes wrong with one request. Queue it with [`Emulator::fault`](crate::Emulator::fault).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Fault {
    /// The request is refused with a `google.rpc.Status`, or in the form of a service that has its own (STS, OAuth,
    /// metadata); nothing is processed.
    Refuse(Refusal),
    /// The connection is closed as soon as the head of the request is read; nothing is processed.
    Close,
    /// The request is processed and the connection closed without a response.
    LoseReply,
    /// The request is processed and half of the response sent before the connection is closed.
    CutReply,
    /// The request is processed and the response has status 200 and text that is not JSON.
    Garbage,
    /// The request is processed and the response has this status and a page of HTML, as a gateway does.
    BadGateway(u16),
    /// The request is processed after this time.
    Delay(Duration),
    /// The response sends the client elsewhere; nothing is processed.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// The `Location` header.
        location: String,
    },
    /// The response has status 200 and a body of more than 32 MiB; nothing is processed.
    Oversized,
    /// The request is refused with a message that repeats its `Authorization` header and its body.
    EchoSecrets,
    /// The response is this one; nothing is processed.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The `Content-Type` header.
        content_type: String,
        /// The body.
        body: String,
    },
    /// The request is processed and the response has these headers; they replace others of the same name.
    Headers(Vec<(String, String)>),
}

impl Fault {
    /// A refusal with this gRPC code and the HTTP status that belongs to it.
    /// Source: API design guide, error handling.
    pub fn status(code: u32, message: &str) -> Refusal {
        Refusal(Status::new(code, message))
    }

    /// 503 UNAVAILABLE, the refusal that invites another attempt.
    pub fn unavailable() -> Self {
        Self::status(14, "The service is unavailable").into()
    }

    /// A redirect with status 302 or another of its kind.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::Redirect { status, location: location.to_owned() }
    }

    /// A response of the test's own.
    pub fn answer(status: u16, content_type: &str, body: &str) -> Self {
        Self::Answer { status, content_type: content_type.to_owned(), body: body.to_owned() }
    }

    /// Headers that the response carries in addition to, or in place of, its own.
    pub fn headers<const N: usize>(headers: [(&str, &str); N]) -> Self {
        Self::Headers(headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}

/// A refusal in the making: see [`Fault::status`].
#[derive(Debug, Clone)]
pub struct Refusal(pub(crate) Status);

impl Refusal {
    /// Sets another HTTP status than the one that belongs to the code.
    #[must_use]
    pub fn http(mut self, status: u16) -> Self {
        self.0.http = status;
        self
    }

    /// Sets the name of the error in the form of STS or OAuth, such as `Throttling` or `invalid_grant`.
    /// Without it the name is the one that comes nearest to the gRPC code.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.0 = self.0.named(name);
        self
    }

    /// Adds a header, such as `Retry-After`.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.0.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds an entry to `details`.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.0 = self.0.detail(detail);
        self
    }

    /// Adds a `google.rpc.RetryInfo`.
    #[must_use]
    pub fn retry_info(self, delay: Duration) -> Self {
        let fraction = match delay.subsec_millis() {
            0 => String::new(),
            millis => format!(".{millis:03}"),
        };
        self.detail(json!({
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{}{fraction}s", delay.as_secs()),
        }))
    }
}

/// A request that is held back: see [`Emulator::hold`](crate::Emulator::hold).
/// Dropping it lets the request go on, as [`Hold::release`] does.
#[derive(Debug)]
pub struct Hold {
    arrived: mpsc::Receiver<()>,
    release: Option<oneshot::Sender<()>>,
}

impl Hold {
    /// Waits until the request is there.
    ///
    /// # Panics
    /// When it has not come after 30 seconds.
    pub fn wait_until_arrived(&self) {
        let arrival = self.arrived.recv_timeout(Duration::from_secs(30));
        assert!(arrival.is_ok(), "the request that is to be held back has not come");
    }

    /// Lets the request go on.
    pub fn release(mut self) {
        if let Some(release) = self.release.take() {
            // An error means that the client has gone away; the test sees that on its own side.
            let _ = release.send(());
        }
    }
}

/// The server's side of a [`Hold`].
#[derive(Debug)]
pub(crate) struct Gate {
    arrived: mpsc::Sender<()>,
    released: oneshot::Receiver<()>,
}

impl Gate {
    pub(crate) async fn pass(self) {
        // In both cases an error means that the test has let go of its `Hold`.
        let _ = self.arrived.send(());
        let _ = self.released.await;
    }
}

pub(crate) fn gate() -> (Gate, Hold) {
    let (arrive, arrived) = mpsc::channel();
    let (release, released) = oneshot::channel();
    (Gate { arrived: arrive, released }, Hold { arrived, release: Some(release) })
}

#[derive(Debug)]
pub(crate) enum Trouble {
    Fault(Fault),
    Gate(Gate),
}

/// The queue of all routes.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    queue: Vec<(Pattern, Trouble)>,
    /// TCP connections to close as soon as they are accepted.
    pub(crate) refused_connections: usize,
}

impl Faults {
    pub(crate) fn push(&mut self, pattern: &str, trouble: Trouble) {
        self.queue.push((Pattern::parse(pattern), trouble));
    }

    pub(crate) fn take(&mut self, method: &str, path: &str) -> Option<Trouble> {
        let at = self.queue.iter().position(|(pattern, _)| pattern.matches(method, path))?;
        Some(self.queue.remove(at).1)
    }

    pub(crate) fn refuses_connection(&mut self) -> bool {
        let refuses = self.refused_connections > 0;
        self.refused_connections -= usize::from(refuses);
        refuses
    }

    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Describes what is left in the queue.
    pub(crate) fn unused(&self) -> Vec<String> {
        let mut unused: Vec<String> =
            self.queue.iter().map(|(pattern, trouble)| format!("{pattern}: {trouble:?}")).collect();
        if self.refused_connections > 0 {
            unused.push(format!("{} connections to refuse", self.refused_connections));
        }
        unused
    }
}

/// `VERB /path` with `{name}` for any one segment, or `*` for every request.
#[derive(Debug)]
struct Pattern {
    text: String,
}

impl Pattern {
    fn parse(text: &str) -> Self {
        // A misspelt pattern would never match and only be noticed as an unused fault.
        let known = text.split_once(' ').is_some_and(|(verb, path)| {
            let like = |route: &Route| route::same_path(route.path, path) || route::same_path(path, route.path);
            route::table().any(|route| !route.storage && route.verb == verb && like(route))
        });
        assert!(known || text == "*", "no route is like `{text}`");
        Self { text: text.to_owned() }
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        let Some((verb, template)) = self.text.split_once(' ') else {
            return self.text == "*";
        };
        verb == method && route::same_path(template, path)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
