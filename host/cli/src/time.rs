//! Points in time as people read and write them.

use relata_app::model::{TimeZone, Timestamp, object::parse_time};

use crate::failure::Wrong;

/// `2026-12-14 10:00` in a zone.
pub(crate) fn short(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// The same of an RFC 3339 text; what is none stays as it is.
pub(crate) fn short_text(at: &str, zone: &TimeZone) -> String {
    at.parse().map_or_else(|_| at.to_owned(), |at| short(at, zone))
}

/// Reads `2026-12-14 10:00` in a zone, or RFC 3339; a day alone is its
/// beginning.
pub(crate) fn read(written: &str, zone: &TimeZone) -> Result<Timestamp, Wrong> {
    parse_time(written.trim(), zone).ok_or_else(|| {
        Wrong::new(format!(
            "`{written}` is not a time; write `2026-12-14 10:00`, which is local time, or `2026-12-14T10:00:00Z`"
        ))
    })
}

/// `3 days`, `90 minutes`: words that came as one argument or as several.
pub(crate) fn joined(words: &[String]) -> String {
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_local_or_say_their_offset() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        for (written, kept) in [
            ("2026-12-14 10:00", Some("2026-12-14T09:00:00Z")),
            ("2026-07-14 10:00", Some("2026-07-14T08:00:00Z")),
            ("2026-12-14T10:00:30", Some("2026-12-14T09:00:30Z")),
            ("2026-12-14T10:00:00Z", Some("2026-12-14T10:00:00Z")),
            ("2026-12-14", Some("2026-12-13T23:00:00Z")),
            ("tomorrow", None),
            ("14.12.2026", None),
        ] {
            let read = read(written, &zone).ok();
            assert_eq!(read.map(|at| at.to_string()).as_deref(), kept, "{written}");
            if let Some(at) = read {
                assert_eq!(short(at, &zone)[..10], written[..10]);
            }
        }
    }
}
