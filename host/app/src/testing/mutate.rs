//! Tells the cases to faulty workflows. A fault that no case notices is one
//! that nobody tests for.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use relata_workflow::{Mutant, mutants};
use serde::Serialize;

use crate::{
    AppError,
    testing::{
        case::{Telling, fails, tell},
        coverage::touched,
        rig::Crashes,
        scene::Installed,
        stage::Stage,
        tests::{Ready, Tests, wanted, workers},
    },
};

/// What became of the faulty versions of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mutation {
    /// The workflow.
    pub workflow: String,
    /// Its file.
    pub file: String,
    /// How many faulty versions there were.
    pub mutants: usize,
    /// Those that no case noticed, in the order of the file.
    pub survivors: Vec<Survivor>,
    /// The cases that do not hold as it is, so that they prove nothing.
    pub broken: Vec<String>,
}

/// A faulty version that no case noticed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Survivor {
    /// The line in the workflow's file, from 1; 0 where it is not known.
    pub line: u32,
    /// What was changed.
    pub what: String,
}

/// A case that holds, and what it can notice.
struct Witness {
    telling: Telling,
    /// The workflows with which it is told, the tested one first.
    workflows: Vec<Installed>,
    /// The steps to which it comes.
    touched: BTreeSet<String>,
    /// How many faults it has noticed: whoever noticed most is asked first.
    noticed: AtomicUsize,
}

impl Tests {
    /// How many faulty versions [`Tests::mutate`] tries.
    #[must_use]
    pub fn mutant_count(&self, filter: Option<&str>) -> usize {
        let mut counted = BTreeSet::new();
        self.files
            .iter()
            .filter(|ready| ready.file.cases.iter().any(|case| wanted(&ready.file, case, filter)))
            .filter(|ready| counted.insert(ready.source.0.clone()))
            .filter_map(|ready| ready.workflows.first().map(|tested| (ready, tested)))
            .map(|(ready, tested)| mutants(&tested.definition, &ready.source.1).len())
            .sum()
    }

    /// Tells the cases to every faulty version of the workflows that they
    /// test, each until the first case that notices; `done` hears of each.
    ///
    /// # Errors
    ///
    /// [`AppError`] only for a fault of ours.
    pub async fn mutate(
        &self,
        filter: Option<&str>,
        done: impl Fn() + Send + Sync + 'static,
    ) -> Result<Vec<Mutation>, AppError> {
        let done = Arc::new(done);
        let mut files: Vec<&str> = Vec::new();
        for ready in &self.files {
            if !files.contains(&ready.source.0.as_str()) {
                files.push(&ready.source.0);
            }
        }
        let mut mutations = Vec::new();
        for file in files {
            let ready: Vec<&Ready> =
                self.files.iter().filter(|ready| ready.source.0 == file).collect();
            let Some(tested) = ready.first().and_then(|ready| ready.workflows.first()) else {
                continue;
            };
            let source = &ready[0].source.1;
            let (witnesses, broken) = self.witnesses(&ready, filter).await?;
            if witnesses.is_empty() && broken.is_empty() {
                continue;
            }
            let all = mutants(&tested.definition, source);
            let count = all.len();
            let survivors =
                try_all(&self.stage, all, Arc::new(witnesses), Arc::clone(&done)).await?;
            mutations.push(Mutation {
                workflow: tested.definition.name.clone(),
                file: file.to_owned(),
                mutants: count,
                survivors,
                broken,
            });
        }
        Ok(mutations)
    }

