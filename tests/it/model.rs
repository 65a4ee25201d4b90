//! Everything at random against a model so naive that it can't be wrong: an authorization is revoked as long as any act
//! stands that named it, and a token is good as long as nothing speaks against it. After each step, what the service says of
//! every token and of every record must be what the model says.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use orest::domain::ids::RevocationId;
use orest::domain::revocation::Digest;
use orest::domain::selection::Selection;
use orest::domain::time::{Clock as _, unix};
use orest::domain::token::TokenKind;
use orest::limits;
use orest::orm::call::{Caller, Orm};
use orest::orm::registry::Registry;
use orest::service::issue::Consent;
use orest::service::revoke::RevokeOptions;
use proptest::prelude::*;
use roaring::RoaringBitmap;
use serde_json::{Map, Value, json};

use crate::support::TestService;

/// The users that authorizations act for. The administrator only revokes.
const USERS: [&str; 2] = ["alice", "bob"];

#[derive(Clone, Debug)]
enum Step {
    Issue { user: usize, application: usize, device: bool },
    Refresh { authorization: prop::sample::Index, token: prop::sample::Index },
    Revoke { actor: Actor, selection: Chosen, confirm: Confirm },
    Undo { act: prop::sample::Index },
    SetUser { user: usize, active: bool },
    SetApplication { application: usize, active: bool },
    ChangePassword { user: usize },
    Wait { seconds: u64 },
    Restart,
}

#[derive(Clone, Copy, Debug)]
enum Actor {
    Administrator,
    User(usize),
}

impl Actor {
    const fn login(self) -> &'static str {
        match self {
            Self::Administrator => "admin",
            Self::User(user) => USERS[user],
        }
    }
}

#[derive(Clone, Debug)]
enum Chosen {
    Ids(Vec<prop::sample::Index>),
    WithMissing(prop::sample::Index),
    User(usize),
    Application(usize),
}

#[derive(Clone, Copy, Debug)]
enum Confirm {
    No,
    /// With the digest of a preview.
    Previewed,
    /// With the digest of a preview that is no longer true.
    Stale,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<prop::sample::Index>;
    let actor = prop_oneof![2 => Just(Actor::Administrator), 1 => (0..2_usize).prop_map(Actor::User)];
    let chosen = prop_oneof![
        4 => prop::collection::vec(index(), 0..5).prop_map(Chosen::Ids),
        1 => index().prop_map(Chosen::WithMissing),
        2 => (0..2_usize).prop_map(Chosen::User),
        2 => (0..2_usize).prop_map(Chosen::Application),
    ];
    let confirm = prop_oneof![3 => Just(Confirm::No), 2 => Just(Confirm::Previewed), 1 => Just(Confirm::Stale)];
    let step = prop_oneof![
        6 => (0..2_usize, 0..2_usize, any::<bool>()).prop_map(|(user, application, device)| Step::Issue { user, application, device }),
        6 => (index(), index()).prop_map(|(authorization, token)| Step::Refresh { authorization, token }),
        6 => (actor, chosen, confirm).prop_map(|(actor, selection, confirm)| Step::Revoke { actor, selection, confirm }),
        4 => index().prop_map(|act| Step::Undo { act }),
        1 => (0..2_usize, any::<bool>()).prop_map(|(user, active)| Step::SetUser { user, active }),
        1 => (0..2_usize, any::<bool>()).prop_map(|(application, active)| Step::SetApplication { application, active }),
        1 => (0..2_usize).prop_map(|user| Step::ChangePassword { user }),
        3 => prop_oneof![1..40_u64, 600..5_000_u64].prop_map(|seconds| Step::Wait { seconds }),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..40)
}

struct Token {
    kind: TokenKind,
    text: String,
    generation: u32,
    expires_at: i64,
}

struct Authorization {
    id: i64,
    user: usize,
    application: usize,
    generation: u32,
    refreshed_at: i64,
    tokens: Vec<Token>,
}

struct Act {
    id: RevocationId,
    at: i64,
    names: BTreeSet<i64>,
    can_be_undone: bool,
    undone: bool,
    /// Because a refresh token was shown again.
    reuse: bool,
}

#[derive(Default)]
struct Model {
    authorizations: Vec<Authorization>,
    acts: Vec<Act>,
    users_off: BTreeSet<usize>,
    applications_off: BTreeSet<usize>,
}

