//! What a plugin may do: one implementation of the check.
//!
//! The `[permissions]` of a `plugin.toml` ask; empty means none, and an
//! unknown name is refused when the manifest is read. What holds in the end is
//! what the manifest asks for, what the operator agreed to and what the step
//! leaves of it, all three: [`Permissions::meet`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::destination::{Destination, HostPattern, Method, Scheme};

/// What a plugin may do. [`Permissions::default`] is nothing at all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Permissions {
    /// The ways it may reach people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Channel>,
    /// The events it may emit, by name; `*` is any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// Whether it may keep values of its own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub state: bool,
    /// Which secrets it may use, and towards which hosts each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Vec<HostPattern>>,
    /// What it may do with the records of each object. The object `*` is any
    /// object; its permissions are added to those of the object's own entry.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub records: BTreeMap<String, RecordPermissions>,
    /// Which web services it may call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpPermission>,
}

/// What a plugin may do with the records of one object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordPermissions {
    /// The fields it may read, also in filters; `*` is all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<String>,
    /// The fields it may set on a record; `*` is all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub update: Vec<String>,
    /// Whether it may create records, with any fields.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub create: bool,
    /// Whether it may delete records.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub delete: bool,
}

/// A web service that a plugin may call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HttpPermission {
    /// `api.example.com`, `*.example.com` or `api.example.com:8443`.
    pub host: HostPattern,
    /// `https` unless it says `http`.
    #[serde(default, skip_serializing_if = "Scheme::is_default")]
    pub scheme: Scheme,
    /// With which methods.
    pub methods: Vec<Method>,
}

/// A way to reach people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// `messages.send-mail`
    Mail,
    /// `messages.notify`
    Notify,
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Channel::Mail => "mail",
            Channel::Notify => "notify",
        })
    }
}

/// One thing that a plugin may do: the atom of permissions. Objects, fields
/// and events may be `*`, any. It displays as what an operator reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// Read a field of an object.
    Read(String, String),
    /// Set a field of an object.
    Update(String, String),
    /// Create records of an object.
    Create(String),
    /// Delete records of an object.
    Delete(String),
    /// Reach people.
    Message(Channel),
    /// Emit an event.
    Emit(String),
    /// Keep values of its own.
    State,
    /// Call a web service.
    Http(Scheme, HostPattern, Method),
    /// Send a secret to a host.
    Secret(String, HostPattern),
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let any =
            |name: &str, any: &str| if name == "*" { any.to_owned() } else { format!("`{name}`") };
        let fields = |field: &str| match field {
            "*" => "all fields".to_owned(),
            field => format!("the field `{field}`"),
        };
        match self {
            Grant::Read(object, field) => {
                write!(f, "read {} of {}", fields(field), any(object, "any record"))
            }
            Grant::Update(object, field) => {
                write!(f, "update {} of {}", fields(field), any(object, "any record"))
            }
            Grant::Create(object) => write!(f, "create records of {}", any(object, "any object")),
            Grant::Delete(object) => write!(f, "delete records of {}", any(object, "any object")),
            Grant::Message(Channel::Mail) => f.write_str("send mail"),
            Grant::Message(Channel::Notify) => f.write_str("notify users"),
            Grant::Emit(name) if name == "*" => f.write_str("emit any event"),
            Grant::Emit(name) => write!(f, "emit the event `{name}`"),
            Grant::State => f.write_str("keep values of its own"),
            Grant::Http(scheme, host, method) => write!(f, "call {method} {scheme}://{host}"),
            Grant::Secret(name, host) => write!(f, "send the secret `{name}` to {host}"),
        }
    }
}

