//! What is loaded, what is refused and why, and the cache.

use std::fs;
use std::path::Path;

use expect_test::{Expect, expect};
use relata_package::MAX_COMPONENT_BYTES;
use relata_sandbox::{Plugin, Sandbox, SandboxConfig};
use serde_json::json;

use crate::desk::{call, line, manifest, sandbox};
use crate::guests::{self, Guest, component};

async fn refused(component: Vec<u8>, more: &str, expected: Expect) {
    let error = sandbox().load(manifest(more), None, component).await.unwrap_err();
    expected.assert_eq(&error.to_string());
}

#[tokio::test]
async fn a_plugin_says_what_it_is() {
    let plugin = sandbox()
        .load(
            manifest("[permissions.records.lead]\nread = [\"*\"]"),
            None,
            guests::reads_a_lead().output_schema(r#"{"type": "object"}"#).build(),
        )
        .await
        .unwrap();
    assert_eq!(plugin.name(), "p");
    assert_eq!(plugin.version(), "0.1.0");
    assert_eq!(plugin.digest().len(), 64);
    assert!(!plugin.pure());
    expect![[r#"
        (
            [
                "relata:plugin/types@0.1.0",
                "relata:plugin/records@0.1.0",
            ],
            [
                Descriptor {
                    id: "act",
                    title: "Act",
                    summary: "Acts.",
                    input_schema: Object {},
                    output_schema: Object {
                        "type": String("object"),
                    },
                    reads: [],
                    writes: [],
                    correlation: [],
                    exclusive: None,
                    idempotent: false,
                },
            ],
        )
    "#]]
    .assert_debug_eq(&(plugin.imports(), plugin.descriptors()));
}

#[tokio::test]
async fn bytes_that_are_something_else() {
    refused(
        b"#!/bin/sh\n".to_vec(),
        "",
        expect!["plugin `p` cannot be loaded: the file is not a WebAssembly component: it does not begin like one"],
    )
    .await;
    refused(
        wat::parse_str("(module)").unwrap(),
        "",
        expect!["plugin `p` cannot be loaded: the file is not a WebAssembly component: it is a core module; `relata plugin build` makes a component of it"],
    )
    .await;
    refused(
        vec![0; MAX_COMPONENT_BYTES + 1],
        "",
        expect![
            "plugin `p` cannot be loaded: its component has 33554433 bytes; the limit is 32 MiB"
        ],
    )
    .await;
    let mut torn = guests::echo().build();
    torn.truncate(torn.len() / 2);
    let error = sandbox().load(manifest(""), None, torn).await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("plugin `p` cannot be loaded: its component does not compile: ")
    );
}

#[tokio::test]
async fn a_component_without_actions() {
    refused(
        wat::parse_str("(component)").unwrap(),
        "",
        expect!["plugin `p` cannot be loaded: it does not fit the contract 0.1.0: it does not export `relata:plugin/actions@0.1.0`; build it with the SDK of that version"],
    )
    .await;
}

#[tokio::test]
async fn an_import_that_is_not_in_the_contract() {
    let core = wat::parse_str(
        r#"(module
          (import "wasi:clocks/monotonic@0.2.0" "now" (func (result i64)))
          (memory (export "memory") 1)
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable))"#,
    )
    .unwrap();
    let foreign = component(
        core,
        "package wasi:clocks@0.2.0;\ninterface monotonic { now: func() -> u64; }\nworld w { import monotonic; }",
    );
    refused(
        foreign,
        "",
        expect!["plugin `p` cannot be loaded: it imports `wasi:clocks/monotonic@0.2.0`, which is not part of the contract 0.1.0; a plugin reaches the world through the contract only"],
    )
    .await;
}

