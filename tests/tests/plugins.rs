//! Plugins as an operator has them: another version while the host works, one
//! that does not work, and files that somebody changed.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::{fs, path::Path, time::Duration};

use expect_test::expect;
use relata_app::{
    App, Clock, Packages, RunView, Running,
    model::{Fields, Timestamp, Value},
    package::{Digest, grants_of},
    sandbox::Compiler,
    store::RunFilter,
};
use relata_tests::{echo, install, offer, offered};
use tempfile::TempDir;
use tokio::sync::oneshot;

const WORKFLOW: &str = "
workflow: repeat
owner: tests
when:
  - created: lead
steps:
  - do: echo.echo
    value: { name: =lead.name, again: =lead.name }
";

/// The echo; `more` is added to its plugin.toml.
fn manifest(version: &str, more: &str) -> String {
    format!(
        "name = \"echo\"\nversion = \"{version}\"\ntitle = \"Give back the input\"\ncontract = \"0.1.0\"\n{more}\n"
    )
}

/// With it, its calls fail for names as long as those of [`lead`], as its answer
/// is longer than it may be.
const TOO_LITTLE: &str = "[limits]\noutput_kib = 1";

struct Company {
    app: App,
    folder: TempDir,
}

impl Company {
    /// A rehearsal with the echo and a workflow that calls it.
    async fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start: Timestamp = "2026-12-14T08:00:00Z".parse().unwrap();
        let root = folder.path().join("company");
        App::create(&root, Some(start)).await.unwrap().close().await;
        let file = root.join("relata.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{text}\n{config}\n")).unwrap();
        let app = App::open(&root).await.unwrap();
        install(&app, &manifest("0.1.0", ""), echo()).await;
        app.activate("repeat.yaml", WORKFLOW, "test", Running::Finish)
            .await
            .unwrap_or_else(|why| panic!("{why}"));
        Self { app, folder }
    }

    fn root(&self) -> std::path::PathBuf {
        self.folder.path().join("company")
    }

    /// The same directory, opened anew.
    async fn again(self) -> Self {
        self.app.close().await;
        let app = App::open(&self.folder.path().join("company")).await.unwrap();
        Self { app, folder: self.folder }
    }

    /// What became of one more lead: the status of its run, and why.
    async fn lead(&self) -> (String, String) {
        lead(&self.app).await;
        self.app.settle_all().await.unwrap();
        self.newest().await
    }

    async fn newest(&self) -> (String, String) {
        let newest = newest(&self.app).await.unwrap();
        (newest.status.to_owned(), newest.why.unwrap_or_default())
    }

    /// What the last step of the newest run has met.
    async fn met(&self) -> String {
        let run = newest(&self.app).await.unwrap().run.parse().unwrap();
        let history = self.app.run_history(run).await.unwrap();
        history.steps.iter().rev().find_map(|step| step.error.clone()).unwrap_or_default()
    }

    async fn version(&self) -> String {
        version(&self.app).await
    }

    /// The words of doctor's findings that are about plugins.
    async fn doctor(&self) -> Vec<String> {
        let found = self.app.doctor(false).await.unwrap();
        let mut codes: Vec<String> = found.iter().map(|finding| finding.code.to_owned()).collect();
        codes.retain(|code| code.contains("plugin") || code.contains("lock"));
        codes
    }
}

async fn lead(app: &App) {
    lead_called(app, &"Anna ".repeat(150)).await;
}

async fn lead_called(app: &App, name: &str) {
    let fields: Fields = [("name", name), ("email", "anna@example.com")]
        .map(|(name, text)| (name.to_owned(), Value::Text(text.to_owned())))
        .into();
    app.create_record("lead", fields, "test").await.unwrap();
}

async fn newest(app: &App) -> Option<RunView> {
    let filter = RunFilter { newest_first: true, ..RunFilter::default() };
    app.runs(filter, 1).await.unwrap().pop()
}

async fn version(app: &App) -> String {
    let plugins = app.plugins().await.unwrap();
    let found = plugins.iter().find(|plugin| plugin.name() == "echo");
    found.map_or_else(String::new, |plugin| plugin.version().to_owned())
}

