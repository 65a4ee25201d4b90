//! What the hot path and the revocations cost, in process. Run with `cargo bench`; results are in `benches/RESULTS.md`.

use std::hint::black_box;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http_body_util::BodyExt as _;
use orest::domain::ids::{AuthorizationId, UserId};
use orest::domain::revocation::{Channel, Receipt};
use orest::domain::selection::Selection;
use orest::domain::time::{Clock as _, SystemClock, SystemEntropy, unix};
use orest::domain::token::{Claims, Generation, KeyId, KeyRing, SealingKey, TokenKind};
use orest::domain::user::{Actor, Group, GroupSet};
use orest::orm::call::{Caller, Orm};
use orest::orm::registry::Registry;
use orest::orm::search_domain::{Limits, SearchDomain};
use orest::service::revoke::RevokeOptions;
use orest::service::{Context, Service};
use orest::store::{DatabaseUrl, Store};
use orest::transport::http::{self, AppState, Settings};
use roaring::RoaringBitmap;
use serde_json::{Map, json};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// Authorizations of the large database.
const MANY: u32 = 1_000_000;

fn ring(byte: u8) -> KeyRing {
    KeyRing::new(vec![SealingKey::new(KeyId(1), &[byte; 32])]).expect("one key")
}

/// A demo, grown by `count` authorizations, with its live state warm. It lasts as long as its folder.
fn grown(runtime: &Runtime, count: u32) -> (Service, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let url = DatabaseUrl::Sqlite(folder.path().join("bench.sqlite3"));
    let service = runtime.block_on(async {
        let store = Store::open(&url).expect("opens");
        let service =
            Service::start(store, ring(7), Arc::new(SystemClock), Arc::new(SystemEntropy)).await.expect("starts");
        service.load_demo().await.expect("loads");
        service.add_past_authorizations(u64::from(count), |_| {}).await.expect("adds");
        service.load_live_state().await.expect("loads");
        service.spawn_background();
        service
    });
    (service, folder)
}

/// A service that has just been started over a database; nothing is loaded yet.
fn started(runtime: &Runtime, url: &DatabaseUrl) -> Service {
    let store = Store::open(url).expect("opens");
    let service = Service::start(store, ring(7), Arc::new(SystemClock), Arc::new(SystemEntropy));
    runtime.block_on(service).expect("starts")
}

/// What a node does before it is ready.
fn loading(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let (_service, folder) = grown(&runtime, MANY);
    let url = DatabaseUrl::Sqlite(folder.path().join("bench.sqlite3"));
    criterion.benchmark_group("load").sample_size(10).bench_function("1,000,000", |b| {
        b.iter_batched(
            || started(&runtime, &url),
            |service| {
                runtime.block_on(service.load_live_state()).expect("loads");
                service
            },
            BatchSize::PerIteration,
        );
    });
}

fn administrator() -> Context {
    let groups = GroupSet::closure([Group::System]);
    let actor = Actor { user: Some(UserId(2)), login: "admin".to_owned(), groups };
    Context::new(actor, Channel::ServerAction, None)
}

fn claims(authorization: i64) -> Claims {
    let now = unix(SystemClock.now());
    Claims {
        authorization: AuthorizationId(authorization),
        generation: Generation(0),
        issued_at: now,
        expires_at: now + 86_400,
    }
}

fn token(keys: &KeyRing, authorization: i64) -> String {
    let token = keys.seal(TokenKind::Access, &claims(authorization), &SystemEntropy).expect("a key seals");
    token.reveal().to_owned()
}

fn tokens(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let (service, _folder) = grown(&runtime, 1_000);
    let keys = service.keys();
    let (live, revoked) = (token(&keys, 301), token(&keys, 302));
    let forged = token(&ring(8), 301);
    let mut damaged = live.clone();
    damaged.replace_range(40..41, if &live[40..41] == "A" { "B" } else { "A" });
    runtime.block_on(async {
        service.revoke(&administrator(), Selection::Ids(vec![302]), RevokeOptions::default()).await.expect("revokes");
        for (token, good) in [(&live, true), (&revoked, false), (&forged, false), (&damaged, false)] {
            assert_eq!(service.verify(token).await.expect("answers").is_ok(), good);
        }
    });
    let mut group = criterion.benchmark_group("token");
    group.bench_function("seal", |b| b.iter(|| keys.seal(TokenKind::Access, black_box(&claims(301)), &SystemEntropy)));
    group.bench_function("open", |b| b.iter(|| keys.open(black_box(&live)).expect("opens")));
    for (name, token) in [("live", &live), ("revoked", &revoked), ("forged", &forged), ("damaged", &damaged)] {
        group.bench_function(format!("verify {name}"), |b| {
            b.iter(|| black_box(service.verify_in_memory(black_box(token)).expect("warm").is_ok()));
        });
    }
    group.finish();
}

