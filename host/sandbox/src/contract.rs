//! What a plugin and its host say to each other, in plain Rust.
//!
//! The types here are the newest contract without its encoding: `app`
//! implements [`HostCalls`] with them and never sees a generated binding. Each
//! published version of `wit/` is a module that converts to and from them
//! ([`v0_1_0`] is the only one so far); there is no dispatch on versions
//! anywhere else.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use relata_package::{Destination, Method};
use serde_json::{Map, Value};

pub(crate) mod v0_1_0;

/// The fields of a record: a JSON object.
pub type Fields = Map<String, Value>;

/// What the host does for a plugin.
///
/// `app` implements it once, for one step: reads come from the store with the
/// step's own writes over them, writes are collected and committed with the
/// step. By the time a method is called the sandbox has checked the plugin's
/// permissions and the call's limits; what it returns is cut to the fields
/// that the plugin may read.
///
/// An error goes to the plugin, which may go on in spite of it. A host that
/// had a fault of its own (the database was away) should therefore also
/// remember it and refuse to commit the step, whatever the plugin made of it.
#[async_trait]
pub trait HostCalls: Any + Send {
    /// One record by `object/id` or `object/external-id`; [`Code::NotFound`]
    /// if there is none.
    async fn record_get(&mut self, record: &str) -> Result<Entity, HostError>;

    /// A page of the records that meet all conditions, ordered by id.
    async fn record_query(&mut self, query: Query) -> Result<Page, HostError>;

    /// How many records of `object` meet all conditions.
    async fn record_count(
        &mut self,
        object: &str,
        filter: Vec<Condition>,
    ) -> Result<u64, HostError>;

    /// How many records of `object` meet all conditions, for each value of `field`
    /// among them; at most 1,000 different ones.
    async fn record_count_by(
        &mut self,
        object: &str,
        filter: Vec<Condition>,
        field: &str,
    ) -> Result<Vec<Tally>, HostError>;

    /// Whether a calendar is open at a time, in milliseconds since 1970 UTC;
    /// [`Code::NotFound`] if there is no such calendar.
    async fn calendar_is_open(&mut self, calendar: &str, at_ms: u64) -> Result<bool, HostError>;

    /// Creates a record; its id is known at once.
    async fn record_create(&mut self, object: &str, fields: Fields) -> Result<Entity, HostError>;

    /// Sets the named fields. With `if_revision`, only if the record still has
    /// that revision, else [`Code::Conflict`].
    async fn record_update(
        &mut self,
        record: &str,
        fields: Fields,
        if_revision: Option<u64>,
    ) -> Result<Entity, HostError>;

    /// Deletes a record.
    async fn record_delete(
        &mut self,
        record: &str,
        if_revision: Option<u64>,
    ) -> Result<(), HostError>;

    /// Queues a mail, or says why it is suppressed.
    async fn send_mail(&mut self, mail: MailRequest) -> Result<Receipt, HostError>;

    /// Queues a notice to a user.
    async fn notify(&mut self, notice: Notice) -> Result<Receipt, HostError>;

    /// Emits a named event when the step commits.
    async fn emit(&mut self, event: EventRequest) -> Result<(), HostError>;

    /// The plugin's own value under `key`.
    async fn state_get(&mut self, key: &str) -> Result<Option<StateItem>, HostError>;

    /// Stores the plugin's own value and answers its new revision.
    async fn state_put(&mut self, put: StatePut) -> Result<u64, HostError>;

    /// Sends a request and answers what came, a redirect like anything else:
    /// the sandbox decides whether to follow it. Where [`SecretUse`]s say so,
    /// secrets take the place of their placeholders, and where one comes back
    /// in the answer, its placeholder takes its place.
    async fn http_send(&mut self, request: HttpRequest) -> Result<HttpResponse, HostError>;

    /// Sends a request after the step has committed, under the id that is
    /// answered.
    async fn http_deliver(&mut self, request: HttpRequest) -> Result<String, HostError>;

    /// Whether there is a secret of this name.
    async fn has_secret(&mut self, name: &str) -> Result<bool, HostError>;

    /// Whether the run was cancelled meanwhile. Must not block.
    fn cancelled(&self) -> bool;
}

/// A request to a web service that the plugin may make: its permissions and
/// limits were checked.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The address in full, in its normal form.
    pub url: String,
    /// Where that leads.
    pub to: Destination,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// For how long to wait for the whole answer.
    pub timeout: Duration,
    /// How many bytes the answer's body may have.
    pub answer_bytes: usize,
    /// Placeholders that stand in the address, a header or the body, and may
    /// become secrets there.
    pub secrets: Vec<SecretUse>,
}

/// A placeholder and the secret that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretUse {
    /// The text in the request.
    pub placeholder: String,
    /// The secret's name.
    pub name: String,
}

/// What a web service answered.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpResponse {
    /// The status: 200.
    pub status: u16,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A record as the plugin sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    /// The object: `contact`.
    pub object: String,
    /// The record's id, without the object.
    pub id: String,
    /// Goes up by one with each change.
    pub revision: u64,
    /// The fields that the plugin may read.
    pub fields: Fields,
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// The field's value is in the list.
    OneOf,
    /// The field, a list or a text, contains the value.
    Contains,
    /// The field has no value; the condition's value is null.
    IsEmpty,
    /// The field has a value; the condition's value is null.
    IsNotEmpty,
}

/// One condition on one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The field's name.
    pub field: String,
    /// The comparison.
    pub operator: Operator,
    /// What it is compared with; a list for [`Operator::OneOf`].
    pub value: Value,
}

