//! Trying an action: one call in its sandbox, on the company's records, of
//! which nothing is committed.

use std::time::Duration;

use relata_model::{Value, text};
use relata_sandbox::{CallReport, CallRequest, Called, LogLevel, Plugin, contract};
use relata_store::Write;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::{
    App, AppError, Plugins,
    change_set::Written,
    host::{StepHost, StepScope},
    runner::seed,
};

/// What an action did when it was tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// The action's full name: `assign.round_robin`.
    pub action: String,
    /// What it answered.
    #[serde(flatten)]
    pub outcome: TrialOutcome,
    /// What it would have written, in its order: each an object with `what`
    /// (`create`, `update`, `delete`, `emit`, `send`, `remember`) and what
    /// belongs to it.
    pub writes: Vec<Json>,
    /// What the call used up.
    pub used: Used,
    /// What the plugin logged.
    pub log: Vec<Logged>,
}

/// What an action answered when it was tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum TrialOutcome {
    /// It is done.
    Done {
        /// Its output.
        output: Json,
    },
    /// There was nothing to do.
    Skipped {
        /// Why.
        why: String,
    },
    /// It wants to be called again.
    Postponed {
        /// After so many milliseconds.
        after_ms: u32,
        /// Why.
        why: String,
    },
    /// It failed, and would have written nothing.
    Failed {
        /// A word for programs: `invalid`, `cpu-limit`.
        code: String,
        /// A sentence for people.
        why: String,
        /// Whether a run would try it again.
        transient: bool,
    },
}

/// What a call used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Used {
    /// The plugin's time on the processor, microseconds.
    pub cpu_us: u64,
    /// The whole call, microseconds.
    pub elapsed_us: u64,
    /// The most memory at any time, bytes.
    pub memory_bytes: usize,
    /// Reads of records and of the plugin's own values.
    pub reads: u32,
    /// Writes, messages and events.
    pub writes: u32,
}

/// A line that a plugin logged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Logged {
    /// `debug`, `info`, `warn` or `error`.
    pub level: &'static str,
    /// The sentence.
    pub message: String,
    /// More, as the plugin gave it.
    pub fields: Json,
}

impl App {
    /// Calls an action on the records as they are, and throws away what it
    /// writes. The same input on the same records has the same outcome: the
    /// plugin's random numbers are made of both.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is no such action; an action that fails
    /// is no error, but a [`TrialOutcome::Failed`].
    pub async fn try_action(&self, name: &str, input: &Json) -> Result<Trial, AppError> {
        let plugins = self.plugins().await?;
        let (plugin, action) = plugins.known_action(name)?;
        let now = self.now();
        let key = format!("trial/{name}/{input}");
        let scope = StepScope {
            plugin: plugin.name().to_owned(),
            run: None,
            workflow: "trial".to_owned(),
            step: "trial".to_owned(),
            rounds: String::new(),
            idempotency_key: key.clone(),
            send_in: None,
            hold_above: None,
            if_unknown: relata_workflow::IfUnknown::Hold,
            now,
        };
        let request = CallRequest {
            context: contract::Context {
                run_id: "trial".to_owned(),
                step_id: "trial".to_owned(),
                attempt: 1,
                idempotency_key: key.clone(),
                subject: None,
                dry_run: true,
            },
            now_ms: u64::try_from(now.as_millisecond()).unwrap_or(0),
            seed: seed(&key),
            ..CallRequest::new(action, input)
        };
        let Called { result, report, mut host } =
            plugins.call(plugin, request, StepHost::new(self.clone(), scope)).await;
        if let Some(fault) = host.fault.take() {
            return Err(fault);
        }
        let writes = |host: StepHost| host.changes.writes.iter().map(written).collect();
        let (outcome, writes) = match result {
            Ok(contract::Outcome::Done(output)) => (TrialOutcome::Done { output }, writes(host)),
            Ok(contract::Outcome::Skip(why)) => (TrialOutcome::Skipped { why }, writes(host)),
            Ok(contract::Outcome::Retry { after_ms, reason }) => {
                (TrialOutcome::Postponed { after_ms, why: reason }, Vec::new())
            }
            Err(why) => {
                let failed = TrialOutcome::Failed {
                    code: why.code().to_owned(),
                    why: why.to_string(),
                    transient: why.is_transient(),
                };
                (failed, Vec::new())
            }
        };
        Ok(Trial {
            action: name.to_owned(),
            outcome,
            writes,
            used: used(&report),
            log: log(report),
        })
    }
}

impl Plugins {
    /// The plugin of an action, and the action's own name.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] with the name that was probably meant.
    pub fn known_action<'a>(&self, full_name: &'a str) -> Result<(&Plugin, &'a str), AppError> {
        self.action(full_name).ok_or_else(|| {
            if let (why, true) = self.missing(full_name) {
                return AppError::wrong(why);
            }
            let known = self.signatures();
            let hint = text::nearest(full_name, known.keys().map(String::as_str)).map_or_else(
                || "`relata action list` lists them".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            AppError::wrong(format!("there is no action `{full_name}`; {hint}"))
        })
    }
}

/// A write for people and programs to read.
pub(crate) fn written(written: &Written) -> Json {
    match written {
        Written::Record(Write::Create { object, id, fields }) => {
            json!({ "what": "create", "record": format!("{object}/{id}"), "fields": fields_json(fields) })
        }
        Written::Record(Write::Update { reference, fields, .. }) => {
            json!({ "what": "update", "record": reference.to_string(), "fields": fields_json(fields) })
        }
        Written::Record(Write::Delete { reference, .. }) => {
            json!({ "what": "delete", "record": reference.to_string() })
        }
        Written::Emitted { name, about, data } => json!({
            "what": "emit",
            "event": name,
            "about": about.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "data": data.to_json(),
        }),
        Written::Queued(effect) => json!({
            "what": "send",
            "to": effect.effect.recipient.as_ref().map(ToString::to_string),
            "address": effect.effect.body["to_address"],
            "template": effect.effect.template,
            "subject": effect.effect.body["subject"],
            "text": effect.effect.body["text"],
        }),
        Written::Remembered(put) => {
            json!({ "what": "remember", "key": put.key, "value": put.value })
        }
    }
}

fn fields_json(fields: &relata_model::Fields) -> Map<String, Json> {
    fields.iter().map(|(name, value): (&String, &Value)| (name.clone(), value.to_json())).collect()
}

pub(crate) fn used(report: &CallReport) -> Used {
    let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    Used {
        cpu_us: micros(report.cpu),
        elapsed_us: micros(report.elapsed),
        memory_bytes: report.peak_memory_bytes,
        reads: report.queries,
        writes: report.writes,
    }
}

pub(crate) fn log(report: CallReport) -> Vec<Logged> {
    let level = |level| match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    };
    report
        .logs
        .into_iter()
        .map(|line| Logged { level: level(line.level), message: line.message, fields: line.fields })
        .collect()
}
