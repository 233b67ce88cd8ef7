//! Routes tickets to those who can solve them.
//!
//! Here are the actions; `desk` reads and writes, `queue` decides what becomes
//! of a ticket in a queue, `skill` who of those that can take it should, and
//! `agent` who can.
//!
//! All actions share one lane, so that no two of them give away the same place.

mod agent;
mod desk;
mod queue;
mod skill;

use agent::{Candidate, Wanted};
use desk::{Desk, OPEN, Passed, Routed, Ticket, WAITS};
use relata_plugin_sdk::prelude::*;
use skill::{Prefer, pick};

/// The lane of all actions here.
const LANE: Option<&str> = Some("routing");

/// What routing reads of the objects, and writes.
const READS: &[&str] = &["ticket", "user", "queue", "contact", "account", "calendar"];
const WRITES: &[&str] = &["ticket.owner", "ticket.queue", "ticket.queued_at"];

#[derive(Deserialize, JsonSchema)]
struct SkillInput {
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
    /// The queues from which it went on, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    passed: Vec<Passed>,
}

struct BySkill;

impl Action for BySkill {
    const ID: &str = "by_skill";
    const TITLE: &str = "Give a ticket to somebody who has the skills";
    const SUMMARY: &str = "Picks among the users who have all the skills, are online, at work now and \
        below their capacity of open tickets, and makes that user the ticket's owner. \
        `prefer` says whether the highest level, the lowest, or only the work load counts. A \
        ticket that is routed again goes to somebody else, if anybody else can take it. When \
        nobody can, the ticket goes into the queue `fallback` and keeps its owner.";
    const READS: &[&str] = READS;
    const WRITES: &[&str] =
        &["ticket.owner", "ticket.queue", "ticket.queued_at", "ticket.required_skills"];
    const EXCLUSIVE: Option<&str> = LANE;
    type Input = SkillInput;
    type Output = Output;

    fn run(_: &Context, input: SkillInput) -> Result<Outcome<Output>> {
        let ticket = Ticket::of(&records::get(input.record.expect("ticket")?)?)?;
        let wanted = Wanted {
            skills: input.skills.clone(),
            team: None,
            channel: ticket.fields.channel.clone(),
            territory: Vec::new(),
        };
        let mut candidates = Desk::default().candidates(&wanted, &ticket, None)?;
        let picked = pick(&mut candidates, input.prefer, ticket.fields.owner.as_ref());
        if let Some(index) = picked {
            let chosen = &candidates[index];
            let (user, reason) =
                (chosen.user.clone(), format!("{}: {}", chosen.name, chosen.reason));
            records::update(
                &ticket.reference,
                json!({ "owner": user, "required_skills": input.skills, "queued_at": null }),
            )?;
            return done(Output {
                assignee: user.clone(),
                user: Some(user),
                queue: None,
                reason,
                candidates,
                passed: Vec::new(),
            });
        }
        let queue = records::get(input.fallback.expect("queue")?)?;
        let mut fields = json!({ "queue": queue.reference(), "required_skills": input.skills });
        if ticket.fields.owner.is_none() {
            fields["queued_at"] = json!(env::now());
        }
        records::update(&ticket.reference, fields)?;
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
            passed: Vec::new(),
        })
    }
}

#[derive(Deserialize, JsonSchema)]
struct TicketInput {
    /// Which ticket.
    #[schemars(extend("format" = "record/ticket"))]
    record: Reference,
    /// Into which queue it is put before, if it is not to stay in its own.
    #[serde(default)]
    #[schemars(extend("format" = "record/queue"))]
    queue: Option<Reference>,
}

struct OneTicket;

impl Action for OneTicket {
    const ID: &str = "ticket";
    const TITLE: &str = "Give a ticket to somebody of its queue";
    const SUMMARY: &str = "Gives a ticket that has no owner to somebody of its queue's team, by the \
        queue's policy. When nobody can take it, it waits in the queue; after the times that the \
        queue says, the skills no longer count, and then it goes on to the queue's fallback.";
    const READS: &[&str] = READS;
    const WRITES: &[&str] = WRITES;
    const EXCLUSIVE: Option<&str> = LANE;
    type Input = TicketInput;
    type Output = Output;

