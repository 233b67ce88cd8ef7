//! What a plugin may do: one implementation of the check.
//!
//! The `[permissions]` of a `plugin.toml` ask; empty means none, and an
//! unknown name is refused when the manifest is read.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::contract::{Code, HostError};

/// What a plugin may do. [`Permissions::default`] is nothing at all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Permissions {
    /// The ways it may reach people.
    pub messages: Vec<Channel>,
    /// The events it may emit, by name; `*` is any.
    pub events: Vec<String>,
    /// Whether it may keep values of its own.
    pub state: bool,
    /// What it may do with the records of each object. The object `*` is any
    /// object; its permissions are added to those of the object's own entry.
    pub records: BTreeMap<String, RecordPermissions>,
}

/// What a plugin may do with the records of one object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordPermissions {
    /// The fields it may read, also in filters; `*` is all.
    pub read: Vec<String>,
    /// The fields it may set on a record; `*` is all.
    pub update: Vec<String>,
    /// Whether it may create records, with any fields.
    pub create: bool,
    /// Whether it may delete records.
    pub delete: bool,
}

/// A way to reach people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
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

/// A permission that is missing, and the line that would give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    what: String,
    remedy: String,
}

impl Denied {
    /// The error that the plugin gets: it names the plugin, the object, the
    /// field, and the line to add.
    pub fn for_plugin(&self, plugin: &str) -> HostError {
        HostError::new(Code::Denied, format!("plugin `{plugin}` {self}"))
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "may not {}: {} in its plugin.toml allows it", self.what, self.remedy)
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
            return Err(Denied {
                what: format!("read records of `{object}`"),
                remedy: format!("read = [\"*\"] under [permissions.records.{object}]"),
            });
        }
        Ok(readable)
    }

    /// Whether it may read one field of `object`.
    pub fn check_read(&self, object: &str, field: &str) -> Result<(), Denied> {
        if self.check_object_read(object).is_ok_and(|readable| readable.contains(field)) {
            return Ok(());
        }
        Err(Denied {
            what: format!("read the field `{field}` of `{object}`"),
            remedy: format!("read = [\"{field}\"] under [permissions.records.{object}]"),
        })
    }

    /// Whether it may set one field of `object`.
    pub fn check_update(&self, object: &str, field: &str) -> Result<(), Denied> {
        if self.of(object).any(|permissions| lists(&permissions.update, field)) {
            return Ok(());
        }
        Err(Denied {
            what: format!("update the field `{field}` of `{object}`"),
            remedy: format!("update = [\"{field}\"] under [permissions.records.{object}]"),
        })
    }

    /// Whether it may update records of `object` at all.
    pub fn check_object_update(&self, object: &str) -> Result<(), Denied> {
        if self.of(object).any(|permissions| !permissions.update.is_empty()) {
            return Ok(());
        }
        Err(Denied {
            what: format!("update records of `{object}`"),
            remedy: format!("update = [\"*\"] under [permissions.records.{object}]"),
        })
    }

    /// Whether it may create records of `object`.
    pub fn check_create(&self, object: &str) -> Result<(), Denied> {
        if self.of(object).any(|permissions| permissions.create) {
            return Ok(());
        }
        Err(Denied {
            what: format!("create records of `{object}`"),
            remedy: format!("create = true under [permissions.records.{object}]"),
        })
    }

    /// Whether it may delete records of `object`.
    pub fn check_delete(&self, object: &str) -> Result<(), Denied> {
        if self.of(object).any(|permissions| permissions.delete) {
            return Ok(());
        }
        Err(Denied {
            what: format!("delete records of `{object}`"),
            remedy: format!("delete = true under [permissions.records.{object}]"),
        })
    }

    /// Whether it may reach people this way.
    pub fn check_message(&self, channel: Channel) -> Result<(), Denied> {
        if self.messages.contains(&channel) {
            return Ok(());
        }
        Err(Denied {
            what: match channel {
                Channel::Mail => "send mail".to_owned(),
                Channel::Notify => "notify users".to_owned(),
            },
            remedy: format!("messages = [\"{channel}\"] under [permissions]"),
        })
    }

    /// Whether it may emit an event.
    pub fn check_event(&self, name: &str) -> Result<(), Denied> {
        if lists(&self.events, name) {
            return Ok(());
        }
        Err(Denied {
            what: format!("emit the event `{name}`"),
            remedy: format!("events = [\"{name}\"] under [permissions]"),
        })
    }

    /// Whether it may keep values of its own.
    pub fn check_state(&self) -> Result<(), Denied> {
        if self.state {
            return Ok(());
        }
        Err(Denied {
            what: "keep values of its own".to_owned(),
            remedy: "state = true under [permissions]".to_owned(),
        })
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
                Err(denied) => denied.for_plugin("p").message,
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
                read lead: plugin `p` may not read records of `lead`: read = ["*"] under [permissions.records.lead] in its plugin.toml allows it
                read lead owner: plugin `p` may not read the field `owner` of `lead`: read = ["owner"] under [permissions.records.lead] in its plugin.toml allows it
                read lead id: plugin `p` may not read the field `id` of `lead`: read = ["id"] under [permissions.records.lead] in its plugin.toml allows it
                update lead owner: plugin `p` may not update the field `owner` of `lead`: update = ["owner"] under [permissions.records.lead] in its plugin.toml allows it
                create lead: plugin `p` may not create records of `lead`: create = true under [permissions.records.lead] in its plugin.toml allows it
                delete lead: plugin `p` may not delete records of `lead`: delete = true under [permissions.records.lead] in its plugin.toml allows it
                mail: plugin `p` may not send mail: messages = ["mail"] under [permissions] in its plugin.toml allows it
                notify: plugin `p` may not notify users: messages = ["notify"] under [permissions] in its plugin.toml allows it
                emit x: plugin `p` may not emit the event `x`: events = ["x"] under [permissions] in its plugin.toml allows it
                state: plugin `p` may not keep values of its own: state = true under [permissions] in its plugin.toml allows it
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
                read lead email: plugin `p` may not read the field `email` of `lead`: read = ["email"] under [permissions.records.lead] in its plugin.toml allows it
                read lead id: yes
                read contact owner: plugin `p` may not read the field `owner` of `contact`: read = ["owner"] under [permissions.records.contact] in its plugin.toml allows it
                update lead owner: yes
                update lead status: plugin `p` may not update the field `status` of `lead`: update = ["status"] under [permissions.records.lead] in its plugin.toml allows it
                update contact: plugin `p` may not update records of `contact`: update = ["*"] under [permissions.records.contact] in its plugin.toml allows it
                create lead: yes
                delete lead: plugin `p` may not delete records of `lead`: delete = true under [permissions.records.lead] in its plugin.toml allows it
                mail: plugin `p` may not send mail: messages = ["mail"] under [permissions] in its plugin.toml allows it
                notify: yes
                emit survey.answered: yes
                emit other: plugin `p` may not emit the event `other`: events = ["other"] under [permissions] in its plugin.toml allows it
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
                read lead email: plugin `p` may not read the field `email` of `lead`: read = ["email"] under [permissions.records.lead] in its plugin.toml allows it
                update lead anything: yes
                update contact owner: plugin `p` may not update the field `owner` of `contact`: update = ["owner"] under [permissions.records.contact] in its plugin.toml allows it
                delete contact: yes
                delete lead: yes
                read * email: plugin `p` may not read the field `email` of `*`: read = ["email"] under [permissions.records.*] in its plugin.toml allows it
            "#]],
        );
    }
}
