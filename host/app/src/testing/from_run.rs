//! A test made of what a run really did: the records as they were before it,
//! what happened to them, what was pretended by nobody but could come out
//! otherwise, and what the run did.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use relata_engine::{HappeningKind, Outcome, Status};
use relata_model::{
    Change, ChangeKind, FieldType, Fields, ObjectDefinition, RecordId, Reference, RunId, TimeZone,
    Timestamp, Value,
};
use relata_store::{LogRow, LoggedEvent, RunRow};
use relata_workflow::Definition;
use serde_json::{Map, Value as Json};

use crate::{App, AppError, testing::yaml::Yaml};

/// What happened so shortly before a run is what started it, and what comes
/// so shortly after something belongs to the same moment.
const MOMENT_MS: i64 = 60_000;

/// How many entries of a record's log are looked at.
const LONGEST: u32 = 1_000;

/// How far from the run's own record others are that the test gives.
const FARTHEST: usize = 4;

/// Objects that a test has already.
const SHARED: [&str; 5] = ["calendar", "queue", "segment", "survey", "team"];

impl App {
    /// A test of what a run did, as the text of a file. People's names,
    /// addresses and long texts are not in it; other texts are.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is no such run.
    pub async fn test_of_run(&self, id: RunId) -> Result<String, AppError> {
        let row = self.store().run_fetch(id).await?.ok_or_else(|| {
            AppError::wrong(format!("there is no run {id}; `relata runs` lists them"))
        })?;
        let definition = self.version(&row.run.version).await?;
        let log = self.store().run_log(id).await?;
        let mut draft = Draft {
            app: self,
            definition: &definition,
            from: moved(row.run.started_at, -MOMENT_MS),
            row,
            log,
            known: BTreeMap::new(),
            aliases: BTreeMap::new(),
            people: Vec::new(),
            zone: self.zone(),
        };
        draft.find().await?;
        draft.written().await
    }
}

/// A test in the making.
struct Draft<'a> {
    app: &'a App,
    definition: &'a Definition,
    row: RunRow,
    log: Vec<LogRow>,
    /// From when on what happens is part of the play.
    from: Timestamp,
    /// The records that the test knows, with their logs.
    known: BTreeMap<Reference, Vec<LoggedEvent>>,
    aliases: BTreeMap<Reference, Reference>,
    /// What people are called, and what stands in its place.
    people: Vec<(String, String)>,
    zone: TimeZone,
}

/// Something in the play.
struct Scene {
    at: Timestamp,
    /// What somebody else did, as the lines of an entry.
    deed: Option<Yaml>,
}

