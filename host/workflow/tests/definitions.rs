//! What becomes of a workflow without mistakes, in short.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use relata_model::Value;
use relata_workflow::{
    Argument, BlockId, Catalog, Conversion, Definition, Expression, Formula, Piece, Slot, StepKind,
    Type, parse, render,
};

use crate::catalog;

fn check(catalog: &Catalog, source: &str, expected: Expect) -> Definition {
    let (definition, found) = parse("test.yaml", source, catalog);
    assert!(found.is_empty(), "{}", render(&found, source, false));
    let definition = definition.unwrap();
    let stored = serde_json::to_string(&definition).unwrap();
    assert_eq!(serde_json::from_str::<Definition>(&stored).unwrap(), definition);
    for (number, step) in definition.steps.iter().enumerate() {
        assert_eq!(step.id.0 as usize, number);
        let same = definition.steps.iter().filter(|other| other.path == step.path).count();
        assert_eq!(same, 1, "two steps are called {}", step.path);
    }
    expected.assert_eq(&printed(&definition));
    definition
}

fn printed(definition: &Definition) -> String {
    let mut text = String::new();
    for trigger in &definition.triggers {
        writeln!(text, "{trigger:?}").unwrap();
    }
    if let Some(subject) = &definition.subject {
        writeln!(text, "about {subject}").unwrap();
    }
    for input in &definition.inputs {
        let default =
            input.default.as_ref().map_or(String::new(), |value| format!(" = {}", plain(value)));
        writeln!(text, "input {}: {}{default}", input.name, slot(&input.slot)).unwrap();
    }
    block(definition, definition.main, 0, &mut text);
    for (name, id) in [("on_error", definition.on_error), ("finally", definition.finally)] {
        if let Some(id) = id {
            writeln!(text, "{name}").unwrap();
            block(definition, id, 1, &mut text);
        }
    }
    for output in &definition.outputs {
        let value = expression(&output.value);
        writeln!(text, "output {}: {} {value}", output.name, slot(&output.slot)).unwrap();
    }
    text
}

fn block(definition: &Definition, id: BlockId, depth: usize, text: &mut String) {
    for id in definition.block(id) {
        let step = definition.step(*id);
        let name = step.name.as_ref().map_or(String::new(), |name| format!(" as {name}"));
        let (what, blocks) = kind(&step.kind);
        let indent = "  ".repeat(depth);
        writeln!(text, "{indent}{}: {what}{name}", step.path).unwrap();
        for (named, id) in blocks {
            writeln!(text, "{indent}- {named}").unwrap();
            block(definition, id, depth + 1, text);
        }
    }
}

