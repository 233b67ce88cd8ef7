//! Who stands between a plugin and its host: counts what the plugin asks for,
//! and lets one of it go wrong.

use relata_sandbox::{
    async_trait,
    contract::{
        Condition, Entity, EventRequest, Fields, HostCalls, HostError, HttpRequest, HttpResponse,
        MailRequest, Notice, Page, Query, Receipt, StateItem, StatePut, Tally,
    },
};

use crate::host::StepHost;

/// What goes wrong in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Meddling {
    /// Nothing.
    #[default]
    None,
    /// This host call fails, counted from nought.
    Fails(usize),
    /// The run was cancelled.
    Cancelled,
}

/// A host with somebody in between.
pub(super) struct Meddler {
    pub(super) host: StepHost,
    meddling: Meddling,
    /// The host calls so far, by their names in the contract.
    pub(super) calls: Vec<&'static str>,
}

impl Meddler {
    pub(super) fn new(host: StepHost, meddling: Meddling) -> Self {
        Self { host, meddling, calls: Vec::new() }
    }

    /// A call of the host: it goes through, or not.
    fn meets(&mut self, name: &'static str) -> Result<(), HostError> {
        let place = self.calls.len();
        self.calls.push(name);
        if self.meddling != Meddling::Fails(place) {
            return Ok(());
        }
        Err(HostError::transient(if name == SEND {
            "the web service did not answer: timed out"
        } else {
            "the host has a fault of its own; the step is tried again"
        }))
    }
}

/// A request to a web service.
pub(super) const SEND: &str = "http.send";

#[async_trait]
impl HostCalls for Meddler {
    async fn record_get(&mut self, record: &str) -> Result<Entity, HostError> {
        self.meets("records.get")?;
        self.host.record_get(record).await
    }

    async fn record_query(&mut self, query: Query) -> Result<Page, HostError> {
        self.meets("records.query")?;
        self.host.record_query(query).await
    }

    async fn record_count(
        &mut self,
        object: &str,
        filter: Vec<Condition>,
    ) -> Result<u64, HostError> {
        self.meets("records.count")?;
        self.host.record_count(object, filter).await
    }

    async fn record_count_by(
        &mut self,
        object: &str,
        filter: Vec<Condition>,
        field: &str,
    ) -> Result<Vec<Tally>, HostError> {
        self.meets("records.count-by")?;
        self.host.record_count_by(object, filter, field).await
    }

    async fn calendar_is_open(&mut self, calendar: &str, at_ms: u64) -> Result<bool, HostError> {
        self.meets("records.is-open")?;
        self.host.calendar_is_open(calendar, at_ms).await
    }

    async fn record_create(&mut self, object: &str, fields: Fields) -> Result<Entity, HostError> {
        self.meets("records.create")?;
        self.host.record_create(object, fields).await
    }

    async fn record_update(
        &mut self,
        record: &str,
        fields: Fields,
        if_revision: Option<u64>,
    ) -> Result<Entity, HostError> {
        self.meets("records.update")?;
        self.host.record_update(record, fields, if_revision).await
    }

    async fn record_delete(
        &mut self,
        record: &str,
        if_revision: Option<u64>,
    ) -> Result<(), HostError> {
        self.meets("records.delete")?;
        self.host.record_delete(record, if_revision).await
    }

    async fn send_mail(&mut self, mail: MailRequest) -> Result<Receipt, HostError> {
        self.meets("messages.send-mail")?;
        self.host.send_mail(mail).await
    }

    async fn notify(&mut self, notice: Notice) -> Result<Receipt, HostError> {
        self.meets("messages.notify")?;
        self.host.notify(notice).await
    }

    async fn emit(&mut self, event: EventRequest) -> Result<(), HostError> {
        self.meets("events.emit")?;
        self.host.emit(event).await
    }

    async fn state_get(&mut self, key: &str) -> Result<Option<StateItem>, HostError> {
        self.meets("state.get")?;
        self.host.state_get(key).await
    }

    async fn state_put(&mut self, put: StatePut) -> Result<u64, HostError> {
        self.meets("state.put")?;
        self.host.state_put(put).await
    }

    async fn http_send(&mut self, request: HttpRequest) -> Result<HttpResponse, HostError> {
        self.meets(SEND)?;
        self.host.http_send(request).await
    }

    async fn http_deliver(&mut self, request: HttpRequest) -> Result<String, HostError> {
        self.meets("http.deliver")?;
        self.host.http_deliver(request).await
    }

    async fn has_secret(&mut self, name: &str) -> Result<bool, HostError> {
        self.meets("secrets.placeholder")?;
        self.host.has_secret(name).await
    }

    fn cancelled(&self) -> bool {
        self.meddling == Meddling::Cancelled
    }
}
