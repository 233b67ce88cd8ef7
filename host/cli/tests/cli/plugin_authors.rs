//! `relata plugin new`, `build`, `check`, `test`, `dev` and `replay`: what
//! authors of plugins do.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use expect_test::expect;
use serde_json::Value as Json;

use crate::program::{Ended, Program, split};

/// The program, with cargo's work where the repository has its own: what a
/// plugin needs is compiled there already.
fn command(program: &Program, line: &str) -> Command {
    let words = split(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut command = program.command(&words);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    command.env("CARGO_TARGET_DIR", target);
    command
}

fn run(program: &Program, line: &str) -> Ended {
    Ended::of(command(program, line).output().unwrap())
}

fn ok(program: &Program, line: &str) -> String {
    let ended = run(program, line);
    assert_eq!(ended.code, 0, "{line}\n{}\n{}", ended.stdout, ended.stderr);
    ended.stdout
}

/// The text without numbers that a build or a machine decides, and without the
/// spaces that put columns under each other.
fn without_sizes(text: &str) -> String {
    let units = ["KiB", "MiB", "ms", "s"];
    let mut plain = String::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let mut words: Vec<&str> = line.split_whitespace().collect();
        for place in 1..words.len() {
            let is_unit = units.contains(&words[place].trim_end_matches([',', ';']));
            if is_unit && words[place - 1].chars().all(|c| c.is_ascii_digit() || c == '.') {
                words[place - 1] = "…";
            }
        }
        plain.push_str(&format!("{:indent$}{}\n", "", words.join(" ")));
    }
    plain
}

