//! The schema of test files, `*.test.yaml`.

use serde_json::{Map, Value as Json, json};

use super::values;
use crate::catalog::Catalog;

/// How a run may stand, and what that means.
const STANDINGS: &[(&str, &str)] = &[
    ("waiting", "a run goes on, and waits"),
    ("running", "a run goes on"),
    ("done", "the run has ended after its last step"),
    ("stopped", "the run has ended before its last step, because a condition says so"),
    ("failed", "the run has ended because a step failed"),
    ("cancelled", "somebody has ended the run"),
    ("nothing_started", "no run has started"),
];

/// The schema of test files (`*.test.yaml`): the keys and what they are for.
/// What stands behind them is checked when the test is read.
#[must_use]
pub fn test_schema(catalog: &Catalog) -> Json {
    let any_or_many = |one: Json| json!({ "anyOf": [{ "type": "array", "items": one }, one] });
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Relata workflow test",
        "description": "Plays events against a workflow on a fake clock, and says what has to come of them.",
        "type": "object",
        "required": ["test", "cases"],
        "additionalProperties": false,
        "properties": {
            "test": said("The workflow that is tested.", values::suggested(catalog.workflows.keys())),
            "time_zone": said("The zone of all times in this file; the company's if not said.", values::suggested(values::ZONES.iter())),
            "start": said("What the clock shows first: 2026-12-14 10:00. An hour before the first time of a case if not said.", values::text()),
            "also": said("Other workflows that are active meanwhile.", json!({})),
            "given": given(),
            "pretend": pretend(),
            "cases": said("What is played, each from the beginning.", any_or_many(json!({ "$ref": "#/definitions/case" }))),
        },
        "definitions": {
            "case": {
                "type": "object",
                "required": ["it", "play"],
                "additionalProperties": false,
                "properties": {
                    "it": said("What the workflow does, as the end of a sentence.", values::text()),
                    "given": given(),
                    "pretend": pretend(),
                    "repeat_at": said("Plays the case once more at each of these times: at the change of the clocks, say.", json!({})),
                    "crash_after_every_step": said("The host goes down after every step and comes back, and the outcome has to be the same.", json!({})),
                    "play": said("What happens, one after another.", any_or_many(json!({ "$ref": "#/definitions/entry" }))),
                },
            },
            "entry": { "type": "object", "properties": entry(catalog) },
        },
    })
}

fn said(doc: &str, mut schema: Json) -> Json {
    schema["description"] = json!(doc);
    schema
}

fn given() -> Json {
    let doc = "The records that are there at the beginning, by object/name, each with its fields. What must not be empty and is not said is filled in.";
    said(doc, json!({ "type": "object" }))
}

fn pretend() -> Json {
    let doc = "Which actions only pretend, and what they answer: { label: negative }, { fails: \"why\" }, { skips: \"why\" } or real.";
    said(doc, json!({ "type": "object" }))
}

/// What an entry of a play may have: when, what happens, what is expected.
fn entry(catalog: &Catalog) -> Map<String, Json> {
    let (words, docs): (Vec<&str>, Vec<&str>) = STANDINGS.iter().copied().unzip();
    let expect = json!({ "anyOf": [{ "enum": words, "enumDescriptions": docs }, {}] });
    let plain = [
        ("at", "When it happens: a local time such as 2026-12-23 18:05."),
        ("after", "How long after what came before: 3 hours."),
        ("go_to", "Lets the time pass until then."),
        ("wait", "Lets so much time pass: 30 days."),
        ("change", "The record whose fields change: ticket/t1, or task for the newest one."),
        ("create", "The record that is created: ticket/t2."),
        ("delete", "The record that is deleted."),
        ("set", "The fields, for change and create."),
        ("event", "An event that happens: order.paid."),
        ("about", "Whom the event, the button or the start is about: contact/anna."),
        ("data", "The fields of what the event happens to."),
        ("answer", "The role or the user who answers a question."),
        ("with", "The answer; or the inputs of a button or a start."),
        ("by", "The user who answers."),
        ("comment", "What is said with the answer."),
        ("press", "The button that is pressed."),
        ("start", "The workflow that is started by hand."),
        ("webhook", "The webhook that is called."),
        ("body", "The body of the call."),
        ("until", "Until when the run waits, or: something happens."),
        ("reason", "Why it stands so."),
        ("outcome", "What the run's end is called."),
        ("outputs", "What the run yields."),
        ("nothing_sent", "No message has gone out since the entry before."),
        ("sent", "The messages that have gone out: to, template, subject, says, at."),
        ("not_started", "Why no run has started."),
        ("of", "The workflow whose run is meant, where it is not the tested one."),
        ("for", "The record whose run is meant."),
    ];
    let mut all: Map<String, Json> =
        plain.into_iter().map(|(key, doc)| (key.to_owned(), said(doc, json!({})))).collect();
    all.insert("expect".to_owned(), said("How the run stands.", expect));
    all.insert("pretend".to_owned(), pretend());
    for action in catalog.actions.values() {
        let title = if action.title.is_empty() { &action.name } else { &action.title };
        let doc =
            format!("{title}: called with these arguments since the entry before, or: nothing.");
        all.insert(action.name.clone(), said(&doc, json!({})));
    }
    for object in catalog.objects.iter() {
        let doc = format!(
            "What was created since the entry before: {}, with these fields.",
            relata_model::text::with_article(&object.name)
        );
        all.entry(object.name.clone()).or_insert_with(|| said(&doc, json!({})));
    }
    all
}
