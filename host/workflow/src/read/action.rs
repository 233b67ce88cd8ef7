//! `do:` steps: the action, its arguments, and what becomes of a failure.

use std::collections::BTreeMap;

use relata_model::{Duration, Value};
use relata_package::{Grant, Permissions};

use super::{
    Keys, Reader, formulas,
    literal::slot_of,
    schema::{self, Parameter, Wanted},
    value::Got,
};
use crate::{
    catalog::ActionSignature,
    definition::{Argument, Conversion, Do, Expression, IfUnknown, Retry, StepKind},
    diagnostic::{self as codes, Place},
    formula::Names,
    source::{Content, Entry, Node},
    types::{Joined, Slot, Type},
};

/// A step that was read, and the name of its result.
pub(super) struct Done {
    pub(super) kind: Option<StepKind>,
    pub(super) name: Option<String>,
}

/// A value that is written out, also as a list or as a formula of one literal.
fn written_out_value(expression: &Expression) -> Option<Value> {
    match expression {
        Expression::Literal(value) => Some(value.clone()),
        Expression::Formula(formula) => formula.as_literal().cloned(),
        Expression::List(items) => {
            items.iter().map(written_out_value).collect::<Option<_>>().map(Value::List)
        }
        Expression::Text(_) | Expression::Map(_) => None,
    }
}

/// The plugin of an action.
fn plugin_of(signature: &ActionSignature) -> &str {
    signature.name.split('.').next().unwrap_or_default()
}

