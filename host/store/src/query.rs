//! Finding records.

use std::collections::{BTreeMap, HashSet};

use relata_model::{
    Decimal, FieldDefinition, FieldError, FieldType, ObjectDefinition, Record, RecordId, Reference,
    Timestamp, Value, text,
};
use sea_query::{Alias, Expr, ExprTrait, Func, Query as Statement};
use serde::{Deserialize, Serialize};

use crate::{
    RecordError, Store, StoreError, Tx,
    connection::Argument,
    query_order::{Fixed, Holds, Looking, Stretch},
    record::read,
    table::columns_of,
    value,
    word::Called,
};

/// At most so many records come at once.
pub const PAGE: u32 = 1_000;

/// Which records of an object, in which order.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The object's name.
    pub object: String,
    /// All must hold.
    pub filter: Vec<Condition>,
    /// One at least must hold, if there are any.
    pub any: Vec<Condition>,
    /// In which order.
    pub order: Order,
    /// Where the page before ended: its [`Page::next`].
    pub after: Option<String>,
    /// At most so many, and never more than [`PAGE`].
    pub limit: u32,
}

impl Query {
    /// The first page of an object's records that meet a filter, oldest
    /// first.
    pub fn new(object: impl Into<String>, filter: Vec<Condition>) -> Self {
        Self {
            object: object.into(),
            filter,
            any: Vec::new(),
            order: Order::default(),
            after: None,
            limit: PAGE,
        }
    }
}

/// The order of records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Order {
    /// By this field, records that have it empty last; by age (the id) if
    /// none. Records that have the same are in order of age.
    pub field: Option<String>,
    /// The greatest or newest first.
    pub descending: bool,
}

/// One thing that must hold of a field. `id` counts as a field too.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The field's name.
    pub field: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what: [`Value::Nothing`] for the operators that need nothing, a
    /// list for [`Operator::OneOf`].
    pub value: Value,
}

impl Condition {
    /// A condition on a field.
    pub fn new(field: impl Into<String>, operator: Operator, value: Value) -> Self {
        Self { field: field.into(), operator, value }
    }

    /// The field is this.
    pub fn equal(field: impl Into<String>, value: Value) -> Self {
        Self::new(field, Operator::Equal, value)
    }
}

/// How a field is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Is this. With [`Value::Nothing`]: is empty.
    Equal,
    /// Is not this; so is what is empty. With [`Value::Nothing`]: is not empty.
    NotEqual,
    /// Is less, or earlier. What is empty is not.
    Less,
    /// Is less or the same.
    LessOrEqual,
    /// Is more, or later. What is empty is not.
    Greater,
    /// Is more or the same.
    GreaterOrEqual,
    /// Is one of a list.
    OneOf,
    /// The text has this in it, letter by letter; the list has this text.
    Contains,
    /// Each word that is given begins a word of the text, in whatever order;
    /// capital and small letters are the same ([`text::words`]). Only in the
    /// fields by which people look for a record.
    HasWords,
    /// Has nothing.
    IsEmpty,
    /// Has something.
    IsNotEmpty,
}

/// Some records, and where the next ones begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The records.
    pub records: Vec<Record>,
    /// For [`Query::after`]; none on the last page.
    pub next: Option<String>,
    /// Whether so many have the words that were looked for
    /// ([`Operator::HasWords`]) that not all of them were looked at.
    pub partial: bool,
}

/// How many of some records have the same in a field.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueCount {
    /// What they have in it; [`Value::Nothing`] where it is empty.
    pub value: Value,
    /// How many they are.
    pub count: u64,
    /// The one with the lowest id, which is the oldest.
    pub oldest: Reference,
}

impl Store {
    /// Records that meet all conditions, a page at a time.
    ///
    /// # Errors
    ///
    /// [`RecordError::Invalid`] where a condition does not fit its field.
    pub async fn record_query(&self, query: &Query) -> Result<Page, RecordError> {
        self.read().await?.record_query(query).await
    }

