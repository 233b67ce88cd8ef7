//! From a definition to its graph.

use relata_model::Value;

use super::{
    Branch, Detail, Exit, ExitKind, Graph, Kind, Lane, Node, clock,
    say::{self, capital, words},
};
use crate::{
    catalog::Catalog,
    definition::{
        BlockId, Deadline, Definition, Do, Expression, ForEach, IfMissed, Occurrence, Pace, Step,
        StepKind, SubRun, Trigger, WaitFor, WhileRunning,
    },
    formula::Formula,
    types::Type,
};

/// The graph of a workflow. The catalog gives the actions their titles; an
/// action that it does not have goes by its name.
#[must_use]
pub fn graph(definition: &Definition, catalog: &Catalog) -> Graph {
    let build = Build { definition, catalog };
    let outputs: Vec<Detail> = definition
        .outputs
        .iter()
        .map(|output| Detail::new(words(&output.name), say::expression(&output.value)))
        .collect();
    let done = Exit { kind: ExitKind::Done, label: "Done".to_owned(), details: outputs };
    let failed =
        Exit { kind: ExitKind::Failed, label: "Ends as failed".to_owned(), details: Vec::new() };
    Graph {
        name: definition.name.clone(),
        title: definition.title.clone(),
        owner: definition.owner.as_deref().map(words),
        triggers: build.triggers(),
        gate: build.gate(),
        main: build.lane("Steps", definition.main, Some(done)),
        ends_early: build.ends_early(),
        rules: build.rules(),
        on_error: definition
            .on_error
            .map(|block| build.lane("If a step fails for good", block, Some(failed))),
        finally: definition
            .finally
            .map(|block| build.lane("At the end, however the run ends", block, None)),
    }
}

struct Build<'a> {
    definition: &'a Definition,
    catalog: &'a Catalog,
}

/// What a step with `ask:` was read into: the request, and the wait for its
/// answer.
struct Asked<'a> {
    step: &'a Step,
    call: &'a Do,
    wait: &'a WaitFor,
}

/// In which time a pace counts.
const fn unit_of(pace: Pace) -> &'static str {
    match pace.in_ms {
        1_000 => "second",
        60_000 => "minute",
        3_600_000 => "hour",
        86_400_000 => "day",
        _ => "while",
    }
}

