//! Whether what has happened is what a test expects.

use std::collections::BTreeSet;

use relata_engine::{Outcome, Status};
use relata_model::{Reference, Timestamp};
use relata_store::Effect;
use relata_workflow::{
    Span,
    test_file::{Expectation, ExpectedRecord, Part, Several, Standing, Until},
};
use serde_json::{Map, Value as Json, json};

use crate::{
    App, AppError,
    testing::{
        compare::{Eye, same_moment},
        report::Failure,
        scene::time_in,
        seen::{MadeCall, Mark, Seen, Told},
        words::Words,
    },
};

/// What an expectation is held against.
pub(crate) struct Judge<'s> {
    pub(crate) app: &'s App,
    pub(crate) file: &'s str,
    /// The workflow that is tested.
    pub(crate) workflow: &'s str,
    pub(crate) seen: &'s Seen,
    pub(crate) mark: &'s Mark,
    pub(crate) eye: &'s Eye,
    /// The records that the test made itself.
    pub(crate) own: &'s BTreeSet<Reference>,
    pub(crate) now: Timestamp,
    pub(crate) zone: &'s relata_model::TimeZone,
}

/// Whose runs an expectation speaks of.
struct Whose<'e> {
    workflow: &'e str,
    about: Option<Reference>,
}

impl Judge<'_> {
    /// All in which it is not as expected.
    pub(crate) async fn judge(&self, expectation: &Expectation) -> Result<Vec<Failure>, AppError> {
        let whose = Whose {
            workflow: expectation.workflow.as_deref().unwrap_or(self.workflow),
            about: expectation.about.as_ref().map(|about| self.eye.by_id(about)),
        };
        let mut failures = Vec::new();
        self.runs(expectation, &whose, &mut failures);
        self.refusals(expectation, &whose, &mut failures);
        for (action, calls) in &expectation.calls {
            failures.extend(self.calls(action, calls, &whose));
        }
        if let Some(span) = expectation.nothing_sent {
            let sent = self.seen.sent(self.mark, whose.about.as_ref());
            if !sent.is_empty() {
                let sent: Vec<String> = sent.iter().map(|effect| self.letter(effect)).collect();
                failures.push(self.failure(
                    span,
                    "nothing was to be sent",
                    Some(format!("sent: {}", sent.join("; "))),
                ));
            }
        }
        if let Some(sent) = &expectation.sent {
            failures.extend(self.sent(sent, &whose));
        }
        for record in &expectation.records {
            failures.extend(self.record(record).await?);
        }
        for (object, records) in &expectation.created {
            failures.extend(self.created(object, records));
        }
        Ok(failures)
    }

    fn words(&self) -> Words<'_> {
        Words { file: self.file, eye: self.eye }
    }

    fn failure(&self, span: Span, message: impl Into<String>, found: Option<String>) -> Failure {
        self.words().failure(span, message, found)
    }

    /// How the runs stand.
    fn runs(&self, expectation: &Expectation, whose: &Whose<'_>, failures: &mut Vec<Failure>) {
        let about = whose.about.as_ref();
        if let Some((Standing::NothingStarted, span)) = expectation.status {
            let began = self.seen.began(self.mark, whose.workflow, about);
            if let Some(told) = began.first() {
                let found = format!("a run began at {}", self.eye.local(told.row.run.started_at));
                failures.push(self.failure(span, "no run was to begin", Some(found)));
            }
            return;
        }
        let speaks = expectation.status.is_some()
            || expectation.until.is_some()
            || expectation.reason.is_some()
            || expectation.outcome.is_some()
            || !expectation.outputs.is_empty();
        if !speaks {
            return;
        }
        let runs = self.seen.runs_of(self.mark, whose.workflow, about);
        if runs.is_empty() {
            let of = whose
                .about
                .as_ref()
                .map_or_else(String::new, |about| format!(" for {}", self.eye.alias(about)));
            let message = format!("no run of {} has begun{of}", whose.workflow);
            let reasons = self.seen.refusals(self.mark, whose.workflow, about);
            let found = match reasons.last() {
                Some(row) => format!("not started: {}", self.eye.sentence(&row.reason)),
                None => "nothing happened that starts it".to_owned(),
            };
            failures.push(self.failure(expectation.span, message, Some(found)));
            return;
        }
        for told in &runs {
            if let Some((standing, span)) = expectation.status {
                failures.extend(self.standing(told, standing, span, runs.len() > 1));
            }
            if let Some((until, span)) = expectation.until {
                failures.extend(self.until(told, until, span));
            }
            if let Some((reason, span)) = &expectation.reason {
                let found = self.eye.sentence(&told.reason());
                if !found.contains(reason.as_str()) {
                    let message = format!("the reason does not say `{reason}`");
                    failures.push(self.failure(*span, message, Some(format!("it is: {found}"))));
                }
            }
            if let Some((outcome, span)) = &expectation.outcome {
                let found = told.outcome();
                if found != Some(outcome) {
                    let message = format!("the run was to end as `{outcome}`");
                    let found = found.map_or_else(
                        || self.stands(told),
                        |found| format!("it ended as `{found}`"),
                    );
                    failures.push(self.failure(*span, message, Some(found)));
                }
            }
            failures.extend(self.outputs(told, &expectation.outputs));
        }
    }

    fn standing(
        &self,
        told: &Told,
        standing: Standing,
        span: Span,
        several: bool,
    ) -> Option<Failure> {
        let sleeps = told.row.due_at.is_none_or(|due| due > self.now);
        let is_so = match (&told.row.run.status, standing) {
            (Status::Active, Standing::Running) => true,
            (Status::Active, Standing::Waiting) => sleeps,
            (Status::Ended(Outcome::Done), Standing::Done)
            | (Status::Ended(Outcome::Stopped { .. }), Standing::Stopped)
            | (Status::Ended(Outcome::Failed { .. }), Standing::Failed)
            | (Status::Ended(Outcome::Cancelled { .. }), Standing::Cancelled) => true,
            _ => false,
        };
        if is_so {
            return None;
        }
        let whose = match &told.row.run.subject {
            Some(subject) if several => format!(" of {}", self.eye.alias(subject)),
            _ => String::new(),
        };
        let wanted = match standing {
            Standing::Failed => "fail".to_owned(),
            other => format!("be {}", other.word()),
        };
        let message = format!("the run{whose} was to {wanted}");
        Some(self.failure(span, message, Some(self.stands(told))))
    }

    /// `it is waiting until 2026-12-28 09:00`
    fn stands(&self, told: &Told) -> String {
        match (&told.row.run.status, told.row.due_at) {
            (Status::Ended(Outcome::Done), _) => "it is done".to_owned(),
            (Status::Ended(outcome @ Outcome::Failed { .. }), _) => {
                format!("it {}", self.eye.sentence(&outcome.describe()))
            }
            (Status::Ended(outcome), _) => {
                format!("it is {}", self.eye.sentence(&outcome.describe()))
            }
            (Status::Active, Some(due)) => format!("it is waiting until {}", self.eye.local(due)),
            (Status::Active, None) => "it is waiting until something happens".to_owned(),
        }
    }

    fn until(&self, told: &Told, until: Until, span: Span) -> Option<Failure> {
        let due = told.row.due_at.filter(|_| !told.has_ended());
        let (is_so, wanted) = match until {
            Until::SomethingHappens => {
                (!told.has_ended() && due.is_none(), "something happens".to_owned())
            }
            Until::Time(local) => {
                let wanted = time_in(self.zone, local).ok();
                let is_so = match (wanted, due) {
                    (Some(wanted), Some(due)) => same_moment(wanted, due),
                    _ => false,
                };
                let written = wanted.map_or_else(|| local.to_string(), |at| self.eye.local(at));
                (is_so, written)
            }
        };
        let message = format!("the run was to wait until {wanted}");
        (!is_so).then(|| self.failure(span, message, Some(self.stands(told))))
    }

    fn outputs(&self, told: &Told, parts: &[Part]) -> Vec<Failure> {
        if parts.is_empty() {
            return Vec::new();
        }
        let yielded = told
            .log
            .iter()
            .rev()
            .find(|row| row.kind == "ended")
            .and_then(|row| row.output.clone())
            .unwrap_or_else(|| json!({}));
        self.words().parts("the run was to yield", parts, &yielded, self.now)
    }

    /// Why runs did not start.
    fn refusals(&self, expectation: &Expectation, whose: &Whose<'_>, failures: &mut Vec<Failure>) {
        let nothing = matches!(expectation.status, Some((Standing::NothingStarted, _)));
        let reason = expectation.not_started.as_ref().or(if nothing {
            expectation.reason.as_ref()
        } else {
            None
        });
        let Some((reason, span)) = reason else { return };
        let rows = self.seen.refusals(self.mark, whose.workflow, whose.about.as_ref());
        let reasons: Vec<String> = rows.iter().map(|row| self.eye.sentence(&row.reason)).collect();
        if reasons.iter().any(|found| found.contains(reason.as_str())) {
            return;
        }
        let found = if reasons.is_empty() {
            "no run was refused".to_owned()
        } else {
            format!("it is: {}", reasons.join("; "))
        };
        let message = format!("the reason why no run began was to say `{reason}`");
        failures.push(self.failure(*span, message, Some(found)));
    }

    fn calls(&self, action: &str, expected: &Several, whose: &Whose<'_>) -> Vec<Failure> {
        let calls = self.seen.calls(self.mark, whose.workflow, whose.about.as_ref(), action);
        if calls.len() != expected.each.len() {
            let found = calls.iter().map(|call| self.call(call)).collect::<Vec<_>>();
            return vec![self.words().number(action, "done", expected, &found)];
        }
        let mut failures = Vec::new();
        for (call, parts) in calls.iter().zip(&expected.each) {
            let nothing = Json::Null;
            let input = call.row.input.as_ref().unwrap_or(&nothing);
            let output = call.row.output.as_ref().unwrap_or(&nothing);
            for part in parts {
                let is_argument = input.get(&part.name).is_some();
                match part.name.as_str() {
                    "gives" if !is_argument => {
                        failures.extend(self.gives(action, part, output, call.at()));
                    }
                    "says" if !is_argument => {
                        let letters = self.seen.letters(call);
                        failures.extend(self.says(part, &letters));
                    }
                    _ if !self.eye.part_fits(part, input, call.at()) => {
                        let what = format!("`{action}` was to get");
                        failures.push(self.words().part_failure(&what, part, input));
                    }
                    _ => {}
                }
            }
            let asked = parts.iter().any(|part| part.name == "gives");
            if let Some(why) = call.suppressed().filter(|_| !asked) {
                let message = format!("`{action}` was to send something");
                let found = Some(format!("it was suppressed: {why}"));
                failures.push(self.failure(expected.span, message, found));
            }
        }
        failures
    }

    /// Whether a call gave what it was to give.
    fn gives(&self, action: &str, part: &Part, output: &Json, at: Timestamp) -> Option<Failure> {
        if self.eye.fits(&part.check, output, at) {
            return None;
        }
        let message = format!("`{action}` was to give {}", self.eye.expected(&part.check));
        let found = format!("it gave {}", self.eye.written(output));
        Some(self.failure(part.span, message, Some(found)))
    }

    fn call(&self, call: &MadeCall<'_>) -> String {
        let input =
            call.row.input.as_ref().map_or_else(String::new, |input| self.eye.written(input));
        format!("{input} at {}", self.eye.local(call.at()))
    }

    fn letter(&self, effect: &Effect) -> String {
        let message = message(effect);
        let mut told = Map::new();
        for key in ["to", "template", "subject", "at"] {
            if let Some(value) = message.get(key).filter(|value| !value.is_null()) {
                told.insert(key.to_owned(), value.clone());
            }
        }
        self.eye.written(&Json::Object(told))
    }

    fn sent(&self, expected: &Several, whose: &Whose<'_>) -> Vec<Failure> {
        let sent = self.seen.sent(self.mark, whose.about.as_ref());
        if sent.len() != expected.each.len() {
            let found: Vec<String> = sent.iter().map(|effect| self.letter(effect)).collect();
            let message = match expected.each.len() {
                0 => "nothing was to be sent".to_owned(),
                1 => "one message was to be sent".to_owned(),
                count => format!("{count} messages were to be sent"),
            };
            let found = match found.len() {
                0 => "nothing was sent".to_owned(),
                _ => format!("sent: {}", found.join("; ")),
            };
            return vec![self.failure(expected.span, message, Some(found))];
        }
        let mut failures = Vec::new();
        for (effect, parts) in sent.iter().zip(&expected.each) {
            let whole = message(effect);
            for part in parts {
                if part.name == "says" {
                    failures.extend(self.says(part, std::slice::from_ref(effect)));
                } else if !self.eye.part_fits(part, &whole, self.now) {
                    failures.push(self.words().part_failure(
                        "the message was to have",
                        part,
                        &whole,
                    ));
                }
            }
        }
        failures
    }

    /// Whether messages say what they are to say.
    fn says(&self, part: &Part, letters: &[&Effect]) -> Vec<Failure> {
        let text = |effect: &Effect, key: &str| {
            effect.body.get(key).and_then(Json::as_str).unwrap_or_default().to_owned()
        };
        let texts: Vec<String> = letters
            .iter()
            .map(|letter| format!("{} / {}", text(letter, "subject"), text(letter, "text")))
            .collect();
        self.words().says("the message", part, &texts)
    }

    async fn record(&self, expected: &ExpectedRecord) -> Result<Vec<Failure>, AppError> {
        let reference = self.eye.by_id(&expected.target);
        let found = self.app.store().record_fetch(&reference).await?;
        Ok(self.words().record(expected, found.as_ref(), self.now))
    }

    fn created(&self, object: &str, expected: &Several) -> Vec<Failure> {
        let records = self.seen.created(self.mark, object, self.own);
        self.words().created(object, expected, &records, self.now)
    }
}

/// What can be expected of a message.
fn message(effect: &Effect) -> Json {
    json!({
        "to": effect.recipient.as_ref().map(Reference::to_string),
        "template": effect.template,
        "subject": effect.body.get("subject"),
        "at": effect.sent_at.map(|at| at.to_string()),
    })
}
