//! A plugin that fails again and again is left alone: its steps wait, nothing
//! is lost, and another version of it is called at once.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::time::Duration;

use expect_test::expect;
use relata_app::{
    App, RunView, Running,
    model::{Fields, Timestamp, Value},
    store::RunFilter,
};
use relata_tests::{echo, install};
use tempfile::TempDir;

const WORKFLOW: &str = "
workflow: repeat
owner: tests
when:
  - created: lead
steps:
  - do: echo.echo
    value: { name: =lead.name, again: =lead.name }
";

/// A name for which the echo of [`manifest`] answers more than it may, and one
/// for which it does not.
const LONG: &str =
    "Anna Anna Anna Anna Anna Anna Anna Anna Anna Anna Anna Anna Anna Anna Anna Anna ";
const SHORT: &str = "Anna";

fn manifest(version: &str) -> String {
    format!(
        "name = \"echo\"\nversion = \"{version}\"\ntitle = \"Give back the input\"\ncontract = \"0.1.0\"\n[limits]\noutput_kib = 1\n"
    )
}

struct Company {
    app: App,
    _folder: TempDir,
}

impl Company {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start: Timestamp = "2026-12-14T08:00:00Z".parse().unwrap();
        let app = App::create(&folder.path().join("company"), Some(start)).await.unwrap();
        install(&app, &manifest("0.1.0"), echo()).await;
        app.activate("repeat.yaml", WORKFLOW, "test", Running::Finish)
            .await
            .unwrap_or_else(|why| panic!("{why}"));
        Self { app, _folder: folder }
    }

    async fn leads(&self, name: &str, count: usize) {
        for _ in 0..count {
            let fields: Fields = [("name", name.repeat(10)), ("email", "a@example.com".to_owned())]
                .map(|(name, text)| (name.to_owned(), Value::Text(text)))
                .into();
            self.app.create_record("lead", fields, "test").await.unwrap();
            self.app.settle_all().await.unwrap();
        }
    }

    async fn pass(&self, seconds: u64) {
        let to = self.app.now().checked_add(Duration::from_secs(seconds)).unwrap();
        self.app.advance_to(to, |_| {}).await.unwrap();
    }

    /// The runs, oldest first.
    async fn runs(&self) -> Vec<RunView> {
        self.app.runs(RunFilter::default(), u32::MAX).await.unwrap()
    }

    /// How they stand: `failed failed active`.
    async fn stand(&self) -> String {
        self.runs().await.iter().map(|run| run.status).collect::<Vec<_>>().join(" ")
    }

    async fn doctor(&self) -> Vec<String> {
        let found = self.app.doctor(false).await.unwrap();
        let open = found.into_iter().filter(|finding| finding.code == "open-plugin");
        open.map(|finding| format!("{} ({})", finding.what, finding.examples.join(", "))).collect()
    }

    /// The metric of its breaker, with its digest left out.
    async fn metric(&self) -> String {
        let text = self.app.metrics_text().await.unwrap();
        let line = text.lines().find(|line| line.starts_with("relata_breaker_open{"));
        line.map_or_else(String::new, |line| {
            let (before, after) = line.split_once('@').unwrap();
            format!("{before}@…{}", after.split_at(12).1)
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_five_failures_its_steps_wait() {
    let company = Company::new().await;
    company.leads(LONG, 5).await;
    assert_eq!(company.stand().await, "failed failed failed failed failed");

    // The sixth waits: nothing was tried, nothing has failed.
    company.leads(LONG, 1).await;
    let runs = company.runs().await;
    let sixth = runs.last().unwrap();
    assert_eq!((sixth.status, sixth.due_at.as_deref()), ("active", Some("2026-12-14T08:00:30Z")));
    let history = company.app.run_history(sixth.run.parse().unwrap()).await.unwrap();
    let log: Vec<_> = history.steps.iter().map(|step| step.kind.as_str()).collect();
    assert_eq!(log, ["started"]);
    expect![[r#"
        [
            "the plugin `echo` 0.1.0 is not called after 5 failures in a row; tried again 2026-12-14T08:00:30Z (answered more than the limit of 1 KiB (limits.output_kib in its plugin.toml))",
        ]
    "#]]
    .assert_debug_eq(&company.doctor().await);
    expect![[r#"relata_breaker_open{destination="plugin/echo@…"} 1"#]]
        .assert_eq(&company.metric().await);

    // One is let through to see, fails as well, and the pause doubles.
    company.leads(LONG, 2).await;
    company.pass(31).await;
    // Which of the three that is, is not certain: they move side by side.
    let stand = company.stand().await;
    assert_eq!(stand.matches("failed").count(), 6, "{stand}");
    assert_eq!(stand.matches("active").count(), 2, "{stand}");
    let dues: Vec<_> = company.runs().await.into_iter().filter_map(|run| run.due_at).collect();
    assert_eq!(dues, ["2026-12-14T08:01:30Z", "2026-12-14T08:01:30Z"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_it_works_again_all_go_on() {
    let company = Company::new().await;
    company.leads(LONG, 5).await;
    company.leads(SHORT, 4).await;
    assert_eq!(
        company.stand().await,
        "failed failed failed failed failed active active active active"
    );
    company.pass(35).await;
    assert_eq!(company.stand().await, "failed failed failed failed failed done done done done");
    assert!(company.doctor().await.is_empty());
    assert_eq!(company.metric().await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_failures_and_a_success_are_no_five() {
    let company = Company::new().await;
    for name in [LONG, LONG, LONG, LONG, SHORT, LONG, LONG, LONG, LONG, SHORT] {
        company.leads(name, 1).await;
    }
    assert_eq!(
        company.stand().await,
        "failed failed failed failed done failed failed failed failed done"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_version_is_called_at_once() {
    let company = Company::new().await;
    company.leads(LONG, 5).await;
    company.leads(SHORT, 1).await;
    assert_eq!(company.stand().await, "failed failed failed failed failed active");
    // The same component with a note in it has another digest.
    let other = [echo(), &b"\0\x05\x04note"[..]].concat();
    install(&company.app, &manifest("0.2.0"), &other).await;
    company.app.tend_plugins().await.unwrap();
    company.leads(SHORT, 1).await;
    let runs = company.runs().await;
    assert_eq!(runs.last().unwrap().status, "done");
    assert!(company.doctor().await.is_empty());
    // Whoever waited for the old one goes on with the new one when it is due.
    company.pass(31).await;
    assert_eq!(company.stand().await, "failed failed failed failed failed done done");
}
