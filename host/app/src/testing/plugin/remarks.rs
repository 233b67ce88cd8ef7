//! What is wrong with a plugin that loads, or looks like a slip.

use std::collections::{BTreeMap, BTreeSet};

use relata_model::{Objects, text};
use relata_package::{Grant, Permissions, by_interface};
use relata_sandbox::{Descriptor, Plugin};
use relata_workflow::Severity;
use serde::Serialize;
use serde_json::Value as Json;

/// Something about a plugin, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// Whether it keeps the plugin from working as it says.
    pub severity: Severity,
    /// What, and how to mend it.
    pub message: String,
}

/// What an author is told of a plugin that loads.
#[must_use]
pub fn remarks(plugin: &Plugin) -> Vec<Remark> {
    let permissions = &plugin.manifest().permissions;
    let mut found: Vec<Remark> =
        plugin.descriptors().iter().flat_map(|action| of_action(action, permissions)).collect();
    found.extend(unused(plugin));
    found.extend(unknown_fields(permissions, &Objects::standard()));
    found
}

fn error(message: String) -> Remark {
    Remark { severity: Severity::Error, message }
}

fn warning(message: String) -> Remark {
    Remark { severity: Severity::Warning, message }
}

fn of_action(action: &Descriptor, permissions: &Permissions) -> Vec<Remark> {
    let id = &action.id;
    let mut found = Vec::new();
    if action.title.trim().is_empty() {
        let message = format!("the action `{id}` has no title; give it one line of what it does");
        found.push(warning(message));
    }
    let declared = |verb: &str, path: &str, may: bool, remedy: String| {
        (path != "*" && !may).then(|| {
            error(format!(
                "the action `{id}` says that it {verb} {path}, and plugin.toml does not let it: add {remedy}, or take it out of the action"
            ))
        })
    };
    for path in &action.reads {
        let grant = field(path, Grant::Read);
        let may = permissions.covers(&grant) || whole(path) && permissions.touches(&grant);
        found.extend(declared("reads", path, may, grant.remedy()));
    }
    for path in &action.writes {
        let (object, _) = path.split_once('.').unwrap_or((path, ""));
        let grant = field(path, Grant::Update);
        let others = [Grant::Create(object.to_owned()), Grant::Delete(object.to_owned())];
        let may = permissions.covers(&grant)
            || whole(path) && permissions.touches(&grant)
            || others.iter().any(|grant| permissions.covers(grant));
        found.extend(declared("writes", path, may, grant.remedy()));
    }
    let inputs = properties(&action.input_schema);
    for name in action.exclusive.as_deref().map(placeholders).unwrap_or_default() {
        if !inputs.contains(name) {
            found.push(error(format!(
                "the action `{id}` is exclusive by the input `{name}`, which it does not have{}",
                meant(name, &inputs)
            )));
        }
    }
    let outputs = properties(&action.output_schema);
    for answer in &action.correlation {
        if !outputs.is_empty() && !outputs.contains(answer.output_field.as_str()) {
            found.push(error(format!(
                "the action `{id}` is answered by {} over `{}`, which its output does not have{}",
                answer.event,
                answer.output_field,
                meant(&answer.output_field, &outputs)
            )));
        }
    }
    found
}

/// `lead.email`, or `lead` for all of it.
fn field(path: &str, grant: fn(String, String) -> Grant) -> Grant {
    let (object, field) = path.split_once('.').unwrap_or((path, "*"));
    grant(object.to_owned(), field.to_owned())
}

/// Whether it is an object without a field: some of it, then.
fn whole(path: &str) -> bool {
    !path.contains('.')
}

/// The names in `rotation/{team}`.
fn placeholders(key: &str) -> Vec<&str> {
    key.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name)).collect()
}

