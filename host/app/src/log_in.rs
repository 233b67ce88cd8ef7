//! Users log in: a password, perhaps a one-time code (RFC 6238), and from then
//! on a session. Kept are only hashes; what was refused is noted.

use std::sync::LazyLock;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use relata_model::{Record, Reference, Timestamp, Value, text};
use relata_store::{Condition, LoginRow, Query, SessionRow};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use totp_rs::{Builder, Totp};

use crate::{App, AppError, Pace, Secret, Viewer, activation::hex, fresh, runner::later, visitors};

/// The shortest password, characters: more than NIST SP 800-63B asks of one
/// that may stand beside a one-time code.
const SHORTEST: usize = 10;

/// The longest; hashing takes no longer for it.
const LONGEST: usize = 256;

/// After so many failures in a row nobody is let in for a while.
const FREE_FAILURES: u32 = 4;

/// The longest such while, seconds.
const LONGEST_LOCK_S: u64 = 900;

/// How long a session lasts without being used, and in all.
const IDLE_HOURS: i64 = 12;
const WHOLE_HOURS: i64 = 7 * 24;

/// How far the time of the last use may be off.
const SEEN_EVERY_MS: i64 = 60_000;

/// Passwords that are hashed at once: each takes 19 MiB and a core.
const AT_ONCE: usize = 2;

/// Who waits for that at the most; more are told to come again.
const WAITING: usize = 32;

static HASHING: Semaphore = Semaphore::const_new(AT_ONCE);
static LINE: Semaphore = Semaphore::const_new(AT_ONCE + WAITING);

/// Checked where there is no such user, so that the answer takes as long.
static NOBODYS: LazyLock<String> =
    LazyLock::new(|| hash_of("the password of nobody").unwrap_or_default());

/// What somebody proves who they are with.
#[derive(Debug)]
pub struct LogIn {
    /// The user's mail address.
    pub email: String,
    /// The password.
    pub password: Secret,
    /// The code that an authenticator shows, where one is asked.
    pub code: Option<String>,
    /// Where the request came from, for the audit.
    pub address: String,
}

/// A session that has begun.
#[derive(Debug)]
pub struct LoggedIn {
    /// By which the session is known: for a cookie, and nothing else.
    pub secret: Secret,
    /// Whose it is.
    pub viewer: Viewer,
    /// When it is over, whatever happens.
    pub expires_at: Timestamp,
    /// Whether the password was given by somebody else, and must be changed
    /// before anything else.
    pub must_change: bool,
}

/// Why nobody is let in.
#[derive(Debug, thiserror::Error)]
pub enum LogInError {
    /// The address, the password or the code is wrong; which, is not said.
    #[error("the address, the password or the code is wrong")]
    Refused,
    /// The password is right; the code of the authenticator is missing.
    #[error("the code that your authenticator shows is missing")]
    CodeNeeded,
    /// It went wrong too often, or too many log in at once.
    #[error("there were too many attempts; try again in {retry_after} s")]
    TooMany {
        /// In so many seconds.
        retry_after: u64,
    },
    /// A fault of ours.
    #[error(transparent)]
    App(#[from] AppError),
}

/// Who uses a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// The user.
    pub viewer: Viewer,
    /// The user's own record.
    pub me: Record,
    /// Whether they must change their password before anything else.
    pub must_change: bool,
}

/// A user who can log in, or cannot.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct UserView {
    /// The record.
    pub user: String,
    /// What people call them.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Their roles.
    pub roles: Vec<String>,
    /// Whether they work here still.
    pub active: bool,
    /// Whether they have a password.
    pub can_log_in: bool,
    /// Whether a one-time code is asked.
    pub codes: bool,
    /// When they logged in last, RFC 3339.
    pub logged_in_at: Option<String>,
}

/// What an authenticator is set up with.
#[derive(Debug)]
pub struct NewCodes {
    /// The key, as people type it: base32.
    pub key: Secret,
    /// The same as an `otpauth://` address, for a QR code.
    pub address: Secret,
}

