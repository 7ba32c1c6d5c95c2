//! Why a connection over TLS is not made, in words: the library's own texts are for its developers.

use std::fmt;
use std::net::IpAddr;

use chrono::DateTime;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError};

use super::roots::CertificateNames;
use crate::text::quote;

/// How many of the host names in a certificate are shown.
const MAX_NAMES: usize = 5;

/// Why the certificate of a server is not accepted, and what to do.
#[derive(Debug)]
pub(in crate::http) struct CertificateProblem {
    /// The host that the certificate was checked for: that of the server, or of a proxy.
    pub(in crate::http) host: String,
    /// A clause that begins with "its certificate".
    pub(in crate::http) reason: String,
    pub(in crate::http) hint: Option<String>,
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for CertificateProblem {}

/// The certificates that a server presents.
pub(super) struct Chain<'a> {
    pub(super) end_entity: &'a CertificateDer<'a>,
    pub(super) intermediates: &'a [CertificateDer<'a>],
    /// What comes out when the server's own certificate is trusted as an authority.
    pub(super) as_its_own_root: Result<(), CertificateError>,
}

impl Chain<'_> {
    fn is_self_signed(&self) -> bool {
        CertificateNames::read(self.end_entity).is_some_and(|names| names.issuer == names.subject)
    }

    /// The name of the authority that has to be trusted: the issuer of the last certificate on the way up.
    fn authority(&self) -> String {
        let Some(mut names) = CertificateNames::read(self.end_entity) else { return shown_name(&[]) };
        let above: Vec<_> = self.intermediates.iter().filter_map(|der| CertificateNames::read(der)).collect();
        // Every step uses another certificate of the chain, so that a circle ends.
        for _ in &above {
            match above.iter().find(|issuer| issuer.subject == names.issuer && issuer.issuer != issuer.subject) {
                Some(issuer) => names = *issuer,
                None => break,
            }
        }
        shown_name(names.issuer)
    }
}

impl CertificateProblem {
    pub(super) fn new(error: &CertificateError, chain: &Chain<'_>, server: &ServerName<'_>) -> Self {
        // With no root at all, the library does not look at the certificate itself.
        let error = match (error, &chain.as_its_own_root) {
            (CertificateError::UnknownIssuer, Err(own)) if chain.is_self_signed() => own,
            _ => error,
        };
        let (reason, hint) = describe(error, chain);
        Self { host: server.to_str().into_owned(), reason, hint }
    }
}

fn describe(error: &CertificateError, chain: &Chain<'_>) -> (String, Option<String>) {
    match error {
        CertificateError::UnknownIssuer if chain.is_self_signed() => {
            let name = chain.authority();
            (
                format!("its certificate is self-signed by {name} and not trusted"),
                Some(
                    "if this is the right server, give that certificate with --ca-bundle FILE or YC_CA_BUNDLE"
                        .to_owned(),
                ),
            )
        }
        CertificateError::UnknownIssuer => {
            let name = chain.authority();
            (
                format!("its certificate comes from the authority {name}, which is not trusted"),
                Some(format!(
                    "give the certificate of {name}, not that of the server, with --ca-bundle FILE or YC_CA_BUNDLE"
                )),
            )
        }
        CertificateError::BadSignature | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            let name = chain.authority();
            (
                format!(
                    "its certificate comes from an authority called {name}, but is not signed with the key of the \
                     trusted authority of that name"
                ),
                Some(format!(
                    "give the certificate of the {name} that issued it, not that of the server, with --ca-bundle FILE \
                     or YC_CA_BUNDLE"
                )),
            )
        }
        CertificateError::NotValidForName => ("its certificate is for another host".to_owned(), other_host_hint()),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<_> = presented.iter().filter_map(|name| host_name(name)).collect();
            match &names[..] {
                [] => (
                    "its certificate names no host".to_owned(),
                    Some(
                        "the server needs a certificate whose subjectAltName has the host; the common name is not used"
                            .to_owned(),
                    ),
                ),
                [first] => (format!("its certificate is for another host: {first}"), other_host_hint()),
                _ => {
                    let shown = names[..names.len().min(MAX_NAMES)].join(", ");
                    let more = names.len().saturating_sub(MAX_NAMES);
                    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
                    (format!("its certificate is for other hosts: {shown}{more}"), other_host_hint())
                }
            }
        }
        CertificateError::Expired => ("its certificate has expired".to_owned(), clock_hint(None)),
        CertificateError::ExpiredContext { time, not_after } => (
            format!("its certificate has expired: it was valid until {}", format_time(*not_after)),
            clock_hint(Some(*time)),
        ),
        CertificateError::NotValidYet => ("its certificate is not valid yet".to_owned(), clock_hint(None)),
        CertificateError::NotValidYetContext { time, not_before } => (
            format!("its certificate is not valid yet: it will be from {}", format_time(*not_before)),
            clock_hint(Some(*time)),
        ),
        CertificateError::Revoked => {
            (format!("its certificate was revoked by the authority {}", chain.authority()), None)
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => (
            "its certificate is not meant for servers".to_owned(),
            Some("the server needs a certificate whose extended key usage has server authentication".to_owned()),
        ),
        CertificateError::BadEncoding => ("its certificate is malformed".to_owned(), None),
        CertificateError::UnhandledCriticalExtension => {
            ("its certificate has a critical extension that is not supported".to_owned(), None)
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. } => (
            "its certificate is signed with an algorithm that is not supported".to_owned(),
            Some("certificates signed with SHA-1 are not accepted; the server needs another one".to_owned()),
        ),
        CertificateError::Other(other) => match other.0.downcast_ref() {
            Some(error) => describe_rule(error, chain),
            None => (
                format!(
                    "its certificate, which comes from the authority {}, is not accepted by this system",
                    chain.authority()
                ),
                None,
            ),
        },
        _ => ("its certificate is not valid".to_owned(), None),
    }
}

