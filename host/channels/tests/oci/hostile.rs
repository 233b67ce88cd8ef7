//! A registry that answers whatever the test wants.

use std::sync::Arc;

use expect_test::{Expect, expect};
use relata_channels::OciReference;
use relata_package::{Digest, MAX_COMPONENT_BYTES, Package};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{at, oci, package};

/// What comes back for a request's first line and headers.
type Answers = Arc<dyn Fn(&str) -> Answer + Send + Sync>;

enum Answer {
    /// The head's other lines, a status in front, and the body.
    Whole(String, Vec<u8>),
    /// A body that never ends.
    Endless,
}

fn ok(body: impl Into<Vec<u8>>) -> Answer {
    Answer::Whole("200 OK".to_owned(), body.into())
}

fn status(head: &str) -> Answer {
    Answer::Whole(head.to_owned(), Vec::new())
}

/// Listens until the test ends.
async fn registry(answers: impl Fn(&str) -> Answer + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answers: Answers = Arc::new(answers);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Whoever is not served well goes away; that is what is tested.
            tokio::spawn(serve(stream, Arc::clone(&answers)));
        }
    });
    port
}

async fn serve(mut stream: TcpStream, answers: Answers) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    match answers(&String::from_utf8_lossy(&request)) {
        Answer::Whole(head, body) => {
            let length = body.len();
            let head =
                format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body).await
        }
        Answer::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await?;
            loop {
                stream.write_all(&[b' '; 1 << 16]).await?;
            }
        }
    }
}

fn layer(kind: &str, bytes: &[u8], size: usize) -> Value {
    json!({ "mediaType": kind, "digest": Digest::of(bytes), "size": size })
}

/// The manifest of a package, whose sizes may be lies.
fn manifest(package: &Package, component: usize, about: usize) -> Vec<u8> {
    let manifest = json!({
        "schemaVersion": 2,
        "config": layer("application/vnd.wasm.config.v0+json", b"{}", 2),
        "layers": [
            layer("application/wasm", &package.parts().component, component),
            layer("application/vnd.relata.plugin.v1.tar+gzip", &package.write_about(), about),
        ],
    });
    manifest.to_string().into_bytes()
}

async fn refused(image: &OciReference, expected: Expect) {
    let error = oci(Some(("anna", "t0p-secret"))).pull(image).await.unwrap_err();
    let (_, port) = image.registry.rsplit_once(':').unwrap();
    expected.assert_eq(&error.to_string().replace(port, "PORT"));
}

#[tokio::test]
async fn an_endless_manifest() {
    let port = registry(|_| Answer::Endless).await;
    refused(
        &at(port, "enrich:1"),
        expect![
            "oci://127.0.0.1:PORT/enrich:1 has a manifest of more than 1024 KiB, the most it may be"
        ],
    )
    .await;
}

#[tokio::test]
async fn an_endless_component() {
    let good = package("0.1.0", "c");
    let port = registry(move |request| {
        if request.contains("/manifests/") { ok(manifest(&good, 10, 10)) } else { Answer::Endless }
    })
    .await;
    refused(&at(port, "enrich:1"), expect!["oci://127.0.0.1:PORT/enrich:1 has a component of more than 32768 KiB, the most it may be"]).await;
}

#[tokio::test]
async fn a_component_that_is_announced_too_large_is_not_begun() {
    let good = package("0.1.0", "c");
    let port = registry(move |request| {
        assert!(request.contains("/manifests/"), "{request}");
        ok(manifest(&good, MAX_COMPONENT_BYTES + 1, 10))
    })
    .await;
    refused(&at(port, "enrich:1"), expect!["oci://127.0.0.1:PORT/enrich:1 has a component of more than 32768 KiB, the most it may be"]).await;
}

#[tokio::test]
async fn other_bytes_than_those_asked_for() {
    let good = package("0.1.0", "c");
    let port = registry(move |request| {
        if request.contains("/manifests/") { ok(manifest(&good, 10, 10)) } else { ok("evil") }
    })
    .await;
    refused(&at(port, "enrich:1"), expect!["the component of oci://127.0.0.1:PORT/enrich:1 is not what it should be: sha256:c74dbf281e682db151b9d3cf612528ed976b072cf81bc80d11873cbde7544566 was asked for, sha256:b5c1fb2efc6d6b4674c2fdcc48ce01b43a3b7c03763c0c3355de0099ee0f8c73 came. Somebody changed it on the way, or the registry is broken; do not install it"]).await;
    let pinned = format!("enrich:1@{}", Digest::of(b"the one"));
    let port = registry(|_| ok("{}")).await;
    refused(&at(port, &pinned), expect!["the manifest of oci://127.0.0.1:PORT/enrich:1@sha256:ae79db51521c7b09620120c74df02d7fe7fd2210eae835b43932fa067f25c0b4 is not what it should be: sha256:ae79db51521c7b09620120c74df02d7fe7fd2210eae835b43932fa067f25c0b4 was asked for, sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a came. Somebody changed it on the way, or the registry is broken; do not install it"]).await;
}

