//! Each limit, and the guest that tries it.

use std::hint::black_box;
use std::time::Duration;

use expect_test::{Expect, expect};
use relata_sandbox::{CallRequest, Limits};
use serde_json::json;

use crate::desk::{Desk, call, line, load, sandbox};
use crate::guests::{self, Guest};

/// Calls a guest with the default limits and checks the sentence.
async fn check(guest: Guest, expected: Expect) {
    let plugin = load(guest.build(), "").await;
    let called = call(&plugin, json!({})).await;
    expected.assert_eq(&line(&called));
}

#[tokio::test]
async fn an_answer_is_an_answer() {
    check(guests::echo(), expect!["done: {}"]).await;
}

#[tokio::test]
async fn an_endless_loop() {
    check(
        guests::endless(),
        expect![
            "cpu-limit: plugin `p`, action `act`: exceeded its CPU limit of 200 ms (limits.cpu_ms in its plugin.toml)"
        ],
    )
    .await;
}

#[tokio::test]
async fn an_endless_loop_does_not_block_others() {
    let sandbox = sandbox();
    let endless =
        sandbox.load(crate::desk::manifest(""), None, guests::endless().build()).await.unwrap();
    let echo = sandbox.load(crate::desk::manifest(""), None, guests::echo().build()).await.unwrap();
    // One thread for both: the loop has to let go for the other to get on.
    let order = std::cell::RefCell::new(Vec::new());
    tokio::join!(
        async {
            call(&endless, json!({})).await;
            order.borrow_mut().push("endless");
        },
        async {
            for _ in 0..3 {
                call(&echo, json!({})).await;
                order.borrow_mut().push("echo");
            }
        }
    );
    assert_eq!(order.into_inner(), ["echo", "echo", "echo", "endless"]);
}

#[tokio::test]
async fn more_calls_than_places_queue_up() {
    let plugin = load(guests::echo().build(), "").await;
    let calls: Vec<_> = (0..40)
        .map(|number| {
            let plugin = plugin.clone();
            tokio::spawn(async move { line(&call(&plugin, json!(number)).await) })
        })
        .collect();
    for (number, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.unwrap(), format!("done: {number}"));
    }
}

#[tokio::test]
async fn memory_without_end() {
    check(
        Guest::new("(loop $more (drop (call $alloc (i32.const 1048576))) (br $more)) unreachable"),
        expect![
            "memory-limit: plugin `p`, action `act`: exceeded its memory limit of 64 MiB (limits.memory_mib in its plugin.toml)"
        ],
    )
    .await;
}

#[tokio::test]
async fn a_guest_may_make_do_without_the_memory() {
    let guest = Guest::new(
        "(drop (memory.grow (i32.const 60000))) (call $done (local.get $input) (local.get $input_len))",
    );
    check(guest, expect!["done: {}"]).await;
}

#[tokio::test]
async fn more_memory_from_the_beginning() {
    let error = sandbox()
        .load(crate::desk::manifest(""), None, guests::echo().memory_pages(2000).build())
        .await
        .unwrap_err();
    expect!["plugin `p` cannot be loaded: it could not say which actions it has: it exceeded its memory limit of 64 MiB (limits.memory_mib in its plugin.toml)"].assert_eq(&error.to_string());
}

#[tokio::test]
async fn tables_without_end() {
    check(
        Guest::new(
            "(if (i32.eq (i32.const -1) (table.grow $t (ref.null func) (i32.const 30000))) (then unreachable)) unreachable",
        )
        .with("(table $t 1 funcref)"),
        expect!["table-limit: plugin `p`, action `act`: exceeded its limit of 20000 table elements"],
    )
    .await;
}

#[tokio::test]
async fn recursion_without_end() {
    check(
        Guest::new("(call $deeper (i32.const 0))").with(
            "(func $deeper (param i32) (result i32) (i32.add (i32.const 1) (call $deeper (local.get 0))))",
        ),
        expect![
            "stack-limit: plugin `p`, action `act`: recursed deeper than its stack of 512 KiB allows"
        ],
    )
    .await;
}

