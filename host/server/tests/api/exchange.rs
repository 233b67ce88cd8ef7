//! Records found, seen, changed, put and deleted by other programs.

use expect_test::expect;
use relata_app::Scope;
use reqwest::Method;
use serde_json::Value as Json;

use crate::served::{Served, json, shown, token};

async fn with_leads() -> Served {
    let served = Served::start(&[]).await;
    for (key, name, country, size) in [
        ("anna", "Anna", "DE", "12"),
        ("bert", "Bert", "AT", "300"),
        ("cleo", "Cleo, the second", "DE", "40"),
    ] {
        let given = [
            ("external_id", key),
            ("name", name),
            ("email", &format!("{key}@a.example")),
            ("country", country),
            ("company_size", size),
        ];
        served.create("lead", &given).await;
    }
    served
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_found_by_their_fields() {
    let served = with_leads().await;
    let mut told = String::new();
    for query in [
        "",
        "?country=DE&fields=name,country",
        "?country=DE,AT&sort=-company_size&fields=name",
        "?company_size.gte=40&company_size.lt=300&fields=name",
        "?name.contains=Cleo,&fields=name",
        "?owner.empty=true&limit=3&fields=name&total=true",
        "?owner.empty=perhaps",
        "?contry=DE",
        "?company_size.atleast=7",
        "?company_size=many",
        "?sort=-size",
        "?fields=name,nme",
        "?limit=0",
        "?total=12",
        "?cursor=x",
    ] {
        let answer = served.get(&format!("/v1/records/lead{query}")).send().await.unwrap();
        let text = if query.is_empty() {
            let answer: Json = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
            format!("{} records", answer["records"].as_array().unwrap().len())
        } else {
            shown(answer).await
        };
        told.push_str(&format!("{query}: {text}\n"));
    }
    expect![[r#"
        : 3 records
        ?country=DE&fields=name,country: 200 {"next":null,"records":[{"country":"DE","id":"lead/…","name":"Anna"},{"country":"DE","id":"lead/…","name":"Cleo, the second"}]}
        ?country=DE,AT&sort=-company_size&fields=name: 200 {"next":null,"records":[{"id":"lead/…","name":"Bert"},{"id":"lead/…","name":"Cleo, the second"},{"id":"lead/…","name":"Anna"}]}
        ?company_size.gte=40&company_size.lt=300&fields=name: 200 {"next":null,"records":[{"id":"lead/…","name":"Cleo, the second"}]}
        ?name.contains=Cleo,&fields=name: 200 {"next":null,"records":[{"id":"lead/…","name":"Cleo, the second"}]}
        ?owner.empty=true&limit=3&fields=name&total=true: 200 {"next":null,"records":[{"id":"lead/…","name":"Anna"},{"id":"lead/…","name":"Bert"},{"id":"lead/…","name":"Cleo, the second"}],"total":3}
        ?owner.empty=perhaps: 400 wrong: `owner.empty` takes true or false
        ?contry=DE: 400 wrong: a lead has no field `contry`; did you mean `country`?
        ?company_size.atleast=7: 400 wrong: `company_size.atleast` is no comparison; there are eq, ne, lt, lte, gt, gte, contains, words, empty
        ?company_size=many: 400 wrong: `company_size`: lead.company_size takes a whole number, not `many`
        ?sort=-size: 400 wrong: a lead has no field `size`; it has name, email, phone, company, company_size, country, locale, source, batch, score, note, status, external_id, owner, team, tags, created_at, updated_at, merged_into
        ?fields=name,nme: 400 wrong: a lead has no field `nme`; did you mean `name`?
        ?limit=0: 400 parameter: `limit` takes a number from 1 to 500
        ?total=12: 400 parameter: `total` takes true or false; for a field of this name write `total.eq`
        ?cursor=x: 400 parameter: `cursor` takes the `next` of the page before
    "#]].assert_eq(&told);

    // Page by page, each once.
    let mut names = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = json(served.get(&format!("/v1/records/lead?limit=1&sort=name{cursor}"))).await;
        names.push(page["records"][0]["name"].as_str().unwrap().to_owned());
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, ["Anna", "Bert", "Cleo, the second"]);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_changed_at_the_revision_that_was_seen() {
    let served = with_leads().await;
    let path = "/v1/records/lead/anna";
    let seen = served.get(path).send().await.unwrap();
    let tag = seen.headers()["etag"].to_str().unwrap().to_owned();
    let lead: Json = serde_json::from_str(&seen.text().await.unwrap()).unwrap();
    assert_eq!(
        (tag.as_str(), &lead["revision"], &lead["name"]),
        ("\"1\"", &1.into(), &"Anna".into())
    );
    // By its id as well, without "lead/".
    let id = lead["id"].as_str().unwrap();
    assert_eq!(json(served.get(&format!("/v1/records/{id}"))).await, lead);
    let again = served.get(path).header("if-none-match", &tag).send().await.unwrap();
    assert_eq!((again.status().as_u16(), again.text().await.unwrap().as_str()), (304, ""));

    let patch = |body: &str, tag: &str| {
        let request = served.request(Method::PATCH, path).bearer_auth(&served.secret);
        request.header("if-match", tag).body(body.to_owned())
    };
    let mut told = String::new();
    for (body, tag) in [
        (r#"{"country": "CH", "company": null}"#, "\"1\""),
        (r#"{"country": "CH"}"#, "*"),
        (r#"{"country": "FR"}"#, "\"1\""),
        (r#"{"country": "Germany", "contry": "DE", "revision": 3}"#, "*"),
        (r#"{"status": "converted"}"#, "*"),
        ("[]", "*"),
        ("{", "*"),
        ("{}", "7"),
    ] {
        let answer = patch(body, tag).send().await.unwrap();
        let status = answer.status();
        let tag_now = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        let line = if status.is_success() {
            let answer: Json = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
            format!("{status} {} {} {tag_now:?}", answer["changed"], answer["record"]["country"])
        } else {
            shown(answer).await
        };
        told.push_str(&format!("{body} at {tag}: {line}\n"));
    }
    expect![[r#"
        {"country": "CH", "company": null} at "1": 200 OK true "CH" Some("\"2\"")
        {"country": "CH"} at *: 200 OK false "CH" Some("\"2\"")
        {"country": "FR"} at "1": 412 changed: lead/… is at revision 2 by now; read it again
        {"country": "Germany", "contry": "DE", "revision": 3} at *: 422 invalid: nothing of this was written; `errors` says what is wrong
            contry: is not a field; did you mean `country`?
            country: takes a country in two letters, such as DE, not `Germany`
            revision: is not a field
        {"status": "converted"} at *: 422 invalid: nothing of this was written; `errors` says what is wrong
            status: cannot go from new to converted, only to assigned, recycled, dead
        [] at *: 400 no-json: the body is no JSON object; send the fields to set
        { at *: 400 no-json: the body is not JSON: EOF while parsing an object at line 1 column 1
        {} at 7: 400 wrong-header: the header If-Match takes the `ETag` that came with the record, such as "7"
    "#]].assert_eq(&told);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_put_under_its_external_id_and_deleted() {
    let served = with_leads().await;
    let call = |method: Method, key: &str, body: &str| {
        let path = format!("/v1/records/lead/{key}");
        served.request(method, &path).bearer_auth(&served.secret).body(body.to_owned())
    };
    let mut told = String::new();
    for (method, key, body) in [
        (Method::PUT, "crm-7", r#"{"name": "Dora", "email": "dora@a.example"}"#),
        (Method::PUT, "crm-7", r#"{"name": "Dora", "email": "dora@a.example"}"#),
        (Method::PUT, "crm-7", r#"{"company": "Brewery"}"#),
        (Method::PUT, "crm-7", r#"{"external_id": "crm-8"}"#),
        (Method::PUT, "crm-9", r#"{"email": "nobody@a.example"}"#),
        (Method::DELETE, "crm-7", ""),
        (Method::DELETE, "crm-7", ""),
        (Method::GET, "crm-7", ""),
        (Method::PATCH, "crm-7", "{}"),
    ] {
        let name = method.to_string();
        let answer = call(method, key, body).send().await.unwrap();
        let status = answer.status();
        let line = if status.as_u16() == 204 {
            "204".to_owned()
        } else if status.is_success() {
            let answer: Json = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
            let part = |name: &str| answer[name].to_string();
            format!(
                "{status} created {}, changed {}, {}",
                part("created"),
                part("changed"),
                answer["record"]["company"]
            )
        } else {
            shown(answer).await
        };
        told.push_str(&format!("{name} {key} {body}: {line}\n"));
    }
    expect![[r#"
        PUT crm-7 {"name": "Dora", "email": "dora@a.example"}: 201 Created created true, changed true, null
        PUT crm-7 {"name": "Dora", "email": "dora@a.example"}: 200 OK created false, changed false, null
        PUT crm-7 {"company": "Brewery"}: 200 OK created false, changed true, "Brewery"
        PUT crm-7 {"external_id": "crm-8"}: 422 invalid: nothing of this was written; `errors` says what is wrong
            external_id: is `crm-7`, by the address
        PUT crm-9 {"email": "nobody@a.example"}: 422 invalid: nothing of this was written; `errors` says what is wrong
            name: must not be empty
        DELETE crm-7 : 204
        DELETE crm-7 : 404 not-found: there is no lead/crm-7
        GET crm-7 : 404 not-found: there is no lead/crm-7
        PATCH crm-7 {}: 404 not-found: there is no lead/crm-7
    "#]].assert_eq(&told);
    // Everything stands in the log, under the name of the token.
    let leads = served.app.records_all("lead").await.unwrap();
    assert_eq!(leads.len(), 3);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happened_and_why_is_told_with_the_objects_that_there_are() {
    let served = with_leads().await;
    served
        .create("user", &[("external_id", "lea"), ("name", "Lea"), ("email", "lea@a.example")])
        .await;
    let patch = served.request(Method::PATCH, "/v1/records/lead/anna").bearer_auth(&served.secret);
    let changed = patch.body(r#"{"owner": "user/lea"}"#).send().await.unwrap();
    assert_eq!(changed.status().as_u16(), 200);
    let timeline = json(served.get("/v1/records/lead/anna/timeline")).await;
    let by: Vec<&str> = timeline["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["by"].as_str().unwrap())
        .collect();
    assert_eq!(by, ["test", "token/all"]);
    let decisions = json(served.get("/v1/records/lead/anna/decisions")).await;
    assert_eq!(decisions["decisions"][0]["by"], "token/all");
    assert!(decisions["decisions"][0]["owner"].as_str().unwrap().starts_with("user/"));
    let missing = served.get("/v1/records/lead/nobody/decisions").send().await.unwrap();
    assert_eq!(missing.status().as_u16(), 404);

    served
        .create(
            "service_level",
            &[("external_id", "all"), ("name", "All"), ("solution", "4 hours")],
        )
        .await;
    served.create("ticket", &[("external_id", "t1"), ("subject", "Hello")]).await;
    let stands = json(served.get("/v1/records/ticket/t1/service-level")).await;
    assert_eq!((&stands["state"], &stands["name"]), (&"running".into(), &"All".into()));
    assert_eq!(stands["clocks"][0]["goal"], "solution");
    assert_eq!(stands["clocks"][0]["due_at"], stands["due_at"]);
    let other = served.get("/v1/records/lead/anna/service-level").send().await.unwrap();
    assert_eq!(other.status().as_u16(), 400);

    let lead = json(served.get("/v1/objects/lead")).await;
    assert_eq!((&lead["object"], &lead["fields"][0]["field"]), (&"lead".into(), &"name".into()));
    let tickets = token(&served.app, "tickets", &[Scope::RecordsRead], &["ticket"]).await;
    let request = served.request(Method::GET, "/v1/objects").bearer_auth(&tickets);
    let objects = json(request).await;
    assert_eq!(objects["objects"].as_array().unwrap().len(), 1);
    let all = json(served.get("/v1/objects")).await;
    assert!(all["objects"].as_array().unwrap().len() > 15);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_gets_nothing() {
    let served = with_leads().await;
    let writes = token(&served.app, "writes", &[Scope::RecordsWrite], &[]).await;
    let tickets = token(&served.app, "tickets", &Scope::ALL, &["ticket"]).await;
    let reads = token(&served.app, "reads", &[Scope::RecordsRead], &[]).await;
    let mut told = String::new();
    for (who, secret) in
        [("writes", &writes), ("tickets", &tickets), ("reads", &reads), ("nobody", &"x".to_owned())]
    {
        for (method, path) in [
            (Method::GET, "/v1/records/lead"),
            (Method::GET, "/v1/records/lead/anna"),
            (Method::PATCH, "/v1/records/lead/anna"),
            (Method::PUT, "/v1/records/lead/anna"),
            (Method::DELETE, "/v1/records/lead/nobody"),
            (Method::GET, "/v1/records/leed"),
            (Method::GET, "/v1/records/lead/anna/timeline"),
            (Method::GET, "/v1/records/lead/anna/decisions"),
            (Method::GET, "/v1/objects/lead"),
        ] {
            let request = served.request(method.clone(), path).bearer_auth(secret).body("{}");
            let status = request.send().await.unwrap().status().as_u16();
            told.push_str(&format!("{who} {method} {path}: {status}\n"));
        }
    }
    expect![[r#"
        writes GET /v1/records/lead: 403
        writes GET /v1/records/lead/anna: 403
        writes PATCH /v1/records/lead/anna: 200
        writes PUT /v1/records/lead/anna: 200
        writes DELETE /v1/records/lead/nobody: 404
        writes GET /v1/records/leed: 403
        writes GET /v1/records/lead/anna/timeline: 403
        writes GET /v1/records/lead/anna/decisions: 403
        writes GET /v1/objects/lead: 403
        tickets GET /v1/records/lead: 403
        tickets GET /v1/records/lead/anna: 403
        tickets PATCH /v1/records/lead/anna: 403
        tickets PUT /v1/records/lead/anna: 403
        tickets DELETE /v1/records/lead/nobody: 403
        tickets GET /v1/records/leed: 404
        tickets GET /v1/records/lead/anna/timeline: 403
        tickets GET /v1/records/lead/anna/decisions: 403
        tickets GET /v1/objects/lead: 403
        reads GET /v1/records/lead: 200
        reads GET /v1/records/lead/anna: 200
        reads PATCH /v1/records/lead/anna: 403
        reads PUT /v1/records/lead/anna: 403
        reads DELETE /v1/records/lead/nobody: 403
        reads GET /v1/records/leed: 404
        reads GET /v1/records/lead/anna/timeline: 200
        reads GET /v1/records/lead/anna/decisions: 200
        reads GET /v1/objects/lead: 200
        nobody GET /v1/records/lead: 401
        nobody GET /v1/records/lead/anna: 401
        nobody PATCH /v1/records/lead/anna: 401
        nobody PUT /v1/records/lead/anna: 401
        nobody DELETE /v1/records/lead/nobody: 401
        nobody GET /v1/records/leed: 401
        nobody GET /v1/records/lead/anna/timeline: 401
        nobody GET /v1/records/lead/anna/decisions: 401
        nobody GET /v1/objects/lead: 401
    "#]]
    .assert_eq(&told);
    served.stop().await;
}
