//! Calls within a session. When the server says that it is over, it is renewed once, and the call made again.

use serde_json::Value;
use ureq::http::Method;
use url::Url;

use super::admin_api;
use super::failure::Failure;
use super::output::printable;
use super::profile::Profile;
use super::{DEFAULT_URL, failure};
use crate::cli::web::{Answer, Web};

/// A server, by its address.
pub struct Server {
    web: Web,
    base: Url,
}

impl Server {
    /// At this address.
    ///
    /// # Errors
    /// If it is none of a server.
    pub fn at(url: &str) -> Result<Self, Failure> {
        let refuse = |why: &str| Failure::Usage(format!("'{}' is no address of a server: {why}", printable(url)));
        let mut base = Url::parse(url).map_err(|_| refuse("it looks like https://orest.example.com"))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(refuse("it begins with https:// or http://"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(Failure::Usage("an address holds no password: give it to orest login".to_owned()));
        }
        base.set_query(None);
        base.set_fragment(None);
        if let Ok(mut segments) = base.path_segments_mut() {
            segments.pop_if_empty();
        }
        Ok(Self { web: Web::for_client(), base })
    }

    /// Its address, in one spelling.
    pub fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Whether what is sent there can be read on the way.
    pub fn is_open_to_listeners(&self) -> bool {
        let near = match self.base.host() {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        self.base.scheme() == "http" && !near
    }

    /// The address of something there; what stands between the slashes is escaped.
    pub fn url(&self, segments: &[&str], query: &[(&str, String)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// A call, whatever comes back.
    pub fn send(
        &self,
        method: Method,
        url: &Url,
        bearer: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let answer = self.web.send(method, url.as_str(), bearer, body);
        answer.map_err(|silence| Failure::silence(self.address(), &silence))
    }

    /// That something else than an orest answers.
    pub fn unexpected(&self, answer: &Answer) -> Failure {
        let status = answer.status;
        if status >= 500 {
            return Failure::Refused {
                status,
                code: String::new(),
                message: format!("unexpected status code {status}"),
            };
        }
        Failure::NoAnswer(format!("{} does not answer as an orest would: {}", self.address(), answer.describe()))
    }
}

/// A session at a server.
pub struct Session {
    /// Where.
    pub server: Server,
    profile: Profile,
}

impl Session {
    /// The profile's, at the address that was named or the profile's own. A session is shown to no other server than the
    /// one that gave it.
    ///
    /// # Errors
    /// [`failure::Failure::InvalidSession`] if there is none there.
    pub fn of(profile: Profile, url: Option<&str>) -> Result<Self, failure::Failure> {
        let server = Server::at(url.or(profile.url.as_deref()).unwrap_or(DEFAULT_URL))?;
        let own = profile.url.as_deref().map(Server::at).transpose()?;
        let here = own.is_some_and(|own| own.address() == server.address());
        if !here || (profile.access_token.is_none() && profile.refresh_token.is_none()) {
            return Err(Failure::InvalidSession);
        }
        Ok(Self { server, profile })
    }

    /// A call in its name.
    ///
    /// # Errors
    /// [`Failure::InvalidSession`] if it is over and can't be renewed; [`Failure::NoAnswer`]. What the server refuses is an
    /// answer.
    pub fn call(&mut self, method: &Method, url: &Url, body: Option<&Value>) -> Result<Answer, Failure> {
        if let Some(token) = self.profile.access_token.clone() {
            let answer = self.server.send(method.clone(), url, Some(&token), body)?;
            if !is_over(&answer) {
                return Ok(answer);
            }
        }
        self.renew()?;
        let answer = self.server.send(method.clone(), url, self.profile.access_token.as_deref(), body)?;
        if is_over(&answer) { Err(Failure::InvalidSession) } else { Ok(answer) }
    }

    fn renew(&mut self) -> Result<(), Failure> {
        let refresh = self.profile.refresh_token.clone().ok_or(Failure::InvalidSession)?;
        let token = admin_api::renew(&self.server, &refresh)?;
        self.profile.access_token = Some(token);
        self.profile.save()
    }
}

/// The Admin API says so with a code; the other doors have no other reason for a 401.
fn is_over(answer: &Answer) -> bool {
    let code = answer.json.as_ref().and_then(|body| body.get("error_code")).and_then(Value::as_str);
    answer.status == 401 && code.is_none_or(|code| code == admin_api::INVALID_SESSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_spelling() {
        let address = |url: &str| Server::at(url).map(|server| server.address().to_owned());
        for (url, expect) in [
            ("https://orest.example.com/", "https://orest.example.com"),
            ("HTTPS://Orest.Example.com:443", "https://orest.example.com"),
            ("http://127.0.0.1:8070?x#y", "http://127.0.0.1:8070"),
            ("https://example.com/orest/", "https://example.com/orest"),
        ] {
            assert_eq!(address(url).expect(url), expect);
        }
        for url in ["orest.example.com", "ftp://x", "https://", "https://u:hidden@x"] {
            let said = address(url).expect_err(url).to_string();
            assert!(!said.contains("hidden"), "{said}");
        }
    }

    #[test]
    fn what_stands_between_slashes_is_escaped() {
        let server = Server::at("https://example.com/orest").expect("an address");
        let url = server.url(&["users", "../x?y/z"], &[("after", "a&b".to_owned())]);
        assert_eq!(url.as_str(), "https://example.com/orest/users/..%2Fx%3Fy%2Fz?after=a%26b");
    }

    #[test]
    fn a_session_is_shown_to_no_other_server() {
        let profile = Profile {
            url: Some("https://orest.example.com".to_owned()),
            access_token: Some("token".to_owned()),
            ..Profile::default()
        };
        let of = |url| Session::of(profile.clone(), url).map(|_| ());
        assert!(of(None).is_ok() && of(Some("https://orest.example.com/")).is_ok());
        for other in ["http://orest.example.com", "https://other.example.com", "https://orest.example.com/x"] {
            assert!(matches!(of(Some(other)), Err(Failure::InvalidSession)), "{other}");
        }
    }

    #[test]
    fn who_can_listen() {
        for (url, expect) in [
            ("http://127.0.0.1:8070", false),
            ("http://[::1]:1", false),
            ("http://localhost", false),
            ("http://10.0.0.1", true),
            ("https://10.0.0.1", false),
            ("http://orest.example.com", true),
        ] {
            assert_eq!(Server::at(url).expect(url).is_open_to_listeners(), expect, "{url}");
        }
    }
}
