//! Shared pieces of the end-to-end tests.

mod mailbox;
pub mod postgres;
mod program;
mod server;
pub mod torture;

pub use mailbox::{Mailbox, Mails, Moods};
pub use postgres::Postgres;
pub use server::{Backend, Place, Server, post};

pub use program::{answer, data, program, root, run};

/// The component that tries to hurt its host, one action a way; see
/// `tests/guests/hostile`.
pub fn hostile() -> &'static [u8] {
    include_bytes!(concat!(env!("OUT_DIR"), "/hostile.wasm"))
}

/// The `plugin.toml` of [`hostile`].
pub fn hostile_manifest() -> &'static str {
    include_str!("../guests/hostile/plugin.toml")
}

/// The component that calls web services as it is told; see
/// `tests/guests/web`. What it may call is for the test to say.
pub fn web() -> &'static [u8] {
    include_bytes!(concat!(env!("OUT_DIR"), "/web.wasm"))
}

/// The component that gives back its input, for benchmarks: it imports only
/// the log.
pub fn echo() -> &'static [u8] {
    include_bytes!(concat!(env!("OUT_DIR"), "/echo.wasm"))
}

/// The `plugin.toml` of [`echo`].
pub fn echo_manifest() -> &'static str {
    include_str!("../guests/echo/plugin.toml")
}

/// Puts a plugin into a data directory.
pub fn install(root: &std::path::Path, name: &str, manifest: &str, component: &[u8]) {
    let package = root.join("plugins").join(name);
    std::fs::create_dir_all(&package).expect("a folder");
    std::fs::write(package.join("plugin.toml"), manifest).expect("a file");
    std::fs::write(package.join("component.wasm"), component).expect("a file");
}
