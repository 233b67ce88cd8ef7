//! What the company's people and customers do, through the same use cases as
//! the command line. Who does what is decided by numbers in the data, so that
//! every demonstration tells the same story.

use std::{collections::BTreeMap, ops::Range, path::Path};

use anyhow::Context;
use relata_app::{
    App, ImportReport, SHIPPED,
    model::{Decimal, Fields, Record, Reference, Value},
};

use super::{facts::text, reading};

/// An opened data directory, between two moves of its clock.
pub(super) struct Desk {
    app: App,
}

/// A complaint that stays open over the weekend.
const LONG_OPEN: &str = "m-007";

/// How customers answer surveys, by their number; `None` never do.
const SCORES: [Option<i64>; 9] =
    [Some(5), Some(4), Some(4), None, Some(5), Some(1), Some(4), None, Some(3)];

impl Desk {
    pub(super) async fn open(root: &Path) -> anyhow::Result<Self> {
        Ok(Self { app: App::open(root).await? })
    }

    pub(super) async fn close(self) {
        self.app.close().await;
    }

    pub(super) async fn import(&self, object: &str, csv: &[u8]) -> anyhow::Result<ImportReport> {
        Ok(self.app.import(object, csv, &[], |_, _| {}).await?)
    }

    pub(super) async fn activate(&self, workflow: &str) -> anyhow::Result<()> {
        let file = format!("workflows/{workflow}.yaml");
        let shipped = SHIPPED.iter().find(|(name, _)| *name == file);
        let (_, source) = shipped.with_context(|| format!("{file} is not shipped"))?;
        // The error names the file and what is wrong in it.
        self.app.activate(&file, source, "operations", relata_app::Running::Finish).await?;
        Ok(())
    }

    fn now(&self) -> Value {
        Value::Time(self.app.now())
    }

    async fn set(
        &self,
        record: &Record,
        actor: &str,
        fields: &[(&str, Value)],
    ) -> anyhow::Result<()> {
        let fields: Fields =
            fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        self.app.update_record(&record.reference, fields, actor).await?;
        Ok(())
    }

    async fn create(
        &self,
        object: &str,
        actor: &str,
        fields: &[(&str, Value)],
    ) -> anyhow::Result<Record> {
        let fields: Fields =
            fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Ok(self.app.create_record(object, fields, actor).await?)
    }

    /// The records for which a formula holds, by `order_by`.
    async fn find(
        &self,
        object: &str,
        formula: &str,
        order_by: &str,
    ) -> anyhow::Result<Vec<Record>> {
        let mut found = self.app.records_where(object, Some(formula)).await?;
        found.sort_by(|a, b| text(a, order_by).cmp(text(b, order_by)));
        Ok(found)
    }
}

/// Sales.
impl Desk {
    /// The first contact with some of every ten leads: they are in process,
    /// and their tasks are done.
    pub(super) async fn contact_leads(&self, of_ten: Range<usize>) -> anyhow::Result<()> {
        let leads = self.find("lead", "lead.owner is not empty", "email").await?;
        let tasks = self.app.records_where("task", Some("task.status == \"open\"")).await?;
        for (number, lead) in leads.iter().enumerate() {
            if !of_ten.contains(&(number % 10)) || text(lead, "status") != "assigned" {
                continue;
            }
            self.set(lead, "sales", &[("status", word("in_process"))]).await?;
            let about =
                |task: &&Record| task.field("about").as_reference() == Some(&lead.reference);
            if let Some(task) = tasks.iter().find(about) {
                self.set(task, "sales", &[("status", word("done")), ("done_at", self.now())])
                    .await?;
            }
        }
        Ok(())
    }
}

/// Support.
impl Desk {
    /// Gives a first answer to some of the complaints of a priority that wait
    /// for one; `many` says to how many of so many.
    pub(super) async fn answer_complaints(
        &self,
        priority: &str,
        many: impl Fn(usize) -> usize,
    ) -> anyhow::Result<()> {
        let waiting = self.unanswered(priority).await?;
        for ticket in waiting.iter().take(many(waiting.len())) {
            self.set(
                ticket,
                "support",
                &[("first_reply_at", self.now()), ("status", word("open"))],
            )
            .await?;
        }
        Ok(())
    }

