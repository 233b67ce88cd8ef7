//! What holds whatever the hours, the targets and the story.

use jiff::{Timestamp, tz::TimeZone};
use proptest::prelude::*;

use super::{calendar, promised};
use crate::{
    Calendar,
    service_level::{Clock, ClockState, Direction, Goal, History, ServiceLevel},
};

const MINUTE: i64 = 60_000;

/// Hours of several kinds, over the clock changes of their zones.
fn calendars() -> Vec<Calendar> {
    vec![
        calendar("Europe/Berlin", "mon-fri 09:00-18:00", "2026-03-30;2026-10-26", "2026-10-24"),
        calendar(
            "Asia/Shanghai",
            "mon-fri 09:00-12:00 13:00-18:00",
            "2026-10-01/2026-10-07",
            "2026-10-10",
        ),
        calendar("Australia/Lord_Howe", "sat-mon 01:45-02:15 02:20-09:00; wed 00:00-24:00", "", ""),
        calendar("Europe/Berlin", "sun 01:30-03:30; mon-sat 22:00-24:00", "", ""),
        Calendar::always_open(TimeZone::UTC),
    ]
}

fn at(minutes: i64) -> Timestamp {
    // Two days before the clocks go forward in Berlin.
    let start: Timestamp = "2026-03-27T08:00:00Z".parse().unwrap();
    Timestamp::from_millisecond(start.as_millisecond() + minutes * MINUTE).unwrap()
}

/// A calendar, and minutes from its spring or its autumn on.
fn hours() -> impl Strategy<Value = Calendar> {
    (0..calendars().len()).prop_map(|which| calendars().swap_remove(which))
}

/// Minutes between happenings, and what each is.
fn happenings() -> impl Strategy<Value = Vec<(i64, u8)>> {
    prop::collection::vec((0_i64..3_000, 0_u8..8), 0..14)
}

const STATUSES: [&str; 4] = ["open", "waiting_for_customer", "on_hold", "solved"];

fn story(happenings: &[(i64, u8)], offset: i64) -> (History, i64) {
    let mut history = History::begin(at(offset), "new", "normal");
    let (mut minute, mut priority, mut status) = (offset, "normal", "new");
    for (gap, what) in happenings {
        minute += gap;
        match what {
            0..4 => status = STATUSES[usize::from(*what)],
            4 => priority = if priority == "normal" { "urgent" } else { "normal" },
            5 => history.message(at(minute), Direction::Out),
            _ => history.message(at(minute), Direction::In),
        }
        history.stands(at(minute), status, priority);
    }
    (history, minute)
}

fn level(calendar: Calendar) -> ServiceLevel {
    promised(
        calendar,
        "urgent: 3 working hours; 11 working hours | 5 working hours | urgent: 20 working hours; 47 working hours | waiting_for_customer | 30%; 75%; +3 working hours",
    )
}

fn clock_of(clocks: Vec<Clock>, goal: Goal) -> Option<Clock> {
    clocks.into_iter().rfind(|clock| clock.goal == goal)
}

