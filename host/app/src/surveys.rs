//! Surveys as customers meet them: the link of the mail, the question behind
//! it, and the answer.
//!
//! A link opens the question and answers nothing: the gateways of mail open
//! every link to look behind it. The answer is a request of its own.

use std::ops::RangeInclusive;

use relata_engine::{Happening, HappeningKind};
use relata_model::{Fields, Record, RecordId, Reference, Timestamp, Value};
use relata_store::{RecordError, Write};
use serde_json::{Value as Json, json};

use crate::{App, AppError, intake::plain, links::LinkKind};

/// The object of the answers.
const OBJECT: &str = "survey_response";

/// What an answer means to workflows.
const ANSWERED: &str = "survey.answered";

/// For how long an answer may be changed: whoever pressed the wrong number
/// sees it at once, and a report of yesterday stays as it was.
const CHANGEABLE_MS: i64 = 24 * 3_600_000;

/// The longest comment, characters.
const LONGEST_COMMENT: usize = 5_000;

/// The scale of a survey that names none.
const SCALE: RangeInclusive<i64> = 1..=5;

/// A longer scale is a mistake in the survey, and no page could show it.
const MOST_SCORES: i64 = 101;

/// How often an answer is tried again that another one has met.
const TRIES: u32 = 5;

/// What a customer's page says.
#[derive(Debug, Clone, PartialEq)]
pub struct SurveyView {
    /// The language that the customer is written to in, such as `de-AT`.
    pub locale: Option<String>,
    /// The scores that may be given.
    pub scale: RangeInclusive<i64>,
    /// How far it is.
    pub state: SurveyState,
    survey: Option<Record>,
}

impl SurveyView {
    /// What is asked: `question_de` of the survey for the language `de`, where
    /// it has that, else `question`. None where the survey is gone.
    #[must_use]
    pub fn question(&self, language: &str) -> Option<&str> {
        let survey = self.survey.as_ref()?;
        let translated = survey.field(&format!("question_{language}")).as_text();
        translated.or_else(|| survey.field("question").as_text())
    }
}

/// What a customer answered, as a timeline tells it to somebody who sees these
/// fields of these objects; none where it is something else, or not for them.
pub(crate) fn told(happening: &Happening, sees: &dyn Fn(&str, &str) -> bool) -> Option<String> {
    let HappeningKind::Named { name, about, data: Value::Map(data), .. } = &happening.kind else {
        return None;
    };
    let response = about.first().filter(|first| name == ANSWERED && first.object == OBJECT)?;
    let score = data.get("score").filter(|_| sees(OBJECT, "score"))?;
    Some(format!("{response}: {name} (score: {score})"))
}

/// How far a survey is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SurveyState {
    /// Nobody has answered.
    Open,
    /// It is answered.
    Answered {
        /// The score, if one was given.
        score: Option<i64>,
        /// Whether the answer may still be changed.
        changeable: bool,
    },
    /// It was never sent; there is nothing to answer.
    Closed,
}

/// An answer as it comes from a page.
#[derive(Debug, Clone, Copy, Default)]
pub struct SurveyAnswer<'a> {
    /// The score, as written.
    pub score: &'a str,
    /// What the customer says to it. Empty leaves what was said before.
    pub comment: &'a str,
}

/// Why an answer is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The link is none of ours.
    #[error("there is no such survey")]
    Unknown,
    /// There is nothing to answer, or not any more.
    #[error("this survey takes no answer")]
    Closed,
    /// The score is none of the scale.
    #[error("the score is none of the scale")]
    Score,
    /// The comment is too long.
    #[error("the comment is longer than {LONGEST_COMMENT} characters")]
    LongComment,
    /// A fault of ours.
    #[error(transparent)]
    App(#[from] AppError),
}

/// A response with the survey that it belongs to.
struct Asked {
    response: Record,
    survey: Option<Record>,
}

