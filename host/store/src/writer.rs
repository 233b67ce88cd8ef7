//! The one writer of this host: a task that owns one connection and commits
//! many logical transactions in one of the database, each in its own
//! savepoint. What one of them did wrong is undone alone; nobody hears of a
//! success before the commit that makes it last. (The group commit of
//! obelisk's writer.)
//!
//! Writes of one kind that wait at the same time are done [`Together`]: one
//! statement a table for all of them. Where that fails, all of it is undone and each
//! is tried by itself, so that one bad member harms no other.
//!
//! Where other hosts write to the same database, one may meet another: a
//! transaction that would wait for ever (a deadlock) is undone and run again,
//! and so is what was under way when the connection was lost, unless that was
//! at the commit.

use std::{any::Any, collections::VecDeque, panic::AssertUnwindSafe, sync::Arc};

use futures::{FutureExt as _, future::BoxFuture};
use tokio::sync::{mpsc, oneshot};

use crate::{
    StoreError, Tx,
    connection::arguments,
    dialect::Dialect,
    hint::Hints,
    observe::Observed,
    postgres::Server,
    wake::{Parts, Wakes},
};

/// At most so many logical transactions share one commit.
const BATCH: usize = 512;

/// How often a logical transaction that met another host's is run. Of those
/// that meet one gives way, any of them: with three hosts it would be the same
/// one six times in a row about once in a thousand writes.
const MOST_MEETINGS: u32 = 30;

/// After one that took something for granted which was otherwise, so many transactions
/// look before they write: to write twice costs more than to look.
const WARY: u32 = 8;

/// How often a batch is run again after the connection was lost under it.
const MOST_LOSSES: u32 = 3;

/// A kind of write that is done for many at once: one statement a table,
/// however many members there are.
pub trait Together: Send + Sync + Sized + 'static {
    /// What a member comes to.
    type Done: Send + 'static;
    /// Why a member was not written.
    type Error: From<StoreError> + Send + 'static;

    /// Of what waits at the same time, the lowest is written first.
    const RANK: u8 = 1;

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

/// A logical transaction, or several of one kind, from the call to the answer.
pub(crate) trait Work: Any + Send {
    /// Runs it; true where what it wrote is to be kept.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;
    /// Where it is several that have failed together: from now on each is run by itself,
    /// in a part of its own. False where to run it again would change nothing.
    fn split(&mut self) -> bool {
        false
    }
    /// Whether it can be run once more as a whole, as if it never had been.
    fn may_run_again(&self) -> bool {
        false
    }
    /// The lowest is run first.
    fn rank(&self) -> u8 {
        1
    }
    /// Takes in another of its kind; gives it back where it is none.
    fn join(&mut self, other: Box<dyn Work>) -> Option<Box<dyn Work>> {
        Some(other)
    }
    /// Whatever it came to is undone, and this is why.
    fn spoil(&mut self, why: &StoreError);
    /// Tells the caller what came of it, or why its transaction was lost.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// What the writer is asked for.
pub(crate) enum Message {
    /// Run and commit this.
    Write(Box<dyn Work>),
    /// Finish what came before, close the connection, and say so.
    Close(oneshot::Sender<()>),
}

struct Code<T, E, F> {
    code: Option<F>,
    outcome: Option<Result<T, E>>,
    sender: oneshot::Sender<Result<T, E>>,
}

/// Wraps a transaction's code for the writer; its result goes to `sender`.
pub(crate) fn work<T, E, F>(code: F, sender: oneshot::Sender<Result<T, E>>) -> Box<dyn Work>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    Box::new(Code { code: Some(code), outcome: None, sender })
}

