//! `relata:plugin@0.1.0`: the generated bindings, and nothing but conversions
//! around them.

use relata_package::Method;
use serde_json::{Map, Value};
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Store};

use super::{
    Code, Condition, Context, Correlation, Descriptor, Entity, EventRequest, Fields, HostError,
    MailRequest, Notice, Operator, Page, Query, Receipt, StateItem, StatePut,
};
use crate::gate::Gate;
use crate::json;
use crate::report::LogLevel;
use crate::requests::Request;

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "the text is generated from wit/, which has the documentation"
)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1.0",
        world: "plugin",
        imports: {
            default: async,
            "relata:plugin/env": trappable,
            "relata:plugin/log": trappable,
        },
        exports: { default: async },
    });
}

use bindings::exports::relata::plugin::actions as guest;
use bindings::relata::plugin::{env, events, http, log, messages, records, secrets, state, types};

/// The name of the interface that a plugin exports.
pub(crate) const ACTIONS: &str = "relata:plugin/actions@0.1.0";

/// A component of this version, ready to be instantiated.
pub(crate) struct Guest {
    pre: bindings::PluginPre<Gate>,
}

/// What `run` answered, with its JSON not yet parsed.
pub(crate) enum Answer {
    Done(String),
    Retry { after_ms: u32, reason: String },
    Skip(String),
}

/// A description with its schemas not yet parsed.
pub(crate) struct RawDescriptor {
    pub(crate) descriptor: Descriptor,
    pub(crate) input_schema: String,
    pub(crate) output_schema: String,
}

/// The host's side, to be linked with components.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Gate>> {
    let mut linker = Linker::new(engine);
    bindings::Plugin::add_to_linker::<_, HasSelf<Gate>>(&mut linker, |gate| gate)?;
    Ok(linker)
}

impl Guest {
    /// Links a component; an error says which import or export does not fit.
    pub(crate) fn new(linker: &Linker<Gate>, component: &Component) -> wasmtime::Result<Self> {
        let pre = linker.instantiate_pre(component)?;
        Ok(Self { pre: bindings::PluginPre::new(pre)? })
    }

    pub(crate) async fn describe(
        &self,
        store: &mut Store<Gate>,
    ) -> wasmtime::Result<Vec<RawDescriptor>> {
        let plugin = self.pre.instantiate_async(&mut *store).await?;
        let descriptors = plugin.relata_plugin_actions().call_describe(store).await?;
        Ok(descriptors.into_iter().map(raw_descriptor).collect())
    }

    pub(crate) async fn run(
        &self,
        store: &mut Store<Gate>,
        context: &Context,
        action: &str,
        input: String,
    ) -> wasmtime::Result<Result<Answer, HostError>> {
        let plugin = self.pre.instantiate_async(&mut *store).await?;
        let result = plugin
            .relata_plugin_actions()
            .call_run(store, &guest_context(context), action, &input)
            .await?;
        Ok(match result {
            Ok(guest::Outcome::Done(output)) => Ok(Answer::Done(output)),
            Ok(guest::Outcome::Retry((after_ms, reason))) => Ok(Answer::Retry { after_ms, reason }),
            Ok(guest::Outcome::Skip(reason)) => Ok(Answer::Skip(reason)),
            Err(error) => Err(from_guest(error)),
        })
    }
}

/// A component without the host's side, for the floor of benchmarks.
pub(crate) struct BareGuest {
    pre: bindings::PluginPre<()>,
}

impl BareGuest {
    pub(crate) fn new(engine: &Engine, component: &Component) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(engine);
        linker.define_unknown_imports_as_traps(component)?;
        Ok(Self { pre: bindings::PluginPre::new(linker.instantiate_pre(component)?)? })
    }

    pub(crate) async fn run(
        &self,
        store: &mut Store<()>,
        context: &Context,
        action: &str,
        input: &String,
    ) -> wasmtime::Result<Result<(), HostError>> {
        let plugin = self.pre.instantiate_async(&mut *store).await?;
        let result = plugin
            .relata_plugin_actions()
            .call_run(store, &guest_context(context), action, input)
            .await?;
        Ok(result.map(drop).map_err(from_guest))
    }
}

fn guest_context(context: &Context) -> guest::Context {
    guest::Context {
        run_id: context.run_id.clone(),
        step_id: context.step_id.clone(),
        attempt: context.attempt,
        idempotency_key: context.idempotency_key.clone(),
        subject: context.subject.clone(),
        dry_run: context.dry_run,
    }
}

fn raw_descriptor(raw: guest::Descriptor) -> RawDescriptor {
    RawDescriptor {
        descriptor: Descriptor {
            id: raw.id,
            title: raw.title,
            summary: raw.summary,
            input_schema: Value::Null,
            output_schema: Value::Null,
            reads: raw.reads,
            writes: raw.writes,
            correlation: raw
                .correlation
                .into_iter()
                .map(|correlation| Correlation {
                    event: correlation.event,
                    output_field: correlation.output_field,
                })
                .collect(),
            exclusive: raw.exclusive,
            idempotent: raw.idempotent,
        },
        input_schema: raw.input_schema,
        output_schema: raw.output_schema,
    }
}

