//! Sockets, TLS and connections; where faults are applied.

use std::convert::Infallible;
use std::future::pending;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use crate::call::{self, Arrival};
use crate::clock::{self, Clock};
use crate::fault::{Fault, Faults, Trouble};
use crate::record::{Log, Request};
use crate::reply::{Payload, Reply};
use crate::shape;
use crate::state::State;
use crate::status::{INVALID_ARGUMENT, Status};

/// The longest request body: the AWS CLI uploads what is larger in parts, which the storage does not know.
const LONGEST_BODY: usize = 9 * 1024 * 1024;

/// What the test's thread and the server's share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    state: Mutex<State>,
    faults: Mutex<Faults>,
    log: Mutex<Log>,
    connections: AtomicUsize,
    in_flight: InFlight,
}

/// How many requests are being responded to.
#[derive(Debug, Default)]
struct InFlight {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// A request that is being responded to.
struct Responding<'a>(&'a InFlight);

impl InFlight {
    fn enter(&self) -> Responding<'_> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        Responding(self)
    }
}

impl Drop for Responding<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    pub(crate) fn new(clock: Clock, state: State) -> Self {
        Self {
            clock,
            state: Mutex::new(state),
            faults: Mutex::default(),
            log: Mutex::default(),
            connections: AtomicUsize::new(0),
            in_flight: InFlight::default(),
        }
    }

    pub(crate) fn most_in_flight(&self) -> usize {
        self.in_flight.most.load(Ordering::SeqCst)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no handler has panicked")
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().expect("no handler has panicked")
    }

    /// Read while a test is panicking, too: so this one must not panic again.
    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn process(&self, head: &Parts, body: &Bytes, line: &Line, request_id: &str) -> Reply {
        let arrival = Arrival { head, body, now: self.clock.now(), tls: line.tls, address: &line.address };
        let response = call::respond(&mut self.state(), &arrival);
        response.unwrap_or_else(|status| self.refuse(head, status, request_id))
    }

    fn refuse(&self, head: &Parts, status: Status, request_id: &str) -> Reply {
        call::refuse(&self.state(), head, status, request_id)
    }

    /// Adds the headers that every response has. Those of the reply itself come later and win.
    fn complete(&self, mut reply: Reply, request_id: &str) -> Reply {
        let mut headers = vec![
            ("date".to_owned(), clock::http_date(self.clock.now())),
            ("x-request-id".to_owned(), request_id.to_owned()),
            ("x-server-trace-id".to_owned(), shape::trace_id()),
        ];
        headers.append(&mut reply.headers);
        reply.headers = headers;
        reply
    }
}

/// A TCP connection, as its requests see it.
#[derive(Debug)]
pub(crate) struct Line {
    tls: bool,
    /// The address of the listener, `host:port`.
    address: Arc<str>,
    number: OnceLock<usize>,
    cut: Notify,
}

impl Line {
    /// Closes the connection at once, whatever is under way on it.
    pub(crate) fn cut(&self) {
        self.cut.notify_one();
    }
}

/// Accepts connections for as long as the runtime exists.
pub(crate) async fn listen(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    listener.set_nonblocking(true).expect("a socket can be made non-blocking");
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listening socket");
    let address: Arc<str> = listener.local_addr().expect("a bound socket has an address").to_string().into();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        if shared.faults().refuses_connection() {
            continue;
        }
        // Small responses go out at once; a failure only costs time.
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        let (tls, address) = (tls.clone(), Arc::clone(&address));
        tokio::spawn(async move {
            let line = Arc::new(Line { tls: tls.is_some(), address, number: OnceLock::new(), cut: Notify::new() });
            match tls {
                None => serve(stream, line, shared).await,
                Some(acceptor) => {
                    // A failed handshake is the client's to report.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, line, shared).await;
                    }
                }
            }
        });
    }
}

async fn serve<S>(stream: S, line: Arc<Line>, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (line, shared) = (Arc::clone(&line), Arc::clone(&shared));
        async move { Ok::<_, Infallible>(respond(&shared, &line, request).await) }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        biased;
        // Dropping the connection closes its socket.
        () = line.cut.notified() => {}
        // An error of the connection is the client's to report.
        _ = connection => {}
    }
}

