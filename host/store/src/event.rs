//! The event log: every change of every record, and every named event, in
//! the order in which they were committed.

use std::collections::HashSet;

use relata_engine::{Happening, HappeningKind, Watch};
use relata_model::{Change, ChangeKind, EventId, Reference, RunId, Timestamp, Value};

use sqlx::AssertSqlSafe;

use crate::{
    Cause, Store, StoreError, Tx,
    connection::{Row, arguments, to_json},
    given::{Given, OpenRow},
    table::ColumnType::{self, Text, Whole},
    wake::Part,
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

/// An event as it is written. It is made ready by whoever it happens to, where what it
/// is made of lies near: the one writer serves everybody, and only passes it on.
#[derive(Debug, Clone)]
pub struct ReadyEvent {
    pub(crate) id: EventId,
    pub(crate) kind: HappeningKind,
    /// All of its row but whether it is pending.
    row: OpenRow,
}

impl ReadyEvent {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> EventId {
        self.id
    }

    /// What runs may listen for that hear of it.
    #[must_use]
    pub fn topics(&self) -> Vec<Watch> {
        self.kind.topics()
    }
}

impl NewEvent {
    /// The same as it is written.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unreadable`] where what happened cannot be put into words: a
    /// fault of ours.
    pub fn ready(self) -> Result<ReadyEvent, StoreError> {
        let Self { id, at, kind, cause } = self;
        let (word, name, record, key, about, before, after, data) = match &kind {
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
            HappeningKind::Named { name, key, about, data } => {
                let (about_json, data) = (Some(to_json(about)?), Some(to_json(data)?));
                let (name, key) = (Some(name), key.as_ref());
                ("named", name, about.first(), key, about_json, None, None, data)
            }
        };
        let row = OpenRow::new(arguments![
            id,
            at,
            word,
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
            cause.entry
        ]);
        Ok(ReadyEvent { id, kind, row })
    }
}

const COLUMNS: [(&str, ColumnType); 17] = [
    ("id", Text),
    ("at", Whole),
    ("kind", Text),
    ("name", Text),
    ("object", Text),
    ("record", Text),
    ("event_key", Text),
    ("about", Text),
    ("before_image", Text),
    ("after_image", Text),
    ("data", Text),
    ("actor", Text),
    ("run_id", Text),
    ("workflow", Text),
    ("depth", Whole),
    ("run_entry", Whole),
    ("pending", Whole),
];

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
    /// The number of the last event in the log; 0 where there is none.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_log_end(&self) -> Result<u64, StoreError> {
        self.read().await?.event_log_end().await
    }

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
        let pending = HashSet::from([event.id]);
        self.event_emit_all(&[&event.clone().ready()?], &pending).await
    }

    /// Writes events to the log, in their order; those that are `pending` are
    /// for triggers and waiting runs to see.
    ///
    /// # Errors
    ///
    /// The database's; also where one of the ids is in the log already.
    pub async fn event_emit_all(
        &mut self,
        events: &[&ReadyEvent],
        pending: &HashSet<EventId>,
    ) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let mut given = Given::new(&COLUMNS);
        let mut further = Given::new(&[("record", Text), ("event_id", Text)]);
        for event in events {
            given.push_behind(&event.row, arguments![pending.contains(&event.id)]);
            if let HappeningKind::Named { about, .. } = &event.kind {
                for record in about.iter().skip(1) {
                    further.push(arguments![record, event.id]);
                }
            }
        }
        let names = given.names();
        let sql = format!(
            "INSERT INTO relata_event ({names}) SELECT {names} FROM {} ORDER BY _place",
            given.table(self.dialect(), "$1")
        );
        let doing = "write to the event log";
        let given = vec![given.into_argument()];
        self.connection.post_apart(doing, Some("relata_event"), AssertSqlSafe(sql), given).await?;
        self.stirred.add_log();
        if !pending.is_empty() {
            self.stir(Part::Events);
        }
        if further.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "INSERT INTO relata_event_about (record, seq)
             SELECT given.record, event.seq FROM {} JOIN relata_event AS event ON event.id = given.event_id
             WHERE 1 = 1{} ON CONFLICT DO NOTHING",
            further.table(self.dialect(), "$1"),
            further.narrow(self.dialect(), "$1", "event_id", "event.id")
        );
        self.connection.post(doing, AssertSqlSafe(sql), vec![further.into_argument()]).await
    }

    /// The number of the last event in the log; 0 where there is none.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_log_end(&mut self) -> Result<u64, StoreError> {
        let sql = "SELECT COALESCE(MAX(seq), 0) AS log_end FROM relata_event";
        let row = self.connection.row("read the event log", sql, arguments![]).await?;
        row.map_or(Ok(0), |row| row.count("log_end"))
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

    /// Marks events as seen; yields those that were not yet. Whoever else does
    /// the same at the same time waits for this transaction, and then finds it
    /// done.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_settle(
        &mut self,
        events: &[EventId],
    ) -> Result<HashSet<EventId>, StoreError> {
        let mut given = Given::new(&[("id", Text)]);
        for event in events {
            given.push(arguments![event]);
        }
        let sql = format!(
            "UPDATE relata_event SET pending = 0
             WHERE pending = 1 AND {} RETURNING id",
            given.have(self.dialect(), "$1", "id", "id")
        );
        let rows = self
            .connection
            .rows("mark events as seen", AssertSqlSafe(sql), vec![given.into_argument()])
            .await?;
        rows.iter().map(|row| row.parsed("id")).collect()
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
pub(crate) fn const_format(sql: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(sql.replace("{EVENT}", EVENT))
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
            before: row.json_or_none("before_image")?,
            after: row.json_or_none("after_image")?,
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