impl<T, E, F> Work for Code<T, E, F>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        async move {
            // On a file code is never run again.
            let code = match tx.dialect() {
                Dialect::Sqlite => self.code.take(),
                Dialect::Postgres => self.code.clone(),
            };
            let Some(code) = code else { return false };
            let ran = AssertUnwindSafe(async { code(tx).await }).catch_unwind().await;
            let outcome = ran
                .unwrap_or_else(|panic| Err(StoreError::Panicked(sentence(panic.as_ref())).into()));
            self.outcome.insert(outcome).is_ok()
        }
        .boxed()
    }

    fn spoil(&mut self, why: &StoreError) {
        self.outcome = Some(Err(why.clone().into()));
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = match (self.outcome, committed) {
            // It failed by itself, and says best why.
            (Some(Err(why)), _) => Err(why),
            (_, Err(why)) => Err(why.into()),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::Closed.into()),
        };
        // A caller that no longer waits for its answer still gets its write:
        // it asked for it.
        let _ = self.sender.send(answer);
    }
}

type Sender<M> = oneshot::Sender<Result<<M as Together>::Done, <M as Together>::Error>>;

/// Members of one kind, what came of each, and who waits for it.
struct Members<M: Together> {
    members: Vec<M>,
    /// Whether each is run by itself: together they have failed.
    split: bool,
    outcomes: Outcomes<M>,
    senders: Vec<Sender<M>>,
}

/// Wraps a write that is done together with others of its kind; its result
/// goes to `sender`.
pub(crate) fn together<M: Together>(member: M, sender: Sender<M>) -> Box<dyn Work> {
    let (members, senders) = (vec![member], vec![sender]);
    Box::new(Members { members, split: false, outcomes: Vec::new(), senders })
}

impl<M: Together> Work for Members<M> {
    fn rank(&self) -> u8 {
        M::RANK
    }

    fn join(&mut self, other: Box<dyn Work>) -> Option<Box<dyn Work>> {
        let lonely = |work: &Self| work.members.iter().any(Together::alone);
        let ours = (&*other as &dyn Any).downcast_ref::<Self>();
        if lonely(self) || ours.is_none_or(lonely) {
            return Some(other);
        }
        let other: Box<dyn Any> = other;
        if let Ok(other) = other.downcast::<Self>() {
            self.members.extend(other.members);
            self.senders.extend(other.senders);
        }
        None
    }

    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        async move {
            if let [member] = self.members.as_slice() {
                let outcome = one(tx, member).await;
                let keep = outcome.is_ok();
                self.outcomes = vec![outcome];
                return keep;
            }
            let outcomes = match self.split {
                true => each(tx, &self.members).await,
                false => all(tx, &self.members).await,
            };
            match outcomes {
                Ok(outcomes) => {
                    self.outcomes = outcomes;
                    true
                }
                Err(why) => {
                    self.spoil(&why);
                    false
                }
            }
        }
        .boxed()
    }

    fn may_run_again(&self) -> bool {
        // Of members that are run by themselves each is undone by itself.
        !self.split
    }

    fn split(&mut self) -> bool {
        self.members.len() > 1 && !std::mem::replace(&mut self.split, true)
    }

    fn spoil(&mut self, why: &StoreError) {
        self.outcomes = self.senders.iter().map(|_| Err(why.clone().into())).collect();
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { outcomes, senders, .. } = *self;
        let mut outcomes = outcomes.into_iter();
        for sender in senders {
            let answer = match (outcomes.next(), &committed) {
                // It failed by itself, and says best why.
                (Some(Err(why)), _) => Err(why),
                (_, Err(why)) => Err(why.clone().into()),
                (Some(Ok(done)), Ok(())) => Ok(done),
                (None, Ok(())) => Err(StoreError::Closed.into()),
            };
            let _ = sender.send(answer);
        }
    }
}

/// Writes several members at once.
async fn all<M: Together>(tx: &mut Tx, members: &[M]) -> Result<Outcomes<M>, StoreError> {
    let wrote = AssertUnwindSafe(M::write_all(tx, members)).catch_unwind().await;
    let done = wrote.unwrap_or_else(|panic| Err(StoreError::Panicked(sentence(panic.as_ref()))))?;
    if done.len() == members.len() {
        return Ok(done);
    }
    let (asked, answered) = (members.len(), done.len());
    Err(StoreError::Panicked(format!("{asked} members of a write were answered {answered} times")))
}

