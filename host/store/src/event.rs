//! The event log: every change of every record, and every named event, in
//! the order in which they were committed.

use relata_engine::{Happening, HappeningKind};
use relata_model::{Change, ChangeKind, EventId, Fields, Reference, RunId, Timestamp, Value};

use crate::{
    Cause, Store, StoreError, Tx,
    connection::{Row, arguments, to_json},
};

/// An event on its way into the log.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Its id.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened. A change of a record is written to the log by the
    /// record's write itself; others emit named events.
    pub kind: HappeningKind,
    /// Who caused it.
    pub cause: Cause,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedEvent {
    /// Its place in the log.
    pub seq: u64,
    /// What happened, when, and through which run.
    pub happening: Happening,
    /// Who did it.
    pub actor: String,
    /// The entry of its run's log whose call did it.
    pub entry: Option<u64>,
}

impl Store {
    /// The events that triggers and waiting runs have not seen yet, oldest
    /// first.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_pending(&self, limit: u32) -> Result<Vec<Happening>, StoreError> {
        self.read().await?.event_pending(limit).await
    }

    /// One entry of the log.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_fetch(&self, id: EventId) -> Result<Option<LoggedEvent>, StoreError> {
        self.read().await?.event_fetch(id).await
    }

    /// What happened to a record (by id) and what was about it, newest last:
    /// the last `limit` entries before `before`, a place in the log.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_list(
        &self,
        record: &Reference,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<LoggedEvent>, StoreError> {
        self.read().await?.event_list(record, before, limit).await
    }

    /// The events about a record that triggers have not seen yet.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_unseen(&self, record: &Reference) -> Result<Vec<EventId>, StoreError> {
        self.read().await?.event_unseen(record).await
    }

    /// What a run changed and emitted, oldest first.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_list_of_run(&self, run: RunId) -> Result<Vec<LoggedEvent>, StoreError> {
        self.read().await?.event_list_of_run(run).await
    }
}

pub(crate) const EVENT: &str = "seq, id, at, kind, name, record, event_key, about, before_image, after_image, data, actor, run_id, workflow, depth, run_entry";