    /// How many records meet all conditions.
    ///
    /// # Errors
    ///
    /// [`RecordError::Invalid`] where a condition does not fit its field.
    pub async fn record_count(
        &self,
        object: &str,
        filter: &[Condition],
    ) -> Result<u64, RecordError> {
        self.read().await?.record_count(object, filter).await
    }

    /// How many records a query would find on all its pages, for each value that a
    /// field has among them, and the oldest of those. In no order.
    ///
    /// # Errors
    ///
    /// [`RecordError::Invalid`] where a condition does not fit its field, where the
    /// field may have several values at once, and where there are more than
    /// [`PAGE`] different ones.
    pub async fn record_count_by(
        &self,
        query: &Query,
        field: &str,
    ) -> Result<Vec<ValueCount>, RecordError> {
        self.read().await?.record_count_by(query, field).await
    }

    /// How many records a query would find on all its pages.
    ///
    /// # Errors
    ///
    /// [`RecordError::Invalid`] where a condition does not fit its field.
    pub async fn record_total(&self, query: &Query) -> Result<u64, RecordError> {
        self.read().await?.record_total(&query.object, &query.filter, &query.any).await
    }

    /// How many records each of some queries would find on all its pages, at
    /// most `most` of each; in one read.
    ///
    /// # Errors
    ///
    /// [`RecordError::Invalid`] where a condition does not fit its field.
    pub async fn record_count_each(
        &self,
        queries: &[Query],
        most: u32,
    ) -> Result<Vec<u64>, RecordError> {
        let mut tx = self.read().await?;
        let mut counts = Vec::with_capacity(queries.len());
        for query in queries {
            counts.push(tx.record_count_up_to(query, most).await?);
        }
        Ok(counts)
    }

    /// The earliest time that an object's records have in a field; none where
    /// all have it empty. Quick where the field has an index.
    ///
    /// # Errors
    ///
    /// [`RecordError::Invalid`] where that is no field of times.
    pub async fn record_earliest(
        &self,
        object: &str,
        field: &str,
    ) -> Result<Option<Timestamp>, RecordError> {
        self.read().await?.record_earliest(object, field).await
    }
}

/// Where a page ended: the id, and the value that it was ordered by.
#[derive(Serialize, Deserialize)]
pub(crate) struct Cursor(pub(crate) String, pub(crate) Option<Value>);

impl Tx {
    /// Records that meet all conditions, a page at a time.
    ///
    /// # Errors
    ///
    /// [`RecordError::Invalid`] where a condition does not fit its field.
    pub async fn record_query(&mut self, query: &Query) -> Result<Page, RecordError> {
        let tables = std::sync::Arc::clone(&self.tables);
        let (object, table) = tables.of(&query.object)?;
        let cursor = query
            .after
            .as_ref()
            .map(|after| serde_json::from_str::<Cursor>(after))
            .transpose()
            .map_err(|_| invalid("after", "is not the end of a page of this query"))?;
        let by = query.order.field.as_deref().filter(|field| *field != "id");
        let sorted = match by {
            Some(name) => Some((name, definition(object, name)?)),
            None => None,
        };
        let filter = self.conditions(object, &query.filter, &query.any).await?;

        let limit = query.limit.clamp(1, PAGE) as usize;
        let mut rows = Vec::new();
        for stretch in Stretch::of(sorted, cursor, &query.filter) {
            let wanted = limit + 1 - rows.len();
            if wanted == 0 {
                break;
            }
            let looking = Looking {
                object,
                table,
                filter: &filter,
                stretch: &stretch,
                descending: query.order.descending,
                limit: wanted as u64,
            };
            let (sql, arguments) = self.dialect().build(&looking.statement());
            rows.extend(self.connection.rows("look for records", sql, arguments).await?);
        }
        let more = rows.len() > limit;
        let records =
            rows.iter().take(limit).map(|row| read(object, row)).collect::<Result<Vec<_>, _>>()?;
        let next = records.last().filter(|_| more).map(|last| {
            let value = by.map(|name| last.field(name).clone());
            serde_json::json!(Cursor(last.reference.key.clone(), value)).to_string()
        });
        let partial = filter.iter().any(|holds| holds.partial);
        Ok(Page { records, next, partial })
    }

