//! Guests that try to hurt their host from within a call: each is told in a
//! sentence, the next call finds everything as it was, and nothing stays in
//! memory.

use expect_test::expect;
use relata_sandbox::{CallRequest, Limits, Plugin, Sandbox};
use serde_json::json;

#[cfg(target_os = "linux")]
use crate::desk::resident_kib;
use crate::desk::{Desk, call, line, manifest, sandbox};
use crate::guests::{self, GET, Guest, PLACEHOLDER, QUERY, SEND, storm};

/// What most of them are granted.
const GRANTS: &str = r#"
[permissions]
state = true
events = ["planted"]
[permissions.records.lead]
read = ["owner"]
update = ["owner"]
create = true
[permissions.secrets]
known = ["shop.example"]
missing = ["shop.example"]
[[permissions.http]]
host = "shop.example"
methods = ["GET"]
"#;

struct Attack {
    name: &'static str,
    guest: Guest,
    grants: &'static str,
    /// Few for a loop, as there are many of them.
    cpu_ms: u32,
}

/// A text of so many bytes above the guest's own data, all the same byte.
fn filled(bytes: u32, with: u8) -> String {
    format!(
        "(local.set $at (call $alloc (i32.const {bytes})))
         (memory.fill (local.get $at) (i32.const {with}) (i32.const {bytes}))"
    )
}

