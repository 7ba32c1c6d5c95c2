//! AWS Signature Version 4 in an `Authorization` header, checked as AWS does.
//! Source: AWS documentation, "Create a signed AWS API request" and "Signature Version 4 signing process".

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use hyper::HeaderMap;
use hyper::http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ring::digest::{SHA256, digest};
use ring::hmac::{HMAC_SHA256, Key, sign};

use crate::call::single;
use crate::status::{INVALID_ARGUMENT, PERMISSION_DENIED, Status};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far the clock of a request may be off.
const SKEW: TimeDelta = TimeDelta::minutes(15);
/// What S3 takes for the hash of a body that is not signed.
const UNSIGNED: [&str; 2] = ["UNSIGNED-PAYLOAD", CHUNKED];
/// The same, of a body in chunks with checksums after them. Source: Amazon S3 documentation, signature calculations
/// with trailing checksums.
pub(crate) const CHUNKED: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
/// All that stays as it is: letters, digits, `-`, `.`, `_` and `~`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An `Authorization` header that has been taken apart.
#[derive(Debug)]
pub(crate) struct Signed<'a> {
    /// The ID of the key that it names.
    pub(crate) key_id: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    headers: Vec<&'a str>,
    signature: &'a str,
    /// When it was made, as sent.
    time: &'a str,
}

impl<'a> Signed<'a> {
    /// Reads the header, and refuses one that AWS would not understand.
    pub(crate) fn read(headers: &'a HeaderMap) -> Result<Self, Status> {
        let Some(header) = single(headers, "authorization")? else {
            let missing = Status::new(PERMISSION_DENIED, "Request is missing Authentication Token");
            return Err(missing.named("MissingAuthenticationToken"));
        };
        let parts = header.strip_prefix(ALGORITHM).and_then(|rest| rest.strip_prefix(' '));
        let parts = parts.ok_or_else(|| incomplete("the algorithm must be AWS4-HMAC-SHA256"))?;
        let mut known = [("Credential", None), ("SignedHeaders", None), ("Signature", None)];
        for part in parts.split(',') {
            let (name, value) = part.trim().split_once('=').ok_or_else(|| incomplete("a part has no value"))?;
            match known.iter_mut().find(|(known, _)| *known == name) {
                Some((_, slot @ None)) => *slot = Some(value),
                Some(_) => return Err(incomplete(format!("{name} is given twice"))),
                None => return Err(incomplete(format!("{name} is unknown"))),
            }
        }
        let [(_, Some(credential)), (_, Some(signed)), (_, Some(signature))] = known else {
            return Err(incomplete("Credential, SignedHeaders and Signature are required"));
        };
        let [key_id, date, region, service, "aws4_request"] = credential.split('/').collect::<Vec<_>>()[..] else {
            return Err(incomplete("Credential must be <key>/<date>/<region>/<service>/aws4_request"));
        };
        let time = single(headers, "x-amz-date")?.ok_or_else(|| incomplete("X-Amz-Date is required"))?;
        Ok(Self { key_id, date, region, service, headers: signed.split(';').collect(), signature, time })
    }

