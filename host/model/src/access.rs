//! Who may do what: roles, read from lines such as `ticket: see team, change
//! own`, and the permissions that they give together.
//!
//! Nothing is allowed that no line allows. Several roles give what each of
//! them gives; a token of a user gives what both the token and the user's
//! roles give.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::OnceLock,
};

use serde::Deserialize;

use crate::{Objects, text, yaml};

/// What may be done with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Find and see it.
    See,
    /// Make it.
    Create,
    /// Set its fields.
    Change,
    /// Take it away.
    Delete,
}

impl Act {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::See, Self::Create, Self::Change, Self::Delete];

    /// The word: `see`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::See => "see",
            Self::Create => "create",
            Self::Change => "change",
            Self::Delete => "delete",
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// On which records of an object it may be done; each holds what is before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Reach {
    /// On none.
    #[default]
    None,
    /// On those that the user owns, and the user's own record.
    Own,
    /// On those of the user's team as well: of its members, of the team, and
    /// of its queues.
    Team,
    /// On all.
    All,
}

/// What is no record, and may be seen or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// Named events, and customers' messages that come in: whoever may change
    /// them sends some.
    Events,
    /// Runs of workflows, with what their steps saw.
    Runs,
    /// Workflows: whoever may change them decides what the company does.
    Workflows,
    /// Plugins.
    Plugins,
    /// Queues and why something was given to somebody.
    Routing,
    /// What goes out, what is held, breakers, metrics and findings.
    Operations,
    /// Who did what, and what was refused.
    Audit,
}

impl Area {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::Events,
        Self::Runs,
        Self::Workflows,
        Self::Plugins,
        Self::Routing,
        Self::Operations,
        Self::Audit,
    ];

    /// The word: `runs`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Runs => "runs",
            Self::Workflows => "workflows",
            Self::Plugins => "plugins",
            Self::Routing => "routing",
            Self::Operations => "operations",
            Self::Audit => "audit",
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What may be done in an area; changing holds seeing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Doing {
    /// Look.
    See,
    /// Decide.
    Change,
}

impl Doing {
    /// The word: `see`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::See => "see",
            Self::Change => "change",
        }
    }
}

/// What may be done with one field of records that may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldAccess {
    /// Nothing: it is as if it were not there.
    Hidden,
    /// It may be seen.
    ReadOnly,
    /// It may be changed where the record may.
    Free,
}

/// How far each act reaches.
type Reaches = [Reach; Act::ALL.len()];

/// What somebody may do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permissions {
    /// On records of objects that are not named.
    others: Reaches,
    objects: BTreeMap<String, Reaches>,
    /// Fields that are not free, by object.
    fields: BTreeMap<String, BTreeMap<String, FieldAccess>>,
    areas: BTreeMap<Area, Doing>,
    /// Whether they may decide what others may do.
    grants: bool,
}

/// What decides what somebody may do: the records of an object, and the field
/// of another's.
const ROLE: &str = "role";
const ROLES_OF: (&str, &str) = ("user", "roles");

