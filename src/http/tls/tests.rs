use std::collections::BTreeSet;
use std::{fs, iter};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use super::roots::{read_der_element, system_roots};
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

/// The same name and key as `authority` has, signed by another authority.
fn cross_signed(name: &str, authority: &Authority, issuer: &Authority) -> CertificateDer<'static> {
    named(name).signed_by(authority.key(), issuer).unwrap().der().clone()
}

fn server(issuer: &Authority) -> CertificateDer<'static> {
    let params = CertificateParams::new(vec!["server.test".into()]).unwrap();
    params.signed_by(&KeyPair::generate().unwrap(), issuer).unwrap().der().clone()
}

/// A verifier whose system has a bundle of these roots.
fn verifier(directory: &TempDir, roots: &[&Authority]) -> Verifier {
    let path = directory.path().join("bundle.pem");
    let blocks: Vec<_> = roots.iter().map(|root| root.pem()).collect();
    write(&path, &blocks.join("# a comment\n"));
    let trust = Trust::Roots { added: RootCertStore::empty(), system: vec![RootSource::Bundle(path)] };
    Verifier { trust, provider: Arc::new(ring::default_provider()) }
}

#[expect(clippy::disallowed_methods, reason = "no secret, and a directory that is removed after the test")]
pub(in super::super) fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

fn verify(verifier: &Verifier, chain: &[CertificateDer<'static>]) -> Result<(), rustls::Error> {
    let name = ServerName::try_from("server.test").unwrap();
    verifier.check(&chain[0], &chain[1..], &name, &[], UnixTime::now()).map(drop)
}

fn unknown() -> Result<(), rustls::Error> {
    Err(CertificateError::UnknownIssuer.into())
}

#[test]
fn a_chain_is_trusted_if_and_only_if_its_root_is_in_the_bundle() {
    let (directory, ours, other) = (TempDir::new().unwrap(), root("ours"), root("other"));
    let middle = below("middle", &ours);
    let chain = [server(&middle), middle.der().clone()];
    assert_eq!(verify(&verifier(&directory, &[&other, &ours, &root("third")]), &chain), Ok(()));
    assert_eq!(verify(&verifier(&directory, &[&other]), &chain), unknown());
    assert_eq!(verify(&verifier(&directory, &[]), &chain), unknown());
    // The chain is not complete without the authority in the middle.
    assert_eq!(verify(&verifier(&directory, &[&ours]), &chain[..1]), unknown());
    assert_eq!(verify(&verifier(&directory, &[&ours]), &[server(&ours)]), Ok(()));
}

#[test]
fn a_root_of_the_same_name_and_another_key_is_not_trusted() {
    let (directory, ours, impostor) = (TempDir::new().unwrap(), root("ours"), root("ours"));
    let chain = [server(&impostor)];
    assert!(verify(&verifier(&directory, &[&ours]), &chain).is_err());
    assert_eq!(verify(&verifier(&directory, &[&ours, &impostor]), &chain), Ok(()));
}

#[test]
fn a_cross_signed_chain_is_trusted_by_either_root() {
    let (directory, old, new) = (TempDir::new().unwrap(), root("old"), root("new"));
    let middle = below("middle", &new);
    let chain = [server(&middle), middle.der().clone(), cross_signed("new", &new, &old)];
    assert_eq!(verify(&verifier(&directory, &[&old]), &chain), Ok(()));
    assert_eq!(verify(&verifier(&directory, &[&new]), &chain), Ok(()));
    assert_eq!(verify(&verifier(&directory, &[&root("third")]), &chain), unknown());
}

#[test]
fn sources_are_read_until_one_holds_the_root() {
    let (directory, ours) = (TempDir::new().unwrap(), root("ours"));
    let bundle = directory.path().join("bundle.pem");
    write(&bundle, &root("other").pem());
    let roots = directory.path().join("roots");
    fs::create_dir(&roots).unwrap();
    write(&roots.join("ours.crt"), &ours.pem());
    let system = vec![RootSource::Bundle(bundle), RootSource::Directory(roots)];
    let trust = Trust::Roots { added: RootCertStore::empty(), system };
    let verifier = Verifier { trust, provider: Arc::new(ring::default_provider()) };
    assert_eq!(verify(&verifier, &[server(&ours)]), Ok(()));
    assert_eq!(verify(&verifier, &[server(&root("third"))]), unknown());
}

#[test]
fn an_unreadable_bundle_is_named() {
    let trust = Trust::Roots { added: RootCertStore::empty(), system: vec![RootSource::Bundle("/no/such".into())] };
    let verifier = Verifier { trust, provider: Arc::new(ring::default_provider()) };
    let error = verify(&verifier, &[server(&root("ours"))]).unwrap_err();
    let message =
        "other error: cannot read the system's root certificates in /no/such: No such file or directory (os error 2)";
    assert_eq!(error.to_string(), message);
}

#[test]
fn the_variables_replace_the_roots_of_the_system() {
    let roots = |vars: &[(&str, &str)]| {
        let vars = vars.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        system_roots(&Env { vars, ..Env::default() })
    };
    assert_eq!(roots(&[("SSL_CERT_FILE", "/f")]), [RootSource::Bundle("/f".into())]);
    assert_eq!(roots(&[("SSL_CERT_DIR", "/d")]), [RootSource::Directory("/d".into())]);
    let both = [RootSource::Bundle("/f".into()), RootSource::Directory("/d".into())];
    assert_eq!(roots(&[("SSL_CERT_DIR", "/d"), ("SSL_CERT_FILE", "/f")]), both);
    assert!(!roots(&[]).is_empty());
}

#[test]
fn an_added_bundle_must_hold_a_certificate() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ca.pem");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let config = |path: &Path| {
        let bundle = runtime.block_on(CaBundle::read(path))?;
        config(Some(&bundle), true, &Env::default())
    };
    let error = |path: &Path| config(path).unwrap_err();
    let shown = path.display();
    let message = format!("cannot read the CA bundle {shown}: No such file or directory (os error 2)");
    assert_eq!(error(&path).to_string(), message);
    let garbage = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
    for text in ["", "hello", garbage, "-----BEGIN CERTIFICATE-----\n"] {
        write(&path, text);
        let message = format!("the CA bundle {shown} holds no certificate that can be used");
        assert_eq!(error(&path).to_string(), message, "{text}");
        assert_eq!(error(&path).exit_code(), 2);
    }
    write(&path, &(garbage.to_owned() + &root("ours").pem()));
    let settings = config(&path).unwrap();
    assert_eq!(settings.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
}

