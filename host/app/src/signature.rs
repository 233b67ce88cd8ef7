//! Signatures of webhooks as <https://www.standardwebhooks.com> describes
//! them: HMAC-SHA-256 over the call's id, its time and its body.
//!
//! The crate `standardwebhooks` does the same by the machine's clock and for
//! texts only; here the time is the company's and a body is bytes.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use relata_model::Timestamp;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Secret;

/// How far a call's time may lie from ours, either way: long enough for
/// clocks that differ, short enough that a recorded call is soon of no use.
const TOLERANCE_SECONDS: i64 = 300;

/// The shortest key that the standard allows, bytes.
const SHORTEST_KEY: usize = 24;

/// The key of a webhook's secret.
pub(crate) struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// Reads `whsec_…`. The error says what it should be, and nothing of what
    /// it is.
    pub(crate) fn of(secret: &Secret) -> Result<Self, &'static str> {
        let text = secret.expose().trim().strip_prefix("whsec_").ok_or(
            "does not begin with `whsec_`; make one by `echo whsec_$(openssl rand -base64 32)`",
        )?;
        let key = STANDARD
            .decode(text)
            .map(Zeroizing::new)
            .map_err(|_| "is not base64 after `whsec_`; copy it again as a whole")?;
        if key.len() < SHORTEST_KEY {
            return Err(
                "is too short to be safe; make one by `echo whsec_$(openssl rand -base64 32)`",
            );
        }
        Ok(Self(key))
    }

    /// The signature of a call, as its header carries it.
    pub(crate) fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let tag = self.mac(id, timestamp, body).finalize().into_bytes();
        format!("v1,{}", STANDARD.encode(tag))
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0)
            .expect("HMAC takes keys of any length");
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac
    }
}

/// A call that says who signed it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    /// `webhook-id`
    pub(crate) id: Option<&'a str>,
    /// `webhook-timestamp`: seconds since 1970 UTC.
    pub(crate) timestamp: Option<&'a str>,
    /// `webhook-signature`: one or several, with spaces between.
    pub(crate) signatures: Option<&'a str>,
    /// As it came.
    pub(crate) body: &'a [u8],
}

/// Why a signature does not count: for the log. Whoever called is told
/// nothing of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unsigned {
    /// A header is missing, or empty.
    Missing(&'static str),
    /// The time is no number.
    NoTime,
    /// The time is too far from ours, by so many seconds.
    FarOff(i64),
    /// None of the signatures is one of this body, id and time by this
    /// secret.
    Wrong,
}

impl fmt::Display for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(header) => write!(f, "the header {header} is missing"),
            Self::NoTime => {
                f.write_str("webhook-timestamp is not a number of seconds since 1970 UTC")
            }
            Self::FarOff(seconds) => write!(
                f,
                "webhook-timestamp is {seconds} s away from the time here, more than {TOLERANCE_SECONDS}; is a clock wrong, or was the call recorded?"
            ),
            Self::Wrong => f.write_str(
                "no signature is right; both sides need the same secret, and the body must arrive as it was signed",
            ),
        }
    }
}

