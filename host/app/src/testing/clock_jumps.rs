//! A host whose clock is set while runs wait: ten minutes forwards or back,
//! and over the days on which the clocks of a zone change.

use std::path::PathBuf;

use jiff::civil::{DateTime, date};
use relata_engine::Status;
use relata_model::{TimeZone, Timestamp};
use relata_store::RunFilter;

use crate::testing::{
    Ground, Tests,
    rig::Crashes,
    scene::{Opening, Scene, time_in},
};

const WAITS: &str = "workflow: waits
when:
  - created: lead
steps:
  - wait: 1 hour
  - do: crm.create
    object: task
    set: { title: Waited, assignee: queue/unassigned }
";

/// Says only whom the story is about.
const STORY: &str = "test: waits
cases:
  - it: waits
    play:
      - at: 2026-12-14 10:00
        create: lead/l1
        set: { name: Anna }
      - expect: waiting
";

const TEN_MINUTES: i64 = 600_000;

async fn tests() -> Tests {
    let templates = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../workflows/templates");
    let sources = [("w/waits.yaml", WAITS), ("w/waits.test.yaml", STORY)]
        .map(|(file, text)| (file.to_owned(), text.to_owned()));
    let ground = Ground::Shipped { templates: Some(templates) };
    let tests = Tests::load(&sources, &ground).await.unwrap();
    assert!(tests.diagnostics().is_empty(), "{:#?}", tests.diagnostics());
    tests
}

fn later(at: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond() + millis).unwrap()
}

/// A company in which a run waits for an hour since `start`.
async fn waiting<'a>(tests: &'a Tests, zone: &str, start: DateTime) -> (Scene<'a>, Timestamp) {
    let zone = TimeZone::get(zone).unwrap();
    let start = time_in(&zone, start).unwrap();
    let ready = &tests.files[0];
    let opening = Opening {
        zone,
        start,
        given: Vec::new(),
        pretend: Vec::new(),
        workflows: ready.workflows.clone(),
        crashes: Crashes::Never,
        secrets: crate::SecretOverrides::new(),
    };
    let mut scene = Scene::open(&tests.stage, opening).await.unwrap();
    let deeds = ready.file.cases[0].play.iter().filter_map(|entry| entry.deed.as_ref());
    for deed in deeds {
        scene.act(deed).await.unwrap();
    }
    (scene, start)
}

/// How many runs have ended, of the one that there is, and how many tasks it
/// has made.
async fn ended(scene: &Scene<'_>) -> (usize, usize) {
    let app = scene.app().unwrap();
    let runs = app.store().run_list(&RunFilter::default(), 9).await.unwrap();
    assert_eq!(runs.len(), 1);
    let ended = runs.iter().filter(|row| matches!(row.run.status, Status::Ended(_))).count();
    (ended, app.records_all("task").await.unwrap().len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_makes_no_timer_early_and_none_twice() {
    let tests = tests().await;
    let noon = date(2026, 12, 14).at(12, 0, 0, 0);
    let minute = 60_000;
    for jump in [-TEN_MINUTES, 0, TEN_MINUTES] {
        let (mut scene, start) = waiting(&tests, "Europe/Berlin", noon).await;
        scene.advance(later(start, 45 * minute)).await.unwrap();
        scene.comes_back_at(later(start, 45 * minute + jump)).await.unwrap();
        scene.settle().await.unwrap();
        assert_eq!(ended(&scene).await, (0, 0), "{jump}: too early");
        scene.advance(later(start, 60 * minute - 1)).await.unwrap();
        assert_eq!(ended(&scene).await, (0, 0), "{jump}: too early");
        scene.advance(later(start, 60 * minute)).await.unwrap();
        assert_eq!(ended(&scene).await, (1, 1), "{jump}");
        // The clock is set back to before the time, and shows it once more.
        scene.comes_back_at(later(start, 60 * minute - TEN_MINUTES)).await.unwrap();
        scene.advance(later(start, 61 * minute)).await.unwrap();
        assert_eq!(ended(&scene).await, (1, 1), "{jump}: twice");
        scene.close().await;
    }
    // A clock that is set past the time.
    let (mut scene, start) = waiting(&tests, "Europe/Berlin", noon).await;
    scene.comes_back_at(later(start, 60 * minute + TEN_MINUTES)).await.unwrap();
    scene.settle().await.unwrap();
    assert_eq!(ended(&scene).await, (1, 1));
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_hour_is_an_hour_when_the_clocks_of_the_zone_change() {
    let tests = tests().await;
    for (zone, start) in [
        ("Europe/Berlin", date(2027, 3, 28).at(1, 30, 0, 0)),
        ("Europe/Berlin", date(2026, 10, 25).at(2, 30, 0, 0)),
        ("America/New_York", date(2027, 3, 14).at(1, 30, 0, 0)),
        ("America/New_York", date(2026, 11, 1).at(1, 30, 0, 0)),
        ("Australia/Lord_Howe", date(2026, 10, 4).at(1, 45, 0, 0)),
        ("Asia/Shanghai", date(2028, 2, 28).at(23, 30, 0, 0)),
    ] {
        let (mut scene, start) = waiting(&tests, zone, start).await;
        scene.advance(later(start, 3_599_999)).await.unwrap();
        assert_eq!(ended(&scene).await, (0, 0), "{zone}, {start}: too early");
        scene.advance(later(start, 3_600_000)).await.unwrap();
        assert_eq!(ended(&scene).await, (1, 1), "{zone}, {start}: too late");
        scene.close().await;
    }
}
