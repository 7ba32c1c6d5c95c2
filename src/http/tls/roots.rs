//! The root certificates of the system.
//!
//! On macOS and Windows the system itself verifies a chain. Elsewhere its roots are in files: a bundle holds some 145
//! of them, and parsing all of them costs more than the rest of a request. So the bundle is read when a server has
//! presented its chain, and only those roots are parsed that the chain names as an issuer; of the others a few characters
//! are decoded, to find the name. The library itself compares these names byte for byte: it could not have used a root
//! that is left out here.

use std::cell::Cell;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use memchr::memmem;
use rustls::pki_types::CertificateDer;
use rustls::{OtherError, RootCertStore};

use crate::env::Env;
use crate::error::Error;
use crate::input;
use crate::text::quote;

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

/// The names, as DER without the outer tag and length, that the certificates of a chain have as their issuers.
pub(in crate::http) struct Issuers<'a>(pub(in crate::http) Vec<&'a [u8]>);

impl Issuers<'_> {
    /// Whether one of them is the subject of this certificate, as DER.
    pub(super) fn include_subject_of(&self, certificate: &[u8]) -> bool {
        CertificateNames::read(certificate).is_some_and(|names| self.0.contains(&names.subject))
    }

    /// Whether it is known that none of them is this name; not every byte of it may be known.
    fn exclude(&self, der: &impl Der, name: Range<usize>) -> bool {
        let differs = |issuer: &&[u8]| {
            let mut bytes = issuer.iter().zip(name.clone());
            issuer.len() != name.len() || bytes.any(|(byte, at)| der.byte(at).is_some_and(|known| known != *byte))
        };
        self.0.iter().all(differs)
    }
}

/// Adds the roots of a bundle that are among the issuers.
pub(super) fn add_bundle(roots: &mut RootCertStore, path: &Path, issuers: &Issuers<'_>) -> Result<(), rustls::Error> {
    let text = input::regular_file(path, input::LARGE_LIMIT).map_err(|error| {
        let message = format!("cannot read the system's root certificates in {}: {error}", quote::bare_path(path));
        rustls::Error::Other(OtherError(Arc::new(Error::config(message))))
    })?;
    roots.add_parsable_certificates(PemBlock::all(&text).filter_map(|block| block.certificate_if_among(issuers)));
    Ok(())
}

/// Adds the roots of a directory that are among the issuers. A file that cannot be read is left out.
pub(super) fn add_directory(roots: &mut RootCertStore, path: &Path, issuers: &Issuers<'_>) {
    let found = rustls_native_certs::load_certs_from_paths(None, Some(path));
    roots.add_parsable_certificates(found.certs.into_iter().filter(|der| issuers.include_subject_of(der)));
}

/// The text of PEM blocks, from a file of the user's own, which may be UTF-16. Bytes that are no text are kept: they can
/// only be in comments.
pub(super) fn pem_text(bytes: Vec<u8>) -> Vec<u8> {
    input::decode_document(bytes.clone()).map_or(bytes, String::into_bytes)
}

/// A certificate in a PEM text, from behind its first line.
#[derive(Clone, Copy)]
pub(in crate::http) struct PemBlock<'a>(&'a [u8]);

impl<'a> PemBlock<'a> {
    pub(in crate::http) fn all(text: &'a [u8]) -> impl Iterator<Item = Self> {
        const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
        memmem::find_iter(text, BEGIN).map(|at| Self(&text[at + BEGIN.len()..]))
    }

    /// The certificate; `None` when this is not well-formed.
    pub(in crate::http) fn certificate(self) -> Option<CertificateDer<'static>> {
        let end = memmem::find(self.0, b"-----END CERTIFICATE-----")?;
        let base64: Vec<u8> = self.0[..end].iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        BASE64_STANDARD.decode(base64).ok().map(Into::into)
    }

    /// The certificate if its subject is among the issuers.
    pub(in crate::http) fn certificate_if_among(self, issuers: &Issuers<'_>) -> Option<CertificateDer<'static>> {
        // Where the layout is not the usual one, the certificate is decoded to see its names.
        if let Some(pem) = PemLines::new(self.0)
            && let Some(names) = NamePositions::find(&pem)
            && issuers.exclude(&pem, names.subject)
        {
            return None;
        }
        self.certificate().filter(|certificate| issuers.include_subject_of(certificate))
    }
}

