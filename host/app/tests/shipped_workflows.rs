//! The shipped workflows have no faults, do what their tests say, and can be read
//! as pictures. The tests go every way, and no change of a workflow goes unnoticed.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use expect_test::expect_file;
use relata_app::{
    catalog_alone, check_alone,
    testing::{Ground, Tests, is_test_file},
    workflow::graph::{graph, mermaid},
};

/// How many workflows are shipped, without the blueprint.
const SHIPPED: usize = 23;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows")
}

/// All files: workflows, their tests, and a blueprint.
fn sources() -> Vec<(String, String)> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder()).expect("the shipped workflows") {
        let path = entry.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name.ends_with(".yaml") {
            sources.push((name, fs::read_to_string(&path).expect("a text")));
        }
    }
    sources.sort();
    sources
}

async fn tests() -> Tests {
    let ground = Ground::Shipped { templates: Some(folder().join("templates")) };
    let tests = Tests::load(&sources(), &ground).await.expect("everything loads");
    assert!(tests.diagnostics().is_empty(), "{:#?}", tests.diagnostics());
    tests
}

/// A picture is for whoever cannot read the YAML: read these as such.
#[tokio::test(flavor = "multi_thread")]
async fn what_they_do_can_be_read_from_their_pictures() {
    let templates = folder().join("templates");
    let catalog = catalog_alone(Some(&templates)).await.expect("the actions load");
    let checked = check_alone(&sources(), Some(&templates)).await.expect("they can be checked");
    let mut drawn = 0;
    for (file, definition, found) in checked {
        assert!(found.is_empty(), "{file}: {found:#?}");
        let Some(definition) = definition.filter(|_| !is_test_file(&file)) else { continue };
        let picture = format!("graph/{}.mmd", definition.name);
        expect_file![picture].assert_eq(&mermaid(&graph(&definition, &catalog)));
        drawn += 1;
    }
    assert_eq!(drawn, SHIPPED);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_holds_and_every_way_is_gone() {
    let results = tests().await.run(None, |_| ()).await;
    for case in &results.cases {
        let told = format!("{}: {}\n{}", case.file, case.it, case.trace.join("\n"));
        assert!(case.holds(), "{told}\n{:#?}", case.failures);
    }
    for coverage in &results.coverage {
        assert!(coverage.missed.is_empty(), "{}: {:#?}", coverage.file, coverage.missed);
    }
    assert_eq!(results.coverage.len(), SHIPPED, "each has a test");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_change_of_a_workflow_goes_unnoticed() {
    let mutations = tests().await.mutate(None, || ()).await.expect("no fault of ours");
    let mut alive = BTreeMap::new();
    for mutation in &mutations {
        assert!(mutation.mutants >= 1, "{}: {}", mutation.workflow, mutation.mutants);
        assert!(mutation.broken.is_empty(), "{}: {:?}", mutation.workflow, mutation.broken);
        if !mutation.survivors.is_empty() {
            alive.insert(&mutation.workflow, &mutation.survivors);
        }
    }
    assert!(alive.is_empty(), "{alive:#?}");
    assert_eq!(mutations.len(), SHIPPED, "each has a test");
}
