//! Cases and their plays.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use relata_model::{Calendar, Duration, Fields, Reference, Value};

use super::{
    Case, Deed, Entry as Beat, Expectation, Given, Pretend, Pretended, Reader, Target, When,
    read::{Keys, given_names},
    values::json,
};
use crate::{
    definition::{Input, Trigger},
    diagnostic::{self as codes, Place},
    read::schema::Wanted,
    source::{Entry, Node},
};

/// The object of questions that people answer.
const APPROVAL: &str = "approval";

/// What can happen in a play.
const DEEDS: [&str; 8] =
    ["create", "change", "delete", "event", "answer", "press", "start", "webhook"];

impl Reader<'_> {
    pub(super) fn cases(&mut self, entry: &Entry, start: Option<DateTime>) -> Vec<Case> {
        let items = self.items(entry);
        if items.is_empty() && !entry.value.is_spoiled() {
            let help = Some("add `- it: …` with `play:`".to_owned());
            self.error(codes::MISSING_KEY, entry.key_place, "the test has no cases", help);
        }
        let mut cases: Vec<Case> = Vec::new();
        for node in items {
            // A name is known from where it is given; what one case gives is
            // no other's.
            let outer = self.known.clone();
            let case = self.case(node, start);
            self.known = outer;
            let Some(case) = case else { continue };
            if let Some(same) = cases.iter().find(|other| other.it == case.it) {
                let line = same.span.line;
                let place = Place { start: case.span.start, end: case.span.end };
                let message = format!("the case of line {line} is called the same");
                let help = Some("say what is special about each".to_owned());
                self.error(codes::WRONG_NAME, place, message, help);
            }
            cases.push(case);
        }
        cases
    }

    fn case(&mut self, node: &Node, start: Option<DateTime>) -> Option<Case> {
        let mut keys = self.keys(node, "a case")?;
        let title = keys.take("it");
        if title.is_none() {
            let help = Some("add `it: does this when that`".to_owned());
            let message = "the case does not say what it is about";
            self.error(codes::MISSING_KEY, keys.place(), message, help);
        }
        let it = title.and_then(|entry| self.plain_text(entry)).map(str::to_owned);
        let place = title.map_or_else(|| keys.place(), |entry| entry.value.place);
        let span = self.span(place);
        let given_entry = keys.take("given");
        if let Some(entry) = given_entry {
            self.known.extend(given_names(entry));
        }
        let given: Vec<Given> = given_entry.map(|entry| self.given(entry)).unwrap_or_default();
        let pretend: Vec<Pretend> =
            keys.take("pretend").map(|entry| self.pretend(entry)).unwrap_or_default();
        let repeat_at = keys.take("repeat_at").map(|entry| self.times(entry)).unwrap_or_default();
        let crash = keys.take("crash_after_every_step").and_then(|entry| self.yes_no(entry));
        let play_entry = keys.take("play");
        self.has_mistaken = false;
        let play = match play_entry {
            Some(entry) => self.play(entry, start),
            None => {
                let help = Some("add `play:` with `- at: …` and `- expect: …`".to_owned());
                self.error(codes::MISSING_KEY, keys.place(), "nothing is played", help);
                Vec::new()
            }
        };
        self.unknown_keys(&keys, "a case");
        if play_entry.is_some_and(|entry| !entry.value.is_spoiled())
            && !self.has_mistaken
            && !play
                .iter()
                .any(|beat| beat.expect.as_ref().is_some_and(Expectation::says_something))
        {
            let help = Some("add `- expect: done`, say".to_owned());
            let message = "the case expects nothing, so that it could never fail";
            self.error(codes::EXPECTS_NOTHING, place, message, help);
        }
        let crash_after_every_step = crash.unwrap_or(false);
        Some(Case { it: it?, span, given, pretend, repeat_at, crash_after_every_step, play })
    }

    fn times(&mut self, entry: &Entry) -> Vec<DateTime> {
        let items = self.items(entry);
        items
            .iter()
            .filter_map(|node| {
                let text = self.text_of(node, "a time")?;
                self.time_of(&text, node.place)
            })
            .collect()
    }

    fn play(&mut self, entry: &Entry, start: Option<DateTime>) -> Vec<Beat> {
        let mut beats = Vec::new();
        // What the clock shows, where that is known.
        let mut clock = start;
        let items = self.items(entry);
        for node in items {
            let Some(beat) = self.beat(node, &mut clock) else { continue };
            beats.push(beat);
        }
        if clock.is_none()
            && let Some(first) = items.first()
            && !items.iter().any(Node::is_spoiled)
            && beats.len() == items.len()
        {
            let help =
                Some("begin with `at: 2026-12-14 10:00`, or give the file a `start:`".to_owned());
            self.error(codes::MISSING_KEY, first.place, "nobody says when this plays", help);
        }
        beats
    }

    fn beat(&mut self, node: &Node, clock: &mut Option<DateTime>) -> Option<Beat> {
        let mut keys = self.keys(node, "an entry of a play")?;
        let span = self.span(keys.place());
        let (when, moves) = self.when(&mut keys, clock);
        let mut pretend: Vec<Pretend> =
            keys.take("pretend").map(|entry| self.pretend(entry)).unwrap_or_default();
        pretend.retain(|pretend| self.may_change(pretend));
        let deed_entry = DEEDS.into_iter().find_map(|key| keys.take(key));
        let deed = match deed_entry {
            Some(entry) => self.deed(entry, &mut keys),
            None => None,
        };
        let expect = self.expectation(&mut keys);
        let forgotten = expect.is_none() && self.forgotten(&mut keys);
        if deed_entry.is_none() && expect.is_none() && !moves && pretend.is_empty() {
            if !forgotten {
                self.does_nothing(&keys);
            }
        } else {
            self.unknown_keys(&keys, "this entry");
        }
        Some(Beat { span, when, pretend, deed, expect })
    }

    /// Whether something may pretend from the middle of a play on: an action,
    /// but not what the workflow itself is made of.
    fn may_change(&mut self, pretend: &Pretend) -> bool {
        let what = match &pretend.what {
            Pretended::Action { .. } => return true,
            Pretended::Arm { split, .. } => split,
            Pretended::Workflow { workflow, .. } => workflow,
        };
        let message = format!("`{what}` pretends for a whole case, not from here on");
        let help = Some("write it into the case's own `pretend:`".to_owned());
        let place = Place { start: pretend.span.start, end: pretend.span.end };
        self.error(codes::WRONG_FORM, place, message, help);
        false
    }

    fn does_nothing(&mut self, keys: &Keys<'_>) {
        let near = DEEDS.into_iter().chain(["expect", "go_to", "wait"]);
        let slip = keys.rest().find_map(|entry| {
            codes::did_you_mean(&entry.key, near.clone()).map(|help| (entry, help))
        });
        match slip {
            Some((entry, help)) => {
                let message = format!("an entry of a play has no key `{}`", entry.key);
                self.error(codes::UNKNOWN_KEY, entry.key_place, message, Some(help));
            }
            None => {
                let known = near.collect::<Vec<_>>().join(", ");
                let help = Some(format!("write one of {known}"));
                let message = "this entry does not say what happens";
                self.error(codes::MISSING_KEY, keys.place(), message, help);
            }
        }
    }

    /// `at`, `go_to`, `after` or `wait`; also whether any of them is there.
    fn when(&mut self, keys: &mut Keys<'_>, clock: &mut Option<DateTime>) -> (When, bool) {
        let mut found = ["at", "go_to", "after", "wait"]
            .into_iter()
            .filter_map(|key| keys.take(key))
            .collect::<Vec<_>>()
            .into_iter();
        let Some(entry) = found.next() else { return (When::Now, false) };
        for other in found {
            let message = format!("`{}` and `{}` both move the clock", entry.key, other.key);
            let help = Some("write an entry for each".to_owned());
            self.error(codes::WRONG_FORM, other.key_place, message, help);
        }
        let when = if matches!(entry.key.as_str(), "at" | "go_to") {
            self.local_time(entry).map(|time| {
                if clock.is_some_and(|clock| time < clock) {
                    let shown = clock.map_or_else(String::new, shown);
                    let message = format!("the clock shows {shown} by then, and never goes back");
                    self.error(codes::TIME_GOES_BACK, entry.value.place, message, None);
                }
                *clock = Some(time);
                When::At(time)
            })
        } else {
            self.duration(entry).map(|duration| {
                *clock = clock.and_then(|clock| later(clock, duration, &self.zone));
                When::After(duration)
            })
        };
        (when.unwrap_or(When::Now), true)
    }

    /// A duration by which the clock goes on.
    fn duration(&mut self, entry: &Entry) -> Option<Duration> {
        let text = self.plain_text(entry)?.to_owned();
        match text.parse::<Duration>() {
            Ok(duration) if duration.is_working() => {
                let message = "the clock of a test counts no working time";
                let help = Some("write hours or days, or the time with `go_to:`".to_owned());
                self.error(codes::NO_CALENDAR, entry.value.place, message, help);
                None
            }
            Ok(duration) => Some(duration),
            Err(why) => {
                self.error(codes::WRONG_VALUE, entry.value.place, why.to_string(), None);
                None
            }
        }
    }

    fn deed(&mut self, entry: &Entry, keys: &mut Keys<'_>) -> Option<Deed> {
        match entry.key.as_str() {
            "create" => self.create(entry, keys),
            "change" => {
                let set = keys.take("set");
                let (target, object) = self.target(entry)?;
                let Some(set) = set else {
                    let help = Some("add `set: { status: open }`, say".to_owned());
                    self.error(codes::MISSING_KEY, entry.key_place, "nothing changes", help);
                    return None;
                };
                let fields = self.fields(&set.value, &object, "`set`")?;
                Some(Deed::Change { target, fields })
            }
            "delete" => self.target(entry).map(|(target, _)| Deed::Delete { target }),
            "event" => self.event(entry, keys),
            "answer" => self.answer_given(entry, keys),
            "press" => self.press(entry, keys),
            "start" => self.start(entry, keys),
            _ => self.webhook(entry, keys),
        }
    }

    fn create(&mut self, entry: &Entry, keys: &mut Keys<'_>) -> Option<Deed> {
        let set = keys.take("set");
        let text = self.plain_text(entry)?.to_owned();
        let (record, object) = self.new_record(&text, entry.value.place)?;
        if self.known.contains(&record) {
            let message = format!("the test has a record `{record}` already");
            let help = Some("choose another name, or write `change:`".to_owned());
            self.error(codes::WRONG_NAME, entry.value.place, message, help);
            return None;
        }
        let mut fields = match set {
            Some(set) => self.fields(&set.value, &object, "`set`")?,
            None => Fields::new(),
        };
        self.fill_in(&mut fields, &object, &record, entry.value.place);
        self.known.insert(record.clone());
        Some(Deed::Create { record, fields })
    }

    fn event(&mut self, entry: &Entry, keys: &mut Keys<'_>) -> Option<Deed> {
        let (about_entry, data_entry) = (keys.take("about"), keys.take("data"));
        let name = self.plain_text(entry)?.to_owned();
        let objects = &self.context.catalog.objects;
        let Some((object, event)) = objects.event(&name) else {
            let known: Vec<&str> = objects.event_names().collect();
            let help = codes::mean_or_list(&name, known.into_iter());
            let message = format!("no object declares an event `{name}`");
            self.error(codes::UNKNOWN_EVENT, entry.value.place, message, help);
            return None;
        };
        let (object, event) = (object.clone(), event.clone());
        let about = match about_entry {
            Some(entry) => Some(self.record_of(entry)?),
            None if event.about.is_empty() => None,
            None => {
                let help = Some("add `about: contact/anna`, say".to_owned());
                let message = format!("`{name}` is about somebody, and nobody is named");
                self.error(codes::MISSING_KEY, entry.key_place, message, help);
                return None;
            }
        };
        if let (Some(about), Some(entry)) = (&about, about_entry)
            && about.object != object.name
            && !event.about.iter().filter_map(|field| object.field(field)).any(|field| {
                matches!(&field.kind, relata_model::FieldType::Reference(objects)
                    if objects.is_empty() || objects.contains(&about.object))
            })
        {
            let message = format!("`{name}` is never about {}", super::read::named(&about.object));
            self.error(codes::UNRELATED, entry.value.place, message, None);
            return None;
        }
        let data = match data_entry {
            Some(entry) => self.fields(&entry.value, &object, "`data`")?,
            None => Fields::new(),
        };
        Some(Deed::Event { name, about, data })
    }

    /// `answer: sales-lead`, `with: approve`
    fn answer_given(&mut self, entry: &Entry, keys: &mut Keys<'_>) -> Option<Deed> {
        let (with, by, comment) = (keys.take("with"), keys.take("by"), keys.take("comment"));
        let by = match by {
            Some(by) => Some(self.record_of(by)?),
            None => None,
        };
        let comment = comment.and_then(|entry| self.plain_text(entry)).map(str::to_owned);
        if self.context.catalog.objects.get(APPROVAL).is_none() {
            let message = "there is nothing that could be answered: no object `approval`";
            self.error(codes::UNKNOWN_OBJECT, entry.key_place, message, None);
            return None;
        }
        let whom = self.plain_text(entry)?.to_owned();
        let (role, user) = if whom.contains('/') {
            let user =
                self.reference(&whom, &["user".to_owned()], "`answer`", entry.value.place)?;
            (None, Some(user))
        } else {
            (Some(whom), None)
        };
        let Some(with) = with else {
            let help = Some("add `with: approve`, say".to_owned());
            self.error(codes::MISSING_KEY, entry.key_place, "the answer is missing", help);
            return None;
        };
        let answer = self.plain_text(with)?.to_owned();
        Some(Deed::Answer { role, user, answer, by, comment })
    }

    /// `press: Offer a discount`
    fn press(&mut self, entry: &Entry, keys: &mut Keys<'_>) -> Option<Deed> {
        let (about, with) = (keys.take("about"), keys.take("with"));
        let about = match about {
            Some(about) => Some(self.record_of(about)?),
            None => None,
        };
        let button = self.plain_text(entry)?.to_owned();
        let buttons: Vec<(String, String)> = self
            .active()
            .into_iter()
            .flat_map(|definition| {
                definition.triggers.iter().filter_map(|trigger| match trigger {
                    Trigger::Button(button) => {
                        Some((button.label.clone(), definition.name.clone()))
                    }
                    _ => None,
                })
            })
            .collect();
        let Some((_, workflow)) = buttons.iter().find(|(label, _)| *label == button) else {
            if self.definition().is_some() {
                let help = codes::mean_or_list(&button, buttons.iter().map(|(label, _)| &**label));
                let message = format!("no button is called `{button}`");
                self.error(codes::UNKNOWN_STEP, entry.value.place, message, help);
            }
            return None;
        };
        let with = self.inputs(workflow, with)?;
        Some(Deed::Press { button, about, with })
    }

    /// `start: discount-offer`
    fn start(&mut self, entry: &Entry, keys: &mut Keys<'_>) -> Option<Deed> {
        let (about, with) = (keys.take("about"), keys.take("with"));
        let about = match about {
            Some(about) => Some(self.record_of(about)?),
            None => None,
        };
        let workflow = self.plain_text(entry)?.to_owned();
        self.workflow_named(&workflow, entry.value.place)?;
        let with = self.inputs(&workflow, with)?;
        Some(Deed::Start { workflow, about, with })
    }

    fn webhook(&mut self, entry: &Entry, keys: &mut Keys<'_>) -> Option<Deed> {
        let body = keys.take("body");
        let name = self.plain_text(entry)?.to_owned();
        let webhooks: Vec<String> = self
            .active()
            .into_iter()
            .flat_map(|definition| &definition.triggers)
            .filter_map(|trigger| match trigger {
                Trigger::Webhook(webhook) => Some(webhook.name.clone()),
                _ => None,
            })
            .collect();
        if !webhooks.contains(&name) {
            if self.definition().is_some() {
                let help = codes::mean_or_list(&name, webhooks.iter().map(String::as_str));
                let message = format!("no webhook is called `{name}`");
                self.error(codes::UNKNOWN_STEP, entry.value.place, message, help);
            }
            return None;
        }
        let body = body.map_or(serde_json::json!({}), |entry| json(&entry.value));
        Some(Deed::Webhook { name, body })
    }

    /// The inputs that a run is started with.
    fn inputs(&mut self, workflow: &str, with: Option<&Entry>) -> Option<BTreeMap<String, Value>> {
        let inputs: &[Input] = &self.definition_of(workflow)?.inputs;
        let mut values = BTreeMap::new();
        if let Some(with) = with {
            let entries = self.keys(&with.value, "`with`")?.entries;
            for entry in entries {
                let Some(input) = inputs.iter().find(|input| input.name == entry.key) else {
                    let known = inputs.iter().map(|input| input.name.as_str());
                    let help = codes::mean_or_list(&entry.key, known);
                    let message = format!("`{workflow}` has no input `{}`", entry.key);
                    self.error(codes::UNKNOWN_ARGUMENT, entry.key_place, message, help);
                    continue;
                };
                let wanted = Wanted::of_type(&input.slot.kind);
                if let Some(value) = self.value(&entry.value, &wanted, &format!("`{}`", entry.key))
                {
                    values.insert(entry.key.clone(), value);
                }
            }
        }
        Some(values)
    }
}

impl Expectation {
    /// Whether anything could come out otherwise.
    #[must_use]
    pub fn says_something(&self) -> bool {
        self.status.is_some()
            || self.until.is_some()
            || self.reason.is_some()
            || self.outcome.is_some()
            || self.nothing_sent.is_some()
            || self.sent.is_some()
            || self.not_started.is_some()
            || !self.outputs.is_empty()
            || !self.calls.is_empty()
            || !self.records.is_empty()
            || !self.created.is_empty()
    }
}

impl Target {
    /// The record, where it has a name of its own.
    #[must_use]
    pub const fn record(&self) -> Option<&Reference> {
        match self {
            Self::Record(record) => Some(record),
            Self::Newest(_) => None,
        }
    }
}

/// So much later on the clock of a zone.
pub(super) fn later(
    clock: DateTime,
    by: Duration,
    zone: &relata_model::TimeZone,
) -> Option<DateTime> {
    let from = zone.to_ambiguous_timestamp(clock).compatible().ok()?;
    let after = Calendar::always_open(zone.clone()).after(from, by)?;
    Some(after.to_zoned(zone.clone()).datetime())
}

/// A local time for a message.
fn shown(time: DateTime) -> String {
    time.strftime("%Y-%m-%d %H:%M").to_string()
}
