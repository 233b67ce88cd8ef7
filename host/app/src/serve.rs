//! The host at work: loops that do what is due, and sleep until something is.
//! A wake-up is a hint; the database is the truth.

use std::{
    fs::{File, OpenOptions},
    future::Future,
    sync::PoisonError,
    time::Duration,
};

use relata_model::Timestamp;
use relata_store::Part;
use tokio::sync::watch;

use crate::{
    App, AppError, DataDirectory, fresh, places::Places, runner::later, several::jitter, triggers,
};

/// The longest sleep: another program (an import, say) may have written
/// something that nobody told this one of.
const LONGEST_SLEEP: Duration = Duration::from_millis(250);

/// It grows to so many times that where several hosts look: they tell one
/// another when there is something.
const LONGEST_SLEEPS: u32 = 4;

/// While something is due that another host is at.
const OTHERS_SLEEP: Duration = Duration::from_millis(50);

/// The shortest: something is due that another loop sees to.
const SHORTEST_SLEEP: Duration = Duration::from_millis(5);

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

/// What a turn of a part came to.
enum Turn {
    /// There was something to do, and there may be more.
    Busy,
    /// There was nothing, and something falls due then, as far as that is known.
    Idle(Option<Timestamp>),
}

impl App {
    /// Runs workflows until `stop` is ready, then lets the steps that have
    /// begun come to their end.
    ///
    /// Four loops go side by side, so that a slow mail server holds up no run
    /// and a slow step no trigger.
    ///
    /// # Errors
    ///
    /// [`AppError`] where another program runs this data directory already.
    pub async fn serve(&self, stop: impl Future<Output = ()>) -> Result<(), AppError> {
        self.take_runner()?;
        self.recover().await?;
        // Compile the plugins now, not at the first step.
        self.plugins().await?;
        let inbox = self.inbox()?;
        let owner = format!("host-{}", fresh::uuid(self.now()).simple());
        let places = self.inner.places.get_or_init(|| Places::new(owner.clone()));
        self.store().hear_hints(&owner);
        self.at_work(&owner).await?;
        let (halt, halted) = watch::channel(false);
        let stopped = async {
            stop.await;
            halt.send_replace(true);
        };
        tokio::join!(
            stopped,
            self.repeat(halted.clone(), Part::Clocks, places),
            self.repeat(halted.clone(), Part::Events, places),
            self.repeat(halted.clone(), Part::Runs, places),
            self.repeat(halted.clone(), Part::Effects, places),
            self.watch_plugins(halted.clone()),
            self.watch_inbox(halted.clone(), inbox, &owner),
            self.send_traces(halted),
        );
        places.rest().await;
        self.send_last_traces().await;
        self.off_duty(&owner).await;
        Ok(())
    }

