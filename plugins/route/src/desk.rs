//! The service desk during one call: its agents with what they have to do, its
//! queues, and the tickets that are given.

use std::{collections::BTreeMap, rc::Rc};

use relata_plugin_sdk::{prelude::*, rotation::Rotation};

use crate::{
    agent::{self, Agent, Candidate, Load, Moment, Wanted},
    queue::{self, Policy, Queue, Verdict, relaxed_reason},
};

/// A ticket is open, and takes up capacity, while it has one of these.
pub(crate) const OPEN: [&str; 4] = ["new", "open", "waiting_for_customer", "on_hold"];

/// It waits for an agent, if it has none, while it has one of these.
pub(crate) const WAITS: [&str; 2] = ["new", "open"];

/// Of so many agents the open tickets are counted in one query: with the statuses,
/// a query may not compare with more values.
const COUNTED_AT_ONCE: usize = 900;

/// How many queues a ticket goes through at once.
const LONGEST_CHAIN: usize = 10;

/// What is read of a ticket.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TicketFields {
    /// The user who has it.
    pub(crate) owner: Option<Reference>,
    pub(crate) status: String,
    pub(crate) queue: Option<Reference>,
    queued_at: Option<String>,
    required_skills: Option<Vec<String>>,
    pub(crate) channel: Option<String>,
    customer: Option<Reference>,
    priority: Option<String>,
}

/// The fields of a ticket that [`TicketFields`] needs.
pub(crate) const FIELDS: [&str; 8] =
    ["owner", "status", "queue", "queued_at", "required_skills", "channel", "customer", "priority"];

/// A ticket as routing sees it.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) reference: Reference,
    /// Whether it has no owner at all, not even a queue.
    is_nobodys: bool,
    pub(crate) fields: TicketFields,
}

impl Ticket {
    pub(crate) fn of(record: &records::Record) -> Result<Self> {
        let mut fields: TicketFields = record.parse()?;
        let is_nobodys = fields.owner.is_none();
        // A ticket that was given to a queue waits in it.
        if let Some(queue) = fields.owner.take_if(|owner| owner.object() == "queue") {
            fields.queue = Some(queue);
        }
        Ok(Self { reference: record.reference().clone(), is_nobodys, fields })
    }

    /// 0 for what goes first.
    pub(crate) fn rank(&self) -> usize {
        let order = ["urgent", "high", "normal", "low"];
        let priority = self.fields.priority.as_deref().unwrap_or("normal");
        order.iter().position(|known| *known == priority).unwrap_or(2)
    }

    /// Whether it has waited for so many minutes.
    fn has_waited(&self, minutes: u64) -> bool {
        // To the second: the host writes no fractions of one.
        let second = |text: &str| text.chars().take(19).collect::<String>();
        let then = second(&env::ago(minutes.saturating_mul(60_000)));
        self.fields.queued_at.as_deref().is_some_and(|since| second(since) <= then)
    }
}

/// What became of a ticket.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Routed {
    /// The ticket.
    #[schemars(extend("format" = "record/ticket"))]
    pub(crate) ticket: Reference,
    /// Who got it; empty if it waits.
    #[schemars(extend("format" = "record/user"))]
    pub(crate) user: Option<Reference>,
    /// The queue where it is.
    #[schemars(extend("format" = "record/queue"))]
    pub(crate) queue: Reference,
    /// Why, in a sentence.
    pub(crate) reason: String,
    /// Everybody who was looked at.
    pub(crate) candidates: Vec<Candidate>,
    /// The queues from which it went on, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) passed: Vec<Passed>,
}

/// A queue from which a ticket went on.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Passed {
    /// The queue.
    #[schemars(extend("format" = "record/queue"))]
    pub(crate) queue: Reference,
    /// Why nobody of it got the ticket.
    pub(crate) reason: String,
    /// Everybody who was looked at there.
    pub(crate) candidates: Vec<Candidate>,
}

