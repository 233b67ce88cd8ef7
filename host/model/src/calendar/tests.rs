use super::*;
use crate::Value;

/// A calendar of a zone and, by `;`, its opening, holidays and extra days.
fn calendar(zone: &str, opening: &str, holidays: &str, extra: &str) -> Calendar {
    read(zone, opening, holidays, extra).unwrap()
}

fn read(zone: &str, opening: &str, holidays: &str, extra: &str) -> Result<Calendar, String> {
    let texts = |list: &str| {
        Value::List(
            list.split(';')
                .filter(|item| !item.is_empty())
                .map(|item| Value::Text(item.trim().to_owned()))
                .collect(),
        )
    };
    let fields = Fields::from([
        ("time_zone".to_owned(), Value::Text(zone.to_owned())),
        ("opening".to_owned(), texts(opening)),
        ("holidays".to_owned(), texts(holidays)),
        ("extra_days".to_owned(), texts(extra)),
    ]);
    Calendar::from_fields(&fields).map_err(|error| error.to_string())
}

fn berlin() -> Calendar {
    calendar(
        "Europe/Berlin",
        "mon-fri 09:00-18:00",
        "2026-12-24/2026-12-26;2026-12-31/2027-01-01",
        "",
    )
}

/// China 2026: National Day from 1 to 7 October, worked in on 10 October.
fn shanghai() -> Calendar {
    calendar(
        "Asia/Shanghai",
        "mon-fri 09:00-12:00 13:00-18:00",
        "2026-10-01/2026-10-07",
        "2026-10-10;2026-09-20 10:00-12:00",
    )
}

fn at(calendar: &Calendar, local: &str) -> Timestamp {
    crate::object::parse_time(local, calendar.zone()).unwrap()
}

fn show(calendar: &Calendar, time: Option<Timestamp>) -> String {
    time.map_or_else(
        || "never".to_owned(),
        |time| time.to_zoned(calendar.zone().clone()).strftime("%a %Y-%m-%d %H:%M").to_string(),
    )
}

#[track_caller]
fn check_after(calendar: &Calendar, cases: &[(&str, &str, &str)]) {
    for (from, duration, expected) in cases {
        let backwards = duration.strip_prefix('-');
        let parsed: Duration = backwards.unwrap_or(duration).parse().unwrap();
        let parsed = if backwards.is_some() { parsed.negated() } else { parsed };
        let found = calendar.after(at(calendar, from), parsed);
        assert_eq!(show(calendar, found), *expected, "{duration} after {from}");
    }
}

#[track_caller]
fn check_open(calendar: &Calendar, from: &str, to: &str, minutes: i64) {
    let open = calendar.open_millis(at(calendar, from), at(calendar, to));
    assert_eq!(open, minutes * MINUTE, "from {from} to {to}: {} min", open / MINUTE);
}

#[test]
fn spans_are_half_open() {
    let office = berlin();
    for (time, open) in [
        ("2026-12-14 08:59:59.999", false),
        ("2026-12-14 09:00", true),
        ("2026-12-14 17:59:59.999", true),
        ("2026-12-14 18:00", false),
        ("2026-12-13 12:00", false),
        ("2026-12-24 12:00", false),
        ("2026-12-28 12:00", true),
        ("2027-01-01 12:00", false),
    ] {
        assert_eq!(office.is_open(at(&office, time)), open, "{time}");
    }
}

#[test]
fn the_next_opening_is_now_or_after_the_holidays() {
    let office = berlin();
    for (from, opening) in [
        ("2026-12-14 10:30", "Mon 2026-12-14 10:30"),
        ("2026-12-14 18:00", "Tue 2026-12-15 09:00"),
        ("2026-12-23 18:05", "Mon 2026-12-28 09:00"),
        ("2026-12-30 20:00", "Mon 2027-01-04 09:00"),
    ] {
        let found = office.next_opening(at(&office, from));
        assert_eq!(show(&office, found), opening, "{from}");
    }
}

#[test]
fn working_time_runs_over_open_spans_alone() {
    check_after(
        &berlin(),
        &[
            ("2026-12-14 10:00", "0 working hours", "Mon 2026-12-14 10:00"),
            ("2026-12-14 10:00", "4 working hours", "Mon 2026-12-14 14:00"),
            ("2026-12-14 14:00", "4 working hours", "Mon 2026-12-14 18:00"),
            ("2026-12-14 17:00", "4 working hours", "Tue 2026-12-15 12:00"),
            ("2026-12-12 17:00", "1 working minute", "Mon 2026-12-14 09:01"),
            ("2026-12-23 17:00", "4 working hours", "Mon 2026-12-28 12:00"),
            ("2026-12-28 12:00", "-4 working hours", "Wed 2026-12-23 17:00"),
            ("2026-12-13 12:00", "-9 working hours", "Fri 2026-12-11 09:00"),
        ],
    );
    // A split shift, the worked-in Saturday and the short Sunday before.
    check_after(
        &shanghai(),
        &[
            ("2026-09-30 11:00", "2 working hours", "Wed 2026-09-30 14:00"),
            ("2026-09-30 17:00", "2 working hours", "Thu 2026-10-08 10:00"),
            ("2026-10-09 17:00", "2 working hours", "Sat 2026-10-10 10:00"),
            ("2026-10-10 17:00", "2 working hours", "Mon 2026-10-12 10:00"),
            ("2026-09-19 12:00", "3 working hours", "Mon 2026-09-21 10:00"),
        ],
    );
}

