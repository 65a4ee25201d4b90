//! How options say which records are meant: they become search domains, which the server evaluates.

use chrono::{Datelike as _, NaiveDate, NaiveDateTime};
use serde_json::{Value, json};

use super::failure::Failure;
use super::session::Session;
use super::{literal, odoo};
use crate::orm::search_domain::{Limits, SearchDomain};

const DATETIME: &str = "%Y-%m-%d %H:%M:%S";

/// How long ago, as Odoo's relative dates have it: by the server's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    number: u32,
    unit: char,
}

impl Age {
    /// Reads a number and its unit.
    ///
    /// # Errors
    /// What is right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refuse = || "a number and m, h, d or w: 30m, 12h, 90d, 2w".to_owned();
        let unit = text.chars().last().filter(|unit| "mhdw".contains(*unit)).ok_or_else(refuse)?;
        let number = text[..text.len() - 1].parse().map_err(|_| refuse())?;
        // A hundred years in the smallest unit: beyond it there is no date.
        if number > 52_560_000 { Err(refuse()) } else { Ok(Self { number, unit }) }
    }

    /// As a domain has it.
    pub fn ago(self) -> String {
        let unit = match self.unit {
            'm' => 'M',
            'h' => 'H',
            other => other,
        };
        format!("now -{}{unit}", self.number)
    }
}

/// Since when: so long ago, or a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since(String);

impl Since {
    /// Reads it.
    ///
    /// # Errors
    /// What is right.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(age) = Age::parse(text) {
            return Ok(Self(age.ago()));
        }
        let text = text.trim_end_matches('Z').replace('T', " ");
        let day = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0));
        let minute = || NaiveDateTime::parse_from_str(&format!("{text}:00"), DATETIME).ok();
        let moment = day.or_else(|| NaiveDateTime::parse_from_str(&text, DATETIME).ok()).or_else(minute);
        let moment = moment.filter(|moment| (1..=9999).contains(&moment.year()));
        moment.map(|moment| Self(moment.format(DATETIME).to_string())).ok_or_else(|| {
            "a number and m, h, d or w, such as 90m or 7d, or a moment such as 2026-11-20 or \"2026-11-20 14:30\" (UTC)"
                .to_owned()
        })
    }

    /// As a domain has it.
    pub fn moment(&self) -> &str {
        &self.0
    }
}

/// Reads a search domain.
///
/// # Errors
/// What is wrong with it, and where.
pub fn parse_domain(text: &str) -> Result<Value, String> {
    let domain = literal::parse(text)?;
    if !domain.is_array() {
        return Err("a domain is a list".to_owned());
    }
    // A domain that lacks a condition would take its neighbour's.
    SearchDomain::parse(&domain, &Limits::default()).map_err(|error| error.message)?;
    Ok(domain)
}

/// Records that options name.
pub struct Target {
    model: &'static str,
    what: &'static str,
    names: &'static [&'static str],
}

/// By login, e-mail address or id.
pub const USERS: Target = Target { model: "res.users", what: "user", names: &["login", "email"] };
/// By name, `client_id` or id.
pub const APPLICATIONS: Target =
    Target { model: "orest.application", what: "application", names: &["name", "client_id"] };
/// By name or id.
pub const DEVICES: Target = Target { model: "orest.device", what: "device", names: &["name"] };

impl Target {
    /// The ids of all who are called so, the archived too.
    ///
    /// # Errors
    /// If somebody is not there: a typing error is not nobody.
    pub fn find(&self, session: &mut Session, named: &[String]) -> Result<Vec<i64>, Failure> {
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
    use super::*;

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
    fn since_when() {
        for (text, expect) in [
            ("2h", Some("now -2H")),
            ("2026-11-20", Some("2026-11-20 00:00:00")),
            ("2026-11-20 14:30", Some("2026-11-20 14:30:00")),
            ("2026-11-20T14:30:15Z", Some("2026-11-20 14:30:15")),
            ("2026-13-20", None),
            ("20.11.2026", None),
            ("", None),
            ("+12026-11-20", None),
        ] {
            assert_eq!(Since::parse(text).ok().as_ref().map(Since::moment), expect, "{text}");
        }
    }

    #[test]
    fn names_and_ids() {
        assert_eq!(USERS.called("alice"), json!(["|", ["login", "=", "alice"], ["email", "=", "alice"]]));
        assert_eq!(DEVICES.called("7"), json!(["|", ["name", "=", "7"], ["id", "=", 7]]));
        assert_eq!(DEVICES.called("x"), json!([["name", "=", "x"]]));
    }
}
