//! A crate's Cargo.toml, without the workspace that it inherits from.

use std::error::Error;
use std::fs;
use std::path::Path;

use toml::{Table, Value};

/// The Cargo.toml of a crate as it reads where the crate stands alone.
pub(crate) fn alone(manifest: &Path, workspace: &Path) -> Result<String, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", workspace.display());
    let manifest: Table = fs::read_to_string(manifest)?.parse()?;
    let workspace: Table = fs::read_to_string(workspace)?.parse()?;
    let inherited = table(&workspace, "workspace")?;
    let shared = table(inherited, "package")?;
    let mut package = Table::new();
    for (key, value) in table(&manifest, "package")? {
        let value = if is_inherited(value) { named(shared, key)? } else { value };
        package.insert(key.clone(), value.clone());
    }
    if manifest.contains_key("target") {
        return Err("what a crate needs on one target only would be left out for authors; name it under [dependencies]".into());
    }
    let shared = table(inherited, "dependencies")?;
    let mut dependencies = Table::new();
    for (name, value) in table(&manifest, "dependencies")? {
        dependencies.insert(name.clone(), dependency(name, value, shared)?);
    }
    // A table by itself each, in the usual order.
    let mut text = String::new();
    for (key, table) in [("package", package), ("dependencies", dependencies)] {
        let whole = Table::from_iter([(key.to_owned(), Value::Table(table))]);
        text += &toml::to_string(&whole)?;
        text.push('\n');
    }
    Ok(text)
}

/// The names of a crate's dependencies.
pub(crate) fn dependencies(manifest: &Table) -> Vec<String> {
    let dependencies = manifest.get("dependencies").and_then(Value::as_table);
    dependencies.into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

fn dependency(name: &str, value: &Value, shared: &Table) -> Result<Value, Box<dyn Error>> {
    if !is_inherited(value) {
        return Ok(value.clone());
    }
    let mut whole = match named(shared, name)? {
        Value::String(version) => {
            Table::from_iter([("version".to_owned(), Value::String(version.clone()))])
        }
        Value::Table(table) => table.clone(),
        _ => return Err(format!("the dependency {name} has no version").into()),
    };
    if whole.contains_key("path") {
        return Err(format!("{name} lies in the workspace, and is not there for authors").into());
    }
    for (key, own) in value.as_table().into_iter().flatten() {
        match (key.as_str(), own) {
            ("workspace", _) => {}
            ("features", Value::Array(own)) => {
                let all = whole.entry("features").or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(all) = all {
                    all.extend(own.iter().cloned());
                }
            }
            _ => {
                whole.insert(key.clone(), own.clone());
            }
        }
    }
    Ok(Value::Table(whole))
}

fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

fn table<'t>(whole: &'t Table, key: &str) -> Result<&'t Table, Box<dyn Error>> {
    let found = named(whole, key)?.as_table();
    Ok(found.ok_or_else(|| format!("[{key}] of a Cargo.toml is no table"))?)
}

fn named<'t>(whole: &'t Table, key: &str) -> Result<&'t Value, Box<dyn Error>> {
    Ok(whole.get(key).ok_or_else(|| format!("a Cargo.toml does not have `{key}`"))?)
}