    /// Tells the cases as they are: those that hold, and the names of those
    /// that do not.
    async fn witnesses(
        &self,
        ready: &[&Ready],
        filter: Option<&str>,
    ) -> Result<(Vec<Witness>, Vec<String>), AppError> {
        let mut waiting = Vec::new();
        for ready in ready {
            for case in ready.file.cases.iter().filter(|case| wanted(&ready.file, case, filter)) {
                for telling in Telling::all(&ready.file, case) {
                    waiting.push((telling, ready.workflows.clone()));
                }
            }
        }
        let stage = Arc::clone(&self.stage);
        let told = side_by_side(waiting, move |(telling, workflows)| {
            let stage = Arc::clone(&stage);
            async move {
                let told = tell(&stage, &telling, &workflows, Crashes::Never).await;
                (telling, workflows, told)
            }
        })
        .await?;
        let mut witnesses = Vec::new();
        let mut broken = Vec::new();
        for (telling, workflows, told) in told {
            if !told.failures.is_empty() {
                broken.push(telling.case.it.clone());
                continue;
            }
            let touched = workflows
                .first()
                .map(|tested| touched(&tested.definition, &told.seen))
                .unwrap_or_default();
            let noticed = AtomicUsize::new(0);
            witnesses.push(Witness { telling, workflows, touched, noticed });
        }
        broken.dedup();
        Ok((witnesses, broken))
    }
}

/// Tries every mutant; answers those that no case noticed.
async fn try_all(
    stage: &Arc<Stage>,
    mutants: Vec<Mutant>,
    witnesses: Arc<Vec<Witness>>,
    done: Arc<impl Fn() + Send + Sync + 'static>,
) -> Result<Vec<Survivor>, AppError> {
    let stage = Arc::clone(stage);
    let tried = side_by_side(mutants, move |mutant| {
        let (stage, witnesses) = (Arc::clone(&stage), Arc::clone(&witnesses));
        let done = Arc::clone(&done);
        async move {
            let survivor = Survivor { line: mutant.line, what: mutant.what.clone() };
            let noticed = is_noticed(&stage, mutant, &witnesses).await;
            done();
            noticed.map(|noticed| (!noticed).then_some(survivor))
        }
    })
    .await?;
    let mut survivors =
        tried.into_iter().filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
    survivors.sort();
    Ok(survivors)
}

/// Whether a case notices the fault.
async fn is_noticed(
    stage: &Stage,
    mutant: Mutant,
    witnesses: &[Witness],
) -> Result<bool, AppError> {
    // Who never comes to the step sees nothing of its fault.
    let sees =
        |witness: &Witness| mutant.step.as_ref().is_none_or(|step| witness.touched.contains(step));
    let mut order: Vec<usize> =
        (0..witnesses.len()).filter(|place| sees(&witnesses[*place])).collect();
    order.sort_by_key(|place| {
        let witness = &witnesses[*place];
        let often = witness.noticed.load(Ordering::Relaxed);
        (std::cmp::Reverse(often), witness.touched.len(), *place)
    });
    let faulty = Installed::of(mutant.definition)?;
    for place in order {
        let witness = &witnesses[place];
        let mut workflows = witness.workflows.clone();
        if let Some(tested) = workflows.first_mut() {
            *tested = faulty.clone();
        }
        if fails(stage, &witness.telling, &workflows).await {
            witness.noticed.fetch_add(1, Ordering::Relaxed);
            return Ok(true);
        }
    }
    Ok(false)
}

/// Does something with each of many, on as many processors as there are. The
/// answers come in the order of the questions.
async fn side_by_side<T, R, F>(
    waiting: Vec<T>,
    work: impl Fn(T) -> F + Clone + Send + Sync + 'static,
) -> Result<Vec<R>, AppError>
where
    T: Send + 'static,
    R: Send + 'static,
    F: Future<Output = R> + Send,
{
    let mut waiting = waiting.into_iter().enumerate();
    let mut working = tokio::task::JoinSet::new();
    let mut answers = Vec::new();
    loop {
        while working.len() < workers() {
            let Some((place, one)) = waiting.next() else { break };
            let work = work.clone();
            working.spawn(async move { (place, work(one).await) });
        }
        match working.join_next().await {
            None => break,
            Some(Ok(answer)) => answers.push(answer),
            Some(Err(why)) => return Err(AppError::Fault(format!("a test ended: {why}"))),
        }
    }
    answers.sort_by_key(|(place, _)| *place);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}
