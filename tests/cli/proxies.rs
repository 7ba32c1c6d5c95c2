//! Proxies: which requests go through one, how it is addressed, and the error when it fails.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use yc_emulator::{ADMIN_ID, Fault};

use crate::route::LIST;
use crate::support::User;

const IAM: &str = "iam.api.cloud.yandex.net:443";
const OPERATION: &str = "operation.api.cloud.yandex.net:443";
const RESOURCE_MANAGER: &str = "resource-manager.api.cloud.yandex.net:443";

/// A proxy that connects every tunnel to one server, or refuses with a status line.
struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn to(target: &str) -> Self {
        let target: SocketAddr = target.trim_start_matches("https://").parse().unwrap();
        Self::start(move |mut client| {
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            let server = TcpStream::connect(target)?;
            let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
            thread::spawn(move || pass_on(from_client, to_server));
            pass_on(server, client);
            Ok(())
        })
    }

    fn refusing(status: &'static str) -> Self {
        Self::start(move |mut client| write!(client, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"))
    }

    fn start(serve: impl Fn(TcpStream) -> std::io::Result<()> + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::default();
        let seen: Arc<Mutex<Vec<String>>> = Arc::clone(&heads);
        thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                let (seen, serve) = (Arc::clone(&seen), serve.clone());
                thread::spawn(move || {
                    seen.lock().unwrap().push(read_head(&mut client));
                    // A client that has gone away is not the proxy's concern.
                    let _ = serve(client);
                });
            }
        });
        Self { address, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// The hosts of the requested tunnels, in alphabetical order.
    fn hosts(&self) -> Vec<String> {
        let host = |head: &String| head.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap().to_owned();
        let mut hosts: Vec<_> = self.heads().iter().map(host).collect();
        hosts.sort();
        hosts
    }
}

fn read_head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).is_ok_and(|count| count == 1) {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    // Either side may end the conversation in any way.
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

/// A user of the built-in endpoints, which the proxy connects to the emulator.
fn behind_a_proxy() -> (User, Proxy) {
    let mut user = User::signed_in().over_https();
    for service in ["IAM", "OPERATION", "RESOURCE_MANAGER"] {
        user.unset(&format!("YC_ENDPOINT_URL_{service}"));
    }
    let proxy = Proxy::to(user.cloud.https_url());
    user.set("HTTPS_PROXY", format!("http://{}", proxy.address));
    (user, proxy)
}

/// A user whose cloud has a name that does not exist.
fn nowhere() -> User {
    let mut user = User::signed_in().over_https();
    user.point_at("https://cloud.invalid");
    user
}

#[test]
fn the_built_in_endpoints_are_reached_through_the_proxy() {
    let (user, proxy) = behind_a_proxy();
    let key = user.cloud.add_access_key(ADMIN_ID, "").id;
    user.run(&format!("iam access-key delete {key}")).ok();
    assert_eq!(proxy.hosts(), [IAM, OPERATION]);
    assert!(user.cloud.requests().iter().all(|request| request.http2));
    user.run("iam access-key list --service-account-name x-y --folder-name f-n --cloud-id b1g --retry 1");
    assert_eq!(proxy.hosts(), [IAM, OPERATION, RESOURCE_MANAGER]);
}

#[test]
fn token_and_call_share_one_tunnel() {
    let (mut user, proxy) = behind_a_proxy();
    user.unset("YC_IAM_TOKEN");
    let user = user.with_key();
    user.run("iam access-key list").ok();
    assert_eq!(proxy.hosts(), [IAM]);
    assert_eq!((user.cloud.requests().len(), user.cloud.connections()), (2, 1));
}

#[test]
fn several_ids_share_one_tunnel_from_the_very_first_request() {
    let (user, proxy) = behind_a_proxy();
    let ids: Vec<_> = (0..9).map(|_| user.cloud.add_access_key(ADMIN_ID, "").id).collect();
    user.run(&format!("iam access-key get {}", ids.join(" "))).ok();
    assert_eq!(proxy.hosts(), [IAM]);
    assert_eq!(user.cloud.requests().len(), ids.len());
}

#[test]
fn each_usual_variable_names_the_proxy_also_without_a_scheme() {
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let (mut user, proxy) = behind_a_proxy();
        user.unset("HTTPS_PROXY");
        user.set(variable, proxy.address.to_string());
        user.run("iam access-key list").ok();
        assert_eq!(proxy.hosts(), [IAM], "{variable}");
    }
}

