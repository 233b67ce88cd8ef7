//! Runs: keeping them, finding them, and what they did.

use std::collections::BTreeSet;

use relata_engine::{Outcome, Run, State, Status, Watch};
use relata_model::{EventId, Reference, RunId, Timestamp, text};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sqlx::AssertSqlSafe;

use crate::{
    Store, StoreError, Tx,
    connection::{Conditions, Row, arguments, to_json},
    given::Given,
    table::ColumnType::{self, Text, Whole},
    wake::Part,
};

/// In which order runs that are due are claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Priority {
    /// Before all others.
    First,
    /// As usual.
    #[default]
    Normal,
    /// When nothing else is due.
    Last,
}

impl Priority {
    pub(crate) const fn number(self) -> i64 {
        self as i64
    }

    const fn from_number(number: i64) -> Self {
        match number {
            0 => Self::First,
            1 => Self::Normal,
            _ => Self::Last,
        }
    }
}

/// A run that begins.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// The run as it begins.
    pub run: Run,
    /// How early it is claimed.
    pub priority: Priority,
    /// When it should be looked at; only when something happens, if none.
    pub due_at: Option<Timestamp>,
    /// What it listens for.
    pub watches: BTreeSet<Watch>,
    /// The first rows of its log.
    pub log: Vec<LogRow>,
    /// The worker that has it from the beginning, as if it had claimed it:
    /// its first epoch is 1 then. Else whoever claims it.
    pub lease: Option<Lease>,
    /// The event that began it; none for a schedule or another run.
    pub event: Option<EventId>,
}

impl NewRun {
    /// The same as it is written.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unreadable`] where its state cannot be put into words: a fault
    /// of ours.
    pub fn ready(&self) -> Result<ReadyRun, StoreError> {
        let run = &self.run;
        let (status, outcome, why) = standing(&run.status);
        let ended = run.has_ended();
        let lease = self.lease.as_ref().filter(|_| !ended);
        let mut row = Given::new(&RUN_COLUMNS);
        row.push(arguments![
            run.id,
            &run.workflow,
            &run.version,
            run.subject.as_ref(),
            run.key.as_ref(),
            status,
            outcome,
            why,
            lease.map(|lease| lease.until).or(self.due_at).filter(|_| !ended),
            self.priority.number(),
            run.seq,
            // As if it had been claimed once, and its call begun.
            lease.is_some(),
            lease.is_some(),
            lease.map(|lease| &lease.owner),
            lease.map(|lease| lease.until),
            run.started_at,
            ended.then(|| self.log.last().map_or(run.started_at, |row| row.at)),
            snapshot(run)?,
            run.parent,
            self.event
        ]);
        let mut log = Given::new(&LOG_COLUMNS);
        for entry in &self.log {
            push_log(&mut log, run.id, entry);
        }
        Ok(ReadyRun {
            id: run.id,
            row,
            log,
            watches: if ended { BTreeSet::new() } else { self.watches.clone() },
            is_to_be_claimed: self.lease.is_none() && self.due_at.is_some(),
        })
    }
}

/// A run that begins, as it is written. It is made ready by whoever begins it, where
/// what it is made of lies near: the one writer serves everybody, and only passes it
/// on.
#[derive(Debug, Clone)]
pub struct ReadyRun {
    id: RunId,
    row: Given<'static>,
    log: Given<'static>,
    watches: BTreeSet<Watch>,
    is_to_be_claimed: bool,
}

/// Who has a run from its beginning, and until when. It is on its way to its
/// first call at once, so that one counts as begun ([`Store::run_begin`]), and
/// needs no write of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The worker.
    pub owner: String,
    /// From then on it is due again.
    pub until: Timestamp,
}

