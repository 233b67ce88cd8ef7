//! What an operator is shown before a plugin is installed: what it asks for,
//! beside what its component really imports.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::digest::Digest;
use crate::limits::{LimitAsked, Limits};
use crate::lock::LockEntry;
use crate::package::Package;
use crate::permissions::{Grant, Permissions};
use crate::plain::plain_line;
use crate::schemas::Action;
use crate::signature::PublicKey;

/// What is to be agreed to.
#[derive(Debug, Clone, PartialEq)]
pub struct Consent {
    /// The plugin's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is for, one line of its author's.
    pub title: String,
    /// The contract it was built against.
    pub contract: String,
    /// What is agreed to, byte for byte.
    pub digest: Digest,
    /// Who answers for it.
    pub signer: Option<PublicKey>,
    /// What the operator calls the signer.
    pub signer_name: Option<String>,
    /// What its actions are.
    pub actions: Vec<Action>,
    /// What it may do once it is agreed to.
    pub permissions: Permissions,
    /// What its component imports, without the contract's name and version:
    /// `records`, `http`. The interface `types` does nothing and is left out.
    pub imports: BTreeSet<String>,
    /// Where its limits are not the default.
    pub limits: Vec<LimitAsked>,
    /// What is installed now.
    pub before: Option<Before>,
}

/// What an upgrade changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// The installed version.
    pub version: String,
    /// The installed package.
    pub digest: Digest,
    /// Whose signature that one carries.
    pub signer: Option<PublicKey>,
    /// What may be done only from now on.
    pub more: Vec<Grant>,
    /// What may be done no longer.
    pub less: Vec<Grant>,
}

impl Consent {
    /// Of a package that is to be installed with `permissions` (those of its
    /// manifest, or what the operator leaves of them).
    #[must_use]
    pub fn new(
        package: &Package,
        permissions: Permissions,
        imports: &[String],
        before: Option<&LockEntry>,
    ) -> Self {
        let manifest = package.manifest();
        let before = before.map(|entry| Before {
            version: entry.version.clone(),
            digest: entry.package,
            signer: entry.signer,
            more: permissions.beyond(&entry.granted),
            less: entry.granted.beyond(&permissions),
        });
        Self {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            title: manifest.title.clone(),
            contract: manifest.contract.clone(),
            digest: package.digests().package,
            signer: package.signer(),
            signer_name: None,
            actions: package.actions().to_vec(),
            permissions,
            imports: imports
                .iter()
                .map(|import| interface(import).to_owned())
                .filter(|interface| interface != "types")
                .collect(),
            limits: manifest.limits.beside(&Limits::DEFAULT),
            before,
        }
    }

    /// Whether somebody has to agree: it is new here, may do more than the
    /// version before, or is from somebody else.
    #[must_use]
    pub fn is_needed(&self) -> bool {
        self.before
            .as_ref()
            .is_none_or(|before| !before.more.is_empty() || before.signer != self.signer)
    }

    /// The interfaces that it may use and does not import: they will be used by
    /// another version at the earliest.
    #[must_use]
    pub fn unused(&self) -> BTreeSet<&'static str> {
        let granted = self.permissions.grants().iter().map(needs).collect::<BTreeSet<_>>();
        granted.into_iter().filter(|interface| !self.imports.contains(*interface)).collect()
    }
}

/// What permissions allow, in sentences, by the interface of the contract that
/// each needs: `http`, `records`.
#[must_use]
pub fn by_interface(permissions: &Permissions) -> BTreeMap<&'static str, Vec<String>> {
    let mut groups: BTreeMap<&'static str, Vec<Grant>> = BTreeMap::new();
    for grant in permissions.grants() {
        groups.entry(needs(&grant)).or_default().push(grant);
    }
    groups.into_iter().map(|(interface, grants)| (interface, sentences(grants))).collect()
}

/// `http` of `relata:plugin/http@0.1.0`.
fn interface(import: &str) -> &str {
    let name = import.strip_prefix("relata:plugin/").unwrap_or(import);
    name.split_once('@').map_or(name, |(name, _)| name)
}

/// The interface that a permission opens.
fn needs(grant: &Grant) -> &'static str {
    match grant {
        Grant::Read(..) | Grant::Update(..) | Grant::Create(_) | Grant::Delete(_) => "records",
        Grant::Message(_) => "messages",
        Grant::Emit(_) => "events",
        Grant::State => "state",
        Grant::Http(..) => "http",
        Grant::Secret(..) => "secrets",
    }
}

