//! Workflows with one fault each. A test that is worth its name fails for
//! every one of them; one for which all cases hold shows what nobody tests.
//!
//! What could make no difference is left out: a guard whose place another
//! refusal takes, a `repeat` that can never be met, shares of a split, which
//! no single case can see.

mod expressions;
mod formulas;
mod steps;

use relata_model::Value;

use crate::{
    definition::{Definition, Occurrence, Repeat, StepKind, Trigger, WhileRunning},
    formula::Formula,
};

pub use steps::is_made_up;

use expressions::longer_or_shorter;

/// A workflow with one fault.
#[derive(Debug, Clone, PartialEq)]
pub struct Mutant {
    /// What was changed: "`score <= 2` becomes `score < 2`".
    pub what: String,
    /// Where in the workflow's file, from 1; 0 where that is not known.
    pub line: u32,
    /// The path of the step that was changed; none for the head. A case that
    /// never comes to the step cannot see the fault.
    pub step: Option<String>,
    /// The faulty workflow.
    pub definition: Definition,
}

/// Above so many messages no test would send enough to meet the limit.
const MOST_MESSAGES: u64 = 20;

/// All workflows that differ from this one by one fault. `source` is its
/// text, for the lines.
#[must_use]
pub fn mutants(definition: &Definition, source: &str) -> Vec<Mutant> {
    let mut maker = Maker { definition, source, made: Vec::new() };
    maker.triggers();
    maker.conditions_of_the_start();
    maker.repeat();
    maker.stop_when();
    maker.messages();
    maker.steps();
    maker.outputs();
    maker.made
}

/// Mutants in the making.
struct Maker<'a> {
    definition: &'a Definition,
    source: &'a str,
    made: Vec<Mutant>,
}

