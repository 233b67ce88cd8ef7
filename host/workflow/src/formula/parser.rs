//! Reading a formula: a recursive descent over its tokens. It stops at the
//! first slip in the syntax; everything after that would be guessing.

use relata_model::{Decimal, Duration, Value};

use super::{
    Fault,
    lexer::{self, Kind, Token},
    tree::{Arithmetic, Comparison, Node, NodeId, NodeKind},
};
use crate::diagnostic as codes;

/// How deeply a formula may be nested.
pub(crate) const DEEPEST: usize = 64;

/// The words that cannot name anything.
pub(crate) const KEYWORDS: &[&str] =
    &["and", "or", "not", "in", "contains", "is", "empty", "true", "false"];

/// Reads a formula into an arena; the last node is the root.
pub(crate) fn parse(source: &str) -> Result<Vec<Node>, Fault> {
    let tokens = lexer::tokens(source)?;
    let mut parser = Parser { tokens, at: 0, nodes: Vec::new(), depths: Vec::new(), nesting: 0 };
    if matches!(parser.peek(), Kind::End) {
        return Err(Fault::new(
            codes::FORMULA_SYNTAX,
            0,
            source.len(),
            "a formula is missing here",
            None,
        ));
    }
    let root = parser.any()?;
    parser.expect_end()?;
    debug_assert_eq!(root.0 as usize + 1, parser.nodes.len(), "the root is the last node");
    Ok(parser.nodes)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    nodes: Vec<Node>,
    /// How deep the tree below each node is.
    depths: Vec<usize>,
    /// How many brackets and prefixes are open.
    nesting: usize,
}

type Parsed = Result<NodeId, Fault>;

impl Parser {
    fn peek(&self) -> &Kind {
        &self.tokens[self.at].kind
    }

    fn token(&self) -> &Token {
        &self.tokens[self.at]
    }

    /// The start of the next token.
    fn start(&self) -> usize {
        self.token().start
    }

    /// The end of the token before.
    fn end(&self) -> usize {
        self.at.checked_sub(1).map_or(0, |before| self.tokens[before].end)
    }

