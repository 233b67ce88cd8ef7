//! Where texts, numbers and addresses of a guest come into the host: what is
//! none of these stops the guest, and nothing else.

use std::fmt::Write as _;

use expect_test::expect;
use serde_json::json;

use crate::desk::{call, line, load, manifest, sandbox};
use crate::guests::{
    self, COUNT, COUNT_BY, CREATE, DELETE, EMIT, GET, Guest, HostFunction, IS_OPEN, MAIL,
    PLACEHOLDER, QUERY, SEND, STATE_GET, STATE_PUT, UPDATE,
};

const ALL: &str = "[permissions]\nstate = true\nmessages = [\"mail\", \"notify\"]\nevents = [\"*\"]\n[permissions.records.\"*\"]\nread = [\"*\"]\nupdate = [\"*\"]\ncreate = true\ndelete = true\n[permissions.secrets]\nkey = [\"*\"]\n[[permissions.http]]\nhost = \"*\"\nmethods = [\"GET\"]";

/// The functions, with a place for a text that is tried, `TEXT`, and one for
/// JSON, `JSON`. Every other argument is good.
fn calls() -> Vec<(&'static str, HostFunction, String)> {
    let none = "(i32.const 0) (i32.const 0)";
    let no_number = "(i32.const 0) (i64.const 0)";
    let lead = "(i32.const 8200) (i32.const 4)";
    let lead_1 = "(i32.const 8208) (i32.const 6)";
    let object = "(i32.const 8220) (i32.const 2)";
    let rest = format!("(i32.const 1) (i32.const 0) {none}");
    let by = |condition: u32| format!("(i32.const {condition}) (i32.const 1)");
    let (by_text, by_json) = (by(9000), by(9020));
    let texts = "(i32.const 9040) (i32.const 1)";
    let headers = "(i32.const 9060) (i32.const 1)";
    let url = "(i32.const 8230) (i32.const 18)";
    vec![
        ("records.get, the record", GET, "TEXT".to_owned()),
        ("records.query, the object", QUERY, format!("TEXT {none} {none} {rest}")),
        ("records.query, a field compared", QUERY, format!("{lead} {by_text} {none} {rest}")),
        ("records.query, a value", QUERY, format!("{lead} {by_json} {none} {rest}")),
        ("records.query, a field", QUERY, format!("{lead} {none} {texts} {rest}")),
        (
            "records.query, the cursor",
            QUERY,
            format!("{lead} {none} {none} (i32.const 1) (i32.const 1) TEXT"),
        ),
        ("records.count, the object", COUNT, format!("TEXT {none}")),
        ("records.count, a value", COUNT, format!("{lead} {by_json}")),
        ("records.count-by, the object", COUNT_BY, format!("TEXT {none} {lead}")),
        ("records.count-by, a value", COUNT_BY, format!("{lead} {by_json} {lead}")),
        ("records.count-by, the field", COUNT_BY, format!("{lead} {none} TEXT")),
        ("records.is-open, the calendar", IS_OPEN, "TEXT (i64.const 0)".to_owned()),
        ("records.create, the object", CREATE, format!("TEXT {object}")),
        ("records.create, the fields", CREATE, format!("{lead} JSON")),
        ("records.update, the record", UPDATE, format!("TEXT {object} {no_number}")),
        ("records.update, the fields", UPDATE, format!("{lead_1} JSON {no_number}")),
        ("records.delete, the record", DELETE, format!("TEXT {no_number}")),
        ("messages.send-mail, the recipient", MAIL, format!("TEXT {lead} {object}")),
        ("messages.send-mail, the template", MAIL, format!("{lead_1} TEXT {object}")),
        ("messages.send-mail, the data", MAIL, format!("{lead_1} {lead} JSON")),
        ("events.emit, the name", EMIT, format!("TEXT {none} {object}")),
        ("events.emit, a record", EMIT, format!("{lead} {texts} {object}")),
        ("events.emit, the data", EMIT, format!("{lead} {none} JSON")),
        ("state.get, the key", STATE_GET, "TEXT".to_owned()),
        ("state.put, the key", STATE_PUT, format!("TEXT {object} {no_number} {no_number}")),
        ("state.put, the value", STATE_PUT, format!("{lead} JSON {no_number} {no_number}")),
        ("secrets.placeholder, the name", PLACEHOLDER, "TEXT".to_owned()),
        ("http.send, the address", SEND, format!("(i32.const 0) TEXT {none} {none} {none}")),
        ("http.send, a header", SEND, format!("(i32.const 0) {url} {headers} {none} {none}")),
    ]
}

