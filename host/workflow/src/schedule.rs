//! Schedules: reading them, and finding the next fire in a time zone.
//!
//! What happens when the clock changes is decided here: a local time that is
//! left out fires at the first moment after the gap, one that comes twice
//! fires once, the first time.

use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use jiff::{civil, tz::AmbiguousOffset};
use relata_model::{Calendar, TimeZone, Timestamp};

use crate::definition::Schedule;

/// How many days without opening hours are passed over in search of a fire:
/// ten years.
const LONGEST_PAUSE_DAYS: usize = 3_653;

/// The first fire strictly after a time; none where there is none before the
/// year 2100, or where the schedule cannot be read. A schedule that fires on
/// working days (`schedule.calendar`) needs [`next_fire_on`], and has none
/// here.
#[must_use]
pub fn next_fire(schedule: &Schedule, after: Timestamp) -> Option<Timestamp> {
    next_fire_on(schedule, None, after)
}

/// The same for any schedule: with the calendar that it names, if it names
/// one. It fires on the days of its own time zone on which the calendar opens.
/// None where the calendar is missing, or does not open for ten years.
#[must_use]
pub fn next_fire_on(
    schedule: &Schedule,
    calendar: Option<&Calendar>,
    after: Timestamp,
) -> Option<Timestamp> {
    let zone = TimeZone::get(&schedule.time_zone).ok()?;
    let cron = cron::Schedule::from_str(&schedule.cron).ok()?;
    if schedule.calendar.is_none() {
        return next_of(&cron, &zone, after);
    }
    let calendar = calendar?;
    let mut at = after;
    for _ in 0..LONGEST_PAUSE_DAYS {
        at = next_of(&cron, &zone, at)?;
        if calendar.opens_on(at.to_zoned(zone.clone()).date()) {
            return Some(at);
        }
    }
    None
}

/// The next so many fires after a time, for people who want to see them.
#[must_use]
pub fn next_fires(
    schedule: &Schedule,
    calendar: Option<&Calendar>,
    after: Timestamp,
    count: usize,
) -> Vec<Timestamp> {
    let next = |at: &Timestamp| next_fire_on(schedule, calendar, *at);
    std::iter::successors(next(&after), next).take(count).collect()
}

