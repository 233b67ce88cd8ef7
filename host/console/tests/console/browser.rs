//! A browser without a screen: it keeps cookies, follows no link by itself,
//! and sends the forms that are on the page, with what they carry.

use std::{cell::RefCell, rc::Rc};

use axum::{
    Router,
    body::{Body, BodyDataStream, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
    response::Response,
};
use futures::StreamExt as _;
use html5ever::{parse_document, tendril::TendrilSink};
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use relata_app::{App, Secret, model::Reference};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tower::ServiceExt;
use url::form_urlencoded;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// A company, and a browser that looks at it.
pub(crate) struct Browser {
    pub(crate) app: App,
    routes: Router,
    cookies: RefCell<Vec<(String, String)>>,
    _data: Rc<TempDir>,
}

impl Browser {
    /// A new company, and nobody logged in.
    pub(crate) async fn open() -> Self {
        let data = tempfile::tempdir().unwrap();
        let start = "2026-12-14T09:00:00Z".parse().unwrap();
        let app = App::create(&data.path().join("shop"), Some(start)).await.unwrap();
        let routes = relata_console::routes(app.clone());
        Self { app, routes, cookies: RefCell::default(), _data: Rc::new(data) }
    }

    /// The same company in another browser.
    pub(crate) fn another(&self) -> Self {
        Self {
            app: self.app.clone(),
            routes: self.routes.clone(),
            cookies: RefCell::default(),
            _data: Rc::clone(&self._data),
        }
    }

    /// A browser with the same cookies.
    pub(crate) fn twin(&self) -> Self {
        Self { cookies: self.cookies.clone(), ..self.another() }
    }

    /// Makes a record; its reference.
    pub(crate) async fn make(&self, object: &str, fields: Json) -> Reference {
        let definition = self.app.object(object).unwrap();
        let fields = fields.as_object().unwrap().iter().map(|(name, json)| {
            (name.clone(), definition.field(name).unwrap().kind.read(json).unwrap())
        });
        let made = self.app.create_record(object, fields.collect(), "test").await;
        made.unwrap_or_else(|why| panic!("{object}: {why}")).reference
    }

    /// Makes a user with these roles, who logs in.
    pub(crate) async fn log_in_as(&self, name: &str, roles: &[&str]) -> Reference {
        let email = format!("{name}@shop.example");
        let fields = json!({ "name": name, "email": email, "roles": roles, "external_id": name });
        let user = self.make("user", fields).await;
        let record = self.app.record(&user).await.unwrap();
        self.app.set_password(&record, Secret::new(PASSWORD), false, "test").await.unwrap();
        let page = self.get("/login").await;
        let page = page.send("/login", &[("email", &email), ("password", PASSWORD)], self).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text());
        user
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        self.ask(Method::GET, path, &[], None).await
    }

    /// A request as it is, with these headers.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        form: Option<&[(String, String)]>,
    ) -> Page {
        let answer = self.answer(method, path, headers, form).await;
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let html = String::from_utf8(body.to_vec()).unwrap();
        Page::read(path, parts.status, parts.headers, html)
    }

    /// A stream that the page's script opens.
    pub(crate) async fn follow(&self, path: &str, last: Option<&str>) -> Followed {
        let mut headers = vec![("accept", "text/event-stream")];
        headers.extend(last.map(|last| ("last-event-id", last)));
        let answer = self.answer(Method::GET, path, &headers, None).await;
        let status = answer.status();
        Followed { status, body: answer.into_body().into_data_stream(), read: String::new() }
    }

    async fn answer(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        form: Option<&[(String, String)]>,
    ) -> Response {
        let body = form.map_or_else(Body::empty, |form| {
            let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            Body::from(body)
        });
        self.bring(method, path, headers, body).await
    }

    async fn bring(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookies: Vec<String> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        let answer = self.routes.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            let mut cookies = self.cookies.borrow_mut();
            cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }
}

/// What separates the parts of a form with files.
const BOUNDARY: &str = "----browser7MA4YWxk";

impl Browser {
    /// Sends a form with files, as a browser does: what each is called, and
    /// what is in it.
    pub(crate) async fn send_files(
        &self,
        path: &str,
        fields: &[(String, String)],
        files: &[(&str, &[u8])],
    ) -> Page {
        let part =
            |told: &str| format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {told}\r\n");
        let mut body = Vec::new();
        for (name, value) in fields {
            let value = value.replace('\n', "\r\n");
            let told = part(&format!("name=\"{name}\""));
            body.extend_from_slice(format!("{told}\r\n{value}\r\n").as_bytes());
        }
        for (name, content) in files {
            let told = part(&format!("name=\"files\"; filename=\"{name}\""));
            body.extend_from_slice(format!("{told}Content-Type: image/png\r\n\r\n").as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let headers = [("content-type", kind.as_str())];
        let answer = self.bring(Method::POST, path, &headers, Body::from(body)).await;
        let (parts, body) = answer.into_parts();
        let html = to_bytes(body, usize::MAX).await.unwrap();
        Page::read(path, parts.status, parts.headers, String::from_utf8(html.to_vec()).unwrap())
    }
}

/// A stream that is open.
pub(crate) struct Followed {
    pub(crate) status: StatusCode,
    body: BodyDataStream,
    read: String,
}

impl Followed {
    /// The id of the next event that says that something has changed; none
    /// where it has ended.
    pub(crate) async fn changed(&mut self) -> Option<String> {
        loop {
            while let Some((block, rest)) = self.read.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.read = rest;
                if block.lines().any(|line| line == "event: changed") {
                    assert!(block.contains("data: "), "an event without data is none: {block}");
                    let id = block.lines().find_map(|line| line.strip_prefix("id: "));
                    return Some(id.unwrap().to_owned());
                }
            }
            let piece = self.body.next().await?.unwrap();
            self.read.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }
}

impl Browser {
    /// What is behind an address, whatever it is.
    pub(crate) async fn bytes(&self, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.routes.clone().oneshot(request.body(Body::empty()).unwrap()).await;
        to_bytes(answer.unwrap().into_body(), usize::MAX).await.unwrap().to_vec()
    }
}

/// A page that was read.
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
    dom: RcDom,
}

impl Page {
    fn read(path: &str, status: StatusCode, headers: HeaderMap, html: String) -> Self {
        let dom =
            parse_document(RcDom::default(), html5ever::ParseOpts::default()).one(html.clone());
        Self { path: path.to_owned(), status, headers, html, dom }
    }

