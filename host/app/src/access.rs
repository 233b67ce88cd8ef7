//! Who is at work, and what they may do with records: every read and write of
//! the API and the console comes through here. What is refused is noted in the
//! audit.

use std::sync::Arc;

use relata_model::{
    Act, Area, Doing, FieldAccess, ObjectDefinition, Permissions, Reach, Record, Reference, Value,
    access::standard_roles, text,
};
use relata_store::{Condition, Operator, Query, Written};
use serde_json::{Map, Value as Json};

use crate::{
    AccessError, App, AppError, Finding, Put, RecordSearch, RecordsFound, Severity, TimelineEntry,
    change_set::matches_any, json_records::with_external_id,
};

/// Fields that say whose a record is, in objects that have them.
const OWNERS: [&str; 3] = ["owner", "assignee", "asked"];

/// How often a change is judged again where the record changed meanwhile.
const TRIES: u32 = 3;

/// Somebody at work: a user, or another program by its token.
#[derive(Debug, Clone, PartialEq)]
pub struct Viewer {
    actor: String,
    name: String,
    user: Option<Reference>,
    permissions: Permissions,
    /// Where the user stands; empty for a program.
    place: Place,
}

/// What is a user's own, and their team's.
#[derive(Debug, Clone, PartialEq, Default)]
struct Place {
    team: Option<Reference>,
    /// The users of the team.
    members: Vec<Reference>,
    /// The queues that the team takes from.
    queues: Vec<Reference>,
}

impl Viewer {
    /// A program that may do this.
    pub(crate) fn program(name: &str, permissions: Permissions) -> Self {
        Self {
            actor: format!("token/{name}"),
            name: name.to_owned(),
            user: None,
            permissions,
            place: Place::default(),
        }
    }

    /// The user, by a program that may do no more than this.
    pub(crate) fn through(self, program: &Self) -> Self {
        Self {
            actor: format!("{} ({})", program.actor, self.actor),
            permissions: self.permissions.and(&program.permissions),
            ..self
        }
    }

    /// Who writes to the log: `user/01k9…`, `token/web-shop`.
    #[must_use]
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// What people call them.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The user's record; none for a program of its own.
    #[must_use]
    pub const fn user(&self) -> Option<&Reference> {
        self.user.as_ref()
    }

    /// The user's team.
    #[must_use]
    pub const fn team(&self) -> Option<&Reference> {
        self.place.team.as_ref()
    }

    /// Whether they may do this in an area.
    #[must_use]
    pub fn may(&self, area: Area, doing: Doing) -> bool {
        self.permissions.may(area, doing)
    }

    /// Whether they may do this with any record of an object.
    #[must_use]
    pub fn may_object(&self, object: &str, act: Act) -> bool {
        self.permissions.reach(object, act) > Reach::None
    }

