//! Which authorizations are meant.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::literal;
use crate::cli::client::failure::Failure;
use crate::cli::client::odoo;
use crate::cli::client::session::Session;
use crate::cli::client::typed;
use crate::orm::search_domain::{Limits, SearchDomain};

/// Which authorizations; each option leaves out more.
#[derive(Args)]
pub struct Filter {
    /// Of these users, by login, e-mail address or id; several with commas between, or the option again
    #[arg(long, short, value_name = "USER", value_delimiter = ',')]
    user: Vec<String>,
    /// Of these applications, by name, client_id or id; several with the option again
    #[arg(long, short, value_name = "APPLICATION")]
    application: Vec<String>,
    /// From these devices, by name or id; several with the option again
    #[arg(long, short, value_name = "DEVICE")]
    device: Vec<String>,
    /// In these states
    #[arg(long, value_enum, value_delimiter = ',')]
    state: Vec<State>,
    /// Granted longer ago than this, such as 90d, 12h or 2w
    #[arg(long, value_name = "TIME", value_parser = Age::parse)]
    older_than: Option<Age>,
    /// Not used for this long, or never and granted as long ago, such as 30d
    #[arg(long, value_name = "TIME", value_parser = Age::parse)]
    unused_for: Option<Age>,
    /// What an Odoo domain finds, such as "[('scope', 'ilike', 'write')]"
    #[arg(long, value_name = "DOMAIN", value_parser = parse_domain)]
    domain: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum State {
    Live,
    Expired,
    Revoked,
}

/// How long ago, as Odoo's relative dates have it: by the server's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Age {
    number: u32,
    unit: char,
}

impl Age {
    fn parse(text: &str) -> Result<Self, String> {
        let refuse = || "a number and m, h, d or w: 30m, 12h, 90d, 2w".to_owned();
        let unit = text.chars().last().filter(|unit| "mhdw".contains(*unit)).ok_or_else(refuse)?;
        let number = text[..text.len() - 1].parse().map_err(|_| refuse())?;
        // A hundred years in the smallest unit: beyond it there is no date.
        if number > 52_560_000 { Err(refuse()) } else { Ok(Self { number, unit }) }
    }

    fn ago(self) -> String {
        let unit = match self.unit {
            'm' => 'M',
            'h' => 'H',
            other => other,
        };
        format!("now -{}{unit}", self.number)
    }
}

fn parse_domain(text: &str) -> Result<Value, String> {
    let domain = literal::parse(text)?;
    if !domain.is_array() {
        return Err("a domain is a list".to_owned());
    }
    // A domain that lacks a condition would take its neighbour's.
    SearchDomain::parse(&domain, &Limits::default()).map_err(|error| error.message)?;
    Ok(domain)
}

impl Filter {
    /// Whether it leaves everything.
    pub const fn is_empty(&self) -> bool {
        self.user.is_empty()
            && self.application.is_empty()
            && self.device.is_empty()
            && self.state.is_empty()
            && self.older_than.is_none()
            && self.unused_for.is_none()
            && self.domain.is_none()
    }

    /// In these states unless it names some.
    pub fn or_in_state(&mut self, state: State) {
        if self.state.is_empty() {
            self.state.push(state);
        }
    }

    /// As one search domain. Whoever is named must be there: a typing error is not nobody.
    ///
    /// # Errors
    /// If somebody is not, or the server does not answer.
    pub fn domain(&self, session: &mut Session) -> Result<Value, Failure> {
        let mut terms = Vec::new();
        for (named, target) in [(&self.user, &USERS), (&self.application, &APPLICATIONS), (&self.device, &DEVICES)] {
            if !named.is_empty() {
                terms.push(json!([target.field, "in", target.find(session, named)?]));
            }
        }
        terms.extend(self.own_terms());
        Ok(Value::Array(terms))
    }

    fn own_terms(&self) -> Vec<Value> {
        let mut terms = Vec::new();
        if !self.state.is_empty() {
            let states: Vec<String> = self.state.iter().map(typed).collect();
            terms.push(json!(["state", "in", states]));
        }
        if let Some(age) = self.older_than {
            terms.push(json!(["create_date", "<", age.ago()]));
        }
        if let Some(age) = self.unused_for {
            let ago = age.ago();
            terms.extend([json!("|"), json!(["last_used_at", "<", ago])]);
            terms.extend([json!("&"), json!(["last_used_at", "=", false]), json!(["create_date", "<", ago])]);
        }
        if let Some(Value::Array(own)) = &self.domain {
            terms.extend(own.iter().cloned());
        }
        terms
    }
}

