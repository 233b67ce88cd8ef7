//! Reading opening hours as people write them.

use std::collections::BTreeMap;

use jiff::{civil::Date, tz::TimeZone};

use super::{Calendar, Week};
use crate::{FieldError, Fields, Value, text};

/// Minutes of a day.
pub(super) const DAY: u16 = 24 * 60;

/// A half-open span of a day, in minutes after local midnight; `end` may be
/// 24:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hours {
    pub(super) start: u16,
    pub(super) end: u16,
}

const WEEKDAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Reads the fields of a `calendar` record.
pub(super) fn read(fields: &Fields) -> Result<Calendar, FieldError> {
    let zone = read_zone(fields)?;
    let mut days: [Vec<Hours>; 7] = Default::default();
    for line in lines(fields, "opening")? {
        let (on, hours) = read_opening(line).map_err(|why| FieldError::new("opening", why))?;
        for day in on {
            days[day].extend(&hours);
        }
    }
    for day in &mut days {
        merge(day);
    }
    let Some(normal) = days.iter().find(|day| !day.is_empty()).cloned() else {
        return Err(FieldError::new(
            "opening",
            "must not be empty; write at least one span, such as `mon-fri 09:00-17:00`",
        ));
    };
    let mut holidays = Vec::new();
    for line in lines(fields, "holidays")? {
        holidays.push(read_holiday(line).map_err(|why| FieldError::new("holidays", why))?);
    }
    holidays.sort_unstable();
    // Joined where they overlap, so that one look finds the right one.
    holidays.dedup_by(|later, earlier| {
        let joins = later.0 <= earlier.1;
        if joins {
            earlier.1 = earlier.1.max(later.1);
        }
        joins
    });
    let mut extra: BTreeMap<Date, Vec<Hours>> = BTreeMap::new();
    for line in lines(fields, "extra_days")? {
        let (date, hours) =
            read_extra(line, &normal).map_err(|why| FieldError::new("extra_days", why))?;
        let day = extra.entry(date).or_default();
        day.extend(hours);
        merge(day);
    }
    Ok(Calendar { zone, week: Some(Week { days, holidays, extra }) })
}

fn read_zone(fields: &Fields) -> Result<TimeZone, FieldError> {
    let name = match fields.get("time_zone") {
        Some(Value::Text(name)) => name.trim(),
        _ => "",
    };
    if name.is_empty() {
        return Err(FieldError::new(
            "time_zone",
            "must not be empty; write an IANA name, such as `Europe/Berlin`",
        ));
    }
    TimeZone::get(name).map_err(|_| {
        FieldError::new(
            "time_zone",
            format!("`{name}` is not a time zone; write an IANA name, such as `Europe/Berlin` or `Asia/Shanghai`"),
        )
    })
}

/// The texts of a field; none where it is empty.
fn lines<'a>(fields: &'a Fields, field: &str) -> Result<Vec<&'a str>, FieldError> {
    let text = |value: &'a Value| match value {
        Value::Text(text) => Ok(text.trim()),
        other => Err(FieldError::new(field, format!("takes a list of texts, not `{other}`"))),
    };
    match fields.get(field) {
        None | Some(Value::Nothing) => Ok(Vec::new()),
        Some(Value::List(items)) => {
            items.iter().map(text).filter(|line| !matches!(line, Ok(""))).collect()
        }
        Some(single) => text(single).map(|line| vec![line]),
    }
}

/// `mon-fri 09:00-12:00 13:00-17:00`, `sat,sun 10:00-14:00`.
fn read_opening(line: &str) -> Result<(Vec<usize>, Vec<Hours>), String> {
    let form = "write days and hours, such as `mon-fri 09:00-17:00`";
    let (days, hours): (Vec<_>, Vec<_>) =
        words(line).partition(|word| word.starts_with(char::is_alphabetic));
    if days.is_empty() {
        return Err(format!("`{line}` names no day; {form}"));
    }
    if hours.is_empty() {
        return Err(format!("`{line}` names no hours; {form}"));
    }
    let mut on = Vec::new();
    for days in days {
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let (first, last) = (read_weekday(first)?, read_weekday(last)?);
        // `sat-mon` goes round the end of the week.
        on.extend((0..7).map(|step| (first + step) % 7).take((last + 7 - first) % 7 + 1));
    }
    let hours = hours.into_iter().map(read_hours).collect::<Result<_, _>>()?;
    Ok((on, hours))
}

/// `2026-12-25` or `2026-12-24/2026-12-26`.
fn read_holiday(line: &str) -> Result<(Date, Date), String> {
    let (first, last) = line.split_once('/').unwrap_or((line, line));
    let (first, last) = (read_date(first)?, read_date(last)?);
    if last < first {
        return Err(format!("`{line}` ends before it begins; write the first day first"));
    }
    Ok((first, last))
}

/// `2026-10-10 09:00-17:00`, or the day alone for normal hours.
fn read_extra(line: &str, normal: &[Hours]) -> Result<(Date, Vec<Hours>), String> {
    let mut parts = words(line);
    let date = read_date(parts.next().unwrap_or_default())?;
    let hours: Vec<_> = parts.map(read_hours).collect::<Result<_, _>>()?;
    Ok((date, if hours.is_empty() { normal.to_vec() } else { hours }))
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty())
}

fn read_weekday(word: &str) -> Result<usize, String> {
    let lower = word.to_lowercase();
    let found = WEEKDAYS.iter().position(|day| {
        lower.len() >= 3 && (day.starts_with(&lower) || lower.strip_suffix('s') == Some(day))
    });
    found.ok_or_else(|| {
        let hint = text::nearest(&lower, WEEKDAYS.into_iter())
            .or_else(|| text::nearest(&lower, WEEKDAYS.iter().map(|day| &day[..3])))
            .map_or_else(
                || "write mon, tue, wed, thu, fri, sat or sun".to_owned(),
                |near| format!("did you mean `{}`?", &near[..3]),
            );
        format!("`{word}` is not a day of the week; {hint}")
    })
}

fn read_date(word: &str) -> Result<Date, String> {
    let word = word.trim();
    word.parse().map_err(|_| {
        format!("`{word}` is not a day; write year, month and day, such as `2026-12-24`")
    })
}

/// `09:00-17:00`, `00:00-24:00`.
fn read_hours(word: &str) -> Result<Hours, String> {
    let wrong = || format!("`{word}` are not hours; write from and until, such as `09:00-17:00`");
    let plain = word.replace(['–', '—'], "-");
    let (start, end) = plain.split_once('-').ok_or_else(wrong)?;
    let minutes = |time: &str| -> Option<u16> {
        let (hour, minute) = time.split_once(':')?;
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(hour) || !digits(minute) || minute.len() != 2 || hour.len() > 2 {
            return None;
        }
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        let total = hour * 60 + minute;
        (minute < 60 && total <= DAY).then_some(total)
    };
    let start = minutes(start).ok_or_else(wrong)?;
    let end = minutes(end).ok_or_else(wrong)?;
    if end <= start {
        return Err(format!(
            "`{word}` ends before it begins; hours past midnight are two spans, one until 24:00 and one of the next day from 00:00"
        ));
    }
    Ok(Hours { start, end })
}

/// In order, and joined where they touch or overlap.
fn merge(day: &mut Vec<Hours>) {
    day.sort_unstable();
    day.dedup_by(|later, earlier| {
        let joins = later.start <= earlier.end;
        if joins {
            earlier.end = earlier.end.max(later.end);
        }
        joins
    });
}
