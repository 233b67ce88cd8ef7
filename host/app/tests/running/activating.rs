//! What becomes of the runs that go on when another version is activated.

use expect_test::expect;
use relata_app::{OlderRuns, Running};

use super::company::Company;

const FIRST: &str = "\
workflow: test
when:
  - created: contact
repeat:
  one_per: contact
steps:
  - wait: 1 day
";

async fn company() -> Company {
    let company = Company::with(FIRST).await;
    for name in ["anna", "bert", "cleo"] {
        let address = format!("{name}@example.com");
        company.create(&format!("contact/{name}"), &[("name", name), ("email", &address)]).await;
    }
    company.settle().await;
    company
}

fn second() -> String {
    FIRST.replace("1 day", "2 days")
}

async fn activate(company: &Company, source: &str, running: Running) -> OlderRuns {
    company.app.activate("test.yaml", source, "test", running).await.expect("a workflow").older
}

#[tokio::test]
async fn runs_finish_on_the_version_they_began_with() {
    let company = company().await;
    let older = activate(&company, &second(), Running::Finish).await;
    assert_eq!(older, OlderRuns { finishing: 3, ..OlderRuns::default() });
    company.after(24 * 60).await;
    expect![[r#"
        test contact/anna done
        test contact/bert done
        test contact/cleo done
    "#]]
    .assert_eq(&company.told().await);
    assert_eq!(activate(&company, &second(), Running::Finish).await, OlderRuns::default());
}

#[tokio::test]
async fn runs_are_cancelled() {
    let company = company().await;
    let older = activate(&company, &second(), Running::Cancel).await;
    assert_eq!(older, OlderRuns { cancelled: 3, ..OlderRuns::default() });
    let version = company.app.workflows().await.expect("workflows").remove(0).version;
    let version = version.expect("it is active");
    company.settle().await;
    let told = company.told().await;
    let line = format!("cancelled: version {} was activated\n", &version[..12]);
    assert_eq!(told.matches(&line).count(), 3, "{told}");
    assert_eq!(activate(&company, &second(), Running::Cancel).await, OlderRuns::default());
}

#[tokio::test]
async fn each_run_begins_again_in_its_own_place() {
    let company = company().await;
    company.after(60).await;
    // The host went down just after the version was there; one of the runs
    // has been asked to end by a person.
    activate(&company, &second(), Running::Finish).await;
    let company = company.crash().await;
    let cleo = company.runs().await.remove(2).run.parse().expect("an id");
    company.app.cancel(cleo, "not needed").await.expect("it goes on");
    let older = activate(&company, &second(), Running::Restart).await;
    assert_eq!(older, OlderRuns { restarted: 2, ..OlderRuns::default() });
    // Again, before and after the former runs have ended: nothing is left.
    assert_eq!(activate(&company, &second(), Running::Restart).await, OlderRuns::default());
    company.settle().await;
    assert_eq!(activate(&company, &second(), Running::Restart).await, OlderRuns::default());

    let version = company.app.workflows().await.expect("workflows").remove(0).version;
    let version = version.expect("it is active");
    let told = company.told().await.replace(&version[..12], "2");
    expect![[r#"
        test contact/anna cancelled: run 4 took its place when version 2 was activated
        test contact/bert cancelled: run 5 took its place when version 2 was activated
        test contact/cleo cancelled: not needed
        test contact/anna active
        test contact/bert active
    "#]]
    .assert_eq(&told);
    let runs = company.runs().await;
    assert_eq!(runs[3].key, runs[0].key);
    let history = company.app.run_history(runs[3].run.parse().expect("an id")).await;
    let first = history.expect("a history").steps.remove(0);
    let why = first.why.expect("a reason").to_string();
    assert!(why.contains(&format!("in place of {}", runs[0].run)), "{why}");

    // The place of `one_per` went over.
    for name in ["anna", "cleo"] {
        let row = company.app.store().enrolment_fetch("test", &company.key(name).await).await;
        let row = row.expect("the database").expect("an enrolment");
        assert_eq!(row.running, name == "anna");
    }
    company.after(2 * 24 * 60).await;
    let told = company.told().await;
    assert_eq!(told.matches("done").count(), 2, "{told}");
}

#[tokio::test]
async fn a_run_that_cannot_begin_again_goes_on() {
    let company = company().await;
    let about_leads = "workflow: test\nwhen:\n  - created: lead\nsteps:\n  - wait: 1 day\n";
    let older = activate(&company, about_leads, Running::Restart).await;
    assert_eq!((older.finishing, older.restarted, older.kept.len()), (3, 0, 3));
    assert_eq!(
        older.kept[0].why,
        "the new version is about a lead, and the run is about a contact"
    );
    company.after(24 * 60).await;
    let told = company.told().await;
    assert_eq!(told.matches("done").count(), 3, "{told}");
}

impl Company {
    async fn key(&self, contact: &str) -> String {
        let reference = format!("contact/{contact}").parse().expect("a reference");
        self.app.record(&reference).await.expect("a contact").reference.to_string()
    }
}
