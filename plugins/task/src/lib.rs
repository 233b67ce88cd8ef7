//! Creates tasks for people.

use relata_plugin_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Input {
    /// What the task is about.
    record: Reference,
    /// Who has to do it. May be empty, as the owner of a record may be.
    #[schemars(extend("format" = "record/user|queue"))]
    assignee: Option<Reference>,
    /// Who has to do it when `assignee` is empty.
    #[serde(default = "unassigned")]
    #[schemars(extend("format" = "record/user|queue"))]
    otherwise_assignee: Reference,
    /// What is to be done.
    title: String,
    /// By when, counted from now: `48 hours`.
    due_in: Due,
}

fn unassigned() -> Reference {
    "queue/unassigned".into()
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// The new task.
    #[schemars(extend("format" = "record/task"))]
    task: Reference,
}

struct Create;

impl Action for Create {
    const ID: &str = "create";
    const TITLE: &str = "Create a task";
    const SUMMARY: &str = "Gives a user or a queue something to do by a time. Where `assignee` \
        is empty, `otherwise_assignee` has to do it, the queue `unassigned` if not said.";
    const WRITES: &[&str] = &["task"];
    type Input = Input;
    type Output = Output;

    fn run(_: &Context, input: Input) -> Result<Outcome<Output>> {
        let task = records::create(
            "task",
            json!({
                "title": input.title,
                "about": input.record,
                "assignee": input.assignee.unwrap_or(input.otherwise_assignee),
                "due_at": input.due_in,
            }),
        )?;
        done(Output { task: task.reference().clone() })
    }
}

relata_plugin_sdk::plugin!(Create);
