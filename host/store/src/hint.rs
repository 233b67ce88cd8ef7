//! Hints between hosts that share a server: "there is something to do for these
//! parts of you". Only hints: whoever waits for one looks at the database now and
//! then anyway.
//!
//! A NOTIFY makes the commits of a database wait for one another, so none is
//! sent from a transaction that does work: one task sends them on a connection
//! of its own, and many at once become one.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use sqlx::{PgPool, postgres::PgListener};
use tokio::sync::Notify;

use crate::wake::{Parts, Wakes};

/// The channel's name.
const CHANNEL: &str = "relata_work";

/// At most one hint is sent in so long.
const PACE: Duration = Duration::from_millis(10);

/// Before a listener whose connection was lost tries again.
const PAUSE: Duration = Duration::from_millis(500);

/// So long a hint may take when the store is closed.
const FAREWELL: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Hints {
    pool: PgPool,
    /// By which a host that listens knows its own hints: it has woken itself
    /// already.
    sender: OnceLock<String>,
    /// The parts that others are to be told of.
    pending: AtomicU8,
    ready: Notify,
    wakes: Arc<Wakes>,
}

impl Hints {
    /// Begins to send what [`Self::give`] asks for. Those of others wake parts of
    /// this host, once it listens.
    pub(crate) fn start(pool: PgPool, wakes: Arc<Wakes>) -> Arc<Self> {
        let hints = Arc::new(Self {
            pool,
            sender: OnceLock::new(),
            pending: AtomicU8::new(Parts::new().bits()),
            ready: Notify::new(),
            wakes,
        });
        let (sender, closed) = (Arc::downgrade(&hints), hints.pool.clone());
        tokio::spawn(async move {
            loop {
                let Some(hints) = sender.upgrade() else { return };
                tokio::select! {
                    () = closed.close_event() => return,
                    () = hints.ready.notified() => hints.send().await,
                    // The store may have been dropped unclosed.
                    () = tokio::time::sleep(Duration::from_secs(1)) => continue,
                }
                tokio::time::sleep(PACE).await;
            }
        });
        hints
    }

    /// Wakes these parts of the other hosts, soon.
    pub(crate) fn give(&self, parts: Parts) {
        let before = self.pending.fetch_or(parts.bits(), Ordering::AcqRel);
        if before == Parts::new().bits() {
            self.ready.notify_one();
        }
    }

    async fn send(&self) {
        let parts = self.pending.swap(Parts::new().bits(), Ordering::AcqRel);
        if parts == Parts::new().bits() {
            return;
        }
        let hint = said(self.sender.get().map_or("", String::as_str), Parts::from_bits(parts));
        let sent = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(hint);
        if let Err(why) = sent.execute(&self.pool).await {
            tracing::debug!(error = %why, "a hint was not sent; the other hosts will see by themselves");
        }
    }

    /// Begins, as `name`, to hear what other hosts have to say.
    pub(crate) fn listen(&self, name: &str) {
        if self.sender.set(name.to_owned()).is_ok() {
            tokio::spawn(listen(self.pool.clone(), Arc::clone(&self.wakes), name.to_owned()));
        }
    }

    /// Sends what is still to be sent, and ends.
    pub(crate) async fn close(&self) {
        let _ = tokio::time::timeout(FAREWELL, self.send()).await;
        let _ = tokio::time::timeout(FAREWELL, self.pool.close()).await;
    }
}

/// A hint as it is sent: who gives it, and for which parts.
fn said(sender: &str, parts: Parts) -> String {
    format!("{sender} {}", parts.bits())
}

/// The parts that a hint wakes: none where it is our own, all where it does not
/// read, as another version's may not.
fn meant(hint: &str, own: &str) -> Parts {
    match hint.split_once(' ') {
        Some((sender, _)) if sender == own => Parts::new(),
        Some((_, parts)) => parts.parse().map_or(Parts::all(), Parts::from_bits),
        None => Parts::all(),
    }
}

/// Listens until the pool is closed, and again whenever the connection is lost.
async fn listen(pool: PgPool, wakes: Arc<Wakes>, own: String) {
    loop {
        let closed = pool.clone();
        tokio::select! {
            () = closed.close_event() => return,
            why = listen_once(&pool, &wakes, &own) => {
                if pool.is_closed() {
                    return;
                }
                tracing::debug!(error = %why, "hints of other hosts are not heard for a moment");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listen_once(pool: &PgPool, wakes: &Wakes, own: &str) -> sqlx::Error {
    let mut listener = match PgListener::connect_with(pool).await {
        Ok(listener) => listener,
        Err(why) => return why,
    };
    listener.ignore_pool_close_event(false);
    if let Err(why) = listener.listen(CHANNEL).await {
        return why;
    }
    // What was missed before it listened shows in the database.
    wakes.all();
    loop {
        match listener.try_recv().await {
            Ok(Some(hint)) => wakes.those(meant(hint.payload(), own)),
            // The connection was lost and is there again.
            Ok(None) => wakes.all(),
            Err(why) => return why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wake::Part;

    #[test]
    fn a_hint_wakes_what_it_names_and_nobody_wakes_themselves() {
        let mut parts = Parts::new();
        parts.add(Part::Runs);
        parts.add_log();
        let hint = said("a", parts);
        assert_eq!(meant(&hint, "b"), parts);
        assert_eq!(meant(&hint, "a"), Parts::new());
        assert_eq!(meant(&said("a", Parts::all()), "b"), Parts::all());
        // What an older version says.
        assert_eq!(meant("", "b"), Parts::all());
        assert_eq!(meant("a runs", "b"), Parts::all());
    }
}
