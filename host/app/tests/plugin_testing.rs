//! Tests of plugins, tested on the built-in ones: what holds and what does not,
//! and how that is told.

use std::sync::Arc;

use expect_test::{Expect, expect};
use relata_app::{
    bundled,
    package::PluginManifest,
    sandbox::{Compiler, Plugin},
    testing::{
        Ground,
        plugin::{PluginCaseReport, PluginTests, load_plugin, remarks},
    },
};

async fn load(bundled: &bundled::Bundled) -> Plugin {
    let manifest = PluginManifest::parse(bundled.manifest).expect("a manifest");
    let component = bundled.component.to_vec();
    load_plugin(manifest, component, None, Compiler::InProcess).await.expect("a plugin")
}

async fn tests(plugin: &str, source: &str) -> Arc<PluginTests> {
    let bundled = bundled::plugins().iter().find(|bundled| bundled.name == plugin);
    let plugin = load(bundled.expect("a built-in plugin")).await;
    let sources = [("x.test.yaml".to_owned(), source.to_owned())];
    let tests = PluginTests::load(plugin, &sources, &Ground::Shipped { templates: None });
    Arc::new(tests.await.expect("tests"))
}

async fn play(plugin: &str, source: &str) -> Vec<PluginCaseReport> {
    let tests = tests(plugin, source).await;
    assert_eq!(tests.diagnostics(), &[], "{source}");
    tests.run(None, true, |_| {}).await
}

/// The memory that a plugin's call begins with, in bytes.
fn first_memory(component: &[u8]) -> u64 {
    wasmparser::Parser::new(0)
        .parse_all(component)
        .filter_map(|payload| match payload.expect("a component") {
            wasmparser::Payload::MemorySection(memories) => memories.into_iter().next(),
            _ => None,
        })
        .map(|memory| memory.expect("a memory").initial * 65_536)
        .sum()
}

/// A short step needs no more memory than its plugin begins with: to let it grow
/// takes longer than the step.
#[tokio::test]
async fn the_memory_of_a_short_step_does_not_grow() {
    let source = "plugin: assign
given:
  team/dach: { name: DACH }
  user/uwe: { name: Uwe, email: uwe@house.example, team: team/dach }
cases:
  - it: assigns
    call: round_robin
    with: { team: team/dach }
    expect: { done: { user: user/uwe } }
";
    let assign = bundled::plugins().iter().find(|bundled| bundled.name == "assign");
    let first = first_memory(assign.expect("a built-in plugin").component);
    let reports = play("assign", source).await;
    assert_eq!(reports[0].used.memory_bytes as u64, first);
}

/// In what each case does not hold.
fn told(reports: &[PluginCaseReport]) -> String {
    let mut lines = Vec::new();
    for report in reports {
        lines.push(format!("{}:", report.it));
        for failure in &report.failures {
            let found = failure.found.as_deref().unwrap_or_default();
            lines.push(format!("  {}: {} [{found}]", failure.span.line, failure.message));
        }
        for broken in &report.broken {
            lines.push(format!("  {}: {}", broken.fault, broken.happened));
        }
    }
    lines.join("\n")
}

async fn check(plugin: &str, source: &str, expected: Expect) {
    expected.assert_eq(&told(&play(plugin, source).await));
}

#[tokio::test]
async fn what_a_plugin_writes_sends_and_keeps() {
    let reports = play(
        "assign",
        "plugin: assign
given:
  team/dach: { name: DACH }
  user/mara: { name: Mara, email: mara@house.example, team: team/dach }
  user/uwe: { name: Uwe, email: uwe@house.example, team: team/dach }
cases:
  - it: takes turns
    call: round_robin
    with: { team: team/dach }
    expect: { done: { user: user/mara, fallback: false } }
  - it: has nobody
    given:
      user/mara: { team: }
      user/uwe: { team: }
    call: round_robin
    with: { team: team/dach }
    expect: { failed: { code: not-found } }
",
    )
    .await;
    assert_eq!(told(&reports), "takes turns:\nhas nobody:");
    // Its permissions, its host calls, a cancelled run, and once more.
    assert!(reports[0].faults > 10, "{reports:?}");
    assert!(reports[0].used.host_calls > 2 && reports[0].used.memory_bytes > 0, "{reports:?}");
    // Of a case that is to fail nobody knows what a further fault would show.
    assert_eq!(reports[1].faults, 0);
    assert!(reports[0].trace.is_empty() && reports[1].trace.is_empty());

    check(
        "task",
        "plugin: task
at: 2026-12-14 10:00
given:
  lead/anna: { email: anna@a.example }
  user/uwe: { email: uwe@house.example }
cases:
  - it: makes a task
    call: create
    with: { record: lead/anna, assignee: user/uwe, title: Call, due_in: 2 hours }
    expect:
      done: { task: is not empty }
      task: { title: Call, assignee: user/uwe, due_at: 2026-12-14 12:00, about: lead/anna }
",
        expect!["makes a task:"],
    )
    .await;
    check(
        "notify",
        "plugin: notify
given:
  user/uwe: { email: uwe@house.example }
cases:
  - it: tells a user
    call: user
    with: { to: user/uwe, text: Look at this }
    expect:
      done: { notified: [user/uwe] }
      notice: { to: user/uwe, says: Look at this }
      mail: nothing
      emitted: nothing
      requests_delivered: nothing
",
        expect!["tells a user:"],
    )
    .await;
}

