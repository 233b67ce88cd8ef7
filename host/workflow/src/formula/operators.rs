//! Checking the operators: what may be compared, searched and calculated with
//! what.

use relata_model::Value;

use super::{
    check::{Checker, Filled},
    functions::Takes,
    tree::{Arithmetic, Comparison, NodeId, NodeKind},
};
use crate::{
    diagnostic as codes,
    types::{Slot, Type},
};

impl Checker<'_> {
    pub(super) fn minus(&mut self, inner: NodeId, filled: &Filled) -> Slot {
        let kind = self.needed(inner, filled);
        match kind {
            Type::Number | Type::Duration | Type::Money | Type::Any => Slot::of(kind),
            other => {
                self.fault(
                    inner,
                    codes::WRONG_TYPE,
                    format!(
                        "`-` goes before a number, a duration or an amount, not before {}",
                        other.describe()
                    ),
                    None,
                );
                Slot::of(Type::Any)
            }
        }
    }

    pub(super) fn compare(
        &mut self,
        id: NodeId,
        by: Comparison,
        left: NodeId,
        right: NodeId,
        filled: &Filled,
    ) {
        let (one, other) = if by.is_equality() {
            (self.slot(left, filled).kind, self.slot(right, filled).kind)
        } else {
            (self.needed(left, filled), self.needed(right, filled))
        };
        if matches!(one, Type::Any) || matches!(other, Type::Any) {
            return;
        }
        if !by.is_equality() {
            if !(one == other && Takes::Ordered.accepts(&one)) {
                let help = mixed_help(&one, &other);
                self.fault(
                    id,
                    codes::WRONG_TYPE,
                    format!(
                        "{} and {} cannot be compared by size",
                        one.describe(),
                        other.describe()
                    ),
                    help,
                );
            }
            return;
        }
        self.comparable(id, left, &one, right, &other);
    }

    /// Whether two types can be equal; says so where they cannot.
    fn comparable(&mut self, whole: NodeId, left: NodeId, one: &Type, right: NodeId, other: &Type) {
        for (id, kind, against) in [(right, other, one), (left, one, other)] {
            if let (NodeKind::Literal(Value::Text(word)), Type::Choice(words)) =
                (self.kind(id), against)
                && !words.contains(word)
                && !matches!(
                    self.kind(if id == right { left } else { right }),
                    NodeKind::Literal(_)
                )
            {
                self.not_a_choice(id, word, words, if id == right { left } else { right });
                return;
            }
            if let NodeKind::Literal(Value::Text(word)) = self.kind(id)
                && word.is_empty()
            {
                self.warn(
                    id,
                    codes::CONSTANT,
                    "an empty field is not the text \"\", so this is never equal",
                    Some("write `is empty`".to_owned()),
                );
                return;
            }
            if let (Type::Choice(_), Type::Record(_)) = (kind, against) {
                self.fault(
                    whole,
                    codes::WRONG_TYPE,
                    "a record is never equal to a text",
                    Some("compare one of its fields, such as `external_id`".to_owned()),
                );
                return;
            }
        }
        let fits = match (one, other) {
            (Type::Text | Type::Choice(_), Type::Text | Type::Choice(_)) => true,
            (Type::Record(objects), Type::Record(others)) => {
                objects.is_empty()
                    || others.is_empty()
                    || objects.iter().any(|object| others.contains(object))
            }
            (Type::List(_), Type::List(_)) | (Type::Map(_), Type::Map(_)) => true,
            (Type::Nothing, _) | (_, Type::Nothing) => true,
            _ => one == other,
        };
        if !fits {
            self.fault(
                whole,
                codes::WRONG_TYPE,
                format!("{} is never equal to {}", one.describe(), other.describe()),
                mixed_help(one, other),
            );
        }
    }

    fn not_a_choice(&mut self, at: NodeId, word: &str, words: &[String], of: NodeId) {
        let what = self.path(of).map_or_else(|| "the value".to_owned(), |path| format!("`{path}`"));
        let help = codes::did_you_mean(word, words.iter().map(String::as_str))
            .unwrap_or_else(|| format!("it is one of {}", words.join(", ")));
        self.fault(at, codes::NOT_A_CHOICE, format!("{what} is never \"{word}\""), Some(help));
    }

    pub(super) fn is_in(&mut self, item: NodeId, list: NodeId, filled: &Filled) {
        let one = self.slot(item, filled).kind;
        if let NodeKind::List(items) = self.kind(list) {
            for literal in items {
                let other = self.slot(*literal, filled).kind;
                if !matches!(one, Type::Any) && !matches!(other, Type::Any) {
                    self.comparable(*literal, item, &one, *literal, &other);
                }
            }
            return;
        }
        match self.needed(list, filled) {
            Type::List(items) => {
                if !matches!(one, Type::Any) && !matches!(items.kind, Type::Any) {
                    self.comparable(list, item, &one, list, &items.kind);
                }
            }
            Type::Any => {}
            other => self.fault(
                list,
                codes::WRONG_TYPE,
                format!("`in` looks into a list, not into {}", other.describe()),
                Some("write `in [\"a\", \"b\"]`, or `==`".to_owned()),
            ),
        }
    }

    pub(super) fn contains(&mut self, list: NodeId, item: NodeId, filled: &Filled) {
        let of = self.needed(list, filled);
        let wanted = self.needed(item, filled);
        match of {
            Type::Any => {}
            Type::List(items) => {
                if !matches!(wanted, Type::Any) && !matches!(items.kind, Type::Any) {
                    self.comparable(item, list, &items.kind, item, &wanted);
                }
            }
            Type::Text | Type::Choice(_) => {
                if !matches!(wanted, Type::Text | Type::Choice(_) | Type::Any) {
                    self.fault(
                        item,
                        codes::WRONG_TYPE,
                        format!("a text contains text, not {}", wanted.describe()),
                        None,
                    );
                }
            }
            other => self.fault(
                list,
                codes::WRONG_TYPE,
                format!("`contains` looks into a list or a text, not into {}", other.describe()),
                None,
            ),
        }
    }

    pub(super) fn empty(&mut self, id: NodeId, of: NodeId, negated: bool) {
        // A result that may be unset is asked here whether it is set, so the
        // variable at the root of the path counts as known.
        let mut known = Filled::new();
        if let Some(root) = self.path(of).and_then(|path| path.split('.').next().map(str::to_owned))
            && self.names.variables.get(&root).is_some_and(|known| known.unset)
        {
            if self.path(of).as_deref() == Some(root.as_str()) {
                return;
            }
            known.insert(root);
        }
        let unset = !known.is_empty();
        let slot = self.slot(of, &known);
        // A text can be there and have no letters, a list no values.
        let never = !slot.optional
            && !unset
            && !matches!(
                slot.kind,
                Type::Text | Type::List(_) | Type::Map(_) | Type::Any | Type::Nothing
            );
        if never {
            let what = self.path(of).map_or_else(|| "this".to_owned(), |path| format!("`{path}`"));
            let truth = if negated { "always true" } else { "never true" };
            self.warn(
                id,
                codes::CONSTANT,
                format!("{what} is never empty, so this is {truth}"),
                None,
            );
        }
    }

    pub(super) fn arithmetic(
        &mut self,
        id: NodeId,
        by: Arithmetic,
        left: NodeId,
        right: NodeId,
        filled: &Filled,
    ) -> Slot {
        let one = self.needed(left, filled);
        let other = self.needed(right, filled);
        let yields = match (by, &one, &other) {
            (_, Type::Any, _) | (_, _, Type::Any) => Type::Any,
            (_, Type::Number, Type::Number) => Type::Number,
            (Arithmetic::Plus | Arithmetic::Minus, Type::Money, Type::Money) => Type::Money,
            (Arithmetic::Times | Arithmetic::By, Type::Money, Type::Number)
            | (Arithmetic::Times, Type::Number, Type::Money) => Type::Money,
            (Arithmetic::Plus | Arithmetic::Minus, Type::Duration, Type::Duration)
            | (Arithmetic::Times | Arithmetic::By, Type::Duration, Type::Number)
            | (Arithmetic::Times, Type::Number, Type::Duration)
            | (Arithmetic::Minus, Type::Time, Type::Time)
            | (Arithmetic::Minus, Type::Date, Type::Date) => Type::Duration,
            (Arithmetic::Plus | Arithmetic::Minus, Type::Time, Type::Duration)
            | (Arithmetic::Plus, Type::Duration, Type::Time) => Type::Time,
            (Arithmetic::Plus | Arithmetic::Minus, Type::Date, Type::Duration)
            | (Arithmetic::Plus, Type::Duration, Type::Date) => {
                self.whole_days(if matches!(one, Type::Date) { right } else { left });
                Type::Date
            }
            _ => {
                let texts = matches!(
                    (&one, &other),
                    (Type::Text | Type::Choice(_), _) | (_, Type::Text | Type::Choice(_))
                );
                let help = texts
                    .then(|| "to join texts, write \"{{ a }} {{ b }}\" without `=`".to_owned());
                self.fault(
                    id,
                    codes::WRONG_TYPE,
                    format!(
                        "`{}` does not work with {} and {}",
                        by.sign(),
                        one.describe(),
                        other.describe()
                    ),
                    help.or_else(|| mixed_help(&one, &other)),
                );
                return Slot::of(Type::Any);
            }
        };
        if by == Arithmetic::By
            && matches!(self.kind(right), NodeKind::Literal(Value::Number(zero)) if zero.is_zero())
        {
            self.fault(right, codes::WRONG_TYPE, "nothing can be divided by 0", None);
        }
        Slot::of(yields)
    }

    /// A duration that is written out and added to a day has to be of days.
    fn whole_days(&mut self, id: NodeId) {
        if let NodeKind::Literal(Value::Duration(duration)) = self.kind(id)
            && (duration.millis != 0 || duration.is_working())
        {
            self.fault(
                id,
                codes::WRONG_TYPE,
                format!("`{duration}` cannot be added to a day"),
                Some("add days, weeks or months, or use `now()` instead of `today()`".to_owned()),
            );
        }
    }
}

fn mixed_help(one: &Type, other: &Type) -> Option<String> {
    match (one, other) {
        (Type::Time, Type::Date) | (Type::Date, Type::Time) => {
            Some("`date(…)` makes a day of a point in time".to_owned())
        }
        (Type::Money, Type::Number) | (Type::Number, Type::Money) => {
            Some("`.amount` of an amount is a number".to_owned())
        }
        (Type::Duration, Type::Number) | (Type::Number, Type::Duration) => {
            Some("a duration has a unit: `30 days`".to_owned())
        }
        (Type::Number, Type::Choice(_)) | (Type::Choice(_), Type::Number) => {
            Some("write a number without quotes".to_owned())
        }
        _ => None,
    }
}
