//! Tests of workflows: `*.test.yaml`, read and checked like the workflows
//! themselves, so that a slip in a test is told before it runs.
//!
//! A test file names the workflow that it tests, says what is there before
//! the story begins (`given`), which actions only pretend (`pretend`), and
//! tells stories (`cases`): what happens when, and what is expected of it.

mod case;
mod expect;
pub mod plugin;
mod pretend;
mod read;
mod shift;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::DateTime;
use relata_model::{Duration, Fields, Reference, TimeZone, Value};
use serde_json::Value as Json;

use crate::{
    catalog::Catalog,
    definition::Definition,
    diagnostic::{self as codes, Diagnostic, Findings, Place, Span},
    source,
};

/// What a test file is checked against.
#[derive(Debug, Clone, Copy)]
pub struct TestContext<'a> {
    /// What workflows may name.
    pub catalog: &'a Catalog,
    /// The workflows beside the file, by name; `None` for one that has
    /// errors of its own.
    pub workflows: &'a BTreeMap<String, Option<Definition>>,
    /// The zone of times where the file names none.
    pub zone: &'a TimeZone,
}

/// A whole test file.
#[derive(Debug, Clone, PartialEq)]
pub struct TestFile {
    /// The file's name, as it was given.
    pub file: String,
    /// The workflow that it tests.
    pub workflow: String,
    /// The zone of its times.
    pub zone: TimeZone,
    /// What the clock shows first; if none, an hour before the first time
    /// that a case names.
    pub start: Option<DateTime>,
    /// Other workflows that are active.
    pub also: Vec<String>,
    /// What is there before every case.
    pub given: Vec<Given>,
    /// Which actions only pretend, in every case.
    pub pretend: Vec<Pretend>,
    /// The stories.
    pub cases: Vec<Case>,
}

/// A record that is there before the story begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// `contact/anna`: the object, and what the test calls the record. It
    /// becomes the record's external id.
    pub record: Reference,
    /// Its fields; those that must not be empty and are not given are filled
    /// in.
    pub fields: Fields,
    /// Where it stands.
    pub span: Span,
}

/// One story.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What it is about.
    pub it: String,
    /// Where it stands.
    pub span: Span,
    /// What is there beside what the file gives.
    pub given: Vec<Given>,
    /// Which actions only pretend, beside and instead of those of the file.
    pub pretend: Vec<Pretend>,
    /// The story is told again with its first time moved to each of these.
    pub repeat_at: Vec<DateTime>,
    /// The host goes down after every step and comes back.
    pub crash_after_every_step: bool,
    /// What happens, and what is expected.
    pub play: Vec<Entry>,
}

/// One entry of a play: the clock moves, something happens, something is
/// expected, in this order; each may be missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where it stands.
    pub span: Span,
    /// Where the clock goes first.
    pub when: When,
    /// What changes in what actions pretend.
    pub pretend: Vec<Pretend>,
    /// What happens.
    pub deed: Option<Deed>,
    /// What is expected then.
    pub expect: Option<Expectation>,
}

/// Where the clock goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// It stays.
    Now,
    /// To a local time (`at:`, `go_to:`).
    At(DateTime),
    /// So much further (`after:`, `wait:`).
    After(Duration),
}

/// A record, as a play names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `contact/anna`
    Record(Reference),
    /// `task`: the newest one of an object, such as one that the workflow
    /// made.
    Newest(String),
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// `create: lead/l1`, with `set:`.
    Create {
        /// What the test calls it.
        record: Reference,
        /// Its fields.
        fields: Fields,
    },
    /// `change: ticket/t1`, with `set:`.
    Change {
        /// Which record.
        target: Target,
        /// The fields that change.
        fields: Fields,
    },
    /// `delete: ticket/t1`
    Delete {
        /// Which record.
        target: Target,
    },
    /// `event: order.paid`: what makes it happen is written to the records.
    Event {
        /// Its name.
        name: String,
        /// Whom it is about.
        about: Option<Reference>,
        /// More fields of the record whose change is the event.
        data: Fields,
    },
    /// `answer: sales-lead`, with `with: approve`.
    Answer {
        /// Whose question is answered: a role.
        role: Option<String>,
        /// Whose question is answered: a user.
        user: Option<Reference>,
        /// The answer.
        answer: String,
        /// Who answers.
        by: Option<Reference>,
        /// What is said beside.
        comment: Option<String>,
    },
    /// `press: Offer a discount`
    Press {
        /// The button's label.
        button: String,
        /// On the page of which record.
        about: Option<Reference>,
        /// The inputs.
        with: BTreeMap<String, Value>,
    },
    /// `start: discount-offer`: as `relata start`.
    Start {
        /// The workflow.
        workflow: String,
        /// The record that the run is about.
        about: Option<Reference>,
        /// The inputs.
        with: BTreeMap<String, Value>,
    },
    /// `webhook: shop-orders`, with `body:`.
    Webhook {
        /// The last part of its address.
        name: String,
        /// What is posted.
        body: Json,
    },
}

/// An action, or a split, that only pretends.
#[derive(Debug, Clone, PartialEq)]
pub struct Pretend {
    /// What pretends: `sentiment.score`, the name of a `split`, or a
    /// workflow that is `run:`.
    pub what: Pretended,
    /// Where it stands.
    pub span: Span,
}

