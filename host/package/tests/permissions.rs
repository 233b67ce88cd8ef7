//! What holds of any permissions whatever.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use relata_package::{
    Channel, Grant, HostPattern, HttpPermission, Method, Permissions, RecordPermissions, Scheme,
};

const NAMES: &[&str] = &["*", "lead", "contact"];
const FIELDS: &[&str] = &["*", "email", "owner", "id"];
const EVENTS: &[&str] = &["*", "opened", "closed"];
const SECRETS: &[&str] = &["token", "password"];
const HOSTS: &[&str] = &[
    "*",
    "*.example",
    "*.api.example",
    "api.example",
    "eu.api.example",
    "api.example:8443",
    "*:8443",
];
const METHODS: &[Method] = &[Method::Get, Method::Post];

fn some(names: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    subsequence(names, 0..=names.len())
        .prop_map(|names| names.into_iter().map(str::to_owned).collect())
}

fn host() -> impl Strategy<Value = HostPattern> {
    select(HOSTS).prop_map(|host| host.parse().expect("a host"))
}

fn scheme() -> impl Strategy<Value = Scheme> {
    select(&[Scheme::Https, Scheme::Http][..])
}

fn record() -> impl Strategy<Value = RecordPermissions> {
    (some(FIELDS), some(FIELDS), any::<bool>(), any::<bool>()).prop_map(
        |(read, update, create, delete)| RecordPermissions { read, update, create, delete },
    )
}

fn permissions() -> impl Strategy<Value = Permissions> {
    let http = (host(), scheme(), subsequence(METHODS, 0..=2))
        .prop_map(|(host, scheme, methods)| HttpPermission { host, scheme, methods });
    let name = |names: &'static [&str]| select(names).prop_map(str::to_owned);
    (
        subsequence(&[Channel::Mail, Channel::Notify][..], 0..=2),
        some(EVENTS),
        any::<bool>(),
        btree_map(name(SECRETS), vec(host(), 0..3), 0..=2),
        btree_map(name(NAMES), record(), 0..=3),
        vec(http, 0..4),
    )
        .prop_map(|(messages, events, state, secrets, records, http)| Permissions {
            messages,
            events,
            state,
            secrets,
            records,
            http,
        })
}

/// Every single thing that can be asked, with names and hosts that only a `*`
/// covers.
fn questions() -> Vec<Grant> {
    let mut all = vec![Grant::State];
    all.extend([Channel::Mail, Channel::Notify].map(Grant::Message));
    all.extend(EVENTS.iter().chain(&["other"]).map(|name| Grant::Emit((*name).to_owned())));
    for object in NAMES.iter().chain(&["ticket"]) {
        let object = || (*object).to_owned();
        all.extend([Grant::Create(object()), Grant::Delete(object())]);
        for field in FIELDS.iter().chain(&["phone"]) {
            // The id is not granted: it comes with any other field.
            if *field != "id" {
                all.push(Grant::Read(object(), (*field).to_owned()));
            }
            all.push(Grant::Update(object(), (*field).to_owned()));
        }
    }
    for host in HOSTS.iter().chain(&["other.test", "other.test:8443", "x.eu.api.example"]) {
        let host: HostPattern = host.parse().expect("a host");
        for scheme in [Scheme::Https, Scheme::Http] {
            all.extend(METHODS.iter().map(|method| Grant::Http(scheme, host.clone(), *method)));
        }
        all.extend(SECRETS.iter().map(|name| Grant::Secret((*name).to_owned(), host.clone())));
    }
    all
}

proptest! {
    #[test]
    fn meeting_covers_what_both_cover(a in permissions(), b in permissions()) {
        let both = a.meet(&b);
        for question in questions() {
            prop_assert_eq!(
                both.covers(&question),
                a.covers(&question) && b.covers(&question),
                "{}", question
            );
        }
    }

    #[test]
    fn meeting_has_no_order_and_takes_nothing_from_the_same(
        a in permissions(), b in permissions()
    ) {
        prop_assert_eq!(a.meet(&b), b.meet(&a));
        prop_assert!(a.beyond(&a.meet(&a)).is_empty());
        prop_assert!(a.meet(&b).beyond(&a).is_empty());
        prop_assert_eq!(a.meet(&Permissions::default()), Permissions::default());
    }

    #[test]
    fn beyond_is_what_is_not_covered(a in permissions(), b in permissions()) {
        let beyond = a.beyond(&b);
        prop_assert_eq!(beyond.is_empty(), a.grants().iter().all(|grant| b.covers(grant)));
        for grant in &beyond {
            prop_assert!(a.covers(grant) && !b.covers(grant), "{}", grant);
        }
        // Who gets what is beyond as well has all of it.
        let agreed: Permissions = b.grants().into_iter().chain(beyond).collect();
        prop_assert!(a.beyond(&agreed).is_empty());
    }

    #[test]
    fn they_survive_toml(a in permissions()) {
        let text = toml::to_string(&a).expect("TOML");
        let read: Permissions = toml::from_str(&text).unwrap();
        prop_assert_eq!(&read, &a, "{}", text);
        prop_assert_eq!(toml::to_string(&read).unwrap(), text);
    }

    #[test]
    fn they_are_what_they_grant(a in permissions()) {
        let again: Permissions = a.grants().into_iter().collect();
        for question in questions() {
            prop_assert_eq!(again.covers(&question), a.covers(&question), "{}", question);
        }
    }
}
