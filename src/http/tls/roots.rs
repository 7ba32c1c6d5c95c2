//! The root certificates of the system.
//!
//! On macOS and Windows the system itself verifies a chain. Elsewhere its roots are in files: a bundle holds some 145
//! of them, and parsing all of them costs more than the rest of a request. So the bundle is read when a server has
//! presented its chain, and only those roots are parsed that the chain names as an issuer. The library itself compares
//! these names byte for byte: it could not have used a root that is left out here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::{OtherError, RootCertStore};

use crate::env::Env;
use crate::error::Error;

/// Where systems keep their bundle of roots.
///
/// Source: the crate openssl-probe 0.2, `CERTIFICATE_FILE_NAMES`.
#[cfg(not(any(windows, target_os = "macos")))]
const BUNDLES: [&str; 11] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
    "/opt/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/certs/cacert.pem",
    "/usr/local/etc/ssl/cert.pem",
    "/etc/openssl/certs/ca-certificates.crt",
    "/data/data/com.termux/files/usr/etc/tls/cert.pem",
];

/// Where systems without a bundle keep their roots.
///
/// Source: the crate openssl-probe 0.2, `CERTIFICATE_DIRS`.
#[cfg(not(any(windows, target_os = "macos")))]
const DIRECTORIES: [&str; 4] = ["/etc/ssl/certs", "/etc/pki/tls/certs", "/etc/openssl/certs", "/usr/local/share/certs"];

/// A place where a system keeps roots.
#[derive(Debug, PartialEq)]
pub(super) enum RootSource {
    /// One file with all of them.
    Bundle(PathBuf),
    /// A directory with a file for each.
    Directory(PathBuf),
    /// The verifier of the operating system.
    #[cfg(any(windows, target_os = "macos"))]
    Platform,
}

/// The roots of the system. `SSL_CERT_FILE` and `SSL_CERT_DIR` replace them, as with rustls-native-certs.
pub(super) fn system_roots(env: &Env) -> Vec<RootSource> {
    let bundle = env.var("SSL_CERT_FILE").map(|path| RootSource::Bundle(path.into()));
    let directories = env.var("SSL_CERT_DIR").into_iter().flat_map(std::env::split_paths);
    let named: Vec<_> = bundle.into_iter().chain(directories.map(RootSource::Directory)).collect();
    if named.is_empty() { default_roots() } else { named }
}

#[cfg(any(windows, target_os = "macos"))]
fn default_roots() -> Vec<RootSource> {
    vec![RootSource::Platform]
}

/// The first bundle that exists, and directories only where there is none: they cost twenty times as much to read.
#[cfg(not(any(windows, target_os = "macos")))]
fn default_roots() -> Vec<RootSource> {
    match BUNDLES.iter().find(|path| Path::new(path).exists()) {
        Some(bundle) => vec![RootSource::Bundle(bundle.into())],
        None => DIRECTORIES.iter().map(|directory| RootSource::Directory(directory.into())).collect(),
    }
}

/// Adds the roots of a bundle that `is_issuer` names by their DER.
pub(super) fn add_bundle(
    roots: &mut RootCertStore,
    path: &Path,
    is_issuer: impl Fn(&[u8]) -> bool,
) -> Result<(), rustls::Error> {
    let text = read_pem(path).map_err(|error| {
        let message = format!("cannot read the system's root certificates in {}: {error}", path.display());
        rustls::Error::Other(OtherError(Arc::new(Error::config(message))))
    })?;
    roots.add_parsable_certificates(PemBlock::all(&text).filter_map(|block| block.certificate_if(&is_issuer)));
    Ok(())
}

/// Adds the roots of a directory that `is_issuer` names by their DER. A file that cannot be read is left out.
pub(super) fn add_directory(roots: &mut RootCertStore, path: &Path, is_issuer: impl Fn(&[u8]) -> bool) {
    let found = rustls_native_certs::load_certs_from_paths(None, Some(path));
    roots.add_parsable_certificates(found.certs.into_iter().filter(|der| is_issuer(der)));
}

/// Reads a file of PEM blocks. Most are ASCII; bytes that are not UTF-8 can only be in comments.
pub(super) fn read_pem(path: &Path) -> io::Result<String> {
    let bytes = fs::read(path)?;
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// A certificate in a PEM text, from behind its first line.
#[derive(Clone, Copy)]
pub(super) struct PemBlock<'a>(&'a str);

impl<'a> PemBlock<'a> {
    pub(super) fn all(text: &'a str) -> impl Iterator<Item = Self> {
        text.split("-----BEGIN CERTIFICATE-----").skip(1).map(Self)
    }

    /// The start of the certificate, enough of most to read their names: decoding every root completely would cost
    /// twice as much as everything else that is done with them.
    fn start(self) -> Option<Vec<u8>> {
        const LINES: usize = 10;
        decode_base64(self.0.split('\n').take_while(|line| !line.starts_with('-')).take(1 + LINES))
    }

    /// The certificate; `None` when this is not well-formed.
    pub(super) fn certificate(self) -> Option<CertificateDer<'static>> {
        let (body, _) = self.0.split_once("-----END CERTIFICATE-----")?;
        decode_base64(body.split('\n')).map(Into::into)
    }

    /// The certificate if it meets `condition`, which looks at nothing but the names.
    pub(super) fn certificate_if(self, condition: impl Fn(&[u8]) -> bool) -> Option<CertificateDer<'static>> {
        if let Some(start) = self.start().filter(|start| CertificateNames::read(start).is_some())
            && !condition(&start)
        {
            return None;
        }
        self.certificate().filter(|certificate| condition(certificate))
    }
}

fn decode_base64<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Vec<u8>> {
    let mut base64 = String::with_capacity(2048);
    lines.for_each(|line| base64.push_str(line.trim_ascii()));
    BASE64_STANDARD.decode(base64).ok()
}

/// The two names in a certificate, as DER without the outer tag and length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CertificateNames<'a> {
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
}

impl<'a> CertificateNames<'a> {
    /// Reads the names out of a certificate, which may be cut off behind them; `None` when it is not well-formed.
    ///
    /// Source: RFC 5280, section 4.1.
    pub(super) fn read(certificate: &'a [u8]) -> Option<Self> {
        const INTEGER: u8 = 0x02;
        const SEQUENCE: u8 = 0x30;
        const VERSION: u8 = 0xa0;

        let (_, certificate) = read_der_header(certificate, SEQUENCE)?;
        let (_, signed) = read_der_header(certificate, SEQUENCE)?;
        // Version 1 is the default and then left out.
        let rest = read_der_element(signed, VERSION).map_or(signed, |(_, rest)| rest);
        let (_serial, rest) = read_der_element(rest, INTEGER)?;
        let (_algorithm, rest) = read_der_element(rest, SEQUENCE)?;
        let (issuer, rest) = read_der_element(rest, SEQUENCE)?;
        let (_validity, rest) = read_der_element(rest, SEQUENCE)?;
        let (subject, _) = read_der_element(rest, SEQUENCE)?;
        Some(Self { issuer, subject })
    }
}

/// The content of the DER element at the start of `der`, which must have this tag, and what follows it.
pub(super) fn read_der_element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (length, rest) = read_der_header(der, tag)?;
    rest.split_at_checked(length)
}

/// The length of the DER element at the start of `der`, which must have this tag, and what follows its header.
fn read_der_header(der: &[u8], tag: u8) -> Option<(usize, &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk()?;
    if found != tag {
        return None;
    }
    match first {
        0..=0x7f => Some((usize::from(first), rest)),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            Some((bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest))
        }
        _ => None,
    }
}
