//! Who is in a workflow and who was, in memory: what the store decides in one
//! statement (`Tx::enrolment_try`), decided the same way.

use std::collections::{BTreeSet, HashMap, VecDeque};

use relata_engine::Happening;
use relata_model::{RunId, Timestamp};
use relata_store::{PastFilter, PastRun};
use relata_workflow::{Definition, Repeat, WhileRunning};

use crate::{App, AppError};

/// So many runs are read at once.
const PAGE: u32 = 5_000;

/// For whom a workflow runs or has run, by the value of `one_per`.
#[derive(Debug, Default)]
pub(crate) struct Enrolments {
    places: HashMap<String, Enrolled>,
    waiting: HashMap<String, VecDeque<Happening>>,
    /// Runs that began before the time of the backtest, by when they end.
    former: BTreeSet<(Timestamp, String)>,
}

#[derive(Debug, Clone, Copy)]
struct Enrolled {
    run: RunId,
    counted_at: Option<Timestamp>,
    running: bool,
}

/// Whether a run that would begin has its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// It has; the run that gives it up is to end.
    Taken {
        /// `while_running: restart`.
        replaces: Option<RunId>,
    },
    /// A run for the same goes on.
    Running(RunId),
    /// Too early, or never again.
    Blocked {
        /// The run before.
        run: RunId,
        /// When that one counted.
        counted_at: Timestamp,
    },
}

impl Enrolments {
    /// Who was in a workflow when the time of the backtest begins.
    pub(crate) async fn read(
        app: &App,
        definition: &Definition,
        repeat: &Repeat,
        from: Timestamp,
    ) -> Result<Self, AppError> {
        let mut enrolments = Self::default();
        let step =
            |name: &String| definition.steps.iter().find(|step| step.name.as_ref() == Some(name));
        let filter = PastFilter {
            workflow: definition.name.clone(),
            before: from,
            counted_from: repeat.counted_from.as_ref().and_then(step).map(|step| step.path.clone()),
        };
        let mut after = None;
        loop {
            let page = app.store().run_past(&filter, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.run);
            for past in page {
                enrolments.remember(past, repeat, from);
            }
        }
        Ok(enrolments)
    }

    fn remember(&mut self, past: PastRun, repeat: &Repeat, from: Timestamp) {
        // What counted stays until something later counts.
        let before = self.places.get(&past.key).and_then(|before| before.counted_at);
        let counted_at = match repeat.counted_from {
            None => Some(past.started_at),
            Some(_) => past.counted_at.or(before),
        };
        let running = past.ended_at.is_none_or(|ended| ended >= from);
        if let Some(ended) = past.ended_at.filter(|_| running) {
            self.former.insert((ended, past.key.clone()));
        }
        self.places.insert(past.key, Enrolled { run: past.run, counted_at, running });
    }

    /// Takes the place of a run that would begin, if it is to be had.
    pub(crate) fn take(
        &mut self,
        repeat: &Repeat,
        key: &str,
        run: RunId,
        blocked_since: Option<Option<Timestamp>>,
        now: Timestamp,
    ) -> Place {
        let beside = matches!(repeat.while_running, WhileRunning::Restart | WhileRunning::Parallel);
        let counted = Some(now).filter(|_| repeat.counted_from.is_none());
        let Some(present) = self.places.get_mut(key) else {
            self.places
                .insert(key.to_owned(), Enrolled { run, counted_at: counted, running: true });
            return Place::Taken { replaces: None };
        };
        // Never again is before the beginning of time.
        let again = blocked_since.flatten();
        let counts =
            present.counted_at.filter(|counted_at| again.is_none_or(|again| *counted_at > again));
        match counts {
            Some(counted_at) if beside || !present.running => {
                Place::Blocked { run: present.run, counted_at }
            }
            None if beside || !present.running => {
                let replaces = (repeat.while_running == WhileRunning::Restart && present.running)
                    .then_some(present.run);
                present.counted_at = counted.or(present.counted_at);
                (present.run, present.running) = (run, true);
                Place::Taken { replaces }
            }
            _ => Place::Running(present.run),
        }
    }