fn from_guest(error: types::Error) -> HostError {
    HostError {
        code: match error.code {
            types::Code::Denied => Code::Denied,
            types::Code::Invalid => Code::Invalid,
            types::Code::NotFound => Code::NotFound,
            types::Code::Conflict => Code::Conflict,
            types::Code::Limit => Code::Limit,
            types::Code::Transient => Code::Transient,
            types::Code::Permanent => Code::Permanent,
            types::Code::Cancelled => Code::Cancelled,
        },
        message: error.message,
        retry_after_ms: error.retry_after_ms,
        details: error.details.map(|text| json::parse(&text).unwrap_or(Value::String(text))),
    }
}

fn to_guest(error: HostError) -> types::Error {
    types::Error {
        code: match error.code {
            Code::Denied => types::Code::Denied,
            Code::Invalid => types::Code::Invalid,
            Code::NotFound => types::Code::NotFound,
            Code::Conflict => types::Code::Conflict,
            Code::Limit => types::Code::Limit,
            Code::Transient => types::Code::Transient,
            Code::Permanent => types::Code::Permanent,
            Code::Cancelled => types::Code::Cancelled,
        },
        message: error.message,
        retry_after_ms: error.retry_after_ms,
        details: error.details.as_ref().map(json::text),
    }
}

fn entity(entity: Entity) -> types::Entity {
    types::Entity {
        object: entity.object,
        id: entity.id,
        revision: entity.revision,
        fields: json::text(&entity.fields),
    }
}

fn value(what: &str, text: &str) -> Result<Value, types::Error> {
    json::parse(text).map_err(|why| to_guest(HostError::invalid(format!("{what} {why}"))))
}

fn object(what: &str, text: &str) -> Result<Fields, types::Error> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    match value(what, text)? {
        Value::Object(fields) => Ok(fields),
        _ => Err(to_guest(HostError::invalid(format!("{what} should be a JSON object")))),
    }
}

fn conditions(filter: Vec<records::Condition>) -> Result<Vec<Condition>, types::Error> {
    filter
        .into_iter()
        .map(|condition| {
            let what = format!("the value to compare `{}` with", condition.field);
            Ok(Condition {
                operator: match condition.operator {
                    records::Operator::Equal => Operator::Equal,
                    records::Operator::NotEqual => Operator::NotEqual,
                    records::Operator::Less => Operator::Less,
                    records::Operator::LessOrEqual => Operator::LessOrEqual,
                    records::Operator::Greater => Operator::Greater,
                    records::Operator::GreaterOrEqual => Operator::GreaterOrEqual,
                    records::Operator::OneOf => Operator::OneOf,
                    records::Operator::Contains => Operator::Contains,
                    records::Operator::IsEmpty => Operator::IsEmpty,
                    records::Operator::IsNotEmpty => Operator::IsNotEmpty,
                },
                value: value(&what, &condition.value)?,
                field: condition.field,
            })
        })
        .collect()
}

impl types::Host for Gate {}

impl records::Host for Gate {
    async fn get(&mut self, record: String) -> Result<types::Entity, types::Error> {
        self.record_get(&record).await.map(entity).map_err(to_guest)
    }

    async fn query(
        &mut self,
        object: String,
        filter: Vec<records::Condition>,
        fields: Vec<String>,
        limit: u32,
        cursor: Option<String>,
    ) -> Result<records::Page, types::Error> {
        let query = Query { object, filter: conditions(filter)?, fields, limit, cursor };
        let page: Page = self.record_query(query).await.map_err(to_guest)?;
        Ok(records::Page {
            entities: page.entities.into_iter().map(entity).collect(),
            cursor: page.cursor,
        })
    }

    async fn count(
        &mut self,
        object: String,
        filter: Vec<records::Condition>,
    ) -> Result<u64, types::Error> {
        let filter = conditions(filter)?;
        self.record_count(&object, filter).await.map_err(to_guest)
    }

    async fn count_by(
        &mut self,
        object: String,
        filter: Vec<records::Condition>,
        field: String,
    ) -> Result<Vec<records::Tally>, types::Error> {
        let filter = conditions(filter)?;
        let tallies = self.record_count_by(&object, filter, &field).await.map_err(to_guest)?;
        Ok(tallies
            .into_iter()
            .map(|tally| records::Tally { value: json::text(&tally.value), count: tally.count })
            .collect())
    }

    async fn is_open(&mut self, calendar: String, at_ms: u64) -> Result<bool, types::Error> {
        self.calendar_is_open(&calendar, at_ms).await.map_err(to_guest)
    }

