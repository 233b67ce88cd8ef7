//! Blocks of steps, and the steps that decide.

use std::collections::BTreeSet;

use relata_model::Decimal;

use super::{
    Keys, Named, Reader,
    action::Done,
    branches::{Branch, join},
    formulas,
};
use crate::{
    definition::{BlockId, Expression, Row, Step, StepId, StepKind},
    diagnostic as codes,
    formula::{Known, Names},
    source::{Content, Entry, Node},
    types::{Slot, Type},
};

/// The keys of which each step has one.
pub(super) const STEPS: &[&str] = &[
    "do",
    "decide",
    "if",
    "wait",
    "wait_until",
    "wait_for",
    "deadline",
    "split",
    "set",
    "for_each",
    "parallel",
    "run",
    "ask",
    "stop_if",
    "stop_unless",
];

/// What a step does to what comes after it.
pub(super) struct After {
    pub(super) kind: Option<StepKind>,
    pub(super) name: Option<String>,
    pub(super) label: String,
    /// The run always stops here.
    pub(super) ends: bool,
    /// Steps that are to follow it, where it is made of several.
    pub(super) more: Vec<StepId>,
}

impl After {
    pub(super) const fn of(kind: Option<StepKind>, label: String) -> Self {
        Self { kind, name: None, label, ends: false, more: Vec::new() }
    }
}