/// One row of what a run did.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRow {
    /// Its place; a run has each only once.
    pub seq: u64,
    /// The step's path: `steps[5].then[0]`; empty for the run itself.
    pub step: String,
    /// Which items of loops and which branches it belongs to, `3.1`; empty
    /// outside of all.
    pub rounds: String,
    /// The step for people: `do: crm.update`.
    pub label: String,
    /// Which attempt, from 1; 0 where that means nothing.
    pub attempt: u32,
    /// What happened, in a word: `called`, `waited`, `decided`, …
    pub kind: String,
    /// The action whose answer it tells: `crm.update`.
    pub action: Option<String>,
    /// The digest of the plugin that answered.
    pub plugin: Option<String>,
    /// What went in.
    pub input: Option<Json>,
    /// What came out.
    pub output: Option<Json>,
    /// Why it came out so: candidates, and why each was rejected.
    pub explanation: Option<Json>,
    /// Why it failed, for people.
    pub error: Option<String>,
    /// When.
    pub at: Timestamp,
    /// The plugin's time on the processor, microseconds.
    pub cpu_us: u64,
    /// How long it waited for the host, milliseconds.
    pub wait_ms: u64,
    /// The most memory that it had at any time, bytes.
    pub memory_bytes: u64,
    /// How often it called the host.
    pub host_calls: u32,
    /// Of these, requests to web services.
    pub http_calls: u32,
}

/// A run as the store knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// The run.
    pub run: Run,
    /// When it will be looked at; the end of the lease while a worker has it.
    pub due_at: Option<Timestamp>,
    /// How early it is claimed.
    pub priority: Priority,
    /// How often a call for it was begun since it last got on.
    pub crash_count: u32,
    /// The worker that has it.
    pub lease_owner: Option<String>,
    /// Until when.
    pub lease_until: Option<Timestamp>,
    /// Why it shall end, if somebody asked for that and it has not taken that
    /// in yet.
    pub cancel_requested: Option<String>,
    /// When somebody first asked for its end.
    pub cancel_asked_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// By which pause it is parked: it is due, and waits for its end.
    pub parked_by: Option<crate::PauseScope>,
}

/// Which runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFilter {
    /// Of this workflow.
    pub workflow: Option<String>,
    /// About this record, by id.
    pub subject: Option<Reference>,
    /// About this record, by id, or for it as the value of `one_per`.
    pub concerning: Option<Reference>,
    /// In this state.
    pub status: Option<RunStatus>,
    /// Begun by a step of this run.
    pub parent: Option<RunId>,
    /// Of any version but this one, by its digest.
    pub not_version: Option<String>,
    /// For whose end nobody has asked.
    pub not_asked_to_end: bool,
    /// About a record of one of these objects.
    pub objects: Option<Vec<String>>,
    /// Begun at this time or later.
    pub since: Option<Timestamp>,
    /// Begun before this time.
    pub until: Option<Timestamp>,
    /// With this in the reason for their end, in capitals or not.
    pub why_has: Option<String>,
    /// After this one in the order of the list.
    pub after: Option<RunId>,
    /// Newest first instead of oldest first.
    pub newest_first: bool,
}

/// How a run stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    /// Has something to do, now or later.
    Active,
    /// Has ended, however.
    Ended,
    /// Ended after its last step.
    Done,
    /// Ended by a condition.
    Stopped,
    /// Ended by an error.
    Failed,
    /// Ended by a person or a newer run.
    Cancelled,
}

impl RunStatus {
    /// The word: `active`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Ended => "ended",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The columns that say how a run stands: status, outcome, why.
pub(crate) fn standing(status: &Status) -> (&'static str, Option<&'static str>, Option<String>) {
    match status {
        Status::Active => ("active", None, None),
        Status::Ended(outcome) => {
            let (word, why) = match outcome {
                Outcome::Done => ("done", None),
                Outcome::Stopped { outcome, why } if outcome == "stopped" => {
                    ("stopped", Some(why.clone()))
                }
                Outcome::Stopped { outcome, why } => ("stopped", Some(format!("{outcome}: {why}"))),
                Outcome::Failed { step, why } => ("failed", Some(format!("{step}: {why}"))),
                Outcome::Cancelled { why } => ("cancelled", Some(why.clone())),
            };
            ("ended", Some(word), why)
        }
    }
}

impl Store {
    /// A run; none where there is none.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_fetch(&self, id: RunId) -> Result<Option<RunRow>, StoreError> {
        self.read().await?.run_fetch(id).await
    }

