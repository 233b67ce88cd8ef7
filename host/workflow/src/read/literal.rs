//! Texts that are written out, held against what their place takes.

use relata_model::{
    Date, Decimal, Duration, FieldDefinition, Money, Reference, TimeZone, Value, object::parse_time,
};

use super::{Reader, schema::Wanted};
use crate::{
    diagnostic::{self as codes, Place},
    formula::{Names, duration_help},
    types::{Joined, Slot, Type},
};

/// What is wrong with a value, before its place is known.
pub(super) struct Wrong {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Wrong {
    pub(super) fn new(
        code: &'static str,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Self {
        Self { code, message: message.into(), help }
    }
}

impl Reader<'_> {
    /// Checks every word that a decision or a split may yield.
    pub(super) fn every_word(
        &self,
        words: &[String],
        wanted: &Wanted,
        what: &str,
        names: &Names,
    ) -> Result<(), Wrong> {
        for word in words {
            if let Err(mut wrong) = self.literal(word, true, wanted, what, names) {
                if words.len() > 1 {
                    wrong.message = format!("where it is `{word}`: {}", wrong.message);
                }
                return Err(wrong);
            }
        }
        Ok(())
    }

    /// Whether a text is a path to something that is known here.
    fn is_like_path(text: &str, names: &Names) -> bool {
        let mut parts = text.split('.');
        let root = parts.next().unwrap_or_default();
        names.contains(root) && parts.all(relata_model::text::is_name)
    }

    pub(super) fn warn_like_path(
        &mut self,
        text: &str,
        wanted: &Wanted,
        place: Place,
        what: &str,
        names: &Names,
    ) {
        let is_text = matches!(field_wanted(wanted), Wanted::Text | Wanted::Open);
        if is_text && text.contains('.') && Self::is_like_path(text, names) {
            let message = format!("{what} is the text `{text}`, which looks like a path");
            self.findings.warning(
                codes::TEXT_LIKE_PATH,
                place,
                message,
                Some(format!("did you mean `={text}`?")),
            );
        } else if is_text && let Some(path) = Self::path_within(text, names) {
            let message = format!("{what} is a text, in which `={path}` is only written out");
            let help = Some(format!("write `{{{{ {path} }}}}`"));
            self.findings.warning(codes::TEXT_LIKE_PATH, place, message, help);
        }
    }

