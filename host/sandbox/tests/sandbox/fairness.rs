//! Many at once: nobody is lost, nobody takes all places, and what they took
//! is given back.

use std::time::Duration;

use relata_sandbox::CallRequest;
use serde_json::json;

#[cfg(target_os = "linux")]
use crate::desk::resident_kib;
use crate::desk::{Desk, call, line, load, manifest, sandbox};
use crate::guests::{self, GET, Guest};

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_at_once() {
    let guest = Guest::new(
        "(local $at i32)
        (local.set $at (call $alloc (i32.const 16777216)))
        (memory.fill (local.get $at) (i32.const 1) (i32.const 16777216))
        (call $done (local.get $input) (local.get $input_len))",
    );
    let plugin = load(guest.build(), "").await;
    let before = resident_kib();
    let calls: Vec<_> = (0..1_000)
        .map(|number| {
            let plugin = plugin.clone();
            tokio::spawn(async move {
                let told = line(&call(&plugin, json!(number)).await);
                (told, resident_kib())
            })
        })
        .collect();
    let mut most = 0;
    for (number, call) in calls.into_iter().enumerate() {
        let (told, resident) = call.await.unwrap();
        assert_eq!(told, format!("done: {number}"));
        most = most.max(resident);
    }
    // Four places of 16 MiB each; all at once would be 16 GiB.
    let grown = most.saturating_sub(before);
    assert!(grown < 512 << 10, "{grown} KiB were taken at once");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn ten_thousand_calls_leave_nothing_behind() {
    let plugin = load(guests::echo().build(), "").await;
    for _ in 0..1_000 {
        call(&plugin, json!({})).await;
    }
    let before = resident_kib();
    for _ in 0..10_000 {
        call(&plugin, json!({})).await;
    }
    let grown = resident_kib().saturating_sub(before);
    // A hundred bytes a call would be 976.
    assert!(grown < 900, "an idle plugin grew by {grown} KiB");
}

#[tokio::test(start_paused = true)]
#[allow(clippy::disallowed_methods, reason = "it is the test's own clock, which stands still")]
async fn a_plugin_that_waits_leaves_places_to_others() {
    let sandbox = sandbox();
    let grants = "[permissions.records.lead]\nread = [\"*\"]";
    let waits = GET.once("(i32.const 8192) (i32.const 6)").text_at(8192, "lead/1");
    let slow = sandbox.load(manifest(grants), None, waits.build()).await.unwrap();
    let echo = sandbox.load(manifest(""), None, guests::echo().build()).await.unwrap();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let slow = slow.clone();
            tokio::spawn(async move {
                let input = json!({});
                let desk = Desk { delay: Duration::from_secs(20), ..Desk::default() };
                line(&slow.call(CallRequest::new("act", &input), desk).await)
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = tokio::time::Instant::now();
    assert_eq!(line(&call(&echo, json!(1)).await), "done: 1");
    assert_eq!(began.elapsed(), Duration::ZERO, "it had to wait for one of the others");
    for call in calls {
        assert_eq!(call.await.unwrap(), "done: true");
    }
}
