//! How a ticket stands to what was promised: a clock for each promise.

use jiff::Timestamp;

use super::{Goal, History, Level, ServiceLevel};
use crate::{Calendar, Duration};

/// From one moment until just before another; open where it has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Option<Timestamp>,
}

/// How a clock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClockState {
    /// It runs, and there is time left. Outside the opening hours it runs as
    /// well, and gets nowhere.
    Running,
    /// It stands still, with time left.
    Paused,
    /// All the time is gone, and what was promised has not come.
    Breached,
    /// What was promised came in time.
    Met,
    /// It came late.
    Late,
    /// It counts no longer: the ticket was closed without it.
    Dropped,
}

impl ClockState {
    /// The word for it in the database and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Breached => "breached",
            Self::Met => "met",
            Self::Late => "late",
            Self::Dropped => "dropped",
        }
    }

    /// Whether what was promised is still to come.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Breached)
    }
}

/// The clock of one promise of one ticket, as it stands at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Clock {
    /// What was promised.
    pub goal: Goal,
    /// Since when the customer waits.
    pub started_at: Timestamp,
    /// When it came.
    pub ended_at: Option<Timestamp>,
    /// Within which time, for the priority that the ticket has; that which it
    /// had when it came.
    pub target: Duration,
    /// Between its start and its end, or now: when it stood still.
    pub pauses: Vec<Span>,
    /// When all the time is gone, or was. None while it stands still and there
    /// is time left, and where the calendar does not open for years.
    pub due_at: Option<Timestamp>,
    /// How it stands.
    pub state: ClockState,
    /// How long the customer has waited in the time that counts, in
    /// milliseconds.
    pub worked: i64,
    /// Its levels with the moment at which each is, or was, reached, the first
    /// first; none where it stands still.
    pub levels: Vec<(Level, Option<Timestamp>)>,
}

impl Clock {
    /// The time that is left, in milliseconds of the time that counts;
    /// negative for how late it is.
    #[must_use]
    pub const fn left(&self) -> i64 {
        millis_of(self.target).saturating_sub(self.worked)
    }

    /// The next moment at which a level is reached if nothing happens.
    #[must_use]
    pub fn next_level(&self, now: Timestamp) -> Option<Timestamp> {
        let open = self.state.is_open();
        self.levels.iter().filter_map(|(_, at)| *at).find(|at| open && *at > now)
    }

    /// The levels that it has reached, with when and how many of them were
    /// reached since all the time was gone: 0 for a warning, 1 when it is gone.
    pub fn reached(&self, now: Timestamp) -> impl Iterator<Item = (Level, Timestamp, u32)> {
        let until = self.ended_at.unwrap_or(now);
        let mut step = 0;
        self.levels.iter().filter_map(move |(level, at)| {
            let at = at.filter(|at| *at <= until)?;
            step += u32::from(!level.is_warning());
            Some((*level, at, step))
        })
    }
}

/// The length of a target, of whichever time it is.
const fn millis_of(target: Duration) -> i64 {
    if target.working_millis > 0 { target.working_millis } else { target.millis }
}

impl ServiceLevel {
    /// The clocks of a ticket as they stand at a moment: for its first reply,
    /// for each answer since, and for its solution, as far as something is
    /// promised.
    #[must_use]
    pub fn clocks(&self, history: &History, now: Timestamp) -> Vec<Clock> {
        let began = history.began();
        let first = history.first_answer();
        // Whom we wrote to first does not wait for a first answer.
        let first = (first.is_none_or(|at| at > began)).then_some((began, first));
        let mut waits: Vec<(Goal, (Timestamp, Option<Timestamp>))> =
            first.into_iter().map(|wait| (Goal::FirstReply, wait)).collect();
        waits.extend(history.later_waits().into_iter().map(|wait| (Goal::NextReply, wait)));
        waits.push((Goal::Solution, (began, history.done_since())));
        waits
            .into_iter()
            .filter_map(|(goal, (start, end))| self.clock(history, goal, start, end, now))
            .collect()
    }

