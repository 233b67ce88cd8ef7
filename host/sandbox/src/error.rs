//! Why a sandbox, a plugin or a call failed, in sentences for the operations
//! staff.

use relata_package::{LimitRefused, MAX_COMPONENT_BYTES};

use crate::config::{HANDLES, HOST_CALL_BYTES, STACK_BYTES, TABLE_ELEMENTS};
use crate::contract::HostError;

/// A sandbox that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// wasmtime refused the configuration or the machine lacks something.
    #[error("the plugin sandbox cannot start: {0}")]
    Engine(String),
    /// The cache's folder cannot be used.
    #[error("the folder for compiled plugins {path} cannot be used: {why}")]
    Cache {
        /// The folder.
        path: std::path::PathBuf,
        /// What is wrong with it, and how to mend it.
        why: String,
    },
}

/// A plugin that cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[error("plugin `{plugin}` cannot be loaded: {fault}")]
pub struct LoadError {
    /// The plugin's name.
    pub plugin: String,
    /// What is wrong with it.
    pub fault: Box<LoadFault>,
}

/// What is wrong with a plugin that cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadFault {
    /// The file is larger than any plugin may be.
    #[error("its component has {bytes} bytes; the limit is {} MiB", MAX_COMPONENT_BYTES >> 20)]
    TooLarge {
        /// The file's size.
        bytes: usize,
    },
    /// The bytes are something else.
    #[error("the file is not a WebAssembly component: {0}")]
    NotAComponent(&'static str),
    /// The compiler refused it.
    #[error("its component does not compile: {0}")]
    Compile(String),
    /// It compiles, and cannot be instantiated: there is more than one memory in
    /// it, say, or more tables than a call has.
    #[error("its component needs what the sandbox does not give: {0}")]
    TooMuch(String),
    /// It takes too much CPU time to compile.
    #[error(
        "its component takes more than {limit_s} s of CPU time to compile; the code of its functions is too large, or there is too much of it"
    )]
    CompileCpu {
        /// The limit.
        limit_s: u32,
    },
    /// It takes too much memory to compile.
    #[error(
        "its component takes more than {limit_mib} MiB of memory to compile; the code of its functions is too large, or there is too much of it"
    )]
    CompileMemory {
        /// The limit.
        limit_mib: u32,
    },
    /// It took too long to compile.
    #[error("its component was not compiled after {limit_s} s, and the compiler was stopped")]
    CompileTime {
        /// The limit.
        limit_s: u32,
    },
    /// The compiler came to no answer.
    #[error("the compiler of plugins failed: {0}")]
    Compiler(String),
    /// It asks for limits that the operator does not give.
    #[error(transparent)]
    Limit(#[from] LimitRefused),
    /// It needs something that is not in the contract.
    #[error(
        "it imports `{import}`, which is not part of the contract {contract}; a plugin reaches the world through the contract only"
    )]
    ForeignImport {
        /// What it imports.
        import: String,
        /// The version it was checked against.
        contract: String,
    },
    /// It imports an interface that its manifest asks no permission for.
    #[error("it imports `{interface}`, but its plugin.toml does not ask for it: add {remedy}")]
    Unasked {
        /// The interface: `messages`.
        interface: String,
        /// The line to add.
        remedy: &'static str,
    },
    /// It does not export the actions.
    #[error(
        "it does not fit the contract {contract}: {why}; build it with the SDK of that version"
    )]
    Contract {
        /// The version it was checked against.
        contract: String,
        /// Which import or export does not fit.
        why: String,
    },
    /// `describe` failed.
    #[error("it could not say which actions it has: it {}", .0.fault)]
    Describe(CallError),
    /// `describe` answered something unusable.
    #[error("it describes its actions wrongly: {0}")]
    Description(String),
}

/// A call that failed. It displays as a sentence with the plugin, the action
/// and the limit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("plugin `{plugin}`, action `{action}`: {fault}")]
pub struct CallError {
    /// The plugin's name.
    pub plugin: String,
    /// The action's name without the plugin's.
    pub action: String,
    /// What went wrong.
    pub fault: Box<CallFault>,
}

