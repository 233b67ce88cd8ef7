//! The console: the pages on which a company's people work. The inbox and
//! its tickets, all records, runs, workflows, routing, plugins and the host's
//! own affairs, in English and Chinese.
//!
//! Every page is made here, on the server, and is links and forms: it works
//! wholly without a script. What a page shows and a form does goes through
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
mod frame;
mod html;
mod inbox;
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
mod session;
mod shell;
mod simulator;
mod tasks;
mod texts;
mod ticket;
mod ticket_list;
mod visitor;
mod words;
mod workflow_editor;
mod workflows;

use axum::{
    Router, middleware,
    routing::{get, post},
};
use relata_app::App;

pub use crate::{frame::not_found, visitor::visitor};

/// All pages, with what is the same on each.
pub fn routes(app: App) -> Router {
    Router::new()
        .route("/", get(inbox::first))
        .route("/login", get(log_in::page).post(log_in::enter))
        .route("/logout", post(log_in::leave))
        .route("/look", post(look::change))
        .route("/presence", post(inbox::presence))
        .route("/inbox", get(inbox::page))
        .route("/tickets/{key}", get(ticket::page))
        .route("/tickets/{key}/reply", post(reply::reply))
        .route("/tickets/{key}/note", post(reply::note))
        .route("/tickets/{key}/status", post(reply::status))
        .route("/tickets/{key}/owner", post(reply::owner))
        .route("/password", get(password::page).post(password::change))
        .route("/tasks", get(tasks::page))
        .route("/approvals", get(approvals::page))
        .route("/approvals/{key}", post(approvals::answer))
        .route("/records", get(record_list::objects))
        .route("/records/{object}", get(record_list::page))
        .route("/records/{object}/{key}", get(record::page).post(record_form::change))
        .route("/records/{object}/{key}/edit", get(record_form::edit))
        .route("/records/{object}/{key}/move", post(record::advance))
        .route("/records/{object}/{key}/delete", post(record::delete))
        .route("/new/{object}", get(record_form::new).post(record_form::create))
        .route("/boards/{object}", get(board::page))
        .route("/runs", get(runs::page))
        .route("/runs/{id}", get(runs::show))
        .route("/runs/{id}/retry", post(runs::retry))
        .route("/runs/{id}/cancel", post(runs::cancel))
        .route("/workflows", get(workflows::page))
        .route("/workflows/{name}", get(workflows::show).post(workflows::act))
        .route("/workflows/{name}/difference", get(workflows::difference))
        .route("/workflows/{name}/check", post(workflow_editor::check))
        .route("/workflows/{name}/complete", post(workflow_editor::complete))
        .route("/workflows/{name}/hover", post(workflow_editor::hover))
        .route("/routing", get(routing::page))
        .route("/routing/simulator", get(simulator::page))
        .route("/plugins", get(plugins::page))
        .route("/admin", get(admin::page))
        .route("/admin/effects/{id}", post(admin::effect))
        .route("/admin/users", post(admin::create_user))
        .route("/assets/{file}", get(assets::file))
        .layer(middleware::from_fn(frame::around))
        .with_state(app)
}
