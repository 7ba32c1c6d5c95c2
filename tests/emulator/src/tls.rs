//! A certificate authority of the emulator's own, and the server certificate that it signs.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

/// What the server's certificate is valid for: loopback, and the built-in endpoints of the services behind a proxy.
const NAMES: [&str; 8] = [
    "127.0.0.1",
    "localhost",
    "::1",
    "*.api.cloud.yandex.net",
    "api.cloud.yandex.net",
    "auth.yandex.cloud",
    "sts.yandexcloud.net",
    "storage.yandexcloud.net",
];

/// The acceptor for HTTPS, and the authority's certificate in PEM.
pub(crate) fn acceptor() -> (TlsAcceptor, String) {
    let (config, ca) = config().expect("certificates can be made");
    (TlsAcceptor::from(Arc::new(config)), ca)
}

fn config() -> Result<(ServerConfig, String), Box<dyn std::error::Error>> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new([])?;
    ca.distinguished_name = named("yc-rs emulator CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_certificate = ca.self_signed(&ca_key)?;

    let key = KeyPair::generate()?;
    let mut server = CertificateParams::new(NAMES.map(str::to_owned))?;
    server.distinguished_name = named("yc-rs emulator");
    let certificate = server.signed_by(&key, &Issuer::new(ca, ca_key))?;

    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der())?)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((config, ca_certificate.pem()))
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}
