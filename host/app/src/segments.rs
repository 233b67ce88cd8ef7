//! Segments: who is in one, and who has just entered.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use relata_engine::{Halt, HappeningKind};
use relata_model::{Record, Reference, Timestamp, Value};
use relata_store::{Cause, Condition, NewEvent, Query, Write};
use relata_workflow::{
    Diagnostic, Facts,
    formula::{EvaluationError, Formula, Scope},
    types::{Slot, Type},
};

use crate::{App, AppError, fresh};

/// Parsed rules, by object and text.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    parsed: Mutex<HashMap<(String, String), Arc<Formula>>>,
}

/// A segment, read from its record.
pub(crate) struct Segment {
    /// Its reference, by id.
    pub(crate) reference: Reference,
    /// Its external id.
    key: String,
    /// What its members are.
    pub(crate) object: String,
    /// The object whose records decide.
    pub(crate) source: String,
    /// The field of the source that leads to the member; none where the
    /// source is the member itself.
    pub(crate) via: Option<String>,
    /// The rule over the source; none where members are put there by hand.
    pub(crate) rule: Option<Arc<Formula>>,
}

impl App {
    async fn segment(&self, key: &str) -> Result<Segment, AppError> {
        let reference = Reference::new("segment", key);
        let record = self
            .store()
            .record_fetch(&reference)
            .await?
            .ok_or_else(|| AppError::wrong(format!("there is no segment `{key}`")))?;
        self.segment_of(key, &record)
    }

    /// What the record of a segment says.
    pub(crate) fn segment_of(&self, key: &str, record: &Record) -> Result<Segment, AppError> {
        let text = |field: &str| record.field(field).as_text().map(str::to_owned);
        let object = text("object").unwrap_or_default();
        self.object(&object)?;
        let source = text("source").unwrap_or_else(|| object.clone());
        let rule = match text("rule").filter(|rule| !rule.trim().is_empty()) {
            Some(rule) => Some(self.parsed(&source, &rule)?.map_err(|wrong| {
                let why = wrong.first().map_or_else(String::new, Diagnostic::sentence);
                AppError::wrong(format!("the rule of segment/{key} is wrong: {why}"))
            })?),
            None => None,
        };
        Ok(Segment {
            key: text("external_id").unwrap_or_else(|| key.to_owned()),
            via: text("via"),
            reference: record.reference.clone(),
            object,
            source,
            rule,
        })
    }

    /// A condition over the records of an object, parsed once.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] with the diagnostics.
    pub fn condition(&self, object: &str, source: &str) -> Result<Arc<Formula>, AppError> {
        self.parsed(object, source)?.map_err(|wrong| {
            AppError::wrong(relata_workflow::diagnostic::render(&wrong, source, false))
        })
    }

    fn parsed(
        &self,
        object: &str,
        source: &str,
    ) -> Result<Result<Arc<Formula>, Vec<Diagnostic>>, AppError> {
        self.object(object)?;
        let key = (object.to_owned(), source.to_owned());
        let mut parsed = self.inner.rules.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(formula) = parsed.get(&key) {
            return Ok(Ok(Arc::clone(formula)));
        }
        let variables = BTreeMap::from([(
            object.to_owned(),
            Slot { kind: Type::Record(vec![object.to_owned()]), optional: false },
        )]);
        Ok(Formula::parse_condition(source, &variables, self.objects()).map(|formula| {
            let formula = Arc::new(formula);
            parsed.insert(key, Arc::clone(&formula));
            formula
        }))
    }

    /// Whether a condition holds for a record.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the formula fails on it.
    pub async fn holds(
        &self,
        formula: &Formula,
        record: &Record,
        facts: &mut Facts,
    ) -> Result<bool, AppError> {
        facts.records.insert(record.reference.clone(), Some(record.clone()));
        let variables = BTreeMap::from([(
            record.reference.object.clone(),
            Value::Reference(record.reference.clone()),
        )]);
        let (now, zone) = (self.now(), self.zone());
        self.with_facts(facts, None, |facts| {
            let scope = Scope { variables: &[&variables], facts, now, zone: &zone, calendar: None };
            match formula.holds(&scope) {
                Ok((holds, _)) => Ok(holds),
                Err(EvaluationError::Need(need)) => Err(Halt::Need(need)),
                Err(EvaluationError::Fault(why)) => Err(Halt::Rejected(why)),
            }
        })
        .await
    }

    /// Whether a record is in a segment, as of now.
    ///
    /// # Errors
    ///
    /// [`AppError`] where there is no such segment, or its rule is wrong.
    pub async fn is_member(&self, key: &str, record: &Reference) -> Result<bool, AppError> {
        let segment = self.segment(key).await?;
        if segment.object != record.object {
            return Ok(false);
        }
        self.belongs(&segment, record).await
    }

