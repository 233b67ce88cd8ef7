//! The circuit breaker of a destination: after some failures in a row that
//! are not the effects' fault nothing is sent there for a while, then one
//! to see. The others wait, and their attempts do not count.

use std::time::Duration;

use relata_model::Timestamp;
use relata_store::{Effect, Way};

use crate::{App, AppError, runner::later};

/// After so many failures in a row it opens.
const OPENS_AFTER: u32 = 5;

/// For so long at first; twice as long after each attempt that fails.
const FIRST_PAUSE: Duration = Duration::from_secs(30);

/// At most for so long.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

impl App {
    /// How many mails may be sent now, of at most `most`; none where the mail
    /// server's breaker is open, and what was due is put off until it is tried.
    pub(crate) async fn breaker_lets(&self, most: u32) -> Result<Option<u32>, AppError> {
        let Some(destination) = self.inner.mail.destination() else { return Ok(Some(most)) };
        let open = self.store().breaker_fetch(&destination).await?.filter(|row| row.is_open());
        let Some(open) = open else { return Ok(Some(most)) };
        let now = self.now();
        let probe_at = open.probe_at.unwrap_or(now);
        let next = later(now, pause(open.failures));
        let why = format!("{destination} does not answer; tried again {probe_at}");
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    if tx.breaker_probe(&destination, now, next).await? {
                        return Ok(Some(1));
                    }
                    tx.outbox_postpone(
                        Way::Mail,
                        now,
                        probe_at.max(later(now, Duration::from_secs(1))),
                        &why,
                    )
                    .await?;
                    Ok(None)
                })
            })
            .await
    }

    /// Whether a request may be sent to its destination now; where not, it is
    /// put back until the destination is tried again.
    pub(crate) async fn breaker_lets_one(
        &self,
        effect: &Effect,
        destination: &str,
    ) -> Result<bool, AppError> {
        let open = self.store().breaker_fetch(destination).await?.filter(|row| row.is_open());
        let Some(open) = open else { return Ok(true) };
        let now = self.now();
        let probe_at = open.probe_at.unwrap_or(now);
        let next = later(now, pause(open.failures));
        let why = format!("{destination} does not answer; tried again {probe_at}");
        let (id, attempts, destination) = (effect.id, effect.attempts, destination.to_owned());
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    if tx.breaker_probe(&destination, now, next).await? {
                        return Ok(true);
                    }
                    let until = probe_at.max(later(now, Duration::from_secs(1)));
                    tx.outbox_put_back(id, attempts, until, &why).await?;
                    Ok(false)
                })
            })
            .await
    }

    /// What came of an attempt counts for its destination: why it could not be
    /// reached, or nothing where it answered, whatever that was.
    pub(crate) async fn breaker_told(
        &self,
        destination: String,
        failed: Option<String>,
        now: Timestamp,
    ) -> Result<(), AppError> {
        match self.breaker_counts(destination.clone(), failed, now).await? {
            Some(Turned::Opens) => tracing::warn!(
                destination,
                "a destination does not answer and is left alone for a while; see `relata doctor`"
            ),
            Some(Turned::Closes) => tracing::info!(destination, "a destination answers again"),
            None => {}
        }
        Ok(())
    }

    /// Counts an attempt, and says whether that opens the breaker or closes it.
    pub(crate) async fn breaker_counts(
        &self,
        destination: String,
        failed: Option<String>,
        now: Timestamp,
    ) -> Result<Option<Turned>, AppError> {
        let known = self.store().breaker_fetch(&destination).await?;
        let Some(why) = failed else {
            let Some(row) = known else { return Ok(None) };
            self.store()
                .write(move |tx| Box::pin(async move { tx.breaker_close(&destination).await }))
                .await?;
            return Ok(row.is_open().then_some(Turned::Closes));
        };
        let was_open = known.is_some_and(|row| row.is_open());
        let first = i64::try_from(FIRST_PAUSE.as_millis()).unwrap_or(i64::MAX);
        let before = Timestamp::from_millisecond(now.as_millisecond().saturating_sub(first));
        let before = before.unwrap_or(Timestamp::MIN);
        let opened = self
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    // Many are sent at once, and fail at once; of an open one
                    // only the effect counts that was sent to see.
                    let Some(failures) = tx.breaker_fail(&destination, &why, before).await? else {
                        return Ok::<_, AppError>(false);
                    };
                    if failures < OPENS_AFTER {
                        return Ok(false);
                    }
                    tx.breaker_open(&destination, now, later(now, pause(failures))).await?;
                    Ok(true)
                })
            })
            .await?;
        Ok((opened && !was_open).then_some(Turned::Opens))
    }
}

/// What an attempt did to a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turned {
    /// From now on it is open.
    Opens,
    /// It is open no longer.
    Closes,
}

/// 30 s, 60 s, 120 s … at most 15 minutes.
pub(crate) fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(OPENS_AFTER).min(10);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_double_up_to_a_quarter_of_an_hour() {
        let seconds: Vec<u64> = (5..12).map(|failures| pause(failures).as_secs()).collect();
        assert_eq!(seconds, [30, 60, 120, 240, 480, 900, 900]);
    }
}
