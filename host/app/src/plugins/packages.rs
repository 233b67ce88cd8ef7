//! Packages, wherever they lie: in a file, in an author's folder, in a
//! registry. Each is looked into before anybody is asked to agree to it.

use std::path::{Path, PathBuf};

use relata_channels::{Login, Oci, OciReference};
use relata_package::{
    Action, Answer, MAX_COMPONENT_BYTES, MAX_PACKAGE_BYTES, Package, Parts, Permissions,
    PluginManifest, SecretKey, schemas_json,
};
use relata_sandbox::{Compiler, Descriptor, Plugin, Sandbox};

use super::folder::{bounded, rename, write};
use crate::{AppError, fresh};

/// Gets packages and looks into them.
#[derive(Debug)]
pub struct Packages {
    sandbox: Sandbox,
    oci: Oci,
}

/// A package with what its component really is.
#[derive(Debug)]
pub struct Offered {
    /// The package.
    pub package: Package,
    /// Where it came from: a path, or a place in a registry down to its digest.
    pub source: String,
    /// What its component imports: `relata:plugin/log@0.1.0` and so on.
    pub imports: Vec<String>,
}

impl Packages {
    /// Sets it up. Components are compiled by `compiler`, and their code is kept
    /// in `cache`; `ca_file` and `login` are for registries.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the sandbox cannot start, or `ca_file` does not read.
    pub fn new(
        cache: Option<&Path>,
        compiler: Compiler,
        ca_file: Option<&Path>,
        login: Option<Login>,
    ) -> Result<Self, AppError> {
        let oci = Oci::new(ca_file, login).map_err(|why| AppError::wrong(why.to_string()))?;
        Ok(Self { sandbox: super::sandbox(cache, compiler)?, oci })
    }

    /// Opens what a person named: `oci://…`, a folder with a plugin.toml, or a
    /// `.relata` file.
    ///
    /// # Errors
    ///
    /// [`AppError`] where there is no package, or its component is not what it
    /// says.
    pub async fn open(&self, source: &str) -> Result<Offered, AppError> {
        if source.starts_with("oci://") {
            let place: OciReference =
                source.parse().map_err(|why| AppError::wrong(format!("{why}")))?;
            let pulled = self.oci.pull(&place).await?;
            return self.look_into(pulled.package, pulled.from.to_string()).await;
        }
        let path = Path::new(source);
        if path.is_dir() {
            return self.pack(path).await;
        }
        if !path.exists() {
            return Err(AppError::wrong(format!(
                "there is no {source}; name a .relata file, a plugin's folder, or oci://HOST/REPOSITORY:VERSION"
            )));
        }
        self.look_into(read_package(path)?, source.to_owned()).await
    }

    /// Makes a package of an author's folder: its manifest, the component that
    /// was built there, and what the component says of its actions.
    ///
    /// # Errors
    ///
    /// [`AppError`] where something is missing or wrong.
    pub async fn pack(&self, folder: &Path) -> Result<Offered, AppError> {
        let file = folder.join("plugin.toml");
        if !file.exists() {
            return Err(AppError::wrong(format!(
                "{} is no plugin's folder: it has no plugin.toml",
                folder.display()
            )));
        }
        let text = bounded(&file, 1 << 20)?;
        let readable = String::from_utf8(text.clone()).map_err(|_| {
            AppError::wrong(format!("{} is not UTF-8 text; save it as UTF-8", file.display()))
        })?;
        let manifest = PluginManifest::parse(&readable)?;
        let component = bounded(&built(folder, &manifest)?, MAX_COMPONENT_BYTES)?;
        let plugin = self.sandbox.load(manifest, None, component.clone()).await?;
        // An installed folder has its signature, which is still good.
        let signature = folder.join("signature.toml");
        let signature = match signature.exists() {
            true => Some(bounded(&signature, 1 << 20)?),
            false => None,
        };
        let schemas = schemas_json(&actions(&plugin)).into_bytes();
        let package = Package::from_parts(Parts { manifest: text, component, schemas, signature })?;
        let source = folder.display().to_string();
        Ok(Offered { package, source, imports: plugin.imports().to_vec() })
    }

