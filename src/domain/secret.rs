//! Random secrets: client secrets, API keys, authorization codes, session ids, device cookies.
//!
//! All are random and long, so that a plain SHA-256 of each is as good as a slow hash and costs a microsecond.
//! Passwords are chosen by people and get a slow hash; see [`crate::service`].

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::time::Entropy;

/// By hand: this is done for each request that brings a secret.
fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// A secret in clear, on its way out of the process, once. `Debug` shows its type only.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one: `prefix`, then `bytes` random bytes in lower-case hexadecimal digits.
    pub fn generate(entropy: &dyn Entropy, prefix: &str, bytes: usize) -> Self {
        let mut random = vec![0; bytes];
        entropy.fill(&mut random);
        let mut text = String::with_capacity(prefix.len() + 2 * bytes);
        text.push_str(prefix);
        push_hex(&mut text, &random);
        Self(text)
    }

    /// The text itself. Whoever calls this lets it out.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The SHA-256 of a random secret, in hexadecimal digits. It can be stored: nothing leads back from it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SecretHash(String);

impl SecretHash {
    /// The hash of what a caller presents.
    pub fn of(presented: &str) -> Self {
        let mut text = String::with_capacity(64);
        push_hex(&mut text, &Sha256::digest(presented.as_bytes()));
        Self(text)
    }

    /// As read from the database.
    pub fn from_stored(stored: String) -> Self {
        Self(stored)
    }

    /// The hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the hash of `presented`, in constant time.
    pub fn matches(&self, presented: &str) -> bool {
        bool::from(self.0.as_bytes().ct_eq(Self::of(presented).0.as_bytes()))
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash")
    }
}