/// How many records have one and the same value.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    /// The value; null where there is none.
    pub value: Value,
    /// How many have it.
    pub count: u64,
}

/// A query for one page of records.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The object: `lead`.
    pub object: String,
    /// All must hold.
    pub filter: Vec<Condition>,
    /// The fields to return; empty means all.
    pub fields: Vec<String>,
    /// At most this many, 1 to 1,000.
    pub limit: u32,
    /// Where the page before ended, from [`Page::cursor`].
    pub cursor: Option<String>,
}

/// A page of records.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The records, ordered by id.
    pub entities: Vec<Entity>,
    /// Where the next page begins; absent on the last.
    pub cursor: Option<String>,
}

/// A mail to a record that has an address.
#[derive(Debug, Clone, PartialEq)]
pub struct MailRequest {
    /// The recipient, `object/id`.
    pub to: String,
    /// The template's name.
    pub template: String,
    /// What the template may name.
    pub data: Fields,
}

/// A short text to a user.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// The user, `user/id`.
    pub to: String,
    /// What to say.
    pub text: String,
    /// The record it is about, `object/id`.
    pub about: Option<String>,
}

/// What became of a mail or notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// It will be sent under this id.
    Queued(String),
    /// It will not be sent, and why.
    Suppressed(String),
}

/// A named event.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRequest {
    /// The event's name: `survey.answered`.
    pub name: String,
    /// The records it is about, the main one first.
    pub about: Vec<String>,
    /// Its data.
    pub data: Fields,
}

/// A value of the plugin's own memory.
#[derive(Debug, Clone, PartialEq)]
pub struct StateItem {
    /// The value.
    pub value: Value,
    /// Goes up by one with each put.
    pub revision: u64,
}

/// A value for the plugin's own memory.
#[derive(Debug, Clone, PartialEq)]
pub struct StatePut {
    /// The key; no other plugin sees it.
    pub key: String,
    /// The value.
    pub value: Value,
    /// Only if the key has this revision; 0 means only if it is new.
    pub if_revision: Option<u64>,
    /// Forget it after so many milliseconds.
    pub ttl_ms: Option<u64>,
}

/// Why something did not work; see `wit/0.1.0/types.wit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The plugin lacks a permission.
    Denied,
    /// The input, or a value written to a record, is wrong.
    Invalid,
    /// No such record, template, team, queue or key.
    NotFound,
    /// Somebody else changed it meanwhile.
    Conflict,
    /// A limit of the sandbox or of a remote service was reached.
    Limit,
    /// It may work when tried again.
    Transient,
    /// It will not work, however often it is tried.
    Permanent,
    /// The run was cancelled.
    Cancelled,
}

impl Code {
    /// The code's name in the contract: `not-found`.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Denied => "denied",
            Code::Invalid => "invalid",
            Code::NotFound => "not-found",
            Code::Conflict => "conflict",
            Code::Limit => "limit",
            Code::Transient => "transient",
            Code::Permanent => "permanent",
            Code::Cancelled => "cancelled",
        }
    }

    /// Whether another attempt is worth it: `transient` and `limit` only.
    pub fn is_transient(self) -> bool {
        matches!(self, Code::Transient | Code::Limit)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error across the contract, in either direction. It displays as its
/// message, a sentence for the operations staff.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct HostError {
    /// What kind of error it is.
    pub code: Code,
    /// What was tried, on what, and how to mend it.
    pub message: String,
    /// Not before this many milliseconds, if the receiver said so.
    pub retry_after_ms: Option<u32>,
    /// More for machines to read.
    pub details: Option<Value>,
}

impl HostError {
    /// An error of a code with a message and nothing more.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_ms: None, details: None }
    }

    /// [`Code::Invalid`] with a message.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message)
    }

    /// [`Code::NotFound`] with a message.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// [`Code::Transient`] with a message.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(Code::Transient, message)
    }
}

/// An event that answers an action: a workflow that waits for `event` since
/// the action's step waits for the one whose key is the value of
/// `output_field` in the action's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correlation {
    /// The event's name: `survey.answered`.
    pub event: String,
    /// The field of the action's output: `survey_response`.
    pub output_field: String,
}

/// What an action says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Descriptor {
    /// The action's name without the plugin's: `round_robin`.
    pub id: String,
    /// One line.
    pub title: String,
    /// A paragraph for the reference page.
    pub summary: String,
    /// JSON Schema (2020-12) of the input.
    pub input_schema: Value,
    /// JSON Schema (2020-12) of the output.
    pub output_schema: Value,
    /// Objects and fields it reads: `lead`, `lead.owner`, or `*`.
    pub reads: Vec<String>,
    /// Objects and fields it writes, likewise.
    pub writes: Vec<String>,
    /// Events that answer it.
    pub correlation: Vec<Correlation>,
    /// Steps with one key run one after another: `rotation/{team}`.
    pub exclusive: Option<String>,
    /// Whether a second call with one idempotency key does no harm outside.
    pub idempotent: bool,
}

/// The context of one call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context {
    /// The run.
    pub run_id: String,
    /// The step.
    pub step_id: String,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// The same for every attempt of one step.
    pub idempotency_key: String,
    /// The record the run is about, `object/id`.
    pub subject: Option<String>,
    /// The host will discard what the call writes.
    pub dry_run: bool,
}

/// What an action answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Done, with an output that fits the output schema.
    Done(Value),
    /// Not yet: again later.
    Retry {
        /// After so many milliseconds.
        after_ms: u32,
        /// Why.
        reason: String,
    },
    /// There was nothing to do, and why.
    Skip(String),
}
