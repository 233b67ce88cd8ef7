//! A draft of a workflow over the event log of a time gone by: what it would
//! have done, and what would have been otherwise.
//!
//! The same pure engine decides that moves live runs; the [`world`] gives it
//! the records as they were at each event; [`answers`] stand for the actions;
//! nothing is written and nothing is sent. `docs/backtest.md` has the rules
//! and what is taken for granted.

mod answers;
mod chart;
mod difference;
mod enrolment;
mod knowledge;
mod messages;
pub mod month;
mod moving;
mod page;
mod past;
mod recorded;
mod replay;
mod report;
mod shape;
mod starting;
mod step;
mod tally;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use relata_model::{RunId, Timestamp};
use relata_workflow::{Definition, StepKind, Trigger};

use crate::{App, AppError};

use answers::Answers;
use difference::Differences;
pub(crate) use past::Past;
use recorded::Recorded;
use replay::Replay;
pub use report::{
    ActionCount, Against, Backtest, Change, Count, EventsRead, Figures, MessageCount, OnRecord,
    Reason, RestsOn, Sends, StepCount,
};
use shape::shape;
pub use step::{CallEnd, StepReplay};

/// So many entries of the log are read at once.
const PAGE: u32 = 2_000;

/// What to replay.
#[derive(Debug, Clone)]
pub struct BacktestRequest {
    /// The draft's file, for messages.
    pub file: String,
    /// Its text.
    pub source: String,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// With what the draft is compared.
    pub against: Option<Opponent>,
}

/// With what a draft is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opponent {
    /// The version that is active now.
    Active,
    /// Another text: file and source.
    File(String, String),
}

impl App {
    /// Replays the event log of a time over a draft, in memory. `progress` is
    /// told how far it is.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where the draft has errors, the time is empty, or
    /// there is nothing to compare it with.
    pub async fn backtest(
        &self,
        request: &BacktestRequest,
        mut progress: impl FnMut(Timestamp),
    ) -> Result<Backtest, AppError> {
        let BacktestRequest { file, source, from, to, against } = request;
        let (from, to) = (*from, (*to).min(self.now()));
        if from >= to {
            return Err(AppError::wrong(format!(
                "there is nothing to replay from {from} to {to}; the time must lie in the past, its beginning before its end"
            )));
        }
        let draft = self.read_draft(file, source).await?;
        let opponent = match against {
            Some(against) => Some(self.read_opponent(against, &draft).await?),
            None => None,
        };
        let place = self.store().event_place(from).await?;
        let versions = || opponent.iter().map(|(_, definition)| definition).chain([&draft]);
        let others = Arc::new(self.others(versions()).await?);
        let actions: BTreeSet<String> =
            versions().chain(others.values()).flat_map(|version| actions(version)).collect();
        let own = Own {
            workflow: draft.name.clone(),
            first: RunId::derived(from, &[0; 10]),
            children: self.store().run_descendants(&draft.name, from).await?.into_iter().collect(),
        };
        let recorded = Recorded::read(self, &own, &actions, from, to).await?;
        let mut answers = Answers::new(self.clone(), recorded);

        let replay = async |version: &Arc<Definition>| {
            Replay::new(self, Arc::clone(version), Arc::clone(&others), from, place).await
        };
        let mut draft_replay = replay(&draft).await?;
        let mut opponent_replay = match &opponent {
            Some((_, definition)) => Some(replay(definition).await?),
            None => None,
        };
        // Whoever did not start in one of them is told by the decisions alone.
        let (mut decisions, mut outcomes) = (Differences::default(), Differences::default());
        let mut compare = |draft: &mut Replay, opponent: Option<&mut Replay>| {
            let (decided, ended) = (draft.take_decisions(), draft.take_ended());
            if let Some(opponent) = opponent {
                decisions.compare(opponent.take_decisions(), decided);
                outcomes.compare(opponent.take_ended(), ended);
            }
        };

        let mut events = EventsRead::default();
        let mut next = place;
        loop {
            let page = self.store().event_page(next, PAGE).await?;
            let Some(last) = page.last() else { break };
            next = last.seq + 1;
            progress(last.happening.at);
            let mut is_over = false;
            for logged in &page {
                if logged.happening.at < from {
                    continue;
                }
                if logged.happening.at > to {
                    is_over = true;
                    break;
                }
                let own = own.made(logged.happening.workflow.as_deref(), logged.happening.run);
                events.read += 1;
                events.own += u64::from(own);
                draft_replay.event(logged, own, &mut answers).await?;
                if let Some(opponent) = &mut opponent_replay {
                    opponent.event(logged, own, &mut answers).await?;
                }
                compare(&mut draft_replay, opponent_replay.as_mut());
            }
            if is_over {
                break;
            }
        }
        draft_replay.close(to, &mut answers).await?;
        if let Some(opponent) = &mut opponent_replay {
            opponent.close(to, &mut answers).await?;
        }
        compare(&mut draft_replay, opponent_replay.as_mut());

        events.offered = draft_replay.offered();
        let against = opponent_replay.zip(opponent).map(|(replay, (what, _))| Against {
            what,
            figures: replay.finish(from),
            decisions: decisions.finish(Some("not what it waits for")),
            outcomes: outcomes.finish(None),
        });
        Ok(Backtest {
            workflow: draft.name.clone(),
            title: draft.title.clone(),
            file: file.clone(),
            from: from.to_string(),
            to: to.to_string(),
            time_zone: self.config().time_zone.clone(),
            events,
            draft: draft_replay.finish(from),
            against,
            on_record: self.on_record(&draft, from, to).await?,
            not_replayed: not_replayed(&draft),
        })
    }

