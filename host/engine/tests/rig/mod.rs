//! A run on a workbench: a workflow from YAML, records and a clock moved by
//! hand, and a script of what comes to the run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench for tests")]

mod catalog;
pub(crate) mod judge;
pub(crate) mod maker;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, LazyLock},
};

use relata_engine::{
    ActionOutcome, Call, ChildCall, Due, Event, Halt, Happening, HappeningKind, Input, Outcome,
    Retry, Run, Start, State, Status, StepFailure, decide, due, read_inputs, read_values, watches,
};
use relata_model::{
    Calendar, Change, ChangeKind, EventId, Fields, Objects, Record, Reference, RunId, TimeZone,
    Timestamp, Value, object::parse_time, seed,
};
use relata_workflow::{Definition, Facts, Need};
use serde_json::{Value as Json, json};

/// The standard objects, read once.
pub(crate) static OBJECTS: LazyLock<Objects> = LazyLock::new(Objects::standard);

/// The workflow that a YAML text says.
#[track_caller]
pub(crate) fn workflow(source: &str) -> Definition {
    let (definition, diagnostics) =
        relata_workflow::parse("test.yaml", source, &catalog::catalog());
    match definition {
        Some(definition) => definition,
        None => panic!("{}", relata_workflow::render(&diagnostics, source, false)),
    }
}

/// A time in Berlin.
pub(crate) fn at(written: &str) -> Timestamp {
    parse_time(written, &berlin()).unwrap_or_else(|| panic!("{written} is no time"))
}

/// So many milliseconds later.
pub(crate) fn later(time: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond() + millis).unwrap()
}

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

/// How a time is shown: Berlin's, with seconds where there are any.
pub(crate) fn show(time: Timestamp) -> String {
    let local = time.to_zoned(berlin());
    let form =
        if time.as_millisecond() % 60_000 == 0 { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d %H:%M:%S" };
    local.strftime(form).to_string()
}

/// A value as a script writes it: `a/b` is a record, times are Berlin's.
pub(crate) fn value(written: &str) -> Value {
    if written.is_empty() {
        Value::Nothing
    } else if let Some(time) = parse_time(written, &berlin()) {
        Value::Time(time)
    } else if let Ok(number) = written.parse() {
        Value::Number(number)
    } else if let Ok(reference) = written.parse::<Reference>() {
        Value::Reference(reference)
    } else {
        Value::Text(written.to_owned())
    }
}

/// Records, members and calendars: what a store would hold.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) records: BTreeMap<Reference, Record>,
    pub(crate) members: Vec<(String, Reference)>,
    calendars: BTreeMap<String, Calendar>,
}

impl Default for World {
    fn default() -> Self {
        static CALENDARS: LazyLock<BTreeMap<String, Calendar>> = LazyLock::new(calendars);
        Self { records: BTreeMap::new(), members: Vec::new(), calendars: CALENDARS.clone() }
    }
}

/// The seeded calendars.
fn calendars() -> BTreeMap<String, Calendar> {
    let object = OBJECTS.get("calendar").unwrap();
    seed::records()
        .into_iter()
        .filter(|(name, _)| *name == "calendar")
        .map(|(_, json)| {
            let fields: Fields = json
                .iter()
                .map(|(name, value)| {
                    (name.clone(), object.field(name).unwrap().kind.read(value).unwrap())
                })
                .collect();
            (fields["external_id"].to_string(), Calendar::from_fields(&fields).unwrap())
        })
        .collect()
}

impl World {
    /// Adds a record: `ticket/t1 status=open customer=contact/anna`.
    pub(crate) fn add(&mut self, written: &str) {
        let (reference, fields) = record(written);
        let fields = fields.into_iter().filter(|(_, value)| !value.is_nothing());
        let fields = fields.collect::<Fields>().into();
        self.records.insert(reference.clone(), Record { reference, revision: 1, fields });
    }

