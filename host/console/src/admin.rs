//! The host's own affairs: what the doctor finds, what could not be sent, who
//! works here, and who did what.

use askama::Template;
use axum::{extract::Path, http::StatusCode, response::Response};
use relata_app::{
    AppError, EffectView, Severity,
    model::{Act, Area, Doing, EffectId, FieldType, Reference},
    store::{AuditFilter, EffectFilter, EffectStatus},
};
use serde_json::{Map, json};

use crate::{
    failure::Failure,
    frame::rendered,
    html::{Link, Moment, Pill, Tone},
    log_in::to,
    names::Names,
    session::{Sent, Visit},
    shell::Shell,
    words,
};

/// How many lines each part shows.
const MOST: u32 = 50;

/// The effects that a person decides about.
const UNDECIDED: [EffectStatus; 3] =
    [EffectStatus::Unknown, EffectStatus::Held, EffectStatus::Failed];

#[derive(Template)]
#[template(path = "admin.html")]
struct AdminPage {
    s: Shell,
    findings: Vec<Finding>,
    effects: Vec<Effect>,
    may_decide: bool,
    /// How many mails are held.
    held: usize,
    users: Vec<User>,
    may_grant: bool,
    audit: Option<Vec<Entry>>,
    objects: Vec<Object>,
}

struct Finding {
    severity: Pill,
    what: String,
    examples: String,
    mend: String,
}

struct Effect {
    id: String,
    kind: &'static str,
    to: String,
    subject: String,
    status: Pill,
    reason: String,
    at: Option<Moment>,
    run: Option<Link>,
}

struct User {
    link: Link,
    email: String,
    roles: String,
    active: bool,
    can_log_in: bool,
    codes: bool,
    last: Option<Moment>,
}

struct Entry {
    at: Option<Moment>,
    who: String,
    act: String,
    target: String,
    outcome: Pill,
    why: String,
}

struct Object {
    title: String,
    /// Where its records are.
    records: String,
    fields: Vec<(String, String)>,
}

/// `GET /admin`
pub(crate) async fn page(visit: Visit) -> Result<Response, Failure> {
    visit.must(Area::Operations, Doing::See).await?;
    let lang = visit.lang();
    let findings = visit.app.doctor(false).await?;
    let users = match visit.viewer.may_all("user", Act::See) {
        true => visit.app.users().await?,
        false => Vec::new(),
    };
    let audit = match visit.viewer.may(Area::Audit, Doing::See) {
        true => Some(audit(&visit).await?),
        false => None,
    };
    let seen = |object: &&relata_app::model::ObjectDefinition| {
        visit.viewer.may_object(&object.name, Act::See)
    };
    Ok(rendered(&AdminPage {
        findings: findings
            .into_iter()
            .map(|finding| Finding {
                severity: severity(finding.severity, &visit),
                what: finding.what,
                examples: finding.examples.join(", "),
                mend: finding.mend,
            })
            .collect(),
        effects: effects(&visit).await?,
        may_decide: visit.viewer.may(Area::Operations, Doing::Change),
        held: visit.app.held_mails_as(&visit.viewer).await?.len(),
        users: users
            .into_iter()
            .map(|user| User {
                link: Link::to(format!("/records/{}", user.user), user.name),
                email: user.email,
                roles: user.roles.join(", "),
                active: user.active,
                can_log_in: user.can_log_in,
                codes: user.codes,
                last: visit.moment_of(user.logged_in_at.as_deref()),
            })
            .collect(),
        may_grant: visit.viewer.may_grant(),
        audit,
        objects: visit
            .app
            .objects()
            .iter()
            .filter(seen)
            .map(|object| Object {
                title: words::singular(object, lang),
                records: format!("/records/{}", object.name),
                fields: object
                    .in_order()
                    .map(|(name, field)| (name.to_owned(), kind_of(&field.kind)))
                    .collect(),
            })
            .collect(),
        s: visit.shell("admin"),
    }))
}

fn kind_of(kind: &FieldType) -> String {
    kind.describe()
}

fn severity(severity: Severity, visit: &Visit) -> Pill {
    let t = visit.lang().texts();
    let (tone, text) = match severity {
        Severity::Note => (Tone::Quiet, t.severity_note),
        Severity::Warning => (Tone::Warn, t.severity_warning),
        Severity::Error => (Tone::Bad, t.severity_error),
    };
    Pill { tone, text: text.to_owned(), title: String::new() }
}

