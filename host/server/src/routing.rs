//! `/v1/routing`: who would get a ticket.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use relata_app::{RoutingScenario, RoutingSimulation, Scope};

use crate::{
    Api,
    auth::caller,
    error::ApiError,
    openapi::{BodyProblems, CallerProblems, ContentProblems, MissingProblem},
};

/// Tries who would get a ticket, and how many others like it everybody would
/// get. Nothing is written.
///
/// The active workflows that give tickets away run over the records as they
/// are, with the real actions. Queues and users are named as in a record;
/// customers and the like only where the token may see them.
#[utoipa::path(
    post,
    path = "/v1/routing/simulations",
    operation_id = "simulateRouting",
    tag = "routing",
    request_body = RoutingScenario,
    responses(
        (status = 200, description = "What would become of them.", body = RoutingSimulation),
        BodyProblems,
        MissingProblem,
        ContentProblems,
        CallerProblems,
    ),
    security(("token" = ["routing:read"]))
)]
pub(crate) async fn simulate(
    State(Api { app, gate, .. }): State<Api>,
    request: Request,
) -> Result<Json<RoutingSimulation>, ApiError> {
    let caller = caller(&app, request.headers(), Scope::RoutingRead).await?;
    let _room = gate.enter_to_read()?;
    let body = gate.body(request, gate.longest()).await?;
    let scenario: RoutingScenario = serde_json::from_slice(&body.bytes).map_err(|why| {
        let why = format!(
            "the body does not read ({why}); send {{\"ticket\": {{\"queue\": \"queue/support\"}}, \"tickets\": 10}}"
        );
        ApiError::new(StatusCode::BAD_REQUEST, "no-json", why)
    })?;
    let simulated = app.simulate_routing_as(caller.viewer(), &scenario).await;
    simulated.map(Json).map_err(ApiError::no_access)
}
