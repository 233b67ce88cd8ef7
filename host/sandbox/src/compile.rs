//! Compiling a component: in this process, or in a child that can be stopped.
//!
//! A compiler is a large program whose time and memory grow faster than its
//! input: one function of 1 MB took it a minute and 1.4 GiB. So strangers'
//! components are compiled by a child process that gives up most of its rights
//! first: it has a limit on its CPU time and its memory, writes no file, and
//! sees nothing of the host's environment. It is this same program, called with
//! [`COMPILE_COMMAND`]: the component comes on its stdin, the code goes to its
//! stdout.

use std::io::{self, Read, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use relata_package::MAX_COMPONENT_BYTES;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use wasmtime::Engine;

use crate::cache::Sealed;
use crate::error::LoadFault;
use crate::sandbox::code_config;
use crate::words::told;

/// The subcommand by which the program is called to compile.
pub const COMPILE_COMMAND: &str = "compile-plugin";

/// How the child says that the component is at fault, and not itself.
const REFUSED: u8 = 65;

/// The longest code that is taken, in bytes: eight times the largest component.
const CODE_BYTES: u64 = 8 * MAX_COMPONENT_BYTES as u64;

/// The most that is read of what the child says on stderr, in bytes.
const SAID_BYTES: u64 = 64 << 10;

/// What the compiler takes as a fault of its own.
const JOINED: &str = "it is several components in one that pass texts or lists to each other; \
    build the plugin as one component";

/// How strangers' components are compiled.
#[derive(Debug, Clone, Default)]
pub enum Compiler {
    /// In this process: for tests, and for whoever trusts all plugins.
    #[default]
    InProcess,
    /// In a child process.
    Child {
        /// The program that is called with [`COMPILE_COMMAND`], and calls
        /// [`compile_stdin`] then.
        program: PathBuf,
        /// What it may use up.
        limits: CompileLimits,
    },
}

/// What compiling one component may use up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileLimits {
    /// CPU time of all threads together, in seconds.
    pub cpu_s: u32,
    /// Address space, in MiB.
    pub memory_mib: u32,
    /// Time, in seconds.
    pub time_s: u32,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { cpu_s: 60, memory_mib: 2048, time_s: 120 }
    }
}

/// Compiles on this thread and those of the pool.
pub(crate) fn here(engine: &Engine, component: &[u8]) -> Result<Sealed, LoadFault> {
    match precompiled(engine, component) {
        Ok(code) => Ok(Sealed::new(&code)),
        Err(why) => Err(LoadFault::Compile(told(&why))),
    }
}

/// The code of a component. Where the compiler panics at it the component is to
/// blame: no other did that to it.
fn precompiled(engine: &Engine, component: &[u8]) -> Result<Vec<u8>, String> {
    let compile = AssertUnwindSafe(|| engine.precompile_component(component));
    match panic::catch_unwind(compile) {
        Ok(compiled) => compiled.map_err(|error| format!("{error:#}")),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("");
            // The code between two components uses the memories of both.
            if said.contains("adapter module") {
                return Err(JOINED.to_owned());
            }
            let line = said.lines().next().unwrap_or("it does not say why");
            Err(format!("the compiler gives up at it: {line}"))
        }
    }
}

/// Compiles in a child process.
pub(crate) async fn in_child(
    program: &Path,
    limits: &CompileLimits,
    component: &[u8],
) -> Result<Sealed, LoadFault> {
    let child = spawn(program, limits).map_err(|error| {
        LoadFault::Compiler(format!("{} cannot be started: {error}", program.display()))
    })?;
    let time = Duration::from_secs(u64::from(limits.time_s));
    // Dropping the child kills it.
    let answer = tokio::time::timeout(time, talk(child, component))
        .await
        .map_err(|_| LoadFault::CompileTime { limit_s: limits.time_s })?
        .map_err(|error| LoadFault::Compiler(error.to_string()))?;
    match verdict(&answer, limits) {
        None => Ok(Sealed::received(answer.code)),
        Some(fault) => Err(fault),
    }
}

