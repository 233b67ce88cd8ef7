//! What is kept of one ticket, brought into line with its history.

use std::collections::{BTreeMap, BTreeSet};

use futures::{TryStreamExt as _, stream};
use relata_engine::{Happening, HappeningKind};
use relata_model::{
    Fields, Record, RecordId, Reference, Timestamp, Value,
    service_level::{Clock, ClockState, Direction, Goal, History},
};
use relata_store::{Cause, Condition, Operator, Query, RecordBatch, RecordError, Write};

use super::{NEXT, OPEN, OURS, Policy, concerns};
use crate::{App, AppError, fresh};

/// Who writes.
const ACTOR: &str = "service-levels";

/// How often somebody else may come in between.
const MOST_TRIES: usize = 5;

/// So many tickets are kept side by side.
const AT_ONCE: usize = 16;

/// How many entries of the event log are read at once.
const PAGE: u32 = 1_000;

/// What is known of a ticket.
pub(super) struct Seen {
    pub(super) ticket: Record,
    pub(super) history: History,
    /// The clocks that are stored, by their external id.
    pub(super) stored: BTreeMap<String, Record>,
}

impl App {
    /// Brings what is kept of the tickets into line with what happened to them.
    pub(crate) async fn keep_service_levels(
        &self,
        happenings: &[Happening],
    ) -> Result<(), AppError> {
        // How far the chain of workflows has come that led to it.
        let mut tickets: BTreeMap<Reference, u32> = BTreeMap::new();
        let mut sweeps = false;
        for happening in happenings {
            let HappeningKind::Change(change) = &happening.kind else { continue };
            if !concerns(&happening.kind) {
                continue;
            }
            let concerned = match change.reference.object.as_str() {
                "ticket" => vec![change.reference.clone()],
                "message" => [change.was("ticket"), change.is("ticket")]
                    .into_iter()
                    .filter_map(Value::as_reference)
                    .cloned()
                    .collect(),
                "contact" => self.open_tickets_of(&change.reference).await?,
                _ => {
                    sweeps = true;
                    Vec::new()
                }
            };
            for ticket in concerned {
                let depth = tickets.entry(ticket).or_default();
                *depth = happening.depth.max(*depth);
            }
        }
        if !tickets.is_empty() && self.policies_in_order().await?.is_empty() {
            self.leave_what_is_in_order(&mut tickets).await?;
        }
        // Each ticket is a commit of its own, and those that wait together share one.
        let at_once = if self.is_test() { 1 } else { AT_ONCE };
        stream::iter(tickets.iter().map(Ok))
            .try_for_each_concurrent(at_once, |(ticket, depth)| async move {
                self.keep_or_tell(ticket, *depth).await.map(drop)
            })
            .await?;
        if sweeps {
            self.begin_sweep().await?;
        }
        Ok(())
    }

    async fn open_tickets_of(&self, customer: &Reference) -> Result<Vec<Reference>, AppError> {
        let open = OPEN.map(|status| Value::Text(status.to_owned()));
        let filter = vec![
            Condition::equal("customer", Value::Reference(customer.clone())),
            Condition::new("status", Operator::OneOf, Value::List(open.to_vec())),
        ];
        let page = self.store().record_query(&Query::new("ticket", filter)).await?;
        Ok(page.records.into_iter().map(|ticket| ticket.reference).collect())
    }

    /// Keeps one ticket. Where a policy does not read, that is told, and the
    /// ticket stays as it was until it is mended.
    pub(super) async fn keep_or_tell(
        &self,
        ticket: &Reference,
        depth: u32,
    ) -> Result<bool, AppError> {
        match self.keep_ticket(ticket, depth).await {
            Err(why) if why.is_wrong_input() => {
                tracing::error!(ticket = %ticket, error = %why, "a ticket was not judged by its service level; see `relata doctor`");
                self.rest_clocks(ticket).await?;
                Ok(false)
            }
            other => other,
        }
    }

    /// A clock whose ticket is gone counts no longer.
    pub(super) async fn drop_clock(&self, stored: &Record) -> Result<bool, AppError> {
        let writes = update(stored, dropped()).into_iter().collect();
        self.write_kept(writes, 0, self.now()).await
    }

    /// Keeps one ticket; whoever comes in between is taken in. Answers whether
    /// anything was otherwise than before.
    async fn keep_ticket(&self, ticket: &Reference, depth: u32) -> Result<bool, AppError> {
        for tried in 1.. {
            match self.keep_once(ticket, depth).await {
                // Somebody wrote the same at the same time; two new clocks of
                // one name are no conflict by their revisions.
                Err(AppError::Record(
                    RecordError::Conflict { .. }
                    | RecordError::NotFound(_)
                    | RecordError::Invalid(_),
                )) if tried < MOST_TRIES => {}
                done => return done,
            }
        }
        Ok(false)
    }

