//! Asks a user, or all of a role, for an answer that a run waits for.
//!
//! A workflow writes `ask:`, which is read as `approval.request`, a wait for
//! the event `approval.answered`, and `approval.close` where nobody answered.

use relata_plugin_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct RequestInput {
    /// Who is asked: a user (`user/mara`), or all who have a role
    /// (`sales-lead`), of whom the first answer counts.
    who: Option<String>,
    /// What is asked.
    question: String,
    /// What may be answered.
    #[serde(default = "yes_or_no")]
    answers: Vec<String>,
    /// The record that the question is about; the run's own where nothing is
    /// said.
    about: Option<Reference>,
    /// Until when there is something to answer: `2 days`.
    due_at: Option<Due>,
}

fn yes_or_no() -> Vec<String> {
    vec!["yes".to_owned(), "no".to_owned()]
}

#[derive(Serialize, JsonSchema)]
struct RequestOutput {
    /// The question's record, the key of the event `approval.answered`.
    #[schemars(extend("format" = "record/approval"))]
    approval: Reference,
    /// Who was told.
    #[schemars(extend("items" = { "type": "string", "format": "record/user" }))]
    notified: Vec<Reference>,
}

struct Request;

impl Action for Request {
    const ID: &str = "request";
    const TITLE: &str = "Ask for approval";
    const SUMMARY: &str = "Asks a user, or all who have a role, to choose one of some answers, and \
        tells them how to give it. The answer comes as the event `approval.answered`.";
    const READS: &[&str] = &["user"];
    const WRITES: &[&str] = &["approval"];
    const CORRELATION: &[Correlation] =
        &[Correlation { event: "approval.answered", output_field: "approval" }];
    type Input = RequestInput;
    type Output = RequestOutput;

    fn run(ctx: &Context, input: RequestInput) -> Result<Outcome<RequestOutput>> {
        let answers = distinct(input.answers)?;
        let asked = Asked::find(input.who.as_deref().unwrap_or_default().trim())?;
        let about = input.about.or_else(|| ctx.subject.clone());
        let approval = records::create(
            "approval",
            json!({
                "question": input.question,
                "about": about,
                "asked": asked.user,
                "role": asked.role,
                "answers": answers,
                "asked_at": env::now(),
                "due_at": input.due_at,
                "run": ctx.run_id,
            }),
        )?;
        let mut notified = Vec::new();
        for person in &asked.people {
            let text = notice(&Notice {
                question: &input.question,
                run: &ctx.run_id,
                until: input.due_at.as_ref().map(Due::as_str),
                approval: approval.id(),
                answers: &answers,
                by: &person.handle,
                about: about.is_some(),
            });
            if let Receipt::Queued(_) = messages::notify(&person.user, &text, about.as_ref())? {
                notified.push(person.user.clone());
            }
        }
        done(RequestOutput { approval: approval.reference().clone(), notified })
    }
}

/// At least one answer, none of them empty, none twice.
fn distinct(answers: Vec<String>) -> Result<Vec<String>> {
    let mut kept: Vec<String> = Vec::with_capacity(answers.len());
    for answer in answers {
        let answer = answer.trim().to_owned();
        if answer.is_empty() {
            return Err(Error::invalid("one of the `answers` is empty; each needs a word"));
        }
        if kept.contains(&answer) {
            return Err(Error::invalid(format!("the answer `{answer}` stands there twice")));
        }
        kept.push(answer);
    }
    if kept.is_empty() {
        return Err(Error::invalid("there are no `answers`; give some, such as [approve, reject]"));
    }
    Ok(kept)
}

/// Who is asked: one user, or those of a role.
struct Asked {
    user: Option<Reference>,
    role: Option<String>,
    people: Vec<Person>,
}

/// Somebody who is told.
struct Person {
    user: Reference,
    /// What commands call this user: `user/mara`.
    handle: String,
}

impl Person {
    fn of(user: &records::Record) -> Result<Self> {
        let external: Option<String> = user.field("external_id")?;
        let handle = external
            .filter(|id| !id.is_empty())
            .map_or_else(|| user.reference().to_string(), |id| format!("user/{id}"));
        Ok(Self { user: user.reference().clone(), handle })
    }
}

impl Asked {
    fn find(who: &str) -> Result<Self> {
        if who.is_empty() {
            return Err(Error::invalid(
                "there is nobody to ask: `who` is empty; name a role, or a user who is always there",
            ));
        }
        let reference = Reference::from(who);
        match reference.object() {
            "" => Self::role(who),
            "user" => Self::user(&reference),
            _ => Err(Error::invalid(format!(
                "{who} cannot be asked; name a user, or a role such as sales-lead"
            ))),
        }
    }

