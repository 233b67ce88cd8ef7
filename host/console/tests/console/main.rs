//! The console as a browser sees it: pages are asked for, read, and their
//! forms sent, on a real company with a real database.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod access;
mod browser;
mod desk;
mod editor;
mod everywhere;
mod files;
mod live;
mod mails;
mod records;
mod roles;
mod routing;
