//! Files of messages: each content once, whole, and gone with the last message
//! that has it.

use relata_model::{Record, Reference};
use relata_store::{Attachment, PIECE, Store, Write, backup};
use serde_json::json;

use crate::backend::*;

/// A file of a message; what is in it is known by this word.
fn file(message: &Reference, place: u32, sha256: &str, size: usize) -> Attachment {
    Attachment {
        record: message.clone(),
        place,
        name: Some("截图 ‘1’.png".to_owned()),
        media_type: "image/png".to_owned(),
        size: size as u64,
        sha256: Some(sha256.to_owned()),
    }
}

async fn put(store: &Store, file: Attachment, content: Vec<u8>) {
    let put = store.write(move |tx| {
        let (file, content) = (file.clone(), content.clone());
        Box::pin(async move { tx.attachment_put(&file, &content).await })
    });
    put.await.unwrap();
}

/// All of a content; none where it is not kept.
async fn content(store: &Store, sha256: &str) -> Option<Vec<u8>> {
    let mut whole = store.content_piece(sha256, 0).await.unwrap()?;
    for place in 1.. {
        let Some(piece) = store.content_piece(sha256, place).await.unwrap() else { break };
        whole.extend(piece);
    }
    Some(whole)
}

async fn ticket(store: &Store) -> Record {
    create(store, "ticket", json!({"subject": "It is broken"})).await
}

async fn message(store: &Store, ticket: &Record) -> Reference {
    let fields = json!({"ticket": ticket.reference.to_string(), "direction": "in"});
    create(store, "message", fields).await.reference
}

async fn delete(store: &Store, reference: &Reference) {
    let delete = Write::Delete { reference: reference.clone(), if_revision: None };
    write(store, delete, at(0)).await.unwrap();
}

/// Every byte there is, and no two pieces alike.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place % 251 + place / 65_536) as u8).collect()
}

on_each_backend! {
    async fn a_file_comes_out_as_it_went_in(backend) {
        let store = backend.open().await;
        let message = message(&store, &ticket(&store).await).await;
        let lengths = [0, 1, 256, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 17];
        for (place, length) in (1..).zip(lengths) {
            let sha256 = format!("sha-{length}");
            put(&store, file(&message, place, &sha256, length), bytes(length)).await;
            let found = content(&store, &sha256).await.unwrap_or_default();
            assert!(found == bytes(length), "{length} bytes came out as {}", found.len());
        }
        let too_large = Attachment { name: None, sha256: None, ..file(&message, 9, "", 1 << 40) };
        put(&store, too_large.clone(), Vec::new()).await;
        let listed = store.attachment_list(std::slice::from_ref(&message)).await.unwrap();
        assert_eq!(listed.len(), lengths.len() + 1);
        assert_eq!(listed[1], file(&message, 2, "sha-1", 1));
        assert_eq!(listed.last(), Some(&too_large));
        assert_eq!(store.attachment_fetch(&message, 9).await.unwrap(), Some(too_large));
        assert_eq!(store.attachment_fetch(&message, 8).await.unwrap(), None);
        assert_eq!(store.attachment_list(&[]).await.unwrap(), []);
        assert_eq!(store.content_piece("sha-17", 0).await.unwrap(), None);
    }

    async fn a_content_is_kept_once_and_goes_with_the_last_that_has_it(backend) {
        let store = backend.open().await;
        let (first, second) = (ticket(&store).await, ticket(&store).await);
        let (a, b) = (message(&store, &first).await, message(&store, &first).await);
        let c = message(&store, &second).await;
        for (message, place, sha256) in [(&a, 1, "all"), (&b, 1, "all"), (&c, 1, "all"), (&a, 2, "a"), (&b, 2, "b")] {
            put(&store, file(message, place, sha256, 3), sha256.as_bytes().to_vec()).await;
        }
        let kept = async || {
            let mut kept = Vec::new();
            for sha256 in ["all", "a", "b"] {
                if content(&store, sha256).await == Some(sha256.as_bytes().to_vec()) {
                    kept.push(sha256);
                }
            }
            kept
        };
        assert_eq!(kept().await, ["all", "a", "b"]);
        delete(&store, &a).await;
        assert_eq!(kept().await, ["all", "b"]);
        assert_eq!(store.attachment_list(std::slice::from_ref(&a)).await.unwrap(), []);
        // With a ticket go the files of its messages.
        delete(&store, &first.reference).await;
        assert_eq!(kept().await, ["all"]);
        assert_eq!(store.attachment_list(&[a, b, c.clone()]).await.unwrap(), [file(&c, 1, "all", 3)]);
        delete(&store, &c).await;
        assert_eq!(kept().await, [""; 0]);
        // What was gone can come again.
        let again = message(&store, &second).await;
        put(&store, file(&again, 1, "all", 3), b"all".to_vec()).await;
        assert_eq!(kept().await, ["all"]);
    }

    async fn what_is_undone_keeps_nothing(backend) {
        let store = backend.open().await;
        let message = message(&store, &ticket(&store).await).await;
        let lost = file(&message, 1, "lost", 4);
        let undone = store.write(move |tx| Box::pin(async move {
            tx.attachment_put(&lost, b"lost").await?;
            Err::<(), _>(relata_store::StoreError::Closed)
        }));
        undone.await.unwrap_err();
        assert_eq!(content(&store, "lost").await, None);
        assert_eq!(store.attachment_list(&[message]).await.unwrap(), []);
    }
}

/// One host takes away the last file of a content while another one refers to
/// it anew: whoever is first, no file is without its content.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hosts_lose_no_content_between_them() {
    let backend = Backend::postgres();
    let (here, there) = (backend.open().await, backend.open().await);
    let ticket = ticket(&here).await;
    let mut last = message(&here, &ticket).await;
    put(&here, file(&last, 1, "same", 4), b"same".to_vec()).await;
    for _ in 0..40 {
        let next = message(&there, &ticket).await;
        tokio::join!(
            delete(&here, &last),
            put(&there, file(&next, 1, "same", 4), b"same".to_vec())
        );
        assert_eq!(content(&here, "same").await.as_deref(), Some(&b"same"[..]));
        last = next;
    }
    // Both refer to one that was not there before.
    for number in 0..20 {
        let sha256 = format!("new-{number}");
        let (a, b) = (message(&here, &ticket).await, message(&there, &ticket).await);
        tokio::join!(
            put(&here, file(&a, 1, &sha256, 4), b"news".to_vec()),
            put(&there, file(&b, 1, &sha256, 4), b"news".to_vec())
        );
        tokio::join!(delete(&here, &a), delete(&there, &b));
        assert_eq!(content(&here, &sha256).await, None, "{number}");
    }
}

#[tokio::test]
async fn a_backup_has_the_files() {
    let backend = Backend::sqlite();
    let store = backend.open().await;
    let message = message(&store, &ticket(&store).await).await;
    let length = 2 * PIECE + 5;
    put(&store, file(&message, 1, "whole", length), bytes(length)).await;
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    let report = backup(&backend.path(), &copy).await.unwrap();
    assert_eq!(report.rows["relata_content_piece"], 3);
    let copied = Backend::sqlite();
    std::fs::copy(&copy, copied.path()).unwrap();
    let opened = copied.open().await;
    assert!(content(&opened, "whole").await == Some(bytes(length)), "it is another one");
    assert_eq!(
        opened.attachment_fetch(&message, 1).await.unwrap(),
        Some(file(&message, 1, "whole", length))
    );
    store.close().await;
}
