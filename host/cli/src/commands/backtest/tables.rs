//! What a backtest found, as tables.

use relata_app::{
    backtest::{Backtest, Change, Count, Figures},
    model::TimeZone,
};

use crate::{
    out::{self, Column},
    time,
};

/// How wide the longest bar is.
const WIDEST: usize = 40;

pub(super) fn print(found: &Backtest, zone: &TimeZone) -> anyhow::Result<()> {
    let events = &found.events;
    out::line(format!(
        "{}, {} to {} ({})",
        found.workflow,
        time::short_text(&found.from, zone),
        time::short_text(&found.to, zone),
        found.time_zone
    ))?;
    out::line(format!(
        "{} events, {} of them made by its own runs and left out; {} could start it",
        events.read, events.own, events.offered
    ))?;
    starts(found)?;
    counts(found, "how runs end", |figures| figures.outcomes.clone())?;
    actions(found)?;
    messages(found)?;
    sends(found)?;
    steps(found)?;
    if let Some(against) = &found.against {
        if against.is_same(&found.draft) {
            out::line(format!("\nThe draft does the same as {}.", against.what))?;
        } else {
            changes(
                "What became otherwise of the same events:",
                &against.what,
                &against.decisions,
            )?;
            changes("What became otherwise of the same runs:", &against.what, &against.outcomes)?;
        }
    }
    examples(found)?;
    rests_on(found)
}

/// A count of the draft, beside that of the other version where there is one.
fn beside(found: &Backtest, draft: u64, other: u64) -> Vec<String> {
    match &found.against {
        None => vec![draft.to_string()],
        Some(_) => vec![draft.to_string(), other.to_string(), difference(draft, other)],
    }
}

fn difference(draft: u64, other: u64) -> String {
    match draft.cmp(&other) {
        std::cmp::Ordering::Equal => String::new(),
        std::cmp::Ordering::Greater => format!("+{}", draft - other),
        std::cmp::Ordering::Less => format!("-{}", other - draft),
    }
}

fn columns(found: &Backtest, title: &'static str) -> Vec<Column<'static>> {
    let mut columns = vec![Column::text(title), Column::number("draft")];
    if found.against.is_some() {
        columns.extend([Column::number("other"), Column::number("difference")]);
    }
    columns
}

fn other(found: &Backtest) -> Option<&Figures> {
    found.against.as_ref().map(|against| &against.figures)
}

fn starts(found: &Backtest) -> anyhow::Result<()> {
    let mut columns = columns(found, "starts");
    let on_record = found.on_record.as_ref();
    if on_record.is_some() {
        columns.push(Column::number("on record"));
    }
    let reasons = |figures: &Figures| -> Vec<Count> {
        let reasons = figures.not_started.iter();
        reasons.map(|reason| Count { what: reason.reason.clone(), count: reason.count }).collect()
    };
    let row = |title: &str, draft, other, recorded: Option<u64>| {
        let mut cells = vec![title.to_owned()];
        cells.extend(beside(found, draft, other));
        cells.extend(recorded.map(|recorded| recorded.to_string()));
        cells
    };
    let mut rows = vec![row(
        "started",
        found.draft.started,
        other(found).map_or(0, |figures| figures.started),
        on_record.map(|recorded| recorded.started),
    )];
    let (draft, other) = (reasons(&found.draft), other(found).map(reasons).unwrap_or_default());
    for (what, draft, other) in both(&draft, &other) {
        let recorded = on_record.map(|recorded| of(&recorded.not_started, &what));
        rows.push(row(&format!("not started: {what}"), draft, other, recorded));
    }
    print_table(&columns, rows)
}

fn counts(
    found: &Backtest,
    title: &'static str,
    of: impl Fn(&Figures) -> Vec<Count>,
) -> anyhow::Result<()> {
    let other = other(found).map(&of).unwrap_or_default();
    let rows = both(&of(&found.draft), &other).into_iter().map(|(what, draft, other)| {
        let mut cells = vec![what];
        cells.extend(beside(found, draft, other));
        cells
    });
    print_table(&columns(found, title), rows.collect())
}

fn actions(found: &Backtest) -> anyhow::Result<()> {
    let mut columns = columns(found, "action");
    columns.extend(["nothing to do", "failed", "assumed"].map(Column::number));
    let done = |figures: &Figures| -> Vec<Count> {
        let actions = figures.actions.iter();
        actions.map(|action| Count { what: action.action.clone(), count: action.done }).collect()
    };
    let (draft, other) = (done(&found.draft), other(found).map(done).unwrap_or_default());
    let rows = both(&draft, &other).into_iter().map(|(what, draft, other)| {
        let action = found.draft.actions.iter().find(|action| action.action == what);
        let mut cells = vec![what];
        cells.extend(beside(found, draft, other));
        let further =
            action.map_or([0; 3], |action| [action.skipped, action.failed, action.assumed]);
        cells.extend(
            further.map(|count| if count == 0 { String::new() } else { count.to_string() }),
        );
        cells
    });
    print_table(&columns, rows.collect())
}

fn messages(found: &Backtest) -> anyhow::Result<()> {
    let mut columns = columns(found, "message");
    columns.extend(["held", "not wanted"].map(Column::number));
    let sent = |figures: &Figures| -> Vec<Count> {
        let messages = figures.messages.iter();
        messages
            .map(|message| Count { what: message.template.clone(), count: message.sent })
            .collect()
    };
    let (draft, other) = (sent(&found.draft), other(found).map(sent).unwrap_or_default());
    let rows = both(&draft, &other).into_iter().map(|(what, draft, other)| {
        let message = found.draft.messages.iter().find(|message| message.template == what);
        let mut cells = vec![what];
        cells.extend(beside(found, draft, other));
        let further = message.map_or([0; 2], |message| [message.held, message.suppressed]);
        cells.extend(
            further.map(|count| if count == 0 { String::new() } else { count.to_string() }),
        );
        cells
    });
    print_table(&columns, rows.collect())
}

fn sends(found: &Backtest) -> anyhow::Result<()> {
    let sends = &found.draft.sends;
    let most = sends.by_hour.iter().copied().max().unwrap_or(0);
    if most == 0 {
        return Ok(());
    }
    let first = sends.by_hour.iter().position(|count| *count > 0).unwrap_or(0);
    let last = sends.by_hour.iter().rposition(|count| *count > 0).unwrap_or(23);
    let columns = [Column::whole("sent at"), Column::number("draft"), Column::whole("")];
    let rows = (first..=last).map(|hour| {
        let count = sends.by_hour[hour];
        vec![format!("{hour:02}:00"), count.to_string(), bar(count, most)]
    });
    print_table(&columns, rows.collect())?;
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let days = DAYS.iter().zip(sends.by_weekday).map(|(day, count)| format!("{day} {count}"));
    out::line(days.collect::<Vec<_>>().join(", "))
}

fn bar(count: u64, most: u64) -> String {
    let wide = (count as u128 * WIDEST as u128).div_ceil(u128::from(most.max(1)));
    "▪".repeat(usize::try_from(wide).unwrap_or(WIDEST))
}

fn steps(found: &Backtest) -> anyhow::Result<()> {
    let of = |path: &str| {
        let step =
            other(found).and_then(|figures| figures.steps.iter().find(|step| step.path == path));
        step.map(|step| (step.reached, step.ways.as_slice()))
    };
    let mut rows = Vec::new();
    for step in &found.draft.steps {
        let before = of(&step.path);
        let mut cells = vec![format!("{} (line {})", step.label, step.line)];
        cells.extend(beside(found, step.reached, before.map_or(0, |before| before.0)));
        rows.push(cells);
        let ways = before.map_or(&[][..], |before| before.1);
        for way in &step.ways {
            let mut cells = vec![format!("  {}", way.what)];
            cells.extend(beside(found, way.count, self::of(ways, &way.what)));
            rows.push(cells);
        }
    }
    print_table(&columns(found, "step"), rows)
}

fn changes(title: &str, other: &str, changes: &[Change]) -> anyhow::Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let columns = [
        Column::text(other),
        Column::text("draft"),
        Column::number("times"),
        Column::text("such as"),
    ];
    let rows = changes.iter().map(|change| {
        vec![
            change.before.clone(),
            change.now.clone(),
            change.count.to_string(),
            change.examples.join(" "),
        ]
    });
    out::line(format!("\n{title}"))?;
    print_table(&columns, rows.collect())
}

