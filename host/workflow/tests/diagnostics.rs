//! Every diagnostic of a workflow: where it points, what it says, and how it
//! says to mend it.

mod catalog;

use std::sync::LazyLock;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use relata_workflow::{Catalog, Diagnostic, Severity, check_together, parse};

static CATALOG: LazyLock<Catalog> = LazyLock::new(catalog::catalog);

fn said(found: &[Diagnostic]) -> String {
    let lines: Vec<String> = found
        .iter()
        .map(|found| {
            let severity = if found.severity == Severity::Warning { "warning " } else { "" };
            let help = found.help.as_ref().map_or(String::new(), |help| format!(" [{help}]"));
            format!("{}:{} {severity}{} {}{help}", found.span.line, found.span.column, found.code, found.message)
        })
        .collect();
    lines.join("\n")
}

/// A whole file.
fn file(source: &str, expected: Expect) {
    let (definition, found) = parse("test.yaml", source, &CATALOG);
    assert_eq!(definition.is_none(), found.iter().any(Diagnostic::is_error), "{}", said(&found));
    expected.assert_eq(&said(&found));
}

/// Steps of a workflow about a lead, from line 5.
fn steps(steps: &str, expected: Expect) {
    file(&format!("workflow: test\nwhen:\n  - created: lead\nsteps:\n{steps}\n"), expected);
}

/// The head of a workflow about a ticket, before its steps, from line 2.
fn head(head: &str, expected: Expect) {
    file(&format!("workflow: test\n{head}\nsteps:\n  - wait: 1 hour\n"), expected);
}

