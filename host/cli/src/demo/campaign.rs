//! The win-back campaign: its arms, and what came of each.

use std::collections::BTreeMap;

use relata_app::model::{Reference, Timestamp};
use serde::Serialize;

use super::facts::{Effect, Facts, Run, text};

/// The campaign.
#[derive(Debug, Serialize)]
pub(super) struct Campaign {
    /// Contacts who entered it.
    pub(super) entered: usize,
    pub(super) arms: BTreeMap<String, Arm>,
}

/// One arm.
#[derive(Debug, Default, Serialize)]
pub(super) struct Arm {
    pub(super) contacts: usize,
    /// The offer was sent.
    pub(super) mailed: usize,
    /// Somebody clicked in the offer.
    pub(super) clicked: usize,
    /// The reminder was sent.
    pub(super) reminded: usize,
    /// Bought after having entered, with or without a click.
    pub(super) bought: usize,
    /// Runs that ended because of it.
    pub(super) stopped_as_bought: usize,
    /// Runs that go on.
    pub(super) waiting: usize,
}

const CAMPAIGN: &str = "win-back";

pub(super) fn figures(facts: &Facts) -> Campaign {
    let mut arms: BTreeMap<String, Arm> = BTreeMap::new();
    let mut entered = 0;
    for run in facts.runs_of(CAMPAIGN) {
        entered += 1;
        let arm = arms.entry(arm(facts, run)).or_default();
        let sent: Vec<&Effect> =
            facts.effects_of(&run.id).filter(|effect| effect.is_sent()).collect();
        let reminders =
            sent.iter().filter(|effect| effect.template.as_deref() == Some("win-back-reminder"));
        let reminders = reminders.count();
        arm.contacts += 1;
        arm.reminded += reminders;
        arm.mailed += sent.len() - reminders;
        arm.clicked += usize::from(sent.iter().any(|effect| was_clicked(facts, effect)));
        let bought =
            run.subject.as_ref().is_some_and(|contact| bought(facts, contact, run.started_at));
        arm.bought += usize::from(bought);
        arm.stopped_as_bought += usize::from(run.outcome.as_deref() == Some("bought"));
        arm.waiting += usize::from(run.outcome.is_none());
    }
    Campaign { entered, arms }
}

/// Into which arm the split put a contact.
fn arm(facts: &Facts, run: &Run) -> String {
    facts
        .log(&run.id)
        .iter()
        .find(|step| step.label.starts_with("split") && step.kind == "done")
        .and_then(|step| step.output.as_ref()?.as_str())
        .unwrap_or("none yet")
        .to_owned()
}

fn was_clicked(facts: &Facts, effect: &Effect) -> bool {
    facts
        .of("interaction")
        .iter()
        .any(|click| text(click, "kind") == "mail_clicked" && text(click, "mail") == effect.id)
}

fn bought(facts: &Facts, contact: &Reference, since: Timestamp) -> bool {
    facts.of("order").iter().any(|order| {
        order.field("contact").as_reference() == Some(contact)
            && order.field("paid_at").as_time().is_some_and(|paid| paid >= since)
    })
}
