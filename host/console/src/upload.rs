//! Forms that bring files along: `multipart/form-data`, as a browser sends them
//! without a script. Text fields are what they are in any other form.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, header},
};
use multer::{Constraints, Field, Multipart, SizeLimit};
use relata_app::MessageFile;

use crate::{
    failure::Failure,
    session::{Form, LONGEST_FORM},
};

/// So many fields and files has a form at the most.
const MOST_PARTS: usize = 200;

/// How much of a form that is too long is read, in the longest that may be:
/// a browser shows an answer only when all was taken from it.
const PATIENCE: u64 = 4;

/// What separates the parts of such a form; none where it is another kind.
pub(crate) fn boundary(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    multer::parse_boundary(kind).ok()
}

/// A form with files of at most so many bytes together. Where they are more,
/// the form says so and has none.
pub(crate) async fn form_of(
    request: Request,
    boundary: String,
    most: u64,
) -> Result<Form, Failure> {
    let longest = (most + LONGEST_FORM as u64).saturating_mul(PATIENCE);
    let limits = Constraints::new().size_limit(SizeLimit::new().whole_stream(longest));
    let body: Body = request.into_body();
    let mut parts = Multipart::with_constraints(body.into_data_stream(), boundary, limits);
    let (mut form, mut texts, mut files) = (Form::default(), 0, 0);
    for _ in 0..MOST_PARTS {
        let Some(field) = parts.next_field().await.map_err(broken)? else { return Ok(form) };
        let name = field.name().unwrap_or_default().to_owned();
        if field.file_name().is_some() {
            take_file(&mut form, field, &mut files, most).await?;
            continue;
        }
        let text = bytes(field, &mut texts, LONGEST_FORM as u64).await?.ok_or_else(|| {
            Failure::Wrong(format!("the form is longer than {} MiB", LONGEST_FORM >> 20))
        })?;
        // Browsers send the ends of lines of a text field as two signs.
        form.put(name, String::from_utf8_lossy(&text).replace("\r\n", "\n"));
    }
    Err(Failure::Wrong(format!("the form has more than {MOST_PARTS} fields and files")))
}

async fn take_file(
    form: &mut Form,
    field: Field<'_>,
    taken: &mut u64,
    most: u64,
) -> Result<(), Failure> {
    let name = field.file_name().unwrap_or_default().to_owned();
    let kind = field.content_type().map(|kind| kind.essence_str().to_owned());
    match bytes(field, taken, most).await? {
        None => {
            form.files.clear();
            form.files_are_too_much = true;
        }
        // Nothing was chosen.
        Some(content) if name.is_empty() && content.is_empty() => {}
        Some(content) => {
            form.files.push(MessageFile::new(Some(&name), &kind.unwrap_or_default(), content));
        }
    }
    Ok(())
}

/// What is in a field; none where it is too much, together with what was
/// taken before. All of it is read.
async fn bytes(
    mut field: Field<'_>,
    taken: &mut u64,
    most: u64,
) -> Result<Option<Vec<u8>>, Failure> {
    let mut all = Vec::new();
    while let Some(piece) = field.chunk().await.map_err(broken)? {
        *taken += piece.len() as u64;
        if *taken > most {
            all = Vec::new();
        } else {
            all.extend_from_slice(&piece);
        }
    }
    Ok((*taken <= most).then_some(all))
}

/// What came is no such form, or did not come as a whole.
fn broken(why: multer::Error) -> Failure {
    Failure::Wrong(match why {
        multer::Error::StreamSizeExceeded { .. } => "the files are far too large".to_owned(),
        _ => "the form did not arrive as a whole; send it again".to_owned(),
    })
}
