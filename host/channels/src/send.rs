//! Sending: through a server, or into a directory.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use tokio::io::AsyncWriteExt;

use crate::{
    Mail, MailConfig, MailConfigError, MailError, Transport,
    mail::{self, Envelope},
    smtp::Server,
};

/// What proves that a mail was sent. It displays as the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The mail's Message-ID, with its angle brackets.
    pub message_id: String,
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
    Smtp(Box<Server>),
}

impl fmt::Debug for MailOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailOut").field("from", &self.envelope.from).finish_non_exhaustive()
    }
}

impl MailOut {
    /// Sets it up. Nothing is sent or connected yet; the password is read from
    /// the environment.
    ///
    /// # Errors
    ///
    /// [`MailConfigError`] names the setting that is wrong.
    pub fn new(config: &MailConfig) -> Result<Self, MailConfigError> {
        let address = |field: &'static str, value: &str| {
            mail::sender(value)
                .map_err(|_| MailConfigError::Address { field, value: value.to_owned() })
        };
        let from = address("from", &config.from)?;
        let domain = match &config.domain {
            Some(domain) => idna::domain_to_ascii(domain)
                .map_err(|_| MailConfigError::Domain(domain.clone()))?,
            None => from.email.domain().to_owned(),
        };
        let reply_to =
            config.reply_to.as_deref().map(|value| address("reply_to", value)).transpose()?;
        let way = match &config.transport {
            Transport::Directory { path } => Way::Directory(path.clone()),
            Transport::Smtp(smtp) => Way::Smtp(Box::new(Server::new(smtp, &domain)?)),
        };
        Ok(Self { envelope: Envelope { from, reply_to, domain }, way })
    }

    /// Whether sending the same mail twice does no harm: a file is written
    /// over, a server sends again.
    #[must_use]
    pub const fn is_idempotent(&self) -> bool {
        matches!(self.way, Way::Directory(_))
    }

    /// The server that mails go to, `smtp.example.com:587`; none where they
    /// are written to files.
    #[must_use]
    pub fn destination(&self) -> Option<String> {
        match &self.way {
            Way::Directory(_) => None,
            Way::Smtp(server) => Some(server.name()),
        }
    }

    /// The Message-ID of an effect's mail, without its angle brackets.
    #[must_use]
    pub fn message_id_of(&self, effect_id: &str) -> String {
        format!("{}@{}", mail::safe_id(effect_id), self.envelope.domain)
    }

    /// The id of the effect whose mail has this Message-ID; none where it is no
    /// mail of ours.
    #[must_use]
    pub fn effect_of<'m>(&self, message_id: &'m str) -> Option<&'m str> {
        let (id, domain) = message_id.rsplit_once('@')?;
        domain.eq_ignore_ascii_case(&self.envelope.domain).then_some(id)
    }

    /// Sends a mail.
    ///
    /// A server gets at most four mails at a time, over connections that are
    /// kept and used again; more calls wait in turn.
    ///
    /// # Errors
    ///
    /// [`MailError`] says whether another attempt may work, and whether the
    /// mail may have gone out all the same.
    pub async fn send(&self, mail: &Mail) -> Result<Receipt, MailError> {
        let message = mail.message(&self.envelope)?;
        let bytes = message.formatted();
        let answer = match &self.way {
            Way::Directory(folder) => {
                let name = format!("{}.eml", mail::safe_id(&mail.effect_id));
                write(folder, &name, &bytes).await.map_err(|why| {
                    MailError::Transient(format!("cannot write {}: {why}", folder.display()))
                })?;
                name
            }
            Way::Smtp(server) => server.send(message.envelope(), &bytes).await?,
        };
        Ok(Receipt { message_id: mail.message_id(&self.envelope.domain), answer })
    }
}

/// Writes a file whole or not at all; the same mail again replaces it.
async fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    let unfinished = folder.join(format!(".{name}.part"));
    let mut file = tokio::fs::File::create(&unfinished).await?;
    file.write_all(bytes).await?;
    file.flush().await?;
    file.sync_all().await?;
    tokio::fs::rename(&unfinished, folder.join(name)).await
}
