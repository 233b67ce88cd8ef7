//! What writes rest on that were decided upon before their transaction, in one look.

use std::collections::{BTreeMap, HashMap, HashSet};

use relata_engine::Watch;
use relata_model::Reference;
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use crate::{
    Ahead, StoreError, Tx,
    connection::arguments,
    dialect::Dialect,
    given::Given,
    listening::{listened_for, read_topics, waiters_of, watched},
    record_batch::revisions_of,
    table::ColumnType::{Text, Whole},
    workflow::STAMP,
};

/// The constraint that a transaction meets which took something for granted that is
/// otherwise.
pub(crate) const GRANTED: &str = "what_is_granted_is_so";

/// The table that it lies on, of the writer's connection to a file: no row can be put
/// into it.
pub(crate) fn granted_table() -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "CREATE TEMP TABLE relata_granted (otherwise INTEGER CONSTRAINT {GRANTED} CHECK (0))"
    ))
}

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
    /// that was worked out ahead. All of it is mostly as whoever worked it out had found
    /// it, with this `stamp`: on a file that is taken for granted where the transaction can
    /// be run again, and its statements go in one trip with the proof before them.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outlook(
        &mut self,
        topics: &[Watch],
        ahead: &[&Ahead],
        stamp: Option<u64>,
    ) -> Result<Outlook, StoreError> {
        if let Some(stamp) = stamp.filter(|_| self.grants && self.dialect() == Dialect::Sqlite) {
            return self.grant(topics, ahead, stamp).await;
        }
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

    /// Takes for granted that nothing waits, nobody listens and everything is as it was;
    /// the next statement that is run fails where it is not.
    async fn grant(
        &mut self,
        topics: &[Watch],
        ahead: &[&Ahead],
        stamp: u64,
    ) -> Result<Outlook, StoreError> {
        let dialect = self.dialect();
        let mut sql = format!(
            "INSERT INTO relata_granted SELECT 1 WHERE ({STAMP}) <> $1
               OR EXISTS (SELECT 1 FROM relata_event WHERE pending = 1)"
        );
        let mut arguments = arguments![stamp];
        if !topics.is_empty() {
            let given = watched(topics);
            let place = format!("${}", arguments.len() + 1);
            sql.push_str(&format!(
                " OR EXISTS (SELECT 1 FROM {} {})",
                given.table(dialect, &place),
                waiters_of(dialect)
            ));
            arguments.push(given.into_argument());
        }
        let mut revisions = HashMap::new();
        let mut wanted: BTreeMap<&str, Given<'_>> = BTreeMap::new();
        for (record, revision) in ahead.iter().flat_map(|ahead| ahead.rests_on()) {
            wanted
                .entry(&record.object)
                .or_insert_with(|| Given::new(&[("id", Text), ("revision", Whole)]))
                .push(arguments![&record.key, revision]);
            revisions.insert(record.clone(), revision.unwrap_or_default());
        }
        for (object, given) in wanted {
            let place = format!("${}", arguments.len() + 1);
            sql.push_str(&format!(
                " OR EXISTS (
                    SELECT 1 FROM {} LEFT JOIN \"{object}\" AS record ON record.id = given.id
                    WHERE record.id IS NULL OR record.revision <> given.revision)",
                given.table(dialect, &place)
            ));
            arguments.push(given.into_argument());
        }
        self.connection.post("look what is so", AssertSqlSafe(sql), arguments).await?;
        Ok(Outlook { in_turn: false, stamp, awaited: HashSet::new(), revisions })
    }
}
