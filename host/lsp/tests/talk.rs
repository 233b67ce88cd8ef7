//! A whole conversation between an editor and the server, in the words of the
//! protocol, over a connection in memory. `¦` is the cursor.

#[path = "../../workflow/tests/catalog/mod.rs"]
mod catalog;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use expect_test::expect;
use lsp_server::{Connection, Message, Notification, Request, RequestId, Response};
use relata_lsp::{Company, LspError, file_uri};
use serde_json::{Value as Json, json};

const FILE: &str = "file:///shop/workflows/test.yaml";

/// An editor, and the server that it talks to.
struct Editor {
    connection: Option<Connection>,
    server: Option<JoinHandle<Result<(), LspError>>>,
    last_id: i32,
    /// What the server said without being asked.
    notices: Vec<(String, Json)>,
}

impl Editor {
    fn new(company: Company) -> Self {
        Self::with(json!({}), move || Ok(company.clone()))
    }

    fn with(
        capabilities: Json,
        company: impl FnMut() -> Result<Company, String> + Send + 'static,
    ) -> Self {
        let (ours, theirs) = Connection::memory();
        let server = thread::spawn(move || relata_lsp::serve(&theirs, company));
        let mut editor =
            Self { connection: Some(ours), server: Some(server), last_id: 0, notices: Vec::new() };
        let answer = editor.ask("initialize", json!({ "capabilities": capabilities }));
        assert_eq!(answer["serverInfo"]["name"], "relata");
        assert_eq!(answer["capabilities"]["hoverProvider"], true);
        editor.tell("initialized", json!({}));
        editor
    }

    fn to_server(&self) -> &Connection {
        self.connection.as_ref().expect("no goodbye was said")
    }

    fn send(&self, message: Message) {
        self.to_server().sender.send(message).expect("the server listens");
    }

    fn receive(&self) -> Message {
        self.to_server().receiver.recv().expect("the server is there")
    }

    fn tell(&self, method: &str, params: Json) {
        self.send(Message::Notification(Notification { method: method.to_owned(), params }));
    }

    /// Asks, and waits for the answer; what comes meanwhile is kept.
    fn ask(&mut self, method: &str, params: Json) -> Json {
        let answer = self.try_ask(method, params);
        answer.response_result.unwrap_or_else(|wrong| panic!("{method}: {wrong:?}"))
    }

