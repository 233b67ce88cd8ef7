//! Steps that share a commit, and what each of them leaves.

use expect_test::{Expect, expect};

use super::company::{Company, named};

/// A step that gives the new contact its full name.
const FIRST: &str = "\
workflow: test
when:
  - created: contact
steps:
  - do: crm.update
    record: =contact
    set: { name: Anna Bell }
";

/// What further steps of the run for a new contact came to, and what each changed.
/// What the first one wrote is there, however they end.
async fn told(further: &str, expected: Expect) {
    let company = Company::new().await;
    company.create("contact/first", &[("name", "First"), ("email", "first@a.example")]).await;
    company.settle().await;
    company.activate(&format!("{FIRST}{further}")).await;
    company.create("contact/anna", &[("name", "Anna"), ("email", "anna@a.example")]).await;
    company.settle().await;
    let names = company.names().await;
    let mut lines = String::new();
    for step in company.history(0).await.steps {
        lines += &format!("{} {}", step.label, step.kind);
        lines += &step.error.map_or_else(String::new, |why| format!(": {}", named(&why, &names)));
        for change in step.changed {
            lines += &format!("\n    {}", named(&change, &names));
        }
        lines += "\n";
    }
    expected.assert_eq(&lines);
    assert_eq!(company.field("contact/anna", "name").await, "Anna Bell");
}

#[tokio::test]
async fn a_step_sees_what_those_before_it_wrote() {
    told(
        "  - do: crm.create
    object: task
    set: { title: \"Call {{ contact.name }}\", about: =contact, external_id: call }
    as: made
  - do: crm.update
    record: =made.record
    set: { status: done }
",
        expect![[r#"
             started
            do: crm.update done
                contact/anna changed (name: Anna -> Anna Bell)
            do: crm.create done
                task/call was created
            do: crm.update done
                task/call changed (status: open -> done)
             ended
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_a_step_wrote_stays_where_the_next_one_fails_in_its_call() {
    told(
        "  - do: crm.update
    record: contact/nobody
    set: { name: Somebody }
",
        expect![[r#"
             started
            do: crm.update done
                contact/anna changed (name: Anna -> Anna Bell)
            do: crm.update attempt_failed: plugin `crm`, action `update`: there is no contact `nobody`
            do: crm.update failed: plugin `crm`, action `update`: there is no contact `nobody`
             ended
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_a_step_wrote_stays_where_what_the_next_one_wrote_is_refused() {
    told(
        "  - do: crm.create
    object: contact
    set: { name: Second, external_id: first }
  - do: crm.update
    record: =contact
    set: { name: Anna Cole }
",
        expect![[r#"
             started
            do: crm.update done
                contact/anna changed (name: Anna -> Anna Bell)
            do: crm.create attempt_failed: crm.create: what it wrote was refused: external_id: `first` belongs to contact/first already
            do: crm.create failed: crm.create: what it wrote was refused: external_id: `first` belongs to contact/first already
             ended
        "#]],
    )
    .await;
}