#[test]
fn names_are_read_as_the_library_reads_them() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("bundle.pem");
    // A bundle of real roots, where there is one, has more forms of certificates.
    let system = fs::read_to_string("/etc/ssl/certs/ca-certificates.crt").unwrap_or_default();
    write(&path, &(root("one").pem() + &root("two").pem() + &system));
    let text = fs::read(&path).unwrap();
    let ours: Vec<_> = PemBlock::all(&text).filter_map(PemBlock::certificate).collect();
    let theirs = rustls_native_certs::load_certs_from_paths(Some(&path), None).certs;
    assert!(ours.len() >= 2);
    let set = |certificates: &[CertificateDer<'static>]| -> BTreeSet<Vec<u8>> {
        certificates.iter().map(|certificate| certificate.to_vec()).collect()
    };
    assert_eq!(set(&ours), set(&theirs));

    for (certificate, block) in ours.iter().zip(PemBlock::all(&text)) {
        let mut store = RootCertStore::empty();
        store.add(certificate.clone()).unwrap();
        let names = CertificateNames::read(certificate).unwrap();
        assert_eq!(names.subject, store.roots[0].subject.as_ref());
        // A root is signed by itself.
        assert_eq!(names.subject, names.issuer);
        let other = [names.subject, b"x"].concat();
        assert_eq!(block.certificate_if_among(&Issuers(vec![&other, names.subject])).as_ref(), Some(certificate));
        assert_eq!(block.certificate_if_among(&Issuers(vec![&other])), None);
        assert_eq!(block.certificate_if_among(&Issuers(vec![])), None);
    }
}

#[test]
fn a_certificate_of_any_layout_is_read_like_the_library_does() {
    let long_name = root(&"a long name ".repeat(40));
    let issuers = Issuers(vec![CertificateNames::read(long_name.der()).unwrap().subject]);
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
        let text = [b"\xe9\n", text.as_bytes()].concat();
        let found: Vec<_> = PemBlock::all(&text).filter_map(|block| block.certificate_if_among(&issuers)).collect();
        assert_eq!(found, [long_name.der().clone()], "{}", String::from_utf8_lossy(&text));
    }
    let cut = pem.split("-----END").next().unwrap();
    assert_eq!(PemBlock::all(cut.as_bytes()).filter_map(|block| block.certificate_if_among(&issuers)).count(), 0);
}

#[test]
fn der_that_is_cut_off_is_refused_or_read_alike() {
    let root = root("ours");
    let whole = CertificateNames::read(root.der()).unwrap();
    let (known, unknown): (Vec<_>, Vec<_>) =
        (0..root.der().len()).map(|length| CertificateNames::read(&root.der()[..length])).partition(Option::is_some);
    assert!(!unknown.is_empty() && known.iter().all(|names| names.as_ref() == Some(&whole)));

    assert_eq!(read_der_element(&[0x30, 0x80, 0, 0], 0x30), None);
    assert_eq!(read_der_element(&[0x30, 0x85, 0, 0, 0, 0, 0], 0x30), None);
    assert_eq!(read_der_element(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], 0x30), None);
    let long: Vec<u8> = [0x30, 0x82, 1, 0].into_iter().chain(iter::repeat_n(7, 257)).collect();
    assert_eq!(read_der_element(&long, 0x30).map(|(content, rest)| (content.len(), rest)), Some((256, &[7][..])));
}
