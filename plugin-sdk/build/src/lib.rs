//! Turns a cargo build of plugins into WebAssembly components.
//!
//! A plugin is a crate with `crate-type = ["cdylib"]` that uses
//! `relata-plugin-sdk`. [`build`] compiles any number of them in one cargo
//! call for `wasm32-unknown-unknown` and wraps each core module as a
//! component: no WASI, no adapter, only the interfaces of `relata:plugin`
//! that the code really calls.
//!
//! Which compiler does it is decided by [`toolchain`]; nothing is downloaded
//! or installed here except crates that cargo itself fetches.

mod component;
mod environment;
mod toolchain;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

pub use component::{NotAComponent, componentize, imports};
pub use toolchain::{MissingToolchain, TARGET, Toolchain, toolchain};

/// How a build script ends: its error goes to cargo line by line, without the
/// noise around a panic.
#[allow(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]
pub fn exit_code(result: Result<(), Box<dyn std::error::Error>>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let causes =
        std::iter::successors(Some(&*error as &dyn std::error::Error), |error| error.source());
    for line in causes.map(ToString::to_string).collect::<Vec<_>>().join("\n").lines() {
        println!("cargo::error={line}");
    }
    ExitCode::FAILURE
}

/// What is to be built.
#[derive(Debug, Clone)]
pub struct Request {
    /// The directory with the `Cargo.toml` of the workspace, or of the crate
    /// if it stands alone.
    pub workspace: PathBuf,
    /// The cargo packages to build, such as `relata-plugin-assign`. All are
    /// built in one call, so that their dependencies are compiled once.
    pub packages: Vec<String>,
    /// Where cargo puts its work and this crate the components. It must not
    /// be the target directory of a cargo that waits for this call: the two
    /// would wait for each other for ever. `target/guests` is the usual place.
    pub target_dir: PathBuf,
    /// Whether `Cargo.lock` must be used as it is. Say true wherever another
    /// cargo has already written it (a build script), so that two versions of
    /// cargo never change it to and fro.
    pub locked: bool,
}

/// One plugin, built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The name of the crate's library, such as `assign`.
    pub name: String,
    /// The directory of the crate, where its `plugin.toml` is.
    pub directory: PathBuf,
    /// The component file. Its modification time changes only with its bytes.
    pub component: PathBuf,
}

