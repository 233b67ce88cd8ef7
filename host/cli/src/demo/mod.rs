//! `relata demo`: some weeks of a company in a fresh rehearsal, with a host
//! that is killed at its work, told from the database afterwards.

mod campaign;
mod data;
mod desk;
mod facts;
mod figures;
mod leads;
mod machine;
mod mailbox;
mod reading;
mod story;
mod support;
mod surveys;
mod tables;

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use relata_app::{
    App,
    model::{Fields, Value},
};
use serde_json::json;
use tokio::net::TcpListener;

use self::figures::Figures;
use crate::{commands::serve, failure::Wrong, out, progress};

/// Who looks at the company in the console.
const VISITOR: &str = "you@northwind.example";

/// What `relata demo` was asked for.
#[derive(Debug)]
pub(crate) struct DemoArgs {
    /// Print the figures as JSON.
    pub(crate) json: bool,
    /// Where the data is to lie: a new or empty directory. Without it the
    /// data lies in a new temporary directory, which stays for a look around;
    /// with `json` it is deleted at the end.
    pub(crate) keep: Option<PathBuf>,
    /// Where the company stays open in the console at the end.
    pub(crate) serve: Option<SocketAddr>,
}

/// Plays the demonstration and prints what happened. The exit code is 3 where
/// a promise was broken.
///
/// # Errors
///
/// Where the directory cannot be used, or the host fails.
pub(crate) async fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let (root, passing) = match &args.keep {
        Some(root) => (root.clone(), false),
        None => (new_temporary()?, args.json),
    };
    let told = play(args, &root).await;
    let opened = match (&told, args.serve) {
        (Ok(_), Some(listen)) => Box::pin(open(&root, listen, args.json)).await,
        _ => Ok(()),
    };
    if passing {
        fs::remove_dir_all(&root).with_context(|| format!("cannot delete {}", root.display()))?;
    }
    let kept = told?;
    opened?;
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

async fn play(args: &DemoArgs, root: &Path) -> anyhow::Result<bool> {
    let spinner = progress::spinner("the demonstration begins");
    let played = story::play(root, &spinner).await;
    spinner.finish_and_clear();
    let told = played?;
    let app = App::open(root).await?;
    let facts = reading::facts(&app).await?;
    app.close().await;
    let figures = Figures::of(&facts, &told);
    if args.json {
        out::json(&figures)?;
    } else {
        tables::print(&facts, &figures, &told)?;
        tables::next_steps(&facts, &out::path(root))?;
        let root = out::path(root);
        out::line(format!("\nThe data lies in {root}. Delete it when you are done."))?;
    }
    Ok(figures.promises().iter().all(|(_, kept)| *kept))
}

/// Leaves the company open in the console until the program is stopped, with
/// an administrator of whom the password is shown once.
async fn open(root: &Path, listen: SocketAddr, json: bool) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await.map_err(|why| {
        Wrong::new(format!("cannot listen on {listen}: {why}; choose another: --serve=127.0.0.1:0"))
    })?;
    let address = listener.local_addr()?;
    let app = App::open(root).await?;
    app.take_runner()?;
    let text = |text: &str| Value::Text(text.to_owned());
    let visitor = Fields::from([
        ("name".to_owned(), text("You")),
        ("email".to_owned(), text(VISITOR)),
        ("roles".to_owned(), Value::List(vec![text("administrator")])),
    ]);
    let visitor = app.create_record("user", visitor, "demo").await?;
    let password = app.draw_password()?;
    app.set_password(&visitor, password.clone(), false, "demo").await?;
    if json {
        out::json_line(&json!({
            "url": format!("http://{address}/"),
            "email": VISITOR,
            "password": password.expose(),
        }))?;
    } else {
        out::line(format!("\nThe company is open at http://{address}/ ; Ctrl-C closes it."))?;
        out::line(format!("Log in as {VISITOR} with {}, shown this once.", password.expose()))?;
        out::line("Its clock stands still; stop, and move it by `relata clock`.")?;
    }
    let served = Box::pin(relata_server::serve(app.clone(), listener, serve::stopped()?)).await;
    app.close().await;
    Ok(served?)
}

/// A new directory among the machine's temporary ones.
fn new_temporary() -> anyhow::Result<PathBuf> {
    let folder = std::env::temp_dir();
    for number in 0..1_000 {
        let root = folder.join(format!("relata-demo-{}-{number}", std::process::id()));
        match fs::create_dir(&root) {
            Ok(()) => return Ok(root),
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
            Err(why) => {
                return Err(why).with_context(|| format!("cannot create {}", root.display()));
            }
        }
    }
    anyhow::bail!("cannot find a free name in {}; use --keep DIR", folder.display())
}
