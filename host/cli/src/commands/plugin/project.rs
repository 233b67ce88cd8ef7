//! The folder in which a plugin is written.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::SystemTime,
};

use relata_app::{package::PluginManifest, sandbox, testing::plugin::load_plugin};

use crate::{context::compiler, failure::Wrong, out, progress};

/// What makes a folder a plugin's.
pub(super) const MANIFEST: &str = "plugin.toml";

/// Folders of a project in which builds and tools leave their work.
const NOT_SOURCES: [&str; 6] = ["build", "target", "node_modules", ".venv", "__pycache__", ".git"];

/// A plugin's folder with its plugin.toml.
pub(super) struct Project {
    pub(super) folder: PathBuf,
    pub(super) manifest: PluginManifest,
}

impl Project {
    /// Reads the plugin.toml of a folder.
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        let file = folder.join(MANIFEST);
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(why) if why.kind() == ErrorKind::NotFound => return Err(not_there(folder).into()),
            Err(why) => {
                return Err(Wrong::new(format!("cannot read {}: {why}", out::path(&file))).into());
            }
        };
        let manifest = PluginManifest::parse(&text).map_err(relata_app::AppError::from)?;
        Ok(Self { folder: folder.to_owned(), manifest })
    }

    /// The project in which a component lies: the first folder above it with a
    /// plugin.toml.
    pub(super) fn around(component: &Path) -> anyhow::Result<Self> {
        let absolute = component.canonicalize().map_err(|why| unreadable(component, &why))?;
        let found = absolute.ancestors().skip(1).find(|folder| folder.join(MANIFEST).is_file());
        match found {
            Some(folder) => Self::open(folder),
            None => Err(Wrong::new(format!(
                "there is no {MANIFEST} beside or above {}; it says what the component may do",
                out::path(component)
            ))
            .into()),
        }
    }

    /// Where the component is.
    pub(super) fn component(&self) -> PathBuf {
        tidy(&self.folder.join(self.manifest.component()))
    }

    /// Where the component is compiled to, so that it is compiled once.
    fn cache(&self) -> PathBuf {
        self.folder.join("build/cache")
    }

    /// The component that was built.
    pub(super) fn built(&self) -> anyhow::Result<Vec<u8>> {
        let file = self.component();
        match fs::read(&file) {
            Ok(bytes) => Ok(bytes),
            Err(why) if why.kind() == ErrorKind::NotFound => Err(Wrong::new(format!(
                "{} is not there; `relata plugin build{}` makes it",
                out::path(&file),
                self.argument()
            ))
            .into()),
            Err(why) => Err(unreadable(&file, &why).into()),
        }
    }

    /// Loads a component as an installation would.
    pub(super) async fn load(&self, component: Vec<u8>) -> anyhow::Result<sandbox::Plugin> {
        let cache = self.cache();
        fs::create_dir_all(self.folder.join("build"))?;
        let waiting = progress::spinner("loading the plugin");
        let loaded = load_plugin(self.manifest.clone(), component, Some(&cache), compiler()).await;
        waiting.finish_and_clear();
        Ok(loaded?)
    }

    /// Says so where something was changed after the component was built.
    pub(super) fn say_if_stale(&self) {
        let built = fs::metadata(self.component()).and_then(|meta| meta.modified());
        let Ok(built) = built else { return };
        if let Some(file) = newer(&self.folder, built) {
            out::note(&format!(
                "{} is newer than {}; `relata plugin build{}` builds it anew",
                out::path(&tidy(&file)),
                out::path(&self.component()),
                self.argument()
            ));
        }
    }

    /// The folder as a command's argument; nothing for the current one.
    pub(super) fn argument(&self) -> String {
        if self.folder == Path::new(".") {
            return String::new();
        }
        format!(" {}", super::shown::argument(&self.folder))
    }
}

/// Whether a change of this file is one of the project's author.
pub(super) fn is_source(project: &Path, file: &Path) -> bool {
    let inside = file.strip_prefix(project).unwrap_or(file);
    !inside.iter().any(|part| {
        let part = part.to_string_lossy();
        NOT_SOURCES.contains(&part.as_ref()) || part.ends_with('~') || part.ends_with(".swp")
    })
}

/// A source of the component that is newer than it. Tests are none, and the SDK
/// is not the author's.
fn newer(folder: &Path, built: SystemTime) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter().filter(|path| is_source(folder, path)).find_map(|path| {
        let name = path.file_name()?.to_str()?.to_owned();
        if path.is_dir() {
            let is_other = ["tests", "sdk", "templates"].contains(&name.as_str());
            return if is_other { None } else { newer(&path, built) };
        }
        let is_text = name.starts_with('.') || name.ends_with(".md") || name.ends_with(".lock");
        let changed = fs::metadata(&path).and_then(|meta| meta.modified()).ok()?;
        (!is_text && changed > built).then_some(path)
    })
}

/// `src/lib.rs` of `./src/lib.rs`.
pub(super) fn tidy(path: &Path) -> PathBuf {
    path.strip_prefix(".").unwrap_or(path).to_owned()
}

fn unreadable(file: &Path, why: &std::io::Error) -> Wrong {
    match why.kind() {
        ErrorKind::NotFound => Wrong::new(format!("there is no {}", out::path(file))),
        _ => Wrong::new(format!("cannot read {}: {why}", out::path(file))),
    }
}

fn not_there(folder: &Path) -> Wrong {
    if !folder.is_dir() {
        return Wrong::new(format!(
            "there is no folder {}; `relata plugin new NAME` makes a plugin",
            out::path(folder)
        ));
    }
    let what =
        if folder == Path::new(".") { "the current folder".to_owned() } else { out::path(folder) };
    Wrong::new(format!(
        "{what} is not a plugin's (it has no {MANIFEST}); `relata plugin new NAME` makes one"
    ))
}