    async fn keep_once(&self, ticket: &Reference, depth: u32) -> Result<bool, AppError> {
        let now = self.now();
        let policies = self.policies().await?;
        // The clocks of a ticket that is gone end when they are due.
        let Some(seen) = self.seen(ticket).await? else { return Ok(false) };
        let policy = self.policy_for(&policies, &seen.ticket).await?;
        let clocks = policy.map_or_else(Vec::new, |policy| policy.level.clocks(&seen.history, now));
        let mut writes = Vec::new();
        let mut named = Vec::new();
        for clock in &clocks {
            let name = clock_name(&seen.ticket.reference, clock);
            let stored = seen.stored.get(&name);
            named.push(name.clone());
            let Some(policy) = policy else { continue };
            // What was promised to nobody was neither kept nor broken.
            let made_at = policy.record.field("created_at").as_time();
            if stored.is_none() && clock.ended_at.is_some_and(|ended| Some(ended) <= made_at) {
                continue;
            }
            // What has come is judged once.
            if stored.is_some_and(|stored| is_judged(stored, clock)) {
                continue;
            }
            let id = match stored {
                Some(stored) => stored.reference.clone(),
                None => Reference::new("service_clock", fresh::record_id(now).to_string()),
            };
            let mut fields = clock_fields(&seen.ticket, policy, clock, now);
            match stored {
                Some(stored) => writes.extend(update(stored, fields)),
                None => {
                    fields.insert("external_id".to_owned(), Value::Text(name.clone()));
                    writes.push(create(&id, fields)?);
                }
            }
            writes.extend(self.escalations(&seen.ticket, policy, clock, (&name, &id), now).await?);
        }
        for (name, stored) in &seen.stored {
            if !named.contains(name) && is_open(stored) {
                writes.extend(update(stored, dropped()));
            }
        }
        writes.extend(update(&seen.ticket, ticket_fields(&seen, policy, &clocks)));
        self.write_kept(writes, depth, now).await
    }

    /// Leaves out the tickets of which nothing is to be kept where nothing is
    /// promised, in two reads for all of them: most companies begin without service
    /// levels, and need not pay for them.
    async fn leave_what_is_in_order(
        &self,
        tickets: &mut BTreeMap<Reference, u32>,
    ) -> Result<(), AppError> {
        let listed = |tickets: &BTreeMap<Reference, u32>| {
            Value::List(tickets.keys().cloned().map(Value::Reference).collect())
        };
        let these = Condition::new("id", Operator::OneOf, listed(tickets));
        let found = self.store().record_query(&Query::new("ticket", vec![these])).await?.records;
        let mut unanswered = BTreeMap::new();
        for ticket in &found {
            let is_empty = |field: &str| ticket.field(field).is_nothing();
            let is_open = ticket.field("status").as_text().is_some_and(|word| OPEN.contains(&word));
            if !is_empty("service_level") || is_open != is_empty("solved_at") {
                continue;
            }
            if let Some(depth) = tickets.remove(&ticket.reference)
                && is_empty("first_reply_at")
            {
                unanswered.insert(ticket.reference.clone(), depth);
            }
        }
        if unanswered.is_empty() {
            return Ok(());
        }
        // What was answered, and does not say so yet.
        let answers = vec![
            Condition::new("ticket", Operator::OneOf, listed(&unanswered)),
            Condition::equal("direction", Value::Text("out".to_owned())),
        ];
        let answers = Query::new("message", answers);
        for found in self.store().record_count_by(&answers, "ticket").await? {
            let ticket = found.value.as_reference();
            tickets.extend(ticket.and_then(|ticket| unanswered.remove_entry(ticket)));
        }
        Ok(())
    }

    /// What is known of a ticket; none where it is there no longer.
    pub(super) async fn seen(&self, ticket: &Reference) -> Result<Option<Seen>, AppError> {
        let Some(ticket) = self.store().record_fetch(ticket).await? else { return Ok(None) };
        let history = self.history_of(&ticket).await?;
        let stored = self.stored_clocks(&ticket.reference).await?;
        Ok(Some(Seen { ticket, history, stored }))
    }

    async fn stored_clocks(
        &self,
        ticket: &Reference,
    ) -> Result<BTreeMap<String, Record>, AppError> {
        let of = Condition::equal("ticket", Value::Reference(ticket.clone()));
        let mut pages = self.pages(Query::new("service_clock", vec![of]));
        let mut stored = BTreeMap::new();
        while let Some(records) = pages.next().await? {
            for record in records {
                let name = record.field("external_id").as_text().unwrap_or_default().to_owned();
                stored.insert(name, record);
            }
        }
        Ok(stored)
    }