impl Signed<'_> {
    /// Whether one of the signatures is right, and of this time.
    pub(crate) fn verify(&self, key: &Key, now: Timestamp) -> Result<(), Unsigned> {
        let given = |name, header: Option<_>| {
            header.filter(|text: &&str| !text.is_empty()).ok_or(Unsigned::Missing(name))
        };
        let id = given("webhook-id", self.id)?;
        let timestamp = given("webhook-timestamp", self.timestamp)?;
        let signatures = given("webhook-signature", self.signatures)?;
        let at: i64 = timestamp.parse().map_err(|_| Unsigned::NoTime)?;
        let away = now.as_second().saturating_sub(at);
        if away.saturating_abs() > TOLERANCE_SECONDS {
            return Err(Unsigned::FarOff(away.saturating_abs()));
        }
        let mac = key.mac(id, timestamp, self.body);
        let right = signatures
            .split(' ')
            .filter_map(|signature| signature.strip_prefix("v1,"))
            .filter_map(|signature| STANDARD.decode(signature).ok())
            // Takes as long for a wrong one, wherever it differs.
            .any(|tag| mac.clone().verify_slice(&tag).is_ok());
        if right { Ok(()) } else { Err(Unsigned::Wrong) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the standard's own libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIMESTAMP: &str = "1614265330";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn key() -> Key {
        Key::of(&Secret::new(SECRET)).unwrap_or_else(|why| panic!("{why}"))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_614_265_330 + seconds).expect("a time")
    }

    fn signed() -> Signed<'static> {
        Signed { id: Some(ID), timestamp: Some(TIMESTAMP), signatures: Some(SIGNATURE), body: BODY }
    }

    #[test]
    fn the_standards_own_example_is_right() {
        assert_eq!(key().sign(ID, TIMESTAMP, BODY), SIGNATURE);
        assert_eq!(signed().verify(&key(), at(0)), Ok(()));
    }

    #[test]
    fn one_right_signature_of_several_is_enough() {
        let several = format!("v1,{} v2,x v1a,y {SIGNATURE}", STANDARD.encode([0; 32]));
        let call = Signed { signatures: Some(&several), ..signed() };
        assert_eq!(call.verify(&key(), at(0)), Ok(()));
    }

    #[test]
    fn everything_is_signed() {
        let long = "A".repeat(10_000);
        let nearly = SIGNATURE.replace("g0hM", "g0hN");
        let bare = SIGNATURE.trim_start_matches("v1,");
        for (what, call) in [
            ("another body", Signed { body: br#"{"test": 2432232315}"#, ..signed() }),
            ("another id", Signed { id: Some("msg_2"), ..signed() }),
            ("another time", Signed { timestamp: Some("1614265331"), ..signed() }),
            ("another signature", Signed { signatures: Some(&nearly), ..signed() }),
            ("a short signature", Signed { signatures: Some("v1,g0hM"), ..signed() }),
            ("no base64", Signed { signatures: Some("v1,***"), ..signed() }),
            ("a long signature", Signed { signatures: Some(&long), ..signed() }),
            ("no version", Signed { signatures: Some(bare), ..signed() }),
            ("a dot moved", Signed { id: Some(""), ..signed() }),
        ] {
            assert!(call.verify(&key(), at(0)).is_err(), "{what}");
        }
        let other = Key::of(&Secret::new(format!("whsec_{}", STANDARD.encode([7; 32]))));
        assert_eq!(
            signed().verify(&other.unwrap_or_else(|why| panic!("{why}")), at(0)),
            Err(Unsigned::Wrong)
        );
    }

    #[test]
    fn a_call_counts_for_five_minutes() {
        for (seconds, expected) in [
            (-301, Err(Unsigned::FarOff(301))),
            (-300, Ok(())),
            (300, Ok(())),
            (301, Err(Unsigned::FarOff(301))),
        ] {
            assert_eq!(signed().verify(&key(), at(seconds)), expected, "{seconds}");
        }
        for (timestamp, expected) in [
            (None, Unsigned::Missing("webhook-timestamp")),
            (Some(""), Unsigned::Missing("webhook-timestamp")),
            (Some("soon"), Unsigned::NoTime),
            (Some("-9223372036854775808"), Unsigned::FarOff(i64::MAX)),
        ] {
            let call = Signed { timestamp, ..signed() };
            assert_eq!(call.verify(&key(), at(0)), Err(expected), "{timestamp:?}");
        }
    }

    #[test]
    fn a_secret_that_is_none_is_told_without_it() {
        for text in ["", "hunter2", "whsec_", "whsec_hunter2!", "whsec_c2hvcnQ="] {
            let Err(why) = Key::of(&Secret::new(text)) else { panic!("{text} is a secret") };
            assert!(text.is_empty() || !why.contains("hunter2"), "{why}");
        }
    }
}
