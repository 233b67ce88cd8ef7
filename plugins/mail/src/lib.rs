//! Sends mails from templates.

use relata_plugin_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Input {
    /// Whom to write to: a record with a mail address.
    to: Reference,
    /// What to write.
    template: Template,
    /// What the template may name beside the recipient.
    #[serde(default)]
    data: Fields,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// The mail's id; empty if it was suppressed.
    mail: String,
    /// Why it was not sent: no consent, no address, a duplicate.
    suppressed: Option<String>,
}

struct Send;

impl Action for Send {
    const ID: &str = "send";
    const TITLE: &str = "Send a mail from a template";
    const SUMMARY: &str = "Mails a template to a contact, lead, user or account. Consent, quiet \
        hours and caps are seen to by the host; a mail that may not be sent is suppressed, with \
        the reason in the output, and the run goes on.";
    const CORRELATION: &[Correlation] = &[
        Correlation { event: "mail.opened", output_field: "mail" },
        Correlation { event: "mail.clicked", output_field: "mail" },
    ];
    type Input = Input;
    type Output = Output;

    fn run(_: &Context, input: Input) -> Result<Outcome<Output>> {
        let receipt = messages::send_mail(&input.to, &input.template, &input.data)?;
        done(match receipt {
            Receipt::Queued(mail) => Output { mail, suppressed: None },
            Receipt::Suppressed(reason) => Output { mail: String::new(), suppressed: Some(reason) },
        })
    }
}

relata_plugin_sdk::plugin!(Send);
