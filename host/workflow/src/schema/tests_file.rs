//! The schema of test files, `*.test.yaml`.

use serde_json::{Value as Json, json};

use crate::catalog::Catalog;

/// The schema of test files (`*.test.yaml`). It names the keys and what they
/// are for; what a play may do is checked when the test is read.
#[must_use]
pub fn test_schema(catalog: &Catalog) -> Json {
    let actions: serde_json::Map<String, Json> = catalog
        .actions
        .values()
        .map(|action| {
            let doc =
                format!("This action has been called ({}), with these arguments.", action.title);
            (action.name.clone(), json!({ "description": doc }))
        })
        .collect();
    let workflows: Vec<&String> = catalog.workflows.keys().collect();
    let mut step = json!({
        "at": { "type": "string", "description": "When it happens: a local time such as 2026-12-23 18:05." },
        "after": { "type": "string", "description": "How long after what came before: 3 hours." },
        "change": { "type": "string", "description": "The record whose fields change: ticket/t1." },
        "create": { "type": "string", "description": "The record that is created: ticket/t2." },
        "set": { "type": "object", "description": "Its fields." },
        "event": { "type": "string", "description": "An event that happens: order.paid." },
        "go_to": { "type": "string", "description": "Lets the time pass until then." },
        "expect": {
            "description": "What has become of the run.",
            "anyOf": [
                { "enum": ["waiting", "done", "stopped", "failed", "not_started"] },
                {},
            ],
        },
        "until": { "type": "string", "description": "Until when the run waits." },
        "nothing_sent": { "type": "boolean", "description": "No message has gone out." },
    });
    if let Json::Object(step) = &mut step {
        step.extend(actions);
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Relata workflow test",
        "description": "Plays events against a workflow on a fake clock, and says what has to come of them.",
        "type": "object",
        "required": ["test"],
        "properties": {
            "test": {
                "description": "The workflow that is tested.",
                "anyOf": [{ "enum": workflows }, { "type": "string" }],
            },
            "given": {
                "type": "object",
                "description": "The records that are there at the beginning, by object/key.",
                "additionalProperties": { "type": "object", "description": "Its fields." },
            },
            "cases": {
                "type": "array",
                "description": "What is played, each from the beginning.",
                "items": { "$ref": "#/definitions/case" },
            },
        },
        "definitions": {
            "case": {
                "type": "object",
                "properties": {
                    "it": { "type": "string", "description": "What the workflow does, as the end of a sentence." },
                    "given": {
                        "type": "object",
                        "description": "Further records, for this case alone.",
                        "additionalProperties": { "type": "object" },
                    },
                    "play": {
                        "description": "What happens, one after another.",
                        "type": "array",
                        "items": { "type": "object", "properties": step },
                    },
                    "repeat_at": {
                        "type": "array",
                        "description": "Plays the case once more at each of these times: at the change of the clocks, say.",
                        "items": { "type": "string" },
                    },
                    "crash_after_every_step": {
                        "type": "boolean",
                        "description": "The host is killed after every step, and the outcome has to be the same.",
                    },
                },
            },
        },
    })
}
