//! What the editor of a workflow's text asks while somebody types: what is
//! wrong, what can stand at a place, and what stands there. The answers are
//! those of `relata check` and `relata lsp`; places are counted as the browser
//! counts them, in UTF-16.

use askama::Template;
use axum::{
    Json,
    extract::Path,
    response::{IntoResponse, Response},
};
use relata_app::{
    AppError,
    model::{Area, Doing},
    workflow::insight::{self, Insight, Range},
};
use serde_json::{Value, json};

use crate::{
    failure::Failure,
    session::{Sent, Visit},
    shell::Shell,
    texts::{Texts, fill},
    workflows::{Finding, check as checked},
};

#[derive(Template)]
#[template(path = "findings.html")]
struct Findings<'a> {
    s: Shell,
    findings: &'a [Finding],
    checked: bool,
}

#[derive(Template)]
#[template(path = "picture.html")]
struct Picture {
    s: Shell,
    picture: Option<String>,
}

/// The editor's own words, for its script.
pub(crate) fn words(t: &Texts) -> String {
    json!({
        "label": t.text,
        "leave": t.leave_editor,
        "phrases": {
            "Completions": t.completions,
            "Diagnostics": t.findings,
            "No diagnostics": t.no_findings,
            "close": t.close,
        },
    })
    .to_string()
}

/// `POST /workflows/{name}/check`: what is wrong with a text, and its picture.
pub(crate) async fn check(
    Path(name): Path<String>,
    Sent { visit, form }: Sent,
) -> Result<Response, Failure> {
    visit.must(Area::Workflows, Doing::See).await?;
    let source = form.get("source").unwrap_or_default();
    let shown = checked(&visit, &name, source).await?;
    let s = visit.shell("workflows");
    let t = s.t;
    let findings = Findings { s: s.clone(), findings: &shown.findings, checked: true };
    let findings = fragment(&findings)?;
    let picture = match shown.picture {
        Some(picture) => Some(fragment(&Picture { s, picture: Some(picture) })?),
        None => None,
    };
    let diagnostics: Vec<Value> =
        shown.findings.iter().map(|finding| diagnostic(finding, source, t)).collect();
    let found = match diagnostics.len() {
        0 => t.no_findings.to_owned(),
        count => fill(t.found_count, &[&count.to_string()]),
    };
    let told = json!({
        "diagnostics": diagnostics,
        "findings": findings,
        "picture": picture,
        "found": found,
    });
    Ok(Json(told).into_response())
}

fn diagnostic(finding: &Finding, source: &str, t: &Texts) -> Value {
    let Range { start, end } = finding.range;
    let help = finding.help.as_ref().map_or_else(String::new, |help| format!("\n{help}"));
    let message =
        format!("{} {}:{} {}{help}", t.line, finding.line, finding.column, finding.message);
    let fix = finding.fix.as_ref().map(|fix| {
        json!({
            "title": fix.title,
            "from": units(source, fix.range.start),
            "to": units(source, fix.range.end),
            "text": fix.text,
        })
    });
    json!({
        "from": units(source, start),
        "to": units(source, end.max(start)),
        "severity": finding.class,
        "message": message,
        "code": finding.code,
        "fix": fix,
    })
}

/// `POST /workflows/{name}/complete`: what can stand at a place.
pub(crate) async fn complete(
    Path(name): Path<String>,
    Sent { visit, form }: Sent,
) -> Result<Response, Failure> {
    let source = form.get("source").unwrap_or_default();
    let place = place(&visit, source, form.get("offset")).await?;
    let catalog = visit.app.catalog().await?;
    let items: Vec<Value> = insight::complete(&file(&name), source, place, &catalog)
        .into_iter()
        .map(|item| {
            json!({
                "label": item.label,
                "detail": item.detail,
                "documentation": item.documentation,
                "insert": item.insert,
                "from": units(source, item.replaces.start),
                "to": units(source, item.replaces.end),
            })
        })
        .collect();
    Ok(Json(json!({ "items": items })).into_response())
}

/// `POST /workflows/{name}/hover`: what stands at a place.
pub(crate) async fn hover(
    Path(name): Path<String>,
    Sent { visit, form }: Sent,
) -> Result<Response, Failure> {
    let source = form.get("source").unwrap_or_default();
    let place = place(&visit, source, form.get("offset")).await?;
    let catalog = visit.app.catalog().await?;
    let told = Insight::new(&file(&name), source, &catalog).hover(place);
    let told = told.map_or_else(
        || json!({ "text": null }),
        |hover| {
            json!({
                "text": hover.text,
                "from": units(source, hover.range.start),
                "to": units(source, hover.range.end),
            })
        },
    );
    Ok(Json(told).into_response())
}

/// The byte that somebody who sees workflows asks about.
async fn place(visit: &Visit, source: &str, offset: Option<&str>) -> Result<usize, Failure> {
    visit.must(Area::Workflows, Doing::See).await?;
    let offset = offset.and_then(|offset| offset.parse().ok());
    let offset = offset.ok_or_else(|| Failure::Wrong("`offset` takes a number".to_owned()))?;
    Ok(byte(source, offset))
}

/// What a text is called in messages.
fn file(name: &str) -> String {
    format!("{name}.yaml")
}

/// How many units of UTF-16 lie before a byte.
fn units(source: &str, byte: usize) -> usize {
    let before = source.char_indices().take_while(|(place, _)| *place < byte);
    before.map(|(_, letter)| letter.len_utf16()).sum()
}

/// The byte before which so many units of UTF-16 lie; the nearest one where
/// there is no such.
fn byte(source: &str, units: usize) -> usize {
    let mut left = units;
    for (place, letter) in source.char_indices() {
        if left < letter.len_utf16() {
            return place;
        }
        left -= letter.len_utf16();
    }
    source.len()
}

fn fragment(template: &impl Template) -> Result<String, Failure> {
    let made = template.render();
    made.map_err(|why| AppError::Fault(format!("a template was not filled in: {why}")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 客 is one unit of UTF-16 and three bytes, 😀 two units and four bytes.
    #[test]
    fn places_are_counted_in_utf_16() {
        let source = "a: 客户 😀 x\nb";
        for (at, count) in [(0, 0), (3, 3), (6, 4), (9, 5), (10, 6), (14, 8), (17, 11)] {
            assert_eq!(units(source, at), count, "byte {at}");
            assert_eq!(byte(source, count), at, "byte {at}");
        }
        // Within a letter, and past the end.
        assert_eq!(byte(source, 7), 10);
        assert_eq!(byte(source, 99), source.len());
        assert_eq!(units(source, 99), 12);
    }
}
