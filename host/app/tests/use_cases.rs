//! The use cases on a real store, with the real plugins and a clock that is
//! moved by hand.

use expect_test::{Expect, expect};
use relata_app::{
    App, AppError, Running,
    model::{Fields, Reference, Value},
    store::EffectFilter,
};
use tempfile::TempDir;

/// A company on a Monday morning, with one workflow and somebody to mail to.
struct Company {
    app: App,
    _folder: TempDir,
}

impl Company {
    async fn with(workflow: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let start = "2026-12-14T07:00:00Z".parse().expect("a time");
        let app = App::create(&folder.path().join("data"), Some(start)).await.expect("a company");
        let user = [("name", "Mara"), ("email", "mara@example.com"), ("external_id", "mara")];
        let company = Self { app, _folder: folder };
        let mut mara = fields(&user);
        mara.insert("roles".to_owned(), Value::List(vec![Value::Text("marketing".to_owned())]));
        company.app.create_record("user", mara, "test").await.expect("a user");
        company
            .app
            .activate("test.yaml", workflow, "test", Running::Finish)
            .await
            .expect("a workflow");
        company
    }

    async fn create(&self, object: &str, given: &[(&str, &str)]) -> Reference {
        self.app.create_record(object, fields(given), "test").await.expect("a record").reference
    }

    async fn settle(&self) {
        self.app.settle_all().await.expect("nothing is left to do");
    }

    /// How the workflow's runs stand, oldest first.
    async fn runs(&self, expected: Expect) {
        let runs = self.app.runs(relata_app::store::RunFilter::default(), 100).await.expect("runs");
        let lines: Vec<String> = runs.iter().map(|run| run.status.to_owned()).collect();
        expected.assert_eq(&lines.join("\n"));
    }

    async fn why_not(&self, record: &Reference, expected: Expect) {
        let reasons = self.app.why_not("test", record).await.expect("reasons");
        let lines: Vec<String> = reasons
            .into_iter()
            .map(|reason| reason.why.replace(&record.to_string(), "the record"))
            .collect();
        expected.assert_eq(&lines.join("\n"));
    }
}

fn fields(given: &[(&str, &str)]) -> Fields {
    given.iter().map(|(name, text)| ((*name).to_owned(), Value::Text((*text).to_owned()))).collect()
}

const ANNA: &[(&str, &str)] = &[("name", "Anna"), ("email", "anna@example.com")];

#[tokio::test]
async fn above_the_cap_mails_are_held_and_the_owner_is_asked_once() {
    let company = Company::with(
        "workflow: test\nowner: marketing\nwhen:\n  - created: contact\nhold_above: 2 per day\nsteps:\n  - do: mail.send\n    to: =contact\n    template: welcome\n",
    )
    .await;
    for number in 0..5 {
        let address = format!("c{number}@example.com");
        company.create("contact", &[("name", "Anna"), ("email", &address)]).await;
    }
    company.settle().await;
    let effects = company.app.effects(&EffectFilter::default()).await.expect("effects");
    let stand: Vec<&str> = effects.iter().map(|effect| effect.status).collect();
    assert_eq!(stand.iter().filter(|status| **status == "sent").count(), 2, "{stand:?}");
    assert_eq!(stand.iter().filter(|status| **status == "held").count(), 3, "{stand:?}");
    let tasks = company.app.records_all("task").await.expect("tasks");
    let task = tasks.first().expect("a task for the owner");
    assert_eq!(tasks.len(), 1);
    assert_eq!(task.field("title").to_string(), "Decide on the messages of test that are held");
    let assignee = task.field("assignee").as_reference().expect("somebody").clone();
    assert_eq!(
        company.app.record(&assignee).await.expect("Mara").field("name").to_string(),
        "Mara"
    );
}

#[tokio::test]
async fn a_segment_that_is_gone_is_a_reason_and_holds_up_nothing() {
    let company = Company::with(
        "workflow: test\nwhen:\n  - created: contact\nnever_for: [segment/unsubscribed]\nsteps:\n  - do: task.create\n    record: =contact\n    assignee: queue/unassigned\n    title: Call\n    due_in: 1 day\n",
    )
    .await;
    let segment = Reference::new("segment", "unsubscribed");
    let rule = fields(&[("rule", "contact.mail_consnt == false")]);
    company.app.update_record(&segment, rule, "test").await.expect("a broken rule");
    let anna = company.create("contact", ANNA).await;
    company.settle().await;
    company.runs(expect![""]).await;
    company
        .why_not(
            &anna,
            expect!["the rule of segment/unsubscribed is wrong: a contact has no field `mail_consnt`; did you mean `mail_consent`?"],
        )
        .await;
    let rule = fields(&[("rule", "contact.mail_consent == false")]);
    company.app.update_record(&segment, rule, "test").await.expect("a rule");
    let bert = company.create("contact", &[("name", "Bert"), ("email", "bert@example.com")]).await;
    company.settle().await;
    company.runs(expect!["done"]).await;
    company.why_not(&bert, expect!["it ran, and ended: all steps are done"]).await;
}

#[tokio::test]
async fn a_write_that_the_record_refuses_is_a_failed_step_that_leaves_nothing() {
    let company = Company::with(
        "workflow: test\nwhen:\n  - created: lead\nsteps:\n  - do: task.create\n    record: =lead\n    assignee: queue/unassigned\n    title: Call\n    due_in: 1 day\n  - do: crm.update\n    record: =lead\n    set: { status: converted }\n",
    )
    .await;
    let anna = company.create("lead", ANNA).await;
    company.settle().await;
    company.runs(expect!["failed"]).await;
    company.why_not(&anna, expect!["it ran, and ended: failed at do: crm.update (line 10): plugin `crm`, action `update`: lead.status: cannot go from new to converted, only to assigned, recycled, dead"]).await;
    assert_eq!(company.app.record(&anna).await.expect("Anna").field("status").to_string(), "new");
    assert_eq!(company.app.records_all("task").await.expect("tasks").len(), 1);
}

#[tokio::test]
async fn a_rehearsals_clock_goes_forward_only_and_stops_at_what_is_due() {
    let company = Company::with(
        "workflow: test\nwhen:\n  - created: contact\nsteps:\n  - wait: 3 hours\n  - do: mail.send\n    to: =contact\n    template: welcome\n",
    )
    .await;
    company.create("contact", ANNA).await;
    let past = "2026-12-14T06:00:00Z".parse().expect("a time");
    let refused = company.app.advance_to(past, |_| ()).await;
    assert!(matches!(refused, Err(AppError::Wrong(_))), "{refused:?}");
    let evening = "2026-12-14T17:00:00Z".parse().expect("a time");
    company.app.advance_to(evening, |_| ()).await.expect("an afternoon");
    let effects = company.app.effects(&EffectFilter::default()).await.expect("effects");
    let sent: Vec<&str> = effects.iter().filter_map(|effect| effect.sent_at.as_deref()).collect();
    assert_eq!(sent, ["2026-12-14T10:00:00Z"]);
}
