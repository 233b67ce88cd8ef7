//! Who could take a ticket, and what speaks against it.

use relata_plugin_sdk::prelude::*;

/// A skill without a level has this one, of 1 to 5.
pub(crate) const USUAL_LEVEL: u8 = 3;

/// What is read of a user.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Agent {
    pub(crate) name: String,
    pub(crate) team: Option<Reference>,
    pub(crate) skills: Option<Vec<String>>,
    pub(crate) weight: Option<f64>,
    pub(crate) absences: Option<Vec<String>>,
    pub(crate) presence: Option<String>,
    pub(crate) capacity: Option<u64>,
    pub(crate) channels: Option<Vec<String>>,
    pub(crate) active: Option<bool>,
    pub(crate) calendar: Option<Reference>,
    pub(crate) territories: Option<Vec<String>>,
}

/// The fields of a user that [`Agent`] needs.
pub(crate) const FIELDS: [&str; 11] = [
    "name",
    "team",
    "skills",
    "weight",
    "absences",
    "presence",
    "capacity",
    "channels",
    "active",
    "calendar",
    "territories",
];

/// What the time is for whoever may take a ticket.
pub(crate) struct Moment<'a> {
    /// A date such as `2026-12-24`.
    pub(crate) today: &'a str,
    /// The calendars that are closed now.
    pub(crate) closed: &'a [Reference],
}

/// What a ticket asks of whoever takes it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// All of these skills.
    pub(crate) skills: Vec<String>,
    /// One of this team; anybody, if there is none.
    pub(crate) team: Option<Reference>,
    /// By which channel it came.
    pub(crate) channel: Option<String>,
    /// Where its customer is: a country, a region.
    pub(crate) territory: Vec<String>,
}

/// The open tickets of an agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// All of them.
    pub(crate) open: u64,
    /// Those that came by the same channel as the one in question.
    pub(crate) on_channel: u64,
}

/// One user and what spoke for or against.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Candidate {
    /// The user.
    #[schemars(extend("format" = "record/user"))]
    pub(crate) user: Reference,
    /// Their name, for the run's history.
    pub(crate) name: String,
    /// Their level, 1 to 5, in the skill of those asked for in which they are
    /// weakest; absent if they lack one.
    pub(crate) level: Option<u8>,
    /// Their share relative to the others, where it goes in turn.
    pub(crate) weight: f64,
    /// How many open tickets they have; absent where it did not matter.
    pub(crate) open: Option<u64>,
    /// How many they may have.
    pub(crate) capacity: u64,
    /// Whether they could be picked.
    pub(crate) eligible: bool,
    /// Why they could not, or why they were.
    pub(crate) reason: String,
    /// Whether they look after where the customer is.
    #[serde(skip)]
    pub(crate) is_in_territory: bool,
}

impl Candidate {
    /// Judges all that needs no counting.
    pub(crate) fn judge(user: Reference, agent: &Agent, wanted: &Wanted, now: &Moment<'_>) -> Self {
        let held = agent.skills.as_deref().unwrap_or_default();
        let missing: Vec<&str> = wanted
            .skills
            .iter()
            .filter(|skill| level_of(held, skill).is_none())
            .map(String::as_str)
            .collect();
        let levels = wanted.skills.iter().map(|skill| level_of(held, skill));
        let level = levels.min().unwrap_or(Some(USUAL_LEVEL));
        let capacity = agent.capacity.unwrap_or(0);
        let absence = agent.absences.iter().flatten().find(|absence| covers(absence, now.today));
        let against = if agent.active == Some(false) {
            Some("no longer works here".to_owned())
        } else if wanted.team.is_some() && wanted.team != agent.team {
            Some("is not in the team".to_owned())
        } else if !missing.is_empty() {
            Some(format!("lacks the skill {}", missing.join(", ")))
        } else if let Some(absence) = absence {
            Some(format!("is away ({absence})"))
        } else if let Some(presence @ ("offline" | "away")) = agent.presence.as_deref() {
            Some(format!("is {presence}"))
        } else if agent.calendar.as_ref().is_some_and(|calendar| now.closed.contains(calendar)) {
            Some("is not at work at this hour".to_owned())
        } else if capacity == 0 {
            Some("has capacity 0".to_owned())
        } else {
            None
        };
        Self {
            user,
            name: agent.name.clone(),
            level: level.filter(|_| missing.is_empty()),
            weight: agent.weight.unwrap_or(1.0),
            open: None,
            capacity,
            eligible: against.is_none(),
            reason: against.unwrap_or_else(|| "could take it".to_owned()),
            is_in_territory: agent
                .territories
                .iter()
                .flatten()
                .any(|territory| wanted.territory.contains(territory)),
        }
    }

    /// Adds how many open tickets there are beside this one.
    pub(crate) fn count(&mut self, load: Load, agent: &Agent, channel: Option<&str>) {
        let Load { open, on_channel } = load;
        self.open = Some(open);
        if open >= self.capacity {
            let capacity = self.capacity;
            self.rule_out(format!("has {}, and {capacity} is the most allowed", tickets(open)));
            return;
        }
        let most = channel.and_then(|channel| channel_capacity(agent, channel));
        if let (Some(most), Some(channel)) = (most, channel)
            && on_channel >= most
        {
            self.rule_out(format!(
                "has {} by {channel}, and {most} is the most allowed",
                tickets(on_channel)
            ));
        }
    }

    /// They cannot be picked, for this reason.
    pub(crate) fn rule_out(&mut self, reason: impl Into<String>) {
        self.eligible = false;
        self.reason = reason.into();
    }

    /// How much they have to do, for people.
    pub(crate) fn load(&self) -> String {
        format!("{} of {} open", self.open.unwrap_or(0), self.capacity)
    }
}

fn tickets(count: u64) -> String {
    if count == 1 { "1 open ticket".to_owned() } else { format!("{count} open tickets") }
}

/// How many tickets of a channel an agent may have at once: `chat:2`; none
/// where that is not limited.
pub(crate) fn channel_capacity(agent: &Agent, channel: &str) -> Option<u64> {
    agent.channels.iter().flatten().find_map(|entry| {
        let (name, most) = entry.split_once(':')?;
        (name.trim() == channel).then(|| most.trim().parse().ok())?
    })
}

/// The level in one skill: `complaints:4` is 4, `complaints` is 3.
fn level_of(held: &[String], skill: &str) -> Option<u8> {
    held.iter().find_map(|entry| {
        let (name, level) = match entry.split_once(':') {
            Some((name, level)) => (name, level.trim().parse().unwrap_or(USUAL_LEVEL)),
            None => (entry.as_str(), USUAL_LEVEL),
        };
        (name.trim() == skill).then_some(level.clamp(1, 5))
    })
}

/// Whether a day lies in an absence: `2026-12-24`, or first and last day
/// `2026-12-24/2026-12-31`. ISO dates sort as texts.
fn covers(absence: &str, today: &str) -> bool {
    let (first, last) = absence.split_once('/').unwrap_or((absence, absence));
    (first.trim()..=last.trim()).contains(&today)
}
