//! A user's token, on every route: who lacks a permission gets 403, is noted
//! in the audit, and nobody else does.

use relata_app::{
    App, NewToken, Scope,
    model::{Act, Area, Doing, Reference, access::standard_roles},
    store::AuditFilter,
};
use reqwest::Method;

use crate::served::{Served, told};

async fn token_of(app: &App, role: &str, user: Reference) -> String {
    let new = NewToken {
        name: format!("of-{role}"),
        scopes: Scope::ALL.to_vec(),
        objects: Vec::new(),
        user: Some(user),
        expires_at: None,
    };
    app.create_token(new).await.unwrap().1.expose().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_without_a_permission_is_refused_everywhere() {
    let served = Served::start(&[]).await;
    let app = &served.app;
    let (mut asked, mut refused) = (0, 0);
    for role in standard_roles().keys().map(String::as_str).chain(["no-role"]) {
        let email = format!("{role}@a.example");
        let user =
            served.create("user", &[("name", role), ("email", &email), ("roles", role)]).await;
        let secret = token_of(app, role, user.clone()).await;
        let viewer = app.viewer_of_user(&user).await.unwrap().unwrap();
        let area = |area, doing| viewer.may(area, doing);
        let mut routes = vec![
            (Method::GET, "/v1/runs".to_owned(), area(Area::Runs, Doing::See)),
            (Method::GET, "/v1/runs/run_0".to_owned(), area(Area::Runs, Doing::See)),
            (Method::POST, "/v1/runs/run_0/cancel".to_owned(), area(Area::Runs, Doing::Change)),
            (Method::GET, "/v1/events/evt_0".to_owned(), area(Area::Runs, Doing::See)),
            (Method::POST, "/v1/events".to_owned(), area(Area::Events, Doing::Change)),
        ];
        for path in ["/v1/messages/none/attachments", "/v1/messages/none/attachments/1"] {
            routes.push((Method::GET, path.to_owned(), viewer.may_object("message", Act::See)));
        }
        for object in app.objects().names() {
            let may = |act| viewer.may_object(object, act);
            let one = format!("/v1/records/{object}/none-of-this-key");
            routes.extend([
                (Method::GET, format!("/v1/records/{object}"), may(Act::See)),
                (Method::GET, one.clone(), may(Act::See)),
                (Method::GET, format!("{one}/timeline"), may(Act::See)),
                (Method::GET, format!("{one}/decisions"), may(Act::See)),
                (Method::POST, format!("/v1/records/{object}"), may(Act::Create)),
                (Method::PATCH, one.clone(), may(Act::Change)),
                (Method::PUT, one.clone(), may(Act::Create) && may(Act::Change)),
                (Method::DELETE, one, may(Act::Delete)),
            ]);
        }
        for (method, path, may) in routes {
            let request = served.request(method.clone(), &path).bearer_auth(&secret).body("{}");
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            assert!(status < 500, "{role} {method} {path}: {status}");
            // A message is seen ticket by ticket.
            let by_part = path == "/v1/records/message" && method == Method::GET;
            assert!(by_part || (status == 403) != may, "{role} {method} {path}: {status}, {may}");
            asked += 1;
            refused += u32::from(status == 403);
        }
    }
    assert!(refused > 100 && refused < asked, "{refused} of {asked}");
    let filter = AuditFilter { outcome: Some("refused".to_owned()), ..AuditFilter::default() };
    let noted: u64 = app.audit(&filter, 1_000).await.unwrap().iter().map(|entry| entry.times).sum();
    assert_eq!(noted, u64::from(refused));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_users_token_does_no_more_than_the_user_and_the_token() {
    let served = Served::start(&[]).await;
    let app = &served.app;
    let ann =
        [("name", "Ann"), ("email", "ann@a.example"), ("roles", "agent"), ("external_id", "ann")];
    let ann = served.create("user", &ann).await;
    served
        .create("contact", &[("external_id", "kim"), ("name", "Kim"), ("email", "kim@c.example")])
        .await;
    for (ticket, owner) in [("mine", "user/ann"), ("nobodys", "")] {
        served
            .create("ticket", &[("external_id", ticket), ("subject", "Help"), ("owner", owner)])
            .await;
    }
    let new = NewToken {
        name: "mobile".to_owned(),
        scopes: vec![Scope::RecordsRead],
        objects: Vec::new(),
        user: Some(ann.clone()),
        expires_at: None,
    };
    let secret = app.create_token(new).await.unwrap().1;
    let call = |method: Method, path: &str, body: &str| {
        served.request(method, path).bearer_auth(secret.expose()).body(body.to_owned())
    };
    let lines = [
        told(call(Method::GET, "/v1/records/ticket?fields=external_id,subject&total=true", ""))
            .await,
        told(call(Method::GET, "/v1/records/ticket/nobodys", "")).await,
        told(call(Method::GET, "/v1/records/lead", "")).await,
        told(call(Method::PATCH, "/v1/records/ticket/mine", r#"{"priority": "high"}"#)).await,
        told(call(Method::GET, "/v1/runs", "")).await,
    ];
    expect_test::expect![[r#"
        200 {"next":null,"records":[{"external_id":"mine","id":"ticket/…","subject":"Help"}],"total":1}
        403 forbidden: Ann may not see ticket/…
        403 forbidden: Ann may not see lead records
        403 scope: the token `mobile` may not do this; it needs records:write
        403 scope: the token `mobile` may not do this; it needs runs:read"#]]
    .assert_eq(&lines.join("\n"));
    // Whoever left takes their tokens along.
    let gone = [("active".to_owned(), serde_json::json!(false))].into_iter().collect();
    app.change_record(&ann, &gone, None, "test").await.unwrap();
    let gone = told(call(Method::GET, "/v1/records/ticket", "")).await;
    assert_eq!(gone, "401 token: the token is unknown, revoked or expired");
    served.stop().await;
}
