//! Finding records in an order: so that a page costs as much as it shows, and not as
//! much as there is.

use relata_model::{FieldDefinition, ObjectDefinition, Value};
use sea_query::{
    Alias, Expr, ExprTrait, Order as Direction, Query as Statement, SelectStatement, UnionType,
};

use crate::{
    query::{Condition, Cursor, Operator, operand},
    record::select,
    table::ObjectTable,
};

/// A condition, as an expression.
pub(crate) struct Holds {
    pub(crate) whole: Expr,
    /// Where it leaves the field only some values.
    pub(crate) fixed: Option<Fixed>,
    /// Whether it holds of more records than it was found to hold of.
    pub(crate) partial: bool,
}

/// What a field may be, value by value: no two hold at once.
pub(crate) struct Fixed {
    pub(crate) field: String,
    pub(crate) each: Vec<Expr>,
}

impl From<Expr> for Holds {
    fn from(whole: Expr) -> Self {
        Self { whole, fixed: None, partial: false }
    }
}

/// A stretch of an order: first the records that have something in the field,
/// then those that have nothing. Each is in the order of an index, which both
/// together are in neither database.
pub(crate) enum Stretch<'f> {
    /// By the field, and by age among those that have the same; after this
    /// value and id.
    Filled(&'f str, &'f FieldDefinition, Option<(Value, String)>),
    /// By age, after this id; of the records that have nothing in the field, if
    /// there is one.
    ByAge(Option<&'f str>, Option<String>),
}

impl<'f> Stretch<'f> {
    /// What is left of an order behind a cursor, as far as conditions leave
    /// anything in it.
    pub(crate) fn of(
        sorted: Option<(&'f str, &'f FieldDefinition)>,
        cursor: Option<Cursor>,
        filter: &[Condition],
    ) -> Vec<Self> {
        let (last, value) = match cursor {
            None => (None, None),
            Some(Cursor(last, value)) => (Some(last), value),
        };
        let Some((name, field)) = sorted else { return vec![Self::ByAge(None, last)] };
        let mut stretches = Vec::new();
        let on_it = || filter.iter().filter(|condition| condition.field == name);
        let all_empty = on_it().any(|condition| {
            condition.operator == Operator::IsEmpty
                || (condition.operator == Operator::Equal && condition.value.is_nothing())
        });
        let none_empty = on_it().any(|condition| {
            matches!(
                condition.operator,
                Operator::IsNotEmpty
                    | Operator::Less
                    | Operator::LessOrEqual
                    | Operator::Greater
                    | Operator::GreaterOrEqual
                    | Operator::Contains
                    | Operator::HasWords
            ) || (condition.operator == Operator::Equal && !condition.value.is_nothing())
        });
        let value = value.filter(|value| !value.is_nothing());
        let in_empty = last.is_some() && value.is_none();
        if !all_empty && !in_empty {
            stretches.push(Self::Filled(name, field, value.zip(last.clone())));
        }
        if !none_empty {
            stretches.push(Self::ByAge(Some(name), last.filter(|_| in_empty)));
        }
        stretches
    }

    /// The field by which it is in order, where that is not the age.
    fn field(&self) -> Option<&'f str> {
        match self {
            Self::Filled(name, ..) => Some(name),
            Self::ByAge(..) => None,
        }
    }
}

/// At most so many statements are put together into one.
const MOST_TOGETHER: usize = 16;

/// What a stretch of an order is called among the columns of a statement that
/// is put together.
const PLACE: &str = "relata_place";

/// A look for records in one stretch of an order.
pub(crate) struct Looking<'l> {
    pub(crate) object: &'l ObjectDefinition,
    pub(crate) table: &'l ObjectTable,
    pub(crate) filter: &'l [Holds],
    pub(crate) stretch: &'l Stretch<'l>,
    pub(crate) descending: bool,
    pub(crate) limit: u64,
}

