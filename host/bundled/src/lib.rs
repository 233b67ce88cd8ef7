//! The built-in plugins, compiled to components and embedded.
//!
//! They have no privilege: the host loads them as it loads a stranger's, and
//! their manifests say what they may touch.

/// One built-in plugin.
#[derive(Debug, Clone, Copy)]
pub struct Bundled {
    /// Its name, as in `do: assign.round_robin`.
    pub name: &'static str,
    /// The text of its `plugin.toml`.
    pub manifest: &'static str,
    /// The component, compiled for `wasm32-unknown-unknown`.
    pub component: &'static [u8],
}

/// All built-in plugins, by name.
pub fn plugins() -> &'static [Bundled] {
    include!(concat!(env!("OUT_DIR"), "/bundled.rs"))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    /// What each plugin can really do: the interfaces that its code calls. A
    /// change here is a change of what the plugin may be granted.
    #[test]
    fn what_the_plugins_import() {
        let mut lines = Vec::new();
        for plugin in plugins() {
            let imports = relata_plugin_build::imports(plugin.component).unwrap();
            let short: Vec<&str> = imports
                .iter()
                .map(|name| name.trim_start_matches("relata:plugin/").trim_end_matches("@0.1.0"))
                .collect();
            lines.push(format!("{}: {}", plugin.name, short.join(" ")));
        }
        expect![[r#"
            approval: env log messages records
            assign: env log records state
            crm: log records
            mail: log messages
            notify: log messages records
            route: env log records
            segment: log records
            sentiment: log
            survey: env log messages records
            task: log records
            ticket: log records"#]]
        .assert_eq(&lines.join("\n"));
    }

    #[test]
    fn the_manifest_has_the_name_of_the_plugin() {
        for plugin in plugins() {
            let line = format!("name = \"{}\"", plugin.name);
            assert!(plugin.manifest.lines().any(|found| found == line), "{line}");
        }
    }

    #[test]
    fn components_are_small() {
        for plugin in plugins() {
            let kib = plugin.component.len() / 1024;
            assert!(kib < 2048, "{} has {kib} KiB", plugin.name);
        }
    }
}
