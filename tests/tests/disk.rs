//! A disk that is full, and a write-ahead log of which the end is missing.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test tells its figures")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs::OpenOptions,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::Duration,
};

use relata_tests::{Backend, Place, Server, answer, data};
use serde_json::Value as Json;

const LOOK: Duration = Duration::from_millis(200);

/// At how many looks something must have come about.
const MOST_LOOKS: usize = 300;

/// A company in which each lead gets an owner, a mail and a task.
struct Company {
    folder: tempfile::TempDir,
    place: Place,
}

impl Company {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("company");
        let place = Place { root: root.clone(), backend: Backend::Sqlite };
        answer(&["init", root.to_str().unwrap()]);
        place.ask(&["import", "user", data("agents.csv").to_str().unwrap()]).unwrap();
        let workflow = root.join("workflows/assign-new-leads.yaml");
        place.ask(&["activate", workflow.to_str().unwrap()]).unwrap();
        Self { folder, place }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("host.log")
    }

    fn import(&self, numbers: std::ops::Range<usize>) {
        let path = self.folder.path().join("leads.csv");
        let mut file = "Name,Email,Country\n".to_owned();
        for number in numbers {
            writeln!(file, "Lead {number},lead{number}@leads.example,DE").unwrap();
        }
        std::fs::write(&path, file).unwrap();
        self.place.ask(&["import", "lead", path.to_str().unwrap()]).unwrap();
    }

    fn list(&self, arguments: &[&str]) -> Vec<Json> {
        let Json::Array(rows) = self.place.ask(arguments).unwrap() else { panic!("no list") };
        rows
    }

    /// The leads' names, and those of whom a task tells, each once.
    fn leads(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let once = |object: &str, field: &str| {
            let rows = self.list(&["records", "list", object, "--fields", field]);
            let all: Vec<String> =
                rows.iter().map(|row| row[field].as_str().unwrap().to_owned()).collect();
            let once: BTreeSet<String> = all.iter().cloned().collect();
            assert_eq!(all.len(), once.len(), "some {object} is there twice: {all:?}");
            once
        };
        let tasks = once("task", "title");
        let tasks = tasks.iter().map(|title| title.replace("Follow up ", "")).collect();
        (once("lead", "name"), tasks)
    }

    /// Waits until all leads have their task and their mail.
    fn settle(&self) {
        for _ in 0..MOST_LOOKS {
            let (leads, tasks) = self.leads();
            let effects = self.list(&["outbox"]);
            let sent = effects.iter().filter(|effect| effect["status"] == "sent").count();
            if leads == tasks && sent == effects.len() && sent >= leads.len() {
                return;
            }
            sleep(LOOK);
        }
        let (leads, tasks) = self.leads();
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        panic!("of {} leads {} have their task\n{log}", leads.len(), tasks.len());
    }

    /// How many mails lie in the folder, by recipient.
    fn mails(&self) -> BTreeMap<String, usize> {
        let mut mails = BTreeMap::new();
        for entry in std::fs::read_dir(self.place.root.join("mail")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "eml") {
                let text = std::fs::read_to_string(&path).unwrap();
                let to = text.lines().find_map(|line| line.strip_prefix("To: ")).unwrap();
                *mails.entry(to.to_owned()).or_default() += 1;
            }
        }
        mails
    }
}

/// So large may files become that a process writes.
fn limit_files(server: &Server, limit: &str) {
    let id = server.id().to_string();
    let limited =
        Command::new("prlimit").args(["--pid", &id, &format!("--fsize={limit}")]).status().unwrap();
    assert!(limited.success());
}

#[test]
fn a_full_disk_is_told_and_with_space_again_all_goes_on() {
    let company = Company::new();
    // A write past the limit is an error then, and not the end.
    let mut command = Command::new("sh");
    let plain = company.place.command();
    command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
    command.arg(plain.get_program()).args(plain.get_args());
    let mut server = Server::start_by(command, Some(&company.log())).unwrap();
    company.import(0..10);
    company.settle();

    limit_files(&server, "4096:");
    company.import(10..20);
    let told = (0..MOST_LOOKS).any(|_| {
        sleep(LOOK);
        let log = std::fs::read_to_string(company.log()).unwrap();
        log.lines().any(|line| line.contains("ERROR") && line.contains("disk"))
    });
    assert!(told, "{}", std::fs::read_to_string(company.log()).unwrap());
    assert!(!server.has_ended(), "it went down");
    let (leads, tasks) = company.leads();
    assert_eq!((leads.len(), tasks.len()), (20, 10));

    limit_files(&server, "unlimited:");
    company.settle();
    assert!(!server.has_ended(), "it went down");
    let mails = company.mails();
    assert!(mails.len() == 20 && mails.values().all(|count| *count == 1), "{mails:?}");
    assert!(server.terminate(), "it did not stop in good order");
}

#[test]
fn a_log_of_which_the_end_is_missing_is_survived() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut chance = fastrand::Rng::with_seed(seed);
    let company = Company::new();
    for round in 0..4 {
        let mut server = Server::start(&company.place, Some(&company.log())).unwrap();
        company.import(round * 10..round * 10 + 10);
        sleep(Duration::from_millis(chance.u64(0..500)));
        server.kill();
        cut(&company.place.root.join("relata.db-wal"), &mut chance);
        // Whatever is left fits together: each lead that is there has come
        // with its event.
        let mut server = Server::start(&company.place, Some(&company.log())).unwrap();
        company.settle();
        server.kill();
    }
    // What was lost comes in again.
    let mut server = Server::start(&company.place, Some(&company.log())).unwrap();
    company.import(0..40);
    company.settle();
    assert_eq!(company.leads().0.len(), 40);
    assert!(server.terminate(), "it did not stop in good order");
}

/// Takes some of a file's end away.
fn cut(path: &Path, chance: &mut fastrand::Rng) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    let left = length - chance.u64(0..=length.min(200_000));
    println!("{left} of {length} bytes are left");
    file.set_len(left).unwrap();
}
