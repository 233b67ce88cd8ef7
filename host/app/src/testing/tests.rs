//! Test files, read together with the workflows beside them, and told.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use relata_model::TimeZone;
use relata_workflow::{
    Catalog, Definition, Diagnostic, Head, TestContext, TestFile, parse_test,
    test_file::{Case, Pretended},
};

use serde::Serialize;

use crate::{
    AppError,
    check::Checked,
    testing::{
        case::{Telling, difference, tell},
        coverage::{self, Coverage},
        report::{CaseReport, Failure},
        rig::Crashes,
        scene::Installed,
        stage::{Ground, Stage},
    },
};

/// Whether a file holds tests, by its name.
#[must_use]
pub fn is_test_file(file: &str) -> bool {
    file.ends_with(".test.yaml") || file.ends_with(".test.yml")
}

/// Test files, and everything that they need.
pub struct Tests {
    pub(crate) stage: Arc<Stage>,
    /// Those that have no errors.
    pub(crate) files: Vec<Ready>,
    diagnostics: Vec<Diagnostic>,
}

impl std::fmt::Debug for Tests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tests").field("files", &self.files.len()).finish_non_exhaustive()
    }
}

/// A test file whose workflows are ready to be activated.
pub(crate) struct Ready {
    pub(crate) file: TestFile,
    /// The workflow that is tested, then the others.
    pub(crate) workflows: Vec<Installed>,
    /// The file of the workflow that is tested, and its text.
    pub(crate) source: (String, String),
}

/// What came of tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Results {
    /// Each case, in the order of the files.
    pub cases: Vec<CaseReport>,
    /// Which ways of each workflow they went.
    pub coverage: Vec<Coverage>,
}

/// A case to be told.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) ready: Arc<Vec<Installed>>,
    pub(crate) telling: Arc<Telling>,
    /// The file of the workflow that is tested.
    pub(crate) source: String,
}

impl Tests {
    /// Reads test files, and the workflows beside them. `sources` are file
    /// names and texts of both; which is which is told by the name.
    ///
    /// # Errors
    ///
    /// [`AppError`] where plugins, objects or templates do not load. What is
    /// wrong in the files is told by [`Tests::diagnostics`].
    pub async fn load(sources: &[(String, String)], ground: &Ground) -> Result<Self, AppError> {
        let stage = Stage::set_up(ground).await?;
        let mut diagnostics = Vec::new();
        // Workflows by folder: a test tests what lies beside it.
        let mut folders: BTreeMap<&Path, BTreeMap<String, Option<Definition>>> = BTreeMap::new();
        let mut wrong: BTreeMap<(&Path, String), Vec<Diagnostic>> = BTreeMap::new();
        let mut texts: BTreeMap<(&Path, String), (String, String)> = BTreeMap::new();
        let mut beside: BTreeMap<&Path, Vec<(String, String)>> = BTreeMap::new();
        for (file, source) in sources.iter().filter(|(file, _)| !is_test_file(file)) {
            beside.entry(folder(file)).or_default().push((file.clone(), source.clone()));
        }
        for (folder, workflows) in &beside {
            let read = relata_workflow::parse_all(workflows, &stage.catalog);
            let mut of_blueprints: BTreeMap<String, Vec<Diagnostic>> = BTreeMap::new();
            let named = folders.entry(folder).or_default();
            for ((file, source), (definition, found)) in workflows.iter().zip(read) {
                let name = match (relata_workflow::head(source), &definition) {
                    (Some(Head::Blueprint(name)), _) => {
                        of_blueprints.insert(name, found);
                        continue;
                    }
                    (_, Some(definition)) => definition.name.clone(),
                    (_, None) => name_of(source, file),
                };
                wrong.insert((folder, name.clone()), found);
                texts.insert((folder, name.clone()), (file.clone(), source.clone()));
                named.insert(name, definition);
            }
            // What is wrong in a blueprint is told there, and not at what is
            // made of it.
            for (_, source) in workflows {
                if let Some(Head::Instance { workflow, blueprint }) = relata_workflow::head(source)
                    && let Some(found) = of_blueprints.get(&blueprint)
                {
                    wrong.entry((folder, workflow)).or_default().extend(found.iter().cloned());
                }
            }
        }
        let mut files = Vec::new();
        let none = BTreeMap::new();
        for (file, source) in sources.iter().filter(|(file, _)| is_test_file(file)) {
            let workflows = folders.get(folder(file)).unwrap_or(&none);
            let context = TestContext { catalog: &stage.catalog, workflows, zone: &stage.zone };
            let (test, found) = parse_test(file, source, context);
            diagnostics.extend(found);
            let Some(test) = test else { continue };
            let mut ready = Vec::new();
            for name in std::iter::once(&test.workflow).chain(&test.also) {
                match workflows.get(name) {
                    Some(Some(definition)) => ready.push(Installed::of(definition.clone())?),
                    // A test of a workflow with errors is not told; the errors
                    // are.
                    _ => diagnostics.extend(
                        wrong.get(&(folder(file), name.clone())).into_iter().flatten().cloned(),
                    ),
                }
            }
            let source = texts.get(&(folder(file), test.workflow.clone())).cloned();
            if let Some(source) = source.filter(|_| ready.len() == 1 + test.also.len()) {
                for name in pretending(&test) {
                    if let Some(Some(definition)) = workflows.get(name) {
                        ready.push(Installed::stand_in(definition, &stage.objects)?);
                    }
                }
                files.push(Ready { file: test, workflows: ready, source });
            }
        }
        diagnostics.dedup();
        Ok(Self { stage: Arc::new(stage), files, diagnostics })
    }