    /// Runs that meet a filter, at most `limit`.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_list(
        &self,
        filter: &RunFilter,
        limit: u32,
    ) -> Result<Vec<RunRow>, StoreError> {
        self.read().await?.run_list(filter, limit).await
    }

    /// How many runs meet a filter; `after` does not count.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_count(&self, filter: &RunFilter) -> Result<u64, StoreError> {
        self.read().await?.run_count(filter).await
    }

    /// What a run did, step by step.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_log(&self, id: RunId) -> Result<Vec<LogRow>, StoreError> {
        self.read().await?.run_log(id).await
    }

    /// Active runs that nothing will ever wake: no time, nothing that they
    /// listen for, no place in a line. There should be none.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_stranded(&self) -> Result<Vec<RunId>, StoreError> {
        self.read().await?.run_stranded().await
    }

    /// When the next run is due: the earliest of all; none where none will ever be.
    /// It may lie in the past.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read().await?.run_next_due().await
    }
}

impl Tx {
    /// Keeps a run that begins.
    ///
    /// # Errors
    ///
    /// The database's; also where there is a run of this id.
    pub async fn run_insert(&mut self, new: &NewRun) -> Result<(), StoreError> {
        self.run_insert_all(&[&new.ready()?]).await
    }

    /// Keeps runs that begin.
    ///
    /// # Errors
    ///
    /// The database's; also where there is a run of one of the ids.
    pub async fn run_insert_all(&mut self, runs: &[&ReadyRun]) -> Result<(), StoreError> {
        if runs.is_empty() {
            return Ok(());
        }
        let (mut given, mut log) = (Given::new(&RUN_COLUMNS), Given::new(&LOG_COLUMNS));
        let mut listening = Vec::new();
        for ready in runs {
            given.append(&ready.row);
            log.append(&ready.log);
            // It listened for nothing before: where it does not now, there is
            // nothing to set.
            if !ready.watches.is_empty() {
                listening.push((ready.id, &ready.watches));
            }
        }
        let names = given.names();
        let sql = format!(
            "INSERT INTO relata_run ({names}) SELECT {names} FROM {}",
            given.table(self.dialect(), "$1")
        );
        let given = vec![given.into_argument()];
        self.connection
            .post_apart("begin runs", Some("relata_run"), AssertSqlSafe(sql), given)
            .await?;
        if runs.iter().any(|ready| ready.is_to_be_claimed) {
            self.stir(Part::Runs);
        }
        self.log_append_given(log).await?;
        self.waiter_set_all(&listening).await
    }

    /// A run; none where there is none.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_fetch(&mut self, id: RunId) -> Result<Option<RunRow>, StoreError> {
        let row = self
            .connection
            .row("read a run", "SELECT * FROM relata_run WHERE id = $1", arguments![id])
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Runs that meet a filter, at most `limit`.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_list(
        &mut self,
        filter: &RunFilter,
        limit: u32,
    ) -> Result<Vec<RunRow>, StoreError> {
        let mut conditions = conditions(filter);
        if let Some(after) = filter.after {
            conditions.and(if filter.newest_first { "id < ?" } else { "id > ?" }, after);
        }
        let order = if filter.newest_first { "ORDER BY id DESC" } else { "ORDER BY id" };
        let (sql, arguments) = conditions.finish("SELECT * FROM relata_run", order, limit);
        let rows = self.connection.rows("list runs", sql, arguments).await?;
        rows.iter().map(read).collect()
    }