impl Grant {
    /// The line of a plugin.toml that asks for it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Grant::Read(object, field) => {
                format!("read = [\"{field}\"] under [permissions.records.{object}]")
            }
            Grant::Update(object, field) => {
                format!("update = [\"{field}\"] under [permissions.records.{object}]")
            }
            Grant::Create(object) => format!("create = true under [permissions.records.{object}]"),
            Grant::Delete(object) => format!("delete = true under [permissions.records.{object}]"),
            Grant::Message(channel) => format!("messages = [\"{channel}\"] under [permissions]"),
            Grant::Emit(name) => format!("events = [\"{name}\"] under [permissions]"),
            Grant::State => "state = true under [permissions]".to_owned(),
            Grant::Http(scheme, host, method) => {
                let scheme = match scheme {
                    Scheme::Https => "",
                    Scheme::Http => " and scheme = \"http\"",
                };
                format!(
                    "host = \"{host}\" and methods = [\"{method}\"]{scheme} under [[permissions.http]]"
                )
            }
            Grant::Secret(name, host) => {
                format!("{name} = [\"{host}\"] under [permissions.secrets]")
            }
        }
    }

    /// What both allow, if there is anything.
    fn meet(&self, other: &Grant) -> Option<Grant> {
        fn names(a: &str, b: &str) -> Option<String> {
            match (a, b) {
                ("*", name) | (name, "*") => Some(name.to_owned()),
                (a, b) => (a == b).then(|| a.to_owned()),
            }
        }
        Some(match (self, other) {
            (Grant::Read(o, f), Grant::Read(p, g)) => Grant::Read(names(o, p)?, names(f, g)?),
            (Grant::Update(o, f), Grant::Update(p, g)) => Grant::Update(names(o, p)?, names(f, g)?),
            (Grant::Create(o), Grant::Create(p)) => Grant::Create(names(o, p)?),
            (Grant::Delete(o), Grant::Delete(p)) => Grant::Delete(names(o, p)?),
            (Grant::Emit(a), Grant::Emit(b)) => Grant::Emit(names(a, b)?),
            (Grant::Http(s, h, m), Grant::Http(t, i, n)) if s == t && m == n => {
                Grant::Http(*s, h.meet(i)?, *m)
            }
            (Grant::Secret(a, h), Grant::Secret(b, i)) if a == b => {
                Grant::Secret(a.clone(), h.meet(i)?)
            }
            (a, b) if a == b => a.clone(),
            _ => return None,
        })
    }
}

/// A permission that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// What would be needed. Its fields and objects are those that were asked
    /// for, or `*` where any would do.
    pub grant: Grant,
    what: String,
}

impl Denied {
    fn new(grant: Grant) -> Self {
        Self { what: grant.to_string(), grant }
    }

    /// The same in other words.
    fn saying(grant: Grant, what: String) -> Self {
        Self { grant, what }
    }
}

/// What it may not do: `may not send mail`.
impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "may not {}", self.what)
    }
}

/// The fields of one object that a plugin may read.
#[derive(Debug, Clone, Copy)]
pub struct Readable<'a> {
    own: &'a [String],
    any: &'a [String],
}

impl Readable<'_> {
    /// Whether a field may be read. The id of a readable record always may.
    pub fn contains(&self, field: &str) -> bool {
        field == "id" || lists(self.own, field) || lists(self.any, field)
    }

    /// The readable fields by name, or nothing if all are.
    pub fn names(&self) -> Option<Vec<String>> {
        let all = self.own.iter().chain(self.any);
        let names: Vec<String> = all.cloned().collect();
        (!names.iter().any(|name| name == "*")).then_some(names)
    }
}

fn lists(names: &[String], name: &str) -> bool {
    names.iter().any(|listed| listed == "*" || listed == name)
}

impl Permissions {
    fn of(&self, object: &str) -> impl Iterator<Item = &RecordPermissions> {
        let own = if object == "*" { None } else { self.records.get(object) };
        own.into_iter().chain(self.records.get("*"))
    }

    /// Whether it asks for anything on records.
    pub fn any_records(&self) -> bool {
        self.records.values().any(|permissions| {
            permissions.create
                || permissions.delete
                || !permissions.read.is_empty()
                || !permissions.update.is_empty()
        })
    }

