//! Brings in what the pages take from npm (package.json, by its lock file), makes
//! one file of each of our scripts with what it imports, and writes the table of
//! all files beside the pages, each also compressed, so that the program embeds
//! them. No foreign code lies in the repository.
//!
//! npm runs again only where the lock file is another one than at the last
//! build; no package's own scripts are run.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use flate2::{Compression, write::GzEncoder};

/// The files of packages that the pages ask for: what they are called in an
/// address, and where they are.
const OF_PACKAGES: [(&str, &str); 3] = [
    ("htmx.js", "htmx.org/dist/htmx.min.js"),
    ("htmx-sse.js", "htmx-ext-sse/dist/sse.min.js"),
    ("idiomorph.js", "idiomorph/dist/idiomorph-ext.min.js"),
];

/// Our own scripts that import from packages, by their names in `scripts/`.
const BUNDLES: [&str; 1] = ["editor.js"];

/// What makes one file of such a script; it stays behind at the build.
const BUNDLER: &str = "esbuild";

/// What browsers must understand: import no more than what all of 2022 do.
const TARGET: &str = "--target=es2022";

/// The licences of what is embedded.
const LICENSES: &str = "licenses.txt";

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
    let mut files: Vec<(String, PathBuf)> =
        OF_PACKAGES.iter().map(|(name, path)| ((*name).to_owned(), packages.join(path))).collect();
    // A directory stands for everything in it.
    println!("cargo::rerun-if-changed=assets");
    for entry in fs::read_dir(here.join("assets"))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        files.push((name.ok_or("a file in assets/ has no plain name")?.to_owned(), path));
    }
    println!("cargo::rerun-if-changed=scripts");
    for name in BUNDLES {
        let bundle = out.join(name);
        make_bundle(&here.join("scripts").join(name), &packages, &bundle)?;
        files.push((name.to_owned(), bundle));
    }
    let licenses = out.join(LICENSES);
    fs::write(&licenses, licenses_of(&packages)?)?;
    files.push((LICENSES.to_owned(), licenses));
    files.sort();
    let packed = out.join("packed");
    fs::create_dir_all(&packed)?;
    let mut table = "&[\n".to_owned();
    for (name, path) in files {
        if !path.is_file() {
            return Err(format!("{} is no file; see OF_PACKAGES", path.display()).into());
        }
        let gzip = packed.join(format!("{name}.gz"));
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&fs::read(&path)?)?;
        fs::write(&gzip, encoder.finish()?)?;
        let [plain, gzip] = [path, gzip].map(|path| path.display().to_string());
        writeln!(
            table,
            "    File {{ name: {name:?}, plain: include_bytes!({plain:?}), gzip: include_bytes!({gzip:?}) }},"
        )?;
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

/// Makes one file of a script and what it imports.
fn make_bundle(script: &Path, packages: &Path, bundle: &Path) -> Result<(), Box<dyn Error>> {
    let done = Command::new("node")
        .arg(packages.join(BUNDLER).join("bin").join(BUNDLER))
        .arg(script)
        .args(["--bundle", "--minify", "--format=iife", TARGET, "--log-level=warning"])
        .arg(format!("--banner:js=/*! The licences of what is in here: /assets/{LICENSES} */"))
        .arg(format!("--outfile={}", bundle.display()))
        .env("NODE_PATH", packages)
        .output()
        .map_err(|why| format!("node could not be started: {why}"))?;
    if done.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&done.stderr);
    Err(format!("{} could not be bundled:\n{}", script.display(), told.trim_end()).into())
}

/// The licences of all packages but the bundler's, one behind the other.
fn licenses_of(packages: &Path) -> Result<String, Box<dyn Error>> {
    let mut all = String::new();
    let mut left = vec![packages.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let name = name.unwrap_or_default();
            match name.as_str() {
                _ if !path.is_dir() || name.starts_with('.') || name.contains(BUNDLER) => {}
                _ if name.starts_with('@') => left.push(path),
                _ => found.push(path),
            }
        }
    }
    found.sort();
    for package in found {
        let license = ["LICENSE", "LICENSE.md", "LICENSE.txt"].map(|name| package.join(name));
        let license = license.iter().find(|path| path.is_file());
        let license = license.ok_or_else(|| format!("{} has no licence", package.display()))?;
        let name = package.strip_prefix(packages)?.display();
        writeln!(all, "# {name}\n\n{}\n", fs::read_to_string(license)?.trim_end())?;
    }
    Ok(all)
}
