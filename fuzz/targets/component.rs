//! Any bytes as a component, and any text as the schema of an action in one
//! that is good: both are loaded as a stranger's plugin is, and told in words
//! where they are not taken. What was taken is called with the text as its
//! input: whatever its schema says, the comparison comes to an end.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use relata_sandbox::contract::{
    Condition, Entity, EventRequest, Fields, HttpRequest, HttpResponse, MailRequest, Notice, Page,
    Query, Receipt, StateItem, StatePut, Tally,
};
use relata_sandbox::{
    CallRequest, HostCalls, HostError, Limits, LoadError, Plugin, PluginManifest, Sandbox,
    SandboxConfig, async_trait,
};
use tokio::runtime::{Builder, Runtime};

/// A component whose input schema is a row of `S`.
const TEMPLATE: &[u8] = include_bytes!("component.wasm");

/// How many.
const PLACE: usize = 2_000;

const MANIFEST: &str = "name = \"p\"\nversion = \"0.1.0\"\ntitle = \"P\"\ncontract = \"0.1.0\"\n\
    [permissions]\nstate = true\nmessages = [\"mail\", \"notify\"]\nevents = [\"*\"]\n\
    [permissions.records.\"*\"]\nread = [\"*\"]\nupdate = [\"*\"]\ncreate = true\ndelete = true\n\
    [permissions.secrets]\nkey = [\"*\"]\n\
    [[permissions.http]]\nhost = \"*\"\nmethods = [\"GET\", \"POST\"]\n";

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| {
    let config = SandboxConfig { concurrent_calls: 1, ..SandboxConfig::default() };
    Sandbox::new(config).expect("a sandbox")
});

fuzz_target!(|bytes: &[u8]| {
    RUNTIME.block_on(async {
        if let Some(plugin) = check(load(bytes.to_vec()).await) {
            call(&plugin, &serde_json::json!({})).await;
        }
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let Some(component) = with_schema(text) else { return };
        let Some(plugin) = check(load(component).await) else { return };
        let Ok(value) = serde_json::from_str(text) else { return };
        call(&plugin, &value).await;
    });
});

/// The template with another schema in the place of its own.
fn with_schema(text: &str) -> Option<Vec<u8>> {
    let place = TEMPLATE.windows(PLACE).position(|bytes| bytes.iter().all(|byte| *byte == b'S'))?;
    let padding = PLACE.checked_sub(text.len())?;
    let mut component = TEMPLATE.to_vec();
    let schema = [text.as_bytes(), " ".repeat(padding).as_bytes()].concat();
    component[place..place + PLACE].copy_from_slice(&schema);
    Some(component)
}

async fn load(component: Vec<u8>) -> Result<Plugin, LoadError> {
    let manifest = PluginManifest::parse(MANIFEST).expect("it is good");
    SANDBOX.load(manifest, None, component).await
}

fn check(loaded: Result<Plugin, LoadError>) -> Option<Plugin> {
    loaded
        .inspect_err(|why| {
            let told = why.to_string();
            let draws = |c: char| c.is_control() && c != '\n' && c != '\t';
            assert!(!told.contains(draws), "it writes on the screen: {told:?}");
            assert!(told.len() < 20_000, "it says too much: {} bytes", told.len());
        })
        .ok()
}

async fn call(plugin: &Plugin, input: &serde_json::Value) {
    for action in plugin.descriptors() {
        let mut request = CallRequest::new(&action.id, input);
        request.limits = Some(Limits { cpu_ms: 20, call_s: 1, ..plugin.limits() });
        let called = plugin.call(request, Nothing).await;
        assert!(called.report.host_calls == 0 || !plugin.pure());
    }
}

/// A host that has nothing.
struct Nothing;

fn nothing<T>() -> Result<T, HostError> {
    Err(HostError::not_found("there is nothing here"))
}

#[async_trait]
impl HostCalls for Nothing {
    async fn record_get(&mut self, _: &str) -> Result<Entity, HostError> {
        nothing()
    }

    async fn record_query(&mut self, _: Query) -> Result<Page, HostError> {
        nothing()
    }

    async fn record_count(&mut self, _: &str, _: Vec<Condition>) -> Result<u64, HostError> {
        nothing()
    }

    async fn record_count_by(
        &mut self,
        _: &str,
        _: Vec<Condition>,
        _: &str,
    ) -> Result<Vec<Tally>, HostError> {
        nothing()
    }

    async fn calendar_is_open(&mut self, _: &str, _: u64) -> Result<bool, HostError> {
        nothing()
    }

    async fn record_create(&mut self, _: &str, _: Fields) -> Result<Entity, HostError> {
        nothing()
    }

    async fn record_update(
        &mut self,
        _: &str,
        _: Fields,
        _: Option<u64>,
    ) -> Result<Entity, HostError> {
        nothing()
    }

    async fn record_delete(&mut self, _: &str, _: Option<u64>) -> Result<(), HostError> {
        nothing()
    }

    async fn send_mail(&mut self, _: MailRequest) -> Result<Receipt, HostError> {
        nothing()
    }

    async fn notify(&mut self, _: Notice) -> Result<Receipt, HostError> {
        nothing()
    }

    async fn emit(&mut self, _: EventRequest) -> Result<(), HostError> {
        nothing()
    }

    async fn state_get(&mut self, _: &str) -> Result<Option<StateItem>, HostError> {
        nothing()
    }

    async fn state_put(&mut self, _: StatePut) -> Result<u64, HostError> {
        nothing()
    }

    async fn http_send(&mut self, _: HttpRequest) -> Result<HttpResponse, HostError> {
        nothing()
    }

    async fn http_deliver(&mut self, _: HttpRequest) -> Result<String, HostError> {
        nothing()
    }

    async fn has_secret(&mut self, _: &str) -> Result<bool, HostError> {
        nothing()
    }

    fn cancelled(&self) -> bool {
        false
    }
}
