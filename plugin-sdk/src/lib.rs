//! What a plugin author depends on.
//!
//! A plugin gives actions: steps that workflows name with `do: plugin.action`.
//! Each is a type with a typed input and output; the JSON Schemas that
//! workflows are checked against come from those types. The whole of a
//! plugin that greets somebody by mail:
//!
//! ```
//! use relata_plugin_sdk::prelude::*;
//!
//! /// Greets somebody by mail.
//! #[derive(Deserialize, JsonSchema)]
//! struct Input {
//!     to: Reference,
//!     #[serde(default)]
//!     greeting: String,
//! }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Output {
//!     sent: bool,
//! }
//!
//! struct Greet;
//!
//! impl Action for Greet {
//!     const ID: &str = "greet";
//!     const TITLE: &str = "Greet somebody";
//!     type Input = Input;
//!     type Output = Output;
//!
//!     fn run(_: &Context, input: Input) -> Result<Outcome<Output>> {
//!         let name: String = records::get(&input.to)?.field("name")?;
//!         let data = json!({ "line": format!("{} {name}", input.greeting) });
//!         let receipt = messages::send_mail(&input.to, &"greeting".into(), data)?;
//!         done(Output { sent: matches!(receipt, Receipt::Queued(_)) })
//!     }
//! }
//!
//! relata_plugin_sdk::plugin!(Greet);
//! # fn main() {}
//! ```
//!
//! Beside it lie a `Cargo.toml` with `crate-type = ["cdylib"]` and the
//! dependencies `relata-plugin-sdk`, `serde` and `schemars`, and a
//! `plugin.toml` that says what the plugin may touch (see
//! `plugins/README.md`).
//!
//! # What happens to what an action does
//!
//! Every call runs in a fresh sandbox: nothing in a `static` outlives it. What
//! the action writes is collected and committed together with the step, or
//! not at all, so an action needs no undo and no check whether it ran before.
//!
//! # Errors
//!
//! `?` takes the SDK's own [`Error`] and every ordinary error. The kind of an
//! error decides what the host does: [`Error::transient`] is tried again as
//! the workflow's `retry:` says, [`Error::permanent`] never.
//!
//! # Natively
//!
//! The crate also compiles for the machine itself, so that the pure part of a
//! plugin is tested with `cargo test` as usual. There a call to the host
//! panics: keep the decision apart from the reading and writing.

mod action;
mod error;
mod schema;
mod time;
mod types;

pub mod env;
pub mod events;
pub mod http;
pub mod log;
pub mod messages;
pub mod records;
pub mod rotation;
pub mod secrets;
pub mod state;

#[doc(hidden)]
pub mod glue;

/// The allocator that the standard library has for this target, in a version
/// that uses what memory a call has from its start (`relata plugin build` asks
/// the linker for some) before it lets the memory grow. To grow it is slow: the
/// host changes the protection of pages, and changes it back for the next call.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// What the contract in `wit/` generates.
#[doc(hidden)]
#[allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::unwrap_used,
    clippy::pedantic
)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit/0.1.0",
        world: "plugin",
        pub_export_macro: true,
    });
}

#[doc(hidden)]
pub mod __private {
    pub use serde_json::json;
}

pub use action::{Action, Context, Correlation, Outcome, done, retry, skip};
pub use error::{Code, Error, Result};
pub use types::{Due, Fields, Reference, Template};

/// Everything that a plugin usually needs: `use relata_plugin_sdk::prelude::*;`
pub mod prelude {
    pub use crate::messages::Receipt;
    pub use crate::{
        Action, Code, Context, Correlation, Due, Error, Fields, Outcome, Reference, Result,
        Template, done, env, events, http, log, messages, records, retry, secrets, skip, state,
    };
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
    pub use serde_json::json;
}
