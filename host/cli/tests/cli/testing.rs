//! `relata test`, and `relata check` on tests.

use expect_test::expect;
use serde_json::Value as Json;

use crate::program::Program;

const WORKFLOW: &str = "workflow: thanks
when:
  - created: contact
steps:
  - stop_unless: contact.tier == \"gold\"
  - wait: 1 day
  - do: mail.send
    to: =contact
    template: welcome
";

const TEST: &str = "test: thanks
cases:
  - it: greets a day later
    play:
      - at: 2026-12-14 10:00
        create: contact/anna
        set: { name: Anna, email: anna@a.example, tier: gold }
      - go_to: 2026-12-15 10:00
      - expect: done
        sent: { to: contact/anna, template: welcome }
";

#[test]
fn a_case_that_does_not_hold_is_told_with_its_place_and_what_happened() {
    let program = Program::rehearsal();
    program.write("workflows/thanks.yaml", WORKFLOW);
    program.write("workflows/thanks.test.yaml", &TEST.replace("2026-12-15", "2026-12-16"));
    // What is late by a day was sent on the way.
    let ended = program.run("test workflows/thanks.yaml");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{}", ended.stdout);

    let wrong = TEST.replace("2026-12-15 10:00", "2026-12-15 09:59");
    program.write("workflows/thanks.test.yaml", &wrong);
    let ended = program.run("test workflows/thanks.test.yaml");
    assert_eq!((ended.code, ended.stderr.as_str()), (1, ""));
    // But for how long it took.
    let (printed, _) = ended.stdout.rsplit_once(" (").unwrap();
    expect![[r#"
        workflows/thanks.test.yaml
          FAILED  greets a day later

        greets a day later
        error[failed]: the run was to be done
         --> workflows/thanks.test.yaml:9:17
          |
        9 |       - expect: done
          |                 ^^^^ it is waiting until 2026-12-15 10:00

        error[failed]: one message was to be sent
          --> workflows/thanks.test.yaml:10:9
           |
        10 |         sent: { to: contact/anna, template: welcome }
           |         ^^^^ nothing was sent

        what happened:
          thanks for contact/anna
            2026-12-14 10:00  the run: started, contact/anna was created
            2026-12-14 10:00  stop_unless: contact.tier == "gold" (line 5): done, goes on: contact.tier = gold
            2026-12-14 10:00  wait: 1 day (line 6): waiting, 1 day: until 2026-12-15 10:00

        1 case, 1 failed"#]].assert_eq(printed);

    let ended = program.run("test workflows/thanks.test.yaml --json");
    assert_eq!(ended.code, 1);
    let told: Json = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(told["failed"], 1);
    assert_eq!(told["reports"][0]["failures"][0]["span"]["line"], 9);
    assert_eq!(told["coverage"][0]["workflow"], "thanks");
}

#[test]
fn coverage_and_faults_are_told() {
    let program = Program::rehearsal();
    program.write("workflows/thanks.yaml", WORKFLOW);
    program.write("workflows/thanks.test.yaml", TEST);
    let told = program.ok("test workflows/thanks.yaml --coverage");
    let (told, _) = told.rsplit_once(" (").unwrap();
    expect![[r#"
        workflows/thanks.test.yaml
          ok      greets a day later

        thanks: 4 of 5 ways, 80%
          workflows/thanks.yaml:5  never: stop_unless: contact.tier == "gold": it stops

        1 case, 0 failed"#]]
    .assert_eq(told);
    let ended = program.run("test workflows/thanks.yaml --mutate");
    assert_eq!(ended.code, 1);
    expect![[r#"
        thanks: 5 of 7 faults are noticed
          workflows/thanks.yaml:5  no case notices: without this step: `stop_unless: contact.tier == "gold"`
          workflows/thanks.yaml:6  no case notices: without this step: `wait: 1 day`

        7 faults, 2 survivors
    "#]].assert_eq(&ended.stdout);
}

#[test]
fn what_is_wrong_in_a_test_is_told_before_it_runs() {
    let program = Program::rehearsal();
    program.write("workflows/thanks.yaml", WORKFLOW);
    program.write("workflows/thanks.test.yaml", &TEST.replace("tier: gold", "tier: golden"));
    for command in ["check", "test"] {
        let ended = program.run(&format!("{command} workflows/thanks.test.yaml"));
        assert_eq!(ended.code, 1);
        assert!(ended.stdout.contains("error[R203]: `tier` is never `golden`"), "{}", ended.stdout);
    }
    // A folder's tests are no workflows.
    program.write("own/thanks.yaml", WORKFLOW);
    program.write("own/thanks.test.yaml", TEST);
    assert_eq!(program.ok("check own"), "1 workflow, 1 test file, 0 errors, 0 warnings\n");
    assert!(program.ok("activate own").starts_with("thanks is active\n"));
}

#[test]
fn a_test_needs_a_workflow_and_a_file() {
    let program = Program::rehearsal();
    program.write("workflows/thanks.yaml", WORKFLOW);
    for (line, expected) in [
        (
            "test workflows/thanks.yaml",
            expect![[r#"
            error: workflows/thanks.yaml has no tests: there is no workflows/thanks.test.yaml
        "#]],
        ),
        (
            "test nowhere",
            expect![[r#"
            error: there is no nowhere
        "#]],
        ),
        // A slip in the name, another folder, the name instead of the file.
        (
            "check workflows/thank.yaml",
            expect![[r#"
            error: there is no workflows/thank.yaml; did you mean workflows/thanks.yaml?
        "#]],
        ),
        (
            "activate workflow/thanks.yaml",
            expect![[r#"
            error: there is no workflow/thanks.yaml; did you mean workflows/thanks.yaml?
        "#]],
        ),
        (
            "test thanks",
            expect![[r#"
            error: there is no thanks; did you mean workflows/thanks.yaml?
        "#]],
        ),
        (
            "test workflows/win-back.yaml --filter holidais",
            expect![[r#"
            error: no case has `holidais` in its name, its workflow or its file
        "#]],
        ),
        (
            "test --from-run run_01m9swffm0ek7vgmt5h5q1s06q",
            expect![[r#"
            error: there is no run run_01m9swffm0ek7vgmt5h5q1s06q; `relata runs` lists them
        "#]],
        ),
    ] {
        let ended = program.run(line);
        assert_eq!(ended.code, 1, "{line}");
        expected.assert_eq(&ended.stderr);
    }
}
