//! `relata plugin list`

use std::process::ExitCode;

use clap::Args;

use crate::{
    context::Context,
    failure::WRONG,
    out::{self, Column},
};

/// List the installed plugins, and whether each is what was agreed to.
///
/// The exit code is 1 where one is not run.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata plugin list --data shop
  relata plugin list --data shop --json | jq -r '.[] | select(.refused) | .plugin'")]
pub(crate) struct ListArgs {}

/// How much of a digest a table shows.
const SHORT: usize = "sha256:".len() + 12;

pub(super) async fn run(context: &Context, _args: ListArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let rows = app.installed_plugins();
    app.close().await;
    let rows = rows?;
    let any_refused = rows.iter().any(|row| row.refused.is_some());
    if context.json {
        out::json(&rows)?;
    } else if rows.is_empty() {
        out::line("no plugin is installed; `relata plugin install FILE` installs one")?;
    } else {
        let cells = rows.iter().map(|row| {
            let digest = row.digest.map_or_else(String::new, |digest| digest.to_string());
            vec![
                row.plugin.clone(),
                row.version.clone().unwrap_or_default(),
                row.signer.clone().unwrap_or_else(|| "nobody".to_owned()),
                row.permissions.to_string(),
                digest.chars().take(SHORT).collect(),
                match (&row.refused, &row.rolled_back) {
                    (Some(_), _) => "not run".to_owned(),
                    (None, Some(note)) => format!("back from {}", note.version),
                    (None, None) => "good".to_owned(),
                },
            ]
        });
        out::table(
            &[
                Column::whole("Plugin"),
                Column::whole("Version"),
                Column::text("Signed by"),
                Column::number("Permissions"),
                Column::whole("Digest"),
                Column::whole("State"),
            ],
            cells.collect(),
        )?;
        for row in &rows {
            if let Some(why) = &row.refused {
                out::note(&out::clean(&format!("{} is not run: {why}", row.plugin)));
            }
            if let Some(note) = &row.rolled_back {
                let text = format!(
                    "{} went back from {} at {}: {}",
                    row.plugin, note.version, note.at, note.why
                );
                out::note(&out::clean(&text));
            }
        }
    }
    Ok(if any_refused { ExitCode::from(WRONG) } else { ExitCode::SUCCESS })
}