    fn run(_: &Context, input: TicketInput) -> Result<Outcome<Output>> {
        let ticket = Ticket::of(&records::get(input.record.expect("ticket")?)?)?;
        if !OPEN.contains(&ticket.fields.status.as_str()) {
            return skip(format!("{} is {}", ticket.reference, ticket.fields.status));
        }
        if let Some(owner) = &ticket.fields.owner {
            return skip(format!("{owner} has it already"));
        }
        let queue = match input.queue {
            Some(queue) => records::get(queue.expect("queue")?)?.reference().clone(),
            None => ticket.fields.queue.clone().ok_or_else(|| {
                Error::invalid(format!(
                    "{} is in no queue; give the step a `queue`",
                    ticket.reference
                ))
            })?,
        };
        let Routed { user, queue, reason, candidates, passed, .. } =
            Desk::default().route(&ticket, &queue, None, None)?;
        done(Output {
            assignee: user.clone().unwrap_or_else(|| queue.clone()),
            queue: user.is_none().then_some(queue),
            user,
            reason,
            candidates,
            passed,
        })
    }
}

#[derive(Deserialize, JsonSchema)]
struct AgainInput {
    /// Which ticket.
    #[schemars(extend("format" = "record/ticket"))]
    record: Reference,
}

struct Again;

impl Action for Again {
    const ID: &str = "again";
    const TITLE: &str = "Give a ticket to somebody else of its queue";
    const SUMMARY: &str = "Takes a ticket from its owner and gives it to somebody else of its \
        queue's team, by the queue's policy. Where nobody else can take it, it stays where it is.";
    const READS: &[&str] = READS;
    const WRITES: &[&str] = &["ticket.owner"];
    const EXCLUSIVE: Option<&str> = LANE;
    type Input = AgainInput;
    type Output = Output;

    fn run(_: &Context, input: AgainInput) -> Result<Outcome<Output>> {
        let ticket = Ticket::of(&records::get(input.record.expect("ticket")?)?)?;
        if !OPEN.contains(&ticket.fields.status.as_str()) {
            return skip(format!("{} is {}", ticket.reference, ticket.fields.status));
        }
        let (Some(owner), Some(queue)) = (&ticket.fields.owner, &ticket.fields.queue) else {
            return skip(format!("{} has no owner, or is in no queue", ticket.reference));
        };
        let (user, reason, candidates) = Desk::default().route_again(&ticket, owner, queue)?;
        let user = user.unwrap_or_else(|| owner.clone());
        done(Output {
            assignee: user.clone(),
            user: Some(user),
            queue: None,
            reason,
            candidates,
            passed: Vec::new(),
        })
    }
}

/// How many tickets are given away at once.
const MOST: usize = 50;

#[derive(Deserialize, JsonSchema)]
struct WaitingInput {
    /// To whom alone, for example somebody who has just come back.
    #[serde(default)]
    #[schemars(extend("format" = "record/user|queue"))]
    user: Option<Reference>,
}

#[derive(Serialize, JsonSchema)]
struct ManyOutput {
    /// How many were given to somebody.
    given: usize,
    /// How many were looked at and wait on.
    waiting: usize,
    /// What became of each that is elsewhere now.
    tickets: Vec<Routed>,
}

struct Waiting;

impl Action for Waiting {
    const ID: &str = "waiting";
    const TITLE: &str = "Give away the tickets that wait";
    const SUMMARY: &str = "Gives the tickets that wait in queues to those who can take them now: the \
        queue with the highest priority first, in it the most urgent, and of these the oldest. \
        With `user` to that user alone. At most 50 at once.";
    const READS: &[&str] = READS;
    const WRITES: &[&str] = WRITES;
    const EXCLUSIVE: Option<&str> = LANE;
    type Input = WaitingInput;
    type Output = ManyOutput;

