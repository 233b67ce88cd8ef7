//! Faulty workflows: what is changed, and where.

use expect_test::{Expect, expect};
use relata_workflow::{mutants, parse, render};

use crate::catalog;

fn check(source: &str, expected: Expect) {
    let (definition, found) = parse("test.yaml", source, &catalog::catalog());
    let definition = definition.unwrap_or_else(|| panic!("{}", render(&found, source, false)));
    let lines: Vec<String> = mutants(&definition, source)
        .into_iter()
        .map(|mutant| {
            assert_ne!(mutant.definition, definition, "{}", mutant.what);
            let step = mutant.step.map_or_else(String::new, |step| format!(" ({step})"));
            format!("{}: {}{step}", mutant.line, mutant.what)
        })
        .collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn conditions_are_turned_round_and_moved_beside_their_boundary() {
    check(
        "workflow: test
when:
  - changed: lead.status
    from: new
    to: [assigned, in_process]
only_if:
  - lead.country in [\"DE\", \"AT\"]
  - lead.company_size is not empty and lead.company_size > 5
steps:
  - stop_unless: lead.score is not empty and lead.score >= 0.5 or lead.status == \"new\"
  - if: not (lead.company is empty)
    then:
      - wait: 1 day
",
        expect![[r#"
            3: `changed: lead.status` without `from`
            3: `changed: lead.status` without `to`
            3: `changed: lead.status` without `to: assigned`
            3: `changed: lead.status` without `to: in_process`
            7: without `only_if: lead.country in ["DE", "AT"]`
            7: `lead.country in ["DE", "AT"]` becomes `lead.country not in ["DE", "AT"]`
            7: `lead.country in ["DE", "AT"]` becomes `lead.country in ["AT"]`
            7: `lead.country in ["DE", "AT"]` becomes `lead.country in ["DE"]`
            8: without `only_if: lead.company_size is not empty and lead.company_size > 5`
            8: `lead.company_size is not empty and lead.company_size > 5` becomes `lead.company_size is not empty or lead.company_size > 5`
            8: `lead.company_size is not empty and lead.company_size > 5` becomes `lead.company_size is empty and lead.company_size > 5`
            8: `lead.company_size is not empty and lead.company_size > 5` becomes `lead.company_size is not empty`
            8: `lead.company_size is not empty and lead.company_size > 5` becomes `lead.company_size is not empty and lead.company_size <= 5`
            8: `lead.company_size is not empty and lead.company_size > 5` becomes `lead.company_size is not empty and lead.company_size >= 5`
            10: without this step: `stop_unless: lead.score is not empty and lead.score >= 0.5 or lead.status == "new"` (steps[0])
            10: `lead.score is not empty and lead.score >= 0.5 or lead.status == "new"` becomes `(lead.score is not empty and lead.score >= 0.5) and lead.status == "new"` (steps[0])
            10: `lead.score is not empty and lead.score >= 0.5 or lead.status == "new"` becomes `lead.status == "new"` (steps[0])
            10: `lead.score is not empty and lead.score >= 0.5 or lead.status == "new"` becomes `(lead.score is not empty or lead.score >= 0.5) or lead.status == "new"` (steps[0])
            10: `lead.score is not empty and lead.score >= 0.5 or lead.status == "new"` becomes `lead.score >= 0.5 or lead.status == "new"` (steps[0])
            10: `lead.score is not empty and lead.score >= 0.5 or lead.status == "new"` becomes `lead.score is empty and lead.score >= 0.5 or lead.status == "new"` (steps[0])
            10: `lead.score is not empty and lead.score >= 0.5 or lead.status == "new"` becomes `lead.score is not empty or lead.status == "new"` (steps[0])
            10: `lead.score is not empty and lead.score >= 0.5 or lead.status == "new"` becomes `lead.score is not empty and lead.score < 0.5 or lead.status == "new"` (steps[0])
            10: `lead.score is not empty and lead.score >= 0.5 or lead.status == "new"` becomes `lead.score is not empty and lead.score > 0.5 or lead.status == "new"` (steps[0])
            10: `lead.score is not empty and lead.score >= 0.5 or lead.status == "new"` becomes `lead.score is not empty and lead.score >= 0.5` (steps[0])
            10: `lead.score is not empty and lead.score >= 0.5 or lead.status == "new"` becomes `lead.score is not empty and lead.score >= 0.5 or lead.status != "new"` (steps[0])
            11: without this step: `if: not (lead.company is empty)` (steps[1])
            11: `not lead.company is empty` becomes `lead.company is empty` (steps[1])
            13: without this step: `wait: 1 day` (steps[1].then[0])
            13: wait: `1 day` becomes `2 days` (steps[1].then[0])"#]],
    );
}

#[test]
fn what_cannot_be_met_is_not_taken_away() {
    check(
        "workflow: test
when:
  - created: ticket
repeat: { one_per: ticket, again_after: never }
never_for: [segment/unsubscribed]
steps:
  - wait: 24 hours
    resume_in: support-hours
",
        expect![[r#"
            5: without `never_for: segment/unsubscribed`
            7: without this step: `wait: 24 hours` (steps[0])
            7: wait: `24 hours` becomes `48 hours` (steps[0])
            7: wait: `24 hours` becomes `12 hours` (steps[0])
            7: without `resume_in: support-hours` (steps[0])"#]],
    );
}

#[test]
fn the_head_of_a_workflow() {
    check(
        "workflow: test
when:
  - created: contact
  - changed: contact.tier
never_for: [segment/no-surveys, segment/unsubscribed]
repeat:
  one_per: contact
  again_after: 30 days
  counted_from: mail
  while_running: restart
stop_when:
  - changed: contact.tier
    to: [gold, silver]
    outcome: grown
send_in: marketing-hours
hold_above: 3 per day
steps:
  - do: mail.send
    to: =contact
    template: welcome
    as: mail
    retry: 5 times
outputs:
  sent: =mail.suppressed is empty
",
        expect![[r#"
            3: without the trigger `created: contact`
            4: without the trigger `changed: contact.tier`
            5: without `never_for: segment/no-surveys`
            5: without `never_for: segment/unsubscribed`
            6: without `repeat`
            8: again_after: `30 days` becomes `60 days`
            8: again_after: `30 days` becomes `15 days`
            9: without `counted_from: mail`
            10: `while_running: restart` becomes `ignore`
            12: without `stop_when: changed: contact.tier`
            12: stop_when: `changed: contact.tier` without `to`
            12: stop_when: `changed: contact.tier` without `to: gold`
            12: stop_when: `changed: contact.tier` without `to: silver`
            14: without `outcome: grown`
            15: without `send_in: marketing-hours`
            16: without `hold_above`
            16: `hold_above: 3` becomes 4
            18: without this step: `do: mail.send` (steps[0])
            18: without the argument `to` (steps[0])
            18: without the argument `template` (steps[0])
            18: without `retry: 5 times` (steps[0])
            24: without the output `sent`"#]],
    );
}

#[test]
fn every_kind_of_step() {
    check(
        "workflow: test
calendar: sales-hours
when:
  - created: ticket
inputs:
  limit: { type: number, default: 3 }
steps:
  - set: { pause: 4 hours, name: \"=default(ticket.subject, ticket.ref)\" }
  - decide: target
    rows:
      - if: ticket.priority == \"urgent\"
        use: { reply_in: 1 hour }
      - use: { reply_in: 1 working day }
  - for_each: =default(ticket.tags, [])
    as: tag
    only_if: tag != \"spam\"
    at_once: 2
    pace: 60 per hour
    steps:
      - wait: =pause
  - parallel:
      - steps:
          - wait: 1 hour
      - steps:
          - wait: 2 hours
  - split: arm
    arms: { a: 50%, b: 50% }
  - do: crm.update
    record: =ticket
    set: { category: \"{{ name }}\", priority: high }
    if_it_fails: { use: { changed: false } }
  - deadline: =target.reply_in
    met_when: ticket.first_reply_at is not empty
    levels:
      - at: 100%
        do: notify.role
        role: support-ops
        text: \"{{ ticket.ref }}\"
  - ask: support-ops
    question: Close it?
    up_to: 2 days
    as: verdict
    otherwise:
      - wait: 10 minutes
  - wait_for: { changed: ticket.status, to: solved }
    up_to: 5 days
",
        expect![[r#"
            8: without this step: `set: pause, name` (steps[0])
            8: without `set: pause` (steps[0])
            8: pause: `4 hours` becomes `8 hours` (steps[0])
            8: pause: `4 hours` becomes `2 hours` (steps[0])
            8: without `set: name` (steps[0])
            8: name: `default(ticket.subject, ticket.ref)` becomes `ticket.subject` (steps[0])
            8: name: `default(ticket.subject, ticket.ref)` becomes `ticket.ref` (steps[0])
            9: without this step: `decide: target` (steps[1])
            11: without row 1 (steps[1])
            11: `ticket.priority == "urgent"` becomes `ticket.priority != "urgent"` (steps[1])
            11: use: reply_in: `1 hour` becomes `2 hours` (steps[1])
            11: use: reply_in: `1 hour` becomes `30 minutes` (steps[1])
            13: use: reply_in: `1 working day` becomes `2 working days` (steps[1])
            14: without this step: `for_each: =default(ticket.tags, [])` (steps[2])
            14: `default(ticket.tags, [])` becomes `ticket.tags` (steps[2])
            14: `default(ticket.tags, [])` becomes `[]` (steps[2])
            16: without `only_if: tag != "spam"` (steps[2])
            16: `tag != "spam"` becomes `tag == "spam"` (steps[2])
            14: without `pace` (steps[2])
            14: `at_once: 2` becomes 1 (steps[2])
            20: without this step: `wait: =pause` (steps[2].steps[0])
            21: without this step: `parallel` (steps[3])
            21: without branch 1 (steps[3])
            21: without branch 2 (steps[3])
            23: without this step: `wait: 1 hour` (steps[3].parallel[0].steps[0])
            23: wait: `1 hour` becomes `2 hours` (steps[3].parallel[0].steps[0])
            23: wait: `1 hour` becomes `30 minutes` (steps[3].parallel[0].steps[0])
            25: without this step: `wait: 2 hours` (steps[3].parallel[1].steps[0])
            25: wait: `2 hours` becomes `4 hours` (steps[3].parallel[1].steps[0])
            25: wait: `2 hours` becomes `1 hour` (steps[3].parallel[1].steps[0])
            26: without this step: `split: arm` (steps[4])
            28: without this step: `do: crm.update` (steps[5])
            28: without the argument `record` (steps[5])
            28: without the argument `set` (steps[5])
            28: set: without `category` (steps[5])
            28: set: without `priority` (steps[5])
            28: without `if_it_fails` (steps[5])
            32: without this step: `deadline: =target.reply_in` (steps[6])
            33: met_when: `ticket.first_reply_at is not empty` becomes `ticket.first_reply_at is empty` (steps[6])
            35: `at: 100%` becomes `at: 50%` (steps[6])
            35: without this step: `do: notify.role` (steps[6].levels[0].steps[0])
            35: without the argument `role` (steps[6].levels[0].steps[0])
            35: without the argument `text` (steps[6].levels[0].steps[0])
            39: without this step: `do: approval.request` (steps[7])
            39: without the argument `who` (steps[7])
            39: without the argument `question` (steps[7])
            39: without the argument `answers` (steps[7])
            39: answers: without `yes` (steps[7])
            39: answers: without `no` (steps[7])
            39: without the argument `about` (steps[7])
            44: without this step: `wait: 10 minutes` (steps[7].otherwise[0])
            44: wait: `10 minutes` becomes `20 minutes` (steps[7].otherwise[0])
            44: wait: `10 minutes` becomes `5 minutes` (steps[7].otherwise[0])
            39: up_to: `2 days` becomes `4 days` (steps[7].answer)
            39: up_to: `2 days` becomes `1 day` (steps[7].answer)
            45: without this step: `wait_for: changed ticket.status` (steps[8])
            45: wait_for: `changed: ticket.status` without `to` (steps[8])
            45: up_to: `5 days` becomes `10 days` (steps[8])
            45: up_to: `5 days` becomes `2 days` (steps[8])"#]],
    );
}
