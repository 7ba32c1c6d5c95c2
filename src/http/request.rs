//! A request, as callers describe it and as every attempt sends it.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{IDEMPOTENCY_KEY, Method, REQUEST_ID, TRACE_ID, Url, debug, new_idempotency_key};
use crate::error::{Error, Result};
use crate::log::Log;
use crate::text::{host, percent, quote};

#[derive(Clone)]
pub struct Request<'a> {
    pub method: Method,
    /// The full URL, with the query.
    pub url: &'a str,
    /// The token of the `Authorization` header.
    pub bearer: Option<&'a SecretString>,
    /// Further headers; they replace the usual ones of the same name.
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
    pub repeat: Repeat,
    /// The `Idempotency-Key` of a request that changes something; the caller of one that it may make once more gives the
    /// same again, others get a new one.
    pub idempotency_key: Option<&'a str>,
}

/// The body of a request.
#[derive(Clone)]
pub enum Body {
    Empty,
    Json(Value),
    /// `application/x-www-form-urlencoded`: names and values, not yet encoded.
    Form(Vec<(&'static str, String)>),
    /// Any other content, sent as it is.
    Bytes {
        content_type: &'static str,
        content: Vec<u8>,
    },
}

/// Whether a request may be sent again after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Always: it reads, or doing it twice is the same as doing it once.
    Always,
    /// Only when the server has certainly not processed it: doing it twice would make a second secret.
    Unprocessed,
}

impl<'a> Request<'a> {
    /// A request that has no body and may be repeated.
    pub fn new(method: Method, url: &'a str) -> Self {
        Self {
            method,
            url,
            bearer: None,
            headers: vec![],
            body: Body::Empty,
            repeat: Repeat::Always,
            idempotency_key: None,
        }
    }
}

impl Body {
    /// The `Content-Type` and the content.
    fn encode(self) -> (Option<&'static str>, Option<Vec<u8>>) {
        match self {
            Self::Empty => (None, None),
            Self::Json(value) => (Some("application/json"), Some(value.to_string().into_bytes())),
            Self::Form(pairs) => (Some("application/x-www-form-urlencoded"), Some(encode_form(&pairs).into_bytes())),
            Self::Bytes { content_type, content } => (Some(content_type), Some(content)),
        }
    }
}

/// A checked and encoded request: what all its attempts have in common.
pub(super) struct PreparedRequest {
    method: Method,
    pub(super) url: Url,
    /// Host and port, for messages.
    pub(super) host: String,
    headers: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
    pub(super) repeat: Repeat,
}

impl PreparedRequest {
    /// # Errors
    /// The URL is malformed, or a header has characters that cannot be sent.
    pub(super) fn new(request: Request<'_>, trace_id: &str, log: &Log) -> Result<Self> {
        host::check_ascii(request.url).map_err(|rule| Error::usage(format!("{} {rule}", quote::value(request.url))))?;
        let url = Url::parse(request.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| Error::config(format!("{} is not an http or https URL", quote::value(request.url))))?;
        let host = host_and_port(&url);

        let mut headers = HeaderMap::new();
        insert_header(&mut headers, "accept", "application/json")?;
        insert_header(&mut headers, TRACE_ID, trace_id)?;
        if matches!(request.method, Method::POST | Method::PATCH | Method::DELETE) {
            let key = request.idempotency_key.map_or_else(new_idempotency_key, str::to_owned);
            insert_header(&mut headers, IDEMPOTENCY_KEY, &key)?;
        }
        if let Some(token) = request.bearer {
            log.masks.add(token);
            let value = SecretString::from(format!("Bearer {}", token.expose_secret()));
            insert_header(&mut headers, "authorization", value.expose_secret())?;
        }
        let (content_type, body) = request.body.encode();
        if let Some(content_type) = content_type {
            insert_header(&mut headers, "content-type", content_type)?;
        }
        for (name, value) in request.headers {
            insert_header(&mut headers, name, &value)?;
        }
        Ok(Self { method: request.method, url, host, headers, body, repeat: request.repeat })
    }

    /// The request of one attempt.
    pub(super) fn to_reqwest(&self, request_id: &str) -> Result<reqwest::Request> {
        let mut request = reqwest::Request::new(self.method.clone(), self.url.clone());
        *request.headers_mut() = self.headers.clone();
        insert_header(request.headers_mut(), REQUEST_ID, request_id)?;
        *request.body_mut() = self.body.clone().map(Into::into);
        Ok(request)
    }
}

/// The host of a URL, and the port where it is not the scheme's own.
pub(super) fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn encode_form(pairs: &[(&str, String)]) -> String {
    let encode = |text| percent::encode(text).to_string();
    pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

fn insert_header(headers: &mut HeaderMap, name: &str, value: &str) -> Result<()> {
    let header = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
    // The value is not shown, because it may be a secret.
    let (name, mut value) = header
        .ok_or_else(|| Error::usage(format!("the value of the header '{name}' has characters that cannot be sent")))?;
    value.set_sensitive(debug::is_secret_header(name.as_str()));
    headers.insert(name, value);
    Ok(())
}