    /// A path that stands behind `=` in the middle of a text.
    fn path_within<'t>(text: &'t str, names: &Names) -> Option<&'t str> {
        text.match_indices(" =").find_map(|(place, _)| {
            let rest = &text[place + 2..];
            let is_of_path = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            let length = rest.find(|c| !is_of_path(c)).unwrap_or(rest.len());
            let path = rest[..length].trim_end_matches('.');
            (path.contains('.') && Self::is_like_path(path, names)).then_some(path)
        })
    }

    /// Reads a text that is written out.
    pub(super) fn literal(
        &self,
        text: &str,
        is_plain: bool,
        wanted: &Wanted,
        what: &str,
        names: &Names,
    ) -> Result<Value, Wrong> {
        let text_trimmed = text.trim();
        let wanted_here = field_wanted(wanted);
        let wrong = |help: Option<String>| {
            let meant = Self::is_like_path(text_trimmed, names)
                .then(|| format!("did you mean `={text_trimmed}`?"));
            let message =
                format!("{what} takes {}, not the text `{text_trimmed}`", wanted_here.describe());
            Err(Wrong::new(codes::WRONG_VALUE, message, meant.or(help)))
        };
        match &wanted_here {
            Wanted::Open => Ok(open_literal(text, is_plain)),
            Wanted::Text => match wanted {
                Wanted::Field(field) => field_literal(field, text, what),
                _ => Ok(Value::Text(text.to_owned())),
            },
            Wanted::Number { whole, least, most } => {
                let Ok(number) = text_trimmed.parse::<Decimal>() else { return wrong(None) };
                if !is_plain {
                    return wrong(Some("write the number without quotes".to_owned()));
                }
                if *whole && !number.fract().is_zero() {
                    return wrong(None);
                }
                if let Some(least) = least.filter(|least| number < *least) {
                    return Err(Wrong::new(
                        codes::WRONG_VALUE,
                        format!("{what} is at least {least}, not {number}"),
                        None,
                    ));
                }
                if let Some(most) = most.filter(|most| number > *most) {
                    return Err(Wrong::new(
                        codes::WRONG_VALUE,
                        format!("{what} is at most {most}, not {number}"),
                        None,
                    ));
                }
                Ok(Value::Number(number))
            }
            Wanted::YesNo => match text_trimmed {
                "true" | "yes" => Ok(Value::YesNo(true)),
                "false" | "no" => Ok(Value::YesNo(false)),
                other => wrong(match other.to_lowercase().as_str() {
                    "on" | "y" | "1" | "true" | "yes" => Some("write `true`".to_owned()),
                    "off" | "n" | "0" | "false" | "no" => Some("write `false`".to_owned()),
                    _ => None,
                }),
            },
            Wanted::Choice(words) => {
                if words.iter().any(|word| word == text_trimmed) {
                    return Ok(Value::Text(text_trimmed.to_owned()));
                }
                let meant = Self::is_like_path(text_trimmed, names)
                    .then(|| format!("did you mean `={text_trimmed}`?"));
                let help = meant
                    .or_else(|| codes::did_you_mean(text_trimmed, words.iter().map(String::as_str)))
                    .unwrap_or_else(|| format!("it is one of {}", words.join(", ")));
                Err(Wrong::new(
                    codes::NOT_A_CHOICE,
                    format!("{what} is never `{text_trimmed}`"),
                    Some(help),
                ))
            }
            Wanted::Record(objects) => self.record_literal(text_trimmed, objects, what, names),
            Wanted::Template => match &self.catalog.templates {
                Some(templates) if !templates.contains(text_trimmed) => {
                    let help =
                        codes::did_you_mean(text_trimmed, templates.iter().map(String::as_str))
                            .or_else(|| Some(format!("write it as `templates/{text_trimmed}.md`")));
                    Err(Wrong::new(
                        codes::UNKNOWN_TEMPLATE,
                        format!("there is no mail template `{text_trimmed}`"),
                        help,
                    ))
                }
                _ => Ok(Value::Text(text_trimmed.to_owned())),
            },
            Wanted::Object => {
                if self.catalog.objects.get(text_trimmed).is_some() {
                    return Ok(Value::Text(text_trimmed.to_owned()));
                }
                let help = codes::did_you_mean(text_trimmed, self.catalog.objects.names());
                Err(Wrong::new(
                    codes::UNKNOWN_OBJECT,
                    format!("there is no object `{text_trimmed}`"),
                    help,
                ))
            }
            Wanted::Due => text_trimmed
                .parse::<Duration>()
                .map(Value::Duration)
                .ok()
                .or_else(|| text_trimmed.parse().ok().map(Value::Time))
                .map_or_else(|| wrong(duration_help(text_trimmed)), Ok),
            Wanted::Duration => text_trimmed
                .parse()
                .map(Value::Duration)
                .or_else(|_| wrong(duration_help(text_trimmed))),
            Wanted::Time => text_trimmed.parse().map(Value::Time).or_else(|_| {
                let is_local = parse_time(text_trimmed, &TimeZone::UTC).is_some();
                wrong(
                    is_local
                        .then(|| "add the offset from UTC: 2026-12-24T18:00:00+01:00".to_owned()),
                )
            }),
            Wanted::Date => text_trimmed.parse::<Date>().map(Value::Date).or_else(|_| wrong(None)),
            Wanted::Money => {
                text_trimmed.parse::<Money>().map(Value::Money).or_else(|_| wrong(None))
            }
            Wanted::List(_) => wrong(Some(format!("write `[{text_trimmed}]`"))),
            Wanted::Map(_) | Wanted::Fields { .. } | Wanted::FieldsOf(_) => {
                wrong(Some("write `{ name: value }`".to_owned()))
            }
            Wanted::Field(_) => wrong(None),
        }
    }

    /// `team/enterprise`, or `enterprise` where only teams are meant.
    fn record_literal(
        &self,
        text: &str,
        objects: &[String],
        what: &str,
        names: &Names,
    ) -> Result<Value, Wrong> {
        let described = Type::Record(objects.to_vec()).describe();
        let wrong = |help: Option<String>| {
            let meant = Self::is_like_path(text, names).then(|| format!("did you mean `={text}`?"));
            Wrong::new(
                codes::WRONG_VALUE,
                format!("{what} takes {described}, not the text `{text}`"),
                meant.or(help),
            )
        };
        let reference = match (text.parse::<Reference>(), objects) {
            (Ok(reference), _) => reference,
            (Err(_), [_]) if Self::is_like_path(text, names) => return Err(wrong(None)),
            (Err(_), [only]) => Reference::new(only, text),
            (Err(_), []) => {
                return Err(wrong(Some("write `object/key`, or `=` and a path".to_owned())));
            }
            (Err(_), several) => {
                let forms: Vec<String> =
                    several.iter().map(|object| format!("`{object}/{text}`")).collect();
                return Err(wrong(Some(format!("write {}", forms.join(" or ")))));
            }
        };
        if self.catalog.objects.get(&reference.object).is_none() {
            let help = codes::did_you_mean(&reference.object, self.catalog.objects.names());
            return Err(Wrong::new(
                codes::UNKNOWN_OBJECT,
                format!("there is no object `{}`", reference.object),
                help,
            ));
        }
        if !objects.is_empty() && !objects.contains(&reference.object) {
            return Err(wrong(None));
        }
        if let Some(known) = self.catalog.records.get(&reference.object)
            && !known.contains(&reference.key)
        {
            let help = codes::mean_or_list(&reference.key, known.iter().map(String::as_str));
            let code = match reference.object.as_str() {
                "segment" => codes::UNKNOWN_SEGMENT,
                "calendar" => codes::UNKNOWN_CALENDAR,
                _ => codes::UNKNOWN_RECORD,
            };
            return Err(Wrong::new(
                code,
                format!("there is no {} `{}`", reference.object, reference.key),
                help,
            ));
        }
        Ok(Value::Reference(reference))
    }
}

