//! HTTPS, HTTP/2, and what faults look like there.

use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use yc_emulator::{ADMIN_ID, Emulator, Fault};

use crate::client::KEYS;

const CREATE: &str = "POST /iam/aws-compatibility/v1/accessKeys";

async fn connect(cloud: &Emulator, name: &'static str, protocol: &str) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(cloud.ca_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(cloud.https_url().strip_prefix("https://").unwrap()).await.unwrap();
    let name = ServerName::try_from(name).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

async fn http2(cloud: &Emulator) -> SendRequest<Full<Bytes>> {
    let stream = connect(cloud, "localhost", "h2").await;
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Status and body, or `None` where the response was lost.
async fn create(cloud: &Emulator, sender: &mut SendRequest<Full<Bytes>>) -> Option<(u16, Bytes)> {
    let request = hyper::Request::post(format!("{}{KEYS}", cloud.https_url()))
        .header("authorization", format!("Bearer {}", cloud.issue_token(ADMIN_ID)))
        .header("content-type", "application/json")
        .body(Full::from("{}"))
        .unwrap();
    let response = sender.send_request(request).await.ok()?;
    let status = response.status().as_u16();
    Some((status, response.into_body().collect().await.ok()?.to_bytes()))
}

#[tokio::test]
async fn the_certificate_is_good_for_loopback_and_the_built_in_addresses() {
    let cloud = Emulator::start();
    let loopback = ["127.0.0.1", "localhost", "::1"];
    let api = ["api.cloud.yandex.net", "iam.api.cloud.yandex.net"];
    let others = ["auth.yandex.cloud", "sts.yandexcloud.net", "storage.yandexcloud.net"];
    for name in [loopback.as_slice(), &api, &others].concat() {
        for protocol in ["h2", "http/1.1"] {
            let stream = connect(&cloud, name, protocol).await;
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
        }
    }
}

#[tokio::test]
async fn one_http2_connection_carries_many_requests() {
    let cloud = Emulator::start();
    let mut sender = http2(&cloud).await;
    for _ in 0..3 {
        assert_eq!(create(&cloud, &mut sender).await.unwrap().0, 200);
    }
    assert_eq!(cloud.connections(), 1);
    assert!(cloud.requests().iter().all(|request| request.tls && request.http2));
}

#[tokio::test]
async fn lost_replies_close_the_http2_connection() {
    let cloud = Emulator::start();
    for (fault, keys) in [(Fault::Close, 0), (Fault::LoseReply, 1), (Fault::CutReply, 2)] {
        cloud.fault(CREATE, fault);
        let mut sender = http2(&cloud).await;
        assert!(create(&cloud, &mut sender).await.is_none());
        assert!(create(&cloud, &mut sender).await.is_none(), "the connection is still open");
        assert_eq!(cloud.access_keys().len(), keys);
    }
    assert_eq!(cloud.connections(), 3);
}

#[tokio::test]
async fn other_faults_keep_the_http2_connection() {
    let cloud = Emulator::start();
    cloud.fault(CREATE, Fault::unavailable());
    cloud.fault(CREATE, Fault::BadGateway(502));
    cloud.fault(CREATE, Fault::Oversized);
    let mut sender = http2(&cloud).await;
    for status in [503, 502, 200, 200] {
        assert_eq!(create(&cloud, &mut sender).await.unwrap().0, status);
    }
    assert_eq!(cloud.connections(), 1);
}

#[tokio::test]
async fn any_host_is_served_but_metadata_has_no_https() {
    let cloud = Emulator::start();
    let mut sender = http2(&cloud).await;
    let mut get = async |url: String| {
        let request = hyper::Request::get(url).header("metadata-flavor", "Google");
        let response = sender.send_request(request.body(Full::default()).unwrap()).await.unwrap();
        (response.status().as_u16(), response.into_body().collect().await.unwrap().to_bytes())
    };
    let (status, body) = get("https://api.cloud.yandex.net/endpoints/iam".to_owned()).await;
    let address = cloud.https_url().strip_prefix("https://").unwrap();
    assert_eq!((status, body), (200, format!(r#"{{"id":"iam","address":"{address}"}}"#).into()));
    cloud.attach_service_account(ADMIN_ID);
    let path = "/computeMetadata/v1/instance/service-accounts/default/token";
    assert_eq!(get(format!("{}{path}", cloud.https_url())).await.0, 404);
}
