//! What a replay would send, and when it would go out.

use std::collections::VecDeque;

use relata_model::{Calendar, Timestamp};
use relata_workflow::Cap;

/// A message that a call wants to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its template; none for a notice.
    pub(crate) template: Option<String>,
    /// Whether it is a mail; else it is a notice to somebody who works here.
    pub(crate) is_mail: bool,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sending {
    /// It goes out at this time.
    At(Timestamp),
    /// It waits for the owner: `hold_above`.
    Held,
}

/// Quiet hours and the cap of one workflow, as the outbox keeps them.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// When the last mails go out, in the order in which they were wanted.
    mails: VecDeque<Timestamp>,
}

impl Outgoing {
    /// What becomes of a message that is wanted now. Notices to colleagues
    /// know no quiet hours and no cap.
    pub(crate) fn send(
        &mut self,
        message: &Message,
        quiet: Option<&Calendar>,
        cap: Option<Cap>,
        now: Timestamp,
    ) -> Sending {
        if !message.is_mail {
            return Sending::At(now);
        }
        let at = quiet.and_then(|calendar| calendar.next_opening(now)).unwrap_or(now);
        if let Some(cap) = cap {
            let span = std::time::Duration::from_secs(u64::from(cap.hours) * 3_600);
            let since = now.checked_sub(span).unwrap_or(Timestamp::MIN);
            // What is still to go out counts as well.
            while self.mails.front().is_some_and(|at| *at <= since) {
                self.mails.pop_front();
            }
            if self.mails.len() as u64 >= cap.count {
                return Sending::Held;
            }
            self.mails.push_back(at);
        }
        Sending::At(at)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn at(time: &str) -> Timestamp {
        format!("2026-12-14T{time}:00Z").parse().expect("a time")
    }

    #[test]
    fn a_cap_counts_what_went_out_and_what_waits_for_morning() {
        let hours = Calendar::from_fields(&relata_model::Fields::from([
            ("time_zone".to_owned(), relata_model::Value::Text("UTC".to_owned())),
            (
                "opening".to_owned(),
                relata_model::Value::List(vec![relata_model::Value::Text(
                    "mon-fri 09:00-18:00".to_owned(),
                )]),
            ),
        ]))
        .expect("a calendar");
        let mail = Message { template: Some("welcome".to_owned()), is_mail: true };
        let notice = Message { template: None, is_mail: false };
        let cap = Some(Cap { count: 2, hours: 2 });
        let mut outgoing = Outgoing::default();
        let mut told = Vec::new();
        for (time, message) in [
            ("07:00", &mail),
            ("07:30", &mail),
            ("07:40", &mail),
            ("07:40", &notice),
            ("10:59", &mail),
            ("11:00", &mail),
        ] {
            let sending = outgoing.send(message, Some(&hours), cap, at(time));
            told.push(format!("{time} {sending:?}"));
        }
        expect![[r#"
            07:00 At(2026-12-14T09:00:00Z)
            07:30 At(2026-12-14T09:00:00Z)
            07:40 Held
            07:40 At(2026-12-14T07:40:00Z)
            10:59 Held
            11:00 At(2026-12-14T11:00:00Z)"#]]
        .assert_eq(&told.join("\n"));
    }
}
