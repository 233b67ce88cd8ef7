//! What ends a command early, how it is said, and with which exit code.

use std::process::ExitCode;

use relata_app::AppError;

use crate::out;

/// The input was wrong, or something was found in it.
pub(crate) const WRONG: u8 = 1;

/// Something is wrong with Relata, its database or its machine.
const FAULT: u8 = 3;

/// The input was wrong, and the sentence says how to mend it.
#[derive(Debug)]
pub(crate) struct Wrong(String);

impl Wrong {
    /// A sentence on what is wrong.
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

/// Says what went wrong. What a person can mend is one sentence; for a fault
/// of ours, or with `verbose`, the causes follow, a line each.
pub(crate) fn report(why: &anyhow::Error, verbose: bool) -> ExitCode {
    let wrong_input = is_wrong_input(why);
    let sentence = why.to_string();
    if sentence.starts_with("error[") {
        // Diagnostics of a formula or workflow, which begin with the word.
        out::note(sentence.trim_end());
    } else {
        out::error(sentence.trim_end());
    }
    if verbose || !wrong_input {
        for cause in why.chain().skip(1) {
            out::note(&format!("  because: {cause}"));
        }
    }
    ExitCode::from(if wrong_input { WRONG } else { FAULT })
}

fn is_wrong_input(why: &anyhow::Error) -> bool {
    why.chain().any(|cause| {
        cause.is::<Wrong>()
            || cause.downcast_ref::<AppError>().is_some_and(AppError::is_wrong_input)
    })
}
