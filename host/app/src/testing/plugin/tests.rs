//! A plugin's test files, read and told.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use relata_sandbox::{Compiler, Plugin, PluginManifest};
use relata_workflow::{
    Diagnostic, PluginTest, parse_plugin_test,
    test_file::plugin::{Ending, PluginCase},
};

use super::{
    call::{Desk, Twist},
    cassette::Reading,
    faults,
    judge::Judge,
    report::{CallUse, PluginCaseReport},
};
use crate::{
    AppError,
    testing::{
        report::Failure,
        stage::{Ground, Stage},
        tests::workers,
    },
};

/// The tests of one plugin.
pub struct PluginTests {
    stage: Stage,
    plugin: Plugin,
    /// Those that have no errors.
    files: Vec<PluginTest>,
    diagnostics: Vec<Diagnostic>,
}

impl std::fmt::Debug for PluginTests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginTests").field("files", &self.files.len()).finish_non_exhaustive()
    }
}

impl PluginTests {
    /// Reads the test files of a plugin; `sources` are their names and texts.
    ///
    /// # Errors
    ///
    /// [`AppError`] where objects or templates do not load. What is wrong in
    /// the files is told by [`PluginTests::diagnostics`].
    pub async fn load(
        plugin: Plugin,
        sources: &[(String, String)],
        ground: &Ground,
    ) -> Result<Self, AppError> {
        let stage = Stage::set_up_for(ground, &plugin).await?;
        let mut files = Vec::new();
        let mut diagnostics = Vec::new();
        for (file, source) in sources {
            let (test, found) = parse_plugin_test(file, source, plugin.name(), &stage.catalog);
            files.extend(test);
            diagnostics.extend(found);
        }
        Ok(Self { stage, plugin, files, diagnostics })
    }

    /// What is wrong with the test files.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// How many cases there are.
    #[must_use]
    pub fn count(&self, filter: Option<&str>) -> usize {
        self.jobs(filter).len()
    }

    /// The actions that no case calls.
    #[must_use]
    pub fn never_called(&self) -> Vec<&str> {
        let cases = || self.files.iter().flat_map(|file| &file.cases);
        let names = self.plugin.descriptors().iter().map(|action| action.id.as_str());
        names.filter(|name| cases().all(|case| case.action != *name)).collect()
    }

    fn jobs(&self, filter: Option<&str>) -> Vec<(usize, usize)> {
        let wanted = |file: &PluginTest, case: &PluginCase| {
            filter.is_none_or(|filter| {
                [&case.it, &case.action, &file.file].iter().any(|text| text.contains(filter))
            })
        };
        let files = self.files.iter().enumerate();
        files
            .flat_map(|(place, file)| {
                let cases = file.cases.iter().enumerate();
                let cases = cases.filter(move |(_, case)| wanted(file, case));
                cases.map(move |(case, _)| (place, case))
            })
            .collect()
    }

    /// Tells the cases whose file, action or name contains the filter; with
    /// `faults`, those that come off once more for each fault. `done` hears of
    /// each.
    pub async fn run(
        self: &Arc<Self>,
        filter: Option<&str>,
        faults: bool,
        done: impl Fn(&PluginCaseReport) + Send + Sync + 'static,
    ) -> Vec<PluginCaseReport> {
        let jobs = Arc::new(self.jobs(filter));
        let next = Arc::new(AtomicUsize::new(0));
        let done = Arc::new(done);
        let mut working = tokio::task::JoinSet::new();
        for _ in 0..workers().min(jobs.len()) {
            let (tests, jobs) = (Arc::clone(self), Arc::clone(&jobs));
            let (next, done) = (Arc::clone(&next), Arc::clone(&done));
            working.spawn(async move {
                let mut reports = Vec::new();
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some((file, case)) = jobs.get(place).copied() else { return reports };
                    let report = tests.report(file, case, faults).await;
                    done(&report);
                    reports.push((place, report));
                }
            });
        }
        let mut reports = Vec::new();
        while let Some(worked) = working.join_next().await {
            match worked {
                Ok(some) => reports.extend(some),
                Err(why) => tracing::error!(error = %why, "a test ended by a fault of ours"),
            }
        }
        reports.sort_by_key(|(place, _)| *place);
        reports.into_iter().map(|(_, report)| report).collect()
    }

    async fn report(&self, file: usize, case: usize, faults: bool) -> PluginCaseReport {
        #[expect(clippy::disallowed_methods, reason = "it only tells how long a case took")]
        let began = std::time::Instant::now();
        let test = &self.files[file];
        let case = &test.cases[case];
        let mut report = PluginCaseReport {
            file: test.file.clone(),
            it: case.it.clone(),
            line: case.span.line,
            action: case.action.clone(),
            failures: Vec::new(),
            trace: Vec::new(),
            used: CallUse::default(),
            faults: 0,
            broken: Vec::new(),
            millis: 0,
        };
        if let Err(why) = self.tell(test, case, faults, &mut report).await {
            report.failures.push(Failure {
                file: test.file.clone(),
                span: case.span,
                message: why.to_string(),
                found: None,
            });
        }
        report.millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        report
    }

    async fn tell(
        &self,
        test: &PluginTest,
        case: &PluginCase,
        faults: bool,
        report: &mut PluginCaseReport,
    ) -> Result<(), AppError> {
        let desk = Desk::open(&self.stage, &self.plugin, test, case).await?;
        let told = self.tell_at(&desk, test, case, faults, report).await;
        desk.close().await;
        told
    }

    async fn tell_at(
        &self,
        desk: &Desk<'_>,
        test: &PluginTest,
        case: &PluginCase,
        faults: bool,
        report: &mut PluginCaseReport,
    ) -> Result<(), AppError> {
        let mut made = desk.call(Twist::default(), Reading::Strict).await?;
        report.used = CallUse::of(&made.report);
        // Before the commit: they begin where the call began.
        if faults && comes_off(case) && made.result.is_ok() {
            (report.faults, report.broken) =
                faults::make(desk, self.plugin.permissions(), &made).await?;
        }
        desk.commit(&mut made).await?;
        let judge = Judge { desk, file: &test.file, case, made: &made };
        report.failures = judge.judge().await?;
        if !report.failures.is_empty() {
            report.trace = judge.trace();
        }
        Ok(())
    }
}

/// Whether a case is one of success: of others nobody knows what a further
/// fault would show.
fn comes_off(case: &PluginCase) -> bool {
    !matches!(case.expect.ending, Some((Ending::Failed { .. } | Ending::Panics(_), _)))
}

/// Loads a plugin by itself, as an installation would. It is compiled by
/// `compiler`, and its code is kept in `cache`.
///
/// # Errors
///
/// [`AppError`] says what is wrong with it.
pub async fn load_plugin(
    manifest: PluginManifest,
    component: Vec<u8>,
    cache: Option<&Path>,
    compiler: Compiler,
) -> Result<Plugin, AppError> {
    let sandbox = crate::plugins::sandbox(cache, compiler)?;
    Ok(sandbox.load(manifest, None, component).await?)
}
