//! Limits on how much is at work at once and on how fast it begins: those that
//! a workflow has on its own runs (`limits:`), and those that whoever runs
//! Relata has on actions (`[[limits]]` in relata.toml).

use std::sync::atomic::{AtomicI64, Ordering};

use relata_engine::{Call, next_timer};
use relata_model::{RunId, Timestamp};
use relata_store::{Entered, Limit, LimitRow, StoreError, Tx};
use relata_workflow::{Definition, Facts, Pace, StepKind};
use serde::{Deserialize, Serialize};

use crate::{
    App, AppError,
    change_set::ChangeSet,
    runner::{Held, later},
};

/// How often it is looked for places that nobody gave back.
const SWEEP_MS: i64 = 5_000;

/// A limit of an action: a section `[[limits]]` of `relata.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ActionLimit {
    /// The action: `enrich.company`.
    pub action: String,
    /// So many calls at a time, on all hosts together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<u32>,
    /// How fast calls may begin: `60 per minute`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<String>,
}

impl ActionLimit {
    /// What is wrong with it, in a sentence.
    pub(crate) fn wrong(&self) -> Option<String> {
        let named = |why: String| Some(format!("[[limits]] of `{}`: {why}", self.action));
        match (&self.pace, self.at_once) {
            (None, None) => named("add `at_once = 2`, or `pace = \"60 per minute\"`".to_owned()),
            (_, Some(0)) => named(
                "`at_once = 0` would let nothing through; `relata pause action` does that"
                    .to_owned(),
            ),
            (Some(pace), _) => pace.parse::<Pace>().err().and_then(|why| named(why.to_string())),
            (None, Some(_)) => None,
        }
    }

    fn limit(&self) -> Limit {
        Limit {
            key: format!("action {}", self.action),
            at_once: self.at_once,
            apart_ms: self.pace.as_ref().and_then(|pace| pace.parse().ok()).map(Pace::apart_ms),
            once: false,
        }
    }
}

/// A limit under which somebody works or for which somebody waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitView {
    /// `action enrich.company`, `workflow assign-new-leads`, or one value of
    /// it: `workflow reminders, ticket.customer contact/01k9…`.
    pub limit: String,
    /// How many are at work.
    pub working: u64,
    /// How many may be; none where only the pace is limited.
    pub at_once: Option<u64>,
    /// How many wait for a place.
    pub in_line: u64,
    /// Since when the first of these does, RFC 3339.
    pub waits_since: Option<String>,
    /// How many have a turn later on.
    pub to_come: u64,
    /// The last of these turns, RFC 3339.
    pub last_turn: Option<String>,
}

impl From<LimitRow> for LimitView {
    fn from(row: LimitRow) -> Self {
        Self {
            limit: row.key,
            working: row.working,
            at_once: row.most,
            in_line: row.in_line,
            waits_since: row.waits_since.map(|at| at.to_string()),
            to_come: row.to_come,
            last_turn: row.last_turn.map(|at| at.to_string()),
        }
    }
}

/// How a run stands to its limits, for its next commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limited {
    /// It has none.
    No,
    /// What it has entered it leaves.
    Leaves,
    /// It falls asleep until its turn.
    Waits,
    /// It falls asleep in line.
    InLine,
}

impl Limited {
    /// What the commit of a step does about it.
    pub(crate) async fn commit(
        self,
        tx: &mut Tx,
        run: RunId,
        has_ended: bool,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        match self {
            Self::No | Self::Waits => Ok(()),
            Self::Leaves => tx.limits_leave(run, has_ended, now, until).await,
            Self::InLine => tx.limits_fall_asleep(run, now).await,
        }
    }
}

/// When this host looked for places last, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct LimitsSwept(AtomicI64);

