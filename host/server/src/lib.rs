//! The HTTP side of Relata: whether it is well, the webhooks by which other
//! programs start workflows, the API: events and records in, runs out, and the
//! pages on which customers answer. docs/api.md tells it to those who call.

mod approvals;
mod attachments;
mod audit;
mod auth;
mod batch;
mod connections;
mod counts;
mod error;
mod events;
mod health;
mod hooks;
mod limits;
mod messages;
mod metrics;
mod objects;
mod openapi;
mod outbox;
mod pages;
mod plugins;
mod records;
mod routing;
mod runs;
mod service_levels;
mod stream;
mod workflows;

use std::{io, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef},
    middleware,
    routing::get,
};
use relata_app::{App, AppError};
use tokio::{net::TcpListener, sync::watch, time::timeout};
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt as _},
    routes,
};

/// How long a stop waits for answers that have begun.
const DRAIN: Duration = Duration::from_secs(10);

pub use limits::Limits;

use crate::limits::Gate;

/// What every answer is made from.
#[derive(Debug, Clone)]
struct Api {
    app: App,
    gate: Arc<Gate>,
    /// Its description, before it is said of the company's objects.
    document: Arc<serde_json::Value>,
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
            tokio::join!(app.tend(told(halted.clone())), app.follow_log(told(halted)));
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

/// Everything that is answered. Each handler says how it is described, so that
/// what is described is what there is.
fn routes(app: App, limits: &Limits) -> Router {
    let (router, document) = OpenApiRouter::with_openapi(openapi::beginning())
        .routes(routes!(health::healthz))
        .routes(routes!(metrics::metrics))
        .routes(routes!(hooks::receive).layer(DefaultBodyLimit::max(hooks::LONGEST_BODY)))
        .routes(routes!(events::send))
        .routes(routes!(events::show))
        .routes(routes!(messages::send))
        .routes(routes!(attachments::list))
        .routes(routes!(attachments::read))
        .routes(routes!(records::list, records::create))
        .routes(routes!(records::show, records::change, records::put, records::delete))
        .routes(routes!(records::timeline))
        .routes(routes!(records::decisions))
        .routes(routes!(counts::show))
        .routes(routes!(service_levels::show))
        .routes(routes!(stream::follow))
        .routes(routes!(objects::list))
        .routes(routes!(objects::show))
        .routes(routes!(runs::list))
        .routes(routes!(runs::show))
        .routes(routes!(runs::cancel))
        .routes(routes!(runs::retry))
        .routes(routes!(workflows::list))
        .routes(routes!(workflows::show))
        .routes(routes!(workflows::activate))
        .routes(routes!(workflows::deactivate))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::answer))
        .routes(routes!(outbox::list))
        .routes(routes!(outbox::show))
        .routes(routes!(outbox::release))
        .routes(routes!(outbox::discard))
        .routes(routes!(plugins::list))
        .routes(routes!(audit::list))
        .routes(routes!(routing::simulate))
        .routes(routes!(openapi::show))
        .split_for_parts();
    let document = serde_json::to_value(&document).expect("a description is plain JSON");
    let api = Api { app, gate: Arc::new(Gate::new(limits)), document: Arc::new(document) };
    let console = relata_console::routes(api.app.clone());
    router
        .route(
            "/s/{token}",
            get(pages::survey::show)
                .post(pages::survey::answer)
                .layer(DefaultBodyLimit::max(pages::LONGEST_BODY)),
        )
        .route(
            "/f/{slug}",
            get(pages::form::show)
                .post(pages::form::send)
                .layer(DefaultBodyLimit::max(pages::LONGEST_BODY)),
        )
        .route("/f/{slug}/sent", get(pages::form::sent))
        .route(
            "/u/{token}",
            get(pages::subscription::show)
                .post(pages::subscription::end)
                .layer(DefaultBodyLimit::max(pages::LONGEST_BODY)),
        )
        .layer(DefaultBodyLimit::max(limits.body_bytes))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::wrong_method)
        .with_state(api.clone())
        .merge(console)
        .layer(middleware::from_fn(error::no_nul))
        .layer(middleware::from_fn_with_state(api.app, metrics::count))
}

/// Ready when everything stops.
async fn told(mut halted: watch::Receiver<bool>) {
    // Where nobody is left to say so, it stops as well.
    let _ = halted.wait_for(|halted| *halted).await;
}
