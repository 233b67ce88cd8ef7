//! What came nearest to starting a workflow for a record, where nothing is
//! stored of it: which trigger the workflow has, what last happened to the
//! record, and which part of it did not match.

use std::{collections::BTreeSet, sync::Arc};

use relata_engine::{Admission, Happening, HappeningKind, admit};
use relata_model::{
    Change, ChangeKind, EventId, FieldType, Fields, Record, Timestamp, Value, text,
};
use relata_store::{ActivationRow, Condition, LoggedEvent, Query};
use relata_workflow::{Definition, Facts, Occurrence, Trigger, WhileRunning};

use crate::{
    App, AppError, fresh,
    starts::Admitted,
    why_not::{Reason, told_of},
};

/// How much of a record's history is looked at.
const HISTORY: u32 = 1_000;

/// How many of the records that a workflow could be about are named.
const RELATED: u32 = 3;

/// Of what the nearest misses are asked.
pub(crate) struct Misses<'a> {
    /// The active version.
    pub(crate) digest: &'a str,
    /// What it says.
    pub(crate) definition: &'a Arc<Definition>,
    /// The record.
    pub(crate) record: &'a Record,
}

/// What is known of a record when its nearest misses are told.
struct History {
    /// Oldest first.
    events: Vec<LoggedEvent>,
    /// Those that nobody has looked at yet.
    unseen: BTreeSet<EventId>,
    /// When the workflow was activated and deactivated.
    activations: Vec<ActivationRow>,
    /// Until when the stored reasons tell everything.
    told_until: Option<Timestamp>,
}

impl History {
    /// The last event of a kind.
    fn last(&self, is: impl Fn(&Happening) -> bool) -> Option<&Happening> {
        self.events.iter().rev().map(|event| &event.happening).find(|happening| is(happening))
    }

    /// What the stored reasons do not tell.
    fn is_news(&self, happening: &Happening) -> bool {
        self.told_until.is_none_or(|until| until < happening.at)
    }

    fn change_of(&self, field: &str) -> Option<(&Happening, &Change)> {
        let is = |happening: &Happening| change(happening).is_some_and(|of| of.touches(field));
        let happening = self.last(is)?;
        Some((happening, change(happening)?))
    }
}

fn change(happening: &Happening) -> Option<&Change> {
    match &happening.kind {
        HappeningKind::Change(change) if change.kind == ChangeKind::Changed => Some(change),
        _ => None,
    }
}

impl App {
    /// What came nearest to starting a workflow for a record after
    /// `told_until`; all of it where nothing is told yet.
    pub(crate) async fn near_misses(
        &self,
        of: Misses<'_>,
        told_until: Option<Timestamp>,
    ) -> Result<Vec<Reason>, AppError> {
        let (definition, record) = (of.definition, of.record);
        let history = History {
            events: self.store().event_list(&record.reference, None, HISTORY).await?,
            unseen: self.store().event_unseen(&record.reference).await?.into_iter().collect(),
            activations: self.store().workflow_activations(&definition.name).await?,
            told_until,
        };
        let now = self.now();
        let mut found = Vec::new();
        for trigger in &definition.triggers {
            if let Some((at, why)) = self.miss(&of, trigger, &history).await?
                // Of triggers for one object each says that it is another.
                && !found.iter().any(|reason: &Reason| reason.why == why)
            {
                found.push(Reason::new(at.unwrap_or(now), "never", why));
            }
        }
        if told_until.is_some() {
            return Ok(found);
        }
        if definition.triggers.is_empty() {
            let why = format!(
                "nothing starts {} by itself: only `run:` of another workflow does, and `relata start`",
                definition.name
            );
            found.push(Reason::new(now, "never", why));
        }
        if let Some(why) = self.if_now(&of).await? {
            found.push(Reason::new(now, "never", why));
        }
        Ok(found)
    }

