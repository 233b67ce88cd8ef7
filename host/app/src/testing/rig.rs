//! What a test puts between a host and the world: actions that pretend, and
//! crashes.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use relata_channels::{HttpAnswer, HttpCall, HttpError};
use relata_engine::{ActionOutcome, StepFailure};
use relata_model::{EffectId, Reference, Value};
use relata_workflow::test_file::Answer;
use tokio::sync::Notify;

use crate::App;

/// What a test puts between a host and the world. It outlives the host's
/// crashes.
#[derive(Debug, Default)]
pub(crate) struct Rig {
    /// The answers of the actions that pretend.
    actions: Mutex<BTreeMap<String, Script>>,
    /// The records by what the test calls them, with their ids.
    names: Mutex<BTreeMap<Reference, Reference>>,
    /// Where the host goes down.
    crashes: Mutex<Crashes>,
    /// The points that it has come to, in order.
    visited: Mutex<Vec<Point>>,
    /// The effects that were sent, as often as they were.
    sent: Mutex<Vec<EffectId>>,
    /// What answers its requests.
    web: Mutex<Web>,
    /// The host is down.
    crashed: Notify,
}

/// Answers a test's requests to web services.
pub(crate) type WebService = Box<dyn FnMut(&HttpCall) -> Result<HttpAnswer, HttpError> + Send>;

#[derive(Default)]
struct Web(Option<WebService>);

impl std::fmt::Debug for Web {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Web")
    }
}

/// Where a test's host goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Crashes {
    /// Nowhere.
    #[default]
    Never,
    /// After each commit of a step.
    AfterEachStep,
    /// At the point that it comes to as this one, counted from nought; once.
    #[cfg_attr(not(test), expect(dead_code, reason = "only a test of ours goes so far"))]
    At(usize),
}

/// A place in the host's work at which it may go down: before and after each
/// thing that it writes or sends. (Before a claim is after whatever was last
/// done.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Point {
    /// Runs are claimed.
    AfterClaim,
    /// A call is about to be written down as begun, or is; where it is that
    /// already, its lease is kept.
    BeforeBegin,
    AfterBegin,
    /// A call has come back, and nothing of it is written.
    AfterCall,
    /// A step is about to be committed, or is.
    BeforeCommit,
    AfterCommit,
    /// Events are about to be settled with what they start, or are.
    BeforeMatch,
    AfterMatch,
    /// A schedule is about to fire, or has.
    BeforeFire,
    AfterFire,
    /// An effect is marked as being sent.
    AfterTake,
    /// An effect is sent, and nobody has written that down; or somebody has.
    AfterSend,
    AfterSettle,
}

/// What somebody who pretends answers, and how far they are.
#[derive(Debug)]
struct Script {
    answers: Vec<Answer>,
    /// Which answer is next.
    place: usize,
    /// How often that one was given.
    given: u32,
}

impl Script {
    /// The next answer; none where the real plugin answers.
    fn next(&mut self) -> Option<Answer> {
        loop {
            let answer = self.answers.get(self.place)?;
            let is_last = self.place + 1 == self.answers.len();
            let most = match answer {
                Answer::Fails { times: Some(times), .. } => *times,
                _ if is_last => u32::MAX,
                _ => 1,
            };
            if self.given < most {
                self.given += 1;
                return Some(answer.clone());
            }
            self.place += 1;
            self.given = 0;
        }
    }
}

impl Rig {
    /// From now on an action pretends; with no answers the real plugin
    /// answers.
    pub(crate) fn pretend(&self, action: &str, answers: Vec<Answer>) {
        let script = Script { answers, place: 0, given: 0 };
        self.actions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(action.to_owned(), script);
    }

    /// What the test calls a record.
    pub(crate) fn name(&self, alias: Reference, id: Reference) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(alias, id);
    }

    /// The records by what the test calls them.
    pub(crate) fn names(&self) -> BTreeMap<Reference, Reference> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where the host goes down from now on.
    pub(crate) fn crash(&self, crashes: Crashes) {
        *self.crashes.lock().unwrap_or_else(PoisonError::into_inner) = crashes;
    }

    /// The points that it has come to while it could go down, in order.
    #[cfg(test)]
    pub(crate) fn visited(&self) -> Vec<Point> {
        self.visited.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The effects that were sent, as often as they were.
    #[cfg(test)]
    pub(crate) fn sent(&self) -> Vec<EffectId> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The host comes to a point. Whether it goes down there.
    fn goes_down(&self, point: Point) -> bool {
        let crashes = *self.crashes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut visited = self.visited.lock().unwrap_or_else(PoisonError::into_inner);
        let place = visited.len();
        match crashes {
            Crashes::Never => false,
            Crashes::AfterEachStep => point == Point::AfterCommit,
            Crashes::At(wanted) => {
                visited.push(point);
                place == wanted
            }
        }
    }

    /// From now on this answers the requests of actions.
    pub(crate) fn answer_requests(&self, service: WebService) {
        self.web.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(service);
    }

    /// What an action's request is answered: nothing leaves a test.
    pub(crate) fn web_answer(&self, call: &HttpCall) -> Result<HttpAnswer, HttpError> {
        let mut web = self.web.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut web.0 {
            Some(service) => service(call),
            None => Err(HttpError::Unusable {
                host: "a web service".to_owned(),
                why: "a test sends no requests; let the action pretend (`pretend:`)".to_owned(),
            }),
        }
    }

    /// Waits until the host is down.
    pub(crate) async fn down(&self) {
        self.crashed.notified().await;
    }

    fn answer(&self, action: &str) -> Option<Answer> {
        let mut actions = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
        actions.get_mut(action)?.next()
    }
}