    /// How far an act reaches, as a role says it: `own`, `team`, or nothing
    /// for all; none where it may not be done.
    #[must_use]
    pub fn reach_word(&self, object: &str, act: Act) -> Option<&'static str> {
        match self.permissions.reach(object, act) {
            Reach::None => None,
            Reach::Own => Some("own"),
            Reach::Team => Some("team"),
            Reach::All => Some(""),
        }
    }

    /// Whether they may look for records of an object by one of its fields.
    /// What is a part of something is found by that, unless all of that may be
    /// seen.
    #[must_use]
    pub fn may_find(&self, object: &ObjectDefinition, by: &str) -> bool {
        let Some(part) = object.part_of.as_deref() else {
            return self.may_object(&object.name, Act::See);
        };
        let whole = object.field(part).and_then(|field| field.kind.only_target());
        self.may_object(&object.name, Act::See)
            && (part == by || whole.is_some_and(|whole| self.may_all(whole, Act::See)))
    }

    /// Whether they may do this with every record of an object.
    #[must_use]
    pub fn may_all(&self, object: &str, act: Act) -> bool {
        self.permissions.reach(object, act) == Reach::All
    }

    /// Whether they may decide what others may do.
    #[must_use]
    pub const fn may_grant(&self) -> bool {
        self.permissions.may_grant()
    }

    /// Whether they see a field of the records that they see.
    #[must_use]
    pub fn sees_field(&self, object: &str, field: &str) -> bool {
        self.permissions.field(object, field) > FieldAccess::Hidden
    }

    /// Whether they may set a field of the records that they may change.
    #[must_use]
    pub fn writes_field(&self, object: &str, field: &str) -> bool {
        self.permissions.field(object, field) == FieldAccess::Free
    }

    /// The record without what they do not see.
    #[must_use]
    pub fn seen(&self, mut record: Record) -> Record {
        for field in self.permissions.hidden(&record.reference.object) {
            Arc::make_mut(&mut record.fields).remove(field);
        }
        record
    }

    /// What holds of one at least of what is theirs, as far as this reaches;
    /// nothing where it reaches everything.
    fn within(&self, object: &ObjectDefinition, reach: Reach) -> Vec<Condition> {
        let mut within = Vec::new();
        let Some(user) = &self.user else { return within };
        let of_team = reach == Reach::Team;
        let any = |field: &str, records: Vec<Reference>| {
            let records = records.into_iter().map(Value::Reference).collect();
            Condition::new(field, Operator::OneOf, Value::List(records))
        };
        let takes = |field: &str, target: &str| {
            object.field(field).is_some_and(|field| field.kind.refers_to(target))
        };
        let team = self.place.team.as_ref().filter(|_| of_team);
        for field in OWNERS {
            let mut owners = Vec::new();
            if takes(field, "user") {
                owners.push(user.clone());
                owners.extend(self.place.members.iter().filter(|_| of_team).cloned());
            }
            if takes(field, "queue") && of_team {
                owners.extend(self.place.queues.iter().cloned());
            }
            if !owners.is_empty() {
                within.push(any(field, owners));
            }
        }
        if takes("queue", "queue") && of_team && !self.place.queues.is_empty() {
            within.push(any("queue", self.place.queues.clone()));
        }
        if let Some(team) = team {
            within.push(Condition::equal("team", Value::Reference(team.clone())));
        }
        match object.name.as_str() {
            "user" => within.push(Condition::equal("id", Value::Reference(user.clone()))),
            "team" => within
                .extend(team.map(|team| Condition::equal("id", Value::Reference(team.clone())))),
            _ => {}
        }
        within
    }
}