    /// Answers all complaints that wait for it.
    pub(super) async fn answer_all_complaints(&self) -> anyhow::Result<()> {
        self.answer_complaints("urgent", |waiting| waiting).await?;
        self.answer_complaints("high", |waiting| waiting).await
    }

    async fn unanswered(&self, priority: &str) -> anyhow::Result<Vec<Record>> {
        let formula = format!(
            "ticket.category == \"complaint\" and ticket.priority == \"{priority}\" and ticket.first_reply_at is empty and ticket.status in [\"new\", \"open\"]"
        );
        self.find("ticket", &formula, "external_id").await
    }

    /// One complaint cannot be answered before the customer says more.
    pub(super) async fn ask_back(&self) -> anyhow::Result<()> {
        let waiting = self.unanswered("high").await?;
        if let Some(ticket) =
            waiting.iter().rfind(|ticket| text(ticket, "external_id") != LONG_OPEN)
        {
            self.set(ticket, "support", &[("status", word("waiting_for_customer"))]).await?;
        }
        Ok(())
    }

    /// The customers who were asked have said more.
    pub(super) async fn resume(&self) -> anyhow::Result<()> {
        let asked = "ticket.status == \"waiting_for_customer\"";
        for ticket in self.find("ticket", asked, "external_id").await? {
            self.set(&ticket, "customer", &[("status", word("open"))]).await?;
        }
        Ok(())
    }

    /// Answers and solves the next inquiries that are no complaints.
    pub(super) async fn solve_inquiries(&self, many: usize) -> anyhow::Result<()> {
        let formula = "ticket.status == \"new\" and ticket.category is empty";
        for ticket in self.find("ticket", formula, "external_id").await?.iter().take(many) {
            let agent =
                if is_chinese(text(ticket, "subject")) { "wei-ming" } else { "grace-tanner" };
            let owner = Value::Reference(Reference::new("user", agent));
            self.set(
                ticket,
                "support",
                &[("owner", owner), ("first_reply_at", self.now()), ("status", word("open"))],
            )
            .await?;
            self.solve(ticket).await?;
        }
        Ok(())
    }

    /// Solves some of the complaints that were answered; `many` says how many
    /// of so many.
    pub(super) async fn solve_complaints(
        &self,
        many: impl Fn(usize) -> usize,
    ) -> anyhow::Result<()> {
        let formula = "ticket.category == \"complaint\" and ticket.status == \"open\" and ticket.first_reply_at is not empty";
        let mut answered = self.find("ticket", formula, "external_id").await?;
        // The longest open one is the last to be solved.
        answered.sort_by_key(|ticket| text(ticket, "external_id") == LONG_OPEN);
        for ticket in answered.iter().take(many(answered.len())) {
            self.solve(ticket).await?;
        }
        Ok(())
    }

    async fn solve(&self, ticket: &Record) -> anyhow::Result<()> {
        self.set(ticket, "support", &[("status", word("solved")), ("solved_at", self.now())]).await
    }

    /// A customer writes again: it was not solved after all.
    pub(super) async fn reopen_first_solved(&self) -> anyhow::Result<()> {
        let solved = self.find("ticket", "ticket.status == \"solved\"", "external_id").await?;
        if let Some(ticket) = solved.first() {
            self.set(
                ticket,
                "customer",
                &[("status", word("open")), ("solved_at", Value::Nothing)],
            )
            .await?;
        }
        Ok(())
    }
}

/// Customers.
impl Desk {
    /// Those who answer surveys answer the ones that they have.
    pub(super) async fn answer_surveys(&self) -> anyhow::Result<()> {
        let asked = self
            .find("survey_response", "survey_response.status == \"sent\"", "created_at")
            .await?;
        for response in asked {
            let Some(contact) = response.field("contact").as_reference() else { continue };
            let Some(score) = SCORES[self.number(contact).await? % SCORES.len()] else { continue };
            self.set(
                &response,
                "customer",
                &[
                    ("status", word("answered")),
                    ("score", Value::Number(score.into())),
                    ("answered_at", self.now()),
                ],
            )
            .await?;
        }
        Ok(())
    }

