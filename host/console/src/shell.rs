//! What surrounds a page: the way to the other pages, who is logged in, the
//! language and the colours.

use axum::http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use relata_app::{MOST_COUNTED, Watched};

use crate::{
    html::Pill,
    live::Live,
    look::{Lang, Look},
    texts::Texts,
};

/// What has to be written otherwise in one value of an address.
const IN_QUERY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// A text as a value behind `?name=`, or as a part of a path.
pub(crate) fn in_query(text: &str) -> String {
    utf8_percent_encode(text, IN_QUERY).to_string()
}

/// A link of the navigation.
#[derive(Debug, Clone)]
pub(crate) struct NavItem {
    pub(crate) href: String,
    pub(crate) text: String,
    pub(crate) icon: &'static str,
    pub(crate) current: bool,
    /// How much waits there, where that is worth a number.
    pub(crate) count: Option<String>,
}

/// Links that belong together.
#[derive(Debug, Clone)]
pub(crate) struct NavGroup {
    /// Empty for the first one, which needs no name.
    pub(crate) title: &'static str,
    pub(crate) items: Vec<NavItem>,
}

/// Who is logged in.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) name: String,
    /// The first letter of the name, or the first two.
    pub(crate) initials: String,
    /// The user's own record; none for whoever is no user.
    pub(crate) href: Option<String>,
    /// Whether work is given to them now; none for whoever is no user.
    pub(crate) presence: Option<Presence>,
}

/// Whether somebody is there, and what else they could say.
#[derive(Debug, Clone)]
pub(crate) struct Presence {
    pub(crate) pill: Pill,
    /// The words and what they are called.
    pub(crate) others: Vec<(String, String)>,
}

/// What surrounds a page.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    pub(crate) t: &'static Texts,
    pub(crate) look: Look,
    /// The page's own address, to come back to.
    pub(crate) here: String,
    pub(crate) nav: Vec<NavGroup>,
    pub(crate) who: Option<Who>,
    /// What a form must bring along.
    pub(crate) token: String,
    /// What its script follows; none on a page that is only seen once.
    pub(crate) live: Option<Live>,
}

impl Shell {
    /// For a page that nobody need be logged in for.
    pub(crate) fn bare(look: Look) -> Self {
        Self {
            t: look.lang.texts(),
            look,
            here: "/".to_owned(),
            nav: Vec::new(),
            who: None,
            token: String::new(),
            live: None,
        }
    }

    /// The same, with the page's own address.
    pub(crate) fn at(self, uri: &Uri) -> Self {
        let here = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Self { here, ..self }
    }

    /// A page that is read again where one of these changes.
    pub(crate) fn showing(mut self, shown: Vec<Watched>) -> Self {
        self.live = self.live.map(|live| live.with_page(&self.here, shown));
        self
    }

    /// The language's tag.
    pub(crate) fn lang(&self) -> &'static str {
        self.look.lang.tag()
    }

    /// Whether the page is in English.
    pub(crate) fn english(&self) -> bool {
        self.look.lang == Lang::En
    }

    /// The colours' word.
    pub(crate) fn theme(&self) -> &'static str {
        self.look.theme.word()
    }

    /// The address of a file beside the pages, which changes with it.
    pub(crate) fn asset(&self, name: &str) -> &'static str {
        crate::assets::address(name)
    }
}

/// A number that was counted up to a bound: `12`, `99+`.
pub(crate) fn counted(count: u64) -> String {
    let most = u64::from(MOST_COUNTED);
    if count < most { count.to_string() } else { format!("{}+", most - 1) }
}

/// The first letters of the first two words of a name; for a Chinese name its
/// last two signs, as people shorten it there.
pub(crate) fn initials(name: &str) -> String {
    if name.chars().all(|letter| !letter.is_ascii()) {
        let signs: Vec<char> = name.chars().collect();
        return signs[signs.len().saturating_sub(2)..].iter().collect();
    }
    name.split_whitespace()
        .filter_map(|word| word.chars().next())
        .take(2)
        .flat_map(char::to_uppercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_leads_to_nothing_else_in_an_address() {
        assert_eq!(in_query("/inbox?view=mine&a=b#c"), "/inbox%3Fview%3Dmine%26a%3Db%23c");
    }

    #[test]
    fn a_number_is_told_as_far_as_it_was_counted() {
        assert_eq!([0, 12, 99, 100].map(counted), ["0", "12", "99", "99+"]);
    }

    #[test]
    fn a_name_is_shortened() {
        let shortened = ["Anna Wolf", "mara", "林美玲", "李明"].map(initials);
        assert_eq!(shortened, ["AW", "M", "美玲", "李明"]);
    }
}
