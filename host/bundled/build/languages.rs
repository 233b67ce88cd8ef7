//! What a new plugin begins with: a template and the SDK of its language, and
//! the contract.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{lock, manifest};

/// What lies in an SDK's folder and is not for authors: its own tests and
/// tools, and what builds leave.
const NOT_FOR_AUTHORS: [&str; 12] = [
    "template",
    "test",
    "tests",
    "build",
    "target",
    "node_modules",
    ".venv",
    "__pycache__",
    "Makefile",
    ".gitignore",
    "api.txt",
    "regenerate.sh",
];

/// The other languages, whose SDK is a folder as it is.
const OTHERS: [&str; 3] = ["javascript", "python", "c"];

/// The crates that the Rust template names beside the SDK.
const TEMPLATE_NEEDS: [&str; 2] = ["schemars", "serde"];

/// A file of a new plugin: its path there, and where its bytes are.
type File = (String, PathBuf);

/// Writes the tables `LANGUAGES` and `CONTRACT`.
pub(crate) fn write(workspace: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let sdks = workspace.join("plugin-sdk");
    let mut table = String::from("const LANGUAGES: &[Language] = &[\n");
    let mut template = below(&sdks.join("template"), "", &[])?;
    template.push(("Cargo.lock".to_owned(), rust_lock(workspace, out)?));
    language(&mut table, "rust", &template, &rust_sdk(workspace, out)?)?;
    for name in OTHERS {
        let folder = sdks.join(name);
        let template = below(&folder.join("template"), "", &[])?;
        language(&mut table, name, &template, &below(&folder, "", &NOT_FOR_AUTHORS)?)?;
    }
    let contract = below(&workspace.join("wit/0.1.0"), "", &[])?;
    write!(table, "];\n\nconst CONTRACT: &[File] = ")?;
    files(&mut table, &contract)?;
    table.push_str(";\n");
    fs::write(out.join("languages.rs"), table)?;
    Ok(())
}

fn language(table: &mut String, name: &str, template: &[File], sdk: &[File]) -> std::fmt::Result {
    write!(table, "    Language {{ name: {name:?}, template: ")?;
    files(table, template)?;
    write!(table, ", sdk: ")?;
    files(table, sdk)?;
    writeln!(table, " }},")
}

fn files(table: &mut String, files: &[File]) -> std::fmt::Result {
    writeln!(table, "&[")?;
    for (path, source) in files {
        writeln!(table, "        File {{ path: {path:?}, bytes: include_bytes!({source:?}) }},")?;
    }
    write!(table, "    ]")
}

/// The files of a folder and those below it, in order.
fn below(folder: &Path, prefix: &str, without: &[&str]) -> std::io::Result<Vec<File>> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    entries.sort();
    let mut found = Vec::new();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if without.contains(&name.as_str()) {
            continue;
        }
        // Not the folder itself: what builds leave in it changes all the time.
        println!("cargo::rerun-if-changed={}", path.display());
        if path.is_dir() {
            found.extend(below(&path, &format!("{prefix}{name}/"), without)?);
        } else {
            found.push((format!("{prefix}{name}"), path));
        }
    }
    Ok(found)
}

/// The Rust SDK as a crate that stands alone, beside the contract.
fn rust_sdk(workspace: &Path, out: &Path) -> Result<Vec<File>, Box<dyn Error>> {
    const HERE: &str = "path: \"../wit/0.1.0\"";
    const THERE: &str = "path: \"../wit\"";
    let sdk = workspace.join("plugin-sdk");
    let mut files = below(&sdk.join("src"), "src/", &[])?;
    let root = files.iter_mut().find(|(path, _)| path == "src/lib.rs");
    let (_, root) = root.ok_or("plugin-sdk has no src/lib.rs")?;
    let text = fs::read_to_string(&root)?;
    if text.matches(HERE).count() != 1 {
        return Err(format!("plugin-sdk/src/lib.rs does not name the contract by `{HERE}`").into());
    }
    *root = out.join("sdk-lib.rs");
    fs::write(&root, text.replace(HERE, THERE))?;
    let cargo = out.join("sdk-Cargo.toml");
    fs::write(&cargo, manifest::alone(&sdk.join("Cargo.toml"), &workspace.join("Cargo.toml"))?)?;
    files.push(("Cargo.toml".to_owned(), cargo));
    Ok(files)
}

/// A lock with the versions with which the SDK is tested.
fn rust_lock(workspace: &Path, out: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let file = out.join("template-Cargo.lock");
    let manifest = fs::read_to_string(workspace.join("plugin-sdk/Cargo.toml"))?.parse()?;
    let mut needs = manifest::dependencies(&manifest);
    needs.extend(TEMPLATE_NEEDS.map(str::to_owned));
    fs::write(&file, lock::of(&workspace.join("Cargo.lock"), &needs)?)?;
    Ok(file)
}
