//! `relata plugin`: packages, what somebody agrees to, and what is run.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use expect_test::{Expect, expect};

use crate::program::{Ended, Program, without_ids};

/// A workflow that uses the plugin.
const WORKFLOW: &str = "workflow: moods\nowner: tests\nwhen:\n  - created: lead\nsteps:\n  - do: mood.score\n    text: =lead.name\n";

/// An author's folder with a plugin that has been built: the sentiment that is
/// built in, under another name.
fn author(program: &Program, version: &str, permissions: &str) {
    let sentiment =
        relata_app::bundled::plugins().iter().find(|found| found.name == "sentiment").unwrap();
    program.write(
        "mood/plugin.toml",
        &format!(
            "name = \"mood\"\nversion = \"{version}\"\ntitle = \"How a text sounds\"\ncontract = \"0.1.0\"\n\n[permissions]\n{permissions}\n"
        ),
    );
    let build = program.path("mood/build");
    fs::create_dir_all(&build).unwrap();
    fs::write(build.join("mood.wasm"), sentiment.component).unwrap();
}

/// What a command says: its output, and its errors behind it. Digests are cut
/// out, and how large the component is: they are the compiler's.
fn told(ended: &Ended) -> String {
    let text = without_ids(&format!("{}{}", ended.stdout, ended.stderr));
    let mut told = String::new();
    for line in text.lines() {
        let mut words: Vec<&str> = line.split(' ').collect();
        for at in 1..words.len() {
            if words[at].starts_with("KiB") {
                words[at - 1] = "…";
            }
            if words[at].strip_prefix("sha256:").is_some_and(|digits| digits.len() == 12) {
                words[at] = "sha256:…";
            }
        }
        told += &words.join(" ");
        told.push('\n');
    }
    told
}

fn check(program: &Program, line: &str, code: i32, expected: Expect) {
    let ended = program.run(line);
    assert_eq!(ended.code, code, "{line}\n{}\n{}", ended.stdout, ended.stderr);
    expected.assert_eq(&told(&ended));
}

fn digest(program: &Program, source: &str) -> String {
    program.json(&format!("plugin inspect {source}"))["digest"].as_str().unwrap().to_owned()
}

