//! Tokens of the API: who may do what. A secret is shown once, when it is
//! made; what is kept is its hash. The tokens lie in memory as well, so that a
//! request need not ask the database; what another process changed is seen
//! within seconds.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    str::FromStr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use relata_model::{Act, Area, Doing, Permissions, Reference, Timestamp, text};
use relata_store::TokenRow;
use serde::Serialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{App, AppError, Secret, Viewer, activation::hex, clock, fresh, names::check_name};

/// What every token begins with, so that a leaked one is known as one.
const FRONT: &str = "rlt_";

/// For how long what is in memory is taken for true.
const FRESH: Duration = Duration::from_secs(2);

/// How soon after a look the database is asked again for a token that is not
/// known: whoever guesses waits for it, and does not keep it busy.
const AGAIN: Duration = Duration::from_millis(200);

/// How far the time of the last use may be off.
const USED_EVERY_MS: i64 = 60_000;

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Send events.
    EventsWrite,
    /// Send the messages of customers.
    MessagesWrite,
    /// Find and see records.
    RecordsRead,
    /// Create, change and delete records.
    RecordsWrite,
    /// See runs, and what events came to.
    RunsRead,
    /// End runs.
    RunsWrite,
    /// See the metrics.
    MetricsRead,
    /// See what was refused, and who logged in.
    AuditRead,
    /// Decide what others may do: roles, and who has which.
    AccessWrite,
    /// See the workflows and their texts.
    WorkflowsRead,
    /// Activate and deactivate workflows.
    WorkflowsWrite,
    /// See the plugins, and what they may do.
    PluginsRead,
    /// See who would get a ticket, and why.
    RoutingRead,
}

impl Scope {
    /// All there are.
    pub const ALL: [Self; 13] = [
        Self::EventsWrite,
        Self::MessagesWrite,
        Self::RecordsRead,
        Self::RecordsWrite,
        Self::RunsRead,
        Self::RunsWrite,
        Self::MetricsRead,
        Self::AuditRead,
        Self::AccessWrite,
        Self::WorkflowsRead,
        Self::WorkflowsWrite,
        Self::PluginsRead,
        Self::RoutingRead,
    ];

    /// The word: `events:write`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventsWrite => "events:write",
            Self::MessagesWrite => "messages:write",
            Self::RecordsRead => "records:read",
            Self::RecordsWrite => "records:write",
            Self::RunsRead => "runs:read",
            Self::RunsWrite => "runs:write",
            Self::MetricsRead => "metrics:read",
            Self::AuditRead => "audit:read",
            Self::AccessWrite => "access:write",
            Self::WorkflowsRead => "workflows:read",
            Self::WorkflowsWrite => "workflows:write",
            Self::PluginsRead => "plugins:read",
            Self::RoutingRead => "routing:read",
        }
    }

    /// What it gives beside records.
    const fn area(self) -> Option<(Area, Doing)> {
        match self {
            Self::EventsWrite | Self::MessagesWrite => Some((Area::Events, Doing::Change)),
            Self::RunsRead => Some((Area::Runs, Doing::See)),
            Self::RunsWrite => Some((Area::Runs, Doing::Change)),
            Self::MetricsRead => Some((Area::Operations, Doing::See)),
            Self::AuditRead => Some((Area::Audit, Doing::See)),
            Self::WorkflowsRead => Some((Area::Workflows, Doing::See)),
            Self::WorkflowsWrite => Some((Area::Workflows, Doing::Change)),
            Self::PluginsRead => Some((Area::Plugins, Doing::See)),
            Self::RoutingRead => Some((Area::Routing, Doing::See)),
            Self::RecordsRead | Self::RecordsWrite | Self::AccessWrite => None,
        }
    }

    /// What it gives with records.
    const fn acts(self) -> &'static [Act] {
        match self {
            Self::RecordsRead => &[Act::See],
            Self::RecordsWrite => &[Act::Create, Act::Change, Act::Delete],
            _ => &[],
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = String;

    /// Reads `events:write`; the message says what there is.
    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word).ok_or_else(|| {
            let all = Self::ALL.map(Self::as_str);
            let hint = text::nearest(word, all.into_iter()).map_or_else(
                || format!("there are {}", all.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            format!("`{word}` is nothing that a token may do; {hint}")
        })
    }
}

