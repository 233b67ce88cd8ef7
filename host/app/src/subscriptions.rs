//! Webhooks that other programs wish to be called by: what happened goes to the
//! outbox as signed requests.
//!
//! The event log itself is the queue. Each webhook has its place in it; from
//! there events become effects, a page in one transaction together with the
//! place, under ids that follow from the webhook and the event. So no event is
//! lost and none invented, whatever crashes, and a webhook that is away for
//! days fills no outbox. The commits of events know nothing of it.
//!
//! What is told is which record, and which fields: not what is in them. Who
//! wants that asks the API, with a token that may.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use relata_engine::HappeningKind;
use relata_model::{Fields, Record, Reference, Timestamp, Value};
use relata_store::{
    Condition, EffectKind, EffectStatus, LoggedEvent, NewEffect, Query, StoreError, Write,
};
use relata_workflow::IfUnknown;
use serde_json::{Value as Json, json};

use crate::{
    App, AppError, ChangesWanted, Finding, Severity, changes, clock, fresh, requests::Parcel,
    signature::Key,
};

/// The object of the webhooks.
pub(crate) const OBJECT: &str = "webhook";

/// For how long what is known of the webhooks is taken for true.
const FRESH: Duration = Duration::from_secs(2);

/// How many events are looked at at once.
const PAGE: u32 = 200;

/// So many effects of one webhook wait at the most; the rest waits in the log.
const MOST_WAITING: u64 = 200;

/// The place is written down after so many events of which none is wanted.
const STRIDE: u64 = 1_000;

/// Every object.
const ALL: &str = "*";

/// What the names of changes begin with.
const CHANGES: &str = "record.";

/// A webhook as it is to be told.
#[derive(Debug, Clone, PartialEq)]
struct Subscription {
    webhook: Reference,
    url: String,
    secret: String,
    objects: Vec<String>,
    events: Vec<String>,
}

/// What is known of the webhooks.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    kept: Mutex<Option<(Instant, Arc<[Subscription]>)>>,
    /// Up to where each was looked, which may be further than is written down.
    looked: Mutex<HashMap<String, u64>>,
}

impl Subscription {
    fn of(record: &Record) -> Self {
        let text = |field: &str| record.field(field).as_text().unwrap_or_default().to_owned();
        let texts = |field: &str| record.field(field).texts().map(str::to_owned).collect();
        Self {
            webhook: record.reference.clone(),
            url: text("url"),
            secret: text("secret"),
            objects: texts("objects"),
            events: texts("events"),
        }
    }

    /// The body of the request that tells an event; none where it is not
    /// wanted.
    fn body(&self, event: &LoggedEvent) -> Option<Json> {
        let (name, data) = match &event.happening.kind {
            HappeningKind::Change(change) => {
                let name = format!("{CHANGES}{}", change.kind.as_str());
                let some = self.events.iter().any(|event| event.starts_with(CHANGES));
                let objects = &self.objects;
                let is_wanted = (!some || self.events.contains(&name))
                    && objects.iter().any(|one| one == ALL || *one == change.reference.object);
                if !is_wanted {
                    return None;
                }
                (name, json!(changes::view(event, &ChangesWanted::default())?))
            }
            HappeningKind::Named { name, key, about, .. } => {
                if !self.events.contains(name) {
                    return None;
                }
                let about: Vec<String> = about.iter().map(Reference::to_string).collect();
                let data = json!({
                    "place": event.seq,
                    "event": event.happening.id.to_string(),
                    "at": event.happening.at.to_string(),
                    "about": about,
                    "key": key,
                    "by": event.actor,
                });
                (name.clone(), data)
            }
        };
        Some(json!({ "type": name, "timestamp": event.happening.at.to_string(), "data": data }))
    }

    fn effect(&self, event: &LoggedEvent, now: Timestamp) -> Option<NewEffect> {
        let body = self.body(event)?.to_string();
        let parcel = Parcel::signed(&self.url, &self.secret, body);
        Some(NewEffect {
            id: fresh::effect_id(&format!("{}/{}", self.webhook, event.happening.id), 0),
            run: None,
            workflow: None,
            step: None,
            rounds: String::new(),
            kind: EffectKind::Request,
            template: None,
            recipient: Some(self.webhook.clone()),
            body: json!(parcel),
            status: EffectStatus::Due,
            reason: None,
            due_at: now,
            // The receiver knows one that it has had by its id.
            if_unknown: IfUnknown::Retry,
        })
    }
}

impl App {
    /// Puts what happened since into the outbox, for each webhook. Answers how
    /// many requests that are.
    pub(crate) async fn tell_webhooks(&self) -> Result<usize, AppError> {
        let subscriptions = self.subscriptions().await?;
        if subscriptions.is_empty() {
            return Ok(0);
        }
        // One host does it; that two would do no harm is the place's doing.
        if let Some(places) = self.inner.places.get()
            && !self.on_duty(places.owner()).await?
        {
            return Ok(0);
        }
        let settled = self.store().event_log_settled().await?;
        let mut told = 0;
        for subscription in subscriptions.iter() {
            // What is wrong with one holds up none of the others.
            match self.tell_webhook(subscription, settled).await {
                Ok(count) => told += count,
                Err(why) => tracing::error!(
                    error = &why as &dyn std::error::Error,
                    webhook.id = %subscription.webhook,
                    "a webhook could not be told; it is tried again"
                ),
            }
        }
        Ok(told)
    }