fn kind(kind: &StepKind) -> (String, Vec<(&'static str, BlockId)>) {
    match kind {
        StepKind::Do(call) => (format!("{}({})", call.action, arguments(&call.input)), Vec::new()),
        StepKind::If { condition, then, otherwise } => {
            let mut blocks = vec![("then", *then)];
            blocks.extend(otherwise.map(|block| ("else", block)));
            (format!("if {}", condition.source), blocks)
        }
        StepKind::Wait { duration, .. } => (format!("wait {}", expression(duration)), Vec::new()),
        StepKind::WaitFor(wait) => {
            let up_to = wait
                .up_to
                .as_ref()
                .map_or(String::new(), |up_to| format!(" up to {}", expression(up_to)));
            let since =
                wait.since.as_ref().map_or(String::new(), |since| format!(" since {since}"));
            let mut blocks: Vec<_> = wait.then.map(|block| ("then", block)).into_iter().collect();
            blocks.extend(wait.otherwise.map(|block| ("otherwise", block)));
            (format!("wait for {:?}{since}{up_to}", wait.occurrence), blocks)
        }
        StepKind::Set { values } => {
            let values: Vec<String> = values
                .iter()
                .map(|(name, value)| format!("{name} = {}", expression(value)))
                .collect();
            (format!("set {}", values.join(", ")), Vec::new())
        }
        StepKind::ForEach(each) => {
            let only_if = each.only_if.as_ref().map_or("", |condition| &condition.source);
            let what = format!(
                "for each {} of {} only if [{only_if}] at once {} pace {:?}",
                each.item, each.list.source, each.at_once, each.pace
            );
            (what, vec![("each", each.block)])
        }
        StepKind::Parallel { branches } => {
            ("parallel".to_owned(), branches.iter().map(|block| ("branch", *block)).collect())
        }
        StepKind::Run(run) => {
            let up_to = run
                .up_to
                .as_ref()
                .map_or(String::new(), |up_to| format!(" up to {}", expression(up_to)));
            let fails = run
                .if_it_fails
                .as_ref()
                .map_or(String::new(), |value| format!(" or {}", expression(value)));
            let output = slot(&Slot::of(run.output.clone()));
            (
                format!(
                    "run {}({}) -> {output}{up_to}{fails}",
                    run.workflow,
                    arguments(&run.input)
                ),
                Vec::new(),
            )
        }
        StepKind::Stop { condition, unless } => (
            format!("stop {} {}", if *unless { "unless" } else { "if" }, condition.source),
            Vec::new(),
        ),
        other => (format!("{other:?}"), Vec::new()),
    }
}

fn arguments(arguments: &[Argument]) -> String {
    let arguments: Vec<String> = arguments
        .iter()
        .map(|argument| {
            let conversion = match &argument.conversion {
                Conversion::Plain => String::new(),
                Conversion::Due => " (due)".to_owned(),
                Conversion::Reference { objects } => format!(" (record {})", objects.join("|")),
            };
            format!("{}: {}{conversion}", argument.name, expression(&argument.value))
        })
        .collect();
    arguments.join(", ")
}

fn expression(of: &Expression) -> String {
    let formula = |formula: &Formula| format!("={}", formula.source);
    match of {
        Expression::Literal(value) => plain(value),
        Expression::Formula(of) => formula(of),
        Expression::Text(pieces) => {
            let pieces: Vec<String> = pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Literal(text) => text.clone(),
                    Piece::Value { formula, .. } => format!("{{{{{}}}}}", formula.source),
                })
                .collect();
            format!("\"{}\"", pieces.concat())
        }
        Expression::List(items) => {
            format!("[{}]", items.iter().map(expression).collect::<Vec<_>>().join(", "))
        }
        Expression::Map(parts) => {
            let parts: Vec<String> =
                parts.iter().map(|(name, part)| format!("{name}: {}", expression(part))).collect();
            format!("{{{}}}", parts.join(", "))
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Nothing => "nothing".to_owned(),
        Value::Text(text) => format!("{text:?}"),
        Value::List(items) => {
            format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn slot(slot: &Slot) -> String {
    let kind = match &slot.kind {
        Type::List(items) => format!("a list of {}", self::slot(items)),
        Type::Map(parts) => {
            let parts: Vec<String> =
                parts.iter().map(|(name, part)| format!("{name}: {}", self::slot(part))).collect();
            format!("{{{}}}", parts.join(", "))
        }
        other => other.describe(),
    };
    if slot.optional { format!("{kind}?") } else { kind }
}

#[test]
fn inputs_and_outputs() {
    check(
        &catalog::catalog(),
        "workflow: discount-offer
when:
  - button: Offer a discount
    about: contact
inputs:
  percent: number
  reason: { type: text, title: Why, default: none given }
  until: { type: date, optional: true }
  size: { type: [small, large], default: small }
  tags: { type: list of text, default: [fair] }
  customers: { type: list of contact, optional: true }
  reply: { type: duration, default: 4 hours }
steps:
  - wait: =reply
finally:
  - stop_if: percent > 50
outputs:
  note: \"{{ contact.name }} agreed\"
  percent: =percent
  until: =until
  word: fine
",
        expect![[r#"
            Button(Button { label: "Offer a discount", object: Some("contact") })
            about contact
            input percent: a number
            input reason: text = "none given"
            input until: a day?
            input size: one of small, large = "small"
            input tags: a list of text = ["fair"]
            input customers: a list of a record of contact?
            input reply: a duration = 4 hours
            steps[0]: wait =reply
            finally
              finally[0]: stop if percent > 50
            output note: text "{{contact.name}} agreed"
            output percent: a number =percent
            output until: a day? =until
            output word: text "fine"
        "#]],
    );
    check(
        &catalog::catalog(),
        "workflow: orders
when:
  - webhook: shop-orders
    secret: secret/shop-webhook
  - schedule: daily at 09:00
    time_zone: UTC
repeat: { one_per: ref, while_running: queue }
inputs:
  ref: { type: text, default: none }
steps:
  - wait: 1 hour
",
        expect![[r#"
            Webhook(Webhook { name: "shop-orders", secret: Some("shop-webhook") })
            Schedule(Schedule { cron: "0 0 9 * * * *", written: "daily at 09:00", time_zone: "UTC", if_missed: Once, calendar: None })
            input ref: text = "none"
            steps[0]: wait 1 hour
        "#]],
    );
}

#[test]
fn loops_and_branches() {
    check(
        &catalog::catalog(),
        "workflow: digest
when:
  - created: lead
steps:
  - do: crm.find
    object: contact
    where: { tier: gold }
    as: found
  - set: { total: 0, label: \"of {{ lead.name }}\" }
  - for_each: =found.records
    as: customer
    only_if: customer.email is not empty
    at_once: 5
    pace: 60 per hour
    steps:
      - set: { total: =total + 1 }
      - parallel:
          - steps:
              - wait: 1 hour
          - steps:
              - for_each: '=[\"a\", \"b\"]'
                as: word
                steps:
                  - wait: 2 hours
  - stop_if: total == 0
",
        expect![[r#"
            Occurrence(Created { object: "lead" })
            about lead
            steps[0]: crm.find(object: "contact", where: {tier: "gold"}) as found
            steps[1]: set total = 0, label = "of {{lead.name}}"
            steps[2]: for each customer of found.records only if [customer.email is not empty] at once 5 pace Some(Pace { count: 60, in_ms: 3600000 })
            - each
              steps[2].steps[0]: set total = =total + 1
              steps[2].steps[1]: parallel
              - branch
                steps[2].steps[1].parallel[0].steps[0]: wait 1 hour
              - branch
                steps[2].steps[1].parallel[1].steps[0]: for each word of ["a", "b"] only if [] at once 1 pace None
                - each
                  steps[2].steps[1].parallel[1].steps[0].steps[0]: wait 2 hours
            steps[3]: stop if total == 0
        "#]],
    );
}

#[test]
fn another_workflow() {
    let mut catalog = catalog::catalog();
    let inner = check(
        &catalog,
        "workflow: inspect
about: ticket
inputs:
  item: order
  reason: { type: [late, broken], default: late }
  more: { type: list of contact, optional: true }
steps:
  - set: { accepted: false, by: =ticket.owner }
outputs:
  accepted: =accepted
  by: =by
",
        expect![[r#"
            about ticket
            input item: a record of order
            input reason: one of late, broken = "late"
            input more: a list of a record of contact?
            steps[0]: set accepted = no, by = =ticket.owner
            output accepted: yes or no =accepted
            output by: a record of user or queue? =by
        "#]],
    );
    catalog.workflows.insert(inner.name.clone(), inner.signature());
    check(
        &catalog,
        "workflow: returns
when:
  - created: ticket
steps:
  - do: crm.find
    object: order
    as: orders
  - for_each: =orders.records
    as: order
    steps:
      - run: inspect
        about: =ticket
        with: { item: =order, reason: broken }
        up_to: 2 days
        if_it_fails: { use: { accepted: false } }
        as: verdict
      - stop_if: verdict.accepted
",
        expect![[r#"
            Occurrence(Created { object: "ticket" })
            about ticket
            steps[0]: crm.find(object: "order") as orders
            steps[1]: for each order of orders.records only if [] at once 1 pace None
            - each
              steps[1].steps[0]: run inspect(ticket: =ticket (record ticket), item: =order (record order), reason: "broken") -> {accepted: yes or no, by: a record of user or queue?} up to 2 days or {accepted: no} as verdict
              steps[1].steps[1]: stop if verdict.accepted
        "#]],
    );
}

#[test]
fn a_question() {
    check(
        &catalog::catalog(),
        "workflow: discount
when:
  - created: lead
inputs:
  percent: { type: number, default: 10 }
steps:
  - ask: sales-ops
    question: \"Give {{ lead.name }} {{ percent }} % off?\"
    answers: [approve, reject]
    up_to: 2 days
    as: approval
    otherwise:
      - wait: 1 hour
  - if: approval.answer == \"approve\"
    then:
      - ask: user/ana
        question: Sure?
        as: sure
    else:
      - stop_if: approval.by is empty
",
        expect![[r#"
            Occurrence(Created { object: "lead" })
            about lead
            input percent: a number = 10
            steps[0]: approval.request(who: "sales-ops", question: "Give {{lead.name}} {{percent}} % off?", answers: ["approve", "reject"], about: =lead (record ), due_at: 2 days (due)) as approval_asked
            steps[0].answer: wait for Event { name: "approval.answered" } since approval_asked up to 2 days as approval_answered
            - then
              steps[0].answer.then[0]: set approval = {answer: =approval_answered.answer, by: =approval_answered.answered_by, comment: =approval_answered.comment}
            - otherwise
              steps[0].answer.otherwise[0]: approval.close(approval: =approval_asked.approval (record approval))
              steps[0].answer.otherwise[1]: set approval = {answer: "no_answer", by: nothing, comment: nothing}
              steps[0].otherwise[0]: wait 1 hour
            steps[1]: if approval.answer == "approve"
            - then
              steps[1].then[0]: approval.request(who: user/ana, question: "Sure?", answers: ["yes", "no"], about: =lead (record )) as sure_asked
              steps[1].then[0].answer: wait for Event { name: "approval.answered" } since sure_asked as sure_answered
              - then
                steps[1].then[0].answer.then[0]: set sure = {answer: =sure_answered.answer, by: =sure_answered.answered_by, comment: =sure_answered.comment}
            - else
              steps[1].else[0]: stop if approval.by is empty
        "#]],
    );
}
