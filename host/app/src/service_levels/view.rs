//! How tickets stand to what was promised, for people and other programs.

use relata_model::{
    Duration, Record, Reference, Timestamp, Value,
    service_level::{Clock, ClockState},
};
use relata_store::{Condition, Operator, Order, Query};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Policy,
    keeping::{Seen, clock_name, is_judged},
};
use crate::{AccessError, App, AppError, Viewer};

/// How a ticket stands to what its customer was promised, at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ServiceLevelView {
    /// The ticket, `ticket/01k9…`.
    pub ticket: String,
    /// Who has it.
    pub owner: Option<String>,
    /// Its service level, `service_level/01k9…`; none where nothing is
    /// promised.
    pub service_level: Option<String>,
    /// What that is called.
    pub name: Option<String>,
    /// Whose opening hours its working hours are, `calendar/01k9…`; none where
    /// it names none.
    pub calendar: Option<String>,
    /// The worst of its clocks that are open: `breached`, `running` or
    /// `paused`; without one `late` or `met`, and `none` without any clock.
    pub state: &'static str,
    /// The next moment at which all the time of one of them is gone, RFC 3339.
    pub due_at: Option<String>,
    /// A clock for each promise, in the order in which the customer began to
    /// wait.
    pub clocks: Vec<ClockView>,
    /// The levels that were reached, and of which somebody was told.
    pub escalations: Vec<EscalationView>,
}

/// How one promise stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClockView {
    /// `first_reply`, `next_reply` or `solution`.
    pub goal: &'static str,
    /// `running`, `paused`, `breached`, `met`, `late` or `dropped`.
    pub state: String,
    /// Within which time: `4 working hours`.
    pub target: String,
    /// Since when the customer waits, RFC 3339.
    pub started_at: String,
    /// When all the time is gone; none while it stands still.
    pub due_at: Option<String>,
    /// When all the time would be gone if it went on now; where it stands
    /// still.
    pub due_if_resumed: Option<String>,
    /// When what was promised came.
    pub ended_at: Option<String>,
    /// How long the customer has waited in the time that counts, in seconds.
    pub worked_seconds: i64,
    /// How much of it is left, in seconds; negative for how late it is.
    pub left_seconds: i64,
    /// When it stood still.
    pub pauses: Vec<SpanView>,
    /// Its levels, in their order.
    pub levels: Vec<LevelView>,
}

/// From one moment until just before another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SpanView {
    /// Its first moment, RFC 3339.
    pub from: String,
    /// The first moment after it; none where it goes on.
    pub until: Option<String>,
}

/// One level of a clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LevelView {
    /// `75%`, or `+2 hours`.
    pub level: String,
    /// When it is or was reached, RFC 3339; none where it stands still before.
    pub at: Option<String>,
    /// Whether it was.
    pub reached: bool,
}

/// A level that was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EscalationView {
    /// Of which promise.
    pub goal: String,
    /// Which level.
    pub level: String,
    /// When, RFC 3339.
    pub reached_at: String,
}

/// An open clock, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DueClock {
    /// The ticket, `ticket/01k9…`.
    pub ticket: String,
    /// What customers and agents call it.
    pub number: String,
    /// What it is about.
    pub subject: String,
    /// Who has it.
    pub owner: Option<String>,
    /// Its priority.
    pub priority: String,
    /// Which promise.
    pub goal: String,
    /// `running` or `breached`.
    pub state: String,
    /// When all the time is gone, or was, RFC 3339.
    pub due_at: String,
}

impl App {
    /// How a ticket stands to what its customer was promised.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is no such ticket, it is another object,
    /// or a service level does not read.
    pub async fn service_level_of(&self, ticket: &Reference) -> Result<ServiceLevelView, AppError> {
        if ticket.object != "ticket" {
            let why = format!("only a ticket has a service level, and {ticket} is none");
            return Err(AppError::wrong(why));
        }
        let found = self.record(ticket).await?;
        let seen = self.seen(&found.reference).await?;
        let Some(seen) = seen else {
            return Err(AppError::wrong(format!("there is no ticket `{}`", ticket.key)));
        };
        let now = self.now();
        let policies = self.policies().await?;
        let policy = self.policy_for(&policies, &seen.ticket).await?;
        let clocks = policy.map_or_else(Vec::new, |policy| policy.level.clocks(&seen.history, now));
        let due = clocks.iter().filter(|clock| clock.state.is_open());
        let due = due.filter_map(|clock| clock.due_at).min();
        let owner = seen.ticket.field("owner").as_reference();
        Ok(ServiceLevelView {
            ticket: seen.ticket.reference.to_string(),
            owner: owner.map(ToString::to_string),
            service_level: policy.map(|policy| policy.record.reference.to_string()),
            name: policy.map(|policy| policy.record.field("name").to_string()),
            calendar: policy
                .and_then(|policy| policy.record.field("calendar").as_reference())
                .map(ToString::to_string),
            state: state_of(&clocks),
            due_at: due.map(|at| at.to_string()),
            clocks: match policy {
                Some(policy) => {
                    clocks.iter().map(|clock| clock_view(&seen, policy, clock, now)).collect()
                }
                None => Vec::new(),
            },
            escalations: self.escalations_of(&seen.ticket.reference).await?,
        })
    }

