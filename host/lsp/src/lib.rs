//! Help for editors of workflows, over the Language Server Protocol: what is
//! wrong and how to mend it, what can stand at a place, what stands there, and
//! where it comes from.
//!
//! The server reads no database. What the company has (objects, actions,
//! templates, segments) comes from whoever starts it, and is asked for again
//! when files change.

mod document;
mod location;
mod server;
mod wire;

use std::{collections::BTreeMap, path::PathBuf};

pub use lsp_server::Connection;
use lsp_server::ProtocolError;
use relata_workflow::Catalog;

pub use location::{file_uri, path_of};

/// What a workflow may name, and where it is kept.
#[derive(Debug, Clone, Default)]
pub struct Company {
    /// What a workflow may name.
    pub catalog: Catalog,
    /// Object definitions that lie in files, by the object's name.
    pub objects: BTreeMap<String, PathBuf>,
    /// Mail templates, by name.
    pub templates: BTreeMap<String, PathBuf>,
    /// Workflows and blueprints, by name.
    pub workflows: BTreeMap<String, PathBuf>,
    /// The page that explains a diagnostic's code, with `{code}` where the
    /// code belongs; none where there is no such page.
    pub explanations: Option<String>,
}

/// Why the server stopped.
#[derive(Debug, thiserror::Error)]
pub enum LspError {
    /// The editor does not speak as agreed.
    #[error("the editor broke the language server protocol")]
    Protocol(#[from] ProtocolError),
    /// What the editor said at the beginning cannot be read.
    #[error("the editor's introduction cannot be read")]
    Introduction(#[source] serde_json::Error),
    /// Standard input or output is gone.
    #[error("the connection to the editor failed")]
    Connection(#[from] std::io::Error),
}

/// Serves an editor over standard input and output until it says goodbye.
/// Nothing else may be written to standard output meanwhile.
///
/// `company` is asked at the beginning, and again when files have changed; it
/// may take its time. Where it fails, what it gave before stays, and the
/// editor shows the sentence.
///
/// # Errors
///
/// [`LspError`] where the connection fails or the editor breaks the protocol.
pub fn serve_stdio(company: impl FnMut() -> Result<Company, String>) -> Result<(), LspError> {
    let (connection, threads) = Connection::stdio();
    let served = serve(&connection, company);
    // The writer ends when nothing more can be sent.
    drop(connection);
    served?;
    threads.join()?;
    Ok(())
}

/// Serves an editor over a connection until it says goodbye; see
/// [`serve_stdio`].
///
/// # Errors
///
/// [`LspError`] where the editor breaks the protocol.
pub fn serve(
    connection: &Connection,
    company: impl FnMut() -> Result<Company, String>,
) -> Result<(), LspError> {
    server::serve(connection, company)
}
