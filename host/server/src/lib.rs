//! The HTTP side of Relata: whether it is well, and the webhooks by which
//! other programs start workflows. The API and the console join the same
//! router.

mod error;
mod health;
mod hooks;
mod metrics;

use std::{io, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};
use relata_app::{App, AppError};
use tokio::{net::TcpListener, sync::watch, time::timeout};

/// How long a stop waits for answers that have begun.
const DRAIN: Duration = Duration::from_secs(10);

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

/// Runs workflows and answers HTTP until `stop` is ready; then takes no more
/// requests, lets the answers and steps that have begun come to their end,
/// and returns. Where one of the two ends by itself, the other is stopped as
/// well.
///
/// # Errors
///
/// [`ServeError`] says which of the two failed.
pub async fn serve(
    app: App,
    listener: TcpListener,
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
        let routes = routes(app.clone());
        async move {
            let served = axum::serve(listener, routes).with_graceful_shutdown(told(halted)).await;
            halt.send_replace(true);
            served
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
    ran?;
    served?;
    Ok(())
}

/// Everything that is answered.
fn routes(app: App) -> Router {
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/metrics", get(metrics::metrics))
        .route(
            "/hooks/{name}",
            post(hooks::receive).layer(DefaultBodyLimit::max(hooks::LONGEST_BODY)),
        )
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::wrong_method)
        .layer(middleware::from_fn_with_state(app.clone(), metrics::count))
        .with_state(app)
}

/// Ready when everything stops.
async fn told(mut halted: watch::Receiver<bool>) {
    // Where nobody is left to say so, it stops as well.
    let _ = halted.wait_for(|halted| *halted).await;
}
