//! What is found in a file, in the words of the protocol.

use std::str::FromStr;

use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeDescription, CompletionItem,
    CompletionItemKind, CompletionTextEdit, Diagnostic, DiagnosticSeverity, DocumentSymbol,
    Documentation, Hover, HoverContents, MarkupContent, MarkupKind, NumberOrString, Range,
    SymbolKind, TextEdit, Uri, WorkspaceEdit,
};
use relata_workflow::{
    Severity,
    insight::{Completion, CompletionKind, Symbol, fix},
};

use crate::document::Document;

/// Who a diagnostic is from.
const SOURCE: &str = "relata";

/// What is wrong in a file. `explanations` is the address of the page about a
/// code.
pub(crate) fn diagnostic(
    found: &relata_workflow::Diagnostic,
    file: &str,
    document: &Document,
    explanations: Option<&str>,
) -> Diagnostic {
    let help = found.help.as_ref().map_or_else(String::new, |help| format!("\n{help}"));
    let (range, message) = if found.file == file {
        let range = document.range(found.span.start, found.span.end);
        (range, format!("{}{help}", found.message))
    } else {
        // It is in the blueprint that this file is made of.
        let place = format!("{}, line {}", found.file, found.span.line);
        (Range::default(), format!("{place}: {}{help}", found.message))
    };
    let href = explanations
        .map(|page| page.replace("{code}", found.code))
        .and_then(|page| Uri::from_str(&page).ok());
    Diagnostic {
        range,
        severity: Some(match found.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
        }),
        code: Some(NumberOrString::String(found.code.to_owned())),
        code_description: href.map(|href| CodeDescription { href }),
        source: Some(SOURCE.to_owned()),
        message,
        ..Diagnostic::default()
    }
}

/// The mend of a diagnostic, where an editor can make it.
// The map of changes is the protocol's, and its keys do not change.
#[expect(clippy::mutable_key_type, reason = "lsp-types keys the changes of files by their address")]
pub(crate) fn quick_fix(
    found: &relata_workflow::Diagnostic,
    shown: Diagnostic,
    uri: &Uri,
    document: &Document,
) -> Option<CodeActionOrCommand> {
    let fix = fix(found, &document.text)?;
    let edit = TextEdit { range: document.range_of(fix.range), new_text: fix.text };
    let changes = std::iter::once((uri.clone(), vec![edit])).collect();
    Some(CodeActionOrCommand::CodeAction(CodeAction {
        title: fix.title,
        kind: Some(CodeActionKind::QUICKFIX),
        diagnostics: Some(vec![shown]),
        edit: Some(WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }),
        is_preferred: Some(true),
        ..CodeAction::default()
    }))
}

fn markdown(value: String) -> MarkupContent {
    MarkupContent { kind: MarkupKind::Markdown, value }
}

/// The `number`th of what can stand at a place.
pub(crate) fn completion(item: Completion, number: usize, document: &Document) -> CompletionItem {
    let kind = match item.kind {
        CompletionKind::Key => CompletionItemKind::KEYWORD,
        CompletionKind::Action | CompletionKind::Function => CompletionItemKind::FUNCTION,
        CompletionKind::Argument => CompletionItemKind::PROPERTY,
        CompletionKind::Field => CompletionItemKind::FIELD,
        CompletionKind::Variable => CompletionItemKind::VARIABLE,
        CompletionKind::Word => CompletionItemKind::ENUM_MEMBER,
        CompletionKind::Object => CompletionItemKind::CLASS,
        CompletionKind::Thing => CompletionItemKind::REFERENCE,
    };
    let said = |text: String| (!text.is_empty()).then_some(text);
    CompletionItem {
        kind: Some(kind),
        detail: said(item.detail),
        documentation: said(item.documentation)
            .map(|text| Documentation::MarkupContent(markdown(text))),
        // In the order in which they are offered.
        sort_text: Some(format!("{number:04}")),
        filter_text: Some(item.label.clone()),
        text_edit: Some(CompletionTextEdit::Edit(TextEdit {
            range: document.range_of(item.replaces),
            new_text: item.insert,
        })),
        label: item.label,
        ..CompletionItem::default()
    }
}

pub(crate) fn hover(hover: relata_workflow::insight::Hover, document: &Document) -> Hover {
    Hover {
        contents: HoverContents::Markup(markdown(hover.text)),
        range: Some(document.range_of(hover.range)),
    }
}

#[expect(deprecated, reason = "the protocol's type still has the field that it advises against")]
pub(crate) fn symbol(symbol: Symbol, document: &Document) -> DocumentSymbol {
    let children: Vec<DocumentSymbol> =
        symbol.children.into_iter().map(|child| self::symbol(child, document)).collect();
    DocumentSymbol {
        name: symbol.name,
        detail: (!symbol.detail.is_empty()).then_some(symbol.detail),
        kind: if symbol.is_step { SymbolKind::FUNCTION } else { SymbolKind::PROPERTY },
        tags: None,
        deprecated: None,
        range: document.range_of(symbol.range),
        selection_range: document.range_of(symbol.key),
        children: (!children.is_empty()).then_some(children),
    }
}
