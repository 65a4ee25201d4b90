//! What nodes tell each other by notifications, signed with a sealing key: whoever may connect to the database can send
//! one, and must neither say in a node's name that it has applied a revocation, nor take one back.
//!
//! * Of a commit, what it changes of that which nodes keep in memory: who hears that needs no query to apply it. No name and
//!   no reason is in it. What is too long for a notification is read from the feed, as is what nobody has signed.
//! * Of a node, what it has applied.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use crate::domain::revocation::Kind;
use crate::limits;
use crate::service::keys::Keys;
use crate::store::changes::{Announced, Change, Position};
use crate::store::link::{APPLIED_CHANNEL, CHANGE_CHANNEL};

/// What PostgreSQL takes: payloads are shorter than 8000 bytes.
const PAYLOAD_MAX: usize = 7_999;

/// A commit, as its node tells of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Announcement {
    /// Where the feed was before it.
    pub after: Position,
    /// What it changes, in order, each with its tag.
    pub changes: Vec<(String, Told)>,
}

/// A change, as far as it concerns what nodes keep in memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// A revocation or an undo.
    Act {
        /// Whether it revokes.
        revokes: bool,
        /// What it has revoked, or made live again.
        authorizations: Set,
    },
    /// See [`Change::User`].
    User(i64),
    /// See [`Change::Users`].
    Users,
    /// See [`Change::Applications`].
    Applications,
    /// See [`Change::Device`].
    Device(i64),
}

impl Told {
    /// `None`: it has to be read.
    fn of(change: &Change) -> Option<Self> {
        match change {
            Change::Revocation(act) => {
                let authorizations = Set::of(&act.authorizations)?;
                Some(Self::Act { revokes: act.kind == Kind::Revoke, authorizations })
            }
            Change::User(id) => Some(Self::User(id.0)),
            Change::Users => Some(Self::Users),
            Change::Applications => Some(Self::Applications),
            Change::Device(id) => Some(Self::Device(id.0)),
            Change::Pairing(_) | Change::Keys(_) => None,
        }
    }
}

/// Authorizations, not too many of them. As a text: base64 of their portable form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Set(pub RoaringBitmap);

impl Set {
    fn of(set: &RoaringBitmap) -> Option<Self> {
        if set.len() > limits::ANNOUNCED_MAX {
            return None;
        }
        let mut set = set.clone();
        set.optimize();
        (set.serialized_size() <= PAYLOAD_MAX).then_some(Self(set))
    }
}

impl From<Set> for String {
    fn from(Set(set): Set) -> Self {
        let mut bytes = Vec::with_capacity(set.serialized_size());
        set.serialize_into(&mut bytes).expect("a vector takes what it is given");
        STANDARD_NO_PAD.encode(bytes)
    }
}

impl TryFrom<String> for Set {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = STANDARD_NO_PAD.decode(text).map_err(|_| "not base64")?;
        RoaringBitmap::deserialize_from(bytes.as_slice()).map(Self).map_err(|_| "not a set")
    }
}

/// What is told of a commit: `LAST SIGNATURE CONTENT`, by the number of its last change. Where this is `None`, that number alone.
pub fn announcement(keys: &Keys, after: &Position, changes: &[Announced]) -> Option<String> {
    let told = changes.iter().map(|Announced { change, position }| Some((position.clone()?.tag, Told::of(change)?)));
    let said = Announcement { after: after.clone(), changes: told.collect::<Option<_>>()? };
    let said = sign(keys, CHANGE_CHANNEL, &serde_json::to_string(&said).expect("numbers and texts"))?;
    let last = changes.last()?.position.as_ref()?.sequence;
    Some(format!("{last} {said}")).filter(|text| text.len() <= PAYLOAD_MAX)
}

/// What is heard of a commit: up to where the feed goes, as anybody may say; and what a node says of it.
pub fn heard_announcement(keys: &Keys, payload: &str) -> Option<(u64, Option<Announcement>)> {
    let (last, said) = payload.split_once(' ').unwrap_or((payload, ""));
    let last = last.parse().ok()?;
    Some((last, opened(keys, CHANGE_CHANNEL, said).and_then(|said| serde_json::from_str(said).ok())))
}

/// What a node tells of itself: `SIGNATURE NODE:SEQUENCE:TAG`. One without a key can't; its row says so with each renewal.
pub fn applied(keys: &Keys, id: &str, position: &Position) -> Option<String> {
    sign(keys, APPLIED_CHANNEL, &format!("{id}:{}:{}", position.sequence, position.tag))
}

/// Which node has applied what.
pub fn heard_applied(keys: &Keys, payload: &str) -> Option<(String, Position)> {
    let (id, rest) = opened(keys, APPLIED_CHANNEL, payload)?.split_once(':')?;
    let (sequence, tag) = rest.split_once(':')?;
    Some((id.to_owned(), Position { sequence: sequence.parse().ok()?, tag: tag.to_owned() }))
}

fn sign(keys: &Keys, channel: &str, text: &str) -> Option<String> {
    Some(format!("{} {text}", keys.sign(&bound(channel, text))?))
}

fn opened<'a>(keys: &Keys, channel: &str, payload: &'a str) -> Option<&'a str> {
    let (signature, text) = payload.split_once(' ')?;
    keys.has_signed(&bound(channel, text), signature).then_some(text)
}

