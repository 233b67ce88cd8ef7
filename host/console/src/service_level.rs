//! How a ticket stands to what its customer was promised: a panel with its
//! clocks, and a pill of the one that is soonest.

use relata_app::{AccessError, ClockView, ServiceLevelView, model::Reference};

use crate::{
    failure::Failure,
    html::{Link, Moment, Pill, Tone, span},
    names::Names,
    session::Visit,
    texts::fill,
    words,
};

/// How soon before its time a clock is pressing, seconds.
const PRESSING: i64 = 60 * 60;

/// The panel beside a ticket.
pub(crate) struct ServiceLevel {
    /// What it is called, and where it says more.
    pub(crate) name: Link,
    /// Whose opening hours count.
    pub(crate) hours: Option<Link>,
    pub(crate) clocks: Vec<Clock>,
    /// Why nobody knows what is promised: a service level that does not read.
    pub(crate) wrong: Option<String>,
}

/// A clock of it.
pub(crate) struct Clock {
    pub(crate) goal: String,
    pub(crate) state: Pill,
    /// Within which time: `4 working hours`.
    pub(crate) target: String,
    /// How much of that time is left, or how late it is; none where it is
    /// over.
    pub(crate) left: Option<String>,
    pub(crate) since: Option<Moment>,
    pub(crate) due: Option<Moment>,
    /// Where it stands still: its time if it went on now.
    pub(crate) due_if_resumed: Option<Moment>,
    pub(crate) ended: Option<Moment>,
}

/// How a ticket stands; none where nothing is promised, or the viewer does not
/// see what is.
pub(crate) async fn of_ticket(
    visit: &Visit,
    ticket: &Reference,
    names: &mut Names<'_>,
) -> Result<Option<(ServiceLevel, Option<Pill>)>, Failure> {
    let view = match visit.app.service_level_as(&visit.viewer, ticket).await {
        // A level that somebody has written wrongly is no reason to answer nobody.
        Err(AccessError::App(why)) if why.is_wrong_input() => {
            let level = ServiceLevel {
                name: Link { href: None, text: String::new() },
                hours: None,
                clocks: Vec::new(),
                wrong: Some(why.to_string()),
            };
            return Ok(Some((level, None)));
        }
        seen => seen?,
    };
    let Some(name) = &view.name else { return Ok(None) };
    let parse = |text: &Option<String>| text.as_deref()?.parse::<Reference>().ok();
    let (level, calendar) = (parse(&view.service_level), parse(&view.calendar));
    names.learn(&[&level, &calendar].into_iter().flatten().collect::<Vec<_>>()).await?;
    let pill = soonest(visit, &view);
    Ok(Some((
        ServiceLevel {
            name: match level {
                Some(level) => Link { text: name.clone(), ..names.link(&level) },
                None => Link { href: None, text: name.clone() },
            },
            hours: calendar.map(|calendar| names.link(&calendar)),
            clocks: view.clocks.iter().map(|clock| told(visit, clock)).collect(),
            wrong: None,
        },
        pill,
    )))
}

fn told(visit: &Visit, clock: &ClockView) -> Clock {
    let (t, lang) = (visit.lang().texts(), visit.lang());
    let exactly = |at: &Option<String>| {
        let at = at.as_deref()?.parse().ok()?;
        Some(Moment::exactly(at, &visit.zone()))
    };
    let is_open = is_open(clock);
    let shape = if clock.left_seconds < 0 { t.overdue } else { t.due_in };
    let left = span(clock.left_seconds.abs(), lang);
    Clock {
        goal: words::choice(clock.goal, lang),
        state: Pill { tone: tone(clock), ..Pill::of_word(&clock.state, lang) },
        target: clock.target.clone(),
        left: is_open.then(|| fill(shape, &[&left])),
        since: visit.moment_of(Some(&clock.started_at)),
        due: exactly(&clock.due_at),
        due_if_resumed: exactly(&clock.due_if_resumed),
        ended: exactly(&clock.ended_at),
    }
}

fn is_open(clock: &ClockView) -> bool {
    matches!(clock.state.as_str(), "running" | "paused" | "breached")
}

fn tone(clock: &ClockView) -> Tone {
    match clock.state.as_str() {
        "breached" | "late" => Tone::Bad,
        "running" if clock.left_seconds < PRESSING => Tone::Warn,
        "met" => Tone::Good,
        "paused" | "dropped" => Tone::Quiet,
        _ => Tone::Plain,
    }
}

/// The clock that is over soonest, or was over first; one that stands still
/// where all that are open do.
fn soonest(visit: &Visit, view: &ServiceLevelView) -> Option<Pill> {
    let (t, lang) = (visit.lang().texts(), visit.lang());
    let open = || view.clocks.iter().filter(|clock| is_open(clock));
    // Times as the app writes them are in the order of their texts, all being
    // of one zone; what stands still has none, and comes last.
    let clock = open().min_by_key(|clock| (clock.due_at.is_none(), clock.due_at.clone()))?;
    let left = span(clock.left_seconds.abs(), lang);
    let text = match clock.state.as_str() {
        "paused" => format!("{}, {}", words::choice("paused", lang), fill(t.due_in, &[&left])),
        _ if clock.left_seconds < 0 => fill(t.overdue, &[&left]),
        _ => fill(t.due_in, &[&left]),
    };
    let due =
        clock.due_at.as_deref().and_then(|at| at.parse::<relata_app::model::Timestamp>().ok());
    let exact = due.map(|at| at.to_zoned(visit.zone()).strftime("%Y-%m-%d %H:%M").to_string());
    let goal = words::choice(clock.goal, lang);
    let title = exact.map_or_else(|| goal.clone(), |exact| format!("{goal}: {exact}"));
    Some(Pill { tone: tone(clock), text, title })
}