#[test]
fn yaml_itself() {
    file("", expect!["1:1 R007 the file is empty [begin with `workflow: name`]"]);
    file("# nothing\n", expect!["1:1 R007 the file is empty [begin with `workflow: name`]"]);
    file("just text", expect!["1:1 R008 a workflow is a block of `key: value`"]);
    file("- a\n- b", expect!["1:1 R008 a workflow is a block of `key: value`"]);
    steps("  - wait: 1 hour\n    wait: 2 hours", expect!["6:5 R005 `wait` stands twice in this block [one of the two would be lost: remove it, or join the two]"]);
    steps("  - wait: !x 1 hour", expect!["5:11 R003 `!x` is a YAML tag, and YAML would drop it [write `not …` in a formula, or put the text in quotes]"]);
    steps("  - if: !lead.country in [\"DE\"]\n    then:\n      - wait: 1 hour", expect!["5:9 R003 `!lead.country` is a YAML tag, and YAML would drop it [write `not …` in a formula, or put the text in quotes]"]);
    steps("  - do: crm.update\n    record: =lead\n    set: &fields\n      status: assigned\n  - do: crm.update\n    record: =lead\n    set: *fields", expect![[r#"
        7:10 R004 `&fields` is an anchor of YAML, which workflows do not use [write the value out here]
        11:10 R004 `*fields` is an alias of YAML, which workflows do not use [write the value out here]"#]]);
    steps("\t- wait: 1 hour", expect!["5:1 R002 a tab stands here, and YAML wants spaces [replace it by spaces]"]);
    steps("  - wait:\t1 hour", expect!["5:10 R002 a tab stands here, and YAML wants spaces [replace it by spaces]"]);
    steps("  - do: crm.update\n    record: =lead\n    set: { status: \"assigned }\n  - wait: 1 hour", expect!["7:20 R001 a quotation mark is not closed [close it, or put the whole text in quotes]"]);
    steps("  - do: notify.user\n    to: user/ana\n    text: he said: no\n  - wait: 1 huor", expect![[r#"
        7:18 R001 a second `:` stands on this line where YAML expects none, or the indentation is off [put a text with `: ` in it in quotes; put each key on its own line]
        8:11 R202 `wait` takes a point in time, or a duration such as `48 hours`, not the text `1 huor`"#]]);
    steps("  - do: crm.update\n    record: =lead\n    set: { company: =default(lead.company, lead.name) }", expect!["7:42 R601 `,` or `)` is missing before the end [within { } put the formula in quotes, since a comma ends it]"]);
    file("workflow: a\nwhen: [{ created: lead }]\nsteps: []\n---\nworkflow: b\n", expect!["4:1 R008 a second document begins here [put each workflow in a file of its own]"]);
}

#[test]
fn keys() {
    file("workflow: test", expect![[r#"
        1:1 R007 the workflow does not say what starts it [add `when:` with `- created: lead`, say]
        1:1 R007 the workflow has no steps [add `steps:` with `- do: …`]"#]]);
    file("wrokflow: test\nwhen:\n  - created: lead\nsteps:\n  - wait: 1 hour\n", expect!["1:1 R006 a workflow has no key `wrokflow` [did you mean `workflow`?]"]);
    head("on:\n  - created: lead", expect!["2:1 R006 a workflow has no key `on` [what starts it stands under `when:`]"]);
    head("when:\n  - created: lead\nownr: marketing\nfinally: []", expect![[r#"
        4:1 R006 a workflow has no key `ownr` [did you mean `owner`?]
        5:1 R009 `finally` is not yet in this version"#]]);
    file("workflow: My Flow!\nwhen:\n  - created: lead\nsteps:\n  - wait: 1 hour\n", expect!["1:11 R010 `My Flow!` cannot be a workflow's name [use lower-case letters, digits and -]"]);
    steps("  - doo: crm.update\n    record: =lead", expect!["5:5 R006 a step has no key `doo` [did you mean `do`?]"]);
    steps("  - crm.update:\n      record: =lead", expect!["5:5 R006 an action stands behind `do:` [write `do: crm.update`]"]);
    steps("  - for_each: =lead.tags", expect!["5:5 R009 `for_each` is not yet in this version"]);
    steps("  - wait: 1 hour\n    do: crm.update", expect!["5:5 R008 `do` and `wait` cannot stand in one step [begin a new step with `- `]"]);
    steps("  - title: x", expect!["5:5 R007 this step does not say what it does [begin it with one of do, decide, if, wait, wait_for, deadline, split, stop_if, stop_unless]"]);
    steps("  - if: lead.owner is empty", expect!["5:5 R007 `if` needs `then:`"]);
    steps("  - if: lead.owner is empty\n    than:\n      - wait: 1 hour", expect!["6:5 R006 `if` has no key `than` [did you mean `then`?]"]);
    file("workflow: a\nwhen:\n  - created: lead\nsteps:\n  do: crm.update\n", expect!["5:3 R008 `steps` is a list of steps [begin each step with `- `]"]);
    file("workflow: a\nwhen:\n  - created: lead\nsteps:\n", expect!["4:1 R007 `steps` has no steps"]);
}

#[test]
fn triggers() {
    head("when:\n  - created: leed", expect!["3:14 R103 there is no object `leed` [did you mean `lead`?]"]);
    head("when:\n  - changed: lead.statsu", expect!["3:14 R102 a lead has no field `statsu` [did you mean `status`?]"]);
    head("when:\n  - changed: lead.status\n    to: asigned", expect!["4:9 R203 `to` is never `asigned` [did you mean `assigned`?]"]);
    head("when:\n  - changed: lead.owner.name", expect!["3:14 R102 a trigger watches a field of a lead, not what a relation leads to"]);
    head("when:\n  - changed: lead\n    to: new", expect!["4:5 R008 `to` needs a field: `changed: ticket.status`"]);
    head("when:\n  - enters: segment/dormant", expect!["3:13 R110 there is no segment `dormant` [known are dormant-90-days, no-surveys, open-complaint, unsubscribed]"]);
    head("when:\n  - enters: team/dach", expect!["3:13 R202 a segment is needed here, not a team [write `segment/…`]"]);
    head("when:\n  - event: order.payed", expect!["3:12 R106 no object declares an event `order.payed` [did you mean `order.paid`?]"]);
    head("when:\n  - created: lead\n  - created: ticket", expect!["4:5 R307 this trigger is about a ticket, and one before it about a lead [make a workflow for each]"]);
    head("when:\n  - webhook: x", expect!["3:5 R009 `webhook` is not yet in this version"]);
    head("when:\n  - create: lead", expect!["3:5 R006 a trigger has no key `create` [did you mean `created`?]"]);
    head("when:\n  - {}", expect!["3:5 R007 a trigger does not say what has to happen [write one of created, changed, enters, event, schedule, cron]"]);
    head("when:\n  - created: =lead", expect!["3:14 R008 `created` cannot be computed: it is a text that is written out"]);
}

#[test]
fn schedules() {
    head("when:\n  - cron: 0 25 * * *\n    time_zone: Europe/Berlin", expect!["3:11 R401 the hour is 0 to 23, not `25`"]);
    head("when:\n  - cron: \"0 0 30 2 *\"\n    time_zone: Europe/Berlin", expect!["3:11 R401 there is no such day, so this would never fire"]);
    head("when:\n  - schedule: sometimes\n    time_zone: Europe/Berlin", expect!["3:15 R401 `sometimes` is not a schedule; write `weekdays at 09:00`, `daily at 08:30`, `mondays at 10:00`, `hourly` or `every 15 minutes`"]);
    head("when:\n  - schedule: daily at 02:30\n    time_zone: Europe/Berlin", expect!["3:15 warning R403 in Europe/Berlin there is no 02:30 on days like 2025-03-30, when the clock goes forward [on such a day it fires at 03:00]"]);
    head("when:\n  - schedule: hourly\n    time_zone: Europe/Berlin", expect![[""]]);
    head("when:\n  - schedule: daily at 09:00", expect!["3:5 R007 a schedule needs to say in which time zone [add `time_zone: Europe/Berlin`]"]);
    head("when:\n  - schedule: daily at 09:00\n    time_zone: Europe/Berln\n    if_missed: never", expect![[r#"
        4:16 R404 there is no time zone `Europe/Berln` [use an IANA name such as Europe/Berlin]
        5:16 R203 `if_missed` is never `never` [write once, all or skip]"#]]);
    file("workflow: a\nwhen:\n  - schedule: daily at 09:00\n    time_zone: UTC\nsteps:\n  - stop_if: lead.owner is empty\n", expect![[r#"6:14 R101 nothing is called `lead` here [for the text, write "lead"]"#]]);
}

#[test]
fn heads() {
    head("when:\n  - created: lead\nowner: sales-opps", expect!["4:8 warning R113 nobody has the role `sales-opps`, and no team is called so [did you mean `sales-ops`?]"]);
    head("when:\n  - created: lead\ncalendar: sales-hour\nsend_in: nights", expect![[r#"
        4:11 R111 there is no calendar `sales-hour` [did you mean `sales-hours`?]
        5:10 R111 there is no calendar `nights` [known are marketing-hours, sales-hours, support-hours]"#]]);
    head("when:\n  - created: lead\nnever_for: [segment/unsubscribd, open-complaint]", expect!["4:13 R110 there is no segment `unsubscribd` [did you mean `unsubscribed`?]"]);
    head("when:\n  - created: lead\nonly_if:\n  - lead.owner\n  - true\n  - 1 < 2", expect![[r#"
        5:5 R208 a condition has to be yes or no, and `lead.owner` is a record of user or queue [compare it with something]
        6:5 warning R303 this condition is always true
        7:5 warning R303 this condition is always true"#]]);
    head("when:\n  - created: lead\nonly_if: lead.status == \"nwe\"", expect![[r#"4:25 R203 `lead.status` is never "nwe" [did you mean `new`?]"#]]);
    head("when:\n  - created: ticket\nrepeat: { one_per: ticket.customer, again_after: 30 days }", expect!["4:20 R204 `ticket.customer` may be empty, and all that have none would count as one [add `only_if: ticket.customer is not empty`]"]);
    head("when:\n  - created: ticket\nrepeat: { one_per: ticket.customr, again_after: soon, while_running: wait, counted_from: survey }", expect![[r#"
        4:20 R102 a ticket has no field `customr` [did you mean `customer`?]
        4:49 R202 `soon` is not a duration [write `30 days`, or `never`]
        4:70 R203 `while_running` is never `wait` [known are ignore, restart, queue, parallel]
        4:90 R114 no step is called `survey` [give the step a name: `as: survey`]"#]]);
    head("when:\n  - created: ticket\nrepeat: { again_after: 2 working days }", expect!["4:24 R402 `2 working days` is working time, and no calendar says when that is [name one with `calendar:`]"]);
    head("when:\n  - created: ticket\nstop_when:\n  - changed: lead.status\n    to: dead\n  - event: order.paid\n  - changed: ticket.status\n    too: solved", expect![[r#"
        5:14 R306 `changed lead.status` happens to a lead and does not lead to the ticket that the workflow is about
        7:12 R306 `order.paid` happens to an order and does not lead to the ticket that the workflow is about
        9:5 R006 `stop_when` has no key `too` [did you mean `to`?]"#]]);
    head("when:\n  - created: ticket\nhold_above: 2000 daily", expect!["4:13 R202 `2000 daily` is not a limit [write `2000 per day`, `per hour` or `per week`]"]);
}

#[test]
fn actions() {
    steps("  - do: mail.sned\n    to: =lead", expect!["5:9 R104 there is no action `mail.sned` [did you mean `mail.send`?]"]);
    steps("  - do: mail.send\n    to: =lead", expect!["5:9 R206 `mail.send` needs the argument `template` [add `template:`, which is the name of a mail template]"]);
    steps("  - do: mail.send\n    to: =lead\n    template: welcom\n    tempo: fast", expect![[r#"
        7:15 R109 there is no mail template `welcom` [did you mean `welcome`?]
        8:5 R105 `mail.send` takes no argument `tempo` [known are data, template, to, as, retry, if_it_fails]"#]]);
    steps("  - do: assign.round_robin\n    team: dahc\n    max_open_leads: many", expect![[r#"
        6:11 R112 there is no team `dahc` [did you mean `dach`?]
        7:21 R202 `max_open_leads` takes a whole number, not the text `many`"#]]);
    steps("  - do: assign.round_robin\n    team: dach\n    max_open_leads: 0", expect!["7:21 R202 `max_open_leads` is at least 1, not 0"]);
    steps("  - do: assign.round_robin\n    team: dach\n    max_open_leads: \"40\"", expect!["7:21 R202 `max_open_leads` takes a whole number, not the text `40` [write the number without quotes]"]);
    steps("  - do: assign.round_robin\n    team: =lead.country\n    fallback_user: =lead", expect![[r#"
        6:12 R202 `team` takes a record of team, not text
        7:21 R202 `fallback_user` takes a record of user, not a record of lead"#]]);
    steps("  - do: task.create\n    record: lead\n    assignee: lead.owner\n    title: lead.name\n    due_in: tomorrow", expect![[r#"
        6:13 R202 `record` takes a record, not the text `lead` [did you mean `=lead`?]
        7:15 R202 `assignee` takes a record of user or queue, not the text `lead.owner` [did you mean `=lead.owner`?]
        8:12 warning R207 `title` is the text `lead.name`, which looks like a path [did you mean `=lead.name`?]
        9:13 R202 `due_in` takes a point in time, or a duration such as `48 hours`, not the text `tomorrow`"#]]);
    steps("  - do: task.create\n    record: =lead\n    assignee: unassigned\n    title: call\n    due_in: 2 working days", expect![[r#"
        7:15 R202 `assignee` takes a record of user or queue, not the text `unassigned` [write `user/unassigned` or `queue/unassigned`]
        9:13 R402 `2 working days` is working time, and no calendar says when that is [name one with `calendar:`]"#]]);
    steps("  - do: task.create\n    record: =lead\n    assignee: =lead.owner\n    title: =lead.company_size\n    due_in: =lead.name", expect![[r#"
        7:16 R204 `lead.owner` may be empty, and `assignee` needs a value [test it before (`only_if`, `if` or `stop_if`), or write `=default(lead.owner, …)`]
        8:13 R202 `title` takes text, not a number [to make text of it, write "{{ … }}"]
        9:14 R202 `due_in` takes a point in time, or a duration such as `48 hours`, not text"#]]);
    steps("  - do: task.create\n    record: =lead\n    assignee: quue/unassigned\n    title: call\n    due_in: 1 day", expect!["7:15 R103 there is no object `quue` [did you mean `queue`?]"]);
    steps("  - do: task.create\n    record: =lead\n    assignee: queue/unasigned\n    title: call\n    due_in: 1 day", expect!["7:15 R112 there is no queue `unasigned` [did you mean `unassigned`?]"]);
    steps("  - do: notify.user\n    to: =lead.owner.manager\n    text: \"{{ lead.nme }} {{ lead.created_at | shrot }} {{ lead.name | time }}\"", expect![[r#"
        6:10 R204 `lead.owner.manager` may be empty, and `to` needs a value [test it before (`only_if`, `if` or `stop_if`), or write `=default(lead.owner.manager, …)`]
        7:15 R102 a lead has no field `nme` [did you mean `name`?]
        7:48 R108 there is no filter `shrot` [did you mean `short`?]
        7:72 R201 `time` writes a point in time, and this is text"#]]);
    steps("  - do: notify.user\n    to: queue/unassigned\n    text: \"{{ lead.name\"", expect!["7:12 R601 `{{` is not closed [close it with `}}`]"]);
    steps("  - do: segment.membership\n    segment: vips\n    record: =lead", expect!["6:14 R110 there is no segment `vips` [known are dormant-90-days, no-surveys, open-complaint, unsubscribed]"]);
}

#[test]
fn fields() {
    steps("  - do: crm.update\n    record: =lead\n    set: { statsu: assigned, status: asigned, company_size: -1, email: no, owner: =lead, created_at: x }", expect![[r#"
        7:12 R102 a lead has no field `statsu` [did you mean `status`?]
        7:38 R203 `status` is never `asigned` [did you mean `assigned`?]
        7:61 R202 `company_size` is at least 0, not -1
        7:72 R202 `email`: `no` is not a mail address such as anna@example.com
        7:84 R202 `owner` takes a record of user or queue, not a record of lead
        7:90 R202 `created_at` is set by the system alone"#]]);
    steps("  - do: crm.update\n    record: =lead\n    set: { name: , note: , company_size: =lead.name, status: =lead.country, owner: queue/nobody, tags: fair }", expect![[r#"
        7:16 R206 `name` must not be empty
        7:43 R202 `company_size` takes a whole number, not text
        7:63 R202 `status` takes one of new, assigned, in_process, converted, recycled, dead, not text [decide first: `decide:` yields one word of a few]
        7:84 R112 there is no queue `nobody` [known are complaints, unassigned]
        7:104 R202 `tags` takes a list, not the text `fair` [write `[fair]`]"#]]);
    steps("  - do: crm.update\n    record: =lead\n    set: assigned", expect!["7:10 R202 `set` takes a block of `name: value`, not the text `assigned` [write `{ name: value }`]"]);
    steps("  - do: crm.create\n    object: tikcet\n    set: { subject: x }", expect!["6:13 R103 there is no object `tikcet` [did you mean `ticket`?]"]);
    steps("  - do: crm.create\n    object: ticket\n    set: { subjct: x }", expect!["7:12 R102 a ticket has no field `subjct` [did you mean `subject`?]"]);
    steps("  - do: crm.update\n    record: =lead\n    set: { tags: [fair, =lead.score], score: =default(lead.score, 0) + 1, note: \"{{ lead.name }}\" }", expect![[r#"
        7:26 R202 `tags` takes text, not a number [to make text of it, write "{{ … }}"]
        7:65 R601 `,` or `)` is missing before the end [within { } put the formula in quotes, since a comma ends it]"#]]);
}

#[test]
fn failures_and_retries() {
    steps("  - do: sentiment.score\n    text: =lead.name\n    as: mood\n    retry: often\n    if_it_fails: { use: { labl: unknown, score: none } }", expect![[r#"
        8:12 R202 `often` does not say how often it is tried again [write `3 times`, or `5 times, first after 1 minute`]
        9:27 R105 `use` has no part `labl` [did you mean `label`?]
        9:49 R202 `score` takes a number, not the text `none`"#]]);
    steps("  - do: sentiment.score\n    text: =lead.name\n    as: mood\n    if_it_fails: { use: { label: unknown } }\n  - stop_if: mood.label == \"unknwn\" or mood.score < 0", expect![[r#"
        9:28 R203 `mood.label` is never "unknwn" [did you mean `unknown`?]
        9:40 R204 `mood.score` may be empty, and a value is needed here [write `mood.score is not empty and …`, or `default(mood.score, 0)`]"#]]);
    steps("  - do: sentiment.score\n    text: =lead.name\n    as: mood\n    if_it_fails: {}", expect!["8:5 R007 `if_it_fails` needs `use:`"]);
}

#[test]
fn decisions() {
    steps("  - decide: team\n    rows:\n      - if: lead.country == \"DE\"\n        use: dach", expect!["6:5 R302 no row takes what meets none of the conditions [add a last row with `use:` alone]"]);
    steps("  - decide: team\n    rows:\n      - use: dach\n      - if: lead.country == \"DE\"\n        use: enterprise", expect!["8:9 R301 this row can never be chosen: the row before it takes everything [move the row without `if` to the end]"]);
    steps("  - decide: team\n    rows:\n      - if: lead.country == \"DE\"\n        use: dach\n      - use: europe\n  - do: assign.round_robin\n    team: =team", expect!["11:12 R112 where it is `europe`: there is no team `europe` [known are dach, enterprise, international, sales-ops]"]);
    steps("  - decide: n\n    rows:\n      - if: 1 == 1\n        use: 5\n      - use: =lead.name", expect![[r#"
        7:13 warning R303 this condition is always true
        9:14 R201 this row yields text, and a row before it a number [let all rows yield values of one kind]"#]]);
    steps("  - decide: n\n    rows:\n      - if: lead.country == \"DE\"\n        use: { a: 5 }\n      - use: { b: 1 day }\n  - stop_if: n.a > 3\n  - stop_if: n.c is empty", expect![[r#"
        10:14 R204 `n.a` may be empty, and a value is needed here [write `n.a is not empty and …`, or `default(n.a, 0)`]
        11:14 R102 `n` has no part `c` [known are a, b]"#]]);
    steps("  - decide: t\n    rows:\n      - if: lead.country == \"DE\"\n        use: { within: 1 working hour }\n      - use: { within: 4 hours }\n  - wait: =t.within", expect!["10:11 R402 `1 working hour` is working time, and no calendar says when that is [name one with `calendar:`]"]);
    steps("  - decide: lead\n    rows:\n      - use: 1\n  - decide: And\n    rows:\n      - use: 1\n  - decide: and\n    rows:\n      - use: 1", expect![[r#"
        5:13 R010 `lead` is what the workflow is about [choose another name]
        8:13 R010 `And` cannot be a name: use lower-case letters, digits and _ [choose another name]
        11:13 R010 `and` is a word of the language [choose another name]"#]]);
    steps("  - decide: x", expect!["5:5 R007 `decide` needs `rows:`"]);
}

#[test]
fn splits_and_templates() {
    steps("  - split: offer\n    arms: { ten: 45%, none: 45% }", expect!["6:5 R305 the arms add up to 90%, not to 100% [let them add up to 100%]"]);
    steps("  - split: offer\n    arms: { ten: 45, none: 55% }", expect!["6:18 R202 `45` is not a share [write `50%`]"]);
    steps("  - split: offer\n    arms: { ten_percent: 50%, half_price: 50% }\n  - do: mail.send\n    to: =lead\n    template: \"win-back-{{ offer }}\"", expect!["9:15 R109 where it is `win-back-half_price`: there is no mail template `win-back-half_price`"]);
    steps("  - split: offer\n    arms: { a: 50%, b: 50% }\n  - stop_if: offer == \"c\"", expect![[r#"7:23 R203 `offer` is never "c" [it is one of a, b]"#]]);
}

#[test]
fn what_can_never_be_reached() {
    steps("  - stop_if: true\n  - wait: 1 hour\n  - wait: 2 hours", expect!["6:5 R304 this step can never be reached [remove it, or the step before it that always stops the run]"]);
    steps("  - stop_unless: false\n  - wait: 1 hour", expect!["6:5 R304 this step can never be reached [remove it, or the step before it that always stops the run]"]);
    steps("  - if: lead.owner is empty\n    then:\n      - stop_if: true\n    else:\n      - stop_if: true\n  - wait: 1 hour", expect!["10:5 R304 this step can never be reached [remove it, or the step before it that always stops the run]"]);
    steps("  - stop_if: 1 > 2\n  - stop_unless: true\n  - wait: 1 hour", expect![[r#"
        5:14 warning R303 this condition is never true
        6:18 warning R303 this condition is always true"#]]);
    steps("  - wait_for: { changed: lead.status }\n    otherwise:\n      - wait: 1 hour", expect!["6:5 R304 without `up_to` this waits for ever, so `otherwise` is never reached [say how long: `up_to: 7 days`]"]);
}

#[test]
fn results_that_may_be_unset() {
    steps("  - if: lead.owner is empty\n    then:\n      - do: assign.round_robin\n        team: dach\n        as: pick\n  - do: notify.user\n    to: =pick.user\n    text: hello", expect!["11:10 R205 `pick` may be unset here: its step does not run on every way to this place [test it first: `pick is not empty and …`]"]);
    // Set in both branches, or the other branch stops: fine.
    steps("  - if: lead.owner is empty\n    then:\n      - do: assign.round_robin\n        team: dach\n        as: pick\n    else:\n      - stop_if: true\n  - do: notify.user\n    to: =pick.user\n    text: hello", expect![[""]]);
    steps("  - if: lead.owner is empty\n    then:\n      - do: assign.round_robin\n        team: dach\n        as: pick\n  - if: pick is not empty\n    then:\n      - do: notify.user\n        to: =pick.user\n        text: hello\n  - do: notify.user\n    to: =default(pick.user, lead.owner, \"x\")\n    text: hello", expect![[r#"16:10 R201 the values of `default` are of different kinds: a record of user and a record of user or queue and the text "x""#]]);
    file("workflow: a\nwhen:\n  - created: lead\nsteps:\n  - do: assign.round_robin\n    team: dach\n    as: pick\non_error:\n  - do: notify.user\n    to: =pick.user\n    text: failed\n", expect!["10:10 R205 `pick` may be unset here: its step does not run on every way to this place [test it first: `pick is not empty and …`]"]);
    steps("  - do: assign.round_robin\n    team: dach\n    as: pick\n  - do: assign.round_robin\n    team: dach\n    as: pick", expect!["10:9 R010 an earlier step is called `pick` already [choose another name]"]);
}

#[test]
fn waits() {
    steps("  - wait: a while", expect!["5:11 R202 `wait` takes a point in time, or a duration such as `48 hours`, not the text `a while`"]);
    steps("  - wait: 4 working hours\n    resume_in: nights", expect![[r#"
        5:11 R402 `4 working hours` is working time, and no calendar says when that is [name one with `calendar:`]
        6:16 R111 there is no calendar `nights` [known are marketing-hours, sales-hours, support-hours]"#]]);
    steps("  - wait: =lead.name", expect!["5:12 R202 `wait` takes a point in time, or a duration such as `48 hours`, not text"]);
    steps("  - wait_for: { changed: lead.statsu }\n    up_to: soon", expect![[r#"
        5:26 R102 a lead has no field `statsu` [did you mean `status`?]
        6:12 R202 `up_to` takes a duration such as `48 hours`, not the text `soon`"#]]);
    steps("  - wait_for: { changed: lead.owner.name }", expect!["5:26 R201 `changed` takes a field of one record, and `lead.owner` is a record of user or queue"]);
    steps("  - wait_for: { to: x }", expect!["5:15 R007 `wait_for` does not say what it waits for [write `{ changed: lead.status, to: … }` or `{ event: survey.answered }`]"]);
    steps("  - wait_for: { event: survey.answerd }", expect!["5:24 R106 no object declares an event `survey.answerd` [did you mean `survey.answered`?]"]);
    steps("  - wait_for: { event: survey.answered }", expect!["5:24 R306 `survey.answered` happens to a survey_response and does not lead to the lead that the workflow is about"]);
    steps("  - do: mail.send\n    to: =lead\n    template: welcome\n    as: mail\n  - wait_for: { event: survey.answered }\n    since: mail\n  - wait_for: { event: mail.clicked }\n    since: mial\n    up_to: 2 working days", expect![[r#"
        10:12 R115 the step `mail` is not answered by `survey.answered` [it is answered by mail.clicked, mail.opened]
        12:12 R114 no step before is called `mial` [did you mean `mail`?]
        13:12 R402 `2 working days` is working time, and no calendar says when that is [name one with `calendar:`]"#]]);
    steps("  - wait_for: { changed: lead.status, to: assigned }\n    up_to: 1 day\n    as: change\n    otherwise:\n      - stop_if: change.status == \"new\"", expect!["9:18 R101 nothing is called `change` here [known are lead]"]);
}

#[test]
fn deadlines() {
    steps("  - deadline: 4 working hours\n    levels:\n      - at: 50%\n        do: notify.role\n        role: head-of-support\n        text: late\n      - at: 20%\n        steps:\n          - wait: 1 hour\n      - do: notify.role", expect![[r#"
        5:5 R007 `deadline` does not say when it is met [write `met_when:` and a condition]
        5:15 R402 `4 working hours` is working time, and no calendar says when that is [name one with `calendar:`]
        11:13 R308 this level has to come after the one at 50%
        14:9 R007 a level does not say when [write `at: 50%`]"#]]);
    steps("  - deadline: 4 hours\n    met_when: lead.owner\n    pause_while: lead.status == \"x\"\n    levels:\n      - at: half\n        wait: 1 hour", expect![[r#"
        6:15 R208 a condition has to be yes or no, and `lead.owner` is a record of user or queue [compare it with something]
        7:33 R203 `lead.status` is never "x" [it is one of new, assigned, in_process, converted, recycled, dead]
        9:13 R202 `half` is not a share [write `50%`]"#]]);
    steps("  - deadline: 4 hours\n    met_when: lead.owner is not empty", expect!["5:5 R007 `deadline` has no levels [write `levels:` with `- at: 100%`]"]);
}

/// What the conditions say of a place narrows what may be empty there.
#[test]
fn what_was_tested_before_may_be_used() {
    head("when:\n  - created: ticket\nonly_if: ticket.customer is not empty\nrepeat: { one_per: ticket.customer }", expect![[""]]);
    steps("  - stop_if: lead.owner is empty\n  - do: notify.user\n    to: =lead.owner\n    text: hello", expect![[""]]);
    steps("  - stop_unless: lead.owner is not empty and lead.country == \"DE\"\n  - do: notify.user\n    to: =lead.owner\n    text: hello", expect![[""]]);
    steps("  - if: lead.owner is empty\n    then:\n      - wait: 1 day\n    else:\n      - do: notify.user\n        to: =lead.owner\n        text: hello", expect![[""]]);
    steps("  - decide: who\n    rows:\n      - if: lead.owner is not empty\n        use: =lead.owner\n      - use: queue/unassigned", expect![""]);
    steps("  - if: lead.owner is not empty\n    then:\n      - wait: 1 day\n  - do: notify.user\n    to: =lead.owner\n    text: hello", expect!["9:10 R204 `lead.owner` may be empty, and `to` needs a value [test it before (`only_if`, `if` or `stop_if`), or write `=default(lead.owner, …)`]"]);
}

#[test]
fn workflows_that_start_each_other() {
    let workflow = |name: &str, trigger: &str, set: &str| {
        let source = format!("workflow: {name}\nwhen:\n  - {trigger}\nsteps:\n  - do: crm.update\n    record: =ticket\n    set: {{ {set} }}\n");
        let (definition, found) = parse(&format!("{name}.yaml"), &source, &CATALOG);
        definition.unwrap_or_else(|| panic!("{}", said(&found)))
    };
    let a = workflow("a", "{ changed: ticket.priority, to: urgent }", "category: complaint");
    let b = workflow("b", "{ changed: ticket.category }", "priority: urgent");
    let c = workflow("c", "{ changed: ticket.category }", "priority: low");
    let own = workflow("own", "{ changed: ticket.category }", "category: x");
    let check = |workflows: &[&relata_workflow::Definition], expected: Expect| {
        let named: Vec<(&relata_workflow::Definition, &str)> = workflows.iter().map(|definition| (*definition, definition.name.as_str())).collect();
        expected.assert_eq(&said(&check_together(&named, &CATALOG)));
    };
    check(&[&a, &b], expect!["5:1 warning R501 these workflows may start each other for ever: a -> b -> a [let an `only_if` of one exclude what another writes]"]);
    check(&[&a, &c], expect![[""]]);
    check(&[&own], expect![[""]]);
    check(&[&a, &c, &b, &own], expect![[r#"
        5:1 warning R501 these workflows may start each other for ever: a -> b -> a [let an `only_if` of one exclude what another writes]
        5:1 warning R501 these workflows may start each other for ever: own -> b -> a -> own [let an `only_if` of one exclude what another writes]"#]]);
    check(&[&a, &a], expect!["1:1 R502 the workflow `a` is in a already [rename one of the two]"]);
}

#[test]
fn the_same_as_json() {
    let (_, found) = parse("a.yaml", "workflow: a\nwhen:\n  - created: leed\nsteps: []\n", &CATALOG);
    expect![[r#"
        [
          {
            "code": "R103",
            "severity": "error",
            "message": "there is no object `leed`",
            "help": "did you mean `lead`?",
            "file": "a.yaml",
            "span": {
              "start": 31,
              "end": 35,
              "line": 3,
              "column": 14
            }
          }
        ]"#]].assert_eq(&serde_json::to_string_pretty(&found).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_reader_panic(source in "[a-z:&*!|>%@#`'\"{}\\[\\],.=<\t\n -]{0,120}") {
        let _ = parse("a.yaml", &source, &CATALOG);
    }

    /// A workflow that is cut off, or has a letter changed, is told about and
    /// nothing else.
    #[test]
    fn no_slip_makes_the_reader_panic(which in 0_usize..4, cut in 0_usize..3_000, letter in "\\PC|\t|\n") {
        let source = [
            include_str!("../../../workflows/assign-new-leads.yaml"),
            include_str!("../../../workflows/inquiry-survey.yaml"),
            include_str!("../../../workflows/complaint-escalation.yaml"),
            include_str!("../../../workflows/win-back.yaml"),
        ][which];
        let mut cut = cut % source.len();
        while !source.is_char_boundary(cut) {
            cut -= 1;
        }
        let _ = parse("a.yaml", &source[..cut], &CATALOG);
        let next = source[cut..].chars().next().map_or(0, char::len_utf8);
        let changed = format!("{}{letter}{}", &source[..cut], &source[cut + next..]);
        let (_, found) = parse("a.yaml", &changed, &CATALOG);
        for found in found {
            prop_assert!(found.span.start <= found.span.end && found.span.end <= changed.len());
            prop_assert!(changed.is_char_boundary(found.span.start) && changed.is_char_boundary(found.span.end));
        }
    }
}
