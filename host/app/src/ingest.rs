//! What other programs send: events and records, one or many in a request,
//! all of them in one transaction or none. A request with a key is taken in
//! once, however often it comes.

use std::{collections::BTreeSet, future::Future, time::Duration};

use futures::future::{Either, select};
use relata_engine::{HappeningKind, RUN_ENDED};
use relata_model::{Act, EventId, FieldError, Fields, Reference, Timestamp, Value, text};
use relata_store::{Cause, NewEvent, RecordError, RequestKey, StoreError, Write};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{
    AccessError, App, AppError, Caller, EventOutcome,
    activation::hex,
    arrivals::{MOST_AT_ONCE, NotTaken},
    awaiting::{Wait, WaitFor},
    fresh,
    host::Records,
    runner::later,
};

/// How many events or records one request brings at the most.
pub const MOST_ITEMS: usize = 1_000;

/// The longest key of a request, and of an event, characters.
const LONGEST_KEY: usize = 255;

/// The longest name of an event, characters.
const LONGEST_NAME: usize = 96;

/// How many records an event is about at the most.
const MOST_ABOUT: usize = 50;

/// How far an event's time may lie ahead of ours: clocks differ.
const AHEAD: Duration = Duration::from_secs(300);

/// How long the key of a request is kept.
const KEPT: Duration = Duration::from_secs(24 * 3_600);

/// How many old keys one write forgets: others want to write too.
const FORGET: u32 = 2_000;

/// How often is looked for what changed elsewhere.
const LOOK: Duration = Duration::from_secs(1);

/// After how many looks the rarer chores are due: a minute.
const CHORES: u32 = 60;

/// How many waiting events are counted at the most.
const MOST_COUNTED: u32 = 200_000;

/// What is wrong with one of the events or records of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ItemError {
    /// Which one, from 1; none where the request is only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<usize>,
    /// The field; empty for the whole.
    pub field: String,
    /// What is wrong, and what would be right.
    pub why: String,
}

/// Why a request is not taken in; nothing is kept of it.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// What it brings is wrong: all of it.
    #[error("nothing of this was taken in; `errors` says what is wrong")]
    Invalid(Vec<ItemError>),
    /// There is no such object.
    #[error("{0}")]
    NoObject(String),
    /// The caller may not do that with these objects.
    #[error("{0}")]
    Forbidden(String),
    /// Another request had this key.
    #[error(
        "this Idempotency-Key came with another request before; draw a new key for each request"
    )]
    KeyReused,
    /// The key cannot be one.
    #[error("the header Idempotency-Key {0}")]
    WrongKey(&'static str),
    /// A fault of ours.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<AccessError> for IngestError {
    fn from(why: AccessError) -> Self {
        match why {
            AccessError::App(why) => Self::App(why),
            other => Self::Forbidden(other.to_string()),
        }
    }
}

impl From<StoreError> for IngestError {
    fn from(why: StoreError) -> Self {
        Self::App(why.into())
    }
}

/// A request as it came.
#[derive(Debug, Clone, Copy)]
pub struct IngestRequest<'a> {
    /// Who sends it.
    pub caller: &'a Caller,
    /// The header `Idempotency-Key`, if it has one.
    pub key: Option<&'a str>,
    /// The body, byte by byte, by which a repeated request is known as the
    /// same.
    pub body: &'a [u8],
    /// What it brings, as JSON.
    pub items: &'a [Json],
    /// Whether it is a batch; then errors name the place.
    pub is_batch: bool,
    /// For how long somebody will wait for what the events come to, if at all.
    pub waits: Option<Duration>,
}

/// A request that was taken in: whatever crashes from now on, nothing of it
/// is lost.
#[derive(Debug)]
pub struct TakenIn {
    answer: Answer,
    wait: Option<Wait>,
    repeated: bool,
    notes: Vec<String>,
}