    /// What happened to a ticket, from the event log and its messages.
    async fn history_of(&self, ticket: &Record) -> Result<History, AppError> {
        let mut changes = Vec::new();
        let mut before = None;
        loop {
            let mut page = self.store().event_list(&ticket.reference, before, PAGE).await?;
            before = page.first().map(|first| first.seq);
            let last = page.len() < PAGE as usize;
            page.append(&mut changes);
            changes = page;
            if last || before.is_none() {
                break;
            }
        }
        let changes = changes.iter().filter_map(|logged| match &logged.happening.kind {
            HappeningKind::Change(change) if change.reference == ticket.reference => {
                Some((logged.happening.at, change))
            }
            _ => None,
        });
        let mut history = History::of(changes).unwrap_or_else(|| {
            // Its log is gone; it has stood as it does since it began.
            let word = |field: &str| ticket.field(field).as_text().unwrap_or_default();
            let began = ticket.field("created_at").as_time().unwrap_or(Timestamp::MIN);
            History::begin(began, word("status"), word("priority"))
        });
        if let Some(told) = ticket.field("first_reply_at").as_time() {
            history.first_reply(told);
        }
        let of = Condition::equal("ticket", Value::Reference(ticket.reference.clone()));
        let mut pages = self.pages(Query::new("message", vec![of]));
        while let Some(messages) = pages.next().await? {
            for message in &messages {
                let direction = match message.field("direction").as_text() {
                    Some("in") => Direction::In,
                    Some("out") => Direction::Out,
                    _ => continue,
                };
                if let Some(at) = message.field("created_at").as_time() {
                    history.message(at, direction);
                }
            }
        }
        Ok(history)
    }

    /// The levels that an open clock has reached and nobody was told of yet.
    /// What it had reached before the policy was as it is now is passed over:
    /// a new policy should not cry over all that lies there already.
    async fn escalations(
        &self,
        ticket: &Record,
        policy: &Policy,
        clock: &Clock,
        (name, id): (&str, &Reference),
        now: Timestamp,
    ) -> Result<Vec<Write>, AppError> {
        let reached: Vec<_> = clock
            .reached(now)
            .filter(|(_, at, _)| clock.state.is_open() && *at >= policy.since)
            .collect();
        if reached.is_empty() {
            return Ok(Vec::new());
        }
        let told = self.told_levels(&ticket.reference).await?;
        let mut writes = Vec::new();
        for (level, at, step) in reached {
            let key = format!("{name}/{level}");
            if told.contains(&key) {
                continue;
            }
            let text = |text: &str| Value::Text(text.to_owned());
            let mut fields = Fields::from([
                ("external_id".to_owned(), Value::Text(key)),
                ("ticket".to_owned(), Value::Reference(ticket.reference.clone())),
                ("clock".to_owned(), Value::Reference(id.clone())),
                ("service_level".to_owned(), Value::Reference(policy.record.reference.clone())),
                ("goal".to_owned(), text(clock.goal.as_str())),
                ("kind".to_owned(), text(if step == 0 { "warning" } else { "breach" })),
                ("level".to_owned(), Value::Text(level.to_string())),
                ("step".to_owned(), Value::Number(step.into())),
                ("reached_at".to_owned(), Value::Time(at)),
                ("due_at".to_owned(), time(clock.due_at)),
            ]);
            fields.retain(|_, value| !value.is_nothing());
            let new = Reference::new("escalation", fresh::record_id(now).to_string());
            writes.push(create(&new, fields)?);
        }
        Ok(writes)
    }

    /// The external ids of a ticket's escalations.
    async fn told_levels(&self, ticket: &Reference) -> Result<BTreeSet<String>, AppError> {
        let of = Condition::equal("ticket", Value::Reference(ticket.clone()));
        let mut pages = self.pages(Query::new("escalation", vec![of]));
        let mut told = BTreeSet::new();
        while let Some(records) = pages.next().await? {
            told.extend(
                records
                    .iter()
                    .filter_map(|record| record.field("external_id").as_text())
                    .map(str::to_owned),
            );
        }
        Ok(told)
    }

    /// The clocks of a ticket that cannot be judged wait for whoever mends that.
    async fn rest_clocks(&self, ticket: &Reference) -> Result<(), AppError> {
        let nothing = || Fields::from([(NEXT.to_owned(), Value::Nothing)]);
        let stored = self.stored_clocks(ticket).await?;
        let writes = stored.values().filter_map(|stored| update(stored, nothing())).collect();
        self.write_kept(writes, 0, self.now()).await.map(drop)
    }

