//! Plugins in registries: a package as an OCI artifact.
//!
//! Its form is the one that the CNCF gives WebAssembly, so that a registry and
//! its tools know what they hold: the component is one layer of it, and what
//! belongs to a plugin besides (its manifest, its schemas, its signature) is a
//! second.
//!
//! The client is our own: those that are to be had read answers of any length
//! into memory, where everything here has a bound, and bring a choice of whom
//! to trust with them, where ours is that of the other requests.

mod challenge;
mod error;
mod reference;
mod registry;

use std::fmt;
use std::path::Path;

use relata_package::{Digest, MAX_COMPONENT_BYTES, MAX_PACKAGE_BYTES, Package};
use serde::{Deserialize, Serialize};

pub use self::error::OciError;
pub use self::reference::{BadReference, OciReference};
use self::registry::Session;
use crate::HttpConfigError;

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
const COMPONENT_TYPE: &str = "application/wasm";
const ABOUT_TYPE: &str = "application/vnd.relata.plugin.v1.tar+gzip";

/// The most that a manifest may take up.
const MAX_MANIFEST_BYTES: usize = 1 << 20;

/// The most that all but the component may take up.
const MAX_ABOUT_BYTES: usize = MAX_PACKAGE_BYTES - MAX_COMPONENT_BYTES;

/// What the component of a plugin exports.
const ACTIONS: &str = "relata:plugin/actions";

/// Who asks a registry.
#[derive(Clone)]
pub struct Login {
    /// A name.
    pub user: String,
    /// A password or a token.
    pub password: String,
}

/// The password is nobody's business.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Pulls plugins from registries and pushes them there.
#[derive(Debug)]
pub struct Oci {
    client: reqwest::Client,
    login: Option<Login>,
}

/// A plugin from a registry.
#[derive(Debug)]
pub struct Pulled {
    /// The plugin.
    pub package: Package,
    /// Where exactly it lies, whatever becomes of the tag.
    pub from: OciReference,
}

impl Oci {
    /// Sets it up; nothing is asked yet.
    ///
    /// `ca_file` holds certificates (PEM) to trust beside the usual
    /// authorities.
    ///
    /// # Errors
    ///
    /// [`HttpConfigError`] where that file does not read.
    pub fn new(ca_file: Option<&Path>, login: Option<Login>) -> Result<Self, HttpConfigError> {
        let client = registry::client(crate::http::tls(ca_file)?)
            .map_err(|why| HttpConfigError::Client(why.to_string()))?;
        Ok(Self { client, login })
    }

    /// Gets a plugin. All that is read is bounded and compared with its
    /// digests; whether its signer is to be trusted is for the caller to judge.
    ///
    /// # Errors
    ///
    /// [`OciError`] says what kept it from coming.
    pub async fn pull(&self, image: &OciReference) -> Result<Pulled, OciError> {
        let name = image.manifest().ok_or_else(|| OciError::NoVersion(image.clone().into()))?;
        let mut session = Session::new(&self.client, self.login.as_ref(), image);
        let bytes = session
            .manifest(&name, MAX_MANIFEST_BYTES)
            .await?
            .ok_or_else(|| OciError::Missing(image.clone().into()))?;
        if let Some(digest) = &image.digest {
            session.check("manifest", &bytes, digest)?;
        }
        let not_a_plugin = |why| OciError::NotAPlugin { image: image.clone().into(), why };
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|_| not_a_plugin("its manifest is of another form".to_owned()))?;
        let (component, about) = manifest.layers().map_err(not_a_plugin)?;
        let component =
            self.layer(&mut session, component, "component", MAX_COMPONENT_BYTES).await?;
        let about = self.layer(&mut session, about, "second layer", MAX_ABOUT_BYTES).await?;
        let package = Package::read_split(component, &about)
            .map_err(|why| OciError::Package { image: image.clone().into(), why })?;
        let from = OciReference { digest: Some(Digest::of(&bytes)), ..image.clone() };
        Ok(Pulled { package, from })
    }

    async fn layer(
        &self,
        session: &mut Session<'_>,
        layer: &Descriptor,
        what: &'static str,
        limit: usize,
    ) -> Result<Vec<u8>, OciError> {
        // Its size is known before: nothing that is too large is begun.
        if layer.size > limit as u64 {
            return Err(OciError::TooLarge { image: session.image.clone().into(), what, limit });
        }
        session.blob(&layer.digest, what, limit).await
    }

    /// Puts a plugin there, under its version where `image` has no tag, and
    /// answers where exactly. `imports` is what its component imports.
    ///
    /// The same package always has the same digest. A version that is there
    /// already is not replaced by another package; another tag is.
    ///
    /// # Errors
    ///
    /// [`OciError`] says what kept it from getting there.
    pub async fn push(
        &self,
        image: &OciReference,
        package: &Package,
        imports: &[String],
    ) -> Result<OciReference, OciError> {
        let version = version_tag(package);
        let tag = image.tag.clone().unwrap_or_else(|| version.clone());
        let to = OciReference { tag: Some(tag.clone()), digest: None, ..image.clone() };
        let (component, about) = (&package.parts().component, package.write_about());
        let config = json(&Config::of(package, &about, imports));
        let manifest = json(&Manifest::of(package, &config, &about));

        let mut session = Session::new(&self.client, self.login.as_ref(), &to);
        if tag == version
            && let Some(there) = session.manifest(&tag, MAX_MANIFEST_BYTES).await?
            && there != manifest
        {
            return Err(OciError::Taken(to.into()));
        }
        for blob in [component, &about, &config] {
            session.put_blob(blob).await?;
        }
        session.put_manifest(&tag, &manifest).await?;
        Ok(OciReference { digest: Some(Digest::of(&manifest)), ..to })
    }
}

