//! The conversation with a mail server.
//!
//! It is held step by step, and not in one call of lettre's, because what a
//! broken connection means depends on the step: before the text has gone out
//! nothing was sent, after it the server may have taken the mail.

use std::{
    error::Error as _,
    fmt::Display,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use lettre::{
    address::Envelope,
    transport::smtp::{
        Error,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::{ClientId, Extension, MailParameter},
        response::Response,
    },
};
use tokio::{sync::Semaphore, time::timeout};

use crate::{MailConfigError, MailError, Security, Smtp};

/// How long a server may take to be connected, secured and logged in to.
const CONNECT_TIME: Duration = Duration::from_secs(30);

/// How long it may take to answer to sender and recipient.
const COMMAND_TIME: Duration = Duration::from_secs(60);

/// How long it may take to read and judge the text. Long, because giving up
/// leaves it unknown whether the mail was sent.
const TEXT_TIME: Duration = Duration::from_secs(300);

/// How many mails are on their way at once.
const CONNECTIONS: usize = 4;

/// A mail server, and the connections to it that are open.
pub(crate) struct Server {
    host: String,
    port: u16,
    security: Security,
    tls: TlsParameters,
    greeting: ClientId,
    credentials: Option<Credentials>,
    idle: Mutex<Vec<AsyncSmtpConnection>>,
    places: Semaphore,
}

impl Server {
    /// `greeting` is the name by which this host greets the server.
    pub(crate) fn new(smtp: &Smtp, greeting: &str) -> Result<Self, MailConfigError> {
        let mut tls = TlsParameters::builder(smtp.host.clone());
        if let Some(file) = &smtp.ca_file {
            let wrong =
                |why: String| MailConfigError::Authority { file: file.display().to_string(), why };
            let pem = std::fs::read(file).map_err(|why| wrong(why.to_string()))?;
            if !pem.windows(11).any(|bytes| bytes == b"-----BEGIN ") {
                return Err(wrong("it has no certificate in it".to_owned()));
            }
            let authority = Certificate::from_pem(&pem).map_err(|why| wrong(sentence(&why)))?;
            tls = tls.add_root_certificate(authority);
        }
        let tls = tls.build().map_err(|why| MailConfigError::Host {
            host: smtp.host.clone(),
            why: sentence(&why),
        })?;
        Ok(Self {
            credentials: credentials(smtp)?,
            host: smtp.host.clone(),
            port: smtp.port.unwrap_or(match smtp.security {
                Security::Starttls => 587,
                Security::Tls => 465,
                Security::None => 25,
            }),
            security: smtp.security,
            tls,
            greeting: ClientId::Domain(greeting.to_owned()),
            idle: Mutex::new(Vec::new()),
            places: Semaphore::new(CONNECTIONS),
        })
    }

    /// The server's name and port.
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Hands a mail over and gives the server's answer.
    pub(crate) async fn send(
        &self,
        envelope: &Envelope,
        message: &[u8],
    ) -> Result<String, MailError> {
        let _place = self.places.acquire().await.expect("the semaphore is never closed");
        let mut connection = match self.kept().await {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        // A connection on which anything went wrong is closed by dropping it.
        let answer = self.deliver(&mut connection, envelope, message).await?;
        self.keep(connection);
        Ok(answer)
    }

    /// An open connection that still answers.
    async fn kept(&self) -> Option<AsyncSmtpConnection> {
        loop {
            let mut connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if let Ok(true) = timeout(CONNECT_TIME, connection.test_connected()).await {
                return Some(connection);
            }
        }
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    /// A new connection, secured and logged in. Whatever goes wrong here is
    /// not the mail's fault, so that it is kept and tried again.
    async fn connect(&self) -> Result<AsyncSmtpConnection, MailError> {
        let later = |what: &str, why: &dyn Display| {
            MailError::Unreachable(format!("{}:{} {what}: {why}", self.host, self.port))
        };
        let connecting = async {
            let wrapper = (self.security == Security::Tls).then(|| self.tls.clone());
            let mut connection = AsyncSmtpConnection::connect_tokio1(
                (self.host.as_str(), self.port),
                Some(CONNECT_TIME),
                &self.greeting,
                wrapper,
                None,
            )
            .await
            .map_err(|why| later("cannot be reached", &sentence(&why)))?;
            if self.security == Security::Starttls {
                if !connection.can_starttls() {
                    return Err(later(
                        "cannot be talked to in private",
                        &"it offers no STARTTLS; use the port that does, or `security = \"tls\"`",
                    ));
                }
                connection
                    .starttls(self.tls.clone(), &self.greeting)
                    .await
                    .map_err(|why| later("cannot be talked to in private", &sentence(&why)))?;
            }
            if let Some(credentials) = &self.credentials {
                connection
                    .auth(&[Mechanism::Plain, Mechanism::Login], credentials)
                    .await
                    .map_err(|why| later("refused the login", &sentence(&why)))?;
            }
            Ok(connection)
        };
        match timeout(CONNECT_TIME, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err(later("cannot be reached", &"it does not answer")),
        }
    }

    async fn deliver(
        &self,
        connection: &mut AsyncSmtpConnection,
        envelope: &Envelope,
        message: &[u8],
    ) -> Result<String, MailError> {
        let mut options = Vec::new();
        let addresses = envelope.to().iter().chain(envelope.from());
        if addresses.clone().any(|address| !address.user().is_ascii()) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(MailError::Permanent(format!(
                    "{}:{} takes no addresses with other than ASCII letters before the @",
                    self.host, self.port
                )));
            }
            options.push(MailParameter::SmtpUtfEight);
        }
        let from = Mail::new(envelope.from().cloned(), options);
        self.command("refused the sender", connection.command(from)).await?;
        for to in envelope.to() {
            let to = Rcpt::new(to.clone(), Vec::new());
            self.command("refused the recipient", connection.command(to)).await?;
        }
        self.command("refused the mail", connection.command(Data)).await?;
        match timeout(TEXT_TIME, connection.message(message)).await {
            Ok(Ok(response)) => Ok(reply(&response)),
            Ok(Err(why)) if why.status().is_some() => Err(self.refusal("refused the mail", &why)),
            Ok(Err(why)) => Err(self.doubt(&sentence(&why))),
            Err(_) => Err(self.doubt(&"it did not answer to the text")),
        }
    }

    /// One command before the text: if the connection breaks, nothing was
    /// sent.
    async fn command(
        &self,
        refused: &str,
        command: impl Future<Output = Result<Response, Error>>,
    ) -> Result<(), MailError> {
        match timeout(COMMAND_TIME, command).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(why)) if why.status().is_some() => Err(self.refusal(refused, &why)),
            Ok(Err(why)) => Err(self.broken(&sentence(&why))),
            Err(_) => Err(self.broken(&"it does not answer")),
        }
    }

    /// What the server's answer means for the mail.
    fn refusal(&self, refused: &str, why: &Error) -> MailError {
        let text = format!("{}:{} {refused}: {}", self.host, self.port, sentence(why));
        if why.is_permanent() { MailError::Permanent(text) } else { MailError::Transient(text) }
    }

    fn broken(&self, why: &dyn Display) -> MailError {
        MailError::Unreachable(format!(
            "the connection to {}:{} broke off: {why}",
            self.host, self.port
        ))
    }

    fn doubt(&self, why: &dyn Display) -> MailError {
        MailError::Unknown(format!(
            "the connection to {}:{} broke off after the text and before the answer: {why}",
            self.host, self.port
        ))
    }
}

