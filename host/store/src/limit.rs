//! Limits: how much is at work at once, and how fast it begins, on all hosts
//! together.
//!
//! A run *enters* the limits of a call before it makes it, and *leaves* them
//! with the commit of the step. Whoever finds no place waits in line, and gets
//! the place of whoever leaves; whoever is too early gets a turn of its own, at
//! a time. Who enters or leaves holds the limit's row until its transaction
//! ends, so that nobody falls asleep beside a place that has just become free.

use relata_model::{RunId, Timestamp};

use crate::{
    Store, StoreError, Tx,
    connection::{Row, arguments},
    wake::Part,
};

/// A limit, as a call meets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What it counts together: `action enrich.company`. Limits are entered in
    /// the order of their keys, so that no two runs wait for each other.
    pub key: String,
    /// So many may be at work at once.
    pub at_once: Option<u32>,
    /// How far apart they begin at the least, in milliseconds.
    pub apart_ms: Option<u64>,
    /// Whether a run begins once, with its first call, or with each of them.
    pub once: bool,
}

/// Whether a run may make a call now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    /// It may.
    Now,
    /// From a time on; nobody else has that turn.
    At(Timestamp),
    /// It is in line for a place, and is due when it has one.
    InLine,
}

/// A limit as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitRow {
    /// Its key.
    pub key: String,
    /// How many are at work.
    pub working: u64,
    /// How many may be; none where only the pace is limited.
    pub most: Option<u64>,
    /// How many wait for a place.
    pub in_line: u64,
    /// Since when the first of these does.
    pub waits_since: Option<Timestamp>,
    /// How many have a turn that has not come yet.
    pub to_come: u64,
    /// The last of these turns.
    pub last_turn: Option<Timestamp>,
}

impl Store {
    /// All limits under which somebody works or for which somebody waits, by
    /// key.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn limit_list(&self, now: Timestamp) -> Result<Vec<LimitRow>, StoreError> {
        let rows = self
            .read()
            .await?
            .connection
            .rows(
                "list limits",
                "SELECT known.limit_key,
                     COALESCE(place.working, 0) AS working, place.most,
                     COALESCE(place.in_line, 0) AS in_line, place.waits_since,
                     COALESCE(turn.to_come, 0) AS to_come, turn.last_at
                 FROM relata_limit AS known
                 LEFT JOIN (SELECT limit_key, SUM(CASE WHEN works = 1 THEN 1 ELSE 0 END) AS working,
                                MAX(most) AS most,
                                SUM(CASE WHEN works = 0 THEN 1 ELSE 0 END) AS in_line,
                                MIN(CASE WHEN works = 0 THEN since END) AS waits_since
                            FROM relata_limit_place WHERE until IS NULL OR until > $1
                            GROUP BY limit_key) AS place ON place.limit_key = known.limit_key
                 LEFT JOIN (SELECT limit_key, COUNT(*) AS to_come, MAX(at) AS last_at
                            FROM relata_limit_turn WHERE at > $1
                            GROUP BY limit_key) AS turn ON turn.limit_key = known.limit_key
                 WHERE place.limit_key IS NOT NULL OR turn.limit_key IS NOT NULL
                 ORDER BY known.limit_key",
                arguments![now],
            )
            .await?;
        rows.iter().map(read).collect()
    }

    /// What a run waits for in limits: the key, and its turn where it has one.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn limit_of_run(
        &self,
        run: RunId,
        now: Timestamp,
    ) -> Result<Option<(String, Option<Timestamp>)>, StoreError> {
        let row = self
            .read()
            .await?
            .connection
            .row(
                "look for what holds a run up",
                "SELECT limit_key, CAST(NULL AS BIGINT) AS at FROM relata_limit_place WHERE run_id = $1 AND works = 0
                 UNION ALL
                 SELECT limit_key, at FROM relata_limit_turn WHERE run_id = $1 AND at > $2
                 LIMIT 1",
                arguments![run, now],
            )
            .await?;
        row.map(|row| Ok((row.text("limit_key")?, row.time_or_none("at")?))).transpose()
    }
}

impl Tx {
    /// Enters the limits of a call, one after another up to the first that
    /// holds it up. Places last until `until`; those that it has while it is
    /// held up last until it leaves.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn limits_enter(
        &mut self,
        run: RunId,
        limits: &[Limit],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Entered, StoreError> {
        let mut in_order: Vec<&Limit> = limits.iter().collect();
        in_order.sort_by(|a, b| a.key.cmp(&b.key));
        let mut entered = Entered::Now;
        for limit in in_order {
            let next_at = self.limit_lock(&limit.key).await?;
            if let Some(apart_ms) = limit.apart_ms {
                let at = self.limit_turn(run, limit, apart_ms, next_at, now).await?;
                if at > now {
                    entered = Entered::At(at);
                    break;
                }
            }
            if let Some(most) = limit.at_once
                && !self.limit_place(run, &limit.key, most, now, until).await?
            {
                entered = Entered::InLine;
                break;
            }
        }
        if entered != Entered::Now {
            self.connection
                .execute(
                    "keep places of a run that waits",
                    "UPDATE relata_limit_place SET until = NULL WHERE run_id = $1 AND works = 1",
                    arguments![run],
                )
                .await?;
        }
        Ok(entered)
    }

