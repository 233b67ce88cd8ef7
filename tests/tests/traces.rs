//! Traces: what a collector is sent of an event, its runs and their steps.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::mpsc,
    thread,
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, trace::v1::Span,
};
use prost::Message;
use relata_app::{
    App, Running,
    model::{Fields, Value},
    store::RunFilter,
};

const CHILD: &str = "workflow: note-mood
owner: tests
inputs: { lead: lead }
steps:
  - do: crm.update
    record: =lead
    set: { score: 1 }
";

const PARENT: &str = "workflow: greet
owner: tests
when:
  - created: lead
steps:
  - do: sentiment.score
    text: This is wonderful.
  - run: note-mood
    with: { lead: =lead }
";

/// A collector of OTLP over HTTP that answers `200` and passes on what came.
fn collector() -> (u16, mpsc::Receiver<Vec<Span>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut bytes, mut some) = (Vec::new(), [0; 65536]);
            let body = loop {
                let count = stream.read(&mut some).unwrap();
                bytes.extend_from_slice(&some[..count]);
                let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
                    continue;
                };
                let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
                assert!(head.starts_with("post /v1/traces "), "{head}");
                assert!(head.contains("content-type: application/x-protobuf"), "{head}");
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length.unwrap().trim().parse().unwrap();
                if bytes.len() >= end + 4 + length {
                    break bytes.split_off(end + 4);
                }
            };
            let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
            let spans = request.resource_spans.into_iter().flat_map(|sent| sent.scope_spans);
            send.send(spans.flat_map(|scope| scope.spans).collect()).unwrap();
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                .unwrap();
        }
    });
    (port, receive)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_its_runs_and_their_steps_are_one_trace() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("company");
    let (port, received) = collector();
    drop(App::create(&root, None).await.unwrap());
    let config = root.join("relata.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = format!("{text}\n[traces]\nendpoint = \"http://127.0.0.1:{port}\"\n");
    std::fs::write(&config, text).unwrap();
    let app = App::open(&root).await.unwrap();
    for (file, source) in [("note-mood.yaml", CHILD), ("greet.yaml", PARENT)] {
        let activated = app.activate(file, source, "test", Running::Finish).await;
        activated.unwrap_or_else(|why| panic!("{why}"));
    }
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn({
        let app = app.clone();
        async move { Box::pin(app.serve(async { drop(stopped.await) })).await }
    });
    let fields: Fields = [("name", "Anna"), ("email", "anna@example.com")]
        .map(|(name, text)| (name.to_owned(), Value::Text(text.to_owned())))
        .into();
    app.create_record("lead", fields, "test").await.unwrap();

    // Two calls and two runs.
    let mut spans: Vec<Span> = Vec::new();
    while spans.len() < 4 {
        spans.extend(received.recv_timeout(Duration::from_secs(60)).unwrap());
    }
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    let mut names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["crm.update", "greet", "note-mood", "sentiment.score"]);

    let span = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let (greet, note) = (span("greet"), span("note-mood"));
    assert!(greet.parent_span_id.is_empty());
    assert_eq!(note.parent_span_id, greet.span_id);
    assert_eq!(span("sentiment.score").parent_span_id, greet.span_id);
    assert_eq!(span("crm.update").parent_span_id, note.span_id);
    for sent in &spans {
        assert_eq!(sent.trace_id, greet.trace_id, "{}", sent.name);
        assert!(sent.start_time_unix_nano <= sent.end_time_unix_nano, "{}", sent.name);
        // Nothing of the customer leaves with it.
        assert!(!format!("{sent:?}").contains("nna"), "{sent:?}");
    }
    let runs = app.runs(RunFilter::default(), 9).await.unwrap();
    let kept = format!("{greet:?}");
    assert!(runs.iter().any(|run| kept.contains(&run.run)), "{kept}");
    app.close().await;
}