impl Draft<'_> {
    fn to(&self) -> Timestamp {
        self.row.ended_at.unwrap_or_else(|| self.app.now())
    }

    /// Finds the records that belong into the test.
    async fn find(&mut self) -> Result<(), AppError> {
        let mut wanted: BTreeSet<Reference> = self.row.run.subject.iter().cloned().collect();
        for row in &self.log {
            for json in [&row.input, &row.output].into_iter().flatten() {
                references(json, &mut wanted);
            }
        }
        for _ in 0..FARTHEST {
            let mut next = BTreeSet::new();
            for reference in std::mem::take(&mut wanted) {
                if self.known.contains_key(&reference)
                    || SHARED.contains(&reference.object.as_str())
                    || self.app.objects().get(&reference.object).is_none()
                {
                    continue;
                }
                let events = self.app.store().event_list(&reference, None, LONGEST).await?;
                let mut images = events.iter().filter_map(|event| change_of(event, &reference));
                // What the run made itself is none of the test's.
                if images.clone().next().is_none_or(|change| self.is_own(&events, change)) {
                    continue;
                }
                for value in images.by_ref().filter_map(|change| change.after.as_ref()) {
                    next.extend(value.values().filter_map(Value::as_reference).cloned());
                }
                self.known.insert(reference, events);
            }
            wanted = next;
        }
        self.name_all();
        Ok(())
    }

    /// Whether the run itself created a record.
    fn is_own(&self, events: &[LoggedEvent], first: &Change) -> bool {
        first.kind == ChangeKind::Created
            && events.iter().any(|event| {
                event.happening.run == Some(self.row.run.id)
                    && change_of(event, &first.reference)
                        .is_some_and(|change| change.kind == ChangeKind::Created)
            })
    }

    /// Gives each record a name: its external id, else its kind and a number.
    fn name_all(&mut self) {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut aliases = BTreeMap::new();
        for (reference, events) in &self.known {
            let key = events
                .iter()
                .filter_map(|event| change_of(event, reference)?.after.as_ref())
                .filter_map(|fields| fields.get("external_id")?.as_text())
                .next_back()
                .filter(|key| !key.contains(|c: char| c.is_whitespace() || c == '/' || c == '@'));
            let alias = match key {
                Some(key) => Reference::new(&reference.object, key),
                None => {
                    let count = counts.entry(reference.object.as_str()).or_default();
                    *count += 1;
                    Reference::new(&reference.object, format!("{}{count}", reference.object))
                }
            };
            aliases.insert(reference.clone(), alias);
        }
        self.aliases = aliases;
        self.people = self.names_of_people();
    }

    /// Names and addresses of the people among the records, at any time,
    /// with what stands in their place: the longest first.
    fn names_of_people(&self) -> Vec<(String, String)> {
        let mut people = Vec::new();
        for (reference, events) in &self.known {
            let Some(alias) = self.aliases.get(reference) else { continue };
            let Some(object) = self.app.objects().get(&reference.object) else { continue };
            if !is_person(object) {
                continue;
            }
            let changes = events.iter().filter_map(|event| change_of(event, reference));
            for image in changes.flat_map(|change| [&change.before, &change.after]).flatten() {
                for (name, field) in &object.fields {
                    let Some(text) = image.get(name).and_then(Value::as_text) else { continue };
                    if field.kind == FieldType::Email {
                        people.push((text.to_owned(), address(alias)));
                    } else if object.label.as_ref() == Some(name) {
                        people.push((text.to_owned(), alias.key.clone()));
                    }
                }
            }
        }
        // A single letter is everywhere.
        people.retain(|(name, _)| name.chars().count() > 1);
        people.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        people.dedup();
        people
    }

    /// A text with people by what the test calls them.
    fn masked(&self, text: &str) -> Yaml {
        let mut masked = text.to_owned();
        for (name, alias) in &self.people {
            if masked.contains(name) {
                masked = masked.replace(name, alias);
            }
        }
        Yaml::text(&masked)
    }

    async fn written(&self) -> Result<String, AppError> {
        let run = &self.row.run;
        let mut text = format!(
            "# Made from {}. People's names and addresses and long texts were left out; read it\n# through before you share it, and say below what the case is about.\ntest: {}\n",
            run.id, run.workflow
        );
        let zone = self.zone.iana_name().unwrap_or("UTC");
        text.push_str(&format!("time_zone: {zone}\nstart: {}\n", self.local(self.from)));
        let given = self.given().await?;
        if !given.is_empty() {
            text.push_str("given:\n");
            for (alias, fields) in given {
                text.push_str(&format!("  {alias}: {}\n", Yaml::Map(fields).flow()));
            }
        }
        let pretend = self.pretend().await?;
        if !pretend.is_empty() {
            text.push_str("pretend:\n");
            for (action, answers) in pretend {
                text.push_str(&format!("  {action}: {}\n", answers.flow()));
            }
        }
        text.push_str(&format!("cases:\n  - it: does what {} did\n    play:\n", run.id));
        for entry in self.play().await? {
            text.push_str(&entry.entry("      "));
        }
        Ok(text)
    }

    /// The records as they were before.
    async fn given(&self) -> Result<Vec<(Reference, Vec<(String, Yaml)>)>, AppError> {
        let mut given = Vec::new();
        for (reference, events) in &self.known {
            let Some(fields) = self.before(reference, events) else { continue };
            let Some(alias) = self.aliases.get(reference) else { continue };
            given.push((alias.clone(), self.fields(alias, &fields, None).await?));
        }
        Ok(given)
    }

    /// A record as it was before the play; none where it was not there.
    fn before(&self, reference: &Reference, events: &[LoggedEvent]) -> Option<Arc<Fields>> {
        let mut image = None;
        for event in events {
            let Some(change) = change_of(event, reference) else { continue };
            if event.happening.at >= self.from {
                return if change.kind == ChangeKind::Created {
                    None
                } else {
                    change.before.clone()
                };
            }
            image = change.after.clone();
        }
        image
    }

    /// Fields for the test: those that are not what every record has. With
    /// `before`, those that are otherwise.
    async fn fields(
        &self,
        alias: &Reference,
        fields: &Fields,
        before: Option<&Fields>,
    ) -> Result<Vec<(String, Yaml)>, AppError> {
        let object = self.app.object(&alias.object)?;
        let is_person = is_person(object);
        let nothing = Value::Nothing;
        let names: BTreeSet<&String> =
            fields.keys().chain(before.into_iter().flat_map(Fields::keys)).collect();
        let mut written = Vec::new();
        for name in names {
            let Some(field) = object.field(name).filter(|field| !field.read_only) else { continue };
            let value = fields.get(name).unwrap_or(&nothing);
            match before {
                Some(before) if before.get(name).unwrap_or(&nothing) == value => continue,
                None if value.is_nothing() || *value == field.default => continue,
                _ => {}
            }
            if name == "external_id" {
                continue;
            }
            let yaml = match (&field.kind, value) {
                (_, Value::Nothing) => Yaml::Plain(String::new()),
                (FieldType::Phone, _) => continue,
                (FieldType::Email, _) => Yaml::text(&address(alias)),
                (FieldType::LongText, _) => Yaml::text("…"),
                (_, Value::Text(_)) if is_person && object.label.as_ref() == Some(name) => {
                    Yaml::text(&alias.key)
                }
                (_, Value::Reference(reference)) => {
                    Yaml::text(&self.named(reference).await?.to_string())
                }
                (_, value) => self.value(value),
            };
            written.push((name.clone(), yaml));
        }
        Ok(written)
    }

    fn value(&self, value: &Value) -> Yaml {
        match value {
            Value::Time(time) => Yaml::Plain(self.local(*time)),
            Value::Text(text) => self.masked(text),
            Value::Number(number) => Yaml::Plain(number.normalize().to_string()),
            Value::YesNo(yes) => Yaml::Plain(yes.to_string()),
            Value::List(items) => Yaml::List(items.iter().map(|item| self.value(item)).collect()),
            Value::Reference(reference) => {
                let alias = self.aliases.get(reference).unwrap_or(reference);
                Yaml::text(&alias.to_string())
            }
            Value::Nothing => Yaml::Plain(String::new()),
            Value::Map(_) | Value::Date(_) | Value::Duration(_) | Value::Money(_) => {
                Yaml::text(&value.to_string())
            }
        }
    }

    /// What the test calls a record: its alias, or the external id of one
    /// that every test has.
    async fn named(&self, reference: &Reference) -> Result<Reference, AppError> {
        if let Some(alias) = self.aliases.get(reference) {
            return Ok(alias.clone());
        }
        let record = self.app.store().record_fetch(reference).await?;
        let key =
            record.and_then(|record| record.field("external_id").as_text().map(str::to_owned));
        Ok(key.map_or_else(|| reference.clone(), |key| Reference::new(&reference.object, key)))
    }

    /// JSON off a run's log, with records by what the test calls them.
    async fn json(&self, json: &Json) -> Result<Yaml, AppError> {
        Ok(match json {
            Json::Null => Yaml::Plain(String::new()),
            Json::Bool(yes) => Yaml::Plain(yes.to_string()),
            Json::Number(number) => Yaml::Plain(number.to_string()),
            Json::String(text) => match (text.parse::<Timestamp>(), by_id(text)) {
                (Ok(time), _) => Yaml::Plain(self.local(time)),
                (_, Some(reference)) => Yaml::text(&self.named(&reference).await?.to_string()),
                _ => self.masked(text),
            },
            Json::Array(items) => {
                let mut list = Vec::new();
                for item in items {
                    list.push(Box::pin(self.json(item)).await?);
                }
                Yaml::List(list)
            }
            Json::Object(parts) => {
                let mut map = Vec::new();
                for (name, part) in parts.iter().filter(|(_, part)| !part.is_null()) {
                    map.push((name.clone(), Box::pin(self.json(part)).await?));
                }
                Yaml::Map(map)
            }
        })
    }

    /// What actions said that look around or keep something in mind: told
    /// again, they might say something else.
    async fn pretend(&self) -> Result<Vec<(String, Yaml)>, AppError> {
        let plugins = self.app.plugins().await?;
        let signatures = plugins.signatures();
        let mut answers: BTreeMap<String, Vec<Yaml>> = BTreeMap::new();
        for row in &self.log {
            let Some(action) = &row.action else { continue };
            let acts = plugins.action(action).is_some_and(|(plugin, _)| {
                let permissions = &plugin.manifest().permissions;
                let writes = signatures.get(action).is_some_and(|it| !it.writes.is_empty());
                !permissions.state && (writes || !permissions.messages.is_empty())
            });
            let answer = match (row.kind.as_str(), &row.error) {
                ("attempt_failed", Some(why)) => {
                    let again = row
                        .explanation
                        .as_ref()
                        .and_then(Json::as_str)
                        .is_some_and(|told| told.contains("tried again"));
                    let mut parts = vec![("fails".to_owned(), self.masked(why))];
                    match again {
                        true => parts.push(("times".to_owned(), Yaml::Plain("1".to_owned()))),
                        false => {
                            parts.push(("permanent".to_owned(), Yaml::Plain("true".to_owned())))
                        }
                    }
                    Yaml::Map(parts)
                }
                ("done", _) if !acts => match &row.output {
                    Some(Json::Object(output)) => self.json(&Json::Object(brief(output))).await?,
                    _ => continue,
                },
                _ => continue,
            };
            answers.entry(action.clone()).or_default().push(answer);
        }
        Ok(answers
            .into_iter()
            .map(|(action, mut answers)| match answers.len() {
                1 => (action, answers.remove(0)),
                _ => (action, Yaml::List(answers)),
            })
            .collect())
    }

    /// What happened, and what the run did of it.
    async fn play(&self) -> Result<Vec<Yaml>, AppError> {
        let mut scenes = self.deeds().await?;
        // The moments at which the run did something by itself.
        let mut moment: Option<Timestamp> = None;
        for row in &self.log {
            let begins = moment.is_none_or(|before| distance(before, row.at) > MOMENT_MS / 2);
            moment = Some(row.at);
            if begins && !scenes.iter().any(|scene| follows(scene.at, row.at)) {
                scenes.push(Scene { at: row.at, deed: None });
            }
        }
        scenes.sort_by_key(|scene| scene.at);
        let mut entries = Vec::new();
        for (place, scene) in scenes.iter().enumerate() {
            let until = scenes.get(place + 1).map(|next| next.at);
            let at = ("at".to_owned(), Yaml::Plain(self.local(scene.at)));
            entries.push(match &scene.deed {
                Some(Yaml::Map(parts)) => {
                    Yaml::Map(std::iter::once(at).chain(parts.iter().cloned()).collect())
                }
                _ => Yaml::Map(vec![("go_to".to_owned(), at.1)]),
            });
            let rows: Vec<&LogRow> = self
                .log
                .iter()
                .filter(|row| row.at >= scene.at && until.is_none_or(|until| row.at < until))
                .collect();
            if let Some(expected) = self.expected(&rows).await? {
                entries.push(expected);
            }
        }
        Ok(entries)
    }

    /// What others did to the records.
    async fn deeds(&self) -> Result<Vec<Scene>, AppError> {
        let mut scenes: Vec<Scene> = Vec::new();
        let mut told = BTreeSet::new();
        for (reference, events) in &self.known {
            for event in events {
                let happening = &event.happening;
                let is_own = happening.run == Some(self.row.run.id);
                if is_own || happening.at < self.from || happening.at > self.to() {
                    continue;
                }
                let deed = match &happening.kind {
                    HappeningKind::Change(change) => match self.changed(reference, change).await? {
                        Some(deed) => deed,
                        None => continue,
                    },
                    HappeningKind::Named { name, about, data, .. } => {
                        // What a change means is told with the change.
                        let main_is_known =
                            about.first().is_some_and(|main| self.known.contains_key(main));
                        if !told.insert(happening.id) || name.starts_with("enters:") {
                            continue;
                        }
                        match name.strip_prefix("start:") {
                            Some(workflow) => self.started(workflow, reference, data).await?,
                            None if main_is_known => continue,
                            None => self.named_event(name, reference, event, about).await?,
                        }
                    }
                };
                scenes.push(Scene { at: happening.at, deed: Some(deed) });
            }
        }
        Ok(scenes)
    }

    async fn changed(
        &self,
        reference: &Reference,
        change: &Change,
    ) -> Result<Option<Yaml>, AppError> {
        let Some(alias) = self.aliases.get(reference) else { return Ok(None) };
        let name = Yaml::text(&alias.to_string());
        let nothing = Arc::default();
        let (key, fields) = match change.kind {
            ChangeKind::Created => {
                let after = change.after.as_ref().unwrap_or(&nothing);
                ("create", self.fields(alias, after, None).await?)
            }
            ChangeKind::Changed => {
                let after = change.after.as_ref().unwrap_or(&nothing);
                ("change", self.fields(alias, after, change.before.as_deref()).await?)
            }
            ChangeKind::Deleted => return Ok(Some(Yaml::Map(vec![("delete".to_owned(), name)]))),
        };
        if fields.is_empty() && key == "change" {
            return Ok(None);
        }
        let mut parts = vec![(key.to_owned(), name)];
        if !fields.is_empty() {
            parts.push(("set".to_owned(), Yaml::Map(fields)));
        }
        Ok(Some(Yaml::Map(parts)))
    }

    async fn started(
        &self,
        workflow: &str,
        about: &Reference,
        data: &Value,
    ) -> Result<Yaml, AppError> {
        let mut parts = vec![("start".to_owned(), Yaml::text(workflow))];
        if self.definition.subject.is_some() {
            parts.push(("about".to_owned(), Yaml::text(&self.named(about).await?.to_string())));
        }
        if let Yaml::Map(inputs) = self.json(&data.to_json()).await?
            && !inputs.is_empty()
        {
            parts.push(("with".to_owned(), Yaml::Map(inputs)));
        }
        Ok(Yaml::Map(parts))
    }

    /// An event of a record that the run made itself, such as the answer to a
    /// survey.
    async fn named_event(
        &self,
        name: &str,
        of: &Reference,
        event: &LoggedEvent,
        about: &[Reference],
    ) -> Result<Yaml, AppError> {
        let alias = self.aliases.get(of).unwrap_or(of);
        let mut parts = vec![
            ("event".to_owned(), Yaml::text(name)),
            ("about".to_owned(), Yaml::text(&alias.to_string())),
        ];
        let meant = self.app.objects().event(name).map(|(_, event)| event.field.clone());
        let Some(main) = about.first() else { return Ok(Yaml::Map(parts)) };
        let events = self.app.store().event_list(main, None, LONGEST).await?;
        let change = events
            .iter()
            .filter(|other| other.happening.at == event.happening.at)
            .find_map(|other| change_of(other, main))
            .filter(|change| change.kind == ChangeKind::Changed);
        if let Some(Change { before, after: Some(after), .. }) = change {
            let mut data = self.fields(main, after, before.as_deref()).await?;
            data.retain(|(name, _)| Some(name) != meant.as_ref());
            if !data.is_empty() {
                parts.push(("data".to_owned(), Yaml::Map(data)));
            }
        }
        Ok(Yaml::Map(parts))
    }

    /// What the run did in a moment; none where it did nothing.
    async fn expected(&self, rows: &[&LogRow]) -> Result<Option<Yaml>, AppError> {
        if rows.is_empty() {
            return Ok(None);
        }
        let has_ended = rows.iter().any(|row| row.kind == "ended");
        let status = match &self.row.run.status {
            Status::Ended(outcome) if has_ended => match outcome {
                Outcome::Done => "done",
                Outcome::Stopped { .. } => "stopped",
                Outcome::Failed { .. } => "failed",
                Outcome::Cancelled { .. } => "cancelled",
            },
            _ => "waiting",
        };
        let mut parts = vec![("expect".to_owned(), Yaml::Plain(status.to_owned()))];
        if let (Status::Ended(Outcome::Stopped { outcome, .. }), true) =
            (&self.row.run.status, has_ended)
            && outcome != "stopped"
        {
            parts.push(("outcome".to_owned(), Yaml::text(outcome)));
        }
        let mut calls: Vec<(String, Vec<Yaml>)> = Vec::new();
        for row in rows.iter().filter(|row| row.kind == "done") {
            let (Some(action), Some(Json::Object(input))) = (&row.action, &row.input) else {
                continue;
            };
            let mut call = match self.json(&Json::Object(input.clone())).await? {
                Yaml::Map(parts) => parts,
                _ => Vec::new(),
            };
            // Texts may hold what is not in the test any more.
            call.retain(|(_, value)| !matches!(value, Yaml::Quoted(_)));
            let suppressed = row.output.as_ref().and_then(|output| output["suppressed"].as_str());
            if let Some(why) = suppressed {
                let gives = Yaml::Map(vec![("suppressed".to_owned(), self.masked(why))]);
                call.push(("gives".to_owned(), gives));
            }
            let call = Yaml::Map(call);
            match calls.iter_mut().find(|(there, _)| there == action) {
                Some((_, same)) => same.push(call),
                None => calls.push((action.clone(), vec![call])),
            }
        }
        for (action, mut same) in calls {
            let value = if same.len() == 1 { same.remove(0) } else { Yaml::List(same) };
            parts.push((action, value));
        }
        Ok(Some(Yaml::Map(parts)))
    }

    /// `2026-12-14 10:00`, with seconds where there are some.
    fn local(&self, time: Timestamp) -> String {
        let local = time.to_zoned(self.zone.clone());
        let form = if local.second() == 0 { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d %H:%M:%S" };
        local.strftime(form).to_string()
    }
}