/// Writes one member; what it has written remains also where it failed.
async fn one<M: Together>(tx: &mut Tx, member: &M) -> Result<M::Done, M::Error> {
    let mut done = all(tx, std::slice::from_ref(member)).await?;
    done.pop().unwrap_or_else(|| Err(StoreError::Closed.into()))
}

/// Writes each by itself. Fails where nothing of any of them can remain.
async fn each<M: Together>(tx: &mut Tx, members: &[M]) -> Result<Outcomes<M>, StoreError> {
    let mut outcomes = Vec::with_capacity(members.len());
    for member in members {
        begin_part(tx).await?;
        let mut outcome = one(tx, member).await;
        let passed_over = match (tx.dialect(), &outcome) {
            (Dialect::Postgres, Ok(_)) => tx.connection.fault().cloned(),
            _ => None,
        };
        if let Some(why) = passed_over {
            outcome = Err(why.into());
        }
        if outcome.is_ok()
            && let Err(why) = end_part(tx).await
        {
            if is_of_all(&why) {
                return Err(why);
            }
            outcome = Err(why.into());
        }
        if outcome.is_err() {
            undo_part(tx).await?;
        }
        outcomes.push(outcome);
        tx.connection.forgive();
    }
    Ok(outcomes)
}

/// Begins a part of a logical transaction that can be undone by itself.
async fn begin_part(tx: &mut Tx) -> Result<(), StoreError> {
    tx.connection.execute("begin a part", "SAVEPOINT inner_part", arguments![]).await.map(drop)
}

/// Ends it; fails where what was posted within it does.
async fn end_part(tx: &mut Tx) -> Result<(), StoreError> {
    release(tx, "RELEASE inner_part").await
}

/// Ends a part of a transaction. To a server nothing was posted within it that could
/// still fail: there the end goes with the next statement.
async fn release(tx: &mut Tx, sql: &'static str) -> Result<(), StoreError> {
    match tx.dialect() {
        Dialect::Sqlite => tx.connection.execute("end a part", sql, arguments![]).await.map(drop),
        Dialect::Postgres => tx.connection.post("end a part", sql, arguments![]).await,
    }
}

async fn undo_part(tx: &mut Tx) -> Result<(), StoreError> {
    tx.connection.recall();
    tx.connection.execute("undo a part", "ROLLBACK TO inner_part", arguments![]).await?;
    end_part(tx).await
}

/// What was met or lost concerns the whole transaction.
const fn is_of_all(why: &StoreError) -> bool {
    matches!(why, StoreError::Lost(_) | StoreError::Crossed(_))
}

fn sentence(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given")
        .to_owned()
}

/// Who is told what the writer did.
pub(crate) struct Told {
    pub(crate) observed: Arc<Observed>,
    pub(crate) wakes: Arc<Wakes>,
    /// Where there may be other hosts.
    pub(crate) hints: Option<Arc<Hints>>,
}

impl Told {
    /// Wakes whom a commit has left something to do.
    fn stirred(&self, parts: Parts) {
        self.wakes.those(parts);
        if parts.is_empty() {
            return;
        }
        if let Some(hints) = &self.hints {
            hints.give(parts);
        }
    }
}

/// Serves until the last handle is gone or somebody closes the store.
pub(crate) async fn run(
    mut tx: Tx,
    mut messages: mpsc::Receiver<Message>,
    server: Option<Server>,
    told: Told,
) {
    let mut waiting = Vec::with_capacity(BATCH);
    let mut wary = 0;
    while messages.recv_many(&mut waiting, BATCH).await > 0 {
        let mut works: VecDeque<Box<dyn Work>> = VecDeque::new();
        let members = waiting.len();
        let mut closing = None;
        for message in waiting.drain(..) {
            match message {
                Message::Write(work) if closing.is_none() => {
                    let mut work = Some(work);
                    for other in &mut works {
                        work = work.and_then(|work| other.join(work));
                    }
                    works.extend(work);
                }
                Message::Write(work) => work.answer(Err(StoreError::Closed)),
                Message::Close(done) => closing = Some(done),
            }
        }
        works.make_contiguous().sort_by_key(|work| work.rank());
        if !works.is_empty() {
            let began = told.observed.begin();
            batch(&mut tx, works, server.as_ref(), &told, &mut wary).await;
            told.observed.end(began, members);
        }
        if let Some(done) = closing {
            // Writes that come from now on find the channel closed.
            messages.close();
            while let Some(message) = messages.recv().await {
                if let Message::Write(work) = message {
                    work.answer(Err(StoreError::Closed));
                }
            }
            tx.connection.close().await;
            let _ = done.send(());
            return;
        }
    }
    tx.connection.close().await;
}