    /// Checks scope, time and signature of a request.
    pub(crate) fn verify(
        &self,
        secret: &str,
        scope: (&str, &str),
        head: &Parts,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<(), Status> {
        if (self.region, self.service) != scope {
            let (region, service) = scope;
            return Err(mismatch(format!("Credential should be scoped to region {region} and service {service}")));
        }
        let time = NaiveDateTime::parse_from_str(self.time, "%Y%m%dT%H%M%SZ").map(|time| time.and_utc());
        let time = time.map_err(|_| incomplete("X-Amz-Date must be YYYYMMDD'T'HHMMSS'Z'"))?;
        if time.format("%Y%m%d").to_string() != self.date {
            return Err(mismatch("Date in Credential scope does not match YYYYMMDD from X-Amz-Date"));
        }
        self.check_headers(&head.headers)?;
        let mut payload = hex(digest(&SHA256, body).as_ref());
        let announced = single(&head.headers, "x-amz-content-sha256")?;
        if let Some(unsigned) = announced.filter(|text| self.service == "s3" && UNSIGNED.contains(text)) {
            unsigned.clone_into(&mut payload);
        }
        if announced.is_some_and(|announced| announced != payload) {
            let text = "The provided x-amz-content-sha256 header does not match what was computed";
            return Err(Status::new(INVALID_ARGUMENT, text).named("XAmzContentSHA256Mismatch"));
        }
        if (now - time).abs() > SKEW {
            // STS of AWS words this as a mismatch; the name is that of S3, which says what is wrong.
            let text = "The difference between the request time and the server's time is too large";
            return Err(Status::new(PERMISSION_DENIED, text).named("RequestTimeTooSkewed"));
        }
        let request = self.canonical_request(head, &payload)?;
        let key = signing_key(secret, self.date, self.region, self.service);
        if hex(sign(&key, self.string_to_sign(&request).as_bytes()).as_ref()) == self.signature {
            return Ok(());
        }
        Err(mismatch(
            "The request signature we calculated does not match the signature you provided. Check your key and \
             signing method",
        ))
    }

    /// `host`, `content-type` and all of `x-amz-*` must be signed; the list is sorted, in lower case, without repeats.
    fn check_headers(&self, headers: &HeaderMap) -> Result<(), Status> {
        if !self.headers.is_sorted_by(|a, b| a < b) || self.headers.iter().any(|name| name.to_lowercase() != **name) {
            return Err(incomplete("SignedHeaders must be sorted, in lower case and without repeats"));
        }
        let sent = headers.keys().map(hyper::header::HeaderName::as_str);
        let wanted = sent.filter(|name| *name == "content-type" || name.starts_with("x-amz-")).chain(["host"]);
        match wanted.into_iter().find(|name| !self.headers.contains(name)) {
            Some(name) => Err(mismatch(format!("the header {name} is not signed"))),
            None => Ok(()),
        }
    }

    fn canonical_request(&self, head: &Parts, payload: &str) -> Result<String, Status> {
        // Only S3 takes the path as it was sent. Source: AWS documentation, "Create a signed AWS API request".
        let encode = if self.service == "s3" { recode } else { encode };
        let path: Vec<String> = head.uri.path().split('/').map(encode).collect();
        let pairs = head.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let mut query: Vec<(String, String)> = pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (recode(name), recode(value))
            })
            .collect();
        query.sort();
        let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut lines = vec![head.method.to_string(), path.join("/"), query.join("&")];
        for name in &self.headers {
            lines.push(format!("{name}:{}", canonical_value(head, name)?));
        }
        lines.extend([String::new(), self.headers.join(";"), payload.to_owned()]);
        Ok(lines.join("\n"))
    }

    fn string_to_sign(&self, request: &str) -> String {
        let scope = format!("{}/{}/{}/aws4_request", self.date, self.region, self.service);
        let digest = hex(digest(&SHA256, request.as_bytes()).as_ref());
        [ALGORITHM, self.time, &scope, &digest].join("\n")
    }
}

/// The values of a header, trimmed, with single spaces, and separated by commas.
fn canonical_value(head: &Parts, name: &str) -> Result<String, Status> {
    let mut values = Vec::new();
    for value in head.headers.get_all(name) {
        let text = value.to_str().map_err(|_| incomplete(format!("the header {name} must be ASCII text")))?;
        values.push(text.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
    }
    // HTTP/2 has the host in `:authority`.
    if values.is_empty() && name == "host" {
        values.extend(head.uri.authority().map(ToString::to_string));
    }
    if values.is_empty() {
        return Err(incomplete(format!("the header {name} is signed but missing")));
    }
    Ok(values.join(","))
}

fn signing_key(secret: &str, date: &str, region: &str, service: &str) -> Key {
    let first = Key::new(HMAC_SHA256, format!("AWS4{secret}").as_bytes());
    [date, region, service, "aws4_request"]
        .into_iter()
        .fold(first, |key, part| Key::new(HMAC_SHA256, sign(&key, part.as_bytes()).as_ref()))
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

fn recode(text: &str) -> String {
    encode(&percent_decode_str(text).decode_utf8_lossy())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])).collect()
}

fn incomplete(message: impl Into<String>) -> Status {
    Status::new(INVALID_ARGUMENT, message).named("IncompleteSignature")
}

