//! The value of a formula. Total and linear: every node is visited at most
//! once, and what the checker could not exclude is a fault in a sentence.

use relata_model::{Decimal, Money, Value};

use super::{
    EvaluationError, Formula, Scope, faults,
    functions::{self, named},
    time,
    tree::{Arithmetic, Comparison, NodeId, NodeKind},
};

type Evaluated = Result<Value, EvaluationError>;

pub(crate) struct Evaluator<'a> {
    pub(crate) formula: &'a Formula,
    pub(crate) scope: &'a Scope<'a>,
    /// The paths that were read, with their values, where somebody asks.
    pub(crate) read: Option<Vec<(String, Value)>>,
}

impl Evaluator<'_> {
    fn kind(&self, id: NodeId) -> Result<&'_ NodeKind, EvaluationError> {
        self.formula.nodes.get(id.0 as usize).map(|node| &node.kind).ok_or_else(|| {
            EvaluationError::fault(format!(
                "the formula `{}` is broken in the store",
                self.formula.source
            ))
        })
    }

    /// The value of a node.
    pub(crate) fn value(&mut self, id: NodeId) -> Evaluated {
        let formula = self.formula;
        let Some(node) = formula.nodes.get(id.0 as usize) else {
            return self.kind(id).map(|_| Value::Nothing);
        };
        match &node.kind {
            NodeKind::Literal(value) => Ok(value.clone()),
            NodeKind::List(items) => {
                let items: Result<Vec<Value>, _> =
                    items.iter().map(|item| self.value(*item)).collect();
                items.map(Value::List)
            }
            NodeKind::Variable(_) | NodeKind::Field { .. } => {
                let value = self.path(id)?;
                if let Some(read) = &mut self.read
                    && let Some(path) = super::path(&formula.nodes, id)
                    && !read.iter().any(|(before, _)| *before == path)
                {
                    read.push((path, value.clone()));
                }
                Ok(value)
            }
            NodeKind::Not(inner) => Ok(Value::YesNo(!self.truth(*inner)?)),
            NodeKind::Minus(inner) => negated(self.value(*inner)?),
            NodeKind::All(parts) => {
                for part in parts {
                    if !self.truth(*part)? {
                        return Ok(Value::YesNo(false));
                    }
                }
                Ok(Value::YesNo(true))
            }
            NodeKind::Any(parts) => {
                for part in parts {
                    if self.truth(*part)? {
                        return Ok(Value::YesNo(true));
                    }
                }
                Ok(Value::YesNo(false))
            }
            NodeKind::Compare { by, left, right } => {
                let (left, right) = (self.value(*left)?, self.value(*right)?);
                self.compare(*by, &left, &right).map(Value::YesNo)
            }
            NodeKind::In { item, list, negated } => {
                let item = self.value(*item)?;
                let list = self.value(*list)?;
                let found =
                    functions::list(&list)?.iter().any(|other| equal(&item, other, self.scope));
                Ok(Value::YesNo(found != *negated))
            }
            NodeKind::Contains { list, item } => {
                let list = self.value(*list)?;
                let item = self.value(*item)?;
                Ok(Value::YesNo(match (&list, &item) {
                    (Value::Text(text), Value::Text(part)) => text.contains(part.as_str()),
                    (Value::List(items), item) => {
                        items.iter().any(|other| equal(other, item, self.scope))
                    }
                    (Value::Nothing, _) => false,
                    (other, _) => return Err(EvaluationError::expected("a list or a text", other)),
                }))
            }
            NodeKind::Empty { of, negated } => {
                Ok(Value::YesNo(is_empty(&self.value(*of)?) != *negated))
            }
            NodeKind::Arithmetic { by, left, right } => {
                let (left, right) = (self.value(*left)?, self.value(*right)?);
                calculate(*by, &left, &right, self.scope)
            }
            NodeKind::Call { function, arguments } => self.call(function, arguments),
        }
    }

    /// The truth of a condition.
    pub(crate) fn truth(&mut self, id: NodeId) -> Result<bool, EvaluationError> {
        match self.value(id)? {
            Value::YesNo(yes) => Ok(yes),
            other => Err(EvaluationError::expected("yes or no", &other)),
        }
    }

    fn path(&mut self, id: NodeId) -> Evaluated {
        let formula = self.formula;
        match formula.nodes.get(id.0 as usize).map(|node| &node.kind) {
            Some(NodeKind::Variable(name)) => {
                Ok(self.scope.variable(name).cloned().unwrap_or(Value::Nothing))
            }
            Some(NodeKind::Field { of, name }) => {
                // Only the whole path is told to those who ask what was read.
                let base = self.path(*of)?;
                self.part(&base, name)
            }
            _ => self.value(id),
        }
    }

    fn part(&self, base: &Value, name: &str) -> Evaluated {
        Ok(match base {
            Value::Nothing => Value::Nothing,
            Value::Map(parts) => parts.get(name).cloned().unwrap_or(Value::Nothing),
            Value::Money(money) if name == "amount" => Value::Number(money.amount()),
            Value::Money(money) if name == "currency" => Value::Text(money.currency.clone()),
            Value::Reference(reference) => match self.scope.facts.record(reference)? {
                None => Value::Nothing,
                Some(record) => match name {
                    "id" => Value::Text(record.reference.key.clone()),
                    "revision" => Value::Number(record.revision.into()),
                    _ => record.field(name).clone(),
                },
            },
            other => {
                return Err(EvaluationError::fault(format!(
                    "{} has no part `{name}`",
                    named(other)
                )));
            }
        })
    }

    fn call(&mut self, name: &str, arguments: &[NodeId]) -> Evaluated {
        // Lazily, so that nothing is fetched that is not needed.
        if name == "default" {
            let mut rest = Value::Nothing;
            for argument in arguments {
                let value = self.value(*argument)?;
                if !is_empty(&value) {
                    return Ok(value);
                }
                // An empty list is more than nothing at all: whoever gives one
                // gets a list.
                if value != Value::Nothing {
                    rest = value;
                }
            }
            return Ok(rest);
        }
        let function = functions::function(name)
            .ok_or_else(|| EvaluationError::fault(format!("there is no function `{name}`")))?;
        let least = function.parameters.len() - function.may_leave_out;
        if arguments.len() < least {
            return Err(EvaluationError::fault(format!("`{name}` is given too few values")));
        }
        let given: Result<Vec<Value>, _> =
            arguments.iter().map(|argument| self.value(*argument)).collect();
        (function.run)(&given?, self.scope)
    }

    fn compare(
        &self,
        by: Comparison,
        left: &Value,
        right: &Value,
    ) -> Result<bool, EvaluationError> {
        Ok(match by {
            Comparison::Equal => equal(left, right, self.scope),
            Comparison::Unequal => !equal(left, right, self.scope),
            Comparison::Less => functions::order(left, right)?.is_lt(),
            Comparison::LessOrEqual => functions::order(left, right)?.is_le(),
            Comparison::Greater => functions::order(left, right)?.is_gt(),
            Comparison::GreaterOrEqual => functions::order(left, right)?.is_ge(),
        })
    }
}

