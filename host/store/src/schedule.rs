//! The clocks of active workflows, and each fire once.

use relata_model::{RunId, Timestamp};
use relata_workflow::IfMissed;
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::{
    Store, StoreError, Tx,
    connection::{Row, arguments, to_json},
};

/// A clock of a workflow that goes live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSchedule {
    /// The place of its trigger in the workflow, from 0.
    pub trigger: u32,
    /// The cron expression.
    pub cron: String,
    /// The IANA name of its zone.
    pub time_zone: String,
    /// What becomes of fires while the host was away.
    pub if_missed: IfMissed,
    /// When it fires next; never again, if none.
    pub next_at: Option<Timestamp>,
}

/// A clock as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleRow {
    /// The workflow.
    pub workflow: String,
    /// The place of its trigger in the workflow, from 0.
    pub trigger: u32,
    /// The cron expression.
    pub cron: String,
    /// The IANA name of its zone.
    pub time_zone: String,
    /// What becomes of fires while the host was away.
    pub if_missed: IfMissed,
    /// The time that it last fired for.
    pub last_nominal: Option<Timestamp>,
    /// When it fires next; never again, if none.
    pub next_at: Option<Timestamp>,
}

/// What became of a fire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fire {
    /// It began a run, or was taken up in another way.
    Fired {
        /// The run.
        run: Option<RunId>,
    },
    /// It was passed over.
    Missed {
        /// Why, for people.
        reason: String,
    },
}

/// A fire that happened or was missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FireRow {
    /// The place of its trigger in the workflow, from 0.
    pub trigger: u32,
    /// The time that it was for.
    pub nominal_at: Timestamp,
    /// When that was settled.
    pub at: Timestamp,
    /// What became of it.
    pub fire: Fire,
}

const fn word(if_missed: IfMissed) -> &'static str {
    match if_missed {
        IfMissed::Once => "once",
        IfMissed::All => "all",
        IfMissed::Skip => "skip",
    }
}

impl Store {
    /// The clocks that have something to fire, longest due first.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn schedule_due(&self, now: Timestamp) -> Result<Vec<ScheduleRow>, StoreError> {
        self.read().await?.schedule_due(now).await
    }

    /// All clocks of active workflows.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn schedule_list(&self) -> Result<Vec<ScheduleRow>, StoreError> {
        self.read().await?.schedule_list().await
    }

    /// What became of a workflow's last fires, newest first.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn schedule_fires(
        &self,
        workflow: &str,
        limit: u32,
    ) -> Result<Vec<FireRow>, StoreError> {
        self.read().await?.schedule_fires(workflow, limit).await
    }
}

impl Tx {
    /// Sets all clocks of a workflow. One that is there with the same
    /// expression and zone keeps its next fire, so that activating the
    /// workflow again skips none.
    pub(crate) async fn schedule_set(
        &mut self,
        workflow: &str,
        schedules: &[NewSchedule],
    ) -> Result<(), StoreError> {
        let triggers: Vec<_> =
            schedules.iter().map(|schedule| json!({ "trigger_no": schedule.trigger })).collect();
        let sql = format!(
            "DELETE FROM relata_schedule WHERE workflow = $2
               AND trigger_no NOT IN (SELECT given.trigger_no FROM {})",
            self.dialect().given("$1", &["trigger_no BIGINT"])
        );
        self.connection
            .execute(
                "set the clocks of a workflow",
                AssertSqlSafe(sql),
                arguments![to_json(&triggers)?, workflow],
            )
            .await?;
        for schedule in schedules {
            self.connection
                .execute(
                    "set the clocks of a workflow",
                    "INSERT INTO relata_schedule AS present
                         (workflow, trigger_no, cron, time_zone, if_missed, next_at)
                     VALUES ($1, $2, $3, $4, $5, $6)
                     ON CONFLICT (workflow, trigger_no) DO UPDATE
                     SET next_at = CASE WHEN present.cron = excluded.cron AND present.time_zone = excluded.time_zone
                                        THEN present.next_at ELSE excluded.next_at END,
                         cron = excluded.cron, time_zone = excluded.time_zone, if_missed = excluded.if_missed",
                    arguments![
                        workflow,
                        schedule.trigger,
                        &schedule.cron,
                        &schedule.time_zone,
                        word(schedule.if_missed),
                        schedule.next_at
                    ],
                )
                .await?;
        }
        Ok(())
    }

