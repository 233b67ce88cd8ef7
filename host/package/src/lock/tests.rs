use expect_test::{Expect, expect};
use zeroize::Zeroizing;

use super::*;
use crate::package::Parts;
use crate::signature::SecretKey;

const MANIFEST: &str = r#"name = "enrich"
version = "0.1.0"
title = "Fill in a lead's company"
contract = "0.1.0"

[permissions]
state = true
messages = ["mail"]
[permissions.secrets]
companies-token = ["companies.example"]
[permissions.records.lead]
read = ["email", "company"]
update = ["company"]
[[permissions.http]]
host = "companies.example"
methods = ["GET"]
"#;

const SCHEMAS: &str = r#"{"actions": [{"id": "company", "title": "T", "input": {}, "output": {}, "idempotent": true}]}"#;

fn package(change: impl FnOnce(&mut Parts)) -> Package {
    let mut parts = Parts {
        manifest: MANIFEST.into(),
        component: vec![0, b'a', b's', b'm', 0x0d, 0, 1, 0],
        schemas: SCHEMAS.into(),
        signature: None,
    };
    change(&mut parts);
    Package::from_parts(parts).unwrap()
}

fn lock() -> Lock {
    let mut package = package(|_| ());
    package.sign(&SecretKey::from_seed(&Zeroizing::new([7; 32])));
    let granted = package.manifest().permissions.clone();
    let source = "oci://plugins.example/enrich:0.1.0".to_owned();
    let entry = LockEntry::of(&package, source, granted);
    Lock { plugins: [("enrich".to_owned(), entry)].into() }
}

