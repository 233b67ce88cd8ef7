//! Named events that workflows start from or wait for.

use serde::Serialize;

use crate::bindings::relata::plugin::events as host;
use crate::{Error, Reference, Result, glue};

/// Emits an event about some records, the first of which is the main one,
/// with a JSON object of data (`()` for none), when the step commits.
pub fn emit(name: &str, about: &[&Reference], data: impl Serialize) -> Result<()> {
    let about: Vec<String> = about.iter().map(ToString::to_string).collect();
    let data = glue::object(data, "the data of an event")?;
    host::emit(name, &about, &data).map_err(Error::from_host)
}
