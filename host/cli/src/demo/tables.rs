//! The figures as tables that a person understands.

use relata_app::model::{TimeZone, Timestamp};

use super::{
    facts::Facts,
    figures::{Figures, Told},
    support::Decision,
};
use crate::{
    out::{self, Column, count},
    time,
};

pub(super) fn print(facts: &Facts, figures: &Figures, told: &Told) -> anyhow::Result<()> {
    out::line(format!(
        "A company's weeks from {} to {}, as the database tells them.",
        day(told.from, &facts.zone),
        day(facts.now, &facts.zone)
    ))?;
    leads(figures)?;
    mails(figures)?;
    complaints(figures)?;
    surveys(facts, figures)?;
    campaign(figures)?;
    runs(figures)?;
    not_run(figures)?;
    kills(facts, told)?;
    heading("What was promised")?;
    for (promise, kept) in figures.promises() {
        out::line(format!("  {}  {promise}", if kept { "kept  " } else { "BROKEN" }))?;
    }
    Ok(())
}

/// Commands that show more of this very data.
pub(super) fn next_steps(facts: &Facts, root: &str) -> anyhow::Result<()> {
    heading("What to try next")?;
    let relata = out::clean(&std::env::args().next().unwrap_or_else(|| "relata".to_owned()));
    let data = format!("--data {root}");
    let run = facts.runs.iter().find(|run| {
        run.workflow == "complaint-escalation"
            && facts.log(&run.id).iter().any(|step| step.kind == "level")
    });
    if let Some(run) = run {
        out::line(format!("  {relata} runs show {} {data}", run.id))?;
        out::line("      a complaint whose time went by: each step with what it saw and why")?;
        if let Some(ticket) = &run.subject {
            out::line(format!("  {relata} records timeline {ticket} {data}"))?;
            out::line("      the same ticket: everything that happened to it, and who did it")?;
        }
    }
    let refused = facts
        .refusals
        .iter()
        .rfind(|refusal| refusal.workflow == "win-back" && refusal.record.is_some())
        .or_else(|| facts.refusals.iter().find(|refusal| refusal.record.is_some()));
    if let Some((refusal, record)) =
        refused.and_then(|refusal| Some((refusal, refusal.record.as_ref()?)))
    {
        out::line(format!("  {relata} why-not {} {record} {data}", refusal.workflow))?;
        out::line(format!(
            "      why {} did not run for {}",
            refusal.workflow,
            facts.name(record)
        ))?;
    }
    out::line(format!("  {relata} outbox {data}"))?;
    out::line("      every mail and notice; each lies as a file in the folder mail/ there")?;
    out::line(format!("  {relata} clock advance 7 days {data}"))?;
    out::line("      what happens next")
}

fn leads(figures: &Figures) -> anyhow::Result<()> {
    let leads = &figures.leads;
    heading("Leads: who got how many, against their weights")?;
    let mut rows = Vec::new();
    for team in &leads.teams {
        for (place, agent) in team.agents.iter().enumerate() {
            rows.push(vec![
                if place == 0 { team.team.clone() } else { String::new() },
                agent.name.clone(),
                agent.weight.to_string(),
                if agent.eligible { format!("{:.1}", agent.share) } else { String::new() },
                agent.leads.to_string(),
                agent.why.clone(),
            ]);
        }
    }
    out::table(
        &[
            Column::text("team"),
            Column::whole("who"),
            Column::number("weight"),
            Column::number("share"),
            Column::number("leads"),
            Column::text("takes none, because"),
        ],
        rows,
    )?;
    let tasks = &figures.tasks;
    out::line(format!(
        "\n{} assigned; {} welcomed; {} due 48 hours after, {} of them done and {} overdue at the end. \
         {} contacted in all; of {} the manager was told after 48 hours. The second import created {}.",
        count(leads.assigned, "lead"),
        figures.mails.welcome,
        count(tasks.due_48h, "task"),
        tasks.done,
        tasks.overdue,
        leads.in_process,
        leads.manager_told,
        leads.second_import_created,
    ))
}

fn mails(figures: &Figures) -> anyhow::Result<()> {
    heading("Mails by template")?;
    let mut rows: Vec<Vec<String>> = figures
        .mails
        .by_template
        .iter()
        .map(|(template, states)| {
            let of = |state: &str| states.get(state).copied().unwrap_or(0);
            let sent = of("sent");
            let other = states.values().sum::<usize>() - sent;
            vec![template.clone(), sent.to_string(), other.to_string()]
        })
        .collect();
    rows.push(vec![
        "(notices to colleagues)".to_owned(),
        figures.mails.notices.to_string(),
        String::new(),
    ]);
    out::table(
        &[Column::text("template"), Column::number("sent"), Column::number("not sent yet")],
        rows,
    )
}

