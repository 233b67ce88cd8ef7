//! Workflow files, as they are named on the command line.

use std::{
    fs,
    path::{Path, PathBuf},
};

use relata_app::{
    model::text::nearest,
    testing::is_test_file,
    workflow::{Diagnostic, render},
};

use crate::{failure::Wrong, out};

/// File names, as a person would write them, and texts.
pub(crate) type Sources = Vec<(String, String)>;

/// Reads the files, and the `*.yaml` files of the folders, among `paths`;
/// tests (`*.test.yaml`) are left out where a folder is named.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Sources, Wrong> {
    let mut sources = Sources::new();
    for path in paths {
        let files = if is_folder(path)? {
            let files = yaml(path, false).map_err(|why| unreadable(path, &why))?;
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
            let text = text_of(&file)?;
            let name = file.display().to_string();
            if !sources.iter().any(|(there, _)| there == &name) {
                sources.push((name, text));
            }
        }
    }
    Ok(sources)
}

/// The same with the tests of the folders, and with the workflows beside a
/// test that is named: what `relata check` looks at.
pub(crate) fn read_all(paths: &[PathBuf]) -> Result<Sources, Wrong> {
    let mut sources = read(paths)?;
    let mut add = |file: &Path| -> Result<(), Wrong> {
        let name = file.display().to_string();
        if !sources.iter().any(|(there, _)| *there == name) {
            sources.push((name, text_of(file)?));
        }
        Ok(())
    };
    for path in paths {
        let is_test = is_test_file(&path.display().to_string());
        if path.is_dir() {
            for test in yaml(path, true).map_err(|why| unreadable(path, &why))? {
                add(&test)?;
            }
        } else if is_test {
            for workflow in siblings(path).map_err(|why| unreadable(path, &why))? {
                add(&workflow)?;
            }
        }
    }
    Ok(sources)
}

/// The workflows beside a file, named as it is named.
fn siblings(file: &Path) -> std::io::Result<Vec<PathBuf>> {
    match file.parent() {
        Some(folder) if folder != Path::new("") => yaml(folder, false),
        _ => Ok(yaml(Path::new("."), false)?
            .iter()
            .map(|path| path.strip_prefix(".").unwrap_or(path).to_owned())
            .collect()),
    }
}

/// Reads a workflow's file, and the workflows beside it: those that it runs,
/// and the blueprint that it is made of.
pub(crate) fn beside(file: &Path) -> Result<Sources, Wrong> {
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut sources = read(&[file.to_owned()])?;
    let same = |other: &Path| other.file_name() == file.file_name();
    let others = yaml(folder, false).map_err(|why| unreadable(folder, &why))?;
    for other in others.iter().filter(|other| !same(other)) {
        sources.push((other.display().to_string(), text_of(other)?));
    }
    Ok(sources)
}

/// Reads the test files among `paths`, those of the folders among them, and
/// those of workflows that are named; and all workflows beside each.
pub(crate) fn read_tests(paths: &[PathBuf]) -> Result<Sources, Wrong> {
    let mut files = Vec::new();
    let mut add = |file: PathBuf| {
        if !files.contains(&file) {
            files.push(file);
        }
    };
    for path in paths {
        let is_folder = is_folder(path)?;
        let name = path.display().to_string();
        let tests = if is_folder {
            yaml(path, true).map_err(|why| unreadable(path, &why))?
        } else if is_test_file(&name) {
            vec![path.clone()]
        } else {
            let test = path.with_extension("test.yaml");
            if !test.is_file() {
                return Err(Wrong::new(format!(
                    "{} has no tests: there is no {}",
                    out::path(path),
                    out::path(&test)
                )));
            }
            vec![test]
        };
        if tests.is_empty() {
            return Err(Wrong::new(format!(
                "{} has no tests; they are files whose name ends in .test.yaml",
                out::path(path)
            )));
        }
        tests.into_iter().for_each(&mut add);
        let workflows = if is_folder { yaml(path, false) } else { siblings(path) };
        workflows.map_err(|why| unreadable(path, &why))?.into_iter().for_each(&mut add);
    }
    let mut sources = Sources::new();
    for file in files {
        sources.push((file.display().to_string(), text_of(&file)?));
    }
    Ok(sources)
}

/// Reads the tests of a plugin: the `*.test.yaml` files of its folder.
pub(crate) fn read_tests_of(folder: &Path) -> Result<Sources, Wrong> {
    let files = match yaml(folder, true) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        read => read.map_err(|why| unreadable(folder, &why))?,
    };
    if files.is_empty() {
        return Err(Wrong::new(format!(
            "the plugin has no tests; they are files in {} whose name ends in .test.yaml",
            out::path(folder)
        )));
    }
    files.iter().map(|file| Ok((file.display().to_string(), text_of(file)?))).collect()
}

fn is_folder(path: &Path) -> Result<bool, Wrong> {
    Ok(fs::metadata(path).map_err(|why| unreadable(path, &why))?.is_dir())
}

/// Why a path cannot be read; of one that is not there, what may be meant.
fn unreadable(path: &Path, why: &std::io::Error) -> Wrong {
    if why.kind() != std::io::ErrorKind::NotFound {
        return Wrong::new(format!("cannot read {}: {why}", out::path(path)));
    }
    let there_is_no = format!("there is no {}", out::path(path));
    Wrong::new(match meant(path) {
        Some(meant) => format!("{there_is_no}; did you mean {}?", out::path(&meant)),
        None => there_is_no,
    })
}

/// The file that is called so, or nearly so: in the folder that was named, in
/// `workflows`, or here. `.yaml` may be left out.
fn meant(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let name = if path.extension().is_some() { name.to_owned() } else { format!("{name}.yaml") };
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    let mut files = Vec::new();
    for folder in [parent.unwrap_or(Path::new(".")), Path::new("workflows"), Path::new(".")] {
        files.extend(yaml(folder, is_test_file(&name)).unwrap_or_default());
    }
    let called =
        |file: &PathBuf| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let names: Vec<String> = files.iter().map(called).collect();
    let nearest = nearest(&name, names.iter().map(String::as_str))?;
    let place = names.iter().position(|name| name == nearest)?;
    let found = &files[place];
    Some(found.strip_prefix(".").unwrap_or(found).to_owned())
}

fn text_of(file: &Path) -> Result<String, Wrong> {
    let text = fs::read(file).map_err(|why| unreadable(file, &why))?;
    String::from_utf8(text)
        .map_err(|_| Wrong::new(format!("{} is not UTF-8 text; save it as UTF-8", out::path(file))))
}

/// The workflows of a folder, or its tests.
fn yaml(folder: &Path, tests: bool) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_yaml = name.ends_with(".yaml") || name.ends_with(".yml");
        if is_yaml && is_test_file(&name) == tests && !name.starts_with('.') && path.is_file() {
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
