//! `relata approvals`: who is asked what, and the answer.

use expect_test::expect;

use crate::program::{Program, without_ids};

const WORKFLOW: &str = "\
workflow: discount
when:
  - created: contact
steps:
  - do: approval.request
    who: sales-lead
    question: Give {{ contact.name }} 10 % off?
    answers: [approve, reject]
    due_at: 2 days
    as: asked
  - wait_for: { event: approval.answered }
    since: asked
    up_to: 2 days
    otherwise:
      - do: approval.close
        approval: =asked.approval
";

const USERS: &str = "\
external_id,name,email,roles
mara,Mara Brandt,mara@a.example,sales-lead
zoe,Zoe Lang,zoe@a.example,agent
";

#[test]
fn a_question_is_listed_answered_and_gone() {
    let program = Program::rehearsal();
    program.write("users.csv", USERS);
    program.write("discount.yaml", WORKFLOW);
    program.ok("import user users.csv");
    assert_eq!(program.ok("approvals"), "nothing is open\n");
    program.ok("activate discount.yaml");
    program.ok("records create contact name='Anna Wolf' external_id=anna");
    program.ok("clock advance 1 minute");
    expect![[r#"
        Approval                    Question                  About                     Asked            Answers          Until
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
        …  Give Anna Wolf 10 % off?  contact/anna (Anna Wolf)  role sales-lead  approve, reject  2026-12-16 10:00
    "#]].assert_eq(&without_ids(&program.ok("approvals")));
    assert_eq!(program.ok("approvals --for user/zoe"), "nothing is open\n");
    let open = program.json("approvals --for user/mara --role sales-lead");
    assert_eq!(open.as_array().unwrap().len(), 1);
    let id = open[0]["approval"].as_str().unwrap();

    let mut told = String::new();
    for line in [
        "approve --by user/zoe",
        "aprove --by user/mara",
        "approve --by user/mara --comment 'up to 50 EUR'",
        "approve --by user/mara",
    ] {
        let ended = program.run(&format!("approvals answer {id} {line}"));
        told.push_str(&format!("{}{}", ended.stdout, ended.stderr));
    }
    expect![[r#"
        error: those with the role `sales-lead` are asked, and Zoe Lang does not have it
        error: `aprove` is none of the answers; did you mean `approve`?
        `approve` is the answer to: Give Anna Wolf 10 % off?
        run_… goes on when the clock is moved
        error: Mara Brandt has answered `approve` already
    "#]]
    .assert_eq(&without_ids(&told));
    assert_eq!(program.ok("approvals"), "nothing is open\n");
    program.ok("clock advance 1 minute");
    assert_eq!(program.json("runs")[0]["status"], "done");
    let all = program.json("approvals --all");
    assert_eq!(
        (&all[0]["answer"], &all[0]["comment"]),
        (&"approve".into(), &"up to 50 EUR".into())
    );
    assert_eq!(program.run("approvals answer 01 approve").code, 2, "somebody answers");
}
