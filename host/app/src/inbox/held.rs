//! Mails that are held: what became no message, kept whole until somebody
//! decides.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use relata_channels::InboundMail;
use relata_model::{Area, Doing};
use relata_store::HeldMail;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{ACTOR, FAULT, ReadMail, TakenMail, readable};
use crate::{
    AccessError, App, AppError, IntakeError, TakenMessage, Viewer,
    activation::hex,
    doctor::{Finding, Severity},
    intake::line,
};

/// So many are listed at the most.
const MOST: u32 = 1_000;

/// So many are named by the doctor.
const NAMED: usize = 5;

/// So many characters has the id of one.
const ID: usize = 16;

/// A mail that is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldMailView {
    /// What it is known by.
    pub id: String,
    /// When it was held, RFC 3339.
    pub at: String,
    /// Who sent it, as far as that can be read.
    pub from: Option<String>,
    /// What it is about, as far as that can be read.
    pub subject: Option<String>,
    /// Why it is held.
    pub why: String,
}

impl From<HeldMail> for HeldMailView {
    fn from(held: HeldMail) -> Self {
        Self {
            id: held.id,
            at: held.at.to_string(),
            from: held.sender,
            subject: held.subject,
            why: held.reason,
        }
    }
}

impl App {
    /// Holds a mail, once.
    pub(super) async fn hold(
        &self,
        bytes: &[u8],
        mail: Option<&InboundMail>,
        reason: String,
    ) -> Result<TakenMail, AppError> {
        let mut id = hex(&Sha256::digest(bytes));
        id.truncate(ID);
        let held = HeldMail {
            id: id.clone(),
            reason,
            sender: mail.map(|mail| line(&mail.from.address)).filter(|from| !from.is_empty()),
            subject: mail.and_then(|mail| mail.subject.as_deref().map(line)),
            at: self.now(),
        };
        let mail = BASE64.encode(bytes);
        let first = self
            .store()
            .write(move |tx| Box::pin(async move { tx.held_mail_put(&held, &mail).await }))
            .await?;
        if first {
            tracing::info!(
                mail.id = id,
                "a mail became no message and is held; see `relata inbox`"
            );
        }
        Ok(TakenMail::Held(id))
    }

    /// The mails that are held, the oldest first.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the database does not answer.
    pub async fn held_mails(&self) -> Result<Vec<HeldMailView>, AppError> {
        let held = self.store().held_mail_list(MOST).await?;
        Ok(held.into_iter().map(HeldMailView::from).collect())
    }

    /// The mails that are held, for somebody who may see the host's affairs:
    /// without what customers wrote, unless they may see all messages.
    ///
    /// # Errors
    ///
    /// [`AccessError`] where they may not, or the database does not answer.
    pub async fn held_mails_as(&self, viewer: &Viewer) -> Result<Vec<HeldMailView>, AccessError> {
        self.must_may(viewer, Area::Operations, Doing::See).await?;
        let mut held = self.held_mails().await?;
        if !self.sees_all_messages(viewer)? {
            for mail in &mut held {
                (mail.from, mail.subject) = (None, None);
            }
        }
        Ok(held)
    }

    /// The text of a mail that is held, for somebody who may see the host's
    /// affairs and all messages; none for others, and where it is held no
    /// longer.
    ///
    /// # Errors
    ///
    /// [`AccessError`] where the database does not answer.
    pub async fn held_mail_text_as(
        &self,
        viewer: &Viewer,
        id: &str,
    ) -> Result<Option<String>, AccessError> {
        if !viewer.may(Area::Operations, Doing::See) || !self.sees_all_messages(viewer)? {
            return Ok(None);
        }
        match self.held_mail(id).await {
            Ok((_, bytes)) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(why) if why.is_wrong_input() => Ok(None),
            Err(why) => Err(why.into()),
        }
    }

    fn sees_all_messages(&self, viewer: &Viewer) -> Result<bool, AppError> {
        Ok(viewer.may_find(self.object("message")?, ""))
    }

    /// A mail that is held, as it came.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where none of this id is held.
    pub async fn held_mail(&self, id: &str) -> Result<(HeldMailView, Vec<u8>), AppError> {
        let found = self.store().held_mail_fetch(id).await?;
        let (held, mail) = found.ok_or_else(|| not_held(id))?;
        let bytes = BASE64
            .decode(mail)
            .map_err(|why| AppError::Fault(format!("the held mail {id} does not read: {why}")))?;
        Ok((held.into(), bytes))
    }

    /// Takes in a mail that was held, as if a person had written it.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where none of this id is held, or it cannot be a
    /// message; then it stays held.
    pub async fn release_mail(&self, id: &str) -> Result<TakenMessage, AppError> {
        let (_, bytes) = self.held_mail(id).await?;
        let cannot = |why: &str| AppError::wrong(format!("{id} cannot be a message: {why}"));
        let (bytes, read) = readable(bytes).await;
        let ReadMail { mail, files } = read.map_err(|why| cannot(&why))?;
        let mut message = self.message_of(&mail, files, &bytes);
        message.most_per_hour = None;
        let taken = match self.take_in(message, ACTOR).await {
            Ok(taken) => taken,
            Err(IntakeError::App(why)) => return Err(why),
            Err(IntakeError::Invalid(errors)) => return Err(cannot(&super::sentences(&errors))),
            Err(other) => return Err(cannot(&other.to_string())),
        };
        // A crash before this is no harm: to take it in again does nothing.
        self.drop_mail(id).await?;
        Ok(taken)
    }

    /// Forgets a mail that was held. In the mailbox it stays.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where none of this id is held.
    pub async fn drop_mail(&self, id: &str) -> Result<(), AppError> {
        let name = id.to_owned();
        let removed = self
            .store()
            .write(move |tx| Box::pin(async move { tx.held_mail_remove(&name).await }))
            .await?;
        if removed { Ok(()) } else { Err(not_held(id)) }
    }

    /// Mails that are held, and a mailbox that cannot be read.
    pub(crate) async fn look_at_the_inbox(&self, found: &mut Vec<Finding>) -> Result<(), AppError> {
        let held = self.store().held_mail_list(MOST).await?;
        if !held.is_empty() {
            let count = if held.len() < MOST as usize { "" } else { "at least " };
            let (noun, verb) = if held.len() == 1 { ("mail", "is") } else { ("mails", "are") };
            let what = format!("{count}{} {noun} came in and {verb} held", held.len());
            let mend = "`relata inbox` says why; `relata inbox release ID` takes one in, `relata inbox drop ID` does not";
            let ids: Vec<&String> = held.iter().take(NAMED).map(|held| &held.id).collect();
            found.push(Finding::new("held-mails", Severity::Note, what, mend).with(&ids));
        }
        if self.config().mail.inbox.is_none() {
            return Ok(());
        }
        let Some(fault) = self.store().setting_get(FAULT).await? else { return Ok(()) };
        if let (Some(since), Some(why)) = (fault["since"].as_str(), fault["why"].as_str()) {
            let what = format!("the mailbox could not be read since {since}: {why}");
            let mend = "mails wait there meanwhile, and come in by themselves when it can be";
            found.push(Finding::new("unread-mailbox", Severity::Warning, what, mend));
        }
        Ok(())
    }
}

fn not_held(id: &str) -> AppError {
    AppError::wrong(format!("no mail `{id}` is held; `relata inbox` lists those that are"))
}