#[test]
fn a_page_that_came_through_the_proxy_names_it() {
    for variable in ["HTTPS_PROXY", "https_proxy", "all_proxy"] {
        let (mut user, proxy) = behind_a_proxy();
        user.unset("HTTPS_PROXY");
        user.set(variable, format!("http://u:hunter2@{}", proxy.address));
        user.cloud.fault(LIST, Fault::BadGateway(403));
        let error: Value = serde_json::from_str(&user.run("iam access-key list --error-format json").err).unwrap();
        let message = format!(
            "cannot list access keys: iam.api.cloud.yandex.net returned 403 Forbidden through the proxy {} with a body of \
             type text/html, which is not a response of the API",
            proxy.address
        );
        let hint = format!(
            "the proxy, which comes from {variable}, may have sent this response; NO_PROXY lists hosts to reach without \
             it; to see the response, add --debug-grpc"
        );
        assert_eq!((&error["message"], &error["hint"]), (&message.into(), &hint.into()));
        assert_eq!((&error["code"], &error["exit"]), (&"NETWORK".into(), &1.into()));

        user.cloud.fault(LIST, Fault::redirect(302, "https://login.corp.example/?x=1"));
        let error: Value = serde_json::from_str(&user.run("iam access-key list --error-format json").err).unwrap();
        let message = format!(
            "cannot list access keys: iam.api.cloud.yandex.net returned 302 through the proxy {}, a redirect to \
             login.corp.example, which is not followed",
            proxy.address
        );
        assert_eq!((&error["message"], &error["code"]), (&message.into(), &"NETWORK".into()));
    }
}

#[test]
fn a_proxy_that_is_not_used_for_the_host_is_not_named() {
    for variable in ["NO_PROXY", "no_proxy"] {
        let mut user = User::signed_in().over_https();
        user.set("https_proxy", "http://127.0.0.1:1");
        user.set(variable, "127.0.0.1");
        user.cloud.fault(LIST, Fault::BadGateway(403));
        let error = user.run("iam access-key list").failed(1);
        assert!(!error.contains("127.0.0.1:1 ") && error.contains("a proxy or the login page"), "{error}");
    }
}

#[test]
fn user_name_and_password_are_sent_to_the_proxy_alone_and_decoded() {
    let (mut user, proxy) = behind_a_proxy();
    user.set("HTTPS_PROXY", format!("http://tester:pa%40ss%3Aword@{}", proxy.address));
    let ran = user.run("iam access-key list --debug-grpc");
    assert_eq!(ran.code, 0, "{ran:#?}");
    let basic = format!("Basic {}", BASE64_STANDARD.encode("tester:pa@ss:word"));
    let head = proxy.heads().concat();
    let sent = head.lines().find(|line| line.to_ascii_lowercase().starts_with("proxy-authorization:"));
    assert!(sent.is_some_and(|line| line.ends_with(&basic)), "{head}");
    assert!(!head.to_ascii_lowercase().contains("\nauthorization:"), "{head}");
    assert!(user.cloud.requests().iter().all(|request| request.header("proxy-authorization").is_none()));
    for secret in ["pa@ss", "pa%40ss", &basic] {
        assert!(!ran.err.contains(secret), "{}", ran.err);
    }
}

#[test]
fn no_password_means_no_proxy_authorization() {
    let (user, proxy) = behind_a_proxy();
    user.run("iam access-key list").ok();
    assert!(!proxy.heads().concat().to_ascii_lowercase().contains("proxy-authorization"));
}

#[test]
fn hosts_of_no_proxy_are_reached_directly() {
    let lists = ["cloud.invalid", ".invalid", "*.invalid", "example.com, invalid", "*"];
    for (variable, list) in lists.map(|list| ("NO_PROXY", list)).into_iter().chain([("no_proxy", ".invalid")]) {
        let mut user = nowhere();
        let proxy = Proxy::to(user.cloud.https_url());
        user.set("https_proxy", format!("http://{}", proxy.address));
        user.set(variable, list);
        user.run("iam access-key list --retry 1 --connect-timeout 5s").failed(5);
        assert_eq!(proxy.heads().len(), 0, "{list}");
    }
}

