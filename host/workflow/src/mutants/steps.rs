//! Faulty steps.

use relata_model::Decimal;

use super::{Maker, expressions, formulas, looser, occurrence_name, step_name};
use crate::definition::{
    Deadline, Definition, Do, Expression, ForEach, Retry, Row, Step, StepId, StepKind, SubRun,
    WaitFor,
};

impl Maker<'_> {
    pub(super) fn steps(&mut self) {
        for step in &self.definition.steps {
            self.dropped(step);
            self.step(step);
        }
    }

    /// The workflow without a step.
    fn dropped(&mut self, step: &Step) {
        if is_made_up(step) {
            return;
        }
        let what = format!("without this step: `{}`", step_name(step));
        let id = step.id;
        self.add(what, step.line, Some(&step.path), |definition| {
            for block in &mut definition.blocks {
                block.retain(|other| *other != id);
            }
        });
    }

    /// The workflow with another step in the place of this one.
    fn with(&mut self, step: &Step, line: u32, what: String, change: impl FnOnce(&mut StepKind)) {
        let id = step.id;
        self.add(what, line, Some(&step.path), |definition| change(kind(definition, id)));
    }

    fn step(&mut self, step: &Step) {
        match &step.kind {
            StepKind::Do(call) => self.call(step, call),
            StepKind::Decide { rows } => self.decision(step, rows),
            StepKind::If { condition, .. } => {
                for (what, mutant) in formulas::of_condition(condition, false) {
                    self.with(step, condition.line, what, |kind| {
                        if let StepKind::If { condition, .. } = kind {
                            *condition = mutant;
                        }
                    });
                }
            }
            StepKind::Stop { condition, .. } => {
                for (what, mutant) in formulas::of_condition(condition, false) {
                    self.with(step, condition.line, what, |kind| {
                        if let StepKind::Stop { condition, .. } = kind {
                            *condition = mutant;
                        }
                    });
                }
            }
            StepKind::Wait { duration, resume_in } => {
                for (what, mutant) in expressions::of(duration) {
                    self.with(step, step.line, format!("wait: {what}"), |kind| {
                        if let StepKind::Wait { duration, .. } = kind {
                            *duration = mutant;
                        }
                    });
                }
                if let Some(calendar) = resume_in {
                    let what = format!("without `resume_in: {calendar}`");
                    self.with(step, step.line, what, |kind| {
                        if let StepKind::Wait { resume_in, .. } = kind {
                            *resume_in = None;
                        }
                    });
                }
            }
            StepKind::WaitFor(wait) => self.wait_for(step, wait),
            StepKind::Deadline(deadline) => self.deadline(step, deadline),
            StepKind::ForEach(each) => self.for_each(step, each),
            StepKind::Parallel { branches } => {
                for place in (0..branches.len()).filter(|_| branches.len() > 1) {
                    let what = format!("without branch {}", place + 1);
                    self.with(step, step.line, what, |kind| {
                        if let StepKind::Parallel { branches } = kind {
                            branches.remove(place);
                        }
                    });
                }
            }
            StepKind::Run(run) => self.sub_run(step, run),
            StepKind::Set { values } => {
                if is_made_up(step) {
                    return;
                }
                for (place, (name, value)) in values.iter().enumerate() {
                    if values.len() > 1 {
                        self.with(step, step.line, format!("without `set: {name}`"), |kind| {
                            if let StepKind::Set { values } = kind {
                                values.remove(place);
                            }
                        });
                    }
                    for (what, mutant) in expressions::of(value) {
                        self.with(step, step.line, format!("{name}: {what}"), |kind| {
                            if let StepKind::Set { values } = kind {
                                values[place].1 = mutant;
                            }
                        });
                    }
                }
            }
            // No single case can tell one share from another.
            StepKind::Split { .. } => {}
        }
    }

    fn call(&mut self, step: &Step, call: &Do) {
        if is_made_up(step) {
            return;
        }
        for (place, argument) in call.input.iter().enumerate() {
            let name = &argument.name;
            // What an `ask` says of its time, its wait says as well.
            if step.label.starts_with("ask") && name == "due_at" {
                continue;
            }
            self.with(step, step.line, format!("without the argument `{name}`"), |kind| {
                if let StepKind::Do(call) = kind {
                    call.input.remove(place);
                }
            });
            let faulty = expressions::without_a_part(&argument.value)
                .into_iter()
                .chain(expressions::of(&argument.value));
            for (what, mutant) in faulty {
                self.with(step, step.line, format!("{name}: {what}"), |kind| {
                    if let StepKind::Do(call) = kind {
                        call.input[place].value = mutant;
                    }
                });
            }
        }
        if call.retry != Retry::default() && call.retry.times > 0 {
            let what = format!("without `retry: {} times`", call.retry.times);
            self.with(step, step.line, what, |kind| {
                if let StepKind::Do(call) = kind {
                    call.retry.times = 0;
                }
            });
        }
        if let Some(value) = &call.if_it_fails {
            self.with(step, step.line, "without `if_it_fails`".to_owned(), |kind| {
                if let StepKind::Do(call) = kind {
                    call.if_it_fails = None;
                }
            });
            for (what, mutant) in expressions::of(value) {
                self.with(step, step.line, format!("if_it_fails: {what}"), |kind| {
                    if let StepKind::Do(call) = kind {
                        call.if_it_fails = Some(mutant);
                    }
                });
            }
        }
    }

    fn decision(&mut self, step: &Step, rows: &[Row]) {
        for (place, row) in rows.iter().enumerate() {
            // Without the last row some decisions could not be made at all.
            if rows.len() > 1 && place + 1 < rows.len() {
                let what = format!("without row {}", place + 1);
                self.with(step, row.line, what, |kind| {
                    if let StepKind::Decide { rows } = kind {
                        rows.remove(place);
                    }
                });
            }
            let conditions =
                row.condition.iter().flat_map(|condition| formulas::of_condition(condition, false));
            for (what, mutant) in conditions {
                self.with(step, row.line, what, |kind| {
                    if let StepKind::Decide { rows } = kind {
                        rows[place].condition = Some(mutant);
                    }
                });
            }
            for (what, mutant) in expressions::of(&row.value) {
                self.with(step, row.line, format!("use: {what}"), |kind| {
                    if let StepKind::Decide { rows } = kind {
                        rows[place].value = mutant;
                    }
                });
            }
        }
    }

    fn wait_for(&mut self, step: &Step, wait: &WaitFor) {
        let change = |kind: &mut StepKind, change: &dyn Fn(&mut WaitFor)| {
            if let StepKind::WaitFor(wait) = kind {
                change(wait);
            }
        };
        let name = occurrence_name(&wait.occurrence);
        for (what, occurrence) in looser(&wait.occurrence) {
            self.with(step, step.line, format!("wait_for: `{name}` {what}"), |kind| {
                change(kind, &|wait| wait.occurrence = occurrence.clone());
            });
        }
        if let Some(limit) = &wait.up_to {
            for (what, mutant) in expressions::of(limit) {
                self.with(step, step.line, format!("up_to: {what}"), |kind| {
                    change(kind, &|wait| wait.up_to = Some(mutant.clone()));
                });
            }
        }
        if let Some(since) = &wait.since
            && since_matters(self.definition, step, wait, since)
        {
            self.with(step, step.line, format!("without `since: {since}`"), |kind| {
                change(kind, &|wait| wait.since = None);
            });
        }
        if wait.then != wait.otherwise && !is_made_up(step) {
            let what = "`then` and `otherwise` change places".to_owned();
            self.with(step, step.line, what, |kind| {
                change(kind, &|wait| std::mem::swap(&mut wait.then, &mut wait.otherwise));
            });
        }
    }

    fn deadline(&mut self, step: &Step, deadline: &Deadline) {
        let change = |kind: &mut StepKind, change: &dyn Fn(&mut Deadline)| {
            if let StepKind::Deadline(deadline) = kind {
                change(deadline);
            }
        };
        for (what, mutant) in expressions::of(&deadline.within) {
            self.with(step, step.line, format!("deadline: {what}"), |kind| {
                change(kind, &|deadline| deadline.within = mutant.clone());
            });
        }
        if deadline.calendar.is_some() && deadline.calendar != self.definition.calendar {
            let calendar = deadline.calendar.clone().unwrap_or_default();
            self.with(step, step.line, format!("without `calendar: {calendar}`"), |kind| {
                change(kind, &|deadline| deadline.calendar = None);
            });
        }
        for (what, mutant) in formulas::of_condition(&deadline.met_when, false) {
            self.with(step, deadline.met_when.line, format!("met_when: {what}"), |kind| {
                change(kind, &|deadline| deadline.met_when = mutant.clone());
            });
        }
        if let Some(condition) = &deadline.pause_while {
            self.with(step, condition.line, "without `pause_while`".to_owned(), |kind| {
                change(kind, &|deadline| deadline.pause_while = None);
            });
            for (what, mutant) in formulas::of_condition(condition, false) {
                self.with(step, condition.line, format!("pause_while: {what}"), |kind| {
                    change(kind, &|deadline| deadline.pause_while = Some(mutant.clone()));
                });
            }
        }
        let mut before = Decimal::ZERO;
        for (place, level) in deadline.levels.iter().enumerate() {
            let percent = |share: Decimal| (share * Decimal::ONE_HUNDRED).normalize();
            let line = self.level_line(level.block, step.line);
            if deadline.levels.len() > 1 {
                let what = format!("without the level at {}%", percent(level.share));
                self.with(step, line, what, |kind| {
                    change(kind, &|deadline| {
                        deadline.levels.remove(place);
                    });
                });
            }
            let earlier = (before + level.share) / Decimal::TWO;
            let what =
                format!("`at: {}%` becomes `at: {}%`", percent(level.share), percent(earlier));
            self.with(step, line, what, |kind| {
                change(kind, &|deadline| deadline.levels[place].share = earlier);
            });
            before = level.share;
        }
    }

    /// The line of the first step of a block.
    fn level_line(&self, block: crate::definition::BlockId, otherwise: u32) -> u32 {
        let steps = self.definition.blocks.get(block.0 as usize);
        let first = steps.and_then(|steps| steps.first());
        first.map_or(otherwise, |first| self.definition.step(*first).line)
    }

    fn for_each(&mut self, step: &Step, each: &ForEach) {
        let change = |kind: &mut StepKind, change: &dyn Fn(&mut ForEach)| {
            if let StepKind::ForEach(each) = kind {
                change(each);
            }
        };
        for (what, mutant) in formulas::of_value(&each.list) {
            self.with(step, each.list.line, what, |kind| {
                change(kind, &|each| each.list = mutant.clone());
            });
        }
        if let Some(condition) = &each.only_if {
            self.with(step, condition.line, format!("without `only_if: {condition}`"), |kind| {
                change(kind, &|each| each.only_if = None);
            });
            for (what, mutant) in formulas::of_condition(condition, false) {
                self.with(step, condition.line, what, |kind| {
                    change(kind, &|each| each.only_if = Some(mutant.clone()));
                });
            }
        }
        if each.pace.is_some() {
            self.with(step, step.line, "without `pace`".to_owned(), |kind| {
                change(kind, &|each| each.pace = None);
            });
        }
        if each.at_once > 1 && waits(self.definition, each.block, 0) {
            let what = format!("`at_once: {}` becomes 1", each.at_once);
            self.with(step, step.line, what, |kind| change(kind, &|each| each.at_once = 1));
        }
    }

    fn sub_run(&mut self, step: &Step, run: &SubRun) {
        let change = |kind: &mut StepKind, change: &dyn Fn(&mut SubRun)| {
            if let StepKind::Run(run) = kind {
                change(run);
            }
        };
        for (place, argument) in run.input.iter().enumerate() {
            let what = format!("without the input `{}`", argument.name);
            self.with(step, step.line, what, |kind| {
                change(kind, &|run| {
                    run.input.remove(place);
                });
            });
            for (what, mutant) in expressions::of(&argument.value) {
                self.with(step, step.line, format!("{}: {what}", argument.name), |kind| {
                    change(kind, &|run| run.input[place].value = mutant.clone());
                });
            }
        }
        if let Some(limit) = &run.up_to {
            for (what, mutant) in expressions::of(limit) {
                self.with(step, step.line, format!("up_to: {what}"), |kind| {
                    change(kind, &|run| run.up_to = Some(mutant.clone()));
                });
            }
        }
        if let Some(value) = &run.if_it_fails {
            self.with(step, step.line, "without `if_it_fails`".to_owned(), |kind| {
                change(kind, &|run| run.if_it_fails = None);
            });
            for (what, mutant) in expressions::of(value) {
                self.with(step, step.line, format!("if_it_fails: {what}"), |kind| {
                    change(kind, &|run: &mut SubRun| {
                        run.if_it_fails = Some(Expression::clone(&mutant));
                    });
                });
            }
        }
    }
}