impl TakenIn {
    /// Waits, where the request does, until nothing more comes of its events,
    /// or for so long; says what is known then.
    pub async fn outcome(self, timeout: Duration) -> Accepted {
        let Self { answer, wait, repeated, notes } = self;
        let done = match &wait {
            Some(wait) => Some(wait.until_done(timeout).await),
            None => None,
        };
        let outcome = |event: EventId| match &wait {
            Some(wait) => wait.outcome(event),
            None => EventOutcome { event, done: false, runs: Vec::new(), not_started: Vec::new() },
        };
        let items = answer.items.into_iter().map(|item| IngestedItem {
            record: item.record,
            events: item.events.into_iter().map(outcome).collect(),
        });
        Accepted { items: items.collect(), repeated, done, notes }
    }
}

/// What a request that was taken in came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// One for each event or record, in their order.
    pub items: Vec<IngestedItem>,
    /// Whether the same request was taken in before; then this one did
    /// nothing.
    pub repeated: bool,
    /// Where the request waits: whether nothing more comes of its events.
    pub done: Option<bool>,
    /// What looks like a mistake and is none, a sentence each.
    pub notes: Vec<String>,
}

/// An event or a record that was taken in.
#[derive(Debug, Clone, PartialEq)]
pub struct IngestedItem {
    /// The record, `object/id`, where it is one.
    pub record: Option<String>,
    /// The event, or the events that the new record means. Where nobody
    /// waits, nothing is known yet of what they come to.
    pub events: Vec<EventOutcome>,
}

/// Why nothing was written.
enum NotWritten {
    /// The same request was taken in before, and what it came to.
    Known(Json),
    /// It is wrong, or something failed.
    Refused(IngestError),
}

impl From<StoreError> for NotWritten {
    fn from(why: StoreError) -> Self {
        Self::Refused(why.into())
    }
}

impl NotWritten {
    /// A request of the same key was there first.
    fn after(known: relata_store::KnownRequest, key: &RequestKey) -> Self {
        if known.digest == key.digest {
            Self::Known(known.answer)
        } else {
            Self::Refused(IngestError::KeyReused)
        }
    }
}

/// What is kept of a request with a key.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Answer {
    items: Vec<Kept>,
}

/// One event or record of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<String>,
    events: Vec<EventId>,
}

/// What is wrong, with the place in the batch.
#[derive(Clone)]
struct Faults {
    is_batch: bool,
    found: Vec<ItemError>,
}

impl Faults {
    fn add(&mut self, place: usize, error: FieldError) {
        let item = self.is_batch.then_some(place + 1);
        self.found.push(ItemError { item, field: error.field, why: error.why });
    }

    /// The same, unless something is said of that field already: that it is
    /// empty follows from its value being none.
    fn add_first(&mut self, place: usize, error: FieldError) {
        let item = self.is_batch.then_some(place + 1);
        if !self.found.iter().any(|other| other.item == item && other.field == error.field) {
            self.add(place, error);
        }
    }

    fn none_or_all(mut self) -> Result<(), IngestError> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|error| error.item);
        Err(IngestError::Invalid(self.found))
    }
}

impl App {
    /// Takes in named events, all or none.
    ///
    /// # Errors
    ///
    /// [`IngestError`] says all that is wrong.
    pub async fn ingest_events(&self, request: IngestRequest<'_>) -> Result<TakenIn, IngestError> {
        let key = request_key(&request, "events")?;
        if let Some(known) = self.known_request(key.as_ref(), request.waits.is_some()).await? {
            return Ok(known);
        }
        let now = self.now();
        let read = Box::pin(self.read_events(&request, now)).await?;
        let ReadEvents { events, known, notes } = read;
        let answer = Answer {
            items: events
                .iter()
                .map(|event| Kept { record: None, events: vec![event.id] })
                .collect(),
        };
        let ids: Vec<EventId> = events.iter().map(|event| event.id).collect();
        // Before they are written, so that nothing is missed.
        let wait = request.waits.map(|_| self.inner.awaiting.wait_for(&ids));
        let noted = key.map(|key| Ok::<_, AppError>((key, as_json(&answer)?))).transpose()?;
        let taking = Box::pin(self.take_in_events(events, &known, noted, request.waits, now));
        match taking.await {
            Ok(()) => Ok(TakenIn { answer, wait, repeated: false, notes }),
            // Of two at once the other was first.
            Err(NotTaken::Known(known)) => match NotWritten::after(known.1, &known.0) {
                NotWritten::Known(answer) => {
                    Box::pin(self.repeated(answer, request.waits.is_some())).await
                }
                NotWritten::Refused(why) => Err(why),
            },
            Err(NotTaken::Stale | NotTaken::NoHeadStart) => {
                let why = "other workflows were activated again and again meanwhile";
                Err(IngestError::App(AppError::Fault(why.to_owned())))
            }
            Err(NotTaken::Store(why)) => Err(why.into()),
        }
    }

