//! What a step has written and not yet committed. It lies over the store for
//! the step's own reads, and goes into the transaction of the step's
//! checkpoint: all of it, or nothing.

use std::{
    borrow::Cow,
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use relata_engine::HappeningKind;
use relata_model::{
    Fields, Record, Reference, Timestamp, Value,
    text::{has_words, words},
};
use relata_store::{
    Ahead, Cause, Condition, EffectStatus, NewEffect, NewEvent, Operator, Put, Query, RecordBatch,
    RecordError, Store, StoreError, Tx, Write,
};

use crate::{fresh, host::Records};

/// One thing that the step wrote.
#[derive(Debug, Clone)]
pub(crate) enum Written {
    Record(Write),
    Emitted { name: String, about: Vec<Reference>, data: Value },
    Queued(Box<Queued>),
    Remembered(Remembered),
}

/// A value of a plugin's memory.
#[derive(Debug, Clone)]
pub(crate) struct Remembered {
    pub(crate) plugin: String,
    pub(crate) key: String,
    pub(crate) value: serde_json::Value,
    /// What was read in this call must still be so at the commit.
    pub(crate) if_revision: u64,
    pub(crate) expires_at: Option<Timestamp>,
}

/// An effect, and how many of its workflow's may go out.
#[derive(Debug, Clone)]
pub(crate) struct Queued {
    pub(crate) effect: NewEffect,
    pub(crate) cap: Option<Cap>,
}

/// `hold_above: 2000 per day`.
#[derive(Debug, Clone)]
pub(crate) struct Cap {
    /// Who is asked about the rest: a role.
    pub(crate) owner: Option<String>,
    /// So many messages.
    pub(crate) count: u64,
    /// In so many hours, rolling.
    pub(crate) hours: u32,
}

/// Everything a step wrote, in its order.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChangeSet {
    pub(crate) writes: Vec<Written>,
    /// Where several steps wrote: up to which write which entry of the run's log
    /// tells of it.
    told_by: Vec<(usize, Option<u64>)>,
    /// The records that it touched, as they will be; `None` where deleted.
    records: BTreeMap<Reference, Option<Record>>,
    /// Those of them that it made: the store knows nothing of these.
    made: BTreeSet<Reference>,
    /// The plugins' memories as they will be: value and revision.
    state: BTreeMap<String, BTreeMap<String, (serde_json::Value, u64)>>,
}

impl ChangeSet {
    /// A record as the step left it; `None` where the step did not touch it.
    /// A reference by external id finds the record, too.
    pub(crate) fn record(&self, reference: &Reference) -> Option<Option<&Record>> {
        if let Some(found) = self.records.get(reference) {
            return Some(found.as_ref());
        }
        let external = Value::Text(reference.key.clone());
        self.records
            .values()
            .flatten()
            .find(|record| {
                record.reference.object == reference.object
                    && record.field("external_id") == &external
            })
            .map(Some)
    }

    /// The records of an object that the step touched.
    pub(crate) fn touched(
        &self,
        object: &str,
    ) -> impl Iterator<Item = (&Reference, Option<&Record>)> {
        self.records
            .iter()
            .filter(move |(reference, _)| reference.object == object)
            .map(|(reference, record)| (reference, record.as_ref()))
    }

    /// Whether the store cannot know a record, since the step made it.
    pub(crate) fn has_made(&self, reference: &Reference) -> bool {
        self.made.contains(reference)
    }

    pub(crate) fn put_record(&mut self, write: Write, record: Record) {
        if matches!(write, Write::Create { .. }) {
            self.made.insert(record.reference.clone());
        }
        self.records.insert(record.reference.clone(), Some(record));
        self.writes.push(Written::Record(write));
    }

    pub(crate) fn drop_record(&mut self, reference: Reference, if_revision: Option<u64>) {
        self.records.insert(reference.clone(), None);
        self.writes.push(Written::Record(Write::Delete { reference, if_revision }));
    }

    /// A plugin's own value, as this step left it.
    pub(crate) fn state(&self, plugin: &str, key: &str) -> Option<&(serde_json::Value, u64)> {
        self.state.get(plugin)?.get(key)
    }

    pub(crate) fn put_state(&mut self, put: Remembered, revision: u64) {
        let memory = self.state.entry(put.plugin.clone()).or_default();
        memory.insert(put.key.clone(), (put.value.clone(), revision));
        self.writes.push(Written::Remembered(put));
    }

    /// Whether nothing of it can find at the commit that something has changed
    /// meanwhile, but for the records' own checks: no memory, no cap.
    pub(crate) fn is_plain(&self) -> bool {
        self.writes.iter().all(|written| match written {
            Written::Record(_) | Written::Emitted { .. } => true,
            Written::Queued(queued) => queued.cap.is_none(),
            Written::Remembered(_) => false,
        })
    }

    /// Whether it means events.
    pub(crate) fn happens(&self) -> bool {
        let is_event =
            |written: &Written| matches!(written, Written::Record(_) | Written::Emitted { .. });
        self.writes.iter().any(is_event)
    }

