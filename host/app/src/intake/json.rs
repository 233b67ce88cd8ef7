//! A message as another program sends it.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use relata_model::{FieldError, Timestamp, text};
use serde_json::{Map, Value as Json};

use super::{InboundMessage, IntakeError, OWN_FIELDS};
use crate::{App, MessageFile, attachments};

/// What a message may have.
const FIELDS: [&str; 12] = [
    "from",
    "name",
    "subject",
    "text",
    "channel",
    "id",
    "answers",
    "sent_at",
    "locale",
    "automatic",
    "ticket",
    "attachments",
];

/// What one of its files may have.
const OF_FILE: [&str; 3] = ["name", "type", "content"];

/// So many files may it have.
const MOST_FILES: usize = 100;

/// A file as it is written.
const FILE: &str =
    r#"{"name": "order.pdf", "type": "application/pdf", "content": "its bytes in base64"}"#;

/// So many messages may one answer.
const MOST_ANSWERED: usize = 50;

/// The longest name that an answer repeats, characters.
const LONGEST_NAME: usize = 48;

impl App {
    /// Reads a message of another program.
    ///
    /// # Errors
    ///
    /// [`IntakeError::Invalid`] with all that is wrong.
    pub fn read_message(&self, json: &Map<String, Json>) -> Result<InboundMessage, IntakeError> {
        let mut reader = Reader { json, wrong: Vec::new() };
        reader.check_names(&FIELDS);
        let from = reader.required("from", "anna@example.com");
        let text = reader.required("text", "Where is my order?");
        let mut message = InboundMessage {
            from,
            text,
            from_name: reader.text("name"),
            subject: reader.text("subject"),
            channel: reader.parsed("channel", str::parse).unwrap_or_default(),
            message_id: reader.text("id"),
            references: reader.texts("answers"),
            sent_at: reader.parsed("sent_at", |text: &str| {
                let why = || "takes a time such as 2026-12-24T18:00:00+01:00".to_owned();
                text.parse::<Timestamp>().map_err(|_| why())
            }),
            locale: reader.text("locale"),
            automatic: reader.yes("automatic"),
            attachments: reader.files("attachments"),
            ..InboundMessage::default()
        };
        self.read_ticket(&mut reader, &mut message)?;
        reader.wrong.extend(attachments::too_much(&message.attachments, self.most_of_files()));
        if reader.wrong.is_empty() { Ok(message) } else { Err(IntakeError::Invalid(reader.wrong)) }
    }

    /// The further fields of the ticket that it may open.
    fn read_ticket(
        &self,
        reader: &mut Reader<'_>,
        message: &mut InboundMessage,
    ) -> Result<(), IntakeError> {
        let fields = match reader.given("ticket") {
            None => return Ok(()),
            Some(Json::Object(fields)) => fields,
            Some(_) => {
                reader.fault("ticket", "takes an object, such as {\"queue\": \"queue/support\"}");
                return Ok(());
            }
        };
        let ticket = self.object("ticket")?;
        for (name, json) in fields {
            let place = format!("ticket.{}", text::shortened(name, LONGEST_NAME));
            let read = match ticket.field(name) {
                _ if OWN_FIELDS.contains(&name.as_str()) => {
                    Err("follows from the message itself".to_owned())
                }
                Some(field) => field.kind.read(json),
                None => {
                    let known = ticket.fields.keys().map(String::as_str);
                    let hint = text::nearest(name, known)
                        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                    Err(format!("a ticket has no such field{hint}"))
                }
            };
            match read {
                Ok(value) => drop(message.ticket.insert(name.clone(), value)),
                Err(why) => reader.fault(&place, &why),
            }
        }
        Ok(())
    }
}

/// The fields of a message, and what is wrong with them.
struct Reader<'j> {
    json: &'j Map<String, Json>,
    wrong: Vec<FieldError>,
}