    fn user(user: &Reference) -> Result<Self> {
        let user = records::get(user)?;
        if user.field::<Option<bool>>("active")? == Some(false) {
            let name: String = user.field("name")?;
            return Err(Error::invalid(format!("{name} no longer works here and cannot be asked")));
        }
        Ok(Self {
            user: Some(user.reference().clone()),
            role: None,
            people: vec![Person::of(&user)?],
        })
    }

    /// All who have a role and still work here.
    fn role(role: &str) -> Result<Self> {
        let mut people = Vec::new();
        let fields = ["external_id", "roles", "active"];
        for user in records::query("user").contains("roles", role).fields(fields).all()? {
            let roles: Option<Vec<String>> = user.field("roles")?;
            let active: Option<bool> = user.field("active")?;
            // `contains` may be looser than a whole role.
            let has = roles.is_some_and(|roles| roles.iter().any(|held| held == role));
            if has && active != Some(false) {
                people.push(Person::of(&user)?);
            }
        }
        if people.is_empty() {
            return Err(Error::not_found(format!(
                "nobody has the role `{role}`, so nobody can be asked; give it to a user under `roles`"
            )));
        }
        Ok(Self { user: None, role: Some(role.to_owned()), people })
    }
}

/// What a person is told.
struct Notice<'a> {
    question: &'a str,
    run: &'a str,
    until: Option<&'a str>,
    approval: &'a str,
    answers: &'a [String],
    by: &'a str,
    /// Whether the host will add a record.
    about: bool,
}

/// The question, who asks it, and how to answer. The first line becomes the
/// subject; the host adds the record that it is about.
fn notice(asked: &Notice<'_>) -> String {
    let until = asked.until.map_or_else(String::new, |until| format!(" until {until}"));
    let mut text = format!(
        "{}\n\n{} asks this, and waits for the answer{until}. To answer:\n",
        asked.question.trim(),
        asked.run
    );
    for answer in asked.answers {
        text.push_str(&format!(
            "\n    relata approvals answer {} {} --by {}",
            asked.approval,
            quoted(answer),
            quoted(asked.by)
        ));
    }
    if asked.about {
        text.push_str("\n\nIt is about:");
    }
    text
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@".contains(c);
    if word.chars().all(plain) && !word.starts_with('-') {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[derive(Deserialize, JsonSchema)]
struct CloseInput {
    /// The question that nobody has to answer any more.
    #[schemars(extend("format" = "record/approval"))]
    approval: Reference,
}

#[derive(Serialize, JsonSchema)]
struct CloseOutput {
    /// Whether it was still open.
    closed: bool,
}

struct Close;

impl Action for Close {
    const ID: &str = "close";
    const TITLE: &str = "Stop asking for approval";
    const SUMMARY: &str =
        "From now on the question cannot be answered. One that was answered already stays so.";
    const READS: &[&str] = &["approval"];
    const WRITES: &[&str] = &["approval.status"];
    type Input = CloseInput;
    type Output = CloseOutput;

    fn run(_: &Context, input: CloseInput) -> Result<Outcome<CloseOutput>> {
        let approval = records::get(input.approval.expect("approval")?)?;
        let status: String = approval.field("status")?;
        let closed = status == "open";
        if closed {
            // An answer that comes at the same moment goes first.
            records::update_if(
                approval.reference(),
                approval.revision(),
                json!({ "status": "expired" }),
            )?;
        }
        done(CloseOutput { closed })
    }
}

relata_plugin_sdk::plugin!(Request, Close);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_words_that_differ() {
        let given = |words: &[&str]| {
            distinct(words.iter().map(|word| (*word).to_owned()).collect())
                .map_err(|why| why.to_string())
        };
        assert_eq!(given(&[" approve ", "reject"]), Ok(vec!["approve".into(), "reject".into()]));
        for wrong in [&[][..], &["yes", " "], &["yes", "yes "]] {
            assert!(given(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_notice_says_who_asks_and_how_to_answer() {
        let answers = ["approve".to_owned(), "don't".to_owned()];
        let text = notice(&Notice {
            question: "Give Anna 20 % off?",
            run: "run_01",
            until: Some("2026-12-16T09:00:00Z"),
            approval: "01k9",
            answers: &answers,
            by: "user/mara",
            about: true,
        });
        assert_eq!(
            text,
            "Give Anna 20 % off?

run_01 asks this, and waits for the answer until 2026-12-16T09:00:00Z. To answer:

    relata approvals answer 01k9 approve --by user/mara
    relata approvals answer 01k9 'don'\\''t' --by user/mara

It is about:"
        );
    }
}
