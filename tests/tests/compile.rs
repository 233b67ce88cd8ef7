//! Strangers' components are compiled by a child process: what it gives up,
//! and what is said where one takes too much.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::{fmt::Write as _, fs, path::Path};

use relata_app::sandbox::{CompileLimits, Compiler, PluginManifest, Sandbox, SandboxConfig};
use relata_tests::{echo, echo_manifest, program};

const FEW: CompileLimits = CompileLimits { cpu_s: 1, memory_mib: 2048, time_s: 60 };

fn sandbox(program: &Path, limits: CompileLimits, cache: Option<&Path>) -> Sandbox {
    let compiler = Compiler::Child { program: program.to_owned(), limits };
    let cache_dir = cache.map(Path::to_owned);
    Sandbox::new(SandboxConfig { cache_dir, compiler, ..SandboxConfig::default() }).unwrap()
}

/// Why a component is not loaded.
async fn refusal(sandbox: &Sandbox, component: Vec<u8>) -> String {
    let manifest = PluginManifest::parse(echo_manifest()).unwrap();
    let told = sandbox.load(manifest, None, component).await.unwrap_err().to_string();
    told.replace("plugin `echo` cannot be loaded: ", "")
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// One function of so many instructions that all depend on each other.
fn huge_function(instructions: usize) -> Vec<u8> {
    let mut text =
        String::from("(component (core module (func (param i32) (result i32) local.get 0");
    for number in 0..instructions {
        let _ = write!(text, " local.get 0 i32.const {number} i32.xor i32.mul local.tee 0");
    }
    component(&(text + ")))"))
}

/// One function of blocks within blocks, each of which may be left to any.
fn deep_function(depth: usize) -> Vec<u8> {
    let mut text = String::from("(component (core module (func (param i32)");
    for _ in 0..depth {
        text.push_str(" block");
    }
    for _ in 0..depth {
        text.push_str(" local.get 0 br_if 0 end");
    }
    component(&(text + ")))"))
}

fn many_functions(functions: usize) -> Vec<u8> {
    let one = "(func (param i32) (result i32) local.get 0 local.get 0 i32.mul local.get 0 i32.add)";
    component(&format!("(component (core module {}))", one.repeat(functions)))
}

#[tokio::test]
async fn what_a_child_compiled_runs_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("compiled");
    let manifest = || PluginManifest::parse(echo_manifest()).unwrap();
    let limits = CompileLimits::default();
    let plugin =
        sandbox(program(), limits, Some(&cache)).load(manifest(), None, echo()).await.unwrap();
    assert!(plugin.pure());
    let kept: Vec<_> = fs::read_dir(&cache).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(kept.len(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&kept[0]).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // Who finds it in the cache needs no compiler; and it is the same code that
    // is made in process.
    let nobody = Path::new("/nowhere/relata");
    sandbox(nobody, limits, Some(&cache)).load(manifest(), None, echo()).await.unwrap();
    let config = SandboxConfig { cache_dir: Some(cache.clone()), ..SandboxConfig::default() };
    Sandbox::new(config).unwrap().load(manifest(), None, echo()).await.unwrap();
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 1);
}

#[tokio::test]
async fn too_much_of_anything_is_told() {
    let few = sandbox(program(), FEW, None);
    let cpu = "its component takes more than 1 s of CPU time to compile; the code of its functions is too large, or there is too much of it";
    assert_eq!(refusal(&few, huge_function(150_000)).await, cpu, "a huge function");
    assert_eq!(refusal(&few, many_functions(100_000)).await, cpu, "many functions");

    let little = CompileLimits { memory_mib: 400, cpu_s: 30, ..FEW };
    let little = sandbox(program(), little, None);
    assert_eq!(
        refusal(&little, huge_function(150_000)).await,
        "its component takes more than 400 MiB of memory to compile; the code of its functions is too large, or there is too much of it"
    );
}

#[tokio::test]
async fn deep_nesting_ends_in_one_way_or_the_other() {
    let few = sandbox(program(), FEW, None);
    for depth in [1_000, 100_000] {
        let told = refusal(&few, deep_function(depth)).await;
        // It compiles, and is no plugin; or it does not compile in time.
        assert!(
            told.starts_with("it does not fit the contract")
                || told.starts_with("its component takes more than 1 s"),
            "{depth}: {told}"
        );
    }
}

#[tokio::test]
async fn a_refusal_is_the_compilers() {
    let child = sandbox(program(), CompileLimits::default(), None);
    assert_eq!(
        refusal(&child, component("(component (core module (memory 1) (memory 1)))")).await,
        "its component does not compile: failed to parse WebAssembly module: multiple memories (at offset 0x14)"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_compiler_that_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let stand_in = |name: &str, script: &str| {
        use std::os::unix::fs::PermissionsExt;
        let file = folder.path().join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
        file
    };
    let empty = || component("(component)");
    let soon = CompileLimits { time_s: 1, ..FEW };

    let missing = sandbox(Path::new("/nowhere/relata"), FEW, None);
    assert_eq!(
        refusal(&missing, empty()).await,
        "the compiler of plugins failed: /nowhere/relata cannot be started: No such file or directory (os error 2)"
    );
    let dying = stand_in("dying", "echo first >&2; echo last words >&2; kill -SEGV $$");
    let told = refusal(&sandbox(&dying, FEW, None), empty()).await;
    assert!(told.starts_with("the compiler of plugins failed: it died (signal: 11"), "{told}");
    assert!(told.ends_with(": last words"), "{told}");
    let sleeping = stand_in("sleeping", "exec sleep 60");
    assert_eq!(
        refusal(&sandbox(&sleeping, soon, None), empty()).await,
        "its component was not compiled after 1 s, and the compiler was stopped"
    );
    let lying =
        stand_in("lying", "cat >/dev/null; echo no code at all, but quite a few bytes of it");
    assert_eq!(
        refusal(&sandbox(&lying, FEW, None), empty()).await,
        "its component needs what the sandbox does not give: its compiled code is damaged"
    );
    let endless = stand_in("endless", "cat >/dev/null; exec cat /dev/zero");
    assert_eq!(
        refusal(&sandbox(&endless, FEW, None), empty()).await,
        "the compiler of plugins failed: the code comes to more than 256 MiB"
    );
    // Nothing of the environment, no rights to write.
    let seen = folder.path().join("seen");
    let script = format!("cat >/dev/null; env >{}; exit 1", seen.display());
    refusal(&sandbox(&stand_in("looking", &script), FEW, None), empty()).await;
    let seen = fs::read_to_string(seen).unwrap();
    let variables: Vec<&str> = seen
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        // The shell's own.
        .filter(|name| !matches!(*name, "PWD" | "_" | "SHLVL" | "OLDPWD"))
        .collect();
    assert_eq!(variables, ["RAYON_NUM_THREADS"]);
}
