//! What is told of runs, and of those that did not begin.

use expect_test::expect;

use crate::program::{Program, without_ids};

const CALL_ALL: &str = "\
workflow: call-all
when:
  - button: Call all
steps:
  - do: crm.find
    object: contact
    where: { tier: gold }
    as: found
  - for_each: =found.records
    as: customer
    only_if: customer.email != \"bert@a.example\"
    steps:
      - run: call
        with: { customer: =customer }
        if_it_fails: { use: { reached: false } }
        as: outcome
  - stop_if: count(found.records) > 100
";

const CALL: &str = "\
workflow: call
inputs:
  customer: contact
repeat: { one_per: customer, while_running: queue }
stop_when: []
steps:
  - do: task.create
    record: =customer
    assignee: queue/unassigned
    title: \"Call {{ customer.name }}\"
    due_in: 1 day
  - wait: 2 hours
outputs:
  reached: true
";

const SOLVED: &str = "\
workflow: ask-again
when:
  - changed: ticket.status
    to: solved
only_if:
  - ticket.priority != \"low\"
steps:
  - wait: 1 day
";

fn company() -> Program {
    let program = Program::rehearsal();
    for name in ["anna", "bert", "cleo"] {
        program.ok(&format!(
            "records create contact external_id={name} name={name} email={name}@a.example tier=gold"
        ));
    }
    program.write("more/call-all.yaml", CALL_ALL);
    program.write("more/call.yaml", &CALL.replace("stop_when: []\n", ""));
    program.write("more/ask-again.yaml", SOLVED);
    program
}

#[test]
fn a_run_tells_its_loops_its_children_and_what_it_waits_for() {
    let program = company();
    expect![[r#"
        ask-again is active
        call-all is active
        call is active

        `relata clock advance 1 day` runs them; `relata workflows` lists them
    "#]]
    .assert_eq(&program.ok("activate more"));
    program.ok("start call-all");
    program.ok("clock advance 1 hour");
    let runs = program.json("runs --workflow call-all");
    let run = runs[0]["run"].as_str().unwrap();
    expect![[r#"
        run_…: call-all
        active, began 2026-12-14 10:00
          waits    [1] run: call (run_…) (line 13), until something happens
          began    run_…, call: active

          1  2026-12-14 10:00  the run: started
             why     call-all was started by hand

          2  2026-12-14 10:00  do: crm.find: done  (line 5)
             input   object: contact, where: (tier: gold)
             output  count: 3, records: contact/anna (anna), contact/cleo (cleo), contact/bert (bert)
             used    2.0 ms of processor time

          3  2026-12-14 10:00  for_each: =found.records: the loop begins  (line 9)
             why     3 items

          4  2026-12-14 10:00  for_each: =found.records: next item  (line 9)
             why     item 1 of 3: contact/anna (anna)

          5  2026-12-14 10:00    [1] run: call: another run began  (line 13)
               why     run_… began, without a limit
    "#]]
    .assert_eq(&without_ids(&program.ok(&format!("runs show {run}"))));
    program.ok("clock advance 1 day");
    expect![[r#"
    "#]]
    .assert_eq(&without_ids(&program.ok(&format!("runs show {run} --item 3"))));
    let ended = program.run(&format!("runs show {run} --item 9"));
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("did nothing for item 9"), "{}", ended.stderr);
    let begun = program.json(&format!("runs --begun-by {run}"));
    assert_eq!(begun.as_array().unwrap().len(), 2, "{begun}");
    assert_eq!(begun[0]["outputs"]["reached"], true);
    let child = begun[0]["run"].as_str().unwrap();
    let shown = program.ok(&format!("runs show {child}"));
    assert!(shown.contains(&format!("  part of  {run}\n")), "{shown}");
}

#[test]
fn why_not_tells_what_came_nearest() {
    let program = company();
    program.ok("activate more/ask-again.yaml");
    program.ok("records create ticket external_id=t1 customer=contact/anna subject=Lamp channel=mail");
    program.ok("clock advance 5 minutes");
    expect![[r#"
    "#]]
    .assert_eq(&program.ok("why-not ask-again ticket/t1"));
    program.ok("records set ticket/t1 priority=low status=solved");
    program.ok("clock advance 5 minutes");
    expect![[r#"
        ask-again is active; 3 runs go on on an earlier version

        `relata clock advance 1 day` runs them; `relata workflows` lists them
        ask-again is active; 3 runs are restarted on this one

        `relata clock advance 1 day` runs them; `relata workflows` lists them
        ask-again is active; 3 runs are cancelled

        `relata clock advance 1 day` runs them; `relata workflows` lists them
        ask-again was active already, in this version
    "#]]
    .assert_eq(&program.ok("why-not ask-again ticket/t1"));
    expect![[r#"
    "#]]
    .assert_eq(&without_ids(&program.ok("why-not ask-again contact/anna")));
}

#[test]
fn an_activation_says_what_becomes_of_older_runs() {
    let program = company();
    program.ok("activate more/ask-again.yaml");
    for number in 0..3 {
        program.ok(&format!(
            "records create ticket external_id=t{number} customer=contact/anna subject=Lamp channel=mail"
        ));
        program.ok(&format!("records set ticket/t{number} status=solved"));
    }
    program.ok("clock advance 5 minutes");
    let mut told = String::new();
    for (version, running) in [("2 days", "finish"), ("3 days", "restart"), ("4 days", "cancel")] {
        program.write("more/ask-again.yaml", &SOLVED.replace("1 day", version));
        told += &program.ok(&format!("activate more/ask-again.yaml --running {running}"));
        program.ok("clock advance 5 minutes");
    }
    told += &program.ok("activate more/ask-again.yaml --running restart");
    expect![[r#"
    "#]]
    .assert_eq(&told);
    let runs = program.json("runs");
    let count = |status: &str| {
        runs.as_array().unwrap().iter().filter(|run| run["status"] == status).count()
    };
    assert_eq!((count("active"), count("cancelled")), (0, 6), "{runs}");
}
