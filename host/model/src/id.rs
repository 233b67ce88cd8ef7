//! Typed ids. Each is a UUIDv7, so that sorting by id is sorting by age, and
//! prints as 26 letters and digits (Crockford's base 32), with its kind in
//! front where the kind is not plain from the place: `run_01K9…`.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Crockford's alphabet: no i, l, o and u. See <https://www.crockford.com/base32.html>.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id of the form `{prefix}01k9…` (26 letters and digits)")]
pub struct IdError {
    text: String,
    prefix: &'static str,
}

fn encode(uuid: Uuid) -> String {
    let number = uuid.as_u128();
    // 26 characters of 5 bits hold 130 bits; the first carries the top 3.
    (0..26).rev().map(|place| ALPHABET[((number >> (place * 5)) & 31) as usize] as char).collect()
}

fn decode(text: &str) -> Option<Uuid> {
    if text.len() != 26 {
        return None;
    }
    let mut number: u128 = 0;
    for (place, byte) in text.bytes().enumerate() {
        let digit = ALPHABET.iter().position(|&letter| letter == byte.to_ascii_lowercase())?;
        if place == 0 && digit > 7 {
            return None;
        }
        number = (number << 5) | digit as u128;
    }
    Some(Uuid::from_u128(number))
}

/// Declares the id types. One registry, so that no two kinds share a prefix.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// What stands before the 26 characters.
            pub const PREFIX: &'static str = $prefix;

            /// Makes an id of a UUIDv7 that the caller drew.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// A UUIDv7 of a time and bits that come from elsewhere, of which
            /// 74 go into it: where one and the same thing has to get one
            /// and the same id.
            #[must_use]
            pub fn derived(at: Timestamp, bits: &[u8; 10]) -> Self {
                let millis = u64::try_from(at.as_millisecond()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, bits).into_uuid())
            }

            /// The id as a UUID.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix($prefix)
                    .and_then(decode)
                    .map(Self)
                    .ok_or_else(|| IdError { text: text.to_owned(), prefix: $prefix })
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }
    )+};
}

ids! {
    /// A record of any object. It stands behind the object's name
    /// (`lead/01k9…`), so it needs no prefix of its own.
    RecordId = "",
    /// A run of a workflow.
    RunId = "run_",
    /// An entry of the event log.
    EventId = "evt_",
    /// One effect on the outside world: a mail, a notice.
    EffectId = "fx_",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_and_sorts_like_its_uuid() {
        for number in [0, 1, u128::MAX, 0x0198_0c5e_1234_7abc_8def_0123_4567_89ab] {
            let id = RunId::from_uuid(Uuid::from_u128(number));
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        let early = RecordId::from_uuid(Uuid::from_u128(1 << 80));
        let late = RecordId::from_uuid(Uuid::from_u128(1 << 81));
        assert!(early.to_string() < late.to_string());
    }

    #[test]
    fn a_derived_id_is_of_its_time_and_its_bits() {
        let at = |millis| Timestamp::from_millisecond(millis).unwrap();
        let id = RunId::derived(at(1_797_231_600_000), &[7; 10]);
        assert_eq!(id, RunId::derived(at(1_797_231_600_000), &[7; 10]));
        assert_ne!(id, RunId::derived(at(1_797_231_600_000), &[8; 10]));
        assert!(id < RunId::derived(at(1_797_231_600_001), &[0; 10]));
        assert_eq!(id.as_uuid().get_version_num(), 7);
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in
            ["", "run_", "run_01", "01k9zzzzzzzzzzzzzzzzzzzzzzzz", "run_zzzzzzzzzzzzzzzzzzzzzzzzzz"]
        {
            assert!(text.parse::<RunId>().is_err(), "{text}");
        }
    }
}
