//! The console: the pages on which a company's people work. The inbox and
//! its tickets, all records, runs, workflows, routing, plugins and the host's
//! own affairs, in English and Chinese.
//!
//! Every page is made here, on the server, and is links and forms: it works
//! wholly without a script. With one it is read again where something on it
//! has changed ([`live`]). What a page shows and a form does goes through
//! the use cases of [`relata_app`], as somebody who is logged in: the console
//! decides nothing about who may do what.
//!
//! The way of a request through these modules: [`look`] reads the language and
//! the colours that the browser wants; [`session`] finds out who it is, and
//! that a form was ours; a page's own module asks the app and fills its
//! template in; [`frame`] puts the headers on, and makes a page of whatever
//! went wrong.

mod admin;
mod approvals;
mod assets;
mod board;
mod decision;
mod failure;
mod fields;
mod files;
mod frame;
mod held_mails;
mod html;
mod inbox;
mod live;
mod log_in;
mod look;
mod names;
mod password;
mod plugins;
mod record;
mod record_form;
mod record_list;
mod reply;
mod routing;
mod runs;
mod service_level;
mod session;
mod shell;
mod simulator;
mod tasks;
mod texts;
mod ticket;
mod ticket_list;
mod upload;
mod visitor;
mod words;
mod workflow_editor;
mod workflows;

use axum::{
    Extension, Router,
    handler::Handler,
    http::Method,
    middleware,
    routing::{get, post},
};
use relata_app::App;

pub use crate::{frame::not_found, visitor::visitor};

/// All pages, with what is the same on each.
pub fn routes(app: App) -> Router {
    pages()
        .router
        .layer(Extension(live::Streams::default()))
        .layer(middleware::from_fn(frame::around))
        .with_state(app)
}

/// Every address that is answered, as the routes name it, with its method.
#[must_use]
pub fn addresses() -> Vec<(Method, &'static str)> {
    pages().addresses
}

/// The pages and what is done on them, and where each is.
#[derive(Default)]
struct Pages {
    router: Router<App>,
    addresses: Vec<(Method, &'static str)>,
}

impl Pages {
    fn get<H: Handler<T, App>, T: 'static>(mut self, path: &'static str, handler: H) -> Self {
        self.addresses.push((Method::GET, path));
        Self { router: self.router.route(path, get(handler)), ..self }
    }

    fn post<H: Handler<T, App>, T: 'static>(mut self, path: &'static str, handler: H) -> Self {
        self.addresses.push((Method::POST, path));
        Self { router: self.router.route(path, post(handler)), ..self }
    }
}

fn pages() -> Pages {
    Pages::default()
        .get("/", inbox::first)
        .get("/login", log_in::page)
        .post("/login", log_in::enter)
        .post("/logout", log_in::leave)
        .post("/look", look::change)
        .post("/presence", inbox::presence)
        .get("/inbox", inbox::page)
        .get("/tickets/{key}", ticket::page)
        .post("/tickets/{key}/reply", reply::reply)
        .post("/tickets/{key}/note", reply::note)
        .post("/tickets/{key}/status", reply::status)
        .post("/tickets/{key}/owner", reply::owner)
        .get("/messages/{key}/files/{id}", files::download)
        .get("/password", password::page)
        .post("/password", password::change)
        .get("/navigation", live::navigation)
        .get("/live", live::follow)
        .get("/tasks", tasks::page)
        .get("/approvals", approvals::page)
        .post("/approvals/{key}", approvals::answer)
        .get("/records", record_list::objects)
        .get("/records/{object}", record_list::page)
        .get("/records/{object}/{key}", record::page)
        .post("/records/{object}/{key}", record_form::change)
        .get("/records/{object}/{key}/edit", record_form::edit)
        .post("/records/{object}/{key}/move", record::advance)
        .post("/records/{object}/{key}/delete", record::delete)
        .get("/new/{object}", record_form::new)
        .post("/new/{object}", record_form::create)
        .get("/boards/{object}", board::page)
        .get("/runs", runs::page)
        .get("/runs/{id}", runs::show)
        .post("/runs/{id}/retry", runs::retry)
        .post("/runs/{id}/cancel", runs::cancel)
        .get("/workflows", workflows::page)
        .get("/workflows/{name}", workflows::show)
        .post("/workflows/{name}", workflows::act)
        .get("/workflows/{name}/difference", workflows::difference)
        .post("/workflows/{name}/check", workflow_editor::check)
        .post("/workflows/{name}/complete", workflow_editor::complete)
        .post("/workflows/{name}/hover", workflow_editor::hover)
        .get("/routing", routing::page)
        .get("/routing/simulator", simulator::page)
        .get("/plugins", plugins::page)
        .get("/admin", admin::page)
        .post("/admin/effects/{id}", admin::effect)
        .post("/admin/users", admin::create_user)
        .get("/admin/mails", held_mails::page)
        .post("/admin/mails/{id}", held_mails::decide)
        .get("/assets/{file}", assets::file)
}
