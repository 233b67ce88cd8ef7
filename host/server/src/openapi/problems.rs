//! The errors that operations answer, in groups, each described once.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, ToSchema,
    openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder},
};

use crate::error::ApiError;

/// What a status means, by its name among the components.
const PROBLEMS: [(u16, &str, &str); 12] = [
    (400, "WrongRequest", "The body is not JSON, or a parameter or header is wrong."),
    (401, "UnknownCaller", "There is no token, or it is unknown, revoked or expired."),
    (403, "Forbidden", "The token may not do this, or not with this object."),
    (404, "NotFound", "There is no such thing, or the token is not for it."),
    (408, "Slow", "The body took too long."),
    (409, "WrongStanding", "As it stands, this cannot be done to it."),
    (410, "Gone", "What was asked for has been taken away; read the records, and begin anew."),
    (412, "Changed", "The record has changed since it was read."),
    (413, "TooLarge", "The body is too long, or the batch has too many items."),
    (422, "Invalid", "The content is wrong; `errors` has all of it. Nothing was taken in."),
    (429, "Busy", "There is too much to do; `Retry-After` says in how many seconds to try again."),
    (503, "Unwell", "The database does not answer; try again later."),
];

macro_rules! groups {
    ($($(#[$doc:meta])* $name:ident = [$($status:literal),+];)+) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                references(&[$($status),+])
            }
        }
    )+};
}

groups! {
    /// Whoever needs a token and a free place.
    CallerProblems = [401, 403, 429, 503];
    /// What stands behind the `?`, or in a header.
    QueryProblems = [400];
    /// What the address names.
    MissingProblem = [404];
    /// Its body, as such.
    BodyProblems = [400, 408, 413];
    /// What the body says.
    ContentProblems = [422];
    /// The revision that it was to have.
    RevisionProblems = [412];
    /// What came before has been taken away.
    GoneProblems = [410];
    /// How it stands.
    StandingProblems = [409];
}

fn references(statuses: &[u16]) -> BTreeMap<String, RefOr<Response>> {
    PROBLEMS
        .iter()
        .filter(|(status, ..)| statuses.contains(status))
        .map(|(status, name, _)| (status.to_string(), Ref::from_response_name(*name).into()))
        .collect()
}

/// All of them, for the components.
pub(super) fn all() -> impl Iterator<Item = (String, RefOr<Response>)> {
    PROBLEMS.iter().map(|(_, name, means)| {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name(ApiError::name())));
        let response = ResponseBuilder::new()
            .description(*means)
            .content("application/problem+json", problem.build())
            .build();
        ((*name).to_owned(), response.into())
    })
}