#[tokio::test]
async fn an_import_that_the_manifest_does_not_ask_for() {
    refused(
        guests::reads_a_lead().build(),
        "[permissions]\nstate = true",
        expect!["plugin `p` cannot be loaded: it imports `records`, but its plugin.toml does not ask for it: add [permissions.records.OBJECT] with read, update, create or delete"],
    )
    .await;
    refused(
        Guest::new("unreachable")
            .import("messages", "notify", "(param i32 i32 i32 i32 i32 i32 i32 i32)")
            .build(),
        "",
        expect![[r#"plugin `p` cannot be loaded: it imports `messages`, but its plugin.toml does not ask for it: add messages = ["mail"] or ["notify"] under [permissions]"#]],
    )
    .await;
}

#[tokio::test]
async fn descriptions_that_cannot_be_used() {
    refused(
        guests::echo().id("Act!").build(),
        "",
        expect!["plugin `p` cannot be loaded: it describes its actions wrongly: `Act!` cannot be an action's name: a letter a-z first, then letters a-z, digits and _, at most 40"],
    )
    .await;
    refused(
        guests::echo().input_schema("{").build(),
        "",
        expect!["plugin `p` cannot be loaded: it describes its actions wrongly: the input schema of `act` is no JSON: EOF while parsing an object at line 1 column 1"],
    )
    .await;
    refused(
        guests::echo().output_schema(r#"{"type": "text"}"#).build(),
        "",
        expect![[r#"plugin `p` cannot be loaded: it describes its actions wrongly: the output schema of `act` is no JSON Schema: "text" is not valid under any of the schemas listed in the 'anyOf' keyword"#]],
    )
    .await;
    refused(
        guests::echo()
            .describe("(loop $again (br $again)) unreachable")
            .build(),
        "[limits]\ncpu_ms = 5",
        expect!["plugin `p` cannot be loaded: it could not say which actions it has: it exceeded its CPU limit of 5 ms (limits.cpu_ms in its plugin.toml)"],
    )
    .await;
}

#[tokio::test]
async fn limits_beyond_the_ceiling() {
    refused(
        guests::echo().build(),
        "[limits]\nmemory_mib = 4096",
        expect!["plugin `p` cannot be loaded: limits.memory_mib = 4096 is outside of what is allowed here, 1 to 256"],
    )
    .await;
}

/// Loads a guest in a sandbox of its own, as after a start.
async fn load_with_cache(dir: &Path) -> Plugin {
    let sandbox =
        Sandbox::new(SandboxConfig { cache_dir: Some(dir.to_owned()), ..SandboxConfig::default() })
            .unwrap();
    sandbox.load(manifest(""), None, guests::echo().build()).await.unwrap()
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn a_compiled_plugin_is_kept_and_a_damaged_one_made_again() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("compiled");
    load_with_cache(&dir).await;
    let kept = files(&dir);
    assert_eq!(kept.len(), 1);
    let whole = fs::read(&kept[0]).unwrap();

    // A hit reads the file and leaves it alone.
    let written = fs::metadata(&kept[0]).unwrap().modified().unwrap();
    let plugin = load_with_cache(&dir).await;
    assert_eq!(line(&call(&plugin, json!(1)).await), "done: 1");
    assert_eq!(fs::metadata(&kept[0]).unwrap().modified().unwrap(), written);

    // One bit, a torn file, an empty file: each is noticed and mended.
    let mut bit = whole.clone();
    bit[whole.len() / 2] ^= 1;
    for damaged in [&bit[..], &whole[..whole.len() - 1], &whole[..16], b""] {
        fs::write(&kept[0], damaged).unwrap();
        let plugin = load_with_cache(&dir).await;
        assert_eq!(line(&call(&plugin, json!(2)).await), "done: 2");
        assert_eq!(fs::read(&kept[0]).unwrap().len(), whole.len());
    }
    assert_eq!(files(&dir), kept);
}

#[cfg(unix)]
#[tokio::test]
async fn the_cache_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("compiled");
    load_with_cache(&dir).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(&files(&dir)[0]), 0o600);

    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
    let error =
        Sandbox::new(SandboxConfig { cache_dir: Some(dir.clone()), ..SandboxConfig::default() })
            .unwrap_err();
    let message = error.to_string().replace(dir.to_str().unwrap(), "DIR");
    expect!["the folder for compiled plugins DIR cannot be used: other users may write to it (mode 777); `chmod 700` makes it private"]
        .assert_eq(&message);
}