/// A version may have a `+`, a tag may not.
fn version_tag(package: &Package) -> String {
    package.manifest().version.replace('+', "_")
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("texts and numbers are JSON")
}

/// An image manifest, as far as it matters here.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    media_type: Option<String>,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(skip_deserializing)]
    annotations: Annotations,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: u64,
}

/// For people who look at a registry.
#[derive(Default, Serialize)]
struct Annotations {
    #[serde(rename = "org.opencontainers.image.title")]
    title: String,
    #[serde(rename = "org.opencontainers.image.description")]
    description: String,
    #[serde(rename = "org.opencontainers.image.version")]
    version: String,
}

/// What WebAssembly has in place of an image's configuration.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    created: &'static str,
    architecture: &'static str,
    os: &'static str,
    layer_digests: [Digest; 2],
    component: Component<'a>,
}

#[derive(Serialize)]
struct Component<'a> {
    exports: [String; 1],
    imports: &'a [String],
}

impl Descriptor {
    fn of(media_type: &str, bytes: &[u8]) -> Self {
        let (digest, size) = (Digest::of(bytes), bytes.len() as u64);
        Self { media_type: media_type.to_owned(), digest, size }
    }
}

impl Manifest {
    fn of(package: &Package, config: &[u8], about: &[u8]) -> Self {
        let manifest = package.manifest();
        Self {
            schema_version: 2,
            media_type: Some(MANIFEST_TYPE.to_owned()),
            config: Descriptor::of(CONFIG_TYPE, config),
            layers: vec![
                Descriptor::of(COMPONENT_TYPE, &package.parts().component),
                Descriptor::of(ABOUT_TYPE, about),
            ],
            annotations: Annotations {
                title: manifest.name.clone(),
                description: manifest.title.clone(),
                version: manifest.version.clone(),
            },
        }
    }

    /// The component and what is about it, or what this is instead.
    fn layers(&self) -> Result<(&Descriptor, &Descriptor), String> {
        if self.config.media_type != CONFIG_TYPE {
            let kind: String = self.config.media_type.chars().take(100).collect();
            return Err(format!("its config is `{}`, not `{CONFIG_TYPE}`", kind.escape_debug()));
        }
        let one = |kind: &str| {
            let mut layers = self.layers.iter().filter(|layer| layer.media_type == kind);
            match (layers.next(), layers.next()) {
                (Some(layer), None) => Ok(layer),
                (None, _) => Err(format!("it has no layer `{kind}`")),
                (Some(_), Some(_)) => Err(format!("it has several layers `{kind}`")),
            }
        };
        Ok((one(COMPONENT_TYPE)?, one(ABOUT_TYPE)?))
    }
}

impl<'a> Config<'a> {
    fn of(package: &Package, about: &[u8], imports: &'a [String]) -> Self {
        Self {
            // No time of day: the same package, the same digest.
            created: "1970-01-01T00:00:00Z",
            architecture: "wasm",
            os: "wasip2",
            layer_digests: [package.digests().component, Digest::of(about)],
            component: Component {
                exports: [format!("{ACTIONS}@{}", package.manifest().contract)],
                imports,
            },
        }
    }
}
