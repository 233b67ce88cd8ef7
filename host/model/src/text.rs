//! Texts: names, mail addresses, words, and what somebody probably meant.

/// Whether a text can name an object or a field: lower-case letters, digits
/// and underscores, a letter first.
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && text.len() <= 48
}

/// A mail address in the form in which it is kept: trimmed, in lower case.
/// `None` where it cannot be one.
#[must_use]
pub fn mail_address(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.split_once('@')?;
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with('.')
            && !part.contains("..")
            && part.chars().all(|c| c.is_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c))
    };
    let fits = plain(local)
        && plain(domain)
        && !domain.contains(['_', '!', '#', '/', '='])
        && !domain.starts_with('-')
        && domain.contains('.')
        && text.len() <= 254;
    fits.then(|| text.to_lowercase())
}

/// At most so many words of a text are looked for.
const MOST_WORDS: usize = 16;

/// So many letters of a word are looked for.
const LONGEST_WORD: usize = 24;

/// The first words of a text, as they are looked for: in lower case, in their
/// order, each once. Han and kana have no spaces between words: there each
/// character and the next one are a word, so that every part of a name begins
/// with one.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut letters = text.chars().flat_map(char::to_lowercase).peekable();
    while let Some(letter) = letters.next() {
        let alone = is_unspaced(letter);
        if letter.is_alphanumeric() && !alone {
            word.push(letter);
            if letters.peek().is_some_and(|next| next.is_alphanumeric() && !is_unspaced(*next)) {
                continue;
            }
        } else if alone {
            word.push(letter);
            word.extend(letters.peek().filter(|next| is_unspaced(**next)));
        } else {
            continue;
        }
        let known: String = std::mem::take(&mut word).chars().take(LONGEST_WORD).collect();
        if !words.contains(&known) {
            words.push(known);
        }
        if words.len() == MOST_WORDS {
            break;
        }
    }
    words
}

/// Whether a character belongs to a script without spaces between words.
const fn is_unspaced(letter: char) -> bool {
    matches!(letter, '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// Whether each of some words begins a word of a text.
#[must_use]
pub fn has_words(text: &str, wanted: &[String]) -> bool {
    let words = words(text);
    wanted.iter().all(|wanted| words.iter().any(|word| word.starts_with(wanted.as_str())))
}

/// The known name that is nearest to one that is not known, if any is near
/// enough to be a slip: few letters differ, for its length.
pub fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (strsim::damerau_levenshtein(wrong, name), name))
        .filter(|(distance, name)| {
            let length = wrong.chars().count().max(name.chars().count());
            *distance <= length.div_ceil(3).min(4) && *distance < length
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// A text for a sentence: the beginning of one that is too long.
#[must_use]
pub fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `a lead`, `an order`.
#[must_use]
pub fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {noun}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_in_one_form() {
        for (written, kept) in [
            (" ANNA@Example.COM ", Some("anna@example.com")),
            ("jürgen@müller.example", Some("jürgen@müller.example")),
            ("o'neil+fair@a.example", Some("o'neil+fair@a.example")),
            ("anna@@example.com", None),
            ("anna@example", None),
            ("anna example@a.example", None),
            ("@a.example", None),
            ("anna@a..example", None),
            ("anna@-a.example", None),
        ] {
            assert_eq!(mail_address(written).as_deref(), kept, "{written}");
        }
    }

    #[test]
    fn words_are_those_that_people_look_for() {
        for (text, expected) in [
            ("Anna  Weber-Lang", "anna weber lang"),
            ("ANNA.weber@a.example", "anna weber a example"),
            ("T-7K2M, t", "t 7k2m"),
            ("Müller & Söhne", "müller söhne"),
            ("O'Neil 4711", "o neil 4711"),
            ("张伟明", "张伟 伟明 明"),
            ("北京ABC公司", "北京 京 abc 公司 司"),
            ("… – ()", ""),
        ] {
            assert_eq!(words(text).join(" "), expected, "{text}");
        }
        let long = "a".repeat(100) + &(0..100).map(|n| format!(" {n}")).collect::<String>();
        let kept = words(&long);
        assert_eq!((kept.len(), kept[0].len(), kept[15].as_str()), (16, 24, "14"));
    }

    #[test]
    fn a_name_is_found_by_the_beginnings_of_its_words() {
        let has = |text: &str, wanted: &str| has_words(text, &words(wanted));
        for wanted in ["web", "WEBER anna", "an we", "Anna Weber", "weber, anna"] {
            assert!(has("Anna Weber", wanted), "{wanted}");
        }
        for wanted in ["eber", "anna weberin", "anna x"] {
            assert!(!has("Anna Weber", wanted), "{wanted}");
        }
        for (wanted, expected) in
            [("张", true), ("伟", true), ("伟明", true), ("明", true), ("张明", false)]
        {
            assert_eq!(has("张伟明", wanted), expected, "{wanted}");
        }
        let long = "x".repeat(30);
        assert!(has(&long, &long));
    }

    #[test]
    fn a_slip_finds_its_name_and_nonsense_does_not() {
        let known = ["country", "company", "created_at"];
        assert_eq!(nearest("contry", known.into_iter()), Some("country"));
        assert_eq!(nearest("zzz", known.into_iter()), None);
    }
}
