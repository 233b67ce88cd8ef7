//! The steps.

use expect_test::expect;

use super::{file, head, steps};

#[test]
fn actions() {
    steps(
        "  - do: mail.sned\n    to: =lead",
        expect!["5:9 R104 there is no action `mail.sned` [did you mean `mail.send`?]"],
    );
    steps(
        "  - do: mail.send\n    to: =lead",
        expect![
            "5:9 R206 `mail.send` needs the argument `template` [add `template:`, which is the name of a mail template]"
        ],
    );
    steps(
        "  - do: mail.send\n    to: =lead\n    template: welcom\n    tempo: fast",
        expect![[r#"
            7:15 R109 there is no mail template `welcom` [did you mean `welcome`?]
            8:5 R105 `mail.send` takes no argument `tempo` [known are data, template, to, as, retry, if_it_fails, if_unknown, may]"#]],
    );
    steps(
        "  - do: assign.round_robin\n    team: dahc\n    max_open_leads: many",
        expect![[r#"
            6:11 R112 there is no team `dahc` [did you mean `dach`?]
            7:21 R202 `max_open_leads` takes a whole number, not the text `many`"#]],
    );
    steps(
        "  - do: assign.round_robin\n    team: dach\n    max_open_leads: 0",
        expect!["7:21 R202 `max_open_leads` is at least 1, not 0"],
    );
    steps(
        "  - do: assign.round_robin\n    team: dach\n    max_open_leads: \"40\"",
        expect![
            "7:21 R202 `max_open_leads` takes a whole number, not the text `40` [write the number without quotes]"
        ],
    );
    steps(
        "  - do: assign.round_robin\n    team: =lead.country\n    fallback_user: =lead",
        expect![[r#"
            6:12 R202 `team` takes a record of team, not text
            7:21 R202 `fallback_user` takes a record of user, not a record of lead"#]],
    );
    steps(
        "  - do: task.create\n    record: lead\n    assignee: lead.owner\n    title: lead.name\n    due_in: tomorrow",
        expect![[r#"
            6:13 R202 `record` takes a record, not the text `lead` [did you mean `=lead`?]
            7:15 R202 `assignee` takes a record of user or queue, not the text `lead.owner` [did you mean `=lead.owner`?]
            8:12 warning R207 `title` is the text `lead.name`, which looks like a path [did you mean `=lead.name`?]
            9:13 R202 `due_in` takes a point in time, or a duration such as `48 hours`, not the text `tomorrow`"#]],
    );
    steps(
        "  - do: task.create\n    record: =lead\n    assignee: unassigned\n    title: call\n    due_in: 2 working days",
        expect![[r#"
            7:15 R202 `assignee` takes a record of user or queue, not the text `unassigned` [write `user/unassigned` or `queue/unassigned`]
            9:13 R402 `2 working days` is working time, and no calendar says when that is [name one with `calendar:`]"#]],
    );
    steps(
        "  - do: task.create\n    record: =lead\n    assignee: =lead.owner\n    title: =lead.company_size\n    due_in: =lead.name",
        expect![[r#"
            7:16 R204 `lead.owner` may be empty, and `assignee` needs a value [test it before (`only_if`, `if` or `stop_if`), or write `=default(lead.owner, …)`]
            8:13 R202 `title` takes text, not a number [to make text of it, write "{{ … }}"]
            9:14 R202 `due_in` takes a point in time, or a duration such as `48 hours`, not text"#]],
    );
    steps(
        "  - do: task.create\n    record: =lead\n    assignee: quue/unassigned\n    title: call\n    due_in: 1 day",
        expect!["7:15 R103 there is no object `quue` [did you mean `queue`?]"],
    );
    steps(
        "  - do: task.create\n    record: =lead\n    assignee: queue/unasigned\n    title: call\n    due_in: 1 day",
        expect!["7:15 R112 there is no queue `unasigned` [did you mean `unassigned`?]"],
    );
    steps(
        "  - do: notify.user\n    to: =lead.owner.manager\n    text: \"{{ lead.nme }} {{ lead.created_at | shrot }} {{ lead.name | time }}\"",
        expect![[r#"
            6:10 R204 `lead.owner.manager` may be empty, and `to` needs a value [test it before (`only_if`, `if` or `stop_if`), or write `=default(lead.owner.manager, …)`]
            7:15 R102 a lead has no field `nme` [did you mean `name`?]
            7:48 R108 there is no filter `shrot` [did you mean `short`?]
            7:72 R201 `time` writes a point in time, and this is text"#]],
    );
    steps(
        "  - do: notify.user\n    to: queue/unassigned\n    text: \"{{ lead.name\"",
        expect!["7:12 R601 `{{` is not closed [close it with `}}`]"],
    );
    steps(
        "  - do: segment.membership\n    segment: vips\n    record: =lead",
        expect![
            "6:14 R110 there is no segment `vips` [known are dormant-90-days, no-surveys, open-complaint, unsubscribed]"
        ],
    );
}

#[test]
fn fields() {
    steps(
        "  - do: crm.update\n    record: =lead\n    set: { statsu: assigned, status: asigned, company_size: -1, email: no, owner: =lead, created_at: x }",
        expect![[r#"
            7:12 R102 a lead has no field `statsu` [did you mean `status`?]
            7:38 R203 `status` is never `asigned` [did you mean `assigned`?]
            7:61 R202 `company_size` is at least 0, not -1
            7:72 R202 `email`: `no` is not a mail address such as anna@example.com
            7:84 R202 `owner` takes a record of user or queue, not a record of lead
            7:90 R202 `created_at` is set by the system alone"#]],
    );
    steps(
        "  - do: crm.update\n    record: =lead\n    set: { name: , note: , company_size: =lead.name, status: =lead.country, owner: queue/nobody, tags: fair }",
        expect![[r#"
            7:16 R206 `name` must not be empty
            7:43 R202 `company_size` takes a whole number, not text
            7:63 R202 `status` takes one of new, assigned, in_process, converted, recycled, dead, not text [decide first: `decide:` yields one word of a few]
            7:84 R112 there is no queue `nobody` [known are complaints, unassigned]
            7:104 R202 `tags` takes a list, not the text `fair` [write `[fair]`]"#]],
    );
    steps(
        "  - do: crm.update\n    record: =lead\n    set: assigned",
        expect![
            "7:10 R202 `set` takes a block of `name: value`, not the text `assigned` [write `{ name: value }`]"
        ],
    );
    steps(
        "  - do: crm.create\n    object: tikcet\n    set: { subject: x }",
        expect!["6:13 R103 there is no object `tikcet` [did you mean `ticket`?]"],
    );
    steps(
        "  - do: crm.create\n    object: ticket\n    set: { subjct: x }",
        expect![[r#"
            7:10 R206 a ticket needs `ref`
            7:12 R102 a ticket has no field `subjct` [did you mean `subject`?]"#]],
    );
    steps(
        "  - do: crm.update\n    record: =lead\n    set: { tags: [fair, =lead.score], score: =default(lead.score, 0) + 1, note: \"{{ lead.name }}\" }",
        expect![[r#"
            7:26 R202 `tags` takes text, not a number [to make text of it, write "{{ … }}"]
            7:65 R601 `,` or `)` is missing before the end [within { } put the formula in quotes, since a comma ends it]"#]],
    );
}

#[test]
fn failures_and_retries() {
    steps(
        "  - do: sentiment.score\n    text: =lead.name\n    as: mood\n    retry: often\n    if_it_fails: { use: { labl: unknown, score: none } }",
        expect![[r#"
            8:12 R202 `often` does not say how often it is tried again [write `3 times`, or `5 times, first after 1 minute`]
            9:27 R105 `use` has no part `labl` [did you mean `label`?]
            9:49 R202 `score` takes a number, not the text `none`"#]],
    );
    steps(
        "  - do: sentiment.score\n    text: =lead.name\n    as: mood\n    if_it_fails: { use: { label: unknown } }\n  - stop_if: mood.label == \"unknwn\" or mood.score < 0",
        expect![[r#"
            9:28 R203 `mood.label` is never "unknwn" [did you mean `unknown`?]
            9:40 R204 `mood.score` may be empty, and a value is needed here [write `mood.score is not empty and …`, or `default(mood.score, 0)`]"#]],
    );
    steps(
        "  - do: sentiment.score\n    text: =lead.name\n    as: mood\n    if_it_fails: {}",
        expect!["8:5 R007 `if_it_fails` needs `use:`"],
    );
}

#[test]
fn decisions() {
    steps(
        "  - decide: team\n    rows:\n      - if: lead.country == \"DE\"\n        use: dach",
        expect![
            "6:5 R302 no row takes what meets none of the conditions [add a last row with `use:` alone]"
        ],
    );
    steps(
        "  - decide: team\n    rows:\n      - use: dach\n      - if: lead.country == \"DE\"\n        use: enterprise",
        expect![
            "8:9 R301 this row can never be chosen: the row before it takes everything [move the row without `if` to the end]"
        ],
    );
    steps(
        "  - decide: team\n    rows:\n      - if: lead.country == \"DE\"\n        use: dach\n      - use: europe\n  - do: assign.round_robin\n    team: =team",
        expect![
            "11:12 R112 where it is `europe`: there is no team `europe` [known are dach, enterprise, international, sales-ops]"
        ],
    );
    steps(
        "  - decide: n\n    rows:\n      - if: 1 == 1\n        use: 5\n      - use: =lead.name",
        expect![[r#"
            7:13 warning R303 this condition is always true
            9:14 R201 this row yields text, and a row before it a number [let all rows yield values of one kind]"#]],
    );
    steps(
        "  - decide: n\n    rows:\n      - if: lead.country == \"DE\"\n        use: { a: 5 }\n      - use: { b: 1 day }\n  - stop_if: n.a > 3\n  - stop_if: n.c is empty",
        expect![[r#"
            10:14 R204 `n.a` may be empty, and a value is needed here [write `n.a is not empty and …`, or `default(n.a, 0)`]
            11:14 R102 `n` has no part `c` [known are a, b]"#]],
    );
    steps(
        "  - decide: t\n    rows:\n      - if: lead.country == \"DE\"\n        use: { within: 1 working hour }\n      - use: { within: 4 hours }\n  - wait: =t.within",
        expect![
            "10:11 R402 `1 working hour` is working time, and no calendar says when that is [name one with `calendar:`]"
        ],
    );
    steps(
        "  - decide: lead\n    rows:\n      - use: 1\n  - decide: And\n    rows:\n      - use: 1\n  - decide: and\n    rows:\n      - use: 1",
        expect![[r#"
            5:13 R010 `lead` is what the workflow is about [choose another name]
            8:13 R010 `And` cannot be a name: use lower-case letters, digits and _ [write `and`]
            11:13 R010 `and` is a word of the language [choose another name]"#]],
    );
    steps("  - decide: x", expect!["5:5 R007 `decide` needs `rows:`"]);
}

#[test]
fn splits_and_templates() {
    steps(
        "  - split: offer\n    arms: { ten: 45%, none: 45% }",
        expect!["6:5 R305 the arms add up to 90%, not to 100% [let them add up to 100%]"],
    );
    steps(
        "  - split: offer\n    arms: { ten: 45, none: 55% }",
        expect!["6:18 R202 `45` is not a share [write `50%`]"],
    );
    steps(
        "  - split: offer\n    arms: { ten_percent: 50%, half_price: 50% }\n  - do: mail.send\n    to: =lead\n    template: \"win-back-{{ offer }}\"",
        expect![
            "9:15 R109 where it is `win-back-half_price`: there is no mail template `win-back-half_price` [write it as `templates/win-back-half_price.md`]"
        ],
    );
    steps(
        "  - split: offer\n    arms: { a: 50%, b: 50% }\n  - stop_if: offer == \"c\"",
        expect![[r#"7:23 R203 `offer` is never "c" [it is one of a, b]"#]],
    );
}

#[test]
fn what_can_never_be_reached() {
    steps(
        "  - stop_if: true\n  - wait: 1 hour\n  - wait: 2 hours",
        expect![
            "6:5 R304 this step can never be reached [remove it, or the step before it that always stops the run]"
        ],
    );
    steps(
        "  - stop_unless: false\n  - wait: 1 hour",
        expect![
            "6:5 R304 this step can never be reached [remove it, or the step before it that always stops the run]"
        ],
    );
    steps(
        "  - if: lead.owner is empty\n    then:\n      - stop_if: true\n    else:\n      - stop_if: true\n  - wait: 1 hour",
        expect![
            "10:5 R304 this step can never be reached [remove it, or the step before it that always stops the run]"
        ],
    );
    steps(
        "  - stop_if: 1 > 2\n  - stop_unless: true\n  - wait: 1 hour",
        expect![[r#"
            5:14 warning R303 this condition is never true
            6:18 warning R303 this condition is always true"#]],
    );
    steps(
        "  - wait_for: { changed: lead.status }\n    otherwise:\n      - wait: 1 hour",
        expect![
            "6:5 R304 without `up_to` this waits for ever, so `otherwise` is never reached [say how long: `up_to: 7 days`]"
        ],
    );
}

#[test]
fn results_that_may_be_unset() {
    steps(
        "  - if: lead.owner is empty\n    then:\n      - do: assign.round_robin\n        team: dach\n        as: pick\n  - do: notify.user\n    to: =pick.user\n    text: hello",
        expect![
            "11:10 R205 `pick` may be unset here: its step does not run on every way to this place [test it first: `pick is not empty and …`]"
        ],
    );
    // Set in both branches, or the other branch stops: fine.
    steps(
        "  - if: lead.owner is empty\n    then:\n      - do: assign.round_robin\n        team: dach\n        as: pick\n    else:\n      - stop_if: true\n  - do: notify.user\n    to: =pick.user\n    text: hello",
        expect![""],
    );
    steps(
        "  - if: lead.owner is empty\n    then:\n      - do: assign.round_robin\n        team: dach\n        as: pick\n  - if: pick is not empty\n    then:\n      - do: notify.user\n        to: =pick.user\n        text: hello\n  - do: notify.user\n    to: =default(pick.user, lead.owner, \"x\")\n    text: hello",
        expect![[
            r#"16:10 R201 the values of `default` are of different kinds: a record of user and a record of user or queue and the text "x""#
        ]],
    );
    file(
        "workflow: a\nwhen:\n  - created: lead\nsteps:\n  - do: assign.round_robin\n    team: dach\n    as: pick\non_error:\n  - do: notify.user\n    to: =pick.user\n    text: failed\n",
        expect![
            "10:10 R205 `pick` may be unset here: its step does not run on every way to this place [test it first: `pick is not empty and …`]"
        ],
    );
    steps(
        "  - do: assign.round_robin\n    team: dach\n    as: pick\n  - do: assign.round_robin\n    team: dach\n    as: pick",
        expect!["10:9 R010 an earlier step is called `pick` already [choose another name]"],
    );
}

#[test]
fn waits() {
    steps(
        "  - wait: a while",
        expect![
            "5:11 R202 `wait` takes a point in time, or a duration such as `48 hours`, not the text `a while`"
        ],
    );
    steps(
        "  - wait: 4 working hours\n    resume_in: nights",
        expect![[r#"
            5:11 R402 `4 working hours` is working time, and no calendar says when that is [name one with `calendar:`]
            6:16 R111 there is no calendar `nights` [known are marketing-hours, sales-hours, support-hours]"#]],
    );
    steps(
        "  - wait: =lead.name",
        expect![
            "5:12 R202 `wait` takes a point in time, or a duration such as `48 hours`, not text"
        ],
    );
    steps(
        "  - wait_for: { changed: lead.statsu }\n    up_to: soon",
        expect![[r#"
            5:26 R102 a lead has no field `statsu` [did you mean `status`?]
            6:12 R202 `up_to` takes a duration such as `48 hours`, not the text `soon`"#]],
    );
    steps(
        "  - wait_for: { changed: lead.owner.name }",
        expect![
            "5:26 R201 `changed` takes a field of one record, and `lead.owner` is a record of user or queue"
        ],
    );
    steps(
        "  - wait_for: { to: x }",
        expect![
            "5:15 R007 `wait_for` does not say what it waits for [write `{ changed: lead.status, to: … }` or `{ event: survey.answered }`]"
        ],
    );
    steps(
        "  - wait_for: { event: survey.answerd }",
        expect![
            "5:24 R106 no object declares an event `survey.answerd` [did you mean `survey.answered`?]"
        ],
    );
    steps(
        "  - wait_for: { event: survey.answered }",
        expect![
            "5:24 R306 `survey.answered` happens to a survey_response and does not lead to the lead that the workflow is about"
        ],
    );
    steps(
        "  - do: mail.send\n    to: =lead\n    template: welcome\n    as: mail\n  - wait_for: { event: survey.answered }\n    since: mail\n  - wait_for: { event: mail.clicked }\n    since: mial\n    up_to: 2 working days",
        expect![[r#"
            10:12 R115 the step `mail` is not answered by `survey.answered` [it is answered by mail.clicked, mail.opened]
            12:12 R114 no step before is called `mial` [did you mean `mail`?]
            13:12 R402 `2 working days` is working time, and no calendar says when that is [name one with `calendar:`]"#]],
    );
    steps(
        "  - wait_for: { changed: lead.status, to: assigned }\n    up_to: 1 day\n    as: change\n    otherwise:\n      - stop_if: change.status == \"new\"",
        expect![[
            r#"9:18 R101 nothing is called `change` here [known are lead; for the text, write "change"]"#
        ]],
    );
}

#[test]
fn deadlines() {
    steps(
        "  - deadline: 4 working hours\n    levels:\n      - at: 50%\n        do: notify.role\n        role: head-of-support\n        text: late\n      - at: 20%\n        steps:\n          - wait: 1 hour\n      - do: notify.role",
        expect![[r#"
            5:5 R007 `deadline` does not say when it is met [write `met_when:` and a condition]
            5:15 R402 `4 working hours` is working time, and no calendar says when that is [name one with `calendar:`]
            11:13 R308 this level has to come after the one at 50%
            14:9 R007 a level does not say when [write `at: 50%`]"#]],
    );
    steps(
        "  - deadline: 4 hours\n    met_when: lead.owner\n    pause_while: lead.status == \"x\"\n    levels:\n      - at: half\n        wait: 1 hour",
        expect![[r#"
            6:15 R208 a condition has to be yes or no, and `lead.owner` is a record of user or queue [write `lead.owner is not empty`, or compare it with something]
            7:33 R203 `lead.status` is never "x" [it is one of new, assigned, in_process, converted, recycled, dead]
            9:13 R202 `half` is not a share [write `50%`]"#]],
    );
    steps(
        "  - deadline: 4 hours\n    met_when: lead.owner is not empty",
        expect!["5:5 R007 `deadline` has no levels [write `levels:` with `- at: 100%`]"],
    );
}

/// What the conditions say of a place narrows what may be empty there.
#[test]
fn what_was_tested_before_may_be_used() {
    head(
        "when:\n  - created: ticket\nonly_if: ticket.customer is not empty\nrepeat: { one_per: ticket.customer }",
        expect![""],
    );
    steps(
        "  - stop_if: lead.owner is empty\n  - do: notify.user\n    to: =lead.owner\n    text: hello",
        expect![""],
    );
    steps(
        "  - stop_unless: lead.owner is not empty and lead.country == \"DE\"\n  - do: notify.user\n    to: =lead.owner\n    text: hello",
        expect![""],
    );
    steps(
        "  - if: lead.owner is empty\n    then:\n      - wait: 1 day\n    else:\n      - do: notify.user\n        to: =lead.owner\n        text: hello",
        expect![""],
    );
    steps(
        "  - decide: who\n    rows:\n      - if: lead.owner is not empty\n        use: =lead.owner\n      - use: queue/unassigned",
        expect![""],
    );
    steps(
        "  - if: lead.owner is not empty\n    then:\n      - wait: 1 day\n  - do: notify.user\n    to: =lead.owner\n    text: hello",
        expect![
            "9:10 R204 `lead.owner` may be empty, and `to` needs a value [test it before (`only_if`, `if` or `stop_if`), or write `=default(lead.owner, …)`]"
        ],
    );
}

#[test]
fn a_word_that_was_ruled_out_is_not_checked() {
    let split = "  - split: offer\n    arms: { ten_percent: 50%, nothing: 50% }\n";
    let mail = "do: mail.send\n    to: =lead\n    template: \"win-back-{{ offer }}\"";
    steps(&format!("{split}  - stop_if: offer == \"nothing\"\n  - {mail}"), expect![""]);
    steps(&format!("{split}  - stop_unless: offer in [\"ten_percent\"]\n  - {mail}"), expect![""]);
    steps(
        &format!("{split}  - stop_if: offer == \"nothing\" and lead.score == 3\n  - {mail}"),
        expect![
            "10:15 R109 where it is `win-back-nothing`: there is no mail template `win-back-nothing` [write it as `templates/win-back-nothing.md`]"
        ],
    );
}

#[test]
fn a_day_is_waited_until_and_a_duration_is_waited() {
    for fine in
        ["=today() + 3 days", "=lead.created_at + 2 days", "2026-12-24", "2026-12-24T09:00:00Z"]
    {
        steps(&format!("  - wait_until: {fine}"), expect![""]);
    }
    steps(
        "  - wait_until: 2 days",
        expect![
            "5:17 R202 `wait_until` takes a day or a point in time, not a duration [write `wait: 2 days`]"
        ],
    );
    steps(
        "  - wait_until: =2 days",
        expect![
            "5:17 R202 `wait_until` takes a day or a point in time, not a duration [write `wait: =2 days`]"
        ],
    );
    steps(
        "  - wait_until: =lead.name",
        expect!["5:17 R202 `wait_until` takes a day or a point in time, not text"],
    );
    steps(
        "  - wait_until: soon",
        expect![[r#"5:17 R202 `wait_until` takes a day or a point in time, not the text "soon""#]],
    );
}
