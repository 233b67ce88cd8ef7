//! YAML as a test file writes it.

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Yaml {
    /// A word, a number, a time: stands as it is.
    Plain(String),
    /// A text that has to stand in quotes.
    Quoted(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    /// A text, in quotes where it needs some.
    pub(crate) fn text(text: &str) -> Self {
        if is_plain(text) { Self::Plain(text.to_owned()) } else { Self::Quoted(text.to_owned()) }
    }

    /// On one line.
    pub(crate) fn flow(&self) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            // A JSON text is one of YAML as well.
            Self::Quoted(text) => serde_json::Value::String(text.clone()).to_string(),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::flow).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Map(parts) if parts.is_empty() => "{}".to_owned(),
            Self::Map(parts) => {
                let parts: Vec<String> =
                    parts.iter().map(|(name, part)| pair(name, &part.flow())).collect();
                format!("{{ {} }}", parts.join(", "))
            }
        }
    }

    /// As an item of a list, a key a line.
    pub(crate) fn entry(&self, indent: &str) -> String {
        let Self::Map(parts) = self else { return format!("{indent}- {}\n", self.flow()) };
        let mut text = String::new();
        for (place, (name, part)) in parts.iter().enumerate() {
            let before = if place == 0 { "- " } else { "  " };
            text.push_str(&format!("{indent}{before}{}\n", pair(name, &part.flow())));
        }
        text
    }
}

fn pair(name: &str, value: &str) -> String {
    if value.is_empty() { format!("{name}:") } else { format!("{name}: {value}") }
}

/// Whether a text can stand without quotes, also within brackets, and is read
/// as just this text.
fn is_plain(text: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | '/' | '@');
    !text.is_empty()
        && text.starts_with(char::is_alphanumeric)
        && !text.ends_with(' ')
        && text.chars().all(word)
        && !matches!(text, "true" | "false" | "null" | "nothing" | "yes" | "no")
        && !text.starts_with("is ")
        && !text.starts_with("contains ")
        && text.parse::<f64>().is_err()
        && text.len() <= 60
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stand_in_quotes_where_they_need_some() {
        for (text, written) in [
            ("contact/anna", "contact/anna"),
            ("Sam Wolf", "Sam Wolf"),
            ("is empty", "\"is empty\""),
            ("12", "\"12\""),
            ("a: b", "\"a: b\""),
            ("=x", "\"=x\""),
            ("", "\"\""),
            ("say \"no\"", "\"say \\\"no\\\"\""),
        ] {
            assert_eq!(Yaml::text(text).flow(), written);
        }
    }

    #[test]
    fn an_entry_has_a_key_a_line() {
        let set = Yaml::Map(vec![("status".to_owned(), Yaml::text("open"))]);
        let entry = Yaml::Map(vec![
            ("change".to_owned(), Yaml::text("ticket/t1")),
            ("set".to_owned(), set),
            ("with".to_owned(), Yaml::Plain(String::new())),
        ]);
        assert_eq!(
            entry.entry("  "),
            "  - change: ticket/t1\n    set: { status: open }\n    with:\n"
        );
    }
}
