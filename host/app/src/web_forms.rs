//! Web forms: what an operator says of one, and the message that a visitor
//! sends by it, which becomes a ticket as a mail does.

use std::collections::BTreeMap;

use relata_model::{FieldType, Fields, ObjectDefinition, Record, Reference, Value, text};
use relata_store::{Condition, Query};
use url::Url;

use crate::{App, AppError, Channel, Finding, InboundMessage, IntakeError, Severity, fresh};

/// The object of the forms.
const OBJECT: &str = "form";

/// The longest line that a visitor types, characters.
const LONGEST_LINE: usize = 300;

/// The longest message, characters.
const LONGEST_MESSAGE: usize = 20_000;

/// How many messages an hour one address sends: an endless loop of a program,
/// or somebody who uses another's address.
const MOST_PER_HOUR: u32 = 20;

/// The ticket's fields that no visitor fills in: they follow from the message
/// and from the form, or say how far the ticket is.
const NEVER_ASKED: &[&str] = &[
    "ref",
    "customer",
    "subject",
    "body",
    "channel",
    "type",
    "category",
    "queue",
    "status",
    "follows",
    "owner",
    "team",
    "external_id",
    "tags",
    // What the page itself sends.
    "name",
    "email",
    "message",
    "nonce",
    "seal",
    "website",
];

/// A form that takes messages.
#[derive(Debug, Clone, PartialEq)]
pub struct WebForm {
    record: Record,
    asks: Vec<AskedField>,
}

/// A field of the ticket that a form asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedField {
    /// The field of the ticket.
    pub name: String,
    /// What it holds.
    pub kind: FieldType,
    /// Whether it must be filled in.
    pub required: bool,
    label: String,
    labels: BTreeMap<String, String>,
}

impl AskedField {
    /// What it is called in a language.
    #[must_use]
    pub fn label(&self, language: &str) -> &str {
        self.labels.get(language).unwrap_or(&self.label)
    }

    /// Reads `order_ref*: Order number | de: Bestellnummer`. The error says
    /// what is wrong with it.
    fn read(ticket: &ObjectDefinition, written: &str) -> Result<Self, String> {
        let mut parts = written.split('|');
        let first = parts.next().unwrap_or_default();
        let (name, label) = first.split_once(':').unwrap_or((first, ""));
        let (name, required) = match name.trim().strip_suffix('*') {
            Some(name) => (name.trim_end(), true),
            None => (name.trim(), false),
        };
        let Some(field) = ticket.field(name) else {
            let known = ticket.fields.keys().map(String::as_str);
            let hint = text::nearest(name, known)
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Err(format!("`{name}` is no field of ticket{hint}"));
        };
        let is_asked = !field.read_only
            && !NEVER_ASKED.contains(&name)
            && !matches!(field.kind, FieldType::Reference(_) | FieldType::Texts);
        if !is_asked {
            return Err(format!("`{name}` is nothing that a visitor can fill in"));
        }
        let mut labels = BTreeMap::new();
        for part in parts {
            let Some((language, label)) = part.split_once(':') else {
                return Err(format!("`{}` of `{name}` is no label such as `de: …`", part.trim()));
            };
            labels.insert(language.trim().to_owned(), label.trim().to_owned());
        }
        let label = Some(label.trim()).filter(|label| !label.is_empty());
        Ok(Self {
            name: name.to_owned(),
            kind: field.kind.clone(),
            required,
            label: label.map_or_else(|| name.replace('_', " "), str::to_owned),
            labels,
        })
    }
}

impl WebForm {
    /// The last part of its address.
    #[must_use]
    pub fn slug(&self) -> &str {
        self.record.field("external_id").as_text().unwrap_or_default()
    }

    /// The heading.
    #[must_use]
    pub fn title(&self, language: &str) -> &str {
        self.said("title", language).unwrap_or_default()
    }

    /// What stands below it.
    #[must_use]
    pub fn intro(&self, language: &str) -> Option<&str> {
        self.said("intro", language)
    }

    /// What is said when a message has arrived.
    #[must_use]
    pub fn thanks(&self, language: &str) -> Option<&str> {
        self.said("thanks", language)
    }

    fn said(&self, field: &str, language: &str) -> Option<&str> {
        let translated = self.record.field(&format!("{field}_{language}")).as_text();
        translated.or_else(|| self.record.field(field).as_text())
    }

    /// The languages that its page can be in; none: all that there are.
    #[must_use]
    pub fn languages(&self) -> Vec<&str> {
        self.record.field("languages").texts().collect()
    }

    /// What it asks beside name, address, subject and message.
    #[must_use]
    pub fn asks(&self) -> &[AskedField] {
        &self.asks
    }

    /// The sites in whose pages it may stand, such as `https://www.example.com`.
    #[must_use]
    pub fn origins(&self) -> Vec<String> {
        self.record.field("allowed_origins").texts().filter_map(origin).collect()
    }
}

