//! Who answers for a package: ed25519 over its digest.
//!
//! Keys are PEM files (PKCS#8 the secret one, SPKI the public one), as
//! `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` make them;
//! a public key also has a short form for `relata.toml` and `relata.lock`,
//! `ed25519:` and its 32 bytes in base64. What is signed is a line of text,
//! `relata package sha256:…`, so that other tools can check it too.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, KeypairBytes};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::digest::Digest;

/// What signs packages. It is never printed, and is wiped from memory when it
/// is dropped.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// A key from 32 bytes of chance.
    #[must_use]
    pub fn from_seed(seed: &Zeroizing<[u8; 32]>) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Reads a PEM file (PKCS#8, not encrypted).
    ///
    /// # Errors
    ///
    /// [`KeyError`] if it is none, or of another kind of key.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let key = SigningKey::from_pkcs8_pem(pem.trim()).map_err(|_| {
            if pem.contains("PUBLIC KEY") {
                KeyError::Public
            } else if pem.contains("ENCRYPTED") {
                KeyError::Encrypted
            } else {
                KeyError::Secret
            }
        })?;
        Ok(Self(key))
    }

    /// The PEM file that [`SecretKey::from_pem`] and openssl read.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        // Without the public half, which not every tool expects there.
        let pair = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        pair.to_pkcs8_pem(LineEnding::LF).expect("a key of 32 bytes fits PKCS#8")
    }

    /// What others know it by.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Answers for a package.
    #[must_use]
    pub fn sign(&self, package: &Digest) -> Signature {
        let signature = self.0.sign(signed_text(package).as_bytes());
        Signature { key: self.public(), signature: Base64(signature.to_bytes()) }
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}

/// Whom a signature is from. Written `ed25519:` and base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads a PEM file (SPKI).
    ///
    /// # Errors
    ///
    /// [`KeyError`] if it is none, or of another kind of key.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_public_key_pem(pem.trim()).map_err(|_| KeyError::PublicPem)?;
        Self::of(key).ok_or(KeyError::PublicPem)
    }

    fn of(key: VerifyingKey) -> Option<Self> {
        // There are a few keys under which every signature is good.
        (!key.is_weak()).then(|| Self(key.to_bytes()))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let read = || {
            let bytes = STANDARD.decode(text.strip_prefix("ed25519:")?).ok()?;
            Self::of(VerifyingKey::from_bytes(&bytes.try_into().ok()?).ok()?)
        };
        read().ok_or_else(|| KeyError::Short(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What is no key. It never quotes a secret one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Something else in place of a secret key.
    #[error(
        "this is no ed25519 key: it should be a PEM file that begins with -----BEGIN PRIVATE KEY-----; `relata plugin key new FILE` or `openssl genpkey -algorithm ed25519 -out FILE` makes one"
    )]
    Secret,
    /// The public half in place of the secret one.
    #[error("this is a public key; a package is signed with the secret one")]
    Public,
    /// A key under a password.
    #[error(
        "this key is encrypted, which is not read here; `openssl pkey -in FILE -out PLAIN` takes the password off"
    )]
    Encrypted,
    /// Something else in place of a public key's PEM.
    #[error(
        "this is no public ed25519 key: it should be a PEM file that begins with -----BEGIN PUBLIC KEY-----; `openssl pkey -in KEY -pubout` prints it"
    )]
    PublicPem,
    /// Something else in place of a public key's short form.
    #[error("`{0}` is no public key: it should be ed25519: and 44 letters and digits of base64")]
    Short(String),
}

/// A signature of a package, with the key it can be checked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    key: PublicKey,
    signature: Base64,
}

impl Signature {
    /// Who signed this package.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if the signature is not one of this package by this
    /// key.
    pub fn verify(&self, package: &Digest) -> Result<PublicKey, BadSignature> {
        let signature = ed25519_dalek::Signature::from_bytes(&self.signature.0);
        VerifyingKey::from_bytes(&self.key.0)
            .and_then(|key| key.verify_strict(signed_text(package).as_bytes(), &signature))
            .map_err(|_| BadSignature { key: self.key, package: *package })?;
        Ok(self.key)
    }

