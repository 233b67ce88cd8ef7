//! A workflow as the engine runs it: what the YAML said, with every formula
//! parsed and typed. Steps lie in an arena; blocks are lists of step ids.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use relata_model::{Decimal, Value};
use relata_package::Permissions;
use serde::{Deserialize, Serialize};

use crate::{catalog::WorkflowSignature, formula::Formula, types::Slot};

/// A whole workflow. Stored with its version, so that a run goes on with what
/// it began with, whatever becomes of the language or the plugins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// `assign-new-leads`.
    pub name: String,
    /// For people.
    pub title: String,
    /// Who answers for it: a role or a team.
    pub owner: Option<String>,
    /// The calendar of its working hours and days: an external id.
    pub calendar: Option<String>,
    /// The object that its runs are about; none for a schedule.
    pub subject: Option<String>,
    /// What starts a run; any one of them. None for a workflow that only
    /// others run, or a person starts.
    pub triggers: Vec<Trigger>,
    /// What a run is started with: the fields of a button's form, the body of
    /// a webhook, the arguments of `run:`. Variables of the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Input>,
    /// The parameters of the blueprint that it was made of, by name.
    /// Variables of every run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub constants: BTreeMap<String, Value>,
    /// All must hold, or no run starts.
    pub only_if: Vec<Formula>,
    /// Segments (external ids) whose members get no run.
    pub never_for: Vec<String>,
    /// How often.
    pub repeat: Option<Repeat>,
    /// What ends a run before its last step.
    pub stop_when: Vec<StopWhen>,
    /// The calendar in which messages may go out: an external id.
    pub send_in: Option<String>,
    /// How many messages may go out in a time; the rest is held.
    pub hold_above: Option<Cap>,
    /// How many of its runs may be at work at once, and how fast they may
    /// begin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// All steps, by [`StepId`].
    pub steps: Vec<Step>,
    /// All blocks, by [`BlockId`].
    pub blocks: Vec<Vec<StepId>>,
    /// Where a run begins.
    pub main: BlockId,
    /// What runs when a step has failed for good.
    pub on_error: Option<BlockId>,
    /// What runs at the end, however the run ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finally: Option<BlockId>,
    /// What the run yields to whoever started it, where it ends after its
    /// last step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Output>,
}

impl Definition {
    /// A step by its id.
    ///
    /// # Panics
    ///
    /// For an id of another definition.
    #[must_use]
    pub fn step(&self, id: StepId) -> &Step {
        &self.steps[id.0 as usize]
    }

    /// A block by its id.
    ///
    /// # Panics
    ///
    /// For an id of another definition.
    #[must_use]
    pub fn block(&self, id: BlockId) -> &[StepId] {
        &self.blocks[id.0 as usize]
    }

    /// What others need to know to run it: the entry for
    /// [`Catalog::workflows`](crate::Catalog::workflows).
    #[must_use]
    pub fn signature(&self) -> WorkflowSignature {
        WorkflowSignature {
            subject: self.subject.clone(),
            inputs: self.inputs.clone(),
            outputs: self
                .outputs
                .iter()
                .map(|output| (output.name.clone(), output.slot.clone()))
                .collect(),
        }
    }
}

/// A value that a run is started with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Its name; the variable's too.
    pub name: String,
    /// What it holds; optional where it may be left out and has no default.
    pub slot: Slot,
    /// What it is where it is left out.
    pub default: Option<Value>,
    /// For people, on a form.
    pub title: Option<String>,
}

impl Input {
    /// Whether it has to be given.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        !self.slot.optional && self.default.is_none()
    }
}

/// A value that a run yields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// What yields it.
    pub value: Expression,
    /// What it is.
    pub slot: Slot,
}

/// The place of a step in [`Definition::steps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepId(pub u32);

/// The place of a block in [`Definition::blocks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BlockId(pub u32);

/// What starts a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Something happens to a record.
    Occurrence(Occurrence),
    /// Time comes.
    Schedule(Schedule),
    /// Another program calls.
    Webhook(Webhook),
    /// A person wants it.
    Button(Button),
}

/// `webhook: shop-orders`: `POST /hooks/shop-orders`, whose body holds the
/// workflow's inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// The last part of its address.
    pub name: String,
    /// The name of the secret with which calls are signed; none where anybody
    /// may call.
    pub secret: Option<String>,
}

