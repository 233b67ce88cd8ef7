//! Schedules.
use relata_model::Timestamp;

use crate::definition::Schedule;

/// The first fire after a time; none where there is none until 2100.
pub fn next_fire(_schedule: &Schedule, _after: Timestamp) -> Option<Timestamp> {
    unimplemented!()
}
