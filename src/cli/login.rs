//! `orest login`, `orest logout` and `orest whoami`: the session of a profile, which the commands that act on a server use.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::client::admin_api::{self, AdminApi, Secret};
use super::client::failure::Failure;
use super::client::session::Server;
use super::client::{Client, ClientOptions, DEFAULT_URL, Outcome};

/// Sign in to a server, for `orest users`, `orest authorizations` and `orest revocations`; what is left out is asked for.
#[derive(Args)]
#[command(after_help = "\
The session is kept in the profile, for you alone. At the server it is an authorization of the application \"Admin API\", seen and \
revoked like any other.
Whoever lists this machine's processes sees options, but neither OREST_PASSWORD nor OREST_API_KEY.")]
pub struct Login {
    #[command(flatten)]
    client: ClientOptions,
    /// Your login
    #[arg(long, value_name = "LOGIN", env = "OREST_USERNAME")]
    username: Option<String>,
    /// Your password
    #[arg(long, env = "OREST_PASSWORD", hide_env_values = true, conflicts_with = "api_key")]
    password: Option<String>,
    /// An API key of yours in place of a password. With --private-api-key, your login, as scripts for App Services have it
    #[arg(long, value_name = "KEY", env = "OREST_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// An API key of yours, as scripts for App Services have it
    #[arg(long, value_name = "KEY", requires = "api_key", conflicts_with = "username")]
    private_api_key: Option<String>,
    /// Keep the API key in the profile too, so that `orest login` alone is enough next time
    #[arg(long)]
    keep_api_key: bool,
    #[arg(long, value_enum, hide = true)]
    auth_type: Option<AuthType>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AuthType {
    Cloud,
    Local,
}

/// With what somebody signs in.
enum Credential {
    Password(String),
    ApiKey(String),
}

impl Login {
    pub(super) fn run(self) -> ExitCode {
        let options = self.client.clone();
        options.run("login", |client| self.sign_in(client))
    }

    fn sign_in(&self, client: &mut Client) -> Result<Outcome, Failure> {
        let url = client.url.as_deref().or(client.profile.url.as_deref()).unwrap_or(DEFAULT_URL);
        let server = Server::at(url)?;
        let same_server = client.profile.url.as_deref() == Some(server.address());
        let (username, given) = self.given();
        // What is kept for one server is told to no other.
        let kept = client.profile.username.clone().filter(|_| same_server);
        let username = match username.or_else(|| kept.clone()) {
            Some(username) => username,
            None => client.prompt.text("Login", "--username")?,
        };
        let same_user = same_server && client.profile.username.as_deref() == Some(&username);
        if let (Some(other), Some(_), false) = (&client.profile.username, &client.profile.refresh_token, same_user) {
            let at = client.profile.url.as_deref().unwrap_or_default();
            let question = format!(
                "This action will terminate the existing session for user: {other} ({at}), would you like to proceed?"
            );
            if !client.prompt.confirm(&question)? {
                return Ok(Outcome::Done);
            }
        }
        let credential = match given.or_else(|| self.kept_key(client, same_user)) {
            Some(credential) => credential,
            None if self.auth_type == Some(AuthType::Cloud) => {
                Credential::ApiKey(client.prompt.password("API Key", "--api-key or OREST_API_KEY")?)
            }
            None => Credential::Password(client.prompt.password("Password", "OREST_PASSWORD or OREST_API_KEY")?),
        };
        if server.is_open_to_listeners() {
            client.output.warn(&format!("{} is not https: what is sent can be read on the way", server.address()));
        }
        let secret = match &credential {
            Credential::Password(password) => Secret::Password(password),
            Credential::ApiKey(key) => Secret::ApiKey(key),
        };
        let tokens = admin_api::login(&server, &username, &secret)?;
        let before = client.profile.clone();
        let profile = &mut client.profile;
        profile.api_key = match credential {
            Credential::ApiKey(key) if self.keep_api_key || (same_user && before.api_key.as_ref() == Some(&key)) => {
                Some(key)
            }
            Credential::ApiKey(_) | Credential::Password(_) => None,
        };
        profile.url = Some(server.address().to_owned());
        profile.username = Some(username);
        profile.access_token = Some(tokens.access_token);
        profile.refresh_token = Some(tokens.refresh_token);
        profile.save()?;
        // The session from before has no owner any more. That it may be over already, or its server gone, is no matter.
        if let (Some(url), Some(token)) = (&before.url, &before.refresh_token) {
            let _ = Server::at(url).and_then(|server| admin_api::logout(&server, token));
        }
        client.output.info("Successfully logged in");
        Ok(Outcome::Done)
    }

    /// Who, and with what, as far as it was given.
    fn given(&self) -> (Option<String>, Option<Credential>) {
        match (&self.api_key, &self.private_api_key, &self.password) {
            (Some(login), Some(key), _) => (Some(login.clone()), Some(Credential::ApiKey(key.clone()))),
            (Some(key), None, _) => (self.username.clone(), Some(Credential::ApiKey(key.clone()))),
            (None, _, Some(password)) => (self.username.clone(), Some(Credential::Password(password.clone()))),
            (None, _, None) => (self.username.clone(), None),
        }
    }

    fn kept_key(&self, client: &Client, same_user: bool) -> Option<Credential> {
        let wanted = same_user && self.auth_type != Some(AuthType::Local);
        client.profile.api_key.clone().filter(|_| wanted).map(Credential::ApiKey)
    }
}

/// Sign out: the session is revoked at the server and forgotten here, a kept API key too.
#[derive(Args)]
pub struct Logout {
    #[command(flatten)]
    client: ClientOptions,
}

impl Logout {
    pub(super) fn run(self) -> ExitCode {
        self.client.run("logout", sign_out)
    }
}

fn sign_out(client: &mut Client) -> Result<Outcome, Failure> {
    let before = client.profile.clone();
    // Forgotten first: whatever the server says, nobody finds them here.
    client.profile.forget_credentials();
    if before.access_token.is_some() || before.refresh_token.is_some() || before.api_key.is_some() {
        client.profile.save()?;
    }
    if let (Some(url), Some(token)) = (&before.url, &before.refresh_token) {
        match Server::at(url).and_then(|server| admin_api::logout(&server, token)) {
            Ok(()) | Err(Failure::InvalidSession) => {}
            Err(failure) => {
                return Err(Failure::Other(format!(
                    "the session is forgotten here, but {url} was not told ({failure}): revoke it there, in the \
                     authorizations of the application Admin API"
                )));
            }
        }
    }
    client.output.info("Successfully logged out");
    Ok(Outcome::Done)
}

/// Say who is signed in, and where; the server is asked whether the session still holds.
#[derive(Args)]
pub struct Whoami {
    #[command(flatten)]
    client: ClientOptions,
}

impl Whoami {
    pub(super) fn run(self) -> ExitCode {
        self.client.run("whoami", |client| {
            let Some(username) = client.profile.username.clone() else {
                client.output.info("No user is currently logged in");
                return Ok(Outcome::Done);
            };
            let known = client.session().and_then(|mut session| {
                let groups = AdminApi::new(&mut session).groups();
                groups.map(|_| session.server.address().to_owned())
            });
            match known {
                Ok(address) => client.output.info(&format!("Currently logged in user: {username} ({address})")),
                Err(Failure::InvalidSession) => {
                    client.output.info(&format!("The user, {username}, is not currently logged in"));
                }
                Err(failure) => return Err(failure),
            }
            Ok(Outcome::Done)
        })
    }
}
