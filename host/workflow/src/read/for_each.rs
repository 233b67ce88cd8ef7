//! `for_each:` runs its steps for every item of a list.

use relata_model::Value;

use super::{Hidden, Keys, Reader, formulas, schema::Wanted, set::set_in, steps::After};
use crate::{
    definition::{ForEach, PACES, Pace, StepKind},
    diagnostic as codes,
    formula::{Formula, Names},
    source::{Content, Entry},
    types::{Slot, Type},
};

/// How many items of a loop may be under way at once.
const MOST_AT_ONCE: u32 = 50;

/// How deep loops and branches may be nested.
const DEEPEST: u32 = 4;

impl Reader<'_> {
    /// Enters a loop or the branches of a `parallel`; says so where that is
    /// too deep.
    pub(super) fn enter(&mut self, entry: &Entry) {
        self.depth += 1;
        if self.depth == DEEPEST + 1 {
            self.error(
                codes::TOO_NESTED,
                entry.key_place,
                format!("loops and branches are nested more than {DEEPEST} deep here"),
                Some("move these steps to a workflow of their own, and `run:` it here".to_owned()),
            );
        }
    }

    /// `for_each: =found.records`
    pub(super) fn for_each(
        &mut self,
        entry: &Entry,
        keys: &mut Keys<'_>,
        path: &str,
        label: String,
        names: &mut Names,
    ) -> After {
        let as_entry = keys.take("as");
        let only_if_entry = keys.take("only_if");
        let at_once_entry = keys.take("at_once");
        let pace_entry = keys.take("pace");
        let steps = keys.take("steps");
        let list = self.list(entry, names);
        let at_once = at_once_entry.map_or(Some(1), |entry| self.at_once(entry, MOST_AT_ONCE));
        let pace = pace_entry.map(|entry| self.pace(entry));

        let set = steps.map(|steps| set_in(&steps.value)).unwrap_or_default();
        self.forget(&set, names);
        let mut inner = names.branch();
        let item_slot = list.as_ref().map_or(Slot::of(Type::Any), |(_, item)| item.clone());
        let item = self.item_name(as_entry, entry, keys, names);
        let missed_names = self.misses_names;
        match &item {
            Some(item) => self.set(item, formulas::known(item_slot), &mut inner),
            None => self.misses_names = true,
        }
        let only_if = only_if_entry.map(|entry| {
            let read = self.condition(entry, &inner)?;
            self.warn_constant(&read);
            inner.narrow_words(&read.formula, true);
            inner.narrow(read.filled_if_true);
            Some(read.formula)
        });
        self.enter(entry);
        let block = match steps {
            Some(steps) => Some(self.block(steps, &format!("{path}.steps"), &mut inner).0),
            None => {
                if !keys.has_slip_of("steps") {
                    let help = Some("add `steps:` with what is done for each item".to_owned());
                    self.error(
                        codes::MISSING_KEY,
                        entry.key_place,
                        "`for_each` has no steps",
                        help,
                    );
                }
                None
            }
        };
        self.depth -= 1;
        self.misses_names = missed_names;
        self.leave_item(&inner, names);
        self.take_over(&set, names);

        let failed = only_if.as_ref().is_some_and(Option::is_none)
            || pace.as_ref().is_some_and(Option::is_none);
        let kind = (|| {
            let (list, _) = list.filter(|_| !failed)?;
            Some(StepKind::ForEach(ForEach {
                list,
                item: item?,
                only_if: only_if.flatten(),
                at_once: at_once?,
                pace: pace.flatten(),
                block: block?,
            }))
        })();
        After::of(kind, label)
    }

    /// What an item is called.
    fn item_name(
        &mut self,
        as_entry: Option<&Entry>,
        entry: &Entry,
        keys: &Keys<'_>,
        names: &Names,
    ) -> Option<String> {
        let Some(as_entry) = as_entry else {
            if !keys.has_slip_of("as") {
                let help = Some("add `as: customer`, say".to_owned());
                self.error(
                    codes::MISSING_KEY,
                    entry.key_place,
                    "`for_each` does not say what an item is called",
                    help,
                );
            }
            return None;
        };
        let text = self.plain_text(as_entry)?;
        self.result_name(text, as_entry.value.place, names)
    }

    /// What an item has set is not known outside.
    fn leave_item(&mut self, inner: &Names, names: &Names) {
        for name in inner.changed() {
            if names.contains(name) {
                continue;
            }
            self.hidden.insert(name.clone(), Hidden::Item);
            self.declared.remove(name);
            if let Some(named) = self.named.get_mut(name) {
                named.in_loop = true;
            }
        }
    }

    /// The list, and what its items are.
    fn list(&mut self, entry: &Entry, names: &Names) -> Option<(Formula, Slot)> {
        let node = &entry.value;
        match &node.value {
            Content::Text { text, .. } if text.starts_with('=') => {}
            Content::Text { text, .. } => {
                let help = format!("write a formula that yields a list: `={}`", text.trim());
                let message = format!("`for_each` goes through a list, not the text `{text}`");
                self.error(codes::NOT_A_LIST, node.place, message, Some(help));
                return None;
            }
            Content::Spoiled => return None,
            Content::Nothing => {
                self.error(codes::MISSING_KEY, entry.key_place, "`for_each` has no list", None);
                return None;
            }
            Content::List(_) | Content::Map(_) => {
                let help = Some("write a formula in quotes: `'=[\"one\", \"two\"]'`".to_owned());
                let message = "`for_each` takes a formula that yields a list";
                self.error(codes::WRONG_FORM, node.place, message, help);
                return None;
            }
        }
        let read = self.formula_value(node, names)?;
        let source = &read.formula.source;
        match &read.slot.kind {
            Type::Any => return Some((read.formula, Slot::of(Type::Any))),
            Type::List(items) if !read.slot.optional => {
                let items = items.as_ref().clone();
                return Some((read.formula, items));
            }
            Type::List(_) => {
                let message = format!("`{source}` may be empty, and `for_each` needs a list");
                let help = Some(format!("write `=default({source}, [])`"));
                self.error(codes::MAY_BE_EMPTY, read.place, message, help);
            }
            other => {
                let message = format!("`for_each` goes through a list, not {}", other.describe());
                self.error(codes::NOT_A_LIST, read.place, message, Some(list_help(source, other)));
            }
        }
        None
    }

    /// `at_once: 5`, and no more than that.
    pub(super) fn at_once(&mut self, entry: &Entry, most: u32) -> Option<u32> {
        let wanted = Wanted::Number {
            whole: true,
            least: Some(relata_model::Decimal::ONE),
            most: Some(relata_model::Decimal::from(most)),
        };
        match self.written(entry, &wanted)? {
            Value::Number(number) => number.normalize().to_string().parse().ok(),
            _ => None,
        }
    }

    /// `pace: 60 per hour`
    pub(super) fn pace(&mut self, entry: &Entry) -> Option<Pace> {
        let text = self.plain_text(entry)?;
        let pace = text.parse().ok();
        if pace.is_none() {
            let message = format!("`{text}` is not a pace");
            let help = Some(format!("write {PACES}"));
            self.error(codes::WRONG_VALUE, entry.value.place, message, help);
        }
        pace
    }
}

/// What may have been meant where there is no list: the one list in a result.
fn list_help(source: &str, kind: &Type) -> String {
    if let Type::Map(parts) = kind {
        let mut lists = parts.iter().filter(|(_, part)| matches!(part.kind, Type::List(_)));
        if let (Some((name, _)), None) = (lists.next(), lists.next()) {
            return format!("did you mean `={source}.{name}`?");
        }
    }
    "name a list, such as the records that a step has found".to_owned()
}
