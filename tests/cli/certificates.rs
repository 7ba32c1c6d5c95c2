//! Certificates that are not accepted: which host, which name or issuer, and what to do.

use std::net::{Shutdown, TcpListener};
use std::sync::Arc;
use std::{io, thread};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, PKCS_ECDSA_P384_SHA384, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use serde_json::Value;

use crate::support::User;

type Authority = CertifiedIssuer<'static, KeyPair>;

/// A certificate for the host of the tests' servers, with its key.
fn params(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = params(name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn authority(name: &str) -> Authority {
    CertifiedIssuer::self_signed(authority_params(name), KeyPair::generate().unwrap()).unwrap()
}

/// A server that presents these certificates and serves nothing; returns its host and port.
fn server(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> String {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    serve(config)
}

fn serve(config: ServerConfig) -> String {
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            // The client ends the handshake.
            while connection.complete_io(&mut stream).is_ok_and(|(read, written)| read + written > 0) {}
            // What is left is an alert, which a client that still sends would lose if the connection were closed now.
            let _ = connection.write_tls(&mut stream);
            let _ = stream.shutdown(Shutdown::Write);
            let _ = io::copy(&mut stream, &mut io::sink());
        }
    });
    address
}

/// A server that requires a certificate of the client, and the authority that issued its own.
fn server_for_known_clients() -> (String, Authority) {
    let root = authority("Corp Root");
    let key = KeyPair::generate().unwrap();
    let certificate = params("server", &["127.0.0.1"]).signed_by(&key, &root).unwrap();
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider)).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    (serve(config), root)
}

/// A server with a certificate that an authority issued.
fn issued(params: &CertificateParams, issuer: &Authority, intermediates: &[&Authority]) -> String {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    let above = intermediates.iter().map(|authority| authority.der().clone());
    server([certificate.der().clone()].into_iter().chain(above).collect(), &key)
}

/// Why a certificate is not accepted, from the words "its certificate" on, and what to do.
#[derive(Debug, PartialEq)]
struct Refusal {
    reason: String,
    hint: String,
}

fn refusal(reason: &str, hint: &str) -> Refusal {
    Refusal { reason: reason.to_owned(), hint: hint.to_owned() }
}

/// The error of a call to this server, of which these authorities are trusted in addition to the system's.
#[track_caller]
fn refused(address: &str, bundle: &str) -> Refusal {
    let mut user = User::signed_in();
    user.point_at(&format!("https://{address}"));
    // No authority of the system takes part.
    let empty = user.write_file("system.pem", "");
    user.set("SSL_CERT_FILE", empty.to_str().unwrap());
    let mut line = "iam access-key list --error-format json".to_owned();
    if !bundle.is_empty() {
        let bundle = user.write_file("bundle.pem", bundle);
        line = format!("{line} --ca-bundle {}", bundle.display());
    }
    let ran = user.run(&line);
    let error: Value = serde_json::from_str(&ran.err).unwrap_or_else(|_| panic!("{ran:#?}"));
    assert_eq!((ran.code, &error["code"], &error["retryable"]), (1, &"NETWORK".into(), &false.into()), "{error}");
    let message = error["message"].as_str().unwrap();
    let reason = message.strip_prefix(&format!("cannot list access keys: cannot trust {address}: its certificate "));
    let reason = reason.unwrap_or_else(|| panic!("{message}")).to_owned();
    Refusal { reason, hint: error["hint"].as_str().unwrap().to_owned() }
}

#[test]
fn an_unknown_authority_is_named_by_the_root_of_the_chain() {
    let hint = "give the certificate of 'Corp Root', not that of the server, with --ca-bundle FILE or YC_CA_BUNDLE";
    let reason = "comes from the authority 'Corp Root', which is not trusted";
    let root = authority("Corp Root");
    let middle =
        CertifiedIssuer::signed_by(authority_params("Corp Issuing"), KeyPair::generate().unwrap(), &root).unwrap();
    let leaf = params("server", &["127.0.0.1"]);
    for chain in [&[&middle][..], &[&middle, &root], &[&root, &middle]] {
        let address = issued(&leaf, &middle, chain);
        assert_eq!(refused(&address, ""), refusal(reason, hint));
        assert_eq!(refused(&address, &authority("Other").pem()), refusal(reason, hint));
    }
    assert_eq!(refused(&issued(&leaf, &root, &[]), ""), refusal(reason, hint));
    // The server sends no intermediate certificate: that of its issuer helps as well.
    let address = issued(&leaf, &middle, &[]);
    assert_eq!(
        refused(&address, &root.pem()),
        refusal(
            "comes from the authority 'Corp Issuing', which is not trusted",
            "give the certificate of 'Corp Issuing', not that of the server, with --ca-bundle FILE or YC_CA_BUNDLE"
        )
    );
}

