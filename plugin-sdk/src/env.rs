//! What a call may know of the world: the time, and chance.
//!
//! Both come from the host, so that a recorded call can be replayed exactly.

use crate::bindings::relata::plugin::env as host;
use crate::time;

/// Milliseconds since 1970 UTC; the same through the whole call.
pub fn now_ms() -> u64 {
    host::now_ms()
}

/// Now in RFC 3339, UTC: `2026-11-22T09:30:00.000Z`, as time fields take it.
pub fn now() -> String {
    time::rfc3339(host::now_ms())
}

/// So many milliseconds ago, in the form of [`now`]: to be compared with time
/// fields, whose texts sort by time.
pub fn ago(millis: u64) -> String {
    time::rfc3339(host::now_ms().saturating_sub(millis))
}

/// Today's date in UTC: `2026-11-22`, as date fields take it.
pub fn today() -> String {
    time::date(host::now_ms())
}

/// `N` random bytes, `N` at most 1,024.
pub fn random<const N: usize>() -> [u8; N] {
    const { assert!(N <= 1_024, "at most 1,024 random bytes a call") };
    let bytes = host::random(u32::try_from(N).expect("N is at most 1,024"));
    let mut filled = [0; N];
    filled.copy_from_slice(&bytes);
    filled
}

/// When the host will end this call, milliseconds since 1970 UTC.
pub fn deadline_ms() -> u64 {
    host::deadline_ms()
}

/// Whether the run was cancelled meanwhile. A long action asks now and then,
/// and stops.
pub fn cancelled() -> bool {
    host::cancelled()
}
