//! Who asks for a page, and whether a form was one of ours.
//!
//! A form that changes something is believed when the browser says that it
//! came from our own pages, and when it brings the token of the session, which
//! no other site can read. The token is a digest of the session's secret, so
//! nothing has to be kept for it.

use axum::{
    body::to_bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderValue, Uri, header, request::Parts},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use relata_app::{
    App, Known, MessageFile, Session, Viewer, Watched, WorkWaiting,
    model::{Act, Area, Doing, Record, Reference, TimeZone, Timestamp},
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::form_urlencoded;

use crate::{
    failure::Failure,
    html::{Moment, Pill},
    live::Live,
    look::{Lang, Look},
    shell::{NavGroup, NavItem, Presence, Shell, Who, counted, initials},
    upload, words,
};

/// The cookie that holds a session's secret.
pub(crate) const COOKIE: &str = "relata_session";

/// The pages of somebody whose password was given by somebody else.
const NEEDS_NO_PASSWORD: [&str; 2] = ["/password", "/logout"];

/// The field of a form that holds its token.
const TOKEN: &str = "form_token";

/// The field of a form that says where to go after it.
const THEN: &str = "then";

/// The longest form: a workflow's text, or a long letter.
pub(crate) const LONGEST_FORM: usize = 2 << 20;

/// Whether somebody is there, in the words of `user.presence`.
pub(crate) const PRESENCES: [&str; 3] = ["online", "away", "offline"];

/// The objects that the navigation names, those for sales and those for
/// service, in this order.
const IN_NAVIGATION: [(&str, &str); 6] = [
    ("contact", "person"),
    ("account", "building"),
    ("lead", "spark"),
    ("opportunity", "chart"),
    ("order", "box"),
    ("campaign", "flag"),
];

/// A cookie's value.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get_all(header::COOKIE).iter().filter_map(|header| header.to_str().ok()).find_map(
        |header| {
            header.split(';').find_map(|pair| {
                let (found, value) = pair.trim().split_once('=')?;
                (found == name).then_some(value)
            })
        },
    )
}

/// Somebody who is logged in, on the way to a page.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) app: App,
    pub(crate) viewer: Viewer,
    pub(crate) look: Look,
    /// The viewer's own record.
    pub(crate) me: Record,
    /// What was known before the page is made.
    known: Known,
    /// How much waits for the viewer.
    waiting: WorkWaiting,
    uri: Uri,
    /// Whether this is a page, and not what comes of a form.
    is_read: bool,
    token: String,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let is_read = parts.method.is_safe();
        let wanted = || match is_read {
            true => parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            // A form that was sent too late: back to where its page was.
            false => "/".to_owned(),
        };
        let secret =
            cookie(&parts.headers, COOKIE).ok_or_else(|| Failure::NobodyThere(wanted()))?;
        let session = match asks_by_itself(&parts.headers) {
            true => app.session_unattended(secret).await?,
            false => app.session(secret).await?,
        };
        let Session { viewer, me, must_change } =
            session.ok_or_else(|| Failure::NobodyThere(wanted()))?;
        if must_change && !NEEDS_NO_PASSWORD.contains(&parts.uri.path()) {
            return Err(Failure::OthersPassword);
        }
        // Before anything is read that the page shows.
        let known = app.known_now(&[]).await?;
        let waiting = app.work_of(&me).await?;
        Ok(Self {
            app: app.clone(),
            viewer,
            me,
            look: Look::of(&parts.headers),
            known,
            waiting,
            uri: parts.uri.clone(),
            is_read,
            token: form_token(secret),
        })
    }
}

/// Whether a page's script asks, and nobody did anything for it.
fn asks_by_itself(headers: &HeaderMap) -> bool {
    headers.contains_key("hx-request") && !headers.contains_key("hx-boosted")
}

impl Visit {
    pub(crate) fn lang(&self) -> Lang {
        self.look.lang
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.app.now()
    }

    pub(crate) fn zone(&self) -> TimeZone {
        self.app.zone()
    }

    /// How long ago a time was, seen from now.
    pub(crate) fn moment(&self, at: Timestamp) -> Moment {
        Moment::near(at, self.now(), &self.zone(), self.lang())
    }

    /// The same of a time as the app writes it; none where it writes none.
    pub(crate) fn moment_of(&self, at: Option<&str>) -> Option<Moment> {
        at.and_then(|at| at.parse().ok()).map(|at| self.moment(at))
    }

    /// The user who is logged in.
    pub(crate) fn user(&self) -> Option<&Reference> {
        self.viewer.user()
    }

