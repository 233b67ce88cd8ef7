//! Formulas and values as a person would say them: `lead.owner is empty`
//! becomes "the lead's owner is empty", or "is the lead's owner empty?".

use relata_model::{Value, text::with_article};

use crate::{
    definition::{Expression, Occurrence, Piece},
    formula::{
        Formula,
        functions::{self, Yield},
        tree::{Comparison, NodeId, NodeKind},
    },
};

/// A longer text is cut off.
const LONGEST: usize = 180;

/// `waiting_for_customer` as words.
pub(super) fn words(name: &str) -> String {
    name.replace(['_', '-'], " ")
}

/// A field's name as words: `first_reply_at` is a time, `ends_on` a day.
fn field_words(name: &str) -> String {
    match (name.strip_suffix("_at"), name.strip_suffix("_on")) {
        (Some(what), _) => format!("{} time", words(what)),
        (_, Some(what)) => format!("{} date", words(what)),
        _ if name == "id" => "ID".to_owned(),
        _ => words(name),
    }
}

/// Whose something is: the lead’s, the orders’.
fn possessive(whose: &str) -> String {
    if whose.ends_with('s') { format!("{whose}’") } else { format!("{whose}’s") }
}

/// With a capital letter in front.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// In quotation marks.
pub(super) fn quoted(text: &str) -> String {
    format!("“{text}”")
}

/// Not longer than can be taken in at a glance.
pub(super) fn cut(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= LONGEST {
        return text;
    }
    let mut short: String = text.chars().take(LONGEST - 1).collect();
    short.push('…');
    short
}

/// `a, b and c`
pub(super) fn listed(items: &[String], last: &str) -> String {
    match items {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}

/// A value that is written out.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Nothing => "nothing".to_owned(),
        Value::Text(text) => {
            let is_word =
                !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_-./".contains(c));
            if is_word && text.chars().any(char::is_lowercase) && !text.contains(['.', '/', '-']) {
                words(text)
            } else if is_word {
                text.clone()
            } else {
                quoted(&cut(text))
            }
        }
        Value::Reference(reference) => {
            format!("{} {}", words(&reference.object), words(&reference.key))
        }
        Value::List(items) => listed(&items.iter().map(self::value).collect::<Vec<_>>(), "and"),
        Value::Map(parts) => {
            let parts: Vec<String> = parts
                .iter()
                .map(|(name, part)| format!("{} {}", words(name), self::value(part)))
                .collect();
            parts.join(", ")
        }
        other => other.to_string(),
    }
}

/// What yields a value.
pub(super) fn expression(expression: &Expression) -> String {
    match expression {
        Expression::Literal(literal) => value(literal),
        Expression::Formula(formula) => Said(formula).value(formula.root),
        Expression::Text(pieces) => {
            let text: String = pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Literal(text) => text.clone(),
                    Piece::Value { formula, .. } => {
                        format!("[{}]", Said(formula).value(formula.root))
                    }
                })
                .collect();
            quoted(&cut(&text))
        }
        Expression::List(items) => {
            listed(&items.iter().map(self::expression).collect::<Vec<_>>(), "and")
        }
        Expression::Map(parts) => {
            let parts: Vec<String> = parts
                .iter()
                .map(|(name, part)| format!("{} {}", words(name), self::expression(part)))
                .collect();
            parts.join(", ")
        }
    }
}

/// A formula's value: "the lead's owner".
pub(super) fn formula(formula: &Formula) -> String {
    Said(formula).value(formula.root)
}

/// A condition as a question: "Is the offer nothing?"
pub(super) fn question(condition: &Formula) -> String {
    format!("{}?", capital(&Said(condition).question(condition.root)))
}

/// A condition as a statement: "the offer is nothing".
pub(super) fn statement(condition: &Formula) -> String {
    Said(condition).statement(condition.root)
}

/// Whether a value is visibly a point in time, not a length of it.
pub(super) fn is_point(expression: &Expression) -> bool {
    match expression {
        Expression::Literal(value) => matches!(value, Value::Date(_) | Value::Time(_)),
        Expression::Formula(formula) => Said(formula).is_time(formula.root),
        _ => false,
    }
}

