//! The `[plugins]` settings: whose plugins are run here.

use std::collections::BTreeMap;

use relata_package::PublicKey;
use serde::{Deserialize, Serialize};

use crate::AppError;

/// The section `[plugins]` of `relata.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PluginsConfig {
    /// Whether a plugin that nobody signed is refused.
    pub require_signature: bool,
    /// Whose signatures count, by the name that is shown.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub trusted: BTreeMap<String, PublicKey>,
    /// After how many failures by its own fault a new version, none of whose
    /// calls came off before, goes back to the version before; never, if not
    /// said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roll_back_after: Option<u32>,
}

impl PluginsConfig {
    /// What whoever signed `plugin` is called here; no name where nobody signed
    /// it, or nobody is trusted and nobody has to be.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where it may not be run.
    pub(crate) fn check_signer(
        &self,
        plugin: &str,
        signer: Option<PublicKey>,
    ) -> Result<Option<&str>, AppError> {
        let Some(key) = signer else {
            if self.require_signature {
                return Err(AppError::wrong(format!(
                    "nobody signed `{plugin}`, and relata.toml says `require_signature = true` under [plugins]; get a signed package, or sign it with `relata plugin sign FILE --key KEY`"
                )));
            }
            return Ok(None);
        };
        let known = self.trusted.iter().find(|(_, trusted)| **trusted == key);
        match known {
            Some((name, _)) => Ok(Some(name)),
            // Where nobody is named, a signature says as much as none.
            None if self.trusted.is_empty() && !self.require_signature => Ok(None),
            None => Err(AppError::wrong(format!(
                "`{plugin}` is signed by {key}, whom relata.toml does not trust; if you do, write NAME = \"{key}\" under [plugins.trusted]"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const ACME: &str = "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    const OTHER: &str = "ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=";

    fn check(config: &str, signer: Option<&str>, expected: Expect) {
        let config: PluginsConfig = toml::from_str(config).unwrap();
        let signer = signer.map(|key| key.parse().unwrap());
        let answer = match config.check_signer("enrich", signer) {
            Ok(name) => format!("{name:?}"),
            Err(why) => why.to_string(),
        };
        expected.assert_eq(&answer);
    }

    #[test]
    fn who_may_sign() {
        check("", None, expect!["None"]);
        check("", Some(OTHER), expect!["None"]);
        check(
            "require_signature = true",
            None,
            expect![
                "nobody signed `enrich`, and relata.toml says `require_signature = true` under [plugins]; get a signed package, or sign it with `relata plugin sign FILE --key KEY`"
            ],
        );
        check(
            "require_signature = true",
            Some(OTHER),
            expect![[
                r#"`enrich` is signed by ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=, whom relata.toml does not trust; if you do, write NAME = "ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=" under [plugins.trusted]"#
            ]],
        );
        let trusted = format!("[trusted]\nacme = \"{ACME}\"");
        check(&trusted, Some(ACME), expect![[r#"Some("acme")"#]]);
        check(
            &trusted,
            Some(OTHER),
            expect![[
                r#"`enrich` is signed by ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=, whom relata.toml does not trust; if you do, write NAME = "ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=" under [plugins.trusted]"#
            ]],
        );
        check(&trusted, None, expect!["None"]);
    }
}
