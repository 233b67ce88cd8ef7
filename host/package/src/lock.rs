//! `relata.lock`: which plugins are installed, and what was agreed to for
//! each. One text for one content, so that it can be kept in a repository.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::manifest::is_name;
use crate::package::Package;
use crate::permissions::Permissions;
use crate::plain::{plain_start, toml_error};
use crate::signature::PublicKey;

/// The form of the file that this host reads and writes.
const FORM: u32 = 1;

const HEAD: &str = "\
# The installed plugins, and what was agreed to for each. `relata plugin install`
# and `relata plugin remove` write it; keep it in the repository. What lies in
# plugins/ and does not fit it is not run.

";

/// A parsed `relata.lock`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lock {
    /// The installed plugins, by name.
    pub plugins: BTreeMap<String, LockEntry>,
}

/// What was agreed to for one plugin.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LockEntry {
    /// Its version.
    pub version: String,
    /// The contract it was built against.
    pub contract: String,
    /// The package's digest: what was shown when it was agreed to.
    pub package: Digest,
    /// The component's.
    pub component: Digest,
    /// The manifest's.
    pub manifest: Digest,
    /// Whose signature it carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<PublicKey>,
    /// Where it came from: a file, a folder or `oci://…`.
    pub source: String,
    /// What it may do; never more than its manifest asks for.
    #[serde(default)]
    pub granted: Permissions,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    version: u32,
    #[serde(default)]
    plugins: BTreeMap<String, LockEntry>,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    plugins: &'a BTreeMap<String, LockEntry>,
}

/// A `relata.lock` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// It is not TOML, or not of the lock's shape.
    #[error(
        "relata.lock cannot be read: {0}\nPut back the last version that was good; `relata plugin install` writes it, nobody else should"
    )]
    Shape(String),
    /// Git left both sides in it.
    #[error(
        "relata.lock holds the marks of a merge (<<<<<<<): take one side, and install the plugins of the other again with `relata plugin install`"
    )]
    Conflict,
    /// It is of a later host.
    #[error(
        "relata.lock is of version {0}, and this host reads version {FORM}: a newer Relata wrote it; use that one"
    )]
    Newer(u32),
    /// A name that no plugin can have.
    #[error("relata.lock: `{0}` cannot be the name of a plugin")]
    Name(String),
}

impl Lock {
    /// Parses the text of a `relata.lock`.
    ///
    /// # Errors
    ///
    /// [`LockError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        #[derive(Deserialize)]
        struct Form {
            version: u32,
        }

        if text.lines().any(|line| line.starts_with("<<<<<<<")) {
            return Err(LockError::Conflict);
        }
        // The version first: a later form may have fields that are unknown here.
        if let Ok(Form { version }) = toml::from_str(text)
            && version > FORM
        {
            return Err(LockError::Newer(version));
        }
        let read: Read = toml::from_str(text).map_err(|why| LockError::Shape(toml_error(&why)))?;
        if read.version != FORM {
            return Err(LockError::Shape(format!("its version is {}, not {FORM}", read.version)));
        }
        match read.plugins.keys().find(|name| !is_name(name)) {
            Some(name) => Err(LockError::Name(plain_start(name))),
            None => Ok(Self { plugins: read.plugins }),
        }
    }

    /// Its text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let written = Written { version: FORM, plugins: &self.plugins };
        HEAD.to_owned() + &toml::to_string(&written).expect("texts, numbers and tables are TOML")
    }
}

impl LockEntry {
    /// The entry of a package.
    #[must_use]
    pub fn of(package: &Package, source: String, granted: Permissions) -> Self {
        let (manifest, digests) = (package.manifest(), package.digests());
        Self {
            version: manifest.version.clone(),
            contract: manifest.contract.clone(),
            package: digests.package,
            component: digests.component,
            manifest: digests.manifest,
            signer: package.signer(),
            source,
            granted,
        }
    }

    /// Whether a package is the one that was agreed to.
    ///
    /// # Errors
    ///
    /// [`Mismatch`] names everything that differs.
    pub fn check(&self, package: &Package) -> Result<(), Mismatch> {
        let found = Self::of(package, self.source.clone(), Permissions::default());
        let mut differences = Vec::new();
        let mut compare = |what, locked: &dyn fmt::Display, found: &dyn fmt::Display| {
            let (locked, found) = (locked.to_string(), found.to_string());
            if locked != found {
                differences.push(Difference { what, locked, found });
            }
        };
        compare("version", &self.version, &found.version);
        compare("contract", &self.contract, &found.contract);
        compare("manifest", &self.manifest, &found.manifest);
        compare("component", &self.component, &found.component);
        compare("signer", &named(self.signer), &named(found.signer));
        // The schemas have no digest of their own here.
        if self.manifest == found.manifest && self.component == found.component {
            compare("package digest", &self.package, &found.package);
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(Mismatch { plugin: package.manifest().name.clone(), differences })
    }
}

fn named(signer: Option<PublicKey>) -> String {
    signer.map_or_else(|| "nobody".to_owned(), |key| key.to_string())
}

/// A package that is not the one that was agreed to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mismatch {
    /// The plugin.
    pub plugin: String,
    /// What differs; there is at least one.
    pub differences: Vec<Difference>,
}

/// Something in which a package and its entry differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `version`, `contract`, `manifest`, `component`, `signer` or `package
    /// digest`.
    pub what: &'static str,
    /// What the lock has.
    pub locked: String,
    /// What the package has.
    pub found: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Difference { what, locked, found }) in self.differences.iter().enumerate() {
            let (before, of) = match at {
                0 => ("", format!(" for `{}`", self.plugin)),
                _ => ("; ", String::new()),
            };
            write!(f, "{before}relata.lock has the {what} {locked}{of}, the files have {found}")?;
        }
        f.write_str(
            ": somebody changed the files or the lock. Put back what belongs together, or run `relata plugin install FILE`, which shows the new one and asks",
        )
    }
}

#[cfg(test)]
mod tests;
