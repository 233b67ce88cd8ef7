//! A company on a Monday morning, whose clock is moved by hand.

use std::{
    fs::DirBuilder,
    os::unix::fs::{DirBuilderExt, symlink},
    path::{Path, PathBuf},
};

use relata_app::{
    App, Running,
    model::{Fields, Reference, Timestamp, Value},
    store::{RunFilter, RunRow},
};
use relata_engine::Rounds;
use tempfile::TempDir;

pub(crate) struct Company {
    pub(crate) app: App,
    pub(crate) root: PathBuf,
    _folder: TempDir,
}

impl Company {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("data");
        let app = App::create(&root, Some(monday())).await.unwrap();
        share_compiled_plugins(&root);
        Self { app, root, _folder: folder }
    }

    /// The same data, opened anew.
    pub(crate) async fn reopened(self) -> Self {
        let Self { app, root, _folder } = self;
        app.close().await;
        Self { app: App::open(&root).await.unwrap(), root, _folder }
    }

    pub(crate) async fn create(&self, object: &str, given: &[(&str, &str)]) -> Reference {
        let fields: Fields = given
            .iter()
            .map(|(name, text)| {
                let kind = &self.app.object(object).unwrap().fields[*name].kind;
                ((*name).to_owned(), kind.parse(text, &self.app.zone()).unwrap())
            })
            .collect();
        self.app.create_record(object, fields, "test").await.unwrap().reference
    }

    pub(crate) async fn activate(&self, yaml: &str) {
        let activated = self.app.activate("test.yaml", yaml, "test", Running::Finish).await;
        activated.unwrap_or_else(|why| panic!("{why}"));
    }

    pub(crate) async fn settle(&self) {
        self.app.settle_all().await.unwrap();
    }

    pub(crate) async fn advance(&self, to: &str) {
        self.app.advance_to(to.parse().unwrap(), |_| {}).await.unwrap();
    }

    /// How all runs stand, the oldest first.
    pub(crate) async fn runs(&self) -> Vec<String> {
        let runs = self.app.runs(RunFilter::default(), 100).await.unwrap();
        runs.into_iter()
            .map(|run| match run.why {
                Some(why) => format!("{} {}: {why}", run.workflow, run.status),
                None => format!("{} {}", run.workflow, run.status),
            })
            .collect()
    }

    /// The titles of all tasks.
    pub(crate) async fn tasks(&self) -> Vec<String> {
        let tasks = self.app.records_all("task").await.unwrap();
        tasks.iter().map(|task| task.field("title").to_string()).collect()
    }

    /// Why runs did not start, the oldest first.
    pub(crate) async fn not_started(&self) -> Vec<String> {
        let mut rows = self.app.store().not_started_list(None, None, 100).await.unwrap();
        rows.reverse();
        rows.into_iter().map(|row| format!("{}: {}", row.workflow, row.reason)).collect()
    }
}

/// A value that a run was started with.
pub(crate) fn given_to<'a>(row: &'a RunRow, name: &str) -> &'a Value {
    &row.run.state.strands[&Rounds::main()].variables[name]
}

pub(crate) fn monday() -> Timestamp {
    "2026-12-14T07:00:00Z".parse().unwrap()
}

/// To compile the plugins takes longer than all else that a test does.
fn share_compiled_plugins(root: &Path) {
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled-plugins");
    if !shared.exists() {
        // Another test may do the same at this moment.
        let _ = DirBuilder::new().mode(0o700).create(&shared);
    }
    symlink(shared, root.join("cache")).unwrap();
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// Replaces ids by their kind, so that a sentence can be compared.
pub(crate) fn without_ids(sentence: &str) -> String {
    sentence
        .split_inclusive(|c: char| !c.is_ascii_alphanumeric())
        .map(|piece| {
            let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            if word.len() == 26 && word.starts_with("01") {
                piece.replace(word, "…")
            } else {
                piece.to_owned()
            }
        })
        .collect()
}
