//! AWS Signature Version 4, in the header `Authorization`.
//!
//! Source: AWS documentation, "Create a signed AWS API request". The path is normalized and encoded as all services
//! but S3 have it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, utf8_percent_encode};
use ring::hmac::{self, HMAC_SHA256};
use secrecy::{ExposeSecret, SecretString};

use crate::text::digest::{hex, sha256_hex};
use crate::text::percent::{self, RESERVED};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// In a path the slash stands for itself, too.
const IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// What is signed.
#[derive(Debug, Clone, Copy, Default)]
pub struct SignableRequest<'a> {
    /// The method in upper case.
    pub method: &'a str,
    /// The path as it is sent, encoded.
    pub path: &'a str,
    /// Names and values of the query, not encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// The headers that are to be signed, `host` among them; `x-amz-date` is added.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
}

/// Who signs.
#[derive(Debug, Clone)]
pub struct SigningKey {
    /// The ID of the access key.
    pub id: String,
    /// Its secret.
    pub secret: SecretString,
}

/// What a signature is good for.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The region.
    pub region: &'a str,
    /// The service in lower case.
    pub service: &'a str,
}

/// The headers that make a request a signed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// `x-amz-date`.
    pub date: String,
    /// `authorization`.
    pub authorization: String,
}

/// Signs a request as of `time`.
pub fn sign(request: &SignableRequest<'_>, key: &SigningKey, scope: Scope<'_>, time: DateTime<Utc>) -> Signature {
    let date = time.format("%Y%m%dT%H%M%SZ").to_string();
    let day = &date[..8];
    let (canonical, signed_headers) = canonical_request(request, &date);
    let Scope { region, service } = scope;
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let to_sign = format!("{ALGORITHM}\n{date}\n{scope}\n{}", sha256_hex(canonical.as_bytes()));
    let signature = hmac::sign(&derive_key(key, day, region, service), to_sign.as_bytes());
    let authorization = format!(
        "{ALGORITHM} Credential={}/{scope}, SignedHeaders={signed_headers}, Signature={}",
        key.id,
        hex(signature.as_ref())
    );
    Signature { date, authorization }
}

/// The request in its one form, and the names of the headers in it.
fn canonical_request(request: &SignableRequest<'_>, date: &str) -> (String, String) {
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in request.headers.iter().chain(&[("x-amz-date", date)]) {
        let value = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        headers.entry(name.to_ascii_lowercase()).or_default().push(value);
    }
    let names = headers.keys().map(String::as_str).collect::<Vec<_>>().join(";");
    let line = |(name, values): (&String, &Vec<String>)| format!("{name}:{}\n", values.join(","));
    let headers: String = headers.iter().map(line).collect();
    let canonical = format!(
        "{}\n{}\n{}\n{headers}\n{names}\n{}",
        request.method,
        utf8_percent_encode(&normal_path(request.path), IN_PATH),
        canonical_query(request.query),
        sha256_hex(request.body)
    );
    (canonical, names)
}

/// Sorted by encoded name and encoded value.
fn canonical_query(query: &[(&str, &str)]) -> String {
    let encode = |text| percent::encode(text).to_string();
    let mut pairs: Vec<_> = query.iter().map(|(name, value)| (encode(name), encode(value))).collect();
    pairs.sort();
    pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// The path without `.`, `..` and empty segments: RFC 3986, 5.2.4.
fn normal_path(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => _ = segments.pop(),
            segment => segments.push(segment),
        }
    }
    let end = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    format!("/{}{end}", segments.join("/"))
}

