//! The small things that stand on every page: a time, a pill, a link to a
//! record. Each knows its own markup and escapes what is in it, so that a
//! template says `{{ row.due }}` and nothing more.

use std::fmt;

use askama::filters::HtmlSafe;
use relata_app::model::{TimeZone, Timestamp};

use crate::{look::Lang, texts::fill};

/// A text as it may stand between two tags, or in an attribute's quotes.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(place) = rest.find(['&', '<', '>', '"', '\'']) {
            f.write_str(&rest[..place])?;
            f.write_str(match rest.as_bytes()[place] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &rest[place + 1..];
        }
        f.write_str(rest)
    }
}

/// A point in time: how long ago or how soon, and exactly where one points at
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    machine: String,
    exact: String,
    shown: String,
}

impl Moment {
    /// As `3 min ago`, seen from `now`.
    pub(crate) fn near(at: Timestamp, now: Timestamp, zone: &TimeZone, lang: Lang) -> Self {
        Self { shown: relative(at, now, lang), ..Self::exactly(at, zone) }
    }

    /// As `2026-12-14 10:00`.
    pub(crate) fn exactly(at: Timestamp, zone: &TimeZone) -> Self {
        let local = at.to_zoned(zone.clone());
        let exact = local.strftime("%Y-%m-%d %H:%M").to_string();
        Self {
            machine: at.to_string(),
            shown: exact.clone(),
            exact: format!("{exact} {}", local.strftime("%Z")),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<time datetime=\"{}\" title=\"{}\">{}</time>",
            Escaped(&self.machine),
            Escaped(&self.exact),
            Escaped(&self.shown)
        )
    }
}

impl HtmlSafe for Moment {}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// `3 min ago`, `in 2 h`, `just now`.
fn relative(at: Timestamp, now: Timestamp, lang: Lang) -> String {
    let texts = lang.texts();
    let seconds = now.as_second() - at.as_second();
    if seconds.abs() < MINUTE {
        return texts.just_now.to_owned();
    }
    let shape = if seconds > 0 { texts.time_ago } else { texts.time_ahead };
    fill(shape, &[&span(seconds.abs(), lang)])
}

/// A length of time in its greatest unit: `3 min`, `2 h`, `4 d`.
pub(crate) fn span(seconds: i64, lang: Lang) -> String {
    let texts = lang.texts();
    let (count, unit) = match seconds {
        ..HOUR => (seconds / MINUTE, texts.minutes),
        HOUR..DAY => (seconds / HOUR, texts.hours),
        _ => (seconds / DAY, texts.days),
    };
    fill(unit, &[&count.to_string()])
}

/// The colour of a pill, by what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing special.
    Plain,
    /// New, or somebody's turn.
    Info,
    /// As it should be.
    Good,
    /// Soon a matter.
    Warn,
    /// A matter now.
    Bad,
    /// Over, or waiting for others.
    Quiet,
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Self::Plain => "pill",
            Self::Info => "pill info",
            Self::Good => "pill good",
            Self::Warn => "pill warn",
            Self::Bad => "pill bad",
            Self::Quiet => "pill quiet",
        }
    }

    /// What the words of life cycles mean in all objects.
    pub(crate) fn of_word(word: &str) -> Self {
        match word {
            "new" | "assigned" | "prospecting" | "placed" | "planning" | "sent" | "active"
            | "due" | "sending" => Self::Info,
            "open" | "in_process" | "qualification" | "proposal" | "negotiation" | "paid" => {
                Self::Plain
            }
            "solved" | "done" | "converted" | "closed_won" | "answered" | "shipped" | "online" => {
                Self::Good
            }
            "high"
            | "waiting_for_customer"
            | "on_hold"
            | "held"
            | "away"
            | "stopped"
            | "recycled" => Self::Warn,
            "urgent" | "failed" | "unknown" | "dead" | "closed_lost" | "lost" => Self::Bad,
            "closed" | "cancelled" | "expired" | "suppressed" | "inactive" | "complete"
            | "offline" | "low" | "dormant" => Self::Quiet,
            _ => Self::Plain,
        }
    }
}

/// A word in a coloured frame: a status, a priority, how long is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pill {
    pub(crate) tone: Tone,
    pub(crate) text: String,
    /// What stands behind it, where one points at it; may be empty.
    pub(crate) title: String,
}

impl Pill {
    /// A pill of a word of an enumeration.
    pub(crate) fn of_word(word: &str, lang: Lang) -> Self {
        Self {
            tone: Tone::of_word(word),
            text: crate::words::choice(word, lang),
            title: String::new(),
        }
    }
}

impl fmt::Display for Pill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<span class=\"{}\"", self.tone.class())?;
        if !self.title.is_empty() {
            write!(f, " title=\"{}\"", Escaped(&self.title))?;
        }
        write!(f, ">{}</span>", Escaped(&self.text))
    }
}

impl HtmlSafe for Pill {}

/// A link with its text; the text alone where there is nowhere to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) href: Option<String>,
    pub(crate) text: String,
}

impl Link {
    /// A link that leads somewhere.
    pub(crate) fn to(href: impl Into<String>, text: impl Into<String>) -> Self {
        Self { href: Some(href.into()), text: text.into() }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.href {
            Some(href) => {
                write!(f, "<a href=\"{}\">{}</a>", Escaped(href), Escaped(&self.text))
            }
            None => write!(f, "{}", Escaped(&self.text)),
        }
    }
}

impl HtmlSafe for Link {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_customer_writes_stays_text() {
        let wicked = "<b onclick='x'>\"&";
        assert_eq!(Escaped(wicked).to_string(), "&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;");
        let pill = Pill { tone: Tone::Bad, text: wicked.to_owned(), title: wicked.to_owned() };
        for shown in [pill.to_string(), Link::to(wicked, wicked).to_string()] {
            assert!(!shown.contains("<b") && !shown.contains("'x'"), "{shown}");
        }
    }

    #[test]
    fn times_are_told_from_now() {
        let now: Timestamp = "2026-12-14T09:00:00Z".parse().expect("a time");
        let told = |at: &str, lang| relative(at.parse().expect("a time"), now, lang);
        assert_eq!(told("2026-12-14T08:59:31Z", Lang::En), "just now");
        assert_eq!(told("2026-12-14T08:57:00Z", Lang::En), "3 min ago");
        assert_eq!(told("2026-12-14T11:30:00Z", Lang::En), "in 2 h");
        assert_eq!(told("2026-12-10T08:00:00Z", Lang::En), "4 d ago");
        assert_eq!(told("2026-12-14T08:57:00Z", Lang::Zh), "3 分钟前");
        assert_eq!(told("2026-12-14T11:30:00Z", Lang::Zh), "2 小时后");
    }
}