/// What pretends.
#[derive(Debug, Clone, PartialEq)]
pub enum Pretended {
    /// An action, with its answers one after the other; the last one stays.
    /// Empty: the real plugin answers after all.
    Action {
        /// `sentiment.score`
        action: String,
        /// The answers.
        answers: Vec<Answer>,
    },
    /// Everybody draws this arm.
    Arm {
        /// The split's name.
        split: String,
        /// The arm.
        arm: String,
    },
    /// A workflow that a step runs, with what it yields, one after the
    /// other; the last one stays.
    Workflow {
        /// Its name.
        workflow: String,
        /// The answers.
        answers: Vec<Answer>,
    },
}

/// What somebody who pretends answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A result.
    Output(Value),
    /// `skips: why`: there was nothing to do.
    Skips(String),
    /// `fails: why`
    Fails {
        /// Why.
        why: String,
        /// Trying again does not help.
        permanent: bool,
        /// How often; always if none.
        times: Option<u32>,
    },
}

/// What is expected at a point of a play. Calls, messages, new records and
/// runs that did not start are those since the expectations before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expectation {
    /// Where it stands.
    pub span: Span,
    /// `of:` another workflow than the one that is tested.
    pub workflow: Option<String>,
    /// `for:` the record that the run is about.
    pub about: Option<Reference>,
    /// How the run stands.
    pub status: Option<(Standing, Span)>,
    /// Until when it sleeps.
    pub until: Option<(Until, Span)>,
    /// What the reason of its end says, in part.
    pub reason: Option<(String, Span)>,
    /// What the workflow calls its end.
    pub outcome: Option<(String, Span)>,
    /// What it yields.
    pub outputs: Vec<Part>,
    /// No message left.
    pub nothing_sent: Option<Span>,
    /// The messages that left: exactly these.
    pub sent: Option<Several>,
    /// What the reason says, in part, for which no run started.
    pub not_started: Option<(String, Span)>,
    /// The calls of actions: of each exactly these.
    pub calls: Vec<(String, Several)>,
    /// Records as they are.
    pub records: Vec<ExpectedRecord>,
    /// Records that are new, by object: of each exactly these.
    pub created: Vec<(String, Several)>,
}

/// How a run is expected to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Sleeps until a time or until something happens.
    Waiting,
    /// Has not ended.
    Running,
    /// Ended after its last step.
    Done,
    /// Was stopped by a condition.
    Stopped,
    /// A step failed for good.
    Failed,
    /// Was ended by a person, or by a newer run or version.
    Cancelled,
    /// No run began.
    NothingStarted,
}

impl Standing {
    /// All, with their words.
    pub const ALL: [(&'static str, Self); 7] = [
        ("waiting", Self::Waiting),
        ("running", Self::Running),
        ("done", Self::Done),
        ("stopped", Self::Stopped),
        ("failed", Self::Failed),
        ("cancelled", Self::Cancelled),
        ("nothing_started", Self::NothingStarted),
    ];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, standing)| *standing == self).map_or("running", |(word, _)| word)
    }
}

/// Until when a run is expected to sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Until a local time.
    Time(DateTime),
    /// `until: something happens`: no time wakes it.
    SomethingHappens,
}

/// Several of something, each with the parts that it must have.
#[derive(Debug, Clone, PartialEq)]
pub struct Several {
    /// Where they stand.
    pub span: Span,
    /// Each; none for `nothing`.
    pub each: Vec<Vec<Part>>,
}

/// A named part that something must have.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// What it must be.
    pub check: Check,
    /// Where it stands.
    pub span: Span,
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// This very value.
    Is(Value),
    /// `is empty`
    Empty,
    /// `is not empty`
    NotEmpty,
    /// `contains late`
    Contains(String),
    /// A block: each of these parts, and possibly more.
    Has(Vec<Part>),
}

/// A record as it must be.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedRecord {
    /// Which.
    pub target: Reference,
    /// Where it stands.
    pub span: Span,
    /// Its fields; `None` where there must be no such record.
    pub fields: Option<Vec<Part>>,
}

/// Reads a test file; `file` is its name, for the diagnostics.
///
/// The test is there only if no diagnostic is an error.
#[must_use]
pub fn parse_test(
    file: &str,
    source: &str,
    context: TestContext<'_>,
) -> (Option<TestFile>, Vec<Diagnostic>) {
    let mut reader = Reader {
        findings: Findings::new(file, source),
        context,
        zone: context.zone.clone(),
        workflow: String::new(),
        also: Vec::new(),
        known: BTreeSet::new(),
        has_mistaken: false,
    };
    let root = source::read(&mut reader.findings);
    if root.is_none() && reader.findings.count() == 0 {
        let help = Some("begin with `test: name-of-the-workflow`".to_owned());
        reader.error(codes::MISSING_KEY, Place::default(), "the file is empty", help);
    }
    let test = root.and_then(|root| reader.test_file(file, &root));
    let diagnostics = reader.findings.finish();
    let failed = diagnostics.iter().any(Diagnostic::is_error);
    (test.filter(|_| !failed), diagnostics)
}

/// Everything that is known while a test file is read.
struct Reader<'a> {
    findings: Findings<'a>,
    context: TestContext<'a>,
    zone: TimeZone,
    /// The workflow that is tested.
    workflow: String,
    also: Vec<String>,
    /// The records that the test names, at the place that is being read.
    known: BTreeSet<Reference>,
    /// Whether something is wrong in what the case expects.
    has_mistaken: bool,
}
