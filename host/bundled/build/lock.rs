//! A part of a Cargo.lock.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use toml::{Table, Value};

/// The Cargo.lock with only what some crates need: cargo adds to it what else a
/// project has.
pub(crate) fn of(lock: &Path, crates: &[String]) -> Result<String, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", lock.display());
    let lock: Table = fs::read_to_string(lock)?.parse()?;
    let packages =
        lock.get("package").and_then(Value::as_array).ok_or("a lock without packages")?;
    let mut wanted: Vec<String> = crates.to_vec();
    let mut kept: BTreeMap<(&str, &str), &Value> = BTreeMap::new();
    while let Some(name) = wanted.pop() {
        let mut words = name.split(' ');
        let (name, version) = (words.next().unwrap_or_default(), words.next());
        let found = packages.iter().filter_map(|package| {
            let (own, its) = (text(package, "name")?, text(package, "version")?);
            let is_it = own == name && version.is_none_or(|version| version == its);
            is_it.then_some((own, its, package))
        });
        let found: Vec<_> = found.collect();
        if found.is_empty() {
            return Err(format!("Cargo.lock has no {name}").into());
        }
        for (own, its, package) in found {
            if kept.insert((own, its), package).is_none() {
                let needs = package.get("dependencies").and_then(Value::as_array);
                let needs = needs.into_iter().flatten().filter_map(Value::as_str);
                wanted.extend(needs.map(str::to_owned));
            }
        }
    }
    let mut part = Table::new();
    if let Some(version) = lock.get("version") {
        part.insert("version".to_owned(), version.clone());
    }
    let packages = kept.into_values().cloned().collect();
    part.insert("package".to_owned(), Value::Array(packages));
    Ok(toml::to_string(&part)?)
}

fn text<'v>(package: &'v Value, key: &str) -> Option<&'v str> {
    package.get(key)?.as_str()
}
