//! Who got how many leads, against their weights.

use std::collections::BTreeMap;

use relata_app::model::Reference;
use serde::Serialize;
use serde_json::Value as Json;

use super::facts::{Facts, Run, text};

/// The leads.
#[derive(Debug, Serialize)]
pub(super) struct Leads {
    /// Leads in the database.
    pub(super) valid: usize,
    /// Those that a person owns.
    pub(super) assigned: usize,
    pub(super) second_import_created: usize,
    /// The farthest that anybody is from their share, in leads.
    pub(super) max_share_deviation: f64,
    /// Those that were contacted.
    pub(super) in_process: usize,
    /// Those of which the manager had to be told.
    pub(super) manager_told: usize,
    pub(super) teams: Vec<Team>,
}

/// A team's leads.
#[derive(Debug, Serialize)]
pub(super) struct Team {
    pub(super) team: String,
    pub(super) leads: usize,
    pub(super) agents: Vec<Agent>,
}

/// An agent's leads.
#[derive(Debug, Serialize)]
pub(super) struct Agent {
    pub(super) name: String,
    pub(super) weight: f64,
    /// Whether work could go there.
    pub(super) eligible: bool,
    /// Why not, where it could not.
    pub(super) why: String,
    pub(super) leads: usize,
    /// How many it should be by weight; 0 for those who take none.
    pub(super) share: f64,
}

/// One candidate, as the assignment's result names it.
struct Candidate {
    name: String,
    weight: f64,
    eligible: bool,
    reason: String,
}

const ASSIGN: &str = "assign-new-leads";

pub(super) fn figures(facts: &Facts, second_import_created: usize) -> Leads {
    let leads = facts.of("lead");
    let owned = |lead: &&relata_app::model::Record| {
        lead.field("owner").as_reference().is_some_and(|owner| owner.object == "user")
    };
    let teams = teams(facts);
    let max_share_deviation = teams
        .iter()
        .flat_map(|team| &team.agents)
        .filter(|agent| agent.eligible)
        .map(|agent| (agent.leads as f64 - agent.share).abs())
        .fold(0.0, f64::max);
    Leads {
        valid: leads.len(),
        assigned: leads.iter().filter(owned).count(),
        second_import_created,
        max_share_deviation,
        in_process: leads.iter().filter(|lead| text(lead, "status") == "in_process").count(),
        manager_told: facts
            .runs_of(ASSIGN)
            .flat_map(|run| facts.effects_of(&run.id))
            .filter(|effect| effect.template.is_none() && effect.is_sent())
            .count(),
        teams,
    }
}

fn teams(facts: &Facts) -> Vec<Team> {
    let mut assigned: BTreeMap<String, Vec<&Run>> = BTreeMap::new();
    for run in facts.runs_of(ASSIGN) {
        let pick = facts.result(&run.id, "do: assign.round_robin");
        if let Some(team) = pick.and_then(|pick| pick.input.as_ref()?.get("team")?.as_str()) {
            assigned.entry(team.to_owned()).or_default().push(run);
        }
    }
    assigned.into_iter().map(|(team, runs)| self::team(facts, &team, &runs)).collect()
}

fn team(facts: &Facts, team: &str, runs: &[&Run]) -> Team {
    // Whom the last assignment looked at; nobody came or went meanwhile.
    let mut candidates: BTreeMap<Reference, Candidate> = BTreeMap::new();
    let mut owned: BTreeMap<Reference, usize> = BTreeMap::new();
    for run in runs {
        let pick =
            facts.result(&run.id, "do: assign.round_robin").and_then(|pick| pick.output.as_ref());
        candidates
            .extend(pick.and_then(|output| output.get("candidates")).map(read).unwrap_or_default());
        let lead = run.subject.as_ref().and_then(|lead| facts.record(lead));
        if let Some(owner) = lead.and_then(|lead| lead.field("owner").as_reference()) {
            *owned.entry(owner.clone()).or_default() += 1;
        }
    }
    let weights: f64 = candidates
        .values()
        .filter(|candidate| candidate.eligible)
        .map(|candidate| candidate.weight)
        .sum();
    let mut agents: Vec<Agent> = candidates
        .into_iter()
        .map(|(user, candidate)| Agent {
            share: if candidate.eligible {
                runs.len() as f64 * candidate.weight / weights
            } else {
                0.0
            },
            leads: owned.get(&user).copied().unwrap_or(0),
            why: if candidate.eligible { String::new() } else { candidate.reason },
            name: candidate.name,
            weight: candidate.weight,
            eligible: candidate.eligible,
        })
        .collect();
    agents.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.name.cmp(&b.name)));
    let name = team.parse().map_or_else(|_| team.to_owned(), |team: Reference| facts.name(&team));
    Team { team: name, leads: runs.len(), agents }
}

fn read(candidates: &Json) -> BTreeMap<Reference, Candidate> {
    let all = candidates.as_array().map_or(&[][..], Vec::as_slice);
    all.iter()
        .filter_map(|candidate| {
            let text = |field: &str| candidate.get(field).and_then(Json::as_str);
            Some((
                text("user")?.parse().ok()?,
                Candidate {
                    name: text("name").unwrap_or_default().to_owned(),
                    weight: candidate.get("weight").and_then(Json::as_f64).unwrap_or(0.0),
                    eligible: candidate.get("eligible").and_then(Json::as_bool).unwrap_or(false),
                    reason: text("reason").unwrap_or_default().to_owned(),
                },
            ))
        })
        .collect()
}
