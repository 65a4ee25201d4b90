//! Which users of an application are meant.

use std::collections::BTreeSet;
use std::fmt;

use clap::{Args, ValueEnum};

use super::provider::{Provider, Section};
use crate::cli::client::admin_api::{AdminApi, App, User};
use crate::cli::client::failure::Failure;
use crate::cli::client::output::{Output, printable};
use crate::cli::client::progress::Progress;
use crate::cli::client::prompt::Prompt;
use crate::cli::client::typed;

/// Which users; each option leaves out more.
#[derive(Args)]
pub struct Filter {
    /// A user's id; several with commas between, or the option again
    #[arg(long, short, value_name = "ID", value_delimiter = ',')]
    user: Vec<String>,
    /// Who has registered and is not yet confirmed
    #[arg(long)]
    pending: bool,
    /// Who can sign in, or who can't
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Who signs in so; several with commas between, or the option again
    #[arg(long, value_enum, value_name = "TYPE", value_delimiter = ',')]
    provider: Vec<Provider>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    Enabled,
    Disabled,
}

/// What the filters leave.
pub struct Found {
    /// These.
    pub users: Vec<User>,
    /// Ids that nobody has.
    pub missing: Vec<String>,
}

impl Found {
    /// Says who is not there; whether anybody.
    pub fn report_missing(&self, output: &Output) -> bool {
        for id in &self.missing {
            output.error(&format!("user '{id}' not found"));
        }
        !self.missing.is_empty()
    }
}

/// As a choice shows him.
struct Choice(User);

impl fmt::Display for Choice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&printable(&Section::choice(&self.0)))
    }
}

impl Filter {
    /// Finds them, all pages of them.
    ///
    /// # Errors
    /// If ids were given and nobody is found.
    pub fn find(&self, api: &mut AdminApi<'_>, app: &App, output: &Output) -> Result<Found, Failure> {
        let ids = self.ids()?;
        let progress = Progress::counting(output, "users");
        let mut users = if self.pending {
            let mut users = api.pending_users(app, &mut |count| progress.at(count))?;
            users.retain(|user| ids.is_empty() || ids.contains(user.id.as_str()));
            users
        } else if ids.is_empty() {
            api.users(app, &self.query(), &mut |count| progress.at(count))?
        } else {
            api.find_users(app, &ids, &mut |count| progress.at(count))?
        };
        let there: BTreeSet<String> = users.iter().map(|user| user.id.clone()).collect();
        let missing: Vec<String> = ids.into_iter().filter(|id| !there.contains(*id)).map(str::to_owned).collect();
        // Also what the server has filtered: who was not asked for is never acted on.
        users.retain(|user| self.keeps(user));
        if !self.user.is_empty() && users.is_empty() {
            return Err(Failure::Other("no users found".to_owned()));
        }
        Ok(Found { users, missing })
    }

    /// Lets somebody choose among them, unless he has named them or wants all.
    ///
    /// # Errors
    /// If there is nobody to ask.
    pub fn choose(&self, prompt: &Prompt, users: Vec<User>, verb: &str) -> Result<Vec<User>, Failure> {
        if !self.user.is_empty() || users.is_empty() || prompt.says_yes() {
            return Ok(users);
        }
        let option = format!("--user, or --yes to {verb} all {}", users.len());
        let choices = users.into_iter().map(Choice).collect();
        let chosen = prompt.choose_many(&format!("Which user(s) would you like to {verb}?"), choices, &option)?;
        Ok(chosen.into_iter().map(|choice| choice.0).collect())
    }

    /// Whoever gives an empty id means somebody, not everybody.
    fn ids(&self) -> Result<BTreeSet<&str>, Failure> {
        let ids: BTreeSet<&str> = self.user.iter().map(|id| id.trim()).filter(|id| !id.is_empty()).collect();
        if ids.is_empty() && !self.user.is_empty() {
            return Err(Failure::Usage("--user was given without an id".to_owned()));
        }
        Ok(ids)
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        let providers: Vec<String> = self.provider.iter().map(typed).collect();
        let state = self.state.map(|state| ("status", typed(&state)));
        let providers = (!providers.is_empty()).then(|| ("provider_types", providers.join(",")));
        state.into_iter().chain(providers).collect()
    }

    fn keeps(&self, user: &User) -> bool {
        let state = self.state.is_none_or(|state| (state == State::Disabled) == user.disabled);
        let wanted: Vec<String> = self.provider.iter().map(typed).collect();
        let has = |name: &String| user.identities.iter().any(|identity| identity.provider_type == *name);
        state && (wanted.is_empty() || wanted.iter().any(has))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filter(user: &[&str], state: Option<State>, provider: &[Provider]) -> Filter {
        let user = user.iter().map(|id| (*id).to_owned()).collect();
        Filter { user, pending: false, state, provider: provider.to_vec() }
    }

    #[test]
    fn who_was_not_asked_for_is_left_out_whatever_the_server_sends() {
        let user = |disabled: bool, providers: &[&str]| -> User {
            let identities: Vec<_> = providers.iter().map(|name| json!({"provider_type": name})).collect();
            serde_json::from_value(json!({"_id": "a", "disabled": disabled, "identities": identities})).expect("a user")
        };
        let of = |state, provider: &[Provider]| filter(&[], state, provider);
        assert!(of(None, &[]).keeps(&user(true, &[])));
        assert!(!of(Some(State::Enabled), &[]).keeps(&user(true, &[])));
        assert!(of(Some(State::Disabled), &[]).keeps(&user(true, &[])));
        assert!(!of(None, &[Provider::ApiKey]).keeps(&user(false, &["anon-user"])));
        assert!(of(None, &[Provider::ApiKey, Provider::Anonymous]).keeps(&user(false, &["x", "anon-user"])));
        assert!(!of(Some(State::Disabled), &[Provider::Anonymous]).keeps(&user(false, &["anon-user"])));
        assert_eq!(
            of(Some(State::Enabled), &[Provider::ApiKey, Provider::UserPassword]).query(),
            [("status", "enabled".to_owned()), ("provider_types", "api-key,local-userpass".to_owned())]
        );
    }

    #[test]
    fn an_empty_id_is_not_everybody() {
        assert!(filter(&[], None, &[]).ids().expect("none").is_empty());
        assert_eq!(
            filter(&["b", " a", "", "b"], None, &[]).ids().expect("two").into_iter().collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert!(matches!(filter(&["", " "], None, &[]).ids(), Err(Failure::Usage(_))));
    }
}