/// `button: Offer a discount`, on the page of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// What stands on it.
    pub label: String,
    /// The object whose records have it; none for one that is about nothing.
    pub object: Option<String>,
}

/// Something that happens to a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occurrence {
    /// `created: lead`.
    Created {
        /// The object.
        object: String,
    },
    /// `changed: ticket.status`, with `from:` and `to:`. A new record is
    /// created, not changed.
    Changed {
        /// The object.
        object: String,
        /// The field; none for a change of any field.
        field: Option<String>,
        /// The values before; empty means any.
        from: Vec<Value>,
        /// The values after; empty means any.
        to: Vec<Value>,
    },
    /// `enters: segment/dormant-90-days`.
    Enters {
        /// The segment's external id.
        segment: String,
    },
    /// `event: order.paid`.
    Event {
        /// The event's name.
        name: String,
    },
}

/// `schedule:` or `cron:`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// A cron expression of the `cron` crate's seven-field form.
    pub cron: String,
    /// As the author wrote it.
    pub written: String,
    /// An IANA name.
    pub time_zone: String,
    /// What becomes of fires while the host was away.
    pub if_missed: IfMissed,
    /// `working days at 09:00`: it fires only on days on which this calendar
    /// (an external id) opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
}

/// What becomes of fires while the host was away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IfMissed {
    /// One run for all of them.
    Once,
    /// A run for each.
    All,
    /// None; each is recorded as missed.
    Skip,
}

/// How often a workflow runs for one and the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repeat {
    /// What counts as the same: a formula that yields a record or a text.
    pub one_per: Formula,
    /// When it may run again; `None` is never.
    pub again_after: Option<Formula>,
    /// The step from which the time counts; from the start if none.
    pub counted_from: Option<String>,
    /// What a trigger does while a run for the same is going on.
    pub while_running: WhileRunning,
}

/// What a trigger does while a run for the same is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhileRunning {
    /// It is recorded, and nothing starts.
    #[default]
    Ignore,
    /// The run ends, and another begins.
    Restart,
    /// Another begins when the run has ended.
    Queue,
    /// Another begins beside it.
    Parallel,
}

/// What ends a run before its last step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StopWhen {
    /// What has to happen to the run's subject.
    pub occurrence: Occurrence,
    /// How the run's end is called; `stopped` if not said.
    pub outcome: Option<String>,
}

/// `2000 per day`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// So many messages.
    pub count: u64,
    /// In so many hours, rolling: 24 for a day, 1 for an hour.
    pub hours: u32,
}

/// A limit of a workflow on its own runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// So many of its runs may be at work at once, on all hosts together. One
    /// that waits for anything is not at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<u32>,
    /// How fast its runs may come to their first action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<Pace>,
    /// For each value of this by itself; for all runs together if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<Formula>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its place in the arena.
    pub id: StepId,
    /// Where it stands: `steps[5].then[0]`. Stable within a version; part of
    /// every effect's id.
    pub path: String,
    /// For people: `do: crm.update`, `wait: 24 hours`.
    pub label: String,
    /// The line in the source, from 1.
    pub line: u32,
    /// What its result is called (`as:`, `decide:`, `split:`).
    pub name: Option<String>,
    /// What it does.
    pub kind: StepKind,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// `do:` calls an action of a plugin.
    Do(Do),
    /// `decide:` takes the first row that holds.
    Decide {
        /// In order; the last has no condition.
        rows: Vec<Row>,
    },
    /// `if:`
    If {
        /// What decides.
        condition: Formula,
        /// Where it holds.
        then: BlockId,
        /// Where it does not.
        otherwise: Option<BlockId>,
    },
    /// `wait:` for a length of time.
    Wait {
        /// How long: yields a duration, or a point in time (`wait_until`).
        duration: Expression,
        /// Then at the next opening of this calendar (external id).
        resume_in: Option<String>,
    },
    /// `wait_for:` something to happen.
    WaitFor(WaitFor),
    /// `deadline:` with levels.
    Deadline(Deadline),
    /// `split:` into arms, always the same for one and the same subject.
    Split {
        /// Name and share; the shares add up to 1.
        arms: Vec<(String, Decimal)>,
    },
    /// `for_each:` runs its steps for every item of a list.
    ForEach(ForEach),
    /// `parallel:` runs several branches side by side, and goes on when all
    /// have ended.
    Parallel {
        /// In the order of the source.
        branches: Vec<BlockId>,
    },
    /// `run:` runs another workflow, and goes on when it has ended.
    Run(SubRun),
    /// `set:` gives values to names, one after another. A name that is there
    /// already, in this block or one around it, gets another value.
    Set {
        /// In the order of the source.
        values: Vec<(String, Expression)>,
    },
    /// `stop_if:` and `stop_unless:`.
    Stop {
        /// What decides.
        condition: Formula,
        /// `stop_unless`: stops where the condition does not hold.
        unless: bool,
    },
}

