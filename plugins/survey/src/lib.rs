//! Sends surveys to customers.

use relata_plugin_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Input {
    /// Whom to ask.
    #[schemars(extend("format" = "record/contact"))]
    to: Reference,
    /// The mail that carries the question. It may name `question`, `lowest`,
    /// `highest`, `survey` (its name) and `response` (the id that the answer
    /// must bring back).
    template: Template,
    /// What the survey asks about, such as a ticket.
    about: Option<Reference>,
    /// Which survey.
    #[serde(default = "csat")]
    #[schemars(extend("format" = "record/survey"))]
    survey: Reference,
}

fn csat() -> Reference {
    "survey/csat".into()
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// The record in which the answer will stand.
    #[schemars(extend("format" = "record/survey_response"))]
    response: Reference,
    /// Its id, the key of the event `survey.answered`.
    response_id: String,
    /// The mail's id; empty if it was suppressed.
    mail: String,
    /// Why it was not sent: no consent, no address, a duplicate.
    suppressed: Option<String>,
}

/// What is read of a survey.
#[derive(Deserialize)]
struct Survey {
    name: String,
    question: String,
    lowest: Option<i64>,
    highest: Option<i64>,
}

struct Send;

impl Action for Send {
    const ID: &str = "send";
    const TITLE: &str = "Send a survey";
    const SUMMARY: &str = "Mails a survey to a contact and keeps a record for the answer. If the \
        mail may not be sent, that record says why and its status is `suppressed`.";
    const READS: &[&str] = &["survey"];
    const WRITES: &[&str] = &["survey_response"];
    const CORRELATION: &[Correlation] =
        &[Correlation { event: "survey.answered", output_field: "response_id" }];
    type Input = Input;
    type Output = Output;

    fn run(ctx: &Context, input: Input) -> Result<Outcome<Output>> {
        let survey = records::get(input.survey.expect("survey")?)?;
        let asked: Survey = survey.parse()?;
        let about = input.about.or_else(|| ctx.subject.clone());
        // First the record, because the mail carries its id.
        let response = records::create(
            "survey_response",
            json!({
                "survey": survey.reference(),
                "contact": input.to,
                "about": about,
                "status": "scheduled",
            }),
        )?;
        let data = json!({
            "response": response.id(),
            "survey": asked.name,
            "question": asked.question,
            "lowest": asked.lowest.unwrap_or(1),
            "highest": asked.highest.unwrap_or(5),
        });
        let (mail, suppressed, outcome) =
            match messages::send_mail(&input.to, &input.template, data)? {
                Receipt::Queued(mail) => {
                    (mail, None, json!({ "status": "sent", "sent_at": env::now() }))
                }
                Receipt::Suppressed(reason) => {
                    let outcome = json!({ "status": "suppressed", "reason": reason });
                    (String::new(), Some(reason), outcome)
                }
            };
        records::update(response.reference(), outcome)?;
        done(Output {
            response_id: response.id().to_owned(),
            response: response.reference().clone(),
            mail,
            suppressed,
        })
    }
}

relata_plugin_sdk::plugin!(Send);
