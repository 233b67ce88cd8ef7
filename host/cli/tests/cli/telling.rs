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

/// What is shown of a run, but for ids and times of the processor.
fn shown(program: &Program, line: &str) -> String {
    let printed = without_ids(&program.ok(line));
    let kept = printed.split_inclusive('\n').filter(|line| !line.contains("processor time"));
    kept.collect()
}

fn company() -> Program {
    let program = Program::rehearsal();
    for name in ["anna", "bert", "cleo"] {
        program.ok(&format!(
            "records create contact external_id={name} name={name} email={name}@a.example tier=gold"
        ));
        // So that they are found in this order.
        program.ok("clock advance 1 minute");
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
        active, began 2026-12-14 10:03
          waits    [1] run: call (run_…) (line 13), until that has ended
          began    run_…, call: active

          1  2026-12-14 10:03  the run: started
             why     call-all was started by hand

          2  2026-12-14 10:03  do: crm.find: done  (line 5)
             input   object: contact, where: (tier: gold)
             output  count: 3, records: contact/anna (anna), contact/bert (bert), contact/cleo (cleo)

          3  2026-12-14 10:03  for_each: =found.records: the loop begins  (line 9)
             why     3 items

          4  2026-12-14 10:03  for_each: =found.records: next item  (line 9)
             why     item 1 of 3: contact/anna (anna)

          5  2026-12-14 10:03    [1] run: call: another run began  (line 13)
               why     run_… began, without a limit
    "#]]
    .assert_eq(&shown(&program, &format!("runs show {run}")));
    program.ok("clock advance 1 day");
    expect![[r#"
        run_…: call-all
        done, began 2026-12-14 10:03, ended 2026-12-14 14:03
          began    run_…, call: done
                   run_…, call: done

          9  2026-12-14 12:03    [3] run: call: another run began  (line 13)
               why     run_… began, without a limit

         10  2026-12-14 14:03    [3] run: call: done  (line 13)
               why     run_… is done
               output  reached: yes
    "#]]
    .assert_eq(&shown(&program, &format!("runs show {run} --item 3")));
    let ended = program.run(&format!("runs show {run} --item 9"));
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("did nothing for item 9"), "{}", ended.stderr);
    let begun = program.json(&format!("runs --begun-by {run}"));
    assert_eq!(begun.as_array().unwrap().len(), 2, "{begun}");
    assert_eq!(begun[0]["outputs"]["reached"], true);
    let child = begun[0]["run"].as_str().unwrap();
    let printed = program.ok(&format!("runs show {child}"));
    assert!(printed.contains(&format!("  part of  {run}\n")), "{printed}");
}

#[test]
fn why_not_tells_what_came_nearest() {
    let program = company();
    program.ok("activate more/ask-again.yaml");
    program.ok("records create ticket external_id=t1 ref=T-1 customer=contact/anna subject=Lamp channel=mail");
    program.ok("clock advance 5 minutes");
    expect![[r#"
        ask-again for ticket/t1 (T-1):

        ticket.status has never changed and is `new`; ask-again waits for it to become `solved`
        if that happened now, a run would start
    "#]]
    .assert_eq(&without_ids(&program.ok("why-not ask-again ticket/t1")));
    program.ok("records set ticket/t1 priority=low status=solved");
    program.ok("clock advance 5 minutes");
    expect![[r#"
        ask-again for ticket/t1 (T-1):

        2026-12-14 10:08  ticket/t1 (T-1) changed (priority: normal -> low, status: new -> solved): no run started: only_if does not hold: ticket.priority = low
    "#]]
    .assert_eq(&without_ids(&program.ok("why-not ask-again ticket/t1")));
    expect![[r#"
        ask-again for contact/anna (anna):

        ask-again is about a ticket, and contact/anna (anna) is a contact; ask about ticket/t1 (T-1)
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
        ask-again is active; 3 runs go on on an earlier version

        `relata clock advance 1 day` runs them; `relata workflows` lists them
        ask-again is active; 3 runs are restarted on this one

        `relata clock advance 1 day` runs them; `relata workflows` lists them
        ask-again is active; 3 runs are cancelled

        `relata clock advance 1 day` runs them; `relata workflows` lists them
        ask-again was active already, in this version
    "#]]
    .assert_eq(&told);
    let runs = program.json("runs");
    let count = |status: &str| {
        runs.as_array().unwrap().iter().filter(|run| run["status"] == status).count()
    };
    assert_eq!((count("active"), count("cancelled")), (0, 6), "{runs}");
}
