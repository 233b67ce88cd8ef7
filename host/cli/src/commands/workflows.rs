//! `relata workflows`

use std::process::ExitCode;

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
        let columns = [
            Column::whole("Workflow"),
            Column::text("Title"),
            Column::whole("Active since"),
            Column::whole("Version"),
        ];
        let rows = workflows
            .into_iter()
            .map(|row| {
                let since = row
                    .active_since
                    .map_or_else(|| "not active".to_owned(), |at| time::short_text(&at, &zone));
                // As much of the digest as tells two versions apart.
                let version = row.version.unwrap_or_default().chars().take(12).collect();
                vec![row.workflow, row.title, since, version]
            })
            .collect();
        out::table(&columns, rows)?;
    }
    Ok(ExitCode::SUCCESS)
}