    /// From now on `again_after` counts: the step that `counted_from` names
    /// is done.
    pub(crate) fn count(&mut self, key: &str, run: RunId, now: Timestamp) {
        if let Some(present) = self.places.get_mut(key).filter(|present| present.run == run) {
            present.counted_at = Some(now);
        }
    }

    /// A run has ended; whether it gave up a place.
    pub(crate) fn end(&mut self, key: &str, run: RunId) -> bool {
        match self.places.get_mut(key) {
            Some(present) if present.run == run && present.running => {
                present.running = false;
                true
            }
            _ => false,
        }
    }

    /// When the next run from before ends.
    pub(crate) fn next_end(&self) -> Option<Timestamp> {
        self.former.first().map(|(at, _)| *at)
    }

    /// Ends the runs from before that end by now; the keys that are free.
    pub(crate) fn end_former(&mut self, now: Timestamp) -> Vec<String> {
        let mut freed = Vec::new();
        while let Some((_, key)) = self.former.first().filter(|(at, _)| *at <= now).cloned() {
            self.former.pop_first();
            if let Some(present) = self.places.get_mut(&key).filter(|present| present.running) {
                present.running = false;
                freed.push(key);
            }
        }
        freed
    }

    /// Lets a start wait; how many wait with it.
    pub(crate) fn wait(&mut self, key: &str, happening: Happening) -> usize {
        let waiting = self.waiting.entry(key.to_owned()).or_default();
        waiting.push_back(happening);
        waiting.len()
    }

    /// How many starts wait for the same.
    pub(crate) fn waiting(&self, key: &str) -> usize {
        self.waiting.get(key).map_or(0, VecDeque::len)
    }

    /// The first start that waits for the same.
    pub(crate) fn next_waiting(&mut self, key: &str) -> Option<Happening> {
        self.waiting.get_mut(key)?.pop_front()
    }

    /// Lets a start wait that had its turn, before all others.
    pub(crate) fn wait_on(&mut self, key: &str, happening: Happening) {
        self.waiting.entry(key.to_owned()).or_default().push_front(happening);
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use uuid::Uuid;

    use super::*;

    fn run(number: u128) -> RunId {
        RunId::from_uuid(Uuid::from_u128(number))
    }

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(day * 86_400).expect("a time")
    }

    /// Starts of a run a day, all for Anna; `counted` after the second.
    fn check(while_running: WhileRunning, counted_from: Option<&str>, expected: Expect) {
        let one_per = relata_workflow::Formula::parse_condition(
            "true",
            &std::collections::BTreeMap::new(),
            &relata_model::Objects::standard(),
        )
        .expect("a formula");
        let repeat = Repeat {
            one_per,
            again_after: None,
            counted_from: counted_from.map(str::to_owned),
            while_running,
        };
        let mut enrolments = Enrolments::default();
        let mut told = Vec::new();
        for number in 1..=5 {
            let now = day(number);
            let back = Some(Some(day(number - 2)));
            let place = enrolments.take(&repeat, "anna", run(number as u128), back, now);
            told.push(match place {
                Place::Taken { replaces: None } => "taken".to_owned(),
                Place::Taken { replaces: Some(other) } => {
                    format!("taken from {}", other.as_uuid().as_u128())
                }
                Place::Running(other) => format!("{} runs", other.as_uuid().as_u128()),
                Place::Blocked { run, .. } => format!("{} was there", run.as_uuid().as_u128()),
            });
            if number == 2 {
                enrolments.count("anna", run(1), now);
                enrolments.end("anna", run(1));
            }
        }
        expected.assert_eq(&told.join(", "));
    }

    #[test]
    fn the_place_is_given_as_the_store_gives_it() {
        check(WhileRunning::Ignore, None, expect!["taken, 1 runs, 1 was there, taken, 4 runs"]);
        check(
            WhileRunning::Ignore,
            Some("mail"),
            expect!["taken, 1 runs, 1 was there, taken, 4 runs"],
        );
        check(
            WhileRunning::Restart,
            Some("mail"),
            expect!["taken, taken from 1, taken from 2, taken from 3, taken from 4"],
        );
        check(
            WhileRunning::Parallel,
            None,
            expect!["taken, 1 was there, 1 was there, taken, 4 was there"],
        );
    }
}
