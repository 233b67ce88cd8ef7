//! Whom the client believes.

use std::sync::Arc;

use relata_channels::{HttpConfig, HttpOut};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::service::{call, read_request};

/// A service with a certificate for `localhost`; its port and certificate.
async fn service() -> (u16, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { return };
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            read_request(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
        }
    });
    (port, made.cert.pem())
}

#[tokio::test]
async fn a_certificate_is_believed_if_its_authority_is() {
    let (port, pem) = service().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), pem).unwrap();
    let named = HttpConfig {
        private_hosts: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        ca_file: None,
    };
    let stranger = HttpOut::new(&named).unwrap();
    let why = stranger.send(call(format!("https://localhost:{port}/"))).await.unwrap_err();
    assert!(why.to_string().contains("certificate"), "{why}");
    assert!(!why.is_unknown());

    let named = HttpConfig { ca_file: Some("ca.pem".into()), ..named }.rooted_at(folder.path());
    let friend = HttpOut::new(&named).unwrap();
    let answer = friend.send(call(format!("https://localhost:{port}/"))).await.unwrap();
    assert_eq!(answer.body, b"hi");
    // It is for that name alone.
    let why = friend.send(call(format!("https://127.0.0.1:{port}/"))).await.unwrap_err();
    assert!(why.to_string().contains("certificate"), "{why}");
}

#[test]
fn a_file_of_certificates_that_is_none() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), "-----BEGIN CERTIFICATE-----\nx").unwrap();
    let wrong = HttpConfig { ca_file: Some("ca.pem".into()), ..HttpConfig::default() };
    let why = HttpOut::new(&wrong.rooted_at(folder.path())).unwrap_err().to_string();
    assert!(why.contains("ca_file"), "{why}");
    let missing = HttpConfig { ca_file: Some("none.pem".into()), ..HttpConfig::default() };
    assert!(HttpOut::new(&missing.rooted_at(folder.path())).is_err());
}
