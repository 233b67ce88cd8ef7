//! Makes formulas that have a type, and worlds in which they can be evaluated,
//! out of arbitrary bytes: whoever draws the bytes decides what comes out.

use std::collections::BTreeMap;

use relata_model::{FieldType, Objects, Record, Reference, Value};
use relata_workflow::{
    Facts, Slot, Type,
    formula::functions::{FUNCTIONS, Function, Takes, Yield},
};

/// The choices that bytes make; the first of everything where they end.
#[derive(Debug)]
pub(crate) struct Choices<'b> {
    bytes: &'b [u8],
}

impl<'b> Choices<'b> {
    pub(crate) const fn new(bytes: &'b [u8]) -> Self {
        Self { bytes }
    }

    fn byte(&mut self) -> u8 {
        match self.bytes.split_first() {
            Some((first, rest)) => {
                self.bytes = rest;
                *first
            }
            None => 0,
        }
    }

    /// A number below `count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let wide = usize::from(self.byte()) << 8 | usize::from(self.byte());
        if count == 0 { 0 } else { wide % count }
    }

    pub(crate) fn one_of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// What a formula is to yield.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Text,
    YesNo,
    Date,
    Time,
    Duration,
    Money,
    Texts,
    Numbers,
}

pub(crate) const KINDS: &[Kind] = &[
    Kind::Number,
    Kind::Text,
    Kind::YesNo,
    Kind::Date,
    Kind::Time,
    Kind::Duration,
    Kind::Money,
    Kind::Texts,
    Kind::Numbers,
];

const PLAIN: &[Kind] =
    &[Kind::Number, Kind::Text, Kind::YesNo, Kind::Date, Kind::Time, Kind::Duration, Kind::Money];
const ORDERED: &[Kind] = &[Kind::Number, Kind::Date, Kind::Time, Kind::Duration, Kind::Money];
const LISTS: &[Kind] = &[Kind::Texts, Kind::Numbers];

/// A path that a formula may read.
#[derive(Debug)]
struct Path {
    written: String,
    kind: Kind,
    /// The words, if it holds one of a few.
    words: Vec<String>,
    optional: bool,
}

/// The variables of the formulas, and the paths that lead from them.
#[derive(Debug)]
pub(crate) struct Maker {
    pub(crate) objects: Objects,
    pub(crate) variables: BTreeMap<String, Slot>,
    paths: Vec<Path>,
}

/// The records that a world has, by object.
const RECORDS: &[(&str, &[&str])] = &[
    ("lead", &["1"]),
    ("ticket", &["1"]),
    ("order", &["1"]),
    ("contact", &["1", "2"]),
    ("user", &["1", "2"]),
    ("queue", &["1"]),
    ("team", &["1"]),
    ("account", &["1"]),
    ("calendar", &["1"]),
];

impl Maker {
    pub(crate) fn new() -> Self {
        let objects = Objects::standard();
        let subjects = ["lead", "ticket", "order"];
        let variables = subjects
            .map(|object| (object.to_owned(), Slot::of(Type::Record(vec![object.to_owned()]))));
        let mut maker = Self { objects, variables: variables.into(), paths: Vec::new() };
        for object in subjects {
            maker.paths_from(object, object, false, 2);
        }
        maker
    }

    fn paths_from(&mut self, base: &str, object: &str, optional: bool, deep: u32) {
        let Some(definition) = self.objects.get(object).cloned() else { return };
        for (name, field) in &definition.fields {
            let slot = Slot::of_field(field);
            let optional = optional || slot.optional;
            let written = format!("{base}.{name}");
            if let FieldType::Reference(objects) = &field.kind
                && let [only] = &objects[..]
                && deep > 0
            {
                self.paths_from(&written, only, optional, deep - 1);
            }
            let (kind, words) = match slot.kind {
                Type::Number => (Kind::Number, Vec::new()),
                Type::Text => (Kind::Text, Vec::new()),
                Type::Choice(words) => (Kind::Text, words),
                Type::YesNo => (Kind::YesNo, Vec::new()),
                Type::Date => (Kind::Date, Vec::new()),
                Type::Time => (Kind::Time, Vec::new()),
                Type::Duration => (Kind::Duration, Vec::new()),
                Type::Money => (Kind::Money, Vec::new()),
                Type::List(_) => (Kind::Texts, Vec::new()),
                _ => continue,
            };
            self.paths.push(Path { written, kind, words, optional });
        }
    }

    fn path(&self, kind: Kind, from: &mut Choices<'_>) -> Option<&Path> {
        let fitting: Vec<&Path> = self.paths.iter().filter(|path| path.kind == kind).collect();
        if fitting.is_empty() { None } else { Some(fitting[from.below(fitting.len())]) }
    }