#[test]
fn working_days_keep_the_local_time() {
    check_after(
        &berlin(),
        &[
            ("2026-12-14 10:00", "1 working day", "Tue 2026-12-15 10:00"),
            ("2026-12-18 10:00", "1 working day", "Mon 2026-12-21 10:00"),
            ("2026-12-23 10:00", "2 working days", "Tue 2026-12-29 10:00"),
            // Closed: counted from the next opening.
            ("2026-12-18 19:00", "1 working day", "Tue 2026-12-22 09:00"),
            ("2026-12-19 12:00", "1 working day", "Tue 2026-12-22 09:00"),
            ("2026-12-18 07:00", "1 working day", "Mon 2026-12-21 09:00"),
            ("2026-12-21 10:00", "-1 working day", "Fri 2026-12-18 10:00"),
        ],
    );
    check_after(
        &shanghai(),
        &[
            ("2026-09-30 15:00", "1 working day", "Thu 2026-10-08 15:00"),
            ("2026-10-09 15:00", "1 working day", "Sat 2026-10-10 15:00"),
            ("2026-10-09 15:00", "2 working days", "Mon 2026-10-12 15:00"),
        ],
    );
    // On Friday they close before that time: the opening after it.
    let short = calendar("Europe/Berlin", "mon-thu 09:00-18:00;fri 09:00-14:00", "", "");
    check_after(&short, &[("2026-12-17 16:00", "1 working day", "Mon 2026-12-21 09:00")]);
}

#[test]
fn a_day_is_the_same_local_time_and_24_hours_are_elapsed() {
    check_after(
        &berlin(),
        &[
            ("2026-03-28 10:00", "1 day", "Sun 2026-03-29 10:00"),
            ("2026-03-28 10:00", "24 hours", "Sun 2026-03-29 11:00"),
            ("2026-10-24 10:00", "1 day", "Sun 2026-10-25 10:00"),
            ("2026-10-24 10:00", "24 hours", "Sun 2026-10-25 09:00"),
            ("2026-03-28 02:30", "1 day", "Sun 2026-03-29 03:30"),
            ("2027-01-31 08:00", "1 month", "Sun 2027-02-28 08:00"),
            ("2028-02-29 08:00", "1 year", "Wed 2029-02-28 08:00"),
            ("2026-03-29 10:00", "-1 day", "Sat 2026-03-28 10:00"),
        ],
    );
    // Half an hour in New South Wales' smallest zone.
    let island = Calendar::always_open(TimeZone::get("Australia/Lord_Howe").unwrap());
    check_after(
        &island,
        &[
            ("2026-10-03 12:00", "1 day", "Sun 2026-10-04 12:00"),
            ("2026-10-03 12:00", "24 hours", "Sun 2026-10-04 12:30"),
            ("2026-04-04 12:00", "24 hours", "Sun 2026-04-05 11:30"),
            ("2026-10-03 12:00", "1 working day", "Sun 2026-10-04 12:00"),
        ],
    );
}

#[test]
fn what_the_clock_skips_has_no_length_and_what_it_repeats_counts_twice() {
    let night = calendar("Europe/Berlin", "sun 02:00-03:00", "", "");
    check_open(&night, "2026-03-28 00:00", "2026-03-30 00:00", 0);
    check_open(&night, "2026-10-24 00:00", "2026-10-26 00:00", 120);
    check_open(&night, "2026-11-01 00:00", "2026-11-02 00:00", 60);
    assert_eq!(
        show(&night, night.next_opening(at(&night, "2026-03-29 00:00"))),
        "Sun 2026-04-05 02:00"
    );
    // A span that begins in the gap begins when the gap ends, and one that
    // lies in it is not turned round.
    let late = calendar("Europe/Berlin", "sun 02:30-05:00", "", "");
    check_open(&late, "2026-03-29 00:00", "2026-03-30 00:00", 120);
    let inside = calendar("Europe/Berlin", "sun 02:15-03:00", "", "");
    check_open(&inside, "2026-03-29 00:00", "2026-03-30 00:00", 0);
    let island = calendar(
        "Australia/Lord_Howe",
        "daily 00:00-24:00".replace("daily", "mon-sun").as_str(),
        "",
        "",
    );
    check_open(&island, "2026-10-04 00:00", "2026-10-05 00:00", 24 * 60 - 30);
    check_open(&island, "2026-04-05 00:00", "2026-04-06 00:00", 24 * 60 + 30);
    // Where the clock skips midnight.
    let havana = calendar("America/Havana", "mon-sun 00:00-24:00", "", "");
    check_open(&havana, "2026-03-08 01:00", "2026-03-09 00:00", 23 * 60);
    // All day, every day runs on over midnight.
    let always = calendar("Europe/Berlin", "mon-sun 00:00-24:00", "", "");
    check_after(&always, &[("2026-12-14 10:00", "48 working hours", "Wed 2026-12-16 10:00")]);
}

