//! PostgreSQL for the tests: one real server for a whole run of them, started
//! by the first test that needs it and ended some seconds after the last one.
//! Needs only the standard library, since the tests of several rooms and xtask
//! take in the file itself.
//!
//! A server of somebody's own is used instead where `RELATA_TEST_POSTGRES`
//! names it: `postgres://USER@HOST/postgres`, a user who may make databases.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// The settings of a server whose data nobody needs after a crash of the
/// machine.
const SETTINGS: &str = "
listen_addresses = ''
max_connections = 400
shared_buffers = 64MB
fsync = off
full_page_writes = off
autovacuum = off
deadlock_timeout = 100ms
timezone = UTC
";

/// Ends the server when no test has used it for a while. Each test holds
/// `users` shared for as long as it lives.
const SUPERVISOR: &str = r#"
(
idle=0
while [ -d "$DIR" ]; do
    sleep 1
    if flock --exclusive --nonblock "$DIR/users" true; then idle=$((idle + 1)); else idle=0; fi
    if [ "$idle" -ge 15 ]; then
        # Nobody may begin to use it meanwhile.
        exec 9<"$DIR.lock"
        flock --exclusive 9
        if flock --exclusive --nonblock "$DIR/users" true; then
            "$STOP" stop --pgdata "$DIR/data" --mode immediate >/dev/null 2>&1
            rm -rf "$DIR"
            exit 0
        fi
        exec 9<&-
        idle=0
    fi
done
) &
"#;

/// A server of a test's own, or the one that all share.
#[derive(Debug)]
pub struct Postgres {
    /// Holds the data in `data`, and the socket.
    folder: PathBuf,
    /// Whether it ends with this value.
    own: bool,
}

