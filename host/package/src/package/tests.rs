use expect_test::{Expect, expect};
use zeroize::Zeroizing;

use super::*;
use crate::schemas_json;

const ENRICH: &str = r#"name = "enrich"
version = "0.1.0"
title = "Fill in a lead's company"
contract = "0.1.0"

[permissions]
state = true
"#;

const PREAMBLE: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

fn parts() -> Parts {
    let action = Action {
        id: "company".to_owned(),
        title: "Fill in a lead's company".to_owned(),
        summary: String::new(),
        input: serde_json::json!({ "type": "object" }),
        output: serde_json::json!({ "type": "object" }),
        reads: vec!["lead.email".to_owned()],
        writes: vec!["lead.company".to_owned()],
        correlation: vec![],
        exclusive: Some("enrich/counter".to_owned()),
        idempotent: true,
    };
    Parts {
        manifest: ENRICH.into(),
        component: PREAMBLE.to_vec(),
        schemas: schemas_json(&[action]).into_bytes(),
        signature: None,
    }
}

fn package() -> Package {
    Package::from_parts(parts()).unwrap()
}

fn key() -> SecretKey {
    SecretKey::from_seed(&Zeroizing::new([7; 32]))
}

/// What is wrong, without the words around it that are always the same.
fn why(error: &PackageError) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("this is no plugin package, or a broken one: ").unwrap_or(&text);
    text.strip_suffix(&format!(". {MAKE}")).unwrap_or(text).to_owned()
}

/// Why some parts are no package.
fn refused(change: impl FnOnce(&mut Parts), expected: Expect) {
    let mut parts = parts();
    change(&mut parts);
    expected.assert_eq(&why(&Package::from_parts(parts).unwrap_err()));
}

/// A gzip'd tar of the package's own files and what a test adds.
fn archive(add: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let parts = parts();
    for (name, bytes) in [
        ("component.wasm", &parts.component),
        ("plugin.toml", &parts.manifest),
        ("schemas.json", &parts.schemas),
    ] {
        tar.append(&header(name, tar::EntryType::Regular, bytes.len() as u64), &**bytes).unwrap();
    }
    add(&mut tar);
    gzip(&tar.into_inner().unwrap())
}

