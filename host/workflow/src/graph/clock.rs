//! Schedules as a person would say them: `0 8 * * 1` is "Mondays at 08:00".

use super::say::{capital, listed};
use crate::definition::Schedule;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [(&str, &str); 7] = [
    ("MON", "Mondays"),
    ("TUE", "Tuesdays"),
    ("WED", "Wednesdays"),
    ("THU", "Thursdays"),
    ("FRI", "Fridays"),
    ("SAT", "Saturdays"),
    ("SUN", "Sundays"),
];

/// More times of one day than this are not listed.
const MOST_TIMES: usize = 4;

/// When a schedule fires. One that its author wrote in words is said in
/// these; a cron expression that has no short sentence stays as it is.
pub(super) fn said(schedule: &Schedule) -> String {
    let is_cron = schedule.written.starts_with(|c: char| c.is_ascii_digit() || c == '*');
    let sentence = if is_cron { cron(&schedule.cron) } else { None };
    sentence.unwrap_or_else(|| capital(&schedule.written))
}

/// `0 0 8 * * MON *`: second, minute, hour, day, month, weekday, year.
fn cron(cron: &str) -> Option<String> {
    let [_, minute, hour, day, month, weekday, _] = cron.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    let numbers = |field: &str| -> Option<Vec<usize>> {
        field.split(',').map(|number| number.parse().ok()).collect()
    };
    let minutes = numbers(minute)?;
    let times = if hour == "*" {
        let past: Vec<String> = minutes.iter().map(|minute| format!(":{minute:02}")).collect();
        format!("every hour at {}", (past.len() <= MOST_TIMES).then(|| listed(&past, "and"))?)
    } else {
        let times: Vec<String> = numbers(hour)?
            .iter()
            .flat_map(|hour| minutes.iter().map(move |minute| format!("{hour:02}:{minute:02}")))
            .collect();
        format!("at {}", (times.len() <= MOST_TIMES).then(|| listed(&times, "and"))?)
    };
    let months = if month == "*" {
        None
    } else {
        let names: Option<Vec<String>> = numbers(month)?
            .into_iter()
            .map(|month| Some((*MONTHS.get(month.checked_sub(1)?)?).to_owned()))
            .collect();
        Some(listed(&names?, "and"))
    };
    let days = match (day, weekday) {
        ("*", "*") => match months {
            Some(months) => format!("Every day of {months}"),
            None => "Every day".to_owned(),
        },
        ("*", _) => {
            let days = weekdays(weekday)?;
            months.map_or_else(|| days.clone(), |months| format!("{days} in {months}"))
        }
        (_, "*") => {
            let days: Vec<String> = numbers(day)?.into_iter().map(ordinal).collect();
            let days = listed(&days, "and");
            format!("On the {days} of {}", months.as_deref().unwrap_or("each month"))
        }
        _ => return None,
    };
    Some(format!("{days} {times}"))
}

fn weekdays(field: &str) -> Option<String> {
    let name = |word: &str| WEEKDAYS.iter().find(|(short, _)| *short == word).map(|(_, day)| *day);
    let all: Option<Vec<&str>> = field.split(',').map(name).collect();
    let all = all?;
    // In the order of the week, wherever the field began.
    let sorted: Vec<String> = WEEKDAYS
        .iter()
        .filter(|(_, day)| all.contains(day))
        .map(|(_, day)| (*day).to_owned())
        .collect();
    let is_weekdays = sorted.len() == 5 && sorted.last().is_some_and(|last| last == "Fridays");
    Some(if is_weekdays { "Weekdays".to_owned() } else { listed(&sorted, "and") })
}

/// `1st`, `2nd`, `11th`
fn ordinal(number: usize) -> String {
    let end = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::read_cron;

    #[test]
    fn cron_is_said_in_words() {
        let said = |written: &str| {
            cron(&read_cron(written).unwrap()).unwrap_or_else(|| format!("? {written}"))
        };
        for (written, sentence) in [
            ("0 8 * * 1", "Mondays at 08:00"),
            ("0 9 * * 1-5", "Weekdays at 09:00"),
            ("30 8,16 * * 0,6", "Saturdays and Sundays at 08:30 and 16:30"),
            ("15 7 * * *", "Every day at 07:15"),
            ("0 10 5 1,4,7,10 *", "On the 5th of January, April, July and October at 10:00"),
            ("0 0 1,22 * *", "On the 1st and 22nd of each month at 00:00"),
            ("0 9 * 12 1", "Mondays in December at 09:00"),
            ("0 9 * 12 *", "Every day of December at 09:00"),
            ("*/20 * * * *", "Every day every hour at :00, :20 and :40"),
            // Too much for a sentence.
            ("*/5 * * * *", "? */5 * * * *"),
            ("*/10 8-18 * * *", "? */10 8-18 * * *"),
        ] {
            assert_eq!(said(written), sentence);
        }
    }
}
