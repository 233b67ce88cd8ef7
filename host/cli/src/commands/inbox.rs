//! `relata inbox`

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use relata_app::App;
use serde_json::json;

use crate::{
    context::Context,
    out::{self, Column},
    time,
};

/// Show the mails that came in and became no message, and decide on them.
///
/// A mail is held where it cannot be read, where a machine wrote it and it
/// belongs to no ticket, or where its sender writes too often.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  relata inbox                             what is held, and why
  relata inbox show 8d1f0a2b3c4d5e6f       the mail as it came
  relata inbox release 8d1f0a2b3c4d5e6f    take it in, as if a person had written it
  relata inbox --json | jq -r '.[].id' | xargs relata inbox drop"
)]
pub(crate) struct InboxArgs {
    #[command(subcommand)]
    command: Option<InboxCommand>,
}

#[derive(Debug, Subcommand)]
enum InboxCommand {
    /// One mail, as it came
    Show {
        /// Its id, from `relata inbox`
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Take mails in after all
    Release {
        /// Ids, from `relata inbox`
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
    /// Forget mails; in the mailbox they stay
    Drop {
        /// Ids, from `relata inbox`
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
}

pub(crate) async fn run(context: &Context, args: InboxArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let done = match args.command {
        None => list(context, &app).await,
        Some(InboxCommand::Show { id }) => show(context, &app, &id).await,
        Some(InboxCommand::Release { ids }) => release(context, &app, &ids).await,
        Some(InboxCommand::Drop { ids }) => drop_all(context, &app, &ids).await,
    };
    app.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn list(context: &Context, app: &App) -> anyhow::Result<()> {
    let held = app.held_mails().await?;
    if context.json {
        return out::json(&held);
    }
    if held.is_empty() {
        return out::line("no mail is held");
    }
    let zone = app.zone();
    let columns = [
        Column::whole("Id"),
        Column::whole("When"),
        Column::text("From"),
        Column::text("Subject"),
        Column::text("Why"),
    ];
    let rows = held.into_iter().map(|mail| {
        vec![
            mail.id,
            time::short_text(&mail.at, &zone),
            mail.from.unwrap_or_default(),
            mail.subject.unwrap_or_default(),
            mail.why,
        ]
    });
    out::table(&columns, rows.collect())
}

async fn show(context: &Context, app: &App, id: &str) -> anyhow::Result<()> {
    let (mail, bytes) = app.held_mail(id).await?;
    let text = String::from_utf8_lossy(&bytes);
    if context.json {
        let mut mail = serde_json::to_value(mail)?;
        mail["mail"] = json!(text);
        return out::json(&mail);
    }
    let mut stdout = std::io::stdout();
    if !stdout.is_terminal() {
        // Byte for byte, for a file.
        return stdout.write_all(&bytes).context("the mail could not be written");
    }
    for line in text.lines() {
        out::line(out::clean(line))?;
    }
    Ok(())
}

async fn release(context: &Context, app: &App, ids: &[String]) -> anyhow::Result<()> {
    let mut taken = Vec::with_capacity(ids.len());
    for id in ids {
        let message = app.release_mail(id).await?;
        taken.push(
            json!({ "id": id, "ticket": message.ticket.to_string(), "ref": message.ticket_ref }),
        );
        if !context.json {
            out::line(format!("{id} is a message of {}", message.ticket_ref))?;
        }
    }
    if context.json { out::json(&taken) } else { Ok(()) }
}

async fn drop_all(context: &Context, app: &App, ids: &[String]) -> anyhow::Result<()> {
    for id in ids {
        app.drop_mail(id).await?;
    }
    if context.json {
        return out::json(&ids);
    }
    out::line(format!("{} held no longer", out::count(ids.len(), "mail")))
}
