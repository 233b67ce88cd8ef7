//! Fresh ids: the other source, beside the clock, of what is not an argument.

use relata_model::{EffectId, EventId, RecordId, RunId, Timestamp};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// A UUIDv7 of the time `now`.
pub(crate) fn uuid(now: Timestamp) -> Uuid {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let mut random = [0; 10];
    fastrand::Rng::new().fill(&mut random);
    Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// Draws UUIDs for a write that may need some.
pub(crate) fn source(now: Timestamp) -> impl FnMut() -> Uuid + Send {
    move || uuid(now)
}

pub(crate) fn run_id(now: Timestamp) -> RunId {
    RunId::from_uuid(uuid(now))
}

pub(crate) fn record_id(now: Timestamp) -> RecordId {
    RecordId::from_uuid(uuid(now))
}

pub(crate) fn event_id(now: Timestamp) -> EventId {
    EventId::from_uuid(uuid(now))
}

/// The id of an effect: the same for every attempt of a step, so that a
/// repetition is known as one.
pub(crate) fn effect_id(idempotency_key: &str, number: usize) -> EffectId {
    let digest = Sha256::digest(format!("{idempotency_key}/{number}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    EffectId::from_uuid(Uuid::from_bytes(bytes))
}
