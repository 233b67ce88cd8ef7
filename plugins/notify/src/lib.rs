//! Tells users something: one, those behind a queue, or all of a role.

use relata_plugin_sdk::prelude::*;

/// Queues may fall back on queues; more than this many in a row is a circle.
const LONGEST_CHAIN: usize = 8;

#[derive(Deserialize, JsonSchema)]
struct UserInput {
    /// Whom to tell: a user, or a queue, which means the user that it falls
    /// back on. May be empty, as the owner of a record may be.
    #[schemars(extend("format" = "record/user|queue"))]
    to: Option<Reference>,
    /// What to say.
    text: String,
    /// The record it is about.
    about: Option<Reference>,
    /// Who is told instead when `to` is empty, or a queue without a user: all
    /// who have this role.
    #[serde(default = "head_of_support")]
    otherwise_role: String,
}

fn head_of_support() -> String {
    "head-of-support".to_owned()
}

#[derive(Deserialize, JsonSchema)]
struct RoleInput {
    /// All who have this role are told, such as `head-of-support`.
    role: String,
    /// What to say.
    text: String,
    /// The record it is about.
    about: Option<Reference>,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// Who will be told.
    #[schemars(extend("items" = { "type": "string", "format": "record/user" }))]
    notified: Vec<Reference>,
    /// Who will not, and why.
    suppressed: Vec<Suppressed>,
}

#[derive(Serialize, JsonSchema)]
struct Suppressed {
    #[schemars(extend("format" = "record/user"))]
    user: Reference,
    reason: String,
}

struct User;

impl Action for User {
    const ID: &str = "user";
    const TITLE: &str = "Notify a user";
    const SUMMARY: &str = "Tells a user something. A queue stands for the user that it falls back \
        on. Where there is no user, neither directly nor behind the queue, all who have the role \
        `otherwise_role` are told instead: a notice never gets lost.";
    const READS: &[&str] = &["user", "queue"];
    type Input = UserInput;
    type Output = Output;

    fn run(_: &Context, input: UserInput) -> Result<Outcome<Output>> {
        let users = match behind(input.to)? {
            Some(user) => vec![user],
            None => having(&input.otherwise_role)?,
        };
        tell(users, &input.text, input.about.as_ref())
    }
}

struct Role;

impl Action for Role {
    const ID: &str = "role";
    const TITLE: &str = "Notify all who have a role";
    const SUMMARY: &str = "Tells everybody something who has a role and still works here.";
    const READS: &[&str] = &["user"];
    type Input = RoleInput;
    type Output = Output;

    fn run(_: &Context, input: RoleInput) -> Result<Outcome<Output>> {
        tell(having(&input.role)?, &input.text, input.about.as_ref())
    }
}

/// The user that a reference stands for, following queues; nothing if there
/// is none.
fn behind(to: Option<Reference>) -> Result<Option<Reference>> {
    let Some(mut to) = to else {
        return Ok(None);
    };
    for _ in 0..LONGEST_CHAIN {
        match to.object() {
            "user" => return Ok(Some(to)),
            "queue" => {}
            _ => {
                return Err(Error::invalid(format!(
                    "{to} is neither a user nor a queue, so it cannot be notified"
                )));
            }
        }
        match records::get(&to)?.field("fallback")? {
            Some(next) => to = next,
            None => return Ok(None),
        }
    }
    Err(Error::permanent(format!(
        "the fallbacks of queue {to} go round in a circle; give one of them a user"
    )))
}

/// All who have a role and still work here.
fn having(role: &str) -> Result<Vec<Reference>> {
    let mut found = Vec::new();
    let users = records::query("user").contains("roles", role).fields(["roles", "active"]).all()?;
    for user in users {
        let roles: Option<Vec<String>> = user.field("roles")?;
        let active: Option<bool> = user.field("active")?;
        // `contains` may be looser than a whole role.
        let has = roles.is_some_and(|roles| roles.iter().any(|held| held == role));
        if has && active != Some(false) {
            found.push(user.reference().clone());
        }
    }
    if found.is_empty() {
        return Err(Error::not_found(format!(
            "nobody has the role `{role}`; give it to a user under `roles`"
        )));
    }
    Ok(found)
}

fn tell(users: Vec<Reference>, text: &str, about: Option<&Reference>) -> Result<Outcome<Output>> {
    let mut output = Output { notified: Vec::new(), suppressed: Vec::new() };
    for user in users {
        match messages::notify(&user, text, about)? {
            Receipt::Queued(_) => output.notified.push(user),
            Receipt::Suppressed(reason) => output.suppressed.push(Suppressed { user, reason }),
        }
    }
    done(output)
}

relata_plugin_sdk::plugin!(User, Role);
