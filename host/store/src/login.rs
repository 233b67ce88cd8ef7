//! How users prove who they are: passwords, sessions, and what was refused.
//! No secret is here, only hashes.

use relata_model::Timestamp;

use crate::{
    Store, StoreError, Tx,
    connection::{Conditions, Row, arguments},
};

/// How a user logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRow {
    /// The id of the user's record.
    pub user: String,
    /// The hash of the password, as a PHC string; none: it was never set.
    pub password: Option<String>,
    /// Whether somebody else gave it.
    pub must_change: bool,
    /// The key of one-time codes, base32; none: none is asked.
    pub totp: Option<String>,
    /// The step of the code that was used last.
    pub totp_step: Option<i64>,
    /// How often in a row it went wrong.
    pub failures: u32,
    /// Until when nobody is let in.
    pub locked_until: Option<Timestamp>,
    /// When the password or the codes changed last; sessions that are older
    /// are over.
    pub changed_at: Timestamp,
    /// When the user logged in last.
    pub logged_in_at: Option<Timestamp>,
}

/// A session that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// The id of the user's record.
    pub user: String,
    /// Since when.
    pub created_at: Timestamp,
    /// When it was used last, to the minute or so.
    pub seen_at: Timestamp,
    /// When it is over, whatever happens.
    pub expires_at: Timestamp,
    /// Whether the user's password was given by somebody else; not looked at
    /// where a session begins.
    pub must_change: bool,
}

/// Something that somebody did or was refused, other than a change of a
/// record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// In the order of time; where a page ends.
    pub id: String,
    /// The first time within its minute.
    pub at: Timestamp,
    /// Who: `user/…`, `token/…`.
    pub actor: String,
    /// What: `see`, `change`, `log_in`.
    pub act: String,
    /// With what: a record, an object, an area.
    pub target: String,
    /// `done` or `refused`.
    pub outcome: String,
    /// In words.
    pub why: String,
    /// How often within its minute.
    pub times: u64,
}

/// Which entries of the audit are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Only of this one.
    pub actor: Option<String>,
    /// Only `done` or `refused`.
    pub outcome: Option<String>,
    /// Only from then on.
    pub since: Option<Timestamp>,
    /// Where the page before ended: the id of its last entry.
    pub after: Option<String>,
}

impl Store {
    /// How a user logs in; none where they cannot.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn login(&self, user: &str) -> Result<Option<LoginRow>, StoreError> {
        self.read().await?.login(user).await
    }

    /// All who can log in.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn login_list(&self) -> Result<Vec<LoginRow>, StoreError> {
        let mut tx = self.read().await?;
        let rows = tx
            .connection
            .rows("list logins", "SELECT * FROM relata_login ORDER BY user_id", arguments![])
            .await?;
        rows.iter().map(login_of).collect()
    }

    /// The session with this hash of its secret, if it is not over at `now`
    /// nor older than the user's password.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn session(
        &self,
        digest: &str,
        now: Timestamp,
    ) -> Result<Option<SessionRow>, StoreError> {
        let mut tx = self.read().await?;
        let row = tx
            .connection
            .row(
                "look for a session",
                "SELECT s.user_id, s.created_at, s.seen_at, s.expires_at, l.must_change
                 FROM relata_session s
                 JOIN relata_login l ON l.user_id = s.user_id
                 WHERE s.digest = $1 AND s.expires_at > $2 AND s.created_at >= l.changed_at",
                arguments![digest, now],
            )
            .await?;
        row.map(|row| {
            Ok(SessionRow {
                user: row.text("user_id")?,
                created_at: row.time("created_at")?,
                seen_at: row.time("seen_at")?,
                expires_at: row.time("expires_at")?,
                must_change: row.whole("must_change")? != 0,
            })
        })
        .transpose()
    }

    /// What was done and refused, the newest first.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn audit_list(
        &self,
        filter: &AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let mut conditions = Conditions::default();
        if let Some(actor) = &filter.actor {
            conditions.and("actor = ?", actor);
        }
        if let Some(outcome) = &filter.outcome {
            conditions.and("outcome = ?", outcome);
        }
        if let Some(since) = filter.since {
            conditions.and("at >= ?", since);
        }
        if let Some(after) = &filter.after {
            conditions.and("id < ?", after);
        }
        let (sql, arguments) =
            conditions.finish("SELECT * FROM relata_audit", "ORDER BY id DESC", limit);
        let mut tx = self.read().await?;
        let rows = tx.connection.rows("read the audit", sql, arguments).await?;
        rows.iter().map(audit_of).collect()
    }
}

