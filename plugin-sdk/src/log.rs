//! The plugin's log, kept with the run.
//!
//! ```no_run
//! # use relata_plugin_sdk::prelude::*;
//! # let (team, open) = ("team/dach", 3);
//! log::info!("picked the next of the team");
//! log::warn!("{open} leads are open"; team = team, limit = 40);
//! ```
//!
//! No customer's text and no secret, please: logs are kept where records are
//! not.

use crate::bindings::relata::plugin::log as host;

pub use crate::{debug, error, info, warn};

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever writes the plugin.
    Debug,
    /// What happened.
    Info,
    /// What somebody should look at.
    Warn,
    /// What went wrong.
    Error,
}

/// Writes one line; the macros are easier to use.
pub fn emit(level: Level, message: &str, fields: &serde_json::Map<String, serde_json::Value>) {
    let level = match level {
        Level::Debug => host::Level::Debug,
        Level::Info => host::Level::Info,
        Level::Warn => host::Level::Warn,
        Level::Error => host::Level::Error,
    };
    let fields = serde_json::to_string(fields).unwrap_or_else(|_| "{}".to_owned());
    host::emit(level, message, &fields);
}

/// Writes a line at a [`Level`]: `log!(Level::Info, "text {x}"; field = value)`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($level:ident, $format:literal $(, $argument:expr)* $(; $($field:ident = $value:expr),+)? $(,)?) => {
        $crate::log::emit(
            $crate::log::Level::$level,
            &::std::format!($format $(, $argument)*),
            &[$($((
                ::std::string::String::from(::std::stringify!($field)),
                $crate::__private::json!($value),
            )),+)?]
            .into_iter()
            .collect(),
        )
    };
}

/// Logs what only the plugin's author wants to know: `debug!("text {x}"; field = value)`.
#[macro_export]
macro_rules! debug {
    ($($line:tt)+) => { $crate::__log!(Debug, $($line)+) };
}

/// Logs what happened: `info!("text {x}"; field = value)`.
#[macro_export]
macro_rules! info {
    ($($line:tt)+) => { $crate::__log!(Info, $($line)+) };
}

/// Logs what somebody should look at: `warn!("text {x}"; field = value)`.
#[macro_export]
macro_rules! warn {
    ($($line:tt)+) => { $crate::__log!(Warn, $($line)+) };
}

/// Logs what went wrong: `error!("text {x}"; field = value)`.
#[macro_export]
macro_rules! error {
    ($($line:tt)+) => { $crate::__log!(Error, $($line)+) };
}
