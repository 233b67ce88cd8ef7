//! Whether something that somebody looks at has changed: for pages that read
//! themselves again. It says that there is something, never what; and nothing
//! of what they may not see.

use std::{
    collections::VecDeque,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use relata_engine::HappeningKind;
use relata_model::{Act, Area, Change, ChangeKind, Doing, Fields, Record, Reference, RunId};
use relata_store::{LoggedEvent, RunFilter};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::{AccessError, App, AppError, ChangeStream, ChangesWanted, Viewer, changes::changed};

/// So often runs are looked at: what they do is no change of a record.
const LOOK_AT_RUNS: Duration = Duration::from_secs(1);

/// So many of the newest runs stand on the first page of a list.
const NEWEST_RUNS: u32 = 50;

/// What somebody looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// All records of an object: `ticket`.
    Object(String),
    /// One record: `contact/01k9…`.
    Record(Reference),
    /// The records of an object that name another in a field:
    /// `message.ticket=ticket/01k9…`.
    Naming {
        /// The object.
        object: String,
        /// The field.
        field: String,
        /// What it names.
        target: Reference,
    },
    /// A run: `run_01k9…`.
    Run(RunId),
    /// The newest runs: `runs`.
    Runs,
}

/// The word for the newest runs; no object has this name, since runs are no
/// records.
const RUNS: &str = "runs";

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(object) => f.write_str(object),
            Self::Record(record) => record.fmt(f),
            Self::Naming { object, field, target } => write!(f, "{object}.{field}={target}"),
            Self::Run(run) => run.fmt(f),
            Self::Runs => f.write_str(RUNS),
        }
    }
}

impl FromStr for Watched {
    type Err = AppError;

    fn from_str(text: &str) -> Result<Self, AppError> {
        let wrong = || AppError::wrong(format!("`{text}` is nothing that can be watched"));
        if let Some((naming, target)) = text.split_once('=') {
            let (object, field) = naming.split_once('.').ok_or_else(wrong)?;
            let target = target.parse().map_err(|_| wrong())?;
            return Ok(Self::Naming { object: object.to_owned(), field: field.to_owned(), target });
        }
        if text == RUNS {
            return Ok(Self::Runs);
        }
        if let Ok(run) = text.parse() {
            return Ok(Self::Run(run));
        }
        Ok(match text.contains('/') {
            true => Self::Record(text.parse().map_err(|_| wrong())?),
            false => Self::Object(text.to_owned()),
        })
    }
}

impl Watched {
    /// The object whose records are looked at; none for runs.
    fn object(&self) -> Option<&str> {
        match self {
            Self::Object(object) | Self::Naming { object, .. } => Some(object),
            Self::Record(record) => Some(&record.object),
            Self::Run(_) | Self::Runs => None,
        }
    }

    fn is_touched_by(&self, change: &Change) -> bool {
        match self {
            Self::Object(object) => change.reference.object == *object,
            Self::Record(record) => change.reference == *record,
            Self::Naming { object, field, target } => {
                change.reference.object == *object
                    && [change.was(field), change.is(field)]
                        .into_iter()
                        .any(|value| value.as_reference() == Some(target))
            }
            Self::Run(_) | Self::Runs => false,
        }
    }
}

/// Up to where somebody knows what there is: what changes after it is told.
/// Written `8412-3f`, and nothing to read for anybody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// A place in the event log.
    place: u64,
    /// How the runs stood that are looked at; 0 where there are none.
    runs: u64,
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:x}", self.place, self.runs)
    }
}

impl FromStr for Known {
    type Err = AppError;

    fn from_str(text: &str) -> Result<Self, AppError> {
        let parts = text.split_once('-').and_then(|(place, runs)| {
            Some((place.parse().ok()?, u64::from_str_radix(runs, 16).ok()?))
        });
        let (place, runs) = parts.ok_or_else(|| {
            AppError::wrong(format!("`{text}` is no place from which one could go on"))
        })?;
        Ok(Self { place, runs })
    }
}

/// Follows what somebody looks at, for as long as it is kept.
#[derive(Debug)]
pub struct Watch {
    app: App,
    viewer: Viewer,
    watched: Vec<Watched>,
    changes: ChangeStream,
    /// Of which it is not known yet whether they matter.
    left: VecDeque<Arc<LoggedEvent>>,
    runs: u64,
    look: Interval,
    /// Something may have been missed, since nobody can say what happened.
    missed: bool,
}

impl App {
    /// What is known to somebody who reads what they look at after this.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the database fails.
    pub async fn known_now(&self, watched: &[Watched]) -> Result<Known, AppError> {
        let place = self.place_at_hand().await?;
        Ok(Known { place, runs: self.mark_of_runs(watched).await? })
    }

