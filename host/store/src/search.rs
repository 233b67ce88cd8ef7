//! Looking for runs: by how they stand, when they began, what went wrong and
//! what is said of them.

use relata_model::RunId;

use crate::{
    RunFilter, RunRow, Store, StoreError, Tx,
    connection::Conditions,
    run::{conditions, read},
};

/// Which runs; all that is said has to hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunSearch {
    /// As a list of runs is asked for.
    pub filter: RunFilter,
    /// Given up by their host, and not let go on since.
    pub given_up: bool,
    /// With this text in the reason for their end, or in the error of a step.
    /// Upper and lower case are the same.
    pub error: Option<String>,
    /// With this text in what they are about, in the reason for their end, or
    /// in what a step was given, yielded or told.
    pub text: Option<String>,
    /// Parked by a pause.
    pub paused: bool,
}

impl Store {
    /// Runs that meet a search, at most `limit`, in the order of the filter.
    /// Texts are looked for in the logs of all runs that the rest of the
    /// search leaves: give a workflow or a time with them.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_search(
        &self,
        search: &RunSearch,
        limit: u32,
    ) -> Result<Vec<RunRow>, StoreError> {
        self.read().await?.run_search(search, limit).await
    }
}

impl Tx {
    /// As [`Store::run_search`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_search(
        &mut self,
        search: &RunSearch,
        limit: u32,
    ) -> Result<Vec<RunRow>, StoreError> {
        let filter = &search.filter;
        let mut conditions = conditions(filter);
        narrow(&mut conditions, search);
        if let Some(after) = filter.after {
            conditions.and(if filter.newest_first { "id < ?" } else { "id > ?" }, after);
        }
        let order = if filter.newest_first { "ORDER BY id DESC" } else { "ORDER BY id" };
        let (sql, arguments) = conditions.finish("SELECT * FROM relata_run", order, limit);
        let rows = self.connection.rows("look for runs", sql, arguments).await?;
        rows.iter().map(read).collect()
    }

    /// Whether a run was given up by its host, and not let go on since.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_given_up(&mut self, id: RunId) -> Result<bool, StoreError> {
        let mut conditions = Conditions::default();
        conditions.and("id = ?", id);
        conditions.and_plain(GIVEN_UP);
        let (sql, arguments) = conditions.finish("SELECT id FROM relata_run", "", 1);
        Ok(self.connection.row("look for a run", sql, arguments).await?.is_some())
    }
}

/// The run's last step failed because its host gave it up.
const GIVEN_UP: &str = "outcome = 'failed' AND EXISTS (
     SELECT 1 FROM relata_step_log AS gave WHERE gave.run_id = relata_run.id AND gave.kind = 'gave_up'
       AND NOT EXISTS (SELECT 1 FROM relata_step_log AS again WHERE again.run_id = gave.run_id
                         AND again.seq > gave.seq AND again.kind = 'retried'))";

fn narrow(conditions: &mut Conditions, search: &RunSearch) {
    if search.given_up {
        conditions.and_plain(GIVEN_UP);
    }
    if search.paused {
        conditions.and_plain("parked_by IS NOT NULL AND status = 'active'");
    }
    if let Some(error) = &search.error {
        conditions.and(
            "(LOWER(COALESCE(why, '')) LIKE ? ESCAPE '!' OR EXISTS (
                 SELECT 1 FROM relata_step_log AS entry
                 WHERE entry.run_id = relata_run.id AND LOWER(entry.error) LIKE ? ESCAPE '!'))",
            pattern(error),
        );
    }
    if let Some(text) = &search.text {
        conditions.and(
            "(LOWER(COALESCE(why, '')) LIKE ? ESCAPE '!' OR LOWER(COALESCE(subject, '')) LIKE ? ESCAPE '!'
              OR LOWER(COALESCE(run_key, '')) LIKE ? ESCAPE '!' OR EXISTS (
                 SELECT 1 FROM relata_step_log AS entry
                 WHERE entry.run_id = relata_run.id AND (
                     LOWER(entry.label) LIKE ? ESCAPE '!' OR LOWER(COALESCE(entry.error, '')) LIKE ? ESCAPE '!'
                     OR LOWER(COALESCE(entry.input, '')) LIKE ? ESCAPE '!'
                     OR LOWER(COALESCE(entry.output, '')) LIKE ? ESCAPE '!'
                     OR LOWER(COALESCE(entry.explanation, '')) LIKE ? ESCAPE '!')))",
            pattern(text),
        );
    }
}

/// What a text that has another in it looks like.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}
