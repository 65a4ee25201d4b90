//! A small company to try everything on: users, applications, and authorizations in every state.

use std::sync::Arc;
use std::time::Duration;

use super::issue::Consent;
use super::revoke::RevokeOptions;
use super::{Context, Error, Service};
use crate::domain::authorization::GrantType;
use crate::domain::ids::{DeviceId, RevocationId, UserId};
use crate::domain::revocation::Channel;
use crate::domain::scope::Scope;
use crate::domain::secret::Secret;
use crate::domain::selection::Selection;
use crate::domain::time::Timestamp;
use crate::domain::token::SealedToken;
use crate::domain::user::Group;
use crate::store::applications::{self, NewApplication};
use crate::store::demo::{self, Owners, PastAuthorization, PastDevice, PastUser};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Authorizations that the demo has.
const AUTHORIZATIONS: u64 = 200;
/// Rows that one insert takes.
const BATCH: u64 = 2_000;

const USERS: [(&str, &str); 22] = [
    ("alice", "Alice Ahrens"),
    ("bob", "Bob Baumann"),
    ("carol", "Carol Castro"),
    ("dave", "Dave Dubois"),
    ("erin", "Erin Eriksen"),
    ("frank", "Frank Fischer"),
    ("grace", "Grace Greco"),
    ("heidi", "Heidi Horvat"),
    ("ivan", "Ivan Ivanov"),
    ("judy", "Judy Jansen"),
    ("kim", "Kim Kowalski"),
    ("leo", "Leo Lindqvist"),
    ("mallory", "Mallory Meier"),
    ("nina", "Nina Novak"),
    ("oscar", "Oscar Olsen"),
    ("peggy", "Peggy Popescu"),
    ("quentin", "Quentin Quist"),
    ("rita", "Rita Rossi"),
    ("sybil", "Sybil Schmid"),
    ("trent", "Trent Tanaka"),
    ("ursula", "Ursula Urban"),
    ("victor", "Victor Vidal"),
];

struct App {
    name: &'static str,
    description: &'static str,
    client_id: &'static str,
    confidential: bool,
    scope: &'static str,
    redirect_uris: &'static [&'static str],
}

const APPLICATIONS: [App; 4] = [
    App {
        name: "Confluence Connector",
        description: "Shows Odoo records on wiki pages.",
        client_id: "confluence-connector",
        confidential: true,
        scope: "partner.read profile sale.read",
        redirect_uris: &[
            "http://127.0.0.1:9000/callback",
            "https://wiki.example.com/plugins/odoo-connector/callback.action",
        ],
    },
    App {
        name: "Sales Dashboard",
        description: "Reads orders every night for the board's figures.",
        client_id: "sales-dashboard",
        confidential: true,
        scope: "profile sale.read",
        redirect_uris: &["http://127.0.0.1:9001/callback"],
    },
    App {
        name: "Warehouse Scanner",
        description: "The phones in the warehouse.",
        client_id: "warehouse-scanner",
        confidential: false,
        scope: "profile stock.read stock.write",
        redirect_uris: &["http://127.0.0.1:9002/callback", "com.example.scanner:/callback"],
    },
    App {
        name: "Payroll Export",
        description: "Fetches attendances once a month.",
        client_id: "payroll-export",
        confidential: true,
        scope: "attendance.read",
        redirect_uris: &["https://payroll.example.com/oauth/callback"],
    },
];

/// An application of the demo, with its secret, for whoever tries it.
#[derive(Debug)]
pub struct DemoApplication {
    /// What users read.
    pub name: &'static str,
    /// Its `client_id`.
    pub client_id: &'static str,
    /// Its secret; `None`: a public client.
    pub client_secret: Option<Secret>,
    /// Where answers may go.
    pub redirect_uris: &'static [&'static str],
    /// All that it may ask for.
    pub scope: &'static str,
}

/// What whoever tries the demo must know.
#[derive(Debug)]
pub struct Demo {
    /// The applications.
    pub applications: Vec<DemoApplication>,
    /// The administrator's API key.
    pub api_key: Secret,
}

/// Logins of the demo; each is its own password.
pub fn logins() -> impl Iterator<Item = &'static str> {
    std::iter::once(super::bootstrap::ADMIN_LOGIN).chain(USERS.iter().map(|(login, _)| *login))
}

