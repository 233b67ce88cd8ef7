//! Shared pieces of the end-to-end tests.

pub mod dovecot;
mod mailbox;
pub mod postgres;
mod program;
pub mod receiver;
mod server;
pub mod torture;

pub use dovecot::Dovecot;
pub use mailbox::{Mailbox, Mails, Moods};
pub use postgres::Postgres;
pub use receiver::Receiver;
pub use server::{Backend, HttpAnswer, Place, Server, ask, post};

use relata_app::{App, Offered, Opening, Packages, sandbox::Compiler};

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

/// The company at a place, in this process, beside the hosts that serve it.
pub async fn open(place: &Place) -> App {
    let database = match &place.backend {
        Backend::Sqlite => None,
        Backend::Postgres { url } => Some(url.parse().expect("the address of a database")),
    };
    let opening = Opening { database, ..Opening::default() };
    App::open_with(&place.root, opening).await.expect("a company")
}

/// Installs a plugin, as somebody does who agrees to all that it asks for.
pub async fn install(app: &App, manifest: &str, component: &[u8]) {
    offer(app, offered(manifest, component).await);
}

/// The same with a package that is there already.
pub fn offer(app: &App, offered: Offered) {
    let consent = app.plugin_consent(&offered, None).expect("it may be installed");
    let agreed = Some(consent.digest);
    app.install_plugin(offered, &consent, agreed).expect("it is installed");
}

/// A package as `relata plugin pack` makes it of an author's folder.
pub async fn offered(manifest: &str, component: &[u8]) -> Offered {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join(name), bytes).expect("a file");
    };
    put("plugin.toml", manifest.as_bytes());
    put("component.wasm", component);
    let packages = Packages::new(None, Compiler::InProcess, None, None).expect("a sandbox");
    packages.pack(folder.path()).await.expect("a package")
}
