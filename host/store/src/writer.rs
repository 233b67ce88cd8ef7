//! The one writer: a task that owns one connection and commits many logical
//! transactions in one of the database, each in its own savepoint. What one
//! of them did wrong is undone alone; nobody hears of a success before the
//! commit that makes it last. (The group commit of obelisk's writer.)
//!
//! Writes of one kind that wait at the same time are done [`Together`]: one
//! statement a table for all of them, in one savepoint. Where that fails, each
//! is tried by itself, so that one bad member harms no other.

use std::{any::Any, panic::AssertUnwindSafe};

use futures::{FutureExt as _, future::BoxFuture};
use tokio::sync::{mpsc, oneshot};

use crate::{StoreError, Tx, connection::arguments, dialect};

/// At most so many logical transactions share one commit.
const BATCH: usize = 512;

/// A kind of write that is done for many at once: one statement a table,
/// however many members there are.
pub trait Together: Send + Sync + Sized + 'static {
    /// What a member comes to.
    type Done: Send + 'static;
    /// Why a member was not written.
    type Error: From<StoreError> + Send + 'static;

    /// Whether this member has to be written by itself, because it may fail
    /// after it has written something.
    fn alone(&self) -> bool {
        false
    }

    /// Writes the members; answers for each, in their order. A member among
    /// several that is answered with an error has written nothing; what a
    /// single one has written is undone with its error.
    ///
    /// # Errors
    ///
    /// The database's: then nothing of any member remains, and each is tried
    /// by itself.
    fn write_all(
        tx: &mut Tx,
        members: &[Self],
    ) -> impl Future<Output = Result<Outcomes<Self>, StoreError>> + Send;
}

/// What members came to, in their order.
pub type Outcomes<M> = Vec<Result<<M as Together>::Done, <M as Together>::Error>>;

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
    /// Do this together with others of its kind, and commit it.
    Together(Box<dyn Kin>),
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
pub(crate) async fn run(mut tx: Tx, mut messages: mpsc::Receiver<Message>) {
    let mut waiting = Vec::with_capacity(BATCH);
    while messages.recv_many(&mut waiting, BATCH).await > 0 {
        let mut work = Work::default();
        let mut closing = None;
        for message in waiting.drain(..) {
            match message {
                Message::Close(done) => closing = Some(done),
                message if closing.is_none() => work.add(message),
                message => message.refuse().await,
            }
        }
        if !work.is_empty() {
            batch(&mut tx, work).await;
        }
        if let Some(done) = closing {
            // Writes that come from now on find the channel closed.
            messages.close();
            while let Some(message) = messages.recv().await {
                message.refuse().await;
            }
            tx.close().await;
            let _ = done.send(());
            return;
        }
    }
    tx.close().await;
}

impl Message {
    /// Answers that the store is closed.
    async fn refuse(self) {
        match self {
            Self::Write(job) => {
                job(Err(StoreError::Closed)).await;
            }
            Self::Together(kin) => kin.fail(&StoreError::Closed),
            Self::Close(done) => drop(done),
        }
    }
}

/// What one commit makes last.
#[derive(Default)]
struct Work {
    /// Writes that are done together, a kind each.
    kinds: Vec<Box<dyn Kin>>,
    /// All others.
    jobs: Vec<Job>,
}

impl Work {
    fn is_empty(&self) -> bool {
        self.kinds.is_empty() && self.jobs.is_empty()
    }

    fn add(&mut self, message: Message) {
        match message {
            Message::Write(job) => self.jobs.push(job),
            Message::Together(kin) => {
                let mut kin = Some(kin);
                for kind in &mut self.kinds {
                    kin = kin.and_then(|kin| kind.join(kin));
                }
                self.kinds.extend(kin);
            }
            Message::Close(done) => drop(done),
        }
    }
}

/// Runs some logical transactions in one of the database.
async fn batch(tx: &mut Tx, work: Work) {
    let mut broken =
        tx.connection.execute("begin a transaction", dialect::BEGIN, arguments![]).await.err();
    let began = broken.is_none();
    let mut answers = Vec::with_capacity(work.jobs.len());
    for kind in work.kinds {
        if let Some(why) = &broken {
            kind.fail(why);
            continue;
        }
        let (told, fault) = kind.write(tx).await;
        answers.extend(told);
        broken = fault;
    }
    for job in work.jobs {
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
    if let Err(why) = begin_part(tx).await {
        job(Err(why.clone())).await;
        return Err((why, None));
    }
    let Some(Member { keep, answer }) = job(Ok(tx)).await else {
        return Ok(None);
    };
    match end_part(tx, keep).await {
        Ok(()) => Ok(Some(answer)),
        Err(why) => Err((why, Some(answer))),
    }
}

async fn begin_part(tx: &mut Tx) -> Result<(), StoreError> {
    tx.connection.execute("begin a part", "SAVEPOINT part", arguments![]).await.map(drop)
}

async fn end_part(tx: &mut Tx, keep: bool) -> Result<(), StoreError> {
    if !keep {
        tx.connection.execute("undo a part", "ROLLBACK TO part", arguments![]).await?;
    }
    tx.connection.execute("end a part", "RELEASE part", arguments![]).await.map(drop)
}

/// Members of one kind, whichever it is.
pub(crate) trait Kin: Any + Send {
    /// Takes in others; gives them back where they are of another kind.
    fn join(&mut self, others: Box<dyn Kin>) -> Option<Box<dyn Kin>>;

    /// Tells all that they cannot be written.
    fn fail(self: Box<Self>, why: &StoreError);

    /// Writes all. Answers what waits for the commit, and the fault where the
    /// whole batch is lost.
    fn write<'t>(
        self: Box<Self>,
        tx: &'t mut Tx,
    ) -> BoxFuture<'t, (Vec<Answer>, Option<StoreError>)>;
}

