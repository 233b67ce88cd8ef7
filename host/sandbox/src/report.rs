//! What a call used up and what the plugin said meanwhile.

use std::time::Duration;

use serde_json::Value;

/// How loud a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For the plugin's author.
    Debug,
    /// What happened.
    Info,
    /// Something to look at.
    Warn,
    /// Something that failed.
    Error,
}

/// One line that the plugin logged.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    /// How loud.
    pub level: LogLevel,
    /// The sentence.
    pub message: String,
    /// More, as the plugin gave it: a JSON object, or the raw text if it was
    /// no JSON.
    pub fields: Value,
}

/// A panic, as the plugin's panic hook told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panic {
    /// The panic's message.
    pub message: String,
    /// Where in the plugin's source: `src/lib.rs:14:9`.
    pub location: String,
}

/// What one call used up. There is a report for every call, also a failed one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CallReport {
    /// The digest of the plugin that was called; empty where none was.
    pub digest: String,
    /// CPU time of the guest.
    pub cpu: Duration,
    /// From the instance to the answer, waits included.
    pub elapsed: Duration,
    /// Of that, waiting on host calls.
    pub waited: Duration,
    /// The most linear memory at any time, in bytes.
    pub peak_memory_bytes: usize,
    /// Calls of the host, those of the log not counted.
    pub host_calls: u32,
    /// Of these, reads of records, state and secrets.
    pub queries: u32,
    /// Of these, writes, mails, notices, events and state values.
    pub writes: u32,
    /// Of these, requests to web services, redirects not counted.
    pub http_calls: u32,
    /// The log, up to the plugin's limit.
    pub logs: Vec<LogLine>,
    /// Lines that no longer fitted into the log.
    pub logs_dropped: u32,
    /// The last panic.
    pub panic: Option<Panic>,
}
