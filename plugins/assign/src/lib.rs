//! Assigns records to people: by turns, or to whoever has the least to do.
//!
//! Here is what is read and written; who can take a record is in
//! `candidates`, whose turn it is in the SDK's `rotation`.

mod candidates;

use candidates::{Candidate, Member, reasons};
use relata_plugin_sdk::{prelude::*, rotation::Rotation};

/// A lead is open, and counts, while it has one of these.
const OPEN: [&str; 3] = ["new", "assigned", "in_process"];

/// Above so many members the open leads are read in one query and not counted
/// member by member: a call may make 100 queries.
const COUNTED_ONE_BY_ONE: usize = 50;

#[derive(Deserialize, JsonSchema)]
struct Input {
    /// The team whose members take turns.
    #[schemars(extend("format" = "record/team"))]
    team: Reference,
    /// Members with so many open leads are passed over.
    max_open_leads: Option<u64>,
    /// The record that is being assigned, so that it does not count itself.
    record: Option<Reference>,
    /// A member who is passed over: whoever had it and did nothing, say.
    #[schemars(extend("format" = "record/user"))]
    except: Option<Reference>,
    /// Who gets it when no member can. Without it, the step fails then, and
    /// the workflow's `on_error` decides.
    #[schemars(extend("format" = "record/user"))]
    fallback_user: Option<Reference>,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// Who was picked.
    #[schemars(extend("format" = "record/user"))]
    user: Reference,
    /// Why, in a sentence.
    reason: String,
    /// Whether nobody of the team could and the fallback took it.
    fallback: bool,
    /// Everybody who was looked at.
    candidates: Vec<Candidate>,
}

struct RoundRobin;

impl Action for RoundRobin {
    const ID: &str = "round_robin";
    const TITLE: &str = "Pick the next member of a team in turn";
    const SUMMARY: &str = "Members take turns by their weight: one with weight 2 gets twice as \
        many as one with weight 1, spread evenly. Members who are away today, no longer work \
        here, have weight 0 or too many open leads are passed over; whether somebody is online \
        does not matter. Who comes back from an absence gets no flood. When nobody can, \
        `fallback_user` is picked, and without one the step fails as `not-found`, so that \
        `on_error` can give the record to a queue.";
    const READS: &[&str] = &["team", "user", "lead.owner", "lead.status"];
    const EXCLUSIVE: Option<&str> = Some("rotation/{team}");
    type Input = Input;
    type Output = Output;

    fn run(_: &Context, input: Input) -> Result<Outcome<Output>> {
        let mut turn = Turn::of(&input, input.max_open_leads.is_some())?;
        let able = turn.able();
        let members: Vec<(&str, f64)> =
            able.iter().map(|candidate| (candidate.user.as_str(), candidate.weight)).collect();
        let picked = turn.rotation.next(&members, turn.now);
        let picked = picked.map(|index| able[index].user.clone());
        turn.finish(picked, "it is their turn", &input)
    }
}

struct LeastBusy;

impl Action for LeastBusy {
    const ID: &str = "least_busy";
    const TITLE: &str = "Pick the member of a team with the fewest open leads";
    const SUMMARY: &str = "Picks whoever has the fewest open leads for their weight; among \
        equals, whoever has waited longest for one. Who is passed over, and what happens when \
        nobody can, is as in `round_robin`.";
    const READS: &[&str] = &["team", "user", "lead.owner", "lead.status"];
    const EXCLUSIVE: Option<&str> = Some("rotation/{team}");
    type Input = Input;
    type Output = Output;

    fn run(_: &Context, input: Input) -> Result<Outcome<Output>> {
        let mut turn = Turn::of(&input, true)?;
        let able = turn.able();
        let picked = able
            .iter()
            .min_by(|a, b| {
                let load =
                    |candidate: &Candidate| candidate.open.unwrap_or(0) as f64 / candidate.weight;
                load(a)
                    .total_cmp(&load(b))
                    .then_with(|| {
                        let last =
                            |candidate: &Candidate| turn.rotation.last(candidate.user.as_str());
                        last(a).cmp(&last(b))
                    })
                    .then_with(|| a.user.cmp(&b.user))
            })
            .map(|candidate| candidate.user.clone());
        if let Some(user) = &picked {
            turn.rotation.touch(user.as_str(), turn.now);
        }
        turn.finish(picked, "has the fewest open leads for their weight", &input)
    }
}

