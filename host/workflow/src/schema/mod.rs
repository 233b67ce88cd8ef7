//! The language as JSON Schema (draft-07, which the editors' YAML servers
//! read): for completion and help while a file is written. What the checker
//! takes, the schema takes too; the other way round, the checker knows more.

pub(crate) mod language;
mod tests_file;
mod values;

use serde_json::{Map, Value as Json, json};

use crate::{catalog::Catalog, formula::functions::FUNCTIONS, read::parameters};
use language::{Block, Form, Key, Sort};

pub use tests_file::test_schema;
pub(crate) use values::{ZONES, documentation, field_documentation};

/// The schema of workflow files (`*.yaml`), with what the catalog knows:
/// objects and their fields, actions and their arguments, templates,
/// segments, calendars, roles, other workflows.
#[must_use]
pub fn workflow_schema(catalog: &Catalog) -> Json {
    let writer = Writer { catalog };
    let mut definitions = values::definitions(catalog);
    for (name, block) in [
        ("trigger", Block::Trigger),
        ("repeat", Block::Repeat),
        ("stop_when", Block::StopWhen),
        ("limit", Block::Limit),
        ("row", Block::Row),
        ("awaited", Block::Awaited),
        ("fallback", Block::Fallback),
        ("input", Block::Input),
        ("side", Block::Side),
        ("step", Block::Step),
        ("level", Block::Level),
    ] {
        definitions.insert(name.to_owned(), writer.block(block));
    }
    definitions.insert("steps".to_owned(), json!({ "type": "array", "items": reference("step") }));
    definitions.insert("formula".to_owned(), formula());
    for signature in catalog.actions.values() {
        definitions.insert(action_name(&signature.name), writer.arguments(signature));
    }
    let mut root = writer.block(Block::Workflow);
    root["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    root["title"] = json!("Relata workflow");
    root["description"] = json!(
        "What starts it stands under `when`, what it does under `steps`. A value that begins with `=` is a formula; {{ }} puts a value into text."
    );
    root["anyOf"] = json!([{ "required": ["workflow"] }, { "required": ["blueprint"] }]);
    root["definitions"] = Json::Object(definitions);
    without_doubles(&mut root);
    root
}

/// Takes out what an enumeration has twice, which JSON Schema forbids: a role
/// may be called as a team is, a key stand in two tables.
fn without_doubles(schema: &mut Json) {
    match schema {
        Json::Object(map) => {
            if let Some(Json::Array(words)) = map.get_mut("enum") {
                let mut seen = Vec::new();
                words.retain(|word| {
                    let is_new = !seen.contains(word);
                    seen.push(word.clone());
                    is_new
                });
            }
            map.values_mut().for_each(without_doubles);
        }
        Json::Array(items) => items.iter_mut().for_each(without_doubles),
        _ => {}
    }
}

/// `#/definitions/steps`
fn reference(name: &str) -> Json {
    json!({ "$ref": format!("#/definitions/{name}") })
}

/// Where the arguments of an action are defined. A `/` would end the name.
fn action_name(action: &str) -> String {
    format!("do:{action}")
}

/// That a block has this key, with this behind it. An editor asks this of a
/// block that is still empty, too, of which it must not hold.
fn case(key: &str, value: Json) -> Json {
    json!({ "type": "object", "properties": { key: value }, "required": [key] })
}

/// What a formula is, with its functions.
fn formula() -> Json {
    let functions: Vec<String> = FUNCTIONS
        .iter()
        .map(|function| {
            let parameters: Vec<&str> =
                function.parameters.iter().map(|parameter| parameter.name).collect();
            let (example, _) = function.examples[0];
            format!(
                "- `{}({})`: {} For instance `{example}`.",
                function.name,
                parameters.join(", "),
                function.doc
            )
        })
        .collect();
    let plain =
        "A formula begins with `=`: `=lead.owner`. Text may hold values: `{{ lead.name }}`.";
    let mut schema = json!({ "type": "string", "pattern": "^=|\\{\\{" });
    described(&mut schema, plain, &format!("{plain}\n\nFunctions:\n\n{}", functions.join("\n")));
    schema
}

/// Puts a description into a schema: plainly, and as Markdown.
fn described(schema: &mut Json, plain: &str, markdown: &str) {
    if let Json::Object(schema) = schema {
        schema.insert("description".to_owned(), json!(plain.replace('`', "")));
        schema.insert("markdownDescription".to_owned(), json!(markdown));
    }
}

struct Writer<'a> {
    catalog: &'a Catalog,
}

