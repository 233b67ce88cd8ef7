//! What a workflow may name: objects, actions, templates, records.

use std::collections::{BTreeMap, BTreeSet};

use relata_model::Objects;
use serde_json::Value as Json;

use crate::{definition::Input, types::Slot};

/// Everything that a workflow may name.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// The company's objects.
    pub objects: Objects,
    /// Actions by full name: `crm.update`.
    pub actions: BTreeMap<String, ActionSignature>,
    /// Mail templates by name; `None` where they are not known, and so not
    /// checked.
    pub templates: Option<BTreeSet<String>>,
    /// What mail templates read, by name; of one that is missing here nothing
    /// is checked.
    pub template_reads: BTreeMap<String, TemplateSignature>,
    /// External ids by object (`team`, `segment`, `calendar`, `queue`, …);
    /// an object that is missing here is not checked.
    pub records: BTreeMap<String, BTreeSet<String>>,
    /// The roles that users have; empty where not known.
    pub roles: BTreeSet<String>,
    /// Other workflows that a step may `run:`, by name.
    pub workflows: BTreeMap<String, WorkflowSignature>,
    /// Blueprints by name: the file's name and its text.
    pub blueprints: BTreeMap<String, (String, String)>,
    /// The names of the secrets that are set; `None` where they are not
    /// known, and so not checked.
    pub secrets: Option<BTreeSet<String>>,
}

/// What the checker knows of a workflow that another runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WorkflowSignature {
    /// The object that it is about, if it is about one.
    pub subject: Option<String>,
    /// What it is started with.
    pub inputs: Vec<Input>,
    /// What it yields.
    pub outputs: BTreeMap<String, Slot>,
}

/// What the checker knows of a mail template: the paths that it reads in any of
/// its languages, such as `to.name`, `data.question`, `company`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateSignature {
    /// Each path, and how it is read.
    pub reads: BTreeMap<String, TemplateRead>,
}

/// How a template reads a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateRead {
    /// The variant that reads it: `welcome.de`.
    pub variant: String,
    /// Whether it is asked first if it is there.
    pub is_guarded: bool,
}

impl TemplateSignature {
    /// Adds what a part of a variant (its subject, its text) reads: the paths
    /// that its engine finds in it, with its source.
    pub fn add(&mut self, variant: &str, source: &str, paths: impl IntoIterator<Item = String>) {
        for path in paths {
            let is_guarded = is_guarded(source, &path);
            let read = self
                .reads
                .entry(path)
                .or_insert_with(|| TemplateRead { variant: variant.to_owned(), is_guarded });
            // One part that does not ask is one too many.
            if read.is_guarded && !is_guarded {
                *read = TemplateRead { variant: variant.to_owned(), is_guarded };
            }
        }
    }
}

/// Whether a template's source asks somewhere if a path is there: `if to.phone`,
/// `to.phone is defined`, `to.phone | default("-")`.
fn is_guarded(source: &str, path: &str) -> bool {
    source.match_indices(path).any(|(place, _)| {
        let before = source[..place].trim_end();
        let after = &source[place + path.len()..];
        let is_whole = !after.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.')
            && !source[..place].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
        let asked = ["if", "elif", "not", "and", "or"].iter().any(|word| before.ends_with(word));
        let after = after.trim_start();
        let defaulted = after.strip_prefix('|').is_some_and(|filter| {
            let filter = filter.trim_start();
            filter.starts_with("default") || filter.starts_with("d(")
        });
        is_whole && (asked || after.starts_with("is ") || defaulted)
    })
}

/// What the checker knows of an action.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionSignature {
    /// `crm.update`.
    pub name: String,
    /// One line.
    pub title: String,
    /// A paragraph on what it does; empty where none is known.
    pub summary: String,
    /// JSON Schema of its input; see `wit/0.1.0/actions.wit` for the formats.
    /// Beside the format `template`, `x-template-data` says what the template
    /// can read as `data`: the argument that holds it, or a list of names.
    pub input: Json,
    /// JSON Schema of its output.
    pub output: Json,
    /// What it reads: `lead`, `lead.owner`, `*`.
    pub reads: Vec<String>,
    /// What it writes, likewise.
    pub writes: Vec<String>,
    /// What its plugin may do; nothing is said of it where that is not known.
    pub permissions: Option<relata_package::Permissions>,
    /// Events that answer it, each with the field of the output that holds
    /// their key.
    pub correlation: Vec<(String, String)>,
    /// The key under which its steps run one after another.
    pub exclusive: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_template_asks_first_is_guarded() {
        let source = "{{ to.name }} {% if to.phone %}{{ to.phone }}{% endif %} \
            {{ data.hint | default('-') }} {{ data.hints }} {% if data.sum is defined %}1{% endif %}";
        let mut signature = TemplateSignature::default();
        let paths = ["to.name", "to.phone", "data.hint", "data.hints", "data.sum"];
        signature.add("welcome", source, paths.map(str::to_owned));
        let guarded = signature.reads.iter().filter(|(_, read)| read.is_guarded);
        let guarded: Vec<&str> = guarded.map(|(path, _)| path.as_str()).collect();
        assert_eq!(guarded, ["data.hint", "data.sum", "to.phone"]);
        // In another language it is not.
        signature.add("welcome.de", "{{ to.phone }}", ["to.phone".to_owned()]);
        let read = TemplateRead { variant: "welcome.de".to_owned(), is_guarded: false };
        assert_eq!(signature.reads["to.phone"], read);
    }
}
