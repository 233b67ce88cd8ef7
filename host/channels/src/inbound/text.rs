//! The text of a mail, also of one that is HTML alone.

use mail_parser::{Message, PartType};

/// Lines of HTML are not broken: wherever it is shown breaks them by itself.
const WIDTH: usize = 10_000;

/// So much HTML is read of a mail, bytes: more is no letter of a person's.
const MOST_HTML: usize = 2 << 20;

/// So much of a text is looked at for its script, characters.
const SEEN: usize = 2_000;

/// All of a mail's text, the plain one where it has both.
pub(super) fn of(mail: &Message<'_>) -> String {
    let plain: Vec<String> = mail
        .text_bodies()
        .filter_map(|part| match &part.body {
            PartType::Text(text) => Some(tidy(text)),
            PartType::Html(html) => Some(of_html(html)),
            _ => None,
        })
        .filter(|text| !text.is_empty())
        .collect();
    if !plain.is_empty() {
        return plain.join("\n\n");
    }
    let html: Vec<String> = mail
        .html_bodies()
        .filter_map(|part| match &part.body {
            PartType::Html(html) => Some(of_html(html)),
            _ => None,
        })
        .filter(|text| !text.is_empty())
        .collect();
    html.join("\n\n")
}

fn of_html(html: &str) -> String {
    let end = (0..=MOST_HTML.min(html.len())).rev().find(|end| html.is_char_boundary(*end));
    let html = &html[..end.unwrap_or(0)];
    let plain = html2text::config::plain_no_decorate().string_from_read(html.as_bytes(), WIDTH);
    // It refuses nothing but what does not fit into the width.
    plain.map_or_else(|_| tidy(html), |text| tidy(&text))
}

/// One kind of line end, no blanks at the ends of lines, no more than one empty
/// line in a row.
fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.replace("\r\n", "\n").replace('\r', "\n").split('\n') {
        // What is no more than a place for a picture, or keeps words together.
        let line = line.replace('\u{a0}', " ");
        let line = line.trim_end_matches(|c: char| c.is_whitespace() || c == '\u{200b}');
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty < 2 {
            tidied.push_str(line);
            tidied.push('\n');
        }
    }
    tidied.trim_matches('\n').trim_end().to_owned()
}

/// Whether a text is in Chinese: much of it is in its script, and nothing in
/// the syllables that Japanese mixes with it.
pub(super) fn is_chinese(text: &str) -> bool {
    let (mut han, mut kana, mut letters) = (0, 0, 0);
    for c in text.chars().take(SEEN) {
        match c {
            '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' => han += 1,
            '\u{3040}'..='\u{30ff}' => kana += 1,
            c if c.is_alphabetic() => letters += 1,
            _ => {}
        }
    }
    // A character of Chinese says about as much as a word.
    han > 0 && kana == 0 && han * 4 >= letters
}
