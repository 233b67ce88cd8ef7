//! `ask:` a person.

use expect_test::expect;
use relata_workflow::parse;

use super::{CATALOG, said, steps};

const ASK: &str = "  - ask: sales-ops\n    question: \"Give {{ lead.name }} a discount?\"\n    answers: [approve, reject]\n    up_to: 2 days\n    as: approval\n";

#[test]
fn the_answer_is_one_of_the_answers() {
    steps(
        &format!(
            "{ASK}  - stop_if: approval.answer == \"no_answer\" or approval.answer == \"aprove\""
        ),
        expect![[r#"10:67 R203 `approval.answer` is never "aprove" [did you mean `approve`?]"#]],
    );
    steps(
        &format!(
            "{ASK}    otherwise:\n      - stop_if: approval.answer == \"approve\"\n  - do: notify.user\n    to: =approval.by\n    text: \"{{{{ approval.comment }}}}\""
        ),
        expect![[r#"
            11:37 R203 `approval.answer` is never "approve" [it is one of no_answer]
            13:10 R204 `approval.by` may be empty, and `to` needs a value [test it before (`only_if`, `if` or `stop_if`), or write `=default(approval.by, …)`]"#]],
    );
    // Without a limit somebody has answered.
    steps(
        "  - ask: =lead.owner\n    question: Go on?\n    as: reply\n  - stop_if: reply.answer == \"no_answer\" or reply.answer == \"no\"",
        expect![[r#"
            5:11 R202 `ask` takes a record of user, not a record of user or queue
            8:30 R203 `reply.answer` is never "no_answer" [it is one of yes, no]"#]],
    );
    steps(
        "  - stop_if: lead.owner is empty\n  - ask: user/ana\n    question: Go on?\n    as: reply\n  - stop_if: reply.answer == \"yes\" and reply.comment == \"x\"",
        expect![""],
    );
}

#[test]
fn forms() {
    steps(
        "  - ask: sales-opps\n    question: Go on?\n    as: reply",
        expect![
            "5:10 warning R113 nobody has the role `sales-opps`, so nobody would be asked [did you mean `sales-ops`?]"
        ],
    );
    steps(
        "  - ask: sales-ops",
        expect![[r#"
        5:5 R007 `ask` does not say what is asked [add `question:` with what is asked]
        5:5 R007 `ask` does not say what the answer is called [add `as: approval`, and use `approval.answer`]"#]],
    );
    steps(
        "  - ask: sales-ops\n    qestion: Go on?\n    as: reply\n    asnwers: [a, b]",
        expect![[r#"
            6:5 R006 `ask` has no key `qestion` [did you mean `question`?]
            8:5 R006 `ask` has no key `asnwers` [did you mean `answers`?]"#]],
    );
    steps(
        "  - ask: sales-ops\n    question: =lead.company_size\n    answers: [yes, yes, no_answer]\n    about: =lead.name\n    up_to: 2 working days\n    as: lead",
        expect![[r#"
            6:16 R202 `question` takes text, not a number [to make text of it, write "{{ … }}"]
            7:20 R202 `yes` stands twice among the words [remove one of the two]
            8:13 R202 `about` takes a record, not text
            9:12 R402 `2 working days` is working time, and no calendar says when that is [name one with `calendar:`]
            10:9 R010 `lead` is what the workflow is about [choose another name]"#]],
    );
    steps(
        "  - ask: sales-ops\n    question: Go on?\n    answers: yes\n    as: reply\n    otherwise:\n      - wait: 1 hour",
        expect![[r#"
            7:5 R008 `answers` is a list of words [write `answers: [approve, reject]`]
            9:5 R304 without `up_to` this waits for ever, so `otherwise` is never reached [say how long: `up_to: 2 days`]"#]],
    );
    steps(
        "  - ask: sales-ops\n    question: Go on?\n    answers: [yes, no_answer]\n    as: reply\n  - set: { next_asked: 1 }\n  - ask: sales-ops\n    question: Go on?\n    as: next\n  - set: { reply: 1 }",
        expect![[r#"
            7:20 R010 `no_answer` says that nobody has answered in time [choose another word]
            12:9 R010 `ask` needs the name `next_asked` itself, and it is taken [choose another name]
            13:12 R010 an earlier step is called `reply` already [choose another name]"#]],
    );
}

#[test]
fn the_plugin_has_to_be_there() {
    let mut catalog = CATALOG.clone();
    catalog.actions.remove("approval.close");
    let source = format!(
        "workflow: test\nwhen:\n  - created: lead\nsteps:\n{ASK}  - stop_if: approval.answer == \"approve\"\n"
    );
    expect!["5:5 R104 `ask` needs the plugin `approval`, which is not there [install the plugin that has `approval.request` and `approval.close`]"].assert_eq(&said(&parse("test.yaml", &source, &catalog).1));
}
