//! Fetching what the pure rooms ask for.

use relata_engine::Halt;
use relata_model::{Calendar, Reference};
use relata_workflow::{Facts, Need};

use crate::{App, AppError, change_set::ChangeSet};

/// How many facts one question may ask for. A formula names a handful; more
/// than this is a fault of ours, not a long workflow.
const MOST_NEEDS: usize = 1_000;

impl App {
    /// Asks a pure question, fetching what it needs until it is answered.
    /// `written` lies over the store: what a step has written and not yet
    /// committed.
    pub(crate) async fn with_facts<T>(
        &self,
        facts: &mut Facts,
        written: Option<&ChangeSet>,
        mut question: impl FnMut(&Facts) -> Result<T, Halt>,
    ) -> Result<T, AppError> {
        for _ in 0..MOST_NEEDS {
            match question(facts) {
                Ok(answer) => return Ok(answer),
                // Apart: most questions need nothing, and all that waits for one would carry
                // it about.
                Err(Halt::Need(need)) => Box::pin(self.fetch(facts, need, written)).await?,
                Err(Halt::Rejected(why)) => return Err(AppError::Rejected(why)),
            }
        }
        Err(AppError::Fault(format!("a question asked for more than {MOST_NEEDS} facts")))
    }

    async fn fetch(
        &self,
        facts: &mut Facts,
        need: Need,
        written: Option<&ChangeSet>,
    ) -> Result<(), AppError> {
        match need {
            Need::Record(reference) => {
                let record = match written.and_then(|written| written.record(&reference)) {
                    Some(record) => record.cloned(),
                    None => self.store().record_fetch(&reference).await?,
                };
                if let Some(record) = &record {
                    facts.records.insert(record.reference.clone(), Some(record.clone()));
                }
                facts.records.insert(reference, record);
            }
            Need::Calendar(key) => {
                let calendar = self.calendar(&key).await?;
                facts.calendars.insert(key, calendar);
            }
            Need::Member { segment, record } => {
                // A segment's rule may need facts of its own.
                let member = Box::pin(self.is_member(&segment, &record)).await?;
                facts.members.insert((segment, record), member);
            }
        }
        Ok(())
    }

    /// A calendar by its external id; none where there is none.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where its record does not make a calendar.
    pub async fn calendar(&self, key: &str) -> Result<Option<Calendar>, AppError> {
        let reference = Reference::new("calendar", key);
        match self.store().record_fetch(&reference).await? {
            Some(record) => Calendar::from_fields(&record.fields)
                .map(Some)
                .map_err(|why| AppError::wrong(format!("calendar/{key}: {why}"))),
            None => Ok(None),
        }
    }
}
