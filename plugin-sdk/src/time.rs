//! Instants and dates as texts, without a time zone database: what a plugin
//! needs to fill a field. Calendars and zones are the host's business.

const DAY_MS: u64 = 86_400_000;

/// Milliseconds since 1970 as RFC 3339 in UTC: `2026-11-22T09:30:00.000Z`.
pub(crate) fn rfc3339(ms: u64) -> String {
    let of_day = ms % DAY_MS;
    format!(
        "{}T{:02}:{:02}:{:02}.{:03}Z",
        date(ms),
        of_day / 3_600_000,
        of_day / 60_000 % 60,
        of_day / 1_000 % 60,
        of_day % 1_000
    )
}

/// The date in UTC of an instant: `2026-11-22`.
pub(crate) fn date(ms: u64) -> String {
    // Days to a civil date in the proleptic Gregorian calendar, after
    // Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2013: years
    // that begin in March put the leap day last.
    let days = ms / DAY_MS + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_795_340_405_678, "2026-11-22T09:40:05.678Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ];
        for (ms, text) in cases {
            assert_eq!(rfc3339(ms), text);
        }
    }
}