    /// What is wrong with the test files, and with the workflows that they
    /// test.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// How many tellings there are: a case counts once for each time of
    /// `repeat_at`.
    #[must_use]
    pub fn count(&self, filter: Option<&str>) -> usize {
        self.jobs(filter).len()
    }

    fn jobs(&self, filter: Option<&str>) -> Vec<Job> {
        let mut jobs = Vec::new();
        for ready in &self.files {
            let workflows = Arc::new(ready.workflows.clone());
            for case in ready.file.cases.iter().filter(|case| wanted(&ready.file, case, filter)) {
                for telling in Telling::all(&ready.file, case) {
                    jobs.push(Job {
                        ready: Arc::clone(&workflows),
                        telling: Arc::new(telling),
                        source: ready.source.0.clone(),
                    });
                }
            }
        }
        jobs
    }

    /// Tells the cases whose file, workflow or name contains the filter, on
    /// as many processors as there are; `done` hears of each.
    pub async fn run(
        &self,
        filter: Option<&str>,
        done: impl Fn(&CaseReport) + Send + Sync + 'static,
    ) -> Results {
        let jobs = Arc::new(self.jobs(filter));
        let next = Arc::new(AtomicUsize::new(0));
        let done = Arc::new(done);
        let mut working = tokio::task::JoinSet::new();
        for _ in 0..workers().min(jobs.len()) {
            let (jobs, next) = (Arc::clone(&jobs), Arc::clone(&next));
            let (stage, done) = (Arc::clone(&self.stage), Arc::clone(&done));
            working.spawn(async move {
                let mut reports = Vec::new();
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(place).cloned() else { return reports };
                    let (report, gone) = report(Arc::clone(&stage), job).await;
                    done(&report);
                    reports.push((place, report, gone));
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
        reports.sort_by_key(|(place, ..)| *place);
        let mut cases = Vec::with_capacity(reports.len());
        // By the workflow's file: a workflow may have several tests.
        let mut gone: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (place, report, ways) in reports {
            if let Some(job) = jobs.get(place) {
                gone.entry(job.source.clone()).or_default().extend(ways);
            }
            cases.push(report);
        }
        let mut coverage: Vec<Coverage> = Vec::new();
        for ready in &self.files {
            let (file, source) = &ready.source;
            if let (Some(gone), Some(tested)) = (gone.get(file), ready.workflows.first())
                && !coverage.iter().any(|there| there.file == *file)
            {
                coverage.push(Coverage::of(&tested.definition, file, source, gone));
            }
        }
        Results { cases, coverage }
    }
}

/// Checks the test files among texts against the workflows beside them, of
/// which `checked` has the definitions.
pub(crate) fn check_tests(
    catalog: &Catalog,
    sources: &[(String, String)],
    checked: &mut [Checked],
    zone: &TimeZone,
) {
    let mut folders: BTreeMap<&Path, BTreeMap<String, Option<Definition>>> = BTreeMap::new();
    for ((file, source), (_, definition, _)) in sources.iter().zip(checked.iter()) {
        if !is_test_file(file) && !matches!(relata_workflow::head(source), Some(Head::Blueprint(_)))
        {
            let name = definition
                .as_ref()
                .map_or_else(|| name_of(source, file), |definition| definition.name.clone());
            folders.entry(folder(file)).or_default().insert(name, definition.clone());
        }
    }
    let none = BTreeMap::new();
    for ((file, source), (_, _, found)) in sources.iter().zip(checked) {
        if is_test_file(file) {
            let workflows = folders.get(folder(file)).unwrap_or(&none);
            *found = parse_test(file, source, TestContext { catalog, workflows, zone }).1;
        }
    }
}

/// The workflows that pretend in a case or more.
fn pretending(test: &TestFile) -> BTreeSet<&str> {
    let of_cases = test.cases.iter().flat_map(|case| &case.pretend);
    test.pretend
        .iter()
        .chain(of_cases)
        .filter_map(|pretend| match &pretend.what {
            Pretended::Workflow { workflow, .. } => Some(workflow.as_str()),
            Pretended::Action { .. } | Pretended::Arm { .. } => None,
        })
        .collect()
}

/// How many cases are told side by side.
pub(crate) fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Tells a case, and with crashes once more where it asks for that.
async fn report(stage: Arc<Stage>, job: Job) -> (CaseReport, BTreeSet<String>) {
    #[expect(clippy::disallowed_methods, reason = "it only tells how long a case took")]
    let began = std::time::Instant::now();
    let mut told = tell(&stage, &job.telling, &job.ready, Crashes::Never).await;
    let mut crashes = false;
    if job.telling.case.crash_after_every_step && told.failures.is_empty() {
        crashes = true;
        let plain = std::mem::take(&mut told.result);
        told = tell(&stage, &job.telling, &job.ready, Crashes::AfterEachStep).await;
        if told.failures.is_empty()
            && let Some(difference) = difference(&plain, &told.result)
        {
            told.failures.push(Failure {
                file: job.telling.file.file.clone(),
                span: job.telling.case.span,
                message: "with a crash after every step it comes out otherwise".to_owned(),
                found: Some(difference),
            });
        }
    }
    let gone = job
        .ready
        .first()
        .map(|tested| coverage::gone(&tested.definition, &told.seen))
        .unwrap_or_default();
    let Telling { file, case, at } = &*job.telling;
    let report = CaseReport {
        file: file.file.clone(),
        workflow: file.workflow.clone(),
        it: case.it.clone(),
        line: case.span.line,
        at: at.map(|at| at.strftime("%Y-%m-%d %H:%M").to_string()),
        crashes,
        failures: told.failures,
        trace: told.trace,
        millis: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    (report, gone)
}

pub(crate) fn wanted(file: &TestFile, case: &Case, filter: Option<&str>) -> bool {
    filter.is_none_or(|filter| {
        case.it.contains(filter) || file.workflow.contains(filter) || file.file.contains(filter)
    })
}

fn folder(file: &str) -> &Path {
    Path::new(file).parent().unwrap_or(Path::new(""))
}

/// The name that a workflow with errors gives itself, else that of its file.
fn name_of(source: &str, file: &str) -> String {
    let named = source.lines().find_map(|line| line.strip_prefix("workflow:"));
    let named = named.map(|name| name.split('#').next().unwrap_or(name).trim().to_owned());
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| {
        Path::new(file)
            .file_stem()
            .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
    })
}
