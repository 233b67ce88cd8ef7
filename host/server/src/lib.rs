//! The HTTP side of Relata: whether it is well, the webhooks by which other
//! programs start workflows, and the API: events and records in, runs out.
//! docs/api.md tells it to those who call.

mod auth;
mod batch;
mod connections;
mod error;
mod events;
mod health;
mod hooks;
mod limits;
mod metrics;
mod objects;
mod records;
mod runs;

use std::{io, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef},
    middleware,
    routing::{get, post},
};
use relata_app::{App, AppError};
use tokio::{net::TcpListener, sync::watch, time::timeout};

/// How long a stop waits for answers that have begun.
const DRAIN: Duration = Duration::from_secs(10);

pub use limits::Limits;

use crate::limits::Gate;

/// What every answer is made from.
#[derive(Debug, Clone)]
struct Api {
    app: App,
    gate: Arc<Gate>,
}

impl FromRef<Api> for App {
    fn from_ref(api: &Api) -> Self {
        api.app.clone()
    }
}

/// Why serving ended before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The runner could not begin: another program runs this data directory.
    #[error(transparent)]
    App(#[from] AppError),
    /// The HTTP side broke.
    #[error("answering HTTP failed")]
    Http(#[from] io::Error),
}

/// As [`serve_with`], within the usual limits.
///
/// # Errors
///
/// [`ServeError`] says which of the two failed.
pub async fn serve(
    app: App,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    serve_with(app, listener, Limits::default(), stop).await
}

/// Runs workflows and answers HTTP until `stop` is ready; then takes no more
/// requests, lets the answers and steps that have begun come to their end,
/// and returns. Where one of the two ends by itself, the other is stopped as
/// well.
///
/// # Errors
///
/// [`ServeError`] says which of the two failed.
pub async fn serve_with(
    app: App,
    listener: TcpListener,
    limits: Limits,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let (halt, halted) = watch::channel(false);
    let asked = tokio::spawn({
        let halt = halt.clone();
        async move {
            stop.await;
            halt.send_replace(true);
        }
    });
    let mut http = tokio::spawn({
        let (halt, halted) = (halt.clone(), halted.clone());
        let routes = routes(app.clone(), &limits);
        async move {
            let served = connections::serve(listener, routes, &limits, told(halted)).await;
            halt.send_replace(true);
            served
        }
    });
    let tending = tokio::spawn({
        let (app, halted) = (app.clone(), halted.clone());
        async move {
            app.tend(told(halted)).await;
            // Who waits hears what is known now.
            app.stop_waiting();
        }
    });
    let ran = Box::pin(app.serve(told(halted))).await;
    halt.send_replace(true);
    asked.abort();
    let served = match timeout(DRAIN, &mut http).await {
        Ok(Ok(served)) => served,
        Ok(Err(why)) => Err(io::Error::other(why)),
        Err(_) => {
            tracing::warn!(
                "some HTTP requests were still open after {} s, and were cut",
                DRAIN.as_secs()
            );
            http.abort();
            Ok(())
        }
    };
    // It ends with the halt, unless it panicked; then there is nothing to wait
    // for either.
    let _ = tending.await;
    ran?;
    served?;
    Ok(())
}

/// Answers every request with its own body, and does nothing else: the floor
/// under the API, for benchmarks.
///
/// # Errors
///
/// The machine's.
pub async fn echo(
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let routes = Router::new().fallback(|body: axum::body::Bytes| async move { body });
    let stop = Box::pin(stop);
    connections::serve(listener, routes, &Limits::default(), stop).await
}

/// Everything that is answered.
fn routes(app: App, limits: &Limits) -> Router {
    let api = Api { app, gate: Arc::new(Gate::new(limits)) };
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/metrics", get(metrics::metrics))
        .route(
            "/hooks/{name}",
            post(hooks::receive).layer(DefaultBodyLimit::max(hooks::LONGEST_BODY)),
        )
        .route("/v1/events", post(events::send))
        .route("/v1/events/{id}", get(events::show))
        .route("/v1/records/{object}", get(records::list).post(records::create))
        .route(
            "/v1/records/{object}/{key}",
            get(records::show).patch(records::change).put(records::put).delete(records::delete),
        )
        .route("/v1/records/{object}/{key}/timeline", get(records::timeline))
        .route("/v1/records/{object}/{key}/decisions", get(records::decisions))
        .route("/v1/objects", get(objects::list))
        .route("/v1/objects/{object}", get(objects::show))
        .route("/v1/runs", get(runs::list))
        .route("/v1/runs/{id}", get(runs::show))
        .route("/v1/runs/{id}/cancel", post(runs::cancel))
        .layer(DefaultBodyLimit::max(limits.body_bytes))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::wrong_method)
        .layer(middleware::from_fn_with_state(api.app.clone(), metrics::count))
        .with_state(api)
}

/// Ready when everything stops.
async fn told(mut halted: watch::Receiver<bool>) {
    // Where nobody is left to say so, it stops as well.
    let _ = halted.wait_for(|halted| *halted).await;
}
