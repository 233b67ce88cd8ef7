//! The file itself, its keys, and what stands before the steps.

use expect_test::expect;

use super::{file, head, steps};

#[test]
fn yaml_itself() {
    file("", expect!["1:1 R007 the file is empty [begin with `workflow: name`]"]);
    file("# nothing\n", expect!["1:1 R007 the file is empty [begin with `workflow: name`]"]);
    file("just text", expect!["1:1 R008 a workflow is a block of `key: value`"]);
    file("- a\n- b", expect!["1:1 R008 a workflow is a block of `key: value`"]);
    steps(
        "  - wait: 1 hour\n    wait: 2 hours",
        expect![
            "6:5 R005 `wait` stands twice in this block [begin a new item with `- `, or remove one of the two]"
        ],
    );
    steps(
        "  - wait: !x 1 hour",
        expect![
            "5:11 R003 `!x` is a YAML tag, and YAML would drop it [write `not …` in a formula, or put the text in quotes]"
        ],
    );
    steps(
        "  - if: !lead.country in [\"DE\"]\n    then:\n      - wait: 1 hour",
        expect![
            "5:9 R003 `!lead.country` is a YAML tag, and YAML would drop it [write `not …` in a formula, or put the text in quotes]"
        ],
    );
    steps(
        "  - do: crm.update\n    record: =lead\n    set: &fields\n      status: assigned\n  - do: crm.update\n    record: =lead\n    set: *fields",
        expect![[r#"
            7:10 R004 `&fields` is an anchor of YAML, which workflows do not use [write the value out here]
            11:10 R004 `*fields` is an alias of YAML, which workflows do not use [write the value out here]"#]],
    );
    steps(
        "\t- wait: 1 hour",
        expect!["5:1 R002 a tab stands here, and YAML wants spaces [replace it by spaces]"],
    );
    // The rest of a file that is full of tabs is read all the same.
    steps(
        "\t- if: lead.owner is empty\n\t\tthen:\n\t\t\t- wait: 1 huor\n\t- wait: 2 hours",
        expect![[r#"
            5:1 R002 a tab stands here, and YAML wants spaces [replace it by spaces]
            6:1 R002 a tab stands here, and YAML wants spaces [replace it by spaces]
            7:1 R002 a tab stands here, and YAML wants spaces [replace it by spaces]
            7:12 R202 `wait` takes a point in time, or a duration such as `48 hours`, not the text `1 huor` [write `1 hours`]
            8:1 R002 a tab stands here, and YAML wants spaces [replace it by spaces]"#]],
    );
    steps(
        "  - wait:\t1 hour",
        expect!["5:10 R002 a tab stands here, and YAML wants spaces [replace it by spaces]"],
    );
    steps(
        "  - do: crm.update\n    record: =lead\n    set: { status: \"assigned }\n  - wait: 1 hour",
        expect![
            "7:10 R001 this `{` is not closed [look for a missing `}`, or a bracket of the other kind]"
        ],
    );
    steps(
        "  - do: notify.user\n    to: user/ana\n    text: he said: no\n  - wait: 1 huor",
        expect![[r#"
            7:18 R001 a text with `: ` in it has to stand in quotes [put it in quotes: "he said: no"]
            8:11 R202 `wait` takes a point in time, or a duration such as `48 hours`, not the text `1 huor` [write `1 hours`]"#]],
    );
    steps(
        "  - do: crm.update\n    record: =lead\n    set: { company: =default(lead.company, lead.name) }",
        expect![
            "7:42 R601 `,` or `)` is missing before the end [within { } put the formula in quotes, since a comma ends it]"
        ],
    );
    file(
        "workflow: a\nwhen: [{ created: lead }]\nsteps: []\n---\nworkflow: b\n",
        expect!["4:1 R008 a second document begins here [put each workflow in a file of its own]"],
    );
}

#[test]
fn keys() {
    file(
        "workflow: test",
        expect![[r#"
            1:1 R007 the workflow does not say what starts it [add `when:` with `- created: lead`, say]
            1:1 R007 the workflow has no steps [add `steps:` with `- do: …`]"#]],
    );
    file(
        "wrokflow: test\nwhen:\n  - created: lead\nsteps:\n  - wait: 1 hour\n",
        expect!["1:1 R006 a workflow has no key `wrokflow` [did you mean `workflow`?]"],
    );
    head(
        "on:\n  - created: lead",
        expect!["2:1 R006 a workflow has no key `on` [what starts it stands under `when:`]"],
    );
    head(
        "when:\n  - created: lead\nownr: marketing\nfinally: []",
        expect!["4:1 R006 a workflow has no key `ownr` [did you mean `owner`?]"],
    );
    file(
        "workflow: My Flow!\nwhen:\n  - created: lead\nsteps:\n  - wait: 1 hour\n",
        expect![
            "1:11 R010 `My Flow!` cannot be a workflow's name [write `my-flow`: lower-case letters, digits and -]"
        ],
    );
    steps(
        "  - doo: crm.update\n    record: =lead",
        expect!["5:5 R006 a step has no key `doo` [did you mean `do`?]"],
    );
    steps(
        "  - crm.update:\n      record: =lead",
        expect!["5:5 R006 an action stands behind `do:` [write `do: crm.update`]"],
    );
    steps(
        "  - for_each: =lead.tags",
        expect![[r#"
        5:5 R007 `for_each` does not say what an item is called [add `as: customer`, say]
        5:5 R007 `for_each` has no steps [add `steps:` with what is done for each item]
        5:16 R204 `lead.tags` may be empty, and `for_each` needs a list [write `=default(lead.tags, [])`]"#]],
    );
    steps(
        "  - wait: 1 hour\n    do: crm.update",
        expect!["5:5 R008 `do` and `wait` cannot stand in one step [begin a new step with `- `]"],
    );
    steps(
        "  - title: x",
        expect![
            "5:5 R007 this step does not say what it does [begin it with one of do, decide, if, wait, wait_until, wait_for, deadline, split, set, for_each, parallel, run, ask, stop_if, stop_unless]"
        ],
    );
    steps("  - if: lead.owner is empty", expect!["5:5 R007 `if` needs `then:`"]);
    steps(
        "  - if: lead.owner is empty\n    than:\n      - wait: 1 hour",
        expect!["6:5 R006 `if` has no key `than` [did you mean `then`?]"],
    );
    file(
        "workflow: a\nwhen:\n  - created: lead\nsteps:\n  do: crm.update\n",
        expect!["5:3 R008 `steps` is a list of steps [begin each step with `- `]"],
    );
    file(
        "workflow: a\nwhen:\n  - created: lead\nsteps:\n",
        expect!["4:1 R007 `steps` has no steps"],
    );
}

#[test]
fn triggers() {
    head(
        "when:\n  - created: leed",
        expect!["3:14 R103 there is no object `leed` [did you mean `lead`?]"],
    );
    head(
        "when:\n  - changed: lead.statsu",
        expect!["3:14 R102 a lead has no field `statsu` [did you mean `status`?]"],
    );
    head(
        "when:\n  - changed: lead.status\n    to: asigned",
        expect!["4:9 R203 `to` is never `asigned` [did you mean `assigned`?]"],
    );
    head(
        "when:\n  - changed: lead.owner.name",
        expect!["3:14 R102 a trigger watches a field of a lead, not what a relation leads to"],
    );
    head(
        "when:\n  - changed: lead\n    to: new",
        expect!["4:5 R008 `to` needs a field: `changed: ticket.status`"],
    );
    head(
        "when:\n  - enters: segment/dormant",
        expect!["3:13 R110 there is no segment `dormant` [did you mean `dormant-90-days`?]"],
    );
    head(
        "when:\n  - enters: team/dach",
        expect!["3:13 R202 a segment is needed here, not a team [write `segment/…`]"],
    );
    head(
        "when:\n  - event: order.payed",
        expect!["3:12 R106 no object declares an event `order.payed` [did you mean `order.paid`?]"],
    );
    head(
        "when:\n  - created: lead\n  - created: ticket",
        expect![
            "4:5 R307 this trigger is about a ticket, and one before it about a lead [make a workflow for each]"
        ],
    );
    head(
        "when:\n  - webhook: x",
        expect![
            "3:5 R007 a webhook has to say with which secret its calls are signed [add `secret: NAME`, or `unsigned: true` where anybody may call]"
        ],
    );
    head(
        "when:\n  - create: lead",
        expect!["3:5 R006 a trigger has no key `create` [did you mean `created`?]"],
    );
    head(
        "when:\n  - {}",
        expect![
            "3:5 R007 a trigger does not say what has to happen [write one of created, changed, enters, event, schedule, cron, webhook, button]"
        ],
    );
    head(
        "when:\n  - created: =lead",
        expect!["3:14 R008 `created` cannot be computed: it is a text that is written out"],
    );
}

#[test]
fn schedules() {
    head(
        "when:\n  - cron: 0 25 * * *\n    time_zone: Europe/Berlin",
        expect!["3:11 R401 the hour is 0 to 23, not `25`"],
    );
    head(
        "when:\n  - cron: \"0 0 30 2 *\"\n    time_zone: Europe/Berlin",
        expect!["3:11 R401 there is no such day, so this would never fire"],
    );
    head(
        "when:\n  - schedule: sometimes\n    time_zone: Europe/Berlin",
        expect![
            "3:15 R401 `sometimes` is not a schedule [write `weekdays at 09:00`, `working days at 09:00`, `daily at 08:30`, `mondays at 10:00`, `hourly` or `every 15 minutes`]"
        ],
    );
    head(
        "when:\n  - schedule: daily at 02:30\n    time_zone: Europe/Berlin",
        expect![
            "3:15 warning R403 in Europe/Berlin there is no 02:30 on days like 2027-03-28, when the clock goes forward [on such a day it fires at 03:00; around that day: 2027-03-27 02:30, 2027-03-28 03:00, 2027-03-29 02:30, 2027-03-30 02:30, 2027-03-31 02:30]"
        ],
    );
    head("when:\n  - schedule: hourly\n    time_zone: Europe/Berlin", expect![""]);
    head(
        "when:\n  - schedule: daily at 09:00",
        expect![
            "3:5 R007 a schedule needs to say in which time zone [add `time_zone: Europe/Berlin`]"
        ],
    );
    head(
        "when:\n  - schedule: daily at 09:00\n    time_zone: Europe/Berln\n    if_missed: never",
        expect![[r#"
            4:16 R404 there is no time zone `Europe/Berln` [did you mean `Europe/Berlin`?]
            5:16 R203 `if_missed` is never `never` [write once, all or skip]"#]],
    );
    file(
        "workflow: a\nwhen:\n  - schedule: daily at 09:00\n    time_zone: UTC\nsteps:\n  - stop_if: lead.owner is empty\n",
        expect![[r#"6:14 R101 nothing is called `lead` here [for the text, write "lead"]"#]],
    );
}

#[test]
fn heads() {
    head(
        "when:\n  - created: lead\nowner: sales-opps",
        expect![
            "4:8 warning R113 nobody has the role `sales-opps`, and no team is called so [did you mean `sales-ops`?]"
        ],
    );
    head(
        "when:\n  - created: lead\ncalendar: sales-hour\nsend_in: nights",
        expect![[r#"
            4:11 R111 there is no calendar `sales-hour` [did you mean `sales-hours`?]
            5:10 R111 there is no calendar `nights` [known are marketing-hours, sales-hours, support-hours]"#]],
    );
    head(
        "when:\n  - created: lead\nnever_for: [segment/unsubscribd, open-complaint]",
        expect!["4:13 R110 there is no segment `unsubscribd` [did you mean `unsubscribed`?]"],
    );
    head(
        "when:\n  - created: lead\nonly_if:\n  - lead.owner\n  - true\n  - 1 < 2",
        expect![[r#"
            5:5 R208 a condition has to be yes or no, and `lead.owner` is a record of user or queue [write `lead.owner is not empty`, or compare it with something]
            6:5 warning R303 this condition is always true
            7:5 warning R303 this condition is always true"#]],
    );
    head(
        "when:\n  - created: lead\nonly_if: lead.status == \"nwe\"",
        expect![[r#"4:25 R203 `lead.status` is never "nwe" [did you mean `new`?]"#]],
    );
    head(
        "when:\n  - created: ticket\nrepeat: { one_per: ticket.customer, again_after: 30 days }",
        expect![
            "4:20 R204 `ticket.customer` may be empty, and all that have none would count as one [add `only_if: ticket.customer is not empty`]"
        ],
    );
    head(
        "when:\n  - created: ticket\nrepeat: { one_per: ticket.customr, again_after: soon, while_running: wait, counted_from: survey }",
        expect![[r#"
            4:20 R102 a ticket has no field `customr` [did you mean `customer`?]
            4:49 R202 `soon` is not a duration [write `30 days`, or `never`]
            4:70 R203 `while_running` is never `wait` [known are ignore, restart, queue, parallel]
            4:90 R114 no step is called `survey` [give the step a name: `as: survey`]"#]],
    );
    head(
        "when:\n  - created: ticket\nrepeat: { again_after: 2 working days }",
        expect![
            "4:24 R402 `2 working days` is working time, and no calendar says when that is [name one with `calendar:`]"
        ],
    );
    head(
        "when:\n  - created: ticket\nstop_when:\n  - changed: lead.status\n    to: dead\n  - event: order.paid\n  - changed: ticket.status\n    too: solved",
        expect![[r#"
            5:14 R306 `changed lead.status` happens to a lead and does not lead to the ticket that the workflow is about
            7:12 R306 `order.paid` happens to an order and does not lead to the ticket that the workflow is about
            9:5 R006 `stop_when` has no key `too` [did you mean `to`?]"#]],
    );
    head("when:\n  - created: ticket\nlimits:\n  at_once: 10", expect![""]);
    head(
        "when:\n  - created: ticket\nlimits:\n  - at_once: 0\n  - pace: 100 hourly\n  - per: ticket.id\n  - at_once: 1\n    per: ticket.queue\n    pase: 1 per day\n  - per: ticket.created_at\n    at_once: 2",
        expect![[r#"
            5:14 R202 `at_once` is at least 1, not 0
            6:11 R202 `100 hourly` is not a pace [write `60 per hour`, `per second`, `per minute` or `per day`]
            7:5 R007 the limit limits nothing [add `at_once: 5`, or `pace: 60 per hour`]
            9:10 R204 `ticket.queue` may be empty, and all that have none would count as one [add `only_if: ticket.queue is not empty`]
            10:5 R006 a limit has no key `pase` [did you mean `pace`?]
            11:10 R202 `per` takes a record, a text, a number or a day, not a point in time"#]],
    );
    head(
        "when:\n  - created: ticket\nhold_above: 2000 daily",
        expect![
            "4:13 R202 `2000 daily` is not a limit [write `2000 per day`, `per hour` or `per week`]"
        ],
    );
}

/// What is taken for an object is told of where it is named, and not again
/// in every step.
#[test]
fn an_object_that_is_none() {
    file(
        "workflow: a\nwhen:\n  - changed: contrct.status\n    to: active\nstop_when:\n  - changed: contrct.status\n    to: ended\nsteps:\n  - stop_if: contrct.name == \"x\"\n  - do: crm.find\n    object: contct\n    as: found\n  - for_each: =found.records\n    as: one\n    steps:\n      - stop_if: one.nme == \"x\"\n",
        expect![[r#"
            3:14 R103 there is no object `contrct` [did you mean `contact`?]
            6:14 R103 there is no object `contrct` [did you mean `contact`?]
            11:13 R103 there is no object `contct` [did you mean `contact`?]"#]],
    );
}

#[test]
fn runs_may_queue() {
    head(
        "when:\n  - created: ticket\nrepeat: { one_per: ticket, while_running: queue }",
        expect![""],
    );
}
