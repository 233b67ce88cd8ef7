//! `cargo xtask demo | test | build | ci | bench | simulate |
//! torture | fuzz-api`: what cargo alone cannot do,
//! above all to make sure of what the build and the tests need from outside
//! Rust. Each command first checks that (some milliseconds when all is there).

#![expect(
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "xtask is a developer's tool: it talks on the terminal, reads the environment and times its stages"
)]

mod axe;
mod cargo;
mod ci;
mod deny;
mod needs;
mod schemathesis;
// The file and not its crate, which compiles plugins.
#[path = "../../tests/src/postgres.rs"]
#[expect(dead_code, unreachable_pub, reason = "the tests use the rest; xtask ends what they leave")]
mod postgres;
mod tests;
mod torture;
// The file and not its crate: relata-plugin-build compiles the component encoder,
// a minute of work that every first `cargo xtask` would wait for.
#[path = "../../plugin-sdk/build/src/toolchain.rs"]
#[expect(unreachable_pub, reason = "public in relata-plugin-build, whose file it is")]
mod toolchain;

use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand, ValueEnum};

/// Tasks of the Relata workspace. Each first makes sure of what it needs from
/// outside Rust, and says what it installs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build Relata and run its demonstration in a fresh rehearsal store.
    Demo {
        /// Passed to `relata demo`, for example `--json` or `--keep DIR`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run every test, the examples in the documentation included.
    Test {
        /// Passed to the test runner, for example a part of a test's name; then
        /// the examples in the documentation are left out.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Build the release binary, target/release/relata.
    Build,
    /// Run every check that a change has to pass, and print the time each took.
    Ci {
        /// Leave a stage out; may be given several times.
        #[arg(long, value_name = "STAGE")]
        skip: Vec<ci::Stage>,
    },
    /// Run a benchmark of the release binary.
    Bench {
        name: Benchmark,
        /// Passed to the benchmark, for example `--json`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Live many simulated lives of several faulty hosts on one database, and stop
    /// at the first that loses something or does it twice.
    Simulate {
        /// How many lives; 10,000 take some ten seconds on two cores.
        #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
        seeds: u64,
        /// The seed of the first.
        #[arg(long, value_name = "SEED", default_value_t = 0)]
        seed: u64,
    },
    /// Kill, stop and start the hosts of a company while leads and orders come in,
    /// then count: nothing may be lost, and nothing may have happened twice.
    Torture {
        /// For how long.
        #[arg(long, value_name = "MINUTES", default_value_t = 20.0)]
        minutes: f64,
        /// Says when what is done; drawn, if not said.
        #[arg(long, value_name = "SEED")]
        seed: Option<u64>,
        /// In which database the company lies.
        #[arg(long, default_value = "sqlite")]
        backend: torture::Backend,
        /// An empty database that is there already, with `--backend postgres`.
        /// Without one, a server is started for it, which crashes now and then.
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
    },
    /// Have Schemathesis send the API what its description allows and what it does
    /// not, until an answer is not as described. The tests do it for seconds.
    FuzzApi {
        /// How many requests of each kind.
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        examples: u32,
        /// Says which.
        #[arg(long, value_name = "SEED", default_value_t = 1)]
        seed: u32,
    },
    /// Only make sure of what the build and the tests need from outside Rust.
    Setup,
}

#[derive(Clone, Copy, ValueEnum)]
enum Benchmark {
    /// A step's sandbox against the bare wasmtime floor.
    Sandbox,
    /// Group commit against one commit a run.
    Store,
    /// Three-step runs over HTTP: throughput, latency, sleepers, cold start, memory, and the
    /// floors under them; `--quick`, `--json`, `--backend postgres --database-url URL`.
    Engine,
    /// A month of 100,000 events replayed over drafts: seconds, and events a second.
    Backtest,
    /// Checking files of 100, 1,000 and 10,000 steps: 10 times as many steps may
    /// take 12 times as long.
    Check,
    /// Pages of the console with 100,000 contacts and 50,000 tickets, against the same with a
    /// tenth of them; `--quick`, `--json`, `--backend postgres --database-url URL URL`.
    Console,
}

impl Benchmark {
    fn name(self) -> &'static str {
        match self {
            Benchmark::Sandbox => "sandbox",
            Benchmark::Store => "store",
            Benchmark::Engine => "engine",
            Benchmark::Backtest => "backtest",
            Benchmark::Check => "check",
            Benchmark::Console => "console",
        }
    }
}

/// The load generator.
const LOAD: &str = if cfg!(windows) { "relata-load.exe" } else { "relata-load" };

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<ExitCode> {
    match task {
        Task::Demo { arguments } => {
            needs::ensure(needs::BUILD)?;
            // Not `cargo run --quiet`: the first build takes minutes and should show it.
            cargo::run(&mut cargo::locked(&["build", "-p", "relata-cli"]))?;
            let mut demo = Command::new(cargo::built("debug"));
            demo.arg("demo").args(arguments);
            cargo::exit_code(&mut demo)
        }
        Task::Test { arguments } => {
            needs::ensure(needs::TEST)?;
            if !arguments.is_empty() {
                let ended = cargo::exit_code(&mut tests::runner(&arguments));
                postgres::stop_shared();
                return ended;
            }
            tests::all()?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Build => {
            needs::ensure(needs::BUILD)?;
            release()?;
            eprintln!("built {}", cargo::built("release").display());
            Ok(ExitCode::SUCCESS)
        }
        Task::Ci { skip } => ci::run(&skip),
        // It needs the checker alone, and not the program.
        Task::Bench { name: Benchmark::Check, .. } => {
            let example = ["-p", "relata-workflow", "--example", "check_scaling"];
            cargo::exit_code(cargo::command().args(["run", "--release"]).args(example))
        }
        // They look at the program from outside.
        Task::Bench { name: name @ (Benchmark::Engine | Benchmark::Console), arguments } => {
            needs::ensure(needs::BUILD)?;
            release()?;
            cargo::run(&mut cargo::locked(&["build", "--release", "-p", "relata-load"]))?;
            let mut load = Command::new(cargo::built("release").with_file_name(LOAD));
            load.args([name.name(), "--relata"]).arg(cargo::built("release")).args(arguments);
            cargo::exit_code(&mut load)
        }
        Task::Bench { name, arguments } => {
            needs::ensure(needs::BUILD)?;
            release()?;
            let mut bench = Command::new(cargo::built("release"));
            bench.args(["bench", name.name()]).args(arguments);
            cargo::exit_code(&mut bench)
        }
        // It needs the pure rooms alone.
        Task::Simulate { seeds, seed } => {
            let example = ["-p", "relata-engine", "--example", "simulate", "--"];
            let numbers = [seeds, seed].map(|number| number.to_string());
            let mut simulate = cargo::command();
            simulate.args(["run", "--release"]).args(example).args(numbers);
            cargo::exit_code(&mut simulate)
        }
        Task::Torture { minutes, seed, backend, database_url } => {
            needs::ensure(needs::TEST)?;
            torture::run(minutes, seed, backend, database_url)
        }
        Task::FuzzApi { examples, seed } => {
            needs::ensure(needs::TEST)?;
            let ended = cargo::exit_code(&mut schemathesis::fuzz(examples, seed));
            postgres::stop_shared();
            ended
        }
        Task::Setup => {
            needs::ensure(needs::TEST)?;
            eprintln!("everything that the build and the tests need is there");
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn release() -> anyhow::Result<()> {
    cargo::run(cargo::command().args(["build", "--release", "-p", "relata-cli"]))
}
