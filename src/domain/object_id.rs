//! Ids as App Services writes them: 24 hexadecimal digits. Here they are those of the row's number.

/// The id of a row's number.
pub fn object_id(number: i64) -> String {
    format!("{number:024x}")
}

/// The inverse of [`object_id`]; `None`: the text is the id of no row.
pub fn parse_object_id(text: &str) -> Option<i64> {
    let digits = text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits { i64::from_str_radix(text, 16).ok().filter(|number| *number > 0) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (number, text) in [
            (1, "000000000000000000000001"),
            (4711, "000000000000000000001267"),
            (i64::MAX, "000000007fffffffffffffff"),
        ] {
            assert_eq!(object_id(number), text);
            assert_eq!(parse_object_id(text), Some(number));
        }
        assert_eq!(parse_object_id("00000000000000000000000A"), Some(10));
        for text in [
            "",
            "1",
            "000000000000000000000000",
            "00000000000000000000000g",
            "+00000000000000000000001",
            "-00000000000000000000001",
            "0000000000000000000000001",
            "000000008000000000000000",
            "ffffffffffffffffffffffff",
            "00000000000000000000000é",
        ] {
            assert_eq!(parse_object_id(text), None, "{text}");
        }
    }
}