/// How a transaction of the database ended.
enum End {
    /// The first so many are kept (or were undone by themselves); those behind
    /// them have not been run.
    Kept(usize),
    /// Nothing of it is kept, and it is to be run again: the one that it was is split.
    Split,
    /// The same: it took something for granted that is otherwise.
    Otherwise,
    /// The first one met another host's, and is to be run alone.
    Met(StoreError),
    /// Nothing of it is kept.
    Lost(StoreError),
}

/// Runs some logical transactions, in as few of the database as can be. So many of the
/// next ones are `wary`: they take nothing for granted.
async fn batch(
    tx: &mut Tx,
    mut works: VecDeque<Box<dyn Work>>,
    server: Option<&Server>,
    told: &Told,
    wary: &mut u32,
) {
    let (mut meetings, mut losses) = (0, 0);
    while !works.is_empty() {
        match transaction(tx, works.make_contiguous(), *wary == 0).await {
            End::Kept(count) => {
                *wary = wary.saturating_sub(1);
                told.stirred(tx.stirred);
                let kept: Vec<_> = works.drain(..count).collect();
                // Apart: those who come next need not wait until these have been told,
                // and what they brought is freed.
                tokio::spawn(async move {
                    for work in kept {
                        work.answer(Ok(()));
                    }
                });
                (meetings, losses) = (0, 0);
            }
            End::Split => {}
            End::Otherwise => *wary = WARY,
            End::Met(why) => {
                meetings += 1;
                if meetings >= MOST_MEETINGS
                    && let Some(work) = works.pop_front()
                {
                    work.answer(Err(why));
                    meetings = 0;
                }
            }
            End::Lost(why) => {
                let again = match (&why, server) {
                    (StoreError::Lost(_) | StoreError::Unsure(_), Some(server)) => {
                        match server.connect_again().await {
                            Ok(connection) => {
                                tx.connection = connection;
                                losses += 1;
                                matches!(why, StoreError::Lost(_)) && losses <= MOST_LOSSES
                            }
                            Err(why) => {
                                tracing::error!(error = %why, "the database is out of reach");
                                false
                            }
                        }
                    }
                    _ => false,
                };
                if !again {
                    tracing::error!(
                        error = &why as &dyn std::error::Error,
                        "a batch of writes was not kept"
                    );
                    for work in works.drain(..) {
                        work.answer(Err(why.clone()));
                    }
                }
            }
        }
    }
}