fn next_of(cron: &cron::Schedule, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    let local = after.to_zoned(zone.clone()).datetime();
    // Fires are found on the local clock, as if it never changed, and each is
    // then placed on the time line. Places rise with local times, so none
    // before the present local time can lie in the future.
    let from = to_chrono(local)? - chrono::Duration::seconds(1);
    cron.after(&from).filter_map(|local| instant(to_civil(local)?, zone)).find(|fire| *fire > after)
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

/// A fire that falls into a gap of its zone's clock.
#[derive(Debug)]
pub(crate) struct LeftOut {
    /// The local time that there is not.
    pub(crate) local: civil::DateTime,
    /// The local time at which it fires instead.
    pub(crate) instead: civil::DateTime,
    /// The local times of five fires from the day before on.
    pub(crate) fires: Vec<civil::DateTime>,
}

/// The first fire that falls into a gap of the zone's clock, in the ten years
/// from 2027 on: a file is checked without a clock, and ten years show every
/// habit of a zone. Schedules of every hour are not asked.
pub(crate) fn left_out(schedule: &Schedule) -> Option<LeftOut> {
    let zone = TimeZone::get(&schedule.time_zone).ok()?;
    let cron = cron::Schedule::from_str(&schedule.cron).ok()?;
    let start = civil::date(2027, 1, 1).to_zoned(TimeZone::UTC).ok()?.timestamp();
    let end = civil::date(2037, 1, 1).to_zoned(TimeZone::UTC).ok()?.timestamp();
    let (local, instead) =
        zone.following(start).take_while(|change| change.timestamp() < end).find_map(|change| {
            let after = change.timestamp().to_zoned(zone.clone()).datetime();
            let before = (change.timestamp() - jiff::SignedDuration::from_secs(1))
                .to_zoned(zone.clone())
                .datetime();
            // What the clock leaves out: from a second after `before` up to `after`.
            let from = to_chrono(before)?;
            let local = to_civil(cron.after(&from).next()?)?;
            (local < after).then_some((local, after))
        })?;
    let eve = local.date().yesterday().ok()?.to_datetime(civil::Time::midnight());
    let mut at = instant(eve, &zone)?;
    let mut fires = Vec::new();
    while fires.len() < 5 {
        at = next_of(&cron, &zone, at)?;
        fires.push(at.to_zoned(zone.clone()).datetime());
    }
    Some(LeftOut { local, instead, fires })
}

/// The time zone that was meant by a name that is none: `Berlin`, `CET+1`.
pub(crate) fn meant_zone(name: &str) -> Option<String> {
    let wanted = name.replace(' ', "_").to_lowercase();
    let zones: Vec<String> =
        jiff::tz::db().available().map(|zone| zone.as_str().to_owned()).collect();
    let city = |zone: &&String| {
        let lower = zone.to_lowercase();
        lower.rsplit('/').next() == Some(wanted.as_str()) && lower.contains('/')
    };
    zones.iter().find(city).cloned().or_else(|| {
        relata_model::text::nearest(name, zones.iter().map(String::as_str)).map(str::to_owned)
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

/// Why a schedule cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl From<String> for Unreadable {
    fn from(message: String) -> Self {
        Self { message, help: None }
    }
}

impl Unreadable {
    fn new(message: String, help: &str) -> Self {
        Self { message, help: Some(help.to_owned()) }
    }
}

/// A schedule in words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Phrase {
    /// In the seven-field form of the `cron` crate.
    pub(crate) cron: String,
    /// Whether it fires on working days only.
    pub(crate) on_working_days: bool,
}

/// `weekdays at 09:00`, `working days at 09:00`, `daily at 08:30`, `mondays and
/// thursdays at 10:00`, `every friday at 16:00`, `hourly`, `every 15 minutes`.
///
/// # Errors
///
/// What is wrong, and how to write it.
pub(crate) fn read_phrase(written: &str) -> Result<Phrase, Unreadable> {
    let phrase = written.trim().to_lowercase();
    let days = phrase.split(" at ").next().unwrap_or_default().trim();
    let days = days.strip_prefix("every ").unwrap_or(days);
    let on_working_days = matches!(days, "working days" | "working day" | "workdays" | "workday");
    let cron = phrase_as_cron(written.trim(), &phrase, on_working_days)?;
    Ok(Phrase { cron, on_working_days })
}

fn phrase_as_cron(
    written: &str,
    phrase: &str,
    on_working_days: bool,
) -> Result<String, Unreadable> {
    let wrong = || {
        Unreadable::new(
            format!("`{written}` is not a schedule"),
            "write `weekdays at 09:00`, `working days at 09:00`, `daily at 08:30`, `mondays at 10:00`, `hourly` or `every 15 minutes`",
        )
    };
    if phrase == "hourly" || phrase == "every hour" {
        return Ok(read_cron("0 * * * *")?);
    }
    if let Some(minutes) =
        phrase.strip_prefix("every ").and_then(|rest| rest.strip_suffix(" minutes"))
    {
        let minutes: u32 = minutes.trim().parse().map_err(|_| wrong())?;
        if minutes == 0 || !60_u32.is_multiple_of(minutes) {
            return Err(Unreadable::new(
                format!("{minutes} minutes do not divide an hour"),
                "write 5, 10, 15, 20 or 30 minutes",
            ));
        }
        return Ok(read_cron(&format!("*/{minutes} * * * *"))?);
    }
    let (days, clock) = phrase
        .split_once(" at ")
        .map_or((phrase, None), |(days, clock)| (days, Some(clock.trim())));
    let days = days.trim();
    let weekdays = match days.strip_prefix("every ").unwrap_or(days) {
        _ if on_working_days => "*".to_owned(),
        "daily" | "day" => "*".to_owned(),
        "weekdays" | "weekday" => "1-5".to_owned(),
        "weekends" | "weekend" => "0,6".to_owned(),
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
    let Some(clock) = clock else {
        return Err(Unreadable::new(
            format!("`{written}` does not say at what time"),
            &format!("write `{days} at 09:00`"),
        ));
    };
    match read_clock(clock) {
        Some((hour, minute)) => Ok(read_cron(&format!("{minute} {hour} * * {weekdays}"))?),
        None => {
            let meant = meant_clock(clock).unwrap_or_else(|| "09:00".to_owned());
            Err(Unreadable::new(
                format!("`{clock}` is not a time of the day"),
                &format!("write `{meant}`"),
            ))
        }
    }
}

/// `09:00`, from 00:00 to 23:59.
fn read_clock(clock: &str) -> Option<(u32, u32)> {
    let (hour, minute) = clock.split_once(':')?;
    let number = |part: &str| {
        let is_plain = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if is_plain { part.parse::<u32>().ok() } else { None }
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    (hour < 24 && minute < 60).then_some((hour, minute))
}

/// `09:00` for `9am`, `9 o'clock`, `9.00`, `9h`, `noon`.
fn meant_clock(clock: &str) -> Option<String> {
    match clock {
        "noon" | "midday" => return Some("12:00".to_owned()),
        "midnight" => return Some("00:00".to_owned()),
        _ => {}
    }
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let length = digits(clock);
    let hour: u32 = clock[..length].parse().ok()?;
    let rest = &clock[length..];
    let after = rest.trim_start_matches([':', '.', 'h', ' ']);
    let minute_length = digits(after);
    let minute: u32 = after[..minute_length].parse().unwrap_or(0);
    let suffix = after[minute_length..].trim().replace('.', "");
    let hour = match suffix.as_str() {
        "pm" if hour < 12 => hour + 12,
        "am" if hour == 12 => 0,
        _ => hour,
    };
    (hour < 24 && minute < 60).then(|| format!("{hour:02}:{minute:02}"))
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
            calendar: None,
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
            ("every monday at 9:00", "0 0 9 * * MON *"),
            ("every weekday at 09:05", "0 5 9 * * MON,TUE,WED,THU,FRI *"),
        ] {
            let read = Phrase { cron: cron.to_owned(), on_working_days: false };
            assert_eq!(read_phrase(phrase), Ok(read));
        }
        let read = Phrase { cron: "0 0 9 * * * *".to_owned(), on_working_days: true };
        assert_eq!(read_phrase("Working days at 9:00"), Ok(read));
        for wrong in [
            "sometimes",
            "daily at 25:00",
            "daily at noon",
            "every 7 minutes",
            "blursdays at 10:00",
        ] {
            assert!(read_phrase(wrong).is_err(), "{wrong}");
        }
        let why = |phrase: &str| {
            let wrong = read_phrase(phrase).unwrap_err();
            format!("{}; {}", wrong.message, wrong.help.unwrap_or_default())
        };
        expect![[r#"
            `9am` is not a time of the day; write `09:00`
            `12 p.m.` is not a time of the day; write `12:00`
            `7.30 pm` is not a time of the day; write `19:30`
            `noon` is not a time of the day; write `12:00`
            `25:00` is not a time of the day; write `09:00`
            `Fridays` does not say at what time; write `fridays at 09:00`"#]]
        .assert_eq(
            &[
                "daily at 9am",
                "daily at 12 p.m.",
                "daily at 7.30 pm",
                "weekdays at noon",
                "daily at 25:00",
                "Fridays",
            ]
            .map(why)
            .join("\n"),
        );
    }

    /// The week of the national holiday in 2026: off from the 1st to the 7th of
    /// October, and worked for on two weekends.
    #[test]
    fn working_days_are_those_of_the_calendar() {
        let text = |text: &str| relata_model::Value::Text(text.to_owned());
        let fields = std::collections::BTreeMap::from([
            ("time_zone".to_owned(), text("Asia/Shanghai")),
            ("opening".to_owned(), text("mon-fri 09:00-18:00")),
            ("holidays".to_owned(), text("2026-10-01/2026-10-07")),
            (
                "extra_days".to_owned(),
                relata_model::Value::List(vec![text("2026-09-20"), text("2026-10-10")]),
            ),
        ]);
        let calendar = Calendar::from_fields(&fields).unwrap();
        let schedule = Schedule {
            calendar: Some("shanghai".to_owned()),
            ..schedule(&read_phrase("working days at 09:00").unwrap().cron, "Asia/Shanghai")
        };
        let days = |after: &str, count| {
            let fires = next_fires(&schedule, Some(&calendar), after.parse().unwrap(), count);
            let zone = TimeZone::get("Asia/Shanghai").unwrap();
            let written = fires
                .iter()
                .map(|at| at.to_zoned(zone.clone()).strftime("%a %d.%m. %H:%M").to_string());
            written.collect::<Vec<_>>().join(", ")
        };
        // A worked Sunday before, a worked Saturday after.
        expect!["Fri 18.09. 09:00, Sun 20.09. 09:00, Mon 21.09. 09:00"]
            .assert_eq(&days("2026-09-17T12:00:00Z", 3));
        expect!["Wed 30.09. 09:00, Thu 08.10. 09:00, Fri 09.10. 09:00, Sat 10.10. 09:00, Mon 12.10. 09:00"]
            .assert_eq(&days("2026-09-29T12:00:00Z", 5));
        // Without its calendar nobody can say when it fires.
        assert_eq!(next_fire(&schedule, Timestamp::UNIX_EPOCH), None);
        let closed = std::collections::BTreeMap::from([
            ("time_zone".to_owned(), text("Asia/Shanghai")),
            ("opening".to_owned(), text("mon 09:00-18:00")),
            ("holidays".to_owned(), text("2000-01-01/2099-12-31")),
        ]);
        let closed = Calendar::from_fields(&closed).unwrap();
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(next_fire_on(&schedule, Some(&closed), now), None);
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
            left_out(&schedule(&read_cron(cron).unwrap(), zone)).map(|left_out| {
                let fires: Vec<String> = left_out
                    .fires
                    .iter()
                    .map(|fire| fire.strftime("%a %H:%M").to_string())
                    .collect();
                format!("{} {}: {}", left_out.local, left_out.instead, fires.join(", "))
            })
        };
        assert_eq!(
            gap("30 2 * * *", "Europe/Berlin").as_deref(),
            Some(
                "2027-03-28T02:30:00 2027-03-28T03:00:00: Sat 02:30, Sun 03:00, Mon 02:30, Tue 02:30, Wed 02:30"
            )
        );
        // Half an hour is left out, and on a Sunday.
        assert_eq!(
            gap("15 2 * * 0", "Australia/Lord_Howe").as_deref(),
            Some(
                "2027-10-03T02:15:00 2027-10-03T02:30:00: Sun 02:30, Sun 02:15, Sun 02:15, Sun 02:15, Sun 02:15"
            )
        );
        assert_eq!(gap("0 3 * * *", "Europe/Berlin"), None);
        assert_eq!(
            gap("0 2 * * *", "Europe/Berlin").as_deref(),
            Some(
                "2027-03-28T02:00:00 2027-03-28T03:00:00: Sat 02:00, Sun 03:00, Mon 02:00, Tue 02:00, Wed 02:00"
            )
        );
        assert_eq!(gap("30 2 * * 1-5", "Europe/Berlin"), None);
    }
}
