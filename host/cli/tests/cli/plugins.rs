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
    let sentiment = relata_app::bundled().iter().find(|found| found.name == "sentiment").unwrap();
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

/// What a command says: its output, and its errors behind it. Digests and keys
/// are cut out, as is how large the component is.
fn told(ended: &Ended) -> String {
    let text = without_ids(&format!("{}{}", ended.stdout, ended.stderr));
    let mut told = String::new();
    for line in text.lines() {
        let mut words: Vec<&str> = line.split(' ').collect();
        for at in 1..words.len() {
            if words[at].starts_with("KiB") {
                words[at - 1] = "…";
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
    check(&program, "plugin pack mood", 0, expect![""]);
    check(&program, "plugin inspect mood-0.1.0.relata", 0, expect![""]);
    check(&program, "plugin list", 0, expect![""]);
    // Nobody is there to be asked.
    check(&program, "plugin install mood-0.1.0.relata", 1, expect![""]);
    let digest = digest(&program, "mood-0.1.0.relata");
    let other = digest.replace(&digest[7..8], if &digest[7..8] == "0" { "1" } else { "0" });
    let line = format!("plugin install mood-0.1.0.relata --yes --consent {other}");
    check(&program, &line, 1, expect![""]);
    let line = format!("plugin install mood-0.1.0.relata --yes --consent {digest}");
    assert!(program.ok(&line).ends_with("mood 0.1.0 is installed\n"));
    check(&program, "plugin list", 0, expect![""]);
    let run = program.ok("action run mood.score --input '{\"text\": \"Wonderful!\"}'");
    assert!(run.starts_with("done: "), "{run}");
    let actions = program.json("action list");
    assert!(actions.as_array().unwrap().iter().any(|row| row["action"] == "mood.score"));

    program.write("moods.yaml", WORKFLOW);
    program.ok("activate moods.yaml");
    check(&program, "plugin remove mood", 1, expect![""]);
    program.ok("deactivate moods");
    check(&program, "plugin remove mood", 0, expect![""]);
    check(&program, "plugin remove mood", 1, expect![""]);
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
    author(&program, "0.3.0", "messages = [\"mail\"]\n[permissions.records.lead]\nread = [\"email\", \"name\"]");
    check(&program, "plugin install mood", 1, expect![""]);
    let consent = &program.json("plugin inspect mood")["consent"];
    expect![""].assert_eq(&without_ids(&format!("{consent:#}")));
    // Less of it than it asks for, and no more than before is nothing new.
    let digest_of = digest(&program, "mood");
    program.ok(&format!("plugin install mood --may 'read lead.name' --yes --consent {digest_of}"));
    let lock = fs::read_to_string(program.path("relata.lock")).unwrap();
    let granted = lock.split_once(".granted").unwrap().1;
    assert_eq!(granted, ".records.lead]\nread = [\"name\"]\n", "{lock}");
    check(&program, "plugin install mood --may 'reed lead'", 1, expect![""]);
    assert_eq!(program.run("plugin install mood --yes").code, 2, "agreeing to nothing in particular");
}

#[test]
fn who_signed_it_is_known() {
    let program = Program::company();
    author(&program, "0.1.0", "");
    program.ok("plugin key new author.pem");
    assert_eq!(fs::metadata(program.path("author.pem")).unwrap().mode() & 0o777, 0o600);
    check(&program, "plugin key new author.pem", 1, expect![""]);
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
    check(&program, "plugin install mood-0.1.0.relata", 1, expect![""]);
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
        "czf", file, "--format=ustar", "component.wasm", "plugin.toml", "schemas.json", "signature.toml",
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
    check(&program, "plugin list", 1, expect![""]);
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
    check(&program, "plugin inspect a.relata", 1, expect![""]);
    check(&program, "plugin inspect b.relata", 1, expect![""]);
    check(&program, "plugin inspect empty", 1, expect![""]);
    check(&program, "plugin inspect oci://x", 1, expect![""]);
    program.write("mood/plugin.toml", "name = \"mood\"\nversion = \"1\"\n");
    check(&program, "plugin pack mood", 1, expect![""]);
    author(&program, "0.1.0", "");
    fs::remove_dir_all(program.path("mood/build")).unwrap();
    check(&program, "plugin pack mood", 1, expect![""]);
    // The name of a built-in plugin is taken.
    author(&program, "0.1.0", "");
    let text = fs::read_to_string(program.path("mood/plugin.toml")).unwrap();
    program.write("mood/plugin.toml", &text.replace("\"mood\"", "\"sentiment\""));
    fs::rename(program.path("mood/build/mood.wasm"), program.path("mood/build/sentiment.wasm"))
        .unwrap();
    check(&program, "plugin install mood", 1, expect![""]);
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