/// DER that is read byte by byte.
trait Der {
    /// The byte at this position; `None` when it is not known.
    fn byte(&self, at: usize) -> Option<u8>;
}

impl Der for &[u8] {
    fn byte(&self, at: usize) -> Option<u8> {
        self.get(at).copied()
    }
}

/// Base64 in lines of one length, of which only the characters are decoded that are needed.
struct PemLines<'a> {
    text: &'a [u8],
    /// The number of characters on a line.
    width: usize,
    /// How many lines at the start are known to have that length.
    regular: Cell<usize>,
}

impl<'a> PemLines<'a> {
    /// The lines from behind the first line of a block; `None` for another layout.
    fn new(block: &'a [u8]) -> Option<Self> {
        let text = block.strip_prefix(b"\n")?;
        let width = memchr::memchr(b'\n', text)?;
        (width > 0 && width % 4 == 0).then_some(Self { text, width, regular: Cell::new(0) })
    }

    /// Where a line starts; `None` when it or one above it is longer or shorter than the first, or has white space in it.
    fn line_start(&self, line: usize) -> Option<usize> {
        let start = |line: usize| line * (self.width + 1);
        for line in self.regular.get()..=line {
            let (end, characters) = self.text.get(start(line)..start(line + 1))?.split_last()?;
            // Without an early end, so that the compiler looks at many characters at once.
            let white_space = characters.iter().fold(0, |found, character| found | u8::from(*character <= b' '));
            if white_space != 0 || *end != b'\n' {
                return None;
            }
            self.regular.set(line + 1);
        }
        Some(start(line))
    }
}

impl Der for PemLines<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        let character = at / 3 * 4;
        let group_start = self.line_start(character / self.width)? + character % self.width;
        let group = self.text.get(group_start..group_start + 4)?;
        let bits = group
            .iter()
            .try_fold(0u32, |bits, byte| Some(bits << 6 | u32::from(BASE64_DIGITS[usize::from(*byte)]?)))?;
        Some(bits.to_be_bytes()[1 + at % 3])
    }
}

/// The value of each character of Base64; `None` for a byte that is none of them.
///
/// Source: RFC 4648, section 4.
const BASE64_DIGITS: [Option<u8>; 256] = {
    let characters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut digits = [None; 256];
    let mut value = 0;
    while value < 64 {
        digits[characters[value as usize] as usize] = Some(value);
        value += 1;
    }
    digits
};

/// Where the two names are in a certificate, without their tag and length.
struct NamePositions {
    issuer: Range<usize>,
    subject: Range<usize>,
}

impl NamePositions {
    /// Finds the names in a certificate, which may be cut off behind them; `None` when it is not well-formed.
    ///
    /// Source: RFC 5280, section 4.1.
    fn find(certificate: &impl Der) -> Option<Self> {
        const INTEGER: u8 = 0x02;
        const SEQUENCE: u8 = 0x30;
        const VERSION: u8 = 0xa0;

        let certificate_at = read_der_header(certificate, 0, SEQUENCE)?.start;
        let signed_at = read_der_header(certificate, certificate_at, SEQUENCE)?.start;
        // Version 1 is the default and then left out.
        let version = read_der_header(certificate, signed_at, VERSION);
        let serial = read_der_header(certificate, version.map_or(signed_at, |version| version.end), INTEGER)?;
        let algorithm = read_der_header(certificate, serial.end, SEQUENCE)?;
        let issuer = read_der_header(certificate, algorithm.end, SEQUENCE)?;
        let validity = read_der_header(certificate, issuer.end, SEQUENCE)?;
        let subject = read_der_header(certificate, validity.end, SEQUENCE)?;
        Some(Self { issuer, subject })
    }
}