impl Build<'_> {
    fn node(&self, id: String, kind: Kind, label: String, line: u32) -> Node {
        Node { id, kind, label, details: Vec::new(), line, branches: Vec::new() }
    }

    fn triggers(&self) -> Vec<Node> {
        let mut all: Vec<Node> = self
            .definition
            .triggers
            .iter()
            .enumerate()
            .map(|(number, trigger)| {
                let (label, details) = said_trigger(trigger);
                let id = format!("when[{number}]");
                Node { details, ..self.node(id, Kind::Trigger, label, 0) }
            })
            .collect();
        if all.is_empty() {
            let label = "When another workflow runs it, or a person starts it".to_owned();
            all.push(self.node("when".to_owned(), Kind::Trigger, label, 0));
        }
        let inputs: Vec<Detail> = self
            .definition
            .inputs
            .iter()
            .map(|input| {
                let what = match &input.slot.kind {
                    Type::Choice(words) => format!("one of {}", words.join(", ")),
                    kind => kind.describe(),
                };
                let unless = match &input.default {
                    Some(default) => format!("; {} if not said", say::value(default)),
                    None if input.slot.optional => "; may be left out".to_owned(),
                    None => String::new(),
                };
                let name = input.title.clone().unwrap_or_else(|| words(&input.name));
                Detail::new(name, format!("{what}{unless}"))
            })
            .collect();
        if let [only] = all.as_mut_slice() {
            only.details.extend(inputs);
        } else if !inputs.is_empty() {
            let given = inputs.iter().map(Detail::line).collect::<Vec<_>>().join("; ");
            for trigger in &mut all {
                trigger.details.push(Detail::new("with", given.clone()));
            }
        }
        all
    }

    /// What has to hold, who is left out, and how often.
    fn gate(&self) -> Option<Node> {
        let definition = self.definition;
        let mut details: Vec<Detail> = definition
            .only_if
            .iter()
            .map(|condition| Detail::new("only if", say::statement(condition)))
            .collect();
        if !definition.never_for.is_empty() {
            let segments: Vec<String> =
                definition.never_for.iter().map(|segment| words(segment)).collect();
            let noun = if segments.len() == 1 { "segment" } else { "segments" };
            details.push(Detail::new(
                "never for",
                format!("members of the {noun} {}", say::listed(&segments, "and")),
            ));
        }
        if let Some(repeat) = &definition.repeat {
            let whose = say::formula(&repeat.one_per);
            let whose = whose.strip_prefix("the ").unwrap_or(&whose);
            let counted = repeat
                .counted_from
                .as_ref()
                .map_or_else(String::new, |step| format!(", counted from the {}", words(step)));
            let how = match &repeat.again_after {
                None => format!("once per {whose}, never again"),
                Some(after) if is_at_once(after) => format!("one at a time per {whose}"),
                Some(after) => {
                    format!("at most once per {whose} in {}{counted}", say::formula(after))
                }
            };
            details.push(Detail::new("how often", how));
            let running = match repeat.while_running {
                WhileRunning::Ignore => None,
                WhileRunning::Restart => Some("that run ends, and a new one begins"),
                WhileRunning::Queue => Some("the next one waits until that run has ended"),
                WhileRunning::Parallel => Some("another one begins beside it"),
            };
            if let Some(running) = running {
                details.push(Detail::new("while one is running", running));
            }
        }
        let label = "Does a run start?".to_owned();
        (!details.is_empty())
            .then(|| Node { details, ..self.node("start".to_owned(), Kind::Gate, label, 0) })
    }

    fn ends_early(&self) -> Vec<Detail> {
        self.definition
            .stop_when
            .iter()
            .map(|stop| {
                let outcome =
                    stop.outcome.as_ref().map_or_else(String::new, |outcome| words(outcome));
                let is_known = self.is_of_subject(&stop.occurrence);
                let what = capital(&say::occurrence(&stop.occurrence, None, is_known));
                Detail::sentence(if outcome.is_empty() {
                    what
                } else {
                    format!("{what}: the run counts as {}", say::quoted(&outcome))
                })
            })
            .collect()
    }

    /// Whether something happens to the record that the run is about.
    fn is_of_subject(&self, occurrence: &Occurrence) -> bool {
        let subject = self.definition.subject.as_deref();
        match occurrence {
            Occurrence::Event { name } => {
                subject.is_some_and(|subject| name.split('.').next() == Some(subject))
            }
            _ => subject.is_some(),
        }
    }

    fn rules(&self) -> Vec<Detail> {
        let mut rules = Vec::new();
        if let Some(calendar) = &self.definition.send_in {
            rules.push(Detail::sentence(format!("Messages go out in {} only", words(calendar))));
        }
        if let Some(cap) = &self.definition.hold_above {
            let time = match cap.hours {
                1 => "an hour".to_owned(),
                24 => "a day".to_owned(),
                168 => "a week".to_owned(),
                hours => format!("{hours} hours"),
            };
            rules.push(Detail::sentence(format!(
                "More than {} messages in {time} are held until the owner lets them go",
                cap.count
            )));
        }
        for limit in &self.definition.limits {
            let per = limit
                .per
                .as_ref()
                .map_or_else(String::new, |per| format!(" for each {}", per.source.trim()));
            if let Some(most) = limit.at_once {
                rules.push(Detail::sentence(format!("At most {most} at work at once{per}")));
            }
            if let Some(pace) = limit.pace {
                let unit = unit_of(pace);
                let article = if unit == "hour" { "an" } else { "a" };
                rules.push(Detail::sentence(format!(
                    "No more than {} begin in {article} {unit}{per}",
                    pace.count
                )));
            }
        }
        if let Some(calendar) = &self.definition.calendar {
            rules.push(Detail::sentence(format!("Working time is that of {}", words(calendar))));
        }
        for (name, value) in &self.definition.constants {
            rules.push(Detail::new(words(name), say::value(value)));
        }
        rules
    }

    fn lane(&self, title: &str, block: BlockId, exit: Option<Exit>) -> Lane {
        let branch = self.branch("", Some(block));
        // A block that always stops has its own end.
        let exit = branch.exit.or(exit);
        Lane { title: title.to_owned(), nodes: branch.nodes, exit }
    }

    /// The steps of a block, up to one that always stops.
    fn branch(&self, label: impl Into<String>, block: Option<BlockId>) -> Branch {
        let steps: Vec<&Step> = block
            .map(|block| self.definition.block(block))
            .unwrap_or_default()
            .iter()
            .map(|id| self.definition.step(*id))
            .collect();
        self.way(label, &steps)
    }

    fn way(&self, label: impl Into<String>, steps: &[&Step]) -> Branch {
        let mut nodes = Vec::new();
        let mut exit = None;
        let mut at = 0;
        while let Some(step) = steps.get(at) {
            at += 1;
            if let StepKind::Stop { condition, unless } = &step.kind
                && let Some(Value::YesNo(holds)) = condition.as_literal()
            {
                if holds != unless {
                    exit = Some(stopped());
                    break;
                }
                continue;
            }
            if let Some(asked) = asked(step, steps.get(at).copied()) {
                at += 1;
                nodes.push(self.ask(&asked));
                continue;
            }
            nodes.push(self.step(step));
        }
        Branch { label: label.into(), nodes, exit }
    }

    fn step(&self, step: &Step) -> Node {
        let plain =
            |kind: Kind, label: String| self.node(step.path.clone(), kind, label, step.line);
        let name = step.name.as_deref().map(words).unwrap_or_default();
        match &step.kind {
            StepKind::Do(call) => {
                let mut details = arguments(&call.input);
                details.extend(result(step.name.as_deref()));
                details.extend(fallback(call.if_it_fails.as_ref()));
                Node { details, ..plain(Kind::Action, self.action(&call.action)) }
            }
            StepKind::Decide { rows } => {
                let details = rows
                    .iter()
                    .map(|row| {
                        let value = say::expression(&row.value);
                        let when = row.condition.as_ref().map_or_else(
                            || "otherwise".to_owned(),
                            |condition| format!("if {}", say::statement(condition)),
                        );
                        Detail::new(when, value)
                    })
                    .collect();
                Node { details, ..plain(Kind::Decision, format!("Choose the {name}")) }
            }
            StepKind::If { condition, then, otherwise } => {
                let branches = vec![self.branch("yes", Some(*then)), self.branch("no", *otherwise)];
                Node { branches, ..plain(Kind::Question, say::question(condition)) }
            }
            StepKind::Stop { condition, unless } => {
                let out = |label: &str| Branch {
                    label: label.to_owned(),
                    nodes: Vec::new(),
                    exit: Some(stopped()),
                };
                let on =
                    |label: &str| Branch { label: label.to_owned(), nodes: Vec::new(), exit: None };
                let branches =
                    if *unless { vec![on("yes"), out("no")] } else { vec![out("yes"), on("no")] };
                Node { branches, ..plain(Kind::Stop, say::question(condition)) }
            }
            StepKind::Wait { duration, resume_in } => {
                let is_until = step.label.starts_with("wait_until") || say::is_point(duration);
                let long = match duration {
                    _ if is_until => format!("until {}", say::expression(duration)),
                    Expression::Formula(formula) => {
                        format!("as long as {}", say::formula(formula))
                    }
                    other => say::expression(other),
                };
                let resume = resume_in
                    .as_ref()
                    .map_or_else(String::new, |hours| format!(", then until {}", words(hours)));
                plain(Kind::Wait, format!("Wait {long}{resume}"))
            }
            StepKind::WaitFor(wait) => self.wait_for(step, wait),
            StepKind::Deadline(deadline) => self.deadline(step, deadline),
            StepKind::Split { arms } => {
                let details = arms
                    .iter()
                    .map(|(arm, share)| {
                        let percent = (share * relata_model::Decimal::ONE_HUNDRED).normalize();
                        Detail::new(format!("{percent}%"), words(arm))
                    })
                    .collect();
                Node { details, ..plain(Kind::Split, format!("Draw the {name} by lot")) }
            }
            StepKind::ForEach(each) => self.for_each(step, each),
            StepKind::Parallel { branches } => {
                let branches = branches.iter().map(|block| self.branch("", Some(*block))).collect();
                let label = "At the same time, until all have ended".to_owned();
                Node { branches, ..plain(Kind::Parallel, label) }
            }
            StepKind::Run(run) => self.sub_run(step, run),
            StepKind::Set { values } => {
                let one = |(name, value): &(String, Expression)| {
                    Detail::new(words(name), say::expression(value))
                };
                match values.as_slice() {
                    [(name, value)] => plain(
                        Kind::Set,
                        format!("Set {} to {}", words(name), say::expression(value)),
                    ),
                    several => Node {
                        details: several.iter().map(one).collect(),
                        ..plain(Kind::Set, "Set some values".to_owned())
                    },
                }
            }
        }
    }

    /// An action's title, or its name as words.
    fn action(&self, action: &str) -> String {
        let title = self.catalog.actions.get(action).map(|signature| signature.title.trim());
        match title.filter(|title| !title.is_empty()) {
            Some(title) => title.to_owned(),
            None => match action.split_once('.') {
                Some((plugin, what)) => {
                    format!("{}: {}", capital(&words(plugin)), words(what))
                }
                None => capital(&words(action)),
            },
        }
    }

    fn wait_for(&self, step: &Step, wait: &WaitFor) -> Node {
        // What a step began is known, and so is the run's record.
        let is_known = wait.since.is_some() || self.is_of_subject(&wait.occurrence);
        let what = say::occurrence(&wait.occurrence, wait.about.as_ref(), is_known);
        let label = format!("Wait until {what}");
        let mut details = Vec::new();
        if let Some(since) = &wait.since {
            details.push(Detail::new("counted since", format!("the {}", words(since))));
        }
        details.extend(result(step.name.as_deref()));
        let mut branches = Vec::new();
        match &wait.up_to {
            Some(up_to) if wait.then.is_some() || wait.otherwise.is_some() => {
                branches.push(self.branch("it happens", wait.then));
                let late = format!("not within {}", say::expression(up_to));
                branches.push(self.branch(late, wait.otherwise));
            }
            Some(up_to) => {
                details.insert(0, Detail::new("at most", say::expression(up_to)));
            }
            None if wait.then.is_some() => branches.push(self.branch("it happens", wait.then)),
            None => {}
        }
        Node {
            id: step.path.clone(),
            kind: Kind::WaitFor,
            label,
            details,
            line: step.line,
            branches,
        }
    }

    fn deadline(&self, step: &Step, deadline: &Deadline) -> Node {
        let mut details = vec![Detail::new("met when", say::statement(&deadline.met_when))];
        if let Some(calendar) = &deadline.calendar {
            details.push(Detail::new("time counts in", words(calendar)));
        }
        if let Some(pause) = &deadline.pause_while {
            details.push(Detail::new("stands still while", say::statement(pause)));
        }
        let met = Branch { label: "met".to_owned(), nodes: Vec::new(), exit: None };
        let levels = deadline.levels.iter().map(|level| {
            let percent = (level.share * relata_model::Decimal::ONE_HUNDRED).normalize();
            self.branch(format!("at {percent}% of the time"), Some(level.block))
        });
        Node {
            id: step.path.clone(),
            kind: Kind::Deadline,
            label: format!("Deadline: {}", say::expression(&deadline.within)),
            details,
            line: step.line,
            branches: std::iter::once(met).chain(levels).collect(),
        }
    }

    fn for_each(&self, step: &Step, each: &ForEach) -> Node {
        let mut details = Vec::new();
        if let Some(only_if) = &each.only_if {
            details.push(Detail::new("only if", say::statement(only_if)));
        }
        if each.at_once > 1 {
            details.push(Detail::sentence(format!("Up to {} at a time", each.at_once)));
        }
        if let Some(pace) = each.pace {
            let unit = unit_of(pace);
            details.push(Detail::sentence(format!("Not more than {} per {unit}", pace.count)));
        }
        Node {
            id: step.path.clone(),
            kind: Kind::Loop,
            label: format!("For each {} of {}", words(&each.item), say::formula(&each.list)),
            details,
            line: step.line,
            branches: vec![self.branch("", Some(each.block))],
        }
    }

    fn sub_run(&self, step: &Step, run: &SubRun) -> Node {
        let mut details = arguments(&run.input);
        if let Some(up_to) = &run.up_to {
            details.push(Detail::new("at most", say::expression(up_to)));
        }
        details.extend(result(step.name.as_deref()));
        details.extend(fallback(run.if_it_fails.as_ref()));
        Node {
            id: step.path.clone(),
            kind: Kind::Workflow,
            label: format!("Run the workflow {}", say::quoted(&words(&run.workflow))),
            details,
            line: step.line,
            branches: Vec::new(),
        }
    }

    /// A question to a person, as it was before it was read into its parts.
    fn ask(&self, asked: &Asked<'_>) -> Node {
        let argument = |name: &str| {
            asked.call.input.iter().find(|argument| argument.name == name).map(|found| &found.value)
        };
        let who = argument("who").map_or_else(|| "somebody".to_owned(), say::expression);
        let question = argument("question").map_or_else(String::new, say::expression);
        let mut details = vec![Detail::new("question", question)];
        if let Some(answers) = argument("answers") {
            details.push(Detail::new("answers", say::expression(answers)));
        }
        details.extend(result(
            asked.step.name.as_deref().and_then(|name| name.strip_suffix("_asked")),
        ));
        let mut branches = Vec::new();
        if let Some(up_to) = &asked.wait.up_to {
            let then = self.own(asked, asked.wait.then);
            let otherwise = self.own(asked, asked.wait.otherwise);
            if then.is_empty() && otherwise.is_empty() {
                details.push(Detail::new("at most", say::expression(up_to)));
            } else {
                branches.push(self.way("answered", &then));
                let late = format!("no answer within {}", say::expression(up_to));
                branches.push(self.way(late, &otherwise));
            }
        }
        Node {
            id: asked.step.path.clone(),
            kind: Kind::Ask,
            label: format!("Ask {who}"),
            details,
            line: asked.step.line,
            branches,
        }
    }

    /// The steps of a branch of an `ask:` that its author wrote: without the
    /// ones that take note of the answer.
    fn own(&self, asked: &Asked<'_>, block: Option<BlockId>) -> Vec<&Step> {
        let name = asked.step.name.as_deref().and_then(|name| name.strip_suffix("_asked"));
        block
            .map(|block| self.definition.block(block))
            .unwrap_or_default()
            .iter()
            .map(|id| self.definition.step(*id))
            .filter(|step| match &step.kind {
                StepKind::Do(call) => call.action != "approval.close",
                StepKind::Set { values } => !matches!(
                    values.as_slice(),
                    [(set, _)] if Some(set.as_str()) == name
                ),
                _ => true,
            })
            .collect()
    }
}

