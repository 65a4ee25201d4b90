//! Passwords are tried few at a time, and not for ever.

use std::net::IpAddr;

use orest::limits;
use orest::service::Error;
use orest::service::sign_in::SignedIn;

use crate::support::TestService;

/// Wrong, right or too many.
fn told(answer: Result<Option<SignedIn>, Error>) -> &'static str {
    match answer {
        Ok(None) => "wrong",
        Ok(Some(_)) => "right",
        Err(Error::RateLimited { .. }) => "too many",
        Err(error) => panic!("{error}"),
    }
}

/// So many at once with this password; how many were wrong, right, too many.
async fn at_once(test: &TestService, tries: usize, password: &'static str, address: IpAddr) -> [usize; 3] {
    let tasks: Vec<_> = (0..tries)
        .map(|_| {
            let service = test.service.clone();
            tokio::spawn(async move { service.user_by_password("alice", password, Some(address)).await })
        })
        .collect();
    let mut counts = [0; 3];
    for task in tasks {
        let told = told(task.await.unwrap());
        counts[["wrong", "right", "too many"].iter().position(|known| *known == told).unwrap()] += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_are_no_way_around() {
    let test = TestService::empty().await;
    let [one, other] = [IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2])];
    assert_eq!(at_once(&test, 40, "alice", one).await, [0, 40, 0], "honest calls disturb no one another");
    let most = limits::LOGIN_FAILURES_MAX as usize;
    assert_eq!(at_once(&test, 40, "wrong", one).await, [most, 0, 40 - most]);
    assert_eq!(at_once(&test, 2, "alice", one).await, [0, 0, 2], "also what is right and remembered");
    assert_eq!(at_once(&test, 2, "alice", other).await, [0, 2, 0]);
    test.clock.advance(limits::LOGIN_COOLDOWN);
    assert_eq!(at_once(&test, 2, "alice", one).await, [0, 2, 0]);
}

#[tokio::test]
async fn whose_tries_are_counted_together() {
    let test = TestService::empty().await;
    let try_it = async |login: &str, password: &str, address: &str| {
        let address = Some(address.parse().unwrap());
        told(test.service.user_by_password(login, password, address).await)
    };
    let here = "2001:db8::1";
    for index in 0..limits::LOGIN_FAILURES_MAX {
        // By login or by id, and from anywhere in one network: it is one count.
        if index % 2 == 0 {
            assert_eq!(try_it("alice", "wrong", "2001:db8::2:3").await, "wrong", "{index}");
        } else {
            let by_id = test.service.user_by_id(test.uid("alice"), "wrong", Some(here.parse().unwrap())).await;
            assert!(by_id.unwrap().is_none());
        }
    }
    let by_id = test.service.user_by_id(test.uid("alice"), "alice", Some(here.parse().unwrap())).await;
    assert!(matches!(by_id, Err(Error::RateLimited { .. })));
    for (login, address, expect) in [
        ("alice", here, "too many"),
        ("alice", "2001:db8::ffff", "too many"),
        ("bob", here, "right"),
        ("alice", here, "too many"),
        ("alice", "2001:db8:0:1::1", "right"),
    ] {
        assert_eq!(try_it(login, login, address).await, expect, "{login} {address}");
    }
    // Somebody who goes through many logins.
    let elsewhere = "198.51.100.7";
    for index in 0..limits::ADDRESS_FAILURES_MAX {
        assert_eq!(try_it(&format!("nobody{index}"), "wrong", elsewhere).await, "wrong", "{index}");
    }
    assert_eq!(try_it("bob", "bob", elsewhere).await, "too many");
    assert_eq!(try_it("bob", "bob", "::ffff:198.51.100.7").await, "too many");
    assert_eq!(try_it("bob", "bob", "198.51.100.8").await, "right");
    test.clock.advance(limits::LOGIN_COOLDOWN);
    assert_eq!(try_it("bob", "bob", elsewhere).await, "right");
}

#[tokio::test]
async fn api_keys_are_not_counted() {
    let test = TestService::empty().await;
    let here = Some(IpAddr::from([192, 0, 2, 1]));
    let key = test.service.make_api_key(test.uid("alice"), "k", None, None).await.unwrap();
    for _ in 0..2 * limits::LOGIN_FAILURES_MAX {
        let wrong = "0".repeat(40);
        assert!(test.service.user_by_api_key(&wrong, "rpc").await.unwrap().is_none());
        assert!(test.service.user_by_id(test.uid("alice"), key.reveal(), here).await.unwrap().is_some());
    }
    assert_eq!(told(test.service.user_by_password("alice", "alice", here).await), "right");
}
