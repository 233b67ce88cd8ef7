//! What an action is, and the way between its types and the contract.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Reference, Result};

/// One action: what a workflow step names with `do: plugin.action`.
///
/// Implement it for a type without fields, and list the type in
/// [`plugin!`](crate::plugin).
pub trait Action {
    /// The name within the plugin, in snake case: `round_robin`.
    const ID: &'static str;
    /// One line: `Pick the next salesperson in turn`.
    const TITLE: &'static str;
    /// A paragraph for the reference page. If empty, it is the doc comment of
    /// [`Action::Input`].
    const SUMMARY: &'static str = "";
    /// What the action reads: `lead`, `lead.owner`, or `*` when the input decides.
    const READS: &'static [&'static str] = &[];
    /// What the action writes, in the same form. From this the host finds
    /// workflows that would trigger one another for ever.
    const WRITES: &'static [&'static str] = &[];
    /// Events that answer this action, and the output field with their key.
    const CORRELATION: &'static [Correlation] = &[];
    /// Steps with the same key run one after another, across all machines,
    /// until their commit. `{team}` stands for the input `team`.
    const EXCLUSIVE: Option<&'static str> = None;
    /// Whether a second call with the same idempotency key does no harm
    /// outside Relata. True for all that is written through this SDK.
    const IDEMPOTENT: bool = true;

    /// What the workflow gives: a struct. A field without `Option` and
    /// without `#[serde(default)]` is required; names that the struct does
    /// not have are refused.
    type Input: DeserializeOwned + JsonSchema;
    /// What the workflow gets as `as: NAME`: a struct.
    type Output: Serialize + JsonSchema;

    /// Does it. Nothing that it writes exists for others before the step
    /// commits, and nothing of it remains if this returns an error or panics.
    fn run(ctx: &Context, input: Self::Input) -> Result<Outcome<Self::Output>>;
}

/// An event that answers an action, see [`Action::CORRELATION`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Correlation {
    /// The event's name, such as `survey.answered`.
    pub event: &'static str,
    /// The field of the action's output whose value is the event's key.
    pub output_field: &'static str,
}

/// How an action ended well. Made by [`done`], [`skip`] and [`retry`].
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome<T> {
    /// Done, with an output.
    Done(T),
    /// Not yet: again after this time, for this reason.
    Retry(Duration, String),
    /// There was nothing to do, for this reason.
    Skip(String),
}

/// The action is done, and this is its output.
pub fn done<T>(output: T) -> Result<Outcome<T>> {
    Ok(Outcome::Done(output))
}

/// There was nothing to do; the run goes on without an output.
pub fn skip<T>(reason: impl Into<String>) -> Result<Outcome<T>> {
    Ok(Outcome::Skip(reason.into()))
}

/// Not yet: call the action again after `after` (at most 49 days). Not a
/// failure, and not counted as one.
pub fn retry<T>(after: Duration, reason: impl Into<String>) -> Result<Outcome<T>> {
    Ok(Outcome::Retry(after, reason.into()))
}

/// What a call knows about the step that it runs for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The run.
    pub run_id: String,
    /// The step in the run.
    pub step_id: String,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// The same for every attempt of one step.
    pub idempotency_key: String,
    /// The record that the run is about, if any.
    pub subject: Option<Reference>,
    /// A rehearsal: the host discards what this call writes.
    pub dry_run: bool,
}

/// Names the plugin's actions and exports them. One line a plugin:
///
/// ```ignore
/// relata_plugin_sdk::plugin!(RoundRobin, LeastBusy);
/// ```
#[macro_export]
macro_rules! plugin {
    ($($action:ty),+ $(,)?) => {
        const _: () = {
            struct Plugin;

            impl $crate::glue::Guest for Plugin {
                fn describe() -> ::std::vec::Vec<$crate::glue::Descriptor> {
                    $crate::glue::start();
                    ::std::vec![$($crate::glue::describe::<$action>()),+]
                }

                fn run(
                    ctx: $crate::glue::Context,
                    action: ::std::string::String,
                    input: ::std::string::String,
                ) -> ::std::result::Result<$crate::glue::Outcome, $crate::glue::Error> {
                    $crate::glue::start();
                    $(
                        if action == <$action as $crate::Action>::ID {
                            return $crate::glue::run::<$action>(ctx, &input);
                        }
                    )+
                    ::std::result::Result::Err($crate::glue::unknown(
                        &action,
                        &[$(<$action as $crate::Action>::ID),+],
                    ))
                }
            }

            $crate::bindings::export!(Plugin with_types_in $crate::bindings);
        };
    };
}
