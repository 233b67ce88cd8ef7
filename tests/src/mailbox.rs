//! A mail server that takes mails and counts them by their Message-ID, and now
//! and then is slow, out of order, or gone in the middle.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// How often it does what, in percent of the mails; else it takes them at
/// once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moods {
    /// It takes the mail after up to two seconds.
    pub slow: u8,
    /// It refuses the mail for now.
    pub refuses: u8,
    /// It takes the mail, and hangs up without an answer.
    pub hangs_up_after: u8,
    /// It hangs up in the middle of the mail, and has taken nothing.
    pub hangs_up_before: u8,
}

impl Moods {
    fn draw(self, chance: &mut fastrand::Rng) -> Mood {
        let shares = [
            (Mood::Slow, self.slow),
            (Mood::Refuses, self.refuses),
            (Mood::HangsUpAfter, self.hangs_up_after),
            (Mood::HangsUpBefore, self.hangs_up_before),
        ];
        let mut drawn = chance.u8(0..100);
        for (mood, share) in shares {
            if drawn < share {
                return mood;
            }
            drawn -= share;
        }
        Mood::Good
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Good,
    Slow,
    Refuses,
    HangsUpAfter,
    HangsUpBefore,
}

#[derive(Default)]
struct Inner {
    /// How often each Message-ID was taken.
    taken: Mutex<BTreeMap<String, usize>>,
    refused: Mutex<usize>,
    unanswered: Mutex<usize>,
    good: AtomicBool,
}

/// The mail server.
pub struct Mailbox {
    address: SocketAddr,
    inner: Arc<Inner>,
}

/// What a mail server did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mails {
    /// How often each Message-ID was taken, without the domain.
    pub taken: BTreeMap<String, usize>,
    /// How many it refused for the time being.
    pub refused: usize,
    /// At how many it hung up.
    pub unanswered: usize,
}

impl Mailbox {
    /// Opens one on this machine. Its moods are drawn from a seed.
    ///
    /// # Errors
    ///
    /// Where no port is free.
    pub fn open(moods: Moods, seed: u64) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let inner = Arc::new(Inner::default());
        let shared = Arc::clone(&inner);
        thread::spawn(move || {
            let mut chance = fastrand::Rng::with_seed(seed);
            for stream in listener.incoming().map_while(Result::ok) {
                let inner = Arc::clone(&shared);
                let chance = chance.fork();
                thread::spawn(move || {
                    // A host that is killed breaks the conversation off.
                    let _ = converse(&stream, &inner, moods, chance);
                });
            }
        });
        Ok(Self { address, inner })
    }

    /// The port on which it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on it takes everything at once.
    pub fn be_good(&self) {
        self.inner.good.store(true, Ordering::SeqCst);
    }

    /// What it did so far.
    #[must_use]
    pub fn mails(&self) -> Mails {
        let count = |of: &Mutex<usize>| *of.lock().unwrap_or_else(PoisonError::into_inner);
        Mails {
            taken: self.inner.taken.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            refused: count(&self.inner.refused),
            unanswered: count(&self.inner.unanswered),
        }
    }
}

fn converse(
    stream: &TcpStream,
    inner: &Inner,
    moods: Moods,
    mut chance: fastrand::Rng,
) -> std::io::Result<()> {
    let mut answers = stream.try_clone()?;
    let mut lines = BufReader::new(stream);
    let mut say = |text: &str| answers.write_all(format!("{text}\r\n").as_bytes());
    say("220 mailbox.test ESMTP")?;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let command = line.trim().to_ascii_uppercase();
        match command.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => say("250-mailbox.test\r\n250 8BITMIME")?,
            "QUIT" => return say("221 bye"),
            "DATA" => {
                say("354 go on")?;
                let good = inner.good.load(Ordering::SeqCst);
                let mood = if good { Mood::Good } else { moods.draw(&mut chance) };
                let Some(id) = text(&mut lines)? else { return Ok(()) };
                match mood {
                    Mood::Slow => thread::sleep(Duration::from_millis(chance.u64(0..2_000))),
                    Mood::Refuses => {
                        one_more(&inner.refused);
                        say("451 not now")?;
                        continue;
                    }
                    Mood::HangsUpBefore => {
                        one_more(&inner.unanswered);
                        return Ok(());
                    }
                    Mood::Good | Mood::HangsUpAfter => {}
                }
                let mut taken = inner.taken.lock().unwrap_or_else(PoisonError::into_inner);
                *taken.entry(id).or_default() += 1;
                drop(taken);
                if mood == Mood::HangsUpAfter {
                    one_more(&inner.unanswered);
                    return Ok(());
                }
                say("250 taken")?;
            }
            _ => say("250 ok")?,
        }
    }
}

fn one_more(of: &Mutex<usize>) {
    *of.lock().unwrap_or_else(PoisonError::into_inner) += 1;
}

/// A mail's text: its Message-ID, without the domain. None where the text ends
/// in the middle.
fn text(lines: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let mut id = String::new();
    loop {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        if line.trim_end() == "." {
            return Ok(Some(id));
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        if id.is_empty() && name.eq_ignore_ascii_case("message-id") {
            let value = value.trim().trim_start_matches('<');
            id = value.split('@').next().unwrap_or_default().to_owned();
        }
    }
}
