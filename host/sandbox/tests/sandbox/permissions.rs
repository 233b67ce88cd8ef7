//! What a plugin may do, seen from inside.

use expect_test::{Expect, expect};
use relata_sandbox::Permissions;
use serde_json::{Value, json};

use crate::desk::{call, line, load, manifest, sandbox};
use crate::guests::{
    self, COUNT, COUNT_BY, CREATE, DELETE, EMIT, GET, Guest, IS_OPEN, MAIL, PLACEHOLDER, QUERY,
    SEND, STATE_GET, STATE_PUT, UPDATE,
};

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

const OWNER: &str = "[permissions.records.lead]\nread = [\"owner\"]\nupdate = [\"owner\", \"status\"]\ncreate = true";

/// A guest with the texts that these tests need, and a condition on a lead's
/// mail address at 9000.
fn armed(guest: Guest) -> Guest {
    let condition: Vec<u8> =
        [8300_u32, 5, 0, 8310, 9].iter().flat_map(|word| word.to_le_bytes()).collect();
    let email: Vec<u8> = [8300_u32, 5].iter().flat_map(|word| word.to_le_bytes()).collect();
    guest
        .text_at(8200, "lead")
        .text_at(8208, "lead/1")
        .text_at(8300, "email")
        .text_at(8310, "\"a@b.org\"")
        .bytes_at(9000, &condition)
        .bytes_at(9100, &email)
}