impl Service {
    /// Fills an empty database with the demo; `None` if somebody lives there already.
    pub async fn load_demo(&self) -> Result<Option<Demo>, Error> {
        // Nothing is hashed for a database that is in use; of nodes that start at once, one settles.
        if self.store.read(crate::store::users::count).await? > 0 || !self.settle("admin".to_owned()).await? {
            return Ok(None);
        }
        for (index, (login, name)) in USERS.iter().enumerate() {
            let groups: &[Group] = if index == 2 { &[Group::OrestAdmin] } else { &[Group::User] };
            self.add_user(login, name, groups, Some((*login).to_owned())).await?;
        }
        let mut made = Vec::new();
        for application in &APPLICATIONS {
            let secret = application.confidential.then(|| Secret::generate(self.entropy.as_ref(), "orcs_", 32));
            let hash = secret.as_ref().map(Secret::hash);
            let scope = Scope::parse(application.scope).map_err(|_| Error::Internal)?;
            let now = self.now();
            self.write(move |tx| {
                let new = NewApplication {
                    name: application.name,
                    description: application.description,
                    client_id: application.client_id,
                    secret_hash: hash.as_ref(),
                    scope: &scope,
                    acts_for: None,
                    redirect_uris: application.redirect_uris,
                };
                Ok::<_, Error>(applications::insert(tx.connection, &new, Some(UserId(2)), now)?)
            })
            .await?;
            made.push(DemoApplication {
                name: application.name,
                client_id: application.client_id,
                client_secret: secret,
                redirect_uris: application.redirect_uris,
                scope: application.scope,
            });
        }
        self.add_demo_devices().await?;
        self.add_past_authorizations(AUTHORIZATIONS, |_| {}).await?;
        self.revoke_some().await?;
        let api_key = self.make_api_key(UserId(2), "Demo", None, None).await?;
        Ok(Some(Demo { applications: made, api_key }))
    }

    async fn add_demo_devices(&self) -> Result<(), Error> {
        let now = self.now();
        self.write(move |tx| {
            let computer = |user_id| PastDevice { user_id, name: "Firefox on Linux", mobile: false, at: now - DAY };
            let phone = |user_id| PastDevice { user_id, name: "Chrome on Android", mobile: true, at: now - HOUR };
            let of = |user| [Some(computer(user)), (user % 3 == 0).then(|| phone(user))];
            let devices: Vec<_> = (3..25).flat_map(of).flatten().collect();
            Ok(demo::insert_devices(tx.connection, &devices)?)
        })
        .await
    }

    /// Adds users to what is there, each with a device, but without a password. Calls `progress` with how many there are so far.
    pub async fn add_past_users(&self, count: u64, progress: impl Fn(u64)) -> Result<(), Error> {
        if self.store.read(demo::find_last_user).await? == 0 {
            return Err(no_demo());
        }
        let now = self.now();
        let mut done = 0;
        while done < count {
            let batch = BATCH.min(count - done);
            self.write(move |tx| {
                // Who is there already has a smaller number, and so another login.
                let first = demo::find_last_user(tx.connection)?.unsigned_abs() + 1;
                let rows: Vec<_> = (first..first + batch).map(|number| person(number, now)).collect();
                let ids = demo::insert_users(tx.connection, &rows)?;
                let seen = |user_id| PastDevice { user_id, name: "Firefox on Linux", mobile: false, at: now - DAY };
                let devices: Vec<_> = ids.into_iter().map(seen).collect();
                Ok::<_, Error>(demo::insert_devices(tx.connection, &devices)?)
            })
            .await?;
            done += batch;
            progress(done);
        }
        Ok(())
    }

    /// Adds authorizations of the past to what is there, spread over users and applications: most live, some expired.
    /// Calls `progress` with how many there are so far.
    pub async fn add_past_authorizations(&self, count: u64, progress: impl Fn(u64)) -> Result<(), Error> {
        let owners = self.store.read(demo::list_owners).await?;
        if owners.users.is_empty() || owners.applications.is_empty() {
            return Err(no_demo());
        }
        let owners = Arc::new(owners);
        let now = self.now();
        let mut done = 0;
        while done < count {
            let range = done..(done + BATCH).min(count);
            done = range.end;
            let owners = Arc::clone(&owners);
            self.write(move |tx| {
                let rows: Vec<_> = range.map(|index| past(index, &owners, now)).collect();
                Ok::<_, Error>(demo::insert_authorizations(tx.connection, &rows)?)
            })
            .await?;
            progress(done);
        }
        Ok(())
    }

    /// Some acts for the log: by the administrator, by a user himself, and one that was taken back.
    async fn revoke_some(&self) -> Result<(), Error> {
        let context = |login: &str, user, groups, channel| {
            let actor = crate::domain::user::Actor {
                user: Some(UserId(user)),
                login: login.to_owned(),
                groups: crate::domain::user::GroupSet::closure(groups),
            };
            Context::new(actor, channel, Some(std::net::Ipv4Addr::LOCALHOST.into()))
        };
        let admin = context("admin", 2, [Group::System], Channel::ServerAction);
        let reason = |admin: &str, user: &str| RevokeOptions {
            reason_admin: Some(admin.to_owned()),
            reason_user: Some(user.to_owned()),
            ..RevokeOptions::default()
        };
        let lost: Vec<i64> = (1..=AUTHORIZATIONS.cast_signed()).filter(|id| id % 5 == 0).collect();
        self.revoke(
            &admin,
            Selection::Ids(lost),
            reason("connector compromised, ticket 4711", "a connector was compromised"),
        )
        .await?;
        self.revoke(&admin, Selection::Users(vec![UserId(15)]), reason("left the company", "your access has ended"))
            .await?;
        let own = context("alice", 3, [Group::User], Channel::Unlink);
        let mine = (1..=AUTHORIZATIONS.cast_signed()).find(|id| id % 22 == 1 && id % 5 != 0).unwrap_or(1);
        let hide = RevokeOptions { hide: true, ..reason("", "I don't use it any more") };
        match self.revoke(&own, Selection::Ids(vec![mine]), hide).await {
            Ok(_) | Err(Error::Forbidden(_)) => {}
            Err(error) => return Err(error),
        }
        let mistaken: Vec<i64> = (1..=AUTHORIZATIONS.cast_signed()).filter(|id| id % 19 == 0).collect();
        let receipt = self.revoke(&admin, Selection::Ids(mistaken), reason("wrong filter", "")).await?;
        if let Some(RevocationId(id)) = receipt.revocation {
            self.undo(&admin, RevocationId(id), Some("wrong filter".to_owned())).await?;
        }
        Ok(())
    }