    async fn belongs(&self, segment: &Segment, member: &Reference) -> Result<bool, AppError> {
        let Some(rule) = &segment.rule else {
            let listed =
                self.store().record_count("segment_member", &membership(segment, member)).await?;
            return Ok(listed > 0);
        };
        let mut facts = Facts { zone: self.zone(), ..Facts::default() };
        let Some(via) = &segment.via else {
            return match self.store().record_fetch(member).await? {
                Some(record) => self.holds(rule, &record, &mut facts).await,
                None => Ok(false),
            };
        };
        let filter = vec![Condition::equal(via, Value::Reference(member.clone()))];
        let mut pages = self.pages(Query::new(&segment.source, filter));
        while let Some(records) = pages.next().await? {
            for record in &records {
                if self.holds(rule, record, &mut facts).await? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Brings the stored members of a segment up to date: who belongs now and
    /// did not before enters it, which is an event. Answers how many entered
    /// or left. Reads the members and those who may be, once each; writes only
    /// what is otherwise than before.
    pub(crate) async fn segment_refresh(
        &self,
        key: &str,
        now: Timestamp,
    ) -> Result<usize, AppError> {
        let segment = self.segment(key).await?;
        let Some(rule) = &segment.rule else { return Ok(0) };
        let mut belonging = BTreeSet::new();
        let mut facts = Facts { zone: self.zone(), ..Facts::default() };
        let mut pages = self.pages(Query::new(&segment.source, Vec::new()));
        while let Some(records) = pages.next().await? {
            for record in &records {
                let member = match &segment.via {
                    Some(via) => record.field(via).as_reference(),
                    None => Some(&record.reference),
                };
                let Some(member) = member.filter(|member| member.object == segment.object) else {
                    continue;
                };
                if self.holds(rule, record, &mut facts).await? {
                    belonging.insert(member.clone());
                }
            }
        }
        let mut moving = belonging.clone();
        let of_segment = Condition::equal("segment", Value::Reference(segment.reference.clone()));
        let mut pages = self.pages(Query::new("segment_member", vec![of_segment]));
        while let Some(rows) = pages.next().await? {
            for member in rows.iter().filter_map(|row| row.field("member").as_reference()) {
                if !moving.remove(member) {
                    moving.insert(member.clone());
                }
            }
        }
        let mut moved = 0;
        for member in &moving {
            let belongs = belonging.contains(member);
            moved += usize::from(self.segment_settle(&segment, member, belongs, now).await?);
        }
        Ok(moved)
    }

    /// The same for the members that a change of `record` can touch.
    pub(crate) async fn segment_refresh_for(
        &self,
        key: &str,
        change: &relata_model::Change,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let segment = self.segment(key).await?;
        if segment.rule.is_none() {
            return Ok(());
        }
        let mut members = Vec::new();
        if change.reference.object == segment.object {
            members.push(change.reference.clone());
        }
        if let Some(via) =
            segment.via.as_ref().filter(|_| change.reference.object == segment.source)
        {
            members.extend(
                [change.was(via), change.is(via)]
                    .into_iter()
                    .filter_map(Value::as_reference)
                    .cloned(),
            );
            members.dedup();
        }
        for member in members {
            let belongs = self.belongs(&segment, &member).await?;
            self.segment_settle(&segment, &member, belongs, now).await?;
        }
        Ok(())
    }

    /// Writes the membership of one record if it is another than before.
    async fn segment_settle(
        &self,
        segment: &Segment,
        member: &Reference,
        belongs: bool,
        now: Timestamp,
    ) -> Result<bool, AppError> {
        let query = Query { limit: 1, ..Query::new("segment_member", membership(segment, member)) };
        let stored = self.store().record_query(&query).await?.records.into_iter().next();
        let write = match (&stored, belongs) {
            (None, true) => Write::Create {
                object: "segment_member".to_owned(),
                id: fresh::record_id(now),
                fields: BTreeMap::from([
                    // The external id is unique: two hosts cannot both enter.
                    (
                        "external_id".to_owned(),
                        Value::Text(format!("{}/{}", segment.key, member.key)),
                    ),
                    ("segment".to_owned(), Value::Reference(segment.reference.clone())),
                    ("member".to_owned(), Value::Reference(member.clone())),
                ]),
            },
            (Some(record), false) if record.field("by_hand") != &Value::YesNo(true) => {
                Write::Delete { reference: record.reference.clone(), if_revision: None }
            }
            _ => return Ok(false),
        };
        let cause = Cause::outside("segments");
        let event = belongs.then(|| NewEvent {
            id: fresh::event_id(now),
            at: now,
            kind: HappeningKind::Named {
                name: format!("enters:{}", segment.key),
                key: None,
                about: vec![member.clone()],
                data: Value::Nothing,
            },
            cause: cause.clone(),
        });
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    tx.record_write(write, &cause, &mut fresh::source(now), now).await?;
                    if let Some(event) = event {
                        tx.event_emit(&event).await?;
                    }
                    Ok::<_, AppError>(())
                })
            })
            .await?;
        Ok(true)
    }
}

fn membership(segment: &Segment, member: &Reference) -> Vec<Condition> {
    [("segment", &segment.reference), ("member", member)]
        .map(|(field, reference)| Condition::equal(field, Value::Reference(reference.clone())))
        .into()
}
