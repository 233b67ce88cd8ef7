//! What a mail template reads, held against what the step gives it.

use std::collections::BTreeMap;

use relata_model::text::with_article;

use super::{Reader, schema::Wanted, value::Got};
use crate::{
    catalog::{ActionSignature, TemplateRead},
    diagnostic::{self as codes, Place},
    source::Entry,
    types::{Slot, Type},
};

/// The arguments of a step that were read; none where one is wrong.
type Read<'n> = BTreeMap<&'n str, Option<(Got, Wanted)>>;

/// What a template is given as `data`.
enum Data {
    /// These names.
    Named(Vec<String>),
    /// Nobody knows.
    Open,
}

impl Reader<'_> {
    /// Tells of what the templates of a step read that is not there.
    pub(super) fn template_reads(
        &mut self,
        signature: &ActionSignature,
        given: &[&Entry],
        read: &Read<'_>,
    ) {
        let catalog = self.catalog;
        for entry in given {
            let Some(Some((got, Wanted::Template))) = read.get(entry.key.as_str()) else {
                continue;
            };
            let Type::Choice(templates) = &got.slot.kind else { continue };
            let data = data(signature, &entry.key, given, read);
            let to = read.get("to").and_then(Option::as_ref).map(|(got, _)| &got.slot);
            for template in templates {
                let Some(reads) = catalog.template_reads.get(template) else { continue };
                for (path, how) in &reads.reads {
                    self.template_read(path, how, to, &data, entry.value.place);
                }
            }
        }
    }

    fn template_read(
        &mut self,
        path: &str,
        how: &TemplateRead,
        to: Option<&Slot>,
        data: &Data,
        place: Place,
    ) {
        let mut parts = path.split('.');
        let root = parts.next().unwrap_or_default();
        let (part, deeper) = (parts.next(), parts.next());
        let reads = format!("the template `{}` reads `{path}`", how.variant);
        match (root, part) {
            ("company", None) | ("to" | "data", None) => {}
            ("to", Some(field)) => {
                if let Some(Type::Record(objects)) = to.map(|to| &to.kind) {
                    self.template_field(&reads, field, deeper.is_some(), objects, how, place);
                }
            }
            ("data", Some(name)) => {
                if let Data::Named(names) = data
                    && !how.is_guarded
                    && !names.iter().any(|known| known == name)
                {
                    let help = codes::did_you_mean(name, names.iter().map(String::as_str))
                        .or_else(|| Some(format!("give it: `data: {{ {name}: … }}`")));
                    let message = format!("{reads}, and this step does not give it");
                    self.error(codes::MISSING_ARGUMENT, place, message, help);
                }
            }
            _ => {
                let help = "a template reads `to`, `data` and `company`".to_owned();
                let message = format!("{reads}, and nothing is called `{root}` there");
                self.error(codes::UNKNOWN_VARIABLE, place, message, Some(help));
            }
        }
    }

    /// A field of the record that a mail goes to.
    fn template_field(
        &mut self,
        reads: &str,
        field: &str,
        is_deeper: bool,
        objects: &[String],
        how: &TemplateRead,
        place: Place,
    ) {
        let catalog = self.catalog;
        for object in objects {
            let Some(definition) = catalog.objects.get(object) else { continue };
            if field == "id" {
                continue;
            }
            let Some(known) = definition.field(field) else {
                let fields = definition.fields.keys().map(String::as_str);
                let help = codes::did_you_mean(field, fields);
                let message = format!("{reads}, and {} has no such field", with_article(object));
                return self.error(codes::UNKNOWN_FIELD, place, message, help);
            };
            let is_record = matches!(known.kind, relata_model::FieldType::Reference(_));
            if is_deeper && is_record {
                let message = format!("{reads}, and a template sees only the record's own fields");
                let help = Some(format!("give it: `data: {{ {field}: =… }}`"));
                return self.error(codes::UNKNOWN_FIELD, place, message, help);
            }
            if known.may_be_empty() && !how.is_guarded {
                let message = format!("{reads}, which may be empty");
                let help =
                    format!("ask for it in the template: {{% if to.{field} %}} … {{% endif %}}");
                return self.findings.warning(codes::MAY_BE_EMPTY, place, message, Some(help));
            }
        }
    }
}

/// What the template in an argument can read as `data`.
fn data(signature: &ActionSignature, argument: &str, given: &[&Entry], read: &Read<'_>) -> Data {
    let property = signature.input.get("properties").and_then(|all| all.get(argument));
    match property.and_then(|property| property.get("x-template-data")) {
        Some(serde_json::Value::String(holder)) => {
            if !given.iter().any(|entry| entry.key == *holder) {
                return Data::Named(Vec::new());
            }
            match read.get(holder.as_str()) {
                Some(Some((got, _))) => match &got.slot.kind {
                    Type::Map(parts) => Data::Named(parts.keys().cloned().collect()),
                    _ => Data::Open,
                },
                _ => Data::Open,
            }
        }
        Some(serde_json::Value::Array(names)) => {
            Data::Named(names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
        }
        _ => Data::Open,
    }
}
