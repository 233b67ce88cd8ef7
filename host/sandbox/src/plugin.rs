//! A loaded plugin.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use relata_package::{Limits, Permissions, PluginManifest, plain_start};
use tokio::sync::Semaphore;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::call::{Nobody, Setup};
use crate::contract::Descriptor;
use crate::contract::v0_1_0::{ACTIONS, Guest, RawDescriptor};
use crate::descriptors::{self, Schemas};
use crate::error::LoadFault;
use crate::gate::{Caller, Rights};
use crate::sandbox::Shared;
use crate::words::told;

/// A loaded plugin, ready to be called. Clones share everything.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) manifest: PluginManifest,
    pub(crate) rights: Rights,
    pub(crate) limits: Limits,
    pub(crate) guest: Guest,
    pub(crate) schemas: BTreeMap<String, Schemas>,
    /// The places that this plugin may take at once.
    pub(crate) places: Semaphore,
    digest: String,
    imports: Vec<String>,
    descriptors: Vec<Descriptor>,
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.name())
            .field("version", &self.version())
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

impl Plugin {
    /// The name workflows use: `assign`.
    pub fn name(&self) -> &str {
        &self.inner.manifest.name
    }

    /// The plugin's own version.
    pub fn version(&self) -> &str {
        &self.inner.manifest.version
    }

    /// The component's SHA-256 in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.inner.digest
    }

    /// Its `plugin.toml`.
    pub fn manifest(&self) -> &PluginManifest {
        &self.inner.manifest
    }

    /// The limits that hold for its calls.
    pub fn limits(&self) -> Limits {
        self.inner.limits
    }

    /// What it may do: what its manifest asks for and the operator agreed to.
    pub fn permissions(&self) -> &Permissions {
        self.inner.rights.effective()
    }

    /// What it actually imports: `relata:plugin/log@0.1.0` and so on.
    pub fn imports(&self) -> &[String] {
        &self.inner.imports
    }

    /// Its actions, in its own order.
    pub fn descriptors(&self) -> &[Descriptor] {
        &self.inner.descriptors
    }

    /// One action by its name without the plugin's: `round_robin`.
    pub fn descriptor(&self, action: &str) -> Option<&Descriptor> {
        self.inner.descriptors.iter().find(|descriptor| descriptor.id == action)
    }

    /// Whether it only computes: it imports nothing but `log`, so that one
    /// input always has one output and its results may be kept and replayed.
    pub fn pure(&self) -> bool {
        self.inner.imports.iter().all(|import| matches!(interface(import), Some("types" | "log")))
    }

    pub(crate) async fn load(
        shared: Arc<Shared>,
        manifest: PluginManifest,
        granted: Option<&Permissions>,
        digest: String,
        component: &Component,
    ) -> Result<Self, LoadFault> {
        let limits =
            manifest.limits.within(&shared.config.default_limits, &shared.config.ceiling)?;
        let imports = check_imports(&shared, &manifest, component)?;
        let guest = Guest::new(&shared.linker, component).map_err(|error| LoadFault::Contract {
            contract: manifest.contract.clone(),
            why: told(&format!("{error:#}")),
        })?;
        let described = describe(&shared, &manifest, &limits, &guest).await?;
        let (descriptors, schemas) = descriptors::read(described)?;
        Ok(Self {
            inner: Arc::new(Inner {
                rights: Rights::of(&manifest.permissions, granted),
                places: Semaphore::new(places_of_one(&shared)),
                shared,
                manifest,
                limits,
                guest,
                schemas,
                digest,
                imports,
                descriptors,
            }),
        })
    }
}

/// Three quarters of all places: one plugin whose calls all wait for a slow
/// service leaves some to the others.
fn places_of_one(shared: &Shared) -> usize {
    let all = shared.config.concurrent_calls as usize;
    (all - all / 4).max(1)
}

/// `log` of `relata:plugin/log@0.1.0`, if it is of a contract we know.
fn interface(import: &str) -> Option<&str> {
    import.strip_prefix("relata:plugin/")?.strip_suffix("@0.1.0")
}

/// Compares what a component really imports with the contract and with what
/// its manifest asks for.
fn check_imports(
    shared: &Shared,
    manifest: &PluginManifest,
    component: &Component,
) -> Result<Vec<String>, LoadFault> {
    let kind = component.component_type();
    let permissions = &manifest.permissions;
    let mut imports = Vec::new();
    for (import, item) in kind.imports(&shared.engine) {
        let unasked = match interface(import) {
            _ if !matches!(item.ty, ComponentItem::ComponentInstance(_)) => Err(()),
            Some("types" | "log" | "env") => Ok(None),
            Some("records") => Ok((!permissions.any_records())
                .then_some("[permissions.records.OBJECT] with read, update, create or delete")),
            Some("messages") => Ok(permissions
                .messages
                .is_empty()
                .then_some("messages = [\"mail\"] or [\"notify\"] under [permissions]")),
            Some("events") => Ok(permissions
                .events
                .is_empty()
                .then_some("events = [\"NAME\"] under [permissions]")),
            Some("http") => Ok(permissions
                .http
                .is_empty()
                .then_some("[[permissions.http]] with host and methods")),
            Some("secrets") => Ok(permissions
                .secrets
                .is_empty()
                .then_some("NAME = [\"HOST\"] under [permissions.secrets]")),
            Some("state") => Ok((!permissions.state).then_some("state = true under [permissions]")),
            _ => Err(()),
        };
        match unasked {
            Ok(None) => imports.push(import.to_owned()),
            Ok(Some(remedy)) => {
                return Err(LoadFault::Unasked {
                    interface: interface(import).unwrap_or(import).to_owned(),
                    remedy,
                });
            }
            Err(()) => {
                return Err(LoadFault::ForeignImport {
                    import: plain_start(import),
                    contract: manifest.contract.clone(),
                });
            }
        }
    }
    if kind.get_export(&shared.engine, ACTIONS).is_none() {
        return Err(LoadFault::Contract {
            contract: manifest.contract.clone(),
            why: format!("it does not export `{ACTIONS}`"),
        });
    }
    Ok(imports)
}

async fn describe(
    shared: &Arc<Shared>,
    manifest: &PluginManifest,
    limits: &Limits,
    guest: &Guest,
) -> Result<Vec<RawDescriptor>, LoadFault> {
    let setup = Setup {
        caller: Caller {
            plugin: manifest.name.clone(),
            action: "describe".to_owned(),
            run_id: String::new(),
            step_id: String::new(),
            idempotency_key: String::new(),
        },
        // It is asked before anybody agreed to anything.
        rights: Rights::of(&Permissions::default(), None),
        limits: *limits,
        now_ms: 0,
        seed: 0,
    };
    let (result, _, _) =
        setup.run(shared, Box::new(Nobody), async |store| guest.describe(store).await).await;
    result.map_err(LoadFault::Describe)
}
