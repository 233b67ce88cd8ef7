//! `WWW-Authenticate`: how a registry wants to be asked.

/// What a registry wants to see before it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A name and a password.
    Basic,
    /// A token, to be had elsewhere.
    Bearer {
        /// From there.
        realm: String,
        /// For this service.
        service: Option<String>,
        /// To do this.
        scope: Option<String>,
    },
}

impl Challenge {
    /// The first challenge of a header that we can meet.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (scheme, parameters) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Challenge::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service, mut scope) = (None, None, None);
        for (name, value) in pairs(parameters) {
            match name.to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value),
                "service" => service = Some(value),
                "scope" => scope = Some(value),
                _ => {}
            }
        }
        Some(Challenge::Bearer { realm: realm?, service, scope })
    }
}

/// `name="value"` and `name=value`, with commas between them; a quoted value
/// may hold commas itself.
fn pairs(mut rest: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => match quoted.split_once('"') {
                Some((value, after)) => (value, after),
                None => break,
            },
            None => match after.split_once(',') {
                Some((value, after)) => (value.trim(), after),
                None => (after.trim(), ""),
            },
        };
        pairs.push((name.trim_matches([' ', ',']).to_owned(), value.to_owned()));
        rest = after;
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[test]
    fn headers() {
        let check = |header: &str, expected: Expect| {
            expected.assert_eq(&format!("{:?}", Challenge::parse(header)));
        };
        check("Basic realm=\"basic-realm\"", expect!["Some(Basic)"]);
        check("basic", expect!["Some(Basic)"]);
        check(
            "Bearer realm=\"https://auth.example/token\",service=\"registry.example\",scope=\"repository:a/b:pull,push\"",
            expect![[
                r#"Some(Bearer { realm: "https://auth.example/token", service: Some("registry.example"), scope: Some("repository:a/b:pull,push") })"#
            ]],
        );
        check(
            "bearer realm=https://auth.example/token, error=\"invalid_token\"",
            expect![[
                r#"Some(Bearer { realm: "https://auth.example/token", service: None, scope: None })"#
            ]],
        );
        check("Bearer service=\"x\"", expect!["None"]);
        check("Bearer realm=\"https://auth.example", expect!["None"]);
        check("Negotiate", expect!["None"]);
        check("", expect!["None"]);
    }
}
