//! Where a response came from, and what is said of one that the API did not send.

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap};

use super::proxy::Proxy;
use super::{Url, host_and_port};
use crate::error::{Error, Kind};
use crate::text::{form, quote};

/// Where a response came from, for messages.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// Host and port of the server that the request was sent to.
    pub(super) host: String,
    /// The proxy that the request went through.
    pub(super) proxy: Option<OriginProxy>,
}

#[derive(Debug, Clone)]
pub(super) struct OriginProxy {
    /// Host and port.
    pub(super) address: String,
    /// The variable that names it.
    pub(super) variable: &'static str,
}

impl Origin {
    pub(super) fn new(url: &Url, proxy: Option<&Proxy>) -> Self {
        let proxy = proxy.filter(|proxy| proxy.is_used_for(url));
        let proxy = proxy.map(|proxy| OriginProxy { address: proxy.address(), variable: proxy.variable });
        Self { host: host_and_port(url), proxy }
    }

    /// The message for a response that is not one of the API.
    pub(super) fn describe_foreign(&self, http: u16, headers: &HeaderMap) -> String {
        let (host, status) = (&self.host, status_text(http));
        let media_type =
            media_type(headers).map_or_else(|| "no declared type".to_owned(), |name| format!("type {name}"));
        match &self.proxy {
            Some(proxy) => format!(
                "{host} returned {status} through the proxy {} with a body of {media_type}, which is not a response of \
                 the API",
                proxy.address
            ),
            None => format!("{host} returned {status} with a body of {media_type}, which is not a response of the API"),
        }
    }

    /// The error for a response of this status that the API did not send; `may_repeat` when the command can be run again
    /// without making a second secret.
    pub(super) fn foreign_error(&self, http: u16, message: String, may_repeat: bool) -> Error {
        let cause = match &self.proxy {
            Some(proxy) => format!(
                "the proxy, which comes from {}, may have sent this response; NO_PROXY lists hosts to reach without it",
                proxy.variable
            ),
            None => {
                "a proxy or the login page of a network may have sent this response, or the endpoint is wrong".into()
            }
        };
        let hint = if may_repeat { format!("{cause}; to see the response, add --debug-grpc") } else { cause };
        Error::new(Kind::ForeignResponse { http }, message).hint(hint)
    }
}

/// The `Content-Type` without parameters, in lower case; `None` when it is missing or malformed.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let name = header_text(headers, CONTENT_TYPE.as_str())?.split(';').next()?.trim().to_ascii_lowercase();
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    // The header is the server's own text: what is not a media type is not shown.
    let well_formed = name.split_once('/').is_some_and(|(kind, subtype)| is_part(kind) && is_part(subtype));
    (well_formed && name.len() <= quote::LONGEST && form::secret_in(&name).is_none()).then_some(name)
}

/// The status with its standard reason, e.g. `502 Bad Gateway`.
pub(super) fn status_text(http: u16) -> String {
    let known = StatusCode::from_u16(http).ok().and_then(|status| status.canonical_reason());
    known.map_or_else(|| http.to_string(), |reason| format!("{http} {reason}"))
}

/// Whether the body is declared to be a page of HTML.
pub(super) fn is_html(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|name| name.contains("html"))
}

/// The text of a header; `None` when it is missing, empty or not text.
pub(super) fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().filter(|text| !text.is_empty())
}
