//! Runs that wait for one another, take each other's place, and what is told
//! of them: on a real store, with the real plugins and a clock that is moved
//! by hand.

mod activating;
mod checking;
mod company;
mod limits;
mod loops;
mod operating;
mod pausing;
mod queueing;
mod replaying;
mod retrying;
mod routing;
mod service_levels;
mod simulating;
mod strides;
mod sub_runs;
mod why_not;
