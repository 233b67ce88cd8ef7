//! The one gate between a guest and its host: permissions, limits and the
//! account of what was used. Every version of the contract comes through
//! here, and nothing else calls [`HostCalls`].

use std::sync::Arc;
use std::time::Duration;

use relata_package::{Channel, Denied, Limits, Permissions};
use serde_json::{Map, Value};
use tokio::time::Instant;
use wasmtime::{ResourceLimiter, UpdateDeadline};

use crate::config::TABLE_ELEMENTS;
use crate::contract::{
    Code, Condition, Entity, EventRequest, Fields, HostCalls, HostError, MailRequest, Notice, Page,
    Query, Receipt, StateItem, StatePut,
};
use crate::report::{CallReport, LogLevel, LogLine, Panic};
use crate::requests::Requests;
use crate::ticker::Running;

/// The largest page of a query.
const PAGE: u32 = 1000;

/// The most random bytes at once.
const RANDOM: u32 = 1024;

/// The most that is kept of a panic's message, in bytes.
const PANIC_BYTES: usize = 4096;

/// Who calls, for messages and logs.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) plugin: String,
    pub(crate) action: String,
    pub(crate) run_id: String,
    pub(crate) step_id: String,
    pub(crate) idempotency_key: String,
}

/// What a plugin may do, and how that came to be.
#[derive(Clone)]
pub(crate) struct Rights {
    /// What its manifest asks for.
    asked: Arc<Permissions>,
    /// Of that, what was agreed to.
    granted: Arc<Permissions>,
    /// Of that, what the step leaves.
    effective: Arc<Permissions>,
}

impl Rights {
    /// What a manifest asks for, as far as it is granted.
    pub(crate) fn of(asked: &Permissions, granted: Option<&Permissions>) -> Self {
        let asked = Arc::new(asked.clone());
        let granted =
            granted.map_or_else(|| Arc::clone(&asked), |granted| Arc::new(asked.meet(granted)));
        Self { asked, effective: Arc::clone(&granted), granted }
    }

    /// The same, as far as a step leaves it.
    pub(crate) fn leaving(&self, leaves: &Permissions) -> Self {
        Self { effective: Arc::new(self.granted.meet(leaves)), ..self.clone() }
    }

    pub(crate) fn effective(&self) -> &Permissions {
        &self.effective
    }

    /// How what is missing may be given.
    fn remedy(&self, denied: &Denied) -> String {
        let grant = &denied.grant;
        if !self.asked.touches(grant) {
            format!("{} in its plugin.toml allows it", grant.remedy())
        } else if !self.granted.touches(grant) {
            "its plugin.toml asks for it, but it was installed without; `relata plugin install` shows what it asks for".to_owned()
        } else {
            "the step's `may` leaves it out".to_owned()
        }
    }
}

/// The guest used up its CPU time.
#[derive(Debug, thiserror::Error)]
#[error("the CPU limit was reached")]
pub(crate) struct CpuLimitReached;

/// The state of one call: the data of its wasmtime store.
pub(crate) struct Gate {
    pub(crate) caller: Caller,
    pub(crate) rights: Rights,
    pub(crate) limits: Limits,
    pub(crate) host: Box<dyn HostCalls>,
    pub(crate) now_ms: u64,
    pub(crate) random: fastrand::Rng,
    pub(crate) requests: Requests,
    pub(crate) running: Running,
    pub(crate) resources: Resources,
    pub(crate) report: CallReport,
    /// Bytes of log so far.
    pub(crate) logged: usize,
    /// A host call waited through a tick, so the next tick is not the guest's.
    pub(crate) waited_through_tick: bool,
}

/// Memory and tables of a call, and whether the last wish was refused.
pub(crate) struct Resources {
    limit_bytes: usize,
    bytes: usize,
    peak_bytes: usize,
    elements: usize,
    pub(crate) memory_refused: bool,
    pub(crate) table_refused: bool,
}

impl Resources {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            limit_bytes: (limits.memory_mib as usize) << 20,
            bytes: 0,
            peak_bytes: 0,
            elements: 0,
            memory_refused: false,
            table_refused: false,
        }
    }

    pub(crate) fn peak_bytes(&self) -> usize {
        self.peak_bytes
    }
}