    /// Creates records of an object, all or none.
    ///
    /// # Errors
    ///
    /// [`IngestError`] says all that is wrong.
    pub async fn ingest_records(
        &self,
        object: &str,
        request: IngestRequest<'_>,
    ) -> Result<TakenIn, IngestError> {
        let definition =
            self.object(object).map_err(|why| IngestError::NoObject(why.to_string()))?;
        let viewer = request.caller.viewer();
        if !viewer.may_object(object, Act::Create) {
            let name = request.caller.name();
            let why = format!("the token `{name}` is not for {object} records");
            return Err(self.refuse(viewer, "create", object, why).await.into());
        }
        let key = request_key(&request, &format!("records/{object}"))?;
        if let Some(known) = self.known_request(key.as_ref(), request.waits.is_some()).await? {
            return Ok(known);
        }
        let now = self.now();
        let mut faults = Faults { is_batch: request.is_batch, found: Vec::new() };
        let mut given = Vec::with_capacity(request.items.len());
        for (place, item) in request.items.iter().enumerate() {
            let Json::Object(item) = item else {
                faults.add(place, no_object(item));
                continue;
            };
            self.judge_create(viewer, object, item).await?;
            let mut fields = Fields::new();
            for (name, json) in item {
                let read = match definition.field(name) {
                    Some(field) => field.kind.read(json),
                    // The model refuses it with the name that was meant.
                    None => Ok(Value::from_json(json)),
                };
                match read {
                    Ok(value) => {
                        fields.insert(name.clone(), value);
                    }
                    Err(why) => faults.add(place, FieldError::new(name, why)),
                }
            }
            given.push((place, fields));
        }
        let wait = request.waits.map(|_| self.inner.awaiting.wait_for(&[]));
        let batch = NewRecords {
            object: object.to_owned(),
            given,
            faults,
            cause: Cause::outside(request.caller.actor()),
            key,
            adder: wait.as_ref().map(Wait::adder),
        };
        let written =
            self.store().write(move |tx| Box::pin(async move { batch.write(tx, now).await })).await;
        match written {
            Ok(answer) => {
                let count = answer.items.iter().map(|item| item.events.len()).sum();
                self.inner.awaiting.came_in(count);
                Ok(TakenIn { answer, wait, repeated: false, notes: Vec::new() })
            }
            Err(NotWritten::Known(answer)) => self.repeated(answer, request.waits.is_some()).await,
            Err(NotWritten::Refused(why)) => Err(why),
        }
    }

    /// What a request came to that came before.
    async fn known_request(
        &self,
        key: Option<&RequestKey>,
        waits: bool,
    ) -> Result<Option<TakenIn>, IngestError> {
        let Some(key) = key else { return Ok(None) };
        match Box::pin(self.store().request_known(&key.token, &key.key)).await? {
            Some(known) if known.digest == key.digest => {
                Box::pin(self.repeated(known.answer, waits)).await.map(Some)
            }
            Some(_) => Err(IngestError::KeyReused),
            None => Ok(None),
        }
    }

