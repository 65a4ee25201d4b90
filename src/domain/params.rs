//! OAuth's parameters, from a query or from a form (RFC 6749 appendix B).

use crate::limits;

/// Parameters in the order in which they came.
#[derive(Clone, Default)]
pub struct Params {
    pairs: Vec<(String, String)>,
}

/// The text is not UTF-8 once it is decoded, or has more than [`limits::FORM_PARAMS_MAX`] parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the parameters are not UTF-8, or there are too many")]
pub struct Malformed;

impl Params {
    /// Reads them. A `%` that starts no escape stands for itself, as browsers have it.
    pub fn parse(text: &[u8]) -> Result<Self, Malformed> {
        let pairs = || text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        if pairs().count() > limits::FORM_PARAMS_MAX {
            return Err(Malformed);
        }
        let pairs = pairs()
            .map(|pair| {
                let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
                    Some(at) => (&pair[..at], &pair[at + 1..]),
                    None => (pair, &[][..]),
                };
                Ok((decode(name)?, decode(value)?))
            })
            .collect::<Result<_, Malformed>>()?;
        Ok(Self { pairs })
    }

    /// The value; one without any counts as left out (RFC 6749 section 3.1).
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(own, _)| own == name)?;
        Some(found.1.as_str()).filter(|value| !value.is_empty())
    }

    /// Whether it is there more than once, which no parameter may be (RFC 6749 section 3.1).
    pub fn is_repeated(&self, name: &str) -> bool {
        self.pairs.iter().filter(|(own, _)| own == name).nth(1).is_some()
    }

    /// A parameter that is there more than once. `resource` may be (RFC 8707 section 2).
    pub fn repeated(&self) -> Option<&str> {
        let names = self.pairs.iter().enumerate();
        let again = names.filter(|(at, (name, _))| self.pairs[..*at].iter().any(|(earlier, _)| earlier == name));
        again.map(|(_, (name, _))| name.as_str()).find(|name| *name != "resource")
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

/// Undoes the escapes of one name or value.
pub fn decode(text: &[u8]) -> Result<String, Malformed> {
    if !text.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return String::from_utf8(text.to_vec()).map_err(|_| Malformed);
    }
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => match (hex(text.get(at)), hex(text.get(at + 1))) {
                (Some(high), Some(low)) => {
                    bytes.push(u8::try_from(high * 16 + low).expect("two hexadecimal digits are a byte"));
                    at += 2;
                }
                _ => bytes.push(b'%'),
            },
            byte => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: Result<&[(&str, &str)], Malformed>) {
        let own = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
        };
        assert_eq!(Params::parse(text.as_bytes()).map(|params| params.pairs), expect.map(own), "{text}");
    }

    #[test]
    fn forms() {
        check("", Ok(&[]));
        check("&&", Ok(&[]));
        check("a=1&b=2", Ok(&[("a", "1"), ("b", "2")]));
        check("a&b=&=c", Ok(&[("a", ""), ("b", ""), ("", "c")]));
        check("a=b=c", Ok(&[("a", "b=c")]));
        check("a=1+2%203%2B4", Ok(&[("a", "1 2 3+4")]));
        check("%61=%C3%A9", Ok(&[("a", "é")]));
        check("a=%&b=%4&c=%zz", Ok(&[("a", "%"), ("b", "%4"), ("c", "%zz")]));
        check("a=%00", Ok(&[("a", "\0")]));
        check("a=%FF", Err(Malformed));
    }

    #[test]
    fn not_too_many() {
        assert!(Params::parse("a=1&".repeat(limits::FORM_PARAMS_MAX).as_bytes()).is_ok());
        assert!(Params::parse("a=1&".repeat(limits::FORM_PARAMS_MAX + 1).as_bytes()).is_err());
    }

    #[test]
    fn repeated() {
        for (text, expect) in [
            ("a=1&b=2", None),
            ("a=1&b=2&a=1", Some("a")),
            ("a=&a=", Some("a")),
            ("a=1&%61=2", Some("a")),
            ("resource=x&resource=y", None),
        ] {
            assert_eq!(Params::parse(text.as_bytes()).expect("UTF-8").repeated(), expect, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(pairs in prop::collection::vec((".*", ".*"), 1..5)) {
            let mut text = url::form_urlencoded::Serializer::new(String::new());
            text.extend_pairs(&pairs);
            prop_assert_eq!(Params::parse(text.finish().as_bytes()).expect("UTF-8").pairs, pairs);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(params) = Params::parse(&bytes) {
                prop_assert!(params.pairs.len() <= bytes.len());
            }
        }
    }
}
