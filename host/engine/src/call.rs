//! Calls of actions: their input, their keys, what comes of them, and when a
//! failed one is tried again.

use relata_model::{Reference, RunId, Timestamp, Value};
use relata_workflow::{Argument, Conversion, Do, EvaluationError, Retry, Step, StepId, StepKind};
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use crate::{
    Event, Pending, Rounds, Run, StepFailure,
    decide::{Halt, Turn},
    world::{Evaluated, World, fault},
};

/// How often a plugin may put a step off before that counts as a failure.
const MOST_POSTPONED: u32 = 1_000;

/// The least time for which a step is put off, so that none spins.
const SHORTEST_PAUSE_MS: u64 = 1_000;

/// The longest pause that a plugin may ask for: 30 days.
const LONGEST_PAUSE_MS: u64 = 30 * 24 * 3_600_000;

/// A call of an action that a run is owed.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The step.
    pub step: StepId,
    /// The step's path: `steps[5].then[0]`.
    pub path: String,
    /// Which round of which loop.
    pub rounds: Rounds,
    /// Which attempt; 1 for the first.
    pub attempt: u32,
    /// `crm.update`.
    pub action: String,
    /// The arguments, an object. Those that are empty are left out.
    pub input: Json,
    /// The same for every attempt of this step in this round of this run, and
    /// of no other: 32 hexadecimal digits.
    pub idempotency_key: String,
    /// Calls with the same key run one after another, until their commit.
    pub exclusive: Option<String>,
    /// For which value of its `per` each of the workflow's limits counts it, as
    /// text; none where that is all runs together.
    pub limited_per: Vec<Option<String>>,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Returned {
    /// The call's step.
    pub step: StepId,
    /// The call's round.
    pub rounds: Rounds,
    /// The call's attempt.
    pub attempt: u32,
    /// How it went.
    pub result: Result<ActionOutcome, StepFailure>,
}

impl Call {
    /// How this call went.
    #[must_use]
    pub fn returned(&self, result: Result<ActionOutcome, StepFailure>) -> Returned {
        Returned { step: self.step, rounds: self.rounds.clone(), attempt: self.attempt, result }
    }
}

/// How a call that did not fail went.
#[derive(Debug, Clone, PartialEq)]
pub enum ActionOutcome {
    /// Done, with this output.
    Done(Json),
    /// Not yet.
    Retry {
        /// The pause in milliseconds; at least a second is kept.
        after_ms: u64,
        /// Why, in the plugin's words.
        reason: String,
    },
    /// There was nothing to do, for this reason.
    Skip(String),
}