    /// What is wrong with its markup.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.dom.errors.borrow().iter().map(ToString::to_string).collect()
    }

    /// All elements.
    pub(crate) fn elements(&self) -> Vec<Element> {
        let mut found = Vec::new();
        walk(&self.dom.document, &mut |node| {
            if let NodeData::Element { .. } = node.data {
                found.push(Element(Rc::clone(node)));
            }
        });
        found
    }

    /// All elements with this tag and this class, if one is given.
    pub(crate) fn all(&self, tag: &str, class: Option<&str>) -> Vec<Element> {
        let wanted = |element: &Element| {
            element.tag() == tag
                && class.is_none_or(|class| {
                    element
                        .attribute("class")
                        .is_some_and(|all| all.split(' ').any(|one| one == class))
                })
        };
        self.elements().into_iter().filter(wanted).collect()
    }

    /// The text of all elements with this tag and class.
    pub(crate) fn texts(&self, tag: &str, class: Option<&str>) -> Vec<String> {
        self.all(tag, class).iter().map(Element::text).collect()
    }

    /// The text of the page's own part.
    pub(crate) fn text(&self) -> String {
        self.texts("main", None).join(" ")
    }

    /// Where the link with this text leads.
    pub(crate) fn link(&self, text: &str) -> String {
        let links = self.all("a", None);
        let found = links.iter().find(|link| link.text() == text);
        let found = found.unwrap_or_else(|| panic!("{} has no link `{text}`", self.path));
        found.attribute("href").unwrap()
    }

    /// Where the answer sends the browser.
    pub(crate) fn leads_to(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}: {}", self.path, self.text());
        self.headers[header::LOCATION].to_str().unwrap()
    }

    /// The fields of the form with this action, as a browser would send them
    /// untouched.
    pub(crate) fn form(&self, action: &str) -> Vec<(String, String)> {
        let form = self
            .all("form", None)
            .into_iter()
            .find(|form| form.attribute("action").as_deref() == Some(action));
        let form = form.unwrap_or_else(|| panic!("{} has no form for {action}", self.path));
        let mut fields = Vec::new();
        for field in form.inside() {
            let Some(name) = field.attribute("name") else { continue };
            match field.tag().as_str() {
                "input" => fields.push((name, field.attribute("value").unwrap_or_default())),
                "textarea" => fields.push((name, field.raw_text())),
                "select" => {
                    let options = field.inside();
                    let chosen = options
                        .iter()
                        .find(|option| option.attribute("selected").is_some())
                        .or_else(|| options.iter().find(|option| option.tag() == "option"));
                    if let Some(chosen) = chosen {
                        fields.push((name, chosen.attribute("value").unwrap_or_default()));
                    }
                }
                _ => {}
            }
        }
        fields
    }

    /// Sends a form of the page, with some fields filled in.
    pub(crate) async fn send(&self, action: &str, filled: &[(&str, &str)], by: &Browser) -> Self {
        let mut form = self.form(action);
        for (name, value) in filled {
            form.retain(|(known, _)| known != name);
            form.push(((*name).to_owned(), (*value).to_owned()));
        }
        let headers = [("sec-fetch-site", "same-origin")];
        by.ask(Method::POST, action, &headers, Some(&form)).await
    }
}

/// An element of a page.
pub(crate) struct Element(Handle);

impl Element {
    pub(crate) fn tag(&self) -> String {
        match &self.0.data {
            NodeData::Element { name, .. } => name.local.to_string(),
            _ => String::new(),
        }
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        let NodeData::Element { attrs, .. } = &self.0.data else { return None };
        let attrs = attrs.borrow();
        attrs.iter().find(|attr| &*attr.name.local == name).map(|attr| attr.value.to_string())
    }

    /// The texts of the rows of a table's body.
    pub(crate) fn rows(&self) -> Vec<String> {
        let rows = self.inside().into_iter().filter(|element| element.tag() == "tr");
        rows.map(|row| row.cells().join(" ").trim().to_owned()).collect()
    }

    fn cells(&self) -> Vec<String> {
        let cells = self.inside().into_iter().filter(|element| element.tag() == "td");
        cells.map(|cell| cell.text()).collect()
    }

    fn inside(&self) -> Vec<Self> {
        let mut found = Vec::new();
        walk(&self.0, &mut |node| found.push(Self(Rc::clone(node))));
        found
    }

    fn raw_text(&self) -> String {
        let mut text = String::new();
        walk(&self.0, &mut |node| {
            if let NodeData::Text { contents } = &node.data {
                text.push_str(&contents.borrow());
            }
        });
        text
    }

    /// Its text, with single blanks.
    pub(crate) fn text(&self) -> String {
        self.raw_text().split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

fn walk(node: &Handle, look: &mut impl FnMut(&Handle)) {
    look(node);
    for child in node.children.borrow().iter() {
        walk(child, look);
    }
}