impl Model {
    fn is_revoked(&self, id: i64) -> bool {
        self.acts.iter().any(|act| !act.undone && act.names.contains(&id))
    }

    fn may_act(&self, authorization: &Authorization) -> bool {
        !self.users_off.contains(&authorization.user) && !self.applications_off.contains(&authorization.application)
    }

    fn is_good(&self, authorization: &Authorization, token: &Token, now: i64) -> bool {
        let current = token.kind == TokenKind::Access || token.generation == authorization.generation;
        now < token.expires_at && current && !self.is_revoked(authorization.id) && self.may_act(authorization)
    }

    fn of(&self, matches: impl Fn(&Authorization) -> bool) -> BTreeSet<i64> {
        self.authorizations
            .iter()
            .filter(|authorization| matches(authorization))
            .map(|authorization| authorization.id)
            .collect()
    }
}

struct Run {
    test: TestService,
    model: Model,
}

impl Run {
    fn now(&self) -> i64 {
        unix(self.test.clock.now())
    }

    fn orm(&self) -> Orm {
        Orm::new(self.test.service.clone(), Registry::new())
    }

    async fn call(&self, model: &str, method: &str, args: Value) -> Value {
        let context = self.test.context("admin");
        let caller = Caller { uid: 2, context, session: None };
        let Value::Array(args) = args else { panic!("arguments are a list") };
        let result = self.orm().call_kw(&caller, model, method, args, Map::new()).await;
        result.unwrap_or_else(|error| panic!("{model}.{method}: {error}"))
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Issue { user, application, device } => self.issue(user, application, device).await,
            Step::Refresh { authorization, token } => self.refresh(authorization, token).await,
            Step::Revoke { actor, selection, confirm } => self.revoke(actor, selection, confirm).await,
            Step::Undo { act } => self.undo(act).await,
            Step::SetUser { user, active } => {
                let id = self.test.uid(USERS[user]).0;
                self.call("res.users", "write", json!([[id], { "active": active }])).await;
                if active {
                    self.model.users_off.remove(&user)
                } else {
                    self.model.users_off.insert(user)
                };
            }
            Step::SetApplication { application, active } => {
                let id = self.test.applications[application].id.0;
                self.call("orest.application", "write", json!([[id], { "active": active }])).await;
                let off = &mut self.model.applications_off;
                if active {
                    off.remove(&application)
                } else {
                    off.insert(application)
                };
            }
            Step::ChangePassword { user } => {
                let context = self.test.context("admin");
                let id = self.test.uid(USERS[user]);
                self.test.service.change_password(&context, id, "another one").await.expect("changed");
                let names = self.model.of(|authorization| authorization.user == user);
                self.note_newest(names, false).await;
            }
            Step::Wait { seconds } => self.test.clock.advance(Duration::from_secs(seconds)),
            Step::Restart => self.test = self.test.restart().await,
        }
    }

    async fn issue(&mut self, user: usize, application: usize, device: bool) {
        let registered = Arc::clone(&self.test.applications[application]);
        let redirect_uri = self.test.callback(application);
        let consent = Consent {
            application: Arc::clone(&registered),
            redirect_uri: redirect_uri.clone(),
            redirect_uri_sent: true,
            scope: registered.scope.clone(),
            challenge: None,
            device: (device && user == 0).then(|| self.test.devices[0]),
            session: None,
        };
        let code = self.test.service.consent(&self.test.context(USERS[user]), consent).await;
        let expected = !self.model.users_off.contains(&user) && !self.model.applications_off.contains(&application);
        assert_eq!(code.is_ok(), expected, "consent: {:?}", code.err());
        let Ok(code) = code else { return };
        let exchange = self.test.service.exchange_code(&registered, code.reveal(), Some(&redirect_uri), None, None);
        let tokens = exchange.await.expect("exchanged");
        let id = self.test.service.keys().open(tokens.access.reveal()).expect("opens").1.authorization.0;
        let mut made = Authorization { id, user, application, generation: 0, refreshed_at: 0, tokens: Vec::new() };
        self.keep(&mut made, tokens);
        self.model.authorizations.push(made);
    }

    fn keep(&self, authorization: &mut Authorization, tokens: orest::service::issue::Tokens) {
        let lifetimes = self.test.applications[authorization.application].lifetimes;
        let ends = |after: Option<Duration>| after.map_or(i64::MAX, |after| self.now() + after.as_secs().cast_signed());
        let generation = authorization.generation;
        let refresh = tokens.refresh.expect("a user's tokens are refreshed");
        for (kind, text, expires_at) in [
            (TokenKind::Access, tokens.access.reveal(), ends(Some(lifetimes.access_token))),
            (TokenKind::Refresh, refresh.reveal(), ends(lifetimes.refresh_token)),
        ] {
            authorization.tokens.push(Token { kind, text: text.to_owned(), generation, expires_at });
        }
    }

    async fn refresh(&mut self, authorization: prop::sample::Index, token: prop::sample::Index) {
        if self.model.authorizations.is_empty() {
            return;
        }
        let (at, now) = (authorization.index(self.model.authorizations.len()), self.now());
        let authorization = &self.model.authorizations[at];
        let refresh: Vec<_> = authorization.tokens.iter().filter(|token| token.kind == TokenKind::Refresh).collect();
        let token = refresh[token.index(refresh.len())];
        let (generation, expired, text) = (token.generation, now >= token.expires_at, token.text.clone());
        let revoked = self.model.is_revoked(authorization.id);
        let refused = expired || revoked || !self.model.may_act(authorization);
        let is_current = generation == authorization.generation;
        let grace = limits::REFRESH_GRACE.as_secs().cast_signed();
        let is_retry = generation + 1 == authorization.generation && now - authorization.refreshed_at <= grace;
        let copied = !expired && !is_current && !is_retry;
        let id = authorization.id;
        let application = Arc::clone(&self.test.applications[authorization.application]);
        let answer = self.test.service.refresh(&application, &text, None, None).await;
        assert_eq!(answer.is_ok(), !refused && (is_current || is_retry), "refresh: {:?}", answer.err());
        match answer {
            Ok(tokens) => {
                let mut changed = self.model.authorizations.swap_remove(at);
                if is_current {
                    changed.generation += 1;
                    changed.refreshed_at = now;
                }
                self.keep(&mut changed, tokens);
                self.model.authorizations.push(changed);
            }
            // Also what is revoked already is revoked for good, once in the time in which the other act can be taken back.
            Err(_) if copied && (revoked || !refused) && !self.has_reuse(id) => {
                self.note_newest(BTreeSet::from([id]), false).await;
                self.model.acts.last_mut().expect("just noted").reuse = true;
            }
            Err(_) => {}
        }
    }

    fn has_reuse(&self, id: i64) -> bool {
        let since = self.now() - limits::UNDO_WINDOW.as_secs().cast_signed();
        self.model.acts.iter().any(|act| act.reuse && act.at >= since && act.names.contains(&id))
    }

    async fn revoke(&mut self, actor: Actor, chosen: Chosen, confirm: Confirm) {
        let all = self.model.of(|_| true);
        let pick = |index: &prop::sample::Index| all.iter().nth(index.index(all.len())).copied();
        let (selection, names, missing) = match chosen {
            Chosen::Ids(_) | Chosen::WithMissing(_) if all.is_empty() => return,
            Chosen::Ids(indexes) => {
                let ids: Vec<i64> = indexes.iter().filter_map(pick).collect();
                (Selection::Ids(ids.clone()), ids.into_iter().collect::<BTreeSet<_>>(), false)
            }
            Chosen::WithMissing(index) => {
                let ids: Vec<i64> = pick(&index).into_iter().chain([4_000_000]).collect();
                (Selection::Ids(ids), BTreeSet::new(), true)
            }
            Chosen::User(user) => {
                let names = self.model.of(|authorization| authorization.user == user);
                (Selection::Users(vec![self.test.uid(USERS[user])]), names, false)
            }
            Chosen::Application(application) => {
                let names = self.model.of(|authorization| authorization.application == application);
                (Selection::Application(self.test.applications[application].id), names, false)
            }
        };
        let allowed = match (actor, &selection) {
            (Actor::Administrator, _) => true,
            (Actor::User(user), Selection::Users(of)) => *of == [self.test.uid(USERS[user])],
            (Actor::User(_), Selection::Application(_)) => false,
            (Actor::User(user), _) => names.is_subset(&self.model.of(|authorization| authorization.user == user)),
        };
        let context = self.test.context(actor.login());
        let live = names.iter().filter(|id| !self.model.is_revoked(**id)).count() as u64;
        let preview = self.test.service.preview(&context, &selection).await;
        assert_eq!(preview.is_ok(), allowed && !missing, "preview: {:?}", preview.err());
        let mut options = RevokeOptions::default();
        let mut stale = false;
        if let Ok(preview) = preview {
            assert_eq!((preview.requested, preview.live), (names.len() as u64, live));
            options.expect = match confirm {
                Confirm::No => None,
                Confirm::Previewed => Some(preview.digest),
                Confirm::Stale => {
                    stale = true;
                    Some(Digest::of(&RoaringBitmap::from([u32::MAX])))
                }
            };
        }
        let answer = self.test.service.revoke(&context, selection, options).await;
        assert_eq!(answer.is_ok(), allowed && !missing && !stale, "revoke: {:?}", answer.err());
        let Ok(receipt) = answer else { return };
        let requested = names.len() as u64;
        assert_eq!((receipt.requested, receipt.revoked, receipt.already_revoked), (requested, live, requested - live));
        assert_eq!(receipt.revocation.is_some(), requested > 0);
        let known = |id| self.model.acts.iter().any(|act| act.id == id);
        // A user who says again what he said before gets the act of then.
        let Some(id) = receipt.revocation.filter(|id| !known(*id)) else { return };
        let can_be_undone = matches!(actor, Actor::Administrator);
        self.model.acts.push(Act { id, at: self.now(), names, can_be_undone, undone: false, reuse: false });
    }

    async fn undo(&mut self, act: prop::sample::Index) {
        if self.model.acts.is_empty() {
            return;
        }
        let at = act.index(self.model.acts.len());
        let act = &self.model.acts[at];
        let window = limits::UNDO_WINDOW.as_secs().cast_signed();
        let expected = act.can_be_undone && !act.undone && self.now() - act.at <= window;
        let (id, names) = (act.id, act.names.clone());
        let answer = self.test.service.undo(&self.test.context("admin"), id, None).await;
        assert_eq!(answer.is_ok(), expected, "undo: {:?}", answer.err());
        let Ok(receipt) = answer else { return };
        self.model.acts[at].undone = true;
        let restored = names.iter().filter(|id| !self.model.is_revoked(**id)).count() as u64;
        assert_eq!(receipt.revoked, restored);
    }

    /// Notes an act that the service did by itself; it wrote none if there was nothing to aim at.
    async fn note_newest(&mut self, names: BTreeSet<i64>, can_be_undone: bool) {
        if names.is_empty() {
            return;
        }
        let found = self.call("orest.revocation", "search", json!([[], 0, 1, "sequence desc"])).await;
        let id = RevocationId(found[0].as_i64().expect("there is one"));
        self.model.acts.push(Act { id, at: self.now(), names, can_be_undone, undone: false, reuse: false });
    }

    async fn check(&self) {
        let now = self.now();
        for authorization in &self.model.authorizations {
            for token in &authorization.tokens {
                let verdict = self.test.service.verify(&token.text).await.expect("answers");
                let expected = self.model.is_good(authorization, token, now);
                assert_eq!(verdict.is_ok(), expected, "authorization {}: {:?}", authorization.id, verdict.err());
                if let Some(verdict) = self.test.service.verify_in_memory(&token.text) {
                    assert_eq!(verdict.is_ok(), expected, "authorization {} in memory", authorization.id);
                }
            }
        }
        let revoked: BTreeSet<i64> = self.model.of(|authorization| self.model.is_revoked(authorization.id));
        let found = self.call("orest.authorization", "search", json!([[["state", "=", "revoked"]]])).await;
        let found: BTreeSet<i64> = found.as_array().expect("a list").iter().filter_map(Value::as_i64).collect();
        assert_eq!(found, revoked);
        let read = json!([revoked.iter().collect::<Vec<_>>(), ["revocation_id"], ""]);
        for row in self.call("orest.authorization", "read", read).await.as_array().expect("a list") {
            let (id, by) = (row["id"].as_i64().expect("an id"), row["revocation_id"].as_i64());
            let named =
                self.model.acts.iter().any(|act| Some(act.id.0) == by && !act.undone && act.names.contains(&id));
            assert!(named, "authorization {id} names act {by:?}, which does not stand");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_service_says_what_the_model_says(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut run = Run { test: TestService::empty().await, model: Model::default() };
            for step in steps {
                run.step(step).await;
                run.check().await;
            }
        });
    }
}