impl Reader<'_> {
    /// `do: crm.update`, with its arguments beside it.
    pub(super) fn do_step(
        &mut self,
        entry: &Entry,
        keys: &mut Keys<'_>,
        names: &mut Names,
    ) -> Done {
        let as_name = keys.take("as");
        let retry = keys.take("retry").and_then(|entry| self.retry(entry));
        let if_it_fails = keys.take("if_it_fails");
        let if_unknown = keys.take("if_unknown").and_then(|entry| self.if_unknown(entry));
        let may = keys.take("may");
        let action = self.plain_text(entry).map(str::to_owned);
        let signature =
            action.as_ref().and_then(|action| self.signature(action, entry.value.place));
        let Some(signature) = signature else {
            // Of an action that is not known, the arguments are read only for
            // what their formulas say.
            for argument in keys.rest().collect::<Vec<_>>() {
                let open = Parameter { wanted: Wanted::Open, required: false, nullable: true };
                self.takes_secrets = true;
                self.value(&argument.value, &open, &format!("`{}`", argument.key), names);
                self.takes_secrets = false;
            }
            let name = self.name_result(as_name, Slot::of(Type::Any), action, names);
            return Done { kind: None, name };
        };
        let may = may.map(|may| self.may(may, &signature));
        self.permitted(&signature, may.as_ref(), entry.value.place);
        let input = self.arguments(&signature, entry.value.place, keys, names);
        let written = self.written_out(keys);
        let mut slot = Slot::of(schema::result(&signature.output, &written));
        let mut fallback = None;
        let mut fallback_failed = false;
        if let Some(entry) = if_it_fails {
            match self.fallback(entry, &slot, names) {
                Some(got) => {
                    slot = got.slot;
                    fallback = Some(got.expression);
                }
                None => fallback_failed = true,
            }
        }
        let output = slot.kind.clone();
        let name = self.name_result(as_name, slot, Some(signature.name.clone()), names);
        let kind = input.filter(|_| !fallback_failed).map(|input| {
            StepKind::Do(Do {
                action: signature.name.clone(),
                input,
                retry: retry.unwrap_or_default(),
                if_it_fails: fallback,
                if_unknown: if_unknown.unwrap_or_default(),
                may,
                exclusive: signature.exclusive.clone(),
                correlation: signature.correlation.clone(),
                output,
            })
        });
        Done { kind, name }
    }

    pub(super) fn name_result(
        &mut self,
        entry: Option<&Entry>,
        slot: Slot,
        action: Option<String>,
        names: &mut Names,
    ) -> Option<String> {
        let entry = entry?;
        let text = self.plain_text(entry)?;
        let name = self.result_name(text, entry.value.place, names)?;
        self.set(&name, formulas::known(slot), names);
        self.name_step(&name, action);
        Some(name)
    }

    fn signature(&mut self, action: &str, place: Place) -> Option<ActionSignature> {
        let known = self.catalog.actions.get(action).cloned();
        if known.is_none() {
            let help = codes::did_you_mean(action, self.catalog.actions.keys().map(String::as_str));
            self.error(
                codes::UNKNOWN_ACTION,
                place,
                format!("there is no action `{action}`"),
                help,
            );
        }
        known
    }

    /// The arguments that are texts written out, by name: none for a text of
    /// which nothing can be said, since it is wrong or not known yet.
    fn written_out<'n>(&self, keys: &Keys<'n>) -> BTreeMap<&'n str, Option<&'n str>> {
        let texts = keys.rest().filter_map(|entry| match &entry.value.value {
            Content::Text { text, .. } if text.starts_with('=') || text.contains("{{") => None,
            Content::Text { text, .. } => {
                let is_object = self.catalog.objects.get(text.trim()).is_some();
                Some((entry.key.as_str(), is_object.then_some(text.trim())))
            }
            _ => Some((entry.key.as_str(), None)),
        });
        texts.collect()
    }

    /// The arguments; none where one of them is wrong.
    fn arguments(
        &mut self,
        signature: &ActionSignature,
        place: Place,
        keys: &Keys<'_>,
        names: &Names,
    ) -> Option<Vec<Argument>> {
        let parameters = schema::parameters(&signature.input);
        let is_open = schema::is_open(&signature.input);
        let mut failed = false;
        let given: Vec<&Entry> = keys.rest().collect();
        for (name, parameter) in &parameters {
            if !parameter.required || given.iter().any(|entry| entry.key == *name) {
                continue;
            }
            failed = true;
            let is_slip = |entry: &&&Entry| {
                !parameters.contains_key(&entry.key)
                    && codes::did_you_mean(&entry.key, std::iter::once(name.as_str())).is_some()
            };
            if !given.iter().any(|entry| is_slip(&entry)) {
                let message = format!("`{}` needs the argument `{name}`", signature.name);
                let help = Some(format!("add `{name}:`, which is {}", parameter.wanted.describe()));
                self.error(codes::MISSING_ARGUMENT, place, message, help);
            }
        }
        // What decides about fields comes first.
        let mut read: BTreeMap<&str, Option<(Got, Wanted)>> = BTreeMap::new();
        let (later, first): (Vec<&Entry>, Vec<&Entry>) = given.iter().copied().partition(|entry| {
            matches!(
                parameters.get(&entry.key),
                Some(Parameter { wanted: Wanted::FieldsOf(_), .. })
            )
        });
        for entry in first.into_iter().chain(later) {
            let parameter = match parameters.get(&entry.key) {
                Some(parameter) => self.resolved(parameter, &read),
                None if is_open => {
                    Parameter { wanted: Wanted::Open, required: false, nullable: true }
                }
                None => {
                    self.unknown_argument(signature, entry, &parameters);
                    failed = true;
                    continue;
                }
            };
            let what = format!("`{}`", entry.key);
            self.takes_secrets = true;
            let got = self.value(&entry.value, &parameter, &what, names);
            self.takes_secrets = false;
            if let Some(got) = &got {
                if let Some(value) = written_out_value(&got.expression)
                    && let Some(why) = schema::broken_bound(&signature.input, &entry.key, &value)
                {
                    let message = format!("{what} {why}");
                    self.error(codes::WRONG_VALUE, entry.value.place, message, None);
                    failed = true;
                }
                if matches!(parameter.wanted, Wanted::Due | Wanted::Duration) && !self.has_calendar
                {
                    self.needs_calendar(&got.expression, entry.value.place, names);
                }
            } else {
                failed = true;
            }
            read.insert(&entry.key, got.map(|got| (got, parameter.wanted)));
        }
        self.template_reads(signature, &given, &read);
        if failed {
            return None;
        }
        given
            .iter()
            .map(|entry| {
                let (got, wanted) = read.remove(entry.key.as_str())??;
                let conversion = match wanted {
                    Wanted::Due => Conversion::Due,
                    Wanted::Record(objects) => Conversion::Reference { objects },
                    _ => Conversion::Plain,
                };
                Some(Argument { name: entry.key.clone(), value: got.expression, conversion })
            })
            .collect()
    }

    /// A parameter whose fields depend on another argument.
    fn resolved(
        &self,
        parameter: &Parameter,
        read: &BTreeMap<&str, Option<(Got, Wanted)>>,
    ) -> Parameter {
        let Wanted::FieldsOf(of) = &parameter.wanted else { return parameter.clone() };
        // What is looked for has some of the fields; what is made, all that
        // are required.
        let (of, creates) = match of.strip_prefix("some/") {
            Some(of) => (of, false),
            None => (of.as_str(), true),
        };
        let wanted = if let Some(object) = of.strip_prefix("object/") {
            Wanted::Fields { objects: vec![object.to_owned()], creates }
        } else {
            match read.get(of) {
                Some(Some((got, wanted))) => match (&got.slot.kind, wanted) {
                    (Type::Record(objects), _) if !objects.is_empty() => {
                        Wanted::Fields { objects: objects.clone(), creates: false }
                    }
                    (Type::Choice(objects), Wanted::Object | Wanted::Text) => {
                        Wanted::Fields { objects: objects.clone(), creates }
                    }
                    _ => parameter.wanted.clone(),
                },
                _ => parameter.wanted.clone(),
            }
        };
        Parameter { wanted, ..parameter.clone() }
    }

    fn unknown_argument(
        &mut self,
        signature: &ActionSignature,
        entry: &Entry,
        parameters: &BTreeMap<String, Parameter>,
    ) {
        let own = ["as", "retry", "if_it_fails", "if_unknown", "may"];
        let known = parameters.keys().map(String::as_str).chain(own);
        let help = codes::mean_or_list(&entry.key, known);
        let message = format!("`{}` takes no argument `{}`", signature.name, entry.key);
        self.error(codes::UNKNOWN_ARGUMENT, entry.key_place, message, help);
    }

    /// `if_unknown: hold`
    fn if_unknown(&mut self, entry: &Entry) -> Option<IfUnknown> {
        let text = self.plain_text(entry)?.trim();
        let found = IfUnknown::ALL.into_iter().find(|(name, _)| *name == text);
        if found.is_none() {
            let message = format!("`{text}` does not say what becomes of it");
            let names = IfUnknown::ALL.into_iter().map(|(name, _)| name);
            let help = codes::mean_or_list(text, names);
            self.error(codes::WRONG_VALUE, entry.value.place, message, help);
        }
        found.map(|(_, if_unknown)| if_unknown)
    }

    /// `may: [read lead.email, update lead.company]`
    fn may(&mut self, entry: &Entry, signature: &ActionSignature) -> Permissions {
        let mut grants = Vec::new();
        for item in self.items(entry) {
            let Content::Text { text, .. } = &item.value else {
                if !matches!(item.value, Content::Spoiled) {
                    let message = "`may` takes words such as `read lead.email`";
                    self.error(codes::WRONG_FORM, item.place, message, None);
                }
                continue;
            };
            let read = match relata_package::grants_of(text) {
                Ok(read) => read,
                Err(why) => {
                    let forms = relata_package::FORMS.join("`, `");
                    let help = Some(format!("write one of `{forms}`"));
                    self.error(codes::WRONG_VALUE, item.place, why.to_string(), help);
                    continue;
                }
            };
            let is_there = read.iter().all(|grant| match grant {
                Grant::Read(object, field) | Grant::Update(object, field) => {
                    self.is_field(object, field, item.place)
                }
                Grant::Create(object) | Grant::Delete(object) => {
                    self.is_field(object, "*", item.place)
                }
                _ => true,
            });
            if !is_there {
                continue;
            }
            let asked = signature.permissions.as_ref();
            let given: Permissions = read.iter().cloned().collect();
            if asked.is_some_and(|asked| asked.meet(&given).grants().is_empty()) {
                let plugin = plugin_of(signature);
                let message = format!("the plugin `{plugin}` may not {} anyway", read[0]);
                let help = Some(format!("leave it out, or install `{plugin}` with it"));
                self.error(codes::MISSING_PERMISSION, item.place, message, help);
            }
            grants.extend(read);
        }
        grants.into_iter().collect()
    }

    /// Whether there is such an object, and it has such a field; `*` is there
    /// always.
    fn is_field(&mut self, object: &str, field: &str, place: Place) -> bool {
        if object == "*" {
            return true;
        }
        let Some(definition) = self.catalog.objects.get(object) else {
            let help = codes::did_you_mean(object, self.catalog.objects.names());
            let message = format!("there is no object `{object}`");
            self.error(codes::UNKNOWN_OBJECT, place, message, help);
            return false;
        };
        if field == "*" || definition.field(field).is_some() {
            return true;
        }
        let names = definition.fields.keys().map(String::as_str);
        let help = codes::did_you_mean(field, names);
        let message = format!("{object} has no field `{field}`");
        self.error(codes::UNKNOWN_FIELD, place, message, help);
        false
    }

    /// Looks whether the plugin may do what the action says that it does.
    fn permitted(&mut self, signature: &ActionSignature, may: Option<&Permissions>, place: Place) {
        let Some(permissions) = &signature.permissions else { return };
        let left = may.map_or_else(|| permissions.clone(), |may| permissions.meet(may));
        let plugin = plugin_of(signature);
        let mut needs = Vec::new();
        for path in &signature.reads {
            // `*` is what the input decides.
            match path.split_once('.') {
                _ if path == "*" => {}
                Some((object, field)) => {
                    needs.push((Grant::Read(object.to_owned(), field.to_owned()), None));
                }
                None if left.check_object_read(path).is_err() => {
                    needs.push((Grant::Read(path.clone(), "*".to_owned()), None));
                }
                None => {}
            }
        }
        for path in &signature.writes {
            match path.split_once('.') {
                _ if path == "*" => {}
                Some((object, field)) => {
                    let create = Grant::Create(object.to_owned());
                    needs.push((Grant::Update(object.to_owned(), field.to_owned()), Some(create)));
                }
                None if left.check_object_update(path).is_err()
                    && left.check_delete(path).is_err() =>
                {
                    needs.push((Grant::Create(path.clone()), None));
                }
                None => {}
            }
        }
        for (need, or) in needs {
            if left.covers(&need) || or.is_some_and(|or| left.covers(&or)) {
                continue;
            }
            let (message, help) = if permissions.covers(&need) {
                (
                    format!("`{}` has to {need}, and `may` leaves that out", signature.name),
                    "add it to `may`".to_owned(),
                )
            } else {
                (
                    format!(
                        "`{}` has to {need}, and the plugin `{plugin}` may not",
                        signature.name
                    ),
                    format!("`relata plugin install` shows what `{plugin}` asks for"),
                )
            };
            self.error(codes::MISSING_PERMISSION, place, message, Some(help));
        }
    }

    /// `retry: 3 times`, `retry: 5 times, first after 1 minute`.
    fn retry(&mut self, entry: &Entry) -> Option<Retry> {
        let text = self.plain_text(entry)?;
        let read = read_retry(text);
        if read.is_none() {
            let message = format!("`{text}` does not say how often it is tried again");
            let help = Some("write `3 times`, or `5 times, first after 1 minute`".to_owned());
            self.error(codes::WRONG_VALUE, entry.value.place, message, help);
        }
        read
    }

    /// `if_it_fails: { use: … }`: the step's result where it has failed, and
    /// the type of both together.
    pub(super) fn fallback(&mut self, entry: &Entry, output: &Slot, names: &Names) -> Option<Got> {
        if entry.value.text().is_some() {
            let message = "`if_it_fails` says what to go on with";
            let help = Some("write `if_it_fails: { use: … }`, or leave it out".to_owned());
            self.error(codes::WRONG_FORM, entry.value.place, message, help);
            return None;
        }
        let mut keys = self.keys(&entry.value, "`if_it_fails`")?;
        let value = keys.take("use");
        self.unknown_keys(&keys, "`if_it_fails`");
        let Some(value) = value else {
            self.error(codes::MISSING_KEY, entry.key_place, "`if_it_fails` needs `use:`", None);
            return None;
        };
        let parameter =
            Parameter { wanted: Wanted::of_type(&output.kind), required: true, nullable: true };
        let got = self.value(&value.value, &parameter, "`use`", names)?;
        let slot = output.join(&got.slot).unwrap_or(Slot::of(Type::Any));
        Some(Got { slot, ..got })
    }

    /// Makes a name known from here on.
    pub(super) fn set(&mut self, name: &str, known: crate::formula::Known, names: &mut Names) {
        names.forget_tests(name);
        names.insert(name, known);
    }

    /// The values of a table's rows, which have one type together: numbers,
    /// yes or no, durations and days where all rows are such, else text.
    pub(super) fn together(
        &mut self,
        values: &[(&Node, &Names)],
    ) -> Option<(Vec<Expression>, Slot)> {
        let blocks: Option<Vec<(&[Entry], &Names)>> = values
            .iter()
            .map(|(node, names)| node.entries().map(|entries| (entries, *names)))
            .collect();
        if let Some(blocks) = blocks {
            return self.blocks_together(&blocks);
        }
        let plain: Option<Vec<(&str, bool)>> = values
            .iter()
            .map(|(node, _)| match &node.value {
                Content::Text { text, is_plain }
                    if !text.starts_with('=') && !text.contains("{{") =>
                {
                    Some((text.as_str(), *is_plain))
                }
                _ => None,
            })
            .collect();
        if let Some(plain) = plain {
            for (node, names) in values {
                let open = Parameter { wanted: Wanted::Open, required: true, nullable: false };
                // Only for the warning about a text that looks like a path.
                self.value(node, &open, "this value", names);
            }
            let literals = one_kind(&plain);
            let mut all = Joined::default();
            for literal in &literals {
                // They are of one kind.
                let _ = all.add(slot_of(literal));
            }
            let expressions = literals.into_iter().map(Expression::Literal).collect();
            return all.finish().map(|slot| (expressions, slot));
        }
        self.mixed_together(values)
    }

    /// Rows of which some are formulas. Where these yield records, a text
    /// that is written out names one too: `queue/unassigned`.
    fn mixed_together(&mut self, values: &[(&Node, &Names)]) -> Option<(Vec<Expression>, Slot)> {
        let open = Parameter { wanted: Wanted::Open, required: true, nullable: true };
        let is_computed = |node: &Node| {
            node.text().is_none_or(|text| text.starts_with('=') || text.contains("{{"))
        };
        let mut read: Vec<Option<Option<Got>>> = values
            .iter()
            .map(|(node, names)| {
                is_computed(node).then(|| self.value(node, &open, "this value", names))
            })
            .collect();
        let mut computed = Joined::default();
        for got in read.iter().flatten().flatten() {
            // What does not go together is told below.
            let _ = computed.add(got.slot.clone());
        }
        let written = match computed.finish().map(|slot| slot.kind) {
            Some(Type::Record(_)) => Parameter { wanted: Wanted::Record(Vec::new()), ..open },
            _ => open,
        };
        let mut expressions = Vec::new();
        let mut all = Joined::default();
        let mut failed = false;
        for ((node, names), got) in values.iter().zip(&mut read) {
            let got = got.take().unwrap_or_else(|| self.value(node, &written, "this value", names));
            let Some(got) = got else {
                failed = true;
                continue;
            };
            let kind = got.slot.kind.clone();
            if let Err(before) = all.add(got.slot) {
                let message = format!(
                    "this row yields {}, and a row before it {}",
                    kind.describe(),
                    before.describe()
                );
                self.error(
                    codes::WRONG_TYPE,
                    node.place,
                    message,
                    Some("let all rows yield values of one kind".to_owned()),
                );
            }
            expressions.push(got.expression);
        }
        if failed { None } else { all.finish().map(|all| (expressions, all)) }
    }

    fn blocks_together(
        &mut self,
        blocks: &[(&[Entry], &Names)],
    ) -> Option<(Vec<Expression>, Slot)> {
        let mut parts: Vec<Vec<(String, Expression)>> = vec![Vec::new(); blocks.len()];
        let mut slots = BTreeMap::new();
        let mut order: Vec<&str> = Vec::new();
        for (entries, _) in blocks {
            for entry in *entries {
                if !order.contains(&entry.key.as_str()) {
                    order.push(&entry.key);
                }
            }
        }
        let mut failed = false;
        for key in order {
            let mut rows = Vec::new();
            let mut values = Vec::new();
            for (row, (entries, names)) in blocks.iter().enumerate() {
                if let Some(entry) = entries.iter().find(|entry| entry.key == key) {
                    rows.push(row);
                    values.push((&entry.value, *names));
                }
            }
            let Some((expressions, mut slot)) = self.together(&values) else {
                failed = true;
                slots.insert(key.to_owned(), Slot::of(Type::Any));
                continue;
            };
            slot.optional |= rows.len() < blocks.len();
            for (row, expression) in rows.into_iter().zip(expressions) {
                parts[row].push((key.to_owned(), expression));
            }
            slots.insert(key.to_owned(), slot);
        }
        let slot = Slot::of(Type::Map(slots));
        let expressions = parts.into_iter().map(Expression::Map).collect();
        (!failed).then_some((expressions, slot))
    }
}

