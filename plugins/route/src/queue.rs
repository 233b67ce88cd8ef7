//! What a queue does with a ticket: who of its team gets it, or that it waits,
//! or that it goes on to another queue.

use relata_plugin_sdk::{prelude::*, rotation::Rotation};

use crate::{
    agent::Candidate,
    skill::{Prefer, pick},
};

/// What is read of a queue.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Queue {
    pub(crate) name: String,
    pub(crate) team: Option<Reference>,
    pub(crate) priority: Option<i64>,
    pub(crate) policy: Option<Policy>,
    pub(crate) required_skills: Option<Vec<String>>,
    pub(crate) prefer_last_agent: Option<bool>,
    pub(crate) prefer_territory: Option<bool>,
    pub(crate) relax_after: Option<u64>,
    pub(crate) overflow_after: Option<u64>,
    pub(crate) fallback: Option<Reference>,
}

/// The fields of a queue that [`Queue`] needs.
pub(crate) const FIELDS: [&str; 10] = [
    "name",
    "team",
    "priority",
    "policy",
    "required_skills",
    "prefer_last_agent",
    "prefer_territory",
    "relax_after",
    "overflow_after",
    "fallback",
];

/// Who of those that can take a ticket gets it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Policy {
    #[default]
    LeastBusy,
    RoundRobin,
    Senior,
    Junior,
}

/// What becomes of a ticket in a queue.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// One of the candidates gets it.
    Taken(usize),
    /// It waits, for this reason.
    Waits(String),
    /// It goes on to the fallback, for this reason.
    Onward(String),
}

impl Queue {
    /// Whether anybody could ever take from it.
    fn is_open_to(&self, skills: &[String]) -> bool {
        self.team.is_some() || !skills.is_empty()
    }

    /// Decides about a ticket. `skills` are those that it asks for here; `overdue`,
    /// whether it has waited for longer than it may; `last`, who had the
    /// customer's ticket before; `now` is in milliseconds. The rotation counts
    /// where the policy goes in turn.
    pub(crate) fn decide(
        &self,
        candidates: &mut [Candidate],
        skills: &[String],
        overdue: bool,
        last: Option<&Reference>,
        rotation: &mut Rotation,
        now: u64,
    ) -> Verdict {
        if !self.is_open_to(skills) {
            let why = format!(
                "the queue {} has neither a team nor skills, so nobody takes from it",
                self.name
            );
            return if self.fallback.is_some() {
                Verdict::Onward(why)
            } else {
                Verdict::Waits(why)
            };
        }
        if let Some(index) = self.choose(candidates, last, rotation, now) {
            return Verdict::Taken(index);
        }
        let why = format!("nobody of the queue {} can take it", self.name);
        match overdue && self.fallback.is_some() {
            true => Verdict::Onward(format!(
                "{why}, and it has waited for {} minutes",
                self.overflow_after.unwrap_or(0)
            )),
            false => Verdict::Waits(why),
        }
    }

    fn choose(
        &self,
        candidates: &mut [Candidate],
        last: Option<&Reference>,
        rotation: &mut Rotation,
        now: u64,
    ) -> Option<usize> {
        let known = last.and_then(|last| {
            candidates.iter().position(|candidate| candidate.eligible && &candidate.user == last)
        });
        if let Some(index) = known {
            let load = candidates[index].load();
            candidates[index].reason = format!("picked: had the customer's last ticket ({load})");
            return Some(index);
        }
        let prefer = match self.policy.unwrap_or_default() {
            Policy::RoundRobin => return in_turn(candidates, rotation, now),
            Policy::LeastBusy => Prefer::Any,
            Policy::Senior => Prefer::Senior,
            Policy::Junior => Prefer::Junior,
        };
        pick(candidates, prefer, None)
    }
}

/// The next in turn by weight.
fn in_turn(candidates: &mut [Candidate], rotation: &mut Rotation, now: u64) -> Option<usize> {
    for candidate in candidates.iter_mut() {
        if candidate.eligible && candidate.weight <= 0.0 {
            candidate.rule_out("has weight 0");
        }
    }
    let able: Vec<usize> =
        (0..candidates.len()).filter(|index| candidates[*index].eligible).collect();
    let members: Vec<(&str, f64)> = able
        .iter()
        .map(|index| (candidates[*index].user.as_str(), candidates[*index].weight))
        .collect();
    let index = able[rotation.next(&members, now)?];
    let chosen = &mut candidates[index];
    chosen.reason = format!("picked: next in turn by weight {} ({})", chosen.weight, chosen.load());
    Some(index)
}

