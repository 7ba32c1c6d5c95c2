//! Why an attempt brought no answer: the words for it, and whether the server may have processed the request.

use std::error::Error as StdError;
use std::time::Duration;
use std::{io, iter};

use chrono::DateTime;
use rustls::CertificateError;
use rustls::pki_types::UnixTime;

use super::Options;
use super::proxy::Proxy;
use crate::error::{Error, Kind, RequestIds};
use crate::status::{Code, Status};

/// How hyper-util begins every error about the way through a proxy.
const TUNNEL: &str = "tunnel error: ";
/// How hyper-util names a failed name resolution.
const NAME_RESOLUTION: &str = "dns error";

/// Why an attempt brought no answer.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    /// Whether the server may have processed the request.
    pub(super) processed: bool,
    /// Whether another attempt may come to something else.
    pub(super) passing: bool,
}

impl Failure {
    /// `host` is the server's, for the message.
    pub(super) fn new(error: reqwest::Error, host: &str, options: &Options, proxy: Option<&Proxy>) -> Self {
        // The address may be long and is known to the user.
        let error = error.without_url();
        if error.is_builder() {
            return Self::hopeless(Error::internal(format!("cannot send a request to {host}: {}", cause(&error))));
        }
        if error.is_connect() {
            return Self::unconnected(&error, host, options, proxy);
        }
        let processed = !is_refused_stream(&error);
        let error = Error::network(format!("no usable answer from {host}: {}", cause(&error)));
        Self { error, processed, passing: true }
    }

    /// The connection was there, so the server may have the request, but it is silent for longer than the read time-out.
    pub(super) fn silence(host: &str, options: &Options) -> Self {
        let message = format!("no answer from {host} within {}", duration(options.read_timeout));
        let error = Error::new(Kind::Timeout, message).hint("allow more time with --read-timeout");
        Self { error, processed: true, passing: true }
    }

    fn unconnected(error: &reqwest::Error, host: &str, options: &Options, proxy: Option<&Proxy>) -> Self {
        if let Some(tls) = find::<rustls::Error>(error) {
            return Self::untrusted(tls, host);
        }
        let through = causes(error).map(ToString::to_string).find(|text| text.starts_with(TUNNEL));
        if let (Some(reason), Some(proxy)) = (through, proxy) {
            return Self::no_tunnel(error, &reason, host, proxy);
        }
        // The system has time-outs of its own, which no option changes: those are errors like any other.
        let error = if error.is_timeout() && find::<io::Error>(error).is_none_or(|io| io.raw_os_error().is_none()) {
            let message = format!("no connection to {host} within {}", duration(options.connect_limit()));
            // A flag alone does not help when the other one is what limits.
            let flags = if options.connect_timeout < options.read_timeout {
                "--connect-timeout"
            } else {
                "--connect-timeout and --read-timeout, the shorter of which is the limit"
            };
            let hint = format!("check the network and the proxy settings, or allow more time with {flags}");
            Error::new(Kind::Timeout, message).hint(hint)
        } else if causes(error).any(|cause| cause.to_string() == NAME_RESOLUTION) {
            Error::network(format!("cannot find the address of {host}: {}", cause(error)))
                .hint("check the host's name and the network; behind a proxy, set HTTPS_PROXY")
        } else {
            Error::network(format!("cannot connect to {host}: {}", cause(error)))
                .hint("check the address and the network; behind a proxy, set HTTPS_PROXY")
        };
        Self { error, processed: false, passing: true }
    }

    /// The way to the server ended at the proxy.
    fn no_tunnel(error: &reqwest::Error, reason: &str, host: &str, proxy: &Proxy) -> Self {
        let reason = match &reason[TUNNEL.len()..] {
            "proxy authorization required" => "it asks for a user name and a password".to_owned(),
            "unsuccessful" => format!("it refuses to connect to {host}"),
            _ => cause(error).trim_start_matches(TUNNEL).to_owned(),
        };
        let message = format!("cannot reach {host} through the proxy {}: {reason}", proxy.address());
        let hint = format!("the proxy comes from {}; NO_PROXY lists hosts to reach without it", proxy.variable);
        Self { error: Error::network(message).hint(hint), processed: false, passing: true }
    }

