//! The JSON Schema of workflows and of their tests. That it takes whatever
//! the checker takes is held by every good example in `diagnostics`.

use std::path::Path;

use expect_test::expect;
use relata_workflow::{
    Catalog, parse,
    schema::{test_schema, workflow_schema},
};
use serde_json::{Value as Json, json};

use crate::{
    catalog,
    yaml::{against, to_json},
};

fn validator() -> jsonschema::Validator {
    jsonschema::draft7::new(&workflow_schema(&catalog::catalog())).expect("a valid schema")
}

#[test]
fn the_schemas_are_schemas() {
    let catalog = catalog::catalog();
    let nothing = Catalog::default();
    for schema in [
        workflow_schema(&catalog),
        test_schema(&catalog),
        workflow_schema(&nothing),
        test_schema(&nothing),
    ] {
        assert!(jsonschema::draft7::meta::is_valid(&schema));
        assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
        every_reference_leads_somewhere(&schema, &schema);
    }
}

fn every_reference_leads_somewhere(root: &Json, here: &Json) {
    match here {
        Json::Object(map) => {
            if let Some(Json::String(target)) = map.get("$ref") {
                let pointer = target.strip_prefix('#').expect("a place in this file");
                assert!(root.pointer(pointer).is_some(), "{target} leads nowhere");
            }
            // Which the meta-schema only advises, and editors insist on.
            if let Some(Json::Array(words)) = map.get("enum") {
                assert!(!words.is_empty(), "an enumeration of nothing: {here}");
                for (place, word) in words.iter().enumerate() {
                    assert!(!words[..place].contains(word), "{word} stands twice in {here}");
                }
            }
            map.values().for_each(|value| every_reference_leads_somewhere(root, value));
        }
        Json::Array(items) => {
            items.iter().for_each(|item| every_reference_leads_somewhere(root, item));
        }
        _ => {}
    }
}

#[test]
fn the_shipped_workflows_are_valid() {
    let schema = validator();
    let catalog = catalog::catalog();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".yaml") || name.ends_with(".test.yaml") {
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        // The others name what this small catalog does not have.
        if parse(&name, &source, &catalog).0.is_some() {
            assert_eq!(against(&schema, &source), "", "{name}");
            seen += 1;
        }
    }
    assert!(seen >= 4, "only {seen} of the shipped workflows were read");
}

#[test]
fn a_wrong_workflow_is_not_valid() {
    let schema = validator();
    let good = include_str!("../../../workflows/assign-new-leads.yaml");
    assert_eq!(against(&schema, good), "");
    for (from, to) in [
        ("workflow: assign-new-leads", "title_: x"),
        ("created: lead", "created: leed"),
        ("created: lead", "craeted: lead"),
        ("do: crm.update", "do: crm.updaet"),
        ("    max_open_leads: 40\n", "    max_open_leads: many\n"),
        ("    max_open_leads: 40\n", "    max_leads: 40\n"),
        ("    template: welcome ", "    template: welcom "),
        ("    template: welcome ", "    templat: welcome "),
        ("    due_in: 48 hours\n", "    due_in: soon\n"),
        ("    due_in: 48 hours\n", ""),
        ("calendar: sales-hours", "calendar: sale-hours"),
        ("    up_to: 48 hours\n", "    up_too: 48 hours\n"),
        ("    rows:\n", "    row:\n"),
        ("on_error:", "on_eror:"),
    ] {
        let wrong = good.replacen(from, to, 1);
        assert_ne!(wrong, good, "`{from}` is not in the workflow");
        assert_ne!(against(&schema, &wrong), "", "`{to}` is taken");
    }
    let faulty = include_str!("../../../tests/data/faulty.yaml");
    // The tab, the tag and the key that stands twice are YAML's own faults.
    let readable =
        faulty.replace('\t', "  ").replace("!x ", "").replacen("owner: sales-managers\n", "", 1);
    assert_ne!(against(&schema, &readable), "");
}

