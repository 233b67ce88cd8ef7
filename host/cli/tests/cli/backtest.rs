//! A draft over what happened, as a person asks for it.

use std::fs;

use expect_test::expect;
use serde_json::json;

use crate::program::{Program, without_ids};

const USERS: &str = "\
external_id,name,email,team,weight,active
mara,Mara Brandt,mara@relata.example,dach,1,yes
";

const LEADS: &str = "\
name,email,country
Anna Wolf,anna@a.example,DE
Max Huber,max@b.example,AT
Eve Moser,eve@c.example,AT
";

/// A company whose leads came in, were assigned and waited for two days.
fn company() -> Program {
    let program = Program::rehearsal();
    program.write("users.csv", USERS);
    program.write("leads.csv", LEADS);
    program.ok("import user users.csv");
    program.ok("activate workflows/assign-new-leads.yaml");
    program.ok("clock advance 1 hour");
    program.ok("import lead leads.csv");
    program.ok("clock advance 3 days");
    let live = fs::read_to_string(program.path("workflows/assign-new-leads.yaml")).unwrap();
    let draft = live
        .replace("  - lead.owner is empty", "  - lead.country == \"AT\"\n  - lead.owner is empty");
    program.write("draft.yaml", &draft);
    program
}

#[test]
fn a_draft_is_told_beside_the_live_version() {
    let program = company();
    let told = program.ok("backtest draft.yaml --last 4d --against active --html draft.html");
    expect![[r#"
        assign-new-leads, 2026-12-13 11:00 to 2026-12-17 11:00 (Europe/Berlin)
        33 events, 12 of them made by its own runs and left out; 3 could start it

        starts                                                draft  other  difference  on record
        ──────────────────────────────────────────────────────────────────────────────────────────
        started                                                   2      3          -1          3
        not started: only_if does not hold: lead.country = …      1      0          +1          0

        how runs end  draft  other  difference
        ───────────────────────────────────────
        done              2      3          -1

        action              draft  other  difference  nothing to do  failed  assumed
        ─────────────────────────────────────────────────────────────────────────────
        assign.round_robin      2      3          -1
        crm.update              2      3          -1
        mail.send               2      3          -1
        notify.user             2      3          -1
        task.create             2      3          -1

        message  draft  other  difference  held  not wanted
        ────────────────────────────────────────────────────
        notice       2      3          -1
        welcome      2      3          -1

        sent at  draft
        ─────────────────────────────────────────────────────────
        11:00        4  ▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪
        Mon 2, Tue 0, Wed 2, Thu 0, Fri 0, Sat 0, Sun 0

        step                                                                  draft  other  difference
        ───────────────────────────────────────────────────────────────────────────────────────────────
        decide: team (line 17)                                                    2      3          -1
          row 1: lead.company_size is not empty and lead.company_size >= 200      0      0
          row 2: lead.country in ["DE", "AT", "CH"]                               2      3          -1
          row 3: everything else                                                  0      0
        do: assign.round_robin (line 25)                                          2      3          -1
        do: crm.update (line 29)                                                  2      3          -1
        do: mail.send (line 32)                                                   2      3          -1
        do: task.create (line 35)                                                 2      3          -1
        wait_for: changed lead.status (line 42)                                   2      3          -1
          came                                                                    0      0
          too late                                                                2      3          -1
        do: notify.user (line 45)                                                 2      3          -1
        do: crm.update (line 49)                                                  0      0

        What became otherwise of the same events:

        the active version  draft                                    times  such as
        ────────────────────────────────────────────────────────────────────────────────────────────────────
        started             only_if does not hold: lead.country = …      1  lead/…

        10 calls: 10 answered as they were then, 0 made again, 0 assumed
        0 % of 2 runs rest on an assumption

        The same as a page: draft.html
    "#]].assert_eq(&without_ids(&told));

    let page = fs::read_to_string(program.path("draft.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("prefers-color-scheme"), "{page}");
    for forbidden in ["<script", "http", "Anna", "anna@a.example"] {
        assert!(!page.contains(forbidden), "the page has `{forbidden}`");
    }

    let found =
        program.json("backtest draft.yaml --last 4 days --against workflows/assign-new-leads.yaml");
    assert_eq!(
        (&found["draft"]["started"], &found["against"]["figures"]["started"]),
        (&json!(2), &json!(3))
    );
    assert_eq!(found["on_record"]["started"], json!(3));
    let none =
        program.json("backtest draft.yaml --from 2026-12-14T09:00:00Z --to '2026-12-14 10:30'");
    assert_eq!(none["draft"]["started"], json!(0));
}

#[test]
fn what_cannot_be_replayed_is_said() {
    let program = Program::rehearsal();
    program.write("wrong.yaml", "workflow: wrong\nwhen:\n  - created: leed\nsteps: []\n");
    program.write(
        "new.yaml",
        "workflow: new\ntitle: New\nwhen:\n  - created: lead\nsteps:\n  - wait: 1 day\n",
    );
    let mut said = String::new();
    for line in [
        "backtest wrong.yaml --last 3d",
        "backtest new.yaml --last soon",
        "backtest new.yaml --last 3d --against active",
        "backtest workflows --last 3d",
        "backtest new.yaml --from 2027-01-01",
    ] {
        let ended = program.run(line);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{line}");
        said.push_str(&ended.stderr);
    }
    expect![[r#"
        error[R103]: there is no object `leed`
         --> wrong.yaml:3:14
          |
        3 |   - created: leed
          |              ^^^^ did you mean `lead`?
        error: `soon` is not a time back; write `30d`, `2w`, `12h` or `30 days`
        error: no workflow `new` is active, so there is nothing to compare the draft with; leave out `--against`
        error: workflows is a folder; a backtest takes one workflow, such as workflows/draft.yaml
        error: there is nothing to replay from 2026-12-31T23:00:00Z to 2026-12-14T09:00:00Z; the time must lie in the past, its beginning before its end
    "#]].assert_eq(&said);
    assert_eq!(program.run("backtest new.yaml").code, 2);
}