impl Tx {
    /// As [`Store::login`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn login(&mut self, user: &str) -> Result<Option<LoginRow>, StoreError> {
        let row = self
            .connection
            .row(
                "look for a login",
                "SELECT * FROM relata_login WHERE user_id = $1",
                arguments![user],
            )
            .await?;
        row.map(|row| login_of(&row)).transpose()
    }

    /// Gives a user a password, by its hash. All sessions that began before
    /// `now` are over, and nobody is locked out any more.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn password_put(
        &mut self,
        user: &str,
        hash: &str,
        must_change: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.connection
            .execute(
                "keep a password",
                "INSERT INTO relata_login (user_id, password, must_change, failures, changed_at)
                 VALUES ($1, $2, $3, 0, $4)
                 ON CONFLICT (user_id) DO UPDATE SET password = excluded.password,
                     must_change = excluded.must_change, changed_at = excluded.changed_at,
                     failures = 0, locked_until = NULL",
                arguments![user, hash, i64::from(must_change), now],
            )
            .await?;
        Ok(())
    }

    /// Gives a user the key of one-time codes, or takes it away;
    /// false where they have no login. `step` is that of a code that was
    /// shown already. All sessions that began before `now` are over.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn totp_put(
        &mut self,
        user: &str,
        key: Option<&str>,
        step: Option<i64>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let kept = self
            .connection
            .execute(
                "keep the key of one-time codes",
                "UPDATE relata_login SET totp = $2, totp_step = $3, changed_at = $4
                 WHERE user_id = $1",
                arguments![user, key.map(str::to_owned), step, now],
            )
            .await?;
        Ok(kept > 0)
    }

    /// Counts an attempt before it is judged, unless nobody is let in until
    /// later; so that attempts at the same time count, too. False where it
    /// must not be judged.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn login_try(
        &mut self,
        user: &str,
        now: Timestamp,
        locked_until: Option<Timestamp>,
        failures: u32,
    ) -> Result<bool, StoreError> {
        let counted = self
            .connection
            .execute(
                "count an attempt to log in",
                "UPDATE relata_login SET failures = failures + 1, locked_until = $3
                 WHERE user_id = $1 AND failures = $4
                   AND (locked_until IS NULL OR locked_until <= $2)",
                arguments![user, now, locked_until, i64::from(failures)],
            )
            .await?;
        Ok(counted > 0)
    }

    /// The attempt that was counted after so many failures does not count.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn login_forgive(&mut self, user: &str, failures: u32) -> Result<(), StoreError> {
        self.connection
            .execute(
                "take an attempt back",
                "UPDATE relata_login SET failures = $2, locked_until = NULL
                 WHERE user_id = $1 AND failures = $2 + 1",
                arguments![user, i64::from(failures)],
            )
            .await?;
        Ok(())
    }

    /// A user has proved who they are, perhaps by the code of this step:
    /// false where that code was used already.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn login_succeeded(
        &mut self,
        user: &str,
        step: Option<i64>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let noted = self
            .connection
            .execute(
                "note a login",
                "UPDATE relata_login SET failures = 0, locked_until = NULL, logged_in_at = $2,
                     totp_step = COALESCE($3, totp_step)
                 WHERE user_id = $1 AND ($3 IS NULL OR totp_step IS NULL OR totp_step < $3)",
                arguments![user, now, step],
            )
            .await?;
        Ok(noted > 0)
    }

    /// Begins a session, by the hash of its secret, and forgets those that
    /// are over.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn session_insert(
        &mut self,
        digest: &str,
        session: &SessionRow,
    ) -> Result<(), StoreError> {
        self.connection
            .execute(
                "forget sessions that are over",
                "DELETE FROM relata_session WHERE expires_at <= $1",
                arguments![session.created_at],
            )
            .await?;
        self.connection
            .execute(
                "begin a session",
                "INSERT INTO relata_session (digest, user_id, created_at, seen_at, expires_at)
                 VALUES ($1, $2, $3, $4, $5)",
                arguments![
                    digest,
                    &session.user,
                    session.created_at,
                    session.seen_at,
                    session.expires_at
                ],
            )
            .await?;
        Ok(())
    }

    /// Notes when a session was used last.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn session_seen(&mut self, digest: &str, now: Timestamp) -> Result<(), StoreError> {
        self.connection
            .execute(
                "note the use of a session",
                "UPDATE relata_session SET seen_at = $2 WHERE digest = $1 AND seen_at < $2",
                arguments![digest, now],
            )
            .await?;
        Ok(())
    }

    /// Ends a session.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn session_delete(&mut self, digest: &str) -> Result<(), StoreError> {
        self.connection
            .execute(
                "end a session",
                "DELETE FROM relata_session WHERE digest = $1",
                arguments![digest],
            )
            .await?;
        Ok(())
    }

    /// Ends all sessions of a user; how many there were.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn sessions_delete(&mut self, user: &str) -> Result<u64, StoreError> {
        self.connection
            .execute(
                "end a user's sessions",
                "DELETE FROM relata_session WHERE user_id = $1",
                arguments![user],
            )
            .await
    }

    /// Notes what somebody did or was refused; the same again within a minute
    /// is counted. `row.times` is not looked at.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn audit_note(&mut self, row: &AuditRow) -> Result<(), StoreError> {
        self.connection
            .execute(
                "note what was done or refused",
                "INSERT INTO relata_audit (id, minute, at, actor, act, target, outcome, why, times)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1)
                 ON CONFLICT (minute, actor, act, target, outcome)
                 DO UPDATE SET times = relata_audit.times + 1, why = excluded.why",
                arguments![
                    &row.id,
                    row.at.as_second().div_euclid(60),
                    row.at,
                    &row.actor,
                    &row.act,
                    &row.target,
                    &row.outcome,
                    &row.why
                ],
            )
            .await?;
        Ok(())
    }

    /// Forgets what was noted before a time, some at once; how much.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn audit_clean(&mut self, before: Timestamp, most: u32) -> Result<u64, StoreError> {
        self.connection
            .execute(
                "forget old entries of the audit",
                "DELETE FROM relata_audit WHERE id IN
                     (SELECT id FROM relata_audit WHERE at < $1 ORDER BY id LIMIT $2)",
                arguments![before, i64::from(most)],
            )
            .await
    }
}

fn login_of(row: &Row) -> Result<LoginRow, StoreError> {
    Ok(LoginRow {
        user: row.text("user_id")?,
        password: row.text_or_none("password")?,
        must_change: row.whole("must_change")? != 0,
        totp: row.text_or_none("totp")?,
        totp_step: row.whole_or_none("totp_step")?,
        failures: row.small("failures")?,
        locked_until: row.time_or_none("locked_until")?,
        changed_at: row.time("changed_at")?,
        logged_in_at: row.time_or_none("logged_in_at")?,
    })
}

fn audit_of(row: &Row) -> Result<AuditRow, StoreError> {
    Ok(AuditRow {
        id: row.text("id")?,
        at: row.time("at")?,
        actor: row.text("actor")?,
        act: row.text("act")?,
        target: row.text("target")?,
        outcome: row.text("outcome")?,
        why: row.text("why")?,
        times: row.count("times")?,
    })
}
