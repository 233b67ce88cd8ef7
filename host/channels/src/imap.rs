//! Mails out of a mailbox, over IMAP: what was not fetched before, one after
//! the other, and a mark on each that is done.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use async_imap::{Client, Session, error::Error, types::Flag};
use futures::TryStreamExt as _;
use rustls::{ClientConfig, pki_types::ServerName};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{HttpConfigError, InboxError, MailConfigError, Security, http, smtp};

/// How long a server may take to be connected, secured and logged in to.
const CONNECT_TIME: Duration = Duration::from_secs(30);

/// How long it may take to answer a command.
const COMMAND_TIME: Duration = Duration::from_secs(60);

/// How long a mail may take to arrive.
const FETCH_TIME: Duration = Duration::from_secs(300);

/// The largest mail that is fetched, bytes.
const LARGEST: u32 = 32 << 20;

/// The mark on a mail that is done.
const MARK: &str = "RelataTaken";

/// A mailbox that customers write to: `[mail.inbox]` of `relata.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct InboxConfig {
    /// The IMAP server's name: `imap.example.com`.
    pub host: String,
    /// Its port; by default 993 with `tls`, 143 else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How the connection is secured.
    #[serde(default = "tls")]
    pub security: Security,
    /// Whom to log in as.
    pub username: String,
    /// The environment variable that holds the password. The password itself
    /// is never in a file.
    pub password_env: String,
    /// A PEM file with the company's own certificate authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The folder that is read.
    #[serde(default = "inbox")]
    pub folder: String,
    /// The folder that mails go to when they are taken in; else they stay, with
    /// a mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processed: Option<String>,
    /// The first day whose mails are taken in, `2026-12-24`; without it all
    /// that lie there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// After how many seconds it is looked again.
    #[serde(default = "half_a_minute")]
    pub poll_seconds: u64,
    /// The queue of the tickets: `support`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The language of new contacts whose mail says none: `de`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// How many mails an hour are taken in of one sender.
    #[serde(default = "twenty")]
    pub most_per_hour: u32,
}

const fn tls() -> Security {
    Security::Tls
}

fn inbox() -> String {
    "INBOX".to_owned()
}

const fn half_a_minute() -> u64 {
    30
}

const fn twenty() -> u32 {
    20
}

/// A mailbox that can be opened.
pub struct Inbox {
    host: String,
    port: u16,
    security: Security,
    username: String,
    password: String,
    folder: String,
    processed: Option<String>,
    /// What is new, as the server is asked for it.
    search: String,
    tls: Arc<ClientConfig>,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("place", &self.place()).finish_non_exhaustive()
    }
}

/// A connection to a server, in the clear or not.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> Stream for T {}

/// A mailbox that is open.
pub struct OpenInbox<'i> {
    inbox: &'i Inbox,
    session: Session<Box<dyn Stream>>,
    can_move: bool,
}

impl fmt::Debug for OpenInbox<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenInbox").field("inbox", self.inbox).finish_non_exhaustive()
    }
}

/// A mail that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// All of it.
    Whole(Vec<u8>),
    /// It is too large: its headers alone, and its size in bytes.
    Head(Vec<u8>, u32),
    /// It is gone: somebody else took it away.
    Gone,
}

impl Inbox {
    /// Sets it up. Nothing is connected yet; the password is read from the
    /// environment.
    ///
    /// # Errors
    ///
    /// [`MailConfigError`] names the setting that is wrong.
    pub fn new(config: &InboxConfig) -> Result<Self, MailConfigError> {
        let password = smtp::password(&config.password_env, config.security, &config.host)?;
        let tls = http::tls(config.ca_file.as_deref()).map_err(|why| match why {
            HttpConfigError::Authority { file, why } => MailConfigError::Authority { file, why },
            HttpConfigError::Client(why) => {
                MailConfigError::Host { host: config.host.clone(), why }
            }
        })?;
        let since = match &config.since {
            None => String::new(),
            Some(day) => {
                let day = search_day(day).ok_or_else(|| MailConfigError::Day(day.clone()))?;
                format!(" SINCE {day}")
            }
        };
        // What is taken in leaves the folder, or bears the mark.
        let unmarked = if config.processed.is_some() { "" } else { " UNKEYWORD RelataTaken" };
        Ok(Self {
            host: config.host.clone(),
            port: config.port.unwrap_or(if config.security == Security::Tls { 993 } else { 143 }),
            security: config.security,
            username: config.username.clone(),
            password,
            folder: config.folder.clone(),
            processed: config.processed.clone(),
            search: format!("UNDELETED{unmarked}{since}"),
            tls: Arc::new(tls),
        })
    }