#[test]
fn from_an_authors_folder_to_a_plugin_that_runs() {
    let program = Program::rehearsal();
    author(&program, "0.1.0", "");
    check(
        &program,
        "plugin pack mood",
        0,
        expect![[r#"
        mood-0.1.0.relata: … KiB, sha256:…
        nobody has signed it: `relata plugin sign mood-0.1.0.relata --key FILE`
    "#]],
    );
    check(
        &program,
        "plugin inspect mood-0.1.0.relata",
        0,
        expect![[r#"
        mood 0.1.0: How a text sounds
          digest     sha256:…
          signed by  nobody
          contract   0.1.0
        Its actions:
          mood.score  Score the mood of a text
        It asks for nothing: it only computes.
        Its component imports log.
        Its component has … KiB, sha256:…; its plugin.toml is sha256:….
    "#]],
    );
    check(
        &program,
        "plugin list",
        0,
        expect![[r#"
        no plugin is installed; `relata plugin install FILE` installs one
    "#]],
    );
    // Nobody is there to be asked.
    check(
        &program,
        "plugin install mood-0.1.0.relata",
        1,
        expect![[r#"
        mood 0.1.0: How a text sounds
          digest     sha256:…
          signed by  nobody
          contract   0.1.0
        Its actions:
          mood.score  Score the mood of a text
        It asks for nothing: it only computes.
        Its component imports log.
        error: nobody agreed to `mood`, and it was not installed; where nobody can be asked, read it with `relata plugin inspect mood-0.1.0.relata`, then add `--yes --consent sha256:…`
    "#]],
    );
    let digest = digest(&program, "mood-0.1.0.relata");
    let mut other = digest.clone();
    other.replace_range(7..8, if &digest[7..8] == "0" { "1" } else { "0" });
    let line = format!("plugin install mood-0.1.0.relata --yes --consent {other}");
    check(
        &program,
        &line,
        1,
        expect![[r#"
        mood 0.1.0: How a text sounds
          digest     sha256:…
          signed by  nobody
          contract   0.1.0
        Its actions:
          mood.score  Score the mood of a text
        It asks for nothing: it only computes.
        Its component imports log.
        error: what was agreed to is not this package, whose digest is sha256:…; read it again with `relata plugin inspect mood-0.1.0.relata`
    "#]],
    );
    let line = format!("plugin install mood-0.1.0.relata --yes --consent {digest}");
    assert!(program.ok(&line).ends_with("mood 0.1.0 is installed\n"));
    check(
        &program,
        "plugin list",
        0,
        expect![[r#"
        Plugin  Version  Signed by  Permissions  Digest               State
        ────────────────────────────────────────────────────────────────────
        mood    0.1.0    nobody               0  sha256:…  good
    "#]],
    );
    let run = program.ok("action run mood.score --input '{\"text\": \"Wonderful!\"}'");
    assert!(run.starts_with("done: "), "{run}");
    let actions = program.json("action list");
    assert!(actions.as_array().unwrap().iter().any(|row| row["action"] == "mood.score"));

    program.write("moods.yaml", WORKFLOW);
    program.ok("activate moods.yaml");
    check(
        &program,
        "plugin remove mood",
        1,
        expect![[r#"
        error: the active workflow moods uses `mood`; deactivate or change what uses it first (`relata deactivate NAME`)
    "#]],
    );
    program.ok("deactivate moods");
    check(
        &program,
        "plugin remove mood",
        0,
        expect![[r#"
        mood was removed
    "#]],
    );
    check(
        &program,
        "plugin remove mood",
        1,
        expect![[r#"
        error: no plugin `mood` is installed; `relata plugin list` lists them
    "#]],
    );
}

#[test]
fn an_upgrade_asks_only_for_what_is_new() {
    let program = Program::company();
    author(&program, "0.1.0", "");
    let digest_of = digest(&program, "mood");
    program.ok(&format!("plugin install mood --yes --consent {digest_of}"));
    // The same again, in a later version.
    author(&program, "0.2.0", "");
    assert!(program.ok("plugin install mood").ends_with("mood 0.2.0 is installed\n"));
    author(
        &program,
        "0.3.0",
        "messages = [\"mail\"]\n[permissions.records.lead]\nread = [\"email\", \"name\"]",
    );
    check(
        &program,
        "plugin install mood",
        1,
        expect![[r#"
        mood 0.3.0: How a text sounds
          digest     sha256:…
          signed by  nobody
          contract   0.1.0
        Its actions:
          mood.score  Score the mood of a text
        It may:
          read `email` and `name` of `lead`
          send mail
        Its component imports log.
        It asks for what it does not import: messages and records.
        It takes the place of mood 0.2.0.
        From now on it may also:
          read `email` and `name` of `lead`
          send mail
        error: nobody agreed to `mood`, and it was not installed; where nobody can be asked, read it with `relata plugin inspect mood`, then add `--yes --consent sha256:…`
    "#]],
    );
    let consent = &program.json("plugin inspect mood")["consent"];
    expect![[r#"
        {
          "before": {
            "digest": "sha256:…",
            "less": [],
            "more": [
              "read the field `email` of `lead`",
              "read the field `name` of `lead`",
              "send mail"
            ],
            "signer": null,
            "version": "0.2.0"
          },
          "may": [
            "read the field `email` of `lead`",
            "read the field `name` of `lead`",
            "send mail"
          ],
          "needed": true,
          "not_imported": [
            "messages",
            "records"
          ],
          "signer": null,
          "signer_name": null
        }"#]]
    .assert_eq(&without_ids(&format!("{consent:#}")));
    // Less of it than it asks for, and no more than before is nothing new.
    let digest_of = digest(&program, "mood");
    program.ok(&format!("plugin install mood --may 'read lead.name' --yes --consent {digest_of}"));
    let lock = fs::read_to_string(program.path("relata.lock")).unwrap();
    let granted = lock.split_once(".granted").unwrap().1;
    assert_eq!(granted, ".records.lead]\nread = [\"name\"]\n", "{lock}");
    check(
        &program,
        "plugin install mood --may 'reed lead'",
        1,
        expect![[r#"
        error: --may: `reed lead` does not say what a plugin may do; it should be one of: read OBJECT.FIELD, update OBJECT.FIELD, create OBJECT, delete OBJECT, send mail, notify users, emit EVENT, keep values, call HOST, use secret NAME
    "#]],
    );
    assert_eq!(
        program.run("plugin install mood --yes").code,
        2,
        "agreeing to nothing in particular"
    );
}

#[test]
fn who_signed_it_is_known() {
    let program = Program::company();
    author(&program, "0.1.0", "");
    program.ok("plugin key new author.pem");
    assert_eq!(fs::metadata(program.path("author.pem")).unwrap().mode() & 0o777, 0o600);
    check(
        &program,
        "plugin key new author.pem",
        1,
        expect![[r#"
        error: author.pem is there already, and a key is not written over; name another file
    "#]],
    );
    let shown = program.json("plugin key show author.pem");
    let public = shown["public"].as_str().unwrap().to_owned();
    let settings = fs::read_to_string(program.path("relata.toml")).unwrap();
    let trust = |key: &str| {
        program.write(
            "relata.toml",
            &format!("{settings}\n[plugins]\nrequire_signature = true\n[plugins.trusted]\nacme = \"{key}\"\n"),
        );
    };
    trust(&public);
    program.ok("plugin pack mood");
    check(
        &program,
        "plugin install mood-0.1.0.relata",
        1,
        expect![[r#"
        error: nobody signed `mood`, and relata.toml says `require_signature = true` under [plugins]; get a signed package, or sign it with `relata plugin sign FILE --key KEY`
    "#]],
    );
    program.ok("plugin sign mood-0.1.0.relata --key author.pem");
    let digest_of = digest(&program, "mood-0.1.0.relata");
    program.ok(&format!("plugin install mood-0.1.0.relata --yes --consent {digest_of}"));
    assert_eq!(program.json("plugin list")[0]["signer"], "acme");

    // Signed by somebody else, and changed after it was signed.
    program.ok("plugin key new other.pem");
    program.ok("plugin sign mood-0.1.0.relata --key other.pem");
    let ended = program.run("plugin install mood-0.1.0.relata");
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("whom relata.toml does not trust"), "{}", ended.stderr);
    program.ok("plugin pack mood --key author.pem --output signed.relata");
    forge(&program.path("signed.relata"));
    let ended = program.run("plugin inspect signed.relata");
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("is not one of this package"), "{}", ended.stderr);

    // Trust that is taken back holds for what is installed.
    let key = program.json("plugin key show other.pem")["public"].as_str().unwrap().to_owned();
    trust(&key);
    assert_eq!(program.run("plugin list").code, 1);
    assert_eq!(program.run("action run mood.score --input '{\"text\": \"x\"}'").code, 1);
}

/// Another title in place of the one that was signed.
fn forge(file: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let tar = |arguments: &[&str]| {
        let done = Command::new("tar").args(arguments).current_dir(folder.path()).status();
        assert!(done.unwrap().success());
    };
    let file = file.to_str().unwrap();
    tar(&["xzf", file]);
    let manifest = folder.path().join("plugin.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("How a text sounds", "How a text reads")).unwrap();
    tar(&[
        "czf",
        file,
        "--format=ustar",
        "component.wasm",
        "plugin.toml",
        "schemas.json",
        "signature.toml",
    ]);
}

#[test]
fn what_was_changed_is_not_run() {
    let program = Program::rehearsal();
    author(&program, "0.1.0", "");
    let digest_of = digest(&program, "mood");
    program.ok(&format!("plugin install mood --yes --consent {digest_of}"));
    let manifest = program.path("plugins/mood/plugin.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("[permissions]", "[permissions]\nstate = true")).unwrap();
    check(
        &program,
        "plugin list",
        1,
        expect![[r#"
        Plugin  Version  Signed by  Permissions  Digest               State
        ──────────────────────────────────────────────────────────────────────
        mood    0.1.0    nobody               0  sha256:…  not run
        mood is not run: relata.lock has the manifest sha256:… for `mood`, the files have sha256:…: somebody changed the files or the lock. Put back what belongs together, or run `relata plugin install FILE`, which shows the new one and asks
    "#]],
    );
    let found = program.run("doctor --quick --json");
    assert_eq!(found.code, 1);
    assert!(found.stdout.contains("\"refused-plugin\""), "{}", found.stdout);
    let ended = program.run("action run mood.score --input '{\"text\": \"x\"}'");
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("is not run: relata.lock has"), "{}", ended.stderr);
}

#[test]
fn what_is_no_package() {
    let program = Program::company();
    program.write("a.relata", "PK");
    program.write("empty/x", "");
    check(
        &program,
        "plugin inspect a.relata",
        1,
        expect![[r#"
        error: a.relata: this is no plugin package, or a broken one: it does not unpack as a gzip'd tar: unexpected end of file. Get it again, or make it again with `relata plugin pack` in the plugin's folder
    "#]],
    );
    check(
        &program,
        "plugin inspect b.relata",
        1,
        expect![[r#"
        error: there is no b.relata; name a .relata file, a plugin's folder, or oci://HOST/REPOSITORY:VERSION
    "#]],
    );
    check(
        &program,
        "plugin inspect empty",
        1,
        expect![[r#"
        error: empty is no plugin's folder: it has no plugin.toml
    "#]],
    );
    check(
        &program,
        "plugin inspect oci://x",
        1,
        expect![[r#"
        error: `oci://x` is not a place in a registry: it should be oci://HOST/REPOSITORY:VERSION, as in oci://plugins.example/sales/enrich:0.1.0, with @sha256:DIGEST behind it if nothing else will do
    "#]],
    );
    program.write("mood/plugin.toml", "name = \"mood\"\nversion = \"1\"\n");
    check(
        &program,
        "plugin pack mood",
        1,
        expect![[r#"
        error: plugin.toml cannot be read: TOML parse error at line 1, column 1
          |
        1 | name = "mood"
          | ^
        missing field `title`
    "#]],
    );
    author(&program, "0.1.0", "");
    fs::remove_dir_all(program.path("mood/build")).unwrap();
    check(
        &program,
        "plugin pack mood",
        1,
        expect![[r#"
        error: mood/build/mood.wasm is not there; `relata plugin build mood` makes it
    "#]],
    );
    // The name of a built-in plugin is taken.
    author(&program, "0.1.0", "");
    let text = fs::read_to_string(program.path("mood/plugin.toml")).unwrap();
    program.write("mood/plugin.toml", &text.replace("\"mood\"", "\"sentiment\""));
    fs::rename(program.path("mood/build/mood.wasm"), program.path("mood/build/sentiment.wasm"))
        .unwrap();
    check(
        &program,
        "plugin install mood",
        1,
        expect![[r#"
        error: `sentiment` is one of the built-in plugins, which are not installed, replaced or removed; give yours another name in its plugin.toml
    "#]],
    );
}

#[test]
fn by_way_of_a_registry() {
    let registry = Registry::start();
    let program = Program::company();
    author(&program, "0.1.0", "");
    program.ok("plugin pack mood");
    let place = format!("oci://127.0.0.1:{}/sales/mood", registry.port);
    let pushed = program.json(&format!("plugin push mood-0.1.0.relata {place}"));
    let to = pushed["to"].as_str().unwrap().to_owned();
    assert!(to.starts_with(&format!("{place}:0.1.0@sha256:")), "{to}");

    let source = format!("{place}:0.1.0");
    let digest_of = digest(&program, &source);
    assert_eq!(digest_of, digest(&program, "mood"), "wherever it comes from");
    program.ok(&format!("plugin install {source} --yes --consent {digest_of}"));
    assert_eq!(program.json("plugin list")[0]["source"], to.as_str());
    let gone = program.run(&format!("plugin install {place}:9.9.9"));
    assert_eq!(gone.code, 1);
    assert!(gone.stderr.contains("there is no oci://"), "{}", gone.stderr);
}

/// docker-registry in a process of its own; it ends with the value.
struct Registry {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Registry {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let config = folder.path().join("config.yml");
        let text = "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: FOLDER\nhttp:\n  addr: 127.0.0.1:0\n";
        fs::write(&config, text.replace("FOLDER", path)).unwrap();
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker-registry is missing: `apt-get install docker-registry`, or `cargo xtask test`, which does that");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let port = loop {
            let line = lines.next().expect("the registry says where it listens").unwrap();
            if let Some((_, rest)) = line.split_once("listening on 127.0.0.1:") {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                break digits.parse().unwrap();
            }
        };
        // It stops when nobody reads what it says.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port, _folder: folder }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