fn header(name: &str, kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    // Past `set_path`, which refuses what a hostile archive has.
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// Why some bytes are no package.
fn unreadable(bytes: &[u8], expected: Expect) {
    expected.assert_eq(&why(&Package::read(bytes).unwrap_err()));
}

#[test]
fn what_is_written_is_read_and_is_always_the_same() {
    let mut package = package();
    assert_eq!(package.file_name(), "enrich-0.1.0.relata");
    assert_eq!(Package::read(&package.write()).unwrap().parts(), package.parts());
    package.sign(&key());
    let bytes = package.write();
    let read = Package::read(&bytes).unwrap();
    assert_eq!(read.write(), bytes);
    assert_eq!(read.signer(), Some(key().public()));
    assert_eq!(read.actions(), package.actions());

    let split =
        Package::read_split(package.parts().component.clone(), &package.write_about()).unwrap();
    assert_eq!(split.write(), bytes);
}

#[test]
fn the_digest_covers_all_but_the_signature() {
    let mut signed = package();
    signed.sign(&key());
    assert_eq!(signed.digests(), package().digests());
    // `sha256sum component.wasm plugin.toml schemas.json | sha256sum`
    expect!["sha256:6e99149cbe328c554f4e607fd865920253f9ea59959b80ccbdea08b8d6a5c090"]
        .assert_eq(&package().digests().package.to_string());
    let changes: [fn(&mut Parts); 3] = [
        |parts| parts.component.push(0),
        |parts| parts.manifest.push(b'\n'),
        |parts| parts.schemas.push(b'\n'),
    ];
    for change in changes {
        let mut parts = signed.parts().clone();
        change(&mut parts);
        let error = Package::from_parts(parts.clone()).unwrap_err();
        assert!(matches!(error, PackageError::BadSignature(_)), "{error}");
        parts.signature = None;
        let changed = Package::from_parts(parts).unwrap();
        assert_ne!(changed.digests().package, package().digests().package);
    }
}

#[test]
fn parts_that_are_wrong() {
    refused(
        |parts| parts.component = vec![0, b'a', b's', b'm', 1, 0, 0, 0],
        expect![
            "the package's `component.wasm` is a core WebAssembly module, not a WebAssembly component; `relata plugin build` makes one"
        ],
    );
    refused(
        |parts| parts.component.clear(),
        expect![
            "the package's `component.wasm` is something else, not a WebAssembly component; `relata plugin build` makes one"
        ],
    );
    refused(
        |parts| parts.component.resize(MAX_COMPONENT_BYTES + 1, 0),
        expect!["the package's `component.wasm` is larger than 32 MiB, the most it may be"],
    );
    refused(
        |parts| parts.manifest = b"name = 1".into(),
        expect![[r#"
        plugin.toml cannot be read: TOML parse error at line 1, column 8
          |
        1 | name = 1
          |        ^
        invalid type: integer `1`, expected a string"#]],
    );
    refused(
        |parts| parts.manifest = vec![0xff],
        expect!["the package's `plugin.toml` is not a text in UTF-8"],
    );
    refused(
        |parts| parts.manifest = ENRICH.replace("\"0.1.0\"\ntitle", "\"1.0.0-../x\"\ntitle").into(),
        expect!["plugin.toml: the version `1.0.0-../x` is not of the form 1.2.3"],
    );
    refused(
        |parts| parts.schemas = b"{}".into(),
        expect![
            "the package's `schemas.json` cannot be read: missing field `actions` at line 1 column 2"
        ],
    );
    refused(
        |parts| parts.schemas = b"{\"actions\": []}".into(),
        expect!["the package's `schemas.json` has no actions"],
    );
    refused(
        |parts| {
            let text = String::from_utf8(parts.schemas.clone()).unwrap();
            parts.schemas = text.replace("company\"", "a\\u001b[2J\"").into();
        },
        expect![[
            r#"the package's `schemas.json` has the action `a\u{1b}[2J`, which cannot be a name: a letter a-z first, then letters a-z, digits and _, at most 40"#
        ]],
    );
    refused(
        |parts| parts.signature = Some(b"key = 1".into()),
        expect![[r#"
        the package's `signature.toml` cannot be read: TOML parse error at line 1, column 7
          |
        1 | key = 1
          |       ^
        invalid type: integer `1`, expected a string. `relata plugin sign` writes it"#]],
    );
    refused(
        |parts| {
            let signature = key().sign(&Digest::of(b"another"));
            parts.signature = Some(signature.to_toml().into_bytes());
        },
        expect![
            "the signature in the name of ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw= is not one of this package (sha256:6e99149cbe328c554f4e607fd865920253f9ea59959b80ccbdea08b8d6a5c090): it was changed after it was signed, or the signature belongs to another. Get the package again from its author; do not install this one"
        ],
    );
}

#[test]
fn bytes_that_are_no_package() {
    unreadable(b"", expect!["it does not unpack as a gzip'd tar: unexpected end of file"]);
    unreadable(
        b"PK\x03\x04",
        expect!["it does not unpack as a gzip'd tar: unexpected end of file"],
    );
    unreadable(&gzip(b""), expect!["the package has no `component.wasm`"]);
    let whole = package().write();
    for cut in 1..whole.len() {
        assert!(Package::read(&whole[..cut]).is_err(), "cut after {cut} bytes");
    }
    unreadable(
        &[whole.clone(), whole.clone()].concat(),
        expect!["something that does not belong to it follows its end"],
    );
    unreadable(
        &archive(|tar| tar.get_mut().extend([1; 512])),
        expect![[
            r#"it does not unpack as a gzip'd tar: numeric field was not a number: \u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1} when getting cksum …"#
        ]],
    );
    // A second tar behind the end of the first.
    let second = archive(|tar| {
        tar.get_mut().extend([0; 1024]);
        tar.get_mut().extend(*header("plugin.toml", tar::EntryType::Regular, 0).as_bytes());
    });
    unreadable(&second, expect!["something that does not belong to it follows its end"]);
}

#[test]
fn entries_that_do_not_belong_there() {
    use tar::EntryType;

    let entry = |name: &str, kind: EntryType, expected: Expect| {
        unreadable(&archive(|tar| tar.append(&header(name, kind, 0), &[][..]).unwrap()), expected);
    };
    entry(
        "README.md",
        EntryType::Regular,
        expect![
            "it holds `README.md`, where only component.wasm, plugin.toml, schemas.json, signature.toml belong"
        ],
    );
    entry(
        "../plugin.toml",
        EntryType::Regular,
        expect![
            "it holds `../plugin.toml`, where only component.wasm, plugin.toml, schemas.json, signature.toml belong"
        ],
    );
    entry(
        "/etc/passwd",
        EntryType::Regular,
        expect![
            "it holds `/etc/passwd`, where only component.wasm, plugin.toml, schemas.json, signature.toml belong"
        ],
    );
    entry(
        "./plugin.toml",
        EntryType::Regular,
        expect![
            "it holds `./plugin.toml`, where only component.wasm, plugin.toml, schemas.json, signature.toml belong"
        ],
    );
    entry(
        "a\x1b[2Jb",
        EntryType::Regular,
        expect![[
            r#"it holds `a\u{1b}[2Jb`, where only component.wasm, plugin.toml, schemas.json, signature.toml belong"#
        ]],
    );
    entry("plugin.toml", EntryType::Regular, expect!["it holds `plugin.toml` twice"]);
    entry(
        "signature.toml",
        EntryType::Symlink,
        expect!["its `signature.toml` is not a plain file"],
    );
    entry(
        "signature.toml",
        EntryType::Directory,
        expect!["its `signature.toml` is not a plain file"],
    );
    entry(
        "signature.toml",
        EntryType::GNUSparse,
        expect!["its `signature.toml` is not a plain file"],
    );
    entry(
        "signature.toml",
        EntryType::XHeader,
        expect!["its `signature.toml` is not a plain file"],
    );
    entry(
        "././@LongLink",
        EntryType::GNULongName,
        expect![
            "it holds `././@LongLink`, where only component.wasm, plugin.toml, schemas.json, signature.toml belong"
        ],
    );
}

#[test]
fn a_bomb_is_not_unpacked() {
    let declared =
        |name: &str, size: u64| gzip(header(name, tar::EntryType::Regular, size).as_bytes());
    unreadable(
        &declared("component.wasm", (32 << 20) + 1),
        expect!["its `component.wasm` is larger than 32 MiB"],
    );
    unreadable(
        &declared("plugin.toml", u64::from(u32::MAX)),
        expect!["its `plugin.toml` is larger than 64 KiB"],
    );
    unreadable(
        &declared("schemas.json", 1 << 20),
        expect!["it does not unpack as a gzip'd tar: it ends in the middle of `schemas.json`"],
    );
    // 64 MiB of zeros behind a good package.
    unreadable(
        &archive(|tar| tar.get_mut().extend(vec![0; 64 << 20])),
        expect!["something that does not belong to it follows its end"],
    );
}

#[test]
fn a_refusal_says_what_to_do() {
    let error = Package::read(b"PK").unwrap_err();
    expect!["this is no plugin package, or a broken one: it does not unpack as a gzip'd tar: unexpected end of file. Get it again, or make it again with `relata plugin pack` in the plugin's folder"].assert_eq(&error.to_string());
}

#[test]
fn what_is_missing() {
    let only = |name: &str| {
        let mut tar = tar::Builder::new(Vec::new());
        let bytes = &PREAMBLE[..];
        tar.append(&header(name, tar::EntryType::Regular, bytes.len() as u64), bytes).unwrap();
        gzip(&tar.into_inner().unwrap())
    };
    unreadable(&only("plugin.toml"), expect!["the package has no `component.wasm`"]);
    unreadable(&only("component.wasm"), expect!["the package has no `plugin.toml`"]);
}