impl<'j> Reader<'j> {
    fn given(&self, name: &str) -> Option<&'j Json> {
        self.json.get(name).filter(|value| !value.is_null())
    }

    fn fault(&mut self, field: &str, why: &str) {
        self.wrong.push(FieldError::new(field, why));
    }

    fn check_names(&mut self, known: &[&str]) {
        for name in self.json.keys().filter(|name| !known.contains(&name.as_str())) {
            let hint = text::nearest(name, known.iter().copied()).map_or_else(
                || format!("it has {}", known.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            let why = format!("a message has no such field; {hint}");
            self.wrong.push(FieldError::new(text::shortened(name, LONGEST_NAME), why));
        }
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.given(name)? {
            Json::String(text) => Some(text.clone()),
            _ => {
                self.fault(name, "takes text");
                None
            }
        }
    }

    fn required(&mut self, name: &str, example: &str) -> String {
        if self.given(name).is_none() {
            self.fault(name, &format!("is missing; a message has it, such as `{example}`"));
        }
        self.text(name).unwrap_or_default()
    }

    fn parsed<T>(&mut self, name: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(name)?;
        read(&text).map_err(|why| self.fault(name, &why)).ok()
    }

    fn texts(&mut self, name: &str) -> Vec<String> {
        let items = match self.given(name) {
            None => return Vec::new(),
            Some(Json::Array(items)) if items.len() <= MOST_ANSWERED => items,
            Some(Json::Array(items)) => {
                let why = format!("names {} messages; at most {MOST_ANSWERED}", items.len());
                self.fault(name, &why);
                return Vec::new();
            }
            Some(Json::String(one)) => return vec![one.clone()],
            Some(_) => {
                self.fault(name, "takes the ids of messages, such as [\"chat-17/4\"]");
                return Vec::new();
            }
        };
        let texts: Option<Vec<String>> =
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        if texts.is_none() {
            self.fault(name, "takes the ids of messages, such as [\"chat-17/4\"]");
        }
        texts.unwrap_or_default()
    }

    fn files(&mut self, name: &str) -> Vec<MessageFile> {
        let items = match self.given(name) {
            None => return Vec::new(),
            Some(Json::Array(items)) if items.len() <= MOST_FILES => items,
            Some(Json::Array(items)) => {
                let why = format!("are {} files; at most {MOST_FILES}", items.len());
                self.fault(name, &why);
                return Vec::new();
            }
            Some(_) => {
                self.fault(name, &format!("takes a list of files, such as [{FILE}]"));
                return Vec::new();
            }
        };
        let mut files = Vec::new();
        for (place, item) in items.iter().enumerate() {
            match file(item) {
                Ok(file) => files.push(file),
                Err(why) => self.fault(&format!("{name}[{place}]"), &why),
            }
        }
        files
    }

    fn yes(&mut self, name: &str) -> bool {
        match self.given(name) {
            None => false,
            Some(Json::Bool(yes)) => *yes,
            Some(_) => {
                self.fault(name, "takes true or false");
                false
            }
        }
    }
}

/// A file of a message; the error says what is wrong with it.
fn file(json: &Json) -> Result<MessageFile, String> {
    let Json::Object(fields) = json else { return Err(format!("takes a file, such as {FILE}")) };
    if let Some(other) = fields.keys().find(|field| !OF_FILE.contains(&field.as_str())) {
        let other = text::shortened(other, LONGEST_NAME);
        return Err(format!("has no `{other}`; a file has {}", OF_FILE.join(", ")));
    }
    let text = |name: &str| match fields.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(format!("`{name}` takes text")),
    };
    let (name, kind) = (text("name")?, text("type")?);
    let content = text("content")?.ok_or("lacks its `content`, its bytes in base64")?;
    let content = BASE64.decode(content);
    let content = content.map_err(|why| format!("`content` is no base64 (RFC 4648): {why}"))?;
    Ok(MessageFile::new(name, kind.unwrap_or_default(), content))
}