impl Maker<'_> {
    /// Adds a mutant, unless it is the workflow itself or there already.
    fn add(
        &mut self,
        what: impl Into<String>,
        line: u32,
        step: Option<&str>,
        change: impl FnOnce(&mut Definition),
    ) {
        let mut definition = self.definition.clone();
        change(&mut definition);
        let is_new = definition != *self.definition
            && !self.made.iter().any(|mutant| mutant.definition == definition);
        if is_new {
            let step = step.map(str::to_owned);
            self.made.push(Mutant { what: what.into(), line, step, definition });
        }
    }

    /// The line on which a key of the head stands; the first one after it
    /// that has a word in it, if one is given.
    fn line(&self, key: &str, word: Option<&str>) -> u32 {
        line_of(self.source, key, word)
    }

    fn triggers(&mut self) {
        for (place, trigger) in self.definition.triggers.iter().enumerate() {
            let what = trigger_name(trigger);
            let line = self.line("when", Some(&what));
            if self.definition.triggers.len() > 1 {
                self.add(format!("without the trigger `{what}`"), line, None, |definition| {
                    definition.triggers.remove(place);
                });
            }
            let Trigger::Occurrence(occurrence) = trigger else { continue };
            for (change, occurrence) in looser(occurrence) {
                self.add(format!("`{what}` {change}"), line, None, |definition| {
                    definition.triggers[place] = Trigger::Occurrence(occurrence);
                });
            }
        }
    }

    /// `only_if`, `never_for`
    fn conditions_of_the_start(&mut self) {
        for (place, condition) in self.definition.only_if.iter().enumerate() {
            let line = condition.line;
            self.add(format!("without `only_if: {condition}`"), line, None, |definition| {
                definition.only_if.remove(place);
            });
            for (what, mutant) in formulas::of_condition(condition, true) {
                self.add(what, line, None, |definition| definition.only_if[place] = mutant);
            }
        }
        for (place, segment) in self.definition.never_for.iter().enumerate() {
            let line = self.line("never_for", Some(segment));
            self.add(format!("without `never_for: segment/{segment}`"), line, None, |definition| {
                definition.never_for.remove(place);
            });
        }
    }

    fn repeat(&mut self) {
        let Some(repeat) = &self.definition.repeat else { return };
        if can_never_meet(self.definition, repeat) {
            return;
        }
        let line = self.line("repeat", None);
        self.add("without `repeat`", line, None, |definition| definition.repeat = None);
        if let Some(again_after) = &repeat.again_after {
            let line = self.line("repeat", Some("again_after"));
            for (what, mutant) in formulas::of_value(again_after) {
                self.add(format!("again_after: {what}"), line, None, |definition| {
                    if let Some(repeat) = &mut definition.repeat {
                        repeat.again_after = Some(mutant);
                    }
                });
            }
        }
        if let Some(step) = &repeat.counted_from {
            let line = self.line("repeat", Some("counted_from"));
            let what = format!("without `counted_from: {step}`");
            self.add(what, line, None, |definition| {
                if let Some(repeat) = &mut definition.repeat {
                    repeat.counted_from = None;
                }
            });
        }
        let other = match repeat.while_running {
            // Where it is never to run again, it does not matter that it runs.
            WhileRunning::Ignore if repeat.again_after.is_none() => return,
            WhileRunning::Ignore => WhileRunning::Parallel,
            WhileRunning::Restart | WhileRunning::Queue | WhileRunning::Parallel => {
                WhileRunning::Ignore
            }
        };
        let word = |running: WhileRunning| match running {
            WhileRunning::Ignore => "ignore",
            WhileRunning::Restart => "restart",
            WhileRunning::Queue => "queue",
            WhileRunning::Parallel => "parallel",
        };
        let line = self.line("repeat", Some("while_running"));
        let what =
            format!("`while_running: {}` becomes `{}`", word(repeat.while_running), word(other));
        self.add(what, line, None, |definition| {
            if let Some(repeat) = &mut definition.repeat {
                repeat.while_running = other;
            }
        });
    }

    fn stop_when(&mut self) {
        for (place, stop) in self.definition.stop_when.iter().enumerate() {
            let what = occurrence_name(&stop.occurrence);
            let line = self.line("stop_when", Some(&what));
            self.add(format!("without `stop_when: {what}`"), line, None, |definition| {
                definition.stop_when.remove(place);
            });
            for (change, occurrence) in looser(&stop.occurrence) {
                self.add(format!("stop_when: `{what}` {change}"), line, None, |definition| {
                    definition.stop_when[place].occurrence = occurrence;
                });
            }
            if let Some(outcome) = &stop.outcome {
                let line = self.line("stop_when", Some(outcome));
                self.add(format!("without `outcome: {outcome}`"), line, None, |definition| {
                    definition.stop_when[place].outcome = None;
                });
            }
        }
    }

    /// `send_in`, `hold_above`
    fn messages(&mut self) {
        if let Some(calendar) = &self.definition.send_in {
            let line = self.line("send_in", None);
            self.add(format!("without `send_in: {calendar}`"), line, None, |definition| {
                definition.send_in = None;
            });
        }
        if let Some(cap) = self.definition.hold_above.filter(|cap| cap.count <= MOST_MESSAGES) {
            let line = self.line("hold_above", None);
            self.add("without `hold_above`", line, None, |definition| {
                definition.hold_above = None;
            });
            let what = format!("`hold_above: {}` becomes {}", cap.count, cap.count + 1);
            self.add(what, line, None, |definition| {
                if let Some(cap) = &mut definition.hold_above {
                    cap.count += 1;
                }
            });
        }
    }

    fn outputs(&mut self) {
        for (place, output) in self.definition.outputs.iter().enumerate() {
            let line = self.line("outputs", Some(&format!("{}:", output.name)));
            let what = format!("without the output `{}`", output.name);
            self.add(what, line, None, |definition| {
                definition.outputs.remove(place);
            });
            for (what, mutant) in expressions::of(&output.value) {
                self.add(what, line, None, |definition| definition.outputs[place].value = mutant);
            }
        }
    }
}

/// The line of a workflow's text on which a key of its head stands; the first
/// one from there that has a word in it, if one is given. 0 where there is no
/// such key.
#[must_use]
pub fn line_of(source: &str, key: &str, word: Option<&str>) -> u32 {
    let lines = || (1_u32..).zip(source.lines());
    let is_key =
        |line: &str| line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':'));
    let Some((first, _)) = lines().find(|(_, line)| is_key(line.trim_start())) else {
        return 0;
    };
    let Some(word) = word else { return first };
    lines()
        .skip_while(|(number, _)| *number < first)
        .take_while(|(number, line)| *number == first || !begins_anew(line))
        .find(|(_, line)| line.contains(word))
        .map_or(first, |(number, _)| number)
}