#[test]
fn counting_over_years_is_the_sum_of_the_days() {
    for office in [
        berlin(),
        shanghai(),
        calendar(
            "Australia/Lord_Howe",
            "sat-mon 01:45-02:15;wed 00:00-24:00",
            "2026-05-01/2026-06-02",
            "2026-05-03",
        ),
        calendar("America/Havana", "mon-sun 00:00-24:00", "", ""),
    ] {
        let from = at(&office, "2025-11-03 10:17");
        let mut day = from;
        let mut sum = 0;
        for _ in 0..800 {
            let next = office.after(day, "1 day".parse().unwrap()).unwrap();
            sum += office.open_millis(day, next);
            day = next;
        }
        assert_eq!(office.open_millis(from, day), sum, "{:?}", office.zone());
        // And back: the clock has run so long no sooner than that.
        let ran = office.when_open_for(from, sum).unwrap();
        assert_eq!(office.open_millis(from, ran), sum);
        assert!(ran <= day);
        let just_before = Timestamp::from_millisecond(ran.as_millisecond() - 1).unwrap();
        assert_eq!(office.open_millis(from, just_before), sum - 1);
    }
}

#[test]
fn what_never_opens_never_comes() {
    let closed = calendar("Europe/Berlin", "mon-fri 09:00-18:00", "2020-01-01/9999-12-31", "");
    let now = at(&closed, "2026-12-14 10:00");
    assert_eq!(closed.next_opening(now), None);
    assert!(!closed.is_open(now));
    for duration in ["1 working hour", "1 working day"] {
        assert_eq!(closed.after(now, duration.parse().unwrap()), None, "{duration}");
    }
    let office = berlin();
    for too_long in [
        Duration { working_millis: i64::MAX, ..Duration::default() },
        Duration { working_days: i64::MAX, ..Duration::default() },
        Duration { days: i64::MAX, ..Duration::default() },
        Duration { months: i64::MIN, ..Duration::default() },
        Duration { millis: i64::MIN, ..Duration::default() },
        Duration { working_millis: i64::MIN, ..Duration::default() },
        Duration { working_days: i64::MIN, ..Duration::default() },
    ] {
        assert_eq!(office.after(now, too_long), None, "{too_long:?}");
    }
    let ends = Timestamp::MAX;
    assert_eq!(office.after(ends, "1 working hour".parse().unwrap()), None);
    assert!(office.open_millis(Timestamp::MIN, Timestamp::MAX) > 0);
}

#[test]
fn what_does_not_read_says_where_and_how_to_mend_it() {
    let error = |zone, opening, holidays, extra| read(zone, opening, holidays, extra).unwrap_err();
    let zone = "Europe/Berlin";
    let week = "mon-fri 09:00-17:00";
    expect_test::expect![[r#"
        time_zone: `Berlin` is not a time zone; write an IANA name, such as `Europe/Berlin` or `Asia/Shanghai`
        opening: must not be empty; write at least one span, such as `mon-fri 09:00-17:00`
        opening: `09:00-17:00` names no day; write days and hours, such as `mon-fri 09:00-17:00`
        opening: `mon-fri` names no hours; write days and hours, such as `mon-fri 09:00-17:00`
        opening: `mno` is not a day of the week; did you mean `mon`?
        opening: `9-17` are not hours; write from and until, such as `09:00-17:00`
        opening: `09:00-24:30` are not hours; write from and until, such as `09:00-17:00`
        opening: `22:00-06:00` ends before it begins; hours past midnight are two spans, one until 24:00 and one of the next day from 00:00
        holidays: `24.12.2026` is not a day; write year, month and day, such as `2026-12-24`
        holidays: `2026-12-26/2026-12-24` ends before it begins; write the first day first
        extra_days: `saturday` is not a day; write year, month and day, such as `2026-12-24`"#]]
    .assert_eq(
        &[
            error("Berlin", week, "", ""),
            error(zone, "", "", ""),
            error(zone, "09:00-17:00", "", ""),
            error(zone, "mon-fri", "", ""),
            error(zone, "mno 09:00-17:00", "", ""),
            error(zone, "mon 9-17", "", ""),
            error(zone, "mon 09:00-24:30", "", ""),
            error(zone, "mon 22:00-06:00", "", ""),
            error(zone, week, "24.12.2026", ""),
            error(zone, week, "2026-12-26/2026-12-24", ""),
            error(zone, week, "", "saturday 09:00-12:00"),
        ]
        .join("\n"),
    );
}
