//! How a sandbox is set up.

use std::path::PathBuf;

use relata_package::Limits;

use crate::compile::Compiler;

/// The configuration of a [`Sandbox`](crate::Sandbox).
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Where compiled plugins are kept between starts: a folder that nobody
    /// but this host writes to, made with mode 0700 if it is missing. `None`
    /// compiles every plugin at every start.
    pub cache_dir: Option<PathBuf>,
    /// How strangers' components are compiled.
    pub compiler: Compiler,
    /// How many calls run at once; more wait in turn. It also sizes the pool
    /// of memories, tables and stacks, which is address space and not memory:
    /// about 4 GiB of addresses a call, touched only where a guest writes.
    pub concurrent_calls: u32,
    /// What a plugin gets that asks for nothing.
    pub default_limits: Limits,
    /// The most that a plugin may ask for.
    pub ceiling: Limits,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            cache_dir: None,
            compiler: Compiler::InProcess,
            concurrent_calls: 32,
            default_limits: Limits::DEFAULT,
            ceiling: Limits::CEILING,
        }
    }
}

/// The most that a guest may pass to the host in one call, in bytes.
pub(crate) const HOST_CALL_BYTES: usize = 4 << 20;

/// What all that a guest writes in one call may take up until it is committed,
/// in bytes.
pub(crate) const WRITTEN_BYTES: usize = 16 << 20;

/// Resources of the component model that a guest may hold at once. The contract
/// has none; those that it passes between its own parts are kept in the host.
pub(crate) const HANDLES: usize = 10_000;

/// The stack of a guest, in bytes.
pub(crate) const STACK_BYTES: usize = 512 << 10;

/// The stack of a guest and of the host calls that it makes, in bytes: host
/// futures are polled on it, so it leaves them as much as a thread would.
pub(crate) const CALL_STACK_BYTES: usize = STACK_BYTES + (2 << 20);

/// Elements of all tables of one call.
pub(crate) const TABLE_ELEMENTS: usize = 20_000;

/// Core instances in one component. A Rust guest has three, a Python guest
/// about thirty.
pub(crate) const CORE_INSTANCES: u32 = 50;

/// Tables in one component.
pub(crate) const TABLES: u32 = 8;
