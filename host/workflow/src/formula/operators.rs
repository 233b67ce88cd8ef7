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
    pub(super) fn minus(&mut self, inner: NodeId) -> Slot {
        let kind = self.needed(inner);
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

    pub(super) fn compare(&mut self, id: NodeId, by: Comparison, left: NodeId, right: NodeId) {
        let (one, other) = if by.is_equality() {
            (self.slot(left).kind, self.slot(right).kind)
        } else {
            (self.needed(left), self.needed(right))
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

    pub(super) fn is_in(&mut self, item: NodeId, list: NodeId) {
        let one = self.slot(item).kind;
        if let NodeKind::List(items) = self.kind(list) {
            for literal in items {
                let other = self.slot(*literal).kind;
                if !matches!(one, Type::Any) && !matches!(other, Type::Any) {
                    self.comparable(*literal, item, &one, *literal, &other);
                }
            }
            return;
        }
        match self.list_or_needed(list) {
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

    pub(super) fn contains(&mut self, list: NodeId, item: NodeId) {
        let of = self.list_or_needed(list);
        let wanted = self.needed(item);
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
        let path = self.path(of);
        let root = path.as_deref().and_then(|path| path.split('.').next());
        let unset = root.filter(|root| self.names.get(root).is_some_and(|known| known.unset));
        if unset.is_some() && unset == path.as_deref() {
            return;
        }
        let unset = unset.map(str::to_owned);
        // What was tested long before may have changed since.
        let filled = std::mem::replace(&mut self.filled, Filled::nothing());
        if let Some(root) = &unset {
            self.filled.push(root.clone());
        }
        let slot = self.slot(of);
        self.filled = filled;
        let unset = unset.is_some();
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
    ) -> Slot {
        let one = self.needed(left);
        let other = self.needed(right);
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
            | (Arithmetic::Plus, Type::Duration, Type::Time) => {
                self.working_time(if matches!(one, Type::Time) { right } else { left });
                Type::Time
            }
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

    /// A duration that is written out and added to a point in time may count
    /// by the calendar.
    fn working_time(&mut self, id: NodeId) {
        if matches!(self.kind(id), NodeKind::Literal(Value::Duration(by)) if by.is_working()) {
            self.needs_calendar(id);
        }
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
            Some("write the amount with its currency: `money(500, \"EUR\")`".to_owned())
        }
        (Type::Money, Type::Choice(words)) | (Type::Choice(words), Type::Money) => {
            let written = words.first().and_then(|word| word.parse::<relata_model::Money>().ok());
            let (amount, currency) = written.map_or_else(
                || ("1000".to_owned(), "EUR".to_owned()),
                |money| (money.amount().normalize().to_string(), money.currency),
            );
            Some(format!("write `money({amount}, \"{currency}\")`"))
        }
        (Type::Time | Type::Date, Type::Choice(_)) | (Type::Choice(_), Type::Time | Type::Date) => {
            Some("write a day without quotes: 2026-12-24".to_owned())
        }
        (Type::YesNo, Type::Choice(_)) | (Type::Choice(_), Type::YesNo) => {
            Some("write `true` or `false` without quotes".to_owned())
        }
        (Type::Duration, Type::Choice(_)) | (Type::Choice(_), Type::Duration) => {
            Some("write a duration without quotes: 30 days".to_owned())
        }
        (Type::Text, Type::Number) => Some("`number(…)` reads a number in a text".to_owned()),
        (Type::Number, Type::Text) => Some("`number(…)` reads a number in a text".to_owned()),
        (Type::List(_), _) | (_, Type::List(_)) => {
            Some("write `contains`, or `in` a list".to_owned())
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