    /// Keeps the places of a run that is at work.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn limits_renew(&mut self, run: RunId, until: Timestamp) -> Result<(), StoreError> {
        self.connection
            .execute(
                "keep places",
                "UPDATE relata_limit_place SET until = $2 WHERE run_id = $1 AND works = 1",
                arguments![run, until],
            )
            .await?;
        Ok(())
    }

    /// Leaves all limits after a call, or at the end of a run: the places go
    /// to the first in line, until `until`.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn limits_leave(
        &mut self,
        run: RunId,
        has_ended: bool,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let rows = self
            .connection
            .rows(
                "look for the places of a run",
                "SELECT limit_key FROM relata_limit_place WHERE run_id = $1 ORDER BY limit_key",
                arguments![run],
            )
            .await?;
        for row in rows {
            let key = row.text("limit_key")?;
            self.limit_lock(&key).await?;
            let left = self
                .connection
                .row(
                    "leave a limit",
                    "DELETE FROM relata_limit_place WHERE limit_key = $1 AND run_id = $2
                     RETURNING works",
                    arguments![&key, run],
                )
                .await?;
            if left.map(|row| row.whole("works")).transpose()? == Some(1) {
                self.limit_let_in(&key, 1, now, until).await?;
            }
        }
        self.connection
            .execute(
                "end turns",
                "DELETE FROM relata_limit_turn WHERE run_id = $1 AND (once = 0 OR $2 = 1)",
                arguments![run, has_ended],
            )
            .await?;
        Ok(())
    }

    /// Wakes a run that falls asleep in line, where it has got its place
    /// meanwhile: whoever gave it one could not, as long as somebody had the
    /// run. In the transaction in which the run is given back.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn limits_fall_asleep(
        &mut self,
        run: RunId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // The one in which it is last in line is the greatest of its keys.
        let row = self
            .connection
            .row(
                "look for the line of a run",
                "SELECT limit_key FROM relata_limit_place WHERE run_id = $1
                 ORDER BY limit_key DESC LIMIT 1",
                arguments![run],
            )
            .await?;
        let Some(row) = row else { return Ok(()) };
        let key = row.text("limit_key")?;
        self.limit_lock(&key).await?;
        let row = self
            .connection
            .row(
                "look whether a run has a place",
                "SELECT works FROM relata_limit_place WHERE limit_key = $1 AND run_id = $2",
                arguments![key, run],
            )
            .await?;
        if row.map(|row| row.whole("works")).transpose()? != Some(0) {
            self.limit_wake(&run.to_string(), now).await?;
        }
        Ok(())
    }

    /// Gives away the places that are free: those of hosts that are gone, and
    /// those of a limit that was raised; and forgets limits that nobody is under.
    /// Answers how many runs got one.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn limits_sweep(
        &mut self,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<u64, StoreError> {
        let rows = self
            .connection
            .rows(
                "look for lines",
                "SELECT limit_key FROM relata_limit_place GROUP BY limit_key
                 HAVING SUM(CASE WHEN works = 1 AND until <= $1 THEN 1 ELSE 0 END) > 0
                     OR (SUM(CASE WHEN works = 0 THEN 1 ELSE 0 END) > 0
                         AND SUM(CASE WHEN works = 1 THEN 1 ELSE 0 END) < MAX(most))
                 ORDER BY limit_key",
                arguments![now],
            )
            .await?;
        let mut got = 0;
        for row in rows {
            let key = row.text("limit_key")?;
            self.limit_lock(&key).await?;
            self.connection
                .execute(
                    "free places that nobody kept",
                    "DELETE FROM relata_limit_place
                     WHERE limit_key = $1 AND works = 1 AND until <= $2",
                    arguments![&key, now],
                )
                .await?;
            let row = self
                .connection
                .row(
                    "count places",
                    "SELECT COALESCE(SUM(CASE WHEN works = 1 THEN 1 ELSE 0 END), 0) AS working,
                         COALESCE(MAX(most), 0) AS most
                     FROM relata_limit_place WHERE limit_key = $1",
                    arguments![&key],
                )
                .await?;
            let Some(row) = row else { continue };
            let free = row.count("most")?.saturating_sub(row.count("working")?);
            got += self.limit_let_in(&key, free, now, until).await?;
        }
        // Each value of a `per` has a row; those that nobody needs go. Where
        // somebody enters just now, the row is there again with them.
        self.connection
            .execute(
                "forget limits",
                "DELETE FROM relata_limit WHERE next_at <= $1
                   AND NOT EXISTS (SELECT 1 FROM relata_limit_place AS place
                                   WHERE place.limit_key = relata_limit.limit_key)
                   AND NOT EXISTS (SELECT 1 FROM relata_limit_turn AS turn
                                   WHERE turn.limit_key = relata_limit.limit_key)",
                arguments![now],
            )
            .await?;
        Ok(got)
    }

    /// How many limits are remembered.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn limit_rows(&mut self) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) AS found FROM relata_limit";
        let row = self.connection.row("count limits", sql, arguments![]).await?;
        row.map_or(Ok(0), |row| row.count("found"))
    }

    /// Holds a limit's row until the transaction ends; from when the next may
    /// begin, in milliseconds.
    async fn limit_lock(&mut self, key: &str) -> Result<Timestamp, StoreError> {
        let row = self
            .connection
            .row(
                "hold a limit",
                "INSERT INTO relata_limit (limit_key, next_at) VALUES ($1, 0)
                 ON CONFLICT (limit_key) DO UPDATE SET limit_key = excluded.limit_key
                 RETURNING next_at",
                arguments![key],
            )
            .await?;
        row.map_or(Ok(Timestamp::UNIX_EPOCH), |row| row.time("next_at"))
    }

    /// The turn of a run: the one that it has, or the next.
    async fn limit_turn(
        &mut self,
        run: RunId,
        limit: &Limit,
        apart_ms: u64,
        next_at: Timestamp,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        let has = self
            .connection
            .row(
                "look for a turn",
                "SELECT at FROM relata_limit_turn WHERE limit_key = $1 AND run_id = $2",
                arguments![&limit.key, run],
            )
            .await?;
        if let Some(row) = has {
            return row.time("at");
        }
        let at = next_at.max(now);
        let apart_ms = i64::try_from(apart_ms).unwrap_or(i64::MAX);
        self.connection
            .execute(
                "take a turn",
                "INSERT INTO relata_limit_turn (limit_key, run_id, at, once) VALUES ($1, $2, $3, $4)",
                arguments![&limit.key, run, at, limit.once],
            )
            .await?;
        self.connection
            .execute(
                "put off the next turn",
                "UPDATE relata_limit SET next_at = $2 WHERE limit_key = $1",
                arguments![&limit.key, at.as_millisecond().saturating_add(apart_ms)],
            )
            .await?;
        Ok(at)
    }

    /// Whether a run has a place, or gets one that is free and for which nobody
    /// waits longer; else it is in line.
    async fn limit_place(
        &mut self,
        run: RunId,
        key: &str,
        most: u32,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let row = self
            .connection
            .row(
                "look for a place",
                "SELECT COALESCE(SUM(CASE WHEN works = 1 AND run_id = $2 THEN 1 ELSE 0 END), 0) AS mine,
                     COALESCE(SUM(CASE WHEN works = 1 AND (until IS NULL OR until > $3) THEN 1 ELSE 0 END), 0)
                         AS working,
                     COALESCE(SUM(CASE WHEN works = 0 AND run_id <> $2 THEN 1 ELSE 0 END), 0) AS others
                 FROM relata_limit_place WHERE limit_key = $1",
                arguments![key, run, now],
            )
            .await?;
        let Some(row) = row else { return Ok(false) };
        // Who waits is let in by whoever leaves, and by the sweep.
        let has = row.count("mine")? > 0;
        let works = has || (row.count("others")? == 0 && row.count("working")? < u64::from(most));
        self.connection
            .execute(
                "take a place, or stand in line",
                "INSERT INTO relata_limit_place (limit_key, run_id, works, since, until, most)
                 VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (limit_key, run_id) DO UPDATE
                 SET works = excluded.works, until = excluded.until, most = excluded.most",
                arguments![key, run, works, now, works.then_some(until), most],
            )
            .await?;
        Ok(works)
    }

    /// Lets in the first in line, and makes them due. Who is just falling
    /// asleep looks for itself.
    async fn limit_let_in(
        &mut self,
        key: &str,
        most: u64,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<u64, StoreError> {
        if most == 0 {
            return Ok(0);
        }
        let rows = self
            .connection
            .rows(
                "let in the first in line",
                "UPDATE relata_limit_place SET works = 1, until = $3
                 WHERE limit_key = $1 AND run_id IN (
                     SELECT run_id FROM relata_limit_place WHERE limit_key = $1 AND works = 0
                     ORDER BY since, run_id LIMIT $2)
                 RETURNING run_id",
                arguments![key, most, until],
            )
            .await?;
        for row in &rows {
            self.limit_wake(&row.text("run_id")?, now).await?;
        }
        Ok(rows.len() as u64)
    }

    /// Makes a run due that nobody has.
    async fn limit_wake(&mut self, run: &str, now: Timestamp) -> Result<(), StoreError> {
        self.connection
            .execute(
                "wake the first in line",
                "UPDATE relata_run SET due_at = $2
                 WHERE id = $1 AND status = 'active' AND lease_owner IS NULL
                   AND (due_at IS NULL OR due_at > $2)",
                arguments![run, now],
            )
            .await?;
        self.stir(Part::Runs);
        Ok(())
    }
}

fn read(row: &Row) -> Result<LimitRow, StoreError> {
    Ok(LimitRow {
        key: row.text("limit_key")?,
        working: row.count("working")?,
        most: row.whole_or_none("most")?.and_then(|most| u64::try_from(most).ok()),
        in_line: row.count("in_line")?,
        waits_since: row.time_or_none("waits_since")?,
        to_come: row.count("to_come")?,
        last_turn: row.time_or_none("last_at")?,
    })
}
