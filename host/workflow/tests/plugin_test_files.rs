//! Test files of plugins: what is wrong in one, where, and how to mend it; and
//! what is read of one that is right.

use std::{collections::BTreeMap, sync::LazyLock};

use expect_test::{Expect, expect};
use relata_model::{Objects, Value};
use relata_workflow::{
    ActionSignature, Catalog, Diagnostic, PluginTest, parse_plugin_test,
    test_file::plugin::{Ending, Reply},
};
use serde_json::json;

use crate::said::said;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let company = ActionSignature {
        name: "enrich.company".to_owned(),
        title: "Fill in a lead's company".to_owned(),
        summary: String::new(),
        input: json!({
            "type": "object",
            "properties": {
                "lead": { "type": "string", "format": "record/lead" },
                "until": { "type": "string", "format": "due" },
            },
            "required": ["lead"],
            "additionalProperties": false,
        }),
        output: json!({
            "type": "object",
            "properties": {
                "company": { "type": "string" },
                "company_size": { "type": ["integer", "null"] },
            },
        }),
        reads: Vec::new(),
        writes: Vec::new(),
        permissions: None,
        correlation: Vec::new(),
        exclusive: None,
    };
    Catalog {
        objects: Objects::standard(),
        actions: BTreeMap::from([(company.name.clone(), company)]),
        ..Catalog::default()
    }
});

fn read(source: &str) -> (Option<PluginTest>, Vec<Diagnostic>) {
    parse_plugin_test("x.test.yaml", source, "enrich", &CATALOG)
}

fn right(source: &str) -> PluginTest {
    let (test, found) = read(source);
    test.unwrap_or_else(|| panic!("{}", said(&found)))
}

fn wrong(source: &str, expected: Expect) {
    let (test, found) = read(source);
    assert!(test.is_none(), "it is read in spite of its errors");
    expected.assert_eq(&said(&found));
}

/// A file with one case, which ends with these lines.
fn case(lines: &str) -> String {
    let mut file = "plugin: enrich
given:
  lead/anna: { name: Anna, email: anna@brewery.example }
cases:
  - it: works
    call: company
    with: { lead: lead/anna }
"
    .to_owned();
    for line in lines.lines() {
        file.push_str(&format!("    {line}\n"));
    }
    file
}

