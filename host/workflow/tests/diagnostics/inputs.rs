//! What a run is started with, what it yields, and what starts it by hand.

use expect_test::expect;

use super::{file, head};

#[test]
fn types_of_inputs() {
    head(
        "inputs:\n  percent: number\n  reason: { type: text, title: Why, default: none given }\n  until: { type: date, optional: true }\n  size: { type: [small, large], default: small }\n  item: { type: order }\n  tags: { type: list of text }\n  customers: { type: list of contact }\n  sure: yes/no\n  anything: record\n  length: duration\n  sum: money\n  at: time",
        expect![""],
    );
    head(
        "inputs:\n  percent: nubmer\n  item: { type: ordr }\n  tags: list of txt\n  deep: list of list of text\n  pair: { type: [small, small] }\n  none: { type: [] }",
        expect![[r#"
            3:12 R119 there is no type `nubmer` [did you mean `number`?]
            4:17 R119 there is no type `ordr` [did you mean `order`?]
            5:9 R119 there is no type `txt` [did you mean `text`?]
            6:9 R119 an input cannot be a list of lists
            7:25 R202 `small` stands twice among the words [remove one of the two]
            8:17 R007 there are no words to choose from [write `[small, large]`, say]"#]],
    );
    head(
        "inputs:\n  percent: { type: number, default: ten }\n  size: { type: [small, large], default: medium }\n  item: { type: order, default: =order }\n  tags: { type: list of text, default: [fair, hot] }\n  reply: { type: duration, default: 2 working days }",
        expect![[r#"
            3:37 R202 `default` takes a number, not the text `ten`
            4:42 R203 `default` is never `medium` [it is one of small, large]
            5:33 R008 `default` cannot be computed: it is a value that is written out
            7:37 R402 `2 working days` is working time, and no calendar says when that is [name one with `calendar:`]"#]],
    );
    head(
        "inputs:\n  a: { title: A }\n  b: { tpye: text }\n  c: { type: text, optional: true, default: x }\n  d: { type: text, optional: maybe }\n  e:\n  f: { type: text, required: true }",
        expect![[r#"
            3:3 R007 the input `a` does not say its type [add `type: text`, say]
            4:8 R006 the input `b` has no key `tpye` [did you mean `type`?]
            5:20 R008 the input `c` has a default, so it is never empty [leave one of the two out]
            6:30 R202 `optional` takes yes or no (`true` or `false`), not the text `maybe`
            7:3 R007 `e` has no value
            8:20 R006 the input `f` has no key `required` [known are default, optional, title, type]"#]],
    );
    head("inputs: [percent]", expect!["2:9 R008 `inputs` is a block of `key: value`"]);
    head(
        "inputs:\n  Percent: number\n  and: text",
        expect![[r#"
        3:3 R010 `Percent` cannot be a name: use lower-case letters, digits and _ [write `percent`]
        4:3 R010 `and` is a word of the language [choose another name]"#]],
    );
}

#[test]
fn an_input_is_a_variable() {
    file(
        "workflow: a\ninputs:\n  percent: number\n  reason: { type: text, optional: true }\n  size: [small, large]\nsteps:\n  - stop_if: percent > 50 or reason == \"x\" or size == \"medium\" or percnt < 3\n  - stop_if: lower(reason) == \"x\"\n",
        expect![[r#"
            7:55 R203 `size` is never "medium" [it is one of small, large]
            7:67 R101 nothing is called `percnt` here [did you mean `percent`?]
            8:20 R204 `reason` may be empty, and a value is needed here [write `reason is not empty and …`, or `default(reason, "")`]"#]],
    );
    file(
        "workflow: a\nwhen:\n  - button: Go\n    about: lead\ninputs:\n  lead: text\n  pick: text\nsteps:\n  - do: assign.round_robin\n    team: dach\n    as: pick\n",
        expect![[r#"
            6:3 R010 `lead` is what the workflow is about [choose another name]
            11:9 R010 an input is called `pick` already [choose another name]"#]],
    );
}

#[test]
fn inputs_that_nobody_gives() {
    file(
        "workflow: a\nwhen:\n  - created: lead\n  - button: Go\n    about: lead\ninputs:\n  percent: number\n  reason: { type: text, optional: true }\n  size: { type: text, default: x }\nsteps:\n  - wait: 1 hour\n",
        expect![
            "7:3 R209 nobody gives the input `percent` when a record starts the workflow [add a `default:`, or `optional: true`]"
        ],
    );
    file(
        "workflow: a\nwhen:\n  - schedule: daily at 09:00\n    time_zone: UTC\ninputs:\n  percent: number\nsteps:\n  - wait: 1 hour\n",
        expect![
            "6:3 R209 nobody gives the input `percent` when a schedule starts the workflow [add a `default:`, or `optional: true`]"
        ],
    );
    // A button asks, and a webhook brings them.
    file(
        "workflow: a\nwhen:\n  - button: Go\n  - webhook: go\n    unsigned: true\ninputs:\n  percent: number\nsteps:\n  - wait: 1 hour\n",
        expect![""],
    );
}

#[test]
fn what_only_others_start() {
    file("workflow: a\noutputs:\n  n: 1\nsteps:\n  - wait: 1 hour\n", expect![""]);
    file("workflow: a\nabout: ticket\nsteps:\n  - stop_if: ticket.owner is empty\n", expect![""]);
    file(
        "workflow: a\nabout: tickt\nsteps:\n  - stop_if: ticket.owner is empty\n",
        expect!["2:8 R103 there is no object `tickt` [did you mean `ticket`?]"],
    );
    head(
        "when:\n  - created: ticket\nabout: lead",
        expect![
            "4:8 R307 the workflow is about a lead, and what starts it about a ticket [leave `about:` out, or make a workflow for each]"
        ],
    );
    head(
        "when:\n  - webhook: x\n    unsigned: true\nabout: lead",
        expect![
            "5:8 R307 the workflow is about a lead, and what starts it about nothing [leave `about:` out, or make a workflow for each]"
        ],
    );
    head("when:\n  - created: ticket\nabout: ticket", expect![""]);
}

#[test]
fn buttons_and_webhooks() {
    head(
        "when:\n  - button: Offer a discount\n    about: contct",
        expect!["4:12 R103 there is no object `contct` [did you mean `contact`?]"],
    );
    head(
        "when:\n  - button: Offer a discount\n    abuot: contact",
        expect!["4:5 R006 a button has no key `abuot` [did you mean `about`?]"],
    );
    head(
        "when:\n  - button: Go\n    about: contact\n  - button: Go on\n    about: lead",
        expect![
            "5:5 R307 this trigger is about a lead, and one before it about a contact [make a workflow for each]"
        ],
    );
    head(
        "when:\n  - webhook: Shop Orders\n    secret: shop-webhook",
        expect![
            "3:14 R010 `Shop Orders` cannot be a webhook's name [write `shop-orders`: lower-case letters, digits and -]"
        ],
    );
    head(
        "when:\n  - webhook: shop-orders",
        expect![
            "3:5 R007 a webhook has to say with which secret its calls are signed [add `secret: NAME`, or `unsigned: true` where anybody may call]"
        ],
    );
    head(
        "when:\n  - webhook: shop-orders\n    secrt: shop-webhook",
        expect!["4:5 R006 a webhook has no key `secrt` [did you mean `secret`?]"],
    );
    head(
        "when:\n  - webhook: shop-orders\n    secret: shop-webhok",
        expect![
            "4:13 R118 there is no secret `shop-webhok` [did you mean `shop-webhook`? If not, set it: `relata secret set shop-webhok`]"
        ],
    );
    head("when:\n  - webhook: shop-orders\n    secret: secret/shop-webhook", expect![""]);
    head(
        "when:\n  - webhook: shop-orders\n    secret: shop-webhook\n    unsigned: true",
        expect!["5:5 R008 a webhook has a secret, or it is unsigned [leave one of the two out]"],
    );
    head(
        "when:\n  - webhook: shop-orders\n    unsigned: false",
        expect![
            "3:5 R007 a webhook has to say with which secret its calls are signed [add `secret: NAME`, or `unsigned: true` where anybody may call]"
        ],
    );
    head(
        "when:\n  - webhook: shop-orders\n    unsigned: perhaps",
        expect!["4:15 R202 `unsigned` takes yes or no (`true` or `false`), not the text `perhaps`"],
    );
    head(
        "when:\n  - webhook: shop-orders\n    unsigned: true\n  - created: lead",
        expect![
            "5:5 R307 this trigger is about a lead, and one before it about nothing [make a workflow for each]"
        ],
    );
    head(
        "when:\n  - form: x\n  - mail: y",
        expect![[r#"
        3:5 R009 `form` is not yet in this version
        4:5 R009 `mail` is not yet in this version"#]],
    );
}

#[test]
fn outputs() {
    let steps = "steps:\n  - do: sentiment.score\n    text: =lead.name\n    as: mood\n  - if: mood.score < 0\n    then:\n      - do: assign.round_robin\n        team: dach\n        as: pick\n";
    let with = |outputs: &str| {
        format!("workflow: a\nwhen:\n  - created: lead\n{steps}outputs:\n{outputs}\n")
    };
    file(
        &with(
            "  mood: =mood.label\n  note: \"{{ lead.name }} is {{ mood.label }}\"\n  n: 3\n  when: 4 hours",
        ),
        expect![""],
    );
    file(
        &with(
            "  mood: =mood.labl\n  who: =pick.user\n  Note: x\n  path: lead.name\n  key: secret/crm-token",
        ),
        expect![[r#"
            14:10 R102 `mood` has no part `labl` [did you mean `label`?]
            15:9 R205 `pick` may be unset here: its step does not run on every way to this place [test it first: `pick is not empty and …`]
            16:3 R010 `Note` cannot be a name: use lower-case letters, digits and _ [choose another name]
            17:9 warning R207 this value is the text `lead.name`, which looks like a path [did you mean `=lead.name`?]
            18:8 R211 this value takes no secret [only a text that an action is given can be one]"#]],
    );
    file(&with("  - mood"), expect!["14:3 R008 `outputs` is a block of `key: value`"]);
}

#[test]
fn at_the_end_nothing_is_certain() {
    file(
        "workflow: a\nwhen:\n  - created: lead\nsteps:\n  - do: assign.round_robin\n    team: dach\n    as: pick\non_error:\n  - do: sentiment.score\n    text: =lead.name\n    as: mood\nfinally:\n  - do: notify.user\n    to: =pick.user\n    text: \"{{ lead.name }}\"\n  - stop_if: mood.score > 0\n  - stop_if: pick is not empty and pick.reason == \"x\"\n",
        expect![[r#"
            14:10 R205 `pick` may be unset here: its step does not run on every way to this place [test it first: `pick is not empty and …`]
            16:14 R205 `mood` may be unset here: its step does not run on every way to this place [test it first: `mood is not empty and …`]"#]],
    );
    head("when:\n  - created: ticket\nfinally: []", expect![""]);
    head(
        "when:\n  - created: ticket\nfinally:\n  do: crm.update",
        expect!["5:3 R008 `finally` is a list of steps [begin each step with `- `]"],
    );
}
