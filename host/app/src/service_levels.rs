//! Service levels: what tickets were promised, kept beside them.
//!
//! How a ticket stands is computed from its history each time
//! ([`relata_model::service_level`]); what is stored of it (the due times on the
//! ticket, a `service_clock` for each promise, an `escalation` for each level
//! reached) is there for lists, for workflows, and for the next moment at which
//! something is reached. A write that changes nothing emits nothing, so it does
//! no harm to compute it once more than needed.
//!
//! Three things lead to it: an event that concerns a ticket ([`keeping`]), a level
//! that is reached ([`App::advance_service_clocks`]), and another policy or other
//! opening hours, after which all open tickets are gone through ([`sweep`]).

mod keeping;
mod sweep;
mod view;

use std::{collections::BTreeSet, sync::Arc};

use relata_engine::HappeningKind;
use relata_model::{
    Calendar, Change, ChangeKind, Record, Reference, ServiceLevel, Timestamp, Value,
};
use relata_store::{Condition, Operator, Query};
use relata_workflow::{Facts, formula::Formula};

use crate::{
    App, AppError,
    doctor::{Finding, Severity},
};

pub use sweep::Recomputed;
pub use view::{ClockView, DueClock, EscalationView, LevelView, ServiceLevelView, SpanView};

/// How many clocks are looked at in one turn.
const BATCH: u32 = 200;

/// A ticket whose customer may wait for us has one of these.
const OPEN: [&str; 4] = ["new", "open", "waiting_for_customer", "on_hold"];

/// The fields of a ticket that follow from its others.
const OURS: [&str; 4] = ["service_level", "reply_due_at", "solution_due_at", "updated_at"];

/// The field of a clock that says when its next level is reached.
const NEXT: &str = "next_level_at";

/// Whether what happened may change what is kept of a ticket.
pub(crate) fn concerns(kind: &HappeningKind) -> bool {
    let HappeningKind::Change(change) = kind else { return false };
    match change.reference.object.as_str() {
        "ticket" => touches_others(change),
        "message" => is_of_the_conversation(change),
        "service_level" | "calendar" => true,
        "contact" => is_other_customer(change),
        _ => false,
    }
}

/// Whether it is more than what is written here.
fn touches_others(change: &Change) -> bool {
    if change.kind != ChangeKind::Changed {
        return true;
    }
    let images = [change.before.as_ref(), change.after.as_ref()];
    let mut fields = images.into_iter().flatten().flat_map(|fields| fields.keys());
    fields.any(|field| !OURS.contains(&field.as_str()) && change.touches(field))
}

/// A note among colleagues keeps nobody waiting.
fn is_of_the_conversation(change: &Change) -> bool {
    [change.was("direction"), change.is("direction")]
        .into_iter()
        .any(|direction| matches!(direction.as_text(), Some("in" | "out")))
}

/// What policies usually ask of a customer.
fn is_other_customer(change: &Change) -> bool {
    change.kind == ChangeKind::Changed && (change.touches("tier") || change.touches("account"))
}

/// The policies of a company, as they are at one moment.
pub(crate) struct Policies(Vec<Policy>);

/// One policy.
struct Policy {
    record: Record,
    /// Over the ticket; none where it applies to every one.
    applies_if: Option<Arc<Formula>>,
    level: ServiceLevel,
    /// Since when it and its hours are as they are.
    since: Timestamp,
}

impl App {
    /// The policies, the first to be asked first.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where one does not read: whichever it would apply to,
    /// no later one must.
    pub(crate) async fn policies(&self) -> Result<Policies, AppError> {
        let mut policies = Vec::new();
        for record in self.policies_in_order().await? {
            policies.push(self.policy(record).await?);
        }
        Ok(Policies(policies))
    }

    async fn policies_in_order(&self) -> Result<Vec<Record>, AppError> {
        let mut records = self.records_all("service_level").await?;
        records.retain(|record| record.field("active") != &Value::YesNo(false));
        records.sort_by_key(|record| record.field("rank").as_number());
        Ok(records)
    }

