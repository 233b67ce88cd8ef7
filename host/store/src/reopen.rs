//! A run that has ended goes on: in one statement its row is that of an
//! active run again, and it takes the place of `one_per` back.

use std::collections::BTreeSet;

use relata_engine::{Run, Watch};
use relata_model::{RunId, Timestamp};

use crate::{LogRow, StoreError, Tx, connection::arguments, run::snapshot, wake::Part};

/// The next state of a run that had ended, and what goes with it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunReopen {
    /// The run as it is now: active.
    pub run: Run,
    /// The run's `seq` before.
    pub seq_before: u64,
    /// What is to be told of it.
    pub log: Vec<LogRow>,
    /// All that it listens for from now on.
    pub watches: BTreeSet<Watch>,
}

/// Whether a run that had ended goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reopened {
    /// It does; it is due now.
    Done,
    /// Somebody was faster: it goes on already.
    Stale,
    /// Another run for the same value of `one_per` goes on.
    Taken(RunId),
}

impl Tx {
    /// Lets a run go on that has ended. Its crashes and the wish for its end
    /// are forgotten; a worker that still has it is refused.
    ///
    /// # Errors
    ///
    /// The database's. Where the answer is not [`Reopened::Done`], nothing
    /// was written.
    pub async fn run_reopen(
        &mut self,
        reopen: &RunReopen,
        now: Timestamp,
    ) -> Result<Reopened, StoreError> {
        let run = &reopen.run;
        if let Some(key) = &run.key
            && let Some(place) = self.enrolment_fetch(&run.workflow, key).await?
            && place.running
            && place.run != run.id
        {
            return Ok(Reopened::Taken(place.run));
        }
        let touched = self
            .connection
            .execute(
                "let a run go on",
                "UPDATE relata_run
                 SET status = 'active', outcome = NULL, why = NULL, due_at = $3, seq = $4, snapshot = $5,
                     epoch = epoch + 1, lease_owner = NULL, lease_until = NULL, crash_count = 0,
                     cancel_requested = NULL, cancel_asked_at = NULL, ended_at = NULL,
                     parked_at = NULL, parked_by = NULL
                 WHERE id = $1 AND seq = $2 AND status = 'ended'",
                arguments![run.id, reopen.seq_before, now, run.seq, snapshot(run)?],
            )
            .await?;
        if touched == 0 {
            return Ok(Reopened::Stale);
        }
        self.stir(Part::Runs);
        let log: Vec<_> = reopen.log.iter().map(|row| (run.id, row)).collect();
        self.log_append_all(&log).await?;
        self.waiter_set_all(&[(run.id, &reopen.watches)]).await?;
        if let Some(key) = &run.key {
            self.connection
                .execute(
                    "take a place back",
                    "UPDATE relata_enrolment SET run_id = $3, running = 1
                     WHERE workflow = $1 AND enrolment_key = $2",
                    arguments![&run.workflow, key, run.id],
                )
                .await?;
        }
        Ok(Reopened::Done)
    }
}
