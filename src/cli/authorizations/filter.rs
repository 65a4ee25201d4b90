//! Which authorizations are meant.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::cli::client::failure::Failure;
use crate::cli::client::search::{APPLICATIONS, Age, DEVICES, USERS, parse_domain};
use crate::cli::client::session::Session;
use crate::cli::client::typed;

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
        for (field, named, target) in [
            ("user_id", &self.user, &USERS),
            ("application_id", &self.application, &APPLICATIONS),
            ("device_id", &self.device, &DEVICES),
        ] {
            if !named.is_empty() {
                terms.push(json!([field, "in", target.find(session, named)?]));
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
}