    /// The server's name and port.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Connects, logs in and opens the folder.
    ///
    /// # Errors
    ///
    /// [`InboxError`] says what went wrong.
    pub async fn open(&self) -> Result<OpenInbox<'_>, InboxError> {
        let place = self.place();
        let stream = match timeout(CONNECT_TIME, self.connect()).await {
            Ok(connected) => {
                connected.map_err(|why| InboxError::Unreachable { place: place.clone(), why })?
            }
            Err(_) => {
                let why = "it does not answer".to_owned();
                return Err(InboxError::Unreachable { place, why });
            }
        };
        let logging_in = stream.login(&self.username, &self.password);
        let mut session = match timeout(CONNECT_TIME, logging_in).await {
            Ok(Ok(session)) => session,
            // An error of the library may hold what was sent.
            Ok(Err((Error::No(why) | Error::Bad(why), _))) => {
                return Err(InboxError::Login { place, why: words(&why) });
            }
            Ok(Err(_)) => {
                let why = "the connection broke at the login".to_owned();
                return Err(InboxError::Unreachable { place, why });
            }
            Err(_) => {
                let why = "it does not answer to the login".to_owned();
                return Err(InboxError::Unreachable { place, why });
            }
        };
        let capabilities = self.within("say what it can do", session.capabilities()).await?;
        let can_move = capabilities.has_str("MOVE");
        let opened = timeout(COMMAND_TIME, session.select(&self.folder)).await;
        let folder = |why: String| InboxError::Folder {
            place: place.clone(),
            folder: self.folder.clone(),
            why,
        };
        let mailbox = match opened {
            Ok(Ok(mailbox)) => mailbox,
            Ok(Err(why)) => return Err(folder(said(&why))),
            Err(_) => return Err(folder("it does not answer".to_owned())),
        };
        let keeps_marks = mailbox.permanent_flags.iter().any(|flag| match flag {
            Flag::MayCreate => true,
            Flag::Custom(name) => name.eq_ignore_ascii_case(MARK),
            _ => false,
        });
        if self.processed.is_none() && !keeps_marks {
            let why = "it keeps no marks on mails; name a folder for those that are done, `processed = \"Processed\"`";
            return Err(folder(why.to_owned()));
        }
        Ok(OpenInbox { inbox: self, session, can_move })
    }

    async fn connect(&self) -> Result<Client<Box<dyn Stream>>, String> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|why| why.to_string())?;
        let stream: Box<dyn Stream> = match self.security {
            Security::Tls => Box::new(self.secured(tcp).await?),
            Security::None | Security::Starttls => Box::new(tcp),
        };
        let mut client = greeted(Client::new(stream)).await?;
        if self.security != Security::Starttls {
            return Ok(client);
        }
        client
            .run_command_and_check_ok("STARTTLS", None)
            .await
            .map_err(|why| format!("it cannot be talked to in private: {}", said(&why)))?;
        let stream: Box<dyn Stream> = Box::new(self.secured(client.into_inner()).await?);
        // A server greets once.
        Ok(Client::new(stream))
    }

    async fn secured<S: Stream>(
        &self,
        stream: S,
    ) -> Result<tokio_rustls::client::TlsStream<S>, String> {
        let name = ServerName::try_from(self.host.clone()).map_err(|why| why.to_string())?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        connector.connect(name, stream).await.map_err(|why| why.to_string())
    }

    /// What a command comes to, unless it takes too long.
    async fn within<T>(
        &self,
        doing: &'static str,
        command: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, InboxError> {
        self.within_time(COMMAND_TIME, doing, command).await
    }

    async fn within_time<T>(
        &self,
        most: Duration,
        doing: &'static str,
        command: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, InboxError> {
        let why = match timeout(most, command).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(why)) => said(&why),
            Err(_) => "it does not answer".to_owned(),
        };
        Err(InboxError::Broken { place: self.place(), doing, why })
    }
}

