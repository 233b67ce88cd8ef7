//! What customers no longer want to get: the link of a mail with which they
//! say so, without a password and without a question.

use relata_model::{Fields, Record, RecordId, Reference, Value};
use relata_store::Write;

use crate::{App, AppError, Purpose, links::LinkKind};

/// Mails of one purpose to one person.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    record: Record,
    purpose: Purpose,
}

impl Subscription {
    /// The language that they are written to in.
    #[must_use]
    pub fn locale(&self) -> Option<&str> {
        self.record.field("locale").as_text()
    }

    /// What the mails are for.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Whether they still come.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.purpose.consent().is_some_and(|field| self.record.field(field) != &Value::YesNo(false))
    }
}

impl App {
    /// The link with which somebody says that they want no more mails of this
    /// purpose; none where `public_url` is not set, or the mail is part of
    /// what they asked for.
    pub(crate) async fn unsubscribe_link(
        &self,
        purpose: Purpose,
        to: &Record,
    ) -> Result<Option<String>, AppError> {
        let has = purpose.consent().is_some_and(|field| {
            self.objects()
                .get(&to.reference.object)
                .is_some_and(|object| object.field(field).is_some())
        });
        let kind = LinkKind::ending(purpose).filter(|_| has);
        match (kind, to.reference.key.parse::<RecordId>()) {
            (Some(kind), Ok(id)) => self.link(kind, id).await,
            _ => Ok(None),
        }
    }

    /// What such a link is about; none where it is none of ours, or whoever
    /// got the mail is no longer here.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn subscription(&self, token: &str) -> Result<Option<Subscription>, AppError> {
        for purpose in [Purpose::Marketing, Purpose::Survey] {
            let (Some(kind), Some(field)) = (LinkKind::ending(purpose), purpose.consent()) else {
                continue;
            };
            let Some(id) = self.linked(kind, token).await? else { continue };
            // Leads of a company may have a consent as well as contacts.
            for object in self.objects().iter().filter(|object| object.field(field).is_some()) {
                let reference = Reference::new(&object.name, id.to_string());
                if let Some(record) = self.store().record_fetch(&reference).await? {
                    return Ok(Some(Subscription { record, purpose }));
                }
            }
        }
        Ok(None)
    }

    /// Somebody wants no more of these mails. To say so again changes
    /// nothing.
    ///
    /// # Errors
    ///
    /// The database's, or what else the record does not take.
    pub async fn unsubscribe(&self, subscription: &Subscription) -> Result<(), AppError> {
        let Some(field) = subscription.purpose.consent() else { return Ok(()) };
        let reference = subscription.record.reference.clone();
        let who = reference.to_string();
        let fields = Fields::from([(field.to_owned(), Value::YesNo(false))]);
        self.write_record(Write::Update { reference, fields, if_revision: None }, &who).await?;
        Ok(())
    }
}
