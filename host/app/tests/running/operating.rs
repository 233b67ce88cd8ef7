//! What somebody who looks after a host uses: doctor, metrics, clean-up,
//! backups.

use relata_app::{
    App, CleanedUp, Finding,
    store::{AuditFilter, PauseScope},
};

use super::company::Company;

const SHORT: &str = "\
workflow: test
when:
  - created: contact
steps:
  - do: task.create
    title: Call
    record: =contact
    due_in: 1 day
";

async fn contact(company: &Company, name: &str) {
    let address = format!("{name}@example.com");
    company.create(&format!("contact/{name}"), &[("name", name), ("email", &address)]).await;
}

/// The words of what was found; how full the disk of the machine is belongs to
/// no test.
fn codes(found: &[Finding]) -> Vec<&'static str> {
    found.iter().map(|finding| finding.code).filter(|code| *code != "little-room").collect()
}

#[tokio::test]
async fn a_doctor_finds_nothing_where_nothing_is() {
    let company = Company::with(SHORT).await;
    contact(&company, "anna").await;
    company.settle().await;
    assert_eq!(codes(&company.app.doctor(true).await.expect("it answers")), Vec::<&str>::new());
}

#[tokio::test]
async fn a_doctor_finds_what_needs_somebody() {
    let company = Company::with(SHORT).await;
    company.app.pause(PauseScope::All, "maintenance", "eva").await.expect("it goes on");
    contact(&company, "anna").await;
    company.after(30).await;
    let found = company.app.doctor(true).await.expect("it answers");
    assert_eq!(codes(&found), ["paused"]);
    let paused = found.iter().find(|finding| finding.code == "paused").expect("it is paused");
    assert!(paused.what.starts_with("everything is paused by eva since"), "{paused:?}");
    assert_eq!(paused.mend, "`relata resume all` lets it go on");
}

/// What Prometheus reads has the numbers of this host, and nothing of a
/// customer.
#[tokio::test]
async fn metrics_tell_numbers_and_no_texts() {
    let company = Company::with(SHORT).await;
    contact(&company, "anna").await;
    contact(&company, "bert").await;
    company.settle().await;
    company.app.request_answered("GET", "/hooks/{name}", 202, std::time::Duration::from_millis(3));
    let text = company.app.metrics_text().await.expect("metrics");
    for wanted in [
        "relata_runs{state=\"done\"} 2",
        "relata_runs{state=\"sleeping\"} 0",
        "relata_runs_claimed_total 2",
        "relata_run_claim_delay_seconds_count 2",
        "relata_step_seconds_count{action=\"task.create\"} 2",
        "relata_sandbox_cpu_seconds_total{action=\"task.create\"}",
        "relata_sandbox_memory_bytes_count{action=\"task.create\"} 2",
        "relata_sandbox_host_calls_total{action=\"task.create\"}",
        "relata_sandbox_http_calls_total{action=\"task.create\"} 0",
        "relata_outbox{status=\"unknown\"} 0",
        "relata_queue_oldest_seconds{queue=\"events\"} 0",
        "relata_pauses 0",
        "relata_http_requests_total{method=\"GET\",route=\"/hooks/{name}\",status=\"202\"} 1",
        "relata_writer_batch_size_bucket{le=\"1\"",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in\n{text}");
    }
    for secret in ["anna", "example.com", "Call"] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
}

const RETENTION: &str = "
[retention]
runs = 40
step_logs = 35
events = 60
sent_effects = 3
not_started = 2
webhook_ids = 2
audit = 40
";

/// Another host with other settings.
async fn with_settings(company: Company, more: &str) -> Company {
    let file = company.app.directory().root().join("relata.toml");
    let settings = std::fs::read_to_string(&file).expect("the settings");
    std::fs::write(&file, settings + more).expect("the settings");
    company.crash().await
}

