//! Who is told, at a commit, that it left something to do. The writer knows
//! best: it has just written it. Only a hint; the database is the truth.

use tokio::sync::Notify;

/// What a host does, each in a loop of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Schedules, segments, pauses.
    Clocks,
    /// Events become runs.
    Events,
    /// Runs move.
    Runs,
    /// Effects go out.
    Effects,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Clocks, Self::Events, Self::Runs, Self::Effects];
}

/// Of [`Parts`]: the event log has grown.
const LOG: u8 = 1 << 7;

/// Parts of a host, any number of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts(u8);

impl Parts {
    pub(crate) const fn new() -> Self {
        Self(0)
    }

    /// Adds one.
    pub(crate) const fn add(&mut self, part: Part) {
        self.0 |= 1 << part as u8;
    }

    /// All that there are.
    pub(crate) const fn all() -> Self {
        Self(u8::MAX)
    }

    /// As a number, for a text.
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    /// From that number.
    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    pub(crate) const fn has(self, part: Part) -> bool {
        self.0 & (1 << part as u8) != 0
    }

    /// Whether none was added; the log does not count.
    pub(crate) const fn is_empty(self) -> bool {
        self.0 & !LOG == 0
    }

    /// Adds those who follow the event log.
    pub(crate) const fn add_log(&mut self) {
        self.0 |= LOG;
    }
}

/// The parts of this host that sleep until something is due, or until they are
/// woken.
#[derive(Debug, Default)]
pub struct Wakes {
    parts: [Notify; Part::ALL.len()],
    log: Notify,
}

impl Wakes {
    /// Notified when there may be something for this part to do; also for
    /// what came before somebody waited.
    #[must_use]
    pub const fn of(&self, part: Part) -> &Notify {
        &self.parts[part as usize]
    }

    /// Notified when the event log may have grown. Other hosts' commits are
    /// noticed only where they leave something to do.
    #[must_use]
    pub const fn of_log(&self) -> &Notify {
        &self.log
    }

    /// Wakes all parts.
    pub fn all(&self) {
        self.those(Parts::all());
    }

    pub(crate) fn those(&self, parts: Parts) {
        for part in Part::ALL {
            if parts.has(part) {
                self.of(part).notify_one();
            }
        }
        if parts.0 & LOG != 0 {
            self.log.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_what_was_added_and_nothing_else() {
        let mut parts = Parts::new();
        assert!(parts.is_empty());
        parts.add(Part::Effects);
        parts.add(Part::Events);
        let held: Vec<Part> = Part::ALL.into_iter().filter(|part| parts.has(*part)).collect();
        assert_eq!(held, [Part::Events, Part::Effects]);
    }
}
