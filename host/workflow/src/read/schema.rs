//! What the JSON Schemas of an action mean to the checker.

use std::collections::BTreeMap;

use relata_model::{Decimal, FieldDefinition, FieldType, Value, value::number_from_json};
use serde_json::{Map, Value as Json};

use crate::types::{Slot, Type};

/// What a place takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wanted {
    /// Whatever it is.
    Open,
    Text,
    Number {
        whole: bool,
        least: Option<Decimal>,
        most: Option<Decimal>,
    },
    YesNo,
    Choice(Vec<String>),
    /// A record of one of these objects; of any if empty.
    Record(Vec<String>),
    /// A mail template's name.
    Template,
    /// An object's name.
    Object,
    /// A point in time, or a duration from now.
    Due,
    Duration,
    Time,
    Date,
    Money,
    List(Box<Wanted>),
    /// Named values, and which of them must be given.
    Map(BTreeMap<String, Parameter>),
    /// Fields of the record, or the object, given as this argument, or of an
    /// object by name (`object/lead`).
    FieldsOf(String),
    /// Fields of these objects; all that are required if `creates`.
    Fields {
        objects: Vec<String>,
        creates: bool,
    },
    /// What a field takes.
    Field(Box<FieldDefinition>),
}

/// One argument of an action.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) wanted: Wanted,
    /// Must be given.
    pub(crate) required: bool,
    /// May be given and be empty.
    pub(crate) nullable: bool,
}

impl Wanted {
    /// What it takes, in a sentence.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Open => "anything".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Number { whole: true, .. } => "a whole number".to_owned(),
            Self::Number { .. } => "a number".to_owned(),
            Self::YesNo => "yes or no (`true` or `false`)".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Record(objects) => Type::Record(objects.clone()).describe(),
            Self::Template => "the name of a mail template".to_owned(),
            Self::Object => "the name of an object".to_owned(),
            Self::Due => "a point in time, or a duration such as `48 hours`".to_owned(),
            Self::Duration => "a duration such as `48 hours`".to_owned(),
            Self::Time => "a point in time".to_owned(),
            Self::Date => "a day such as 2026-12-24".to_owned(),
            Self::Money => "an amount such as 12.50 EUR".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) | Self::FieldsOf(_) | Self::Fields { .. } => {
                "a block of `name: value`".to_owned()
            }
            Self::Field(field) => field.kind.describe(),
        }
    }

    /// What a value of this type is taken as.
    pub(crate) fn of_type(kind: &Type) -> Self {
        match kind {
            Type::Nothing | Type::Any => Self::Open,
            // Where something is made up, it need not be one of the words.
            Type::Text | Type::Choice(_) => Self::Text,
            Type::Number => Self::Number { whole: false, least: None, most: None },
            Type::YesNo => Self::YesNo,
            Type::Date => Self::Date,
            Type::Time => Self::Time,
            Type::Duration => Self::Duration,
            Type::Money => Self::Money,
            Type::Record(objects) => Self::Record(objects.clone()),
            Type::List(items) => Self::List(Box::new(Self::of_type(&items.kind))),
            Type::Map(parts) => Self::Map(
                parts
                    .iter()
                    .map(|(name, slot)| {
                        let wanted = Self::of_type(&slot.kind);
                        (
                            name.clone(),
                            Parameter { wanted, required: false, nullable: slot.optional },
                        )
                    })
                    .collect(),
            ),
        }
    }

    /// What a field takes, in the words of arguments.
    pub(crate) fn of_field(field: &FieldDefinition) -> Self {
        match &field.kind {
            FieldType::Text
            | FieldType::LongText
            | FieldType::Email
            | FieldType::Phone
            | FieldType::Country => Self::Text,
            FieldType::Number => Self::Number { whole: false, least: field.min, most: field.max },
            FieldType::Integer => Self::Number { whole: true, least: field.min, most: field.max },
            FieldType::Money => Self::Money,
            FieldType::YesNo => Self::YesNo,
            FieldType::Date => Self::Date,
            FieldType::Time => Self::Time,
            FieldType::Duration => Self::Duration,
            FieldType::Choice(words) => Self::Choice(words.clone()),
            FieldType::Reference(objects) => Self::Record(objects.clone()),
            FieldType::Texts => Self::List(Box::new(Self::Text)),
        }
    }
}