impl App {
    /// Lets a user in.
    ///
    /// # Errors
    ///
    /// [`LogInError`] says as much as a stranger may know.
    pub async fn log_in(&self, given: LogIn) -> Result<LoggedIn, LogInError> {
        let busy = |_| LogInError::TooMany { retry_after: 5 };
        let _in_line = LINE.try_acquire().map_err(busy)?;
        if !self.may_try(&given.address) {
            let pause = Pace::OF_LOG_INS.pause.as_secs();
            return Err(LogInError::TooMany { retry_after: pause });
        }
        let user = self.user_by_email(&given.email).await?;
        let login = match &user {
            Some(user) => self.store().login(&user.reference.key).await.map_err(AppError::from)?,
            None => None,
        };
        let (Some(user), Some(login)) = (user, login) else {
            self.verify(None, given.password).await?;
            self.note_refused(&given.address, "log in", "nobody", "no such login").await?;
            return Err(LogInError::Refused);
        };
        let who = user.reference.to_string();
        let now = self.now();
        if let Some(until) = login.locked_until.filter(|until| *until > now) {
            let left = until.duration_since(now).as_secs().unsigned_abs();
            return Err(LogInError::TooMany { retry_after: left.max(1) });
        }
        // Counted before it is judged: attempts at the same time count, too.
        if !self.count_attempt(&login, now).await? {
            return Err(LogInError::TooMany { retry_after: 1 });
        }
        let from = format!("from {}", given.address);
        if !self.verify(login.password.clone(), given.password).await? {
            return Err(self.not_let_in(&who, &from, "the password was wrong").await);
        }
        let Some(viewer) = self.viewer_of_user(&user.reference).await? else {
            return Err(self.not_let_in(&who, &from, "the user is not active any more").await);
        };
        let step = match (&login.totp, &given.code) {
            (None, _) => None,
            (Some(_), None) => {
                self.forgive(&login).await?;
                return Err(LogInError::CodeNeeded);
            }
            (Some(key), Some(code)) => match step_of(key, &viewer, code, now)? {
                Some(step) => Some(step),
                None => return Err(self.not_let_in(&who, &from, "the code was wrong").await),
            },
        };
        let session = SessionRow {
            user: user.reference.key.clone(),
            created_at: now,
            seen_at: now,
            expires_at: hours_later(now, WHOLE_HOURS),
            must_change: login.must_change,
        };
        let expires_at = session.expires_at;
        let secret = new_secret()?;
        let digest = digest_of(&secret);
        let note = self.audit_row(&who, "log in", &from, "done", "");
        let began = self
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    if !tx.login_succeeded(&session.user, step, now).await? {
                        return Ok::<_, relata_store::StoreError>(false);
                    }
                    tx.session_insert(&digest, &session).await?;
                    tx.audit_note(&note).await?;
                    Ok(true)
                })
            })
            .await
            .map_err(AppError::from)?;
        if !began {
            return Err(self.not_let_in(&who, &from, "the code was used before").await);
        }
        Ok(LoggedIn { secret, viewer, expires_at, must_change: login.must_change })
    }

    async fn not_let_in(&self, who: &str, from: &str, why: &str) -> LogInError {
        match self.note_refused(who, "log in", from, why).await {
            Ok(()) => LogInError::Refused,
            Err(why) => LogInError::App(why),
        }
    }

    /// Whether another attempt may come from an address, whomever it is for: a
    /// user's own attempts are counted by the database, for all hosts.
    fn may_try(&self, address: &str) -> bool {
        let Ok(address) = address.parse() else { return true };
        let network = visitors::network(address).to_string();
        self.inner.log_ins.may_send(network.as_bytes(), Pace::OF_LOG_INS, Self::stopwatch())
    }

    /// Counts an attempt; after some in a row nobody is let in for a while,
    /// each time for twice as long.
    async fn count_attempt(&self, login: &LoginRow, now: Timestamp) -> Result<bool, AppError> {
        let (user, failures) = (login.user.clone(), login.failures);
        let locked_until = lock_of(failures + 1).map(|lock| later(now, lock));
        let counted = self.store().write(move |tx| {
            Box::pin(async move { tx.login_try(&user, now, locked_until, failures).await })
        });
        Ok(counted.await?)
    }

    /// The password was right after all: the attempt does not count.
    async fn forgive(&self, login: &LoginRow) -> Result<(), AppError> {
        let (user, failures) = (login.user.clone(), login.failures);
        self.store()
            .write(move |tx| Box::pin(async move { tx.login_forgive(&user, failures).await }))
            .await?;
        Ok(())
    }

    /// Whether this is the password of this hash; false where there is none,
    /// after as long.
    async fn verify(&self, hash: Option<String>, password: Secret) -> Result<bool, AppError> {
        let verify = move || {
            let known = hash.as_ref().unwrap_or(&*NOBODYS);
            let Ok(known) = PasswordHash::new(known) else { return false };
            let given = password.expose().as_bytes();
            Argon2::default().verify_password(given, &known).is_ok() && hash.is_some()
        };
        on_a_thread(verify).await
    }

    /// Who uses a session; none where it is over.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn session(&self, secret: &str) -> Result<Option<Session>, AppError> {
        self.session_at_work(secret, true).await
    }

    /// As [`App::session`], for what a page asks by itself: it keeps nobody
    /// logged in who has gone.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn session_unattended(&self, secret: &str) -> Result<Option<Session>, AppError> {
        self.session_at_work(secret, false).await
    }

    async fn session_at_work(
        &self,
        secret: &str,
        is_used: bool,
    ) -> Result<Option<Session>, AppError> {
        let now = self.now();
        let digest = digest_of(&Secret::new(secret));
        let Some(session) = self.store().session(&digest, now).await? else { return Ok(None) };
        // A rehearsal's clock is moved by days.
        if !self.clock().is_manual() && is_idle(&session, now) {
            return Ok(None);
        }
        if is_used && now.as_millisecond() - session.seen_at.as_millisecond() >= SEEN_EVERY_MS {
            self.store()
                .write(move |tx| Box::pin(async move { tx.session_seen(&digest, now).await }))
                .await?;
        }
        let user = Reference::new("user", &session.user);
        let Some(me) = self.store().record_fetch(&user).await? else { return Ok(None) };
        let viewer = self.viewer_of_record(&me).await?;
        Ok(viewer.map(|viewer| Session { viewer, me, must_change: session.must_change }))
    }

    /// Ends a session.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn log_out(&self, secret: &str) -> Result<(), AppError> {
        let digest = digest_of(&Secret::new(secret));
        self.store()
            .write(move |tx| Box::pin(async move { tx.session_delete(&digest).await }))
            .await?;
        Ok(())
    }

    /// Ends all sessions of a user; how many there were.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn log_out_all(&self, user: &Record, by: &str) -> Result<u64, AppError> {
        let key = user.reference.key.clone();
        let ended = self
            .store()
            .write(move |tx| Box::pin(async move { tx.sessions_delete(&key).await }))
            .await?;
        self.note_done(by, "log out", &user.reference.to_string(), "all sessions").await?;
        Ok(ended)
    }

    /// Sets the own password, by the one that was.
    ///
    /// # Errors
    ///
    /// [`LogInError::Refused`] where that is wrong; [`AppError::Wrong`] says
    /// what the new one lacks.
    pub async fn change_password(
        &self,
        viewer: &Viewer,
        was: Secret,
        new: Secret,
    ) -> Result<(), LogInError> {
        let Some(user) = viewer.user() else { return Err(LogInError::Refused) };
        let user = self.record(user).await?;
        let login = self.store().login(&user.reference.key).await.map_err(AppError::from)?;
        let Some(login) = login else { return Err(LogInError::Refused) };
        let now = self.now();
        if !self.count_attempt(&login, now).await? {
            return Err(LogInError::TooMany { retry_after: 1 });
        }
        if !self.verify(login.password.clone(), was).await? {
            self.note_refused(viewer.actor(), "set a password", "own", "it was wrong").await?;
            return Err(LogInError::Refused);
        }
        self.set_password(&user, new, false, viewer.actor()).await?;
        Ok(())
    }

    /// Gives a user a password; whoever is logged in as them is not any more.
    /// One that somebody else gave must be changed at the next log-in.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] says what it lacks.
    pub async fn set_password(
        &self,
        user: &Record,
        password: Secret,
        must_change: bool,
        by: &str,
    ) -> Result<(), AppError> {
        check_password(password.expose(), user)?;
        let hash = on_a_thread(move || hash_of(password.expose())).await?;
        let hash = hash.ok_or_else(|| AppError::Fault("a password was not hashed".to_owned()))?;
        let now = self.now();
        let key = user.reference.key.clone();
        let note = self.audit_row(by, "set a password", &user.reference.to_string(), "done", "");
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    tx.password_put(&key, &hash, must_change, now).await?;
                    tx.sessions_delete(&key).await?;
                    tx.audit_note(&note).await
                })
            })
            .await?;
        Ok(())
    }

    /// A password that nobody guesses, for the first log-in.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the machine gives no random numbers.
    pub fn draw_password(&self) -> Result<Secret, AppError> {
        let secret = new_secret()?;
        Ok(Secret::new(secret.expose().chars().take(20).collect::<String>()))
    }

    /// Draws what an authenticator is set up with. Nothing is asked until
    /// [`App::use_codes`] has seen a code of it.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the machine gives no random numbers.
    pub fn draw_codes(&self, user: &Record) -> Result<NewCodes, AppError> {
        let bytes = fresh::secret()?;
        let key = totp_rs::Secret::from(&bytes[..20]).to_base32();
        let email = user.field("email").as_text().unwrap_or_default();
        let totp = codes_of(&key, email, &self.config().company)?;
        let address = totp.to_url().map_err(|why| AppError::Fault(format!("codes: {why}")))?;
        Ok(NewCodes { key: Secret::new(key), address: Secret::new(address) })
    }

    /// From now on a code of this key is asked, of which one is shown.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where it is not one of the key's, or the user has
    /// no password.
    pub async fn use_codes(
        &self,
        user: &Record,
        key: Secret,
        code: &str,
        by: &str,
    ) -> Result<(), AppError> {
        let now = self.now();
        let email = user.field("email").as_text().unwrap_or_default();
        let totp = codes_of(key.expose(), email, &self.config().company)?;
        let step = check_code(&totp, code, now).ok_or_else(|| {
            AppError::wrong("the code is none of this key; is the clock of the device right?")
        })?;
        self.put_codes(user, Some((key, step)), by).await
    }

    /// No code is asked any more.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where the user has no login.
    pub async fn drop_codes(&self, user: &Record, by: &str) -> Result<(), AppError> {
        self.put_codes(user, None, by).await
    }

    async fn put_codes(
        &self,
        user: &Record,
        codes: Option<(Secret, i64)>,
        by: &str,
    ) -> Result<(), AppError> {
        let (now, key) = (self.now(), user.reference.key.clone());
        let act = if codes.is_some() { "ask for codes" } else { "ask for no codes" };
        let note = self.audit_row(by, act, &user.reference.to_string(), "done", "");
        let kept = self
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    let (totp, step) = match &codes {
                        Some((key, step)) => (Some(key.expose()), Some(*step)),
                        None => (None, None),
                    };
                    let kept = tx.totp_put(&key, totp, step, now).await?;
                    if kept {
                        tx.audit_note(&note).await?;
                    }
                    Ok::<_, relata_store::StoreError>(kept)
                })
            })
            .await?;
        if kept {
            return Ok(());
        }
        Err(AppError::wrong(format!(
            "{} has no password yet; `relata user password` sets one",
            user.reference
        )))
    }

    /// The user with this address.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<Record>, AppError> {
        let Some(email) = text::mail_address(email) else { return Ok(None) };
        let filter = vec![Condition::equal("email", Value::Text(email))];
        let query = Query { limit: 1, ..Query::new("user", filter) };
        Ok(self.store().record_query(&query).await?.records.pop())
    }

    /// All who work here, and how they log in.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn users(&self) -> Result<Vec<UserView>, AppError> {
        let logins = self.store().login_list().await?;
        let users = self.records_all("user").await?;
        Ok(users.iter().map(|user| view(user, &logins)).collect())
    }
}