/// Whether records of an object are people: they have an address.
fn is_person(object: &ObjectDefinition) -> bool {
    object.fields.values().any(|field| field.kind == FieldType::Email)
}

/// The address that stands in the place of somebody's own.
fn address(alias: &Reference) -> String {
    format!("{}@example.com", alias.key)
}

/// A result without what only explains it: lists of blocks.
fn brief(output: &Map<String, Json>) -> Map<String, Json> {
    output
        .iter()
        .filter(
            |(_, value)| !matches!(value, Json::Array(items) if items.iter().any(Json::is_object)),
        )
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The change of a record that an event is, if it is one.
fn change_of<'e>(event: &'e LoggedEvent, reference: &Reference) -> Option<&'e Change> {
    match &event.happening.kind {
        HappeningKind::Change(change) if change.reference == *reference => Some(change),
        _ => None,
    }
}

/// The records by id that JSON names.
fn references(json: &Json, found: &mut BTreeSet<Reference>) {
    match json {
        Json::String(text) => found.extend(by_id(text)),
        Json::Array(items) => items.iter().for_each(|item| references(item, found)),
        Json::Object(parts) => parts.values().for_each(|part| references(part, found)),
        _ => {}
    }
}

fn by_id(text: &str) -> Option<Reference> {
    let reference: Reference = text.parse().ok()?;
    reference.key.parse::<RecordId>().ok()?;
    Some(reference)
}

fn distance(from: Timestamp, to: Timestamp) -> i64 {
    to.as_millisecond() - from.as_millisecond()
}

/// Whether something belongs to what happened shortly before it.
fn follows(before: Timestamp, after: Timestamp) -> bool {
    (0..MOMENT_MS / 2).contains(&distance(before, after))
}

fn moved(time: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond().saturating_add(millis)).unwrap_or(time)
}
