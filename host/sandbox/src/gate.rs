//! The one gate between a guest and its host: permissions, limits and the
//! account of what was used. Every version of the contract comes through
//! here, and nothing else calls [`HostCalls`].

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use relata_package::{Channel, Denied, Limits, Permissions, plain, plain_line};
use serde_json::{Map, Value};
use tokio::time::Instant;
use wasmtime::UpdateDeadline;

use crate::arguments;
use crate::config::WRITTEN_BYTES;
use crate::contract::{
    Code, Condition, Entity, EventRequest, Fields, HostCalls, HostError, MailRequest, Notice, Page,
    Query, Receipt, StateItem, StatePut, Tally,
};
use crate::cpu::CpuClock;
use crate::json;
use crate::report::{CallReport, LogLevel, LogLine, Panic};
use crate::requests::Requests;
use crate::resources::Resources;
use crate::ticker::Running;
use crate::words::told;

/// The largest page of a query.
const PAGE: u32 = 1000;

/// The object whose records say when it is working time.
const CALENDAR: &str = "calendar";

/// The most random bytes at once.
const RANDOM: u32 = 1024;

/// What a line of the log takes up beside its texts, in bytes.
const LINE_BYTES: usize = 64;

/// So many refusals of one call are logged: a guest that asks again and again
/// for what it may not have is to fill nobody's disk.
const REFUSALS_LOGGED: u32 = 5;

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
    pub(crate) cpu: CpuClock,
    /// Keeps the ticks coming.
    pub(crate) _running: Running,
    pub(crate) resources: Resources,
    pub(crate) report: CallReport,
    /// Bytes of log so far.
    pub(crate) logged: usize,
    /// What all writes so far take up in memory, in bytes.
    pub(crate) written: usize,
    /// Refusals so far.
    pub(crate) refusals: u32,
}

