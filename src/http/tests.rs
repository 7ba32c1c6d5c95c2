//! The client against small servers that misbehave as a test says.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use futures_util::future::poll_immediate;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use secrecy::SecretString;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::tls::tests::{root, write};
use super::*;
use crate::error::{Error, Kind};
use crate::secret::Masks;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"done\": 1}";
const BUSY: &str = "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n";

/// A server that gives each request the next of its replies; after the last one it closes the connection.
struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

/// What the server does with a request.
#[derive(Clone, Copy)]
enum Reply {
    /// Sends this and waits for the next request.
    Keep(&'static str),
    /// Sends this and closes the connection.
    Close(&'static str),
    /// Sends nothing and keeps the connection open.
    Silence,
}

impl Server {
    fn start(replies: &[Reply]) -> Self {
        Self::start_over(replies, Some)
    }

    /// `wrap` makes a stream of a connection, or nothing when that fails.
    fn start_over<S, W>(replies: &[Reply], wrap: W) -> Self
    where
        S: Read + Write,
        W: Fn(TcpStream) -> Option<S> + Clone + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let replies = Arc::new(Mutex::new(VecDeque::from(replies.to_vec())));
        let seen = requests.clone();
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (seen, replies, wrap) = (seen.clone(), replies.clone(), wrap.clone());
                thread::spawn(move || serve(wrap(connection.unwrap())?, &seen, &replies));
            }
        });
        Self { port, requests }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/path", self.port)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// `None` when the connection has ended.
fn serve(mut stream: impl Read + Write, seen: &Mutex<Vec<String>>, replies: &Mutex<VecDeque<Reply>>) -> Option<()> {
    loop {
        let request = read_request(&mut stream)?;
        seen.lock().unwrap().push(request);
        let reply = replies.lock().unwrap().pop_front()?;
        match reply {
            Reply::Keep(text) => stream.write_all(text.as_bytes()).ok()?,
            Reply::Close(text) => return stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).ok(),
            // Until the client closes the connection.
            Reply::Silence => _ = stream.read(&mut [0]),
        }
        stream.flush().ok()?;
    }
}

fn read_request(stream: &mut impl Read) -> Option<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        text.push(byte[0]);
    }
    let head = String::from_utf8(text).unwrap();
    let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(head + std::str::from_utf8(&body).unwrap())
}

/// A port on which nothing listens.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn options() -> Options {
    Options {
        attempts: Attempts::AtMost(3),
        connect_timeout: Duration::from_secs(10),
        read_timeout: Duration::from_secs(60),
        ca_bundle: None,
        verify: true,
    }
}

fn env(vars: &[(&str, &str)]) -> Env {
    Env { vars: vars.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(), ..Env::default() }
}

fn http(options: Options) -> Http {
    Http::new(options, &env(&[]), Log::default())
}

fn post(url: &str, repeat: Repeat) -> Request<'_> {
    Request { repeat, body: Body::Json(json!({"a": 1})), ..Request::new(Method::POST, url) }
}

async fn send(server: &Server, repeat: Repeat) -> Result<Response> {
    http(options()).send(post(&server.url(), repeat)).await
}

