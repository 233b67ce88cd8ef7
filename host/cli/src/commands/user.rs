//! `relata user`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use relata_app::{
    App, Secret, UserView,
    model::{Act, Area, Doing, Fields, Record, Value, access::standard_roles},
};
use serde_json::json;

use crate::{
    commands::secret,
    context::Context,
    failure::Wrong,
    out::{self, Column},
    time,
};

const ACTOR: &str = "cli";

/// Let people in: users, their roles, passwords and one-time codes.
///
/// A user is a record like others; what they may do is what their roles give,
/// and nothing without one. A password that somebody else gives must be changed
/// at the first log-in. docs/users-and-roles.md tells all of it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata user create ada@example.com --name \"Ada King\" --role administrator
  relata user list
  relata user may ada@example.com           what their roles give
  relata user password ada@example.com      a new one, shown once
  relata user codes ada@example.com --off   where the telephone is lost
  relata user log-out ada@example.com       ends every session")]
pub(crate) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Add somebody who works here, and show their first password
    Create {
        /// The mail address, by which they log in
        email: String,
        /// What people call them
        #[arg(long)]
        name: String,
        /// What they may do; several times for more
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// The team: its external id or id
        #[arg(long)]
        team: Option<String>,
    },
    /// Everybody who works here, and how they log in
    List,
    /// What somebody may do
    May {
        /// The mail address
        email: String,
    },
    /// Give somebody a password: one that is drawn, or from stdin
    Password {
        /// The mail address
        email: String,
        /// Read it from stdin instead of drawing one
        #[arg(long)]
        stdin: bool,
    },
    /// Ask somebody for one-time codes, or no more
    Codes {
        /// The mail address
        email: String,
        /// Ask for none
        #[arg(long)]
        off: bool,
    },
    /// End every session of somebody
    LogOut {
        /// The mail address
        email: String,
    },
}

