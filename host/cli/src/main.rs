//! `relata`: customer records, and the follow-up work that runs by itself.

mod bench;
mod commands;
mod context;
mod demo;
mod failure;
mod ground;
mod logging;
mod names;
mod out;
mod progress;
#[cfg(target_os = "linux")]
mod resident;
mod sources;
mod time;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use relata_app::sandbox::COMPILE_COMMAND;

use crate::{
    commands::{
        action, activate, approvals, audit, backtest, backup, check, cleanup, clock, compile,
        completions, deactivate, doctor, explain, graph, import, inbox, init, limits, lsp, objects,
        outbox, pause, plugin, records, route, runs, schema, secret, serve, sla, start, test,
        token, user, why, why_not, workflows,
    },
    context::{Context, Hidden},
    logging::LogFormat,
};

#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Customer records, and the follow-up work that runs by itself.
///
/// Workflows are YAML files; each of their steps is an action of a plugin that
/// runs in a sandbox. Everything lies in one data directory.
#[derive(Debug, Parser)]
#[command(
    name = "relata",
    version,
    max_term_width = 100,
    after_help = "\
To begin:
  relata demo                                a company's weeks in a minute, and what happened
  relata init shop --rehearsal               a data directory of your own, to try things in
  relata COMMAND --help                      examples

Exit codes: 0 fine, 1 the input was wrong, 2 wrong usage, 3 a fault of Relata or its machine."
)]
struct Arguments {
    /// The data directory; the current one by default
    #[arg(long, global = true, value_name = "DIR", env = "RELATA_DATA", hide_env_values = true)]
    data: Option<PathBuf>,
    /// The PostgreSQL database, where the records are in one; the password is
    /// better in PGPASSWORD
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "RELATA_DATABASE_URL",
        hide_env_values = true
    )]
    database_url: Option<Hidden>,
    /// Answer with one JSON document on stdout; lists are arrays
    #[arg(long, global = true)]
    json: bool,
    /// Say more: the causes of an error, and what is done
    #[arg(long, short, global = true)]
    verbose: bool,
    /// What is logged to stderr: error, warn, info, debug, or relata_app=debug,warn
    #[arg(long, global = true, value_name = "FILTER", env = "RELATA_LOG", hide_env_values = true)]
    log: Option<String>,
    /// How a log line looks
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::InitArgs),
    Serve(serve::ServeArgs),
    Import(import::ImportArgs),
    Records(records::RecordsArgs),
    Check(check::CheckArgs),
    Explain(explain::ExplainArgs),
    Test(test::TestArgs),
    Backtest(backtest::BacktestArgs),
    Graph(graph::GraphArgs),
    Activate(activate::ActivateArgs),
    Deactivate(deactivate::DeactivateArgs),
    /// List the workflows that are active, or were
    Workflows,
    Clock(clock::ClockArgs),
    Start(start::StartArgs),
    Runs(Box<runs::RunsArgs>),
    Why(why::WhyArgs),
    WhyNot(why_not::WhyNotArgs),
    Route(route::RouteArgs),
    Sla(sla::SlaArgs),
    Approvals(approvals::ApprovalsArgs),
    Outbox(outbox::OutboxArgs),
    Inbox(inbox::InboxArgs),
    Doctor(doctor::DoctorArgs),
    Cleanup(cleanup::CleanupArgs),
    Limits(limits::LimitsArgs),
    Pause(pause::PauseArgs),
    Resume(pause::ResumeArgs),
    Backup(backup::BackupArgs),
    Restore(backup::RestoreArgs),
    Secret(secret::SecretArgs),
    Token(token::TokenArgs),
    User(user::UserArgs),
    Audit(audit::AuditArgs),
    Objects(objects::ObjectsArgs),
    Action(action::ActionArgs),
    Plugin(Box<plugin::PluginArgs>),
    Schema(schema::SchemaArgs),
    Lsp(lsp::LspArgs),
    /// Play some weeks of a company in a fresh rehearsal, and print what happened
    ///
    /// Leads of a fair are imported and assigned, complaints found and escalated,
    /// surveys sent, dormant customers won back, and the host is killed at its
    /// work. No mail leaves the machine. The exit code is 3 where a promise was
    /// broken.
    Demo {
        /// Where the data is to lie, for a look around: a new or empty directory
        #[arg(long, value_name = "DIR")]
        keep: Option<PathBuf>,
        /// Leave the company open in the console at the end, at this address,
        /// and print how to log in
        #[arg(long, value_name = "ADDR", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:7373")]
        serve: Option<SocketAddr>,
    },
    Completions(completions::CompletionsArgs),
    #[command(hide = true)]
    Bench(bench::BenchArgs),
    #[command(hide = true, name = COMPILE_COMMAND)]
    Compile(compile::CompileArgs),
}

