//! A web service of the tests: it keeps what it is asked, word for word, and
//! answers what it is told, word for word.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use relata_channels::{HttpCall, HttpConfig, HttpOut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A service on a port of its own.
pub(crate) struct Service {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Service {
    /// Answers every request with these bytes, after a while.
    pub(crate) async fn answering(answer: impl Into<Vec<u8>>, after: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (Arc::clone(&asked), answer.into());
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                tokio::spawn(serve(stream, answer.clone(), after, Arc::clone(&kept)));
            }
        });
        Self { port, asked }
    }

    /// What it was asked, each request as it came.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: Vec<u8>,
    after: Duration,
    asked: Arc<Mutex<Vec<String>>>,
) {
    let request = read_request(&mut stream).await;
    asked.lock().unwrap().push(request);
    tokio::time::sleep(after).await;
    // Whoever asked may have gone.
    let _ = stream.write_all(&answer).await;
}

/// A request with as much of a body as it says it has.
pub(crate) async fn read_request(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut some = [0; 4096];
        let count = stream.read(&mut some).await.unwrap_or(0);
        bytes.extend_from_slice(&some[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
            });
            body.len() >= length.unwrap_or(0_usize)
        });
        if whole || count == 0 {
            return text;
        }
    }
}

/// A client that may call this machine.
pub(crate) fn client() -> HttpOut {
    HttpOut::new(&HttpConfig { private_hosts: vec!["127.0.0.1".to_owned()], ca_file: None })
        .unwrap()
}

pub(crate) fn call(url: String) -> HttpCall {
    HttpCall {
        method: "GET",
        url,
        headers: Vec::new(),
        body: Vec::new(),
        timeout: Duration::from_secs(5),
        answer_bytes: 1000,
    }
}
