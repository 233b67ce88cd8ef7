//! Faults that every plugin must have an orderly answer to: each permission
//! denied in turn, each host call failing, the run cancelled, and the call
//! repeated after its answer was lost. None of what these calls write is
//! committed.

use std::collections::BTreeMap;

use relata_package::{Grant, Permissions};
use relata_sandbox::{CallFault, contract::Outcome};
use relata_store::Write;
use serde_json::Value as Json;

use super::{
    call::{Desk, Made, Twist},
    cassette::Reading,
    judge::described,
    meddler::{Meddling, SEND},
    report::FaultReport,
};
use crate::{AppError, trial};

/// Something that goes wrong.
enum Fault {
    Denied(Grant),
    Fails(usize, &'static str),
    Cancelled,
    Again,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Denied(grant) => write!(f, "where it may not {grant}"),
            Self::Fails(place, SEND) => {
                write!(f, "where a web service does not answer (host call {})", place + 1)
            }
            Self::Fails(place, call) => write!(f, "where {call} fails (host call {})", place + 1),
            Self::Cancelled => f.write_str("where the run was cancelled"),
            Self::Again => f.write_str("where it is called again, because its answer was lost"),
        }
    }
}

/// Makes each fault of a case that comes off without. Answers how many there
/// were, and those without an orderly answer.
pub(super) async fn make(
    desk: &Desk<'_>,
    permissions: &Permissions,
    plain: &Made,
) -> Result<(usize, Vec<FaultReport>), AppError> {
    let denied = permissions.grants().into_iter().map(Fault::Denied);
    let failing = plain.calls.iter().enumerate().map(|(place, call)| Fault::Fails(place, call));
    let faults: Vec<Fault> =
        denied.chain(failing).chain([Fault::Cancelled, Fault::Again]).collect();
    let mut broken = Vec::new();
    for fault in &faults {
        let twist = match fault {
            Fault::Denied(grant) => {
                let all = permissions.grants().into_iter();
                let leaves = all.filter(|other| other != grant).collect();
                Twist { leaves: Some(leaves), ..Twist::default() }
            }
            Fault::Fails(place, _) => {
                Twist { meddling: Meddling::Fails(*place), ..Twist::default() }
            }
            Fault::Cancelled => Twist { meddling: Meddling::Cancelled, ..Twist::default() },
            Fault::Again => Twist { again: true, ..Twist::default() },
        };
        let made = desk.call(twist, Reading::Lenient).await?;
        let happened = disorder(&made, desk).or_else(|| match fault {
            Fault::Again => difference(plain, &made),
            _ => None,
        });
        if let Some(happened) = happened {
            broken.push(FaultReport { fault: fault.to_string(), happened });
        }
    }
    Ok((faults.len(), broken))
}

/// What a call came to that did not answer in order: an outcome, or an error
/// of the contract.
fn disorder(made: &Made, desk: &Desk<'_>) -> Option<String> {
    let is_orderly = match &made.result {
        Ok(_) => true,
        Err(why) => matches!(&*why.fault, CallFault::Guest(_)),
    };
    let panicked = made.report.panic.is_some();
    (!is_orderly || panicked).then(|| described(made, &desk.eye))
}

/// In what a call came out otherwise than the one before it with the same key.
fn difference(first: &Made, second: &Made) -> Option<String> {
    let (first, second) = (told(first), told(second));
    let place =
        (0..first.len().max(second.len())).find(|place| first.get(*place) != second.get(*place))?;
    let line =
        |lines: &[String]| lines.get(place).map_or_else(|| "nothing more".to_owned(), Clone::clone);
    Some(format!("at first: {}; again: {}", line(&first), line(&second)))
}

/// Everything that came of a call, without the ids that are drawn anew.
fn told(made: &Made) -> Vec<String> {
    let mut drawn = BTreeMap::new();
    for write in made.changes.record_writes() {
        if let Write::Create { object, id, .. } = write {
            let name = format!("new {object} {}", drawn.len() + 1);
            drawn.insert(id.to_string(), name);
        }
    }
    let outcome = match &made.result {
        Ok(Outcome::Done(output)) => format!("done {output}"),
        Ok(Outcome::Skip(why)) => format!("skipped {why}"),
        Ok(Outcome::Retry { after_ms, reason }) => format!("retry {after_ms} {reason}"),
        Err(why) => format!("failed {why}"),
    };
    let written = |written| {
        let json: Json = trial::written(written);
        format!("wrote {json}")
    };
    let lines = made.web.sent().into_iter().map(|sent| format!("asked {sent}"));
    let lines = lines.chain(made.changes.writes.iter().map(written)).chain([outcome]);
    let masked =
        |line: String| drawn.iter().fold(line, |line, (id, name)| line.replace(id.as_str(), name));
    lines.map(masked).collect()
}
