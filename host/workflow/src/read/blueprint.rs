//! Blueprints, and the workflows that are made of them. Where a text of a
//! blueprint has only parameters in it, it is filled in before it is read.

use std::collections::BTreeMap;

use relata_model::Value;

use super::{Keys, Reader, formulas, workflow::root_place};
use crate::{
    definition::{Definition, Input},
    diagnostic::{self as codes, Place},
    formula::Names,
    source::{Content, Entry, Node},
    types::Slot,
};

/// The values of a blueprint's parameters; none where one is not known.
pub(super) type Constants = BTreeMap<String, Option<Value>>;

/// A file that makes a workflow of a blueprint.
pub(super) struct Instance<'n> {
    pub(super) name: Option<String>,
    title: Option<String>,
    owner: Option<String>,
    pub(super) blueprint: Option<String>,
    /// Where the blueprint's name stands.
    pub(super) named_at: Place,
    inputs: Option<&'n Entry>,
}

/// Fills in the texts of which only parameters are missing. One of a
/// parameter that is not known is spoiled: nothing is said about it.
fn fill_in(node: &mut Node, constants: &Constants) {
    match &mut node.value {
        Content::Text { text, .. } if !text.starts_with('=') && text.contains("{{") => {
            match filled(text, constants) {
                Filled::Text(whole) => *text = whole,
                Filled::Unknown => node.value = Content::Spoiled,
                Filled::Not => {}
            }
        }
        Content::List(items) => items.iter_mut().for_each(|item| fill_in(item, constants)),
        Content::Map(entries) => {
            entries.iter_mut().for_each(|entry| fill_in(&mut entry.value, constants));
        }
        Content::Text { .. } | Content::Nothing | Content::Spoiled => {}
    }
}

enum Filled {
    Text(String),
    /// A parameter in it is not known.
    Unknown,
    /// Something else than parameters is in it.
    Not,
}

fn filled(text: &str, constants: &Constants) -> Filled {
    let mut whole = String::new();
    let mut is_known = true;
    let mut rest = text;
    while let Some(open) = rest.find("{{") {
        whole.push_str(&rest[..open]);
        let inside = &rest[open + 2..];
        let Some(close) = inside.find("}}") else { return Filled::Not };
        match constants.get(inside[..close].trim()) {
            None => return Filled::Not,
            Some(None) => is_known = false,
            Some(Some(value)) => whole.push_str(&written(value)),
        }
        rest = &inside[close + 2..];
    }
    whole.push_str(rest);
    match is_known {
        false => Filled::Unknown,
        // A value makes no formula of a text.
        true if whole.starts_with('=') => Filled::Not,
        true => Filled::Text(whole),
    }
}