    fn run(_: &Context, input: WaitingInput) -> Result<Outcome<ManyOutput>> {
        let mut desk = Desk::default();
        let only = match &input.user {
            // The owner of a ticket may be a queue, which has no room to fill.
            Some(queue) if queue.object() == "queue" => {
                return skip(format!("{queue} is a queue, and takes nothing"));
            }
            Some(user) => Some(records::get(user.expect("user")?)?.reference().clone()),
            None => None,
        };
        let (mut given, mut waiting, mut tickets) = (0, 0, Vec::new());
        for queue in desk.queues()? {
            let waits = || records::query("ticket").one_of("status", WAITS).fields(desk::FIELDS);
            let mut found = waits().equal("queue", &queue).is_empty("owner").oldest(MOST as u32)?;
            found.extend(waits().equal("owner", &queue).oldest(MOST as u32)?);
            let mut found = found.iter().map(Ticket::of).collect::<Result<Vec<_>>>()?;
            // Those of one rank in the order of their age, which ids have.
            found.sort_by(|a, b| (a.rank(), &a.reference).cmp(&(b.rank(), &b.reference)));
            for ticket in found {
                if given == MOST {
                    waiting += 1;
                    continue;
                }
                let routed = desk.route(&ticket, &queue, None, only.as_ref())?;
                if routed.user.is_some() {
                    given += 1;
                    tickets.push(routed);
                } else {
                    waiting += 1;
                    if routed.queue != queue {
                        tickets.push(routed);
                    }
                }
            }
        }
        if given == 0 && tickets.is_empty() {
            let wait = if waiting == 1 { "ticket waits" } else { "tickets wait" };
            return skip(format!("{waiting} {wait}, and nobody can take one"));
        }
        done(ManyOutput { given, waiting, tickets })
    }
}

#[derive(Deserialize, JsonSchema)]
struct ReleaseInput {
    /// Whose tickets.
    #[schemars(extend("format" = "record/user"))]
    user: Reference,
    /// Where those go that are in no queue.
    #[serde(default = "support")]
    #[schemars(extend("format" = "record/queue"))]
    queue: Reference,
}

fn support() -> Reference {
    "queue/support".into()
}

struct Release;

impl Action for Release {
    const ID: &str = "release";
    const TITLE: &str = "Take tickets from somebody who is not there";
    const SUMMARY: &str = "Gives the tickets of a user to others: those that nobody has answered yet \
        or, where the user no longer works here, all that are open. Those that nobody can take wait \
        in their queue.";
    const READS: &[&str] = READS;
    const WRITES: &[&str] = WRITES;
    const EXCLUSIVE: Option<&str> = LANE;
    type Input = ReleaseInput;
    type Output = ManyOutput;

    fn run(_: &Context, input: ReleaseInput) -> Result<Outcome<ManyOutput>> {
        let mut desk = Desk::default();
        let user = records::get(input.user.expect("user")?)?;
        let has_left = user.field::<Option<bool>>("active")? == Some(false);
        let name: String = user.field("name")?;
        let user = user.reference().clone();
        let elsewhere = records::get(input.queue.expect("queue")?)?.reference().clone();
        let (mut given, mut waiting, mut tickets) = (0, 0, Vec::new());
        let owned = records::query("ticket").equal("owner", &user).fields(desk::FIELDS);
        let owned = match has_left {
            true => owned.one_of("status", OPEN),
            false => owned.one_of("status", WAITS).is_empty("first_reply_at"),
        };
        for ticket in owned.oldest(MOST as u32)?.iter().map(Ticket::of) {
            let ticket = ticket?;
            let queue = ticket.fields.queue.clone().unwrap_or_else(|| elsewhere.clone());
            let routed = desk.route(&ticket, &queue, Some(&user), None)?;
            match routed.user {
                Some(_) => given += 1,
                None => waiting += 1,
            }
            tickets.push(routed);
        }
        if tickets.is_empty() {
            return skip(format!("{name} has no ticket to give back"));
        }
        done(ManyOutput { given, waiting, tickets })
    }
}

relata_plugin_sdk::plugin!(BySkill, OneTicket, Again, Waiting, Release);