    async fn policy(&self, record: Record) -> Result<Policy, AppError> {
        let name = record.handle();
        let mut since = record.field("updated_at").as_time().unwrap_or(Timestamp::MIN);
        let calendar = match record.field("calendar").as_reference() {
            Some(reference) => {
                let hours = self.record(reference).await?;
                since = since.max(hours.field("updated_at").as_time().unwrap_or(since));
                Some(Calendar::from_fields(&hours.fields).map_err(|why| {
                    AppError::wrong(format!("{} of {name}: {why}", hours.handle()))
                })?)
            }
            None => None,
        };
        let level = ServiceLevel::from_fields(&record.fields, calendar)
            .map_err(|why| AppError::wrong(format!("{name}: {why}")))?;
        self.known_statuses(&name, &level)?;
        let written = record.field("applies_if").as_text().unwrap_or_default().trim();
        let applies_if = match written {
            "" => None,
            written => Some(self.condition("ticket", written).map_err(|why| {
                AppError::wrong(format!("{name}: applies_if does not read:\n{why}"))
            })?),
        };
        Ok(Policy { record, applies_if, level, since })
    }

    /// Clocks that are to stand still in a status that no ticket has would
    /// never do so.
    fn known_statuses(&self, name: &str, level: &ServiceLevel) -> Result<(), AppError> {
        let status = self.object("ticket")?.field("status");
        for pause in level.pauses() {
            let known = status.map(|status| status.kind.read(&pause.into())).transpose();
            known.map_err(|why| {
                AppError::wrong(format!("{name}: pauses: a ticket's status {why}"))
            })?;
        }
        Ok(())
    }

    /// The policy that counts for a ticket.
    async fn policy_for<'p>(
        &self,
        policies: &'p Policies,
        ticket: &Record,
    ) -> Result<Option<&'p Policy>, AppError> {
        let mut facts = Facts { zone: self.zone(), ..Facts::default() };
        for policy in &policies.0 {
            let applies = match &policy.applies_if {
                Some(formula) => self.holds(formula, ticket, &mut facts).await?,
                None => true,
            };
            if applies {
                return Ok(Some(policy));
            }
        }
        Ok(None)
    }

    /// When a level is reached next, or a part of the open tickets is to be
    /// gone through.
    pub(crate) async fn service_clocks_due(&self) -> Result<Option<Timestamp>, AppError> {
        let next = self.store().record_earliest("service_clock", NEXT).await?;
        Ok(if self.is_sweeping().await? { Some(self.now()) } else { next })
    }

    /// Does what only the time brings about. Answers how much there was.
    pub(crate) async fn advance_service_clocks(&self) -> Result<usize, AppError> {
        let now = self.now();
        let due = Condition::new(NEXT, Operator::LessOrEqual, Value::Time(now));
        let query = Query { limit: BATCH, ..Query::new("service_clock", vec![due]) };
        let clocks = match self.store().record_earliest("service_clock", NEXT).await? {
            Some(next) if next <= now => self.store().record_query(&query).await?.records,
            _ => Vec::new(),
        };
        let mut kept: BTreeSet<&Reference> = BTreeSet::new();
        for clock in &clocks {
            let Some(ticket) = clock.field("ticket").as_reference() else { continue };
            if self.store().record_fetch(ticket).await?.is_none() {
                self.drop_clock(clock).await?;
            } else if kept.insert(ticket) {
                self.keep_or_tell(ticket, 0).await?;
            }
        }
        Ok(clocks.len() + self.sweep_on().await?)
    }

    /// Policies that do not read: no ticket is judged until they do.
    pub(crate) async fn look_at_service_levels(
        &self,
        found: &mut Vec<Finding>,
    ) -> Result<(), AppError> {
        let mut wrong = Vec::new();
        for record in self.policies_in_order().await? {
            match self.policy(record).await {
                Ok(_) => {}
                Err(why) if why.is_wrong_input() => wrong.push(why.to_string()),
                Err(why) => return Err(why),
            }
        }
        if !wrong.is_empty() {
            let what = "service levels do not read, so no ticket is judged by any".to_owned();
            let mend = "mend the field: `relata records set service_level/NAME FIELD=VALUE`";
            found.push(Finding::new("service-levels", Severity::Error, what, mend).with(&wrong));
        }
        Ok(())
    }
}
