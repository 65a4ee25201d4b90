//! Revocations: one act each. A fact, never updated.

use std::net::IpAddr;

use roaring::RoaringBitmap;

use super::ids::{RevocationId, UserId};
use super::time::Timestamp;

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in the database and on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The inverse of [`Self::as_str`].
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

named! {
    /// Through which door an act came.
    Channel {
        /// Odoo's RPC: `action_revoke_tokens`.
        Rpc = "rpc",
        /// The waste bin: `unlink` of an authorization.
        Unlink = "unlink",
        /// The server action "Revoke Tokens".
        ServerAction = "server_action",
        /// Our own namespace, `orest_revoke`.
        TypedRpc = "orest_rpc",
        /// `/oauth2/revoke` (RFC 7009).
        OauthRevoke = "oauth_revoke",
        /// A refresh token shown again (RFC 9700 section 4.14.2).
        RefreshReuse = "refresh_reuse",
        /// An authorization code shown again (RFC 6749 section 4.1.2).
        CodeReuse = "code_reuse",
        /// A password change.
        PasswordChange = "password_change",
        /// `orest passwd`: a password that was set on the server's own machine.
        PasswordReset = "password_reset",
        /// A user was disabled with all that acts for him.
        UserDisable = "user_disable",
        /// A user was deleted.
        UserDelete = "user_delete",
        /// An application was deleted.
        ApplicationDelete = "application_delete",
        /// A device was revoked.
        DeviceRevoke = "device_revoke",
        /// The command line.
        CommandLine = "command_line",
        /// The App Services Admin API.
        AdminApi = "admin_api",
        /// `revoke_user`, the Cloudflare Access API.
        AccessApi = "access_api",
        /// Who signed out at the gateway.
        SignOut = "sign_out",
        /// A door of a later version than this one, whose acts hold here as well.
        Unknown = "unknown",
    }
}

impl Channel {
    /// Whether an act through this door may be taken back. Reuse, RFC 7009, disable and delete may not: they say that
    /// the tokens are known to others, or that their holder gave them up.
    pub const fn can_undo(self) -> bool {
        matches!(
            self,
            Self::Rpc
                | Self::Unlink
                | Self::ServerAction
                | Self::TypedRpc
                | Self::DeviceRevoke
                | Self::CommandLine
                | Self::AdminApi
                | Self::AccessApi
        )
    }

    /// Whether such an act does more than revoke, so that the log has it where nothing was there to be revoked, too.
    pub const fn does_more(self) -> bool {
        matches!(self, Self::PasswordReset | Self::UserDisable | Self::UserDelete | Self::DeviceRevoke)
    }
}

named! {
    /// Who set an act off: OpenID CAEP 1.0, `initiating_entity`.
    InitiatingEntity {
        /// An administrator, on others' authorizations.
        Admin = "admin",
        /// The user himself, or his application.
        User = "user",
        /// A rule, such as refresh reuse.
        Policy = "policy",
        /// The service itself.
        System = "system",
    }
}

named! {
    /// What an act did.
    Kind {
        /// It revoked.
        Revoke = "revoke",
        /// It took a revocation back.
        Undo = "undo",
    }
}

/// One act, as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Revocation {
    /// Its row.
    pub id: RevocationId,
    /// Its place in the order of commitment.
    pub sequence: u64,
    /// Whether it revoked or undid.
    pub kind: Kind,
    /// What it undid.
    pub undoes: Option<RevocationId>,
    /// The act.
    pub act: Act,
    /// How many authorizations it was aimed at.
    pub requested: u64,
    /// What it revoked, or made live again.
    pub authorizations: RoaringBitmap,
    /// What it was aimed at but found revoked.
    pub already_revoked: RoaringBitmap,
    /// Whether the records went into the waste bin.
    pub hides: bool,
}

/// Who, when, from where, through which door, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// When.
    pub at: Timestamp,
    /// Who; `None`: the service or an application.
    pub user: Option<UserId>,
    /// His login then, or the `client_id`.
    pub login: String,
    /// From where.
    pub address: Option<IpAddr>,
    /// Through which door.
    pub channel: Channel,
    /// Who set it off.
    pub initiating_entity: InitiatingEntity,
    /// Why, for administrators.
    pub reason_admin: Option<String>,
    /// Why, for those whom it touches.
    pub reason_user: Option<String>,
    /// What it was aimed at, for people.
    pub selection: String,
}

