//! Workflows that start each other are found among all that are active.

use expect_test::expect;
use relata_app::workflow::render;

use crate::company::Company;

const STATUS: &str = "\
workflow: by-status
when:
  - changed: ticket.status
steps:
  - do: crm.update
    record: =ticket
    set: { priority: high }
";

const PRIORITY: &str = "\
workflow: by-priority
when:
  - changed: ticket.priority
steps:
  - wait: 1 hour
  - do: crm.update
    record: =ticket
    set: { status: solved }
";

async fn found(company: &Company, sources: &[(&str, &str)]) -> String {
    let sources: Vec<(String, String)> =
        sources.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
    let checked = company.app.check(&sources).await.expect("a check");
    let parts = checked.iter().zip(&sources);
    parts.map(|((_, _, found), (_, text))| render(found, text, false)).collect()
}

#[tokio::test]
async fn a_circle_through_an_active_workflow_is_told_at_the_text() {
    let company = Company::with(STATUS).await;
    assert_eq!(found(&company, &[("status.yaml", STATUS)]).await, "");
    expect![[r#"
        warning[R501]: these workflows may start each other for ever: by-priority -> by-status -> by-priority
         --> priority.yaml:6:3
          |
        6 |   - do: crm.update
          |   ^^^^^^^^^^^^^^^^ let an `only_if` of one exclude what another writes

    "#]]
    .assert_eq(&found(&company, &[("priority.yaml", PRIORITY)]).await);
    // It is no error: the two may know what they do.
    company.activate(PRIORITY).await;

    // A text takes the place of the active workflow of its name.
    let mended = STATUS.replace("set: { priority: high }", "set: { category: question }");
    assert_eq!(found(&company, &[("status.yaml", &mended)]).await, "");
    // Of a circle among others nothing is told at a text that is not in it.
    let other = STATUS.replace("by-status", "other").replace("ticket", "lead");
    let other = other.replace("set: { priority: high }", "set: { country: DE }");
    assert_eq!(found(&company, &[("other.yaml", &other)]).await, "");
}
