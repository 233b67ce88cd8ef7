//! `run:` another workflow.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use relata_workflow::{Catalog, Diagnostic, parse};

use super::{CATALOG, said};

const INSPECT: &str = "workflow: inspect-return
about: ticket
inputs:
  item: order
  reason: { type: [late, broken], default: late }
  note: { type: text, optional: true }
steps:
  - wait: 1 hour
outputs:
  accepted: true
  note: =note
  item: =item
";

const REPORT: &str = "workflow: report\ninputs:\n  count: number\nsteps:\n  - wait: 1 hour\n";

/// The catalog, with what other files say of themselves.
pub(crate) fn with(files: &[&str]) -> Catalog {
    let mut catalog = CATALOG.clone();
    for source in files {
        let (definition, found) = parse("other.yaml", source, &catalog);
        let definition = definition.unwrap_or_else(|| panic!("{}", said(&found)));
        catalog.workflows.insert(definition.name.clone(), definition.signature());
    }
    catalog
}

/// Steps of a workflow about a ticket, from line 5.
fn steps(steps: &str, expected: Expect) {
    let source = format!("workflow: test\nwhen:\n  - created: ticket\nsteps:\n{steps}\n");
    let (definition, found) = parse("test.yaml", &source, &with(&[INSPECT, REPORT]));
    assert_eq!(definition.is_none(), found.iter().any(Diagnostic::is_error), "{}", said(&found));
    expected.assert_eq(&said(&found));
}

const ORDERS: &str = "  - do: crm.find\n    object: order\n    as: orders\n  - for_each: =orders.records\n    as: order\n    steps:\n";

#[test]
fn what_it_is_given() {
    let run = |with: &str| {
        format!(
            "{ORDERS}      - run: inspect-return\n        about: =ticket\n        with: {with}\n        as: verdict"
        )
    };
    steps(&run("{ item: =order, reason: broken, note: =ticket.body }"), expect![""]);
    steps(
        &format!(
            "{}\n      - stop_if: verdict.accepted and verdict.note == \"x\" or verdict.item.id == \"x\" or verdict.by is empty",
            run("{ item: =order }")
        ),
        expect!["15:88 R102 `verdict` has no part `by` [known are accepted, item, note]"],
    );
    steps(
        &run("{ item: =ticket, reason: lost, note: x }"),
        expect![[r#"
        13:24 R202 `item` takes a record of order, not a record of ticket
        13:40 R203 `reason` is never `lost` [it is one of late, broken]"#]],
    );
    steps(
        &run("{ itme: =order, reason: }"),
        expect![[r#"
        13:17 R105 `inspect-return` has no input `itme` [did you mean `item`?]
        13:37 R206 `reason` must not be empty"#]],
    );
    steps(
        &run("{ reason: =ticket.subject, note: =order }"),
        expect![[r#"
        11:14 R206 `inspect-return` needs the input `item` [add `item:` under `with:`, which is a record of order]
        13:26 R202 `reason` takes one of late, broken, not text [decide first: `decide:` yields one word of a few]
        13:49 R202 `note` takes text, not a record of order [name one of its fields, or write "{{ … }}"]"#]],
    );
    steps(&run("=order"), expect!["13:15 R008 `with` is a block of `key: value`"]);
    steps(
        &run("{ item: secret/crm-token, note: secret/crm-token }"),
        expect![[r#"
        13:23 R211 `item` takes no secret [only a text that an action is given can be one]
        13:47 R211 `note` takes no secret [only a text that an action is given can be one]"#]],
    );
    steps(
        "  - run: report",
        expect![
            "5:10 R206 `report` needs the input `count` [add `count:` under `with:`, which is a number]"
        ],
    );
    steps(
        "  - run: report\n    with: { count: =ticket.customer.order_count }",
        expect![
            "6:21 R204 `ticket.customer.order_count` may be empty, and `count` needs a value [write `=default(ticket.customer.order_count, 0)`, or test it before: `ticket.customer.order_count is not empty`]"
        ],
    );
}

#[test]
fn what_it_is_about() {
    let run = |about: &str| {
        format!("{ORDERS}      - run: inspect-return\n        with: {{ item: =order }}{about}")
    };
    steps(
        &run(""),
        expect![
            "11:14 R206 the workflow `inspect-return` is about a ticket [add `about: =ticket`]"
        ],
    );
    steps(
        &run("\n        about: =order"),
        expect!["13:17 R202 `about` takes a record of ticket, not a record of order"],
    );
    steps(
        &run("\n        about: =ticket.customer"),
        expect!["13:17 R202 `about` takes a record of ticket, not a record of contact"],
    );
    steps(
        "  - run: report\n    about: =ticket\n    with: { count: 3 }",
        expect!["6:5 R105 the workflow `report` is about no record [leave `about:` out]"],
    );
}

#[test]
fn what_it_yields() {
    let run = "  - run: report\n    with: { count: 3 }\n";
    steps(
        &format!("{run}    as: it\n  - stop_if: it.count > 3"),
        expect!["8:14 R102 `it` has no part `count`"],
    );
    steps(
        &format!(
            "{ORDERS}      - run: inspect-return\n        about: =ticket\n        with: {{ item: =order }}\n        up_to: 2 days\n        if_it_fails: {{ use: {{ accepted: false }} }}\n        as: verdict\n      - stop_if: verdict.accepted and verdict.item.ref == \"x\""
        ),
        expect![""],
    );
    steps(
        &format!("{run}    up_to: 2 working days"),
        expect![
            "7:12 R402 `2 working days` is working time, and no calendar says when that is [name one with `calendar:`]"
        ],
    );
    steps(
        &format!("{run}    up_to: soon\n    if_it_fails: {{}}\n    retry: 3 times"),
        expect![[r#"
        7:12 R202 `up_to` takes a duration such as `48 hours`, not the text `soon`
        8:5 R007 `if_it_fails` needs `use:`
        9:5 R006 `run` has no key `retry` [known are about, as, if_it_fails, run, up_to, with]"#]],
    );
}

#[test]
fn names_of_workflows() {
    steps(
        "  - run: inspect-retrun\n    with: { item: =tikcet }\n    as: verdict\n  - stop_if: verdict.x",
        expect![[r#"
            5:10 R116 there is no workflow `inspect-retrun` [did you mean `inspect-return`?]
            6:20 R101 nothing is called `tikcet` here [did you mean `ticket`?]"#]],
    );
    steps(
        "  - run: =ticket.subject",
        expect!["5:10 R008 `run` cannot be computed: it is a text that is written out"],
    );
    steps(
        "  - run: test",
        expect![
            "5:10 R503 the workflow `test` runs itself, so it would never end [go through a list with `for_each:`, or run another workflow]"
        ],
    );
    steps("  - run:", expect!["5:5 R007 `run` has no value"]);
    let mut catalog = CATALOG.clone();
    catalog.blueprints = BTreeMap::from([("renewal".to_owned(), (String::new(), String::new()))]);
    let source = "workflow: test\ninputs: {}\nsteps:\n  - run: renewal\n";
    expect![
        "4:10 R116 `renewal` is a blueprint, not a workflow [run a workflow that is made of it]"
    ]
    .assert_eq(&said(&parse("test.yaml", source, &catalog).1));
}
