//! `relata serve` on a clock that stands still, and how it is called.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, symlink},
    path::Path,
};

use relata_app::{
    App, NewToken, Opening, Running, Scope,
    model::{Fields, Reference, Timestamp},
    store::DatabaseUrl,
};
use relata_server::Limits;
use reqwest::{Client, Method, RequestBuilder, Response, redirect::Policy};
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// What starts by a paid order, writes a task, and yields its title.
pub(crate) const PAID: &str = "\
workflow: thank-you
when:
  - event: order.paid
steps:
  - stop_if: order.ref == \"O-0\"
  - do: crm.create
    object: task
    set: { title: \"Thank for {{ order.ref }}\", assignee: queue/unassigned }
outputs:
  ref: =order.ref
";

/// What waits for somebody.
pub(crate) const WAITS: &str = "\
workflow: waits
when:
  - created: lead
steps:
  - wait_for: { changed: lead.status }
    up_to: 10 days
";

pub(crate) struct Served {
    pub(crate) app: App,
    pub(crate) address: String,
    /// The secret of a token that may do everything.
    pub(crate) secret: String,
    client: Client,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
    folder: TempDir,
}

impl Served {
    pub(crate) async fn start(workflows: &[&str]) -> Self {
        Self::start_with(workflows, Limits::default()).await
    }

    pub(crate) async fn start_with(workflows: &[&str], limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("data");
        let app = App::create(&root, Some(now())).await.unwrap();
        Self::serve(folder, app, workflows, limits).await
    }

    /// A company whose directory has more in these files, on a database of its
    /// own, and by a clock that goes where `now` is none.
    pub(crate) async fn start_as(
        files: &[(&str, &str)],
        database: Option<DatabaseUrl>,
        now: Option<Timestamp>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("data");
        let opening = || Opening { database: database.clone(), ..Opening::default() };
        let app = App::create_with(&root, now, opening()).await.unwrap();
        app.close().await;
        for (file, text) in files {
            let mut file =
                OpenOptions::new().append(true).create(true).open(root.join(file)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
        let app = App::open_with(&root, opening()).await.unwrap();
        Self::serve(folder, app, &[], Limits::default()).await
    }

    /// Another host of the same company.
    pub(crate) async fn start_beside(other: &Self, database: Option<DatabaseUrl>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("data");
        let opening = Opening { database, ..Opening::default() };
        let app = App::create_with(&root, None, opening).await.unwrap();
        share_compiled_plugins(&root);
        Self::listen(folder, app, other.secret.clone(), Limits::default()).await
    }

    async fn serve(folder: TempDir, app: App, workflows: &[&str], limits: Limits) -> Self {
        share_compiled_plugins(app.directory().root());
        for source in workflows {
            let activated = app.activate("test.yaml", source, "test", Running::Finish).await;
            activated.unwrap_or_else(|why| panic!("{why}"));
        }
        Self::of(app, folder, limits).await
    }

    /// Serves a company that is there already, in this folder.
    pub(crate) async fn of(app: App, folder: TempDir, limits: Limits) -> Self {
        let secret = token(&app, "all", &Scope::ALL, &[]).await;
        Self::listen(folder, app, secret, limits).await
    }

    async fn listen(folder: TempDir, app: App, secret: String, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = app.clone();
        let serving = tokio::spawn(async move {
            let stop = async move {
                let _ = stopped.await;
            };
            Box::pin(relata_server::serve_with(served, listener, limits, stop)).await.unwrap();
        });
        let client = client();
        Self { app, address, secret, client, stop: Some(stop), serving, folder }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path).bearer_auth(&self.secret)
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> RequestBuilder {
        self.request(Method::POST, path).bearer_auth(&self.secret).body(body.to_owned())
    }

    /// Looks at a page, as a browser does.
    pub(crate) async fn look(&self, path: &str) -> (u16, String) {
        read(self.request(Method::GET, path).send().await.unwrap()).await
    }

    /// Sends a page's form, and goes nowhere after that.
    pub(crate) async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        client
            .post(format!("http://{}{path}", self.address))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .unwrap()
    }

    /// A customer's order.
    pub(crate) async fn order(&self, reference: &str) -> Reference {
        let anna = [("external_id", "anna"), ("name", "Anna"), ("email", "anna@a.example")];
        if self.app.record(&"contact/anna".parse().unwrap()).await.is_err() {
            self.create("contact", &anna).await;
        }
        let order = [("external_id", reference), ("ref", reference), ("contact", "contact/anna")];
        self.create("order", &order).await
    }

    pub(crate) async fn create(&self, object: &str, given: &[(&str, &str)]) -> Reference {
        let kinds = &self.app.object(object).unwrap().fields;
        let fields: Fields = given
            .iter()
            .map(|(name, text)| {
                let value = kinds[*name].kind.parse(text, &self.app.zone()).unwrap();
                ((*name).to_owned(), value)
            })
            .collect();
        self.app.create_record(object, fields, "test").await.unwrap().reference
    }

    pub(crate) async fn tasks(&self) -> Vec<String> {
        let tasks = self.app.records_all("task").await.unwrap();
        tasks.iter().map(|task| task.field("title").to_string()).collect()
    }

    /// Asks it to stop; answers when it has.
    pub(crate) async fn stop(self) {
        self.stop_and_keep().await;
    }

    /// The same; yields the folder with what it was.
    pub(crate) async fn stop_and_keep(mut self) -> TempDir {
        self.stop.take().unwrap().send(()).unwrap();
        self.serving.await.unwrap();
        self.folder
    }
}

/// A page, with its status.
pub(crate) async fn read(response: Response) -> (u16, String) {
    (response.status().as_u16(), response.text().await.unwrap())
}

/// What a page sends back unseen.
pub(crate) fn hidden<'p>(page: &'p str, name: &str) -> &'p str {
    let rest = page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap();
    rest.split('"').next().unwrap()
}

