//! The host side of a plugin's calls, for one step: the arrow from `sandbox`
//! turned round. Reads come from the store with the step's own writes over
//! them; writes are collected in a [`ChangeSet`].

mod filter;

use std::collections::BTreeMap;

use relata_model::{Calendar, FieldError, Fields, Record, Reference, Timestamp, Value};
use relata_sandbox::{
    async_trait,
    contract::{
        Code, Condition, Entity, EventRequest, Fields as JsonFields, HostCalls, HostError,
        HttpRequest, HttpResponse, MailRequest, Notice, Page, Query, Receipt, StateItem, StatePut,
        Tally,
    },
};
use relata_store::{self as store, EffectKind, EffectStatus, NewEffect, Write};
use serde_json::{Value as Json, json};

use crate::{
    App, AppError, Purpose,
    backtest::Past,
    change_set::{ChangeSet, Queued, Remembered, Written, matches},
    fresh,
    outbox::Letter,
    requests::{Parcel, RequestFault},
    runner,
};

pub(crate) use crate::change_set::Cap;

/// A step that had to wait for its turn for longer reads its records again.
const STALE_US: u64 = 50_000;

/// So many of the records that a step has found are kept for it.
const MOST_KNOWN: usize = 1_000;

/// Records by reference; none where there is no such record.
pub(crate) type Records = BTreeMap<Reference, Option<Record>>;

/// What a step is to the host.
#[derive(Debug, Clone)]
pub(crate) struct StepScope {
    /// The plugin that is called: the owner of its state.
    pub(crate) plugin: String,
    /// The run, for the effects' rows.
    pub(crate) run: Option<relata_model::RunId>,
    /// The workflow, for caps.
    pub(crate) workflow: String,
    /// The step's path.
    pub(crate) step: String,
    /// Which items of loops and which branches it belongs to.
    pub(crate) rounds: String,
    /// The same for every attempt.
    pub(crate) idempotency_key: String,
    /// The calendar in which messages may go out.
    pub(crate) send_in: Option<String>,
    /// How many messages may go out.
    pub(crate) hold_above: Option<Cap>,
    /// What becomes of a message of which nobody knows whether it went out.
    pub(crate) if_unknown: relata_workflow::IfUnknown,
    /// The time of the step.
    pub(crate) now: Timestamp,
}

/// The host of one call.
pub(crate) struct StepHost {
    pub(crate) app: App,
    pub(crate) scope: StepScope,
    pub(crate) changes: ChangeSet,
    /// A fault of our own: the step must not commit, whatever the plugin
    /// makes of the error it was given.
    pub(crate) fault: Option<AppError>,
    /// Where this is a backtest: the records as they were, instead of the
    /// store's.
    pub(crate) past: Option<Past>,
    /// Records as they were when the step was decided upon, a moment ago, or
    /// when it first read them: it sees each as of one moment.
    known: Records,
    /// When it was decided, by a clock of microseconds; none once it has begun to
    /// read.
    decided_at: Option<u64>,
    effects: usize,
}

impl StepHost {
    pub(crate) fn new(app: App, scope: StepScope) -> Self {
        Self {
            app,
            scope,
            changes: ChangeSet::default(),
            fault: None,
            past: None,
            known: Records::default(),
            decided_at: None,
            effects: 0,
        }
    }

    /// These records need not be read again, if the step has its turn soon. If
    /// one is written meanwhile, the step's commit finds that its revision has
    /// changed.
    pub(crate) fn knowing(self, known: Records) -> Self {
        Self { known, decided_at: Some(App::stopwatch()), ..self }
    }

    /// What steps before it have written and not committed lies over the store.
    pub(crate) fn after(self, changes: ChangeSet) -> Self {
        Self { changes, ..self }
    }

    /// Turns an error of ours into one for the plugin, and remembers it where
    /// it was no fault of the plugin's.
    fn refuse(&mut self, why: AppError) -> HostError {
        if why.is_wrong_input() {
            return HostError::invalid(why.to_string());
        }
        let told = HostError::transient("the host has a fault of its own; the step is tried again");
        self.fault = Some(why);
        told
    }