impl App {
    /// Whether this host is a test's.
    pub(crate) fn is_test(&self) -> bool {
        self.inner.rig.is_some()
    }

    /// What an action answers that only pretends; none for one that does not.
    pub(crate) fn pretended(&self, action: &str) -> Option<Result<ActionOutcome, StepFailure>> {
        let rig = self.inner.rig.as_ref()?;
        Some(match rig.answer(action)? {
            Answer::Output(value) => Ok(ActionOutcome::Done(by_id(&value, &rig.names()).to_json())),
            Answer::Skips(why) => Ok(ActionOutcome::Skip(why)),
            Answer::Fails { why, permanent, .. } => Err(StepFailure {
                code: "pretended".to_owned(),
                message: why,
                permanent,
                retry_after_ms: None,
            }),
        })
    }

    /// Where a test wants that: the host goes down here. Nothing after this is
    /// done, as with `kill -9`.
    pub(crate) async fn may_crash(&self, point: Point) {
        let Some(rig) = &self.inner.rig else { return };
        if rig.goes_down(point) {
            rig.crashed.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// Whether a test's host goes down after each step: then none shares its
    /// commit with another.
    pub(crate) fn crashes_after_each_step(&self) -> bool {
        self.inner.rig.as_ref().is_some_and(|rig| {
            let crashes = rig.crashes.lock().unwrap_or_else(PoisonError::into_inner);
            matches!(*crashes, Crashes::AfterEachStep)
        })
    }

    /// A test's host has sent an effect, as far as the test goes.
    pub(crate) fn sent_in_test(&self, effect: EffectId) {
        if let Some(rig) = &self.inner.rig {
            rig.sent.lock().unwrap_or_else(PoisonError::into_inner).push(effect);
        }
    }
}

/// A value with records by their ids.
pub(crate) fn by_id(value: &Value, names: &BTreeMap<Reference, Reference>) -> Value {
    match value {
        Value::Reference(alias) => {
            Value::Reference(names.get(alias).cloned().unwrap_or_else(|| alias.clone()))
        }
        Value::List(items) => Value::List(items.iter().map(|item| by_id(item, names)).collect()),
        Value::Map(parts) => Value::Map(
            parts.iter().map(|(name, part)| (name.clone(), by_id(part, names))).collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(answers: Vec<Answer>, calls: usize) -> Vec<String> {
        let rig = Rig::default();
        rig.pretend("mail.send", answers);
        (0..calls)
            .map(|_| match rig.answer("mail.send") {
                None => "real".to_owned(),
                Some(Answer::Output(value)) => value.to_string(),
                Some(Answer::Skips(why)) => format!("skips {why}"),
                Some(Answer::Fails { why, .. }) => format!("fails {why}"),
            })
            .collect()
    }

    fn fails(why: &str, times: Option<u32>) -> Answer {
        Answer::Fails { why: why.to_owned(), permanent: false, times }
    }

    fn output(text: &str) -> Answer {
        Answer::Output(Value::Text(text.to_owned()))
    }

    #[test]
    fn answers_come_one_after_the_other_and_the_last_one_stays() {
        assert_eq!(said(vec![output("a"), output("b")], 4), ["a", "b", "b", "b"]);
        assert_eq!(said(vec![fails("x", None)], 3), ["fails x", "fails x", "fails x"]);
        assert_eq!(
            said(vec![fails("x", Some(2)), output("a")], 4),
            ["fails x", "fails x", "a", "a"]
        );
        // A failure that is counted goes by, and then the plugin works again.
        assert_eq!(said(vec![fails("x", Some(2))], 3), ["fails x", "fails x", "real"]);
        assert_eq!(said(vec![], 1), ["real"]);
    }
}
