//! Hints between hosts that share a server: "there is something to do". Only
//! hints: whoever waits for one looks at the database now and then anyway.
//!
//! A NOTIFY makes the commits of a database wait for one another, so none is
//! sent from a transaction that does work: one task sends them on a connection
//! of its own, and many at once become one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{PgPool, postgres::PgListener};
use tokio::sync::Notify;

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
    pending: AtomicBool,
    ready: Notify,
    heard: Arc<Notify>,
    listens: AtomicBool,
}

impl Hints {
    /// Begins to send what [`Self::give`] asks for.
    pub(crate) fn start(pool: PgPool) -> Arc<Self> {
        let hints = Arc::new(Self {
            pool,
            pending: AtomicBool::new(false),
            ready: Notify::new(),
            heard: Arc::new(Notify::new()),
            listens: AtomicBool::new(false),
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

    /// Wakes the other hosts, soon.
    pub(crate) fn give(&self) {
        if !self.pending.swap(true, Ordering::AcqRel) {
            self.ready.notify_one();
        }
    }

    async fn send(&self) {
        if !self.pending.swap(false, Ordering::AcqRel) {
            return;
        }
        let sent = sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(&self.pool).await;
        if let Err(why) = sent {
            tracing::debug!(error = %why, "a hint was not sent; the other hosts will see by themselves");
        }
    }

    /// Notified when another host, or this one, has given a hint.
    pub(crate) fn hear(self: &Arc<Self>) -> Arc<Notify> {
        if !self.listens.swap(true, Ordering::AcqRel) {
            tokio::spawn(listen(self.pool.clone(), Arc::clone(&self.heard)));
        }
        Arc::clone(&self.heard)
    }

    /// Sends what is still to be sent, and ends.
    pub(crate) async fn close(&self) {
        let _ = tokio::time::timeout(FAREWELL, self.send()).await;
        let _ = tokio::time::timeout(FAREWELL, self.pool.close()).await;
    }
}

/// Listens until the pool is closed, and again whenever the connection is lost.
async fn listen(pool: PgPool, heard: Arc<Notify>) {
    loop {
        let closed = pool.clone();
        tokio::select! {
            () = closed.close_event() => return,
            why = listen_once(&pool, &heard) => {
                if pool.is_closed() {
                    return;
                }
                tracing::debug!(error = %why, "hints of other hosts are not heard for a moment");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listen_once(pool: &PgPool, heard: &Notify) -> sqlx::Error {
    let mut listener = match PgListener::connect_with(pool).await {
        Ok(listener) => listener,
        Err(why) => return why,
    };
    listener.ignore_pool_close_event(false);
    if let Err(why) = listener.listen(CHANNEL).await {
        return why;
    }
    loop {
        // What was missed before it listened shows in the database.
        heard.notify_one();
        // None where the connection was lost and is there again.
        if let Err(why) = listener.try_recv().await {
            return why;
        }
    }
}