#[test]
fn its_text() {
    let text = lock().to_text();
    expect![[r##"
        # The installed plugins, and what was agreed to for each. `relata plugin install`
        # and `relata plugin remove` write it; keep it in the repository. What lies in
        # plugins/ and does not fit it is not run.

        version = 1

        [plugins.enrich]
        version = "0.1.0"
        contract = "0.1.0"
        package = "sha256:99aeb8ae7c3c1851694bcd7557cb08803345e7654c9c84d437a3724f6886d975"
        component = "sha256:24eaf3439a60c96764c4f2c92a0a81b52bd4fe5d5b91f090184a0f6486b1bf29"
        manifest = "sha256:11b326591f4fef63122ddacae03bf06b72c8d276b40e42943b9d742f8941be0f"
        signer = "ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw="
        source = "oci://plugins.example/enrich:0.1.0"

        [plugins.enrich.granted]
        messages = ["mail"]
        state = true

        [plugins.enrich.granted.secrets]
        companies-token = ["companies.example"]

        [plugins.enrich.granted.records.lead]
        read = ["email", "company"]
        update = ["company"]

        [[plugins.enrich.granted.http]]
        host = "companies.example"
        methods = ["GET"]
    "##]]
    .assert_eq(&text);
    assert_eq!(Lock::parse(&text), Ok(lock()));
    assert_eq!(Lock::parse(&Lock::default().to_text()), Ok(Lock::default()));
}

#[test]
fn texts_that_are_none() {
    let check = |text: &str, expected: Expect| {
        expected.assert_eq(&Lock::parse(text).unwrap_err().to_string());
    };
    let text = lock().to_text();
    check(
        "",
        expect![[r#"
        relata.lock cannot be read: TOML parse error at line 1, column 1
          |
        1 | 
          | ^
        missing field `version`
        Put back the last version that was good; `relata plugin install` writes it, nobody else should"#]],
    );
    check(
        "version = 0",
        expect![[r#"
        relata.lock cannot be read: its version is 0, not 1
        Put back the last version that was good; `relata plugin install` writes it, nobody else should"#]],
    );
    check(
        "version = 2\nregistries = []",
        expect![
            "relata.lock is of version 2, and this host reads version 1: a newer Relata wrote it; use that one"
        ],
    );
    check(
        &text.replace("[plugins.enrich", "[plugins.\"../x\""),
        expect!["relata.lock: `../x` cannot be the name of a plugin"],
    );
    check(
        &text.replace("component = \"sha256:", "component = \"md5:"),
        expect![[r#"
        relata.lock cannot be read: TOML parse error at line 11, column 13
           |
        11 | component = "md5:24eaf3439a60c96764c4f2c92a0a81b52bd4fe5d5b91f090184a0f6486b1bf29"
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        `md5:24eaf3439a60c96764c4f2c92a0a81b52bd4fe5d5b91f090184a0f6486b1bf29` is not a digest: it should be sha256: and 64 digits 0-9 and a-f
        Put back the last version that was good; `relata plugin install` writes it, nobody else should"#]],
    );
    check(
        &format!("{text}<<<<<<< HEAD\n"),
        expect![
            "relata.lock holds the marks of a merge (<<<<<<<): take one side, and install the plugins of the other again with `relata plugin install`"
        ],
    );
}

#[test]
fn what_does_not_fit_is_named() {
    let entry = &lock().plugins["enrich"];
    let mut same = package(|_| ());
    same.sign(&SecretKey::from_seed(&Zeroizing::new([7; 32])));
    assert_eq!(entry.check(&same), Ok(()));

    let check = |change: fn(&mut Parts), signer: Option<u8>, expected: Expect| {
        let mut package = package(change);
        if let Some(seed) = signer {
            package.sign(&SecretKey::from_seed(&Zeroizing::new([seed; 32])));
        }
        expected.assert_eq(&entry.check(&package).unwrap_err().to_string());
    };
    check(
        |_| (),
        None,
        expect![
            "relata.lock has the signer ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw= for `enrich`, the files have nobody: somebody changed the files or the lock. Put back what belongs together, or run `relata plugin install FILE`, which shows the new one and asks"
        ],
    );
    check(
        |_| (),
        Some(8),
        expect![
            "relata.lock has the signer ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw= for `enrich`, the files have ed25519:E5j2LG0aRXxRumpLXz29L2n8qTIWIY3ImX5Ba9F9k8o=: somebody changed the files or the lock. Put back what belongs together, or run `relata plugin install FILE`, which shows the new one and asks"
        ],
    );
    check(
        |parts| parts.schemas.push(b'\n'),
        Some(7),
        expect![
            "relata.lock has the package digest sha256:99aeb8ae7c3c1851694bcd7557cb08803345e7654c9c84d437a3724f6886d975 for `enrich`, the files have sha256:32918c9af04d097db188bb577f88bf0b5c2688f79a1e6f23a162f375396f375f: somebody changed the files or the lock. Put back what belongs together, or run `relata plugin install FILE`, which shows the new one and asks"
        ],
    );
    check(
        |parts| parts.component.push(0),
        Some(7),
        expect![
            "relata.lock has the component sha256:24eaf3439a60c96764c4f2c92a0a81b52bd4fe5d5b91f090184a0f6486b1bf29 for `enrich`, the files have sha256:a4c2c3b53ffe4ac36ac72dcc51e1e0d3fc16dd163a0efaa5bf02e3c8d5f20500: somebody changed the files or the lock. Put back what belongs together, or run `relata plugin install FILE`, which shows the new one and asks"
        ],
    );
    check(
        |parts| {
            let text = MANIFEST.replacen("version = \"0.1.0\"", "version = \"0.2.0\"", 1);
            parts.manifest = text.into();
        },
        Some(7),
        expect![
            "relata.lock has the version 0.1.0 for `enrich`, the files have 0.2.0; relata.lock has the manifest sha256:11b326591f4fef63122ddacae03bf06b72c8d276b40e42943b9d742f8941be0f, the files have sha256:8e1b468c7b09b471b1be122354f02cfedf50508c9f89321bc4d16ff9833fcf77: somebody changed the files or the lock. Put back what belongs together, or run `relata plugin install FILE`, which shows the new one and asks"
        ],
    );
}
