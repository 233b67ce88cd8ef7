//! `relata route`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use relata_app::{
    AccessError, App, MOST_SIMULATED, RoutingScenario, RoutingSimulation, SimulatedShare,
    model::Reference,
};

use crate::{
    commands::{records::Pair, why},
    context::Context,
    failure::Wrong,
    names::Names,
    out::{self, Column},
    time,
};

/// Say who would get a ticket.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata route simulate queue=support
  relata route simulate queue=billing channel=chat 'required_skills=billing; german'
  relata route simulate queue=support --tickets 20          how they would be shared out
  relata route simulate queue=billing --waited 30           after half an hour in vain
  relata route simulate queue=support --at '2026-12-28 09:00'")]
pub(crate) struct RouteArgs {
    #[command(subcommand)]
    command: RouteCommand,
}

#[derive(Debug, Subcommand)]
enum RouteCommand {
    /// Try what would become of a ticket, and of others like it
    ///
    /// The active workflows that give tickets away run over the records as they
    /// are, with the real actions. Nothing is written, and nothing goes out.
    Simulate {
        /// The ticket's fields, such as queue=support or priority=high
        #[arg(value_name = "FIELD=VALUE", required = true, num_args = 1..)]
        fields: Vec<Pair>,
        /// How many like it come one after another
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_SIMULATED)))]
        tickets: u32,
        /// When they come; now by default
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// For how many minutes they have waited by then
        #[arg(long, value_name = "MINUTES")]
        waited: Option<u32>,
    },
}

pub(crate) async fn run(context: &Context, args: RouteArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let RouteCommand::Simulate { fields, tickets, at, waited } = args.command;
    let done = async {
        let written = fields.iter().map(|Pair(pair)| (pair.field.as_str(), pair.written.as_str()));
        let mut scenario = RoutingScenario::read(&app, written).map_err(wrong)?;
        scenario.tickets = tickets;
        scenario.waited_minutes = waited;
        scenario.at = at.map(|at| time::read(&at, &app.zone())).transpose()?;
        let simulated = app.simulate_routing(&scenario).await.map_err(wrong)?;
        tell(context, &app, &simulated).await
    }
    .await;
    app.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

/// All that is wrong with the ticket, a line each.
fn wrong(why: AccessError) -> anyhow::Error {
    match why {
        AccessError::Invalid(errors) => {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Wrong::new(lines.join("\n")).into()
        }
        AccessError::App(why) => why.into(),
        other => other.into(),
    }
}

async fn tell(context: &Context, app: &App, simulated: &RoutingSimulation) -> anyhow::Result<()> {
    if context.json {
        return out::json(simulated);
    }
    let mut names = Names::new(app);
    let at = time::short_text(&simulated.at, &app.zone());
    let Some(first) = simulated.tickets.first() else { return Ok(()) };
    let whose = match (&first.owner, &first.queue) {
        (Some(owner), _) => format!("goes to {owner}"),
        (None, Some(queue)) => format!("waits in {queue}"),
        (None, None) => "goes to nobody, and into no queue".to_owned(),
    };
    out::line(out::clean(&format!("{at}: it {}", names.told(&whose).await?)))?;
    for decision in &simulated.decisions {
        why::tell_one(app, &mut names, decision).await?;
    }
    for refusal in &simulated.not_started {
        let told = names.told(&refusal.reason).await?;
        out::line(out::clean(&format!("\n{} does not start: {told}", refusal.workflow)))?;
    }
    for remark in &simulated.remarks {
        out::line(out::clean(&format!("\n{}", names.told(remark).await?)))?;
    }
    if simulated.tickets.len() > 1 {
        shares(&mut names, simulated).await?;
    }
    Ok(())
}

/// Who gets how many of them.
async fn shares(names: &mut Names<'_>, simulated: &RoutingSimulation) -> anyhow::Result<()> {
    out::line(format!("\nOf {} like it:\n", simulated.tickets.len()))?;
    let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
    let mut rows = Vec::with_capacity(simulated.shares.len() + 1);
    for SimulatedShare { user, tickets, open, capacity } in &simulated.shares {
        let name = match user.parse::<Reference>() {
            Ok(user) => names.label(&user).await?,
            Err(_) => user.clone(),
        };
        rows.push(vec![name, tickets.to_string(), number(*open), number(*capacity)]);
    }
    let waiting = simulated.tickets.iter().filter(|ticket| ticket.owner.is_none()).count();
    if waiting > 0 {
        rows.push(vec!["(nobody)".to_owned(), waiting.to_string(), String::new(), String::new()]);
    }
    let columns = [
        Column::text("Agent"),
        Column::number("Gets"),
        Column::number("Has now"),
        Column::number("Capacity"),
    ];
    out::table(&columns, rows)
}
