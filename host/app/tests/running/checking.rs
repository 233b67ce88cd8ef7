//! Workflows that start each other are found among all that are active.

use expect_test::expect;
use relata_app::{Running, workflow::render};

use super::company::Company;

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

const PARENT: &str = "\
workflow: parent
when:
  - created: ticket
steps:
  - run: child
    with: { item: =ticket }
    as: verdict
  - stop_if: verdict.good
";

const CHILD: &str = "\
workflow: child
inputs: { item: ticket }
steps:
  - wait: 1 hour
outputs: { good: true }
";

#[tokio::test]
async fn workflows_that_run_each_other_are_checked_with_what_is_active() {
    let company = Company::new().await;
    // Together they are fine in any order; the one that runs the other needs
    // it.
    assert_eq!(found(&company, &[("p.yaml", PARENT), ("c.yaml", CHILD)]).await, "");
    let alone = found(&company, &[("p.yaml", PARENT)]).await;
    assert!(alone.contains("child"), "{alone}");
    company.activate(CHILD).await;
    assert_eq!(found(&company, &[("p.yaml", PARENT)]).await, "");
    company.activate(PARENT).await;

    // What an active workflow runs cannot change under its feet.
    let other = CHILD.replace("item: ticket", "item: ticket, reason: text");
    expect![[r#"
        error[R206]: the active workflow `parent` runs this one, and would not fit it any more (its line 5): `child` needs the input `reason`
         --> c.yaml:1:1
          |
        1 | workflow: child
          | ^^^^^^^^^^^^^^^ change it too, and activate both together

    "#]]
    .assert_eq(&found(&company, &[("c.yaml", &other)]).await);
    let told = PARENT.replace("item: =ticket", "item: =ticket, reason: late");
    assert_eq!(found(&company, &[("c.yaml", &other), ("p.yaml", &told)]).await, "");
}

#[tokio::test]
async fn a_blueprint_lies_among_the_files_of_the_company() {
    let company = Company::new().await;
    let blueprint = "blueprint: greeting\ninputs: { days: number }\nwhen:\n  - created: contact\nsteps:\n  - wait: \"{{ days }} days\"\n";
    std::fs::write(company.app.directory().workflows().join("greeting.yaml"), blueprint)
        .expect("a blueprint");
    let instance = "workflow: greet\nblueprint: greeting\ninputs: { days: 3 }\n";
    assert_eq!(found(&company, &[("greet.yaml", instance)]).await, "");
    company.activate(instance).await;
    let refused = company.app.activate("b.yaml", blueprint, "test", Running::Finish).await;
    let refused = refused.expect_err("a blueprint").to_string();
    assert!(refused.contains("b.yaml is a blueprint"), "{refused}");
    // What is wrong in it is told at the text that is made of it.
    let broken = blueprint.replace("created: contact", "created: contct");
    std::fs::write(company.app.directory().workflows().join("greeting.yaml"), broken)
        .expect("a blueprint");
    let told = found(&company, &[("greet.yaml", instance)]).await;
    let told = told.replace(&company.app.directory().workflows().display().to_string(), "…");
    expect![[r#"
        error[R103]: …/greeting.yaml, line 4: there is no object `contct`
         --> greet.yaml:1:1
          |
        1 | workflow: greet
          | ^^^^^^^^^^^^^^^ did you mean `contact`?

    "#]]
    .assert_eq(&told);
}