    /// Of every four customers with an offer, the one with this remainder
    /// clicks in it.
    pub(super) async fn click_offers(&self, remainder: usize) -> anyhow::Result<()> {
        // The newest offer of each: who got a reminder clicks in that.
        let mut offers = BTreeMap::new();
        for effect in reading::effects(&self.app).await? {
            let is_offer = |template: &String| template.starts_with("win-back-");
            if !effect.is_sent() || !effect.template.as_ref().is_some_and(is_offer) {
                continue;
            }
            if let Some(recipient) = effect.recipient.clone() {
                offers.insert(recipient, effect);
            }
        }
        for (recipient, effect) in offers {
            if self.number(&recipient).await? % 4 != remainder {
                continue;
            }
            let click = [
                ("about", Value::Reference(recipient)),
                ("kind", word("mail_clicked")),
                ("summary", word("opened the link to the shop")),
                ("mail", word(&effect.id)),
                ("template", word(effect.template.as_deref().unwrap_or_default())),
                ("happened_at", self.now()),
            ];
            self.create("interaction", "customer", &click).await?;
        }
        Ok(())
    }

    /// Of every `of` customers in the campaign, with or without an offer, the
    /// one with this remainder buys something. The shop then says so.
    pub(super) async fn buy(&self, of: usize, remainder: usize) -> anyhow::Result<()> {
        for run in reading::runs(&self.app).await? {
            let Some(contact) = run.subject.filter(|_| run.workflow == "win-back") else {
                continue;
            };
            let number = self.number(&contact).await?;
            if number % of != remainder {
                continue;
            }
            let contact = self.app.record(&contact).await?;
            let order = [
                ("ref", word(&format!("R-2026-2{of}{number:04}"))),
                ("contact", Value::Reference(contact.reference.clone())),
                ("amount", Value::Money("49.90 EUR".parse().map_err(anyhow::Error::msg)?)),
                ("placed_at", self.now()),
            ];
            let order = self.create("order", "shop", &order).await?;
            self.set(&order, "shop", &[("status", word("paid")), ("paid_at", self.now())]).await?;
            let orders =
                contact.field("order_count").as_number().unwrap_or_default() + Decimal::ONE;
            self.set(
                &contact,
                "shop",
                &[("last_order_at", self.now()), ("order_count", Value::Number(orders))],
            )
            .await?;
        }
        Ok(())
    }

    /// A customer wants no more of something: `survey_consent`, `mail_consent`.
    pub(super) async fn withdraw(&self, contact: &Reference, consent: &str) -> anyhow::Result<()> {
        let contact = self.app.record(contact).await?;
        self.set(&contact, "customer", &[(consent, Value::YesNo(false))]).await
    }

    /// The last customer, by number, who waits in a run of a workflow: for a
    /// survey, or between two offers.
    pub(super) async fn last_waiting(&self, workflow: &str) -> anyhow::Result<Option<Reference>> {
        let mut waiting = Vec::new();
        for run in reading::runs(&self.app).await? {
            let Some(subject) =
                run.subject.filter(|_| run.workflow == workflow && run.outcome.is_none())
            else {
                continue;
            };
            let subject = self.app.record(&subject).await?;
            let customer =
                subject.field("customer").as_reference().unwrap_or(&subject.reference).clone();
            waiting.push((self.number(&customer).await?, customer));
        }
        Ok(waiting.into_iter().max().map(|(_, customer)| customer))
    }

    /// A customer's number: 12 of `c-0012`.
    async fn number(&self, contact: &Reference) -> anyhow::Result<usize> {
        let contact = self.app.record(contact).await?;
        let digits: String =
            text(&contact, "external_id").chars().filter(char::is_ascii_digit).collect();
        Ok(digits.parse().unwrap_or(0))
    }
}

fn word(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}
