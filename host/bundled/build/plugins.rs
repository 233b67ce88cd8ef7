//! The built-in plugins, compiled.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use relata_plugin_build::{Request, build};

/// Compiles every plugin of `plugins/`, and writes a table of them.
pub(crate) fn write(workspace: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    for input in ["plugins", "plugin-sdk/src", "plugin-sdk/Cargo.toml", "wit", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(input).display());
    }
    let directories = plugins(&workspace.join("plugins"))?;
    let built = build(&Request {
        packages: directories
            .iter()
            .map(|directory| format!("relata-plugin-{}", name(directory)))
            .collect(),
        // Not the target directory of the cargo that runs this: it holds that
        // one's lock until we are done.
        target_dir: workspace.join("target/guests"),
        workspace: workspace.to_path_buf(),
        locked: true,
    })?;
    let mut table = String::from("&[\n");
    for plugin in built {
        // A copy: somebody may empty target/guests.
        let component = out.join(&plugin.name).with_extension("wasm");
        std::fs::copy(&plugin.component, &component)?;
        writeln!(
            table,
            "    Bundled {{ name: {:?}, manifest: include_str!({:?}), component: include_bytes!({:?}) }},",
            plugin.name,
            plugin.directory.join("plugin.toml"),
            component,
        )?;
    }
    table.push_str("]\n");
    std::fs::write(out.join("bundled.rs"), table)?;
    Ok(())
}

/// The directories with a `plugin.toml`, by name.
fn plugins(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.join("plugin.toml").is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn name(directory: &Path) -> Cow<'_, str> {
    directory.file_name().map(|name| name.to_string_lossy()).unwrap_or_default()
}
