//! Service levels: how soon a customer is to be answered and helped, and how
//! a ticket stands to that.
//!
//! Everything is a function of a policy, the opening hours of its calendar,
//! what happened to the ticket, and the present. So whoever changes a policy
//! or a calendar gets what the clocks would always have shown under it, and
//! there is nothing to bring into line.
//!
//! Spans of time are half open throughout: a clock that starts at 9:00 with an
//! hour to go is in time until just before 10:00, and late at 10:00.

use std::{collections::BTreeSet, fmt, str::FromStr};

use crate::{Calendar, Duration, FieldError, Fields, Value, text};

mod clock;
mod history;
mod level;
#[cfg(test)]
mod tests;

pub use clock::{Clock, ClockState, Span};
pub use history::{Direction, History};
pub use level::Level;

/// What a customer is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Goal {
    /// The first answer to a ticket.
    FirstReply,
    /// An answer to each later message, or to several in a row.
    NextReply,
    /// That the ticket is solved.
    Solution,
}

impl Goal {
    /// All goals.
    pub const ALL: [Self; 3] = [Self::FirstReply, Self::NextReply, Self::Solution];

    /// The word for it in the database and on the wire; also the field of a
    /// `service_level` record that has its targets.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstReply => "first_reply",
            Self::NextReply => "next_reply",
            Self::Solution => "solution",
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FirstReply => "first reply",
            Self::NextReply => "next reply",
            Self::Solution => "solution",
        })
    }
}

impl FromStr for Goal {
    type Err = UnknownGoal;

    /// Reads the word in the database.
    fn from_str(word: &str) -> Result<Self, UnknownGoal> {
        Self::ALL
            .into_iter()
            .find(|goal| goal.as_str() == word)
            .ok_or_else(|| UnknownGoal(word.to_owned()))
    }
}

/// Why a word is no [`Goal`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no goal of a service level; there are first_reply, next_reply and solution")]
pub struct UnknownGoal(String);

/// One target: for tickets of a priority, or for all others.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    goal: Goal,
    priority: Option<String>,
    within: Duration,
}

/// What customers of some tickets are promised.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceLevel {
    targets: Vec<Target>,
    /// While a ticket has one of these its clocks stand still.
    pauses: BTreeSet<String>,
    /// By how far they are, whatever the target.
    levels: Vec<Level>,
    /// None: its targets are all of elapsed time.
    calendar: Option<Calendar>,
}

/// A ticket with one of these is done with: only the customer can open it
/// again.
const DONE: [&str; 2] = ["solved", "closed"];

impl ServiceLevel {
    /// Reads the fields of a `service_level` record: `first_reply`,
    /// `next_reply` and `solution` (texts such as `urgent: 1 working hour`, and
    /// `8 working hours` for all other priorities), `pauses` (statuses of a
    /// ticket) and `levels` (`50%`, `+2 working hours`). `calendar` is the one
    /// that the record names.
    ///
    /// # Errors
    ///
    /// The first field that does not read, with what it should look like.
    pub fn from_fields(fields: &Fields, calendar: Option<Calendar>) -> Result<Self, FieldError> {
        let mut targets: Vec<Target> = Vec::new();
        for goal in Goal::ALL {
            for line in lines(fields, goal.as_str())? {
                let target =
                    read_target(goal, line).map_err(|why| FieldError::new(goal.as_str(), why))?;
                let twice =
                    |known: &&Target| known.goal == goal && known.priority == target.priority;
                if targets.iter().any(|known| twice(&known)) {
                    let whose = target.priority.map_or_else(
                        || "for all other priorities".to_owned(),
                        |priority| format!("for the priority {priority}"),
                    );
                    let why = format!("has two targets {whose}; leave one");
                    return Err(FieldError::new(goal.as_str(), why));
                }
                targets.push(target);
            }
        }
        if targets.is_empty() {
            return Err(FieldError::new(
                Goal::FirstReply.as_str(),
                "must not be empty where there is neither a next_reply nor a solution; write `8 working hours`, or `urgent: 1 working hour` for one priority",
            ));
        }
        if let Some(target) = targets.iter().find(|target| target.within.is_working())
            && calendar.is_none()
        {
            let why = format!(
                "must not be empty, since {} has a target in working time ({})",
                target.goal.as_str(),
                target.within
            );
            return Err(FieldError::new("calendar", why));
        }
        let mut levels = vec![Level::DUE];
        for line in lines(fields, "levels")? {
            let level: Level = line
                .parse()
                .map_err(|why: level::LevelError| FieldError::new("levels", why.to_string()))?;
            if !levels.contains(&level) {
                levels.push(level);
            }
        }
        let pauses = lines(fields, "pauses")?.into_iter().map(|word| word.trim().to_owned());
        Ok(Self { targets, pauses: pauses.collect(), levels, calendar })
    }

    /// How soon, for a ticket of this priority; none where nothing is promised.
    #[must_use]
    pub fn target(&self, goal: Goal, priority: &str) -> Option<Duration> {
        let of = |wanted: Option<&str>| {
            self.targets
                .iter()
                .find(|target| target.goal == goal && target.priority.as_deref() == wanted)
                .map(|target| target.within)
        };
        of(Some(priority)).or_else(|| of(None))
    }

    /// The statuses for which its clocks stand still, those of tickets that are
    /// done with not among them.
    pub fn pauses(&self) -> impl Iterator<Item = &str> {
        self.pauses.iter().map(String::as_str)
    }

    /// Whether the clocks of a ticket with this status run.
    fn runs_in(&self, status: &str) -> bool {
        !self.pauses.contains(status) && !DONE.contains(&status)
    }
}

/// The texts of a list; one text counts as a list of it.
fn lines<'a>(fields: &'a Fields, name: &str) -> Result<Vec<&'a str>, FieldError> {
    let wrong = || FieldError::new(name, "takes texts");
    match fields.get(name) {
        None | Some(Value::Nothing) => Ok(Vec::new()),
        Some(Value::Text(text)) => Ok(vec![text]),
        Some(Value::List(items)) => {
            items.iter().map(|item| item.as_text().ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

/// What a ticket's priority may be.
const PRIORITIES: [&str; 4] = ["low", "normal", "high", "urgent"];

/// `urgent: 1 working hour`, or `8 working hours`.
fn read_target(goal: Goal, line: &str) -> Result<Target, String> {
    let (priority, within) = match line.split_once(':') {
        Some((priority, within)) => (Some(priority.trim()), within.trim()),
        None => (None, line.trim()),
    };
    if let Some(priority) = priority.filter(|priority| !PRIORITIES.contains(priority)) {
        let hint = text::nearest(priority, PRIORITIES.into_iter())
            .map_or_else(|| PRIORITIES.join(", "), |near| format!("did you mean `{near}`?"));
        return Err(format!("`{priority}` is no priority of a ticket; {hint}"));
    }
    let within: Duration = within.parse().map_err(|_| {
        format!("`{within}` is not a duration; write `4 working hours` or `24 hours`")
    })?;
    if within.months != 0 || within.days != 0 || within.working_days != 0 {
        return Err(format!(
            "`{within}` has no length of its own, which a clock that can be paused needs; write hours: `24 hours`, or `8 working hours` for a working day"
        ));
    }
    match (within.millis, within.working_millis) {
        (1.., 0) | (0, 1..) => {}
        (0, 0) => return Err(format!("`{line}` leaves no time at all")),
        _ => {
            return Err(format!(
                "`{line}` mixes elapsed and working time, or is negative; write one of them"
            ));
        }
    }
    Ok(Target { goal, priority: priority.map(str::to_owned), within })
}
