//! The built-in plugins, compiled to components and embedded; and what a new
//! plugin of somebody else begins with.
//!
//! The built-in ones have no privilege: the host loads them as it loads a
//! stranger's, and their manifests say what they may touch.

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

/// A language in which plugins are written.
#[derive(Debug, Clone, Copy)]
pub struct Language {
    /// `rust`
    pub name: &'static str,
    /// The files of a new plugin. `__NAME__` stands where its name comes, in
    /// texts and in paths.
    pub template: &'static [File],
    /// The SDK, which lies in `sdk/NAME` of the new plugin.
    pub sdk: &'static [File],
}

/// A file of a new plugin.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// Where it lies, with `/` between the folders.
    pub path: &'static str,
    /// What is in it.
    pub bytes: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/languages.rs"));

/// The languages for which there is an SDK; the first is the usual one.
pub fn languages() -> &'static [Language] {
    LANGUAGES
}

/// The contract, which lies in `sdk/wit` of a new plugin.
pub fn contract() -> &'static [File] {
    CONTRACT
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
            route: env log records state
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

    #[test]
    fn a_new_plugin_begins_with_what_its_language_needs() {
        let has = |files: &[File], path: &str| files.iter().any(|file| file.path == path);
        for (name, sdk) in [
            ("rust", "Cargo.toml"),
            ("javascript", "package.json"),
            ("python", "pyproject.toml"),
            ("c", "relata.h"),
        ] {
            let language = languages().iter().find(|language| language.name == name).unwrap();
            for path in ["plugin.toml", "README.md", ".gitignore", "tests/__NAME__.test.yaml"] {
                assert!(has(language.template, path), "the template of {name} has no {path}");
            }
            assert!(has(language.sdk, sdk), "the SDK of {name} has no {sdk}");
            let foreign = language.sdk.iter().map(|file| file.path).find(|path| {
                path.split('/').any(|part| ["tests", "test", "node_modules"].contains(&part))
            });
            assert_eq!(foreign, None, "the SDK of {name} has what is not for authors");
        }
        assert!(has(contract(), "host.wit"));
    }

    #[test]
    fn the_rust_sdk_needs_no_workspace() {
        let rust = &languages()[0];
        let text = |files: &[File], path: &str| {
            let file = files.iter().find(|file| file.path == path).unwrap();
            String::from_utf8(file.bytes.to_vec()).unwrap()
        };
        let manifest = text(rust.sdk, "Cargo.toml");
        assert!(!manifest.contains("workspace"), "{manifest}");
        assert!(!manifest.contains("dev-dependencies"), "{manifest}");
        // What only the SDK's tests need is not locked for authors.
        let lock = text(rust.template, "Cargo.lock");
        assert!(lock.contains("name = \"wit-bindgen\"") && lock.contains("name = \"serde\""));
        assert!(!lock.contains("name = \"tokio\"") && !lock.contains("name = \"expect-test\""));
    }
}