    async fn fetch(&mut self, reference: &Reference) -> Result<Record, HostError> {
        let decided_at = self.decided_at.take();
        if decided_at.is_some_and(|at| App::stopwatch().saturating_sub(at) > STALE_US) {
            self.known.clear();
        }
        let found = match (self.changes.record(reference), &mut self.past) {
            (Some(record), _) => Ok(record.cloned()),
            (None, Some(past)) => past.record(reference).await,
            (None, None) => match self.known.get(reference) {
                Some(record) => Ok(record.clone()),
                None => {
                    let read = self.app.store().record_fetch(reference).await;
                    read.map_err(AppError::from).inspect(|record| {
                        self.known.insert(reference.clone(), record.clone());
                    })
                }
            },
        };
        match found {
            Ok(Some(record)) => Ok(record),
            Ok(None) => Err(HostError::not_found(format!(
                "there is no {} `{}`",
                reference.object, reference.key
            ))),
            Err(why) => Err(self.refuse(why)),
        }
    }

    fn reference(&self, text: &str) -> Result<Reference, HostError> {
        let reference: Reference =
            text.parse().map_err(|why: relata_model::record::ReferenceError| {
                HostError::invalid(why.to_string())
            })?;
        self.app.object(&reference.object).map_err(|why| HostError::invalid(why.to_string()))?;
        Ok(reference)
    }

    /// Reads fields off the wire; references are turned to those by id.
    async fn fields(&mut self, object: &str, json: JsonFields) -> Result<Fields, HostError> {
        let app = self.app.clone();
        let definition = app.object(object).map_err(|why| HostError::invalid(why.to_string()))?;
        let mut fields = Fields::new();
        for (name, value) in json {
            let Some(field) = definition.field(&name) else {
                // The model refuses it with the name that was meant.
                fields.insert(name, Value::from_json(&value));
                continue;
            };
            let mut value = field
                .kind
                .read(&value)
                .map_err(|why| HostError::invalid(format!("{object}.{name} {why}")))?;
            if let Value::Reference(reference) = &value {
                let record = self.fetch(reference).await.map_err(|mut why| {
                    why.message = format!("{object}.{name}: {}", why.message);
                    why
                })?;
                value = Value::Reference(record.reference);
            }
            fields.insert(name, value);
        }
        Ok(fields)
    }

    /// A record as it was before this step, where it met a filter then.
    async fn matched_before(
        &mut self,
        reference: &Reference,
        filter: &[store::Condition],
    ) -> Result<Option<Record>, HostError> {
        if self.changes.has_made(reference) {
            return Ok(None);
        }
        match self.app.store().record_fetch(reference).await {
            Ok(before) => Ok(before.filter(|before| matches(before, filter))),
            Err(why) => Err(self.refuse(why.into())),
        }
    }

    /// Each record that this step has touched, as it was and as it is now: either
    /// where it meets a filter.
    async fn own_changes(
        &mut self,
        object: &str,
        filter: &[store::Condition],
    ) -> Result<Vec<(Option<Record>, Option<Record>)>, HostError> {
        let touched: Vec<(Reference, Option<Record>)> = self
            .changes
            .touched(object)
            .map(|(reference, now)| {
                (reference.clone(), now.filter(|now| matches(now, filter)).cloned())
            })
            .collect();
        let mut changes = Vec::with_capacity(touched.len());
        for (reference, now) in touched {
            changes.push((self.matched_before(&reference, filter).await?, now));
        }
        Ok(changes)
    }

    fn effect_id(&mut self) -> relata_model::EffectId {
        self.effects += 1;
        fresh::effect_id(&self.scope.idempotency_key, self.effects)
    }

    /// When a message may go out: at once, or at the next opening.
    async fn sending_time(&mut self) -> Result<Timestamp, HostError> {
        let Some(key) = self.scope.send_in.clone() else { return Ok(self.scope.now) };
        match self.calendar(&key).await? {
            Some(calendar) => Ok(calendar.next_opening(self.scope.now).unwrap_or(self.scope.now)),
            None => Err(HostError::not_found(format!(
                "there is no calendar `{key}`, which the workflow names in send_in"
            ))),
        }
    }

    async fn calendar(&mut self, key: &str) -> Result<Option<Calendar>, HostError> {
        let calendar = match &mut self.past {
            Some(past) => past.calendar(key).await,
            None => self.app.calendar(key).await,
        };
        calendar.map_err(|why| self.refuse(why))
    }

