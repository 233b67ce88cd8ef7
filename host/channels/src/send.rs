//! Sending: through a server, or into a directory.

use std::{fmt, io, path::PathBuf, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    message::Mailbox as Sender,
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
        extension::ClientId,
    },
};

use crate::{
    Mail, MailConfig, MailConfigError, MailError, Security, Smtp, Transport, mail::Envelope,
};

/// How long a server may take for one answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// What proves that a mail was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The server's answer, or the file's name.
    pub answer: String,
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.answer)
    }
}

/// The way out for mails.
pub struct MailOut {
    envelope: Envelope,
    way: Way,
}

enum Way {
    Directory(PathBuf),
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
}

impl fmt::Debug for MailOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailOut").field("from", &self.envelope.from).finish_non_exhaustive()
    }
}

impl MailOut {
    /// Sets it up. Nothing is sent or connected yet.
    ///
    /// # Errors
    ///
    /// [`MailConfigError`] names the setting that is wrong.
    pub fn new(config: &MailConfig) -> Result<Self, MailConfigError> {
        let address = |field: &'static str, value: &str| {
            value
                .parse::<Sender>()
                .map_err(|_| MailConfigError::Address { field, value: value.to_owned() })
        };
        let from = address("from", &config.from)?;
        let domain =
            config.domain.clone().unwrap_or_else(|| from.email.domain().to_owned());
        let reply_to =
            config.reply_to.as_deref().map(|value| address("reply_to", value)).transpose()?;
        let way = match &config.transport {
            Transport::Directory { path } => Way::Directory(path.clone()),
            Transport::Smtp(smtp) => Way::Smtp(Box::new(server(smtp, &domain)?)),
        };
        Ok(Self { envelope: Envelope { from, reply_to, domain }, way })
    }

    /// Whether sending the same mail twice does no harm: a file is written
    /// over, a server sends again.
    #[must_use]
    pub const fn is_idempotent(&self) -> bool {
        matches!(self.way, Way::Directory(_))
    }

    /// Sends a mail.
    ///
    /// # Errors
    ///
    /// [`MailError`] says whether another attempt may work, and whether the
    /// mail may have gone out all the same.
    pub async fn send(&self, mail: &Mail) -> Result<Receipt, MailError> {
        let message = mail.message(&self.envelope)?;
        match &self.way {
            Way::Directory(folder) => {
                let name = format!("{}.eml", file_name(&mail.effect_id));
                write(folder, &name, &message.formatted())
                    .await
                    .map_err(|why| MailError::Transient(format!("cannot write {}: {why}", folder.display())))?;
                Ok(Receipt { answer: name })
            }
            Way::Smtp(server) => {
                // A connection that is not to be had is no doubt: nothing was
                // sent. What breaks after this may have been.
                match server.test_connection().await {
                    Ok(true) => {}
                    Ok(false) => {
                        return Err(MailError::Transient("the server is not ready".to_owned()));
                    }
                    Err(why) if why.is_permanent() => return Err(MailError::Permanent(sentence(&why))),
                    Err(why) => return Err(MailError::Transient(sentence(&why))),
                }
                match server.send(message).await {
                    Ok(answer) => Ok(Receipt {
                        answer: format!("{} {}", answer.code(), answer.message().collect::<Vec<_>>().join(" ")),
                    }),
                    Err(why) if why.is_permanent() || why.is_client() => {
                        Err(MailError::Permanent(sentence(&why)))
                    }
                    Err(why) if why.is_transient() || why.is_tls() => {
                        Err(MailError::Transient(sentence(&why)))
                    }
                    Err(why) => Err(MailError::Unknown(sentence(&why))),
                }
            }
        }
    }
}

/// An error with its causes, once each.
fn sentence(why: &dyn std::error::Error) -> String {
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

fn server(smtp: &Smtp, greeting: &str) -> Result<AsyncSmtpTransport<Tokio1Executor>, MailConfigError> {
    let host = |why: String| MailConfigError::Host { host: smtp.host.clone(), why };
    let mut tls = TlsParameters::builder(smtp.host.clone());
    if let Some(file) = &smtp.ca_file {
        let wrong = |why: String| MailConfigError::Authority { file: file.display().to_string(), why };
        let pem = std::fs::read(file).map_err(|why| wrong(why.to_string()))?;
        tls = tls.add_root_certificate(Certificate::from_pem(&pem).map_err(|why| wrong(why.to_string()))?);
    }
    let tls = tls.build().map_err(|why| host(why.to_string()))?;
    let (tls, port) = match smtp.security {
        Security::Starttls => (Tls::Required(tls), 587),
        Security::Tls => (Tls::Wrapper(tls), 465),
        Security::None => (Tls::None, 25),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(smtp.host.clone())
        .port(smtp.port.unwrap_or(port))
        .tls(tls)
        .timeout(Some(ANSWER_TIME))
        .hello_name(ClientId::Domain(greeting.to_owned()));
    match (&smtp.username, &smtp.password_env) {
        (Some(username), Some(variable)) => {
            #[expect(clippy::disallowed_methods, reason = "a password belongs in the environment, not in a file")]
            let password =
                std::env::var(variable).map_err(|_| MailConfigError::NoPassword(variable.clone()))?;
            builder = builder.credentials(Credentials::new(username.clone(), password));
        }
        (None, None) => {}
        _ => return Err(MailConfigError::HalfALogin),
    }
    Ok(builder.build())
}

/// A file's name that no effect id can lead astray.
fn file_name(effect_id: &str) -> String {
    effect_id
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' })
        .collect()
}

/// Writes a file whole or not at all; the same mail again replaces it.
async fn write(folder: &std::path::Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    let unfinished = folder.join(format!(".{name}.part"));
    tokio::fs::write(&unfinished, bytes).await?;
    tokio::fs::rename(&unfinished, folder.join(name)).await
}