pub(crate) async fn token(app: &App, name: &str, scopes: &[Scope], objects: &[&str]) -> String {
    let new = NewToken {
        name: name.to_owned(),
        scopes: scopes.to_vec(),
        user: None,
        objects: objects.iter().map(|object| (*object).to_owned()).collect(),
        expires_at: None,
    };
    app.create_token(new).await.unwrap().1.expose().to_owned()
}

pub(crate) fn now() -> Timestamp {
    "2026-12-14T07:00:00Z".parse().unwrap()
}

/// To compile the plugins takes longer than all else that a test does.
pub(crate) fn share_compiled_plugins(root: &Path) {
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled-plugins");
    if !shared.exists() {
        // Another test may do the same at this moment.
        let _ = DirBuilder::new().mode(0o700).create(&shared);
    }
    symlink(shared, root.join("cache")).unwrap();
}

/// `202 {"event":"evt_…"}`: the answer as a line, without what differs each
/// time.
pub(crate) async fn told(request: RequestBuilder) -> String {
    shown(request.send().await.unwrap()).await
}

pub(crate) async fn shown(response: Response) -> String {
    let status = response.status().as_u16();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let retry = response.headers().get("retry-after").cloned();
    let body: Json = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    let mut text = if kind == "application/problem+json" {
        assert_eq!(body["status"], status);
        let part = |value: &Json, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let mut text = format!("{status} {}: {}", part(&body, "code"), part(&body, "detail"));
        for error in body["errors"].as_array().into_iter().flatten() {
            let item = error["item"].as_u64().map_or_else(String::new, |item| format!("{item}: "));
            text.push_str(&format!("\n    {item}{}: {}", part(error, "field"), part(error, "why")));
        }
        text
    } else {
        format!("{status} {body}")
    };
    if let Some(retry) = retry {
        text.push_str(&format!(" (again in {} s)", retry.to_str().unwrap()));
    }
    without_ids(&text)
}

/// Replaces ids by dots.
fn without_ids(text: &str) -> String {
    let mut pieces = Vec::new();
    let mut word = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_alphanumeric() {
            word.push(c);
            continue;
        }
        let is_id = word.len() == 26 && word.starts_with("01")
            || word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit());
        pieces.push(if is_id { "…".to_owned() } else { std::mem::take(&mut word) });
        word.clear();
        pieces.push(c.to_string());
    }
    pieces.pop();
    pieces.concat()
}

/// The value at a path of the answer.
pub(crate) async fn json(request: RequestBuilder) -> Json {
    serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap()
}

/// A client. In the whole workspace's build it can speak TLS, and wants to
/// know by which library even where it does not.
fn client() -> Client {
    // Another test of this process may have said so already.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::new()
}
