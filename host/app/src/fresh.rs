//! Fresh ids: the other source, beside the clock, of what is not an argument.

use std::sync::atomic::{AtomicU32, Ordering};

use relata_model::{EffectId, EventId, RecordId, RunId, Timestamp};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};
use zeroize::Zeroizing;

use crate::AppError;

/// How many ids this program has drawn. A rehearsal's clock stands still, and
/// an import is quicker than a millisecond a line: without it, records of one
/// moment would be in no order.
static DRAWN: AtomicU32 = AtomicU32::new(0);

/// A UUIDv7 of the time `now`. Ids of one millisecond sort as they were drawn
/// (RFC 9562, section 6.2, method 1: a counter of 26 bits before the random
/// ones).
pub(crate) fn uuid(now: Timestamp) -> Uuid {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let mut bytes = [0; 10];
    fastrand::Rng::new().fill(&mut bytes);
    let drawn = DRAWN.fetch_add(1, Ordering::Relaxed);
    // The version takes 4 bits of the first two bytes, the variant 2 of the
    // third: 12 and 14 bits are left for the counter.
    bytes[..2].copy_from_slice(&((drawn >> 14 & 0x0fff) as u16).to_be_bytes());
    bytes[2..4].copy_from_slice(&((drawn & 0x3fff) as u16).to_be_bytes());
    Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
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

/// What nobody can guess, from the machine's own source; wiped when dropped.
///
/// # Errors
///
/// [`AppError::Wrong`] where the machine gives no random numbers.
pub(crate) fn secret() -> Result<Zeroizing<[u8; 32]>, AppError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|why| AppError::wrong(format!("this machine gives no random numbers: {why}")))?;
    Ok(bytes)
}

/// The id of an effect: the same for every attempt of a step, so that a
/// repetition is known as one.
pub(crate) fn effect_id(idempotency_key: &str, number: usize) -> EffectId {
    let digest = Sha256::digest(format!("{idempotency_key}/{number}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    EffectId::from_uuid(Uuid::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_moment_sort_as_they_were_drawn() {
        let now = Timestamp::from_millisecond(1_797_231_600_000).expect("a time");
        let drawn: Vec<Uuid> = (0..20_000).map(|_| uuid(now)).collect();
        assert!(drawn.is_sorted());
        assert!(drawn.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn an_effect_has_the_same_id_in_every_attempt_and_no_other_has_it() {
        assert_eq!(effect_id("run/steps[3]/0", 1), effect_id("run/steps[3]/0", 1));
        let ids =
            [("a", 1), ("a", 2), ("b", 1), ("a/1", 1)].map(|(key, number)| effect_id(key, number));
        assert!((1..ids.len()).all(|place| !ids[..place].contains(&ids[place])));
    }
}
