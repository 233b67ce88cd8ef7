//! Creates and changes records of any object.

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

relata_plugin_sdk::plugin!(Create, Update);
