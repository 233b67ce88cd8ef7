//! `/u/TOKEN`: no more of these mails. A mail program sends the POST by itself
//! when its reader presses "unsubscribe" (RFC 8058); to look at the page
//! changes nothing, since gateways look at every link.

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use relata_app::{App, Pace, Purpose, Subscription};
use serde::Serialize;

use crate::{
    Api,
    pages::{self, Frame, NOBODY, texts::Texts},
};

/// What the page shows.
#[derive(Serialize)]
struct SubscriptionPage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    text: &'a str,
    /// Whether the mails still come.
    on: bool,
}

/// Asks whether it is meant.
pub(crate) async fn show(
    State(Api { app, gate, .. }): State<Api>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    let browser = pages::browser(&headers);
    let Ok(_room) = gate.enter_to_read() else { return pages::busy(&app, browser) };
    match app.subscription(&token).await {
        Ok(Some(found)) => page(&app, &found, found.is_on(), browser),
        Ok(None) => pages::unknown(&app, browser),
        Err(why) => pages::unwell(&app, browser, &why),
    }
}

/// Ends it. The big mail services send this for all their readers, so only the
/// link is counted, and not the address.
pub(crate) async fn end(
    State(Api { app, gate, .. }): State<Api>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    let browser = pages::browser(&headers);
    let link = format!("link {token}");
    let may_send = gate.visitors.may_send(link.as_bytes(), Pace::OF_A_LINK, App::stopwatch());
    let room = gate.enter(&app);
    if !may_send || room.is_err() {
        return pages::busy(&app, browser);
    }
    let found = match app.subscription(&token).await {
        Ok(Some(found)) => found,
        Ok(None) => return pages::unknown(&app, browser),
        Err(why) => return pages::unwell(&app, browser, &why),
    };
    match app.unsubscribe(&found).await {
        Ok(()) => page(&app, &found, false, browser),
        Err(why) => pages::unwell(&app, browser, &why),
    }
}

fn page(app: &App, found: &Subscription, on: bool, browser: &'static Texts) -> Response {
    let texts = found.locale().and_then(Texts::of_locale).unwrap_or(browser);
    let says = &texts.subscription;
    let text = match (found.purpose(), on) {
        (_, false) => &says.ended,
        (Purpose::Survey, true) => &says.surveys,
        (_, true) => &says.marketing,
    };
    let title = if on { &says.title } else { &says.ended_title };
    let shows = SubscriptionPage { frame: Frame::new(app, texts, title), text, on };
    pages::page(StatusCode::OK, "subscription.html", &shows, NOBODY)
}