    /// When all the time of a clock that stands still would be gone if it went
    /// on at a moment and nothing came in between.
    #[must_use]
    pub fn due_if_resumed(&self, clock: &Clock, now: Timestamp) -> Option<Timestamp> {
        let from_now = [Span { from: now, until: None }];
        self.measure(clock.target).reach(&from_now, clock.left().max(0))
    }

    /// How the time of a target counts.
    fn measure(&self, target: Duration) -> Measure<'_> {
        Measure(self.calendar.as_ref().filter(|_| target.is_working()))
    }

    fn clock(
        &self,
        history: &History,
        goal: Goal,
        started_at: Timestamp,
        ended_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Clock> {
        let target = self.target(goal, history.priority_at(ended_at.unwrap_or(now)))?;
        let measure = self.measure(target);
        let (running, pauses) = self.spans(history, started_at, ended_at);
        let reach = |millis| measure.reach(&running, millis);
        let due_at = reach(millis_of(target));
        let mut levels: Vec<Level> = self.levels.clone();
        levels.sort_by_key(|level| level.millis(millis_of(target)));
        let levels =
            levels.into_iter().map(|level| (level, reach(level.millis(millis_of(target)))));
        let stands_still = running.last().is_none_or(|span| span.until.is_some());
        let state = match (ended_at, due_at) {
            (Some(end), Some(due)) if due <= end => ClockState::Late,
            (Some(_), _) => ClockState::Met,
            (None, _) if history.is_closed() => ClockState::Dropped,
            (None, Some(due)) if due <= now => ClockState::Breached,
            (None, _) if stands_still => ClockState::Paused,
            (None, _) => ClockState::Running,
        };
        Some(Clock {
            goal,
            started_at,
            ended_at,
            target,
            pauses,
            due_at,
            state,
            worked: running
                .iter()
                .map(|span| measure.length(span.from, span.until.unwrap_or(now)))
                .sum(),
            levels: levels.collect(),
        })
    }

    /// When a clock runs and when it stands still, from its start to its end.
    fn spans(
        &self,
        history: &History,
        start: Timestamp,
        end: Option<Timestamp>,
    ) -> (Vec<Span>, Vec<Span>) {
        let (mut running, mut paused): (Vec<Span>, Vec<Span>) = (Vec::new(), Vec::new());
        let next = history.standings.iter().skip(1).map(|next| Some(next.since)).chain([None]);
        for (standing, next) in history.standings.iter().zip(next) {
            let from = standing.since.max(start);
            let until = match (next, end) {
                (Some(next), Some(end)) => Some(next.min(end)),
                (next, end) => next.or(end),
            };
            if until.is_some_and(|until| until <= from) {
                continue;
            }
            let spans = if self.runs_in(&standing.status) { &mut running } else { &mut paused };
            match spans.last_mut().filter(|last| last.until == Some(from)) {
                Some(last) => last.until = until,
                None => spans.push(Span { from, until }),
            }
        }
        (running, paused)
    }
}

/// How time counts: within a calendar's opening hours, or always.
struct Measure<'c>(Option<&'c Calendar>);

impl Measure<'_> {
    fn length(&self, from: Timestamp, to: Timestamp) -> i64 {
        match self.0 {
            Some(calendar) => calendar.open_millis(from, to),
            None => (to.as_millisecond() - from.as_millisecond()).max(0),
        }
    }

    /// The first moment at which the spans have come to a length.
    fn reach(&self, spans: &[Span], length: i64) -> Option<Timestamp> {
        let mut left = length;
        for Span { from, until } in spans {
            let here = until.map(|until| self.length(*from, until));
            match here.filter(|here| *here < left) {
                Some(here) => left -= here,
                None => {
                    return match self.0 {
                        Some(calendar) => calendar.when_open_for(*from, left),
                        None => {
                            Timestamp::from_millisecond(from.as_millisecond().checked_add(left)?)
                                .ok()
                        }
                    };
                }
            }
        }
        None
    }
}