/// Says of whoever is picked that they were not held to the skills.
pub(crate) fn relaxed_reason(candidate: &mut Candidate, minutes: u64) {
    candidate.reason = format!(
        "{}; without the skills, which it has waited for {minutes} minutes",
        candidate.reason
    );
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::agent::{Agent, Load, Moment, Wanted};

    fn team() -> Reference {
        Reference::of("team", "support")
    }

    /// Agents of the team as `name weight open/capacity`.
    fn candidates(agents: &[(&str, f64, u64, u64)], skills: &[String]) -> Vec<Candidate> {
        let wanted = Wanted { skills: skills.to_vec(), team: Some(team()), ..Wanted::default() };
        let now = Moment { today: "2026-12-14", closed: &[] };
        agents
            .iter()
            .map(|(name, weight, open, capacity)| {
                let agent = Agent {
                    name: (*name).to_owned(),
                    team: Some(team()),
                    skills: Some(vec!["german:4".to_owned()]),
                    weight: Some(*weight),
                    capacity: Some(*capacity),
                    ..Agent::default()
                };
                let user = Reference::of("user", name);
                let mut candidate = Candidate::judge(user, &agent, &wanted, &now);
                if candidate.eligible {
                    candidate.count(Load { open: *open, on_channel: 0 }, &agent, None);
                }
                candidate
            })
            .collect()
    }

    fn told(verdict: &Verdict, candidates: &[Candidate]) -> String {
        match verdict {
            Verdict::Taken(index) => {
                format!("{}: {}", candidates[*index].name, candidates[*index].reason)
            }
            Verdict::Waits(why) => format!("waits: {why}"),
            Verdict::Onward(why) => format!("onward: {why}"),
        }
    }

    fn check(queue: &Queue, skills: &[&str], overdue: bool, last: Option<&str>, expected: Expect) {
        let skills: Vec<String> = skills.iter().map(|skill| (*skill).to_owned()).collect();
        let mut candidates =
            candidates(&[("ana", 1.0, 3, 10), ("ben", 2.0, 1, 10), ("cleo", 1.0, 5, 5)], &skills);
        let last = last.map(|last| Reference::of("user", last));
        let mut rotation = Rotation::default();
        let verdict =
            queue.decide(&mut candidates, &skills, overdue, last.as_ref(), &mut rotation, 0);
        expected.assert_eq(&told(&verdict, &candidates));
    }

    fn queue(policy: Policy) -> Queue {
        Queue {
            name: "Support".to_owned(),
            team: Some(team()),
            policy: Some(policy),
            overflow_after: Some(30),
            fallback: Some(Reference::of("queue", "all")),
            ..Queue::default()
        }
    }

    #[test]
    fn each_policy_picks_its_own() {
        let least = queue(Policy::LeastBusy);
        check(
            &least,
            &[],
            false,
            None,
            expect!["ben: picked: least to do for their capacity (1 of 10 open)"],
        );
        check(
            &least,
            &[],
            false,
            Some("ana"),
            expect!["ana: picked: had the customer's last ticket (3 of 10 open)"],
        );
        // Who had it is full by now.
        check(
            &least,
            &[],
            false,
            Some("cleo"),
            expect!["ben: picked: least to do for their capacity (1 of 10 open)"],
        );
        check(
            &queue(Policy::RoundRobin),
            &[],
            false,
            None,
            expect!["ben: picked: next in turn by weight 2 (1 of 10 open)"],
        );
        check(
            &queue(Policy::Senior),
            &["german"],
            false,
            None,
            expect!["ben: picked: highest level (4), 1 of 10 open"],
        );
    }

    #[test]
    fn nobody_means_to_wait_and_then_to_go_on() {
        let queue = queue(Policy::LeastBusy);
        check(
            &queue,
            &["chinese"],
            false,
            None,
            expect!["waits: nobody of the queue Support can take it"],
        );
        check(
            &queue,
            &["chinese"],
            true,
            None,
            expect![
                "onward: nobody of the queue Support can take it, and it has waited for 30 minutes"
            ],
        );
        let dead_end = Queue { fallback: None, ..queue.clone() };
        check(
            &dead_end,
            &["chinese"],
            true,
            None,
            expect!["waits: nobody of the queue Support can take it"],
        );
        let nobodys = Queue { team: None, ..queue };
        check(
            &nobodys,
            &[],
            false,
            None,
            expect![
                "onward: the queue Support has neither a team nor skills, so nobody takes from it"
            ],
        );
    }

    /// In turn, everybody stays within one of the weighted share at every
    /// moment, whatever they are called.
    #[test]
    fn in_turn_nobody_is_more_than_one_away_from_the_share() {
        let agents = [("ana", 1.0, 0, 999), ("ben", 2.0, 0, 999), ("cleo", 3.0, 0, 999)];
        let queue = queue(Policy::RoundRobin);
        let mut rotation = Rotation::default();
        let mut had = [0.0_f64; 3];
        let mut order = String::new();
        for given in 1..=600_u32 {
            let mut candidates = candidates(&agents, &[]);
            let verdict = queue.decide(&mut candidates, &[], false, None, &mut rotation, 0);
            let Verdict::Taken(index) = verdict else { panic!("{verdict:?}") };
            had[index] += 1.0;
            if given <= 12 {
                let _ = write!(order, "{} ", candidates[index].name);
            }
            for (agent, had) in agents.iter().zip(had) {
                let share = f64::from(given) * agent.1 / 6.0;
                assert!((had - share).abs() < 1.0, "{} had {had} of {given}", agent.0);
            }
        }
        expect!["cleo ben cleo ana ben cleo cleo ben cleo ana ben cleo "].assert_eq(&order);
    }
}
