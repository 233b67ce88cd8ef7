//! What web services are asked, and what they answer.

use url::Url;

use super::{Exchange, ExpectedBody, ExpectedRequest, Reply, WebFault};
use crate::{
    diagnostic::{self as codes, Span},
    read::schema::Wanted,
    source::{Content, Entry, Node},
    test_file::{Part, Reader, read::Keys, values::json},
};

/// The methods of a request.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

impl Reader<'_> {
    /// `http:`
    pub(super) fn exchanges(&mut self, entry: &Entry) -> Vec<Exchange> {
        let items = self.items(entry);
        items.iter().filter_map(|node| self.exchange(node)).collect()
    }

    fn exchange(&mut self, node: &Node) -> Option<Exchange> {
        let mut keys = self.keys(node, "an entry of `http`")?;
        let request = self.request(&mut keys);
        let (answer, fault) = (keys.take("answer"), keys.take("fault"));
        let reply = match (answer, fault) {
            (Some(entry), None) => self.answer_of_web(entry),
            (None, Some(entry)) => self.web_fault(entry).map(Reply::Fault),
            (None, None) => {
                let message = "nobody says what becomes of the request";
                let help =
                    Some("add `answer: { status: 200, … }`, or `fault: timed_out`".to_owned());
                self.error(codes::MISSING_KEY, keys.place(), message, help);
                None
            }
            (Some(_), Some(entry)) => {
                let message = "a request is answered, or it has a fault";
                self.error(codes::WRONG_VALUE, entry.key_place, message, None);
                None
            }
        };
        self.unknown_keys(&keys, "an entry of `http`");
        Some(Exchange { request: request?, reply: reply? })
    }

    /// `request: GET https://…`, and what it must have.
    pub(super) fn request(&mut self, keys: &mut Keys<'_>) -> Option<ExpectedRequest> {
        let Some(entry) = keys.take("request") else {
            let help = Some("add `request: GET https://…`".to_owned());
            let message = "nobody says which request is meant";
            self.error(codes::MISSING_KEY, keys.place(), message, help);
            return None;
        };
        let line = self.plain_text(entry).map(str::to_owned);
        let headers =
            keys.take("headers").map(|entry| self.header_parts(entry)).unwrap_or_default();
        let body = self.body(keys);
        let line = line?;
        let (method, url) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
        let address = Url::parse(url.trim()).ok();
        let address = address.filter(|url| matches!(url.scheme(), "https" | "http"));
        let Some(address) = address.filter(|_| METHODS.contains(&method)) else {
            let message = format!("`{line}` is not a request");
            let help = Some("write `GET https://api.example.com/v1/companies`".to_owned());
            self.error(codes::WRONG_VALUE, entry.value.place, message, help);
            return None;
        };
        Some(ExpectedRequest {
            span: self.span(entry.value.place),
            method: method.to_owned(),
            url: address.into(),
            headers,
            body,
        })
    }

    fn header_parts(&mut self, entry: &Entry) -> Vec<Part> {
        let Some(keys) = self.keys(&entry.value, "`headers`") else { return Vec::new() };
        let mut parts = Vec::new();
        for header in keys.entries {
            let what = format!("`{}`", header.key);
            if let Some(check) = self.check(&header.value, &Wanted::Text, &what) {
                let name = header.key.to_ascii_lowercase();
                parts.push(Part { name, check, span: self.span(header.key_place) });
            }
        }
        parts
    }

    /// `json:` or `text:` of a request.
    fn body(&mut self, keys: &mut Keys<'_>) -> Option<(ExpectedBody, Span)> {
        let (json, text) = (keys.take("json"), keys.take("text"));
        if let (Some(_), Some(entry)) = (json, text) {
            let message = "a body is `json` or `text`";
            self.error(codes::WRONG_VALUE, entry.key_place, message, None);
        }
        if let Some(entry) = json {
            let check = self.check(&entry.value, &Wanted::Open, "`json`")?;
            return Some((ExpectedBody::Json(check), self.span(entry.key_place)));
        }
        let entry = text?;
        let check = self.check(&entry.value, &Wanted::Text, "`text`")?;
        Some((ExpectedBody::Text(check), self.span(entry.key_place)))
    }

    /// `answer: { status: 200, headers: { … }, json: { … } }`
    fn answer_of_web(&mut self, entry: &Entry) -> Option<Reply> {
        let mut keys = self.keys(&entry.value, "`answer`")?;
        let status = match keys.take("status") {
            Some(entry) => self.status(entry)?,
            None => 200,
        };
        let mut headers = Vec::new();
        if let Some(entry) = keys.take("headers")
            && let Some(given) = self.keys(&entry.value, "`headers`")
        {
            for header in given.entries {
                let Some(value) = self.plain_text(header) else { continue };
                headers.push((header.key.to_ascii_lowercase(), value.to_owned()));
            }
        }
        let (as_json, as_text) = (keys.take("json"), keys.take("text"));
        let body = match (as_json, as_text) {
            (Some(_), Some(entry)) => {
                let message = "a body is `json` or `text`";
                self.error(codes::WRONG_VALUE, entry.key_place, message, None);
                None
            }
            (Some(entry), None) => {
                if headers.iter().all(|(name, _)| name != "content-type") {
                    headers.push(("content-type".to_owned(), "application/json".to_owned()));
                }
                Some(json(&entry.value).to_string())
            }
            (None, Some(entry)) => self.body_text(entry),
            (None, None) => Some(String::new()),
        };
        self.unknown_keys(&keys, "`answer`");
        Some(Reply::Answer { status, headers, body: body? })
    }

    fn body_text(&mut self, entry: &Entry) -> Option<String> {
        match &entry.value.value {
            Content::Text { text, .. } => Some(text.clone()),
            Content::Nothing => Some(String::new()),
            Content::Spoiled => None,
            Content::List(_) | Content::Map(_) => {
                let help = Some("write `json:` for what is made of parts".to_owned());
                self.error(codes::WRONG_FORM, entry.value.place, "`text` is a text", help);
                None
            }
        }
    }

    fn status(&mut self, entry: &Entry) -> Option<u16> {
        let text = self.plain_text(entry)?.to_owned();
        let status = text.parse().ok().filter(|status| (100..=599).contains(status));
        if status.is_none() {
            let message = format!("`{text}` is not a status of HTTP: 200, 404, 429 …");
            self.error(codes::WRONG_VALUE, entry.value.place, message, None);
        }
        status
    }

    fn web_fault(&mut self, entry: &Entry) -> Option<WebFault> {
        let word = self.plain_text(entry)?.to_owned();
        let found = WebFault::ALL.into_iter().find(|(known, _)| *known == word);
        if found.is_none() {
            let help =
                codes::mean_or_list(&word, WebFault::ALL.into_iter().map(|(known, _)| known));
            let message = format!("`{word}` is no fault of a web service");
            self.error(codes::NOT_A_CHOICE, entry.value.place, message, help);
        }
        found.map(|(_, fault)| fault)
    }
}
