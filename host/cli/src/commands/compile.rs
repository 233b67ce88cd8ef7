//! `relata compile-plugin`: this program as the child process in which a
//! stranger's plugin is compiled. It is called by `relata` alone.

use std::process::ExitCode;

use clap::Args;
use relata_app::sandbox::{CompileLimits, compile_stdin};

/// Compile the component on stdin to stdout, within limits
#[derive(Debug, Args)]
pub(crate) struct CompileArgs {
    /// CPU time of all threads, in seconds
    #[arg(long, value_name = "SECONDS")]
    cpu_s: u32,
    /// Address space, in MiB
    #[arg(long, value_name = "MIB")]
    memory_mib: u32,
}

pub(crate) fn run(args: &CompileArgs) -> ExitCode {
    let CompileArgs { cpu_s, memory_mib } = *args;
    compile_stdin(CompileLimits { cpu_s, memory_mib, ..CompileLimits::default() })
}
