//! Answers that actions gave in the time of a backtest, found again by the
//! action and its input.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use relata_engine::{ActionOutcome, HappeningKind, StepFailure};
use relata_model::{Reference, RunId, Timestamp};
use relata_store::{CallRow, EffectFilter, EffectKind, LogRow};
use serde_json::Value as Json;

use crate::{
    App, AppError,
    backtest::{Own, messages::Message},
};

/// So many rows of the log are read at once.
const PAGE: u32 = 5_000;

/// How many runs' effects and changes are kept at hand.
const RUNS_AT_HAND: usize = 256;

/// How an answer begins that says why there was nothing to do.
const SKIPPED: &str = "nothing to do: ";

/// The answers of a time.
pub(crate) struct Recorded {
    app: App,
    calls: Vec<Recording>,
    /// Their places in `calls`, by action, input and what the run was about:
    /// those of the workflow itself.
    itself: Places,
    /// By action and input.
    same_input: Places,
    /// By action and what the run was about: those of the workflow itself.
    same_record: Places,
    /// By action.
    same_action: Places,
    /// What runs did, beside their answers.
    deeds: HashMap<RunId, Arc<Deeds>>,
}

/// Places by what they have in common, each list in the order of time.
type Places = HashMap<u64, Vec<usize>>;

/// Where an answer stands. One that took several attempts is one answer: the
/// last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recording {
    run: RunId,
    seq: u64,
    /// Whether a run of the workflow that is tested gave it.
    own: bool,
    began: Timestamp,
    at: Timestamp,
}

/// What runs did, beside their answers.
#[derive(Debug, Default)]
struct Deeds {
    /// Changes and named events, by the entry of the log that made them.
    made: HashMap<u64, Vec<HappeningKind>>,
    /// Messages, by the step's path, with the effect's id and when it was
    /// wanted.
    messages: Vec<(String, String, Timestamp, Message)>,
}

/// An answer that was recorded.
#[derive(Debug, Clone)]
pub(crate) struct Replayed {
    /// The answer.
    pub(crate) result: Result<ActionOutcome, StepFailure>,
    /// The digest of the plugin that gave it.
    pub(crate) plugin: Option<String>,
    /// What the call changed: only of answers of the workflow itself, since
    /// what others did is in the log.
    pub(crate) made: Vec<HappeningKind>,
    /// What it sent.
    pub(crate) messages: Vec<Message>,
}

/// How close a recording is to the call for which it is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closeness {
    /// The live version made the same call for the same record.
    Itself,
    /// The same call, by somebody else or about another record.
    SameInput,
    /// The same action for the same record, with another input.
    SameRecord,
    /// The same action.
    SameAction,
}

/// Which recordings a replay has used already: each stands for one call.
pub(crate) type Used = HashSet<(RunId, u64)>;

impl Recorded {
    /// Reads where the answers of these actions stand.
    pub(crate) async fn read(
        app: &App,
        own: &Own,
        actions: &BTreeSet<String>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Self, AppError> {
        let mut recorded = Self {
            app: app.clone(),
            calls: Vec::new(),
            itself: Places::new(),
            same_input: Places::new(),
            same_record: Places::new(),
            same_action: Places::new(),
            deeds: HashMap::new(),
        };
        let actions: Vec<String> = actions.iter().cloned().collect();
        let mut after = None;
        loop {
            let page = app.store().call_page(&actions, from, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.run, last.seq));
            for row in page {
                if row.at <= to {
                    recorded.add(own, row);
                }
            }
        }
        let Self { calls, itself, same_input, same_record, same_action, .. } = &mut recorded;
        for places in [itself, same_input, same_record, same_action] {
            for places in places.values_mut() {
                places.sort_by_key(|place| (calls[*place].began, *place));
            }
        }
        Ok(recorded)
    }

