//! What is wrong with the service desk: queues from which nobody takes, and
//! tickets that nobody will look at.

use relata_model::{Record, Reference, Value};
use relata_store::{Condition, Operator};

use crate::{
    App, AppError,
    doctor::{Finding, Severity},
};

impl App {
    /// Queues that lead nowhere or in a circle, and tickets in none.
    pub(crate) async fn look_at_the_desk(&self, found: &mut Vec<Finding>) -> Result<(), AppError> {
        let queues = self.records_all("queue").await?;
        let circles: Vec<String> = circles(&queues);
        if !circles.is_empty() {
            let what = "tickets that nobody can take would go round in a circle".to_owned();
            let mend = "give one of these queues a person as its `fallback`, or none";
            found.push(Finding::new("queue-circle", Severity::Warning, what, mend).with(&circles));
        }
        let mut stuck = Vec::new();
        for queue in queues.iter().filter(|queue| is_dead_end(queue)) {
            let waiting = self.tickets_waiting(Some(&queue.reference)).await?;
            if waiting > 0 {
                stuck.push(format!("{} ({waiting})", queue.handle()));
            }
        }
        if !stuck.is_empty() {
            let what = "tickets wait in queues from which nobody takes".to_owned();
            let mend = "give the queue a `team`, `required_skills` or a `fallback`: `relata records set queue/NAME team=TEAM`";
            found.push(Finding::new("queue-of-nobody", Severity::Warning, what, mend).with(&stuck));
        }
        let loose = self.tickets_waiting(None).await?;
        if loose > 0 {
            let what = match loose {
                1 => "1 open ticket has neither an owner nor a queue".to_owned(),
                many => format!("{many} open tickets have neither an owner nor a queue"),
            };
            let mend = "nobody is told of them: set `queue` where they are created, or `relata records set ticket/… queue=support`";
            found.push(Finding::new("loose-tickets", Severity::Note, what, mend));
        }
        Ok(())
    }

    /// How many tickets wait for somebody in a queue, or in none.
    async fn tickets_waiting(&self, queue: Option<&Reference>) -> Result<u64, AppError> {
        let statuses = ["new", "open"].map(|status| Value::Text(status.to_owned()));
        let nothing = |field| Condition::new(field, Operator::IsEmpty, Value::Nothing);
        let filter = vec![
            queue.map_or_else(
                || nothing("queue"),
                |queue| Condition::equal("queue", Value::Reference(queue.clone())),
            ),
            nothing("owner"),
            Condition::new("status", Operator::OneOf, Value::List(statuses.to_vec())),
        ];
        Ok(self.store().record_count("ticket", &filter).await?)
    }
}

/// The chains of fallbacks that lead back to where they began, each once.
fn circles(queues: &[Record]) -> Vec<String> {
    let next = |queue: &Record| {
        let fallback = queue.field("fallback").as_reference()?;
        queues.iter().find(|other| &other.reference == fallback)
    };
    let mut circles = Vec::new();
    for queue in queues {
        let mut way = vec![queue];
        while let Some(after) = next(way[way.len() - 1]) {
            if after.reference == queue.reference {
                // Told by the first of its queues alone.
                if way.iter().all(|other| queue.reference <= other.reference) {
                    let names: Vec<String> =
                        way.iter().chain([&queue]).map(|queue| queue.handle()).collect();
                    circles.push(names.join(" -> "));
                }
                break;
            }
            if way.iter().any(|other| other.reference == after.reference) {
                break;
            }
            way.push(after);
        }
    }
    circles
}

/// Whether nobody ever takes from a queue, and nothing leads on.
fn is_dead_end(queue: &Record) -> bool {
    let is_empty = |field| match queue.field(field) {
        Value::List(items) => items.is_empty(),
        value => value.is_nothing(),
    };
    ["team", "required_skills", "fallback"].into_iter().all(is_empty)
}
