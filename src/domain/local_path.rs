//! Where a browser may be led on to: nowhere but here.

/// The text, if it is a path on this server and nothing that a browser could take for another one.
pub fn local_path(text: &str) -> Option<&str> {
    let mut bytes = text.bytes();
    let starts_here = bytes.next() == Some(b'/') && !matches!(bytes.next(), Some(b'/' | b'\\'));
    let plain = text.bytes().all(|byte| (0x21..=0x7e).contains(&byte) && byte != b'\\');
    (starts_here && plain).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn local_paths() {
        for good in ["/", "/web/login", "/oauth2/authorize?client_id=a&state=%2F%2Fevil.example", "/a//b"] {
            assert_eq!(local_path(good), Some(good));
        }
        for bad in [
            "",
            "evil.example",
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            " /a",
            "/a\r\nSet-Cookie: x",
            "/a\\b",
            "javascript:alert(1)",
            "/é",
        ] {
            assert_eq!(local_path(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_local_path_never_leaves(text in r"[/\\:@.a\t\n%?# ]{0,12}") {
            let here = url::Url::parse("https://here.example/deep/page").expect("an address");
            if let Some(path) = local_path(&text) {
                let there = here.join(path).expect("a path");
                prop_assert_eq!(there.origin(), here.origin());
            }
        }
    }
}
