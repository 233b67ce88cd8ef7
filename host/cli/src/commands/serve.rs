//! `relata serve`

use std::{collections::BTreeSet, net::SocketAddr, process::ExitCode, time::Duration};

use clap::Args;
use relata_server::ServeError;
use serde_json::json;
use tokio::{net::TcpListener, sync::oneshot};

use crate::{context::Context, failure::Wrong, out};

/// Run the workflows until stopped.
///
/// Triggers, waits, deadlines and mails all happen in this program; one of
/// them runs a data directory at a time. Where the records are in a PostgreSQL
/// database, any number of machines may serve it. The other commands work
/// beside it.
/// Ctrl-C or SIGTERM stops it between two steps; the steps that have begun
/// come to their end, and what waits goes on at the next start.
///
/// Other programs start workflows by `POST /hooks/NAME`, where a workflow says
/// `webhook: NAME`; docs/webhooks.md shows how.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata serve --data shop
  relata serve --data shop --listen 0.0.0.0:8080
  relata serve --data shop --database-url postgres://relata@db.example.com/relata
  curl http://127.0.0.1:7373/healthz")]
pub(crate) struct ServeArgs {
    /// Where to answer HTTP; port 0 takes any free one and prints it
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7373")]
    listen: SocketAddr,
    /// How long this host has what it has claimed, other than a minute: for
    /// tests of what happens when that has passed
    #[arg(long, hide = true, value_name = "MS", env = "RELATA_LEASE_MS")]
    lease_ms: Option<u64>,
}

pub(crate) async fn run(context: &Context, args: ServeArgs) -> anyhow::Result<ExitCode> {
    let app = context.open_to_serve(args.lease_ms.map(Duration::from_millis)).await?;
    // Before anybody is told that this one runs it.
    app.take_runner()?;
    let listener = TcpListener::bind(args.listen).await.map_err(|why| {
        Wrong::new(format!(
            "cannot listen on {}: {why}; choose another address with `--listen`, or `--listen 127.0.0.1:0` for any free port",
            args.listen
        ))
    })?;
    let address = listener.local_addr()?;
    if app.clock().is_manual() {
        tracing::warn!(
            "this is a rehearsal: its clock stands still while it is served; stop, and use `relata clock` to move it"
        );
    }
    let stop = stopped()?;
    let data = context.root().canonicalize()?;
    let hooks: BTreeSet<String> = app
        .workflows()
        .await?
        .into_iter()
        .flat_map(|row| row.doors.webhooks)
        .map(|name| format!("http://{address}/hooks/{name}"))
        .collect();
    if context.json {
        out::json_line(&json!({
            "address": address.to_string(),
            "url": format!("http://{address}"),
            "webhooks": hooks,
            "data": data.display().to_string(),
        }))?;
    } else {
        out::line(format!("{} runs at http://{address}; Ctrl-C stops it", out::path(&data)))?;
        for hook in hooks {
            out::line(format!("webhook: POST {hook}"))?;
        }
    }
    #[cfg(target_os = "linux")]
    tokio::spawn(crate::resident::rest_after_start(app.clone()));
    let served = Box::pin(relata_server::serve(app.clone(), listener, stop)).await;
    app.close().await;
    match served {
        Ok(()) => {
            tracing::info!("stopped");
            Ok(ExitCode::SUCCESS)
        }
        Err(ServeError::App(why)) => Err(why.into()),
        Err(other) => Err(other.into()),
    }
}

/// Ready when the program is asked to stop. Asked a second time, it ends at
/// once: what had not been committed is done again at the next start.
pub(crate) fn stopped() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let (asked, stop) = oneshot::channel();
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        let mut asked = Some(asked);
        loop {
            #[cfg(unix)]
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            #[cfg(not(unix))]
            let _ = tokio::signal::ctrl_c().await;
            match asked.take() {
                Some(asked) => {
                    tracing::info!("stopping when the steps that have begun are done");
                    let _ = asked.send(());
                }
                None => std::process::exit(130),
            }
        }
    });
    Ok(async move {
        let _ = stop.await;
    })
}