impl Postgres {
    /// The server that all tests of a run share.
    ///
    /// # Panics
    ///
    /// Where there is no PostgreSQL on this machine, or it does not start.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<(Postgres, Option<File>)> = OnceLock::new();
        &SHARED
            .get_or_init(|| {
                let folder = shared_folder();
                let lock = open(&folder.with_extension("lock"));
                lock.lock().expect("the lock of the tests' PostgreSQL");
                let server = Postgres { folder, own: false };
                if !server.answers() {
                    // What a crash of the machine left.
                    let _ = fs::remove_dir_all(&server.folder);
                    server.start_new();
                    server.supervise();
                }
                let users = open(&server.folder.join("users"));
                users.lock_shared().expect("the users of the tests' PostgreSQL");
                (server, Some(users))
            })
            .0
    }

    /// A server that only this test has, and that it may stop and start.
    ///
    /// # Panics
    ///
    /// Where there is no PostgreSQL on this machine, or it does not start.
    pub fn own() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("relata-pg-{}-{number}", std::process::id());
        let server = Self { folder: std::env::temp_dir().join(name), own: true };
        let _ = fs::remove_dir_all(&server.folder);
        server.start_new();
        server
    }

    /// A new empty database.
    ///
    /// # Panics
    ///
    /// Where the server does not make it.
    pub fn database(&self) -> Database<'_> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        self.sql(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        self.sql(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"));
        Database { server: self, name }
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        if let Some(url) = theirs() {
            let (place, parameters) = url.split_once('?').unwrap_or((&url, ""));
            let place = place.rsplit_once('/').map_or(place, |(place, _)| place);
            return format!("{place}/{database}?{parameters}");
        }
        format!("postgres:///{database}?host={}&user=postgres", self.folder.display())
    }

    /// What a statement answers, in the database `postgres`.
    ///
    /// # Panics
    ///
    /// Where the server refuses it.
    pub fn sql(&self, statement: &str) -> String {
        self.sql_in("postgres", statement)
    }

    /// What a statement answers.
    ///
    /// # Panics
    ///
    /// Where the server refuses it.
    pub fn sql_in(&self, database: &str, statement: &str) -> String {
        let mut psql = Command::new(tool("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--command", statement])
            .arg(self.url(database));
        said(&mut psql)
    }

    /// Starts it after [`Self::stop`].
    ///
    /// # Panics
    ///
    /// Where it does not start.
    pub fn start(&self) {
        let mut start = self.as_owner("pg_ctl");
        start
            .args(["start", "--wait", "--silent", "--pgdata"])
            .arg(self.data())
            .arg("--log")
            .arg(self.data().join("log"))
            .arg("--options")
            .arg(format!("-k {}", self.folder.display()));
        // The server goes on with what it is given: it must not hold our pipes.
        let started = start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = started.status().expect("pg_ctl can be started");
        assert!(
            started.success(),
            "PostgreSQL does not start:\n{}",
            fs::read_to_string(self.data().join("log")).unwrap_or_default()
        );
    }

    /// Stops it at once, as a crash does: connections are cut, nothing is
    /// tidied up.
    ///
    /// # Panics
    ///
    /// Where it does not stop.
    pub fn stop(&self) {
        let mut stop = self.as_owner("pg_ctl");
        stop.args(["stop", "--wait", "--silent", "--mode", "immediate", "--pgdata"]);
        said(stop.arg(self.data()));
    }

    /// Makes a replica of it: one that can only be read.
    ///
    /// # Panics
    ///
    /// Where it does not start again.
    pub fn replica(&self) {
        self.stop();
        let signal = self.data().join("standby.signal");
        File::create(&signal).expect("the server's folder");
        if let Some((user, group)) = owner() {
            chown(&signal, Some(user), Some(group)).expect("the server's folder");
        }
        self.start();
    }

    /// Lets nobody in without a password from now on but `postgres`.
    ///
    /// # Panics
    ///
    /// Where it does not take up the change.
    pub fn ask_for_passwords(&self) {
        let rules = "local all postgres trust\nlocal all all scram-sha-256\n";
        fs::write(self.data().join("pg_hba.conf"), rules).expect("the server's settings");
        self.sql("SELECT pg_reload_conf()");
        // The server takes it up a moment later.
        while self.sql("SELECT COUNT(*) FROM pg_hba_file_rules") != "2" {
            std::thread::yield_now();
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn answers(&self) -> bool {
        if theirs().is_some() {
            fs::create_dir_all(&self.folder).expect("a folder for the tests' PostgreSQL");
            return true;
        }
        let mut ready = Command::new(tool("pg_isready"));
        ready.args(["--quiet", "--host"]).arg(&self.folder);
        ready.status().is_ok_and(|status| status.success())
    }

    fn start_new(&self) {
        fs::create_dir_all(self.data()).expect("a folder for the tests' PostgreSQL");
        for folder in [self.folder.clone(), self.data()] {
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("our folder");
            if let Some((user, group)) = owner() {
                chown(&folder, Some(user), Some(group)).expect("our folder");
            }
        }
        let mut initdb = self.as_owner("initdb");
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        said(initdb.args(["--no-sync", "--pgdata"]).arg(self.data()));
        let mut settings = OpenOptions::new()
            .append(true)
            .open(self.data().join("postgresql.conf"))
            .expect("the server's settings");
        settings.write_all(SETTINGS.as_bytes()).expect("the server's settings");
        self.start();
    }

    fn supervise(&self) {
        let mut supervisor = self.as_owner("sh");
        // Of no test's group: it outlives the test that started it.
        std::os::unix::process::CommandExt::process_group(&mut supervisor, 0);
        supervisor
            .args(["-c", SUPERVISOR])
            .env("DIR", &self.folder)
            .env("STOP", tool("pg_ctl"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("sh can be started");
    }

    /// A program as the user whom the data belongs to: the server refuses to
    /// run as root.
    fn as_owner(&self, program: &str) -> Command {
        let program = tool(program);
        let Some((user, group)) = owner() else { return Command::new(program) };
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--reuid={user}"))
            .arg(format!("--regid={group}"))
            .arg("--clear-groups")
            .arg(program)
            .current_dir("/");
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.own {
            let mut stop = self.as_owner("pg_ctl");
            stop.args(["stop", "--wait", "--silent", "--mode", "immediate", "--pgdata"]);
            let _ = stop.arg(self.data()).output();
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// A database, gone with the test.
#[derive(Debug)]
pub struct Database<'s> {
    server: &'s Postgres,
    name: String,
}

impl Database<'_> {
    /// Its address.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// What a statement answers in it.
    ///
    /// # Panics
    ///
    /// Where the server refuses it.
    pub fn sql(&self, statement: &str) -> String {
        self.server.sql_in(&self.name, statement)
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let mut psql = Command::new(tool("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--command", &sql]).arg(self.server.url("postgres"));
        let _ = psql.stdin(Stdio::null()).output();
    }
}

/// Ends the server that the tests share, if nobody uses it.
pub fn stop_shared() {
    let folder = shared_folder();
    if theirs().is_some() || !folder.join("users").exists() {
        return;
    }
    let lock = open(&folder.with_extension("lock"));
    let users = open(&folder.join("users"));
    if lock.lock().is_ok() && users.try_lock().is_ok() {
        // It takes its folder away, and its supervisor ends with that.
        drop(Postgres { folder, own: true });
    }
}

/// A server that somebody names.
fn theirs() -> Option<String> {
    #[allow(clippy::disallowed_methods, reason = "a test may be told which server to use")]
    std::env::var("RELATA_TEST_POSTGRES").ok().filter(|url| !url.is_empty())
}

/// One for each workspace and user, short enough for a socket's path.
fn shared_folder() -> PathBuf {
    let workspace = env!("CARGO_MANIFEST_DIR");
    let root = Path::new(workspace)
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").is_file())
        .unwrap_or(Path::new(workspace));
    let digest = root
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| {
            (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let user = effective_user();
    std::env::temp_dir().join(format!("relata-pg-{user}-{:08x}", digest >> 32))
}

fn open(path: &Path) -> File {
    let opened = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = opened.unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    // The supervisor may be another user.
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o666));
    file
}

fn effective_user() -> u32 {
    fs::metadata("/proc/self").map_or(1, |of_us| of_us.uid())
}

/// The user and group that the server runs as, where we are root.
fn owner() -> Option<(u32, u32)> {
    if effective_user() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = ["postgres", "nobody"].iter().find_map(|name| {
        let mut fields = users
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}:")))?
            .split(':')
            .skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    Some(user.expect("a user `postgres` or `nobody`: PostgreSQL does not run as root"))
}

/// A program of PostgreSQL's. Debian keeps the server's out of the PATH, in a
/// folder a version.
fn tool(program: &str) -> PathBuf {
    if program == "sh" {
        return PathBuf::from(program);
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions
        .map(|version| version.path().join("bin").join(program))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    if let Some(path) = found.pop() {
        return path;
    }
    let on_path = |folder: PathBuf| Some(folder.join(program)).filter(|path| path.is_file());
    #[allow(clippy::disallowed_methods, reason = "where programs are is in the environment")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).find_map(on_path).unwrap_or_else(|| {
        panic!(
            "there is no `{program}`: the store's tests run on PostgreSQL 15 or newer too; `cargo xtask setup` installs it"
        )
    })
}

fn said(command: &mut Command) -> String {
    let shown = format!("{command:?}");
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().unwrap_or_else(|why| panic!("{shown}: {why}"));
    assert!(status.success(), "{shown} ended with {status}:\n{}", String::from_utf8_lossy(&stderr));
    String::from_utf8_lossy(&stdout).trim().to_owned()
}
