//! The files of messages: what is kept of those that come and go, and who opens
//! them. Their names and what is in them are whatever a stranger sent: no
//! path is ever made of the one, and the other is in no log.

use std::{fmt, sync::Arc};

use futures::{Stream, TryStreamExt as _, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use relata_channels::SentFile;
use relata_model::{Act, FieldError, Record, Reference, Value};
use relata_store::{Attachment, PIECE, Store, StoreError, Tx};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{AccessError, App, AppError, Viewer, activation::hex, intake::line};

/// The object that files are of.
const OBJECT: &str = "message";

/// The field that says which files there are; whoever does not see it opens
/// none.
const FIELD: &str = "attachments";

/// So many mails with files lie in memory at once.
pub(crate) const MOST_ON_THEIR_WAY: usize = 2;

/// The longest name of a file, characters.
const LONGEST_NAME: usize = 150;

/// The longest media type, characters.
const LONGEST_TYPE: usize = 100;

/// What a file is where nobody says it in a way that can be understood.
const ANYTHING: &str = "application/octet-stream";

/// What a browser may be told that a file is. None of them runs anything.
const PLAIN_TYPES: [&str; 8] = [
    "application/pdf",
    "application/zip",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/csv",
    "text/plain",
];

/// What stands in a header as it is (RFC 8187, `attr-char`).
const IN_HEADER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A file that comes or goes with a message.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageFile {
    name: Option<String>,
    media_type: String,
    size: u64,
    sha256: String,
    /// None where it is too much to be kept.
    content: Option<Arc<[u8]>>,
}

impl fmt::Debug for MessageFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageFile").field("size", &self.size).finish_non_exhaustive()
    }
}

impl MessageFile {
    /// A file as its sender calls it. This reads all of it for its SHA-256.
    #[must_use]
    pub fn new(name: Option<&str>, media_type: &str, content: Vec<u8>) -> Self {
        Self {
            name: name.map(plain_name).filter(|name| !name.is_empty()),
            media_type: plain_type(media_type),
            size: content.len() as u64,
            sha256: hex(&Sha256::digest(&content)),
            content: Some(content.into()),
        }
    }

    /// How long it is, bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The file as people should read of it, in a message's `attachments`.
    pub(crate) fn told(&self) -> String {
        told(self.name.as_deref(), &self.media_type, self.size, self.content.is_some())
    }

    /// What tells it from another one.
    pub(crate) fn known_by(&self) -> (Option<&str>, &str) {
        (self.name.as_deref(), &self.sha256)
    }
}

/// Lets go of the contents of files that are too much, so many bytes in all:
/// what goes beyond is named and not kept.
pub(crate) fn keep_up_to(files: &mut [MessageFile], most: u64) {
    let mut kept = 0;
    for file in files {
        if kept + file.size > most {
            file.content = None;
        } else {
            kept += file.size;
        }
    }
}

/// Keeps the files of a message, in the transaction that writes it.
pub(crate) async fn keep(
    tx: &mut Tx,
    message: &Reference,
    files: &[MessageFile],
) -> Result<(), StoreError> {
    for (place, file) in (1..).zip(files) {
        let attachment = Attachment {
            record: message.clone(),
            place,
            name: file.name.clone(),
            media_type: file.media_type.clone(),
            size: file.size,
            sha256: file.content.as_ref().map(|_| file.sha256.clone()),
        };
        tx.attachment_put(&attachment, file.content.as_deref().unwrap_or_default()).await?;
    }
    Ok(())
}

/// What is wrong with the files of a message of which all are to be kept; none
/// where they fit.
pub(crate) fn too_much(files: &[MessageFile], most: u64) -> Option<FieldError> {
    (files.iter().map(MessageFile::size).sum::<u64>() > most).then(|| {
        let why = format!("are more than {} MiB together; send less of them", most >> 20);
        FieldError::new(FIELD, why)
    })
}

/// What a message says of its files.
pub(crate) fn said(files: &[MessageFile]) -> Value {
    Value::List(files.iter().map(|file| Value::Text(file.told())).collect())
}

/// A file of a mail on its way out: what is in it stays with its message until
/// the mail goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LetterFile {
    name: String,
    media_type: String,
    size: u64,
    sha256: String,
}

/// The files of a message as a mail takes them along.
pub(crate) fn of_letter(files: &[MessageFile]) -> Vec<LetterFile> {
    let files = (1..).zip(files).map(|(place, file): (u32, _)| LetterFile {
        name: file.name.clone().unwrap_or_else(|| unnamed(place)),
        media_type: file.media_type.clone(),
        size: file.size,
        sha256: file.sha256.clone(),
    });
    files.collect()
}