fn view(user: &Record, logins: &[LoginRow]) -> UserView {
    let login = logins.iter().find(|login| login.user == user.reference.key);
    let text = |field: &str| user.field(field).as_text().unwrap_or_default().to_owned();
    UserView {
        user: user.reference.to_string(),
        name: text("name"),
        email: text("email"),
        roles: user.field("roles").texts().map(str::to_owned).collect(),
        active: user.field("active") != &Value::YesNo(false),
        can_log_in: login.is_some_and(|login| login.password.is_some()),
        codes: login.is_some_and(|login| login.totp.is_some()),
        logged_in_at: login.and_then(|login| login.logged_in_at).map(|at| at.to_string()),
    }
}

/// Whether a session was not used for too long.
fn is_idle(session: &SessionRow, now: Timestamp) -> bool {
    hours_later(session.seen_at, IDLE_HOURS) <= now
}

fn hours_later(at: Timestamp, hours: i64) -> Timestamp {
    later(at, std::time::Duration::from_secs(hours.unsigned_abs() * 3_600))
}

/// For how long nobody is let in after so many failures in a row.
fn lock_of(failures: u32) -> Option<std::time::Duration> {
    let beyond = failures.checked_sub(FREE_FAILURES + 1)?;
    let seconds = 1_u64.checked_shl(beyond).unwrap_or(u64::MAX).min(LONGEST_LOCK_S);
    Some(std::time::Duration::from_secs(seconds))
}