/// What could not go out, or must not yet.
async fn effects(visit: &Visit) -> Result<Vec<Effect>, Failure> {
    let mut shown = Vec::new();
    for status in UNDECIDED {
        let filter = EffectFilter { status: Some(status), ..EffectFilter::default() };
        let effects = visit.app.store().outbox_list(&filter, MOST).await.map_err(AppError::from)?;
        for effect in effects {
            let EffectView {
                effect,
                kind,
                status,
                reason,
                to,
                address,
                subject,
                run,
                created_at,
                ..
            } = visit.app.effect(effect.id).await?.effect;
            shown.push(Effect {
                id: effect,
                kind,
                to: address.or(to).unwrap_or_default(),
                subject: subject.unwrap_or_default(),
                status: Pill::of_word(status, visit.lang()),
                reason: reason.unwrap_or_default(),
                at: visit.moment_of(Some(&created_at)),
                run: run.map(|run| Link::to(format!("/runs/{run}"), visit.lang().texts().run)),
            });
        }
    }
    Ok(shown)
}

async fn audit(visit: &Visit) -> Result<Vec<Entry>, Failure> {
    let entries = visit.app.audit(&AuditFilter::default(), MOST).await?;
    let named: Vec<Reference> = entries
        .iter()
        .flat_map(|entry| [&entry.actor, &entry.target])
        .filter_map(|text| text.parse().ok())
        .collect();
    let mut names = Names::new(visit);
    names.learn(&named.iter().collect::<Vec<_>>()).await?;
    Ok(entries
        .into_iter()
        .map(|entry| Entry {
            at: visit.moment_of(Some(&entry.at)),
            who: names.actor(&entry.actor),
            act: entry.act,
            target: names.actor(&entry.target),
            outcome: Pill {
                tone: if entry.outcome == "refused" { Tone::Warn } else { Tone::Plain },
                text: entry.outcome,
                title: String::new(),
            },
            why: entry.why,
        })
        .collect())
}

/// `POST /admin/effects/{id}`: sent after all, or dropped.
pub(crate) async fn effect(
    Path(id): Path<String>,
    Sent { visit, form }: Sent,
) -> Result<Response, Failure> {
    visit.must(Area::Operations, Doing::Change).await?;
    let id: EffectId = id.parse().map_err(|_| Failure::NotFound)?;
    match form.get("do") {
        Some("send") => visit.app.effect_resume(id).await?,
        Some("drop") => {
            let why = format!("dropped by {}", visit.viewer.actor());
            visit.app.effect_drop(id, &why).await?;
        }
        _ => return Err(Failure::NotFound),
    }
    Ok(to("/admin#effects"))
}

#[derive(Template)]
#[template(path = "user_made.html")]
struct UserMadePage {
    s: Shell,
    name: String,
    email: String,
    password: String,
}

/// `POST /admin/users`: a new user with a password that is shown once, and must
/// be changed at the first log-in.
pub(crate) async fn create_user(Sent { visit, form }: Sent) -> Result<Response, Failure> {
    visit.app.must_grant(&visit.viewer, "user").await?;
    let roles: Vec<&str> = form
        .get("roles")
        .unwrap_or_default()
        .split([',', ';', ' '])
        .map(str::trim)
        .filter(|role| !role.is_empty())
        .collect();
    let mut fields = Map::from_iter([
        ("name".to_owned(), json!(form.filled("name"))),
        ("email".to_owned(), json!(form.filled("email"))),
        ("roles".to_owned(), json!(roles)),
    ]);
    if let Some(team) = form.filled("team") {
        let team = if team.contains('/') { team.to_owned() } else { format!("team/{team}") };
        fields.insert("team".to_owned(), json!(team));
    }
    let user = visit.app.create_as(&visit.viewer, "user", &fields).await?;
    let password = visit.app.draw_password()?;
    let text = password.expose().to_owned();
    visit.app.set_password(&user, password, true, visit.viewer.actor()).await?;
    let page = UserMadePage {
        name: user.field("name").to_string(),
        email: user.field("email").to_string(),
        password: text,
        s: visit.shell("admin"),
    };
    let mut response = rendered(&page);
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}