async fn respond(shared: &Shared, line: &Arc<Line>, request: hyper::Request<Incoming>) -> Response<Payload> {
    let (head, body) = request.into_parts();
    let _responding = shared.in_flight.enter();
    let latency = shared.state().settings.latency;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let connection = *line.number.get_or_init(|| shared.connections.fetch_add(1, Ordering::SeqCst) + 1);
    let refusal = call::admit(&mut shared.state(), &head).err();
    let trouble = match refusal {
        None => shared.faults().take(head.method.as_str(), head.uri.path()),
        Some(_) => None,
    };
    if let Some(Trouble::Fault(Fault::Close)) = trouble {
        shared.log().push(Request::new(&head, &[], connection, line.tls));
        return vanish(line).await;
    }
    let Ok(body) = Limited::new(body, LONGEST_BODY).collect().await else {
        return vanish(line).await;
    };
    let body = body.to_bytes();
    let number = shared.log().push(Request::new(&head, &body, connection, line.tls));

    let request_id = shape::uuid();
    let process = || shared.process(&head, &body, line, &request_id);
    let fault = match trouble {
        None => None,
        Some(Trouble::Fault(fault)) => Some(fault),
        Some(Trouble::Gate(gate)) => {
            gate.pass().await;
            None
        }
    };
    let finish = |reply: Reply| {
        shared.log().answered(number, reply.status.as_u16());
        shared.complete(reply, &request_id)
    };
    let reply = match fault {
        None => match refusal {
            Some(status) => shared.refuse(&head, status, &request_id),
            None => process(),
        },
        Some(Fault::Refuse(refusal)) => shared.refuse(&head, refusal.0, &request_id),
        Some(Fault::Close | Fault::LoseReply) => {
            process();
            return vanish(line).await;
        }
        Some(Fault::CutReply) => return finish(process()).into_cut_response(Arc::clone(line)),
        Some(Fault::Garbage) => {
            process();
            Reply::new(StatusCode::OK, "application/json", "<!doctype html><p>Welcome to the hotel network")
        }
        Some(Fault::BadGateway(status)) => {
            process();
            let status = StatusCode::from_u16(status).expect("a valid HTTP status");
            Reply::new(status, "text/html", format!("<html><h1>{status}</h1></html>"))
        }
        Some(Fault::Delay(time)) => {
            tokio::time::sleep(time).await;
            process()
        }
        Some(Fault::Redirect { status, location }) => {
            let status = StatusCode::from_u16(status).expect("a valid HTTP status");
            let mut reply = Reply::new(status, "text/html", "");
            reply.headers.push(("location".to_owned(), location));
            reply
        }
        Some(Fault::Oversized) => {
            return finish(Reply::new(StatusCode::OK, "application/json", "")).into_oversized_response();
        }
        Some(Fault::EchoSecrets) => shared.refuse(&head, echo(&head, &body), &request_id),
        Some(Fault::Answer { status, content_type, body }) => {
            let mut reply = Reply::new(StatusCode::from_u16(status).expect("a valid HTTP status"), "text/plain", body);
            reply.headers.push(("content-type".to_owned(), content_type));
            reply
        }
        Some(Fault::Headers(headers)) => {
            let mut reply = process();
            reply.headers.extend(headers);
            reply
        }
    };
    finish(reply).into_response()
}

/// Closes the connection without a response.
async fn vanish(line: &Line) -> Response<Payload> {
    line.cut();
    pending().await
}

/// A refusal that repeats what a careful service would never repeat.
fn echo(head: &Parts, body: &Bytes) -> Status {
    let authorization = head.headers.get("authorization").map(|value| String::from_utf8_lossy(value.as_bytes()));
    let message = format!(
        "Cannot handle the request with authorization {} and body {}",
        authorization.unwrap_or_default(),
        String::from_utf8_lossy(body)
    );
    Status::new(INVALID_ARGUMENT, message)
}