fn examples(found: &Backtest) -> anyhow::Result<()> {
    if found.against.is_some() || found.draft.not_started.is_empty() {
        return Ok(());
    }
    let columns = [Column::text("not started"), Column::text("such as")];
    let rows = found.draft.not_started.iter();
    let rows = rows.map(|reason| vec![reason.reason.clone(), reason.examples.join(" ")]);
    print_table(&columns, rows.collect())
}

fn rests_on(found: &Backtest) -> anyhow::Result<()> {
    let rests_on = &found.draft.rests_on;
    let calls = rests_on.recorded + rests_on.made_again + rests_on.assumed;
    out::line(format!(
        "\n{} calls: {} answered as they were then, {} made again, {} assumed",
        calls, rests_on.recorded, rests_on.made_again, rests_on.assumed
    ))?;
    out::line(format!(
        "{} of {} rest on an assumption",
        share(rests_on.assumed_runs, found.draft.started),
        out::count(usize::try_from(found.draft.started).unwrap_or(usize::MAX), "run"),
    ))?;
    for assumption in &rests_on.assumptions {
        out::line(format!("  {} x {}", assumption.count, assumption.what))?;
    }
    for told in &found.not_replayed {
        out::line(format!("Note: {told}"))?;
    }
    Ok(())
}

/// `12 %`.
fn share(part: u64, whole: u64) -> String {
    let percent = if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
    if percent > 0.0 && percent < 1.0 { "under 1 %".to_owned() } else { format!("{percent:.0} %") }
}

/// What either counts: the draft's order first.
fn both(draft: &[Count], other: &[Count]) -> Vec<(String, u64, u64)> {
    let mut all: Vec<(String, u64, u64)> = draft
        .iter()
        .map(|count| (count.what.clone(), count.count, of(other, &count.what)))
        .collect();
    let only_other =
        other.iter().filter(|count| draft.iter().all(|known| known.what != count.what));
    all.extend(only_other.map(|count| (count.what.clone(), 0, count.count)));
    all
}

fn of(counts: &[Count], what: &str) -> u64 {
    counts.iter().find(|count| count.what == what).map_or(0, |count| count.count)
}

fn print_table(columns: &[Column<'_>], rows: Vec<Vec<String>>) -> anyhow::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    out::line("")?;
    out::table(columns, rows)
}
