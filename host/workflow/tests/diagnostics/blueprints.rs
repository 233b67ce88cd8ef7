//! Blueprints, what is made of them, and files that are read together.

use expect_test::{Expect, expect};
use relata_workflow::{Catalog, Definition, Head, head, parse, parse_all};

use super::{CATALOG, said};

const RENEWAL: &str = "blueprint: renewal
title: \"Remind {{ days }} days before\"
owner: sales-ops
calendar: \"{{ hours }}\"
when:
  - changed: \"{{ object }}.status\"
inputs:
  days: number
  template: text
  object: { type: text, default: lead }
  hours: { type: text, default: sales-hours }
  nudge: { type: list of text, optional: true }
steps:
  - wait: \"{{ days }} days\"
  - do: mail.send
    to: =lead
    template: \"{{ template }}\"
  - do: notify.user
    to: queue/unassigned
    text: \"{{ lead.name }} got {{ template }} after {{ days }} days\"
  - stop_if: days > 30
";

/// Diagnostics, each with its file.
fn said_of(found: &[relata_workflow::Diagnostic]) -> String {
    let lines: Vec<String> = found
        .iter()
        .map(|found| format!("{}:{}", found.file, said(std::slice::from_ref(found))))
        .collect();
    lines.join("\n")
}

fn catalog() -> Catalog {
    let mut catalog = CATALOG.clone();
    catalog
        .blueprints
        .insert("renewal".to_owned(), ("renewal.yaml".to_owned(), RENEWAL.to_owned()));
    catalog
}

/// A workflow that is made of the blueprint, from line 3.
fn instance(more: &str, expected: Expect) -> Option<Definition> {
    let source = format!("workflow: eu\nblueprint: renewal\n{more}");
    let (definition, found) = parse("eu.yaml", &source, &catalog());
    expected.assert_eq(&said_of(&found));
    definition
}

fn blueprint(source: &str, expected: Expect) {
    let (definition, found) = parse("test.yaml", source, &CATALOG);
    assert!(definition.is_none(), "a blueprint has no definition of its own");
    expected.assert_eq(&said(&found));
}

#[test]
fn a_file_says_what_it_is() {
    assert_eq!(head("workflow: a\n"), Some(Head::Workflow("a".to_owned())));
    assert_eq!(head("# of old\nblueprint: a\nsteps: ["), Some(Head::Blueprint("a".to_owned())));
    let made = Head::Instance { workflow: "a".to_owned(), blueprint: "b".to_owned() };
    assert_eq!(head("workflow: a\nblueprint: b\n"), Some(made));
    assert_eq!(head(""), None);
    assert_eq!(head("title: x\n"), None);
}

