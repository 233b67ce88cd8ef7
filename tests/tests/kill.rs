//! `kill -9` on `relata serve`, twenty times, while the leads of a fair come
//! in: afterwards everything is as if nothing had happened.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop at once, and tells its figures"
)]

mod fair;

use std::{collections::BTreeMap, thread::sleep, time::Duration};

use fair::{counts, parts, steps, undone};
use relata_tests::{Backend, Place, Server, answer, data};

const KILLS: usize = 20;

/// So long may the last start take to finish what is left.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_during_an_import_change_nothing() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let calm = import(None).await;
    let killed = import(Some(fastrand::Rng::with_seed(seed))).await;
    assert_eq!(killed, calm, "with the kills of seed {seed}, then without: {killed:#?}");
    assert_eq!(calm["leads"], 97);
    assert_eq!(calm["mails of template welcome: sent"], 97);
    assert_eq!(calm["mails in the folder"], 97);
    assert_eq!(calm["tasks"], 97);
    assert_eq!(calm["runs of assign-new-leads: active"], 97);
}

/// Imports the leads, part by part, into a new data directory that is served
/// meanwhile; and counts what is there at the end. With `chance`, the server
/// is killed once in each part, at a random moment.
async fn import(chance: Option<fastrand::Rng>) -> BTreeMap<String, usize> {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("company");
    let root_text = root.to_str().unwrap();
    answer(&["init", root_text]);
    answer(&["import", "user", data("agents.csv").to_str().unwrap(), "--data", root_text]);
    let workflow = root.join("workflows/assign-new-leads.yaml");
    answer(&["activate", workflow.to_str().unwrap(), "--data", root_text]);
    let parts = parts(folder.path(), KILLS);
    let mut chance = chance;
    let place = Place { root: root.clone(), backend: Backend::Sqlite };
    let mut server = Server::start(&place, None).unwrap();
    let (mut at_work, mut after_work, mut worked) = (0, 0, 0);
    for part in &parts {
        // The import is another process, and is not killed.
        answer(&["import", "lead", part, "--data", root_text]);
        if let Some(chance) = &mut chance {
            sleep(Duration::from_millis(chance.u64(0..120)));
            server.kill();
            at_work += usize::from(undone(&place).await > 0);
            let before = std::mem::replace(&mut worked, steps(&place).await);
            after_work += usize::from(worked > before);
            server = Server::start(&place, None).unwrap();
        }
    }
    if chance.is_some() {
        println!(
            "{at_work} of {KILLS} kills left something undone, {after_work} came after some of it was done"
        );
        assert!(at_work > 0, "no kill met the server at its work");
    }
    let mut waited = Duration::ZERO;
    while undone(&place).await > 0 {
        assert!(waited < PATIENCE, "the server does not finish what is left");
        sleep(Duration::from_millis(50));
        waited += Duration::from_millis(50);
    }
    server.kill();
    counts(&[place]).await
}
