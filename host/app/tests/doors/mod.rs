//! What people and other programs start and answer: workflows by hand,
//! webhooks, approvals; and the secrets that are needed for it.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod approvals;
mod attachments;
mod by_hand;
mod company;
mod ingest;
mod secrets;
mod users;
mod webhooks;