    async fn tell_webhook(
        &self,
        subscription: &Subscription,
        settled: u64,
    ) -> Result<usize, AppError> {
        let key = &subscription.webhook.key;
        let known = &self.inner.subscriptions;
        let looked = known.looked().get(key).copied().unwrap_or(0);
        if looked >= settled || self.wrong_with(subscription).is_some() {
            return Ok(0);
        }
        let written = self.store().subscription_place(key).await?;
        let place = match written {
            Some(written) => written.max(looked),
            None => self.made_at(&subscription.webhook).await?.max(looked),
        };
        let cut = self.store().event_log_cut().await?;
        if place < cut {
            tracing::warn!(webhook.id = %subscription.webhook, "a webhook was away for so long that events it was to be told have been cleaned up");
        }
        let place = place.max(cut);
        // Another host may be further by now.
        if place >= settled {
            return Ok(0);
        }
        if self.store().outbox_waiting(&subscription.webhook).await? >= MOST_WAITING {
            return Ok(0);
        }
        let events = self.store().event_list_between(place, settled, PAGE).await?;
        let next = match events.last() {
            Some(last) if events.len() == PAGE as usize => last.seq,
            _ => settled,
        };
        let now = self.now();
        let effects: Vec<NewEffect> =
            events.iter().filter_map(|event| subscription.effect(event, now)).collect();
        let count = effects.len();
        if count > 0 || written.is_none() || next - place >= STRIDE {
            let webhook = key.clone();
            let moved = self.store().write(move |tx| {
                Box::pin(async move {
                    if !tx.subscription_move(&webhook, written, next).await? {
                        return Ok::<_, StoreError>(false);
                    }
                    for effect in &effects {
                        tx.outbox_put(effect, now).await?;
                    }
                    Ok(true)
                })
            });
            if !moved.await? {
                // Another host did it.
                known.looked().remove(key);
                return Ok(0);
            }
        }
        known.looked().insert(key.clone(), next);
        Ok(count)
    }

    /// The place of the event with which a webhook began: what comes after it
    /// is told.
    async fn made_at(&self, webhook: &Reference) -> Result<u64, AppError> {
        let mut before = None;
        loop {
            let events = self.store().event_list(webhook, before, PAGE).await?;
            match events.first() {
                Some(first) if events.len() == PAGE as usize => before = Some(first.seq),
                Some(first) => return Ok(first.seq),
                None => return Ok(before.unwrap_or(0)),
            }
        }
    }

    /// The webhooks that are active.
    async fn subscriptions(&self) -> Result<Arc<[Subscription]>, AppError> {
        let known = &self.inner.subscriptions;
        let now = clock::monotonic();
        let kept = known.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, kept)) = kept
            && now.duration_since(at) < FRESH
        {
            return Ok(kept);
        }
        let is_active = Condition::equal("active", Value::YesNo(true));
        let mut pages = self.pages(Query::new(OBJECT, vec![is_active]));
        let mut found = Vec::new();
        while let Some(records) = pages.next().await? {
            found.extend(records.iter().map(Subscription::of));
        }
        let found: Arc<[Subscription]> = found.into();
        *known.kept.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((now, Arc::clone(&found)));
        Ok(found)
    }

    /// Why a webhook cannot be told now, and what to do about it; then its
    /// events wait in the log.
    fn wrong_with(&self, subscription: &Subscription) -> Option<String> {
        if let Err(why) = Parcel::address(&subscription.url) {
            return Some(why);
        }
        let name = &subscription.secret;
        match self.secret(name) {
            Ok(Some(secret)) => {
                Key::of(&secret).err().map(|why| format!("the secret `{name}` {why}"))
            }
            Ok(None) => Some(format!(
                "there is no secret `{name}`; make one by `echo whsec_$(openssl rand -base64 32) | relata secret set {name}`"
            )),
            Err(why) => Some(why.to_string()),
        }
    }

    /// What becomes of a webhook that did not take a request for so long that
    /// the host gives up: it is told nothing more. None where the effect is
    /// none of a webhook's, or it is gone.
    pub(crate) async fn given_up_webhook(
        &self,
        recipient: Option<&Reference>,
        why: &str,
    ) -> Result<Option<Write>, AppError> {
        let Some(webhook) = recipient.filter(|recipient| recipient.object == OBJECT) else {
            return Ok(None);
        };
        if self.store().record_fetch(webhook).await?.is_none() {
            return Ok(None);
        }
        tracing::warn!(webhook.id = %webhook, "a webhook is told nothing more, since it does not take what it is told; see `relata doctor`");
        let fields = Fields::from([
            ("active".to_owned(), Value::YesNo(false)),
            ("reason".to_owned(), Value::Text(relata_model::text::shortened(why, 500))),
        ]);
        Ok(Some(Write::Update { reference: webhook.clone(), fields, if_revision: None }))
    }

    /// The webhooks that are not told what they wish to be.
    pub(crate) async fn look_at_webhooks(&self, found: &mut Vec<Finding>) -> Result<(), AppError> {
        let mut pages = self.pages(Query::new(OBJECT, Vec::new()));
        while let Some(records) = pages.next().await? {
            for record in records {
                let subscription = Subscription::of(&record);
                let handle = record.handle();
                if record.field("active") == &Value::YesNo(true) {
                    let Some(why) = self.wrong_with(&subscription) else { continue };
                    let what = format!("{handle} cannot be told anything: {why}");
                    let mend = "mend it; what happened meanwhile is told then";
                    found.push(Finding::new("webhook-unusable", Severity::Warning, what, mend));
                } else if let Some(why) = record.field("reason").as_text() {
                    let what = format!("{handle} is told nothing more: {why}");
                    let mend = "once it answers again, empty its `reason` and make it `active`; what happened meanwhile is told then, and `relata outbox release` sends what was given up";
                    found.push(Finding::new("webhook-given-up", Severity::Warning, what, mend));
                }
            }
        }
        Ok(())
    }
}

impl Subscriptions {
    fn looked(&self) -> std::sync::MutexGuard<'_, HashMap<String, u64>> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