pub(crate) async fn run(context: &Context, args: UserArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let done = match args.command {
        UserCommand::Create { email, name, roles, team } => {
            Box::pin(create(context, &app, &email, name, roles, team)).await
        }
        UserCommand::List => list(context, &app).await,
        UserCommand::May { email } => may(context, &app, &email).await,
        UserCommand::Password { email, stdin } => password(context, &app, &email, stdin).await,
        UserCommand::Codes { email, off } => codes(context, &app, &email, off).await,
        UserCommand::LogOut { email } => log_out(context, &app, &email).await,
    };
    app.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn create(
    context: &Context,
    app: &App,
    email: &str,
    name: String,
    roles: Vec<String>,
    team: Option<String>,
) -> anyhow::Result<()> {
    for role in &roles {
        app.known_role(role).await?;
    }
    let roles = roles.into_iter().map(Value::Text).collect();
    let mut fields = Fields::from([
        ("name".to_owned(), Value::Text(name)),
        ("email".to_owned(), Value::Text(email.to_owned())),
        ("roles".to_owned(), Value::List(roles)),
    ]);
    if let Some(team) = team {
        let kind = &app.object("user")?.fields["team"].kind;
        let team =
            kind.parse(&team, &app.zone()).map_err(|why| Wrong::new(format!("--team {why}")))?;
        fields.insert("team".to_owned(), team);
    }
    let password = app.draw_password()?;
    let user = app.create_record("user", fields, ACTOR).await?;
    app.set_password(&user, password.clone(), true, ACTOR).await?;
    shown(context, &user, &password)
}

/// The password on stdout, what it is on stderr.
fn shown(context: &Context, user: &Record, password: &Secret) -> anyhow::Result<()> {
    if context.json {
        return out::json(&json!({
            "user": user.reference.to_string(),
            "email": user.field("email").to_json(),
            "password": password.expose(),
        }));
    }
    out::line(password.expose())?;
    out::note(&format!(
        "{} logs in with this password, shown this once, and is then asked for one of their own",
        user.field("email")
    ));
    Ok(())
}

/// Somebody by their address.
pub(crate) async fn the_user(app: &App, email: &str) -> anyhow::Result<Record> {
    let found = app.user_by_email(email).await?;
    Ok(found.ok_or_else(|| {
        Wrong::new(format!("nobody has the address {email}; `relata user list` shows all"))
    })?)
}

async fn list(context: &Context, app: &App) -> anyhow::Result<()> {
    let users = app.users().await?;
    if context.json {
        return out::json(&users);
    }
    if users.is_empty() {
        return out::line("there is no user; `relata user create` adds one");
    }
    let zone = app.zone();
    let columns = [
        Column::text("Name"),
        Column::text("Address"),
        Column::text("Roles"),
        Column::whole("Logs in"),
        Column::whole("Last time"),
    ];
    let row = |user: UserView| {
        let logs_in = match (user.active, user.can_log_in, user.codes) {
            (false, ..) => "left",
            (true, false, _) => "no",
            (true, true, false) => "password",
            (true, true, true) => "password, code",
        };
        let at = user.logged_in_at.map_or_else(String::new, |at| time::short_text(&at, &zone));
        vec![user.name, user.email, user.roles.join(", "), logs_in.to_owned(), at]
    };
    out::table(&columns, users.into_iter().map(row).collect())
}

async fn may(context: &Context, app: &App, email: &str) -> anyhow::Result<()> {
    let user = the_user(app, email).await?;
    let viewer = app.viewer_of_user(&user.reference).await?;
    let viewer =
        viewer.ok_or_else(|| Wrong::new(format!("{email} does not work here any more")))?;
    let mut records = Vec::new();
    for object in app.objects().names() {
        let acts = Act::ALL.into_iter().filter_map(|act| {
            let reach = viewer.reach_word(object, act)?;
            Some(if reach.is_empty() { act.to_string() } else { format!("{act} {reach}") })
        });
        let acts: Vec<String> = acts.collect();
        if !acts.is_empty() {
            records.push((object.to_owned(), acts.join(", ")));
        }
    }
    let areas = Area::ALL.into_iter().filter_map(|area| {
        let doing =
            [Doing::Change, Doing::See].into_iter().find(|doing| viewer.may(area, *doing))?;
        Some((area.to_string(), doing.as_str().to_owned()))
    });
    let all: Vec<(String, String)> = records.into_iter().chain(areas).collect();
    if context.json {
        let map: serde_json::Map<_, _> =
            all.into_iter().map(|(of, may)| (of, json!(may))).collect();
        return out::json(&map);
    }
    if all.is_empty() {
        let roles: Vec<&str> = standard_roles().keys().map(String::as_str).collect();
        return out::line(format!(
            "{email} may do nothing: no role of theirs gives anything; there are {}",
            roles.join(", ")
        ));
    }
    let rows = all.into_iter().map(|(of, may)| vec![of, may]).collect();
    out::table(&[Column::whole("With"), Column::text("May")], rows)
}

async fn password(context: &Context, app: &App, email: &str, stdin: bool) -> anyhow::Result<()> {
    let user = the_user(app, email).await?;
    if !stdin {
        let drawn = app.draw_password()?;
        app.set_password(&user, drawn.clone(), true, ACTOR).await?;
        return shown(context, &user, &drawn);
    }
    app.set_password(&user, secret::read("the password")?, true, ACTOR).await?;
    if context.json {
        return out::json(&json!({ "user": user.reference.to_string(), "set": true }));
    }
    out::line(format!("the password of {email} is set; at the next log-in it must be changed"))
}

async fn codes(context: &Context, app: &App, email: &str, off: bool) -> anyhow::Result<()> {
    let user = the_user(app, email).await?;
    if off {
        app.drop_codes(&user, ACTOR).await?;
        if context.json {
            return out::json(&json!({ "user": user.reference.to_string(), "codes": false }));
        }
        return out::line(format!("{email} is asked for no code any more"));
    }
    let new = app.draw_codes(&user)?;
    out::note(&format!(
        "set up an authenticator with this key, or with the address\n  {}\n  {}",
        new.key.expose(),
        new.address.expose()
    ));
    let code = secret::read("a code that it shows")?;
    app.use_codes(&user, new.key, code.expose(), ACTOR).await?;
    if context.json {
        return out::json(&json!({ "user": user.reference.to_string(), "codes": true }));
    }
    out::line(format!("from now on {email} is asked for a code"))
}

async fn log_out(context: &Context, app: &App, email: &str) -> anyhow::Result<()> {
    let user = the_user(app, email).await?;
    let ended = app.log_out_all(&user, ACTOR).await?;
    if context.json {
        return out::json(&json!({ "user": user.reference.to_string(), "ended": ended }));
    }
    let ended = out::count(usize::try_from(ended).unwrap_or(usize::MAX), "session");
    out::line(format!("{ended} of {email} ended"))
}
