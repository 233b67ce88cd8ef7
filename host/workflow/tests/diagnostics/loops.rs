//! `for_each:` and `parallel:`.

use expect_test::expect;

use super::{file, steps};

const FOUND: &str = "  - do: crm.find\n    object: contact\n    as: found\n";

/// Steps behind a search for contacts, from line 8.
fn found(more: &str, expected: expect_test::Expect) {
    steps(&format!("{FOUND}{more}"), expected);
}

#[test]
fn an_item_has_the_type_of_the_list() {
    found(
        "  - for_each: =found.records\n    as: customer\n    only_if: customer.email is not empty\n    at_once: 5\n    pace: 60 per hour\n    steps:\n      - stop_if: lower(customer.email) == \"x\" or customer.nme == \"y\"",
        expect!["14:50 R102 a contact has no field `nme` [did you mean `name`?]"],
    );
    steps(
        "  - for_each: =default(lead.tags, [])\n    as: tag\n    steps:\n      - stop_if: tag > 3",
        expect![
            "8:18 R201 text and a number cannot be compared by size [`number(…)` reads a number in a text]"
        ],
    );
    steps(
        "  - for_each: '=[1, 2]'\n    as: n\n    steps:\n      - stop_if: n == \"x\"",
        expect![[
            r#"8:18 R201 a number is never equal to the text "x" [write a number without quotes]"#
        ]],
    );
}

#[test]
fn what_is_no_list() {
    let body = "    as: x\n    steps:\n      - wait: 1 hour";
    found(
        &format!("  - for_each: =found\n{body}"),
        expect![
            "8:16 R210 `for_each` goes through a list, not a set of named values [did you mean `=found.records`?]"
        ],
    );
    found(
        &format!("  - for_each: found.records\n{body}"),
        expect![
            "8:15 R210 `for_each` goes through a list, not the text `found.records` [write a formula that yields a list: `=found.records`]"
        ],
    );
    steps(
        &format!("  - for_each: =lead.name\n{body}"),
        expect![
            "5:16 R210 `for_each` goes through a list, not text [name a list, such as the records that a step has found]"
        ],
    );
    steps(
        &format!("  - for_each: =lead\n{body}"),
        expect![
            "5:16 R210 `for_each` goes through a list, not a record of lead [name a list, such as the records that a step has found]"
        ],
    );
    steps(
        &format!("  - for_each: =lead.tags\n{body}"),
        expect![
            "5:16 R204 `lead.tags` may be empty, and `for_each` needs a list [write `=default(lead.tags, [])`]"
        ],
    );
    steps(
        &format!("  - for_each: [a, b]\n{body}"),
        expect![[
            r#"5:15 R008 `for_each` takes a formula that yields a list [write a formula in quotes: `'=["one", "two"]'`]"#
        ]],
    );
    steps(&format!("  - for_each:\n{body}"), expect!["5:5 R007 `for_each` has no list"]);
    steps(
        &format!("  - for_each: =fuond.records\n{body}"),
        expect![[
            r#"5:16 R101 nothing is called `fuond` here [known are lead; for the text, write "fuond"]"#
        ]],
    );
}

