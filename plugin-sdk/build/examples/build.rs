//! Builds plugins of the workspace in the current directory and prints what
//! each component imports:
//! `cargo run -p relata-plugin-build --example build -- relata-plugin-assign`.

use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let workspace = std::env::current_dir()?;
    let built = relata_plugin_build::build(&relata_plugin_build::Request {
        target_dir: workspace.join("target/guests"),
        workspace,
        packages: std::env::args().skip(1).collect(),
        locked: true,
    })?;
    let mut out = std::io::stdout().lock();
    for plugin in built {
        let bytes = std::fs::read(&plugin.component)?;
        let imports = relata_plugin_build::imports(&bytes)?.join(" ");
        writeln!(out, "{} {} bytes: {imports}", plugin.component.display(), bytes.len())?;
    }
    Ok(())
}