fn credentials(smtp: &Smtp) -> Result<Option<Credentials>, MailConfigError> {
    let (username, variable) = match (&smtp.username, &smtp.password_env) {
        (Some(username), Some(variable)) => (username, variable),
        (None, None) => return Ok(None),
        _ => return Err(MailConfigError::HalfALogin),
    };
    let password = password(variable, smtp.security, &smtp.host)?;
    Ok(Some(Credentials::new(username.clone(), password)))
}

/// The password that an environment variable holds, if it may cross the way to
/// this host.
pub(crate) fn password(
    variable: &str,
    security: Security,
    host: &str,
) -> Result<String, MailConfigError> {
    if security == Security::None && !is_this_machine(host) {
        return Err(MailConfigError::PasswordInTheClear(host.to_owned()));
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "a password belongs in the environment, not in a file"
    )]
    let password =
        std::env::var(variable).map_err(|_| MailConfigError::NoPassword(variable.to_owned()))?;
    Ok(password)
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The server's answer in a line: `250 OK: queued as 4Xy`.
fn reply(response: &Response) -> String {
    let lines: Vec<&str> = response.message().collect();
    format!("{} {}", response.code(), lines.join(" "))
}

/// An error with its causes, once each.
fn sentence(why: &Error) -> String {
    let mut text = why.to_string();
    let mut source = why.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
