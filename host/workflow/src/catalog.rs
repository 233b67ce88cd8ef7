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
    pub input: Json,
    /// JSON Schema of its output.
    pub output: Json,
    /// What it writes: `lead`, `lead.owner`, `*`.
    pub writes: Vec<String>,
    /// Events that answer it, each with the field of the output that holds
    /// their key.
    pub correlation: Vec<(String, String)>,
    /// The key under which its steps run one after another.
    pub exclusive: Option<String>,
}
