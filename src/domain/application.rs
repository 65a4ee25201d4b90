//! Applications: OAuth clients, as far as issuing and verifying need them.

use std::time::Duration;

use super::ids::{ApplicationId, UserId};
use super::scope::Scope;
use super::secret::SecretHash;
use super::time::Entropy;

/// A client that may ask for access (RFC 6749 section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Its row.
    pub id: ApplicationId,
    /// What users read on the consent page.
    pub name: String,
    /// Its `client_id`.
    pub client_id: String,
    /// Of its secret; `None` for a public client (RFC 6749 section 2.1).
    pub secret_hash: Option<SecretHash>,
    /// Whether it is not archived. An archived application is refused everywhere.
    pub active: bool,
    /// All that it may ask for.
    pub scope: Scope,
    /// Whom client_credentials tokens act for.
    pub acts_for: Option<UserId>,
    /// Which model scheme limits it.
    pub model_scheme: Option<i64>,
    /// How long its tokens live.
    pub lifetimes: Lifetimes,
}

impl Application {
    /// Whether it has no secret.
    pub const fn is_public(&self) -> bool {
        self.secret_hash.is_none()
    }
}

/// The four durations of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// In which a code must be exchanged.
    pub authorization_code: Duration,
    /// For which a used or expired code's row is kept; zero: only as long as it could be replayed.
    pub code_retain: Duration,
    /// Of an access token.
    pub access_token: Duration,
    /// Of a refresh token; `None`: for ever.
    pub refresh_token: Option<Duration>,
}

/// Letters at the end of a [`client_app_id`].
pub const APP_ID_LETTERS: usize = 5;
/// Characters of a name that go into a [`client_app_id`].
const APP_ID_NAME_MAX: usize = 60;

/// How App Services' clients call an application: its name in small letters, digits and hyphens, and five random letters,
/// such as `mail-reader-kvxqa`.
pub fn client_app_id(name: &str, entropy: &dyn Entropy) -> String {
    let mut slug = String::with_capacity(APP_ID_NAME_MAX + 1 + APP_ID_LETTERS);
    for letter in name.chars().map(|letter| letter.to_ascii_lowercase()) {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() == APP_ID_NAME_MAX {
            break;
        }
    }
    let mut id = slug.trim_end_matches('-').to_owned();
    if id.is_empty() {
        id.push_str("app");
    }
    id.push('-');
    let mut random = [0; APP_ID_LETTERS];
    entropy.fill(&mut random);
    id.extend(random.map(|byte| char::from(b'a' + byte % 26)));
    id
}

/// Why an address can't be a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedirectUri {
    /// RFC 6749 section 3.1.2: absolute.
    #[error("the URI must be absolute, such as https://example.com/callback")]
    NotAbsolute,
    /// RFC 6749 section 3.1.2: no fragment.
    #[error("the URI must not have a fragment (#…)")]
    Fragment,
    /// A code in clear over the network, or a scheme that runs as script.
    #[error(
        "the URI must be https, http to this machine's own loopback address, or a scheme of the application's own with a dot in it"
    )]
    Scheme,
    /// A user and password in the address.
    #[error("the URI must not have a user name or a password")]
    Credentials,
}

/// Checks an address before it becomes a callback. Requests are compared with it character by character
/// (RFC 9700 section 2.1), so it is kept as given.
pub fn check_redirect_uri(text: &str) -> Result<(), InvalidRedirectUri> {
    let uri = url::Url::parse(text).map_err(|_| InvalidRedirectUri::NotAbsolute)?;
    if text.contains('#') {
        return Err(InvalidRedirectUri::Fragment);
    }
    if !uri.username().is_empty() || uri.password().is_some() {
        return Err(InvalidRedirectUri::Credentials);
    }
    let is_loopback = || match uri.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match uri.scheme() {
        "https" => Ok(()),
        "http" if is_loopback() => Ok(()),
        // RFC 8252 section 7.1: private-use schemes are reverse domain names.
        scheme if scheme.contains('.') => Ok(()),
        _ => Err(InvalidRedirectUri::Scheme),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts up.
    struct Counting;

    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for (index, byte) in bytes.iter_mut().enumerate() {
                *byte = u8::try_from(index + 24).unwrap_or_default();
            }
        }
    }

    #[test]
    fn client_app_ids() {
        let long = "x".repeat(100);
        for (name, expect) in [
            ("Mail Reader", "mail-reader-yzabc"),
            (" --Eggcorn!! (2) ", "eggcorn-2-yzabc"),
            ("Bücher", "b-cher-yzabc"),
            ("帳簿", "app-yzabc"),
            ("", "app-yzabc"),
            (long.as_str(), &format!("{}-yzabc", "x".repeat(60))),
        ] {
            assert_eq!(client_app_id(name, &Counting), expect, "{name}");
        }
    }

    #[test]
    fn callbacks() {
        use InvalidRedirectUri::{Credentials, Fragment, NotAbsolute, Scheme};
        for (uri, expect) in [
            ("https://example.com/cb?x=1", Ok(())),
            ("http://127.0.0.1:8000/cb", Ok(())),
            ("http://[::1]/cb", Ok(())),
            ("http://localhost/cb", Ok(())),
            ("com.example.app:/cb", Ok(())),
            ("", Err(NotAbsolute)),
            ("/cb", Err(NotAbsolute)),
            ("https://example.com/cb#x", Err(Fragment)),
            ("https://u:p@example.com/", Err(Credentials)),
            ("http://example.com/cb", Err(Scheme)),
            ("http://127.0.0.1.example.com/cb", Err(Scheme)),
            ("javascript:alert(1)", Err(Scheme)),
            ("data:text/html,x", Err(Scheme)),
        ] {
            assert_eq!(check_redirect_uri(uri), expect, "{uri}");
        }
    }
}