/// What a visitor typed.
#[derive(Debug, Clone, Copy)]
pub struct FormMessage<'a> {
    /// Who they are.
    pub name: &'a str,
    /// Where an answer goes.
    pub email: &'a str,
    /// What it is about.
    pub subject: &'a str,
    /// What they say.
    pub message: &'a str,
    /// What else was asked, by the ticket's fields.
    pub asked: &'a BTreeMap<String, String>,
    /// What the page drew when it was opened: the same message twice is one.
    pub nonce: &'a str,
    /// The language in which they read the page.
    pub language: &'a str,
}

/// What is wrong with a field of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormFault {
    /// It must be filled in.
    Missing,
    /// It is longer than so many characters.
    TooLong(usize),
    /// It is no mail address.
    NoAddress,
    /// It is not what the field takes.
    Wrong,
}

/// Why a message is not taken.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    /// Fields that cannot be so, all of them, by their names.
    #[error("some of the form cannot be so")]
    Invalid(BTreeMap<String, FormFault>),
    /// Another message was sent from the same page.
    #[error("another message was sent from this page")]
    SentBefore,
    /// This address writes too often.
    #[error("this address sends too much")]
    TooMany,
    /// A fault of ours.
    #[error(transparent)]
    App(#[from] AppError),
}

impl App {
    /// The form at an address; none where there is none that takes messages.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn web_form(&self, slug: &str) -> Result<Option<WebForm>, AppError> {
        let found = self.store().record_fetch(&Reference::new(OBJECT, slug)).await?;
        // By its id it has no page: that would be a second address.
        let found = found.filter(|form| {
            form.field("external_id").as_text() == Some(slug)
                && form.field("active") != &Value::YesNo(false)
        });
        let Some(record) = found else { return Ok(None) };
        let (asks, _) = self.asked_by(&record)?;
        Ok(Some(WebForm { record, asks }))
    }

    /// The fields that a form asks, and what is wrong with those that it
    /// cannot ask.
    fn asked_by(&self, form: &Record) -> Result<(Vec<AskedField>, Vec<String>), AppError> {
        let ticket = self.object("ticket")?;
        let (mut asks, mut wrong) = (Vec::new(), Vec::new());
        for written in form.field("asks").texts() {
            match AskedField::read(ticket, written) {
                Ok(field) => asks.push(field),
                Err(why) => wrong.push(why),
            }
        }
        Ok((asks, wrong))
    }

    /// What a page draws when it is opened.
    #[must_use]
    pub fn draw_nonce(&self) -> String {
        fresh::uuid(self.now()).simple().to_string()
    }

    /// Takes a visitor's message; answers what the ticket is called. The same
    /// message of the same page again is the same ticket.
    ///
    /// # Errors
    ///
    /// [`FormError`] says why it is not taken.
    pub async fn send_form(
        &self,
        form: &WebForm,
        given: FormMessage<'_>,
    ) -> Result<String, FormError> {
        let ticket = self.ticket_of(form, given).map_err(FormError::Invalid)?;
        let message = InboundMessage {
            channel: Channel::Web,
            from: given.email.trim().to_owned(),
            from_name: Some(given.name.to_owned()),
            subject: Some(given.subject.to_owned()),
            text: given.message.to_owned(),
            key: Some(given.nonce.to_owned()),
            locale: Some(given.language.to_owned()),
            ticket,
            most_per_hour: Some(MOST_PER_HOUR),
            ..InboundMessage::default()
        };
        match self.take_in(message, &format!("form/{}", form.slug())).await {
            Ok(taken) => Ok(taken.ticket_ref),
            Err(IntakeError::KeyReused) => Err(FormError::SentBefore),
            Err(IntakeError::TooMany(_)) => Err(FormError::TooMany),
            Err(IntakeError::Invalid(errors)) => {
                let faults = errors.into_iter().map(|error| {
                    let field =
                        if error.field == "from" { "email".to_owned() } else { error.field };
                    (field, FormFault::Wrong)
                });
                Err(FormError::Invalid(faults.collect()))
            }
            Err(IntakeError::App(why)) => Err(why.into()),
            // The page drew the key, and people typed it.
            Err(why @ (IntakeError::WrongKey(_) | IntakeError::Unrelated)) => {
                Err(AppError::Fault(why.to_string()).into())
            }
        }
    }

    /// The fields of the ticket that a message opens; all that is wrong with
    /// what was typed.
    fn ticket_of(
        &self,
        form: &WebForm,
        given: FormMessage<'_>,
    ) -> Result<Fields, BTreeMap<String, FormFault>> {
        let mut faults = BTreeMap::new();
        for (name, typed, longest) in [
            ("name", given.name, LONGEST_LINE),
            ("email", given.email, LONGEST_LINE),
            ("subject", given.subject, LONGEST_LINE),
            ("message", given.message, LONGEST_MESSAGE),
        ] {
            if typed.trim().is_empty() {
                faults.insert(name.to_owned(), FormFault::Missing);
            } else if typed.chars().count() > longest {
                faults.insert(name.to_owned(), FormFault::TooLong(longest));
            }
        }
        if !faults.contains_key("email") && text::mail_address(given.email).is_none() {
            faults.insert("email".to_owned(), FormFault::NoAddress);
        }
        let mut fields = Fields::new();
        for name in ["type", "category", "queue"] {
            fields.insert(name.to_owned(), form.record.field(name).clone());
        }
        let zone = self.zone();
        for field in &form.asks {
            let typed = given.asked.get(&field.name).map_or("", String::as_str);
            let longest = match field.kind {
                FieldType::LongText => LONGEST_MESSAGE,
                _ => LONGEST_LINE,
            };
            let fault = match field.kind.parse(typed, &zone) {
                _ if typed.chars().count() > longest => FormFault::TooLong(longest),
                Err(_) => FormFault::Wrong,
                Ok(Value::Nothing) if field.required => FormFault::Missing,
                Ok(value) => {
                    fields.insert(field.name.clone(), value);
                    continue;
                }
            };
            faults.insert(field.name.clone(), fault);
        }
        if faults.is_empty() { Ok(fields) } else { Err(faults) }
    }

    /// Forms that ask or allow what cannot be.
    pub(crate) async fn look_at_forms(&self, found: &mut Vec<Finding>) -> Result<(), AppError> {
        let active = Condition::equal("active", Value::YesNo(true));
        let mut wrong = Vec::new();
        let mut pages = self.pages(Query::new(OBJECT, vec![active]));
        while let Some(forms) = pages.next().await? {
            for form in forms {
                let handle = form.handle();
                let (_, mut faults) = self.asked_by(&form)?;
                let sites = form.field("allowed_origins").texts();
                let sites = sites.filter(|site| origin(site).is_none());
                faults
                    .extend(sites.map(|site| {
                        format!("`{site}` is no site such as https://www.example.com")
                    }));
                if form.field("external_id").is_nothing() {
                    faults.push("it has no external_id, and so no address".to_owned());
                }
                wrong.extend(faults.into_iter().map(|why| format!("{handle}: {why}")));
            }
        }
        if !wrong.is_empty() {
            let what = "forms say what cannot be, and their pages leave it out".to_owned();
            let mend = "mend it by `relata records set form/NAME …` (docs/surveys-and-forms.md)";
            found.push(Finding::new("wrong-form", Severity::Warning, what, mend).with(&wrong));
        }
        Ok(())
    }
}

