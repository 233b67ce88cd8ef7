//! The form of a record: a control for each field by what it holds, and what
//! is wrong beside the field that it is wrong in.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::{
    extract::{Path, Query},
    http::StatusCode,
    response::Response,
};
use relata_app::{
    AccessError, RecordSearch,
    model::{Act, FieldDefinition, FieldType, ObjectDefinition, Record, Reference, Value},
};
use serde_json::{Map, Value as Json};

use crate::{
    failure::Failure,
    frame::rendered,
    inbox::asked,
    log_in::to,
    names::page_of,
    session::{Form, Sent, Visit},
    shell::Shell,
    texts::fill,
    words,
};

/// What stands before a field's name in a form: a field may be called as one
/// of the form's own.
const FRONT: &str = "f.";

/// The objects whose records are few enough to be offered by name, and how
/// many of them.
const OFFERED: [&str; 7] =
    ["user", "team", "queue", "calendar", "survey", "segment", "service_level"];
const MOST_OFFERED: u32 = 200;

#[derive(Template)]
#[template(path = "record_form.html")]
struct FormPage {
    s: Shell,
    object: String,
    list: String,
    title: String,
    /// Where the form goes, and where it is left for.
    action: String,
    cancel: String,
    revision: Option<u64>,
    fields: Vec<Control>,
    offers: Vec<Offer>,
    /// What is wrong with none of the fields.
    wrong: Option<String>,
}

/// A field of the form.
pub(crate) struct Control {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) summary: String,
    pub(crate) required: bool,
    pub(crate) value: String,
    pub(crate) kind: Kind,
    /// Whether it takes the whole width.
    pub(crate) wide: bool,
    pub(crate) error: Option<String>,
}

/// How a field is filled in.
pub(crate) enum Kind {
    /// The type of an input, and a step for numbers; may be empty.
    Input(&'static str, &'static str),
    Area,
    /// The words, what they are called, and which is chosen.
    Select(Vec<(String, String, bool)>),
    /// A record by its reference, and which [`Offer`] goes with it.
    Record(String),
}

/// Records that are offered by their names.
pub(crate) struct Offer {
    /// The objects' names, with a dash between them.
    pub(crate) of: String,
    pub(crate) records: Vec<(String, String)>,
}

/// What a form of a record is made for.
struct Plan<'a> {
    definition: &'a ObjectDefinition,
    /// The record that is changed; none for a new one.
    record: Option<&'a Record>,
    /// What was written, by field, where it did not work, or was given by the
    /// address.
    written: BTreeMap<String, String>,
    errors: BTreeMap<String, String>,
    wrong: Option<String>,
}

/// `GET /new/{object}`: fields may be given by the address.
pub(crate) async fn new(
    visit: Visit,
    Path(object): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let definition = visit.app.objects().get(&object).ok_or(Failure::NotFound)?;
    visit.app.may_any(&visit.viewer, &object, Act::Create).await?;
    let fields = definition.fields.keys();
    let given = fields.filter_map(|name| Some((name.clone(), asked(&query, name)?.to_owned())));
    let plan = Plan {
        written: given.collect(),
        definition,
        record: None,
        errors: BTreeMap::new(),
        wrong: None,
    };
    Ok(rendered(&filled(&visit, plan).await?))
}

