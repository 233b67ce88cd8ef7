//! Several hosts on one database: what one of them does for all, whose clock
//! counts, what becomes of the work of one that went down, and that one did.
//!
//! Nothing here is needed for correctness of what is written: every write is
//! guarded in its own transaction (`Tx::run_commit`, `Tx::event_settle`, the
//! primary keys of fires and enrolments). It keeps hosts from doing the same
//! work at once, and work from lying about.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use crate::{
    App, AppError, Clock,
    lanes::{self, Entered},
    limits::Limited,
    runner::{Held, later},
};

/// How long a claimed run is a host's. Longer than any call may take, so that
/// the lease is not the step's time-out.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// What one host does for all: schedules, segments and events, each in its
/// order.
const DUTY: &str = "triggers";

/// How long a host has the duty at a time: so long nothing starts after it
/// went down.
const DUTY_LASTS: Duration = Duration::from_secs(5);

/// How long a host that is alone says at a time that it is at work. Nobody else
/// asks.
const ALONE: Duration = Duration::from_secs(24 * 3_600);

/// How long hosts are careful after one has gone down: for so long a client that
/// got no answer may try again.
const CAREFUL: Duration = Duration::from_secs(3_600);

/// How often the time of the database is asked for.
const CLOCK_EVERY: Duration = Duration::from_secs(5);

/// So many leases may pass while an effect is being sent: a slow mail server
/// takes its time for each of a batch.
const SENDING_LEASES: u32 = 5;

/// What a host keeps in mind of the others. Times are milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Until when it has the duty.
    duty_until: AtomicI64,
    /// When it tries again to get it.
    duty_next: AtomicI64,
    /// When it looks again for what others left half done.
    recovery_next: AtomicI64,
    /// Until when it has said that it is at work.
    at_work_until: AtomicI64,
    /// When it says so again.
    at_work_next: AtomicI64,
    /// Until when it is careful, since a host has gone down.
    careful_until: AtomicI64,
}

impl App {
    /// Whether other hosts may be at work on the same database. A rehearsal has
    /// one host, wherever its database is.
    pub(crate) fn is_shared(&self) -> bool {
        self.store().is_shared() && !self.clock().is_manual()
    }

    /// How long a claimed run is this host's.
    pub(crate) fn lease(&self) -> Duration {
        self.inner.lease
    }

    /// How long an effect may be on its way.
    pub(crate) fn sending_lease(&self) -> Duration {
        self.inner.lease * SENDING_LEASES
    }

    /// Whether this host looks after schedules, segments and events just now.
    pub(crate) async fn on_duty(&self, owner: &str) -> Result<bool, AppError> {
        if !self.is_shared() {
            return Ok(true);
        }
        let standing = &self.inner.standing;
        let now = self.now();
        let lasts = DUTY_LASTS.min(self.lease());
        let millis = now.as_millisecond();
        let has = standing.duty_until.load(Ordering::Relaxed) > millis;
        if millis < standing.duty_next.load(Ordering::Relaxed) {
            return Ok(has);
        }
        let until = later(now, lasts);
        let took = self.store().duty_take(DUTY, owner, now, until).await?;
        if took && !has {
            tracing::info!("this host looks after schedules, segments and events from now on");
        }
        let until = if took { until.as_millisecond() } else { 0 };
        standing.duty_until.store(until, Ordering::Relaxed);
        standing.duty_next.store(later(now, lasts / 3).as_millisecond(), Ordering::Relaxed);
        Ok(took)
    }

    /// Says that this host is at work, where that has to be said again: who goes
    /// down without taking it back has met something.
    pub(crate) async fn at_work(&self, owner: &str) -> Result<(), AppError> {
        let standing = &self.inner.standing;
        let now = self.now();
        if now.as_millisecond() < standing.at_work_next.load(Ordering::Relaxed) {
            return Ok(());
        }
        let lasts = if self.is_shared() { self.lease() } else { ALONE };
        let until = later(now, lasts);
        let went_down = self.store().host_at_work(owner, now, until, !self.is_shared()).await?;
        let careful_until = went_down.map_or(0, |at| later(at, CAREFUL).as_millisecond());
        if standing.careful_until.swap(careful_until, Ordering::Relaxed) < careful_until {
            tracing::warn!(
                "a host went down without coming to its end; each event is on the disk before its runs begin, for an hour"
            );
        }
        standing.at_work_until.store(until.as_millisecond(), Ordering::Relaxed);
        standing.at_work_next.store(later(now, lasts / 4).as_millisecond(), Ordering::Relaxed);
        Ok(())
    }

    /// Whether it would be known that this host went down, and none has lately.
    pub(crate) fn may_take_chances(&self) -> bool {
        let standing = &self.inner.standing;
        let now = self.now().as_millisecond();
        now < standing.at_work_until.load(Ordering::Relaxed)
            && now >= standing.careful_until.load(Ordering::Relaxed)
    }

