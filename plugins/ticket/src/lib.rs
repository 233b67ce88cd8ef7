//! Creates tickets and gives them to somebody else.

use relata_plugin_sdk::prelude::*;

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Priority {
    Low,
    Normal,
    High,
    Urgent,
}

#[derive(Deserialize, JsonSchema)]
struct CreateInput {
    /// Whose ticket it is.
    #[schemars(extend("format" = "record/contact"))]
    customer: Reference,
    /// One line.
    subject: String,
    /// What it belongs to, such as `complaint`.
    category: Option<String>,
    /// The whole text.
    body: Option<String>,
    /// How urgent it is.
    priority: Option<Priority>,
}

#[derive(Serialize, JsonSchema)]
struct Created {
    /// The new ticket.
    #[schemars(extend("format" = "record/ticket"))]
    ticket: Reference,
}

struct Create;

impl Action for Create {
    const ID: &str = "create";
    const TITLE: &str = "Open a ticket";
    const SUMMARY: &str = "Opens a ticket for a customer, on the channel `internal`.";
    const WRITES: &[&str] = &["ticket"];
    type Input = CreateInput;
    type Output = Created;

    fn run(_: &Context, input: CreateInput) -> Result<Outcome<Created>> {
        let mut fields = Fields::new();
        fields.set("customer", &input.customer)?;
        fields.set("subject", &input.subject)?;
        fields.set("channel", "internal")?;
        // What is not given takes the object's default, so it is not set.
        if let Some(category) = &input.category {
            fields.set("category", category)?;
        }
        if let Some(body) = &input.body {
            fields.set("body", body)?;
        }
        if let Some(priority) = &input.priority {
            fields.set("priority", priority)?;
        }
        let ticket = records::create("ticket", fields)?;
        done(Created { ticket: ticket.reference().clone() })
    }
}

#[derive(Deserialize, JsonSchema)]
struct ReassignInput {
    /// Which ticket.
    #[schemars(extend("format" = "record/ticket"))]
    record: Reference,
    /// Who gets it. A queue takes it from its owner.
    #[schemars(extend("format" = "record/user|queue"))]
    to: Reference,
}

#[derive(Serialize, JsonSchema)]
struct Reassigned {
    /// The ticket.
    #[schemars(extend("format" = "record/ticket"))]
    record: Reference,
}

struct Reassign;

impl Action for Reassign {
    const ID: &str = "reassign";
    const TITLE: &str = "Give a ticket to somebody else";
    const SUMMARY: &str = "Gives a ticket to a user who still works here, or puts it into a queue, \
        where it has no owner until somebody takes it.";
    const READS: &[&str] = &["user", "queue"];
    const WRITES: &[&str] = &["ticket.owner", "ticket.queue"];
    type Input = ReassignInput;
    type Output = Reassigned;

    fn run(_: &Context, input: ReassignInput) -> Result<Outcome<Reassigned>> {
        let ticket = input.record.expect("ticket")?;
        let to = records::get(&input.to)?;
        let fields = match input.to.object() {
            "queue" => json!({ "queue": to.reference(), "owner": null }),
            "user" if to.field::<Option<bool>>("active")? == Some(false) => {
                let name: String = to.field("name")?;
                return Err(Error::invalid(format!(
                    "{name} no longer works here and cannot take a ticket"
                )));
            }
            "user" => json!({ "owner": to.reference() }),
            _ => {
                return Err(Error::invalid(format!("{} is neither a user nor a queue", input.to)));
            }
        };
        let ticket = records::update(ticket, fields)?;
        done(Reassigned { record: ticket.reference().clone() })
    }
}

relata_plugin_sdk::plugin!(Create, Reassign);
