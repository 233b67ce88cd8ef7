//! What somebody has stopped for a while: a run, a workflow, an action, or
//! the whole host. A pause is a row that everybody reads. What falls due
//! meanwhile is parked: it keeps the time at which it was due, and is due
//! again when the pause is gone.

use std::{fmt, str::FromStr};

use relata_model::{EffectId, RunId, Timestamp};

use crate::{
    Store, StoreError, Tx,
    connection::{Row, arguments},
    wake::Part,
};

/// What a pause stops.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PauseScope {
    /// All runs, and all that goes out.
    All,
    /// The runs of a workflow, and what they send.
    Workflow(String),
    /// The calls of an action.
    Action(String),
    /// One run, and what it sends.
    Run(RunId),
}

impl PauseScope {
    /// The word: `workflow`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Workflow(_) => "workflow",
            Self::Action(_) => "action",
            Self::Run(_) => "run",
        }
    }

    /// Of which workflow, action or run; empty for all.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::All => String::new(),
            Self::Workflow(name) | Self::Action(name) => name.clone(),
            Self::Run(run) => run.to_string(),
        }
    }
}

/// `workflow/greet-leads`; `all/` for all.
impl fmt::Display for PauseScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind(), self.name())
    }
}

/// Why a text names nothing that can be paused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names nothing that can be paused")]
pub struct PauseScopeError(String);

impl FromStr for PauseScope {
    type Err = PauseScopeError;

    fn from_str(text: &str) -> Result<Self, PauseScopeError> {
        let wrong = || PauseScopeError(text.to_owned());
        match text.split_once('/').ok_or_else(wrong)? {
            ("all", "") => Ok(Self::All),
            ("workflow", name) => Ok(Self::Workflow(name.to_owned())),
            ("action", name) => Ok(Self::Action(name.to_owned())),
            ("run", id) => id.parse().map(Self::Run).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// What it stops.
    pub scope: PauseScope,
    /// Why, for people.
    pub why: String,
    /// Who wanted it.
    pub actor: String,
    /// Since when.
    pub at: Timestamp,
}

/// How much of what was parked is due again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unparked {
    /// Runs.
    pub runs: u64,
    /// Effects on the outside.
    pub effects: u64,
}

impl Store {
    /// All pauses, the widest first.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn pause_list(&self) -> Result<Vec<Pause>, StoreError> {
        self.read().await?.pause_list().await
    }

    /// How many runs and effects a pause has parked so far.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn pause_parked(&self, scope: &PauseScope) -> Result<Unparked, StoreError> {
        let mut tx = self.read().await?;
        let runs = "SELECT COUNT(*) AS found FROM relata_run WHERE parked_by = $1";
        let effects = "SELECT COUNT(*) AS found FROM relata_outbox WHERE parked_by = $1";
        Ok(Unparked {
            runs: tx.parked_count(runs, scope).await?,
            effects: tx.parked_count(effects, scope).await?,
        })
    }

    /// Whether something is parked by a pause that is gone: a host that did
    /// not know of the end of a pause parked it, or the end was cut short.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn pause_leftovers(&self) -> Result<bool, StoreError> {
        let row = self
            .read()
            .await?
            .connection
            .row(
                "look for what is parked in vain",
                "SELECT 1 AS found FROM relata_run AS run
                 WHERE run.parked_by IS NOT NULL AND run.lease_owner IS NULL AND run.status = 'active'
                   AND NOT EXISTS (SELECT 1 FROM relata_pause AS pause
                                   WHERE pause.kind || '/' || pause.name = run.parked_by)
                 UNION ALL
                 SELECT 1 FROM relata_outbox AS effect
                 WHERE effect.parked_by IS NOT NULL
                   AND NOT EXISTS (SELECT 1 FROM relata_pause AS pause
                                   WHERE pause.kind || '/' || pause.name = effect.parked_by)
                 LIMIT 1",
                arguments![],
            )
            .await?;
        Ok(row.is_some())
    }

    /// When the next schedule fires: what goes on while all is paused.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn schedule_next(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = self
            .read()
            .await?
            .connection
            .row(
                "look for the next fire",
                "SELECT MIN(next_at) AS next FROM relata_schedule WHERE next_at IS NOT NULL",
                arguments![],
            )
            .await?;
        row.map_or(Ok(None), |row| row.time_or_none("next"))
    }
}

