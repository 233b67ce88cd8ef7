//! Steps that take time: `wait`, `wait_for` and `deadline`.

use relata_model::{Decimal, Value};

use super::{
    Keys, Reader,
    branches::{Branch, join},
    formulas,
    literal::slot_of,
    schema::{Parameter, Wanted},
    set::set_in,
    steps::After,
    trigger::Happening,
    value::Got,
};
use crate::{
    definition::{Deadline, Expression, Level, Occurrence, StepKind, WaitFor},
    diagnostic as codes,
    formula::{Formula, Names},
    source::{Entry, Node},
    types::{Slot, Type},
};

/// What a `wait_for` waits for.
struct Awaited {
    happening: Happening,
    /// Whose change it is; the run's subject if none.
    about: Option<Formula>,
}

impl Reader<'_> {
    /// A duration, or with [`Wanted::Due`] a point in time as well.
    pub(super) fn length(
        &mut self,
        entry: &Entry,
        wanted: Wanted,
        has_calendar: bool,
        names: &Names,
    ) -> Option<Expression> {
        let parameter = Parameter { wanted, required: true, nullable: false };
        let got = self.value(&entry.value, &parameter, &format!("`{}`", entry.key), names)?;
        if !has_calendar {
            self.needs_calendar(&got.expression, entry.value.place, names);
        }
        Some(got.expression)
    }

    /// `wait_until: =contract.ends_on - 60 days`: a point in time, or a day,
    /// which is its beginning.
    fn moment(&mut self, entry: &Entry, names: &Names) -> Option<Expression> {
        let open = Parameter { wanted: Wanted::Open, required: true, nullable: false };
        let what = format!("`{}`", entry.key);
        let got = self.value(&entry.value, &open, &what, names)?;
        let Got { mut expression, slot: Slot { mut kind, .. } } = got;
        if let Expression::Literal(Value::Text(text)) = &expression {
            let text = text.trim();
            let read = text
                .parse()
                .map(Value::Time)
                .or_else(|_| text.parse().map(Value::Date))
                .ok()
                .or_else(|| text.parse().map(Value::Duration).ok());
            if let Some(value) = read {
                kind = slot_of(&value).kind;
                expression = Expression::Literal(value);
            }
        }
        let (found, help) = match &kind {
            Type::Time | Type::Date | Type::Any => return Some(expression),
            Type::Duration => {
                let written = entry.value.text().map(str::trim);
                ("a duration".to_owned(), written.map(|written| format!("write `wait: {written}`")))
            }
            other => (other.describe(), None),
        };
        let message = format!("{what} takes a day or a point in time, not {found}");
        self.error(codes::WRONG_VALUE, entry.value.place, message, help);
        None
    }

    /// `wait: 24 hours`
    pub(super) fn wait(
        &mut self,
        entry: &Entry,
        keys: &mut Keys<'_>,
        label: String,
        names: &Names,
    ) -> After {
        let resume = keys.take("resume_in");
        let resume_in = resume.and_then(|entry| self.calendar(entry));
        let duration = if entry.key == "wait_until" {
            self.moment(entry, names)
        } else {
            self.length(entry, Wanted::Due, self.has_calendar, names)
        };
        let failed = resume.is_some() && resume_in.is_none();
        let kind =
            duration.filter(|_| !failed).map(|duration| StepKind::Wait { duration, resume_in });
        After::of(kind, label)
    }

    /// `wait_for: { event: survey.answered }`
    pub(super) fn wait_for(
        &mut self,
        entry: &Entry,
        keys: &mut Keys<'_>,
        path: &str,
        names: &mut Names,
    ) -> After {
        let since = keys.take("since");
        let up_to = keys.take("up_to");
        let as_name = keys.take("as");
        let then = keys.take("then");
        let otherwise = keys.take("otherwise");
        let awaited = self.awaited(&entry.value, since.is_some(), names);
        let label = format!(
            "wait_for: {}",
            awaited.as_ref().map_or("", |awaited| awaited.happening.written.as_str())
        );
        let event = awaited.as_ref().and_then(|awaited| match &awaited.happening.occurrence {
            Occurrence::Event { name } => Some(name.clone()),
            _ => None,
        });
        let mut failed = awaited.is_none();
        let mut since_name = None;
        if let Some(since) = since {
            since_name = self.since(since, event.as_deref(), names);
            failed |= since_name.is_none();
        }
        let mut length = None;
        if let Some(up_to) = up_to {
            length = self.length(up_to, Wanted::Duration, self.has_calendar, names);
            failed |= length.is_none();
        }
        let mut happened = names.branch();
        let mut missed = names.branch();
        let mut name = None;
        if let Some(entry) = as_name {
            let object = awaited.as_ref().and_then(|awaited| awaited.happening.object.clone());
            let slot = Slot::of(object.map_or(Type::Any, |object| Type::Record(vec![object])));
            name = self
                .plain_text(entry)
                .map(str::to_owned)
                .and_then(|text| self.result_name(&text, entry.value.place, names));
            failed |= name.is_none();
            if let Some(name) = &name {
                self.set(name, formulas::known(slot), &mut happened);
                self.name_step(name, None);
            }
        }
        let mut then_block = None;
        let mut then_ends = false;
        if let Some(then) = then {
            let (block, ends) = self.block(then, &format!("{path}.then"), &mut happened);
            then_block = Some(block);
            then_ends = ends;
        }
        let mut else_block = None;
        // Without a limit it goes on only when it has happened.
        let mut else_ends = up_to.is_none();
        if let Some(otherwise) = otherwise {
            if up_to.is_none() {
                let help = Some("say how long: `up_to: 7 days`".to_owned());
                self.error(
                    codes::UNREACHABLE,
                    otherwise.key_place,
                    "without `up_to` this waits for ever, so `otherwise` is never reached",
                    help,
                );
            }
            let (block, ends) = self.block(otherwise, &format!("{path}.otherwise"), &mut missed);
            else_block = Some(block);
            else_ends |= ends;
        }
        let branches = [
            Branch { names: happened, ends: then_ends },
            Branch { names: missed, ends: else_ends },
        ];
        let ends = join(names, &branches);
        let kind = awaited.filter(|_| !failed).map(|awaited| {
            StepKind::WaitFor(WaitFor {
                occurrence: awaited.happening.occurrence,
                about: awaited.about,
                since: since_name,
                up_to: length,
                then: then_block,
                otherwise: else_block,
            })
        });
        After { name, ends, ..After::of(kind, label) }
    }

    fn awaited(&mut self, node: &Node, has_since: bool, names: &Names) -> Option<Awaited> {
        let mut keys = self.keys(node, "`wait_for`")?;
        let changed = keys.take("changed");
        if let Some(entry) = changed {
            let awaited = self.awaited_change(entry, &mut keys, names);
            self.unknown_keys(&keys, "`wait_for`");
            return awaited;
        }
        let Some(entry) = keys.take("event") else {
            let slip = keys.has_slip_of("event") || keys.has_slip_of("changed");
            keys.take("from");
            keys.take("to");
            self.unknown_keys(&keys, "`wait_for`");
            if !slip {
                let help = Some(
                    "write `{ changed: lead.status, to: … }` or `{ event: survey.answered }`"
                        .to_owned(),
                );
                self.error(
                    codes::MISSING_KEY,
                    node.place,
                    "`wait_for` does not say what it waits for",
                    help,
                );
            }
            return None;
        };
        self.unknown_keys(&keys, "`wait_for`");
        let happening = self.event(entry)?;
        if !has_since {
            self.related(&happening, entry.value.place);
        }
        Some(Awaited { happening, about: None })
    }

    /// `changed: lead.status`, or of what a name or a path leads to.
    fn awaited_change(
        &mut self,
        entry: &Entry,
        keys: &mut Keys<'_>,
        names: &Names,
    ) -> Option<Awaited> {
        let text = self.plain_text(entry)?.to_owned();
        let node = &entry.value;
        let (record, field) = text
            .rsplit_once('.')
            .map_or((text.as_str(), None), |(record, field)| (record, Some(field)));
        let read = self.formula_at(node, 0, record.len(), names)?;
        let object = match &read.slot.kind {
            Type::Record(objects) if objects.len() == 1 && !read.slot.optional => {
                objects[0].clone()
            }
            Type::Record(objects) if objects.len() == 1 => {
                let message =
                    format!("`{record}` may be empty, and then there is nothing to wait for");
                let help = Some(format!("test it before: `{record} is not empty`"));
                self.error(codes::MAY_BE_EMPTY, read.place, message, help);
                return None;
            }
            Type::Any => return None,
            other => {
                let message = format!(
                    "`changed` takes a field of one record, and `{record}` is {}",
                    other.describe()
                );
                self.error(codes::WRONG_TYPE, read.place, message, None);
                return None;
            }
        };
        let happening = self.change(&object, field, &text, node.place, keys)?;
        let is_subject = self.subject.as_deref() == Some(record);
        Some(Awaited { happening, about: (!is_subject).then_some(read.formula) })
    }

    /// `since: survey`: the name of a step that this event answers.
    fn since(&mut self, entry: &Entry, event: Option<&str>, names: &Names) -> Option<String> {
        let name = self.plain_text(entry)?.to_owned();
        let Some(named) = self.named.get(&name).cloned() else {
            let known: Vec<&str> =
                names.keys().filter(|known| self.named.contains_key(*known)).collect();
            let help = codes::mean_or_list(&name, known.into_iter())
                .or_else(|| Some(format!("give the step a name: `as: {name}`")));
            self.error(
                codes::UNKNOWN_STEP,
                entry.value.place,
                format!("no step before is called `{name}`"),
                help,
            );
            return None;
        };
        if names.get(&name).is_none_or(|known| known.unset) {
            let message = format!("the step `{name}` does not run on every way to this place");
            self.error(codes::MAY_BE_UNSET, entry.value.place, message, None);
            return None;
        }
        let Some(event) = event else { return Some(name) };
        let action = named.action.as_ref();
        let signature = action.and_then(|action| self.catalog.actions.get(action));
        if action.is_some() && signature.is_none() {
            return Some(name);
        }
        let answers = signature.map_or(&[][..], |signature| signature.correlation.as_slice());
        if answers.iter().any(|(answer, _)| answer == event) {
            return Some(name);
        }
        let listed: Vec<&str> = answers.iter().map(|(answer, _)| answer.as_str()).collect();
        let help = if listed.is_empty() {
            None
        } else {
            Some(format!("it is answered by {}", listed.join(", ")))
        };
        let message = format!("the step `{name}` is not answered by `{event}`");
        self.error(codes::NOT_ANSWERED, entry.value.place, message, help);
        None
    }

    /// `deadline:` with its levels.
    pub(super) fn deadline(
        &mut self,
        entry: &Entry,
        keys: &mut Keys<'_>,
        path: &str,
        label: String,
        names: &mut Names,
    ) -> After {
        let calendar_entry = keys.take("calendar");
        let calendar = calendar_entry.and_then(|entry| self.calendar(entry));
        let has_calendar = self.has_calendar || calendar_entry.is_some();
        let within = self.length(entry, Wanted::Duration, has_calendar, names);
        // It is asked again and again, also after the levels.
        let set = keys.take("levels").map(|levels| set_in(&levels.value)).unwrap_or_default();
        self.forget(&set, names);
        let met_when = keys.take("met_when");
        let met = met_when.and_then(|entry| self.condition(entry, names));
        if met_when.is_none() && !keys.has_slip_of("met_when") {
            let help = Some("write `met_when:` and a condition".to_owned());
            self.error(
                codes::MISSING_KEY,
                entry.key_place,
                "`deadline` does not say when it is met",
                help,
            );
        }
        let pause_entry = keys.take("pause_while");
        let pause = pause_entry.and_then(|entry| self.condition(entry, names));
        for read in [&met, &pause].into_iter().flatten() {
            self.warn_constant(read);
        }
        let mut levels = Vec::new();
        match keys.take("levels") {
            None if keys.has_slip_of("levels") => {}
            None => {
                let help = Some("write `levels:` with `- at: 100%`".to_owned());
                self.error(codes::MISSING_KEY, entry.key_place, "`deadline` has no levels", help);
            }
            Some(entry) => {
                let items = self.items(entry);
                for (number, node) in items.iter().enumerate() {
                    // A later level comes after the earlier ones.
                    let mut here = names.branch();
                    let level = self.level(
                        node,
                        &format!("{path}.levels[{number}]"),
                        levels.last(),
                        &mut here,
                    );
                    if let Some((level, ends)) = level {
                        levels.push(level);
                        let met_before = Branch { names: names.branch(), ends: false };
                        join(names, &[met_before, Branch { names: here, ends }]);
                    }
                }
            }
        }
        self.take_over(&set, names);
        let failed = (pause_entry.is_some() && pause.is_none())
            || (calendar_entry.is_some() && calendar.is_none());
        let kind = within.zip(met).filter(|_| !failed).map(|(within, met)| {
            StepKind::Deadline(Deadline {
                within,
                calendar,
                met_when: met.formula,
                pause_while: pause.map(|read| read.formula),
                levels,
            })
        });
        After::of(kind, label)
    }

    /// `at: 50%` with `do:` and its arguments beside it, or with `steps:`.
    fn level(
        &mut self,
        node: &Node,
        path: &str,
        before: Option<&Level>,
        names: &mut Names,
    ) -> Option<(Level, bool)> {
        let mut keys = self.keys(node, "a level")?;
        let Some(at) = keys.take("at") else {
            let help = Some("write `at: 50%`".to_owned());
            self.error(codes::MISSING_KEY, keys.place(), "a level does not say when", help);
            return None;
        };
        let share = self.share(at);
        if let (Some(share), Some(before)) = (share, before)
            && share <= before.share
        {
            let percent = (before.share * Decimal::ONE_HUNDRED).normalize();
            self.error(
                codes::LEVELS,
                at.value.place,
                format!("this level has to come after the one at {percent}%"),
                None,
            );
        }
        let (block, ends) = if let Some(steps) = keys.take("steps") {
            let block = self.block(steps, &format!("{path}.steps"), names);
            self.unknown_keys(&keys, "a level");
            block
        } else {
            let mut steps = Vec::new();
            let ends = self.step(&mut keys, &format!("{path}.steps[0]"), names, &mut steps);
            (self.block_of(steps), ends)
        };
        Some((Level { share: share?, block }, ends))
    }
}
