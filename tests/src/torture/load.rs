//! What people and other programs do to a company under torture: leads are
//! imported, and orders come in over HTTP. Whoever gets no answer asks again.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{Place, post};

/// How often an import, or a call, is tried before it counts as refused.
const MOST_TRIES: usize = 600;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// Where the hosts answer; none while one is down.
pub(crate) type Addresses = Arc<Mutex<Vec<Option<String>>>>;

/// What was asked for, and taken in.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// The leads' names.
    pub(crate) leads: BTreeSet<String>,
    /// The orders' numbers.
    pub(crate) orders: BTreeSet<String>,
    /// How many imports were killed in the middle, or failed, and were made
    /// again.
    pub(crate) imports_again: usize,
    /// How many calls had no answer, or a bad one, and were made again.
    pub(crate) calls_again: usize,
    /// What was never taken in.
    pub(crate) refused: Vec<String>,
}

/// Goes on until `enough` is set.
pub(crate) struct Load {
    pub(crate) place: Place,
    pub(crate) folder: PathBuf,
    pub(crate) addresses: Addresses,
    pub(crate) enough: Arc<AtomicBool>,
    pub(crate) chance: fastrand::Rng,
}

impl Load {
    pub(crate) fn run(mut self) -> Asked {
        let mut asked = Asked::default();
        let mut part = 0;
        while !self.enough.load(Ordering::SeqCst) {
            part += 1;
            self.import(part, &mut asked);
            for order in 0..self.chance.usize(1..6) {
                self.order(&format!("{part}-{order}"), &mut asked);
            }
            thread::sleep(Duration::from_millis(self.chance.u64(0..400)));
        }
        asked
    }

    fn import(&mut self, part: usize, asked: &mut Asked) {
        let path = self.folder.join(format!("leads-{part:05}.csv"));
        let names: Vec<String> =
            (0..self.chance.usize(2..9)).map(|number| format!("Lead {part}-{number}")).collect();
        let mut file = "Name,Email,Country\n".to_owned();
        for name in &names {
            let country = self.chance.choice(["DE", "FR"]).unwrap_or("DE");
            let address = name.replace(' ', "").to_lowercase();
            let _ = writeln!(file, "{name},{address}@leads.example,{country}");
        }
        if let Err(why) = std::fs::write(&path, file) {
            asked.refused.push(format!("{}: {why}", path.display()));
            return;
        }
        for _ in 0..MOST_TRIES {
            let kill = self.chance.u8(0..10) == 0;
            if self.import_once(&path, kill) {
                asked.leads.extend(names);
                return;
            }
            asked.imports_again += 1;
            thread::sleep(PAUSE);
        }
        asked.refused.push(format!("the import of {}", path.display()));
    }

    /// Whether all of it came in, as far as anybody knows.
    fn import_once(&mut self, path: &Path, kill: bool) -> bool {
        let mut import = self.place.command();
        import.args(["import", "lead"]).arg(path).arg("--json");
        let Ok(mut process) = import.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
            return false;
        };
        if kill {
            thread::sleep(Duration::from_millis(self.chance.u64(0..400)));
            let _ = process.kill();
        }
        process.wait().is_ok_and(|status| status.success())
    }

    fn order(&mut self, number: &str, asked: &mut Asked) {
        let body = format!(r#"{{"number": "{number}"}}"#);
        let id = format!("msg_{number}");
        for _ in 0..MOST_TRIES {
            let address = {
                let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
                let up: Vec<&String> = addresses.iter().flatten().collect();
                self.chance.choice(up).cloned()
            };
            let answer = address.and_then(|address| {
                post(&address, "/hooks/torture-orders", &[("webhook-id", &id)], &body)
            });
            let taken = answer.is_some_and(|(status, _)| (200..300).contains(&status));
            // Now and then the answer is lost on the way.
            if taken && self.chance.u8(0..10) != 0 {
                asked.orders.insert(number.to_owned());
                return;
            }
            asked.calls_again += 1;
            thread::sleep(PAUSE);
        }
        asked.refused.push(format!("the order {number}"));
    }
}
