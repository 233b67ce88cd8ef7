//! The rules of runs: what is decided, told in words; random workflows; several hosts.

mod admission;
mod branches;
mod cluster;
mod deadlines;
mod endings;
mod faults;
mod limits;
mod loops;
mod retries;
mod rig;
mod scenarios;
mod simulation;
mod sub_runs;
