//! Asking a server, and saying in words why it does not answer.

use std::time::Duration;

use chrono::DateTime;
use serde_json::Value;
use ureq::http::{Method, Request};
use ureq::tls::{RootCerts, TlsConfig};

use crate::domain::time::Timestamp;
use crate::limits;

/// Asks, as browsers on this machine would: with the system's certificates, but following nothing, so that what is sent goes
/// to nobody else.
pub struct Web {
    agent: ureq::Agent,
    patience: Duration,
    body_bytes_max: u64,
}

/// How long a command waits for an answer: longer than a server works on one.
const CLIENT_PATIENCE: Duration = Duration::from_secs(limits::REQUEST_TIMEOUT.as_secs() + 30);

/// What came back.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Where it leads, if it is a redirect.
    pub location: Option<String>,
    /// The other machine's clock.
    pub date: Option<Timestamp>,
    /// What answers, as it calls itself.
    pub server: Option<String>,
    /// The body, if it is JSON.
    pub json: Option<Value>,
}

impl Answer {
    /// What this is, for somebody who expected something else.
    pub fn describe(&self) -> String {
        let server = self.server.as_deref().map_or(String::new(), |server| format!(" of {server}"));
        match &self.location {
            Some(location) => format!("HTTP {}{server}, which leads to {location}", self.status),
            None => format!("HTTP {}{server}", self.status),
        }
    }
}

/// Why nothing came back, and what to do.
pub struct Silence {
    /// Why.
    pub cause: String,
    /// What to do.
    pub advice: String,
}

impl Web {
    /// For `orest doctor`: through no proxy, since what is looked at is near. Waits at most this long for each answer.
    pub fn for_doctor(patience: Duration) -> Self {
        Self::new(patience, None, 64 << 10)
    }

    /// For the commands that act on a server: through the proxy of the environment, if there is one.
    pub fn for_client() -> Self {
        Self::new(CLIENT_PATIENCE, ureq::Proxy::try_from_env(), 64 << 20)
    }

    fn new(patience: Duration, proxy: Option<ureq::Proxy>, body_bytes_max: u64) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(patience))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(proxy)
            .user_agent(concat!("orest/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .build();
        Self { agent: config.into(), patience, body_bytes_max }
    }

    /// GET.
    pub fn get(&self, url: &str) -> Result<Answer, Silence> {
        self.read(url, self.agent.get(url).header("accept", "application/json").call())
    }

    /// A JSON-RPC call without parameters.
    pub fn call(&self, url: &str) -> Result<Answer, Silence> {
        let body = r#"{"jsonrpc": "2.0", "method": "call", "id": 1, "params": {}}"#;
        self.read(url, self.agent.post(url).content_type("application/json").send(body))
    }

    /// A call of a REST door: with a token, and with JSON.
    pub fn send(
        &self,
        method: Method,
        url: &str,
        bearer: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, Silence> {
        let mut request = Request::builder().method(&method).uri(url).header("accept", "application/json");
        if let Some(token) = bearer {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let unsendable = |error: ureq::http::Error| Silence {
            cause: format!("that can't be sent ({error})"),
            advice: "look at the address and at the profile".to_owned(),
        };
        let answer = match body {
            Some(body) => {
                let request = request.header("content-type", "application/json").body(body.to_string());
                self.agent.run(request.map_err(unsendable)?)
            }
            // Without it, some proxies wait for a body.
            None if method == Method::PUT || method == Method::POST => {
                self.agent.run(request.body("").map_err(unsendable)?)
            }
            None => self.agent.run(request.body(()).map_err(unsendable)?),
        };
        self.read(url, answer)
    }

    fn read(
        &self,
        url: &str,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Answer, Silence> {
        let mut answer = answer.map_err(|error| self.silence(url, &error))?;
        let body = answer.body_mut().with_config().limit(self.body_bytes_max).read_to_vec();
        let body = match body {
            Ok(body) => body,
            // Longer than anything that we expect: then it is something else.
            Err(ureq::Error::BodyExceedsLimit(_)) => Vec::new(),
            Err(error) => return Err(self.silence(url, &error)),
        };
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Answer {
            status: answer.status().as_u16(),
            location: header("location").map(|text| printable(&text)),
            date: header("date").and_then(|date| Some(DateTime::parse_from_rfc2822(&date).ok()?.naive_utc())),
            server: header("server").map(|text| printable(&text)),
            json: serde_json::from_slice(&body).ok(),
        })
    }

    fn silence(&self, url: &str, error: &ureq::Error) -> Silence {
        let say = |cause: String, advice: &str| Silence { cause, advice: advice.to_owned() };
        let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        // TLS errors come in several wrappings; their texts are the same.
        let text = error.to_string();
        let kind = match error {
            ureq::Error::Io(error) => Some(error.kind()),
            _ => None,
        };
        let unknown =
            || say(format!("the name {host} is not known (DNS)"), &format!("see what `getent hosts {host}` says here"));
        use std::io::ErrorKind;
        match (error, kind) {
            (ureq::Error::HostNotFound, _) => unknown(),
            _ if text.contains("lookup address") => unknown(),
            (ureq::Error::Timeout(_), _) | (_, Some(ErrorKind::TimedOut)) => say(
                format!("no answer within {} s", self.patience.as_secs()),
                "it hangs or is overloaded, or a firewall drops what is sent",
            ),
            (_, Some(ErrorKind::ConnectionRefused)) => {
                say("the connection is refused".to_owned(), "nothing listens there: start it, or correct the port")
            }
            (_, Some(ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable)) => {
                say(format!("{host} can't be reached"), "look at this machine's network and its routes")
            }
            _ if text.contains("No CA certificates") => {
                say("this system knows no certificate authority".to_owned(), "install its package ca-certificates")
            }
            _ if text.contains("certificate") => {
                let advice = if text.contains("UnknownIssuer") {
                    "give the whole chain with the certificate, or add your authority to this system's (update-ca-certificates)"
                } else if text.contains("Expired") {
                    "renew the certificate; or this machine's clock is wrong"
                } else if text.contains("NotValidForName") {
                    "get a certificate for this name"
                } else {
                    "look at the certificate"
                };
                let cause = text.split_once("invalid peer certificate: ").map_or(text.as_str(), |(_, cause)| cause);
                say(format!("its certificate is not accepted ({cause})"), advice)
            }
            (ureq::Error::Rustls(_) | ureq::Error::Tls(_), _) | (_, Some(ErrorKind::InvalidData)) => {
                say(format!("it speaks no TLS ({text})"), "use its http:// address, or set TLS up there")
            }
            (ureq::Error::Protocol(_) | ureq::Error::Http(_), _) => {
                say(format!("it speaks no HTTP ({text})"), "another service has this port: correct the address")
            }
            (_, Some(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)) => {
                say("it closes the connection without an answer".to_owned(), "look at its log")
            }
            _ => say(text, "look at its log"),
        }
    }
}

/// What others say is shown on a terminal: nothing that would move about on it.
pub fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
