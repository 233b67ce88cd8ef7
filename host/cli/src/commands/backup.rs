//! `relata backup` and `relata restore`

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use relata_app::{App, BackupView};

use crate::{context::Context, out};

/// Copy the database into a file, also while `relata serve` runs.
///
/// The copy is the database as it was at one moment. It is read back and
/// compared, row by row, before it gets its name. The workflows, templates,
/// objects and settings are files: keep them under version control, or copy
/// them as files.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata backup --data shop /backup/shop-monday.db
  relata backup --data shop /backup/shop.db --force   writes over the last one
  relata backup --check /backup/shop.db               whether a backup is sound")]
pub(crate) struct BackupArgs {
    /// Where to write it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
    /// Only look whether the file is a sound backup
    #[arg(long, conflicts_with = "force")]
    check: bool,
}

/// Put a backup in the place of the database.
///
/// No host may run meanwhile. What was to go out when the backup was made may
/// have gone out since: it becomes unknown, and `relata outbox --status unknown`
/// lists it. Everything is paused until `relata resume all`, unless you say
/// `--resume`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata restore --data shop /backup/shop-monday.db --force
  relata outbox --data shop --status unknown
  relata resume --data shop all")]
pub(crate) struct RestoreArgs {
    /// A file that `relata backup` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Put the database aside that is there
    #[arg(long)]
    force: bool,
    /// Do not pause everything
    #[arg(long)]
    resume: bool,
}

pub(crate) async fn backup(context: &Context, args: BackupArgs) -> anyhow::Result<ExitCode> {
    if args.check {
        told(context, &App::backup_check(&args.file).await?, "is sound")?;
        return Ok(ExitCode::SUCCESS);
    }
    let app = context.open().await?;
    let made = app.backup(&args.file, args.force).await;
    app.close().await;
    told(context, &made?, "is written and proved")?;
    Ok(ExitCode::SUCCESS)
}

fn told(context: &Context, backup: &BackupView, what: &str) -> anyhow::Result<()> {
    if context.json {
        return out::json(backup);
    }
    out::line(format!(
        "{} {what}: {} bytes, {} rows, {} runs\nsha256 of its rows {}",
        out::clean(&backup.file),
        backup.bytes,
        backup.rows,
        backup.runs,
        backup.digest
    ))
}

pub(crate) async fn restore(context: &Context, args: RestoreArgs) -> anyhow::Result<ExitCode> {
    let restored =
        Box::pin(App::restore(context.root(), &args.file, args.force, args.resume)).await?;
    if context.json {
        out::json(&restored)?;
        return Ok(ExitCode::SUCCESS);
    }
    told(context, &restored.backup, "is restored")?;
    if let Some(former) = &restored.former {
        out::line(format!("the former database is kept as {}", out::clean(former)))?;
    }
    if restored.unknown_effects > 0 {
        let count = usize::try_from(restored.unknown_effects).unwrap_or(usize::MAX);
        out::line(format!(
            "{} may have gone out since: `relata outbox --status unknown` lists them",
            out::count(count, "effect")
        ))?;
    }
    if restored.paused {
        out::line("everything is paused; `relata resume all` lets it go on")?;
    }
    Ok(ExitCode::SUCCESS)
}
