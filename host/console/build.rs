//! Brings in what the pages take from npm (package.json, by its lock file), and
//! writes the table of all files beside the pages, so that the program embeds
//! them. No foreign code lies in the repository.
//!
//! npm runs again only where the lock file is another one than at the last
//! build; no package's own scripts are run.

use std::{
    env,
    error::Error,
    fmt::Write,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
};

/// The files of packages that the pages ask for: what they are called in an
/// address, and where they are.
const OF_PACKAGES: [(&str, &str); 3] = [
    ("htmx.js", "htmx.org/dist/htmx.min.js"),
    ("htmx-sse.js", "htmx-ext-sse/dist/sse.min.js"),
    ("idiomorph.js", "idiomorph/dist/idiomorph-ext.min.js"),
];

/// What npm reads.
const OF_NPM: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// The mark of an installation that came to its end: the lock file as it was.
const INSTALLED: &str = "installed.json";

const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

#[allow(clippy::disallowed_methods, reason = "cargo names the directory in a variable only")]
fn main() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed=build.rs");
    for file in OF_NPM {
        println!("cargo::rerun-if-changed={file}");
    }
    let packages = installed(here, &out.join("npm"))?;
    let mut files: Vec<(String, PathBuf)> = OF_PACKAGES
        .iter()
        .map(|(name, path)| ((*name).to_owned(), packages.join(path)))
        .collect();
    // A directory stands for everything in it.
    println!("cargo::rerun-if-changed=assets");
    for entry in fs::read_dir(here.join("assets"))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        files.push((name.ok_or("a file in assets/ has no plain name")?.to_owned(), path));
    }
    files.sort();
    let mut table = "&[\n".to_owned();
    for (name, path) in files {
        if !path.is_file() {
            return Err(format!("{} is no file; see OF_PACKAGES", path.display()).into());
        }
        writeln!(table, "    ({name:?}, include_bytes!({:?})),", path.display().to_string())?;
    }
    table.push_str("]\n");
    fs::write(out.join("assets.rs"), table)?;
    Ok(())
}

/// The packages of the lock file, in a directory of the build's own.
fn installed(here: &Path, there: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let packages = there.join("node_modules");
    let lock = fs::read_to_string(here.join("package-lock.json"))?;
    let mark = there.join(INSTALLED);
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == lock) {
        return Ok(packages);
    }
    fs::create_dir_all(there)?;
    for file in OF_NPM {
        fs::copy(here.join(file), there.join(file))?;
    }
    let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    let done = Command::new(NPM).args(arguments).current_dir(there).output();
    let done = done.map_err(|why| match why.kind() {
        ErrorKind::NotFound => "the console's scripts come from npm, and there is no npm here: \
            install Node.js 18 or newer with npm (on Debian, as root: \
            apt-get install --no-install-recommends nodejs npm), or run `cargo xtask setup`"
            .to_owned(),
        _ => format!("npm could not be started: {why}"),
    })?;
    if !done.status.success() {
        let told = String::from_utf8_lossy(&done.stderr);
        let what = "npm could not install what host/console/package-lock.json names; \
            it needs its registry the first time";
        return Err(format!("{what}:\n{}", told.trim_end()).into());
    }
    fs::write(mark, lock)?;
    Ok(packages)
}
