//! Which servers are trusted.
//!
//! A system's bundle holds some 145 roots, and making all of them ready costs more than the rest of a call. So the
//! bundle is read when a server has presented its chain, and only those roots are made ready that the chain names
//! as an issuer. The library itself compares these names byte for byte: whatever is left out here it could not have
//! used.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs, io};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use crate::env::Env;
use crate::error::{Error, Result};

/// Where systems keep their bundle of roots.
///
/// Source: the crate openssl-probe 0.2, `CERTIFICATE_FILE_NAMES`.
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
const FOLDERS: [&str; 4] = ["/etc/ssl/certs", "/etc/pki/tls/certs", "/etc/openssl/certs", "/usr/local/share/certs"];

/// The TLS settings of every connection.
///
/// # Errors
/// `ca_bundle` cannot be read or holds no certificate.
pub(super) fn config(ca_bundle: Option<&Path>, verify: bool, env: &Env) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let trust = if verify {
        let added = ca_bundle.map_or_else(|| Ok(RootCertStore::empty()), read_bundle)?;
        Trust::Roots { added, system: system_roots(env) }
    } else {
        Trust::Anybody
    };
    let verifier = Verifier { trust, provider: provider.clone() };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal(format!("cannot set up TLS: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    // With settings made elsewhere reqwest leaves this out, and HTTP/2 would silently not be used.
    config.alpn_protocols = vec![b"h2".into(), b"http/1.1".into()];
    Ok(config)
}

/// Reads the roots that the user trusts beside the system's.
fn read_bundle(path: &Path) -> Result<RootCertStore> {
    let text = read_text(path)
        .map_err(|error| Error::config(format!("cannot read the CA bundle {}: {error}", path.display())))?;
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(Block::all(&text).filter_map(Block::certificate));
    if usable == 0 {
        let message = format!("the CA bundle {} holds no certificate that can be used", path.display());
        return Err(Error::config(message).hint("it must have PEM blocks that begin -----BEGIN CERTIFICATE-----"));
    }
    Ok(roots)
}

/// Whether a server is the one that it says it is.
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

/// Who may vouch for a server.
enum Trust {
    /// Nobody has to: `--no-verify-ssl`.
    Anybody,
    /// The roots that the user added and those of the system, cheapest first.
    Roots { added: RootCertStore, system: Vec<Source> },
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Trust::Roots { added, system } = &self.trust else { return Ok(ServerCertVerified::assertion()) };
        let check = |roots: &RootCertStore| {
            // It is an error to build a verifier without any root.
            WebPkiServerVerifier::builder_with_provider(roots.clone().into(), self.provider.clone())
                .build()
                .map_err(|_| CertificateError::UnknownIssuer)?
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        let issuers: Vec<_> = intermediates.iter().chain([end_entity]).filter_map(|der| Names::of(der)).collect();
        let wanted =
            |der: &[u8]| Names::of(der).is_some_and(|root| issuers.iter().any(|names| names.issuer == root.subject));
        let mut roots = added.clone();
        let mut verdict = check(&roots);
        for source in system {
            if verdict.is_ok() {
                break;
            }
            source.add_to(&mut roots, wanted)?;
            verdict = check(&roots);
        }
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A place where a system keeps roots.
#[derive(Debug, PartialEq)]
enum Source {
    /// A file of many.
    Bundle(PathBuf),
    /// A folder of single files.
    Folder(PathBuf),
    /// A store that is no file.
    Store,
}

/// `SSL_CERT_FILE` and `SSL_CERT_DIR` stand for the whole system, as with rustls-native-certs; else it is the first
/// bundle that exists, and folders only where there is none: they cost twenty times as much to read.
fn system_roots(env: &Env) -> Vec<Source> {
    let bundle = env.var("SSL_CERT_FILE").map(|path| Source::Bundle(path.into()));
    let folders = env.var("SSL_CERT_DIR").into_iter().flat_map(std::env::split_paths);
    let named: Vec<_> = bundle.into_iter().chain(folders.map(Source::Folder)).collect();
    if !named.is_empty() {
        return named;
    }
    if cfg!(any(windows, target_os = "macos")) {
        return vec![Source::Store];
    }
    match BUNDLES.iter().find(|path| Path::new(path).exists()) {
        Some(bundle) => vec![Source::Bundle(bundle.into())],
        None => FOLDERS.iter().map(|folder| Source::Folder(folder.into())).collect(),
    }
}

impl Source {
    /// Adds those roots that are wanted.
    fn add_to(&self, roots: &mut RootCertStore, wanted: impl Fn(&[u8]) -> bool) -> Result<(), rustls::Error> {
        match self {
            Self::Bundle(path) => {
                let text = read_text(path).map_err(|error| unreadable(path, &error))?;
                roots.add_parsable_certificates(Block::all(&text).filter_map(|block| block.wanted(&wanted)));
            }
            Self::Folder(path) => {
                let found = rustls_native_certs::load_certs_from_paths(None, Some(path));
                roots.add_parsable_certificates(found.certs.into_iter().filter(|der| wanted(der)));
            }
            Self::Store => {
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs.into_iter().filter(|der| wanted(der)));
            }
        }
        Ok(())
    }
}

fn unreadable(path: &Path, error: &io::Error) -> rustls::Error {
    let message = format!("cannot read the system's root certificates in {}: {error}", path.display());
    rustls::Error::Other(OtherError(Arc::new(Error::config(message))))
}

/// The text of a file; in most bundles all of it is ASCII, and the rest stands in comments.
fn read_text(path: &Path) -> io::Result<String> {
    let bytes = fs::read(path)?;
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// A certificate in a PEM text, from behind its first line.
#[derive(Clone, Copy)]
struct Block<'a>(&'a str);

impl<'a> Block<'a> {
    fn all(text: &'a str) -> impl Iterator<Item = Self> {
        text.split("-----BEGIN CERTIFICATE-----").skip(1).map(Self)
    }

    /// Enough of most certificates to read their names: decoding all of every root would cost twice as much as
    /// everything else that is done with them.
    fn head(self) -> Option<Vec<u8>> {
        const LINES: usize = 10;
        decode(self.0.split('\n').take_while(|line| !line.starts_with('-')).take(1 + LINES))
    }

    /// The certificate; `None` when this is not well-formed.
    fn certificate(self) -> Option<CertificateDer<'static>> {
        let (body, _) = self.0.split_once("-----END CERTIFICATE-----")?;
        decode(body.split('\n')).map(Into::into)
    }

    /// The certificate if it is wanted.
    fn wanted(self, wanted: impl Fn(&[u8]) -> bool) -> Option<CertificateDer<'static>> {
        if let Some(head) = self.head().filter(|head| Names::of(head).is_some())
            && !wanted(&head)
        {
            return None;
        }
        self.certificate().filter(|certificate| wanted(certificate))
    }
}