    /// An access token to try first: alice lets the first application in, as she would through the consent page.
    pub async fn demo_token(&self) -> Result<Option<SealedToken>, Error> {
        let Some(application) = self.client(APPLICATIONS[0].client_id).await? else { return Ok(None) };
        let Some(alice) = self.user(UserId(3)).await?.filter(|user| user.login() == USERS[0].0) else {
            return Ok(None);
        };
        let redirect_uri = APPLICATIONS[0].redirect_uris[0];
        let consent = Consent {
            application: Arc::clone(&application),
            redirect_uri: redirect_uri.to_owned(),
            redirect_uri_sent: true,
            scope: application.scope.clone(),
            challenge: None,
            device: Some(DeviceId(1)),
            session: None,
        };
        let context = Context::new(Self::actor(&alice), Channel::CommandLine, None);
        let Ok(code) = self.consent(&context, consent).await else { return Ok(None) };
        let tokens = self.exchange_code(&application, code.reveal(), Some(redirect_uri), None, None).await;
        Ok(tokens.ok().map(|tokens| tokens.access))
    }
}

fn no_demo() -> Error {
    Error::Conflict("there must be a user and an application first; start with `orest serve --demo`".to_owned())
}

/// The user of this number: the names are those of the demo's own users, mixed.
fn person(number: u64, now: Timestamp) -> PastUser {
    const HOMES: [(&str, Option<&str>); 5] = [
        ("en_US", None),
        ("de_DE", Some("Europe/Berlin")),
        ("fr_FR", Some("Europe/Paris")),
        ("en_US", Some("America/New_York")),
        ("es_ES", Some("America/Argentina/Buenos_Aires")),
    ];
    let names = |index: u64| USERS[usize::try_from(index).unwrap_or(0) % USERS.len()].1.split_once(' ');
    let (first, last) = names(number).zip(names(number / 22)).map_or(("", ""), |(one, other)| (one.0, other.1));
    // The first of a name has no number behind it.
    let namesake = Some(number / 484).filter(|round| *round > 0).map_or_else(String::new, |round| round.to_string());
    let short = format!("{first}.{last}{namesake}").to_lowercase();
    let email = format!("{short}@example.com");
    let (lang, tz) = HOMES[usize::try_from(number).unwrap_or(0) % HOMES.len()];
    PastUser {
        // With most people it is their address.
        login: if number % 10 == 9 { short } else { email.clone() },
        name: format!("{first} {last}"),
        email,
        lang,
        tz,
        group: if number % 4 == 3 { Group::Portal } else { Group::User },
        created_at: now - DAY * u32::try_from(100 + number % 900).unwrap_or(100),
    }
}

/// The `index`-th authorization of the past. Arithmetic instead of chance, so that every demo is the same.
fn past(index: u64, owners: &Owners, now: Timestamp) -> PastAuthorization {
    let place = |index: u64, count: usize| usize::try_from(index).unwrap_or(0) % count;
    let age = HOUR * u32::try_from(1 + index * 37 % 2_000).unwrap_or(1);
    let created_at = now - age;
    let own_name = index % 29 == 7;
    // The first user that is listed is the administrator: nothing acts for him.
    let users = &owners.users[1.min(owners.users.len() - 1)..];
    let (user, devices) = &users[place(index, users.len())];
    let device = (!devices.is_empty()).then(|| devices[place(index / 22, devices.len())]);
    let expired = index % 4 == 3;
    let used = index % 3 != 2;
    PastAuthorization {
        application_id: owners.applications[place(index / 2 + index / 22, owners.applications.len())],
        user_id: (!own_name).then_some(*user),
        device_id: if own_name { None } else { device },
        grant: if own_name { GrantType::ClientCredentials } else { GrantType::AuthorizationCode },
        scope: "profile",
        created_at,
        generation: i64::try_from(index % 7).unwrap_or(0),
        last_used_at: used.then(|| created_at + age / 2),
        expires_at: if expired { Some(created_at + age / 2) } else { index.is_multiple_of(2).then(|| now + DAY * 90) },
    }
}
