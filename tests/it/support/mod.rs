//! A whole service on a database of its own, with a clock that stands still and randomness from a seed.
//!
//! What is in it was made by the service itself: users, two applications, two devices, and authorizations in every state.

pub mod database;
pub mod http;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version};
use chrono::NaiveDate;
use diesel::connection::SimpleConnection as _;
use orest::domain::application::Application;
use orest::domain::ids::{ApplicationId, DeviceId, UserId};
use orest::domain::revocation::Channel;
use orest::domain::scope::Scope;
use orest::domain::secret::SecretHash;
use orest::domain::selection::Selection;
use orest::domain::time::{Clock, Entropy, Timestamp};
use orest::domain::token::{KeyId, KeyRing, SealingKey};
use orest::domain::user::{Actor, Group};
use orest::orm::call::{Caller, Orm};
use orest::orm::error::OdooError;
use orest::orm::registry::Registry;
use orest::service::devices::DeviceDescription;
use orest::service::issue::{Consent, Tokens};
use orest::service::revoke::RevokeOptions;
use orest::service::sign_in::SignedIn;
use orest::service::{Context, Service};
use orest::store::records::{self, SqlValue};
use orest::store::users::NewUser;
use orest::store::{Connection, DatabaseUrl, Store, StoreError, users};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::Value;

use self::database::{Kind, TestDatabase};

