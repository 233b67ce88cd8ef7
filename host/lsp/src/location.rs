//! Files as the protocol names them: `file:` addresses.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

/// The address of a file; none for a path that is not absolute or not UTF-8.
#[must_use]
pub fn file_uri(path: &Path) -> Option<String> {
    if !path.is_absolute() {
        return None;
    }
    let text = path.to_str()?.replace('\\', "/");
    let mut uri = String::from("file://");
    if !text.starts_with('/') {
        uri.push('/');
    }
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    Some(uri)
}

/// The path of a `file:` address.
#[must_use]
pub fn path_of(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    // A host may stand before the path; it is always this one.
    let path = &rest[rest.find('/')?..];
    let mut bytes = Vec::with_capacity(path.len());
    let mut left = path.as_bytes();
    while let Some((&byte, rest)) = left.split_first() {
        let code = (byte == b'%')
            .then(|| rest.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) => {
                bytes.push(code);
                left = &rest[2..];
            }
            None => {
                bytes.push(byte);
                left = rest;
            }
        }
    }
    let path = String::from_utf8(bytes).ok()?;
    // `/C:/shop` is `C:/shop`.
    let is_drive = path.as_bytes().get(2) == Some(&b':');
    Some(PathBuf::from(if is_drive { &path[1..] } else { path.as_str() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn addresses_and_paths_are_the_same_files() {
        for (path, uri) in [
            ("/shop/win-back.yaml", "file:///shop/win-back.yaml"),
            ("/my shop/客户 50%.yaml", "file:///my%20shop/%E5%AE%A2%E6%88%B7%2050%25.yaml"),
        ] {
            assert_eq!(file_uri(Path::new(path)).as_deref(), Some(uri));
            assert_eq!(path_of(uri).as_deref(), Some(Path::new(path)));
        }
        assert_eq!(file_uri(Path::new("win-back.yaml")), None);
        assert_eq!(path_of("untitled:Untitled-1"), None);
        assert_eq!(path_of("file:///C%3A/shop/a.yaml"), Some(PathBuf::from("C:/shop/a.yaml")));
    }
}
