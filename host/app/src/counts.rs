//! How many there are: the numbers beside the navigation and the views of a
//! list. They are counted up to a bound, so that a number costs the same
//! however many records there are.

use std::cmp::Reverse;

use relata_model::{Record, Value};
use relata_store::{Condition, Operator, Query, ValueCount};

use crate::{AccessError, App, AppError, RecordSearch, Viewer};

/// So many are counted; where there are more, that is all that is said.
pub const MOST_COUNTED: u32 = 100;

impl App {
    /// How many records a viewer would find by each of some searches, at most
    /// [`MOST_COUNTED`] of each; all in one read.
    ///
    /// # Errors
    ///
    /// [`AccessError`] where they may see none, or ask for what is hidden.
    pub async fn count_found(
        &self,
        viewer: &Viewer,
        object: &str,
        filters: &[Vec<(String, String)>],
    ) -> Result<Vec<u64>, AccessError> {
        let mut queries = Vec::with_capacity(filters.len());
        for filter in filters {
            let search = RecordSearch { filter: filter.clone(), ..RecordSearch::default() };
            let any = self.find_bounds(viewer, object, &search).await?;
            queries.push(self.query_of(object, &search, any)?);
        }
        Ok(self.store().record_count_each(&queries, MOST_COUNTED).await?)
    }

    /// How many records a viewer would find by a search, for each value that a
    /// field has among them, and the oldest of those; the most frequent first.
    ///
    /// # Errors
    ///
    /// [`AccessError`] where they may see none, or ask for what is hidden; where the
    /// field may have several values at once, or more than 1,000 different ones.
    pub async fn count_by(
        &self,
        viewer: &Viewer,
        object: &str,
        search: &RecordSearch,
        field: &str,
    ) -> Result<Vec<ValueCount>, AccessError> {
        // Whoever may not sort by a field may not count by it.
        let sorted = RecordSearch { sort: Some(field.to_owned()), ..search.clone() };
        let any = self.find_bounds(viewer, object, &sorted).await?;
        let query = self.query_of(object, search, any)?;
        let mut counts = self.store().record_count_by(&query, field).await?;
        counts.sort_by_cached_key(|one| (Reverse(one.count), one.value.to_string()));
        Ok(counts)
    }

    /// How much waits for a user: the tasks that are theirs and open, and the
    /// questions that they may answer; at most [`MOST_COUNTED`] of each.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn work_of(&self, user: &Record) -> Result<WorkWaiting, AppError> {
        let is = |field: &str, word: &str| Condition::equal(field, Value::Text(word.to_owned()));
        let me = || Value::Reference(user.reference.clone());
        let tasks =
            Query::new("task", vec![Condition::equal("assignee", me()), is("status", "open")]);
        let approvals = Query {
            any: vec![
                Condition::equal("asked", me()),
                Condition::new("role", Operator::OneOf, roles_of(user)),
            ],
            ..Query::new("approval", vec![is("status", "open")])
        };
        let found = self.store().record_count_each(&[tasks, approvals], MOST_COUNTED).await?;
        let [tasks, approvals] = found[..] else { return Ok(WorkWaiting::default()) };
        Ok(WorkWaiting { tasks, approvals })
    }
}

/// How much waits for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkWaiting {
    /// Tasks that are open.
    pub tasks: u64,
    /// Questions of runs.
    pub approvals: u64,
}

fn roles_of(user: &Record) -> Value {
    match user.field("roles") {
        roles @ Value::List(_) => roles.clone(),
        _ => Value::List(Vec::new()),
    }
}