/// Equality. Two references are equal if they lead to one record, be it by id
/// or by external id.
fn equal(left: &Value, right: &Value, scope: &Scope<'_>) -> bool {
    match (left, right) {
        (Value::Reference(left), Value::Reference(right)) => {
            left == right
                || (left.object == right.object && scope.resolved(left) == scope.resolved(right))
        }
        (Value::Duration(left), Value::Duration(right)) => {
            time::kinds(*left) == time::kinds(*right)
        }
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| equal(left, right, scope))
        }
        _ => left == right,
    }
}

/// Whether there is nothing: no value, no letters, no items.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Nothing => true,
        Value::Text(text) => text.is_empty(),
        Value::List(items) => items.is_empty(),
        _ => false,
    }
}

fn negated(value: Value) -> Evaluated {
    let overflow = faults::overflow;
    Ok(match value {
        Value::Number(number) => Value::Number(-number),
        Value::Duration(duration) => {
            Value::Duration(times(duration, Decimal::NEGATIVE_ONE).ok_or_else(overflow)?)
        }
        Value::Money(money) => Value::Money(Money {
            minor: money.minor.checked_neg().ok_or_else(overflow)?,
            currency: money.currency,
        }),
        other => return Err(EvaluationError::expected("a number", &other)),
    })
}

fn times(duration: relata_model::Duration, by: Decimal) -> Option<relata_model::Duration> {
    duration.share(by)
}

