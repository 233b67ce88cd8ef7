//! Whether what a call did is what its case expects.

use relata_channels::HttpCall;
use relata_model::{Calendar, Duration, Record, Reference, TimeZone, Timestamp};
use relata_sandbox::{CallFault, LogLevel, LogLine, contract::Outcome};
use relata_store::{EffectKind, NewEffect, Write};
use relata_workflow::{
    Span,
    test_file::{
        ExpectedRecord, Several,
        plugin::{Ending, ExpectedRequest, PluginCase},
    },
};
use serde_json::{Value as Json, json};

use super::{
    call::{Desk, Made},
    cassette::differing,
};
use crate::{
    AppError,
    change_set::Written,
    requests::Parcel,
    testing::{
        compare::Eye,
        report::Failure,
        words::{Words, shortened},
    },
    trial,
};

/// What is held against what a case expects.
pub(super) struct Judge<'s> {
    pub(super) desk: &'s Desk<'s>,
    pub(super) file: &'s str,
    pub(super) case: &'s PluginCase,
    pub(super) made: &'s Made,
}

impl Judge<'_> {
    /// All in which the call is not as expected.
    pub(super) async fn judge(&self) -> Result<Vec<Failure>, AppError> {
        let expect = &self.case.expect;
        let mut failures = self.ending();
        failures.extend(self.made.web.failures());
        for (what, verb, kind, expected) in [
            ("mail", "sent", EffectKind::Mail, &expect.mail),
            ("notice", "sent", EffectKind::Notice, &expect.notice),
        ] {
            if let Some(expected) = expected {
                failures.extend(self.messages(what, verb, kind, expected));
            }
        }
        if let Some(expected) = &expect.emitted {
            failures.extend(self.emitted(expected));
        }
        if let Some((expected, span)) = &expect.delivered {
            failures.extend(self.delivered(expected, *span)?);
        }
        if let Some(expected) = &expect.log {
            failures.extend(self.log(expected));
        }
        for expected in &expect.records {
            failures.extend(self.record(expected).await?);
        }
        for (object, expected) in &expect.created {
            failures.extend(self.created(object, expected).await?);
        }
        failures.extend(self.state().await?);
        Ok(failures)
    }

    /// What the call did, for a person.
    pub(super) fn trace(&self) -> Vec<String> {
        let eye = self.eye();
        let mut lines: Vec<String> =
            self.made.web.asked().into_iter().map(|asked| format!("it asked {asked}")).collect();
        for line in &self.made.report.logs {
            lines.push(format!("it logged {}: {}", level(line.level), self.logged(line)));
        }
        for written in &self.made.changes.writes {
            let mut whole = trial::written(written);
            let what = whole.as_object_mut().and_then(|whole| whole.remove("what"));
            let what = what.as_ref().and_then(Json::as_str).unwrap_or_default();
            lines.push(format!("it wrote: {what} {}", eye.written(&whole)));
        }
        lines.push(described(self.made, eye));
        lines
    }

    fn eye(&self) -> &Eye {
        &self.desk.eye
    }

    fn now(&self) -> Timestamp {
        self.desk.now()
    }

    fn words(&self) -> Words<'_> {
        Words { file: self.file, eye: &self.desk.eye }
    }

    /// How the call ended.
    fn ending(&self) -> Vec<Failure> {
        let usual = (Ending::Done(Vec::new()), self.case.expect.span);
        let (ending, span) = self.case.expect.ending.as_ref().unwrap_or(&usual);
        let otherwise = |wanted: &str| {
            let found = Some(described(self.made, self.eye()));
            vec![self.words().failure(*span, format!("the call was to {wanted}"), found)]
        };
        let panic = self.made.report.panic.as_ref();
        match (ending, &self.made.result) {
            (Ending::Panics(place), _) => match panic {
                Some(panic) if panic.location.contains(place) => Vec::new(),
                _ => otherwise(&format!("panic at {place}")),
            },
            (Ending::Done(parts), Ok(Outcome::Done(output))) => {
                self.words().parts("the output was to have", parts, output, self.now())
            }
            (Ending::Done(_), _) => otherwise("be done"),
            (Ending::Skipped(says), Ok(Outcome::Skip(why))) => self.reason(*span, Some(says), why),
            (Ending::Skipped(_), _) => otherwise("skip"),
            (Ending::Retry { after, says }, Ok(Outcome::Retry { after_ms, reason })) => {
                let mut failures = self.reason(*span, says.as_ref(), reason);
                failures.extend(self.pause(*span, *after, Some(*after_ms)));
                failures
            }
            (Ending::Retry { .. }, _) => otherwise("ask for another call"),
            (Ending::Failed { code, says, retry_after }, Err(why)) => {
                let mut failures = Vec::new();
                if let Some(code) = code.as_ref().filter(|code| *code != why.code()) {
                    failures.extend(otherwise(&format!("fail with `{code}`")));
                }
                failures.extend(self.reason(*span, says.as_ref(), &why.fault.to_string()));
                failures.extend(self.pause(*span, *retry_after, why.retry_after_ms()));
                failures
            }
            (Ending::Failed { .. }, _) => otherwise("fail"),
        }
    }

    /// Whether a reason says what it is to say.
    fn reason(&self, span: Span, says: Option<&String>, found: &str) -> Vec<Failure> {
        let found = self.eye().sentence(found);
        match says.filter(|says| !found.contains(says.as_str())) {
            Some(says) => {
                let message = format!("the reason was to say `{says}`");
                vec![self.words().failure(span, message, Some(format!("it is: {found}")))]
            }
            None => Vec::new(),
        }
    }

    fn pause(&self, span: Span, expected: Option<Duration>, found: Option<u32>) -> Option<Failure> {
        let expected = expected?;
        let wanted = Calendar::always_open(TimeZone::UTC)
            .after(self.now(), expected)
            .map(|end| end.as_millisecond() - self.now().as_millisecond());
        if wanted.is_some() && wanted == found.map(i64::from) {
            return None;
        }
        let message = format!("the next attempt was to be {expected} later");
        let found = found.map_or_else(
            || "it says nothing of when".to_owned(),
            |ms| format!("it is {} later", Duration::from_millis(ms.into())),
        );
        Some(self.words().failure(span, message, Some(found)))
    }

    fn effects(&self, kind: EffectKind) -> Vec<&NewEffect> {
        let effects = self.made.changes.writes.iter().filter_map(|written| match written {
            Written::Queued(queued) => Some(&queued.effect),
            _ => None,
        });
        effects.filter(|effect| effect.kind == kind).collect()
    }

    fn messages(
        &self,
        what: &str,
        verb: &str,
        kind: EffectKind,
        expected: &Several,
    ) -> Vec<Failure> {
        let effects = self.effects(kind);
        let text = |effect: &NewEffect, key: &str| {
            effect.body.get(key).and_then(Json::as_str).unwrap_or_default().to_owned()
        };
        let whole = |effect: &NewEffect| {
            json!({
                "to": effect.recipient.as_ref().map(ToString::to_string),
                "template": effect.template,
                "subject": effect.body.get("subject"),
            })
        };
        if effects.len() != expected.each.len() {
            let found: Vec<String> =
                effects.iter().map(|effect| self.eye().written(&whole(effect))).collect();
            return vec![self.words().number(what, verb, expected, &found)];
        }
        let mut failures = Vec::new();
        for (effect, parts) in effects.iter().zip(&expected.each) {
            let letter = [format!("{} / {}", text(effect, "subject"), text(effect, "text"))];
            let letter = letter.map(|letter| self.eye().sentence(&letter));
            let (says, others): (Vec<_>, Vec<_>) =
                parts.iter().cloned().partition(|part| part.name == "says");
            let title = format!("the {what} was to have");
            failures.extend(self.words().parts(&title, &others, &whole(effect), self.now()));
            let title = format!("the {what}");
            failures.extend(says.iter().flat_map(|part| self.words().says(&title, part, &letter)));
        }
        failures
    }

    fn emitted(&self, expected: &Several) -> Vec<Failure> {
        let events: Vec<Json> = self
            .made
            .changes
            .writes
            .iter()
            .filter_map(|written| match written {
                Written::Emitted { name, about, data } => Some(json!({
                    "event": name,
                    "about": about.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "data": data.to_json(),
                })),
                _ => None,
            })
            .collect();
        if events.len() != expected.each.len() {
            let found: Vec<String> = events.iter().map(|event| self.eye().written(event)).collect();
            return vec![self.words().number("event", "emitted", expected, &found)];
        }
        let each = events.iter().zip(&expected.each);
        each.flat_map(|(event, parts)| {
            self.words().parts("the event was to have", parts, event, self.now())
        })
        .collect()
    }

    fn delivered(
        &self,
        expected: &[ExpectedRequest],
        span: Span,
    ) -> Result<Vec<Failure>, AppError> {
        let app = self.desk.app()?;
        let effects = self.effects(EffectKind::Request);
        let mut calls = Vec::new();
        for effect in effects {
            let parcel: Parcel = serde_json::from_value(effect.body.clone())
                .map_err(|why| AppError::Fault(format!("a request does not read: {why}")))?;
            match app.call_of(parcel)? {
                Ok(call) => calls.push(call),
                Err(why) => {
                    let message = "a request that is kept was to leave";
                    return Ok(vec![self.words().failure(span, message, Some(why.why))]);
                }
            }
        }
        let line = |call: &HttpCall| self.eye().sentence(&format!("{} {}", call.method, call.url));
        if calls.len() != expected.len() {
            let expected = Several { span, each: vec![Vec::new(); expected.len()] };
            let found: Vec<String> = calls.iter().map(line).collect();
            return Ok(vec![self.words().number("request", "kept", &expected, &found)]);
        }
        let words = self.words();
        let each = calls.iter().zip(expected);
        Ok(each
            .flat_map(|(call, expected)| differing(&words, expected, call, &line(call), self.now()))
            .collect())
    }

    fn logged(&self, line: &LogLine) -> String {
        let fields = match &line.fields {
            Json::Object(fields) if fields.is_empty() => String::new(),
            fields => format!(" {}", self.eye().written(fields)),
        };
        format!("{}{fields}", self.eye().sentence(&line.message))
    }

    /// Lines of the log, among others.
    fn log(&self, expected: &Several) -> Vec<Failure> {
        let logs = &self.made.report.logs;
        if expected.each.is_empty() {
            let found: Vec<String> = logs.iter().map(|line| self.logged(line)).collect();
            let is_other = !found.is_empty();
            return is_other
                .then(|| self.words().number("log", "written", expected, &found))
                .into_iter()
                .collect();
        }
        let mut failures = Vec::new();
        for parts in &expected.each {
            let fits = |line: &LogLine| {
                let whole = json!({ "level": level(line.level) });
                let texts = [self.logged(line)];
                parts.iter().all(|part| match part.name.as_str() {
                    "says" => self.words().says("", part, &texts).is_empty(),
                    _ => self.eye().part_fits(part, &whole, self.now()),
                })
            };
            if logs.iter().any(fits) {
                continue;
            }
            let span = parts.first().map_or(expected.span, |part| part.span);
            let message = format!("the log was to have {}", self.eye().expected_parts(parts));
            let found: Vec<String> = logs
                .iter()
                .map(|line| format!("{}: {}", level(line.level), self.logged(line)))
                .collect();
            let found = match found.len() {
                0 => "nothing was logged".to_owned(),
                _ => format!("logged: {}", shortened(&found.join("; "))),
            };
            failures.push(self.words().failure(span, message, Some(found)));
        }
        failures
    }

    async fn record(&self, expected: &ExpectedRecord) -> Result<Vec<Failure>, AppError> {
        let found = self.desk.record(&expected.target).await?;
        Ok(self.words().record(expected, found.as_ref(), self.now()))
    }

    async fn created(&self, object: &str, expected: &Several) -> Result<Vec<Failure>, AppError> {
        let mut records: Vec<Record> = Vec::new();
        for write in self.made.changes.record_writes() {
            if let Write::Create { object: made, id, .. } = write
                && made == object
            {
                let reference = Reference::new(object, id.to_string());
                records.extend(self.desk.record(&reference).await?);
            }
        }
        let records: Vec<&Record> = records.iter().collect();
        Ok(self.words().created(object, expected, &records, self.now()))
    }

    /// The plugin's own values.
    async fn state(&self) -> Result<Vec<Failure>, AppError> {
        let store = self.desk.app()?.store();
        let mut whole = serde_json::Map::new();
        for part in &self.case.expect.state {
            let kept = store.state_get(self.desk.plugin_name(), &part.name, self.now()).await?;
            whole.insert(part.name.clone(), kept.map_or(Json::Null, |kept| kept.value));
        }
        let parts = &self.case.expect.state;
        Ok(self.words().parts("the plugin was to keep", parts, &Json::Object(whole), self.now()))
    }
}

/// `it failed with `transient`: companies.example did not answer`
pub(super) fn described(made: &Made, eye: &Eye) -> String {
    if let Some(panic) = &made.report.panic {
        return format!("it panicked at {}: {}", panic.location, eye.sentence(&panic.message));
    }
    match &made.result {
        Ok(Outcome::Done(output)) => format!("it is done: {}", eye.written(output)),
        Ok(Outcome::Skip(why)) => format!("it skipped: {}", eye.sentence(why)),
        Ok(Outcome::Retry { after_ms, reason }) => format!(
            "it wants to be called again {} later: {}",
            Duration::from_millis((*after_ms).into()),
            eye.sentence(reason)
        ),
        Err(why) => {
            let told = eye.sentence(&why.fault.to_string());
            match &*why.fault {
                CallFault::Guest(_) => format!("it failed with `{}`: {told}", why.code()),
                _ => format!("it {told}"),
            }
        }
    }
}

fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}
