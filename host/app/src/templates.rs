//! Mail templates: Markdown with MiniJinja, a `Subject:` line first.
//!
//! ```text
//! Subject: Welcome, {{ to.name }}
//! Purpose: service
//!
//! Thank you for **visiting** us, {{ to.name }}.
//! ```
//!
//! `Purpose:` is `service` (the default), `marketing` or `survey`; the last
//! two are only sent with the recipient's consent. `welcome.de.md` is what
//! recipients with the locale `de` get instead of `welcome.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use minijinja::{Environment, UndefinedBehavior, value::Serde};
use serde::Serialize;

use crate::config::{self, ConfigError};

/// What a mail is for, and so which consent it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Part of what the customer asked for: no consent needed.
    Service,
    /// Needs `mail_consent`.
    Marketing,
    /// Needs `survey_consent`.
    Survey,
}

impl Purpose {
    /// The recipient's field that must not be `no`; none where no consent is
    /// needed.
    #[must_use]
    pub const fn consent(self) -> Option<&'static str> {
        match self {
            Self::Service => None,
            Self::Marketing => Some("mail_consent"),
            Self::Survey => Some("survey_consent"),
        }
    }
}

/// A mail as it will be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// There is none of this name.
    #[error("there is no template `{name}`{hint}; put it into templates/{name}.md")]
    NotThere {
        /// The name.
        name: String,
        /// Did-you-mean, or nothing.
        hint: String,
    },
    /// Its text is wrong, or names something that is not given.
    #[error("the template `{name}` does not render: {why}")]
    Wrong {
        /// The name.
        name: String,
        /// What is wrong, with the line.
        why: String,
    },
}

/// All templates of a company.
pub struct Templates {
    environment: Environment<'static>,
    purposes: BTreeMap<String, Purpose>,
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Templates").field("names", &self.purposes.keys()).finish()
    }
}

impl Templates {
    /// No templates at all.
    pub(crate) fn none() -> Self {
        let mut templates = Self { environment: Environment::new(), purposes: BTreeMap::new() };
        templates.environment.set_undefined_behavior(UndefinedBehavior::Strict);
        templates
    }

    /// Reads a folder.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the file that does not read.
    pub fn load(folder: &Path) -> Result<Self, ConfigError> {
        let mut templates = Self::none();
        templates.add_folder(folder)?;
        Ok(templates)
    }

    /// Those that a new data directory begins with.
    ///
    /// # Errors
    ///
    /// What is wrong with one of them.
    pub(crate) fn shipped() -> Result<Self, String> {
        let mut templates = Self::none();
        for (file, text) in config::SHIPPED {
            let name = file.strip_prefix("templates/").and_then(|name| name.strip_suffix(".md"));
            if let Some(name) = name {
                templates.add(name, text).map_err(|why| format!("{file}: {why}"))?;
            }
        }
        Ok(templates)
    }

    /// Adds those of a folder; one of the same name takes the other's place.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the file that does not read.
    pub(crate) fn add_folder(&mut self, folder: &Path) -> Result<(), ConfigError> {
        for file in config::files(folder, "md")? {
            let Some(name) = file.file_stem().and_then(|stem| stem.to_str()) else { continue };
            let source = fs::read_to_string(&file).map_err(|why| ConfigError::Io {
                doing: "read",
                file: file.clone(),
                why,
            })?;
            self.add(name, &source)
                .map_err(|why| ConfigError::Wrong { file: file.clone(), why })?;
        }
        Ok(())
    }

    /// Adds one template under a name such as `welcome` or `welcome.de`.
    fn add(&mut self, name: &str, source: &str) -> Result<(), String> {
        let source = source.strip_prefix('\u{feff}').unwrap_or(source).replace("\r\n", "\n");
        let (head, body) = source
            .split_once("\n\n")
            .ok_or("it needs a `Subject: …` line, an empty line, and the text")?;
        let mut subject = None;
        let mut purpose = Purpose::Service;
        for line in head.lines() {
            match line.split_once(':').map(|(key, value)| (key.trim(), value.trim())) {
                Some(("Subject", value)) => subject = Some(value.to_owned()),
                Some(("Purpose", "service")) => purpose = Purpose::Service,
                Some(("Purpose", "marketing")) => purpose = Purpose::Marketing,
                Some(("Purpose", "survey")) => purpose = Purpose::Survey,
                _ => {
                    return Err(format!(
                        "`{line}` is neither `Subject: …` nor `Purpose: service`, `marketing` or `survey`"
                    ));
                }
            }
        }
        let subject = subject.ok_or("its first line must be `Subject: …`")?;
        for (part, text) in [("subject", subject.as_str()), ("body", body)] {
            self.environment
                .add_template_owned(format!("{name}#{part}"), text.to_owned())
                .map_err(|why| why.to_string())?;
        }
        self.purposes.insert(name.to_owned(), purpose);
        Ok(())
    }

