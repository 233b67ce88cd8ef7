//! `relata secret`: what is in one is never seen again.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    process::{Command, Stdio},
};

use expect_test::expect;

use crate::program::{Ended, Program};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[test]
fn a_secret_is_kept_listed_and_removed_and_never_printed() {
    let program = Program::company();
    let mut printed = program.ok("secret list");
    for line in ["secret set shop-webhook", "secret set shop-webhook", "secret set fair --json"] {
        let ended = program.run_with(line, &format!("{SECRET}\n"));
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        printed.push_str(&ended.stdout);
    }
    for line in ["secret list", "secret list --json", "secret remove fair", "secret remove fair"] {
        let ended = program.run(line);
        printed.push_str(&ended.stdout);
        printed.push_str(&ended.stderr);
    }
    expect![[r#"
        no secret is set; `relata secret set NAME` sets one
        the secret shop-webhook is set
        the secret shop-webhook was replaced
        {
          "hidden": false,
          "replaced": false,
          "secret": "fair"
        }
        Secret        From
        ───────────────────
        fair          file
        shop-webhook  file
        [
          {
            "secret": "fair",
            "from": "file"
          },
          {
            "secret": "shop-webhook",
            "from": "file"
          }
        ]
        the secret fair was removed
        error: there is no secret `fair`
    "#]]
    .assert_eq(&printed);

    let file = program.path("secrets/shop-webhook");
    assert_eq!(fs::read_to_string(&file).unwrap(), SECRET, "without the line break");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(program.path("secrets")).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn what_is_wrong_is_said_without_the_secret() {
    let program = Program::company();
    for (line, stdin, expected) in [
        ("secret set Shop", SECRET, "`Shop` cannot name a secret"),
        ("secret set ../x", SECRET, "`../x` cannot name a secret"),
        ("secret set shop", "\n", "the secret `shop` would be empty"),
    ] {
        let ended = program.run_with(&format!("{line} --verbose"), stdin);
        assert_eq!(ended.code, 1, "{line}");
        assert!(ended.stderr.contains(expected), "{line}: {}", ended.stderr);
        assert!(!ended.stderr.contains(SECRET), "{line}: {}", ended.stderr);
    }
    // A secret is not an argument: the shell's history and `ps` would keep it.
    assert_eq!(program.run(&format!("secret set shop {SECRET}")).code, 2);
}

#[test]
fn the_environment_goes_before_the_file() {
    let program = Program::company();
    let run = |line: &[&str], stdin: Stdio| -> Ended {
        let mut command: Command = program.command(line);
        command.env("RELATA_SECRET_SHOP_WEBHOOK", SECRET).stdin(stdin);
        Ended::of(command.output().unwrap())
    };
    program.write(".stdin", "another");
    let set = run(
        &["secret", "set", "shop-webhook"],
        fs::File::open(program.path(".stdin")).unwrap().into(),
    );
    assert!(set.stderr.contains("the environment has one of this name"), "{}", set.stderr);
    let listed = run(&["secret", "list", "--json"], Stdio::null());
    expect![[r#"
        [
          {
            "secret": "shop-webhook",
            "from": "environment"
          }
        ]
    "#]]
    .assert_eq(&listed.stdout);
}