impl App {
    /// Somebody who works here, with what their roles give; none where there
    /// is no such user, or not any more.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn viewer_of_user(&self, user: &Reference) -> Result<Option<Viewer>, AppError> {
        match self.store().record_fetch(user).await? {
            Some(record) => self.viewer_of_record(&record).await,
            None => Ok(None),
        }
    }

    /// As [`App::viewer_of_user`], of a user's record.
    pub(crate) async fn viewer_of_record(
        &self,
        record: &Record,
    ) -> Result<Option<Viewer>, AppError> {
        if record.field("active") == &Value::YesNo(false) {
            return Ok(None);
        }
        let permissions = self.permissions_of(record).await?;
        let mut place = Place { team: reference(record, "team"), ..Place::default() };
        if let Some(team) = place.team.clone().filter(|_| permissions.knows_teams()) {
            place.members = self.of_team("user", &team).await?;
            place.queues = self.of_team("queue", &team).await?;
        }
        Ok(Some(Viewer {
            actor: record.reference.to_string(),
            name: record.field("name").as_text().unwrap_or_default().to_owned(),
            user: Some(record.reference.clone()),
            permissions,
            place,
        }))
    }

    async fn of_team(&self, object: &str, team: &Reference) -> Result<Vec<Reference>, AppError> {
        let of_team = Condition::equal("team", Value::Reference(team.clone()));
        let found = self.store().record_query(&Query::new(object, vec![of_team])).await?;
        Ok(found.records.into_iter().map(|record| record.reference).collect())
    }

    /// What a user's roles give together. A role without lines, or with one
    /// that does not read, gives nothing; `relata doctor` names it.
    async fn permissions_of(&self, user: &Record) -> Result<Permissions, AppError> {
        let Value::List(names) = user.field("roles") else { return Ok(Permissions::default()) };
        let own: Vec<Record> = if names.is_empty() {
            Vec::new()
        } else {
            let named = Condition::new("external_id", Operator::OneOf, Value::List(names.clone()));
            self.store().record_query(&Query::new("role", vec![named])).await?.records
        };
        let mut permissions = Permissions::default();
        for name in names.iter().filter_map(Value::as_text) {
            let record = own.iter().find(|role| role.field("external_id").as_text() == Some(name));
            if let Some(Ok(role)) = self.role_permissions(name, record) {
                permissions = permissions.or(&role);
            }
        }
        Ok(permissions)
    }

    /// What a role gives, by its record or as it ships; none where it is
    /// neither: a word by which workflows find people.
    pub(crate) fn role_permissions(
        &self,
        name: &str,
        record: Option<&Record>,
    ) -> Option<Result<Permissions, Vec<String>>> {
        let Some(record) = record else {
            let lines = &standard_roles().get(name)?.may;
            return Some(Permissions::read(lines.iter().map(String::as_str), self.objects()));
        };
        Some(Permissions::read(record.field("may").texts(), self.objects()))
    }

    /// Whether a role gives something.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is no such role, or it does not read.
    pub async fn known_role(&self, name: &str) -> Result<(), AppError> {
        let record = self.store().record_fetch(&Reference::new("role", name)).await?;
        match self.role_permissions(name, record.as_ref()) {
            Some(Ok(_)) => Ok(()),
            Some(Err(why)) => {
                Err(AppError::wrong(format!("the role {name} does not read: {}", why.join("; "))))
            }
            None => {
                let standard = standard_roles().keys().map(String::as_str);
                let hint = text::nearest(name, standard.clone()).map_or_else(
                    || format!("there are {}", standard.collect::<Vec<_>>().join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                Err(AppError::wrong(format!("there is no role `{name}`; {hint}")))
            }
        }
    }

    /// Roles that give nothing since a line of theirs does not read.
    pub(crate) async fn look_at_roles(&self, found: &mut Vec<Finding>) -> Result<(), AppError> {
        for role in self.records_all("role").await? {
            let name = role.handle();
            if let Some(Err(why)) = self.role_permissions(&name, Some(&role)) {
                let what = format!("{name} gives nothing: {}", why.join("; "));
                let mend = "mend the lines of its field `may`";
                found.push(Finding::new("role-unreadable", Severity::Warning, what, mend));
            }
        }
        Ok(())
    }

    /// Says no, and notes it.
    pub(crate) async fn refuse(
        &self,
        viewer: &Viewer,
        act: &str,
        target: &str,
        why: String,
    ) -> AccessError {
        match self.note_refused(viewer.actor(), act, target, &why).await {
            Ok(()) => AccessError::Forbidden(why),
            Err(why) => AccessError::App(why),
        }
    }

    /// Refuses what somebody may not do in an area.
    ///
    /// # Errors
    ///
    /// [`AccessError::Forbidden`], and it is noted.
    pub async fn must_may(
        &self,
        viewer: &Viewer,
        area: Area,
        doing: Doing,
    ) -> Result<(), AccessError> {
        if viewer.may(area, doing) {
            return Ok(());
        }
        let why = format!("{} may not {} {area}", viewer.name(), doing.as_str());
        Err(self.refuse(viewer, doing.as_str(), area.as_str(), why).await)
    }

    /// Refuses whoever may not decide what others may do.
    ///
    /// # Errors
    ///
    /// [`AccessError::Forbidden`], and it is noted.
    pub async fn must_grant(&self, viewer: &Viewer, target: &str) -> Result<(), AccessError> {
        if viewer.may_grant() {
            return Ok(());
        }
        let why = format!("{} may not decide what others may do", viewer.name());
        Err(self.refuse(viewer, "grant", target, why).await)
    }

    /// Whether this may be done with a record, as it is now.
    pub(crate) async fn judge(
        &self,
        viewer: &Viewer,
        record: &Record,
        act: Act,
    ) -> Result<(), AccessError> {
        if self.allows(viewer, record, act).await? {
            return Ok(());
        }
        let target = record.reference.to_string();
        let why = format!("{} may not {act} {target}", viewer.name());
        Err(self.refuse(viewer, act.as_str(), &target, why).await)
    }

    /// As [`App::judge`], and nothing is noted.
    pub(crate) async fn allows(
        &self,
        viewer: &Viewer,
        record: &Record,
        act: Act,
    ) -> Result<bool, AccessError> {
        let definition = self.object(&record.reference.object)?;
        let reach = viewer.permissions.reach(&definition.name, act);
        if reach == Reach::None {
            return Ok(false);
        }
        if let Some(whole) = definition.part_of.as_deref().and_then(|part| reference(record, part))
        {
            return match self.store().record_fetch(&whole).await? {
                Some(whole) => Box::pin(self.allows(viewer, &whole, Act::See)).await,
                // What it was a part of is gone.
                None => Ok(reach == Reach::All),
            };
        }
        Ok(reach == Reach::All || matches_any(record, &viewer.within(definition, reach)))
    }

    /// Refuses fields that somebody may not set.
    async fn judge_fields(
        &self,
        viewer: &Viewer,
        object: &str,
        act: Act,
        fields: &Map<String, Json>,
    ) -> Result<(), AccessError> {
        let held: Vec<&str> = fields
            .keys()
            .map(String::as_str)
            .filter(|field| !viewer.writes_field(object, field))
            .collect();
        if held.is_empty() {
            return Ok(());
        }
        let why = format!("{} may not set {} of {object} records", viewer.name(), held.join(", "));
        Err(self.refuse(viewer, act.as_str(), object, why).await)
    }

    /// A record, with what the viewer sees of it.
    ///
    /// # Errors
    ///
    /// [`AccessError`] where it is not there, or not for them.
    pub async fn see(&self, viewer: &Viewer, record: &Reference) -> Result<Record, AccessError> {
        let record = self.fetch_for(viewer, record, Act::See).await?;
        self.judge(viewer, &record, Act::See).await?;
        Ok(viewer.seen(record))
    }

    /// A record that is there; whoever may do this with none of its object
    /// does not hear whether it is.
    async fn fetch_for(
        &self,
        viewer: &Viewer,
        record: &Reference,
        act: Act,
    ) -> Result<Record, AccessError> {
        self.may_any(viewer, &record.object, act).await?;
        let found = self.store().record_fetch(record).await?;
        found.ok_or_else(|| AccessError::NotFound(record.clone()))
    }

    /// Refuses what somebody may do with no record of an object.
    ///
    /// # Errors
    ///
    /// [`AccessError::Forbidden`], and it is noted; [`AccessError::App`] where
    /// there is no such object.
    pub async fn may_any(
        &self,
        viewer: &Viewer,
        object: &str,
        act: Act,
    ) -> Result<(), AccessError> {
        self.object(object)?;
        if viewer.may_object(object, act) {
            return Ok(());
        }
        let why = format!("{} may not {act} {object} records", viewer.name());
        Err(self.refuse(viewer, act.as_str(), object, why).await)
    }

    /// The records that meet all conditions and that the viewer may see, a
    /// page at a time.
    ///
    /// # Errors
    ///
    /// [`AccessError`] where they may see none, or ask for what is hidden.
    pub async fn find(
        &self,
        viewer: &Viewer,
        object: &str,
        search: &RecordSearch,
    ) -> Result<RecordsFound, AccessError> {
        let within = self.find_bounds(viewer, object, search).await?;
        let mut found = self.find_within(object, search, within).await?;
        found.records = found.records.into_iter().map(|record| viewer.seen(record)).collect();
        Ok(found)
    }

    /// What holds of one at least for the records that the viewer may find by
    /// a search; nothing where that is all of them.
    pub(crate) async fn find_bounds(
        &self,
        viewer: &Viewer,
        object: &str,
        search: &RecordSearch,
    ) -> Result<Vec<Condition>, AccessError> {
        self.may_any(viewer, object, Act::See).await?;
        let asked =
            search.filter.iter().map(|(field, _)| field.as_str()).chain(search.sort.as_deref());
        for asked in asked {
            let field = asked.trim_start_matches('-').split('.').next().unwrap_or_default();
            if !viewer.sees_field(object, field) {
                let why = format!("{} does not see {object}.{field}", viewer.name());
                return Err(self.refuse(viewer, Act::See.as_str(), object, why).await);
            }
        }
        let definition = self.object(object)?;
        Ok(match &definition.part_of {
            Some(part) => {
                self.see_whole(viewer, definition, part, search).await?;
                Vec::new()
            }
            None => match viewer.permissions.reach(object, Act::See) {
                Reach::All => Vec::new(),
                reach => match viewer.within(definition, reach) {
                    nothing if nothing.is_empty() => vec![nobodys()],
                    within => within,
                },
            },
        })
    }

    /// Records that are parts of others are found part by part, unless all of
    /// what they are parts of may be seen.
    async fn see_whole(
        &self,
        viewer: &Viewer,
        definition: &ObjectDefinition,
        part: &str,
        search: &RecordSearch,
    ) -> Result<(), AccessError> {
        if viewer.may_find(definition, "") {
            return Ok(());
        }
        let asked =
            search.filter.iter().find(|(field, written)| field == part && !written.contains(','));
        let Some((_, written)) = asked else {
            let object = &definition.name;
            let why = format!(
                "{} sees the {object} records of one {part} at a time; say `{part}=…`",
                viewer.name()
            );
            return Err(self.refuse(viewer, Act::See.as_str(), object, why).await);
        };
        let Some(kind) = definition.field(part).map(|field| &field.kind) else { return Ok(()) };
        let read = kind.parse(written, &self.zone());
        let read = read.map_err(|why| AppError::wrong(format!("`{part}`: {why}")))?;
        if let Value::Reference(whole) = read {
            self.see(viewer, &whole).await?;
        }
        Ok(())
    }

    /// Makes a record.
    ///
    /// # Errors
    ///
    /// [`AccessError`] says why it was not made.
    pub async fn create_as(
        &self,
        viewer: &Viewer,
        object: &str,
        fields: &Map<String, Json>,
    ) -> Result<Record, AccessError> {
        self.may_any(viewer, object, Act::Create).await?;
        self.judge_create(viewer, object, fields).await?;
        Ok(viewer.seen(self.create_of_json(object, fields, viewer.actor()).await?))
    }

    /// Refuses what somebody who may make records of an object may not set.
    pub(crate) async fn judge_create(
        &self,
        viewer: &Viewer,
        object: &str,
        fields: &Map<String, Json>,
    ) -> Result<(), AccessError> {
        self.judge_fields(viewer, object, Act::Create, fields).await?;
        self.judge_part(viewer, object, fields).await
    }

    /// Whoever adds a part must see the whole.
    async fn judge_part(
        &self,
        viewer: &Viewer,
        object: &str,
        fields: &Map<String, Json>,
    ) -> Result<(), AccessError> {
        let definition = self.object(object)?;
        let Some(part) = definition.part_of.as_deref() else { return Ok(()) };
        let (Some(field), Some(given)) = (definition.field(part), fields.get(part)) else {
            return Ok(());
        };
        if field.kind.only_target().is_some_and(|whole| viewer.may_all(whole, Act::See)) {
            return Ok(());
        }
        // What does not read, or is not there, is told by the write.
        if let Ok(Value::Reference(whole)) = field.kind.read(given)
            && let Some(whole) = self.store().record_fetch(&whole).await?
        {
            self.judge(viewer, &whole, Act::See).await?;
        }
        Ok(())
    }

    /// Sets fields of a record (null empties one), and leaves the others.
    ///
    /// # Errors
    ///
    /// [`AccessError`] says why nothing was written.
    pub async fn change_as(
        &self,
        viewer: &Viewer,
        reference: &Reference,
        fields: &Map<String, Json>,
        if_revision: Option<u64>,
    ) -> Result<Written, AccessError> {
        let object = &reference.object;
        self.may_any(viewer, object, Act::Change).await?;
        self.judge_fields(viewer, object, Act::Change, fields).await?;
        self.judge_part(viewer, object, fields).await?;
        let changing = Changing::Set(fields);
        let written = self.guarded(viewer, reference, changing, if_revision).await?;
        Ok(Written { record: viewer.seen(written.record), ..written })
    }

    /// Deletes a record.
    ///
    /// # Errors
    ///
    /// [`AccessError`] says why it is still there.
    pub async fn delete_as(
        &self,
        viewer: &Viewer,
        reference: &Reference,
        if_revision: Option<u64>,
    ) -> Result<Written, AccessError> {
        self.may_any(viewer, &reference.object, Act::Delete).await?;
        self.guarded(viewer, reference, Changing::Delete, if_revision).await
    }

    /// Makes the record of this external id, or sets its fields where it is
    /// there.
    ///
    /// # Errors
    ///
    /// [`AccessError`] says why nothing was written.
    pub async fn put_as(
        &self,
        viewer: &Viewer,
        reference: &Reference,
        fields: &Map<String, Json>,
    ) -> Result<Put, AccessError> {
        let object = &reference.object;
        for act in [Act::Create, Act::Change] {
            self.may_any(viewer, object, act).await?;
        }
        self.judge_fields(viewer, object, Act::Change, fields).await?;
        self.judge_part(viewer, object, fields).await?;
        let put = if viewer.may_all(object, Act::Change) && self.object(object)?.part_of.is_none() {
            self.put_record(reference, fields, viewer.actor()).await?
        } else if self.store().record_fetch(reference).await?.is_some() {
            let fields = with_external_id(reference, fields)?;
            let Written { record, changed } =
                self.change_as(viewer, reference, &fields, None).await?;
            Put { record, created: false, changed }
        } else {
            let fields = with_external_id(reference, fields)?;
            let record = self.create_of_json(object, &fields, viewer.actor()).await?;
            Put { record, created: true, changed: true }
        };
        Ok(Put { record: viewer.seen(put.record), ..put })
    }

    /// Changes a record as it was judged: where somebody may change some only,
    /// it must still be the one that was looked at.
    async fn guarded(
        &self,
        viewer: &Viewer,
        reference: &Reference,
        changing: Changing<'_>,
        given: Option<u64>,
    ) -> Result<Written, AccessError> {
        let act = changing.act();
        let has_whole = self.object(&reference.object)?.part_of.is_some();
        let may_all = viewer.may_all(&reference.object, act) && !has_whole;
        let mut tries = TRIES;
        loop {
            let mut if_revision = given;
            if !may_all {
                let record = self.fetch_for(viewer, reference, act).await?;
                self.judge(viewer, &record, act).await?;
                if_revision = given.or(Some(record.revision));
            }
            tries -= 1;
            let actor = viewer.actor();
            let done = match changing {
                Changing::Set(fields) => {
                    self.change_record(reference, fields, if_revision, actor).await
                }
                Changing::Delete => self.delete_record(reference, if_revision, actor).await,
            };
            match done {
                Err(AccessError::Conflict { .. }) if !may_all && given.is_none() && tries > 0 => {}
                done => return done,
            }
        }
    }

    /// The last things that happened to a record, oldest first, as far as the
    /// viewer sees them.
    ///
    /// # Errors
    ///
    /// [`AccessError`] where it is not there, or not for them.
    pub async fn timeline_as(
        &self,
        viewer: &Viewer,
        reference: &Reference,
        most: u32,
    ) -> Result<Vec<TimelineEntry>, AccessError> {
        let record = self.see(viewer, reference).await?;
        let sees = |object: &str, field: &str| {
            let whole = object == reference.object || viewer.may_all(object, Act::See);
            whole && viewer.sees_field(object, field)
        };
        let runs = viewer.may(Area::Runs, Doing::See);
        Ok(self.timeline_of(&record.reference, &sees, runs, most).await?)
    }
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy)]
enum Changing<'a> {
    Set(&'a Map<String, Json>),
    Delete,
}

impl Changing<'_> {
    const fn act(self) -> Act {
        match self {
            Self::Set(_) => Act::Change,
            Self::Delete => Act::Delete,
        }
    }
}

/// What holds of no record.
fn nobodys() -> Condition {
    Condition::new("id", Operator::OneOf, Value::List(Vec::new()))
}

fn reference(record: &Record, field: &str) -> Option<Reference> {
    record.field(field).as_reference().cloned()
}
