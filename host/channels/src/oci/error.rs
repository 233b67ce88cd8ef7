//! What can go wrong with a registry.

use relata_package::{Digest, PackageError};

use super::OciReference;

/// Why a plugin was not pulled or pushed.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// It is not said which version.
    #[error("{0} does not say which version: add it, as in {0}:0.1.0")]
    NoVersion(Box<OciReference>),
    /// There is nothing.
    #[error("there is no {0}: look at the name and the version, or push it there first")]
    Missing(Box<OciReference>),
    /// The registry wants to know who asks.
    #[error(
        "the registry refuses {image}: {what}. RELATA_REGISTRY_USER and RELATA_REGISTRY_PASSWORD in the environment are the login"
    )]
    Unauthorized {
        /// What was asked for.
        image: Box<OciReference>,
        /// What is missing.
        what: &'static str,
    },
    /// It cannot be reached, or does not answer.
    #[error("the registry {registry} cannot be reached: {why}")]
    Unreachable {
        /// The registry.
        registry: String,
        /// What happened.
        why: String,
    },
    /// It answered what it should not.
    #[error("the registry {registry} answered {what}")]
    Answer {
        /// The registry.
        registry: String,
        /// A status and words of its own, or what is wrong with its answer.
        what: String,
    },
    /// More than a plugin may have.
    #[error("{image} has a {what} of more than {} KiB, the most it may be", .limit >> 10)]
    TooLarge {
        /// What was asked for.
        image: Box<OciReference>,
        /// Which part of it.
        what: &'static str,
        /// The most, in bytes.
        limit: usize,
    },
    /// Other bytes than those that were asked for.
    #[error(
        "the {what} of {image} is not what it should be: {expected} was asked for, {found} came. Somebody changed it on the way, or the registry is broken; do not install it"
    )]
    Digest {
        /// What was asked for.
        image: Box<OciReference>,
        /// Which part of it.
        what: &'static str,
        /// What it should be.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// Something else lies there.
    #[error("{image} is not a plugin: {why}; `relata plugin push` puts one there")]
    NotAPlugin {
        /// What was asked for.
        image: Box<OciReference>,
        /// What it is instead.
        why: String,
    },
    /// A plugin lies there that does not read.
    #[error("{image}: {why}")]
    Package {
        /// What was asked for.
        image: Box<OciReference>,
        /// What is wrong with it.
        #[source]
        why: PackageError,
    },
    /// A version that others may have installed is not replaced.
    #[error(
        "{0} is there already, and is another package: raise the version in plugin.toml, as others may have installed that one"
    )]
    Taken(Box<OciReference>),
}

impl OciError {
    /// Whether it is the registry, or the way to it, that failed; everything
    /// else is for whoever asked to mend.
    #[must_use]
    pub const fn is_of_the_registry(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Answer { .. })
    }
}
