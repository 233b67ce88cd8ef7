//! Components that are not to be loaded, and descriptions that are bombs.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::desk::{call, line, manifest, sandbox};
use crate::guests::{self, Guest};

/// Why a component is not loaded; the same beginning left out.
async fn refusal(component: Vec<u8>, more: &str) -> String {
    match sandbox().load(manifest(more), None, component).await {
        Ok(_) => "it was loaded".to_owned(),
        Err(why) => {
            let why = why.to_string();
            let why = why.strip_prefix("plugin `p` cannot be loaded: ").unwrap_or(&why);
            // Where in the component it is depends on the encoder.
            why.split(" (at offset").next().unwrap_or(why).to_owned()
        }
    }
}

/// Loads components, given as texts, and tells what becomes of each.
async fn check(components: &[(&str, &str)], expected: Expect) {
    let mut told = String::new();
    for (name, text) in components {
        let component = wat::parse_str(text).unwrap_or_else(|why| panic!("{name}: {why}"));
        let _ = writeln!(told, "{name}: {}", refusal(component, "").await);
    }
    expected.assert_eq(&told);
}

/// Two components in one; the first hands the second a text.
const JOINED: &str = r#"
(component
  (component $a
    (core module $m (memory (export "mem") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
      (func (export "f") (param i32 i32)))
    (core instance $i (instantiate $m))
    (func (export "f") (param "s" string) (canon lift (core func $i "f") (memory (core memory $i "mem")) (realloc (core func $i "realloc")))))
  (component $b (import "f" (func $f (param "s" string)))
    (core module $l (memory (export "mem") 1))
    (core instance $li (instantiate $l))
    (core func $lf (canon lower (func $f) (memory (core memory $li "mem"))))
    (core module $m (import "" "f" (func $f (param i32 i32)))
      (func (export "run") (call $f (i32.const 0) (i32.const 0))))
    (core instance $i (instantiate $m (with "" (instance (export "f" (func $lf))))))
    (func (export "run") (canon lift (core func $i "run"))))
  (instance $ai (instantiate $a))
  (instance $bi (instantiate $b (with "f" (func $ai "f"))))
  (export "run" (func $bi "run")))
"#;

#[tokio::test]
async fn what_makes_the_compiler_give_up() {
    check(
        &[("components joined to one", JOINED)],
        expect![[r#"
            components joined to one: its component does not compile: it is several components in one that pass texts or lists to each other; build the plugin as one component
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_the_engine_leaves_out() {
    check(
        &[
            ("64-bit memory", "(component (core module (memory i64 1)))"),
            ("two memories in a module", "(component (core module (memory 1) (memory 1)))"),
            ("shared memory", "(component (core module (memory 1 1 shared)))"),
            (
                "atomics",
                "(component (core module (memory 1) (func (drop (i32.atomic.load (i32.const 0))))))",
            ),
            ("garbage collection", "(component (core module (type (struct (field i32)))))"),
            (
                "exceptions",
                "(component (core module (tag $t) (func (throw $t))))",
            ),
            (
                "stack switching",
                "(component (core module (type $f (func)) (type $c (cont $f)) (func (drop (ref.null $c)))))",
            ),
            (
                "asynchronous functions",
                "(component (import \"f\" (func async)))",
            ),
            ("threads of the component model", "(component (core func (canon thread.index)))"),
            ("wide arithmetic", "(component (core module (func (param i64 i64 i64 i64) (result i64 i64) (i64.add128 (local.get 0) (local.get 1) (local.get 2) (local.get 3)))))"),
            ("custom page sizes", "(component (core module (memory 1 (pagesize 1))))"),
        ],
        expect![[r#"
            64-bit memory: its component does not compile: failed to parse WebAssembly module: memory64 must be enabled for 64-bit memories
            two memories in a module: its component does not compile: failed to parse WebAssembly module: multiple memories
            shared memory: its component does not compile: failed to parse WebAssembly module: threads must be enabled for shared memories
            atomics: its component does not compile: failed to compile: wasm[0]::function[0]: WebAssembly translation error: Invalid input WebAssembly code at offset 40: threads support is not enabled
            garbage collection: its component does not compile: failed to parse WebAssembly module: struct indexed types not supported without the gc feature
            exceptions: its component does not compile: failed to parse WebAssembly module: exceptions proposal not enabled
            stack switching: its component does not compile: failed to parse WebAssembly module: cannot define continuation types when stack switching is disabled
            asynchronous functions: its component does not compile: failed to parse WebAssembly module: async component functions require the component model async feature
            threads of the component model: its component does not compile: failed to parse WebAssembly module: `thread.index` requires the component model threading feature
            wide arithmetic: its component does not compile: failed to compile: wasm[0]::function[0]: WebAssembly translation error: Invalid input WebAssembly code at offset 47: wide arithmetic support is not enabled
            custom page sizes: its component does not compile: failed to parse WebAssembly module: the custom page sizes proposal must be enabled to customize a memory's page size
        "#]],
    )
    .await;
}

/// A guest's component with more in it.
fn with_more(text: &str) -> Vec<u8> {
    let whole = wasmprinter::print_bytes(guests::echo().build()).unwrap();
    let end = whole.trim_end().strip_suffix(')').unwrap();
    wat::parse_str(format!("{end}{text})")).unwrap()
}

#[tokio::test]
async fn more_than_the_pool_has_of_anything() {
    let mut told = String::new();
    let instances = |count: u32, module: &str| {
        let more = "(core instance (instantiate $more))".repeat(count as usize);
        with_more(&format!("(core module $more {module}) {more}"))
    };
    for (name, component) in [
        ("a second memory in a second module", instances(1, "(memory 1)")),
        ("sixty instances", instances(60, "")),
        ("twenty tables", instances(20, "(table 1 funcref)")),
        ("a table of thirty thousand elements", instances(1, "(table 30000 funcref)")),
        ("a memory of a gigabyte", guests::echo().memory_pages(16_384).build()),
        (
            "an endless loop as it starts",
            guests::echo().with("(func $begin (loop $again (br $again))) (start $begin)").build(),
        ),
        (
            "an endless loop as it describes",
            guests::echo().describe("(loop $again (br $again)) unreachable").build(),
        ),
        (
            "a call of the host as it describes",
            Guest::new("unreachable")
                .import("records", "get", "(param i32 i32 i32)")
                .describe("(call $records_get (i32.const 8192) (i32.const 6) (i32.const 600)) (if (i32.load8_u (i32.const 600)) (then unreachable)) (i32.const 256)")
                .text_at(8192, "lead/1")
                .build(),
        ),
    ] {
        let grants = "[permissions.records.lead]\nread = [\"*\"]\n[limits]\ncpu_ms = 20";
        let _ = writeln!(told, "{name}: {}", refusal(component, grants).await);
    }
    expect![[r#"
        a second memory in a second module: its component needs what the sandbox does not give: The component transitively contains 2 Wasm linear memories, which exceeds the configured maximum of 1 in the pooling allocator
        sixty instances: its component needs what the sandbox does not give: The component transitively contains 61 core module instances, which exceeds the configured maximum of 50 in the pooling allocator
        twenty tables: its component needs what the sandbox does not give: The component transitively contains 20 tables, which exceeds the configured maximum of 8 in the pooling allocator
        a table of thirty thousand elements: its component needs what the sandbox does not give: module table does not fit in pooling allocator requirements: table index 0 has a minimum element size of 30000 which exceeds the limit of 20000
        a memory of a gigabyte: its component needs what the sandbox does not give: module memory does not fit in pooling allocator requirements: memory index 0 is unsupported in this pooling allocator configuration: memory has a minimum byte size of 1073741824 which exceeds the limit of 0x10000000 bytes
        an endless loop as it starts: it could not say which actions it has: it exceeded its CPU limit of 20 ms (limits.cpu_ms in its plugin.toml)
        an endless loop as it describes: it could not say which actions it has: it exceeded its CPU limit of 20 ms (limits.cpu_ms in its plugin.toml)
        a call of the host as it describes: it could not say which actions it has: it stopped with a fault: wasm `unreachable` instruction executed in function 5
    "#]].assert_eq(&told);
}

#[tokio::test]
async fn imports_that_look_like_the_contract() {
    check(
        &[
            (
                "a function that is not in it",
                r#"(component (import "relata:plugin/log@0.1.0" (instance (export "shout" (func)))))"#,
            ),
            (
                "another version of it",
                r#"(component (import "relata:plugin/log@9.0.0" (instance)))"#,
            ),
            (
                "a function beside it",
                r#"(component (import "relata:plugin/log@0.1.0" (func)))"#,
            ),
            ("a component to be given", r#"(component (import "helper" (component)))"#),
        ],
        expect![[r#"
            a function that is not in it: it does not fit the contract 0.1.0: it does not export `relata:plugin/actions@0.1.0`; build it with the SDK of that version
            another version of it: it imports `relata:plugin/log@9.0.0`, which is not part of the contract 0.1.0; a plugin reaches the world through the contract only
            a function beside it: it imports `relata:plugin/log@0.1.0`, which is not part of the contract 0.1.0; a plugin reaches the world through the contract only
            a component to be given: its component does not compile: failed to parse WebAssembly module: root-level component imports are not supported
        "#]],
    )
    .await;
}

/// Why a description is not taken.
async fn description(guest: Guest) -> String {
    let told = refusal(guest.build(), "").await;
    told.strip_prefix("it describes its actions wrongly: ").unwrap_or(&told).to_owned()
}

#[tokio::test]
async fn descriptions_that_are_too_much() {
    // The descriptor at 1024 so many times.
    let many = |count: u32| {
        guests::echo().memory_pages(20).describe(&format!(
            r#"(local $at i32) (local $left i32)
            (local.set $at (i32.const 131072))
            (local.set $left (i32.const {count}))
            (loop $more
              (memory.copy (local.get $at) (i32.const 1024) (i32.const 80))
              (local.set $at (i32.add (local.get $at) (i32.const 80)))
              (local.set $left (i32.sub (local.get $left) (i32.const 1)))
              (br_if $more (local.get $left)))
            (i32.store (i32.const 256) (i32.const 131072))
            (i32.store (i32.const 260) (i32.const {count}))
            (i32.const 256)"#
        ))
    };
    let mut told = String::new();
    for (name, guest) in [
        ("ten thousand actions", many(10_000)),
        ("half a million actions", many(500_000).memory_pages(1_000)),
        ("two of one name", many(2)),
        ("a name that clears the screen", guests::echo().id("a\u{1b}[2J")),
        ("a name of a hundred kilobytes", guests::echo().id(&"a".repeat(20_000))),
        ("a title that colours the screen", guests::echo().title("\u{1b}[31mred")),
        ("a title that turns the line", guests::echo().title("\u{202e}txet")),
        ("a title of two lines", guests::echo().title("one\ntwo")),
        ("a title without end", guests::echo().title(&"x".repeat(20_000))),
    ] {
        let _ = writeln!(told, "{name}: {}", description(guest).await);
    }
    expect![[r#"
        ten thousand actions: there are 10000 of them; the limit is 200
        half a million actions: it could not say which actions it has: it answered more than the limit of 1024 KiB (limits.output_kib in its plugin.toml)
        two of one name: the action `act` is there twice
        a name that clears the screen: `a\u{1b}[2J` cannot be an action's name: a letter a-z first, then letters a-z, digits and _, at most 40
        a name of a hundred kilobytes: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…` cannot be an action's name: a letter a-z first, then letters a-z, digits and _, at most 40
        a title that colours the screen: `\u{1b}[31mred` of `act` should be one line of at most 200 bytes, without control characters
        a title that turns the line: `\u{202e}txet` of `act` should be one line of at most 200 bytes, without control characters
        a title of two lines: `one\ntwo` of `act` should be one line of at most 200 bytes, without control characters
        a title without end: `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…` of `act` should be one line of at most 200 bytes, without control characters
    "#]].assert_eq(&told);
}

#[tokio::test]
async fn schemas_that_are_bombs() {
    // Each names the next one twice.
    let doubling: serde_json::Map<String, Value> = (0..30)
        .map(|level| {
            let next = json!({ "$ref": format!("#/$defs/d{}", level + 1) });
            (format!("d{level}"), json!({ "allOf": [next.clone(), next] }))
        })
        .chain([("d30".to_owned(), json!({ "type": "integer" }))])
        .collect();
    let unevaluated = (0..12).fold(
        json!({ "unevaluatedProperties": false }),
        |inner, _| json!({ "allOf": [inner], "unevaluatedProperties": false }),
    );
    let deep = (0..100).fold(json!({}), |inner, _| json!({ "items": inner }));
    let hidden = json!({
        "$defs": { "bomb": { "$ref": "#/properties/default" } },
        "properties": { "default": { "$ref": "#/$defs/bomb" } },
    });
    let pattern = |count: usize| {
        let all: Vec<Value> = (0..count).map(|n| json!({ "pattern": format!("^a{n}$") })).collect();
        json!({ "allOf": all })
    };
    let mut told = String::new();
    for (name, schema) in [
        ("itself", json!({ "$ref": "#" })),
        ("itself below", json!({ "items": { "$ref": "#" } })),
        (
            "two that name each other",
            json!({
                "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } },
                "$ref": "#/$defs/a",
            }),
        ),
        (
            "itself, in another spelling",
            json!({
                "$defs": { "a": { "items": { "$ref": "#/%24defs/a" } } },
                "$ref": "#/$defs/a",
            }),
        ),
        ("a loop behind a property's name", hidden),
        ("each names the next twice", json!({ "$defs": doubling, "$ref": "#/$defs/d0" })),
        ("what is left over, in itself", unevaluated),
        ("a hundred levels", deep),
        ("a thousand patterns", pattern(1_000)),
        ("a pattern that is huge", json!({ "pattern": "(\\w{100}){100}" })),
        ("a pattern that goes back", json!({ "pattern": "^(a+)+(?=b)$" })),
        ("a choice of ten thousand", json!({ "enum": (0..10_000).collect::<Vec<_>>() })),
        ("an address to fetch", json!({ "$ref": "https://evil.example/schema.json" })),
        ("a file to read", json!({ "$ref": "file:///etc/passwd" })),
        ("an anchor", json!({ "$defs": { "a": { "$anchor": "a" } }, "$ref": "#a" })),
        ("a dynamic reference", json!({ "$dynamicRef": "#a" })),
        (
            "another base",
            json!({ "properties": { "a": { "$id": "https://a.example/", "$ref": "#/b" } } }),
        ),
    ] {
        let guest = guests::echo().input_schema(&schema.to_string());
        let _ = writeln!(told, "{name}: {}", description(guest).await);
    }
    let long = format!("{{\"title\": \"{}\"}}", "x".repeat(10_000));
    let blanks = format!("{long}{}", " ".repeat(40_000));
    let _ = writeln!(
        told,
        "long and harmless: {}",
        description(guests::echo().output_schema(&blanks)).await
    );
    expect![[r#"
        itself: the input schema of `act` refers to itself through `#`; only values of a known depth can be described
        itself below: the input schema of `act` refers to itself through `#`; only values of a known depth can be described
        two that name each other: the input schema of `act` refers to itself through `#/$defs/b`; only values of a known depth can be described
        itself, in another spelling: the input schema of `act` refers to itself through `#/%24defs/a`; only values of a known depth can be described
        a loop behind a property's name: the input schema of `act` refers to itself through `#/properties/default`; only values of a known depth can be described
        each names the next twice: the input schema of `act` is too large: with all that it refers to, it has more than 5000 keywords (a pattern counts as 50)
        what is left over, in itself: the input schema of `act` is too large: with all that it refers to, it has more than 5000 keywords (a pattern counts as 50)
        a hundred levels: the input schema of `act` is nested more than 64 levels deep
        a thousand patterns: the input schema of `act` is too large: with all that it refers to, it has more than 5000 keywords (a pattern counts as 50)
        a pattern that is huge: the input schema of `act` is no JSON Schema: "(\\w{100}){100}" is not a "regex"
        a pattern that goes back: the input schema of `act` is no JSON Schema: "^(a+)+(?=b)$" is not a "regex"
        a choice of ten thousand: the input schema of `act` is too large: with all that it refers to, it has more than 5000 keywords (a pattern counts as 50)
        an address to fetch: the input schema of `act` refers to `https://evil.example/schema.json`, which is not in it
        a file to read: the input schema of `act` refers to `file:///etc/passwd`, which is not in it
        an anchor: the input schema of `act` refers to `#a`, which is not in it
        a dynamic reference: the input schema of `act` has a `$dynamicRef`; only `$ref` is known here
        another base: the input schema of `act` has an `$id` below its beginning, which would give each `$ref` another meaning
        long and harmless: it was loaded
    "#]].assert_eq(&told);
}

/// What a call comes to whose input does not fit.
async fn misfit(schema: Value, input: Value) -> String {
    let guest = guests::echo().input_schema(&schema.to_string()).build();
    let plugin = sandbox().load(manifest(""), None, guest).await.unwrap();
    line(&call(&plugin, input).await).replace("plugin `p`, action `act`: ", "")
}

#[tokio::test]
async fn values_that_are_too_much_for_their_schema() {
    let numbers = json!((0..100_000).collect::<Vec<_>>());
    // Half a gigabyte of errors, were they all collected.
    let texts = json!({ "anyOf": [{ "items": { "type": "string" } }, { "maxItems": 1 }] });
    expect!["bad-input: its input does not fit: there is too much of it to say where"]
        .assert_eq(&misfit(texts, numbers.clone()).await);
    let all: Vec<Value> = (0..4_000).map(|n| json!(n)).collect();
    expect![
        "bad-input: its input does not fit: there is too much of it to compare it with its schema"
    ]
    .assert_eq(&misfit(json!({ "items": { "enum": all } }), numbers).await);
}

#[tokio::test]
async fn a_schema_that_passes_everything_passes_no_limit() {
    for schema in [json!({}), json!(true)] {
        let guest = guests::long_answer(2 << 20)
            .input_schema(&schema.to_string())
            .output_schema(&schema.to_string());
        let plugin = sandbox().load(manifest(""), None, guest.build()).await.unwrap();
        let told = line(&call(&plugin, json!({ "any": ["thing", null] })).await);
        assert!(told.starts_with("output-limit: "), "{told}");
    }
}