/// The open tickets of an agent.
#[derive(Debug, Default)]
struct Loads {
    open: u64,
    /// Of the channels that were asked about so far.
    by_channel: BTreeMap<String, u64>,
}

/// Where the customer of a ticket is: their country, and their account's country
/// and region.
fn territory(ticket: &Ticket) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Place {
        country: Option<String>,
        region: Option<String>,
        account: Option<Reference>,
    }
    let mut territory = Vec::new();
    let mut next = ticket.fields.customer.clone();
    while let Some(record) = next {
        let place: Place = records::get(&record)?.parse()?;
        territory.extend(place.country.into_iter().chain(place.region));
        next = place.account;
    }
    Ok(territory)
}

/// Rules out who does not look after a territory, as long as somebody can take the
/// ticket who does; or who had the customer's `last` one, and knows them.
fn prefer_territory(candidates: &mut [Candidate], territory: &[String], last: Option<&Reference>) {
    if !candidates.iter().any(|candidate| candidate.eligible && candidate.is_in_territory) {
        return;
    }
    for candidate in candidates {
        if candidate.eligible && !candidate.is_in_territory && last != Some(&candidate.user) {
            candidate.rule_out(format!("does not look after {}", territory.join(", ")));
        }
    }
}

/// How many open tickets each of some users has, by one channel or by any.
fn open_tickets(users: &[&Reference], channel: Option<&str>) -> Result<BTreeMap<Reference, u64>> {
    let mut counts: BTreeMap<Reference, u64> =
        users.iter().map(|user| ((*user).clone(), 0)).collect();
    for users in users.chunks(COUNTED_AT_ONCE) {
        let open = records::query("ticket").one_of("status", OPEN).one_of("owner", users);
        let open = match channel {
            Some(channel) => open.equal("channel", channel),
            None => open,
        };
        for (owner, open) in open.count_by::<Reference>("owner")? {
            if let Some(count) = owner.as_ref().and_then(|owner| counts.get_mut(owner)) {
                *count = open;
            }
        }
    }
    Ok(counts)
}

/// All that is known of the desk so far.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    /// By team; those who have any skill where there is none.
    agents: BTreeMap<Option<Reference>, Rc<[(Reference, Agent)]>>,
    loads: BTreeMap<Reference, Loads>,
    queues: BTreeMap<Reference, Queue>,
    /// Whether it is open now, of the calendars that somebody works by.
    open: BTreeMap<Reference, bool>,
}

impl Desk {
    /// Everybody who could be asked, judged, with what they have to do.
    pub(crate) fn candidates(
        &mut self,
        wanted: &Wanted,
        ticket: &Ticket,
        only: Option<&Reference>,
    ) -> Result<Vec<Candidate>> {
        let today = env::today();
        let agents = self.agents(wanted.team.as_ref())?;
        let closed = self.closed(&agents);
        let now = Moment { today: &today, closed: &closed };
        let agents: Vec<&(Reference, Agent)> =
            agents.iter().filter(|(user, _)| only.is_none_or(|only| only == user)).collect();
        let mut candidates: Vec<Candidate> = agents
            .iter()
            .map(|(user, agent)| Candidate::judge(user.clone(), agent, wanted, &now))
            .collect();
        let able: Vec<&(Reference, Agent)> = candidates
            .iter()
            .zip(&agents)
            .filter(|(candidate, _)| candidate.eligible)
            .map(|(_, agent)| *agent)
            .collect();
        let channel = wanted.channel.as_deref();
        self.read_loads(&able, channel)?;
        for (candidate, (user, agent)) in candidates.iter_mut().zip(&agents) {
            if candidate.eligible {
                candidate.count(self.load(user, ticket, channel), agent, channel);
            }
        }
        Ok(candidates)
    }

