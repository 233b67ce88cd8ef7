//! Opening hours.
//!
//! A calendar is a week of half-open spans in a time zone, with holidays and
//! extra working days. All counting is done on the instants between which it
//! is open, so that both clock changes come out right: a span that the clock
//! skips has no length, a span that it repeats counts twice.

use std::collections::BTreeMap;

use jiff::{Span, Timestamp, ToSpan, civil::Date, tz::AmbiguousOffset, tz::TimeZone};

use crate::{Duration, Fields};

mod hours;

use hours::Hours;

const MINUTE: i64 = 60_000;

/// How far ahead anything is looked for: a hundred years.
const HORIZON_DAYS: i64 = 36_525;

/// How long a calendar may be closed without a break before it counts as
/// never open again: ten years.
const LONGEST_PAUSE_DAYS: i64 = 3_653;

/// Opening hours in a time zone, with holidays and extra working days. All
/// spans are half open: at 17:00 an office open `09:00-17:00` is closed.
///
/// Where a boundary falls into a clock change, it lies at the moment of the
/// change if the clock skips it, and at its first pass if the clock shows it
/// twice.
#[derive(Debug, Clone, PartialEq)]
pub struct Calendar {
    zone: TimeZone,
    /// None: always open.
    week: Option<Week>,
}

/// The days of a calendar that is not always open.
#[derive(Debug, Clone, PartialEq)]
struct Week {
    /// Monday first.
    days: [Vec<Hours>; 7],
    /// First and last day, sorted, not overlapping.
    holidays: Vec<(Date, Date)>,
    /// Days with hours of their own; they win over holidays and the week.
    extra: BTreeMap<Date, Vec<Hours>>,
}

impl Calendar {
    /// Reads the fields of a `calendar` record: `time_zone`, `opening` (one
    /// text a span or more: `mon-fri 09:00-12:00 13:00-17:00`), `holidays`
    /// (`2026-12-25`, or first and last: `2026-12-24/2026-12-26`) and
    /// `extra_days` (`2026-10-10 09:00-17:00`, or the day alone for Monday's
    /// hours).
    ///
    /// # Errors
    ///
    /// The first field that does not read, with what it should look like.
    pub fn from_fields(fields: &Fields) -> Result<Self, crate::FieldError> {
        hours::read(fields)
    }

    /// A calendar that is always open.
    #[must_use]
    pub const fn always_open(zone: TimeZone) -> Self {
        Self { zone, week: None }
    }

    /// The zone of its local times.
    #[must_use]
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Whether it is open at a time.
    #[must_use]
    pub fn is_open(&self, at: Timestamp) -> bool {
        let Some(week) = &self.week else { return true };
        let now = at.as_millisecond();
        self.spans(week, self.local_date(at)).any(|(start, end)| start <= now && now < end)
    }

    /// Whether it opens at all on a local day.
    #[must_use]
    pub fn opens_on(&self, day: Date) -> bool {
        self.week.as_ref().is_none_or(|week| !week.hours(day).is_empty())
    }

