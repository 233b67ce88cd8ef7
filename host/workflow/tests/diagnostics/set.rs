//! Names that `set:` makes and changes.

use expect_test::expect;

use super::{file, steps};

#[test]
fn values_have_the_kind_they_look_like() {
    steps(
        "  - set: { total: 0, label: \"x {{ lead.name }}\", within: 4 hours, day: 2026-12-24, sure: true }\n  - set: { total: =total + 1 }\n  - wait: =within\n  - stop_if: sure and label == \"x\" and total > 3",
        expect![""],
    );
    steps("  - set: { a: 1, b: =a + 1 }\n  - stop_if: b > a", expect![""]);
    // A word that is written out may become another; words that come of a
    // decision stay what they are.
    steps(
        "  - set: { state: open }\n  - set: { state: closed }\n  - stop_if: state == \"held\"",
        expect![""],
    );
    steps(
        "  - set: { state: =lead.status }\n  - set: { state: dead }\n  - set: { state: gone }",
        expect![
            "7:19 R203 `state` is never `gone` [it is one of new, assigned, in_process, converted, recycled, dead]"
        ],
    );
}

#[test]
fn a_name_keeps_its_type() {
    steps(
        "  - set: { total: 0 }\n  - set: { total: =lead.name }",
        expect!["6:20 R202 `total` takes a number, not text"],
    );
    steps(
        "  - set: { total: 0 }\n  - set: { total: none }",
        expect!["6:19 R202 `total` takes a number, not the text `none`"],
    );
    steps(
        "  - set: { owner: =lead.owner }\n  - set: { owner: queue/unassigned }\n  - set: { owner: }",
        expect![""],
    );
    steps(
        "  - set: { size: 0 }\n  - set: { size: =lead.company_size }\n  - set: { size: }",
        expect![[r#"
            6:19 R204 `lead.company_size` may be empty, and `size` needs a value [write `=default(lead.company_size, 0)`, or test it before: `lead.company_size is not empty`]
            7:16 R206 `size` must not be empty"#]],
    );
    steps(
        "  - set: { target: { days: 3, who: ana } }\n  - set: { target: { days: 4 } }\n  - set: { target: { days: 4, whom: ana } }\n  - set: { target: { days: 5, who: bob } }",
        expect![[r#"
            6:20 R206 `target` needs `who`
            7:31 R105 `target` has no part `whom` [did you mean `who`?]"#]],
    );
    // What was empty first becomes what it is given later.
    steps(
        "  - set: { best: , all: [] }\n  - set: { best: =lead.name, all: [one] }\n  - set: { best: =lead.company_size }\n  - stop_if: best == \"x\"",
        expect![[
            r#"7:19 R202 `best` takes text, not a number [to make text of it, write "{{ … }}"]"#
        ]],
    );
}

#[test]
fn only_what_was_set_is_set_again() {
    steps(
        "  - do: assign.round_robin\n    team: dach\n    as: pick\n  - set: { pick: 1, lead: 2, Total: 3, and: 4 }",
        expect![[r#"
            8:12 R010 an earlier step is called `pick` already [choose another name]
            8:21 R010 `lead` is what the workflow is about [choose another name]
            8:30 R010 `Total` cannot be a name: use lower-case letters, digits and _ [write `total`]
            8:40 R010 `and` is a word of the language [choose another name]"#]],
    );
    file(
        "workflow: a\ninputs:\n  percent: number\nsteps:\n  - set: { percent: 3 }\n  - set: { n: 1 }\n  - decide: n\n    rows:\n      - use: 1\n",
        expect![[r#"
            5:12 R010 an input is called `percent` already [choose another name]
            7:13 R010 an earlier `set` has made the name `n` already [choose another name]"#]],
    );
}

#[test]
fn forms() {
    steps("  - set:", expect!["5:5 R007 `set` has no names [write `set: { total: 0 }`, say]"]);
    steps("  - set: {}", expect!["5:5 R007 `set` has no names [write `set: { total: 0 }`, say]"]);
    steps(
        "  - set: total",
        expect!["5:10 R008 `set` gives values to names [write `set: { total: 0 }`, say]"],
    );
    steps(
        "  - set: { total: 0 }\n    as: total",
        expect!["6:5 R006 `set` has no key `as` [known are set]"],
    );
    steps(
        "  - set: { total: 0 }\n    wait: 1 hour",
        expect!["5:5 R008 `wait` and `set` cannot stand in one step [begin a new step with `- `]"],
    );
    steps(
        "  - set: { total: =1 + }\n  - set: { total: x }",
        expect!["5:22 R601 the formula ends too early: a value is missing"],
    );
}

#[test]
fn facts_fall_with_a_new_value() {
    let notify = "  - do: notify.user\n    to: =who\n    text: hello";
    steps(
        &format!("  - set: {{ who: =lead.owner }}\n  - stop_if: who is empty\n{notify}"),
        expect![""],
    );
    steps(
        &format!(
            "  - set: {{ who: =lead.owner }}\n  - stop_if: who is empty\n  - set: {{ who: =lead.owner }}\n{notify}"
        ),
        expect![
            "9:10 R204 `who` may be empty, and `to` needs a value [test it before (`only_if`, `if` or `stop_if`), or write `=default(who, …)`]"
        ],
    );
    steps(
        &format!("  - set: {{ who: =lead.owner }}\n  - set: {{ who: queue/unassigned }}\n{notify}"),
        expect![""],
    );
    // Levels may set it while the deadline goes on.
    steps(
        "  - set: { who: =lead.owner }\n  - stop_if: who is empty\n  - deadline: 4 hours\n    met_when: lower(default(who.name, \"\")) == \"x\" or who.name == \"ana\" or lower(who.id) == \"x\"\n    levels:\n      - at: 50%\n        steps:\n          - set: { who: =lead.owner }",
        expect![[
            r#"8:81 R204 `who.id` may be empty, and a value is needed here [write `who.id is not empty and …`, or `default(who.id, "")`]"#
        ]],
    );
}

#[test]
fn set_on_one_way_only() {
    steps(
        "  - if: lead.owner is empty\n    then:\n      - set: { note: none }\n  - stop_if: note == \"x\"",
        expect![
            "8:14 R205 `note` may be unset here: its step does not run on every way to this place [test it first: `note is not empty and …`]"
        ],
    );
    steps(
        "  - if: lead.owner is empty\n    then:\n      - set: { ok: false, note: none }\n    else:\n      - set:\n          ok: =lead.country == \"DE\"\n          note: =default(lead.company, \"\")\n  - stop_if: ok and note == \"x\"",
        expect![""],
    );
}