    /// Goes on only if the viewer may do this; that they may not is noted.
    pub(crate) async fn must(&self, area: Area, doing: Doing) -> Result<(), Failure> {
        Ok(self.app.must_may(&self.viewer, area, doing).await?)
    }

    /// What surrounds this page. `section` is the part of the navigation that
    /// it belongs to.
    pub(crate) fn shell(&self, section: &str) -> Shell {
        let presence = self.me.field("presence").as_text().map(|word| {
            let others = PRESENCES.into_iter().filter(|other| *other != word);
            let named = others.map(|other| (other.to_owned(), words::choice(other, self.lang())));
            Presence { pill: Pill::of_word(word, self.lang()), others: named.collect() }
        });
        let name = self.viewer.name().to_owned();
        Shell {
            nav: self.navigation(section),
            who: Some(Who {
                initials: initials(&name),
                name,
                href: self.user().map(|user| format!("/records/{user}")),
                presence,
            }),
            token: self.token.clone(),
            live: self
                .is_read
                .then(|| Live::of_navigation(self.in_navigation(), self.known, section)),
            ..Shell::bare(self.look).at(&self.uri)
        }
    }

    /// The page shows how these runs stand, which is noted before it reads
    /// them: what runs do is in no log of changes.
    pub(crate) async fn with_runs(mut self, runs: &Watched) -> Result<Self, Failure> {
        self.known = self.app.known_now(std::slice::from_ref(runs)).await?;
        Ok(self)
    }

    /// What the numbers in the navigation depend on.
    fn in_navigation(&self) -> Vec<Watched> {
        let naming = |object: &str, field: &str| Watched::Naming {
            object: object.to_owned(),
            field: field.to_owned(),
            target: self.me.reference.clone(),
        };
        let mut watched = Vec::new();
        if self.sees("task") {
            watched.push(naming("task", "assignee"));
        }
        if self.sees("approval") {
            // Some are asked of a role.
            watched.push(Watched::Object("approval".to_owned()));
        }
        watched
    }

    fn sees(&self, object: &str) -> bool {
        self.viewer.may_object(object, Act::See)
    }

    /// The pages that this viewer may see.
    fn navigation(&self, section: &str) -> Vec<NavGroup> {
        let (t, lang) = (self.lang().texts(), self.lang());
        let item = |href: &str, text: &str, icon, name: &str| NavItem {
            href: href.to_owned(),
            text: text.to_owned(),
            icon,
            current: section == name,
            count: None,
        };
        let with_count = |item: NavItem, count: u64| NavItem {
            count: (count > 0).then(|| counted(count)),
            ..item
        };
        let mut work = Vec::new();
        if self.sees("ticket") {
            work.push(item("/inbox", t.inbox, "inbox", "inbox"));
        }
        if self.sees("task") {
            let tasks = item("/tasks", t.tasks, "check", "tasks");
            work.push(with_count(tasks, self.waiting.tasks));
        }
        if self.sees("approval") {
            let approvals = item("/approvals", t.approvals, "stamp", "approvals");
            work.push(with_count(approvals, self.waiting.approvals));
        }
        let mut customers = Vec::new();
        for (object, icon) in IN_NAVIGATION {
            if let Some(definition) = self.app.objects().get(object).filter(|_| self.sees(object)) {
                let title = words::plural(definition, lang);
                customers.push(item(&format!("/records/{object}"), &title, icon, object));
            }
        }
        customers.push(item("/records", t.all_records, "table", "records"));
        let mut machine = Vec::new();
        for (area, href, text, icon) in [
            (Area::Workflows, "/workflows", t.workflows, "flow"),
            (Area::Runs, "/runs", t.runs, "play"),
            (Area::Routing, "/routing", t.routing, "route"),
            (Area::Plugins, "/plugins", t.plugins, "plug"),
            (Area::Operations, "/admin", t.admin, "gear"),
        ] {
            if self.viewer.may(area, Doing::See) {
                machine.push(item(href, text, icon, &href[1..]));
            }
        }
        [("", work), (t.customers, customers), (t.automation, machine)]
            .into_iter()
            .filter(|(_, items)| !items.is_empty())
            .map(|(title, items)| NavGroup { title, items })
            .collect()
    }
}

/// Somebody who is logged in, and the form that they sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) visit: Visit,
    pub(crate) form: Form,
}

impl FromRequest<App> for Sent {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        came_from_here(&parts.headers)?;
        let visit = Visit::from_request_parts(&mut parts, app).await?;
        let boundary = upload::boundary(&parts.headers);
        let request = Request::from_parts(parts, body);
        let form = match boundary {
            Some(boundary) => upload::form_of(request, boundary, app.most_of_files()).await?,
            None => form_of(request).await?,
        };
        let token = form.get(TOKEN).unwrap_or_default();
        if bool::from(token.as_bytes().ct_eq(visit.token.as_bytes())) {
            Ok(Self { visit, form })
        } else {
            Err(Failure::ForeignForm)
        }
    }
}

