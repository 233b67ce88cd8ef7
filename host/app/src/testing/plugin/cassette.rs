//! The web services of a case: what they are to be asked, in which order, and
//! what they answer.

use std::sync::{Arc, Mutex, PoisonError};

use relata_channels::{HttpAnswer, HttpCall, HttpError};
use relata_model::Timestamp;
use relata_workflow::{
    Span,
    test_file::plugin::{Exchange, ExpectedBody, ExpectedRequest, Reply, WebFault},
};
use serde_json::Value as Json;

use crate::testing::{
    compare::Eye,
    report::Failure,
    rig::WebService,
    words::{Words, shortened},
};

/// How closely requests are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// They come in their order, and are as the case says.
    Strict,
    /// Where something is made to go wrong: one that is known is answered.
    Lenient,
}

/// The web services of one call, for whoever answers and for whoever judges.
#[derive(Clone)]
pub(super) struct Cassette(Arc<Mutex<Tape>>);

struct Tape {
    file: String,
    exchanges: Vec<Exchange>,
    reading: Reading,
    eye: Arc<Eye>,
    now: Timestamp,
    /// Which request is to come next.
    next: usize,
    /// The case itself, for a request that nobody expected.
    span: Span,
    asked: Vec<String>,
    sent: Vec<String>,
    failures: Vec<Failure>,
}

impl Cassette {
    pub(super) fn new(
        file: &str,
        span: Span,
        exchanges: &[Exchange],
        reading: Reading,
        eye: Arc<Eye>,
        now: Timestamp,
    ) -> Self {
        Self(Arc::new(Mutex::new(Tape {
            file: file.to_owned(),
            exchanges: exchanges.to_vec(),
            reading,
            eye,
            now,
            next: 0,
            span,
            asked: Vec::new(),
            sent: Vec::new(),
            failures: Vec::new(),
        })))
    }

    /// Who answers the requests.
    pub(super) fn service(&self) -> WebService {
        let tape = Arc::clone(&self.0);
        Box::new(move |call| tape.lock().unwrap_or_else(PoisonError::into_inner).answer(call))
    }

    /// All requests so far with what came back, a line each.
    pub(super) fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).asked.clone()
    }

    /// All requests so far with what makes each known as a repetition, a line
    /// each.
    pub(super) fn sent(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).sent.clone()
    }

    /// All that was not as the case says, also what was not asked.
    pub(super) fn failures(&self) -> Vec<Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).end()
    }
}

impl Tape {
    fn words(&self) -> Words<'_> {
        Words { file: &self.file, eye: &self.eye }
    }

    fn answer(&mut self, call: &HttpCall) -> Result<HttpAnswer, HttpError> {
        let line = self.line(call);
        let key = call.headers.iter().find(|(name, _)| name == "idempotency-key");
        let key = key.map_or_else(String::new, |(_, key)| format!(", idempotency-key {key}"));
        let body = String::from_utf8_lossy(&call.body);
        self.sent.push(format!("{line}{key} {}", shortened(&body)).trim_end().to_owned());
        let place = match self.reading {
            Reading::Strict => (self.next < self.exchanges.len()).then_some(self.next),
            Reading::Lenient => self.known(&line),
        };
        let Some(place) = place else {
            self.asked.push(format!("{line}: no answer"));
            if self.reading == Reading::Strict {
                let message = "the plugin asks for something that the case does not have";
                let found = Some(format!("{line}; add it to `http:` with its answer"));
                self.failures.push(self.words().failure(self.span, message, found));
            }
            return Err(unanswered(call));
        };
        let Exchange { request, reply } = self.exchanges[place].clone();
        self.next = place + 1;
        if self.reading == Reading::Strict {
            let differing = differing(&self.words(), &request, call, &line, self.now);
            self.failures.extend(differing);
            if line != expected_line(&request) {
                self.asked.push(format!("{line}: no answer"));
                return Err(unanswered(call));
            }
        }
        let (came, answer) = reply_to(reply, call);
        self.asked.push(format!("{line}: {came}"));
        answer
    }

    /// A request that is known, from the next one on, else from the first.
    fn known(&self, line: &str) -> Option<usize> {
        let is_it = |exchange: &Exchange| expected_line(&exchange.request) == line;
        let next = self.next.min(self.exchanges.len());
        let later = self.exchanges[next..].iter().position(is_it).map(|place| next + place);
        later.or_else(|| self.exchanges.iter().position(is_it))
    }

    /// `GET https://…`, with records by what the test calls them.
    fn line(&self, call: &HttpCall) -> String {
        self.eye.sentence(&format!("{} {}", call.method, call.url))
    }

    fn end(&self) -> Vec<Failure> {
        let mut failures = self.failures.clone();
        for exchange in self.exchanges.iter().skip(self.next) {
            let request = &exchange.request;
            let message = format!("{} {} was to be asked", request.method, request.url);
            let found = match self.asked.as_slice() {
                [] => "the plugin asks nobody".to_owned(),
                asked => format!("the plugin asks only {}", asked.join("; ")),
            };
            failures.push(self.words().failure(request.span, message, Some(found)));
        }
        failures
    }
}