    async fn queue(
        &mut self,
        kind: EffectKind,
        template: Option<String>,
        recipient: Reference,
        letter: &Letter,
    ) -> Result<String, HostError> {
        let id = self.effect_id();
        // A notice to a colleague knows no quiet hours and counts for no cap.
        let (due_at, cap) = match kind {
            EffectKind::Mail => (self.sending_time().await?, self.scope.hold_above.clone()),
            EffectKind::Notice | EffectKind::Request => (self.scope.now, None),
        };
        let effect = NewEffect {
            id,
            run: self.scope.run,
            workflow: Some(self.scope.workflow.clone()),
            step: Some(self.scope.step.clone()),
            rounds: self.scope.rounds.clone(),
            kind,
            template,
            recipient: Some(recipient),
            body: letter.to_json(),
            status: EffectStatus::Due,
            reason: None,
            due_at,
            if_unknown: self.scope.if_unknown,
        };
        self.changes.writes.push(Written::Queued(Box::new(Queued { effect, cap })));
        Ok(id.to_string())
    }

    /// Writes on the recipient's timeline why a message was not sent.
    async fn suppress(
        &mut self,
        to: &Record,
        template: Option<&str>,
        why: &str,
    ) -> Result<Receipt, HostError> {
        let fields = json!({
            "about": to.reference.to_string(),
            "kind": "mail_suppressed",
            "summary": why,
            "template": template,
            "happened_at": self.scope.now.to_string(),
        });
        if let Json::Object(fields) = fields {
            self.record_create("interaction", fields).await?;
        }
        Ok(Receipt::Suppressed(why.to_owned()))
    }
}

/// A record as plugins see it.
pub(crate) fn entity(record: &Record) -> Entity {
    Entity {
        object: record.reference.object.clone(),
        id: record.reference.key.clone(),
        revision: record.revision,
        fields: record.fields.iter().map(|(name, value)| (name.clone(), value.to_json())).collect(),
    }
}

fn refused(object: &str, wrong: &[FieldError]) -> HostError {
    let why: Vec<String> = wrong.iter().map(|error| format!("{object}.{error}")).collect();
    HostError::invalid(why.join("; "))
}

#[async_trait]
impl HostCalls for StepHost {
    async fn record_get(&mut self, record: &str) -> Result<Entity, HostError> {
        let reference = self.reference(record)?;
        Ok(entity(&self.fetch(&reference).await?))
    }

    async fn record_query(&mut self, query: Query) -> Result<Page, HostError> {
        if let Some(past) = &mut self.past {
            return Err(past.cannot_tell("which records there were"));
        }
        let filter = self.filter(&query.object, query.filter).await?;
        let limit = query.limit.clamp(1, 1_000);
        let asked = store::Query {
            any: Vec::new(),
            object: query.object.clone(),
            filter: filter.clone(),
            order: store::Order::default(),
            after: query.cursor.clone(),
            limit,
        };
        let stored = match self.app.store().record_query(&asked).await {
            Ok(page) => page,
            Err(why) => return Err(self.refuse(why.into())),
        };
        let (stored, cursor) = (stored.records, stored.next);
        // The step's own writes lie over the page: what it changed is judged
        // as it is now, what it created joins the last page.
        let mut records: Vec<Record> = Vec::with_capacity(stored.len());
        for record in stored {
            // Whoever is found is often named or read next.
            if self.known.len() < MOST_KNOWN {
                self.known.entry(record.reference.clone()).or_insert_with(|| Some(record.clone()));
            }
            match self.changes.record(&record.reference) {
                None => records.push(record),
                Some(Some(changed)) if matches(changed, &filter) => records.push(changed.clone()),
                Some(_) => {}
            }
        }
        if cursor.is_none() {
            let joining: Vec<Record> = self
                .changes
                .touched(&query.object)
                .filter_map(|(_, touched)| touched)
                .filter(|touched| matches(touched, &filter))
                .filter(|touched| {
                    records.iter().all(|record| record.reference != touched.reference)
                })
                .cloned()
                .collect();
            for touched in joining {
                // One that matched before as well stands on its own page.
                if self.matched_before(&touched.reference, &filter).await?.is_none() {
                    records.push(touched);
                }
            }
            records.sort_by(|a, b| a.reference.cmp(&b.reference));
        }
        let entities = records
            .iter()
            .map(|record| {
                let mut entity = entity(record);
                if !query.fields.is_empty() {
                    entity.fields.retain(|name, _| query.fields.contains(name));
                }
                entity
            })
            .collect();
        Ok(Page { entities, cursor })
    }

