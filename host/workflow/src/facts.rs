//! What formulas read of the world, as an argument. Whoever evaluates starts
//! with what is at hand; where a fact is missing, evaluation says which, and
//! is repeated once it is there. So the pure rooms never wait.

use std::collections::BTreeMap;

use relata_model::{Calendar, Record, Reference, TimeZone};

/// Known facts.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Records by reference; `None` where there is none. Aliases (a reference
    /// by external id) may stand beside the reference by id.
    pub records: BTreeMap<Reference, Option<Record>>,
    /// Whether a record (second) is in a segment (first, external id).
    pub members: BTreeMap<(String, Reference), bool>,
    /// Calendars by external id; `None` where there is none.
    pub calendars: BTreeMap<String, Option<Calendar>>,
    /// The company's zone, for local times and days where no calendar says
    /// another.
    pub zone: TimeZone,
}

impl Default for Facts {
    /// Nothing is known, and the zone is UTC.
    fn default() -> Self {
        Self {
            records: BTreeMap::new(),
            members: BTreeMap::new(),
            calendars: BTreeMap::new(),
            zone: TimeZone::UTC,
        }
    }
}

/// A fact that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// A record as it is now.
    Record(Reference),
    /// Whether a record is in a segment.
    Member {
        /// The segment's external id.
        segment: String,
        /// The record.
        record: Reference,
    },
    /// A calendar.
    Calendar(String),
}

impl Facts {
    /// A record; none where there is none.
    ///
    /// # Errors
    ///
    /// [`Need::Record`] where nothing is known of it.
    pub fn record(&self, reference: &Reference) -> Result<Option<&Record>, Need> {
        self.records
            .get(reference)
            .map(Option::as_ref)
            .ok_or_else(|| Need::Record(reference.clone()))
    }

    /// Whether a record is in a segment.
    ///
    /// # Errors
    ///
    /// [`Need::Member`] where nothing is known of it.
    pub fn is_member(&self, segment: &str, record: &Reference) -> Result<bool, Need> {
        self.members
            .get(&(segment.to_owned(), record.clone()))
            .copied()
            .ok_or_else(|| Need::Member { segment: segment.to_owned(), record: record.clone() })
    }

    /// A calendar; none where there is none.
    ///
    /// # Errors
    ///
    /// [`Need::Calendar`] where nothing is known of it.
    pub fn calendar(&self, key: &str) -> Result<Option<&Calendar>, Need> {
        self.calendars.get(key).map(Option::as_ref).ok_or_else(|| Need::Calendar(key.to_owned()))
    }
}
