//! The conversation with the editor.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    str::FromStr,
};

use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::{
    ClientCapabilities, CodeActionKind, CodeActionOptions, CodeActionParams,
    CodeActionProviderCapability, CompletionOptions, CompletionParams, CompletionResponse,
    DidChangeTextDocumentParams, DidChangeWatchedFilesRegistrationOptions,
    DidCloseTextDocumentParams, DidOpenTextDocumentParams, DocumentSymbolParams,
    DocumentSymbolResponse, FileSystemWatcher, GlobPattern, GotoDefinitionParams,
    GotoDefinitionResponse, HoverParams, HoverProviderCapability, InitializeParams, Location,
    MessageType, OneOf, PublishDiagnosticsParams, Range, Registration, RegistrationParams,
    SaveOptions, ServerCapabilities, ServerInfo, ShowMessageParams, TextDocumentPositionParams,
    TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions,
    TextDocumentSyncSaveOptions, Uri,
    notification::{
        DidChangeTextDocument, DidChangeWatchedFiles, DidCloseTextDocument, DidOpenTextDocument,
        DidSaveTextDocument, Initialized, Notification as _, PublishDiagnostics, ShowMessage,
    },
    request::{
        CodeActionRequest, Completion, DocumentSymbolRequest, GotoDefinition, HoverRequest,
        RegisterCapability, Request as _,
    },
};
use relata_workflow::insight::{Insight, Target, complete};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value as Json;

use crate::{
    Company, LspError,
    document::Document,
    location::{file_uri, path_of},
    wire,
};

/// What the server can do.
fn capabilities() -> ServerCapabilities {
    ServerCapabilities {
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::INCREMENTAL),
            save: Some(TextDocumentSyncSaveOptions::SaveOptions(SaveOptions {
                include_text: Some(false),
            })),
            ..TextDocumentSyncOptions::default()
        })),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some([".", "=", "\"", "/", " ", "|"].map(str::to_owned).to_vec()),
            ..CompletionOptions::default()
        }),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        definition_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::QUICKFIX]),
            ..CodeActionOptions::default()
        })),
        ..ServerCapabilities::default()
    }
}

pub(crate) fn serve(
    connection: &Connection,
    mut company: impl FnMut() -> Result<Company, String>,
) -> Result<(), LspError> {
    let (id, params) = connection.initialize_start()?;
    let params: InitializeParams =
        serde_json::from_value(params).map_err(LspError::Introduction)?;
    let answer = serde_json::json!({
        "capabilities": capabilities(),
        "serverInfo": ServerInfo {
            name: "relata".to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        },
    });
    connection.initialize_finish(id, answer)?;
    let mut server = Server {
        connection,
        watches: watches(&params.capabilities),
        company: Company::default(),
        open: BTreeMap::new(),
        stale: BTreeSet::new(),
    };
    server.ask(&mut company);
    server.run(&mut company)
}

/// Whether the editor tells of changed files where it is asked to.
fn watches(capabilities: &ClientCapabilities) -> bool {
    capabilities
        .workspace
        .as_ref()
        .and_then(|workspace| workspace.did_change_watched_files.as_ref())
        .and_then(|watched| watched.dynamic_registration)
        .unwrap_or(false)
}

struct Server<'a> {
    connection: &'a Connection,
    watches: bool,
    company: Company,
    /// The open files, by their address.
    open: BTreeMap<String, Document>,
    /// Those of which the editor does not know yet what is wrong.
    stale: BTreeSet<String>,
}