/// What a password lacks, as a sentence.
fn check_password(password: &str, user: &Record) -> Result<(), AppError> {
    let long = password.chars().count();
    if !(SHORTEST..=LONGEST).contains(&long) {
        return Err(AppError::wrong(format!(
            "a password has {SHORTEST} to {LONGEST} characters; several words are good, too"
        )));
    }
    let lower = password.to_lowercase();
    let part = |field: &str| user.field(field).as_text().unwrap_or_default().to_lowercase();
    let email = part("email");
    let local = email.split('@').next().unwrap_or_default().to_owned();
    let known = [part("name"), email, local];
    if known.iter().any(|known| known.chars().count() > 3 && lower.contains(known.as_str())) {
        return Err(AppError::wrong("the password has the user's name or address in it"));
    }
    let different: std::collections::BTreeSet<char> = lower.chars().collect();
    if different.len() < 5 {
        return Err(AppError::wrong("the password is the same few characters again and again"));
    }
    Ok(())
}

/// The Argon2id hash of a password, with a salt of its own, as a PHC string.
fn hash_of(password: &str) -> Option<String> {
    let hash: PasswordHash = Argon2::default().hash_password(password.as_bytes()).ok()?;
    Some(hash.to_string())
}

/// Does what takes a core for a while, a few at once.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AppError> {
    let fault = |why: String| AppError::Fault(format!("a password was not judged: {why}"));
    let _place = HASHING.acquire().await.map_err(|why| fault(why.to_string()))?;
    tokio::task::spawn_blocking(work).await.map_err(|why| fault(why.to_string()))
}

