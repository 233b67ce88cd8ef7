//! Texts: names, mail addresses, and what somebody probably meant.

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
    fn a_slip_finds_its_name_and_nonsense_does_not() {
        let known = ["country", "company", "created_at"];
        assert_eq!(nearest("contry", known.into_iter()), Some("country"));
        assert_eq!(nearest("zzz", known.into_iter()), None);
    }
}
