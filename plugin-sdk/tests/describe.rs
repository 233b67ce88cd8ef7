//! What the host reads of an action: the descriptor and its JSON Schemas.

use expect_test::{Expect, expect};
use relata_plugin_sdk::glue;
use relata_plugin_sdk::prelude::*;

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)] // Only the schema is looked at.
enum Tone {
    Plain,
    Warm,
}

/// Greets somebody by mail.
#[derive(Deserialize, JsonSchema)]
#[allow(dead_code)] // Only the schema is looked at.
struct Input {
    /// Whom to greet.
    #[schemars(extend("format" = "record/contact"))]
    to: Reference,
    manager: Option<Reference>,
    template: Template,
    due_in: Due,
    tone: Option<Tone>,
    #[serde(default)]
    times: u8,
    #[schemars(extend("x-fields-of" = "to"))]
    set: Fields,
}

#[derive(Serialize, JsonSchema)]
struct Word {
    text: String,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    words: Vec<Word>,
}

struct Greet;

impl Action for Greet {
    const ID: &str = "greet";
    const TITLE: &str = "Greet somebody";
    const WRITES: &[&str] = &["contact.name"];
    const EXCLUSIVE: Option<&str> = Some("greet/{to}");
    type Input = Input;
    type Output = Output;

    fn run(_: &Context, input: Input) -> Result<Outcome<Output>> {
        if input.times == 0 {
            return skip("nobody wants a greeting");
        }
        let words = vec![Word { text: format!("hello {}", input.to) }];
        done(Output { words })
    }
}

// The macro must expand outside the SDK as well.
relata_plugin_sdk::plugin!(Greet);

fn check(json: &str, expected: Expect) {
    let value: serde_json::Value = serde_json::from_str(json).expect("a schema is JSON");
    expected.assert_eq(&format!("{value:#}"));
}

#[test]
fn the_descriptor() {
    let descriptor = glue::describe::<Greet>();
    expect![[r#"greet: Greet somebody: Greets somebody by mail.: [] ["contact.name"] Some("greet/{to}") true"#]]
    .assert_eq(&format!(
        "{}: {}: {}: {:?} {:?} {:?} {}",
        descriptor.id,
        descriptor.title,
        descriptor.summary,
        descriptor.reads,
        descriptor.writes,
        descriptor.exclusive,
        descriptor.idempotent
    ));
    check(
        &descriptor.input_schema,
        expect![[r#"
        {
          "additionalProperties": false,
          "properties": {
            "due_in": {
              "format": "due",
              "type": "string"
            },
            "manager": {
              "format": "record",
              "type": [
                "string",
                "null"
              ]
            },
            "set": {
              "type": "object",
              "x-fields-of": "to"
            },
            "template": {
              "format": "template",
              "type": "string"
            },
            "times": {
              "default": 0,
              "format": "uint8",
              "maximum": 255,
              "minimum": 0,
              "type": "integer"
            },
            "to": {
              "description": "Whom to greet.",
              "format": "record/contact",
              "type": "string"
            },
            "tone": {
              "enum": [
                "plain",
                "warm",
                null
              ],
              "type": [
                "string",
                "null"
              ]
            }
          },
          "required": [
            "to",
            "template",
            "due_in",
            "set"
          ],
          "type": "object"
        }"#]],
    );
    check(
        &descriptor.output_schema,
        expect![[r#"
        {
          "properties": {
            "words": {
              "items": {
                "properties": {
                  "text": {
                    "type": "string"
                  }
                },
                "required": [
                  "text"
                ],
                "type": "object"
              },
              "type": "array"
            }
          },
          "required": [
            "words"
          ],
          "type": "object"
        }"#]],
    );
}

fn context() -> glue::Context {
    glue::Context {
        run_id: "run_1".to_owned(),
        step_id: "2".to_owned(),
        attempt: 1,
        idempotency_key: "run_1/2".to_owned(),
        subject: None,
        dry_run: false,
    }
}

#[test]
fn a_call() {
    let input = json!({
        "to": "contact/1", "template": "t", "due_in": "2026-12-24T00:00:00Z", "set": {}
    });
    let outcome = glue::run::<Greet>(context(), &input.to_string());
    expect![[r#"Ok(Outcome::Skip("nobody wants a greeting"))"#]].assert_eq(&format!("{outcome:?}"));
    let mut input = input;
    input["times"] = json!(1);
    let outcome = glue::run::<Greet>(context(), &input.to_string());
    expect![[r#"Ok(Outcome::Done("{\"words\":[{\"text\":\"hello contact/1\"}]}"))"#]]
        .assert_eq(&format!("{outcome:?}"));
}

#[test]
fn a_wrong_input_names_the_action_and_the_place() {
    let error = glue::run::<Greet>(context(), r#"{"to": 7}"#).unwrap_err();
    expect!["Code::Invalid the input does not fit action `greet`: invalid type: integer `7`, expected a string at line 1 column 8"].assert_eq(&format!("{:?} {}", error.code, error.message));
    let error = glue::unknown("great", &["greet"]);
    expect!["this plugin has no action `great`; it has greet"].assert_eq(&error.message);
}
