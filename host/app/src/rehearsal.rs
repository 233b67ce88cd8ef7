//! A rehearsal: the same runner, under a clock that is moved by hand.

use relata_model::Timestamp;
use serde::Serialize;

use crate::{App, AppError};

/// What a move of the clock did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advanced {
    /// The time before, RFC 3339.
    pub from: String,
    /// The time after.
    pub to: String,
    /// At how many moments there was something to do.
    pub stops: usize,
}

/// How often work may beget work at one moment before it is called a loop.
const MOST_ROUNDS: usize = 100_000;

/// The same in a test, whose faulty workflows are told soon.
const MOST_ROUNDS_IN_TESTS: usize = 1_000;

/// The name under which a rehearsal claims runs.
const OWNER: &str = "rehearsal";

impl App {
    /// Moves a rehearsal's clock to a time, doing everything that falls due
    /// on the way at its own moment. `progress` is told each moment.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where this is no rehearsal, or the time is past.
    pub async fn advance_to(
        &self,
        to: Timestamp,
        mut progress: impl FnMut(Timestamp),
    ) -> Result<Advanced, AppError> {
        if !self.clock().is_manual() {
            return Err(AppError::wrong(
                "this is no rehearsal: its clock is the real one; make a rehearsal with `relata init DIR --rehearsal`",
            ));
        }
        let from = self.now();
        if to < from {
            return Err(AppError::wrong(format!(
                "{to} is before {from}; the clock goes forward only"
            )));
        }
        self.take_runner()?;
        self.recover().await?;
        self.settle_all().await?;
        let mut stops = 0;
        loop {
            let now = self.now();
            match self.next_due().await?.filter(|next| *next <= to) {
                Some(next) if next > now => self.set_clock(next).await?,
                // Something is due that could not be done: it must not hold
                // the clock for ever, nor be passed over in silence.
                Some(next) => {
                    return Err(AppError::Fault(format!(
                        "something has been due since {next} and is not done; see `relata runs` and `relata outbox`"
                    )));
                }
                None => break,
            }
            stops += 1;
            self.settle_all().await?;
            progress(self.now());
        }
        self.set_clock(to).await?;
        self.settle_all().await?;
        Ok(Advanced { from: from.to_string(), to: to.to_string(), stops })
    }

    /// Does everything that can be done without the clock moving.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the database fails, or work begets work for ever.
    pub async fn settle_all(&self) -> Result<(), AppError> {
        let most = if self.is_test() { MOST_ROUNDS_IN_TESTS } else { MOST_ROUNDS };
        for _ in 0..most {
            if Box::pin(self.turn(OWNER)).await? == 0 {
                return Ok(());
            }
        }
        Err(AppError::Fault(format!("work begot work {most} times at {}", self.now())))
    }

    /// One turn of everything the host does by itself. Answers how much there
    /// was to do.
    pub(crate) async fn turn(&self, owner: &str) -> Result<usize, AppError> {
        // A fault of one holds up none of the others.
        let on_duty = self.on_duty(owner).await;
        let begins = match &on_duty {
            Ok(true) => [
                self.fire_schedules().await,
                self.refresh_segments().await,
                self.advance_service_clocks().await,
                self.match_events().await,
            ],
            _ => [Ok(0), Ok(0), Ok(0), Ok(0)],
        };
        let moves = [
            on_duty.map(|_| 0),
            self.tend_pauses().await,
            self.tend_limits().await,
            self.move_runs(owner).await,
            self.tell_webhooks().await,
            self.recover_effects().await.map(|()| 0),
            self.deliver().await,
            self.clean_up_when_due().await,
        ];
        begins.into_iter().chain(moves).sum()
    }
}