/// A clock that moves when it is told to.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// Starts on 2026-11-20 at 12:00.
    pub fn new() -> Self {
        let day = NaiveDate::from_ymd_opt(2026, 11, 20).expect("a day of the calendar");
        Self(Mutex::new(day.and_hms_opt(12, 0, 0).expect("a time of the day")))
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same randomness in each run.
pub struct SeededEntropy {
    random: Mutex<ChaCha20Rng>,
    drawn: AtomicU64,
}

impl SeededEntropy {
    /// Randomness of this seed.
    pub fn new(seed: u64) -> Self {
        Self { random: Mutex::new(ChaCha20Rng::seed_from_u64(seed)), drawn: AtomicU64::new(0) }
    }

    /// How often something was drawn from it: the salt of a password that is hashed is one time.
    pub fn drawn(&self) -> u64 {
        self.drawn.load(Ordering::SeqCst)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.drawn.fetch_add(1, Ordering::SeqCst);
        self.random.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }
}

/// The users of the fixture, with their groups. Each one's password is his login. The id of the first is 2; 1 is
/// `__system__`, archived, as in Odoo.
pub const USERS: &[(&str, &str, &[Group])] = &[
    ("admin", "Administrator", &[Group::System]),
    ("alice", "Alice", &[Group::User]),
    ("bob", "Bob", &[Group::User]),
    ("olga", "Olga Orest", &[Group::OrestAdmin]),
    ("erna", "Erna Personnel", &[Group::ErpManager]),
    ("portia", "Portia Portal", &[Group::Portal]),
    ("paul", "Paul Public", &[Group::Public]),
];

/// The callback address of both applications' codes.
pub const CALLBACK: &str = "https://client.example/callback";

/// A service with something in it.
#[allow(dead_code, reason = "each test file uses another part of it")]
pub struct TestService {
    /// The service.
    pub service: Service,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    /// Its randomness.
    pub entropy: Arc<SeededEntropy>,
    /// Its database, for what the service does not offer.
    pub store: Store,
    /// "Mail Reader" and "Report Maker", which may ask for the scopes `read` and `write`; their secret is `secret`.
    pub applications: [Arc<Application>; 2],
    /// A computer and a phone of Alice.
    pub devices: [DeviceId; 2],
    users: HashMap<&'static str, UserId>,
    /// Where its database is.
    pub database: Arc<TestDatabase>,
    /// How often it was started anew: each start has randomness of its own.
    starts: u64,
}

const SEED: u64 = 19;

#[allow(dead_code, reason = "each test file uses another part of it")]
impl TestService {
    /// Users, devices and applications; no authorizations.
    pub async fn empty() -> Self {
        Self::empty_on(Kind::of_this_run()).await
    }

    /// The same on this database.
    pub async fn empty_on(kind: Kind) -> Self {
        let database = TestDatabase::migrated(kind);
        let clock = Arc::new(ManualClock::new());
        let entropy = Arc::new(SeededEntropy::new(SEED));
        let (store, service) = open(&database, &clock, &entropy).await;
        let now = clock.now();
        let users = store.write(move |tx| insert_users(tx.connection, now)).await.expect("users");
        let mut applications = Vec::new();
        for name in ["Mail Reader", "Report Maker"] {
            let id = insert_application(&store, name, now).await;
            applications.push(service.application(id).await.expect("answers").expect("was made"));
        }
        let alice = users["alice"];
        let mut devices = Vec::new();
        for (name, mobile) in [("Firefox on Linux", false), ("Chrome on Android", true)] {
            let description = DeviceDescription {
                name: name.to_owned(),
                platform: "any".to_owned(),
                browser: "any".to_owned(),
                mobile,
            };
            devices.push(service.note_device(alice, None, description, None).await.expect("answers").0);
        }
        let applications = applications.try_into().expect("two were made");
        let devices = devices.try_into().expect("two were made");
        let database = Arc::new(database);
        Self { starts: 0, service, clock, entropy, store, applications, devices, users, database }
    }

    /// The same with authorizations: 1 Bob's of Mail Reader, expired, because its code was never exchanged; 2 Alice's of Mail
    /// Reader from the computer; 3 Alice's of Mail Reader from the phone; 4 Alice's of Report Maker, revoked by herself;
    /// 5 Bob's of Mail Reader; 6 Bob's of Report Maker, revoked by the administrator for a stolen laptop; 7 of Report
    /// Maker in its own name.
    pub async fn new() -> Self {
        Self::on(Kind::of_this_run()).await
    }

    /// The same on this database.
    pub async fn on(kind: Kind) -> Self {
        let test = Self::empty_on(kind).await;
        let [mail, report] = [0, 1];
        test.authorize("bob", mail, None, false).await;
        test.clock.advance(Duration::from_secs(3600));
        let [computer, phone] = test.devices;
        test.authorize("alice", mail, Some(computer), true).await;
        test.authorize("alice", mail, Some(phone), true).await;
        test.authorize("alice", report, None, true).await;
        test.authorize("bob", mail, None, true).await;
        test.authorize("bob", report, None, true).await;
        let own = &test.applications[report];
        test.service.client_credentials(own, None).await.expect("granted");
        let (own, others) = (test.context("alice"), test.context("admin"));
        let options = RevokeOptions { reason_user: Some("no longer used".to_owned()), ..RevokeOptions::default() };
        test.service.revoke(&own, Selection::Ids(vec![4]), options).await.expect("revoked");
        let options = RevokeOptions { reason_admin: Some("stolen laptop".to_owned()), ..RevokeOptions::default() };
        test.service.revoke(&others, Selection::Ids(vec![6]), options).await.expect("revoked");
        test
    }

    /// The same database opened anew, as after a restart.
    pub async fn restart(&self) -> Self {
        let starts = self.starts + 1;
        let entropy = Arc::new(SeededEntropy::new(SEED + starts));
        let (store, service) = open(&self.database, &self.clock, &entropy).await;
        Self {
            starts,
            service,
            entropy,
            clock: Arc::clone(&self.clock),
            store,
            applications: self.applications.clone(),
            devices: self.devices,
            users: self.users.clone(),
            database: Arc::clone(&self.database),
        }
    }

    /// The same over another database, to which everything was moved.
    pub async fn moved_to(&self, url: &DatabaseUrl) -> Self {
        let entropy = Arc::new(SeededEntropy::new(SEED + 100));
        let (store, service) = open_at(url.clone(), &self.clock, &entropy).await;
        Self {
            starts: self.starts,
            service,
            entropy,
            clock: Arc::clone(&self.clock),
            store,
            applications: self.applications.clone(),
            devices: self.devices,
            users: self.users.clone(),
            database: Arc::clone(&self.database),
        }
    }

    /// The callback address of an application.
    pub fn callback(&self, application: usize) -> String {
        callback_of(&self.applications[application])
    }

    /// The database is there again; waits until this node can answer checks, which on PostgreSQL takes it a moment.
    pub async fn database_comes_back(&self) {
        self.database.come_back();
        while self.service.check_ready().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Lets numbers go on without a gap after what was not kept: PostgreSQL gives no number twice.
    pub async fn close_gaps(&self, tables: &'static [&'static str]) {
        let done: Result<(), StoreError> = self
            .store
            .write(move |tx| {
                let Connection::Postgres(connection) = tx.connection else { return Ok(()) };
                for table in tables {
                    connection.batch_execute(&format!(
                        "SELECT setval(pg_get_serial_sequence('{table}', 'id'), COALESCE(MAX(id), 0) + 1, false) FROM {table}"
                    ))?;
                }
                Ok(())
            })
            .await;
        done.expect("the numbers are set");
    }

    /// Makes the users those of a paired Odoo, as if each had come from there with his first password.
    pub async fn know_users_from_odoo(&self) {
        let ids: Vec<i64> = self.users.values().map(|id| id.0).collect();
        let version = [("password_version", SqlValue::Integer(1))];
        let done: Result<(), StoreError> =
            self.store.write(move |tx| records::update(tx.connection, "res_users", &ids, &version).map(|_| ())).await;
        done.expect("users are updated");
    }

    /// The id of a user of [`USERS`].
    pub fn uid(&self, login: &str) -> UserId {
        self.users[login]
    }

    /// What a user of [`USERS`] may do.
    pub fn actor(&self, login: &str) -> Actor {
        let (_, _, groups) = USERS.iter().find(|(own, ..)| *own == login).expect("a user of the fixture");
        let groups = orest::domain::user::GroupSet::closure(groups.iter().copied());
        Actor { user: Some(self.uid(login)), login: login.to_owned(), groups }
    }

    /// A call of this user over RPC.
    pub fn context(&self, login: &str) -> Context {
        let address = Some([192, 0, 2, 7].into());
        Context::new(self.actor(login), Channel::Rpc, address)
    }

    /// The Odoo face.
    pub fn orm(&self) -> Orm {
        Orm::new(self.service.clone(), Registry::new())
    }

    /// Calls a method as a user of [`USERS`] does over RPC; `args` is a list, `kwargs` an object.
    pub async fn call(
        &self,
        login: &str,
        model: &str,
        method: &str,
        args: Value,
        kwargs: Value,
    ) -> Result<Value, OdooError> {
        let caller = Caller { context: self.context(login), uid: self.uid(login).0, session: None };
        let (Value::Array(args), Value::Object(kwargs)) = (args, kwargs) else {
            panic!("args is a list and kwargs an object");
        };
        self.orm().call_kw(&caller, model, method, args, kwargs).await
    }

    /// A user of [`USERS`] who has just shown his password, which is still his login.
    pub async fn sign_in(&self, login: &str) -> SignedIn {
        let signed_in = self.service.user_by_password(login, login, None).await;
        signed_in.expect("answers").expect("the password is right")
    }

    /// Lets a user let an application in; with `exchange` gives its first tokens.
    pub async fn authorize(
        &self,
        login: &str,
        application: usize,
        device: Option<DeviceId>,
        exchange: bool,
    ) -> Option<Tokens> {
        let application = &self.applications[application];
        let consent = Consent {
            application: Arc::clone(application),
            redirect_uri: callback_of(application),
            redirect_uri_sent: true,
            scope: Scope::parse("read").expect("a scope"),
            challenge: None,
            device,
            session: None,
        };
        let code = self.service.consent(&self.context(login), consent).await.expect("consented");
        if !exchange {
            return None;
        }
        let redirect_uri = callback_of(application);
        let tokens = self.service.exchange_code(application, code.reveal(), Some(&redirect_uri), None, None).await;
        Some(tokens.expect("exchanged"))
    }
}

fn callback_of(application: &Application) -> String {
    format!("{CALLBACK}/{}", application.client_id)
}

async fn open(database: &TestDatabase, clock: &Arc<ManualClock>, entropy: &Arc<SeededEntropy>) -> (Store, Service) {
    open_at(database.url.clone(), clock, entropy).await
}

async fn open_at(url: DatabaseUrl, clock: &Arc<ManualClock>, entropy: &Arc<SeededEntropy>) -> (Store, Service) {
    let store = tokio::task::spawn_blocking(move || Store::open(&url)).await.expect("no panic").expect("opens");
    let keys = KeyRing::new(vec![SealingKey::new(KeyId(1), &[7; 32])]).expect("has a key");
    let (clock, entropy) = (Arc::clone(clock), Arc::clone(entropy));
    let service = Service::start(store.clone(), keys, clock, entropy).await.expect("the service starts");
    tokio::spawn(service.clone().fill_columns());
    (store, service)
}

/// A hash that is checked like any other, in no time: what a hash costs is in its own text, and nobody has to be kept from
/// guessing these.
fn password_hash(login: &str) -> String {
    let cheap = Params::new(Params::MIN_M_COST, Params::MIN_T_COST, Params::MIN_P_COST, None).expect("the least");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, cheap);
    argon2.hash_password_with_salt(login.as_bytes(), &[19; 16]).expect("a password").to_string()
}