/// A field's kind in the words of arguments.
pub(super) fn field_wanted(wanted: &Wanted) -> Wanted {
    match wanted {
        Wanted::Field(field) => Wanted::of_field(field),
        other => other.clone(),
    }
}

/// A text that a field keeps: addresses and countries have a form.
fn field_literal(field: &FieldDefinition, text: &str, what: &str) -> Result<Value, Wrong> {
    field
        .check(Value::Text(text.to_owned()))
        .map_err(|why| Wrong::new(codes::WRONG_VALUE, format!("{what}: {why}"), None))
}

/// A value of which nothing is known: numbers, `true` and `false` are what
/// they look like, everything else is text.
pub(super) fn open_literal(text: &str, is_plain: bool) -> Value {
    if is_plain {
        match text {
            "true" => return Value::YesNo(true),
            "false" => return Value::YesNo(false),
            _ => {
                if let Ok(number) = text.parse::<Decimal>() {
                    return Value::Number(number);
                }
            }
        }
    }
    Value::Text(text.to_owned())
}

/// The type of a value that is written out.
pub(crate) fn slot_of(value: &Value) -> Slot {
    Slot::of(match value {
        Value::Nothing => return Slot::maybe(Type::Nothing),
        Value::YesNo(_) => Type::YesNo,
        Value::Number(_) => Type::Number,
        Value::Text(text) => Type::Choice(vec![text.clone()]),
        Value::Date(_) => Type::Date,
        Value::Time(_) => Type::Time,
        Value::Duration(_) => Type::Duration,
        Value::Money(_) => Type::Money,
        Value::Reference(reference) => Type::Record(vec![reference.object.clone()]),
        Value::List(items) => {
            let mut all = Joined::default();
            for item in items {
                // What does not go together is of anything.
                let _ = all.add(slot_of(item));
            }
            Type::List(Box::new(all.finish().unwrap_or(Slot::of(Type::Nothing))))
        }
        Value::Map(parts) => {
            Type::Map(parts.iter().map(|(name, part)| (name.clone(), slot_of(part))).collect())
        }
    })
}