fn kind(definition: &mut Definition, id: StepId) -> &mut StepKind {
    &mut definition.steps[id.0 as usize].kind
}

/// Whether a step is one of those of which the reader makes an `ask`, beside
/// the one that asks: nobody wrote it.
#[must_use]
pub fn is_made_up(step: &Step) -> bool {
    let asks = matches!(&step.kind, StepKind::Do(call) if call.action == "approval.request");
    step.label.starts_with("ask") && !asks
}

/// Whether a block waits for something, itself or in the blocks of its steps.
fn waits(definition: &Definition, block: crate::definition::BlockId, depth: usize) -> bool {
    let Some(steps) = definition.blocks.get(block.0 as usize) else { return false };
    depth < 16
        && steps.iter().any(|step| match &definition.step(*step).kind {
            StepKind::Wait { .. }
            | StepKind::WaitFor(_)
            | StepKind::Deadline(_)
            | StepKind::Run(_) => true,
            StepKind::If { then, otherwise, .. } => {
                waits(definition, *then, depth + 1)
                    || otherwise.is_some_and(|block| waits(definition, block, depth + 1))
            }
            StepKind::ForEach(each) => waits(definition, each.block, depth + 1),
            StepKind::Parallel { branches } => {
                branches.iter().any(|block| waits(definition, *block, depth + 1))
            }
            StepKind::Do(_)
            | StepKind::Decide { .. }
            | StepKind::Split { .. }
            | StepKind::Set { .. }
            | StepKind::Stop { .. } => false,
        })
}

/// Whether `since` can make a difference: where the event carries the key of
/// that step's result, or where time goes by in between.
fn since_matters(definition: &Definition, step: &Step, wait: &WaitFor, since: &str) -> bool {
    if is_made_up(step) {
        return false;
    }
    let named = definition.steps.iter().find(|other| other.name.as_deref() == Some(since));
    let keyed = named.is_some_and(|other| match (&other.kind, &wait.occurrence) {
        (StepKind::Do(call), crate::definition::Occurrence::Event { name }) => {
            call.correlation.iter().any(|(event, _)| event == name)
        }
        _ => false,
    });
    let directly_before = named.is_some_and(|other| {
        definition
            .blocks
            .iter()
            .any(|block| block.windows(2).any(|pair| pair[0] == other.id && pair[1] == step.id))
    });
    keyed || !directly_before
}