/// The codes of a key: six digits, a new one each 30 s, and the one before and
/// after are good as well.
fn codes_of(key: &str, account: &str, issuer: &str) -> Result<Totp, AppError> {
    let fault = |why: String| AppError::wrong(format!("the key of one-time codes is none: {why}"));
    let key = totp_rs::Secret::try_from_base32(key).map_err(|why| fault(format!("{why:?}")))?;
    // A colon parts the one from the other in the address.
    let plain = |text: &str| text.replace(':', " ");
    Builder::new()
        .with_secret(key)
        .with_account_name(plain(account))
        .with_issuer(Some(plain(issuer)))
        .build()
        .map_err(|why| fault(why.to_string()))
}

fn step_of(
    key: &str,
    viewer: &Viewer,
    code: &str,
    now: Timestamp,
) -> Result<Option<i64>, AppError> {
    Ok(check_code(&codes_of(key, viewer.name(), "Relata")?, code, now))
}

/// The step of a code, if it is good now.
fn check_code(totp: &Totp, code: &str, now: Timestamp) -> Option<i64> {
    let code: String = code.chars().filter(|character| !character.is_whitespace()).collect();
    let now = u64::try_from(now.as_second()).ok()?;
    totp.check(&code, now).and_then(|step| i64::try_from(step).ok())
}

fn new_secret() -> Result<Secret, AppError> {
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(*fresh::secret()?)))
}

fn digest_of(secret: &Secret) -> String {
    hex(&Sha256::digest(secret.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("a time")
    }

    #[test]
    fn a_lock_doubles_up_to_a_quarter_of_an_hour() {
        let locks: Vec<u64> =
            (0..=20).map(|failures| lock_of(failures).map_or(0, |lock| lock.as_secs())).collect();
        assert_eq!(locks[..9], [0, 0, 0, 0, 0, 1, 2, 4, 8]);
        assert_eq!(locks[14..17], [512, 900, 900]);
        assert_eq!(lock_of(u32::MAX).map(|lock| lock.as_secs()), Some(900));
    }

    #[test]
    fn a_session_is_over_where_nobody_used_it() {
        let session = SessionRow {
            user: "01".to_owned(),
            created_at: at(0),
            seen_at: at(3_600),
            expires_at: at(1_000_000),
            must_change: false,
        };
        assert!(!is_idle(&session, at(3_600 * 13 - 1)));
        assert!(is_idle(&session, at(3_600 * 13)));
    }

    #[test]
    fn a_code_is_good_for_its_step_and_its_neighbours() {
        // RFC 6238, appendix B: at 59 s the eight digits are 94287082.
        let key = totp_rs::Secret::from(&b"12345678901234567890"[..]).to_base32();
        let totp = codes_of(&key, "ada@example.com", "Northwind: Ltd").expect("codes");
        assert_eq!(check_code(&totp, "287 082", at(59)), Some(1));
        assert_eq!(check_code(&totp, "287082", at(89)), Some(1));
        assert_eq!(check_code(&totp, "287082", at(120)), None);
        assert_eq!(check_code(&totp, "287083", at(59)), None);
        assert_eq!(check_code(&totp, "", at(59)), None);
        assert!(totp.to_url().is_ok_and(|address| address.starts_with("otpauth://totp/")));
    }
}
