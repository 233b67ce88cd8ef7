//! The sandbox with small guests: limits, loading, permissions, the cache.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "it is a test")]

mod boundaries;
mod components;
mod desk;
mod fairness;
mod guests;
mod hostile;
mod limits;
mod loading;
mod logs;
mod permissions;
mod requests;
