//! What a plugin looks for, read off the wire.

use relata_model::{FieldType, RecordId, Value};
use relata_sandbox::contract::{Code, Condition, HostError, Operator};
use relata_store as store;
use serde_json::Value as Json;

use super::StepHost;

impl StepHost {
    /// Conditions off the wire, their values read as the fields' types.
    pub(super) async fn filter(
        &mut self,
        object: &str,
        conditions: Vec<Condition>,
    ) -> Result<Vec<store::Condition>, HostError> {
        let definition =
            self.app.object(object).map_err(|why| HostError::invalid(why.to_string()))?.clone();
        let mut filter = Vec::with_capacity(conditions.len());
        for condition in conditions {
            let Condition { field, operator, value } = condition;
            let kind = definition
                .field(&field)
                .map(|field| field.kind.clone())
                .ok_or_else(|| HostError::invalid(format!("{object} has no field `{field}`")))?;
            let read = |json: &Json| {
                let json = match (&kind, json) {
                    // One text is asked of a list of texts.
                    (FieldType::Texts, Json::String(_)) => {
                        return Ok(Value::from_json(json));
                    }
                    _ => json,
                };
                kind.read(json).map_err(|why| HostError::invalid(format!("{object}.{field} {why}")))
            };
            let value = match (operator, &value) {
                (Operator::OneOf, Json::Array(items)) => {
                    Value::List(items.iter().map(read).collect::<Result<_, _>>()?)
                }
                (Operator::OneOf, other) => {
                    return Err(HostError::invalid(format!(
                        "{object}.{field} one-of takes a list, not `{other}`"
                    )));
                }
                (Operator::IsEmpty | Operator::IsNotEmpty, _) => Value::Nothing,
                (_, json) => read(json)?,
            };
            let value = self.by_id(value).await?;
            filter.push(store::Condition { field, operator: stored(operator), value });
        }
        Ok(filter)
    }

    /// References by external id become references by id.
    async fn by_id(&mut self, value: Value) -> Result<Value, HostError> {
        Ok(match value {
            // The store looks it up, many at once.
            Value::Reference(reference) if reference.key.parse::<RecordId>().is_ok() => {
                Value::Reference(reference)
            }
            Value::Reference(reference) => match self.fetch(&reference).await {
                Ok(record) => Value::Reference(record.reference),
                // A record that is not there is what no field refers to.
                Err(why) if why.code == Code::NotFound => Value::Reference(reference),
                Err(why) => return Err(why),
            },
            Value::List(items) => {
                let mut resolved = Vec::with_capacity(items.len());
                for item in items {
                    resolved.push(Box::pin(self.by_id(item)).await?);
                }
                Value::List(resolved)
            }
            other => other,
        })
    }
}

const fn stored(operator: Operator) -> store::Operator {
    match operator {
        Operator::Equal => store::Operator::Equal,
        Operator::NotEqual => store::Operator::NotEqual,
        Operator::Less => store::Operator::Less,
        Operator::LessOrEqual => store::Operator::LessOrEqual,
        Operator::Greater => store::Operator::Greater,
        Operator::GreaterOrEqual => store::Operator::GreaterOrEqual,
        Operator::OneOf => store::Operator::OneOf,
        Operator::Contains => store::Operator::Contains,
        Operator::IsEmpty => store::Operator::IsEmpty,
        Operator::IsNotEmpty => store::Operator::IsNotEmpty,
    }
}
