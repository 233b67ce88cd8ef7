//! A loop over many items, on a host that goes down in the middle of it.

use std::collections::BTreeSet;

use relata_app::model::Value;

use super::company::Company;

const MANY: &str = "\
workflow: call-all
when:
  - button: Call all
steps:
  - do: crm.find
    object: contact
    where: { tier: gold }
    as: found
  - for_each: =found.records
    as: customer
    at_once: 10
    steps:
      - do: task.create
        record: =customer
        assignee: queue/unassigned
        title: \"Call {{ customer.name }}\"
        due_in: 1 day
";

/// How many customers there are.
const CUSTOMERS: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_item_is_done_once_however_often_the_host_goes_down() {
    let mut company = Company::with(MANY).await;
    for number in 0..CUSTOMERS {
        let (name, address) = (format!("c{number:03}"), format!("c{number}@example.com"));
        let given = [("name", name.as_str()), ("email", &address), ("tier", "gold")];
        company.create(&format!("contact/{name}"), &given).await;
    }
    let none = relata_app::GivenInputs::Json(serde_json::Map::new());
    company.app.start("call-all", None, &none, "test").await.expect("a start");
    let mut crashes = 0;
    for goes_down_at in [20, 70, 71, 150] {
        let app = company.app.clone();
        // What is under way is dropped where it stands, as far as it has not
        // been committed.
        let moving = tokio::spawn(async move { app.advance_to(app.now(), |_| ()).await });
        while company.tasks().await < goes_down_at && !moving.is_finished() {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        moving.abort();
        let _ = moving.await;
        company = company.crash().await;
        crashes += u32::from(company.tasks().await < CUSTOMERS as u64);
    }
    assert!(crashes > 0, "the host never went down in the middle");
    company.after(1).await;

    let run = company.runs().await.remove(0);
    assert_eq!((run.status, run.why), ("done", None));
    let tasks = company.app.records_all("task").await.expect("tasks");
    let about: BTreeSet<String> = tasks
        .iter()
        .filter_map(|task| {
            task.field("about").as_reference().or(task.field("record").as_reference())
        })
        .map(ToString::to_string)
        .collect();
    assert_eq!((tasks.len(), about.len()), (CUSTOMERS, CUSTOMERS));
    let titles: BTreeSet<String> =
        tasks.iter().map(|task| task.field("title").to_string()).collect();
    assert_eq!(titles.len(), CUSTOMERS);

    // The log tells each item once, under its number.
    let history = company.history(0).await;
    let made: Vec<&str> = history
        .steps
        .iter()
        .filter(|step| step.label == "do: task.create" && step.kind == "done")
        .map(|step| step.rounds.as_str())
        .collect();
    let numbers: BTreeSet<u32> = made.iter().filter_map(|round| round.parse().ok()).collect();
    assert_eq!((made.len(), numbers), (CUSTOMERS, (1..=200).collect()));
    assert!(history.steps.iter().all(|step| step.kind != "done"
        || step.label != "do: task.create"
        || step.changed.len() == 1));
    let places: Vec<u64> = history.steps.iter().map(|step| step.seq).collect();
    assert!(places.windows(2).all(|pair| pair[0] + 1 == pair[1]), "no entry is lost or told twice");
    assert!(matches!(tasks[0].field("title"), Value::Text(_)));
}

impl Company {
    async fn tasks(&self) -> u64 {
        self.app.store().record_count("task", &[]).await.expect("tasks")
    }
}