/// Texts that are written out, all as one kind of value.
fn one_kind(written: &[(&str, bool)]) -> Vec<Value> {
    let kinds: [fn(&str) -> Option<Value>; 4] = [
        |text| text.parse().ok().map(Value::Number),
        |text| match text {
            "true" => Some(Value::YesNo(true)),
            "false" => Some(Value::YesNo(false)),
            _ => None,
        },
        |text| text.parse::<Duration>().ok().map(Value::Duration),
        |text| text.parse().ok().map(Value::Date),
    ];
    for kind in kinds {
        let values: Option<Vec<Value>> = written
            .iter()
            .map(|(text, is_plain)| if *is_plain { kind(text.trim()) } else { None })
            .collect();
        if let Some(values) = values {
            return values;
        }
    }
    written.iter().map(|(text, _)| Value::Text((*text).to_owned())).collect()
}

fn read_retry(text: &str) -> Option<Retry> {
    if text == "never" {
        return Some(Retry { times: 0, ..Retry::default() });
    }
    let (times, first) = match text.split_once(',') {
        Some((times, first)) => (times, Some(first.trim().strip_prefix("first after ")?)),
        None => (text, None),
    };
    let times = times.trim();
    let times = times.strip_suffix(" times").or_else(|| times.strip_suffix(" time"))?;
    let mut retry = Retry {
        times: times.trim().parse().ok().filter(|times| *times <= 1_000)?,
        ..Retry::default()
    };
    if let Some(first) = first {
        let first: Duration = first.parse().ok()?;
        let plain = first.millis > 0 && first == Duration::from_millis(first.millis);
        retry.first_ms = u64::try_from(first.millis).ok().filter(|_| plain)?;
        retry.longest_ms = retry.longest_ms.max(retry.first_ms);
    }
    Some(retry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_read() {
        let said = |text: &str| {
            read_retry(text).map(|retry| (retry.times, retry.first_ms, retry.longest_ms))
        };
        assert_eq!(said("3 times"), Some((3, 5_000, 3_600_000)));
        assert_eq!(said("1 time"), Some((1, 5_000, 3_600_000)));
        assert_eq!(said("5 times, first after 1 minute"), Some((5, 60_000, 3_600_000)));
        assert_eq!(said("2 times, first after 2 hours"), Some((2, 7_200_000, 7_200_000)));
        assert_eq!(said("never"), Some((0, 5_000, 3_600_000)));
        for wrong in
            ["3", "often", "3 times, after 1 minute", "3 times, first after 1 day", "-1 times"]
        {
            assert_eq!(said(wrong), None, "{wrong}");
        }
    }
}