#[test]
fn the_certificate_of_the_server_does_not_stand_in_for_its_authority() {
    let key = KeyPair::generate().unwrap();
    let certificate = params("server", &["127.0.0.1"]).signed_by(&key, &authority("Corp Root")).unwrap();
    let address = server(vec![certificate.der().clone()], &key);
    assert_eq!(
        refused(&address, &certificate.pem()),
        refusal(
            "comes from the authority 'Corp Root', which is not trusted",
            "give the certificate of 'Corp Root', not that of the server, with --ca-bundle FILE or YC_CA_BUNDLE"
        )
    );
}

#[test]
fn a_self_signed_certificate_of_an_authority_is_not_one_for_a_server() {
    let key = KeyPair::generate().unwrap();
    let mut params = params("box.corp.example", &["127.0.0.1"]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    let address = server(vec![certificate.der().clone()], &key);
    for bundle in [String::new(), certificate.pem(), authority("Other").pem()] {
        assert_eq!(
            refused(&address, &bundle),
            refusal(
                "is that of the certificate authority 'box.corp.example' (CA:TRUE), and a server needs one of its own",
                "let an authority issue a certificate for the server, and give the certificate of the authority, not that \
             of the server, with --ca-bundle FILE or YC_CA_BUNDLE"
            )
        );
    }
}

#[test]
fn a_self_signed_certificate_of_a_server_can_be_trusted_itself() {
    let key = KeyPair::generate().unwrap();
    let certificate = params("box.corp.example", &["127.0.0.1"]).self_signed(&key).unwrap();
    let address = server(vec![certificate.der().clone()], &key);
    assert_eq!(
        refused(&address, ""),
        refusal(
            "is self-signed by 'box.corp.example' and not trusted",
            "if this is the right server, give that certificate with --ca-bundle FILE or YC_CA_BUNDLE"
        )
    );
    let mut user = User::signed_in();
    user.point_at(&format!("https://{address}"));
    let bundle = user.write_file("bundle.pem", &certificate.pem());
    // The server is trusted, and then serves nothing.
    let error = user.run(&format!("iam access-key list --retry 1 --ca-bundle {}", bundle.display())).failed(5);
    assert!(error.contains("no usable response"), "{error}");
}

#[test]
fn an_authority_of_the_same_name_and_another_key_is_told_from_an_unknown_one() {
    let other_algorithm = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    for key in [KeyPair::generate().unwrap(), other_algorithm] {
        let trusted = CertifiedIssuer::self_signed(authority_params("Corp Root"), key).unwrap();
        let address = issued(&params("server", &["127.0.0.1"]), &authority("Corp Root"), &[]);
        assert_eq!(
            refused(&address, &trusted.pem()),
            refusal(
                "comes from an authority called 'Corp Root', but is not signed with the key of the trusted authority of \
             that name",
                "give the certificate of the 'Corp Root' that issued it, not that of the server, with --ca-bundle FILE or \
             YC_CA_BUNDLE"
            )
        );
    }
}

#[test]
fn the_hosts_that_a_certificate_is_for_are_named() {
    let root = authority("Corp Root");
    let hint = "check the endpoint; a proxy or the login page of a network may also have taken its place";
    for (hosts, reason) in [
        (&["a.example"][..], "is for another host: a.example"),
        (&["*.example", "10.0.0.1", "::1"], "is for other hosts: *.example, 10.0.0.1, ::1"),
        (
            &["a.example", "b.example", "c.example", "d.example", "e.example", "f.example", "g.example"],
            "is for other hosts: a.example, b.example, c.example, d.example, e.example and 2 more",
        ),
    ] {
        let address = issued(&params("server", hosts), &root, &[]);
        assert_eq!(refused(&address, &root.pem()), refusal(reason, hint));
    }
    assert_eq!(
        refused(&issued(&params("127.0.0.1", &[]), &root, &[]), &root.pem()),
        refusal(
            "names no host",
            "the server needs a certificate whose subjectAltName has the host; the common name is not used"
        )
    );
}

#[test]
fn a_certificate_out_of_its_time_is_shown_with_it() {
    let root = authority("Corp Root");
    let mut expired = params("server", &["127.0.0.1"]);
    expired.not_after = date_time_ymd(2020, 1, 2);
    let mut early = params("server", &["127.0.0.1"]);
    early.not_before = date_time_ymd(3000, 1, 2);
    for (params, reason) in [
        (expired, "has expired: it was valid until 2020-01-02 00:00:00 UTC"),
        (early, "is not valid yet: it will be from 3000-01-02 00:00:00 UTC"),
    ] {
        let Refusal { reason: found, hint } = refused(&issued(&params, &root, &[]), &root.pem());
        assert_eq!(found, reason);
        assert!(hint.starts_with("the clock of this machine says 2"), "{hint}");
        assert!(hint.ends_with(" UTC; if that is right, the server needs another certificate"), "{hint}");
    }
}

#[test]
fn a_certificate_for_another_purpose_is_called_that() {
    let root = authority("Corp Root");
    let mut client = params("server", &["127.0.0.1"]);
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    assert_eq!(
        refused(&issued(&client, &root, &[]), &root.pem()),
        refusal(
            "is not meant for servers",
            "the server needs a certificate whose extended key usage has server authentication"
        )
    );
}

#[test]
fn an_issuer_that_is_not_an_authority_is_called_that() {
    let root = authority("Corp Root");
    let middle = params("a server", &["a.example"]);
    let middle = CertifiedIssuer::signed_by(middle, KeyPair::generate().unwrap(), &root).unwrap();
    assert_eq!(
        refused(&issued(&params("server", &["127.0.0.1"]), &middle, &[&middle]), &root.pem()),
        refusal(
            "was issued with one that is not that of an authority (CA:TRUE is missing)",
            "the server needs a certificate that the authority 'Corp Root' issued itself"
        )
    );
}

#[test]
fn an_authority_without_a_common_name_is_named_by_its_organization_and_shown_escaped() {
    let mut params_of_root = authority_params("");
    params_of_root.distinguished_name = DistinguishedName::new();
    params_of_root.distinguished_name.push(DnType::OrganizationName, "Corp\u{1b}[2J");
    let root = CertifiedIssuer::self_signed(params_of_root, KeyPair::generate().unwrap()).unwrap();
    let refused = refused(&issued(&params("server", &["127.0.0.1"]), &root, &[]), "");
    assert_eq!(refused.reason, "comes from the authority 'Corp\\u001b[2J', which is not trusted");
}

#[test]
fn a_server_that_does_not_speak_tls_is_called_that() {
    let mut user = User::signed_in();
    let address = user.cloud.http_url().strip_prefix("http://").unwrap().to_owned();
    user.point_at(&format!("https://{address}"));
    let error = user.run("iam access-key list --retry 1").failed(5);
    let line = format!("ERROR: cannot list access keys: cannot connect to {address}: its response is not TLS");
    assert_eq!(error.lines().next(), Some(line.as_str()));
}

#[test]
fn a_server_that_requires_a_certificate_of_the_client_is_called_that() {
    let (address, root) = server_for_known_clients();
    let mut user = User::signed_in();
    user.point_at(&format!("https://{address}"));
    let bundle = user.write_file("bundle.pem", &root.pem());
    let error = user.run(&format!("iam access-key list --retry 1 --ca-bundle {}", bundle.display())).failed(5);
    let line = error.lines().next().unwrap();
    assert!(line.ends_with(": it requires a client certificate, which this program does not have"), "{error}");
}

#[test]
fn the_certificate_of_a_proxy_is_called_that_of_the_proxy() {
    let mut user = User::signed_in().over_https();
    user.point_at("https://cloud.invalid");
    let address = issued(&params("proxy", &["127.0.0.1"]), &authority("Proxy Root"), &[]);
    user.set("HTTPS_PROXY", format!("https://u:hunter2@{address}"));
    let error = user.run("iam access-key list").failed(1);
    let lines: Vec<_> = error.lines().filter(|line| !line.contains("-id: ")).collect();
    assert_eq!(
        lines,
        [
            format!(
                "ERROR: cannot list access keys: cannot trust the proxy {address}, which comes from HTTPS_PROXY: its \
                 certificate comes from the authority 'Proxy Root', which is not trusted"
            )
            .as_str(),
            "hint: give the certificate of 'Proxy Root', not that of the server, with --ca-bundle FILE or YC_CA_BUNDLE",
        ]
    );
}