    /// Puts a package into a registry; answers where exactly.
    ///
    /// # Errors
    ///
    /// [`AppError`] where `to` is no place in a registry, or it says no.
    pub async fn push(&self, offered: &Offered, to: &str) -> Result<OciReference, AppError> {
        let place: OciReference = to.parse().map_err(|why| AppError::wrong(format!("{why}")))?;
        Ok(self.oci.push(&place, &offered.package, &offered.imports).await?)
    }

    /// Loads the component as the host would, and compares what it says with
    /// what the package says of it.
    async fn look_into(&self, package: Package, source: String) -> Result<Offered, AppError> {
        let component = package.parts().component.clone();
        let plugin = self.sandbox.load(package.manifest().clone(), None, component).await?;
        if actions(&plugin) != package.actions() {
            return Err(AppError::wrong(format!(
                "{source}: its schemas.json says something else of the actions than its component does; get it again, or make it again with `relata plugin pack`"
            )));
        }
        Ok(Offered { package, source, imports: plugin.imports().to_vec() })
    }
}

impl Offered {
    /// What it may do where an operator leaves it no more than `may`; nothing
    /// said leaves it all that it asks for.
    #[must_use]
    pub fn permissions(&self, may: Option<&Permissions>) -> Permissions {
        let asked = &self.package.manifest().permissions;
        may.map_or_else(|| asked.clone(), |may| asked.meet(may))
    }
}

/// Reads a `.relata` file.
///
/// # Errors
///
/// [`AppError`] where it cannot be read, or is no package.
pub fn read_package(file: &Path) -> Result<Package, AppError> {
    Package::read(&bounded(file, MAX_PACKAGE_BYTES)?)
        .map_err(|why| AppError::wrong(format!("{}: {why}", file.display())))
}

/// Writes a `.relata` file, as a whole or not at all. Answers how many bytes it
/// has.
///
/// # Errors
///
/// [`AppError`] where it cannot be written.
pub fn write_package(file: &Path, package: &Package) -> Result<usize, AppError> {
    let bytes = package.write();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let draft = file.with_file_name(format!(".{name}.new"));
    write(&draft, &bytes)?;
    rename(&draft, file)?;
    Ok(bytes.len())
}

/// A new key to sign packages with.
///
/// # Errors
///
/// [`AppError::Fault`] where the machine gives no random numbers.
pub fn new_signing_key() -> Result<SecretKey, AppError> {
    let seed = fresh::secret()
        .map_err(|why| AppError::Fault(format!("this machine gives no random numbers: {why}")))?;
    Ok(SecretKey::from_seed(&seed))
}

/// Where a build left the component.
fn built(folder: &Path, manifest: &PluginManifest) -> Result<PathBuf, AppError> {
    let usual = format!("build/{}.wasm", manifest.name);
    let said = folder.join(manifest.build.component.as_ref().unwrap_or(&usual));
    // As it lies in a data directory.
    let installed = folder.join("component.wasm");
    [&said, &installed].into_iter().find(|file| file.is_file()).cloned().ok_or_else(|| {
        AppError::wrong(format!(
            "{} is not there; `relata plugin build {}` makes it",
            said.display(),
            folder.display()
        ))
    })
}

/// A plugin's actions as a package describes them.
pub(crate) fn actions(plugin: &Plugin) -> Vec<Action> {
    plugin.descriptors().iter().map(action).collect()
}

fn action(described: &Descriptor) -> Action {
    Action {
        id: described.id.clone(),
        title: described.title.clone(),
        summary: described.summary.clone(),
        input: described.input_schema.clone(),
        output: described.output_schema.clone(),
        reads: described.reads.clone(),
        writes: described.writes.clone(),
        correlation: described
            .correlation
            .iter()
            .map(|found| Answer {
                event: found.event.clone(),
                output_field: found.output_field.clone(),
            })
            .collect(),
        exclusive: described.exclusive.clone(),
        idempotent: described.idempotent,
    }
}