impl App {
    /// What a survey's link shows; none where it is no link of ours.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn survey(&self, token: &str) -> Result<Option<SurveyView>, AppError> {
        let Some(Asked { response, survey }) = self.asked(token).await? else { return Ok(None) };
        let contact = match response.field("contact") {
            Value::Reference(contact) => self.store().record_fetch(contact).await?,
            _ => None,
        };
        Ok(Some(SurveyView {
            locale: contact
                .and_then(|contact| contact.field("locale").as_text().map(str::to_owned)),
            scale: scale(survey.as_ref()),
            state: state(&response, self.now()),
            survey,
        }))
    }

    /// Takes an answer, or another one within a day of the first. The same
    /// answer again changes nothing. Workflows hear of the first one only
    /// (`survey.answered`); another one is a change of the record.
    ///
    /// # Errors
    ///
    /// [`SurveyError`] says why it is not taken.
    pub async fn answer_survey(
        &self,
        token: &str,
        answer: SurveyAnswer<'_>,
    ) -> Result<(), SurveyError> {
        for _ in 0..TRIES {
            let asked = self.asked(token).await?.ok_or(SurveyError::Unknown)?;
            match self.write_answer(&asked, answer).await {
                // The customer pressed twice, or a workflow has written
                // something: look at it as it is now.
                Err(SurveyError::App(AppError::Record(RecordError::Conflict { .. }))) => {}
                done => return done,
            }
        }
        let why = "a survey's answer met another write again and again";
        Err(SurveyError::App(AppError::Fault(why.to_owned())))
    }

    async fn write_answer(
        &self,
        asked: &Asked,
        answer: SurveyAnswer<'_>,
    ) -> Result<(), SurveyError> {
        let Asked { response, survey } = asked;
        let now = self.now();
        let mut fields = Fields::new();
        match state(response, now) {
            SurveyState::Open => {
                fields.insert("status".to_owned(), Value::Text("answered".to_owned()));
                fields.insert("answered_at".to_owned(), Value::Time(now));
            }
            SurveyState::Answered { changeable: true, .. } => {}
            SurveyState::Answered { changeable: false, .. } | SurveyState::Closed => {
                return Err(SurveyError::Closed);
            }
        }
        let score = answer.score.trim().parse::<i64>().map_err(|_| SurveyError::Score)?;
        if !scale(survey.as_ref()).contains(&score) {
            return Err(SurveyError::Score);
        }
        fields.insert("score".to_owned(), Value::Number(score.into()));
        let comment = plain(answer.comment);
        if comment.chars().count() > LONGEST_COMMENT {
            return Err(SurveyError::LongComment);
        }
        if !comment.is_empty() {
            fields.insert("comment".to_owned(), Value::Text(comment));
        }
        let who = match response.field("contact") {
            Value::Reference(contact) => contact.to_string(),
            _ => "web".to_owned(),
        };
        let write = Write::Update {
            reference: response.reference.clone(),
            fields,
            if_revision: Some(response.revision),
        };
        self.write_record(write, &who).await?;
        Ok(())
    }

    async fn asked(&self, token: &str) -> Result<Option<Asked>, AppError> {
        let Some(id) = self.linked(LinkKind::Survey, token).await? else { return Ok(None) };
        let reference = Reference::new(OBJECT, id.to_string());
        let Some(response) = self.store().record_fetch(&reference).await? else {
            return Ok(None);
        };
        let survey = match response.field("survey") {
            Value::Reference(survey) => self.store().record_fetch(survey).await?,
            _ => None,
        };
        Ok(Some(Asked { response, survey }))
    }

    /// What a survey's mail can say of its page: the link, and one for each
    /// score. Null where `public_url` is not set, or the survey asks somebody
    /// else.
    pub(crate) async fn survey_links(
        &self,
        response: &Record,
        survey: Option<&Record>,
        to: &Reference,
    ) -> Result<Json, AppError> {
        let asks = matches!(response.field("contact"), Value::Reference(contact) if contact == to);
        let Ok(id) = response.reference.key.parse::<RecordId>() else { return Ok(Json::Null) };
        if !asks {
            return Ok(Json::Null);
        }
        let Some(link) = self.link(LinkKind::Survey, id).await? else { return Ok(Json::Null) };
        let scores: Vec<Json> = scale(survey)
            .map(|score| json!({ "score": score, "link": format!("{link}?score={score}") }))
            .collect();
        Ok(json!({ "link": link, "scores": scores }))
    }
}