    /// The names that workflows may use: those without a locale.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        self.purposes.keys().filter(|name| !name.contains('.')).cloned().collect()
    }

    /// What a template is for.
    ///
    /// # Errors
    ///
    /// [`TemplateError::NotThere`].
    pub fn purpose(&self, name: &str) -> Result<Purpose, TemplateError> {
        self.purposes.get(name).copied().ok_or_else(|| TemplateError::NotThere {
            name: name.to_owned(),
            hint: relata_model::text::nearest(name, self.purposes.keys().map(String::as_str))
                .map_or_else(String::new, |near| format!(" (did you mean `{near}`?)")),
        })
    }

    /// Renders a template in the recipient's language, if it is there in it.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] names the variable that is missing.
    pub fn render(
        &self,
        name: &str,
        locale: &str,
        values: &impl Serialize,
    ) -> Result<Rendered, TemplateError> {
        self.purpose(name)?;
        let language = locale.split(['-', '_']).next().unwrap_or_default();
        let chosen = [format!("{name}.{locale}"), format!("{name}.{language}")]
            .into_iter()
            .find(|candidate| self.purposes.contains_key(candidate))
            .unwrap_or_else(|| name.to_owned());
        let part = |part: &str| {
            self.environment
                .get_template(&format!("{chosen}#{part}"))
                .and_then(|template| template.render(Serde(values)))
                .map_err(|why| TemplateError::Wrong { name: chosen.clone(), why: why.to_string() })
        };
        let text = part("body")?;
        // A value may hold a line break; a subject may not.
        let subject = part("subject")?.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Rendered { subject, html: to_html(&text), text })
    }
}

/// Markdown to HTML. What values put in is text: raw HTML in it is shown, not
/// obeyed, so that a customer's name cannot carry a script into a mail.
fn to_html(markdown: &str) -> String {
    use pulldown_cmark::{Event, Options, Parser, html};
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES).map(|event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        other => other,
    });
    let mut page = String::new();
    html::push_html(&mut page, events);
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn templates(files: &[(&str, &str)]) -> Templates {
        let mut templates =
            Templates { environment: Environment::new(), purposes: BTreeMap::new() };
        templates.environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, source) in files {
            templates.add(name, source).unwrap();
        }
        templates
    }

    #[test]
    fn the_recipients_language_wins_and_html_of_values_is_text() {
        let templates = templates(&[
            ("welcome", "Subject: Welcome, {{ to.name }}\n\nHello **{{ to.name }}**"),
            ("welcome.de", "Subject: Willkommen\n\nHallo {{ to.name }}"),
        ]);
        let values = json!({ "to": { "name": "<script>x</script>\nEve" } });
        let english = templates.render("welcome", "fr", &values).unwrap();
        assert_eq!(english.subject, "Welcome, <script>x</script> Eve");
        assert!(!english.html.contains("<script>"), "{}", english.html);
        assert_eq!(templates.render("welcome", "de-AT", &values).unwrap().subject, "Willkommen");
    }

    #[test]
    fn what_is_missing_is_named() {
        let templates = templates(&[("csat", "Subject: Hi\n\n{{ data.question }}")]);
        let why = templates.render("csat", "en", &json!({ "data": {} })).unwrap_err().to_string();
        assert!(why.starts_with("the template `csat` does not render"), "{why}");
        let why = templates.render("cast", "en", &json!({})).unwrap_err().to_string();
        assert_eq!(
            why,
            "there is no template `cast` (did you mean `csat`?); put it into templates/cast.md"
        );
    }
}
