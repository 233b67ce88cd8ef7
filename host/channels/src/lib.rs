//! The outside world: mail out.
