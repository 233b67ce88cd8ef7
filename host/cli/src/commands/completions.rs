//! `relata completions`

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::{Arguments, out};

/// Print what makes a shell complete `relata` commands.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata completions bash > /etc/bash_completion.d/relata
  relata completions zsh > ~/.zfunc/_relata
  relata completions fish > ~/.config/fish/completions/relata.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "relata", &mut script);
    out::text(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}
