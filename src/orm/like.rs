//! SQL's `LIKE`: `%` is any text, `_` any letter, `\` takes the next letter literally.

/// A pattern, ready to be matched many times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    tokens: Vec<Token>,
    fold: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Letter(char),
    Any,
    Many,
}

impl Pattern {
    /// Reads a pattern; `fold` compares without regard to case.
    pub fn new(pattern: &str, fold: bool) -> Self {
        let mut tokens = Vec::with_capacity(pattern.len());
        let mut letters = pattern.chars();
        let push = |tokens: &mut Vec<Token>, letter: char| {
            if fold {
                tokens.extend(letter.to_lowercase().map(Token::Letter));
            } else {
                tokens.push(Token::Letter(letter));
            }
        };
        while let Some(letter) = letters.next() {
            match letter {
                '%' if tokens.last() == Some(&Token::Many) => {}
                '%' => tokens.push(Token::Many),
                '_' => tokens.push(Token::Any),
                '\\' => push(&mut tokens, letters.next().unwrap_or('\\')),
                letter => push(&mut tokens, letter),
            }
        }
        Self { tokens, fold }
    }

    /// Whether the whole text fits.
    pub fn matches(&self, text: &str) -> bool {
        if self.fold {
            self.matches_letters(&text.chars().flat_map(char::to_lowercase).collect::<Vec<_>>())
        } else {
            self.matches_letters(&text.chars().collect::<Vec<_>>())
        }
    }

    /// Goes back to the last `%` only: what an earlier one has taken can always be taken by the last.
    fn matches_letters(&self, text: &[char]) -> bool {
        let (mut at, mut token) = (0, 0);
        let mut retry = None;
        while at < text.len() {
            match self.tokens.get(token) {
                Some(Token::Many) => {
                    token += 1;
                    retry = Some((token, at));
                    continue;
                }
                Some(Token::Any) => {
                    (at, token) = (at + 1, token + 1);
                    continue;
                }
                Some(Token::Letter(letter)) if *letter == text[at] => {
                    (at, token) = (at + 1, token + 1);
                    continue;
                }
                _ => {}
            }
            let Some((after, from)) = retry else { return false };
            retry = Some((after, from + 1));
            (at, token) = (from + 1, after);
        }
        self.tokens[token..].iter().all(|token| *token == Token::Many)
    }
}

/// A pattern for "contains", where `%` and `_` of the text stay wildcards, as in Odoo.
pub fn contains(text: &str) -> String {
    format!("%{text}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let check = |pattern, text, fold, expect| {
            assert_eq!(Pattern::new(pattern, fold).matches(text), expect, "{text} like {pattern}");
        };
        check("", "", false, true);
        check("", "a", false, false);
        check("%", "", false, true);
        check("%%a%", "bab", false, true);
        check("a_c", "abc", false, true);
        check("a_c", "ac", false, false);
        check("_", "É", false, true);
        check("%0\\%%", "100%", false, true);
        check("%0\\%%", "100x", false, false);
        check("a\\_b", "a_b", false, true);
        check("a\\_b", "axb", false, false);
        check("a\\", "a\\", false, true);
        check("abc", "ABC", false, false);
        check("abc", "ABC", true, true);
        check("élodie", "Élodie", true, true);
        check("%ab%ab%", "abcab", false, true);
        check("%aab", "aaab", false, true);
        check("a%b%c", "axxbyyd", false, false);
    }
}