    async fn write_kept(
        &self,
        writes: Vec<Write>,
        depth: u32,
        now: Timestamp,
    ) -> Result<bool, AppError> {
        if writes.is_empty() {
            return Ok(false);
        }
        let cause = Cause { depth, ..Cause::outside(ACTOR) };
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let mut batch = RecordBatch::new();
                    for write in writes {
                        batch.write(tx, write, &cause, &mut fresh::source(now), now).await?;
                    }
                    batch.flush(tx).await?;
                    Ok::<_, AppError>(true)
                })
            })
            .await
    }
}

/// What a clock is called: the same however often it is computed.
pub(super) fn clock_name(ticket: &Reference, clock: &Clock) -> String {
    let (ticket, goal) = (&ticket.key, clock.goal.as_str());
    match clock.goal {
        Goal::FirstReply | Goal::Solution => format!("{ticket}/{goal}"),
        Goal::NextReply => format!("{ticket}/{goal}/{}", clock.started_at.as_millisecond()),
    }
}

/// Whether a stored clock's promise is still to come.
fn is_open(stored: &Record) -> bool {
    matches!(stored.field("status").as_text(), Some("running" | "paused" | "breached"))
}

/// Whether the stored clock has judged already what came.
pub(super) fn is_judged(stored: &Record, clock: &Clock) -> bool {
    matches!(stored.field("status").as_text(), Some("met" | "late"))
        && clock.ended_at.is_some()
        && stored.field("ended_at").as_time() == clock.ended_at
}

fn clock_fields(ticket: &Record, policy: &Policy, clock: &Clock, now: Timestamp) -> Fields {
    let word = |word: &str| Value::Text(word.to_owned());
    Fields::from([
        ("ticket".to_owned(), Value::Reference(ticket.reference.clone())),
        ("service_level".to_owned(), Value::Reference(policy.record.reference.clone())),
        ("goal".to_owned(), word(clock.goal.as_str())),
        ("target".to_owned(), Value::Duration(clock.target)),
        ("started_at".to_owned(), Value::Time(clock.started_at)),
        ("due_at".to_owned(), time(clock.due_at)),
        ("ended_at".to_owned(), time(clock.ended_at)),
        ("status".to_owned(), word(clock.state.as_str())),
        (NEXT.to_owned(), time(clock.next_level(now))),
    ])
}

fn dropped() -> Fields {
    Fields::from([
        ("status".to_owned(), Value::Text(ClockState::Dropped.as_str().to_owned())),
        (NEXT.to_owned(), Value::Nothing),
    ])
}

/// What follows for the ticket itself.
fn ticket_fields(seen: &Seen, policy: Option<&Policy>, clocks: &[Clock]) -> Fields {
    let mut fields = Fields::new();
    let due = |goals: &[Goal]| {
        let open = |clock: &&Clock| goals.contains(&clock.goal) && clock.state.is_open();
        time(clocks.iter().rev().find(open).and_then(|clock| clock.due_at))
    };
    // Without a service level the due times are whoever's who wrote them.
    let [level, reply, solution, _] = OURS;
    let is_empty = |field: &str| seen.ticket.field(field).is_nothing();
    if policy.is_some() || !is_empty(level) {
        let policy = policy.map(|policy| Value::Reference(policy.record.reference.clone()));
        fields.insert(level.to_owned(), policy.unwrap_or(Value::Nothing));
        fields.insert(reply.to_owned(), due(&[Goal::FirstReply, Goal::NextReply]));
        fields.insert(solution.to_owned(), due(&[Goal::Solution]));
    }
    if let Some(at) = seen.history.first_answer().filter(|_| is_empty("first_reply_at")) {
        fields.insert("first_reply_at".to_owned(), Value::Time(at));
    }
    match seen.history.done_since() {
        Some(since) if is_empty("solved_at") => {
            fields.insert("solved_at".to_owned(), Value::Time(since));
        }
        None => {
            fields.insert("solved_at".to_owned(), Value::Nothing);
        }
        Some(_) => {}
    }
    fields
}

fn time(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Nothing, Value::Time)
}

/// The write that sets these fields; none where they are so already.
fn update(record: &Record, mut fields: Fields) -> Option<Write> {
    fields.retain(|name, value| record.field(name) != value);
    (!fields.is_empty()).then(|| Write::Update {
        reference: record.reference.clone(),
        fields,
        if_revision: Some(record.revision),
    })
}

fn create(reference: &Reference, mut fields: Fields) -> Result<Write, AppError> {
    fields.retain(|_, value| !value.is_nothing());
    let id: RecordId = reference
        .key
        .parse()
        .map_err(|why| AppError::Fault(format!("{reference} has no id of ours: {why}")))?;
    Ok(Write::Create { object: reference.object.clone(), id, fields })
}
