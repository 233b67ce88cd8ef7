//! Schedules: reading them, and finding the next fire in a time zone.
//!
//! What happens when the clock changes is decided here: a local time that is
//! left out fires at the first moment after the gap, one that comes twice
//! fires once, the first time.

use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use jiff::{civil, tz::AmbiguousOffset};
use relata_model::{TimeZone, Timestamp};

use crate::definition::Schedule;

/// The first fire strictly after a time; none where there is none before the
/// year 2100, or where the schedule cannot be read.
#[must_use]
pub fn next_fire(schedule: &Schedule, after: Timestamp) -> Option<Timestamp> {
    let zone = TimeZone::get(&schedule.time_zone).ok()?;
    let cron = cron::Schedule::from_str(&schedule.cron).ok()?;
    let local = after.to_zoned(zone.clone()).datetime();
    // Fires are found on the local clock, as if it never changed, and each is
    // then placed on the time line. Places rise with local times, so none
    // before the present local time can lie in the future.
    let from = to_chrono(local)? - chrono::Duration::seconds(1);
    cron.after(&from)
        .filter_map(|local| instant(to_civil(local)?, &zone))
        .find(|fire| *fire > after)
}

/// Where a local time lies on the time line.
pub(crate) fn instant(local: civil::DateTime, zone: &TimeZone) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok(),
        AmbiguousOffset::Gap { after, .. } => {
            // By the later offset the local time lies just before the change.
            let before_the_change = after.to_timestamp(local).ok()?;
            zone.following(before_the_change).next().map(|change| change.timestamp())
        }
    }
}

fn to_chrono(local: civil::DateTime) -> Option<DateTime<Utc>> {
    let date = NaiveDate::from_ymd_opt(
        i32::from(local.year()),
        u32::try_from(local.month()).ok()?,
        u32::try_from(local.day()).ok()?,
    )?;
    let time = date.and_hms_opt(
        u32::try_from(local.hour()).ok()?,
        u32::try_from(local.minute()).ok()?,
        u32::try_from(local.second()).ok()?,
    )?;
    Some(time.and_utc())
}

fn to_civil(local: DateTime<Utc>) -> Option<civil::DateTime> {
    civil::DateTime::new(
        i16::try_from(local.year()).ok()?,
        i8::try_from(local.month()).ok()?,
        i8::try_from(local.day()).ok()?,
        i8::try_from(local.hour()).ok()?,
        i8::try_from(local.minute()).ok()?,
        i8::try_from(local.second()).ok()?,
        0,
    )
    .ok()
}

/// The first day on which a fire falls into a gap of the zone's clock: the
/// local time that there is not, and the one at which it fires instead.
/// Schedules of every hour are not asked.
pub(crate) fn left_out(schedule: &Schedule) -> Option<(civil::DateTime, civil::DateTime)> {
    let zone = TimeZone::get(&schedule.time_zone).ok()?;
    let cron = cron::Schedule::from_str(&schedule.cron).ok()?;
    // Ten years show every habit of a zone; which ten does not matter.
    let start = civil::date(2025, 1, 1).to_zoned(TimeZone::UTC).ok()?.timestamp();
    let end = civil::date(2035, 1, 1).to_zoned(TimeZone::UTC).ok()?.timestamp();
    zone.following(start).take_while(|change| change.timestamp() < end).find_map(|change| {
        let after = change.timestamp().to_zoned(zone.clone()).datetime();
        let before = (change.timestamp() - jiff::SignedDuration::from_secs(1))
            .to_zoned(zone.clone())
            .datetime();
        // What the clock leaves out: from a second after `before` up to `after`.
        let from = to_chrono(before)?;
        let local = to_civil(cron.after(&from).next()?)?;
        (local < after).then_some((local, after))
    })
}

/// Whether it fires in every hour of the day.
pub(crate) fn is_every_hour(schedule: &Schedule) -> bool {
    schedule.cron.split_whitespace().nth(2) == Some("*")
}

/// The weekdays in POSIX order, as cron expressions and people write them.
const WEEKDAYS: [(&str, &str); 7] = [
    ("SUN", "sunday"),
    ("MON", "monday"),
    ("TUE", "tuesday"),
    ("WED", "wednesday"),
    ("THU", "thursday"),
    ("FRI", "friday"),
    ("SAT", "saturday"),
];

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// One field of a cron expression.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", least: 0, most: 59 },
    Field { name: "hour", least: 0, most: 23 },
    Field { name: "day of the month", least: 1, most: 31 },
    Field { name: "month", least: 1, most: 12 },
    // Sunday is 0, and 7 as well.
    Field { name: "weekday", least: 0, most: 7 },
];