    /// A formula of a kind, whatever it is.
    pub(crate) fn any(&self, from: &mut Choices<'_>) -> String {
        let kind = KINDS[from.below(KINDS.len())];
        let depth = from.below(5);
        self.formula(kind, depth, from)
    }

    pub(crate) fn formula(&self, kind: Kind, depth: usize, from: &mut Choices<'_>) -> String {
        if depth == 0 {
            return self.leaf(kind, from);
        }
        match from.below(6) {
            0 => self.leaf(kind, from),
            1 | 2 => self.call(kind, depth, from).unwrap_or_else(|| self.leaf(kind, from)),
            _ => self.operation(kind, depth, from),
        }
    }

    /// A path, with something in its place where it is empty, or a literal.
    fn leaf(&self, kind: Kind, from: &mut Choices<'_>) -> String {
        match self.path(kind, from) {
            Some(path) if from.below(3) > 0 => {
                if path.optional {
                    format!("default({}, {})", path.written, literal(kind, from))
                } else {
                    path.written.clone()
                }
            }
            _ => literal(kind, from),
        }
    }

    fn operation(&self, kind: Kind, depth: usize, from: &mut Choices<'_>) -> String {
        let deeper = depth - 1;
        let inner = |kind, from: &mut Choices<'_>| self.formula(kind, deeper, from);
        match (kind, from.below(4)) {
            (Kind::YesNo, _) => self.condition(deeper, from),
            (Kind::Number, 0) => format!("-({})", inner(Kind::Number, from)),
            (Kind::Number, _) => {
                let by = from.one_of(&["+", "-", "*", "/"]);
                let (left, right) = (inner(Kind::Number, from), inner(Kind::Number, from));
                // What is divided by 0 for everybody to see is refused.
                let right = if by == "/" { format!("({right} + lead.revision)") } else { right };
                format!("({left}) {by} ({right})")
            }
            (Kind::Money, 0) => {
                format!("({}) * ({})", inner(kind, from), inner(Kind::Number, from))
            }
            (Kind::Money, _) => {
                let by = from.one_of(&["+", "-"]);
                format!("({}) {by} ({})", inner(kind, from), inner(kind, from))
            }
            (Kind::Duration, 0) => {
                format!("({}) - ({})", inner(Kind::Time, from), inner(Kind::Time, from))
            }
            (Kind::Duration, 1) => {
                format!("({}) * ({})", inner(kind, from), inner(Kind::Number, from))
            }
            (Kind::Duration, _) => {
                let by = from.one_of(&["+", "-"]);
                format!("({}) {by} ({})", inner(kind, from), inner(kind, from))
            }
            (Kind::Time, _) => {
                let by = from.one_of(&["+", "-"]);
                format!("({}) {by} ({})", inner(kind, from), inner(Kind::Duration, from))
            }
            (Kind::Date, _) => {
                let by = from.one_of(&["+", "-"]);
                format!("({}) {by} {} days", inner(kind, from), from.below(20_000))
            }
            (Kind::Texts | Kind::Numbers, _) => {
                let item = if kind == Kind::Texts { Kind::Text } else { Kind::Number };
                let count = from.below(4);
                let items: Vec<String> = (0..=count).map(|_| inner(item, from)).collect();
                format!("[{}]", items.join(", "))
            }
            (Kind::Text, _) => self.leaf(kind, from),
        }
    }

    fn condition(&self, depth: usize, from: &mut Choices<'_>) -> String {
        let inner = |kind, from: &mut Choices<'_>| self.formula(kind, depth, from);
        match from.below(9) {
            0 => format!("not ({})", inner(Kind::YesNo, from)),
            1 => format!("({}) and ({})", inner(Kind::YesNo, from), inner(Kind::YesNo, from)),
            2 => format!("({}) or ({})", inner(Kind::YesNo, from), inner(Kind::YesNo, from)),
            3 => {
                let kind = ORDERED[from.below(ORDERED.len())];
                let by = from.one_of(&["<", "<=", ">", ">="]);
                format!("({}) {by} ({})", inner(kind, from), inner(kind, from))
            }
            4 => {
                let kind = PLAIN[from.below(PLAIN.len())];
                let by = from.one_of(&["==", "!="]);
                // A word that a field never has is refused.
                let left = if kind == Kind::Text { "trim" } else { "" };
                format!("{left}({}) {by} ({})", inner(kind, from), inner(kind, from))
            }
            // A word that is never in a list that is written out is refused.
            5 => {
                format!("({}) contains trim({})", inner(Kind::Texts, from), inner(Kind::Text, from))
            }
            6 => {
                let not = from.one_of(&["", "not "]);
                format!("({}) {not}in ({})", inner(Kind::Number, from), inner(Kind::Numbers, from))
            }
            7 => self.narrowed(depth, from),
            _ => self.words(from),
        }
    }

