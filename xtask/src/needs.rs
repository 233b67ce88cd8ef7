//! What the build and the tests need from outside Rust, in one table, and its
//! installation.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::{axe, cargo, schemathesis, toolchain};

/// One thing that cargo cannot bring.
pub(crate) struct Need {
    /// What it is, and what for; read after "needs".
    why: &'static str,
    /// Whether it is there; takes milliseconds.
    present: fn() -> bool,
    /// The Debian packages that bring it.
    packages: &'static [&'static str],
    /// What to run, or to install, where there is no Debian or no right to install.
    otherwise: &'static str,
}

const WEBASSEMBLY: Need = Need {
    why: "a Rust compiler for wasm32-unknown-unknown, to build the plugins",
    present: webassembly,
    packages: &["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22"],
    otherwise: "rustup target add wasm32-unknown-unknown",
};

const MAKE: Need = Need {
    why: "make, to build the allocator of the program (jemalloc)",
    present: || cargo::on_path("make"),
    packages: &["make"],
    otherwise: "install GNU make",
};

const POSTGRESQL: Need = Need {
    why: "a PostgreSQL server (initdb), on which the store's tests run beside SQLite",
    present: postgresql,
    packages: &["postgresql"],
    otherwise: "install PostgreSQL 15 or newer, with initdb on the PATH",
};

const SMTP: Need = Need {
    why: "aiosmtpd for Python, a real mail server for the mail tests",
    present: aiosmtpd,
    packages: &["python3-aiosmtpd"],
    otherwise: "python3 -m pip install aiosmtpd",
};

const IMAP: Need = Need {
    why: "Dovecot, a real IMAP server for the tests of mail that comes in",
    present: || Path::new("/usr/sbin/dovecot").is_file() || cargo::on_path("dovecot"),
    packages: &["dovecot-imapd"],
    otherwise: "install Dovecot 2.3, with its program on the PATH as dovecot",
};

const REGISTRY: Need = Need {
    why: "docker-registry, a real registry for the tests that publish plugins",
    present: || cargo::on_path("docker-registry"),
    packages: &["docker-registry"],
    otherwise: "install CNCF Distribution 2.8 or newer, with its program on the PATH as docker-registry",
};

const JAVASCRIPT: Need = Need {
    why: "Node.js with npm, for the console's scripts and the example plugin in JavaScript",
    present: || cargo::on_path("node") && cargo::on_path("npm"),
    packages: &["nodejs", "npm"],
    otherwise: "install Node.js 18 or newer, with npm",
};

const PYTHON: Need = Need {
    why: "Python 3.11 or newer with venv, to build the example plugin in Python",
    present: python,
    packages: &["python3", "python3-venv"],
    otherwise: "install Python 3.11 or newer, with venv",
};

const C: Need = Need {
    why: "clang for WebAssembly and a C library for it, to build the example plugin in C",
    present: clang,
    packages: &["clang-22", "lld-22", "wasi-libc", "libclang-rt-22-dev-wasm32", "make"],
    otherwise: "install clang with a WASI C library; docs/plugins/c.md says how it is named",
};

const SCHEMATHESIS: Need = Need {
    why: "Schemathesis, to try the API by its description",
    present: schemathesis::present,
    packages: &["python3", "python3-venv"],
    otherwise: "install Python 3.11 or newer, with venv, and see that PyPI is reachable",
};

const CHROMIUM: Need = Need {
    why: "Chromium, for the tests that use the console and the customers' pages as people do",
    present: || ["chromium", "chromium-browser", "google-chrome"].into_iter().any(cargo::on_path),
    // The letters as well: a page is as wide as what is written on it.
    packages: &["chromium", "fonts-wqy-microhei"],
    otherwise: "install Chromium, with its program on the PATH as chromium",
};

const AXE: Need = Need {
    why: "axe-core, to judge the accessibility of these pages",
    present: axe::present,
    packages: &["nodejs", "npm"],
    otherwise: "install Node.js 18 or newer, with npm, and see that its registry is reachable",
};

const CLOCK: Need = Need {
    why: "libfaketime, to move the clock of a host under test",
    present: faketime,
    packages: &["faketime"],
    otherwise: "install libfaketime 0.9.10 or newer, with libfaketime.so.1 below /usr/lib",
};

/// What every build needs.
pub(crate) const BUILD: &[Need] = &[WEBASSEMBLY, JAVASCRIPT, MAKE];

/// What the tests need besides.
pub(crate) const TEST: &[Need] = &[
    WEBASSEMBLY,
    JAVASCRIPT,
    MAKE,
    POSTGRESQL,
    SMTP,
    IMAP,
    REGISTRY,
    PYTHON,
    C,
    SCHEMATHESIS,
    CHROMIUM,
    AXE,
    CLOCK,
];

/// The module that Debian's compiler links WebAssembly with; the packages only
/// recommend it, so it can be missing beside a complete compiler.
const LINKER: &str = "/usr/bin/rust-lld";

fn webassembly() -> bool {
    match toolchain::toolchain() {
        Ok(toolchain) => !toolchain.build_std || Path::new(LINKER).exists(),
        Err(_) => false,
    }
}

fn postgresql() -> bool {
    // Debian keeps the server's programs out of the PATH, in a folder a version.
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.into_iter().any(|version| version.path().join("bin/initdb").is_file())
        || cargo::on_path("initdb")
}

