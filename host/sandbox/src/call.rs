//! One call of one action.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use relata_package::{Limits, Permissions};
use serde_json::Value;
use tokio::time::Instant;
use wasmtime::{Store, Trap, WasmBacktrace};

use crate::config::{HANDLES, HOST_CALL_BYTES};
use crate::contract::v0_1_0::Answer;
use crate::contract::{
    Code, Condition, Context, Entity, EventRequest, Fields, HostCalls, HostError, HttpRequest,
    HttpResponse, MailRequest, Notice, Outcome, Page, Query, Receipt, StateItem, StatePut, Tally,
};
use crate::cpu::CpuClock;
use crate::error::{CallError, CallFault};
use crate::gate::{Caller, CpuLimitReached, Gate, Rights};
use crate::json;
use crate::plugin::Plugin;
use crate::report::CallReport;
use crate::requests::Requests;
use crate::resources::Resources;
use crate::sandbox::Shared;
use crate::schema::Schema;
use crate::words::told;

/// How wasmtime says that more was passed to the host than
/// `set_hostcall_fuel` allows; the error's type is private.
const TOO_MUCH_PASSED: &str = "fuel allocated for hostcalls has been exhausted";

/// How it says that `set_max_component_handles` was reached.
const TOO_MANY_HANDLES: &str = "store handle limit exceeded";

/// What is to be called, with what.
#[derive(Debug, Clone)]
pub struct CallRequest<'a> {
    /// The action's name without the plugin's: `round_robin`.
    pub action: &'a str,
    /// Its input; it is compared with the action's schema.
    pub input: &'a Value,
    /// Of which run and step.
    pub context: Context,
    /// The time the plugin sees through the whole call, in milliseconds since
    /// 1970 UTC.
    pub now_ms: u64,
    /// What the plugin's random bytes are made of; the same seed gives the
    /// same bytes.
    pub seed: u64,
    /// Limits for this call instead of the plugin's own.
    pub limits: Option<Limits>,
    /// What the step leaves of the plugin's permissions.
    pub leaves: Option<&'a Permissions>,
}

impl<'a> CallRequest<'a> {
    /// A call without a run, at time 0 and with seed 0: set the fields that
    /// matter.
    pub fn new(action: &'a str, input: &'a Value) -> Self {
        Self {
            action,
            input,
            context: Context { attempt: 1, ..Context::default() },
            now_ms: 0,
            seed: 0,
            limits: None,
            leaves: None,
        }
    }
}

/// What came of a call.
#[derive(Debug)]
pub struct Called<H> {
    /// What the action answered, or why it did not.
    pub result: Result<Outcome, CallError>,
    /// What it used up, also if it failed.
    pub report: CallReport,
    /// The host, with what the action wrote through it. After an error it is
    /// to be forgotten.
    pub host: H,
}

/// What a call says of its plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It came to an answer, or to an orderly error.
    Works,
    /// It failed by its own fault: why, without what a panic says, which may
    /// quote a customer.
    Fails(String),
    /// The host or the workflow did something wrong.
    Nothing,
}

impl<H> Called<H> {
    /// What it says of its plugin. JavaScript and Python tell an exception that
    /// nobody caught as a panic, and answer an error then: that is no orderly
    /// one.
    pub fn verdict(&self) -> Verdict {
        let Err(why) = &self.result else { return Verdict::Works };
        match (&*why.fault, &self.report.panic) {
            (
                CallFault::UnknownAction { .. }
                | CallFault::InputTooLarge { .. }
                | CallFault::BadInput(_)
                | CallFault::Host(_),
                _,
            ) => Verdict::Nothing,
            (CallFault::Guest(_), None) => Verdict::Works,
            (CallFault::Guest(_) | CallFault::Panic { .. }, Some(panic)) => {
                Verdict::Fails(format!("panicked at {}", panic.location))
            }
            (fault, _) => Verdict::Fails(fault.to_string()),
        }
    }
}

impl Plugin {
    /// Runs one action in a fresh instance.
    ///
    /// Never fails otherwise than in [`Called::result`], and never takes
    /// longer than its limit `call_s` once it has its turn. Drop the future to
    /// break the call off.
    pub async fn call<H: HostCalls>(&self, request: CallRequest<'_>, host: H) -> Called<H> {
        let error = |fault| CallError {
            plugin: self.name().to_owned(),
            action: request.action.to_owned(),
            fault: Box::new(fault),
        };
        let limits = request.limits.unwrap_or(self.inner.limits);
        let (input, output_schema) = match self.check_request(&request, &limits) {
            Ok(checked) => checked,
            Err(fault) => {
                return Called { result: Err(error(fault)), report: CallReport::default(), host };
            }
        };
        let setup = Setup {
            caller: Caller {
                plugin: self.name().to_owned(),
                action: request.action.to_owned(),
                run_id: request.context.run_id.clone(),
                step_id: request.context.step_id.clone(),
                idempotency_key: request.context.idempotency_key.clone(),
            },
            rights: match request.leaves {
                None => self.inner.rights.clone(),
                Some(leaves) => self.inner.rights.leaving(leaves),
            },
            limits,
            now_ms: request.now_ms,
            seed: request.seed,
        };
        let _place = self.inner.places.acquire().await.expect("the semaphore is never closed");
        let guest = &self.inner.guest;
        let running = setup.run(&self.inner.shared, Box::new(host), async |store| {
            guest.run(store, &request.context, request.action, input).await
        });
        let (result, mut report, host) = Box::pin(running).await;
        self.digest().clone_into(&mut report.digest);
        let result = result.and_then(|answer| {
            answer
                .map_err(|error| CallFault::Guest(in_words(error)))
                .and_then(|answer| check_answer(answer, &limits, output_schema))
                .map_err(error)
        });
        let host: Box<dyn Any> = host;
        let host = host.downcast::<H>().expect("the host of a call is the one it was given");
        Called { result, report, host: *host }
    }