#[test]
fn forms_of_for_each() {
    found(
        "  - for_each: =found.records\n    as: customer\n    only_if: customer.email\n    at_once: 51\n    pace: fast\n    stpes:\n      - wait: 1 hour",
        expect![[r#"
            10:14 R208 a condition has to be yes or no, and `customer.email` is text [write `customer.email is not empty`, or compare it with something]
            11:14 R202 `at_once` is at most 50, not 51
            12:11 R202 `fast` is not a pace [write `60 per hour`, `per second`, `per minute` or `per day`]
            13:5 R006 `for_each` has no key `stpes` [did you mean `steps`?]"#]],
    );
    found(
        "  - for_each: =found.records\n    as: customer\n    at_once: =3\n    pace: 0 per hour\n    steps:\n      - wait: 1 hour",
        expect![[r#"
            10:14 R008 `at_once` cannot be computed: it is a value that is written out
            11:11 R202 `0 per hour` is not a pace [write `60 per hour`, `per second`, `per minute` or `per day`]"#]],
    );
    found(
        "  - for_each: =found.records\n    as: customer\n    at_once: 1.5\n    pace: 10 per week\n    only_if: 1 == 1\n    steps: []\n",
        expect![[r#"
            10:14 R202 `at_once` takes a whole number, not the text `1.5`
            11:11 R202 `10 per week` is not a pace [write `60 per hour`, `per second`, `per minute` or `per day`]
            12:14 warning R303 this condition is always true"#]],
    );
    found(
        "  - for_each: =found.records\n    as: customer",
        expect!["8:5 R007 `for_each` has no steps [add `steps:` with what is done for each item]"],
    );
    // Without a name for the items, nothing is said of names.
    found(
        "  - for_each: =found.records\n    steps:\n      - stop_if: customer.email is empty",
        expect![
            "8:5 R007 `for_each` does not say what an item is called [add `as: customer`, say]"
        ],
    );
    found(
        "  - for_each: =found.records\n    as: lead\n    steps:\n      - stop_if: lead.email is empty",
        expect!["9:9 R010 `lead` is what the workflow is about [choose another name]"],
    );
    found(
        "  - for_each: =found.records\n    as: found\n    steps:\n      - wait: 1 hour",
        expect!["9:9 R010 an earlier step is called `found` already [choose another name]"],
    );
}

#[test]
fn names_of_an_item_end_with_it() {
    found(
        "  - for_each: =found.records\n    as: customer\n    steps:\n      - do: mail.send\n        to: =customer\n        template: welcome\n        as: sent\n  - stop_if: sent.mail == \"x\"\n  - stop_if: customer.name == \"x\"\n  - wait_for: { event: mail.clicked }\n    since: sent",
        expect![[r#"
            15:14 R120 `sent` is known only within the `for_each` that gives it its value [`set:` a name before the loop, and give it another value within]
            16:14 R120 `customer` is known only within the `for_each` that gives it its value [`set:` a name before the loop, and give it another value within]
            18:12 R205 the step `sent` does not run on every way to this place"#]],
    );
    // The next loop may use them again, with another type.
    found(
        "  - for_each: =found.records\n    as: customer\n    steps:\n      - set: { n: 1 }\n  - for_each: =found.records\n    as: customer\n    steps:\n      - set: { n: one }\n  - set: { n: true }\n  - stop_if: n",
        expect![""],
    );
}

#[test]
fn a_loop_changes_what_was_set_before_it() {
    found(
        "  - set: { total: 0 }\n  - for_each: =found.records\n    as: customer\n    steps:\n      - set: { total: =total + 1 }\n  - stop_if: total > 3",
        expect![""],
    );
    found(
        "  - set: { total: 0 }\n  - for_each: =found.records\n    as: customer\n    steps:\n      - set: { total: =customer.name }",
        expect!["12:24 R202 `total` takes a number, not text"],
    );
    // What was tested before the loop does not hold in its second round.
    found(
        "  - set: { who: =lead.owner }\n  - stop_if: who is empty\n  - for_each: =found.records\n    as: customer\n    steps:\n      - do: notify.user\n        to: =who\n        text: hello\n      - set: { who: =lead.owner }\n  - do: notify.user\n    to: =who\n    text: hello",
        expect![[r#"
            14:14 R204 `who` may be empty, and `to` needs a value [test it before (`only_if`, `if` or `stop_if`), or write `=default(who, …)`]
            18:10 R204 `who` may be empty, and `to` needs a value [test it before (`only_if`, `if` or `stop_if`), or write `=default(who, …)`]"#]],
    );
    // Nothing at first, and then the first that fits.
    found(
        "  - set: { best: }\n  - for_each: =found.records\n    as: customer\n    steps:\n      - if: best is empty or customer.name == best.name\n        then:\n          - set: { best: =customer }\n  - stop_if: best is empty\n  - do: mail.send\n    to: =best\n    template: welcome\n  - stop_if: best.nme == \"x\"",
        expect!["19:14 R102 a contact has no field `nme` [did you mean `name`?]"],
    );
    // A word that was ruled out may come back.
    found(
        "  - set: { state: =lead.status }\n  - stop_if: state == \"dead\"\n  - for_each: =found.records\n    as: customer\n    steps:\n      - stop_if: state == \"dead\"\n      - set: { state: =lead.status }",
        expect![""],
    );
}

#[test]
fn what_happens_once_for_each_item_counts_for_none() {
    file(
        "workflow: test\nwhen:\n  - created: lead\nrepeat: { one_per: lead, counted_from: sent }\nsteps:\n  - do: crm.find\n    object: contact\n    as: found\n  - for_each: =found.records\n    as: customer\n    steps:\n      - do: mail.send\n        to: =customer\n        template: welcome\n        as: sent\n",
        expect![
            "4:40 R114 the step `sent` runs once for each item, so it is not clear which counts [name a step outside of `for_each`]"
        ],
    );
}

#[test]
fn what_stops_in_a_loop_may_not_stop() {
    found(
        "  - for_each: =found.records\n    as: customer\n    steps:\n      - stop_if: true\n      - wait: 1 hour\n  - wait: 2 hours",
        expect![
            "12:9 R304 this step can never be reached [remove it, or the step before it that always stops the run]"
        ],
    );
    found(
        "  - for_each: =found.records\n    as: customer\n    steps:\n      - stop_if: lead.owner is empty\n  - do: notify.user\n    to: =lead.owner\n    text: hello",
        expect![
            "13:10 R204 `lead.owner` may be empty, and `to` needs a value [test it before (`only_if`, `if` or `stop_if`), or write `=default(lead.owner, …)`]"
        ],
    );
}

#[test]
fn branches_meet_again() {
    steps(
        "  - parallel:\n      - steps:\n          - do: assign.round_robin\n            team: dach\n            as: pick\n      - steps:\n          - do: sentiment.score\n            text: =lead.name\n            as: mood\n          - stop_if: lead.owner is empty\n  - do: notify.user\n    to: =pick.user\n    text: \"{{ mood.label }}\"\n  - do: notify.user\n    to: =lead.owner\n    text: hello",
        expect![""],
    );
    steps(
        "  - parallel:\n      - steps:\n          - do: assign.round_robin\n            team: dach\n            as: pick\n          - stop_if: mood.score > 0\n      - steps:\n          - do: sentiment.score\n            text: =pick.reason\n            as: mood",
        expect![[r#"
            10:22 R120 `mood` gets its value in another branch, which may not be there yet [use it after the `parallel`, when all branches have ended]
            13:20 R120 `pick` gets its value in another branch, which may not be there yet [use it after the `parallel`, when all branches have ended]"#]],
    );
    steps(
        "  - parallel:\n      - steps:\n          - if: lead.owner is empty\n            then:\n              - do: assign.round_robin\n                team: dach\n                as: pick\n      - steps:\n          - stop_if: true\n          - wait: 1 hour\n  - stop_if: pick.reason == \"x\"",
        expect![[r#"
            14:13 R304 this step can never be reached [remove it, or the step before it that always stops the run]
            15:5 R304 this step can never be reached [remove it, or the step before it that always stops the run]
            15:14 R205 `pick` may be unset here: its step does not run on every way to this place [test it first: `pick is not empty and …`]"#]],
    );
}

#[test]
fn two_branches_use_one_name() {
    steps(
        "  - set: { total: 0 }\n  - parallel:\n      - steps:\n          - set: { total: 1, own: 1 }\n      - steps:\n          - set: { total: 2 }\n          - do: assign.round_robin\n            team: dach\n            as: own\n      - steps:\n          - decide: own\n            rows:\n              - use: x",
        expect![[r#"
            10:20 R310 branch 1 of this `parallel` gives `total` a value too [use another name in each branch]
            13:17 R310 branch 1 of this `parallel` gives `own` a value too [use another name in each branch]
            15:21 R310 branch 1 of this `parallel` gives `own` a value too [use another name in each branch]"#]],
    );
    // Within loops they do not meet.
    found(
        "  - parallel:\n      - steps:\n          - for_each: =found.records\n            as: customer\n            steps:\n              - set: { n: 1 }\n      - steps:\n          - for_each: =found.records\n            as: customer\n            steps:\n              - set: { n: one }",
        expect![""],
    );
}

#[test]
fn what_another_branch_may_change_is_not_certain() {
    steps(
        "  - set: { who: =lead.owner }\n  - stop_if: who is empty\n  - parallel:\n      - steps:\n          - do: notify.user\n            to: =who\n            text: hello\n      - steps:\n          - set: { who: =lead.owner }\n  - do: notify.user\n    to: =who\n    text: hello",
        expect![[r#"
            10:18 R204 `who` may be empty, and `to` needs a value [test it before (`only_if`, `if` or `stop_if`), or write `=default(who, …)`]
            15:10 R204 `who` may be empty, and `to` needs a value [test it before (`only_if`, `if` or `stop_if`), or write `=default(who, …)`]"#]],
    );
    // Its own last word counts afterwards.
    steps(
        "  - set: { who: =lead.owner }\n  - parallel:\n      - steps:\n          - wait: 1 hour\n      - steps:\n          - set: { who: queue/unassigned }\n  - do: notify.user\n    to: =who\n    text: hello",
        expect![""],
    );
}

#[test]
fn forms_of_parallel() {
    steps(
        "  - parallel:",
        expect!["5:5 R008 `parallel` is a list of branches [begin each branch with `- steps:`]"],
    );
    steps(
        "  - parallel: []",
        expect![
            "5:5 R008 `parallel` has two branches or more [add another, or write its steps without `parallel`]"
        ],
    );
    steps(
        "  - parallel:\n      steps:\n        - wait: 1 hour",
        expect!["5:5 R008 `parallel` is a list of branches [begin each branch with `- steps:`]"],
    );
    steps(
        "  - parallel:\n      - steps:\n          - wait: 1 hour",
        expect![
            "5:5 R008 `parallel` has two branches or more [add another, or write its steps without `parallel`]"
        ],
    );
    steps(
        "  - parallel:\n      - wait: 1 hour\n      - step:\n          - wait: 1 hour\n      - steps:\n          - wait: 1 hour\n        title: x",
        expect![[r#"
            6:9 R007 a branch needs `steps:` [write `- steps:`, and the steps of the branch below]
            7:9 R006 a branch has no key `step` [did you mean `steps`?]
            11:9 R006 a branch has no key `title` [known are steps]"#]],
    );
    steps(
        "  - parallel:\n      - one\n      - steps:\n          - wait: 1 huor\n    as: both",
        expect![[r#"
            6:9 R008 a branch is a block of `key: value`
            8:19 R202 `wait` takes a point in time, or a duration such as `48 hours`, not the text `1 huor` [write `1 hours`]
            9:5 R006 `parallel` has no key `as` [known are parallel]"#]],
    );
}

#[test]
fn four_deep_and_no_deeper() {
    let mut yaml = String::new();
    for depth in 0..6 {
        let indent = " ".repeat(4 * depth + 2);
        yaml.push_str(&format!(
            "{indent}- for_each: '=[1]'\n{indent}  as: n{depth}\n{indent}  steps:\n"
        ));
    }
    yaml.push_str(&format!("{}- wait: 1 hour", " ".repeat(26)));
    steps(
        &yaml,
        expect![
            "17:21 R309 loops and branches are nested more than 4 deep here [move these steps to a workflow of their own, and `run:` it here]"
        ],
    );
    let branch = |inner: &str| {
        format!(
            "- parallel:\n    - steps:\n        - wait: 1 hour\n    - steps:\n        {}",
            inner.replace('\n', "\n        ")
        )
    };
    let mut nested = "- wait: 1 hour".to_owned();
    for _ in 0..4 {
        nested = branch(&nested);
    }
    steps(&format!("  {}", nested.replace('\n', "\n  ")), expect![""]);
    nested = branch(&nested);
    steps(
        &format!("  {}", nested.replace('\n', "\n  ")),
        expect![
            "21:37 R309 loops and branches are nested more than 4 deep here [move these steps to a workflow of their own, and `run:` it here]"
        ],
    );
}
