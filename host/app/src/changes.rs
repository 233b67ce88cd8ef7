//! The changes of records as they are committed, for those who follow them:
//! the API's streams, and the console. One reader a host follows the log for
//! all of them, as long as there is somebody; whoever is far behind reads on
//! its own.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use relata_engine::HappeningKind;
use relata_model::Change;
use relata_store::LoggedEvent;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use tokio::sync::{Notify, watch};
use utoipa::ToSchema;

use crate::{App, AppError};

/// What other hosts write is looked for so often.
const LOOK: Duration = Duration::from_millis(500);

/// Between two looks at the least: a busy host commits hundreds of times a
/// second.
const PACE: Duration = Duration::from_millis(20);

/// Before another try, where the database did not answer.
const FAULT_PAUSE: Duration = Duration::from_secs(1);

/// How many events are kept at hand.
const RECENT: usize = 512;

/// How many are read at once.
const PAGE: u32 = 500;

/// Which changes are followed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangesWanted {
    /// Of records of these objects; none: of all.
    pub objects: Option<Vec<String>>,
    /// The fields whose values are told as well.
    pub fields: Vec<String>,
}

/// One change of one record.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ChangeView {
    /// Its place in the event log; later ones are higher.
    pub place: u64,
    /// Its event, `evt_01k9…`.
    pub event: String,
    /// When, RFC 3339.
    pub at: String,
    /// The record, `ticket/01k9…`.
    pub record: String,
    /// Its object.
    pub object: String,
    /// `created`, `changed` or `deleted`.
    pub change: &'static str,
    /// The fields that are others than before.
    pub changed: Vec<String>,
    /// Who did it: `token/shop`, `workflow/route-tickets`.
    pub by: String,
    /// The values of the fields that were asked for, as they are now; null
    /// for empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Map<String, serde_json::Value>>)]
    pub fields: Option<Map<String, Json>>,
}

/// What came after a place in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// Those that are wanted, in order.
    pub changes: Vec<ChangeView>,
    /// How far was looked: where to go on.
    pub place: u64,
}

/// The log as this host follows it.
#[derive(Debug)]
pub(crate) struct Following {
    followers: AtomicUsize,
    /// The first one has come.
    came: Notify,
    recent: Mutex<Recent>,
    /// Up to where the log was read; 0 where nobody follows it.
    end: watch::Sender<u64>,
}

impl Default for Following {
    fn default() -> Self {
        Self {
            followers: AtomicUsize::new(0),
            came: Notify::new(),
            recent: Mutex::default(),
            end: watch::Sender::new(0),
        }
    }
}

/// The last events: all that come after `after`.
#[derive(Debug, Default)]
struct Recent {
    after: u64,
    events: VecDeque<Arc<LoggedEvent>>,
}

/// Follows the changes from a place on, for as long as it is kept.
#[derive(Debug)]
pub struct ChangeStream {
    app: App,
    wanted: ChangesWanted,
    place: u64,
    end: watch::Receiver<u64>,
}

impl App {
    /// The changes after a place in the log, in order; those of about so many
    /// events. Nothing is passed over, whatever commits at the same time.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the database fails.
    pub async fn changes_after(
        &self,
        place: u64,
        wanted: &ChangesWanted,
        limit: u32,
    ) -> Result<Changes, AppError> {
        let settled = self.store().event_log_settled().await?;
        self.changes_between(place, settled, wanted, limit).await
    }

    /// A place up to which the log is settled, for whoever reads records after
    /// this and follows what comes then: the end, or, where somebody writes at
    /// this moment, up to where it was read by those who follow it.
    pub(crate) async fn place_at_hand(&self) -> Result<u64, AppError> {
        if let Some(end) = self.store().event_log_settled_end().await? {
            return Ok(end);
        }
        let known = *self.inner.following.end.borrow();
        if matches!(known, 0 | u64::MAX) {
            return Ok(self.store().event_log_settled().await?);
        }
        Ok(known)
    }