/// How a request is not as expected.
pub(super) fn differing(
    words: &Words<'_>,
    expected: &ExpectedRequest,
    call: &HttpCall,
    line: &str,
    now: Timestamp,
) -> Vec<Failure> {
    if line != expected_line(expected) {
        let message = format!("{} {} was to be asked", expected.method, expected.url);
        let found = Some(format!("the plugin asks {line}"));
        return vec![words.failure(expected.span, message, found)];
    }
    let mut failures = Vec::new();
    for part in &expected.headers {
        let found = call.headers.iter().find(|(name, _)| *name == part.name);
        let value = found.map_or(Json::Null, |(_, value)| Json::String(value.clone()));
        if !words.eye.fits(&part.check, &value, now) {
            let message =
                format!("the header `{}` was to be {}", part.name, words.eye.expected(&part.check));
            let found = found.map_or_else(
                || "the request has no such header".to_owned(),
                |(_, value)| format!("it is {}", words.eye.sentence(value)),
            );
            failures.push(words.failure(part.span, message, Some(found)));
        }
    }
    let Some((body, span)) = &expected.body else { return failures };
    let text = String::from_utf8_lossy(&call.body);
    let (fits, check) = match body {
        ExpectedBody::Text(check) => {
            let value = Json::String(text.clone().into_owned());
            (words.eye.fits(check, &value, now), check)
        }
        ExpectedBody::Json(check) => {
            let value = serde_json::from_str::<Json>(&text).ok();
            (value.is_some_and(|value| words.eye.fits(check, &value, now)), check)
        }
    };
    if !fits {
        let message = format!("the body was to be {}", words.eye.expected(check));
        let found = Some(format!("it is {}", shortened(&words.eye.sentence(&text))));
        failures.push(words.failure(*span, message, found));
    }
    failures
}

/// `GET https://…`
fn expected_line(request: &ExpectedRequest) -> String {
    format!("{} {}", request.method, request.url)
}

/// What becomes of a request, in a word and in full.
fn reply_to(reply: Reply, call: &HttpCall) -> (String, Result<HttpAnswer, HttpError>) {
    match reply {
        Reply::Answer { status, headers, body } => {
            if body.len() > call.answer_bytes {
                let too_long = HttpError::TooLong { host: host(call), limit: call.answer_bytes };
                return (too_long.to_string(), Err(too_long));
            }
            let answer = HttpAnswer { status, headers, body: body.into_bytes() };
            (status.to_string(), Ok(answer))
        }
        Reply::Fault(WebFault::TimedOut) => {
            let why = "timed out".to_owned();
            ("timed out".to_owned(), Err(HttpError::NoAnswer { host: host(call), why }))
        }
        Reply::Fault(WebFault::Refused) => {
            let why = "the connection was refused".to_owned();
            ("refused".to_owned(), Err(HttpError::Unreachable { host: host(call), why }))
        }
    }
}

fn unanswered(call: &HttpCall) -> HttpError {
    let why = "the case has no answer for it (`http:`)".to_owned();
    HttpError::Unusable { host: host(call), why }
}