#[tokio::test]
async fn a_request_carries_the_usual_headers() {
    let server = Server::start(&[Reply::Keep(BUSY), Reply::Keep(OK)]);
    let token = SecretString::from("t1.secret");
    let headers = vec![("Metadata-Flavor", "Google".into()), ("Accept", "text/xml".into())];
    let url = server.url();
    let request = Request { bearer: Some(&token), headers, ..post(&url, Repeat::Unprocessed) };
    let response = http(options()).send(request).await.unwrap();
    assert_eq!((response.status, response.resent), (200, false));
    assert_eq!(response.body(), b"{\"done\": 1}");

    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        assert!(request.starts_with("POST /path HTTP/1.1\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\n{\"a\":1}"), "{request}");
        assert_eq!(header(request, "authorization"), Some("Bearer t1.secret"));
        assert_eq!(header(request, "user-agent"), Some(concat!("yc-rs/", env!("CARGO_PKG_VERSION"))));
        assert_eq!(header(request, "content-type"), Some("application/json"));
        assert_eq!(header(request, "metadata-flavor"), Some("Google"));
        assert_eq!(header(request, "accept"), Some("text/xml"));
    }
    let both = |name| [header(&requests[0], name).unwrap(), header(&requests[1], name).unwrap()];
    let [first, second] = both("x-request-id");
    assert_ne!(first, second);
    assert_eq!(response.ids.client_request.as_deref(), Some(second));
    for name in ["x-client-trace-id", "idempotency-key"] {
        let [first, second] = both(name);
        assert_eq!(first, second);
        assert_eq!(first.parse::<Uuid>().unwrap().get_version_num(), 4);
    }
}

#[tokio::test]
async fn a_read_has_no_idempotency_key_and_no_body() {
    let server = Server::start(&[Reply::Keep(OK)]);
    http(options()).send(Request::new(Method::GET, &server.url())).await.unwrap();
    let request = &server.requests()[0];
    assert_eq!((header(request, "idempotency-key"), header(request, "content-type")), (None, None));
    assert_eq!(header(request, "accept"), Some("application/json"));
}

#[tokio::test]
async fn a_form_is_encoded() {
    let server = Server::start(&[Reply::Keep(OK)]);
    let body = Body::Form(vec![("grant_type", "a:b c".into()), ("token", "x+/=&~".into())]);
    http(options()).send(Request { body, ..post(&server.url(), Repeat::Always) }).await.unwrap();
    let request = &server.requests()[0];
    assert_eq!(header(request, "content-type"), Some("application/x-www-form-urlencoded"));
    assert!(request.ends_with("\r\n\r\ngrant_type=a%3Ab%20c&token=x%2B%2F%3D%26~"), "{request}");
}

#[tokio::test]
async fn the_last_refusal_is_the_response() {
    let server = Server::start(&[Reply::Keep(BUSY); 5]);
    let response = send(&server, Repeat::Unprocessed).await.unwrap();
    assert_eq!((response.status, server.requests().len()), (503, 3));
    let error = response.into_json().unwrap_err();
    assert_eq!((error.exit_code(), error.is_outcome_unknown()), (5, false));
}

#[tokio::test]
async fn a_delay_that_is_too_long_ends_the_attempts() {
    let busy = Reply::Keep("HTTP/1.1 503 Busy\r\nRetry-After: 300\r\nContent-Length: 0\r\n\r\n");
    let server = Server::start(&[busy; 5]);
    let error = send(&server, Repeat::Always).await.unwrap().into_json().unwrap_err();
    assert_eq!(server.requests().len(), 1);
    let message = "the server returned 503 Service Unavailable (the server asks to wait 5m before the next attempt)";
    assert_eq!(error.to_string(), message);
}