    async fn create(
        &mut self,
        name: String,
        fields: String,
    ) -> Result<types::Entity, types::Error> {
        let fields = object("the new record", &fields)?;
        let created = self.record_create(&name, fields).await;
        created.map(entity).map_err(to_guest)
    }

    async fn update(
        &mut self,
        record: String,
        fields: String,
        if_revision: Option<u64>,
    ) -> Result<types::Entity, types::Error> {
        let fields = object("the update of a record", &fields)?;
        let updated = self.record_update(&record, fields, if_revision).await;
        updated.map(entity).map_err(to_guest)
    }

    async fn delete(
        &mut self,
        record: String,
        if_revision: Option<u64>,
    ) -> Result<(), types::Error> {
        let deleted = self.record_delete(&record, if_revision).await;
        deleted.map_err(to_guest)
    }
}

fn receipt(receipt: Receipt) -> messages::Receipt {
    match receipt {
        Receipt::Queued(id) => messages::Receipt::Queued(id),
        Receipt::Suppressed(why) => messages::Receipt::Suppressed(why),
    }
}

impl messages::Host for Gate {
    async fn send_mail(&mut self, mail: messages::Mail) -> Result<messages::Receipt, types::Error> {
        let mail = MailRequest {
            data: object("the data of a mail", &mail.data)?,
            to: mail.to,
            template: mail.template,
        };
        let sent = Gate::send_mail(self, mail).await;
        sent.map(receipt).map_err(to_guest)
    }

    async fn notify(
        &mut self,
        notice: messages::Notice,
    ) -> Result<messages::Receipt, types::Error> {
        let notice = Notice { to: notice.to, text: notice.text, about: notice.about };
        let sent = Gate::notify(self, notice).await;
        sent.map(receipt).map_err(to_guest)
    }
}

impl events::Host for Gate {
    async fn emit(
        &mut self,
        name: String,
        about: Vec<String>,
        data: String,
    ) -> Result<(), types::Error> {
        let event = EventRequest { data: object("the data of an event", &data)?, name, about };
        Gate::emit(self, event).await.map_err(to_guest)
    }
}

impl state::Host for Gate {
    async fn get(&mut self, key: String) -> Result<Option<state::Item>, types::Error> {
        let item: Option<StateItem> = self.state_get(&key).await.map_err(to_guest)?;
        Ok(item.map(|item| state::Item { value: json::text(&item.value), revision: item.revision }))
    }

    async fn put(
        &mut self,
        key: String,
        text: String,
        if_revision: Option<u64>,
        ttl_ms: Option<u64>,
    ) -> Result<u64, types::Error> {
        let put = StatePut {
            value: value("a value of the plugin's own", &text)?,
            key,
            if_revision,
            ttl_ms,
        };
        self.state_put(put).await.map_err(to_guest)
    }
}

fn method(method: http::Method) -> Method {
    match method {
        http::Method::Get => Method::Get,
        http::Method::Head => Method::Head,
        http::Method::Post => Method::Post,
        http::Method::Put => Method::Put,
        http::Method::Patch => Method::Patch,
        http::Method::Delete => Method::Delete,
    }
}

fn request(request: http::Request) -> Request {
    Request {
        method: method(request.method),
        url: request.url,
        headers: request.headers.into_iter().map(|header| (header.name, header.value)).collect(),
        body: request.body,
        timeout_ms: request.timeout_ms,
    }
}

impl http::Host for Gate {
    async fn send(&mut self, sent: http::Request) -> Result<http::Response, types::Error> {
        let answer = self.http_send(request(sent)).await.map_err(to_guest)?;
        let headers = answer.headers.into_iter();
        Ok(http::Response {
            status: answer.status,
            headers: headers.map(|(name, value)| http::Header { name, value }).collect(),
            body: answer.body,
        })
    }

    async fn deliver(&mut self, sent: http::Request) -> Result<String, types::Error> {
        self.http_deliver(request(sent)).await.map_err(to_guest)
    }
}

impl secrets::Host for Gate {
    async fn placeholder(&mut self, name: String) -> Result<String, types::Error> {
        self.secret_placeholder(&name).await.map_err(to_guest)
    }
}

impl env::Host for Gate {
    fn now_ms(&mut self) -> wasmtime::Result<u64> {
        Ok(Gate::now_ms(self))
    }

    fn random(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        Gate::random(self, length)
    }

    fn deadline_ms(&mut self) -> wasmtime::Result<u64> {
        Ok(Gate::deadline_ms(self))
    }

    fn cancelled(&mut self) -> wasmtime::Result<bool> {
        Ok(Gate::cancelled(self))
    }
}

impl log::Host for Gate {
    fn emit(&mut self, level: log::Level, message: String, fields: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Error => LogLevel::Error,
        };
        self.log(level, &message, fields);
        Ok(())
    }

    fn panic(&mut self, message: String, location: String) -> wasmtime::Result<()> {
        self.panicked(&message, &location);
        Ok(())
    }
}
