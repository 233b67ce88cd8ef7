//! Files that came with records: what each is called, and its contents, which
//! are kept once however many files have them. They go with the record, and
//! with what the record is a part of.

use std::collections::BTreeSet;

use relata_model::Reference;
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::{
    Store, StoreError, Tx,
    connection::{Row, arguments, to_json},
};

/// How long a piece of a file's contents is, bytes.
pub const PIECE: usize = 256 << 10;

/// A file that came with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The record.
    pub record: Reference,
    /// Which of the record's files it is, from 1.
    pub place: u32,
    /// What it is called; none where nobody said so.
    pub name: Option<String>,
    /// Its media type, as its sender says: `application/pdf`.
    pub media_type: String,
    /// How long it is, bytes.
    pub size: u64,
    /// The SHA-256 of its contents, in hexadecimal; none where they are not
    /// kept.
    pub sha256: Option<String>,
}

impl Store {
    /// The files of some records, in their order.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn attachment_list(
        &self,
        records: &[Reference],
    ) -> Result<Vec<Attachment>, StoreError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.read().await?;
        let records: Vec<_> =
            records.iter().map(|record| json!({ "record": record.to_string() })).collect();
        let sql = format!(
            "SELECT * FROM relata_attachment WHERE {} ORDER BY record, place",
            tx.dialect().is_given("record", "record")
        );
        let rows = tx
            .connection
            .rows("list files", AssertSqlSafe(sql), arguments![to_json(&records)?])
            .await?;
        rows.iter().map(read).collect()
    }

    /// One of a record's files; none where there is none.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn attachment_fetch(
        &self,
        record: &Reference,
        place: u32,
    ) -> Result<Option<Attachment>, StoreError> {
        let mut tx = self.read().await?;
        let row = tx
            .connection
            .row(
                "look for a file",
                "SELECT * FROM relata_attachment WHERE record = $1 AND place = $2",
                arguments![record, place],
            )
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// A piece of a file's contents, by their SHA-256: each but the last has
    /// [`PIECE`] bytes. None behind the last one, and where they are kept no
    /// longer.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn content_piece(
        &self,
        sha256: &str,
        place: u32,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let mut tx = self.read().await?;
        let row = tx
            .connection
            .row(
                "read a file",
                "SELECT bytes FROM relata_content_piece WHERE sha256 = $1 AND place = $2",
                arguments![sha256, place],
            )
            .await?;
        row.map(|row| row.bytes("bytes")).transpose()
    }
}

impl Tx {
    /// Keeps a file of a record. Its contents are kept where it says that they
    /// are, and once: the SHA-256 is the caller's to compute.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn attachment_put(
        &mut self,
        attachment: &Attachment,
        content: &[u8],
    ) -> Result<(), StoreError> {
        if let Some(sha256) = &attachment.sha256 {
            self.content_keep(sha256, content).await?;
        }
        self.connection
            .execute(
                "keep a file",
                "INSERT INTO relata_attachment (record, place, name, media_type, size, sha256)
                 VALUES ($1, $2, $3, $4, $5, $6)",
                arguments![
                    &attachment.record,
                    attachment.place,
                    attachment.name.as_ref(),
                    &attachment.media_type,
                    attachment.size,
                    attachment.sha256.as_ref()
                ],
            )
            .await?;
        Ok(())
    }

    /// Keeps contents where they are not kept already. From then on to the end
    /// of the transaction nobody takes them away.
    async fn content_keep(&mut self, sha256: &str, content: &[u8]) -> Result<(), StoreError> {
        loop {
            if self.content_lock(sha256).await? {
                return Ok(());
            }
            let new = self
                .connection
                .execute(
                    "keep what is in a file",
                    "INSERT INTO relata_content (sha256, size) VALUES ($1, $2)
                     ON CONFLICT (sha256) DO NOTHING",
                    arguments![sha256, content.len()],
                )
                .await?;
            // Else another host has just kept the same.
            if new > 0 {
                break;
            }
        }
        for (place, piece) in content.chunks(PIECE).enumerate() {
            self.connection
                .execute(
                    "keep what is in a file",
                    "INSERT INTO relata_content_piece (sha256, place, bytes) VALUES ($1, $2, $3)",
                    arguments![sha256, place, piece],
                )
                .await?;
        }
        Ok(())
    }

    /// Whether contents are kept; if so nobody takes them away, and nobody else
    /// refers to them anew, before this transaction ends.
    async fn content_lock(&mut self, sha256: &str) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT sha256 FROM relata_content WHERE sha256 = $1{}",
            self.dialect().locked()
        );
        let row = self
            .connection
            .row("look whether it has a file", AssertSqlSafe(sql), arguments![sha256])
            .await?;
        Ok(row.is_some())
    }

    /// Takes away the files of records that are deleted, and those of their
    /// parts: nobody can see a part without the whole. Contents go with the
    /// last file that has them.
    pub(crate) async fn attachments_forget(
        &mut self,
        object: &str,
        keys: &[&str],
    ) -> Result<(), StoreError> {
        let mut records: Vec<String> = keys.iter().map(|key| format!("{object}/{key}")).collect();
        let wholes = to_json(&given(&records))?;
        let tables = std::sync::Arc::clone(&self.tables);
        for part in tables.objects().iter() {
            let Some(field) = part.part_of.as_deref() else { continue };
            let whole = part.field(field).and_then(|field| field.kind.only_target());
            if whole != Some(object) {
                continue;
            }
            let sql = format!(
                "SELECT id FROM \"{}\" WHERE {}",
                part.name,
                self.dialect().is_given(&format!("\"{field}\""), "record")
            );
            let rows = self
                .connection
                .rows("look for the parts of records", AssertSqlSafe(sql), arguments![&wholes])
                .await?;
            for row in rows {
                records.push(format!("{}/{}", part.name, row.text("id")?));
            }
        }
        let sql = format!(
            "DELETE FROM relata_attachment WHERE {} RETURNING sha256",
            self.dialect().is_given("record", "record")
        );
        let rows = self
            .connection
            .rows("forget files", AssertSqlSafe(sql), arguments![to_json(&given(&records))?])
            .await?;
        // In their order, so that two who do this do not wait for each other.
        let mut contents = BTreeSet::new();
        for row in &rows {
            contents.extend(row.text_or_none("sha256")?);
        }
        for sha256 in contents {
            self.content_forget(&sha256).await?;
        }
        Ok(())
    }

    /// Takes away contents that no file has any more.
    async fn content_forget(&mut self, sha256: &str) -> Result<(), StoreError> {
        // Whoever is about to refer to them is waited for, and seen below.
        self.content_lock(sha256).await?;
        let gone = self
            .connection
            .execute(
                "forget what was in a file",
                "DELETE FROM relata_content WHERE sha256 = $1
                   AND NOT EXISTS (SELECT 1 FROM relata_attachment WHERE sha256 = $1)",
                arguments![sha256],
            )
            .await?;
        if gone > 0 {
            self.connection
                .execute(
                    "forget what was in a file",
                    "DELETE FROM relata_content_piece WHERE sha256 = $1",
                    arguments![sha256],
                )
                .await?;
        }
        Ok(())
    }
}

fn given(records: &[String]) -> Vec<serde_json::Value> {
    records.iter().map(|record| json!({ "record": record })).collect()
}

fn read(row: &Row) -> Result<Attachment, StoreError> {
    Ok(Attachment {
        record: row.parsed("record")?,
        place: row.small("place")?,
        name: row.text_or_none("name")?,
        media_type: row.text("media_type")?,
        size: row.count("size")?,
        sha256: row.text_or_none("sha256")?,
    })
}
