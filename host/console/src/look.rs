//! How somebody wants to see the pages: the language and the colours. Both
//! are kept in cookies, since they belong to the browser and not to the user.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    failure::Failure,
    session::{came_from_here, cookie, form_of},
    texts::Texts,
};

const LANG: &str = "relata_lang";
const THEME: &str = "relata_theme";

/// For how long a browser keeps the choice, seconds: a year.
const KEPT: u32 = 365 * 24 * 60 * 60;

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lang {
    En,
    Zh,
}

impl Lang {
    const ALL: [Self; 2] = [Self::En, Self::Zh];

    /// Its tag: `zh`.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }

    /// The console's own words in it.
    pub(crate) const fn texts(self) -> &'static Texts {
        match self {
            Self::En => &Texts::EN,
            Self::Zh => &Texts::ZH,
        }
    }

    fn of_tag(tag: &str) -> Option<Self> {
        let tag = tag.split(['-', '_']).next()?.trim();
        Self::ALL.into_iter().find(|lang| lang.tag().eq_ignore_ascii_case(tag))
    }
}

/// Light, dark, or as the machine is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    Auto,
    Light,
    Dark,
}

impl Theme {
    const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// The word of the cookie and of the style sheet.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.word() == word)
    }
}

/// How a page is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) lang: Lang,
    pub(crate) theme: Theme,
}

impl Look {
    /// By the cookies; the language else by what the browser asks for.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let lang = cookie(headers, LANG)
            .and_then(Lang::of_tag)
            .or_else(|| accepted(headers))
            .unwrap_or(Lang::En);
        let theme = cookie(headers, THEME).and_then(Theme::of_word).unwrap_or(Theme::Auto);
        Self { lang, theme }
    }
}

/// The first language of `Accept-Language` that we have. Browsers send them in
/// the order in which they are wanted.
fn accepted(headers: &HeaderMap) -> Option<Lang> {
    let wanted = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
    wanted.split(',').find_map(|one| Lang::of_tag(one.split(';').next()?))
}

/// `POST /look`: another language or other colours, and back to the page.
pub(crate) async fn change(request: Request) -> Result<Response, Failure> {
    came_from_here(request.headers())?;
    let form = form_of(request).await?;
    let mut response =
        (StatusCode::SEE_OTHER, [(header::LOCATION, form.way_back("/"))]).into_response();
    let chosen = [
        (LANG, form.get("lang").and_then(Lang::of_tag).map(Lang::tag)),
        (THEME, form.get("theme").and_then(Theme::of_word).map(Theme::word)),
    ];
    for (name, value) in chosen {
        let Some(value) = value else { continue };
        let cookie = format!("{name}={value}; Path=/; Max-Age={KEPT}; SameSite=Lax; HttpOnly");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_chosen_and_else_the_browsers() {
        let look = |pairs: &[(header::HeaderName, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(name.clone(), HeaderValue::from_str(value).expect("a header"));
            }
            Look::of(&headers)
        };
        let of_browser = (header::ACCEPT_LANGUAGE, "fr-FR,zh-CN;q=0.8,en;q=0.5");
        assert_eq!(look(&[]).lang, Lang::En);
        assert_eq!(look(std::slice::from_ref(&of_browser)).lang, Lang::Zh);
        let cookies = (header::COOKIE, "relata_lang=en; relata_theme=dark");
        assert_eq!(look(&[of_browser, cookies]), Look { lang: Lang::En, theme: Theme::Dark });
        assert_eq!(look(&[(header::COOKIE, "relata_theme=pink")]).theme, Theme::Auto);
    }
}
