//! `relata serve`: the address, `/healthz`, and a stop in good order.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use serde_json::Value as Json;

use crate::program::Program;

struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn start(program: &Program) -> Self {
        let mut child = program
            .command(&["serve", "--listen", "127.0.0.1:0", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let said: Json = serde_json::from_str(&line).unwrap_or_else(|why| {
            let _ = child.kill();
            let mut stderr = String::new();
            child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
            panic!("{why}: {line}\n{stderr}")
        });
        let address = said["address"].as_str().unwrap().to_owned();
        Self { child, address }
    }

    fn get(&self, path: &str) -> (u16, Json) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: relata\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        (status, serde_json::from_str(body).unwrap())
    }

    /// Sends SIGTERM, and answers the exit code and the log.
    fn terminate(self) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let ended = self.child.wait_with_output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    }
}

#[test]
fn it_says_that_it_is_well_and_stops_when_asked() {
    let program = Program::company();
    let served = Served::start(&program);
    let (status, health) = served.get("/healthz");
    assert_eq!((status, &health["status"]), (200, &Json::from("ok")));
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert!(health["now"].as_str().unwrap().ends_with('Z'));
    let (status, lost) = served.get("/nothing");
    assert_eq!((status, &lost["code"]), (404, &Json::from("not-found")));
    // Commands work beside it.
    program.ok("records create contact name=Anna email=anna@a.example");

    let (code, log) = served.terminate();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("stopped"), "{log}");
}

#[test]
fn one_program_runs_a_data_directory() {
    let program = Program::company();
    let served = Served::start(&program);
    let ended = program.run("serve --listen 127.0.0.1:0");
    let (code, log) = served.terminate();
    assert_eq!((ended.code, code), (1, Some(0)), "{}\n{log}", ended.stderr);
    assert!(
        ended.stderr.contains("another `relata` runs . already; stop it first"),
        "{}",
        ended.stderr
    );
}
