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

/// Begins to log. `filter` is what the user asked for, as `warn` or
/// `relata_app=debug`; `default` holds where it is not given.
pub(crate) fn start(format: LogFormat, filter: Option<&str>, default: &str) -> Result<(), Wrong> {
    let filter = filter.filter(|filter| !filter.trim().is_empty()).unwrap_or(default);
    let filter = EnvFilter::try_new(filter).map_err(|why| {
        Wrong::new(format!(
            "the log filter `{filter}` does not read: {why}; write a level such as `info`, or `relata_app=debug,warn`"
        ))
    })?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Text => logs.with_ansi(out::stderr_colors()).with_target(false).init(),
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
    Ok(())
}