/// A guest with `bytes` wherever `TEXT` and `JSON` are.
fn with(function: HostFunction, arguments: &str, bytes: &[u8]) -> Guest {
    let tried = format!("(i32.const 8192) (i32.const {})", bytes.len());
    let words = |words: &[usize]| -> Vec<u8> {
        words.iter().flat_map(|word| (*word as u32).to_le_bytes()).collect()
    };
    function
        .once(&arguments.replace("TEXT", &tried).replace("JSON", &tried))
        .bytes_at(8192, bytes)
        .text_at(8200, "lead")
        .text_at(8208, "lead/1")
        .text_at(8220, "{}")
        .text_at(8230, "https://a.example/")
        // Conditions: a field, `equal`, a value.
        .bytes_at(9000, &words(&[8192, bytes.len(), 0, 8220, 2]))
        .bytes_at(9020, &words(&[8200, 4, 0, 8192, bytes.len()]))
        .bytes_at(9040, &words(&[8192, bytes.len()]))
        .bytes_at(9060, &words(&[8192, bytes.len(), 8200, 4]))
}

#[tokio::test]
async fn texts_that_are_none() {
    for (name, function, arguments) in calls() {
        // A byte that is never in UTF-8, half a letter, and half a pair of UTF-16.
        for bytes in [&b"\xff\xff"[..], b"\xc3", b"\xed\xa0\x80"] {
            let plugin = load(with(function, &arguments, bytes).build(), ALL).await;
            let called = call(&plugin, json!({})).await;
            let told = line(&called);
            assert!(
                told.starts_with("trap: plugin `p`, action `act`: stopped with a fault: ")
                    && told.contains("utf-8"),
                "{name}: {told}"
            );
            assert!(called.host.asked.is_empty(), "{name}: {:?}", called.host.asked);
        }
    }
}

