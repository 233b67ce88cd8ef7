//! Tests of plugins: `*.test.yaml` in a plugin's folder, read and checked like
//! the tests of workflows.
//!
//! A case is one call of an action: what is there before it, what web services
//! answer meanwhile, and what has to come of it.

mod case;
mod expect;
mod web;

use std::collections::{BTreeMap, BTreeSet};

use relata_model::{Duration, Reference, TimeZone, Timestamp, Value};
use serde_json::Value as Json;

use super::{Check, ExpectedRecord, Given, Part, Reader, Several, TestContext};
use crate::{
    catalog::Catalog,
    diagnostic::{self as codes, Diagnostic, Findings, Place, Span},
    source,
};

/// A whole test file of a plugin.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginTest {
    /// The file's name, as it was given.
    pub file: String,
    /// Each a call.
    pub cases: Vec<PluginCase>,
}

/// One call of an action. What the file says for all of its cases is in each.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginCase {
    /// What it is about.
    pub it: String,
    /// Where it stands.
    pub span: Span,
    /// What the clock shows.
    pub at: Timestamp,
    /// What the plugin's random numbers are made of; if none, the call itself.
    pub seed: Option<u64>,
    /// The records before.
    pub given: Vec<Given>,
    /// The plugin's own values before.
    pub state: BTreeMap<String, Json>,
    /// The secrets that there are.
    pub secrets: BTreeMap<String, String>,
    /// The action's name without the plugin's.
    pub action: String,
    /// Its input.
    pub input: BTreeMap<String, Value>,
    /// The record that the run is about.
    pub about: Option<Reference>,
    /// Which attempt of the step it is, from 1.
    pub attempt: u32,
    /// What web services are asked and answer, in this order.
    pub web: Vec<Exchange>,
    /// What has to come of it.
    pub expect: PluginExpectation,
}

/// A request that the plugin has to make, and what becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// What has to be asked.
    pub request: ExpectedRequest,
    /// What comes back.
    pub reply: Reply,
}

/// A request as it has to be.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedRequest {
    /// Where it stands.
    pub span: Span,
    /// `GET`
    pub method: String,
    /// The address in full, in its normal form.
    pub url: String,
    /// Header lines that it must have, names in lower case.
    pub headers: Vec<Part>,
    /// What its body must be.
    pub body: Option<(ExpectedBody, Span)>,
}

/// The body of a request as it has to be.
#[derive(Debug, Clone, PartialEq)]
pub enum ExpectedBody {
    /// JSON that has these parts.
    Json(Check),
    /// A text.
    Text(Check),
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is answered.
    Answer {
        /// 200 if not said.
        status: u16,
        /// Header lines, names in lower case.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// It is not.
    Fault(WebFault),
}

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebFault {
    /// It may have arrived, and no answer came.
    TimedOut,
    /// Nobody listens there.
    Refused,
}

impl WebFault {
    /// All, with their words.
    pub const ALL: [(&'static str, Self); 2] =
        [("timed_out", Self::TimedOut), ("refused", Self::Refused)];
}

/// What has to come of a call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PluginExpectation {
    /// Where it stands.
    pub span: Span,
    /// How it ends; if nothing is said, it is done.
    pub ending: Option<(Ending, Span)>,
    /// Records as they are then.
    pub records: Vec<ExpectedRecord>,
    /// Records that are new, by object: of each exactly these.
    pub created: Vec<(String, Several)>,
    /// The plugin's own values then.
    pub state: Vec<Part>,
    /// The mails that it sends: exactly these.
    pub mail: Option<Several>,
    /// The notices to users: exactly these.
    pub notice: Option<Several>,
    /// The events that it emits: exactly these.
    pub emitted: Option<Several>,
    /// The requests that go out after the commit: exactly these.
    pub delivered: Option<(Vec<ExpectedRequest>, Span)>,
    /// Lines of its log, among others.
    pub log: Option<Several>,
}

/// How a call ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// With an output that has these parts.
    Done(Vec<Part>),
    /// There was nothing to do, for a reason that says this.
    Skipped(String),
    /// It wants to be called again.
    Retry {
        /// After so long.
        after: Option<Duration>,
        /// For a reason that says this.
        says: Option<String>,
    },
    /// It fails.
    Failed {
        /// `transient`
        code: Option<String>,
        /// With a message that says this.
        says: Option<String>,
        /// Not to be tried again before this.
        retry_after: Option<Duration>,
    },
    /// It panics, at a place that says this.
    Panics(String),
}

/// Reads a test file of a plugin; `file` is its name, for the diagnostics.
/// The catalog has the plugin's actions and no others.
///
/// The test is there only if no diagnostic is an error.
#[must_use]
pub fn parse_plugin_test(
    file: &str,
    source: &str,
    plugin: &str,
    catalog: &Catalog,
) -> (Option<PluginTest>, Vec<Diagnostic>) {
    let workflows = BTreeMap::new();
    let mut reader = Reader {
        findings: Findings::new(file, source),
        context: TestContext { catalog, workflows: &workflows, zone: &TimeZone::UTC },
        zone: TimeZone::UTC,
        workflow: String::new(),
        also: Vec::new(),
        known: BTreeSet::new(),
        has_mistaken: false,
    };
    let root = source::read(&mut reader.findings);
    let is_empty = root.as_ref().is_none_or(source::Node::is_nothing);
    if is_empty && reader.findings.count() == 0 {
        let help = Some(format!("begin with `plugin: {plugin}`"));
        reader.error(codes::MISSING_KEY, Place::default(), "the file is empty", help);
    }
    let cases = root.filter(|_| !is_empty).and_then(|root| reader.plugin_test(plugin, &root));
    let diagnostics = reader.findings.finish();
    let failed = diagnostics.iter().any(Diagnostic::is_error);
    let test = cases.map(|cases| PluginTest { file: file.to_owned(), cases });
    (test.filter(|_| !failed), diagnostics)
}
