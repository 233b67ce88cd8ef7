//! Webhooks: another program calls, and a workflow starts. A call is in the
//! event log before it is answered, so that nothing is lost between the answer
//! and the run.

use relata_engine::HappeningKind;
use relata_model::{EventId, FieldError, Value, text};
use relata_store::{Cause, NewEvent};
use relata_workflow::{Input, Trigger, Webhook, inputs_from_json};
use serde_json::{Map, Value as Json};

use crate::{
    App, AppError, fresh,
    signature::{Key, Signed},
    starts::webhook_event,
};

/// The longest `webhook-id`, characters.
const LONGEST_ID: usize = 256;

/// How many names of fields an answer repeats.
const MOST_IGNORED: usize = 50;

/// The longest name that an answer repeats, characters.
const LONGEST_NAME: usize = 100;

/// A call as it came.
#[derive(Debug, Clone, Copy, Default)]
pub struct WebhookCall<'a> {
    /// The last part of the address.
    pub name: &'a str,
    /// The header `webhook-id`.
    pub id: Option<&'a str>,
    /// The header `webhook-timestamp`.
    pub timestamp: Option<&'a str>,
    /// The header `webhook-signature`.
    pub signature: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// A call that is in the event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookReceipt {
    /// The event that it is; of the first call with its id.
    pub event: EventId,
    /// Whether a call with its id came before: then this one does nothing.
    pub repeated: bool,
    /// The fields of the body that no input takes.
    pub ignored: Vec<String>,
}

/// Why a call is not taken in.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// No active workflow has a webhook of this name.
    #[error("there is no such webhook")]
    Unknown,
    /// The signature is missing, wrong, or too old.
    #[error("the signature is missing, wrong or too old")]
    Signature,
    /// The operators have not set it up; the log says what is missing.
    #[error("this webhook is not set up yet")]
    NotSetUp,
    /// The id is too long.
    #[error("the header webhook-id is longer than {LONGEST_ID} characters")]
    LongId,
    /// The body is no JSON object.
    #[error("{0}")]
    NoObject(String),
    /// The body is not what the workflow takes: all that is wrong.
    #[error("the body is not what the workflow takes")]
    Inputs(Vec<FieldError>),
    /// A fault of ours.
    #[error(transparent)]
    App(#[from] AppError),
}

/// What the active workflows say of a webhook.
struct Target {
    secret: Option<String>,
    /// The inputs of each workflow that it starts.
    inputs: Vec<Vec<Input>>,
}

impl App {
    /// Takes in a call: once for each id. The workflows that it starts begin
    /// as soon as the runner comes to it.
    ///
    /// # Errors
    ///
    /// [`WebhookError`] says why it is not taken in; nothing is kept of it.
    pub async fn receive_webhook(
        &self,
        call: WebhookCall<'_>,
    ) -> Result<WebhookReceipt, WebhookError> {
        let target = self.target(call.name).await?.ok_or(WebhookError::Unknown)?;
        let now = self.now();
        if let Some(secret) = &target.secret {
            let key = self.webhook_key(call.name, secret)?;
            let signed = Signed {
                id: call.id,
                timestamp: call.timestamp,
                signatures: call.signature,
                body: call.body,
            };
            signed.verify(&key, now).map_err(|why| {
                tracing::info!(webhook = call.name, "a call was refused: {why}");
                WebhookError::Signature
            })?;
        }
        let id = call.id.map(str::trim).filter(|id| !id.is_empty());
        if id.is_some_and(|id| id.chars().count() > LONGEST_ID) {
            return Err(WebhookError::LongId);
        }
        if let Some(id) = id
            && let Some(event) =
                self.store().webhook_call(call.name, id).await.map_err(AppError::from)?
        {
            return Ok(WebhookReceipt { event, repeated: true, ignored: Vec::new() });
        }
        let body = object(call.body)?;
        let ignored = self.check_body(&target, &body).await?;
        let event = NewEvent {
            id: fresh::event_id(now),
            at: now,
            kind: HappeningKind::Named {
                name: webhook_event(call.name),
                key: None,
                about: Vec::new(),
                data: Value::from_json(&Json::Object(body)),
            },
            cause: Cause::outside(format!("webhook/{}", call.name)),
        };
        let (name, id) = (call.name.to_owned(), id.map(str::to_owned));
        let (event, first) = self
            .store()
            .write(move |tx| {
                Box::pin(async move { tx.webhook_receive(&name, id.as_deref(), &event).await })
            })
            .await
            .map_err(AppError::from)?;
        Ok(WebhookReceipt { event, repeated: !first, ignored })
    }