    async fn repeated(&self, answer: Json, waits: bool) -> Result<TakenIn, IngestError> {
        let answer: Answer = serde_json::from_value(answer).map_err(|why| {
            StoreError::Unreadable { what: "a request with a key".to_owned(), why: why.to_string() }
        })?;
        let events: Vec<EventId> =
            answer.items.iter().flat_map(|item| &item.events).copied().collect();
        let wait = waits.then(|| self.inner.awaiting.wait_for(&events));
        if wait.is_some() {
            // Much of it has happened before it was asked for.
            self.tell_from_database(&events).await?;
        }
        Ok(TakenIn { answer, wait, repeated: true, notes: Vec::new() })
    }

    /// Reads the events of a request.
    async fn read_events(
        &self,
        request: &IngestRequest<'_>,
        now: Timestamp,
    ) -> Result<ReadEvents, IngestError> {
        let mut faults = Faults { is_batch: request.is_batch, found: Vec::new() };
        let mut events = Vec::with_capacity(request.items.len());
        // Others wait for their turn, and are matched against what is so by then.
        let at_once = request.waits.is_some() && request.items.len() <= MOST_AT_ONCE;
        let mut known = Records::new();
        let mut unknown = BTreeSet::new();
        for (place, item) in request.items.iter().enumerate() {
            let given = match item {
                Json::Object(given) => given,
                other => {
                    faults.add(place, no_object(other));
                    continue;
                }
            };
            let mut wrong = Vec::new();
            let read = read_event(given, now, &mut wrong);
            if let Some(strange) =
                read.about.iter().find(|about| !request.caller.may_touch(&about.object))
            {
                let object = text::shortened(&strange.object, LONGEST_NAME);
                let name = request.caller.name();
                let why = format!("the token `{name}` is not for {object} records");
                let viewer = request.caller.viewer();
                let refusing = self.refuse(viewer, "send an event about", &object, why);
                return Err(Box::pin(refusing).await.into());
            }
            let mut about = Vec::with_capacity(read.about.len());
            if !read.about.is_empty() {
                for resolved in self.store().records_resolve(&read.about).await? {
                    match resolved {
                        Ok(record) => {
                            about.push(record.reference.clone());
                            if at_once {
                                known.insert(record.reference.clone(), Some(record));
                            }
                        }
                        Err(why) => wrong.push(FieldError::new("about", why)),
                    }
                }
            }
            for error in wrong {
                faults.add(place, error);
            }
            if self.objects().event(&read.name).is_none() {
                unknown.insert(read.name.clone());
            }
            events.push(NewEvent {
                id: fresh::event_id(now),
                at: read.at,
                kind: HappeningKind::Named {
                    name: read.name,
                    key: read.key,
                    about,
                    data: read.data,
                },
                cause: Cause::outside(request.caller.actor()),
            });
        }
        faults.none_or_all()?;
        let notes = unknown.iter().map(|name| {
            let names = self
                .objects()
                .names()
                .filter_map(|object| self.objects().get(object))
                .flat_map(|object| object.events.keys().map(String::as_str));
            let hint = text::nearest(name, names)
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            format!("no object declares the event `{name}`, so no workflow can wait for it{hint}")
        });
        let notes = notes.collect();
        Ok(ReadEvents { events, known, notes })
    }

    /// What a host that takes requests does beside: sees what other processes
    /// did, counts what waits, forgets old keys. Until `stop` is ready.
    pub async fn tend(&self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut looks: u32 = 0;
        loop {
            let pause = Box::pin(tokio::time::sleep(LOOK));
            if matches!(select(stop.as_mut(), pause).await, Either::Left(_)) {
                return;
            }
            looks = looks.wrapping_add(1);
            let looked = self.look(looks.is_multiple_of(CHORES)).await;
            if let Err(why) = looked {
                tracing::error!(
                    error = &why as &dyn std::error::Error,
                    "what other processes did could not be looked at; it is tried again"
                );
            }
        }
    }

