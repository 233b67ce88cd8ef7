//! Who can solve a ticket, and who of them should.

use std::cmp::Ordering;

use relata_plugin_sdk::prelude::*;

/// Whom to prefer among those who have the skills.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Prefer {
    /// The highest level first, then whoever has the least to do.
    Senior,
    /// The lowest level first, then whoever has the least to do: keeps the
    /// seniors free.
    Junior,
    /// Whoever has the least to do.
    #[default]
    Any,
}

/// A skill without a level has this one, of 1 to 5.
const USUAL_LEVEL: u8 = 3;

/// What is read of a user.
#[derive(Debug, Deserialize)]
pub(crate) struct Agent {
    name: String,
    skills: Option<Vec<String>>,
    absences: Option<Vec<String>>,
    presence: Option<String>,
    capacity: Option<u64>,
    active: Option<bool>,
}

/// The fields of a user that [`Agent`] needs.
pub(crate) const FIELDS: [&str; 6] =
    ["name", "skills", "absences", "presence", "capacity", "active"];

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
    /// How many open tickets they have; absent where it did not matter.
    pub(crate) open: Option<u64>,
    /// How many they may have.
    pub(crate) capacity: u64,
    /// Whether they could be picked.
    pub(crate) eligible: bool,
    /// Why they could not, or why they were.
    pub(crate) reason: String,
}

impl Candidate {
    /// Judges all that needs no counting. `today` is a date such as
    /// `2026-12-24`.
    pub(crate) fn judge(user: Reference, agent: &Agent, skills: &[String], today: &str) -> Self {
        let held = agent.skills.as_deref().unwrap_or_default();
        let missing: Vec<&str> = skills
            .iter()
            .filter(|skill| level_of(held, skill).is_none())
            .map(String::as_str)
            .collect();
        let level =
            skills.iter().map(|skill| level_of(held, skill)).min().unwrap_or(Some(USUAL_LEVEL));
        let capacity = agent.capacity.unwrap_or(0);
        let absence = agent.absences.iter().flatten().find(|absence| covers(absence, today));
        let against = if agent.active == Some(false) {
            Some("no longer works here".to_owned())
        } else if !missing.is_empty() {
            Some(format!("lacks the skill {}", missing.join(", ")))
        } else if let Some(absence) = absence {
            Some(format!("is away ({absence})"))
        } else if agent.presence.as_deref() == Some("offline") {
            Some("is offline".to_owned())
        } else if capacity == 0 {
            Some("has capacity 0".to_owned())
        } else {
            None
        };
        Self {
            user,
            name: agent.name.clone(),
            level: level.filter(|_| missing.is_empty()),
            open: None,
            capacity,
            eligible: against.is_none(),
            reason: against.unwrap_or_else(|| "could take it".to_owned()),
        }
    }

    /// Adds how many open tickets there are beside this one.
    pub(crate) fn count(&mut self, open: u64) {
        self.open = Some(open);
        if open >= self.capacity {
            self.eligible = false;
            self.reason =
                format!("has {open} open tickets, and {} is the most allowed", self.capacity);
        }
    }

    /// Whether this one should take it rather than the other.
    fn before(&self, other: &Self, prefer: Prefer) -> Ordering {
        let level = |candidate: &Self| candidate.level.unwrap_or(0);
        let by_level = match prefer {
            Prefer::Senior => level(other).cmp(&level(self)),
            Prefer::Junior => level(self).cmp(&level(other)),
            Prefer::Any => Ordering::Equal,
        };
        // open / capacity, compared without dividing.
        let load =
            |one: &Self, two: &Self| u128::from(one.open.unwrap_or(0)) * u128::from(two.capacity);
        by_level
            .then_with(|| load(self, other).cmp(&load(other, self)))
            .then_with(|| self.user.cmp(&other.user))
    }
}