/// A schema, and what its `$ref`s lead to.
#[derive(Clone, Copy)]
struct Schema<'a> {
    root: &'a Json,
    here: &'a Json,
}

/// A schema less the cases that only say that a value may be empty.
struct Plain<'a> {
    schema: Schema<'a>,
    nullable: bool,
}

impl<'a> Schema<'a> {
    const fn at(self, here: &'a Json) -> Self {
        Self { here, ..self }
    }

    fn get(self, key: &str) -> Option<&'a Json> {
        self.here.get(key)
    }

    fn text(self, key: &str) -> Option<&'a str> {
        self.get(key).and_then(Json::as_str)
    }

    /// Follows references and takes the null cases off. `depth` bounds
    /// schemas that refer to themselves.
    fn plain(self, depth: usize) -> Plain<'a> {
        if depth > 16 {
            return Plain { schema: self.at(&Json::Bool(true)), nullable: true };
        }
        if let Some(target) = self.text("$ref").and_then(|path| path.strip_prefix('#'))
            && let Some(target) = self.root.pointer(target)
        {
            return self.at(target).plain(depth + 1);
        }
        if let Some([only]) = self.get("allOf").and_then(Json::as_array).map(Vec::as_slice) {
            return self.at(only).plain(depth + 1);
        }
        for key in ["anyOf", "oneOf"] {
            let Some(cases) = self.get(key).and_then(Json::as_array) else { continue };
            let is_null = |case: &&Json| case.get("type").and_then(Json::as_str) == Some("null");
            let others: Vec<&Json> = cases.iter().filter(|case| !is_null(case)).collect();
            if let [only] = others[..] {
                let plain = self.at(only).plain(depth + 1);
                return Plain { nullable: plain.nullable || others.len() < cases.len(), ..plain };
            }
        }
        let nullable = match self.get("type") {
            Some(Json::Array(kinds)) => kinds.iter().any(|kind| kind == "null"),
            Some(kind) => kind == "null",
            None => self.here.as_bool() == Some(true),
        };
        Plain { schema: self, nullable }
    }

    /// The first type that is not `null`.
    fn kind(self) -> Option<&'a str> {
        match self.get("type")? {
            Json::String(kind) => Some(kind),
            Json::Array(kinds) => {
                kinds.iter().filter_map(Json::as_str).find(|kind| *kind != "null")
            }
            _ => None,
        }
    }

    /// The words of an enumeration: `enum`, `const`, or cases of `const`.
    fn words(self) -> Option<Vec<String>> {
        if let Some(Json::String(word)) = self.get("const") {
            return Some(vec![word.clone()]);
        }
        if let Some(words) = self.get("enum").and_then(Json::as_array) {
            return words
                .iter()
                .filter(|word| !word.is_null())
                .map(|word| word.as_str().map(str::to_owned))
                .collect();
        }
        let cases = self.get("oneOf").or_else(|| self.get("anyOf"))?.as_array()?;
        let mut all = Vec::new();
        for case in cases {
            if case.get("type").and_then(Json::as_str) != Some("null") {
                all.extend(self.at(case).words()?);
            }
        }
        Some(all)
    }

    fn properties(self) -> Option<&'a Map<String, Json>> {
        self.get("properties").and_then(Json::as_object)
    }

    fn requires(self, name: &str) -> bool {
        self.get("required")
            .and_then(Json::as_array)
            .is_some_and(|required| required.iter().any(|other| other == name))
    }

    fn bound(self, key: &str) -> Option<Decimal> {
        self.get(key).and_then(Json::as_number).and_then(number_from_json)
    }

    fn parameter(self, required: bool, depth: usize) -> Parameter {
        let plain = self.plain(depth);
        let fields_of = self.text("x-fields-of").or_else(|| plain.schema.text("x-fields-of"));
        let wanted = match fields_of {
            Some(of) => Wanted::FieldsOf(of.to_owned()),
            None => plain.schema.wanted(self.text("format"), depth),
        };
        Parameter { wanted, required, nullable: plain.nullable }
    }

    fn wanted(self, format: Option<&str>, depth: usize) -> Wanted {
        if depth > 16 {
            return Wanted::Open;
        }
        if let Some(words) = self.words() {
            return Wanted::Choice(words);
        }
        match self.kind() {
            Some("string") => match format.or(self.text("format")) {
                Some(format) => wanted_text(format),
                None => Wanted::Text,
            },
            Some("integer") => Wanted::Number {
                whole: true,
                least: self.bound("minimum"),
                most: self.bound("maximum"),
            },
            Some("number") => Wanted::Number {
                whole: false,
                least: self.bound("minimum"),
                most: self.bound("maximum"),
            },
            Some("boolean") => Wanted::YesNo,
            Some("array") => {
                let items = self
                    .get("items")
                    .map_or(Wanted::Open, |items| self.at(items).parameter(true, depth + 1).wanted);
                Wanted::List(Box::new(items))
            }
            Some("object") => match self.properties() {
                Some(properties) if !properties.is_empty() => Wanted::Map(
                    properties
                        .iter()
                        .map(|(name, part)| {
                            (name.clone(), self.at(part).parameter(self.requires(name), depth + 1))
                        })
                        .collect(),
                ),
                _ => Wanted::Open,
            },
            _ => match format.or(self.text("format")) {
                Some(format) => wanted_text(format),
                None => Wanted::Open,
            },
        }
    }

    fn slot(self, depth: usize) -> Slot {
        let plain = self.plain(depth);
        let schema = plain.schema;
        if depth > 16 {
            return Slot::maybe(Type::Any);
        }
        let format = self.text("format").or_else(|| schema.text("format"));
        let kind = if let Some(words) = schema.words() {
            Type::Choice(words)
        } else {
            match schema.kind() {
                Some("string") => format.map_or(Type::Text, type_of_text),
                Some("integer" | "number") => Type::Number,
                Some("boolean") => Type::YesNo,
                Some("null") => Type::Nothing,
                Some("array") => {
                    let items = schema
                        .get("items")
                        .map_or(Slot::maybe(Type::Any), |items| schema.at(items).slot(depth + 1));
                    Type::List(Box::new(items))
                }
                Some("object") => schema.properties().map_or(Type::Any, |properties| {
                    Type::Map(
                        properties
                            .iter()
                            .map(|(name, part)| {
                                let mut slot = schema.at(part).slot(depth + 1);
                                slot.optional |= !schema.requires(name);
                                (name.clone(), slot)
                            })
                            .collect(),
                    )
                }),
                _ => Type::Any,
            }
        };
        // Of what the schema leaves open nothing is known, not even that it
        // may be empty.
        let optional = plain.nullable && kind != Type::Any;
        Slot { kind, optional }
    }
}

