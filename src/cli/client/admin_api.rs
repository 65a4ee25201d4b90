//! The calls of the App Services Admin API that the commands make.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use ureq::http::Method;
use url::Url;

use super::failure::Failure;
use super::session::{Server, Session};
use crate::cli::web::Answer;

/// The code of a session that is over.
pub const INVALID_SESSION: &str = "InvalidSession";
const BASE: [&str; 3] = ["api", "admin", "v3.0"];
/// Pages that a server may have: 50 users each. Past it, it gives what it has given before.
const PAGES_MAX: usize = 1 << 20;

/// Ids that are asked for at a time.
const IDS_MAX: usize = 50;

/// An application.
#[derive(Clone, Debug, Deserialize)]
pub struct App {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: String,
    /// What people call it by, such as `eggcorn-abcde`.
    pub client_app_id: String,
    /// The project that it belongs to.
    #[serde(default)]
    pub group_id: String,
}

/// How a user signs in.
#[derive(Clone, Debug, Deserialize)]
pub struct Identity {
    /// Such as `local-userpass`.
    pub provider_type: String,
}

/// A user of an application.
#[derive(Clone, Debug, Deserialize)]
pub struct User {
    /// His id.
    #[serde(rename = "_id")]
    pub id: String,
    /// `normal` or `server`.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// How he signs in.
    #[serde(default)]
    pub identities: Vec<Identity>,
    /// His `email`, or his `name`.
    #[serde(default)]
    pub data: Map<String, Value>,
    /// Whether he can't sign in.
    #[serde(default)]
    pub disabled: bool,
    /// When he last did, in Unix seconds; 0: never.
    #[serde(default)]
    pub last_authentication_date: i64,
}

impl User {
    /// A member of his data that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.data.get(name).and_then(Value::as_str)
    }
}

/// An API key that was just made.
#[derive(Deserialize)]
pub struct NewApiKey {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: String,
    /// What it is for.
    pub name: String,
    /// The key, this once.
    pub key: String,
    /// Whether it can't be used.
    #[serde(default)]
    pub disabled: bool,
}

/// What a sign-in brings.
#[derive(Deserialize)]
pub struct Tokens {
    /// For half an hour.
    pub access_token: String,
    /// Brings a new one.
    pub refresh_token: String,
}

#[derive(Deserialize)]
struct Profile {
    #[serde(default)]
    roles: Vec<Role>,
}

#[derive(Deserialize)]
struct Role {
    #[serde(default)]
    group_id: Option<String>,
}

/// With what somebody signs in.
pub enum Secret<'a> {
    /// His password.
    Password(&'a str),
    /// An API key of his.
    ApiKey(&'a str),
}

/// Signs in.
///
/// # Errors
/// What the server refuses with.
pub fn login(server: &Server, username: &str, secret: &Secret<'_>) -> Result<Tokens, Failure> {
    let (provider, body) = match secret {
        Secret::Password(password) => ("local-userpass", json!({"username": username, "password": password})),
        Secret::ApiKey(key) => ("mongodb-cloud", json!({"username": username, "apiKey": key})),
    };
    let url = url(server, &["auth", "providers", provider, "login"], &[]);
    let answer = server.send(Method::POST, &url, None, Some(&body))?;
    read(server, answer)
}

/// Signs out.
///
/// # Errors
/// [`Failure::InvalidSession`] if the session was over already.
pub fn logout(server: &Server, refresh_token: &str) -> Result<(), Failure> {
    let url = url(server, &["auth", "session"], &[]);
    let answer = server.send(Method::DELETE, &url, Some(refresh_token), None)?;
    if answer.status == 401 {
        return Err(Failure::InvalidSession);
    }
    accept(server, &answer)
}

/// A new access token.
pub(super) fn renew(server: &Server, refresh_token: &str) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct Renewed {
        access_token: String,
    }
    let url = url(server, &["auth", "session"], &[]);
    let answer = server.send(Method::POST, &url, Some(refresh_token), None)?;
    if matches!(answer.status, 401 | 403) {
        return Err(Failure::InvalidSession);
    }
    read(server, answer).map(|renewed: Renewed| renewed.access_token)
}

/// The API, in a session.
pub struct AdminApi<'s> {
    session: &'s mut Session,
}

impl<'s> AdminApi<'s> {
    /// In this session.
    pub const fn new(session: &'s mut Session) -> Self {
        Self { session }
    }

    /// The session, for another door.
    pub const fn session(&mut self) -> &mut Session {
        self.session
    }

    /// The projects of who is signed in.
    pub fn groups(&mut self) -> Result<Vec<String>, Failure> {
        let profile: Profile = self.get(&["auth", "profile"], &[])?;
        let mut groups: Vec<String> = profile.roles.into_iter().filter_map(|role| role.group_id).collect();
        groups.sort_unstable();
        groups.dedup();
        groups.retain(|group| !group.is_empty());
        Ok(groups)
    }

    /// The applications of a project; of these products, or of any.
    pub fn apps(&mut self, group: &str, products: &[String]) -> Result<Vec<App>, Failure> {
        let queries: Vec<Vec<(&str, String)>> = if products.is_empty() {
            vec![Vec::new()]
        } else {
            products.iter().map(|product| vec![("product", product.clone())]).collect()
        };
        let mut apps: Vec<App> = Vec::new();
        for query in queries {
            let found: Vec<App> = self.get(&["groups", group, "apps"], &query)?;
            for mut app in found {
                group.clone_into(&mut app.group_id);
                if !apps.iter().any(|other| other.id == app.id) {
                    apps.push(app);
                }
            }
        }
        Ok(apps)
    }

