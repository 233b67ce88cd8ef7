//! What people do in the demonstration, and when. Between these moments the
//! host works alone, as a child process, and is killed now and then.

use std::path::Path;

use indicatif::ProgressBar;
use relata_app::{
    App,
    model::{TimeZone, Timestamp},
};

use super::{data, desk::Desk, figures::Told, machine::Machine};
use crate::time;

/// When the demonstration begins, in the company's zone.
const START: &str = "2026-12-14 08:00";

const ZONE: &str = "Europe/Berlin";

/// Plays the whole story in a new rehearsal at `root`.
pub(super) async fn play(root: &Path, spinner: &ProgressBar) -> anyhow::Result<Told> {
    let zone = TimeZone::get(ZONE)?;
    let start = time::read(START, &zone)?;
    App::create(root, Some(start)).await?.close().await;
    let mut stage = Stage { machine: Machine::new(root)?, root, zone, spinner };
    let second_import_created = first_monday(&mut stage).await?;
    first_week(&mut stage).await?;
    holidays(&mut stage).await?;
    Ok(Told { from: start, second_import_created, kills: stage.machine.kills().to_vec() })
}

/// Where the story is played.
struct Stage<'a> {
    machine: Machine,
    root: &'a Path,
    zone: TimeZone,
    spinner: &'a ProgressBar,
}

impl Stage<'_> {
    /// Lets the host work until `when`, and opens the doors then. `kills` are
    /// the commits after which the host is killed on the way.
    async fn until(&mut self, when: &str, kills: &[u32]) -> anyhow::Result<Desk> {
        self.spinner.set_message(format!("the host works until {when}"));
        let to = self.at(when)?;
        self.machine.run_to_despite(to, kills).await?;
        self.desk(when).await
    }

    async fn desk(&self, when: &str) -> anyhow::Result<Desk> {
        self.spinner.set_message(format!("{when}: people are at work"));
        Desk::open(self.root).await
    }

    fn at(&self, when: &str) -> anyhow::Result<Timestamp> {
        Ok(time::read(when, &self.zone)?)
    }
}

/// Monday: the fair's leads, the weekend's mails, the campaign. Answers how
/// many leads the second import created.
async fn first_monday(stage: &mut Stage<'_>) -> anyhow::Result<usize> {
    // The years before Relata: nothing is active yet, so nothing runs.
    let desk = stage.desk(START).await?;
    desk.import("user", data::AGENTS).await?;
    desk.import("contact", data::CONTACTS).await?;
    desk.import("order", data::ORDERS).await?;
    desk.close().await;

    let desk = stage.until(START, &[]).await?;
    for workflow in ["assign-new-leads", "complaint-escalation", "inquiry-survey"] {
        desk.activate(workflow).await?;
    }
    desk.import("lead", data::LEADS).await?;
    desk.import("ticket", data::messages(0..40).as_bytes()).await?;
    desk.close().await;

    // The most work at one moment, so the most kills. The campaign begins when
    // the complaints are known: who complains gets no offers.
    let desk = stage.until(START, &[25, 60, 40]).await?;
    desk.activate("win-back").await?;
    desk.close().await;

    let desk = stage.until("2026-12-14 09:15", &[30, 12]).await?;
    let second_import_created = desk.import("lead", data::LEADS).await?.created;
    desk.contact_leads(0..3).await?;
    desk.answer_complaints("urgent", |waiting| waiting / 3).await?;
    desk.close().await;

    // Half of the hour for the urgent ones went by at 9:30, all of it at 10.
    let desk = stage.until("2026-12-14 10:20", &[]).await?;
    desk.answer_complaints("urgent", |waiting| waiting / 2).await?;
    desk.answer_complaints("high", |waiting| waiting / 4).await?;
    desk.click_offers(1).await?;
    desk.close().await;

    // The second hour ended at 11, and half of four hours for the others.
    let desk = stage.until("2026-12-14 11:15", &[]).await?;
    desk.answer_complaints("urgent", |waiting| waiting).await?;
    desk.ask_back().await?;
    desk.answer_complaints("high", |waiting| waiting / 3).await?;
    desk.import("ticket", data::messages(40..48).as_bytes()).await?;
    desk.close().await;

    let desk = stage.until("2026-12-14 13:30", &[]).await?;
    desk.answer_complaints("high", |waiting| waiting / 2).await?;
    desk.solve_inquiries(11).await?;
    desk.close().await;

    let desk = stage.until("2026-12-14 17:15", &[]).await?;
    desk.answer_complaints("urgent", |waiting| waiting).await?;
    desk.answer_complaints("high", |waiting| waiting).await?;
    desk.solve_inquiries(5).await?;
    desk.import("ticket", data::messages(48..54).as_bytes()).await?;
    desk.close().await;

    // In the evening: 24 hours later nobody is there, so the surveys wait.
    let desk = stage.until("2026-12-14 19:30", &[]).await?;
    desk.solve_inquiries(3).await?;
    desk.close().await;
    Ok(second_import_created)
}

