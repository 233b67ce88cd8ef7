//! `schemas.json`: what a plugin's actions are, as the component itself
//! describes them, so that one can read it without running the component.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::manifest::is_name;
use crate::plain::{plain_line, plain_start};

/// An action as a package describes it.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// The action's name without the plugin's: `round_robin`.
    pub id: String,
    /// One line.
    pub title: String,
    /// A paragraph for the reference page.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// JSON Schema of the input.
    pub input: Value,
    /// JSON Schema of the output.
    pub output: Value,
    /// Objects and fields it reads: `lead`, `lead.owner`, or `*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<String>,
    /// Objects and fields it writes, likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<String>,
    /// Events that answer it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub correlation: Vec<Answer>,
    /// Steps with one key run one after another: `rotation/{team}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclusive: Option<String>,
    /// Whether a second call with one idempotency key does no harm outside.
    pub idempotent: bool,
}

/// An event that answers an action.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The event.
    pub event: String,
    /// The field of the output whose value the event repeats.
    pub output_field: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File<Actions> {
    actions: Actions,
}

/// The text of a `schemas.json`; one text for the same actions.
#[must_use]
pub fn schemas_json(actions: &[Action]) -> String {
    let text = serde_json::to_string_pretty(&File { actions });
    text.expect("texts, lists and JSON are JSON") + "\n"
}

/// Reads a `schemas.json`; what is wrong with it is told in words that follow
/// its name.
pub(crate) fn parse(text: &str) -> Result<Vec<Action>, String> {
    let File::<Vec<Action>> { actions } = serde_json::from_str(text)
        .map_err(|why| format!("cannot be read: {}", plain_line(&why.to_string())))?;
    if actions.is_empty() {
        return Err("has no actions".to_owned());
    }
    let mut ids = BTreeSet::new();
    for action in &actions {
        if !is_name(&action.id) {
            return Err(format!(
                "has the action `{}`, which cannot be a name: a letter a-z first, then letters a-z, digits and _, at most 40",
                plain_start(&action.id)
            ));
        }
        if !ids.insert(&action.id) {
            return Err(format!("has the action `{}` twice", action.id));
        }
    }
    Ok(actions)
}
