//! Routes tickets to those who can solve them.
//!
//! Here is what is read and written; who is picked is decided in `skill`.

mod skill;

use std::collections::BTreeMap;

use relata_plugin_sdk::prelude::*;
use skill::{Agent, Candidate, Prefer, pick};

/// A ticket is open, and takes up capacity, while it has one of these.
const OPEN: [&str; 4] = ["new", "open", "waiting_for_customer", "on_hold"];

/// Above so many candidates the open tickets are read in one query and not
/// counted one by one: a call may make 100 queries.
const COUNTED_ONE_BY_ONE: usize = 50;

#[derive(Deserialize, JsonSchema)]
struct Input {
    /// Which ticket.
    #[schemars(extend("format" = "record/ticket"))]
    record: Reference,
    /// What whoever gets it must be able to do: all of these.
    #[schemars(length(min = 1))]
    skills: Vec<String>,
    /// Whom to prefer among those.
    #[serde(default)]
    prefer: Prefer,
    /// Where the ticket waits when nobody can take it.
    #[serde(default = "complaints")]
    #[schemars(extend("format" = "record/queue"))]
    fallback: Reference,
}

fn complaints() -> Reference {
    "queue/complaints".into()
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// Who got it; empty if it waits in the queue.
    #[schemars(extend("format" = "record/user"))]
    user: Option<Reference>,
    /// The queue where it waits; empty if somebody got it.
    #[schemars(extend("format" = "record/queue"))]
    queue: Option<Reference>,
    /// The user or the queue, whichever it is.
    #[schemars(extend("format" = "record/user|queue"))]
    assignee: Reference,
    /// Why, in a sentence.
    reason: String,
    /// Everybody who was looked at.
    candidates: Vec<Candidate>,
}

struct BySkill;

impl Action for BySkill {
    const ID: &str = "by_skill";
    const TITLE: &str = "Give a ticket to somebody who has the skills";
    const SUMMARY: &str = "Picks among the users who have all the skills, are not away today, not \
        offline and below their capacity of open tickets, and makes that user the ticket's owner. \
        `prefer` says whether the highest level, the lowest, or only the work load counts. A \
        ticket that is routed again goes to somebody else, if anybody else can take it. When \
        nobody can, the ticket goes into the queue `fallback` and keeps its owner.";
    const READS: &[&str] = &["ticket", "user", "queue"];
    const WRITES: &[&str] = &["ticket.owner", "ticket.queue", "ticket.required_skills"];
    // One at a time: two at once could both take an agent's last place.
    const EXCLUSIVE: Option<&str> = Some("routing");
    type Input = Input;
    type Output = Output;

    fn run(_: &Context, input: Input) -> Result<Outcome<Output>> {
        let ticket = records::get(input.record.expect("ticket")?)?;
        let owner: Option<Reference> = ticket.field("owner")?;
        let mut candidates = candidates(&input.skills)?;
        count(&mut candidates, &ticket, owner.as_ref())?;
        let picked = pick(&mut candidates, input.prefer, owner.as_ref());
        if let Some(index) = picked {
            let chosen = &candidates[index];
            let (user, reason) =
                (chosen.user.clone(), format!("{}: {}", chosen.name, chosen.reason));
            records::update(
                ticket.reference(),
                json!({ "owner": user, "required_skills": input.skills }),
            )?;
            return done(Output {
                assignee: user.clone(),
                user: Some(user),
                queue: None,
                reason,
                candidates,
            });
        }
        let queue = records::get(input.fallback.expect("queue")?)?;
        records::update(
            ticket.reference(),
            json!({ "queue": queue.reference(), "required_skills": input.skills }),
        )?;
        let name: String = queue.field("name")?;
        let reason = format!(
            "nobody can take a ticket that needs {}; it waits in queue {name}",
            input.skills.join(", ")
        );
        log::warn!("nobody had the skills and a free place"; queue = queue.reference());
        done(Output {
            user: None,
            queue: Some(queue.reference().clone()),
            assignee: queue.reference().clone(),
            reason,
            candidates,
        })
    }
}

/// All users who have any skill, judged by all but their load.
fn candidates(skills: &[String]) -> Result<Vec<Candidate>> {
    let today = env::today();
    let users = records::query("user").is_not_empty("skills").fields(skill::FIELDS).all()?;
    users
        .iter()
        .map(|user| {
            let agent: Agent = user.parse()?;
            Ok(Candidate::judge(user.reference().clone(), &agent, skills, &today))
        })
        .collect()
}

/// Counts the open tickets of those who could take one. The ticket itself
/// does not count against its owner.
fn count(
    candidates: &mut [Candidate],
    ticket: &records::Record,
    owner: Option<&Reference>,
) -> Result<()> {
    let status: String = ticket.field("status")?;
    let itself = owner.filter(|_| OPEN.contains(&status.as_str()));
    let able: Vec<usize> =
        (0..candidates.len()).filter(|index| candidates[*index].eligible).collect();
    let mut open = BTreeMap::<Reference, u64>::new();
    if able.len() <= COUNTED_ONE_BY_ONE {
        for index in &able {
            let user = &candidates[*index].user;
            let count =
                records::query("ticket").equal("owner", user).one_of("status", OPEN).count()?;
            open.insert(user.clone(), count);
        }
    } else {
        let users: Vec<&Reference> = able.iter().map(|index| &candidates[*index].user).collect();
        let tickets = records::query("ticket")
            .one_of("owner", users)
            .one_of("status", OPEN)
            .fields(["owner"])
            .all()?;
        for ticket in tickets {
            *open.entry(ticket.field("owner")?).or_default() += 1;
        }
    }
    for index in able {
        let candidate = &mut candidates[index];
        let counted = open.get(&candidate.user).copied().unwrap_or(0);
        let own = u64::from(itself == Some(&candidate.user));
        candidate.count(counted.saturating_sub(own));
    }
    Ok(())
}

relata_plugin_sdk::plugin!(BySkill);