impl Turn<'_> {
    pub(crate) fn returned(&mut self, returned: Returned) -> Result<(), Halt> {
        self.rounds = returned.rounds;
        let wanted = self
            .run
            .current(self.def, &self.rounds)
            .filter(|step| step.id == returned.step)
            .filter(|_| attempt(&self.run, &self.rounds) == returned.attempt)
            .filter(|_| !matches!(self.run.pending(&self.rounds), Some(Pending::GivenUp { .. })));
        let Some((step, StepKind::Do(action))) = wanted.map(|step| (step, &step.kind)) else {
            return Err(Halt::Rejected(format!(
                "{} does not wait for attempt {} of step {}; it has gone on since",
                self.run.id, returned.attempt, returned.step.0
            )));
        };
        let attempt = returned.attempt;
        match returned.result {
            Ok(ActionOutcome::Done(output)) => {
                let explanation =
                    if attempt > 1 { format!("done at attempt {attempt}") } else { String::new() };
                self.called(step, attempt, action.output.read(&output), explanation);
            }
            Ok(ActionOutcome::Skip(why)) => {
                self.called(step, attempt, Value::Nothing, format!("nothing to do: {why}"));
            }
            Ok(ActionOutcome::Retry { after_ms, reason }) => {
                let postponed = match self.run.pending(&self.rounds) {
                    Some(Pending::Calling { postponed, .. }) => *postponed,
                    _ => 0,
                };
                if postponed < MOST_POSTPONED {
                    let pause = after_ms.clamp(SHORTEST_PAUSE_MS, LONGEST_PAUSE_MS);
                    let until = in_millis(self.now, pause);
                    self.emit(Event::Postponed {
                        step: step.id,
                        rounds: self.rounds.clone(),
                        attempt,
                        at: self.now,
                        until,
                        reason,
                    });
                } else {
                    let failure = StepFailure {
                        code: "postponed".to_owned(),
                        message: format!(
                            "{} put itself off {MOST_POSTPONED} times, the last time because: {reason}",
                            action.action
                        ),
                        permanent: true,
                        retry_after_ms: None,
                    };
                    self.attempt_failed(step, action, failure);
                }
            }
            Err(failure) => self.attempt_failed(step, action, failure),
        }
        Ok(())
    }

    /// A call ended its step.
    fn called(&mut self, step: &Step, attempt: u32, output: Value, explanation: String) {
        self.emit(Event::StepDone {
            step: step.id,
            rounds: self.rounds.clone(),
            attempt,
            at: self.now,
            output,
            enter: None,
            called: true,
            explanation,
        });
    }

    fn attempt_failed(&mut self, step: &Step, action: &Do, failure: StepFailure) {
        let retry_at = retry_at(&self.run, &self.rounds, step, action.retry, &failure, self.now);
        self.emit(Event::AttemptFailed {
            step: step.id,
            rounds: self.rounds.clone(),
            attempt: attempt(&self.run, &self.rounds),
            at: self.now,
            failure,
            retry_at,
        });
    }
}

/// The call that a `do:` step makes now.
pub(crate) fn of_step(
    world: &World<'_>,
    run: &Run,
    rounds: &Rounds,
    step: &Step,
    action: &Do,
) -> Evaluated<Call> {
    let input: Map<String, Json> = arguments(world, &action.input)?
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_json()))
        .collect();
    let exclusive = action.exclusive.as_ref().map(|key| fill_in(key, &input));
    let mut limited_per = Vec::with_capacity(world.def.limits.len());
    for limit in &world.def.limits {
        limited_per.push(match &limit.per {
            Some(per) => Some(world.value(per)?.to_string()),
            None => None,
        });
    }
    Ok(Call {
        step: step.id,
        path: step.path.clone(),
        rounds: rounds.clone(),
        attempt: attempt(run, rounds),
        action: action.action.clone(),
        input: Json::Object(input),
        idempotency_key: idempotency_key(run.id, &step.path, rounds),
        exclusive,
        limited_per,
    })
}

/// The values of arguments; those that are empty are left out.
pub(crate) fn arguments<'a>(
    world: &World<'_>,
    arguments: &'a [Argument],
) -> Evaluated<Vec<(&'a str, Value)>> {
    let mut values = Vec::new();
    for argument in arguments {
        let value = world.expression(&argument.value)?;
        let value = convert(world, value, &argument.conversion).map_err(|why| match why {
            EvaluationError::Fault(why) => {
                EvaluationError::Fault(format!("the argument `{}`: {why}", argument.name))
            }
            need => need,
        })?;
        if !value.is_nothing() {
            values.push((argument.name.as_str(), value));
        }
    }
    Ok(values)
}

/// Which attempt of a strand's current step comes next.
pub(crate) fn attempt(run: &Run, rounds: &Rounds) -> u32 {
    match run.pending(rounds) {
        Some(Pending::Calling { attempt, .. } | Pending::GivenUp { attempt, .. }) => *attempt,
        _ => 1,
    }
}