fn calculate(by: Arithmetic, left: &Value, right: &Value, scope: &Scope<'_>) -> Evaluated {
    let overflow = faults::overflow;
    Ok(match (by, left, right) {
        (_, Value::Number(left), Value::Number(right)) => Value::Number(
            match by {
                Arithmetic::Plus => left.checked_add(*right),
                Arithmetic::Minus => left.checked_sub(*right),
                Arithmetic::Times => left.checked_mul(*right),
                Arithmetic::By if right.is_zero() => return Err(faults::by_zero()),
                Arithmetic::By => left.checked_div(*right),
            }
            .ok_or_else(overflow)?,
        ),
        (Arithmetic::Plus | Arithmetic::Minus, Value::Money(left), Value::Money(right)) => {
            functions::same_currency(left, right)?;
            let minor = if by == Arithmetic::Plus {
                left.minor.checked_add(right.minor)
            } else {
                left.minor.checked_sub(right.minor)
            };
            Value::Money(Money {
                minor: minor.ok_or_else(overflow)?,
                currency: left.currency.clone(),
            })
        }
        (Arithmetic::Times, Value::Money(money), Value::Number(factor))
        | (Arithmetic::Times, Value::Number(factor), Value::Money(money)) => {
            money_times(money, |minor| minor.checked_mul(*factor))?
        }
        (Arithmetic::By, Value::Money(_), Value::Number(zero)) if zero.is_zero() => {
            return Err(faults::by_zero());
        }
        (Arithmetic::By, Value::Money(money), Value::Number(divisor)) => {
            money_times(money, |minor| minor.checked_div(*divisor))?
        }
        (Arithmetic::Plus, Value::Duration(left), Value::Duration(right)) => {
            Value::Duration(left.checked_add(*right).ok_or_else(overflow)?)
        }
        (Arithmetic::Minus, Value::Duration(left), Value::Duration(right)) => {
            let back = times(*right, Decimal::NEGATIVE_ONE).ok_or_else(overflow)?;
            Value::Duration(left.checked_add(back).ok_or_else(overflow)?)
        }
        (Arithmetic::Times, Value::Duration(duration), Value::Number(factor))
        | (Arithmetic::Times, Value::Number(factor), Value::Duration(duration)) => {
            shared(*duration, Some(*factor))?
        }
        (Arithmetic::By, Value::Duration(_), Value::Number(zero)) if zero.is_zero() => {
            return Err(faults::by_zero());
        }
        (Arithmetic::By, Value::Duration(duration), Value::Number(divisor)) => {
            shared(*duration, Decimal::ONE.checked_div(*divisor))?
        }
        (Arithmetic::Minus, Value::Time(to), Value::Time(from)) => Value::Duration(
            relata_model::Duration::from_millis(to.as_millisecond() - from.as_millisecond()),
        ),
        (Arithmetic::Minus, Value::Date(to), Value::Date(from)) => {
            Value::Duration(time::between_days(*from, *to))
        }
        (Arithmetic::Plus, Value::Time(from), Value::Duration(by))
        | (Arithmetic::Plus, Value::Duration(by), Value::Time(from)) => {
            Value::Time(time::later(*from, *by, scope)?)
        }
        (Arithmetic::Minus, Value::Time(from), Value::Duration(by)) => {
            let back = times(*by, Decimal::NEGATIVE_ONE).ok_or_else(overflow)?;
            Value::Time(time::later(*from, back, scope)?)
        }
        (Arithmetic::Plus, Value::Date(from), Value::Duration(by))
        | (Arithmetic::Plus, Value::Duration(by), Value::Date(from)) => {
            Value::Date(time::day_later(*from, *by)?)
        }
        (Arithmetic::Minus, Value::Date(from), Value::Duration(by)) => {
            let back = times(*by, Decimal::NEGATIVE_ONE).ok_or_else(overflow)?;
            Value::Date(time::day_later(*from, back)?)
        }
        (_, Value::Nothing, _) | (_, _, Value::Nothing) => {
            return Err(faults::nothing_there("a value"));
        }
        _ => {
            return Err(EvaluationError::fault(format!(
                "`{}` does not work with {} and {}",
                by.sign(),
                named(left),
                named(right)
            )));
        }
    })
}

fn money_times(money: &Money, by: impl Fn(Decimal) -> Option<Decimal>) -> Evaluated {
    use rust_decimal::prelude::ToPrimitive;
    let away = rust_decimal::RoundingStrategy::MidpointAwayFromZero;
    let minor = by(Decimal::from(money.minor))
        .and_then(|minor| minor.round_dp_with_strategy(0, away).to_i64())
        .ok_or_else(faults::overflow)?;
    Ok(Value::Money(Money { minor, currency: money.currency.clone() }))
}

fn shared(duration: relata_model::Duration, factor: Option<Decimal>) -> Evaluated {
    factor
        .and_then(|factor| times(duration, factor))
        .map(Value::Duration)
        .ok_or_else(|| faults::not_divisible(duration))
}