#[tokio::test]
async fn everything_that_is_not_as_expected_is_told() {
    let lead = "given:\n  lead/anna: { name: Anna, email: anna@a.example }\n";
    check(
        "crm",
        &format!(
            "plugin: crm
{lead}cases:
  - it: records, new ones and values
    call: update
    with: {{ record: lead/anna, set: {{ company: Brewery }} }}
    expect:
      done: {{ changed: false }}
      lead/anna: {{ company: Bakery, name: Anna }}
      task: {{ title: Call }}
      state: {{ seen: 1 }}
  - it: a record that is to be gone
    call: update
    with: {{ record: lead/anna, set: {{ company: Brewery }} }}
    expect: {{ lead/anna: nothing }}
  - it: another ending
    call: update
    with: {{ record: lead/nobody, set: {{ company: Brewery }} }}
    expect: {{ done: {{}} }}
  - it: another code and other words
    call: update
    with: {{ record: lead/nobody, set: {{ company: Brewery }} }}
    expect: {{ failed: {{ code: transient, says: of course, retry_after: 1 minute }} }}
  - it: nothing said of the ending
    call: update
    with: {{ record: lead/nobody, set: {{ company: Brewery }} }}
    expect: {{ lead/anna: {{ company: null }} }}
  - it: skips, retries and panics
    call: update
    with: {{ record: lead/anna, set: {{ company: Brewery }} }}
    expect: {{ panics: src/lib.rs }}
  - it: a request and a log
    call: update
    with: {{ record: lead/anna, set: {{ company: Brewery }} }}
    http:
      - request: GET https://a.example
        answer: {{ status: 200 }}
    expect: {{ done: {{}}, log: [hello] }}
"
        ),
        expect![[r#"
            records, new ones and values:
              9: the output was to have `changed`: no [it is true]
              10: lead/anna was to have `company`: Bakery [it is Brewery]
              11: `task` was to be created once [it was not created]
              12: the plugin was to keep `seen`: 1 [it is empty]
            a record that is to be gone:
              16: there was to be no lead/anna [it is there]
            another ending:
              20: the call was to be done [it failed with `not-found`: there is no lead `nobody`]
            another code and other words:
              24: the call was to fail with `transient` [it failed with `not-found`: there is no lead `nobody`]
              24: the reason was to say `of course` [it is: there is no lead `nobody`]
              24: the next attempt was to be 1 minute later [it says nothing of when]
            nothing said of the ending:
              28: the call was to be done [it failed with `not-found`: there is no lead `nobody`]
            skips, retries and panics:
              32: the call was to panic at src/lib.rs [it is done: { changed: true, record: lead/anna }]
            a request and a log:
              37: GET https://a.example/ was to be asked [the plugin asks nobody]
              39: the log was to have { says: hello } [nothing was logged]"#]],
    )
    .await;
    check(
        "mail",
        &format!(
            "plugin: mail
{lead}cases:
  - it: another mail
    call: send
    with: {{ to: lead/anna, template: welcome }}
    expect:
      mail: {{ to: lead/anna, template: welkom, says: Dear Bert }}
      notice: {{ to: lead/anna }}
  - it: no mail
    call: send
    with: {{ to: lead/anna, template: welcome }}
    expect: {{ mail: nothing }}
"
        ),
        expect![[r#"
            another mail:
              9: the mail was to have `template`: welkom [it is welcome]
              9: the mail was to say `Dear Bert` [it says: Welcome, Anna / Hello Anna, thank you for your interest in Example Company. We have your details, and from today there is **one person** here who looks after yo…]
              10: `notice` was to be sent once [it was not sent]
            no mail:
              14: `mail` was not to be sent [it was sent once: { subject: Welcome, Anna, template: welcome, to: lead/anna }]"#]],
    )
    .await;
}

#[tokio::test]
async fn a_case_that_fails_says_what_happened() {
    let reports = play(
        "crm",
        "plugin: crm
given:
  lead/anna: { name: Anna, email: anna@a.example }
cases:
  - it: writes
    call: update
    with: { record: lead/anna, set: { company: Brewery } }
    expect: { done: { changed: false } }
",
    )
    .await;
    // Records by what the test calls them, whatever their ids.
    expect![[r#"
        it wrote: update { fields: { company: Brewery }, record: lead/anna }
        it is done: { changed: true, record: lead/anna }"#]]
    .assert_eq(&reports[0].trace.join("\n"));
}

#[tokio::test]
async fn cases_are_chosen_and_actions_without_any_are_named() {
    let tests = tests(
        "notify",
        "plugin: notify
cases:
  - it: one
    call: user
    with: { text: x }
    expect: { done: {} }
  - it: two
    call: user
    with: { text: x }
    expect: { done: {} }
",
    )
    .await;
    assert_eq!((tests.count(None), tests.count(Some("tw")), tests.count(Some("role"))), (2, 1, 0));
    assert_eq!(tests.never_called(), ["role"]);
    let reports = tests.run(Some("two"), false, |_| {}).await;
    assert_eq!((reports.len(), reports[0].faults), (1, 0));
}

#[tokio::test]
async fn a_slip_in_a_file_keeps_it_from_being_played() {
    let tests = tests("notify", "plugin: notify\ncases:\n  - it: one\n    call: usr\n").await;
    let found: Vec<&str> = tests.diagnostics().iter().map(|found| found.code).collect();
    assert_eq!((found, tests.count(None)), (vec!["R702", "R104"], 0));
}

#[tokio::test]
async fn the_built_in_plugins_are_what_they_say() {
    for bundled in bundled::plugins() {
        assert_eq!(remarks(&load(bundled).await), [], "{}", bundled.name);
    }
}