impl Permissions {
    /// All that there is: what a line `everything` gives.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            others: [Reach::All; 4],
            areas: Area::ALL.map(|area| (area, Doing::Change)).into(),
            grants: true,
            ..Self::default()
        }
    }

    /// These acts on all records of some objects, or of all where none is
    /// named.
    #[must_use]
    pub fn on_records(acts: &[Act], objects: Option<&[String]>) -> Self {
        let reaches =
            Act::ALL.map(|act| if acts.contains(&act) { Reach::All } else { Reach::None });
        match objects {
            None => Self { others: reaches, ..Self::default() },
            Some(objects) => Self {
                objects: objects.iter().map(|object| (object.clone(), reaches)).collect(),
                ..Self::default()
            },
        }
    }

    /// Also to decide what others may do.
    #[must_use]
    pub const fn with_grants(mut self) -> Self {
        self.grants = true;
        self
    }

    /// Also this in an area.
    #[must_use]
    pub fn with_area(mut self, area: Area, doing: Doing) -> Self {
        self.add_area(area, doing);
        self
    }

    /// Reads the lines of a role: a thing, `:` and what may be done with it.
    ///
    /// # Errors
    ///
    /// A sentence for each line that does not read; nothing of such a role is
    /// given.
    pub fn read<'a>(
        lines: impl IntoIterator<Item = &'a str>,
        objects: &Objects,
    ) -> Result<Self, Vec<String>> {
        let (mut permissions, mut errors) = (Self::default(), Vec::new());
        for line in lines {
            if let Err(why) = permissions.line(line, objects) {
                errors.push(format!("`{line}`: {why}"));
            }
        }
        if errors.is_empty() { Ok(permissions) } else { Err(errors) }
    }

    fn line(&mut self, line: &str, objects: &Objects) -> Result<(), String> {
        let line = line.trim();
        if line == "everything" {
            *self = self.or(&Self::everything());
            return Ok(());
        }
        let (thing, acts) = line.split_once(':').ok_or(
            "write a thing, `:` and what may be done with it, such as `ticket: see team, change own`",
        )?;
        let (thing, acts) = (thing.trim(), acts.trim());
        if let Some((object, field)) = thing.split_once('.') {
            return self.field_line(object, field, acts, objects);
        }
        if thing == "*" {
            self.others = reaches(acts)?;
            return Ok(());
        }
        if objects.get(thing).is_some() {
            self.objects.insert(thing.to_owned(), reaches(acts)?);
            return Ok(());
        }
        let Some(area) = Area::ALL.into_iter().find(|area| area.as_str() == thing) else {
            let known = objects.names().chain(Area::ALL.map(Area::as_str));
            return Err(text::nearest(thing, known).map_or_else(
                || {
                    format!(
                        "`{thing}` is no object, and none of {}",
                        Area::ALL.map(Area::as_str).join(", ")
                    )
                },
                |near| format!("`{thing}` is no object; did you mean `{near}`?"),
            ));
        };
        for act in parts(acts) {
            let doing = match act {
                "see" => Doing::See,
                "change" => Doing::Change,
                _ => return Err(format!("`{area}` takes `see` or `see, change`, not `{act}`")),
            };
            self.add_area(area, doing);
        }
        Ok(())
    }

    fn add_area(&mut self, area: Area, doing: Doing) {
        let known = self.areas.entry(area).or_insert(doing);
        *known = doing.max(*known);
    }

    fn field_line(
        &mut self,
        object: &str,
        field: &str,
        access: &str,
        objects: &Objects,
    ) -> Result<(), String> {
        let near = |wrong: &str, known: Vec<&str>| {
            text::nearest(wrong, known.into_iter())
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
        };
        let definition = objects.get(object).ok_or_else(|| {
            format!("there is no object `{object}`{}", near(object, objects.names().collect()))
        })?;
        if definition.field(field).is_none() {
            let known = definition.fields.keys().map(String::as_str).collect();
            return Err(format!("{object} has no field `{field}`{}", near(field, known)));
        }
        let access = match access {
            "hidden" => FieldAccess::Hidden,
            "read only" => FieldAccess::ReadOnly,
            _ => return Err("a field takes `hidden` or `read only`".to_owned()),
        };
        self.fields.entry(object.to_owned()).or_default().insert(field.to_owned(), access);
        Ok(())
    }

    /// What either gives.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let mut both = self.joined(other, |a, b| a.max(b));
        for (area, doing) in self.areas.iter().chain(&other.areas) {
            both.add_area(*area, *doing);
        }
        both.grants = self.grants || other.grants;
        // Whoever sees the records by the one role sees their fields as it says.
        both.fields = self.fields_with(other, |object, field| {
            let of = |permissions: &Self| {
                let sees = permissions.reach(object, Act::See) > Reach::None
                    || permissions.reach(object, Act::Change) > Reach::None;
                if sees { permissions.field(object, field) } else { FieldAccess::Hidden }
            };
            of(self).max(of(other))
        });
        both
    }

    /// What both give.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = self.joined(other, |a, b| a.min(b));
        both.areas = self
            .areas
            .iter()
            .filter_map(|(area, doing)| Some((*area, *doing.min(other.areas.get(area)?))))
            .collect();
        both.grants = self.grants && other.grants;
        both.fields = self.fields_with(other, |object, field| {
            self.field(object, field).min(other.field(object, field))
        });
        both
    }

    fn joined(&self, other: &Self, join: impl Fn(Reach, Reach) -> Reach) -> Self {
        let join = |a: Reaches, b: Reaches| std::array::from_fn(|at| join(a[at], b[at]));
        let named: BTreeSet<&String> = self.objects.keys().chain(other.objects.keys()).collect();
        Self {
            others: join(self.others, other.others),
            objects: named
                .into_iter()
                .map(|object| (object.clone(), join(self.reaches(object), other.reaches(object))))
                .collect(),
            ..Self::default()
        }
    }

    fn fields_with(
        &self,
        other: &Self,
        join: impl Fn(&str, &str) -> FieldAccess,
    ) -> BTreeMap<String, BTreeMap<String, FieldAccess>> {
        let mut joined: BTreeMap<String, BTreeMap<String, FieldAccess>> = BTreeMap::new();
        for (object, fields) in self.fields.iter().chain(&other.fields) {
            for field in fields.keys() {
                let access = join(object, field);
                if access < FieldAccess::Free {
                    joined.entry(object.clone()).or_default().insert(field.clone(), access);
                }
            }
        }
        joined
    }

    /// What is given by the object's own line, or by that for all others.
    fn reaches(&self, object: &str) -> Reaches {
        self.objects.get(object).copied().unwrap_or(self.others)
    }

    /// On which records of an object an act may be done. Roles are changed
    /// only by whoever may grant: else whoever changes all records would soon
    /// be an administrator.
    #[must_use]
    pub fn reach(&self, object: &str, act: Act) -> Reach {
        if object == ROLE && act != Act::See && !self.grants {
            return Reach::None;
        }
        self.reaches(object)[act as usize]
    }

    /// What may be done with a field of records that may be seen. Who has
    /// which roles is changed only by whoever may grant.
    #[must_use]
    pub fn field(&self, object: &str, field: &str) -> FieldAccess {
        let fields = self.fields.get(object);
        let access = fields.and_then(|fields| fields.get(field)).copied();
        let access = access.unwrap_or(FieldAccess::Free);
        if (object, field) == ROLES_OF && !self.grants {
            return access.min(FieldAccess::ReadOnly);
        }
        access
    }

    /// The fields of an object that are as if they were not there.
    pub fn hidden<'a>(&'a self, object: &str) -> impl Iterator<Item = &'a str> {
        let fields = self.fields.get(object).into_iter().flatten();
        fields
            .filter(|(_, access)| **access == FieldAccess::Hidden)
            .map(|(field, _)| field.as_str())
    }

    /// Whether this may be done in an area.
    #[must_use]
    pub fn may(&self, area: Area, doing: Doing) -> bool {
        self.areas.get(&area).is_some_and(|known| *known >= doing)
    }

    /// Whether they may decide what others may do.
    #[must_use]
    pub const fn may_grant(&self) -> bool {
        self.grants
    }

    /// Whether anything reaches only as far as the user's team.
    #[must_use]
    pub fn knows_teams(&self) -> bool {
        self.objects.values().chain([&self.others]).flatten().any(|reach| *reach == Reach::Team)
    }
}

