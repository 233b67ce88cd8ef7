//! What people may call what they make beside records and workflows: tokens,
//! secrets.

use relata_model::text;

use crate::AppError;

/// The longest name, characters.
const LONGEST_NAME: usize = 64;

/// Whether a thing of this kind can have this name. A variable of the
/// environment can say each one, so there are no underscores.
///
/// # Errors
///
/// [`AppError::Wrong`] says what a name looks like.
pub(crate) fn check_name(kind: &str, name: &str, example: &str) -> Result<(), AppError> {
    let fits = name.len() <= LONGEST_NAME
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fits {
        return Ok(());
    }
    Err(AppError::wrong(format!(
        "`{}` cannot name a {kind}; use up to {LONGEST_NAME} lower-case letters, digits and `-`, a letter first, such as {example}",
        text::shortened(name, LONGEST_NAME)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_path() {
        let fits = |name: &str| check_name("secret", name, "shop-webhook").is_ok();
        for name in ["", "..", "../relata", "a/b", ".gitignore", "Shop", "shop_webhook", "-a"] {
            assert!(!fits(name), "{name}");
        }
        assert!(!fits(&"a".repeat(LONGEST_NAME + 1)));
        assert!(fits("shop-webhook-2"));
    }
}