#[tokio::test]
async fn a_field_that_may_not_be_read_is_not_asked_about_either() {
    let lead = "(i32.const 8200) (i32.const 4)";
    let by_email = "(i32.const 9000) (i32.const 1)";
    let none = "(i32.const 0) (i32.const 0)";
    let rest = format!("(i32.const 10) (i32.const 0) {none}");
    for guest in [
        QUERY.once(&format!("{lead} {by_email} {none} {rest}")),
        QUERY.once(&format!("{lead} {none} (i32.const 9100) (i32.const 1) {rest}")),
        COUNT.once(&format!("{lead} {by_email}")),
        COUNT_BY.once(&format!("{lead} {none} (i32.const 8300) (i32.const 5)")),
    ] {
        check(
            armed(guest),
            OWNER,
            json!({}),
            expect![[r#"denied: plugin `p`, action `act`: plugin `p` may not read the field `email` of `lead`: read = ["email"] under [permissions.records.lead] in its plugin.toml allows it"#]],
            &[],
        )
        .await;
    }
    // Who asks for all fields gets those that it may read.
    check(
        armed(QUERY.once(&format!("{lead} {none} {none} {rest}"))),
        OWNER,
        json!({}),
        expect!["done: true"],
        &[r#"query Query { object: "lead", filter: [], fields: ["owner"], limit: 10, cursor: None }"#],
    )
    .await;
}

#[tokio::test]
async fn a_new_record_is_cut_too() {
    let guest = Guest::new(
        r#"(call $records_create (i32.const 8192) (i32.const 4)
          (local.get $input) (local.get $input_len) (i32.const 600))
        (call $done (i32.load (i32.const 632)) (i32.load (i32.const 636)))"#,
    )
    .import("records", "create", "(param i32 i32 i32 i32 i32)")
    .text_at(8192, "lead");
    check(
        guest,
        OWNER,
        json!({ "status": "new" }),
        expect![[r#"done: {"owner":"user/2","status":"new"}"#]],
        &["create lead"],
    )
    .await;
}

#[tokio::test]
async fn a_refusal_does_not_tell_what_a_field_was() {
    let lost = json!({ "status": "lost" });
    check(guests::updates_a_lead(), OWNER, lost.clone(), expect![[r#"invalid: plugin `p`, action `act`: this update of `lead` is refused; why is told to plugins that may read what they write: read = ["status"] under [permissions.records.lead] in its plugin.toml"#]], &[]).await;
    check(
        guests::updates_a_lead(),
        "[permissions.records.lead]\nread = [\"status\"]\nupdate = [\"status\"]",
        lost,
        expect!["invalid: plugin `p`, action `act`: lead.status cannot go from won to lost: won is an end"],
        &[],
    )
    .await;
}

/// Calls `once` with nothing granted at all, though the plugin asks for it.
async fn ungranted(guest: Guest) -> (String, Vec<String>) {
    let asks = "[permissions]\nstate = true\nmessages = [\"mail\"]\nevents = [\"*\"]\n[permissions.records.lead]\nread = [\"*\"]\nupdate = [\"*\"]\ncreate = true\ndelete = true\n[permissions.secrets]\nkey = [\"*\"]\n[[permissions.http]]\nhost = \"*\"\nmethods = [\"GET\"]";
    let nothing = Permissions::default();
    let plugin = sandbox().load(manifest(asks), Some(&nothing), guest.build()).await.unwrap();
    let called = call(&plugin, json!({})).await;
    (line(&called), called.host.asked)
}

#[tokio::test]
async fn each_function_is_denied_where_nothing_was_agreed_to() {
    let lead = "(i32.const 8200) (i32.const 4)";
    let lead_1 = "(i32.const 8208) (i32.const 6)";
    let object = "(i32.const 8600) (i32.const 2)";
    let none = "(i32.const 0) (i32.const 0)";
    let no_number = "(i32.const 0) (i64.const 0)";
    let mut told = String::new();
    for (name, guest) in [
        ("get", GET.once(lead_1)),
        ("query", QUERY.once(&format!("{lead} {none} {none} (i32.const 10) (i32.const 0) {none}"))),
        ("count", COUNT.once(&format!("{lead} {none}"))),
        ("count-by", COUNT_BY.once(&format!("{lead} {none} {lead}"))),
        ("is-open", IS_OPEN.once("(i32.const 8900) (i32.const 10) (i64.const 0)")),
        ("create", CREATE.once(&format!("{lead} {object}"))),
        ("update", UPDATE.once(&format!("{lead_1} {object} {no_number}"))),
        ("delete", DELETE.once(&format!("{lead_1} {no_number}"))),
        ("mail", MAIL.once(&format!("{lead_1} {lead} {object}"))),
        ("emit", EMIT.once(&format!("{lead} {none} {object}"))),
        ("state.get", STATE_GET.once(lead)),
        ("state.put", STATE_PUT.once(&format!("{lead} {object} {no_number} {no_number}"))),
        ("placeholder", PLACEHOLDER.once("(i32.const 8700) (i32.const 3)")),
        (
            "send",
            SEND.once(&format!(
                "(i32.const 0) (i32.const 8800) (i32.const 21) {none} {none} {none}"
            )),
        ),
    ] {
        let guest = armed(guest)
            .text_at(8600, "{}")
            .text_at(8700, "key")
            .text_at(8800, "https://shop.example/")
            .text_at(8900, "calendar/x");
        let (line, asked) = ungranted(guest).await;
        assert!(asked.is_empty(), "{name}: {asked:?}");
        let line = line.replace("plugin `p`, action `act`: plugin `p` ", "");
        let (what, _) = line.split_once(": its plugin.toml asks for it").unwrap_or((&line, ""));
        told.push_str(&format!("{name}: {what}\n"));
    }
    expect![[r#"
        get: denied: may not read records of `lead`
        query: denied: may not read records of `lead`
        count: denied: may not read records of `lead`
        count-by: denied: may not read records of `lead`
        is-open: denied: may not read records of `calendar`: read = ["*"] under [permissions.records.calendar] in its plugin.toml allows it
        create: denied: may not create records of `lead`
        update: denied: may not update records of `lead`
        delete: denied: may not delete records of `lead`
        mail: denied: may not send mail
        emit: denied: may not emit the event `lead`
        state.get: denied: may not keep values of its own
        state.put: denied: may not keep values of its own
        placeholder: denied: may not use the secret `key`
        send: denied: may not call GET https://shop.example
    "#]]
    .assert_eq(&told);
}

#[tokio::test]
async fn a_reference_in_another_spelling_is_no_way_round() {
    let reads = |reference: &str| {
        let length = reference.len();
        GET.once(&format!("(i32.const 8192) (i32.const {length})")).text_at(8192, reference)
    };
    for reference in ["contact/1", " lead/1", "LEAD/1", "*/1", "lead\u{0}/1", "/lead/1", "lead", ""]
    {
        let plugin = load(reads(reference).build(), OWNER).await;
        let called = call(&plugin, json!({})).await;
        let code = called.result.as_ref().unwrap_err().code();
        assert!(matches!(code, "denied" | "invalid"), "{reference}: {code}");
        assert!(called.host.asked.is_empty(), "{reference}");
    }
    // What comes after the first stroke is a key, and leads nowhere else.
    let plugin = load(reads("lead/1/../../contact/2").build(), OWNER).await;
    assert_eq!(call(&plugin, json!({})).await.host.asked, ["get lead/1/../../contact/2"]);
}
