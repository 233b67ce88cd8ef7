//! Connections: how many there are, how long each may take to say what it
//! wants, and their end in good order.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo};
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
};

use crate::{Limits, told};

/// After the machine refused a connection: it has no handles left, say.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// Takes connections and answers on them until `stop` is ready; then lets the
/// answers that have begun come to their end.
pub(crate) async fn serve(
    listener: TcpListener,
    routes: Router,
    limits: &Limits,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut http = http1::Builder::new();
    // hyper keeps no time by itself.
    http.timer(TokioTimer::new()).header_read_timeout(limits.header_time).keep_alive(true);
    let places = Arc::new(Semaphore::new(limits.connections));
    let (close, closed) = watch::channel(false);
    // Dropped with this future, it ends them all.
    let mut open = JoinSet::new();
    tokio::pin!(stop);
    loop {
        // Those who find no place wait in the machine's queue.
        let place = tokio::select! {
            () = stop.as_mut() => break,
            Ok(place) = Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = stop.as_mut() => break,
            accepted = listener.accept() => accepted,
        };
        while open.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                let answering =
                    answer(stream, peer, http.clone(), routes.clone(), closed.clone(), place);
                open.spawn(answering);
            }
            Err(why) if is_of_one(&why) => {}
            Err(why) => {
                tracing::error!(
                    error = &why as &dyn std::error::Error,
                    "no connection could be taken; it is tried again"
                );
                tokio::time::sleep(REFUSED_PAUSE).await;
            }
        }
    }
    drop(listener);
    close.send_replace(true);
    while open.join_next().await.is_some() {}
    Ok(())
}

/// Whether it went wrong with this connection alone.
fn is_of_one(why: &io::Error) -> bool {
    matches!(
        why.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

async fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    http: http1::Builder,
    routes: Router,
    closed: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    // An answer goes out at once, also where it is short.
    if let Err(why) = stream.set_nodelay(true) {
        tracing::debug!(error = &why as &dyn std::error::Error, "a connection stays slow");
    }
    let routes = TowerToHyperService::new(routes);
    let routes = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        routes.call(request)
    });
    let connection = http.serve_connection(TokioIo::new(stream), routes);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(closed) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(why) = ended {
        // The other side went away or was too slow: nothing that we could mend.
        tracing::debug!(error = &why as &dyn std::error::Error, "a connection broke");
    }
}