/// The fields of a form that was sent, in their order, and its files.
#[derive(Debug, Default)]
pub(crate) struct Form {
    fields: Vec<(String, String)>,
    pub(crate) files: Vec<MessageFile>,
    /// There were files, and so many that none of them is here.
    pub(crate) files_are_too_much: bool,
}

impl Form {
    /// Adds a field.
    pub(crate) fn put(&mut self, name: String, value: String) {
        self.fields.push((name, value));
    }

    /// A field; the last one of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().rfind(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// A field without the blanks around it; none where nothing is in it.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// All fields whose name begins so, without that beginning.
    pub(crate) fn behind<'a>(&'a self, front: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.fields
            .iter()
            .filter_map(move |(name, value)| Some((name.strip_prefix(front)?, value.as_str())))
    }

    /// Where to go after it: a page of ours and no other.
    pub(crate) fn way_back(&self, usual: &str) -> HeaderValue {
        let wanted = self.get(THEN).filter(|way| is_ours(way)).unwrap_or(usual);
        HeaderValue::from_str(wanted).unwrap_or(HeaderValue::from_static("/"))
    }
}

/// Whether an address is a path of this host: `//other.example` and
/// `/\other.example` are not.
pub(crate) fn is_ours(way: &str) -> bool {
    let mut letters = way.bytes();
    letters.next() == Some(b'/')
        && !matches!(letters.next(), Some(b'/' | b'\\'))
        && way.bytes().all(|letter| (0x21..0x7f).contains(&letter))
}

/// The fields of a form.
pub(crate) async fn form_of(request: Request) -> Result<Form, Failure> {
    let body = to_bytes(request.into_body(), LONGEST_FORM).await;
    let body = body.map_err(|_| {
        Failure::Wrong(format!("the form is longer than {} MiB", LONGEST_FORM >> 20))
    })?;
    let fields = form_urlencoded::parse(&body).into_owned();
    // Browsers send the ends of lines of a text field as two signs.
    let fields = fields.map(|(name, value)| (name, value.replace("\r\n", "\n")));
    Ok(Form { fields: fields.collect(), ..Form::default() })
}

/// Whether a form was sent by one of our own pages, as far as the browser
/// says. A program that is no browser says nothing, and holds no cookie of
/// somebody else.
pub(crate) fn came_from_here(headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return match site {
            "same-origin" | "none" => Ok(()),
            _ => Err(Failure::ForeignForm),
        };
    }
    match text(header::ORIGIN) {
        None => Ok(()),
        Some(origin) => {
            let origin = origin.split_once("://").map_or(origin, |(_, rest)| rest);
            if Some(origin) == text(header::HOST) { Ok(()) } else { Err(Failure::ForeignForm) }
        }
    }
}

/// The token of a session's forms.
pub(crate) fn form_token(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("relata form token\0{secret}")))
}

/// A text field of a record.
pub(crate) fn text_of<'a>(record: &'a Record, field: &str) -> &'a str {
    record.field(field).as_text().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (header::HeaderName::from_static(name), HeaderValue::from_static(value))
            })
            .collect()
    }

    #[test]
    fn a_form_of_another_site_is_none_of_ours() {
        let ours = |pairs| came_from_here(&headers(pairs)).is_ok();
        assert!(ours(&[]));
        assert!(ours(&[("sec-fetch-site", "same-origin")]));
        assert!(ours(&[("origin", "https://desk.example"), ("host", "desk.example")]));
        assert!(!ours(&[("sec-fetch-site", "cross-site")]));
        assert!(!ours(&[("sec-fetch-site", "same-site")]));
        assert!(!ours(&[("origin", "https://evil.example"), ("host", "desk.example")]));
        assert!(!ours(&[("origin", "null"), ("host", "desk.example")]));
    }

    #[test]
    fn the_way_back_stays_here() {
        for way in ["/", "/inbox?view=mine", "/records/contact/anna"] {
            assert!(is_ours(way), "{way}");
        }
        for way in ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\nb"] {
            assert!(!is_ours(way), "{way}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let headers = headers(&[("cookie", "a=1; relata_session=rls_x; relata_lang=zh")]);
        assert_eq!(cookie(&headers, COOKIE), Some("rls_x"));
        assert_eq!(cookie(&headers, "session"), None);
    }

    #[test]
    fn each_session_has_a_token_of_its_own() {
        assert_ne!(form_token("a"), form_token("b"));
        assert!(!form_token("rls_secret").contains("secret"));
    }
}