/// Picks among the eligible, and notes why it was this one. The present
/// `owner` only keeps the ticket when nobody else can take it: whoever routes
/// a ticket again wants somebody else.
pub(crate) fn pick(
    candidates: &mut [Candidate],
    prefer: Prefer,
    owner: Option<&Reference>,
) -> Option<usize> {
    let best = |candidates: &[Candidate], other_than: Option<&Reference>| {
        candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| candidate.eligible && Some(&candidate.user) != other_than)
            .min_by(|(_, a), (_, b)| a.before(b, prefer))
            .map(|(index, _)| index)
    };
    let another = best(candidates, owner);
    if let (Some(_), Some(owner)) = (another, owner) {
        for candidate in candidates.iter_mut() {
            if candidate.eligible && &candidate.user == owner {
                candidate.eligible = false;
                candidate.reason = "has it already, and somebody else can take it".to_owned();
            }
        }
    }
    let picked = another.or_else(|| best(candidates, None))?;
    let chosen = &mut candidates[picked];
    let load = format!("{} of {} open", chosen.open.unwrap_or(0), chosen.capacity);
    let level = chosen.level.unwrap_or(USUAL_LEVEL);
    chosen.reason = match (prefer, another.is_some()) {
        (_, false) => format!("picked: keeps it, as nobody else can take it ({load})"),
        (Prefer::Senior, _) => format!("picked: highest level ({level}), {load}"),
        (Prefer::Junior, _) => format!("picked: lowest level ({level}), {load}"),
        (Prefer::Any, _) => format!("picked: least to do for their capacity ({load})"),
    };
    Some(picked)
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

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Agents as `id | skills | open/capacity | what else`, one a line.
    fn check(agents: &str, skills: &[&str], prefer: Prefer, owner: Option<&str>, expected: Expect) {
        let skills: Vec<String> = skills.iter().map(|skill| (*skill).to_owned()).collect();
        let mut candidates: Vec<Candidate> = agents
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(|line| {
                let columns: Vec<&str> = line.split('|').map(str::trim).collect();
                let (open, capacity) = columns[2].split_once('/').unwrap();
                let agent = Agent {
                    name: columns[0].to_owned(),
                    skills: Some(columns[1].split(' ').map(str::to_owned).collect()),
                    absences: columns[3].strip_prefix("away ").map(|days| vec![days.to_owned()]),
                    presence: Some(columns[3].to_owned()),
                    capacity: capacity.parse().ok(),
                    active: Some(columns[3] != "left"),
                };
                let user = Reference::of("user", columns[0]);
                let mut candidate = Candidate::judge(user, &agent, &skills, "2026-12-24");
                if candidate.eligible {
                    candidate.count(open.parse().unwrap());
                }
                candidate
            })
            .collect();
        let owner = owner.map(|owner| Reference::of("user", owner));
        let picked = pick(&mut candidates, prefer, owner.as_ref());
        let mut lines = vec![picked.map_or("nobody", |index| &candidates[index].name).to_owned()];
        for candidate in &candidates {
            lines.push(format!("{}: {}", candidate.name, candidate.reason));
        }
        expected.assert_eq(&lines.join("\n"));
    }

    const TEAM: &str = "
        ana   | complaints:5 german | 8/10  | online
        ben   | complaints:5        | 3/10  | online
        chen  | complaints chinese  | 0/20  | away 2026-12-20/2026-12-26
        dora  | complaints:2        | 0/20  | online
        emil  | german              | 0/20  | online
        fei   | complaints:4        | 20/20 | online
        gus   | complaints:4        | 0/20  | offline
        hana  | complaints:4        | 0/20  | left
        ida   | complaints:4        | 0/0   | online
    ";

    #[test]
    fn the_senior_with_the_least_to_do() {
        check(
            TEAM,
            &["complaints"],
            Prefer::Senior,
            None,
            expect![[r#"
                ben
                ana: could take it
                ben: picked: highest level (5), 3 of 10 open
                chen: is away (2026-12-20/2026-12-26)
                dora: could take it
                emil: lacks the skill complaints
                fei: has 20 open tickets, and 20 is the most allowed
                gus: is offline
                hana: no longer works here
                ida: has capacity 0"#]],
        );
    }

    const TWO: &str = "
        ana | complaints:5 german | 8/10 | online
        ben | complaints:2 german | 1/2  | online
    ";

    #[test]
    fn the_junior_and_anybody() {
        check(
            TWO,
            &["complaints"],
            Prefer::Junior,
            None,
            expect![[r#"
                ben
                ana: could take it
                ben: picked: lowest level (2), 1 of 2 open"#]],
        );
        check(
            TWO,
            &["complaints", "german"],
            Prefer::Any,
            None,
            expect![[r#"
                ben
                ana: could take it
                ben: picked: least to do for their capacity (1 of 2 open)"#]],
        );
    }

    #[test]
    fn routed_again_it_goes_to_another() {
        check(
            TWO,
            &["complaints"],
            Prefer::Senior,
            Some("ana"),
            expect![[r#"
                ben
                ana: has it already, and somebody else can take it
                ben: picked: highest level (2), 1 of 2 open"#]],
        );
    }

    #[test]
    fn routed_again_it_stays_if_nobody_else_can() {
        check(
            TWO,
            &["complaints"],
            Prefer::Senior,
            Some("cleo"),
            expect![[r#"
                ana
                ana: picked: highest level (5), 8 of 10 open
                ben: could take it"#]],
        );
        check(
            "ana | complaints | 8/10 | online",
            &["complaints"],
            Prefer::Senior,
            Some("ana"),
            expect![[r#"
                ana
                ana: picked: keeps it, as nobody else can take it (8 of 10 open)"#]],
        );
    }

    #[test]
    fn nobody_has_the_skill() {
        check(
            TWO,
            &["complaint-lead"],
            Prefer::Senior,
            None,
            expect![[r#"
                nobody
                ana: lacks the skill complaint-lead
                ben: lacks the skill complaint-lead"#]],
        );
    }
}