/// One pick: the team as it is now, and the memory of its rotation.
struct Turn {
    team: Reference,
    team_name: String,
    candidates: Vec<Candidate>,
    rotation: Rotation,
    now: u64,
}

impl Turn {
    fn of(input: &Input, count: bool) -> Result<Self> {
        let team = records::get(input.team.expect("team")?)?;
        let users = records::query("user")
            .equal("team", team.reference())
            .fields(candidates::FIELDS)
            .all()?;
        let open = if count {
            open_leads(&users, input.record.as_ref())?
        } else {
            vec![None; users.len()]
        };
        let except = match &input.except {
            Some(user) => Some(records::get(user.expect("user")?)?.reference().clone()),
            None => None,
        };
        let today = env::today();
        let mut judged = Vec::with_capacity(users.len());
        for (user, open) in users.iter().zip(open) {
            let mut candidate = Candidate::judge(
                user.reference().clone(),
                &user.parse::<Member>()?,
                open,
                input.max_open_leads,
                &today,
            );
            if candidate.eligible && except.as_ref() == Some(&candidate.user) {
                candidate.eligible = false;
                candidate.reason = "is left out by `except`".to_owned();
            }
            judged.push(candidate);
        }
        Ok(Self {
            rotation: state::get(&key(team.reference()))?
                .map(|stored| stored.value)
                .unwrap_or_default(),
            team: team.reference().clone(),
            team_name: team.field("name")?,
            candidates: judged,
            now: env::now_ms(),
        })
    }

    /// Those who can take it.
    fn able(&self) -> Vec<Candidate> {
        self.candidates.iter().filter(|candidate| candidate.eligible).cloned().collect()
    }

    /// Stores the rotation and gives the output, or turns to the fallback.
    fn finish(
        mut self,
        picked: Option<Reference>,
        why: &str,
        input: &Input,
    ) -> Result<Outcome<Output>> {
        if let Some(user) = picked {
            state::put(&key(&self.team), &self.rotation)?;
            let chosen = self.candidates.iter_mut().find(|candidate| candidate.user == user);
            let name = chosen.map_or_else(String::new, |chosen| {
                chosen.reason = format!("picked: {why}");
                chosen.name.clone()
            });
            return done(Output {
                user,
                reason: format!("{name}: {why}"),
                fallback: false,
                candidates: self.candidates,
            });
        }
        let nobody = format!(
            "nobody in team {} can take a lead: {}",
            self.team_name,
            reasons(&self.candidates)
        );
        let Some(fallback) = &input.fallback_user else {
            return Err(Error::not_found(format!(
                "{nobody}. Give the step a `fallback_user`, or the workflow an `on_error`"
            ))
            .with_details(json!({ "candidates": self.candidates })));
        };
        let user = records::get(fallback.expect("user")?)?;
        log::warn!("the fallback took it, as nobody of the team could"; team = self.team);
        done(Output {
            user: user.reference().clone(),
            reason: nobody,
            fallback: true,
            candidates: self.candidates,
        })
    }
}

fn key(team: &Reference) -> String {
    format!("rotation/{}", team.id())
}

/// How many open leads each user has, `except` one record.
fn open_leads(users: &[records::Record], except: Option<&Reference>) -> Result<Vec<Option<u64>>> {
    let itself = match except {
        Some(record) if record.object() == "lead" => {
            let lead = records::get(record)?;
            let status: String = lead.field("status")?;
            let owner: Option<Reference> = lead.field("owner")?;
            owner.filter(|_| OPEN.contains(&status.as_str()))
        }
        _ => None,
    };
    let references: Vec<&Reference> = users.iter().map(records::Record::reference).collect();
    let counts = if references.len() <= COUNTED_ONE_BY_ONE {
        references
            .iter()
            .map(|user| records::query("lead").equal("owner", user).one_of("status", OPEN).count())
            .collect::<Result<Vec<u64>>>()?
    } else {
        let mut owned = std::collections::BTreeMap::<Reference, u64>::new();
        let leads = records::query("lead")
            .one_of("owner", &references)
            .one_of("status", OPEN)
            .fields(["owner"])
            .all()?;
        for lead in leads {
            *owned.entry(lead.field("owner")?).or_default() += 1;
        }
        references.iter().map(|user| owned.get(user).copied().unwrap_or(0)).collect()
    };
    Ok(references
        .into_iter()
        .zip(counts)
        .map(|(user, count)| Some(count - u64::from(count > 0 && itself.as_ref() == Some(user))))
        .collect())
}

relata_plugin_sdk::plugin!(RoundRobin, LeastBusy);