    /// What an agent has to do beside a ticket.
    fn load(&self, user: &Reference, ticket: &Ticket, channel: Option<&str>) -> Load {
        let Some(loads) = self.loads.get(user) else { return Load::default() };
        let own = u64::from(
            ticket.fields.owner.as_ref() == Some(user)
                && OPEN.contains(&ticket.fields.status.as_str()),
        );
        let on_channel =
            channel.and_then(|channel| loads.by_channel.get(channel)).copied().unwrap_or(0);
        Load { open: loads.open.saturating_sub(own), on_channel: on_channel.saturating_sub(own) }
    }

    fn agents(&mut self, team: Option<&Reference>) -> Result<Rc<[(Reference, Agent)]>> {
        let key = team.cloned();
        if let Some(known) = self.agents.get(&key) {
            return Ok(Rc::clone(known));
        }
        let users = records::query("user").fields(agent::FIELDS);
        let users = match team {
            Some(team) => users.equal("team", team).all()?,
            None => users.is_not_empty("skills").all()?,
        };
        let agents = users
            .iter()
            .map(|user| Ok((user.reference().clone(), user.parse()?)))
            .collect::<Result<Rc<[_]>>>()?;
        self.agents.insert(key, Rc::clone(&agents));
        Ok(agents)
    }

    /// The calendars that are closed now, of those by which some agents work. One
    /// that says nothing of itself keeps nobody from work.
    fn closed(&mut self, agents: &[(Reference, Agent)]) -> Vec<Reference> {
        for calendar in agents.iter().filter_map(|(_, agent)| agent.calendar.as_ref()) {
            if self.open.contains_key(calendar) {
                continue;
            }
            let is_open = records::is_open(calendar, env::now_ms()).unwrap_or_else(|why| {
                log::warn!("a calendar does not say when it is open"; calendar = calendar, why = why.to_string());
                true
            });
            self.open.insert(calendar.clone(), is_open);
        }
        self.open.iter().filter(|(_, open)| !**open).map(|(calendar, _)| calendar.clone()).collect()
    }

    /// Counts the open tickets of those of whom that was not done yet.
    fn read_loads(&mut self, able: &[&(Reference, Agent)], channel: Option<&str>) -> Result<()> {
        let new: Vec<&Reference> = able
            .iter()
            .map(|(user, _)| user)
            .filter(|user| !self.loads.contains_key(user))
            .collect();
        for (user, open) in open_tickets(&new, None)? {
            self.loads.insert(user, Loads { open, ..Loads::default() });
        }
        let Some(channel) = channel else { return Ok(()) };
        let new: Vec<&Reference> = able
            .iter()
            .filter(|(user, agent)| {
                agent::channel_capacity(agent, channel).is_some()
                    && !self
                        .loads
                        .get(user)
                        .is_some_and(|loads| loads.by_channel.contains_key(channel))
            })
            .map(|(user, _)| user)
            .collect();
        for (user, open) in open_tickets(&new, Some(channel))? {
            self.loads.entry(user).or_default().by_channel.insert(channel.to_owned(), open);
        }
        Ok(())
    }

    /// Gives a ticket to somebody of its queue, or of one that it goes on to;
    /// or says where it waits, and why. All but `except` are asked, or `only`
    /// this one.
    pub(crate) fn route(
        &mut self,
        ticket: &Ticket,
        queue: &Reference,
        except: Option<&Reference>,
        only: Option<&Reference>,
    ) -> Result<Routed> {
        let mut at = queue.clone();
        let mut passed: Vec<Passed> = Vec::new();
        loop {
            let queue = self.queue(&at)?;
            let (verdict, candidates) = self.ask(&queue, &at, ticket, except, only)?;
            let why = match verdict {
                Verdict::Taken(index) => {
                    let user = candidates[index].user.clone();
                    let why = format!("{}: {}", candidates[index].name, candidates[index].reason);
                    return self.give(ticket, user, at, why, candidates, passed);
                }
                Verdict::Waits(why) => why,
                Verdict::Onward(why) => match &queue.fallback {
                    Some(user) if user.object() == "user" && only.is_none() => {
                        let why = format!("{why}; whoever the queue falls back on takes it");
                        return self.give(ticket, user.clone(), at, why, candidates, passed);
                    }
                    Some(next)
                        if next.object() == "queue"
                            && *next != at
                            && passed.iter().all(|passed| passed.queue != *next)
                            && passed.len() + 1 < LONGEST_CHAIN =>
                    {
                        let next = next.clone();
                        let queue = std::mem::replace(&mut at, next);
                        passed.push(Passed { queue, reason: why, candidates });
                        continue;
                    }
                    _ => why,
                },
            };
            return Self::wait(ticket, at, &why, candidates, passed);
        }
    }

