//! Who would get a ticket, asked by a program.

use expect_test::expect;
use relata_app::Scope;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::served::{Served, json as answer, token, told};

const ROUTE: &str = include_str!("../../../../workflows/route-tickets.yaml");

async fn simulate(served: &Served, body: &Json) -> Json {
    answer(served.post("/v1/routing/simulations", &body.to_string())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_learns_who_would_get_a_ticket() {
    let served = Served::start(&[]).await;
    let activate = json!({ "yaml": ROUTE }).to_string();
    answer(served.post("/v1/workflows/route-tickets/activate", &activate)).await;
    for (name, capacity) in [("Lea", 2), ("Kim", 1)] {
        let user = json!({
            "name": name,
            "email": format!("{name}@example.com"),
            "team": "team/support",
            "capacity": capacity,
        });
        answer(served.post("/v1/records/user", &user.to_string())).await;
    }
    let ticket = json!({ "queue": "queue/support", "priority": "high" });
    let simulated = simulate(&served, &json!({ "ticket": ticket, "tickets": 5 })).await;
    let gets: Vec<u64> = simulated["shares"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|share| share["tickets"].as_u64())
        .collect();
    assert_eq!(gets, [2, 1], "{simulated}");
    let waiting = simulated["tickets"].as_array().unwrap();
    assert_eq!(waiting.iter().filter(|ticket| ticket["owner"].is_null()).count(), 2);
    assert_eq!(simulated["decisions"][0]["action"], "route.ticket", "{simulated}");
    assert_eq!(answer(served.get("/v1/records/ticket")).await["records"], json!([]));

    // What cannot be, and who may not ask.
    let mut lines = Vec::new();
    for body in [
        json!({ "ticket": { "queue": "queue/nowhere" } }),
        json!({ "ticket": { "priority": "soon", "colour": "red" } }),
        json!({ "tickets": 1_000 }),
        json!({ "tikets": 1 }),
    ] {
        lines.push(told(served.post("/v1/routing/simulations", &body.to_string())).await);
    }
    let reader = token(&served.app, "reader", &[Scope::RecordsRead], &[]).await;
    let asked = served.request(Method::POST, "/v1/routing/simulations").bearer_auth(&reader);
    lines.push(told(asked.body("{}")).await);
    expect![[r#"
        422 invalid: nothing of this was written; `errors` says what is wrong
            queue: there is no queue `nowhere`; there are queue/complaints, queue/support, queue/unassigned
        422 invalid: nothing of this was written; `errors` says what is wrong
            colour: is not a field
            priority: takes one of low, normal, high, urgent, not `soon`
        422 invalid: nothing of this was written; `errors` says what is wrong
            tickets: takes 1 to 100, not 1000
        400 no-json: the body does not read (unknown field `tikets`, expected one of `ticket`, `at`, `waited_minutes`, `tickets` at line 1 column 9); send {"ticket": {"queue": "queue/support"}, "tickets": 10}
        403 scope: the token `reader` may not do this; it needs routing:read"#]].assert_eq(&lines.join("\n"));
    served.stop().await;
}