    /// A user of an application, if there is one.
    pub fn find_user(&mut self, app: &App, id: &str) -> Result<Option<User>, Failure> {
        // Such a segment would lead up.
        if id.is_empty() || id == "." || id == ".." {
            return Ok(None);
        }
        match self.get(&["groups", &app.group_id, "apps", &app.id, "users", id], &[]) {
            Ok(user) => Ok(Some(user)),
            Err(failure) if failure.is_refusal("UserNotFound") => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Those of an application's users who have these ids, in the order of the ids. One request is for many; who is missing in
    /// its answer is asked for by himself, since not every server understands it.
    pub fn find_users(
        &mut self,
        app: &App,
        ids: &BTreeSet<&str>,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<User>, Failure> {
        let all: Vec<&str> = ids.iter().copied().collect();
        let mut known: BTreeMap<String, User> = BTreeMap::new();
        for some in all.chunks(IDS_MAX).filter(|some| some.len() > 1) {
            let query = [("ids", some.join(","))];
            let page: Vec<User> = self.get(&["groups", &app.group_id, "apps", &app.id, "users"], &query)?;
            let asked_for = page.into_iter().filter(|user| some.contains(&user.id.as_str()));
            known.extend(asked_for.map(|user| (user.id.clone(), user)));
            progress(known.len());
        }
        for id in all {
            if !known.contains_key(id)
                && let Some(user) = self.find_user(app, id)?
            {
                known.insert(id.to_owned(), user);
                progress(known.len());
            }
        }
        Ok(ids.iter().filter_map(|id| known.remove(*id)).collect())
    }

    /// All users of an application that the server's filters leave. `progress` is told how many there are so far.
    pub fn users(
        &mut self,
        app: &App,
        filters: &[(&'static str, String)],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<User>, Failure> {
        self.pages(&["groups", &app.group_id, "apps", &app.id, "users"], filters, progress)
    }

    /// All who have registered and are not yet confirmed.
    pub fn pending_users(&mut self, app: &App, progress: &mut dyn FnMut(usize)) -> Result<Vec<User>, Failure> {
        let segments = ["groups", &app.group_id, "apps", &app.id, "user_registrations", "pending_users"];
        self.pages(&segments, &[], progress)
    }

    /// Until a page has nobody new: whatever its size, and also where a server knows nothing of pages.
    fn pages(
        &mut self,
        segments: &[&str],
        filters: &[(&'static str, String)],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<User>, Failure> {
        let mut users: Vec<User> = Vec::new();
        let mut known = std::collections::HashSet::new();
        for _ in 0..PAGES_MAX {
            let mut query = filters.to_vec();
            if let Some(last) = users.last() {
                query.push(("after", last.id.clone()));
            }
            let page: Vec<User> = self.get(segments, &query)?;
            let before = users.len();
            users.extend(page.into_iter().filter(|user| known.insert(user.id.clone())));
            progress(users.len());
            if users.len() == before {
                break;
            }
        }
        Ok(users)
    }

    /// Makes a user who signs in by password.
    pub fn create_user(&mut self, app: &App, email: &str, password: &str) -> Result<User, Failure> {
        let body = json!({"email": email, "password": password});
        self.ask(&Method::POST, &["groups", &app.group_id, "apps", &app.id, "users"], Some(&body))
    }

    /// Makes an API key.
    pub fn create_api_key(&mut self, app: &App, name: &str) -> Result<NewApiKey, Failure> {
        let body = json!({"name": name});
        self.ask(&Method::POST, &["groups", &app.group_id, "apps", &app.id, "api_keys"], Some(&body))
    }

    /// Acts on one user: `PUT …/users/{id}/{deed}`, or without a deed, `DELETE …/users/{id}`.
    pub fn act(&mut self, app: &App, id: &str, deed: Option<&str>) -> Result<(), Failure> {
        let mut segments = vec!["groups", &app.group_id, "apps", &app.id, "users", id];
        segments.extend(deed);
        let method = if deed.is_some() { Method::PUT } else { Method::DELETE };
        let url = url(&self.session.server, &segments, &[]);
        let answer = self.session.call(&method, &url, None)?;
        accept(&self.session.server, &answer)
    }

    fn get<T: DeserializeOwned>(&mut self, segments: &[&str], query: &[(&str, String)]) -> Result<T, Failure> {
        let url = url(&self.session.server, segments, query);
        let answer = self.session.call(&Method::GET, &url, None)?;
        read(&self.session.server, answer)
    }

    fn ask<T: DeserializeOwned>(
        &mut self,
        method: &Method,
        segments: &[&str],
        body: Option<&Value>,
    ) -> Result<T, Failure> {
        let url = url(&self.session.server, segments, &[]);
        let answer = self.session.call(method, &url, body)?;
        read(&self.session.server, answer)
    }
}

fn url(server: &Server, segments: &[&str], query: &[(&str, String)]) -> Url {
    server.url(&[&BASE, segments].concat(), query)
}

fn read<T: DeserializeOwned>(server: &Server, answer: Answer) -> Result<T, Failure> {
    accept(server, &answer)?;
    let unexpected = server.unexpected(&answer);
    // What it holds may be a secret.
    serde_json::from_value(answer.json.unwrap_or_default()).map_err(|_| unexpected)
}

fn accept(server: &Server, answer: &Answer) -> Result<(), Failure> {
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    let text = |name: &str| answer.json.as_ref().and_then(|body| body.get(name)).and_then(Value::as_str);
    match text("error") {
        Some(message) => Err(Failure::Refused {
            status: answer.status,
            code: text("error_code").unwrap_or_default().to_owned(),
            message: message.to_owned(),
        }),
        None => Err(server.unexpected(answer)),
    }
}