/// A value as it is written in a file.
fn written(value: &Value) -> String {
    match value {
        Value::Nothing => String::new(),
        Value::List(items) => items.iter().map(written).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

impl Reader<'_> {
    /// The file of a workflow that is made of a blueprint.
    pub(super) fn instance<'n>(&mut self, root: &'n Node) -> Option<Instance<'n>> {
        let mut keys = self.keys(root, "a workflow")?;
        self.name = self.file_name(&mut keys, root, "workflow");
        let title = keys.take("title").and_then(|entry| self.plain_text(entry).map(str::to_owned));
        let owner = keys.take("owner").and_then(|entry| self.owner(entry));
        let mut named_at = root_place(&keys, root);
        let mut blueprint = None;
        if let Some(entry) = keys.take("blueprint") {
            named_at = entry.value.place;
            blueprint = self.plain_text(entry).map(str::to_owned);
        }
        let blueprint = blueprint.filter(|name| self.is_blueprint(name, named_at));
        let inputs = keys.take("inputs");
        self.instance_keys(&keys);
        let name = self.name.clone();
        Some(Instance { name, title, owner, blueprint, named_at, inputs })
    }

    fn is_blueprint(&mut self, name: &str, place: Place) -> bool {
        let known = self.catalog.blueprints.contains_key(name);
        if !known {
            let near = self.catalog.blueprints.keys().map(String::as_str);
            let help = codes::mean_or_list(name, near);
            let message = format!("there is no blueprint `{name}`");
            self.error(codes::UNKNOWN_BLUEPRINT, place, message, help);
        }
        known
    }

    /// Of a workflow that is made of a blueprint, everything else stands
    /// there.
    fn instance_keys(&mut self, keys: &Keys<'_>) {
        for entry in keys.rest() {
            let near = ["workflow", "blueprint", "inputs", "title", "owner"];
            let help = codes::did_you_mean(&entry.key, near.into_iter()).unwrap_or_else(|| {
                "it stands in the blueprint; give values to its inputs here".to_owned()
            });
            let message =
                format!("a workflow that is made of a blueprint has no key `{}`", entry.key);
            self.error(codes::UNKNOWN_KEY, entry.key_place, message, Some(help));
        }
    }

    /// The parameters of a blueprint, before anything else in it is read.
    pub(super) fn parameters(&mut self, root: &Node) -> Vec<Input> {
        let entries = root.entries().unwrap_or_default();
        let calendar = entries.iter().any(|entry| entry.key == "calendar");
        self.has_calendar = calendar;
        if let Some(entry) = entries.iter().find(|entry| entry.key == "inputs") {
            self.inputs(entry, &mut Names::default());
        }
        std::mem::take(&mut self.signature.inputs)
    }

    /// Makes the parameters of a blueprint known in it.
    pub(super) fn parameters_known(&self, constants: &Constants, names: &mut Names) {
        for parameter in &self.parameters {
            let is_given =
                matches!(constants.get(&parameter.name), Some(Some(value)) if !value.is_nothing());
            let optional = parameter.slot.optional && !is_given;
            let slot = Slot { kind: parameter.slot.kind.clone(), optional };
            names.insert(&parameter.name, formulas::known(slot));
        }
    }

    /// What may stand between `{{ }}` where a blueprint's text is filled in
    /// before it is read.
    pub(super) fn placeholder_help(&self, text: &str) -> Option<String> {
        if self.parameters.is_empty() {
            return None;
        }
        let known = || self.parameters.iter().map(|parameter| parameter.name.as_str());
        let inside = text.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
        let wrong = inside.map(str::trim).find(|name| known().all(|known| known != *name))?;
        let near = codes::did_you_mean(wrong, known());
        near.filter(|_| relata_model::text::is_name(wrong)).or_else(|| {
            let listed: Vec<&str> = known().collect();
            Some(format!("only the blueprint's inputs can stand here: {}", listed.join(", ")))
        })
    }

    /// Reads a blueprint with these values; without any of them, to check
    /// the blueprint itself.
    pub(super) fn blueprint(&mut self, root: &Node, constants: &Constants) -> Option<Definition> {
        let mut filled = root.clone();
        if let Content::Map(entries) = &mut filled.value {
            for entry in entries {
                if !matches!(entry.key.as_str(), "blueprint" | "inputs") {
                    fill_in(&mut entry.value, constants);
                }
            }
        }
        let mut keys = self.keys(&filled, "a blueprint")?;
        let name = self.file_name(&mut keys, root, "blueprint");
        // An instance has a name of its own.
        self.name = self.name.take().or(name);
        keys.take("inputs");
        self.whole(keys, &filled, Some(constants))
    }

    /// The values of a blueprint's parameters in one of its instances.
    pub(super) fn values_of_instance(
        &mut self,
        instance: &Instance<'_>,
        parameters: &[Input],
    ) -> Constants {
        let blueprint = instance.blueprint.as_deref().unwrap_or_default();
        self.constants(blueprint, instance.inputs, instance.named_at, parameters)
    }
}

impl Instance<'_> {
    /// What the instance says of itself goes before what the blueprint says.
    pub(super) fn dress(&self, definition: &mut Definition) {
        if let Some(title) = &self.title {
            definition.title.clone_from(title);
        }
        if let Some(owner) = &self.owner {
            definition.owner = Some(owner.clone());
        }
    }
}

/// Parameters of which nothing is known but their types.
pub(super) fn unknown(parameters: &[Input]) -> Constants {
    parameters.iter().map(|parameter| (parameter.name.clone(), None)).collect()
}
