//! Looking after a host: pauses, retries, backups, the doctor.

use crate::program::Program;

const ASSIGN: &str = "\
workflow: try
when:
  - button: Try
inputs:
  team: team
steps:
  - do: assign.round_robin
    team: =team
";

/// What is said where the input was wrong.
fn refusal(program: &Program, line: &str) -> String {
    let ended = program.run(line);
    assert_eq!(ended.code, 1, "{line}\n{}\n{}", ended.stdout, ended.stderr);
    ended.stderr
}

fn company() -> Program {
    let program = Program::rehearsal();
    program.write("try.yaml", ASSIGN);
    program.ok("activate try.yaml");
    program
}

#[test]
fn a_paused_workflow_goes_on_when_it_is_resumed() {
    let program = company();
    let refused = refusal(&program, "pause workflow try");
    assert!(refused.contains("say why, with `--why REASON`"), "{refused}");
    let told = program.ok("pause workflow try --why maintenance");
    assert_eq!(told, "paused; `relata resume workflow try` lets it go on\n");
    program.ok("start try --input team=team/dach");
    program.ok("clock advance 1 minute");
    let runs = program.ok("runs");
    assert!(runs.contains("the workflow try is paused by cli since"), "{runs}");
    let shown = program.json("pause");
    assert_eq!((&shown[0]["kind"], &shown[0]["name"]), (&"workflow".into(), &"try".into()));
    assert_eq!((&shown[0]["why"], &shown[0]["runs"]), (&"maintenance".into(), &1.into()));
    let told = program.ok("resume workflow try");
    assert_eq!(told, "resumed; 1 run and 0 effects were waiting for it\n");
    assert_eq!(program.ok("pause"), "nothing is paused\n");
}

#[test]
fn a_failed_run_is_found_and_goes_on_with_another_value() {
    let program = company();
    program.ok("start try --input team=team/dach");
    program.ok("clock advance 1 minute");
    let doctor = program.ok("doctor");
    assert!(
        doctor.starts_with("note[failed-runs]: 1 run that began within a day failed\n"),
        "{doctor}"
    );
    assert_eq!(
        program.ok("runs list --dead"),
        "no such runs; `relata why-not WORKFLOW RECORD` says why one did not start\n"
    );
    let found = program.ok("runs retry --error NOBODY --workflow try --dry-run");
    assert!(
        found.ends_with("\n1 run goes on; nothing was done, since this is a dry run\n"),
        "{found}"
    );
    let neither = refusal(&program, "runs retry");
    assert!(neither.contains("name a run, or say which ones"), "{neither}");
    let json = program.json("runs --failed");
    let run = json[0]["run"].as_str().unwrap();
    let wrong = refusal(&program, &format!("runs retry {run} --set tame=x"));
    assert!(wrong.contains("tame: is not known to the run; there are team"), "{wrong}");
    let told = program.ok(&format!("runs retry {run} --set team=team/enterprise --why mended"));
    assert!(told.contains("again at do: assign.round_robin, with another team: mended"), "{told}");
    program.ok("clock advance 1 minute");
    let history = program.ok(&format!("runs show {run}"));
    assert!(history.contains("do: assign.round_robin: goes on again"), "{history}");
    assert!(history.contains("with another team"), "{history}");
}

#[test]
fn a_backup_is_proved_and_restored() {
    let program = company();
    let told = program.ok("backup monday.db");
    assert!(told.starts_with("monday.db is written and proved: "), "{told}");
    let again = refusal(&program, "backup monday.db");
    assert!(again.contains("monday.db is there already"), "{again}");
    program.ok("start try --input team=team/dach");
    let refused = refusal(&program, "restore monday.db");
    assert!(refused.contains("with `--force` it is put aside and kept"), "{refused}");
    let told = program.ok("restore monday.db --force");
    assert!(told.ends_with("everything is paused; `relata resume all` lets it go on\n"), "{told}");
    assert_eq!(program.ok("runs"), "no runs yet; `relata workflows` shows what is active\n");
    program.write("letter.db", "Dear Sir or Madam");
    let wrong = refusal(&program, "backup --check letter.db");
    assert!(wrong.contains("letter.db is not a backup of Relata"), "{wrong}");
    let cleanup = refusal(&program, "cleanup");
    assert!(cleanup.contains("has no [retention], so everything is kept"), "{cleanup}");
}
