//! How much is taken in at once. What is too much is told before memory
//! grows: 429 with the seconds after which to try again.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{StatusCode, header},
};
use relata_app::{App, Visitors};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

/// Bodies are counted in pieces of so many bytes.
const PIECE: usize = 1_024;

/// The limits of the HTTP side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections that are open; further ones wait.
    pub connections: usize,
    /// Requests that are being answered, those that wait for runs among them.
    pub requests: usize,
    /// Streams of changes that are open.
    pub streams: usize,
    /// The longest body of a request to the API, bytes.
    pub body_bytes: usize,
    /// The bodies of all requests together, bytes.
    pub bytes: usize,
    /// Writes that wait for the database.
    pub writes: usize,
    /// Events that no workflow has seen yet.
    pub events: u64,
    /// How long the head of a request may take, and how long a connection may
    /// be idle.
    pub header_time: Duration,
    /// How long its body may take.
    pub body_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8_192,
            requests: 4_096,
            streams: 256,
            body_bytes: 4 << 20,
            bytes: 64 << 20,
            writes: 2_048,
            events: 100_000,
            header_time: Duration::from_secs(30),
            body_time: Duration::from_secs(30),
        }
    }
}

/// Lets requests in, or says when to come again.
#[derive(Debug)]
pub(crate) struct Gate {
    requests: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    pieces: Arc<Semaphore>,
    writes: usize,
    events: u64,
    body_bytes: usize,
    body_time: Duration,
    /// How often each visitor of a page has sent something.
    pub(crate) visitors: Visitors,
}

/// A body, with its place among all that are held.
#[derive(Debug)]
pub(crate) struct HeldBody {
    pub(crate) bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl Gate {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            requests: Arc::new(Semaphore::new(limits.requests)),
            streams: Arc::new(Semaphore::new(limits.streams)),
            pieces: Arc::new(Semaphore::new(limits.bytes.div_ceil(PIECE))),
            writes: limits.writes,
            events: limits.events,
            body_bytes: limits.body_bytes,
            body_time: limits.body_time,
            visitors: Visitors::default(),
        }
    }

    /// A place for a request that only reads.
    pub(crate) fn enter_to_read(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        Arc::clone(&self.requests).try_acquire_owned().map_err(|_| {
            ApiError::busy("too many requests are being answered; try again in a moment", 1)
        })
    }

    /// A place for a stream, which stays open.
    pub(crate) fn enter_to_follow(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| {
            ApiError::busy("too many streams are open; close one, or try again later", 30)
        })
    }

    /// A place for a request that brings something.
    pub(crate) fn enter(&self, app: &App) -> Result<OwnedSemaphorePermit, ApiError> {
        if app.event_backlog() >= self.events {
            return Err(ApiError::busy(
                "too many events wait for the workflows; send less at a time",
                5,
            ));
        }
        if app.store().write_backlog() >= self.writes {
            return Err(ApiError::busy("too many writes wait for the database", 1));
        }
        self.enter_to_read()
    }

    /// The longest body of a request to the API, bytes.
    pub(crate) const fn longest(&self) -> usize {
        self.body_bytes
    }

    /// Reads a body of at most so many bytes; the route's own limit must say
    /// the same.
    pub(crate) async fn body(
        &self,
        request: Request,
        longest: usize,
    ) -> Result<HeldBody, ApiError> {
        let declared = request
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        let too_large = || {
            let why = format!("the body is longer than {} KiB", longest / 1024);
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", why)
        };
        if declared.is_some_and(|length| length > longest) {
            return Err(too_large());
        }
        // Whoever does not say how much it is may send all that is allowed.
        let pieces = declared.unwrap_or(longest).div_ceil(PIECE).max(1);
        let room = Arc::clone(&self.pieces)
            .try_acquire_many_owned(u32::try_from(pieces).unwrap_or(u32::MAX))
            .map_err(|_| {
                ApiError::busy("too much is being sent at once; try again in a moment", 1)
            })?;
        match tokio::time::timeout(self.body_time, Bytes::from_request(request, &())).await {
            Ok(Ok(bytes)) if has_nul(&bytes) => Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                "nul",
                "the body has the character U+0000 in it, which no text can have",
            )),
            Ok(Ok(bytes)) => Ok(HeldBody { bytes, _room: room }),
            Ok(Err(why)) if why.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_large()),
            Ok(Err(_)) => Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                "broken",
                "the body did not arrive as a whole",
            )),
            Err(_) => Err(ApiError::new(
                StatusCode::REQUEST_TIMEOUT,
                "slow",
                format!("the body took longer than {} s", self.body_time.as_secs()),
            )),
        }
    }
}

/// Whether a JSON text has `\\u0000` in it: a character that PostgreSQL cannot
/// keep, so that nothing takes it. Behind an even number of backslashes it is
/// only what it looks like.
fn has_nul(body: &[u8]) -> bool {
    const ESCAPED: &[u8] = b"\\u0000";
    body.windows(ESCAPED.len()).enumerate().any(|(place, window)| {
        window == ESCAPED
            && body[..place].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0
    })
}

#[cfg(test)]
mod tests {
    use super::has_nul;

    #[test]
    fn a_nul_is_told_from_what_looks_like_one() {
        for (body, has) in [
            (r#"{"a": "\u0000"}"#, true),
            (r#"{"a": "b\\\u0000"}"#, true),
            (r#"{"a": "\\u0000"}"#, false),
            (r#"{"a": "\u00001"}"#, true),
            (r#"{"a": "\u0001 u0000"}"#, false),
        ] {
            assert_eq!(has_nul(body.as_bytes()), has, "{body}");
        }
    }
}
