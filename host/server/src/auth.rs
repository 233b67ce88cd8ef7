//! Who calls: `Authorization: Bearer rlt_…`.

use axum::http::{HeaderMap, StatusCode, header};
use relata_app::{App, Caller, CallerError, Scope};

use crate::error::ApiError;

const CHALLENGE: &str = "Bearer realm=\"relata\"";

/// The caller, who may do this.
pub(crate) async fn caller(
    app: &App,
    headers: &HeaderMap,
    scope: Scope,
) -> Result<Caller, ApiError> {
    let caller = known(app, headers).await?;
    if caller.may(scope) {
        return Ok(caller);
    }
    let why = format!("the token `{}` may not do this; it needs {scope}", caller.name());
    Err(Box::pin(refused(app, &caller, scope.as_str(), "scope", why)).await)
}

/// The caller, whatever it may do.
pub(crate) async fn known(app: &App, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let secret = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.split_once(' '))
        .filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"))
        .map(|(_, secret)| secret.trim())
        .ok_or_else(|| {
            ApiError::unknown(
                CHALLENGE,
                "no-token",
                "the header `Authorization: Bearer rlt_…` is missing; `relata token create` makes a token",
            )
        })?;
    app.caller(secret).await.map_err(|why| match why {
        CallerError::Unknown => ApiError::unknown(CHALLENGE, "token", why.to_string()),
        CallerError::App(why) => ApiError::unwell(&why),
    })
}

/// 403, once it is noted in the audit.
pub(crate) async fn refused(
    app: &App,
    caller: &Caller,
    target: &str,
    code: &'static str,
    why: String,
) -> ApiError {
    match app.note_refused(&caller.actor(), "call", target, &why).await {
        Ok(()) => ApiError::new(StatusCode::FORBIDDEN, code, why),
        Err(why) => ApiError::unwell(&why),
    }
}