/// What happens, as a sentence: "a lead is created". `about` is whose change
/// it is, where that is not the run's subject; `is_known` says "the lead".
pub(super) fn occurrence(
    occurrence: &Occurrence,
    about: Option<&Formula>,
    is_known: bool,
) -> String {
    let noun = |object: &str| {
        let object = words(object);
        if is_known { format!("the {object}") } else { with_article(&object) }
    };
    match occurrence {
        Occurrence::Created { object } => format!("{} is created", noun(object)),
        Occurrence::Changed { object, field, from, to } => {
            let whose = about.map_or_else(|| noun(object), formula);
            let Some(field) = field else { return format!("{whose} changes") };
            let what = format!("{} {}", possessive(&whose), field_words(field));
            let several =
                |values: &[Value]| listed(&values.iter().map(value).collect::<Vec<_>>(), "or");
            match (from.is_empty(), to.is_empty()) {
                (true, true) => format!("{what} changes"),
                (true, false) => format!("{what} becomes {}", several(to)),
                (false, true) => format!("{what} is no longer {}", several(from)),
                (false, false) => {
                    format!("{what} changes from {} to {}", several(from), several(to))
                }
            }
        }
        Occurrence::Enters { segment } => {
            format!("{} enters the segment {}", noun("contact"), quoted(&words(segment)))
        }
        Occurrence::Event { name } => match name.split_once('.') {
            Some((what, done)) if !done.contains('.') => {
                format!("{} is {}", noun(what), words(done))
            }
            _ => format!("the event {} happens", quoted(name)),
        },
    }
}

/// What a condition claims of something.
struct Claim {
    subject: String,
    verb: Verb,
    negated: bool,
    rest: String,
}

#[derive(Clone, Copy)]
enum Verb {
    Is,
    /// As in "does it contain", and as in "it contains".
    Does(&'static str, &'static str),
}

impl Claim {
    fn question(&self) -> String {
        let not = if self.negated { " not" } else { "" };
        match self.verb {
            Verb::Is => format!("is {}{not} {}", self.subject, self.rest),
            Verb::Does(base, _) => format!("does {}{not} {base} {}", self.subject, self.rest),
        }
    }

    fn statement(&self) -> String {
        match (self.verb, self.negated) {
            (Verb::Is, false) => format!("{} is {}", self.subject, self.rest),
            (Verb::Is, true) => format!("{} is not {}", self.subject, self.rest),
            (Verb::Does(_, third), false) => format!("{} {third} {}", self.subject, self.rest),
            (Verb::Does(base, _), true) => {
                format!("{} does not {base} {}", self.subject, self.rest)
            }
        }
    }
}

struct Said<'a>(&'a Formula);

