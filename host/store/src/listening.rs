//! What runs listen for, and what they are told.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use relata_engine::{Happening, Watch};
use relata_model::{RunId, Timestamp};
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use crate::{
    RunCommit, StoreError, Tx,
    connection::{Argument, Row, arguments, to_json},
    dialect::Dialect,
    event,
    given::Given,
    table::ColumnType::{Text, Whole},
};

impl Tx {
    /// Tells runs that listen for something new what came between their
    /// decision and this commit: who settled it did not know of them.
    pub(crate) async fn tell_missed(&mut self, commits: &[&RunCommit]) -> Result<(), StoreError> {
        let mut given = Given::new(&[
            ("run", Text),
            ("topic", Text),
            ("topic_key", Text),
            ("decided_at", Whole),
        ]);
        for commit in commits {
            let (Some(decided_at), Some(watches)) = (commit.decided_at, &commit.watches) else {
                continue;
            };
            let from = decided_at.saturating_sub(self.dialect().unseen_events());
            for watch in watches {
                let (topic, key) = (watch.topic.as_str(), watch.key.as_str());
                given.push(arguments![commit.run.id, topic, key, from]);
            }
        }
        if given.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "SELECT given.run, event.* FROM {0}
             JOIN relata_event AS event ON event.seq > given.decided_at AND (
                 (event.kind <> 'named' AND given.topic = 'changed' AND event.record = given.topic_key)
                 OR (event.kind = 'named' AND event.name = given.topic AND (
                     event.record = given.topic_key OR event.event_key = given.topic_key
                     OR EXISTS (SELECT 1 FROM relata_event_about AS about
                                WHERE about.seq = event.seq AND about.record = given.topic_key))))
             WHERE event.seq > (SELECT MIN(given.decided_at) FROM {0})
             ORDER BY event.seq",
            given.table(self.dialect(), "$1")
        );
        let rows = self
            .connection
            .rows("look for missed events", AssertSqlSafe(sql), vec![given.into_argument()])
            .await?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut missed = Given::new(&[
            ("run_id", Text),
            ("event_id", Text),
            ("seq", Whole),
            ("happening", Text),
            ("consumed", Whole),
        ]);
        for row in &rows {
            let event = event::read(row)?;
            let happening = to_json(&event.happening)?;
            missed.push(arguments![
                row.text("run")?,
                event.happening.id,
                event.seq,
                happening,
                false
            ]);
        }
        let names = missed.names();
        let sql = format!(
            "INSERT INTO relata_inbox ({names}) SELECT {names} FROM {} WHERE 1 = 1
             ON CONFLICT (run_id, event_id) DO NOTHING",
            missed.table(self.dialect(), "$1")
        );
        self.connection
            .post("tell runs what they missed", AssertSqlSafe(sql), vec![missed.into_argument()])
            .await
    }

    /// Holds off, until this transaction ends, those who tell runs what
    /// happened (`listening`), or those who begin to listen: of an event and a
    /// run that begins to listen for it, one sees the other. On SQLite there is
    /// one writer at a time.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn listening_lock(&mut self, listening: bool) -> Result<(), StoreError> {
        let Some(sql) = self.dialect().listening_lock(listening) else { return Ok(()) };
        self.connection.post("take its turn at the waiting runs", sql, arguments![]).await
    }

    /// The active runs that listen for any of these, each once.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn waiter_runs(&mut self, topics: &[Watch]) -> Result<Vec<RunId>, StoreError> {
        let given = watched(topics);
        let sql = format!(
            "SELECT DISTINCT waiter.run_id FROM {} {} ORDER BY waiter.run_id",
            given.table(self.dialect(), "$1"),
            waiters_of(self.dialect())
        );
        let rows = self
            .connection
            .rows("look for waiting runs", AssertSqlSafe(sql), vec![given.into_argument()])
            .await?;
        rows.iter().map(|row| row.parsed("run_id")).collect()
    }

    /// Which of these somebody listens for.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn waiter_topics(&mut self, topics: &[Watch]) -> Result<HashSet<Watch>, StoreError> {
        if topics.is_empty() {
            return Ok(HashSet::new());
        }
        let (sql, given) = listened_for(self.dialect(), topics);
        read_topics(&self.connection.rows("look for waiting runs", sql, given).await?)
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

    /// Sets all that runs listen for: only the difference is written.
    pub(crate) async fn waiter_set_all(
        &mut self,
        runs: &[(RunId, &BTreeSet<Watch>)],
    ) -> Result<(), StoreError> {
        let mut listening = ids([]);
        let mut watches = Given::new(&[("run_id", Text), ("topic", Text), ("topic_key", Text)]);
        for (run, wanted) in runs {
            listening.push(arguments![run]);
            for watch in *wanted {
                watches.push(arguments![run, watch.topic.as_str(), watch.key.as_str()]);
            }
        }
        if listening.is_empty() {
            return Ok(());
        }
        let none = watches.is_empty();
        let table = watches.table(self.dialect(), "$2");
        let watches = watches.into_argument();
        let sql = format!(
            "DELETE FROM relata_waiter WHERE {}
               AND NOT EXISTS (
                 SELECT 1 FROM {table}
                 WHERE given.topic = relata_waiter.topic AND given.topic_key = relata_waiter.topic_key
                   AND given.run_id = relata_waiter.run_id)",
            listening.have(self.dialect(), "$1", "id", "run_id")
        );
        let doing = "set what runs listen for";
        let both = vec![listening.into_argument(), watches.clone()];
        // Of what comes next for them none is one of those that go.
        let minds = none.then_some("relata_waiter");
        self.connection.post_apart(doing, minds, AssertSqlSafe(sql), both).await?;
        if none {
            return Ok(());
        }
        let sql = format!(
            "INSERT INTO relata_waiter (topic, topic_key, run_id)
             SELECT given.topic, given.topic_key, given.run_id FROM {} WHERE 1 = 1
             ON CONFLICT (topic, topic_key, run_id) DO NOTHING",
            table.replace("$2", "$1")
        );
        self.connection.post(doing, AssertSqlSafe(sql), vec![watches]).await
    }

    pub(crate) async fn inbox_consume(&mut self, commits: &[&RunCommit]) -> Result<(), StoreError> {
        let mut given = Given::new(&[("run_id", Text), ("event_id", Text)]);
        for commit in commits {
            for event in &commit.consumed {
                given.push(arguments![commit.run.id, event]);
            }
        }
        if given.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "UPDATE relata_inbox SET consumed = 1 FROM {}
             WHERE relata_inbox.run_id = given.run_id AND relata_inbox.event_id = given.event_id{}",
            given.table(self.dialect(), "$1"),
            given.narrow(self.dialect(), "$1", "run_id", "relata_inbox.run_id")
        );
        self.connection
            .post("take in what happened", AssertSqlSafe(sql), vec![given.into_argument()])
            .await
    }

    pub(crate) async fn inbox_of(
        &mut self,
        runs: &[RunId],
    ) -> Result<BTreeMap<RunId, Vec<Happening>>, StoreError> {
        let mut inboxes: BTreeMap<RunId, Vec<Happening>> = BTreeMap::new();
        if runs.is_empty() {
            return Ok(inboxes);
        }
        let given = ids(runs.iter().copied());
        let sql = format!(
            "SELECT run_id, happening FROM relata_inbox
             WHERE consumed = 0 AND {} ORDER BY seq, event_id",
            given.have(self.dialect(), "$1", "id", "run_id")
        );
        for row in self
            .connection
            .rows("read what happened", AssertSqlSafe(sql), vec![given.into_argument()])
            .await?
        {
            inboxes.entry(row.parsed("run_id")?).or_default().push(row.json("happening")?);
        }
        Ok(inboxes)
    }
}