#[test]
fn other_hosts_than_those_of_no_proxy_go_through_the_proxy() {
    for list in ["", "example.com", "oud.invalid", "api.cloud.yandex.com"] {
        let (mut user, proxy) = behind_a_proxy();
        user.set("NO_PROXY", list);
        user.run("iam access-key list").ok();
        assert_eq!(proxy.hosts(), [IAM], "{list}");
    }
}

#[test]
fn this_machine_is_never_reached_through_a_proxy() {
    for mut user in [User::signed_in(), User::signed_in().over_https()] {
        let proxy = Proxy::refusing("500 No");
        for variable in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"] {
            user.set(variable, format!("http://{}", proxy.address));
        }
        user.run("iam access-key list").ok();
        let by_name = user.cloud.http_url().replace("127.0.0.1", "localhost");
        user.point_at(&by_name);
        user.run("iam access-key list").ok();
        assert_eq!(proxy.heads().len(), 0);
    }
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    let mut user = nowhere();
    let proxy = Proxy::to(user.cloud.https_url());
    user.set("HTTPS_PROXY", format!("http://{}", proxy.address));
    let error = user.run("iam access-key list").failed(1);
    let line = "ERROR: cannot list access keys: cannot trust cloud.invalid: its certificate is for other hosts: \
                127.0.0.1, localhost, ::1, *.api.cloud.yandex.net, api.cloud.yandex.net and 3 more";
    assert_eq!(error.lines().next(), Some(line));
    assert_eq!(user.cloud.requests().len(), 0);

    let ran = user.run("iam access-key list --no-verify-ssl");
    assert_eq!((ran.code, user.cloud.requests().len()), (0, 1), "{ran:#?}");
}

#[test]
fn a_malformed_proxy_is_named_without_its_password() {
    for value in ["http://u:hunter2@host:port", "socks5://u:hunter2@host:1080", "http://", "::"] {
        let mut user = nowhere();
        user.set("HTTPS_PROXY", value);
        let error = user.run("iam access-key list").failed(2);
        assert!(error.contains("HTTPS_PROXY") && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_proxy_that_refuses_is_named() {
    for status in ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway", "nonsense"] {
        let proxy = Proxy::refusing(status);
        let mut user = nowhere();
        user.set("HTTPS_PROXY", format!("http://u:hunter2@{}", proxy.address));
        for line in ["iam access-key list", "iam access-key create", "iam access-key issue-ephemeral"] {
            let ran = user.run(&format!("{line} --retry 1 --error-format json"));
            let error: Value = serde_json::from_str(&ran.err).unwrap();
            assert_eq!((ran.code, &error["code"]), (5, &"NETWORK".into()), "{error:#}");
            let text = error.to_string();
            assert!(text.contains(&proxy.address.to_string()) && text.contains("HTTPS_PROXY"), "{text}");
            assert!(!text.contains("hunter2") && !text.contains("a key may "), "{text}");
        }
    }
}

#[test]
fn a_proxy_that_ends_the_tunnel_is_named() {
    for (tunnel, reason) in [("", "tls handshake eof"), ("<html>sign in</html>", "its response is not TLS")] {
        let proxy = Proxy::start(move |mut client| {
            write!(client, "HTTP/1.1 200 OK\r\n\r\n")?;
            // What comes before the first byte of the client belongs to the response.
            client.read_exact(&mut [0])?;
            client.write_all(tunnel.as_bytes())?;
            client.shutdown(Shutdown::Write)?;
            client.read_to_end(&mut Vec::new()).map(drop)
        });
        let mut user = nowhere();
        user.set("HTTPS_PROXY", format!("http://{}", proxy.address));
        let error = user.run("iam access-key list --retry 1").failed(5);
        let expected = format!(
            "ERROR: cannot list access keys: cannot connect to cloud.invalid through the proxy {}: {reason}",
            proxy.address
        );
        assert_eq!(error.lines().next().unwrap(), expected);
        let hint = "hint: the proxy comes from HTTPS_PROXY; NO_PROXY lists hosts to reach without it";
        assert_eq!(error.lines().last().unwrap(), hint);
    }
}

#[test]
fn a_proxy_that_is_not_there_is_an_error_of_the_network() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut user = nowhere();
    user.set("HTTPS_PROXY", format!("http://{closed}"));
    let error = user.run("iam access-key create --retry 1").failed(5);
    assert!(error.contains(&closed.to_string()) && !error.contains("a key may "), "{error}");
}
