use expect_test::{Expect, expect};
use zeroize::Zeroizing;

use super::*;
use crate::package::Parts;
use crate::signature::SecretKey;

const HEAD: &str = "name = \"enrich\"\nversion = \"0.2.0\"\ntitle = \"Fill in a lead's company\"\ncontract = \"0.1.0\"\n";

const ENRICH: &str = r#"
[permissions]
state = true
[permissions.secrets]
companies-token = ["companies.example"]
[permissions.records.lead]
read = ["email", "company"]
update = ["company", "company_size"]
[[permissions.http]]
host = "companies.example"
methods = ["GET", "POST"]
"#;

const SCHEMAS: &str = r#"{"actions": [{"id": "company", "title": "Look it up", "input": {}, "output": {}, "idempotent": true}]}"#;

fn package(manifest: &str) -> Package {
    Package::from_parts(Parts {
        manifest: format!("{HEAD}{manifest}").into(),
        component: vec![0, b'a', b's', b'm', 0x0d, 0, 1, 0],
        schemas: SCHEMAS.into(),
        signature: None,
    })
    .unwrap()
}

fn consent(package: &Package, imports: &[&str], before: Option<&LockEntry>) -> Consent {
    let imports: Vec<String> =
        imports.iter().map(|name| format!("relata:plugin/{name}@0.1.0")).collect();
    Consent::new(package, package.manifest().permissions.clone(), &imports, before)
}

fn check(consent: &Consent, expected: Expect) {
    let digest = consent.digest.to_string();
    expected.assert_eq(&consent.to_string().replace(&digest, "sha256:DIGEST"));
}

#[test]
fn what_a_first_installation_shows() {
    let mut package = package(&format!("{ENRICH}[limits]\ncpu_ms = 500\nhttp_calls = 20\n"));
    package.sign(&SecretKey::from_seed(&Zeroizing::new([7; 32])));
    let mut consent =
        consent(&package, &["log", "http", "secrets", "records", "state", "types"], None);
    consent.signer_name = Some("brewery".to_owned());
    assert!(consent.is_needed());
    check(
        &consent,
        expect![[r#"
        enrich 0.2.0: Fill in a lead's company
          digest     sha256:DIGEST
          signed by  brewery, ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=
          contract   0.1.0
        Its actions:
          enrich.company  Look it up
        It may:
          read `company` and `email` of `lead`
          set `company` and `company_size` of `lead`
          call GET and POST https://companies.example
          send the secret `companies-token` to companies.example
          keep values of its own
        Its component imports http, log, records, secrets and state.
        Its limits that are not the default:
          cpu_ms = 500 (default 200)
    "#]],
    );
}

#[test]
fn what_asks_for_nothing_and_for_more_than_it_uses() {
    check(
        &consent(&package(""), &["log"], None),
        expect![[r#"
        enrich 0.2.0: Fill in a lead's company
          digest     sha256:DIGEST
          signed by  nobody
          contract   0.1.0
        Its actions:
          enrich.company  Look it up
        It asks for nothing: it only computes.
        Its component imports log.
    "#]],
    );
    let any = "[permissions]\nevents = [\"*\"]\nmessages = [\"mail\"]\n[permissions.records.\"*\"]\nread = [\"*\", \"email\"]\ndelete = true\n";
    check(
        &consent(&package(any), &["records"], None),
        expect![[r#"
        enrich 0.2.0: Fill in a lead's company
          digest     sha256:DIGEST
          signed by  nobody
          contract   0.1.0
        Its actions:
          enrich.company  Look it up
        It may:
          read all fields of any record
          delete records of any object
          emit any event
          send mail
        Its component imports records.
        It asks for what it does not import: events and messages.
    "#]],
    );
}

#[test]
fn what_an_upgrade_shows() {
    let old = package(ENRICH);
    let entry = LockEntry::of(&old, "enrich.relata".to_owned(), old.manifest().permissions.clone());
    let same = consent(&old, &["http"], Some(&entry));
    assert!(!same.is_needed());
    check(
        &same,
        expect![[r#"
        enrich 0.2.0: Fill in a lead's company
          digest     sha256:DIGEST
          signed by  nobody
          contract   0.1.0
        Its actions:
          enrich.company  Look it up
        It may:
          read `company` and `email` of `lead`
          set `company` and `company_size` of `lead`
          call GET and POST https://companies.example
          send the secret `companies-token` to companies.example
          keep values of its own
        Its component imports http.
        It asks for what it does not import: records, secrets and state.
        It takes the place of enrich 0.2.0.
        It may do the same as before.
    "#]],
    );

    let less = consent(&package("[permissions]\nstate = true\n"), &["state"], Some(&entry));
    assert!(!less.is_needed());

    let more = ENRICH
        .replace("\"email\", \"company\"", "\"email\", \"phone\"")
        .replace("[\"companies.example\"]", "[\"*.companies.example\"]");
    let more = consent(&package(&more), &["http"], Some(&entry));
    assert!(more.is_needed());
    check(
        &more,
        expect![[r#"
        enrich 0.2.0: Fill in a lead's company
          digest     sha256:DIGEST
          signed by  nobody
          contract   0.1.0
        Its actions:
          enrich.company  Look it up
        It may:
          read `email` and `phone` of `lead`
          set `company` and `company_size` of `lead`
          call GET and POST https://companies.example
          send the secret `companies-token` to *.companies.example
          keep values of its own
        Its component imports http.
        It asks for what it does not import: records, secrets and state.
        It takes the place of enrich 0.2.0.
        From now on it may also:
          read `phone` of `lead`
          send the secret `companies-token` to *.companies.example
        It may no longer:
          read `company` of `lead`
          send the secret `companies-token` to companies.example
    "#]],
    );
}

#[test]
fn another_signer_needs_consent() {
    let mut signed = package(ENRICH);
    let granted = signed.manifest().permissions.clone();
    let entry = LockEntry::of(&signed, "enrich.relata".to_owned(), granted);
    signed.sign(&SecretKey::from_seed(&Zeroizing::new([7; 32])));
    let consent = consent(&signed, &["http"], Some(&entry));
    assert!(consent.is_needed());
    check(
        &consent,
        expect![[r#"
        enrich 0.2.0: Fill in a lead's company
          digest     sha256:DIGEST
          signed by  ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=
          contract   0.1.0
        Its actions:
          enrich.company  Look it up
        It may:
          read `company` and `email` of `lead`
          set `company` and `company_size` of `lead`
          call GET and POST https://companies.example
          send the secret `companies-token` to companies.example
          keep values of its own
        Its component imports http.
        It asks for what it does not import: records, secrets and state.
        It takes the place of enrich 0.2.0.
        That one is signed by nobody: THE SIGNER CHANGED.
        It may do the same as before.
    "#]],
    );
}

#[test]
fn a_stranger_cannot_draw_on_the_screen() {
    let title = "Nice\\u001B[2J\\nIt may:\\n  nothing \\u202Egnihton";
    let manifest = format!("{HEAD}{ENRICH}").replace("Fill in a lead's company", title);
    let package =
        Package::from_parts(Parts { manifest: manifest.into(), ..package("").parts().clone() })
            .unwrap();
    let first = consent(&package, &["http"], None).to_string();
    expect![[r#"enrich 0.2.0: Nice\u{1b}[2J\nIt may:\n  nothing \u{202e}gnihton"#]]
        .assert_eq(first.lines().next().unwrap());
}
