//! `relata start`, and which workflows it starts.

use expect_test::expect;

use crate::program::{Program, without_ids};

const OFFER: &str = "\
workflow: discount-offer
title: Offer a discount
when:
  - button: Offer a discount
    about: contact
inputs:
  percent: number
  reason: { type: text, default: none given }
  until: { type: date, optional: true }
only_if:
  - percent <= 20
steps:
  - set: { said: \"{{ percent }} % for {{ contact.name }}\" }
";

const VISIT: &str = "\
workflow: visit
title: Visit
when:
  - webhook: visits
    unsigned: true
steps:
  - wait: 1 hour
";

const REPORT: &str = "\
workflow: report
title: Report
inputs:
  month: text
steps:
  - set: { said: \"{{ month }}\" }
";

#[test]
fn a_workflow_is_started_with_inputs_and_every_mistake_is_told() {
    let program = Program::rehearsal();
    program.write("offer.yaml", OFFER);
    program.write("report.yaml", REPORT);
    program.write("visit.yaml", VISIT);
    program.ok("activate offer.yaml report.yaml visit.yaml");
    program.ok("records create contact name='Anna Wolf' external_id=anna");
    let listed = program.ok("workflows");
    for doors in ["button Offer a discount (contact)", "`relata start`", "POST /hooks/visits"] {
        assert!(listed.contains(doors), "{listed}");
    }
    assert_eq!(program.json("workflows")[0]["buttons"][0]["label"], "Offer a discount");

    let mut told = String::new();
    for (line, code) in [
        ("start discount-offer contact/anna --input percent=10", 0),
        ("start report --input month=December", 0),
        ("start discount-offer contact/anna --input percent=25", 1),
        ("start discount-offer contact/anna --input percent=ten --input until=soon --input x=1", 1),
        ("start discount-offer --input percent=10", 1),
        ("start discount-ofer contact/anna", 1),
    ] {
        let ended = program.run(line);
        assert_eq!(ended.code, code, "{line}\n{}{}", ended.stdout, ended.stderr);
        told.push_str(&format!("$ {line}\n{}{}", ended.stdout, ended.stderr));
    }
    expect![[r#"
        $ start discount-offer contact/anna --input percent=10
        discount-offer for contact/anna (Anna Wolf) began: run_…

        `relata clock advance 1 minute` runs it; `relata runs show run_…` shows what it does
        $ start report --input month=December
        report began: run_…

        `relata clock advance 1 minute` runs it; `relata runs show run_…` shows what it does
        $ start discount-offer contact/anna --input percent=25
        discount-offer for contact/anna (Anna Wolf) did not start: only_if does not hold: percent = 25
        $ start discount-offer contact/anna --input percent=ten --input until=soon --input x=1
        error: discount-offer cannot start with this:
          percent: takes a number, not `ten`
          until: takes a day such as 2026-12-24, not `soon`
          x: is no input; there are percent, reason, until
        its inputs are
          percent: a number
          reason: text, `none given` if left out
          until: a day such as 2026-12-24, may be left out
        $ start discount-offer --input percent=10
        error: discount-offer is about a contact; say which one: `relata start discount-offer contact/…`
        $ start discount-ofer contact/anna
        error: no workflow `discount-ofer` is active; did you mean `discount-offer`?
    "#]].assert_eq(&without_ids(&told));
    assert_eq!(program.run("start report --input month").code, 2);
    let started = program.json("start report --input month=January");
    let run = started["run"].as_str().unwrap();
    program.ok("clock advance 1 minute");
    assert_eq!(program.json(&format!("runs show {run}"))["status"], "done");
    let why = program.json("why-not discount-offer contact/anna");
    assert!(why.to_string().contains("only_if does not hold: percent = 25"), "{why}");
}
