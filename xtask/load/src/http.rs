//! A connection that carries one request after the other, framed by hand: a
//! generator that costs little leaves the machine to what it measures.

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// One connection, kept open.
pub(crate) struct Connection {
    stream: TcpStream,
    kept: Vec<u8>,
}

/// An answer: its status, its headers, and its body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// A request as bytes.
pub(crate) fn request(method: &str, path: &str, secret: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: relata\r\nauthorization: Bearer {secret}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

impl Connection {
    pub(crate) async fn open(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("no connection to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, kept: Vec::with_capacity(4_096) })
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn send(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await?;
        let head = loop {
            if let Some(end) = find(&self.kept, b"\r\n\r\n") {
                break end + 4;
            }
            self.more().await?;
        };
        let (status, length) = read_head(&self.kept[..head])?;
        while self.kept.len() < head + length {
            self.more().await?;
        }
        let body = self.kept[head..head + length].to_vec();
        let told = String::from_utf8_lossy(&self.kept[..head]).into_owned();
        self.kept.drain(..head + length);
        Ok(Answer { status, head: told, body })
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.kept).await? == 0 {
            bail!("the connection was closed before the answer was whole");
        }
        Ok(())
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// The status of an answer, and the length of its body.
fn read_head(head: &[u8]) -> anyhow::Result<(u16, usize)> {
    let head = std::str::from_utf8(head)?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok())
        .with_context(|| format!("no status in {head:?}"))?;
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, length)| length.trim().parse().ok())
        .with_context(|| format!("no content-length in {head:?}"))?;
    Ok((status, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read() {
        let head = b"HTTP/1.1 202 Accepted\r\nContent-Length: 17\r\ndate: x\r\n\r\n";
        assert_eq!(read_head(head).unwrap(), (202, 17));
        assert!(read_head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert_eq!(find(b"ab\r\n\r\ncd", b"\r\n\r\n"), Some(2));
    }
}