/// `GET /records/{object}/{key}/edit`
pub(crate) async fn edit(
    visit: Visit,
    Path((object, key)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let definition = visit.app.objects().get(&object).ok_or(Failure::NotFound)?;
    visit.app.may_any(&visit.viewer, &object, Act::Change).await?;
    let record = visit.app.see(&visit.viewer, &Reference::new(&object, &key)).await?;
    let plan = Plan {
        definition,
        record: Some(&record),
        written: BTreeMap::new(),
        errors: BTreeMap::new(),
        wrong: None,
    };
    Ok(rendered(&filled(&visit, plan).await?))
}

/// `POST /new/{object}`
pub(crate) async fn create(
    Path(object): Path<String>,
    Sent { visit, form }: Sent,
) -> Result<Response, Failure> {
    let definition = visit.app.objects().get(&object).ok_or(Failure::NotFound)?;
    visit.app.may_any(&visit.viewer, &object, Act::Create).await?;
    let (fields, errors) = read(&visit, definition, None, &form).await?;
    if errors.is_empty() {
        match visit.app.create_as(&visit.viewer, &object, &fields).await {
            Ok(record) => return Ok(to(&page_of(&record.reference))),
            Err(why) => return again(&visit, definition, None, &form, told(&visit, why)?).await,
        }
    }
    again(&visit, definition, None, &form, (errors, None)).await
}

/// `POST /records/{object}/{key}`
pub(crate) async fn change(
    Path((object, key)): Path<(String, String)>,
    Sent { visit, form }: Sent,
) -> Result<Response, Failure> {
    let definition = visit.app.objects().get(&object).ok_or(Failure::NotFound)?;
    visit.app.may_any(&visit.viewer, &object, Act::Change).await?;
    let reference = Reference::new(&object, &key);
    let record = visit.app.see(&visit.viewer, &reference).await?;
    let revision = form.filled("revision").and_then(|revision| revision.parse().ok());
    let (fields, errors) = read(&visit, definition, Some(&record), &form).await?;
    if errors.is_empty() {
        match visit.app.change_as(&visit.viewer, &reference, &fields, revision).await {
            Ok(written) => return Ok(to(&page_of(&written.record.reference))),
            Err(why) => {
                let why = told(&visit, why)?;
                return again(&visit, definition, Some(&record), &form, why).await;
            }
        }
    }
    again(&visit, definition, Some(&record), &form, (errors, None)).await
}

/// What is wrong, by field, and with none of them.
type Wrongs = (BTreeMap<String, String>, Option<String>);

/// What a refusal means for the form; other failures are pages of their own.
fn told(visit: &Visit, why: AccessError) -> Result<Wrongs, Failure> {
    match why {
        AccessError::Invalid(errors) => {
            Ok((errors.into_iter().map(|error| (error.field, error.why)).collect(), None))
        }
        AccessError::Conflict { .. } => {
            Ok((BTreeMap::new(), Some(visit.lang().texts().changed_meanwhile.to_owned())))
        }
        other => Err(other.into()),
    }
}

/// The form again, with what was written and what is wrong with it.
async fn again(
    visit: &Visit,
    definition: &ObjectDefinition,
    record: Option<&Record>,
    form: &Form,
    (errors, wrong): Wrongs,
) -> Result<Response, Failure> {
    let written =
        form.behind(FRONT).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let plan = Plan { definition, record, written, errors, wrong };
    let mut response = rendered(&filled(visit, plan).await?);
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

/// What the form sets, as the wire has it, and what does not read. A field
/// that is as it was is not set: it may be one that the viewer may not change.
async fn read(
    visit: &Visit,
    definition: &ObjectDefinition,
    record: Option<&Record>,
    form: &Form,
) -> Result<(Map<String, Json>, BTreeMap<String, String>), Failure> {
    let (mut fields, mut errors) = (Map::new(), BTreeMap::new());
    for (name, written) in form.behind(FRONT) {
        let Some(field) = definition.field(name) else { continue };
        let before = record.map_or(Value::Nothing, |record| record.field(name).clone());
        if written.trim() == as_written(&before, visit).trim() {
            continue;
        }
        match parsed(visit, field, written).await? {
            Ok(value) => drop(fields.insert(name.to_owned(), value.to_json())),
            Err(why) => drop(errors.insert(name.to_owned(), why)),
        }
    }
    Ok((fields, errors))
}

/// What somebody wrote into a field. A person may be named by their address.
pub(crate) async fn parsed(
    visit: &Visit,
    field: &FieldDefinition,
    written: &str,
) -> Result<Result<Value, String>, Failure> {
    if let FieldType::Reference(objects) = &field.kind
        && written.contains('@')
        && !written.contains('/')
    {
        for object in objects {
            let has_email =
                visit.app.objects().get(object).is_some_and(|of| of.field("email").is_some());
            if !has_email || !visit.viewer.may_object(object, Act::See) {
                continue;
            }
            let search = RecordSearch {
                filter: vec![("email".to_owned(), written.trim().to_owned())],
                limit: 1,
                ..RecordSearch::default()
            };
            let found = visit.app.find(&visit.viewer, object, &search).await;
            if let Ok(found) = found
                && let Some(record) = found.records.into_iter().next()
            {
                return Ok(Ok(Value::Reference(record.reference)));
            }
        }
    }
    Ok(field.kind.parse(written, &visit.zone()))
}

/// A value as its control holds it.
fn as_written(value: &Value, visit: &Visit) -> String {
    match value {
        Value::Nothing => String::new(),
        Value::Time(at) => at.to_zoned(visit.zone()).strftime("%Y-%m-%dT%H:%M").to_string(),
        Value::List(items) => items.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    }
}

async fn filled(visit: &Visit, mut plan: Plan<'_>) -> Result<FormPage, Failure> {
    let lang = visit.lang();
    let t = lang.texts();
    let definition = plan.definition;
    let object = definition.name.clone();
    let mut controls = Vec::new();
    let mut offered = BTreeSet::new();
    for (name, field) in definition.in_order() {
        if field.read_only
            || (plan.record.is_none() && field.from_id.is_some())
            || !visit.viewer.writes_field(&object, name)
        {
            continue;
        }
        let value = match (plan.written.remove(name), plan.record) {
            (Some(written), _) => written,
            (None, Some(record)) => as_written(record.field(name), visit),
            (None, None) => as_written(&field.default, visit),
        };
        let kind = kind_of(visit, field, &value, plan.record.map(|record| record.field(name)));
        if let Kind::Record(of) = &kind {
            offered.insert(of.clone());
        }
        controls.push(Control {
            name: format!("{FRONT}{name}"),
            title: words::field(name, lang),
            summary: field.summary.clone(),
            required: field.required,
            value,
            wide: matches!(kind, Kind::Area),
            kind,
            error: plan.errors.remove(name),
        });
    }
    // What is wrong with a field that has no control here.
    let others: Vec<String> =
        plan.errors.iter().map(|(field, why)| format!("{field}: {why}")).collect();
    let others = (!others.is_empty()).then(|| others.join("; "));
    let (title, action, cancel) = match plan.record {
        Some(record) => {
            let page = format!("/records/{object}/{}", record.reference.key);
            (definition.label_of(record), page.clone(), page)
        }
        None => (
            fill(t.new_record, &[&words::singular(definition, lang)]),
            format!("/new/{object}"),
            format!("/records/{object}"),
        ),
    };
    Ok(FormPage {
        list: words::plural(definition, lang),
        title,
        action,
        cancel,
        revision: plan.record.map(|record| record.revision),
        fields: controls,
        offers: offers(visit, &offered).await?,
        wrong: plan.wrong.or(others),
        s: visit.shell(&object),
        object,
    })
}

pub(crate) fn kind_of(
    visit: &Visit,
    field: &FieldDefinition,
    value: &str,
    before: Option<&Value>,
) -> Kind {
    let lang = visit.lang();
    let t = lang.texts();
    match &field.kind {
        FieldType::LongText => Kind::Area,
        FieldType::Choice(of) => {
            // Only where it can go from where it is.
            let from = before.and_then(Value::as_text).filter(|_| !field.transitions.is_empty());
            let may = |word: &String| match from {
                Some(from) => {
                    from == word || field.transitions.get(from).is_some_and(|to| to.contains(word))
                }
                None => true,
            };
            let blank =
                field.may_be_empty().then(|| (String::new(), String::new(), value.is_empty()));
            let words = of
                .iter()
                .filter(|word| may(word))
                .map(|word| (word.clone(), words::choice(word, lang), word == value));
            Kind::Select(blank.into_iter().chain(words).collect())
        }
        FieldType::YesNo => {
            let blank =
                field.may_be_empty().then(|| (String::new(), String::new(), value.is_empty()));
            let words = [("yes", t.yes), ("no", t.no)]
                .map(|(word, text)| (word.to_owned(), text.to_owned(), word == value));
            Kind::Select(blank.into_iter().chain(words).collect())
        }
        FieldType::Email => Kind::Input("email", ""),
        FieldType::Phone => Kind::Input("tel", ""),
        FieldType::Number => Kind::Input("number", "any"),
        FieldType::Integer => Kind::Input("number", "1"),
        FieldType::Date => Kind::Input("date", ""),
        FieldType::Time => Kind::Input("datetime-local", ""),
        FieldType::Reference(objects) => {
            let offered: Vec<&str> = OFFERED
                .into_iter()
                .filter(|offered| objects.iter().any(|object| object == offered))
                .collect();
            match offered.is_empty() {
                true => Kind::Input("text", ""),
                false => Kind::Record(offered.join("-")),
            }
        }
        FieldType::Text
        | FieldType::Country
        | FieldType::Money
        | FieldType::Duration
        | FieldType::Texts => Kind::Input("text", ""),
    }
}

/// The records that fields offer.
pub(crate) async fn offers(
    visit: &Visit,
    offered: &BTreeSet<String>,
) -> Result<Vec<Offer>, Failure> {
    let mut known: BTreeMap<&str, Vec<(String, String)>> = BTreeMap::new();
    for object in offered.iter().flat_map(|of| of.split('-')) {
        if known.contains_key(object) {
            continue;
        }
        let definition = visit.app.objects().get(object);
        let records = match definition.filter(|object| visit.viewer.may_find(object, "id")) {
            None => Vec::new(),
            Some(definition) => {
                let search = RecordSearch { limit: MOST_OFFERED, ..RecordSearch::default() };
                let found = visit.app.find(&visit.viewer, object, &search).await?.records;
                let named = found
                    .iter()
                    .map(|record| (record.reference.to_string(), definition.label_of(record)));
                named.collect()
            }
        };
        known.insert(object, records);
    }
    Ok(offered
        .iter()
        .map(|of| Offer {
            records: of
                .split('-')
                .filter_map(|object| known.get(object))
                .flatten()
                .cloned()
                .collect(),
            of: of.clone(),
        })
        .collect())
}
