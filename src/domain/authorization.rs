//! Authorizations: "this application may act for this user from this device".

use super::ids::{ApplicationId, AuthorizationId, DeviceId, RevocationId, UserId};
use super::scope::Scope;
use super::time::Timestamp;
use super::token::Generation;

/// How an authorization came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GrantType {
    /// A user consented (RFC 6749 section 4.1).
    AuthorizationCode,
    /// The application asked in its own name (RFC 6749 section 4.4).
    ClientCredentials,
    /// A user signed in at the reverse proxy.
    Gateway,
    /// An administrator signed in at the Admin API, by password or API key.
    Password,
}

impl GrantType {
    /// Its name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::Gateway => "gateway",
            Self::Password => "password",
        }
    }

    /// The inverse of [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::AuthorizationCode, Self::ClientCredentials, Self::Gateway, Self::Password]
            .into_iter()
            .find(|grant| grant.as_str() == text)
    }
}

/// Whether its tokens are accepted. Whether it has expired is computed from the present moment, not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizationState {
    /// Not taken back.
    Live {
        /// Which refresh token is current.
        generation: Generation,
    },
    /// Taken back.
    Revoked {
        /// When.
        at: Timestamp,
        /// By which act.
        by: RevocationId,
    },
}

/// An authorization as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Its row, and its bit in a revocation's set.
    pub id: AuthorizationId,
    /// Who may act.
    pub application: ApplicationId,
    /// For whom; `None`: the application in its own name.
    pub user: Option<UserId>,
    /// From where.
    pub device: Option<DeviceId>,
    /// How it came to be.
    pub grant: GrantType,
    /// What was granted.
    pub scope: Scope,
    /// Whether it is live. A revocation whose columns are not filled in yet does not show here: ask the live state.
    pub state: AuthorizationState,
    /// Which refresh token is current, revoked or not.
    pub generation: Generation,
    /// When its refresh token was exchanged last.
    pub last_refreshed_at: Option<Timestamp>,
    /// When its last token ends; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A new authorization, before it has a row.
#[derive(Clone, Debug)]
pub struct NewAuthorization {
    /// Who may act.
    pub application: ApplicationId,
    /// For whom.
    pub user: Option<UserId>,
    /// From where.
    pub device: Option<DeviceId>,
    /// How it came to be.
    pub grant: GrantType,
    /// What was granted.
    pub scope: Scope,
    /// Where the answer goes.
    pub redirect_uri: Option<String>,
    /// When its last token ends.
    pub expires_at: Option<Timestamp>,
}
