//! Who is let in, and what they may do with records.

use expect_test::expect;
use relata_app::{
    AccessError, App, LogIn, LogInError, LoggedIn, RecordSearch, Secret, Viewer,
    model::{Record, Reference, Value},
    store::AuditFilter,
};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use super::company::Company;

const GOOD: &str = "correct horse battery";

async fn user(company: &Company, name: &str, given: &[(&str, &str)]) -> Record {
    let email = format!("{name}@a.example");
    let mut fields = vec![("name", name), ("external_id", name), ("email", email.as_str())];
    fields.extend(given);
    let reference = company.create("user", &fields).await;
    company.app.record(&reference).await.unwrap()
}

async fn viewer(app: &App, name: &str) -> Viewer {
    app.viewer_of_user(&Reference::new("user", name)).await.unwrap().unwrap()
}

async fn try_in(
    app: &App,
    email: &str,
    password: &str,
    code: Option<&str>,
) -> Result<LoggedIn, LogInError> {
    app.log_in(LogIn {
        email: email.to_owned(),
        password: Secret::new(password),
        code: code.map(str::to_owned),
        address: "203.0.113.7".to_owned(),
    })
    .await
}

fn why(refused: Result<LoggedIn, LogInError>) -> String {
    refused.expect_err("nobody is let in").to_string()
}

fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(fields) => fields,
        other => panic!("{other} is no object"),
    }
}

async fn names(app: &App, viewer: &Viewer, object: &str, filter: &[(&str, &str)]) -> String {
    let filter = filter.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned()));
    let search = RecordSearch {
        filter: filter.collect(),
        limit: 50,
        count: true,
        ..RecordSearch::default()
    };
    match app.find(viewer, object, &search).await {
        Ok(found) => {
            assert_eq!(found.total, Some(found.records.len() as u64));
            let names = found.records.iter().map(|record| record.field("external_id").to_string());
            names.collect::<Vec<_>>().join(" ")
        }
        Err(why) => why.to_string(),
    }
}

