//! Checks over several workflows at once.

use expect_test::{Expect, expect};
use relata_workflow::{Definition, check_together, parse};

use super::{CATALOG, runs::with, said};

fn check(workflows: &[&Definition], expected: Expect) {
    let named: Vec<(&Definition, &str)> =
        workflows.iter().map(|definition| (*definition, definition.name.as_str())).collect();
    expected.assert_eq(&said(&check_together(&named, &CATALOG)));
}

#[test]
fn workflows_that_start_each_other() {
    let workflow = |name: &str, trigger: &str, set: &str| {
        let source = format!(
            "workflow: {name}\nwhen:\n  - {trigger}\nsteps:\n  - do: crm.update\n    record: =ticket\n    set: {{ {set} }}\n"
        );
        let (definition, found) = parse(&format!("{name}.yaml"), &source, &CATALOG);
        definition.unwrap_or_else(|| panic!("{}", said(&found)))
    };
    let a = workflow("a", "{ changed: ticket.priority, to: urgent }", "category: complaint");
    let b = workflow("b", "{ changed: ticket.category }", "priority: urgent");
    let c = workflow("c", "{ changed: ticket.category }", "priority: low");
    let own = workflow("own", "{ changed: ticket.category }", "category: x");
    check(
        &[&a, &b],
        expect![
            "5:1 warning R501 these workflows may start each other for ever: a -> b -> a [let an `only_if` of one exclude what another writes]"
        ],
    );
    check(&[&a, &c], expect![""]);
    check(&[&own], expect![""]);
    check(
        &[&a, &c, &b, &own],
        expect![[r#"
            5:1 warning R501 these workflows may start each other for ever: a -> b -> a [let an `only_if` of one exclude what another writes]
            5:1 warning R501 these workflows may start each other for ever: a -> own -> b -> a [let an `only_if` of one exclude what another writes]"#]],
    );
    check(&[&a, &a], expect!["1:1 R502 the workflow `a` is in a already [rename one of the two]"]);
}

/// A workflow that is read with what the others say of themselves.
fn workflow(source: &str, others: &[&str]) -> Definition {
    let (definition, found) = parse("test.yaml", source, &with(others));
    definition.unwrap_or_else(|| panic!("{}", said(&found)))
}

#[test]
fn what_it_runs_counts_as_started() {
    let child = "workflow: child\nabout: ticket\nsteps:\n  - do: crm.update\n    record: =ticket\n    set: { category: complaint }\n";
    let parent = "workflow: parent\nwhen:\n  - changed: ticket.category\nsteps:\n  - wait: 1 hour\n  - run: child\n    about: =ticket\n";
    let parent = workflow(parent, &[child]);
    check(
        &[&parent, &workflow(child, &[])],
        expect![
            "6:1 warning R501 these workflows may start each other for ever: parent -> child -> parent [let an `only_if` of one exclude what another writes]"
        ],
    );
}

#[test]
fn workflows_that_run_each_other() {
    let stub = |name: &str| format!("workflow: {name}\ninputs: {{}}\nsteps:\n  - wait: 1 hour\n");
    let runs = |name: &str, other: &str| {
        let source =
            format!("workflow: {name}\ninputs: {{}}\nsteps:\n  - wait: 1 hour\n  - run: {other}\n");
        workflow(&source, &[&stub(other)])
    };
    let (a, b, c) = (runs("a", "b"), runs("b", "c"), runs("c", "a"));
    check(
        &[&a, &b, &c],
        expect![
            "5:1 R503 these workflows run each other for ever: a -> b -> c -> a [take one of the `run:` steps out]"
        ],
    );
    check(&[&a, &b], expect![""]);
    check(
        &[&a, &runs("b", "a"), &c],
        expect![
            "5:1 R503 these workflows run each other for ever: a -> b -> a [take one of the `run:` steps out]"
        ],
    );
}

#[test]
fn what_is_written_in_loops_and_branches_counts() {
    let writer = "workflow: writer\nwhen:\n  - created: ticket\nsteps:\n  - do: crm.find\n    object: ticket\n    as: found\n  - for_each: =found.records\n    as: other\n    steps:\n      - set: { last: =other }\n      - do: crm.update\n        record: =last\n        set: { category: complaint }\n";
    let reader = "workflow: reader\nwhen:\n  - changed: ticket.category\nsteps:\n  - parallel:\n      - steps:\n          - wait: 1 hour\n      - steps:\n          - do: crm.create\n            object: ticket\n            set: { ref: T-1, subject: x }\n";
    check(
        &[&workflow(writer, &[]), &workflow(reader, &[])],
        expect![
            "12:1 warning R501 these workflows may start each other for ever: writer -> reader -> writer [let an `only_if` of one exclude what another writes]"
        ],
    );
}

#[test]
fn two_webhooks_of_one_name() {
    let hook = |name: &str| {
        workflow(
            &format!(
                "workflow: {name}\nwhen:\n  - webhook: shop\n    unsigned: true\nsteps:\n  - wait: 1 hour\n"
            ),
            &[],
        )
    };
    check(
        &[&hook("a"), &hook("b")],
        expect![
            "1:1 R504 the webhook `shop` is in a already [rename one of the two, or run this workflow from the other with `run:`]"
        ],
    );
}
