//! `plugin.toml`: what a plugin is called and what it asks for.

use serde::{Deserialize, Serialize};

use crate::limits::LimitsAsked;
use crate::permissions::Permissions;
use crate::plain::{plain_start, toml_error};

/// The contract versions that hosts of this build run, oldest first.
pub const CONTRACTS: &[&str] = &["0.1.0"];

/// A parsed `plugin.toml`.
///
/// ```
/// let manifest = relata_package::PluginManifest::parse(r#"
///     name = "assign"
///     version = "0.1.0"
///     title = "Assign records to people"
///     contract = "0.1.0"
///     [permissions]
///     state = true
///     [permissions.records.lead]
///     read = ["owner", "status"]
///     update = ["owner"]
///     [limits]
///     cpu_ms = 50
/// "#)?;
/// assert_eq!(manifest.name, "assign");
/// # Ok::<(), relata_package::ManifestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PluginManifest {
    /// The name workflows use: `assign` in `do: assign.round_robin`.
    pub name: String,
    /// The plugin's own version.
    pub version: String,
    /// One line.
    pub title: String,
    /// The version of the contract it was built against.
    pub contract: String,
    /// What it asks to do.
    #[serde(default)]
    pub permissions: Permissions,
    /// What it asks to use up.
    #[serde(default)]
    pub limits: LimitsAsked,
    /// How `relata plugin build` makes its component.
    #[serde(default, skip_serializing_if = "Build::is_usual")]
    pub build: Build,
}

/// The `[build]` of a `plugin.toml`. The commands are for `sh -c` in the
/// plugin's folder. Of no meaning to whoever installs the plugin.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// What is run first where `needs` is missing: `npm ci`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setup: Option<String>,
    /// What `setup` leaves behind: `node_modules`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    /// What makes the component; absent, it is a cargo crate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The file that it leaves: `build/enrich.wasm` if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
}

impl Build {
    /// Whether it says nothing: a cargo crate, with everything as usual.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// A `plugin.toml` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is not TOML, or not of the manifest's shape; the message has the
    /// line and shows it.
    #[error("plugin.toml cannot be read: {0}")]
    Shape(String),
    /// The name would not do in `do: name.action`.
    #[error(
        "plugin.toml: the name `{0}` cannot be used: a letter a-z first, then letters a-z, digits and _, at most 40"
    )]
    Name(String),
    /// The version is not of the form 1.2.3.
    #[error("plugin.toml: the version `{0}` is not of the form 1.2.3")]
    Version(String),
    /// A contract this host does not know.
    #[error("plugin.toml: the contract `{0}` is unknown to this host, which runs {known}", known = CONTRACTS.join(", "))]
    Contract(String),
}

impl PluginManifest {
    /// Parses the text of a `plugin.toml`.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest: PluginManifest =
            toml::from_str(text).map_err(|error| ManifestError::Shape(toml_error(&error)))?;
        if !is_name(&manifest.name) {
            return Err(ManifestError::Name(plain_start(&manifest.name)));
        }
        if !is_version(&manifest.version) {
            return Err(ManifestError::Version(plain_start(&manifest.version)));
        }
        if !CONTRACTS.contains(&manifest.contract.as_str()) {
            return Err(ManifestError::Contract(plain_start(&manifest.contract)));
        }
        Ok(manifest)
    }

    /// Where `relata plugin build` leaves the component, from the plugin's
    /// folder: `build/enrich.wasm`.
    #[must_use]
    pub fn component(&self) -> String {
        self.build.component.clone().unwrap_or_else(|| format!("build/{}.wasm", self.name))
    }
}

