//! A data directory of its own, and the program on it.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::{DirBuilderExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value as Json;
use tempfile::TempDir;

/// A folder in which commands run. It and all in it are gone at the end.
pub(crate) struct Program {
    folder: TempDir,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A folder that is a data directory.
    pub(crate) fn company() -> Self {
        let program = Self::new();
        program.ok("init .");
        program.share_compiled_plugins();
        program
    }

    /// A folder that is a rehearsal, whose clock shows Monday,
    /// 2026-12-14 10:00 in Berlin.
    pub(crate) fn rehearsal() -> Self {
        let program = Self::new();
        program.ok("init . --rehearsal --clock 2026-12-14T09:00:00Z");
        program.share_compiled_plugins();
        program
    }

    /// To compile the plugins takes longer than all else that a test does.
    fn share_compiled_plugins(&self) {
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled-plugins");
        if !shared.exists() {
            // Another test may do the same at this moment.
            let _ = DirBuilder::new().mode(0o700).create(&shared);
        }
        symlink(shared, self.path("cache")).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The program with these arguments, in the folder, with nothing of the
    /// environment that would change what it does.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_relata"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("RELATA_DATA")
            .env_remove("RELATA_LOG")
            .env_remove("RELATA_DATABASE_URL")
            .env_remove("NO_COLOR")
            .stdin(Stdio::null());
        command
    }

    /// Runs the program; the arguments are split at spaces, `'…'` keeps them
    /// together.
    pub(crate) fn run(&self, line: &str) -> Ended {
        let arguments = split(line);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Ended::of(self.command(&arguments).output().unwrap())
    }

    /// Runs the program with a text on stdin.
    pub(crate) fn run_with(&self, line: &str, stdin: &str) -> Ended {
        self.write(".stdin", stdin);
        let arguments = split(line);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let stdin = fs::File::open(self.path(".stdin")).unwrap();
        Ended::of(self.command(&arguments).stdin(stdin).output().unwrap())
    }

    /// What it prints where it must work.
    pub(crate) fn ok(&self, line: &str) -> String {
        let ended = self.run(line);
        assert_eq!(ended.code, 0, "{line}\n{}\n{}", ended.stdout, ended.stderr);
        ended.stdout
    }

    /// The JSON that it prints where it must work.
    pub(crate) fn json(&self, line: &str) -> Json {
        let printed = self.ok(&format!("{line} --json"));
        serde_json::from_str(&printed).unwrap_or_else(|why| panic!("{line}: {why}\n{printed}"))
    }
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The text with every id replaced by its kind: `run_…`, `lead/…`.
pub(crate) fn without_ids(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let is_id = word.len() == 26 && word.starts_with("01") || word.len() == 64;
        plain.push_str(if is_id { "…" } else { word });
        rest = after;
    }
    plain.push_str(rest);
    plain
}

/// Words, as a shell makes them: split at spaces, `'…'` keeps together.
pub(crate) fn split(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut quoted, mut between) = (false, true);
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => between = true,
            c => {
                if between {
                    words.push(String::new());
                    between = false;
                }
                words.last_mut().unwrap().push(c);
            }
        }
    }
    words
}