#[tokio::test]
async fn what_may_have_been_processed_is_repeated_only_where_that_is_safe() {
    let faults = [
        ("no response", Reply::Close("")),
        ("garbage", Reply::Close("garbage\r\n\r\n")),
        ("a cut head", Reply::Close("HTTP/1.1 200 OK\r\nContent-")),
        ("a cut body", Reply::Close("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"secret\": ")),
        ("502", Reply::Keep("HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n")),
        ("504", Reply::Keep("HTTP/1.1 504 Late\r\nContent-Length: 0\r\n\r\n")),
    ];
    for (name, fault) in faults {
        let server = Server::start(&[fault, Reply::Keep(OK)]);
        let response = send(&server, Repeat::Always).await.unwrap();
        assert_eq!((response.status, response.resent, server.requests().len()), (200, true, 2), "{name}");

        let server = Server::start(&[fault, Reply::Keep(OK)]);
        let error = send(&server, Repeat::Unprocessed).await.and_then(Response::into_json).unwrap_err();
        assert_eq!(server.requests().len(), 1, "{name}");
        assert!(error.is_outcome_unknown(), "{name}: {error}");
        assert!(error.to_text().contains("client-request-id: "), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_connection_that_dies_between_requests_may_have_processed_the_request() {
    let server = Server::start(&[Reply::Keep(OK), Reply::Close(""), Reply::Keep(OK)]);
    let (http, url) = (http(options()), server.url());
    http.send(post(&url, Repeat::Unprocessed)).await.unwrap();
    let error = http.send(post(&url, Repeat::Unprocessed)).await.unwrap_err();
    assert!(error.is_outcome_unknown(), "{error}");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_500_is_never_repeated() {
    for (repeat, unknown) in [(Repeat::Always, false), (Repeat::Unprocessed, true)] {
        let server = Server::start(&[Reply::Keep("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), Reply::Keep(OK)]);
        let error = send(&server, repeat).await.unwrap().into_json().unwrap_err();
        assert_eq!((error.is_outcome_unknown(), server.requests().len()), (unknown, 1));
    }
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_whatever_the_request() {
    let port = closed_port();
    let error =
        http(options()).send(post(&format!("http://127.0.0.1:{port}/"), Repeat::Unprocessed)).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Network), "{error:?}");
    assert!(
        error.to_string().starts_with(&format!("cannot connect to 127.0.0.1:{port}: Connection refused")),
        "{error}"
    );
    assert!(!error.is_outcome_unknown());
}

#[tokio::test]
async fn a_response_that_takes_too_long_names_the_limit_and_its_flag() {
    let server = Server::start(&[Reply::Silence]);
    let options = Options { read_timeout: Duration::from_millis(30), ..options() };
    let error = http(options).send(post(&server.url(), Repeat::Unprocessed)).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Timeout), "{error:?}");
    assert_eq!(error.to_string(), format!("no response from 127.0.0.1:{} within 30ms", server.port));
    assert!(error.to_text().ends_with("\nhint: allow more time with --read-timeout\n"), "{error:?}");
    assert!(error.is_outcome_unknown());
}

/// A server that is connected to and never speaks TLS.
fn mute_server() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("https://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    (listener, url)
}

/// Sends `count` requests at the same time, none of which can be connected.
async fn send_in_vain(http: &Http, url: &str, count: usize) -> Vec<Error> {
    let sent = (0..count).map(|_| http.send(post(url, Repeat::Unprocessed)));
    futures_util::future::join_all(sent).await.into_iter().map(|outcome| outcome.unwrap_err()).collect()
}

#[tokio::test]
async fn a_request_without_a_connection_was_not_sent_whichever_limit_is_shorter() {
    const BOTH: &str = "--connect-timeout and --read-timeout, the shorter of which is the limit";
    for (connect, read, flags) in [(5000, 50, BOTH), (50, 50, BOTH), (50, 5000, "--connect-timeout")] {
        let (listener, url) = mute_server();
        let options = Options {
            connect_timeout: Duration::from_millis(connect),
            read_timeout: Duration::from_millis(read),
            verify: false,
            ..options()
        };
        // Many, since the order in which two limits of the same length are noticed could be chance.
        let errors = send_in_vain(&http(options), &url, 10).await;
        for error in errors {
            assert!(matches!(error.kind(), Kind::Timeout), "{error:?}");
            let message = format!("no connection to {} within 50ms", &url["https://".len()..url.len() - 1]);
            assert_eq!(error.to_string(), message);
            let hint = format!("hint: check the network and the proxy settings, or allow more time with {flags}\n");
            assert!(error.to_text().ends_with(&hint), "{error:?}");
            assert!(!error.is_outcome_unknown(), "connect {connect} ms, read {read} ms: {error}");
        }
        assert_eq!(std::iter::from_fn(|| listener.accept().ok()).count(), 30, "each one is tried three times");
    }
}

#[tokio::test]
async fn requests_go_on_together_after_the_first_one_to_an_origin_has_failed() {
    let (_listener, url) = mute_server();
    let limit = Duration::from_millis(300);
    let options = Options { attempts: Attempts::AtMost(1), connect_timeout: limit, verify: false, ..options() };
    let started = Instant::now();
    send_in_vain(&http(options), &url, 6).await;
    // The first one, and then the others.
    let elapsed = started.elapsed();
    assert!(elapsed >= 2 * limit && elapsed < 4 * limit, "{elapsed:?}");
}

#[tokio::test]
async fn no_request_waits_for_one_that_was_dropped() {
    let (_listener, url) = mute_server();
    let options = Options { attempts: Attempts::AtMost(1), verify: false, ..options() };
    let http = http(Options { connect_timeout: Duration::from_millis(300), ..options });
    let short = Duration::from_millis(30);
    let first = http.send(post(&url, Repeat::Always));
    let second = http.send(post(&url, Repeat::Always));
    let (first, second) = tokio::join!(timeout(short, first), timeout(100 * short, second));
    assert!(first.is_err());
    assert!(matches!(second.unwrap().unwrap_err().kind(), Kind::Timeout));
}

#[tokio::test]
async fn a_request_that_waits_for_the_first_one_is_not_in_flight() {
    let (_listener, url) = mute_server();
    let http = http(Options { verify: false, ..options() });
    let reads = http.send(post(&url, Repeat::Always));
    let creates = http.send(post(&url, Repeat::Unprocessed));
    let both = async { tokio::join!(reads, creates) };
    assert!(timeout(Duration::from_millis(30), both).await.is_err());
    assert!(!http.awaits_unrepeatable());
}

#[tokio::test]
async fn another_origin_does_not_wait() {
    let (_listener, mute) = mute_server();
    let (url, options, _) = http2_server(0).await;
    // The first failure is the end of the stuck one, so that it cannot finish later.
    let options = Options { attempts: Attempts::AtMost(1), ..options };
    let http = Http::new(options, &env(&[("SSL_CERT_FILE", "/dev/null")]), Log::default());
    let stuck = pin!(http.send(post(&mute, Repeat::Always)));
    let other = pin!(http.send(post(&url, Repeat::Always)));
    let Either::Right((response, _)) = select(stuck, other).await else { panic!("the mute server was first") };
    assert_eq!(response.unwrap().status, 200);
}

#[tokio::test]
async fn a_pause_within_the_body_counts_as_no_response() {
    let server = Server::start(&[Reply::Keep("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), Reply::Silence]);
    let options = Options { read_timeout: Duration::from_millis(30), attempts: Attempts::AtMost(1), ..options() };
    let error = http(options).send(post(&server.url(), Repeat::Always)).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Timeout), "{error:?}");
    assert!(!error.is_outcome_unknown());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let moved =
        "HTTP/1.1 302 Found\r\nLocation: https://user:word@other.test:8443/a?token=x\r\nContent-Length: 0\r\n\r\n";
    let server = Server::start(&[Reply::Keep(moved), Reply::Keep(OK)]);
    let error = send(&server, Repeat::Unprocessed).await.unwrap_err();
    let message =
        format!("127.0.0.1:{} returned 302, a redirect to other.test:8443, which is not followed", server.port);
    assert_eq!((error.to_string(), error.exit_code()), (message, 1));
    assert!(!error.is_outcome_unknown());
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn no_body_is_read_past_the_limit() {
    let announced = Reply::Keep("HTTP/1.1 200 OK\r\nContent-Length: 33554433\r\n\r\n");
    for (repeat, unknown) in [(Repeat::Always, false), (Repeat::Unprocessed, true)] {
        let server = Server::start(&[announced, Reply::Keep(OK)]);
        let error = send(&server, repeat).await.unwrap_err();
        let message = format!("the response of 127.0.0.1:{} is larger than the limit of 32 MiB", server.port);
        assert_eq!(error.to_string(), message);
        assert_eq!((error.exit_code(), error.is_outcome_unknown(), server.requests().len()), (1, unknown, 1));
    }

    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n4\r\nefgh\r\n0\r\n\r\n";
    let server = Server::start(&[Reply::Keep(chunked); 2]);
    let url = Url::parse(&server.url()).unwrap();
    let transport = Transport::new(&options(), None, &env(&[]), &Masks::default()).unwrap();
    let get = || transport.client.execute(reqwest::Request::new(Method::GET, url.clone()));
    let (hour, deadline) = (Duration::from_secs(3600), Instant::now() + Duration::from_secs(3600));
    assert_eq!(read_body(get().await.unwrap(), 8, hour, deadline).await.ok(), Some(b"abcdefgh".to_vec()));
    assert!(matches!(read_body(get().await.unwrap(), 7, hour, deadline).await, Err(BodyError::TooLarge)));
}

#[tokio::test]
async fn a_body_is_complete_at_its_deadline_whatever_the_pauses() {
    let server = Server::start(&[Reply::Keep("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), Reply::Silence]);
    let transport = Transport::new(&options(), None, &env(&[]), &Masks::default()).unwrap();
    let request = reqwest::Request::new(Method::GET, Url::parse(&server.url()).unwrap());
    let response = transport.client.execute(request).await.unwrap();
    let (hour, deadline) = (Duration::from_secs(3600), Instant::now() + Duration::from_millis(30));
    assert!(matches!(read_body(response, 9, hour, deadline).await, Err(BodyError::TooSlow)));
}

#[tokio::test]
async fn a_body_that_is_shorter_than_announced_leaves_the_outcome_open() {
    let short = Reply::Close("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"done\": 1}");
    let server = Server::start(&[short, Reply::Keep(OK)]);
    let error = send(&server, Repeat::Unprocessed).await.unwrap_err();
    assert!(error.is_outcome_unknown(), "{error:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_caller_that_stops_waiting_knows_whether_a_secret_may_have_been_made() {
    let server = Server::start(&[Reply::Keep(OK), Reply::Silence]);
    let (http, url) = (http(options()), server.url());
    http.send(post(&url, Repeat::Unprocessed)).await.unwrap();
    assert!(!http.awaits_unrepeatable());
    let waiting = http.send(post(&url, Repeat::Unprocessed));
    assert!(timeout(Duration::from_millis(30), waiting).await.is_err());
    assert!(http.awaits_unrepeatable());
}

#[tokio::test]
async fn a_malformed_url_is_refused_before_anything_is_sent() {
    for url in ["", "iam.test", "ftp://iam.test/", "file:///etc/passwd"] {
        let error = http(options()).send(Request::new(Method::GET, url)).await.unwrap_err();
        assert_eq!(error.exit_code(), 2, "{url}: {error}");
    }
}

#[tokio::test]
async fn a_token_that_no_header_can_carry_is_refused_and_not_shown() {
    let token = SecretString::from("t1.secret\nvalue");
    let request = Request { bearer: Some(&token), ..Request::new(Method::GET, "http://127.0.0.1:1/") };
    let error = http(options()).send(request).await.unwrap_err();
    assert_eq!(error.to_string(), "the value of the header 'authorization' has characters that cannot be sent");
}

#[tokio::test]
async fn a_direct_client_tries_once_and_stays_in_the_trace() {
    let server = Server::start(&[Reply::Keep(OK), Reply::Keep(BUSY), Reply::Keep(OK)]);
    let (patient, url) = (http(options()), server.url());
    let hasty = patient.direct(Attempts::AtMost(1), Duration::from_secs(1), Duration::from_secs(5));
    patient.send(Request::new(Method::GET, &url)).await.unwrap();
    assert_eq!(hasty.send(Request::new(Method::GET, &url)).await.unwrap().status, 503);
    let traces: Vec<_> =
        server.requests().iter().map(|request| header(request, "x-client-trace-id").unwrap().to_owned()).collect();
    assert_eq!(traces[0], traces[1]);
}

/// A request to a host behind the proxy at `proxy`.
async fn through(proxy: &str, url: &str, more: &[(&str, &str)]) -> Error {
    let env = env(&[&[("HTTPS_PROXY", proxy)], more].concat());
    let options = Options { attempts: Attempts::AtMost(1), ..options() };
    Http::new(options, &env, Log::default()).send(post(url, Repeat::Unprocessed)).await.unwrap_err()
}

#[tokio::test]
async fn a_proxy_gets_a_request_for_a_tunnel_with_its_password() {
    let refusals = [
        ("HTTP/1.1 407 Who\r\n\r\n", "the proxy requires a user name and a password"),
        ("HTTP/1.1 403 No\r\n\r\n", "the proxy refuses to connect to server.test"),
        ("", "unexpected end of file"),
    ];
    for (reply, reason) in refusals {
        let proxy = Server::start(&[Reply::Close(reply)]);
        let url = format!("http://user:pass%3Aword@127.0.0.1:{}", proxy.port);
        let error = through(&url, "https://server.test/path", &[]).await;
        let request = &proxy.requests()[0];
        assert!(request.starts_with("CONNECT server.test:443 HTTP/1.1\r\n"), "{request}");
        // "user:pass:word"
        assert!(request.contains("Basic dXNlcjpwYXNzOndvcmQ="), "{request}");
        let message = format!("cannot reach server.test through the proxy 127.0.0.1:{}: {reason}", proxy.port);
        assert_eq!(error.to_string(), message);
        let hint = "hint: the proxy comes from HTTPS_PROXY; NO_PROXY lists hosts to reach without it\n";
        assert!(error.to_text().ends_with(hint), "{error:?}");
        assert!(!error.is_outcome_unknown());
    }
}

#[tokio::test]
async fn a_proxy_that_cannot_be_reached_is_named() {
    let port = closed_port();
    let error = through(&format!("127.0.0.1:{port}"), "https://server.test/", &[]).await.to_string();
    let start = format!("cannot reach server.test through the proxy 127.0.0.1:{port}: Connection refused");
    assert!(error.starts_with(&start), "{error}");
}

#[tokio::test]
async fn a_proxy_is_passed_by_for_this_machine_and_for_listed_hosts() {
    let (proxy, port) = (Server::start(&[]), closed_port());
    let proxy_url = format!("http://127.0.0.1:{}", proxy.port);
    // The system takes 0.0.0.0 for this machine, the rules of proxies do not.
    for (host, list) in [("127.0.0.1", ""), ("0.0.0.0", "a.test, 0.0.0.0"), ("0.0.0.0", "*"), ("0.0.0.0", "0.0.0.0/8")]
    {
        let error = through(&proxy_url, &format!("https://{host}:{port}/"), &[("NO_PROXY", list)]).await;
        assert!(error.to_string().starts_with(&format!("cannot connect to {host}:{port}: ")), "{error}");
    }
    let plain = Server::start(&[Reply::Keep(OK)]);
    let env = env(&[("HTTP_PROXY", &proxy_url), ("HTTPS_PROXY", &proxy_url), ("ALL_PROXY", &proxy_url)]);
    Http::new(options(), &env, Log::default()).send(Request::new(Method::GET, &plain.url())).await.unwrap();
    assert_eq!(proxy.requests().len(), 0);
}

#[tokio::test]
async fn a_malformed_proxy_is_found_before_anything_is_sent() {
    let error = through("http://user:hunter2@host:port", "https://server.test/", &[]).await;
    assert_eq!(error.exit_code(), 2);
    let message = "the environment variable HTTPS_PROXY is not the URL of a proxy: invalid port number";
    assert_eq!(error.to_string(), message);
}

/// The settings of a server with a certificate for `name`, and the PEM of the authority behind it.
fn tls_config(name: &str, change: impl Fn(&mut CertificateParams)) -> (ServerConfig, String) {
    let authority = root("an authority");
    let mut params = CertificateParams::new(vec![name.into()]).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let chain: Vec<CertificateDer<'static>> = vec![params.signed_by(&key, &authority).unwrap().der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    (config, authority.pem())
}

fn tls_server(name: &str, change: impl Fn(&mut CertificateParams)) -> (Server, String) {
    let (config, authority) = tls_config(name, change);
    let config = Arc::new(config);
    let server = Server::start_over(&[Reply::Keep(OK); 9], move |stream| {
        Some(StreamOwned::new(ServerConnection::new(config.clone()).ok()?, stream))
    });
    (server, authority)
}

/// A request to the server, with these roots in the system.
async fn send_trusting(server: &Server, directory: &Path, system: &str, options: Options) -> Result<Response> {
    let bundle = directory.join("system.pem");
    write(&bundle, system);
    let env = env(&[("SSL_CERT_FILE", bundle.to_str().unwrap())]);
    let url = format!("https://127.0.0.1:{}/", server.port);
    Http::new(options, &env, Log::default()).send(post(&url, Repeat::Unprocessed)).await
}

#[tokio::test]
async fn a_server_is_trusted_by_system_roots_by_added_roots_or_without_verification() {
    let (server, authority) = tls_server("127.0.0.1", |_| {});
    let directory = TempDir::new().unwrap();
    let ca_bundle = Some(directory.path().join("added.pem"));
    write(ca_bundle.as_deref().unwrap(), &authority);
    assert_eq!(send_trusting(&server, directory.path(), &authority, options()).await.unwrap().status, 200);
    assert_eq!(
        send_trusting(&server, directory.path(), "", Options { ca_bundle, ..options() }).await.unwrap().status,
        200
    );
    assert_eq!(
        send_trusting(&server, directory.path(), "", Options { verify: false, ..options() }).await.unwrap().status,
        200
    );
}

#[tokio::test]
async fn a_certificate_that_is_not_accepted_is_explained_at_once() {
    let unchanged = |_: &mut CertificateParams| {};
    let expired = |params: &mut CertificateParams| params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let early = |params: &mut CertificateParams| params.not_before = rcgen::date_time_ymd(2999, 1, 1);
    let explained = async |(server, authority): (Server, String), reason, hint| {
        let directory = TempDir::new().unwrap();
        let error = send_trusting(&server, directory.path(), &authority, options()).await.unwrap_err();
        let start = format!("cannot trust 127.0.0.1:{}: its certificate {reason}", server.port);
        assert!(error.to_string().starts_with(&start), "{error}");
        assert!(error.to_text().contains(hint), "{}", error.to_text());
        assert!(!error.is_outcome_unknown());
        assert_eq!(server.requests().len(), 0);
    };
    let (server, _) = tls_server("127.0.0.1", unchanged);
    explained(
        (server, root("another").pem()),
        "comes from the authority 'an authority', which is not trusted",
        "--ca-bundle",
    )
    .await;
    explained(tls_server("other.test", unchanged), "is for another host: other.test", "check the endpoint").await;
    explained(
        tls_server("127.0.0.1", expired),
        "has expired: it was valid until 2001-01-01 00:00:00 UTC",
        "the clock of this machine says",
    )
    .await;
    explained(
        tls_server("127.0.0.1", early),
        "is not valid yet: it will be from 2999-01-01 00:00:00 UTC",
        "the clock of this machine says",
    )
    .await;
}

#[tokio::test]
async fn roots_that_cannot_be_read_are_an_error_of_the_configuration() {
    let (server, authority) = tls_server("127.0.0.1", |_| {});
    let directory = TempDir::new().unwrap();
    let ca_bundle = Some(directory.path().join("missing.pem"));
    let error =
        send_trusting(&server, directory.path(), &authority, Options { ca_bundle, ..options() }).await.unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let message = format!(
        "cannot read the CA bundle {}: No such file or directory (os error 2)",
        directory.path().join("missing.pem").display()
    );
    assert_eq!(error.to_string(), message);

    let env = env(&[("SSL_CERT_FILE", "/no/such/file")]);
    let url = format!("https://127.0.0.1:{}/", server.port);
    let error = Http::new(options(), &env, Log::default()).send(post(&url, Repeat::Always)).await.unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let message = "cannot read the system's root certificates in /no/such/file: No such file or directory (os error 2)";
    assert_eq!(error.to_string(), message);
}

/// An HTTP/2 server that refuses the first `refused` requests without touching them; how many connections it has had.
async fn http2_server(refused: usize) -> (String, Options, Arc<AtomicUsize>) {
    http2_server_that_ends(refused, None).await
}

/// The same, whose streams are reset for this reason in the place of their end.
async fn http2_server_that_ends(refused: usize, reset: Option<h2::Reason>) -> (String, Options, Arc<AtomicUsize>) {
    let (mut config, authority) = tls_config("127.0.0.1", |_| {});
    config.alpn_protocols = vec![b"h2".to_vec()];
    let directory = TempDir::new().unwrap();
    let bundle = directory.path().join("ca.pem");
    write(&bundle, &authority);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    tokio::spawn(async move {
        // Kept until the client has read the authority's certificate.
        let _directory = directory;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let requests = Arc::new(AtomicUsize::new(0));
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            let (acceptor, requests) = (acceptor.clone(), requests.clone());
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(acceptor.accept(stream).await.unwrap()).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    if requests.fetch_add(1, Ordering::Relaxed) < refused {
                        respond.send_reset(h2::Reason::REFUSED_STREAM);
                    } else {
                        #[expect(clippy::default_trait_access, reason = "the type is that of another crate")]
                        let mut body = respond.send_response(Default::default(), false).unwrap();
                        body.send_data("{}".into(), reset.is_none()).unwrap();
                        if let Some(reason) = reset {
                            // This writes what was sent, which a reset would drop.
                            assert!(poll_immediate(connection.accept()).await.is_none());
                            body.send_reset(reason);
                        }
                    }
                }
            });
        }
    });
    (url, Options { ca_bundle: Some(bundle), ..options() }, connections)
}

#[tokio::test]
async fn requests_made_at_the_same_time_share_one_connection() {
    let (url, options, connections) = http2_server(0).await;
    let http = Http::new(options, &env(&[("SSL_CERT_FILE", "/dev/null")]), Log::default());
    let send = || http.send(post(&url, Repeat::Always));
    let (a, b, c, d) = tokio::join!(send(), send(), send(), send());
    for response in [a, b, c, d] {
        assert_eq!(response.unwrap().into_json().unwrap(), json!({}));
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_refused_stream_counts_as_not_processed() {
    let (url, options, connections) = http2_server(2).await;
    let http = Http::new(options, &env(&[("SSL_CERT_FILE", "/dev/null")]), Log::default());
    let response = http.send(post(&url, Repeat::Unprocessed)).await.unwrap();
    assert_eq!((response.status, response.resent), (200, false));
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_stream_that_is_reset_in_the_place_of_its_end_leaves_the_outcome_open() {
    for reason in [h2::Reason::NO_ERROR, h2::Reason::CANCEL, h2::Reason::INTERNAL_ERROR] {
        let (url, options, _) = http2_server_that_ends(0, Some(reason)).await;
        let http = Http::new(options, &env(&[("SSL_CERT_FILE", "/dev/null")]), Log::default());
        let error = http.send(post(&url, Repeat::Unprocessed)).await.unwrap_err();
        assert!(error.is_outcome_unknown(), "{reason:?}: {error:?}");
    }
}
