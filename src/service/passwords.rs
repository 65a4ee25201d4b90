//! Passwords: argon2id (RFC 9106), on a thread that may block, and a memory of what was right a moment ago.
//!
//! Odoo's clients send the password with every call. Hashing it anew each time would cost 20 ms of a core, so a keyed
//! hash of user, stored hash and password is remembered once it was right. The key is random and lives as long as the
//! process; a changed password has another stored hash and so is never found.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Error;
use crate::domain::time::{Entropy, SharedEntropy};
use crate::limits;

/// How many right passwords are remembered before all are forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// Hashes and checks passwords.
pub struct Passwords {
    key: [u8; 32],
    remembered: Mutex<HashSet<[u8; 32]>>,
    places: Arc<Semaphore>,
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
        let places = Arc::new(Semaphore::new(limits::PASSWORD_HASHES_MAX));
        let mut new = Self { key, remembered: Mutex::default(), places, nobody: String::new() };
        // No hash of anything, so it costs nothing to have; and nobody knows what it would be one of.
        let (params, output) = (Argon2::default().params().clone(), new.note("", "nobody"));
        let [salt, output] = [&salt[..], &output].map(|bytes| STANDARD_NO_PAD.encode(bytes));
        let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
        new.nobody = format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${output}");
        new
    }

    /// Waits for a place among those who hash: each takes memory and a core.
    pub async fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.places).acquire_owned().await.map_err(|_| Error::Internal)
    }

    /// Whether this password was right for the stored hash a moment ago. `false` says nothing.
    pub fn remembers(&self, stored: Option<&str>, password: &str) -> bool {
        let Some(stored) = stored.filter(|_| is_possible(password)) else { return false };
        let note = self.note(stored, password);
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).contains(&note)
    }

    /// Whether this password belongs to the stored hash. `None` for the hash: there is no such user or no password;
    /// it takes as long and is false.
    pub async fn check(
        &self,
        place: OwnedSemaphorePermit,
        stored: Option<&str>,
        password: &str,
    ) -> Result<bool, Error> {
        if !is_possible(password) {
            return Ok(false);
        }
        let note = stored.map(|stored| self.note(stored, password));
        let (subject, password) = (stored.unwrap_or(&self.nobody).to_owned(), password.to_owned());
        let right = tokio::task::spawn_blocking(move || {
            // The place is taken until the hash is there, even if the caller has gone.
            let _place = place;
            PasswordHash::new(&subject)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
        })
        .await
        .map_err(|_| Error::Internal)?;
        let (true, Some(note)) = (right, note) else { return Ok(false) };
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(note);
        Ok(true)
    }

    /// The hash of a new password, to be stored.
    pub async fn hash(&self, entropy: &SharedEntropy, password: &str) -> Result<String, Error> {
        let place = self.place().await?;
        let (entropy, password) = (Arc::clone(entropy), password.to_owned());
        let hashed = tokio::task::spawn_blocking(move || {
            let _place = place;
            hash_new(entropy.as_ref(), &password)
        });
        hashed.await.map_err(|_| Error::Internal)?
    }

    fn note(&self, stored: &str, password: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of every length");
        mac.update(stored.as_bytes());
        mac.update(&[0]);
        mac.update(password.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

fn is_possible(password: &str) -> bool {
    !password.is_empty() && password.chars().count() <= limits::PASSWORD_CHARS_MAX
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::SystemEntropy;

    /// Or the time would tell who is no user.
    #[test]
    fn nobodys_hash_takes_as_long_as_anybodys() {
        let nobody = Passwords::new(&SystemEntropy).nobody;
        let stored = hash_new(&SystemEntropy, "secret").expect("it hashes");
        let [nobody, stored] = [&nobody, &stored].map(|text| PasswordHash::new(text).expect("a hash"));
        assert_eq!(
            (nobody.algorithm, nobody.version, &nobody.params),
            (stored.algorithm, stored.version, &stored.params)
        );
        let length = |hash: &PasswordHash| hash.hash.as_ref().map(|output| output.as_bytes().len());
        assert_eq!(length(&nobody), length(&stored));
        assert!(Argon2::default().verify_password(b"nobody", &nobody).is_err());
    }
}
