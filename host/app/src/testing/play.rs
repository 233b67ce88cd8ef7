//! What happens in a play.

use std::collections::BTreeMap;

use relata_engine::HappeningKind;
use relata_model::{FieldType, Fields, ObjectDefinition, Record, Reference, Value};
use relata_store::{Cause, Condition, EffectFilter, EffectKind, NewEvent, Operator, Query, Write};
use relata_workflow::{
    Trigger,
    test_file::{Deed, Target, When},
};
use serde_json::{Map, Value as Json};

use crate::{
    AppError, GivenInputs, NewAnswer, fresh,
    starts::webhook_event,
    testing::{
        rig::by_id,
        scene::{ACTOR, Scene},
    },
};

/// The object of questions that people answer.
const APPROVAL: &str = "approval";

/// The field by which an interaction belongs to a mail.
const MAIL: &str = "mail";

impl Scene<'_> {
    /// Moves the clock.
    pub(crate) async fn go(&mut self, when: &When) -> Result<(), AppError> {
        let to = match when {
            When::Now => return Ok(()),
            When::At(local) => self.at(*local)?,
            When::After(by) => self.after(*by)?,
        };
        if to < self.now() {
            return Err(AppError::wrong("the clock is past this time already"));
        }
        self.advance(to).await
    }

    /// Does what a play says, and everything that comes of it at once.
    pub(crate) async fn act(&mut self, deed: &Deed) -> Result<(), AppError> {
        match deed {
            Deed::Create { record, fields } => self.create(record, fields).await?,
            Deed::Change { target, fields } => {
                let reference = self.target(target).await?;
                let fields = fields.clone();
                self.write(Write::Update { reference, fields, if_revision: None }).await?;
            }
            Deed::Delete { target } => {
                let reference = self.target(target).await?;
                self.write(Write::Delete { reference, if_revision: None }).await?;
            }
            Deed::Event { name, about, data } => self.event(name, about.as_ref(), data).await?,
            Deed::Answer { role, user, answer, by, comment } => {
                let asked = Asked { role: role.as_deref(), user: user.as_ref() };
                self.answer(asked, answer, by.as_ref(), comment.as_deref()).await?;
            }
            Deed::Press { button, about, with } => {
                let workflow = self.workflow_of(button).await?;
                self.start(&workflow, about.as_ref(), with).await?;
            }
            Deed::Start { workflow, about, with } => {
                self.start(workflow, about.as_ref(), with).await?;
            }
            Deed::Webhook { name, body } => self.webhook(name, body).await?,
        }
        self.settle().await
    }

    async fn target(&self, target: &Target) -> Result<Reference, AppError> {
        match target {
            Target::Record(alias) => {
                Ok(self.names().get(alias).cloned().unwrap_or_else(|| alias.clone()))
            }
            Target::Newest(object) => {
                let newest = self.app()?.records_all(object).await?.pop();
                newest.map(|record| record.reference).ok_or_else(|| {
                    AppError::wrong(format!("there is no {object} that could be changed"))
                })
            }
        }
    }

    /// Makes a named event happen: by the change of the record that means it.
    async fn event(
        &mut self,
        name: &str,
        about: Option<&Reference>,
        data: &Fields,
    ) -> Result<(), AppError> {
        let objects = self.app()?.objects().clone();
        let (object, event) = objects
            .event(name)
            .ok_or_else(|| AppError::wrong(format!("no object declares an event `{name}`")))?;
        let names = self.names();
        let about = about.map(|about| id_of(about, &names));
        let mut fields: Fields =
            data.iter().map(|(name, value)| (name.clone(), by_id(value, &names))).collect();
        fields.insert(event.field.clone(), Value::Text(event.becomes.clone()));
        if let Some(reference) = self.changing(object, name, about.as_ref()).await? {
            self.write(Write::Update { reference, fields, if_revision: None }).await?;
            return Ok(());
        }
        if let Some(about) = &about
            && let Some(field) = event.about.iter().find(|field| leads_to(object, field, about))
        {
            fields.entry(field.clone()).or_insert_with(|| Value::Reference(about.clone()));
        }
        if event.key == MAIL && !fields.contains_key(MAIL) {
            let mail = self.last_mail(about.as_ref()).await?;
            fields.insert(MAIL.to_owned(), Value::Text(mail));
        }
        let now = self.now();
        let id = fresh::record_id(now);
        for (field, definition) in &object.fields {
            let text = matches!(definition.kind, FieldType::Text | FieldType::LongText);
            let given = fields.contains_key(field) || !definition.default.is_nothing();
            if definition.required && text && !given && definition.from_id.is_none() {
                fields.insert(field.clone(), Value::Text(format!("{name} {id}")));
            }
        }
        self.write(Write::Create { object: object.name.clone(), id, fields }).await.map(drop)
    }

    /// The record whose change is an event: the one that it is about, or the
    /// newest one that belongs to it and is not yet as the event makes it.
    async fn changing(
        &self,
        object: &ObjectDefinition,
        name: &str,
        about: Option<&Reference>,
    ) -> Result<Option<Reference>, AppError> {
        let Some(event) = object.events.get(name) else { return Ok(None) };
        if object.append_only {
            return Ok(None);
        }
        if let Some(about) = about.filter(|about| about.object == object.name) {
            return Ok(Some(about.clone()));
        }
        let records = self.app()?.records_all(&object.name).await?;
        let open = |record: &Record| record.field(&event.field).to_string() != event.becomes;
        let belongs = |record: &Record| {
            about.is_none_or(|about| {
                event.about.iter().any(|field| record.field(field).as_reference() == Some(about))
            })
        };
        Ok(records
            .into_iter()
            .rev()
            .find(|record| open(record) && belongs(record))
            .map(|record| record.reference))
    }

    /// The id of the last mail that somebody was sent.
    async fn last_mail(&self, to: Option<&Reference>) -> Result<String, AppError> {
        let mut effects =
            self.app()?.store().outbox_list(&EffectFilter::default(), u32::MAX).await?;
        effects.retain(|effect| {
            effect.kind == EffectKind::Mail
                && effect.sent_at.is_some()
                && (to.is_none() || effect.recipient.as_ref() == to)
        });
        let last = effects.into_iter().max_by_key(|effect| (effect.sent_at, effect.created_at));
        last.map(|effect| effect.id.to_string())
            .ok_or_else(|| AppError::wrong("no mail has been sent to which this could belong"))
    }

    /// Answers the newest open question.
    async fn answer(
        &mut self,
        asked: Asked<'_>,
        answer: &str,
        by: Option<&Reference>,
        comment: Option<&str>,
    ) -> Result<(), AppError> {
        let names = self.names();
        let (field, value) = match asked {
            Asked { user: Some(user), .. } => ("asked", Value::Reference(id_of(user, &names))),
            Asked { role, .. } => ("role", Value::Text(role.unwrap_or_default().to_owned())),
        };
        let filter = vec![
            Condition::equal("status", Value::Text("open".to_owned())),
            Condition::equal(field, value),
        ];
        let found = self.app()?.store().record_query(&Query::new(APPROVAL, filter)).await?;
        let Some(question) = found.records.into_iter().next_back() else {
            let whom = asked
                .user
                .map_or_else(|| asked.role.unwrap_or_default().to_owned(), ToString::to_string);
            return Err(AppError::wrong(format!("{whom} is asked nothing that is still open")));
        };
        let by = match (by.or(asked.user), asked.role) {
            (Some(by), _) => id_of(by, &names),
            (None, role) => self.who_has(role.unwrap_or_default()).await?,
        };
        let answer = NewAnswer {
            approval: question.reference,
            answer: answer.to_owned(),
            by,
            comment: comment.map(str::to_owned),
        };
        self.app()?.answer_approval(&answer).await.map(drop)
    }

    /// The first user who has a role.
    async fn who_has(&self, role: &str) -> Result<Reference, AppError> {
        let has = Condition::new("roles", Operator::Contains, Value::Text(role.to_owned()));
        let active = Condition::equal("active", Value::YesNo(true));
        let query = Query { limit: 1, ..Query::new("user", vec![has, active]) };
        let found = self.app()?.store().record_query(&query).await?;
        let user = found.records.into_iter().next().map(|record| record.reference);
        user.ok_or_else(|| {
            AppError::wrong(format!(
                "nobody has the role `{role}`; give somebody it in `given`: `user/ana: {{ roles: [{role}] }}`"
            ))
        })
    }

    /// The active workflow that has a button.
    async fn workflow_of(&self, button: &str) -> Result<String, AppError> {
        let active = self.app()?.active().await?;
        active
            .iter()
            .find(|(_, definition)| {
                definition.triggers.iter().any(
                    |trigger| matches!(trigger, Trigger::Button(found) if found.label == button),
                )
            })
            .map(|(_, definition)| definition.name.clone())
            .ok_or_else(|| AppError::wrong(format!("no active workflow has a button `{button}`")))
    }

    async fn start(
        &mut self,
        workflow: &str,
        about: Option<&Reference>,
        with: &BTreeMap<String, Value>,
    ) -> Result<(), AppError> {
        let names = self.names();
        let about = about.map(|about| id_of(about, &names));
        let inputs: Map<String, Json> = with
            .iter()
            .map(|(name, value)| (name.clone(), by_id(value, &names).to_json()))
            .collect();
        let inputs = GivenInputs::Json(inputs);
        self.app()?.start(workflow, about.as_ref(), &inputs, ACTOR).await.map(drop)
    }

    /// A call of another program, as if its signature were right.
    async fn webhook(&mut self, name: &str, body: &Json) -> Result<(), AppError> {
        let now = self.now();
        let event = NewEvent {
            id: fresh::event_id(now),
            at: now,
            kind: HappeningKind::Named {
                name: webhook_event(name),
                key: None,
                about: Vec::new(),
                data: Value::from_json(&named_json(body, &self.names())),
            },
            cause: Cause::outside(format!("webhook/{name}")),
        };
        self.app()?
            .store()
            .write(move |tx| Box::pin(async move { tx.event_emit(&event).await }))
            .await?;
        Ok(())
    }
}

