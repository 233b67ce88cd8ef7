//! Lists of records: every object in the same way, with conditions, order,
//! columns and pages in the address, so that a list can be sent to somebody.
//! Conditions are written as in the API: `status=open`, `amount.gte=100 EUR`.

use askama::Template;
use axum::{
    extract::{Path, Query},
    response::Response,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use relata_app::{
    AccessError, RecordSearch,
    model::{Act, FieldType, ObjectDefinition, Record, Reference, Value},
};

use crate::{
    failure::Failure,
    fields::Shown,
    frame::rendered,
    html::Link,
    inbox::asked,
    log_in::to,
    names::{Names, page_of},
    session::Visit,
    shell::{Shell, in_query},
    words,
};

/// How many records a page has.
const PAGE: u32 = 50;

/// How many columns a list has where nobody chose them.
const USUAL_COLUMNS: usize = 6;

/// The longest text of a cell, characters.
const LONGEST_CELL: usize = 120;

/// What an address says beside conditions.
const SORT: &str = "sort";
const CURSOR: &str = "cursor";
const COLUMN: &str = "column";
/// A text to look for in what records are called.
const SEARCH: &str = "q";
/// A condition in the three parts of its form: the address says it in one.
const FIELD: &str = "field";
const COMPARISON: &str = "comparison";
const VALUE: &str = "value";

/// The comparisons, as the API calls them.
const COMPARISONS: [&str; 8] = ["eq", "ne", "contains", "lt", "lte", "gt", "gte", "empty"];

#[derive(Template)]
#[template(path = "objects.html")]
struct ObjectsPage {
    s: Shell,
    objects: Vec<ObjectRow>,
}

struct ObjectRow {
    link: Link,
    name: String,
    summary: String,
    fields: usize,
}

#[derive(Template)]
#[template(path = "record_list.html")]
struct ListPage {
    s: Shell,
    object: String,
    title: String,
    summary: String,
    may_create: bool,
    board: Option<String>,
    search: Option<String>,
    choices: Vec<ChoiceFilter>,
    chips: Vec<Chip>,
    /// What the forms of the page carry along.
    kept: Vec<(String, String)>,
    all_fields: Vec<FieldName>,
    comparisons: Vec<(&'static str, &'static str)>,
    columns: Vec<Column>,
    rows: Vec<Vec<Shown>>,
    filtered: bool,
    first: Option<String>,
    next: Option<String>,
    wrong: Option<String>,
    /// Whether more are called so than were looked at.
    partial: bool,
}

/// A field with a few words to choose from.
struct ChoiceFilter {
    field: String,
    title: String,
    /// The word, what it is called, and whether it is chosen.
    words: Vec<(String, String, bool)>,
}

/// A condition that holds, and the list without it.
struct Chip {
    text: String,
    without: String,
}

struct FieldName {
    name: String,
    title: String,
    shown: bool,
}

struct Column {
    title: String,
    number: bool,
    sort: String,
    /// `ascending` or `descending`, where the list is in its order.
    order: Option<&'static str>,
}

/// `GET /records`
pub(crate) async fn objects(visit: Visit) -> Response {
    let lang = visit.lang();
    let objects = visit.app.objects().iter();
    let seen = objects.filter(|object| visit.viewer.may_object(&object.name, Act::See));
    let rows = seen.map(|object| ObjectRow {
        link: Link::to(format!("/records/{}", object.name), words::plural(object, lang)),
        name: object.name.clone(),
        summary: object.summary.clone(),
        fields: object.fields.len(),
    });
    rendered(&ObjectsPage { s: visit.shell("records"), objects: rows.collect() })
}

/// An address of a list that is put together again.
struct Address<'a> {
    object: &'a str,
    query: &'a [(String, String)],
}

impl Address<'_> {
    /// With some parameters left out and others put in; it begins at the
    /// first page again.
    fn changed(&self, without: &[&str], with: &[(&str, &str)]) -> String {
        let kept = self
            .query
            .iter()
            .filter(|(name, value)| {
                name != CURSOR && !value.is_empty() && !without.contains(&name.as_str())
            })
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let query: Vec<String> = kept
            .chain(with.iter().copied())
            .map(|(name, value)| format!("{}={}", in_query(name), in_query(value)))
            .collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("/records/{}{mark}{}", self.object, query.join("&"))
    }
}

