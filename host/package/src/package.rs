//! A plugin in one file, `NAME-VERSION.relata`.
//!
//! It is a gzip'd tar of four plain files:
//!
//! - `plugin.toml`: the manifest,
//! - `component.wasm`: the WebAssembly component,
//! - `schemas.json`: the actions, as the component describes them,
//! - `signature.toml`: who answers for the three, if anybody does.
//!
//! Its digest is that of what `sha256sum component.wasm plugin.toml
//! schemas.json` prints, so it does not depend on how the file was compressed.

use std::collections::BTreeMap;

use crate::archive::{self, ArchiveError, Slot};
use crate::digest::Digest;
use crate::manifest::{ManifestError, PluginManifest};
use crate::plain::toml_error;
use crate::schemas::{self, Action};
use crate::signature::{BadSignature, PublicKey, SecretKey, Signature};

/// The most that a component may take up.
pub const MAX_COMPONENT_BYTES: usize = 32 << 20;

/// The most that a package may take up: what its files may, and some room for
/// what does not get smaller when it is compressed.
pub const MAX_PACKAGE_BYTES: usize =
    MAX_COMPONENT_BYTES + MANIFEST.limit + SCHEMAS.limit + SIGNATURE.limit + (1 << 20);

const COMPONENT: Slot = Slot { name: "component.wasm", limit: MAX_COMPONENT_BYTES };
const MANIFEST: Slot = Slot { name: "plugin.toml", limit: 64 << 10 };
const SCHEMAS: Slot = Slot { name: "schemas.json", limit: 4 << 20 };
const SIGNATURE: Slot = Slot { name: "signature.toml", limit: 4 << 10 };

/// The files of a package, as they lie in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// `plugin.toml`
    pub manifest: Vec<u8>,
    /// `component.wasm`
    pub component: Vec<u8>,
    /// `schemas.json`
    pub schemas: Vec<u8>,
    /// `signature.toml`
    pub signature: Option<Vec<u8>>,
}

/// The digests of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digests {
    /// Of all of it but the signature: what is signed and agreed to.
    pub package: Digest,
    /// Of the component.
    pub component: Digest,
    /// Of the manifest's text.
    pub manifest: Digest,
}

/// A whole package. Where it has a signature, that is a good one.
#[derive(Debug, Clone)]
pub struct Package {
    parts: Parts,
    manifest: PluginManifest,
    actions: Vec<Action>,
    digests: Digests,
    signer: Option<PublicKey>,
}

