//! Creates, changes and finds records of any object.

use relata_plugin_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct CreateInput {
    /// What to create, such as `lead`.
    #[schemars(extend("format" = "object"))]
    object: String,
    /// Its fields.
    #[schemars(extend("x-fields-of" = "object"))]
    set: Fields,
}

#[derive(Serialize, JsonSchema)]
struct Created {
    /// The new record.
    record: Reference,
}

struct Create;

impl Action for Create {
    const ID: &str = "create";
    const TITLE: &str = "Create a record";
    const SUMMARY: &str = "Creates a record with the given fields; the others take their defaults.";
    const WRITES: &[&str] = &["*"];
    type Input = CreateInput;
    type Output = Created;

    fn run(_: &Context, input: CreateInput) -> Result<Outcome<Created>> {
        let record = records::create(&input.object, &input.set)?;
        done(Created { record: record.reference().clone() })
    }
}

#[derive(Deserialize, JsonSchema)]
struct UpdateInput {
    /// Which record to change.
    record: Reference,
    /// The fields to set; the others stay as they are.
    #[schemars(extend("x-fields-of" = "record"))]
    set: Fields,
}

#[derive(Serialize, JsonSchema)]
struct Updated {
    /// The record.
    record: Reference,
    /// Whether anything was different before.
    changed: bool,
}

struct Update;

impl Action for Update {
    const ID: &str = "update";
    const TITLE: &str = "Change a record";
    const SUMMARY: &str = "Sets the given fields of a record and leaves the others. Setting what \
        is already so changes nothing and starts nothing.";
    const READS: &[&str] = &["*"];
    const WRITES: &[&str] = &["*"];
    type Input = UpdateInput;
    type Output = Updated;

    fn run(_: &Context, input: UpdateInput) -> Result<Outcome<Updated>> {
        let before = records::get(&input.record)?;
        let after = records::update(before.reference(), &input.set)?;
        done(Updated {
            changed: after.revision() != before.revision(),
            record: after.reference().clone(),
        })
    }
}

#[derive(Deserialize, JsonSchema)]
struct UpsertInput {
    /// What to create or change, such as `contact`.
    #[schemars(extend("format" = "object"))]
    object: String,
    /// The field by which a record is found again: `email`. Its value stands
    /// in `set`.
    by: String,
    /// The fields of the record; those that are not named stay as they are.
    #[schemars(extend("x-fields-of" = "object"))]
    set: Fields,
}

#[derive(Serialize, JsonSchema)]
struct Upserted {
    /// The record.
    #[schemars(extend("format" = "record/{object}"))]
    record: Reference,
    /// Whether it is new.
    created: bool,
}

struct Upsert;

impl Action for Upsert {
    const ID: &str = "upsert";
    const TITLE: &str = "Create a record, or change the one that is there";
    const SUMMARY: &str = "Looks for a record with the same value in the field `by`; changes it, or \
        creates it where there is none.";
    const READS: &[&str] = &["*"];
    const WRITES: &[&str] = &["*"];
    // Two that look at once would both find nothing, and both create.
    const EXCLUSIVE: Option<&str> = Some("upsert/{object}");
    type Input = UpsertInput;
    type Output = Upserted;

    fn run(_: &Context, input: UpsertInput) -> Result<Outcome<Upserted>> {
        let value: Option<serde_json::Value> = input.set.get(&input.by)?;
        let Some(value) = value else {
            return Err(Error::invalid(format!(
                "`set` has no value for `{}`, by which the {} would be found again",
                input.by, input.object
            )));
        };
        let found = records::query(&input.object).equal(&input.by, &value).first()?;
        let created = found.is_none();
        let record = match found {
            Some(found) => records::update(found.reference(), &input.set)?,
            None => records::create(&input.object, &input.set)?,
        };
        done(Upserted { record: record.reference().clone(), created })
    }
}

/// How many records a search may yield: a loop takes as many.
const MOST: u64 = 1_000;

#[derive(Deserialize, JsonSchema)]
struct FindInput {
    /// What to look for, such as `contact`.
    #[schemars(extend("format" = "object"))]
    object: String,
    /// The values that its fields must have; a field given as empty must be
    /// empty. All records of the object if left out.
    #[serde(rename = "where", default)]
    #[schemars(extend("x-fields-of" = "some/object"))]
    fields: Fields,
}

#[derive(Serialize, JsonSchema)]
struct Found {
    /// The records, the oldest first.
    #[schemars(extend("items" = { "type": "string", "format": "record/{object}" }))]
    records: Vec<Reference>,
    /// How many there are.
    count: u64,
}

struct Find;

impl Action for Find {
    const ID: &str = "find";
    const TITLE: &str = "Find records";
    const SUMMARY: &str = "Finds the records of an object whose fields have the given values, the \
        oldest first: at most 1,000, and where there are more it fails and says so. For what an \
        `=` cannot say, go through them with `for_each` and `only_if`.";
    const READS: &[&str] = &["*"];
    type Input = FindInput;
    type Output = Found;

    fn run(_: &Context, input: FindInput) -> Result<Outcome<Found>> {
        let count = search(&input)?.count()?;
        if count > MOST {
            return Err(Error::invalid(format!(
                "{count} records of {} match, and {MOST} is the most; name more fields under `where`",
                input.object
            )));
        }
        // Only the references are wanted; one field is the least to read.
        let found = search(&input)?.fields(["created_at"]).all()?;
        let records = found.iter().map(|record| record.reference().clone()).collect();
        done(Found { records, count })
    }
}

#[derive(Serialize, JsonSchema)]
struct Counted {
    /// How many there are.
    count: u64,
}

struct Count;

impl Action for Count {
    const ID: &str = "count";
    const TITLE: &str = "Count records";
    const SUMMARY: &str =
        "Says how many records of an object have the given values in their fields.";
    const READS: &[&str] = &["*"];
    type Input = FindInput;
    type Output = Counted;

    fn run(_: &Context, input: FindInput) -> Result<Outcome<Counted>> {
        done(Counted { count: search(&input)?.count()? })
    }
}

fn search(input: &FindInput) -> Result<records::Query> {
    let mut query = records::query(&input.object);
    for (field, value) in input.fields.clone().into_map() {
        query = match value {
            serde_json::Value::Null => query.is_empty(&field),
            value => query.equal(&field, value),
        };
    }
    Ok(query)
}

relata_plugin_sdk::plugin!(Create, Update, Upsert, Find, Count);