/// A rule of X.509 that a certificate of the chain breaks.
fn describe_rule(error: &webpki::Error, chain: &Chain<'_>) -> (String, Option<String>) {
    let name = chain.authority();
    match error {
        webpki::Error::CaUsedAsEndEntity => {
            let own_name = CertificateNames::read(chain.end_entity).map_or(&[][..], |names| names.subject);
            (
                format!(
                    "its certificate is that of the certificate authority {} (CA:TRUE), and a server needs one of its \
                     own",
                    shown_name(own_name)
                ),
                Some(
                    "let an authority issue a certificate for the server, and give the certificate of the authority, \
                     not that of the server, with --ca-bundle FILE or YC_CA_BUNDLE"
                        .to_owned(),
                ),
            )
        }
        webpki::Error::EndEntityUsedAsCa => (
            "its certificate was issued with one that is not that of an authority (CA:TRUE is missing)".to_owned(),
            Some(format!("the server needs a certificate that the authority {name} issued itself")),
        ),
        webpki::Error::UnsupportedCertVersion => (
            "its certificate, or one that it was issued with, is not of version 3 of X.509".to_owned(),
            Some("the server needs a certificate of version 3, which has a subjectAltName".to_owned()),
        ),
        webpki::Error::NameConstraintViolation => {
            (format!("its certificate is for a host that the authority {name} may not issue certificates for"), None)
        }
        webpki::Error::PathLenConstraintViolated => {
            (format!("its certificate has more authorities between it and {name} than are allowed"), None)
        }
        webpki::Error::CertDistrusted => (format!("its certificate comes from {name}, which is distrusted"), None),
        webpki::Error::MaximumPathDepthExceeded
        | webpki::Error::MaximumPathBuildCallsExceeded
        | webpki::Error::MaximumSignatureChecksExceeded
        | webpki::Error::MaximumNameConstraintComparisonsExceeded => {
            ("its certificate has too many others between it and a trusted authority".to_owned(), None)
        }
        _ => (format!("its certificate, which comes from the authority {name}, breaks a rule of X.509"), None),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every hint of this file is optional")]
fn other_host_hint() -> Option<String> {
    Some("check the endpoint; a proxy or the login page of a network may also have taken its place".to_owned())
}

#[expect(clippy::unnecessary_wraps, reason = "every hint of this file is optional")]
fn clock_hint(now: Option<UnixTime>) -> Option<String> {
    Some(match now {
        Some(now) => format!(
            "the clock of this machine says {}; if that is right, the server needs another certificate",
            format_time(now)
        ),
        None => "check the clock of this machine; if it is right, the server needs another certificate".to_owned(),
    })
}

/// Why the TLS handshake failed for another reason than the certificate; a sentence about the server.
pub(in crate::http) fn describe_handshake(error: &rustls::Error) -> String {
    match error {
        rustls::Error::AlertReceived(alert) => match *alert {
            AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
                "it supports none of the TLS algorithms of this program".to_owned()
            }
            AlertDescription::ProtocolVersion => "it supports neither TLS 1.2 nor TLS 1.3".to_owned(),
            AlertDescription::CertificateRequired => {
                "it requires a client certificate, which this program does not have".to_owned()
            }
            AlertDescription::UnrecognisedName => "it does not serve a host of this name".to_owned(),
            AlertDescription::InternalError => "it reports an internal error during the TLS handshake".to_owned(),
            other => format!("it ended the TLS handshake with the alert {}", u8::from(other)),
        },
        rustls::Error::PeerIncompatible(_) => {
            "it supports none of the TLS versions and algorithms of this program (TLS 1.2 and 1.3)".to_owned()
        }
        rustls::Error::InvalidMessage(_) | rustls::Error::PeerSentOversizedRecord => {
            "its response is not TLS".to_owned()
        }
        rustls::Error::NoCertificatesPresented => "it presents no certificate".to_owned(),
        rustls::Error::PeerMisbehaved(_)
        | rustls::Error::InappropriateMessage { .. }
        | rustls::Error::InappropriateHandshakeMessage { .. }
        | rustls::Error::DecryptError => "it does not follow the TLS protocol".to_owned(),
        _ => "the TLS handshake failed".to_owned(),
    }
}

fn format_time(time: UnixTime) -> String {
    let date = i64::try_from(time.as_secs()).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    date.map_or_else(String::new, |date| date.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// A name of a certificate as the library gives it, e.g. `DnsName("a.example")` and `IpAddress(127.0.0.1)`; `None` for
/// what is not the name of a host.
fn host_name(presented: &str) -> Option<String> {
    let inner = |kind: &str| presented.strip_prefix(kind)?.strip_suffix(')');
    match inner("DnsName(") {
        Some(name) => Some(quote::bare(name.trim_matches('"'))),
        None => inner("IpAddress(")?.parse::<IpAddr>().ok().map(|ip| ip.to_string()),
    }
}

/// The name of a certificate's subject or issuer in quotes, given its DER: the common name, else the unit or the
/// organization.
///
/// Source: RFC 5280, section 4.1.2.4, and appendix A.1 for the types.
fn shown_name(der: &[u8]) -> String {
    const COMMON_NAME: &[u8] = &[0x55, 4, 3];
    const ORGANIZATION: &[u8] = &[0x55, 4, 10];
    const UNIT: &[u8] = &[0x55, 4, 11];
    let parts = name_parts(der);
    let part = |kind: &[u8]| parts.iter().find(|(found, text)| *found == kind && !text.is_empty());
    match part(COMMON_NAME).or_else(|| part(UNIT)).or_else(|| part(ORGANIZATION)) {
        Some((_, text)) => quote::value(text),
        None => "without a name".to_owned(),
    }
}

/// The object identifiers and texts of a name.
fn name_parts(mut der: &[u8]) -> Vec<(&[u8], String)> {
    const OID: u8 = 0x06;
    const SEQUENCE: u8 = 0x30;
    const SET: u8 = 0x31;
    let mut parts = Vec::new();
    while let Some((mut set, rest)) = super::roots::read_der_element(der, SET) {
        while let Some((pair, others)) = super::roots::read_der_element(set, SEQUENCE) {
            if let Some((kind, value)) = super::roots::read_der_element(pair, OID)
                && let Some(text) = read_text(value)
            {
                parts.push((kind, text));
            }
            set = others;
        }
        der = rest;
    }
    parts
}

/// A DER string of any type that occurs in names.
fn read_text(der: &[u8]) -> Option<String> {
    const BMP_STRING: u8 = 0x1e;
    const UTF8: [u8; 4] = [0x0c, 0x13, 0x14, 0x16];
    let tag = *der.first()?;
    let (bytes, _) = super::roots::read_der_element(der, tag)?;
    if tag == BMP_STRING {
        let units: Vec<_> = bytes.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
        return Some(String::from_utf16_lossy(&units));
    }
    UTF8.contains(&tag).then(|| String::from_utf8_lossy(bytes).into_owned())
}
