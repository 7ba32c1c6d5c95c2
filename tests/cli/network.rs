//! How many requests the program sends, what each request carries, and which responses it does not accept.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::TcpListener;

use uuid::Uuid;
use yc_emulator::{ADMIN_ID, Emulator, Fault, Request};

use crate::route::{CREATE, DELETE, EXCHANGE, GET, ISSUE, KEYS, LIST, OPERATION, UPDATE};
use crate::support::User;

fn lines(user: &User) -> Vec<String> {
    user.cloud.requests().iter().map(Request::line).collect()
}

fn headers(requests: &[Request], name: &str) -> Vec<String> {
    requests.iter().filter_map(|request| request.header(name)).map(str::to_owned).collect()
}

fn distinct(values: Vec<String>) -> BTreeSet<String> {
    values.into_iter().collect()
}

#[test]
fn a_service_account_key_costs_two_requests_on_one_connection() {
    for user in [User::new().with_key(), User::new().with_key().over_https()] {
        let key = user.cloud.add_access_key(ADMIN_ID, "");
        user.run(&format!("iam access-key get {}", key.id)).ok();
        assert_eq!(lines(&user), ["POST /iam/v1/tokens".to_owned(), format!("GET {KEYS}/{}", key.id)]);
        assert_eq!(user.cloud.connections(), 1);
    }
}

#[test]
fn an_iam_token_costs_one_request() {
    for user in [User::signed_in(), User::signed_in().over_https()] {
        user.run("iam access-key list").ok();
        assert_eq!(lines(&user), [format!("GET {KEYS}")]);
    }
}

#[test]
fn a_token_that_is_given_is_printed_after_one_request() {
    let user = User::signed_in();
    user.run("iam create-token").ok();
    assert_eq!(lines(&user), ["GET /oauth/userinfo"]);
}

#[test]
fn https_means_http_2() {
    let user = User::new().with_key().over_https();
    user.run("iam access-key list").ok();
    let requests = user.cloud.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|request| request.tls && request.http2), "{requests:#?}");
}

#[test]
fn several_ids_share_one_token_and_one_connection() {
    let user = User::new().with_key().without_cache().over_https();
    let ids: Vec<_> = (0..9).map(|_| user.cloud.add_access_key(ADMIN_ID, "").id).collect();
    user.run(&format!("iam access-key get {}", ids.join(" "))).ok();
    assert_eq!(user.cloud.requests().len(), 1 + ids.len());
    assert_eq!(user.cloud.connections(), 1);

    user.cloud.clear_requests();
    user.run(&format!("iam access-key delete {}", ids.join(" "))).ok();
    let exchanges = lines(&user).iter().filter(|line| *line == EXCHANGE).count();
    assert_eq!((exchanges, user.cloud.connections()), (1, 1));
}

#[test]
fn several_ids_over_plain_http_take_no_more_connections_than_calls_in_flight() {
    let user = User::new().with_key();
    let ids: Vec<_> = (0..20).map(|_| user.cloud.add_access_key(ADMIN_ID, "").id).collect();
    user.run(&format!("iam access-key get {}", ids.join(" "))).ok();
    assert_eq!(user.cloud.requests().len(), 1 + ids.len());
    assert!(user.cloud.connections() <= 8, "{}", user.cloud.connections());
}

/// A listener that serves no request, and counts the connections.
struct Doorbell(TcpListener);

