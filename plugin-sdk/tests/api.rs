//! The public API of the SDK, as plugin authors depend on it: `api.txt`. A
//! change of it shows in a review; `UPDATE_EXPECT=1` writes the file.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::path::Path;
use std::process::Command;

use expect_test::expect_file;

#[test]
fn the_public_api_is_as_it_was() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = package.join("../target/api");
    // The description of an API is not stable yet; its reader and the compiler
    // have to fit, and both are pinned.
    let built = Command::new(env!("CARGO"))
        .args(["rustdoc", "--lib", "--locked", "--quiet", "--manifest-path"])
        .arg(package.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .args(["--", "-Zunstable-options", "--output-format", "json", "--cap-lints", "warn"])
        .env("RUSTC_BOOTSTRAP", "1")
        .status()
        .unwrap();
    assert!(built.success());
    let api = public_api::Builder::from_rustdoc_json(target.join("doc/relata_plugin_sdk.json"))
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .unwrap()
        .to_string();
    expect_file![package.join("api.txt")].assert_eq(&api);
    let as_error =
        |line: &&str| line.contains("Result<") && line.contains(", alloc::string::String>");
    assert_eq!(api.lines().find(as_error), None, "a text is no error");
}