fn objects_of(format: &str) -> Option<Vec<String>> {
    if format == "record" {
        return Some(Vec::new());
    }
    format.strip_prefix("record/").map(|objects| objects.split('|').map(str::to_owned).collect())
}

fn wanted_text(format: &str) -> Wanted {
    if let Some(objects) = objects_of(format) {
        return Wanted::Record(objects);
    }
    match format {
        "template" => Wanted::Template,
        "object" => Wanted::Object,
        "due" => Wanted::Due,
        "duration" => Wanted::Duration,
        "date-time" | "time" => Wanted::Time,
        "date" => Wanted::Date,
        "money" => Wanted::Money,
        _ => Wanted::Text,
    }
}

fn type_of_text(format: &str) -> Type {
    if let Some(objects) = objects_of(format) {
        return Type::Record(objects);
    }
    match format {
        "date-time" | "time" | "due" => Type::Time,
        "date" => Type::Date,
        "duration" => Type::Duration,
        "money" => Type::Money,
        _ => Type::Text,
    }
}

/// The arguments of an action, by name.
pub(crate) fn parameters(input: &Json) -> BTreeMap<String, Parameter> {
    let schema = Schema { root: input, here: input }.plain(0).schema;
    let Some(properties) = schema.properties() else { return BTreeMap::new() };
    properties
        .iter()
        .map(|(name, part)| (name.clone(), schema.at(part).parameter(schema.requires(name), 0)))
        .collect()
}