    /// The time itself where it is open then, else the next opening; none
    /// within ten years.
    #[must_use]
    pub fn next_opening(&self, at: Timestamp) -> Option<Timestamp> {
        let Some(week) = &self.week else { return Some(at) };
        let now = at.as_millisecond();
        let mut date = self.local_date(at);
        for _ in 0..=LONGEST_PAUSE_DAYS {
            if let Some((start, _)) = self.spans(week, date).find(|(_, end)| *end > now) {
                return if start <= now { Some(at) } else { moment(start) };
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// The time a duration after `from`; before it for a negative one. The
    /// parts are gone one after another: months, days, working days, elapsed
    /// time, working time.
    ///
    /// - A day or month later is the same local time. A local time that the
    ///   clock skips moves on by as much as the clock does (02:30 becomes
    ///   03:30); the 31st becomes the last day of a shorter month.
    /// - A working day later is the same local time on the next day with
    ///   opening hours. The count begins at the next opening where it is
    ///   closed at `from`, so that nobody is given less than a whole day;
    ///   where it is closed at that local time, it is the opening after it.
    /// - Working time is elapsed time between openings and closings: 4
    ///   working hours from 13:00 end at 17:00, when the office closes.
    ///
    /// `None` past the range of times, more than a hundred working years
    /// away, or where the calendar does not open for ten years.
    #[must_use]
    pub fn after(&self, from: Timestamp, duration: Duration) -> Option<Timestamp> {
        let mut at = from;
        if duration.months != 0 || duration.days != 0 {
            let span =
                Span::new().try_months(duration.months).ok()?.try_days(duration.days).ok()?;
            at = at.to_zoned(self.zone.clone()).checked_add(span).ok()?.timestamp();
        }
        if duration.working_days != 0 {
            at = self.working_days_after(at, duration.working_days)?;
        }
        if duration.millis != 0 {
            at = moment(at.as_millisecond().checked_add(duration.millis)?)?;
        }
        match duration.working_millis {
            0 => Some(at),
            millis if millis > 0 => self.when_open_for(at, millis),
            millis => self.open_before(at, millis.checked_neg()?),
        }
    }

    /// Elapsed open milliseconds between two times; 0 where `to` is not
    /// after `from`.
    #[must_use]
    pub fn open_millis(&self, from: Timestamp, to: Timestamp) -> i64 {
        let (from_millis, to_millis) = (from.as_millisecond(), to.as_millisecond());
        if to_millis <= from_millis {
            return 0;
        }
        let Some(week) = &self.week else { return to_millis - from_millis };
        let (mut date, last) = (self.local_date(from), self.local_date(to));
        let mut open = 0;
        let mut first = true;
        while date <= last {
            // Whole weeks in which nothing is special are not walked through.
            let weeks =
                if first { 0 } else { self.plain_weeks(week, date, days_between(date, last) / 7) };
            if weeks > 0 {
                open += weeks * week.weekly_millis();
                let Ok(later) = date.checked_add((weeks * 7).days()) else { break };
                date = later;
                continue;
            }
            open += self
                .spans(week, date)
                .map(|(start, end)| (end.min(to_millis) - start.max(from_millis)).max(0))
                .sum::<i64>();
            let Ok(tomorrow) = date.tomorrow() else { break };
            date = tomorrow;
            first = false;
        }
        open
    }

    /// The first time at which it has been open for so many milliseconds
    /// since `from`; `from` itself for none.
    ///
    /// `None` more than a hundred years away, or where the calendar does not
    /// open for ten years.
    #[must_use]
    pub fn when_open_for(&self, from: Timestamp, millis: i64) -> Option<Timestamp> {
        let from_millis = from.as_millisecond();
        if millis <= 0 {
            return Some(from);
        }
        let Some(week) = &self.week else { return moment(from_millis.checked_add(millis)?) };
        let weekly = week.weekly_millis();
        let first = self.local_date(from);
        let horizon = first.saturating_add(HORIZON_DAYS.days());
        let (mut date, mut left, mut closed_days) = (first, millis, 0);
        while date <= horizon && closed_days <= LONGEST_PAUSE_DAYS {
            // One week at least stays, so that the end is found within a day.
            let wanted = if date == first || weekly == 0 { 0 } else { (left - 1) / weekly };
            let weeks = self.plain_weeks(week, date, wanted);
            if weeks > 0 {
                left -= weeks * weekly;
                date = date.checked_add((weeks * 7).days()).ok()?;
                closed_days = 0;
                continue;
            }
            closed_days += 1;
            for (start, end) in self.spans(week, date) {
                let start = start.max(from_millis);
                if end > start {
                    if left <= end - start {
                        return moment(start + left);
                    }
                    left -= end - start;
                    closed_days = 0;
                }
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// The last time from which it is open for so many milliseconds until
    /// `until`.
    fn open_before(&self, until: Timestamp, millis: i64) -> Option<Timestamp> {
        let until_millis = until.as_millisecond();
        let Some(week) = &self.week else { return moment(until_millis.checked_sub(millis)?) };
        let (mut date, mut left) = (self.local_date(until), millis);
        for _ in 0..=HORIZON_DAYS {
            let mut spans: Vec<_> = self.spans(week, date).collect();
            spans.reverse();
            for (start, end) in spans {
                let end = end.min(until_millis);
                if end > start {
                    if left <= end - start {
                        return moment(end - left);
                    }
                    left -= end - start;
                }
            }
            date = date.yesterday().ok()?;
        }
        None
    }

    fn working_days_after(&self, from: Timestamp, count: i64) -> Option<Timestamp> {
        let Some(week) = &self.week else {
            let span = Span::new().try_days(count).ok()?;
            return Some(from.to_zoned(self.zone.clone()).checked_add(span).ok()?.timestamp());
        };
        let from = if count > 0 { self.next_opening(from)? } else { from };
        let local = self.zone.to_datetime(from);
        let (mut date, mut left, mut closed_days) = (local.date(), count.unsigned_abs(), 0);
        for _ in 0..HORIZON_DAYS {
            if left == 0 || closed_days > LONGEST_PAUSE_DAYS {
                break;
            }
            date = if count > 0 { date.tomorrow() } else { date.yesterday() }.ok()?;
            if week.hours(date).is_empty() {
                closed_days += 1;
            } else {
                (left, closed_days) = (left - 1, 0);
            }
        }
        if left > 0 {
            return None;
        }
        let same_time = date.to_datetime(local.time());
        let at = self.zone.to_ambiguous_timestamp(same_time).compatible().ok()?;
        self.next_opening(at)
    }

    fn local_date(&self, at: Timestamp) -> Date {
        self.zone.to_datetime(at).date()
    }

    /// The instants between which it is open on a day, in order, none empty.
    fn spans<'a>(&'a self, week: &'a Week, date: Date) -> impl Iterator<Item = (i64, i64)> + 'a {
        week.hours(date).iter().filter_map(move |hours| {
            let start = self.boundary(date, hours.start)?;
            let end = self.boundary(date, hours.end)?;
            (start < end).then_some((start, end))
        })
    }

    /// The instant of so many minutes after local midnight.
    fn boundary(&self, date: Date, minutes: u16) -> Option<i64> {
        let (date, minutes) =
            if minutes < hours::DAY { (date, minutes) } else { (date.tomorrow().ok()?, 0) };
        let local = date.at((minutes / 60) as i8, (minutes % 60) as i8, 0, 0);
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        let instant = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok()?,
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok()?,
            // By the old offset the local time lies at or after the change.
            AmbiguousOffset::Gap { before, .. } => {
                let after_change = before.to_timestamp(local).ok()?;
                let later = Timestamp::from_millisecond(after_change.as_millisecond() + 1).ok()?;
                self.zone.preceding(later).next().map_or(after_change, |change| change.timestamp())
            }
        };
        Some(instant.as_millisecond())
    }

    /// How many whole weeks from a day on, at most `wanted`, have neither a
    /// holiday nor an extra day nor a clock change.
    fn plain_weeks(&self, week: &Week, date: Date, wanted: i64) -> i64 {
        if wanted <= 0 {
            return 0;
        }
        let mut until = date.saturating_add((wanted.min(HORIZON_DAYS) * 7).days());
        let next_holiday = week.holidays.partition_point(|(_, last)| *last < date);
        if let Some((first, _)) = week.holidays.get(next_holiday) {
            until = until.min(*first);
        }
        if let Some((extra, _)) = week.extra.range(date..).next() {
            until = until.min(*extra);
        }
        let Some(start) = self.boundary(date, 0) else { return 0 };
        let change = moment(start - 1).and_then(|before| self.zone.following(before).next());
        if let Some(change) = change {
            let Some(before) = moment(change.timestamp().as_millisecond() - 1) else { return 0 };
            until = until.min(self.local_date(before));
        }
        (days_between(date, until) / 7).max(0)
    }
}

impl Week {
    fn hours(&self, date: Date) -> &[Hours] {
        if let Some(hours) = self.extra.get(&date) {
            return hours;
        }
        let next = self.holidays.partition_point(|(_, last)| *last < date);
        if self.holidays.get(next).is_some_and(|(first, _)| *first <= date) {
            return &[];
        }
        &self.days[date.weekday().to_monday_zero_offset() as usize]
    }

    fn weekly_millis(&self) -> i64 {
        self.days.iter().flatten().map(|hours| i64::from(hours.end - hours.start) * MINUTE).sum()
    }
}

fn moment(millis: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(millis).ok()
}

fn days_between(from: Date, to: Date) -> i64 {
    from.until(to).map_or(0, |span| i64::from(span.get_days()))
}

#[cfg(test)]
mod tests;
