//! Workflows, approvals, the outbox, plugins: what a person does by the command
//! line, done by a program.

use expect_test::expect;
use relata_app::{Scope, store::RunFilter};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value as Json, json};

use crate::served::{PAID, Served, json as answer, token, told};

/// What asks somebody, and goes on with the answer.
const ASKS: &str = "\
workflow: asks
when:
  - created: lead
steps:
  - ask: boss
    question: \"Take {{ lead.name }}?\"
    answers: [take, leave]
    up_to: 10 days
    as: taken
  - do: crm.update
    record: =lead
    set: { company: \"{{ taken.answer }}\" }
";

/// What fails the first time.
const FAILS: &str = "\
workflow: fails
when:
  - event: order.paid
steps:
  - do: crm.update
    record: =order
    set: { status: shipped }
";

fn post(served: &Served, path: &str, body: &Json) -> RequestBuilder {
    served.post(path, &body.to_string())
}

/// Waits until a list has something in it.
async fn first(served: &Served, path: &str, list: &str) -> Json {
    for _ in 0..500 {
        let page = answer(served.get(path)).await;
        if let Some(first) = page[list].get(0) {
            return first.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{path} stays empty: {}", answer(served.get("/v1/runs")).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_is_activated_changed_and_taken_back() {
    let served = Served::start(&[]).await;
    let activate = "/v1/workflows/thank-you/activate";
    let first = answer(post(&served, activate, &json!({ "yaml": PAID }))).await;
    assert_eq!(first["unchanged"], false, "{first}");
    let changed = PAID.replace("Thank for", "Thanks for");
    answer(post(&served, activate, &json!({ "yaml": changed, "running": "cancel" }))).await;

    let shown = answer(served.get("/v1/workflows/thank-you")).await;
    assert_eq!(shown["yaml"], changed);
    assert_eq!(shown["starts"], json!(["order.paid happens"]));
    assert_eq!(shown["history"].as_array().unwrap().len(), 2);
    assert_eq!(shown["history"][0]["by"], "token/all");

    // Back to the first one.
    let back = answer(post(&served, activate, &json!({ "version": first["version"] }))).await;
    assert_eq!(back["version"], first["version"]);
    let listed = answer(served.get("/v1/workflows")).await;
    assert_eq!(listed["workflows"][0]["version"], first["version"]);

    let mut lines = Vec::new();
    for body in [
        json!({}),
        json!({ "yaml": PAID, "version": "x" }),
        json!({ "version": "0123" }),
        json!({ "yaml": PAID.replace("workflow: thank-you", "workflow: thanks") }),
        json!({ "yaml": PAID.replace("order.paid", "order.payed") }),
        json!({ "yaml": "a: b: c" }),
        json!({ "yaml": "blueprint: thank-you\n" }),
        json!({ "yml": PAID }),
    ] {
        lines.push(told(post(&served, activate, &body)).await);
    }
    let deactivate = "/v1/workflows/thank-you/deactivate";
    lines.push(told(served.post(deactivate, "")).await);
    lines.push(told(served.post(deactivate, "")).await);
    lines.push(told(served.post("/v1/workflows/thanks/deactivate", "")).await);
    lines.push(told(served.get("/v1/workflows/thanks")).await);
    expect![[r#"
        422 invalid: nothing of this was done; `errors` says what is wrong
            yaml: send either `yaml` or `version`
        422 invalid: nothing of this was done; `errors` says what is wrong
            yaml: send either `yaml` or `version`
        422 invalid: nothing of this was done; `errors` says what is wrong
            version: `thank-you` was never active in this version
        422 invalid: nothing of this was done; `errors` says what is wrong
            yaml: is of the workflow `thanks`, not `thank-you`
        422 invalid: nothing of this was done; `errors` says what is wrong
            yaml, line 3, column 12: R106: no object declares an event `order.payed`; did you mean `order.paid`?
        422 invalid: nothing of this was done; `errors` says what is wrong
            yaml, line 1, column 1: R006: a workflow has no key `a`; known are about, calendar, finally, hold_above, inputs, limits, never_for, on_error, only_if, outputs, owner, repeat, send_in, steps, stop_when, title, when, workflow
            yaml, line 1, column 1: R007: the workflow does not say what starts it; add `when:` with `- created: lead`, say
            yaml, line 1, column 1: R007: the workflow has no name; begin with `workflow: name`
            yaml, line 1, column 1: R007: the workflow has no steps; add `steps:` with `- do: …`
            yaml, line 1, column 5: R001: a text with `: ` in it has to stand in quotes; put it in quotes: "b: c"
        422 invalid: nothing of this was done; `errors` says what is wrong
            yaml, line 1, column 1: R007: the workflow does not say what starts it; add `when:` with `- created: lead`, say
            yaml, line 1, column 1: R007: the workflow has no steps; add `steps:` with `- do: …`
        400 no-json: the body does not read (unknown field `yml`, expected one of `yaml`, `version`, `running` at line 1 column 6); send {"yaml": "workflow: …"}
        200 {"active":false,"workflow":"thank-you"}
        409 not-active: no workflow `thank-you` is active
        404 not-found: there is no workflow `thanks`
        404 not-found: there is no workflow `thanks`"#]].assert_eq(&lines.join("\n"));
    let shown = answer(served.get("/v1/workflows/thank-you")).await;
    assert_eq!((&shown["version"], &shown["yaml"]), (&Json::Null, &Json::from(PAID)));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_answered_and_the_run_goes_on() {
    let served = Served::start(&[]).await;
    served
        .create(
            "user",
            &[
                ("external_id", "anna"),
                ("name", "Anna"),
                ("email", "anna@us.example"),
                ("roles", "boss"),
            ],
        )
        .await;
    served
        .create("user", &[("external_id", "bo"), ("name", "Bo"), ("email", "bo@us.example")])
        .await;
    let asks = answer(post(&served, "/v1/workflows/asks/activate", &json!({ "yaml": ASKS }))).await;
    assert_eq!(asks["unchanged"], false, "{asks}");
    let lead = json!({ "name": "Cy", "email": "cy@a.example", "external_id": "cy" });
    answer(post(&served, "/v1/records/lead", &lead)).await;
    let question = first(&served, "/v1/approvals?user=user/anna", "approvals").await;
    assert_eq!((&question["question"], &question["status"]), (&json!("Take Cy?"), &json!("open")));
    assert_eq!(answer(served.get("/v1/approvals?user=user/bo")).await["approvals"], json!([]));

    let path = format!("/v1/approvals/{}/answer", question["approval"].as_str().unwrap());
    let mut lines = Vec::new();
    for (path, body) in [
        (path.as_str(), json!({ "answer": "take", "by": "user/bo" })),
        (&path, json!({ "answer": "perhaps", "by": "user/anna" })),
        (&path, json!({ "answer": "take" })),
        ("/v1/approvals/nothing/answer", json!({ "answer": "take", "by": "user/anna" })),
    ] {
        lines.push(told(post(&served, path, &body)).await);
    }
    let done = answer(post(&served, &path, &json!({ "answer": "take", "by": "user/anna" }))).await;
    assert_eq!((&done["status"], &done["too_late"]), (&json!("answered"), &Json::Null));
    lines.push(told(post(&served, &path, &json!({ "answer": "leave", "by": "user/anna" }))).await);
    expect![[r#"
        409 not-answered: those with the role `boss` are asked, and Bo does not have it
        409 not-answered: `perhaps` is none of the answers; there are take, leave
        400 no-json: the body does not read (missing field `by` at line 1 column 17); send {"answer": "yes", "by": "user/anna"}
        404 not-found: there is no approval/nothing
        409 not-answered: Anna has answered `take` already"#]].assert_eq(&lines.join("\n"));
    let leads = "/v1/records/lead?company=take";
    assert_eq!(first(&served, leads, "records").await["external_id"], "cy");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_failed_goes_on_once_its_cause_is_mended() {
    let served = Served::start(&[FAILS]).await;
    served.order("O-1").await;
    let paid = json!({ "name": "order.paid", "about": ["order/O-1"] });
    let event = answer(post(&served, "/v1/events?wait=run&timeout=300", &paid)).await;
    assert_eq!(event["runs"][0]["status"], "failed", "{event}");
    let run = event["runs"][0]["run"].as_str().unwrap();

    // Only what is paid can be shipped.
    let paid = served.request(Method::PATCH, "/v1/records/order/O-1").bearer_auth(&served.secret);
    let paid = paid.body(json!({ "status": "paid" }).to_string()).send().await.unwrap();
    assert_eq!(paid.status(), 200, "{}", paid.text().await.unwrap());
    let mut lines = vec![
        told(served.post(&format!("/v1/runs/{run}/retry"), r#"{"from": "nothing"}"#)).await,
        told(served.post(&format!("/v1/runs/{run}/retry"), "")).await,
    ];
    let is_done =
        || async { answer(served.get(&format!("/v1/runs/{run}"))).await["status"] == "done" };
    while !is_done().await {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    lines.push(told(served.post(&format!("/v1/runs/{run}/retry"), "")).await);
    lines.push(told(served.post("/v1/runs/run_x/retry", "")).await);
    expect![[r#"
        409 not-retried: `fails` has no step `nothing`
        its steps are
          steps[0] (line 5): do: crm.update
        202 {"run":"run_…","what":"again at do: crm.update: token/all lets it go on"}
        409 not-retried: run_… has not failed (all steps are done); name the step at which it is to go on
        404 not-found: there is no run `run_x`"#]].assert_eq(&lines.join("\n"));
    served.stop().await;
}

/// What sends a mail above its cap, so that it is held.
const MAILS: &str = "\
workflow: mails
when:
  - created: lead
hold_above: 1 per day
steps:
  - do: mail.send
    to: =lead
    template: welcome
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_is_seen_released_and_dropped() {
    let served = Served::start(&[MAILS]).await;
    for name in ["first", "second", "third"] {
        let lead = json!({ "name": name, "email": format!("{name}@a.example") });
        let sent = answer(post(&served, "/v1/records/lead?wait=run&timeout=300", &lead)).await;
        assert_eq!(sent["events"][0]["runs"][0]["status"], "done", "{sent}");
    }
    let held = answer(served.get("/v1/outbox?status=held")).await;
    let ids: Vec<&str> = held["effects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|effect| effect["effect"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 2, "{held}");
    // A page at a time, each of them once.
    let page = answer(served.get("/v1/outbox?status=held&limit=1")).await;
    let next = page["next"].as_str().unwrap();
    let rest = answer(served.get(&format!("/v1/outbox?status=held&cursor={next}"))).await;
    assert_eq!(
        (page["effects"][0]["effect"].as_str(), rest["effects"][0]["effect"].as_str()),
        (Some(ids[0]), Some(ids[1]))
    );

    let dropped = answer(served.post(&format!("/v1/outbox/{}/drop", ids[0]), "")).await;
    assert_eq!(
        (&dropped["status"], &dropped["reason"]),
        (&json!("suppressed"), &json!("dropped by token/all"))
    );
    let released = answer(served.post(&format!("/v1/outbox/{}/release", ids[1]), "")).await;
    assert!(released["text"].as_str().unwrap().contains("Hello"), "{released}");
    while answer(served.get("/v1/outbox?status=sent")).await["effects"][1].is_null() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }

    let secret = token(&served.app, "tasks", &[Scope::RunsRead], &["task"]).await;
    let as_tasks = |path: &str| served.request(Method::GET, path).bearer_auth(&secret);
    let mut lines = vec![told(served.post(&format!("/v1/outbox/{}/release", ids[0]), "")).await];
    lines.push(told(as_tasks("/v1/outbox")).await);
    lines.push(told(as_tasks(&format!("/v1/outbox/{}", ids[1]))).await.replace(ids[1], "fx"));
    lines.push(told(served.get("/v1/outbox?status=lost")).await);
    let fx = |line: String| ids.iter().fold(line, |line, id| line.replace(id, "fx"));
    let lines: Vec<String> = lines.into_iter().map(fx).collect();
    expect![[r#"
        409 stands-otherwise: fx is suppressed, and not held, unknown or failed
        200 {"effects":[],"next":null}
        404 not-found: there is no effect `fx`
        400 parameter: `status` takes one of due, sending, sent, held, unknown, suppressed, failed"#]].assert_eq(&lines.join("\n"));
    assert_eq!(served.app.runs(RunFilter::default(), 9).await.unwrap().len(), 3);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plugins_are_told_with_what_they_may_do() {
    let served = Served::start(&[]).await;
    let plugins = answer(served.get("/v1/plugins")).await;
    let crm = plugins["plugins"].as_array().unwrap().iter().find(|one| one["plugin"] == "crm");
    let crm = crm.unwrap();
    assert_eq!(crm["built_in"], true);
    let actions = crm["actions"].as_array().unwrap();
    assert!(actions.iter().any(|action| action["action"] == "crm.update"), "{actions:?}");
    assert!(!crm["permissions"].as_array().unwrap().is_empty());
    served.stop().await;
}