#[tokio::test]
async fn json_that_is_none() {
    let mut told = String::new();
    for (name, function, arguments) in calls() {
        let has_json = arguments.contains("JSON") || arguments.contains("9020");
        if !has_json {
            continue;
        }
        let plugin = load(with(function, &arguments, b"{\"a\":").build(), ALL).await;
        let called = call(&plugin, json!({})).await;
        assert!(called.host.asked.is_empty(), "{name}: {:?}", called.host.asked);
        let line = line(&called).replace("plugin `p`, action `act`: ", "");
        let _ = writeln!(told, "{name}: {line}");
    }
    expect![[r#"
        records.query, a value: invalid: the value to compare `lead` with is no JSON: EOF while parsing a value at line 1 column 5
        records.count, a value: invalid: the value to compare `lead` with is no JSON: EOF while parsing a value at line 1 column 5
        records.count-by, a value: invalid: the value to compare `lead` with is no JSON: EOF while parsing a value at line 1 column 5
        records.create, the fields: invalid: the new record is no JSON: EOF while parsing a value at line 1 column 5
        records.update, the fields: invalid: the update of a record is no JSON: EOF while parsing a value at line 1 column 5
        messages.send-mail, the data: invalid: the data of a mail is no JSON: EOF while parsing a value at line 1 column 5
        events.emit, the data: invalid: the data of an event is no JSON: EOF while parsing a value at line 1 column 5
        state.put, the value: invalid: a value of the plugin's own is no JSON: EOF while parsing a value at line 1 column 5
    "#]].assert_eq(&told);
}

#[tokio::test]
async fn what_is_only_kept_need_not_be_json() {
    let guest = Guest::new(
        "(call $log_emit (i32.const 1) (i32.const 8192) (i32.const 2) (i32.const 8192) (i32.const 2))
        (call $done (local.get $input) (local.get $input_len))",
    )
    .import("log", "emit", "(param i32 i32 i32 i32 i32)")
    .text_at(8192, "{,");
    let plugin = load(guest.build(), "").await;
    let called = call(&plugin, json!({})).await;
    assert_eq!(line(&called), "done: {}");
    assert_eq!(called.report.logs[0].fields, json!("{,"));
}

#[tokio::test]
async fn answers_that_are_none() {
    let invalid = |body: &str| Guest::new(body).bytes_at(8192, b"\xff\xff");
    let mut told = String::new();
    for (name, guest) in [
        ("an output that is no text", invalid("(call $done (i32.const 8192) (i32.const 2))")),
        (
            "an error that is no text",
            invalid("(call $fail (i32.const 1) (i32.const 8192) (i32.const 2))"),
        ),
        ("an error of no kind", invalid("(call $fail (i32.const 99) (i32.const 0) (i32.const 0))")),
        (
            "neither an outcome nor an error",
            Guest::new("(i32.store8 (i32.const 512) (i32.const 7)) (i32.const 512)"),
        ),
        (
            "an outcome of no kind",
            Guest::new("(drop (call $done (i32.const 0) (i32.const 0))) (i32.store8 (i32.const 516) (i32.const 9)) (i32.const 512)"),
        ),
        ("an output beyond the memory", Guest::new("(call $done (i32.const -8) (i32.const 4))")),
        ("an output of four gigabytes", Guest::new("(call $done (i32.const 8) (i32.const -1))")),
        ("an answer beyond the memory", Guest::new("(i32.const -16)")),
        ("an answer between two places", Guest::new("(i32.const 513)")),
        (
            "a log line of no level",
            Guest::new("(call $log_emit (i32.const 9) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) unreachable")
                .import("log", "emit", "(param i32 i32 i32 i32 i32)"),
        ),
        (
            "a place for a result beyond the memory",
            Guest::new("(call $env_random (i32.const 4) (i32.const -4)) unreachable")
                .import("env", "random", "(param i32 i32)"),
        ),
    ] {
        let plugin = load(guest.build(), "").await;
        let line = line(&call(&plugin, json!({})).await);
        let _ = writeln!(told, "{name}: {}", line.replace("plugin `p`, action `act`: ", ""));
    }
    expect![[r#"
        an output that is no text: trap: stopped with a fault: invalid utf-8 sequence of 1 bytes from index 0
        an error that is no text: trap: stopped with a fault: invalid utf-8 sequence of 1 bytes from index 0
        an error of no kind: trap: stopped with a fault: unexpected discriminant: 99
        neither an outcome nor an error: trap: stopped with a fault: invalid expected discriminant
        an outcome of no kind: trap: stopped with a fault: unexpected discriminant: 9
        an output beyond the memory: trap: stopped with a fault: string pointer/length out of bounds of memory
        an output of four gigabytes: trap: stopped with a fault: string pointer/length out of bounds of memory
        an answer beyond the memory: trap: stopped with a fault: pointer out of bounds of memory
        an answer between two places: trap: stopped with a fault: return pointer not aligned
        a log line of no level: trap: stopped with a fault: unexpected discriminant: 9 in function 0
        a place for a result beyond the memory: trap: stopped with a fault: pointer out of bounds in function 0
    "#]].assert_eq(&told);
}

/// The memory that a guest gives for what the host hands over.
#[tokio::test]
async fn memory_that_a_guest_has_not() {
    let mut told = String::new();
    for (name, gives) in [
        ("beyond its end", "(i32.const -16)"),
        ("between two places", "(i32.const 65537)"),
        ("none, without end", "(loop $again (br $again)) unreachable"),
        ("and calls the host meanwhile", "(drop (call $env_now_ms)) (i32.const 65536)"),
    ] {
        let guest = guests::echo().import("env", "now-ms", "(result i64)").realloc(gives);
        let plugin = load(guest.build(), "[limits]\ncpu_ms = 20").await;
        let line = line(&call(&plugin, json!({})).await);
        let _ = writeln!(told, "{name}: {}", line.replace("plugin `p`, action `act`: ", ""));
    }
    expect![[r#"
        beyond its end: trap: stopped with a fault: realloc return: beyond end of memory
        between two places: done: {}
        none, without end: cpu-limit: exceeded its CPU limit of 20 ms (limits.cpu_ms in its plugin.toml)
        and calls the host meanwhile: trap: stopped with a fault: cannot leave component instance in function 4
    "#]].assert_eq(&told);
}

#[tokio::test]
async fn words_that_move_the_cursor() {
    let words = "\u{1b}[2J\u{202e}gnp\r\nnext";
    let mut told = String::new();
    for body in [
        "(call $fail (i32.const 6) (i32.const 8192) (i32.const LEN))",
        "(drop (call $done (i32.const 8192) (i32.const LEN))) (i32.store8 (i32.const 516) (i32.const 2)) (i32.const 512)",
        "(call $log_panic (i32.const 8192) (i32.const LEN) (i32.const 8192) (i32.const LEN)) unreachable",
    ] {
        let guest = Guest::new(&body.replace("LEN", &words.len().to_string()))
            .import("log", "panic", "(param i32 i32 i32 i32)")
            .text_at(8192, words);
        let plugin = load(guest.build(), "").await;
        let _ = writeln!(told, "{}", line(&call(&plugin, json!({})).await));
    }
    assert!(told.chars().all(|c| c == '\n' || !c.is_control()));
    expect![[r#"
        permanent: plugin `p`, action `act`: \u{1b}[2J\u{202e}gnp\r
        next
        skip: \u{1b}[2J\u{202e}gnp\r
        next
        panic: plugin `p`, action `act`: panicked at \u{1b}[2J\u{202e}gnp\r
        next: \u{1b}[2J\u{202e}gnp\r
        next
    "#]]
    .assert_eq(&told);
}

#[tokio::test]
async fn a_function_s_name_is_words_too() {
    let name = format!("f\\1b[2J{}", "x".repeat(20_000));
    let guest = Guest::new(&format!("(call $\"{name}\")"))
        .with(&format!("(func $\"{name}\" (result i32) unreachable)"));
    let plugin = sandbox().load(manifest(""), None, guest.build()).await.unwrap();
    let told = line(&call(&plugin, json!({})).await);
    assert!(told.len() < 5_000, "{} bytes", told.len());
    assert!(told.contains(r"f\u{1b}[2Jxxx"), "{told}");
}
