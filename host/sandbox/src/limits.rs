//! What one call of a plugin may use up.

use serde::Deserialize;

/// Limits of one call. A `plugin.toml` may ask for others under `[limits]`, up
/// to the operator's ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory, in MiB.
    pub memory_mib: u32,
    /// CPU time of the guest, in milliseconds. Waiting on the host is free.
    pub cpu_ms: u32,
    /// The whole call with its waits, in seconds.
    pub call_s: u32,
    /// The input's JSON, in KiB.
    pub input_kib: u32,
    /// The output's JSON, in KiB.
    pub output_kib: u32,
    /// Log lines kept, in KiB.
    pub log_kib: u32,
    /// Records written, mails, notices, events and state values together.
    pub writes: u32,
    /// Reads of records and state.
    pub queries: u32,
}

impl Limits {
    /// What a plugin gets that asks for nothing.
    pub const DEFAULT: Limits = Limits {
        memory_mib: 64,
        cpu_ms: 200,
        call_s: 30,
        input_kib: 1024,
        output_kib: 1024,
        log_kib: 64,
        writes: 1000,
        queries: 100,
    };

    /// The most a plugin may ask for, unless the operator says otherwise.
    pub const CEILING: Limits = Limits {
        memory_mib: 256,
        cpu_ms: 5000,
        call_s: 300,
        input_kib: 4096,
        output_kib: 4096,
        log_kib: 1024,
        writes: 10_000,
        queries: 1000,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The `[limits]` table of a `plugin.toml`: what is absent is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsAsked {
    /// See [`Limits::memory_mib`].
    pub memory_mib: Option<u32>,
    /// See [`Limits::cpu_ms`].
    pub cpu_ms: Option<u32>,
    /// See [`Limits::call_s`].
    pub call_s: Option<u32>,
    /// See [`Limits::input_kib`].
    pub input_kib: Option<u32>,
    /// See [`Limits::output_kib`].
    pub output_kib: Option<u32>,
    /// See [`Limits::log_kib`].
    pub log_kib: Option<u32>,
    /// See [`Limits::writes`].
    pub writes: Option<u32>,
    /// See [`Limits::queries`].
    pub queries: Option<u32>,
}

/// A limit in a manifest that the operator does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("limits.{name} = {asked} is outside of what is allowed here, 1 to {ceiling}")]
pub struct LimitRefused {
    name: &'static str,
    asked: u32,
    ceiling: u32,
}

impl LimitsAsked {
    /// The limits that hold: what was asked, else the default (or the ceiling
    /// where that is lower).
    pub(crate) fn within(
        &self,
        default: &Limits,
        ceiling: &Limits,
    ) -> Result<Limits, LimitRefused> {
        fn one(
            name: &'static str,
            asked: Option<u32>,
            default: u32,
            ceiling: u32,
        ) -> Result<u32, LimitRefused> {
            match asked {
                None => Ok(default.min(ceiling)),
                Some(asked) if (1..=ceiling).contains(&asked) => Ok(asked),
                Some(asked) => Err(LimitRefused { name, asked, ceiling }),
            }
        }
        macro_rules! each {
            ($($name:ident),*) => {
                Ok(Limits { $($name: one(stringify!($name), self.$name, default.$name, ceiling.$name)?),* })
            };
        }
        each!(memory_mib, cpu_ms, call_s, input_kib, output_kib, log_kib, writes, queries)
    }
}
