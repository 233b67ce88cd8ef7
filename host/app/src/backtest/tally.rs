//! Counting what a replay does.

use std::collections::{BTreeMap, HashSet};

use relata_engine::{Event, Outcome};
use relata_model::{Reference, TimeZone, Timestamp, Value};
use relata_workflow::{Definition, Step, StepId, StepKind};

use crate::backtest::{
    messages::{Message, Sending},
    report::{ActionCount, Count, Figures, MessageCount, Reason, RestsOn, Sends, StepCount},
};

/// How many records are named as examples.
pub(crate) const EXAMPLES: usize = 5;

/// What a notice is called, which has no template.
const NOTICE: &str = "notice";

/// The counts of one replay.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) offered: u64,
    started: u64,
    not_started: BTreeMap<String, Group>,
    outcomes: BTreeMap<String, u64>,
    sub_runs: BTreeMap<String, u64>,
    actions: BTreeMap<String, ActionCount>,
    messages: BTreeMap<String, MessageCount>,
    by_hour: [u64; 24],
    by_weekday: [u64; 7],
    by_day: BTreeMap<jiff::civil::Date, u64>,
    steps: Vec<StepTally>,
    rests_on: RestsOn,
    assumptions: BTreeMap<&'static str, u64>,
    zone: TimeZone,
}

/// How often something was, with some records that it was about.
#[derive(Debug, Default)]
pub(crate) struct Group {
    count: u64,
    examples: Vec<String>,
}

/// The counts of a step.
#[derive(Debug)]
struct StepTally {
    reached: u64,
    ways: Vec<(String, u64)>,
}

impl Group {
    pub(crate) fn add(&mut self, record: Option<&Reference>) {
        self.count += 1;
        if let Some(record) = record
            && self.examples.len() < EXAMPLES
        {
            let record = record.to_string();
            if !self.examples.contains(&record) {
                self.examples.push(record);
            }
        }
    }

    pub(crate) fn finish(self) -> (u64, Vec<String>) {
        (self.count, self.examples)
    }
}

impl Tally {
    pub(crate) fn new(definition: &Definition, zone: TimeZone) -> Self {
        let steps = definition.steps.iter().map(|step| StepTally {
            reached: 0,
            ways: ways(step).into_iter().map(|way| (way, 0)).collect(),
        });
        Self {
            offered: 0,
            started: 0,
            not_started: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            sub_runs: BTreeMap::new(),
            actions: BTreeMap::new(),
            messages: BTreeMap::new(),
            by_hour: [0; 24],
            by_weekday: [0; 7],
            by_day: BTreeMap::new(),
            steps: steps.collect(),
            rests_on: RestsOn::default(),
            assumptions: BTreeMap::new(),
            zone,
        }
    }

    pub(crate) const fn started(&mut self) {
        self.started += 1;
    }

    pub(crate) fn not_started(&mut self, reason: &str, record: Option<&Reference>) {
        self.not_started.entry(reason.to_owned()).or_default().add(record);
    }

    pub(crate) fn ended(&mut self, outcome: &str) {
        *self.outcomes.entry(outcome.to_owned()).or_default() += 1;
    }

    pub(crate) const fn recorded(&mut self) {
        self.rests_on.recorded += 1;
    }

    pub(crate) const fn made_again(&mut self) {
        self.rests_on.made_again += 1;
    }

    pub(crate) const fn assumed_run(&mut self) {
        self.rests_on.assumed_runs += 1;
    }

    /// A call whose answer is an assumption.
    pub(crate) fn assumed_call(&mut self, action: &str, of: Option<&str>, why: &'static str) {
        self.rests_on.assumed += 1;
        self.action(action, of).assumed += 1;
        self.assumption(why);
    }

    /// A run of another workflow that a run started.
    pub(crate) fn sub_run(&mut self, workflow: &str) {
        *self.sub_runs.entry(workflow.to_owned()).or_default() += 1;
    }

    /// Something that the figures take for granted.
    pub(crate) fn assumption(&mut self, why: &'static str) {
        *self.assumptions.entry(why).or_default() += 1;
    }

    /// The counts of an action; `of` is the other workflow whose step called
    /// it, where one did.
    fn action(&mut self, action: &str, of: Option<&str>) -> &mut ActionCount {
        let action = of.map_or_else(|| action.to_owned(), |of| format!("{action} (in {of})"));
        self.actions
            .entry(action.clone())
            .or_insert_with(|| ActionCount { action, ..ActionCount::default() })
    }

