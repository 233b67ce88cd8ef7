//! What came of a plugin's tests, for people and programs.

use std::time::Duration;

use relata_sandbox::CallReport;
use serde::Serialize;

use crate::testing::report::Failure;

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginCaseReport {
    /// The test file.
    pub file: String,
    /// What the case is about.
    pub it: String,
    /// Its line in the file, from 1.
    pub line: usize,
    /// The action that was called, without the plugin's name.
    pub action: String,
    /// In what it is not as expected; empty if the case holds.
    pub failures: Vec<Failure>,
    /// What the call did, for a case that does not hold: what a person reads
    /// to find out why.
    pub trace: Vec<String>,
    /// What the call used up.
    pub used: CallUse,
    /// How often it was called again with something gone wrong.
    pub faults: usize,
    /// The faults to which the plugin had no orderly answer.
    pub broken: Vec<FaultReport>,
    /// How long all of it took, milliseconds.
    pub millis: u64,
}

impl PluginCaseReport {
    /// Whether everything was as expected, and every fault was answered.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.failures.is_empty() && self.broken.is_empty()
    }
}

/// Something that went wrong on purpose, and what the plugin made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultReport {
    /// What went wrong: `where it may not keep values of its own`.
    pub fault: String,
    /// What happened: `it panicked at src/lib.rs:10:5: …`.
    pub happened: String,
}

/// What a call used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CallUse {
    /// The plugin's time on the processor, microseconds.
    pub cpu_us: u64,
    /// The whole call, microseconds.
    pub elapsed_us: u64,
    /// The most memory at any time, bytes.
    pub memory_bytes: usize,
    /// Host calls of any kind but logging.
    pub host_calls: u32,
}

impl CallUse {
    pub(super) fn of(report: &CallReport) -> Self {
        let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Self {
            cpu_us: micros(report.cpu),
            elapsed_us: micros(report.elapsed),
            memory_bytes: report.peak_memory_bytes,
            host_calls: report.host_calls,
        }
    }
}
