//! One record: its fields, what names it, what happened to it, and what can be
//! done with it.

use askama::Template;
use axum::{extract::Path, response::Response};
use relata_app::{
    AccessError,
    model::{Act, FieldType, ObjectDefinition, Record, Reference},
};
use serde_json::{Map, json};

use crate::{
    failure::Failure,
    fields::{self, Field},
    frame::rendered,
    html::Pill,
    log_in::to,
    names::{Names, page_of},
    record_list::{Related, is_common, related},
    session::{Sent, Visit},
    shell::Shell,
    ticket::{Line, OtherTicket, complaints, timeline},
    words,
};

/// How many lines of the timeline the page shows.
const TIMELINE: u32 = 60;

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage {
    s: Shell,
    object: String,
    /// What many of them are called.
    list: String,
    key: String,
    title: String,
    revision: u64,
    fields: Vec<Field>,
    /// Those that every object has.
    common: Vec<Field>,
    stages: Vec<Stage>,
    may_change: bool,
    may_delete: bool,
    /// The last complaints of a customer; none for what has no complaints.
    complaints: Option<Vec<OtherTicket>>,
    related: Vec<Related>,
    timeline: Vec<Line>,
    ticket: Option<String>,
}

/// A field with a life cycle, and where it may go.
struct Stage {
    field: String,
    title: String,
    now: Pill,
    moves: Vec<(String, String)>,
}

/// `GET /records/{object}/{key}`
pub(crate) async fn page(
    visit: Visit,
    Path((object, key)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let definition = visit.app.objects().get(&object).ok_or(Failure::NotFound)?;
    let record = visit.app.see(&visit.viewer, &Reference::new(&object, &key)).await?;
    let lang = visit.lang();
    let mut names = Names::of_records(&visit, std::slice::from_ref(&record)).await?;
    let timeline = timeline(&visit, &record.reference, TIMELINE, &mut names).await?;
    // Whoever wants to sell them something should know.
    let complaints = match object.as_str() {
        "contact" => Some(complaints(&visit, &record.reference, None).await?),
        _ => None,
    };
    let related = related(&visit, &record.reference).await?;
    let (common, own): (Vec<&str>, Vec<&str>) =
        definition.in_order().map(|(name, _)| name).partition(|name| is_common(name));
    Ok(rendered(&RecordPage {
        list: words::plural(definition, lang),
        title: definition.label_of(&record),
        revision: record.revision,
        fields: fields::some(&record, definition, own, &visit, &names),
        common: fields::some(&record, definition, common, &visit, &names),
        stages: stages(&visit, definition, &record),
        may_change: visit.viewer.may_object(&object, Act::Change) && !definition.append_only,
        may_delete: visit.viewer.may_object(&object, Act::Delete),
        complaints,
        related,
        timeline,
        ticket: (object == "ticket").then(|| page_of(&record.reference)),
        key: record.reference.key.clone(),
        s: visit.shell(&object),
        object,
    }))
}

/// The fields with a life cycle that the viewer may move on.
fn stages(visit: &Visit, definition: &ObjectDefinition, record: &Record) -> Vec<Stage> {
    let lang = visit.lang();
    let object = &definition.name;
    definition
        .in_order()
        .filter(|(name, field)| {
            !field.transitions.is_empty()
                && visit.viewer.writes_field(object, name)
                && visit.viewer.may_object(object, Act::Change)
        })
        .map(|(name, field)| {
            let word = record.field(name).as_text().unwrap_or_default();
            let moves = field.transitions.get(word).map_or(&[][..], Vec::as_slice);
            Stage {
                field: name.to_owned(),
                title: words::field(name, lang),
                now: Pill::of_word(word, lang),
                moves: moves
                    .iter()
                    .filter(|to| *to != word)
                    .map(|to| (to.clone(), words::choice(to, lang)))
                    .collect(),
            }
        })
        .collect()
}

/// `POST /records/{object}/{key}/move`: one field, one word.
pub(crate) async fn advance(
    Path((object, key)): Path<(String, String)>,
    Sent { visit, form }: Sent,
) -> Result<Response, Failure> {
    let definition = visit.app.objects().get(&object).ok_or(Failure::NotFound)?;
    let (Some(field), Some(word)) = (form.get("field"), form.get("to")) else {
        return Err(Failure::NotFound);
    };
    let is_choice =
        definition.field(field).is_some_and(|field| matches!(field.kind, FieldType::Choice(_)));
    if !is_choice {
        return Err(Failure::NotFound);
    }
    let fields = Map::from_iter([(field.to_owned(), json!(word))]);
    let reference = Reference::new(&object, &key);
    visit.app.change_as(&visit.viewer, &reference, &fields, None).await?;
    Ok(back_to(&form, &page_of(&reference)))
}

/// `POST /records/{object}/{key}/delete`
pub(crate) async fn delete(
    Path((object, key)): Path<(String, String)>,
    Sent { visit, form }: Sent,
) -> Result<Response, Failure> {
    let reference = Reference::new(&object, &key);
    let revision = form.filled("revision").and_then(|revision| revision.parse().ok());
    match visit.app.delete_as(&visit.viewer, &reference, revision).await {
        Ok(_) => Ok(to(&format!("/records/{object}"))),
        Err(AccessError::Conflict { .. }) => {
            Err(Failure::Wrong(visit.lang().texts().changed_meanwhile.to_owned()))
        }
        Err(other) => Err(other.into()),
    }
}

/// To the page that the form came from, or to another one.
pub(crate) fn back_to(form: &crate::session::Form, usual: &str) -> Response {
    let way = form.way_back(usual);
    to(way.to_str().unwrap_or(usual))
}
