//! A company under torture: its hosts are killed, stopped and started while
//! leads and orders come in and its mail server is moody. In the end everything
//! is counted: nothing may be lost, and nothing may have happened twice.

mod load;
mod verdict;
mod workflows;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use load::{Addresses, Asked, Load};
use verdict::Counts;

use crate::{Backend, Mailbox, Mails, Moods, Place, Postgres, Server, answer};

/// How long a host has a run. After twice as long, nothing may be stuck.
const LEASE: Duration = Duration::from_secs(60);

/// How long a host has an effect that it sends: a killed host's are judged then,
/// and not before.
const SENDING: Duration = Duration::from_secs(5 * 60);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(300);

/// What is done to the company.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Says when what is done, as far as processes can be told.
    pub seed: u64,
    /// For how long.
    pub length: Duration,
    /// In which database it lies.
    pub backend: Backend,
    /// The database's server, where it is ours and may crash as well.
    pub server: Option<Arc<Postgres>>,
    /// How many hosts it has; one, where the database is a file.
    pub hosts: usize,
    /// The longest time between two faults.
    pub pause: Duration,
    /// Whether hosts are stopped for longer than they have a run.
    pub past_the_lease: bool,
    /// What its mail server does.
    pub moods: Moods,
}

/// What was done to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Done {
    /// SIGKILL, and started again.
    pub kills: usize,
    /// SIGTERM, and started again.
    pub restarts: usize,
    /// SIGSTOP, and SIGCONT before the lease was over.
    pub stops: usize,
    /// SIGSTOP, and SIGCONT after the lease was over.
    pub long_stops: usize,
    /// Crashes of the database's server, and started again.
    pub crashes: usize,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// The plan's seed.
    pub seed: u64,
    /// What was done.
    pub done: Done,
    asked: Asked,
    mails: Mails,
    counts: Counts,
    settled_in: Duration,
    /// What was lost, what happened twice, what is stuck; empty where all is
    /// well.
    pub faults: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Done { kills, restarts, stops, long_stops, crashes } = &self.done;
        writeln!(
            f,
            "seed {}: {kills} kills, {restarts} restarts, {stops} stops, {long_stops} stops past the lease, {crashes} crashes of the database",
            self.seed
        )?;
        writeln!(
            f,
            "asked for: {} leads ({} imports made again), {} orders ({} calls made again)",
            self.asked.leads.len(),
            self.asked.imports_again,
            self.asked.orders.len(),
            self.asked.calls_again
        )?;
        writeln!(
            f,
            "the mail server took {} mails, refused {} for the time being and hung up at {}",
            self.mails.taken.values().sum::<usize>(),
            self.mails.refused,
            self.mails.unanswered
        )?;
        writeln!(f, "{}; settled in {} s", self.counts, self.settled_in.as_secs())?;
        for fault in &self.faults {
            writeln!(f, "FAULT: {fault}")?;
        }
        write!(
            f,
            "{}",
            if self.faults.is_empty() {
                "nothing was lost, nothing happened twice, nothing is stuck"
            } else {
                "promises were broken"
            }
        )
    }
}

/// Carries a plan out, in an empty folder. What the hosts log is left there.
///
/// # Errors
///
/// Where the company cannot be set up, or a host does not come up.
pub fn torture(plan: &Plan, folder: &Path) -> Result<Report, String> {
    let mut chance = fastrand::Rng::with_seed(plan.seed);
    let mailbox = Mailbox::open(plan.moods, chance.u64(..)).map_err(|why| why.to_string())?;
    let place = company(folder, plan, mailbox.port())?;
    let mut hosts = Hosts::start(plan, &place, folder)?;
    let enough = Arc::new(AtomicBool::new(false));
    let load = Load {
        place: place.clone(),
        folder: folder.to_owned(),
        addresses: Arc::clone(&hosts.addresses),
        enough: Arc::clone(&enough),
        chance: chance.fork(),
    };
    let load = thread::spawn(move || load.run());
    let done = hosts.suffer(plan, &mut chance);
    enough.store(true, Ordering::SeqCst);
    mailbox.be_good();
    let done = done.and_then(|done| hosts.all_up().map(|()| done));
    let asked = load.join().map_err(|_| "what loads the company has panicked".to_owned())?;
    let done = done?;
    let began = now();
    let mut faults = Vec::new();
    verdict::settle(&place, &asked, &mut faults)?;
    // A person looks what became of each mail of which nobody knows.
    let unknown = verdict::resolve(&place, &mailbox.mails())?;
    if unknown > 0 {
        verdict::settle(&place, &asked, &mut faults)?;
    }
    let settled_in = began.elapsed();
    let mails = mailbox.mails();
    let counts = verdict::judge(&place, &asked, &mails, unknown, &mut faults)?;
    hosts.judge(&mut faults);
    Ok(Report { seed: plan.seed, done, asked, mails, counts, settled_in, faults })
}

