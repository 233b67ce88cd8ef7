//! Steps that choose: `decide`, `if`, `split`, `stop_if` and `set`.

use std::collections::BTreeMap;

use relata_model::{Decimal, Value};
use relata_workflow::{BlockId, Expression, Formula, Row, Step, StepKind};

use crate::{
    Outcome, call,
    decide::{Progress, Turn},
    world::{Evaluated, fault},
};

impl Turn<'_> {
    pub(crate) fn decide_row(&mut self, step: &Step, rows: &[Row]) -> Evaluated<Progress> {
        let mut rejected = Vec::new();
        for (row, number) in rows.iter().zip(1..) {
            let (holds, values) = match &row.condition {
                Some(condition) => self.world().holds(condition)?,
                None => (true, "everything else".to_owned()),
            };
            if holds {
                let value = self.world().expression(&row.value)?;
                let mut explanation = format!("row {number}: {values}");
                if !rejected.is_empty() {
                    explanation.push_str(&format!(" (not {})", rejected.join("; not ")));
                }
                self.done(step, value, None, explanation);
                return Ok(Progress::On);
            }
            rejected.push(format!("row {number}: {values}"));
        }
        fault(format!("no row holds: {}; add a last row without `if`", rejected.join("; ")))
    }

    pub(crate) fn split(&mut self, step: &Step, arms: &[(String, Decimal)]) {
        let whom = self.whom();
        let name = step.name.as_deref().unwrap_or(&step.path);
        let drawn = call::draw(&["split", &self.def.name, name, &whom]);
        let drawn = Decimal::from(drawn) / Decimal::from(1_u64 << 32);
        let mut sum = Decimal::ZERO;
        let arm = arms.iter().find(|(_, share)| {
            sum += *share;
            drawn < sum
        });
        // Shares that do not quite add up leave a rest to the last arm.
        let arm = arm.or(arms.last()).map_or_else(String::new, |(arm, _)| arm.clone());
        let explanation = format!("{whom} drew {} of 1", drawn.round_dp(4));
        self.done(step, Value::Text(arm), None, explanation);
    }

    /// Whose arm is drawn: that of the record that the innermost loop is at,
    /// else of the run's subject, so that it stays in its arm run after run.
    fn whom(&self) -> String {
        let mut rounds = self.rounds.clone();
        while let Some(outer) = rounds.outer() {
            if let Some(StepKind::ForEach(for_each)) =
                self.run.current(self.def, &outer).map(|step| &step.kind)
            {
                let strand = self.run.strand(&rounds);
                return match strand.and_then(|strand| strand.variables.get(&for_each.item)) {
                    Some(Value::Reference(record)) => record.to_string(),
                    _ => format!("{} {rounds}", self.subject_or_run()),
                };
            }
            rounds = outer;
        }
        self.subject_or_run()
    }

    fn subject_or_run(&self) -> String {
        match &self.run.subject {
            Some(subject) => subject.to_string(),
            None => self.run.id.to_string(),
        }
    }

    pub(crate) fn branch(
        &mut self,
        step: &Step,
        condition: &Formula,
        then: BlockId,
        otherwise: Option<BlockId>,
    ) -> Evaluated<Progress> {
        let (holds, values) = self.world().holds(condition)?;
        let (enter, explanation) = match (holds, otherwise) {
            (true, _) => (Some(then), format!("holds: {values}")),
            (false, Some(block)) => (Some(block), format!("does not hold: {values}")),
            (false, None) => (None, format!("does not hold, nothing to do: {values}")),
        };
        self.done(step, Value::Nothing, enter, explanation);
        Ok(Progress::On)
    }

    pub(crate) fn stop(
        &mut self,
        step: &Step,
        condition: &Formula,
        unless: bool,
    ) -> Evaluated<Progress> {
        let (holds, values) = self.world().holds(condition)?;
        if holds == unless {
            self.done(step, Value::Nothing, None, format!("goes on: {values}"));
            return Ok(Progress::On);
        }
        let written = if unless { "stop_unless" } else { "stop_if" };
        let why = format!("{written} {}: {values}", condition.source.trim());
        self.end(Some(step.id), Outcome::Stopped { outcome: "stopped".to_owned(), why });
        Ok(Progress::On)
    }

    pub(crate) fn set(
        &mut self,
        step: &Step,
        values: &[(String, Expression)],
    ) -> Evaluated<Progress> {
        let mut given = BTreeMap::new();
        for (name, value) in values {
            let value = self.world().with(&given).expression(value)?;
            given.insert(name.clone(), value);
        }
        self.done(step, Value::Map(given), None, String::new());
        Ok(Progress::ForAll)
    }
}
