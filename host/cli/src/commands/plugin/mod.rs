//! `relata plugin`: the subcommands, one a file.

mod build;
mod check;
mod dev;
mod inspect;
mod install;
mod key;
mod list;
mod new;
mod pack;
mod project;
mod push;
mod remove;
mod replay;
mod shown;
mod sign;
mod test;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::context::Context;

/// Make, publish and install plugins.
///
/// A plugin gives workflows new actions. It is a WebAssembly component that
/// runs in a sandbox, with a plugin.toml that says what it asks for; it may do
/// what its operator agreed to and nothing else.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata plugin new enrich                         a folder that builds and tests
  relata plugin build enrich
  relata plugin test enrich
  relata plugin pack enrich                        makes enrich-0.1.0.relata
  relata plugin key new author.pem
  relata plugin sign enrich-0.1.0.relata --key author.pem
  relata plugin inspect oci://plugins.example/sales/enrich:0.1.0
  relata plugin install enrich-0.1.0.relata --data shop
  relata plugin list --data shop")]
pub(crate) struct PluginArgs {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    New(new::NewArgs),
    Build(build::BuildArgs),
    Check(check::CheckArgs),
    Test(test::TestArgs),
    Dev(dev::DevArgs),
    Replay(replay::ReplayArgs),
    Pack(pack::PackArgs),
    Sign(sign::SignArgs),
    Key(key::KeyArgs),
    Inspect(inspect::InspectArgs),
    Push(push::PushArgs),
    Install(install::InstallArgs),
    List(list::ListArgs),
    Remove(remove::RemoveArgs),
}

impl PluginArgs {
    /// Whether it plays calls: what plugins warn of is a part of them.
    pub(crate) const fn plays(&self) -> bool {
        matches!(
            self.command,
            PluginCommand::Test(_) | PluginCommand::Dev(_) | PluginCommand::Replay(_)
        )
    }
}

pub(crate) async fn run(context: &Context, args: PluginArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        PluginCommand::New(args) => new::run(context, args),
        PluginCommand::Build(args) => Box::pin(build::run(context, args)).await,
        PluginCommand::Check(args) => Box::pin(check::run(context, args)).await,
        PluginCommand::Test(args) => Box::pin(test::run(context, args)).await,
        PluginCommand::Dev(args) => Box::pin(dev::run(context, args)).await,
        PluginCommand::Replay(args) => Box::pin(replay::run(context, args)).await,
        PluginCommand::Pack(args) => Box::pin(pack::run(context, args)).await,
        PluginCommand::Sign(args) => sign::run(context, &args),
        PluginCommand::Key(args) => key::run(context, args),
        PluginCommand::Inspect(args) => Box::pin(inspect::run(context, args)).await,
        PluginCommand::Push(args) => Box::pin(push::run(context, args)).await,
        PluginCommand::Install(args) => Box::pin(install::run(context, args)).await,
        PluginCommand::List(args) => list::run(context, args).await,
        PluginCommand::Remove(args) => remove::run(context, args).await,
    }
}