    /// What really happened to a workflow in a time; none where nothing did.
    async fn on_record(
        &self,
        definition: &Definition,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Option<OnRecord>, AppError> {
        let (store, name) = (self.store(), &definition.name);
        let started = store.run_count_between(name, from, to).await?;
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        let mut after = 0;
        loop {
            let page = store.not_started_between(name, (from, to), after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            for (_, reason) in &page {
                let reason = shape(reason, definition.subject.as_deref(), self.objects());
                *reasons.entry(reason).or_default() += 1;
            }
        }
        if started == 0 && reasons.is_empty() {
            return Ok(None);
        }
        let actions = store.call_counts(name, from, to).await?.into_iter();
        let actions = actions.map(|(action, [done, skipped, failed])| ActionCount {
            action,
            done,
            skipped,
            failed,
            assumed: 0,
        });
        let mut not_started: Vec<Count> =
            reasons.into_iter().map(|(what, count)| Count { what, count }).collect();
        not_started.sort_by_key(|reason| std::cmp::Reverse(reason.count));
        Ok(Some(OnRecord { started, not_started, actions: actions.collect() }))
    }

    async fn read_draft(&self, file: &str, source: &str) -> Result<Arc<Definition>, AppError> {
        let checked = self.check(&[(file.to_owned(), source.to_owned())]).await?;
        match checked.into_iter().next() {
            Some((_, Some(definition), _)) => Ok(Arc::new(definition)),
            Some((_, None, found)) => {
                Err(AppError::wrong(relata_workflow::diagnostic::render(&found, source, false)))
            }
            None => Err(AppError::Fault("a check answered nothing".to_owned())),
        }
    }

    /// The active workflows that these versions, or one of them, start with
    /// `run:`.
    async fn others(
        &self,
        versions: impl Iterator<Item = &Arc<Definition>>,
    ) -> Result<HashMap<String, Arc<Definition>>, AppError> {
        let active = self.active().await?;
        let mut others = HashMap::new();
        let mut wanted: Vec<String> = versions.flat_map(|version| started(version)).collect();
        while let Some(name) = wanted.pop() {
            let found = active.iter().find(|(_, definition)| definition.name == name);
            if let Some((_, definition)) = found
                && others.insert(name, Arc::clone(definition)).is_none()
            {
                wanted.extend(started(definition));
            }
        }
        Ok(others)
    }

    async fn read_opponent(
        &self,
        against: &Opponent,
        draft: &Definition,
    ) -> Result<(String, Arc<Definition>), AppError> {
        match against {
            Opponent::File(file, source) => {
                Ok((file.clone(), self.read_draft(file, source).await?))
            }
            Opponent::Active => {
                let active = self.active().await?;
                let found = active.iter().find(|(_, definition)| definition.name == draft.name);
                match found {
                    Some((_, definition)) => {
                        Ok(("the active version".to_owned(), Arc::clone(definition)))
                    }
                    None => Err(AppError::wrong(format!(
                        "no workflow `{}` is active, so there is nothing to compare the draft with; leave out `--against`",
                        draft.name
                    ))),
                }
            }
        }
    }
}

/// What the live version's runs made, and the runs that they started: not
/// part of a replay, which makes its own. Runs that began before the time are
/// not replayed, so what they did in it stays.
pub(crate) struct Own {
    workflow: String,
    /// The least id of a run that began in the time.
    first: RunId,
    children: HashSet<RunId>,
}

impl Own {
    pub(crate) fn made(&self, workflow: Option<&str>, run: Option<RunId>) -> bool {
        let is_former = run.is_some_and(|run| run < self.first);
        let is_child = run.is_some_and(|run| self.children.contains(&run));
        !is_former && (workflow == Some(&self.workflow) || is_child)
    }
}

/// The workflows that a workflow starts with `run:`.
fn started(definition: &Definition) -> impl Iterator<Item = String> {
    definition.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Run(sub) => Some(sub.workflow.clone()),
        _ => None,
    })
}

/// The actions that a workflow calls.
fn actions(definition: &Definition) -> impl Iterator<Item = String> {
    definition.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Do(call) => Some(call.action.clone()),
        _ => None,
    })
}

/// What the log cannot tell of how a workflow starts.
fn not_replayed(definition: &Definition) -> Vec<String> {
    let enters = definition.triggers.iter().any(|trigger| {
        matches!(trigger, Trigger::Occurrence(relata_workflow::Occurrence::Enters { .. }))
    });
    let mut told = Vec::new();
    if enters {
        told.push(
            "who entered a segment was noticed only while a workflow that starts by it was active"
                .to_owned(),
        );
    }
    if definition.triggers.is_empty() {
        told.push(
            "only other workflows and people start it; the runs of others are not replayed"
                .to_owned(),
        );
    }
    told
}