fn insert_users(connection: &mut Connection, now: Timestamp) -> Result<HashMap<&'static str, UserId>, StoreError> {
    let system = NewUser {
        login: "__system__",
        name: "System",
        email: None,
        password_hash: None,
        state: "confirmed",
        groups: &[],
    };
    let UserId(id) = users::insert(connection, &system, None, now)?;
    records::update(connection, "res_users", &[id], &[("active", SqlValue::Bool(false))])?;
    let mut ids = HashMap::new();
    for (login, name, groups) in USERS {
        let email = format!("{login}@example.com");
        let hash = password_hash(login);
        let new = NewUser { login, name, email: Some(&email), password_hash: Some(&hash), state: "confirmed", groups };
        ids.insert(*login, users::insert(connection, &new, None, now)?);
    }
    Ok(ids)
}

async fn insert_application(store: &Store, name: &'static str, now: Timestamp) -> ApplicationId {
    let client_id = name.to_lowercase().replace(' ', "-");
    let text = |text: &str| SqlValue::Text(text.to_owned());
    let columns = vec![
        ("name", text(name)),
        ("client_id", text(&client_id)),
        ("client_secret_hash", text(SecretHash::of("secret").as_str())),
        ("scope", text("read write")),
        ("create_date", SqlValue::Timestamp(now)),
        ("write_date", SqlValue::Timestamp(now)),
    ];
    let uri = format!("{CALLBACK}/{client_id}");
    let inserted: Result<i64, StoreError> = store
        .write(move |tx| {
            let id = records::insert(tx.connection, "orest_application", &columns)?;
            let columns = [
                ("application_id", SqlValue::Integer(id)),
                ("uri", SqlValue::Text(uri)),
                ("create_date", SqlValue::Timestamp(now)),
                ("write_date", SqlValue::Timestamp(now)),
            ];
            records::insert(tx.connection, "orest_application_uri", &columns)?;
            Ok(id)
        })
        .await;
    ApplicationId(inserted.expect("the application is inserted"))
}

#[tokio::test]
async fn the_fixture_says_what_it_is() {
    use orest::service::verify::Refusal;

    let test = TestService::new().await;
    assert_eq!((test.uid("admin"), test.uid("alice")), (UserId(2), UserId(3)));
    let live = test.authorize("bob", 1, None, true).await.expect("exchanged");
    let verdict = test.service.verify(live.access.reveal()).await.expect("answers");
    assert!(verdict.is_ok_and(|verified| verified.user.is_some_and(|user| user.login() == "bob")));
    let again = test.restart().await;
    let bob = Selection::Users(vec![again.uid("bob")]);
    let receipt = again.service.revoke(&again.context("admin"), bob, RevokeOptions::default()).await.expect("revoked");
    assert_eq!((receipt.requested, receipt.revoked, receipt.already_revoked), (4, 3, 1));
    let verdict = again.service.verify(live.access.reveal()).await.expect("answers");
    assert_eq!(verdict.err(), Some(Refusal::Revoked));
}