/// The site of an address, as a content security policy names it; none where it
/// is none. Nothing else of what an operator writes gets into a header.
fn origin(written: &str) -> Option<String> {
    let url = Url::parse(written.trim()).ok()?;
    let is_site = matches!(url.scheme(), "https" | "http") && url.path() == "/";
    (is_site && url.query().is_none() && url.fragment().is_none() && url.username().is_empty())
        .then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use relata_model::Objects;

    use super::*;

    fn asked(written: &str) -> Result<AskedField, String> {
        AskedField::read(Objects::standard().get("ticket").expect("tickets"), written)
    }

    #[test]
    fn a_form_asks_fields_of_the_ticket_in_its_own_words() {
        let field =
            asked("priority* : How urgent is it? | de: Wie eilig ist es?|zh:紧急程度").unwrap();
        assert_eq!((field.name.as_str(), field.required), ("priority", true));
        assert_eq!(field.label("en"), "How urgent is it?");
        assert_eq!(field.label("de"), "Wie eilig ist es?");
        assert_eq!(field.label("zh"), "紧急程度");
        let bare = asked("reply_due_at").unwrap();
        assert_eq!((bare.label("de"), bare.required), ("reply due at", false));
    }

    #[test]
    fn what_it_cannot_ask_is_told() {
        for (written, why) in [
            ("prioritty: Urgent?", "`prioritty` is no field of ticket; did you mean `priority`?"),
            ("customer", "`customer` is nothing that a visitor can fill in"),
            ("status*", "`status` is nothing that a visitor can fill in"),
            ("created_at", "`created_at` is nothing that a visitor can fill in"),
            ("priority: A | deutsch", "`deutsch` of `priority` is no label such as `de: …`"),
        ] {
            assert_eq!(asked(written).unwrap_err(), why);
        }
    }

    #[test]
    fn a_site_is_a_site_and_nothing_more() {
        assert_eq!(origin("https://www.example.com").as_deref(), Some("https://www.example.com"));
        assert_eq!(origin("https://a.example:8443/").as_deref(), Some("https://a.example:8443"));
        assert_eq!(
            origin("https://münchen.example").as_deref(),
            Some("https://xn--mnchen-3ya.example")
        );
        for wrong in [
            "",
            "www.example.com",
            "*",
            "https://a.example/page",
            "https://a.example; script-src *",
            "'self'",
            "javascript:alert(1)",
            "https://me@a.example",
        ] {
            assert_eq!(origin(wrong), None, "{wrong}");
        }
    }
}
