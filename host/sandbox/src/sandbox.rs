//! One engine for all plugins of a host.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use relata_package::{MAX_COMPONENT_BYTES, Permissions, PluginManifest};
use tokio::sync::{Mutex, Semaphore};
use wasmtime::component::{Component, Linker};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
    WasmBacktraceDetails, WasmFeatures,
};

use crate::cache::{CompileCache, hex_digest};
use crate::compile::{self, Compiler};
use crate::config::{
    CALL_STACK_BYTES, CORE_INSTANCES, STACK_BYTES, SandboxConfig, TABLE_ELEMENTS, TABLES,
};
use crate::contract::v0_1_0;
use crate::error::{LoadError, LoadFault, SandboxError};
use crate::gate::Gate;
use crate::plugin::Plugin;
use crate::ticker::Ticker;
use crate::words::told;

/// Where plugins run: one wasmtime engine with its limits, its clock, its pool
/// and its cache of compiled code. Make one for a host and clone it freely.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) config: SandboxConfig,
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Gate>,
    pub(crate) ticker: Ticker,
    /// As many permits as the pool has places: a full pool would be an error
    /// and not a queue.
    pub(crate) places: Semaphore,
    cache: Option<CompileCache>,
    /// Compiling takes much memory and every processor: one at a time.
    compiling: Mutex<()>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Sets up the engine. Starts one thread, which sleeps while no call runs.
    pub fn new(config: SandboxConfig) -> Result<Self, SandboxError> {
        let fault = |error: wasmtime::Error| SandboxError::Engine(format!("{error:#}"));
        let engine = Engine::new(&engine_config(&config)).map_err(fault)?;
        let linker = v0_1_0::linker(&engine).map_err(fault)?;
        let cache =
            config.cache_dir.as_deref().map(|dir| CompileCache::open(dir, &engine)).transpose()?;
        let ticker =
            Ticker::start(&engine).map_err(|error| SandboxError::Engine(error.to_string()))?;
        let places = Semaphore::new(config.concurrent_calls.max(1) as usize);
        Ok(Self {
            shared: Arc::new(Shared {
                config,
                engine,
                linker,
                ticker,
                places,
                cache,
                compiling: Mutex::new(()),
            }),
        })
    }

    /// Loads a plugin: compiles it (or finds it in the cache), compares what
    /// it imports with the contract and with its manifest, and asks it for its
    /// actions.
    ///
    /// It may do what its manifest asks for, and of that only what is
    /// `granted`; nothing said grants it all.
    ///
    /// `component` is a WebAssembly component. Compiling takes 50-100 ms for a
    /// Rust plugin and several seconds for a JavaScript or Python one; it happens
    /// as [`SandboxConfig::compiler`] says.
    pub async fn load(
        &self,
        manifest: PluginManifest,
        granted: Option<&Permissions>,
        component: impl Into<Cow<'static, [u8]>>,
    ) -> Result<Plugin, LoadError> {
        let compiler = &self.shared.config.compiler;
        self.load_with(compiler, manifest, granted, component.into()).await
    }

    /// Loads a plugin that is a part of this program, and as trusted: it may do
    /// what its manifest asks for, and is compiled here whatever
    /// [`SandboxConfig::compiler`] says.
    pub async fn load_built_in(
        &self,
        manifest: PluginManifest,
        component: &'static [u8],
    ) -> Result<Plugin, LoadError> {
        self.load_with(&Compiler::InProcess, manifest, None, component.into()).await
    }

    async fn load_with(
        &self,
        compiler: &Compiler,
        manifest: PluginManifest,
        granted: Option<&Permissions>,
        component: Cow<'static, [u8]>,
    ) -> Result<Plugin, LoadError> {
        let name = manifest.name.clone();
        let loaded = async {
            let (digest, component) = self.compile(compiler, component).await?;
            Plugin::load(Arc::clone(&self.shared), manifest, granted, digest, &component).await
        };
        Box::pin(loaded).await.map_err(|fault| LoadError { plugin: name, fault: Box::new(fault) })
    }

    /// The digest of a component, and the component compiled.
    async fn compile(
        &self,
        compiler: &Compiler,
        bytes: Cow<'static, [u8]>,
    ) -> Result<(String, Component), LoadFault> {
        if bytes.len() > MAX_COMPONENT_BYTES {
            return Err(LoadFault::TooLarge { bytes: bytes.len() });
        }
        check_preamble(&bytes)?;
        let shared = Arc::clone(&self.shared);
        let (bytes, digest, cached) = blocking(move || {
            let digest = hex_digest(&bytes);
            let cached = shared.cached(&digest);
            (bytes, digest, cached)
        })
        .await?;
        if let Some(component) = cached {
            return Ok((digest, component));
        }
        let turn = self.shared.compiling.lock().await;
        let shared = Arc::clone(&self.shared);
        // Somebody before in the queue may have compiled the same.
        let (digest, cached) = blocking(move || {
            let cached = shared.cached(&digest);
            (digest, cached)
        })
        .await?;
        if let Some(component) = cached {
            return Ok((digest, component));
        }
        let shared = Arc::clone(&self.shared);
        let sealed = match compiler {
            Compiler::InProcess => {
                blocking(move || compile::here(&shared.engine, &bytes)).await??
            }
            Compiler::Child { program, limits } => {
                compile::in_child(program, limits, &bytes).await?
            }
        };
        drop(turn);
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            let component =
                sealed.open(&shared.engine).map_err(|error| LoadFault::TooMuch(told(&error)))?;
            if let Some(cache) = &shared.cache {
                cache.store(&digest, &sealed);
            }
            Ok((digest, component))
        })
        .await?
    }
}

