//! The least that the rows of runs can cost: for benchmarks, to compare with.

use serde_json::json;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    Store, StoreError, Tx,
    connection::{arguments, to_json},
};

/// A run's snapshot, a step's entry and a record's image, as long as those of a
/// small workflow.
const SNAPSHOT: usize = 600;
const ENTRY: usize = 120;
const IMAGE: usize = 300;

/// What a run of three steps writes: the event that began it and one for each
/// record that its two steps wrote, and an entry for each step, its beginning
/// and its end.
const EVENTS: usize = 3;
const ENTRIES: usize = 5;

impl Store {
    /// Writes the rows of so many runs of three steps in one transaction, a
    /// statement a table, with nothing decided, checked or read: the floor
    /// under the engine's commits.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn floor_runs(&self, runs: usize) -> Result<(), StoreError> {
        self.write(move |tx| Box::pin(async move { tx.floor_runs(runs).await })).await
    }
}

impl Tx {
    async fn floor_runs(&mut self, runs: usize) -> Result<(), StoreError> {
        let row = self
            .connection
            .row(
                "look for the last run",
                "SELECT COUNT(*) AS found FROM relata_run WHERE workflow = 'floor'",
                arguments![],
            )
            .await?;
        let first = row.map_or(Ok(0), |row| row.count("found"))?;
        let id = |number: u64| Uuid::from_u128((1 << 100) | u128::from(number)).to_string();
        let (snapshot, entry, image) = ("x".repeat(SNAPSHOT), "x".repeat(ENTRY), "x".repeat(IMAGE));
        let numbers = || (0..runs as u64).map(|number| first + number);

        let rows: Vec<_> = numbers().map(|number| json!({ "id": id(number) })).collect();
        let rows = to_json(&rows)?;
        let given = self.dialect().given("$1", &["id"]);
        let sql = format!(
            "INSERT INTO relata_run (id, workflow, version, status, due_at, priority, seq, epoch,
                 crash_count, started_at, snapshot, event_id)
             SELECT given.id, 'floor', 'v1', 'active', NULL, 1, 1, 1, 0, 0, $2, given.id FROM {given}"
        );
        self.floor("begin runs", sql, arguments![&rows, &snapshot]).await?;

        let events: Vec<_> = numbers()
            .flat_map(|number| (0..EVENTS).map(move |event| (number, event)))
            .map(|(number, event)| {
                json!({ "id": format!("{}.{event}", id(number)), "run_id": id(number) })
            })
            .collect();
        let sql = format!(
            "INSERT INTO relata_event (id, at, kind, object, record, before_image, after_image, actor,
                 run_id, workflow, depth, pending)
             SELECT given.id, 0, 'changed', 'floor', given.run_id, $2, $2, 'floor', given.run_id,
                 'floor', 0, 0 FROM {}",
            self.dialect().given("$1", &["id", "run_id"])
        );
        self.floor("write events", sql, arguments![to_json(&events)?, &image]).await?;

        let entries: Vec<_> = numbers()
            .flat_map(|number| (0..ENTRIES).map(move |entry| (number, entry)))
            .map(|(number, entry)| json!({ "run_id": id(number), "seq": entry.to_string() }))
            .collect();
        let sql = format!(
            "INSERT INTO relata_step_log (run_id, seq, step, label, attempt, kind, output, explanation,
                 at, cpu_us, wait_ms)
             SELECT given.run_id, CAST(given.seq AS BIGINT), 'steps[0]', 'do: crm.update', 1, 'done',
                 $2, $2, 0, 0, 0 FROM {}",
            self.dialect().given("$1", &["run_id", "seq"])
        );
        self.floor("write steps", sql, arguments![to_json(&entries)?, &entry]).await?;

        // The two writes of its record, here the same row as the run's: what
        // a table of a company has beside it, its indexes, is not the floor.
        for (seq, status) in [(2, "active"), (3, "ended")] {
            let sql = format!(
                "UPDATE relata_run SET seq = $3, status = $4, snapshot = $2
                 WHERE id IN (SELECT given.id FROM {given})"
            );
            self.floor(
                "go on with runs",
                sql,
                arguments![&rows, &snapshot, i64::from(seq), status],
            )
            .await?;
        }
        Ok(())
    }

    async fn floor(
        &mut self,
        doing: &'static str,
        sql: String,
        arguments: Vec<crate::connection::Argument>,
    ) -> Result<(), StoreError> {
        self.connection.execute(doing, AssertSqlSafe(sql), arguments).await?;
        Ok(())
    }
}
