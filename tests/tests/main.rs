//! The whole program from outside, the processes that it is, and the tree itself.

mod arrows;
mod backtest;
mod browser;
mod check;
mod cluster;
mod compile;
mod complaints;
mod demo;
mod disk;
mod fair;
mod frozen;
mod hostile;
mod intake;
mod intake_kills;
mod kill;
mod languages;
mod mail_in;
mod plugin_breaker;
mod plugins;
mod routing;
mod torture;
mod traces;
mod tree;
mod upsert;
mod web;