/// A call of an action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Do {
    /// `crm.update`.
    pub action: String,
    /// The arguments, in the order of the source.
    pub input: Vec<Argument>,
    /// How often it is tried again, and how.
    pub retry: Retry,
    /// The step's result where it has failed for good; without it the run
    /// goes to `on_error`.
    pub if_it_fails: Option<Expression>,
    /// What becomes of a message of which nobody knows whether it went out.
    #[serde(default, skip_serializing_if = "IfUnknown::is_hold")]
    pub if_unknown: IfUnknown,
    /// What the step leaves of its plugin's permissions; all where it says
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may: Option<Permissions>,
    /// The key under which steps run one after another, with `{name}` for an
    /// argument: `rotation/{team}`.
    pub exclusive: Option<String>,
    /// Events that answer the action, each with the field of the output that
    /// holds their key.
    pub correlation: Vec<(String, String)>,
    /// The type of the output, by which its references and times are read.
    pub output: crate::types::Type,
}

/// What becomes of a message of which nobody knows whether it went out: the
/// host went down, or the connection broke, before the answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IfUnknown {
    /// It is sent again, under the same id.
    Retry,
    /// It waits until a person decides.
    #[default]
    Hold,
    /// It is not sent again.
    Skip,
}

impl IfUnknown {
    /// All, as the language names them.
    pub const ALL: [(&'static str, Self); 3] =
        [("retry", Self::Retry), ("hold", Self::Hold), ("skip", Self::Skip)];

    const fn is_hold(&self) -> bool {
        matches!(self, Self::Hold)
    }
}

impl Do {
    /// The names of the secrets that it is given: `secret/NAME` as a whole
    /// text of its arguments. A text that a formula yields is never one.
    #[must_use]
    pub fn secrets(&self) -> BTreeSet<&str> {
        fn add<'a>(expression: &'a Expression, found: &mut BTreeSet<&'a str>) {
            match expression {
                Expression::Literal(Value::Text(text)) => {
                    found.extend(crate::read::secret_name(text));
                }
                Expression::List(items) => items.iter().for_each(|item| add(item, found)),
                Expression::Map(parts) => parts.iter().for_each(|(_, part)| add(part, found)),
                Expression::Literal(_) | Expression::Formula(_) | Expression::Text(_) => {}
            }
        }
        let mut found = BTreeSet::new();
        self.input.iter().for_each(|argument| add(&argument.value, &mut found));
        found
    }
}

/// One argument of an action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Argument {
    /// Its name in the action's input.
    pub name: String,
    /// What yields it.
    pub value: Expression,
    /// What the host makes of it before the call.
    pub conversion: Conversion,
}

/// What the host makes of an argument before the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conversion {
    /// Nothing.
    Plain,
    /// A duration or a time becomes the point in time, RFC 3339.
    Due,
    /// A text such as `enterprise` becomes the reference `team/enterprise`.
    Reference {
        /// The objects that it may be of; any if empty.
        objects: Vec<String>,
    },
}

/// `retry: 3 times`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// How often it is tried again after the first attempt.
    pub times: u32,
    /// The first pause, milliseconds; it doubles with each attempt up to
    /// `longest_ms`, with jitter.
    pub first_ms: u64,
    /// The longest pause, milliseconds.
    pub longest_ms: u64,
}

impl Default for Retry {
    /// What a step does that says nothing: three more attempts, after about
    /// 5 s, 10 s and 20 s.
    fn default() -> Self {
        Self { times: 3, first_ms: 5_000, longest_ms: 3_600_000 }
    }
}