    /// How many runs meet a filter; `after` does not count.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_count(&mut self, filter: &RunFilter) -> Result<u64, StoreError> {
        let (sql, arguments) =
            conditions(filter).finish("SELECT COUNT(*) AS found FROM relata_run", "", 1);
        match self.connection.row("count runs", sql, arguments).await? {
            Some(row) => row.count("found"),
            None => Ok(0),
        }
    }

    /// What a run did, step by step.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_log(&mut self, id: RunId) -> Result<Vec<LogRow>, StoreError> {
        let rows = self
            .connection
            .rows(
                "read what a run did",
                "SELECT * FROM relata_step_log WHERE run_id = $1 ORDER BY seq",
                arguments![id],
            )
            .await?;
        rows.iter().map(read_log).collect()
    }

    /// Active runs that nothing will ever wake: no time, and nothing that
    /// they listen for. There should be none.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_stranded(&mut self) -> Result<Vec<RunId>, StoreError> {
        let rows = self
            .connection
            .rows(
                "look for stranded runs",
                "SELECT run.id FROM relata_run AS run
                 WHERE run.status = 'active' AND run.due_at IS NULL AND run.parked_by IS NULL
                   AND NOT EXISTS (SELECT 1 FROM relata_waiter AS waiter WHERE waiter.run_id = run.id)
                   AND NOT EXISTS (SELECT 1 FROM relata_limit_place AS place
                                   WHERE place.run_id = run.id AND place.works = 0)
                 ORDER BY run.id",
                arguments![],
            )
            .await?;
        rows.iter().map(|row| row.parsed("id")).collect()
    }

    /// When the next run is due: the earliest of all; none where none will ever be.
    /// It may lie in the past.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_next_due(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let row = self
            .connection
            .row(
                "look for the run that is due next",
                "SELECT MIN(due_at) AS next FROM relata_run WHERE due_at IS NOT NULL",
                arguments![],
            )
            .await?;
        match row {
            Some(row) => row.time_or_none("next"),
            None => Ok(None),
        }
    }

    /// Adds to what runs did.
    pub(crate) async fn log_append_all(
        &mut self,
        log: &[(RunId, &LogRow)],
    ) -> Result<(), StoreError> {
        let mut given = Given::new(&LOG_COLUMNS);
        for (run, row) in log {
            push_log(&mut given, *run, row);
        }
        self.log_append_given(given).await
    }

    async fn log_append_given(&mut self, given: Given<'_>) -> Result<(), StoreError> {
        if given.is_empty() {
            return Ok(());
        }
        let names = given.names();
        let sql = format!(
            "INSERT INTO relata_step_log ({names}) SELECT {names} FROM {}",
            given.table(self.dialect(), "$1")
        );
        let (doing, given) = ("write what runs did", vec![given.into_argument()]);
        self.connection.post_apart(doing, Some("relata_step_log"), AssertSqlSafe(sql), given).await
    }
}

const RUN_COLUMNS: [(&str, ColumnType); 20] = [
    ("id", Text),
    ("workflow", Text),
    ("version", Text),
    ("subject", Text),
    ("run_key", Text),
    ("status", Text),
    ("outcome", Text),
    ("why", Text),
    ("due_at", Whole),
    ("priority", Whole),
    ("seq", Whole),
    ("epoch", Whole),
    ("crash_count", Whole),
    ("lease_owner", Text),
    ("lease_until", Whole),
    ("started_at", Whole),
    ("ended_at", Whole),
    ("snapshot", Text),
    ("parent", Text),
    ("event_id", Text),
];

const LOG_COLUMNS: [(&str, ColumnType); 19] = [
    ("run_id", Text),
    ("seq", Whole),
    ("step", Text),
    ("rounds", Text),
    ("label", Text),
    ("attempt", Whole),
    ("kind", Text),
    ("action", Text),
    ("plugin", Text),
    ("input", Text),
    ("output", Text),
    ("explanation", Text),
    ("error", Text),
    ("at", Whole),
    ("cpu_us", Whole),
    ("wait_ms", Whole),
    ("memory_bytes", Whole),
    ("host_calls", Whole),
    ("http_calls", Whole),
];

fn push_log(given: &mut Given<'_>, run: RunId, row: &LogRow) {
    given.push(arguments![
        run,
        row.seq,
        &row.step,
        &row.rounds,
        &row.label,
        row.attempt,
        &row.kind,
        row.action.as_ref(),
        row.plugin.as_ref(),
        row.input.as_ref(),
        row.output.as_ref(),
        row.explanation.as_ref(),
        row.error.as_ref(),
        row.at,
        row.cpu_us,
        row.wait_ms,
        row.memory_bytes,
        row.host_calls,
        row.http_calls
    ]);
}