/// `GET /records/{object}`
pub(crate) async fn page(
    visit: Visit,
    Path(object): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let definition = visit.app.objects().get(&object).ok_or(Failure::NotFound)?;
    let address = Address { object: &object, query: &query };
    if let Some(way) = condition_of_form(&address) {
        return Ok(to(&way));
    }
    let lang = visit.lang();
    let t = lang.texts();
    let columns = columns_of(&visit, definition, &query);
    let search = search_of(definition, &query)?;
    // A condition that makes no sense is told above the list, which stays.
    let (found, wrong) = match visit.app.find(&visit.viewer, &object, &search).await {
        Ok(found) => (Some(found), None),
        Err(AccessError::App(why)) if why.is_wrong_input() => (None, Some(why.to_string())),
        Err(AccessError::Invalid(errors)) => {
            (None, Some(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))
        }
        Err(why) => return Err(why.into()),
    };
    let partial = found.as_ref().is_some_and(|found| found.partial);
    let (records, next) = found.map_or((Vec::new(), None), |found| (found.records, found.next));
    let names = names_of(&visit, &records, &columns).await?;
    let rows = records.iter().map(|record| row(record, definition, &columns, &visit, &names));
    let sorted = asked(&query, SORT).unwrap_or_default();
    let chips = chips(&visit, &address, definition);
    Ok(rendered(&ListPage {
        title: words::plural(definition, lang),
        summary: definition.summary.clone(),
        may_create: visit.viewer.may_object(&object, Act::Create),
        board: crate::board::stages(definition).map(|_| format!("/boards/{object}")),
        search: definition.label.as_ref().map(|_| asked(&query, SEARCH).unwrap_or("").to_owned()),
        choices: choices(&visit, definition, &query),
        filtered: !chips.is_empty() || asked(&query, SEARCH).is_some(),
        chips,
        kept: kept(definition, &query),
        all_fields: definition
            .in_order()
            .filter(|(name, _)| visit.viewer.sees_field(&object, name))
            .map(|(name, _)| FieldName {
                name: name.to_owned(),
                title: words::field(name, lang),
                shown: columns.iter().any(|column| column == name),
            })
            .collect(),
        comparisons: COMPARISONS.into_iter().zip(t.comparisons()).collect(),
        columns: columns
            .iter()
            .map(|name| {
                let descending = sorted == name;
                Column {
                    title: words::field(name, lang),
                    number: holds_numbers(definition, name),
                    order: match sorted.strip_prefix('-') {
                        Some(down) if down == name => Some("descending"),
                        _ if descending => Some("ascending"),
                        _ => None,
                    },
                    sort: address.changed(
                        &[SORT],
                        &[(SORT, &format!("{}{name}", if descending { "-" } else { "" }))],
                    ),
                }
            })
            .collect(),
        rows: rows.collect(),
        first: asked(&query, CURSOR).map(|_| address.changed(&[], &[])),
        next: next.map(|next| address.changed(&[], &[(CURSOR, &URL_SAFE_NO_PAD.encode(next))])),
        wrong,
        partial,
        s: visit.shell(&object),
        object: object.clone(),
    }))
}

/// The condition of the form, as the address says it.
fn condition_of_form(address: &Address<'_>) -> Option<String> {
    let field = asked(address.query, FIELD)?;
    let comparison = asked(address.query, COMPARISON).unwrap_or("eq");
    let value = asked(address.query, VALUE).unwrap_or_default();
    let value = if comparison == "empty" && value.is_empty() { "true" } else { value };
    let name = if comparison == "eq" { field.to_owned() } else { format!("{field}.{comparison}") };
    Some(address.changed(&[FIELD, COMPARISON, VALUE, &name], &[(&name, value)]))
}

/// Whether a parameter is a condition on a field.
fn is_condition(name: &str) -> bool {
    ![SORT, CURSOR, COLUMN, SEARCH, FIELD, COMPARISON, VALUE].contains(&name)
}

