//! Why an attempt got no response: the message for the user, and whether the server may have processed the request.

use std::error::Error as StdError;
use std::time::Duration;
use std::{io, iter};

use rustls::CertificateError;

use super::Options;
use super::origin::Origin;
use super::proxy::Proxy;
use super::tls::{CertificateProblem, describe_handshake};
use crate::error::{Error, Kind, RequestIds};
use crate::status::{Code, Status};
use crate::text::quote;

/// How hyper-util begins every error about a tunnel through a proxy.
const TUNNEL: &str = "tunnel error: ";
/// How hyper-util names a failed name resolution.
const NAME_RESOLUTION: &str = "dns error";

/// Why an attempt got no response.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    /// Whether the server may have processed the request.
    pub(super) may_be_processed: bool,
    /// Whether another attempt may succeed.
    pub(super) retryable: bool,
}

impl Failure {
    /// `host` is the server's, for the message, and `proxy` the one that the request went through.
    pub(super) fn from_reqwest(error: reqwest::Error, host: &str, options: &Options, proxy: Option<&Proxy>) -> Self {
        // The URL may be long and is known to the user.
        let error = error.without_url();
        if error.is_builder() {
            return Self::permanent(Error::internal(format!(
                "cannot send a request to {host}: {}",
                root_cause(&error)
            )));
        }
        if error.is_connect() {
            return Self::connect(&error, host, options, proxy);
        }
        let host = through(host, proxy);
        let may_be_processed = !is_refused_stream(&error);
        // With TLS 1.3, a server can refuse the client after the handshake.
        let reason = find_cause::<rustls::Error>(&error).map_or_else(|| root_cause(&error), describe_handshake);
        let error = Error::network(format!("no usable response from {host}: {reason}"));
        Self { error, may_be_processed, retryable: true }
    }

    /// The request was sent, and nothing was received for the read timeout.
    pub(super) fn read_timeout(host: &str, options: &Options) -> Self {
        let message = format!("no response from {host} within {}", human_duration(options.read_timeout));
        let error = Error::new(Kind::Timeout, message).hint("allow more time with --read-timeout");
        Self { error, may_be_processed: true, retryable: true }
    }

    /// The response was not complete at its deadline.
    pub(super) fn too_slow(host: &str, limit: Duration) -> Self {
        let message = format!("the response of {host} was not complete within {}", human_duration(limit));
        Self { error: Error::new(Kind::Timeout, message), may_be_processed: true, retryable: true }
    }

    /// The response ended before it was complete.
    pub(super) fn incomplete(host: &str) -> Self {
        let error = Error::network(format!("the response of {host} ended before it was complete"));
        Self { error, may_be_processed: true, retryable: true }
    }

    fn connect(error: &reqwest::Error, host: &str, options: &Options, proxy: Option<&Proxy>) -> Self {
        if let Some(tls) = find_cause::<rustls::Error>(error) {
            return Self::tls(tls, host, proxy);
        }
        let tunnel = causes(error).map(ToString::to_string).find(|text| text.starts_with(TUNNEL));
        if let (Some(reason), Some(proxy)) = (tunnel, proxy) {
            return Self::proxy(error, &reason, host, proxy);
        }
        // A timeout of the system itself is an error like any other: no option changes it.
        let error = if error.is_timeout() && find_cause::<io::Error>(error).is_none_or(|io| io.raw_os_error().is_none())
        {
            let message = format!("no connection to {host} within {}", human_duration(options.connect_limit()));
            // Raising one flag does not help when the other one is the limit.
            let flags = if options.connect_timeout < options.read_timeout {
                "--connect-timeout"
            } else {
                "--connect-timeout and --read-timeout, the shorter of which is the limit"
            };
            let hint = format!("check the network and the proxy settings, or allow more time with {flags}");
            Error::new(Kind::Timeout, message).hint(hint)
        } else if causes(error).any(|cause| cause.to_string() == NAME_RESOLUTION) {
            Error::network(format!("cannot resolve {host}: {}", root_cause(error)))
                .hint("check the host name and the network; behind a proxy, set HTTPS_PROXY")
        } else {
            let message = format!("cannot connect to {}: {}", through(host, proxy), root_cause(error));
            Error::network(message).hint(match proxy {
                Some(proxy) => source_of(proxy),
                None => "check the endpoint and the network; behind a proxy, set HTTPS_PROXY".to_owned(),
            })
        };
        Self { error, may_be_processed: false, retryable: true }
    }

    /// The proxy could not be reached, or refused the tunnel to the server.
    fn proxy(error: &reqwest::Error, reason: &str, host: &str, proxy: &Proxy) -> Self {
        let reason = match &reason[TUNNEL.len()..] {
            "proxy authorization required" => "the proxy requires a user name and a password".to_owned(),
            "unsuccessful" => format!("the proxy refuses to connect to {host}"),
            _ => root_cause(error).trim_start_matches(TUNNEL).to_owned(),
        };
        let message = format!("cannot reach {host} through the proxy {}: {reason}", proxy.address());
        Self { error: Error::network(message).hint(source_of(proxy)), may_be_processed: false, retryable: true }
    }