/// What the schema of an argument says against a value that is written out,
/// beside its type: how long a text or a list may be, and of which steps a
/// number is made.
pub(crate) fn broken_bound(input: &Json, argument: &str, value: &Value) -> Option<String> {
    let schema = Schema { root: input, here: input }.plain(0).schema;
    let schema = schema.at(schema.properties()?.get(argument)?).plain(0).schema;
    let count = |key: &str| schema.get(key).and_then(Json::as_u64);
    let sized = |size: usize, least: &str, most: &str, unit: &str| {
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        let too_few = count(least).filter(|least| size < *least);
        let too_many = count(most).filter(|most| size > *most);
        too_few
            .map(|least| format!("has {least} {unit}{} at least, not {size}", plural(least)))
            .or(too_many
                .map(|most| format!("has {most} {unit}{} at most, not {size}", plural(most))))
    };
    match value {
        Value::Text(text) => sized(text.chars().count(), "minLength", "maxLength", "letter"),
        Value::List(items) => sized(items.len(), "minItems", "maxItems", "value"),
        Value::Number(number) => {
            let above = schema.bound("exclusiveMinimum").filter(|bound| number <= bound);
            let below = schema.bound("exclusiveMaximum").filter(|bound| number >= bound);
            let step = schema
                .bound("multipleOf")
                .filter(|step| number.checked_rem(*step).is_some_and(|rest| !rest.is_zero()));
            above
                .map(|bound| format!("is more than {bound}, not {number}"))
                .or(below.map(|bound| format!("is less than {bound}, not {number}")))
                .or(step.map(|step| format!("is a multiple of {step}, not {number}")))
        }
        _ => None,
    }
}

/// Whether an action takes names beside those that its schema lists.
pub(crate) fn is_open(input: &Json) -> bool {
    input.get("additionalProperties").is_some_and(|more| more != &Json::Bool(false))
        || Schema { root: input, here: input }.plain(0).schema.properties().is_none()
}

/// The type of an action's result. `record/{object}` is a record of what the
/// argument `object` names, where that is written out.
pub(crate) fn result(output: &Json, arguments: &BTreeMap<&str, Option<&str>>) -> Type {
    let mut kind = Schema { root: output, here: output }.slot(0).kind;
    fill_in(&mut kind, arguments);
    kind
}