/// What `revoke` answers. What it counts is what was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The act; `None` when there was nothing to aim at, so that nothing was written.
    pub revocation: Option<RevocationId>,
    /// Its place in the order of commitment.
    pub sequence: u64,
    /// How many authorizations it was aimed at.
    pub requested: u64,
    /// How many of these were live and are revoked now.
    pub revoked: u64,
    /// How many of these were revoked before.
    pub already_revoked: u64,
    /// How many nodes it holds on: they have applied it, or can't answer from memory any more.
    pub nodes: u32,
    /// The nodes on which it may not hold yet, as long as each is told.
    pub unconfirmed: Vec<Unconfirmed>,
}

impl Receipt {
    /// Of an act that was just written down.
    pub fn of(act: &Revocation) -> Self {
        Self {
            revocation: Some(act.id),
            requested: act.requested,
            revoked: act.authorizations.len(),
            already_revoked: act.already_revoked.len(),
            ..Self::nothing(act.sequence)
        }
    }

    /// Of an act that had nothing to aim at, when `sequence` was the last place that had been given.
    pub const fn nothing(sequence: u64) -> Self {
        Self {
            revocation: None,
            sequence,
            requested: 0,
            revoked: 0,
            already_revoked: 0,
            nodes: 1,
            unconfirmed: Vec::new(),
        }
    }

    /// The same with how far it has reached.
    #[must_use]
    pub fn settled(self, settlement: &Settlement) -> Self {
        Self { nodes: settlement.nodes, unconfirmed: settlement.unconfirmed.clone(), ..self }
    }
}

/// How far what was committed has reached when the call returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// How many nodes it holds on.
    pub nodes: u32,
    /// The nodes that have not confirmed it.
    pub unconfirmed: Vec<Unconfirmed>,
}

impl Settlement {
    /// On the only node there is.
    pub const fn alone() -> Self {
        Self { nodes: 1, unconfirmed: Vec::new() }
    }
}

/// A node that may act on what was before a change: it has not confirmed that it knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unconfirmed {
    /// Its name.
    pub node: String,
    /// By when it must have stopped: nobody could reach it, and its lease ends.
    pub until: Timestamp,
}

impl Unconfirmed {
    /// For people: what was done but is not confirmed, where, and until when that matters. Begins with a small letter and
    /// has no full stop.
    pub fn explain(nodes: &[Self]) -> String {
        let names: Vec<&str> = nodes.iter().map(|own| own.node.as_str()).collect();
        let (verb, they) = if nodes.len() == 1 { ("has", "it") } else { ("have", "they") };
        let until = nodes.iter().map(|own| own.until).max().unwrap_or_default();
        format!(
            "it is done and stored, but {} {verb} not confirmed it: until {until} UTC {they} may still accept what was taken back",
            names.join(", ")
        )
    }
}

/// What `preview` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// How many authorizations the selection names.
    pub requested: u64,
    /// How many of these would be revoked.
    pub live: u64,
    /// How many of these are revoked already.
    pub already_revoked: u64,
    /// Whose they are: user and count, most first, at most [`crate::limits::PREVIEW_ROWS_MAX`].
    pub users: Vec<(Option<UserId>, u64)>,
    /// How many users in all.
    pub user_count: u64,
    /// Of which applications: id and count, most first, at most [`crate::limits::PREVIEW_ROWS_MAX`].
    pub applications: Vec<(super::ids::ApplicationId, u64)>,
    /// The digest of the set that would be revoked, to be given to `revoke` as `expect`.
    pub digest: Digest,
}

/// SHA-256 over the set that would be revoked, in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest(pub String);

impl Digest {
    /// The digest of a set.
    pub fn of(set: &RoaringBitmap) -> Self {
        use sha2::{Digest as _, Sha256};
        let mut hash = Sha256::new();
        for bit in set {
            hash.update(bit.to_be_bytes());
        }
        Self(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
