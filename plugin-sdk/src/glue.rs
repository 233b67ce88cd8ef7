//! What [`plugin!`](crate::plugin) expands to: between the typed actions and
//! the texts of the contract. Not for use by hand.

use std::sync::Once;

use crate::bindings::exports::relata::plugin::actions as host;
use crate::bindings::relata::plugin::log;
use crate::{Action, Code, Reference, schema};

pub use host::{Context, Descriptor, Error, Guest, Outcome};

/// Sends the place of a panic to the host before the trap: without it a
/// trap shows only the numbers of functions.
pub fn start() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            let message = panic.payload_as_str().unwrap_or("panicked");
            let location = panic.location().map(ToString::to_string).unwrap_or_default();
            log::panic(message, &location);
        }));
    });
}

/// The descriptor of one action.
pub fn describe<A: Action>() -> Descriptor {
    let input = schema::input::<A::Input>();
    let output = schema::output::<A::Output>();
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    Descriptor {
        id: A::ID.to_owned(),
        title: A::TITLE.to_owned(),
        summary: if A::SUMMARY.is_empty() { input.summary } else { A::SUMMARY.to_owned() },
        input_schema: input.schema.to_string(),
        output_schema: output.schema.to_string(),
        reads: texts(A::READS),
        writes: texts(A::WRITES),
        correlation: A::CORRELATION
            .iter()
            .map(|correlation| host::Correlation {
                event: correlation.event.to_owned(),
                output_field: correlation.output_field.to_owned(),
            })
            .collect(),
        exclusive: A::EXCLUSIVE.map(str::to_owned),
        idempotent: A::IDEMPOTENT,
    }
}

/// Runs one action.
pub fn run<A: Action>(ctx: Context, input: &str) -> Result<Outcome, Error> {
    attempt::<A>(ctx, input).map_err(crate::Error::into_host)
}

fn attempt<A: Action>(ctx: Context, input: &str) -> crate::Result<Outcome> {
    let input: A::Input = serde_json::from_str(input).map_err(|error| {
        crate::Error::invalid(format!("the input does not fit action `{}`: {error}", A::ID))
    })?;
    let ctx = crate::Context {
        run_id: ctx.run_id,
        step_id: ctx.step_id,
        attempt: ctx.attempt,
        idempotency_key: ctx.idempotency_key,
        subject: ctx.subject.map(Reference::from),
        dry_run: ctx.dry_run,
    };
    Ok(match A::run(&ctx, input)? {
        crate::Outcome::Done(output) => Outcome::Done(serde_json::to_string(&output)?),
        crate::Outcome::Retry(after, reason) => {
            Outcome::Retry((u32::try_from(after.as_millis()).unwrap_or(u32::MAX), reason))
        }
        crate::Outcome::Skip(reason) => Outcome::Skip(reason),
    })
}

/// The error for an action that the plugin does not have.
pub fn unknown(action: &str, known: &[&str]) -> Error {
    crate::Error::new(
        Code::NotFound,
        format!("this plugin has no action `{action}`; it has {}", known.join(", ")),
    )
    .into_host()
}

/// A value as the text of a JSON object, as the host takes it.
pub(crate) fn object(value: impl serde::Serialize, what: &str) -> crate::Result<String> {
    let text = serde_json::to_string(&value)?;
    if text.starts_with('{') {
        Ok(text)
    } else if text == "null" {
        Ok("{}".to_owned())
    } else {
        Err(crate::Error::permanent(format!("{what} must be a JSON object, not `{text}`")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::object;

    #[test]
    fn what_the_host_takes_is_an_object() {
        let fields = BTreeMap::from([("status", "won")]);
        assert_eq!(object(fields, "the fields").unwrap(), r#"{"status":"won"}"#);
        assert_eq!(object(json!(null), "the fields").unwrap(), "{}");
        assert_eq!(
            object(json!(["won"]), "the fields").unwrap_err().message(),
            r#"the fields must be a JSON object, not `["won"]`"#
        );
    }
}
