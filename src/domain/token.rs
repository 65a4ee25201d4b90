//! Access and refresh tokens, and those of gateway sessions: sealed, not stored (docs/adr/0004).
//!
//! ```text
//! orat_ | base64url( key id 2 | nonce 12 | sealed( authorization id 8, generation 4, issued 8, expires 8 ) 28 + tag 16 ) | crc 6
//! ```
//!
//! The prefix and the key id are associated data, so that a token of one kind can't be passed off as one of another.
//! The last six characters are the CRC-32 of all before them, in base 62: typing errors and secret scanners' finds
//! are told without a key, and garbage never costs a decryption. Whoever changes the prefix, the lengths or the order
//! ends every token that is out there.

use std::fmt;

use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce, Tag};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::ids::AuthorizationId;
use super::time::Entropy;
use crate::limits;

const KEY_ID: usize = 2;
const NONCE: usize = 12;
const CLAIMS: usize = 28;
const TAG: usize = 16;
const SEALED: usize = KEY_ID + NONCE + CLAIMS + TAG;
const PREFIX: usize = 5;
const BODY: usize = (SEALED * 4).div_ceil(3);
const CHECKSUM: usize = 6;
/// The length of every token, in bytes.
pub const LENGTH: usize = PREFIX + BODY + CHECKSUM;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Presented with each call (RFC 6750).
    Access,
    /// Exchanged for a new pair (RFC 6749 section 6).
    Refresh,
    /// Kept in a browser's cookie for the reverse proxy's check. It is no bearer token: whoever holds it as one is refused.
    Gateway,
}

impl TokenKind {
    /// The first characters of such a token.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Access => "orat_",
            Self::Refresh => "orrt_",
            Self::Gateway => "orgs_",
        }
    }

    /// For the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access_token",
            Self::Refresh => "refresh_token",
            Self::Gateway => "gateway_session",
        }
    }
}

/// How many times an authorization's refresh token has been exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Generation(pub u32);

/// What a token says. Times are seconds since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// What it belongs to.
    pub authorization: AuthorizationId,
    /// Which exchange it came from.
    pub generation: Generation,
    /// When it was made.
    pub issued_at: i64,
    /// From when on it is refused; [`Claims::NEVER`] for a refresh token without end.
    pub expires_at: i64,
}

impl Claims {
    /// A time that does not come.
    pub const NEVER: i64 = i64::MAX;

    /// Whether its time is over.
    pub const fn is_expired(&self, now: i64) -> bool {
        now >= self.expires_at
    }

    /// Whether it was made before its authorization was. Then it belongs to another one: a database that has lost its last
    /// commits, as after a failover or out of a backup, gives their ids again.
    pub fn is_older_than(&self, created_at: i64) -> bool {
        let skew = i64::try_from(limits::CLOCK_SKEW.as_secs()).unwrap_or(0);
        self.issued_at.saturating_add(skew) < created_at
    }
}

/// A token in clear, on its way out of the process. `Debug` shows its type only.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedToken(String);

impl SealedToken {
    /// The text itself. Whoever calls this lets it out.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SealedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedToken")
    }
}

/// Why a text is no token of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another length, prefix or alphabet.
    #[error("this is no token of ours")]
    Malformed,
    /// Mistyped or cut.
    #[error("the token is damaged: its checksum does not fit")]
    Checksum,
    /// Sealed with a key that we do not hold (any more).
    #[error("the token was sealed with a key that is not known here")]
    UnknownKey,
    /// Sealed with a key that is in force and that other nodes have, but not this one: nothing can be said of it here.
    #[error("the token was sealed with a key that this node lacks")]
    AbsentKey,
    /// Somebody made it up.
    #[error("the token was not sealed here")]
    Forged,
}

/// The number of a sealing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub u16);

/// A sealing key. `Debug` shows its number only.
#[derive(Clone)]
pub struct SealingKey {
    id: KeyId,
    cipher: Aes256GcmSiv,
    check: String,
    hashing: [u8; 32],
    signing: [u8; 32],
}