fn spawn(program: &Path, limits: &CompileLimits) -> io::Result<Child> {
    let mut command = Command::new(program);
    // What the environment holds is none of its business. (Windows starts no
    // program without some of it.)
    #[cfg(unix)]
    command.env_clear();
    command
        .arg(COMPILE_COMMAND)
        .args(["--cpu-s", &limits.cpu_s.to_string()])
        .args(["--memory-mib", &limits.memory_mib.to_string()])
        // Each thread reserves address space, which is limited: a machine with
        // many processors would leave nothing for the work.
        .env("RAYON_NUM_THREADS", "4")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

/// What came of a child.
struct Answer {
    status: ExitStatus,
    code: Vec<u8>,
    said: String,
}

async fn talk(mut child: Child, component: &[u8]) -> io::Result<Answer> {
    let stdin = child.stdin.take();
    let send = async {
        let Some(mut stdin) = stdin else { return Ok(()) };
        match stdin.write_all(component).await {
            // It has ended already; its status says more.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            sent => sent,
        }
    };
    let code = all_of(child.stdout.take(), CODE_BYTES);
    let said = all_of(child.stderr.take(), SAID_BYTES);
    let (sent, code, said) = tokio::join!(send, code, said);
    sent?;
    let code = code?;
    if code.len() as u64 > CODE_BYTES {
        return Err(io::Error::other(format!(
            "the code comes to more than {} MiB",
            CODE_BYTES >> 20
        )));
    }
    let said = String::from_utf8_lossy(&said?).trim().to_owned();
    Ok(Answer { status: child.wait().await?, code, said })
}

/// What a pipe yields, up to one byte more than `most`.
async fn all_of(pipe: Option<impl AsyncRead + Unpin>, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(most + 1).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// Why a child did not answer code.
fn verdict(answer: &Answer, limits: &CompileLimits) -> Option<LoadFault> {
    if answer.status.success() {
        return None;
    }
    let said = &answer.said;
    let out_of_cpu = {
        #[cfg(unix)]
        {
            use std::os::unix::process::ExitStatusExt;
            answer.status.signal() == Some(rustix::process::Signal::XCPU.as_raw())
        }
        #[cfg(not(unix))]
        false
    };
    // What the standard library says before it aborts, and the system where it
    // is asked for a mapping.
    let out_of_memory =
        said.contains("memory allocation of") || said.contains("Cannot allocate memory");
    Some(if out_of_cpu {
        LoadFault::CompileCpu { limit_s: limits.cpu_s }
    } else if out_of_memory {
        LoadFault::CompileMemory { limit_mib: limits.memory_mib }
    } else if answer.status.code() == Some(i32::from(REFUSED)) {
        LoadFault::Compile(told(said))
    } else {
        let last = said.lines().next_back().unwrap_or("it said nothing");
        LoadFault::Compiler(format!("it died ({}): {}", answer.status, told(last)))
    })
}

/// Compiles the component on stdin to stdout, as a child of [`Compiler::Child`]
/// does. To be called before anything else is done in the process: its limits
/// hold for all of it.
pub fn compile_stdin(limits: CompileLimits) -> ExitCode {
    match compiled(limits) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Component(why)) => {
            say(&why);
            ExitCode::from(REFUSED)
        }
        Err(Failure::Own(why)) => {
            say(&why.to_string());
            ExitCode::FAILURE
        }
    }
}

enum Failure {
    /// The component does not compile.
    Component(String),
    /// Reading, writing or the limits failed.
    Own(io::Error),
}

impl From<io::Error> for Failure {
    fn from(why: io::Error) -> Self {
        Self::Own(why)
    }
}

fn compiled(limits: CompileLimits) -> Result<(), Failure> {
    limit_this_process(limits)?;
    let mut component = Vec::new();
    io::stdin().lock().take(MAX_COMPONENT_BYTES as u64 + 1).read_to_end(&mut component)?;
    // What a panic says is told once, in the answer.
    panic::set_hook(Box::new(|_| ()));
    let engine = Engine::new(&code_config())
        .map_err(|error| Failure::Own(io::Error::other(format!("{error:#}"))))?;
    let code = precompiled(&engine, &component).map_err(Failure::Component)?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(Sealed::new(&code).bytes())?;
    stdout.flush()?;
    Ok(())
}

/// The parent reads it; where it has gone away nobody is left to be told.
fn say(why: &str) {
    let _ = writeln!(io::stderr(), "{why}");
}

#[cfg(unix)]
fn limit_this_process(limits: CompileLimits) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // A signal comes at `soft`, the end at `hard`. What somebody has limited
    // already stays at least as limited.
    let limit = |resource, soft: u64, hard: u64| {
        let already = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let most = |value: u64| Some(value.min(already));
        setrlimit(resource, Rlimit { current: most(soft), maximum: most(hard) })
    };
    // Files: none. Neither the code, which goes to a pipe, nor an image of its
    // memory where it dies.
    limit(Resource::Fsize, 0, 0)?;
    limit(Resource::Core, 0, 0)?;
    let bytes = u64::from(limits.memory_mib) << 20;
    limit(Resource::As, bytes, bytes)?;
    let cpu_s = u64::from(limits.cpu_s);
    limit(Resource::Cpu, cpu_s, cpu_s + 1)?;
    Ok(())
}

/// Elsewhere the parent's limit on time is the only one.
#[cfg(not(unix))]
fn limit_this_process(_: CompileLimits) -> io::Result<()> {
    Ok(())
}
