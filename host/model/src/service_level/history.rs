//! What happened to a ticket, as far as its clocks care.

use jiff::Timestamp;

use crate::{Change, ChangeKind, Value};

/// Who wrote a message to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The customer to us.
    In,
    /// We to the customer.
    Out,
}

/// How a ticket stood from one moment until the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) since: Timestamp,
    pub(super) status: String,
    pub(super) priority: String,
}

/// What happened to a ticket: how it stood when, and who wrote when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// In order of time; never empty. The last holds until now.
    pub(super) standings: Vec<Standing>,
    /// In order of time.
    pub(super) messages: Vec<(Timestamp, Direction)>,
    /// The first answer, where the ticket says so itself: one that was given
    /// on the telephone, or elsewhere.
    pub(super) told_reply: Option<Timestamp>,
}

impl History {
    /// A ticket that begins with this status and priority.
    #[must_use]
    pub fn begin(at: Timestamp, status: &str, priority: &str) -> Self {
        let standing =
            Standing { since: at, status: status.to_owned(), priority: priority.to_owned() };
        Self { standings: vec![standing], messages: Vec::new(), told_reply: None }
    }

    /// Out of the changes of a ticket, oldest first, as the event log has them;
    /// none where there are no changes but its end.
    #[must_use]
    pub fn of<'c>(changes: impl IntoIterator<Item = (Timestamp, &'c Change)>) -> Option<Self> {
        let word = |value: &Value| value.as_text().unwrap_or_default().to_owned();
        let mut history: Option<Self> = None;
        for (at, change) in changes {
            if change.kind == ChangeKind::Deleted {
                continue;
            }
            let (status, priority) = (word(change.is("status")), word(change.is("priority")));
            match &mut history {
                Some(history) => history.stands(at, &status, &priority),
                // What was before the log begins, the ticket itself tells.
                None if change.kind == ChangeKind::Changed => {
                    let since = change.is("created_at").as_time().unwrap_or(at);
                    let mut begun = Self::begin(
                        since,
                        &word(change.was("status")),
                        &word(change.was("priority")),
                    );
                    begun.stands(at, &status, &priority);
                    history = Some(begun);
                }
                None => history = Some(Self::begin(at, &status, &priority)),
            }
        }
        history
    }

    /// From a moment on it has this status and priority.
    pub fn stands(&mut self, at: Timestamp, status: &str, priority: &str) {
        let since = self.standings.last().map_or(at, |last| last.since.max(at));
        let same = |standing: &Standing| standing.status == status && standing.priority == priority;
        if self.standings.last().is_some_and(same) {
            return;
        }
        // What held for no time at all never held.
        if self.standings.len() > 1 && self.standings.last().is_some_and(|last| last.since == since)
        {
            self.standings.pop();
            if self.standings.last().is_some_and(same) {
                return;
            }
        }
        let standing = Standing { since, status: status.to_owned(), priority: priority.to_owned() };
        self.standings.push(standing);
    }

    /// Somebody wrote. Those of one moment in the order in which they are told.
    pub fn message(&mut self, at: Timestamp, direction: Direction) {
        let place = self.messages.partition_point(|(other, _)| *other <= at);
        self.messages.insert(place, (at, direction));
    }

    /// The ticket says itself when it was first answered.
    pub fn first_reply(&mut self, at: Timestamp) {
        self.told_reply = Some(at);
    }

    /// When the ticket began.
    #[must_use]
    pub fn began(&self) -> Timestamp {
        self.standings[0].since
    }

    /// When it was first answered.
    #[must_use]
    pub fn first_answer(&self) -> Option<Timestamp> {
        let written = self.messages.iter().find(|(_, direction)| *direction == Direction::Out);
        let written = written.map(|(at, _)| *at);
        match (written, self.told_reply) {
            (Some(written), Some(told)) => Some(written.min(told)),
            (written, told) => written.or(told),
        }
    }

    /// Since when it has been done with, solved or closed, if it is.
    #[must_use]
    pub fn done_since(&self) -> Option<Timestamp> {
        let done = |standing: &&Standing| super::DONE.contains(&standing.status.as_str());
        self.standings.iter().rev().take_while(done).last().map(|standing| standing.since)
    }

    /// Whether nothing can come of it any more.
    pub(super) fn is_closed(&self) -> bool {
        self.standings.last().is_some_and(|standing| standing.status == "closed")
    }

    /// The priority that counts at a moment: what it was just before that.
    pub(super) fn priority_at(&self, at: Timestamp) -> &str {
        let later = self.standings.partition_point(|standing| standing.since <= at);
        &self.standings[later.saturating_sub(1)].priority
    }

    /// When it was waited for an answer to later messages: since the first of
    /// those that are not answered, until the answer.
    pub(super) fn later_waits(&self) -> Vec<(Timestamp, Option<Timestamp>)> {
        let Some(first) = self.first_answer() else { return Vec::new() };
        let mut waits = Vec::new();
        let mut since = None;
        for (at, direction) in self.messages.iter().skip_while(|(at, _)| *at < first) {
            match (direction, since) {
                // What came in the same moment as the first answer is answered.
                (Direction::In, None) if *at > first => since = Some(*at),
                (Direction::Out, Some(start)) => {
                    waits.push((start, Some(*at)));
                    since = None;
                }
                _ => {}
            }
        }
        waits.extend(since.map(|start| (start, None)));
        waits
    }
}
