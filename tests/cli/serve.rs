//! `iam access-key serve`: a key that is renewed, served to the programs of this machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdout};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use yc_emulator::Fault;

use crate::route::{EXCHANGE, ISSUE};
use crate::support::{Ran, User};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// How long something that is to happen soon is waited for, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A container credentials endpoint as a client sees it.
pub struct Endpoint {
    port: u16,
    token: String,
}

/// An endpoint that `serve` runs.
struct Served {
    child: Option<Child>,
    /// Held open, as by a shell that reads it.
    _out: BufReader<ChildStdout>,
    endpoint: Endpoint,
}

impl Endpoint {
    /// The endpoint at this URL.
    pub fn new(url: &str, token: &str) -> Self {
        let (port, path) = url.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.split_once('/')).unwrap();
        assert_eq!(path, "credentials");
        Self { port: port.parse().unwrap(), token: token.to_owned() }
    }

    /// Sends these bytes on a new connection, and returns everything that comes back.
    pub fn send(&self, request: &str) -> String {
        let mut stream = self.connect();
        // The server may close the connection before it has read everything.
        let _ = stream.write_all(request.as_bytes());
        received(stream)
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).unwrap()
    }

    /// The status and the document of a request with the token.
    pub fn get(&self) -> (u16, Value) {
        let Self { port, token } = self;
        let request = format!("GET /credentials HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: {token}\r\n\r\n");
        parse(&self.send(&request))
    }

    /// The ID of the key that is served.
    pub fn key(&self) -> String {
        let (status, key) = self.get();
        assert_eq!(status, 200, "{key}");
        key["AccessKeyId"].as_str().unwrap().to_owned()
    }

    /// Whether nothing listens at the port.
    pub fn is_gone(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_err()
    }
}

/// Everything until the connection ends, in whichever way.
fn received(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut chunk) {
        bytes.extend_from_slice(&chunk[..count]);
    }
    String::from_utf8(bytes).unwrap()
}

