//! Plugins in wasmtime: loading, limits, capabilities, the host side of
//! `wit/`.
//!
//! A plugin is a WebAssembly component that exports actions. [`Sandbox::load`]
//! checks it against the contract and against its `plugin.toml`, and
//! [`Plugin::call`] runs one action in a fresh instance: with a limit on its
//! CPU time, memory, output, log and time, with its permissions checked before
//! every host call, and with a [`CallReport`] of what it used up.
//!
//! ```no_run
//! # async fn example(host: impl relata_sandbox::HostCalls) -> Result<(), Box<dyn std::error::Error>> {
//! use relata_sandbox::{CallRequest, PluginManifest, Sandbox, SandboxConfig};
//!
//! let sandbox = Sandbox::new(SandboxConfig::default())?;
//! let manifest = PluginManifest::parse(&std::fs::read_to_string("assign/plugin.toml")?)?;
//! let plugin = sandbox.load(manifest, None, std::fs::read("assign.wasm")?).await?;
//! let input = serde_json::json!({ "record": "lead/17", "team": "emea" });
//! let called = plugin.call(CallRequest::new("round_robin", &input), host).await;
//! println!("{:?} in {:?} of CPU", called.result?, called.report.cpu);
//! # Ok(()) }
//! ```
//!
//! What happens to the writes of a call is not the sandbox's business: they go
//! through [`HostCalls`], which collects them; the caller gets its host back
//! with the result and commits or forgets.
//!
//! # The way of a call
//!
//! 1. The input is measured and compared with the action's schema.
//! 2. The call waits for a place (calls beyond
//!    [`SandboxConfig::concurrent_calls`] queue up in order).
//! 3. A fresh instance runs. Every millisecond of its own CPU time it yields
//!    to the other tasks and is charged a tick; waiting on the host is free.
//! 4. The output is measured, parsed and compared with the schema.
//!
//! The instance is dropped whatever happened: nothing of one call is seen by
//! the next.

mod arguments;
mod cache;
mod call;
mod compile;
mod config;
pub mod contract;
mod cpu;
mod descriptors;
mod error;
mod floor;
mod gate;
mod json;
mod plugin;
mod report;
mod requests;
mod resources;
mod sandbox;
mod schema;
mod ticker;
mod words;

pub use async_trait::async_trait;
pub use call::{CallRequest, Called, Verdict};
pub use compile::{COMPILE_COMMAND, CompileLimits, Compiler, compile_stdin};
pub use config::SandboxConfig;
pub use contract::{Context, Descriptor, HostCalls, HostError, Outcome};
pub use error::{CallError, CallFault, LoadError, LoadFault, SandboxError};
pub use floor::Floor;
pub use plugin::Plugin;
pub use relata_package::{
    Channel, Denied, Destination, Grant, HostPattern, LimitRefused, Limits, LimitsAsked,
    ManifestError, Method, Permissions, PluginManifest, Scheme,
};
pub use report::{CallReport, LogLevel, LogLine, Panic};
pub use sandbox::Sandbox;
