//! `secret/NAME`, where it may stand and where not.

use expect_test::expect;

use super::steps;

#[test]
fn a_secret_is_a_whole_argument() {
    steps("  - do: notify.user\n    to: user/ana\n    text: secret/crm-token", expect![""]);
    steps(
        "  - do: mail.send\n    to: =lead\n    template: welcome\n    data: { key: secret/crm-token }",
        expect![""],
    );
    steps(
        "  - do: notify.user\n    to: user/ana\n    text: secret/crm-tokn",
        expect![
            "7:11 R118 there is no secret `crm-tokn` [did you mean `crm-token`? If not, set it: `relata secret set crm-tokn`]"
        ],
    );
    steps(
        "  - do: notify.user\n    to: user/ana\n    text: secret/mail",
        expect!["7:11 R118 there is no secret `mail` [set it: `relata secret set mail`]"],
    );
    // A text that only looks like it.
    steps("  - do: notify.user\n    to: user/ana\n    text: secret/santa is back", expect![""]);
}

#[test]
fn a_secret_is_shown_and_kept_nowhere() {
    steps(
        "  - do: notify.user\n    to: secret/crm-token\n    text: x",
        expect!["6:9 R211 `to` takes no secret [only a text that an action is given can be one]"],
    );
    steps(
        "  - do: crm.update\n    record: =lead\n    set: { note: secret/crm-token }",
        expect![
            "7:18 R211 `note` takes no secret [only a text that an action is given can be one]"
        ],
    );
    steps(
        "  - set: { key: secret/crm-token }",
        expect![
            "5:17 R211 this value takes no secret [only a text that an action is given can be one]"
        ],
    );
    steps(
        "  - decide: key\n    rows:\n      - use: secret/crm-token",
        expect![
            "7:14 R211 this value takes no secret [only a text that an action is given can be one]"
        ],
    );
    steps(
        "  - do: notify.user\n    to: user/ana\n    text: =secret/crm",
        expect![
            "7:12 R211 a formula cannot read a secret [write `secret/NAME`, without `=`, as the whole text of an action's argument]"
        ],
    );
    steps(
        "  - do: notify.user\n    to: user/ana\n    text: \"key {{ secret/crm }}\"",
        expect![
            "7:19 R211 a formula cannot read a secret [write `secret/NAME`, without `=`, as the whole text of an action's argument]"
        ],
    );
    steps(
        "  - do: sentiment.score\n    text: x\n    if_it_fails: { use: { label: secret/crm-token } }",
        expect![
            "7:34 R211 `label` takes no secret [only a text that an action is given can be one]"
        ],
    );
}
