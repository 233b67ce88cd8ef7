use expect_test::{Expect, expect};
use jiff::{Timestamp, tz::TimeZone};

use super::*;
use crate::object::parse_time;

mod always;

fn texts(list: &str) -> Value {
    let items = list.split(';').map(str::trim).filter(|item| !item.is_empty());
    Value::List(items.map(|item| Value::Text(item.to_owned())).collect())
}

fn fields(given: &[(&str, &str)]) -> Fields {
    given.iter().map(|(name, list)| ((*name).to_owned(), texts(list))).collect()
}

/// A calendar of a zone, its opening, holidays and extra days.
fn calendar(zone: &str, opening: &str, holidays: &str, extra: &str) -> Calendar {
    let mut given = fields(&[("opening", opening), ("holidays", holidays), ("extra_days", extra)]);
    given.insert("time_zone".to_owned(), Value::Text(zone.to_owned()));
    Calendar::from_fields(&given).unwrap()
}

fn berlin() -> Calendar {
    calendar("Europe/Berlin", "mon-fri 09:00-18:00", "2026-12-24/2026-12-26", "")
}

/// What is promised, as `first_reply | next_reply | solution | pauses | levels`.
fn promised(calendar: Calendar, line: &str) -> ServiceLevel {
    let names = ["first_reply", "next_reply", "solution", "pauses", "levels"];
    let given: Vec<(&str, &str)> = names.into_iter().zip(line.split('|')).collect();
    ServiceLevel::from_fields(&fields(&given), Some(calendar)).unwrap()
}

/// A story, one happening a line: `2026-12-14 10:00 open high` or `… in`, `… out`.
fn history(story: &str, zone: &TimeZone) -> History {
    let mut history: Option<History> = None;
    for line in story.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = parse_time(&words[..2].join(" "), zone).unwrap();
        match (&mut history, &words[2..]) {
            (None, [status, priority]) => history = Some(History::begin(at, status, priority)),
            (Some(history), ["in"]) => history.message(at, Direction::In),
            (Some(history), ["out"]) => history.message(at, Direction::Out),
            (Some(history), ["answered"]) => history.first_reply(at),
            (Some(history), [status, priority]) => history.stands(at, status, priority),
            (_, other) => panic!("{other:?}"),
        }
    }
    history.unwrap()
}

fn show(at: Timestamp, zone: &TimeZone) -> String {
    let format = if at.as_millisecond() % 60_000 == 0 { "%a %d %H:%M" } else { "%a %d %H:%M:%S" };
    at.to_zoned(zone.clone()).strftime(format).to_string()
}

/// Plays a story and shows the clocks at a moment.
#[track_caller]
fn check(calendar: Calendar, promise: &str, story: &str, now: &str, expected: Expect) {
    let zone = calendar.zone().clone();
    let now = parse_time(now, &zone).unwrap();
    let clocks = promised(calendar, promise).clocks(&history(story, &zone), now);
    let lines: Vec<String> = clocks.iter().map(|clock| tell(clock, now, &zone)).collect();
    expected.assert_eq(&lines.join("\n"));
}

fn tell(clock: &Clock, now: Timestamp, zone: &TimeZone) -> String {
    let mut told = format!(
        "{} {}: {} since {}",
        clock.goal,
        clock.state.as_str(),
        clock.target,
        show(clock.started_at, zone)
    );
    if let Some(ended) = clock.ended_at {
        told += &format!(", came {}", show(ended, zone));
    }
    let minutes = |millis: i64| millis / 60_000;
    told += &format!(", worked {} min, left {} min", minutes(clock.worked), minutes(clock.left()));
    for Span { from, until } in &clock.pauses {
        let until = until.map_or_else(|| "now".to_owned(), |until| show(until, zone));
        told += &format!(", paused {} to {until}", show(*from, zone));
    }
    if let Some(due) = clock.due_at {
        told += &format!(", due {}", show(due, zone));
    }
    let reached: Vec<String> = clock
        .reached(now)
        .map(|(level, at, step)| format!("{level} ({step}) {}", show(at, zone)))
        .collect();
    if !reached.is_empty() {
        told += &format!("; reached {}", reached.join(", "));
    }
    if let Some(next) = clock.next_level(now) {
        told += &format!("; next {}", show(next, zone));
    }
    told
}

const USUAL: &str = "urgent: 1 working hour; 4 working hours | 8 working hours | urgent: 8 working hours; 18 working hours | waiting_for_customer; on_hold | 50%; 75%; +2 working hours";

