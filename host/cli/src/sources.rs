//! Workflow files, as they are named on the command line.

use std::{
    fs,
    path::{Path, PathBuf},
};

use relata_app::workflow::{Diagnostic, render};

use crate::{failure::Wrong, out};

/// File names, as a person would write them, and texts.
pub(crate) type Sources = Vec<(String, String)>;

/// Reads the files, and the `*.yaml` files of the folders, among `paths`;
/// tests (`*.test.yaml`) are left out where a folder is named.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Sources, Wrong> {
    let mut sources = Sources::new();
    for path in paths {
        let unreadable =
            |why: std::io::Error| Wrong::new(format!("cannot read {}: {why}", out::path(path)));
        let files = if fs::metadata(path).map_err(unreadable)?.is_dir() {
            let files = workflows(path).map_err(unreadable)?;
            if files.is_empty() {
                return Err(Wrong::new(format!(
                    "{} has no workflows; they are files whose name ends in .yaml",
                    out::path(path)
                )));
            }
            files
        } else {
            vec![path.clone()]
        };
        for file in files {
            let text = fs::read(&file)
                .map_err(|why| Wrong::new(format!("cannot read {}: {why}", out::path(&file))))?;
            let text = String::from_utf8(text).map_err(|_| {
                Wrong::new(format!("{} is not UTF-8 text; save it as UTF-8", out::path(&file)))
            })?;
            let name = file.display().to_string();
            if !sources.iter().any(|(there, _)| there == &name) {
                sources.push((name, text));
            }
        }
    }
    Ok(sources)
}

fn workflows(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_yaml = name.ends_with(".yaml") || name.ends_with(".yml");
        let is_test = name.ends_with(".test.yaml") || name.ends_with(".test.yml");
        if is_yaml && !is_test && !name.starts_with('.') && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The diagnostics of all files as a person reads them, file by file.
pub(crate) fn rendered(sources: &Sources, found: &[Diagnostic], color: bool) -> String {
    sources
        .iter()
        .map(|(file, text)| {
            let of_file: Vec<Diagnostic> =
                found.iter().filter(|diagnostic| &diagnostic.file == file).cloned().collect();
            render(&of_file, text, color)
        })
        .collect()
}
