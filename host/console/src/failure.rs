//! What can go wrong on the way to a page. Whoever makes a page says what it
//! was; [`crate::frame`] makes a page of it in the reader's language.

use std::sync::Arc;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use relata_app::{AccessError, AppError};

/// Why there is no page.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// Nobody is logged in; where they wanted to go.
    NobodyThere(String),
    /// The password was given by somebody else, and has to be changed first.
    OthersPassword,
    /// Not for this user.
    Forbidden(String),
    /// There is no such page or record.
    NotFound,
    /// What was asked makes no sense; the sentence says how to mend it.
    Wrong(String),
    /// The form was not sent from one of our pages, or from one of an earlier
    /// session.
    ForeignForm,
    /// A fault of ours. The log says which.
    Unwell(Arc<AppError>),
}

impl Failure {
    /// The status of the answer.
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::NobodyThere(_) | Self::OthersPassword => StatusCode::SEE_OTHER,
            Self::Forbidden(_) | Self::ForeignForm => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Wrong(_) => StatusCode::BAD_REQUEST,
            Self::Unwell(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<AppError> for Failure {
    fn from(why: AppError) -> Self {
        if why.is_wrong_input() {
            return Self::Wrong(why.to_string());
        }
        Self::Unwell(Arc::new(why))
    }
}

impl From<AccessError> for Failure {
    fn from(why: AccessError) -> Self {
        match why {
            AccessError::Forbidden(what) => Self::Forbidden(what),
            AccessError::NotFound(_) => Self::NotFound,
            AccessError::App(why) => why.into(),
            AccessError::Invalid(errors) => {
                Self::Wrong(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
            }
            why @ AccessError::Conflict { .. } => Self::Wrong(why.to_string()),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
