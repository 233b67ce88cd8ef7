//! What a plugin may do, seen from inside.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::desk::{call, line, load};
use crate::guests::{self, Guest};

async fn check(guest: Guest, manifest: &str, input: Value, answer: Expect, asked: &[&str]) {
    let plugin = load(guest.build(), manifest).await;
    let called = call(&plugin, input).await;
    answer.assert_eq(&line(&called));
    assert_eq!(called.host.asked, asked);
}

#[tokio::test]
async fn all_fields_may_be_read() {
    check(
        guests::reads_a_lead(),
        "[permissions.records.lead]\nread = [\"*\"]",
        json!({}),
        expect![[r#"done: {"email":"anna@example.org","owner":"user/2"}"#]],
        &["get lead/1"],
    )
    .await;
}

#[tokio::test]
async fn a_record_is_cut_to_the_fields_that_may_be_read() {
    check(
        guests::reads_a_lead(),
        "[permissions.records.lead]\nread = [\"owner\"]",
        json!({}),
        expect![[r#"done: {"owner":"user/2"}"#]],
        &["get lead/1"],
    )
    .await;
}

#[tokio::test]
async fn a_record_of_another_object_is_denied_before_the_host_is_asked() {
    check(
        guests::reads_a_lead(),
        "[permissions.records.contact]\nread = [\"*\"]",
        json!({}),
        expect![[
            r#"denied: plugin `p`, action `act`: plugin `p` may not read records of `lead`: read = ["*"] under [permissions.records.lead] in its plugin.toml allows it"#
        ]],
        &[],
    )
    .await;
}

#[tokio::test]
async fn a_field_that_may_not_be_set_is_denied() {
    check(
        guests::updates_a_lead(),
        "[permissions.records.lead]\nupdate = [\"owner\"]",
        json!({"owner": "user/3", "status": "won"}),
        expect![[
            r#"denied: plugin `p`, action `act`: plugin `p` may not update the field `status` of `lead`: update = ["status"] under [permissions.records.lead] in its plugin.toml allows it"#
        ]],
        &[],
    )
    .await;
}

#[tokio::test]
async fn what_was_written_is_seen_and_nothing_else() {
    check(
        guests::updates_a_lead(),
        "[permissions.records.lead]\nupdate = [\"owner\"]\nread = [\"status\"]",
        json!({"owner": "user/3"}),
        expect![[r#"done: {"owner":"user/3","status":"new"}"#]],
        &[r#"update lead/1 {"owner":"user/3"}"#],
    )
    .await;
}

#[tokio::test]
async fn fields_that_are_no_object_are_refused() {
    check(
        guests::updates_a_lead(),
        "[permissions.records.lead]\nupdate = [\"owner\"]",
        json!([1]),
        expect![
            "invalid: plugin `p`, action `act`: the update of a record should be a JSON object"
        ],
        &[],
    )
    .await;
}
