//! What writes rest on that were decided upon before their transaction, in one look.

use std::collections::{HashMap, HashSet};

use relata_engine::Watch;
use relata_model::Reference;
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use crate::{
    Ahead, StoreError, Tx,
    connection::arguments,
    listening::{listened_for, read_topics},
    record_batch::revisions_of,
    workflow::STAMP,
};

/// How what writes rest on is in their transaction.
#[derive(Debug)]
pub struct Outlook {
    /// Whether an event from before is still to be matched.
    pub in_turn: bool,
    /// [`Tx::workflow_stamp`].
    pub stamp: u64,
    /// Those of the topics for which runs listen.
    pub awaited: HashSet<Watch>,
    revisions: HashMap<Reference, u64>,
}

impl Outlook {
    /// At which revision a record is; none where it is gone, or nobody asked.
    pub(crate) fn revision(&self, record: &Reference) -> Option<u64> {
        self.revisions.get(record).copied()
    }
}

impl Tx {
    /// Looks whether events wait to be matched, which workflows are active, which of
    /// some topics runs listen for, and how the records are on which something rests
    /// that was worked out ahead.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outlook(
        &mut self,
        topics: &[Watch],
        ahead: &[&Ahead],
    ) -> Result<Outlook, StoreError> {
        let workflows = format!(
            "SELECT stamp, (SELECT seq FROM relata_event WHERE pending = 1 LIMIT 1) AS waits
             FROM ({STAMP}) AS workflows"
        );
        let mut asked = vec![(AssertSqlSafe(workflows).into_sql_str(), arguments![])];
        if !topics.is_empty() {
            asked.push(listened_for(self.dialect(), topics));
        }
        asked.extend(revisions_of(self.dialect(), ahead));
        let answers = self.connection.rows_of_each("look what is so", asked).await?;
        let mut answers = answers.into_iter();
        let (mut in_turn, mut stamp) = (false, 0);
        for row in answers.next().unwrap_or_default() {
            in_turn = row.whole_or_none("waits")?.is_some();
            stamp = row.count("stamp")?;
        }
        let mut awaited = HashSet::new();
        if !topics.is_empty() {
            awaited = read_topics(&answers.next().unwrap_or_default())?;
        }
        let mut revisions = HashMap::new();
        for row in answers.flatten() {
            let record = Reference::new(row.text("object")?, row.text("id")?);
            revisions.insert(record, row.count("revision")?);
        }
        Ok(Outlook { in_turn, stamp, awaited, revisions })
    }
}