#[tokio::test]
async fn what_is_no_answer() {
    let answer = |head: &'static str, body: &'static str| {
        registry(move |_| Answer::Whole(head.to_owned(), body.into()))
    };
    let port = answer("200 OK", "<html>").await;
    refused(&at(port, "enrich:1"), expect!["oci://127.0.0.1:PORT/enrich:1 is not a plugin: its manifest is of another form; `relata plugin push` puts one there"]).await;
    let port =
        answer("500 Oh", r#"{"errors":[{"code":"UNKNOWN","message":"no\u001b[2J disk"}]}"#).await;
    refused(
        &at(port, "enrich:1"),
        expect![[
            r#"the registry 127.0.0.1:PORT answered 500 Internal Server Error, "no\u{1b}[2J disk""#
        ]],
    )
    .await;
    let port = answer("429 Too Many Requests", "").await;
    refused(
        &at(port, "enrich:1"),
        expect!["the registry 127.0.0.1:PORT answered 429 Too Many Requests"],
    )
    .await;
}

#[tokio::test]
async fn a_way_out_of_encryption_is_not_taken() {
    // To an address of the documentation's, where nobody is: it must not be tried.
    let port = registry(|_| status("307 Temporary Redirect\r\nlocation: http://192.0.2.1/x")).await;
    refused(
        &at(port, "enrich:1"),
        expect![
            "the registry 127.0.0.1:PORT cannot be reached: it points to an unencrypted address"
        ],
    )
    .await;
    let port = registry(|_| status("307 Temporary Redirect\r\nlocation: /again")).await;
    refused(
        &at(port, "enrich:1"),
        expect![
            "the registry 127.0.0.1:PORT cannot be reached: it points elsewhere again and again"
        ],
    )
    .await;
}

#[tokio::test]
async fn a_token_is_fetched_and_shown() {
    let good = package("0.1.0", "c");
    let parts = good.parts().clone();
    let port = registry(move |request| {
        let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        if request.starts_with("GET /token?service=plugins&scope=repository%3Aenrich%3Apull ") {
            // anna:t0p-secret
            assert!(request.contains("authorization: Basic YW5uYTp0MHAtc2VjcmV0\r\n"), "{request}");
            return ok(r#"{"token": "t0ken"}"#);
        }
        if !request.contains("authorization: Bearer t0ken\r\n") {
            return status(&format!(
                "401 Unauthorized\r\nwww-authenticate: Bearer realm=\"http://{host}/token\",service=\"plugins\",scope=\"repository:enrich:pull\""
            ));
        }
        let about = good.write_about();
        if request.contains("/manifests/") {
            ok(manifest(&good, 10, 10))
        } else if request.contains(&Digest::of(&about).to_string()) {
            ok(about)
        } else {
            ok(good.parts().component.clone())
        }
    })
    .await;
    let pulled = oci(Some(("anna", "t0p-secret"))).pull(&at(port, "enrich:1")).await.unwrap();
    assert_eq!(pulled.package.parts(), &parts);
}

#[tokio::test]
async fn a_login_goes_nowhere_in_the_clear() {
    let port = registry(|request| {
        assert!(!request.contains("authorization"), "{request}");
        status("401 Unauthorized\r\nwww-authenticate: Bearer realm=\"http://evil.test/token\"")
    })
    .await;
    refused(
        &at(port, "enrich:1"),
        expect!["the registry 127.0.0.1:PORT answered with a place for tokens that cannot be used"],
    )
    .await;

    // The blobs lie elsewhere: there, nobody is told who asks.
    let good = package("0.1.0", "c");
    let elsewhere = registry(|request| {
        assert!(!request.contains("authorization"), "{request}");
        ok("evil")
    })
    .await;
    let port = registry(move |request| {
        if !request.contains("authorization: Basic") {
            return status("401 Unauthorized\r\nwww-authenticate: Basic realm=\"x\"");
        }
        if request.contains("/manifests/") {
            return ok(manifest(&good, 10, 10));
        }
        status(&format!("307 Temporary Redirect\r\nlocation: http://127.0.0.1:{elsewhere}/blob"))
    })
    .await;
    refused(&at(port, "enrich:1"), expect!["the component of oci://127.0.0.1:PORT/enrich:1 is not what it should be: sha256:c74dbf281e682db151b9d3cf612528ed976b072cf81bc80d11873cbde7544566 was asked for, sha256:b5c1fb2efc6d6b4674c2fdcc48ce01b43a3b7c03763c0c3355de0099ee0f8c73 came. Somebody changed it on the way, or the registry is broken; do not install it"]).await;
}
