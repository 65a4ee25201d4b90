//! Whatever door of a node takes something back, the other node refuses it as soon as that has been answered; and where the
//! other has not confirmed it, each door says in its own words that it is done and where it may not hold yet.

use orest::domain::object_id::{object_id, parse_object_id};
use orest::domain::secret::SecretHash;
use serde_json::json;

use super::client::{Answer, Client, basic};
use super::fleet::{ADMIN, CLIENT_ID, CLIENT_SECRET, Fleet, Node, Token, introspect};
use super::proxy::Line;
use crate::oauth::browser::{encode, hidden_fields};
use crate::support::database::Kind;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
/// The password of everybody but the administrator.
const PASSWORD: &str = "quite secret";
/// An API key of the administrator's, for all that such keys are good for.
const KEY: &str = "5eed0a11c0ffee0123456789abcdef0123456789";

/// A call that takes something back.
struct Call {
    method: &'static str,
    path: String,
    content: &'static str,
    body: String,
    /// Who calls: a header.
    caller: (&'static str, String),
}

/// What a call is about: a user with a token, and perhaps a browser with a gateway session.
struct Case {
    email: String,
    user: i64,
    token: Token,
    browser: Browser,
}

/// A door.
struct Door {
    name: &'static str,
    call: fn(&World, &Case) -> Call,
    /// What it answers when it holds everywhere.
    done: (u16, &'static str),
    /// What it answers when a node has not confirmed it: the status, how it says that it is no success, and whether it says
    /// when to ask again.
    unconfirmed: (u16, &'static str, bool),
    /// What it answers to who asks again, once the node is back.
    again: (u16, &'static str),
}

const DOORS: &[Door] = &[
    Door {
        name: "revoke_user of Cloudflare Access",
        call: |_, case| Call {
            method: "POST",
            path: "/client/v4/accounts/acme/access/organizations/revoke_user".to_owned(),
            content: JSON,
            body: json!({"email": case.email}).to_string(),
            caller: ("Authorization", format!("Bearer {KEY}")),
        },
        done: (200, "\"result\":true"),
        unconfirmed: (503, "{\"success\":false,\"errors\":[{\"code\":10503,\"message\":\"", true),
        again: (200, "\"result\":false"),
    },
    Door {
        name: "logout of the Admin API",
        call: |world, case| world.admin_api(case, "PUT", "/logout"),
        done: (204, ""),
        unconfirmed: (503, "\"error_code\":\"ServiceUnavailable\"", true),
        again: (204, ""),
    },
    Door {
        name: "disable of the Admin API",
        call: |world, case| world.admin_api(case, "PUT", "/disable"),
        done: (204, ""),
        unconfirmed: (503, "\"error_code\":\"ServiceUnavailable\"", true),
        again: (204, ""),
    },
    Door {
        name: "delete of the Admin API",
        call: |world, case| world.admin_api(case, "DELETE", ""),
        done: (204, ""),
        unconfirmed: (503, "\"error_code\":\"ServiceUnavailable\"", true),
        again: (404, "\"error_code\":\"UserNotFound\""),
    },
    Door {
        name: "unlink, into the waste bin",
        call: |_, case| Call {
            method: "POST",
            path: "/json/2/orest.authorization/unlink".to_owned(),
            content: JSON,
            body: json!({"ids": [case.token.authorization]}).to_string(),
            caller: ("Authorization", format!("Bearer {KEY}")),
        },
        done: (200, "true"),
        unconfirmed: (422, "{\"name\":\"odoo.exceptions.UserError\",\"message\":\"", false),
        again: (200, "true"),
    },
    Door {
        name: "revocation by the application (RFC 7009)",
        call: |_, case| Call {
            method: "POST",
            path: "/oauth2/revoke".to_owned(),
            content: FORM,
            body: case.token.form.clone(),
            caller: ("Authorization", basic(CLIENT_ID, CLIENT_SECRET)),
        },
        done: (200, ""),
        unconfirmed: (503, "\"error\":\"temporarily_unavailable\"", true),
        again: (200, ""),
    },
    Door {
        name: "Odoo's way out, of the gateway too",
        call: |_, case| Call {
            method: "GET",
            path: "/web/session/logout".to_owned(),
            content: FORM,
            body: String::new(),
            caller: ("Cookie", case.browser.cookie()),
        },
        done: (303, ""),
        unconfirmed: (422, "{\"name\":\"odoo.exceptions.UserError\",\"message\":\"", false),
        again: (303, ""),
    },
    Door {
        name: "signing out of the gateway",
        call: |_, case| Call {
            method: "POST",
            path: "/oauth2/sign-out".to_owned(),
            content: FORM,
            body: case.browser.sign_out.clone(),
            caller: ("Cookie", case.browser.cookie()),
        },
        done: (303, ""),
        unconfirmed: (503, "<h1>Done, but not everywhere yet</h1>", true),
        again: (303, ""),
    },
];

/// A browser that has signed in at the first node, and has been at the gateway.
#[derive(Default)]
struct Browser {
    cookies: Vec<(String, String)>,
    /// The form that signs it out.
    sign_out: String,
}

impl Browser {
    fn cookie(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn take(&mut self, answer: &Answer) {
        for (name, value) in answer.cookies() {
            self.cookies.retain(|(known, _)| *known != name);
            if !value.is_empty() {
                self.cookies.push((name, value));
            }
        }
    }

    async fn request(&mut self, node: &Node, method: &str, path: &str, body: &str) -> Answer {
        let mut client = Client::new(node.address).header("Cookie", &self.cookie());
        let answer = client.request(method, path, FORM, body).await.unwrap();
        self.take(&answer);
        answer
    }

    async fn sign_in(node: &Node, login: &str) -> Self {
        let mut own = Self::default();
        let page = own.request(node, "GET", "/web/login", "").await;
        let mut fields = hidden_fields(&page.body, "/web/login");
        fields.extend([("login".to_owned(), login.to_owned()), ("password".to_owned(), PASSWORD.to_owned())]);
        let answer = own.request(node, "POST", "/web/login", &form(&fields)).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let answer = own.request(node, "GET", "/oauth2/start?rd=%2Fapp", "").await;
        assert_eq!((answer.status, answer.header("location")), (303, "/app"), "{answer:?}");
        let page = own.request(node, "GET", "/web/login", "").await;
        own.sign_out = form(&hidden_fields(&page.body, "/oauth2/sign-out"));
        own
    }

    /// What a node says to the proxy; `None`: nothing.
    async fn is_let_in(&self, node: &Node) -> Option<bool> {
        let (_, token) = self.cookies.iter().find(|(name, _)| name == "orest_gateway").unwrap();
        let mut client = Client::new(node.address).header("Cookie", &format!("orest_gateway={token}"));
        match client.get("/oauth2/auth").await.unwrap().status {
            200 => Some(true),
            401 => Some(false),
            503 => None,
            other => panic!("{other}"),
        }
    }
}

fn form(fields: &[(String, String)]) -> String {
    encode(&fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>())
}

/// Two nodes, a case for each door, and who calls.
struct World {
    fleet: Fleet,
    application: i64,
    /// An access token of the Admin API.
    session: String,
}

impl World {
    /// `None`: tests that need PostgreSQL are to be left out.
    async fn start(settings: &[(&'static str, &str)]) -> Option<(Self, Vec<Case>)> {
        if !Kind::has_postgres() {
            return None;
        }
        let settings = [&[("OREST_ACCESS_ACCOUNTS", "acme"), ("OREST_NODE_NAME", "auth-1")], settings].concat();
        let mut fleet = Fleet::start_with(1, 0, &settings).await;
        fleet.add(&[&settings[..], &[("OREST_NODE_NAME", "auth-2")]].concat()).await;
        fleet.nodes[1].wait_until_ready().await;
        fleet.wait_for_nodes(2).await;
        fleet.query(&format!(
            "INSERT INTO res_users_apikeys (user_id, name, key_hash, create_date)
             SELECT id, 'security tool', '{}', now() FROM res_users WHERE login = '{}'",
            SecretHash::of(KEY).as_str(),
            ADMIN.0
        ));
        let application = fleet.query(&format!("SELECT id FROM orest_application WHERE client_id = '{CLIENT_ID}'"));
        let mut client = Client::new(fleet.nodes[0].address);
        let login = json!({"username": ADMIN.0, "password": ADMIN.1}).to_string();
        let path = "/api/admin/v3.0/auth/providers/local-userpass/login";
        let answer = client.post_json(path, &login).await.unwrap();
        let session = answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned();
        let world = Self { fleet, application: application.parse().unwrap(), session };
        let mut cases = Vec::new();
        for number in 0..DOORS.len() {
            cases.push(world.case(number).await);
        }
        Some((world, cases))
    }

    fn users(&self) -> String {
        format!("/api/admin/v3.0/groups/{}/apps/{}/users", object_id(1), object_id(self.application))
    }

    fn admin_api(&self, case: &Case, method: &'static str, act: &str) -> Call {
        Call {
            method,
            path: format!("{}/{}{act}", self.users(), object_id(case.user)),
            content: JSON,
            body: String::new(),
            caller: ("Authorization", format!("Bearer {}", self.session)),
        }
    }

    async fn case(&self, number: usize) -> Case {
        let email = format!("user{number}@example.com");
        let body = json!({"email": email, "password": PASSWORD}).to_string();
        let mut client =
            Client::new(self.fleet.nodes[0].address).header("Authorization", &format!("Bearer {}", self.session));
        let made = client.post_json(&self.users(), &body).await.unwrap();
        let id = made.json()["_id"].as_str().unwrap_or_else(|| panic!("{made:?}")).to_owned();
        let user = parse_object_id(&id).unwrap();
        let token = self.fleet.grant_by(user, 1).remove(0);
        let browser = Browser::sign_in(&self.fleet.nodes[0], &email).await;
        Case { email, user, token, browser }
    }

    async fn act(&self, call: &Call) -> Answer {
        let mut client = Client::new(self.fleet.nodes[0].address).header(call.caller.0, &call.caller.1);
        client.request(call.method, &call.path, call.content, &call.body).await.unwrap()
    }

    /// What a node says of that which the door takes back.
    async fn accepts(&self, door: &Door, case: &Case, node: usize) -> Option<bool> {
        let node = &self.fleet.nodes[node];
        if door.name.contains("gateway") {
            case.browser.is_let_in(node).await
        } else {
            introspect(node, &case.token).await
        }
    }
}

fn check(door: &Door, answer: &Answer, (status, says): (u16, &str)) {
    assert!(answer.status == status && answer.body.contains(says), "{}: {answer:?}", door.name);
}

/// The other node hears nothing but what it asks for at its next renewal: who did not wait for it would be told from memory
/// that all is as before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_any_door_has_answered_the_other_node_refuses() {
    let Some((world, cases)) = World::start(&[("OREST_CLUSTER_LEASE", "2s")]).await else { return };
    world.fleet.nodes[1].proxy.set(Line::Silent);
    for (door, case) in DOORS.iter().zip(&cases) {
        for node in [0, 1] {
            assert_eq!(world.accepts(door, case, node).await, Some(true), "{}: node {node}", door.name);
        }
        let answer = world.act(&(door.call)(&world, case)).await;
        assert_eq!(world.accepts(door, case, 1).await, Some(false), "{}: {answer:?}", door.name);
        check(door, &answer, door.done);
        assert_eq!(world.accepts(door, case, 0).await, Some(false), "{}", door.name);
    }
}

/// The other node is cut off, holds a lease, and nobody waits until that has ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_door_that_can_not_promise_it_says_so_in_its_own_words() {
    let settings = [("OREST_CLUSTER_LEASE", "25s"), ("OREST_CLUSTER_REVOKE_WAIT", "300ms")];
    let Some((world, cases)) = World::start(&settings).await else { return };
    for (door, case) in DOORS.iter().zip(&cases) {
        assert_eq!(world.accepts(door, case, 1).await, Some(true), "{}", door.name);
    }
    world.fleet.nodes[1].proxy.set(Line::Stalled);
    let mut browsers = Vec::new();
    for (door, case) in DOORS.iter().zip(&cases) {
        let answer = world.act(&(door.call)(&world, case)).await;
        assert_eq!(world.accepts(door, case, 1).await, Some(true), "{}: it does not know of it", door.name);
        assert_eq!(world.accepts(door, case, 0).await, Some(false), "{}: it is done", door.name);
        let (status, says, when) = door.unconfirmed;
        check(door, &answer, (status, says));
        let explains = |text: &str| answer.body.contains(text);
        assert!(explains("is done and stored, but auth-2 has not confirmed it: until "), "{}: {answer:?}", door.name);
        assert!(explains(" UTC it may still accept what was taken back"), "{}: {answer:?}", door.name);
        let wait: Option<u64> = answer.header("retry-after").parse().ok();
        assert!(if when { wait.is_some_and(|wait| (1..=27).contains(&wait)) } else { wait.is_none() }, "{answer:?}");
        let mut browser = Browser { cookies: case.browser.cookies.clone(), ..Browser::default() };
        browser.take(&answer);
        browsers.push(browser);
    }
    // Who has signed out is signed out, however far that has got.
    for (door, (case, browser)) in DOORS.iter().zip(cases.iter().zip(&browsers)) {
        let has = |cookie: &str| browser.cookies.iter().any(|(name, _)| name == cookie);
        let signed_out = door.name.contains("gateway");
        assert_eq!((has("orest_gateway"), has("session_id")), (!signed_out, !signed_out), "{}", door.name);
        if signed_out {
            let mut with_old_cookies = Browser { cookies: case.browser.cookies.clone(), ..Browser::default() };
            let page = with_old_cookies.request(&world.fleet.nodes[0], "GET", "/web/login", "").await;
            assert!(page.body.contains("name=\"password\""), "its session here has ended too: {page:?}");
        }
    }
    // And who signs in where somebody else was is signed in.
    let browser = &mut browsers[0];
    let page = browser.request(&world.fleet.nodes[0], "GET", "/web/login?prompt=login", "").await;
    let mut fields = hidden_fields(&page.body, "/web/login");
    fields.extend([("login".to_owned(), cases[1].email.clone()), ("password".to_owned(), PASSWORD.to_owned())]);
    let answer = browser.request(&world.fleet.nodes[0], "POST", "/web/login", &form(&fields)).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert!(answer.cookies().next().is_some(), "{answer:?}");
    assert_eq!(cases[0].browser.is_let_in(&world.fleet.nodes[0]).await, Some(false));

    world.fleet.nodes[1].proxy.set(Line::Good);
    world.fleet.nodes[1].wait_until_ready().await;
    for (door, case) in DOORS.iter().zip(&cases) {
        let answer = world.act(&(door.call)(&world, case)).await;
        check(door, &answer, door.again);
        assert_eq!(world.accepts(door, case, 1).await, Some(false), "{}: {answer:?}", door.name);
    }
}