    /// The fields of `object` it may read, if there are any.
    pub fn check_object_read(&self, object: &str) -> Result<Readable<'_>, Denied> {
        let own = self.records.get(object).filter(|_| object != "*");
        let any = self.records.get("*");
        let readable = Readable {
            own: own.map_or(&[], |permissions| &permissions.read),
            any: any.map_or(&[], |permissions| &permissions.read),
        };
        if readable.own.is_empty() && readable.any.is_empty() {
            return Err(Denied::saying(
                Grant::Read(object.to_owned(), "*".to_owned()),
                format!("read records of `{object}`"),
            ));
        }
        Ok(readable)
    }

    /// Whether it may read one field of `object`.
    pub fn check_read(&self, object: &str, field: &str) -> Result<(), Denied> {
        if self.check_object_read(object).is_ok_and(|readable| readable.contains(field)) {
            return Ok(());
        }
        Err(Denied::new(Grant::Read(object.to_owned(), field.to_owned())))
    }

    /// Whether it may set one field of `object`.
    pub fn check_update(&self, object: &str, field: &str) -> Result<(), Denied> {
        if self.of(object).any(|permissions| lists(&permissions.update, field)) {
            return Ok(());
        }
        Err(Denied::new(Grant::Update(object.to_owned(), field.to_owned())))
    }

    /// Whether it may update records of `object` at all.
    pub fn check_object_update(&self, object: &str) -> Result<(), Denied> {
        if self.of(object).any(|permissions| !permissions.update.is_empty()) {
            return Ok(());
        }
        Err(Denied::saying(
            Grant::Update(object.to_owned(), "*".to_owned()),
            format!("update records of `{object}`"),
        ))
    }

    /// Whether it may create records of `object`.
    pub fn check_create(&self, object: &str) -> Result<(), Denied> {
        if self.of(object).any(|permissions| permissions.create) {
            return Ok(());
        }
        Err(Denied::new(Grant::Create(object.to_owned())))
    }

    /// Whether it may delete records of `object`.
    pub fn check_delete(&self, object: &str) -> Result<(), Denied> {
        if self.of(object).any(|permissions| permissions.delete) {
            return Ok(());
        }
        Err(Denied::new(Grant::Delete(object.to_owned())))
    }

    /// Whether it may reach people this way.
    pub fn check_message(&self, channel: Channel) -> Result<(), Denied> {
        if self.messages.contains(&channel) {
            return Ok(());
        }
        Err(Denied::new(Grant::Message(channel)))
    }

    /// Whether it may emit an event.
    pub fn check_event(&self, name: &str) -> Result<(), Denied> {
        if lists(&self.events, name) {
            return Ok(());
        }
        Err(Denied::new(Grant::Emit(name.to_owned())))
    }

    /// Whether it may keep values of its own.
    pub fn check_state(&self) -> Result<(), Denied> {
        if self.state {
            return Ok(());
        }
        Err(Denied::new(Grant::State))
    }

    /// Whether it may call a web service. The address is the one that is about
    /// to be called: also that of a redirect.
    pub fn check_http(&self, to: &Destination, method: Method) -> Result<(), Denied> {
        let allowed = self.http.iter().any(|permission| {
            permission.scheme == to.scheme
                && permission.methods.contains(&method)
                && permission.host.matches(to)
        });
        if allowed {
            return Ok(());
        }
        Err(Denied::new(Grant::Http(to.scheme, to.pattern(), method)))
    }

    /// Whether it may use a secret at all.
    pub fn check_secret(&self, name: &str) -> Result<(), Denied> {
        if self.secrets.get(name).is_some_and(|hosts| !hosts.is_empty()) {
            return Ok(());
        }
        Err(Denied::saying(
            Grant::Secret(name.to_owned(), HostPattern::any()),
            format!("use the secret `{name}`"),
        ))
    }

    /// Whether a secret may go to a host.
    pub fn check_secret_to(&self, name: &str, to: &Destination) -> Result<(), Denied> {
        let hosts = self.secrets.get(name).map_or(&[][..], Vec::as_slice);
        if hosts.iter().any(|host| host.matches(to)) {
            return Ok(());
        }
        Err(Denied::new(Grant::Secret(name.to_owned(), to.pattern())))
    }

    /// Everything it may do, in order, each once.
    #[must_use]
    pub fn grants(&self) -> BTreeSet<Grant> {
        let mut grants = BTreeSet::new();
        for (object, permissions) in &self.records {
            let fields = |names: &[String], grant: fn(String, String) -> Grant| {
                let grants = names.iter().map(|name| grant(object.clone(), name.clone()));
                grants.collect::<Vec<_>>()
            };
            grants.extend(fields(&permissions.read, Grant::Read));
            grants.extend(fields(&permissions.update, Grant::Update));
            grants.extend(permissions.create.then(|| Grant::Create(object.clone())));
            grants.extend(permissions.delete.then(|| Grant::Delete(object.clone())));
        }
        grants.extend(self.messages.iter().copied().map(Grant::Message));
        grants.extend(self.events.iter().cloned().map(Grant::Emit));
        grants.extend(self.state.then_some(Grant::State));
        for permission in &self.http {
            let (scheme, host) = (permission.scheme, &permission.host);
            let methods = permission.methods.iter();
            grants.extend(methods.map(|method| Grant::Http(scheme, host.clone(), *method)));
        }
        for (name, hosts) in &self.secrets {
            grants.extend(hosts.iter().map(|host| Grant::Secret(name.clone(), host.clone())));
        }
        grants
    }

    /// Whether it may do all that a grant says.
    #[must_use]
    pub fn covers(&self, grant: &Grant) -> bool {
        match grant {
            // The id of a record that may be read at all always may.
            Grant::Read(object, field) => self.check_read(object, field).is_ok(),
            Grant::Update(object, field) => self.check_update(object, field).is_ok(),
            Grant::Create(object) => self.check_create(object).is_ok(),
            Grant::Delete(object) => self.check_delete(object).is_ok(),
            Grant::Message(channel) => self.check_message(*channel).is_ok(),
            Grant::Emit(name) => self.check_event(name).is_ok(),
            Grant::State => self.state,
            Grant::Http(scheme, host, method) => self.http.iter().any(|permission| {
                permission.scheme == *scheme
                    && permission.methods.contains(method)
                    && permission.host.covers(host)
            }),
            Grant::Secret(name, host) => {
                self.secrets.get(name).is_some_and(|hosts| hosts.iter().any(|own| own.covers(host)))
            }
        }
    }

    /// Whether it may do a part of what a grant says.
    #[must_use]
    pub fn touches(&self, grant: &Grant) -> bool {
        self.grants().iter().any(|own| own.meet(grant).is_some())
    }

    /// What is in these and not in `other`: what an upgrade asks for anew, or
    /// no longer.
    #[must_use]
    pub fn beyond(&self, other: &Permissions) -> Vec<Grant> {
        self.grants().into_iter().filter(|grant| !other.covers(grant)).collect()
    }

    /// What both allow.
    #[must_use]
    pub fn meet(&self, other: &Permissions) -> Permissions {
        let (mine, theirs) = (self.grants(), other.grants());
        let both = mine.iter().flat_map(|a| theirs.iter().filter_map(move |b| a.meet(b)));
        both.collect()
    }
}

