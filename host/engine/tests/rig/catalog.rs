//! What workflows of the tests may name.

use std::collections::BTreeMap;

use relata_workflow::{ActionSignature, Catalog, Slot, Type, WorkflowSignature};
use serde_json::json;

use super::OBJECTS;

/// What workflows of the tests may name.
pub(crate) fn catalog() -> Catalog {
    let record = |object: &str| json!({ "type": "string", "format": format!("record/{object}") });
    let any_record = || json!({ "type": "string", "format": "record" });
    let text = || json!({ "type": "string" });
    let actions = [
        (
            "crm.update",
            json!({ "record": any_record(), "set": { "type": "object", "x-fields-of": "record" } }),
            &["record", "set"][..],
            json!({ "changed": { "type": "boolean" } }),
        ),
        (
            "mail.send",
            json!({ "to": any_record(), "template": { "type": "string", "format": "template" } }),
            &["to", "template"],
            json!({ "message": text() }),
        ),
        (
            "survey.send",
            json!({ "to": record("contact"), "template": text() }),
            &["to", "template"],
            json!({ "response": record("survey_response") }),
        ),
        (
            "task.create",
            json!({
                "record": any_record(), "assignee": record("user"), "title": text(),
                "due_in": { "type": "string", "format": "due" },
            }),
            &["title"],
            json!({ "task": record("task") }),
        ),
        (
            "assign.round_robin",
            json!({ "team": record("team"), "max_open_leads": { "type": "integer" } }),
            &["team"],
            json!({ "user": record("user") }),
        ),
        (
            "crm.find",
            json!({ "object": text() }),
            &["object"],
            json!({
                "records": {
                    "type": "array",
                    "items": { "type": "string", "format": "record/contact" },
                },
            }),
        ),
        ("notify.user", json!({ "to": any_record(), "text": text() }), &["to", "text"], json!({})),
        ("notify.role", json!({ "role": text(), "text": text() }), &["role", "text"], json!({})),
        (
            "sentiment.score",
            json!({ "text": text() }),
            &["text"],
            json!({ "label": text(), "score": { "type": "number" } }),
        ),
        (
            "route.by_skill",
            json!({
                "record": any_record(), "prefer": text(),
                "skills": { "type": "array", "items": { "type": "string" } },
            }),
            &["record", "skills"],
            json!({ "user": record("user") }),
        ),
        (
            "ticket.create",
            json!({ "customer": record("contact"), "category": text(), "subject": text() }),
            &["customer", "subject"],
            json!({ "ticket": record("ticket") }),
        ),
    ];
    let actions = actions.into_iter().map(|(name, input, required, output)| {
        let all: Vec<_> = output.as_object().unwrap().keys().cloned().collect();
        let correlation = match name {
            "mail.send" => vec![("mail.clicked".to_owned(), "message".to_owned())],
            "survey.send" => vec![("survey.answered".to_owned(), "response".to_owned())],
            _ => Vec::new(),
        };
        let signature = ActionSignature {
            name: name.to_owned(),
            title: name.to_owned(),
            summary: String::new(),
            input: json!({
                "type": "object", "properties": input, "required": required, "additionalProperties": false,
            }),
            output: json!({ "type": "object", "properties": output, "required": all }),
            reads: Vec::new(),
            writes: Vec::new(),
            permissions: None,
            correlation,
            exclusive: (name == "assign.round_robin").then(|| "rotation/{team}".to_owned()),
        };
        (name.to_owned(), signature)
    });
    let yes_no = Slot::of(Type::YesNo);
    let order = Slot::of(Type::Record(vec!["order".to_owned()]));
    let input = |name: &str, slot| relata_workflow::Input {
        name: name.to_owned(),
        slot,
        default: None,
        title: None,
    };
    let inspect = WorkflowSignature {
        subject: Some("contact".to_owned()),
        inputs: vec![input("item", order), input("reason", Slot::maybe(Type::Text))],
        outputs: BTreeMap::from([
            ("accepted".to_owned(), yes_no),
            ("by".to_owned(), Slot::maybe(Type::Record(vec!["user".to_owned()]))),
        ]),
    };
    Catalog {
        objects: OBJECTS.clone(),
        actions: actions.collect(),
        workflows: BTreeMap::from([("inspect-return".to_owned(), inspect)]),
        ..Catalog::default()
    }
}
