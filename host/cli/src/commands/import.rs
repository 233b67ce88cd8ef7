//! `relata import`

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use crate::{
    context::Context,
    failure::{WRONG, Wrong},
    out::{self, Column},
    progress,
};

/// Import records from a CSV file.
///
/// The first line names the fields. A line whose record is there already, by
/// the object's matching fields, updates it; an empty cell leaves a field as
/// it is. So importing a file twice adds nothing. Dates are 2026-12-24, times
/// 2026-12-24 18:00 in the company's zone, lists a;b;c, and a record is written
/// object/key.
///
/// A wrong line is left out and listed with its reason; the others are taken.
/// The exit code is 1 only where lines were rejected and none was taken.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata import lead fair.csv
  relata import contact contacts.csv --match email
  relata import lead fair.csv --json | jq '.rejected[]'
  xlsx2csv fair.xlsx | relata import lead -")]
pub(crate) struct ImportArgs {
    /// What the lines are: lead, contact, user…
    object: String,
    /// The file; `-` reads stdin
    #[arg(value_name = "FILE.csv")]
    file: PathBuf,
    /// Fields by which a record is found again, most telling first
    #[arg(long = "match", value_name = "FIELD", num_args = 1.., value_delimiter = ',')]
    match_by: Vec<String>,
}

pub(crate) async fn run(context: &Context, args: ImportArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let csv = read(&args.file)?;
    let bar = progress::bar("lines");
    let imported = app
        .import(&args.object, &csv, &args.match_by, |done, total| {
            bar.set_length(u64::try_from(total).unwrap_or(u64::MAX));
            bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
        })
        .await;
    bar.finish_and_clear();
    let report = imported?;
    app.close().await;
    if context.json {
        out::json(&report)?;
    } else {
        out::line(format!(
            "{} read: {} created, {} updated ({} unchanged), {} rejected",
            out::count(report.read, "line"),
            report.created,
            report.updated,
            report.unchanged,
            report.rejected.len()
        ))?;
        if !report.rejected.is_empty() {
            out::line("")?;
            let columns = [
                Column::number("Line"),
                Column::whole("Field"),
                Column::text("Why it was rejected"),
            ];
            let rows = report
                .rejected
                .iter()
                .map(|line| vec![line.line.to_string(), line.field.clone(), line.why.clone()])
                .collect();
            out::table(&columns, rows)?;
        }
    }
    let nothing_taken = report.created + report.updated == 0 && !report.rejected.is_empty();
    Ok(if nothing_taken { ExitCode::from(WRONG) } else { ExitCode::SUCCESS })
}

fn read(file: &Path) -> Result<Vec<u8>, Wrong> {
    let read = if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(file)
    };
    read.map_err(|why| Wrong::new(format!("cannot read {}: {why}", out::path(file))))
}
