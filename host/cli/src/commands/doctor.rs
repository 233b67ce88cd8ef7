//! `relata doctor`

use std::process::ExitCode;

use clap::Args;
use relata_app::{Finding, Severity};

use crate::{context::Context, failure::WRONG, out};

/// Say what is wrong with a host, and what to do about it.
///
/// It looks for runs that nobody moves, effects that nobody knows of,
/// schedules that will not fire, destinations that do not answer, room on the
/// disk, clocks, and faults of the database; also while `relata serve` runs.
///
/// The exit code is 0 where nothing needs anybody, else 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata doctor --data shop
  relata doctor --data shop --json | jq -r '.[].code'
  relata doctor --data shop --quick          without reading the whole database")]
pub(crate) struct DoctorArgs {
    /// Do not let the database check itself, which reads all of it
    #[arg(long)]
    quick: bool,
}

pub(crate) async fn run(context: &Context, args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let found = Box::pin(app.doctor(!args.quick)).await;
    app.close().await;
    let found = found?;
    let needs_somebody = found.iter().any(|finding| finding.severity > Severity::Note);
    if context.json {
        out::json(&found)?;
    } else {
        told(&found)?;
    }
    Ok(if needs_somebody { ExitCode::from(WRONG) } else { ExitCode::SUCCESS })
}

fn told(found: &[Finding]) -> anyhow::Result<()> {
    if found.is_empty() {
        return out::line("all is well");
    }
    for finding in found {
        let word = match finding.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        out::line(out::clean(&format!("{word}[{}]: {}", finding.code, finding.what)))?;
        for example in &finding.examples {
            out::line(format!("    {}", out::clean(example)))?;
        }
        out::line(format!("  {}", out::clean(&finding.mend)))?;
    }
    Ok(())
}