    /// Of what was written so far, and not told of yet, this entry of the run's
    /// log tells. What comes after is another step's.
    pub(crate) fn told_by(&mut self, entry: Option<u64>) {
        self.told_by.push((self.writes.len(), entry));
    }

    /// The writes of records.
    pub(crate) fn record_writes(&self) -> impl Iterator<Item = &Write> {
        self.writes.iter().filter_map(|written| match written {
            Written::Record(write) => Some(write),
            _ => None,
        })
    }

    /// The effects that nothing can hold up.
    pub(crate) fn plain_effects(&self) -> impl Iterator<Item = &NewEffect> {
        self.writes.iter().filter_map(|written| match written {
            Written::Queued(queued) if queued.cap.is_none() => Some(&queued.effect),
            _ => None,
        })
    }

    /// Writes the records and events, in order. `cause` is that of the last step.
    pub(crate) async fn write_records(
        &self,
        tx: &mut Tx,
        records: &mut RecordBatch<'_>,
        cause: &Cause,
        now: Timestamp,
    ) -> Result<(), RecordError> {
        for (written, cause) in self.with_causes(cause) {
            match written {
                Written::Record(write) => {
                    let fresh = &mut fresh::source(now);
                    records.write(tx, write.clone(), &cause, fresh, now).await?;
                }
                Written::Emitted { name, about, data } => {
                    records.emit(named(name, about, data, &cause, now))?;
                }
                Written::Queued(_) | Written::Remembered(_) => {}
            }
        }
        Ok(())
    }

    /// The same worked out before the transaction, on records as they are `known`; none
    /// where only the transaction can say what comes of it.
    pub(crate) fn ahead(
        &self,
        store: &Store,
        known: &Records,
        cause: &Cause,
        now: Timestamp,
    ) -> Result<Option<Ahead>, StoreError> {
        let mut ahead = store.ahead(known.values().flatten().cloned());
        for (written, cause) in self.with_causes(cause) {
            match written {
                Written::Record(write) => {
                    if !ahead.write(write, &cause, &mut fresh::source(now), now)? {
                        return Ok(None);
                    }
                }
                Written::Emitted { name, about, data } => {
                    ahead.emit(named(name, about, data, &cause, now))?;
                }
                Written::Queued(_) | Written::Remembered(_) => {}
            }
        }
        Ok(Some(ahead))
    }

    /// What was written, each with its cause: `cause` of its step.
    fn with_causes<'c>(
        &'c self,
        cause: &'c Cause,
    ) -> impl Iterator<Item = (&'c Written, Cow<'c, Cause>)> {
        let mut told = self.told_by.iter().peekable();
        self.writes.iter().enumerate().map(move |(place, written)| {
            while told.next_if(|(end, _)| *end <= place).is_some() {}
            let cause = match told.peek() {
                Some((_, entry)) => Cow::Owned(Cause { entry: *entry, ..cause.clone() }),
                None => Cow::Borrowed(cause),
            };
            (written, cause)
        })
    }

    /// Writes what is neither a record nor a plain effect.
    pub(crate) async fn write_rest(
        &self,
        tx: &mut Tx,
        cause: &Cause,
        now: Timestamp,
    ) -> Result<(), RecordError> {
        for written in &self.writes {
            match written {
                Written::Queued(queued) => {
                    if let Some(cap) = &queued.cap {
                        queue_in(tx, queued.effect.clone(), cap, cause, now).await?;
                    }
                }
                Written::Remembered(put) => remember_in(tx, put, now).await?,
                Written::Record(_) | Written::Emitted { .. } => {}
            }
        }
        Ok(())
    }
}

fn named(name: &str, about: &[Reference], data: &Value, cause: &Cause, now: Timestamp) -> NewEvent {
    NewEvent {
        id: fresh::event_id(now),
        at: now,
        kind: HappeningKind::Named {
            name: name.to_owned(),
            key: None,
            about: about.to_vec(),
            data: data.clone(),
        },
        cause: cause.clone(),
    }
}

/// Queues an effect; above its workflow's cap it is held for the owner.
async fn queue_in(
    tx: &mut Tx,
    mut effect: NewEffect,
    cap: &Cap,
    cause: &Cause,
    now: Timestamp,
) -> Result<(), RecordError> {
    if let Some(workflow) = effect.workflow.clone() {
        let span = std::time::Duration::from_secs(u64::from(cap.hours) * 3_600);
        let since = now.checked_sub(span).unwrap_or(Timestamp::MIN);
        if tx.outbox_sent_since(&workflow, since).await? >= cap.count {
            effect.status = EffectStatus::Held;
            effect.reason = Some(format!(
                "{workflow} may send {} messages in {} hours, and has; release it with `relata outbox release {}`",
                cap.count, cap.hours, effect.id
            ));
            ask_owner(tx, &workflow, cap, cause, now).await?;
        }
    }
    tx.outbox_put(&effect, now).await?;
    Ok(())
}