/// One sentence for what belongs together: the fields of an object, the
/// methods of a host, the hosts of a secret.
fn sentences(grants: impl IntoIterator<Item = Grant>) -> Vec<String> {
    /// What is said before and after the names.
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    enum About {
        Fields(&'static str, String),
        Methods(String),
        Hosts(String),
        Alone(String),
    }
    let mut groups: BTreeMap<About, Vec<String>> = BTreeMap::new();
    for grant in grants {
        let (about, name) = match &grant {
            Grant::Read(object, field) => (About::Fields("read", of(object)), quoted(field)),
            Grant::Update(object, field) => (About::Fields("set", of(object)), quoted(field)),
            Grant::Http(scheme, host, method) => {
                (About::Methods(format!("{scheme}://{host}")), method.to_string())
            }
            Grant::Secret(name, host) => (About::Hosts(format!("`{name}`")), host.to_string()),
            other => (About::Alone(other.to_string()), String::new()),
        };
        groups.entry(about).or_default().push(name);
    }
    let sentence = |(about, names): (About, Vec<String>)| match about {
        About::Fields(verb, object) if names.iter().any(|name| name == "`*`") => {
            format!("{verb} all fields of {object}")
        }
        About::Fields(verb, object) => format!("{verb} {} of {object}", listed(&names)),
        About::Methods(host) => format!("call {} {host}", listed(&names)),
        About::Hosts(secret) => format!("send the secret {secret} to {}", listed(&names)),
        About::Alone(text) => text,
    };
    groups.into_iter().map(sentence).collect()
}

fn of(object: &str) -> String {
    if object == "*" { "any record".to_owned() } else { quoted(object) }
}

fn quoted(name: &str) -> String {
    format!("`{name}`")
}

/// `a, b and c`
fn listed(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => "nothing".to_owned(),
    }
}

/// A line, whose words may be a stranger's.
fn line(f: &mut fmt::Formatter<'_>, indent: usize, text: &str) -> fmt::Result {
    writeln!(f, "{:indent$}{}", "", plain_line(text))
}

impl fmt::Display for Consent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, 0, &format!("{} {}: {}", self.name, self.version, self.title))?;
        line(f, 2, &format!("digest     {}", self.digest))?;
        line(f, 2, &format!("signed by  {}", signed_by(self.signer, self.signer_name.as_deref())))?;
        line(f, 2, &format!("contract   {}", self.contract))?;

        line(f, 0, "Its actions:")?;
        for action in &self.actions {
            line(f, 2, &format!("{}.{}  {}", self.name, action.id, action.title))?;
        }
        let may = sentences(self.permissions.grants());
        if may.is_empty() {
            line(f, 0, "It asks for nothing: it only computes.")?;
        } else {
            line(f, 0, "It may:")?;
            for sentence in &may {
                line(f, 2, sentence)?;
            }
        }
        let imports: Vec<&String> = self.imports.iter().collect();
        line(f, 0, &format!("Its component imports {}.", listed(&imports)))?;
        let unused: Vec<&str> = self.unused().into_iter().collect();
        if !unused.is_empty() {
            line(f, 0, &format!("It asks for what it does not import: {}.", listed(&unused)))?;
        }
        if !self.limits.is_empty() {
            line(f, 0, "Its limits that are not the default:")?;
            for limit in &self.limits {
                line(f, 2, &format!("{limit}"))?;
            }
        }
        match &self.before {
            Some(before) => before.describe(self, f),
            None => Ok(()),
        }
    }
}

impl Before {
    fn describe(&self, now: &Consent, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, 0, &format!("It takes the place of {} {}.", now.name, self.version))?;
        if self.signer != now.signer {
            let before = signed_by(self.signer, None);
            line(f, 0, &format!("That one is signed by {before}: THE SIGNER CHANGED."))?;
        }
        for (grants, title) in
            [(&self.more, "From now on it may also:"), (&self.less, "It may no longer:")]
        {
            if !grants.is_empty() {
                line(f, 0, title)?;
                for sentence in sentences(grants.iter().cloned()) {
                    line(f, 2, &sentence)?;
                }
            }
        }
        if self.more.is_empty() && self.less.is_empty() {
            line(f, 0, "It may do the same as before.")?;
        }
        Ok(())
    }
}

fn signed_by(signer: Option<PublicKey>, name: Option<&str>) -> String {
    match (signer, name) {
        (Some(key), Some(name)) => format!("{name}, {key}"),
        (Some(key), None) => key.to_string(),
        (None, _) => "nobody".to_owned(),
    }
}

#[cfg(test)]
mod tests;
