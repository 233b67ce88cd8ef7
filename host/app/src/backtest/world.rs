//! Records as they were at each event of the log, in memory.
//!
//! Nothing is loaded ahead. A record's state begins as it was before the
//! first change of it that is read, or, where it is asked for before that, as
//! the store says it was then. From there on it moves with the log, and with
//! what the draft itself writes.
//!
//! A change of the log is taken for what somebody did, not for what came out:
//! the fields that it changed are set on the record as it is here. So what
//! the live version wrote has no part in it, however complete the images of
//! the log are.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use relata_model::{Change, ChangeKind, Fields, Record, Reference, Value};

/// Set by every write, so that it says nothing about who wrote what.
const STAMP: &str = "updated_at";

/// Records as they are at one place of the log.
#[derive(Debug, Default)]
pub(crate) struct World {
    states: HashMap<Reference, State>,
    /// Records in memory by their external id.
    external: HashMap<Reference, Reference>,
    /// External ids of which the store knows no record.
    nobody: HashSet<Reference>,
    relations: HashMap<(String, String), Relation>,
}

/// How a record stands.
#[derive(Debug, Clone)]
enum State {
    /// It is there.
    There(Arc<Record>),
    /// It is not there yet, or not any more.
    Gone,
    /// The live version's runs made it, and the draft's have not.
    NotMade,
}

/// The records of an object by what a field of theirs refers to.
#[derive(Debug, Default)]
struct Relation {
    of: HashMap<Reference, BTreeSet<Reference>>,
    asked: HashSet<Reference>,
}

/// What is known of a record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Known {
    /// As it is here; none where it is not there.
    As(Option<Arc<Record>>),
    /// Nothing yet: the store has to be asked.
    Nothing,
}

/// What a change of the log came to here.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Applied {
    /// What it was in the log.
    AsLogged,
    /// The same fields changed, on a record that is otherwise than it was.
    Otherwise(Change),
    /// Nothing: the record is so already.
    Moot,
    /// Nothing: there is no such record here.
    NoRecord,
}

impl World {
    /// A record by id or external id.
    pub(crate) fn find(&self, reference: &Reference) -> Known {
        if let Some(state) = self.states.get(reference) {
            return Known::As(state.record().cloned());
        }
        if let Some(id) = self.external.get(reference) {
            return Known::As(self.states.get(id).and_then(State::record).cloned());
        }
        if self.nobody.contains(reference) { Known::As(None) } else { Known::Nothing }
    }

    /// Whether nothing is known of a record, by id.
    pub(crate) fn is_new(&self, reference: &Reference) -> bool {
        !self.states.contains_key(reference)
    }

    /// How a record (by id) is, as far as the store knows: only where nothing
    /// was known of it.
    pub(crate) fn learn(&mut self, reference: &Reference, fields: Option<Arc<Fields>>) {
        if self.is_new(reference) {
            self.set(reference, fields.map_or(State::Gone, |fields| there(reference, fields, 1)));
        }
    }

    /// That no record has an external id.
    pub(crate) fn learn_nobody(&mut self, reference: &Reference) {
        self.nobody.insert(reference.clone());
    }

    /// A change of the log, made by somebody else than the live version of
    /// the workflow.
    pub(crate) fn apply(&mut self, change: &Change) -> Applied {
        if self.is_new(&change.reference) {
            self.learn(&change.reference, change.before.clone());
        }
        let (before, revision) = match self.states.get(&change.reference) {
            Some(State::There(record)) => (Some(&record.fields), record.revision),
            Some(State::NotMade) => return Applied::NoRecord,
            Some(State::Gone) | None => (None, 0),
        };
        let as_logged = match (before, &change.before) {
            (None, None) => true,
            (Some(here), Some(logged)) => same(here, logged),
            _ => false,
        };
        if as_logged {
            let after =
                change.after.clone().map(|fields| there(&change.reference, fields, revision + 1));
            self.set(&change.reference, after.unwrap_or(State::Gone));
            return Applied::AsLogged;
        }
        let after = match (before, change.kind) {
            (None, ChangeKind::Created) => change.after.clone(),
            (None, ChangeKind::Changed | ChangeKind::Deleted) => return Applied::NoRecord,
            (Some(_), ChangeKind::Deleted) => None,
            (Some(before), ChangeKind::Changed | ChangeKind::Created) => {
                let after = with_change(before, change);
                if same(before, &after) {
                    return Applied::Moot;
                }
                Some(after.into())
            }
        };
        Applied::Otherwise(self.write(&change.reference, after))
    }

    /// A change that the live version's run made, and that the draft's makes
    /// as well. Answers what it comes to here; none where it is so already.
    pub(crate) fn make_again(&mut self, change: &Change) -> Option<Change> {
        if self.is_new(&change.reference) {
            self.learn(&change.reference, change.before.clone());
        }
        let after = match (self.fields(&change.reference), &change.after) {
            (None, None) => return None,
            (None, Some(after)) => Some(after.clone()),
            (Some(_), None) => None,
            (Some(before), Some(_)) => {
                let after = with_change(&before, change);
                if same(&before, &after) {
                    return None;
                }
                Some(after.into())
            }
        };
        Some(self.write(&change.reference, after))
    }

    /// A record's fields (by id); none where it is not there, or nothing is
    /// known of it.
    pub(crate) fn fields(&self, reference: &Reference) -> Option<Arc<Fields>> {
        let record = self.states.get(reference).and_then(State::record)?;
        Some(record.fields.clone())
    }

