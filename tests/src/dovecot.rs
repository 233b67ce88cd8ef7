//! Dovecot for the tests: a real IMAP server with one mailbox, `support` with
//! the password `secret`. Needs only the standard library, since the tests of
//! several rooms take in the file itself.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::Duration,
};

/// How often it is looked whether it answers, 10 ms apart.
const LOOKS: u32 = 3_000;

/// An IMAP server; it ends with the value.
#[derive(Debug)]
pub struct Dovecot {
    folder: PathBuf,
    process: Option<Child>,
    port: u16,
    tls_port: u16,
}

impl Dovecot {
    /// Starts one that speaks in the clear.
    ///
    /// # Panics
    ///
    /// Where there is no Dovecot on this machine, or it does not start.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// Starts one that can be talked to in private, with this certificate and
    /// its key (PEM); only so.
    ///
    /// # Panics
    ///
    /// Where there is no Dovecot on this machine, or it does not start.
    pub fn start_with(certificate: Option<(&Path, &Path)>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("relata-imap-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        let mut server = Self { folder, process: None, port: free_port(), tls_port: free_port() };
        for part in ["run", "home/Maildir/new", "home/Maildir/cur", "home/Maildir/tmp"] {
            fs::create_dir_all(server.folder.join(part)).expect("a folder for Dovecot");
        }
        let tls = match certificate {
            None => "ssl = no\ndisable_plaintext_auth = no\n".to_owned(),
            Some((certificate, key)) => {
                for (from, to) in [(certificate, "server.pem"), (key, "server.key")] {
                    fs::copy(from, server.folder.join(to)).expect("a certificate");
                }
                let folder = server.folder.display();
                format!(
                    "ssl = required\nssl_cert = <{folder}/server.pem\nssl_key = <{folder}/server.key\n"
                )
            }
        };
        let settings = server.settings(&tls);
        fs::write(server.folder.join("dovecot.conf"), settings).expect("Dovecot's settings");
        server.own(&server.folder);
        server.go();
        server
    }

    fn settings(&self, tls: &str) -> String {
        let (folder, port, tls_port) = (self.folder.display(), self.port, self.tls_port);
        let (user, group) = names();
        let imaps = if tls.starts_with("ssl = no") { 0 } else { tls_port };
        format!(
            "base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service anvil {{
  chroot =
}}
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/home
}}
mail_location = maildir:~/Maildir
namespace inbox {{
  inbox = yes
  mailbox Processed {{
    auto = create
  }}
}}
{tls}"
        )
    }

    /// Starts it, at first or again.
    ///
    /// # Panics
    ///
    /// Where it does not start.
    pub fn go(&mut self) {
        let mut command = match owner() {
            // It refuses to let root's programs speak to the network.
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command
                    .arg(format!("--reuid={user}"))
                    .arg(format!("--regid={group}"))
                    .args(["--clear-groups", &program()]);
                command
            }
            None => Command::new(program()),
        };
        command.args(["-F", "-c"]).arg(self.folder.join("dovecot.conf")).current_dir("/");
        let output = [(); 3].map(|()| Stdio::null());
        let [stdin, stdout, stderr] = output;
        let process = command.stdin(stdin).stdout(stdout).stderr(stderr).spawn();
        self.process = Some(process.expect("Dovecot can be started"));
        for _ in 0..LOOKS {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            sleep(Duration::from_millis(10));
        }
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        panic!("Dovecot does not start:\n{log}");
    }

    /// Stops it: connections are cut.
    ///
    /// # Panics
    ///
    /// Where it cannot be waited for.
    pub fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        // Its children end with it, if it is asked.
        let asked = Command::new("kill").arg(process.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = process.kill();
        }
        process.wait().expect("Dovecot ends");
    }

    /// The port at which it speaks in the clear, and begins TLS where it can.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port at which it speaks TLS from the start.
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// Lays a mail into the mailbox, as a mail server does; answers what it is
    /// called there.
    ///
    /// # Panics
    ///
    /// Where that cannot be written.
    pub fn deliver(&self, mail: &[u8]) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let maildir = self.folder.join("home/Maildir");
        let name = format!("{}.{number}.test", 1_797_235_200 + number);
        let unfinished = maildir.join("tmp").join(&name);
        fs::write(&unfinished, mail).expect("a mail");
        self.own(&unfinished);
        fs::rename(&unfinished, maildir.join("new").join(&name)).expect("a mail");
        name
    }

    /// How many mails of a folder (`` for the first one) bear a mark: a letter
    /// of Maildir's, `S` for seen, `a` for the first keyword; none for all.
    pub fn count(&self, folder: &str, mark: Option<char>) -> usize {
        self.names(folder, mark).len()
    }

    /// What these mails are called.
    pub fn names(&self, folder: &str, mark: Option<char>) -> Vec<String> {
        let maildir = self.folder.join("home/Maildir").join(folder);
        let parts = ["new", "cur"].map(|part| fs::read_dir(maildir.join(part)));
        let files = parts.into_iter().flatten().flatten().flatten();
        let named = files.filter_map(|file| {
            let file = file.file_name().to_string_lossy().into_owned();
            let (name, marks) = file.split_once(":2,").unwrap_or((&file, ""));
            // Dovecot writes behind the name how large the mail is.
            let name = name.split_once(',').map_or(name, |(name, _)| name);
            mark.is_none_or(|mark| marks.contains(mark)).then(|| name.to_owned())
        });
        named.collect()
    }

    /// Gives what lies in a folder to the user that Dovecot runs as.
    fn own(&self, path: &Path) {
        if path.is_dir() {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("our folder");
            for entry in fs::read_dir(path).expect("our folder").flatten() {
                self.own(&entry.path());
            }
        }
        if let Some((user, group)) = owner() {
            chown(path, Some(user), Some(group)).expect("our folder");
        }
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn program() -> String {
    let found = ["/usr/sbin/dovecot", "/usr/local/sbin/dovecot"];
    let found = found.into_iter().find(|path| Path::new(path).is_file());
    found.unwrap_or("dovecot").to_owned()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("a port").port()
}

fn effective_user() -> u32 {
    fs::metadata("/proc/self").map_or(1, |of_us| of_us.uid())
}

/// The user and group that it runs as, where we are root.
fn owner() -> Option<(u32, u32)> {
    if effective_user() != 0 {
        return None;
    }
    entry("/etc/passwd", |fields| fields[0] == "nobody")
        .map(|fields| (fields[2].parse().unwrap_or(65_534), fields[3].parse().unwrap_or(65_534)))
}

/// The names of the user and group that it runs as.
fn names() -> (String, String) {
    let user = owner().map_or_else(effective_user, |(user, _)| user).to_string();
    let found = entry("/etc/passwd", |fields| fields[2] == user);
    let found = found.expect("the user whom the tests run as has a name");
    let group = entry("/etc/group", |fields| fields[2] == found[3]);
    (found[0].clone(), group.expect("the group of that user has a name")[0].clone())
}

fn entry(file: &str, is_it: impl Fn(&[String]) -> bool) -> Option<Vec<String>> {
    let lines = fs::read_to_string(file).unwrap_or_default();
    lines
        .lines()
        .map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>())
        .find(|fields| fields.len() >= 4 && is_it(fields))
}