impl FromIterator<Grant> for Permissions {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        let mut all = Permissions::default();
        let grants: BTreeSet<Grant> = grants.into_iter().collect();
        for grant in grants {
            match grant {
                Grant::Read(object, field) => {
                    all.records.entry(object).or_default().read.push(field)
                }
                Grant::Update(object, field) => {
                    all.records.entry(object).or_default().update.push(field);
                }
                Grant::Create(object) => all.records.entry(object).or_default().create = true,
                Grant::Delete(object) => all.records.entry(object).or_default().delete = true,
                Grant::Message(channel) => all.messages.push(channel),
                Grant::Emit(name) => all.events.push(name),
                Grant::State => all.state = true,
                Grant::Http(scheme, host, method) => {
                    let same = all
                        .http
                        .iter_mut()
                        .find(|other| other.scheme == scheme && other.host == host);
                    match same {
                        Some(same) => same.methods.push(method),
                        None => {
                            all.http.push(HttpPermission { host, scheme, methods: vec![method] })
                        }
                    }
                }
                Grant::Secret(name, host) => all.secrets.entry(name).or_default().push(host),
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    /// Asks each question of a table of permissions and prints the answers.
    fn check(permissions: &str, questions: &str, answers: Expect) {
        let permissions: Permissions = toml::from_str(permissions).unwrap();
        let mut got = String::new();
        for question in questions.lines().map(str::trim).filter(|q| !q.is_empty()) {
            let words: Vec<&str> = question.split(' ').collect();
            let answer = match words[..] {
                ["read", object, field] => permissions.check_read(object, field),
                ["read", object] => permissions.check_object_read(object).map(|_| ()),
                ["update", object, field] => permissions.check_update(object, field),
                ["update", object] => permissions.check_object_update(object),
                ["create", object] => permissions.check_create(object),
                ["delete", object] => permissions.check_delete(object),
                ["mail"] => permissions.check_message(Channel::Mail),
                ["notify"] => permissions.check_message(Channel::Notify),
                ["emit", event] => permissions.check_event(event),
                ["state"] => permissions.check_state(),
                _ => panic!("no such question: {question}"),
            };
            let answer = match answer {
                Ok(()) => "yes".to_owned(),
                Err(denied) => format!("{denied}: {}", denied.grant.remedy()),
            };
            got.push_str(&format!("{question}: {answer}\n"));
        }
        answers.assert_eq(&got);
    }

    #[test]
    fn nothing_is_allowed_by_an_empty_manifest() {
        check(
            "",
            "read lead\n read lead owner\n read lead id\n update lead owner\n create lead\n delete lead\n mail\n notify\n emit x\n state",
            expect![[r#"
                read lead: may not read records of `lead`: read = ["*"] under [permissions.records.lead]
                read lead owner: may not read the field `owner` of `lead`: read = ["owner"] under [permissions.records.lead]
                read lead id: may not read the field `id` of `lead`: read = ["id"] under [permissions.records.lead]
                update lead owner: may not update the field `owner` of `lead`: update = ["owner"] under [permissions.records.lead]
                create lead: may not create records of `lead`: create = true under [permissions.records.lead]
                delete lead: may not delete records of `lead`: delete = true under [permissions.records.lead]
                mail: may not send mail: messages = ["mail"] under [permissions]
                notify: may not notify users: messages = ["notify"] under [permissions]
                emit x: may not emit the event `x`: events = ["x"] under [permissions]
                state: may not keep values of its own: state = true under [permissions]
            "#]],
        );
    }

    #[test]
    fn one_object_has_its_fields_and_verbs() {
        check(
            r#"
            messages = ["notify"]
            events = ["survey.answered"]
            state = true
            [records.lead]
            read = ["owner", "status"]
            update = ["owner"]
            create = true
            "#,
            "read lead status\n read lead email\n read lead id\n read contact owner\n update lead owner\n update lead status\n update contact\n create lead\n delete lead\n mail\n notify\n emit survey.answered\n emit other\n state",
            expect![[r#"
                read lead status: yes
                read lead email: may not read the field `email` of `lead`: read = ["email"] under [permissions.records.lead]
                read lead id: yes
                read contact owner: may not read the field `owner` of `contact`: read = ["owner"] under [permissions.records.contact]
                update lead owner: yes
                update lead status: may not update the field `status` of `lead`: update = ["status"] under [permissions.records.lead]
                update contact: may not update records of `contact`: update = ["*"] under [permissions.records.contact]
                create lead: yes
                delete lead: may not delete records of `lead`: delete = true under [permissions.records.lead]
                mail: may not send mail: messages = ["mail"] under [permissions]
                notify: yes
                emit survey.answered: yes
                emit other: may not emit the event `other`: events = ["other"] under [permissions]
                state: yes
            "#]],
        );
    }

    #[test]
    fn any_object_adds_to_the_object_of_its_own_entry() {
        check(
            r#"
            [records."*"]
            read = ["owner"]
            delete = true
            [records.lead]
            update = ["*"]
            "#,
            "read lead owner\n read lead email\n update lead anything\n update contact owner\n delete contact\n delete lead\n read * email",
            expect![[r#"
                read lead owner: yes
                read lead email: may not read the field `email` of `lead`: read = ["email"] under [permissions.records.lead]
                update lead anything: yes
                update contact owner: may not update the field `owner` of `contact`: update = ["owner"] under [permissions.records.contact]
                delete contact: yes
                delete lead: yes
                read * email: may not read the field `email` of any record: read = ["email"] under [permissions.records.*]
            "#]],
        );
    }
}