    /// What may be empty, tested before it is used.
    fn narrowed(&self, depth: usize, from: &mut Choices<'_>) -> String {
        let kind = ORDERED[from.below(ORDERED.len())];
        let Some(path) = self.path(kind, from) else { return "lead.owner is empty".to_owned() };
        let path = &path.written;
        let other = self.formula(kind, depth, from);
        match from.below(4) {
            0 => format!("{path} is not empty and {path} > ({other})"),
            1 => format!("{path} is empty or {path} <= ({other})"),
            2 => format!("not ({path} is empty or {path} < ({other}))"),
            _ => format!("{path} == ({other}) or {path} is not empty"),
        }
    }

    /// A path that holds one word of a few.
    fn words(&self, from: &mut Choices<'_>) -> String {
        let paths: Vec<&Path> = self.paths.iter().filter(|path| !path.words.is_empty()).collect();
        let path = paths[from.below(paths.len())];
        let word =
            |from: &mut Choices<'_>| format!("\"{}\"", path.words[from.below(path.words.len())]);
        let written = &path.written;
        match from.below(3) {
            0 => format!("{written} == {}", word(from)),
            1 => format!("{} != {written}", word(from)),
            _ => format!("{written} in [{}, {}]", word(from), word(from)),
        }
    }

    /// A call of a function that yields a kind.
    fn call(&self, kind: Kind, depth: usize, from: &mut Choices<'_>) -> Option<String> {
        let fitting: Vec<&Function> =
            FUNCTIONS.iter().filter(|function| yields(function, kind)).collect();
        if fitting.is_empty() {
            return None;
        }
        let function = fitting[from.below(fitting.len())];
        let mut count = function.parameters.len() - from.below(function.may_leave_out + 1);
        if function.repeats {
            count += from.below(3);
        }
        // All that have to be of one kind are.
        let own = match function.result {
            Yield::Item if kind == Kind::Text => Kind::Texts,
            Yield::Item => Kind::Numbers,
            _ => kind,
        };
        let list = LISTS[from.below(LISTS.len())];
        let given: Vec<String> = (0..count)
            .map(|place| {
                let parameter = &function.parameters[place.min(function.parameters.len() - 1)];
                let wanted = match parameter.takes {
                    Takes::Anything | Takes::Ordered => own,
                    Takes::Plain => PLAIN[from.below(PLAIN.len())],
                    Takes::Text => Kind::Text,
                    Takes::Number => Kind::Number,
                    Takes::DayOrTime => [Kind::Date, Kind::Time][from.below(2)],
                    Takes::Time => Kind::Time,
                    Takes::Numbers => Kind::Numbers,
                    Takes::List if matches!(function.result, Yield::Item | Yield::First) => own,
                    Takes::List | Takes::Plains => list,
                    Takes::TextOrList => [Kind::Text, list][from.below(2)],
                };
                // A list that is empty is a list, too.
                match self.path(wanted, from) {
                    Some(path) if LISTS.contains(&wanted) && from.below(2) == 0 => {
                        path.written.clone()
                    }
                    _ => self.formula(wanted, depth - 1, from),
                }
            })
            .collect();
        let call = format!("{}({})", function.name, given.join(", "));
        Some(match function.result {
            Yield::MaybeNumber | Yield::MaybeTime | Yield::Item => {
                format!("default({call}, {})", literal(kind, from))
            }
            _ => call,
        })
    }

    /// The values of the variables, and all records that they lead to. Now and
    /// then a field is empty that may be, or a record is gone.
    pub(crate) fn world(&self, from: &mut Choices<'_>) -> (BTreeMap<String, Value>, Facts) {
        let mut facts = Facts::default();
        for (object, keys) in RECORDS {
            for key in *keys {
                let reference = Reference::new(*object, *key);
                // What the run is about is there; what it leads to may be gone.
                let gone = !self.variables.contains_key(*object) && from.below(12) == 11;
                let record = (!gone).then(|| self.record(&reference, from));
                facts.records.insert(reference, record);
            }
        }
        let variables = self.variables.keys();
        let value = |name: &String| (name.clone(), Value::Reference(Reference::new(name, "1")));
        (variables.map(value).collect(), facts)
    }

