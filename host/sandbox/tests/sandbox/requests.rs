//! Requests to web services, seen from the gate.

use expect_test::{Expect, expect};
use relata_sandbox::{CallRequest, Permissions};
use serde_json::json;

use crate::desk::{Desk, line, load, manifest, sandbox};
use crate::guests::{self, Guest};

const SHOP: &str = "[[permissions.http]]\nhost = \"shop.example\"\nmethods = [\"POST\", \"GET\"]\n";
const TOKEN: &str = "[permissions.secrets]\nshop-token = [\"shop.example\"]\nother = [\"other.example\"]\nmissing = [\"shop.example\"]\n";

/// Posts to `url` and prints what was sent and what came of it.
async fn check(
    url: &str,
    secret: Option<&str>,
    manifest: &str,
    redirects: &[(u16, &'static str)],
    expected: Expect,
) {
    let plugin = load(guests::posts(url, secret).build(), manifest).await;
    let input = json!({"n": 1});
    let mut request = CallRequest::new("act", &input);
    "run/step".clone_into(&mut request.context.idempotency_key);
    let desk = Desk { redirects: redirects.to_vec(), ..Desk::default() };
    let called = plugin.call(request, desk).await;
    let mut got = called.host.asked.join("\n");
    got.push_str(&format!("\n{}", line(&called)));
    expected.assert_eq(got.trim());
}

#[tokio::test]
async fn a_request_goes_where_it_may() {
    check(
        "https://shop.example/orders?x=1",
        None,
        SHOP,
        &[],
        expect![[r#"
        POST https://shop.example/orders?x=1 idempotency-key: run/step/1 {"n":1}
        done: {}"#]],
    )
    .await;
}

#[tokio::test]
async fn another_host_port_scheme_or_method_is_denied() {
    for url in [
        "https://evil.example/",
        "https://shop.example:8443/",
        "http://shop.example/",
        "https://shop.example.evil.example/",
        "https://evil.example/?shop.example",
        "https://169.254.169.254/",
        "file:///etc/passwd",
        "https://anna:word@shop.example/",
        "https:///nowhere",
    ] {
        let plugin = load(guests::posts(url, None).build(), SHOP).await;
        let input = json!({});
        let called = plugin.call(CallRequest::new("act", &input), Desk::default()).await;
        let code = called.result.as_ref().unwrap_err().code();
        assert!(matches!(code, "denied" | "invalid"), "{url}: {}", line(&called));
        assert!(called.host.asked.is_empty(), "{url}");
    }
    check("https://evil.example/", None, SHOP, &[], expect![[r#"denied: plugin `p`, action `act`: plugin `p` may not call POST https://evil.example: host = "evil.example" and methods = ["POST"] under [[permissions.http]] in its plugin.toml allows it"#]]).await;
    check(
        "https://shop.example/",
        None,
        "[[permissions.http]]\nhost = \"shop.example\"\nmethods = [\"GET\"]\n",
        &[],
        expect![[r#"denied: plugin `p`, action `act`: plugin `p` may not call POST https://shop.example: host = "shop.example" and methods = ["POST"] under [[permissions.http]] in its plugin.toml allows it"#]],
    )
    .await;
}

#[tokio::test]
async fn a_secret_goes_to_its_host_alone() {
    let both = format!("{SHOP}{TOKEN}");
    check(
        "https://shop.example/",
        Some("shop-token"),
        &both,
        &[],
        expect![[r#"
        POST https://shop.example/ authorization: <shop-token> idempotency-key: run/step/1 {"n":1}
        done: {}"#]],
    )
    .await;
    check("https://shop.example/", Some("other"), &both, &[], expect![[r#"denied: plugin `p`, action `act`: plugin `p` may not send the secret `other` to shop.example: other = ["shop.example"] under [permissions.secrets] in its plugin.toml allows it"#]]).await;
    check("https://shop.example/", Some("unnamed"), &both, &[], expect![[r#"denied: plugin `p`, action `act`: plugin `p` may not use the secret `unnamed`: unnamed = ["*"] under [permissions.secrets] in its plugin.toml allows it"#]]).await;
    check("https://shop.example/", Some("missing"), &both, &[], expect!["not-found: plugin `p`, action `act`: there is no secret `missing`; `relata secret set missing` keeps one"]).await;
    let clear =
        "[[permissions.http]]\nhost = \"shop.example\"\nscheme = \"http\"\nmethods = [\"POST\"]\n";
    let clear = format!("{clear}{TOKEN}");
    check("http://shop.example/", Some("shop-token"), &clear, &[], expect!["denied: plugin `p`, action `act`: the secret `shop-token` would travel in the clear to http://shop.example; secrets go out over https only"]).await;
}

#[tokio::test]
async fn redirects_are_checked_like_first_calls() {
    let both = format!("{SHOP}{TOKEN}");
    // 303 asks for the answer elsewhere; 308 for the same again.
    check(
        "https://shop.example/a",
        None,
        SHOP,
        &[(303, "/b"), (308, "c")],
        expect![[r#"
        POST https://shop.example/a idempotency-key: run/step/1 {"n":1}
        GET https://shop.example/b
        GET https://shop.example/c
        done: {}"#]],
    )
    .await;
    check("https://shop.example/a", None, SHOP, &[(307, "https://10.0.0.1/")], expect![[r#"
        POST https://shop.example/a idempotency-key: run/step/1 {"n":1}
        denied: plugin `p`, action `act`: plugin `p` may not call POST https://10.0.0.1: host = "10.0.0.1" and methods = ["POST"] under [[permissions.http]] in its plugin.toml allows it"#]]).await;
    check("https://shop.example/a", None, SHOP, &[(302, "http://shop.example/")], expect![[r#"
        POST https://shop.example/a idempotency-key: run/step/1 {"n":1}
        denied: plugin `p`, action `act`: plugin `p` may not call GET http://shop.example: host = "shop.example" and methods = ["GET"] and scheme = "http" under [[permissions.http]] in its plugin.toml allows it"#]]).await;
    // What says who asks does not go on to another host.
    let two =
        format!("{both}[[permissions.http]]\nhost = \"other.example\"\nmethods = [\"POST\"]\n");
    check(
        "https://shop.example/a",
        Some("shop-token"),
        &two,
        &[(307, "https://other.example/b")],
        expect![[r#"
        POST https://shop.example/a authorization: <shop-token> idempotency-key: run/step/1 {"n":1}
        POST https://other.example/b idempotency-key: run/step/1 {"n":1}
        done: {}"#]],
    )
    .await;
    check(
        "https://shop.example/a",
        None,
        SHOP,
        &[(307, "/a"); 9],
        expect![[r#"
        POST https://shop.example/a idempotency-key: run/step/1 {"n":1}
        POST https://shop.example/a idempotency-key: run/step/1 {"n":1}
        POST https://shop.example/a idempotency-key: run/step/1 {"n":1}
        POST https://shop.example/a idempotency-key: run/step/1 {"n":1}
        POST https://shop.example/a idempotency-key: run/step/1 {"n":1}
        POST https://shop.example/a idempotency-key: run/step/1 {"n":1}
        permanent: plugin `p`, action `act`: more than 5 redirects one after another"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_takes_too_long() {
    let plugin = load(guests::posts("https://shop.example/", None).build(), SHOP).await;
    let input = json!({});
    let desk = Desk { delay: std::time::Duration::from_secs(3600), ..Desk::default() };
    let called = plugin.call(CallRequest::new("act", &input), desk).await;
    expect!["transient: plugin `p`, action `act`: https://shop.example did not answer within 10 s"]
        .assert_eq(&line(&called));
}

#[tokio::test]
async fn a_body_that_is_too_long() {
    let plugin = load(
        guests::posts("https://shop.example/", None).build(),
        &format!("{SHOP}[limits]\nhttp_kib = 1"),
    )
    .await;
    let input = json!("x".repeat(2000));
    let called = plugin.call(CallRequest::new("act", &input), Desk::default()).await;
    expect!["permanent: plugin `p`, action `act`: the body of a request has 2002 bytes, the limit is 1 KiB (limits.http_kib in its plugin.toml)"].assert_eq(&line(&called));
}

#[tokio::test]
async fn what_was_not_agreed_to_does_not_hold() {
    let granted: Permissions = toml::from_str("state = true").unwrap();
    let component = guests::posts("https://shop.example/", None).build();
    let plugin = sandbox().load(manifest(SHOP), Some(&granted), component).await.unwrap();
    let input = json!({});
    let called = plugin.call(CallRequest::new("act", &input), Desk::default()).await;
    expect!["denied: plugin `p`, action `act`: plugin `p` may not call POST https://shop.example: its plugin.toml asks for it, but it was installed without; `relata plugin install` shows what it asks for"].assert_eq(&line(&called));
}

#[tokio::test]
async fn a_step_may_leave_less() {
    let plugin = load(guests::posts("https://shop.example/", None).build(), SHOP).await;
    let leaves: Permissions = toml::from_str("state = true").unwrap();
    let input = json!({});
    let request = CallRequest { leaves: Some(&leaves), ..CallRequest::new("act", &input) };
    let called = plugin.call(request, Desk::default()).await;
    expect!["denied: plugin `p`, action `act`: plugin `p` may not call POST https://shop.example: the step's `may` leaves it out"].assert_eq(&line(&called));
}

/// Sends `GET` to an address with a secret's placeholder at its end, and logs
/// that address.
fn leaks(beginning: &str) -> Guest {
    let length = beginning.len();
    // A placeholder has 46 bytes.
    let whole = length + 46;
    Guest::new(&format!(
        r#"(call $secrets_placeholder (i32.const 9216) (i32.const 10) (i32.const 640))
        (memory.copy (i32.const {place}) (i32.load (i32.const 644)) (i32.const 46))
        (call $log_emit (i32.const 2) (i32.const 8192) (i32.const {whole}) (i32.const 0) (i32.const 0))
        (call $http_send (i32.const 0) (i32.const 8192) (i32.const {whole}) (i32.const 0) (i32.const 0)
          (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 600))
        (if (result i32) (i32.load8_u (i32.const 600))
          (then (call $fail (i32.load8_u (i32.const 604))
                  (i32.load (i32.const 608)) (i32.load (i32.const 612))))
          (else (call $done (local.get $input) (local.get $input_len))))"#,
        place = 8192 + length,
    ))
    .import("secrets", "placeholder", "(param i32 i32 i32)")
    .import("log", "emit", "(param i32 i32 i32 i32 i32)")
    .import("http", "send", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)")
    .text_at(8192, beginning)
    .text_at(9216, "shop-token")
}

#[tokio::test]
async fn a_secret_in_an_address_goes_no_further() {
    let grants = format!(
        "{SHOP}{TOKEN}[[permissions.http]]\nhost = \"*\"\nmethods = [\"GET\"]\n[[permissions.http]]\nhost = \"*\"\nscheme = \"http\"\nmethods = [\"GET\"]\n"
    );
    let mut told = String::new();
    for beginning in [
        "https://shop.example/",
        "https://evil.example/",
        "https://evil.example/?key=",
        "https://evil.example/#",
        "https://evil.example:443/",
        "https://shop.example@evil.example/",
        "https://shop.example.evil.example/",
        "https://",
        "http://shop.example/",
    ] {
        let plugin = load(leaks(beginning).build(), &grants).await;
        let input = json!({});
        let called = plugin.call(CallRequest::new("act", &input), Desk::default()).await;
        let asked = called.host.asked.join(" ");
        let line = line(&called).replace("plugin `p`, action `act`: ", "");
        let line = line.split(':').take(2).collect::<Vec<_>>().join(":");
        told.push_str(&format!("{beginning} {asked} {line}\n"));
        // All that the plugin ever had is the placeholder.
        assert!(called.report.logs[0].message.contains("relata-secret-"));
    }
    expect![[r#"
        https://shop.example/ GET https://shop.example/<shop-token> done: {}
        https://evil.example/  denied: plugin `p` may not send the secret `shop-token` to evil.example
        https://evil.example/?key=  denied: plugin `p` may not send the secret `shop-token` to evil.example
        https://evil.example/#  denied: plugin `p` may not send the secret `shop-token` to evil.example
        https://evil.example:443/  denied: plugin `p` may not send the secret `shop-token` to evil.example
        https://shop.example@evil.example/  invalid: the address of a request has a user or password in it; they belong into the header `authorization`
        https://shop.example.evil.example/  denied: plugin `p` may not send the secret `shop-token` to shop.example.evil.example
        https://  invalid: the secret `shop-token` stands in the host of a request
        http://shop.example/  denied: the secret `shop-token` would travel in the clear to http
    "#]].assert_eq(&told);
}