fn state(response: &Record, now: Timestamp) -> SurveyState {
    match response.field("status").as_text() {
        // Late is better than never.
        Some("sent" | "expired") => SurveyState::Open,
        Some("answered") => SurveyState::Answered {
            score: whole(response.field("score")),
            changeable: response.field("answered_at").as_time().is_some_and(|at| {
                now.as_millisecond().saturating_sub(at.as_millisecond()) < CHANGEABLE_MS
            }),
        },
        _ => SurveyState::Closed,
    }
}

/// The scores that a survey takes.
fn scale(survey: Option<&Record>) -> RangeInclusive<i64> {
    let Some(survey) = survey else { return SCALE };
    let lowest = whole(survey.field("lowest")).unwrap_or(*SCALE.start());
    let highest = whole(survey.field("highest")).unwrap_or(*SCALE.end());
    if highest <= lowest || highest.saturating_sub(lowest) >= MOST_SCORES {
        return SCALE;
    }
    lowest..=highest
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => i64::try_from(*number).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: &[(&str, Value)]) -> Record {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let fields = fields.collect::<Fields>().into();
        Record { reference: "survey/csat".parse().expect("a reference"), revision: 1, fields }
    }

    fn number(number: i64) -> Value {
        Value::Number(number.into())
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn a_scale_is_one_that_a_page_can_show() {
        let of = |lowest, highest| {
            scale(Some(&record(&[("lowest", number(lowest)), ("highest", number(highest))])))
        };
        assert_eq!(of(0, 10), 0..=10);
        assert_eq!(of(-2, 2), -2..=2);
        assert_eq!(of(0, 100), 0..=100);
        for (lowest, highest) in [(5, 1), (3, 3), (0, 101), (i64::MIN, i64::MAX)] {
            assert_eq!(of(lowest, highest), SCALE, "{lowest} to {highest}");
        }
        assert_eq!(scale(None), SCALE);
        assert_eq!(scale(Some(&record(&[("highest", number(3))]))), 1..=3);
    }

    #[test]
    fn an_answer_may_be_changed_for_a_day() {
        let at = |millis| Timestamp::from_millisecond(millis).expect("a time");
        let answered = record(&[
            ("status", text("answered")),
            ("answered_at", Value::Time(at(1_000))),
            ("score", number(4)),
        ]);
        let seen = |now| state(&answered, at(now));
        let changeable = |changeable| SurveyState::Answered { score: Some(4), changeable };
        assert_eq!(seen(1_000), changeable(true));
        assert_eq!(seen(1_000 + CHANGEABLE_MS - 1), changeable(true));
        assert_eq!(seen(1_000 + CHANGEABLE_MS), changeable(false));
        // An import may not know when.
        let imported = record(&[("status", text("answered"))]);
        let unknown = SurveyState::Answered { score: None, changeable: false };
        assert_eq!(state(&imported, at(0)), unknown);
        for (status, expected) in [
            ("scheduled", SurveyState::Closed),
            ("sent", SurveyState::Open),
            ("expired", SurveyState::Open),
            ("suppressed", SurveyState::Closed),
        ] {
            assert_eq!(state(&record(&[("status", text(status))]), at(0)), expected, "{status}");
        }
    }

    #[test]
    fn a_question_is_asked_in_the_language_if_the_survey_has_it() {
        let survey = record(&[("question", text("Well?")), ("question_de", text("Na?"))]);
        let view = SurveyView {
            locale: None,
            scale: SCALE,
            state: SurveyState::Open,
            survey: Some(survey),
        };
        assert_eq!(view.question("de"), Some("Na?"));
        assert_eq!(view.question("zh"), Some("Well?"));
        assert_eq!(SurveyView { survey: None, ..view }.question("de"), None);
    }
}
