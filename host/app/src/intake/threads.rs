//! To which ticket a message belongs.

use relata_model::{EffectId, Record, Reference, Value};
use relata_store::{Condition, Operator, Order, Query, RecordError, Tx};

use super::TakenMessage;

/// So many of the messages that one answers are looked for: the nearest.
const MOST_REFERENCES: usize = 50;

/// The longest name of a message, characters: a longer one names none.
const LONGEST_REFERENCE: usize = 998;

/// The longest name of a ticket, characters.
const LONGEST_NAME: usize = 40;

/// So many times a record may have become a part of another.
const MOST_MERGES: usize = 10;

/// The ticket of the nearest message that is answered: one that was kept, or a
/// mail that a workflow sent about a ticket.
pub(super) async fn answered(
    tx: &mut Tx,
    references: &[String],
    effects: &[EffectId],
) -> Result<Option<Record>, RecordError> {
    let names: Vec<&str> = references
        .iter()
        .map(String::as_str)
        .filter(|name| !name.is_empty() && name.chars().count() <= LONGEST_REFERENCE)
        .take(MOST_REFERENCES)
        .collect();
    if !names.is_empty() {
        let values = names.iter().map(|name| Value::Text((*name).to_owned())).collect();
        let named = Condition::new("message_id", Operator::OneOf, Value::List(values));
        let messages = tx.record_query(&Query::new("message", vec![named])).await?.records;
        let nearest = names.iter().find_map(|name| {
            messages.iter().find(|message| message.field("message_id").as_text() == Some(name))
        });
        if let Some(ticket) = nearest.and_then(|message| message.field("ticket").as_reference()) {
            return fetch(tx, ticket).await;
        }
    }
    for effect in effects.iter().take(MOST_REFERENCES) {
        let Some(run) = tx.outbox_fetch(*effect).await?.and_then(|effect| effect.run) else {
            continue;
        };
        let about = tx.run_fetch(run).await?.and_then(|row| row.run.subject);
        if let Some(ticket) = about.filter(|about| about.object == "ticket")
            && let Some(ticket) = fetch(tx, &ticket).await?
        {
            return Ok(Some(ticket));
        }
    }
    Ok(None)
}

/// The ticket whose name stands in a subject in brackets, if the sender is its
/// customer or has written to it: a name is no secret.
pub(super) async fn named(
    tx: &mut Tx,
    subject: &str,
    sender: &Reference,
) -> Result<Option<Record>, RecordError> {
    let names: Vec<Value> = names(subject).map(Value::Text).collect();
    if names.is_empty() {
        return Ok(None);
    }
    let named = Condition::new("ref", Operator::OneOf, Value::List(names));
    for ticket in tx.record_query(&Query::new("ticket", vec![named])).await?.records {
        let is_customer = ticket.field("customer").as_reference() == Some(sender);
        if is_customer || has_written(tx, &ticket.reference, sender).await? {
            return standing(tx, ticket).await.map(Some);
        }
    }
    Ok(None)
}

/// What stands in a subject in brackets and may be the name of a ticket, as it
/// stands there and in capitals.
fn names(subject: &str) -> impl Iterator<Item = String> {
    let inside = subject.split('[').skip(1).filter_map(|rest| rest.split_once(']'));
    let names = inside.map(|(name, _)| name.trim()).filter(|name| is_name(name));
    names.flat_map(|name| {
        let capitals = name.to_uppercase();
        let other = (capitals != name).then_some(capitals);
        std::iter::once(name.to_owned()).chain(other)
    })
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LONGEST_NAME
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

async fn has_written(
    tx: &mut Tx,
    ticket: &Reference,
    sender: &Reference,
) -> Result<bool, RecordError> {
    let by_sender = [
        Condition::equal("ticket", Value::Reference(ticket.clone())),
        Condition::equal("author", Value::Reference(sender.clone())),
    ];
    Ok(tx.record_count("message", &by_sender).await? > 0)
}

/// The ticket that goes on from a closed one, if there is one that is not closed
/// itself; nobody else changes it meanwhile.
pub(super) async fn followed_by(
    tx: &mut Tx,
    closed: &Reference,
) -> Result<Option<Record>, RecordError> {
    let next = vec![
        Condition::equal("follows", Value::Reference(closed.clone())),
        Condition::new("status", Operator::NotEqual, Value::Text("closed".to_owned())),
    ];
    let newest = Order { field: None, descending: true };
    let query = Query { order: newest, limit: 1, ..Query::new("ticket", next) };
    match tx.record_query(&query).await?.records.first() {
        Some(next) => tx.record_lock(&next.reference).await,
        None => Ok(None),
    }
}

/// What became of a message that is kept.
pub(super) async fn told(tx: &mut Tx, message: &Record) -> Result<TakenMessage, RecordError> {
    let reference = |field: &str| message.field(field).as_reference().cloned();
    let ticket = reference("ticket").unwrap_or_else(|| Reference::new("ticket", ""));
    let ticket_ref = tx
        .record_fetch(&ticket)
        .await?
        .map_or_else(String::new, |ticket| ticket.field("ref").to_string());
    Ok(TakenMessage {
        ticket,
        ticket_ref,
        author: reference("author").unwrap_or_else(|| Reference::new("contact", "")),
        message: message.reference.clone(),
        opened: false,
        follows: None,
        repeated: true,
    })
}

async fn fetch(tx: &mut Tx, reference: &Reference) -> Result<Option<Record>, RecordError> {
    match tx.record_fetch(reference).await? {
        Some(record) => standing(tx, record).await.map(Some),
        None => Ok(None),
    }
}

/// The record that this one became a part of, or itself.
pub(super) async fn standing(tx: &mut Tx, mut record: Record) -> Result<Record, RecordError> {
    for _ in 0..MOST_MERGES {
        let Some(into) = record.field("merged_into").as_reference().cloned() else { break };
        match tx.record_fetch(&into).await? {
            Some(whole) if into.object == record.reference.object => record = whole,
            _ => break,
        }
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tickets_stand_in_brackets() {
        let found = |subject| names(subject).collect::<Vec<_>>().join(" ");
        assert_eq!(found("AW: [T-7K3M9QXA] Where is my order?"), "T-7K3M9QXA");
        assert_eq!(
            found("回复：[t-7k3m9qxa] [extern] 订单"),
            "t-7k3m9qxa T-7K3M9QXA extern EXTERN"
        );
        assert_eq!(found("T-7K3M9QXA, [not a name] [] ["), "");
    }
}