impl Said<'_> {
    fn kind(&self, id: NodeId) -> Option<&NodeKind> {
        self.0.nodes.get(id.0 as usize).map(|node| &node.kind)
    }

    /// As it is written, for what has no words.
    fn source(&self, id: NodeId) -> String {
        self.0
            .nodes
            .get(id.0 as usize)
            .and_then(|node| self.0.source.get(node.start as usize..node.end as usize))
            .unwrap_or_default()
            .to_owned()
    }

    fn question(&self, id: NodeId) -> String {
        self.joined(id, false, ", ", &|said, id, negated| {
            said.claim(id, negated).map_or_else(
                || format!("does it hold that {}", said.value(id)),
                |claim| claim.question(),
            )
        })
    }

    fn statement(&self, id: NodeId) -> String {
        self.joined(id, false, " ", &|said, id, negated| {
            said.claim(id, negated).map_or_else(|| said.value(id), |claim| claim.statement())
        })
    }

    /// `and` and `or`, with the claims in them said by `one`.
    fn joined(
        &self,
        id: NodeId,
        negated: bool,
        comma: &str,
        one: &dyn Fn(&Self, NodeId, bool) -> String,
    ) -> String {
        let (parts, is_and) = match self.kind(id) {
            Some(NodeKind::All(parts)) => (self.telling(parts, negated), true),
            Some(NodeKind::Any(parts)) => (parts.clone(), false),
            Some(NodeKind::Not(inner)) => return self.joined(*inner, !negated, comma, one),
            _ => return one(self, id, negated),
        };
        // Not (a and b) is not a, or not b.
        let word = if is_and == negated { "or" } else { "and" };
        let said: Vec<String> = parts
            .iter()
            .map(|part| {
                let inner = self.joined(*part, negated, comma, one);
                let differs = self.word_of(*part, negated).is_some_and(|inner| inner != word);
                if parts.len() > 1 && differs { format!("({inner})") } else { inner }
            })
            .collect();
        said.join(&format!("{comma}{word} "))
    }

    /// What joins the parts of a node, if it has several.
    fn word_of(&self, id: NodeId, negated: bool) -> Option<&'static str> {
        match self.kind(id)? {
            NodeKind::All(parts) if self.telling(parts, negated).len() > 1 => {
                Some(if negated { "or" } else { "and" })
            }
            NodeKind::Any(_) => Some(if negated { "and" } else { "or" }),
            NodeKind::Not(inner) => self.word_of(*inner, !negated),
            _ => None,
        }
    }

    /// The parts of an `and` that tell something: that a value is not empty
    /// is left out where another part compares it.
    fn telling(&self, parts: &[NodeId], negated: bool) -> Vec<NodeId> {
        if negated {
            return parts.to_vec();
        }
        let compared = |subject: &str| {
            parts.iter().any(|part| {
                matches!(
                    self.kind(*part),
                    Some(
                        NodeKind::Compare { .. } | NodeKind::In { .. } | NodeKind::Contains { .. }
                    )
                ) && self.claim(*part, false).is_some_and(|claim| claim.subject == subject)
            })
        };
        parts
            .iter()
            .copied()
            .filter(|part| match self.kind(*part) {
                Some(NodeKind::Empty { of, negated: true }) => !compared(&self.value(*of)),
                _ => true,
            })
            .collect()
    }

    fn claim(&self, id: NodeId, negated: bool) -> Option<Claim> {
        let is = |subject: String, negated: bool, rest: String| {
            Some(Claim { subject, verb: Verb::Is, negated, rest })
        };
        match self.kind(id)? {
            NodeKind::Not(inner) => self.claim(*inner, !negated),
            NodeKind::Compare { by, left, right } => {
                let literal = |id: NodeId| matches!(self.kind(id), Some(NodeKind::Literal(_)));
                let (by, left, right) = if literal(*left) && !literal(*right) {
                    (mirrored(*by), *right, *left)
                } else {
                    (*by, *left, *right)
                };
                let (by, negated) = match (by, negated) {
                    (Comparison::Unequal, negated) => (Comparison::Equal, !negated),
                    (Comparison::Equal, negated) => (Comparison::Equal, negated),
                    (by, true) => (opposite(by), false),
                    (by, false) => (by, false),
                };
                let is_time = self.is_time(left) || self.is_time(right);
                let what = self.value(right);
                let rest = match (by, is_time) {
                    (Comparison::Less, true) => format!("before {what}"),
                    (Comparison::LessOrEqual, true) => format!("{what} or before"),
                    (Comparison::Greater, true) => format!("after {what}"),
                    (Comparison::GreaterOrEqual, true) => format!("{what} or after"),
                    (Comparison::Less, false) => format!("less than {what}"),
                    (Comparison::LessOrEqual, false) => format!("{what} or less"),
                    (Comparison::Greater, false) => format!("more than {what}"),
                    (Comparison::GreaterOrEqual, false) => format!("{what} or more"),
                    (Comparison::Equal | Comparison::Unequal, _) => what,
                };
                is(self.value(left), negated, rest)
            }
            NodeKind::In { item, list, negated: not_in } => {
                let negated = negated != *not_in;
                match self.kind(*list) {
                    Some(NodeKind::List(items)) => {
                        let items: Vec<String> =
                            items.iter().map(|item| self.value(*item)).collect();
                        let word = if negated { "none of" } else { "one of" };
                        is(self.value(*item), false, format!("{word} {}", items.join(", ")))
                    }
                    _ => is(self.value(*item), negated, format!("in {}", self.value(*list))),
                }
            }
            NodeKind::Contains { list, item } => Some(Claim {
                subject: self.value(*list),
                verb: Verb::Does("contain", "contains"),
                negated,
                rest: self.value(*item),
            }),
            NodeKind::Empty { of, negated: not_empty } => {
                let filled = negated != *not_empty;
                let rest = match (self.kind(*of), filled) {
                    (Some(NodeKind::Variable(_)), true) => "there",
                    (Some(NodeKind::Variable(_)), false) => "missing",
                    (_, true) => "filled in",
                    (_, false) => "empty",
                };
                is(self.value(*of), false, rest.to_owned())
            }
            NodeKind::Call { function, arguments } if arguments.len() == 2 => {
                let verb = match function.as_str() {
                    "starts_with" => Verb::Does("begin with", "begins with"),
                    "ends_with" => Verb::Does("end with", "ends with"),
                    _ => return None,
                };
                let [subject, rest] = [self.value(arguments[0]), self.value(arguments[1])];
                Some(Claim { subject, verb, negated, rest })
            }
            NodeKind::Variable(_) | NodeKind::Field { .. } | NodeKind::Call { .. } => {
                is(self.value(id), false, if negated { "no" } else { "yes" }.to_owned())
            }
            _ => None,
        }
    }

    /// Whether a node is visibly a day or a point in time.
    fn is_time(&self, id: NodeId) -> bool {
        match self.kind(id) {
            Some(NodeKind::Literal(Value::Date(_) | Value::Time(_))) => true,
            Some(NodeKind::Call { function, .. }) => {
                functions::function(function).is_some_and(|function| {
                    matches!(function.result, Yield::Date | Yield::Time | Yield::MaybeTime)
                })
            }
            Some(NodeKind::Field { name, .. }) => name.ends_with("_at") || name.ends_with("_on"),
            Some(NodeKind::Arithmetic { left, right, .. }) => {
                self.is_time(*left) != self.is_time(*right)
            }
            _ => false,
        }
    }

    fn value(&self, id: NodeId) -> String {
        let Some(kind) = self.kind(id) else { return String::new() };
        match kind {
            NodeKind::Literal(literal) => value(literal),
            NodeKind::List(items) => {
                let items: Vec<String> = items.iter().map(|item| self.value(*item)).collect();
                listed(&items, "and")
            }
            NodeKind::Variable(name) => format!("the {}", words(name)),
            NodeKind::Field { of, name } => match self.kind(*of) {
                Some(NodeKind::Variable(base)) => {
                    format!("the {} {}", possessive(&words(base)), field_words(name))
                }
                _ => format!("the {} of {}", field_words(name), self.value(*of)),
            },
            NodeKind::Minus(inner) => format!("-{}", self.operand(*inner)),
            NodeKind::Arithmetic { by, left, right } => match self.kind(*right) {
                Some(NodeKind::Literal(Value::Duration(duration)))
                    if matches!(by.sign(), "+" | "-") && self.is_time(*left) =>
                {
                    self.moved(*left, by.sign() == "-", &duration.to_string())
                }
                _ => format!("{} {} {}", self.operand(*left), by.sign(), self.operand(*right)),
            },
            NodeKind::Call { function, arguments } => self.call(id, function, arguments),
            NodeKind::All(_)
            | NodeKind::Any(_)
            | NodeKind::Not(_)
            | NodeKind::Compare { .. }
            | NodeKind::In { .. }
            | NodeKind::Contains { .. }
            | NodeKind::Empty { .. } => self.statement(id),
        }
    }

    /// A time so much before another, or after it.
    fn moved(&self, from: NodeId, is_before: bool, by: &str) -> String {
        let is_now = matches!(
            self.kind(from),
            Some(NodeKind::Call { function, .. }) if matches!(function.as_str(), "now" | "today")
        );
        match (is_now, is_before) {
            (true, true) => format!("{by} ago"),
            (true, false) => format!("{by} from {}", self.value(from)),
            (false, true) => format!("{by} before {}", self.operand(from)),
            (false, false) => format!("{by} after {}", self.operand(from)),
        }
    }

    fn operand(&self, id: NodeId) -> String {
        match self.kind(id) {
            Some(NodeKind::Arithmetic { .. }) => format!("({})", self.value(id)),
            _ => self.value(id),
        }
    }

    fn call(&self, id: NodeId, function: &str, arguments: &[NodeId]) -> String {
        let given: Vec<String> = arguments.iter().map(|argument| self.value(*argument)).collect();
        match (function, given.as_slice()) {
            ("default", [_, _, ..]) => given.join(", or else "),
            ("now", []) => "now".to_owned(),
            ("today", []) => "today".to_owned(),
            ("count", [list]) => format!("the number of {list}"),
            ("length", [text]) => format!("the length of {text}"),
            ("sum", [list]) => format!("the sum of {list}"),
            ("days_between" | "hours_between" | "working_hours_between", [from, to]) => {
                let what = words(function.trim_end_matches("_between"));
                format!("the number of {what} between {from} and {to}")
            }
            ("first" | "last", [list]) => format!("the {function} of {list}"),
            ("average", [list]) => format!("the average of {list}"),
            ("join", [list, _]) => list.clone(),
            ("money", [amount, currency]) => format!("{amount} {currency}"),
            ("start_of_day", [day]) => format!("the beginning of {day}"),
            ("min", [_, _, ..]) => format!("the least of {}", listed(&given, "and")),
            ("max", [_, _, ..]) => format!("the greatest of {}", listed(&given, "and")),
            ("weekday" | "month" | "year" | "hour", [time]) => format!("the {function} of {time}"),
            ("date", [time]) => format!("the day of {time}"),
            ("lower", [text]) => format!("{text} in small letters"),
            ("upper", [text]) => format!("{text} in capital letters"),
            ("trim", [text]) => text.clone(),
            ("round", [number, ..]) => format!("{number}, rounded"),
            ("abs", [number]) => format!("{number} without its sign"),
            _ => self.source(id),
        }
    }
}

