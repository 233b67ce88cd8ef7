//! What a replay knows: the records of its [`World`], which it fills from the
//! store, and what follows from them: calendars and who is in a segment.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use relata_engine::Halt;
use relata_model::{Calendar, Record, RecordId, Reference, Timestamp, Value};
use relata_store::{Condition, Query};
use relata_workflow::{
    EvaluationError, Facts, Need,
    formula::{Formula, Scope},
};

use crate::{
    App, AppError,
    backtest::world::{Known, World},
};

/// How many facts one question may ask for, as in the runner.
const MOST_NEEDS: usize = 1_000;

/// What a replay knows at one place of the log.
pub(crate) struct Knowledge {
    app: App,
    pub(crate) world: World,
    /// The place of the log up to which the world has come: events from here
    /// on have not happened yet.
    pub(crate) place: u64,
    /// Calendars as they were read of the records beside them.
    calendars: HashMap<String, (Option<Arc<Record>>, Option<Calendar>)>,
}

impl Knowledge {
    /// Nothing is known yet.
    pub(crate) fn new(app: App, place: u64) -> Self {
        Self { app, world: World::default(), place, calendars: HashMap::new() }
    }

    /// Asks a pure question about a moment, fetching what it needs until it
    /// is answered.
    pub(crate) async fn ask<T>(
        &mut self,
        facts: &mut Facts,
        now: Timestamp,
        mut question: impl FnMut(&Facts) -> Result<T, Halt>,
    ) -> Result<T, AppError> {
        for _ in 0..MOST_NEEDS {
            match question(facts) {
                Ok(answer) => return Ok(answer),
                Err(Halt::Need(need)) => self.fetch(facts, need, now).await?,
                Err(Halt::Rejected(why)) => return Err(AppError::Rejected(why)),
            }
        }
        Err(AppError::Fault(format!("a question asked for more than {MOST_NEEDS} facts")))
    }

    /// Nothing is known but the company's zone.
    pub(crate) fn no_facts(&self) -> Facts {
        Facts { zone: self.app.zone(), ..Facts::default() }
    }

    async fn fetch(
        &mut self,
        facts: &mut Facts,
        need: Need,
        now: Timestamp,
    ) -> Result<(), AppError> {
        match need {
            Need::Record(reference) => {
                let record = self.record(&reference).await?.map(|record| (*record).clone());
                if let Some(record) = record.as_ref().filter(|found| found.reference != reference) {
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
                let member = Box::pin(self.is_member(&segment, &record, now)).await?;
                facts.members.insert((segment, record), member);
            }
        }
        Ok(())
    }

    /// A record as it is at this place, by id or external id.
    pub(crate) async fn record(
        &mut self,
        reference: &Reference,
    ) -> Result<Option<Arc<Record>>, AppError> {
        if let Known::As(record) = self.world.find(reference) {
            return Ok(record);
        }
        if reference.key.parse::<RecordId>().is_ok() {
            self.learn(reference).await?;
            if let Known::As(Some(record)) = self.world.find(reference) {
                return Ok(Some(record));
            }
        }
        // As the store does, which takes what is no id for an external id.
        // Whom no record is called by now is not looked for in the past.
        let present = self.app.store().record_fetch(reference).await?;
        if let Some(present) = present.filter(|present| present.reference != *reference) {
            self.learn(&present.reference).await?;
        }
        match self.world.find(reference) {
            Known::As(record) => Ok(record),
            Known::Nothing => {
                self.world.learn_nobody(reference);
                Ok(None)
            }
        }
    }

    /// Reads how a record (by id) was at this place.
    async fn learn(&mut self, reference: &Reference) -> Result<(), AppError> {
        if !self.world.is_new(reference) {
            return Ok(());
        }
        let store = self.app.store();
        let fields = match store.record_before(reference, self.place).await? {
            Some(before) => before,
            None => store.record_fetch(reference).await?.map(|record| record.fields),
        };
        self.world.learn(reference, fields);
        Ok(())
    }

    /// A calendar as its record is at this place.
    pub(crate) async fn calendar(&mut self, key: &str) -> Result<Option<Calendar>, AppError> {
        let record = self.record(&Reference::new("calendar", key)).await?;
        if let Some((of, calendar)) = self.calendars.get(key) {
            let unchanged = match (of, &record) {
                (Some(of), Some(record)) => Arc::ptr_eq(of, record),
                (None, None) => true,
                _ => false,
            };
            if unchanged {
                return Ok(calendar.clone());
            }
        }
        let calendar = match &record {
            Some(record) => Some(
                Calendar::from_fields(&record.fields)
                    .map_err(|why| AppError::wrong(format!("calendar/{key}: {why}")))?,
            ),
            None => None,
        };
        self.calendars.insert(key.to_owned(), (record, calendar.clone()));
        Ok(calendar)
    }

    /// Whether a record is in a segment: by the segment's rule as it was, on
    /// the records as they were.
    async fn is_member(
        &mut self,
        key: &str,
        member: &Reference,
        now: Timestamp,
    ) -> Result<bool, AppError> {
        let row = self.record(&Reference::new("segment", key)).await?;
        let row = row.ok_or_else(|| AppError::wrong(format!("there is no segment `{key}`")))?;
        let segment = self.app.segment_of(key, &row)?;
        if segment.object != member.object {
            return Ok(false);
        }
        let Some(rule) = &segment.rule else {
            let listed = self.related("segment_member", "member", member).await?;
            return Ok(listed
                .iter()
                .any(|row| row.field("segment").as_reference() == Some(&segment.reference)));
        };
        let candidates = match &segment.via {
            None => self.record(member).await?.into_iter().collect(),
            Some(via) => self.related(&segment.source, via, member).await?,
        };
        for record in candidates {
            if self.holds(rule, &record, now).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn holds(
        &mut self,
        rule: &Formula,
        record: &Record,
        now: Timestamp,
    ) -> Result<bool, AppError> {
        let mut facts = self.no_facts();
        facts.records.insert(record.reference.clone(), Some(record.clone()));
        let variables = BTreeMap::from([(
            record.reference.object.clone(),
            Value::Reference(record.reference.clone()),
        )]);
        let zone = self.app.zone();
        self.ask(&mut facts, now, |facts| {
            let scope = Scope { variables: &[&variables], facts, now, zone: &zone, calendar: None };
            match rule.holds(&scope) {
                Ok((holds, _)) => Ok(holds),
                Err(EvaluationError::Need(need)) => Err(Halt::Need(need)),
                Err(EvaluationError::Fault(why)) => Err(Halt::Rejected(why)),
            }
        })
        .await
    }

    /// The records of an object that refer to another by a field, at this
    /// place.
    async fn related(
        &mut self,
        object: &str,
        field: &str,
        to: &Reference,
    ) -> Result<Vec<Arc<Record>>, AppError> {
        if self.world.relate(object, field) {
            // Those that a query will not find any more: they referred to
            // something at this place, and do not now.
            for moved in self.app.store().record_moved(object, field, self.place).await? {
                self.learn(&moved).await?;
            }
        }
        if !self.world.is_related(object, field, to) {
            let filter = vec![Condition::equal(field, Value::Reference(to.clone()))];
            let app = self.app.clone();
            let mut pages = app.pages(Query::new(object, filter));
            while let Some(records) = pages.next().await? {
                for record in records {
                    self.learn(&record.reference).await?;
                }
            }
            self.world.learn_related(object, field, to);
        }
        Ok(self.world.related(object, field, to))
    }
}
