//! What a run's formulas see: its variables, the facts, the time, and the
//! calendar by which it counts.

use std::collections::{BTreeMap, BTreeSet};

use relata_model::{Calendar, Duration, Reference, TimeZone, Timestamp, Value};
use relata_workflow::{Definition, EvaluationError, Expression, Facts, Formula, Need, Scope};

use crate::happening::brief;

/// An answer, a missing fact, or a fault in a sentence.
pub(crate) type Evaluated<T> = Result<T, EvaluationError>;

/// A fault.
pub(crate) fn fault<T>(message: impl Into<String>) -> Evaluated<T> {
    Err(EvaluationError::Fault(message.into()))
}

/// What a run's formulas see.
#[derive(Clone)]
pub(crate) struct World<'a> {
    pub(crate) def: &'a Definition,
    /// In layers, the innermost last.
    pub(crate) variables: Vec<&'a BTreeMap<String, Value>>,
    pub(crate) facts: &'a Facts,
    pub(crate) now: Timestamp,
}

impl<'a> World<'a> {
    /// The same with more values, which hide those of the same names.
    pub(crate) fn with<'b>(&self, values: &'b BTreeMap<String, Value>) -> World<'b>
    where
        'a: 'b,
    {
        let mut world: World<'b> = self.clone();
        world.variables.push(values);
        world
    }

    fn scope(&self) -> Evaluated<Scope<'_>> {
        let calendar = self.own_calendar()?;
        Ok(Scope {
            variables: &self.variables,
            facts: self.facts,
            now: self.now,
            zone: calendar.map_or(&self.facts.zone, Calendar::zone),
            calendar,
        })
    }

    /// A formula's value.
    pub(crate) fn value(&self, formula: &Formula) -> Evaluated<Value> {
        formula.evaluate(&self.scope()?)
    }

    /// An expression's value.
    pub(crate) fn expression(&self, expression: &Expression) -> Evaluated<Value> {
        expression.evaluate(&self.scope()?)
    }

    /// Whether a condition holds, and the values that it read:
    /// `lead.country = DE`.
    pub(crate) fn holds(&self, condition: &Formula) -> Evaluated<(bool, String)> {
        let (holds, values) = condition.holds(&self.scope()?)?;
        let values: Vec<_> =
            values.iter().map(|(path, value)| format!("{path} = {}", brief(value))).collect();
        let values =
            if values.is_empty() { condition.source.trim().to_owned() } else { values.join(", ") };
        Ok((holds, values))
    }

    /// Whether a condition holds, the values that it read, and the records.
    pub(crate) fn holds_by(
        &self,
        condition: &Formula,
    ) -> Evaluated<(bool, String, BTreeSet<Reference>)> {
        // What it asks for when nothing is known is what it reads.
        let mut known = Facts {
            records: BTreeMap::new(),
            members: self.facts.members.clone(),
            calendars: self.facts.calendars.clone(),
            zone: self.facts.zone.clone(),
        };
        let mut read = BTreeSet::new();
        loop {
            let world = World { facts: &known, ..self.clone() };
            match world.holds(condition) {
                Err(EvaluationError::Need(Need::Record(reference))) => {
                    let record = self.facts.record(&reference)?.cloned();
                    read.insert(
                        record
                            .as_ref()
                            .map_or_else(|| reference.clone(), |record| record.reference.clone()),
                    );
                    if known.records.insert(reference.clone(), record).is_some() {
                        return fault(format!(
                            "`{}` asks for {reference} again and again",
                            condition.source
                        ));
                    }
                }
                answer => return answer.map(|(holds, values)| (holds, values, read)),
            }
        }
    }

    /// A time for a sentence, local: `2026-12-14 10:00`.
    pub(crate) fn local(&self, time: Timestamp) -> String {
        let calendar = self.def.calendar.as_ref().and_then(|name| self.facts.calendars.get(name));
        let zone = calendar.and_then(Option::as_ref).map_or(&self.facts.zone, Calendar::zone);
        let form = if time.as_millisecond() % 60_000 == 0 {
            "%Y-%m-%d %H:%M"
        } else {
            "%Y-%m-%d %H:%M:%S"
        };
        time.to_zoned(zone.clone()).strftime(form).to_string()
    }

    /// A value for a sentence.
    pub(crate) fn written(&self, value: &Value) -> String {
        match value {
            Value::Time(time) => self.local(*time),
            other => brief(other),
        }
    }

    /// The workflow's calendar, if it names one.
    fn own_calendar(&self) -> Evaluated<Option<&'a Calendar>> {
        match &self.def.calendar {
            None => Ok(None),
            Some(name) => self.calendar(name).map(Some),
        }
    }

    /// A calendar by its external id.
    pub(crate) fn calendar(&self, name: &str) -> Evaluated<&'a Calendar> {
        match self.facts.calendar(name)? {
            Some(calendar) => Ok(calendar),
            None => fault(format!("there is no calendar `{name}`; create it, or name another")),
        }
    }

    /// The calendar of this name, else the workflow's.
    pub(crate) fn calendar_or_own(&self, name: Option<&str>) -> Evaluated<Option<&'a Calendar>> {
        match name {
            Some(name) => self.calendar(name).map(Some),
            None => self.own_calendar(),
        }
    }

    /// The zone of local times.
    pub(crate) fn zone(&self) -> Evaluated<&'a TimeZone> {
        Ok(self.own_calendar()?.map_or(&self.facts.zone, Calendar::zone))
    }

    /// The time a duration after `from`, by a calendar or the workflow's.
    pub(crate) fn after(
        &self,
        from: Timestamp,
        duration: Duration,
        calendar: Option<&str>,
    ) -> Evaluated<Timestamp> {
        let found = match self.calendar_or_own(calendar)? {
            Some(calendar) => calendar.after(from, duration),
            None if duration.is_working() => {
                return fault(format!(
                    "`{duration}` needs a calendar; name one with `calendar:` at the top of the workflow"
                ));
            }
            None => Calendar::always_open(self.facts.zone.clone()).after(from, duration),
        };
        found.map_or_else(
            || fault(format!("`{duration}` from {} is too far away", self.local(from))),
            Ok,
        )
    }

    /// The point in time that a value means: a duration counts from `from`,
    /// a day begins at local midnight.
    pub(crate) fn point(
        &self,
        from: Timestamp,
        value: &Value,
        calendar: Option<&str>,
    ) -> Evaluated<Timestamp> {
        match value {
            Value::Duration(duration) => self.after(from, *duration, calendar),
            Value::Time(time) => Ok(*time),
            Value::Date(date) => {
                let zone = self.zone()?;
                match zone
                    .to_ambiguous_timestamp(date.to_datetime(jiff::civil::Time::midnight()))
                    .compatible()
                {
                    Ok(time) => Ok(time),
                    Err(_) => fault(format!("{date} is too far away")),
                }
            }
            other => fault(format!("`{}` is neither a duration nor a point in time", brief(other))),
        }
    }

    /// A record by a reference, which may name it by its external id: the
    /// reference by its id. One that does not exist stays as it is.
    pub(crate) fn canonical(&self, reference: &Reference) -> Evaluated<Reference> {
        let record = self.facts.record(reference)?;
        Ok(record.map_or_else(|| reference.clone(), |record| record.reference.clone()))
    }
}
