//! The head of a workflow, and the workflow as a whole.

use std::collections::BTreeMap;

use relata_model::{Duration, Value};

use super::{Keys, Named, Reader, formulas};
use crate::{
    definition::{Cap, Definition, Limit, Repeat, Trigger, WhileRunning},
    diagnostic::{self as codes, Place},
    formula::{Formula, Known, Names},
    source::{Content, Entry, Node},
    types::{Slot, Type},
};

/// How many runs a limit may leave at work at once.
const MOST_AT_WORK: u32 = 10_000;

impl Reader<'_> {
    /// Reads the file of a workflow. The definition is of use only if there
    /// were no errors.
    pub(super) fn workflow(&mut self, root: &Node) -> Option<Definition> {
        let mut keys = self.keys(root, "a workflow")?;
        self.name = self.file_name(&mut keys, root, "workflow");
        self.whole(keys, root, None)
    }

    /// Everything behind the name. `constants` are the values of a
    /// blueprint's parameters, where it is one; none where a value is not
    /// known.
    pub(super) fn whole(
        &mut self,
        mut keys: Keys<'_>,
        root: &Node,
        constants: Option<&BTreeMap<String, Option<Value>>>,
    ) -> Option<Definition> {
        let title = keys.take("title").and_then(|entry| self.plain_text(entry).map(str::to_owned));
        let owner = keys.take("owner").and_then(|entry| self.owner(entry));
        let calendar_entry = keys.take("calendar");
        self.has_calendar = calendar_entry.is_some();
        let calendar = calendar_entry.and_then(|entry| self.calendar(entry));
        self.calendar.clone_from(&calendar);
        let mut names = Names::default();
        if let Some(constants) = constants {
            self.parameters_known(constants, &mut names);
        }
        let (triggers, is_certain) = self.start(&mut keys, root, &mut names, constants.is_some());
        if !is_certain {
            self.guess_subjects(&mut names);
        }
        let only_if =
            keys.take("only_if").map(|entry| self.only_if(entry, &mut names)).unwrap_or_default();
        let never_for =
            keys.take("never_for").map(|entry| self.never_for(entry)).unwrap_or_default();
        let repeat_entry = keys.take("repeat");
        let repeat = repeat_entry.and_then(|entry| self.repeat(entry, &names));
        let stop_when =
            keys.take("stop_when").map(|entry| self.stop_when(entry)).unwrap_or_default();
        let send_in = keys.take("send_in").and_then(|entry| self.calendar(entry));
        let hold_above = keys.take("hold_above").and_then(|entry| self.hold_above(entry));
        let limits =
            keys.take("limits").map(|entry| self.limits(entry, &names)).unwrap_or_default();
        let before_steps = names.clone();
        super::names_within(root, &mut self.all_names);
        let main = match keys.take("steps") {
            Some(entry) => Some(self.block(entry, "steps", &mut names).0),
            None if keys.has_slip_of("steps") => None,
            None => {
                let help = Some("add `steps:` with `- do: …`".to_owned());
                self.error(
                    codes::MISSING_KEY,
                    root_place(&keys, root),
                    "the workflow has no steps",
                    help,
                );
                None
            }
        };
        let at_the_end = names.clone();
        let on_error = keys.take("on_error").map(|entry| {
            let mut after = perhaps(&before_steps, &names);
            let block = self.block(entry, "on_error", &mut after).0;
            names = perhaps(&names, &after);
            block
        });
        let finally = keys.take("finally").map(|entry| {
            let mut after = perhaps(&before_steps, &names);
            self.block(entry, "finally", &mut after).0
        });
        let outputs_entry = keys.take("outputs");
        let outputs = outputs_entry.map(|entry| self.outputs(entry, &at_the_end));
        self.head_keys(&keys);
        if let Some(entry) = repeat_entry {
            self.counted_from(entry);
        }
        let name = self.name.clone()?;
        let steps = std::mem::take(&mut self.steps).into_iter().collect::<Option<Vec<_>>>()?;
        let (inputs, constants) = match constants {
            None => (self.signature.inputs.clone(), BTreeMap::new()),
            Some(given) => {
                let given = given
                    .iter()
                    .filter_map(|(name, value)| value.clone().map(|value| (name.clone(), value)));
                (Vec::new(), given.collect())
            }
        };
        Some(Definition {
            title: title.unwrap_or_else(|| name.clone()),
            name,
            owner,
            calendar,
            subject: self.subject.clone(),
            triggers,
            inputs,
            constants,
            only_if,
            never_for,
            repeat,
            stop_when,
            send_in,
            hold_above,
            limits,
            steps,
            blocks: std::mem::take(&mut self.blocks),
            main: main?,
            on_error,
            finally,
            outputs: outputs.map_or(Some(Vec::new()), |outputs| outputs)?,
        })
    }

    /// What starts the workflow, what it is about and what it is given; each
    /// made known by its name. Whether it is certain what it is about.
    pub(super) fn start(
        &mut self,
        keys: &mut Keys<'_>,
        root: &Node,
        names: &mut Names,
        is_blueprint: bool,
    ) -> (Vec<Trigger>, bool) {
        let when = keys.take("when");
        let triggers = when.map(|entry| self.triggers(entry)).unwrap_or_default();
        let about = keys.take("about");
        if let Some(entry) = about {
            self.about(entry, when.map(|_| triggers.as_slice()));
        }
        if let Some(subject) = self.subject.clone() {
            if names.contains(&subject)
                && let Some(entry) = when.or(about)
            {
                let message =
                    format!("an input is called `{subject}`, which the workflow is about");
                let help = Some("give the input another name".to_owned());
                self.error(codes::WRONG_NAME, entry.key_place, message, help);
            }
            let slot = Slot::of(Type::Record(vec![subject.clone()]));
            names.insert(&subject, formulas::known(slot));
        }
        self.signature.subject = self.subject.clone();
        // The inputs of a blueprint are its parameters.
        let inputs = if is_blueprint { None } else { keys.take("inputs") };
        if let Some(entry) = inputs {
            self.inputs(entry, names);
            self.inputs_are_given(entry, &triggers);
        }
        let others_run = inputs.is_some() || about.is_some() || keys.take("outputs").is_some();
        let named_otherwise =
            keys.rest().any(|entry| matches!(entry.key.as_str(), "on" | "trigger" | "triggers"));
        if when.is_none() && !others_run && !named_otherwise && !keys.has_slip_of("when") {
            let help = Some("add `when:` with `- created: lead`, say".to_owned());
            self.error(
                codes::MISSING_KEY,
                root_place(keys, root),
                "the workflow does not say what starts it",
                help,
            );
        }
        let is_certain = self.subject.is_some()
            || !triggers.is_empty()
            || (when.is_none() && about.is_none() && others_run);
        (triggers, is_certain)
    }

    /// Where no trigger could be read, every object is known by its name, and
    /// what was taken for one, so that the steps do not fall with the trigger.
    fn guess_subjects(&self, names: &mut Names) {
        let unknown = self.unknown_objects.iter().map(String::as_str);
        for object in self.catalog.objects.names().chain(unknown) {
            names.insert(object, formulas::known(Slot::of(Type::Any)));
        }
    }

    fn head_keys(&mut self, keys: &Keys<'_>) {
        for entry in keys.rest() {
            match entry.key.as_str() {
                "on" | "trigger" | "triggers" => {
                    let message = format!("a workflow has no key `{}`", entry.key);
                    self.error(
                        codes::UNKNOWN_KEY,
                        entry.key_place,
                        message,
                        Some("what starts it stands under `when:`".to_owned()),
                    );
                }
                "test" | "tests" | "given" | "cases" => {
                    let help =
                        Some("tests stand in a file of their own, `NAME.test.yaml`".to_owned());
                    self.error(
                        codes::UNKNOWN_KEY,
                        entry.key_place,
                        format!("a workflow has no key `{}`", entry.key),
                        help,
                    );
                }
                _ => {}
            }
        }
        let mut others =
            Keys { entries: keys.entries, taken: keys.taken.clone(), asked: keys.asked.clone() };
        for key in ["on", "trigger", "triggers", "test", "tests", "given", "cases"] {
            others.take(key);
            others.asked.remove(key);
        }
        self.unknown_keys(&others, "a workflow");
    }

    /// The name behind `workflow:` or `blueprint:`.
    pub(super) fn file_name(
        &mut self,
        keys: &mut Keys<'_>,
        root: &Node,
        key: &'static str,
    ) -> Option<String> {
        let Some(entry) = keys.take(key) else {
            if !keys.has_slip_of(key) {
                let place = root_place(keys, root);
                self.error(
                    codes::MISSING_KEY,
                    place,
                    "the workflow has no name",
                    Some("begin with `workflow: name`".to_owned()),
                );
            }
            return None;
        };
        let text = self.plain_text(entry)?.to_owned();
        self.is_file_name(&text, &format!("a {key}"), entry.value.place).then_some(text)
    }

    /// Whether a text can name a workflow, a blueprint or a webhook.
    pub(super) fn is_file_name(&mut self, text: &str, what: &str, place: Place) -> bool {
        let is_name = text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.len() <= 80
            && text.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
            });
        if !is_name {
            let message = format!("`{text}` cannot be {what}'s name");
            let help = super::spelt(text, '-').map_or_else(
                || "use lower-case letters, digits and -".to_owned(),
                |meant| format!("write `{meant}`: lower-case letters, digits and -"),
            );
            self.error(codes::WRONG_NAME, place, message, Some(help));
        }
        is_name
    }

    /// Who answers for it: a role or a team.
    pub(super) fn owner(&mut self, entry: &Entry) -> Option<String> {
        let text = self.plain_text(entry)?.to_owned();
        let catalog = self.catalog;
        let teams = catalog.records.get("team");
        let is_team =
            teams.is_some_and(|teams| teams.contains(text.strip_prefix("team/").unwrap_or(&text)));
        if !catalog.roles.is_empty()
            && teams.is_some()
            && !catalog.roles.contains(&text)
            && !is_team
        {
            let known = catalog.roles.iter().chain(teams.into_iter().flatten()).map(String::as_str);
            let help = codes::mean_or_list(&text, known);
            self.findings.warning(
                codes::UNKNOWN_ROLE,
                entry.value.place,
                format!("nobody has the role `{text}`, and no team is called so"),
                help,
            );
        }
        Some(text)
    }

    /// `only_if:` also says what cannot be empty in the whole workflow.
    fn only_if(&mut self, entry: &Entry, names: &mut Names) -> Vec<Formula> {
        let mut all = Vec::new();
        let items = self.items(entry);
        for node in items {
            if let Some(read) = self.condition_node(node, entry.key_place, "only_if", names) {
                self.warn_constant(&read);
                names.narrow(read.filled_if_true);
                all.push(read.formula);
            }
        }
        all
    }

    fn never_for(&mut self, entry: &Entry) -> Vec<String> {
        let mut all = Vec::new();
        let items = self.items(entry);
        for node in items {
            let single =
                Entry { key: entry.key.clone(), key_place: entry.key_place, value: node.clone() };
            let Some(text) = self.plain_text(&single).map(str::to_owned) else { continue };
            all.extend(self.record_key("segment", &text, node.place, codes::UNKNOWN_SEGMENT));
        }
        all
    }

    fn repeat(&mut self, entry: &Entry, names: &Names) -> Option<Repeat> {
        let mut keys = self.keys(&entry.value, "`repeat`")?;
        let one_per = match keys.take("one_per") {
            Some(entry) => self.one_per(entry, names),
            None => self.subject_formula(entry),
        };
        // Nothing said: again at once.
        let mut again_after =
            Some(Formula::literal("0 seconds", Value::Duration(Duration::default())));
        let mut failed = false;
        if let Some(entry) = keys.take("again_after") {
            match self.again_after(entry, names) {
                Some(read) => again_after = read,
                None => failed = true,
            }
        }
        let counted_from =
            keys.take("counted_from").and_then(|entry| self.plain_text(entry).map(str::to_owned));
        let while_running = keys
            .take("while_running")
            .map_or(Some(WhileRunning::default()), |entry| self.while_running(entry));
        self.unknown_keys(&keys, "`repeat`");
        if failed {
            return None;
        }
        Some(Repeat { one_per: one_per?, again_after, counted_from, while_running: while_running? })
    }

    fn subject_formula(&mut self, entry: &Entry) -> Option<Formula> {
        let Some(subject) = self.subject.clone() else {
            self.error(codes::MISSING_KEY, entry.key_place, "`repeat` needs `one_per:`", None);
            return None;
        };
        Formula::read(&subject).ok()
    }

    /// What counts as one: of `one_per`, and of a limit's `per`.
    fn one_per(&mut self, entry: &Entry, names: &Names) -> Option<Formula> {
        let Content::Text { text, .. } = &entry.value.value else {
            if !entry.value.is_spoiled() {
                self.error(
                    codes::WRONG_FORM,
                    entry.key_place,
                    format!("`{}` takes a formula", entry.key),
                    None,
                );
            }
            return None;
        };
        let from = usize::from(text.starts_with('='));
        let read = self.formula_at(&entry.value, from, text.len(), names)?;
        if read.slot.optional {
            let source = &read.formula.source;
            let message =
                format!("`{source}` may be empty, and all that have none would count as one");
            let help = Some(format!("add `only_if: {source} is not empty`"));
            self.error(codes::MAY_BE_EMPTY, read.place, message, help);
        }
        match read.slot.kind {
            Type::Record(_)
            | Type::Text
            | Type::Choice(_)
            | Type::Number
            | Type::Date
            | Type::Any => Some(read.formula),
            ref other => {
                let message = format!(
                    "`{}` takes a record, a text, a number or a day, not {}",
                    entry.key,
                    other.describe()
                );
                self.error(codes::WRONG_VALUE, read.place, message, None);
                None
            }
        }
    }

    /// `30 days`, `never`, or a formula.
    fn again_after(&mut self, entry: &Entry, names: &Names) -> Option<Option<Formula>> {
        let Content::Text { text, .. } = &entry.value.value else {
            if !entry.value.is_spoiled() {
                self.error(
                    codes::WRONG_FORM,
                    entry.key_place,
                    "`again_after` takes a duration, or `never`",
                    None,
                );
            }
            return None;
        };
        if text.trim() == "never" {
            return Some(None);
        }
        if let Some(formula) = text.strip_prefix('=') {
            let read =
                self.formula_at(&entry.value, text.len() - formula.len(), text.len(), names)?;
            if !matches!(read.slot.kind, Type::Duration | Type::Any) {
                let message =
                    format!("`again_after` takes a duration, not {}", read.slot.kind.describe());
                self.error(codes::WRONG_VALUE, read.place, message, None);
                return None;
            }
            return Some(Some(read.formula));
        }
        match text.trim().parse::<Duration>() {
            Ok(duration) => {
                if duration.is_working() && !self.has_calendar {
                    let expression =
                        crate::definition::Expression::Literal(Value::Duration(duration));
                    self.needs_calendar(&expression, entry.value.place, names);
                }
                let mut formula = Formula::literal(text.trim(), Value::Duration(duration));
                let span = self.findings.span(entry.value.place.start, entry.value.place.end);
                formula.line = u32::try_from(span.line).unwrap_or(u32::MAX);
                formula.column = u32::try_from(span.column).unwrap_or(u32::MAX);
                Some(Some(formula))
            }
            Err(_) => {
                let message = format!("`{}` is not a duration", text.trim());
                let help = crate::formula::duration_help(text)
                    .unwrap_or_else(|| "write `30 days`, or `never`".to_owned());
                self.error(codes::WRONG_VALUE, entry.value.place, message, Some(help));
                None
            }
        }
    }

    fn while_running(&mut self, entry: &Entry) -> Option<WhileRunning> {
        let text = self.plain_text(entry)?.to_owned();
        match text.as_str() {
            "ignore" => Some(WhileRunning::Ignore),
            "restart" => Some(WhileRunning::Restart),
            "queue" => Some(WhileRunning::Queue),
            "parallel" => Some(WhileRunning::Parallel),
            _ => {
                let known = ["ignore", "restart", "queue", "parallel"];
                let help = codes::mean_or_list(&text, known.into_iter());
                self.error(
                    codes::NOT_A_CHOICE,
                    entry.value.place,
                    format!("`while_running` is never `{text}`"),
                    help,
                );
                None
            }
        }
    }

    /// Once all steps are read: whether `counted_from` names one.
    fn counted_from(&mut self, repeat: &Entry) {
        let entry = repeat
            .value
            .entries()
            .and_then(|entries| entries.iter().find(|entry| entry.key == "counted_from"));
        let Some(entry) = entry else { return };
        let Some(name) = entry.value.text().map(str::trim) else { return };
        let (message, help) = match self.named.get(name) {
            None => {
                let help = codes::mean_or_list(name, self.named.keys().map(String::as_str))
                    .unwrap_or_else(|| format!("give the step a name: `as: {name}`"));
                (format!("no step is called `{name}`"), help)
            }
            Some(Named { in_loop: true, .. }) => (
                format!(
                    "the step `{name}` runs once for each item, so it is not clear which counts"
                ),
                "name a step outside of `for_each`".to_owned(),
            ),
            Some(_) => return,
        };
        self.error(codes::UNKNOWN_STEP, entry.value.place, message, Some(help));
    }

    /// How much of it is at work at once, and how fast it begins.
    fn limits(&mut self, entry: &Entry, names: &Names) -> Vec<Limit> {
        let mut limits = Vec::new();
        for node in self.items(entry) {
            let Some(mut keys) = self.keys(node, "a limit") else { continue };
            let at_once = keys.take("at_once").and_then(|entry| self.at_once(entry, MOST_AT_WORK));
            let pace = keys.take("pace").and_then(|entry| self.pace(entry));
            let per = keys.take("per").and_then(|entry| self.one_per(entry, names));
            self.unknown_keys(&keys, "a limit");
            if !["at_once", "pace"]
                .iter()
                .any(|key| keys.peek(key).is_some() || keys.has_slip_of(key))
            {
                let help = Some("add `at_once: 5`, or `pace: 60 per hour`".to_owned());
                self.error(codes::MISSING_KEY, keys.place(), "the limit limits nothing", help);
            }
            limits.push(Limit { at_once, pace, per });
        }
        limits
    }

    /// `2000 per day`
    fn hold_above(&mut self, entry: &Entry) -> Option<Cap> {
        let text = self.plain_text(entry)?.to_owned();
        let cap = text.split_once(" per ").and_then(|(count, unit)| {
            let hours = match unit.trim() {
                "hour" => 1,
                "day" => 24,
                "week" => 7 * 24,
                _ => return None,
            };
            Some(Cap { count: count.trim().parse().ok()?, hours })
        });
        if cap.is_none() {
            let help = Some("write `2000 per day`, `per hour` or `per week`".to_owned());
            self.error(
                codes::WRONG_VALUE,
                entry.value.place,
                format!("`{text}` is not a limit"),
                help,
            );
        }
        cap
    }
}

/// What is known where the steps may have come to an end anywhere: all that
/// was known before them, and what they have set, perhaps.
fn perhaps(before: &Names, after: &Names) -> Names {
    let mut names = before.clone();
    for (name, known) in after.iter() {
        if !names.contains(name) {
            names.insert(name, Known { unset: true, ..known.clone() });
        }
    }
    names
}

pub(super) fn root_place(keys: &Keys<'_>, root: &Node) -> Place {
    if keys.entries.is_empty() { root.place } else { keys.place() }
}