/// A token that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// What people call it.
    pub name: String,
    /// What it may do; at least one thing.
    pub scopes: Vec<Scope>,
    /// The objects that it is for; empty: all.
    pub objects: Vec<String>,
    /// The user whose it is, if it is to do no more than they may.
    pub user: Option<Reference>,
    /// From when it is no longer good.
    pub expires_at: Option<Timestamp>,
}

/// A token as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenView {
    /// What people call it.
    pub token: String,
    /// `good`, `expired` or `revoked`.
    pub status: &'static str,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The objects that it is for; none: all.
    pub objects: Option<Vec<String>>,
    /// The user whose it is; it can do no more than they.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// From when it is no longer good.
    pub expires_at: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// When it was used last, to the minute or so.
    pub last_used_at: Option<String>,
}

impl TokenView {
    fn of(row: TokenRow, now: Timestamp) -> Self {
        let status = if row.revoked_at.is_some() {
            "revoked"
        } else if row.expires_at.is_some_and(|at| at <= now) {
            "expired"
        } else {
            "good"
        };
        let told = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            token: row.name,
            status,
            scopes: row.scopes,
            objects: row.objects,
            user: row.user.map(|user| format!("user/{user}")),
            created_at: row.created_at.to_string(),
            expires_at: told(row.expires_at),
            revoked_at: told(row.revoked_at),
            last_used_at: told(row.last_used_at),
        }
    }
}

/// Who calls, by their token.
#[derive(Debug, Clone)]
pub struct Caller {
    token: Arc<Token>,
    viewer: Arc<Viewer>,
    objects: Option<Arc<[String]>>,
}

impl Caller {
    /// The token's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.token.row.name
    }

    /// The token's id, by which its requests are known again.
    pub(crate) fn id(&self) -> &str {
        &self.token.row.id
    }

    /// Who writes to the event log.
    #[must_use]
    pub fn actor(&self) -> String {
        self.viewer.actor().to_owned()
    }

    /// What they may see and change.
    #[must_use]
    pub fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    /// Whether it may do this: the token says so, and where it is a user's,
    /// so do their roles.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.token.scopes.contains(&scope)
            && scope.area().is_none_or(|(area, doing)| self.viewer.may(area, doing))
            && (scope != Scope::AccessWrite || self.viewer.may_grant())
    }

    /// The objects that it is for; none: all. A user's is for those of which
    /// they see every record.
    #[must_use]
    pub fn objects(&self) -> Option<&[String]> {
        self.objects.as_deref()
    }

    /// Whether it is for records of this object.
    #[must_use]
    pub fn may_touch(&self, object: &str) -> bool {
        self.objects().is_none_or(|objects| objects.iter().any(|known| known == object))
    }

    /// Whether it may see what is about this record; one that is for some
    /// objects sees nothing of what is about none.
    #[must_use]
    pub fn may_see(&self, record: Option<&Reference>) -> bool {
        match record {
            Some(record) => self.may_touch(&record.object),
            None => self.objects().is_none(),
        }
    }
}

/// Why a caller is not known.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// There is no token with this secret, it is revoked, or it has expired.
    #[error("the token is unknown, revoked or expired")]
    Unknown,
    /// The tokens cannot be read.
    #[error(transparent)]
    App(#[from] AppError),
}

#[derive(Debug)]
struct Token {
    row: TokenRow,
    digest: [u8; 32],
    scopes: BTreeSet<Scope>,
    /// What it may do by itself.
    viewer: Arc<Viewer>,
    objects: Option<Arc<[String]>>,
    /// Milliseconds since 1970 UTC; 0 where it was not used yet.
    used: AtomicI64,
}

/// The tokens that are good, in memory.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    kept: RwLock<Kept>,
    /// Only one asks the database at a time.
    loading: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Kept {
    read_at: Option<Instant>,
    by_digest: HashMap<[u8; 32], Arc<Token>>,
}

impl Kept {
    /// How old it is; none where nothing was read yet.
    fn age(&self) -> Option<Duration> {
        self.read_at.map(|at| clock::monotonic().duration_since(at))
    }

    /// The token with this hash of its secret. The map finds a candidate by
    /// the hash, of which nobody can choose a part; the comparison that counts
    /// takes the same time for each.
    fn find(&self, digest: &[u8; 32]) -> Option<Arc<Token>> {
        let found = self.by_digest.get(digest)?;
        bool::from(found.digest.ct_eq(digest)).then(|| Arc::clone(found))
    }
}