impl ResourceLimiter for Resources {
    // A refusal is `false` and not an error: a guest with a garbage collector
    // can make room and go on. If it stops instead, the flag tells why.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.bytes.saturating_sub(current).saturating_add(desired);
        if total > self.limit_bytes {
            self.memory_refused = true;
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.bytes = total;
        self.peak_bytes = self.peak_bytes.max(total);
        self.memory_refused = false;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.elements.saturating_sub(current).saturating_add(desired);
        if total > TABLE_ELEMENTS {
            self.table_refused = true;
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.elements = total;
        self.table_refused = false;
        Ok(true)
    }
}

/// The object of `object/id`.
fn object_of(reference: &str) -> Result<&str, HostError> {
    match reference.split_once('/') {
        Some((object, id)) if !object.is_empty() && !id.is_empty() => Ok(object),
        _ => Err(HostError::invalid(format!(
            "`{reference}` is not a reference: it should be an object and an id, as in lead/123"
        ))),
    }
}

/// A limit of the call, for the plugin to pass on. It is permanent, although
/// the contract has a code `limit`: that one is worth another attempt, and this
/// would only be met again.
pub(crate) fn limit_error(message: String) -> HostError {
    HostError::new(Code::Permanent, message)
}

/// A host call under way.
pub(crate) struct Wait {
    since: Instant,
    ticks: u64,
}

impl Gate {
    /// Charges the guest for a tick and lets others run.
    pub(crate) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        if self.waited_through_tick {
            // This tick went by while the host was at work.
            self.waited_through_tick = false;
        } else {
            self.report.cpu_ms += 1;
            if self.report.cpu_ms > self.limits.cpu_ms {
                return Err(CpuLimitReached.into());
            }
        }
        Ok(UpdateDeadline::Yield(1))
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "it measures how long a host call takes, no decision depends on it"
    )]
    pub(crate) fn now() -> Instant {
        Instant::now()
    }

    pub(crate) fn wait_begins(&self) -> Wait {
        Wait { since: Self::now(), ticks: self.running.ticks() }
    }

    pub(crate) fn wait_ends(&mut self, wait: Wait) {
        self.report.waited += Self::now().saturating_duration_since(wait.since);
        if self.running.ticks() != wait.ticks {
            self.waited_through_tick = true;
        }
    }

    pub(crate) fn denied(&self, denied: Denied) -> HostError {
        tracing::warn!(
            plugin.name = %self.caller.plugin,
            plugin.action = %self.caller.action,
            run.id = %self.caller.run_id,
            step.id = %self.caller.step_id,
            "plugin `{}` {denied}",
            self.caller.plugin,
        );
        HostError::new(
            Code::Denied,
            format!("plugin `{}` {denied}: {}", self.caller.plugin, self.rights.remedy(&denied)),
        )
    }

    fn count_query(&mut self) -> Result<(), HostError> {
        self.report.host_calls += 1;
        self.report.queries += 1;
        let limit = self.limits.queries;
        if self.report.queries > limit {
            return Err(limit_error(format!(
                "more than {limit} reads of records or state in one call (limits.queries in its plugin.toml)"
            )));
        }
        Ok(())
    }

    pub(crate) fn count_write(&mut self) -> Result<(), HostError> {
        self.report.host_calls += 1;
        self.report.writes += 1;
        let limit = self.limits.writes;
        if self.report.writes > limit {
            return Err(limit_error(format!(
                "more than {limit} writes of records, messages, events or state in one call (limits.writes in its plugin.toml)"
            )));
        }
        Ok(())
    }

    pub(crate) async fn record_get(&mut self, record: &str) -> Result<Entity, HostError> {
        self.count_query()?;
        let object = object_of(record)?;
        let permissions = Arc::clone(&self.rights.effective);
        let readable =
            permissions.check_object_read(object).map_err(|denied| self.denied(denied))?;
        let wait = self.wait_begins();
        let result = self.host.record_get(record).await;
        self.wait_ends(wait);
        let mut entity = result?;
        entity.fields.retain(|field, _| readable.contains(field));
        Ok(entity)
    }

    pub(crate) async fn record_query(&mut self, mut query: Query) -> Result<Page, HostError> {
        self.count_query()?;
        let permissions = Arc::clone(&self.rights.effective);
        let readable =
            permissions.check_object_read(&query.object).map_err(|denied| self.denied(denied))?;
        for field in
            query.fields.iter().chain(query.filter.iter().map(|condition| &condition.field))
        {
            permissions.check_read(&query.object, field).map_err(|denied| self.denied(denied))?;
        }
        if query.fields.is_empty()
            && let Some(names) = readable.names()
        {
            query.fields = names;
        }
        query.limit = query.limit.clamp(1, PAGE);
        let wait = self.wait_begins();
        let result = self.host.record_query(query).await;
        self.wait_ends(wait);
        let mut page = result?;
        for entity in &mut page.entities {
            entity.fields.retain(|field, _| readable.contains(field));
        }
        Ok(page)
    }

    pub(crate) async fn record_count(
        &mut self,
        object: &str,
        filter: Vec<Condition>,
    ) -> Result<u64, HostError> {
        self.count_query()?;
        let permissions = Arc::clone(&self.rights.effective);
        permissions.check_object_read(object).map_err(|denied| self.denied(denied))?;
        for condition in &filter {
            permissions
                .check_read(object, &condition.field)
                .map_err(|denied| self.denied(denied))?;
        }
        let wait = self.wait_begins();
        let result = self.host.record_count(object, filter).await;
        self.wait_ends(wait);
        result
    }

    pub(crate) async fn record_create(
        &mut self,
        object: &str,
        fields: Fields,
    ) -> Result<Entity, HostError> {
        self.count_write()?;
        self.rights.effective.check_create(object).map_err(|denied| self.denied(denied))?;
        let written: Vec<String> = fields.keys().cloned().collect();
        let wait = self.wait_begins();
        let result = self.host.record_create(object, fields).await;
        self.wait_ends(wait);
        Ok(self.cut_written(object, &written, result?))
    }

    pub(crate) async fn record_update(
        &mut self,
        record: &str,
        fields: Fields,
        if_revision: Option<u64>,
    ) -> Result<Entity, HostError> {
        self.count_write()?;
        let object = object_of(record)?;
        let permissions = Arc::clone(&self.rights.effective);
        permissions.check_object_update(object).map_err(|denied| self.denied(denied))?;
        for field in fields.keys() {
            permissions.check_update(object, field).map_err(|denied| self.denied(denied))?;
        }
        let written: Vec<String> = fields.keys().cloned().collect();
        let wait = self.wait_begins();
        let result = self.host.record_update(record, fields, if_revision).await;
        self.wait_ends(wait);
        Ok(self.cut_written(object, &written, result?))
    }

    /// Of a record just written, the plugin sees what it wrote and what it may
    /// read.
    fn cut_written(&self, object: &str, written: &[String], mut entity: Entity) -> Entity {
        let readable = self.rights.effective.check_object_read(object).ok();
        entity.fields.retain(|field, _| {
            written.iter().any(|name| name == field)
                || readable.is_some_and(|readable| readable.contains(field))
        });
        entity
    }

    pub(crate) async fn record_delete(
        &mut self,
        record: &str,
        if_revision: Option<u64>,
    ) -> Result<(), HostError> {
        self.count_write()?;
        let object = object_of(record)?;
        self.rights.effective.check_delete(object).map_err(|denied| self.denied(denied))?;
        let wait = self.wait_begins();
        let result = self.host.record_delete(record, if_revision).await;
        self.wait_ends(wait);
        result
    }

    pub(crate) async fn send_mail(&mut self, mail: MailRequest) -> Result<Receipt, HostError> {
        self.count_write()?;
        self.rights.effective.check_message(Channel::Mail).map_err(|denied| self.denied(denied))?;
        object_of(&mail.to)?;
        let wait = self.wait_begins();
        let result = self.host.send_mail(mail).await;
        self.wait_ends(wait);
        result
    }

    pub(crate) async fn notify(&mut self, notice: Notice) -> Result<Receipt, HostError> {
        self.count_write()?;
        self.rights
            .effective
            .check_message(Channel::Notify)
            .map_err(|denied| self.denied(denied))?;
        object_of(&notice.to)?;
        let wait = self.wait_begins();
        let result = self.host.notify(notice).await;
        self.wait_ends(wait);
        result
    }

    pub(crate) async fn emit(&mut self, event: EventRequest) -> Result<(), HostError> {
        self.count_write()?;
        self.rights.effective.check_event(&event.name).map_err(|denied| self.denied(denied))?;
        for record in &event.about {
            object_of(record)?;
        }
        let wait = self.wait_begins();
        let result = self.host.emit(event).await;
        self.wait_ends(wait);
        result
    }

    pub(crate) async fn state_get(&mut self, key: &str) -> Result<Option<StateItem>, HostError> {
        self.count_query()?;
        self.rights.effective.check_state().map_err(|denied| self.denied(denied))?;
        let wait = self.wait_begins();
        let result = self.host.state_get(key).await;
        self.wait_ends(wait);
        result
    }

    pub(crate) async fn state_put(&mut self, put: StatePut) -> Result<u64, HostError> {
        self.count_write()?;
        self.rights.effective.check_state().map_err(|denied| self.denied(denied))?;
        let wait = self.wait_begins();
        let result = self.host.state_put(put).await;
        self.wait_ends(wait);
        result
    }

    pub(crate) fn now_ms(&mut self) -> u64 {
        self.report.host_calls += 1;
        self.now_ms
    }

    pub(crate) fn deadline_ms(&mut self) -> u64 {
        self.report.host_calls += 1;
        self.now_ms.saturating_add(u64::from(self.limits.call_s) * 1000)
    }

    pub(crate) fn cancelled(&mut self) -> bool {
        self.report.host_calls += 1;
        self.host.cancelled()
    }

    pub(crate) fn random(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        self.report.host_calls += 1;
        if length > RANDOM {
            return Err(wasmtime::Error::msg(format!(
                "asked for {length} random bytes at once, the most is {RANDOM}"
            )));
        }
        let mut bytes = vec![0; length as usize];
        self.random.fill(&mut bytes);
        Ok(bytes)
    }

    pub(crate) fn log(&mut self, level: LogLevel, message: String, fields: String) {
        let size = message.len() + fields.len();
        if self.logged + size > (self.limits.log_kib as usize) << 10 {
            self.report.logs_dropped = self.report.logs_dropped.saturating_add(1);
            return;
        }
        self.logged += size;
        let caller = &self.caller;
        // One line a record, whatever the plugin puts into it.
        let line: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let fields = match fields.as_str() {
            "" => Value::Object(Map::new()),
            text => serde_json::from_str(text).unwrap_or(Value::String(fields)),
        };
        macro_rules! say {
            ($level:ident) => {
                tracing::$level!(
                    target: "relata::plugin",
                    {
                        plugin.name = %caller.plugin,
                        plugin.action = %caller.action,
                        run.id = %caller.run_id,
                        step.id = %caller.step_id,
                        plugin.fields = %fields,
                    },
                    "{line}"
                )
            };
        }
        match level {
            LogLevel::Debug => say!(debug),
            LogLevel::Info => say!(info),
            LogLevel::Warn => say!(warn),
            LogLevel::Error => say!(error),
        }
        self.report.logs.push(LogLine { level, message, fields });
    }

    pub(crate) fn panicked(&mut self, mut message: String, mut location: String) {
        shorten(&mut message, PANIC_BYTES);
        shorten(&mut location, PANIC_BYTES);
        // The message may quote a customer, so that only the place is logged.
        tracing::warn!(
            target: "relata::plugin",
            {
                plugin.name = %self.caller.plugin,
                plugin.action = %self.caller.action,
                run.id = %self.caller.run_id,
                step.id = %self.caller.step_id,
                plugin.panic.location = %location.escape_debug(),
            },
            "plugin `{}` panicked",
            self.caller.plugin,
        );
        self.report.panic = Some(Panic { message, location });
    }

    /// Ends the call's account.
    pub(crate) fn finish(&mut self, elapsed: Duration) {
        self.report.elapsed = elapsed;
        self.report.peak_memory_bytes = self.resources.peak_bytes();
    }
}

fn shorten(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        let end = text.floor_char_boundary(bytes);
        text.truncate(end);
        text.push('…');
    }
}
