//! What was built for an old version of the contract runs as it is: each of
//! `tests/frozen/` is opened, installed and tested by this host.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::{collections::BTreeSet, fs, path::PathBuf, sync::Arc};

use relata_app::{
    App, Packages,
    model::Timestamp,
    package::CONTRACTS,
    sandbox::Compiler,
    testing::{
        Ground,
        plugin::{PluginTests, load_plugin},
    },
};
use relata_tests::{offer, root};

/// The frozen plugins by the version of their contract.
fn frozen() -> Vec<(String, PathBuf)> {
    let folders = fs::read_dir(root().join("tests/frozen")).unwrap();
    let mut found: Vec<_> = folders
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    found.sort();
    found
}

#[test]
fn each_version_that_is_promised_has_one() {
    let frozen: BTreeSet<String> = frozen().into_iter().map(|(version, _)| version).collect();
    let promised: BTreeSet<String> = CONTRACTS.iter().map(ToString::to_string).collect();
    assert_eq!(frozen, promised);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_does_what_it_did() {
    for (version, folder) in frozen() {
        let packages = Packages::new(None, Compiler::InProcess, None, None).unwrap();
        let file = folder.join("everything.relata");
        let offered = packages.open(file.to_str().unwrap()).await.unwrap();
        let manifest = offered.package.manifest().clone();
        assert_eq!(manifest.contract, version);
        let imports: BTreeSet<&str> =
            offered.imports.iter().filter_map(|import| import.split(['/', '@']).nth(1)).collect();
        for interface in ["env", "events", "http", "log", "messages", "records", "secrets", "state"]
        {
            assert!(imports.contains(interface), "{version} does not call `{interface}`");
        }

        let component = offered.package.parts().component.clone();
        let plugin = load_plugin(manifest, component, None, Compiler::InProcess).await.unwrap();
        let test = folder.join("everything.test.yaml");
        let source = fs::read_to_string(&test).unwrap();
        let sources = [(test.display().to_string(), source)];
        let ground = Ground::Shipped { templates: None };
        let tests = Arc::new(PluginTests::load(plugin, &sources, &ground).await.unwrap());
        assert!(tests.diagnostics().is_empty(), "{version}: {:?}", tests.diagnostics());
        assert!(tests.never_called().is_empty(), "{version}: {:?}", tests.never_called());
        let reports = tests.run(None, false, |_| ()).await;
        assert!(!reports.is_empty());
        for report in reports {
            assert!(report.holds(), "{version}: {report:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_can_be_installed() {
    for (version, folder) in frozen() {
        let company = tempfile::tempdir().unwrap();
        let start: Timestamp = "2026-12-14T08:00:00Z".parse().unwrap();
        let app = App::create(&company.path().join("company"), Some(start)).await.unwrap();
        let packages = Packages::new(None, Compiler::InProcess, None, None).unwrap();
        let file = folder.join("everything.relata");
        offer(&app, packages.open(file.to_str().unwrap()).await.unwrap());
        let plugins = app.plugins().await.unwrap();
        assert!(plugins.action("everything.everything").is_some(), "{version}");
        app.close().await;
    }
}
