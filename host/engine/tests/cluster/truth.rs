//! What is true, noted beside the store and the hosts, so that both can be
//! held against it.

use std::collections::{BTreeMap, BTreeSet};

use relata_engine::{ActionOutcome, Call, Event, Pending, Returned, Run};
use relata_model::{EventId, RunId, Timestamp};

use super::{
    Checked,
    store::{Commit, EffectStatus, MOST_CRASHES, Store},
};
use crate::rig::show;

/// A claim of a run, told from all other claims.
pub(crate) type Ticket = u64;

#[derive(Default)]
pub(crate) struct Truth {
    tickets: Ticket,
    /// Whose a run is.
    owners: BTreeMap<RunId, Ticket>,
    /// The latest time that the database's clock has shown.
    latest: Timestamp,
    /// The wish for a run's end that it has not taken in.
    wishes: BTreeMap<RunId, String>,
    /// What each run has taken in.
    taken: BTreeSet<(RunId, EventId)>,
    /// The place of each call, by its key, and the other way round.
    places: BTreeMap<String, String>,
    keys: BTreeMap<String, String>,
    /// The keys of the calls whose record was committed.
    pub(crate) written: BTreeSet<String>,
    /// The effects that were committed.
    pub(crate) promised: BTreeSet<String>,
    /// How often each arrived, and how often a person had it sent again.
    arrived: BTreeMap<String, u32>,
    resolved: BTreeMap<String, u32>,
    /// How many runs each event started.
    started: BTreeMap<EventId, u32>,
    /// The calls that were begun since the run got on.
    begun: BTreeMap<RunId, u32>,
}