/// `companies.example` of an address.
fn host(call: &HttpCall) -> String {
    let after = call.url.split_once("://").map_or(call.url.as_str(), |(_, rest)| rest);
    after.split(['/', '?', '#']).next().unwrap_or(after).to_owned()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use expect_test::{Expect, expect};
    use relata_model::{Objects, Reference, TimeZone};
    use relata_workflow::{ActionSignature, Catalog, parse_plugin_test};
    use serde_json::json;

    use super::*;

    /// The requests of a case.
    fn exchanges(lines: &str) -> Vec<Exchange> {
        let action = ActionSignature {
            name: "p.act".to_owned(),
            title: String::new(),
            summary: String::new(),
            input: json!({ "type": "object" }),
            output: json!({ "type": "object" }),
            reads: Vec::new(),
            writes: Vec::new(),
            permissions: None,
            correlation: Vec::new(),
            exclusive: None,
        };
        let catalog = Catalog {
            objects: Objects::standard(),
            actions: BTreeMap::from([(action.name.clone(), action)]),
            ..Catalog::default()
        };
        let file = format!(
            "plugin: p\ncases:\n  - it: x\n    call: act\n    expect: {{ done: {{}} }}\n    http:\n{lines}"
        );
        let (test, found) = parse_plugin_test("x.test.yaml", &file, "p", &catalog);
        test.unwrap_or_else(|| panic!("{found:?}")).cases.remove(0).web
    }

    fn cassette(lines: &str, reading: Reading) -> Cassette {
        let lead = |key: &str| Reference::new("lead", key);
        let names = BTreeMap::from([(lead("anna"), lead("01m9swffm0ek7vgmt5h5q1s06q"))]);
        let eye = Arc::new(Eye::new(names, TimeZone::UTC, None));
        let now = Timestamp::UNIX_EPOCH;
        Cassette::new("x.test.yaml", Span::default(), &exchanges(lines), reading, eye, now)
    }

    fn call(method: &'static str, url: &str, headers: &[(&str, &str)], body: &str) -> HttpCall {
        HttpCall {
            method,
            url: url.to_owned(),
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            body: body.as_bytes().to_vec(),
            timeout: Duration::from_secs(1),
            answer_bytes: 10,
        }
    }

    /// What came back, what was asked, and what was wrong with it.
    fn check(cassette: &Cassette, calls: &[HttpCall], expected: Expect) {
        let mut service = cassette.service();
        let mut lines = Vec::new();
        for call in calls {
            lines.push(match service(call) {
                Ok(answer) => {
                    format!("{} {:?}", answer.status, String::from_utf8_lossy(&answer.body))
                }
                Err(why) => why.to_string(),
            });
        }
        lines.extend(cassette.asked());
        for failure in cassette.failures() {
            lines.push(format!("{} [{}]", failure.message, failure.found.unwrap_or_default()));
        }
        expected.assert_eq(&lines.join("\n"));
    }

    const TWO: &str = "      - request: GET https://a.example/?lead=lead/anna
        headers: { authorization: Bearer t0p }
        answer: { status: 200, text: one }
      - request: POST https://a.example/new
        json: { name: Anna, tags: is not empty }
        fault: timed_out
";

    #[test]
    fn requests_come_in_their_order_and_are_as_the_case_says() {
        // Records go by what the test calls them.
        let first = "https://a.example/?lead=lead/01m9swffm0ek7vgmt5h5q1s06q";
        let body = r#"{"name":"Anna","tags":["x"],"more":1}"#;
        let calls = [
            call("GET", first, &[("authorization", "Bearer t0p")], ""),
            call("POST", "https://a.example/new", &[], body),
        ];
        check(
            &cassette(TWO, Reading::Strict),
            &calls,
            expect![[r#"
            200 "one"
            a.example did not answer: timed out
            GET https://a.example/?lead=lead/anna: 200
            POST https://a.example/new: timed out"#]],
        );
    }

    #[test]
    fn what_differs_is_shown_beside_what_was_expected() {
        let first = "https://a.example/?lead=lead/01m9swffm0ek7vgmt5h5q1s06q";
        let calls = [
            call("GET", first, &[("authorization", "Bearer relata-secret-1")], ""),
            call("POST", "https://a.example/new", &[], r#"{"name":"Bert"}"#),
            call("GET", "https://b.example/", &[], ""),
        ];
        check(
            &cassette(TWO, Reading::Strict),
            &calls,
            expect![[r#"
            200 "one"
            a.example did not answer: timed out
            the request to b.example cannot be made: the case has no answer for it (`http:`)
            GET https://a.example/?lead=lead/anna: 200
            POST https://a.example/new: timed out
            GET https://b.example/: no answer
            the header `authorization` was to be Bearer t0p [it is Bearer relata-secret-1]
            the body was to be { name: Anna, tags: not empty } [it is {"name":"Bert"}]
            the plugin asks for something that the case does not have [GET https://b.example/; add it to `http:` with its answer]"#]],
        );
        let calls = [call("GET", "https://a.example/other", &[], "")];
        check(
            &cassette(TWO, Reading::Strict),
            &calls,
            expect![[r#"
            the request to a.example cannot be made: the case has no answer for it (`http:`)
            GET https://a.example/other: no answer
            GET https://a.example/?lead=lead/anna was to be asked [the plugin asks GET https://a.example/other]
            POST https://a.example/new was to be asked [the plugin asks only GET https://a.example/other: no answer]"#]],
        );
        check(
            &cassette(TWO, Reading::Strict),
            &[],
            expect![[r#"
            GET https://a.example/?lead=lead/anna was to be asked [the plugin asks nobody]
            POST https://a.example/new was to be asked [the plugin asks nobody]"#]],
        );
    }

    #[test]
    fn where_faults_are_made_what_is_known_is_answered() {
        let calls = [
            call("POST", "https://a.example/new", &[], ""),
            call("GET", "https://b.example/", &[], ""),
        ];
        check(
            &cassette(TWO, Reading::Lenient),
            &calls,
            expect![[r#"
            a.example did not answer: timed out
            the request to b.example cannot be made: the case has no answer for it (`http:`)
            POST https://a.example/new: timed out
            GET https://b.example/: no answer"#]],
        );
    }

    #[test]
    fn an_answer_may_be_too_long_and_a_service_away() {
        let lines = "      - request: GET https://a.example/
        answer: { text: more than ten }
      - request: GET https://a.example/
        fault: refused
";
        let calls = [
            call("GET", "https://a.example/", &[], ""),
            call("GET", "https://a.example/", &[], ""),
        ];
        check(
            &cassette(lines, Reading::Strict),
            &calls,
            expect![[r#"
            a.example answered more than 10 bytes
            a.example cannot be reached: the connection was refused
            GET https://a.example/: a.example answered more than 10 bytes
            GET https://a.example/: refused"#]],
        );
    }
}