    /// Follows what somebody looks at, after what they know.
    ///
    /// # Errors
    ///
    /// [`AccessError`] where they may see nothing of one of these, or there is
    /// no such object.
    pub async fn watch(
        &self,
        viewer: &Viewer,
        watched: Vec<Watched>,
        known: Known,
    ) -> Result<Watch, AccessError> {
        for one in &watched {
            match one.object() {
                Some(object) => self.may_any(viewer, object, Act::See).await?,
                None => self.must_may(viewer, Area::Runs, Doing::See).await?,
            }
        }
        let follow = |after| self.follow_changes(after, ChangesWanted::default());
        let (changes, missed) = match follow(Some(known.place)).await {
            Ok(changes) => (changes, false),
            // What happened since has been taken away, or this is the log of
            // another database: it is read again, and followed from now on.
            Err(why) if why.is_wrong_input() => (follow(None).await?, true),
            Err(why) => return Err(why.into()),
        };
        let mut look = interval(LOOK_AT_RUNS);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Watch {
            app: self.clone(),
            viewer: viewer.clone(),
            watched,
            changes,
            left: VecDeque::new(),
            runs: known.runs,
            look,
            missed,
        })
    }

    /// How the runs stand that are looked at; another number where one of them
    /// has got on.
    async fn mark_of_runs(&self, watched: &[Watched]) -> Result<u64, AppError> {
        let mut mark = DefaultHasher::new();
        let mut is_any = false;
        for one in watched {
            let rows = match one {
                Watched::Run(run) => {
                    let of_run = RunFilter { parent: Some(*run), ..RunFilter::default() };
                    let mut rows = self.store().run_list(&of_run, NEWEST_RUNS).await?;
                    rows.extend(self.store().run_fetch(*run).await?);
                    rows
                }
                Watched::Runs => {
                    let newest = RunFilter { newest_first: true, ..RunFilter::default() };
                    self.store().run_list(&newest, NEWEST_RUNS).await?
                }
                _ => continue,
            };
            is_any = true;
            for row in rows {
                let stands = (row.run.id, row.run.seq, row.ended_at, row.parked_by.is_some());
                (stands, row.cancel_requested).hash(&mut mark);
            }
        }
        Ok(if is_any { mark.finish() } else { 0 })
    }

    /// Whether somebody saw a record before a change, or sees it after, and
    /// something of what is otherwise.
    async fn sees_change(&self, viewer: &Viewer, change: &Change) -> Result<bool, AccessError> {
        let object = &change.reference.object;
        let mut touched = changed(change).into_iter();
        if change.kind == ChangeKind::Changed
            && !touched.any(|field| viewer.sees_field(object, &field))
        {
            return Ok(false);
        }
        if self.object(object)?.part_of.is_none() && viewer.may_all(object, Act::See) {
            return Ok(true);
        }
        let image = |fields: &Arc<Fields>| Record {
            reference: change.reference.clone(),
            revision: 0,
            fields: Arc::clone(fields),
        };
        for fields in [&change.after, &change.before].into_iter().flatten() {
            if self.allows(viewer, &image(fields), Act::See).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Watch {
    /// Ready when something has changed; false where the host stops. May be
    /// dropped at any time and called again: nothing is lost.
    ///
    /// # Errors
    ///
    /// [`AccessError::App`] where the database fails.
    pub async fn changed(&mut self) -> Result<bool, AccessError> {
        let has_runs = self.watched.iter().any(|one| one.object().is_none());
        loop {
            if self.missed {
                return Ok(true);
            }
            while let Some(event) = self.left.front() {
                if self.concerns(event).await? {
                    return Ok(true);
                }
                self.left.pop_front();
            }
            tokio::select! {
                events = self.changes.events() => match events? {
                    Some(events) => self.left.extend(events),
                    None => return Ok(false),
                },
                _ = self.look.tick(), if has_runs => {
                    if self.app.mark_of_runs(&self.watched).await? != self.runs {
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// What is known to somebody who reads what they look at after this: what
    /// has happened by now is told no more.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the database fails.
    pub async fn pass(&mut self) -> Result<Known, AppError> {
        self.changes.pass();
        self.left.clear();
        self.missed = false;
        self.runs = self.app.mark_of_runs(&self.watched).await?;
        Ok(Known { place: self.changes.place(), runs: self.runs })
    }

    /// From now on it follows for somebody who may see this: roles change.
    pub fn follow_for(&mut self, viewer: Viewer) {
        self.viewer = viewer;
    }

    async fn concerns(&self, event: &LoggedEvent) -> Result<bool, AccessError> {
        let HappeningKind::Change(change) = &event.happening.kind else { return Ok(false) };
        if !self.watched.iter().any(|one| one.is_touched_by(change)) {
            return Ok(false);
        }
        self.app.sees_change(&self.viewer, change).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_watched_is_written_as_it_is_read() {
        let run = RunId::derived("2026-12-14T09:00:00Z".parse().expect("a time"), &[7; 10]);
        for (text, what) in [
            ("ticket", Watched::Object("ticket".to_owned())),
            ("contact/anna", Watched::Record(Reference::new("contact", "anna"))),
            (
                "message.ticket=ticket/01k9",
                Watched::Naming {
                    object: "message".to_owned(),
                    field: "ticket".to_owned(),
                    target: Reference::new("ticket", "01k9"),
                },
            ),
            (&run.to_string(), Watched::Run(run)),
            ("runs", Watched::Runs),
        ] {
            assert_eq!(text.parse::<Watched>().expect("it can be watched"), what);
            assert_eq!(what.to_string(), text);
        }
        for wrong in ["message=ticket/1", "ticket/", "/", "a.b=c"] {
            assert!(wrong.parse::<Watched>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_known_is_written_as_it_is_read() {
        let known = Known { place: 8_412, runs: u64::MAX - 3 };
        assert_eq!(known.to_string().parse::<Known>().expect("it reads"), known);
        for wrong in ["", "8412", "-", "1-g", "-1-1"] {
            assert!(wrong.parse::<Known>().is_err(), "{wrong}");
        }
    }
}