    /// Gives a ticket to somebody else of its queue; none where nobody else can
    /// take it.
    pub(crate) fn route_again(
        &mut self,
        ticket: &Ticket,
        owner: &Reference,
        at: &Reference,
    ) -> Result<(Option<Reference>, String, Vec<Candidate>)> {
        let queue = self.queue(at)?;
        let (verdict, candidates) = self.ask(&queue, at, ticket, Some(owner), None)?;
        let (user, reason) = match verdict {
            Verdict::Taken(index) => {
                let chosen = &candidates[index];
                records::update(&ticket.reference, json!({ "owner": chosen.user }))?;
                (Some(chosen.user.clone()), format!("{}: {}", chosen.name, chosen.reason))
            }
            Verdict::Waits(why) | Verdict::Onward(why) => {
                (None, format!("{why}; it stays where it is"))
            }
        };
        Ok((user, reason, candidates))
    }

    /// Whom a queue picks, if anybody.
    fn ask(
        &mut self,
        queue: &Queue,
        at: &Reference,
        ticket: &Ticket,
        except: Option<&Reference>,
        only: Option<&Reference>,
    ) -> Result<(Verdict, Vec<Candidate>)> {
        let mut skills = ticket.fields.required_skills.clone().unwrap_or_default();
        for skill in queue.required_skills.iter().flatten() {
            if !skills.contains(skill) {
                skills.push(skill.clone());
            }
        }
        let overdue = queue.overflow_after.is_some_and(|minutes| ticket.has_waited(minutes));
        let last = match queue.prefer_last_agent {
            Some(true) => last_agent(ticket)?,
            _ => None,
        };
        let territory = match queue.prefer_territory {
            Some(true) => territory(ticket)?,
            _ => Vec::new(),
        };
        let turns =
            (queue.policy == Some(Policy::RoundRobin)).then(|| format!("rotation/{}", at.id()));
        let stored = match &turns {
            Some(key) => state::get::<Rotation>(key)?,
            None => None,
        };
        let mut rotation = stored.map(|stored| stored.value).unwrap_or_default();
        let mut decide =
            |desk: &mut Self, skills: &[String]| -> Result<(Verdict, Vec<Candidate>)> {
                let wanted = Wanted {
                    skills: skills.to_vec(),
                    team: queue.team.clone(),
                    channel: ticket.fields.channel.clone(),
                    territory: territory.clone(),
                };
                let mut candidates = desk.candidates(&wanted, ticket, only)?;
                for candidate in &mut candidates {
                    if candidate.eligible && except == Some(&candidate.user) {
                        candidate.rule_out("has it now, and somebody else is looked for");
                    }
                }
                prefer_territory(&mut candidates, &territory, last.as_ref());
                let verdict = queue.decide(
                    &mut candidates,
                    skills,
                    overdue,
                    last.as_ref(),
                    &mut rotation,
                    env::now_ms(),
                );
                Ok((verdict, candidates))
            };
        let mut decided = decide(self, &skills)?;
        if let Some(minutes) = queue.relax_after
            && !matches!(decided.0, Verdict::Taken(_))
            && queue.team.is_some()
            && !skills.is_empty()
            && ticket.has_waited(minutes)
        {
            let (verdict, mut candidates) = decide(self, &[])?;
            if let Verdict::Taken(index) = verdict {
                relaxed_reason(&mut candidates[index], minutes);
                decided = (verdict, candidates);
            }
        }
        if let (Some(key), Verdict::Taken(_)) = (&turns, &decided.0) {
            state::put(key, &rotation)?;
        }
        Ok(decided)
    }