/// Spring and autumn: 0 or 200 days on.
fn season() -> impl Strategy<Value = i64> {
    prop_oneof![0_i64..2_000, 200 * 1_440_i64..200 * 1_440 + 20_000]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// What was worked until one moment and from it to another is what was
    /// worked until the other.
    #[test]
    fn worked_time_adds_up(hours in hours(), happenings in happenings(), season in season(), first in 0_i64..4_000, second in 0_i64..4_000) {
        let (history, end) = story(&happenings, season);
        let level = level(hours.clone());
        let (one, two) = (at(end + first), at(end + first + second));
        for goal in [Goal::FirstReply, Goal::Solution] {
            let (Some(before), Some(after)) = (clock_of(level.clocks(&history, one), goal), clock_of(level.clocks(&history, two), goal)) else { continue };
            let runs = matches!(before.state, ClockState::Running | ClockState::Breached) && before.pauses.last().is_none_or(|span| span.until.is_some());
            let between = if runs { hours.open_millis(one, two) } else { 0 };
            prop_assert_eq!(after.worked, before.worked + between);
        }
    }

    /// A clock is due at the first moment at which all the time is gone, and
    /// breached from that moment on.
    #[test]
    fn due_is_when_the_time_is_gone(hours in hours(), happenings in happenings(), season in season()) {
        let (history, end) = story(&happenings, season);
        let level = level(hours);
        for clock in level.clocks(&history, at(end)) {
            let Some(due) = clock.due_at.filter(|due| *due > at(end)) else { continue };
            prop_assert!(clock.ended_at.is_none());
            let just_before = Timestamp::from_millisecond(due.as_millisecond() - 1).unwrap();
            let then = |now| level.clocks(&history, now).into_iter().find(|other| other.goal == clock.goal && other.started_at == clock.started_at).unwrap();
            prop_assert_eq!(then(due).left(), 0);
            prop_assert_eq!(then(due).state, ClockState::Breached);
            prop_assert_eq!(then(just_before).left(), 1);
            prop_assert_eq!(then(just_before).state, ClockState::Running);
            prop_assert_eq!(then(just_before).due_at, Some(due));
        }
    }

    /// Standing still for some working time puts it off by as much.
    #[test]
    fn a_pause_puts_off_by_its_length(hours in hours(), season in season(), before in 1_i64..600, pause in 1_i64..6_000) {
        let level = level(hours.clone());
        let plain = History::begin(at(season), "new", "normal");
        let mut paused = plain.clone();
        paused.stands(at(season + before), "waiting_for_customer", "normal");
        paused.stands(at(season + before + pause), "open", "normal");
        let now = at(season + before + pause);
        let due = |history| clock_of(level.clocks(history, now), Goal::Solution).unwrap().due_at.unwrap();
        let (without, with) = (due(&plain), due(&paused));
        if without > at(season + before) {
            let stood = hours.open_millis(at(season + before), now);
            prop_assert_eq!(hours.open_millis(at(season), with), hours.open_millis(at(season), without) + stood);
        } else {
            prop_assert_eq!(with, without);
        }
    }

    /// The target is that of the present priority, from the same start: as if
    /// it had had that priority all along.
    #[test]
    fn the_priority_counts_from_the_start(hours in hours(), season in season(), when in 1_i64..4_000, later in 0_i64..4_000) {
        let level = level(hours);
        let mut raised = History::begin(at(season), "new", "normal");
        raised.stands(at(season + when), "new", "urgent");
        let always = History::begin(at(season), "new", "urgent");
        let now = at(season + when + later);
        prop_assert_eq!(level.clocks(&raised, now), level.clocks(&always, now));
    }

    /// Levels are reached in their order, none before its time, and as many as
    /// the time worked says.
    #[test]
    fn levels_come_in_order_and_never_early(hours in hours(), happenings in happenings(), season in season(), after in 0_i64..6_000) {
        let (history, end) = story(&happenings, season);
        let level = level(hours);
        let now = at(end + after);
        for clock in level.clocks(&history, now) {
            let target = clock.worked + clock.left();
            let reached: Vec<_> = clock.reached(now).collect();
            prop_assert!(reached.is_sorted_by_key(|(_, at, _)| *at));
            for (reached, at, step) in &reached {
                prop_assert!(reached.millis(target) <= clock.worked);
                prop_assert_eq!(*step == 0, clock.due_at.is_none_or(|due| *at < due || reached.is_warning()));
            }
            let wanted = clock.levels.iter().filter(|(level, _)| level.millis(target) <= clock.worked).count();
            prop_assert_eq!(reached.len(), wanted);
        }
    }

    /// Earlier answers and later messages leave what was judged as it was.
    #[test]
    fn what_has_ended_stays_as_it_was(hours in hours(), happenings in happenings(), more in happenings(), season in season()) {
        let (history, end) = story(&happenings, season);
        let all: Vec<_> = happenings.iter().chain(&more).copied().collect();
        let (longer, later) = story(&all, season);
        let level = level(hours);
        let then = level.clocks(&longer, at(later));
        for clock in level.clocks(&history, at(end)) {
            if clock.goal != Goal::Solution && clock.ended_at.is_some_and(|ended| ended < at(end)) {
                prop_assert!(then.contains(&clock), "{clock:?} is not among {then:?}");
            }
        }
    }
}