fn mismatch(message: impl Into<String>) -> Status {
    Status::new(PERMISSION_DENIED, message).named("SignatureDoesNotMatch")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn head(target: &str, headers: &[(&str, &str)], authorization: &str) -> Parts {
        let mut request = hyper::Request::get(target).header("authorization", authorization);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn at(time: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(time).unwrap().to_utc()
    }

    /// Source: AWS General Reference, examples of the complete version 4 signing process (`ListUsers`).
    fn list_users() -> Parts {
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        let headers = [
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("host", "iam.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
        ];
        head("/?Action=ListUsers&Version=2010-05-08", &headers, authorization)
    }

    /// The bytes of a key cannot be seen, but what it signs can; so the last step is taken by hand.
    #[test]
    fn the_signing_key_is_that_of_the_documented_example() {
        let published = "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9";
        let bytes = (0..32).map(|i| u8::from_str_radix(&published[2 * i..2 * i + 2], 16).unwrap());
        let published = Key::new(HMAC_SHA256, &bytes.collect::<Vec<_>>());
        let derived = signing_key(SECRET, "20150830", "us-east-1", "iam");
        assert_eq!(sign(&derived, b"any text").as_ref(), sign(&published, b"any text").as_ref());
    }

    #[test]
    fn the_documented_example_verifies() {
        let head = list_users();
        let signed = Signed::read(&head.headers).unwrap();
        assert_eq!(signed.key_id, "AKIDEXAMPLE");
        let request = signed.canonical_request(&head, &hex(digest(&SHA256, b"").as_ref())).unwrap();
        assert_eq!(
            hex(digest(&SHA256, request.as_bytes()).as_ref()),
            "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59"
        );
        signed.verify(SECRET, ("us-east-1", "iam"), &head, b"", at("2015-08-30T12:36:00Z")).unwrap();
    }

    /// Source: AWS Signature Version 4 test suite, `get-vanilla`.
    #[test]
    fn the_plainest_request_of_the_test_suite_verifies() {
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        let headers = [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")];
        let head = head("/", &headers, authorization);
        let signed = Signed::read(&head.headers).unwrap();
        signed.verify(SECRET, ("us-east-1", "service"), &head, b"", at("2015-08-30T12:50:59Z")).unwrap();
    }

    #[test]
    fn the_host_may_be_the_authority_of_http2() {
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        let head = head("https://example.amazonaws.com/", &[("x-amz-date", "20150830T123600Z")], authorization);
        let signed = Signed::read(&head.headers).unwrap();
        signed.verify(SECRET, ("us-east-1", "service"), &head, b"", at("2015-08-30T12:36:00Z")).unwrap();
    }

    #[test]
    fn anything_that_differs_is_refused() {
        let head = list_users();
        let signed = Signed::read(&head.headers).unwrap();
        let verify = |secret, scope, body: &[u8], now| {
            signed.verify(secret, scope, &head, body, at(now)).unwrap_err().name.unwrap()
        };
        let (scope, now) = (("us-east-1", "iam"), "2015-08-30T12:36:00Z");
        assert_eq!(verify("other", scope, b"", now), "SignatureDoesNotMatch");
        assert_eq!(verify(SECRET, scope, b"x", now), "SignatureDoesNotMatch");
        assert_eq!(verify(SECRET, ("us-east-1", "sts"), b"", now), "SignatureDoesNotMatch");
        assert_eq!(verify(SECRET, ("ru-central1", "iam"), b"", now), "SignatureDoesNotMatch");
        assert_eq!(verify(SECRET, scope, b"", "2015-08-30T12:51:01Z"), "RequestTimeTooSkewed");
        assert_eq!(verify(SECRET, scope, b"", "2015-08-30T12:20:59Z"), "RequestTimeTooSkewed");
    }

    #[test]
    fn values_of_headers_are_folded_and_queries_are_sorted() {
        let authorization = "AWS4-HMAC-SHA256 Credential=K/20150830/r/s/aws4_request, SignedHeaders=host;x-amz-date, \
             Signature=0";
        let headers = [("host", "  a   b "), ("x-amz-date", "20150830T123600Z")];
        let head = head("/a%20b?z=1&a=%7e&a=%2B", &headers, authorization);
        let signed = Signed::read(&head.headers).unwrap();
        let request = signed.canonical_request(&head, "hash").unwrap();
        assert_eq!(
            request,
            "GET\n/a%2520b\na=%2B&a=~&z=1\nhost:a b\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date\nhash"
        );
    }
}
