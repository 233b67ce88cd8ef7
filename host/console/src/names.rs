//! What people call the records that a page names: looked up together, an
//! object at a time, and each once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use relata_app::{
    Piece, RecordSearch,
    model::{Record, Reference, Value},
    pieces_of,
};

use crate::{
    failure::Failure,
    html::{Link, Moment},
    session::Visit,
    shell::in_query,
};

/// How many records of an object are asked for at once.
const AT_ONCE: usize = 200;

/// The address of a record's page.
pub(crate) fn page_of(reference: &Reference) -> String {
    let key = in_query(&reference.key).replace('/', "%2F");
    match reference.object.as_str() {
        "ticket" => format!("/tickets/{key}"),
        object => format!("/records/{object}/{key}"),
    }
}

/// Names of records, for one page.
pub(crate) struct Names<'a> {
    visit: &'a Visit,
    known: BTreeMap<Reference, Option<String>>,
}

impl<'a> Names<'a> {
    pub(crate) const fn new(visit: &'a Visit) -> Self {
        Self { visit, known: BTreeMap::new() }
    }

    /// The names of everything that some records name.
    pub(crate) async fn of_records(visit: &'a Visit, records: &[Record]) -> Result<Self, Failure> {
        let mut names = Self::new(visit);
        names.learn_records(records).await?;
        Ok(names)
    }

    /// Looks up everything that some records name.
    pub(crate) async fn learn_records(&mut self, records: &[Record]) -> Result<(), Failure> {
        let named = records
            .iter()
            .flat_map(|record| record.fields.values())
            .filter_map(Value::as_reference);
        let named: Vec<&Reference> = named.collect();
        self.learn(&named).await
    }

    /// Looks up everything that some sentences name.
    pub(crate) async fn learn_sentences(&mut self, sentences: &[&str]) -> Result<(), Failure> {
        let mut named = Vec::new();
        for piece in sentences.iter().flat_map(|sentence| pieces_of(sentence)) {
            if let Piece::Record(reference) = piece {
                named.push(reference);
            }
        }
        let named: Vec<&Reference> = named.iter().collect();
        self.learn(&named).await
    }

    /// Looks up records that are not known yet, those of an object at once.
    pub(crate) async fn learn(&mut self, references: &[&Reference]) -> Result<(), Failure> {
        let mut unknown: BTreeMap<String, BTreeSet<Reference>> = BTreeMap::new();
        for reference in references {
            if !self.known.contains_key(*reference) {
                unknown.entry(reference.object.clone()).or_default().insert((*reference).clone());
            }
        }
        for (object, wanted) in &unknown {
            for reference in wanted {
                self.known.insert(reference.clone(), None);
            }
            let Some(definition) = self.visit.app.objects().get(object) else { continue };
            let viewer = &self.visit.viewer;
            let label = definition.label.as_deref();
            if !viewer.may_find(definition, "id")
                || label.is_some_and(|label| !viewer.sees_field(object, label))
            {
                continue;
            }
            let ids: Vec<&str> = wanted.iter().map(|reference| reference.key.as_str()).collect();
            for ids in ids.chunks(AT_ONCE) {
                let search = RecordSearch {
                    filter: vec![("id".to_owned(), ids.join(","))],
                    limit: u32::try_from(ids.len()).unwrap_or(u32::MAX),
                    ..RecordSearch::default()
                };
                for record in self.visit.app.find(viewer, object, &search).await?.records {
                    // What has no name of its own is called after what it is.
                    let label = label.map_or_else(
                        || crate::words::singular(definition, self.visit.lang()),
                        |_| definition.label_of(&record),
                    );
                    self.known.insert(record.reference, Some(label));
                }
            }
        }
        Ok(())
    }

    /// What people call a record; its reference where it has no name, is not
    /// there, or is not for this viewer.
    pub(crate) fn label(&self, reference: &Reference) -> String {
        let known = self.known.get(reference).and_then(Option::as_ref);
        known.cloned().unwrap_or_else(|| reference.to_string())
    }

    /// A link to a record by its name.
    pub(crate) fn link(&self, reference: &Reference) -> Link {
        Link::to(page_of(reference), self.label(reference))
    }

    /// What the actor of a change is called: `user/01k9…`, `workflow/survey`.
    pub(crate) fn actor(&self, actor: &str) -> String {
        actor.parse().map_or_else(|_| actor.to_owned(), |reference| self.label(&reference))
    }

    /// A sentence of the host as markup: records are links by their names,
    /// times are local.
    pub(crate) fn told(&self, sentence: &str) -> Told {
        let mut markup = String::with_capacity(sentence.len());
        for piece in pieces_of(sentence) {
            // Writing into a text does not fail.
            let _ = match piece {
                Piece::Text(text) => write!(markup, "{}", crate::html::Escaped(text)),
                Piece::Record(reference) => write!(markup, "{}", self.link(&reference)),
                Piece::Time(at) => {
                    write!(markup, "{}", Moment::exactly(at, &self.visit.zone()))
                }
            };
        }
        Told(markup)
    }
}

/// A sentence of the host, ready for a page.
#[derive(Debug, Clone)]
pub(crate) struct Told(String);

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for Told {}
