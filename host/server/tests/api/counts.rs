//! Records counted by the values of a field.

use expect_test::expect;
use relata_app::Scope;
use reqwest::Method;
use serde_json::json;

use crate::served::{Served, json as answer, token, told};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_counted_by_a_field() {
    let served = Served::start(&[]).await;
    for (name, status, score) in [("a", "new", 10), ("b", "new", 20), ("c", "assigned", 10)] {
        let email = format!("{name}@example.com");
        let lead = json!({ "name": name, "email": email, "status": status, "score": score });
        answer(served.post("/v1/records/lead", &lead.to_string())).await;
    }
    let counted = answer(served.get("/v1/counts/lead?by=status")).await;
    let expected = json!([{"value": "new", "count": 2}, {"value": "assigned", "count": 1}]);
    assert_eq!(counted, json!({ "by": "status", "counts": expected }));
    let counted = answer(served.get("/v1/counts/lead?by=owner&score.lte=10")).await;
    assert_eq!(counted["counts"], json!([{"value": null, "count": 2}]));

    let mut lines = Vec::new();
    for path in
        ["lead", "lead?by=stauts", "lead?by=tags", "lead?by=status&scor=1", "leed?by=status"]
    {
        lines.push(told(served.get(&format!("/v1/counts/{path}"))).await);
    }
    let stranger = token(&served.app, "tickets", &[Scope::RecordsRead], &["ticket"]).await;
    let asked = served.request(Method::GET, "/v1/counts/lead?by=status").bearer_auth(&stranger);
    lines.push(told(asked).await);
    expect![[r#"
        400 parameter: say by which field they are counted, such as `?by=status`
        400 wrong: a lead has no field `stauts`; did you mean `status`?
        400 parameter: tags: has several values at once; count by a field that has one
        400 wrong: a lead has no field `scor`; did you mean `score`?
        404 not-found: there is no object `leed`; did you mean `lead`?
        403 object: the token `tickets` is not for lead records"#]]
    .assert_eq(&lines.join("\n"));
    served.stop().await;
}