/// Whether a text can be a plugin's or an action's name.
pub fn is_name(text: &str) -> bool {
    text.len() <= 40
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn is_version(text: &str) -> bool {
    text.len() <= 64 && semver::Version::parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    const HEAD: &str = "name = \"p\"\nversion = \"0.1.0\"\ntitle = \"P\"\ncontract = \"0.1.0\"\n";

    fn check(text: &str, expected: Expect) {
        let got = match PluginManifest::parse(text) {
            Ok(manifest) => format!("{:?}", manifest.permissions),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&got);
    }

    #[test]
    fn only_a_head_asks_for_nothing() {
        check(
            HEAD,
            expect![
                "Permissions { messages: [], events: [], state: false, secrets: {}, records: {}, http: [] }"
            ],
        );
    }

    #[test]
    fn unknown_keys_and_names_are_refused() {
        check(
            &format!("{HEAD}[permissions]\nfiles = true\n"),
            expect![[r#"
                plugin.toml cannot be read: TOML parse error at line 6, column 1
                  |
                6 | files = true
                  | ^^^^^
                unknown field `files`, expected one of `messages`, `events`, `state`, `secrets`, `records`, `http`"#]],
        );
        check(
            &format!("{HEAD}[permissions]\nmessages = [\"sms\"]\n"),
            expect![[r#"
                plugin.toml cannot be read: TOML parse error at line 6, column 13
                  |
                6 | messages = ["sms"]
                  |             ^^^^^
                unknown variant `sms`, expected `mail` or `notify`"#]],
        );
        check(
            &format!("{HEAD}[permissions.records.lead]\nwrite = [\"owner\"]\n"),
            expect![[r#"
                plugin.toml cannot be read: TOML parse error at line 6, column 1
                  |
                6 | write = ["owner"]
                  | ^^^^^
                unknown field `write`, expected one of `read`, `update`, `create`, `delete`"#]],
        );
        check(
            &format!("{HEAD}[build]\ncomand = \"make\"\n"),
            expect![[r#"
                plugin.toml cannot be read: TOML parse error at line 6, column 1
                  |
                6 | comand = "make"
                  | ^^^^^^
                unknown field `comand`, expected one of `setup`, `needs`, `command`, `component`"#]],
        );
        check(
            &format!("{HEAD}[limits]\nmemory = 64\n"),
            expect![[r#"
                plugin.toml cannot be read: TOML parse error at line 6, column 1
                  |
                6 | memory = 64
                  | ^^^^^^
                unknown field `memory`, expected one of `memory_mib`, `cpu_ms`, `call_s`, `input_kib`, `output_kib`, `log_kib`, `writes`, `queries`, `http_calls`, `http_kib`, `http_s`"#]],
        );
    }

    #[test]
    fn how_it_is_built_is_of_no_meaning_where_nothing_is_said() {
        let plain = PluginManifest::parse(HEAD).unwrap();
        assert!(plain.build.is_usual());
        assert!(!toml::to_string(&plain).unwrap().contains("build"));
        let text = format!("{HEAD}[build]\nsetup = \"npm ci\"\nneeds = \"node_modules\"\n");
        let manifest = PluginManifest::parse(&text).unwrap();
        assert_eq!(manifest.build.setup.as_deref(), Some("npm ci"));
        assert_eq!(manifest.build.needs.as_deref(), Some("node_modules"));
        assert_eq!(manifest.component(), "build/p.wasm");
    }

    #[test]
    fn names_versions_and_contracts_are_checked() {
        check(
            &HEAD.replace("\"p\"", "\"My-Plugin\""),
            expect![
                "plugin.toml: the name `My-Plugin` cannot be used: a letter a-z first, then letters a-z, digits and _, at most 40"
            ],
        );
        check(
            &HEAD.replace("version = \"0.1.0\"", "version = \"one\""),
            expect!["plugin.toml: the version `one` is not of the form 1.2.3"],
        );
        check(
            &HEAD.replace("contract = \"0.1.0\"", "contract = \"9.0.0\""),
            expect!["plugin.toml: the contract `9.0.0` is unknown to this host, which runs 0.1.0"],
        );
        check(
            &HEAD.replace("version = \"0.1.0\"", "version = \"1.0.0-../../x\""),
            expect!["plugin.toml: the version `1.0.0-../../x` is not of the form 1.2.3"],
        );
    }

    #[test]
    fn a_refusal_does_not_write_on_the_screen() {
        check(
            &HEAD.replace("\"p\"", "\"\\u001B[2J\""),
            expect![[
                r#"plugin.toml: the name `\u{1b}[2J` cannot be used: a letter a-z first, then letters a-z, digits and _, at most 40"#
            ]],
        );
        check(
            &HEAD.replace("\"p\"", "\u{1b}[2J"),
            expect![[r#"
            plugin.toml cannot be read: TOML parse error at line 1, column 9
              |
            1 | name = \u{1b}[2J
              |         ^
            unexpected key or value, expected newline, `#`"#]],
        );
    }
}
