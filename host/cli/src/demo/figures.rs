//! The figures of the demonstration, each computed from the database or the
//! mail folder. Here: the ones that `--json` gives; the parts are a file each.

use std::collections::{BTreeMap, BTreeSet};

use relata_app::model::Timestamp;
use serde::Serialize;

use super::{
    campaign::{self, Campaign},
    facts::Facts,
    leads::{self, Leads},
    machine::Kill,
    support::{self, Complaints},
    surveys::{self, Surveys},
};

/// What happened, in figures.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    pub(super) leads: Leads,
    pub(super) mails: Mails,
    pub(super) tasks: Tasks,
    pub(super) complaints: Complaints,
    /// How often each level of the deadline was reached.
    pub(super) escalations: BTreeMap<String, usize>,
    pub(super) surveys: Surveys,
    pub(super) campaign: Campaign,
    /// Runs that did not start, by workflow and reason.
    pub(super) not_started: BTreeMap<String, BTreeMap<String, usize>>,
    /// Messages that were not sent, by template and reason.
    pub(super) suppressed: BTreeMap<String, BTreeMap<String, usize>>,
    pub(super) runs: Runs,
    pub(super) effects: Effects,
    /// Kills that met the host at its work, each followed by a new start.
    pub(super) restarts: usize,
    /// What the clock showed at the beginning and at the end, RFC 3339.
    pub(super) from: String,
    pub(super) to: String,
}

/// Mails and notices.
#[derive(Debug, Serialize)]
pub(super) struct Mails {
    /// Welcome mails that lie in the mail folder.
    pub(super) welcome: usize,
    /// Notices to colleagues that were sent.
    pub(super) notices: usize,
    /// By template: how many have which state.
    pub(super) by_template: BTreeMap<String, BTreeMap<String, usize>>,
}

/// The tasks of the leads.
#[derive(Debug, Serialize)]
pub(super) struct Tasks {
    pub(super) created: usize,
    /// Those due 48 hours after their lead was created.
    pub(super) due_48h: usize,
    pub(super) done: usize,
    /// Open, and past their time.
    pub(super) overdue: usize,
}

/// The runs.
#[derive(Debug, Serialize)]
pub(super) struct Runs {
    pub(super) total: usize,
    pub(super) by_outcome: BTreeMap<String, usize>,
    pub(super) by_workflow: BTreeMap<String, BTreeMap<String, usize>>,
    /// Runs that go on, but neither have a due time nor listen for anything.
    pub(super) not_terminal_and_not_due: usize,
}

/// The effects, as the database and as the mail folder have them.
#[derive(Debug, Serialize)]
pub(super) struct Effects {
    /// Effects that the database calls sent.
    pub(super) sent: usize,
    /// Mails in the folder.
    pub(super) delivered: usize,
    /// Different `Message-ID`s among them.
    pub(super) message_ids: usize,
    /// Mails that are there twice, or that a step sent twice.
    pub(super) duplicates: usize,
    /// Sent by the database, but not in the folder.
    pub(super) missing: usize,
    /// In the folder, but no effect of the database.
    pub(super) unknown: usize,
}

/// What the demonstration was told on the way, and no database knows.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) from: Timestamp,
    pub(super) second_import_created: usize,
    pub(super) kills: Vec<Kill>,
}

impl Figures {
    pub(super) fn of(facts: &Facts, told: &Told) -> Self {
        Self {
            leads: leads::figures(facts, told.second_import_created),
            mails: mails(facts),
            tasks: tasks(facts),
            complaints: support::complaints(facts),
            escalations: support::escalations(facts),
            surveys: surveys::figures(facts),
            campaign: campaign::figures(facts),
            not_started: not_started(facts),
            suppressed: suppressed(facts),
            runs: runs(facts),
            effects: effects(facts),
            restarts: told.kills.len(),
            from: told.from.to_string(),
            to: facts.now.to_string(),
        }
    }

    /// What Relata promises and these figures show: a sentence each, and
    /// whether it was kept.
    pub(super) fn promises(&self) -> Vec<(String, bool)> {
        let Self { leads, surveys, effects, runs, .. } = self;
        vec![
            (
                format!("every lead has an owner: {} of {}", leads.assigned, leads.valid),
                leads.assigned == leads.valid,
            ),
            (
                format!("importing the leads again created {}", leads.second_import_created),
                leads.second_import_created == 0,
            ),
            (
                format!(
                    "nobody is more than one lead away from their share: at most {:.2}",
                    leads.max_share_deviation
                ),
                leads.max_share_deviation <= 1.0,
            ),
            (
                format!("every lead was welcomed once: {} mails", self.mails.welcome),
                self.mails.welcome == leads.assigned,
            ),
            (
                format!("every lead has a task due in 48 hours: {}", self.tasks.due_48h),
                self.tasks.due_48h == leads.assigned,
            ),
            (
                format!(
                    "no survey was early ({}), late ({} s at most) or sent twice ({})",
                    surveys.sent_early, surveys.max_lateness_s, surveys.duplicates
                ),
                surveys.sent_early == 0 && surveys.max_lateness_s <= 60 && surveys.duplicates == 0,
            ),
            (
                format!(
                    "after {} kills {} mails are in the folder: {} twice, {} missing, {} from nowhere",
                    self.restarts,
                    effects.delivered,
                    effects.duplicates,
                    effects.missing,
                    effects.unknown
                ),
                effects.duplicates + effects.missing + effects.unknown == 0,
            ),
            (
                format!("{} runs hang, neither at an end nor due", runs.not_terminal_and_not_due),
                runs.not_terminal_and_not_due == 0,
            ),
        ]
    }
}