    /// How many records meet all conditions.
    ///
    /// # Errors
    ///
    /// [`RecordError::Invalid`] where a condition does not fit its field.
    pub async fn record_count(
        &mut self,
        object: &str,
        filter: &[Condition],
    ) -> Result<u64, RecordError> {
        self.record_total(object, filter, &[]).await
    }

    async fn record_total(
        &mut self,
        object: &str,
        filter: &[Condition],
        any: &[Condition],
    ) -> Result<u64, RecordError> {
        let tables = std::sync::Arc::clone(&self.tables);
        let (object, _) = tables.of(object)?;
        let mut statement = Statement::select();
        statement
            .expr_as(Func::count(Expr::col(Alias::new("id"))), Alias::new("found"))
            .from(Alias::new(&object.name));
        for condition in self.conditions(object, filter, any).await? {
            statement.and_where(condition.whole);
        }
        let (sql, arguments) = self.dialect().build(&statement);
        match self.connection.row("count records", sql, arguments).await? {
            Some(row) => Ok(row.count("found")?),
            None => Ok(0),
        }
    }

    /// As [`Store::record_count_by`], within a transaction.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn record_count_by(
        &mut self,
        query: &Query,
        field: &str,
    ) -> Result<Vec<ValueCount>, RecordError> {
        let tables = std::sync::Arc::clone(&self.tables);
        let (object, _) = tables.of(&query.object)?;
        let by = definition(object, field)?;
        if by.kind == FieldType::Texts {
            return Err(invalid(
                field,
                "has several values at once; count by a field that has one",
            ));
        }
        let mut statement = Statement::select();
        statement
            // No field is called so.
            .expr_as(Expr::cust("COUNT(*)"), Alias::new("_found"))
            // Ids are in the order of age.
            .expr_as(Func::min(Expr::col(Alias::new("id"))), Alias::new("_oldest"))
            .from(Alias::new(&object.name))
            .limit(u64::from(PAGE) + 1);
        for column in columns_of(field, by) {
            statement.expr_as(column.read(), Alias::new(&column.name));
            // With the table's name, or a decimal would be the text that it leaves as.
            statement
                .add_group_by([Expr::col((Alias::new(&object.name), Alias::new(&column.name)))]);
        }
        for condition in self.conditions(object, &query.filter, &query.any).await? {
            statement.and_where(condition.whole);
        }
        let (sql, arguments) = self.dialect().build(&statement);
        let rows = self.connection.rows("count records by a field", sql, arguments).await?;
        if rows.len() > PAGE as usize {
            let why =
                format!("has more than {PAGE} different values among these; narrow the conditions");
            return Err(invalid(field, why));
        }
        let counted = rows.iter().map(|row| {
            Ok(ValueCount {
                value: value::read(field, by, row)?,
                count: row.count("_found")?,
                oldest: Reference::new(&object.name, row.text("_oldest")?),
            })
        });
        Ok(counted.collect::<Result<_, StoreError>>()?)
    }

    /// Looks at no more records than it counts.
    async fn record_count_up_to(&mut self, query: &Query, most: u32) -> Result<u64, RecordError> {
        let tables = std::sync::Arc::clone(&self.tables);
        let (object, _) = tables.of(&query.object)?;
        let mut found = Statement::select();
        found.expr(Expr::cust("1")).from(Alias::new(&object.name)).limit(u64::from(most));
        for condition in self.conditions(object, &query.filter, &query.any).await? {
            found.and_where(condition.whole);
        }
        let mut statement = Statement::select();
        statement
            .expr_as(Expr::cust("COUNT(*)"), Alias::new("found"))
            .from_subquery(found, Alias::new("up_to"));
        let (sql, arguments) = self.dialect().build(&statement);
        match self.connection.row("count records", sql, arguments).await? {
            Some(row) => Ok(row.count("found")?),
            None => Ok(0),
        }
    }

    /// The earliest time that an object's records have in a field; none where
    /// all have it empty. Quick where the field has an index.
    ///
    /// # Errors
    ///
    /// [`RecordError::Invalid`] where that is no field of times.
    pub async fn record_earliest(
        &mut self,
        object: &str,
        field: &str,
    ) -> Result<Option<Timestamp>, RecordError> {
        let tables = std::sync::Arc::clone(&self.tables);
        let (object, _) = tables.of(object)?;
        if definition(object, field)?.kind != FieldType::Time {
            return Err(invalid(field, "holds no times, of which one would be the earliest"));
        }
        let mut statement = Statement::select();
        statement
            .expr_as(Func::min(Expr::col(Alias::new(field))), Alias::new("earliest"))
            .from(Alias::new(&object.name));
        let (sql, arguments) = self.dialect().build(&statement);
        let row = self.connection.row("look for the earliest", sql, arguments).await?;
        Ok(row.map(|row| row.time_or_none("earliest")).transpose()?.flatten())
    }

    /// The conditions as expressions, one for those of which one must hold; every
    /// one that does not fit is named.
    async fn conditions(
        &mut self,
        object: &ObjectDefinition,
        filter: &[Condition],
        any: &[Condition],
    ) -> Result<Vec<Holds>, RecordError> {
        let mut expressions = Vec::with_capacity(filter.len() + any.len());
        let mut errors = Vec::new();
        for condition in filter.iter().chain(any) {
            match self.condition(object, condition).await {
                Ok(expression) => expressions.push(expression),
                Err(RecordError::Invalid(more)) => errors.extend(more),
                Err(other) => return Err(other),
            }
        }
        if errors.is_empty() && !any.is_empty() {
            let any = expressions.split_off(filter.len()).into_iter().map(|one| one.whole);
            expressions.extend(any.reduce(ExprTrait::or).map(Holds::from));
        }
        if errors.is_empty() { Ok(expressions) } else { Err(RecordError::Invalid(errors)) }
    }

    async fn condition(
        &mut self,
        object: &ObjectDefinition,
        condition: &Condition,
    ) -> Result<Holds, RecordError> {
        let name = &condition.field;
        if name == "id" {
            return self.condition_on_id(object, condition).await.map(Holds::from);
        }
        let field = definition(object, name)?;
        if condition.operator == Operator::HasWords {
            let Some(wanted) = condition.value.as_text() else {
                return Err(invalid(name, "takes words to look for"));
            };
            let Called { holds, partial } = self.called(object, name, wanted).await?;
            return Ok(Holds { partial, ..Holds::from(holds) });
        }
        let column = || Expr::col(Alias::new(name));
        let values = match (&condition.operator, &condition.value) {
            (Operator::OneOf, Value::List(values)) => values.clone(),
            (Operator::OneOf, _) => return Err(invalid(name, "`one of` takes a list")),
            (_, value) => vec![value.clone()],
        };
        // One of many is checked as a text, whatever the list allows.
        let is_member = condition.operator == Operator::Contains;
        let checked =
            if is_member { values } else { self.operands_check(name, field, values).await? };
        let first = || checked.first().cloned().unwrap_or(Value::Nothing);
        let ordered = |compare: fn(Expr, Expr) -> Expr| -> Result<Expr, RecordError> {
            let value = first();
            match (&field.kind, &value) {
                (_, Value::Nothing) => Err(invalid(name, "cannot be more or less than nothing")),
                (FieldType::Number | FieldType::Integer | FieldType::Date | FieldType::Time, _) => {
                    Ok(compare(column(), operand(field, &value)))
                }
                (FieldType::Money, Value::Money(money)) => {
                    Ok(compare(column(), Expr::val(money.minor))
                        .and(Expr::col(Alias::new(format!("{name}_currency"))).eq(&money.currency)))
                }
                (kind, _) => Err(invalid(
                    name,
                    format!("holds {}, which is not more or less than another", kind.describe()),
                )),
            }
        };
        let fixed = |each: Vec<Expr>, whole: Expr| {
            let fixed = Fixed { field: name.clone(), each };
            Ok(Holds { fixed: Some(fixed), ..Holds::from(whole) })
        };
        let is = |value: &Value| match value.is_nothing() {
            true => column().is_null(),
            false => equals(name, field, value),
        };
        let holds = match condition.operator {
            Operator::IsEmpty => return fixed(vec![column().is_null()], column().is_null()),
            Operator::Equal => return fixed(vec![is(&first())], is(&first())),
            Operator::OneOf => {
                let mut once = Vec::with_capacity(checked.len());
                for value in checked {
                    if !once.contains(&value) {
                        once.push(value);
                    }
                }
                return fixed(once.iter().map(is).collect(), is_one_of(name, field, &once));
            }
            Operator::IsNotEmpty => Ok(column().is_not_null()),
            Operator::NotEqual if first().is_nothing() => Ok(column().is_not_null()),
            Operator::NotEqual => Ok(is(&first()).not().or(column().is_null())),
            Operator::Less => ordered(|left, right| left.lt(right)),
            Operator::LessOrEqual => ordered(|left, right| left.lte(right)),
            Operator::Greater => ordered(|left, right| left.gt(right)),
            Operator::GreaterOrEqual => ordered(|left, right| left.gte(right)),
            Operator::Contains => {
                let value = first();
                let Some(text) = value.as_text() else {
                    return Err(invalid(name, "`contains` takes a text"));
                };
                match field.kind {
                    FieldType::Texts => Ok(self.dialect().list_has(column(), text)),
                    FieldType::Text
                    | FieldType::LongText
                    | FieldType::Email
                    | FieldType::Phone
                    | FieldType::Country => Ok(self.dialect().text_has(column(), text)),
                    _ => Err(invalid(
                        name,
                        format!("holds {}, which contains nothing", field.kind.describe()),
                    )),
                }
            }
            // Answered above: it takes a look at the database.
            Operator::HasWords => Err(invalid(name, "takes words to look for")),
        };
        holds.map(Holds::from)
    }

    /// `id` is text, but people give records.
    async fn condition_on_id(
        &mut self,
        object: &ObjectDefinition,
        condition: &Condition,
    ) -> Result<Expr, RecordError> {
        let text = |value: &Value| match value {
            Value::Reference(reference) if reference.object == object.name => {
                Ok(reference.key.clone())
            }
            Value::Text(text) => {
                Ok(text.strip_prefix(&format!("{}/", object.name)).unwrap_or(text).to_owned())
            }
            other => {
                Err(invalid("id", format!("takes a record of {}, not `{other}`", object.name)))
            }
        };
        let column = Expr::col(Alias::new("id"));
        match (condition.operator, &condition.value) {
            (Operator::Equal, value) => Ok(column.eq(text(value)?)),
            (Operator::NotEqual, value) => Ok(column.ne(text(value)?)),
            (Operator::OneOf, Value::List(values)) => {
                let ids = values.iter().map(text).collect::<Result<Vec<_>, _>>()?;
                Ok(column.is_in(ids))
            }
            _ => Err(invalid("id", "can only be equal, not equal, or one of a list")),
        }
    }

    /// The values as the field would keep them: an address in lower case, a
    /// record by its id.
    async fn operands_check(
        &mut self,
        name: &str,
        field: &FieldDefinition,
        values: Vec<Value>,
    ) -> Result<Vec<Value>, RecordError> {
        // A filter may ask for what no record can have.
        let loose = FieldDefinition {
            required: false,
            min: None,
            max: Some(Decimal::MAX),
            ..field.clone()
        };
        let check = |value| loose.check(value).map_err(|why| invalid(name, why));
        let mut checked = values.into_iter().map(check).collect::<Result<Vec<_>, _>>()?;
        let known = self.ids_known(&checked).await?;
        for value in &mut checked {
            let Value::Reference(reference) = value else { continue };
            if known.contains(reference) {
                continue;
            }
            match self.reference_resolve(reference).await? {
                Ok(resolved) => *reference = resolved,
                // An id that no record has is what no field refers to.
                Err(_) if is_id(reference) => {}
                Err(why) => return Err(invalid(name, why)),
            }
        }
        Ok(checked)
    }

    /// Those references among some values that are the ids of records. What was not
    /// seen before is looked up once for each object and not once for each reference.
    async fn ids_known(&mut self, values: &[Value]) -> Result<HashSet<Reference>, RecordError> {
        let tables = std::sync::Arc::clone(&self.tables);
        let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut known = HashSet::new();
        for reference in values.iter().filter_map(Value::as_reference) {
            if tables.ids().has(reference) {
                known.insert(reference.clone());
            } else if is_id(reference) && tables.objects().get(&reference.object).is_some() {
                wanted.entry(&reference.object).or_default().push(&reference.key);
            }
        }
        for (object, ids) in wanted {
            let statement = Statement::select()
                .column(Alias::new("id"))
                .from(Alias::new(object))
                .and_where(Expr::col(Alias::new("id")).is_in(ids))
                .take();
            let (sql, arguments) = self.dialect().build(&statement);
            for row in self.connection.rows("look for records by id", sql, arguments).await? {
                known.insert(Reference::new(object, row.text("id")?));
            }
        }
        tables.ids().add(known.iter().cloned());
        Ok(known)
    }
}

