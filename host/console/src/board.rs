//! Records by the stage of their life cycle, a column each: leads by status,
//! opportunities by stage.

use askama::Template;
use axum::{extract::Path, response::Response};
use relata_app::{
    RecordSearch,
    model::{Act, FieldDefinition, FieldType, ObjectDefinition},
};

use crate::{
    failure::Failure,
    fields::{self, Field},
    frame::rendered,
    html::Link,
    names::{Names, page_of},
    session::Visit,
    shell::Shell,
    words,
};

/// How many records a column shows.
const COLUMN: u32 = 20;

/// What a card says beside its name, where the object has it.
const ON_A_CARD: [&str; 6] = ["amount", "account", "contact", "company", "close_date", "owner"];

#[derive(Template)]
#[template(path = "board.html")]
struct BoardPage {
    s: Shell,
    object: String,
    title: String,
    field: String,
    may_create: bool,
    may_move: bool,
    columns: Vec<Column>,
}

struct Column {
    title: String,
    all: String,
    more: bool,
    cards: Vec<Card>,
    moves: Vec<(String, String)>,
}

struct Card {
    link: Link,
    action: String,
    fields: Vec<Field>,
}

/// The field whose words are an object's stages: the first one with a life
/// cycle.
pub(crate) fn stages(definition: &ObjectDefinition) -> Option<(&str, &FieldDefinition)> {
    definition.in_order().find(|(_, field)| !field.transitions.is_empty())
}

/// `GET /boards/{object}`
pub(crate) async fn page(visit: Visit, Path(object): Path<String>) -> Result<Response, Failure> {
    let definition = visit.app.objects().get(&object).ok_or(Failure::NotFound)?;
    let (field, stages) = stages(definition).ok_or(Failure::NotFound)?;
    let FieldType::Choice(words) = &stages.kind else { return Err(Failure::NotFound) };
    let lang = visit.lang();
    let mut columns = Vec::new();
    for word in words {
        let search = RecordSearch {
            filter: vec![(field.to_owned(), word.clone())],
            sort: Some("-id".to_owned()),
            limit: COLUMN,
            ..RecordSearch::default()
        };
        let found = visit.app.find(&visit.viewer, &object, &search).await?;
        let names = Names::of_records(&visit, &found.records).await?;
        let cards = found.records.iter().map(|record| Card {
            link: Link::to(page_of(&record.reference), definition.label_of(record)),
            action: format!("/records/{}/move", record.reference),
            fields: fields::some(record, definition, ON_A_CARD, &visit, &names),
        });
        let moves = stages.transitions.get(word).map_or(&[][..], Vec::as_slice);
        columns.push(Column {
            title: words::choice(word, lang),
            all: format!("/records/{object}?{field}={word}"),
            more: found.next.is_some(),
            cards: cards.collect(),
            moves: moves
                .iter()
                .filter(|to| *to != word)
                .map(|to| (to.clone(), words::choice(to, lang)))
                .collect(),
        });
    }
    Ok(rendered(&BoardPage {
        title: words::plural(definition, lang),
        field: field.to_owned(),
        may_create: visit.viewer.may_object(&object, Act::Create),
        may_move: visit.viewer.may_object(&object, Act::Change)
            && visit.viewer.writes_field(&object, field),
        columns,
        s: visit.shell(&object),
        object: object.clone(),
    }))
}
