//! Schedules: a fixed grid of nominal times, each of which fires once.

use relata_model::Timestamp;
use relata_store::{Fire, StoreError};
use relata_workflow::{IfMissed, Trigger, next_fire};

use crate::{App, AppError, testing::Point};

/// A fire that comes later than this was missed: the host was away.
const GRACE_MS: i64 = 60_000;

/// How many missed fires are made up for, or recorded, at once.
const MOST_MISSED: usize = 1_000;

impl App {
    /// Fires the schedules that are due. Answers how many fires there were.
    pub(crate) async fn fire_schedules(&self) -> Result<usize, AppError> {
        let now = self.now();
        let mut fired = 0;
        let dues = self.store().schedule_due(now).await?;
        if dues.is_empty() {
            return Ok(0);
        }
        let active = self.active().await?;
        for due in dues {
            let Some((digest, definition)) =
                active.iter().find(|(_, definition)| definition.name == due.workflow)
            else {
                continue;
            };
            let Some(Trigger::Schedule(schedule)) = definition.triggers.get(due.trigger as usize)
            else {
                continue;
            };
            let mut nominal = Vec::new();
            let mut next = due.next_at;
            while let Some(at) = next.filter(|at| *at <= now && nominal.len() < MOST_MISSED) {
                nominal.push(at);
                next = next_fire(schedule, at);
            }
            let Some(latest) = nominal.last().copied() else { continue };
            let mut fires = Vec::new();
            for at in nominal {
                let runs = !late(at, now)
                    || match schedule.if_missed {
                        IfMissed::All => true,
                        IfMissed::Once => at == latest,
                        IfMissed::Skip => false,
                    };
                fires.push((at, runs.then(|| self.scheduled(definition, digest, now))));
            }
            fired += fires.len();
            self.may_crash(Point::BeforeFire).await;
            self.store()
                .write(move |tx| {
                    Box::pin(async move {
                        // Of several hosts the one that sets the clock on fires.
                        if !tx.schedule_advance(&due, latest, next).await? {
                            return Ok::<_, StoreError>(());
                        }
                        for (at, new) in fires {
                            let fire = match &new {
                                Some(new) => Fire::Fired { run: Some(new.run.id) },
                                None => Fire::Missed {
                                    reason: "the host was away, and if_missed lets it go"
                                        .to_owned(),
                                },
                            };
                            // The nominal time is the key: whoever comes
                            // second starts nothing.
                            if tx.schedule_fire(&due.workflow, due.trigger, at, &fire, now).await?
                                && let Some(new) = new
                            {
                                tx.run_insert(&new).await?;
                            }
                        }
                        Ok(())
                    })
                })
                .await?;
            self.may_crash(Point::AfterFire).await;
        }
        Ok(fired)
    }
}

fn late(nominal: Timestamp, now: Timestamp) -> bool {
    now.as_millisecond() - nominal.as_millisecond() > GRACE_MS
}