fn parts(acts: &str) -> impl Iterator<Item = &str> {
    acts.split(',').map(str::trim).filter(|act| !act.is_empty())
}

/// `see team, create, change own`.
fn reaches(acts: &str) -> Result<Reaches, String> {
    let mut reaches = Reaches::default();
    for written in parts(acts) {
        let (act, reach) = written.split_once(' ').unwrap_or((written, "all"));
        let known = || Act::ALL.map(Act::as_str);
        let act = Act::ALL.into_iter().find(|known| known.as_str() == act).ok_or_else(|| {
            text::nearest(act, known().into_iter()).map_or_else(
                || format!("`{act}` is none of {}", known().join(", ")),
                |near| format!("`{act}` is nothing that is done; did you mean `{near}`?"),
            )
        })?;
        reaches[act as usize] = match reach.trim() {
            "all" => Reach::All,
            "team" if act != Act::Create => Reach::Team,
            "own" if act != Act::Create => Reach::Own,
            "team" | "own" => {
                return Err("a record that is made has no owner yet; write `create`".to_owned());
            }
            other => {
                return Err(format!("`{act} {other}`: behind it stands own, team, or nothing"));
            }
        };
    }
    // Whoever changes a record sees it.
    let further = reaches[Act::Change as usize].max(reaches[Act::Delete as usize]);
    reaches[Act::See as usize] = reaches[Act::See as usize].max(further);
    Ok(reaches)
}

/// A role that every company has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandardRole {
    /// As people call it.
    pub title: String,
    /// Whom it is for.
    pub summary: String,
    /// What it gives, as [`Permissions::read`] takes it.
    pub may: Vec<String>,
}

