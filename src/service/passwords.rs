//! Passwords: argon2id (RFC 9106), on a thread that may block, and a memory of what was right a moment ago.
//!
//! Odoo's clients send the password with every call. Hashing it anew each time would cost 20 ms of a core, so a keyed
//! hash of user, stored hash and password is remembered once it was right. The key is random and lives as long as the
//! process; a changed password has another stored hash and so is never found.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Error;
use crate::domain::time::Entropy;
use crate::limits;

/// How many right passwords are remembered before all are forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// Hashes and checks passwords.
pub struct Passwords {
    key: [u8; 32],
    remembered: Mutex<HashSet<[u8; 32]>>,
    /// Compared with when there is no such user, so that the time tells nobody.
    nobody: String,
}

impl Passwords {
    /// With a key of its own.
    pub fn new(entropy: &dyn Entropy) -> Self {
        let mut key = [0; 32];
        entropy.fill(&mut key);
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        let nobody = hash(b"nobody", &salt).unwrap_or_default();
        Self { key, remembered: Mutex::default(), nobody }
    }

    /// Whether this password belongs to the stored hash. `None` for the hash: there is no such user or no password;
    /// it takes as long and is false.
    pub async fn check(&self, stored: Option<&str>, password: &str) -> Result<bool, Error> {
        if password.is_empty() || password.chars().count() > limits::PASSWORD_CHARS_MAX {
            return Ok(false);
        }
        let note = stored.map(|stored| self.note(stored, password));
        let known = |note: &[u8; 32]| self.remembered.lock().unwrap_or_else(PoisonError::into_inner).contains(note);
        if note.as_ref().is_some_and(known) {
            return Ok(true);
        }
        let (subject, password) = (stored.unwrap_or(&self.nobody).to_owned(), password.to_owned());
        let right = tokio::task::spawn_blocking(move || {
            PasswordHash::new(&subject)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
        })
        .await
        .map_err(|_| Error::Internal)?;
        let right = right && stored.is_some();
        if let (true, Some(note)) = (right, note) {
            let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
            if remembered.len() >= REMEMBERED_MAX {
                remembered.clear();
            }
            remembered.insert(note);
        }
        Ok(right)
    }

    fn note(&self, stored: &str, password: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of every length");
        mac.update(stored.as_bytes());
        mac.update(&[0]);
        mac.update(password.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

fn hash(password: &[u8], salt: &[u8]) -> Result<String, Error> {
    Argon2::default().hash_password_with_salt(password, salt).map(|hash| hash.to_string()).map_err(|_| Error::Internal)
}

/// The hash of a new password, to be stored. Blocks for some 20 ms.
pub fn hash_new(entropy: &dyn Entropy, password: &str) -> Result<String, Error> {
    if password.is_empty() {
        return Err(Error::invalid("password", "Setting empty passwords is not allowed for security reasons!"));
    }
    if password.chars().count() > limits::PASSWORD_CHARS_MAX {
        return Err(Error::invalid(
            "password",
            format!("a password has at most {} characters", limits::PASSWORD_CHARS_MAX),
        ));
    }
    let mut salt = [0; 16];
    entropy.fill(&mut salt);
    hash(password.as_bytes(), &salt)
}