impl Writer<'_> {
    /// A key's value with its description. A reference would hide what stands
    /// beside it, so it goes into an `allOf`.
    fn key(&self, key: &Key) -> Json {
        let mut schema = self.form(key.form);
        if schema.get("$ref").is_some() {
            schema = json!({ "allOf": [schema] });
        }
        described(&mut schema, key.doc, key.doc);
        schema
    }

    fn properties<'k>(&self, keys: impl Iterator<Item = &'k Key>) -> Map<String, Json> {
        keys.map(|key| (key.name.to_owned(), self.key(key))).collect()
    }

    /// A block of keys.
    fn block(&self, block: Block) -> Json {
        let keys = block.keys();
        let sorts = block.sorts();
        let required: Vec<&str> =
            keys.iter().filter(|key| key.required).map(|key| key.name).collect();
        let mut properties = self.properties(keys.iter());
        if sorts.is_empty() {
            return json!({
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": false,
            });
        }
        let mut cases = Vec::new();
        for sort in sorts {
            properties.insert(sort.key.name.to_owned(), self.sort_key(&sort.key));
            cases.push(self.sort(block, sort));
        }
        let named: Vec<Json> =
            sorts.iter().map(|sort| json!({ "required": [sort.key.name] })).collect();
        let mut schema = json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "allOf": cases,
        });
        // A level may have `steps:` in place of one.
        if block != Block::Level {
            schema["anyOf"] = Json::Array(named);
        }
        schema
    }

    /// The key that says what sort a block is. `set` is a step, and an
    /// argument of `do: crm.update`; what it takes is said where that is
    /// known.
    fn sort_key(&self, key: &Key) -> Json {
        if key.name == "set" {
            let mut schema = json!({ "type": ["object", "string"] });
            described(&mut schema, key.doc, key.doc);
            return schema;
        }
        self.key(key)
    }

    /// What goes with one sort of a block.
    fn sort(&self, block: Block, sort: &Sort) -> Json {
        let own = block.keys().iter().chain(std::iter::once(&sort.key)).chain(sort.others);
        let names: Vec<&str> = own.map(|key| key.name).collect();
        let required: Vec<&str> =
            sort.others.iter().filter(|key| key.required).map(|key| key.name).collect();
        let mut then = json!({
            "properties": self.properties(sort.others.iter()),
            "required": required,
        });
        if sort.key.name == "do" && !self.catalog.actions.is_empty() {
            then["allOf"] = Json::Array(
                self.catalog
                    .actions
                    .keys()
                    .map(|action| {
                        json!({
                            "if": case("do", json!({ "const": action })),
                            "then": reference(&action_name(action)),
                        })
                    })
                    .collect(),
            );
        } else if sort.key.name != "do" {
            then["propertyNames"] = json!({ "enum": names });
        }
        let mut when = case(sort.key.name, json!({}));
        if sort.key.name == "set" {
            when["not"] = json!({ "required": ["do"] });
            then["properties"]["set"] = self.key(&sort.key);
        }
        json!({ "if": when, "then": then })
    }

    /// The arguments of an action.
    fn arguments(&self, signature: &crate::ActionSignature) -> Json {
        let parameters = parameters(&signature.input);
        let mut properties = Map::new();
        for (name, parameter) in &parameters {
            let mut schema = values::parameter(parameter, self.catalog);
            let doc = values::documentation(&signature.input, name, parameter);
            if schema.get("$ref").is_some() {
                schema = json!({ "allOf": [schema] });
            }
            described(&mut schema, &doc, &doc);
            properties.insert(name.clone(), schema);
        }
        let required: Vec<&String> = parameters
            .iter()
            .filter(|(_, parameter)| parameter.required)
            .map(|(name, _)| name)
            .collect();
        let mut schema = json!({
            "title": signature.title,
            "properties": properties,
            "required": required,
        });
        if !crate::read::takes_any(&signature.input) {
            let names: Vec<&str> = parameters
                .keys()
                .map(String::as_str)
                .chain(["do", "as", "retry", "if_it_fails", "if_unknown", "may", "at"])
                .collect();
            schema["propertyNames"] = json!({ "enum": names });
        }
        values::fields_by_record(&mut schema, &parameters, self.catalog);
        schema
    }

    /// What a key takes.
    fn form(&self, form: Form) -> Json {
        let catalog = self.catalog;
        match form {
            Form::Text
            | Form::FileName
            | Form::ResultName
            | Form::StepName
            | Form::Phrase
            | Form::Cron
            | Form::Secret => values::text(),
            Form::Words(words) => json!({
                "anyOf": [
                    {
                        "enum": words.iter().map(|word| word.0).collect::<Vec<_>>(),
                        "enumDescriptions": words.iter().map(|word| word.1).collect::<Vec<_>>(),
                    },
                    reference("placeholder"),
                ],
            }),
            Form::YesNo => {
                json!({ "anyOf": [{ "type": "boolean" }, { "enum": ["yes", "no", "true", "false"] }, reference("placeholder")] })
            }
            Form::Count(least, most) => {
                json!({ "anyOf": [{ "type": "integer", "minimum": least, "maximum": most }, reference("placeholder")] })
            }
            Form::Record(object) => values::keyed(object, catalog),
            Form::Records(object) => {
                let one = values::keyed(object, catalog);
                json!({ "anyOf": [{ "type": "array", "items": one }, one] })
            }
            Form::Owner => {
                let teams = catalog.records.get("team").into_iter().flatten();
                values::suggested(catalog.roles.iter().chain(teams))
            }
            Form::Asked => values::suggested(catalog.roles.iter()),
            Form::Condition | Form::Formula => {
                json!({ "type": ["string", "boolean", "number"] })
            }
            Form::Conditions => {
                let one = self.form(Form::Condition);
                json!({ "anyOf": [{ "type": "array", "items": one }, one] })
            }
            Form::ListFormula => json!({ "type": "string", "pattern": "^=|\\{\\{" }),
            Form::Duration | Form::Due => {
                json!({ "anyOf": [{ "type": "string", "pattern": "[0-9]" }, reference("formula")] })
            }
            Form::AgainAfter => {
                json!({ "anyOf": [{ "const": "never" }, { "type": "string", "pattern": "[0-9]" }, reference("formula")] })
            }
            Form::Share => {
                json!({ "anyOf": [{ "type": "string", "pattern": "%$" }, reference("placeholder")] })
            }
            Form::Per(units) => {
                let pattern = format!(" per +({})", units.join("|"));
                json!({ "anyOf": [{ "type": "string", "pattern": pattern }, reference("placeholder")] })
            }
            Form::Retry => json!({
                "anyOf": [
                    { "enum": ["3 times", "never"] },
                    { "type": "string", "pattern": " times?( *,.*)?$" },
                    reference("placeholder"),
                ],
            }),
            Form::Object => values::objects(catalog),
            Form::Change => values::changes(catalog),
            Form::ChangeOf => values::text(),
            Form::Event => {
                let events: Vec<String> =
                    catalog.objects.event_names().map(str::to_owned).collect();
                json!({ "anyOf": [values::words(&events), reference("placeholder")] })
            }
            Form::Zone => values::suggested(values::ZONES.iter()),
            Form::Workflow => values::suggested(catalog.workflows.keys()),
            Form::Blueprint => values::suggested(catalog.blueprints.keys()),
            Form::Action => self.actions(),
            Form::Value => json!({}),
            Form::FieldValues => json!({}),
            Form::List => json!({}),
            Form::Values => json!({ "type": "object" }),
            Form::With => json!({ "type": "object" }),
            Form::InputType => self.input_type(),
            Form::Inputs => json!({
                "type": "object",
                "additionalProperties": {
                    // A workflow that is made of a blueprint gives values here.
                    "anyOf": [self.input_type(), reference("input"), {}],
                },
            }),
            Form::Arms => {
                json!({ "type": "object", "additionalProperties": self.form(Form::Share) })
            }
            Form::Steps => reference("steps"),
            Form::Block(block) => reference(name_of(block)),
            Form::Blocks(block) => {
                let one = reference(name_of(block));
                json!({ "anyOf": [{ "type": "array", "items": one }, one] })
            }
        }
    }

    fn actions(&self) -> Json {
        if self.catalog.actions.is_empty() {
            return values::text();
        }
        let titles: Vec<&str> =
            self.catalog.actions.values().map(|action| action.title.as_str()).collect();
        json!({
            "anyOf": [
                {
                    "enum": self.catalog.actions.keys().collect::<Vec<_>>(),
                    "enumDescriptions": titles,
                    "markdownEnumDescriptions": titles,
                },
                reference("placeholder"),
            ],
        })
    }

    fn input_type(&self) -> Json {
        let plain = [
            "text",
            "number",
            "yes/no",
            "date",
            "time",
            "duration",
            "money",
            "record",
            "list of text",
        ];
        let objects = self.catalog.objects.names();
        let all: Vec<&str> = plain.into_iter().chain(objects).collect();
        json!({
            "anyOf": [
                { "enum": all },
                { "type": "string", "pattern": "^list of " },
                { "type": "array" },
                reference("placeholder"),
            ],
        })
    }
}

const fn name_of(block: Block) -> &'static str {
    match block {
        // The file itself is never within another block.
        Block::Workflow | Block::Step => "step",
        Block::Trigger => "trigger",
        Block::Repeat => "repeat",
        Block::StopWhen => "stop_when",
        Block::Limit => "limit",
        Block::Row => "row",
        Block::Level => "level",
        Block::Awaited => "awaited",
        Block::Fallback => "fallback",
        Block::Input => "input",
        Block::Side => "side",
    }
}