/// What is said in one place means nothing in another.
fn bound(channel: &str, text: &str) -> String {
    format!("{channel}\n{text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{DeviceId, UserId};
    use crate::domain::token::{KeyId, KeyRing, RegisteredKey, SealingKey};

    fn keys(byte: u8) -> Keys {
        let key = SealingKey::new(KeyId(1), &[byte; 32]);
        let registered = RegisteredKey { id: key.id(), check: key.check_value().to_owned(), seals: true };
        let keys = Keys::new(KeyRing::new(vec![key]).expect("one"));
        keys.set_registered(vec![registered]);
        keys
    }

    fn place(sequence: u64) -> Position {
        Position { sequence, tag: format!("tag {sequence}") }
    }

    fn told(changes: Vec<Change>) -> Option<String> {
        let announced = changes.into_iter().zip(8..);
        let announced = announced.map(|(change, number)| Announced { change, position: Some(place(number)) });
        announcement(&keys(1), &place(7), &announced.collect::<Vec<_>>())
    }

    #[test]
    fn what_a_node_says_is_heard_as_it_was_said() {
        let changes = vec![Change::User(UserId(3)), Change::Users, Change::Applications, Change::Device(DeviceId(4))];
        let payload = told(changes).expect("it fits");
        let (last, said) = heard_announcement(&keys(1), &payload).expect("it is one");
        let said = said.expect("it is signed");
        assert_eq!((last, said.after), (11, place(7)));
        let told = [Told::User(3), Told::Users, Told::Applications, Told::Device(4)];
        assert_eq!(said.changes, (8..).map(|number| place(number).tag).zip(told).collect::<Vec<_>>());
        let applied = applied(&keys(1), "b", &place(7)).expect("it is signed");
        assert_eq!(heard_applied(&keys(1), &applied), Some(("b".to_owned(), place(7))));
    }

    #[test]
    fn what_nobody_has_signed_is_no_more_than_a_hint() {
        let payload = told(vec![Change::Users]).expect("it fits");
        assert_eq!(heard_announcement(&keys(2), &payload), Some((8, None)), "by a key that is not ours");
        assert_eq!(heard_announcement(&keys(1), &payload.replace("tag 8", "tag 9")), Some((8, None)));
        let (_, unsigned) = payload.split_once(' ').and_then(|(_, said)| said.split_once(' ')).expect("three parts");
        for payload in ["8".to_owned(), format!("8 {unsigned}"), format!("8  {unsigned}"), format!("8 1. {unsigned}")] {
            assert_eq!(heard_announcement(&keys(1), &payload), Some((8, None)), "{payload}");
        }
        for payload in ["", "eight", "-1"] {
            assert_eq!(heard_announcement(&keys(1), payload), None, "{payload}");
        }
        let signed = applied(&keys(1), "b", &place(7)).expect("it is signed");
        assert_eq!(heard_applied(&keys(2), &signed), None);
        assert_eq!(heard_applied(&keys(1), &signed.replace("b:7", "c:7")), None, "in another's name");
        assert_eq!(heard_applied(&keys(1), "b:7:tag 7"), None);
        // What was signed in one place is not taken for the other.
        let elsewhere = sign(&keys(1), CHANGE_CHANNEL, "b:7:tag 7").expect("it is signed");
        assert_eq!(heard_applied(&keys(1), &elsewhere), None);
    }

    /// Acts are told by what they change, as many as a notification takes; what doesn't fit, or a node without a key says, is
    /// told by its number.
    #[test]
    fn a_notification_takes_so_much() {
        let set = |ids: &mut dyn Iterator<Item = u32>| {
            let told = Told::Act { revokes: true, authorizations: Set::of(&ids.collect())? };
            let said = Announcement { after: place(7), changes: vec![(place(8).tag, told)] };
            Some(serde_json::to_string(&said).expect("numbers and texts"))
        };
        // Forty selected ones, and ten thousand that follow each other.
        assert!(set(&mut (1..=40).map(|number| number * 1_000_003)).expect("short").len() < 1_500);
        assert!(set(&mut (1..=10_000)).expect("short").len() < 1_000);
        assert_eq!(set(&mut (1..=10_001)), None, "more than is applied where nothing may wait");
        assert_eq!(set(&mut (1..=10_000).map(|number| number * 7)), None, "more than one takes");
        let users = |count| (1..=count).map(|id| Change::User(UserId(id))).collect();
        assert_eq!(told(users(2_000)), None);
        assert!(told(users(40)).expect("short").starts_with("47 "));
        let none = Keys::new(KeyRing::none());
        let change = Announced { change: Change::Users, position: Some(place(8)) };
        assert_eq!(announcement(&none, &place(7), &[change]), None);
        assert_eq!(applied(&none, "b", &place(7)), None);
    }

    #[test]
    fn a_set_is_read_as_it_was_written_and_nothing_else_is_one() {
        let set = Set::of(&[1, 5, 70_000].into_iter().collect()).expect("small");
        let text = String::from(set.clone());
        assert_eq!(Set::try_from(text.clone()), Ok(set));
        for text in ["", "!", &text[..text.len() - 4]] {
            assert!(Set::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
