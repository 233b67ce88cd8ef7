//! Help, completions and usage.

use expect_test::expect;

use crate::program::Program;

#[test]
fn the_commands() {
    let help = Program::new().ok("--help");
    let commands: String = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .take_while(|line| !line.is_empty())
        .map(|line| format!("{line}\n"))
        .collect();
    expect![[r#"
        Commands:
          init         Make a data directory
          serve        Run the workflows until stopped
          import       Import records from a CSV file
          records      Read and write records
          check        Find what is wrong in workflows, and say how to mend it
          explain      Explain a message of `relata check`: what it means, an example, the mend
          test         Play the tests of workflows: files NAME.test.yaml beside the workflows
          backtest     Replay the event log over a draft: what it would have done
          graph        Draw a workflow: what starts it, its steps, branches, waits and ends
          activate     Activate workflows: from now on their triggers start runs
          deactivate   Deactivate a workflow: its triggers start nothing more
          workflows    List the workflows that are active, or were
          clock        Read a rehearsal's clock, or move it
          start        Start a workflow by hand: one with a button, or one that nothing else starts
          runs         Show what workflows did and do
          why          Why a record has the owner that it has
          why-not      Why a workflow ran, or did not run, for a record
          route        Say who would get a ticket
          sla          How tickets stand to what their customers were promised
          approvals    Show the questions that runs ask people, and answer them
          outbox       Show every mail and notice, and how it stands
          inbox        Show the mails that came in and became no message, and decide on them
          doctor       Say what is wrong with a host, and what to do about it
          cleanup      Take away what `[retention]` in relata.toml keeps no longer
          limits       Show who is at work under a limit, and who waits for one
          pause        Stop a run, a workflow, an action or everything for a while
          resume       Let go on what `relata pause` stopped
          backup       Copy the database into a file, also while `relata serve` runs
          restore      Put a backup in the place of the database
          secret       Keep the secrets that workflows name, such as those of webhooks
          token        Make and revoke the tokens with which other programs use the API
          user         Let people in: users, their roles, passwords and one-time codes
          audit        Show what was refused, who logged in, and who got which rights
          objects      Show what is kept: the objects, and the fields of one
          action       List actions, read what they take, and try them
          plugin       Make, publish and install plugins
          schema       Print a JSON Schema, with which an editor completes workflows
          lsp          Help an editor with workflows, over the Language Server Protocol
          demo         Play some weeks of a company in a fresh rehearsal, and print what happened
          completions  Print what makes a shell complete `relata` commands
          help         Print this message or the help of the given subcommand(s)
    "#]]
    .assert_eq(&commands);
}

#[test]
fn every_command_has_help_with_its_options() {
    let program = Program::new();
    for command in [
        "init",
        "serve",
        "import",
        "records",
        "records list",
        "check",
        "activate",
        "deactivate",
        "workflows",
        "clock",
        "clock advance",
        "start",
        "runs",
        "runs show",
        "why-not",
        "sla",
        "sla recompute",
        "approvals",
        "approvals answer",
        "outbox",
        "inbox",
        "doctor",
        "cleanup",
        "pause",
        "resume",
        "backup",
        "restore",
        "runs retry",
        "runs cancel",
        "secret",
        "secret set",
        "secret list",
        "token",
        "token create",
        "user",
        "user create",
        "user codes",
        "audit",
        "action",
        "action run",
        "plugin new",
        "plugin build",
        "plugin check",
        "plugin test",
        "plugin dev",
        "plugin replay",
        "demo",
        "completions",
    ] {
        let help = program.ok(&format!("{command} --help"));
        assert!(help.contains("--json"), "{command}:\n{help}");
        assert!(!help.contains('\x1b'), "{command} has colours in a pipe");
    }
}

#[test]
fn shells_complete() {
    let program = Program::new();
    for (shell, word) in
        [("bash", "complete -F"), ("zsh", "#compdef relata"), ("fish", "complete -c relata")]
    {
        let script = program.ok(&format!("completions {shell}"));
        assert!(script.contains(word), "{shell}");
        assert!(script.contains("why-not"), "{shell}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let program = Program::new();
    for line in [
        "",
        "nonsense",
        "init",
        "clock advance",
        "runs --status odd",
        "records set contact/anna tier",
    ] {
        assert_eq!(program.run(line).code, 2, "{line}");
    }
    let ended = program.run("records get anna");
    assert_eq!(ended.code, 2);
    let first = ended.stderr.lines().next().unwrap();
    expect!["error: invalid value 'anna' for '<RECORD>': `anna` is not a record; write `object/key`, such as `contact/anna`"]
        .assert_eq(first);
}
