//! One case, from its first entry to its last.

use std::collections::BTreeSet;

use futures::{FutureExt as _, future::BoxFuture};
use jiff::{ToSpan as _, civil::DateTime};
use relata_engine::Status;
use relata_model::Reference;
use relata_workflow::{
    Definition,
    test_file::{Case, Entry, Given, TestFile, When},
};

use crate::{
    AppError, SecretOverrides,
    testing::{
        compare::Eye,
        expect::Judge,
        report::Failure,
        rig::Crashes,
        scene::{Installed, Opening, Scene, time_in},
        seen::{Mark, Seen},
        stage::Stage,
    },
};

/// A case as it is told once: its own times, or moved by `repeat_at`.
#[derive(Debug, Clone)]
pub(crate) struct Telling {
    pub(crate) file: TestFile,
    pub(crate) case: Case,
    /// The first time, where it was moved there.
    pub(crate) at: Option<DateTime>,
}

impl Telling {
    /// A case as often as it is told.
    pub(crate) fn all(file: &TestFile, case: &Case) -> Vec<Self> {
        let own = Self {
            file: TestFile { cases: Vec::new(), ..file.clone() },
            case: case.clone(),
            at: None,
        };
        let moved = case.repeat_at.iter().filter_map(|first| {
            let (file, case) = file.moved(case, *first)?;
            Some(Self { file, case, at: Some(*first) })
        });
        std::iter::once(own).chain(moved).collect()
    }

    fn start(&self) -> Result<DateTime, AppError> {
        self.file
            .start
            .or_else(|| self.case.first_time()?.checked_sub(1.hour()).ok())
            .ok_or_else(|| AppError::wrong("nobody says when this plays"))
    }
}

/// What came of telling a case.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) failures: Vec<Failure>,
    /// All that happened.
    pub(crate) seen: Seen,
    /// The runs, step by step.
    pub(crate) trace: Vec<String>,
    /// How it came out, without what is drawn anew each time.
    pub(crate) result: Vec<String>,
    /// The points that the host came to, where it was to go down at one.
    #[cfg(test)]
    pub(crate) visited: Vec<crate::testing::rig::Point>,
    /// The effects that were sent, as often as they were.
    #[cfg(test)]
    pub(crate) sent: Vec<relata_model::EffectId>,
}

/// Tells a case on a company of its own. `workflows` are those that are
/// active; the first one is tested.
pub(crate) fn tell<'a>(
    stage: &'a Stage,
    telling: &'a Telling,
    workflows: &'a [Installed],
    crashes: Crashes,
) -> BoxFuture<'a, Told> {
    async move {
        let mut told = Told::default();
        if let Err(why) = story(stage, telling, workflows, crashes, &mut told).await {
            told.failures.push(fault(&telling.file, telling.case.span, &why));
        }
        told
    }
    .boxed()
}

/// Whether a case does not hold: the same without what a person wants to know
/// of it.
pub(crate) fn fails<'a>(
    stage: &'a Stage,
    telling: &'a Telling,
    workflows: &'a [Installed],
) -> BoxFuture<'a, bool> {
    async move {
        let Some(tested) = workflows.first() else { return false };
        let mut told = Told::default();
        let played = async {
            let mut scene = opened(stage, telling, workflows, Crashes::Never).await?;
            let played = play(&mut scene, telling, &tested.definition, &mut told).await;
            scene.close().await;
            played
        };
        played.await.is_err() || !told.failures.is_empty()
    }
    .boxed()
}

/// An error as what is not as expected.
fn fault(file: &TestFile, span: relata_workflow::Span, why: &AppError) -> Failure {
    let mut found = String::new();
    let mut cause = std::error::Error::source(why);
    while let Some(why) = cause {
        found = if found.is_empty() { why.to_string() } else { format!("{found}: {why}") };
        cause = why.source();
    }
    let found = Some(found).filter(|found| !found.is_empty());
    Failure { file: file.file.clone(), span, message: why.to_string(), found }
}

