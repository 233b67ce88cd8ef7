//! A mail server for the tests: aiosmtpd, which takes mails and tells each one.
//! Needs only the standard library and serde_json, since the tests of several
//! rooms take in the file itself.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::Value as Json;

/// How long a mail is waited for: a test that waits for ever tells nothing.
const PATIENCE: Duration = Duration::from_secs(90);

/// aiosmtpd in a process of its own; it ends with the value.
#[derive(Debug)]
pub struct Receiver {
    child: Child,
    _end: ChildStdin,
    lines: mpsc::Receiver<String>,
    port: u16,
}

impl Receiver {
    /// Starts one, with the arguments of `receiver.py`.
    ///
    /// # Panics
    ///
    /// Where it does not start.
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(python())
            .args(["-c", include_str!("receiver.py")])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python can be started");
        let stdout = child.stdout.take().expect("a pipe");
        let (told, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let Ok(line) = line else { break };
                if told.send(line).is_err() {
                    break;
                }
            }
        });
        let mut receiver =
            Self { _end: child.stdin.take().expect("a pipe"), lines, child, port: 0 };
        let port = receiver.line()["port"].as_u64().and_then(|port| port.try_into().ok());
        receiver.port = port.expect("aiosmtpd says its port");
        receiver
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next mail that it took; waits for it.
    ///
    /// # Panics
    ///
    /// Where it has ended, or no mail comes for long.
    pub fn line(&mut self) -> Json {
        let line = self.lines.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|why| panic!("no mail comes: {why}"));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A Python that has aiosmtpd. Debian's own comes first: another one on the
/// PATH does not see Debian's packages.
fn python() -> &'static str {
    let has_it = |python: &&str| {
        Command::new(python)
            .args(["-c", "import aiosmtpd"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    ["/usr/bin/python3", "python3"]
        .into_iter()
        .find(has_it)
        .expect("aiosmtpd is missing: `apt-get install python3-aiosmtpd`, or `cargo xtask test`, which does that")
}
