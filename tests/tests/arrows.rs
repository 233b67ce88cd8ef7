//! The arrows between the rooms point one way only. The tables here are the
//! rule; `docs/ARCHITECTURE.md` tells why.
//!
//! Dev-dependencies are not arrows: a test may use what its crate may not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use cargo_metadata::{DependencyKind, MetadataCommand};
use expect_test::expect;

/// Each room and the rooms it may use. What those may use, it may use too: the
/// store may use `relata-workflow`, which lies below the engine.
const ARROWS: &[(&str, &[&str])] = &[
    ("relata-cli", &["relata-server", "relata-lsp", "relata-plugin-build"]),
    ("relata-lsp", &["relata-workflow"]),
    ("relata-server", &["relata-console"]),
    ("relata-console", &["relata-app"]),
    (
        "relata-app",
        &[
            "relata-engine",
            "relata-store",
            "relata-sandbox",
            "relata-package",
            "relata-bundled",
            "relata-channels",
        ],
    ),
    ("relata-store", &["relata-engine", "relata-model"]),
    ("relata-sandbox", &["relata-model", "relata-package"]),
    ("relata-package", &[]),
    ("relata-channels", &["relata-model", "relata-package"]),
    // Its build script turns the plugins into components; it knows no room.
    ("relata-bundled", &["relata-plugin-build"]),
    ("relata-engine", &["relata-workflow"]),
    ("relata-workflow", &["relata-model", "relata-package"]),
    ("relata-model", &[]),
    // The guests' side: it meets the host only in wit/.
    ("relata-plugin-sdk", &["relata-plugin-sdk-macros"]),
    ("relata-plugin-sdk-macros", &[]),
    ("relata-plugin-build", &[]),
    ("xtask", &["relata-plugin-build"]),
    // It looks at the program from outside.
    ("relata-load", &[]),
];

/// Every guest, a plugin or one of the tests' hostile ones, is an ordinary user
/// of the SDK.
const GUEST: &[&str] = &["relata-plugin-sdk"];

/// Tests may use everything; nothing may use them.
const TESTS: &str = "relata-tests";

/// Why the arrows are as they are, for the message of a failure.
const ARROWS_REASON: &str = "Arrows point one way (cli -> server -> console -> app -> { engine, store, sandbox, bundled, \
    channels }, engine -> workflow -> model), so that a room can be read, tested and changed without those above it. \
    If the code taught better, change the table in tests/tests/arrows.rs and docs/ARCHITECTURE.md together.";

/// What a room must not reach, not even through a library, and why.
const BANNED: &[(&[&str], &[&str], &str)] = &[
    (
        &["relata-model", "relata-package", "relata-workflow", "relata-engine"],
        &["tokio", "sqlx", "axum", "wasmtime", "reqwest", "lettre", "rand"],
        "the pure rooms do no input or output and have no clock and no chance: time and jitter are arguments, \
         so that a run can be replayed and simulated from a seed",
    ),
    (
        &["relata-sandbox"],
        &["sqlx", "sea-query", "reqwest", "lettre", "axum"],
        "the sandbox knows no SQL and no HTTP client: a plugin reaches the world only through `HostCalls`, \
         which app implements with the same validation and permissions as for everybody",
    ),
];

/// The libraries that only some rooms name in their Cargo.toml, and why.
const OWNED: &[(&str, &[&str], &str)] = &[
    ("sqlx", &["relata-store"], "only store contains SQL"),
    ("sea-query", &["relata-store"], "only store contains SQL"),
    ("libsqlite3-sys", &["relata-store"], "only store contains SQL"),
    ("lettre", &["relata-channels"], "only channels opens a socket to the outside"),
    ("reqwest", &["relata-channels"], "only channels opens a socket to the outside"),
    (
        "axum",
        &["relata-server", "relata-console"],
        "only server speaks HTTP to those who call us, and console gives it the pages",
    ),
    ("wasmtime", &["relata-sandbox"], "only sandbox runs plugins, under its limits"),
];

/// Libraries that nobody has, not even for a test, and why.
const NOWHERE: &[(&str, &str)] = &[
    ("serde_yaml", "unmaintained and without spans; YAML is saphyr's"),
    ("serde_yaml_ng", "carries a RustSec advisory; YAML is saphyr's"),
    ("serde_yml", "carries a RustSec advisory; YAML is saphyr's"),
    ("openssl-sys", "TLS is rustls"),
];

/// A package of the workspace with what it needs to run or to be built.
struct Room {
    name: String,
    is_guest: bool,
    needs: BTreeSet<String>,
}

#[test]
fn arrows_point_one_way() {
    let rooms = rooms();
    let wrong = wrong_arrows(&rooms);
    assert!(wrong.is_empty(), "{}\n\n{ARROWS_REASON}", wrong.join("\n"));
}

#[test]
fn rooms_do_not_reach_what_they_must_not_know() {
    for (rooms, banned, why) in BANNED {
        for room in *rooms {
            let reached = reached_at_run_time(room);
            for library in *banned {
                assert!(
                    !reached.contains(*library),
                    "{room} reaches {library}: {why}.\nThe way there: cargo tree -p {room} -e normal,no-proc-macro -i {library}"
                );
            }
        }
    }
}