    fn advance(&mut self) {
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Kind::Word(found) if found == word)
    }

    fn word_after(&self, word: &str) -> bool {
        matches!(self.tokens.get(self.at + 1), Some(Token { kind: Kind::Word(found), .. }) if found == word)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.advance();
        }
        found
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Kind::Sign(found) if *found == sign);
        if found {
            self.advance();
        }
        found
    }

    fn fault(&self, message: impl Into<String>, help: Option<String>) -> Fault {
        let token = self.token();
        Fault::new(codes::FORMULA_SYNTAX, token.start, token.end, message, help)
    }

    /// The next token, as a sentence names it.
    fn found(&self) -> String {
        match self.peek() {
            Kind::Word(word) => format!("`{word}`"),
            Kind::Text(text) => format!("the text \"{text}\""),
            Kind::Number(number) => format!("the number {number}"),
            Kind::Percent(share) => format!("the share {share}"),
            Kind::Date(date) => format!("the day {date}"),
            Kind::Sign(sign) => format!("`{sign}`"),
            Kind::End => "the end".to_owned(),
        }
    }

    fn too_deep(start: usize, end: usize) -> Fault {
        Fault::new(
            codes::TOO_DEEP,
            start,
            end,
            format!("this formula is nested more than {DEEPEST} deep"),
            Some("split it over several steps".to_owned()),
        )
    }

    fn add(&mut self, start: usize, kind: NodeKind, children: &[NodeId]) -> Parsed {
        let below = children.iter().map(|child| self.depths[child.0 as usize]).max();
        let depth = below.map_or(1, |below| below + 1);
        let end = self.end();
        if depth > DEEPEST {
            return Err(Self::too_deep(start, end));
        }
        let id = u32::try_from(self.nodes.len()).map_err(|_| Self::too_deep(start, end))?;
        let place = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
        self.nodes.push(Node { start: place(start), end: place(end), kind });
        self.depths.push(depth);
        Ok(NodeId(id))
    }

    fn nested(&mut self, inner: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        self.nesting += 1;
        if self.nesting > DEEPEST {
            return Err(Self::too_deep(self.start(), self.token().end));
        }
        let parsed = inner(self);
        self.nesting -= 1;
        parsed
    }

    fn start_of(&self, node: NodeId) -> usize {
        self.nodes[node.0 as usize].start as usize
    }

    /// `x or y`
    fn any(&mut self) -> Parsed {
        let first = self.all()?;
        let mut parts = vec![first];
        while self.take_word("or") {
            parts.push(self.all()?);
        }
        if parts.len() == 1 {
            return Ok(first);
        }
        self.add(self.start_of(first), NodeKind::Any(parts.clone()), &parts)
    }

    /// `x and y`
    fn all(&mut self) -> Parsed {
        let first = self.negation()?;
        let mut parts = vec![first];
        while self.take_word("and") {
            parts.push(self.negation()?);
        }
        if parts.len() == 1 {
            return Ok(first);
        }
        self.add(self.start_of(first), NodeKind::All(parts.clone()), &parts)
    }

    /// `not x`
    fn negation(&mut self) -> Parsed {
        let start = self.start();
        if !self.take_word("not") {
            return self.comparison();
        }
        let inner = self.nested(Self::negation)?;
        self.add(start, NodeKind::Not(inner), &[inner])
    }

    /// `x == y`, `x in y`, `x is empty`
    fn comparison(&mut self) -> Parsed {
        let left = self.sum()?;
        let start = self.start_of(left);
        let node = if let Kind::Sign(sign) = *self.peek()
            && let Some(by) = Comparison::of(sign)
        {
            self.advance();
            let right = self.sum()?;
            self.add(start, NodeKind::Compare { by, left, right }, &[left, right])?
        } else if self.take_word("in") {
            let list = self.sum()?;
            self.add(start, NodeKind::In { item: left, list, negated: false }, &[left, list])?
        } else if self.is_word("not") && self.word_after("in") {
            self.advance();
            self.advance();
            let list = self.sum()?;
            self.add(start, NodeKind::In { item: left, list, negated: true }, &[left, list])?
        } else if self.take_word("contains") {
            let item = self.sum()?;
            self.add(start, NodeKind::Contains { list: left, item }, &[left, item])?
        } else if self.take_word("is") {
            let negated = self.take_word("not");
            if !self.take_word("empty") {
                let not = if negated { "not " } else { "" };
                let sign = if negated { "!=" } else { "==" };
                let help = if matches!(self.peek(), Kind::Word(word) if is_nothing(word)) {
                    format!("write `is {not}empty`")
                } else {
                    format!("to compare, write `{sign}`")
                };
                return Err(self.fault(
                    format!("after `is{}` comes `empty`, not {}", not_of(negated), self.found()),
                    Some(help),
                ));
            }
            self.add(start, NodeKind::Empty { of: left, negated }, &[left])?
        } else {
            return Ok(left);
        };
        let chained = match self.peek() {
            Kind::Sign(sign) => Comparison::of(sign).is_some(),
            Kind::Word(word) => matches!(word.as_str(), "in" | "contains" | "is"),
            _ => false,
        };
        if chained {
            return Err(self.fault(
                "comparisons cannot be chained",
                Some("write `x > 1 and x < 5`".to_owned()),
            ));
        }
        Ok(node)
    }

    /// `x + y`
    fn sum(&mut self) -> Parsed {
        let mut left = self.product()?;
        loop {
            let by = if self.take_sign("+") {
                Arithmetic::Plus
            } else if self.take_sign("-") {
                Arithmetic::Minus
            } else {
                return Ok(left);
            };
            let right = self.product()?;
            left = self.add(
                self.start_of(left),
                NodeKind::Arithmetic { by, left, right },
                &[left, right],
            )?;
        }
    }

    /// `x * y`
    fn product(&mut self) -> Parsed {
        let mut left = self.prefix()?;
        loop {
            let by = if self.take_sign("*") {
                Arithmetic::Times
            } else if self.take_sign("/") {
                Arithmetic::By
            } else {
                return Ok(left);
            };
            let right = self.prefix()?;
            left = self.add(
                self.start_of(left),
                NodeKind::Arithmetic { by, left, right },
                &[left, right],
            )?;
        }
    }

    /// `-x`
    fn prefix(&mut self) -> Parsed {
        let start = self.start();
        if !self.take_sign("-") {
            return self.path();
        }
        let inner = self.nested(Self::prefix)?;
        self.add(start, NodeKind::Minus(inner), &[inner])
    }

    /// `x.y.z`
    fn path(&mut self) -> Parsed {
        let start = self.start();
        let mut of = self.primary()?;
        while self.take_sign(".") {
            let Kind::Word(name) = self.peek().clone() else {
                return Err(self
                    .fault(format!("after the point comes a field, not {}", self.found()), None));
            };
            self.advance();
            of = self.add(start, NodeKind::Field { of, name }, &[of])?;
        }
        Ok(of)
    }

    fn primary(&mut self) -> Parsed {
        let start = self.start();
        match self.peek().clone() {
            Kind::Word(word) => self.word(start, &word),
            Kind::Text(text) => self.literal(start, Value::Text(text)),
            Kind::Date(date) => self.literal(start, Value::Date(date)),
            Kind::Percent(share) => self.literal(start, Value::Number(share)),
            Kind::Number(number) => self.number(start, number),
            Kind::Sign("(") => {
                self.advance();
                let inner = self.nested(Self::any)?;
                if !self.take_sign(")") {
                    let help = matches!(self.peek(), Kind::Sign(","))
                        .then(|| "a list stands in square brackets: `[\"a\", \"b\"]`".to_owned());
                    let message = format!("`)` is missing before {}", self.found());
                    return Err(self.fault(message, help));
                }
                Ok(inner)
            }
            Kind::Sign("[") => {
                self.advance();
                let items = self.list("]")?;
                self.add(start, NodeKind::List(items.clone()), &items)
            }
            Kind::End => Err(self.fault("the formula ends too early: a value is missing", None)),
            Kind::Sign(sign) => {
                Err(self.fault(format!("a value is missing before `{sign}`"), None))
            }
        }
    }

    fn literal(&mut self, start: usize, value: Value) -> Parsed {
        self.advance();
        self.add(start, NodeKind::Literal(value), &[])
    }

    /// A number, or the duration that it begins: `1 day 4 hours`.
    fn number(&mut self, start: usize, number: Decimal) -> Parsed {
        self.advance();
        let Kind::Word(_) = self.peek() else {
            return self.add(start, NodeKind::Literal(Value::Number(number)), &[]);
        };
        let mut total: Option<Duration> = None;
        let mut amount = number;
        let mut amount_start = start;
        while let Kind::Word(word) = self.peek().clone() {
            if KEYWORDS.contains(&word.as_str()) {
                break;
            }
            let mut unit = word.to_lowercase();
            self.advance();
            if unit == "working"
                && let Kind::Word(next) = self.peek().clone()
            {
                unit = format!("working {}", next.to_lowercase());
                self.advance();
            }
            let part = Duration::of(amount, &unit).ok_or_else(|| {
                let help = duration_help(&format!("{amount} {word}"));
                Fault::new(
                    codes::FORMULA_SYNTAX,
                    amount_start,
                    self.end(),
                    format!("`{amount} {unit}` is not a duration"),
                    help.or_else(|| Some(DURATIONS.to_owned())),
                )
            })?;
            let sum = total.unwrap_or_default().checked_add(part);
            total = Some(sum.ok_or_else(|| self.fault("this duration is too long", None))?);
            match (self.peek(), self.tokens.get(self.at + 1)) {
                (Kind::Number(next), Some(Token { kind: Kind::Word(_), .. })) => {
                    amount = *next;
                    amount_start = self.start();
                    self.advance();
                }
                _ => break,
            }
        }
        let value = total.map_or(Value::Number(number), Value::Duration);
        self.add(start, NodeKind::Literal(value), &[])
    }

    fn word(&mut self, start: usize, word: &str) -> Parsed {
        match word {
            "true" => return self.literal(start, Value::YesNo(true)),
            "false" => return self.literal(start, Value::YesNo(false)),
            _ if KEYWORDS.contains(&word) => {
                return Err(self.fault(format!("a value is missing before `{word}`"), None));
            }
            _ => {}
        }
        self.advance();
        if !self.take_sign("(") {
            return self.add(start, NodeKind::Variable(word.to_owned()), &[]);
        }
        let arguments = self.list(")")?;
        self.add(
            start,
            NodeKind::Call { function: word.to_owned(), arguments: arguments.clone() },
            &arguments,
        )
    }

    /// Values between commas, up to a closing bracket.
    fn list(&mut self, close: &'static str) -> Result<Vec<NodeId>, Fault> {
        let mut items = Vec::new();
        while !self.take_sign(close) {
            items.push(self.nested(Self::any)?);
            if !self.take_sign(",") && !matches!(self.peek(), Kind::Sign(sign) if *sign == close) {
                return Err(self
                    .fault(format!("`,` or `{close}` is missing before {}", self.found()), None));
            }
        }
        Ok(items)
    }

    fn expect_end(&self) -> Result<(), Fault> {
        let help = match self.peek() {
            Kind::End => return Ok(()),
            Kind::Word(word) => match word.to_lowercase().as_str() {
                "and" | "or" | "not" | "in" | "is" | "contains" => {
                    Some(format!("write `{}` in small letters", word.to_lowercase()))
                }
                "equals" | "eq" => Some("write `==`".to_owned()),
                "has" | "includes" => Some("write `contains`".to_owned()),
                "like" | "matches" | "ilike" => Some(
                    "write `… contains …`, `starts_with(…, …)` or `ends_with(…, …)`".to_owned(),
                ),
                "between" => Some("write `x >= 1 and x <= 5`".to_owned()),
                "isnull" | "exists" => Some("write `is empty`, or `is not empty`".to_owned()),
                "then" | "else" | "when" => {
                    Some("decide before: a `decide:` step yields one of several values".to_owned())
                }
                "div" | "mod" => Some("write `/`".to_owned()),
                _ => codes::did_you_mean(word, KEYWORDS.iter().copied()),
            },
            _ => None,
        };
        Err(self.fault(
            format!("{} does not continue the formula", self.found()),
            help.or_else(|| Some("`and`, `or` or a comparison is expected here".to_owned())),
        ))
    }
}