    /// TLS failed, in most cases because the server's certificate is not accepted, which a retry does not change.
    fn tls(error: &rustls::Error, host: &str, proxy: Option<&Proxy>) -> Self {
        match error {
            rustls::Error::InvalidCertificate(reason) => Self::certificate(reason, host, proxy),
            // Only the verifier of this program returns one, about the files of the system's roots.
            rustls::Error::Other(reason) => Self::permanent(Error::config(reason.to_string())),
            other => {
                let error = format!("cannot connect to {}: {}", through(host, proxy), describe_handshake(other));
                let error = Error::network(error);
                let error = match proxy {
                    Some(proxy) => error.hint(source_of(proxy)),
                    None => error,
                };
                Self { error, may_be_processed: false, retryable: true }
            }
        }
    }

    fn certificate(reason: &CertificateError, host: &str, proxy: Option<&Proxy>) -> Self {
        let problem = match reason {
            CertificateError::Other(other) => other.0.downcast_ref::<CertificateProblem>(),
            _ => None,
        };
        let Some(problem) = problem else {
            let message = format!("cannot trust {host}: it does not prove that it has the key of its certificate");
            return Self::permanent(Error::new(Kind::Untrusted, message));
        };
        // The connection to a proxy can be one over TLS too.
        let proxy = proxy.filter(|proxy| proxy.has_tls_host(&problem.host));
        let message = match proxy {
            Some(proxy) => {
                format!("cannot trust the proxy {}, which comes from {}: {problem}", proxy.address(), proxy.variable)
            }
            None => format!("cannot trust {host}: {problem}"),
        };
        let error = Error::new(Kind::Untrusted, message);
        Self::permanent(match &problem.hint {
            Some(hint) => error.hint(hint),
            None => error,
        })
    }

    pub(super) fn redirect(http: u16, origin: &Origin, target: Option<&str>, may_repeat: bool) -> Self {
        let (host, target) = (&origin.host, target.map_or_else(|| "an unknown host".to_owned(), quote::bare));
        let message = match &origin.proxy {
            Some(proxy) => format!(
                "{host} returned {http} through the proxy {}, a redirect to {target}, which is not followed",
                proxy.address
            ),
            None => format!("{host} returned {http}, a redirect to {target}, which is not followed"),
        };
        Self::permanent(origin.foreign_error(http, message, may_repeat))
    }

    pub(super) fn too_large(status: u16, host: &str, limit: usize) -> Self {
        Self::unreadable(status, format!("the response of {host} is larger than the limit of {} MiB", limit >> 20))
    }

    pub(super) fn too_dense(status: u16, host: &str) -> Self {
        Self::unreadable(status, format!("the response of {host} holds too many values for its size"))
    }

    /// The server has sent a response that is not read.
    fn unreadable(status: u16, message: String) -> Self {
        let error = Error::refused(Some(status), Status { code: Code::Unknown, message, details: vec![] });
        Self { may_be_processed: true, ..Self::permanent(error) }
    }

    /// The request was not sent, and another attempt would fail too.
    pub(super) fn permanent(error: Error) -> Self {
        Self { error, may_be_processed: false, retryable: false }
    }

    pub(super) fn with_ids(self, ids: RequestIds) -> Self {
        Self { error: self.error.ids(ids), ..self }
    }
}

/// The host, and the proxy in use.
fn through(host: &str, proxy: Option<&Proxy>) -> String {
    match proxy {
        Some(proxy) => format!("{host} through the proxy {}", proxy.address()),
        None => host.to_owned(),
    }
}

fn source_of(proxy: &Proxy) -> String {
    format!("the proxy comes from {}; NO_PROXY lists hosts to reach without it", proxy.variable)
}

/// Whether the server said that it has not processed the request: it closes the connection, or refuses the stream.
///
/// Source: RFC 9113, section 8.7.
fn is_refused_stream(error: &reqwest::Error) -> bool {
    find_cause::<h2::Error>(error).is_some_and(|error| {
        error.is_remote()
            && match error.reason() {
                Some(h2::Reason::NO_ERROR) => error.is_go_away(),
                Some(h2::Reason::REFUSED_STREAM) => error.is_reset(),
                _ => false,
            }
    })
}

/// The innermost cause: the one that says what happened rather than what was being done.
fn root_cause(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(String::new, ToString::to_string)
}

fn find_cause<E: StdError + 'static>(error: &reqwest::Error) -> Option<&E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The error and its causes, the innermost last.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| {
        let error: &'a (dyn StdError + 'static) = *error;
        // `source` of an I/O error skips the error that it was made from.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    })
}

fn human_duration(limit: Duration) -> String {
    humantime::format_duration(limit).to_string()
}