    /// Changes a record, or makes a new one. Says what changed.
    pub(crate) fn change(&mut self, written: &str) -> Change {
        let (reference, given) = record(written);
        let before = self.records.get(&reference).map(|record| record.fields.clone());
        let mut image = before.clone().unwrap_or_default();
        let after = Arc::make_mut(&mut image);
        for (name, value) in given {
            if value.is_nothing() {
                after.remove(&name);
            } else {
                after.insert(name, value);
            }
        }
        let kind = if before.is_some() { ChangeKind::Changed } else { ChangeKind::Created };
        let record =
            Record { reference: reference.clone(), revision: 1, fields: Arc::clone(&image) };
        self.records.insert(reference.clone(), record);
        Change { reference, kind, before, after: Some(image) }
    }

    /// A seeded calendar.
    pub(crate) fn calendar(&self, name: &str) -> &Calendar {
        &self.calendars[name]
    }

    fn answer(&self, facts: &mut Facts, need: Need) {
        match need {
            Need::Record(reference) => {
                let record = self.records.get(&reference).cloned();
                facts.records.insert(reference, record);
            }
            Need::Member { segment, record } => {
                let member = self.members.contains(&(segment.clone(), record.clone()));
                facts.members.insert((segment, record), member);
            }
            Need::Calendar(name) => {
                let calendar = self.calendars.get(&name).cloned();
                facts.calendars.insert(name, calendar);
            }
        }
    }

    /// Asks until all that is needed is there.
    pub(crate) fn ask<T>(
        &self,
        mut question: impl FnMut(&Facts) -> Result<T, Halt>,
    ) -> Result<T, String> {
        let mut facts = Facts { zone: berlin(), ..Facts::default() };
        for _ in 0..100 {
            match question(&facts) {
                Ok(answer) => return Ok(answer),
                Err(Halt::Need(need)) => self.answer(&mut facts, need),
                Err(Halt::Rejected(why)) => return Err(why),
            }
        }
        panic!("a question asks for ever");
    }
}

fn record(written: &str) -> (Reference, Vec<(String, Value)>) {
    // A value may hold blanks: `first_reply_at=2026-12-14 10:00`.
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut words = written.split_whitespace();
    let reference = words.next().unwrap().parse().unwrap();
    for word in words {
        match (word.split_once('='), fields.last_mut()) {
            (Some((name, value)), _) => fields.push((name.to_owned(), value.to_owned())),
            (None, Some((_, value))) => write!(value, " {word}").unwrap(),
            (None, None) => panic!("{written}: {word} is no field"),
        }
    }
    (reference, fields.into_iter().map(|(name, written)| (name, value(&written))).collect())
}

/// A run on the bench.
pub(crate) struct Bench {
    pub(crate) def: Definition,
    pub(crate) start: Start,
    pub(crate) run: Run,
    pub(crate) journal: Vec<Event>,
    pub(crate) world: World,
    pub(crate) now: Timestamp,
    pub(crate) calls: Vec<Call>,
    /// The runs of other workflows that it has asked for.
    pub(crate) asked: Vec<ChildCall>,
    pub(crate) trace: String,
    happenings: u128,
    /// Whether the journal is replayed after every input.
    pub(crate) replays: bool,
}

impl Bench {
    /// Starts a run about a record.
    pub(crate) fn start(
        def: Definition,
        world: World,
        subject: Option<&str>,
        now: Timestamp,
    ) -> Self {
        let subject = subject.map(|subject| subject.parse().unwrap());
        let start = Start { subject, ..started(now) };
        Self::begin(def, world, start)
    }

    /// Starts a run with all that it begins with.
    pub(crate) fn begin(def: Definition, world: World, start: Start) -> Self {
        let now = start.now;
        let (run, journal) = Run::start(&def, start.clone());
        Self {
            def,
            start,
            run,
            journal,
            world,
            now,
            calls: Vec::new(),
            asked: Vec::new(),
            trace: String::new(),
            happenings: 0,
            replays: true,
        }
    }