/// The roles that every company has, by name.
///
/// # Panics
///
/// Never: a test reads them.
pub fn standard_roles() -> &'static BTreeMap<String, StandardRole> {
    static ROLES: OnceLock<BTreeMap<String, StandardRole>> = OnceLock::new();
    ROLES.get_or_init(|| {
        let read = yaml::to_json(include_str!("../roles.yaml"))
            .ok()
            .and_then(|json| serde_json::from_value(json).ok());
        let Some(roles) = read else { panic!("the shipped roles are a map of roles") };
        roles
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Permissions {
        Permissions::read(lines.iter().copied(), &Objects::standard()).expect("a role")
    }

    fn wrong(line: &str) -> String {
        Permissions::read([line], &Objects::standard()).expect_err("no role").join("\n")
    }

    #[test]
    fn every_shipped_role_reads() {
        for (name, role) in standard_roles() {
            let lines = role.may.iter().map(String::as_str);
            let read = Permissions::read(lines, &Objects::standard());
            let read = read.unwrap_or_else(|why| panic!("{name}: {why:?}"));
            assert_eq!(read.may_grant(), name == "administrator", "{name}");
        }
    }

    #[test]
    fn nothing_is_allowed_that_no_line_allows() {
        let nobody = read(&[]);
        for object in Objects::standard().names() {
            for act in Act::ALL {
                assert_eq!(nobody.reach(object, act), Reach::None);
            }
        }
        assert!(Area::ALL.into_iter().all(|area| !nobody.may(area, Doing::See)));
        assert!(!nobody.may_grant());
    }

    #[test]
    fn a_line_says_how_far_each_act_reaches() {
        let agent = read(&["ticket: see team, create, change own", "runs: see"]);
        assert_eq!(agent.reach("ticket", Act::See), Reach::Team);
        assert_eq!(agent.reach("ticket", Act::Create), Reach::All);
        assert_eq!(agent.reach("ticket", Act::Change), Reach::Own);
        assert_eq!(agent.reach("ticket", Act::Delete), Reach::None);
        assert!(agent.may(Area::Runs, Doing::See) && !agent.may(Area::Runs, Doing::Change));
        // Nobody changes what they do not see.
        assert_eq!(read(&["lead: change team"]).reach("lead", Act::See), Reach::Team);
    }

    #[test]
    fn the_line_of_an_object_goes_before_that_of_all() {
        let most = read(&["*: see, create, change, delete", "campaign: see"]);
        assert_eq!(most.reach("lead", Act::Delete), Reach::All);
        assert_eq!(most.reach("campaign", Act::Change), Reach::None);
    }

    #[test]
    fn whoever_may_change_all_records_does_not_make_administrators() {
        let most = read(&["*: see, create, change, delete", "role: see, create, change"]);
        assert_eq!(most.reach("role", Act::See), Reach::All);
        for act in [Act::Create, Act::Change, Act::Delete] {
            assert_eq!(most.reach("role", act), Reach::None);
            assert_eq!(most.reach("user", act), Reach::All);
            assert_eq!(Permissions::everything().reach("role", act), Reach::All);
        }
        assert_eq!(most.field("user", "roles"), FieldAccess::ReadOnly);
        assert_eq!(Permissions::everything().field("user", "roles"), FieldAccess::Free);
    }

    #[test]
    fn several_roles_give_what_each_gives() {
        let (agent, sales) = (
            read(&[
                "ticket: see team",
                "contact: see",
                "contact.phone: hidden",
                "contact.email: hidden",
            ]),
            read(&["ticket: see own, change own", "contact: see", "contact.phone: read only"]),
        );
        let both = agent.or(&sales);
        assert_eq!(both.reach("ticket", Act::See), Reach::Team);
        assert_eq!(both.reach("ticket", Act::Change), Reach::Own);
        assert_eq!(both.field("contact", "phone"), FieldAccess::ReadOnly);
        assert_eq!(both.field("contact", "email"), FieldAccess::Free);
        // A role that does not see the object opens none of its fields.
        let other = agent.or(&read(&["lead: see"]));
        assert_eq!(other.field("contact", "phone"), FieldAccess::Hidden);
    }

    #[test]
    fn a_token_of_a_user_gives_what_both_give() {
        let user =
            read(&["ticket: see team, change own", "ticket.body: hidden", "runs: see, change"]);
        let token = Permissions::on_records(&[Act::See], None).with_area(Area::Runs, Doing::See);
        let both = user.and(&token);
        assert_eq!(both.reach("ticket", Act::See), Reach::Team);
        assert_eq!(both.reach("ticket", Act::Change), Reach::None);
        assert_eq!(both.reach("lead", Act::See), Reach::None);
        assert_eq!(both.field("ticket", "body"), FieldAccess::Hidden);
        assert!(both.may(Area::Runs, Doing::See) && !both.may(Area::Runs, Doing::Change));
        assert!(!both.may_grant() && !Permissions::everything().and(&token).may_grant());
    }

    #[test]
    fn a_wrong_line_says_how_to_mend_it() {
        assert_eq!(
            wrong("tickets: see"),
            "`tickets: see`: `tickets` is no object; did you mean `ticket`?"
        );
        assert_eq!(
            wrong("ticket: sea"),
            "`ticket: sea`: `sea` is nothing that is done; did you mean `see`?"
        );
        assert_eq!(
            wrong("ticket: see mine"),
            "`ticket: see mine`: `see mine`: behind it stands own, team, or nothing"
        );
        assert_eq!(
            wrong("contact.fone: hidden"),
            "`contact.fone: hidden`: contact has no field `fone`; did you mean `phone`?"
        );
        assert_eq!(
            wrong("contact.phone: no"),
            "`contact.phone: no`: a field takes `hidden` or `read only`"
        );
        assert!(wrong("all").contains("such as `ticket: see team, change own`"));
        assert!(wrong("ticket: create own").contains("has no owner yet"));
    }
}
