//! The plugin's own small memory: values under keys that no other plugin can
//! read, written together with the step.
//!
//! For a counter that must not be lost under concurrency, either declare the
//! action [`EXCLUSIVE`](crate::Action::EXCLUSIVE) or use [`put_if`].

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::relata::plugin::state as host;
use crate::{Error, Result};

/// A value and how often it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<T> {
    /// The value.
    pub value: T,
    /// Goes up by one with each write; the first is 1.
    pub revision: u64,
}

/// The value under a key, or nothing. A value that does not fit `T` (an
/// older version of the plugin wrote it, say) is a permanent error.
pub fn get<T: DeserializeOwned>(key: &str) -> Result<Option<Stored<T>>> {
    let Some(item) = host::get(key).map_err(Error::from_host)? else {
        return Ok(None);
    };
    let value = serde_json::from_str(&item.value).map_err(|error| {
        Error::permanent(format!("the stored state `{key}` is not readable: {error}"))
    })?;
    Ok(Some(Stored { value, revision: item.revision }))
}

/// Stores a value. Returns its new revision.
pub fn put(key: &str, value: impl Serialize) -> Result<u64> {
    write(key, value, None, None)
}

/// Stores a value that the host forgets after a while.
pub fn put_for(key: &str, value: impl Serialize, keep: Duration) -> Result<u64> {
    write(key, value, None, Some(keep))
}

/// Stores a value if it still has this revision, 0 meaning that the key must
/// be new; otherwise a `conflict` error.
pub fn put_if(key: &str, value: impl Serialize, revision: u64) -> Result<u64> {
    write(key, value, Some(revision), None)
}

fn write(
    key: &str,
    value: impl Serialize,
    revision: Option<u64>,
    keep: Option<Duration>,
) -> Result<u64> {
    let value = serde_json::to_string(&value)?;
    let keep = keep.map(|keep| u64::try_from(keep.as_millis()).unwrap_or(u64::MAX));
    host::put(key, &value, revision, keep).map_err(Error::from_host)
}
