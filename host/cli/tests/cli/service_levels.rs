//! What customers are promised: set up, watched, and judged anew.

use expect_test::expect;

use crate::program::Program;

#[test]
fn a_promise_is_watched_from_the_command_line() {
    let program = Program::rehearsal();
    assert_eq!(program.ok("sla"), "nothing is overdue, and nothing will be within 1 day\n");
    program.ok(
        "records create service_level external_id=standard name=Standard calendar=support-hours \
         'first_reply=urgent: 1 working hour; 4 working hours' 'solution=18 working hours'",
    );
    program.ok("records create user external_id=lea name=Lea email=lea@a.example");
    program.ok(
        "records create ticket external_id=t1 ref=T-1 'subject=How do I log in?' owner=user/lea",
    );
    program.ok("records create ticket external_id=t2 ref=T-2 subject=Help priority=urgent");
    program.ok("clock advance 1 minute");
    program.ok("records set ticket/t1 status=waiting_for_customer");
    program.ok("clock advance 59 minutes");
    program.ok("records set ticket/t1 status=open");
    program.ok("clock advance 2 hours");
    expect![[r#"
        Ticket  Subject           Priority  Promise      Due               State     With
        ────────────────────────────────────────────────────────────────────────────────────────────
        T-2     Help              urgent    first reply  2026-12-14 11:00  breached
        T-1     How do I log in?  normal    first reply  2026-12-14 14:59  running   user/lea (Lea)
    "#]]
    .assert_eq(&program.ok("sla --due-within '3 hours'"));
    expect![[r#"
        ticket/t1 (T-1): running, by Standard; with user/lea (Lea)

        first reply: running, 2 h 1 min of 4 working hours, 1 h 59 min left
          since 2026-12-14 10:00, due 2026-12-14 14:59
          stood still from 2026-12-14 10:01 until 2026-12-14 11:00
          50% reached 2026-12-14 12:59, told
          75% at 2026-12-14 13:59
          100% at 2026-12-14 14:59
          +2 hours at 2026-12-14 16:59

        solution: running, 2 h 1 min of 18 working hours, 15 h 59 min left
          since 2026-12-14 10:00, due 2026-12-16 10:59
          stood still from 2026-12-14 10:01 until 2026-12-14 11:00
          50% at 2026-12-15 10:59
          75% at 2026-12-15 15:29
          100% at 2026-12-16 10:59
          +2 hours at 2026-12-16 12:59
    "#]]
    .assert_eq(&program.ok("sla ticket/t1"));
    let stands = program.json("sla ticket/t2");
    assert_eq!(
        (&stands["state"], &stands["clocks"][0]["left_seconds"]),
        (&"breached".into(), &(-7200).into())
    );
    assert_eq!(program.ok("sla recompute"), "all is in order: 2 open tickets\n");
    let refused = program.run("sla contact/anna");
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("only a ticket has a service level"), "{}", refused.stderr);
}