/// What an editor shows at a place of the schema.
#[test]
fn every_key_has_help() {
    let schema = workflow_schema(&catalog::catalog());
    let mail = &schema["definitions"]["do:mail.send"]["properties"]["to"];
    expect!["Takes a record."].assert_eq(mail["markdownDescription"].as_str().unwrap());
    let wait = &schema["definitions"]["step"]["properties"]["wait"]["markdownDescription"];
    expect!["Waits for a length of time: `24 hours` is elapsed time, `1 day` the same local time on the next day."]
        .assert_eq(wait.as_str().unwrap());
    let status = &schema["definitions"]["fields:lead"]["properties"]["status"];
    expect!["One of new, assigned, in_process, converted, recycled, dead."]
        .assert_eq(status["description"].as_str().unwrap());
    let formula = schema["definitions"]["formula"]["markdownDescription"].as_str().unwrap();
    for function in relata_workflow::formula::functions::FUNCTIONS {
        assert!(formula.contains(&format!("`{}(", function.name)), "{}", function.name);
    }
    let mut bare = Vec::new();
    without_help(&schema, "", &mut bare);
    assert!(bare.is_empty(), "no help for {}", bare.join(", "));
}

/// Properties that say nothing of what they are.
fn without_help(here: &Json, path: &str, bare: &mut Vec<String>) {
    let Json::Object(map) = here else { return };
    for (key, value) in map {
        let path = format!("{path}/{key}");
        match value {
            // Conditions of the schema itself are no places to write at.
            _ if key == "if" || key == "not" => {}
            Json::Object(properties) if key == "properties" => {
                for (name, property) in properties {
                    let is_reference = property.get("$ref").is_some();
                    if property.get("description").is_none() && !is_reference {
                        bare.push(format!("{path}/{name}"));
                    }
                    without_help(property, &format!("{path}/{name}"), bare);
                }
            }
            Json::Array(items) => {
                items.iter().for_each(|item| without_help(item, &path, bare));
            }
            other => without_help(other, &path, bare),
        }
    }
}

/// In a blueprint a parameter may stand in any text; what is made of it gives
/// values to its parameters.
#[test]
fn blueprints_are_valid() {
    let schema = validator();
    let blueprint = "\
blueprint: renewal
title: Renewals for {{ team }}
calendar: \"{{ hours }}\"
inputs:
  team: team
  days: { type: number, default: 30 }
  hours: text
  template: text
when:
  - schedule: weekdays at {{ at }}
    time_zone: Europe/Berlin
never_for: [\"segment/{{ segment }}\"]
hold_above: \"{{ most }} per day\"
steps:
  - wait: \"{{ days }} days\"
    resume_in: \"{{ hours }}\"
  - do: mail.send
    to: =contact
    template: \"{{ template }}\"
    retry: \"{{ often }} times\"
  - split: offer
    arms: { one: \"{{ share }}\", other: 50% }
";
    assert_eq!(against(&schema, blueprint), "");
    let instance = "workflow: renewal-eu\nblueprint: renewal\ninputs: { days: 20, template: renewal, parts: [a, b] }\n";
    assert_eq!(against(&schema, instance), "");
    assert_ne!(against(&schema, &instance.replace("inputs:", "input:")), "");
}

#[test]
fn tests_are_valid() {
    let schema = jsonschema::draft7::new(&test_schema(&catalog::catalog())).unwrap();
    let good = "\
test: inquiry-survey
time_zone: Europe/Berlin
given:
  contact/anna: { email: anna@a.example, tier: gold }
pretend:
  sentiment.score: { label: negative }
cases:
  - it: skips the holidays
    repeat_at: [2026-03-28 10:00]
    crash_after_every_step: true
    play:
      - at: 2026-12-23 18:05
        change: ticket/t1
        set: { status: solved }
      - expect: waiting
        until: 2026-12-28 09:00
      - go_to: 2026-12-28 09:00
      - expect: done
        survey.send: { to: contact/anna, template: csat }
        contact/anna: { tier: gold }
      - expect:
          nothing_sent: true
";
    assert_eq!(against(&schema, good), "");
    assert_ne!(against(&schema, &good.replace("cases:", "casse:")), "");
    assert_ne!(against(&schema, &good.replace("    play:", "    plays:")), "");
    assert!(!schema.is_valid(&json!({ "given": {} })));
    assert_eq!(to_json(good)["test"], "inquiry-survey");
}
