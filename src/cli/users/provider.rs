//! How users sign in, in the order and with the names in which tables show it.

use clap::ValueEnum;

use crate::cli::client::admin_api::User;

/// A provider type of App Services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Provider {
    /// By e-mail and password.
    #[value(name = "local-userpass")]
    UserPassword,
    /// By API key.
    #[value(name = "api-key")]
    ApiKey,
    /// At Facebook.
    #[value(name = "oauth2-facebook")]
    Facebook,
    /// At Google.
    #[value(name = "oauth2-google")]
    Google,
    /// Without saying who.
    #[value(name = "anon-user")]
    Anonymous,
    /// By a token of another service.
    #[value(name = "custom-token")]
    CustomJwt,
    /// At Apple.
    #[value(name = "oauth2-apple")]
    Apple,
    /// By a function of the application.
    #[value(name = "custom-function")]
    CustomFunction,
}

impl Provider {
    fn of(name: &str) -> Option<Self> {
        Self::from_str(name, false).ok()
    }

    const fn display(self) -> &'static str {
        match self {
            Self::UserPassword => "User/Password",
            Self::ApiKey => "ApiKey",
            Self::Facebook => "Facebook",
            Self::Google => "Google",
            Self::Anonymous => "Anonymous",
            Self::CustomJwt => "Custom JWT",
            Self::Apple => "Apple",
            Self::CustomFunction => "Custom Function",
        }
    }
}

/// The table that a user belongs into: each is in one, whether he has no identity or several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Of a provider type; of several of his, the first in the order of the tables.
    Known(Provider),
    /// Of one that App Services has not.
    Other(String),
    /// Without any.
    Nothing,
}

impl Section {
    /// The user's.
    pub fn of(user: &User) -> Self {
        let own = user.identities.iter().map(|identity| match Provider::of(&identity.provider_type) {
            Some(provider) => Self::Known(provider),
            None => Self::Other(identity.provider_type.clone()),
        });
        own.min().unwrap_or(Self::Nothing)
    }

    /// What people call it.
    pub fn display(&self) -> &str {
        match self {
            Self::Known(provider) => provider.display(),
            Self::Other(name) => name,
            Self::Nothing => "None",
        }
    }

    /// The header of who he is, beside his id.
    pub const fn header(&self) -> Option<&'static str> {
        match self {
            Self::Known(Provider::UserPassword) => Some("Email"),
            // Where nothing else says who he is.
            Self::Known(Provider::ApiKey) | Self::Other(_) | Self::Nothing => Some("Name"),
            Self::Known(_) => None,
        }
    }

    /// Who he is, beside his id.
    pub fn name<'u>(&self, user: &'u User) -> &'u str {
        let name = match self {
            Self::Known(Provider::UserPassword) => user.text("email"),
            Self::Known(Provider::ApiKey) => user.text("name"),
            Self::Other(_) | Self::Nothing => user.text("name").or_else(|| user.text("email")),
            Self::Known(_) => None,
        };
        name.unwrap_or_default()
    }

    /// As a choice shows him: `User/Password - mail@example.com - <id>`.
    pub fn choice(user: &User) -> String {
        let section = Self::of(user);
        let parts = [section.display(), section.name(user), &user.id];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" - ")
    }
}
