//! How much a guest may say at once where the host's work grows faster than
//! what was said: each name is compared with each field, each value is looked
//! up.

use serde_json::Value;

use crate::contract::{Condition, Fields, HostError, Query};

/// The longest name of a field, object or event, key of a value, reference or
/// cursor, in bytes.
const NAME: usize = 500;

/// The most fields of one record, or asked of one query.
const FIELDS: usize = 500;

/// The most conditions of one query.
const CONDITIONS: usize = 50;

/// The most values that one query compares with.
const VALUES: usize = 1_000;

/// The most records that one event may be about.
const ABOUT: usize = 100;

fn at_most(what: &str, count: usize, most: usize) -> Result<(), HostError> {
    if count <= most {
        return Ok(());
    }
    Err(HostError::invalid(format!("{what} {count}; at most {most} are possible")))
}

/// A name, a key or a reference.
pub(crate) fn name(what: &str, name: &str) -> Result<(), HostError> {
    at_most(&format!("the bytes of {what} are"), name.len(), NAME)
}

/// The fields of a record that is written.
pub(crate) fn fields(fields: &Fields) -> Result<(), HostError> {
    at_most("the fields of a record are", fields.len(), FIELDS)?;
    fields.keys().try_for_each(|field| name("a field's name", field))
}

/// The records that an event is about.
pub(crate) fn about(about: &[String]) -> Result<(), HostError> {
    at_most("the records that an event is about are", about.len(), ABOUT)?;
    about.iter().try_for_each(|record| name("a reference", record))
}

/// A query.
pub(crate) fn query(query: &Query) -> Result<(), HostError> {
    name("an object's name", &query.object)?;
    at_most("the fields of a query are", query.fields.len(), FIELDS)?;
    query.fields.iter().try_for_each(|field| name("a field's name", field))?;
    query.cursor.iter().try_for_each(|cursor| name("a cursor", cursor))?;
    filter(&query.filter)
}

/// The conditions of a query.
pub(crate) fn filter(filter: &[Condition]) -> Result<(), HostError> {
    at_most("the conditions of a query are", filter.len(), CONDITIONS)?;
    filter.iter().try_for_each(|condition| name("a field's name", &condition.field))?;
    let values = filter.iter().map(|condition| match &condition.value {
        Value::Array(items) => items.len(),
        _ => 1,
    });
    at_most("the values that a query compares with are", values.sum(), VALUES)
}