/// Records that authorizations lead to.
struct Target {
    field: &'static str,
    model: &'static str,
    what: &'static str,
    names: &'static [&'static str],
}

const USERS: Target = Target { field: "user_id", model: "res.users", what: "user", names: &["login", "email"] };
const APPLICATIONS: Target =
    Target { field: "application_id", model: "orest.application", what: "application", names: &["name", "client_id"] };
const DEVICES: Target = Target { field: "device_id", model: "orest.device", what: "device", names: &["name"] };

impl Target {
    /// The ids of all who are called so, the archived too.
    fn find(&self, session: &mut Session, named: &[String]) -> Result<Vec<i64>, Failure> {
        let mut ids = Vec::new();
        for name in named {
            let name = name.trim();
            if name.is_empty() {
                return Err(Failure::Usage(format!("--{} was given without a name", self.what)));
            }
            let arguments = json!({
                "domain": self.called(name),
                "context": {"active_test": false},
            });
            let found = odoo::call(session, self.model, "search", &arguments)?;
            let found: Vec<i64> = found.as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
            if found.is_empty() {
                return Err(Failure::Other(format!("failed to find {} '{name}'", self.what)));
            }
            ids.extend(found);
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    fn called(&self, name: &str) -> Value {
        let id = name.parse::<i64>().ok().filter(|id| *id > 0);
        let by_name = self.names.iter().map(|field| json!([field, "=", name]));
        let terms: Vec<Value> = by_name.chain(id.map(|id| json!(["id", "=", id]))).collect();
        let or = vec![json!("|"); terms.len() - 1];
        Value::Array(or.into_iter().chain(terms).collect())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        filter: Filter,
    }

    fn filter(line: &[&str]) -> Result<Filter, clap::Error> {
        Line::try_parse_from([&["x"], line].concat()).map(|line| line.filter)
    }

    #[test]
    fn options_become_one_domain() {
        let domain = |line: &[&str]| {
            let mut filter = filter(line).expect("is read");
            filter.or_in_state(State::Live);
            Value::Array(filter.own_terms())
        };
        assert_eq!(domain(&[]), json!([["state", "in", ["live"]]]));
        assert_eq!(domain(&["--state", "expired,revoked"]), json!([["state", "in", ["expired", "revoked"]]]));
        assert_eq!(
            domain(&["--older-than", "90d", "--domain", "['|', ('a', '=', 1), ('b', '=', 2)]"]),
            json!([["state", "in", ["live"]], ["create_date", "<", "now -90d"], "|", ["a", "=", 1], ["b", "=", 2]])
        );
        assert_eq!(
            domain(&["--unused-for", "12h"]),
            json!([
                ["state", "in", ["live"]],
                "|",
                ["last_used_at", "<", "now -12H"],
                "&",
                ["last_used_at", "=", false],
                ["create_date", "<", "now -12H"],
            ])
        );
        assert!(filter(&[]).expect("is read").is_empty());
        assert!(!filter(&["--domain", "[]"]).expect("is read").is_empty());
    }

    /// It would take the condition that stands beside it.
    #[test]
    fn a_domain_that_lacks_a_condition_is_refused() {
        for text in ["['|', ('a', '=', 1)]", "['!']", "('a', '=', 1)", "1", "[('a', '=')]", "[[]]"] {
            assert!(filter(&["--domain", text]).is_err(), "{text}");
        }
    }

    #[test]
    fn times() {
        for (text, expect) in [("30m", Some("now -30M")), ("2w", Some("now -2w")), ("0d", Some("now -0d"))] {
            assert_eq!(Age::parse(text).ok().map(Age::ago).as_deref(), expect, "{text}");
        }
        for text in ["", "d", "30", "30y", "-1d", "1é", "99999999999d", "60000000d"] {
            assert!(Age::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_and_ids() {
        assert_eq!(USERS.called("alice"), json!(["|", ["login", "=", "alice"], ["email", "=", "alice"]]));
        assert_eq!(DEVICES.called("7"), json!(["|", ["name", "=", "7"], ["id", "=", 7]]));
        assert_eq!(DEVICES.called("x"), json!([["name", "=", "x"]]));
    }
}
