//! What pages say, in each language that they can be in.

use std::sync::LazyLock;

use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};

/// The languages, the one for everybody else first.
const FILES: [&str; 3] = [
    include_str!("../../texts/en.toml"),
    include_str!("../../texts/de.toml"),
    include_str!("../../texts/zh.toml"),
];

static ALL: LazyLock<[Texts; 3]> =
    LazyLock::new(|| FILES.map(|file| toml::from_str(file).expect("a shipped text reads")));

/// The texts of one language. A file has all of them and no others.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Texts {
    /// The word for browsers: `zh-Hans`.
    pub(crate) lang: String,
    /// What the language is called in itself.
    pub(crate) name: String,
    pub(crate) page: PageTexts,
    pub(crate) survey: SurveyTexts,
    pub(crate) form: FormTexts,
    pub(crate) subscription: SubscriptionTexts,
}

/// What any page may say.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageTexts {
    pub(crate) unknown_title: String,
    pub(crate) unknown: String,
    pub(crate) unwell_title: String,
    pub(crate) unwell: String,
    pub(crate) too_large: String,
    pub(crate) busy: String,
    pub(crate) press_again: String,
    pub(crate) leave_empty: String,
    pub(crate) try_again: String,
}

/// What the page of a survey says.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SurveyTexts {
    pub(crate) title: String,
    pub(crate) question: String,
    pub(crate) scale: String,
    pub(crate) scores: String,
    pub(crate) comment: String,
    pub(crate) comment_hint: String,
    pub(crate) send: String,
    pub(crate) thanks: String,
    pub(crate) given: String,
    pub(crate) arrived: String,
    pub(crate) change: String,
    pub(crate) closed_title: String,
    pub(crate) closed: String,
    pub(crate) wrong_score: String,
    pub(crate) long_comment: String,
}

/// What the page of a form says.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FormTexts {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) subject: String,
    pub(crate) message: String,
    pub(crate) optional: String,
    pub(crate) choose: String,
    pub(crate) send: String,
    pub(crate) thanks: String,
    pub(crate) arrived: String,
    pub(crate) answer: String,
    pub(crate) check: String,
    pub(crate) missing: String,
    pub(crate) too_long: String,
    pub(crate) no_address: String,
    pub(crate) wrong: String,
    pub(crate) sent_before: String,
    pub(crate) too_many: String,
}

/// What the page says on which mails are ended.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubscriptionTexts {
    pub(crate) title: String,
    pub(crate) marketing: String,
    pub(crate) surveys: String,
    pub(crate) end: String,
    pub(crate) ended_title: String,
    pub(crate) ended: String,
}

impl Texts {
    /// All languages, the one for everybody else first.
    pub(crate) fn all() -> &'static [Self] {
        &*ALL
    }

    /// The language for everybody else.
    pub(crate) fn first() -> &'static Self {
        &ALL[0]
    }

    /// The word by which a language is chosen: `zh`.
    pub(crate) fn language(&self) -> &str {
        primary(&self.lang)
    }

    /// The texts for a locale such as `de-AT`; none where it is of no language
    /// that there is.
    pub(crate) fn of_locale(locale: &str) -> Option<&'static Self> {
        let wanted = primary(locale);
        ALL.iter().find(|texts| texts.language().eq_ignore_ascii_case(wanted))
    }

    /// The texts that a browser asks for, else the first.
    pub(crate) fn of_browser(headers: &HeaderMap) -> &'static Self {
        Self::asked_for(headers).next().unwrap_or_else(Self::first)
    }

    /// The texts that a browser asks for, the dearest first.
    pub(crate) fn asked_for(headers: &HeaderMap) -> impl Iterator<Item = &'static Self> {
        let asked = headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        accept_language::parse(asked).into_iter().filter_map(|locale| Self::of_locale(&locale))
    }
}

/// The language of a locale.
fn primary(locale: &str) -> &str {
    locale.split(['-', '_']).next().unwrap_or_default()
}

/// A text with its places filled: `{score}`.
pub(crate) fn filled(text: &str, places: &[(&str, &str)]) -> String {
    places
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// The places of each text, by its name.
    fn places(file: &str) -> BTreeMap<String, BTreeSet<String>> {
        let file: toml::Table = toml::from_str(file).unwrap();
        let mut found = BTreeMap::new();
        for (group, value) in &file {
            for (name, text) in value.as_table().into_iter().flatten() {
                let text = text.as_str().unwrap();
                assert!(!text.trim().is_empty(), "{group}.{name} is empty");
                let inside = text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap());
                found.insert(format!("{group}.{name}"), inside.map(str::to_owned).collect());
            }
        }
        found
    }

    #[test]
    fn every_language_has_every_text_with_the_same_places() {
        // Each of them reads, so none has less or more than there is.
        assert_eq!(
            ALL.iter().map(|texts| texts.language()).collect::<Vec<_>>(),
            ["en", "de", "zh"]
        );
        let english = places(FILES[0]);
        assert!(english.len() > 10);
        for file in &FILES[1..] {
            assert_eq!(places(file), english);
        }
    }

    #[test]
    fn the_browsers_first_language_that_there_is_wins() {
        let of = |asked: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, asked.parse().unwrap());
            Texts::of_browser(&headers).language()
        };
        assert_eq!(of("de-AT,de;q=0.9,en;q=0.8"), "de");
        assert_eq!(of("fr,en;q=0.5,zh-CN;q=0.7"), "zh");
        assert_eq!(of("fr"), "en");
        assert_eq!(of(""), "en");
        assert_eq!(of(";;q=x,,*"), "en");
        assert_eq!(Texts::of_browser(&HeaderMap::new()).language(), "en");
        assert_eq!(Texts::of_locale("zh_Hans_CN").map(Texts::language), Some("zh"));
        assert!(Texts::of_locale("").is_none());
    }

    #[test]
    fn places_are_filled() {
        assert_eq!(filled("{a} of {b}, {c}", &[("a", "1"), ("b", "2")]), "1 of 2, {c}");
    }
}