/// Replaces a text in a file of the plugin.
fn edit(program: &Program, file: &str, from: &str, to: &str) {
    let path = program.path(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no `{from}`:\n{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

/// A program that runs on, killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn from_nothing_to_a_plugin_that_is_built_tested_packed_and_replayed() {
    let program = Program::rehearsal();
    expect![[r#"
        the plugin neat is in neat

        Next:
          relata plugin build neat
          relata plugin test neat
          relata plugin pack neat
    "#]]
    .assert_eq(&ok(&program, "plugin new neat"));
    // Nothing of the repository is needed, and nothing names it.
    let manifest = fs::read_to_string(program.path("neat/sdk/rust/Cargo.toml")).unwrap();
    assert!(!manifest.contains("workspace"), "{manifest}");

    expect![[r#"
        neat/build/neat.wasm: … KiB, imports log, records
    "#]]
    .assert_eq(&without_sizes(&ok(&program, "plugin build neat")));
    expect![[r#"
        neat 0.1.0: Tidy up leads
        neat/build/neat.wasm: … KiB, imports log, records

        Action What it does Reads Writes
        ────────────────────────────────────────────────────────────
        neat.tidy_name Tidy up a lead's name lead.name lead.name

        Interface Imported plugin.toml asks to
        ─────────────────────────────────────────────────────────────────
        log yes (needs no permission)
        records yes read `name` of `lead`; set `name` of `lead`

        limits: … ms of CPU, … MiB of memory, … s a call, 100 reads, 1000 writes, 20 requests
    "#]]
    .assert_eq(&without_sizes(&ok(&program, "plugin check neat")));
    let told: Json = serde_json::from_str(&ok(&program, "plugin check neat --json")).unwrap();
    assert_eq!(told["actions"][0]["action"], "neat.tidy_name");
    assert_eq!(told["imports"], serde_json::json!(["log", "records"]));
    expect![[r#"
        neat/tests/neat.test.yaml
          ok takes needless spaces out … ms CPU … MiB 2 host calls … ms
          ok leaves a tidy name alone … ms CPU … MiB 1 host calls … ms
          ok says which lead is missing … ms CPU … MiB 1 host calls … ms

        3 cases, 0 failed; 11 faults, all answered in order
    "#]]
    .assert_eq(&without_sizes(&ok(&program, "plugin test neat")));
    let packed = ok(&program, "plugin pack neat");
    assert!(packed.starts_with("neat-0.1.0.relata: "), "{packed}");

    replayed(&program);
    developed(&program);
    broken(&program);
}

/// A call of a run is made again by what answered it, and by another build.
fn replayed(program: &Program) {
    let inspected: Json = serde_json::from_str(&ok(program, "plugin inspect neat --json")).unwrap();
    let digest = inspected["digest"].as_str().unwrap();
    ok(program, &format!("plugin install neat --yes --consent {digest}"));
    program.write(
        "own/tidy.yaml",
        "workflow: tidy
when:
  - created: lead
steps:
  - do: neat.tidy_name
    lead: =lead
    as: tidied
",
    );
    ok(program, "activate own/tidy.yaml");
    ok(program, "records create lead external_id=anna 'name=Anna   Wolf' email=anna@a.example");
    ok(program, "clock advance 1 minute");
    // What became of the record since is not what the call saw.
    ok(program, "records set lead/anna name=Bert");
    let runs: Json = serde_json::from_str(&ok(program, "runs --json")).unwrap();
    let id = runs[0]["run"].as_str().unwrap();
    let told = |line: &str| {
        let ended = run(program, line);
        let told = ended.stdout.replace(id, "run_…");
        let (head, rest) = told.split_once('\n').unwrap_or((&told, ""));
        let head = head.rsplit_once(", ").map_or(head, |(head, _)| head);
        let digests = rest.split("(component ").map(|part| {
            part.split_once(')')
                .filter(|(digest, _)| digest.len() == 12)
                .map_or(part, |(_, rest)| rest)
        });
        let rest: Vec<&str> = digests.collect();
        format!("{}: {head}\n{}", ended.code, rest.join("").replace("  \n", "\n"))
    };
    expect![[r#"
        0: neat.tidy_name, steps[0] of run_…
          then  done: name: Anna Wolf
          now   done: name: Anna Wolf
            set lead/anna (Bert) name = Anna Wolf
          it logged info: tidied the name of a lead
        it comes out as it did
    "#]]
    .assert_eq(&told(&format!("plugin replay {id} tidied")));
    edit(program, "neat/src/lib.rs", ".join(\" \")", ".join(\"-\")");
    ok(program, "plugin build neat");
    expect![[r#"
        1: neat.tidy_name, steps[0] of run_…
          then  done: name: Anna Wolf
          now   done: name: Anna-Wolf
          - set lead/anna (Bert) name = Anna Wolf
          + set lead/anna (Bert) name = Anna-Wolf
          it logged info: tidied the name of a lead
        it comes out otherwise
    "#]]
    .assert_eq(&told(&format!("plugin replay {id} neat.tidy_name --with neat")));
    let ended = run(program, &format!("plugin replay {id} tidyed"));
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("did you mean `tidied`?"), "{}", ended.stderr);
    edit(program, "neat/src/lib.rs", ".join(\"-\")", ".join(\" \")");
}

/// A change is built, tested and installed, and a plugin that asks for more is
/// not.
fn developed(program: &Program) {
    let mut child = command(program, "plugin dev neat --data . --rounds 3 --json");
    let mut dev = Running(child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut lines = BufReader::new(dev.0.stdout.take().unwrap()).lines();
    let mut round = || -> Json { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let first = round();
    assert_eq!(first["installed"], "neat 0.1.0 is installed already", "{first}");
    edit(program, "neat/src/lib.rs", "tidied the name of a lead", "tidied a lead");
    let second = round();
    assert_eq!((&second["error"], &second["tests"]["failed"]), (&Json::Null, &Json::from(0)));
    assert_eq!(second["installed"], "neat 0.1.0 is installed in .", "{second}");
    edit(program, "neat/plugin.toml", "update = [\"name\"]", "update = [\"name\", \"company\"]");
    let third = round();
    let refused = third["installed"].as_str().unwrap();
    expect!["not installed: it asks for more than was agreed to, to update the field `company` of `lead`; `relata plugin install neat --data .` asks"]
        .assert_eq(refused);
    assert!(dev.0.wait().unwrap().success());
    edit(program, "neat/plugin.toml", "update = [\"name\", \"company\"]", "update = [\"name\"]");
}

/// A plugin that panics where it may not read, and a case that does not hold.
fn broken(program: &Program) {
    edit(
        program,
        "neat/src/lib.rs",
        "let name: String = lead.field(\"name\")?;",
        "let name: String = lead.field(\"name\").expect(\"a name\");",
    );
    // Without another field, no part of a lead could be read.
    edit(program, "neat/plugin.toml", "read = [\"name\"]", "read = [\"name\", \"email\"]");
    edit(program, "neat/tests/neat.test.yaml", "done: { name: Anna Wolf }", "done: { name: Bert }");
    ok(program, "plugin build neat");
    let ended = run(program, "plugin test neat");
    assert_eq!((ended.code, ended.stderr.as_str()), (1, ""));
    expect![[r#"
        neat/tests/neat.test.yaml
          FAILED takes needless spaces out … ms CPU … MiB 2 host calls … ms
          FAILED takes needless spaces out, where it may not read the field `name` of `lead`
          ok leaves a tidy name alone … ms CPU … MiB 1 host calls … ms
          FAILED leaves a tidy name alone, where it may not read the field `name` of `lead`
          ok says which lead is missing … ms CPU … MiB 1 host calls … ms

        takes needless spaces out
        error[failed]: the output was to have `name`: Bert
          --> neat/tests/neat.test.yaml:11:15
           |
        11 | done: { name: Bert }
           | ^^^^ it is Anna Wolf

        what happened:
          it logged info: tidied a lead
          it wrote: update { fields: { name: Anna Wolf }, record: lead/anna }
          it is done: { name: Anna Wolf }

        takes needless spaces out, where it may not read the field `name` of `lead`
          neat/tests/neat.test.yaml:7
          it panicked at src/lib.rs:37:47: a name: Permanent: lead/anna: field `name` has an unexpected value: invalid type: null, expected a string

        leaves a tidy name alone, where it may not read the field `name` of `lead`
          neat/tests/neat.test.yaml:14
          it panicked at src/lib.rs:37:47: a name: Permanent: lead/anna: field `name` has an unexpected value: invalid type: null, expected a string

        3 cases, 1 failed; 13 faults, 2 without an orderly answer
    "#]]
    .assert_eq(&without_sizes(&ended.stdout));
    let ended = run(program, "plugin test neat --no-faults --filter leaves --json");
    assert_eq!(ended.code, 0);
    let told: Json = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&told["cases"], &told["faults"]), (&Json::from(1), &Json::from(0)));
    // A build that fails says so, after what the compiler said.
    edit(program, "neat/src/lib.rs", "struct TidyName;", "struct TidyName");
    let ended = run(program, "plugin build neat");
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("src/lib.rs:"), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("error: cargo could not build relata-plugin-neat"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_name_and_a_folder_have_to_be_free() {
    let program = Program::new();
    program.write("full/file", "");
    for (line, expected) in [
        (
            "plugin new Tidy-Up",
            expect![[r#"
                error: `Tidy-Up` cannot be a plugin's name: a letter a-z first, then letters a-z, digits and _, at most 40; did you mean `tidy_up`?
            "#]],
        ),
        (
            "plugin new crm",
            expect![[r#"
                error: `crm` is one of the built-in plugins; give yours another name
            "#]],
        ),
        (
            "plugin new neat --dir full",
            expect![[r#"
                error: full is not empty; name a new folder with `--dir DIR`
            "#]],
        ),
    ] {
        let ended = program.run(line);
        assert_eq!(ended.code, 1, "{line}");
        expected.assert_eq(&ended.stderr);
    }
    for lang in ["javascript", "python", "c"] {
        let told = program.json(&format!("plugin new neat --lang {lang} --dir {lang}"));
        assert_eq!(told["language"], lang);
        let manifest = fs::read_to_string(program.path(&format!("{lang}/plugin.toml"))).unwrap();
        assert!(manifest.contains("name = \"neat\""), "{manifest}");
        assert!(program.path(&format!("{lang}/tests/neat.test.yaml")).is_file());
        assert!(program.path(&format!("{lang}/sdk/{lang}")).is_dir());
        assert!(program.path(&format!("{lang}/sdk/wit/host.wit")).is_file());
    }
}

const MANIFEST: &str =
    "name = \"neat\"\nversion = \"0.1.0\"\ntitle = \"Neat\"\ncontract = \"0.1.0\"\n";

#[test]
fn what_keeps_a_plugin_from_being_built_is_told() {
    let program = Program::new();
    let check = |build: &str, code: i32, expected: expect_test::Expect| {
        let _ = fs::remove_dir_all(program.path("neat"));
        program.write("neat/plugin.toml", &format!("{MANIFEST}{build}"));
        let ended = program.run("plugin build neat");
        assert_eq!(ended.code, code, "{}", ended.stderr);
        expected.assert_eq(&ended.stderr);
    };
    check(
        "",
        1,
        expect![[r#"
            error: nobody says how neat is built: it has no Cargo.toml, and [build] in plugin.toml has no `command`
        "#]],
    );
    check(
        "[build]\ncommand = \"echo compiling; exit 3\"\n",
        1,
        expect![[r#"
            compiling
            error: `echo compiling; exit 3` failed (exit status: 3), and its messages are above; it is build.command in neat/plugin.toml
        "#]],
    );
    check(
        "[build]\ncommand = \"true\"\ncomponent = \"out/neat.wasm\"\n",
        1,
        expect![[r#"
            error: the build left no neat/out/neat.wasm; name the file that it leaves as build.component in plugin.toml
        "#]],
    );
    // A core module in which nobody has embedded what it is.
    check(
        "[build]\ncommand = \"mkdir -p build && printf '\\\\0asm\\\\1\\\\0\\\\0\\\\0' > build/neat.wasm\"\n",
        1,
        expect![[r#"
            error: plugin `neat` cannot be loaded: it does not fit the contract 0.1.0: it does not export `relata:plugin/actions@0.1.0`; build it with the SDK of that version
        "#]],
    );
    check(
        "[build]\nsetup = \"echo set up > needed\"\nneeds = \"needed\"\ncommand = \"cat needed >&2; false\"\n",
        1,
        expect![[r#"
            set up
            error: `cat needed >&2; false` failed (exit status: 1), and its messages are above; it is build.command in neat/plugin.toml
        "#]],
    );
    check(
        "[build]\ncomand = \"make\"\n",
        1,
        expect![[r#"
            error: plugin.toml cannot be read: TOML parse error at line 6, column 1
              |
            6 | comand = "make"
              | ^^^^^^
            unknown field `comand`, expected one of `setup`, `needs`, `command`, `component`
        "#]],
    );
}

#[test]
fn a_plugin_needs_a_folder_a_component_and_tests() {
    let program = Program::new();
    program.write("neat/plugin.toml", MANIFEST);
    program.write("lone.wasm", "");
    for (line, expected) in [
        (
            "plugin check",
            expect![[r#"
                error: the current folder is not a plugin's (it has no plugin.toml); `relata plugin new NAME` makes one
            "#]],
        ),
        (
            "plugin check nowhere",
            expect![[r#"
                error: there is no folder nowhere; `relata plugin new NAME` makes a plugin
            "#]],
        ),
        (
            "plugin check neat",
            expect![[r#"
                error: neat/build/neat.wasm is not there; `relata plugin build neat` makes it
            "#]],
        ),
        (
            "plugin check lone.wasm",
            expect![[r#"
                error: there is no plugin.toml beside or above lone.wasm; it says what the component may do
            "#]],
        ),
        (
            "plugin test neat",
            expect![[r#"
                error: neat/build/neat.wasm is not there; `relata plugin build neat` makes it
            "#]],
        ),
        (
            "plugin dev nowhere",
            expect![[r#"
                error: there is no folder nowhere; `relata plugin new NAME` makes a plugin
            "#]],
        ),
    ] {
        let ended = program.run(line);
        assert_eq!(ended.code, 1, "{line}");
        expected.assert_eq(&ended.stderr);
    }
    // What is no component is told as an installation would tell it.
    program.write("neat/build/neat.wasm", "not wasm");
    let ended = program.run("plugin check neat");
    assert_eq!(ended.code, 1);
    expect![[r#"
        error: plugin `neat` cannot be loaded: the file is not a WebAssembly component: it does not begin like one
    "#]]
    .assert_eq(&ended.stderr);
}