pub(crate) fn conditions(filter: &RunFilter) -> Conditions {
    let mut conditions = Conditions::default();
    if let Some(workflow) = &filter.workflow {
        conditions.and("workflow = ?", workflow);
    }
    if let Some(subject) = &filter.subject {
        conditions.and("subject = ?", subject);
    }
    if let Some(record) = &filter.concerning {
        conditions.and("(subject = ? OR run_key = ?)", record);
    }
    match filter.status {
        None => {}
        Some(status @ (RunStatus::Active | RunStatus::Ended)) => {
            conditions.and("status = ?", status.as_str());
        }
        // As a word of the statement, by which a partial index is known.
        Some(outcome) => conditions.and_plain(&format!("outcome = '{}'", outcome.as_str())),
    }
    if let Some(parent) = filter.parent {
        conditions.and("parent = ?", parent);
    }
    if let Some(version) = &filter.not_version {
        conditions.and("version <> ?", version);
    }
    if filter.not_asked_to_end {
        conditions.and_plain("cancel_asked_at IS NULL");
    }
    if let Some(objects) = &filter.objects {
        // Objects' names are letters, digits and `_`, which stands for any
        // letter where it is not escaped.
        let any: Vec<String> = objects
            .iter()
            .filter(|name| text::is_name(name))
            .map(|name| format!("subject LIKE '{}/%' ESCAPE '!'", name.replace('_', "!_")))
            .collect();
        let any = if any.is_empty() { "1 = 0".to_owned() } else { any.join(" OR ") };
        conditions.and_plain(&format!("({any})"));
    }
    // Ids begin with the time at which they were drawn.
    if let Some(since) = filter.since {
        conditions.and("id >= ?", RunId::derived(since, &[0; 10]));
    }
    if let Some(until) = filter.until {
        conditions.and("id < ?", RunId::derived(until, &[0; 10]));
    }
    if let Some(text) = &filter.why_has {
        let escaped = text.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
        conditions.and("LOWER(why) LIKE ? ESCAPE '!'", format!("%{escaped}%"));
    }
    conditions
}

/// An entry of a run's log out of a row.
pub(crate) fn read_log(row: &Row) -> Result<LogRow, StoreError> {
    Ok(LogRow {
        seq: row.count("seq")?,
        step: row.text("step")?,
        rounds: row.text("rounds")?,
        label: row.text("label")?,
        attempt: row.small("attempt")?,
        kind: row.text("kind")?,
        action: row.text_or_none("action")?,
        plugin: row.text_or_none("plugin")?,
        input: row.json_or_none("input")?,
        output: row.json_or_none("output")?,
        explanation: row.json_or_none("explanation")?,
        error: row.text_or_none("error")?,
        at: row.time("at")?,
        cpu_us: row.count("cpu_us")?,
        wait_ms: row.count("wait_ms")?,
        memory_bytes: row.count("memory_bytes")?,
        host_calls: row.small("host_calls")?,
        http_calls: row.small("http_calls")?,
    })
}

/// What of a run stands in no column of its own.
#[derive(Deserialize)]
struct Snapshot {
    status: Status,
    state: State,
}

/// The column `snapshot`.
pub(crate) fn snapshot(run: &Run) -> Result<String, StoreError> {
    #[derive(Serialize)]
    struct Snapshot<'r> {
        status: &'r Status,
        state: &'r State,
    }
    to_json(&Snapshot { status: &run.status, state: &run.state })
}

pub(crate) fn read(row: &Row) -> Result<RunRow, StoreError> {
    let Snapshot { status, state } = row.json("snapshot")?;
    let run = Run {
        id: row.parsed("id")?,
        workflow: row.text("workflow")?,
        version: row.text("version")?,
        subject: row.parsed_or_none("subject")?,
        key: row.text_or_none("run_key")?,
        parent: row.parsed_or_none("parent")?,
        started_at: row.time("started_at")?,
        seq: row.count("seq")?,
        status,
        state,
    };
    Ok(RunRow {
        run,
        due_at: row.time_or_none("due_at")?,
        priority: Priority::from_number(row.whole("priority")?),
        crash_count: row.small("crash_count")?,
        lease_owner: row.text_or_none("lease_owner")?,
        lease_until: row.time_or_none("lease_until")?,
        cancel_requested: row.text_or_none("cancel_requested")?,
        cancel_asked_at: row.time_or_none("cancel_asked_at")?,
        ended_at: row.time_or_none("ended_at")?,
        parked_by: row.parsed_or_none("parked_by")?,
    })
}