const fn mirrored(by: Comparison) -> Comparison {
    match by {
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        same => same,
    }
}

const fn opposite(by: Comparison) -> Comparison {
    match by {
        Comparison::Equal => Comparison::Unequal,
        Comparison::Unequal => Comparison::Equal,
        Comparison::Less => Comparison::GreaterOrEqual,
        Comparison::LessOrEqual => Comparison::Greater,
        Comparison::Greater => Comparison::LessOrEqual,
        Comparison::GreaterOrEqual => Comparison::Less,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_said() {
        let said = |source: &str, asked: &str, stated: &str| {
            let formula = Formula::read(source).unwrap();
            assert_eq!(question(&formula), asked, "{source}");
            assert_eq!(statement(&formula), stated, "{source}");
        };
        said(
            "mood.label == \"negative\" or ticket.category == \"complaint\"",
            "Is the mood’s label negative, or is the ticket’s category complaint?",
            "the mood’s label is negative or the ticket’s category is complaint",
        );
        said(
            "lead.company_size is not empty and lead.company_size >= 200",
            "Is the lead’s company size 200 or more?",
            "the lead’s company size is 200 or more",
        );
        said(
            "lead.country in [\"DE\", \"AT\"]",
            "Is the lead’s country one of DE, AT?",
            "the lead’s country is one of DE, AT",
        );
        said(
            "ticket.customer.tier != \"gold\"",
            "Is the tier of the ticket’s customer not gold?",
            "the tier of the ticket’s customer is not gold",
        );
        said("200 < a.size", "Is the a’s size more than 200?", "the a’s size is more than 200");
        said(
            "not (a.x == 1 and b contains \"k\")",
            "Is the a’s x not 1, or does the b not contain k?",
            "the a’s x is not 1 or the b does not contain k",
        );
        said(
            "(a.x == 1 or a.y == 2) and answer is empty",
            "(is the a’s x 1, or is the a’s y 2), and is the answer missing?",
            "(the a’s x is 1 or the a’s y is 2) and the answer is missing",
        );
        said(
            "contact.last_order_at < now() - 90 days",
            "Is the contact’s last order time before 90 days ago?",
            "the contact’s last order time is before 90 days ago",
        );
        said(
            "date(now()) >= contract.ends_on - 60 days",
            "Is the day of now 60 days before the contract’s ends date or after?",
            "the day of now is 60 days before the contract’s ends date or after",
        );
        said(
            "days_between(deals.since_at, today() + 2 days) > 3",
            "Is the number of days between the deals’ since time and 2 days from today more than 3?",
            "the number of days between the deals’ since time and 2 days from today is more than 3",
        );
        said(
            "contact.mail_consent",
            "Is the contact’s mail consent yes?",
            "the contact’s mail consent is yes",
        );
    }
}
