//! Which revocations are meant.

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

use crate::cli::client::failure::Failure;
use crate::cli::client::search::{APPLICATIONS, Since, USERS, parse_domain};
use crate::cli::client::session::Session;
use crate::domain::revocation::Channel;

/// Which revocations; each option leaves out more.
#[derive(Args)]
pub struct Filter {
    /// By these users, or of what they had let act for them: by login, e-mail address or id; several with commas between, or
    /// the option again
    #[arg(long, short, value_name = "USER", value_delimiter = ',')]
    user: Vec<String>,
    /// Of what these applications had been let do, by name, client_id or id; several with the option again
    #[arg(long, short, value_name = "APPLICATION")]
    application: Vec<String>,
    /// Through these doors; several with commas between, or the option again
    #[arg(long, value_name = "DOOR", value_delimiter = ',', value_parser = doors())]
    channel: Vec<String>,
    /// Since then: so long ago, such as 90m, 12h, 7d or 2w, or a moment, such as 2026-11-20 or "2026-11-20 14:30" (UTC)
    #[arg(long, value_name = "TIME", value_parser = Since::parse)]
    since: Option<Since>,
    /// What an Odoo domain finds, such as "[('reason_admin', 'ilike', 'laptop')]"
    #[arg(long, value_name = "DOMAIN", value_parser = parse_domain)]
    domain: Option<Value>,
}

fn doors() -> PossibleValuesParser {
    PossibleValuesParser::new(
        Channel::ALL.iter().filter(|channel| **channel != Channel::Unknown).map(|channel| channel.as_str()),
    )
}

impl Filter {
    /// As one search domain. Whoever is named must be there: a typing error is not nobody.
    ///
    /// # Errors
    /// If somebody is not, or the server does not answer.
    pub fn domain(&self, session: &mut Session) -> Result<Value, Failure> {
        let mut terms = Vec::new();
        if !self.user.is_empty() {
            let ids = USERS.find(session, &self.user)?;
            terms.extend([json!("|"), json!(["user_id", "in", ids]), json!(["authorization_ids.user_id", "in", ids])]);
        }
        if !self.application.is_empty() {
            let ids = APPLICATIONS.find(session, &self.application)?;
            terms.push(json!(["authorization_ids.application_id", "in", ids]));
        }
        terms.extend(self.own_terms());
        Ok(Value::Array(terms))
    }

    fn own_terms(&self) -> Vec<Value> {
        let mut terms = Vec::new();
        if !self.channel.is_empty() {
            terms.push(json!(["channel", "in", self.channel]));
        }
        if let Some(since) = &self.since {
            terms.push(json!(["create_date", ">=", since.moment()]));
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

    #[test]
    fn options_become_one_domain() {
        let read = |line: &[&str]| Line::try_parse_from([&["x"], line].concat()).map(|line| line.filter.own_terms());
        let terms = |line: &[&str]| Value::Array(read(line).expect("is read"));
        assert_eq!(terms(&[]), json!([]));
        assert_eq!(
            terms(&["--channel", "orest_rpc,user_delete", "--since", "2h", "--domain", "['!', ('a', '=', 1)]"]),
            json!([
                ["channel", "in", ["orest_rpc", "user_delete"]],
                ["create_date", ">=", "now -2H"],
                "!",
                ["a", "=", 1]
            ])
        );
        for line in [["--channel", "door"], ["--since", "soon"], ["--domain", "['!']"]] {
            assert!(read(&line).is_err(), "{line:?}");
        }
    }
}