    /// Why a trigger did not start a run; none where the stored reasons say
    /// so.
    async fn miss(
        &self,
        of: &Misses<'_>,
        trigger: &Trigger,
        history: &History,
    ) -> Result<Option<(Option<Timestamp>, String)>, AppError> {
        let (definition, record) = (of.definition, of.record);
        let workflow = &definition.name;
        let always = |why: String| Ok((history.told_until.is_none()).then_some((None, why)));
        let occurrence = match trigger {
            Trigger::Occurrence(occurrence) => occurrence,
            Trigger::Schedule(schedule) => {
                return always(format!(
                    "{workflow} starts by the clock, {}, and not for a record",
                    schedule.written
                ));
            }
            Trigger::Webhook(webhook) => {
                return always(format!(
                    "{workflow} starts when another program calls /hooks/{}",
                    webhook.name
                ));
            }
            Trigger::Button(button) => {
                return always(format!(
                    "{workflow} starts when somebody presses `{}`",
                    button.label
                ));
            }
        };
        if let Some(object) = object_of(occurrence, definition)
            && record.reference.object != *object
        {
            let theirs = self.related(object, record).await?;
            return always(format!(
                "{workflow} is about {}, and {} is {}{theirs}",
                text::with_article(object),
                record.reference,
                text::with_article(&record.reference.object)
            ));
        }
        let meant = history.last(|happening| is_meant(definition, occurrence, happening));
        if let Some(happening) = meant.filter(|happening| history.is_news(happening)) {
            let why = self.passed_over(workflow, happening, history);
            return Ok(Some((Some(happening.at), why)));
        }
        let reference = &record.reference;
        Ok(match occurrence {
            Occurrence::Created { .. } => {
                return always(format!(
                    "nothing is known of the moment at which {reference} was created"
                ));
            }
            Occurrence::Changed { object, field: Some(field), from, to } => {
                let wanted = wanted(from, to);
                let path = format!("{object}.{field}");
                match history.change_of(field) {
                    Some((happening, change)) => history.is_news(happening).then(|| {
                        (
                            Some(happening.at),
                            format!(
                                "{path} last changed from {} to {} on {}; {workflow} waits for it to {wanted}",
                                quoted(change.was(field)),
                                quoted(change.is(field)),
                                happening.at
                            ),
                        )
                    }),
                    None => {
                        return always(format!(
                            "{path} has never changed and is {}; {workflow} waits for it to {wanted}{}",
                            quoted(record.field(field)),
                            born(record, field, to)
                        ));
                    }
                }
            }
            Occurrence::Changed { .. } => {
                return always(format!(
                    "{reference} has not changed since it was created; {workflow} waits for a change"
                ));
            }
            Occurrence::Event { name } => {
                let last = history
                    .last(|happening| matches!(happening.kind, HappeningKind::Named { .. }))
                    .map_or_else(String::new, |happening| {
                        format!("; what last happened to it: {}", told_of(happening))
                    });
                return always(format!(
                    "{workflow} waits for the event {name}, which has not happened to {reference}{last}"
                ));
            }
            Occurrence::Enters { segment } => {
                let stands = match self.is_member(segment, reference).await {
                    Ok(true) => "it is in it, and entered it before anybody looked",
                    Ok(false) => "it is not in it",
                    Err(why) if why.is_wrong_input() => {
                        return always(format!(
                            "{workflow} waits for it to enter segment/{segment}: {why}"
                        ));
                    }
                    Err(other) => return Err(other),
                };
                return always(format!(
                    "{workflow} waits for {reference} to enter segment/{segment}; {stands}"
                ));
            }
        })
    }

    /// Why nothing came of what the workflow waits for.
    fn passed_over(&self, workflow: &str, happening: &Happening, history: &History) -> String {
        let what = told_of(happening);
        if history.unseen.contains(&happening.id) {
            let next = if self.clock().is_manual() { "relata clock" } else { "relata serve" };
            return format!("{what}, and nobody has looked at it yet: `{next}` does");
        }
        let before = history.activations.iter().rfind(|row| row.at <= happening.at);
        let after =
            history.activations.iter().find(|row| row.at > happening.at && row.digest.is_some());
        match (before, after) {
            (None, Some(first)) => {
                format!("{what} came before {workflow} was activated on {}", first.at)
            }
            (Some(ActivationRow { digest: None, at, .. }), Some(again)) => format!(
                "{what} came while {workflow} was not active: it was deactivated on {at}, and activated again on {}",
                again.at
            ),
            (Some(_), Some(later)) => format!(
                "{what} came before this version of {workflow} was activated on {}; the one before waited for something else",
                later.at
            ),
            _ => format!("{what}, and nothing is stored of what came of it"),
        }
    }