impl Server<'_> {
    fn run(
        &mut self,
        company: &mut impl FnMut() -> Result<Company, String>,
    ) -> Result<(), LspError> {
        if self.watches {
            self.watch();
        }
        loop {
            // Only when nothing waits is it worth while to check: whoever
            // types sends a message a letter.
            let message = match self.connection.receiver.try_recv() {
                Ok(message) => message,
                Err(_) => {
                    self.publish_stale();
                    match self.connection.receiver.recv() {
                        Ok(message) => message,
                        // The editor is gone without a goodbye.
                        Err(_) => return Ok(()),
                    }
                }
            };
            match message {
                Message::Request(request) => {
                    if self.connection.handle_shutdown(&request)? {
                        return Ok(());
                    }
                    self.request(request);
                }
                Message::Notification(notification) => self.notice(notification, company),
                // To our own requests, of which none needs one.
                Message::Response(_) => {}
            }
        }
    }

    fn send(&self, message: impl Into<Message>) {
        // It fails only when the editor is gone, and then the loop ends.
        if self.connection.sender.send(message.into()).is_err() {
            tracing::debug!("the editor is gone");
        }
    }

    fn notify<N: lsp_types::notification::Notification>(&self, params: N::Params)
    where
        N::Params: Serialize,
    {
        self.send(Notification::new(N::METHOD.to_owned(), params));
    }

    /// Asks the editor to tell of changed files: objects, templates, other
    /// workflows.
    fn watch(&self) {
        let watchers = ["**/*.{yaml,yml}", "**/templates/**", "**/relata.toml"]
            .map(|glob| FileSystemWatcher {
                glob_pattern: GlobPattern::String(glob.to_owned()),
                kind: None,
            })
            .to_vec();
        let options = DidChangeWatchedFilesRegistrationOptions { watchers };
        let registration = Registration {
            id: "relata-files".to_owned(),
            method: DidChangeWatchedFiles::METHOD.to_owned(),
            register_options: serde_json::to_value(options).ok(),
        };
        let params = RegistrationParams { registrations: vec![registration] };
        let id = RequestId::from("relata-files".to_owned());
        self.send(Request::new(id, RegisterCapability::METHOD.to_owned(), params));
    }

    /// Asks what the company has. Where that fails, the former answer stays.
    fn ask(&mut self, company: &mut impl FnMut() -> Result<Company, String>) {
        match company() {
            Ok(company) => self.company = company,
            Err(why) => {
                tracing::warn!("the company's data cannot be read: {why}");
                self.notify::<ShowMessage>(ShowMessageParams {
                    typ: MessageType::WARNING,
                    message: format!("Relata cannot read the company's data: {why}"),
                });
            }
        }
        self.stale.extend(self.open.keys().cloned());
    }

    fn notice(
        &mut self,
        notification: Notification,
        company: &mut impl FnMut() -> Result<Company, String>,
    ) {
        let Notification { method, params } = notification;
        match method.as_str() {
            DidOpenTextDocument::METHOD => {
                let Some(params) = read::<DidOpenTextDocumentParams>(&method, params) else {
                    return;
                };
                let file = params.text_document;
                let uri = file.uri.as_str().to_owned();
                self.open.insert(uri.clone(), Document::new(file.text, file.version));
                self.stale.insert(uri);
            }
            DidChangeTextDocument::METHOD => {
                let Some(params) = read::<DidChangeTextDocumentParams>(&method, params) else {
                    return;
                };
                let uri = params.text_document.uri.as_str().to_owned();
                if let Some(document) = self.open.get_mut(&uri) {
                    document.change(params.content_changes, params.text_document.version);
                    self.stale.insert(uri);
                }
            }
            DidCloseTextDocument::METHOD => {
                let Some(params) = read::<DidCloseTextDocumentParams>(&method, params) else {
                    return;
                };
                let uri = params.text_document.uri;
                self.open.remove(uri.as_str());
                self.stale.remove(uri.as_str());
                let none = PublishDiagnosticsParams { uri, diagnostics: Vec::new(), version: None };
                self.notify::<PublishDiagnostics>(none);
            }
            DidChangeWatchedFiles::METHOD => self.ask(company),
            DidSaveTextDocument::METHOD => {
                // Where the editor does not watch files, this is what we get.
                if !self.watches {
                    self.ask(company);
                }
            }
            Initialized::METHOD => {}
            // What begins with `$/` may be passed over.
            _ => tracing::debug!("the editor sent `{method}`, which is not known"),
        }
    }

    /// Tells what is wrong in the files that have changed.
    fn publish_stale(&mut self) {
        for uri in std::mem::take(&mut self.stale) {
            let Some(document) = self.open.get(&uri) else { continue };
            let Ok(address) = Uri::from_str(&uri) else { continue };
            let diagnostics = if is_workflow(&uri, &document.text) {
                let file = name_of(&uri);
                let (_, found) =
                    relata_workflow::parse(&file, &document.text, &self.company.catalog);
                let page = self.company.explanations.as_deref();
                found.iter().map(|found| wire::diagnostic(found, &file, document, page)).collect()
            } else {
                Vec::new()
            };
            self.notify::<PublishDiagnostics>(PublishDiagnosticsParams {
                uri: address,
                diagnostics,
                version: Some(document.version),
            });
        }
    }

    fn request(&self, request: Request) {
        let Request { id, method, params } = request;
        let answer = match method.as_str() {
            Completion::METHOD => self.answer(&method, params, |params: CompletionParams| {
                self.completion(&params.text_document_position)
            }),
            HoverRequest::METHOD => self.answer(&method, params, |params: HoverParams| {
                self.hover(&params.text_document_position_params)
            }),
            GotoDefinition::METHOD => {
                self.answer(&method, params, |params: GotoDefinitionParams| {
                    self.definition(&params.text_document_position_params)
                })
            }
            DocumentSymbolRequest::METHOD => {
                self.answer(&method, params, |params: DocumentSymbolParams| {
                    self.symbols(params.text_document.uri.as_str())
                })
            }
            CodeActionRequest::METHOD => {
                self.answer(&method, params, |params: CodeActionParams| self.fixes(&params))
            }
            _ => Err((ErrorCode::MethodNotFound, format!("`{method}` is not known here"))),
        };
        self.send(match answer {
            Ok(result) => Response::new_ok(id, result),
            Err((code, message)) => Response::new_err(id, code as i32, message),
        });
    }

    fn answer<P: DeserializeOwned, R: Serialize>(
        &self,
        method: &str,
        params: Json,
        answer: impl FnOnce(P) -> Option<R>,
    ) -> Result<Json, (ErrorCode, String)> {
        let params = serde_json::from_value(params).map_err(|why| {
            (ErrorCode::InvalidParams, format!("the parameters of `{method}` do not read: {why}"))
        })?;
        serde_json::to_value(answer(params)).map_err(|why| {
            (ErrorCode::InternalError, format!("the answer to `{method}` cannot be sent: {why}"))
        })
    }

    /// An open workflow, its name, and a byte of it.
    fn place(&self, at: &TextDocumentPositionParams) -> Option<(&Document, String, usize)> {
        let uri = at.text_document.uri.as_str();
        let document = self.open.get(uri)?;
        is_workflow(uri, &document.text)
            .then(|| (document, name_of(uri), document.offset(at.position)))
    }

    fn completion(&self, at: &TextDocumentPositionParams) -> Option<CompletionResponse> {
        let uri = at.text_document.uri.as_str();
        let document = self.open.get(uri)?;
        // In an empty file this is how one learns what to begin with.
        if is_test(uri) || !(is_workflow(uri, &document.text) || is_begun(&document.text)) {
            return None;
        }
        let offset = document.offset(at.position);
        let items = complete(&name_of(uri), &document.text, offset, &self.company.catalog);
        let items = items
            .into_iter()
            .enumerate()
            .map(|(number, item)| wire::completion(item, number, document))
            .collect();
        Some(CompletionResponse::Array(items))
    }

    fn hover(&self, at: &TextDocumentPositionParams) -> Option<lsp_types::Hover> {
        let (document, file, offset) = self.place(at)?;
        let insight = Insight::new(&file, &document.text, &self.company.catalog);
        insight.hover(offset).map(|hover| wire::hover(hover, document))
    }

    fn definition(&self, at: &TextDocumentPositionParams) -> Option<GotoDefinitionResponse> {
        let (document, file, offset) = self.place(at)?;
        let target = Insight::new(&file, &document.text, &self.company.catalog).target(offset)?;
        let company = &self.company;
        let location = match target {
            Target::Here(range) => {
                Location { uri: at.text_document.uri.clone(), range: document.range_of(range) }
            }
            Target::Object(object, field) => {
                self.within(company.objects.get(&object)?, field.as_deref())?
            }
            Target::Template(name) => self.within(company.templates.get(&name)?, None)?,
            Target::Workflow(name) | Target::Blueprint(name) => {
                self.within(company.workflows.get(&name)?, None)?
            }
        };
        Some(GotoDefinitionResponse::Scalar(location))
    }

    /// A file, at the line of one of its keys if it is to be found.
    fn within(&self, path: &Path, key: Option<&str>) -> Option<Location> {
        let uri = file_uri(path)?;
        let mut range = Range::default();
        if let Some(key) = key {
            let open = self.open.get(&uri).map(|document| document.text.clone());
            let text = open.or_else(|| std::fs::read_to_string(path).ok()).unwrap_or_default();
            let document = Document::new(text, 0);
            let head = format!("{key}:");
            let place = document.text.match_indices(&head).map(|(place, _)| place).find(|place| {
                document.text[..*place]
                    .rsplit('\n')
                    .next()
                    .is_some_and(|line| !line.is_empty() && line.chars().all(char::is_whitespace))
            });
            if let Some(place) = place {
                range = document.range(place, place + key.len());
            }
        }
        Some(Location { uri: Uri::from_str(&uri).ok()?, range })
    }

    fn symbols(&self, uri: &str) -> Option<DocumentSymbolResponse> {
        let document = self.open.get(uri)?;
        if !is_workflow(uri, &document.text) {
            return None;
        }
        let insight = Insight::new(&name_of(uri), &document.text, &self.company.catalog);
        let symbols =
            insight.symbols().into_iter().map(|symbol| wire::symbol(symbol, document)).collect();
        Some(DocumentSymbolResponse::Nested(symbols))
    }

    /// The mends of what is wrong in a range.
    fn fixes(&self, params: &CodeActionParams) -> Option<lsp_types::CodeActionResponse> {
        let uri = &params.text_document.uri;
        let document = self.open.get(uri.as_str())?;
        if !is_workflow(uri.as_str(), &document.text) {
            return None;
        }
        let file = name_of(uri.as_str());
        let start = document.offset(params.range.start);
        let end = document.offset(params.range.end);
        let (_, found) = relata_workflow::parse(&file, &document.text, &self.company.catalog);
        let page = self.company.explanations.as_deref();
        let fixes = found
            .iter()
            .filter(|found| found.file == file)
            .filter(|found| found.span.start <= end && start <= found.span.end)
            .filter_map(|found| {
                let shown = wire::diagnostic(found, &file, document, page);
                wire::quick_fix(found, shown, uri, document)
            })
            .collect();
        Some(fixes)
    }
}

fn read<P: DeserializeOwned>(method: &str, params: Json) -> Option<P> {
    serde_json::from_value(params)
        .inspect_err(|why| tracing::warn!("the parameters of `{method}` do not read: {why}"))
        .ok()
}

/// Whether a file is a workflow or a blueprint. Editors send us every YAML
/// file, and others than ours are none of our business.
fn is_workflow(uri: &str, text: &str) -> bool {
    let names = |line: &str| line.starts_with("workflow:") || line.starts_with("blueprint:");
    let begins = text.trim_start_matches('\u{feff}').lines().any(names);
    !is_test(uri) && begins
}

/// Tests are written in a language of their own.
fn is_test(uri: &str) -> bool {
    uri.ends_with(".test.yaml") || uri.ends_with(".test.yml")
}

/// Whether a file has nothing but remarks and the beginning of a word.
fn is_begun(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let first = lines.next().unwrap_or_default();
    lines.next().is_none() && first.chars().all(char::is_alphabetic)
}

/// What a file is called in messages.
fn name_of(uri: &str) -> String {
    path_of(uri)
        .and_then(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()))
        .unwrap_or_else(|| uri.to_owned())
}
