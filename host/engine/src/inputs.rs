//! What a run is given: read by the types of the workflow's inputs.

use std::collections::BTreeMap;

use relata_model::{FieldError, FieldType, Reference, Value};
use relata_workflow::{Definition, Slot, Type};

/// The workflow's inputs among what is given, by name, each of its type: a
/// reference that came as text (from JSON) becomes one. Those that are left
/// out are missing; a run has their defaults. What is no input of the
/// workflow is passed over: the body of a webhook has more than that.
///
/// # Errors
///
/// An error for each input that has to be given and is not, and for each
/// value that is not of the input's type.
pub fn read_inputs(
    def: &Definition,
    given: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>, Vec<FieldError>> {
    let mut inputs = BTreeMap::new();
    let mut errors = Vec::new();
    for input in &def.inputs {
        match given.get(&input.name).filter(|value| !value.is_nothing()) {
            None if input.is_required() => {
                let why = format!("is missing; it takes {}", input.slot.kind.describe());
                errors.push(FieldError::new(&input.name, why));
            }
            None => {}
            Some(value) => match read(&input.slot.kind, value) {
                Ok(value) => {
                    inputs.insert(input.name.clone(), value);
                }
                Err(why) => errors.push(FieldError::new(&input.name, why)),
            },
        }
    }
    if errors.is_empty() { Ok(inputs) } else { Err(errors) }
}

/// The same in a sentence.
pub(crate) fn read_or_say(
    def: &Definition,
    given: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>, String> {
    read_inputs(def, given).map_err(|errors| {
        let errors: Vec<_> = errors.iter().map(|error| format!("input {error}")).collect();
        errors.join("; ")
    })
}

/// The values that a run begins with: its inputs and its subject.
pub(crate) fn variables(
    def: &Definition,
    mut given: BTreeMap<String, Value>,
    subject: Option<&Reference>,
) -> BTreeMap<String, Value> {
    let mut variables = BTreeMap::new();
    for input in &def.inputs {
        let value = given.remove(&input.name).filter(|value| !value.is_nothing());
        if let Some(value) = value.or_else(|| input.default.clone()) {
            variables.insert(input.name.clone(), value);
        }
    }
    if let Some(subject) = subject {
        let name = def.subject.as_ref().unwrap_or(&subject.object);
        variables.insert(name.clone(), Value::Reference(subject.clone()));
    }
    variables
}

/// A value as one of a type; the error says what is wrong with it.
fn read(kind: &Type, value: &Value) -> Result<Value, String> {
    if is_of(kind, value) {
        return Ok(value.clone());
    }
    if let (Type::List(items), Value::List(values)) = (kind, value) {
        let items = values.iter().zip(1..).map(|(value, number)| {
            read_slot(items, value).map_err(|why| format!("item {number} {why}"))
        });
        return items.collect::<Result<_, _>>().map(Value::List);
    }
    if let (Type::Map(parts), Value::Map(values)) = (kind, value) {
        let mut read = values.clone();
        for (name, slot) in parts {
            let part = values.get(name).unwrap_or(&Value::Nothing);
            let part = read_slot(slot, part).map_err(|why| format!("`{name}` {why}"))?;
            read.insert(name.clone(), part);
        }
        return Ok(Value::Map(read));
    }
    match field_type(kind) {
        Some(field) => field.read(&value.to_json()),
        None => Err(format!("takes {}, not `{}`", kind.describe(), value.to_json())),
    }
}

pub(crate) fn read_slot(slot: &Slot, value: &Value) -> Result<Value, String> {
    match value {
        Value::Nothing if slot.optional => Ok(Value::Nothing),
        value => read(&slot.kind, value),
    }
}

/// A value as one of a type, as far as it is one.
pub(crate) fn read_plainly(kind: &Type, value: &Value) -> Value {
    if is_of(kind, value) { value.clone() } else { kind.read(&value.to_json()) }
}

/// Whether a value is of a type as it stands.
fn is_of(kind: &Type, value: &Value) -> bool {
    let fits = |slot: &Slot, value: &Value| match value {
        Value::Nothing => slot.optional,
        value => is_of(&slot.kind, value),
    };
    match (kind, value) {
        (Type::Any, _)
        | (Type::Nothing, Value::Nothing)
        | (Type::Text, Value::Text(_))
        | (Type::Number, Value::Number(_))
        | (Type::YesNo, Value::YesNo(_))
        | (Type::Date, Value::Date(_))
        | (Type::Time, Value::Time(_))
        | (Type::Duration, Value::Duration(_))
        | (Type::Money, Value::Money(_)) => true,
        (Type::Choice(words), Value::Text(word)) => words.contains(word),
        (Type::Record(objects), Value::Reference(record)) => {
            objects.is_empty() || objects.contains(&record.object)
        }
        (Type::List(items), Value::List(values)) => values.iter().all(|value| fits(items, value)),
        (Type::Map(parts), Value::Map(values)) => {
            parts.iter().all(|(name, slot)| fits(slot, values.get(name).unwrap_or(&Value::Nothing)))
        }
        _ => false,
    }
}

/// The type of a field that holds values of this type, by which they are read
/// from JSON.
fn field_type(kind: &Type) -> Option<FieldType> {
    Some(match kind {
        Type::Text => FieldType::LongText,
        Type::Number => FieldType::Number,
        Type::YesNo => FieldType::YesNo,
        Type::Date => FieldType::Date,
        Type::Time => FieldType::Time,
        Type::Duration => FieldType::Duration,
        Type::Money => FieldType::Money,
        Type::Choice(words) => FieldType::Choice(words.clone()),
        Type::Record(objects) => FieldType::Reference(objects.clone()),
        Type::Nothing | Type::List(_) | Type::Map(_) | Type::Any => return None,
    })
}