/// How durations are written.
const DURATIONS: &str = "write `24 hours`, `1 day`, `90 minutes` or `4 working hours`";

/// What a text means that was meant as a duration: `24h`, `2 business days`.
pub(crate) fn duration_help(text: &str) -> Option<String> {
    let text = text.trim();
    let length = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let amount: Decimal = text[..length].parse().ok()?;
    let unit = text[length..].trim().to_lowercase();
    if unit.is_empty() {
        return Some(format!("say of what: `{amount} minutes`, `{amount} days`"));
    }
    // Three capital letters are a currency.
    let currency = text[length..].trim();
    if currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Some(format!("write `money({amount}, \"{currency}\")` for an amount"));
    }
    let whole = unit.strip_suffix('s').unwrap_or(&unit);
    let parts = [("day", 24, "hours"), ("week", 7, "days"), ("year", 12, "months")];
    if let Some((_, size, smaller)) = parts.into_iter().find(|(name, ..)| *name == whole) {
        let count = amount.checked_mul(Decimal::from(size))?;
        let is_whole = count.fract().is_zero();
        return is_whole.then(|| format!("write `{} {smaller}`", count.normalize()));
    }
    let meant = match unit.as_str() {
        "h" | "hr" | "hrs" | "std" | "stunde" | "stunden" | "heure" | "heures" => "hours",
        "m" | "min" | "mins" | "minuten" => "minutes",
        "d" | "tag" | "tage" | "jour" | "jours" => "days",
        "s" | "sec" | "secs" | "sekunden" => "seconds",
        "w" | "wk" | "wks" | "woche" | "wochen" => "weeks",
        "mo" | "mon" | "mth" | "monat" | "monate" => "months",
        "y" | "yr" | "yrs" | "jahr" | "jahre" => "years",
        "ms" => "milliseconds",
        _ => match unit.split_once(' ') {
            Some(("business" | "office" | "work" | "opening" | "labour" | "labor", rest)) => {
                let rest = rest.trim();
                let known = ["minute", "minutes", "hour", "hours", "day", "days"];
                let rest = known.into_iter().find(|known| *known == rest)?;
                return Some(format!("write `{amount} working {rest}`"));
            }
            Some(("working", "week" | "weeks")) => {
                let days = amount.checked_mul(Decimal::from(5))?.normalize();
                return Some(format!("write `{days} working days`"));
            }
            _ => "",
        },
    };
    if !meant.is_empty() {
        return Some(format!("write `{amount} {meant}`"));
    }
    let units = ["seconds", "minutes", "hours", "days", "weeks", "months", "years"];
    let near = relata_model::text::nearest(&unit, units.into_iter())?;
    Some(format!("write `{amount} {near}`"))
}

/// Whether a word is what other languages call an empty value.
fn is_nothing(word: &str) -> bool {
    ["null", "none", "nil", "nothing", "blank", "undefined"].contains(&word.to_lowercase().as_str())
}

const fn not_of(negated: bool) -> &'static str {
    if negated { " not" } else { "" }
}
