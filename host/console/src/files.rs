//! The files that came with a ticket's messages: links that save them, and
//! small pictures. What is in them is whatever a stranger sent, so a browser is
//! told to save it, to guess nothing, and to run nothing.

use axum::{
    body::Body,
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use relata_app::{
    attachment_disposition, attachment_type,
    model::{Record, Value},
    store::Attachment,
};

use crate::{failure::Failure, session::Visit, texts::Texts};

/// What a file may do that is shown all the same: nothing.
const POLICY: &str = "sandbox; default-src 'none'";

/// The largest picture that is shown small on a page, bytes.
const LARGEST_PICTURE: u64 = 2 << 20;

/// So many pictures of a message are shown.
const MOST_PICTURES: usize = 6;

/// A file of a message on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileView {
    /// What it is called, with its type and size.
    pub(crate) told: String,
    /// Where it is; none where it is not kept.
    pub(crate) href: Option<String>,
    /// Whether it is shown small.
    pub(crate) is_picture: bool,
}

/// `GET /messages/{key}/files/{id}`
pub(crate) async fn download(
    visit: Visit,
    Path((key, number)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let file = visit.app.attachment_as(&visit.viewer, &key, &number).await?;
    if file.sha256.is_none() {
        return Err(Failure::NotFound);
    }
    let told = [
        (header::CONTENT_TYPE, attachment_type(&file).to_owned()),
        (header::CONTENT_DISPOSITION, attachment_disposition(&file)),
        (header::CONTENT_LENGTH, file.size.to_string()),
    ];
    let safe = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    let pieces = Body::from_stream(visit.app.attachment_content(&file));
    Ok((told, safe, pieces).into_response())
}

/// The files of a message on its page. Of a message from before their contents
/// were kept there is only what it says of them.
pub(crate) fn views(message: &Record, files: &[Attachment], t: &Texts) -> Vec<FileView> {
    let of_message = files.iter().filter(|file| file.record == message.reference);
    let mut views: Vec<FileView> = of_message.map(|file| view(file, t)).collect();
    if views.is_empty()
        && let Value::List(texts) = message.field("attachments")
    {
        views = texts.iter().map(|text| said(&text.to_string())).collect();
    }
    let pictures = views.iter_mut().filter(|view| view.is_picture);
    pictures.skip(MOST_PICTURES).for_each(|view| view.is_picture = false);
    views
}

fn said(text: &str) -> FileView {
    FileView { told: text.to_owned(), href: None, is_picture: false }
}

fn view(file: &Attachment, t: &Texts) -> FileView {
    let address = || format!("/messages/{}/files/{}", file.record.key, file.place);
    let is_kept = file.sha256.is_some();
    let name = file.name.as_deref().unwrap_or(t.file_unnamed);
    let why = if is_kept { String::new() } else { format!("; {}", t.file_not_kept) };
    FileView {
        told: format!("{name} ({}, {}{why})", file.media_type, size(file.size)),
        href: is_kept.then(address),
        is_picture: is_kept
            && file.size <= LARGEST_PICTURE
            && attachment_type(file).starts_with("image/"),
    }
}

/// A size in the unit that suits it.
fn size(bytes: u64) -> String {
    match bytes {
        ..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", bytes.div_ceil(1_024)),
        _ => format!("{} MiB", bytes.div_ceil(1_048_576)),
    }
}
