//! Who of those that can take a ticket should.

use std::cmp::Ordering;

use relata_plugin_sdk::prelude::*;

use crate::agent::{Candidate, USUAL_LEVEL};

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

/// Whether the first should take it rather than the second.
fn before(one: &Candidate, two: &Candidate, prefer: Prefer) -> Ordering {
    let level = |candidate: &Candidate| candidate.level.unwrap_or(0);
    let by_level = match prefer {
        Prefer::Senior => level(two).cmp(&level(one)),
        Prefer::Junior => level(one).cmp(&level(two)),
        Prefer::Any => Ordering::Equal,
    };
    // open / capacity, compared without dividing.
    let load = |one: &Candidate, two: &Candidate| {
        u128::from(one.open.unwrap_or(0)) * u128::from(two.capacity)
    };
    by_level.then_with(|| load(one, two).cmp(&load(two, one))).then_with(|| one.user.cmp(&two.user))
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
            .min_by(|(_, a), (_, b)| before(a, b, prefer))
            .map(|(index, _)| index)
    };
    let another = best(candidates, owner);
    if let (Some(_), Some(owner)) = (another, owner) {
        for candidate in candidates.iter_mut() {
            if candidate.eligible && &candidate.user == owner {
                candidate.rule_out("has it already, and somebody else can take it");
            }
        }
    }
    let picked = another.or_else(|| best(candidates, None))?;
    let chosen = &mut candidates[picked];
    let load = chosen.load();
    let level = chosen.level.unwrap_or(USUAL_LEVEL);
    chosen.reason = match (prefer, another.is_some()) {
        (_, false) => format!("picked: keeps it, as nobody else can take it ({load})"),
        (Prefer::Senior, _) => format!("picked: highest level ({level}), {load}"),
        (Prefer::Junior, _) => format!("picked: lowest level ({level}), {load}"),
        (Prefer::Any, _) => format!("picked: least to do for their capacity ({load})"),
    };
    Some(picked)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::agent::{Agent, Load, Moment, Wanted};

    /// Agents as `id | skills | open/capacity | what else`, one a line.
    fn check(agents: &str, skills: &[&str], prefer: Prefer, owner: Option<&str>, expected: Expect) {
        let wanted = Wanted {
            skills: skills.iter().map(|skill| (*skill).to_owned()).collect(),
            ..Wanted::default()
        };
        let now = Moment { today: "2026-12-24", closed: &[] };
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
                    ..Agent::default()
                };
                let user = Reference::of("user", columns[0]);
                let mut candidate = Candidate::judge(user, &agent, &wanted, &now);
                if candidate.eligible {
                    let open = open.parse().unwrap();
                    candidate.count(Load { open, on_channel: 0 }, &agent, None);
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
