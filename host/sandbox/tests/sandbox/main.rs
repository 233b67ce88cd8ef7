//! The sandbox with small guests: limits, loading, permissions, the cache.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "it is a test")]

mod desk;
mod guests;
mod limits;
mod loading;
mod permissions;
mod requests;