fn decode<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Vec<u8>> {
    let mut base64 = String::with_capacity(2048);
    lines.for_each(|line| base64.push_str(line.trim_ascii()));
    BASE64_STANDARD.decode(base64).ok()
}

/// The two names in a certificate, as DER without the outer tag and length.
#[derive(Debug, PartialEq)]
struct Names<'a> {
    issuer: &'a [u8],
    subject: &'a [u8],
}

impl<'a> Names<'a> {
    /// Reads the names out of a certificate, which may be cut off behind them; `None` when it is not well-formed.
    ///
    /// Source: RFC 5280, section 4.1.
    fn of(certificate: &'a [u8]) -> Option<Self> {
        const INTEGER: u8 = 0x02;
        const SEQUENCE: u8 = 0x30;
        const VERSION: u8 = 0xa0;

        let (_, certificate) = header(certificate, SEQUENCE)?;
        let (_, signed) = header(certificate, SEQUENCE)?;
        // Version 1 is the default and then left out.
        let rest = element(signed, VERSION).map_or(signed, |(_, rest)| rest);
        let (_serial, rest) = element(rest, INTEGER)?;
        let (_algorithm, rest) = element(rest, SEQUENCE)?;
        let (issuer, rest) = element(rest, SEQUENCE)?;
        let (_validity, rest) = element(rest, SEQUENCE)?;
        let (subject, _) = element(rest, SEQUENCE)?;
        Some(Self { issuer, subject })
    }
}

/// The content of the DER element at the start of `der`, which must have this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (length, rest) = header(der, tag)?;
    rest.split_at_checked(length)
}

