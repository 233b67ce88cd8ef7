//! Runs that wait for one another, take each other's place, and what is told
//! of them: on a real store, with the real plugins and a clock that is moved
//! by hand.

mod activating;
mod checking;
mod company;
mod queueing;
mod why_not;
