//! Mail in: a mailbox is emptied into tickets. A mail is marked in the mailbox
//! only when it is on the disk here: as a message, or held with the reason. A
//! crash between the two is made good by its Message-ID.

use std::{collections::BTreeMap, time::Duration};

use relata_channels::{
    Bounce, Fetched, InboundMail, Inbox, InboxConfig, InboxError, MailNature, OpenInbox, read_mail,
};
use relata_model::{FieldError, Fields, Reference, Timestamp, Value, text};
use relata_store::{Condition, Query};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::{
    App, AppError, Channel, InboundMessage, IntakeError, MessageFile, TakenMessage,
    activation::hex, attachments, intake::line, runner::later,
};

mod held;

pub use held::HeldMailView;

/// Who writes what comes in by mail.
const ACTOR: &str = "mail";

/// What one host does for all: looking into the mailbox.
const DUTY: &str = "inbox";

/// A host has that until its next look, and so much longer: for so long no mail
/// is fetched after it went down. A mail that takes longer to be fetched may be
/// fetched by another host as well, which finds that it was taken in.
const DUTY_SPARE: Duration = Duration::from_secs(5);

/// After so many failures a mail is passed over until the host starts again.
const MOST_FAILURES: u32 = 3;

/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// The longest text of a mail that is kept, characters.
const LONGEST_TEXT: usize = 500_000;

/// The longest Message-ID that is a key as it is, characters.
const LONGEST_KEY: usize = 200;

/// The longest reason that is told of a held mail, characters.
const LONGEST_WHY: usize = 500;

/// The setting that holds since when the mailbox cannot be read, and why.
pub(crate) const FAULT: &str = "inbox_fault";

/// What became of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakenMail {
    /// It is a message of a ticket.
    Message(TakenMessage),
    /// It says that a mail to this record did not arrive, and that is on the
    /// record's timeline.
    Bounced(Reference),
    /// It is held, under this id.
    Held(String),
}

/// Why the mailbox was not emptied.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Inbox(#[from] InboxError),
    #[error(transparent)]
    App(#[from] AppError),
}

impl App {
    /// The mailbox of the settings, if there is one that is to be read.
    pub(crate) fn inbox(&self) -> Result<Option<Inbox>, AppError> {
        let Some(config) = &self.config().mail.inbox else { return Ok(None) };
        if self.clock().is_manual() {
            tracing::info!("this is a rehearsal: the mailbox is not read");
            return Ok(None);
        }
        let config = InboxConfig {
            ca_file: config.ca_file.as_ref().map(|file| self.directory().root().join(file)),
            ..config.clone()
        };
        let inbox = Inbox::new(&config)
            .map_err(|why| AppError::wrong(format!("relata.toml, [mail.inbox]: {why}")))?;
        Ok(Some(inbox))
    }