    fn record(&self, reference: &Reference, from: &mut Choices<'_>) -> Record {
        let definition = self.objects.get(&reference.object).expect("an object of the standard");
        let mut fields = BTreeMap::new();
        for (name, field) in &definition.fields {
            let empty = field.may_be_empty() && from.below(3) == 0;
            let value = if empty { Value::Nothing } else { value(&field.kind, from) };
            fields.insert(name.clone(), value);
        }
        let revision = i64::try_from(from.below(1_000)).unwrap_or_default() + 1;
        let revision = revision.try_into().unwrap_or(1);
        Record { reference: reference.clone(), revision, fields: fields.into() }
    }
}

fn yields(function: &Function, kind: Kind) -> bool {
    match function.result {
        Yield::Text => kind == Kind::Text,
        Yield::Number | Yield::MaybeNumber => kind == Kind::Number,
        Yield::YesNo => kind == Kind::YesNo,
        Yield::Date => kind == Kind::Date,
        Yield::Time | Yield::MaybeTime => kind == Kind::Time,
        Yield::Money => kind == Kind::Money,
        Yield::Texts => kind == Kind::Texts,
        Yield::FirstThatIs => true,
        Yield::First if function.parameters[0].takes == Takes::List => LISTS.contains(&kind),
        Yield::First => ORDERED.contains(&kind),
        Yield::Item => matches!(kind, Kind::Text | Kind::Number),
    }
}

fn literal(kind: Kind, from: &mut Choices<'_>) -> String {
    match kind {
        Kind::Number => {
            let numbers =
                ["1", "3", "0.5", "50%", "1000000", "79228162514264337593543950335", "0.0000001"];
            from.one_of(&numbers).to_owned()
        }
        Kind::Text => {
            let texts =
                ["\"new\"", "\"a b\"", "'it is \"quoted\"'", "\"é\\n\\\\\"", "\"EUR\"", "\"12.5\""];
            from.one_of(&texts).to_owned()
        }
        Kind::YesNo => from.one_of(&["true", "false"]).to_owned(),
        Kind::Date => from.one_of(&["2026-12-24", "today()", "2024-02-29"]).to_owned(),
        Kind::Time => from.one_of(&["now()", "start_of_day(today())"]).to_owned(),
        Kind::Duration => {
            let unit = from.one_of(&[
                "hours",
                "minutes",
                "days",
                "weeks",
                "months",
                "years",
                "working hours",
                "working days",
            ]);
            format!("{} {unit}", from.below(9_000))
        }
        Kind::Money => format!("money({}, \"EUR\")", from.below(9_000)),
        Kind::Texts => "[\"fair\", \"vip\"]".to_owned(),
        Kind::Numbers => "[1, 2.5, -3]".to_owned(),
    }
}

/// A value of a field.
fn value(kind: &FieldType, from: &mut Choices<'_>) -> Value {
    let text = |text: &str| Value::Text(text.to_owned());
    let number = from.below(2_000);
    match kind {
        FieldType::Text | FieldType::LongText | FieldType::Phone => {
            text(from.one_of(&["Ana Müller", "x", "12", " a;b ", "汉字", "EUR"]))
        }
        FieldType::Email => text("ana@a.example"),
        FieldType::Country => text(from.one_of(&["DE", "CN"])),
        FieldType::Number | FieldType::Integer => {
            Value::Number(from.one_of(&["0", "1", "-1", "7", "200"]).parse().expect("a number"))
        }
        FieldType::Money => {
            let currency = from.one_of(&["EUR", "EUR", "EUR", "USD"]);
            Value::Money(format!("{number} {currency}").parse().expect("an amount"))
        }
        FieldType::YesNo => Value::YesNo(number.is_multiple_of(2)),
        FieldType::Date => {
            Value::Date(from.one_of(&["2026-03-29", "1999-12-31"]).parse().expect("a day"))
        }
        FieldType::Time => {
            let times = ["2026-03-29T01:30:00Z", "2026-12-13T18:30:00Z", "1970-01-01T00:00:00Z"];
            Value::Time(from.one_of(&times).parse().expect("a time"))
        }
        FieldType::Duration => {
            Value::Duration(format!("{number} minutes").parse().expect("a duration"))
        }
        FieldType::Choice(words) => Value::Text(words[from.below(words.len())].clone()),
        FieldType::Reference(objects) => {
            let known: Vec<&(&str, &[&str])> = RECORDS
                .iter()
                .filter(|(object, _)| objects.iter().any(|of| of == object))
                .collect();
            match known.get(from.below(known.len())) {
                Some((object, keys)) => {
                    Value::Reference(Reference::new(*object, keys[from.below(keys.len())]))
                }
                None => Value::Nothing,
            }
        }
        FieldType::Texts => Value::List(
            (0..from.below(3)).map(|_| text(from.one_of(&["fair", "vip", "12"]))).collect(),
        ),
    }
}
