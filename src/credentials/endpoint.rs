//! The container credentials endpoint: which requests of an AWS SDK get the key, and in what form. Nothing here listens or
//! waits.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Container credential provider"; botocore, `utils.py`,
//! `ContainerMetadataFetcher`.

use std::net::SocketAddr;

use chrono::SecondsFormat;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::api::temporary_access_key::EphemeralKey;
use crate::http::loopback::{Request, Response};

/// The path of the credentials.
const PATH: &str = "/credentials";

/// The port that clients leave out of the `Host` header.
const DEFAULT_PORT: u16 = 80;

/// The fewest characters of a token that the user gives.
const SHORTEST_TOKEN: usize = 32;

/// A container credentials endpoint: where it is, and the token that it requires.
pub struct Endpoint {
    address: SocketAddr,
    token: SecretString,
    /// Compares tokens in constant time.
    key: hmac::Key,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The `Host` is missing or another: a page in a browser may have resolved its own name to this machine.
    Host,
    /// There is nothing at this path.
    Path,
    /// The method is not GET.
    Method,
    /// The token is missing or wrong.
    Token,
}

impl Endpoint {
    /// The endpoint of a server at this loopback address.
    pub fn new(address: SocketAddr, token: SecretString) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, token.expose_secret().as_bytes());
        Self { address, token, key }
    }

    /// The URL for `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// The token for `AWS_CONTAINER_AUTHORIZATION_TOKEN`.
    pub fn token(&self) -> &SecretString {
        &self.token
    }

    /// Decides on a request. The query is ignored.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn check(&self, request: &Request) -> Result<(), Refusal> {
        let is_named = request.single_header("host").is_some_and(|host| self.is_host(host));
        // A request to a proxy names its server a second time.
        if !is_named || request.uri().authority().is_some_and(|authority| !self.is_host(authority.as_str().as_bytes()))
        {
            return Err(Refusal::Host);
        }
        if request.uri().path() != PATH {
            return Err(Refusal::Path);
        }
        if request.method() != "GET" {
            return Err(Refusal::Method);
        }
        let token = request.single_header("authorization").unwrap_or_default();
        let expected = hmac::sign(&self.key, self.token.expose_secret().as_bytes());
        hmac::verify(&self.key, token, expected.as_ref()).map_err(|_| Refusal::Token)
    }

    fn is_host(&self, host: &[u8]) -> bool {
        let port = self.address.port();
        let names = ["127.0.0.1", "localhost", "[::1]"].into_iter().take(if self.address.is_ipv6() { 3 } else { 2 });
        names.into_iter().any(|name| {
            host.eq_ignore_ascii_case(format!("{name}:{port}").as_bytes())
                || (port == DEFAULT_PORT && host.eq_ignore_ascii_case(name.as_bytes()))
        })
    }
}

impl Refusal {
    /// The response to the request.
    pub fn response(self) -> Response {
        match self {
            Self::Host => failure(403, "FORBIDDEN_HOST", "the Host header does not name this endpoint"),
            Self::Path => failure(404, "NOT_FOUND", "the credentials are at /credentials"),
            Self::Method => failure(405, "METHOD_NOT_ALLOWED", "only GET is supported").header("allow", "GET"),
            Self::Token => {
                failure(401, "UNAUTHENTICATED", "the Authorization header is not the token of this endpoint")
            }
        }
    }
}

/// A response in the form that SDKs read errors in; `message` holds no secret.
///
/// Source: AWS SDK for Go v2, `credentials/endpointcreds/internal/client`, `EndpointError`.
pub fn failure(status: u16, code: &str, message: &str) -> Response {
    Response::json(status, json!({"code": code, "message": message}).to_string())
}

/// The response with a key.
pub fn success(key: &EphemeralKey) -> Response {
    let document = json!({
        "AccessKeyId": key.access_key_id,
        "SecretAccessKey": key.secret.expose_secret(),
        "Token": key.session_token.expose_secret(),
        "Expiration": key.expires_at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
    });
    Response::json(200, document.to_string())
}

