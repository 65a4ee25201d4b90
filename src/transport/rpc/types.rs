//! What goes in and out of the namespace `orest`. Times are RFC 3339, UTC, to the second.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::revocation;
use crate::domain::time::{Timestamp, from_unix};
use crate::domain::token::{Claims, TokenKind};
use crate::limits;
use crate::service::verify::Verified;

/// What an act is aimed at: an object with one of these members.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// These authorizations; each must exist. `{"ids": [1, 2]}`
    Ids(Vec<i64>),
    /// What a search domain over `orest.authorization` finds. `{"domain": [["state", "=", "live"]]}`
    Domain(Value),
    /// All of a user. `{"user_id": 7}`
    UserId(i64),
    /// All of an application. `{"application_id": 3}`
    ApplicationId(i64),
    /// All of a device. `{"device_id": 5}`
    DeviceId(i64),
}

/// What is told of a token.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Verification {
    /// Whether it is good. If not, nothing else is told.
    pub active: bool,
    /// The rest.
    #[serde(flatten)]
    pub token: Option<Token>,
}

/// A token that is good.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Token {
    /// `access_token` or `refresh_token`.
    pub token_type_hint: &'static str,
    /// The authorization that it names.
    pub authorization_id: i64,
    /// Who acts.
    pub application_id: i64,
    /// The same, as OAuth has it.
    pub client_id: String,
    /// For whom; null: the application in its own name.
    pub user_id: Option<i64>,
    /// His login.
    pub login: Option<String>,
    /// From where.
    pub device_id: Option<i64>,
    /// What was granted, separated by spaces.
    pub scope: String,
    /// When it was made.
    pub issued_at: String,
    /// When it ends; null: with its authorization.
    pub expires_at: Option<String>,
}

impl From<&Verified> for Token {
    fn from(verified: &Verified) -> Self {
        Self {
            token_type_hint: match verified.kind {
                TokenKind::Access => "access_token",
                TokenKind::Refresh => "refresh_token",
                TokenKind::Gateway => "gateway_session",
            },
            authorization_id: verified.claims.authorization.0,
            application_id: verified.application.id.0,
            client_id: verified.application.client_id.clone(),
            user_id: verified.user.as_ref().map(|user| user.id.0),
            login: verified.user.as_ref().map(|user| user.login().to_owned()),
            device_id: verified.device.map(|device| device.0),
            scope: verified.scope.to_string(),
            issued_at: rfc3339(from_unix(verified.claims.issued_at)),
            expires_at: (verified.claims.expires_at != Claims::NEVER)
                .then(|| rfc3339(from_unix(verified.claims.expires_at))),
        }
    }
}

/// What [`super::api::RevocationApiServer::revoke`] would do.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Preview {
    /// How many authorizations the selection names.
    pub requested: u64,
    /// How many of these would be revoked.
    pub live: u64,
    /// How many of these are revoked already.
    pub already_revoked: u64,
    /// Whose they are, most first, at most 20.
    pub users: Vec<UserCount>,
    /// How many users in all.
    pub user_count: u64,
    /// Of which applications, most first, at most 20.
    pub applications: Vec<ApplicationCount>,
    /// To be given to `revoke` as `expect`.
    pub digest: String,
}

/// How many of a user.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct UserCount {
    /// Whose; null: of applications in their own names.
    pub user_id: Option<i64>,
    /// How many.
    pub count: u64,
}

/// How many of an application.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct ApplicationCount {
    /// Which.
    pub application_id: i64,
    /// How many.
    pub count: u64,
}

impl From<revocation::Preview> for Preview {
    fn from(preview: revocation::Preview) -> Self {
        let users = preview.users.into_iter();
        let applications = preview.applications.into_iter();
        Self {
            requested: preview.requested,
            live: preview.live,
            already_revoked: preview.already_revoked,
            users: users.map(|(user, count)| UserCount { user_id: user.map(|user| user.0), count }).collect(),
            user_count: preview.user_count,
            applications: applications.map(|(id, count)| ApplicationCount { application_id: id.0, count }).collect(),
            digest: preview.digest.0,
        }
    }
}

