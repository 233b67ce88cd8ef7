//! Logs go to stderr: a sentence and its fields, as text or as JSON.

use std::io;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::{failure::Wrong, out};

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The library that speaks IMAP writes each command to its log, the login among
/// them, and each mail: whatever somebody asks for, that is no log's matter.
const NEVER: &str = "async_imap::imap_stream=off";

/// Begins to log. `filter` is what the user asked for, as `warn` or
/// `relata_app=debug`; `default` holds where it is not given.
pub(crate) fn start(format: LogFormat, filter: Option<&str>, default: &str) -> Result<(), Wrong> {
    let filter = filter.filter(|filter| !filter.trim().is_empty()).unwrap_or(default);
    let filter = filtered(filter)?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Text => logs.with_ansi(out::stderr_colors()).with_target(false).init(),
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
    Ok(())
}

fn filtered(filter: &str) -> Result<EnvFilter, Wrong> {
    let wrong = |why: &dyn std::fmt::Display| {
        Wrong::new(format!(
            "the log filter `{filter}` does not read: {why}; write a level such as `info`, or `relata_app=debug,warn`"
        ))
    };
    let read = EnvFilter::try_new(filter).map_err(|why| wrong(&why))?;
    Ok(read.add_directive(NEVER.parse().map_err(|why| wrong(&why))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_filter_lets_a_password_into_the_log() {
        for asked in ["trace", "async_imap=trace", "warn,async_imap::imap_stream=trace"] {
            let filter = filtered(asked).ok().map(|filter| filter.to_string());
            let filter = filter.expect("a filter");
            assert!(filter.contains(NEVER), "{filter}");
            assert!(!filter.contains("imap_stream=trace"), "{filter}");
        }
    }
}
