//! Moving runs: who has one, for how long, and the commit that only the one
//! who has it may make.

use std::collections::{BTreeSet, HashMap, HashSet};

use relata_engine::{Happening, Run, Watch};
use relata_model::{EventId, RunId, Timestamp};
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::{
    LogRow, Outcomes, Store, StoreError, Together, Tx,
    connection::{arguments, to_json},
    given::Given,
    listening::ids,
    run::{self, standing},
    table::ColumnType::{Text, Whole},
    wake::Part,
    workflow::STAMP,
};

/// What is due within so long is told to those who sleep until something is.
const SOON_MS: i64 = 1_000;

/// A run that a worker has for a while.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The run.
    pub run: Run,
    /// Goes up with each claim; every later write names it.
    pub epoch: u64,
    /// When it was due, for telling how late it is.
    pub due_at: Timestamp,
    /// Until when the worker has it.
    pub lease_until: Timestamp,
    /// What it was told and has not taken in yet, oldest first.
    pub inbox: Vec<Happening>,
    /// How often somebody began a call for it ([`Store::run_begin`]) since it
    /// last got on, and no commit followed.
    pub crash_count: u32,
    /// Whether the next call counts as begun already ([`Lease`]).
    pub begun: bool,
    /// Why it shall end, if somebody asked for that.
    pub cancel: Option<String>,
    /// The end of the event log when it was claimed.
    pub log_end: u64,
}

/// The next state of a run, and what goes with it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunCommit {
    /// The run as it is now.
    pub run: Run,
    /// From the claim.
    pub epoch: u64,
    /// The run's `seq` before.
    pub seq_before: u64,
    /// What it did.
    pub log: Vec<LogRow>,
    /// When it should be looked at next; only when something happens, if
    /// none. Of no weight once it has ended, or while the lease is kept.
    pub due_at: Option<Timestamp>,
    /// All that it listens for from now on; none leaves it as it is.
    pub watches: Option<BTreeSet<Watch>>,
    /// The end of the event log before it was decided what to listen for: it
    /// is told what came since then, which nobody knew that it would want.
    /// None where it listens for nothing new.
    pub decided_at: Option<u64>,
    /// What it has taken in.
    pub consumed: Vec<EventId>,
    /// The wish for its end that it has taken in, in its words: that one is
    /// not told again.
    pub cancel_taken: Option<String>,
    /// The worker goes on with the next step and keeps the run until then;
    /// none gives it back.
    pub keep_lease_until: Option<Timestamp>,
}

/// What came for a run while it was on its way.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Committed {
    /// What it was told and has not taken in yet, oldest first: all of it,
    /// also what the claim handed over.
    pub inbox: Vec<Happening>,
    /// Why it shall end, if somebody asked for that.
    pub cancel: Option<String>,
    /// The value of `one_per` whose place it gave up with its end.
    pub freed: Option<String>,
    /// The end of the event log before this commit.
    pub log_end: u64,
    /// The stamp of the active workflows ([`Tx::workflow_stamp`]), as this commit saw
    /// it.
    pub stamp: u64,
}

impl Store {
    /// Takes up to `limit` runs that are due, those of the first priority
    /// first, for `lease_ms` milliseconds. A run whose lease has passed is due
    /// again.
    ///
    /// Each workflow that has runs of a priority gets its share of them, those
    /// that waited longest: a campaign of a hundred thousand holds up no
    /// complaint.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_claim(
        &self,
        owner: &str,
        now: Timestamp,
        lease_ms: i64,
        limit: u32,
    ) -> Result<Vec<Claimed>, StoreError> {
        let owner = owner.to_owned();
        self.write(move |tx| {
            Box::pin(async move { tx.run_claim(&owner, now, lease_ms, limit).await })
        })
        .await
    }

    /// Keeps a run for longer; yields why it shall end, if somebody asked for
    /// that.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] where it is somebody else's by now.
    pub async fn run_renew(
        &self,
        id: RunId,
        epoch: u64,
        until: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        self.write_together(Keep { id, epoch, until, begins: false }).await
    }

    /// The same, and counts as a crash of this run until it commits: for the
    /// moment before a call that may bring its host down. Only this counts: a
    /// run that was claimed with others and waited for its turn is not to
    /// blame. After a commit that keeps the lease the next call is counted
    /// already.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] where it is somebody else's by now.
    pub async fn run_begin(
        &self,
        id: RunId,
        epoch: u64,
        until: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        self.write_together(Keep { id, epoch, until, begins: true }).await
    }
}