fn complaints(figures: &Figures) -> anyhow::Result<()> {
    let complaints = &figures.complaints;
    heading("Complaints: found, and to whom they went")?;
    let row = |found: &Decision| {
        vec![
            found.ticket.clone(),
            short(&found.subject, 28),
            found.mood.map_or_else(|| "-".to_owned(), |mood| format!("{mood:.2}")),
            found.tier.clone(),
            found.priority.clone(),
            found.went_to.clone(),
            found.levels.join(" "),
            short(&found.why, 60),
        ]
    };
    out::table(
        &[
            Column::whole("ticket"),
            Column::text("subject"),
            Column::number("mood"),
            Column::text("tier"),
            Column::text("priority"),
            Column::whole("went to"),
            Column::text("levels"),
            Column::text("why there"),
        ],
        complaints.decisions.iter().map(row).collect(),
    )?;
    let mut levels: Vec<_> = figures.escalations.iter().collect();
    levels.sort_by_key(|(level, _)| (level.len(), level.as_str()));
    let levels: Vec<String> =
        levels.iter().map(|(level, times)| format!("{level} {times} times")).collect();
    out::line(format!(
        "\n{} read, {} of them complaints; {} more after a low survey score. Levels of their deadlines: {}.",
        count(complaints.judged, "inquiry").replace("inquirys", "inquiries"),
        complaints.found.len(),
        complaints.from_surveys,
        if levels.is_empty() { "none reached".to_owned() } else { levels.join(", ") },
    ))
}

fn surveys(facts: &Facts, figures: &Figures) -> anyhow::Result<()> {
    let surveys = &figures.surveys;
    heading("Surveys: 24 hours after the solution, in support hours")?;
    let at = |text: &str| time::short_text(text, &facts.zone);
    out::table(
        &[
            Column::text("inquiry"),
            Column::whole("customer"),
            Column::whole("solved"),
            Column::whole("due"),
            Column::whole("sent"),
            Column::number("late by"),
            Column::number("score"),
        ],
        surveys
            .list
            .iter()
            .map(|survey| {
                vec![
                    short(&survey.ticket, 28),
                    survey.customer.clone(),
                    at(&survey.solved_at),
                    at(&survey.due_at),
                    at(&survey.sent_at),
                    format!("{} s", survey.lateness_s),
                    survey.score.map_or_else(|| "-".to_owned(), |score| score.to_string()),
                ]
            })
            .collect(),
    )?;
    out::line(format!(
        "\n{} sent, {} of them at a later opening; {} answered, {} with 1 or 2; {} not sent after all, as the \
         ticket was opened again; {} suppressed.",
        surveys.sent,
        surveys.waited_for_opening,
        surveys.answered,
        surveys.low,
        surveys.reopened,
        surveys.suppressed,
    ))
}

fn campaign(figures: &Figures) -> anyhow::Result<()> {
    let campaign = &figures.campaign;
    heading(&format!(
        "Win-back: {} entered the campaign",
        count(campaign.entered, "dormant customer")
    ))?;
    out::table(
        &[
            Column::text("arm"),
            Column::number("customers"),
            Column::number("mailed"),
            Column::number("clicked"),
            Column::number("reminded"),
            Column::number("bought"),
            Column::number("ended by it"),
            Column::number("waiting"),
        ],
        campaign
            .arms
            .iter()
            .map(|(name, arm)| {
                let name = if name == "nothing" { "nothing (control group)" } else { name };
                let figures = [
                    arm.contacts,
                    arm.mailed,
                    arm.clicked,
                    arm.reminded,
                    arm.bought,
                    arm.stopped_as_bought,
                    arm.waiting,
                ];
                std::iter::once(name.to_owned())
                    .chain(figures.map(|figure| figure.to_string()))
                    .collect()
            })
            .collect(),
    )
}

fn runs(figures: &Figures) -> anyhow::Result<()> {
    heading(&format!("Runs: {} in all", figures.runs.total))?;
    let rows = figures
        .runs
        .by_workflow
        .iter()
        .flat_map(|(workflow, outcomes)| {
            outcomes
                .iter()
                .map(|(outcome, runs)| vec![workflow.clone(), outcome.clone(), runs.to_string()])
        })
        .collect();
    out::table(&[Column::text("workflow"), Column::text("outcome"), Column::number("runs")], rows)
}

fn not_run(figures: &Figures) -> anyhow::Result<()> {
    heading("What did not run, and why")?;
    let counted = [("", &figures.not_started), ("mail ", &figures.suppressed)];
    let rows = counted
        .into_iter()
        .flat_map(|(prefix, reasons)| {
            reasons.iter().flat_map(move |(what, reasons)| {
                reasons.iter().map(move |(why, times)| {
                    vec![format!("{prefix}{what}"), times.to_string(), why.clone()]
                })
            })
        })
        .collect();
    out::table(&[Column::text("what"), Column::number("times"), Column::text("why")], rows)
}

fn kills(facts: &Facts, told: &Told) -> anyhow::Result<()> {
    heading("The host was killed (SIGKILL) at its work, and started again")?;
    let rows = told
        .kills
        .iter()
        .map(|kill| {
            let figures = [kill.events, kill.runs, kill.effects];
            [kill.at, kill.to]
                .map(|at| time::short(at, &facts.zone))
                .into_iter()
                .chain(figures.map(|figure| figure.to_string()))
                .collect()
        })
        .collect();
    out::table(
        &[
            Column::whole("its clock"),
            Column::whole("on the way to"),
            Column::number("events not seen"),
            Column::number("runs in hand"),
            Column::number("mails in hand"),
        ],
        rows,
    )
}

fn heading(text: &str) -> anyhow::Result<()> {
    out::line(format!("\n{text}\n"))
}

fn day(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%A, %-d %B %Y, %H:%M").to_string()
}

/// At most so many characters.
fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most - 1).collect();
    format!("{}…", kept.trim_end())
}