    fn message(&mut self, template: Option<&str>) -> &mut MessageCount {
        let template = template.unwrap_or(NOTICE);
        self.messages.entry(template.to_owned()).or_insert_with(|| MessageCount {
            template: template.to_owned(),
            ..MessageCount::default()
        })
    }

    pub(crate) fn sends(&mut self, message: &Message, sending: Sending) {
        let count = self.message(message.template.as_deref());
        let at = match sending {
            Sending::At(at) => at,
            Sending::Held => {
                count.held += 1;
                return;
            }
        };
        count.sent += 1;
        let local = at.to_zoned(self.zone.clone());
        if let Some(hour) = self.by_hour.get_mut(usize::from(local.hour().unsigned_abs())) {
            *hour += 1;
        }
        let weekday = usize::from(local.weekday().to_monday_zero_offset().unsigned_abs());
        if let Some(weekday) = self.by_weekday.get_mut(weekday) {
            *weekday += 1;
        }
        *self.by_day.entry(local.date()).or_default() += 1;
    }

    pub(crate) fn suppressed(&mut self, template: Option<&str>) {
        self.message(template).suppressed += 1;
    }

    /// What happened to a run of the workflow itself. `begun` are the steps
    /// that it has begun.
    pub(crate) fn step(
        &mut self,
        definition: &Definition,
        event: &Event,
        begun: &mut HashSet<(StepId, String)>,
    ) {
        let Some(id) = event.step() else { return };
        let Some(step) = definition.steps.get(id.0 as usize) else { return };
        let Some(tally) = self.steps.get_mut(id.0 as usize) else { return };
        let round = event.rounds().map(ToString::to_string).unwrap_or_default();
        if begun.insert((id, round)) {
            tally.reached += 1;
        }
        if let Some((way, times)) = way(step, event) {
            match tally.ways.iter_mut().find(|(known, _)| *known == way) {
                Some((_, count)) => *count += times,
                None => tally.ways.push((way, times)),
            }
        }
    }

    /// What came of a call, if that is what happened.
    pub(crate) fn called(&mut self, definition: &Definition, event: &Event, of: Option<&str>) {
        let Some(step) = event.step().and_then(|id| definition.steps.get(id.0 as usize)) else {
            return;
        };
        match (&step.kind, event) {
            (StepKind::Do(call), Event::StepDone { called: true, output, explanation, .. }) => {
                let skipped = output.is_nothing() && explanation.starts_with("nothing to do");
                let count = self.action(&call.action, of);
                if skipped { count.skipped += 1 } else { count.done += 1 }
            }
            (StepKind::Do(call), Event::AttemptFailed { retry_at: None, .. }) => {
                self.action(&call.action, of).failed += 1;
            }
            _ => {}
        }
    }

    /// The figures. `days` are the first and the last day of the time.
    pub(crate) fn finish(self, definition: &Definition, from: Timestamp, to: Timestamp) -> Figures {
        let mut not_started: Vec<Reason> = self
            .not_started
            .into_iter()
            .map(|(reason, group)| {
                let (count, examples) = group.finish();
                Reason { reason, count, examples }
            })
            .collect();
        not_started.sort_by_key(|reason| std::cmp::Reverse(reason.count));
        let assumptions = self.assumptions.into_iter().map(|(why, count)| (why.to_owned(), count));
        let (first, last) = (local_day(from, &self.zone), local_day(to, &self.zone));
        let mut by_day = self.by_day;
        let mut day = first;
        while day <= last {
            by_day.entry(day).or_default();
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
        let steps = definition.steps.iter().zip(self.steps).map(|(step, tally)| StepCount {
            path: step.path.clone(),
            label: step.label.clone(),
            line: step.line,
            reached: tally.reached,
            ways: tally.ways.into_iter().map(|(what, count)| Count { what, count }).collect(),
        });
        let mut steps: Vec<StepCount> = steps.collect();
        steps.sort_by_key(|step| step.line);
        Figures {
            started: self.started,
            not_started,
            outcomes: counts(self.outcomes.into_iter()),
            sub_runs: counts(self.sub_runs.into_iter()),
            actions: self.actions.into_values().collect(),
            messages: self.messages.into_values().collect(),
            sends: Sends {
                by_hour: self.by_hour,
                by_weekday: self.by_weekday,
                by_day: by_day
                    .into_iter()
                    .map(|(day, count)| Count { what: day.to_string(), count })
                    .collect(),
            },
            steps,
            rests_on: RestsOn { assumptions: counts(assumptions), ..self.rests_on },
        }
    }
}

fn local_day(at: Timestamp, zone: &TimeZone) -> jiff::civil::Date {
    at.to_zoned(zone.clone()).date()
}

/// The most frequent first.
fn counts(of: impl Iterator<Item = (String, u64)>) -> Vec<Count> {
    let mut counts: Vec<Count> = of.map(|(what, count)| Count { what, count }).collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.count));
    counts
}