    async fn look(&self, chores: bool) -> Result<(), AppError> {
        self.load_tokens(LOOK / 2).await?;
        self.look_for_awaited(MOST_COUNTED).await?;
        if chores {
            self.note_used_tokens().await?;
            let before = self.now().checked_sub(KEPT).unwrap_or(Timestamp::MIN);
            self.store()
                .write(move |tx| Box::pin(async move { tx.request_forget(before, FORGET).await }))
                .await?;
        }
        Ok(())
    }
}

/// Records that are written together.
#[derive(Clone)]
struct NewRecords {
    object: String,
    /// With their places.
    given: Vec<(usize, Fields)>,
    faults: Faults,
    cause: Cause,
    key: Option<RequestKey>,
    adder: Option<WaitFor>,
}

impl NewRecords {
    async fn write(self, tx: &mut relata_store::Tx, now: Timestamp) -> Result<Answer, NotWritten> {
        let Self { object, given, mut faults, cause, key, adder } = self;
        let mut answer = Answer::default();
        // Those of this batch, which are gone if it is refused.
        let mut written_here: Vec<(usize, String)> = Vec::new();
        for (place, fields) in given {
            let mut events = Vec::new();
            let mut source = || {
                let id = fresh::uuid(now);
                events.push(EventId::from_uuid(id));
                id
            };
            let write = Write::Create { object: object.clone(), id: fresh::record_id(now), fields };
            match tx.record_write(write, &cause, &mut source, now).await {
                Ok(written) => {
                    let record = written.record.reference.to_string();
                    written_here.push((place, record.clone()));
                    answer.items.push(Kept { record: Some(record), events });
                }
                Err(RecordError::Invalid(wrong)) => {
                    for mut error in wrong {
                        let named = written_here.iter().find(|(_, name)| error.why.contains(name));
                        if let Some((place, name)) = named {
                            let item = format!("item {} of this batch", place + 1);
                            error.why = error.why.replace(name, &item);
                        }
                        faults.add_first(place, error);
                    }
                }
                Err(other) => return Err(NotWritten::Refused(AppError::from(other).into())),
            }
        }
        faults.none_or_all().map_err(NotWritten::Refused)?;
        if let Some(key) = &key {
            let noted = as_json(&answer).map_err(|why| NotWritten::Refused(why.into()))?;
            // Of two at once the other may have been first. What this one
            // wrote must not stay, and an error is what undoes it.
            if let Some(known) = tx.request_note(key, &noted, now).await? {
                return Err(NotWritten::after(known, key));
            }
        }
        if let Some(adder) = adder {
            for event in answer.items.iter().flat_map(|item| &item.events) {
                adder.event(*event);
            }
        }
        Ok(answer)
    }
}

/// The events of a request, and what was found with them.
struct ReadEvents {
    events: Vec<NewEvent>,
    /// The records that they are about, where they may be matched at once.
    known: Records,
    /// On what looks like a mistake.
    notes: Vec<String>,
}

/// What is said of an event.
struct Read {
    name: String,
    about: Vec<Reference>,
    data: Value,
    key: Option<String>,
    at: Timestamp,
}