/// Why plugins could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No compiler for WebAssembly was found.
    #[error(transparent)]
    Toolchain(#[from] MissingToolchain),
    /// Cargo could not be started.
    #[error("could not start {program}")]
    Start {
        /// The program that was tried.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Cargo ran and failed; it has printed why.
    #[error(
        "cargo could not build {packages} for {TARGET} ({status}); the compiler's messages are above"
    )]
    Cargo {
        /// The packages, separated by commas.
        packages: String,
        /// How cargo ended.
        status: std::process::ExitStatus,
    },
    /// Cargo cannot read the crate of a folder.
    #[error("{directory} is not a crate that cargo can build: {why}")]
    Crate {
        /// The folder.
        directory: PathBuf,
        /// What cargo said.
        why: String,
    },
    /// A package was built but gave no `.wasm` file.
    #[error(
        "package {package} gave no WebAssembly module: its Cargo.toml needs [lib] crate-type = [\"cdylib\"]"
    )]
    NoModule {
        /// The package.
        package: String,
    },
    /// A module could not be made into a component.
    #[error(transparent)]
    Component(#[from] NotAComponent),
    /// A file could not be read or written.
    #[error("could not access {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Compiles the packages and makes each a component at
/// `<target_dir>/components/<name>.wasm`, in the order of the request.
///
/// Cargo's own messages go to standard error. Calling it again when nothing
/// has changed takes as long as cargo needs to see that.
pub fn build(request: &Request) -> Result<Vec<Built>, BuildError> {
    let toolchain = toolchain()?;
    let modules = compile(&toolchain, request)?;
    let out = request.target_dir.join("components");
    std::fs::create_dir_all(&out).map_err(file_error(&out))?;
    let mut built = Vec::with_capacity(modules.len());
    for module in modules {
        let bytes = std::fs::read(&module.wasm).map_err(file_error(&module.wasm))?;
        let component = out.join(&module.name).with_extension("wasm");
        let encoded = componentize(&module.name, &bytes)?;
        write_if_changed(&component, &encoded)?;
        built.push(Built { name: module.name, directory: module.directory, component });
    }
    Ok(built)
}

/// Compiles the crate of a folder, which stands alone or is a part of a
/// workspace, and makes it a component. Its work lies in `guests` of cargo's
/// target directory, `CARGO_TARGET_DIR` if that is set.
#[allow(clippy::disallowed_methods, reason = "cargo reads this variable, too")]
pub fn build_crate(directory: &Path) -> Result<Built, BuildError> {
    let toolchain = toolchain()?;
    let not_a_crate = |why: String| BuildError::Crate { directory: directory.to_path_buf(), why };
    let mut command = Command::new(&toolchain.cargo);
    command.current_dir(directory);
    environment::prepare(&mut command, &toolchain);
    if let Some(target) = std::env::var_os("CARGO_TARGET_DIR") {
        command.env("CARGO_TARGET_DIR", target);
    }
    let output = command
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .stdin(Stdio::null())
        .output()
        .map_err(|source| BuildError::Start { program: toolchain.cargo.clone(), source })?;
    if !output.status.success() {
        return Err(not_a_crate(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|why| not_a_crate(why.to_string()))?;
    let request = request_of(&metadata, directory)
        .ok_or_else(|| not_a_crate("it has no Cargo.toml with a [package]".to_owned()))?;
    let package = request.packages.join("");
    build(&request)?.pop().ok_or(BuildError::NoModule { package })
}

/// How the crate that lies in a folder is built.
fn request_of(metadata: &serde_json::Value, directory: &Path) -> Option<Request> {
    let directory = directory.canonicalize().ok()?;
    let package = metadata["packages"].as_array()?.iter().find(|package| {
        let manifest = package["manifest_path"].as_str().map(Path::new);
        manifest.and_then(Path::parent) == Some(directory.as_path())
    })?;
    Some(Request {
        workspace: metadata["workspace_root"].as_str()?.into(),
        packages: vec![package["name"].as_str()?.to_owned()],
        target_dir: Path::new(metadata["target_directory"].as_str()?).join("guests"),
        locked: false,
    })
}

/// How plugins are compiled. Small, because a component is loaded by every
/// installation and compiled once more there; with function names, because a trap
/// prints them. Set here and not in the workspace, so that a plugin built alone is
/// built alike, and the host's own profile does not matter.
const SETTINGS: [&str; 8] = [
    "profile.release.opt-level=\"s\"",
    "profile.release.lto=\"fat\"",
    "profile.release.codegen-units=1",
    "profile.release.panic=\"abort\"",
    "profile.release.strip=\"debuginfo\"",
    "profile.release.debug=false",
    "profile.release.incremental=false",
    // What a call can allocate before its memory has to grow, in bytes: to let it
    // grow takes the host longer than a short step, and what is not touched costs
    // nothing. Cargo adds it to an author's own under [build]; what is set for the
    // target alone would take their place.
    "build.rustflags=[\"-Clink-arg=--initial-heap=262144\"]",
];

/// A core module as cargo left it.
struct Module {
    name: String,
    directory: PathBuf,
    wasm: PathBuf,
}

fn compile(toolchain: &Toolchain, request: &Request) -> Result<Vec<Module>, BuildError> {
    let mut command = Command::new(&toolchain.cargo);
    command.current_dir(&request.workspace);
    environment::prepare(&mut command, toolchain);
    command
        .args(["build", "--lib", "--release", "--target", TARGET])
        .arg("--message-format=json-render-diagnostics")
        .arg("--target-dir")
        .arg(&request.target_dir);
    for setting in SETTINGS {
        command.args(["--config", setting]);
    }
    if toolchain.build_std {
        command.args(["-Z", "build-std=std,panic_abort"]);
    }
    if request.locked {
        command.arg("--locked");
    }
    for package in &request.packages {
        command.args(["--package", package]);
    }
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| BuildError::Start { program: toolchain.cargo.clone(), source })?;
    if !output.status.success() {
        return Err(BuildError::Cargo {
            packages: request.packages.join(", "),
            status: output.status,
        });
    }
    modules(&String::from_utf8_lossy(&output.stdout), &request.packages)
}

/// Reads cargo's JSON messages: which module belongs to which package.
fn modules(messages: &str, packages: &[String]) -> Result<Vec<Module>, BuildError> {
    let artifacts: Vec<(String, Module)> = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter_map(|message| {
            let wasm = message["filenames"]
                .as_array()?
                .iter()
                .filter_map(|file| file.as_str())
                .find(|file| file.ends_with(".wasm"))?;
            let manifest = Path::new(message["manifest_path"].as_str()?);
            let module = Module {
                name: message["target"]["name"].as_str()?.replace('-', "_"),
                directory: manifest.parent()?.to_path_buf(),
                wasm: PathBuf::from(wasm),
            };
            Some((package_name(message["package_id"].as_str()?).to_owned(), module))
        })
        .collect();
    let mut found = Vec::with_capacity(packages.len());
    let mut artifacts = artifacts;
    for package in packages {
        match artifacts.iter().position(|(name, _)| name == package) {
            Some(at) => found.push(artifacts.swap_remove(at).1),
            None => {
                return Err(BuildError::NoModule { package: package.clone() });
            }
        }
    }
    Ok(found)
}

/// The name in a package id: `path+file:///a/b#name@0.1.0`, or
/// `path+file:///a/name#0.1.0` where the directory already says it.
fn package_name(id: &str) -> &str {
    let (place, fragment) = id.split_once('#').unwrap_or((id, ""));
    match fragment.split_once('@') {
        Some((name, _)) => name,
        None => place.rsplit('/').next().unwrap_or(place),
    }
}

/// Writes only when the bytes differ, so that whoever watches the file does
/// not build again for nothing.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    if std::fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    std::fs::write(path, bytes).map_err(file_error(path))
}

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> BuildError {
    let path = path.to_path_buf();
    move |source| BuildError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_ids_of_both_forms() {
        let cases = [
            ("path+file:///w/plugins/assign#relata-plugin-assign@0.1.0", "relata-plugin-assign"),
            ("path+file:///w/echo#0.1.0", "echo"),
        ];
        for (id, name) in cases {
            assert_eq!(package_name(id), name);
        }
    }

    #[test]
    fn an_authors_own_flags_stay() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("Cargo.toml", "[package]\nname = \"own\"\nedition = \"2024\"\n");
        write("src/lib.rs", "");
        write(".cargo/config.toml", "[build]\nrustflags = [\"--cfg=own\"]\n");
        let toolchain = toolchain().unwrap();
        let mut command = Command::new(&toolchain.cargo);
        environment::prepare(&mut command, &toolchain);
        // With which flags it is tried; a standard library may not be there.
        command.args(["check", "--verbose", "--target", TARGET]);
        for setting in SETTINGS {
            command.args(["--config", setting]);
        }
        let output = command.current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        for flag in ["--cfg=own", "-Clink-arg=--initial-heap=262144"] {
            assert!(said.contains(flag), "{flag} is not in\n{said}");
        }
    }

    #[test]
    fn a_package_without_a_module_is_named() {
        let messages = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/a#0.1.0","manifest_path":"/w/a/Cargo.toml","target":{"name":"a"},"filenames":["/t/liba.rlib"]}"#;
        let error = modules(messages, &["a".to_owned()]).err().map(|error| error.to_string());
        expect_test::expect![[r#"package a gave no WebAssembly module: its Cargo.toml needs [lib] crate-type = ["cdylib"]"#]]
        .assert_eq(&error.unwrap_or_default());
    }

    #[test]
    fn the_crate_of_a_folder_is_found_in_its_workspace() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().unwrap();
        let manifest = here.join("Cargo.toml");
        let metadata = serde_json::json!({
            "workspace_root": "/w",
            "target_directory": "/w/target",
            "packages": [
                { "name": "other", "manifest_path": "/w/other/Cargo.toml" },
                { "name": "this", "manifest_path": manifest.to_str().unwrap() },
            ],
        });
        let request = request_of(&metadata, &here).unwrap();
        assert_eq!(request.workspace, Path::new("/w"));
        assert_eq!(request.packages, ["this"]);
        assert_eq!(request.target_dir, Path::new("/w/target/guests"));
        assert!(request_of(&metadata, &here.join("src")).is_none());
    }

    #[test]
    fn an_unchanged_file_keeps_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.wasm");
        write_if_changed(&path, b"one").unwrap();
        let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(old).unwrap();
        drop(file);
        write_if_changed(&path, b"one").unwrap();
        assert_eq!(path.metadata().unwrap().modified().unwrap(), old);
        write_if_changed(&path, b"two").unwrap();
        assert_ne!(path.metadata().unwrap().modified().unwrap(), old);
    }
}