fn derive_key(key: &SigningKey, day: &str, region: &str, service: &str) -> hmac::Key {
    let first = SecretString::from(format!("AWS4{}", key.secret.expose_secret()));
    let first = hmac::Key::new(HMAC_SHA256, first.expose_secret().as_bytes());
    [day, region, service, "aws4_request"]
        .into_iter()
        .fold(first, |key, part| hmac::Key::new(HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOST: (&str, &str) = ("Host", "example.amazonaws.com");

    fn key() -> SigningKey {
        SigningKey { id: "AKIDEXAMPLE".into(), secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into() }
    }

    fn time() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2015-08-30T12:36:00Z").unwrap().to_utc()
    }

    /// The headers and the signature of a request of the test suite.
    fn signed(request: &SignableRequest<'_>) -> (String, String) {
        let scope = Scope { region: "us-east-1", service: "service" };
        let Signature { date, authorization } = sign(request, &key(), scope, time());
        assert_eq!(date, "20150830T123600Z");
        let rest = authorization
            .strip_prefix(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=",
            )
            .unwrap();
        let (headers, signature) = rest.split_once(", Signature=").unwrap();
        (headers.to_owned(), signature.to_owned())
    }

    #[test]
    fn the_signing_key_is_that_of_the_documentation() {
        // What a key signs tells it from every other one.
        let published: Vec<u8> = "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
            .as_bytes()
            .chunks(2)
            .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap())
            .collect();
        let derived = derive_key(&key(), "20150830", "us-east-1", "iam");
        let published = hmac::Key::new(HMAC_SHA256, &published);
        assert_eq!(hmac::sign(&derived, b"x").as_ref(), hmac::sign(&published, b"x").as_ref());
    }

    /// Source: AWS General Reference, "Examples of the complete Version 4 signing process".
    #[test]
    fn the_documented_request_has_the_documented_signature() {
        let request = SignableRequest {
            method: "GET",
            path: "/",
            query: &[("Version", "2010-05-08"), ("Action", "ListUsers")],
            headers: &[
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("host", "iam.amazonaws.com"),
            ],
            body: b"",
        };
        let (canonical, _) = canonical_request(&request, "20150830T123600Z");
        assert_eq!(
            sha256_hex(canonical.as_bytes()),
            "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59"
        );
        let signature = sign(&request, &key(), Scope { region: "us-east-1", service: "iam" }, time());
        assert_eq!(
            signature.authorization,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }

    /// Source: the AWS Signature Version 4 test suite.
    #[test]
    fn the_requests_of_the_test_suite_have_their_signatures() {
        let get = SignableRequest { method: "GET", path: "/", headers: &[HOST], ..SignableRequest::default() };
        let post = SignableRequest { method: "POST", ..get };
        let unreserved = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        let form_utf8 = ("Content-Type", "application/x-www-form-urlencoded; charset=utf8");
        let suite = [
            ("get-vanilla", get, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            (
                "get-vanilla-empty-query-key",
                SignableRequest { query: &[("Param1", "value1")], ..get },
                "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
            ),
            (
                "get-vanilla-query-order-key-case",
                SignableRequest { query: &[("Param2", "value2"), ("Param1", "value1")], ..get },
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "get-unreserved",
                SignableRequest { path: unreserved, ..get },
                "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
            ),
            (
                "get-utf8",
                SignableRequest { path: "/\u{1234}", ..get },
                "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
            ),
            (
                "normalize-path/get-slashes",
                SignableRequest { path: "//example//", ..get },
                "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
            ),
            (
                "normalize-path/get-relative-relative",
                SignableRequest { path: "/example1/example2/../..", ..get },
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-header-value-trim",
                SignableRequest {
                    headers: &[HOST, ("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")],
                    ..get
                },
                "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
            ),
            (
                "get-header-key-duplicate",
                SignableRequest {
                    headers: &[HOST, ("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")],
                    ..get
                },
                "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
            ),
            (
                "get-header-value-order",
                SignableRequest {
                    headers: &[
                        HOST,
                        ("My-Header1", "value4"),
                        ("My-Header1", "value1"),
                        ("My-Header1", "value3"),
                        ("My-Header1", "value2"),
                    ],
                    ..get
                },
                "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
            ),
            ("post-vanilla", post, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (
                "post-vanilla-query",
                SignableRequest { query: &[("Param1", "value1")], ..post },
                "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
            ),
            (
                "post-header-key-sort",
                SignableRequest { headers: &[HOST, ("My-Header1", "value1")], ..post },
                "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
            ),
            (
                "post-header-value-case",
                SignableRequest { headers: &[HOST, ("My-Header1", "VALUE1")], ..post },
                "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
            ),
            (
                "post-x-www-form-urlencoded",
                SignableRequest { headers: &[HOST, form], body: b"Param1=value1", ..post },
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                "post-x-www-form-urlencoded-parameters",
                SignableRequest { headers: &[HOST, form_utf8], body: b"Param1=value1", ..post },
                "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
            ),
        ];
        let wrong: Vec<_> =
            suite.iter().filter(|(_, request, wanted)| signed(request).1 != *wanted).map(|(name, ..)| name).collect();
        assert_eq!(wrong, [] as [&&str; 0]);
        assert_eq!(signed(&suite[7].1).0, "host;my-header1;my-header2;x-amz-date");
    }

    #[test]
    fn queries_are_encoded_before_they_are_sorted() {
        let query = [("b", ""), ("a", "1 2"), ("a", "+"), ("a", "~"), ("é", "/"), ("A", "=")];
        assert_eq!(canonical_query(&query), "%C3%A9=%2F&A=%3D&a=%2B&a=1%202&a=~&b=");
    }

    #[test]
    fn paths_lose_what_means_nothing() {
        for (path, normal) in
            [("", "/"), ("/", "/"), ("//a//", "/a/"), ("/a/./b", "/a/b"), ("/a/../..", "/"), ("/a/..", "/")]
        {
            assert_eq!(normal_path(path), normal, "{path}");
        }
    }

    proptest! {
        #[test]
        fn signing_never_panics(path in ".{0,20}", name in ".{0,9}", value in ".{0,9}", body in ".{0,20}") {
            let pair = [(name.as_str(), value.as_str())];
            let body = body.as_bytes();
            let request = SignableRequest { method: "PUT", path: &path, query: &pair, headers: &pair, body };
            let (headers, signature) = signed(&request);
            prop_assert!(headers.contains("x-amz-date"));
            prop_assert_eq!(signature.len(), 64);
        }
    }
}