type Sender<M> = oneshot::Sender<Result<<M as Together>::Done, <M as Together>::Error>>;

/// Members of a kind, and who waits for each.
struct Members<M: Together> {
    members: Vec<M>,
    senders: Vec<Sender<M>>,
}

/// A write that is done together with others of its kind; its result goes to
/// `sender`.
pub(crate) fn kin<M: Together>(member: M, sender: Sender<M>) -> Box<dyn Kin> {
    Box::new(Members { members: vec![member], senders: vec![sender] })
}

impl<M: Together> Kin for Members<M> {
    fn join(&mut self, others: Box<dyn Kin>) -> Option<Box<dyn Kin>> {
        if (*others).type_id() != std::any::TypeId::of::<Self>() {
            return Some(others);
        }
        let others: Box<dyn Any> = others;
        if let Ok(others) = others.downcast::<Self>() {
            self.members.extend(others.members);
            self.senders.extend(others.senders);
        }
        None
    }

    fn fail(self: Box<Self>, why: &StoreError) {
        for sender in self.senders {
            let _ = sender.send(Err(why.clone().into()));
        }
    }

    fn write<'t>(
        self: Box<Self>,
        tx: &'t mut Tx,
    ) -> BoxFuture<'t, (Vec<Answer>, Option<StoreError>)> {
        async move {
            let Self { members, senders } = *self;
            let mut answers: Vec<Answer> = Vec::with_capacity(members.len());
            let (mut lonely, mut joint, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
            for (member, sender) in members.into_iter().zip(senders) {
                if member.alone() {
                    lonely.push((member, sender));
                } else {
                    joint.push(member);
                    waiting.push(sender);
                }
            }
            let mut fault = None;
            if joint.len() > 1 {
                match part(tx, &joint).await {
                    Ok(Ok(done)) => {
                        answers.extend(
                            done.into_iter().zip(waiting).map(|(done, to)| told::<M>(done, to)),
                        );
                    }
                    Ok(Err(_)) => lonely.extend(joint.into_iter().zip(waiting)),
                    Err(why) => {
                        answers.extend(waiting.into_iter().map(lost));
                        fault = Some(why);
                    }
                }
            } else {
                lonely.extend(joint.into_iter().zip(waiting));
            }
            for (member, sender) in lonely {
                if fault.is_some() {
                    answers.push(lost(sender));
                    continue;
                }
                match part(tx, std::slice::from_ref(&member)).await {
                    Ok(Ok(done)) => {
                        answers.extend(done.into_iter().next().map(|done| told::<M>(done, sender)));
                    }
                    Ok(Err(why)) => answers.push(told::<M>(Err(why.into()), sender)),
                    Err(why) => {
                        answers.push(lost(sender));
                        fault = Some(why);
                    }
                }
            }
            (answers, fault)
        }
        .boxed()
    }
}

/// Writes some members in a savepoint; `Err` where the whole batch is lost.
async fn part<M: Together>(
    tx: &mut Tx,
    members: &[M],
) -> Result<Result<Outcomes<M>, StoreError>, StoreError> {
    begin_part(tx).await?;
    let wrote = AssertUnwindSafe(M::write_all(tx, members)).catch_unwind().await;
    let wrote = match wrote {
        Ok(Ok(done)) if done.len() == members.len() => Ok(done),
        Ok(Ok(done)) => Err(StoreError::Panicked(format!(
            "{} members of a write were answered {} times",
            members.len(),
            done.len()
        ))),
        Ok(Err(why)) => Err(why),
        Err(panic) => Err(StoreError::Panicked(sentence(panic.as_ref()))),
    };
    // One of several that failed has written nothing; a single one may have.
    let keep = match &wrote {
        Ok(done) => done.len() > 1 || done.iter().all(Result::is_ok),
        Err(_) => false,
    };
    end_part(tx, keep).await?;
    Ok(wrote)
}

/// Tells a member what came of it, once that is committed.
fn told<M: Together>(done: Result<M::Done, M::Error>, to: Sender<M>) -> Answer {
    Box::new(move |committed| {
        let _ = to.send(match (done, committed) {
            (Err(why), _) => Err(why),
            (Ok(_), Err(why)) => Err(why.into()),
            (Ok(done), Ok(())) => Ok(done),
        });
    })
}

/// Tells a member that the whole batch is lost.
fn lost<D: Send + 'static, E: From<StoreError> + Send + 'static>(
    to: oneshot::Sender<Result<D, E>>,
) -> Answer {
    Box::new(move |committed| {
        let _ = to.send(Err(committed.err().unwrap_or(StoreError::Closed).into()));
    })
}