    fn add(&mut self, own: &Own, row: CallRow) {
        let Ok(input) = serde_json::from_str::<Json>(&row.input) else { return };
        let call = fingerprint(&row.action, Some(&input));
        // A further attempt takes the place of the one before it.
        if row.attempt > 1
            && let Some(last) = self.same_input.get(&call).and_then(|places| places.last())
            && self.calls[*last].run == row.run
        {
            let recording = &mut self.calls[*last];
            (recording.seq, recording.at) = (row.seq, row.at);
            return;
        }
        let action = fingerprint(&row.action, None);
        let own = own.made(Some(&row.workflow), Some(row.run));
        let place = self.calls.len();
        if own {
            let subject = row.subject.as_ref();
            self.itself.entry(about(call, subject)).or_default().push(place);
            self.same_record.entry(about(action, subject)).or_default().push(place);
        }
        self.same_input.entry(call).or_default().push(place);
        self.same_action.entry(action).or_default().push(place);
        self.calls.push(Recording { run: row.run, seq: row.seq, own, began: row.at, at: row.at });
    }

    /// The closest recording for a call, if there is any: the one that fits
    /// best, and of those the nearest in time.
    pub(crate) fn find(
        &self,
        action: &str,
        input: &Json,
        subject: Option<&Reference>,
        now: Timestamp,
        used: &Used,
    ) -> Option<(Closeness, Recording)> {
        let (call, action) = (fingerprint(action, Some(input)), fingerprint(action, None));
        let itself = self.unused(&self.itself, about(call, subject), now, used);
        let same_input = || self.nearest(&self.same_input, call, now);
        let same_record = || self.unused(&self.same_record, about(action, subject), now, used);
        let same_action = || self.nearest(&self.same_action, action, now);
        let found = itself.map(|found| (Closeness::Itself, found));
        let found = found.or_else(|| Some((Closeness::SameInput, same_input()?)));
        let found = found.or_else(|| {
            Some((Closeness::SameRecord, subject.is_some().then(same_record).flatten()?))
        });
        found.or_else(|| Some((Closeness::SameAction, same_action()?)))
    }

    /// The nearest in time of the few calls of one record.
    fn unused(&self, of: &Places, key: u64, now: Timestamp, used: &Used) -> Option<Recording> {
        let found = of.get(&key)?.iter().map(|place| &self.calls[*place]);
        let unused = found.filter(|recording| !used.contains(&recording.key()));
        unused.min_by_key(|recording| distance(recording.began, now)).copied()
    }

    /// The nearest in time of however many.
    fn nearest(&self, of: &Places, key: u64, now: Timestamp) -> Option<Recording> {
        let places = of.get(&key)?;
        let behind = places.partition_point(|place| self.calls[*place].began <= now);
        let around = [behind.checked_sub(1), Some(behind)].into_iter().flatten();
        let found = around.filter_map(|at| places.get(at)).map(|place| &self.calls[*place]);
        found.min_by_key(|recording| distance(recording.began, now)).copied()
    }

    /// The answer that stands in a place.
    pub(crate) async fn fetch(
        &mut self,
        recording: &Recording,
    ) -> Result<Option<Replayed>, AppError> {
        let row = self.app.store().log_fetch(recording.run, recording.seq).await?;
        let Some(row) = row else { return Ok(None) };
        let deeds = self.deeds_of(recording.run).await?;
        let made = if recording.own {
            deeds.made.get(&row.seq).cloned().unwrap_or_default()
        } else {
            Vec::new()
        };
        let messages = deeds.messages_of(&row, recording.began);
        Ok(Some(Replayed { result: answer(&row), plugin: row.plugin, made, messages }))
    }