/// Runs logical transactions in one of the database, until one meets another
/// host's.
async fn transaction(tx: &mut Tx, works: &mut [Box<dyn Work>], grants: bool) -> End {
    tx.connection.take_fault();
    tx.grants = grants && matches!(works, [work] if work.may_run_again());
    tx.stirred = Parts::new();
    tx.connection.recall();
    if let Err(why) =
        tx.connection.post("begin a transaction", tx.dialect().begin(), arguments![]).await
    {
        return End::Lost(why);
    }
    let lone = works.len() == 1;
    let mut count = 0;
    let mut broken = None;
    for work in works.iter_mut() {
        let ran = if lone {
            run_work(tx, work.as_mut()).await
        } else {
            run_part(tx, work.as_mut()).await
        };
        match ran {
            Ok(Ran::Kept) => count += 1,
            // It needs no part of its own: what it did is all there is.
            Ok(Ran::Spoiled) if lone => {
                roll_back(tx).await;
                return End::Kept(1);
            }
            Ok(Ran::Spoiled) => count += 1,
            Ok(Ran::Split) => {
                roll_back(tx).await;
                return End::Split;
            }
            Ok(Ran::Otherwise) => {
                roll_back(tx).await;
                return End::Otherwise;
            }
            Ok(Ran::Met(why)) if count == 0 => {
                roll_back(tx).await;
                return End::Met(why);
            }
            // The locks of those before it may be what the other host waits
            // for: they are committed first.
            Ok(Ran::Met(_)) => break,
            Err(why) => {
                broken = Some(why);
                break;
            }
        }
    }
    let why = match broken {
        Some(why) => why,
        None => match tx.connection.execute("commit", "COMMIT", arguments![]).await {
            Ok(_) => return End::Kept(count),
            Err(StoreError::Lost(source)) => return End::Lost(StoreError::Unsure(source)),
            Err(StoreError::Otherwise) => {
                roll_back(tx).await;
                return End::Otherwise;
            }
            // One of several may be to blame, by something that was posted.
            Err(why) if lone && !is_of_all(&why) && works.iter_mut().any(|work| work.split()) => {
                roll_back(tx).await;
                return End::Split;
            }
            Err(why) => why,
        },
    };
    if !matches!(why, StoreError::Lost(_)) {
        roll_back(tx).await;
    }
    End::Lost(why)
}

async fn roll_back(tx: &mut Tx) {
    tx.connection.recall();
    // The database may have rolled back by itself (disk full, input or output
    // error); then this says so, and that is all right.
    let _ = tx.connection.execute("roll back", "ROLLBACK", arguments![]).await;
}

/// What became of a logical transaction before the commit.
enum Ran {
    /// What it wrote is to be kept.
    Kept,
    /// It has failed; nothing of it is to be kept.
    Spoiled,
    /// It has failed, and is to be run again once nothing of it remains.
    Split,
    /// It took something for granted that is otherwise.
    Otherwise,
    /// Another host stood in its way, so.
    Met(StoreError),
}

/// Runs one logical transaction. Fails only where the whole one of the
/// database is lost.
async fn run_work(tx: &mut Tx, work: &mut dyn Work) -> Result<Ran, StoreError> {
    let keep = work.run(tx).await;
    if keep {
        // What is left goes before the next work's, or the commit; its fault is this one's.
        let _ = tx.connection.run_apart().await;
    }
    match tx.connection.take_fault() {
        Some(why @ StoreError::Lost(_)) => Err(why),
        Some(why @ StoreError::Crossed(_)) => Ok(Ran::Met(why)),
        Some(StoreError::Otherwise) => Ok(Ran::Otherwise),
        None if keep => Ok(Ran::Kept),
        _ if work.split() => Ok(Ran::Split),
        // After a fault PostgreSQL carries nothing out, also where the code
        // passed over it.
        Some(why) if keep => {
            work.spoil(&why);
            Ok(Ran::Spoiled)
        }
        _ => Ok(Ran::Spoiled),
    }
}

/// The same in a savepoint of its own, for one of several.
async fn run_part(tx: &mut Tx, work: &mut dyn Work) -> Result<Ran, StoreError> {
    tx.connection.execute("begin a part", "SAVEPOINT part", arguments![]).await?;
    loop {
        let mut ran = run_work(tx, work).await?;
        if matches!(ran, Ran::Kept) {
            match release(tx, "RELEASE part").await {
                Ok(()) => return Ok(ran),
                Err(why) if is_of_all(&why) => return Err(why),
                // Something that was posted within it, and is undone with it: no
                // fault of whoever comes next.
                Err(why) => {
                    tx.connection.take_fault();
                    ran = if work.split() { Ran::Split } else { Ran::Spoiled };
                    work.spoil(&why);
                }
            }
        }
        tx.connection.recall();
        tx.connection.execute("undo a part", "ROLLBACK TO part", arguments![]).await?;
        if !matches!(ran, Ran::Split) {
            tx.connection.execute("end a part", "RELEASE part", arguments![]).await?;
            return Ok(ran);
        }
    }
}