fn convert(world: &World<'_>, value: Value, conversion: &Conversion) -> Evaluated<Value> {
    match (conversion, value) {
        (_, Value::Nothing) => Ok(Value::Nothing),
        (Conversion::Plain, value) => Ok(value),
        (Conversion::Due, Value::Text(text)) => {
            // A text with `{{ }}` in it may still come to a duration.
            let value = text
                .parse()
                .map(Value::Duration)
                .or_else(|_| text.trim().parse::<Timestamp>().map(Value::Time))
                .unwrap_or(Value::Text(text));
            world.point(world.now, &value, None).map(Value::Time)
        }
        (Conversion::Due, value) => world.point(world.now, &value, None).map(Value::Time),
        (Conversion::Reference { .. }, Value::List(values)) => {
            let items = values.into_iter().map(|value| convert(world, value, conversion));
            Ok(Value::List(items.collect::<Evaluated<_>>()?))
        }
        (Conversion::Reference { objects }, Value::Text(text)) => {
            let text = text.trim();
            match (text.parse::<Reference>(), objects.as_slice()) {
                (Ok(reference), _) => Ok(Value::Reference(reference)),
                (Err(_), [object]) if !text.is_empty() => {
                    Ok(Value::Reference(Reference::new(object, text)))
                }
                (Err(_), [object, ..]) => fault(format!(
                    "`{text}` names no record; write the object before it, such as `{object}/{text}`"
                )),
                (Err(why), []) => fault(why.to_string()),
            }
        }
        (Conversion::Reference { .. }, value) => Ok(value),
    }
}

/// Puts arguments into `rotation/{team}`.
fn fill_in(key: &str, input: &Map<String, Json>) -> String {
    let mut filled = String::new();
    let mut rest = key;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else { break };
        filled.push_str(before);
        match input.get(name.trim()) {
            Some(Json::String(text)) => filled.push_str(text),
            Some(other) => filled.push_str(&other.to_string()),
            None => {}
        }
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

/// What the parts come to, the same on every machine: 32 bytes. Each part
/// carries its length, so that no two lists look alike.
pub(crate) fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

/// The first 32 bits of the digest.
pub(crate) fn draw(parts: &[&str]) -> u32 {
    let [a, b, c, d, ..] = digest(parts);
    u32::from_be_bytes([a, b, c, d])
}

/// A step in its round, for a digest. No path has a blank in it.
pub(crate) fn place(path: &str, rounds: &Rounds) -> String {
    if rounds.is_main() { path.to_owned() } else { format!("{path} {rounds}") }
}

/// What every attempt of a step has in common, and no other step.
#[must_use]
pub fn idempotency_key(run: RunId, path: &str, rounds: &Rounds) -> String {
    let mut first = [0; 16];
    first.copy_from_slice(&digest(&[&run.to_string(), &place(path, rounds)])[..16]);
    format!("{:032x}", u128::from_be_bytes(first))
}

/// When a failed attempt is tried again; none where it is not.
fn retry_at(
    run: &Run,
    rounds: &Rounds,
    step: &Step,
    retry: Retry,
    failure: &StepFailure,
    now: Timestamp,
) -> Option<Timestamp> {
    let (attempt, failures) = match run.pending(rounds) {
        Some(Pending::Calling { attempt, failures, .. }) => (*attempt, *failures),
        _ => (1, 0),
    };
    if failure.permanent || failures >= retry.times {
        return None;
    }
    let doubled = retry.first_ms.saturating_mul(1_u64.checked_shl(failures).unwrap_or(u64::MAX));
    // Four fifths to six fifths of it, so that a herd comes apart.
    let place = place(&step.path, rounds);
    let drawn = draw(&["retry", &run.id.to_string(), &place, &attempt.to_string()]);
    let fifths = u128::from(doubled) * (4 * u128::from(u32::MAX) + 2 * u128::from(drawn));
    let jittered = u64::try_from(fifths / (5 * u128::from(u32::MAX))).unwrap_or(u64::MAX);
    let asked = failure.retry_after_ms.unwrap_or(0).min(LONGEST_PAUSE_MS);
    Some(in_millis(now, jittered.min(retry.longest_ms).max(asked)))
}

/// So many milliseconds later; the last time there is, past it.
pub(crate) fn in_millis(from: Timestamp, millis: u64) -> Timestamp {
    i64::try_from(millis)
        .ok()
        .and_then(|millis| from.as_millisecond().checked_add(millis))
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .unwrap_or(Timestamp::MAX)
}