    /// Lets another host take over at once: this one has come to its end.
    pub(crate) async fn off_duty(&self, owner: &str) {
        self.inner.standing.at_work_until.store(0, Ordering::Relaxed);
        if let Err(why) = self.store().duty_leave(owner).await {
            // It ends by itself in a moment.
            tracing::warn!(error = %why, "the duties of this host were not given up");
        }
    }

    /// Waits until a step that is in a lane of this host has a turn of it among the
    /// hosts. That ends with the commit of the step, unless it passes it on, or with
    /// the lease. Nothing to do where this is the only host, whose own lanes are
    /// enough, or where the step before has passed its turn on.
    pub(crate) async fn take_turn(&self, held: &mut Held, key: &str) -> Result<(), AppError> {
        let Some(lane) =
            held.lane.as_ref().filter(|lane| self.is_shared() && lane.turn().is_none())
        else {
            return Ok(());
        };
        if let Some(until) = lane.left_until() {
            let left = until.duration_since(self.now());
            tokio::time::sleep(left.try_into().unwrap_or_default()).await;
        }
        let holder = held.run.id.to_string();
        loop {
            let now = self.now();
            let until = later(now, self.lease());
            let turn = self.store().lane_enter(key, &holder, now, until).await?;
            if let (Some(turn), Some(lane)) = (turn, held.lane.as_mut()) {
                lane.begin_tenure(turn, now);
                return Ok(());
            }
            tokio::time::sleep(jitter(lanes::PAUSE)).await;
            self.keep(held).await?;
        }
    }

    /// Waits for something, and keeps the run meanwhile: it may be long, and
    /// another host would take the run for lost.
    pub(crate) async fn keeping<T>(
        &self,
        held: &mut Held,
        waited_for: impl Future<Output = T>,
    ) -> Result<T, AppError> {
        tokio::pin!(waited_for);
        loop {
            tokio::select! {
                came = &mut waited_for => return Ok(came),
                () = tokio::time::sleep(self.lease() / 4) => self.keep(held).await?,
            }
        }
    }

    /// Keeps a run, and its turn in a lane, for a whole lease where half of
    /// one is over. A turn that is lost is told by the commit.
    async fn keep(&self, held: &mut Held) -> Result<(), AppError> {
        if later(self.now(), self.lease() / 2) >= held.lease_until {
            let until = later(self.now(), self.lease());
            self.store().run_renew(held.run.id, held.epoch, until).await?;
            held.lease_until = until;
            if held.limited != Limited::No {
                let run = held.run.id;
                let renewing = self
                    .store()
                    .write(move |tx| Box::pin(async move { tx.limits_renew(run, until).await }));
                renewing.await?;
            }
            if let Some(turn) = held.lane.as_ref().and_then(Entered::turn).cloned() {
                let renewing = self
                    .store()
                    .write(move |tx| Box::pin(async move { tx.lane_renew(&turn, until).await }));
                renewing.await?;
            }
        }
        Ok(())
    }

    /// Gives up a turn of a lane that no commit has given up or passed on.
    pub(crate) async fn leave_lane(&self, held: &mut Held, key: &str) {
        let turn = match held.lane.take() {
            Some(mut lane) => lane.end_tenure(),
            None => self.inner.lanes.abandoned(key),
        };
        let Some(turn) = turn else { return };
        let left =
            self.store().write(move |tx| Box::pin(async move { tx.lane_leave(&turn).await })).await;
        if let Err(why) = left {
            tracing::warn!(error = %why, "a lane was not given up; it is free when its lease ends");
        }
    }

    /// Judges effects that a host had begun to send and never settled.
    pub(crate) async fn recover_effects(&self) -> Result<(), AppError> {
        if !self.is_shared() {
            return Ok(());
        }
        let now = self.now();
        let next = &self.inner.standing.recovery_next;
        if now.as_millisecond() < next.load(Ordering::Relaxed) {
            return Ok(());
        }
        next.store(later(now, self.lease() / 4).as_millisecond(), Ordering::Relaxed);
        let repeatable = self.inner.mail.is_idempotent();
        let count = self
            .store()
            .write(move |tx| {
                Box::pin(async move { tx.outbox_recover(repeatable, false, now).await })
            })
            .await?;
        if count > 0 {
            tracing::warn!(effects = count, "effects were left half done by a host that went down");
        }
        Ok(())
    }

    /// Sets the clock by the database's, so that all hosts have the same time,
    /// whatever their machines think.
    pub(crate) async fn set_by_server(&self) -> Result<(), AppError> {
        if let Clock::Server(clock) = self.clock()
            && clock.is_due(CLOCK_EVERY)
        {
            clock.set(self.store().server_time().await?);
        }
        Ok(())
    }
}

/// Between half of a time and all of it, so that hosts do not go in step.
pub(crate) fn jitter(most: Duration) -> Duration {
    most.mul_f64(0.5 + fastrand::f64() / 2.0)
}
