//! Formulas where they stand in the file: conditions, values after `=`, and
//! what stands between `{{ }}`.

use std::collections::BTreeSet;

use relata_model::{Duration, TimeZone, Timestamp, Value};

use super::{Hidden, Reader};
use crate::{
    definition::{Expression, Piece},
    diagnostic::{self as codes, Place},
    facts::Facts,
    formula::{self, FILTERS, Fault, Formula, Known, Names, Scope, condition_fault},
    source::{Content, Entry, Locator, Node},
    types::{Slot, Type},
};

/// A formula that was read, and what is known of it.
#[derive(Debug, Clone)]
pub(super) struct Read {
    pub(super) formula: Formula,
    /// [`Type::Any`] where something is wrong with it.
    pub(super) slot: Slot,
    pub(super) place: Place,
    pub(super) filled_if_true: BTreeSet<String>,
    pub(super) filled_if_false: BTreeSet<String>,
    /// What a condition without anything that varies comes to.
    pub(super) always: Option<bool>,
}

impl Reader<'_> {
    /// Reads the part of a text that begins at `from` as a formula.
    pub(super) fn formula_at(
        &mut self,
        node: &Node,
        from: usize,
        to: usize,
        names: &Names,
    ) -> Option<Read> {
        let locator = Locator::new(self.findings.source(), node);
        self.formula_in(node, &locator, from, to, names)
    }

    /// The same, for one of several in a text that was located once.
    fn formula_in(
        &mut self,
        node: &Node,
        locator: &Locator,
        from: usize,
        to: usize,
        names: &Names,
    ) -> Option<Read> {
        let text = node.text()?;
        let source = text.get(from..to)?;
        let locate = |place: Place| {
            locator.place(Place { start: place.start + from, end: place.end + from })
        };
        let trimmed = source.trim();
        let lead = source.len() - source.trim_start().len();
        let place = locate(Place { start: lead, end: lead + trimmed.len() });
        let inside =
            |place: Place| locate(Place { start: place.start + lead, end: place.end + lead });
        if let Some(recording) = &mut self.recording {
            recording.formula(trimmed, place, names, inside);
        }
        let mut formula = match Formula::read(trimmed) {
            Ok(formula) => formula,
            Err(mut fault) => {
                if matches!(node.value, Content::Text { is_plain: true, .. })
                    && fault.message.contains("is missing before the end")
                {
                    fault.help = Some(
                        "within { } put the formula in quotes, since a comma ends it".to_owned(),
                    );
                }
                self.findings.fault(fault, inside);
                return None;
            }
        };
        let span = self.findings.span(place.start, place.end);
        formula.line = u32::try_from(span.line).unwrap_or(u32::MAX);
        formula.column = u32::try_from(span.column).unwrap_or(u32::MAX);
        let checked = formula.check(names, &self.catalog.objects);
        let failed = checked.faults.iter().any(|fault| !fault.is_warning);
        for mut fault in checked.faults {
            if self.explain_name(&mut fault, trimmed, place) {
                self.findings.fault(fault, inside);
            }
        }
        if let Some((start, end)) = checked.calendar.filter(|_| !self.has_calendar) {
            let what = trimmed.get(start..end).unwrap_or_default();
            let message =
                format!("`{what}` counts working time, and no calendar says when that is");
            let help = Some("name one with `calendar:`".to_owned());
            self.error(codes::NO_CALENDAR, inside(Place { start, end }), message, help);
        }
        let slot = if failed { Slot::of(Type::Any) } else { checked.slot };
        Some(Read {
            formula,
            slot,
            place,
            filled_if_true: checked.filled_if_true,
            filled_if_false: checked.filled_if_false,
            always: None,
        })
    }

    /// Says why a name is not known that stands elsewhere in the file. Whether
    /// the fault is to be told at all.
    fn explain_name(&self, fault: &mut Fault, source: &str, place: Place) -> bool {
        if fault.code != codes::UNKNOWN_VARIABLE {
            return true;
        }
        let name = source.get(fault.start..fault.end).unwrap_or_default();
        let (message, help) = match self.hidden.get(name) {
            Some(Hidden::Item) => (
                format!("`{name}` is known only within the `for_each` that gives it its value"),
                "`set:` a name before the loop, and give it another value within",
            ),
            Some(Hidden::Branch) => (
                format!("`{name}` gets its value in another branch, which may not be there yet"),
                "use it after the `parallel`, when all branches have ended",
            ),
            None if name == "secret" => (
                "a formula cannot read a secret".to_owned(),
                "write `secret/NAME`, without `=`, as the whole text of an action's argument",
            ),
            // The rest of `{{ secret/shop-key }}`.
            None if is_within_secret(source, fault.start) => return false,
            None => {
                let here = self.findings.span(place.start, place.end).line;
                let later = self.all_names.get(name).map(|place| self.line(*place));
                if let Some(line) = later.filter(|line| *line as usize > here) {
                    fault.help =
                        Some(format!("the step that yields it comes later, in line {line}"));
                }
                return !self.misses_names;
            }
        };
        fault.code = if name == "secret" { codes::MISPLACED_SECRET } else { codes::OUT_OF_SCOPE };
        fault.message = message;
        fault.help = Some(help.to_owned());
        true
    }

    /// A value that is a formula: `=…`.
    pub(super) fn formula_value(&mut self, node: &Node, names: &Names) -> Option<Read> {
        let length = node.text()?.len();
        self.formula_at(node, 1, length, names)
    }

    /// A condition: always a formula, with or without `=`.
    pub(super) fn condition(&mut self, entry: &Entry, names: &Names) -> Option<Read> {
        self.condition_node(&entry.value, entry.key_place, &entry.key, names)
    }

    pub(super) fn condition_node(
        &mut self,
        node: &Node,
        key_place: Place,
        key: &str,
        names: &Names,
    ) -> Option<Read> {
        let text = match &node.value {
            Content::Text { text, .. } => text,
            Content::Spoiled => return None,
            Content::Nothing => {
                self.error(
                    codes::MISSING_KEY,
                    key_place,
                    format!("`{key}` has no condition"),
                    None,
                );
                return None;
            }
            _ => {
                let help = Some("put it in quotes".to_owned());
                self.error(codes::WRONG_FORM, node.place, format!("`{key}` takes a formula"), help);
                return None;
            }
        };
        let from = usize::from(text.starts_with('='));
        let mut read = self.formula_at(node, from, text.len(), names)?;
        if let Some(fault) = condition_fault(&read.formula, &read.slot) {
            let place = read.place;
            self.findings.fault(fault, |_| place);
            return Some(read);
        }
        if read.formula.is_constant() && read.slot.kind != Type::Any {
            read.always = self.constant(&read.formula);
        }
        Some(read)
    }

    /// What a formula that reads nothing comes to.
    fn constant(&mut self, formula: &Formula) -> Option<bool> {
        let scope = Scope {
            variables: &[],
            facts: &Facts::default(),
            now: Timestamp::UNIX_EPOCH,
            zone: &TimeZone::UTC,
            calendar: None,
        };
        match formula.evaluate(&scope) {
            Ok(Value::YesNo(yes)) => Some(yes),
            _ => None,
        }
    }

    /// Says so where a condition never varies.
    pub(super) fn warn_constant(&mut self, read: &Read) {
        if let Some(always) = read.always {
            let message = if always {
                "this condition is always true"
            } else {
                "this condition is never true"
            };
            self.findings.warning(codes::CONSTANT, read.place, message, None);
        }
    }

    /// A text with `{{ }}` in it.
    pub(super) fn text(&mut self, node: &Node, names: &Names) -> Option<Vec<Piece>> {
        let text = node.text()?;
        let mut pieces = Vec::new();
        let mut at = 0;
        let mut failed = false;
        if let Some(dollar) = text.find("${{") {
            self.github_placeholder(node, text, dollar);
            return None;
        }
        let locator = Locator::new(self.findings.source(), node);
        while let Some(open) = text[at..].find("{{") {
            let open = at + open;
            if open > at {
                pieces.push(Piece::Literal(text[at..open].to_owned()));
            }
            let close = text[open..].find("}}").map(|close| open + close);
            let again = text[open + 2..].find("{{").map(|again| open + 2 + again);
            let close = close.filter(|close| again.is_none_or(|again| again > *close));
            let Some(close) = close else {
                let place = locator.place(Place { start: open, end: open + 2 });
                let help = Some("close it with `}}`".to_owned());
                self.error(codes::FORMULA_SYNTAX, place, "`{{` is not closed", help);
                at = again?;
                failed = true;
                continue;
            };
            match self.piece(node, &locator, open + 2, close, names) {
                Some(piece) => pieces.push(piece),
                None => failed = true,
            }
            at = close + 2;
        }
        if at < text.len() {
            pieces.push(Piece::Literal(text[at..].to_owned()));
        }
        (!failed).then_some(pieces)
    }

    /// `${{ }}`, as in GitHub's workflows: `{{ }}` in a text, `=` before a value.
    fn github_placeholder(&mut self, node: &Node, text: &str, dollar: usize) {
        let locator = Locator::new(self.findings.source(), node);
        let place = locator.place(Place { start: dollar, end: dollar + 3 });
        let whole = text.trim().strip_prefix("${{").and_then(|text| text.strip_suffix("}}"));
        let help = match whole.map(str::trim) {
            Some(path) if !path.contains("{{") => format!("write `={path}`"),
            _ => "write `{{` without `$`".to_owned(),
        };
        let message = "`${{ }}` is not a word of this language";
        self.error(codes::FORMULA_SYNTAX, place, message, Some(help));
    }

    fn piece(
        &mut self,
        node: &Node,
        locator: &Locator,
        from: usize,
        to: usize,
        names: &Names,
    ) -> Option<Piece> {
        let inside = node.text()?.get(from..to)?;
        let bar = bar(inside);
        let until = bar.map_or(to, |bar| from + bar);
        let read = self.formula_in(node, locator, from, until, names);
        let mut filter = None;
        let mut is_known = true;
        if let Some(bar) = bar {
            let written = &inside[bar + 1..];
            let name = written.trim();
            let lead = written.len() - written.trim_start().len();
            let start = from + bar + 1 + lead;
            let place = locator.place(Place { start, end: start + name.len() });
            is_known = FILTERS.iter().any(|(known, _)| *known == name);
            if !is_known {
                let help = codes::mean_or_list(name, FILTERS.iter().map(|(known, _)| *known));
                self.error(
                    codes::UNKNOWN_FILTER,
                    place,
                    format!("there is no filter `{name}`"),
                    help,
                );
            } else if let Some(read) = &read {
                let fits = matches!(
                    (name, &read.slot.kind),
                    (_, Type::Any)
                        | ("upper" | "lower", _)
                        | ("short" | "time" | "date", Type::Time)
                        | ("date", Type::Date)
                );
                if !fits {
                    let message = format!(
                        "`{name}` writes a point in time, and this is {}",
                        read.slot.kind.describe()
                    );
                    self.error(codes::WRONG_TYPE, place, message, None);
                    is_known = false;
                }
            }
            filter = Some(name.to_owned());
        }
        let read = read?;
        if let Type::Map(parts) = &read.slot.kind {
            let message = "several values cannot be written into a text";
            let names: Vec<&str> = parts.keys().map(String::as_str).collect();
            let help = Some(format!("name one of them: {}", names.join(", ")));
            self.error(codes::WRONG_TYPE, read.place, message, help);
            return None;
        }
        is_known.then_some(Piece::Value { formula: read.formula, filter })
    }

    /// Tells of working time without a calendar, in a value and in what the
    /// decision that it names may yield.
    pub(super) fn needs_calendar(&mut self, expression: &Expression, place: Place, names: &Names) {
        let mut found = None;
        match expression {
            Expression::Literal(Value::Duration(duration)) if duration.is_working() => {
                found = Some((*duration, place))
            }
            Expression::Formula(formula) => {
                let written = formula.durations().find(|(duration, _)| duration.is_working());
                found = written.map(|(duration, _)| (duration, place));
                if found.is_none()
                    && let Some(path) = formula.as_path()
                {
                    found = self
                        .arm_durations(&path, names)
                        .into_iter()
                        .find(Duration::is_working)
                        .map(|duration| (duration, place));
                }
            }
            _ => {}
        }
        if let Some((duration, place)) = found {
            let message =
                format!("`{duration}` is working time, and no calendar says when that is");
            self.error(
                codes::NO_CALENDAR,
                place,
                message,
                Some("name one with `calendar:`".to_owned()),
            );
        }
    }

    /// The durations that a path into a decision may come to.
    fn arm_durations(&self, path: &str, names: &Names) -> Vec<Duration> {
        let mut parts = path.split('.');
        let Some(known) = parts.next().and_then(|root| names.get(root)) else {
            return Vec::new();
        };
        let mut arms: Vec<&Expression> = known.arms.iter().collect();
        for part in parts {
            arms = arms
                .into_iter()
                .filter_map(|arm| match arm {
                    Expression::Map(parts) => {
                        parts.iter().find(|(name, _)| name == part).map(|(_, arm)| arm)
                    }
                    _ => None,
                })
                .collect();
        }
        arms.into_iter()
            .filter_map(|arm| match arm {
                Expression::Literal(Value::Duration(duration)) => Some(*duration),
                _ => None,
            })
            .collect()
    }
}

/// Whether a place in a formula belongs to a secret's name.
fn is_within_secret(source: &str, place: usize) -> bool {
    source.get(..place).and_then(|before| before.rfind("secret/")).is_some_and(|secret| {
        source[secret + 7..place].chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    })
}

/// The `|` before a filter, outside of quotes.
fn bar(text: &str) -> Option<usize> {
    let mut quote = None;
    for (place, letter) in text.char_indices() {
        match (quote, letter) {
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (None, '|') => return Some(place),
            _ => {}
        }
    }
    None
}

/// A name that is certainly set.
pub(super) fn known(slot: Slot) -> Known {
    formula::Known::set(slot)
}