#[tokio::test]
async fn a_new_version_is_taken_over_and_what_began_on_the_old_one_keeps_it() {
    let company = Company::new("").await;
    assert_eq!(company.lead().await.0, "done");
    let before = company.app.plugins().await.unwrap();
    // It may do no more than before: nobody has to agree.
    let next = offered(&manifest("0.2.0", ""), echo()).await;
    let consent = company.app.plugin_consent(&next, None).unwrap();
    assert!(!consent.is_needed());
    company.app.install_plugin(next, &consent, None).unwrap();
    // What was seen then is not what is there now.
    let late = offered(&manifest("0.3.0", ""), echo()).await;
    let stale = company.app.plugin_consent(&late, None).unwrap();
    install(&company.app, &manifest("0.2.0", "[limits]\ncpu_ms = 150"), echo()).await;
    let refused = company.app.install_plugin(late, &stale, None).unwrap_err().to_string();
    assert!(refused.contains("meanwhile"), "{refused}");
    assert_eq!(company.version().await, "0.1.0", "before it was looked at");
    company.app.tend_plugins().await.unwrap();
    assert_eq!(company.version().await, "0.2.0");
    assert_eq!(before.iter().find(|plugin| plugin.name() == "echo").unwrap().version(), "0.1.0");
    assert_eq!(company.lead().await.0, "done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_serves_takes_it_over_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("company");
    let app = App::create(&root, None).await.unwrap();
    install(&app, &manifest("0.1.0", TOO_LITTLE), echo()).await;
    app.activate("repeat.yaml", WORKFLOW, "test", Running::Finish).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = app.clone();
    let serving = tokio::spawn(async move {
        Box::pin(served.serve(async {
            let _ = stopped.await;
        }))
        .await
    });
    let ended = async |status: &str| {
        let end = Clock::Real.now().checked_add(Duration::from_secs(60)).unwrap();
        while Clock::Real.now() < end {
            if newest(&app).await.is_some_and(|run| run.status == status) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    };
    lead(&app).await;
    assert!(ended("failed").await);
    // Another program installs it.
    let other = App::open(&root).await.unwrap();
    install(&other, &manifest("0.2.0", ""), echo()).await;
    other.close().await;
    let end = Clock::Real.now().checked_add(Duration::from_secs(60)).unwrap();
    while version(&app).await != "0.2.0" && Clock::Real.now() < end {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    lead(&app).await;
    assert!(ended("done").await);
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    app.close().await;
}

#[tokio::test]
async fn a_version_whose_first_calls_fail_goes_back() {
    let company = Company::new("[plugins]\nroll_back_after = 3").await;
    let lock = company.root().join("relata.lock");
    let agreed = fs::read_to_string(&lock).unwrap();
    install(&company.app, &manifest("0.2.0", TOO_LITTLE), echo()).await;
    company.app.tend_plugins().await.unwrap();
    for _ in 0..2 {
        let (status, why) = company.lead().await;
        assert_eq!(status, "failed");
        assert!(why.contains("limits.output_kib"), "{why}");
        company.app.tend_plugins().await.unwrap();
        assert_eq!(company.version().await, "0.2.0", "two failures are not three");
    }
    company.lead().await;
    company.app.tend_plugins().await.unwrap();
    assert_eq!(company.version().await, "0.1.0");
    assert_eq!(company.lead().await, ("done".to_owned(), String::new()));
    assert_eq!(fs::read_to_string(&lock).unwrap(), agreed);

    // It is told until another is installed, also after a restart.
    let company = company.again().await;
    assert_eq!(company.version().await, "0.1.0");
    assert_eq!(company.doctor().await, ["rolled-back-plugin"]);
    let row = company.app.installed_plugins().unwrap().remove(0);
    let note = row.rolled_back.unwrap();
    expect!["0.2.0 at 2026-12-14T08:00:00Z: its first 3 calls failed, the last one so: plugin `echo`, action `echo`: answered more than the limit of 1 KiB (limits.output_kib in its plugin.toml)"]
        .assert_eq(&format!("{} at {}: {}", note.version, note.at, note.why));
    install(&company.app, &manifest("0.3.0", ""), echo()).await;
    assert_eq!(company.app.installed_plugins().unwrap().remove(0).rolled_back, None);
    company.app.tend_plugins().await.unwrap();
    assert_eq!((company.doctor().await, company.lead().await.0), (vec![], "done".to_owned()));
}

#[tokio::test]
async fn a_version_that_has_answered_stays() {
    let company = Company::new("[plugins]\nroll_back_after = 1").await;
    install(&company.app, &manifest("0.2.0", TOO_LITTLE), echo()).await;
    company.app.tend_plugins().await.unwrap();
    lead_called(&company.app, "Bo").await;
    company.app.settle_all().await.unwrap();
    assert_eq!(company.newest().await.0, "done");
    company.app.tend_plugins().await.unwrap();
    // Also after a restart: its files say that it has answered.
    let company = company.again().await;
    assert_eq!(company.lead().await.0, "failed");
    company.app.tend_plugins().await.unwrap();
    assert_eq!(company.version().await, "0.2.0");
    assert_eq!(company.doctor().await, [""; 0]);
}

#[tokio::test]
async fn files_that_were_changed_are_not_run_and_everything_else_is() {
    let company = Company::new("").await;
    let component = company.root().join("plugins/echo/component.wasm");
    let good = fs::read(&component).unwrap();
    fs::write(&component, [&good[..], b"\0"].concat()).unwrap();
    let company = company.again().await;
    // Somebody can mend that: the run waits to try it again.
    assert_eq!(company.lead().await.0, "active");
    expect!["the plugin of `echo.echo` is not run: relata.lock has the component sha256:… for `echo`, the files have sha256:…: somebody changed the files or the lock. Put back what belongs together, or run `relata plugin install FILE`, which shows the new one and asks"].assert_eq(&plain(&company.met().await));
    assert_eq!(company.doctor().await, ["refused-plugin"]);
    let text = serde_json::json!({ "text": "Great!" });
    assert!(company.app.try_action("sentiment.score", &text).await.is_ok());
    // As soon as it is what it was, it is run again.
    fs::write(&component, good).unwrap();
    company.app.tend_plugins().await.unwrap();
    let later = company.app.now().checked_add(Duration::from_secs(3_600)).unwrap();
    company.app.advance_to(later, |_| ()).await.unwrap();
    assert_eq!(company.newest().await.0, "done");

    fs::write(company.root().join("relata.lock"), "version = 1\n<<<<<<< HEAD\n").unwrap();
    assert!(company.app.tend_plugins().await.is_err());
    assert_eq!(company.lead().await.0, "done", "a host goes on with what it has");
    let company = company.again().await;
    assert_eq!(company.doctor().await, ["broken-lock"]);
    assert_eq!(company.lead().await.0, "active");
    let met = company.met().await;
    assert!(met.contains("holds the marks of a merge"), "{met}");
}

#[tokio::test]
async fn what_nobody_agreed_to_is_not_run() {
    let company = Company::new("").await;
    let folder = company.root().join("plugins/parrot");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("plugin.toml"), manifest("0.1.0", "").replace("echo", "parrot")).unwrap();
    fs::write(folder.join("component.wasm"), echo()).unwrap();
    let company = company.again().await;
    let refused: Vec<String> =
        company.app.plugins().await.unwrap().refused().map(|(_, why)| why.to_owned()).collect();
    let root = company.root().display().to_string();
    expect!["nobody agreed to DIR/plugins/parrot; `relata plugin install DIR/plugins/parrot` shows what it asks for"].assert_eq(&refused.join("\n").replace(&root, "DIR"));
    // What the sentence says to do.
    let packages = Packages::new(None, Compiler::InProcess, None, None).unwrap();
    let offered = packages.open(folder.to_str().unwrap()).await.unwrap();
    let consent = company.app.plugin_consent(&offered, None).unwrap();
    let digest = consent.digest;
    company.app.install_plugin(offered, &consent, Some(digest)).unwrap();
    company.app.tend_plugins().await.unwrap();
    let parrot = company.app.try_action("parrot.echo", &serde_json::json!({"value": {}})).await;
    assert!(parrot.is_ok());
}

#[tokio::test]
async fn agreeing_is_to_one_package_and_no_other() {
    let company = Company::new("").await;
    let asks = manifest("0.2.0", "[permissions]\nmessages = [\"mail\"]\nstate = true");
    let offer_it = async || offered(&asks, echo()).await;
    let consent = company.app.plugin_consent(&offer_it().await, None).unwrap();
    assert!(consent.is_needed());
    let install = async |agreed| company.app.install_plugin(offer_it().await, &consent, agreed);
    let nobody = install(None).await.unwrap_err().to_string();
    let another = install(Some(Digest::of(b"another"))).await.unwrap_err().to_string();
    expect![[r#"
        nobody agreed to `echo`; read it with `relata plugin inspect …`, then install it with `--yes --consent sha256:…`
        what was agreed to is not this package, whose digest is sha256:…; read it again with `relata plugin inspect …`"#]].assert_eq(&plain(&format!("{nobody}\n{another}")));
    assert_eq!(company.app.installed_plugins().unwrap()[0].version.as_deref(), Some("0.1.0"));
    install(Some(consent.digest)).await.unwrap();

    // An operator may leave it less than it asks for.
    let may = grants_of("keep values").unwrap().into_iter().collect();
    let consent = company.app.plugin_consent(&offer_it().await, Some(&may)).unwrap();
    assert!(!consent.is_needed(), "less than before");
    company.app.install_plugin(offer_it().await, &consent, None).unwrap();
    company.app.tend_plugins().await.unwrap();
    let plugins = company.app.plugins().await.unwrap();
    let (plugin, _) = plugins.action("echo.echo").unwrap();
    assert_eq!(plugin.permissions().grants(), may.grants());
    // And what it leaves again is more, which somebody has to agree to.
    assert!(company.app.plugin_consent(&offer_it().await, None).unwrap().is_needed());
}

#[tokio::test]
async fn whose_plugins_are_run() {
    let key = relata_app::new_signing_key().unwrap();
    let signed = async |version: &str| {
        let mut signed = offered(&manifest(version, ""), echo()).await;
        signed.package.sign(&key);
        signed
    };
    let config = format!(
        "[plugins]\nrequire_signature = true\n[plugins.trusted]\nacme = \"{}\"",
        key.public()
    );
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("company");
    App::create(&root, None).await.unwrap().close().await;
    let file = root.join("relata.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\n{config}\n")).unwrap();
    let app = App::open(&root).await.unwrap();
    let unsigned = offered(&manifest("0.1.0", ""), echo()).await;
    let refused = app.plugin_consent(&unsigned, None).unwrap_err().to_string();
    assert!(refused.contains("nobody signed `echo`"), "{refused}");
    offer(&app, signed("0.1.0").await);
    assert_eq!(version(&app).await, "0.1.0");
    assert_eq!(app.installed_plugins().unwrap()[0].signer.as_deref(), Some("acme"));
    app.close().await;

    // Whom one trusts no longer is not run any more.
    let other = relata_app::new_signing_key().unwrap().public().to_string();
    let config = config.replace(&key.public().to_string(), &other);
    fs::write(&file, format!("{text}\n{config}\n")).unwrap();
    let app = App::open(&root).await.unwrap();
    assert_eq!(version(&app).await, "");
    let refused = app.installed_plugins().unwrap().remove(0).refused.unwrap();
    assert!(refused.contains("whom relata.toml does not trust"), "{refused}");
    app.close().await;
}

#[tokio::test]
async fn a_plugin_in_use_is_not_removed() {
    let company = Company::new("").await;
    let refused = company.app.remove_plugin("echo").await.unwrap_err().to_string();
    expect!["the active workflow repeat uses `echo`; deactivate or change what uses it first (`relata deactivate NAME`)"].assert_eq(&refused);
    for (name, said) in [
        ("crm", "built-in"),
        ("../workflows", "cannot be the name of a plugin"),
        ("parrot", "no plugin `parrot` is installed"),
    ] {
        let refused = company.app.remove_plugin(name).await.unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
    company.app.deactivate("repeat").await.unwrap();
    company.app.remove_plugin("echo").await.unwrap();
    assert!(!company.root().join("plugins/echo").exists());
    company.app.tend_plugins().await.unwrap();
    assert_eq!((company.version().await, company.doctor().await), (String::new(), vec![]));
    assert!(Path::new(&company.root()).join("relata.lock").exists());
}

/// A text with its digests and temporary folders cut out.
fn plain(text: &str) -> String {
    let words = text.split_inclusive([' ', '\n', ';', ':', ',', '`']).map(|word| {
        let end = word.len() - word.chars().last().map_or(0, char::len_utf8);
        let (body, end) = match word.ends_with([' ', '\n', ';', ':', ',', '`']) {
            true => word.split_at(end),
            false => (word, ""),
        };
        let is_digest = body.len() == 64 && body.bytes().all(|c| c.is_ascii_hexdigit());
        let body = if is_digest || body.starts_with('/') { "…" } else { body };
        format!("{body}{end}")
    });
    words.collect()
}