async fn story(
    stage: &Stage,
    telling: &Telling,
    workflows: &[Installed],
    crashes: Crashes,
    told: &mut Told,
) -> Result<(), AppError> {
    let Some(tested) = workflows.first() else { return Ok(()) };
    let mut scene = opened(stage, telling, workflows, crashes).await?;
    let played = play(&mut scene, telling, &tested.definition, told).await;
    if let Ok(app) = scene.app() {
        told.seen = Seen::look(app, &BTreeSet::new()).await.unwrap_or_default();
        let eye = eye(&scene, &tested.definition).await?;
        told.result = result(&told.seen, &eye);
        if played.is_err() || !told.failures.is_empty() {
            told.trace = trace(&told.seen, &eye, workflows);
        }
    }
    #[cfg(test)]
    {
        told.visited = scene.rig().visited();
        told.sent = scene.rig().sent();
    }
    scene.close().await;
    played
}

/// The company as a case begins with it.
async fn opened<'s>(
    stage: &'s Stage,
    telling: &Telling,
    workflows: &[Installed],
    crashes: Crashes,
) -> Result<Scene<'s>, AppError> {
    let Telling { file, case, .. } = telling;
    let opening = Opening {
        zone: file.zone.clone(),
        start: time_in(&file.zone, telling.start()?)?,
        given: given(file, case),
        pretend: file.pretend.iter().chain(&case.pretend).cloned().collect(),
        workflows: workflows.to_vec(),
        crashes,
        secrets: SecretOverrides::new(),
    };
    Scene::open(stage, opening).await
}

/// What there is when a case begins: what it gives anew stands in the place of
/// what the file gives.
fn given(file: &TestFile, case: &Case) -> Vec<Given> {
    let mut all = file.given.clone();
    for given in &case.given {
        match all.iter_mut().find(|there| there.record == given.record) {
            Some(there) => *there = given.clone(),
            None => all.push(given.clone()),
        }
    }
    all
}

async fn eye(scene: &Scene<'_>, definition: &Definition) -> Result<Eye, AppError> {
    let calendar = match &definition.calendar {
        Some(key) => scene.app()?.calendar(key).await?,
        None => None,
    };
    Ok(Eye::new(scene.names(), scene.zone().clone(), calendar))
}

async fn play(
    scene: &mut Scene<'_>,
    telling: &Telling,
    definition: &Definition,
    told: &mut Told,
) -> Result<(), AppError> {
    let objects: BTreeSet<String> = telling
        .case
        .play
        .iter()
        .filter_map(|entry| entry.expect.as_ref())
        .flat_map(|expect| expect.created.iter().map(|(object, _)| object.clone()))
        .collect();
    let mut mark = Mark::default();
    // What the expectations of this moment have looked at.
    let mut seen: Option<Seen> = None;
    for entry in &telling.case.play {
        let acts = entry.when != When::Now || entry.deed.is_some();
        if acts && let Some(before) = seen.take() {
            mark = before.mark();
        }
        if let Err(why) = act(scene, entry).await {
            told.failures.push(fault(&telling.file, entry.span, &why));
            return Ok(());
        }
        let Some(expectation) = &entry.expect else { continue };
        let now = match seen.take() {
            Some(seen) => seen,
            None => Seen::look(scene.app()?, &objects).await?,
        };
        let eye = eye(scene, definition).await?;
        let own: BTreeSet<Reference> = scene.names().into_values().collect();
        let judge = Judge {
            app: scene.app()?,
            file: &telling.file.file,
            workflow: &telling.file.workflow,
            seen: &now,
            mark: &mark,
            eye: &eye,
            own: &own,
            now: scene.now(),
            zone: scene.zone(),
        };
        let failures = judge.judge(expectation).await?;
        seen = Some(now);
        if !failures.is_empty() {
            told.failures.extend(failures);
            return Ok(());
        }
    }
    Ok(())
}

async fn act(scene: &mut Scene<'_>, entry: &Entry) -> Result<(), AppError> {
    // The clock first: what pretends from now on did not do so on the way.
    scene.go(&entry.when).await?;
    scene.pretend(&entry.pretend);
    match &entry.deed {
        Some(deed) => scene.act(deed).await,
        None => Ok(()),
    }
}