#[tokio::test]
async fn sixteen_mib_of_output() {
    check(
        guests::long_answer(16 << 20),
        expect![
            "output-limit: plugin `p`, action `act`: answered more than the limit of 1024 KiB (limits.output_kib in its plugin.toml)"
        ],
    )
    .await;
}

#[tokio::test]
async fn two_mib_of_output() {
    check(
        guests::long_answer(2 << 20),
        expect![
            "output-limit: plugin `p`, action `act`: answered more than the limit of 1024 KiB (limits.output_kib in its plugin.toml)"
        ],
    )
    .await;
}

#[tokio::test]
async fn a_manifest_may_ask_for_more() {
    let plugin = load(guests::long_answer(2 << 20).build(), "[limits]\noutput_kib = 2048").await;
    expect!["done: 1"].assert_eq(&line(&call(&plugin, json!({})).await));
}

#[tokio::test]
async fn five_mib_in_one_host_call() {
    check(
        Guest::new(
            r#"(local $at i32)
            (local.set $at (call $alloc (i32.const 5242880)))
            (call $log_emit (i32.const 1) (local.get $at) (i32.const 5242880) (i32.const 0) (i32.const 0))
            unreachable"#,
        )
        .import("log", "emit", "(param i32 i32 i32 i32 i32)"),
        expect![
            "host-call-limit: plugin `p`, action `act`: passed more than 4 MiB to the host in one call"
        ],
    )
    .await;
}