fn fill_in(kind: &mut Type, arguments: &BTreeMap<&str, Option<&str>>) {
    match kind {
        Type::Record(objects) => {
            for object in objects.iter_mut() {
                let name = object.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
                let Some(name) = name else { continue };
                match arguments.get(name) {
                    Some(Some(argument)) => *object = (*argument).to_owned(),
                    // What is wrong with it is told there.
                    Some(None) => {
                        *kind = Type::Any;
                        return;
                    }
                    // Of any object, then.
                    None => return objects.clear(),
                }
            }
        }
        Type::List(items) => fill_in(&mut items.kind, arguments),
        Type::Map(parts) => {
            parts.values_mut().for_each(|part| fill_in(&mut part.kind, arguments));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_schemars_writes_is_understood() {
        let input = json!({
            "type": "object",
            "required": ["to", "prefer", "set"],
            "properties": {
                "to": { "type": "string", "format": "record/user|queue" },
                "record": { "type": ["string", "null"], "format": "record" },
                "max": { "type": ["integer", "null"], "format": "uint32", "minimum": 0 },
                "prefer": { "$ref": "#/$defs/Prefer" },
                "due": { "anyOf": [{ "type": "string", "format": "due" }, { "type": "null" }] },
                "about": { "anyOf": [{ "type": "string", "format": "record" }, { "type": "null" }], "format": "record/ticket" },
                "set": { "type": "object", "x-fields-of": "record" },
                "skills": { "type": "array", "items": { "type": "string" } },
            },
            "$defs": { "Prefer": { "oneOf": [{ "const": "senior", "type": "string" }, { "const": "any" }] } },
        });
        let parameters = parameters(&input);
        let said = |name: &str| {
            let parameter = &parameters[name];
            (parameter.wanted.describe(), parameter.required, parameter.nullable)
        };
        assert_eq!(said("to"), ("a record of user or queue".to_owned(), true, false));
        assert_eq!(said("record"), ("a record".to_owned(), false, true));
        assert_eq!(said("max"), ("a whole number".to_owned(), false, true));
        assert_eq!(said("prefer"), ("one of senior, any".to_owned(), true, false));
        // What is said outside is nearer to the author than the type's own.
        assert_eq!(said("about"), ("a record of ticket".to_owned(), false, true));
        assert_eq!(parameters["due"].wanted, Wanted::Due);
        assert!(parameters["due"].nullable);
        assert_eq!(parameters["set"].wanted, Wanted::FieldsOf("record".to_owned()));
        assert_eq!(parameters["skills"].wanted, Wanted::List(Box::new(Wanted::Text)));
    }

    #[test]
    fn bounds_of_a_schema_are_told_in_words() {
        let input = json!({
            "type": "object",
            "properties": {
                "code": { "type": "string", "minLength": 2, "maxLength": 4 },
                "skills": { "type": ["array", "null"], "minItems": 1, "items": { "type": "string" } },
                "share": { "$ref": "#/$defs/Share" },
            },
            "$defs": { "Share": { "type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5 } },
        });
        let said = |argument: &str, value: Value| broken_bound(&input, argument, &value);
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(said("code", text("x")).as_deref(), Some("has 2 letters at least, not 1"));
        assert_eq!(said("code", text("überall")).as_deref(), Some("has 4 letters at most, not 7"));
        assert_eq!(said("code", text("abc")), None);
        let none = Value::List(Vec::new());
        assert_eq!(said("skills", none).as_deref(), Some("has 1 value at least, not 0"));
        let number = |number: &str| Value::Number(number.parse().unwrap());
        assert_eq!(said("share", number("0")).as_deref(), Some("is more than 0, not 0"));
        assert_eq!(said("share", number("0.7")).as_deref(), Some("is a multiple of 0.5, not 0.7"));
        assert_eq!(said("share", number("1.5")), None);
        assert_eq!(said("unknown", number("1")), None);
    }

    #[test]
    fn results_know_what_may_be_empty() {
        let output = json!({
            "type": "object",
            "required": ["user", "label"],
            "properties": {
                "user": { "type": "string", "format": "record/user" },
                "label": { "enum": ["positive", "negative"] },
                "why": { "type": ["string", "null"] },
                "candidates": { "type": "array", "items": { "type": "object", "properties": { "at": { "type": "string", "format": "date-time" } } } },
            },
        });
        let Type::Map(parts) = result(&output, &BTreeMap::new()) else { panic!() };
        assert_eq!(parts["user"], Slot::of(Type::Record(vec!["user".to_owned()])));
        assert_eq!(parts["label"].kind.describe(), "one of positive, negative");
        assert_eq!(parts["why"], Slot::maybe(Type::Text));
        assert!(matches!(&parts["candidates"].kind, Type::List(items)
            if matches!(&items.kind, Type::Map(parts) if parts["at"] == Slot::maybe(Type::Time))));
    }

    #[test]
    fn a_result_may_be_of_what_an_argument_names() {
        let output = json!({
            "type": "object",
            "required": ["records"],
            "properties": {
                "records": { "type": "array", "items": { "type": "string", "format": "record/{object}" } },
            },
        });
        let records = |arguments: &[(&'static str, Option<&'static str>)]| {
            let Type::Map(parts) = result(&output, &arguments.iter().copied().collect()) else {
                panic!()
            };
            parts["records"].kind.clone()
        };
        let list = |objects: &[&str]| {
            let objects = objects.iter().map(|object| (*object).to_owned()).collect();
            Type::List(Box::new(Slot::of(Type::Record(objects))))
        };
        assert_eq!(records(&[("object", Some("contact"))]), list(&["contact"]));
        assert_eq!(records(&[]), list(&[]));
        let open = Type::List(Box::new(Slot::of(Type::Any)));
        assert_eq!(records(&[("object", None)]), open);
    }
}