    /// Does something again and again until `halted`: at once where there was
    /// something to do, else when something falls due or somebody wakes it.
    /// What it met is told, and it goes on.
    async fn repeat(&self, mut halted: watch::Receiver<bool>, part: Part, places: &Places) {
        let wake = self.store().wakes().of(part);
        let mut idle = 0;
        // Between two turns is the one place to stop: never within a write.
        while !*halted.borrow() {
            let pause = match self.turn_of(part, places).await {
                Ok(Turn::Idle(next)) => {
                    idle += 1;
                    self.rest(next, idle)
                }
                Ok(Turn::Busy) => {
                    idle = 0;
                    tokio::task::yield_now().await;
                    continue;
                }
                Err(why) => {
                    tracing::error!(
                        error = &why as &dyn std::error::Error,
                        "the host met a fault; it goes on in a moment"
                    );
                    FAULT_PAUSE
                }
            };
            tokio::select! {
                _ = halted.wait_for(|halted| *halted) => {}
                () = wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn turn_of(&self, part: Part, places: &Places) -> Result<Turn, AppError> {
        let (count, next) = match part {
            Part::Clocks => match self.turn_clocks(places.owner()).await? {
                0 => (0, self.next_due_of(part).await?),
                count => (count, None),
            },
            Part::Events => (self.turn_events(places.owner()).await?, None),
            Part::Runs | Part::Effects => {
                if part == Part::Effects {
                    self.recover_effects().await?;
                }
                let next = self.next_due_of(part).await?;
                let count = match next.filter(|next| *next <= self.now()) {
                    None => 0,
                    Some(_) if part == Part::Runs => self.begin_moving(places).await?,
                    Some(_) => self.deliver().await?,
                };
                (count, next)
            }
        };
        Ok(if count == 0 { Turn::Idle(next) } else { Turn::Busy })
    }

    /// What only the time brings about. Answers how much there was.
    async fn turn_clocks(&self, owner: &str) -> Result<usize, AppError> {
        let told = self.at_work(owner).await;
        let tended = self.tend_pauses().await;
        if let Err(why) = self.set_by_server().await {
            tracing::warn!(error = %why, "the time of the database is not to be had; the clock goes on by itself");
        }
        if !self.on_duty(owner).await? {
            return told.and(tended);
        }
        let let_in = self.tend_limits().await;
        // A fault of one does not hold up the other.
        let fired = self.fire_schedules().await;
        let refreshed = self.refresh_segments().await;
        let advanced = self.advance_service_clocks().await;
        told?;
        Ok(tended? + let_in? + fired? + refreshed? + advanced?)
    }

    /// What events bring about. Answers how many there were.
    async fn turn_events(&self, owner: &str) -> Result<usize, AppError> {
        if self.on_duty(owner).await? { self.match_events().await } else { Ok(0) }
    }

    /// How long a part has nothing to do for which something falls due next at a time,
    /// after so many turns without work.
    fn rest(&self, next: Option<Timestamp>, idle: u32) -> Duration {
        let now = self.now().as_millisecond();
        let next = next.map_or(i64::MAX, Timestamp::as_millisecond);
        let pause = Duration::from_millis(u64::try_from(next.saturating_sub(now)).unwrap_or(0));
        let longest = if self.is_shared() {
            jitter(LONGEST_SLEEP * idle.clamp(1, LONGEST_SLEEPS))
        } else {
            LONGEST_SLEEP
        };
        // What is due and was not to be done here is another host's.
        let others = self.is_shared() && next <= now;
        let shortest = if others { jitter(OTHERS_SLEEP) } else { SHORTEST_SLEEP };
        pause.clamp(shortest, longest)
    }

    /// When something falls due next, by the database.
    pub(crate) async fn next_due(&self) -> Result<Option<Timestamp>, AppError> {
        let mut next = None;
        for part in Part::ALL {
            next = next.into_iter().chain(self.next_due_of(part).await?).min();
        }
        Ok(next)
    }

    /// When something falls due next that one part sees to.
    async fn next_due_of(&self, part: Part) -> Result<Option<Timestamp>, AppError> {
        match part {
            Part::Clocks => {
                let times = [
                    self.store().schedule_next().await?,
                    self.segments_due().await?,
                    self.service_clocks_due().await?,
                ];
                Ok(times.into_iter().flatten().min())
            }
            // An event is there at once, or not.
            Part::Events => Ok(None),
            Part::Runs | Part::Effects if self.all_paused() => Ok(None),
            Part::Runs => Ok(self.store().run_next_due().await?),
            Part::Effects => Ok(self.store().outbox_next_due().await?),
        }
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
    /// Where the records are on a server, any number of programs may.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where another program is that already.
    pub fn take_runner(&self) -> Result<(), AppError> {
        if self.is_shared() {
            return Ok(());
        }
        let mut lock = self.inner.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_some() {
            return Ok(());
        }
        let file = only_runner(self.directory())?;
        *lock = Some(file);
        Ok(())
    }

    /// What a crash left behind, at the start of the only runner: leases of
    /// the dead are released, effects that were being sent are judged. Where
    /// there are other hosts, leases end by themselves
    /// ([`App::recover_effects`]).
    pub(crate) async fn recover(&self) -> Result<(), AppError> {
        if self.is_shared() {
            return Ok(());
        }
        let now = self.now();
        let repeatable = self.inner.mail.is_idempotent();
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    tx.run_release_all(now).await?;
                    tx.outbox_recover(repeatable, true, now).await
                })
            })
            .await?;
        Ok(())
    }
}

/// Makes this program the only one that runs a directory, for as long as it
/// holds the file.
pub(crate) fn only_runner(directory: &DataDirectory) -> Result<File, AppError> {
    let path = directory.lock();
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|why| AppError::wrong(format!("cannot open {}: {why}", path.display())))?;
    if file.try_lock().is_err() {
        return Err(AppError::wrong(format!(
            "another `relata` runs {} already; stop it first",
            directory.root().display()
        )));
    }
    Ok(file)
}