    async fn record_count(
        &mut self,
        object: &str,
        filter: Vec<Condition>,
    ) -> Result<u64, HostError> {
        if let Some(past) = &mut self.past {
            return Err(past.cannot_tell("how many records there were"));
        }
        let filter = self.filter(object, filter).await?;
        let mut count = match self.app.store().record_count(object, &filter).await {
            Ok(count) => count,
            Err(why) => return Err(self.refuse(why.into())),
        };
        for (before, now) in self.own_changes(object, &filter).await? {
            count = (count + u64::from(now.is_some())).saturating_sub(u64::from(before.is_some()));
        }
        Ok(count)
    }

    async fn record_count_by(
        &mut self,
        object: &str,
        filter: Vec<Condition>,
        field: &str,
    ) -> Result<Vec<Tally>, HostError> {
        if let Some(past) = &mut self.past {
            return Err(past.cannot_tell("how many records there were"));
        }
        let filter = self.filter(object, filter).await?;
        let asked = store::Query::new(object, filter.clone());
        let mut tallies: Vec<(Value, u64)> =
            match self.app.store().record_count_by(&asked, field).await {
                Ok(counts) => counts.into_iter().map(|one| (one.value, one.count)).collect(),
                Err(why) => return Err(self.refuse(why.into())),
            };
        for (before, now) in self.own_changes(object, &filter).await? {
            for (record, step) in [(before, -1), (now, 1)] {
                let Some(record) = record else { continue };
                let value = record.field(field);
                match tallies.iter_mut().find(|(known, _)| known == value) {
                    Some((_, count)) => *count = count.saturating_add_signed(step),
                    None => tallies.push((value.clone(), u64::from(step > 0))),
                }
            }
        }
        tallies.retain(|(_, count)| *count > 0);
        // One order, whatever the database.
        tallies.sort_by_cached_key(|(value, _)| value.to_string());
        let tally = |(value, count): (Value, u64)| Tally { value: value.to_json(), count };
        Ok(tallies.into_iter().map(tally).collect())
    }

    async fn calendar_is_open(&mut self, calendar: &str, at_ms: u64) -> Result<bool, HostError> {
        let reference = self.reference(calendar)?;
        let at = i64::try_from(at_ms).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
        let at = at.ok_or_else(|| HostError::invalid(format!("{at_ms} ms is no time")))?;
        match self.calendar(&reference.key).await? {
            Some(calendar) => Ok(calendar.is_open(at)),
            None => Err(HostError::not_found(format!("there is no {reference}"))),
        }
    }

    async fn record_create(
        &mut self,
        object: &str,
        fields: JsonFields,
    ) -> Result<Entity, HostError> {
        let fields = self.fields(object, fields).await?;
        let definition =
            self.app.object(object).map_err(|why| HostError::invalid(why.to_string()))?;
        let id = fresh::record_id(self.scope.now);
        let all = definition
            .create(id, fields.clone(), self.scope.now)
            .map_err(|wrong| refused(object, &wrong))?;
        let record = Record {
            reference: Reference::new(object, id.to_string()),
            revision: 1,
            fields: all.into(),
        };
        let entity = entity(&record);
        self.changes.put_record(Write::Create { object: object.to_owned(), id, fields }, record);
        Ok(entity)
    }

    async fn record_update(
        &mut self,
        record: &str,
        fields: JsonFields,
        if_revision: Option<u64>,
    ) -> Result<Entity, HostError> {
        let reference = self.reference(record)?;
        let before = self.fetch(&reference).await?;
        if let Some(expected) = if_revision.filter(|expected| *expected != before.revision) {
            return Err(HostError::new(
                Code::Conflict,
                format!("{} has revision {}, not {expected}", before.reference, before.revision),
            ));
        }
        let object = before.reference.object.clone();
        let fields = self.fields(&object, fields).await?;
        let definition =
            self.app.object(&object).map_err(|why| HostError::invalid(why.to_string()))?;
        let after = definition
            .update(&before.fields, fields.clone(), self.scope.now)
            .map_err(|wrong| refused(&object, &wrong))?;
        if after == *before.fields {
            return Ok(entity(&before));
        }
        let record = Record {
            reference: before.reference.clone(),
            revision: before.revision + 1,
            fields: after.into(),
        };
        let entity = entity(&record);
        let written = Write::Update { reference: before.reference, fields, if_revision };
        self.changes.put_record(written, record);
        Ok(entity)
    }

    async fn record_delete(
        &mut self,
        record: &str,
        if_revision: Option<u64>,
    ) -> Result<(), HostError> {
        let reference = self.reference(record)?;
        let before = self.fetch(&reference).await?;
        if let Some(expected) = if_revision.filter(|expected| *expected != before.revision) {
            return Err(HostError::new(
                Code::Conflict,
                format!("{} has revision {}, not {expected}", before.reference, before.revision),
            ));
        }
        self.changes.drop_record(before.reference, if_revision);
        Ok(())
    }