#[tokio::test]
async fn a_clean_up_takes_what_is_old_and_leaves_what_is_needed() {
    let company = Company::with(&format!("{SHORT}  - wait: 50 days\n")).await;
    company
        .activate("workflow: short\nwhen:\n  - created: contact\nonly_if: contact.name != \"bert\"\nsteps:\n  - do: task.create\n    title: Short\n    record: =contact\n    due_in: 1 day\n")
        .await;
    let company = with_settings(company, RETENTION).await;
    contact(&company, "anna").await;
    contact(&company, "bert").await;
    company.app.note_refused("token/shop", "call", "records:write", "no").await.expect("a note");
    company.settle().await;
    assert_eq!(company.standing().await, "short done; 2 test active");
    let nothing = company.app.clean_up().await.expect("the database");
    assert_eq!(nothing, CleanedUp::default());

    // The refusal of bert's is old; the rest is kept for a backtest.
    company.after(60 * 24 * 30).await;
    let events = company.app.store().event_page(0, 999).await.expect("events").len();
    assert_eq!(company.standing().await, "short done; 2 test active");
    let log = company.app.store().run_log(id(&company, 1).await).await.expect("a log");
    assert!(!log.is_empty());

    // The log goes before the run, and both by themselves.
    company.after(60 * 24 * 6).await;
    assert_eq!(company.standing().await, "short done; 2 test active");
    let audit =
        async || company.app.audit(&AuditFilter::default(), 9).await.expect("the audit").len();
    assert_eq!(audit().await, 1);
    company.after(60 * 24 * 6).await;
    assert_eq!(company.standing().await, "2 test active");
    assert_eq!(audit().await, 0);
    // Those that go on have all that they need, and come to their end.
    assert_eq!(company.app.store().event_page(0, 999).await.expect("events").len(), events);
    let history = company.history(0).await;
    assert!(history.steps.iter().any(|step| step.kind == "waiting"), "{history:?}");
    company.after(60 * 24 * 12).await;
    assert_eq!(company.standing().await, "2 test done");
    // A removed run leaves no rows behind.
    company.after(60 * 24 * 90).await;
    assert_eq!(company.standing().await, "");
    let left = company.app.store().event_page(0, 999).await.expect("events");
    assert_eq!(left.len(), 0, "{left:?}");
    assert_eq!(company.app.records_all("task").await.expect("tasks").len(), 3);
}

async fn id(company: &Company, number: usize) -> relata_app::model::RunId {
    company.runs().await.remove(number).run.parse().expect("an id")
}

#[tokio::test]
async fn a_retention_that_makes_no_sense_is_refused() {
    let company = Company::with(SHORT).await;
    let root = company.app.directory().root().to_owned();
    let file = root.join("relata.toml");
    let settings = std::fs::read_to_string(&file).expect("the settings");
    std::fs::write(&file, format!("{settings}\n[retention]\nruns = 0\n")).expect("the settings");
    let why = App::open(&root).await.expect_err("0 days").to_string();
    assert!(why.contains("`[retention] runs = 0` is not a number of days"), "{why}");
}

/// A backup is made beside the host, is not written over, and comes back:
/// paused, and with nothing that goes out by itself.
#[tokio::test]
async fn a_backup_comes_back() {
    let company = Company::with(&format!("{SHORT}  - wait: 1 hour\n")).await;
    contact(&company, "anna").await;
    company.settle().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("monday.db");
    let made = company.app.backup(&file, false).await.expect("a backup");
    assert_eq!(App::backup_check(&file).await.expect("it is sound"), made);
    let again = company.app.backup(&file, false).await.expect_err("it is there");
    assert!(again.to_string().contains("is there already"), "{again}");
    company.app.backup(&file, true).await.expect("a backup");
    contact(&company, "bert").await;
    company.settle().await;
    assert_eq!(company.standing().await, "2 test active");

    // From then on it runs the directory.
    company.after(1).await;
    let root = company.app.directory().root().to_owned();
    let running = App::restore(&root, &file, true, false).await.expect_err("it runs");
    assert!(running.to_string().contains("stop it first"), "{running}");
    let company = company.restored(&file).await;
    assert_eq!(company.standing().await, "test active");
    let pauses = company.app.pauses().await.expect("pauses");
    assert_eq!((pauses[0].kind, pauses[0].by.as_str()), ("all", "restore"));
    company.after(120).await;
    assert_eq!(company.standing().await, "test active");
    company.app.resume(&PauseScope::All).await.expect("it is paused");
    company.settle().await;
    assert_eq!(company.standing().await, "test done");
}
