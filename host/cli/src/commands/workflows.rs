//! `relata workflows`

use std::process::ExitCode;

use relata_app::Doors;

use crate::{
    context::Context,
    out::{self, Column},
    time,
};

pub(crate) async fn run(context: &Context) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let zone = app.zone();
    let workflows = app.workflows().await;
    app.close().await;
    let workflows = workflows?;
    if context.json {
        out::json(&workflows)?;
    } else if workflows.is_empty() {
        out::line(
            "no workflow is active; `relata activate workflows` activates those of a folder",
        )?;
    } else {
        let mut columns = vec![
            Column::whole("Workflow"),
            Column::text("Title"),
            Column::whole("Active since"),
            Column::whole("Version"),
        ];
        // A column that would be empty says nothing.
        let has_doors = workflows.iter().any(|row| !doors(&row.doors).is_empty());
        if has_doors {
            columns.push(Column::text("Started by"));
        }
        let rows = workflows
            .into_iter()
            .map(|row| {
                let since = row
                    .active_since
                    .map_or_else(|| "not active".to_owned(), |at| time::short_text(&at, &zone));
                // As much of the digest as tells two versions apart.
                let version = row.version.unwrap_or_default().chars().take(12).collect();
                let mut cells = vec![row.workflow, row.title, since, version];
                if has_doors {
                    cells.push(doors(&row.doors));
                }
                cells
            })
            .collect();
        out::table(&columns, rows)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The buttons and webhooks that start a workflow.
fn doors(doors: &Doors) -> String {
    let mut told: Vec<String> = doors
        .buttons
        .iter()
        .map(|button| match &button.about {
            Some(object) => format!("button {} ({object})", button.label),
            None => format!("button {}", button.label),
        })
        .chain(doors.webhooks.iter().map(|name| format!("POST /hooks/{name}")))
        .collect();
    if doors.by_hand && doors.buttons.is_empty() {
        told.push("`relata start`".to_owned());
    }
    told.join(", ")
}
