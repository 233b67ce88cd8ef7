//! What is too much, too long or too slow.

use std::time::Duration;

use expect_test::expect;
use relata_server::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::served::{Served, WAITS, json as answer, told};

const EVENT: &str = r#"{"name": "order.paid"}"#;
const LEAD: &str = r#"{"name": "Anna", "email": "anna@a.example"}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_much_is_told_with_a_time() {
    let served = Served::start_with(&[], Limits { requests: 0, ..Limits::default() }).await;
    let mut lines =
        vec![told(served.post("/v1/events", EVENT)).await, told(served.get("/v1/runs")).await];
    served.stop().await;
    let small = Limits { body_bytes: 1_024, bytes: 1_024, ..Limits::default() };
    let served = Served::start_with(&[], small).await;
    lines.push(told(served.post("/v1/events", &" ".repeat(1_025))).await);
    // One that does not say how long it is.
    let mut stream = TcpStream::connect(&served.address).await.unwrap();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: relata\r\nauthorization: Bearer {}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n",
        served.secret
    );
    let chunk = format!("500\r\n{}\r\n0\r\n\r\n", " ".repeat(0x500));
    stream.write_all(format!("{head}{chunk}").as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    lines.push(text.lines().next().unwrap().to_owned());
    served.stop().await;
    let served = Served::start_with(&[], Limits { events: 0, ..Limits::default() }).await;
    lines.push(told(served.post("/v1/events", EVENT)).await);
    served.stop().await;
    let served = Served::start_with(&[], Limits { writes: 0, ..Limits::default() }).await;
    lines.push(told(served.post("/hooks/any", EVENT)).await);
    served.stop().await;
    expect![[r#"
        429 busy: too many requests are being answered; try again in a moment (again in 1 s)
        429 busy: too many requests are being answered; try again in a moment (again in 1 s)
        413 too-large: the body is longer than 1 KiB
        HTTP/1.1 413 Payload Too Large
        429 busy: too many events wait for the workflows; send less at a time (again in 5 s)
        429 busy: too many writes wait for the database (again in 1 s)"#]]
    .assert_eq(&lines.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_slow_is_let_go() {
    let limits = Limits {
        header_time: Duration::from_millis(50),
        body_time: Duration::from_millis(50),
        ..Limits::default()
    };
    let served = Served::start_with(&[], limits).await;
    // Half a head, and nothing more.
    let mut stream = TcpStream::connect(&served.address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: ").await.unwrap();
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await.unwrap();
    // Half a body, and nothing more.
    let mut stream = TcpStream::connect(&served.address).await.unwrap();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: relata\r\nauthorization: Bearer {}\r\ncontent-length: 100\r\n\r\n{{",
        served.secret
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_answers_those_who_wait() {
    let served = Served::start(&[WAITS]).await;
    let waiting = tokio::spawn(answer(served.post("/v1/records/lead?wait=run&timeout=300", LEAD)));
    while served.app.runs(Default::default(), 1).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    served.stop().await;
    let known = waiting.await.unwrap();
    assert_eq!(known["done"], false, "{known}");
    assert_eq!(known["events"][0]["runs"][0]["status"], "active", "{known}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_carries_many_requests() {
    let served = Served::start(&[]).await;
    let mut stream = TcpStream::connect(&served.address).await.unwrap();
    for _ in 0..3 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: relata\r\n\r\n").await.unwrap();
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains("\"now\"") {
            let mut part = [0; 1024];
            let read = stream.read(&mut part).await.unwrap();
            assert_ne!(read, 0, "{}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&part[..read]);
        }
    }
    served.stop().await;
}

/// PostgreSQL cannot keep it, so nobody takes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_a_nul_in_it_is_refused() {
    let served = Served::start(&[]).await;
    let mut lines = Vec::new();
    let lead = r#"{"name": "A\u0000B", "email": "anna@a.example"}"#;
    lines.push(told(served.post("/v1/records/lead", lead)).await);
    lines.push(told(served.post("/v1/events", r#"{"name": "order.paid", "key": "\u0000"}"#)).await);
    lines.push(told(served.get("/v1/records/lead?name=a%00")).await);
    lines.push(told(served.get("/v1/records/lead/%00")).await);
    expect![[r#"
        400 nul: the body has the character U+0000 in it, which no text can have
        400 nul: the body has the character U+0000 in it, which no text can have
        400 nul: the address has %00 in it, a character that no text can have
        400 nul: the address has %00 in it, a character that no text can have"#]]
    .assert_eq(&lines.join("\n"));
    served.stop().await;
}
