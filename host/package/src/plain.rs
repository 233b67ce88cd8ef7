//! Strangers' words on our screen.

/// A text in which nothing moves the cursor, colours the screen or turns the
/// direction of writing. Lines stay lines.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c != '\n' && (c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')) {
            plain.extend(c.escape_default());
        } else {
            plain.push(c);
        }
    }
    plain
}

/// The same on one line.
pub fn plain_line(text: &str) -> String {
    plain(text).replace('\n', "\\n")
}

/// The beginning of it, where it may be long and says little.
pub fn plain_start(text: &str) -> String {
    const MOST: usize = 60;
    let short: String = text.chars().take(MOST).collect();
    plain_line(&short) + if text.chars().nth(MOST).is_some() { "…" } else { "" }
}

/// What the TOML reader says: several lines, with the place shown.
pub(crate) fn toml_error(error: &toml::de::Error) -> String {
    plain(error.to_string().trim_end())
}
