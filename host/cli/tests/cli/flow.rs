//! From a file of leads to the mails that went out.

use std::process::Stdio;

use expect_test::expect;
use serde_json::json;

use crate::program::{Program, without_ids};

const USERS: &str = "\
external_id,name,email,team,skills,weight,capacity,presence,active
mara,Mara Brandt,mara@relata.example,dach,german:5,1,40,online,yes
";

const LEADS: &str = "\
\u{feff}name,email,country\r
Anna Wolf,ANNA@A.EXAMPLE,DE\r
\"Huber, Max\",max@b.example,at\r
李雷,lilei@c.example,Germany\r
Anna Wolf,anna@a.example,DE\r
";

/// A company with an agent, before its leads come in.
fn company() -> Program {
    let program = Program::rehearsal();
    program.write("users.csv", USERS);
    program.write("leads.csv", LEADS);
    program.ok("import user users.csv");
    program
}

#[test]
fn leads_are_imported_once() {
    let program = company();
    expect![[r#"
        {
          "read": 4,
          "created": 2,
          "updated": 1,
          "unchanged": 1,
          "rejected": [
            {
              "line": 4,
              "field": "country",
              "why": "takes a country in two letters, such as DE, not `Germany`"
            }
          ]
        }
    "#]]
    .assert_eq(&program.ok("import lead leads.csv --json"));
    expect![[r#"
        4 lines read: 0 created, 3 updated (3 unchanged), 1 rejected

        Line  Field    Why it was rejected
        ─────────────────────────────────────────────────────────────────────────
           4  country  takes a country in two letters, such as DE, not `Germany`
    "#]]
    .assert_eq(&program.ok("import lead leads.csv"));

    let leads = program.json("records list lead --fields email,status");
    let mut emails: Vec<&str> =
        leads.as_array().unwrap().iter().map(|lead| lead["email"].as_str().unwrap()).collect();
    emails.sort_unstable();
    assert_eq!(emails, ["anna@a.example", "max@b.example"]);
    let some = program.json("records list lead --where 'lead.country == \"AT\"'");
    assert_eq!(some.as_array().unwrap().len(), 1);
    assert_eq!(some[0]["name"], "Huber, Max");

    program.write("bad.csv", "name,email\nNobody,not an address\n");
    let ended = program.run("import lead bad.csv");
    assert_eq!(ended.code, 1, "no line was taken");
}

#[test]
fn a_record_is_written_and_read() {
    let program = Program::rehearsal();
    let made = program.json(
        "records create contact external_id=anna name='Anna Wolf' email=ANNA@A.EXAMPLE tier=gold",
    );
    assert_eq!((&made["email"], &made["revision"]), (&json!("anna@a.example"), &json!(1)));
    expect![[r#"
        contact/anna: tier was gold, is silver
    "#]]
    .assert_eq(&program.ok("records set contact/anna tier=silver"));
    let again = program.json("records set contact/anna tier=silver");
    assert_eq!((&again["changed"], &again["record"]["revision"]), (&json!(false), &json!(2)));
    let got = program.json("records get contact/anna");
    assert_eq!(got["id"], made["id"]);
    let table = program.ok("records get contact/anna");
    assert!(table.contains("2026-12-14 10:00"), "times are local: {table}");
    let timeline = program.json("records timeline contact/anna");
    assert_eq!(timeline.as_array().unwrap().len(), 2, "{timeline}");
    assert_eq!(timeline[1]["by"], "cli");
}

#[test]
fn workflows_run_while_the_clock_moves() {
    let program = company();
    program.ok("import lead leads.csv");
    expect![[r#"
        24 workflows, 23 test files, 0 errors, 0 warnings
    "#]]
    .assert_eq(&program.ok("check"));
    expect![[r#"
        assign-new-leads is active

        `relata clock advance 1 day` runs them; `relata workflows` lists them
    "#]]
    .assert_eq(&program.ok("activate workflows/assign-new-leads.yaml"));
    let again = program.json("activate workflows/assign-new-leads.yaml");
    assert_eq!(again[0]["unchanged"], json!(true));
    let active = program.json("workflows");
    assert_eq!(active[0]["workflow"], "assign-new-leads");

    // The leads that came before the activation concern it as well, as long
    // as nobody has looked at them.
    let moved = program.json("clock advance 3 hours");
    assert_eq!(moved["to"], "2026-12-14T12:00:00Z");
    assert_eq!(program.json("clock now")["local"], "2026-12-14T13:00:00+01:00[Europe/Berlin]");

    let runs = program.json("runs --workflow assign-new-leads");
    assert_eq!(runs.as_array().unwrap().len(), 2, "{runs}");
    assert_eq!(runs[0]["status"], "active");
    assert!(runs[0]["at"].as_str().unwrap().starts_with("wait_for: "), "{runs}");
    let run = runs[0]["run"].as_str().unwrap();
    let history = program.json(&format!("runs show {run}"));
    let labels: Vec<&str> = history["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| step["kind"] == "done")
        .map(|step| step["label"].as_str().unwrap())
        .collect();
    assert_eq!(
        labels[1..],
        ["do: assign.round_robin", "do: crm.update", "do: mail.send", "do: task.create"]
    );
    let shown = without_ids(&program.ok(&format!("runs show {run}")));
    let assigned: String = shown
        .lines()
        .skip_while(|line| !line.contains("do: assign.round_robin"))
        .take_while(|line| !line.is_empty() && !line.contains("used"))
        .map(|line| format!("{}\n", &line[2..]))
        .collect();
    expect![[r#"
        3  2026-12-14 10:00  do: assign.round_robin: done  (line 24)
           input   max_open_leads: 40, team: team/dach
           output  fallback: no, reason: Mara Brandt: it is their turn, user: user/mara (Mara Brandt)
           among   Mara Brandt: picked: it is their turn
    "#]]
    .assert_eq(&assigned);

    let outbox = program.json("outbox --status sent");
    let subjects = outbox.as_array().unwrap().len();
    assert_eq!(subjects, 2, "{outbox}");
    assert!(program.path("mail").read_dir().unwrap().count() >= 2);

    let effect = outbox[0]["effect"].as_str().unwrap();
    let mail = program.json(&format!("outbox show {effect}"));
    assert_eq!((&mail["template"], &mail["kind"]), (&json!("welcome"), &json!("mail")));
    assert!(!mail["text"].as_str().unwrap().is_empty());
    let ended = program.run(&format!("outbox drop {effect}"));
    assert_eq!(ended.code, 1);
    assert_eq!(
        ended.stderr,
        format!("error: {effect} is sent, and not due, held, unknown or failed\n")
    );

    let lead = runs[0]["record"].as_str().unwrap();
    let reasons = program.json(&format!("why-not assign-new-leads {lead}"));
    assert_eq!(reasons[0]["run"], run);
    let not_active = program.json(&format!("why-not win-back {lead}"));
    assert_eq!(not_active[0]["why"], "no workflow `win-back` is active");

    program.ok(&format!("runs cancel {run}"));
    program.ok("clock advance 0 minutes");
    assert_eq!(program.json("runs --status cancelled").as_array().unwrap().len(), 1);
    program.ok("deactivate assign-new-leads");
    assert_eq!(program.json("workflows")[0]["version"], json!(null));
    let listed = program.ok("workflows");
    assert!(listed.contains("not active"), "{listed}");
}

#[test]
fn what_is_wrong_in_a_workflow_is_shown_at_its_place() {
    let program = Program::rehearsal();
    let path = program.path("workflows/assign-new-leads.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    program.write(
        "workflows/assign-new-leads.yaml",
        &text.replace("lead.country in", "lead.contry in"),
    );
    let ended = program.run("check workflows/assign-new-leads.yaml");
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("--> workflows/assign-new-leads.yaml:"), "{}", ended.stdout);
    assert!(ended.stdout.contains("did you mean `country`?"), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("1 workflow, 1 error, 0 warnings\n"), "{}", ended.stdout);

    let ended = program.run("check --json");
    let found: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&found["workflows"], &found["errors"]), (&json!(24), &json!(1)), "{found}");
    assert_eq!(found["diagnostics"][0]["code"], "R102");

    let ended = program.run("activate workflows");
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.ends_with("error: nothing was activated: 1 error\n"), "{}", ended.stderr);
    assert_eq!(program.json("workflows"), json!([]), "one error, and none is active");
}

#[test]
fn an_action_is_tried_and_nothing_is_kept() {
    let program = Program::rehearsal();
    program
        .ok("records create contact external_id=anna name=Anna email=anna@a.example tier=standard");
    let input = r#"{"record": "contact/anna", "set": {"tier": "gold"}}"#;
    let trial = program.json(&format!("action run crm.update --input '{input}'"));
    assert_eq!(
        (&trial["outcome"], &trial["writes"][0]["fields"]),
        (&json!("done"), &json!({ "tier": "gold" }))
    );
    assert_eq!(program.json("records get contact/anna")["tier"], "standard");

    let ended = program.run_with(
        "action run sentiment.score --lines",
        "{\"text\": \"This is a terrible mess, I am furious!\"}\nnonsense\n{\"text\": \"Thank you, wonderful!\"}\n",
    );
    assert_eq!(ended.code, 1, "a line was wrong");
    let results: Vec<serde_json::Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let labels: Vec<_> = results.iter().map(|result| &result["output"]["label"]).collect();
    assert_eq!(labels, [&json!("negative"), &json!(null), &json!("positive")]);
    assert_eq!(results[1]["outcome"], "failed");

    let outside = Program::new();
    let trial = outside.json("action run sentiment.score --input '{\"text\": \"Danke\"}'");
    assert_eq!(trial["outcome"], "done");
    assert_eq!(std::fs::read_dir(outside.path(".")).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let program = Program::rehearsal();
    let rows: String = (0..2_000).map(|n| format!("Contact {n},c{n}@a.example\n")).collect();
    program.write("contacts.csv", &format!("name,email\n{rows}"));
    program.ok("import contact contacts.csv");
    let mut child = program
        .command(&["records", "list", "contact", "--limit", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // What `| head -0` does.
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn tables_are_for_people() {
    let program = Program::rehearsal();
    program.ok("records create user external_id=mara name='Mara Brandt' email=mara@relata.example");
    program
        .ok("records create lead external_id=anna name='Anna\u{1b}[2J Wolf' email=anna@a.example owner=user/mara");
    let printed = program.ok("records list lead");
    expect![[r#"
        lead       name           email           status  owner        locale
        ──────────────────────────────────────────────────────────────────────
        lead/anna  Anna [2J Wolf  anna@a.example  new     Mara Brandt  en
    "#]]
    .assert_eq(&printed);
}

#[test]
fn the_first_time_of_a_rehearsal_is_local() {
    let program = Program::new();
    program.ok("init . --rehearsal --clock '2026-12-14 10:00'");
    assert_eq!(
        program.ok("clock now"),
        "2026-12-14 10:00 in Europe/Berlin (a rehearsal's clock)\n"
    );
}
