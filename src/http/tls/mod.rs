//! Which servers are trusted.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, CipherSuite, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
};

use self::problem::Chain;
pub(super) use self::problem::{CertificateProblem, describe_handshake};
use self::roots::{CertificateNames, Issuers, PemBlock, RootSource};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::input::{self, Files};
use crate::text::quote;

mod problem;
pub(super) mod roots;
#[cfg(test)]
pub(super) mod tests;

/// The TLS settings of every connection.
///
/// # Errors
/// `ca_bundle` holds no certificate.
pub(super) fn config(ca_bundle: Option<&CaBundle>, verify: bool, env: &Env) -> Result<ClientConfig> {
    let mut provider = ring::default_provider();
    // AES-128 costs less than AES-256, which the library offers first; browsers offer it first too.
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    let provider = Arc::new(provider);
    let trust = if verify {
        let added = ca_bundle.map_or_else(|| Ok(RootCertStore::empty()), CaBundle::roots)?;
        Trust::Roots { added, system: roots::system_roots(env) }
    } else {
        Trust::SkipVerification
    };
    let verifier = Verifier { trust, provider: provider.clone() };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal(format!("cannot set up TLS: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    // reqwest leaves this out of settings that it did not make, and HTTP/2 would silently not be used.
    config.alpn_protocols = vec![b"h2".into(), b"http/1.1".into()];
    Ok(config)
}

/// The file of the roots that the user trusts in addition to the system's.
pub(super) struct CaBundle {
    path: PathBuf,
    text: Vec<u8>,
}

impl CaBundle {
    /// # Errors
    /// It cannot be read.
    pub(super) async fn read(path: &Path) -> Result<Self> {
        let bytes = input::bytes(path, Files::Pipes, input::LARGE_LIMIT).await;
        let bytes = bytes
            .map_err(|error| Error::config(format!("cannot read the CA bundle {}: {error}", quote::bare_path(path))))?;
        Ok(Self { path: path.to_owned(), text: roots::pem_text(bytes) })
    }

    fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        let (usable, _) = roots.add_parsable_certificates(PemBlock::all(&self.text).filter_map(PemBlock::certificate));
        if usable == 0 {
            let path = quote::bare_path(&self.path);
            return Err(Error::config(format!("the CA bundle {path} holds no certificate that can be used"))
                .hint("it must have PEM blocks that begin -----BEGIN CERTIFICATE-----"));
        }
        Ok(roots)
    }
}

/// Checks that a server is the one that it claims to be.
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

/// Which certificates are accepted.
enum Trust {
    /// Every certificate: `--no-verify-ssl`.
    SkipVerification,
    /// Those that lead to a root: first the roots that the user added, then those of the system, cheapest first.
    Roots { added: RootCertStore, system: Vec<RootSource> },
}

impl Verifier {
    /// A verifier that trusts these roots alone.
    fn web_pki(&self, roots: &RootCertStore) -> Result<Arc<WebPkiServerVerifier>, rustls::Error> {
        // It is an error to build a verifier without any root.
        WebPkiServerVerifier::builder_with_provider(roots.clone().into(), self.provider.clone())
            .build()
            .map_err(|_| CertificateError::UnknownIssuer.into())
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl Verifier {
    /// Checks a chain, with the errors of the library.
    fn check(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Trust::Roots { added, system } = &self.trust else { return Ok(ServerCertVerified::assertion()) };
        let check = |verifier: &dyn ServerCertVerifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        let names = intermediates.iter().chain([end_entity]).filter_map(|der| CertificateNames::read(der));
        let issuers = Issuers(names.map(|names| names.issuer).collect());
        let mut roots = added.clone();
        let mut verdict = self.web_pki(&roots).and_then(|verifier| check(&*verifier));
        for source in system {
            if verdict.is_ok() {
                break;
            }
            verdict = match source {
                RootSource::Bundle(path) => {
                    roots::add_bundle(&mut roots, path, &issuers)?;
                    self.web_pki(&roots).and_then(|verifier| check(&*verifier))
                }
                RootSource::Directory(path) => {
                    roots::add_directory(&mut roots, path, &issuers);
                    self.web_pki(&roots).and_then(|verifier| check(&*verifier))
                }
                #[cfg(any(windows, target_os = "macos"))]
                RootSource::Platform => {
                    let by_platform = rustls_platform_verifier::Verifier::new(self.provider.clone())
                        .and_then(|verifier| check(&verifier));
                    // Where the chain leads to an added root, what is wrong with it says more than the platform, which
                    // does not know that root.
                    by_platform.or_else(|error| if is_unknown_issuer(&verdict) { Err(error) } else { verdict })
                }
            };
        }
        verdict
    }

    /// Why a chain is not accepted, given the error of the library.
    fn problem(
        &self,
        error: &CertificateError,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> CertificateProblem {
        let mut itself = RootCertStore::empty();
        let as_its_own_root = itself
            .add(end_entity.clone().into_owned())
            .and_then(|()| self.web_pki(&itself))
            .and_then(|verifier| verifier.verify_server_cert(end_entity, intermediates, server_name, &[], now));
        let as_its_own_root = match as_its_own_root {
            Err(rustls::Error::InvalidCertificate(error)) => Err(error),
            _ => Ok(()),
        };
        CertificateProblem::new(error, &Chain { end_entity, intermediates, as_its_own_root }, server_name)
    }
}

impl ServerCertVerifier for Verifier {
    /// A certificate that is not accepted is a [`CertificateProblem`] within the error.
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self.check(end_entity, intermediates, server_name, ocsp_response, now);
        verdict.map_err(|error| match error {
            rustls::Error::InvalidCertificate(error) => {
                let problem = self.problem(&error, end_entity, intermediates, server_name, now);
                CertificateError::Other(OtherError(Arc::new(problem))).into()
            }
            other => other,
        })
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

#[cfg(any(windows, target_os = "macos"))]
fn is_unknown_issuer(verdict: &Result<ServerCertVerified, rustls::Error>) -> bool {
    matches!(verdict, Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)))
}