impl App {
    /// Makes a token. The secret is shown now, or never.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] for a name, an object or a time that cannot be.
    pub async fn create_token(&self, new: NewToken) -> Result<(TokenView, Secret), AppError> {
        let now = self.now();
        check_name("token", &new.name, "web-shop")?;
        if new.scopes.is_empty() {
            let all = Scope::ALL.map(Scope::as_str).join(", ");
            return Err(AppError::wrong(format!("say what the token may do: {all}")));
        }
        for object in &new.objects {
            self.object(object)?;
        }
        let user = match &new.user {
            Some(user) => Some(self.record(user).await?.reference.key),
            None => None,
        };
        if let Some(at) = new.expires_at.filter(|at| *at <= now) {
            return Err(AppError::wrong(format!(
                "the token would be no good from the beginning: {at} is past"
            )));
        }
        let bytes = fresh::secret()?;
        let secret = Secret::new(format!("{FRONT}{}", URL_SAFE_NO_PAD.encode(*bytes)));
        let scopes: BTreeSet<Scope> = new.scopes.into_iter().collect();
        let row = TokenRow {
            id: format!("tok_{}", fresh::uuid(now).simple()),
            name: new.name,
            digest: hex(&digest_of(secret.expose())),
            scopes: scopes.into_iter().map(|scope| scope.as_str().to_owned()).collect(),
            objects: Some(new.objects).filter(|objects| !objects.is_empty()),
            user,
            created_at: now,
            expires_at: new.expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        let view = TokenView::of(row.clone(), now);
        let kept = self
            .store()
            .write(move |tx| Box::pin(async move { tx.token_insert(&row).await }))
            .await?;
        if !kept {
            return Err(AppError::wrong(format!(
                "there is a token `{0}` already; revoke it first by `relata token revoke {0}`, or take another name",
                view.token
            )));
        }
        Ok((view, secret))
    }

    /// All tokens, the oldest first, without their secrets.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn tokens(&self) -> Result<Vec<TokenView>, AppError> {
        let now = self.now();
        let rows = self.store().token_list().await?;
        Ok(rows.into_iter().map(|row| TokenView::of(row, now)).collect())
    }

    /// Takes a token back: from now on it is no good. Hosts that run notice
    /// within seconds.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is none of this name.
    pub async fn revoke_token(&self, name: &str) -> Result<(), AppError> {
        let (now, wanted) = (self.now(), name.to_owned());
        let revoked = self
            .store()
            .write(move |tx| Box::pin(async move { tx.token_revoke(&wanted, now).await }))
            .await?;
        if revoked {
            return Ok(());
        }
        let tokens = self.tokens().await?;
        let good = tokens.iter().filter(|token| token.status != "revoked");
        let hint = text::nearest(name, good.map(|token| token.token.as_str()))
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Err(AppError::wrong(format!("there is no token `{name}`{hint}")))
    }

    /// Who has this secret.
    ///
    /// # Errors
    ///
    /// [`CallerError::Unknown`] where nobody has, or no longer.
    pub async fn caller(&self, secret: &str) -> Result<Caller, CallerError> {
        if !secret.starts_with(FRONT) {
            return Err(CallerError::Unknown);
        }
        let digest = digest_of(secret);
        let token = match self.kept_token(&digest) {
            Ok(token) => token,
            // It may be new: whoever guesses waits as well.
            Err(pause) => {
                tokio::time::sleep(pause).await;
                Box::pin(self.load_tokens(AGAIN)).await?;
                let kept = self.inner.tokens.kept.read().unwrap_or_else(PoisonError::into_inner);
                kept.find(&digest).ok_or(CallerError::Unknown)?
            }
        };
        let now = self.now();
        if token.row.expires_at.is_some_and(|at| at <= now) {
            return Err(CallerError::Unknown);
        }
        token.used.store(now.as_millisecond(), Ordering::Relaxed);
        let Some(user) = &token.row.user else {
            let (viewer, objects) = (Arc::clone(&token.viewer), token.objects.clone());
            return Ok(Caller { token, viewer, objects });
        };
        let user = Reference::new("user", user);
        let user = Box::pin(self.viewer_of_user(&user)).await?.ok_or(CallerError::Unknown)?;
        let viewer = user.through(&token.viewer);
        let all = self.objects().names().all(|object| viewer.may_all(object, Act::See));
        let objects = (!all).then(|| {
            let objects = self.objects().names().filter(|object| viewer.may_all(object, Act::See));
            objects.map(str::to_owned).collect()
        });
        Ok(Caller { token, viewer: Arc::new(viewer), objects })
    }