impl Looking<'_> {
    /// One statement. Where an index has the records of each of a few values in
    /// this order, but not those of all of them, each value is looked for by
    /// itself and what is found is merged: so it costs as much as what is
    /// wanted, and not as much as there is.
    pub(crate) fn statement(&self) -> SelectStatement {
        let mut fields = self.one_by_one();
        let mut combinations: Vec<Vec<&Expr>> = vec![Vec::new()];
        let mut rest = Vec::new();
        for holds in self.filter {
            let of_index = holds.fixed.as_ref().and_then(|fixed| {
                let place = fields.iter().position(|field| *field == fixed.field)?;
                fields.swap_remove(place);
                Some(&fixed.each)
            });
            let Some(each) = of_index else {
                rest.push(&holds.whole);
                continue;
            };
            combinations = combinations
                .iter()
                .flat_map(|before| each.iter().map(|one| [before.as_slice(), &[one]].concat()))
                .collect();
        }
        let parts = combinations.into_iter().map(|fixed| {
            let mut part = select(self.object, self.table);
            for condition in fixed.into_iter().chain(rest.iter().copied()) {
                part.and_where(condition.clone());
            }
            self.put_in_order(&mut part);
            part
        });
        let mut parts: Vec<SelectStatement> = parts.collect();
        if parts.len() == 1 {
            return if self.is_known_by_an_index() { self.chosen_first() } else { parts.remove(0) };
        }
        let by = self.stretch.field();
        let mut whole = parts.into_iter().enumerate().map(|(number, mut part)| {
            if let Some(name) = by {
                let column = Expr::col((Alias::new(&self.object.name), Alias::new(name)));
                part.expr_as(column, Alias::new(PLACE));
            }
            Statement::select()
                .expr(Expr::cust("*"))
                .from_subquery(part, Alias::new(format!("part_{number}")))
                .take()
        });
        let mut merged = whole.next().unwrap_or_default();
        merged.unions(whole.map(|part| (UnionType::All, part)).collect::<Vec<_>>());
        if by.is_some() {
            merged.order_by(Alias::new(PLACE), self.direction());
        }
        merged.order_by(Alias::new("id"), self.direction()).limit(self.limit).take()
    }

    /// The same, with the records chosen by their entries in an index and read
    /// only then: where the entries have to be sorted, no more is read of the
    /// others.
    fn chosen_first(&self) -> SelectStatement {
        let mut chosen = Statement::select();
        chosen.column(Alias::new("id")).from(Alias::new(&self.object.name));
        for holds in self.filter {
            chosen.and_where(holds.whole.clone());
        }
        self.put_in_order(&mut chosen);
        let mut whole = select(self.object, self.table);
        whole.and_where(Expr::col(Alias::new("id")).in_subquery(chosen));
        if let Some(name) = self.stretch.field() {
            whole.order_by((Alias::new(&self.object.name), Alias::new(name)), self.direction());
        }
        whole.order_by(Alias::new("id"), self.direction()).limit(self.limit).take()
    }

    /// Whether an index has all the fields that say which records they are, but
    /// further ones as well, and so not the order that is wanted.
    fn is_known_by_an_index(&self) -> bool {
        let (by, empty) = match self.stretch {
            Stretch::Filled(name, ..) => (Some(*name), None),
            Stretch::ByAge(empty, _) => (None, *empty),
        };
        let fixed: Option<Vec<&str>> = self
            .filter
            .iter()
            .map(|holds| holds.fixed.as_ref().map(|fixed| fixed.field.as_str()))
            .collect();
        let Some(fixed) = fixed else { return false };
        let mut wanted: Vec<&str> = fixed.iter().copied().chain(by).chain(empty).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let has_all = |index: &&Vec<String>| {
            index.first().is_some_and(|first| fixed.contains(&first.as_str()))
                && wanted.iter().all(|name| index.iter().any(|field| field == name))
        };
        let shortest = self.object.indexes.iter().filter(has_all).map(Vec::len).min();
        shortest.is_some_and(|fields| fields > wanted.len())
    }

    fn direction(&self) -> Direction {
        if self.descending { Direction::Desc } else { Direction::Asc }
    }

    /// The fields that are looked for value by value: those of an index whose
    /// fields are all fixed, and after which it is in the order that is wanted.
    fn one_by_one(&self) -> Vec<&str> {
        let values = |name: &String| {
            let mut fixed = self.filter.iter().filter_map(|holds| holds.fixed.as_ref());
            fixed.find(|fixed| fixed.field == *name).map(|fixed| fixed.each.len())
        };
        let empty = match self.stretch {
            Stretch::ByAge(empty, _) => *empty,
            Stretch::Filled(..) => None,
        };
        let leads = |index: &&Vec<String>| {
            let fixed = match (index.split_last(), self.stretch.field()) {
                (Some((last, front)), Some(by)) if last == by => front,
                (_, Some(_)) => return false,
                (_, None) => index.as_slice(),
            };
            let combinations: Option<usize> = fixed
                .iter()
                .map(|name| values(name).or((Some(name.as_str()) == empty).then_some(1)))
                .try_fold(1_usize, |all, values| Some(all.saturating_mul(values?)));
            combinations.is_some_and(|count| (2..=MOST_TOGETHER).contains(&count))
        };
        let index = self.object.indexes.iter().filter(leads).max_by_key(|index| index.len());
        index.map_or_else(Vec::new, |index| index.iter().map(String::as_str).collect())
    }

    fn put_in_order(&self, statement: &mut SelectStatement) {
        let further: fn(Expr, Expr) -> Expr = match self.descending {
            true => |left, right| left.lt(right),
            false => |left, right| left.gt(right),
        };
        let id = || Expr::col(Alias::new("id"));
        match self.stretch {
            Stretch::Filled(name, field, after) => {
                // With the table's name, or a decimal would be in the order of
                // the text that it leaves as.
                let column = || Expr::col((Alias::new(&self.object.name), Alias::new(*name)));
                match after {
                    None => statement.and_where(column().is_not_null()),
                    Some((value, last)) => {
                        let value = || operand(field, value);
                        let same = column().eq(value()).and(further(id(), Expr::val(last)));
                        let reached = match self.descending {
                            true => column().lte(value()),
                            false => column().gte(value()),
                        };
                        statement.and_where(reached).and_where(further(column(), value()).or(same))
                    }
                };
                let column = (Alias::new(&self.object.name), Alias::new(*name));
                statement.order_by(column, self.direction());
            }
            Stretch::ByAge(empty, after) => {
                if let Some(name) = empty {
                    statement.and_where(Expr::col(Alias::new(*name)).is_null());
                }
                if let Some(last) = after {
                    statement.and_where(further(id(), Expr::val(last)));
                }
            }
        }
        statement.order_by(Alias::new("id"), self.direction()).limit(self.limit);
    }
}