/// Revokes the same set again and again: an undo, and the filling in of the columns, stand between and are not timed.
fn revocations(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let (service, _folder) = grown(&runtime, MANY);
    let context = administrator();
    let revoke = |selection| {
        let receipt = runtime.block_on(service.revoke(&context, selection, RevokeOptions::default()));
        receipt.expect("revokes")
    };
    let undo = |last: &Option<Receipt>| {
        if let Some(id) = last.as_ref().and_then(|receipt| receipt.revocation) {
            runtime.block_on(service.undo(&context, id, None)).expect("undoes");
        }
        runtime.block_on(service.filled()).expect("filled");
    };
    let ids = |count: i64| Selection::Ids((201..=200 + count).collect());
    let every: RoaringBitmap = (201..=200 + MANY).collect();
    let found = || Selection::Found { set: every.clone(), domain: "[]".to_owned() };
    let cases: [(&str, &dyn Fn() -> Selection); 4] = [
        ("1 by id", &|| ids(1)),
        ("10,000 by ids", &|| ids(10_000)),
        ("all of a user", &|| Selection::Users(vec![UserId(5)])),
        ("1,000,000 by filter, the set known", &found),
    ];
    let mut group = criterion.benchmark_group(format!("revoke, of {MANY}"));
    group.sample_size(10);
    for (name, selection) in cases {
        let last = std::cell::RefCell::new(None);
        group.bench_function(name, |b| {
            b.iter_batched(
                || {
                    undo(&last.take());
                    selection()
                },
                |selection| {
                    let receipt = revoke(selection);
                    assert!(receipt.revoked > 0, "each run must have something to revoke");
                    last.replace(Some(receipt));
                },
                BatchSize::PerIteration,
            );
        });
        undo(&last.take());
    }
    group.finish();
}

/// The Odoo face: a search domain from JSON to SQL, and the envelope around a call that does next to nothing.
fn odoo(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let (service, _folder) = grown(&runtime, 1_000);
    let orm = Orm::new(service.clone(), Registry::new());
    let caller = Caller { context: administrator(), uid: 2, session: None };
    let domain = json!([
        "&",
        ["state", "=", "live"],
        "|",
        ["user_id.login", "ilike", "al"],
        ["application_id", "in", [1, 2, 3]]
    ]);
    let mut group = criterion.benchmark_group("odoo");
    group.bench_function("search domain, parse", |b| {
        b.iter(|| SearchDomain::parse(black_box(&domain), &Limits::default()).expect("well formed"));
    });
    group.bench_function("search domain, parse, resolve, lower and run over 1,200 rows", |b| {
        b.iter(|| {
            let args = vec![black_box(&domain).clone(), json!(0), json!(80)];
            runtime.block_on(orm.call_kw(&caller, "orest.authorization", "search", args, Map::new())).expect("finds")
        });
    });
    let settings =
        Settings { database: "orest".to_owned(), base_url: "http://127.0.0.1:8070".to_owned(), ..Settings::default() };
    let router = http::router(AppState::new(service, orm, settings));
    let body = r#"{"jsonrpc":"2.0","method":"call","params":{"service":"common","method":"version","args":[]},"id":1}"#;
    for (name, path) in [
        ("envelope, common.version through jsonrpsee", "/jsonrpc"),
        ("for comparison, a page that is not there", "/nothing"),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let request = Request::post(path).header("content-type", "application/json").body(Body::from(body));
                let answer = router.clone().oneshot(request.expect("well formed"));
                runtime.block_on(async { answer.await.expect("answers").into_body().collect().await.expect("whole") })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, tokens, odoo, revocations, loading);
criterion_main!(benches);