/// What was done. The counts are of what was committed.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Receipt {
    /// The act; null: the selection was empty, and nothing was written.
    pub revocation_id: Option<i64>,
    /// Its place in the order of commitment.
    pub sequence: u64,
    /// How many authorizations it was aimed at.
    pub requested: u64,
    /// How many of these were live and are revoked now; of an undo: are live again.
    pub revoked: u64,
    /// How many of these were revoked before; of an undo: stay revoked.
    pub already_revoked: u64,
    /// How many nodes it holds on.
    pub nodes: u32,
    /// The nodes that have not confirmed it and may still accept the tokens; empty unless a node can't be reached.
    pub unconfirmed: Vec<Unconfirmed>,
}

/// A node that may still accept tokens that were taken back.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Unconfirmed {
    /// Its name.
    pub node: String,
    /// By when it must have stopped.
    pub until: String,
}

impl From<&revocation::Unconfirmed> for Unconfirmed {
    fn from(own: &revocation::Unconfirmed) -> Self {
        Self { node: own.node.clone(), until: rfc3339(own.until) }
    }
}

impl From<revocation::Receipt> for Receipt {
    fn from(receipt: revocation::Receipt) -> Self {
        Self {
            revocation_id: receipt.revocation.map(|id| id.0),
            sequence: receipt.sequence,
            requested: receipt.requested,
            revoked: receipt.revoked,
            already_revoked: receipt.already_revoked,
            nodes: receipt.nodes,
            unconfirmed: receipt.unconfirmed.iter().map(Unconfirmed::from).collect(),
        }
    }
}

/// An act, as subscribers are told of it.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Act {
    /// The act.
    pub revocation_id: i64,
    /// Its place in the order of commitment.
    pub sequence: u64,
    /// `revoke` or `undo`.
    pub kind: &'static str,
    /// The act that it took back.
    pub undoes_id: Option<i64>,
    /// When.
    pub at: String,
    /// Who; null: the service or an application.
    pub user_id: Option<i64>,
    /// His login, or the `client_id`.
    pub user_login: String,
    /// From where.
    pub ip_address: Option<String>,
    /// Through which door.
    pub channel: &'static str,
    /// `admin`, `user`, `policy` or `system` (OpenID CAEP 1.0).
    pub initiating_entity: &'static str,
    /// Why, for administrators.
    pub reason_admin: Option<String>,
    /// Why, for those whom it touches.
    pub reason_user: Option<String>,
    /// How many authorizations it was aimed at.
    pub requested: u64,
    /// How many of these it revoked, or made live again.
    pub revoked: u64,
    /// How many of these it found revoked, or left so.
    pub already_revoked: u64,
    /// Those that it revoked, or made live again.
    pub authorizations: AuthorizationSet,
}

/// A set of authorizations: an object with one member.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum AuthorizationSet {
    /// Their ids, in order; for up to [`limits::RPC_IDS_MAX`].
    Ids(Vec<u32>),
    /// A Roaring bitmap in its portable format, in base64; for more.
    Bitmap(String),
}

impl From<&RoaringBitmap> for AuthorizationSet {
    fn from(set: &RoaringBitmap) -> Self {
        if set.len() <= limits::RPC_IDS_MAX {
            return Self::Ids(set.iter().collect());
        }
        let mut bytes = Vec::with_capacity(set.serialized_size());
        set.serialize_into(&mut bytes).expect("a vector takes all that is written to it");
        Self::Bitmap(STANDARD.encode(bytes))
    }
}

impl From<&revocation::Revocation> for Act {
    fn from(revocation: &revocation::Revocation) -> Self {
        let act = &revocation.act;
        Self {
            revocation_id: revocation.id.0,
            sequence: revocation.sequence,
            kind: revocation.kind.as_str(),
            undoes_id: revocation.undoes.map(|id| id.0),
            at: rfc3339(act.at),
            user_id: act.user.map(|user| user.0),
            user_login: act.login.clone(),
            ip_address: act.address.map(|address| address.to_string()),
            channel: act.channel.as_str(),
            initiating_entity: act.initiating_entity.as_str(),
            reason_admin: act.reason_admin.clone(),
            reason_user: act.reason_user.clone(),
            requested: revocation.requested,
            revoked: revocation.authorizations.len(),
            already_revoked: revocation.already_revoked.len(),
            authorizations: AuthorizationSet::from(&revocation.authorizations),
        }
    }
}

fn rfc3339(at: Timestamp) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
