//! `relata serve`, started, killed and stopped by a test.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value as Json;

use crate::{answer, program};

/// How long an answer to an HTTP call may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a server that is asked to end may take, and how often that is looked at.
const LONGEST_END: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// Which database a company lies in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// A file in its data directory; one host.
    Sqlite,
    /// A server that is there already; several hosts.
    Postgres {
        /// `postgres://…`
        url: String,
    },
}

/// Where a company lies, for the programs that work at it.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its data directory.
    pub root: PathBuf,
    /// Its database.
    pub backend: Backend,
}

impl Place {
    /// The program, to be run at this place.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(program());
        command.arg("--data").arg(&self.root).stdin(Stdio::null());
        if let Backend::Postgres { url } = &self.backend {
            command.args(["--database-url", url]);
        }
        command
    }

    /// Makes the data directory.
    ///
    /// # Panics
    ///
    /// Where the program does not make it.
    pub fn initialize(&self) {
        let root = self.root.to_str().expect("a name in UTF-8");
        match &self.backend {
            Backend::Sqlite => answer(&["init", root]),
            Backend::Postgres { url } => answer(&["init", root, "--database-url", url]),
        };
    }

    /// What the program answers to a command, as JSON.
    ///
    /// # Errors
    ///
    /// What it said, where it failed or answered no JSON.
    pub fn ask(&self, arguments: &[&str]) -> Result<Json, String> {
        let ended = self.command().args(arguments).arg("--json").output();
        let ended = ended.map_err(|why| format!("it does not start: {why}"))?;
        let said = String::from_utf8_lossy(&ended.stderr);
        if !ended.status.success() {
            return Err(format!("relata {}: {}: {said}", arguments.join(" "), ended.status));
        }
        serde_json::from_slice(&ended.stdout)
            .map_err(|why| format!("relata {}: {why}: {said}", arguments.join(" ")))
    }
}

/// A `relata serve` that works.
pub struct Server {
    process: Child,
    address: String,
    stopped: bool,
}

impl Server {
    /// Starts one, and waits until it has begun. What it logs goes to a file.
    ///
    /// # Errors
    ///
    /// Where it does not begin.
    pub fn start(place: &Place, log: Option<&Path>) -> Result<Self, String> {
        Self::start_by(place.command(), log)
    }

    /// The same, by a command that starts the program with what comes behind.
    ///
    /// # Errors
    ///
    /// Where it does not begin.
    pub fn start_by(command: Command, log: Option<&Path>) -> Result<Self, String> {
        Self::start_at("127.0.0.1:0", command, log)
    }

    /// The same, at an address of the test's choice.
    ///
    /// # Errors
    ///
    /// Where it does not begin.
    pub fn start_at(
        listen: &str,
        mut command: Command,
        log: Option<&Path>,
    ) -> Result<Self, String> {
        let log = match log {
            None => Stdio::null(),
            Some(path) => Stdio::from(append(path).map_err(|why| why.to_string())?),
        };
        let process = command
            .args(["serve", "--listen", listen, "--json"])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn();
        let mut process = process.map_err(|why| format!("`relata serve` does not start: {why}"))?;
        // Its first line says that it has begun.
        let mut line = String::new();
        let read = match process.stdout.take() {
            Some(stdout) => BufReader::new(stdout).read_line(&mut line),
            None => Ok(0),
        };
        let said: Option<Json> = serde_json::from_str(&line).ok();
        let address = said.as_ref().and_then(|said| said["address"].as_str());
        match (read, address) {
            (Ok(_), Some(address)) => {
                Ok(Self { address: address.to_owned(), process, stopped: false })
            }
            _ => {
                let _ = process.kill();
                let _ = process.wait();
                Err(format!("`relata serve` said `{line}` and did not begin"))
            }
        }
    }

    /// Where it answers: `127.0.0.1:40001`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The number of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it stands still.
    #[must_use]
    pub const fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Whether it has ended by itself, which it never should.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }

    /// SIGKILL: nothing is tidied up.
    ///
    /// # Panics
    ///
    /// Where it had ended by itself.
    pub fn kill(&mut self) {
        assert!(!self.has_ended(), "`relata serve` ended by itself");
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// SIGSTOP: it stands still, with all that it has in its hands.
    pub fn stop(&mut self) {
        self.signal("-STOP");
        self.stopped = true;
    }

    /// SIGCONT: it goes on as if no time had passed.
    pub fn go_on(&mut self) {
        self.signal("-CONT");
        self.stopped = false;
    }

    /// SIGTERM, and waits until it has ended; false where it says that
    /// something went wrong.
    ///
    /// # Panics
    ///
    /// Where it does not end for long.
    pub fn terminate(&mut self) -> bool {
        self.signal("-TERM");
        for _ in 0..LONGEST_END.as_millis() / LOOK.as_millis() {
            match self.process.try_wait() {
                Ok(None) => thread::sleep(LOOK),
                ended => return ended.is_ok_and(|status| status.is_some_and(|it| it.success())),
            }
        }
        panic!("`relata serve` was asked to end, and goes on");
    }

    fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let _ = Command::new("kill").args([name, &id]).status();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn append(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Posts JSON, and yields the status and the body of the answer. None where
/// nobody answers, so that nobody knows whether it was taken in.
#[must_use]
pub fn post(
    address: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<(u16, String)> {
    let headers = [&[("content-type", "application/json")], headers].concat();
    let answer = ask(address, &format!("POST {path}"), &headers, body)?;
    Some((answer.status, answer.body))
}

/// An answer over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// `200`.
    pub status: u16,
    /// The line of the status, and the headers.
    pub head: String,
    /// What comes behind them.
    pub body: String,
}

/// Asks for something (`GET /path`, `POST /path`) on a connection of its own.
/// None where nobody answers, so that nobody knows whether it was done.
#[must_use]
pub fn ask(address: &str, asked: &str, headers: &[(&str, &str)], body: &str) -> Option<HttpAnswer> {
    let mut stream = TcpStream::connect_timeout(&address.parse().ok()?, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let mut head = format!(
        "{asked} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(HttpAnswer { status, head: head.to_owned(), body: body.to_owned() })
}
