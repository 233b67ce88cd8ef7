//! Plugins that call web services, as steps of workflows: what leaves, with
//! which secrets and keys, and what becomes of it.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use relata_app::{
    App, EffectView, RunHistory, Running, Secret,
    model::{Fields, Timestamp, Value},
    store::{EffectFilter, RunFilter},
};
use relata_tests::{install, web};

const SECRET: &str = "t0p-secret-of-the-shop";

/// A web service on this machine, which keeps what it is asked and repeats it
/// in its answer, under the status that is set.
struct Service {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<&'static str>>,
}

const FINE: &str = "HTTP/1.1 200 OK\r\n";

impl Service {
    fn start(pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(Mutex::new(FINE));
        let service = Self { port, asked: Arc::clone(&asked), answer: Arc::clone(&answer) };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let request = read(&mut stream);
                asked.lock().unwrap().push(request.clone());
                thread::sleep(pause);
                let head = *answer.lock().unwrap();
                let length = request.len();
                // Whoever asked may have gone.
                let _ = write!(
                    stream,
                    "{head}connection: close\r\ncontent-length: {length}\r\n\r\n{request}"
                );
            }
        });
        service
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/orders", self.port)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn answers(&self, head: &'static str) {
        *self.answer.lock().unwrap() = head;
    }

    /// The manifest of a plugin that may call it, and send it a secret.
    fn manifest(&self) -> String {
        format!(
            "name = \"web\"\nversion = \"0.1.0\"\ntitle = \"Web\"\ncontract = \"0.1.0\"\n\
             [permissions.secrets]\nshop-token = [\"127.0.0.1:{0}\"]\n\
             [[permissions.http]]\nhost = \"127.0.0.1:{0}\"\nscheme = \"http\"\nmethods = [\"GET\", \"POST\"]\n",
            self.port
        )
    }
}

fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut some = [0; 4096];
        let count = stream.read(&mut some).unwrap_or(0);
        bytes.extend_from_slice(&some[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            body.len() >= length.map_or(0, |length| length.parse().unwrap())
        });
        if whole || count == 0 {
            return text;
        }
    }
}

/// A rehearsal whose plugin may call a service, and a workflow with one step.
async fn company(root: &Path, service: &Service, step: &str) -> App {
    let start: Timestamp = "2026-12-14T08:00:00Z".parse().unwrap();
    let app = App::create(root, Some(start)).await.unwrap();
    install(&app, &service.manifest(), web()).await;
    app.close().await;
    let config = root.join("relata.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\n[http]\nprivate_hosts = [\"127.0.0.1\"]\n")).unwrap();
    let app = App::open(root).await.unwrap();
    app.set_secret("shop-token", &Secret::new(SECRET)).unwrap();
    let step = step.replace("URL", &service.url());
    let source =
        format!("workflow: tell\nowner: tests\nwhen:\n  - created: lead\nsteps:\n{step}\n");
    app.activate("tell.yaml", &source, "test", Running::Finish)
        .await
        .unwrap_or_else(|why| panic!("{why}"));
    app
}

async fn run(app: &App) -> RunHistory {
    let fields: Fields = [("name", "Anna"), ("email", "anna@example.com")]
        .map(|(name, text)| (name.to_owned(), Value::Text(text.to_owned())))
        .into();
    app.create_record("lead", fields, "test").await.unwrap();
    app.settle_all().await.unwrap();
    let runs = app.runs(RunFilter::default(), 9).await.unwrap();
    assert_eq!(runs.len(), 1);
    app.run_history(runs[0].run.parse().unwrap()).await.unwrap()
}

async fn only_effect(app: &App) -> EffectView {
    let mut effects = app.effects(&EffectFilter::default()).await.unwrap();
    assert_eq!(effects.len(), 1);
    effects.remove(0)
}

#[tokio::test]
async fn a_secret_leaves_with_the_request_and_stays_out_of_everything_else() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Duration::ZERO);
    let step = "  - do: web.call\n    url: URL\n    body: hello\n    secret: shop-token";
    let app = company(&folder.path().join("company"), &service, step).await;
    let history = run(&app).await;
    assert_eq!((history.run.status, &history.run.why), ("done", &None));
    let asked = service.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].contains(&format!("authorization: Bearer {SECRET}")), "{}", asked[0]);
    assert!(asked[0].contains("idempotency-key: "), "{}", asked[0]);
    // The service repeated it, and the step's output is kept.
    let kept = serde_json::to_string(&history).unwrap();
    assert!(kept.contains("hello"), "{kept}");
    assert!(!kept.contains(SECRET), "{kept}");
    app.close().await;
}