    fn queue(&mut self, queue: &Reference) -> Result<Queue> {
        if let Some(known) = self.queues.get(queue) {
            return Ok(known.clone());
        }
        let read: Queue = records::get(queue.expect("queue")?)?.parse()?;
        self.queues.insert(queue.clone(), read.clone());
        Ok(read)
    }

    /// All queues, those whose tickets go first before the others.
    pub(crate) fn queues(&mut self) -> Result<Vec<Reference>> {
        let mut order = Vec::new();
        for record in records::query("queue").fields(queue::FIELDS).all()? {
            let read: Queue = record.parse()?;
            order.push((-read.priority.unwrap_or(0), record.reference().clone()));
            self.queues.insert(record.reference().clone(), read);
        }
        order.sort();
        Ok(order.into_iter().map(|(_, queue)| queue).collect())
    }

    fn give(
        &mut self,
        ticket: &Ticket,
        user: Reference,
        queue: Reference,
        why: String,
        candidates: Vec<Candidate>,
        passed: Vec<Passed>,
    ) -> Result<Routed> {
        records::update(
            &ticket.reference,
            json!({ "owner": user, "queue": queue, "queued_at": null }),
        )?;
        // What it was counted as before, and what it is from now on.
        let channel = ticket.fields.channel.clone().unwrap_or_default();
        if let Some(before) =
            ticket.fields.owner.as_ref().and_then(|owner| self.loads.get_mut(owner))
        {
            before.open = before.open.saturating_sub(1);
            if let Some(count) = before.by_channel.get_mut(&channel) {
                *count = count.saturating_sub(1);
            }
        }
        if let Some(loads) = self.loads.get_mut(&user) {
            loads.open += 1;
            if let Some(count) = loads.by_channel.get_mut(&channel) {
                *count += 1;
            }
        }
        Ok(Routed {
            ticket: ticket.reference.clone(),
            user: Some(user),
            queue,
            reason: whole(&passed, &why),
            candidates,
            passed,
        })
    }

    fn wait(
        ticket: &Ticket,
        queue: Reference,
        why: &str,
        candidates: Vec<Candidate>,
        passed: Vec<Passed>,
    ) -> Result<Routed> {
        // Most of those that wait are where they were, and are only looked at.
        if !(ticket.is_nobodys
            && ticket.fields.queue.as_ref() == Some(&queue)
            && ticket.fields.queued_at.is_some())
        {
            let since = ticket.fields.queued_at.clone().unwrap_or_else(env::now);
            records::update(
                &ticket.reference,
                json!({ "owner": null, "queue": queue, "queued_at": since }),
            )?;
        }
        Ok(Routed {
            ticket: ticket.reference.clone(),
            user: None,
            queue,
            reason: format!("{}; it waits", whole(&passed, why)),
            candidates,
            passed,
        })
    }
}

/// Why, from the first queue on.
fn whole(passed: &[Passed], why: &str) -> String {
    let reasons: Vec<&str> =
        passed.iter().map(|passed| passed.reason.as_str()).chain([why]).collect();
    reasons.join("; ")
}

/// Who had the customer's last ticket.
fn last_agent(ticket: &Ticket) -> Result<Option<Reference>> {
    let Some(customer) = &ticket.fields.customer else { return Ok(None) };
    let others = records::query("ticket")
        .equal("customer", customer)
        .is_not_empty("owner")
        .fields(["owner"])
        .all()?;
    others
        .iter()
        .rfind(|other| other.reference() != &ticket.reference)
        .map(|other| other.field("owner"))
        .transpose()
}
