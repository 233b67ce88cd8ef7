//! The shipped workflows, and those of the language's description.

use relata_workflow::{Diagnostic, parse, render};

use crate::catalog;

/// The shipped workflows have no errors and no warnings.
#[test]
fn the_four_workflows_are_fine() {
    for (file, source) in [
        ("assign-new-leads.yaml", include_str!("../../../workflows/assign-new-leads.yaml")),
        ("inquiry-survey.yaml", include_str!("../../../workflows/inquiry-survey.yaml")),
        ("complaint-escalation.yaml", include_str!("../../../workflows/complaint-escalation.yaml")),
        ("win-back.yaml", include_str!("../../../workflows/win-back.yaml")),
    ] {
        let (definition, found) = parse(file, source, &catalog::catalog());
        let found: Vec<Diagnostic> = found;
        assert!(found.is_empty(), "{}", render(&found, source, false));
        let definition = definition.expect("a workflow without errors has a definition");
        // The same with the mark and the line ends that Windows' editors write.
        let windows = format!("\u{feff}{}", source.replace('\n', "\r\n"));
        let (again, found) = parse(file, &windows, &catalog::catalog());
        assert!(found.is_empty(), "{}", render(&found, &windows, false));
        assert_eq!(again.as_ref(), Some(&definition));
        // What is stored reads back as the same.
        let stored = serde_json::to_string(&definition).unwrap();
        assert_eq!(
            serde_json::from_str::<relata_workflow::Definition>(&stored).unwrap(),
            definition
        );
    }
}
