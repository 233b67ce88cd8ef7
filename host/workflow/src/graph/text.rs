//! How wide a text is, and where it breaks. No font is at hand, so the widths
//! are those of a wide one: with others there is some room left.

/// The width of a character, in parts of the font's size.
fn width_of(letter: char) -> f64 {
    match letter {
        'i' | 'j' | 'l' | '\'' | '’' => 0.28,
        ' ' | '.' | ',' | ':' | ';' | '!' | '|' | 'I' => 0.33,
        '(' | ')' | '[' | ']' | 'f' | 't' | '/' | '-' => 0.4,
        'r' => 0.43,
        'm' | 'M' | 'W' | '%' | '@' | '…' | '—' => 0.98,
        'w' | '+' | '=' | '<' | '>' | 'O' | 'Q' | '&' => 0.82,
        '0'..='9' => 0.64,
        'A'..='Z' => 0.7,
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}' => 0.0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe4f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{1f000}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 1.05,
        _ => 0.62,
    }
}

/// The width of a text in a font of this size.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(width_of).sum::<f64>() * size
}

/// Whether a line may break after a character that has no space behind it.
fn breaks_after(letter: char) -> bool {
    width_of(letter) > 1.0 || matches!(letter, '-' | '/')
}

/// A text in lines that are no wider than `most`.
pub(super) fn wrap(text: &str, size: f64, most: f64) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in pieces(text) {
        let joined = format!("{line}{word}");
        if line.is_empty() || width(joined.trim_end(), size) <= most {
            line = joined;
        } else {
            lines.push(line.trim_end().to_owned());
            line = word.trim_start().to_owned();
        }
        // A word that is too long for any line is cut.
        while width(line.trim_end(), size) > most && line.chars().count() > 1 {
            let mut head = String::new();
            for letter in line.chars() {
                if !head.is_empty() && width(&head, size) + width_of(letter) * size > most {
                    break;
                }
                head.push(letter);
            }
            line = line[head.len()..].to_owned();
            lines.push(head.trim_end().to_owned());
        }
    }
    if !line.trim().is_empty() || lines.is_empty() {
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// The parts between which a line may break, with their spaces.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    for letter in text.chars() {
        piece.push(letter);
        if letter.is_whitespace() || breaks_after(letter) {
            pieces.push(std::mem::take(&mut piece));
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_never_too_wide_and_nothing_is_lost() {
        for text in [
            "Wait 24 hours, then until support hours",
            "等到客户回复为止或者四个工作小时已经过去了",
            "https://a.example/a/very/long/address/that/does/not/break-anywhere?and=goes_on_and_on",
            "",
            "W",
        ] {
            for most in [30.0, 100.0, 400.0] {
                let lines = wrap(text, 14.0, most);
                for line in &lines {
                    assert!(width(line, 14.0) <= most, "{line} in {most}");
                }
                let kept: String = lines.concat().split_whitespace().collect();
                assert_eq!(kept, text.split_whitespace().collect::<String>());
            }
        }
    }
}