impl Doorbell {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    fn was_rung(&self) -> bool {
        match self.0.accept() {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn commands_about_the_program_itself_and_wrong_command_lines_open_no_connection() {
    let doorbell = Doorbell::new();
    let mut user = User::signed_in();
    user.point_at(&doorbell.url());
    for (line, code) in [
        ("version", 0),
        ("version --semantic", 0),
        ("--version", 0),
        ("--help", 0),
        ("iam access-key create --help", 0),
        ("iam access-key", 2),
        ("iam access-key list --no-such-flag", 2),
        ("iam access-key list --jq .[", 2),
        ("iam access-key list --format xml", 2),
        ("iam access-key update abc", 2),
        ("iam access-key get a b/c", 2),
        ("iam access-key issue-ephemeral --duration 13h", 2),
        ("iam access-key create --service-account-id a --service-account-name bcd", 2),
    ] {
        assert_eq!(user.run(line).code, code, "{line}");
        assert!(!doorbell.was_rung(), "{line}");
    }
    user.unset("YC_IAM_TOKEN");
    user.run("iam access-key list").failed(3);
    assert!(!doorbell.was_rung());
}

#[test]
fn every_attempt_has_an_id_of_its_own_and_the_run_has_one_trace() {
    let user = User::new().with_key();
    for pattern in [EXCHANGE, CREATE, CREATE] {
        user.cloud.fault(pattern, Fault::unavailable());
    }
    user.run("iam access-key create").ok();
    let requests = user.cloud.requests();
    assert_eq!(requests.len(), 5);
    let ids = distinct(headers(&requests, "x-request-id"));
    assert_eq!(ids.len(), 5);
    assert!(ids.iter().all(|id| Uuid::try_parse(id).is_ok()), "{ids:?}");
    let traces = headers(&requests, "x-client-trace-id");
    assert_eq!((traces.len(), distinct(traces).len()), (5, 1));
}

#[test]
fn another_run_has_another_trace() {
    let user = User::signed_in();
    user.run("iam access-key list").ok();
    user.run("iam access-key list").ok();
    assert_eq!(distinct(headers(&user.cloud.requests(), "x-client-trace-id")).len(), 2);
}

#[test]
fn one_idempotency_key_serves_all_attempts_of_one_change() {
    let user = User::new().with_key().without_cache();
    let key = user.cloud.add_access_key(ADMIN_ID, "").id;
    for (line, pattern) in [
        ("iam create-token".to_owned(), EXCHANGE),
        ("iam access-key create".to_owned(), CREATE),
        ("iam access-key issue-ephemeral".to_owned(), ISSUE),
        (format!("iam access-key update {key} --description x --async"), UPDATE),
        (format!("iam access-key delete {key} --async"), DELETE),
    ] {
        let mut all = BTreeSet::new();
        for _ in 0..2 {
            user.cloud.clear_requests();
            user.cloud.fault(pattern, Fault::unavailable());
            user.cloud.fault(pattern, Fault::unavailable());
            user.run(&line).ok();
            let verb = pattern.split(' ').next().unwrap();
            let requests = user.cloud.requests();
            let last = requests.last().unwrap().line();
            assert!(last.starts_with(verb), "{last}");
            let attempts: Vec<_> = requests.into_iter().filter(|request| request.line() == last).collect();
            let keys = headers(&attempts, "idempotency-key");
            assert_eq!(keys.len(), 3, "{line}");
            assert_eq!(Uuid::try_parse(&keys[0]).unwrap().get_version_num(), 4);
            all.extend(keys);
        }
        assert_eq!(all.len(), 2, "one key a call: {line}");
    }
}

#[test]
fn exchange_and_call_have_idempotency_keys_of_their_own() {
    let user = User::new().with_key();
    user.run("iam access-key create").ok();
    assert_eq!(distinct(headers(&user.cloud.requests(), "idempotency-key")).len(), 2);
}

#[test]
fn reading_carries_no_idempotency_key_and_no_body() {
    let user = User::signed_in();
    let key = user.cloud.add_access_key(ADMIN_ID, "").id;
    for line in [
        "iam access-key list".to_owned(),
        format!("iam access-key get {key}"),
        format!("iam access-key list-operations {key}"),
    ] {
        user.run(&line).ok();
    }
    let requests = user.cloud.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(headers(&requests, "idempotency-key"), [""; 0]);
    assert!(requests.iter().all(|request| request.body.is_empty() && request.header("content-type").is_none()));
}

#[test]
fn every_request_names_the_program_and_its_version() {
    let user = User::new().with_key();
    let key = user.cloud.add_access_key(ADMIN_ID, "").id;
    user.run(&format!("iam access-key delete {key}")).ok();
    let agents = headers(&user.cloud.requests(), "user-agent");
    assert_eq!(agents.len(), user.cloud.requests().len());
    assert_eq!(distinct(agents), BTreeSet::from([format!("yc-rs/{}", env!("CARGO_PKG_VERSION"))]));
}

#[test]
fn a_token_travels_as_a_bearer_and_not_in_its_own_exchange() {
    let user = User::new().with_key();
    user.run("iam access-key list").ok();
    let requests = user.cloud.requests();
    let token = format!("Bearer {}", user.cloud.tokens()[0].value);
    assert_eq!(requests[0].header("authorization"), None);
    assert_eq!(requests[1].header("authorization"), Some(token.as_str()));
}

#[test]
fn redirects_are_never_followed() {
    let elsewhere = Emulator::start();
    let user = User::signed_in();
    let key = user.cloud.add_access_key(ADMIN_ID, "").id;
    let lines = [
        ("iam access-key list".to_owned(), LIST),
        (format!("iam access-key get {key}"), GET),
        (format!("iam access-key update {key} --description x"), UPDATE),
        (format!("iam access-key delete {key}"), DELETE),
        ("iam access-key create".to_owned(), CREATE),
        ("iam access-key issue-ephemeral".to_owned(), ISSUE),
        ("operation get abc".to_owned(), OPERATION),
    ];
    for status in [301, 302, 303, 307, 308] {
        for (line, pattern) in &lines {
            user.cloud.clear_requests();
            user.cloud.fault(pattern, Fault::redirect(status, elsewhere.http_url()));
            let error = user.run(line).failed(1);
            let target = elsewhere.http_url().strip_prefix("http://").unwrap();
            assert!(error.contains(&status.to_string()) && error.contains(target), "{error}");
            assert_eq!(user.cloud.requests().len(), 1, "{line}");
        }
    }
    assert_eq!(elsewhere.requests().len(), 0);
    assert_eq!(user.cloud.access_keys().len(), 1);
}

#[test]
fn a_redirect_of_the_token_exchange_takes_no_credential_elsewhere() {
    let elsewhere = Emulator::start();
    let user = User::new().with_key();
    user.cloud.fault(EXCHANGE, Fault::redirect(307, &format!("{}/iam/v1/tokens", elsewhere.http_url())));
    user.run("iam access-key list").failed(1);
    assert_eq!(elsewhere.requests().len(), 0);
    assert_eq!(user.cloud.requests().len(), 1);
}

#[test]
fn a_response_of_more_than_32_mib_is_not_read() {
    for user in [User::signed_in(), User::signed_in().over_https()] {
        user.cloud.fault(LIST, Fault::Oversized);
        let error = user.run("iam access-key list").failed(1);
        assert!(error.contains("32 MiB"), "{error}");
    }
}

#[test]
fn a_secret_that_the_server_echoes_is_not_shown() {
    let user = User::new().with_key().without_cache();
    for flags in ["", "--error-format json", "--debug", "--debug-grpc"] {
        user.cloud.fault(EXCHANGE, Fault::EchoSecrets);
        let exchange = user.run(&format!("iam access-key list {flags}"));
        user.cloud.fault(LIST, Fault::EchoSecrets);
        let call = user.run(&format!("iam access-key list {flags}"));
        let token =
            user.cloud.requests().last().unwrap().header("authorization").unwrap()["Bearer ".len()..].to_owned();
        for ran in [exchange, call] {
            assert_eq!((ran.code, ran.out.as_str()), (1, ""));
            assert!(ran.err.contains("Cannot handle the request"), "{}", ran.err);
            assert!(!ran.err.contains(&token) && !ran.err.contains("eyJhbGciOi"), "{flags}: {}", ran.err);
        }
    }
}