impl Tx {
    /// As [`Store::run_claim`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_claim(
        &mut self,
        owner: &str,
        now: Timestamp,
        lease_ms: i64,
        limit: u32,
    ) -> Result<Vec<Claimed>, StoreError> {
        let until = now.as_millisecond().saturating_add(lease_ms);
        // One UPDATE a workflow: with priority and workflow fixed, the index
        // yields exactly the runs that are due, however many sleep.
        let sql = format!(
            "WITH due AS MATERIALIZED (
                 SELECT id FROM relata_run WHERE priority = $3 AND workflow = $6 AND due_at <= $4
                 ORDER BY due_at LIMIT $5{})
             UPDATE relata_run
             SET epoch = epoch + 1, lease_owner = $1, lease_until = $2, was_due_at = due_at, due_at = $2
             WHERE id IN (SELECT id FROM due)
             RETURNING *",
            self.dialect().skip_locked()
        );
        let mut claimed = Vec::new();
        let mut queues = self.run_queues(now).await?;
        // Where there are more workflows than room, another one is the first
        // each time.
        for of_one_priority in queues.chunk_by_mut(|one, next| one.0 == next.0) {
            let first = now.as_millisecond().rem_euclid(of_one_priority.len() as i64);
            of_one_priority.rotate_left(usize::try_from(first).unwrap_or(0));
        }
        for (place, (priority, workflow)) in queues.iter().enumerate() {
            let room = limit.saturating_sub(u32::try_from(claimed.len()).unwrap_or(u32::MAX));
            if room == 0 {
                break;
            }
            let others = queues[place..].iter().filter(|(other, _)| other == priority).count();
            let share = room.div_ceil(u32::try_from(others).unwrap_or(u32::MAX));
            let rows = self
                .connection
                .rows(
                    "claim runs",
                    AssertSqlSafe(sql.clone()),
                    arguments![owner, until, *priority, now, share, workflow],
                )
                .await?;
            for row in rows {
                // One run that this version cannot read must not stop the
                // others. It stays claimed, and so is tried again now and
                // then.
                match run::read(&row) {
                    Ok(read) => claimed.push((
                        *priority,
                        Claimed {
                            run: read.run,
                            epoch: row.count("epoch")?,
                            due_at: row.time("was_due_at")?,
                            lease_until: row.time("lease_until")?,
                            inbox: Vec::new(),
                            crash_count: read.crash_count,
                            begun: false,
                            cancel: read.cancel_requested,
                            log_end: 0,
                        },
                    )),
                    Err(why) => {
                        tracing::error!(run.id = row.text("id")?, error = %why, "a run cannot be read and waits");
                    }
                }
            }
        }
        claimed.sort_by_key(|(priority, claimed)| (*priority, claimed.due_at, claimed.run.id));
        let mut claimed: Vec<Claimed> = claimed.into_iter().map(|(_, claimed)| claimed).collect();
        if claimed.is_empty() {
            return Ok(claimed);
        }
        let log_end = self.event_log_end().await?;
        let ids: Vec<RunId> = claimed.iter().map(|claimed| claimed.run.id).collect();
        let mut inboxes = self.inbox_of(&ids).await?;
        for claimed in &mut claimed {
            claimed.inbox = inboxes.remove(&claimed.run.id).unwrap_or_default();
            claimed.log_end = log_end;
        }
        Ok(claimed)
    }

    /// The workflows that have runs to be claimed now, each with the number of
    /// their priority, the first first. However many runs there are, it takes a
    /// few steps down the index for each workflow.
    async fn run_queues(&mut self, now: Timestamp) -> Result<Vec<(i64, String)>, StoreError> {
        let sql = "WITH RECURSIVE queue(priority, workflow) AS (
                 SELECT level.priority,
                        (SELECT MIN(run.workflow) FROM relata_run AS run
                         WHERE run.priority = level.priority AND run.due_at IS NOT NULL)
                 FROM (SELECT CAST(0 AS BIGINT) AS priority UNION ALL SELECT 1 UNION ALL SELECT 2) AS level
                 UNION ALL
                 SELECT queue.priority,
                        (SELECT MIN(run.workflow) FROM relata_run AS run
                         WHERE run.priority = queue.priority AND run.workflow > queue.workflow
                           AND run.due_at IS NOT NULL)
                 FROM queue WHERE queue.workflow IS NOT NULL)
             SELECT queue.priority, queue.workflow FROM queue
             WHERE queue.workflow IS NOT NULL AND EXISTS (
                 SELECT 1 FROM relata_run AS run
                 WHERE run.priority = queue.priority AND run.workflow = queue.workflow
                   AND run.due_at <= $1)
             ORDER BY queue.priority, queue.workflow";
        let rows = self.connection.rows("look for due runs", sql, arguments![now]).await?;
        rows.iter().map(|row| Ok((row.whole("priority")?, row.text("workflow")?))).collect()
    }

    /// As [`Store::run_renew`], within a transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] where it is somebody else's by now.
    pub async fn run_renew(
        &mut self,
        id: RunId,
        epoch: u64,
        until: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        self.run_keep(id, epoch, until, false).await
    }

    /// As [`Store::run_begin`], within a transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] where it is somebody else's by now.
    pub async fn run_begin(
        &mut self,
        id: RunId,
        epoch: u64,
        until: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        self.run_keep(id, epoch, until, true).await
    }

    async fn run_keep(
        &mut self,
        id: RunId,
        epoch: u64,
        until: Timestamp,
        begins: bool,
    ) -> Result<Option<String>, StoreError> {
        let keep = Keep { id, epoch, until, begins };
        self.run_keep_all(&[keep]).await?.pop().unwrap_or(Err(StoreError::Fenced { run: id }))
    }

    async fn run_keep_all(&mut self, runs: &[Keep]) -> Result<Outcomes<Keep>, StoreError> {
        let mut given =
            Given::new(&[("id", Text), ("epoch", Whole), ("until", Whole), ("begins", Whole)]);
        for keep in runs {
            given.push(arguments![keep.id, keep.epoch, keep.until, keep.begins]);
        }
        let sql = format!(
            "UPDATE relata_run
             SET lease_until = given.until, due_at = given.until,
                 crash_count = crash_count + given.begins
             FROM {}
             WHERE relata_run.id = given.id AND relata_run.epoch = given.epoch
               AND relata_run.lease_owner IS NOT NULL{}
             RETURNING relata_run.id, relata_run.cancel_requested",
            given.table(self.dialect(), "$1"),
            given.narrow(self.dialect(), "$1", "id", "relata_run.id")
        );
        let rows = self
            .connection
            .rows("keep runs", AssertSqlSafe(sql), vec![given.into_argument()])
            .await?;
        let mut kept = HashMap::with_capacity(rows.len());
        for row in rows {
            kept.insert(row.parsed::<RunId>("id")?, row.text_or_none("cancel_requested")?);
        }
        let answer =
            |keep: &Keep| kept.get(&keep.id).cloned().ok_or(StoreError::Fenced { run: keep.id });
        Ok(runs.iter().map(answer).collect())
    }

    /// Makes the next state of a run last, with all that goes with it: its
    /// log, what it listens for, what it has taken in. Only who has the run,
    /// and only from the state that it was claimed in; else everything in
    /// this transaction is dropped.
    ///
    /// A run that ends gives up what it listens for, its inbox and its place
    /// in the enrolments.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] where it is somebody else's by now, or has gone
    /// on: return it from the transaction.
    pub async fn run_commit(
        &mut self,
        commit: &RunCommit,
        now: Timestamp,
    ) -> Result<Committed, StoreError> {
        let mut committed = self.run_commit_all(&[(commit, now)]).await?;
        committed.pop().unwrap_or(Err(StoreError::Fenced { run: commit.run.id }))
    }

    /// Which of these may be committed: those whose run the worker still has,
    /// in the state that it was claimed in. Nobody else can change that before
    /// this transaction ends.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_held(&mut self, commits: &[&RunCommit]) -> Result<HashSet<RunId>, StoreError> {
        let mut given = Given::new(&[("id", Text), ("epoch", Whole), ("seq", Whole)]);
        for commit in commits {
            given.push(arguments![commit.run.id, commit.epoch, commit.seq_before]);
        }
        let sql = format!(
            "SELECT run.id FROM {} JOIN relata_run AS run
                 ON run.id = given.id AND run.epoch = given.epoch AND run.seq = given.seq
             WHERE run.status = 'active' AND run.lease_owner IS NOT NULL{}{}",
            given.table(self.dialect(), "$1"),
            given.narrow(self.dialect(), "$1", "id", "run.id"),
            self.dialect().locked_of("run")
        );
        let rows = self
            .connection
            .rows("look who has runs", AssertSqlSafe(sql), vec![given.into_argument()])
            .await?;
        rows.iter().map(|row| row.parsed("id")).collect()
    }

    /// As [`Tx::run_commit`], for many runs, each with its time: one statement
    /// a table. Answers for each, in their order; of those that it refuses
    /// nothing is written.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_commit_all(
        &mut self,
        commits: &[(&RunCommit, Timestamp)],
    ) -> Result<Vec<Result<Committed, StoreError>>, StoreError> {
        let Updated { log_end, stamp, cancels } = self.run_update_all(commits).await?;
        let kept = |commit: &RunCommit| cancels.contains_key(&commit.run.id);
        let written: Vec<&RunCommit> =
            commits.iter().map(|(commit, _)| *commit).filter(|commit| kept(commit)).collect();
        let mut log = Vec::new();
        for commit in &written {
            log.extend(commit.log.iter().map(|row| (commit.run.id, row)));
        }
        self.log_append_all(&log).await?;
        let (ended, going): (Vec<&RunCommit>, Vec<&RunCommit>) =
            written.into_iter().partition(|commit| commit.run.has_ended());
        let mut freed = self.run_forget(&ended).await?;
        let mut listening = Vec::new();
        for commit in &going {
            listening.extend(commit.watches.as_ref().map(|watches| (commit.run.id, watches)));
        }
        self.waiter_set_all(&listening).await?;
        self.tell_missed(&going).await?;
        self.inbox_consume(&going).await?;
        let ids: Vec<RunId> = going.iter().map(|commit| commit.run.id).collect();
        let mut inboxes = self.inbox_of(&ids).await?;
        let mut answers = Vec::with_capacity(commits.len());
        for (commit, now) in commits {
            let id = commit.run.id;
            let Some(cancel) = cancels.get(&id) else {
                answers.push(Err(StoreError::Fenced { run: id }));
                continue;
            };
            if commit.run.has_ended() {
                let freed = freed.remove(&id);
                answers.push(Ok(Committed { freed, log_end, stamp, ..Committed::default() }));
                continue;
            }
            let committed = Committed {
                inbox: inboxes.remove(&id).unwrap_or_default(),
                cancel: cancel.clone(),
                freed: None,
                log_end,
                stamp,
            };
            let came = !committed.inbox.is_empty() || committed.cancel.is_some();
            let sleeps = commit.keep_lease_until.is_none()
                && commit.due_at.is_none_or(|due_at| due_at > *now);
            if came && sleeps {
                self.run_due(id, *now).await?;
            } else if commit.keep_lease_until.is_none()
                && commit.due_at.is_some_and(|due_at| is_soon(due_at, *now))
            {
                self.stir(Part::Runs);
            }
            answers.push(Ok(committed));
        }
        Ok(answers)
    }

    /// Writes the runs' rows.
    async fn run_update_all(
        &mut self,
        commits: &[(&RunCommit, Timestamp)],
    ) -> Result<Updated, StoreError> {
        let mut given = Given::new(&[
            ("id", Text),
            ("epoch", Whole),
            ("seq_before", Whole),
            ("status", Text),
            ("outcome", Text),
            ("why", Text),
            ("due_at", Whole),
            ("seq", Whole),
            ("snapshot", Text),
            ("lease_until", Whole),
            ("keep", Whole),
            ("ended_at", Whole),
            ("cancel_taken", Text),
        ]);
        for (commit, now) in commits {
            let run = &commit.run;
            let (status, outcome, why) = standing(&run.status);
            let ended = run.has_ended();
            let kept = commit.keep_lease_until.filter(|_| !ended);
            given.push(arguments![
                run.id,
                commit.epoch,
                commit.seq_before,
                status,
                outcome,
                why,
                if ended { None } else { kept.or(commit.due_at) },
                run.seq,
                run::snapshot(run)?,
                kept,
                kept.is_some(),
                Some(*now).filter(|_| ended),
                commit.cancel_taken.as_ref()
            ]);
        }
        let sql = format!(
            "UPDATE relata_run
             SET status = given.status, outcome = given.outcome, why = given.why,
                 due_at = given.due_at, seq = given.seq, snapshot = given.snapshot,
                 lease_until = given.lease_until, crash_count = given.keep,
                 lease_owner = CASE WHEN given.keep = 1 THEN lease_owner ELSE NULL END,
                 ended_at = given.ended_at,
                 cancel_requested = CASE WHEN cancel_requested = given.cancel_taken THEN NULL
                                         ELSE cancel_requested END
             FROM {}
             WHERE relata_run.id = given.id AND relata_run.epoch = given.epoch
               AND relata_run.seq = given.seq_before AND relata_run.status = 'active'
               AND relata_run.lease_owner IS NOT NULL{}
             RETURNING relata_run.id, relata_run.cancel_requested,
                       (SELECT COALESCE(MAX(seq), 0) FROM relata_event) AS log_end,
                       ({STAMP}) AS stamp",
            given.table(self.dialect(), "$1"),
            given.narrow(self.dialect(), "$1", "id", "relata_run.id")
        );
        let rows = self
            .connection
            .rows("commit runs", AssertSqlSafe(sql), vec![given.into_argument()])
            .await?;
        let log_end = rows.first().map_or(Ok(0), |row| row.count("log_end"))?;
        let stamp = rows.first().map_or(Ok(0), |row| row.count("stamp"))?;
        let mut cancels = HashMap::with_capacity(rows.len());
        for row in &rows {
            cancels.insert(row.parsed("id")?, row.text_or_none("cancel_requested")?);
        }
        Ok(Updated { log_end, stamp, cancels })
    }

    /// Gives a run back as it was claimed, with no call begun, to be looked
    /// at at `due_at`: when a worker stops, or cannot go on for now.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] where it is somebody else's by now.
    pub async fn run_return(
        &mut self,
        id: RunId,
        epoch: u64,
        due_at: Timestamp,
    ) -> Result<(), StoreError> {
        let touched = self
            .connection
            .execute(
                "give a run back",
                "UPDATE relata_run SET due_at = $3, lease_owner = NULL, lease_until = NULL
                 WHERE id = $1 AND epoch = $2 AND status = 'active' AND lease_owner IS NOT NULL",
                arguments![id, epoch, due_at],
            )
            .await?;
        self.stir(Part::Runs);
        if touched == 0 { Err(StoreError::Fenced { run: id }) } else { Ok(()) }
    }

    /// Makes every run that a worker has due now, and refuses whatever that
    /// worker still does: for the start of the only host, which knows that
    /// no other worker is alive. Yields how many there were.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_release_all(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        self.connection
            .execute(
                "release all runs",
                "UPDATE relata_run SET epoch = epoch + 1, due_at = $1, lease_owner = NULL, lease_until = NULL
                 WHERE lease_owner IS NOT NULL AND status = 'active'",
                arguments![now],
            )
            .await
    }

    /// Asks for a run's end. Whoever moves it next ends it; false where it
    /// has ended already. The last wish counts.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_cancel_request(
        &mut self,
        id: RunId,
        why: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let touched = self
            .connection
            .execute(
                "ask for a run's end",
                "UPDATE relata_run
                 SET cancel_requested = $2, cancel_asked_at = COALESCE(cancel_asked_at, $3)
                 WHERE id = $1 AND status = 'active'",
                arguments![id, why, now],
            )
            .await?;
        self.run_due(id, now).await?;
        Ok(touched > 0)
    }

    /// The same, unless somebody asked for that before: then, and where it
    /// has ended already, false.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_cancel_once(
        &mut self,
        id: RunId,
        why: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let touched = self
            .connection
            .execute(
                "ask for a run's end",
                "UPDATE relata_run SET cancel_requested = $2, cancel_asked_at = $3
                 WHERE id = $1 AND status = 'active' AND cancel_asked_at IS NULL",
                arguments![id, why, now],
            )
            .await?;
        if touched > 0 {
            self.run_due(id, now).await?;
        }
        Ok(touched > 0)
    }

    /// Asks for the end of the runs that a run's steps began and that go on,
    /// but for those that are still `wanted`. Yields how many there were for
    /// which nobody had asked before.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_cancel_children(
        &mut self,
        parent: RunId,
        wanted: &BTreeSet<RunId>,
        why: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let wanted: Vec<_> = wanted.iter().map(|id| json!({ "id": id })).collect();
        let sql = format!(
            "UPDATE relata_run
             SET cancel_requested = $2, cancel_asked_at = $3,
                 due_at = CASE WHEN lease_owner IS NULL AND (due_at IS NULL OR due_at > $3)
                               THEN $3 ELSE due_at END
             WHERE parent = $1 AND status = 'active' AND cancel_asked_at IS NULL
               AND id NOT IN (SELECT given.id FROM {})",
            self.dialect().given("$4", &["id"])
        );
        let touched = self
            .connection
            .execute(
                "ask for the end of a run's children",
                AssertSqlSafe(sql),
                arguments![parent, why, now, to_json(&wanted)?],
            )
            .await?;
        if touched > 0 {
            self.stir(Part::Runs);
        }
        Ok(touched)
    }

    /// Lets a run be looked at now, unless a worker has it: that one will see
    /// when it commits.
    pub(crate) async fn run_due(&mut self, id: RunId, now: Timestamp) -> Result<(), StoreError> {
        let touched = self
            .connection
            .execute(
                "wake a run",
                "UPDATE relata_run SET due_at = $2
                 WHERE id = $1 AND status = 'active' AND lease_owner IS NULL
                   AND (due_at IS NULL OR due_at > $2)",
                arguments![id, now],
            )
            .await?;
        if touched > 0 {
            self.stir(Part::Runs);
        }
        Ok(())
    }

    /// Drops what only an active run has; yields, by run, the value of
    /// `one_per` whose place it gives up.
    async fn run_forget(
        &mut self,
        ended: &[&RunCommit],
    ) -> Result<HashMap<RunId, String>, StoreError> {
        if ended.is_empty() {
            return Ok(HashMap::new());
        }
        let runs = ids(ended.iter().map(|commit| commit.run.id));
        for table in ["relata_waiter", "relata_inbox"] {
            let sql = format!(
                "DELETE FROM {table} WHERE {}",
                runs.have(self.dialect(), "$1", "id", "run_id")
            );
            let runs = vec![runs.clone().into_argument()];
            self.connection.post_apart("end runs", Some(table), AssertSqlSafe(sql), runs).await?;
        }
        let sql = format!(
            "UPDATE relata_enrolment SET running = 0
             WHERE running = 1 AND {}
             RETURNING run_id, enrolment_key",
            runs.have(self.dialect(), "$1", "id", "run_id")
        );
        let rows = self
            .connection
            .rows("end runs", AssertSqlSafe(sql), vec![runs.into_argument()])
            .await?;
        rows.iter().map(|row| Ok((row.parsed("run_id")?, row.text("enrolment_key")?))).collect()
    }
}

/// What the update of runs' rows came to.
struct Updated {
    /// The end of the event log before it.
    log_end: u64,
    /// The stamp of the active workflows.
    stamp: u64,
    /// The runs that were still the worker's, each with the wish for its end that it
    /// has not taken in.
    cancels: HashMap<RunId, Option<String>>,
}

fn is_soon(at: Timestamp, now: Timestamp) -> bool {
    at.as_millisecond() <= now.as_millisecond().saturating_add(SOON_MS)
}

/// A run that is kept for longer.
struct Keep {
    id: RunId,
    epoch: u64,
    until: Timestamp,
    /// Whether a call begins that may bring its host down.
    begins: bool,
}

impl Together for Keep {
    type Done = Option<String>;
    type Error = StoreError;

    async fn write_all(tx: &mut Tx, members: &[Self]) -> Result<Outcomes<Self>, StoreError> {
        tx.run_keep_all(members).await
    }
}
