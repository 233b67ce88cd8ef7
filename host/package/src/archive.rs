//! The container of a package: a gzip'd tar of a few plain files. The same
//! files give the same bytes, and reading one never needs more memory than the
//! files are allowed to take.

use std::collections::BTreeMap;
use std::io::{self, Read};

use flate2::bufread::GzDecoder;
use flate2::{Compression, GzBuilder};

use crate::plain::plain_start;

/// A file that an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Its name, and its whole path.
    pub(crate) name: &'static str,
    /// The most it may take up, in bytes.
    pub(crate) limit: usize,
}

/// For the headers, the padding and the end of an archive, in bytes.
const OVERHEAD: u64 = 64 << 10;

/// What is no archive of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// It does not unpack.
    #[error("it does not unpack as a gzip'd tar: {0}")]
    Unreadable(String),
    /// A file in it is none of those that belong there.
    #[error("it holds `{found}`, where only {known} belong")]
    Foreign {
        /// Its name, printable.
        found: String,
        /// What belongs there.
        known: String,
    },
    /// A file is there twice: readers could disagree on which one counts.
    #[error("it holds `{0}` twice")]
    Twice(&'static str),
    /// A link, a folder, a device, or a long-name header.
    #[error("its `{0}` is not a plain file")]
    NotAFile(&'static str),
    /// A file is larger than it may be.
    #[error("its `{name}` is larger than {limit}")]
    TooLarge {
        /// The file.
        name: &'static str,
        /// The most, readable.
        limit: String,
    },
    /// Something stands behind the end.
    #[error("something that does not belong to it follows its end")]
    Trailing,
}

/// Packs files, in the given order.
pub(crate) fn pack(files: &[(&'static str, &[u8])]) -> Vec<u8> {
    let write = || {
        // Neither the time nor the machine is told: the same files, the same bytes.
        let gzip = GzBuilder::new().mtime(0).operating_system(255);
        let mut tar = tar::Builder::new(gzip.write(Vec::new(), Compression::default()));
        for (name, bytes) in files {
            let mut header = tar::Header::new_ustar();
            header.set_path(name)?;
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            tar.append(&header, *bytes)?;
        }
        tar.into_inner()?.finish()
    };
    let packed: io::Result<Vec<u8>> = write();
    packed.expect("a vector takes whatever is written, and our own names are short")
}

/// Unpacks an archive that may hold the files of `slots` and no other. Which of
/// them are there is for the caller to judge.
pub(crate) fn unpack(
    archive: &[u8],
    slots: &[Slot],
) -> Result<BTreeMap<&'static str, Vec<u8>>, ArchiveError> {
    let most = slots.iter().map(|slot| slot.limit as u64).sum::<u64>() + OVERHEAD;
    let mut tar = tar::Archive::new(GzDecoder::new(archive).take(most));
    let mut files = BTreeMap::new();
    // Raw: long names, sparse files and other extensions stay what they are,
    // foreign entries, and are not acted upon.
    for entry in tar.entries().map_err(unreadable)?.raw(true) {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path_bytes();
        let Some(slot) = slots.iter().find(|slot| slot.name.as_bytes() == &*path) else {
            return Err(ArchiveError::Foreign {
                found: plain_start(&String::from_utf8_lossy(&path)),
                known: known(slots),
            });
        };
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(ArchiveError::NotAFile(slot.name));
        }
        if entry.size() > slot.limit as u64 {
            return Err(ArchiveError::TooLarge { name: slot.name, limit: size(slot.limit) });
        }
        if files.contains_key(slot.name) {
            return Err(ArchiveError::Twice(slot.name));
        }
        let expected = entry.size();
        let mut bytes = Vec::new();
        entry.take(expected).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 != expected {
            return Err(ArchiveError::Unreadable(format!(
                "it ends in the middle of `{}`",
                slot.name
            )));
        }
        files.insert(slot.name, bytes);
    }
    check_end(tar.into_inner())?;
    Ok(files)
}

/// Reads on to the checksum of the gzip, which is told only at its end; what is
/// left of the tar may only be its padding.
fn check_end(mut rest: io::Take<GzDecoder<&[u8]>>) -> Result<(), ArchiveError> {
    let mut chunk = [0; 4096];
    loop {
        match rest.read(&mut chunk).map_err(unreadable)? {
            0 => break,
            read if chunk[..read].iter().all(|byte| *byte == 0) => {}
            _ => return Err(ArchiveError::Trailing),
        }
    }
    if rest.limit() == 0 || !rest.get_ref().get_ref().is_empty() {
        return Err(ArchiveError::Trailing);
    }
    Ok(())
}

fn unreadable(error: io::Error) -> ArchiveError {
    ArchiveError::Unreadable(plain_start(&error.to_string()))
}

fn known(slots: &[Slot]) -> String {
    slots.iter().map(|slot| slot.name).collect::<Vec<_>>().join(", ")
}

pub(crate) fn size(bytes: usize) -> String {
    if bytes >= 1 << 20 { format!("{} MiB", bytes >> 20) } else { format!("{} KiB", bytes >> 10) }
}