#[tokio::test]
async fn a_network_that_is_not_named_is_out_of_reach() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("company");
    let service = Service::start(Duration::ZERO);
    drop(company(&root, &service, "  - do: web.call\n    url: URL").await);
    let config = root.join("relata.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("127.0.0.1", "10.1.2.3")).unwrap();
    let app = App::open(&root).await.unwrap();
    let history = run(&app).await;
    let why = history.run.why.unwrap();
    assert!(why.contains("127.0.0.1 lies at the private address 127.0.0.1"), "{why}");
    assert!(why.contains("private_hosts"), "{why}");
    assert_eq!(service.asked(), [""; 0]);
    app.close().await;
}

#[tokio::test]
async fn what_is_delivered_leaves_once_and_again_under_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Duration::ZERO);
    let step = "  - do: web.deliver\n    url: URL\n    body: hello\n    secret: shop-token";
    let app = company(&folder.path().join("company"), &service, step).await;
    service.answers("HTTP/1.1 503 Busy\r\nretry-after: 120\r\n");
    let history = run(&app).await;
    assert_eq!(history.run.status, "done");
    let effect = only_effect(&app).await;
    assert_eq!((effect.kind, effect.status, effect.attempts), ("request", "due", 1));
    assert_eq!(effect.reason.as_deref(), Some("it was answered 503"));
    assert_eq!(effect.due_at.as_deref(), Some("2026-12-14T08:02:00Z"));
    // The row holds no secret.
    let detail = app.effect(effect.effect.parse().unwrap()).await.unwrap();
    assert!(!serde_json::to_string(&detail).unwrap().contains(SECRET));

    service.answers(FINE);
    app.advance_to("2026-12-14T08:02:00Z".parse().unwrap(), |_| {}).await.unwrap();
    let effect = only_effect(&app).await;
    assert_eq!((effect.status, effect.attempts), ("sent", 2));
    let asked = service.asked();
    assert_eq!(asked.len(), 2);
    for request in asked {
        assert!(request.contains(&format!("idempotency-key: {}\r\n", effect.effect)), "{request}");
        assert!(request.contains(&format!("authorization: Bearer {SECRET}")), "{request}");
        assert!(request.ends_with("hello"), "{request}");
    }
    app.close().await;
}

#[tokio::test]
async fn nothing_leaves_of_a_step_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Duration::ZERO);
    let step = "  - do: web.deliver\n    url: URL\n    fails: true";
    let app = company(&folder.path().join("company"), &service, step).await;
    assert_eq!(run(&app).await.run.status, "failed");
    assert_eq!(app.effects(&EffectFilter::default()).await.unwrap(), []);
    assert_eq!(service.asked(), [""; 0]);
    app.close().await;
}

#[tokio::test]
async fn a_destination_that_is_away_is_left_alone_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Duration::ZERO);
    let step = "  - do: web.deliver\n    url: URL\n    body: hello";
    let app = company(&folder.path().join("company"), &service, step).await;
    service.answers("HTTP/1.1 502 Away\r\n");
    run(&app).await;
    // It opens after five failures; then one is sent to see, and the pauses grow.
    app.advance_to("2026-12-14T09:00:00Z".parse().unwrap(), |_| {}).await.unwrap();
    let effect = only_effect(&app).await;
    assert_eq!(effect.status, "due", "{effect:?}");
    let tried = service.asked().len();
    assert!((8..=12).contains(&tried), "{tried} attempts in an hour");
    service.answers(FINE);
    app.advance_to("2026-12-14T12:00:00Z".parse().unwrap(), |_| {}).await.unwrap();
    assert_eq!(only_effect(&app).await.status, "sent");
    app.close().await;
}

#[tokio::test]
async fn a_step_may_be_left_less_than_its_plugin() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Duration::ZERO);
    let step = format!(
        "  - do: web.call\n    url: URL\n    secret: shop-token\n    may: [\"call http://127.0.0.1:{}\"]",
        service.port
    );
    let app = company(&folder.path().join("company"), &service, &step).await;
    let why = run(&app).await.run.why.unwrap();
    assert!(why.contains("may not use the secret `shop-token`: the step's `may` leaves"), "{why}");
    app.close().await;
}
