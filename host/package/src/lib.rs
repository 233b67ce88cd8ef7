//! What a plugin is before it runs: its manifest, what it asks for, what was
//! agreed to. Pure: it reads texts and bytes, and knows neither files nor
//! wasmtime.

mod archive;
mod consent;
mod destination;
mod digest;
mod limits;
mod lock;
mod manifest;
mod package;
mod permissions;
mod plain;
mod schemas;
mod signature;
mod words;

pub use archive::ArchiveError;
pub use consent::{Before, Consent, by_interface};
pub use destination::{BadHost, Destination, HostPattern, Method, Scheme};
pub use digest::{BadDigest, Digest};
pub use limits::{LimitAsked, LimitRefused, Limits, LimitsAsked};
pub use lock::{Difference, Lock, LockEntry, LockError, Mismatch};
pub use manifest::{Build, CONTRACTS, ManifestError, PluginManifest, is_name};
pub use package::{Digests, MAX_COMPONENT_BYTES, MAX_PACKAGE_BYTES, Package, PackageError, Parts};
pub use permissions::{
    Channel, Denied, Grant, HttpPermission, Permissions, Readable, RecordPermissions,
};
pub use plain::{plain, plain_line, plain_start};
pub use schemas::{Action, Answer, schemas_json};
pub use signature::{BadSignature, KeyError, PublicKey, SecretKey, Signature};
pub use words::{FORMS, NoPermission, grants_of};
