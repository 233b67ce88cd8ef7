//! Creates tasks for people.

use relata_plugin_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Input {
    /// What the task is about.
    record: Reference,
    /// Who has to do it.
    #[schemars(extend("format" = "record/user|queue"))]
    assignee: Reference,
    /// What is to be done.
    title: String,
    /// By when, counted from now: `48 hours`.
    due_in: Due,
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
    const SUMMARY: &str = "Gives a user or a queue something to do by a time.";
    const WRITES: &[&str] = &["task"];
    type Input = Input;
    type Output = Output;

    fn run(_: &Context, input: Input) -> Result<Outcome<Output>> {
        let task = records::create(
            "task",
            json!({
                "title": input.title,
                "about": input.record,
                "assignee": input.assignee,
                "due_at": input.due_in,
            }),
        )?;
        done(Output { task: task.reference().clone() })
    }
}

relata_plugin_sdk::plugin!(Create);
