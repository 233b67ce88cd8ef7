//! A company whose pages are looked at: where it lies, and who works there.

use std::{
    fs::{self, DirBuilder},
    io::ErrorKind,
    net::TcpListener,
    os::unix::fs::{DirBuilderExt as _, symlink},
    path::Path,
    process::Command,
};

use relata_app::{App, Secret, model::Reference};
use relata_tests::{Backend, Place, Server, answer, open};
use serde_json::Value as Json;
use tempfile::TempDir;

use super::chromium::Page;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// A company in a folder of its own, with an address that stays.
pub(crate) struct Company {
    pub(crate) place: Place,
    pub(crate) app: App,
    port: u16,
    _folder: TempDir,
}

impl Company {
    /// A new one, made with these arguments. `settle` changes its settings, before it is
    /// opened for the first time.
    pub(crate) async fn new(arguments: &[&str], settle: impl FnOnce(String) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { root: folder.path().join("data"), backend: Backend::Sqlite };
        answer(&[&["init", place.root.to_str().unwrap()], arguments].concat());
        share_compiled_plugins(&place.root);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = place.root.join("relata.toml");
        let settings = settle(fs::read_to_string(&file).unwrap());
        // Above the first section.
        fs::write(&file, format!("public_url = \"http://127.0.0.1:{port}\"\n{settings}")).unwrap();
        let app = open(&place).await;
        Self { place, app, port, _folder: folder }
    }

    /// The address of a page.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Leaves its runs to the host that serves it.
    pub(crate) async fn hand_over(&mut self) {
        self.app.clone().close().await;
        self.app = open(&self.place).await;
    }

    /// Serves it, by a command that the place made.
    pub(crate) fn serve(&self, command: Command) -> Server {
        let address = format!("127.0.0.1:{}", self.port);
        Server::start_at(&address, command, None).unwrap()
    }

    /// Makes a record.
    pub(crate) async fn make(&self, object: &str, fields: Json) -> Reference {
        let definition = self.app.object(object).unwrap();
        let fields = fields.as_object().unwrap().iter().map(|(name, json)| {
            (name.clone(), definition.field(name).unwrap().kind.read(json).unwrap())
        });
        let made = self.app.create_record(object, fields.collect(), "test").await;
        made.unwrap_or_else(|why| panic!("{object}: {why}")).reference
    }

    /// Makes a user, who can log in.
    pub(crate) async fn hire(&self, fields: Json) -> Reference {
        let user = self.make("user", fields).await;
        let record = self.app.record(&user).await.unwrap();
        self.app.set_password(&record, Secret::new(PASSWORD), false, "test").await.unwrap();
        user
    }

    /// Somebody logs in, and comes to the inbox.
    pub(crate) fn log_in(&self, page: &Page<'_>, email: &str, says: [&str; 3]) {
        let [address, password, button] = says;
        page.open(&self.url("/login"));
        page.fill("textbox", address, email);
        page.fill("textbox", password, PASSWORD);
        page.press("button", button);
        page.waits_for("location.pathname === '/inbox' && document.readyState === 'complete'");
    }
}

/// What the log-in's fields and its button are called.
pub(crate) const LOG_IN: [&str; 3] = ["E-mail", "Password", "Log in"];

/// To compile the plugins takes longer than all else that a test does.
fn share_compiled_plugins(root: &Path) {
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled-plugins");
    match DirBuilder::new().mode(0o700).create(&shared) {
        Err(why) if why.kind() != ErrorKind::AlreadyExists => panic!("{why}"),
        _ => symlink(shared, root.join("cache")).unwrap(),
    }
}