/// Whether a line begins another key of the head.
fn begins_anew(line: &str) -> bool {
    line.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Whether `repeat` can never keep a run from starting: a record is created
/// once, and has one run.
fn can_never_meet(definition: &Definition, repeat: &Repeat) -> bool {
    let path = repeat.one_per.as_path();
    path.is_some()
        && path == definition.subject
        && definition
            .triggers
            .iter()
            .all(|trigger| matches!(trigger, Trigger::Occurrence(Occurrence::Created { .. })))
}

/// What happens, as the workflow says it, without its values.
#[must_use]
pub fn occurrence_name(occurrence: &Occurrence) -> String {
    match occurrence {
        Occurrence::Created { object } => format!("created: {object}"),
        Occurrence::Changed { object, field: None, .. } => format!("changed: {object}"),
        Occurrence::Changed { object, field: Some(field), .. } => {
            format!("changed: {object}.{field}")
        }
        Occurrence::Enters { segment } => format!("enters: segment/{segment}"),
        Occurrence::Event { name } => format!("event: {name}"),
    }
}

/// What starts a run, as the workflow says it.
#[must_use]
pub fn trigger_name(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Occurrence(occurrence) => occurrence_name(occurrence),
        Trigger::Schedule(schedule) => schedule.written.clone(),
        Trigger::Webhook(webhook) => format!("webhook: {}", webhook.name),
        Trigger::Button(button) => format!("button: {}", button.label),
    }
}

/// The same, of more than was meant, or less.
fn looser(occurrence: &Occurrence) -> Vec<(String, Occurrence)> {
    let Occurrence::Changed { object, field, from, to } = occurrence else { return Vec::new() };
    let changed = |from: &[Value], to: &[Value]| Occurrence::Changed {
        object: object.clone(),
        field: field.clone(),
        from: from.to_vec(),
        to: to.to_vec(),
    };
    let mut all = Vec::new();
    for (key, values) in [("from", from), ("to", to)] {
        let with = |values: &[Value]| match key {
            "from" => changed(values, to),
            _ => changed(from, values),
        };
        if values.is_empty() {
            continue;
        }
        all.push((format!("without `{key}`"), with(&[])));
        if values.len() > 1 {
            for place in 0..values.len() {
                let mut fewer = values.clone();
                let value = fewer.remove(place);
                all.push((format!("without `{key}: {value}`"), with(&fewer)));
            }
        }
    }
    all
}

/// The name of a step's kind and what is special about it, for a sentence.
fn step_name(step: &crate::definition::Step) -> String {
    match &step.kind {
        StepKind::Do(call) => format!("do: {}", call.action),
        _ => step.label.clone(),
    }
}

/// A formula with durations twice as long and half as long.
fn durations(formula: &Formula) -> Vec<(String, Formula)> {
    use crate::formula::tree::NodeKind;
    let mut all = Vec::new();
    for (place, node) in formula.nodes.iter().enumerate() {
        let NodeKind::Literal(Value::Duration(duration)) = &node.kind else { continue };
        for other in longer_or_shorter(*duration) {
            let mut mutant = formula.clone();
            mutant.nodes[place].kind = NodeKind::Literal(Value::Duration(other));
            all.push((format!("`{duration}` becomes `{other}`"), mutant));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::expressions::halved;

    #[test]
    fn half_of_what_has_no_half_is_left_out() {
        let halves = |text: &str| halved(text.parse().unwrap()).map(|half| half.to_string());
        assert_eq!(halves("24 hours").as_deref(), Some("12 hours"));
        assert_eq!(halves("7 days").as_deref(), Some("3 days"));
        assert_eq!(halves("1 working day"), None);
        assert_eq!(halves("1 working hour").as_deref(), Some("30 working minutes"));
    }
}