fn parse(response: &str) -> (u16, Value) {
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or((response, ""));
    let status = head.split(' ').nth(1).unwrap_or_else(|| panic!("no status: {response:?}")).parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

/// The value of a variable in the output of `serve`.
fn exported(line: &str, name: &str) -> String {
    let value = line.strip_prefix("export ").and_then(|rest| rest.strip_prefix(name)?.strip_prefix("='"));
    value.and_then(|value| value.strip_suffix("'\n")).unwrap_or_else(|| panic!("{name}: {line:?}")).to_owned()
}

impl Served {
    /// Starts `serve` with these flags, whose token is printed.
    fn start(user: &User, flags: &str) -> Self {
        let mut child = user.start(format!("serve {flags}").split_whitespace());
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let [url, token] = [(); 2].map(|()| {
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            line
        });
        assert!(!token.is_empty(), "{:?}", Ran::of(child));
        let url = exported(&url, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
        let token = if token.contains("_TOKEN_FILE=") {
            let file = exported(&token, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").replace(r"'\''", "'");
            std::fs::read_to_string(file).unwrap()
        } else {
            exported(&token, "AWS_CONTAINER_AUTHORIZATION_TOKEN")
        };
        let endpoint = Endpoint::new(&url, &token);
        Self { child: Some(child), _out: out, endpoint }
    }

    /// Sends it a signal, and waits for its end.
    fn end(&mut self, signal: Signal) -> Ran {
        let child = self.child.take().unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        Ran::of(child)
    }

    /// Ends it, and asserts that it has nothing to say.
    fn stop(mut self, signal: Signal) {
        assert_eq!(self.end(signal).ok(), "");
        assert!(self.endpoint.is_gone());
    }

    /// Ends it, and returns its warnings.
    fn stop_with_warnings(mut self) -> String {
        let ran = self.end(Signal::TERM);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.err
    }
}

impl Drop for Served {
    /// A test that fails leaves nothing running.
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits until something is so.
#[track_caller]
pub fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_client_gets_the_key_with_the_token_and_every_signal_ends_it_with_success() {
    let user = User::signed_in();
    for (line, signal) in [("", Signal::TERM), ("--listen localhost:0", Signal::INT), ("--duration 1h", Signal::HUP)] {
        let served = Served::start(&user, line);
        let key = user.cloud.ephemeral_keys().pop().unwrap();
        let expected = json!({
            "AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret, "Token": key.session_token,
            "Expiration": key.expires_at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        });
        assert_eq!(served.endpoint.get(), (200, expected));
        served.stop(signal);
    }
    assert_eq!(user.count(ISSUE), 3);
}

#[test]
fn other_requests_are_refused_and_the_endpoint_works_on() {
    let user = User::signed_in();
    let served = Served::start(&user, "");
    let Endpoint { port, token } = &served.endpoint;
    let host = format!("Host: 127.0.0.1:{port}");
    let token = format!("Authorization: {token}");
    for (line, headers, status, code) in [
        ("POST /x", vec!["Host: evil.example"], 403, "FORBIDDEN_HOST"),
        ("GET /credentials", vec![&token], 403, "FORBIDDEN_HOST"),
        ("GET /credentials", vec!["Host: rebound.example", &token], 403, "FORBIDDEN_HOST"),
        ("POST /", vec![&host], 404, "NOT_FOUND"),
        ("GET /", vec![&host, &token], 404, "NOT_FOUND"),
        ("POST /credentials", vec![&host, "Content-Length: 3"], 405, "METHOD_NOT_ALLOWED"),
        ("PUT /credentials?x", vec![&host, &token], 405, "METHOD_NOT_ALLOWED"),
        ("OPTIONS /credentials", vec![&host, &token, "Origin: http://evil.example"], 405, "METHOD_NOT_ALLOWED"),
        ("GET /credentials", vec![&host], 401, "UNAUTHENTICATED"),
        ("GET /credentials", vec![&host, "Authorization: wrong"], 401, "UNAUTHENTICATED"),
    ] {
        let request = [&[&format!("{line} HTTP/1.1")[..]], &headers[..], &["\r\n"]].concat().join("\r\n");
        let response = served.endpoint.send(&request);
        let (found, document) = parse(&response);
        assert_eq!((found, &document["code"]), (status, &json!(code)), "{line}: {response}");
        assert_eq!(document.as_object().unwrap().keys().collect::<Vec<_>>(), ["code", "message"]);
        let lower = response.to_lowercase();
        assert!(!lower.contains("access-control") && !lower.contains("location:"), "{response}");
    }
    let head = served.endpoint.send(&format!("HEAD /credentials HTTP/1.1\r\n{host}\r\n\r\n"));
    assert!(head.starts_with("HTTP/1.1 405 ") && head.ends_with("\r\n\r\n"), "{head}");
    for garbage in ["\r\n\r\n", "GET\r\n\r\n", "\u{16}\u{3}\u{1}", "GET / HTTP/2.0\r\n\r\n"] {
        let stream = served.endpoint.connect();
        (&stream).write_all(garbage.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert!(!received(stream).contains("200 OK"));
    }
    served.endpoint.key();
    served.stop(Signal::TERM);
}

#[test]
fn large_and_slow_requests_are_cut_and_hold_up_no_other() {
    let user = User::signed_in();
    let served = Served::start(&user, "");
    let endpoint = &served.endpoint;
    let started = Instant::now();
    let slow: Vec<_> = ["", "GET /credentials HTT", "GET /credentials HTTP/1.1\r\nHost: x\r\n"]
        .iter()
        .map(|part| {
            let mut stream = endpoint.connect();
            stream.write_all(part.as_bytes()).unwrap();
            stream
        })
        .collect();
    let head = format!("GET /credentials HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", endpoint.port);
    for header in [format!("X: {}", "x".repeat(1 << 20)), "X: x\r\n".repeat(200_000), "X".repeat(9000)] {
        let response = endpoint.send(&format!("{head}{header}\r\nAuthorization: {}\r\n\r\n", endpoint.token));
        assert!(!response.contains("200 OK"), "{response}");
    }
    // What a request may have is not refused.
    let allowed = format!("{head}X: {}\r\nAuthorization: {}\r\n\r\n", "x".repeat(7000), endpoint.token);
    assert_eq!(parse(&endpoint.send(&allowed)).0, 200);
    endpoint.key();
    for stream in slow {
        assert_eq!(received(stream), "");
    }
    let took = started.elapsed();
    assert!(took >= 5 * SECOND && took < PATIENCE, "{took:?}");
    endpoint.key();
    served.stop(Signal::TERM);
}

#[test]
fn five_hundred_requests_at_the_renewal_all_get_a_key_and_cause_one_issue() {
    let mut user = User::signed_in();
    let token = user.cloud.issue_token_for(yc_emulator::ADMIN_ID, 60 * MINUTE);
    user.set("YC_IAM_TOKEN", token);
    // With 20 minutes left it is renewed.
    user.cloud.set_ephemeral_key_lifetime(20 * MINUTE + 2 * SECOND);
    let served = Served::start(&user, "");
    let first = served.endpoint.key();
    user.cloud.set_ephemeral_key_lifetime(60 * MINUTE);
    let hold = user.cloud.hold(ISSUE);
    hold.wait_until_arrived();
    let endpoint = &served.endpoint;
    std::thread::scope(|scope| {
        let requests: Vec<_> = (0..500).map(|_| scope.spawn(|| endpoint.key())).collect();
        let keys: Vec<_> = requests.into_iter().map(|request| request.join().unwrap()).collect();
        assert_eq!(keys, vec![first.clone(); 500]);
        hold.release();
        eventually("the new key is served", || endpoint.key() != first);
    });
    assert_eq!((user.count(ISSUE), user.cloud.ephemeral_keys().len()), (2, 2));
    served.stop(Signal::TERM);
}

#[test]
fn without_the_service_the_old_key_is_served_until_its_last_minute_and_then_none() {
    let user = User::signed_in();
    user.cloud.set_ephemeral_key_lifetime(64 * SECOND);
    let served = Served::start(&user, "--min-ttl 1s --retry 1");
    let first = served.endpoint.key();
    user.cloud.set_ephemeral_keys_unavailable(true);
    eventually("the last minute begins", || served.endpoint.get().0 != 200);
    assert!(user.cloud.ephemeral_keys()[0].expires_at - user.cloud.now() <= chrono::TimeDelta::seconds(61));
    eventually("the failure is known", || served.endpoint.get().1["message"].to_string().contains("cannot be renewed"));
    let message = "the access key has expired and cannot be renewed: cannot issue an ephemeral key: The service is \
                   unavailable";
    assert_eq!(served.endpoint.get(), (503, json!({"code": "UNAVAILABLE", "message": message})));
    user.cloud.set_ephemeral_key_lifetime(60 * MINUTE);
    user.cloud.set_ephemeral_keys_unavailable(false);
    eventually("a new key is served", || served.endpoint.get().0 == 200);
    assert_ne!(served.endpoint.key(), first);
    assert_eq!(user.cloud.ephemeral_keys().len(), 2);
    assert_eq!(
        served.stop_with_warnings(),
        "WARNING: the access key cannot be renewed, which is tried again and again: cannot issue an ephemeral key: The \
         service is unavailable\n"
    );
}

#[test]
fn a_failure_that_repeats_secrets_shows_none() {
    let user = User::signed_in();
    user.cloud.set_ephemeral_key_lifetime(64 * SECOND);
    let served = Served::start(&user, "--min-ttl 1s --retry 1");
    for _ in 0..100 {
        user.cloud.fault(ISSUE, Fault::EchoSecrets);
    }
    eventually("the failure is told", || served.endpoint.get().1["message"].to_string().contains("cannot be renewed"));
    let shown = format!("{:?}", served.endpoint.get());
    user.cloud.forget_faults();
    let token = served.endpoint.token.clone();
    let warnings = served.stop_with_warnings();
    assert!(shown.contains("****") && warnings.contains("****"), "{shown} {warnings}");
    for secret in [&user.cloud.tokens()[0].value, &user.cloud.ephemeral_keys()[0].secret, &token] {
        assert!(!shown.contains(&secret[..16]) && !warnings.contains(&secret[..16]), "{shown} {warnings}");
    }
}

#[test]
fn a_token_that_was_revoked_is_replaced_by_the_next_attempt() {
    let user = User::new().with_key();
    user.cloud.set_ephemeral_key_lifetime(64 * SECOND);
    let served = Served::start(&user, "--min-ttl 1s");
    let first = served.endpoint.key();
    user.cloud.revoke_token(&user.cloud.tokens()[0].value);
    eventually("the key is renewed", || {
        served.endpoint.get().1["AccessKeyId"].as_str().is_some_and(|key| key != first)
    });
    assert_eq!(user.count(EXCHANGE), 2);
    served.stop_with_warnings();
}

#[test]
fn timeout_is_for_the_first_key_and_for_each_later_one() {
    let user = User::signed_in();
    user.cloud.set_ephemeral_key_lifetime(64 * SECOND);
    let served = Served::start(&user, "--min-ttl 1s --timeout 2s");
    let first = served.endpoint.key();
    let hold = user.cloud.hold(ISSUE);
    hold.wait_until_arrived();
    // The attempt that hangs is given up, and the next one succeeds.
    eventually("the key is renewed", || {
        served.endpoint.get().1["AccessKeyId"].as_str().is_some_and(|key| key != first)
    });
    drop(hold);
    let warnings = served.stop_with_warnings();
    assert!(warnings.contains("not done within the 2s of --timeout"), "{warnings}");
    let hold = user.cloud.hold(ISSUE);
    let ran = user.run("serve --timeout 300ms");
    assert!(ran.code == 1 && ran.err.starts_with("ERROR: not done within the 300ms of --timeout\n"), "{ran:?}");
    drop(hold);
}

#[test]
fn a_first_key_that_cannot_be_had_or_is_too_short_ends_it_before_anything_is_printed() {
    let user = User::signed_in();
    user.cloud.fault(ISSUE, Fault::status(7, "Permission denied"));
    user.run("serve --authorization-token-file token").failed(3);
    user.cloud.set_ephemeral_key_lifetime(10 * MINUTE);
    let message = user.run("serve --authorization-token-file token").failed(1);
    let expected = "which is less than the 16m that AWS SDKs need; the key is not used\n";
    assert!(message.contains(expected), "{message}");
    let message = user.run("serve --min-ttl 12m").failed(1);
    assert!(message.contains("which is less than the 12m of --min-ttl"), "{message}");
    assert!(!user.home().join("token").exists());
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_token_may_be_in_a_file_which_is_made_when_it_is_missing() {
    let user = User::signed_in();
    let file = user.home().join("it's");
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let served = Served::start(&user, "--authorization-token-file it's");
        tokens.push(served.endpoint.token.clone());
        served.endpoint.key();
        served.stop(Signal::TERM);
    }
    assert_eq!((tokens[0].len(), mode(&file)), (43, 0o600));
    assert_eq!(tokens, [(); 2].map(|()| std::fs::read_to_string(&file).unwrap()));
    let files: Vec<_> = std::fs::read_dir(user.home()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(files.iter().all(|name| !name.to_str().unwrap().contains("tmp")), "{files:?}");
    // A mounted secret may be readable by a group.
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o440)).unwrap();
    Served::start(&user, "--authorization-token-file it's --listen 127.0.0.1:0").stop(Signal::TERM);
}

#[test]
fn a_file_that_does_not_hold_a_private_token_is_refused_before_anything_is_sent() {
    let user = User::signed_in();
    let token = "0123456789abcdef0123456789abcdef";
    user.make_pipe("pipe");
    std::os::unix::fs::symlink("nonesuch", user.home().join("dangling")).unwrap();
    user.write_file("newline", &format!("{token}\n"));
    user.write_file("short", &token[1..]);
    user.write_file("space", &format!("{token} x"));
    user.write_file("letters", &format!("{token}ю"));
    user.write_file("empty", "");
    let public = user.write_file("public", token);
    std::fs::set_permissions(&public, PermissionsExt::from_mode(0o644)).unwrap();
    for (file, rule) in [
        ("newline", "has a line break, which AWS SDKs do not accept in a token; write it without one\n"),
        ("short", "has 31 characters, but a token has at least 32\n"),
        ("space", "must hold visible ASCII characters alone\n"),
        ("letters", "must hold visible ASCII characters alone\n"),
        ("empty", "has 0 characters, but a token has at least 32\n"),
        ("public", "can be read by every user\nhint: type: chmod 600 "),
        ("pipe", "cannot be read: it is not a regular file\n"),
        ("dangling", "cannot be read: No such file or directory"),
        (".", "cannot be read: it is a directory\n"),
        ("none/such", "cannot be created: No such file or directory"),
        ("short/token", "cannot be read: Not a directory"),
    ] {
        let message = user.run(&format!("serve --authorization-token-file {file}")).failed(2);
        let expected = format!("ERROR: --authorization-token-file: the file '{file}' {rule}");
        assert!(message.starts_with(&expected), "{message}");
    }
    let message = user.run(&format!("serve --authorization-token-file {}", "name".repeat(64))).failed(2);
    assert!(message.contains("cannot be read: File name too long"), "{message}");
    for file in ["$HOME/token", "~nobody/token"] {
        user.run(&format!("serve --authorization-token-file {file}")).failed(2);
    }
    assert_eq!(user.sent(), [] as [&str; 0]);
}

#[test]
fn flags_that_are_wrong_or_have_no_effect_are_refused_before_anything_is_sent() {
    let user = User::signed_in();
    for address in ["0.0.0.0:80", "127.0.0.1", ":80", "example.com:80", "127.0.0.1:65536", "[::]:80"] {
        let message = user.run(&format!("serve --listen {address}")).failed(2);
        let rule = "must be 127.0.0.1:PORT, localhost:PORT or [::1]:PORT; with the port 0 a free one is taken";
        assert!(
            message.starts_with(&format!("ERROR: invalid value '{address}' for '--listen <ADDRESS>': {rule}\n")),
            "{message}"
        );
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let message = user.run(&format!("serve --listen {address}")).failed(2);
    let expected =
        format!("ERROR: cannot listen on {address}: Address already in use (os error 98)\nhint: give another");
    assert!(message.starts_with(&expected), "{message}");
    for flags in [
        "--cache",
        "--no-cache",
        "--format json",
        "--jq .",
        "--duration 15m",
        "--duration 20m --min-ttl 21m",
        "--min-ttl 13h",
        "--duration 5m",
        "--policy x{",
        "--export env",
        "--region ru-central1",
        "extra",
    ] {
        user.run(&format!("serve {flags}")).failed(2);
    }
    assert_eq!(user.sent(), [] as [&str; 0]);
}

#[test]
fn where_the_token_cannot_be_printed_no_key_is_issued() {
    let user = User::signed_in();
    let ran = user.program("sh").args(["-c", "exec yc-rs serve >&-"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert_eq!(user.sent(), [] as [&str; 0]);
}

#[test]
fn ipv6_is_listened_on_where_it_is_given() {
    let user = User::signed_in();
    if TcpListener::bind("[::1]:0").is_err() {
        return crate::programs::leave_out("IPv6 on loopback");
    }
    let mut child = user.start(["serve", "--listen", "[::1]:0"]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let url = exported(&line, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let address = url.strip_prefix("http://").and_then(|url| url.strip_suffix("/credentials")).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("GET /credentials HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).unwrap();
    assert_eq!(parse(&received(stream)).0, 401);
    child.kill().unwrap();
    child.wait().unwrap();
}