    /// Gives the run an input, and goes on until it is owed something that
    /// somebody else has to do.
    pub(crate) fn give(&mut self, input: Input) -> Result<Due, String> {
        let mut input = Some(input);
        loop {
            if let Some(input) = input.take() {
                let events = self
                    .world
                    .ask(|facts| decide(&self.def, &self.run, input.clone(), facts, self.now))?;
                for event in events {
                    self.run.apply(&self.def, &event);
                    self.tell(&event);
                    self.journal.push(event);
                }
                if self.replays {
                    self.check();
                }
            }
            match self.world.ask(|facts| due(&self.def, &self.run, facts, self.now))? {
                Due::Decide => input = Some(Input::Wake),
                other => return Ok(other),
            }
        }
    }

    /// What must hold after every input.
    fn check(&self) {
        let replayed = Run::replay(&self.def, self.start.clone(), &self.journal);
        assert_eq!(replayed, self.run, "the journal makes another run");
        assert_eq!(self.run.seq, self.journal.len() as u64);
        let stored = serde_json::to_string(&self.run).unwrap();
        assert_eq!(serde_json::from_str::<Run>(&stored).unwrap(), self.run, "{stored}");
        let stored = serde_json::to_string(&self.journal).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Event>>(&stored).unwrap(), self.journal, "{stored}");
    }

    fn tell(&mut self, event: &Event) {
        let step = event.step().map(|step| self.def.step(step));
        let rounds = event.rounds().filter(|rounds| !rounds.is_main());
        let rounds = rounds.map_or_else(String::new, |rounds| format!(" ({rounds})"));
        let label = step
            .map_or_else(String::new, |step| format!("{}{rounds} [{}] ", step.path, step.label));
        let output = event.output().map_or_else(String::new, |output| format!(" => {output}"));
        let colon = if event.explanation().is_empty() { "" } else { ": " };
        writeln!(self.trace, "  {label}{}{colon}{}{output}", event.kind(), event.explanation())
            .unwrap();
    }

    /// Something happens now; the run hears of it if it listens.
    pub(crate) fn happens(&mut self, kind: HappeningKind, own: bool) -> Happening {
        self.happenings += 1;
        Happening {
            id: EventId::from_uuid(uuid(self.happenings)),
            at: self.now,
            kind,
            run: own.then_some(self.run.id),
            workflow: own.then(|| self.run.workflow.clone()),
            depth: 0,
        }
    }

    /// Whether the run listens for it. What it does not listen for means
    /// nothing to it.
    pub(crate) fn listens(&self, happening: &Happening) -> bool {
        let watches = watches(&self.def, &self.run);
        let listens = happening.topics().iter().any(|topic| watches.contains(topic));
        if !listens {
            let input = Input::Happened(happening.clone());
            let decided = self
                .world
                .ask(|facts| decide(&self.def, &self.run, input.clone(), facts, self.now));
            assert_eq!(decided, Ok(Vec::new()), "it does not listen for {happening:?}");
        }
        listens
    }

    /// Plays one line of a script:
    ///
    /// ```text
    /// at 2026-12-14 10:00        the clock moves, and the run wakes
    /// after 3 hours
    /// done {"user": "user/eva"}  the call comes back
    /// skip nobody to tell | postpone 5 minutes | fail timeout | refuse no such user
    /// set ticket/t1 status=open  a record changes (own: by the run itself)
    /// own ticket/t1 status=open
    /// event order.paid key about…
    /// began                      the other run has begun | refused why
    /// ended done {"accepted": true}
    /// ended failed why           the run that was started last has ended
    /// ended 1 failed why         the first that was
    /// cancel why
    /// giveup why                 the host gives the run up
    /// retry {"from": "steps[1]", "set": {"percent": 5}, "why": ""}
    /// crash                      the run is read from the store again
    /// ```
    pub(crate) fn play(&mut self, line: &str) {
        let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let answer = |bench: &Self, result| {
            let call = bench.calls.last().expect("a call to answer");
            Input::Returned(call.returned(result))
        };
        let failure = |permanent| StepFailure {
            code: "test".to_owned(),
            message: rest.to_owned(),
            permanent,
            retry_after_ms: None,
        };
        writeln!(self.trace, "> {}", line.trim()).unwrap();
        let input = match word {
            "wake" => Input::Wake,
            "at" => {
                self.now = at(rest);
                Input::Wake
            }
            "after" => {
                let after = Calendar::always_open(berlin()).after(self.now, rest.parse().unwrap());
                self.now = after.unwrap();
                Input::Wake
            }
            "done" => {
                let output: Json =
                    if rest.is_empty() { json!({}) } else { serde_json::from_str(rest).unwrap() };
                answer(self, Ok(ActionOutcome::Done(output)))
            }
            "skip" => answer(self, Ok(ActionOutcome::Skip(rest.to_owned()))),
            "postpone" => {
                let pause: relata_model::Duration = rest.parse().unwrap();
                let after_ms = u64::try_from(pause.millis).unwrap();
                answer(self, Ok(ActionOutcome::Retry { after_ms, reason: "not yet".to_owned() }))
            }
            "fail" => answer(self, Err(failure(false))),
            "refuse" => answer(self, Err(failure(true))),
            "crash" => {
                let replayed = Run::replay(&self.def, self.start.clone(), &self.journal);
                let stored = serde_json::to_string(&replayed).unwrap();
                self.run = serde_json::from_str(&stored).unwrap();
                Input::Wake
            }
            "began" => Input::Child(self.asked.last().unwrap().clone().began()),
            "refused" => Input::Child(self.asked.last().unwrap().clone().refused(rest)),
            "ended" => {
                let (first, behind) = rest.split_once(' ').unwrap_or((rest, ""));
                let (place, rest) = match first.parse::<usize>() {
                    Ok(number) => (number - 1, behind),
                    Err(_) => (self.asked.len() - 1, rest),
                };
                let (outcome, more) = rest.split_once(' ').unwrap_or((rest, ""));
                let child = self.asked[place].child;
                let kind = told(child, outcome, more);
                let happening = self.happens(kind, false);
                if !self.listens(&happening) {
                    writeln!(self.trace, "  (does not listen)").unwrap();
                    return;
                }
                Input::Happened(happening)
            }
            "cancel" => Input::Cancel { why: rest.to_owned() },
            "giveup" => Input::GiveUp { why: rest.to_owned() },
            "retry" => {
                let asked: Json =
                    if rest.is_empty() { json!({}) } else { serde_json::from_str(rest).unwrap() };
                let from = asked["from"]
                    .as_str()
                    .map(|path| self.def.steps.iter().find(|step| step.path == path).unwrap().id);
                let given = match Value::from_json(&asked["set"]) {
                    Value::Map(given) => given,
                    _ => BTreeMap::new(),
                };
                let values = match read_values(&self.def, &self.run, &given) {
                    Ok(values) => values,
                    Err(errors) => {
                        for error in errors {
                            writeln!(self.trace, "  (wrong: {error})").unwrap();
                        }
                        return;
                    }
                };
                let why = asked["why"].as_str().unwrap_or_default().to_owned();
                Input::Retry(Retry { from, values, why })
            }
            "set" | "own" => {
                let change = self.world.change(rest);
                let happening = self.happens(HappeningKind::Change(change), word == "own");
                if !self.listens(&happening) {
                    writeln!(self.trace, "  (does not listen)").unwrap();
                    return;
                }
                Input::Happened(happening)
            }
            "event" => {
                let mut words = rest.split_whitespace();
                let name = words.next().unwrap().to_owned();
                let key = words.next().filter(|key| *key != "-").map(str::to_owned);
                let about = words.map(|word| word.parse().unwrap()).collect();
                let kind = HappeningKind::Named { name, key, about, data: Value::Nothing };
                let happening = self.happens(kind, false);
                if !self.listens(&happening) {
                    writeln!(self.trace, "  (does not listen)").unwrap();
                    return;
                }
                Input::Happened(happening)
            }
            other => panic!("`{other}` is no word of the script"),
        };
        let due = self.give(input);
        self.owed(due);
    }

    fn owed(&mut self, due: Result<Due, String>) {
        let told = match due {
            Err(why) => format!("rejected: {why}"),
            Ok(Due::Ended(outcome)) => format!("ended: {}", outcome.describe()),
            Ok(Due::Sleep { until: None }) => "sleeps".to_owned(),
            Ok(Due::Sleep { until: Some(until) }) => format!("sleeps until {}", show(until)),
            Ok(Due::Decide) => unreachable!("decided already"),
            Ok(Due::Run(call)) => {
                let input: Vec<_> =
                    call.input.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                let told =
                    format!("runs {} with {} as {}", call.workflow, input.join(", "), call.child);
                self.asked.push(call);
                told
            }
            Ok(Due::Call(call)) => {
                let lane = call
                    .exclusive
                    .as_ref()
                    .map_or_else(String::new, |key| format!(" alone in {key}"));
                let told = format!(
                    "calls {} {} (attempt {}){lane}",
                    call.action, call.input, call.attempt
                );
                self.calls.push(call);
                told
            }
        };
        writeln!(self.trace, "= {told}").unwrap();
    }
}