#[test]
fn a_first_reply_counts_working_time_and_is_late_at_its_very_due_moment() {
    // 17:00 on Monday plus 4 working hours is 12:00 on Tuesday.
    let story = "2026-12-14 17:00 new normal";
    check(
        berlin(),
        USUAL,
        story,
        "2026-12-14 17:30",
        expect![[r#"
        first reply running: 4 working hours since Mon 14 17:00, worked 30 min, left 210 min, due Tue 15 12:00; next Tue 15 10:00
        solution running: 18 working hours since Mon 14 17:00, worked 30 min, left 1050 min, due Wed 16 17:00; next Tue 15 17:00"#]],
    );
    check(
        berlin(),
        USUAL,
        story,
        "2026-12-15 11:59:59",
        expect![[r#"
        first reply running: 4 working hours since Mon 14 17:00, worked 239 min, left 0 min, due Tue 15 12:00; reached 50% (0) Tue 15 10:00, 75% (0) Tue 15 11:00; next Tue 15 12:00
        solution running: 18 working hours since Mon 14 17:00, worked 239 min, left 840 min, due Wed 16 17:00; next Tue 15 17:00"#]],
    );
    check(
        berlin(),
        USUAL,
        story,
        "2026-12-15 12:00",
        expect![[r#"
        first reply breached: 4 working hours since Mon 14 17:00, worked 240 min, left 0 min, due Tue 15 12:00; reached 50% (0) Tue 15 10:00, 75% (0) Tue 15 11:00, 100% (1) Tue 15 12:00; next Tue 15 14:00
        solution running: 18 working hours since Mon 14 17:00, worked 240 min, left 840 min, due Wed 16 17:00; next Tue 15 17:00"#]],
    );
    let answered = |at: &str| format!("{story}\n{at} out");
    check(
        berlin(),
        USUAL,
        &answered("2026-12-15 11:59:59"),
        "2026-12-15 13:00",
        expect![[r#"
        first reply met: 4 working hours since Mon 14 17:00, came Tue 15 11:59:59, worked 239 min, left 0 min; reached 50% (0) Tue 15 10:00, 75% (0) Tue 15 11:00
        solution running: 18 working hours since Mon 14 17:00, worked 300 min, left 780 min, due Wed 16 17:00; next Tue 15 17:00"#]],
    );
    check(
        berlin(),
        USUAL,
        &answered("2026-12-15 12:00"),
        "2026-12-15 13:00",
        expect![[r#"
        first reply late: 4 working hours since Mon 14 17:00, came Tue 15 12:00, worked 240 min, left 0 min, due Tue 15 12:00; reached 50% (0) Tue 15 10:00, 75% (0) Tue 15 11:00, 100% (1) Tue 15 12:00
        solution running: 18 working hours since Mon 14 17:00, worked 300 min, left 780 min, due Wed 16 17:00; next Tue 15 17:00"#]],
    );
}

#[test]
fn clocks_stand_still_while_it_is_the_customers_turn() {
    let story = "
        2026-12-14 10:00 new normal
        2026-12-14 11:00 waiting_for_customer normal
        2026-12-14 15:00 open normal
    ";
    check(
        berlin(),
        USUAL,
        story,
        "2026-12-14 12:00",
        expect![[r#"
        first reply running: 4 working hours since Mon 14 10:00, worked 60 min, left 180 min, paused Mon 14 11:00 to Mon 14 15:00, due Mon 14 18:00; next Mon 14 16:00
        solution running: 18 working hours since Mon 14 10:00, worked 60 min, left 1020 min, paused Mon 14 11:00 to Mon 14 15:00, due Wed 16 14:00; next Tue 15 14:00"#]],
    );
    check(
        berlin(),
        USUAL,
        story,
        "2026-12-14 16:00",
        expect![[r#"
        first reply running: 4 working hours since Mon 14 10:00, worked 120 min, left 120 min, paused Mon 14 11:00 to Mon 14 15:00, due Mon 14 18:00; reached 50% (0) Mon 14 16:00; next Mon 14 17:00
        solution running: 18 working hours since Mon 14 10:00, worked 120 min, left 960 min, paused Mon 14 11:00 to Mon 14 15:00, due Wed 16 14:00; next Tue 15 14:00"#]],
    );
}

#[test]
fn each_unanswered_message_has_its_clock_and_several_in_a_row_have_one() {
    let story = "
        2026-12-14 10:00 new normal
        2026-12-14 10:20 in
        2026-12-14 11:00 out
        2026-12-14 12:00 in
        2026-12-14 12:30 in
        2026-12-14 14:00 out
        2026-12-14 15:00 out
        2026-12-14 16:00 in
    ";
    check(
        berlin(),
        USUAL,
        story,
        "2026-12-14 17:00",
        expect![[r#"
        first reply met: 4 working hours since Mon 14 10:00, came Mon 14 11:00, worked 60 min, left 180 min
        next reply met: 8 working hours since Mon 14 12:00, came Mon 14 14:00, worked 120 min, left 360 min
        next reply running: 8 working hours since Mon 14 16:00, worked 60 min, left 420 min, due Tue 15 15:00; next Tue 15 11:00
        solution running: 18 working hours since Mon 14 10:00, worked 420 min, left 660 min, due Wed 16 10:00; next Tue 15 10:00"#]],
    );
}

#[test]
fn what_was_solved_and_comes_back_goes_on_where_it_was() {
    let story = "
        2026-12-14 10:00 new normal
        2026-12-14 11:00 open normal
        2026-12-14 11:00 out
        2026-12-14 12:00 solved normal
    ";
    check(
        berlin(),
        USUAL,
        story,
        "2026-12-16 12:00",
        expect![[r#"
        first reply met: 4 working hours since Mon 14 10:00, came Mon 14 11:00, worked 60 min, left 180 min
        solution met: 18 working hours since Mon 14 10:00, came Mon 14 12:00, worked 120 min, left 960 min"#]],
    );
    let back = format!("{story}\n2026-12-16 12:00 open normal\n2026-12-16 12:00 in");
    check(
        berlin(),
        USUAL,
        &back,
        "2026-12-16 13:00",
        expect![[r#"
        first reply met: 4 working hours since Mon 14 10:00, came Mon 14 11:00, worked 60 min, left 180 min
        next reply running: 8 working hours since Wed 16 12:00, worked 60 min, left 420 min, due Thu 17 11:00; next Wed 16 16:00
        solution running: 18 working hours since Mon 14 10:00, worked 180 min, left 900 min, paused Mon 14 12:00 to Wed 16 12:00, due Fri 18 10:00; next Thu 17 10:00"#]],
    );
}

#[test]
fn another_priority_has_another_target_from_the_same_start() {
    let raised = "
        2026-12-14 10:00 new normal
        2026-12-14 12:00 new urgent
    ";
    check(
        berlin(),
        USUAL,
        raised,
        "2026-12-14 11:30",
        expect![[r#"
        first reply running: 4 working hours since Mon 14 10:00, worked 90 min, left 150 min, due Mon 14 14:00; next Mon 14 12:00
        solution running: 18 working hours since Mon 14 10:00, worked 90 min, left 990 min, due Wed 16 10:00; next Tue 15 10:00"#]],
    );
    check(
        berlin(),
        USUAL,
        raised,
        "2026-12-14 12:00",
        expect![[r#"
        first reply breached: 1 working hour since Mon 14 10:00, worked 120 min, left -60 min, due Mon 14 11:00; reached 50% (0) Mon 14 10:30, 75% (0) Mon 14 10:45, 100% (1) Mon 14 11:00; next Mon 14 13:00
        solution running: 8 working hours since Mon 14 10:00, worked 120 min, left 360 min, due Mon 14 18:00; next Mon 14 14:00"#]],
    );
    // What came is judged by the priority that it had then.
    let after = "
        2026-12-14 10:00 new normal
        2026-12-14 12:30 out
        2026-12-14 13:00 open urgent
    ";
    check(
        berlin(),
        USUAL,
        after,
        "2026-12-14 14:00",
        expect![[r#"
        first reply met: 4 working hours since Mon 14 10:00, came Mon 14 12:30, worked 150 min, left 90 min; reached 50% (0) Mon 14 12:00
        solution running: 8 working hours since Mon 14 10:00, worked 240 min, left 240 min, due Mon 14 18:00; reached 50% (0) Mon 14 14:00; next Mon 14 16:00"#]],
    );
}

#[test]
fn split_shifts_holidays_and_extra_days() {
    // China 2026: National Day from 1 to 7 October, worked in on 10 October.
    let shanghai = || {
        calendar(
            "Asia/Shanghai",
            "mon-fri 09:00-12:00 13:00-18:00",
            "2026-10-01/2026-10-07",
            "2026-10-10 09:00-12:00",
        )
    };
    let story = "2026-09-30 11:30 new normal";
    check(
        shanghai(),
        "8 working hours",
        story,
        "2026-09-30 12:30",
        expect![
            "first reply running: 8 working hours since Wed 30 11:30, worked 30 min, left 450 min, due Thu 08 11:30; next Thu 08 11:30"
        ],
    );
    let story = "2026-10-09 16:00 new normal";
    check(
        shanghai(),
        "8 working hours",
        story,
        "2026-10-10 11:00",
        expect![
            "first reply running: 8 working hours since Fri 09 16:00, worked 240 min, left 240 min, due Mon 12 12:00; next Mon 12 12:00"
        ],
    );
    check(
        berlin(),
        "4 working hours",
        "2026-12-23 17:00 new low",
        "2026-12-27 10:00",
        expect![
            "first reply running: 4 working hours since Wed 23 17:00, worked 60 min, left 180 min, due Mon 28 12:00; next Mon 28 12:00"
        ],
    );
}

#[test]
fn in_the_nights_of_the_clock_changes() {
    let night = |zone| calendar(zone, "mon-sun 00:00-24:00", "", "");
    // From 02:00 to 03:00 there is nothing, and half an hour on Lord Howe.
    let spring = "2026-03-29 01:00 new normal";
    check(
        night("Europe/Berlin"),
        "3 working hours",
        spring,
        "2026-03-29 01:30",
        expect![
            "first reply running: 3 working hours since Sun 29 01:00, worked 30 min, left 150 min, due Sun 29 05:00; next Sun 29 05:00"
        ],
    );
    let spring = "2026-10-04 01:00 new normal";
    check(
        night("Australia/Lord_Howe"),
        "3 working hours",
        spring,
        "2026-10-04 01:30",
        expect![
            "first reply running: 3 working hours since Sun 04 01:00, worked 30 min, left 150 min, due Sun 04 04:30; next Sun 04 04:30"
        ],
    );
    // And back again.
    let autumn = "2026-10-25 01:00 new normal";
    check(
        night("Europe/Berlin"),
        "3 working hours",
        autumn,
        "2026-10-25 01:30",
        expect![
            "first reply running: 3 working hours since Sun 25 01:00, worked 30 min, left 150 min, due Sun 25 03:00; next Sun 25 03:00"
        ],
    );
    let autumn = "2026-04-05 01:00 new normal";
    check(
        night("Australia/Lord_Howe"),
        "3 working hours",
        autumn,
        "2026-04-05 01:20",
        expect![
            "first reply running: 3 working hours since Sun 05 01:00, worked 20 min, left 160 min, due Sun 05 03:30; next Sun 05 03:30"
        ],
    );
}

#[test]
fn elapsed_time_knows_no_hours() {
    let story = "2026-12-12 22:00 new urgent";
    check(
        berlin(),
        "urgent: 30 minutes; 4 working hours",
        story,
        "2026-12-12 22:20",
        expect![
            "first reply running: 30 minutes since Sat 12 22:00, worked 20 min, left 10 min, due Sat 12 22:30; next Sat 12 22:30"
        ],
    );
}

#[test]
fn whom_we_wrote_to_first_waits_for_no_first_answer() {
    let ours = "
        2026-12-14 10:00 new normal
        2026-12-14 10:00 out
        2026-12-14 11:00 in
    ";
    check(
        berlin(),
        USUAL,
        ours,
        "2026-12-14 12:00",
        expect![[r#"
        next reply running: 8 working hours since Mon 14 11:00, worked 60 min, left 420 min, due Tue 15 10:00; next Mon 14 15:00
        solution running: 18 working hours since Mon 14 10:00, worked 120 min, left 960 min, due Wed 16 10:00; next Tue 15 10:00"#]],
    );
    // Answered on the telephone.
    let told = "
        2026-12-14 10:00 new normal
        2026-12-14 10:30 answered
        2026-12-14 12:00 out
    ";
    check(
        berlin(),
        "4 working hours",
        told,
        "2026-12-14 12:30",
        expect![
            "first reply met: 4 working hours since Mon 14 10:00, came Mon 14 10:30, worked 30 min, left 210 min"
        ],
    );
}

#[test]
fn what_is_closed_without_an_answer_counts_no_longer() {
    let story = "
        2026-12-14 10:00 new normal
        2026-12-14 11:00 closed normal
    ";
    check(
        berlin(),
        USUAL,
        story,
        "2026-12-15 11:00",
        expect![[r#"
        first reply dropped: 4 working hours since Mon 14 10:00, worked 60 min, left 180 min, paused Mon 14 11:00 to now
        solution met: 18 working hours since Mon 14 10:00, came Mon 14 11:00, worked 60 min, left 1020 min"#]],
    );
}

#[test]
fn the_event_log_makes_the_history() {
    let image = |status: &str, priority: &str| {
        Fields::from([
            ("status".to_owned(), Value::Text(status.to_owned())),
            ("priority".to_owned(), Value::Text(priority.to_owned())),
            ("created_at".to_owned(), Value::Time("2026-12-14T09:00:00Z".parse().unwrap())),
        ])
    };
    let change = |kind, before: Option<Fields>, after: Option<Fields>| crate::Change {
        reference: crate::Reference::new("ticket", "t1"),
        kind,
        before: before.map(Into::into),
        after: after.map(Into::into),
    };
    use crate::ChangeKind::{Changed, Created, Deleted};
    let at = |time: &str| time.parse::<Timestamp>().unwrap();
    let created = change(Created, None, Some(image("new", "normal")));
    let opened = change(Changed, Some(image("new", "normal")), Some(image("open", "normal")));
    let renamed = change(Changed, Some(image("open", "normal")), Some(image("open", "normal")));
    let deleted = change(Deleted, Some(image("open", "normal")), None);
    let mut expected = History::begin(at("2026-12-14T09:00:00Z"), "new", "normal");
    expected.stands(at("2026-12-14T10:00:00Z"), "open", "normal");
    let log = [
        (at("2026-12-14T09:00:00Z"), &created),
        (at("2026-12-14T10:00:00Z"), &opened),
        (at("2026-12-14T11:00:00Z"), &renamed),
        (at("2026-12-14T12:00:00Z"), &deleted),
    ];
    assert_eq!(History::of(log), Some(expected.clone()));
    // Where the log's beginning is gone, the ticket tells when it began.
    assert_eq!(History::of(log[1..].to_vec()), Some(expected));
    assert_eq!(History::of([]), None);
    // What held for no time at all never held.
    let mut blink = History::begin(at("2026-12-14T09:00:00Z"), "new", "normal");
    blink.stands(at("2026-12-14T10:00:00Z"), "on_hold", "normal");
    blink.stands(at("2026-12-14T10:00:00Z"), "new", "normal");
    assert_eq!(blink, History::begin(at("2026-12-14T09:00:00Z"), "new", "normal"));
}

#[test]
fn what_does_not_read_says_where_and_how_to_mend_it() {
    let error = |given: &[(&str, &str)], calendar: Option<Calendar>| {
        ServiceLevel::from_fields(&fields(given), calendar).unwrap_err().to_string()
    };
    expect![[r#"
        first_reply: must not be empty where there is neither a next_reply nor a solution; write `8 working hours`, or `urgent: 1 working hour` for one priority
        first_reply: `urgnt` is no priority of a ticket; did you mean `urgent`?
        first_reply: `soon` is not a duration; write `4 working hours` or `24 hours`
        solution: `2 working days` has no length of its own, which a clock that can be paused needs; write hours: `24 hours`, or `8 working hours` for a working day
        solution: `1 day` has no length of its own, which a clock that can be paused needs; write hours: `24 hours`, or `8 working hours` for a working day
        solution: `0 hours` leaves no time at all
        solution: `-1 hours` mixes elapsed and working time, or is negative; write one of them
        solution: `1 hour 1 working hour` mixes elapsed and working time, or is negative; write one of them
        next_reply: has two targets for all other priorities; leave one
        next_reply: has two targets for the priority low; leave one
        calendar: must not be empty, since next_reply has a target in working time (4 working hours)
        levels: `half` is no level; write a share such as `75%`, or `+2 working hours` for later than that
        levels: `0%` is no level; write a share such as `75%`, or `+2 working hours` for later than that
        levels: `+1 working day` is no level; write a share such as `75%`, or `+2 working hours` for later than that"#]].assert_eq(
        &[
            error(&[], None),
            error(&[("first_reply", "urgnt: 1 working hour")], None),
            error(&[("first_reply", "soon")], None),
            error(&[("solution", "2 working days")], None),
            error(&[("solution", "1 day")], None),
            error(&[("solution", "0 hours")], None),
            error(&[("solution", "-1 hours")], None),
            error(&[("solution", "1 hour 1 working hour")], None),
            error(&[("next_reply", "1 hour; 2 hours")], None),
            error(&[("next_reply", "low: 1 hour; low: 2 hours")], None),
            error(&[("next_reply", "4 working hours")], None),
            error(&[("next_reply", "1 hour"), ("levels", "half")], None),
            error(&[("next_reply", "1 hour"), ("levels", "0%")], None),
            error(&[("next_reply", "1 hour"), ("levels", "+1 working day")], None),
        ]
        .join("\n"),
    );
}