    async fn changes_between(
        &self,
        place: u64,
        settled: u64,
        wanted: &ChangesWanted,
        limit: u32,
    ) -> Result<Changes, AppError> {
        let (events, place) = self.events_between(place, settled, limit).await?;
        let changes = events.iter().filter_map(|event| view(event, wanted)).collect();
        Ok(Changes { changes, place })
    }

    /// About so many events after a place, and up to where that is all.
    async fn events_between(
        &self,
        place: u64,
        settled: u64,
        limit: u32,
    ) -> Result<(Vec<LoggedEvent>, u64), AppError> {
        let events = self.store().event_list_between(place, settled, limit).await?;
        let is_all = events.len() < limit as usize;
        let last = events.last().map(|event| event.seq);
        let place = if is_all { settled.max(place) } else { last.unwrap_or(place) };
        Ok((events, place))
    }

    /// Follows the changes after a place in the log; from now on, if none is
    /// given.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where events after this place have been taken away,
    /// so that nobody can say what happened.
    pub async fn follow_changes(
        &self,
        after: Option<u64>,
        wanted: ChangesWanted,
    ) -> Result<ChangeStream, AppError> {
        let settled = self.store().event_log_settled().await?;
        let place = after.unwrap_or(settled);
        if place > settled {
            return Err(AppError::wrong(format!(
                "the log ends at {settled}, before {place}; read the records, and follow what comes from now on"
            )));
        }
        let cut = self.store().event_log_cut().await?;
        if place < cut {
            return Err(AppError::wrong(format!(
                "what happened after {place} has been taken away in part; read the records, and follow what comes from now on"
            )));
        }
        let following = &self.inner.following;
        if following.followers.fetch_add(1, Ordering::AcqRel) == 0 {
            following.came.notify_one();
        }
        let end = following.end.subscribe();
        Ok(ChangeStream { app: self.clone(), wanted, place, end })
    }