    /// The input as JSON, and the schema of the output.
    fn check_request(
        &self,
        request: &CallRequest<'_>,
        limits: &Limits,
    ) -> Result<(String, &Schema), CallFault> {
        let schemas = self.inner.schemas.get(request.action).ok_or_else(|| {
            let known: Vec<String> =
                self.inner.schemas.keys().map(|name| format!("`{name}`")).collect();
            CallFault::UnknownAction { known: known.join(", ") }
        })?;
        let input = json::text(request.input);
        if input.len() > (limits.input_kib as usize) << 10 {
            return Err(CallFault::InputTooLarge {
                bytes: input.len(),
                limit_kib: limits.input_kib,
            });
        }
        if let Some(why) = schemas.input.misfit(request.input) {
            return Err(CallFault::BadInput(why));
        }
        Ok((input, &schemas.output))
    }
}

fn check_answer(answer: Answer, limits: &Limits, schema: &Schema) -> Result<Outcome, CallFault> {
    let limit = (limits.output_kib as usize) << 10;
    let length = match &answer {
        Answer::Done(text) | Answer::Skip(text) => text.len(),
        Answer::Retry { reason, .. } => reason.len(),
    };
    if length > limit {
        return Err(CallFault::OutputTooLarge { limit_kib: limits.output_kib });
    }
    match answer {
        Answer::Done(text) => {
            let output = json::parse(&text)
                .map_err(|why| CallFault::BadOutput(format!("it {}", told(&why))))?;
            match schema.misfit(&output) {
                Some(why) => Err(CallFault::BadOutput(why)),
                None => Ok(Outcome::Done(output)),
            }
        }
        Answer::Retry { after_ms, reason } => {
            Ok(Outcome::Retry { after_ms, reason: told(&reason) })
        }
        Answer::Skip(reason) => Ok(Outcome::Skip(told(&reason))),
    }
}

/// A plugin's error, whose message people will read.
fn in_words(error: HostError) -> HostError {
    HostError { message: told(&error.message), ..error }
}

/// Everything about a call but the function that is called.
pub(crate) struct Setup {
    pub(crate) caller: Caller,
    pub(crate) rights: Rights,
    pub(crate) limits: Limits,
    pub(crate) now_ms: u64,
    pub(crate) seed: u64,
}

impl Setup {
    /// Waits for a place, makes a store, runs `guest` in it under all limits,
    /// and says in our words why it failed.
    pub(crate) async fn run<T>(
        self,
        shared: &Arc<Shared>,
        host: Box<dyn HostCalls>,
        guest: impl AsyncFnOnce(&mut Store<Gate>) -> wasmtime::Result<T>,
    ) -> (Result<T, CallError>, CallReport, Box<dyn HostCalls>) {
        let limits = self.limits;
        let _place = shared.places.acquire().await.expect("the semaphore is never closed");
        let gate = Gate {
            caller: self.caller,
            rights: self.rights,
            limits,
            host,
            now_ms: self.now_ms,
            random: fastrand::Rng::with_seed(self.seed),
            requests: Requests::new(self.seed),
            cpu: CpuClock::start(),
            _running: shared.ticker.run(),
            resources: Resources::new(&limits),
            report: CallReport::default(),
            logged: 0,
            written: 0,
            refusals: 0,
        };
        let since = now();
        let mut store = Store::new(&shared.engine, gate);
        store.limiter(|gate| &mut gate.resources);
        store.set_max_component_handles(HANDLES);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut context| context.data_mut().tick());
        // It also bounds what is copied of the answer; the limit of the output
        // may be higher by the manifest, and is checked once more afterwards.
        let output = (limits.output_kib as usize) << 10;
        let body = (limits.http_kib as usize) << 10;
        store.set_hostcall_fuel(HOST_CALL_BYTES.max(output.max(body) + (64 << 10)));

        let time = Duration::from_secs(u64::from(limits.call_s));
        let result = tokio::time::timeout(time, guest(&mut store)).await;

        let fault = match result {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(fault(&error, store.data())),
            Err(_) => Err(CallFault::TimeOut { limit_s: limits.call_s }),
        };
        let mut gate = store.into_data();
        gate.finish(now().saturating_duration_since(since));
        let result = fault.map_err(|fault| CallError {
            plugin: gate.caller.plugin,
            action: gate.caller.action,
            fault: Box::new(fault),
        });
        (result, gate.report, gate.host)
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "it measures how long a call takes, no decision depends on it"
)]
fn now() -> Instant {
    Instant::now()
}