fn search_of(
    definition: &ObjectDefinition,
    query: &[(String, String)],
) -> Result<RecordSearch, Failure> {
    let mut filter: Vec<(String, String)> = query
        .iter()
        .filter(|(name, value)| is_condition(name) && !value.is_empty())
        .cloned()
        .collect();
    if let (Some(label), Some(text)) = (&definition.label, asked(query, SEARCH)) {
        // Whoever looks for a mail address means no name.
        let by_mail = text.contains('@') && definition.field("email").is_some();
        let field = if by_mail { "email" } else { label };
        let by_words = definition.looked_for_by().any(|known| known == field);
        let comparison = if by_words { "words" } else { "contains" };
        filter.push((format!("{field}.{comparison}"), text.to_owned()));
    }
    let after = match asked(query, CURSOR) {
        None => None,
        Some(cursor) => {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
            Some(bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(Failure::NotFound)?)
        }
    };
    Ok(RecordSearch {
        filter,
        sort: Some(asked(query, SORT).unwrap_or("-id").to_owned()),
        after,
        limit: PAGE,
        ..RecordSearch::default()
    })
}

/// The columns that were chosen, or the first few that fit into one line; what
/// a record is called comes first.
fn columns_of(
    visit: &Visit,
    definition: &ObjectDefinition,
    query: &[(String, String)],
) -> Vec<String> {
    let chosen = query.iter().filter(|(name, _)| name == COLUMN).map(|(_, field)| field.clone());
    let sees = |field: &str| visit.viewer.sees_field(&definition.name, field);
    let chosen: Vec<String> =
        chosen.filter(|field| definition.field(field).is_some() && sees(field)).collect();
    if !chosen.is_empty() {
        return chosen;
    }
    let is_short = |kind: &FieldType| !matches!(kind, FieldType::LongText | FieldType::Texts);
    let label = definition.label.as_deref();
    let own = definition
        .in_order()
        .filter(|(name, field)| Some(*name) != label && is_short(&field.kind) && !is_common(name))
        .map(|(name, _)| name);
    let first = own.take(USUAL_COLUMNS);
    label
        .into_iter()
        .chain(first)
        .chain(["owner", "updated_at"])
        .filter(|field| sees(field))
        .map(str::to_owned)
        .collect()
}

/// Whether a column's values stand at its right.
fn holds_numbers(definition: &ObjectDefinition, field: &str) -> bool {
    definition.field(field).is_some_and(|field| {
        matches!(field.kind, FieldType::Number | FieldType::Integer | FieldType::Money)
    })
}

/// Whether every object has the field.
pub(crate) fn is_common(field: &str) -> bool {
    ["external_id", "owner", "team", "tags", "created_at", "updated_at", "merged_into"]
        .contains(&field)
}

/// The names of what the columns show.
async fn names_of<'a>(
    visit: &'a Visit,
    records: &[Record],
    columns: &[String],
) -> Result<Names<'a>, Failure> {
    let mut names = Names::new(visit);
    let mut shown = Vec::new();
    for record in records {
        shown.extend(columns.iter().filter_map(|column| record.field(column).as_reference()));
    }
    names.learn(&shown).await?;
    Ok(names)
}

/// A record in its columns; the first one leads to it.
fn row(
    record: &Record,
    definition: &ObjectDefinition,
    columns: &[String],
    visit: &Visit,
    names: &Names<'_>,
) -> Vec<Shown> {
    let cells = columns.iter().enumerate().filter_map(|(place, column)| {
        let field = definition.field(column)?;
        if place > 0 {
            let shown = Shown::of(record.field(column), &field.kind, visit, names);
            return Some(shown.cut(LONGEST_CELL));
        }
        let text = match record.field(column) {
            value if value.is_nothing() => record.reference.key.clone(),
            Value::Reference(named) => names.label(named),
            value => value.to_string(),
        };
        Some(Shown::Link(Link::to(page_of(&record.reference), text)))
    });
    cells.collect()
}

/// The fields whose words a list can be narrowed by at once.
fn choices(
    visit: &Visit,
    definition: &ObjectDefinition,
    query: &[(String, String)],
) -> Vec<ChoiceFilter> {
    let lang = visit.lang();
    let fields = definition.in_order().filter_map(|(name, field)| match &field.kind {
        FieldType::Choice(words) if visit.viewer.sees_field(&definition.name, name) => {
            Some((name, words))
        }
        _ => None,
    });
    fields
        .map(|(name, of)| ChoiceFilter {
            field: name.to_owned(),
            title: words::field(name, lang),
            words: of
                .iter()
                .map(|word| {
                    let chosen = asked(query, name) == Some(word);
                    (word.clone(), words::choice(word, lang), chosen)
                })
                .collect(),
        })
        .collect()
}