    /// The text of a `signature.toml`.
    pub(crate) fn to_toml(self) -> String {
        toml::to_string(&self).expect("two texts are TOML")
    }
}

/// A signature that is not one of this package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the signature in the name of {key} is not one of this package ({package}): it was changed after it was signed, or the signature belongs to another"
)]
pub struct BadSignature {
    key: PublicKey,
    package: Digest,
}

/// The name in front keeps a signature of something else, by the same key,
/// from being one of a package.
fn signed_text(package: &Digest) -> String {
    format!("relata package {package}")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Base64([u8; 64]);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(&text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| {
            serde::de::Error::custom("a signature is 64 bytes in base64, 88 letters and digits")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    // The key of RFC 8032, 7.1, test 1, as openssl writes it.
    const SECRET: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn keys_are_those_of_openssl() {
        let secret = SecretKey::from_pem(SECRET).unwrap();
        assert_eq!(secret.to_pem().as_str(), SECRET);
        assert_eq!(PublicKey::from_pem(PUBLIC).unwrap(), secret.public());
        let short = secret.public().to_string();
        expect!["ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="].assert_eq(&short);
        assert_eq!(short.parse(), Ok(secret.public()));
    }

    #[test]
    fn a_secret_key_is_not_printed() {
        let secret = SecretKey::from_pem(SECRET).unwrap();
        expect!["SecretKey(of ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=)"]
            .assert_eq(&format!("{secret:?}"));
    }

    #[test]
    fn who_signed() {
        let secret = SecretKey::from_seed(&Zeroizing::new([7; 32]));
        let package = Digest::of(b"a package");
        let signature: Signature = toml::from_str(&secret.sign(&package).to_toml()).unwrap();
        assert_eq!(signature.verify(&package), Ok(secret.public()));

        let error = signature.verify(&Digest::of(b"another")).unwrap_err();
        expect!["the signature in the name of ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw= is not one of this package (sha256:ae448ac86c4e8e4dec645729708ef41873ae79c6dff84eff73360989487f08e5): it was changed after it was signed, or the signature belongs to another"]
            .assert_eq(&error.to_string());
        let stranger = SecretKey::from_seed(&Zeroizing::new([8; 32])).public();
        assert!(Signature { key: stranger, ..signature }.verify(&package).is_err());
    }

    #[test]
    fn what_is_no_key() {
        let errors = [
            SecretKey::from_pem("").unwrap_err(),
            SecretKey::from_pem(PUBLIC).unwrap_err(),
            SecretKey::from_pem("-----BEGIN ENCRYPTED PRIVATE KEY-----").unwrap_err(),
            PublicKey::from_pem(SECRET).unwrap_err(),
            "ed25519:AAAA".parse::<PublicKey>().unwrap_err(),
            // The neutral element: everything would be signed by it.
            format!(
                "ed25519:{}",
                STANDARD.encode([1; 1].into_iter().chain([0; 31]).collect::<Vec<u8>>())
            )
            .parse::<PublicKey>()
            .unwrap_err(),
        ];
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        expect![[r#"
            this is no ed25519 key: it should be a PEM file that begins with -----BEGIN PRIVATE KEY-----; `relata plugin key new FILE` or `openssl genpkey -algorithm ed25519 -out FILE` makes one
            this is a public key; a package is signed with the secret one
            this key is encrypted, which is not read here; `openssl pkey -in FILE -out PLAIN` takes the password off
            this is no public ed25519 key: it should be a PEM file that begins with -----BEGIN PUBLIC KEY-----; `openssl pkey -in KEY -pubout` prints it
            `ed25519:AAAA` is no public key: it should be ed25519: and 44 letters and digits of base64
            `ed25519:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=` is no public key: it should be ed25519: and 44 letters and digits of base64"#]].assert_eq(&errors.join("\n"));
    }
}
