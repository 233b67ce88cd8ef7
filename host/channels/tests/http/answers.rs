//! What comes back, and what does not.

use std::time::Duration;

use expect_test::{Expect, expect};
use relata_channels::HttpCall;

use crate::service::{Service, call, client};

async fn check(answer: impl Into<Vec<u8>>, expected: Expect) {
    let service = Service::answering(answer, Duration::ZERO).await;
    let came = client().send(call(format!("http://127.0.0.1:{}/", service.port))).await;
    let told = match came {
        Ok(answer) => {
            format!(
                "{} {:?} {}",
                answer.status,
                answer.headers,
                String::from_utf8_lossy(&answer.body)
            )
        }
        Err(why) => {
            format!("{why} (transient: {}, unknown: {})", why.is_transient(), why.is_unknown())
        }
    };
    expected.assert_eq(&told);
}

#[tokio::test]
async fn a_request_leaves_as_it_is() {
    let service = Service::answering("HTTP/1.1 204 No Content\r\n\r\n", Duration::ZERO).await;
    let call = HttpCall {
        method: "POST",
        headers: vec![("authorization".to_owned(), "Bearer t0p".to_owned())],
        body: b"{\"n\":1}".to_vec(),
        ..call(format!("http://127.0.0.1:{}/orders?x=a%20b", service.port))
    };
    client().send(call).await.unwrap();
    let asked =
        service.asked().join("").replace(&service.port.to_string(), "PORT").replace('\r', "");
    expect![[r#"
        POST /orders?x=a%20b HTTP/1.1
        authorization: Bearer t0p
        accept: */*
        user-agent: Relata/0.1.0
        host: 127.0.0.1:PORT
        content-length: 7

        {"n":1}"#]]
    .assert_eq(&asked);
}

#[tokio::test]
async fn every_status_is_an_answer() {
    check(
        "HTTP/1.1 500 Oh\r\nX-Word: a\r\ncontent-length: 2\r\n\r\nno",
        expect![[r#"500 [("x-word", "a"), ("content-length", "2")] no"#]],
    )
    .await;
}

#[tokio::test]
async fn redirects_are_not_followed() {
    check(
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        expect![[r#"302 [("location", "http://127.0.0.1:1/"), ("content-length", "0")] "#]],
    )
    .await;
}

#[tokio::test]
async fn too_long_an_answer() {
    check(
        "HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n",
        expect!["127.0.0.1 answered more than 1000 bytes (transient: false, unknown: true)"],
    )
    .await;
    let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
    let chunks =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n");
    check(
        chunks,
        expect!["127.0.0.1 answered more than 1000 bytes (transient: false, unknown: true)"],
    )
    .await;
}

#[tokio::test]
async fn a_body_is_not_unpacked() {
    // Ten bytes that would become ten million.
    check(
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nabcd".to_vec(),
        expect![[r#"200 [("content-encoding", "gzip"), ("content-length", "4")] abcd"#]],
    )
    .await;
}

#[tokio::test]
async fn an_answer_that_breaks_off() {
    check("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nshort", expect!["127.0.0.1 did not answer: end of file before message length reached (transient: true, unknown: true)"]).await;
    check("", expect!["127.0.0.1 did not answer: connection closed before message completed (transient: true, unknown: true)"]).await;
    check(
        "SMTP at your service\r\n",
        expect![
            "127.0.0.1 did not answer: invalid HTTP version parsed (transient: true, unknown: true)"
        ],
    )
    .await;
}

#[tokio::test]
async fn nobody_listens() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let why = client().send(call(format!("http://127.0.0.1:{port}/"))).await.unwrap_err();
    expect!["127.0.0.1 cannot be reached: Connection refused (os error 111)"]
        .assert_eq(&why.to_string());
    assert!(why.is_transient() && !why.is_unknown());
}

#[tokio::test]
async fn an_answer_that_does_not_come() {
    let service = Service::answering("", Duration::from_secs(60)).await;
    let call = HttpCall {
        timeout: Duration::from_millis(50),
        ..call(format!("http://127.0.0.1:{}/secret-path", service.port))
    };
    let why = client().send(call).await.unwrap_err();
    expect!["127.0.0.1 did not answer: the time for its answer is over"]
        .assert_eq(&why.to_string());
    assert!(why.is_transient() && why.is_unknown());
}