impl OpenInbox<'_> {
    /// The mails that were not taken in yet, the oldest first.
    ///
    /// # Errors
    ///
    /// [`InboxError::Broken`]
    pub async fn waiting(&mut self) -> Result<Vec<u32>, InboxError> {
        let search = self.session.uid_search(&self.inbox.search);
        let found = self.inbox.within("look for mails", search).await?;
        let mut waiting: Vec<u32> = found.into_iter().collect();
        waiting.sort_unstable();
        Ok(waiting)
    }

    /// Fetches a mail, and changes nothing.
    ///
    /// # Errors
    ///
    /// [`InboxError::Broken`]
    pub async fn fetch(&mut self, mail: u32) -> Result<Fetched, InboxError> {
        let uid = mail.to_string();
        let Some(size) = self.fetched(&uid, "(UID RFC822.SIZE)", |fetch| fetch.size).await? else {
            return Ok(Fetched::Gone);
        };
        if size > LARGEST {
            let head = self
                .fetched(&uid, "(UID BODY.PEEK[HEADER])", |fetch| {
                    fetch.header().map(<[u8]>::to_vec)
                })
                .await?;
            return Ok(head.map_or(Fetched::Gone, |head| Fetched::Head(head, size)));
        }
        let whole = self
            .fetched(&uid, "(UID BODY.PEEK[])", |fetch| fetch.body().map(<[u8]>::to_vec))
            .await?;
        Ok(whole.map_or(Fetched::Gone, Fetched::Whole))
    }

    async fn fetched<T>(
        &mut self,
        uid: &str,
        what: &str,
        read: impl Fn(&async_imap::types::Fetch) -> Option<T>,
    ) -> Result<Option<T>, InboxError> {
        let fetching = async {
            let mut found = None;
            let mut fetches = self.session.uid_fetch(uid, what).await?;
            while let Some(fetch) = fetches.try_next().await? {
                // Others may be told of meanwhile.
                if fetch.uid.is_some_and(|of| of.to_string() == uid) {
                    found = found.or_else(|| read(&fetch));
                }
            }
            Ok(found)
        };
        self.inbox.within_time(FETCH_TIME, "fetch a mail", fetching).await
    }

    /// Marks a mail as done, or takes it to the folder for those.
    ///
    /// # Errors
    ///
    /// [`InboxError::Broken`]
    pub async fn done(&mut self, mail: u32) -> Result<(), InboxError> {
        let uid = mail.to_string();
        let Some(folder) = &self.inbox.processed else {
            return self.flag(&uid, &format!("\\Seen {MARK}")).await;
        };
        if self.can_move {
            let moving = self.session.uid_mv(&uid, folder);
            return self.inbox.within("move a mail", moving).await;
        }
        let copying = self.session.uid_copy(&uid, folder);
        self.inbox.within("copy a mail", copying).await?;
        self.flag(&uid, "\\Seen \\Deleted").await
    }

    async fn flag(&mut self, uid: &str, flags: &str) -> Result<(), InboxError> {
        let flags = format!("+FLAGS.SILENT ({flags})");
        let marking = async {
            let marked = self.session.uid_store(uid, &flags).await?;
            marked.try_collect::<Vec<_>>().await.map(drop)
        };
        self.inbox.within("mark a mail", marking).await
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        // Whatever comes of it: all that counts is done.
        let _ = timeout(CONNECT_TIME, self.session.logout()).await;
    }
}

/// Waits for the server's greeting.
async fn greeted(mut client: Client<Box<dyn Stream>>) -> Result<Client<Box<dyn Stream>>, String> {
    match client.read_response().await {
        Ok(Some(_)) => Ok(client),
        Ok(None) => Err("it hung up".to_owned()),
        Err(why) => Err(why.to_string()),
    }
}

/// What went wrong, without what a mail or a customer said.
fn said(why: &Error) -> String {
    match why {
        Error::Parse(_) => "it answered what does not read as IMAP".to_owned(),
        Error::No(text) | Error::Bad(text) => words(text),
        other => other.to_string(),
    }
}

/// The server's own words in a refusal, of which the library makes a text with
/// their names of its own around them.
fn words(refusal: &str) -> String {
    let quoted = refusal.rsplit_once("Some(\"").and_then(|(_, rest)| rest.rsplit_once("\")"));
    quoted.map_or(refusal, |(words, _)| words).trim_end_matches('.').to_owned()
}

/// `2026-12-24` as IMAP writes it: `24-Dec-2026`.
fn search_day(day: &str) -> Option<String> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let parts: Vec<&str> = day.split('-').collect();
    let [year, month, day] = parts[..] else { return None };
    let number = |text: &str, length: usize| {
        (text.len() == length).then(|| text.parse::<usize>().ok()).flatten()
    };
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    let month = MONTHS.get(month.checked_sub(1)?)?;
    (1..=31).contains(&day).then(|| format!("{day}-{month}-{year:04}"))
}
