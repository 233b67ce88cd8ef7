//! What one host at a time does for all that share a database, who is at work
//! on it, and the lanes in which one step at a time is.

use relata_model::Timestamp;

use crate::{Store, StoreError, Tx, connection::arguments};

/// What stands before the name of a host that is at work.
const AT_WORK: &str = "at work: ";

/// What says when a host last went down. It is nobody's.
const WENT_DOWN: &str = "went down";

/// A step's turn in a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The lane's key.
    pub lane: String,
    /// The number of the turn; each has another one.
    pub number: u64,
}

impl Store {
    /// Takes a duty, or keeps it, until a time; false where another host has
    /// it.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn duty_take(
        &self,
        name: &'static str,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let owner = owner.to_owned();
        self.write(move |tx| Box::pin(async move { tx.duty_take(name, &owner, now, until).await }))
            .await
    }

    /// Gives up all duties of a host, for others to take at once.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn duty_leave(&self, owner: &str) -> Result<(), StoreError> {
        let owner = owner.to_owned();
        self.write(move |tx| Box::pin(async move { tx.duty_leave(&owner).await })).await
    }

    /// Says that a host is at work until a time, unless it gives up its duties
    /// before that. Answers when one last went down without doing so. With `alone`
    /// no other host can be at work, whatever it has said.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn host_at_work(
        &self,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
        alone: bool,
    ) -> Result<Option<Timestamp>, StoreError> {
        let owner = owner.to_owned();
        self.write(move |tx| {
            Box::pin(async move { tx.host_at_work(&owner, now, until, alone).await })
        })
        .await
    }

    /// Takes the next turn in a lane until a time; none while somebody is in
    /// it.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn lane_enter(
        &self,
        lane: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Turn>, StoreError> {
        // To try it locks the lane until the commit, and whoever is inside could not
        // leave so long.
        let sql =
            "SELECT turn FROM relata_lane WHERE lane = $1 AND holder IS NOT NULL AND until > $2";
        let mut tx = self.read().await?;
        if tx.connection.row("look at a lane", sql, arguments![lane, now]).await?.is_some() {
            return Ok(None);
        }
        drop(tx);
        let (lane, holder) = (lane.to_owned(), holder.to_owned());
        self.write(move |tx| {
            Box::pin(async move { tx.lane_enter(&lane, &holder, now, until).await })
        })
        .await
    }
}

impl Tx {
    /// As [`Store::duty_take`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn duty_take(
        &mut self,
        name: &str,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let touched = self
            .connection
            .execute(
                "take a duty",
                "INSERT INTO relata_duty AS present (name, owner, until) VALUES ($1, $2, $3)
                 ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
                 WHERE present.owner = excluded.owner OR present.until <= $4",
                arguments![name, owner, until, now],
            )
            .await?;
        Ok(touched > 0)
    }

    /// As [`Store::duty_leave`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn duty_leave(&mut self, owner: &str) -> Result<(), StoreError> {
        self.connection
            .execute(
                "give up duties",
                "DELETE FROM relata_duty WHERE owner = $1",
                arguments![owner],
            )
            .await?;
        Ok(())
    }

    /// As [`Store::host_at_work`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn host_at_work(
        &mut self,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
        alone: bool,
    ) -> Result<Option<Timestamp>, StoreError> {
        let over = if alone { Timestamp::MAX } else { now };
        let gone = self
            .connection
            .execute(
                "look for hosts that went down",
                "DELETE FROM relata_duty WHERE name LIKE $1 AND owner <> $2 AND until <= $3",
                arguments![format!("{AT_WORK}%"), owner, over],
            )
            .await?;
        if gone > 0 {
            self.duty_take(WENT_DOWN, "", now, now).await?;
        }
        self.duty_take(&format!("{AT_WORK}{owner}"), owner, now, until).await?;
        let row = self
            .connection
            .row(
                "look when a host went down",
                "SELECT until FROM relata_duty WHERE name = $1",
                arguments![WENT_DOWN],
            )
            .await?;
        row.map(|row| row.time("until")).transpose()
    }

    /// As [`Store::lane_enter`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn lane_enter(
        &mut self,
        lane: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Turn>, StoreError> {
        let row = self
            .connection
            .row(
                "enter a lane",
                "INSERT INTO relata_lane AS present (lane, turn, holder, until) VALUES ($1, 1, $2, $3)
                 ON CONFLICT (lane) DO UPDATE
                 SET turn = present.turn + 1, holder = excluded.holder, until = excluded.until
                 WHERE present.holder IS NULL OR present.until <= $4
                 RETURNING turn",
                arguments![lane, holder, until, now],
            )
            .await?;
        row.map(|row| Ok(Turn { lane: lane.to_owned(), number: row.count("turn")? })).transpose()
    }

    /// Keeps a turn in a lane; false where it is somebody else's turn by now.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn lane_renew(&mut self, turn: &Turn, until: Timestamp) -> Result<bool, StoreError> {
        let touched = self
            .connection
            .execute(
                "keep a lane",
                "UPDATE relata_lane SET until = $3
                 WHERE lane = $1 AND turn = $2 AND holder IS NOT NULL",
                arguments![&turn.lane, turn.number, until],
            )
            .await?;
        Ok(touched > 0)
    }

    /// Ends a turn in a lane; false where it is somebody else's turn by now,
    /// and then nothing that was done in it may be kept.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn lane_leave(&mut self, turn: &Turn) -> Result<bool, StoreError> {
        let touched = self
            .connection
            .execute(
                "leave a lane",
                "UPDATE relata_lane SET holder = NULL, until = NULL
                 WHERE lane = $1 AND turn = $2 AND holder IS NOT NULL",
                arguments![&turn.lane, turn.number],
            )
            .await?;
        Ok(touched > 0)
    }
}