impl Shared {
    fn cached(&self, digest: &str) -> Option<Component> {
        self.cache.as_ref()?.load(&self.engine, digest)
    }
}

/// Runs work of many milliseconds beside the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, LoadFault> {
    tokio::task::spawn_blocking(work).await.map_err(|error| LoadFault::Compiler(error.to_string()))
}

/// Tells what else the bytes may be before the compiler says it in its words.
fn check_preamble(bytes: &[u8]) -> Result<(), LoadFault> {
    match bytes.first_chunk::<8>() {
        Some(b"\0asm\x0d\0\x01\0") => Ok(()),
        Some(b"\0asm\x01\0\0\0") => Err(LoadFault::NotAComponent(
            "it is a core module; `relata plugin build` makes a component of it",
        )),
        _ => Err(LoadFault::NotAComponent("it does not begin like one")),
    }
}

/// The engine that runs plugins.
fn engine_config(sandbox: &SandboxConfig) -> Config {
    let mut config = code_config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(sandbox)));
    config
}

/// All that compiled code depends on.
pub(crate) fn code_config() -> Config {
    let mut config = Config::new();
    // What a plugin never needs and what only widens the surface.
    config.wasm_memory64(false);
    config.wasm_multi_memory(false);
    config.wasm_features(WasmFeatures::THREADS, false);
    config.wasm_features(WasmFeatures::SHARED_EVERYTHING_THREADS, false);
    config.wasm_features(WasmFeatures::GC, false);
    config.wasm_features(WasmFeatures::STACK_SWITCHING, false);
    config.shared_memory(false);
    config.gc_support(false);
    config.concurrency_support(false);
    // One input, one output, on every machine: a pure call may be replayed.
    config.cranelift_nan_canonicalization(true);
    config.relaxed_simd_deterministic(true);
    config.epoch_interruption(true);
    config.max_wasm_stack(STACK_BYTES);
    config.async_stack_size(CALL_STACK_BYTES);
    // The SDK's panic hook names the place; a guest's own debug information
    // is not worth parsing here.
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}

/// The places at which calls run, each with its memory, tables and stack.
pub(crate) fn pool(sandbox: &SandboxConfig) -> PoolingAllocationConfig {
    let calls = sandbox.concurrent_calls.max(1);
    let memory = (sandbox.ceiling.memory_mib.max(sandbox.default_limits.memory_mib) as usize) << 20;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_core_instances(calls.saturating_mul(CORE_INSTANCES))
        .max_core_instances_per_component(CORE_INSTANCES)
        .total_memories(calls)
        .max_memories_per_component(1)
        .max_memory_size(memory)
        .total_tables(calls.saturating_mul(TABLES))
        .max_tables_per_component(TABLES)
        .table_elements(TABLE_ELEMENTS)
        .total_stacks(calls)
        // Slots are used again before new ones are touched, and give their
        // memory back: an idle host is small.
        .max_unused_warm_slots(calls.min(16))
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(8 << 10)
        // What a call has touched is found and written over (Linux 6.7): to
        // give its pages back and fault them in again at the next call takes
        // longer.
        .pagemap_scan(Enabled::Auto);
    pool
}