fn mails(facts: &Facts) -> Mails {
    let mut by_template: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for effect in &facts.effects {
        if let Some(template) = &effect.template {
            *by_template
                .entry(template.clone())
                .or_default()
                .entry(effect.status.clone())
                .or_default() += 1;
        }
    }
    let delivered: BTreeSet<&str> =
        facts.mails.iter().filter_map(|mail| effect_id(&mail.message_id)).collect();
    let welcome = facts
        .effects
        .iter()
        .filter(|effect| {
            effect.template.as_deref() == Some("welcome") && delivered.contains(effect.id.as_str())
        })
        .count();
    let notices =
        facts.effects.iter().filter(|effect| effect.template.is_none() && effect.is_sent()).count();
    Mails { welcome, notices, by_template }
}

fn tasks(facts: &Facts) -> Tasks {
    let tasks = facts.of("task");
    let due_48h = tasks
        .iter()
        .filter(|task| {
            let lead = task.field("about").as_reference().and_then(|about| facts.record(about));
            let created = lead.and_then(|lead| lead.field("created_at").as_time());
            let due = task.field("due_at").as_time();
            created
                .zip(due)
                .is_some_and(|(created, due)| due.duration_since(created).as_hours() == 48)
        })
        .count();
    let is = |status: &'static str| {
        move |task: &&relata_app::model::Record| task.field("status").as_text() == Some(status)
    };
    Tasks {
        created: tasks.len(),
        due_48h,
        done: tasks.iter().filter(is("done")).count(),
        overdue: tasks
            .iter()
            .filter(is("open"))
            .filter(|task| task.field("due_at").as_time().is_some_and(|due| due < facts.now))
            .count(),
    }
}

fn runs(facts: &Facts) -> Runs {
    let mut by_outcome = BTreeMap::new();
    let mut by_workflow: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for run in &facts.runs {
        let outcome = run.outcome.clone().unwrap_or_else(|| "waiting".to_owned());
        *by_workflow
            .entry(run.workflow.clone())
            .or_default()
            .entry(outcome.clone())
            .or_default() += 1;
        *by_outcome.entry(outcome).or_default() += 1;
    }
    Runs {
        total: facts.runs.len(),
        by_outcome,
        by_workflow,
        not_terminal_and_not_due: facts.stalled.len(),
    }
}

fn effects(facts: &Facts) -> Effects {
    let known: BTreeSet<&str> = facts.effects.iter().map(|effect| effect.id.as_str()).collect();
    let message_ids: BTreeSet<&str> =
        facts.mails.iter().map(|mail| mail.message_id.as_str()).collect();
    let delivered: BTreeSet<&str> =
        facts.mails.iter().filter_map(|mail| effect_id(&mail.message_id)).collect();
    let sent: Vec<_> = facts.effects.iter().filter(|effect| effect.is_sent()).collect();
    // No step here sends twice to the same person: were there two effects, a
    // step would have been done twice, each time under another id.
    let steps: BTreeSet<_> =
        sent.iter().map(|effect| (&effect.run, &effect.step, &effect.recipient)).collect();
    Effects {
        sent: sent.len(),
        delivered: facts.mails.len(),
        message_ids: message_ids.len(),
        duplicates: (facts.mails.len() - message_ids.len()) + (sent.len() - steps.len()),
        missing: sent.iter().filter(|effect| !delivered.contains(effect.id.as_str())).count(),
        unknown: facts
            .mails
            .iter()
            .filter(|mail| !effect_id(&mail.message_id).is_some_and(|id| known.contains(id)))
            .count(),
    }
}

/// The effect of which a mail bears the id.
fn effect_id(message_id: &str) -> Option<&str> {
    message_id.split_once('@').map(|(id, _)| id)
}

fn not_started(facts: &Facts) -> BTreeMap<String, BTreeMap<String, usize>> {
    let mut counted: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for refusal in &facts.refusals {
        *counted
            .entry(refusal.workflow.clone())
            .or_default()
            .entry(general(&refusal.reason))
            .or_default() += 1;
    }
    counted
}

/// Messages that a consent or a missing address held back: they stand on the
/// recipient's timeline, and in the survey's record.
fn suppressed(facts: &Facts) -> BTreeMap<String, BTreeMap<String, usize>> {
    let mut counted: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    let suppressed = facts
        .of("interaction")
        .iter()
        .filter(|record| record.field("kind").as_text() == Some("mail_suppressed"));
    for record in suppressed {
        let template = record.field("template").as_text().unwrap_or("notice").to_owned();
        let why = general(super::facts::text(record, "summary"));
        *counted.entry(template).or_default().entry(why).or_default() += 1;
    }
    counted
}

/// A reason without the ids and times that make each one different.
pub(super) fn general(reason: &str) -> String {
    let words: Vec<String> = reason.split(' ').map(general_word).collect();
    words.join(" ")
}

fn general_word(word: &str) -> String {
    let bare = word.trim_end_matches([';', ',', '.', ':', ')']);
    let behind = &word[bare.len()..];
    if bare.parse::<Timestamp>().is_ok() {
        return format!("…{behind}");
    }
    // `contact/01k9…` and `run_01k9…`: the kind says enough.
    match bare.split_once(['/', '_']) {
        Some((kind, id)) if id.len() == 26 && id.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            format!("{kind}{behind}")
        }
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_without_their_ids() {
        for (reason, counted) in [
            (
                "run_01kccm8hm8f0v8v9m3qk8s5z3a is still running for the same contact/01kccm8hm8f0v8v9m3qk8s5z3a",
                "run is still running for the same contact",
            ),
            ("it is in segment/dormant-90-days", "it is in segment/dormant-90-days"),
            (
                "it ran on 2026-12-14T08:00:00Z; again_after has not gone by",
                "it ran on …; again_after has not gone by",
            ),
        ] {
            assert_eq!(general(reason), counted);
        }
    }
}
