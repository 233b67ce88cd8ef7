//! The least that a call can cost: the floor that benchmarks compare with.

use wasmtime::component::Component;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, Store};

use crate::config::SandboxConfig;
use crate::contract::{Context, v0_1_0};
use crate::sandbox::pool;

/// A component on bare wasmtime: pooled, and without limits, permissions,
/// schemas or accounting. For benchmarks alone: nothing else should run a
/// plugin without its limits, and what it imports traps.
pub struct Floor {
    engine: Engine,
    guest: v0_1_0::BareGuest,
}

impl std::fmt::Debug for Floor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Floor").finish_non_exhaustive()
    }
}

impl Floor {
    /// Compiles a component. The error is wasmtime's sentence.
    pub fn new(component: &[u8]) -> Result<Self, String> {
        let fault = |error: wasmtime::Error| format!("{error:#}");
        let mut config = Config::new();
        // The same pool: how memory is given back costs more than all checks,
        // and is to be compared with neither more nor less of it.
        let pool = pool(&SandboxConfig::default());
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config).map_err(fault)?;
        let component = Component::from_binary(&engine, component).map_err(fault)?;
        let guest = v0_1_0::BareGuest::new(&engine, &component).map_err(fault)?;
        Ok(Self { engine, guest })
    }

    /// Instantiates the component, runs one action and drops the instance.
    /// The error is wasmtime's sentence, or the plugin's. (The generated call
    /// takes the input as a `String`; a copy would not be the floor.)
    #[allow(clippy::ptr_arg, reason = "see above")]
    pub async fn call(&self, action: &str, input: &String) -> Result<(), String> {
        let mut store = Store::new(&self.engine, ());
        self.guest
            .run(&mut store, &Context::default(), action, input)
            .await
            .map_err(|error| format!("{error:#}"))?
            .map_err(|error| error.message)
    }
}