    /// As [`App::service_level_of`], for somebody who may see the ticket, without
    /// what they do not see of it.
    ///
    /// # Errors
    ///
    /// [`AccessError`] where there is no such ticket, or it is not for them.
    pub async fn service_level_as(
        &self,
        viewer: &Viewer,
        ticket: &Reference,
    ) -> Result<ServiceLevelView, AccessError> {
        let seen = self.see(viewer, ticket).await?;
        let mut view = self.service_level_of(&seen.reference).await?;
        if !viewer.sees_field("ticket", "owner") {
            view.owner = None;
        }
        if !viewer.sees_field("ticket", "service_level") {
            (view.service_level, view.name, view.calendar) = (None, None, None);
        }
        Ok(view)
    }

    async fn escalations_of(&self, ticket: &Reference) -> Result<Vec<EscalationView>, AppError> {
        let of = Condition::equal("ticket", Value::Reference(ticket.clone()));
        let records = self.store().record_query(&Query::new("escalation", vec![of])).await?.records;
        let text = |record: &Record, field: &str| record.field(field).to_string();
        Ok(records
            .iter()
            .map(|record| EscalationView {
                goal: text(record, "goal"),
                level: text(record, "level"),
                reached_at: text(record, "reached_at"),
            })
            .collect())
    }

    /// The promises that are broken already or will be within a time if nobody
    /// does anything, the oldest first: at most `limit`.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where the time is further away than any.
    pub async fn promises_due(
        &self,
        within: Duration,
        limit: u32,
    ) -> Result<Vec<DueClock>, AppError> {
        let now = self.now();
        let until = relata_model::Calendar::always_open(self.zone())
            .after(now, within)
            .ok_or_else(|| AppError::wrong(format!("{within} is too far away")))?;
        let open = [ClockState::Running, ClockState::Breached]
            .map(|state| Value::Text(state.as_str().to_owned()));
        let query = Query {
            order: Order { field: Some("due_at".to_owned()), descending: false },
            limit,
            ..Query::new(
                "service_clock",
                vec![
                    Condition::new("status", Operator::OneOf, Value::List(open.to_vec())),
                    Condition::new("due_at", Operator::LessOrEqual, Value::Time(until)),
                ],
            )
        };
        let mut due = Vec::new();
        for clock in self.store().record_query(&query).await?.records {
            let Some(ticket) = clock.field("ticket").as_reference() else { continue };
            let Some(ticket) = self.store().record_fetch(ticket).await? else { continue };
            let owner = ticket.field("owner").as_reference();
            due.push(DueClock {
                ticket: ticket.reference.to_string(),
                number: ticket.field("ref").to_string(),
                subject: ticket.field("subject").to_string(),
                owner: owner.map(ToString::to_string),
                priority: ticket.field("priority").to_string(),
                goal: clock.field("goal").to_string(),
                // Where no host runs, nobody has written it yet.
                state: match clock.field("due_at").as_time().is_some_and(|due| due <= now) {
                    true => ClockState::Breached.as_str().to_owned(),
                    false => clock.field("status").to_string(),
                },
                due_at: clock.field("due_at").to_string(),
            });
        }
        Ok(due)
    }
}

/// The worst of those that are open; else of those that were.
fn state_of(clocks: &[Clock]) -> &'static str {
    let worst = [
        ClockState::Breached,
        ClockState::Running,
        ClockState::Paused,
        ClockState::Late,
        ClockState::Met,
    ];
    worst
        .into_iter()
        .find(|state| clocks.iter().any(|clock| clock.state == *state))
        .map_or("none", ClockState::as_str)
}

fn clock_view(seen: &Seen, policy: &Policy, clock: &Clock, now: Timestamp) -> ClockView {
    let until = clock.ended_at.unwrap_or(now);
    // What has come was judged then, by what was promised then.
    let judged = seen
        .stored
        .get(&clock_name(&seen.ticket.reference, clock))
        .filter(|stored| is_judged(stored, clock));
    let kept =
        |field: &str| judged.map(|stored| stored.field(field)).filter(|kept| !kept.is_nothing());
    let text = |at: Timestamp| at.to_string();
    ClockView {
        goal: clock.goal.as_str(),
        state: kept("status").map_or_else(|| clock.state.as_str().to_owned(), ToString::to_string),
        target: kept("target").map_or_else(|| clock.target.to_string(), ToString::to_string),
        started_at: text(clock.started_at),
        due_at: match judged {
            Some(_) => kept("due_at").map(ToString::to_string),
            None => clock.due_at.map(text),
        },
        due_if_resumed: (clock.state == ClockState::Paused)
            .then(|| policy.level.due_if_resumed(clock, now).map(text))
            .flatten(),
        ended_at: clock.ended_at.map(text),
        worked_seconds: clock.worked / 1_000,
        left_seconds: clock.left() / 1_000,
        pauses: clock
            .pauses
            .iter()
            .map(|span| SpanView { from: text(span.from), until: span.until.map(text) })
            .collect(),
        levels: clock
            .levels
            .iter()
            .map(|(level, at)| LevelView {
                level: level.to_string(),
                at: at.map(text),
                reached: at.is_some_and(|at| at <= until),
            })
            .collect(),
    }
}