    /// TLS failed: mostly because the server's certificate is not accepted, which trying again does not change.
    fn untrusted(error: &rustls::Error, host: &str) -> Self {
        match error {
            rustls::Error::InvalidCertificate(reason) => {
                let (reason, hint) = certificate(reason);
                let error = Error::network(format!("cannot trust {host}: {reason}"));
                Self::hopeless(hint.map_or(error.clone(), |hint| error.hint(hint)))
            }
            // Only the verifier of this program makes one, about the files that hold the roots.
            rustls::Error::Other(reason) => Self::hopeless(Error::config(reason.to_string())),
            other => Self {
                error: Error::network(format!("cannot connect to {host}: TLS: {other}")),
                processed: false,
                passing: true,
            },
        }
    }

    pub(super) fn redirect(http: u16, host: &str, target: Option<&str>) -> Self {
        let target = target.unwrap_or("an unknown place");
        let message = format!("{host} answered {http}, a redirect to {target}, which is not followed");
        let status = Status { code: Code::Unknown, message, details: vec![] };
        Self::hopeless(Error::refused(Some(http), status).hint("check the address of the service and the proxy"))
    }

    pub(super) fn too_large(status: u16, host: &str, limit: usize) -> Self {
        let message = format!("the answer of {host} is larger than {} MiB, the most that is read", limit >> 20);
        let error = Error::refused(Some(status), Status { code: Code::Unknown, message, details: vec![] });
        Self { processed: true, ..Self::hopeless(error) }
    }

    /// Nothing that the server may have processed, and nothing that another attempt would change.
    pub(super) fn hopeless(error: Error) -> Self {
        Self { error, processed: false, passing: false }
    }

    pub(super) fn with_ids(self, ids: RequestIds) -> Self {
        Self { error: self.error.ids(ids), ..self }
    }
}

/// What is wrong with a certificate, and what to do about it.
fn certificate(error: &CertificateError) -> (String, Option<&'static str>) {
    const CLOCK: Option<&str> = Some("check the clock of this machine");
    match error {
        CertificateError::UnknownIssuer => (
            "its certificate is not signed by a known authority".into(),
            Some("name the authority's certificate with --ca-bundle FILE or YC_CA_BUNDLE"),
        ),
        CertificateError::NotValidForName => {
            ("its certificate is for another host".into(), Some("check the address of the service"))
        }
        CertificateError::NotValidForNameContext { presented, .. } => (
            format!("its certificate is for another host: {}", presented.join(", ")),
            Some("check the address of the service"),
        ),
        CertificateError::Expired => ("its certificate has expired".into(), CLOCK),
        CertificateError::ExpiredContext { not_after, .. } => {
            (format!("its certificate has expired: it was valid until {}", date(*not_after)), CLOCK)
        }
        CertificateError::NotValidYet => ("its certificate is not valid yet".into(), CLOCK),
        CertificateError::NotValidYetContext { not_before, .. } => {
            (format!("its certificate is not valid yet: it will be from {}", date(*not_before)), CLOCK)
        }
        other => (format!("its certificate is not valid: {other}"), None),
    }
}

fn date(time: UnixTime) -> String {
    let date = i64::try_from(time.as_secs()).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    date.map_or_else(String::new, |date| date.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// Whether the server said that it has not touched the request: it ends the connection, or has no room on it.
///
/// Source: RFC 9113, section 8.7.
fn is_refused_stream(error: &reqwest::Error) -> bool {
    find::<h2::Error>(error).is_some_and(|error| {
        error.is_remote()
            && match error.reason() {
                Some(h2::Reason::NO_ERROR) => error.is_go_away(),
                Some(h2::Reason::REFUSED_STREAM) => error.is_reset(),
                _ => false,
            }
    })
}

/// The innermost cause: the one that says what happened rather than what was being done.
fn cause(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(String::new, ToString::to_string)
}

fn find<E: StdError + 'static>(error: &reqwest::Error) -> Option<&E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The error and what it comes from, the innermost last.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| {
        let error: &'a (dyn StdError + 'static) = *error;
        // `source` of an I/O error passes over the very error that it was made from.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    })
}

fn duration(limit: Duration) -> String {
    humantime::format_duration(limit).to_string()
}