    async fn send_mail(&mut self, mail: MailRequest) -> Result<Receipt, HostError> {
        let reference = self.reference(&mail.to)?;
        let to = self.fetch(&reference).await?;
        let purpose = self
            .app
            .templates()
            .purpose(&mail.template)
            .map_err(|why| HostError::not_found(why.to_string()))?;
        let object = &to.reference.object;
        let definition =
            self.app.object(object).map_err(|why| HostError::invalid(why.to_string()))?;
        if definition.field("email").is_none() {
            return Err(HostError::invalid(format!(
                "{} cannot get mail: the object {object} has no field `email`",
                to.reference
            )));
        }
        if purpose.consent().is_some_and(|field| to.field(field) == &Value::YesNo(false)) {
            let why = match purpose {
                Purpose::Survey => "wants no surveys",
                Purpose::Service | Purpose::Marketing => "wants no marketing mails",
            };
            return self.suppress(&to, Some(&mail.template), why).await;
        }
        let Some(address) = to.field("email").as_text().map(str::to_owned) else {
            return self.suppress(&to, Some(&mail.template), "has no mail address").await;
        };
        let name = to.field("name").as_text().unwrap_or_default().to_owned();
        let locale = to.field("locale").as_text().unwrap_or("en").to_owned();
        let survey = match purpose {
            Purpose::Survey => self.survey_links(&mail.data, &to.reference).await?,
            Purpose::Service | Purpose::Marketing => Json::Null,
        };
        let unsubscribe = match &self.past {
            // A backtest reads no keys.
            Some(_) => None,
            None => {
                let link = self.app.unsubscribe_link(purpose, &to).await;
                link.map_err(|why| self.refuse(why))?
            }
        };
        let values = json!({
            "to": wire(&to),
            "data": mail.data,
            "company": self.app.config().company,
            "survey": survey,
            "unsubscribe": unsubscribe,
        });
        let rendered = self
            .app
            .templates()
            .render(&mail.template, &locale, &values)
            .map_err(|why| HostError::new(Code::Permanent, why.to_string()))?;
        let letter = Letter {
            to_name: name,
            to_address: address,
            subject: rendered.subject,
            text: rendered.text,
            html: Some(rendered.html),
            unsubscribe,
            ..Letter::default()
        };
        let template = Some(mail.template);
        Ok(Receipt::Queued(self.queue(EffectKind::Mail, template, to.reference, &letter).await?))
    }

    async fn notify(&mut self, notice: Notice) -> Result<Receipt, HostError> {
        let reference = self.reference(&notice.to)?;
        let to = self.fetch(&reference).await?;
        if to.reference.object != "user" {
            return Err(HostError::invalid(format!(
                "{} is not a user; notices go to users",
                to.reference
            )));
        }
        let Some(address) = to.field("email").as_text().map(str::to_owned) else {
            return self.suppress(&to, None, "has no mail address").await;
        };
        let mut text = notice.text.clone();
        if let Some(about) = &notice.about {
            let about = self.reference(about)?;
            let about = self.fetch(&about).await?;
            text.push_str(&format!("\n\n{}", about.reference));
        }
        let subject: String =
            notice.text.lines().next().unwrap_or_default().chars().take(120).collect();
        let letter = Letter {
            to_name: to.field("name").as_text().unwrap_or_default().to_owned(),
            to_address: address,
            subject,
            text,
            ..Letter::default()
        };
        Ok(Receipt::Queued(self.queue(EffectKind::Notice, None, to.reference, &letter).await?))
    }

    async fn emit(&mut self, event: EventRequest) -> Result<(), HostError> {
        let mut about = Vec::new();
        for record in &event.about {
            let reference = self.reference(record)?;
            about.push(self.fetch(&reference).await?.reference);
        }
        self.changes.writes.push(Written::Emitted {
            name: event.name,
            about,
            data: Value::from_json(&Json::Object(event.data)),
        });
        Ok(())
    }