/// `for_each:`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForEach {
    /// What yields the list.
    pub list: Formula,
    /// What an item is called in the steps.
    pub item: String,
    /// Items for which it does not hold are left out, and told.
    pub only_if: Option<Formula>,
    /// How many items may be under way at a time; 1 is one after another.
    pub at_once: u32,
    /// How fast items may begin; as fast as they can if none.
    pub pace: Option<Pace>,
    /// What runs for each.
    pub block: BlockId,
}

/// `60 per hour`: one a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// So many.
    pub count: u32,
    /// In so many milliseconds.
    pub in_ms: u64,
}

impl Pace {
    /// How far apart two are at the least, in milliseconds.
    #[must_use]
    pub fn apart_ms(self) -> u64 {
        self.in_ms.div_ceil(u64::from(self.count.max(1)))
    }
}

/// Why a text is no pace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a pace; write {PACES}")]
pub struct PaceError(String);

/// What a pace may look like.
pub(crate) const PACES: &str = "`60 per hour`, `per second`, `per minute` or `per day`";

impl FromStr for Pace {
    type Err = PaceError;

    fn from_str(text: &str) -> Result<Self, PaceError> {
        let read = || {
            let (count, unit) = text.split_once(" per ")?;
            let in_ms = match unit.trim() {
                "second" => 1_000,
                "minute" => 60_000,
                "hour" => 3_600_000,
                "day" => 86_400_000,
                _ => return None,
            };
            let count = count.trim().parse().ok().filter(|count| *count > 0)?;
            Some(Self { count, in_ms })
        };
        read().ok_or_else(|| PaceError(text.to_owned()))
    }
}

/// `run:` another workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubRun {
    /// Its name.
    pub workflow: String,
    /// What it is given: values for its inputs, and the record that it is
    /// about under the name of the object, if it is about one.
    pub input: Vec<Argument>,
    /// What it yields, by which its references and times are read.
    pub output: crate::types::Type,
    /// How long it may take; for ever if none.
    pub up_to: Option<Expression>,
    /// The step's result where it has failed, was stopped or took too long;
    /// without it the run goes to `on_error`.
    pub if_it_fails: Option<Expression>,
}

/// One row of a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// None: everything else.
    pub condition: Option<Formula>,
    /// What the decision yields.
    pub value: Expression,
    /// The line in the source, from 1.
    pub line: u32,
}

/// `wait_for:`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaitFor {
    /// What has to happen. For `changed: lead.status` the record is the
    /// value of `about`; a value that the field has already counts at once.
    pub occurrence: Occurrence,
    /// Whose change is awaited (the variable or path before the field);
    /// the run's subject if none.
    pub about: Option<Formula>,
    /// Counts what happened since this step ended: its `as` name.
    pub since: Option<String>,
    /// How long; for ever if none.
    pub up_to: Option<Expression>,
    /// When it happened in time.
    pub then: Option<BlockId>,
    /// When it did not.
    pub otherwise: Option<BlockId>,
}

/// `deadline:`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deadline {
    /// The whole time, from the moment at which the step begins.
    pub within: Expression,
    /// The calendar of its working time; the workflow's if none.
    pub calendar: Option<String>,
    /// Ends the step as met as soon as it holds.
    pub met_when: Formula,
    /// The clock stands while it holds.
    pub pause_while: Option<Formula>,
    /// By share, ascending.
    pub levels: Vec<Level>,
}

/// What happens when a share of a deadline has gone by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// 0.5 for `50%`.
    pub share: Decimal,
    /// What runs.
    pub block: BlockId,
}

/// What yields a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expression {
    /// Just this.
    Literal(Value),
    /// `=formula`.
    Formula(Formula),
    /// Text with `{{ }}` in it.
    Text(Vec<Piece>),
    /// Several.
    List(Vec<Expression>),
    /// By name.
    Map(Vec<(String, Expression)>),
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// As it stands.
    Literal(String),
    /// A formula's value, through a filter such as `short`.
    Value {
        /// What yields the value.
        formula: Formula,
        /// How it is written; plainly if none.
        filter: Option<String>,
    },
}
