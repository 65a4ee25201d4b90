//! The methods of the namespace `orest`. Parameters are taken by name or by position. Who may: members of "REST API
//! Admin", and for `preview` and `revoke` everybody on his own.

use jsonrpsee::core::{RpcResult, SubscriptionResult};
use jsonrpsee::proc_macros::rpc;

use super::types::{Preview, Receipt, Selection, Verification};

/// Verify, preview, revoke, undo, and be told.
#[rpc(server, namespace = "orest")]
pub trait RevocationApi {
    /// Whether an access or refresh token is good now, and what it is. What is not good is `{"active": false}` whatever
    /// the reason (RFC 7662 section 2.2).
    #[method(name = "verify", with_extensions)]
    async fn verify(&self, token: String) -> RpcResult<Verification>;

    /// What [`Self::revoke`] would do with this selection, and the digest that it can be held to.
    #[method(name = "preview", with_extensions)]
    async fn preview(&self, selection: Selection) -> RpcResult<Preview>;

    /// Takes back. When it has answered, the tokens of the selection are refused, everywhere.
    ///
    /// `reason` is for administrators, `reason_user` for those whom it touches. With `expect`, the digest of a preview, a
    /// selection that has changed since is refused with -32009 and nothing is done.
    #[method(name = "revoke", with_extensions)]
    async fn revoke(
        &self,
        selection: Selection,
        reason: Option<String>,
        reason_user: Option<String>,
        expect: Option<String>,
    ) -> RpcResult<Receipt>;

    /// Takes one's own revocation back within 15 minutes. What another act was aimed at too stays revoked.
    #[method(name = "undo", with_extensions)]
    async fn undo(&self, revocation_id: i64, reason: Option<String>) -> RpcResult<Receipt>;

    /// Gives each act that is committed from now on, in its order. Ends when the caller loses the right to it, or
    /// when he reads so slowly that acts would be left out.
    #[subscription(
        name = "subscribeRevocations",
        unsubscribe = "unsubscribeRevocations",
        item = super::types::Act,
        with_extensions
    )]
    async fn subscribe_revocations(&self) -> SubscriptionResult;
}