    async fn state_get(&mut self, key: &str) -> Result<Option<StateItem>, HostError> {
        if let Some(past) = &mut self.past {
            return Err(past.cannot_tell("what a plugin remembered"));
        }
        if let Some((value, revision)) = self.changes.state(&self.scope.plugin, key) {
            return Ok(Some(StateItem { value: value.clone(), revision: *revision }));
        }
        match self.app.store().state_get(&self.scope.plugin, key, self.scope.now).await {
            Ok(item) => {
                Ok(item.map(|item| StateItem { value: item.value, revision: item.revision }))
            }
            Err(why) => Err(self.refuse(why.into())),
        }
    }

    async fn state_put(&mut self, put: StatePut) -> Result<u64, HostError> {
        let present = self.state_get(&put.key).await?.map_or(0, |item| item.revision);
        if let Some(expected) = put.if_revision.filter(|expected| *expected != present) {
            return Err(HostError::new(
                Code::Conflict,
                format!("the state `{}` has revision {present}, not {expected}", put.key),
            ));
        }
        let stored = Remembered {
            plugin: self.scope.plugin.clone(),
            key: put.key,
            value: put.value,
            if_revision: present,
            expires_at: put
                .ttl_ms
                .map(|ttl| runner::later(self.scope.now, std::time::Duration::from_millis(ttl))),
        };
        self.changes.put_state(stored, present + 1);
        Ok(present + 1)
    }

    async fn http_send(&mut self, request: HttpRequest) -> Result<HttpResponse, HostError> {
        if let Some(past) = &mut self.past {
            return Err(past.cannot_tell("what a web service answered"));
        }
        if self.is_trial() && !request.method.is_safe() {
            return Err(HostError::new(
                Code::Denied,
                format!(
                    "a trial sends no {} to {}: it would not be undone",
                    request.method, request.to
                ),
            ));
        }
        match self.app.request(request).await {
            Ok(answer) => Ok(answer),
            Err(RequestFault::Plugin(why)) => Err(why),
            Err(RequestFault::Host(why)) => Err(self.refuse(why)),
        }
    }

    async fn http_deliver(&mut self, request: HttpRequest) -> Result<String, HostError> {
        let id = self.effect_id();
        // The sandbox gave it a key where the plugin gave none.
        let made = format!("{}/", self.scope.idempotency_key);
        let own_key = request
            .headers
            .iter()
            .any(|(name, value)| name == "idempotency-key" && !value.starts_with(&made));
        let parcel = Parcel::new(request, &id.to_string(), own_key);
        let effect = NewEffect {
            id,
            run: self.scope.run,
            workflow: Some(self.scope.workflow.clone()),
            step: Some(self.scope.step.clone()),
            rounds: self.scope.rounds.clone(),
            kind: EffectKind::Request,
            template: None,
            recipient: None,
            if_unknown: parcel.if_unknown(self.scope.if_unknown),
            body: serde_json::to_value(parcel).unwrap_or_default(),
            status: EffectStatus::Due,
            reason: None,
            due_at: self.scope.now,
        };
        self.changes.writes.push(Written::Queued(Box::new(Queued { effect, cap: None })));
        Ok(id.to_string())
    }

    async fn has_secret(&mut self, name: &str) -> Result<bool, HostError> {
        match self.app.secret(name) {
            Ok(secret) => Ok(secret.is_some()),
            Err(why) => Err(self.refuse(why)),
        }
    }

    fn cancelled(&self) -> bool {
        false
    }
}

impl StepHost {
    /// What a survey's mail can say of the page on which it is answered: null
    /// where there is none, as in a backtest, which reads no keys.
    async fn survey_links(&mut self, data: &JsonFields, to: &Reference) -> Result<Json, HostError> {
        let response = data.get("response").and_then(Json::as_str);
        let (Some(response), None) = (response, &self.past) else { return Ok(Json::Null) };
        let response = Reference::new("survey_response", response);
        let Ok(response) = self.fetch(&response).await else { return Ok(Json::Null) };
        let survey = match response.field("survey") {
            Value::Reference(survey) => self.fetch(survey).await.ok(),
            _ => None,
        };
        let links = self.app.survey_links(&response, survey.as_ref(), to).await;
        links.map_err(|why| self.refuse(why))
    }

    /// Whether it only tries an action, outside of a run and of a test.
    fn is_trial(&self) -> bool {
        self.scope.run.is_none() && !self.app.is_test()
    }
}

/// A record's fields for templates: empty ones are there, as nothing.
fn wire(record: &Record) -> Json {
    let mut fields: JsonFields =
        record.fields.iter().map(|(name, value)| (name.clone(), value.to_json())).collect();
    fields.insert("id".to_owned(), Json::String(record.reference.key.clone()));
    Json::Object(fields)
}
