//! Any text as a plugin.toml and as a relata.lock: it is read without a panic,
//! and what was accepted says the same when it is written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use relata_package::{Limits, Lock, PluginManifest};

fuzz_target!(|text: &str| {
    if let Ok(manifest) = PluginManifest::parse(text) {
        let written = toml::to_string(&manifest).expect("a manifest is TOML");
        let again = PluginManifest::parse(&written);
        assert_eq!(again.as_ref(), Ok(&manifest), "{written}");

        let permissions = &manifest.permissions;
        assert!(permissions.grants().iter().all(|grant| permissions.covers(grant)));
        assert!(permissions.beyond(&permissions.meet(permissions)).is_empty());
        if let Ok(limits) = manifest.limits.within(&Limits::DEFAULT, &Limits::CEILING) {
            assert!(limits.cpu_ms >= 1 && limits.cpu_ms <= Limits::CEILING.cpu_ms);
        }
    }
    if let Ok(lock) = Lock::parse(text) {
        let written = lock.to_text();
        assert_eq!(Lock::parse(&written), Ok(lock), "{written}");
    }
});
