//! What a backtest found, for people and programs. It names records by
//! reference only, and tells no values of theirs.

use serde::Serialize;

/// What a workflow would have done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backtest {
    /// The workflow's name.
    pub workflow: String,
    /// For people.
    pub title: String,
    /// The file of the draft.
    pub file: String,
    /// From when, RFC 3339.
    pub from: String,
    /// Until when.
    pub to: String,
    /// The company's zone, by which hours and days are counted.
    pub time_zone: String,
    /// What was read of the event log.
    pub events: EventsRead,
    /// What the draft would have done.
    pub draft: Figures,
    /// What another version would have done, and what is otherwise.
    pub against: Option<Against>,
    /// What is on record of the time.
    pub on_record: Option<OnRecord>,
    /// What starts of it the log does not tell, in sentences.
    pub not_replayed: Vec<String>,
}

/// What was read of the event log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct EventsRead {
    /// All entries of the time.
    pub read: u64,
    /// Those that were left out, since the live version's own runs made them.
    pub own: u64,
    /// Those that could have started a run of the draft.
    pub offered: u64,
}

/// What a version would have done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Figures {
    /// Runs that began.
    pub started: u64,
    /// Runs that did not, by reason, the most frequent first.
    pub not_started: Vec<Reason>,
    /// How the runs ended, the most frequent first; `under way` where they
    /// had not at the end of the time.
    pub outcomes: Vec<Count>,
    /// Runs of other workflows that they started with `run:`.
    pub sub_runs: Vec<Count>,
    /// The actions that were called.
    pub actions: Vec<ActionCount>,
    /// The messages that were sent.
    pub messages: Vec<MessageCount>,
    /// When the messages went out.
    pub sends: Sends,
    /// The steps, in the order of the source.
    pub steps: Vec<StepCount>,
    /// On what it rests.
    pub rests_on: RestsOn,
}

/// How often a run did not start for a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The reason, without ids and values.
    pub reason: String,
    /// How often.
    pub count: u64,
    /// Some of the records that it was about.
    pub examples: Vec<String>,
}

/// How often something was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// What.
    pub what: String,
    /// How often.
    pub count: u64,
}

/// What came of an action.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ActionCount {
    /// `crm.update`; `crm.update (in inspect-return)` where a workflow that
    /// was started with `run:` called it.
    pub action: String,
    /// Calls that did what they should.
    pub done: u64,
    /// Calls that had nothing to do.
    pub skipped: u64,
    /// Calls that failed for good.
    pub failed: u64,
    /// Of all of them, those whose answer is an assumption.
    pub assumed: u64,
}

/// What came of the messages of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct MessageCount {
    /// The template; `notice` for notices to colleagues, which have none.
    pub template: String,
    /// Those that went out.
    pub sent: u64,
    /// Those that wait for the owner: `hold_above`.
    pub held: u64,
    /// Those that the recipient does not want, or has no address for.
    pub suppressed: u64,
}

/// When messages went out, local time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Sends {
    /// By hour of the day, from 0.
    pub by_hour: [u64; 24],
    /// By day of the week, Monday first.
    pub by_weekday: [u64; 7],
    /// By day, each day of the time in order.
    pub by_day: Vec<Count>,
}

/// How often a step was reached, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepCount {
    /// `steps[3].then[0]`.
    pub path: String,
    /// `do: crm.update`.
    pub label: String,
    /// Its line in the source, from 1.
    pub line: u32,
    /// How often it began.
    pub reached: u64,
    /// Which way it went: rows, arms, levels, outcomes.
    pub ways: Vec<Count>,
}

/// On what the figures rest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RestsOn {
    /// Calls that were answered as they were then.
    pub recorded: u64,
    /// Calls that were made again, on the records as they were.
    pub made_again: u64,
    /// Calls whose answer is an assumption.
    pub assumed: u64,
    /// Runs that rest on an assumption.
    pub assumed_runs: u64,
    /// The assumptions, the most frequent first.
    pub assumptions: Vec<Count>,
}

/// Another version on the same time, and what is otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Against {
    /// `the active version`, or its file.
    pub what: String,
    /// What it would have done.
    pub figures: Figures,
    /// What became otherwise of the same events.
    pub decisions: Vec<Change>,
    /// What became otherwise of the same runs.
    pub outcomes: Vec<Change>,
}

impl Against {
    /// Whether the draft did everything as this version did.
    #[must_use]
    pub fn is_same(&self, draft: &Figures) -> bool {
        self.decisions.is_empty() && self.outcomes.is_empty() && self.figures == *draft
    }
}

/// What became otherwise, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What the other version did.
    pub before: String,
    /// What the draft did.
    pub now: String,
    /// How often.
    pub count: u64,
    /// Some of the records that it was about.
    pub examples: Vec<String>,
}

/// What is on record of the live version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OnRecord {
    /// Runs that began.
    pub started: u64,
    /// Runs that did not, by reason, the most frequent first.
    pub not_started: Vec<Count>,
    /// The actions that these runs called.
    pub actions: Vec<ActionCount>,
}
