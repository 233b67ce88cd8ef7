//! `relata sla`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use relata_app::{
    App, ClockView, ServiceLevelView,
    model::{Duration, Reference},
};

use crate::{
    context::Context,
    names::Names,
    out::{self, Column},
    time,
};

/// How many promises a list shows.
const MOST: u32 = 200;

/// How tickets stand to what their customers were promised.
///
/// Without a ticket: every promise that is broken, or will be soon if nobody
/// does anything, the oldest first. With one: its clocks, with the time that
/// counted, when they stood still, and what was told to whom.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  relata sla                              broken, or within a day
  relata sla --due-within '4 hours'
  relata sla ticket/4711
  relata sla recompute                    judge all open tickets anew"
)]
pub(crate) struct SlaArgs {
    #[command(subcommand)]
    command: Option<SlaCommand>,
    /// A ticket, such as ticket/4711
    #[arg(value_name = "TICKET", conflicts_with = "due_within")]
    ticket: Option<Reference>,
    /// How far to look ahead
    #[arg(long, value_name = "TIME", default_value = "1 day")]
    due_within: Duration,
}

#[derive(Debug, Subcommand)]
enum SlaCommand {
    /// Judge all open tickets anew
    ///
    /// A host does so by itself when a service level or a calendar changes. What
    /// else a service level asks about (a field of the customer's account, say)
    /// counts from the ticket's next change on, or from this.
    Recompute,
}

pub(crate) async fn run(context: &Context, args: SlaArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let done = match (args.command, args.ticket) {
        (Some(SlaCommand::Recompute), _) => recompute(context, &app).await,
        (None, Some(ticket)) => show(context, &app, &ticket).await,
        (None, None) => list(context, &app, args.due_within).await,
    };
    app.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn recompute(context: &Context, app: &App) -> anyhow::Result<()> {
    let done = app.recompute_service_levels().await?;
    if context.json {
        return out::json(&done);
    }
    out::line(match (done.tickets, done.changed) {
        (0, _) => "no ticket is open".to_owned(),
        (tickets, 0) => format!("all is in order: {tickets} open tickets"),
        (tickets, changed) => format!("{changed} of {tickets} open tickets stand otherwise now"),
    })
}

async fn list(context: &Context, app: &App, within: Duration) -> anyhow::Result<()> {
    let due = app.promises_due(within, MOST).await?;
    if context.json {
        return out::json(&due);
    }
    if due.is_empty() {
        return out::line(format!("nothing is overdue, and nothing will be within {within}"));
    }
    let (zone, cut) = (app.zone(), due.len() == MOST as usize);
    let mut names = Names::new(app);
    let mut rows = Vec::with_capacity(due.len());
    for row in due {
        rows.push(vec![
            row.number,
            row.subject,
            row.priority,
            words(&row.goal),
            time::short_text(&row.due_at, &zone),
            row.state,
            told(&mut names, row.owner.as_deref()).await?,
        ]);
    }
    let columns = [
        Column::whole("Ticket"),
        Column::text("Subject"),
        Column::whole("Priority"),
        Column::whole("Promise"),
        Column::whole("Due"),
        Column::whole("State"),
        Column::text("With"),
    ];
    out::table(&columns, rows)?;
    if cut {
        out::line(format!("\nthe first {MOST}; there may be more"))?;
    }
    Ok(())
}

async fn show(context: &Context, app: &App, ticket: &Reference) -> anyhow::Result<()> {
    let view = app.service_level_of(ticket).await?;
    if context.json {
        return out::json(&view);
    }
    let mut names = Names::new(app);
    let called = names.full(ticket).await?;
    let Some(name) = &view.name else {
        return out::line(format!("{}: nothing is promised", out::clean(&called)));
    };
    let owner = match told(&mut names, view.owner.as_deref()).await? {
        owner if owner.is_empty() => "nobody".to_owned(),
        owner => owner,
    };
    let head = format!("{called}: {}, by {name}; with {owner}", view.state);
    out::line(out::clean(&head))?;
    for clock in &view.clocks {
        tell_clock(app, &view, clock)?;
    }
    Ok(())
}

fn tell_clock(app: &App, view: &ServiceLevelView, clock: &ClockView) -> anyhow::Result<()> {
    let zone = app.zone();
    let at = |at: &str| time::short_text(at, &zone);
    let left = match clock.left_seconds {
        late if late < 0 => format!("{} too late", length(-late)),
        left => format!("{} left", length(left)),
    };
    out::line(format!(
        "\n{}: {}, {} of {}, {left}",
        words(clock.goal),
        clock.state,
        length(clock.worked_seconds),
        clock.target,
    ))?;
    let mut times = format!("  since {}", at(&clock.started_at));
    if let Some(due) = &clock.due_at {
        times += &format!(", due {}", at(due));
    }
    if let Some(due) = &clock.due_if_resumed {
        times += &format!(", due {} if it went on now", at(due));
    }
    if let Some(ended) = &clock.ended_at {
        times += &format!(", came {}", at(ended));
    }
    out::line(times)?;
    for pause in &clock.pauses {
        let until = pause.until.as_deref().map_or_else(|| "now".to_owned(), at);
        out::line(format!("  stood still from {} until {until}", at(&pause.from)))?;
    }
    for level in &clock.levels {
        let is_told = |told: &&relata_app::EscalationView| {
            told.goal == clock.goal && told.level == level.level
        };
        let state = match (&level.at, level.reached) {
            (Some(reached), true) if view.escalations.iter().any(|it| is_told(&it)) => {
                format!("reached {}, told", at(reached))
            }
            (Some(reached), true) => format!("reached {}", at(reached)),
            (Some(next), false) if clock.ended_at.is_none() => format!("at {}", at(next)),
            _ => continue,
        };
        out::line(format!("  {} {state}", level.level))?;
    }
    Ok(())
}

/// `first_reply` for people.
fn words(goal: &str) -> String {
    goal.replace('_', " ")
}

/// `2 h 30 min`: the hours of a calendar make no days.
fn length(seconds: i64) -> String {
    match (seconds / 3_600, seconds % 3_600 / 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

async fn told(names: &mut Names<'_>, record: Option<&str>) -> anyhow::Result<String> {
    Ok(match record.map(str::parse::<Reference>) {
        Some(Ok(reference)) => names.short(&reference).await?,
        _ => String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_as_people_say_them() {
        let told: Vec<String> = [0, 59, 60, 3_599, 3_600, 9_000, 90_000].map(length).into();
        assert_eq!(told, ["0 s", "59 s", "1 min", "59 min", "1 h", "2 h 30 min", "25 h"]);
    }
}
