//! `relata token`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use relata_app::{App, NewToken, Scope, TokenView, model::TimeZone};
use serde_json::json;

use crate::{
    commands::user::the_user,
    context::Context,
    out::{self, Column},
    time,
};

/// Make and revoke the tokens with which other programs use the API.
///
/// A token may do what its scopes say: events:write (send events),
/// records:read and records:write (see and change records), runs:read and
/// runs:write (see, end and retry runs, and what goes out), workflows:read
/// and workflows:write (see and activate workflows), plugins:read,
/// routing:read (try who would get a ticket), metrics:read, audit:read,
/// access:write (decide what others may do). A token of a user can do no more
/// than their roles give. Its secret is shown once, when it is made; kept is
/// only its hash. docs/api.md shows how to use one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata token create web-shop --scope events:write --scope runs:read
  relata token create forms --scope records:write --object lead --expires 2027-06-30
  relata token create mobile --scope records:read --user ada@example.com
  relata token list
  relata token revoke web-shop              hosts that run notice within seconds")]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make a token, and show its secret
    Create {
        /// Such as web-shop: lower-case letters, digits and `-`
        name: String,
        /// What it may do; several times for more
        #[arg(long = "scope", value_name = "SCOPE", required = true)]
        scopes: Vec<Scope>,
        /// Only for records of this object; several times for more
        #[arg(long = "object", value_name = "OBJECT")]
        objects: Vec<String>,
        /// The user whose it is, by address: it can do no more than they may
        #[arg(long = "user", value_name = "EMAIL")]
        user: Option<String>,
        /// From when it is no longer good, such as 2027-06-30
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    /// All tokens, without their secrets
    List,
    /// Take a token back
    Revoke {
        /// Its name
        name: String,
    },
}

pub(crate) async fn run(context: &Context, args: TokenArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let done = match args.command {
        TokenCommand::Create { name, scopes, objects, user, expires } => {
            create(context, &app, name, scopes, objects, user, expires).await
        }
        TokenCommand::List => list(context, &app).await,
        TokenCommand::Revoke { name } => revoke(context, &app, &name).await,
    };
    app.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn create(
    context: &Context,
    app: &App,
    name: String,
    scopes: Vec<Scope>,
    objects: Vec<String>,
    user: Option<String>,
    expires: Option<String>,
) -> anyhow::Result<()> {
    let expires_at = expires.map(|at| time::read(&at, &app.zone())).transpose()?;
    let user = match user {
        Some(email) => Some(the_user(app, &email).await?.reference),
        None => None,
    };
    let new = NewToken { name, scopes, objects, user, expires_at };
    let (view, secret) = app.create_token(new).await?;
    if context.json {
        let mut document = serde_json::to_value(&view)?;
        document["secret"] = json!(secret.expose());
        return out::json(&document);
    }
    out::line(secret.expose())?;
    out::note(&format!(
        "the token {} may do {}; its secret is shown this once",
        view.token,
        view.scopes.join(", ")
    ));
    Ok(())
}

async fn list(context: &Context, app: &App) -> anyhow::Result<()> {
    let tokens = app.tokens().await?;
    if context.json {
        return out::json(&tokens);
    }
    if tokens.is_empty() {
        return out::line("there is no token; `relata token create NAME --scope …` makes one");
    }
    let zone = app.zone();
    let columns = [
        Column::whole("Token"),
        Column::whole("Status"),
        Column::text("May"),
        Column::text("For"),
        Column::whole("Expires"),
        Column::whole("Last used"),
    ];
    out::table(&columns, tokens.into_iter().map(|token| row(token, &zone)).collect())
}

fn row(token: TokenView, zone: &TimeZone) -> Vec<String> {
    let at = |at: Option<String>| at.map_or_else(String::new, |at| time::short_text(&at, zone));
    vec![
        token.token,
        token.status.to_owned(),
        token.scopes.join(", "),
        token.objects.map_or_else(|| "all".to_owned(), |objects| objects.join(", ")),
        at(token.expires_at),
        at(token.last_used_at),
    ]
}

async fn revoke(context: &Context, app: &App, name: &str) -> anyhow::Result<()> {
    app.revoke_token(name).await?;
    if context.json {
        return out::json(&json!({ "token": name, "revoked": true }));
    }
    out::line(format!("the token {name} was revoked"))
}
