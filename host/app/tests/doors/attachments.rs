//! Files that come by mail: kept with the message, or not at all.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use futures::TryStreamExt as _;
use relata_app::{
    AccessError, App, MessageFile, NewMessage, TakenMail, TakenMessage,
    model::{Record, Reference},
    store::{Attachment, EffectFilter},
};
use sha2::{Digest, Sha256};

use super::company::Company;

/// A mail of Apple's, with a PDF whose name is written as RFC 2231 says and a
/// picture that stands in the text.
const APPLE: &[u8] =
    include_bytes!("../../../channels/tests/inbound/mails/apple_mail_with_files.eml");

/// A mail with these parts: their headers, and what is in them.
fn mail(id: &str, parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut mail = format!(
        "From: Anna <anna@a.example>\r\nTo: help@shop.example\r\nSubject: It is broken\r\n\
         Message-ID: <{id}@a.example>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"=_b\"\r\n\r\n\
         --=_b\r\nContent-Type: text/plain\r\n\r\nSee below.\r\n"
    );
    for (headers, content) in parts {
        let content = BASE64.encode(content);
        let lines: Vec<&str> = (0..content.len())
            .step_by(76)
            .map(|at| &content[at..content.len().min(at + 76)])
            .collect();
        mail.push_str(&format!(
            "--=_b\r\n{headers}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
            lines.join("\r\n")
        ));
    }
    mail.push_str("--=_b--\r\n");
    mail.into_bytes()
}

async fn taken(app: &App, mail: Vec<u8>) -> TakenMessage {
    match app.take_mail(mail).await.unwrap() {
        TakenMail::Message(taken) => taken,
        other => panic!("it is no message: {other:?}"),
    }
}

async fn files(app: &App, message: &Reference) -> Vec<Attachment> {
    app.store().attachment_list(std::slice::from_ref(message)).await.unwrap()
}