#[tokio::test]
async fn a_password_lets_in_and_a_session_lasts_until_it_is_ended() {
    let company = Company::new().await;
    let app = &company.app;
    let ada = user(&company, "ada", &[("roles", "agent")]).await;
    // Nobody without a password is let in.
    let unknown = why(try_in(app, "ada@a.example", GOOD, None).await);
    assert_eq!(unknown, why(try_in(app, "nobody@a.example", GOOD, None).await));
    app.set_password(&ada, Secret::new(GOOD), true, "test").await.unwrap();
    assert_eq!(unknown, why(try_in(app, "ada@a.example", "wrong horse battery", None).await));

    let LoggedIn { secret, viewer, must_change, .. } =
        try_in(app, " Ada@A.example", GOOD, None).await.unwrap();
    assert!(must_change);
    assert_eq!(viewer.actor(), ada.reference.to_string());
    assert_eq!(app.session(secret.expose()).await.unwrap().unwrap().viewer, viewer);
    assert_eq!(app.session("guess").await.unwrap(), None);

    // The own password, by the one that was; it ends the session.
    let other = Secret::new("an owl sits on the roof");
    let wrong = app.change_password(&viewer, Secret::new("wrong"), other.clone()).await;
    assert!(matches!(wrong, Err(LogInError::Refused)));
    app.change_password(&viewer, Secret::new(GOOD), other).await.unwrap();
    assert_eq!(app.session(secret.expose()).await.unwrap(), None);
    let LoggedIn { secret, must_change, .. } =
        try_in(app, "ada@a.example", "an owl sits on the roof", None).await.unwrap();
    assert!(!must_change);
    app.log_out(secret.expose()).await.unwrap();
    assert_eq!(app.session(secret.expose()).await.unwrap(), None);

    // Whoever left is not let in, and is out at once.
    let LoggedIn { secret, .. } =
        try_in(app, "ada@a.example", "an owl sits on the roof", None).await.unwrap();
    app.change_record(&ada.reference, &object(json!({ "active": false })), None, "test")
        .await
        .unwrap();
    assert_eq!(app.session(secret.expose()).await.unwrap(), None);
    assert_eq!(unknown, why(try_in(app, "ada@a.example", "an owl sits on the roof", None).await));

    let audit = app.audit(&AuditFilter::default(), 50).await.unwrap();
    let lines: Vec<String> = audit
        .into_iter()
        .rev()
        .map(|entry| {
            let actor = if entry.actor.starts_with("user/") { "ada" } else { entry.actor.as_str() };
            let target =
                if entry.target.starts_with("user/") { "ada" } else { entry.target.as_str() };
            format!(
                "{actor} {} {target} {} {} {}",
                entry.act, entry.outcome, entry.times, entry.why
            )
        })
        .collect();
    expect![[r#"
        203.0.113.7 log in nobody refused 2 no such login
        test set a password ada done 1 
        ada log in from 203.0.113.7 refused 2 the user is not active any more
        ada log in from 203.0.113.7 done 3 
        ada set a password own refused 1 it was wrong
        ada set a password ada done 1 "#]]
    .assert_eq(&lines.join("\n"));
}

#[tokio::test]
async fn what_a_page_asks_by_itself_keeps_nobody_logged_in() {
    let company = Company::new().await;
    let app = &company.app;
    let ada = user(&company, "ada", &[]).await;
    app.set_password(&ada, Secret::new(GOOD), false, "test").await.unwrap();
    let LoggedIn { secret, .. } = try_in(app, "ada@a.example", GOOD, None).await.unwrap();
    let secret = secret.expose();
    let digest: String = Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect();
    let seen = async || {
        app.store().session(&digest, app.now()).await.unwrap().unwrap().seen_at.to_string()
    };
    let began = seen().await;
    company.advance("2026-12-14T08:00:00Z").await;
    let by_itself = app.session_unattended(secret).await.unwrap().unwrap();
    assert_eq!(seen().await, began);
    assert_eq!(app.session(secret).await.unwrap().unwrap(), by_itself);
    assert_eq!(seen().await, "2026-12-14T08:00:00Z");
    assert_eq!(by_itself.me.reference, ada.reference);
}

#[tokio::test]
async fn how_much_waits_is_what_somebody_is_asked_and_has_to_do() {
    let company = Company::new().await;
    let app = &company.app;
    let ada = user(&company, "ada", &[("roles", "agent; manager")]).await;
    user(&company, "bo", &[("roles", "agent")]).await;
    for (assignee, status) in
        [("user/ada", "open"), ("user/ada", "done"), ("user/bo", "open"), ("user/ada", "open")]
    {
        let given = [("title", "Call"), ("assignee", assignee), ("status", status)];
        company.create("task", &given).await;
    }
    for (asked, status) in [
        ("asked=user/ada", "open"),
        ("asked=user/ada", "answered"),
        ("asked=user/bo", "open"),
        ("role=manager", "open"),
        ("role=sales", "open"),
    ] {
        let whom = asked.split_once('=').unwrap();
        let given = [("question", "May I?"), ("answers", "yes; no"), ("status", status), whom];
        company.create("approval", &given).await;
    }
    let waiting = app.work_of(&app.record(&ada.reference).await.unwrap()).await.unwrap();
    assert_eq!((waiting.tasks, waiting.approvals), (2, 2));
    // Counted is what would be found, and no further than somebody asked.
    let status = |word: &str| vec![("status".to_owned(), word.to_owned())];
    let filters = [status("open"), status("done"), status("open,done"), status("cancelled")];
    let counts = async |name| {
        let viewer = viewer(app, name).await;
        app.count_found(&viewer, "task", &filters).await.map_err(|why| why.to_string())
    };
    assert_eq!(counts("ada").await, Ok(vec![3, 1, 4, 0]));
    assert_eq!(counts("bo").await, Ok(vec![1, 0, 1, 0]));
    user(&company, "cy", &[]).await;
    assert_eq!(counts("cy").await, Err("cy may not see task records".to_owned()));
}

#[tokio::test]
async fn who_guesses_waits_longer_each_time() {
    let company = Company::new().await;
    let app = &company.app;
    let ada = user(&company, "ada", &[]).await;
    app.set_password(&ada, Secret::new(GOOD), false, "test").await.unwrap();
    for _ in 0..5 {
        assert!(matches!(
            try_in(app, "ada@a.example", "guess", None).await,
            Err(LogInError::Refused)
        ));
    }
    // Not even the right one is judged now.
    let locked = try_in(app, "ada@a.example", GOOD, None).await;
    assert!(matches!(locked, Err(LogInError::TooMany { retry_after: 1 })), "{locked:?}");
    company.advance("2026-12-14T07:00:01Z").await;
    assert!(matches!(try_in(app, "ada@a.example", "guess", None).await, Err(LogInError::Refused)));
    let locked = try_in(app, "ada@a.example", GOOD, None).await;
    assert!(matches!(locked, Err(LogInError::TooMany { retry_after: 2 })), "{locked:?}");
    company.advance("2026-12-14T07:00:03Z").await;
    try_in(app, "ada@a.example", GOOD, None).await.unwrap();
    // And who got it right begins anew.
    assert!(matches!(try_in(app, "ada@a.example", "guess", None).await, Err(LogInError::Refused)));
    try_in(app, "ada@a.example", GOOD, None).await.unwrap();
}

#[tokio::test]
async fn who_tries_many_users_is_stopped_by_their_address() {
    let company = Company::new().await;
    let app = &company.app;
    for name in ["ada", "bo"] {
        let user = user(&company, name, &[]).await;
        app.set_password(&user, Secret::new(GOOD), false, "test").await.unwrap();
    }
    for _ in 0..50 {
        try_in(app, "ada@a.example", "guess", None).await.unwrap_err();
    }
    let stopped = try_in(app, "bo@a.example", GOOD, None).await;
    assert!(matches!(stopped, Err(LogInError::TooMany { retry_after: 5 })), "{stopped:?}");
    let elsewhere = LogIn {
        email: "bo@a.example".to_owned(),
        password: Secret::new(GOOD),
        code: None,
        address: "198.51.100.9".to_owned(),
    };
    app.log_in(elsewhere).await.unwrap();
}

#[tokio::test]
async fn a_one_time_code_is_asked_and_is_good_once() {
    let company = Company::new().await;
    let app = &company.app;
    let ada = user(&company, "ada", &[]).await;
    let new = app.draw_codes(&ada).unwrap();
    assert!(new.address.expose().starts_with("otpauth://totp/"));
    let code = |at: &str| {
        let at: relata_app::model::Timestamp = at.parse().unwrap();
        let totp = totp_rs::Totp::from_url(new.address.expose()).unwrap();
        totp.generate(u64::try_from(at.as_second()).unwrap()).to_string()
    };
    let now = code("2026-12-14T07:00:00Z");
    let early = app.use_codes(&ada, new.key.clone(), &now, "test").await.unwrap_err().to_string();
    assert!(early.contains("has no password yet"), "{early}");
    app.set_password(&ada, Secret::new(GOOD), false, "test").await.unwrap();
    let wrong =
        app.use_codes(&ada, new.key.clone(), "000000", "test").await.unwrap_err().to_string();
    assert!(wrong.starts_with("the code is none of this key"), "{wrong}");
    app.use_codes(&ada, new.key.clone(), &now, "test").await.unwrap();

    assert!(matches!(try_in(app, "ada@a.example", GOOD, None).await, Err(LogInError::CodeNeeded)));
    // Whoever does not know the password does not hear that a code is asked.
    assert!(matches!(try_in(app, "ada@a.example", "guess", None).await, Err(LogInError::Refused)));
    // The code by which it was set up is used.
    assert!(matches!(
        try_in(app, "ada@a.example", GOOD, Some(&now)).await,
        Err(LogInError::Refused)
    ));
    company.advance("2026-12-14T07:01:00Z").await;
    let next = code("2026-12-14T07:01:00Z");
    try_in(app, "ada@a.example", GOOD, Some(&next)).await.unwrap();
    assert!(matches!(
        try_in(app, "ada@a.example", GOOD, Some(&next)).await,
        Err(LogInError::Refused)
    ));
    app.drop_codes(&ada, "test").await.unwrap();
    try_in(app, "ada@a.example", GOOD, None).await.unwrap();
}

#[tokio::test]
async fn a_password_says_what_it_lacks() {
    let company = Company::new().await;
    let ada = user(&company, "ada.king", &[]).await;
    let mut lines = Vec::new();
    for password in ["short", "aaaaaaaaaaaabb", "my name is Ada.King", "hi ada.king@a.example"] {
        let set = company.app.set_password(&ada, Secret::new(password), false, "test").await;
        lines.push(format!("{password}: {}", set.unwrap_err()));
    }
    expect![[r#"
        short: a password has 10 to 256 characters; several words are good, too
        aaaaaaaaaaaabb: the password is the same few characters again and again
        my name is Ada.King: the password has the user's name or address in it
        hi ada.king@a.example: the password has the user's name or address in it"#]]
    .assert_eq(&lines.join("\n"));
}

/// Two teams with an agent and a ticket each, one ticket in a queue of the
/// first, and one of nobody.
async fn two_teams(company: &Company) {
    for team in ["red", "blue"] {
        company.create("team", &[("external_id", team), ("name", team)]).await;
    }
    company
        .create("queue", &[("external_id", "help"), ("name", "Help"), ("team", "team/red")])
        .await;
    for (name, team) in [("ann", "team/red"), ("abe", "team/red"), ("bob", "team/blue")] {
        user(company, name, &[("roles", "agent"), ("team", team)]).await;
    }
    company
        .create(
            "contact",
            &[
                ("external_id", "kim"),
                ("name", "Kim"),
                ("email", "kim@c.example"),
                ("phone", "+49301234567"),
            ],
        )
        .await;
    for (ticket, owner) in
        [("t-ann", "user/ann"), ("t-abe", "user/abe"), ("t-bob", "user/bob"), ("t-none", "")]
    {
        company
            .create(
                "ticket",
                &[
                    ("external_id", ticket),
                    ("subject", "Help"),
                    ("owner", owner),
                    ("customer", "contact/kim"),
                ],
            )
            .await;
        company
            .create(
                "message",
                &[
                    ("external_id", &format!("m-{ticket}")),
                    ("ticket", &format!("ticket/{ticket}")),
                    ("direction", "in"),
                    ("body", "Help!"),
                ],
            )
            .await;
    }
    company
        .create(
            "ticket",
            &[("external_id", "t-queue"), ("subject", "Help"), ("queue", "queue/help")],
        )
        .await;
}

#[tokio::test]
async fn an_agent_sees_the_tickets_of_the_team() {
    let company = Company::new().await;
    let app = &company.app;
    two_teams(&company).await;
    let (ann, bob) = (viewer(app, "ann").await, viewer(app, "bob").await);
    assert_eq!(names(app, &ann, "ticket", &[]).await, "t-ann t-abe t-queue");
    assert_eq!(names(app, &bob, "ticket", &[]).await, "t-bob");
    assert_eq!(
        names(app, &ann, "ticket", &[("subject", "Help"), ("owner", "user/abe")]).await,
        "t-abe"
    );

    let see = async |who: &Viewer, record: &str| match app.see(who, &record.parse().unwrap()).await
    {
        Ok(record) => format!("sees {}", record.field("external_id")),
        Err(why) => why.to_string(),
    };
    assert_eq!(see(&ann, "ticket/t-queue").await, "sees t-queue");
    assert!(see(&bob, "ticket/t-ann").await.starts_with("bob may not see ticket/"));
    assert_eq!(see(&bob, "ticket/t-gone").await, "there is no ticket/t-gone");
    // A message is a part of its ticket.
    assert_eq!(see(&ann, "message/m-t-abe").await, "sees m-t-abe");
    assert!(see(&bob, "message/m-t-abe").await.starts_with("bob may not see message/"));
    assert_eq!(names(app, &ann, "message", &[("ticket", "t-abe")]).await, "m-t-abe");
    assert_eq!(
        names(app, &ann, "message", &[]).await,
        "ann sees the message records of one ticket at a time; say `ticket=…`"
    );
    assert!(
        names(app, &bob, "message", &[("ticket", "t-abe")])
            .await
            .starts_with("bob may not see ticket/")
    );
    let reply =
        |ticket: &str| object(json!({ "ticket": ticket, "direction": "note", "body": "mine" }));
    app.create_as(&ann, "message", &reply("ticket/t-abe")).await.unwrap();
    let refused =
        app.create_as(&bob, "message", &reply("ticket/t-abe")).await.unwrap_err().to_string();
    assert!(refused.starts_with("bob may not see ticket/"), "{refused}");

    // Handing a ticket over takes it out of reach.
    let ticket: Reference = "ticket/t-ann".parse().unwrap();
    let change = |owner: &str| object(json!({ "owner": owner }));
    assert!(matches!(
        app.change_as(&bob, &ticket, &change("user/bob"), None).await,
        Err(AccessError::Forbidden(_))
    ));
    app.change_as(&ann, &ticket, &change("user/bob"), None).await.unwrap();
    assert!(matches!(
        app.change_as(&ann, &ticket, &change("user/ann"), None).await,
        Err(AccessError::Forbidden(_))
    ));
    let deleted = app.delete_as(&bob, &ticket, None).await.unwrap_err().to_string();
    assert_eq!(deleted, "bob may not delete ticket records");
    let refused = app
        .audit(&AuditFilter { outcome: Some("refused".to_owned()), ..AuditFilter::default() }, 50)
        .await
        .unwrap();
    assert!(refused.iter().any(|entry| entry.act == "delete" && entry.target == "ticket"));
}

#[tokio::test]
async fn a_role_of_the_company_hides_fields_and_nobody_makes_themselves_more() {
    let company = Company::new().await;
    let app = &company.app;
    two_teams(&company).await;
    company
        .create("role", &[("external_id", "caller"), ("name", "Caller"), ("may", "contact: see, change; contact.phone: hidden; contact.email: read only; user: see, change own")])
        .await;
    let roles = |roles: &[&str]| object(json!({ "roles": roles }));
    let bob: Reference = "user/bob".parse().unwrap();
    app.change_record(&bob, &roles(&["caller"]), None, "test").await.unwrap();
    let caller = viewer(app, "bob").await;
    let kim: Reference = "contact/kim".parse().unwrap();
    assert_eq!(app.see(&caller, &kim).await.unwrap().field("phone"), &Value::Nothing);
    assert_eq!(
        names(app, &caller, "contact", &[("phone", "+49301234567")]).await,
        "bob does not see contact.phone"
    );
    let changed =
        app.change_as(&caller, &kim, &object(json!({ "name": "Kim K." })), None).await.unwrap();
    assert_eq!(changed.record.field("phone"), &Value::Nothing);
    app.change_record(&kim, &object(json!({ "phone": "+49307654321" })), None, "test")
        .await
        .unwrap();
    let told: Vec<String> = app
        .timeline_as(&caller, &kim, 99)
        .await
        .unwrap()
        .into_iter()
        .map(|entry| entry.what)
        .collect();
    assert!(
        told.iter().all(|what| !what.contains("+49"))
            && told.iter().any(|what| what.contains("Kim K.")),
        "{told:?}"
    );
    let mut lines = Vec::new();
    for fields in [json!({ "phone": null }), json!({ "email": "x@c.example" })] {
        lines.push(
            app.change_as(&caller, &kim, &object(fields), None).await.unwrap_err().to_string(),
        );
    }
    lines.push(
        app.change_as(&caller, &bob, &roles(&["administrator"]), None)
            .await
            .unwrap_err()
            .to_string(),
    );
    lines.push(
        app.change_as(
            &caller,
            &"user/ann".parse().unwrap(),
            &object(json!({ "presence": "away" })),
            None,
        )
        .await
        .unwrap_err()
        .to_string(),
    );
    lines.push(
        app.create_as(&caller, "role", &object(json!({ "external_id": "agent", "name": "x" })))
            .await
            .unwrap_err()
            .to_string(),
    );
    let lines = lines.join("\n");
    let ann = app.record(&"user/ann".parse().unwrap()).await.unwrap().reference.to_string();
    expect![[r#"
        bob may not set phone of contact records
        bob may not set email of contact records
        bob may not set roles of user records
        bob may not change ANN
        bob may not create role records"#]]
    .assert_eq(&lines.replace(&ann, "ANN"));
    app.change_as(&caller, &bob, &object(json!({ "presence": "away" })), None).await.unwrap();

    // A role that does not read gives nothing.
    app.change_record(
        &"role/caller".parse().unwrap(),
        &object(json!({ "may": ["contact: sea"] })),
        None,
        "test",
    )
    .await
    .unwrap();
    assert!(matches!(
        app.see(&viewer(app, "bob").await, &kim).await,
        Err(AccessError::Forbidden(_))
    ));
    let findings = app.doctor(false).await.unwrap();
    let finding = findings.iter().find(|finding| finding.code == "role-unreadable").unwrap();
    assert!(finding.what.starts_with("role/caller gives nothing: `contact: sea`"), "{finding:?}");
    let why = app.known_role("caller").await.unwrap_err().to_string();
    assert_eq!(
        why,
        "the role caller does not read: `contact: sea`: `sea` is nothing that is done; did you mean `see`?"
    );
    app.change_record(&bob, &roles(&["administrator"]), None, "test").await.unwrap();
    let administrator = viewer(app, "bob").await;
    app.change_as(&administrator, &"user/ann".parse().unwrap(), &roles(&["agent", "sales"]), None)
        .await
        .unwrap();
}
