//! Plugins: what each may do, within which limits, and whether it is run.

use askama::Template;
use axum::response::Response;
use relata_app::model::{Area, Doing};

use crate::{
    failure::Failure,
    frame::rendered,
    html::{Pill, Tone},
    session::Visit,
    shell::Shell,
};

#[derive(Template)]
#[template(path = "plugins.html")]
struct PluginsPage {
    s: Shell,
    rows: Vec<Row>,
    refused: Vec<(String, String)>,
    lock_fault: Option<String>,
}

struct Row {
    name: String,
    title: String,
    version: String,
    digest: String,
    status: Pill,
    source: String,
    signer: String,
    actions: Vec<(String, String)>,
    grants: Vec<String>,
    limits: Vec<(&'static str, String)>,
}

/// `GET /plugins`
pub(crate) async fn page(visit: Visit) -> Result<Response, Failure> {
    visit.must(Area::Plugins, Doing::See).await?;
    let t = visit.lang().texts();
    let plugins = visit.app.plugins().await?;
    let installed = visit.app.installed_plugins().unwrap_or_default();
    let breakers = visit.app.store().breaker_list().await.map_err(relata_app::AppError::from)?;
    let rows = plugins.iter().map(|plugin| {
        let own = installed.iter().find(|row| row.plugin == plugin.name());
        let front = format!("plugin {}", plugin.name());
        let open = breakers.iter().find(|row| row.is_open() && row.destination.starts_with(&front));
        let rolled_back = own.and_then(|row| row.rolled_back.as_ref());
        let (tone, text, title) = match (open, rolled_back) {
            (Some(open), _) => (Tone::Bad, t.not_called, open.why.clone().unwrap_or_default()),
            (None, Some(note)) => (Tone::Warn, t.rolled_back, note.why.clone()),
            (None, None) => (Tone::Good, t.works, String::new()),
        };
        let limits = plugin.limits();
        Row {
            name: plugin.name().to_owned(),
            title: plugin.manifest().title.clone(),
            version: plugin.version().to_owned(),
            digest: plugin.digest().to_owned(),
            status: Pill { tone, text: text.to_owned(), title },
            source: own.and_then(|row| row.source.clone()).unwrap_or_else(|| t.built_in.to_owned()),
            signer: own.and_then(|row| row.signer.clone()).unwrap_or_default(),
            actions: plugin
                .descriptors()
                .iter()
                .map(|action| (format!("{}.{}", plugin.name(), action.id), action.summary.clone()))
                .collect(),
            grants: plugin.permissions().grants().iter().map(ToString::to_string).collect(),
            limits: vec![
                (t.limit_memory, format!("{} MiB", limits.memory_mib)),
                (t.limit_cpu, format!("{} ms", limits.cpu_ms)),
                (t.limit_call, format!("{} s", limits.call_s)),
                (t.limit_writes, limits.writes.to_string()),
                (t.limit_http, limits.http_calls.to_string()),
            ],
        }
    });
    Ok(rendered(&PluginsPage {
        rows: rows.collect(),
        refused: plugins.refused().map(|(name, why)| (name.to_owned(), why.to_owned())).collect(),
        lock_fault: plugins.lock_fault().map(str::to_owned),
        s: visit.shell("plugins"),
    }))
}