    fn try_ask(&mut self, method: &str, params: Json) -> Response {
        self.last_id += 1;
        let id = RequestId::from(self.last_id);
        self.send(Message::Request(Request { id: id.clone(), method: method.to_owned(), params }));
        loop {
            match self.receive() {
                Message::Response(response) if response.id == id => return response,
                Message::Notification(notice) => self.notices.push((notice.method, notice.params)),
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next thing that the server says by itself.
    fn told(&mut self) -> (String, Json) {
        if !self.notices.is_empty() {
            return self.notices.remove(0);
        }
        match self.receive() {
            Message::Notification(notice) => (notice.method, notice.params),
            Message::Request(request) => (request.method, request.params),
            other => panic!("{other:?}"),
        }
    }

    /// What is wrong in a file, as the server tells next.
    fn diagnostics(&mut self) -> Json {
        let (method, params) = self.told();
        assert_eq!(method, "textDocument/publishDiagnostics");
        params
    }

    fn open(&mut self, text: &str) -> Json {
        self.tell(
            "textDocument/didOpen",
            json!({ "textDocument": { "uri": FILE, "languageId": "yaml", "version": 1, "text": text } }),
        );
        self.diagnostics()
    }

    /// Opens a file and asks about its cursor.
    fn at_cursor(&mut self, marked: &str, method: &str) -> Json {
        let (before, _) = marked.split_once('¦').expect("a cursor");
        self.open(&marked.replacen('¦', "", 1));
        let line = before.matches('\n').count();
        let column: usize =
            before.rsplit('\n').next().unwrap_or_default().chars().map(char::len_utf16).sum();
        self.ask(
            method,
            json!({
                "textDocument": { "uri": FILE },
                "position": { "line": line, "character": column },
            }),
        )
    }

    /// Says goodbye, as editors do.
    fn close(mut self) {
        self.ask("shutdown", Json::Null);
        self.tell("exit", Json::Null);
        drop(self.connection.take());
        let server = self.server.take().expect("it was started");
        server.join().expect("no panic").expect("the server ends well");
    }
}

fn company() -> Company {
    Company { catalog: catalog::catalog(), ..Company::default() }
}

fn about_a_ticket(steps: &str) -> String {
    format!("workflow: test\nwhen:\n  - created: ticket\nsteps:\n{steps}")
}

/// `line:column-line:column`, from 0, in UTF-16.
fn place(range: &Json) -> String {
    let point = |point: &Json| format!("{}:{}", point["line"], point["character"]);
    format!("{}-{}", point(&range["start"]), point(&range["end"]))
}

#[test]
fn what_is_wrong_is_told_when_a_file_is_opened_and_changed() {
    let mut editor = Editor::new(Company {
        explanations: Some("https://relata.example/errors/{code}".to_owned()),
        ..company()
    });
    let told = editor.open(&about_a_ticket("  - stop_if: ticket.custmer is empty\n"));
    let [wrong] = told["diagnostics"].as_array().unwrap().as_slice() else { panic!("{told}") };
    expect![[r#"
        {
          "code": "R102",
          "codeDescription": {
            "href": "https://relata.example/errors/R102"
          },
          "message": "a ticket has no field `custmer`\ndid you mean `customer`?",
          "range": {
            "end": {
              "character": 27,
              "line": 4
            },
            "start": {
              "character": 13,
              "line": 4
            }
          },
          "severity": 1,
          "source": "relata"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(wrong).unwrap());
    assert_eq!(told["version"], 1);

    // A letter is typed, and it is mended.
    editor.tell(
        "textDocument/didChange",
        json!({
            "textDocument": { "uri": FILE, "version": 2 },
            "contentChanges": [{
                "range": { "start": { "line": 4, "character": 24 }, "end": { "line": 4, "character": 24 } },
                "text": "o",
            }],
        }),
    );
    let told = editor.diagnostics();
    assert_eq!(told["diagnostics"], json!([]));
    assert_eq!(told["version"], 2);

    // A closed file has nothing wrong any more.
    editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": FILE } }));
    assert_eq!(editor.diagnostics()["diagnostics"], json!([]));
    editor.close();
}

/// The columns are those of UTF-16: 客 is one, 😀 two.
#[test]
fn places_behind_foreign_letters_are_right() {
    let mut editor = Editor::new(company());
    let step = "  - do: notify.role\n    role: support-ops\n    text: \"客户😀 {{ ticket.custmer.name }}\"\n";
    let told = editor.open(&about_a_ticket(step));
    assert_eq!(place(&told["diagnostics"][0]["range"]), "6:19-6:33");

    let marked = step.replace("custmer.name", "subj¦ect");
    let hover = editor.at_cursor(&about_a_ticket(&marked), "textDocument/hover");
    assert_eq!(place(&hover["range"]), "6:26-6:33");
    assert_eq!(hover["contents"]["kind"], "markdown");
    assert!(hover["contents"]["value"].as_str().unwrap().starts_with("`ticket.subject`: text"));

    let marked = step.replace("custmer.name", "sub¦");
    let offered = editor.at_cursor(&about_a_ticket(&marked), "textDocument/completion");
    let subject = offered.as_array().unwrap().iter().find(|item| item["label"] == "subject");
    assert_eq!(place(&subject.unwrap()["textEdit"]["range"]), "6:26-6:29");
    editor.close();
}

#[test]
fn fields_are_completed_while_they_are_typed() {
    let mut editor = Editor::new(company());
    let offered = editor.at_cursor(
        &about_a_ticket("  - do: mail.send\n    template: csat\n    to: =ticket.¦\n"),
        "textDocument/completion",
    );
    let items = offered.as_array().unwrap();
    assert_eq!(items[0]["label"], "ref");
    let customer = items.iter().find(|item| item["label"] == "customer").unwrap();
    expect![[r#"
        {
          "detail": "a record of contact; may be empty",
          "documentation": {
            "kind": "markdown",
            "value": "A record of contact. May be empty."
          },
          "filterText": "customer",
          "kind": 5,
          "label": "customer",
          "sortText": "0001",
          "textEdit": {
            "newText": "customer",
            "range": {
              "end": {
                "character": 16,
                "line": 6
              },
              "start": {
                "character": 16,
                "line": 6
              }
            }
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(customer).unwrap());
    // An empty file is where one learns what to begin with; others' files
    // are left alone.
    let offered = editor.at_cursor("¦", "textDocument/completion");
    assert_eq!(offered[0]["label"], "workflow");
    let offered = editor.at_cursor("services:\n  web: ¦\n", "textDocument/completion");
    assert_eq!(offered, Json::Null);
    let told = editor.open("services:\n  web: { image: x }\n");
    assert_eq!(told["diagnostics"], json!([]));
    editor.close();
}

#[test]
fn definitions_are_found() {
    let folder = std::env::temp_dir().join(format!("relata-lsp-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let object = folder.join("ticket.yaml");
    std::fs::write(
        &object,
        "object: ticket\nfields:\n  ref: { type: text }\n  customer: { type: text }\n",
    )
    .unwrap();
    let uri = file_uri(&object).unwrap();
    let mut editor = Editor::new(Company {
        objects: BTreeMap::from([("ticket".to_owned(), object)]),
        templates: BTreeMap::from([("csat".to_owned(), PathBuf::from("/shop/templates/csat.md"))]),
        ..company()
    });
    let steps = "  - do: survey.send\n    to: =ticket.customer\n    template: csat\n    as: survey\n  - wait_for: { event: survey.answered }\n    since: survey\n";
    let mut found = |from: &str, to: &str| {
        let marked = about_a_ticket(&steps.replace(from, to));
        let location = editor.at_cursor(&marked, "textDocument/definition");
        let uri = location["uri"].as_str().unwrap_or("nowhere").to_owned();
        (uri, if location.is_null() { String::new() } else { place(&location["range"]) })
    };
    assert_eq!(found("since: survey", "since: sur¦vey"), (FILE.to_owned(), "7:8-7:14".to_owned()));
    assert_eq!(found("ticket.customer", "ticket.cus¦tomer"), (uri, "3:2-3:10".to_owned()));
    assert_eq!(
        found("template: csat", "template: cs¦at"),
        ("file:///shop/templates/csat.md".to_owned(), "0:0-0:0".to_owned())
    );
    assert_eq!(found("survey.answered", "survey.an¦swered").0, "nowhere");
    editor.close();
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn slips_are_mended_by_a_quick_fix() {
    let mut editor = Editor::new(company());
    editor.open(&about_a_ticket("  - stop_if: ticket.status == \"opn\"  # 😀\n"));
    let fixes = editor.ask(
        "textDocument/codeAction",
        json!({
            "textDocument": { "uri": FILE },
            "range": { "start": { "line": 4, "character": 32 }, "end": { "line": 4, "character": 32 } },
            "context": { "diagnostics": [] },
        }),
    );
    let [fix] = fixes.as_array().unwrap().as_slice() else { panic!("{fixes}") };
    assert_eq!(fix["title"], "Replace by `open`");
    assert_eq!(fix["kind"], "quickfix");
    assert_eq!(fix["diagnostics"][0]["code"], "R203");
    let edit = &fix["edit"]["changes"][FILE][0];
    assert_eq!(edit["newText"], "open");
    assert_eq!(place(&edit["range"]), "4:31-4:34");
    // Nothing is wrong on the first line.
    let fixes = editor.ask(
        "textDocument/codeAction",
        json!({
            "textDocument": { "uri": FILE },
            "range": { "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 3 } },
            "context": { "diagnostics": [] },
        }),
    );
    assert_eq!(fixes, json!([]));
    editor.close();
}

#[test]
fn the_outline_is_told() {
    let mut editor = Editor::new(company());
    editor.open(include_str!("../../../workflows/win-back.yaml"));
    let symbols =
        editor.ask("textDocument/documentSymbol", json!({ "textDocument": { "uri": FILE } }));
    let steps = symbols.as_array().unwrap().iter().find(|symbol| symbol["name"] == "steps");
    let names: Vec<&str> = steps.unwrap()["children"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["split: offer", "stop_if: offer == \"nothing\"", "do: mail.send", "wait_for"]
    );
    editor.close();
}

/// When files change, the company is asked anew; where that fails, what was
/// known stays.
#[test]
fn what_the_company_has_is_asked_for_again() {
    let given: Arc<Mutex<Result<Company, String>>> = Arc::new(Mutex::new(Ok(company())));
    let gives = Arc::clone(&given);
    let watches =
        json!({ "workspace": { "didChangeWatchedFiles": { "dynamicRegistration": true } } });
    let mut editor = Editor::with(watches, move || gives.lock().unwrap().clone());
    let (method, params) = editor.told();
    assert_eq!(method, "client/registerCapability");
    assert_eq!(params["registrations"][0]["method"], "workspace/didChangeWatchedFiles");

    let step = "  - do: mail.send\n    to: =ticket.customer\n    template: farewell\n";
    let guard = format!(
        "workflow: test\nwhen:\n  - created: ticket\nonly_if: ticket.customer is not empty\nsteps:\n{step}"
    );
    let told = editor.open(&guard);
    assert_eq!(told["diagnostics"][0]["code"], "R109");

    let mut more = company();
    more.catalog.templates.as_mut().unwrap().insert("farewell".to_owned());
    *given.lock().unwrap() = Ok(more);
    let changed =
        json!({ "changes": [{ "uri": "file:///shop/templates/farewell.md", "type": 1 }] });
    editor.tell("workspace/didChangeWatchedFiles", changed.clone());
    assert_eq!(editor.diagnostics()["diagnostics"], json!([]));

    *given.lock().unwrap() = Err("the database is locked".to_owned());
    editor.tell("workspace/didChangeWatchedFiles", changed);
    let (method, params) = editor.told();
    assert_eq!(method, "window/showMessage");
    assert_eq!(params["message"], "Relata cannot read the company's data: the database is locked");
    assert_eq!(editor.diagnostics()["diagnostics"], json!([]));
    editor.close();
}

#[test]
fn what_is_not_known_is_answered_and_does_no_harm() {
    let mut editor = Editor::new(company());
    let answer = editor.try_ask("textDocument/rename", json!({}));
    assert_eq!(
        answer.response_result.unwrap_err().message,
        "`textDocument/rename` is not known here"
    );
    let answer = editor.try_ask("textDocument/hover", json!({ "textDocument": 1 }));
    assert!(
        answer
            .response_result
            .unwrap_err()
            .message
            .starts_with("the parameters of `textDocument/hover`")
    );
    editor.tell("$/setTrace", json!({ "value": "off" }));
    editor.tell("textDocument/didOpen", json!({ "textDocument": 1 }));
    let nothing = editor.ask(
        "textDocument/hover",
        json!({ "textDocument": { "uri": FILE }, "position": { "line": 0, "character": 0 } }),
    );
    assert_eq!(nothing, Json::Null);
    editor.close();
}
