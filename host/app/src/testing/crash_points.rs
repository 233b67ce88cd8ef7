//! A story that goes through everything that a host writes and sends, told as
//! often as there are points in it at which the host may go down: once with
//! the host going down at each. However it goes, it comes out the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use expect_test::expect;
use futures::StreamExt as _;

use crate::testing::{
    Ground, Tests,
    case::{Telling, Told, difference, tell},
    rig::{Crashes, Point},
};

const CROSSING: &str = "workflow: crossing
when:
  - created: lead
steps:
  - do: crm.update
    record: =lead
    set: { status: assigned, owner: queue/unassigned }
  - do: mail.send
    to: =lead
    template: welcome
  - parallel:
      - steps:
          - wait_for: { changed: lead.status, to: in_process }
            up_to: 3 days
            then:
              - do: task.create
                record: =lead
                assignee: queue/unassigned
                title: Heard
                due_in: 1 day
      - steps:
          - run: helper
            with: { title: Helped }
  - for_each: '=[\"a\", \"b\"]'
    as: part
    steps:
      - do: crm.create
        object: task
        set: { title: \"Part {{ part }}\", assignee: queue/unassigned }
";

const HELPER: &str = "workflow: helper
inputs:
  title: text
steps:
  - wait: 1 hour
  - do: crm.create
    object: task
    set: { title: =title, assignee: queue/unassigned }
";

const NIGHTLY: &str = "workflow: nightly
when:
  - schedule: daily at 03:00
    time_zone: Europe/Berlin
steps:
  - do: crm.create
    object: task
    set: { title: Nightly, assignee: queue/unassigned }
";

const STORY: &str = "test: crossing
also: [helper, nightly]
cases:
  - it: goes through everything
    play:
      - at: 2026-12-14 10:00
        create: lead/l1
        set: { name: Anna, email: anna@a.example }
      - expect: waiting
        sent: { to: lead/l1, template: welcome }
        lead/l1: { status: assigned, owner: queue/unassigned }
        task: nothing
      - at: 2026-12-15 10:00
        change: lead/l1
        set: { status: in_process }
      - expect: done
        nothing_sent: true
        task: [{ title: Helped }, { title: Nightly }, { title: Heard }, { title: Part a }, { title: Part b }]
      - expect: done
        of: helper
      - expect: done
        of: nightly
";

async fn tests() -> Tests {
    let templates = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../workflows/templates");
    let sources = [
        ("w/crossing.yaml", CROSSING),
        ("w/helper.yaml", HELPER),
        ("w/nightly.yaml", NIGHTLY),
        ("w/crossing.test.yaml", STORY),
    ]
    .map(|(file, text)| (file.to_owned(), text.to_owned()));
    let ground = Ground::Shipped { templates: Some(templates) };
    let tests = Tests::load(&sources, &ground).await.expect("everything loads");
    assert!(tests.diagnostics().is_empty(), "{:#?}", tests.diagnostics());
    tests
}

async fn told(tests: &Tests, crashes: Crashes) -> Told {
    let ready = &tests.files[0];
    let telling = Telling::all(&ready.file, &ready.file.cases[0]).remove(0);
    let told = tell(&tests.stage, &telling, &ready.workflows, crashes).await;
    assert!(told.failures.is_empty(), "{crashes:?}: {:#?} {:#?}", told.failures, told.trace);
    told
}

/// How many effects there are, and how many times one of them was sent again.
fn effects(told: &Told) -> (usize, usize) {
    let ids: BTreeSet<_> = told.sent.iter().collect();
    (ids.len(), told.sent.len() - ids.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_the_host_goes_down_it_comes_out_the_same() {
    let tests = tests().await;
    let calm = told(&tests, Crashes::At(usize::MAX)).await;
    let mut points: BTreeMap<Point, u32> = BTreeMap::new();
    for point in &calm.visited {
        *points.entry(*point).or_default() += 1;
    }
    expect![[r#"
        {
            AfterClaim: 6,
            BeforeBegin: 4,
            AfterBegin: 4,
            AfterCall: 7,
            BeforeCommit: 9,
            AfterCommit: 9,
            BeforeMatch: 3,
            AfterMatch: 3,
            BeforeFire: 1,
            AfterFire: 1,
            AfterTake: 1,
            AfterSend: 1,
            AfterSettle: 1,
        }
    "#]]
    .assert_debug_eq(&points);
    assert_eq!(effects(&calm), (1, 0));
    let places = 0..calm.visited.len();
    let all = places.map(|place| told(&tests, Crashes::At(place)));
    let mut all = futures::stream::iter(all).buffered(4).zip(futures::stream::iter(0..));
    while let Some((told, place)) = all.next().await {
        let point: &Point = &calm.visited[place];
        let at = format!("{place}, {point:?}");
        assert_eq!(told.visited.get(place), Some(point), "{at}: the story is another");
        assert_eq!(difference(&calm.result, &told.result), None, "{at}: it comes out otherwise");
        // What was sent and not written down is sent again, under its id.
        let again = usize::from(*point == Point::AfterSend);
        assert_eq!(effects(&told), (1, again), "{at}");
    }
}

/// After a call that may have brought the host down each step is committed by
/// itself, or the first of several would be blamed for the last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_suspected_commits_each_step_by_itself() {
    let tests = tests().await;
    let calm = told(&tests, Crashes::At(usize::MAX)).await;
    let first = calm.visited.iter().position(|point| *point == Point::AfterCall);
    let crashed = told(&tests, Crashes::At(first.expect("a call"))).await;
    // Before each commit so many calls.
    let calls = |told: &Told| -> Vec<usize> {
        let between = told.visited.split(|point| *point == Point::AfterCommit);
        between.map(|points| points.iter().filter(|at| **at == Point::AfterCall).count()).collect()
    };
    assert_eq!(calls(&calm)[..2], [2, 0], "two calls, and both in one commit");
    assert_eq!(calls(&crashed)[..3], [2, 1, 0], "one that is lost, and a commit for each of two");
}