    /// Whether a run would start if what the workflow waits for happened now;
    /// none where that cannot be told.
    async fn if_now(&self, of: &Misses<'_>) -> Result<Option<String>, AppError> {
        let (definition, record) = (of.definition, of.record);
        let now = self.now();
        let occurrence = definition.triggers.iter().find_map(|trigger| match trigger {
            Trigger::Occurrence(occurrence)
                if object_of(occurrence, definition)
                    .is_none_or(|object| *object == record.reference.object) =>
            {
                Some(occurrence)
            }
            _ => None,
        });
        let Some((fields, kind)) = occurrence.and_then(|occurrence| supposed(occurrence, record))
        else {
            return Ok(None);
        };
        let happening = Happening {
            id: fresh::event_id(now),
            at: now,
            kind,
            run: None,
            workflow: None,
            depth: 0,
        };
        let mut facts = self.no_facts();
        let supposed = Record { fields, ..record.clone() };
        facts.records.insert(record.reference.clone(), Some(supposed));
        let why = match self.admitted_knowing(of.digest, definition, &happening, facts).await? {
            Admitted::NoMatch => return Ok(None),
            Admitted::Refused { reason, .. } => Some(reason),
            Admitted::Starts(starting) => match starting.key() {
                Some(key) => self.place_of(definition, key, starting.blocked_since()).await?,
                None => None,
            },
        };
        Ok(Some(match why {
            Some(why) => format!("if that happened now, no run would start either: {why}"),
            None => "if that happened now, a run would start".to_owned(),
        }))
    }

    /// Why the place of `one_per` is not to be had now.
    async fn place_of(
        &self,
        definition: &Definition,
        key: &str,
        blocked_since: Option<Option<Timestamp>>,
    ) -> Result<Option<String>, AppError> {
        let while_running = definition
            .repeat
            .as_ref()
            .map_or(WhileRunning::Parallel, |repeat| repeat.while_running);
        let Some(row) = self.store().enrolment_fetch(&definition.name, key).await? else {
            return Ok(None);
        };
        let run = row.run;
        Ok(match (row.running, while_running, row.counted_at, blocked_since) {
            (true, WhileRunning::Ignore, ..) => {
                Some(format!("{run} is still running for the same {key}"))
            }
            (true, WhileRunning::Queue, ..) => {
                Some(format!("it would wait for {run} to end, which is for the same {key}"))
            }
            (_, _, Some(counted_at), Some(since))
                if since.is_none_or(|since| counted_at > since) =>
            {
                Some(format!("{run} was there for the same {key}, counted at {counted_at}"))
            }
            _ => None,
        })
    }

    /// The records of an object that lead to a record, as the end of a
    /// sentence.
    async fn related(&self, object: &str, record: &Record) -> Result<String, AppError> {
        let Some(definition) = self.objects().get(object) else { return Ok(String::new()) };
        for name in &definition.order {
            let leads = definition.field(name).is_some_and(|field| {
                matches!(&field.kind, FieldType::Reference(of) if of.contains(&record.reference.object))
            });
            if !leads {
                continue;
            }
            let condition = Condition::equal(name, Value::Reference(record.reference.clone()));
            let query = Query { limit: RELATED, ..Query::new(object, vec![condition]) };
            let found = self.store().record_query(&query).await?.records;
            if !found.is_empty() {
                let named: Vec<String> =
                    found.iter().map(|record| record.reference.to_string()).collect();
                return Ok(format!("; ask about {}", named.join(", ")));
            }
        }
        Ok(String::new())
    }
}

/// The object whose records an occurrence is about, where it says so.
fn object_of<'a>(occurrence: &'a Occurrence, definition: &'a Definition) -> Option<&'a String> {
    match occurrence {
        Occurrence::Created { object } | Occurrence::Changed { object, .. } => Some(object),
        Occurrence::Enters { .. } | Occurrence::Event { .. } => definition.subject.as_ref(),
    }
}