fn stopped() -> Exit {
    Exit { kind: ExitKind::Stopped, label: "Stopped".to_owned(), details: Vec::new() }
}

/// Whether two steps are the two halves of an `ask:`.
fn asked<'a>(step: &'a Step, next: Option<&'a Step>) -> Option<Asked<'a>> {
    let StepKind::Do(call) = &step.kind else { return None };
    let StepKind::WaitFor(wait) = &next?.kind else { return None };
    (call.action == "approval.request" && step.name.is_some() && wait.since == step.name)
        .then_some(Asked { step, call, wait })
}

fn said_trigger(trigger: &Trigger) -> (String, Vec<Detail>) {
    match trigger {
        Trigger::Occurrence(occurrence) => {
            (format!("When {}", say::occurrence(occurrence, None, false)), Vec::new())
        }
        Trigger::Schedule(schedule) => {
            let missed = match schedule.if_missed {
                IfMissed::Once => None,
                IfMissed::All => Some("each is made up for"),
                IfMissed::Skip => Some("nothing happens"),
            };
            let mut details = vec![Detail::new("time zone", &schedule.time_zone)];
            details.extend(missed.map(|missed| Detail::new("if times were missed", missed)));
            (format!("By the clock: {}", clock::said(schedule)), details)
        }
        Trigger::Webhook(webhook) => {
            let signed =
                if webhook.secret.is_some() { "its calls are signed" } else { "anybody may call" };
            (
                format!("When another program calls {}", say::quoted(&webhook.name)),
                vec![Detail::sentence(capital(signed))],
            )
        }
        Trigger::Button(button) => {
            let details = button
                .object
                .iter()
                .map(|object| Detail::new("on the page of", format!("a {}", words(object))))
                .collect();
            (format!("When somebody presses {}", say::quoted(&button.label)), details)
        }
    }
}

/// What a step is given. A set of fields has a line for each.
fn arguments(input: &[crate::definition::Argument]) -> Vec<Detail> {
    let mut details = Vec::new();
    for argument in input {
        match &argument.value {
            Expression::Map(parts) if !parts.is_empty() => {
                for (name, part) in parts {
                    details.push(Detail::new(words(name), say::expression(part)));
                }
            }
            value => {
                let (about, value) = (words(&argument.name), say::expression(value));
                // `team: team/dach` need not be told twice.
                let value = value.strip_prefix(&format!("{about} ")).unwrap_or(&value).to_owned();
                details.push(Detail::new(about, value));
            }
        }
    }
    details
}

fn result(name: Option<&str>) -> Option<Detail> {
    name.map(|name| Detail::new("gives", format!("the {}", words(name))))
}

fn fallback(value: Option<&Expression>) -> Option<Detail> {
    value.map(|value| Detail::new("if it fails, go on with", say::expression(value)))
}

/// Whether `again_after` says: at once.
fn is_at_once(formula: &Formula) -> bool {
    matches!(
        formula.as_literal(),
        Some(Value::Duration(duration)) if *duration == relata_model::Duration::default()
    )
}
