//! Moving runs: who has one, for how long, and the commit that only the one
//! who has it may make.

use std::collections::{BTreeMap, BTreeSet};

use relata_engine::{Happening, Run, Status, Watch};
use relata_model::{EventId, RunId, Timestamp};
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::{
    LogRow, Store, StoreError, Tx,
    connection::{arguments, to_json},
    run::{self, Priority, standing},
};

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
    /// Why it shall end, if somebody asked for that.
    pub cancel: Option<String>,
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
    /// All that it listens for from now on.
    pub watches: BTreeSet<Watch>,
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
}

impl Store {
    /// Takes up to `limit` runs that are due, those of the first priority
    /// first, then those that waited longest, for `lease_ms` milliseconds. A
    /// run whose lease has passed is due again.
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
        self.write(move |tx| Box::pin(async move { tx.run_renew(id, epoch, until).await })).await
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
        self.write(move |tx| Box::pin(async move { tx.run_begin(id, epoch, until).await })).await
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
        // One UPDATE a priority: with the priority fixed, the index yields
        // exactly the runs that are due, however many sleep.
        let sql = format!(
            "WITH due AS MATERIALIZED (
                 SELECT id FROM relata_run WHERE priority = $3 AND due_at <= $4
                 ORDER BY due_at, id LIMIT $5{})
             UPDATE relata_run
             SET epoch = epoch + 1, lease_owner = $1, lease_until = $2, was_due_at = due_at, due_at = $2
             WHERE id IN (SELECT id FROM due)
             RETURNING *",
            self.dialect().skip_locked()
        );
        let mut claimed = Vec::new();
        for priority in Priority::ALL {
            let room = limit.saturating_sub(u32::try_from(claimed.len()).unwrap_or(u32::MAX));
            if room == 0 {
                break;
            }
            let rows = self
                .connection
                .rows(
                    "claim runs",
                    AssertSqlSafe(sql.clone()),
                    arguments![owner, until, priority.number(), now, room],
                )
                .await?;
            let mut found = Vec::with_capacity(rows.len());
            for row in rows {
                // One run that this version cannot read must not stop the
                // others. It stays claimed, and so is tried again now and
                // then.
                match run::read(&row) {
                    Ok(read) => found.push(Claimed {
                        run: read.run,
                        epoch: row.count("epoch")?,
                        due_at: row.time("was_due_at")?,
                        lease_until: row.time("lease_until")?,
                        inbox: Vec::new(),
                        crash_count: read.crash_count,
                        cancel: read.cancel_requested,
                    }),
                    Err(why) => {
                        tracing::error!(run.id = row.text("id")?, error = %why, "a run cannot be read and waits");
                    }
                }
            }
            // RETURNING has no order.
            found.sort_by_key(|claimed| (claimed.due_at, claimed.run.id));
            claimed.extend(found);
        }
        let ids: Vec<RunId> = claimed.iter().map(|claimed| claimed.run.id).collect();
        let mut inboxes = self.inbox_of(&ids).await?;
        for claimed in &mut claimed {
            claimed.inbox = inboxes.remove(&claimed.run.id).unwrap_or_default();
        }
        Ok(claimed)
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
        let row = self
            .connection
            .row(
                "keep a run",
                "UPDATE relata_run SET lease_until = $3, due_at = $3, crash_count = crash_count + $4
                 WHERE id = $1 AND epoch = $2 AND lease_owner IS NOT NULL
                 RETURNING cancel_requested",
                arguments![id, epoch, until, begins],
            )
            .await?
            .ok_or(StoreError::Fenced { run: id })?;
        row.text_or_none("cancel_requested")
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
        let run = &commit.run;
        let (status, outcome, why) = standing(&run.status);
        let ended = matches!(run.status, Status::Ended(_));
        let kept = commit.keep_lease_until.filter(|_| !ended);
        let due_at = if ended { None } else { kept.or(commit.due_at) };
        let row = self
            .connection
            .row(
                "commit a run",
                "UPDATE relata_run
                 SET status = $4, outcome = $5, why = $6, due_at = $7, seq = $8, snapshot = $9,
                     lease_until = $10, lease_owner = CASE WHEN $11 = 1 THEN lease_owner ELSE NULL END,
                     crash_count = $11, ended_at = $12,
                     cancel_requested = CASE WHEN cancel_requested = $13 THEN NULL ELSE cancel_requested END
                 WHERE id = $1 AND epoch = $2 AND seq = $3 AND status = 'active' AND lease_owner IS NOT NULL
                 RETURNING cancel_requested",
                arguments![
                    run.id,
                    commit.epoch,
                    commit.seq_before,
                    status,
                    outcome,
                    why,
                    due_at,
                    run.seq,
                    to_json(run)?,
                    kept,
                    kept.is_some(),
                    Some(now).filter(|_| ended),
                    commit.cancel_taken.as_ref()
                ],
            )
            .await?
            .ok_or(StoreError::Fenced { run: run.id })?;
        self.log_append(run.id, &commit.log).await?;
        if ended {
            let freed = self.run_forget(run.id).await?;
            return Ok(Committed { freed, ..Committed::default() });
        }
        self.waiter_set(run.id, &commit.watches).await?;
        self.inbox_consume(run.id, &commit.consumed).await?;
        let committed = Committed {
            inbox: self.inbox_of(&[run.id]).await?.remove(&run.id).unwrap_or_default(),
            cancel: row.text_or_none("cancel_requested")?,
            freed: None,
        };
        let waits = kept.is_none() && (!committed.inbox.is_empty() || committed.cancel.is_some());
        if waits && due_at.is_none_or(|due_at| due_at > now) {
            self.run_due(run.id, now).await?;
        }
        Ok(committed)
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
        self.connection
            .execute(
                "ask for the end of a run's children",
                AssertSqlSafe(sql),
                arguments![parent, why, now, to_json(&wanted)?],
            )
            .await
    }

    /// Lets a run be looked at now, unless a worker has it: that one will see
    /// when it commits.
    async fn run_due(&mut self, id: RunId, now: Timestamp) -> Result<(), StoreError> {
        self.connection
            .execute(
                "wake a run",
                "UPDATE relata_run SET due_at = $2
                 WHERE id = $1 AND status = 'active' AND lease_owner IS NULL
                   AND (due_at IS NULL OR due_at > $2)",
                arguments![id, now],
            )
            .await?;
        Ok(())
    }

    /// Drops what only an active run has; yields the value of `one_per` whose
    /// place it gives up.
    async fn run_forget(&mut self, id: RunId) -> Result<Option<String>, StoreError> {
        for sql in [
            "DELETE FROM relata_waiter WHERE run_id = $1",
            "DELETE FROM relata_inbox WHERE run_id = $1",
        ] {
            self.connection.execute("end a run", sql, arguments![id]).await?;
        }
        let freed = self
            .connection
            .row(
                "end a run",
                "UPDATE relata_enrolment SET running = 0 WHERE run_id = $1 AND running = 1
                 RETURNING enrolment_key",
                arguments![id],
            )
            .await?;
        freed.map(|row| row.text("enrolment_key")).transpose()
    }

    /// The active runs that listen for any of these, each once.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn waiter_runs(&mut self, topics: &[Watch]) -> Result<Vec<RunId>, StoreError> {
        let sql = format!(
            "SELECT DISTINCT waiter.run_id FROM {}
             JOIN relata_waiter AS waiter ON waiter.topic = given.topic AND waiter.topic_key = given.topic_key
             ORDER BY waiter.run_id",
            self.dialect().given("$1", &["topic", "topic_key"])
        );
        let rows = self
            .connection
            .rows(
                "look for waiting runs",
                AssertSqlSafe(sql),
                arguments![watches_json(topics.iter())],
            )
            .await?;
        rows.iter().map(|row| row.parsed("run_id")).collect()
    }

    /// Tells a run what happened, and wakes it; false where it was told
    /// already, or has ended.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_deliver(
        &mut self,
        run: RunId,
        happening: &Happening,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let seq = self.event_seq(happening.id).await?;
        // The run is locked, so that a commit of it either sees this, or has
        // given the run back when it is woken below.
        let sql = format!(
            "INSERT INTO relata_inbox (run_id, event_id, seq, happening, consumed)
             SELECT run.id, $2, $3, $4, 0 FROM relata_run AS run WHERE run.id = $1 AND run.status = 'active'{}
             ON CONFLICT (run_id, event_id) DO NOTHING",
            self.dialect().locked()
        );
        let touched = self
            .connection
            .execute(
                "tell a run what happened",
                AssertSqlSafe(sql),
                arguments![run, happening.id, seq, to_json(happening)?],
            )
            .await?;
        if touched > 0 {
            self.run_due(run, now).await?;
        }
        Ok(touched > 0)
    }

    /// Sets all that a run listens for: only the difference is written.
    pub(crate) async fn waiter_set(
        &mut self,
        run: RunId,
        watches: &BTreeSet<Watch>,
    ) -> Result<(), StoreError> {
        let given = self.dialect().given("$1", &["topic", "topic_key"]);
        let json = watches_json(watches.iter());
        let sql = format!(
            "DELETE FROM relata_waiter WHERE run_id = $2 AND NOT EXISTS (
                 SELECT 1 FROM {given}
                 WHERE given.topic = relata_waiter.topic AND given.topic_key = relata_waiter.topic_key)"
        );
        self.connection
            .execute("set what a run listens for", AssertSqlSafe(sql), arguments![&json, run])
            .await?;
        if !watches.is_empty() {
            let sql = format!(
                "INSERT INTO relata_waiter (topic, topic_key, run_id)
                 SELECT given.topic, given.topic_key, $2 FROM {given} WHERE 1 = 1
                 ON CONFLICT (topic, topic_key, run_id) DO NOTHING"
            );
            self.connection
                .execute("set what a run listens for", AssertSqlSafe(sql), arguments![&json, run])
                .await?;
        }
        Ok(())
    }

    async fn inbox_consume(&mut self, run: RunId, events: &[EventId]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = events.iter().map(|id| json!({ "id": id })).collect();
        let sql = format!(
            "UPDATE relata_inbox SET consumed = 1 WHERE run_id = $2 AND event_id IN (SELECT given.id FROM {})",
            self.dialect().given("$1", &["id"])
        );
        self.connection
            .execute("take in what happened", AssertSqlSafe(sql), arguments![to_json(&ids)?, run])
            .await?;
        Ok(())
    }

    async fn inbox_of(
        &mut self,
        runs: &[RunId],
    ) -> Result<BTreeMap<RunId, Vec<Happening>>, StoreError> {
        let mut inboxes: BTreeMap<RunId, Vec<Happening>> = BTreeMap::new();
        if runs.is_empty() {
            return Ok(inboxes);
        }
        let ids: Vec<_> = runs.iter().map(|id| json!({ "id": id })).collect();
        let sql = format!(
            "SELECT run_id, happening FROM relata_inbox
             WHERE consumed = 0 AND run_id IN (SELECT given.id FROM {}) ORDER BY seq, event_id",
            self.dialect().given("$1", &["id"])
        );
        for row in self
            .connection
            .rows("read what happened", AssertSqlSafe(sql), arguments![to_json(&ids)?])
            .await?
        {
            inboxes.entry(row.parsed("run_id")?).or_default().push(row.json("happening")?);
        }
        Ok(inboxes)
    }
}

fn watches_json<'a>(watches: impl Iterator<Item = &'a Watch>) -> String {
    let rows: Vec<_> =
        watches.map(|watch| json!({ "topic": watch.topic, "topic_key": watch.key })).collect();
    serde_json::Value::Array(rows).to_string()
}