/// The object of `object/id`.
fn object_of(reference: &str) -> Result<&str, HostError> {
    arguments::name("a reference", reference)?;
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

impl Gate {
    /// Looks what the guest has used up, and lets others run.
    pub(crate) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        if self.cpu.charge() > Duration::from_millis(u64::from(self.limits.cpu_ms)) {
            return Err(CpuLimitReached.into());
        }
        Ok(UpdateDeadline::YieldCustom(1, self.cpu.yielding()))
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "it measures how long a host call takes, no decision depends on it"
    )]
    pub(crate) fn now() -> Instant {
        Instant::now()
    }

    /// Asks the host. What it does before it has to wait is the guest's doing; while it
    /// waits, the guest does, and uses nothing up. Most answers are there at once: to read
    /// the clocks for these would take as long as they do.
    pub(crate) async fn ask<'g, T>(
        &'g mut self,
        asking: impl FnOnce(&'g mut dyn HostCalls) -> Pin<Box<dyn Future<Output = T> + Send + 'g>>,
    ) -> T {
        let Self { host, cpu, report, .. } = self;
        let mut answer = asking(host.as_mut());
        let at_once = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await;
        if let Poll::Ready(answer) = at_once {
            return answer;
        }
        cpu.suspend();
        let since = Self::now();
        let answer = answer.await;
        report.waited += Self::now().saturating_duration_since(since);
        cpu.resume();
        answer
    }

    /// Looks whether the plugin may do something.
    pub(crate) fn check(
        &mut self,
        allowed: impl FnOnce(&Permissions) -> Result<(), Denied>,
    ) -> Result<(), HostError> {
        let permissions = Arc::clone(&self.rights.effective);
        allowed(&permissions).map_err(|denied| self.denied(denied))
    }

    pub(crate) fn denied(&mut self, denied: Denied) -> HostError {
        self.refusals = self.refusals.saturating_add(1);
        if self.refusals <= REFUSALS_LOGGED {
            tracing::warn!(
                plugin.name = %self.caller.plugin,
                plugin.action = %self.caller.action,
                run.id = %self.caller.run_id,
                step.id = %self.caller.step_id,
                "plugin `{}` {}",
                self.caller.plugin,
                told(&denied.to_string()),
            );
        }
        HostError::new(
            Code::Denied,
            format!("plugin `{}` {denied}: {}", self.caller.plugin, self.rights.remedy(&denied)),
        )
    }

    pub(crate) fn count_query(&mut self) -> Result<(), HostError> {
        self.report.host_calls += 1;
        self.report.queries += 1;
        let limit = self.limits.queries;
        if self.report.queries > limit {
            return Err(limit_error(format!(
                "more than {limit} reads of records, state or secrets in one call (limits.queries in its plugin.toml)"
            )));
        }
        Ok(())
    }

    /// Counts a write of so many bytes, which stay in memory until the step is
    /// committed.
    pub(crate) fn count_write(&mut self, bytes: usize) -> Result<(), HostError> {
        self.report.host_calls += 1;
        self.report.writes += 1;
        let limit = self.limits.writes;
        if self.report.writes > limit {
            return Err(limit_error(format!(
                "more than {limit} writes of records, messages, events or state in one call (limits.writes in its plugin.toml)"
            )));
        }
        self.written = self.written.saturating_add(bytes);
        if self.written > WRITTEN_BYTES {
            return Err(limit_error(format!(
                "all that it writes in one call takes up more than {} MiB",
                WRITTEN_BYTES >> 20
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
        let mut entity = self.ask(|host| host.record_get(record)).await?;
        entity.fields.retain(|field, _| readable.contains(field));
        Ok(entity)
    }

    pub(crate) async fn record_query(&mut self, mut query: Query) -> Result<Page, HostError> {
        self.count_query()?;
        arguments::query(&query)?;
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
        let mut page = self.ask(|host| host.record_query(query)).await?;
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
        self.may_count(object, &filter, None)?;
        self.ask(|host| host.record_count(object, filter)).await
    }

    pub(crate) async fn record_count_by(
        &mut self,
        object: &str,
        filter: Vec<Condition>,
        field: &str,
    ) -> Result<Vec<Tally>, HostError> {
        self.may_count(object, &filter, Some(field))?;
        self.ask(|host| host.record_count_by(object, filter, field)).await
    }

    pub(crate) async fn calendar_is_open(
        &mut self,
        calendar: &str,
        at_ms: u64,
    ) -> Result<bool, HostError> {
        self.count_query()?;
        let object = object_of(calendar)?;
        if object != CALENDAR {
            return Err(HostError::invalid(format!(
                "only a calendar is open or closed, and {calendar} is none"
            )));
        }
        self.check(|permissions| permissions.check_object_read(CALENDAR).map(drop))?;
        self.ask(|host| host.calendar_is_open(calendar, at_ms)).await
    }

    /// Whether records may be counted that meet a filter, by a field's values:
    /// who may not read a field learns nothing of it by counting.
    fn may_count(
        &mut self,
        object: &str,
        filter: &[Condition],
        by: Option<&str>,
    ) -> Result<(), HostError> {
        self.count_query()?;
        arguments::name("an object's name", object)?;
        by.iter().try_for_each(|field| arguments::name("a field's name", field))?;
        arguments::filter(filter)?;
        let permissions = Arc::clone(&self.rights.effective);
        permissions.check_object_read(object).map_err(|denied| self.denied(denied))?;
        for field in filter.iter().map(|condition| condition.field.as_str()).chain(by) {
            permissions.check_read(object, field).map_err(|denied| self.denied(denied))?;
        }
        Ok(())
    }

    pub(crate) async fn record_create(
        &mut self,
        object: &str,
        fields: Fields,
    ) -> Result<Entity, HostError> {
        self.count_write(json::object_bytes(&fields))?;
        arguments::name("an object's name", object)?;
        arguments::fields(&fields)?;
        self.check(|permissions| permissions.check_create(object))?;
        let written: Vec<String> = fields.keys().cloned().collect();
        let entity = self.ask(|host| host.record_create(object, fields)).await?;
        Ok(self.cut_written(object, &written, entity))
    }

    pub(crate) async fn record_update(
        &mut self,
        record: &str,
        fields: Fields,
        if_revision: Option<u64>,
    ) -> Result<Entity, HostError> {
        self.count_write(json::object_bytes(&fields))?;
        let object = object_of(record)?;
        arguments::fields(&fields)?;
        let permissions = Arc::clone(&self.rights.effective);
        permissions.check_object_update(object).map_err(|denied| self.denied(denied))?;
        for field in fields.keys() {
            permissions.check_update(object, field).map_err(|denied| self.denied(denied))?;
        }
        let written: Vec<String> = fields.keys().cloned().collect();
        let result = self.ask(|host| host.record_update(record, fields, if_revision)).await;
        let entity = result.map_err(|why| self.cut_refusal(object, &written, why))?;
        Ok(self.cut_written(object, &written, entity))
    }

    /// Why an update was refused. That `cannot go from won to new` tells what the
    /// field was before; so it is told only to who may read what it wrote.
    fn cut_refusal(&self, object: &str, written: &[String], why: HostError) -> HostError {
        let readable = self.rights.effective.check_object_read(object).ok();
        let unread =
            written.iter().find(|field| !readable.is_some_and(|readable| readable.contains(field)));
        match unread {
            Some(field) if why.code == Code::Invalid => HostError::invalid(format!(
                "this update of `{object}` is refused; why is told to plugins that may read what they write: read = [\"{field}\"] under [permissions.records.{object}] in its plugin.toml"
            )),
            _ => why,
        }
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
        self.count_write(record.len())?;
        let object = object_of(record)?;
        self.check(|permissions| permissions.check_delete(object))?;
        self.ask(|host| host.record_delete(record, if_revision)).await
    }

    pub(crate) async fn send_mail(&mut self, mail: MailRequest) -> Result<Receipt, HostError> {
        self.count_write(json::object_bytes(&mail.data))?;
        arguments::name("a template's name", &mail.template)?;
        self.check(|permissions| permissions.check_message(Channel::Mail))?;
        object_of(&mail.to)?;
        self.ask(|host| host.send_mail(mail)).await
    }

    pub(crate) async fn notify(&mut self, notice: Notice) -> Result<Receipt, HostError> {
        self.count_write(notice.text.len())?;
        self.check(|permissions| permissions.check_message(Channel::Notify))?;
        object_of(&notice.to)?;
        self.ask(|host| host.notify(notice)).await
    }

    pub(crate) async fn emit(&mut self, event: EventRequest) -> Result<(), HostError> {
        self.count_write(json::object_bytes(&event.data))?;
        arguments::name("an event's name", &event.name)?;
        arguments::about(&event.about)?;
        self.check(|permissions| permissions.check_event(&event.name))?;
        for record in &event.about {
            object_of(record)?;
        }
        self.ask(|host| host.emit(event)).await
    }

    pub(crate) async fn state_get(&mut self, key: &str) -> Result<Option<StateItem>, HostError> {
        self.count_query()?;
        arguments::name("a key", key)?;
        self.check(Permissions::check_state)?;
        self.ask(|host| host.state_get(key)).await
    }

    pub(crate) async fn state_put(&mut self, put: StatePut) -> Result<u64, HostError> {
        self.count_write(json::bytes(&put.value))?;
        arguments::name("a key", &put.key)?;
        self.check(Permissions::check_state)?;
        self.ask(|host| host.state_put(put)).await
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

    pub(crate) fn log(&mut self, level: LogLevel, message: &str, fields: String) {
        let size = message.len() + fields.len() + LINE_BYTES;
        if self.logged + size > (self.limits.log_kib as usize) << 10 {
            self.report.logs_dropped = self.report.logs_dropped.saturating_add(1);
            return;
        }
        self.logged += size;
        let caller = &self.caller;
        // One line a record, whatever the plugin puts into it.
        let line = plain_line(message);
        let fields = match fields.as_str() {
            "" => Value::Object(Map::new()),
            text => json::parse(text).unwrap_or(Value::String(fields)),
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
        self.report.logs.push(LogLine { level, message: plain(message), fields });
    }

    pub(crate) fn panicked(&mut self, message: &str, location: &str) {
        let location = if location.is_empty() { "a place unknown" } else { location };
        let panic = Panic { message: told(message), location: told(location) };
        // The message may quote a customer, so that only the place is logged;
        // and only that of the first, as a guest may say it as often as it likes.
        if self.report.panic.is_none() {
            tracing::warn!(
                target: "relata::plugin",
                {
                    plugin.name = %self.caller.plugin,
                    plugin.action = %self.caller.action,
                    run.id = %self.caller.run_id,
                    step.id = %self.caller.step_id,
                    plugin.panic.location = %plain_line(&panic.location),
                },
                "plugin `{}` panicked",
                self.caller.plugin,
            );
        }
        self.report.panic = Some(panic);
    }

    /// Ends the call's account.
    pub(crate) fn finish(&mut self, elapsed: Duration) {
        self.report.elapsed = elapsed;
        self.report.cpu = self.cpu.charge();
        self.report.peak_memory_bytes = self.resources.peak_bytes();
    }
}