impl SealingKey {
    /// A key from its 32 bytes.
    pub fn new(id: KeyId, bytes: &[u8; 32]) -> Self {
        let derive = |purpose: &[u8]| {
            let mut mac = hmac(bytes);
            mac.update(purpose);
            <[u8; 32]>::from(mac.finalize().into_bytes())
        };
        Self {
            id,
            cipher: Aes256GcmSiv::new(bytes.into()),
            check: hex(&derive(b"orest sealing key: check value")),
            hashing: derive(b"orest sealing key: keyed hashes"),
            signing: derive(b"orest sealing key: notifications"),
        }
    }

    /// Its number.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Tells whether somebody else's key of this number is the same one. Nothing leads back from it to the key, which is
    /// random, so it can be stored beside the data.
    pub fn check_value(&self) -> &str {
        &self.check
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.id.0)
    }
}

/// A sealing key as the database knows it, for all nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredKey {
    /// Its number.
    pub id: KeyId,
    /// Its [`SealingKey::check_value`].
    pub check: String,
    /// Whether it may seal. Until each node has it, a new key only opens.
    pub seals: bool,
}

/// The sealing keys that are in force: all of them open, and new tokens are sealed with the last one, unless none may seal here.
#[derive(Clone, Debug)]
pub struct KeyRing {
    keys: Vec<SealingKey>,
    /// Whether the last one seals. The keys of a node that lacks the right ones only open.
    seals: bool,
    /// Tokens are sealed with them, but they are not here.
    absent: Vec<KeyId>,
    /// On their way to the nodes, and not here yet.
    coming: Vec<KeyId>,
}

/// A ring must have a key to seal with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no sealing key")]
pub struct EmptyKeyRing;

/// No key that is here may seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("none of the sealing keys that are here may seal")]
pub struct NoSealingKey;

impl KeyRing {
    /// The ring of these keys; the last one seals.
    pub fn new(keys: Vec<SealingKey>) -> Result<Self, EmptyKeyRing> {
        if keys.is_empty() { Err(EmptyKeyRing) } else { Ok(Self { keys, seals: true, ..Self::none() }) }
    }

    /// The ring of one that neither seals nor opens.
    pub const fn none() -> Self {
        Self { keys: Vec::new(), seals: false, absent: Vec::new(), coming: Vec::new() }
    }

    /// Of these keys those that are in force in the database; of those that may seal, the one of the highest number does.
    /// It may be that none does: then what others sealed is not opened here, and nothing is sealed.
    #[must_use]
    pub fn in_force(&self, registered: &[RegisteredKey]) -> Self {
        let held = |known: &&RegisteredKey| {
            self.keys.iter().find(|key| key.id == known.id && key.check == known.check).cloned()
        };
        let (mut keys, mut absent, mut coming, mut sealing) = (Vec::new(), Vec::new(), Vec::new(), None);
        for known in registered {
            match held(&known) {
                Some(key) => {
                    sealing = sealing.max(known.seals.then_some(key.id));
                    keys.push(key);
                }
                None if known.seals => absent.push(known.id),
                None => coming.push(known.id),
            }
        }
        keys.sort_by_key(|key| (Some(key.id) == sealing, key.id));
        Self { keys, seals: sealing.is_some(), absent, coming }
    }

    /// The keys, the sealing one last.
    pub fn keys(&self) -> &[SealingKey] {
        &self.keys
    }

