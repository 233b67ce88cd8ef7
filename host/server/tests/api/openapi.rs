//! `GET /v1/openapi.json`: what it says is what there is.

use expect_test::expect_file;
use relata_app::Scope;
use reqwest::Method;
use serde_json::Value as Json;

use crate::served::{Served, json as answer, now, shown, token};

/// An object of the company's own, and a field.
const OWN: &[(&str, &str)] = &[
    (
        "objects/pump.yaml",
        "object: pump\ntitle: Pump\nsummary: What is repaired.\nfields:\n  model: { type: text, required: true }\n",
    ),
    (
        "objects/lead.yaml",
        "object: lead\ntitle: Lead\nsummary: More of a lead.\nfields:\n  course: { type: choice, of: [a, b] }\n",
    ),
];

/// Each operation: its method, its path, and the scopes that it says it needs.
fn operations(document: &Json) -> Vec<(Method, String, Option<Vec<String>>)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let scopes = operation["security"][0]["token"].as_array().map(|scopes| {
                scopes.iter().map(|scope| scope.as_str().unwrap().to_owned()).collect()
            });
            found.push((method, path.clone(), scopes));
        }
    }
    found
}

/// A path with something in the place of its parameters.
fn filled(path: &str) -> String {
    let path = path.replace("{object}", "lead");
    path.split('/')
        .map(|part| if part.starts_with('{') { "x" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_committed_document_is_the_one_of_the_standard_objects() {
    let served = Served::start(&[]).await;
    let document = answer(served.get("/v1/openapi.json")).await;
    let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
    expect_file!["../../../../docs/openapi.json"].assert_eq(&text);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_is_there_and_wants_a_token_with_its_scope() {
    let served = Served::start(&[]).await;
    let document = answer(served.get("/v1/openapi.json")).await;
    let operations = operations(&document);
    assert!(operations.len() > 100, "only {}", operations.len());
    let mut open = Vec::new();
    for (number, scope) in Scope::ALL.into_iter().enumerate() {
        let others: Vec<Scope> = Scope::ALL.into_iter().filter(|other| *other != scope).collect();
        let secret = token(&served.app, &format!("all-but-{number}"), &others, &[]).await;
        for (method, path, scopes) in &operations {
            let Some(scopes) = scopes else { continue };
            if !scopes.contains(&scope.to_string()) {
                continue;
            }
            let request = served.request(method.clone(), &filled(path)).bearer_auth(&secret);
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 403, "{method} {path} does not want {scope}");
        }
    }
    for (method, path, scopes) in operations {
        let response = served.request(method.clone(), &filled(&path)).send().await.unwrap();
        let status = response.status().as_u16();
        match scopes {
            Some(_) => assert_eq!(status, 401, "{method} {path}"),
            None => open.push(format!("{method} {path}: {status}")),
        }
        // Whatever it is, it is described.
        let described = &document["paths"][&path][method.as_str().to_lowercase()]["responses"];
        assert!(!described[status.to_string()].is_null(), "{method} {path}: {status}");
    }
    assert_eq!(
        open,
        ["GET /healthz: 200", "POST /hooks/{name}: 404", "GET /metrics: 200"],
        "what needs no token"
    );
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companys_own_objects_and_fields_are_described_to_those_who_may_see_them() {
    let served = Served::start_as(OWN, None, Some(now())).await;
    let unknown = served.request(Method::GET, "/v1/openapi.json");
    assert!(shown(unknown.send().await.unwrap()).await.starts_with("401 no-token"));

    let document = answer(served.get("/v1/openapi.json")).await;
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["NewPumpRecord"]["required"], serde_json::json!(["model"]));
    assert_eq!(schemas["LeadRecordFields"]["properties"]["course"]["enum"][1], "b");
    assert!(document["paths"]["/v1/records/pump/{key}"]["patch"].is_object());
    let ids: Vec<&str> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(ids.len(), distinct.len(), "two operations have the same id");

    // One that may do nothing else, and is for pumps only.
    let secret = token(&served.app, "pumps", &[Scope::MetricsRead], &["pump"]).await;
    let request = served.request(Method::GET, "/v1/openapi.json").bearer_auth(secret);
    let text = answer(request).await.to_string();
    assert!(text.contains("/v1/records/pump"));
    assert!(!text.contains("LeadRecord") && !text.contains("\"lead\""), "leads are told of");
    served.stop().await;
}

/// Every reference in the document leads somewhere, and nothing is left over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_part_is_defined_and_used() {
    let served = Served::start(&[]).await;
    let document = answer(served.get("/v1/openapi.json")).await;
    let mut used = std::collections::BTreeSet::new();
    references(&document, &mut used);
    for reference in &used {
        let place = reference.trim_start_matches('#');
        assert!(document.pointer(place).is_some(), "{reference} leads nowhere");
    }
    for kind in ["schemas", "responses"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            // What a stream's events hold, which OpenAPI 3.1 cannot say.
            let is_streamed = name == "ChangeView";
            assert!(is_streamed || used.contains(&reference), "{name} is not used");
        }
    }
    served.stop().await;
}

fn references(part: &Json, found: &mut std::collections::BTreeSet<String>) {
    match part {
        Json::Array(items) => items.iter().for_each(|item| references(item, found)),
        Json::Object(entries) => {
            for (name, value) in entries {
                match (name.as_str(), value) {
                    ("$ref", Json::String(reference)) => {
                        found.insert(reference.clone());
                    }
                    _ => references(value, found),
                }
            }
        }
        _ => {}
    }
}
