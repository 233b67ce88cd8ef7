//! Reads of records: those that are asked for at the same time are read with one
//! statement. Each read takes a reader, and on SQLite wakes its thread; of a
//! hundred requests that come at once, two read for all.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    mem,
    sync::{Mutex, PoisonError},
};

use relata_model::{Record, Reference};
use serde_json::json;
use tokio::sync::oneshot;

use crate::{
    Store, StoreError, Tx,
    connection::arguments,
    record::read,
    table::{By, Reading},
};

/// Who asks for records.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    waiting: Mutex<Vec<Lookup>>,
    /// Whose turn it is to read for all.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Lookup {
    references: Vec<Reference>,
    /// Takes the record of each, in their order.
    answer: oneshot::Sender<Result<Vec<Option<Record>>, StoreError>>,
}

impl Lookups {
    fn push(&self, lookup: Lookup) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(lookup);
    }

    fn take(&self) -> Vec<Lookup> {
        mem::take(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store {
    /// The records of references; in the place of one that leads nowhere stands a
    /// sentence on why.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn records_resolve(
        &self,
        references: &[Reference],
    ) -> Result<Vec<Result<Record, String>>, StoreError> {
        let mut resolved = Vec::with_capacity(references.len());
        let records = self.records_look_up(references).await?;
        for (reference, record) in references.iter().zip(records) {
            resolved.push(match record {
                Some(record) => Ok(record),
                None => Err(self.read().await?.why_no_record(reference).await?),
            });
        }
        Ok(resolved)
    }

    /// The record of each reference, in their order.
    async fn records_look_up(
        &self,
        references: &[Reference],
    ) -> Result<Vec<Option<Record>>, StoreError> {
        loop {
            let (answer, mut answered) = oneshot::channel();
            self.lookups.push(Lookup { references: references.to_vec(), answer });
            let turn = tokio::select! {
                biased;
                found = &mut answered => match found {
                    Ok(found) => return found,
                    // Who read for all went away before it had the answer.
                    Err(_) => continue,
                },
                turn = self.lookups.turn.lock() => turn,
            };
            let lookups = self.lookups.take();
            let asked: BTreeSet<&Reference> =
                lookups.iter().flat_map(|lookup| &lookup.references).collect();
            let found = match asked.is_empty() {
                true => Ok(HashMap::new()),
                false => self.records_find(asked).await,
            };
            drop(turn);
            for Lookup { references, answer } in lookups {
                let own = |found: &HashMap<Reference, Record>| {
                    references.iter().map(|reference| found.get(reference).cloned()).collect()
                };
                let _ = answer.send(found.as_ref().map(own).map_err(StoreError::clone));
            }
            if let Ok(found) = answered.await {
                return found;
            }
        }
    }

    /// The records of references, by id or external id; those that are not there are
    /// left out.
    async fn records_find(
        &self,
        references: BTreeSet<&Reference>,
    ) -> Result<HashMap<Reference, Record>, StoreError> {
        let mut tx = self.read().await?;
        let mut by_object: BTreeMap<&str, Vec<&Reference>> = BTreeMap::new();
        for reference in references {
            by_object.entry(&reference.object).or_default().push(reference);
        }
        let mut found = HashMap::new();
        for (object, mut references) in by_object {
            for by in By::IN_TURN {
                let keys = references.iter().filter_map(|reference| by.key_of(reference)).collect();
                let records = tx.records_by(object, by, keys).await?;
                references.retain(|reference| {
                    let record = by.key_of(reference).and_then(|key| records.get(&key));
                    if let Some(record) = record {
                        found.insert((*reference).clone(), record.clone());
                    }
                    record.is_none()
                });
            }
        }
        Ok(found)
    }
}

impl Tx {
    /// The records of an object that are found by one of the keys, each by its own.
    async fn records_by(
        &mut self,
        object: &str,
        by: By,
        keys: BTreeSet<String>,
    ) -> Result<HashMap<String, Record>, StoreError> {
        let tables = std::sync::Arc::clone(&self.tables);
        let Ok((object, table)) = tables.of(object) else { return Ok(HashMap::new()) };
        let (several, argument) = match keys.first() {
            None => return Ok(HashMap::new()),
            Some(key) if keys.len() == 1 => (false, key.clone()),
            Some(_) => (true, json!(keys).to_string()),
        };
        let sql = self.reading(object, table, Reading { by, several, for_write: false });
        let rows = self.connection.rows("read records", sql, arguments![argument]).await?;
        let mut records = HashMap::with_capacity(rows.len());
        for row in rows {
            let record = read(object, &row)?;
            let key = match by {
                By::Id => Some(record.reference.key.clone()),
                By::ExternalId => record.field("external_id").as_text().map(str::to_owned),
            };
            records.extend(key.map(|key| (key, record)));
        }
        Ok(records)
    }
}