/// What tells the end of a run that another one started.
pub(crate) fn told(child: RunId, outcome: &str, more: &str) -> HappeningKind {
    let outcome = match outcome {
        "done" => Outcome::Done,
        "failed" => Outcome::Failed { step: "steps[0]".to_owned(), why: more.to_owned() },
        "stopped" => Outcome::Stopped { outcome: "stopped".to_owned(), why: more.to_owned() },
        "cancelled" => Outcome::Cancelled { why: more.to_owned() },
        other => panic!("`{other}` is no outcome"),
    };
    let outputs = match (&outcome, more) {
        (Outcome::Done, more) if !more.is_empty() => {
            Value::from_json(&serde_json::from_str(more).unwrap())
        }
        _ => Value::Nothing,
    };
    let state = State { outputs, ..State::default() };
    let run = Run {
        id: child,
        workflow: "other".to_owned(),
        version: "v1".to_owned(),
        subject: None,
        key: None,
        parent: Some(RunId::from_uuid(uuid(7))),
        started_at: Timestamp::UNIX_EPOCH,
        seq: 0,
        status: Status::Ended(outcome),
        state,
    };
    run.told().unwrap()
}

pub(crate) fn uuid(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}

/// Plays a script against a workflow and shows all that follows.
#[track_caller]
pub(crate) fn check(
    source: &str,
    world: &[&str],
    start: &str,
    script: &str,
    expected: expect_test::Expect,
) {
    check_with(source, world, start, "{}", script, expected);
}

/// The same for a run that is given inputs, an object of JSON.
#[track_caller]
pub(crate) fn check_with(
    source: &str,
    world: &[&str],
    start: &str,
    inputs: &str,
    script: &str,
    expected: expect_test::Expect,
) {
    let def = workflow(source);
    let mut records = World::default();
    for record in world {
        records.add(record);
    }
    let (subject, time) = start.split_once(' ').unwrap();
    let Value::Map(given) = Value::from_json(&serde_json::from_str(inputs).unwrap()) else {
        panic!("{inputs} are no inputs");
    };
    let start = Start {
        inputs: read_inputs(&def, &given).unwrap(),
        subject: (subject != "-").then(|| subject.parse().unwrap()),
        ..started(at(time))
    };
    let mut bench = Bench::begin(def, records, start);
    bench.play("wake");
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        bench.play(line);
    }
    expected.assert_eq(&bench.trace);
}

/// What a run begins with that is about nothing.
pub(crate) fn started(now: Timestamp) -> Start {
    Start {
        id: RunId::from_uuid(uuid(7)),
        version: "v1".to_owned(),
        subject: None,
        key: None,
        inputs: BTreeMap::new(),
        happening: None,
        parent: None,
        now,
    }
}
