//! Starts that wait for a run for the same value of `one_per` to end
//! (`while_running: queue`). They are released in the very transaction in
//! which that run ends: as long as one waits, somebody has the place.
//!
//! What may start is decided before that transaction, since a condition may
//! need records; inside it is only looked whether the queue and the active
//! version are still those that were decided upon. If not, all of it is
//! decided again.

use std::sync::Arc;

use relata_engine::Run;
use relata_model::Timestamp;
use relata_store::{NotStarted, QueueFilter, Queued, StoreError, Tx};
use relata_workflow::Definition;

use crate::{
    App, AppError,
    starts::Admitted,
    triggers::{Place, Starting, take_place},
};

/// How many starts may wait for one and the same.
pub(crate) const MOST_WAITING: u64 = 1_000;

/// What becomes of the starts that wait for a run, should it end now.
#[derive(Clone)]
pub(crate) struct Releases {
    workflow: String,
    key: String,
    /// The version that was active when this was decided.
    digest: Option<String>,
    /// The first of those that wait, in their order.
    each: Vec<(Queued, Release)>,
}

/// What becomes of a start that waited.
#[derive(Clone)]
enum Release {
    /// It may begin, if it gets the place.
    Start(Box<Starting>),
    /// It may not, and why.
    Refuse(String),
}

/// How a release went.
pub(crate) enum Released {
    /// It is done.
    Done,
    /// The queue or the active version has changed, or more has to be decided
    /// upon: nothing may be committed.
    Stale,
}

impl App {
    /// What becomes of the starts that wait for a run, should it end now:
    /// decides until `enough` of them may begin. None where nothing waits.
    pub(crate) async fn releases(
        &self,
        run: &Run,
        enough: usize,
    ) -> Result<Option<Releases>, AppError> {
        let Some(key) = &run.key else { return Ok(None) };
        let waiting = self.store().queue_list(&filter(&run.workflow, key), u32::MAX).await?;
        if waiting.is_empty() {
            return Ok(None);
        }
        let digest = self.store().workflow_digest(&run.workflow).await?;
        let active = match &digest {
            Some(digest) => Some((digest.as_str(), self.version(digest).await?)),
            None => None,
        };
        let mut each = Vec::new();
        let mut begin = 0;
        for queued in waiting {
            let release = match &active {
                Some((digest, definition)) => {
                    self.release(digest, definition, &queued, run).await?
                }
                None => Release::Refuse(waited(
                    run,
                    &format!("meanwhile {} was deactivated", run.workflow),
                )),
            };
            begin += usize::from(matches!(release, Release::Start(_)));
            each.push((queued, release));
            if begin >= enough {
                break;
            }
        }
        let (workflow, key) = (run.workflow.clone(), key.clone());
        Ok(Some(Releases { workflow, key, digest, each }))
    }

    /// A condition is looked at again: the record, or whom `never_for`
    /// protects, may be another by now.
    async fn release(
        &self,
        digest: &str,
        definition: &Arc<Definition>,
        queued: &Queued,
        former: &Run,
    ) -> Result<Release, AppError> {
        let (happening, facts) = (&queued.start.happening, self.no_facts());
        Ok(match self.admitted_knowing(digest, definition, happening, facts).await? {
            Admitted::NoMatch => Release::Refuse(waited(
                former,
                &format!(
                    "the version of {} that is active by now does not start by it ({})",
                    definition.name,
                    happening.describe()
                ),
            )),
            Admitted::Refused { reason, .. } => Release::Refuse(waited(former, &reason)),
            Admitted::Starts(starting) => Release::Start(starting),
        })
    }
}

impl Releases {
    /// Begins what may begin, and says of the others why not, in the
    /// transaction in which the run before ended.
    pub(crate) async fn apply(
        self,
        tx: &mut Tx,
        former: &Run,
        now: Timestamp,
    ) -> Result<Released, StoreError> {
        if tx.workflow_digest(&self.workflow).await? != self.digest {
            return Ok(Released::Stale);
        }
        let waiting = tx.queue_list(&filter(&self.workflow, &self.key), u32::MAX).await?;
        let mut present = waiting.iter().map(|queued| queued.seq);
        for (queued, release) in self.each {
            if present.next() != Some(queued.seq) {
                return Ok(Released::Stale);
            }
            let reason = match release {
                Release::Refuse(reason) => reason,
                Release::Start(starting) => match take_place(tx, &starting, now).await? {
                    Place::Taken => {
                        tx.queue_take(queued.seq).await?;
                        tx.run_insert(&starting.new_run(now)).await?;
                        continue;
                    }
                    Place::Running(_) => {
                        // Another version may count by something else.
                        if let Some(key) = starting.key().filter(|key| **key != self.key) {
                            tx.queue_move(queued.seq, key).await?;
                        }
                        continue;
                    }
                    Place::Refused(reason) => waited(former, &reason),
                },
            };
            tx.queue_take(queued.seq).await?;
            tx.not_started_put(&not_started(&queued, reason, now)).await?;
        }
        nothing_strands(tx, &self.workflow, &self.key).await
    }
}

/// Whether, after a run's end, somebody has the place for which others wait.
pub(crate) async fn nothing_strands(
    tx: &mut Tx,
    workflow: &str,
    key: &str,
) -> Result<Released, StoreError> {
    let waits = tx.queue_count(workflow, key).await? > 0;
    let stranded =
        waits && !tx.enrolment_fetch(workflow, key).await?.is_some_and(|row| row.running);
    Ok(if stranded { Released::Stale } else { Released::Done })
}

fn filter(workflow: &str, key: &str) -> QueueFilter {
    QueueFilter {
        workflow: Some(workflow.to_owned()),
        key: Some(key.to_owned()),
        ..QueueFilter::default()
    }
}

fn waited(former: &Run, then: &str) -> String {
    format!("it waited for {} to end, and then: {then}", former.id)
}

fn not_started(queued: &Queued, reason: String, now: Timestamp) -> NotStarted {
    NotStarted {
        workflow: queued.start.workflow.clone(),
        event: Some(queued.start.happening.id),
        record: queued.start.record.clone().or_else(|| queued.start.subject.clone()),
        key: Some(queued.start.key.clone()),
        reason,
        at: now,
    }
}
