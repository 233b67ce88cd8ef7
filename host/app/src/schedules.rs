//! Schedules: a fixed grid of nominal times, each of which fires once.

use relata_model::Timestamp;
use relata_store::{FireOutcome, ScheduleFire};
use relata_workflow::{IfMissed, Trigger, next_fire};

use crate::{App, AppError};

/// A fire that comes later than this was missed: the host was away.
const GRACE_MS: i64 = 60_000;

/// How many missed fires are made up for, or recorded, at once.
const MOST_MISSED: usize = 1_000;

impl App {
    /// Fires the schedules that are due. Answers how many fires there were.
    pub(crate) async fn fire_schedules(&self) -> Result<usize, AppError> {
        let now = self.now();
        let mut fired = 0;
        for due in self.store().schedule_due(now).await? {
            let Some((digest, definition)) = self
                .active()
                .await?
                .into_iter()
                .find(|(_, definition)| definition.name == due.workflow)
            else {
                continue;
            };
            let Some(Trigger::Schedule(schedule)) = definition.triggers.get(due.trigger as usize) else {
                continue;
            };
            let mut nominal = Vec::new();
            let mut next = Some(due.next_at);
            while let Some(at) = next.filter(|at| *at <= now && nominal.len() < MOST_MISSED) {
                nominal.push(at);
                next = next_fire(schedule, at);
            }
            let last = nominal.len().saturating_sub(1);
            let mut fires = Vec::new();
            for (number, at) in nominal.into_iter().enumerate() {
                let missed = late(at, now);
                let runs = match schedule.if_missed {
                    _ if !missed => true,
                    IfMissed::All => true,
                    IfMissed::Once => number == last,
                    IfMissed::Skip => false,
                };
                let outcome = if runs {
                    FireOutcome::Start(Box::new(self.scheduled(&definition, &digest, now)))
                } else {
                    FireOutcome::Missed {
                        reason: format!("the fire of {at} was missed, and if_missed is {}", if schedule.if_missed == IfMissed::Skip { "skip" } else { "once" }),
                    }
                };
                fires.push(ScheduleFire { nominal_at: at, outcome });
            }
            fired += fires.len();
            self.store().schedule_fire(&due.workflow, due.trigger, fires, next, now).await?;
        }
        Ok(fired)
    }
}

fn late(nominal: Timestamp, now: Timestamp) -> bool {
    now.as_millisecond() - nominal.as_millisecond() > GRACE_MS
}
