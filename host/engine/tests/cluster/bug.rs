//! Bugs that are planted in the model, to see that the simulation finds them.

/// A bug in the store or in the hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// A write is taken from whoever makes it.
    FenceRemoved,
    /// A step is committed, and its effect on the outside in a transaction
    /// after it.
    OutboxApart,
    /// What falls due within a minute is done already.
    TimerEarly,
    /// What a run has taken in is told to it again.
    InboxTwice,
    /// The wish for a run's end is handed out at a renewal, to a host that
    /// does not look.
    CancelLost,
    /// The lease is kept neither before a long call nor during it.
    LeaseNotRenewed,
    /// Two hosts settle one event, and each starts the run.
    StartedTwice,
    /// What happens while a host decides that its run shall listen is not told
    /// to the run.
    ListenedTooLate,
    /// An effect that may have been carried out is carried out again.
    UnknownRepeated,
    /// A run of another workflow begins in a transaction after that of the step
    /// that starts it.
    ChildApart,
    /// A host decides by its own clock and not by the database's.
    OwnClock,
    /// A host that goes down gives up the run, and nobody claims it.
    LeaseForEver,
    /// A host that comes up releases what the others have.
    OthersReleased,
}

impl Bug {
    /// All of them, each with what the simulation says of it (one of these).
    pub(crate) const ALL: [(Self, &'static [&'static str]); 13] = [
        (Self::FenceRemoved, &["although it had lost the run"]),
        (Self::OutboxApart, &["was never kept"]),
        (Self::TimerEarly, &["before its time"]),
        (Self::InboxTwice, &["was taken in twice"]),
        (Self::CancelLost, &["the wish for its end is gone"]),
        (Self::LeaseNotRenewed, &["was taken from a host that is well"]),
        (Self::StartedTwice, &["started 2 runs"]),
        (Self::ListenedTooLate, &["was never told of"]),
        (Self::UnknownRepeated, &["arrived twice"]),
        (Self::ChildApart, &["which never began"]),
        (Self::OwnClock, &["before its time", "nothing comes of it"]),
        (Self::LeaseForEver, &["nothing will ever wake it"]),
        (Self::OthersReleased, &["was taken from a host that is well"]),
    ];
}