/// The two names in a certificate, as DER without the outer tag and length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::http) struct CertificateNames<'a> {
    pub(super) issuer: &'a [u8],
    pub(in crate::http) subject: &'a [u8],
}

impl<'a> CertificateNames<'a> {
    /// Reads the names out of a certificate, which may be cut off behind them; `None` when it is not well-formed.
    pub(in crate::http) fn read(certificate: &'a [u8]) -> Option<Self> {
        let names = NamePositions::find(&certificate)?;
        Some(Self { issuer: certificate.get(names.issuer)?, subject: certificate.get(names.subject)? })
    }
}

/// The content of the DER element at the start of `der`, which must have this tag, and what follows it.
pub(super) fn read_der_element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let content = read_der_header(&der, 0, tag)?;
    Some((der.get(content.clone())?, &der[content.end..]))
}

/// Where the content of the DER element at `at` is, which must have this tag.
fn read_der_header(der: &impl Der, at: usize, tag: u8) -> Option<Range<usize>> {
    if der.byte(at)? != tag {
        return None;
    }
    let (length, start) = match der.byte(at + 1)? {
        length @ 0..=0x7f => (usize::from(length), at + 2),
        form @ 0x81..=0x84 => {
            let end = at + 2 + usize::from(form & 0x7f);
            let length = (at + 2..end).try_fold(0usize, |length, at| Some(length << 8 | usize::from(der.byte(at)?)))?;
            (length, end)
        }
        _ => return None,
    };
    Some(start..start.checked_add(length)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_byte_of_a_pem_block_is_that_of_its_der(
            der in proptest::collection::vec(any::<u8>(), 1..200),
            width in (1usize..20).prop_map(|width| width * 4),
        ) {
            let base64 = BASE64_STANDARD.encode(&der);
            let lines: Vec<_> = base64.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line)).collect();
            let block = format!("\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
            let pem = PemLines::new(block.as_bytes());
            // A single line may have any length.
            prop_assert!(pem.is_some() || lines.len() == 1);
            let Some(pem) = pem else { return Ok(()) };
            for (at, byte) in der.iter().enumerate() {
                // The last line may be shorter, and is then not read; nor is a last group that is padded.
                let in_last_line = at / 3 * 4 / width + 1 == lines.len();
                let found = pem.byte(at);
                prop_assert!(found == Some(*byte) || found.is_none() && in_last_line, "{} {:?}", at, found);
            }
        }

        #[test]
        fn a_name_is_found_whatever_the_length_of_the_lines(
            first in (1usize..50).prop_map(|width| width * 4), rest in (1usize..50).prop_map(|width| width * 4),
        ) {
            let name = rcgen::DnType::CommonName;
            let mut params = rcgen::CertificateParams::new([]).unwrap();
            params.distinguished_name.push(name, "A name that takes more than one line of the shorter ones");
            let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
            let base64 = BASE64_STANDARD.encode(certificate.der());
            let (head, tail) = base64.split_at(first);
            let tail: Vec<_> = tail.as_bytes().chunks(rest).map(String::from_utf8_lossy).collect();
            let text = format!(
                "-----BEGIN CERTIFICATE-----\n{head}\n{}\n-----END CERTIFICATE-----\n", tail.join("\n"),
            );
            let issuers = Issuers(vec![CertificateNames::read(certificate.der()).unwrap().subject]);
            let found = PemBlock::all(text.as_bytes()).filter_map(|block| block.certificate_if_among(&issuers));
            prop_assert_eq!(found.collect::<Vec<_>>(), [certificate.der().clone()]);
        }

        #[test]
        fn reading_names_never_panics(der in proptest::collection::vec(any::<u8>(), 0..60), at in 0usize..70) {
            let _ = CertificateNames::read(&der);
            let _ = read_der_header(&der.as_slice(), at, 0x30);
            let block = [b"\n", der.as_slice()].concat();
            let _ = PemLines::new(&block).map(|pem| pem.byte(at));
        }
    }
}
