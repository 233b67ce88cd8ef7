//! Any text as a formula: it is read without a panic, what is printed reads back
//! as the same, and what was accepted fails only as documented. What stands
//! behind a NUL makes the world in which it is evaluated.

#![no_main]

#[path = "../../host/workflow/tests/maker/mod.rs"]
#[allow(dead_code, reason = "it makes formulas, too, and here they come from outside")]
mod maker;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use maker::{Choices, Maker};
use relata_model::{TimeZone, Timestamp};
use relata_workflow::{EvaluationError, Formula, Scope, formula::FAULTS};

static MAKER: LazyLock<Maker> = LazyLock::new(Maker::new);

fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (source, world) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    let Ok(source) = std::str::from_utf8(source) else { return };
    let read = |source| Formula::parse_value(source, &MAKER.variables, &MAKER.objects);
    let (formula, slot) = match read(source) {
        Ok(read) => read,
        Err(found) => {
            assert!(!found.is_empty(), "refused without a reason");
            return;
        }
    };
    assert!(formula.nodes.len() <= source.len(), "more nodes than letters");

    let printed = formula.to_string();
    let (again, same) = read(&printed).unwrap_or_else(|why| panic!("{printed}: {why:?}"));
    assert_eq!(slot, same, "{printed}");
    assert_eq!(printed, again.to_string());
    let kinds = |formula: &Formula| {
        formula.nodes.iter().map(|node| format!("{:?}", node.kind)).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&formula), kinds(&again), "{printed}");

    let (variables, facts) = MAKER.world(&mut Choices::new(world));
    let scope = Scope {
        variables: &[&variables],
        facts: &facts,
        now: "2026-12-14T09:00:00Z".parse::<Timestamp>().expect("a time"),
        zone: &TimeZone::get("Europe/Berlin").expect("a zone"),
        calendar: None,
    };
    match formula.evaluate(&scope) {
        Ok(_) => {}
        Err(EvaluationError::Need(need)) => panic!("{source} needs {need:?}"),
        Err(EvaluationError::Fault(said)) => {
            assert!(FAULTS.iter().any(|fault| fault.says(&said)), "{source}: {said}");
        }
    }
});