fn properties(schema: &Json) -> BTreeSet<&str> {
    let properties = schema["properties"].as_object();
    properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

fn meant(name: &str, known: &BTreeSet<&str>) -> String {
    match text::nearest(name, known.iter().copied()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => String::new(),
    }
}

/// What plugin.toml asks for, and the component has no use for.
fn unused(plugin: &Plugin) -> Vec<Remark> {
    let asked: BTreeMap<&str, Vec<String>> = by_interface(&plugin.manifest().permissions);
    let imports = |interface: &str| {
        plugin.imports().iter().any(|import| import.contains(&format!("/{interface}@")))
    };
    asked
        .into_iter()
        .filter(|(interface, _)| !imports(interface))
        .map(|(interface, may)| {
            warning(format!(
                "plugin.toml asks to {}, and the component does not import `{interface}`: take it out, so that nobody has to agree to it",
                may.join(", and to ")
            ))
        })
        .collect()
}

/// Permissions for fields that an object of every company does not have.
fn unknown_fields(permissions: &Permissions, objects: &Objects) -> Vec<Remark> {
    let mut found = Vec::new();
    for grant in permissions.grants() {
        let (Grant::Read(object, field) | Grant::Update(object, field)) = &grant else { continue };
        let Some(definition) = objects.get(object).filter(|_| field != "*") else { continue };
        if definition.field(field).is_some() || field == "id" {
            continue;
        }
        let known: BTreeSet<&str> = definition.fields.keys().map(String::as_str).collect();
        found.push(warning(format!(
            "plugin.toml asks to {grant}, which {object} has only where a company added it{}",
            meant(field, &known)
        )));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use relata_package::PluginManifest;

    fn action(reads: &[&str], writes: &[&str]) -> Descriptor {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Descriptor {
            id: "company".to_owned(),
            title: "Fill in".to_owned(),
            summary: String::new(),
            input_schema: serde_json::json!({ "properties": { "lead": {} } }),
            output_schema: serde_json::json!({ "properties": { "company": {} } }),
            reads: texts(reads),
            writes: texts(writes),
            correlation: Vec::new(),
            exclusive: None,
            idempotent: true,
        }
    }

    fn permissions(text: &str) -> Permissions {
        let head = "name = \"p\"\nversion = \"0.1.0\"\ntitle = \"P\"\ncontract = \"0.1.0\"\n";
        PluginManifest::parse(&format!("{head}{text}")).unwrap().permissions
    }

    fn told(found: &[Remark]) -> String {
        found.iter().map(|remark| format!("{:?}: {}\n", remark.severity, remark.message)).collect()
    }

    #[test]
    fn what_an_action_says_is_held_against_the_manifest() {
        let permissions = permissions(
            "[permissions.records.lead]\nread = [\"email\"]\nupdate = [\"company\"]\n[permissions.records.task]\ncreate = true\n",
        );
        let fine = action(&["lead.email", "lead", "*"], &["lead.company", "lead", "task.due_at"]);
        assert_eq!(told(&of_action(&fine, &permissions)), "");
        let wrong = action(&["lead.name", "contact"], &["lead.name", "contact"]);
        expect![[r#"
            Error: the action `company` says that it reads lead.name, and plugin.toml does not let it: add read = ["name"] under [permissions.records.lead], or take it out of the action
            Error: the action `company` says that it reads contact, and plugin.toml does not let it: add read = ["*"] under [permissions.records.contact], or take it out of the action
            Error: the action `company` says that it writes lead.name, and plugin.toml does not let it: add update = ["name"] under [permissions.records.lead], or take it out of the action
            Error: the action `company` says that it writes contact, and plugin.toml does not let it: add update = ["*"] under [permissions.records.contact], or take it out of the action
        "#]]
        .assert_eq(&told(&of_action(&wrong, &permissions)));
    }

    #[test]
    fn names_that_lead_nowhere_are_told() {
        let action = Descriptor {
            exclusive: Some("rotation/{lad}".to_owned()),
            correlation: vec![relata_sandbox::contract::Correlation {
                event: "survey.answered".to_owned(),
                output_field: "compny".to_owned(),
            }],
            ..action(&[], &[])
        };
        expect![[r#"
            Error: the action `company` is exclusive by the input `lad`, which it does not have; did you mean `lead`?
            Error: the action `company` is answered by survey.answered over `compny`, which its output does not have; did you mean `company`?
        "#]]
        .assert_eq(&told(&of_action(&action, &Permissions::default())));
        let permissions = permissions("[permissions.records.lead]\nread = [\"emial\", \"id\"]\n");
        expect![[r#"
            Warning: plugin.toml asks to read the field `emial` of `lead`, which lead has only where a company added it; did you mean `email`?
        "#]]
        .assert_eq(&told(&unknown_fields(&permissions, &Objects::standard())));
    }
}
