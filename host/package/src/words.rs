//! Permissions in the words of a workflow: `read lead.email`, `call
//! api.example.com`.

use crate::destination::{HostPattern, Method, Scheme};
use crate::permissions::{Channel, Grant};

/// All forms, as a person is shown them.
pub const FORMS: &[&str] = &[
    "read OBJECT.FIELD",
    "update OBJECT.FIELD",
    "create OBJECT",
    "delete OBJECT",
    "send mail",
    "notify users",
    "emit EVENT",
    "keep values",
    "call HOST",
    "use secret NAME",
];

/// Words that say no permission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not say what a plugin may do")]
pub struct NoPermission(String);

/// What some words allow. An object without a field is all its fields; a host
/// is called with any method, over `https` unless `http://` stands before it.
///
/// # Errors
///
/// [`NoPermission`] for words of another form than those of [`FORMS`].
pub fn grants_of(text: &str) -> Result<Vec<Grant>, NoPermission> {
    let wrong = || NoPermission(text.to_owned());
    let words: Vec<&str> = text.split_whitespace().collect();
    let field = |path: &str| match path.split_once('.') {
        Some((object, field)) if !object.is_empty() && !field.is_empty() => {
            Some((object.to_owned(), field.to_owned()))
        }
        None if !path.is_empty() => Some((path.to_owned(), "*".to_owned())),
        _ => None,
    };
    Ok(match words[..] {
        ["read", path] => {
            let (object, field) = field(path).ok_or_else(wrong)?;
            vec![Grant::Read(object, field)]
        }
        ["update", path] => {
            let (object, field) = field(path).ok_or_else(wrong)?;
            vec![Grant::Update(object, field)]
        }
        ["create", object] if !object.contains('.') => vec![Grant::Create(object.to_owned())],
        ["delete", object] if !object.contains('.') => vec![Grant::Delete(object.to_owned())],
        ["send", "mail"] => vec![Grant::Message(Channel::Mail)],
        ["notify", "users"] => vec![Grant::Message(Channel::Notify)],
        ["emit", event] => vec![Grant::Emit(event.to_owned())],
        ["keep", "values"] => vec![Grant::State],
        ["call", host] => {
            let (scheme, host) = match host.split_once("://") {
                Some(("https", host)) => (Scheme::Https, host),
                Some(("http", host)) => (Scheme::Http, host),
                Some(_) => return Err(wrong()),
                None => (Scheme::Https, host),
            };
            let host: HostPattern = host.parse().map_err(|_| wrong())?;
            Method::ALL.map(|method| Grant::Http(scheme, host.clone(), method)).to_vec()
        }
        ["use", "secret", name] => vec![Grant::Secret(name.to_owned(), HostPattern::any())],
        _ => return Err(wrong()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read() {
        for form in FORMS {
            let words = form.replace("HOST", "api.example.com");
            let words = words.replace("OBJECT.FIELD", "lead.email").replace("OBJECT", "lead");
            assert!(grants_of(&words).is_ok(), "{words}");
        }
        assert_eq!(
            grants_of(" read  lead ").unwrap(),
            [Grant::Read("lead".to_owned(), "*".to_owned())]
        );
        assert_eq!(grants_of("call http://a.example:81").unwrap().len(), Method::ALL.len());
    }

    #[test]
    fn and_nothing_else() {
        for words in [
            "",
            "read",
            "read .x",
            "reed lead",
            "create lead.email",
            "call a/b",
            "call ftp://a",
            "send letters",
            "read a b",
        ] {
            assert!(grants_of(words).is_err(), "{words}");
        }
    }
}