async fn content(app: &App, file: &Attachment) -> Vec<u8> {
    let pieces: Vec<Vec<u8>> = app.attachment_content(file).try_collect().await.unwrap();
    pieces.concat()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn names(files: &[Attachment]) -> Vec<&str> {
    files.iter().map(|file| file.name.as_deref().unwrap_or("-")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mails_files_are_kept_with_its_message() {
    let company = Company::new().await;
    let app = &company.app;
    let first = taken(app, APPLE.to_vec()).await;
    let kept = files(app, &first.message).await;
    assert_eq!(names(&kept), ["Rechnung für Renée.pdf", "photo.jpeg"]);
    assert_eq!(
        (kept[0].media_type.as_str(), kept[1].media_type.as_str()),
        ("application/pdf", "image/jpeg")
    );
    for file in &kept {
        let content = content(app, file).await;
        assert_eq!(content.len() as u64, file.size);
        assert_eq!(file.sha256.as_deref(), Some(sha256(&content).as_str()));
    }
    assert!(content(app, &kept[0]).await.starts_with(b"%PDF-1.4"));
    let message = app.record(&first.message).await.unwrap();
    assert_eq!(
        message.field("attachments").to_string(),
        "Rechnung für Renée.pdf (application/pdf, 777 bytes), photo.jpeg (image/jpeg, 5 KiB)"
    );
    // It is fetched once more after a crash.
    assert!(taken(app, APPLE.to_vec()).await.repeated);
    assert_eq!(files(app, &first.message).await, kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stranger_calls_a_file_is_made_harmless() {
    let company = Company::new().await;
    let app = &company.app;
    let script = b"<script>alert(1)</script>".as_slice();
    let parts: &[(&str, &[u8])] = &[
        (
            "Content-Type: text/html\r\nContent-Disposition: attachment; filename=\"../../x.html\"",
            script,
        ),
        (
            "Content-Type: image/png\r\nContent-Disposition: attachment; filename*=utf-8''a%E2%80%AEgnp.exe",
            b"MZ",
        ),
        ("Content-Type: image/gif\r\nContent-ID: <1@a>\r\nContent-Disposition: inline", b"GIF89a"),
    ];
    let message = taken(app, mail("1", parts)).await.message;
    let kept = files(app, &message).await;
    assert_eq!(names(&kept), [".._.._x.html", "agnp.exe", "-"]);
    assert_eq!(content(app, &kept[0]).await, script);
    assert_eq!(content(app, &kept[2]).await, b"GIF89a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_is_named_and_the_rest_is_kept() {
    let company = Company::new().await;
    let settings = company.root.join("relata.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, text.replace("[mail]\n", "[mail]\nattachment_max_mib = 1\n"))
        .unwrap();
    let company = company.reopened().await;
    let app = &company.app;
    let headers = |name: &str| {
        format!("Content-Type: application/zip\r\nContent-Disposition: attachment; filename={name}")
    };
    let (large, fits) = (vec![1; (1 << 20) + 1], vec![2; 700_000]);
    let named = [headers("large.zip"), headers("a.zip"), headers("b.zip"), headers("c.zip")];
    let parts: Vec<(&str, &[u8])> = named
        .iter()
        .map(String::as_str)
        .zip([large.as_slice(), fits.as_slice(), fits.as_slice(), b"PK".as_slice()])
        .collect();
    let message = taken(app, mail("1", &parts)).await.message;
    let kept: Vec<bool> =
        files(app, &message).await.iter().map(|file| file.sha256.is_some()).collect();
    assert_eq!(kept, [false, true, false, true]);
    let record = app.record(&message).await.unwrap();
    assert_eq!(
        record.field("attachments").to_string(),
        "large.zip (application/zip, 2 MiB; too large, not kept), a.zip (application/zip, 684 KiB), \
         b.zip (application/zip, 684 KiB; too large, not kept), c.zip (application/zip, 2 bytes)"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_mail_brings_its_files_when_it_is_taken_in() {
    let company = Company::new().await;
    let app = &company.app;
    let parts: &[(&str, &[u8])] = &[(
        "Content-Type: text/plain\r\nContent-Disposition: attachment; filename=log.txt",
        b"line",
    )];
    let automatic = String::from_utf8(mail("1", parts)).unwrap();
    let automatic =
        automatic.replace("MIME-Version", "Auto-Submitted: auto-replied\r\nMIME-Version");
    let TakenMail::Held(id) = app.take_mail(automatic.into_bytes()).await.unwrap() else {
        panic!("it is not held");
    };
    assert_eq!(app.store().content_piece(&sha256(b"line"), 0).await.unwrap(), None);
    let taken = app.release_mail(&id).await.unwrap();
    let kept = files(app, &taken.message).await;
    assert_eq!(content(app, &kept[0]).await, b"line");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_ticket_leaves_no_file_behind() {
    let company = Company::new().await;
    let app = &company.app;
    let parts = |text: &'static str| {
        [(
            "Content-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt",
            text.as_bytes(),
        )]
    };
    let first = taken(app, mail("1", &parts("hers"))).await;
    let second = taken(app, mail("2", &parts("shared"))).await;
    let third = taken(app, mail("3", &parts("shared"))).await;
    for (ticket, gone, left) in
        [(&first.ticket, "hers", "shared"), (&second.ticket, "hers", "shared")]
    {
        app.delete_record(ticket, None, "test").await.unwrap();
        assert_eq!(app.store().content_piece(&sha256(gone.as_bytes()), 0).await.unwrap(), None);
        let left = app.store().content_piece(&sha256(left.as_bytes()), 0).await.unwrap();
        assert_eq!(left.as_deref(), Some(&b"shared"[..]));
    }
    app.delete_record(&third.message, None, "test").await.unwrap();
    assert_eq!(app.store().content_piece(&sha256(b"shared"), 0).await.unwrap(), None);
    for taken in [first, second, third] {
        assert_eq!(files(app, &taken.message).await, []);
    }
}

/// A ticket of Anna's, and somebody who answers it.
async fn answered(
    app: &App,
    company: &Company,
    files: Vec<MessageFile>,
) -> Result<Record, AccessError> {
    let first = taken(app, mail("1", &[])).await;
    let mara = [
        ("name", "Mara"),
        ("email", "mara@shop.example"),
        ("roles", "manager"),
        ("external_id", "mara"),
    ];
    let mara = company.create("user", &mara).await;
    let viewer = app.viewer_of_user(&mara).await.unwrap().unwrap();
    let new = NewMessage {
        ticket: first.ticket,
        text: "See the manual.".to_owned(),
        key: "k1".to_owned(),
        files,
    };
    let message = app.reply_as(&viewer, &new, None).await?;
    // A second click.
    assert_eq!(app.reply_as(&viewer, &new, None).await?.reference, message.reference);
    Ok(message)
}

fn manual() -> Vec<MessageFile> {
    let large = (0..=255).cycle().take(700_000).collect();
    vec![
        MessageFile::new(Some("Anleitung für Anna.pdf"), "application/pdf", large),
        MessageFile::new(None, "", b"two".to_vec()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_takes_its_files_along() {
    let company = Company::new().await;
    let app = &company.app;
    let message = answered(app, &company, manual()).await.unwrap();
    assert_eq!(
        message.field("attachments").to_string(),
        "Anleitung für Anna.pdf (application/pdf, 684 KiB), (no name) (application/octet-stream, 3 bytes)"
    );
    let kept = files(app, &message.reference).await;
    assert_eq!(kept.len(), 2);
    company.settle().await;
    let effects = app.store().outbox_list(&EffectFilter::default(), 9).await.unwrap();
    assert_eq!(effects.iter().map(|effect| effect.status.as_str()).collect::<Vec<_>>(), ["sent"]);
    let sent = std::fs::read(company.root.join(format!("mail/{}.eml", effects[0].id))).unwrap();
    let read = relata_channels::read_mail(&sent).unwrap();
    assert!(read.text.starts_with("See the manual."), "{}", read.text);
    let names: Vec<_> = read.files.iter().map(|file| file.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["Anleitung für Anna.pdf", "attachment-2"]);
    for (file, kept) in read.files.iter().zip(&kept) {
        assert_eq!(kept.sha256.as_deref(), Some(sha256(&file.content).as_str()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_whose_files_are_gone_does_not_go_without_them() {
    let company = Company::new().await;
    let app = &company.app;
    let message = answered(app, &company, manual()).await.unwrap();
    app.delete_record(&message.reference, None, "test").await.unwrap();
    company.settle().await;
    let effects = app.store().outbox_list(&EffectFilter::default(), 9).await.unwrap();
    let told: Vec<_> = effects
        .iter()
        .map(|effect| {
            format!("{}: {}", effect.status.as_str(), effect.reason.as_deref().unwrap_or_default())
        })
        .collect();
    assert_eq!(told, ["failed: a file of it is kept no longer: its message was deleted"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_with_too_much_is_not_written() {
    let company = Company::new().await;
    let file = MessageFile::new(Some("a.zip"), "application/zip", vec![0; (25 << 20) + 1]);
    let Err(AccessError::Invalid(wrong)) = answered(&company.app, &company, vec![file]).await
    else {
        panic!("it was written");
    };
    assert_eq!(
        wrong[0].to_string(),
        "attachments: are more than 25 MiB together; send less of them"
    );
    assert_eq!(company.app.records_all("message").await.unwrap().len(), 1);
}