/// Whether something that happened is just what is meant.
fn is_meant(definition: &Definition, occurrence: &Occurrence, happening: &Happening) -> bool {
    let triggers = vec![Trigger::Occurrence(occurrence.clone())];
    let asked = Definition { triggers, ..definition.clone() };
    // Whatever it is about: only another kind of happening does not match.
    !matches!(admit(&asked, happening, &Facts::default(), happening.at), Ok(Admission::NoMatch))
}

/// Something that may happen, as a part of a sentence: `ticket.status becomes
/// `open``, `order.paid happens`.
pub(crate) fn becoming(occurrence: &Occurrence) -> String {
    match occurrence {
        Occurrence::Created { object } => format!("{} is created", text::with_article(object)),
        Occurrence::Changed { object, field: None, .. } => {
            format!("the {object} changes")
        }
        Occurrence::Changed { object, field: Some(field), from, to } => {
            let wanted = wanted(from, to);
            let (verb, rest) = wanted.split_once(' ').unwrap_or((&wanted, ""));
            format!("{object}.{field} {verb}s {rest}").trim_end().to_owned()
        }
        Occurrence::Enters { segment } => format!("it enters segment/{segment}"),
        Occurrence::Event { name } => format!("{name} happens"),
    }
}

/// `become `solved``, `change`, `change from `open``.
fn wanted(from: &[Value], to: &[Value]) -> String {
    let one_of = |values: &[Value]| values.iter().map(quoted).collect::<Vec<_>>().join(" or ");
    match (from, to) {
        ([], []) => "change".to_owned(),
        ([], to) => format!("become {}", one_of(to)),
        (from, []) => format!("change from {}", one_of(from)),
        (from, to) => format!("change from {} to {}", one_of(from), one_of(to)),
    }
}

fn quoted(value: &Value) -> String {
    match value {
        Value::Nothing => "(empty)".to_owned(),
        other => format!("`{}`", text::shortened(&other.to_string(), 60)),
    }
}

/// A new record that has the value already was created with it: that is no
/// change.
fn born(record: &Record, field: &str, to: &[Value]) -> &'static str {
    if to.contains(record.field(field)) {
        " (it was created so, and what is new is created, not changed)"
    } else {
        ""
    }
}

/// What would have to happen to a record now, and the record after it.
fn supposed(occurrence: &Occurrence, record: &Record) -> Option<(Arc<Fields>, HappeningKind)> {
    let mut fields = record.fields.clone();
    let change = |kind, before, after: &Arc<Fields>| {
        HappeningKind::Change(Change {
            reference: record.reference.clone(),
            kind,
            before,
            after: Some(Arc::clone(after)),
        })
    };
    let named = |name: String| HappeningKind::Named {
        name,
        key: None,
        about: vec![record.reference.clone()],
        data: Value::Nothing,
    };
    let kind = match occurrence {
        Occurrence::Created { .. } => change(ChangeKind::Created, None, &fields),
        Occurrence::Changed { field: Some(field), from, to, .. } => {
            let mut before = fields.clone();
            match to.first() {
                Some(to) => Arc::make_mut(&mut fields).insert(field.clone(), to.clone()),
                // To whatever: nobody can tell what follows.
                None => return None,
            };
            match from.first() {
                Some(from) => Arc::make_mut(&mut before).insert(field.clone(), from.clone()),
                None if before.get(field) == fields.get(field) => {
                    Arc::make_mut(&mut before).remove(field)
                }
                None => None,
            };
            change(ChangeKind::Changed, Some(before), &fields)
        }
        Occurrence::Changed { field: None, .. } => return None,
        Occurrence::Enters { segment } => named(format!("enters:{segment}")),
        Occurrence::Event { name } => named(name.clone()),
    };
    Some((fields, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_reads_aloud() {
        let values = |words: &[&str]| {
            words.iter().map(|word| Value::Text((*word).to_owned())).collect::<Vec<_>>()
        };
        for (from, to, told) in [
            (vec![], vec![], "change"),
            (vec![], vec!["solved"], "become `solved`"),
            (vec!["new"], vec![], "change from `new`"),
            (vec!["new"], vec!["open", "solved"], "change from `new` to `open` or `solved`"),
        ] {
            assert_eq!(wanted(&values(&from), &values(&to)), told);
        }
    }
}
