//! What is said where the input is wrong, and with which exit code.

use expect_test::{Expect, expect};

use crate::program::Program;

fn check(program: &Program, line: &str, expected: Expect) {
    let ended = program.run(line);
    assert_eq!(ended.code, 1, "{line}\n{}\n{}", ended.stdout, ended.stderr);
    assert_eq!(ended.stdout, "", "{line}");
    expected.assert_eq(&ended.stderr);
}

#[test]
fn outside_of_a_data_directory() {
    let program = Program::new();
    check(
        &program,
        "runs",
        expect![[r#"
            error: the current directory is not a data directory (it has no relata.toml); name one with `--data DIR`, or make one with `relata init DIR`
        "#]],
    );
    check(
        &program,
        "runs --data shop",
        expect![[r#"
            error: `shop` is not a data directory (it has no relata.toml); name one with `--data DIR`, or make one with `relata init DIR`
        "#]],
    );
    check(
        &program,
        "check",
        expect![[r#"
            error: there is no folder workflows here; name the files or folders to check, or a data directory with `--data DIR`
        "#]],
    );
    program.ok("init shop");
    check(
        &program,
        "runs",
        expect![[r#"
            error: the current directory is not a data directory (it has no relata.toml); did you mean `--data shop`?
        "#]],
    );
    check(
        &program,
        "runs --data shop/workflows",
        expect![[r#"
            error: `shop/workflows` is not a data directory (it has no relata.toml); did you mean `--data shop/workflows/..`?
        "#]],
    );
    check(
        &program,
        "init shop",
        expect![[r#"
            error: shop is not empty; `relata init` wants a new or empty directory
        "#]],
    );
}

#[test]
fn names_that_are_not_there() {
    let program = Program::rehearsal();
    for (line, expected) in [
        (
            "records list leed",
            expect![[r#"
                error: there is no object `leed`; did you mean `lead`?
            "#]],
        ),
        (
            "records get contact/anna",
            expect![[r#"
                error: there is no contact `anna`
            "#]],
        ),
        (
            "records create contact nmae=Anna",
            expect![[r#"
                error: a contact has no field `nmae`; did you mean `name`?
            "#]],
        ),
        (
            "records list contact --fields name,emial",
            expect![[r#"
                error: a contact has no field `emial`; did you mean `email`?
            "#]],
        ),
        (
            "records list lead --where 'lead.contry == \"DE\"'",
            expect![[r#"
                error[R102]: a lead has no field `contry`
                 --> formula:1:1
                  |
                1 | lead.contry == "DE"
                  | ^^^^^^^^^^^ did you mean `country`?
            "#]],
        ),
        (
            "deactivate win-bak",
            expect![[r#"
                error: no workflow `win-bak` is active
            "#]],
        ),
        (
            "action describe asign.round_robin",
            expect![[r#"
                error: there is no action `asign.round_robin`; did you mean `assign.round_robin`?
            "#]],
        ),
        (
            "runs show run_01k9z0000000000000000000zz",
            expect![[r#"
                error: there is no run run_01k9z0000000000000000000zz; `relata runs` lists them
            "#]],
        ),
        (
            "import contact nothing.csv",
            expect![[r#"
                error: cannot read nothing.csv: No such file or directory (os error 2)
            "#]],
        ),
    ] {
        check(&program, line, expected);
    }
}

#[test]
fn times() {
    let program = Program::rehearsal();
    for (line, expected) in [
        (
            "clock to tomorrow",
            expect![[r#"
                error: `tomorrow` is not a time; write `2026-12-14 10:00`, which is local time, or `2026-12-14T10:00:00Z`
            "#]],
        ),
        (
            "clock advance 3 lightyears",
            expect![[r#"
                error: `3 lightyears` is not a duration; write `24 hours`, `1 day`, `90 minutes` or `4 working hours`
            "#]],
        ),
        (
            "clock advance 4 working hours",
            expect![[r#"
                error: `4 working hours` needs a calendar, and the clock has none; write hours or days, or a time with `relata clock to`
            "#]],
        ),
        (
            "clock to 2026-12-01",
            expect![[r#"
                error: 2026-11-30T23:00:00Z is before 2026-12-14T09:00:00Z; the clock goes forward only
            "#]],
        ),
    ] {
        check(&program, line, expected);
    }
    let real = Program::new();
    real.ok("init .");
    check(
        &real,
        "clock advance 1 day",
        expect![[r#"
            error: this is no rehearsal: its clock is the real one; make a rehearsal with `relata init DIR --rehearsal`
        "#]],
    );
}

#[test]
fn a_fault_of_ours_says_its_causes() {
    let program = Program::rehearsal();
    program.write(
        "relata.db",
        "this is no database, and long enough not to be taken for an empty one",
    );
    let ended = program.run("records list lead");
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
    assert!(ended.stderr.contains("  because: "), "{}", ended.stderr);
    assert!(!ended.stderr.contains("Error {"), "debug output: {}", ended.stderr);
}