/// Gives the owner of a workflow the task to decide on what is held: one task
/// at a time, however many messages there are.
async fn ask_owner(
    tx: &mut Tx,
    workflow: &str,
    cap: &Cap,
    cause: &Cause,
    now: Timestamp,
) -> Result<(), RecordError> {
    let title = format!("Decide on the messages of {workflow} that are held");
    let asked = vec![
        Condition::equal("title", Value::Text(title.clone())),
        Condition::equal("status", Value::Text("open".to_owned())),
    ];
    if tx.record_count("task", &asked).await? > 0 {
        return Ok(());
    }
    let mut fields = Fields::from([
        ("title".to_owned(), Value::Text(title)),
        ("due_at".to_owned(), Value::Time(now)),
    ]);
    if let Some(owner) = &cap.owner {
        let role = Condition::new("roles", Operator::Contains, Value::Text(owner.clone()));
        let active = Condition::equal("active", Value::YesNo(true));
        let query = Query { limit: 1, ..Query::new("user", vec![role, active]) };
        if let Some(user) = tx.record_query(&query).await?.records.into_iter().next() {
            fields.insert("assignee".to_owned(), Value::Reference(user.reference));
        }
    }
    let write = Write::Create { object: "task".to_owned(), id: fresh::record_id(now), fields };
    tx.record_write(write, cause, &mut fresh::source(now), now).await?;
    Ok(())
}

async fn remember_in(tx: &mut Tx, put: &Remembered, now: Timestamp) -> Result<(), RecordError> {
    let Remembered { plugin, key, value, if_revision, expires_at } = put;
    let (if_revision, expires_at) = (*if_revision, *expires_at);
    match tx.state_put(plugin, key, Some(value), Some(if_revision), expires_at, now).await? {
        Put::Kept(_) => Ok(()),
        // Another step of the plugin was faster: this one is tried again.
        Put::Conflict(found) => Err(RecordError::Conflict {
            reference: Reference::new(plugin, key),
            expected: if_revision,
            found,
        }),
    }
}

/// Whether a record meets all conditions: what the store asks in SQL, asked of
/// a record that is not there yet.
pub(crate) fn matches(record: &Record, filter: &[Condition]) -> bool {
    filter.iter().all(|condition| meets(record, condition))
}

/// Whether a record meets one condition at least.
pub(crate) fn matches_any(record: &Record, conditions: &[Condition]) -> bool {
    conditions.iter().any(|condition| meets(record, condition))
}

fn meets(record: &Record, condition: &Condition) -> bool {
    if condition.field == "id" {
        return meets_by_id(&record.reference, condition);
    }
    let is = record.field(&condition.field);
    let order = compare(is, &condition.value);
    match condition.operator {
        Operator::Equal => is == &condition.value,
        Operator::NotEqual => is != &condition.value,
        Operator::Less => order.is_some_and(Ordering::is_lt),
        Operator::LessOrEqual => order.is_some_and(Ordering::is_le),
        Operator::Greater => order.is_some_and(Ordering::is_gt),
        Operator::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
        Operator::OneOf => matches!(&condition.value, Value::List(items) if items.contains(is)),
        Operator::Contains => match (is, &condition.value) {
            (Value::List(items), item) => items.contains(item),
            (Value::Text(text), Value::Text(part)) => text.contains(part.as_str()),
            _ => false,
        },
        Operator::HasWords => match (is, &condition.value) {
            (Value::Text(text), Value::Text(wanted)) => has_words(text, &words(wanted)),
            _ => false,
        },
        Operator::IsEmpty => is.is_nothing(),
        Operator::IsNotEmpty => !is.is_nothing(),
    }
}

/// The id is no field: people give it as a record, or as a text of either form.
fn meets_by_id(record: &Reference, condition: &Condition) -> bool {
    let is = |value: &Value| match value {
        Value::Reference(other) => other == record,
        Value::Text(text) => *text == record.key || *text == record.to_string(),
        _ => false,
    };
    match (condition.operator, &condition.value) {
        (Operator::Equal, value) => is(value),
        (Operator::NotEqual, value) => !is(value),
        (Operator::OneOf, Value::List(values)) => values.iter().any(is),
        _ => false,
    }
}

fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
        (Value::Money(a), Value::Money(b)) if a.currency == b.currency => {
            Some(a.minor.cmp(&b.minor))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_found_by_its_id_before_it_is_written() {
        let record = Record {
            reference: Reference::new("lead", "01k9"),
            revision: 1,
            fields: Fields::new().into(),
        };
        let text = |text: &str| Value::Text(text.to_owned());
        let one = |value: Value| Value::List(vec![text("02"), value]);
        let itself = || Value::Reference(record.reference.clone());
        for (operator, value, expected) in [
            (Operator::Equal, itself(), true),
            (Operator::Equal, text("01k9"), true),
            (Operator::Equal, text("lead/01k9"), true),
            (Operator::Equal, text("01k8"), false),
            (Operator::NotEqual, text("01k8"), true),
            (Operator::NotEqual, itself(), false),
            (Operator::OneOf, one(itself()), true),
            (Operator::OneOf, one(text("03")), false),
        ] {
            let condition = Condition::new("id", operator, value.clone());
            assert_eq!(matches(&record, &[condition]), expected, "{operator:?} {value}");
        }
    }
}