fn read_event(given: &Map<String, Json>, now: Timestamp, wrong: &mut Vec<FieldError>) -> Read {
    const FIELDS: [&str; 5] = ["name", "about", "data", "key", "at"];
    for name in given.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
        let hint = text::nearest(name, FIELDS.into_iter()).map_or_else(
            || format!("it has {}", FIELDS.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        let name = text::shortened(name, LONGEST_NAME);
        wrong.push(FieldError::new(name, format!("an event has no such field; {hint}")));
    }
    let field = |name: &str| given.get(name).filter(|value| !value.is_null());
    let mut fault = |field: &str, why: String| wrong.push(FieldError::new(field, why));
    let name = match field("name") {
        Some(Json::String(name)) => {
            if let Err(why) = check_event_name(name) {
                fault("name", why);
            }
            name.clone()
        }
        Some(_) => {
            fault("name", "takes text, such as order.paid".to_owned());
            String::new()
        }
        None => {
            fault("name", "is missing; an event has a name, such as order.paid".to_owned());
            String::new()
        }
    };
    let mut about = Vec::new();
    match field("about") {
        None => {}
        Some(Json::Array(items)) if items.len() > MOST_ABOUT => {
            fault("about", format!("names {} records; at most {MOST_ABOUT}", items.len()));
        }
        Some(given) => {
            let items = given.as_array().map_or(std::slice::from_ref(given), Vec::as_slice);
            for item in items {
                match item.as_str().map(str::parse::<Reference>) {
                    Some(Ok(reference)) => about.push(reference),
                    Some(Err(why)) => fault("about", why.to_string()),
                    None => fault("about", "takes records, such as [\"contact/anna\"]".to_owned()),
                }
            }
        }
    }
    let data = match field("data") {
        None => Value::Map(Fields::new()),
        Some(data @ Json::Object(_)) => Value::from_json(data),
        Some(_) => {
            fault("data", "takes an object, such as {\"total\": 12.5}".to_owned());
            Value::Nothing
        }
    };
    let key = match field("key") {
        None => None,
        Some(Json::String(key)) if !key.is_empty() && key.chars().count() <= LONGEST_KEY => {
            Some(key.clone())
        }
        Some(_) => {
            fault("key", format!("takes text of 1 to {LONGEST_KEY} characters"));
            None
        }
    };
    let at = match field("at") {
        None => now,
        Some(at) => match at.as_str().and_then(|at| at.parse::<Timestamp>().ok()) {
            Some(at) if at > later(now, AHEAD) => {
                fault("at", format!("lies in the future; here it is {now}"));
                now
            }
            // Times are kept to the millisecond.
            Some(at) => Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at),
            None => {
                fault("at", "takes a time such as 2026-12-24T18:00:00+01:00".to_owned());
                now
            }
        },
    };
    Read { name, about, data, key, at }
}

/// Events of the host's own have a `:` in their names; nobody sends those.
fn check_event_name(name: &str) -> Result<(), String> {
    let fits = name.len() <= LONGEST_NAME && name.split('.').all(text::is_name);
    if !fits {
        return Err(format!(
            "`{}` cannot name an event; use lower-case letters, digits and _, with dots between, such as order.paid",
            text::shortened(name, LONGEST_NAME)
        ));
    }
    if name == RUN_ENDED {
        return Err(format!("`{RUN_ENDED}` is told by runs alone; take another name"));
    }
    Ok(())
}

fn no_object(found: &Json) -> FieldError {
    let what = match found {
        Json::Array(_) => "a list",
        Json::String(_) => "a text",
        Json::Number(_) => "a number",
        _ => "no object",
    };
    FieldError::new("", format!("is {what}; send an object, such as {{\"name\": …}}"))
}

/// The key that the header `Idempotency-Key` holds, or what is wrong with it.
pub(crate) fn key_of_header(key: &str) -> Result<&str, &'static str> {
    // The draft makes it a structured field, a text in quotes; most senders
    // leave them out.
    let key = key.trim();
    let key = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
    if key.is_empty() {
        return Err("is empty");
    }
    if key.chars().count() > LONGEST_KEY {
        return Err("is longer than 255 characters");
    }
    Ok(key)
}

/// By what a repeated request is known; none where it has no key.
fn request_key(request: &IngestRequest<'_>, what: &str) -> Result<Option<RequestKey>, IngestError> {
    let Some(key) = request.key else { return Ok(None) };
    let key = key_of_header(key).map_err(IngestError::WrongKey)?;
    let mut digest = Sha256::new();
    digest.update(what);
    digest.update([0]);
    digest.update(request.body);
    Ok(Some(RequestKey {
        token: request.caller.id().to_owned(),
        key: key.to_owned(),
        digest: hex(&digest.finalize()),
    }))
}

fn as_json(answer: &Answer) -> Result<Json, AppError> {
    serde_json::to_value(answer).map_err(|why| AppError::Fault(format!("an answer: {why}")))
}
