//! The subcommands, one a file.

pub(crate) mod action;
pub(crate) mod activate;
pub(crate) mod approvals;
pub(crate) mod backtest;
pub(crate) mod check;
pub(crate) mod clock;
pub(crate) mod completions;
pub(crate) mod deactivate;
pub(crate) mod explain;
pub(crate) mod graph;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod lsp;
pub(crate) mod objects;
pub(crate) mod outbox;
pub(crate) mod records;
pub(crate) mod runs;
pub(crate) mod schema;
pub(crate) mod secret;
pub(crate) mod serve;
pub(crate) mod start;
pub(crate) mod test;
pub(crate) mod token;
pub(crate) mod why_not;
pub(crate) mod workflows;
