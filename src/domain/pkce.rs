//! Proof Key for Code Exchange (RFC 7636), method S256 only: `plain` protects nobody (RFC 9700 section 2.1.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The challenge that came with the authorization request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeChallenge(String);

impl CodeChallenge {
    /// Takes a challenge of the form that S256 gives: 43 base64url characters.
    pub fn parse(text: &str) -> Option<Self> {
        let valid = text.len() == 43 && URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32);
        valid.then(|| Self(text.to_owned()))
    }

    /// As stored and as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the verifier (RFC 7636 section 4.1: 43 to 128 unreserved characters) answers the challenge.
    pub fn is_answered_by(&self, verifier: &str) -> bool {
        let unreserved = |c: u8| c.is_ascii_alphanumeric() || b"-._~".contains(&c);
        if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
            return false;
        }
        let answer = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        answer.as_bytes().ct_eq(self.0.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 appendix B.
    #[test]
    fn the_rfcs_own_example() {
        let challenge = CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").expect("well formed");
        assert!(challenge.is_answered_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert!(!challenge.is_answered_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK"));
        assert!(!challenge.is_answered_by("short"));
    }

    #[test]
    fn a_challenge_has_one_form() {
        for bad in ["", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"] {
            assert_eq!(CodeChallenge::parse(bad), None, "{bad}");
        }
    }
}