    /// Empties the mailbox again and again until `halted`. What it met is told,
    /// and it goes on.
    pub(crate) async fn watch_inbox(
        &self,
        mut halted: watch::Receiver<bool>,
        inbox: Option<Inbox>,
        owner: &str,
    ) {
        let (Some(inbox), Some(config)) = (inbox, &self.config().mail.inbox) else { return };
        let every = look_every(config);
        let mut failed: BTreeMap<u32, u32> = BTreeMap::new();
        let mut failures = 0;
        // What `relata doctor` is told; nobody knows what it was told before.
        let mut told_well = None;
        loop {
            let looked = tokio::select! {
                _ = halted.wait_for(|halted| *halted) => return,
                looked = self.look_into(&inbox, config, owner, &mut failed) => looked,
            };
            let fault = match looked {
                Ok(()) => None,
                Err(why) => {
                    tracing::warn!(
                        error = &why as &dyn std::error::Error,
                        "the mailbox could not be emptied; it is tried again, and no mail is lost"
                    );
                    Some(why.to_string())
                }
            };
            let well = fault.is_none();
            failures = if well { 0 } else { failures + 1 };
            if told_well != Some(well) {
                match self.put_inbox_fault(fault).await {
                    Ok(()) => told_well = Some(well),
                    Err(why) => tracing::warn!(
                        error = &why as &dyn std::error::Error,
                        "the state of the mailbox was not noted"
                    ),
                }
            }
            let pause = every.saturating_mul(1 << failures.min(10)).min(LONGEST_PAUSE.max(every));
            tokio::select! {
                _ = halted.wait_for(|halted| *halted) => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Notes since when the mailbox cannot be read, for `relata doctor`.
    async fn put_inbox_fault(&self, why: Option<String>) -> Result<(), AppError> {
        let fault = why.map(|why| json!({ "since": self.now().to_string(), "why": why }));
        let fault = fault.unwrap_or_default();
        self.store()
            .write(move |tx| Box::pin(async move { tx.setting_put(FAULT, &fault).await }))
            .await?;
        Ok(())
    }

    /// Empties the mailbox once, if this host looks after it.
    async fn look_into(
        &self,
        inbox: &Inbox,
        config: &InboxConfig,
        owner: &str,
        failed: &mut BTreeMap<u32, u32>,
    ) -> Result<(), LookError> {
        if !self.on_inbox_duty(config, owner).await? {
            return Ok(());
        }
        self.check_queue(config).await?;
        let mut open = inbox.open().await?;
        let emptied = self.empty(&mut open, config, owner, failed).await;
        open.close().await;
        emptied
    }

    async fn on_inbox_duty(&self, config: &InboxConfig, owner: &str) -> Result<bool, AppError> {
        if !self.is_shared() {
            return Ok(true);
        }
        let now = self.now();
        let until = later(now, look_every(config).saturating_add(DUTY_SPARE));
        Ok(self.store().duty_take(DUTY, owner, now, until).await?)
    }

    /// Mails stay in the mailbox as long as the queue for their tickets is
    /// missing.
    async fn check_queue(&self, config: &InboxConfig) -> Result<(), AppError> {
        let Some(queue) = &config.queue else { return Ok(()) };
        let reference = Reference::new("queue", queue);
        match self.store().record_fetch(&reference).await? {
            Some(_) => Ok(()),
            None => Err(AppError::wrong(format!(
                "relata.toml, [mail.inbox]: there is no {reference}; make it, or name another one in `queue`"
            ))),
        }
    }

    async fn empty(
        &self,
        open: &mut OpenInbox<'_>,
        config: &InboxConfig,
        owner: &str,
        failed: &mut BTreeMap<u32, u32>,
    ) -> Result<(), LookError> {
        let waiting = open.waiting().await?;
        failed.retain(|mail, _| waiting.contains(mail));
        for mail in waiting {
            if failed.get(&mail).is_some_and(|failures| *failures >= MOST_FAILURES) {
                continue;
            }
            if !self.on_inbox_duty(config, owner).await? {
                return Ok(());
            }
            if let Err(why) = self.take_one(open, mail).await {
                let failures = failed.entry(mail).or_default();
                *failures += 1;
                if *failures >= MOST_FAILURES {
                    tracing::error!(
                        mail.uid = mail,
                        error = &why as &dyn std::error::Error,
                        "a mail could not be taken in again and again; it stays in the mailbox, and is tried again when the host starts"
                    );
                }
                return Err(why);
            }
            failed.remove(&mail);
        }
        Ok(())
    }

    async fn take_one(&self, open: &mut OpenInbox<'_>, mail: u32) -> Result<(), LookError> {
        match open.fetch(mail).await? {
            Fetched::Gone => return Ok(()),
            Fetched::Whole(bytes) => drop(self.take_mail(bytes).await?),
            Fetched::Head(head, size) => {
                let why = format!(
                    "it has {} MiB, which is too large to be fetched; it stays in the mailbox",
                    size >> 20
                );
                self.hold(&head, read_mail(&head).ok().as_ref(), why).await?;
            }
        }
        open.done(mail).await?;
        Ok(())
    }

    /// Takes in a mail: it becomes a message, or is held with the reason.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the database fails; then nothing is kept of it.
    pub async fn take_mail(&self, bytes: Vec<u8>) -> Result<TakenMail, AppError> {
        let (bytes, read) = readable(bytes).await;
        let ReadMail { mail, files } = match read {
            Ok(read) => read,
            Err(why) => return self.hold(&bytes, None, why).await,
        };
        let why = match &mail.nature {
            MailNature::Bounce(bounce) => match self.take_bounce(bounce).await? {
                Some(about) => return Ok(TakenMail::Bounced(about)),
                None => {
                    let why = "it says that a mail did not arrive which is not known here";
                    return self.hold(&bytes, Some(&mail), why.to_owned()).await;
                }
            },
            MailNature::Automatic(why) => Some(*why),
            MailNature::Written => None,
        };
        let mut message = self.message_of(&mail, files, &bytes);
        message.automatic = why.is_some();
        match self.take_in(message, ACTOR).await {
            Ok(taken) => Ok(TakenMail::Message(taken)),
            Err(IntakeError::App(why)) => Err(why),
            Err(refused) => {
                let why = match (refused, why) {
                    (IntakeError::Unrelated, Some(why)) => {
                        format!("a machine wrote it ({why}), and it belongs to no ticket")
                    }
                    (IntakeError::Invalid(errors), _) => sentences(&errors),
                    (other, _) => other.to_string(),
                };
                self.hold(&bytes, Some(&mail), why).await
            }
        }
    }

    /// A mail as a message of a customer.
    fn message_of(
        &self,
        mail: &InboundMail,
        files: Vec<MessageFile>,
        bytes: &[u8],
    ) -> InboundMessage {
        let config = self.config().mail.inbox.as_ref();
        let digest = || format!("sha256-{}", hex(&Sha256::digest(bytes)));
        let message_id = mail.message_id.clone().unwrap_or_else(digest);
        let key = match message_id.chars().count() {
            ..=LONGEST_KEY => message_id.clone(),
            _ => digest(),
        };
        let cut = |text: &str| text.chars().take(LONGEST_TEXT).collect::<String>();
        let queue = config.and_then(|config| config.queue.as_ref());
        let queue = queue
            .map(|queue| ("queue".to_owned(), Value::Reference(Reference::new("queue", queue))));
        InboundMessage {
            channel: Channel::Mail,
            from: mail.from.address.clone(),
            from_name: mail.from.name.clone(),
            subject: mail.subject.clone(),
            text: cut(&mail.text),
            whole: Some(cut(&mail.whole)),
            key: Some(key),
            message_id: Some(message_id),
            references: mail.references.clone(),
            sent_at: mail.date_ms.and_then(|date| Timestamp::from_millisecond(date).ok()),
            locale: mail
                .language
                .clone()
                .or_else(|| config.and_then(|config| config.locale.clone())),
            ticket: queue.into_iter().collect::<Fields>(),
            attachments: files,
            automatic: false,
            most_per_hour: config.map(|config| config.most_per_hour),
        }
    }

    /// Writes on the timeline of whoever should have got a mail that it did not
    /// arrive. None where nobody knows that mail.
    async fn take_bounce(&self, bounce: &Bounce) -> Result<Option<Reference>, AppError> {
        let Some(effect) = bounce.of.as_deref().and_then(|id| self.effect_of(id)) else {
            return Ok(None);
        };
        let (about, template) = match self.store().outbox_fetch(effect).await? {
            Some(effect) => (effect.recipient, effect.template),
            // Its row may be cleaned up; the line on the timeline is not.
            None => (self.recipient_by_timeline(&effect.to_string()).await?, None),
        };
        let Some(about) = about else { return Ok(None) };
        let once = format!("bounce:{effect}");
        let known = Reference::new("interaction", &once);
        if self.store().record_fetch(&known).await?.is_some() {
            return Ok(Some(about));
        }
        let mut fields = Fields::from([
            ("external_id".to_owned(), Value::Text(once)),
            ("about".to_owned(), Value::Reference(about.clone())),
            ("kind".to_owned(), Value::Text("mail_bounced".to_owned())),
            ("summary".to_owned(), Value::Text(line(&bounce.why))),
            ("mail".to_owned(), Value::Text(effect.to_string())),
            ("happened_at".to_owned(), Value::Time(self.now())),
        ]);
        if let Some(template) = template {
            fields.insert("template".to_owned(), Value::Text(template));
        }
        match self.create_record("interaction", fields, ACTOR).await {
            Ok(_) => Ok(Some(about)),
            // Another host may have been first.
            Err(_) if self.store().record_fetch(&known).await?.is_some() => Ok(Some(about)),
            Err(why) => Err(why),
        }
    }

    async fn recipient_by_timeline(&self, effect: &str) -> Result<Option<Reference>, AppError> {
        let of_mail = vec![Condition::equal("mail", Value::Text(effect.to_owned()))];
        let query = Query { limit: 1, ..Query::new("interaction", of_mail) };
        let found = self.store().record_query(&query).await?.records;
        Ok(found.first().and_then(|line| line.field("about").as_reference().cloned()))
    }
}

/// The pause between two looks into the mailbox.
fn look_every(config: &InboxConfig) -> Duration {
    Duration::from_secs(config.poll_seconds.max(1))
}

/// A mail that was read, and its files, which it has no longer itself.
struct ReadMail {
    mail: InboundMail,
    files: Vec<MessageFile>,
}

/// Reads a mail where it holds up nothing else, and brings nothing down.
async fn readable(bytes: Vec<u8>) -> (Vec<u8>, Result<ReadMail, String>) {
    let reading = tokio::task::spawn_blocking({
        let bytes = bytes.clone();
        move || {
            let mut mail = read_mail(&bytes).map_err(|why| why.to_string())?;
            let files = attachments::of_mail(std::mem::take(&mut mail.files));
            Ok(ReadMail { mail, files })
        }
    });
    match reading.await {
        Ok(read) => (bytes, read),
        Err(_) => (bytes, Err("reading it failed inside Relata; please report it".to_owned())),
    }
}

fn sentences(errors: &[FieldError]) -> String {
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    text::shortened(&told.join("; "), LONGEST_WHY)
}
