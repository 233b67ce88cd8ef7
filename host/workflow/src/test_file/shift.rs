//! Moving a case to another time: everything moves by the same difference on
//! the wall clock, so that `18:05` stays `18:05` across a clock change.

use jiff::{Span as Length, civil::DateTime};
use relata_model::{Fields, TimeZone, Timestamp, Value};

use super::{
    Answer, Case, Check, Deed, Entry, Expectation, Given, Part, Pretend, Pretended, TestFile,
    Until, When,
};

/// By how much the clocks are moved.
struct Shift<'a> {
    by: Length,
    zone: &'a TimeZone,
}

impl Case {
    /// The first time that the case names, on the wall clock.
    #[must_use]
    pub fn first_time(&self) -> Option<DateTime> {
        self.play.iter().find_map(|entry| match entry.when {
            When::At(time) => Some(time),
            When::Now | When::After(_) => None,
        })
    }
}

impl TestFile {
    /// The file with one case alone, moved so that its first time is `first`.
    /// None where the case names no time, or the times do not fit.
    #[must_use]
    pub fn moved(&self, case: &Case, first: DateTime) -> Option<(Self, Case)> {
        let from = self.start.or_else(|| case.first_time())?;
        let first_time = case.first_time().unwrap_or(from);
        let by = first_time.until((jiff::Unit::Day, first)).ok()?;
        let shift = Shift { by, zone: &self.zone };
        let moved = Case {
            given: shift.given(&case.given),
            pretend: shift.pretend(&case.pretend),
            play: case.play.iter().map(|entry| shift.entry(entry)).collect(),
            repeat_at: Vec::new(),
            ..case.clone()
        };
        let file = Self {
            start: self.start.map(|start| shift.clock(start)),
            given: shift.given(&self.given),
            pretend: shift.pretend(&self.pretend),
            cases: Vec::new(),
            ..self.clone()
        };
        Some((file, moved))
    }
}

impl Shift<'_> {
    fn clock(&self, time: DateTime) -> DateTime {
        time.checked_add(self.by).unwrap_or(time)
    }

    fn time(&self, time: Timestamp) -> Timestamp {
        let local = self.clock(time.to_zoned(self.zone.clone()).datetime());
        self.zone.to_ambiguous_timestamp(local).compatible().unwrap_or(time)
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::Time(time) => Value::Time(self.time(*time)),
            Value::Date(date) => Value::Date(self.clock(DateTime::from(*date)).date()),
            Value::List(items) => Value::List(items.iter().map(|item| self.value(item)).collect()),
            Value::Map(parts) => Value::Map(
                parts.iter().map(|(name, part)| (name.clone(), self.value(part))).collect(),
            ),
            other => other.clone(),
        }
    }

    fn fields(&self, fields: &Fields) -> Fields {
        fields.iter().map(|(name, value)| (name.clone(), self.value(value))).collect()
    }

    fn given(&self, given: &[Given]) -> Vec<Given> {
        given
            .iter()
            .map(|given| Given { fields: self.fields(&given.fields), ..given.clone() })
            .collect()
    }

    fn answers(&self, answers: &[Answer]) -> Vec<Answer> {
        answers
            .iter()
            .map(|answer| match answer {
                Answer::Output(value) => Answer::Output(self.value(value)),
                other => other.clone(),
            })
            .collect()
    }

    fn pretend(&self, pretend: &[Pretend]) -> Vec<Pretend> {
        pretend
            .iter()
            .map(|pretend| {
                let what = match &pretend.what {
                    Pretended::Action { action, answers } => {
                        Pretended::Action { action: action.clone(), answers: self.answers(answers) }
                    }
                    Pretended::Workflow { workflow, answers } => Pretended::Workflow {
                        workflow: workflow.clone(),
                        answers: self.answers(answers),
                    },
                    arm @ Pretended::Arm { .. } => arm.clone(),
                };
                Pretend { what, span: pretend.span }
            })
            .collect()
    }

    fn entry(&self, entry: &Entry) -> Entry {
        Entry {
            span: entry.span,
            when: match &entry.when {
                When::At(time) => When::At(self.clock(*time)),
                other => other.clone(),
            },
            pretend: self.pretend(&entry.pretend),
            deed: entry.deed.as_ref().map(|deed| self.deed(deed)),
            expect: entry.expect.as_ref().map(|expect| self.expectation(expect)),
        }
    }

    fn deed(&self, deed: &Deed) -> Deed {
        let mut moved = deed.clone();
        match &mut moved {
            Deed::Create { fields, .. }
            | Deed::Change { fields, .. }
            | Deed::Event { data: fields, .. } => *fields = self.fields(fields),
            Deed::Press { with, .. } | Deed::Start { with, .. } => {
                for value in with.values_mut() {
                    *value = self.value(value);
                }
            }
            // What is posted is text, in which no time is known as one.
            Deed::Delete { .. } | Deed::Answer { .. } | Deed::Webhook { .. } => {}
        }
        moved
    }

    fn parts(&self, parts: &[Part]) -> Vec<Part> {
        parts
            .iter()
            .map(|part| {
                let check = match &part.check {
                    Check::Is(value) => Check::Is(self.value(value)),
                    Check::Has(parts) => Check::Has(self.parts(parts)),
                    other => other.clone(),
                };
                Part { check, ..part.clone() }
            })
            .collect()
    }

    fn expectation(&self, expectation: &Expectation) -> Expectation {
        let mut moved = expectation.clone();
        if let Some((Until::Time(time), _)) = &mut moved.until {
            *time = self.clock(*time);
        }
        moved.outputs = self.parts(&moved.outputs);
        let lists = moved
            .calls
            .iter_mut()
            .chain(&mut moved.created)
            .map(|(_, several)| several)
            .chain(&mut moved.sent);
        for several in lists {
            for each in &mut several.each {
                *each = self.parts(each);
            }
        }
        for record in &mut moved.records {
            if let Some(fields) = &mut record.fields {
                *fields = self.parts(fields);
            }
        }
        moved
    }
}
