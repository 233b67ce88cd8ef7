//! A workflow that only pretends, for one that a step runs: it takes the same
//! inputs, and yields what the test says.

use std::collections::BTreeMap;

use relata_model::Objects;
use relata_workflow::{
    BlockId, Definition, Do, Expression, Formula, Output, Retry, Slot, Step, StepId, StepKind, Type,
};

use crate::AppError;

/// What the result of the one step is called.
const RESULT: &str = "result";

/// The action under which a workflow pretends.
pub(crate) fn action(workflow: &str) -> String {
    format!("pretended workflow `{workflow}`")
}

/// The stand-in for a workflow.
pub(crate) fn of(definition: &Definition, objects: &Objects) -> Result<Definition, AppError> {
    let slots: BTreeMap<String, Slot> = definition
        .outputs
        .iter()
        .map(|output| (output.name.clone(), Slot::maybe(output.slot.kind.clone())))
        .collect();
    let result = Type::Map(slots);
    let variables = BTreeMap::from([(RESULT.to_owned(), Slot::of(result.clone()))]);
    let outputs = definition
        .outputs
        .iter()
        .map(|output| {
            let source = format!("{RESULT}.{}", output.name);
            let (formula, slot) =
                Formula::parse_value(&source, &variables, objects).map_err(|_| {
                    AppError::Fault(format!("the output `{}` has no formula", output.name))
                })?;
            Ok(Output { name: output.name.clone(), value: Expression::Formula(formula), slot })
        })
        .collect::<Result<_, AppError>>()?;
    let call = Do {
        action: action(&definition.name),
        input: Vec::new(),
        // A test says how often it fails, and the step that runs it what then.
        retry: Retry { times: 0, ..Retry::default() },
        if_it_fails: None,
        may: None,
        if_unknown: relata_workflow::IfUnknown::Hold,
        exclusive: None,
        correlation: Vec::new(),
        output: result,
    };
    let step = Step {
        id: StepId(0),
        path: "steps[0]".to_owned(),
        label: "pretended".to_owned(),
        line: 0,
        name: Some(RESULT.to_owned()),
        kind: StepKind::Do(call),
    };
    Ok(Definition {
        triggers: Vec::new(),
        constants: BTreeMap::new(),
        only_if: Vec::new(),
        never_for: Vec::new(),
        repeat: None,
        stop_when: Vec::new(),
        send_in: None,
        hold_above: None,
        steps: vec![step],
        blocks: vec![vec![StepId(0)]],
        main: BlockId(0),
        on_error: None,
        finally: None,
        outputs,
        ..definition.clone()
    })
}
