//! Files with messages: sent, listed and read, by those who may.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use expect_test::expect;
use relata_app::{App, NewToken, Scope};
use relata_server::Limits;
use serde_json::{Value as Json, json};

use crate::served::{Served, json as answer, now, token, told};

/// A message of Anna's with two files.
fn order(files: &Json) -> String {
    let message = json!({
        "from": "anna@a.example", "text": "See the picture.", "ticket": {"queue": "queue/support"},
        "attachments": files,
    });
    message.to_string()
}

fn picture() -> Vec<u8> {
    (0..=255).cycle().take(300_000).collect()
}

fn files() -> Json {
    json!([
        {"name": "../截图\u{202e}.png", "type": "image/PNG", "content": BASE64.encode(picture())},
        {"content": ""},
    ])
}

/// The key of the message that this makes.
async fn sent(served: &Served, files: &Json) -> String {
    let taken = answer(served.post("/v1/messages", &order(files))).await;
    taken["message"].as_str().unwrap_or_else(|| panic!("{taken}")).replace("message/", "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_come_out_as_they_were_sent() {
    let served = Served::start(&[]).await;
    let key = sent(&served, &files()).await;
    let listed = answer(served.get(&format!("/v1/messages/{key}/attachments"))).await;
    let listed = listed["attachments"].as_array().unwrap();
    let told: Vec<String> = listed
        .iter()
        .map(|file| {
            format!("{} {} {} {}", file["number"], file["name"], file["type"], file["size"])
        })
        .collect();
    expect![[r#"
        1 ".._截图.png" "image/png" 300000
        2 null "application/octet-stream" 0"#]]
    .assert_eq(&told.join("\n"));
    let record = answer(served.get(&format!("/v1/records/message/{key}"))).await;
    assert_eq!(
        record["attachments"],
        json!([
            ".._截图.png (image/png, 293 KiB)",
            "(no name) (application/octet-stream, 0 bytes)"
        ])
    );

    let path = format!("/v1/messages/{key}/attachments/1");
    let response = served.get(&path).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    let tag = header("etag");
    assert_eq!(tag, format!("\"{}\"", listed[0]["sha256"].as_str().unwrap()));
    assert_eq!(header("content-type"), "application/octet-stream");
    assert_eq!(header("content-length"), "300000");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(
        header("content-disposition"),
        "attachment; filename*=UTF-8''.._%E6%88%AA%E5%9B%BE.png"
    );
    assert!(response.bytes().await.unwrap() == picture(), "other bytes came");
    let known = served.get(&path).header("if-none-match", tag).send().await.unwrap();
    assert_eq!((known.status().as_u16(), known.bytes().await.unwrap().len()), (304, 0));
    let empty = served.get(&format!("/v1/messages/{key}/attachments/2")).send().await.unwrap();
    assert_eq!((empty.status().as_u16(), empty.bytes().await.unwrap().len()), (200, 0));

    // They go with the message.
    let gone = served.request(reqwest::Method::DELETE, &format!("/v1/records/message/{key}"));
    assert_eq!(gone.bearer_auth(&served.secret).send().await.unwrap().status(), 204);
    let sha256 = listed[0]["sha256"].as_str().unwrap();
    assert_eq!(served.app.store().content_piece(sha256, 0).await.unwrap(), None);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_not_see_the_ticket_reads_no_file_of_it() {
    let served = Served::start(&[]).await;
    let key = sent(&served, &files()).await;
    let message = served.app.record(&format!("message/{key}").parse().unwrap()).await.unwrap();
    let ticket = message.field("ticket").as_reference().unwrap().clone();
    let mut lines = Vec::new();
    for (name, roles) in [("ann", "agent"), ("mel", "manager"), ("nobody", "")] {
        let email = format!("{name}@a.example");
        let user = [("name", name), ("email", &email), ("roles", roles), ("external_id", name)];
        let user = served.create("user", &user).await;
        let new = NewToken {
            name: format!("of-{name}"),
            scopes: Scope::ALL.to_vec(),
            objects: Vec::new(),
            user: Some(user),
            expires_at: None,
        };
        let secret = served.app.create_token(new).await.unwrap().1.expose().to_owned();
        let asks = async |path: &str| {
            let request = served.request(reqwest::Method::GET, path).bearer_auth(&secret);
            request.send().await.unwrap().status().as_u16()
        };
        let list = asks(&format!("/v1/messages/{key}/attachments")).await;
        let file = asks(&format!("/v1/messages/{key}/attachments/1")).await;
        lines.push(format!("{name}: {list} {file}"));
        if name == "ann" {
            let mine = [("owner".to_owned(), json!("user/ann"))].into_iter().collect();
            served.app.change_record(&ticket, &mine, None, "test").await.unwrap();
            let list = asks(&format!("/v1/messages/{key}/attachments")).await;
            let file = asks(&format!("/v1/messages/{key}/attachments/1")).await;
            lines.push(format!("{name}, whose ticket it is: {list} {file}"));
        }
    }
    let path = format!("/v1/messages/{key}/attachments/1");
    for (scopes, objects) in [
        (&[Scope::MessagesWrite][..], &[][..]),
        (&[Scope::RecordsRead], &["lead"]),
        (&[Scope::RecordsRead], &["message"]),
    ] {
        let secret = token(&served.app, &format!("t{}", lines.len()), scopes, objects).await;
        let request = served.request(reqwest::Method::GET, &path).bearer_auth(secret);
        lines.push(told(request).await);
    }
    for path in ["/1x", "/3", "/0", "/-1", "/4294967297"] {
        lines.push(told(served.get(&format!("/v1/messages/{key}/attachments{path}"))).await);
    }
    lines.push(told(served.get("/v1/messages/none/attachments")).await);
    lines.push(told(served.get("/v1/messages/none/attachments/1")).await);
    expect![[r#"
        ann: 403 403
        ann, whose ticket it is: 200 200
        mel: 200 200
        nobody: 403 403
        403 scope: the token `t4` may not do this; it needs records:read
        403 object: the token `t5` is not for message records
        403 forbidden: t6 may not see message/…
        404 not-found: there is no attachment/…/1x
        404 not-found: there is no attachment/…/3
        404 not-found: there is no attachment/…/0
        404 not-found: there is no attachment/…/-1
        404 not-found: there is no attachment/…/4294967297
        404 not-found: there is no message/none
        404 not-found: there is no message/none"#]]
    .assert_eq(&lines.join("\n"));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_file_is_told_and_nothing_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    App::create(&root, Some(now())).await.unwrap().close().await;
    let settings = std::fs::read_to_string(root.join("relata.toml")).unwrap();
    let settings = settings.replace("[mail]\n", "[mail]\nattachment_max_mib = 1\n");
    std::fs::write(root.join("relata.toml"), settings).unwrap();
    let app = App::open(&root).await.unwrap();
    let served = Served::of(app, folder, Limits::default()).await;
    let large = BASE64.encode(vec![b'x'; 600_000]);
    let many: Vec<Json> = (0..101).map(|_| json!({"content": ""})).collect();
    let mut lines = Vec::new();
    for files in [
        json!("a.png"),
        json!(["a.png"]),
        json!([{"name": "a.png"}, {"content": "!!"}, {"content": "aGk=", "type": 7}]),
        json!([{"content": "aGk=", "path": "/etc/passwd"}]),
        json!(many),
        json!([{"content": large}, {"content": large}]),
    ] {
        lines.push(told(served.post("/v1/messages", &order(&files))).await);
    }
    expect![[r#"
        422 invalid: nothing of this message was taken in; `errors` says what is wrong
            attachments: takes a list of files, such as [{"name": "order.pdf", "type": "application/pdf", "content": "its bytes in base64"}]
        422 invalid: nothing of this message was taken in; `errors` says what is wrong
            attachments[0]: takes a file, such as {"name": "order.pdf", "type": "application/pdf", "content": "its bytes in base64"}
        422 invalid: nothing of this message was taken in; `errors` says what is wrong
            attachments[0]: lacks its `content`, its bytes in base64
            attachments[1]: `content` is no base64 (RFC 4648): Invalid symbol 33, offset 0.
            attachments[2]: `type` takes text
        422 invalid: nothing of this message was taken in; `errors` says what is wrong
            attachments[0]: has no `path`; a file has name, type, content
        422 invalid: nothing of this message was taken in; `errors` says what is wrong
            attachments: are 101 files; at most 100
        422 invalid: nothing of this message was taken in; `errors` says what is wrong
            attachments: are more than 1 MiB together; send less of them"#]].assert_eq(&lines.join("\n"));
    assert_eq!(served.app.records_all("message").await.unwrap(), []);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_with_another_file_is_another_message() {
    let served = Served::start(&[]).await;
    let send = |content: &str| {
        let files = json!([{"name": "a.txt", "content": content}]);
        served.post("/v1/messages", &order(&files)).header("idempotency-key", "m-1")
    };
    let first = answer(send("aGk=")).await;
    let again = answer(send("aGk=")).await;
    assert_eq!((&first["message"], &again["repeated"]), (&again["message"], &json!(true)));
    expect![
        "422 key-reused: this key came with another message before; draw a new key for each message"
    ]
    .assert_eq(&told(send("aGo=")).await);
    served.stop().await;
}