/// The files of a message that was read.
pub(crate) fn of_mail(files: Vec<relata_channels::AttachedFile>) -> Vec<MessageFile> {
    let files = files.into_iter();
    files
        .map(|file| MessageFile::new(file.name.as_deref(), &file.media_type, file.content))
        .collect()
}

/// What a browser is told that a file is: what its sender says where that is
/// harmless, else that it is anything at all.
#[must_use]
pub fn attachment_type(file: &Attachment) -> &'static str {
    let known = PLAIN_TYPES.into_iter().find(|known| *known == file.media_type);
    known.unwrap_or(ANYTHING)
}

/// A file's `Content-Disposition`: it is saved under its name, and not shown.
#[must_use]
pub fn attachment_disposition(file: &Attachment) -> String {
    let name = file.name.clone().unwrap_or_else(|| unnamed(file.place));
    format!("attachment; filename*=UTF-8''{}", utf8_percent_encode(&name, IN_HEADER))
}

fn unnamed(place: u32) -> String {
    format!("attachment-{place}")
}

impl App {
    /// How much is kept of the files of a message, bytes.
    #[must_use]
    pub fn most_of_files(&self) -> u64 {
        u64::from(self.config().mail.attachment_max_mib) << 20
    }

    /// What is in the files of a mail that goes out now. They may have gone
    /// with their message: then the mail cannot go, and this says why.
    pub(crate) async fn sent_files(
        &self,
        files: Vec<LetterFile>,
    ) -> Result<Result<Vec<SentFile>, String>, AppError> {
        let mut sent = Vec::new();
        for LetterFile { name, media_type, size, sha256 } in files {
            let mut content = Vec::new();
            for place in 0..pieces(size) {
                let Some(piece) = self.store().content_piece(&sha256, place).await? else {
                    let why = "a file of it is kept no longer: its message was deleted";
                    return Ok(Err(why.to_owned()));
                };
                content.extend(piece);
            }
            sent.push(SentFile { name, media_type, content });
        }
        Ok(Ok(sent))
    }

    /// The files of messages that the viewer sees, in their order. Whoever
    /// does not see a message's `attachments` sees none.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the database does not answer.
    pub async fn attachments_of(
        &self,
        viewer: &Viewer,
        messages: &[Record],
    ) -> Result<Vec<Attachment>, AppError> {
        if !viewer.sees_field(OBJECT, FIELD) {
            return Ok(Vec::new());
        }
        let messages: Vec<Reference> =
            messages.iter().map(|message| message.reference.clone()).collect();
        Ok(self.store().attachment_list(&messages).await?)
    }

    /// The files of a message, in their order.
    ///
    /// # Errors
    ///
    /// [`AccessError`] where the message is not there, or not for the viewer.
    pub async fn attachments_as(
        &self,
        viewer: &Viewer,
        message: &str,
    ) -> Result<Vec<Attachment>, AccessError> {
        let message = self.see(viewer, &Reference::new(OBJECT, message)).await?;
        Ok(self.attachments_of(viewer, &[message]).await?)
    }

    /// One of a message's files: which, from 1.
    ///
    /// # Errors
    ///
    /// [`AccessError`] where the message or the file is not there, or not for
    /// the viewer.
    pub async fn attachment_as(
        &self,
        viewer: &Viewer,
        message: &str,
        place: &str,
    ) -> Result<Attachment, AccessError> {
        let message = self.see(viewer, &Reference::new(OBJECT, message)).await?;
        if !viewer.sees_field(OBJECT, FIELD) {
            let why = format!("{} does not see {OBJECT}.{FIELD}", viewer.name());
            return Err(self.refuse(viewer, Act::See.as_str(), OBJECT, why).await);
        }
        let found = match place.parse() {
            Ok(place) => self.store().attachment_fetch(&message.reference, place).await,
            Err(_) => Ok(None),
        };
        let named = || Reference::new("attachment", format!("{}/{place}", message.reference.key));
        found.map_err(AppError::from)?.ok_or_else(|| AccessError::NotFound(named()))
    }

    /// What is in a file, piece by piece: nobody holds the whole of it. It ends
    /// in a fault where the file is taken away meanwhile. Nothing where its
    /// contents are not kept.
    pub fn attachment_content(
        &self,
        file: &Attachment,
    ) -> impl Stream<Item = Result<Vec<u8>, AppError>> + Send + 'static + use<> {
        let store = self.store().clone();
        let (sha256, size) = (file.sha256.clone().unwrap_or_default(), file.size);
        let pieces = file.sha256.as_ref().map_or(0, |_| pieces(size));
        stream::iter((0..pieces).map(Ok))
            .and_then(move |place| piece(store.clone(), sha256.clone(), place))
    }
}

/// How many pieces a content of so many bytes has.
fn pieces(size: u64) -> u32 {
    u32::try_from(size.div_ceil(PIECE as u64)).unwrap_or(u32::MAX)
}