/// The length of the DER element at the start of `der`, which must have this tag, and what follows its header.
fn header(der: &[u8], tag: u8) -> Option<(usize, &[u8])> {
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

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;
    use std::iter;

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
    use tempfile::TempDir;

    use super::*;

    type Authority = CertifiedIssuer<'static, KeyPair>;

    fn named(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    pub(in super::super) fn root(name: &str) -> Authority {
        CertifiedIssuer::self_signed(named(name), KeyPair::generate().unwrap()).unwrap()
    }

    fn below(name: &str, issuer: &Authority) -> Authority {
        CertifiedIssuer::signed_by(named(name), KeyPair::generate().unwrap(), issuer).unwrap()
    }

    /// The same name and key as `authority` has, vouched for by somebody else.
    fn cross_signed(name: &str, authority: &Authority, issuer: &Authority) -> CertificateDer<'static> {
        named(name).signed_by(authority.key(), issuer).unwrap().der().clone()
    }

    fn server(issuer: &Authority) -> CertificateDer<'static> {
        let params = CertificateParams::new(vec!["server.test".into()]).unwrap();
        params.signed_by(&KeyPair::generate().unwrap(), issuer).unwrap().der().clone()
    }

    /// A verifier whose system has a bundle of these roots.
    fn verifier(folder: &TempDir, roots: &[&Authority]) -> Verifier {
        let path = folder.path().join("bundle.pem");
        let blocks: Vec<_> = roots.iter().map(|root| root.pem()).collect();
        write(&path, &blocks.join("# a comment\n"));
        let trust = Trust::Roots { added: RootCertStore::empty(), system: vec![Source::Bundle(path)] };
        Verifier { trust, provider: Arc::new(ring::default_provider()) }
    }

    #[expect(clippy::disallowed_methods, reason = "no secret, and a folder that is removed after the test")]
    pub(in super::super) fn write(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
    }

    fn verify(verifier: &Verifier, chain: &[CertificateDer<'static>]) -> Result<(), rustls::Error> {
        let name = ServerName::try_from("server.test").unwrap();
        verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], UnixTime::now()).map(drop)
    }

    fn unknown() -> Result<(), rustls::Error> {
        Err(CertificateError::UnknownIssuer.into())
    }

    #[test]
    fn a_chain_is_trusted_if_and_only_if_its_root_is_in_the_bundle() {
        let (folder, ours, other) = (TempDir::new().unwrap(), root("ours"), root("other"));
        let middle = below("middle", &ours);
        let chain = [server(&middle), middle.der().clone()];
        assert_eq!(verify(&verifier(&folder, &[&other, &ours, &root("third")]), &chain), Ok(()));
        assert_eq!(verify(&verifier(&folder, &[&other]), &chain), unknown());
        assert_eq!(verify(&verifier(&folder, &[]), &chain), unknown());
        // The chain is not complete without the authority in the middle.
        assert_eq!(verify(&verifier(&folder, &[&ours]), &chain[..1]), unknown());
        assert_eq!(verify(&verifier(&folder, &[&ours]), &[server(&ours)]), Ok(()));
    }

    #[test]
    fn a_root_of_the_same_name_and_another_key_is_not_trusted() {
        let (folder, ours, impostor) = (TempDir::new().unwrap(), root("ours"), root("ours"));
        let chain = [server(&impostor)];
        assert!(verify(&verifier(&folder, &[&ours]), &chain).is_err());
        assert_eq!(verify(&verifier(&folder, &[&ours, &impostor]), &chain), Ok(()));
    }

    #[test]
    fn a_cross_signed_chain_is_trusted_by_either_root() {
        let (folder, old, new) = (TempDir::new().unwrap(), root("old"), root("new"));
        let middle = below("middle", &new);
        let chain = [server(&middle), middle.der().clone(), cross_signed("new", &new, &old)];
        assert_eq!(verify(&verifier(&folder, &[&old]), &chain), Ok(()));
        assert_eq!(verify(&verifier(&folder, &[&new]), &chain), Ok(()));
        assert_eq!(verify(&verifier(&folder, &[&root("third")]), &chain), unknown());
    }

    #[test]
    fn every_source_is_asked_until_one_knows_the_root() {
        let (folder, ours) = (TempDir::new().unwrap(), root("ours"));
        let bundle = folder.path().join("bundle.pem");
        write(&bundle, &root("other").pem());
        let roots = folder.path().join("roots");
        fs::create_dir(&roots).unwrap();
        write(&roots.join("ours.crt"), &ours.pem());
        let system = vec![Source::Bundle(bundle), Source::Folder(roots)];
        let trust = Trust::Roots { added: RootCertStore::empty(), system };
        let verifier = Verifier { trust, provider: Arc::new(ring::default_provider()) };
        assert_eq!(verify(&verifier, &[server(&ours)]), Ok(()));
        assert_eq!(verify(&verifier, &[server(&root("third"))]), unknown());
    }

    #[test]
    fn an_unreadable_bundle_is_named() {
        let trust = Trust::Roots { added: RootCertStore::empty(), system: vec![Source::Bundle("/no/such".into())] };
        let verifier = Verifier { trust, provider: Arc::new(ring::default_provider()) };
        let error = verify(&verifier, &[server(&root("ours"))]).unwrap_err();
        assert!(error.to_string().contains("/no/such"), "{error}");
    }

    #[test]
    fn the_variables_stand_for_the_whole_system() {
        let roots = |vars: &[(&str, &str)]| {
            let vars = vars.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            system_roots(&Env { vars, ..Env::default() })
        };
        assert_eq!(roots(&[("SSL_CERT_FILE", "/f")]), [Source::Bundle("/f".into())]);
        assert_eq!(roots(&[("SSL_CERT_DIR", "/d")]), [Source::Folder("/d".into())]);
        let both = [Source::Bundle("/f".into()), Source::Folder("/d".into())];
        assert_eq!(roots(&[("SSL_CERT_DIR", "/d"), ("SSL_CERT_FILE", "/f")]), both);
        assert!(!roots(&[]).is_empty());
    }

    #[test]
    fn an_added_bundle_must_hold_a_certificate() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("ca.pem");
        let error = |path: &Path| config(Some(path), true, &Env::default()).unwrap_err();
        assert!(error(&path).to_string().contains("ca.pem"));
        let garbage = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
        for text in ["", "hello", garbage, "-----BEGIN CERTIFICATE-----\n"] {
            write(&path, text);
            assert!(error(&path).to_string().contains("ca.pem"), "{text}");
            assert_eq!(error(&path).exit_code(), 2);
        }
        write(&path, &(garbage.to_owned() + &root("ours").pem()));
        let settings = config(Some(&path), true, &Env::default()).unwrap();
        assert_eq!(settings.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    }

    #[test]
    fn names_are_read_as_the_library_reads_them() {
        let Ok(text) = read_text(Path::new(BUNDLES[0])) else { return println!("skipped: no {}", BUNDLES[0]) };
        let ours: Vec<_> = Block::all(&text).filter_map(Block::certificate).collect();
        let theirs = rustls_native_certs::load_certs_from_paths(Some(Path::new(BUNDLES[0])), None).certs;
        let set = |certificates: &[CertificateDer<'static>]| -> BTreeSet<Vec<u8>> {
            certificates.iter().map(|certificate| certificate.to_vec()).collect()
        };
        assert_eq!(set(&ours), set(&theirs));

        for (certificate, block) in ours.iter().zip(Block::all(&text)) {
            let mut store = RootCertStore::empty();
            store.add(certificate.clone()).unwrap();
            let names = Names::of(certificate).unwrap();
            assert_eq!(names.subject, store.roots[0].subject.as_ref());
            // A root vouches for itself.
            assert_eq!(names.subject, names.issuer);
            let wanted = |der: &[u8]| Names::of(der).is_some_and(|found| found == names);
            assert_eq!(block.wanted(wanted).as_ref(), Some(certificate));
            assert_eq!(block.wanted(|_| false), None);
        }
    }

    #[test]
    fn a_certificate_of_any_layout_is_read_like_the_library_does() {
        let long_name = root(&"a long name ".repeat(40));
        let pem = long_name.pem();
        let one_line = pem.replacen('\n', "", pem.lines().count() - 2).replacen("-----M", "-----\nM", 1);
        let texts = [
            pem.clone(),
            pem.replace('\n', "\r\n"),
            format!("caf\u{e9}\n{pem}"),
            one_line,
            format!("-----BEGIN CERTIFICATE-----\nbroken\n{pem}"),
            format!("-----BEGIN TRUSTED CERTIFICATE-----\nMAMCAQE=\n-----END TRUSTED CERTIFICATE-----\n{pem}"),
        ];
        for text in texts {
            let found: Vec<_> = Block::all(&text).filter_map(|block| block.wanted(|_| true)).collect();
            assert_eq!(found, [long_name.der().clone()], "{text}");
        }
        let cut = pem.split("-----END").next().unwrap();
        assert_eq!(Block::all(cut).filter_map(|block| block.wanted(|_| true)).count(), 0);
    }

    #[test]
    fn der_that_is_cut_off_is_refused_or_read_alike() {
        let root = root("ours");
        let whole = Names::of(root.der()).unwrap();
        let (known, unknown): (Vec<_>, Vec<_>) =
            (0..root.der().len()).map(|length| Names::of(&root.der()[..length])).partition(Option::is_some);
        assert!(!unknown.is_empty() && known.iter().all(|names| names.as_ref() == Some(&whole)));

        assert_eq!(element(&[0x30, 0x80, 0, 0], 0x30), None);
        assert_eq!(element(&[0x30, 0x85, 0, 0, 0, 0, 0], 0x30), None);
        assert_eq!(element(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], 0x30), None);
        let long: Vec<u8> = [0x30, 0x82, 1, 0].into_iter().chain(iter::repeat_n(7, 257)).collect();
        assert_eq!(element(&long, 0x30).map(|(content, rest)| (content.len(), rest)), Some((256, &[7][..])));
    }
}