#[test]
fn a_blueprint_is_checked_by_itself() {
    blueprint(RENEWAL, expect![""]);
    blueprint(
        "blueprint: renewal\nwhen:\n  - created: lead\ninputs:\n  days: number\n  template: txt\n  until: { type: date, default: soon }\nsteps:\n  - wait: \"{{ dayz }} days\"\n  - do: mail.sned\n    to: =lead\n    template: \"{{ template }}\"\n  - stop_if: days == \"x\"\n",
        expect![[r#"
            6:13 R119 there is no type `txt` [did you mean `text`?]
            7:33 R202 `default` takes a day such as 2026-12-24, not the text `soon`
            9:15 R101 nothing is called `dayz` here [did you mean `days`?]
            10:9 R104 there is no action `mail.sned` [did you mean `mail.send`?]
            13:14 R201 a number is never equal to the text "x" [write a number without quotes]"#]],
    );
    // What is not known yet may be anything.
    blueprint(
        "blueprint: a\nwhen:\n  - schedule: daily at 09:00\n    time_zone: \"{{ zone }}\"\ninputs:\n  zone: text\n  object: text\n  team: text\nsteps:\n  - do: crm.find\n    object: \"{{ object }}\"\n    where: { team: \"team/{{ team }}\" }\n    as: found\n  - for_each: =found.records\n    as: one\n    steps:\n      - do: notify.user\n        to: =one\n        text: \"{{ one.name }}\"\n",
        expect![""],
    );
    // Only inputs are filled in before a text is read.
    blueprint(
        "blueprint: a\ncalendar: \"{{ horus }}\"\nowner: \"{{ lead.owner }}\"\nwhen:\n  - created: lead\ninputs:\n  days: number\n  hours: text\nsteps:\n  - wait: \"{{ days + 1 }} days\"\n  - wait: =days\n",
        expect![[r#"
            2:11 R008 `calendar` cannot be computed: it is a text that is written out [did you mean `hours`?]
            3:8 R008 `owner` cannot be computed: it is a text that is written out [only the blueprint's inputs can stand here: days, hours]
            10:11 R202 `wait` takes a point in time, or a duration such as `48 hours`, not text [only the blueprint's inputs can stand here: days, hours]
            11:12 R202 `wait` takes a point in time, or a duration such as `48 hours`, not a number"#]],
    );
    blueprint(
        "blueprint: Renewal!\nsteps: []\n",
        expect![[r#"
        1:1 R007 the workflow does not say what starts it [add `when:` with `- created: lead`, say]
        1:12 R010 `Renewal!` cannot be a blueprint's name [write `renewal`: lower-case letters, digits and -]"#]],
    );
    blueprint(
        "blueprint: a\nwhen:\n  - created: lead\ninputs:\n  lead: text\nsteps:\n  - wait: 1 hour\n",
        expect![
            "2:1 R010 an input is called `lead`, which the workflow is about [give the input another name]"
        ],
    );
    // The inputs of a blueprint are given before anything starts.
    blueprint(
        "blueprint: a\nwhen:\n  - created: lead\ninputs:\n  days: number\nsteps:\n  - set: { days: 3 }\n",
        expect!["7:12 R010 an input is called `days` already [choose another name]"],
    );
}

#[test]
fn a_workflow_is_made_of_it() {
    let definition =
        instance("inputs: { days: 20, template: welcome }\ntitle: For Europe\n", expect![""])
            .unwrap();
    assert_eq!((definition.name.as_str(), definition.title.as_str()), ("eu", "For Europe"));
    assert_eq!(definition.calendar.as_deref(), Some("sales-hours"));
    let constants: Vec<String> =
        definition.constants.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    expect![[r#"
        days: Number(20)
        hours: Text("sales-hours")
        nudge: Nothing
        object: Text("lead")
        template: Text("welcome")"#]]
    .assert_eq(&constants.join("\n"));
    expect!["Wait { duration: Literal(Duration(Duration { months: 0, days: 20, millis: 0, working_days: 0, working_millis: 0 })), resume_in: None }"].assert_eq(&format!("{:?}", definition.steps[0].kind));
    expect![[r#"WorkflowSignature { subject: Some("lead"), inputs: [], outputs: {} }"#]]
        .assert_eq(&format!("{:?}", definition.signature()));
    let definition = instance("inputs: { days: 20, template: welcome }\n", expect![""]).unwrap();
    assert_eq!(definition.title, "Remind 20 days before");
}

#[test]
fn what_it_is_given() {
    instance(
        "",
        expect![[r#"
        eu.yaml:2:12 R206 `renewal` needs the input `days` [add `days:`, which is a number]
        eu.yaml:2:12 R206 `renewal` needs the input `template` [add `template:`, which is text]"#]],
    );
    instance(
        "inputs: { dyas: 20, template: welcome }\n",
        expect!["eu.yaml:3:11 R105 `renewal` has no input `dyas` [did you mean `days`?]"],
    );
    instance(
        "inputs: { days: many, template: =lead.name, nudge: [\"{{ x }}\"], more: 1 }\n",
        expect![[r#"
            eu.yaml:3:17 R202 `days` takes a number, not the text `many`
            eu.yaml:3:33 R008 `template` cannot be computed: it is a value that is written out
            eu.yaml:3:53 R008 `nudge` cannot be computed: it is a value that is written out
            eu.yaml:3:65 R105 `renewal` has no input `more` [known are days, template, object, hours, nudge]"#]],
    );
    instance("inputs: 20\n", expect!["eu.yaml:3:9 R008 `inputs` is a block of `key: value`"]);
    instance(
        "inputs: { days: 20, template: welcome }\nsteps: []\ntitel: x\ncalendar: sales-hours\n",
        expect![[r#"
            eu.yaml:4:1 R006 a workflow that is made of a blueprint has no key `steps` [it stands in the blueprint; give values to its inputs here]
            eu.yaml:5:1 R006 a workflow that is made of a blueprint has no key `titel` [did you mean `title`?]
            eu.yaml:6:1 R006 a workflow that is made of a blueprint has no key `calendar` [it stands in the blueprint; give values to its inputs here]"#]],
    );
    // Wrong only with these values.
    instance(
        "inputs: { days: 2.5, template: welcom, hours: nights }\n",
        expect![[r#"
        renewal.yaml:4:11 R111 there is no calendar `nights`, with the inputs of `eu` [known are marketing-hours, sales-hours, support-hours]
        renewal.yaml:14:11 R202 `wait` takes a point in time, or a duration such as `48 hours`, not the text `2.5 days`, with the inputs of `eu` [write `60 hours`]
        renewal.yaml:17:15 R109 there is no mail template `welcom`, with the inputs of `eu` [did you mean `welcome`?]"#]],
    );
    instance(
        "inputs: { days: 20, template: welcome, object: tikcet }\n",
        expect![
            "renewal.yaml:6:14 R103 there is no object `tikcet`, with the inputs of `eu` [did you mean `ticket`?]"
        ],
    );
    // A value makes no formula of a text.
    instance(
        "inputs: { days: 20, template: welcome, hours: \"\" }\n",
        expect!["renewal.yaml:4:1 R007 `calendar` has no value, with the inputs of `eu`"],
    );
}

#[test]
fn there_is_no_such_blueprint() {
    let (_, found) =
        parse("eu.yaml", "workflow: eu\nblueprint: renewl\ninputs: { days: 20 }\n", &catalog());
    expect!["eu.yaml:2:12 R117 there is no blueprint `renewl` [did you mean `renewal`?]"]
        .assert_eq(&said_of(&found));
    let (_, found) = parse("eu.yaml", "workflow:\nblueprint: renewal\n", &catalog());
    expect![[r#"
        eu.yaml:1:1 R007 `workflow` has no value
        eu.yaml:2:12 R206 `renewal` needs the input `days` [add `days:`, which is a number]
        eu.yaml:2:12 R206 `renewal` needs the input `template` [add `template:`, which is text]"#]]
    .assert_eq(&said_of(&found));
    let (_, found) = parse("eu.yaml", "blueprint:\ninputs: {}\n", &catalog());
    expect![[r#"
        eu.yaml:1:1 R007 `blueprint` has no value
        eu.yaml:1:1 R007 the workflow does not say what starts it [add `when:` with `- created: lead`, say]
        eu.yaml:1:1 R007 the workflow has no steps [add `steps:` with `- do: …`]"#]].assert_eq(&said_of(&found));
    let (_, found) = parse("eu.yaml", "workflow: eu\nblueprint:\n", &catalog());
    expect!["eu.yaml:2:1 R007 `blueprint` has no value"].assert_eq(&said_of(&found));
}

/// Files that are read together.
fn together(files: &[(&str, &str)], expected: Expect) -> Vec<Option<Definition>> {
    let sources: Vec<(String, String)> =
        files.iter().map(|(file, source)| ((*file).to_owned(), (*source).to_owned())).collect();
    let mut lines = Vec::new();
    let mut definitions = Vec::new();
    for ((file, _), (definition, found)) in files.iter().zip(parse_all(&sources, &CATALOG)) {
        let what = if definition.is_some() { "fine" } else { "none" };
        lines.push(format!("{file} {what}\n{}", said_of(&found)).trim_end().to_owned());
        definitions.push(definition);
    }
    expected.assert_eq(&lines.join("\n"));
    definitions
}

const EU: &str = "workflow: eu\nblueprint: renewal\ninputs: { days: 20, template: welcome }\n";

#[test]
fn files_name_each_other() {
    together(
        &[("eu.yaml", EU), ("renewal.yaml", RENEWAL)],
        expect![[r#"
        eu.yaml fine
        renewal.yaml none"#]],
    );
    // Of the errors of a blueprint only its own file tells.
    let broken = RENEWAL.replace("mail.send", "mail.sned");
    together(
        &[("eu.yaml", EU), ("renewal.yaml", &broken)],
        expect![[r#"
        eu.yaml none
        eu.yaml:2:12 R505 the blueprint `renewal` has errors of its own [mend the blueprint first]
        renewal.yaml none
        renewal.yaml:15:9 R104 there is no action `mail.sned` [did you mean `mail.send`?]"#]],
    );
    let usa = EU.replace("eu", "usa").replace("welcome", "welcom");
    together(
        &[("eu.yaml", EU), ("usa.yaml", &usa), ("renewal.yaml", RENEWAL)],
        expect![[r#"
        eu.yaml fine
        usa.yaml none
        renewal.yaml:17:15 R109 there is no mail template `welcom`, with the inputs of `usa` [did you mean `welcome`?]
        renewal.yaml none"#]],
    );
    together(
        &[("a.yaml", RENEWAL), ("b.yaml", RENEWAL)],
        expect![[r#"
        a.yaml none
        b.yaml none
        b.yaml:1:1 R502 the blueprint `renewal` is in a.yaml already [rename one of the two]"#]],
    );
}

#[test]
fn files_run_each_other() {
    let outer = "workflow: outer\nwhen:\n  - created: ticket\nsteps:\n  - run: inner\n    with: { n: 3 }\n    as: it\n  - stop_if: it.twice > 3 and it.word == \"x\"\n";
    let inner = "workflow: inner\ninputs:\n  n: number\nsteps:\n  - set: { word: one }\noutputs:\n  twice: =n * 2\n  word: =word\n";
    let definitions = together(
        &[("outer.yaml", outer), ("inner.yaml", inner)],
        expect![[r#"
        outer.yaml fine
        inner.yaml fine"#]],
    );
    let run = format!("{:?}", definitions[0].as_ref().unwrap().steps[0].kind);
    expect![[r#"Run(SubRun { workflow: "inner", input: [Argument { name: "n", value: Literal(Number(3)), conversion: Plain }], output: Map({"twice": Slot { kind: Number, optional: false }, "word": Slot { kind: Text, optional: false }}), up_to: None, if_it_fails: None })"#]].assert_eq(&run);
    // What is wrong in one is told there alone.
    together(
        &[("outer.yaml", outer), ("inner.yaml", &inner.replace("n * 2", "m * 2"))],
        expect![[r#"
            outer.yaml fine
            inner.yaml none
            inner.yaml:7:11 R101 nothing is called `m` here [known are n, word; for the text, write "m"]"#]],
    );
    together(
        &[("outer.yaml", outer), ("inner.yaml", &inner.replace("n: number", "n: nubmer"))],
        expect![[r#"
            outer.yaml fine
            inner.yaml none
            inner.yaml:3:6 R119 there is no type `nubmer` [did you mean `number`?]"#]],
    );
    together(
        &[("outer.yaml", outer), ("inner.yaml", &inner.replace("  n: number", "  - n"))],
        expect![[r#"
            outer.yaml fine
            inner.yaml none
            inner.yaml:3:3 R008 `inputs` is a block of `key: value`"#]],
    );
    together(
        &[("outer.yaml", outer), ("inner.yaml", &inner.replace("twice: =", "thrice: ="))],
        expect![[r#"
            outer.yaml none
            outer.yaml:8:14 R102 `it` has no part `twice` [did you mean `thrice`?]
            inner.yaml fine"#]],
    );
}

#[test]
fn files_that_run_in_a_circle_are_read_all_the_same() {
    let file = |name: &str, runs: &str| {
        format!(
            "workflow: {name}\ninputs:\n  n: number\nsteps:\n  - run: {runs}\n    with: {{ n: =n }}\n    as: it\noutputs:\n  n: =it.n\n"
        )
    };
    let definitions = together(
        &[("a.yaml", &file("a", "b")), ("b.yaml", &file("b", "c")), ("c.yaml", &file("c", "a"))],
        expect![[r#"
            a.yaml fine
            b.yaml fine
            c.yaml fine"#]],
    );
    let named: Vec<(&Definition, &str)> = definitions
        .iter()
        .flatten()
        .map(|definition| (definition, definition.name.as_str()))
        .collect();
    expect!["a:5:1 R503 these workflows run each other for ever: a -> b -> c -> a [take one of the `run:` steps out]"].assert_eq(&said_of(&relata_workflow::check_together(&named, &CATALOG)));
}
