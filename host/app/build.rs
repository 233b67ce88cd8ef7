//! Writes the table of the shipped workflows, their tests and their mail
//! templates, so that a file is shipped by being there.

use std::{env, error::Error, fmt::Write, fs, path::Path};

#[allow(clippy::disallowed_methods, reason = "cargo names the directory in a variable only")]
fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows").canonicalize()?;
    // A directory stands for everything in it.
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    for (from, to, kind) in
        [(folder.clone(), "workflows", "yaml"), (folder.join("templates"), "templates", "md")]
    {
        for entry in fs::read_dir(&from)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
            if let Some(name) = name
                && path.extension().is_some_and(|extension| extension == kind)
            {
                files.push((format!("{to}/{name}"), path));
            }
        }
    }
    files.sort();
    let mut table = "&[\n".to_owned();
    for (name, path) in files {
        writeln!(table, "    ({name:?}, include_str!({:?})),", path.display().to_string())?;
    }
    table.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("shipped.rs"), table)?;
    Ok(())
}
