//! What a step has written and not yet committed. It lies over the store for
//! the step's own reads, and goes into the transaction of the step's
//! checkpoint: all of it, or nothing.

use std::collections::BTreeMap;

use relata_model::{Fields, Record, RecordId, Reference, Timestamp, Value};
use relata_store::{Cause, NewEffect, NewEvent, StatePut, Store, Target, Tx, Write, WriteError};

use crate::fresh;

/// One thing that the step wrote.
#[derive(Debug, Clone)]
pub(crate) enum Written {
    Created { object: String, id: RecordId, fields: Fields },
    Updated { reference: Reference, fields: Fields, if_revision: Option<u64> },
    Deleted { reference: Reference, if_revision: Option<u64> },
    Emitted { name: String, about: Vec<Reference>, data: Value },
    Queued(Box<NewEffect>),
    Remembered(StatePut),
}

/// Everything a step wrote, in its order.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChangeSet {
    pub(crate) writes: Vec<Written>,
    /// The records that it touched, as they will be; `None` where deleted.
    records: BTreeMap<Reference, Option<Record>>,
    /// The plugin's memory as it will be: value and revision.
    state: BTreeMap<String, (serde_json::Value, u64)>,
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
    pub(crate) fn touched(&self, object: &str) -> impl Iterator<Item = (&Reference, Option<&Record>)> {
        self.records
            .iter()
            .filter(move |(reference, _)| reference.object == object)
            .map(|(reference, record)| (reference, record.as_ref()))
    }

    pub(crate) fn put_record(&mut self, written: Written, record: Record) {
        self.records.insert(record.reference.clone(), Some(record));
        self.writes.push(written);
    }

    pub(crate) fn drop_record(&mut self, reference: Reference, if_revision: Option<u64>) {
        self.records.insert(reference.clone(), None);
        self.writes.push(Written::Deleted { reference, if_revision });
    }

    /// The plugin's own value, as this step left it.
    pub(crate) fn state(&self, key: &str) -> Option<&(serde_json::Value, u64)> {
        self.state.get(key)
    }

    pub(crate) fn put_state(&mut self, put: StatePut, revision: u64) {
        self.state.insert(put.key.clone(), (put.value.clone(), revision));
        self.writes.push(Written::Remembered(put));
    }

    /// Writes everything, in order, within a transaction.
    pub(crate) async fn commit_in(
        self,
        store: &Store,
        tx: &mut Tx,
        cause: &Cause,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        for written in self.writes {
            let target = match written {
                Written::Created { object, id, fields } => Target::New { object, id, fields },
                Written::Updated { reference, fields, if_revision } => {
                    Target::Update { reference, fields, if_revision }
                }
                Written::Deleted { reference, if_revision } => Target::Delete { reference, if_revision },
                Written::Emitted { name, about, data } => {
                    let event = NewEvent {
                        id: fresh::event_id(now),
                        at: now,
                        name,
                        key: None,
                        about,
                        data,
                        cause: cause.clone(),
                    };
                    store.event_emit_in(tx, event).await?;
                    continue;
                }
                Written::Queued(effect) => {
                    store.outbox_put_in(tx, *effect).await?;
                    continue;
                }
                Written::Remembered(put) => {
                    store.state_put_in(tx, put, now).await?;
                    continue;
                }
            };
            let write = Write { target, cause: cause.clone(), fresh: fresh::uuids(now, 4), now };
            store.record_write_in(tx, write).await?;
        }
        Ok(())
    }
}