fn python() -> bool {
    let asks = "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))";
    succeeds(Command::new("python3").args(["-c", asks]))
}

/// Debian keeps it in a folder of the machine's kind.
fn faketime() -> bool {
    let kinds = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    kinds.into_iter().any(|kind| kind.path().join("faketime/libfaketime.so.1").is_file())
}

fn aiosmtpd() -> bool {
    // Debian's Python first: another one on the PATH does not see its packages.
    ["/usr/bin/python3", "python3"]
        .iter()
        .any(|python| succeeds(Command::new(python).args(["-c", "import aiosmtpd"])))
}

/// Makes sure that all of `needs` is there; installs what is missing where that
/// is possible.
///
/// The order for the compiler: the active toolchain's own target, Debian's
/// packages, and rustup where there is no Debian or no right to install.
///
/// # Errors
/// When something is missing and cannot be installed here; the message names
/// the command to run.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let mut missing: Vec<&Need> = needs.iter().filter(|need| !(need.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        eprintln!("setting up: {}", need.why);
    }
    // One or the other: a machine that takes its programs from its distribution
    // should not find a download of rustup's beside them.
    if let Some(apt) = Apt::find() {
        // What axe-core needs of it is a need of its own, and may be there from elsewhere.
        let packages = missing.iter().filter(|need| need.why != AXE.why);
        let packages: Vec<&str> = packages.flat_map(|need| need.packages).copied().collect();
        if !packages.is_empty()
            && let Err(error) = apt.install(&packages)
        {
            eprintln!("{error:#}");
        }
    } else if !webassembly() && cargo::on_path("rustup") {
        let mut rustup = Command::new("rustup");
        rustup.args(["target", "add", "wasm32-unknown-unknown"]);
        eprintln!("$ {}", cargo::shown(&rustup));
        if let Err(error) = cargo::run(&mut rustup) {
            eprintln!("{error:#}");
        }
    }
    // They come from PyPI and from npm, once there are Python and Node.js.
    type Install = fn() -> Result<()>;
    let others: [(&Need, Install); 2] =
        [(&SCHEMATHESIS, schemathesis::install), (&AXE, axe::install)];
    for (need, install) in others {
        if missing.iter().any(|missing| missing.why == need.why)
            && let Err(error) = install()
        {
            eprintln!("{error:#}");
        }
    }
    missing.retain(|need| !(need.present)());
    if missing.is_empty() {
        return Ok(());
    }
    let mut lines = String::new();
    for need in &missing {
        lines += &format!(
            "\n  - {}\n    on Debian, as root: apt-get install --no-install-recommends {}\n    elsewhere: {}",
            need.why,
            need.packages.join(" "),
            need.otherwise
        );
    }
    bail!("this machine lacks, and xtask could not install:{lines}");
}

/// Debian's installer, with the right to use it.
struct Apt {
    /// What stands before every call: nothing for root.
    prefix: &'static [&'static str],
}

impl Apt {
    fn find() -> Option<Apt> {
        if !Path::new("/etc/debian_version").exists() || !cargo::on_path("apt-get") {
            return None;
        }
        let user = Command::new("id").arg("-u").stderr(Stdio::null()).output().ok()?;
        if user.stdout.trim_ascii() == b"0" {
            return Some(Apt { prefix: &[] });
        }
        if succeeds(Command::new("sudo").args(["-n", "true"])) {
            return Some(Apt { prefix: &["sudo", "-n"] });
        }
        None
    }

    fn install(&self, packages: &[&str]) -> Result<()> {
        self.get(&["update"])?;
        let mut arguments = vec!["install", "-y", "--no-install-recommends"];
        arguments.extend(packages);
        self.get(&arguments)
    }

    /// `apt-get`, tried three times: a mirror's hiccup must not fail a build.
    fn get(&self, arguments: &[&str]) -> Result<()> {
        const TRIES: u64 = 3;
        for attempt in 1.. {
            let mut words = self.prefix.to_vec();
            // `sudo` drops the environment, hence `env`. The lock: another
            // installation may be under way.
            words.extend([
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
                "-qq",
                "-o",
                "DPkg::Lock::Timeout=120",
                "-o",
                "Dpkg::Use-Pty=0",
            ]);
            words.extend(arguments);
            let mut command = Command::new(words[0]);
            // What apt prints belongs to the log, not to the output of a command with --json.
            command.args(&words[1..]).stdin(Stdio::null()).stdout(std::io::stderr());
            eprintln!("$ apt-get {}", arguments.join(" "));
            match cargo::run(&mut command) {
                Ok(()) => break,
                Err(error) if attempt == TRIES => return Err(error),
                Err(error) => eprintln!("{error:#}; trying again"),
            }
            std::thread::sleep(Duration::from_secs(5 * attempt));
        }
        Ok(())
    }
}

/// Debian's: the compiler, its runtime and the C library are packages of their
/// own.
fn clang() -> bool {
    let runtime = "/usr/lib/llvm-22/lib/clang/22/lib/wasi/libclang_rt.builtins-wasm32.a";
    cargo::on_path("clang-22")
        && cargo::on_path("make")
        && [runtime, "/usr/include/wasm32-wasi", "/usr/lib/llvm-22/bin/wasm-ld"]
            .iter()
            .all(|path| Path::new(path).exists())
}

fn succeeds(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