impl App {
    /// What limits hold up now.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn limits(&self) -> Result<Vec<LimitView>, AppError> {
        let rows = self.store().limit_list(self.now()).await?;
        Ok(rows.into_iter().map(LimitView::from).collect())
    }

    /// How runs of a workflow stand to limits before they meet one.
    pub(crate) fn limited(&self, definition: &Definition) -> Limited {
        // What a test shows is not to depend on how busy somebody is.
        if self.is_test() {
            return Limited::No;
        }
        let calls_limited = || {
            definition.steps.iter().any(|step| match &step.kind {
                StepKind::Do(action) => self.action_limits(&action.action).next().is_some(),
                _ => false,
            })
        };
        if definition.limits.is_empty() && (self.inner.config.limits.is_empty() || !calls_limited())
        {
            Limited::No
        } else {
            Limited::Leaves
        }
    }

    fn action_limits<'a>(&'a self, action: &'a str) -> impl Iterator<Item = &'a ActionLimit> {
        self.inner.config.limits.iter().filter(move |limit| limit.action == action)
    }

    /// Enters the limits of a call, and gives the run back where one holds it
    /// up: to go on at its turn, with a place, or at its next timer. False where
    /// none does.
    pub(crate) async fn stop_at_limit(
        &self,
        held: &mut Held,
        call: &Call,
        facts: &mut Facts,
    ) -> Result<bool, AppError> {
        if held.limited == Limited::No {
            return Ok(false);
        }
        let mut limits: Vec<Limit> =
            self.action_limits(&call.action).map(ActionLimit::limit).collect();
        limits.extend(of_workflow(&held.definition, call));
        if limits.is_empty() {
            return Ok(false);
        }
        let (run, now) = (held.run.id, self.now());
        let until = later(now, self.lease());
        let entered = self
            .store()
            .write(move |tx| {
                Box::pin(async move { tx.limits_enter(run, &limits, now, until).await })
            })
            .await?;
        let turn = match entered {
            Entered::Now => return Ok(false),
            Entered::At(turn) => Some(turn),
            Entered::InLine => None,
        };
        let timer = self
            .with_facts(facts, None, |facts| next_timer(&held.definition, &held.run, facts, now))
            .await?;
        held.limited = if turn.is_some() { Limited::Waits } else { Limited::InLine };
        tracing::debug!(run.id = %held.run.id, "a step waits for a limit");
        let due = turn.into_iter().chain(timer).min();
        self.commit(held, due, ChangeSet::default(), false, None).await?;
        Ok(true)
    }

    /// Gives away the places that nobody gave back, now and then. Answers how
    /// many runs got one.
    pub(crate) async fn tend_limits(&self) -> Result<usize, AppError> {
        let now = self.now();
        let swept = &self.inner.limits_swept.0;
        let before = swept.load(Ordering::Relaxed);
        if now.as_millisecond() - before < SWEEP_MS {
            return Ok(0);
        }
        swept.store(now.as_millisecond(), Ordering::Relaxed);
        let until = later(now, self.lease());
        let got = self
            .store()
            .write(move |tx| Box::pin(async move { tx.limits_sweep(now, until).await }))
            .await?;
        Ok(usize::try_from(got).unwrap_or(usize::MAX))
    }

    /// What limit holds a run up, in words; none where none does.
    pub(crate) async fn held_up(&self, run: RunId) -> Result<Option<String>, AppError> {
        let found = self.store().limit_of_run(run, self.now()).await?;
        Ok(found.map(|(key, turn)| match turn {
            Some(turn) => format!("the limit of {key}: its turn is at {turn}"),
            None => format!("the limit of {key}: it waits for a place; see `relata limits`"),
        }))
    }
}

/// The limits of a workflow on its own runs.
fn of_workflow(definition: &Definition, call: &Call) -> impl Iterator<Item = Limit> {
    definition.limits.iter().zip(&call.limited_per).map(|(limit, value)| {
        let per = limit.per.as_ref().zip(value.as_ref());
        let per =
            per.map_or_else(String::new, |(per, value)| format!(", {} {value}", per.source.trim()));
        Limit {
            key: format!("workflow {}{per}", definition.name),
            at_once: limit.at_once,
            apart_ms: limit.pace.map(Pace::apart_ms),
            once: true,
        }
    })
}