impl Command {
    /// What is logged where nobody says otherwise.
    fn log_level(&self, verbose: bool) -> &'static str {
        match self {
            _ if verbose => "info,relata_app=debug,relata_store=debug,relata_sandbox=debug",
            Self::Serve(_) => "info",
            // What plugins warn of is a part of what a test plays.
            Self::Test(_) => "error",
            Self::Plugin(args) if args.plays() => "error",
            _ => "warn",
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Command::Compile(args) = &arguments.command {
        // Before there are threads, open files, or anything to protect.
        return compile::run(args);
    }
    // Whoever asks for logs wants to know why.
    let verbose = arguments.verbose || arguments.log.is_some();
    run(arguments).unwrap_or_else(|why| failure::report(&why, verbose))
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { data, database_url, json, verbose, log, log_format, command } = arguments;
    logging::start(log_format, log.as_deref(), command.log_level(verbose))?;
    let database = context::database(database_url.as_ref())?;
    let context = Context { json, data, database };
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(dispatch(context, command))
}

async fn dispatch(context: Context, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Init(args) => Box::pin(init::run(&context, args)).await,
        Command::Serve(args) => Box::pin(serve::run(&context, args)).await,
        Command::Import(args) => Box::pin(import::run(&context, args)).await,
        Command::Objects(args) => Box::pin(objects::run(&context, args)).await,
        Command::Records(args) => Box::pin(records::run(&context, args)).await,
        Command::Check(args) => Box::pin(check::run(&context, args)).await,
        Command::Explain(args) => explain::run(&context, &args),
        Command::Graph(args) => Box::pin(graph::run(&context, args)).await,
        Command::Schema(args) => Box::pin(schema::run(&context, args)).await,
        Command::Lsp(args) => Box::pin(lsp::run(&context, args)).await,
        Command::Test(args) => Box::pin(test::run(&context, args)).await,
        Command::Backtest(args) => Box::pin(backtest::run(&context, args)).await,
        Command::Activate(args) => Box::pin(activate::run(&context, args)).await,
        Command::Deactivate(args) => Box::pin(deactivate::run(&context, args)).await,
        Command::Workflows => Box::pin(workflows::run(&context)).await,
        Command::Clock(args) => Box::pin(clock::run(&context, args)).await,
        Command::Start(args) => Box::pin(start::run(&context, args)).await,
        Command::Runs(args) => Box::pin(runs::run(&context, *args)).await,
        Command::Why(args) => Box::pin(why::run(&context, args)).await,
        Command::WhyNot(args) => Box::pin(why_not::run(&context, args)).await,
        Command::Route(args) => Box::pin(route::run(&context, args)).await,
        Command::Sla(args) => Box::pin(sla::run(&context, args)).await,
        Command::Approvals(args) => Box::pin(approvals::run(&context, args)).await,
        Command::Cleanup(args) => Box::pin(cleanup::run(&context, args)).await,
        Command::Doctor(args) => Box::pin(doctor::run(&context, args)).await,
        Command::Limits(args) => Box::pin(limits::run(&context, args)).await,
        Command::Pause(args) => Box::pin(pause::pause(&context, args)).await,
        Command::Resume(args) => Box::pin(pause::resume(&context, args)).await,
        Command::Backup(args) => Box::pin(backup::backup(&context, args)).await,
        Command::Restore(args) => Box::pin(backup::restore(&context, args)).await,
        Command::Secret(args) => Box::pin(secret::run(&context, args)).await,
        Command::Token(args) => Box::pin(token::run(&context, args)).await,
        Command::User(args) => Box::pin(user::run(&context, args)).await,
        Command::Audit(args) => Box::pin(audit::run(&context, args)).await,
        Command::Inbox(args) => Box::pin(inbox::run(&context, args)).await,
        Command::Outbox(args) => Box::pin(outbox::run(&context, args)).await,
        Command::Action(args) => Box::pin(action::run(&context, args)).await,
        Command::Plugin(args) => Box::pin(plugin::run(&context, *args)).await,
        Command::Demo { keep, serve } => {
            Box::pin(demo::run(&demo::DemoArgs { json: context.json, keep, serve })).await
        }
        Command::Completions(args) => completions::run(&args),
        Command::Bench(args) => Box::pin(bench::run(&context, args)).await,
        Command::Compile(args) => Ok(compile::run(&args)),
    }
}