/// The conditions that are none of the choices above, in words.
fn chips(visit: &Visit, address: &Address<'_>, definition: &ObjectDefinition) -> Vec<Chip> {
    let lang = visit.lang();
    let conditions =
        address.query.iter().filter(|(name, value)| is_condition(name) && !value.is_empty());
    conditions
        .map(|(name, value)| {
            let (field, comparison) = name.split_once('.').unwrap_or((name, "eq"));
            let place = COMPARISONS.iter().position(|known| *known == comparison);
            let comparison = place.map_or(comparison, |place| lang.texts().comparisons()[place]);
            let is_choice = definition
                .field(field)
                .is_some_and(|field| matches!(field.kind, FieldType::Choice(_)));
            let value = match is_choice {
                true => value
                    .split(',')
                    .map(|word| words::choice(word, lang))
                    .collect::<Vec<_>>()
                    .join(", "),
                false => value.clone(),
            };
            Chip {
                text: format!("{} {comparison} {value}", words::field(field, lang)),
                without: address.changed(&[name], &[]),
            }
        })
        .collect()
}

/// What a form of the page carries along beside its own fields: the choices
/// are fields of the form themselves.
fn kept(definition: &ObjectDefinition, query: &[(String, String)]) -> Vec<(String, String)> {
    let is_choice = |name: &str| {
        definition.field(name).is_some_and(|field| matches!(field.kind, FieldType::Choice(_)))
    };
    query
        .iter()
        .filter(|(name, value)| {
            let kept = match is_condition(name) {
                true => !is_choice(name),
                false => [SORT, COLUMN].contains(&name.as_str()),
            };
            kept && !value.is_empty()
        })
        .cloned()
        .collect()
}

/// The newest records of an object that have something in a field, and the
/// list of them all.
pub(crate) struct Related {
    pub(crate) title: String,
    pub(crate) all: String,
    /// What each is called, and whether it holds numbers.
    pub(crate) columns: Vec<(String, bool)>,
    pub(crate) rows: Vec<Vec<Shown>>,
}

/// How many of them stand on a page.
const RELATED: u32 = 5;

/// Records that name this one. Only those that an index finds are looked for:
/// a page must not read a whole table.
pub(crate) async fn related(visit: &Visit, to: &Reference) -> Result<Vec<Related>, Failure> {
    let lang = visit.lang();
    let mut related = Vec::new();
    for definition in visit.app.objects().iter() {
        let object = &definition.name;
        if !visit.viewer.may_object(object, Act::See) || object == "interaction" {
            continue;
        }
        for (field, kind) in definition.in_order() {
            let leads = definition
                .indexes
                .iter()
                .any(|index| index.first().is_some_and(|first| first == field));
            let names_it = matches!(&kind.kind, FieldType::Reference(objects)
                if objects.is_empty() || objects.contains(&to.object));
            let may_find = visit.viewer.may_find(definition, field);
            if !leads || !names_it || !may_find || !visit.viewer.sees_field(object, field) {
                continue;
            }
            let search = RecordSearch {
                filter: vec![(field.to_owned(), to.to_string())],
                sort: Some("-id".to_owned()),
                limit: RELATED,
                ..RecordSearch::default()
            };
            let found = visit.app.find(&visit.viewer, object, &search).await?.records;
            if found.is_empty() {
                continue;
            }
            let columns: Vec<String> = columns_of(visit, definition, &[])
                .into_iter()
                .filter(|column| column != field)
                .take(4)
                .collect();
            let names = names_of(visit, &found, &columns).await?;
            related.push(Related {
                title: words::plural(definition, lang),
                all: format!("/records/{object}?{field}={}", in_query(&to.to_string())),
                rows: found
                    .iter()
                    .map(|record| row(record, definition, &columns, visit, &names))
                    .collect(),
                columns: columns
                    .iter()
                    .map(|name| (words::field(name, lang), holds_numbers(definition, name)))
                    .collect(),
            });
        }
    }
    Ok(related)
}