/// What is no package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// The container.
    #[error("this is no plugin package, or a broken one: {0}. {MAKE}")]
    Archive(#[from] ArchiveError),
    /// A file that every package has.
    #[error("the package has no `{0}`. {MAKE}")]
    Missing(&'static str),
    /// A file is larger than it may be.
    #[error("the package's `{name}` is larger than {limit}, the most it may be")]
    TooLarge {
        /// The file.
        name: &'static str,
        /// The most, readable.
        limit: String,
    },
    /// A file that should be a text.
    #[error("the package's `{0}` is not a text in UTF-8. {MAKE}")]
    NotText(&'static str),
    /// A component that is none.
    #[error(
        "the package's `component.wasm` is {0}, not a WebAssembly component; `relata plugin build` makes one"
    )]
    NotAComponent(&'static str),
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The schemas.
    #[error("the package's `schemas.json` {0}. {MAKE}")]
    Schemas(String),
    /// A signature that does not read as one.
    #[error("the package's `signature.toml` cannot be read: {0}. `relata plugin sign` writes it")]
    Signature(String),
    /// A signature that is wrong.
    #[error("{0}. Get the package again from its author; do not install this one")]
    BadSignature(#[from] BadSignature),
}

const MAKE: &str =
    "Get it again, or make it again with `relata plugin pack` in the plugin's folder";

impl Package {
    /// Puts a package together.
    ///
    /// # Errors
    ///
    /// [`PackageError`] names the file that is wrong.
    pub fn from_parts(parts: Parts) -> Result<Self, PackageError> {
        check_sizes(&parts)?;
        check_component(&parts.component)?;
        let manifest = PluginManifest::parse(text(MANIFEST, &parts.manifest)?)?;
        let actions =
            schemas::parse(text(SCHEMAS, &parts.schemas)?).map_err(PackageError::Schemas)?;
        let digests = Digests::of(&parts);
        let signer = match &parts.signature {
            Some(signature) => {
                let signature: Signature = toml::from_str(text(SIGNATURE, signature)?)
                    .map_err(|why| PackageError::Signature(toml_error(&why)))?;
                Some(signature.verify(&digests.package)?)
            }
            None => None,
        };
        Ok(Self { parts, manifest, actions, digests, signer })
    }

    /// Reads a `.relata` file. Whatever the bytes are, it takes no more memory
    /// than a package may.
    ///
    /// # Errors
    ///
    /// [`PackageError`] says what is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, PackageError> {
        let mut files = archive::unpack(bytes, &[COMPONENT, MANIFEST, SCHEMAS, SIGNATURE])?;
        let component =
            files.remove(COMPONENT.name).ok_or(PackageError::Missing(COMPONENT.name))?;
        Self::assemble(component, files)
    }

    /// The `.relata` file: the same bytes for the same package.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut files = vec![(COMPONENT.name, self.parts.component.as_slice())];
        files.extend(self.about());
        archive::pack(&files)
    }

    /// Reads a package whose component travels by itself, as in a registry;
    /// `about` is what [`Package::write_about`] wrote.
    ///
    /// # Errors
    ///
    /// [`PackageError`] says what is wrong with it.
    pub fn read_split(component: Vec<u8>, about: &[u8]) -> Result<Self, PackageError> {
        Self::assemble(component, archive::unpack(about, &[MANIFEST, SCHEMAS, SIGNATURE])?)
    }

    /// A gzip'd tar of everything but the component.
    #[must_use]
    pub fn write_about(&self) -> Vec<u8> {
        archive::pack(&self.about())
    }

    fn assemble(
        component: Vec<u8>,
        mut files: BTreeMap<&'static str, Vec<u8>>,
    ) -> Result<Self, PackageError> {
        let mut need = |slot: Slot| files.remove(slot.name).ok_or(PackageError::Missing(slot.name));
        let (manifest, schemas) = (need(MANIFEST)?, need(SCHEMAS)?);
        let signature = files.remove(SIGNATURE.name);
        Self::from_parts(Parts { manifest, component, schemas, signature })
    }

    fn about(&self) -> Vec<(&'static str, &[u8])> {
        let mut files = vec![
            (MANIFEST.name, self.parts.manifest.as_slice()),
            (SCHEMAS.name, self.parts.schemas.as_slice()),
        ];
        files.extend(self.parts.signature.iter().map(|signature| (SIGNATURE.name, &**signature)));
        files
    }

    /// Its files.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Its `plugin.toml`.
    #[must_use]
    pub fn manifest(&self) -> &PluginManifest {
        &self.manifest
    }

    /// Its actions.
    #[must_use]
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// Its digests.
    #[must_use]
    pub fn digests(&self) -> &Digests {
        &self.digests
    }

    /// Whose signature it carries.
    #[must_use]
    pub fn signer(&self) -> Option<PublicKey> {
        self.signer
    }

    /// Signs it; a signature that it had is replaced.
    pub fn sign(&mut self, key: &SecretKey) {
        self.parts.signature = Some(key.sign(&self.digests.package).to_toml().into_bytes());
        self.signer = Some(key.public());
    }

    /// What its file is called: `enrich-0.1.0.relata`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}.relata", self.manifest.name, self.manifest.version)
    }
}

impl Digests {
    fn of(parts: &Parts) -> Self {
        let (component, manifest) = (Digest::of(&parts.component), Digest::of(&parts.manifest));
        let mut listing = String::new();
        for (slot, digest) in
            [(COMPONENT, component), (MANIFEST, manifest), (SCHEMAS, Digest::of(&parts.schemas))]
        {
            listing += &format!("{}  {}\n", digest.hex(), slot.name);
        }
        Self { package: Digest::of(listing.as_bytes()), component, manifest }
    }
}

fn check_sizes(parts: &Parts) -> Result<(), PackageError> {
    let signature = parts.signature.as_deref().unwrap_or_default();
    for (slot, bytes) in [
        (COMPONENT, &*parts.component),
        (MANIFEST, &parts.manifest),
        (SCHEMAS, &parts.schemas),
        (SIGNATURE, signature),
    ] {
        if bytes.len() > slot.limit {
            let limit = archive::size(slot.limit);
            return Err(PackageError::TooLarge { name: slot.name, limit });
        }
    }
    Ok(())
}

/// Looks at the eight bytes in front; the rest is for the sandbox to judge.
fn check_component(bytes: &[u8]) -> Result<(), PackageError> {
    match bytes {
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            Err(PackageError::NotAComponent("a core WebAssembly module"))
        }
        _ => Err(PackageError::NotAComponent("something else")),
    }
}

fn text(slot: Slot, bytes: &[u8]) -> Result<&str, PackageError> {
    std::str::from_utf8(bytes).map_err(|_| PackageError::NotText(slot.name))
}

#[cfg(test)]
mod tests;