impl Reader<'_> {
    /// A list of steps; whether the run always stops within it.
    pub(super) fn block(
        &mut self,
        entry: &Entry,
        path: &str,
        names: &mut Names,
    ) -> (BlockId, bool) {
        let items: &[Node] = match &entry.value.value {
            Content::List(items) => items,
            Content::Spoiled => &[],
            Content::Nothing => {
                self.error(
                    codes::MISSING_KEY,
                    entry.key_place,
                    format!("`{}` has no steps", entry.key),
                    None,
                );
                &[]
            }
            _ => {
                let help = Some("begin each step with `- `".to_owned());
                self.error(
                    codes::WRONG_FORM,
                    entry.value.place,
                    format!("`{}` is a list of steps", entry.key),
                    help,
                );
                &[]
            }
        };
        let mut steps = Vec::new();
        let mut ended = false;
        let mut told = false;
        for (number, node) in items.iter().enumerate() {
            if let Some(text) = node.text() {
                self.step_as_text(text, node);
                continue;
            }
            let Some(mut keys) = self.keys(node, "a step") else { continue };
            if ended && !told {
                told = true;
                let help =
                    Some("remove it, or the step before it that always stops the run".to_owned());
                self.error(
                    codes::UNREACHABLE,
                    keys.place(),
                    "this step can never be reached",
                    help,
                );
            }
            ended |= self.step(&mut keys, &format!("{path}[{number}]"), names, &mut steps);
        }
        (self.block_of(steps), ended)
    }

    /// A step without the keys that were taken from it before; it is added to
    /// its block. Whether the run always stops there.
    pub(super) fn step(
        &mut self,
        keys: &mut Keys<'_>,
        path: &str,
        names: &mut Names,
        block: &mut Vec<StepId>,
    ) -> bool {
        let place = keys.place();
        if let Some(recording) = &mut self.recording {
            recording.scope(place, names);
        }
        // Its place in the arena is taken before its blocks take theirs.
        let id = self.reserve();
        block.push(id);
        // Fields stand under `set`, beside `do: crm.update`.
        let is_call = keys.peek("do").is_some();
        let kinds: Vec<&'static str> = STEPS
            .iter()
            .copied()
            .filter(|key| !(is_call && *key == "set") && keys.peek(key).is_some())
            .collect();
        let kinds: Vec<&Entry> = kinds.into_iter().filter_map(|key| keys.take(key)).collect();
        let after = match kinds[..] {
            [] => {
                self.no_step(keys);
                return false;
            }
            [entry] => self.step_of(entry, keys, path, names),
            // `deadline` levels have `do` beside `at`; nothing else has two.
            [first, second, ..] => {
                let message =
                    format!("`{}` and `{}` cannot stand in one step", first.key, second.key);
                let help = Some("begin a new step with `- `".to_owned());
                self.error(codes::WRONG_FORM, second.key_place, message, help);
                return false;
            }
        };
        block.extend(after.more);
        if let Some(kind) = after.kind {
            let line = self.line(place);
            let (label, name) = (after.label, after.name);
            self.fill(Step { id, path: path.to_owned(), label, line, name, kind });
        }
        after.ends
    }

    /// A place in the arena.
    pub(super) fn reserve(&mut self) -> StepId {
        let id = StepId(u32::try_from(self.steps.len()).unwrap_or(u32::MAX));
        self.steps.push(None);
        id
    }

    /// Puts a step into its place.
    pub(super) fn fill(&mut self, step: Step) {
        let place = step.id.0 as usize;
        self.steps[place] = Some(step);
    }

    fn step_of(
        &mut self,
        entry: &Entry,
        keys: &mut Keys<'_>,
        path: &str,
        names: &mut Names,
    ) -> After {
        let what = format!("{}: {}", entry.key, entry.value.text().map_or("", |text| text.trim()));
        let label = what.trim_end_matches([':', ' ']).to_owned();
        if entry.key == "do" {
            let Done { kind, name } = self.do_step(entry, keys, names);
            return After { name, ..After::of(kind, label) };
        }
        let after = match entry.key.as_str() {
            "decide" => self.decide(entry, keys, label, names),
            "if" => self.if_step(entry, keys, path, label, names),
            "wait" | "wait_until" => self.wait(entry, keys, label, names),
            "wait_for" => self.wait_for(entry, keys, path, names),
            "deadline" => self.deadline(entry, keys, path, label, names),
            "split" => self.split(entry, keys, label, names),
            "set" => self.set_step(entry, names),
            "for_each" => self.for_each(entry, keys, path, label, names),
            "parallel" => self.parallel(entry, path, names),
            "run" => {
                let Done { kind, name } = self.run_step(entry, keys, names);
                After { name, ..After::of(kind, label) }
            }
            "ask" => self.ask(entry, keys, path, label, names),
            _ => self.stop(entry, label, names),
        };
        self.unknown_keys(keys, &format!("`{}`", entry.key));
        after
    }

    /// `- wait 24 hours`, `- wait:24 hours`: a step that YAML reads as a text.
    fn step_as_text(&mut self, text: &str, node: &Node) {
        let text = text.trim();
        let word = text.split([' ', ':', '=']).next().unwrap_or_default();
        let rest = text[word.len()..].trim_start_matches([' ', ':', '=']);
        let action = self.catalog.actions.contains_key(word);
        let help = if STEPS.contains(&word) && !rest.is_empty() {
            format!("write `{word}: {rest}`, with a blank behind the colon")
        } else if action {
            format!("write `do: {word}`")
        } else {
            codes::did_you_mean(word, STEPS.iter().copied())
                .unwrap_or_else(|| format!("begin it with one of {}", STEPS.join(", ")))
        };
        let message = "a step is a block of `key: value`, and this is a text";
        self.error(codes::WRONG_FORM, node.place, message, Some(help));
    }

    fn no_step(&mut self, keys: &Keys<'_>) {
        let entries: Vec<&Entry> = keys.rest().collect();
        if let Some(entry) =
            entries.iter().find(|entry| super::NOT_YET.contains(&entry.key.as_str()))
        {
            self.error(
                codes::NOT_YET,
                entry.key_place,
                format!("`{}` is not yet in this version", entry.key),
                None,
            );
            return;
        }
        let near = entries.iter().find_map(|entry| {
            codes::did_you_mean(&entry.key, STEPS.iter().copied()).map(|help| (entry, help))
        });
        let action = entries.iter().find(|entry| self.catalog.actions.contains_key(&entry.key));
        if let Some((entry, help)) = near {
            self.error(
                codes::UNKNOWN_KEY,
                entry.key_place,
                format!("a step has no key `{}`", entry.key),
                Some(help),
            );
        } else if let Some(entry) = action {
            let help = Some(format!("write `do: {}`", entry.key));
            self.error(codes::UNKNOWN_KEY, entry.key_place, "an action stands behind `do:`", help);
        } else {
            let help = Some(format!("begin it with one of {}", STEPS.join(", ")));
            self.error(
                codes::MISSING_KEY,
                keys.place(),
                "this step does not say what it does",
                help,
            );
        }
    }

    /// Remembers that a step has a name.
    pub(super) fn name_step(&mut self, name: &str, action: Option<String>) {
        self.named.insert(name.to_owned(), Named { action, in_loop: false });
    }

    /// Gives a step's result its name.
    fn name_value(&mut self, entry: &Entry, known: Known, names: &mut Names) -> Option<String> {
        let text = self.plain_text(entry)?;
        let name = self.result_name(text, entry.value.place, names)?;
        self.set(&name, known, names);
        self.name_step(&name, None);
        Some(name)
    }

    /// `decide: team` with its rows.
    fn decide(
        &mut self,
        entry: &Entry,
        keys: &mut Keys<'_>,
        label: String,
        names: &mut Names,
    ) -> After {
        let Some(rows) = keys.take("rows") else {
            if !keys.has_slip_of("rows") {
                self.error(codes::MISSING_KEY, entry.key_place, "`decide` needs `rows:`", None);
            }
            self.name_value(entry, formulas::known(Slot::of(Type::Any)), names);
            return After::of(None, label);
        };
        let mut read: Vec<(Option<crate::formula::Formula>, u32)> = Vec::new();
        let mut values: Vec<(&Node, Names)> = Vec::new();
        let mut catch_all = false;
        let mut failed = false;
        // What is known where none of the rows before has been taken.
        let mut none_before = names.branch();
        let mut conditions = BTreeSet::new();
        let items = self.items(rows);
        for node in items {
            let Some(mut keys) = self.keys(node, "a row") else {
                failed = true;
                continue;
            };
            if catch_all {
                let help = Some("move the row without `if` to the end".to_owned());
                self.error(
                    codes::AFTER_CATCH_ALL,
                    keys.place(),
                    "this row can never be chosen: the row before it takes everything",
                    help,
                );
                failed = true;
            }
            let condition = keys.take("if");
            let value = keys.take("use");
            self.unknown_keys(&keys, "a row");
            let mut here = none_before.branch();
            let mut formula = None;
            if let Some(entry) = condition {
                match self.condition(entry, &none_before) {
                    Some(read) => {
                        self.warn_constant(&read);
                        if !conditions.insert(read.formula.to_string()) {
                            let message = "this row can never be chosen: a row before it has the same condition";
                            let help = Some("remove it, or change its condition".to_owned());
                            self.error(codes::AFTER_CATCH_ALL, read.place, message, help);
                            failed = true;
                        }
                        here.narrow_words(&read.formula, true);
                        none_before.narrow_words(&read.formula, false);
                        here.narrow(read.filled_if_true);
                        none_before.narrow(read.filled_if_false);
                        formula = Some(read.formula);
                    }
                    None => failed = true,
                }
            } else {
                catch_all = true;
            }
            let line = self.line(keys.place());
            match value {
                Some(value) => {
                    read.push((formula, line));
                    values.push((&value.value, here));
                }
                None => {
                    if !keys.has_slip_of("use") {
                        self.error(codes::MISSING_KEY, keys.place(), "a row needs `use:`", None);
                    }
                    failed = true;
                }
            }
        }
        let nothing_read = failed && read.is_empty();
        if !catch_all && !nothing_read {
            let help = Some("add a last row with `use:` alone".to_owned());
            self.error(
                codes::NO_CATCH_ALL,
                rows.key_place,
                "no row takes what meets none of the conditions",
                help,
            );
            failed = true;
        }
        let values: Vec<(&Node, &Names)> =
            values.iter().map(|(node, names)| (*node, names)).collect();
        let together = self.together(&values);
        let (arms, slot) =
            together.map_or((Vec::new(), Slot::of(Type::Any)), |(arms, slot)| (arms, slot));
        if arms.len() != read.len() {
            failed = true;
        }
        let rows = read
            .into_iter()
            .zip(&arms)
            .map(|((condition, line), value)| Row { condition, value: value.clone(), line })
            .collect();
        let name = self.name_value(entry, Known { slot, unset: false, arms }, names);
        let kind = (!failed && name.is_some()).then_some(StepKind::Decide { rows });
        After { name, ..After::of(kind, label) }
    }

    /// `if:` with `then:` and `else:`.
    fn if_step(
        &mut self,
        entry: &Entry,
        keys: &mut Keys<'_>,
        path: &str,
        label: String,
        names: &mut Names,
    ) -> After {
        let then = keys.take("then");
        let otherwise = keys.take("else");
        for other in ["else if", "elseif", "else_if", "elif", "elsif"] {
            if let Some(entry) = keys.take_hidden(other) {
                let message = format!("`if` has no key `{other}`");
                let help = "put a second `if` under `else:`, or make a table with `decide:`";
                self.error(codes::UNKNOWN_KEY, entry.key_place, message, Some(help.to_owned()));
            }
        }
        let read = self.condition(entry, names);
        let mut yes = names.branch();
        let mut no = names.branch();
        if let Some(read) = &read {
            self.warn_constant(read);
            yes.narrow_words(&read.formula, true);
            no.narrow_words(&read.formula, false);
            yes.narrow(read.filled_if_true.iter().cloned());
            no.narrow(read.filled_if_false.iter().cloned());
        }
        let mut then_block = None;
        let mut then_ends = false;
        if let Some(then) = then {
            let (block, ends) = self.block(then, &format!("{path}.then"), &mut yes);
            then_block = Some(block);
            then_ends = ends;
        } else if !keys.has_slip_of("then") {
            self.error(codes::MISSING_KEY, entry.key_place, "`if` needs `then:`", None);
        }
        let mut else_block = None;
        let mut else_ends = false;
        if let Some(otherwise) = otherwise {
            let (block, ends) = self.block(otherwise, &format!("{path}.else"), &mut no);
            else_block = Some(block);
            else_ends = ends;
        }
        let branches =
            [Branch { names: yes, ends: then_ends }, Branch { names: no, ends: else_ends }];
        let ends = join(names, &branches);
        let kind = read.zip(then_block).map(|(read, then)| StepKind::If {
            condition: read.formula,
            then,
            otherwise: else_block,
        });
        After { ends, ..After::of(kind, label) }
    }

    /// `stop_if:` and `stop_unless:`.
    fn stop(&mut self, entry: &Entry, label: String, names: &mut Names) -> After {
        let unless = entry.key == "stop_unless";
        let Some(read) = self.condition(entry, names) else { return After::of(None, label) };
        let ends = read.always.is_some_and(|always| always != unless);
        // `stop_if: true` at the end of a branch is how to stop there.
        let is_plain = read.formula.as_literal().is_some();
        if !(is_plain && ends) {
            self.warn_constant(&read);
        }
        names.narrow_words(&read.formula, unless);
        names.narrow(if unless { read.filled_if_true } else { read.filled_if_false });
        let kind = StepKind::Stop { condition: read.formula, unless };
        After { ends, ..After::of(Some(kind), label) }
    }

    /// `split: offer` with its arms.
    fn split(
        &mut self,
        entry: &Entry,
        keys: &mut Keys<'_>,
        label: String,
        names: &mut Names,
    ) -> After {
        let Some(arms_entry) = keys.take("arms") else {
            if !keys.has_slip_of("arms") {
                self.error(codes::MISSING_KEY, entry.key_place, "`split` needs `arms:`", None);
            }
            self.name_value(entry, formulas::known(Slot::of(Type::Any)), names);
            return After::of(None, label);
        };
        let arms = self.arms(arms_entry);
        let slot = arms.as_ref().map_or(Slot::of(Type::Any), |arms| {
            Slot::of(Type::Choice(arms.iter().map(|(name, _)| name.clone()).collect()))
        });
        let known = Known { slot, unset: false, arms: Vec::<Expression>::new() };
        let name = self.name_value(entry, known, names);
        let kind = arms.filter(|_| name.is_some()).map(|arms| StepKind::Split { arms });
        After { name, ..After::of(kind, label) }
    }

    fn arms(&mut self, entry: &Entry) -> Option<Vec<(String, Decimal)>> {
        let Some(entries) = entry.value.entries() else {
            if !entry.value.is_spoiled() {
                let help = Some("write `arms: { one: 50%, other: 50% }`".to_owned());
                self.error(
                    codes::WRONG_FORM,
                    entry.value.place,
                    "`arms` names each arm with its share",
                    help,
                );
            }
            return None;
        };
        let mut arms = Vec::new();
        let mut total = Some(Decimal::ZERO);
        for arm in entries {
            let share = self.share(arm);
            total = total.zip(share).and_then(|(total, share)| total.checked_add(share));
            arms.push((arm.key.clone(), share.unwrap_or_default()));
        }
        let total = total?;
        if total != Decimal::ONE {
            let percent = (total * Decimal::ONE_HUNDRED).normalize();
            let help = Some("let them add up to 100%".to_owned());
            self.error(
                codes::SHARES,
                entry.key_place,
                format!("the arms add up to {percent}%, not to 100%"),
                help,
            );
        }
        Some(arms)
    }

    /// `45%`
    pub(super) fn share(&mut self, entry: &Entry) -> Option<Decimal> {
        let text = self.plain_text(entry)?;
        let share = text
            .strip_suffix('%')
            .and_then(|number| number.trim().parse::<Decimal>().ok())
            .filter(|share| !share.is_sign_negative() && *share <= Decimal::from(10_000))
            .and_then(|share| share.checked_div(Decimal::ONE_HUNDRED));
        if share.is_none() {
            let message = format!("`{text}` is not a share");
            self.error(
                codes::WRONG_VALUE,
                entry.value.place,
                message,
                Some("write `50%`".to_owned()),
            );
        }
        share
    }
}