    /// A token in memory; else after how long the database is to be asked.
    fn kept_token(&self, digest: &[u8; 32]) -> Result<Arc<Token>, Duration> {
        let kept = self.inner.tokens.kept.read().unwrap_or_else(PoisonError::into_inner);
        let Some(age) = kept.age() else { return Err(Duration::ZERO) };
        match kept.find(digest) {
            Some(token) if age < FRESH => Ok(token),
            Some(_) => Err(Duration::ZERO),
            None => Err(AGAIN.saturating_sub(age)),
        }
    }

    /// Reads the tokens, unless somebody did so within `unless`.
    pub(crate) async fn load_tokens(&self, unless: Duration) -> Result<(), AppError> {
        let tokens = &self.inner.tokens;
        let _one = tokens.loading.lock().await;
        let kept = || tokens.kept.read().unwrap_or_else(PoisonError::into_inner);
        if kept().age().is_some_and(|age| age < unless) {
            return Ok(());
        }
        // What is read is as old as the question.
        let read_at = Some(clock::monotonic());
        let rows = self.store().token_list().await?;
        let used: HashMap<String, i64> = kept()
            .by_digest
            .values()
            .map(|token| (token.row.id.clone(), token.used.load(Ordering::Relaxed)))
            .collect();
        let by_digest = rows
            .into_iter()
            .filter(|row| row.revoked_at.is_none())
            .filter_map(|row| {
                let digest = bytes_of(&row.digest)?;
                // A word that a newer version knows gives no right here.
                let scopes: BTreeSet<Scope> =
                    row.scopes.iter().filter_map(|word| word.parse().ok()).collect();
                let used = AtomicI64::new(used.get(&row.id).copied().unwrap_or(0));
                let permissions = permissions_of(&scopes, row.objects.as_deref());
                let viewer = Arc::new(Viewer::program(&row.name, permissions));
                let objects = row.objects.as_deref().map(Arc::from);
                Some((digest, Arc::new(Token { row, digest, scopes, viewer, objects, used })))
            })
            .collect();
        *tokens.kept.write().unwrap_or_else(PoisonError::into_inner) = Kept { read_at, by_digest };
        Ok(())
    }

    /// Writes down when tokens were used last, where that is news.
    pub(crate) async fn note_used_tokens(&self) -> Result<(), AppError> {
        let used: Vec<(String, Timestamp)> = {
            let kept = self.inner.tokens.kept.read().unwrap_or_else(PoisonError::into_inner);
            let news = |token: &Arc<Token>| {
                let used = token.used.load(Ordering::Relaxed);
                let known = token.row.last_used_at.map_or(0, Timestamp::as_millisecond);
                let at = Timestamp::from_millisecond(used).ok()?;
                (used >= known.saturating_add(USED_EVERY_MS)).then(|| (token.row.id.clone(), at))
            };
            kept.by_digest.values().filter_map(news).collect()
        };
        if used.is_empty() {
            return Ok(());
        }
        self.store().write(move |tx| Box::pin(async move { tx.token_used(&used).await })).await?;
        Ok(())
    }
}

/// What the words of a token give together.
fn permissions_of(scopes: &BTreeSet<Scope>, objects: Option<&[String]>) -> Permissions {
    let acts: Vec<Act> = scopes.iter().flat_map(|scope| scope.acts()).copied().collect();
    let mut permissions = Permissions::on_records(&acts, objects);
    for (area, doing) in scopes.iter().filter_map(|scope| scope.area()) {
        permissions = permissions.with_area(area, doing);
    }
    if scopes.contains(&Scope::AccessWrite) { permissions.with_grants() } else { permissions }
}

fn digest_of(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

fn bytes_of(hexadecimal: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if hexadecimal.len() != 64 || !hexadecimal.is_ascii() {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hexadecimal[place * 2..place * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_survives_its_text() {
        let digest = digest_of("rlt_abc");
        assert_eq!(bytes_of(&hex(&digest)), Some(digest));
        assert_eq!(bytes_of("00"), None);
        assert_eq!(bytes_of(&"zz".repeat(32)), None);
    }
}