/// The question which of these somebody listens for.
pub(crate) fn listened_for(dialect: Dialect, topics: &[Watch]) -> (SqlStr, Vec<Argument>) {
    let given = watched(topics);
    let sql = format!(
        "SELECT DISTINCT given.topic, given.topic_key FROM {} {}",
        given.table(dialect, "$1"),
        waiters_of(dialect)
    );
    (AssertSqlSafe(sql).into_sql_str(), vec![given.into_argument()])
}

/// Its answer.
pub(crate) fn read_topics(rows: &[Row]) -> Result<HashSet<Watch>, StoreError> {
    rows.iter()
        .map(|row| Ok(Watch { topic: row.text("topic")?, key: row.text("topic_key")? }))
        .collect()
}

/// What is listened for, as rows.
pub(crate) fn watched(topics: &[Watch]) -> Given<'static> {
    let mut given = Given::new(&[("topic", Text), ("topic_key", Text)]);
    for watch in topics {
        given.push(arguments![watch.topic.as_str(), watch.key.as_str()]);
    }
    given
}

/// Joins who listens for it to what is listened for (`given`). A server is told to
/// look for each by itself: it might begin with all that listen for anything.
pub(crate) const fn waiters_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "JOIN relata_waiter AS waiter
               ON waiter.topic = given.topic AND waiter.topic_key = given.topic_key"
        }
        Dialect::Postgres => {
            "CROSS JOIN LATERAL (
                 SELECT run_id FROM relata_waiter
                 WHERE topic = given.topic AND topic_key = given.topic_key OFFSET 0) AS waiter"
        }
    }
}

/// Ids of runs as rows.
pub(crate) fn ids(runs: impl IntoIterator<Item = RunId>) -> Given<'static> {
    let mut given = Given::new(&[("id", Text)]);
    for run in runs {
        given.push(arguments![run]);
    }
    given
}
