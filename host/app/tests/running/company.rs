//! A company on a Monday morning.

use std::{
    collections::BTreeMap,
    fs::DirBuilder,
    os::unix::fs::{DirBuilderExt, symlink},
    path::{Path, PathBuf},
};

use relata_app::{
    App, RunHistory, RunView, Running,
    model::{Fields, Reference, Value},
    store::RunFilter,
};
use tempfile::TempDir;

/// A company, and where its data lies. It is gone with the test.
pub(crate) struct Company {
    pub(crate) app: App,
    folder: TempDir,
}

impl Company {
    /// A company without workflows, at eight in the morning in Berlin.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let start = "2026-12-14T07:00:00Z".parse().expect("a time");
        let root = folder.path().join("data");
        let app = App::create(&root, Some(start)).await.expect("a company");
        share_compiled_plugins(&root);
        Self { app, folder }
    }

    /// The same with one workflow.
    pub(crate) async fn with(workflow: &str) -> Self {
        let company = Self::new().await;
        company.activate(workflow).await;
        company
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The host goes down where it stands, and another one comes up.
    pub(crate) async fn crash(self) -> Self {
        let root = self.root();
        let Self { app, folder } = self;
        drop(app);
        Self { app: App::open(&root).await.expect("the company"), folder }
    }

    /// The host is stopped in good order; its data is left.
    pub(crate) async fn stopped(self) -> TempDir {
        let Self { app, folder } = self;
        app.close().await;
        folder
    }

    /// A host comes up with the data of one that was stopped.
    pub(crate) async fn opened(folder: TempDir) -> Self {
        let app = App::open(&folder.path().join("data")).await.expect("the company");
        Self { app, folder }
    }

    /// The host is stopped, and another one comes up with what a backup holds.
    pub(crate) async fn restored(self, backup: &Path) -> Self {
        let root = self.root();
        let folder = self.stopped().await;
        App::restore(&root, backup, true, false).await.unwrap_or_else(|why| panic!("{why}"));
        Self::opened(folder).await
    }

    pub(crate) async fn activate(&self, workflow: &str) {
        self.app
            .activate("test.yaml", workflow, "test", Running::Finish)
            .await
            .unwrap_or_else(|why| panic!("{why}"));
    }

    /// A record under an external id.
    pub(crate) async fn create(&self, reference: &str, given: &[(&str, &str)]) -> Reference {
        let reference: Reference = reference.parse().expect("a reference");
        let mut fields = self.fields(&reference.object, given);
        fields.insert("external_id".to_owned(), Value::Text(reference.key.clone()));
        let made = self.app.create_record(&reference.object, fields, "test").await;
        made.unwrap_or_else(|why| panic!("{reference}: {why}")).reference
    }

    pub(crate) async fn set(&self, reference: &str, given: &[(&str, &str)]) {
        let reference: Reference = reference.parse().expect("a reference");
        let fields = self.fields(&reference.object, given);
        self.app.update_record(&reference, fields, "test").await.expect("a change");
    }

    fn fields(&self, object: &str, given: &[(&str, &str)]) -> Fields {
        let definition = self.app.object(object).expect("an object");
        given
            .iter()
            .map(|(name, text)| {
                let field = definition.field(name).unwrap_or_else(|| panic!("no field {name}"));
                ((*name).to_owned(), field.kind.parse(text, &self.app.zone()).expect("a value"))
            })
            .collect()
    }

    pub(crate) async fn settle(&self) {
        self.app.settle_all().await.expect("nothing is left to do");
    }

    /// Moves the clock so many minutes.
    pub(crate) async fn after(&self, minutes: i64) {
        let millis = self.app.now().as_millisecond() + minutes * 60_000;
        let to = relata_app::model::Timestamp::from_millisecond(millis).expect("a time");
        self.app.advance_to(to, |_| ()).await.expect("the time goes by");
    }

    pub(crate) async fn runs(&self) -> Vec<RunView> {
        self.app.runs(RunFilter::default(), 1_000).await.expect("runs")
    }

    /// How many runs of each workflow stand how, in no order but the alphabet's.
    pub(crate) async fn standing(&self) -> String {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for run in self.runs().await {
            *counts.entry(format!("{} {}", run.workflow, run.status)).or_default() += 1;
        }
        let told = counts.into_iter().map(|(what, count)| match count {
            1 => what,
            many => format!("{many} {what}"),
        });
        told.collect::<Vec<_>>().join("; ")
    }

    /// Everything that the run of this number did, from 0.
    pub(crate) async fn history(&self, number: usize) -> RunHistory {
        let run = self.runs().await.remove(number).run.parse().expect("an id");
        self.app.run_history(run).await.expect("a history")
    }

    /// A field of a record, as text.
    pub(crate) async fn field(&self, reference: &str, field: &str) -> String {
        let reference = reference.parse().expect("a reference");
        self.app.record(&reference).await.expect("a record").field(field).to_string()
    }

    /// The runs, oldest first, each in a line: `test ticket/t1 done`.
    pub(crate) async fn told(&self) -> String {
        let runs = self.runs().await;
        let names = self.names().await;
        let lines = runs.iter().map(|run| {
            let record = run.record.as_deref().unwrap_or("-");
            let why = run.why.as_deref().map_or_else(String::new, |why| format!(": {why}"));
            format!("{} {record} {}{why}", run.workflow, run.status)
        });
        lines.map(|line| named(&line, &names) + "\n").collect()
    }

    /// What is told of a workflow and a record, a reason a line.
    pub(crate) async fn why_not(&self, workflow: &str, record: &str) -> String {
        let record: Reference = record.parse().expect("a reference");
        let reasons = self.app.why_not(workflow, &record).await.expect("reasons");
        let names = self.names().await;
        let mut told = String::new();
        for reason in reasons {
            told += &format!("{}: {}\n", reason.kind, named(&reason.why, &names));
            for detail in reason.details {
                told += &format!("    {}\n", named(&detail.why, &names));
            }
        }
        told
    }

    /// What stands for ids in a test: `run 1` in the order of their
    /// beginning, records by their external ids.
    pub(crate) async fn names(&self) -> BTreeMap<String, String> {
        let mut names: BTreeMap<String, String> = self
            .runs()
            .await
            .into_iter()
            .zip(1..)
            .map(|(run, number)| (run.run, format!("run {number}")))
            .collect();
        for object in ["contact", "lead", "ticket", "user", "task", "order", "segment"] {
            for record in self.app.records_all(object).await.expect("records") {
                if let Some(key) = record.field("external_id").as_text() {
                    names.insert(record.reference.to_string(), format!("{object}/{key}"));
                }
            }
        }
        names
    }
}

/// To compile the plugins takes longer than all else that a test does.
fn share_compiled_plugins(root: &Path) {
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled-plugins");
    if !shared.exists() {
        // Another test may do the same at this moment.
        let _ = DirBuilder::new().mode(0o700).create(&shared);
    }
    symlink(shared, root.join("cache")).expect("a link to the compiled plugins");
}

/// A text with names for ids.
pub(crate) fn named(text: &str, names: &BTreeMap<String, String>) -> String {
    names.iter().fold(text.to_owned(), |text, (id, name)| text.replace(id.as_str(), name))
}