#[test]
fn what_a_case_says_lies_over_what_the_file_says() {
    let test = right(
        "plugin: enrich
at: 2026-12-14 10:00
seed: 7
given:
  lead/anna: { name: Anna, email: anna@brewery.example }
  user/uwe:
secrets: { token: a, other: b }
state: { looked_up: 3, kept: [1, x] }
cases:
  - it: one
    call: company
    with: { lead: lead/anna, until: 2 hours }
    expect: { done: {} }
  - it: two
    at: 2026-12-15 10:00
    seed: 8
    attempt: 2
    about: lead/bert
    given:
      lead/anna: { company: Anna's own }
      lead/bert: { email: bert@brewery.example }
    secrets: { token: c }
    state: { looked_up: 4 }
    call: enrich.company
    with: { lead: lead/nobody }
    expect: { done: {} }
",
    );
    let [one, two] = &test.cases[..] else { panic!("two cases") };
    assert_eq!(one.at.to_string(), "2026-12-14T10:00:00Z");
    assert_eq!(two.at.to_string(), "2026-12-15T10:00:00Z");
    assert_eq!((one.seed, two.seed), (Some(7), Some(8)));
    assert_eq!((one.attempt, two.attempt), (1, 2));
    let given = |case: usize| {
        let given = test.cases[case].given.iter();
        given
            .map(|given| {
                let fields = given.fields.iter().map(|(name, value)| format!("{name}={value}"));
                format!("{}: {}", given.record, fields.collect::<Vec<_>>().join(", "))
            })
            .collect::<Vec<_>>()
            .join("\n")
    };
    expect![[r#"
        lead/anna: email=anna@brewery.example, name=Anna
        user/uwe: email=uwe@example.com, name=uwe"#]]
    .assert_eq(&given(0));
    // What must not be empty is made up, and never instead of what is given.
    expect![[r#"
        lead/anna: company=Anna's own, email=anna@brewery.example, name=Anna
        user/uwe: email=uwe@example.com, name=uwe
        lead/bert: email=bert@brewery.example, name=bert"#]]
    .assert_eq(&given(1));
    assert_eq!(json!(one.secrets), json!({ "token": "a", "other": "b" }));
    assert_eq!(json!(two.secrets), json!({ "token": "c", "other": "b" }));
    assert_eq!(json!(one.state), json!({ "looked_up": 3, "kept": [1, "x"] }));
    assert_eq!(json!(two.state), json!({ "looked_up": 4, "kept": [1, "x"] }));
    // A time that is given as a duration is what the host makes of it.
    let until = one.input["until"].to_json();
    assert_eq!(until, "2026-12-14T12:00:00Z");
    // It may be the point of a case that a record is not there.
    assert!(matches!(&two.input["lead"], Value::Reference(lead) if lead.key == "nobody"));
    assert_eq!(two.about.as_ref().map(ToString::to_string).as_deref(), Some("lead/bert"));
    assert_eq!(two.action, "company");
}

#[test]
fn what_web_services_answer() {
    let test = right(&case(
        "http:
  - request: GET https://companies.example?domain=a
    headers: { Authorization: contains Bearer }
    answer: { json: { name: Brewery, tags: [a, 1] } }
  - request: POST https://companies.example/v1
    json: { name: Brewery }
    answer: { status: 429, headers: { Retry-After: 30 }, text: \"slow \" }
  - request: GET https://companies.example/v1
    fault: timed_out
expect: { skipped: nothing }",
    ));
    let [first, second, third] = &test.cases[0].web[..] else { panic!("three requests") };
    // The address as it leaves.
    assert_eq!(first.request.url, "https://companies.example/?domain=a");
    assert_eq!(first.request.headers[0].name, "authorization");
    let json_answer = Reply::Answer {
        status: 200,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: r#"{"name":"Brewery","tags":["a",1]}"#.to_owned(),
    };
    assert_eq!(first.reply, json_answer);
    let slow = Reply::Answer {
        status: 429,
        headers: vec![("retry-after".to_owned(), "30".to_owned())],
        body: "slow ".to_owned(),
    };
    assert_eq!(second.reply, slow);
    assert!(second.request.body.is_some());
    assert!(matches!(third.reply, Reply::Fault(_)));
}

#[test]
fn how_calls_end() {
    let ending = |text: &str| {
        let test = right(&case(&format!("expect: {{ {text} }}")));
        test.cases[0].expect.ending.clone().map(|(ending, _)| ending)
    };
    assert!(
        matches!(ending("done: { company: x }"), Some(Ending::Done(parts)) if parts.len() == 1)
    );
    assert!(matches!(ending("skipped: why"), Some(Ending::Skipped(why)) if why == "why"));
    assert!(matches!(ending("panics: src/lib.rs"), Some(Ending::Panics(_))));
    assert!(matches!(
        ending("retry: { after: 2 hours }"),
        Some(Ending::Retry { after: Some(_), .. })
    ));
    let failed = ending("failed: { code: transient, retry_after: 30 seconds }");
    assert!(matches!(
        failed,
        Some(Ending::Failed { code: Some(_), retry_after: Some(_), says: None })
    ));
    assert_eq!(ending("lead/anna: { company: x }"), None);
}

#[test]
fn slips_are_told_with_what_was_meant() {
    wrong("", expect!["1:1 R007 the file is empty [begin with `plugin: enrich`]"]);
    wrong(
        "plugin: enrych\ncases:\n  - it: x\n    call: compny\n    expect: { done: {} }\n",
        expect![[r#"
            1:9 R701 the file tests the plugin `enrych`, and this one is `enrich`
            4:11 R104 `enrich` has no action `compny` [did you mean `company`?]"#]],
    );
    wrong(
        &case("expekt: { done: {} }"),
        expect![[r#"
            5:5 R702 the case expects nothing, so that it could never fail [add `expect:` with `done: { … }`, say]
            8:5 R006 a case has no key `expekt` [did you mean `expect`?]"#]],
    );
    wrong(
        &case("expect: { done: { compny: x }, state: { looked_up: 1 } }\nsecrets: { a: [b] }"),
        expect![[r#"
            8:23 R105 the output has no part `compny` [did you mean `company`?]
            9:19 R008 `a` is a text"#]],
    );
    wrong(
        &case("expect: { failed: { code: transiant, says: x } }"),
        expect!["8:31 R203 no call fails with `transiant` [did you mean `transient`?]"],
    );
    wrong(
        &case("expect: { done: {}, skipped: x, lead/ana: { company: x } }"),
        expect![[r#"
            8:25 R202 a call ends in one way, and not with `done` and `skipped`
            8:37 R112 the test has no record `lead/ana` [did you mean `lead/anna`?]"#]],
    );
    wrong(
        &case("given: { lead/anna: { emial: x } }\nattempt: one\nexpect: { done: {} }"),
        expect![[r#"
            8:27 R102 a lead has no field `emial` [did you mean `email`?]
            9:14 R202 `attempt` is a whole number, not `one`"#]],
    );
}

#[test]
fn slips_in_requests_are_told() {
    wrong(
        &case(
            "http:
  - request: FETCH https://companies.example
    answer: { status: 200 }
  - request: GET companies.example
    fault: slow
  - request: GET https://companies.example
  - request: GET https://companies.example
    anser: { status: 99 }
  - request: GET https://companies.example
    answer: { status: 99, json: {}, text: x }
expect: { done: {} }",
        ),
        expect![[r#"
            9:18 R202 `FETCH https://companies.example` is not a request [write `GET https://api.example.com/v1/companies`]
            11:18 R202 `GET companies.example` is not a request [write `GET https://api.example.com/v1/companies`]
            12:16 R203 `slow` is no fault of a web service [known are timed_out, refused]
            13:9 R007 nobody says what becomes of the request [add `answer: { status: 200, … }`, or `fault: timed_out`]
            14:9 R007 nobody says what becomes of the request [add `answer: { status: 200, … }`, or `fault: timed_out`]
            15:9 R006 an entry of `http` has no key `anser` [did you mean `answer`?]
            17:27 R202 `99` is not a status of HTTP: 200, 404, 429 …"#]],
    );
}

#[test]
fn an_input_must_fit_the_action() {
    wrong(
        "plugin: enrich
cases:
  - it: x
    call: company
    with: { led: lead/anna }
    expect: { done: {} }
",
        expect![[r#"
            5:5 R206 `enrich.company` needs the argument `lead` [add `lead:` to `with:`, which is a record of lead]
            5:13 R105 `enrich.company` takes no `led` [did you mean `lead`?]"#]],
    );
}