impl Truth {
    pub(crate) fn shows(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now);
    }

    /// A run is claimed.
    pub(crate) fn claimed(
        &mut self,
        id: RunId,
        due_at: Timestamp,
        crashes: u32,
    ) -> Checked<Ticket> {
        if due_at > self.latest {
            return Err(format!("{id} was claimed before its time, {}", show(due_at)));
        }
        if crashes >= MOST_CRASHES && self.begun.get(&id).copied().unwrap_or(0) < crashes {
            return Err(format!("{id} is given up for {crashes} crashes that it did not see"));
        }
        self.tickets += 1;
        self.owners.insert(id, self.tickets);
        Ok(self.tickets)
    }

    /// Whether a run is this claim's.
    pub(crate) fn is_owner(&self, id: RunId, ticket: Ticket) -> bool {
        self.owners.get(&id) == Some(&ticket)
    }

    /// A write for a run was taken.
    pub(crate) fn wrote(&self, id: RunId, ticket: Ticket) -> Checked {
        if !self.is_owner(id, ticket) {
            return Err(format!("a host wrote {id} although it had lost the run"));
        }
        Ok(())
    }

    /// A call begins.
    pub(crate) fn calls(&mut self, run: &Run, call: &Call) -> Checked {
        let place = place(run.id, &call.path, &call.rounds.to_string());
        let frame = run.state.strands[&call.rounds].frames.last();
        if let Some(Pending::Calling { not_before, .. }) = frame.and_then(|it| it.pending.as_ref())
            && *not_before > self.latest
        {
            return Err(format!("{place} was called before its time, {}", show(*not_before)));
        }
        let key = &call.idempotency_key;
        let same = self.places.entry(key.clone()).or_insert_with(|| place.clone());
        if *same != place {
            return Err(format!("{same} and {place} have one key"));
        }
        let same = self.keys.entry(place.clone()).or_insert_with(|| key.clone());
        if same != key {
            return Err(format!("{place} has two keys"));
        }
        if self.written.contains(key) {
            return Err(format!("{place} is called again after its commit"));
        }
        Ok(())
    }

    pub(crate) fn began(&mut self, id: RunId) {
        *self.begun.entry(id).or_default() += 1;
    }

    pub(crate) fn asked(&mut self, id: RunId, why: &str) {
        self.wishes.insert(id, why.to_owned());
    }

    pub(crate) fn started(&mut self, event: EventId) -> Checked {
        let count = self.started.entry(event).or_default();
        *count += 1;
        if *count > 1 { Err(format!("{event} started {count} runs")) } else { Ok(()) }
    }

    pub(crate) fn fired(&self, nominal: Timestamp) -> Checked {
        if nominal > self.latest {
            return Err(format!("the schedule fired before its time, {}", show(nominal)));
        }
        Ok(())
    }

    /// A commit was taken.
    pub(crate) fn committed(&mut self, commit: &Commit, store: &Store) -> Checked {
        let id = commit.id;
        for event in &commit.consumed {
            if !self.taken.insert((id, *event)) {
                return Err(format!("{event} was taken in twice by {id}"));
            }
        }
        if let Some(why) = &commit.cancel_taken {
            if !commit.run.has_ended() && commit.run.state.ending.is_none() {
                return Err(format!("{id} goes on although it has taken in the wish `{why}`"));
            }
            if self.wishes.get(&id) == Some(why) {
                self.wishes.remove(&id);
            }
        }
        if commit.run.has_ended() {
            self.wishes.remove(&id);
        }
        for event in &commit.events {
            let at = event.at();
            if at > self.latest {
                return Err(format!("{id}: {} came before its time, {}", event.kind(), show(at)));
            }
        }
        self.begun.insert(id, u32::from(commit.keep));
        if let Some(written) = &commit.written
            && (!self.written.insert(written.key.clone()) || store.records[&written.key] != 1)
        {
            let place = &self.places[&written.key];
            return Err(format!("the record of {place} was written twice"));
        }
        if let Some(effect) = &commit.effect
            && !self.promised.insert(effect.id.clone())
        {
            return Err(format!("the effect {} was promised twice", effect.id));
        }
        self.listens(commit, store)
    }

    /// Whether a run is told of what happened while its host decided.
    fn listens(&self, commit: &Commit, store: &Store) -> Checked {
        let row = &store.runs[&commit.id];
        for event in &store.events[commit.seen..] {
            let happening = &event.happening;
            let listens = happening.topics().iter().any(|topic| row.watches.contains(topic));
            let told = row.inbox.iter().any(|told| told.happening.id == happening.id);
            if listens && !event.pending && !told {
                return Err(format!(
                    "{} was never told of {} ({}), for which it listens",
                    commit.id,
                    happening.id,
                    happening.describe()
                ));
            }
        }
        Ok(())
    }

    /// An effect has arrived.
    pub(crate) fn arrives(&mut self, id: &str, once: bool) -> Checked {
        if !self.promised.contains(id) {
            return Err(format!("the effect {id} of a step that was not committed arrived"));
        }
        let count = self.arrived.entry(id.to_owned()).or_default();
        *count += 1;
        let asked = self.resolved.get(id).copied().unwrap_or(0);
        if !once && *count > 1 + asked {
            return Err(format!("the effect {id} arrived twice, and nobody had asked for that"));
        }
        Ok(())
    }

    pub(crate) fn resolves(&mut self, id: &str) {
        *self.resolved.entry(id.to_owned()).or_default() += 1;
    }

    /// What holds of every run between two transactions.
    pub(crate) fn check(&self, id: RunId, store: &Store) -> Checked {
        let row = &store.runs[&id];
        if row.run.has_ended() {
            return Ok(());
        }
        if let Some(why) = self.wishes.get(&id)
            && row.cancel.as_ref() != Some(why)
        {
            return Err(format!("{id}: the wish for its end is gone: {why}"));
        }
        let told = row.inbox.iter().any(|told| !told.taken) || row.cancel.is_some();
        let stranded = match row.due_at {
            None => row.watches.is_empty() || row.owner.is_some() || told,
            Some(due) => row.owner.is_none() && told && due > self.latest,
        };
        if stranded {
            return Err(format!("{id} is stranded: nothing will ever wake it"));
        }
        Ok(())
    }

    /// What holds when nothing is left to do.
    pub(crate) fn conclude(&self, store: &Store) -> Checked {
        for (id, row) in &store.runs {
            for child in row.journal.iter().filter_map(child_of) {
                let Some(child) = store.runs.get(&child) else {
                    return Err(format!("{id} began {child}, which never began"));
                };
                if child.run.parent != Some(*id) {
                    return Err(format!("{} has another parent than {id}", child.run.id));
                }
            }
            for event in &row.journal {
                let Event::StepDone { step, rounds, called: true, explanation, .. } = event else {
                    continue;
                };
                let path = &store.workflows[row.workflow].step(*step).path;
                let place = place(*id, path, &rounds.to_string());
                let key = self.keys.get(&place).ok_or(format!("{place} was never called"))?;
                let count = store.records.get(key).copied().unwrap_or(0);
                let wanted = u32::from(!explanation.starts_with("nothing to do"));
                if count != wanted {
                    return Err(format!("the record of {place} was written {count} times"));
                }
            }
        }
        for id in &self.promised {
            let Some(effect) = store.outbox.get(id) else {
                return Err(format!("the effect {id} was never kept, and its step is done"));
            };
            let arrived = self.arrived.get(id).copied().unwrap_or(0);
            match effect.status {
                EffectStatus::Due(_) | EffectStatus::Sending(_) => {
                    return Err(format!("the effect {id} is left over"));
                }
                EffectStatus::Sent if arrived == 0 => {
                    return Err(format!("the effect {id} counts as sent and never arrived"));
                }
                _ => {}
            }
        }
        if let Some(id) = store.outbox.keys().find(|id| !self.promised.contains(*id)) {
            return Err(format!("the effect {id} belongs to no step that is done"));
        }
        if let Some((id, why)) = self.wishes.iter().next() {
            return Err(format!("{id}: the wish for its end was lost: {why}"));
        }
        Ok(())
    }
}

/// Whether a call's answer ends its step with a record.
pub(crate) fn writes(returned: &Returned) -> bool {
    matches!(returned.result, Ok(ActionOutcome::Done(_)))
}

fn child_of(event: &Event) -> Option<RunId> {
    match event {
        Event::ChildBegan { run, .. } => Some(*run),
        _ => None,
    }
}

fn place(id: RunId, path: &str, rounds: &str) -> String {
    format!("{id} {path} {rounds}")
}