#[test]
fn some_libraries_have_one_room() {
    for room in rooms().iter().filter(|room| room.name != TESTS) {
        for (library, owners, why) in OWNED {
            assert!(
                owners.contains(&room.name.as_str()) || !room.needs.contains(*library),
                "{} depends on {library}, which belongs to {}: {why}",
                room.name,
                owners.join(" and ")
            );
        }
    }
}

#[test]
fn nobody_has_a_banned_library() {
    let lock =
        std::fs::read_to_string(root().join("Cargo.lock")).expect("the workspace has a Cargo.lock");
    for (library, why) in NOWHERE {
        assert!(
            !lock.contains(&format!("name = \"{library}\"\n")),
            "Cargo.lock holds {library}: {why}.\nWho brings it: cargo tree --workspace -i {library}"
        );
    }
}

#[test]
fn a_wrong_arrow_is_named() {
    let check = |arrows: &[(&str, &[&str])], expected: expect_test::Expect| {
        let rooms: Vec<Room> = arrows.iter().map(|(name, needs)| room(name, needs)).collect();
        expected.assert_eq(&wrong_arrows(&rooms).join("\n"));
    };
    check(
        &[("relata-store", &["relata-workflow", "sqlx"]), ("relata-cli", &["relata-model"])],
        expect![""],
    );
    check(
        &[("relata-engine", &["relata-store"])],
        expect![
            "relata-engine -> relata-store is wrong: relata-engine may use relata-model, relata-package, relata-workflow"
        ],
    );
    check(
        &[("relata-plugin-mail", &["relata-plugin-sdk", "relata-model"])],
        expect![
            "relata-plugin-mail -> relata-model is wrong: relata-plugin-mail may use relata-plugin-sdk, relata-plugin-sdk-macros"
        ],
    );
    check(
        &[("relata-app", &["relata-tests"]), ("relata-pantry", &[])],
        expect![[r#"
            relata-app -> relata-tests is wrong: relata-app may use relata-bundled, relata-channels, relata-engine, relata-model, relata-package, relata-plugin-build, relata-sandbox, relata-store, relata-workflow
            relata-pantry is a new room: give it a line in ARROWS"#]],
    );
}

/// Every arrow, and every room, that the table does not know; one line each.
fn wrong_arrows(rooms: &[Room]) -> Vec<String> {
    let mut wrong = Vec::new();
    for room in rooms.iter().filter(|room| room.name != TESTS) {
        let direct = if room.is_guest {
            GUEST
        } else if let Some((_, direct)) = ARROWS.iter().find(|(name, _)| *name == room.name) {
            direct
        } else {
            wrong.push(format!("{} is a new room: give it a line in ARROWS", room.name));
            continue;
        };
        let mut below = BTreeSet::new();
        descend(direct, &mut below);
        for need in room.needs.iter().filter(|need| need.starts_with("relata-")) {
            if !below.contains(need.as_str()) {
                let below: Vec<&str> = below.iter().copied().collect();
                let may =
                    if below.is_empty() { "no other room".to_owned() } else { below.join(", ") };
                wrong
                    .push(format!("{} -> {need} is wrong: {} may use {may}", room.name, room.name));
            }
        }
    }
    wrong
}

/// Adds `rooms` and everything below them.
fn descend<'a>(rooms: &[&'a str], below: &mut BTreeSet<&'a str>) {
    let table: BTreeMap<&str, &[&'static str]> = ARROWS.iter().copied().collect();
    for room in rooms {
        if below.insert(room) {
            descend(table.get(room).copied().unwrap_or_default(), below);
        }
    }
}

fn room(name: &str, needs: &[&str]) -> Room {
    Room {
        name: name.to_owned(),
        is_guest: (name.starts_with("relata-plugin-") || name.starts_with("relata-guest-"))
            && !ARROWS.iter().any(|(known, _)| *known == name),
        needs: needs.iter().map(|need| (*need).to_owned()).collect(),
    }
}

/// The packages of the workspace, read from their manifests without a network.
fn rooms() -> Vec<Room> {
    let metadata = MetadataCommand::new()
        .cargo_path(env!("CARGO"))
        .current_dir(root())
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .expect("cargo metadata reads the workspace");
    let mut rooms = Vec::new();
    for package in &metadata.packages {
        let needs: Vec<&str> = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind != DependencyKind::Development)
            .map(|dependency| dependency.name.as_str())
            .collect();
        rooms.push(room(package.name.as_str(), &needs));
    }
    assert!(rooms.iter().any(|room| room.name == "relata-model"), "cargo metadata gave no rooms");
    rooms
}

/// The names of everything that `package` links, through other packages too.
/// Procedural macros are left out: they run in the compiler, not in the room.
/// Features are those that the package itself asks for.
fn reached_at_run_time(package: &str) -> BTreeSet<String> {
    let tree = |network: &[&str]| {
        Command::new(env!("CARGO"))
            .args(["tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none"])
            .args(["--format", "{p}", "--package", package])
            .args(network)
            .current_dir(root())
            .output()
            .expect("cargo starts")
    };
    let mut output = tree(&["--offline"]);
    if !output.status.success() {
        // A manifest that no build here has needed yet.
        output = tree(&[]);
    }
    assert!(
        output.status.success(),
        "cargo tree -p {package}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("cargo prints UTF-8");
    let names: BTreeSet<String> =
        text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    assert!(names.contains(package), "cargo tree -p {package} printed no packages");
    names
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}
