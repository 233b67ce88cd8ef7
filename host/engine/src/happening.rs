//! Entries of the event log, as runs see them.

use std::collections::BTreeSet;

use relata_model::{Change, ChangeKind, EventId, Reference, RunId, Timestamp, Value};
use serde::{Deserialize, Serialize};

use crate::RUN_ENDED;

/// One entry of the event log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Happening {
    /// Its id. An inbox takes each one once.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: HappeningKind,
    /// The run that did it, if one did.
    pub run: Option<RunId>,
    /// The workflow of that run.
    pub workflow: Option<String>,
    /// How many runs stand between it and a person or the outside world; at
    /// 8 it starts nothing more.
    pub depth: u32,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HappeningKind {
    /// A record changed.
    Change(Change),
    /// Something with a name: `survey.answered`, `order.paid`,
    /// `enters:dormant-90-days` for a segment, `webhook:shop-orders` for a
    /// call of a webhook, `start:discount-offer` for a start by hand, or
    /// `run.ended`.
    Named {
        /// Its name.
        name: String,
        /// What correlates it with a step's result, if anything does.
        key: Option<String>,
        /// The records it is about, the main one first.
        about: Vec<Reference>,
        /// More about it.
        data: Value,
    },
}

/// What a run listens for: a topic and a key, both compared as text. A
/// happening reaches a run when one of its [`Happening::topics`] is among the
/// run's watches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Watch {
    /// `changed` for any change of a record, else the name of an event.
    pub topic: String,
    /// A reference (`lead/01k9…`), or an event's key.
    pub key: String,
}

impl Watch {
    /// Any change of a record.
    #[must_use]
    pub fn changes_of(record: &Reference) -> Self {
        Self { topic: "changed".to_owned(), key: record.to_string() }
    }

    /// A named event with a key, or about a record.
    pub fn event(name: impl Into<String>, key: impl ToString) -> Self {
        Self { topic: name.into(), key: key.to_string() }
    }
}

impl HappeningKind {
    /// Under which topics it is delivered.
    #[must_use]
    pub fn topics(&self) -> Vec<Watch> {
        match self {
            Self::Change(change) => vec![Watch::changes_of(&change.reference)],
            Self::Named { name, key, about, .. } => about
                .iter()
                .map(|record| Watch::event(name.clone(), record))
                .chain(key.iter().map(|key| Watch::event(name.clone(), key)))
                .collect(),
        }
    }
}

impl Happening {
    /// Under which topics it is delivered.
    #[must_use]
    pub fn topics(&self) -> Vec<Watch> {
        self.kind.topics()
    }

    /// What happened, for people: `lead/01k9… was created`.
    #[must_use]
    pub fn describe(&self) -> String {
        self.describe_to(&|_| true)
    }

    /// As [`Happening::describe`], for somebody who sees some fields only.
    #[must_use]
    pub fn describe_to(&self, sees: &dyn Fn(&str) -> bool) -> String {
        match &self.kind {
            HappeningKind::Change(change) => match change.kind {
                ChangeKind::Created => format!("{} was created", change.reference),
                ChangeKind::Deleted => format!("{} was deleted", change.reference),
                ChangeKind::Changed => {
                    let fields: BTreeSet<_> = change
                        .before
                        .iter()
                        .chain(&change.after)
                        .flat_map(|fields| fields.keys())
                        .filter(|field| {
                            *field != "updated_at" && change.touches(field) && sees(field)
                        })
                        .map(|field| {
                            format!(
                                "{field}: {} -> {}",
                                brief(change.was(field)),
                                brief(change.is(field))
                            )
                        })
                        .collect();
                    let fields: Vec<_> = fields.into_iter().collect();
                    format!("{} changed ({})", change.reference, fields.join(", "))
                }
            },
            HappeningKind::Named { name, key: Some(run), .. } if name == RUN_ENDED => {
                format!("{run} has ended")
            }
            HappeningKind::Named { name, about, .. } => {
                let what = match name.split_once(':') {
                    Some(("enters", segment)) => format!("entered segment/{segment}"),
                    Some(("webhook", webhook)) => format!("the webhook {webhook} was called"),
                    Some(("start", workflow)) => format!("{workflow} was started by hand"),
                    _ => name.clone(),
                };
                match about.first() {
                    Some(record) => format!("{record}: {what}"),
                    None => what,
                }
            }
        }
    }
}

/// A value for a sentence: long ones are cut.
pub(crate) fn brief(value: &Value) -> String {
    const LONGEST: usize = 60;
    let mut text = value.to_string();
    if let Some((cut, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(cut);
        text.push('…');
    }
    text
}