    async fn deeds_of(&mut self, run: RunId) -> Result<Arc<Deeds>, AppError> {
        if let Some(deeds) = self.deeds.get(&run) {
            return Ok(Arc::clone(deeds));
        }
        let mut deeds = Deeds::default();
        for event in self.app.store().event_list_of_run(run).await? {
            if let Some(entry) = event.entry {
                deeds.made.entry(entry).or_default().push(event.happening.kind);
            }
        }
        let filter = EffectFilter { run: Some(run), ..EffectFilter::default() };
        for effect in self.app.store().outbox_list(&filter, u32::MAX).await? {
            let message =
                Message { template: effect.template, is_mail: effect.kind == EffectKind::Mail };
            let step = effect.step.unwrap_or_default();
            deeds.messages.push((step, effect.id.to_string(), effect.created_at, message));
        }
        // Runs are looked at one after another, as a rule.
        if self.deeds.len() >= RUNS_AT_HAND {
            self.deeds.clear();
        }
        let deeds = Arc::new(deeds);
        self.deeds.insert(run, Arc::clone(&deeds));
        Ok(deeds)
    }
}

impl Recording {
    pub(crate) const fn key(&self) -> (RunId, u64) {
        (self.run, self.seq)
    }

    /// How long the answer took, with all attempts, in milliseconds.
    pub(crate) fn took_ms(&self) -> u64 {
        let millis = self.at.as_millisecond() - self.began.as_millisecond();
        u64::try_from(millis).unwrap_or_default()
    }
}

impl Deeds {
    /// The messages of one call: those of its step that its output names, or
    /// that were wanted since it began, where the output names none.
    fn messages_of(&self, row: &LogRow, began: Timestamp) -> Vec<Message> {
        let output = row.output.as_ref().map(Json::to_string).unwrap_or_default();
        let of_step = || self.messages.iter().filter(|(step, ..)| *step == row.step);
        let named: Vec<Message> = of_step()
            .filter(|(_, effect, ..)| output.contains(effect.as_str()))
            .map(|(.., message)| message.clone())
            .collect();
        if !named.is_empty() {
            return named;
        }
        // The commit comes after the entry was made, and not much later.
        let until = row.at.as_millisecond() + 5_000;
        of_step()
            .filter(|(_, _, at, _)| *at >= began && at.as_millisecond() <= until)
            .map(|(.., message)| message.clone())
            .collect()
    }
}

fn answer(row: &LogRow) -> Result<ActionOutcome, StepFailure> {
    if let Some(why) = &row.error {
        return Err(StepFailure {
            code: "recorded".to_owned(),
            message: why.clone(),
            permanent: true,
            retry_after_ms: None,
        });
    }
    Ok(match (&row.output, skipped(row)) {
        (Some(output), _) => ActionOutcome::Done(output.clone()),
        (None, Some(why)) => ActionOutcome::Skip(why.to_owned()),
        (None, None) => ActionOutcome::Done(Json::Null),
    })
}

/// Why there was nothing to do, where an answer says that.
pub(crate) fn skipped(row: &LogRow) -> Option<&str> {
    row.explanation.as_ref()?.as_str()?.strip_prefix(SKIPPED).filter(|_| row.output.is_none())
}

fn distance(a: Timestamp, b: Timestamp) -> u64 {
    a.as_millisecond().abs_diff(b.as_millisecond())
}

/// What an action, and its input, come to: the same for the same, whatever
/// the order of the keys.
fn fingerprint(action: &str, input: Option<&Json>) -> u64 {
    let mut hasher = DefaultHasher::new();
    action.hash(&mut hasher);
    if let Some(input) = input {
        digest(input, &mut hasher);
    }
    hasher.finish()
}

/// The same for one record alone.
fn about(fingerprint: u64, subject: Option<&Reference>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (fingerprint, subject).hash(&mut hasher);
    hasher.finish()
}

fn digest(json: &Json, hasher: &mut DefaultHasher) {
    match json {
        Json::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            for name in names {
                name.hash(hasher);
                digest(&members[name], hasher);
            }
            members.len().hash(hasher);
        }
        Json::Array(items) => {
            for item in items {
                digest(item, hasher);
            }
            items.len().hash(hasher);
        }
        Json::String(text) => text.hash(hasher),
        other => other.to_string().hash(hasher),
    }
}