    /// The clocks that have something to fire, longest due first.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn schedule_due(&mut self, now: Timestamp) -> Result<Vec<ScheduleRow>, StoreError> {
        let rows = self
            .connection
            .rows(
                "look for clocks that fire",
                "SELECT * FROM relata_schedule WHERE next_at <= $1 ORDER BY next_at, workflow, trigger_no",
                arguments![now],
            )
            .await?;
        rows.iter().map(read).collect()
    }

    /// All clocks of active workflows.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn schedule_list(&mut self) -> Result<Vec<ScheduleRow>, StoreError> {
        let rows = self
            .connection
            .rows(
                "list clocks",
                "SELECT * FROM relata_schedule ORDER BY workflow, trigger_no",
                arguments![],
            )
            .await?;
        rows.iter().map(read).collect()
    }

    /// Settles one fire of a clock; false where it is settled already, and
    /// then whoever asks starts nothing. [`Tx::schedule_advance`] sets the
    /// clock on.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn schedule_fire(
        &mut self,
        workflow: &str,
        trigger: u32,
        nominal_at: Timestamp,
        fire: &Fire,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (outcome, run, reason) = match fire {
            Fire::Fired { run } => ("fired", *run, None),
            Fire::Missed { reason } => ("missed", None, Some(reason)),
        };
        let touched = self
            .connection
            .execute(
                "settle a fire",
                "INSERT INTO relata_schedule_fire (workflow, trigger_no, nominal_at, at, outcome, run_id, reason)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)
                 ON CONFLICT (workflow, trigger_no, nominal_at) DO NOTHING",
                arguments![workflow, trigger, nominal_at, now, outcome, run, reason],
            )
            .await?;
        Ok(touched > 0)
    }

    /// Sets a clock on, as it was found: to the time that it last fired for,
    /// and the next one. False where it is not as it was found: another host
    /// has set it on, or the workflow has another clock by now.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn schedule_advance(
        &mut self,
        found: &ScheduleRow,
        last_nominal: Timestamp,
        next_at: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let touched = self
            .connection
            .execute(
                "set a clock on",
                "UPDATE relata_schedule SET last_nominal = $3, next_at = $4
                 WHERE workflow = $1 AND trigger_no = $2 AND next_at = $5 AND cron = $6 AND time_zone = $7",
                arguments![
                    &found.workflow,
                    found.trigger,
                    last_nominal,
                    next_at,
                    found.next_at,
                    &found.cron,
                    &found.time_zone
                ],
            )
            .await?;
        Ok(touched > 0)
    }

    /// What became of a workflow's last fires, newest first.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn schedule_fires(
        &mut self,
        workflow: &str,
        limit: u32,
    ) -> Result<Vec<FireRow>, StoreError> {
        let rows = self
            .connection
            .rows(
                "list fires",
                "SELECT * FROM relata_schedule_fire WHERE workflow = $1
                 ORDER BY nominal_at DESC, trigger_no DESC LIMIT $2",
                arguments![workflow, limit],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(FireRow {
                    trigger: row.small("trigger_no")?,
                    nominal_at: row.time("nominal_at")?,
                    at: row.time("at")?,
                    fire: match row.text_or_none("reason")? {
                        Some(reason) => Fire::Missed { reason },
                        None => Fire::Fired { run: row.parsed_or_none("run_id")? },
                    },
                })
            })
            .collect()
    }
}

fn read(row: &Row) -> Result<ScheduleRow, StoreError> {
    Ok(ScheduleRow {
        workflow: row.text("workflow")?,
        trigger: row.small("trigger_no")?,
        cron: row.text("cron")?,
        time_zone: row.text("time_zone")?,
        if_missed: match row.text("if_missed")?.as_str() {
            "once" => IfMissed::Once,
            "all" => IfMissed::All,
            _ => IfMissed::Skip,
        },
        last_nominal: row.time_or_none("last_nominal")?,
        next_at: row.time_or_none("next_at")?,
    })
}