async fn first_week(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let desk = stage.until("2026-12-15 10:00", &[]).await?;
    desk.resume().await?;
    desk.reopen_first_solved().await?;
    // Consent is asked when something is sent, not when a run begins.
    for (workflow, consent) in [("inquiry-survey", "survey_consent"), ("win-back", "mail_consent")]
    {
        if let Some(customer) = desk.last_waiting(workflow).await? {
            desk.withdraw(&customer, consent).await?;
        }
    }
    desk.contact_leads(3..7).await?;
    desk.buy(8, 3).await?;
    desk.import("ticket", data::messages(54..60).as_bytes()).await?;
    desk.close().await;

    let desk = stage.until("2026-12-15 14:00", &[20]).await?;
    desk.answer_all_complaints().await?;
    desk.answer_surveys().await?;
    desk.solve_complaints(|answered| answered / 2).await?;
    desk.solve_inquiries(6).await?;
    desk.close().await;

    // At 8:00 the 48 hours of the leads were over.
    let desk = stage.until("2026-12-16 09:30", &[15]).await?;
    desk.answer_all_complaints().await?;
    desk.answer_surveys().await?;
    desk.contact_leads(7..8).await?;
    desk.solve_inquiries(3).await?;
    desk.close().await;

    // The low scores of the morning are complaints by now.
    let desk = stage.until("2026-12-16 15:00", &[]).await?;
    desk.answer_complaints("high", |waiting| waiting / 2).await?;
    desk.close().await;

    // The reminders went out at 9.
    let desk = stage.until("2026-12-17 12:00", &[]).await?;
    desk.answer_all_complaints().await?;
    desk.answer_surveys().await?;
    desk.click_offers(2).await?;
    desk.buy(9, 4).await?;
    desk.solve_inquiries(3).await?;
    desk.close().await;

    // Friday afternoon: 24 hours later it is Saturday.
    let desk = stage.until("2026-12-18 16:00", &[]).await?;
    desk.answer_surveys().await?;
    desk.answer_all_complaints().await?;
    desk.solve_complaints(|answered| answered / 2).await?;
    desk.solve_inquiries(3).await?;
    desk.close().await;
    Ok(())
}

async fn holidays(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let desk = stage.until("2026-12-21 10:00", &[]).await?;
    desk.answer_surveys().await?;
    desk.answer_all_complaints().await?;
    desk.solve_complaints(|answered| answered / 2).await?;
    desk.close().await;

    // The last evening before the holidays: the surveys wait for Monday.
    let desk = stage.until("2026-12-23 18:05", &[]).await?;
    desk.solve_inquiries(3).await?;
    desk.answer_surveys().await?;
    desk.close().await;

    let desk = stage.until("2026-12-28 10:00", &[20]).await?;
    desk.answer_surveys().await?;
    desk.answer_all_complaints().await?;
    desk.close().await;

    stage.until("2026-12-31 18:00", &[]).await?.close().await;
    Ok(())
}