/// How a case came out, without what is drawn anew each time.
fn result(seen: &Seen, eye: &Eye) -> Vec<String> {
    let mut lines = Vec::new();
    for told in &seen.runs {
        let run = &told.row.run;
        let subject = run
            .subject
            .as_ref()
            .map_or_else(String::new, |subject| format!(" for {}", eye.alias(subject)));
        let status = match &run.status {
            Status::Active => "active".to_owned(),
            Status::Ended(outcome) => eye.sentence(&outcome.describe()),
        };
        lines.push(masked(&format!("{}{subject}: {status}", run.workflow)));
        for row in &told.log {
            lines.push(format!(
                "  {} {} {}{}",
                eye.local(row.at),
                row.step,
                row.kind,
                if row.rounds.is_empty() { String::new() } else { format!(" ({})", row.rounds) }
            ));
        }
    }
    let mut effects: Vec<String> = seen
        .effects
        .iter()
        .map(|effect| {
            let to =
                effect.recipient.as_ref().map_or_else(String::new, |to| eye.alias(to).to_string());
            masked(&format!(
                "{} to {to}: {} {}",
                effect.kind.as_str(),
                effect.template.as_deref().unwrap_or("notice"),
                effect.status.as_str()
            ))
        })
        .collect();
    effects.sort();
    lines.extend(effects);
    lines
}

/// A line without ids.
fn masked(line: &str) -> String {
    line.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .map(|word| {
            let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            let id = bare.rsplit('_').next().unwrap_or(bare);
            if id.len() == 26 { word.replace(id, "…") } else { word.to_owned() }
        })
        .collect()
}

/// The runs, step by step, for a person.
fn trace(seen: &Seen, eye: &Eye, workflows: &[Installed]) -> Vec<String> {
    let mut lines = Vec::new();
    for told in &seen.runs {
        let run = &told.row.run;
        let subject = run
            .subject
            .as_ref()
            .map_or_else(String::new, |subject| format!(" for {}", eye.alias(subject)));
        lines.push(format!("{}{subject}", run.workflow));
        let definition = workflows
            .iter()
            .map(|workflow| &workflow.definition)
            .find(|definition| definition.name == run.workflow);
        for row in &told.log {
            let line = definition
                .and_then(|definition| definition.steps.iter().find(|step| step.path == row.step))
                .map_or_else(String::new, |step| format!(" (line {})", step.line));
            let what = if row.label.is_empty() { "the run" } else { row.label.as_str() };
            let mut told =
                format!("  {}  {what}{line}: {}", eye.local(row.at), row.kind.replace('_', " "));
            let why = row.explanation.as_ref().and_then(serde_json::Value::as_str);
            if let Some(why) = why.filter(|why| !why.is_empty()) {
                told.push_str(&format!(", {}", eye.sentence(why)));
            }
            if let Some(input) = &row.input {
                told.push_str(&format!("\n      given {}", eye.written(input)));
            }
            if let Some(output) = &row.output {
                told.push_str(&format!("\n      gave {}", eye.written(output)));
            }
            lines.push(told);
        }
    }
    for row in &seen.not_started {
        let record = row
            .record
            .as_ref()
            .map_or_else(String::new, |record| format!(" for {}", eye.alias(record)));
        lines.push(format!(
            "{}{record} did not start at {}: {}",
            row.workflow,
            eye.local(row.at),
            eye.sentence(&row.reason)
        ));
    }
    lines
}

/// Where two tellings of one case part.
pub(crate) fn difference(plain: &[String], crashed: &[String]) -> Option<String> {
    let place = (0..plain.len().max(crashed.len()))
        .find(|place| plain.get(*place) != crashed.get(*place))?;
    let line = |lines: &[String]| {
        lines.get(place).map_or_else(|| "nothing more".to_owned(), |line| line.trim().to_owned())
    };
    Some(format!("without: {}; with: {}", line(plain), line(crashed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_masked_and_other_words_are_not() {
        assert_eq!(
            masked(
                "win-back for ticket/01m9swffm0ek7vgmt5h5q1s06q: run_01m9swffm0ek7vgmt5h5q1s06q went on"
            ),
            "win-back for ticket/…: run_… went on"
        );
        assert_eq!(masked("mail to contact/anna: csat sent"), "mail to contact/anna: csat sent");
    }

    #[test]
    fn the_first_difference_is_told() {
        let lines =
            |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        assert_eq!(difference(&lines(&["a", "b"]), &lines(&["a", "b"])), None);
        assert_eq!(
            difference(&lines(&["a", "b"]), &lines(&["a"])).as_deref(),
            Some("without: b; with: nothing more")
        );
    }
}
