//! What mail templates read, held against what steps give them.

use expect_test::{Expect, expect};
use relata_workflow::{Catalog, Diagnostic, Severity, TemplateSignature, parse};
use serde_json::json;

use crate::catalog;

/// The catalog, with what the templates read and what the actions give them.
fn catalog_with_reads() -> Catalog {
    let mut catalog = catalog::catalog();
    let reads = [
        ("welcome", "welcome", &["to.name", "company"][..], ""),
        ("welcome", "welcome.de", &["to.nmae"], ""),
        ("csat", "csat", &["to.name", "data.question", "data.respnse"], ""),
        ("win-back-reminder", "win-back-reminder", &["to.account.name", "to.phone", "offer"], ""),
        ("win-back-ten_percent", "win-back-ten_percent", &["data.code"], ""),
        (
            "win-back-free_shipping",
            "win-back-free_shipping",
            &["to.phone", "data.code"],
            "{% if to.phone %}{{ to.phone }}{% endif %} {{ data.code | default('-') }}",
        ),
    ];
    for (template, variant, paths, source) in reads {
        let signature: &mut TemplateSignature =
            catalog.template_reads.entry(template.to_owned()).or_default();
        signature.add(variant, source, paths.iter().map(|path| (*path).to_owned()));
    }
    for (action, data) in [
        ("mail.send", json!("data")),
        ("survey.send", json!(["response", "question", "survey", "lowest", "highest"])),
    ] {
        let signature = catalog.actions.get_mut(action).expect("an action of the catalog");
        signature.input["properties"]["template"]["x-template-data"] = data;
    }
    catalog
}

/// Steps of a workflow about a contact, from line 5.
fn check(steps: &str, expected: Expect) {
    let source = format!("workflow: test\nwhen:\n  - created: contact\nsteps:\n{steps}\n");
    let (definition, found) = parse("test.yaml", &source, &catalog_with_reads());
    assert_eq!(definition.is_none(), found.iter().any(Diagnostic::is_error));
    let said = found.iter().map(|found| {
        let severity = if found.severity == Severity::Warning { "warning " } else { "" };
        let help = found.help.as_ref().map_or(String::new(), |help| format!(" [{help}]"));
        let (line, column) = (found.span.line, found.span.column);
        format!("{line}:{column} {severity}{} {}{help}\n", found.code, found.message)
    });
    expected.assert_eq(&said.collect::<String>());
}

#[test]
fn fields_of_the_recipient() {
    check(
        "  - do: mail.send\n    to: =contact\n    template: welcome",
        expect![[r#"
        7:15 R102 the template `welcome.de` reads `to.nmae`, and a contact has no such field [did you mean `name`?]
    "#]],
    );
    check(
        "  - do: mail.send\n    to: =contact\n    template: win-back-reminder",
        expect![[r#"
        7:15 R101 the template `win-back-reminder` reads `offer`, and nothing is called `offer` there [a template reads `to`, `data` and `company`]
        7:15 R102 the template `win-back-reminder` reads `to.account.name`, and a template sees only the record's own fields [give it: `data: { account: =… }`]
        7:15 warning R204 the template `win-back-reminder` reads `to.phone`, which may be empty [ask for it in the template: {% if to.phone %} … {% endif %}]
    "#]],
    );
}

#[test]
fn what_the_step_gives() {
    check(
        "  - do: survey.send\n    to: =contact\n    template: csat",
        expect![[r#"
        7:15 R206 the template `csat` reads `data.respnse`, and this step does not give it [did you mean `response`?]
    "#]],
    );
    check(
        "  - do: mail.send\n    to: =contact\n    template: win-back-ten_percent",
        expect![[r#"
        7:15 R206 the template `win-back-ten_percent` reads `data.code`, and this step does not give it [give it: `data: { code: … }`]
    "#]],
    );
    check(
        "  - do: mail.send\n    to: =contact\n    template: win-back-ten_percent\n    data: { code: A1 }",
        expect![""],
    );
    check(
        "  - do: mail.send\n    to: =contact\n    template: win-back-ten_percent\n    data: { cod: A1 }",
        expect![[r#"
            7:15 R206 the template `win-back-ten_percent` reads `data.code`, and this step does not give it [did you mean `cod`?]
        "#]],
    );
}

/// Asked for first, or given by nobody knows whom: nothing is said.
#[test]
fn what_is_asked_for_first() {
    check("  - do: mail.send\n    to: =contact\n    template: win-back-free_shipping", expect![""]);
}

#[test]
fn every_arm_is_looked_at() {
    check(
        "  - split: offer\n    arms: { ten_percent: 50%, free_shipping: 50% }\n  - do: mail.send\n    to: =contact\n    template: \"win-back-{{ offer }}\"",
        expect![[r#"
            9:15 R206 the template `win-back-ten_percent` reads `data.code`, and this step does not give it [give it: `data: { code: … }`]
        "#]],
    );
}
