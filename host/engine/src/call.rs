//! Calls of actions: their input, their keys, and when a failed one is tried
//! again.

use relata_model::{Reference, Timestamp, Value};
use relata_workflow::{Conversion, Do, Retry, Step, StepId};
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use crate::{
    Pending, Run, StepFailure,
    world::{Evaluated, World, fault},
};

/// How often a plugin may put a step off before that counts as a failure.
pub(crate) const MOST_POSTPONED: u32 = 1_000;

/// The least time for which a step is put off, so that none spins.
pub(crate) const SHORTEST_PAUSE_MS: u64 = 1_000;

/// The longest pause that a plugin may ask for: 30 days.
pub(crate) const LONGEST_PAUSE_MS: u64 = 30 * 24 * 3_600_000;

/// A call of an action that a run is owed.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The step.
    pub step: StepId,
    /// The step's path: `steps[5].then[0]`.
    pub path: String,
    /// Which round of a loop, from 0.
    pub iteration: u32,
    /// Which attempt; 1 for the first.
    pub attempt: u32,
    /// `crm.update`.
    pub action: String,
    /// The arguments, an object. Those that are empty are left out.
    pub input: Json,
    /// The same for every attempt of this step in this run: 32 hexadecimal
    /// digits.
    pub idempotency_key: String,
    /// Calls with the same key run one after another, until their commit.
    pub exclusive: Option<String>,
}

/// The call that a `do:` step makes now.
pub(crate) fn of_step(world: &World<'_>, run: &Run, step: &Step, action: &Do) -> Evaluated<Call> {
    let mut input = Map::new();
    for argument in &action.input {
        let value = world.expression(&argument.value)?;
        let json = convert(world, value, &argument.conversion)
            .map_err(|why| why_of_argument(&argument.name, why))?;
        if !json.is_null() {
            input.insert(argument.name.clone(), json);
        }
    }
    let exclusive = action.exclusive.as_ref().map(|key| fill_in(key, &input));
    let iteration = run.iteration();
    Ok(Call {
        step: step.id,
        path: step.path.clone(),
        iteration,
        attempt: attempt(run),
        action: action.action.clone(),
        input: Json::Object(input),
        idempotency_key: idempotency_key(run, &step.path, iteration),
        exclusive,
    })
}

fn why_of_argument(
    name: &str,
    why: relata_workflow::EvaluationError,
) -> relata_workflow::EvaluationError {
    match why {
        relata_workflow::EvaluationError::Fault(why) => {
            relata_workflow::EvaluationError::Fault(format!("the argument `{name}`: {why}"))
        }
        need => need,
    }
}

/// Which attempt of the current step comes next.
pub(crate) fn attempt(run: &Run) -> u32 {
    match run.pending() {
        Some(Pending::Calling { attempt, .. } | Pending::GivenUp { attempt, .. }) => *attempt,
        _ => 1,
    }
}

fn convert(world: &World<'_>, value: Value, conversion: &Conversion) -> Evaluated<Json> {
    match (conversion, value) {
        (_, Value::Nothing) => Ok(Json::Null),
        (Conversion::Plain, value) => Ok(value.to_json()),
        (Conversion::Due, Value::Text(text)) => {
            // A text with `{{ }}` in it may still come to a duration.
            let value = text
                .parse()
                .map(Value::Duration)
                .or_else(|_| text.trim().parse::<Timestamp>().map(Value::Time))
                .unwrap_or(Value::Text(text));
            world.point(world.now, &value, None).map(|time| Value::Time(time).to_json())
        }
        (Conversion::Due, value) => {
            world.point(world.now, &value, None).map(|time| Value::Time(time).to_json())
        }
        (Conversion::Reference { .. }, Value::List(values)) => {
            let items = values.into_iter().map(|value| convert(world, value, conversion));
            Ok(Json::Array(items.collect::<Evaluated<_>>()?))
        }
        (Conversion::Reference { objects }, Value::Text(text)) => {
            let text = text.trim();
            match (text.parse::<Reference>(), objects.as_slice()) {
                (Ok(reference), _) => Ok(Json::String(reference.to_string())),
                (Err(_), [object]) if !text.is_empty() => {
                    Ok(Json::String(format!("{object}/{text}")))
                }
                (Err(_), [object, ..]) => fault(format!(
                    "`{text}` names no record; write the object before it, such as `{object}/{text}`"
                )),
                (Err(why), []) => fault(why.to_string()),
            }
        }
        (Conversion::Reference { .. }, value) => Ok(value.to_json()),
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

fn idempotency_key(run: &Run, path: &str, iteration: u32) -> String {
    digest(&[&run.id.to_string(), path, &iteration.to_string()])
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// When a failed attempt is tried again; none where it is not.
pub(crate) fn retry_at(
    run: &Run,
    path: &str,
    retry: Retry,
    failure: &StepFailure,
    now: Timestamp,
) -> Option<Timestamp> {
    let (attempt, failures) = match run.pending() {
        Some(Pending::Calling { attempt, failures, .. }) => (*attempt, *failures),
        _ => (1, 0),
    };
    if failure.permanent || failures >= retry.times {
        return None;
    }
    let doubled = retry.first_ms.saturating_mul(1_u64.checked_shl(failures).unwrap_or(u64::MAX));
    // Four fifths to six fifths of it, so that a herd comes apart.
    let drawn = draw(&["retry", &run.id.to_string(), path, &attempt.to_string()]);
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