/// What went wrong in a call.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CallFault {
    /// The action answered with an error.
    #[error("{}", .0.message)]
    Guest(HostError),
    /// No such action.
    #[error("there is no such action; the plugin has {known}")]
    UnknownAction {
        /// The names it has.
        known: String,
    },
    /// The input's JSON is too long.
    #[error(
        "its input has {bytes} bytes, the limit is {limit_kib} KiB (limits.input_kib in its plugin.toml)"
    )]
    InputTooLarge {
        /// The input's size.
        bytes: usize,
        /// The limit.
        limit_kib: u32,
    },
    /// The input does not fit the action's schema.
    #[error("its input does not fit: {0}")]
    BadInput(String),
    /// It used up its CPU time.
    #[error("exceeded its CPU limit of {limit_ms} ms (limits.cpu_ms in its plugin.toml)")]
    CpuLimit {
        /// The limit.
        limit_ms: u32,
    },
    /// It wanted more memory.
    #[error("exceeded its memory limit of {limit_mib} MiB (limits.memory_mib in its plugin.toml)")]
    MemoryLimit {
        /// The limit.
        limit_mib: u32,
    },
    /// It wanted more table elements.
    #[error("exceeded its limit of {TABLE_ELEMENTS} table elements")]
    TableLimit,
    /// It holds too many resources.
    #[error("exceeded its limit of {HANDLES} resources held at once")]
    HandleLimit,
    /// It recursed too deeply.
    #[error("recursed deeper than its stack of {} KiB allows", STACK_BYTES >> 10)]
    StackLimit,
    /// The whole call took too long.
    #[error("did not answer within {limit_s} s (limits.call_s in its plugin.toml)")]
    TimeOut {
        /// The limit.
        limit_s: u32,
    },
    /// It passed too much to the host at once.
    #[error("passed more than {} MiB to the host in one call", HOST_CALL_BYTES >> 20)]
    HostCallLimit,
    /// It answered too much.
    #[error(
        "answered more than the limit of {limit_kib} KiB (limits.output_kib in its plugin.toml)"
    )]
    OutputTooLarge {
        /// The limit.
        limit_kib: u32,
    },
    /// It answered something that is no JSON or does not fit its schema.
    #[error("its output does not fit: {0}")]
    BadOutput(String),
    /// It panicked, and its panic hook said where.
    #[error("panicked at {location}: {message}")]
    Panic {
        /// The panic's message.
        message: String,
        /// Where in the plugin's source.
        location: String,
    },
    /// It trapped.
    #[error("stopped with a fault: {message}")]
    Trap {
        /// The fault, and the function it happened in.
        message: String,
    },
    /// The host could not make an instance.
    #[error("the host could not start it: {0}")]
    Host(String),
}

impl CallError {
    /// Whether another attempt is worth it: time-outs, faults of the host,
    /// and what the plugin says is `transient` or `limit`. A limit that the
    /// plugin ran into by itself would only be met again.
    pub fn is_transient(&self) -> bool {
        match &*self.fault {
            CallFault::Guest(error) => error.code.is_transient(),
            CallFault::TimeOut { .. } | CallFault::Host(_) => true,
            _ => false,
        }
    }

    /// Not before this many milliseconds, if the plugin said so.
    pub fn retry_after_ms(&self) -> Option<u32> {
        match &*self.fault {
            CallFault::Guest(error) => error.retry_after_ms,
            _ => None,
        }
    }

    /// A short name for statistics and machine readers. For an error that the
    /// plugin answered it is the contract's code.
    pub fn code(&self) -> &'static str {
        match &*self.fault {
            CallFault::Guest(error) => error.code.as_str(),
            CallFault::UnknownAction { .. } => "unknown-action",
            CallFault::InputTooLarge { .. } => "input-limit",
            CallFault::BadInput(_) => "bad-input",
            CallFault::CpuLimit { .. } => "cpu-limit",
            CallFault::MemoryLimit { .. } => "memory-limit",
            CallFault::TableLimit => "table-limit",
            CallFault::HandleLimit => "handle-limit",
            CallFault::StackLimit => "stack-limit",
            CallFault::TimeOut { .. } => "time-out",
            CallFault::HostCallLimit => "host-call-limit",
            CallFault::OutputTooLarge { .. } => "output-limit",
            CallFault::BadOutput(_) => "bad-output",
            CallFault::Panic { .. } => "panic",
            CallFault::Trap { .. } => "trap",
            CallFault::Host(_) => "host",
        }
    }
}