/// A company whose mails go to the mail server, with the workflows of the
/// torture.
fn company(folder: &Path, plan: &Plan, port: u16) -> Result<Place, String> {
    let root = folder.join("company");
    let text = root.to_str().ok_or("the folder has a strange name")?;
    let place = Place { root: root.clone(), backend: plan.backend.clone() };
    match plan.backend {
        Backend::Sqlite => drop(answer(&["init", text])),
        Backend::Postgres { .. } => drop(place.ask(&["init", text])?),
    }
    let settings = root.join("relata.toml");
    let read = std::fs::read_to_string(&settings).map_err(|why| why.to_string())?;
    let to_files = "kind = \"directory\"\npath = \"mail\"";
    if !read.contains(to_files) {
        return Err("relata.toml does not say that mails go to files".to_owned());
    }
    let to_server =
        format!("kind = \"smtp\"\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"none\"");
    let mut write = vec![(settings, read.replace(to_files, &to_server))];
    let workflows = root.join("workflows");
    for (file, source) in workflows::WORKFLOWS {
        write.push((workflows.join(file), source.to_owned()));
    }
    for (path, text) in write {
        std::fs::write(&path, text).map_err(|why| format!("{}: {why}", path.display()))?;
    }
    for (file, _) in workflows::WORKFLOWS {
        let path = workflows.join(file);
        place.ask(&["activate", path.to_str().unwrap_or_default()])?;
    }
    Ok(place)
}

/// The company's hosts.
struct Hosts {
    place: Place,
    logs: PathBuf,
    servers: Vec<Server>,
    addresses: Addresses,
    faults: Vec<String>,
}

impl Hosts {
    fn start(plan: &Plan, place: &Place, folder: &Path) -> Result<Self, String> {
        let hosts = if plan.backend == Backend::Sqlite { 1 } else { plan.hosts };
        let mut all = Self {
            place: place.clone(),
            logs: folder.to_owned(),
            servers: Vec::new(),
            addresses: Arc::new(Mutex::new(vec![None; hosts])),
            faults: Vec::new(),
        };
        for number in 0..hosts {
            let server = all.one(number)?;
            all.servers.push(server);
        }
        Ok(all)
    }

    fn log(&self, number: usize) -> PathBuf {
        self.logs.join(format!("host-{number}.log"))
    }

    fn one(&self, number: usize) -> Result<Server, String> {
        let server = Server::start(&self.place, Some(&self.log(number)))?;
        self.tell(number, Some(server.address().to_owned()));
        Ok(server)
    }

    fn tell(&self, number: usize, address: Option<String>) {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses[number] = address;
    }

    /// Does to the hosts what the seed says, for as long as the plan says.
    fn suffer(&mut self, plan: &Plan, chance: &mut fastrand::Rng) -> Result<Done, String> {
        let began = now();
        let mut done = Done::default();
        // Until when each host stands still.
        let mut still: Vec<Option<Instant>> = vec![None; self.servers.len()];
        while began.elapsed() < plan.length {
            thread::sleep(between(chance, Duration::from_millis(100), plan.pause));
            let time = now();
            for (number, until) in still.iter_mut().enumerate() {
                if until.is_some_and(|until| until <= time) {
                    self.servers[number].go_on();
                    *until = None;
                }
            }
            let number = chance.usize(0..self.servers.len());
            if still[number].is_some() {
                continue;
            }
            match chance.u8(0..100) {
                0..60 => {
                    if !self.ended(number) {
                        done.kills += 1;
                        self.servers[number].kill();
                    }
                    self.again(number, chance)?;
                }
                60..64 if let Some(server) = &plan.server => {
                    done.crashes += 1;
                    server.stop();
                    thread::sleep(Duration::from_millis(chance.u64(0..2_000)));
                    server.start();
                }
                60..70 => {
                    done.restarts += 1;
                    self.tell(number, None);
                    if !self.servers[number].terminate() {
                        self.faults.push(format!("host {number} did not stop in good order"));
                    }
                    self.again(number, chance)?;
                }
                70..74 if plan.past_the_lease => {
                    done.long_stops += 1;
                    self.servers[number].stop();
                    let more = between(chance, Duration::from_secs(1), Duration::from_secs(10));
                    still[number] = Some(time + LEASE + more);
                }
                _ => {
                    done.stops += 1;
                    self.servers[number].stop();
                    let short = between(chance, Duration::from_millis(50), Duration::from_secs(3));
                    still[number] = Some(time + short);
                }
            }
        }
        Ok(done)
    }

    /// Starts a host that went down, after a moment.
    fn again(&mut self, number: usize, chance: &mut fastrand::Rng) -> Result<(), String> {
        self.tell(number, None);
        thread::sleep(Duration::from_millis(chance.u64(0..300)));
        self.servers[number] = self.one(number)?;
        Ok(())
    }

    /// Whether a host ended by itself, which none should.
    fn ended(&mut self, number: usize) -> bool {
        let ended = self.servers[number].has_ended();
        if ended {
            self.faults.push(format!("host {number} ended by itself"));
        }
        ended
    }

    fn all_up(&mut self) -> Result<(), String> {
        for number in 0..self.servers.len() {
            if self.servers[number].is_stopped() {
                self.servers[number].go_on();
            }
            if self.ended(number) {
                self.servers[number] = self.one(number)?;
            }
        }
        Ok(())
    }

    /// What the hosts say of themselves.
    fn judge(mut self, faults: &mut Vec<String>) {
        for number in 0..self.servers.len() {
            self.ended(number);
            let log = std::fs::read_to_string(self.log(number)).unwrap_or_default();
            let panics = log.lines().filter(|line| line.contains("panicked at"));
            self.faults.extend(panics.map(|line| format!("host {number} panicked: {line}")));
        }
        faults.append(&mut self.faults);
    }
}

fn between(chance: &mut fastrand::Rng, least: Duration, most: Duration) -> Duration {
    let (least, most) = (least.as_millis(), most.as_millis().max(least.as_millis() + 1));
    Duration::from_millis(u64::try_from(chance.u128(least..most)).unwrap_or(u64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "real processes live by the real clock")]
fn now() -> Instant {
    Instant::now()
}
