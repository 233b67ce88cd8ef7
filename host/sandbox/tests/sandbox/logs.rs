//! A guest's words in the host's log: one line each, under the host's names.

use std::io;
use std::sync::{Arc, Mutex};

use relata_sandbox::{CallRequest, Plugin};
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::desk::{Desk, load};
use crate::guests::{GET, Guest, storm};

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Calls `act` of the run `run_real`.
async fn call(plugin: &Plugin) {
    let input = json!({});
    let mut request = CallRequest::new("act", &input);
    "run_real".clone_into(&mut request.context.run_id);
    let _ = plugin.call(request, Desk::default()).await;
}

/// Logs a message and fields.
fn logs(message: &str, fields: &str) -> Guest {
    Guest::new(&format!(
        "(call $log_emit (i32.const 2) (i32.const 8192) (i32.const {}) (i32.const 9216) (i32.const {}))
        (call $done (local.get $input) (local.get $input_len))",
        message.len(),
        fields.len()
    ))
    .import("log", "emit", "(param i32 i32 i32 i32 i32)")
    .text_at(8192, message)
    .text_at(9216, fields)
}

const FORGED: &str = "fine\n2026-12-14T10:00:00Z ERROR relata: run.id=run_forged \u{1b}[31mpaid";

#[tokio::test]
async fn a_run_cannot_be_forged_in_a_line_of_text() {
    let plugin = load(logs(FORGED, r#"{"run.id": "run_forged"}"#).build(), "").await;
    let kept = Kept::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(kept.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    call(&plugin).await;
    drop(guard);
    let text = kept.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains(r#"run.id=run_real"#), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[tokio::test]
async fn a_run_cannot_be_forged_in_a_line_of_json() {
    let plugin = load(logs(FORGED, r#"{"run.id": "run_forged"}"#).build(), "").await;
    let kept = Kept::default();
    let subscriber = tracing_subscriber::fmt().json().with_writer(kept.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    call(&plugin).await;
    drop(guard);
    let text = kept.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["fields"]["run.id"], "run_real");
    assert_eq!(line["fields"]["plugin.fields"], r#"{"run.id":"run_forged"}"#);
}

/// What a guest makes the host log by itself.
#[tokio::test]
async fn a_storm_fills_no_log() {
    let limits = "[limits]\ncpu_ms = 20\nlog_kib = 1\n";
    let grants = format!("{limits}[permissions.records.ticket]\nread = [\"*\"]");
    let emits = storm(
        "(call $log_emit (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
    )
    .import("log", "emit", "(param i32 i32 i32 i32 i32)");
    let panics = storm("(call $log_panic (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))")
        .import("log", "panic", "(param i32 i32 i32 i32)");
    let denied = GET.storm("(i32.const 8192) (i32.const 6)").text_at(8192, "lead/1");
    for (guest, most) in [(emits, 16), (panics, 1), (denied, 5)] {
        let plugin = load(guest.build(), &grants).await;
        let kept = Kept::default();
        let subscriber = tracing_subscriber::fmt().with_writer(kept.clone()).finish();
        let guard = tracing::subscriber::set_default(subscriber);
        call(&plugin).await;
        drop(guard);
        assert_eq!(kept.text().lines().count(), most);
    }
}