/// Who is asked something.
#[derive(Clone, Copy)]
struct Asked<'a> {
    role: Option<&'a str>,
    user: Option<&'a Reference>,
}

/// A record by its id.
fn id_of(alias: &Reference, names: &BTreeMap<Reference, Reference>) -> Reference {
    names.get(alias).cloned().unwrap_or_else(|| alias.clone())
}

/// Whether a field can lead to a record.
fn leads_to(object: &ObjectDefinition, field: &str, record: &Reference) -> bool {
    object.field(field).is_some_and(|field| match &field.kind {
        FieldType::Reference(objects) => objects.is_empty() || objects.contains(&record.object),
        _ => false,
    })
}

/// JSON with records by their ids.
fn named_json(json: &Json, names: &BTreeMap<Reference, Reference>) -> Json {
    match json {
        Json::String(text) => {
            let id = text.parse::<Reference>().ok().and_then(|alias| names.get(&alias));
            Json::String(id.map_or_else(|| text.clone(), ToString::to_string))
        }
        Json::Array(items) => {
            Json::Array(items.iter().map(|item| named_json(item, names)).collect())
        }
        Json::Object(parts) => Json::Object(
            parts.iter().map(|(name, part)| (name.clone(), named_json(part, names))).collect(),
        ),
        other => other.clone(),
    }
}