    /// Reads the log as it grows, while somebody follows it, and tells webhooks
    /// what is new, until `stop` is ready.
    pub async fn follow_log(&self, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = stop => {}
            () = self.follow_for_ever() => {}
        }
        // Whoever follows hears that there is no more.
        self.inner.following.end.send_replace(u64::MAX);
    }

    async fn follow_for_ever(&self) {
        let following = &self.inner.following;
        let grown = self.store().wakes().of_log();
        loop {
            let read = match following.followers.load(Ordering::Acquire) {
                0 => {
                    following.forget();
                    Ok(())
                }
                _ => self.read_log_on().await,
            };
            let told = self.tell_webhooks().await;
            let pause = match read.and(told) {
                // There may be more.
                Ok(told) if told > 0 => Duration::ZERO,
                Ok(_) => LOOK,
                Err(why) => {
                    tracing::warn!(
                        error = &why as &dyn std::error::Error,
                        "the event log could not be followed; it is tried again"
                    );
                    FAULT_PAUSE
                }
            };
            tokio::select! {
                () = grown.notified() => tokio::time::sleep(PACE).await,
                () = following.came.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Reads what the log has more than is known.
    async fn read_log_on(&self) -> Result<(), AppError> {
        let following = &self.inner.following;
        let settled = self.store().event_log_settled().await?;
        let mut place = *following.end.borrow();
        if place == 0 {
            // Nobody has followed it; what is before is read by whoever wants it.
            following.begin(settled);
            return Ok(());
        }
        while place < settled {
            let events = self.store().event_list_between(place, settled, PAGE).await?;
            place = match events.last() {
                Some(last) if events.len() == PAGE as usize => last.seq,
                _ => settled,
            };
            following.keep(events, place);
        }
        Ok(())
    }
}

impl Following {
    fn recent(&self) -> std::sync::MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self) {
        *self.recent() = Recent::default();
        self.end.send_replace(0);
    }

    fn begin(&self, place: u64) {
        *self.recent() = Recent { after: place, events: VecDeque::new() };
        self.end.send_replace(place);
    }

    fn keep(&self, events: Vec<LoggedEvent>, place: u64) {
        let mut recent = self.recent();
        recent.events.extend(events.into_iter().map(Arc::new));
        while recent.events.len() > RECENT {
            if let Some(event) = recent.events.pop_front() {
                recent.after = event.seq;
            }
        }
        drop(recent);
        self.end.send_replace(place);
    }

    /// The events after a place; none where they are no longer at hand.
    fn after(&self, place: u64) -> Option<Vec<Arc<LoggedEvent>>> {
        let recent = self.recent();
        (place >= recent.after)
            .then(|| recent.events.iter().filter(|event| event.seq > place).cloned().collect())
    }
}

impl ChangeStream {
    /// Where it is: everything up to this place was told.
    #[must_use]
    pub const fn place(&self) -> u64 {
        self.place
    }

    /// The next changes, once there are some; none where the host stops. May
    /// be dropped at any time and called again: nothing is lost.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the database fails.
    pub async fn next(&mut self) -> Result<Option<Vec<ChangeView>>, AppError> {
        loop {
            let Some(events) = self.events().await? else { return Ok(None) };
            let changes: Vec<ChangeView> =
                events.iter().filter_map(|event| view(event, &self.wanted)).collect();
            if !changes.is_empty() {
                return Ok(Some(changes));
            }
        }
    }

    /// As [`ChangeStream::next`], whatever happened, as it is in the log.
    pub(crate) async fn events(&mut self) -> Result<Option<Vec<Arc<LoggedEvent>>>, AppError> {
        loop {
            let end = *self.end.borrow_and_update();
            if end == u64::MAX {
                return Ok(None);
            }
            if end <= self.place {
                if self.end.changed().await.is_err() {
                    return Ok(None);
                }
                continue;
            }
            let (events, place) = match self.app.inner.following.after(self.place) {
                Some(mut events) => {
                    events.retain(|event| event.seq <= end);
                    (events, end)
                }
                None => {
                    let (events, place) = self.app.events_between(self.place, end, PAGE).await?;
                    (events.into_iter().map(Arc::new).collect(), place)
                }
            };
            self.place = place;
            if !events.is_empty() {
                return Ok(Some(events));
            }
        }
    }

    /// Passes over what is known to have happened by now.
    pub(crate) fn pass(&mut self) {
        let end = *self.end.borrow();
        if end != u64::MAX {
            self.place = self.place.max(end);
        }
    }
}

impl Drop for ChangeStream {
    fn drop(&mut self) {
        self.app.inner.following.followers.fetch_sub(1, Ordering::AcqRel);
    }
}

/// An event as it is told; none where it is no change, or not wanted.
pub(crate) fn view(event: &LoggedEvent, wanted: &ChangesWanted) -> Option<ChangeView> {
    let HappeningKind::Change(change) = &event.happening.kind else { return None };
    let object = &change.reference.object;
    if wanted.objects.as_ref().is_some_and(|objects| !objects.contains(object)) {
        return None;
    }
    let fields = (!wanted.fields.is_empty() && change.after.is_some()).then(|| {
        let value = |name: &String| (name.clone(), change.is(name).to_json());
        wanted.fields.iter().map(value).collect()
    });
    Some(ChangeView {
        place: event.seq,
        event: event.happening.id.to_string(),
        at: event.happening.at.to_string(),
        record: change.reference.to_string(),
        object: object.clone(),
        change: change.kind.as_str(),
        changed: changed(change),
        by: event.actor.clone(),
        fields,
    })
}

/// The fields that are others than before, by name; that it was changed goes
/// without saying.
pub(crate) fn changed(change: &Change) -> Vec<String> {
    let images = [&change.before, &change.after].into_iter().flatten();
    let mut names: Vec<String> = images.flat_map(|fields| fields.keys().cloned()).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| name != "updated_at" && change.touches(name));
    names
}