/// A piece of a file that is to be there.
async fn piece(store: Store, sha256: String, place: u32) -> Result<Vec<u8>, AppError> {
    let piece = store.content_piece(&sha256, place).await?;
    piece.ok_or_else(|| AppError::wrong("the file was taken away while it was read"))
}

fn told(name: Option<&str>, media_type: &str, size: u64, is_kept: bool) -> String {
    let name = name.unwrap_or("(no name)");
    let why = if is_kept { "" } else { "; too large, not kept" };
    line(&format!("{name} ({media_type}, {}{why})", Size(size)))
}

/// A size in the unit that suits it.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes @ ..1_024 => write!(f, "{bytes} bytes"),
            bytes @ ..1_048_576 => write!(f, "{} KiB", bytes.div_ceil(1_024)),
            bytes => write!(f, "{} MiB", bytes.div_ceil(1_048_576)),
        }
    }
}

/// A name that is one line, no path, and reads as it is: characters that turn
/// others around make `exe.pdf` of `fdp.exe`.
fn plain_name(name: &str) -> String {
    let kept = name.chars().filter(|c| !is_hidden(*c));
    let kept: String = kept.map(|c| if matches!(c, '/' | '\\') { '_' } else { c }).collect();
    line(&kept).chars().take(LONGEST_NAME).collect::<String>().trim_end().to_owned()
}

/// Whether a character is not to be seen, but changes how others are.
const fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// A media type as RFC 6838 has it, in small letters.
fn plain_type(media_type: &str) -> String {
    let plain = media_type.trim().to_ascii_lowercase();
    let is_word = |word: &str| {
        !word.is_empty()
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c))
    };
    let reads = plain.len() <= LONGEST_TYPE
        && plain.split_once('/').is_some_and(|(kind, subtype)| is_word(kind) && is_word(subtype));
    if reads { plain } else { ANYTHING.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path_and_reads_as_it_is() {
        for (name, plain) in [
            ("invoice.pdf", "invoice.pdf"),
            ("../../etc/passwd", ".._.._etc_passwd"),
            (r"C:\Windows\win.ini", "C:_Windows_win.ini"),
            ("a\u{202e}fdp.exe", "afdp.exe"),
            ("two\r\nlines\u{0}.txt", "two lines .txt"),
            ("截图 1.png", "截图 1.png"),
            ("\u{200f}\u{feff}", ""),
        ] {
            assert_eq!(plain_name(name), plain, "{name:?}");
        }
        assert_eq!(plain_name(&"x".repeat(9_000)).len(), LONGEST_NAME);
    }

    #[test]
    fn a_type_is_one_or_anything() {
        for (given, plain) in [
            ("image/PNG", "image/png"),
            ("application/vnd.ms-excel", "application/vnd.ms-excel"),
            ("text", ANYTHING),
            ("text/", ANYTHING),
            ("text/html; charset=x", ANYTHING),
            ("a/b\r\nset-cookie: c", ANYTHING),
        ] {
            assert_eq!(plain_type(given), plain, "{given:?}");
        }
    }

    #[test]
    fn what_goes_beyond_is_named_and_not_kept() {
        let file = |size| MessageFile::new(Some("a.txt"), "text/plain", vec![b'x'; size]);
        let mut files = [file(6), file(5), file(4), file(0), file(1)];
        keep_up_to(&mut files, 10);
        let kept: Vec<bool> = files.iter().map(|file| file.content.is_some()).collect();
        assert_eq!(kept, [true, false, true, true, false]);
        assert_eq!(files[0].told(), "a.txt (text/plain, 6 bytes)");
        assert_eq!(files[1].told(), "a.txt (text/plain, 5 bytes; too large, not kept)");
    }

    #[test]
    fn a_browser_is_told_nothing_that_runs() {
        let file = |name: Option<&str>, media_type: &str| Attachment {
            record: Reference::new("message", "a"),
            place: 2,
            name: name.map(str::to_owned),
            media_type: media_type.to_owned(),
            size: 1,
            sha256: None,
        };
        for (media_type, told) in [
            ("image/png", "image/png"),
            ("image/svg+xml", ANYTHING),
            ("text/html", ANYTHING),
            ("application/xhtml+xml", ANYTHING),
        ] {
            assert_eq!(attachment_type(&file(None, media_type)), told);
        }
        let disposition = |name| attachment_disposition(&file(name, "text/plain"));
        assert_eq!(disposition(None), "attachment; filename*=UTF-8''attachment-2");
        assert_eq!(
            disposition(Some("a \"b\"; c='d' é.txt")),
            "attachment; filename*=UTF-8''a%20%22b%22%3B%20c%3D%27d%27%20%C3%A9.txt"
        );
    }
}
