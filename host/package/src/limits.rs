//! What one call of a plugin may use up.

use serde::{Deserialize, Serialize};

/// Limits of one call. A `plugin.toml` may ask for others under `[limits]`, up
/// to the operator's ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
    /// Requests to web services, redirects not counted.
    pub http_calls: u32,
    /// The body of a request, and that of its answer, in KiB.
    pub http_kib: u32,
    /// One request with its answer, in seconds.
    pub http_s: u32,
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
        http_calls: 20,
        http_kib: 2048,
        http_s: 10,
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
        http_calls: 200,
        http_kib: 4096,
        http_s: 60,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The `[limits]` table of a `plugin.toml`: what is absent is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsAsked {
    /// See [`Limits::memory_mib`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u32>,
    /// See [`Limits::cpu_ms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u32>,
    /// See [`Limits::call_s`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_s: Option<u32>,
    /// See [`Limits::input_kib`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_kib: Option<u32>,
    /// See [`Limits::output_kib`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_kib: Option<u32>,
    /// See [`Limits::log_kib`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_kib: Option<u32>,
    /// See [`Limits::writes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writes: Option<u32>,
    /// See [`Limits::queries`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queries: Option<u32>,
    /// See [`Limits::http_calls`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_calls: Option<u32>,
    /// See [`Limits::http_kib`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_kib: Option<u32>,
    /// See [`Limits::http_s`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_s: Option<u32>,
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
    pub fn within(&self, default: &Limits, ceiling: &Limits) -> Result<Limits, LimitRefused> {
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
        each!(
            memory_mib, cpu_ms, call_s, input_kib, output_kib, log_kib, writes, queries,
            http_calls, http_kib, http_s
        )
    }

    /// What it asks for that is not the default.
    #[must_use]
    pub fn beside(&self, default: &Limits) -> Vec<LimitAsked> {
        let mut differing = Vec::new();
        macro_rules! each {
            ($($name:ident),*) => {
                $(if let Some(asked) = self.$name && asked != default.$name {
                    let name = stringify!($name);
                    differing.push(LimitAsked { name, asked, default: default.$name });
                })*
            };
        }
        each!(
            memory_mib, cpu_ms, call_s, input_kib, output_kib, log_kib, writes, queries,
            http_calls, http_kib, http_s
        );
        differing
    }
}

/// A limit that a manifest asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitAsked {
    /// Its name in `[limits]`.
    pub name: &'static str,
    /// What is asked for.
    pub asked: u32,
    /// What it would be otherwise.
    pub default: u32,
}

impl std::fmt::Display for LimitAsked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} = {} (default {})", self.name, self.asked, self.default)
    }
}
