//! A database that has lost its last commits, as a copy that takes over or a backup may have, gives their ids again: what was
//! handed out for the lost ones must not open the new ones.

use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use orest::service::issue::GrantError;
use orest::service::verify::Refusal;
use orest::store::{StoreError, dialect};

use crate::support::TestService;

const TABLE: &str = "orest_authorization";

#[tokio::test]
async fn a_token_of_a_lost_authorization_does_not_open_the_one_that_has_its_id() {
    let one = TestService::new().await;
    let lost = one.authorize("bob", 1, None, true).await.unwrap();
    let (access, refresh) = (lost.access.reveal(), lost.refresh.as_ref().unwrap().reveal());
    let id = one.service.verify(access).await.unwrap().unwrap().claims.authorization;
    let forgotten: Result<(), StoreError> = one
        .store
        .write(move |tx| {
            let sql = format!(
                "DELETE FROM orest_authorization_code WHERE authorization_id = {id}; DELETE FROM {TABLE} WHERE id = {id}"
            );
            tx.connection.batch_execute(&sql)?;
            Ok(dialect::set_last_given_id(tx.connection, TABLE, id.0 - 1)?)
        })
        .await;
    forgotten.unwrap();
    // Noticed or not: each node has loaded what there is by now.
    let two = one.restart().await;
    one.clock.advance(Duration::from_secs(30));
    let new = two.authorize("alice", 1, None, true).await.unwrap();
    let verified = two.service.verify(new.access.reveal()).await.unwrap().unwrap();
    assert_eq!(verified.claims.authorization, id, "the id is given again");

    let verdict = two.service.verify(access).await.unwrap();
    assert!(matches!(verdict, Err(Refusal::OfAnotherHistory)), "{:?}", verdict.map(|_| ()));
    if let Some(verdict) = two.service.verify_in_memory(access) {
        assert!(matches!(verdict, Err(Refusal::OfAnotherHistory)));
    }
    let refused = two.service.refresh(&two.applications[1], refresh, None, None).await;
    assert!(matches!(refused, Err(GrantError::InvalidGrant(_))), "{refused:?}");
    two.service.revoke_token(&two.applications[1], access, None).await.unwrap();
    assert!(two.service.verify(new.access.reveal()).await.unwrap().is_ok(), "what it names was not revoked by it");
}

/// The clocks of the nodes are right to the second, not better.
#[tokio::test]
async fn a_token_from_a_node_whose_clock_is_a_little_behind_is_good() {
    use orest::domain::time::{Clock as _, unix};
    use orest::domain::token::{Claims, Generation, TokenKind};
    let test = TestService::new().await;
    let made = test.authorize("bob", 1, None, true).await.unwrap();
    let id = test.service.verify(made.access.reveal()).await.unwrap().unwrap().claims.authorization;
    let now = unix(test.clock.now());
    for (behind, good) in [(0, true), (5, true), (6, false)] {
        let issued_at = now - behind;
        let claims = Claims { authorization: id, generation: Generation(0), issued_at, expires_at: now + 60 };
        let entropy = crate::support::SeededEntropy::new(1);
        let token = test.service.keys().seal(TokenKind::Access, &claims, &entropy).unwrap();
        assert_eq!(test.service.verify(token.reveal()).await.unwrap().is_ok(), good, "{behind} seconds behind");
    }
}