/// Why wasmtime stopped a guest.
fn fault(error: &wasmtime::Error, gate: &Gate) -> CallFault {
    let limits = &gate.limits;
    if error.is::<CpuLimitReached>() {
        return CallFault::CpuLimit { limit_ms: limits.cpu_ms };
    }
    if error.chain().any(|cause| cause.to_string().contains(TOO_MUCH_PASSED)) {
        // The arguments of a host call are read with the guest's frames on the
        // stack, its answer after they are gone.
        let in_host_call =
            error.downcast_ref::<WasmBacktrace>().is_some_and(|trace| !trace.frames().is_empty());
        return if in_host_call {
            CallFault::HostCallLimit
        } else {
            CallFault::OutputTooLarge { limit_kib: limits.output_kib }
        };
    }
    if error.chain().any(|cause| cause.to_string().contains(TOO_MANY_HANDLES)) {
        return CallFault::HandleLimit;
    }
    let trap = error.downcast_ref::<Trap>();
    if trap == Some(&Trap::StackOverflow) {
        return CallFault::StackLimit;
    }
    // A guest that is refused memory or a table stops by itself, as a rule
    // with `unreachable`; the refusal is the reason worth telling.
    if gate.resources.memory_refused {
        return CallFault::MemoryLimit { limit_mib: limits.memory_mib };
    }
    if gate.resources.table_refused {
        return CallFault::TableLimit;
    }
    if let Some(panic) = &gate.report.panic {
        return CallFault::Panic {
            message: panic.message.clone(),
            location: panic.location.clone(),
        };
    }
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return CallFault::Host("its pool of instances is used up".to_owned());
    }
    let what = match trap {
        // A guest's own stack lies at the beginning of its memory: recursion
        // without end as a rule runs out of that before it runs out of ours.
        Some(Trap::MemoryOutOfBounds) => {
            "out of bounds memory access (endless recursion also ends like this)".to_owned()
        }
        Some(trap) => trap.to_string().trim_start_matches("wasm trap: ").to_owned(),
        None => error.root_cause().to_string(),
    };
    let function = error.downcast_ref::<WasmBacktrace>().and_then(|trace| {
        let frame = trace.frames().first()?;
        let index = frame.func_index();
        Some(match frame.func_name() {
            Some(name) => format!(" in function `{:#}`", rustc_demangle::demangle(name)),
            None => format!(" in function {index}"),
        })
    });
    CallFault::Trap { message: told(&format!("{what}{}", function.unwrap_or_default())) }
}

/// The host of `describe`: it answers no call. The gate, which has no
/// permissions then, does not even ask it.
pub(crate) struct Nobody;

fn nobody<T>() -> Result<T, HostError> {
    Err(HostError::new(Code::Denied, "a plugin that describes its actions may not call the host"))
}

#[async_trait::async_trait]
impl HostCalls for Nobody {
    async fn record_get(&mut self, _: &str) -> Result<Entity, HostError> {
        nobody()
    }

    async fn record_query(&mut self, _: Query) -> Result<Page, HostError> {
        nobody()
    }

    async fn record_count(&mut self, _: &str, _: Vec<Condition>) -> Result<u64, HostError> {
        nobody()
    }

    async fn record_count_by(
        &mut self,
        _: &str,
        _: Vec<Condition>,
        _: &str,
    ) -> Result<Vec<Tally>, HostError> {
        nobody()
    }

    async fn calendar_is_open(&mut self, _: &str, _: u64) -> Result<bool, HostError> {
        nobody()
    }

    async fn record_create(&mut self, _: &str, _: Fields) -> Result<Entity, HostError> {
        nobody()
    }

    async fn record_update(
        &mut self,
        _: &str,
        _: Fields,
        _: Option<u64>,
    ) -> Result<Entity, HostError> {
        nobody()
    }

    async fn record_delete(&mut self, _: &str, _: Option<u64>) -> Result<(), HostError> {
        nobody()
    }

    async fn send_mail(&mut self, _: MailRequest) -> Result<Receipt, HostError> {
        nobody()
    }

    async fn notify(&mut self, _: Notice) -> Result<Receipt, HostError> {
        nobody()
    }

    async fn emit(&mut self, _: EventRequest) -> Result<(), HostError> {
        nobody()
    }

    async fn state_get(&mut self, _: &str) -> Result<Option<StateItem>, HostError> {
        nobody()
    }

    async fn state_put(&mut self, _: StatePut) -> Result<u64, HostError> {
        nobody()
    }

    async fn http_send(&mut self, _: HttpRequest) -> Result<HttpResponse, HostError> {
        nobody()
    }

    async fn http_deliver(&mut self, _: HttpRequest) -> Result<String, HostError> {
        nobody()
    }

    async fn has_secret(&mut self, _: &str) -> Result<bool, HostError> {
        nobody()
    }

    fn cancelled(&self) -> bool {
        false
    }
}
