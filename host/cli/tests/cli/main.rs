//! The program itself, as a person or a script calls it.

mod flow;
mod help;
mod program;
mod serving;
mod wrong;
