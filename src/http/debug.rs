//! The lines of `--debug` and `--debug-grpc`.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::Value;

use super::failure::Failure;
use super::response::Response;
use crate::log::Log;
use crate::secret::{MASK, Masks, is_secret_field};

/// Whether a header of this name, in lower case, holds a secret.
pub(super) fn is_secret_header(name: &str) -> bool {
    is_secret_field(name) || name.ends_with("-token") || name.ends_with("cookie")
}

pub(super) fn log_request(log: &Log, attempt: u32, request: &reqwest::Request, body: Option<&[u8]>) {
    log.request(|| {
        let id = request.headers().get(super::REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
        let size = body.map_or(0, <[u8]>::len);
        format!("#{attempt} {} {} ({size} bytes, client-request-id {id})", request.method(), request.url())
    });
    log_content(log, &format!("#{attempt} > "), request.headers(), body.unwrap_or_default());
}

pub(super) fn log_response(log: &Log, attempt: u32, result: Result<&Response, &Failure>, elapsed: Duration) {
    let elapsed = elapsed.as_millis();
    match result {
        Ok(response) => {
            log.request(|| {
                let mut line =
                    format!("#{attempt} {} in {elapsed} ms ({} bytes", response.status, response.body().len());
                for (name, id) in [
                    ("server-request-id", &response.ids.server_request),
                    ("server-trace-id", &response.ids.server_trace),
                ] {
                    if let Some(id) = id {
                        // Writing to a string cannot fail.
                        let _ = write!(line, ", {name} {id}");
                    }
                }
                line + ")"
            });
            log_content(log, &format!("#{attempt} < "), response.headers(), response.body());
        }
        Err(failure) => log.request(|| format!("#{attempt} failed in {elapsed} ms: {}", failure.error)),
    }
}

/// Headers and body, with every secret masked.
fn log_content(log: &Log, prefix: &str, headers: &HeaderMap, body: &[u8]) {
    for (name, value) in headers {
        log.body(|| format!("{prefix}{name}: {}", mask_header(name.as_str(), value)));
    }
    if !body.is_empty() {
        log.body(|| format!("{prefix}{}", mask_body(body, &log.masks)));
    }
}

fn mask_header<'a>(name: &str, value: &'a HeaderValue) -> Cow<'a, str> {
    if value.is_sensitive() || is_secret_header(name) {
        return MASK.into();
    }
    String::from_utf8_lossy(value.as_bytes())
}

fn mask_body(body: &[u8], masks: &Masks) -> String {
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        return masks.mask_json(&value).to_string();
    }
    match std::str::from_utf8(body) {
        Ok(text) if text.trim_start().starts_with('<') => masks.mask(&mask_xml(text)),
        Ok(text) => masks.mask(&mask_form(text)),
        Err(_) => format!("{} bytes that are not text", body.len()),
    }
}

/// A form with the values of secret fields replaced; any other text comes out as it is.
fn mask_form(text: &str) -> String {
    let mask = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_secret_field(name) => format!("{name}={MASK}"),
        _ => pair.to_owned(),
    };
    text.split('&').map(mask).collect::<Vec<_>>().join("&")
}

/// XML with the text of secret elements replaced.
fn mask_xml(text: &str) -> String {
    let mask = |piece: &str| match piece.split_once('>') {
        Some((name, content)) if is_secret_field(name) && !content.is_empty() => format!("{name}>{MASK}"),
        _ => piece.to_owned(),
    };
    text.split('<').map(mask).collect::<Vec<_>>().join("<")
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn shown(body: &[u8]) -> String {
        mask_body(body, &Masks::default())
    }

    #[test]
    fn bodies_are_masked_by_field_name_in_every_notation() {
        assert_eq!(shown(br#"{"iamToken": "x", "id": 1}"#), r#"{"iamToken":"****","id":1}"#);
        assert_eq!(shown(b"grant_type=a&subject_token=b%3D&x=c"), "grant_type=a&subject_token=****&x=c");
        let xml = "<A><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Id>i</Id></A>";
        assert_eq!(
            shown(xml.as_bytes()),
            "<A><SecretAccessKey>****</SecretAccessKey><SessionToken>****</SessionToken><Id>i</Id></A>"
        );
        assert_eq!(shown(b"a line of text"), "a line of text");
        assert_eq!(shown(&[0xff, 0, 1]), "3 bytes that are not text");
    }

    #[test]
    fn a_known_secret_is_masked_anywhere() {
        let masks = Masks::default();
        masks.add(&SecretString::from("hunter2-hunter2"));
        assert_eq!(mask_body(b"<p>hunter2-hunter2", &masks), "<p>****");
        assert_eq!(mask_body(br#"["hunter2-hunter2"]"#, &masks), r#"["****"]"#);
    }

    #[test]
    fn secret_headers_are_masked() {
        let masked = |name| mask_header(name, &HeaderValue::from_static("value")).into_owned();
        for name in ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-amz-security-token"] {
            assert_eq!(masked(name), MASK, "{name}");
        }
        assert_eq!(masked("x-request-id"), "value");
        let mut sensitive = HeaderValue::from_static("value");
        sensitive.set_sensitive(true);
        assert_eq!(mask_header("x-other", &sensitive), MASK);
    }
}
