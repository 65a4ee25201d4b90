//! OAuth scopes (RFC 6749 section 3.3): a set of tokens, kept sorted so that equal sets are equal texts.

use std::collections::BTreeSet;
use std::fmt;

/// A set of scope tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope(BTreeSet<String>);

/// The text holds a character that no scope token may hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a scope token has a character that RFC 6749 section 3.3 does not allow")]
pub struct InvalidScope;

impl Scope {
    /// Reads a space-separated list.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        let allowed = |c: char| matches!(c, '\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e');
        text.split(' ')
            .filter(|token| !token.is_empty())
            .map(|token| if token.chars().all(allowed) { Ok(token.to_owned()) } else { Err(InvalidScope) })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether each token of this set is in the other.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tokens, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, token) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(token)?;
        }
        Ok(())
    }
}
