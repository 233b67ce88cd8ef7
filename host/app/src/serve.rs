//! The host at work: one loop that does what is due, and sleeps until
//! something is. A wake-up is a hint; the database is the truth.

use std::{fs::OpenOptions, future::Future, sync::PoisonError, time::Duration};

use relata_model::Timestamp;

use crate::{App, AppError, fresh, runner::later, triggers};

/// The longest sleep: another program (an import, say) may have written
/// something that nobody told this one of.
const LONGEST_SLEEP: Duration = Duration::from_millis(250);

/// After a fault of ours.
const FAULT_PAUSE: Duration = Duration::from_secs(1);

/// How often the segments that workflows watch are brought up to date for
/// what only time changes.
const SEGMENTS_EVERY: Duration = Duration::from_secs(3_600);

/// The same in a test, whose clock goes over months in a moment: there they are
/// brought up to date at every moment that the test names as well.
const SEGMENTS_IN_TESTS: Duration = Duration::from_secs(24 * 3_600);

/// The setting that holds when the segments are due again.
const SEGMENTS_DUE: &str = "segments_due";

impl App {
    /// Runs workflows until `stop` is ready, then lets the steps that have
    /// begun come to their end.
    ///
    /// # Errors
    ///
    /// [`AppError`] where another program runs this data directory already.
    pub async fn serve(&self, stop: impl Future<Output = ()>) -> Result<(), AppError> {
        self.take_runner()?;
        self.recover().await?;
        // Compile the plugins now, not at the first step.
        self.plugins().await?;
        let owner = format!("host-{}", fresh::uuid(self.now()).simple());
        tokio::pin!(stop);
        loop {
            // Between turns is the one place to stop: never within a write.
            if futures::poll!(stop.as_mut()).is_ready() {
                return Ok(());
            }
            let pause = match self.turn(&owner).await {
                Ok(0) => self.idle().await.unwrap_or(FAULT_PAUSE),
                Ok(_) => continue,
                Err(why) => {
                    tracing::error!(error = %why, "the runner met a fault; it goes on in a moment");
                    FAULT_PAUSE
                }
            };
            tokio::select! {
                () = stop.as_mut() => return Ok(()),
                () = self.inner.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// How long there is nothing to do.
    async fn idle(&self) -> Result<Duration, AppError> {
        let now = self.now().as_millisecond();
        let next = self.next_due().await?.map_or(i64::MAX, Timestamp::as_millisecond);
        let pause = Duration::from_millis(u64::try_from(next.saturating_sub(now)).unwrap_or(0));
        Ok(pause.clamp(Duration::from_millis(1), LONGEST_SLEEP))
    }

    /// When something falls due next, by the database.
    pub(crate) async fn next_due(&self) -> Result<Option<Timestamp>, AppError> {
        let mut next = match self.all_paused() {
            true => self.store().schedule_next().await?,
            false => self.store().run_next_due().await?,
        };
        if let Some(segments) = self.segments_due().await? {
            next = Some(next.map_or(segments, |next| next.min(segments)));
        }
        Ok(next)
    }

    /// When the segments are due; none where no workflow watches one.
    async fn segments_due(&self) -> Result<Option<Timestamp>, AppError> {
        let active = self.active().await?;
        if triggers::entered(&active).next().is_none() {
            return Ok(None);
        }
        let stored = self.setting_time(SEGMENTS_DUE).await?;
        Ok(Some(stored.unwrap_or_else(|| self.now())))
    }

    /// Brings the watched segments up to date when they are due. Answers how
    /// many records entered or left.
    pub(crate) async fn refresh_segments(&self) -> Result<usize, AppError> {
        let now = self.now();
        if self.segments_due().await?.is_none_or(|due| due > now) {
            return Ok(0);
        }
        let active = self.active().await?;
        let mut moved = 0;
        for segment in triggers::entered(&active) {
            moved += triggers::told_if_wrong(segment, self.segment_refresh(segment, now).await)?;
        }
        let every = if self.is_test() { SEGMENTS_IN_TESTS } else { SEGMENTS_EVERY };
        self.put_setting_time(SEGMENTS_DUE, later(now, every)).await?;
        Ok(moved)
    }

    /// The segments are looked at afresh at the next turn.
    pub(crate) async fn segments_now(&self) -> Result<(), AppError> {
        self.put_setting_time(SEGMENTS_DUE, self.now()).await
    }

    /// Becomes the one program that moves this directory's runs. To serve
    /// does it as well; done before, nobody is told too early that it runs.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where another program is that already.
    pub fn take_runner(&self) -> Result<(), AppError> {
        let mut lock = self.inner.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_some() {
            return Ok(());
        }
        let path = self.directory().lock();
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|why| AppError::wrong(format!("cannot open {}: {why}", path.display())))?;
        if file.try_lock().is_err() {
            return Err(AppError::wrong(format!(
                "another `relata` runs {} already; stop it first",
                self.directory().root().display()
            )));
        }
        *lock = Some(file);
        Ok(())
    }

    /// What a crash left behind, at the start of the only runner: leases of
    /// the dead are released, effects that were being sent are judged.
    pub(crate) async fn recover(&self) -> Result<(), AppError> {
        let now = self.now();
        let repeatable = self.inner.mail.is_idempotent();
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    tx.run_release_all(now).await?;
                    tx.outbox_recover(repeatable, now).await
                })
            })
            .await?;
        Ok(())
    }
}
