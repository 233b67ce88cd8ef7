//! The one writer: a task that owns one connection and commits many logical
//! transactions in one of the database, each in its own savepoint. What one
//! of them did wrong is undone alone; nobody hears of a success before the
//! commit that makes it last. (The group commit of obelisk's writer.)

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

use futures::{FutureExt as _, future::BoxFuture};
use tokio::sync::{mpsc, oneshot};

use crate::{StoreError, Tx, connection::arguments, dialect, observe::Observed};

/// At most so many logical transactions share one commit.
const BATCH: usize = 256;

/// Told whether the commit succeeded.
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// A logical transaction that has run, and waits for the commit.
pub(crate) struct Member {
    keep: bool,
    answer: Answer,
}

/// A logical transaction: runs, or hears why it cannot.
pub(crate) type Job =
    Box<dyn for<'t> FnOnce(Result<&'t mut Tx, StoreError>) -> BoxFuture<'t, Option<Member>> + Send>;

/// What the writer is asked for.
pub(crate) enum Message {
    /// Run and commit this.
    Write(Job),
    /// Finish what came before, close the connection, and say so.
    Close(oneshot::Sender<()>),
}

/// Wraps a transaction's code for the writer; its result goes to `sender`.
pub(crate) fn job<T, E, F>(code: F, sender: oneshot::Sender<Result<T, E>>) -> Job
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    Box::new(move |tx| {
        async move {
            // A caller that no longer waits for its answer still gets its
            // write: it asked for it.
            let tx = match tx {
                Ok(tx) => tx,
                Err(refusal) => {
                    let _ = sender.send(Err(refusal.into()));
                    return None;
                }
            };
            let ran = AssertUnwindSafe(async { code(tx).await }).catch_unwind().await;
            Some(match ran {
                Ok(Ok(value)) => Member {
                    keep: true,
                    answer: Box::new(move |committed| {
                        let _ = sender.send(committed.map(|()| value).map_err(E::from));
                    }),
                },
                Ok(Err(error)) => Member {
                    keep: false,
                    answer: Box::new(move |_| {
                        let _ = sender.send(Err(error));
                    }),
                },
                Err(panic) => {
                    let why = StoreError::Panicked(sentence(panic.as_ref()));
                    Member {
                        keep: false,
                        answer: Box::new(move |_| {
                            let _ = sender.send(Err(why.into()));
                        }),
                    }
                }
            })
        }
        .boxed()
    })
}

fn sentence(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given")
        .to_owned()
}

/// Serves until the last handle is gone or somebody closes the store.
pub(crate) async fn run(
    mut tx: Tx,
    mut messages: mpsc::Receiver<Message>,
    observed: Arc<Observed>,
) {
    let mut waiting = Vec::with_capacity(BATCH);
    while messages.recv_many(&mut waiting, BATCH).await > 0 {
        let mut jobs = Vec::with_capacity(waiting.len());
        let mut closing = None;
        for message in waiting.drain(..) {
            match message {
                Message::Write(job) if closing.is_none() => jobs.push(job),
                Message::Write(job) => {
                    job(Err(StoreError::Closed)).await;
                }
                Message::Close(done) => closing = Some(done),
            }
        }
        if !jobs.is_empty() {
            let (began, members) = (observed.begin(), jobs.len());
            batch(&mut tx, jobs).await;
            observed.end(began, members);
        }
        if let Some(done) = closing {
            // Writes that come from now on find the channel closed.
            messages.close();
            while let Some(message) = messages.recv().await {
                if let Message::Write(job) = message {
                    job(Err(StoreError::Closed)).await;
                }
            }
            tx.close().await;
            let _ = done.send(());
            return;
        }
    }
    tx.close().await;
}

/// Runs some logical transactions in one of the database.
async fn batch(tx: &mut Tx, jobs: Vec<Job>) {
    let mut broken =
        tx.connection.execute("begin a transaction", dialect::BEGIN, arguments![]).await.err();
    let began = broken.is_none();
    let mut answers = Vec::with_capacity(jobs.len());
    for job in jobs {
        if let Some(why) = &broken {
            job(Err(why.clone())).await;
            continue;
        }
        match member(tx, job).await {
            Ok(answer) => answers.extend(answer),
            Err((why, answer)) => {
                answers.extend(answer);
                broken = Some(why);
            }
        }
    }
    if broken.is_none() {
        broken = tx.connection.execute("commit", "COMMIT", arguments![]).await.err();
    }
    let done = match broken {
        None => Ok(()),
        Some(why) => {
            if began {
                // SQLite may have rolled back by itself (disk full, input or
                // output error); then this says so, and that is all right.
                let _ = tx.connection.execute("roll back", "ROLLBACK", arguments![]).await;
            }
            tracing::error!(error = %why, "a batch of writes was not kept");
            Err(why)
        }
    };
    for answer in answers {
        answer(done.clone());
    }
}

/// Runs one logical transaction in its savepoint. Fails only where the whole
/// batch is lost.
async fn member(tx: &mut Tx, job: Job) -> Result<Option<Answer>, (StoreError, Option<Answer>)> {
    if let Err(why) = tx.connection.execute("begin a part", "SAVEPOINT part", arguments![]).await {
        job(Err(why.clone())).await;
        return Err((why, None));
    }
    let Some(Member { keep, answer }) = job(Ok(tx)).await else {
        return Ok(None);
    };
    if !keep
        && let Err(why) =
            tx.connection.execute("undo a part", "ROLLBACK TO part", arguments![]).await
    {
        return Err((why, Some(answer)));
    }
    match tx.connection.execute("end a part", "RELEASE part", arguments![]).await {
        Ok(_) => Ok(Some(answer)),
        Err(why) => Err((why, Some(answer))),
    }
}
