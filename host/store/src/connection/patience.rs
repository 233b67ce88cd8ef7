//! A server that does not answer: a firewall has forgotten the connection, or the
//! machine hangs. The network alone would tell it after a quarter of an hour, or never.

use std::{io, time::Duration};

use tokio::time::timeout;

/// What a server answers within its time. After a silence the connection is of no more
/// use: whatever is asked of it next finds it lost at once.
pub(super) async fn answered<T>(
    patience: &mut Option<Duration>,
    asking: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let Some(limit) = *patience else { return asking.await };
    match timeout(limit, asking).await {
        Ok(answer) => answer,
        Err(_) => {
            *patience = Some(Duration::ZERO);
            Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, Silence)))
        }
    }
}

/// A server was given up.
#[derive(Debug, thiserror::Error)]
#[error("the server did not answer in time; look at the network and at its load")]
struct Silence;

/// Whether that is what happened.
pub(super) fn is_silence(fault: &sqlx::Error) -> bool {
    let inner = match fault {
        sqlx::Error::Io(why) => why.get_ref(),
        _ => None,
    };
    inner.is_some_and(|inner| inner.is::<Silence>())
}