/// Reads the token of a file of the user's.
///
/// # Errors
/// It is too short, or clients could not send it; the message is a rule that goes after the name of the file.
pub fn parse_token(content: Vec<u8>) -> Result<SecretString, String> {
    if content.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return Err("has a line break, which AWS SDKs do not accept in a token; write it without one".to_owned());
    }
    if !content.iter().all(u8::is_ascii_graphic) {
        return Err("must hold visible ASCII characters alone".to_owned());
    }
    if content.len() < SHORTEST_TOKEN {
        return Err(format!("has {} characters, but a token has at least {SHORTEST_TOKEN}", content.len()));
    }
    String::from_utf8(content)
        .map(SecretString::from)
        .map_err(|_| "must hold visible ASCII characters alone".to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;
    use crate::credentials::tests::temporary_key;
    use crate::secret;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn endpoint(address: impl Into<SocketAddr>) -> Endpoint {
        Endpoint::new(address.into(), TOKEN.into())
    }

    fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Request {
        Request::of(method, target, headers)
    }

    #[test]
    fn a_request_with_the_token_gets_the_key() {
        let endpoint = endpoint((Ipv4Addr::LOCALHOST, 4000));
        for host in ["127.0.0.1:4000", "localhost:4000", "LocalHost:4000"] {
            for target in ["/credentials", "/credentials?a=b", "http://127.0.0.1:4000/credentials"] {
                let request = request("GET", target, &[("host", host), ("authorization", TOKEN)]);
                assert_eq!(endpoint.check(&request), Ok(()), "{host} {target}");
            }
        }
        assert_eq!(endpoint.url(), "http://127.0.0.1:4000/credentials");
    }

    #[test]
    fn what_is_wrong_is_looked_at_in_order() {
        let endpoint = endpoint((Ipv4Addr::LOCALHOST, 4000));
        let host = ("host", "127.0.0.1:4000");
        let token = ("authorization", TOKEN);
        for (method, target, headers, refusal) in [
            ("POST", "/x", vec![], Refusal::Host),
            ("GET", "/credentials", vec![token], Refusal::Host),
            ("GET", "/credentials", vec![("host", "127.0.0.1"), token], Refusal::Host),
            ("GET", "/credentials", vec![("host", "127.0.0.1:4001"), token], Refusal::Host),
            ("GET", "/credentials", vec![("host", "[::1]:4000"), token], Refusal::Host),
            ("GET", "/credentials", vec![("host", "evil.example:4000"), token], Refusal::Host),
            ("GET", "/credentials", vec![host, host, token], Refusal::Host),
            ("GET", "http://evil.example/credentials", vec![host, token], Refusal::Host),
            ("POST", "/credentials/", vec![host], Refusal::Path),
            ("GET", "/", vec![host, token], Refusal::Path),
            ("GET", "//credentials", vec![host, token], Refusal::Path),
            ("HEAD", "/credentials", vec![host], Refusal::Method),
            ("POST", "/credentials", vec![host, token], Refusal::Method),
            ("GET", "/credentials", vec![host], Refusal::Token),
            ("GET", "/credentials", vec![host, token, token], Refusal::Token),
            ("GET", "/credentials", vec![host, ("authorization", &TOKEN[1..])], Refusal::Token),
            (
                "GET",
                "/credentials",
                vec![host, ("authorization", "Bearer 0123456789abcdef0123456789abcdef")],
                Refusal::Token,
            ),
        ] {
            assert_eq!(
                endpoint.check(&request(method, target, &headers)),
                Err(refusal),
                "{method} {target} {headers:?}"
            );
        }
    }

    #[test]
    fn the_address_of_ipv6_is_a_host_where_it_is_listened_on() {
        let endpoint = endpoint((Ipv6Addr::LOCALHOST, 4000));
        for host in ["[::1]:4000", "localhost:4000", "127.0.0.1:4000"] {
            let request = request("GET", "/credentials", &[("host", host), ("authorization", TOKEN)]);
            assert_eq!(endpoint.check(&request), Ok(()), "{host}");
        }
        assert_eq!(endpoint.url(), "http://[::1]:4000/credentials");
    }

    #[test]
    fn the_port_of_http_may_be_left_out() {
        let endpoint = endpoint((Ipv4Addr::LOCALHOST, 80));
        for host in ["localhost", "localhost:80"] {
            let request = request("GET", "/credentials", &[("host", host), ("authorization", TOKEN)]);
            assert_eq!(endpoint.check(&request), Ok(()), "{host}");
        }
    }

    #[test]
    fn the_document_has_the_names_of_the_container_provider() {
        assert_eq!(
            success(&temporary_key()).body(),
            "{\"AccessKeyId\":\"aje0\",\"SecretAccessKey\":\"YC+/s\",\"Token\":\"s1.a==.b\",\
             \"Expiration\":\"2025-12-16T06:23:51.383485065Z\"}"
        );
    }

    #[test]
    fn a_token_is_long_enough_and_can_be_sent() {
        assert_eq!(parse_token(TOKEN.into()).unwrap().expose_secret(), TOKEN);
        for (content, rule) in [
            ("", "has 0 characters, but a token has at least 32"),
            (&TOKEN[1..], "has 31 characters, but a token has at least 32"),
            ("0123456789abcdef 0123456789abcdef", "must hold visible ASCII characters alone"),
            ("0123456789abcdefé0123456789abcdef", "must hold visible ASCII characters alone"),
            (
                "0123456789abcdef0123456789abcdef\n",
                "has a line break, which AWS SDKs do not accept in a token; write it without one",
            ),
        ] {
            assert_eq!(parse_token(content.into()).unwrap_err(), rule);
        }
        let [one, two] = [(); 2].map(|()| secret::random().unwrap());
        assert!(one.expose_secret().len() == 43 && one.expose_secret() != two.expose_secret());
        assert!(parse_token(one.expose_secret().into()).is_ok());
    }

    proptest! {
        #[test]
        fn no_other_token_is_accepted(token in "[!-~]{0,40}") {
            let endpoint = endpoint((Ipv4Addr::LOCALHOST, 4000));
            let request = request("GET", "/credentials", &[("host", "localhost:4000"), ("authorization", &token)]);
            prop_assert_eq!(endpoint.check(&request).is_ok(), token == TOKEN);
        }
    }
}