/// How a run's end is counted: without what is said of its record.
pub(crate) fn outcome(definition: &Definition, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done => "done".to_owned(),
        Outcome::Stopped { outcome, .. } if outcome == "stopped" => "stopped".to_owned(),
        Outcome::Stopped { outcome, .. } => format!("stopped as {outcome}"),
        Outcome::Failed { step, .. } => {
            match definition.steps.iter().find(|known| known.path == *step) {
                Some(known) => format!("failed at {} (line {})", known.label, known.line),
                None => format!("failed at {step}"),
            }
        }
        Outcome::Cancelled { .. } => "cancelled".to_owned(),
    }
}

/// The ways that a step may go, in the order of the source.
fn ways(step: &Step) -> Vec<String> {
    let fixed = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    match &step.kind {
        StepKind::Decide { rows } => rows
            .iter()
            .enumerate()
            .map(|(place, row)| match &row.condition {
                Some(condition) => format!("row {}: {}", place + 1, condition.source.trim()),
                None => format!("row {}: everything else", place + 1),
            })
            .collect(),
        StepKind::Split { arms } => arms.iter().map(|(arm, _)| arm.clone()).collect(),
        StepKind::If { .. } => fixed(&["then", "otherwise"]),
        StepKind::WaitFor(_) => fixed(&["came", "too late"]),
        StepKind::Stop { .. } => fixed(&["went on", "stopped"]),
        StepKind::Deadline(deadline) => {
            let levels = (0..deadline.levels.len()).map(|level| level_name(step, level));
            fixed(&["met"]).into_iter().chain(levels).collect()
        }
        _ => Vec::new(),
    }
}

fn level_name(step: &Step, level: usize) -> String {
    let share = match &step.kind {
        StepKind::Deadline(deadline) => deadline.levels.get(level).map(|level| level.share),
        _ => None,
    };
    match share {
        Some(share) => {
            format!("level {}%", (share * relata_model::Decimal::from(100)).normalize())
        }
        None => format!("level {}", level + 1),
    }
}

/// Which way a step went with an event, and how often.
fn way(step: &Step, event: &Event) -> Option<(String, u64)> {
    let named = |way: &str| Some((way.to_owned(), 1));
    match (&step.kind, event) {
        (StepKind::Deadline(_), Event::LevelReached { level, .. }) => {
            Some((level_name(step, *level as usize), 1))
        }
        (StepKind::ForEach(_), Event::ItemBegan { .. }) => named("items"),
        (StepKind::ForEach(_), Event::ItemsLeftOut { count, .. }) => {
            Some(("items left out".to_owned(), u64::from(*count)))
        }
        (_, Event::StepFailed { .. }) => named("failed"),
        (StepKind::Stop { .. }, Event::Ended { .. } | Event::Ending { .. }) => named("stopped"),
        (kind, Event::StepDone { output, enter, called, explanation, .. }) => match kind {
            StepKind::Decide { .. } => {
                let number = explanation.strip_prefix("row ")?.split(':').next()?;
                let number = number.parse::<usize>().ok()?.checked_sub(1)?;
                Some((ways(step).into_iter().nth(number)?, 1))
            }
            StepKind::Split { .. } => named(output.as_text()?),
            StepKind::If { then, .. } => {
                named(if *enter == Some(*then) { "then" } else { "otherwise" })
            }
            StepKind::WaitFor(_) => {
                named(if *output == Value::Nothing { "too late" } else { "came" })
            }
            StepKind::Deadline(_) if output.as_text() == Some("met") => named("met"),
            StepKind::Stop { .. } => named("went on"),
            StepKind::Do(_) if !called => named("went on after it failed"),
            _ => None,
        },
        _ => None,
    }
}