fn attacks() -> Vec<Attack> {
    let mut attacks = Vec::new();
    let mut add = |name, grants, guest| attacks.push(Attack { name, guest, grants, cpu_ms: 50 });

    // Time.
    add("an endless loop", "", guests::endless());
    add(
        "filling memory without end",
        "",
        storm("(memory.fill (i32.const 65536) (i32.const 1) (i32.const 60000000))")
            .memory_pages(1000),
    );
    add(
        "waiting for the clock to move",
        "",
        Guest::new(
            "(local $then i64)
            (local.set $then (call $env_now_ms))
            (loop $again (br_if $again (i64.eq (local.get $then) (call $env_now_ms))))
            unreachable",
        )
        .import("env", "now-ms", "(result i64)"),
    );
    add(
        "asking for the deadline without end",
        "",
        storm("(drop (call $env_deadline_ms))").import("env", "deadline-ms", "(result i64)"),
    );
    add(
        "asking whether it is cancelled without end",
        "",
        storm("(drop (call $env_cancelled))").import("env", "cancelled", "(result i32)"),
    );
    add(
        "random bytes without end",
        "",
        storm("(call $env_random (i32.const 1024) (i32.const 600))").import(
            "env",
            "random",
            "(param i32 i32)",
        ),
    );
    add(
        "empty log lines without end",
        "",
        storm("(call $log_emit (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))")
            .import("log", "emit", "(param i32 i32 i32 i32 i32)"),
    );
    add(
        "panics told without end",
        "",
        storm("(call $log_panic (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))").import(
            "log",
            "panic",
            "(param i32 i32 i32 i32)",
        ),
    );
    let lead = "(i32.const 8192) (i32.const 6)";
    add("reads without end, refused ones too", GRANTS, GET.storm(lead).text_at(8192, "lead/1"));
    add(
        "reads that are denied without end",
        "[permissions.records.ticket]\nread = [\"*\"]",
        GET.storm(lead).text_at(8192, "lead/1"),
    );
    add(
        "secrets that are not there without end",
        GRANTS,
        PLACEHOLDER.storm("(i32.const 8192) (i32.const 7)").text_at(8192, "missing"),
    );
    add(
        "requests without end",
        GRANTS,
        SEND.storm(
            "(i32.const 0) (i32.const 8192) (i32.const 21) (i32.const 0) (i32.const 0)
             (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)",
        )
        .text_at(8192, "https://shop.example/"),
    );
    add(
        "megabytes of no JSON without end",
        GRANTS,
        Guest::new(&format!(
            "(local $at i32) {}
            (loop $again
              (call $records_create (i32.const 8192) (i32.const 4)
                (local.get $at) (i32.const 4000000) (i32.const 600))
              (br $again))
            unreachable",
            filled(4_000_000, b' ')
        ))
        .import("records", "create", "(param i32 i32 i32 i32 i32)")
        .text_at(8192, "lead"),
    );

    // Space.
    add(
        "memory without end",
        "",
        storm("(drop (call $alloc (i32.const 1048576))) (local.set $heap (global.get $heap))"),
    );
    add(
        "tables without end",
        "",
        storm("(if (i32.eq (i32.const -1) (table.grow $t (ref.null func) (i32.const 1000))) (then unreachable))")
            .with("(table $t 1 funcref)"),
    );
    add(
        "resources without end",
        "",
        storm("(drop (call $new (i32.const 1)))")
            .with_import("[export]hostile:pile/things@0.1.0", "[resource-new]thing", "$new", "(param i32) (result i32)")
            .with("(func (export \"hostile:pile/things@0.1.0#[constructor]thing\") (result i32) unreachable)")
            .world("package hostile:pile@0.1.0;\ninterface things { resource thing { constructor(); } }\nworld w { include relata:plugin/plugin@0.1.0; export things; }"),
    );
    add(
        "recursion without end",
        "",
        Guest::new("(call $deeper (i32.const 0))").with(
            "(func $deeper (param i32) (result i32) (i32.add (i32.const 1) (call $deeper (local.get 0))))",
        ),
    );
    add("sixteen megabytes of output", "", guests::long_answer(16 << 20));
    add(
        "sixteen megabytes of log",
        "",
        Guest::new(&format!(
            "(local $at i32) (local $left i32) {}
            (local.set $left (i32.const 16))
            (loop $more
              (call $log_emit (i32.const 1) (local.get $at) (i32.const 1048576) (i32.const 0) (i32.const 0))
              (local.set $left (i32.sub (local.get $left) (i32.const 1)))
              (br_if $more (local.get $left)))
            (call $done (local.get $input) (local.get $input_len))",
            filled(1 << 20, b'x')
        ))
        .import("log", "emit", "(param i32 i32 i32 i32 i32)"),
    );
    add(
        "five megabytes to the host at once",
        "",
        Guest::new(&format!(
            "(local $at i32) {}
            (call $log_emit (i32.const 1) (local.get $at) (i32.const 5242880) (i32.const 0) (i32.const 0))
            unreachable",
            filled(5 << 20, b'x')
        ))
        .import("log", "emit", "(param i32 i32 i32 i32 i32)"),
    );
    add(
        "writes of megabytes",
        GRANTS,
        puts(
            "(i32.store8 (local.get $at) (i32.const 34))
             (i32.store8 (i32.add (local.get $at) (i32.const 3999999)) (i32.const 34))",
            b'x',
            4_000_000,
        ),
    );
    add("a write of a million values", GRANTS, puts("", b'[', 1 << 20));
    add("a write nested ten thousand deep", GRANTS, puts("", b'[', 10_000));
    add(
        "a query for a hundred thousand fields",
        GRANTS,
        // A list of 100,000 texts, all of them empty.
        QUERY
            .once(
                "(i32.const 8192) (i32.const 4) (i32.const 0) (i32.const 0)
             (i32.const 131072) (i32.const 100000) (i32.const 10)
             (i32.const 0) (i32.const 0) (i32.const 0)",
            )
            .text_at(8192, "lead")
            .memory_pages(20),
    );
    add(
        "an output nested ten thousand deep",
        "",
        guests::says(&format!("{}{}", "[".repeat(10_000), "]".repeat(10_000))),
    );
    add(
        "an output of a million values",
        "",
        Guest::new(&format!(
            "(local $at i32) {} (call $done (local.get $at) (i32.const 1000000))",
            filled(1_000_000, b',')
        )),
    );
    add(
        "an error of a megabyte",
        "",
        Guest::new(&format!(
            "(local $at i32) {} (call $fail (i32.const 6) (local.get $at) (i32.const 1000000))",
            filled(1_000_000, b'e')
        )),
    );
    add(
        "more random bytes than there are at once",
        "",
        Guest::new("(call $env_random (i32.const -1) (i32.const 600)) unreachable").import(
            "env",
            "random",
            "(param i32 i32)",
        ),
    );
    for slow in ["writes of megabytes", "a query for a hundred thousand fields"] {
        for attack in attacks.iter_mut().filter(|attack| attack.name == slow) {
            attack.cpu_ms = 2_000;
        }
    }
    attacks
}

/// Puts a value of its own without end: so many bytes, changed by `edit`.
fn puts(edit: &str, with: u8, bytes: u32) -> Guest {
    Guest::new(&format!(
        "(local $at i32) {fill} {edit}
        (loop $again
          (call $state_put (i32.const 8192) (i32.const 1) (local.get $at) (i32.const {bytes})
            (i32.const 0) (i64.const 0) (i32.const 0) (i64.const 0) (i32.const 600))
          (br_if $again (i32.eqz (i32.load8_u (i32.const 600)))))
        (call $fail (i32.load8_u (i32.const 608)) (i32.load (i32.const 612)) (i32.load (i32.const 616)))",
        fill = filled(bytes, with),
    ))
    .import("state", "put", "(param i32 i32 i32 i32 i32 i64 i32 i64 i32)")
    .text_at(8192, "k")
}

async fn load(sandbox: &Sandbox, attack: &Attack) -> Plugin {
    let component = attack.guest.build();
    sandbox
        .load(manifest(attack.grants), None, component)
        .await
        .unwrap_or_else(|why| panic!("{}: {why}", attack.name))
}