    /// A change of the log that the live version's own runs made: not done
    /// here, but the record was there before it.
    pub(crate) fn pass_over(&mut self, change: &Change) {
        if self.is_new(&change.reference) {
            let state = match &change.before {
                Some(fields) => there(&change.reference, fields.clone(), 1),
                None => State::NotMade,
            };
            self.set(&change.reference, state);
        }
    }

    /// Whether the live version's runs made a record that the draft's have
    /// not.
    pub(crate) fn is_not_made(&self, reference: &Reference) -> bool {
        matches!(self.states.get(reference), Some(State::NotMade))
    }

    /// Writes a record (by id), or deletes it. Answers the change.
    pub(crate) fn write(&mut self, reference: &Reference, after: Option<Arc<Fields>>) -> Change {
        let former = self.states.get(reference).and_then(State::record).cloned();
        let revision = former.as_ref().map_or(0, |record| record.revision);
        let state =
            after.clone().map_or(State::Gone, |fields| there(reference, fields, revision + 1));
        self.set(reference, state);
        let before = former.map(|record| record.fields.clone());
        let kind = match (&before, &after) {
            (_, None) => ChangeKind::Deleted,
            (None, Some(_)) => ChangeKind::Created,
            (Some(_), Some(_)) => ChangeKind::Changed,
        };
        Change { reference: reference.clone(), kind, before, after }
    }

    /// Whether records that refer to another by a field are known.
    pub(crate) fn is_related(&self, object: &str, field: &str, to: &Reference) -> bool {
        self.relations
            .get(&(object.to_owned(), field.to_owned()))
            .is_some_and(|relation| relation.asked.contains(to))
    }

    /// Begins to keep the records of an object by a field; false where they
    /// are kept already.
    pub(crate) fn relate(&mut self, object: &str, field: &str) -> bool {
        let key = (object.to_owned(), field.to_owned());
        if self.relations.contains_key(&key) {
            return false;
        }
        let mut relation = Relation::default();
        for (reference, state) in &self.states {
            if reference.object == object
                && let Some(to) = state.refers(field)
            {
                relation.of.entry(to.clone()).or_default().insert(reference.clone());
            }
        }
        self.relations.insert(key, relation);
        true
    }

    /// That all records which refer to another by a field are in memory now.
    pub(crate) fn learn_related(&mut self, object: &str, field: &str, to: &Reference) {
        let key = (object.to_owned(), field.to_owned());
        self.relations.entry(key).or_default().asked.insert(to.clone());
    }

    /// The records of an object that refer to another by a field, in order.
    pub(crate) fn related(&self, object: &str, field: &str, to: &Reference) -> Vec<Arc<Record>> {
        self.relations
            .get(&(object.to_owned(), field.to_owned()))
            .and_then(|relation| relation.of.get(to))
            .into_iter()
            .flatten()
            .filter_map(|reference| self.states.get(reference).and_then(State::record).cloned())
            .collect()
    }

    fn set(&mut self, reference: &Reference, state: State) {
        let former = self.states.get(reference);
        for ((object, field), relation) in &mut self.relations {
            if *object != reference.object {
                continue;
            }
            let (was, is) = (former.and_then(|former| former.refers(field)), state.refers(field));
            if was == is {
                continue;
            }
            if let Some(records) = was.and_then(|was| relation.of.get_mut(was)) {
                records.remove(reference);
            }
            if let Some(is) = is {
                relation.of.entry(is.clone()).or_default().insert(reference.clone());
            }
        }
        let (was, is) = (former.and_then(State::external), state.external());
        if was != is {
            if let Some(was) = was
                && self.external.get(&was) == Some(reference)
            {
                self.external.remove(&was);
            }
            if let Some(is) = is {
                self.external.insert(is, reference.clone());
            }
        }
        self.states.insert(reference.clone(), state);
    }
}

impl State {
    const fn record(&self) -> Option<&Arc<Record>> {
        match self {
            Self::There(record) => Some(record),
            Self::Gone | Self::NotMade => None,
        }
    }

    fn refers(&self, field: &str) -> Option<&Reference> {
        self.record().and_then(|record| record.field(field).as_reference())
    }

    fn external(&self) -> Option<Reference> {
        let record = self.record()?;
        let key = record.field("external_id").as_text()?;
        Some(Reference::new(&record.reference.object, key))
    }
}

fn there(reference: &Reference, fields: Arc<Fields>, revision: u64) -> State {
    State::There(Arc::new(Record { reference: reference.clone(), revision, fields }))
}

/// A record's fields with what a change did to others of it.
fn with_change(before: &Fields, change: &Change) -> Fields {
    let mut after = before.clone();
    let names = change.before.iter().chain(&change.after).flat_map(|fields| fields.keys());
    for name in names.filter(|name| change.touches(name)) {
        match change.is(name) {
            Value::Nothing => after.remove(name),
            value => after.insert(name.clone(), value.clone()),
        };
    }
    after
}

/// Whether two states differ in nothing but their time.
fn same(before: &Fields, after: &Fields) -> bool {
    let told = |fields: &Fields| fields.iter().filter(|(name, _)| name.as_str() != STAMP).count();
    told(before) == told(after)
        && before
            .iter()
            .filter(|(name, _)| name.as_str() != STAMP)
            .all(|(name, value)| after.get(name) == Some(value))
}

#[cfg(test)]
mod tests;
