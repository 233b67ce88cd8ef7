//! The mail folder, read as a stranger would: what was really delivered.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;

/// A mail that lies in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delivered {
    /// Its `Message-ID`, without the brackets.
    pub(super) message_id: String,
    /// Its `To`, as it stands there.
    pub(super) to: String,
}

/// Every mail in the folder and the folders below it, by file name.
pub(super) fn read(folder: &Path) -> anyhow::Result<Vec<Delivered>> {
    let mut mails = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => continue,
            Err(why) => {
                return Err(why).with_context(|| format!("cannot read {}", folder.display()));
            }
        };
        for entry in entries {
            let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "eml") {
                let source =
                    fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                mails.insert(path, parse(&String::from_utf8_lossy(&source)));
            }
        }
    }
    Ok(mails.into_values().collect())
}

fn parse(source: &str) -> Delivered {
    let header = |name: &str| {
        let mut value: Option<String> = None;
        for line in source.lines().take_while(|line| !line.is_empty()) {
            let folded = line.starts_with([' ', '\t']);
            match &mut value {
                Some(value) if folded => value.push_str(line.trim()),
                Some(_) => break,
                None => {
                    let found =
                        line.split_once(':').filter(|(found, _)| found.eq_ignore_ascii_case(name));
                    value = found.map(|(_, rest)| rest.trim().to_owned());
                }
            }
        }
        value.unwrap_or_default()
    };
    Delivered {
        message_id: header("Message-ID").trim_matches(['<', '>']).to_owned(),
        to: header("To"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_may_be_folded_and_bodies_may_look_like_headers() {
        let mail = parse(
            "To: Anna\r\nMessage-ID:\r\n <eff_1@relata>\r\nSubject: Hi\r\n\r\nMessage-ID: <no@no>\r\n",
        );
        assert_eq!(mail.message_id, "eff_1@relata");
        assert_eq!(mail.to, "Anna");
        assert_eq!(parse("\r\nMessage-ID: <no@no>").message_id, "");
    }
}