impl Tx {
    /// Begins a pause; false where there is one already, which stays as it
    /// is.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn pause_put(&mut self, pause: &Pause) -> Result<bool, StoreError> {
        let touched = self
            .connection
            .execute(
                "begin a pause",
                "INSERT INTO relata_pause (kind, name, why, actor, at) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (kind, name) DO NOTHING",
                arguments![
                    pause.scope.kind(),
                    pause.scope.name(),
                    &pause.why,
                    &pause.actor,
                    pause.at
                ],
            )
            .await?;
        Ok(touched > 0)
    }

    /// Ends a pause, and makes due again what it had parked; none where
    /// there is no such pause.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn pause_remove(
        &mut self,
        scope: &PauseScope,
    ) -> Result<Option<Unparked>, StoreError> {
        let touched = self
            .connection
            .execute(
                "end a pause",
                "DELETE FROM relata_pause WHERE kind = $1 AND name = $2",
                arguments![scope.kind(), scope.name()],
            )
            .await?;
        if touched == 0 {
            return Ok(None);
        }
        Ok(Some(self.pause_unpark().await?))
    }

    /// All pauses, the widest first.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn pause_list(&mut self) -> Result<Vec<Pause>, StoreError> {
        let rows = self
            .connection
            .rows("list pauses", "SELECT * FROM relata_pause ORDER BY kind, name", arguments![])
            .await?;
        let mut pauses = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        pauses.sort_by(|a, b| a.scope.cmp(&b.scope));
        Ok(pauses)
    }

    /// Makes due again, at their old times, the runs and effects that are
    /// parked by a pause that is gone. What another pause holds is parked
    /// again when somebody looks at it.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn pause_unpark(&mut self) -> Result<Unparked, StoreError> {
        // Who has a run parks it itself when it commits.
        let runs = self
            .connection
            .execute(
                "let runs go on",
                "UPDATE relata_run
                 SET due_at = CASE WHEN due_at IS NULL OR due_at > parked_at THEN parked_at ELSE due_at END,
                     parked_at = NULL, parked_by = NULL
                 WHERE parked_by IS NOT NULL AND lease_owner IS NULL AND status = 'active'
                   AND NOT EXISTS (SELECT 1 FROM relata_pause AS pause
                                   WHERE pause.kind || '/' || pause.name = relata_run.parked_by)",
                arguments![],
            )
            .await?;
        let effects = self
            .connection
            .execute(
                "let effects go out",
                "UPDATE relata_outbox
                 SET due_at = CASE WHEN status = 'due' THEN COALESCE(due_at, parked_at) ELSE due_at END,
                     parked_at = NULL, parked_by = NULL
                 WHERE parked_by IS NOT NULL
                   AND NOT EXISTS (SELECT 1 FROM relata_pause AS pause
                                   WHERE pause.kind || '/' || pause.name = relata_outbox.parked_by)",
                arguments![],
            )
            .await?;
        self.stir(Part::Runs);
        self.stir(Part::Effects);
        Ok(Unparked { runs, effects })
    }

    /// Gives back a run as it was claimed, to be looked at when a pause is
    /// gone. `due_at` is when it was due; `begun`, whether a call counts as
    /// begun that is not made now.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] where it is somebody else's by now.
    pub async fn run_park(
        &mut self,
        id: RunId,
        epoch: u64,
        scope: &PauseScope,
        due_at: Timestamp,
        begun: bool,
    ) -> Result<(), StoreError> {
        let touched = self
            .connection
            .execute(
                "park a run",
                "UPDATE relata_run SET due_at = NULL, lease_owner = NULL, lease_until = NULL,
                     parked_at = $3, parked_by = $4, crash_count = crash_count - $5
                 WHERE id = $1 AND epoch = $2 AND status = 'active' AND lease_owner IS NOT NULL",
                arguments![id, epoch, due_at, scope.to_string(), begun],
            )
            .await?;
        if touched == 0 { Err(StoreError::Fenced { run: id }) } else { Ok(()) }
    }

    /// Says of a run that whoever has it stops at a pause: its next commit
    /// gives it back without a time, and the end of the pause makes it due.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] where it is somebody else's by now.
    pub async fn run_will_park(
        &mut self,
        id: RunId,
        epoch: u64,
        scope: &PauseScope,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let touched = self
            .connection
            .execute(
                "park a run",
                "UPDATE relata_run SET parked_at = $3, parked_by = $4
                 WHERE id = $1 AND epoch = $2 AND status = 'active' AND lease_owner IS NOT NULL",
                arguments![id, epoch, now, scope.to_string()],
            )
            .await?;
        if touched == 0 { Err(StoreError::Fenced { run: id }) } else { Ok(()) }
    }

    /// Gives back an effect as it was claimed, to go out when a pause is
    /// gone; the attempt does not count. False where it is not being carried
    /// out any more.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outbox_park(
        &mut self,
        id: EffectId,
        attempts: u32,
        scope: &PauseScope,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let touched = self
            .connection
            .execute(
                "park an effect",
                "UPDATE relata_outbox SET status = 'due', attempts = attempts - 1, due_at = NULL,
                     parked_at = COALESCE(due_at, $3), parked_by = $4
                 WHERE effect_id = $1 AND attempts = $2 AND status = 'sending'",
                arguments![id, attempts, now, scope.to_string()],
            )
            .await?;
        Ok(touched > 0)
    }

    /// By which pause a run is parked, if by one.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_parked_by(&mut self, id: RunId) -> Result<Option<PauseScope>, StoreError> {
        let row = self
            .connection
            .row(
                "look whether a run is parked",
                "SELECT parked_by FROM relata_run WHERE id = $1 AND parked_by IS NOT NULL AND status = 'active'",
                arguments![id],
            )
            .await?;
        row.map(|row| row.parsed("parked_by")).transpose()
    }

    async fn parked_count(
        &mut self,
        sql: &'static str,
        scope: &PauseScope,
    ) -> Result<u64, StoreError> {
        let row = self.connection.row("count what is parked", sql, arguments![scope.to_string()]);
        row.await?.map_or(Ok(0), |row| row.count("found"))
    }
}

fn read(row: &Row) -> Result<Pause, StoreError> {
    let scope = format!("{}/{}", row.text("kind")?, row.text("name")?);
    Ok(Pause {
        scope: scope.parse().map_err(|why| StoreError::unreadable("a pause", why))?,
        why: row.text("why")?,
        actor: row.text("actor")?,
        at: row.time("at")?,
    })
}