#[tokio::test]
async fn a_panic_has_its_place() {
    let guest = Guest::new(
        r#"(call $log_panic (i32.const 8192) (i32.const 3) (i32.const 8200) (i32.const 14))
        unreachable"#,
    )
    .import("log", "panic", "(param i32 i32 i32 i32)")
    .with(r#"(data (i32.const 8192) "oh!     src/lib.rs:1:2")"#);
    let plugin = load(guest.build(), "").await;
    let called = call(&plugin, json!({})).await;
    expect!["panic: plugin `p`, action `act`: panicked at src/lib.rs:1:2: oh!"]
        .assert_eq(&line(&called));
}

#[tokio::test]
async fn a_trap_names_the_function() {
    check(
        Guest::new("(drop (call $divide (i32.const 0))) unreachable").with(
            "(func $divide (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))",
        ),
        expect!["trap: plugin `p`, action `act`: stopped with a fault: integer divide by zero in function `divide`"],
    )
    .await;
}

#[tokio::test]
async fn too_many_random_bytes() {
    check(
        Guest::new("(call $env_random (i32.const 1025) (i32.const 600)) unreachable").import(
            "env",
            "random",
            "(param i32 i32)",
        ),
        expect!["trap: plugin `p`, action `act`: stopped with a fault: asked for 1025 random bytes at once, the most is 1024 in function 0"],
    )
    .await;
}

#[tokio::test]
async fn output_that_is_no_json() {
    check(
        guests::says("no json"),
        expect!["bad-output: plugin `p`, action `act`: its output does not fit: it is no JSON: expected ident at line 1 column 2"],
    )
    .await;
}

#[tokio::test]
async fn output_that_does_not_fit() {
    check(
        guests::says(r#"{"score": "high"}"#)
            .output_schema(r#"{"properties": {"score": {"type": "integer"}}, "required": ["label"]}"#),
        expect![[r#"bad-output: plugin `p`, action `act`: its output does not fit: "label" is a required property; /score: the value is not of type "integer""#]],
    )
    .await;
}

#[tokio::test]
async fn input_that_does_not_fit() {
    check(
        guests::echo().input_schema(
            r#"{"properties": {"lead": {"type": "string"}}, "required": ["lead"]}"#,
        ),
        expect![[r#"bad-input: plugin `p`, action `act`: its input does not fit: "lead" is a required property"#]],
    )
    .await;
}

#[tokio::test]
async fn input_that_is_too_long() {
    let plugin = load(guests::echo().build(), "").await;
    let called = call(&plugin, json!("x".repeat(1 << 20))).await;
    expect!["input-limit: plugin `p`, action `act`: its input has 1048578 bytes, the limit is 1024 KiB (limits.input_kib in its plugin.toml)"].assert_eq(&line(&called));
}

#[tokio::test]
async fn an_action_that_is_not_there() {
    let plugin = load(guests::echo().build(), "").await;
    let input = json!({});
    let called = plugin.call(CallRequest::new("react", &input), Desk::default()).await;
    expect![
        "unknown-action: plugin `p`, action `react`: there is no such action; the plugin has `act`"
    ]
    .assert_eq(&line(&called));
}

#[tokio::test]
async fn an_error_is_passed_on() {
    check(
        Guest::new("(call $fail (i32.const 5) (i32.const 8192) (i32.const 9))")
            .with(r#"(data (i32.const 8192) "try later")"#),
        expect!["transient: plugin `p`, action `act`: try later"],
    )
    .await;
}

#[tokio::test]
async fn what_a_call_says_of_its_plugin() {
    let panics = |then: &str| {
        let told =
            "(call $log_panic (i32.const 8192) (i32.const 3) (i32.const 8200) (i32.const 0))";
        Guest::new(&format!("{told} {then}"))
            .import("log", "panic", "(param i32 i32 i32 i32)")
            .with(r#"(data (i32.const 8192) "oh!")"#)
    };
    let fail = "(call $fail (i32.const 6) (i32.const 8192) (i32.const 3))";
    let verdict = async |guest: Guest| {
        let plugin = load(guest.build(), "").await;
        format!("{:?}", call(&plugin, json!({})).await.verdict())
    };
    expect!["Works"].assert_eq(&verdict(Guest::new(fail)).await);
    // An exception that nobody caught is told, and then answered as an error.
    expect![[r#"Fails("panicked at a place unknown")"#]].assert_eq(&verdict(panics(fail)).await);
    expect![[r#"Fails("panicked at a place unknown")"#]]
        .assert_eq(&verdict(panics("unreachable")).await);
    expect![[
        r#"Fails("stopped with a fault: wasm `unreachable` instruction executed in function 5")"#
    ]]
    .assert_eq(&verdict(Guest::new("unreachable")).await);
    expect!["Nothing"]
        .assert_eq(&verdict(Guest::new(fail).input_schema(r#"{"required": ["x"]}"#)).await);
}

/// Reads `lead/1` so many times and answers the input.
fn reads_often(times: u32) -> Guest {
    Guest::new(&format!(
        r#"(local $left i32)
        (local.set $left (i32.const {times}))
        (loop $more
          (call $records_get (i32.const 8192) (i32.const 6) (i32.const 600))
          (if (i32.load8_u (i32.const 600))
            (then (return (call $fail (i32.load8_u (i32.const 608))
                    (i32.load (i32.const 612)) (i32.load (i32.const 616))))))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br_if $more (local.get $left)))
        (call $done (local.get $input) (local.get $input_len))"#
    ))
    .import("records", "get", "(param i32 i32 i32)")
    .with(r#"(data (i32.const 8192) "lead/1")"#)
}

#[tokio::test]
async fn waiting_is_not_charged() {
    let plugin = load(
        reads_often(10).build(),
        "[permissions.records.lead]\nread = [\"*\"]\n[limits]\ncpu_ms = 9",
    )
    .await;
    let input = json!({});
    let desk = Desk { delay: Duration::from_millis(5), ..Desk::default() };
    // While it waits, this thread works for others.
    let others = tokio::spawn(async {
        loop {
            black_box((0..2_000).map(black_box).max());
            tokio::task::yield_now().await;
        }
    });
    // 50 ms of waiting, and a tick a wait would already be too much.
    let called = plugin.call(CallRequest::new("act", &input), desk).await;
    others.abort();
    expect!["done: {}"].assert_eq(&line(&called));
    assert_eq!(called.report.queries, 10);
    assert_eq!(called.host.asked.len(), 10);
    assert!(called.report.waited >= Duration::from_millis(50));
}

#[tokio::test]
async fn reading_without_end() {
    let plugin =
        load(reads_often(1000).build(), "[permissions.records.lead]\nread = [\"*\"]").await;
    let called = call(&plugin, json!({})).await;
    expect!["permanent: plugin `p`, action `act`: more than 100 reads of records, state or secrets in one call (limits.queries in its plugin.toml)"].assert_eq(&line(&called));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_takes_too_long() {
    let plugin = load(reads_often(1).build(), "[permissions.records.lead]\nread = [\"*\"]").await;
    let input = json!({});
    let desk = Desk { delay: Duration::from_secs(3600), ..Desk::default() };
    let called = plugin.call(CallRequest::new("act", &input), desk).await;
    expect!["time-out: plugin `p`, action `act`: did not answer within 30 s (limits.call_s in its plugin.toml)"].assert_eq(&line(&called));
    assert!(called.result.unwrap_err().is_transient());
    // The host comes back also from a call that was broken off.
    assert_eq!(called.host.asked, ["get lead/1"]);
}

#[tokio::test]
async fn a_call_may_have_limits_of_its_own() {
    let plugin = load(guests::endless().build(), "").await;
    let input = json!({});
    let mut request = CallRequest::new("act", &input);
    request.limits = Some(Limits { cpu_ms: 3, ..plugin.limits() });
    let called = plugin.call(request, Desk::default()).await;
    expect!["cpu-limit: plugin `p`, action `act`: exceeded its CPU limit of 3 ms (limits.cpu_ms in its plugin.toml)"].assert_eq(&line(&called));
}

#[tokio::test]
async fn the_log_is_bounded() {
    let guest = Guest::new(
        r#"(local $left i32)
        (local.set $left (i32.const 100))
        (loop $more
          (call $log_emit (i32.const 2) (i32.const 16384) (i32.const 1000) (i32.const 8192) (i32.const 7))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br_if $more (local.get $left)))
        (call $done (local.get $input) (local.get $input_len))"#,
    )
    .import("log", "emit", "(param i32 i32 i32 i32 i32)")
    .with(r#"(data (i32.const 8192) "{\"n\":1}")"#);
    let plugin = load(guest.build(), "").await;
    assert!(plugin.pure());
    let called = call(&plugin, json!({})).await;
    let report = called.report;
    assert_eq!((report.logs.len(), report.logs_dropped), (61, 39));
    assert_eq!(report.logs[0].fields, json!({"n": 1}));
}

#[tokio::test]
async fn random_bytes_come_from_the_seed() {
    let guest = Guest::new(
        r#"(local $byte i32) (local $at i32)
        (call $env_random (i32.const 8) (i32.const 600))
        (local.set $at (i32.load (i32.const 600)))
        ;; a digit of it is enough
        (i32.store8 (i32.const 8192)
          (i32.add (i32.const 48) (i32.rem_u (i32.load (local.get $at)) (i32.const 10))))
        (i32.store8 (i32.const 8193)
          (i32.add (i32.const 48) (i32.rem_u (i32.load offset=4 (local.get $at)) (i32.const 10))))
        (i32.store8 (i32.const 8191) (i32.const 49))
        (call $done (i32.const 8191) (i32.const 3))"#,
    )
    .import("env", "random", "(param i32 i32)");
    let plugin = load(guest.build(), "").await;
    assert!(!plugin.pure());
    let mut lines = Vec::new();
    for seed in [1, 1, 2, 3] {
        let input = json!({});
        let mut request = CallRequest::new("act", &input);
        request.seed = seed;
        lines.push(line(&plugin.call(request, Desk::default()).await));
    }
    expect!["done: 133, done: 133, done: 144, done: 102"].assert_eq(&lines.join(", "));
}
