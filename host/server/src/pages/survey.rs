//! `/s/TOKEN`: the page on which a customer answers a survey. To look at it
//! answers nothing, also with `?score=4`: the gateways of mail look at every
//! link.

use axum::{
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use relata_app::{
    App, AppError, Pace, PageAge, SurveyAnswer, SurveyError, SurveyState, SurveyView,
};
use serde::Serialize;

use crate::{
    Api,
    pages::{
        self, Frame, NOBODY, Sent, Visit,
        texts::{Texts, filled},
    },
};

/// Whoever is quicker has not read the question.
const QUICKEST_MS: i64 = 1_000;

/// What the page shows.
#[derive(Serialize)]
struct SurveyPage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    answered: bool,
    /// What was answered.
    given: String,
    /// Whether an answer is taken.
    open: bool,
    question: &'a str,
    /// What is wrong with what was sent.
    note: Option<&'a str>,
    seal: String,
    scale: Vec<i64>,
    scale_text: String,
    /// The score that was chosen in the mail, or on the page before.
    chosen: Option<i64>,
    comment: &'a str,
    send: String,
}

/// A page that is shown again, and why.
#[derive(Default)]
struct Again<'a> {
    note: Option<&'a str>,
    score: &'a str,
    comment: &'a str,
}

/// Whose page it is.
#[derive(Clone, Copy)]
struct Survey<'a> {
    app: &'a App,
    token: &'a str,
    browser: &'static Texts,
}

/// Shows the question, or what was answered.
pub(crate) async fn show(
    State(Api { app, gate, .. }): State<Api>,
    Path(token): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let survey = Survey { app: &app, token: &token, browser: pages::browser(&headers) };
    let Ok(_room) = gate.enter_to_read() else { return pages::busy(&app, survey.browser) };
    let asked = Sent::of(&uri);
    let again = Again { score: asked.field("score"), ..Again::default() };
    survey.shown(StatusCode::OK, again).await
}

/// Takes the answer; the page that thanks for it can be loaded again without
/// sending anything.
pub(crate) async fn answer(
    State(Api { app, gate, .. }): State<Api>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    let survey = Survey { app: &app, token: &token, browser: pages::browser(request.headers()) };
    let visit = match Visit::read(&gate, request).await {
        Ok(visit) => visit,
        Err(why) => return pages::unread(&app, survey.browser, &why),
    };
    let sent = &visit.sent;
    let link = format!("link {token}");
    let may_send = visit.may_send(&gate)
        && gate.visitors.may_send(link.as_bytes(), Pace::OF_A_LINK, App::stopwatch());
    let room = gate.enter(&app);
    if !may_send || room.is_err() {
        return survey.again(StatusCode::TOO_MANY_REQUESTS, sent, |texts| &texts.page.busy).await;
    }
    match app.page_age(&survey.name(), sent.field("seal")).await {
        Err(why) => return pages::unwell_with(&app, survey.browser, &why, sent),
        Ok(PageAge::Millis(age)) if age >= QUICKEST_MS && !sent.is_of_a_program() => {}
        Ok(_) => {
            let note = |texts: &'static Texts| &texts.page.press_again;
            return survey.again(StatusCode::UNPROCESSABLE_ENTITY, sent, note).await;
        }
    }
    let given = SurveyAnswer { score: sent.field("score"), comment: sent.field("comment") };
    match app.answer_survey(&token, given).await {
        // To the page itself, wherever a proxy has put it.
        Ok(()) => (StatusCode::SEE_OTHER, [(header::LOCATION, token)]).into_response(),
        Err(SurveyError::Unknown) => pages::unknown(&app, survey.browser),
        Err(SurveyError::Closed) => survey.shown(StatusCode::GONE, Again::default()).await,
        Err(SurveyError::Score) => {
            let note = |texts: &'static Texts| &texts.survey.wrong_score;
            survey.again(StatusCode::UNPROCESSABLE_ENTITY, sent, note).await
        }
        Err(SurveyError::LongComment) => {
            let note = |texts: &'static Texts| &texts.survey.long_comment;
            survey.again(StatusCode::UNPROCESSABLE_ENTITY, sent, note).await
        }
        Err(SurveyError::App(why)) => {
            pages::log(&why);
            let note = |texts: &'static Texts| &texts.page.unwell;
            survey.again(StatusCode::SERVICE_UNAVAILABLE, sent, note).await
        }
    }
}

impl Survey<'_> {
    /// What its seal is for.
    fn name(&self) -> String {
        format!("s/{}", self.token)
    }

    /// The page once more, with what was typed, and why.
    async fn again(
        &self,
        status: StatusCode,
        sent: &Sent,
        note: impl FnOnce(&'static Texts) -> &'static String,
    ) -> Response {
        let (view, texts) = match self.view().await {
            Ok(Some(found)) => found,
            Ok(None) => return pages::unknown(self.app, self.browser),
            Err(why) => return pages::unwell_with(self.app, self.browser, &why, sent),
        };
        let note = Some(note(texts).as_str());
        let again = Again { note, score: sent.field("score"), comment: sent.field("comment") };
        self.page(status, &view, texts, again).await
    }

    async fn shown(&self, status: StatusCode, again: Again<'_>) -> Response {
        match self.view().await {
            Ok(Some((view, texts))) => self.page(status, &view, texts, again).await,
            Ok(None) => pages::unknown(self.app, self.browser),
            Err(why) => pages::unwell(self.app, self.browser, &why),
        }
    }

    /// What there is to show, in the language in which the customer is written
    /// to.
    async fn view(&self) -> Result<Option<(SurveyView, &'static Texts)>, AppError> {
        let found = self.app.survey(self.token).await?;
        Ok(found.map(|view| {
            let texts = view.locale.as_deref().and_then(Texts::of_locale);
            (view, texts.unwrap_or(self.browser))
        }))
    }

    async fn page(
        &self,
        status: StatusCode,
        view: &SurveyView,
        texts: &'static Texts,
        again: Again<'_>,
    ) -> Response {
        let seal = match self.app.seal_page(&self.name()).await {
            Ok(seal) => seal,
            Err(why) => return pages::unwell(self.app, texts, &why),
        };
        let says = &texts.survey;
        let (lowest, highest) = (view.scale.start().to_string(), view.scale.end().to_string());
        let places = [("lowest", lowest.as_str()), ("highest", highest.as_str())];
        let (given, open, before) = match view.state {
            SurveyState::Open => (None, true, None),
            SurveyState::Answered { score, changeable } => {
                let told = score.map_or_else(String::new, |score| {
                    filled(&filled(&says.given, &[("score", &score.to_string())]), &places)
                });
                (Some(told), changeable, score)
            }
            SurveyState::Closed => {
                let says = (says.closed_title.as_str(), says.closed.as_str());
                return pages::message(self.app, texts, StatusCode::GONE, says);
            }
        };
        let chosen = again.score.trim().parse().ok().filter(|score| view.scale.contains(score));
        let chosen = chosen.or(before);
        let page = SurveyPage {
            frame: Frame::new(self.app, texts, &says.title),
            answered: given.is_some(),
            given: given.unwrap_or_default(),
            open,
            question: view.question(texts.language()).unwrap_or(&says.question),
            note: again.note,
            seal,
            scale: view.scale.clone().collect(),
            scale_text: filled(&says.scale, &places),
            chosen,
            comment: again.comment,
            send: chosen.map_or_else(String::new, |score| {
                filled(&says.send, &[("score", &score.to_string())])
            }),
        };
        pages::page(status, "survey.html", &page, NOBODY)
    }
}