fn is_id(reference: &Reference) -> bool {
    reference.key.parse::<RecordId>().is_ok()
}

/// A field of the object, or a sentence with what may have been meant.
fn definition<'a>(
    object: &'a ObjectDefinition,
    name: &str,
) -> Result<&'a FieldDefinition, RecordError> {
    object.field(name).ok_or_else(|| {
        let hint = text::nearest(name, object.fields.keys().map(String::as_str))
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        invalid(name, format!("{} has no such field{hint}", text::with_article(&object.name)))
    })
}

fn invalid(field: &str, why: impl Into<String>) -> RecordError {
    RecordError::Invalid(vec![FieldError::new(field, why)])
}

/// The field's columns hold this value, which is not nothing.
pub(crate) fn equals(name: &str, field: &FieldDefinition, value: &Value) -> Expr {
    let column = Expr::col(Alias::new(name));
    match (&field.kind, value) {
        (FieldType::Money, Value::Money(money)) => column
            .eq(money.minor)
            .and(Expr::col(Alias::new(format!("{name}_currency"))).eq(&money.currency)),
        _ => column.eq(operand(field, value)),
    }
}

/// The field's columns hold one of these values.
fn is_one_of(name: &str, field: &FieldDefinition, values: &[Value]) -> Expr {
    let column = || Expr::col(Alias::new(name));
    let (nothing, some): (Vec<&Value>, Vec<&Value>) =
        values.iter().partition(|value| value.is_nothing());
    let mut any = Vec::new();
    match field.kind {
        // Two columns.
        FieldType::Money => any.extend(some.into_iter().map(|value| equals(name, field, value))),
        _ if some.is_empty() => {}
        _ => any.push(column().is_in(some.into_iter().map(|value| operand(field, value)))),
    }
    any.extend(nothing.first().map(|_| column().is_null()));
    any.into_iter().reduce(ExprTrait::or).unwrap_or_else(|| Expr::cust("1 = 0"))
}

/// A value to compare a field's column with.
pub(crate) fn operand(field: &FieldDefinition, value: &Value) -> Expr {
    if let Value::Money(money) = value {
        return Expr::val(money.minor);
    }
    let expression = match value::single(&field.kind, value) {
        Argument::Whole(number) => Expr::val(number),
        Argument::Text(text) => Expr::val(text),
        Argument::Bytes(bytes) => Expr::val(bytes),
    };
    match field.kind {
        FieldType::Number => expression.cast_as(Alias::new("NUMERIC")),
        _ => expression,
    }
}
