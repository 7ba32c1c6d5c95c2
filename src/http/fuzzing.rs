//! What the fuzz targets run, of the parts of this module that nothing else uses from outside.

use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::clock::ServerClock;
use super::origin::Origin;
use super::proxy::Proxy;
use super::tls::roots::{CertificateNames, Issuers, PemBlock};
use super::{Response, Url};
use crate::env::Env;
use crate::error::{RequestIds, Result};
use crate::secret::Masks;

/// A response with these headers, those that HTTP does not allow left out, and the delay that it asks for.
pub fn response(status: u16, headers: &[(&str, &str)], body: &[u8]) -> (Response, Option<Duration>) {
    let header =
        |(name, value): &(&str, &str)| Some((name.parse::<HeaderName>().ok()?, value.parse::<HeaderValue>().ok()?));
    let headers: HeaderMap = headers.iter().filter_map(header).collect();
    let now = DateTime::from_timestamp_nanos(1_767_225_600_000_000_000);
    let date = super::header_text(&headers, "date").and_then(super::retry::parse_http_date);
    let clock = ServerClock::new(date, true, now);
    let origin = Origin { host: "iam.example".into(), proxy: None };
    let response = Response::new(status, headers, body.to_vec(), RequestIds::default(), clock, origin, true);
    let delay = response.requested_delay();
    (response, delay)
}

/// Whether the proxy of this variable is used for a URL; `None` when the variable names none.
///
/// # Errors
/// The variable is not the URL of a proxy.
pub fn proxy_is_used(variables: &Env, url: &Url) -> Result<Option<bool>> {
    let Some(proxy) = Proxy::from_env(variables, &Masks::default())? else { return Ok(None) };
    let _ = (proxy.address(), proxy.has_tls_host("proxy"));
    proxy.to_reqwest()?;
    Ok(Some(proxy.is_used_for(url)))
}

/// A block of a PEM text.
pub struct Block {
    /// The certificate, as DER.
    pub certificate: Option<Vec<u8>>,
    /// Its subject, as DER without its outer tag and length.
    pub subject: Option<Vec<u8>>,
}

/// The certificates of a PEM text.
pub fn certificates(text: &[u8]) -> Vec<Block> {
    let subject = |der: &[u8]| CertificateNames::read(der).map(|names| names.subject.to_vec());
    let blocks = PemBlock::all(text).map(|block| block.certificate().map(|der| der.to_vec()));
    blocks.map(|certificate| Block { subject: certificate.as_deref().and_then(subject), certificate }).collect()
}

/// The certificate at this place of a PEM text, if this is its subject.
pub fn certificate_if_among(text: &[u8], at: usize, subject: &[u8]) -> Option<Vec<u8>> {
    let issuers = Issuers(vec![subject]);
    PemBlock::all(text).nth(at)?.certificate_if_among(&issuers).map(|der| der.to_vec())
}
