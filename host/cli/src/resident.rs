//! What only the start of a server needed is given back.
//!
//! A start reads settings, definitions and plugins with code that is not used
//! again, a little of it everywhere in the program; and the kernel maps 64 KiB
//! of the file around each place that is touched. Left alone, that is more than
//! half of what a server at rest has in memory. What is used again is mapped again,
//! from the file's pages, which the kernel keeps as long as it has room.

use std::{fs, ptr, time::Duration};

use relata_app::App;
use rustix::mm::{Advice, madvise};

/// So long after the plugins are loaded, what a start does is done.
const STARTED_AFTER: Duration = Duration::from_millis(250);

/// Waits for the end of a start, and gives back what only that needed.
pub(crate) async fn rest_after_start(app: App) {
    // Nothing takes a start longer; what comes of it is told elsewhere.
    let _ = app.plugins().await;
    tokio::time::sleep(STARTED_AFTER).await;
    give_back_code();
}

/// Forgets which pages of its program's files this process has used.
fn give_back_code() {
    let Ok(smaps) = fs::read_to_string("/proc/self/smaps") else { return };
    for (start, end) in unchanged_files(&smaps) {
        // SAFETY: every page of it is as it is in the file, and nobody can write to
        // it: whoever reads it later reads the same.
        #[allow(unsafe_code)]
        let given = unsafe {
            madvise(ptr::with_exposed_provenance_mut(start), end - start, Advice::LinuxDontNeed)
        };
        if let Err(why) = given {
            tracing::debug!(error = %why, "the kernel keeps what the start needed");
        }
    }
}

/// Where files are mapped that cannot be written to, and are as they are on the
/// disk: from and to, of the text of `/proc/self/smaps`
/// (<https://docs.kernel.org/filesystems/proc.html>).
fn unchanged_files(smaps: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut mapping = None;
    for line in smaps.lines() {
        let mut words = line.split_ascii_whitespace();
        match (words.next(), words.next()) {
            // What is no longer as in the file, such as what a debugger or the
            // loader has changed.
            (Some("Anonymous:"), Some("0")) => found.extend(mapping.take()),
            (Some(range), Some(permissions)) if !range.ends_with(':') => {
                let is_file = words.nth(3).is_some_and(|path| path.starts_with('/'));
                let is_fixed = matches!(permissions, "r--p" | "r-xp");
                mapping = (is_file && is_fixed).then(|| addresses(range)).flatten();
            }
            _ => {}
        }
    }
    found
}

fn addresses(range: &str) -> Option<(usize, usize)> {
    let (start, end) = range.split_once('-')?;
    Some((usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_as_in_its_file_is_given_back() {
        let mapping = |range: &str, permissions: &str, path: &str, anonymous: u32| {
            format!(
                "{range} {permissions} 00000000 fe:00 42 {path}\nSize: 8 kB\nRss: 8 kB\nAnonymous: {anonymous} kB\nVmFlags: rd mr\n"
            )
        };
        let smaps = [
            mapping("1000-3000", "r--p", "/bin/relata", 0),
            mapping("3000-5000", "r-xp", "/bin/relata", 0),
            mapping("5000-7000", "r--p", "/bin/relata", 8),
            mapping("7000-9000", "rw-p", "/bin/relata", 0),
            mapping("9000-b000", "rw-p", "[heap]", 8),
            mapping("b000-d000", "r-xp", "", 8),
            mapping("d000-f000", "r--s", "/data/relata.db-shm", 0),
            mapping("ffff-10000", "r-xp", "[vdso]", 0),
        ];
        assert_eq!(unchanged_files(&smaps.concat()), [(0x1000, 0x3000), (0x3000, 0x5000)]);
    }

    /// How much of files lies in memory, in kB: as counted page by page, other than
    /// in `/proc/self/status`.
    fn files_in_memory() -> u64 {
        let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
        let mut is_file = false;
        let mut sum = 0;
        for line in smaps.lines() {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            match words.as_slice() {
                ["Rss:", size, _] if is_file => sum += size.parse::<u64>().unwrap(),
                [range, ..] if !range.ends_with(':') => {
                    is_file = words.get(5).is_some_and(|path| path.starts_with('/'));
                }
                _ => {}
            }
        }
        sum
    }

    #[test]
    fn what_was_used_is_in_memory_no_more() {
        let before = files_in_memory();
        give_back_code();
        let after = files_in_memory();
        assert!(after < before / 2, "{after} of {before} kB are left");
    }
}
