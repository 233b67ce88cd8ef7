//! Any bytes as a package: first as they are, then as the tar inside of a gzip,
//! whose checksum would otherwise keep most of them out. What was accepted is
//! the same when it is written and read again, and can be shown.

#![no_main]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use relata_package::{Consent, LockEntry, Package, PackageError};

fuzz_target!(|bytes: &[u8]| {
    check(Package::read(bytes));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(bytes).expect("a vector takes all");
    check(Package::read(&gzip.finish().expect("a vector takes all")));
});

fn check(read: Result<Package, PackageError>) {
    let package = match read {
        Ok(package) => package,
        Err(refused) => {
            let text = refused.to_string();
            assert!(!text.contains('\u{1b}'), "it writes on the screen: {text:?}");
            return;
        }
    };
    let again = Package::read(&package.write()).expect("what was written reads");
    assert_eq!(again.parts(), package.parts());
    assert_eq!(again.digests(), package.digests());
    assert!(!package.file_name().contains(['/', '\\']), "{}", package.file_name());

    let asked = package.manifest().permissions.clone();
    let entry = LockEntry::of(&package, String::new(), asked.clone());
    assert_eq!(entry.check(&package), Ok(()));
    let consent = Consent::new(&package, asked, &[], Some(&entry));
    assert!(!consent.is_needed());
    let shown = consent.to_string();
    let draws = |c: char| c.is_control() && c != '\n';
    assert!(!shown.contains(draws), "it writes on the screen: {shown:?}");
}