    /// The numbers of the keys, the sealing one last.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().map(SealingKey::id)
    }

    /// The numbers of the keys with which tokens are sealed that this node can't open.
    pub fn absent(&self) -> &[KeyId] {
        &self.absent
    }

    /// Whether tokens can be sealed.
    pub const fn can_seal(&self) -> bool {
        self.seals
    }

    fn sealing(&self) -> Result<&SealingKey, NoSealingKey> {
        self.keys.last().filter(|_| self.seals).ok_or(NoSealingKey)
    }

    /// A hash that only a node with the sealing key can make, the same on all of them: of what is stored to be found again,
    /// and must not be guessed by who reads the database.
    ///
    /// # Errors
    /// This node has no sealing key.
    pub fn keyed_hash(&self, text: &str) -> Result<String, NoSealingKey> {
        let mut mac = hmac(&self.sealing()?.hashing);
        mac.update(text.as_bytes());
        Ok(hex(&mac.finalize().into_bytes()))
    }

    /// A signature under what one node tells the others, which only who has the sealing key can make: `KEY.MAC`.
    ///
    /// # Errors
    /// This node has no sealing key.
    pub fn sign(&self, text: &str) -> Result<String, NoSealingKey> {
        let key = self.sealing()?;
        let mut mac = hmac(&key.signing);
        mac.update(text.as_bytes());
        Ok(format!("{}.{}", key.id.0, URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
    }

    /// Whether this is the signature of a node under `text`, by any key in force; in constant time.
    pub fn has_signed(&self, text: &str, signature: &str) -> bool {
        let Some((id, code)) = signature.split_once('.') else { return false };
        let Some(key) = self.keys.iter().find(|key| id.parse() == Ok(key.id.0)) else { return false };
        let mut mac = hmac(&key.signing);
        mac.update(text.as_bytes());
        URL_SAFE_NO_PAD.decode(code).is_ok_and(|code| mac.verify_slice(&code).is_ok())
    }

    /// Seals what a token says.
    ///
    /// # Errors
    /// This node has no sealing key.
    pub fn seal(&self, kind: TokenKind, claims: &Claims, entropy: &dyn Entropy) -> Result<SealedToken, NoSealingKey> {
        let key = self.sealing()?;
        let mut sealed = [0; SEALED];
        sealed[..KEY_ID].copy_from_slice(&key.id.0.to_be_bytes());
        entropy.fill(&mut sealed[KEY_ID..KEY_ID + NONCE]);
        let nonce: [u8; NONCE] = sealed[KEY_ID..KEY_ID + NONCE].try_into().expect("the slice is that long");
        let body = &mut sealed[KEY_ID + NONCE..SEALED - TAG];
        body[..8].copy_from_slice(&claims.authorization.0.to_be_bytes());
        body[8..12].copy_from_slice(&claims.generation.0.to_be_bytes());
        body[12..20].copy_from_slice(&claims.issued_at.to_be_bytes());
        body[20..28].copy_from_slice(&claims.expires_at.to_be_bytes());
        let tag = key
            .cipher
            .encrypt_inout_detached(&Nonce::from(nonce), &associated(kind, key.id), body.into())
            .expect("28 bytes are far below the cipher's limit");
        sealed[SEALED - TAG..].copy_from_slice(&tag);

        let mut text = String::with_capacity(LENGTH);
        text.push_str(kind.prefix());
        URL_SAFE_NO_PAD.encode_string(sealed, &mut text);
        let checksum = checksum(text.as_bytes());
        text.push_str(std::str::from_utf8(&checksum).expect("base 62 is ASCII"));
        Ok(SealedToken(text))
    }

    /// Opens a token. Says nothing of whether it is still good: see [`crate::service`]'s verify.
    pub fn open(&self, text: &str) -> Result<(TokenKind, Claims), OpenError> {
        let bytes = text.as_bytes();
        if bytes.len() != LENGTH {
            return Err(OpenError::Malformed);
        }
        let kind = match &bytes[..PREFIX] {
            b"orat_" => TokenKind::Access,
            b"orrt_" => TokenKind::Refresh,
            b"orgs_" => TokenKind::Gateway,
            _ => return Err(OpenError::Malformed),
        };
        let (signed, given) = bytes.split_at(LENGTH - CHECKSUM);
        if checksum(signed) != given {
            return Err(OpenError::Checksum);
        }
        let mut sealed = [0; SEALED];
        match URL_SAFE_NO_PAD.decode_slice(&signed[PREFIX..], &mut sealed) {
            Ok(SEALED) => {}
            _ => return Err(OpenError::Malformed),
        }
        let id = KeyId(u16::from_be_bytes([sealed[0], sealed[1]]));
        let key = self.keys.iter().rev().find(|key| key.id == id).ok_or_else(|| {
            // Another node may seal with one that is on its way, before this one has heard that it may.
            let elsewhere = self.absent.contains(&id) || self.coming.contains(&id);
            if elsewhere { OpenError::AbsentKey } else { OpenError::UnknownKey }
        })?;
        let nonce: [u8; NONCE] = sealed[KEY_ID..KEY_ID + NONCE].try_into().expect("the slice is that long");
        let tag: [u8; TAG] = sealed[SEALED - TAG..].try_into().expect("the slice is that long");
        let body = &mut sealed[KEY_ID + NONCE..SEALED - TAG];
        key.cipher
            .decrypt_inout_detached(&Nonce::from(nonce), &associated(kind, id), (&mut *body).into(), &Tag::from(tag))
            .map_err(|_| OpenError::Forged)?;
        let number = |from: usize| i64::from_be_bytes(body[from..from + 8].try_into().expect("eight bytes"));
        let claims = Claims {
            authorization: AuthorizationId(number(0)),
            generation: Generation(u32::from_be_bytes(body[8..12].try_into().expect("four bytes"))),
            issued_at: number(12),
            expires_at: number(20),
        };
        Ok((kind, claims))
    }
}

fn hmac(key: &[u8; 32]) -> Hmac<Sha256> {
    hmac::KeyInit::new_from_slice(key).expect("HMAC takes keys of every length")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is bound to the sealed part without being in it.
fn associated(kind: TokenKind, id: KeyId) -> [u8; PREFIX + KEY_ID] {
    let mut data = [0; PREFIX + KEY_ID];
    data[..PREFIX].copy_from_slice(kind.prefix().as_bytes());
    data[PREFIX..].copy_from_slice(&id.0.to_be_bytes());
    data
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = crc32fast::hash(bytes);
    let mut text = [b'0'; CHECKSUM];
    for digit in text.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::SystemEntropy;

    fn ring(ids: &[u16]) -> KeyRing {
        let keys = ids.iter().map(|id| SealingKey::new(KeyId(*id), &[id.to_be_bytes()[1]; 32])).collect();
        KeyRing::new(keys).expect("not empty")
    }

    fn claims() -> Claims {
        Claims {
            authorization: AuthorizationId(4_000_000_000),
            generation: Generation(7),
            issued_at: 1_800_000_000,
            expires_at: Claims::NEVER,
        }
    }

    #[test]
    fn what_is_sealed_opens() {
        for kind in [TokenKind::Access, TokenKind::Refresh] {
            let token = ring(&[1, 2]).seal(kind, &claims(), &SystemEntropy).expect("one seals");
            assert_eq!(token.reveal().len(), LENGTH);
            assert!(token.reveal().starts_with(kind.prefix()));
            assert_eq!(ring(&[2, 3]).open(token.reveal()), Ok((kind, claims())), "an older key still opens");
            assert_eq!(ring(&[3]).open(token.reveal()), Err(OpenError::UnknownKey));
            assert_eq!(format!("{token:?}"), "SealedToken");
        }
    }

    #[test]
    fn what_a_node_says_is_told_from_what_anybody_says() {
        let signature = ring(&[1, 2]).sign("b:7").expect("one seals");
        assert!(signature.starts_with("2."), "{signature}");
        assert!(ring(&[2, 3]).has_signed("b:7", &signature), "an older key counts as long as it is in force");
        assert!(!ring(&[2]).has_signed("b:8", &signature));
        assert!(!ring(&[1, 3]).has_signed("b:7", &signature), "by a key that is not in force");
        for forged in ["", "2.", "2", ".", "x.y", &signature[..signature.len() - 1], &signature.replace("2.", "1.")] {
            assert!(!ring(&[1, 2]).has_signed("b:7", forged), "{forged}");
        }
        assert_eq!(KeyRing::none().sign("b:7"), Err(NoSealingKey));
    }

    #[test]
    fn a_new_key_opens_before_it_seals_and_what_is_absent_is_not_unknown() {
        let known = |ids: &[(u16, bool)]| -> Vec<RegisteredKey> {
            let all = ring(&[1, 2, 3]);
            let key = |id: u16| all.keys.iter().find(|key| key.id.0 == id).expect("one of three");
            let row = |(id, seals): &(u16, bool)| RegisteredKey {
                id: KeyId(*id),
                check: key(*id).check_value().to_owned(),
                seals: *seals,
            };
            ids.iter().map(row).collect()
        };
        let ids = |ring: &KeyRing| (ring.ids().map(|id| id.0).collect::<Vec<_>>(), ring.absent().to_vec());
        for (held, registered, expect) in [
            (&[1][..], &[(1, true)][..], (vec![1], vec![])),
            // What nobody has agreed to opens nothing.
            (&[1, 2], &[(1, true)], (vec![1], vec![])),
            (&[1, 2], &[(1, true), (2, false)], (vec![2, 1], vec![])),
            (&[1, 2], &[(1, true), (2, true)], (vec![1, 2], vec![])),
            (&[2, 1], &[(2, true), (1, true)], (vec![1, 2], vec![])),
            (&[1], &[(1, true), (2, false)], (vec![1], vec![])),
            (&[1], &[(1, true), (2, true)], (vec![1], vec![KeyId(2)])),
        ] {
            let ring = ring(held).in_force(&known(registered));
            assert_eq!((ids(&ring), ring.can_seal()), (expect, true), "{held:?} {registered:?}");
        }
        let token = ring(&[2]).seal(TokenKind::Access, &claims(), &SystemEntropy).expect("2 seals");
        for seals in [false, true] {
            let without = ring(&[1]).in_force(&known(&[(1, true), (2, seals)]));
            assert_eq!(without.open(token.reveal()), Err(OpenError::AbsentKey), "it may seal elsewhere: {seals}");
        }
        // Another key of the same number is another key.
        let other = KeyRing::new(vec![SealingKey::new(KeyId(1), &[9; 32]), SealingKey::new(KeyId(2), &[2; 32])]);
        let other = other.expect("two").in_force(&known(&[(1, true), (2, true)]));
        assert_eq!(ids(&other), (vec![2], vec![KeyId(1)]));
        // Where none may seal, what was retired opens no more than elsewhere.
        let mine = ring(&[2]);
        for (registered, absent) in
            [(&[][..], vec![]), (&[(1, true)], vec![KeyId(1)]), (&[(1, true), (3, true)], vec![KeyId(1), KeyId(3)])]
        {
            let none = mine.in_force(&known(registered));
            assert_eq!((ids(&none), none.can_seal()), ((vec![], absent), false), "{registered:?}");
            assert_eq!(none.open(token.reveal()), Err(OpenError::UnknownKey), "{registered:?}");
            assert_eq!(none.seal(TokenKind::Access, &claims(), &SystemEntropy), Err(NoSealingKey));
            assert_eq!(none.keyed_hash("a"), Err(NoSealingKey));
        }
        // One that only opens is not sealed with, for want of another.
        let only_opens = mine.in_force(&known(&[(1, true), (2, false)]));
        assert_eq!((ids(&only_opens), only_opens.can_seal()), ((vec![2], vec![KeyId(1)]), false));
        assert!(only_opens.open(token.reveal()).is_ok() && only_opens.keyed_hash("a").is_err());
        let checks: Vec<_> = ring(&[1, 2]).keys.iter().map(|key| key.check.clone()).collect();
        assert!(checks[0] != checks[1] && !checks.iter().any(|check| check.contains("0101010101")));
        assert_eq!(ring(&[1]).keyed_hash("a"), ring(&[1]).keyed_hash("a"));
        assert_ne!(ring(&[1]).keyed_hash("a"), ring(&[2]).keyed_hash("a"));
    }

    #[test]
    fn a_forged_or_damaged_token_does_not() {
        let ring = ring(&[1]);
        let token = ring.seal(TokenKind::Access, &claims(), &SystemEntropy).expect("one seals").reveal().to_owned();
        let mend = |text: &str| {
            let sum = checksum(&text.as_bytes()[..LENGTH - CHECKSUM]);
            format!("{}{}", &text[..LENGTH - CHECKSUM], std::str::from_utf8(&sum).expect("ASCII"))
        };
        let refresh = token.replacen("orat_", "orrt_", 1);
        let mut flipped = token.clone().into_bytes();
        flipped[40] = if flipped[40] == b'A' { b'B' } else { b'A' };
        let flipped = String::from_utf8(flipped).expect("ASCII");
        for (text, expect) in [
            (String::new(), OpenError::Malformed),
            ("orat_".to_owned(), OpenError::Malformed),
            ("é".repeat(LENGTH / 2) + "x", OpenError::Malformed),
            (token.replacen("orat_", "orxt_", 1), OpenError::Malformed),
            (token[..LENGTH - 1].to_owned(), OpenError::Malformed),
            (flipped.clone(), OpenError::Checksum),
            (refresh.clone(), OpenError::Checksum),
            (mend(&flipped), OpenError::Forged),
            (mend(&refresh), OpenError::Forged),
        ] {
            assert_eq!(ring.open(&text), Err(expect), "{text}");
        }
    }
}