    /// What the active workflows say of a webhook; none where none has it.
    async fn target(&self, name: &str) -> Result<Option<Target>, WebhookError> {
        let active = self.active().await?;
        let having: Vec<(&str, &Webhook, &[Input])> = active
            .iter()
            .flat_map(|(_, definition)| {
                definition.triggers.iter().filter_map(|trigger| match trigger {
                    Trigger::Webhook(webhook) if webhook.name == name => {
                        Some((definition.name.as_str(), webhook, definition.inputs.as_slice()))
                    }
                    _ => None,
                })
            })
            .collect();
        let Some((first, webhook, _)) = having.first() else { return Ok(None) };
        // A caller signs once: nobody can tell which of two secrets is meant,
        // and one workflow must not open the door of another.
        if let Some((other, ..)) =
            having.iter().find(|(_, other, _)| other.secret != webhook.secret)
        {
            tracing::error!(
                webhook = name,
                "the workflows {first} and {other} have the same webhook with different secrets; give one of them another name"
            );
            return Err(WebhookError::NotSetUp);
        }
        Ok(Some(Target {
            secret: webhook.secret.clone(),
            inputs: having.iter().map(|(_, _, inputs)| inputs.to_vec()).collect(),
        }))
    }

    fn webhook_key(&self, webhook: &str, name: &str) -> Result<Key, WebhookError> {
        let why = match self.secret(name) {
            Ok(Some(secret)) => match Key::of(&secret) {
                Ok(key) => return Ok(key),
                Err(why) => format!("the secret `{name}` {why}"),
            },
            Ok(None) => {
                format!("there is no secret `{name}`; set it by `relata secret set {name}`")
            }
            Err(why) => why.to_string(),
        };
        tracing::error!(webhook, "a call was refused: {why}");
        Err(WebhookError::NotSetUp)
    }

    /// Checks a body against every workflow that it starts; answers which of
    /// its fields none of them takes.
    async fn check_body(
        &self,
        target: &Target,
        body: &Map<String, Json>,
    ) -> Result<Vec<String>, WebhookError> {
        let mut wrong: Vec<FieldError> = Vec::new();
        for inputs in &target.inputs {
            let mut read = inputs_from_json(inputs, body);
            self.resolve_inputs(&mut read).await?;
            for error in read.wrong {
                if !wrong.contains(&error) {
                    wrong.push(error);
                }
            }
        }
        if !wrong.is_empty() {
            return Err(WebhookError::Inputs(wrong));
        }
        let taken = |name: &str| target.inputs.iter().flatten().any(|input| input.name == name);
        Ok(body
            .keys()
            .filter(|name| !taken(name))
            .take(MOST_IGNORED)
            .map(|name| text::shortened(name, LONGEST_NAME))
            .collect())
    }
}

/// The fields of a body.
fn object(body: &[u8]) -> Result<Map<String, Json>, WebhookError> {
    let refused = |what: &str| {
        WebhookError::NoObject(format!("the body is {what}; send a JSON object, such as {{}}"))
    };
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(refused("empty"));
    }
    match serde_json::from_slice(body) {
        Ok(Json::Object(fields)) => Ok(fields),
        Ok(Json::Array(_)) => Err(refused("a JSON list")),
        Ok(_) => Err(refused("a single JSON value")),
        Err(why) => Err(refused(&format!("not JSON ({why})"))),
    }
}