async fn attack(plugin: &Plugin, cpu_ms: u32) -> String {
    let input = json!({});
    let mut request = CallRequest::new("act", &input);
    request.limits = Some(Limits { cpu_ms, ..plugin.limits() });
    let told = line(&plugin.call(request, Desk::default()).await);
    let told = told.replace("plugin `p`, action `act`: ", "");
    if told.len() > 300 { format!("{}… ({} bytes)", &told[..60], told.len()) } else { told }
}

#[tokio::test]
async fn each_is_told_in_a_sentence_and_the_next_call_is_as_ever() {
    let sandbox = sandbox();
    let echo = sandbox.load(manifest(""), None, guests::echo().build()).await.unwrap();
    let mut told = String::new();
    for attacker in attacks() {
        let plugin = load(&sandbox, &attacker).await;
        told.push_str(&format!("{}: {}\n", attacker.name, attack(&plugin, attacker.cpu_ms).await));
        assert_eq!(line(&call(&echo, json!(1)).await), "done: 1", "after {}", attacker.name);
    }
    expect![[r#"
        an endless loop: cpu-limit: exceeded its CPU limit of 50 ms (limits.cpu_ms in its plugin.toml)
        filling memory without end: cpu-limit: exceeded its CPU limit of 50 ms (limits.cpu_ms in its plugin.toml)
        waiting for the clock to move: cpu-limit: exceeded its CPU limit of 50 ms (limits.cpu_ms in its plugin.toml)
        asking for the deadline without end: cpu-limit: exceeded its CPU limit of 50 ms (limits.cpu_ms in its plugin.toml)
        asking whether it is cancelled without end: cpu-limit: exceeded its CPU limit of 50 ms (limits.cpu_ms in its plugin.toml)
        random bytes without end: cpu-limit: exceeded its CPU limit of 50 ms (limits.cpu_ms in its plugin.toml)
        empty log lines without end: cpu-limit: exceeded its CPU limit of 50 ms (limits.cpu_ms in its plugin.toml)
        panics told without end: cpu-limit: exceeded its CPU limit of 50 ms (limits.cpu_ms in its plugin.toml)
        reads without end, refused ones too: cpu-limit: exceeded its CPU limit of 50 ms (limits.cpu_ms in its plugin.toml)
        reads that are denied without end: cpu-limit: exceeded its CPU limit of 50 ms (limits.cpu_ms in its plugin.toml)
        secrets that are not there without end: cpu-limit: exceeded its CPU limit of 50 ms (limits.cpu_ms in its plugin.toml)
        requests without end: cpu-limit: exceeded its CPU limit of 50 ms (limits.cpu_ms in its plugin.toml)
        megabytes of no JSON without end: cpu-limit: exceeded its CPU limit of 50 ms (limits.cpu_ms in its plugin.toml)
        memory without end: memory-limit: exceeded its memory limit of 64 MiB (limits.memory_mib in its plugin.toml)
        tables without end: table-limit: exceeded its limit of 20000 table elements
        resources without end: handle-limit: exceeded its limit of 10000 resources held at once
        recursion without end: stack-limit: recursed deeper than its stack of 512 KiB allows
        sixteen megabytes of output: output-limit: answered more than the limit of 1024 KiB (limits.output_kib in its plugin.toml)
        sixteen megabytes of log: done: {}
        five megabytes to the host at once: host-call-limit: passed more than 4 MiB to the host in one call
        writes of megabytes: permanent: all that it writes in one call takes up more than 16 MiB
        a write of a million values: invalid: a value of the plugin's own has more than 200000 values
        a write nested ten thousand deep: invalid: a value of the plugin's own is no JSON: recursion limit exceeded at line 1 column 128
        a query for a hundred thousand fields: invalid: the fields of a query are 100000; at most 500 are possible
        an output nested ten thousand deep: bad-output: its output does not fit: it is no JSON: recursion limit exceeded at line 1 column 128
        an output of a million values: bad-output: its output does not fit: it has more than 200000 values
        an error of a megabyte: permanent: eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee… (4110 bytes)
        more random bytes than there are at once: trap: stopped with a fault: asked for 4294967295 random bytes at once, the most is 1024 in function 0
    "#]].assert_eq(&told);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_of_them_stays_in_memory() {
    let sandbox = sandbox();
    for attacker in attacks() {
        let plugin = load(&sandbox, &attacker).await;
        for _ in 0..3 {
            attack(&plugin, 20).await;
        }
        let before = resident_kib();
        for _ in 0..10 {
            attack(&plugin, 20).await;
        }
        let grown = resident_kib().saturating_sub(before);
        // A megabyte a call would be 10,240.
        assert!(grown < 8_192, "{} leaves {grown} KiB after 10 calls", attacker.name);
    }
}