impl Tx {
    /// Writes an event to the log, for triggers and waiting runs to see.
    ///
    /// # Errors
    ///
    /// The database's; also where the id is in the log already.
    pub async fn event_emit(&mut self, event: &NewEvent) -> Result<(), StoreError> {
        let cause = &event.cause;
        let (kind, name, record, key, about, before, after, data) = match &event.kind {
            HappeningKind::Change(change) => (
                change.kind.as_str(),
                None,
                Some(&change.reference),
                None,
                None,
                change.before.as_ref().map(to_json).transpose()?,
                change.after.as_ref().map(to_json).transpose()?,
                None,
            ),
            HappeningKind::Named { name, key, about, data } => (
                "named",
                Some(name),
                about.first(),
                key.as_ref(),
                Some(to_json(about)?),
                None,
                None,
                Some(to_json(data)?),
            ),
        };
        let row = self
            .connection
            .row(
                "write to the event log",
                "INSERT INTO relata_event (id, at, kind, name, object, record, event_key, about,
                     before_image, after_image, data, actor, run_id, workflow, depth, run_entry, pending)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 1)
                 RETURNING seq",
                arguments![
                    event.id,
                    event.at,
                    kind,
                    name,
                    record.map(|record| record.object.as_str()),
                    record,
                    key,
                    about,
                    before,
                    after,
                    data,
                    cause.actor.as_str(),
                    cause.run,
                    cause.workflow.as_ref(),
                    cause.depth,
                    cause.entry.map(|entry| i64::try_from(entry).unwrap_or(i64::MAX))
                ],
            )
            .await?;
        if let (HappeningKind::Named { about, .. }, Some(row)) = (&event.kind, row)
            && about.len() > 1
        {
            let seq = row.whole("seq")?;
            let further: Vec<_> =
                about[1..].iter().map(|record| serde_json::json!({ "record": record })).collect();
            let sql = format!(
                "INSERT INTO relata_event_about (record, seq) SELECT given.record, $2 FROM {} WHERE 1 = 1 ON CONFLICT DO NOTHING",
                self.dialect().given("$1", &["record"])
            );
            self.connection
                .execute(
                    "write to the event log",
                    sqlx::AssertSqlSafe(sql),
                    arguments![to_json(&further)?, seq],
                )
                .await?;
        }
        Ok(())
    }

    /// The events that triggers and waiting runs have not seen yet, oldest
    /// first.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_pending(&mut self, limit: u32) -> Result<Vec<Happening>, StoreError> {
        let sql = const_format(
            "SELECT {EVENT} FROM relata_event WHERE pending = 1 ORDER BY seq LIMIT $1",
        );
        let rows = self.connection.rows("read the event log", sql, arguments![limit]).await?;
        rows.iter().map(|row| Ok(read(row)?.happening)).collect()
    }

    /// One entry of the log.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_fetch(&mut self, id: EventId) -> Result<Option<LoggedEvent>, StoreError> {
        let sql = const_format("SELECT {EVENT} FROM relata_event WHERE id = $1");
        let row = self.connection.row("read the event log", sql, arguments![id]).await?;
        row.as_ref().map(read).transpose()
    }

    /// Marks events as seen. Where they were already, nothing happens; the
    /// count is of those that were not.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_settle(&mut self, events: &[EventId]) -> Result<u64, StoreError> {
        let ids: Vec<_> = events.iter().map(|id| serde_json::json!({ "id": id })).collect();
        let sql = format!(
            "UPDATE relata_event SET pending = 0 WHERE pending = 1 AND id IN (SELECT given.id FROM {})",
            self.dialect().given("$1", &["id"])
        );
        self.connection
            .execute("mark events as seen", sqlx::AssertSqlSafe(sql), arguments![to_json(&ids)?])
            .await
    }

    /// What happened to a record (by id) and what was about it, newest last:
    /// the last `limit` entries before `before`, a place in the log.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_list(
        &mut self,
        record: &Reference,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<LoggedEvent>, StoreError> {
        let sql = const_format(
            "SELECT {EVENT} FROM relata_event
             WHERE (record = $1 OR seq IN (SELECT about.seq FROM relata_event_about AS about WHERE about.record = $1))
               AND seq < $2
             ORDER BY seq DESC LIMIT $3",
        );
        let before = before.map_or(i64::MAX, |seq| i64::try_from(seq).unwrap_or(i64::MAX));
        let rows =
            self.connection.rows("read a timeline", sql, arguments![record, before, limit]).await?;
        rows.iter().rev().map(read).collect()
    }

    /// The events about a record that triggers have not seen yet.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_unseen(&mut self, record: &Reference) -> Result<Vec<EventId>, StoreError> {
        let rows = self
            .connection
            .rows(
                "read the event log",
                "SELECT id FROM relata_event WHERE pending = 1
                   AND (record = $1 OR seq IN (SELECT about.seq FROM relata_event_about AS about WHERE about.record = $1))
                 ORDER BY seq",
                arguments![record],
            )
            .await?;
        rows.iter().map(|row| row.parsed("id")).collect()
    }

    /// What a run changed and emitted, oldest first.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_list_of_run(&mut self, run: RunId) -> Result<Vec<LoggedEvent>, StoreError> {
        let sql = const_format("SELECT {EVENT} FROM relata_event WHERE run_id = $1 ORDER BY seq");
        let rows = self.connection.rows("read the event log", sql, arguments![run]).await?;
        rows.iter().map(read).collect()
    }

    /// The place of an event in the log.
    pub(crate) async fn event_seq(&mut self, id: EventId) -> Result<u64, StoreError> {
        let row = self
            .connection
            .row("read the event log", "SELECT seq FROM relata_event WHERE id = $1", arguments![id])
            .await?;
        // An event that is in no log (a test's, a rehearsal's) comes first.
        row.map_or(Ok(0), |row| row.count("seq"))
    }
}

/// Puts the columns in their place.
pub(crate) fn const_format(sql: &str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(sql.replace("{EVENT}", EVENT))
}

pub(crate) fn read(row: &Row) -> Result<LoggedEvent, StoreError> {
    let kind = match row.text("kind")?.as_str() {
        "named" => HappeningKind::Named {
            name: row.text("name")?,
            key: row.text_or_none("event_key")?,
            about: row.json_or_none("about")?.unwrap_or_default(),
            data: row.json_or_none("data")?.unwrap_or(Value::Nothing),
        },
        word => HappeningKind::Change(Change {
            reference: row.parsed("record")?,
            kind: match word {
                "created" => ChangeKind::Created,
                "changed" => ChangeKind::Changed,
                "deleted" => ChangeKind::Deleted,
                other => {
                    return Err(StoreError::unreadable(
                        "an event",
                        format!("its kind is `{other}`"),
                    ));
                }
            },
            before: row.json_or_none::<Fields>("before_image")?,
            after: row.json_or_none::<Fields>("after_image")?,
        }),
    };
    Ok(LoggedEvent {
        seq: row.count("seq")?,
        happening: Happening {
            id: row.parsed("id")?,
            at: row.time("at")?,
            kind,
            run: row.parsed_or_none("run_id")?,
            workflow: row.text_or_none("workflow")?,
            depth: row.small("depth")?,
        },
        actor: row.text("actor")?,
        entry: row
            .whole_or_none("run_entry")?
            .map(|entry| u64::try_from(entry).unwrap_or_default()),
    })
}
