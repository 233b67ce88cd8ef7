//! A catalog for tests: the standard objects, and the actions of the built-in
//! plugins with the schemas that they declare.

use std::collections::{BTreeMap, BTreeSet};

use relata_model::{ObjectDefinition, Objects};
use relata_workflow::{ActionSignature, Catalog};
use serde_json::{Value as Json, json};

fn action(name: &str, input: Json, output: Json) -> ActionSignature {
    ActionSignature {
        name: name.to_owned(),
        title: String::new(),
        summary: String::new(),
        input,
        output,
        reads: Vec::new(),
        writes: Vec::new(),
        permissions: None,
        correlation: Vec::new(),
        exclusive: None,
    }
}

/// An object with these properties; a `?` behind a name makes it one that
/// need not be given.
fn object(properties: Json) -> Json {
    let Json::Object(given) = properties else { panic!("an object") };
    let mut required = Vec::new();
    let mut properties = serde_json::Map::new();
    for (name, schema) in given {
        match name.strip_suffix('?') {
            Some(name) => {
                properties.insert(name.to_owned(), schema);
            }
            None => {
                required.push(name.clone());
                properties.insert(name, schema);
            }
        }
    }
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn text() -> Json {
    json!({ "type": "string" })
}

fn format(format: &str) -> Json {
    json!({ "type": "string", "format": format })
}

fn nullable(format: &str) -> Json {
    json!({ "type": ["string", "null"], "format": format })
}

fn names(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The standard objects.
fn objects() -> Objects {
    let mut objects = Objects::standard();
    if objects.get("approval").is_none() {
        let approval = ObjectDefinition::parse("approval.yaml", APPROVAL).expect("it reads");
        objects.add("approval.yaml", approval).expect("it is new");
    }
    objects
}

const APPROVAL: &str = "
object: approval
title: Approval
summary: A question to a person.
fields:
  question: { type: long_text, required: true }
  about: { type: reference, to: any }
  asked: { type: reference, to: [user] }
  role: { type: text }
  answers: { type: texts }
  status: { type: choice, of: [open, answered, expired], default: open }
  answer: { type: text }
  answered_by: { type: reference, to: [user] }
  comment: { type: long_text }
  due_at: { type: time }
events:
  approval.answered: { field: status, becomes: answered, key: id, about: [about] }
";

/// An action of a stranger's plugin, of which is known what it may do.
fn enrich() -> ActionSignature {
    let may = [
        "read lead.email",
        "update lead.company",
        "update lead.company_size",
        "keep values",
        "call companies.example",
    ];
    let grants = may.iter().flat_map(|words| relata_package::grants_of(words).expect("words"));
    ActionSignature {
        reads: vec!["lead.email".to_owned()],
        permissions: Some(grants.collect()),
        ..action(
            "enrich.company",
            object(json!({ "lead": format("record/lead") })),
            object(json!({ "company": text() })),
        )
    }
}

/// The catalog.
pub(crate) fn catalog() -> Catalog {
    let fields = |of: &str| json!({ "type": "object", "x-fields-of": of });
    let mut actions = vec![
        enrich(),
        action(
            "assign.round_robin",
            object(json!({
                "team": format("record/team"),
                "max_open_leads?": { "type": ["integer", "null"], "minimum": 1 },
                "fallback_user?": nullable("record/user"),
                "record?": nullable("record"),
            })),
            object(
                json!({ "user": format("record/user"), "reason": text(), "candidates": { "type": "array", "items": { "type": "object" } } }),
            ),
        ),
        action(
            "crm.update",
            object(json!({ "record": format("record"), "set": fields("record") })),
            object(json!({ "record": format("record"), "changed": { "type": "boolean" } })),
        ),
        action(
            "crm.create",
            object(json!({ "object": format("object"), "set": fields("object") })),
            object(json!({ "record": format("record") })),
        ),
        action(
            "crm.find",
            object(json!({ "object": format("object"), "where?": fields("some/object") })),
            object(json!({
                "records": { "type": "array", "items": format("record/{object}") },
                "count": { "type": "integer" },
            })),
        ),
        action(
            "approval.request",
            object(json!({
                "who": text(),
                "question": text(),
                "answers": { "type": "array", "items": text() },
                "about?": nullable("record"),
                "due_at?": nullable("due"),
            })),
            object(json!({ "approval": format("record/approval") })),
        ),
        action(
            "approval.close",
            object(json!({ "approval": format("record/approval") })),
            object(json!({ "closed": { "type": "boolean" } })),
        ),
        action(
            "mail.send",
            object(
                json!({ "to": format("record"), "template": format("template"), "data?": { "type": "object" } }),
            ),
            object(json!({ "mail": text(), "suppressed": { "type": ["string", "null"] } })),
        ),
        action(
            "task.create",
            object(
                json!({ "record": format("record"), "assignee": format("record/user|queue"), "title": text(), "due_in": format("due") }),
            ),
            object(json!({ "task": format("record/task") })),
        ),
        action(
            "notify.user",
            object(
                json!({ "to": format("record/user|queue"), "text": text(), "about?": nullable("record") }),
            ),
            object(json!({ "notified": { "type": "array", "items": format("record/user") } })),
        ),
        action(
            "notify.role",
            object(json!({ "role": text(), "text": text() })),
            object(json!({ "notified": { "type": "integer" } })),
        ),
        action(
            "sentiment.score",
            object(json!({ "text": text() })),
            object(
                json!({ "label": { "type": "string", "enum": ["negative", "neutral", "positive"] }, "score": { "type": "number" } }),
            ),
        ),
        action(
            "survey.send",
            object(
                json!({ "to": format("record/contact"), "template": format("template"), "about?": nullable("record"), "survey?": nullable("record/survey") }),
            ),
            object(
                json!({ "response": format("record/survey_response"), "response_id": text(), "suppressed": { "type": ["string", "null"] } }),
            ),
        ),
        action(
            "ticket.create",
            object(json!({
                "customer": format("record/contact"),
                "subject": text(),
                "category?": { "type": ["string", "null"] },
                "body?": { "type": ["string", "null"] },
                "priority?": { "enum": ["low", "normal", "high", "urgent", null] },
            })),
            object(json!({ "ticket": format("record/ticket") })),
        ),
        action(
            "route.by_skill",
            object(json!({
                "record": format("record/ticket"),
                "skills": { "type": "array", "items": text() },
                "prefer?": { "$ref": "#/$defs/Prefer" },
                "fallback?": format("record/queue"),
            })),
            object(
                json!({ "user": nullable("record/user"), "assignee": format("record/user|queue"), "reason": text() }),
            ),
        ),
        action(
            "segment.membership",
            object(json!({ "segment": format("record/segment"), "record": format("record") })),
            object(json!({ "member": { "type": "boolean" } })),
        ),
    ];
    for action in &mut actions {
        let (correlation, writes): (&[(&str, &str)], &[&str]) = match action.name.as_str() {
            "mail.send" => (&[("mail.clicked", "mail"), ("mail.opened", "mail")], &[]),
            "survey.send" => (&[("survey.answered", "response_id")], &["survey_response"]),
            "approval.request" => (&[("approval.answered", "approval")], &["approval"]),
            "approval.close" => (&[], &["approval.status"]),
            "crm.update" | "crm.create" => (&[], &["*"]),
            "ticket.create" => (&[], &["ticket"]),
            "route.by_skill" => (&[], &["ticket.owner", "ticket.queue"]),
            "enrich.company" => (&[], &["lead.company"]),
            _ => (&[], &[]),
        };
        action.correlation = correlation
            .iter()
            .map(|(event, key)| ((*event).to_owned(), (*key).to_owned()))
            .collect();
        action.writes = writes.iter().map(|written| (*written).to_owned()).collect();
        if action.name == "route.by_skill" {
            action.input["$defs"] =
                json!({ "Prefer": { "type": "string", "enum": ["senior", "junior", "any"] } });
        }
        if action.name == "assign.round_robin" {
            action.exclusive = Some("rotation/{team}".to_owned());
        }
    }
    Catalog {
        objects: objects(),
        actions: actions.into_iter().map(|action| (action.name.clone(), action)).collect(),
        templates: Some(names(&[
            "welcome",
            "csat",
            "win-back-ten_percent",
            "win-back-free_shipping",
            "win-back-reminder",
        ])),
        records: BTreeMap::from([
            ("team".to_owned(), names(&["enterprise", "dach", "international", "sales-ops"])),
            ("queue".to_owned(), names(&["unassigned", "complaints"])),
            (
                "segment".to_owned(),
                names(&["dormant-90-days", "unsubscribed", "open-complaint", "no-surveys"]),
            ),
            ("calendar".to_owned(), names(&["sales-hours", "support-hours", "marketing-hours"])),
        ]),
        roles: names(&["sales-ops", "support-ops", "marketing", "head-of-support"]),
        secrets: Some(names(&["shop-webhook", "crm-token"])),
        ..Catalog::default()
    }
}