/// A cron expression of five fields (minute, hour, day, month, weekday; 0 and
/// 7 are Sunday) in the seven-field form of the `cron` crate.
///
/// # Errors
///
/// A sentence on what is wrong with it.
pub(crate) fn read_cron(written: &str) -> Result<String, String> {
    let words: Vec<&str> = written.split_whitespace().collect();
    if words.len() != FIELDS.len() {
        return Err(format!(
            "a cron expression has five fields (minute, hour, day, month, weekday), and this one has {}",
            words.len()
        ));
    }
    let mut fields = Vec::new();
    for (field, word) in FIELDS.iter().zip(&words) {
        fields.push(read_field(field, word)?);
    }
    if fields[2].is_some() && fields[4].is_some() {
        return Err(
            "say either days of the month or weekdays: readers of cron disagree on what both mean"
                .to_owned(),
        );
    }
    let listed = |place: usize| {
        fields[place].as_ref().map_or_else(
            || "*".to_owned(),
            |values| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        )
    };
    // The crate counts weekdays from 1 on Sunday, so they go by name.
    let weekdays = fields[4].as_ref().map_or_else(
        || "*".to_owned(),
        |values| {
            let mut days: Vec<usize> = values.iter().map(|day| *day as usize % 7).collect();
            days.sort_unstable();
            days.dedup();
            days.iter().map(|day| WEEKDAYS[*day].0).collect::<Vec<_>>().join(",")
        },
    );
    let cron = format!("0 {} {} {} {} {weekdays} *", listed(0), listed(1), listed(2), listed(3));
    match cron::Schedule::from_str(&cron) {
        Ok(schedule) => {
            let start =
                NaiveDate::from_ymd_opt(2024, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
            let fires =
                start.is_some_and(|start| schedule.after(&start.and_utc()).next().is_some());
            if fires {
                Ok(cron)
            } else {
                Err("there is no such day, so this would never fire".to_owned())
            }
        }
        Err(why) => Err(format!("this cron expression cannot be read: {why}")),
    }
}

/// The values of a field; none for `*`.
fn read_field(field: &Field, word: &str) -> Result<Option<Vec<u32>>, String> {
    if word == "*" {
        return Ok(None);
    }
    let mut values = Vec::new();
    for part in word.split(',') {
        let (range, step) =
            part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let (from, to) = if range == "*" {
            (field.least, if field.most == 7 { 6 } else { field.most })
        } else if let Some((from, to)) = range.split_once('-') {
            (value(field, from)?, value(field, to)?)
        } else {
            let from = value(field, range)?;
            (from, if step.is_some() { field.most } else { from })
        };
        if from > to {
            return Err(format!("the {} `{range}` runs backwards", field.name));
        }
        let step = match step {
            None => 1,
            Some(step) => step
                .parse::<usize>()
                .ok()
                .filter(|step| *step > 0)
                .ok_or_else(|| format!("`{step}` is not a step"))?,
        };
        values.extend((from..=to).step_by(step));
    }
    values.sort_unstable();
    values.dedup();
    Ok(Some(values))
}

fn value(field: &Field, word: &str) -> Result<u32, String> {
    let upper = word.to_ascii_uppercase();
    let named = match field.name {
        "weekday" => WEEKDAYS.iter().position(|(short, _)| *short == upper),
        "month" => MONTHS.iter().position(|short| *short == upper).map(|place| place + 1),
        _ => None,
    };
    named
        .and_then(|place| u32::try_from(place).ok())
        .or_else(|| word.parse().ok())
        .filter(|number| (field.least..=field.most).contains(number))
        .ok_or_else(|| {
            format!("the {} is {} to {}, not `{word}`", field.name, field.least, field.most)
        })
}

/// `weekdays at 09:00`, `daily at 08:30`, `mondays and thursdays at 10:00`,
/// `hourly`, `every 15 minutes`, in the seven-field form of the `cron` crate.
///
/// # Errors
///
/// A sentence on how to write it.
pub(crate) fn read_phrase(written: &str) -> Result<String, String> {
    let phrase = written.trim().to_lowercase();
    let wrong = || {
        format!(
            "`{}` is not a schedule; write `weekdays at 09:00`, `daily at 08:30`, `mondays at 10:00`, `hourly` or `every 15 minutes`",
            written.trim()
        )
    };
    if phrase == "hourly" {
        return read_cron("0 * * * *");
    }
    if let Some(minutes) =
        phrase.strip_prefix("every ").and_then(|rest| rest.strip_suffix(" minutes"))
    {
        let minutes: u32 = minutes.trim().parse().map_err(|_| wrong())?;
        if minutes == 0 || !60_u32.is_multiple_of(minutes) {
            return Err(
                "write a number of minutes that divides an hour: 5, 10, 15, 20, 30".to_owned()
            );
        }
        return read_cron(&format!("*/{minutes} * * * *"));
    }
    let (days, clock) = phrase.split_once(" at ").ok_or_else(wrong)?;
    let (hour, minute) = clock.trim().split_once(':').ok_or_else(wrong)?;
    let weekdays = match days.trim() {
        "daily" | "every day" => "*".to_owned(),
        "weekdays" => "1-5".to_owned(),
        "weekends" => "0,6".to_owned(),
        named => {
            let mut found = Vec::new();
            for word in named.replace(" and ", ",").split(',') {
                let word = word.trim();
                let word = word.strip_suffix('s').unwrap_or(word);
                let day = WEEKDAYS.iter().position(|(_, name)| *name == word).ok_or_else(wrong)?;
                found.push(day.to_string());
            }
            found.join(",")
        }
    };
    read_cron(&format!("{minute} {hour} * * {weekdays}"))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::definition::IfMissed;

    fn schedule(cron: &str, zone: &str) -> Schedule {
        Schedule {
            cron: cron.to_owned(),
            written: String::new(),
            time_zone: zone.to_owned(),
            if_missed: IfMissed::Once,
        }
    }

    /// The next five fires after a time, in local time.
    fn check(cron: &str, zone: &str, after: &str, expected: Expect) {
        let schedule = schedule(&read_cron(cron).unwrap(), zone);
        let tz = TimeZone::get(zone).unwrap();
        let mut at: Timestamp = after.parse().unwrap();
        let mut fires = Vec::new();
        for _ in 0..5 {
            let next = next_fire(&schedule, at).unwrap();
            assert!(next > at);
            at = next;
            fires.push(at.to_zoned(tz.clone()).strftime("%a %F %T %:z").to_string());
        }
        expected.assert_eq(&fires.join("\n"));
    }

    #[test]
    fn weekdays_are_those_of_posix() {
        check(
            "0 9 * * 1-5",
            "UTC",
            "2026-12-11T08:00:00Z",
            expect![[r#"
            Fri 2026-12-11 09:00:00 +00:00
            Mon 2026-12-14 09:00:00 +00:00
            Tue 2026-12-15 09:00:00 +00:00
            Wed 2026-12-16 09:00:00 +00:00
            Thu 2026-12-17 09:00:00 +00:00"#]],
        );
        assert_eq!(read_cron("0 0 * * 0").unwrap(), read_cron("0 0 * * 7").unwrap());
        assert_eq!(read_cron("0 0 * * 5-7").unwrap(), "0 0 0 * * SUN,FRI,SAT *");
    }

    #[test]
    fn a_time_in_the_gap_fires_after_it() {
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-27T12:00:00Z",
            expect![[r#"
            Sat 2026-03-28 02:30:00 +01:00
            Sun 2026-03-29 03:00:00 +02:00
            Mon 2026-03-30 02:30:00 +02:00
            Tue 2026-03-31 02:30:00 +02:00
            Wed 2026-04-01 02:30:00 +02:00"#]],
        );
        check(
            "30 2 * * *",
            "America/New_York",
            "2026-03-07T12:00:00Z",
            expect![[r#"
            Sun 2026-03-08 03:00:00 -04:00
            Mon 2026-03-09 02:30:00 -04:00
            Tue 2026-03-10 02:30:00 -04:00
            Wed 2026-03-11 02:30:00 -04:00
            Thu 2026-03-12 02:30:00 -04:00"#]],
        );
        // Half an hour, from 02:00 to 02:30.
        check(
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T00:00:00Z",
            expect![[r#"
            Sun 2026-10-04 02:30:00 +11:00
            Mon 2026-10-05 02:15:00 +11:00
            Tue 2026-10-06 02:15:00 +11:00
            Wed 2026-10-07 02:15:00 +11:00
            Thu 2026-10-08 02:15:00 +11:00"#]],
        );
    }

    #[test]
    fn a_time_that_comes_twice_fires_once() {
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            expect![[r#"
            Sun 2026-10-25 02:30:00 +02:00
            Mon 2026-10-26 02:30:00 +01:00
            Tue 2026-10-27 02:30:00 +01:00
            Wed 2026-10-28 02:30:00 +01:00
            Thu 2026-10-29 02:30:00 +01:00"#]],
        );
        check(
            "30 1 * * *",
            "America/New_York",
            "2026-10-31T12:00:00Z",
            expect![[r#"
            Sun 2026-11-01 01:30:00 -04:00
            Mon 2026-11-02 01:30:00 -05:00
            Tue 2026-11-03 01:30:00 -05:00
            Wed 2026-11-04 01:30:00 -05:00
            Thu 2026-11-05 01:30:00 -05:00"#]],
        );
        check(
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T00:00:00Z",
            expect![[r#"
            Sun 2026-04-05 01:45:00 +11:00
            Mon 2026-04-06 01:45:00 +10:30
            Tue 2026-04-07 01:45:00 +10:30
            Wed 2026-04-08 01:45:00 +10:30
            Thu 2026-04-09 01:45:00 +10:30"#]],
        );
    }

    #[test]
    fn between_the_two_passes_it_waits_for_the_next_day() {
        // 02:40 the first time; 02:30 comes again, but has fired.
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-25T00:40:00Z",
            expect![[r#"
            Mon 2026-10-26 02:30:00 +01:00
            Tue 2026-10-27 02:30:00 +01:00
            Wed 2026-10-28 02:30:00 +01:00
            Thu 2026-10-29 02:30:00 +01:00
            Fri 2026-10-30 02:30:00 +01:00"#]],
        );
    }

    #[test]
    fn quarters_of_an_hour_through_the_gap() {
        check(
            "*/15 * * * *",
            "Europe/Berlin",
            "2026-03-29T00:40:00Z",
            expect![[r#"
            Sun 2026-03-29 01:45:00 +01:00
            Sun 2026-03-29 03:00:00 +02:00
            Sun 2026-03-29 03:15:00 +02:00
            Sun 2026-03-29 03:30:00 +02:00
            Sun 2026-03-29 03:45:00 +02:00"#]],
        );
    }

    #[test]
    fn what_never_fires_is_refused() {
        let why = |written: &str| read_cron(written).unwrap_err();
        expect![[r#"
            the hour is 0 to 23, not `25`
            there is no such day, so this would never fire
            a cron expression has five fields (minute, hour, day, month, weekday), and this one has 6
            say either days of the month or weekdays: readers of cron disagree on what both mean
            the hour `17-9` runs backwards
            `0` is not a step"#]]
        .assert_eq(
            &["0 25 * * *", "0 0 30 2 *", "0 0 9 * * *", "0 9 1 * 1", "0 17-9 * * *", "*/0 * * * *"]
                .map(why)
                .join("\n"),
        );
    }

    #[test]
    fn phrases_read_as_cron() {
        for (phrase, cron) in [
            ("weekdays at 09:00", "0 0 9 * * MON,TUE,WED,THU,FRI *"),
            ("daily at 08:30", "0 30 8 * * * *"),
            ("Mondays at 10:00", "0 0 10 * * MON *"),
            ("mondays and thursdays at 10:00", "0 0 10 * * MON,THU *"),
            ("hourly", "0 0 * * * * *"),
            ("every 20 minutes", "0 0,20,40 * * * * *"),
        ] {
            assert_eq!(read_phrase(phrase).as_deref(), Ok(cron));
        }
        for wrong in [
            "sometimes",
            "daily at 25:00",
            "daily at noon",
            "every 7 minutes",
            "blursdays at 10:00",
        ] {
            assert!(read_phrase(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_leap_day_fires_every_four_years() {
        check(
            "0 12 29 2 *",
            "UTC",
            "2026-01-01T00:00:00Z",
            expect![[r#"
            Tue 2028-02-29 12:00:00 +00:00
            Sun 2032-02-29 12:00:00 +00:00
            Fri 2036-02-29 12:00:00 +00:00
            Wed 2040-02-29 12:00:00 +00:00
            Mon 2044-02-29 12:00:00 +00:00"#]],
        );
    }

    #[test]
    fn the_gap_is_found_beforehand() {
        let gap = |cron: &str, zone: &str| {
            left_out(&schedule(&read_cron(cron).unwrap(), zone))
                .map(|(there_is_not, instead)| format!("{there_is_not} {instead}"))
        };
        assert_eq!(
            gap("30 2 * * *", "Europe/Berlin").as_deref(),
            Some("2025-03-30T02:30:00 2025-03-30T03:00:00")
        );
        assert_eq!(gap("0 3 * * *", "Europe/Berlin"), None);
        assert_eq!(
            gap("0 2 * * *", "Europe/Berlin").as_deref(),
            Some("2025-03-30T02:00:00 2025-03-30T03:00:00")
        );
        assert_eq!(gap("30 2 * * 1-5", "Europe/Berlin"), None);
    }
}
